"""The project's GraphQL endpoint: the same rows and refusals as the HTTP API."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Shop


async def ask(shop: Shop, query: str, **more: Any) -> Any:
    return (await shop.http.post("/graphql", json={"query": query, **more})).json()


async def test_fields_lists_references_and_fragments_are_answered_as_asked(shop: Shop) -> None:
    group = await shop.post("/customer-groups", {"groupName": "Gold", "key": "gold"}, 201)
    made = await shop.customer(
        key="ada-1",
        customerGroup={"typeId": "customer-group", "key": "gold"},
        addresses=[{"country": "DE", "city": "Bonn"}, {"country": "GB", "city": "Leeds"}],
        defaultBillingAddress=1,
    )
    await shop.customer("bob@example.com")
    query = """
        query people($where: String!, $named: Boolean!) {
          found: customers(where: $where, sort: ["email desc"]) { count total exists results { ...Person } }
          customer(key: "ada-1") { id firstName @include(if: $named) defaultBillingAddress { city } }
          limits { customers { total { limit current } } }
        }
        fragment Person on Customer { email customerGroupRef { typeId id } customerGroup { name } addresses { city } }
    """
    told = (await ask(shop, query, variables={"where": 'email = "ada@example.com"', "named": False}))["data"]
    person = {
        "email": "ada@example.com",
        "customerGroupRef": {"typeId": "customer-group", "id": group["id"]},
        "customerGroup": {"name": "Gold"},
        "addresses": [{"city": "Bonn"}, {"city": "Leeds"}],
    }
    assert told["found"] == {"count": 1, "total": 1, "exists": True, "results": [person]}
    assert told["customer"] == {"id": made["id"], "defaultBillingAddress": {"city": "Leeds"}}
    assert told["limits"]["customers"]["total"]["current"] == 2


async def test_texts_in_many_languages_and_products_are_answered(shop: Shop) -> None:
    await shop.product("TEA", 450)
    query = """{ products { results { skus masterData { current {
        name(acceptLanguage: ["fr", "en"]) slugAllLocales { locale value }
        masterVariant { sku prices { value { centAmount ... on HighPrecisionMoney { preciseAmount } } } }
    } } } } }"""
    (row,) = (await ask(shop, query))["data"]["products"]["results"]
    assert row["skus"] == ["TEA"]
    current = row["masterData"]["current"]
    assert (current["name"], current["slugAllLocales"]) == ("Tea", [{"locale": "en", "value": "tea"}])
    assert current["masterVariant"]["prices"] == [{"value": {"centAmount": 450}}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ customers { results { nope } } }", "InvalidInput"),
        ("{ customers {", "InvalidInput"),
        ("", "InvalidInput"),
        (
            "{ carts(limit: 500) { results { lineItems { nameAllLocales { value } } } } }",
            "QueryComplexityLimitExceeded",
        ),
        ("{ customers(limit: 501) { count } }", "InvalidInput"),
        ('{ customers(where: "nope = 1") { count } }', "InvalidInput"),
        ("{ customers(limit: -1) { count } }", "InvalidInput"),
        ("{ customer { id } }", "InvalidInput"),
    ],
)
async def test_what_the_endpoint_refuses(shop: Shop, query: str, code: str) -> None:
    (told,) = (await ask(shop, query))["errors"]
    assert (told.get("code") or told["extensions"]["code"]) == code


async def test_a_reference_into_what_the_token_may_not_see_is_null_with_an_error_beside_it(shop: Shop) -> None:
    await shop.post("/customer-groups", {"groupName": "Gold", "key": "gold"}, 201)
    await shop.customer(customerGroup={"typeId": "customer-group", "key": "gold"})
    token = (await shop.token("syncd", "syncd-secret", scope="view_customers:demo-shop")).json()["access_token"]
    shop.http.headers["Authorization"] = f"Bearer {token}"
    told = await ask(shop, "{ customers { results { email customerGroup { key } } } carts { count } }")
    assert {one["extensions"]["code"] for one in told["errors"]} == {"insufficient_scope"}
    told = await ask(shop, "{ customers { results { email customerGroup { key } } } }")
    assert told["data"]["customers"]["results"] == [{"email": "ada@example.com", "customerGroup": None}]
    assert told["errors"][0]["path"] == ["customers", "results", 0, "customerGroup"]


async def test_standard_clients_can_look_the_schema_up(shop: Shop) -> None:
    from graphql import build_client_schema, get_introspection_query, validate
    from graphql import parse as parsed

    schema = build_client_schema((await ask(shop, get_introspection_query()))["data"])
    assert not validate(schema, parsed('{ orders(where: "x") { results { orderNumber cart { id } } } }'))


async def test_fragments_within_fragments_are_weighed_once_each(shop: Shop) -> None:
    spread = " ".join(
        f"fragment f{n} on CustomerQueryResult {{ ...f{n + 1} a{n}: results {{ id }} ...f{n + 1} }}" for n in range(60)
    )
    told = await ask(shop, f"{{ customers {{ ...f0 }} }} {spread} fragment f60 on CustomerQueryResult {{ count }}")
    assert told["errors"][0]["code"] == "QueryComplexityLimitExceeded"


async def test_a_limit_of_null_is_the_usual_one_and_one_that_is_no_number_is_refused(shop: Shop) -> None:
    assert (await ask(shop, "{ customers(limit: null) { count } }"))["data"] == {"customers": {"count": 0}}
    told = await shop.post(
        "/graphql", {"query": "query($l: Int) { customers(limit: $l) { count } }", "variables": {"l": "x"}}
    )
    assert "errors" in told
