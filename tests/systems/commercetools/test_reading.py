"""Reads by GraphQL and by the HTTP API cannot be told apart; where GraphQL does not serve, the other does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.lens import FirstOf, Plain
from syncd.model.mapping import FieldMapping, ObjectMapping, pluck
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.commercetools import ApiClient, CommercetoolsSandbox, seed
from syncd.sandbox.commercetools.project import Settings
from syncd.sandbox.server import Sandbox
from syncd.systems.commercetools.query import spelled_out
from syncd.systems.commercetools.selections import ROOTS, TABLE, selection
from syncd.systems.commercetools.system import CommercetoolsSystem
from syncd.systems.contract import VendorError

from . import support
from .support import CARTS, CUSTOMERS, FreePayer, ScriptedVendor

PROJECT = "demo-shop"


def also(mapping: ObjectMapping, *paths: str) -> ObjectMapping:
    """The mapping with more paths mapped as they are."""
    return replace(mapping, fields=(*mapping.fields, *(FieldMapping(path, (path,), Plain()) for path in paths)))


PEOPLE = also(
    CUSTOMERS, "dateOfBirth", "addresses", "defaultShippingAddressId", "shippingAddressIds", "stores", "locale",
    "customerGroupAssignments", "isEmailVerified", "authenticationMode", "externalId", "custom.fields.note",
)  # fmt: skip
BASKETS = replace(
    also(CARTS, "shippingAddress", "totalLineItemQuantity", "customLineItems", "locale", "origin", "lineItems"),
    fields=(
        *also(CARTS, "shippingAddress", "totalLineItemQuantity", "customLineItems", "locale", "origin").fields,
        FieldMapping("any_email", ("customerEmail", "shippingAddress.email"), FirstOf(Plain())),
    ),
)
TYPES = [
    {
        "key": "syncd-customer",
        "name": {"en": "Customer"},
        "resourceTypeIds": ["customer"],
        "fieldDefinitions": [
            {"name": name, "label": {"en": name}, "required": False, "type": {"name": kind}}
            for name, kind in (("phone", "String"), ("creditLimit", "Money"), ("note", "String"))
        ],
    }
]
text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
money = st.fixed_dictionaries(
    {"currencyCode": st.sampled_from(["EUR", "JPY"]), "centAmount": st.integers(-(10**9), 10**9)}
)
custom = st.fixed_dictionaries({}, optional={"phone": text, "creditLimit": money, "note": text})
address = st.fixed_dictionaries({"country": st.just("DE")}, optional={"city": text, "email": text, "pOBox": text})
group = st.sampled_from(["gold", "silver"]).map(lambda key: {"typeId": "customer-group", "key": key})


@st.composite
def people(draw: st.DrawFn) -> dict[str, Any]:
    optional = {
        "firstName": text, "lastName": text, "companyName": text, "externalId": text, "customerGroup": group,
        "dateOfBirth": st.dates().map(str), "locale": st.sampled_from(["en", "de"]),
        "stores": st.just([{"typeId": "store", "key": "main"}]),
        "customerGroupAssignments": st.lists(group.map(lambda one: {"customerGroup": one}), max_size=2),
    }  # fmt: skip
    made: dict[str, Any] = draw(st.fixed_dictionaries({}, optional=optional))
    made["addresses"] = draw(st.lists(address, max_size=2))
    if made["addresses"]:
        made["defaultShippingAddress"] = 0
    if draw(st.booleans()):
        made["custom"] = {"type": {"typeId": "type", "key": "syncd-customer"}, "fields": draw(custom)}
    return made


@st.composite
def baskets(draw: st.DrawFn) -> dict[str, Any]:
    optional = {"customerEmail": text, "shippingAddress": address, "locale": st.sampled_from(["en", "de"])}
    made: dict[str, Any] = draw(st.fixed_dictionaries({"currency": st.just("GBP")}, optional=optional))
    made["lineItems"] = [{"sku": "TEA", "quantity": n} for n in draw(st.lists(st.integers(1, 9), max_size=2))]
    return made


PRODUCT = {
    "productType": {"typeId": "product-type", "key": "plain"},
    "name": {"en": "Tea", "de": "Tee"},
    "slug": {"en": "tea"},
    "masterVariant": {"sku": "TEA", "prices": [{"value": {"currencyCode": "GBP", "centAmount": 450}}]},
    "publish": True,
}


@asynccontextmanager
async def a_shop(**changes: Any) -> AsyncIterator[CommercetoolsSandbox]:
    sandbox = Sandbox(seed=5, clock=ManualClock())
    clients = (
        ApiClient("syncd", "syncd-secret", (f"manage_project:{PROJECT}",)),
        ApiClient("viewer", "viewer-secret", (f"view_customers:{PROJECT}",)),
    )
    account = sandbox.add(CommercetoolsSandbox, clients=clients, settings=Settings(**changes))
    async with sandbox:
        seed(account, "types", TYPES)
        seed(account, "customer-groups", [{"groupName": name, "key": name} for name in ("gold", "silver")])
        account.url = sandbox.url("commercetools")  # type: ignore[attr-defined]
        yield account


@asynccontextmanager
async def connected(account: Any, reads: str, client: str = "syncd", **changes: Any) -> AsyncIterator[Any]:
    given = support.settings(
        project_key=PROJECT, api_url=account.url, auth_url=account.url, client_id=Secret(client),
        client_secret=Secret(f"{client}-secret"), reads=reads, **changes,
    )  # fmt: skip
    system = CommercetoolsSystem("shop", given, FreePayer(), World(ManualClock(), random.Random(3)))
    await system.open()
    try:
        yield system
    finally:
        await system.close()


def seen(mapping: ObjectMapping, snapshot: Any) -> dict[str, Any]:
    """What lenses can see of a snapshot."""
    found = {path: pluck(snapshot.data, path) for path in mapping.paths() if path != "lineItems"}
    if isinstance(found.get("customerGroup"), dict) and "obj" in found["customerGroup"]:
        reference = found["customerGroup"]
        found["customerGroup"] = {**reference, "obj": {"key": reference["obj"].get("key")}}
    found["lines"] = [
        (one["id"], one["variant"].get("sku"), one["name"], one["quantity"], one["price"]["value"])
        for one in snapshot.data.get("lineItems", ())
    ]
    stamps = (snapshot.external_id, snapshot.version, snapshot.modified_at, snapshot.data.get("createdAt"))
    return {"stamps": stamps, **found}


async def both_ways(account: CommercetoolsSandbox, mapping: ObjectMapping) -> tuple[list[Any], list[Any]]:
    found = []
    for reads in ("rest", "graphql"):
        async with connected(account, reads) as system:
            page = await system.scan(mapping, None, Lane.BULK)
            assert system._client.reading.why_not(mapping) == ("configured" if reads == "rest" else "")
            found.append([seen(mapping, one) for one in page.snapshots])
    return found[0], found[1]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(people(), min_size=8, max_size=8), st.lists(baskets(), min_size=3, max_size=3))
def test_random_resources_read_both_ways_are_the_same(who: list[dict[str, Any]], carts: list[dict[str, Any]]) -> None:
    async def compare() -> None:
        async with a_shop() as account:
            drafts = [
                {"email": f"p{n}@x.org", "authenticationMode": "ExternalAuth", **one} for n, one in enumerate(who)
            ]
            seed(account, "stores", [{"key": "main"}])
            seed(account, "customers", drafts)
            seed(account, "product-types", [{"key": "plain", "name": "Plain", "description": ""}])
            seed(account, "products", [PRODUCT])
            seed(account, "carts", carts)
            for mapping, count in ((PEOPLE, 8), (BASKETS, 3)):
                rest, graphql = await both_ways(account, mapping)
                assert rest == graphql
                assert len(rest) == count

    asyncio.run(compare())


def whole(object_: str) -> ObjectMapping:
    """A mapping of every member that the table knows."""
    kind = object_.partition("/")[0]
    fields = tuple(FieldMapping(name, (name,), Plain()) for name in TABLE[kind])
    return ObjectMapping("thing", "shop", object_, fields)


def same(rest: Any, graphql: Any, place: str) -> None:
    """What GraphQL told stands in the other's answer just so, and nothing that it was asked for is missing."""
    if isinstance(graphql, dict):
        assert isinstance(rest, dict), place
        for name, value in graphql.items():
            # An empty list and none are the same to both.
            same(rest.get(name, [] if value == [] else None), value, f"{place}.{name}")
    elif isinstance(graphql, list) and place.rpartition(".")[2] != "attributes":
        assert isinstance(rest, list), place
        assert len(rest) == len(graphql), place
        for number, (one, other) in enumerate(zip(rest, graphql, strict=True)):
            same(one, other, f"{place}[{number}]")
    else:
        assert rest == graphql, place


UNIT = {"name": "Acme", "addresses": [{"country": "DE", "key": "hq", "city": "Bonn"}], "contactEmail": "a@x.org"}
PRICE = {"sku": "TEA", "value": {"currencyCode": "GBP", "centAmount": 400}}


async def test_every_member_of_every_resource_is_told_the_same_by_both() -> None:
    async with a_shop() as account:
        gold = {"typeId": "customer-group", "key": "gold"}
        (ada,) = seed(account, "customers", [{"email": "a@x.org", "authenticationMode": "ExternalAuth", "key": "ada"}])
        seed(account, "associate-roles", [{"key": "buyer", "name": "Buyer", "permissions": ["ViewMyCarts"]}])
        role = {"associateRole": {"typeId": "associate-role", "key": "buyer"}, "inheritance": "Enabled"}
        people = [{"customer": {"typeId": "customer", "id": ada}, "associateRoleAssignments": [role]}]
        parent = {"typeId": "business-unit", "key": "acme"}
        company = {**UNIT, "key": "acme", "unitType": "Company", "associates": people, "defaultShippingAddress": 0}
        seed(
            account,
            "business-units",
            [company, {**UNIT, "key": "acme-de", "unitType": "Division", "parentUnit": parent}],
        )
        seed(account, "product-types", [{"key": "plain", "name": "Plain", "description": ""}])
        seed(account, "products", [{**PRODUCT, "key": "tea"}])
        tiers = [{"minimumQuantity": 5, "value": {"currencyCode": "GBP", "centAmount": 300}}]
        seed(
            account,
            "standalone-prices",
            [{**PRICE, "key": "p-1", "customerGroup": gold, "tiers": tiers, "active": False}],
        )
        seed(account, "carts", [{"currency": "GBP", "customerId": ada, "lineItems": [{"sku": "TEA", "quantity": 2}]}])
        async with httpx.AsyncClient(base_url=account.url) as http:  # type: ignore[attr-defined]
            form = {"grant_type": "client_credentials"}
            token = (await http.post("/oauth/token", data=form, auth=("syncd", "syncd-secret"))).json()["access_token"]
            http.headers["authorization"] = f"Bearer {token}"
            body = {"container": "credit", "key": "ada", "value": {"limit": [1, {"deep": True}]}}
            assert (await http.post(f"/{PROJECT}/custom-objects", json=body)).status_code == 201
            cart = (await http.get(f"/{PROJECT}/carts")).json()["results"][0]
            ordered = {"cart": {"typeId": "cart", "id": cart["id"]}, "version": cart["version"], "orderNumber": "1"}
            assert (await http.post(f"/{PROJECT}/orders", json=ordered)).status_code == 201
        for object_ in (*[one for one in ROOTS if one != "custom-objects"], "custom-objects/credit"):
            mapping, found = whole(object_), []
            for reads in ("rest", "graphql"):
                async with connected(account, reads) as system:
                    found.append((await system.scan(mapping, None, Lane.BULK)).snapshots)
                    assert (reads == "rest") is bool(system._client.reading.why_not(mapping)), object_
            rest, graphql = found
            assert [one.external_id for one in rest] == [one.external_id for one in graphql]
            assert rest or object_ in ("quotes", "quote-requests", "staged-quotes"), object_
            for one, other in zip(rest, graphql, strict=True):
                same(one.data, other.data, object_)
                asked = {name for name in TABLE[object_.partition("/")[0]] if name in one.data}
                assert asked <= other.data.keys(), object_


async def test_polls_reads_and_finds_go_by_graphql_and_only_mapped_fields_arrive() -> None:
    async with a_shop() as account, connected(account, "auto", page_limit=7) as system:
        drafts = [
            {"email": f"p{n}@x.org", "firstName": "Ada", "title": "Dr", "key": f"customer-{n}" * 20} for n in range(30)
        ]
        ids = seed(
            account, "customers", [{**one, "authenticationMode": "ExternalAuth"} for one in drafts], step_ms=1000
        )
        page = await system.poll(CUSTOMERS, '{"at":"1970-01-01T00:00:00.000Z"}', Lane.SCHEDULED)
        walked = [one.external_id for one in page.snapshots]
        while page.more:
            page = await system.poll(CUSTOMERS, page.cursor, Lane.SCHEDULED)
            walked += [one.external_id for one in page.snapshots]
        assert walked == ids
        before = account.requests
        read = await system.read(CUSTOMERS, ids, Lane.LIVE)
        found = await system.find(CUSTOMERS, [one["key"] for one in drafts], Lane.LIVE)
        # 30 keys of 220 characters fit into no address, and need not.
        assert account.requests - before == 2
        assert (set(read.found), len(found), read.missing) == (set(ids), 30, frozenset())
        (one,) = {frozenset(each.data) for each in read.found.values()}
        assert "title" not in one
        assert {"email", "firstName", "key", "createdAt", "lastModifiedAt"} <= one


async def test_a_query_too_heavy_for_the_vendor_is_asked_for_fewer_rows_from_then_on() -> None:
    async with a_shop(graphql_weight=2000) as account, connected(account, "auto") as system:
        seed(account, "customers", [{"email": f"p{n}@x.org", "authenticationMode": "ExternalAuth"} for n in range(250)])
        page, sizes = await system.scan(CUSTOMERS, None, Lane.BULK), []
        while True:
            sizes.append(len(page.snapshots))
            if not page.more:
                break
            before = account.requests
            page = await system.scan(CUSTOMERS, page.cursor, Lane.BULK)
            assert account.requests == before + 1
        assert sizes == [100, 100, 50]


@pytest.mark.parametrize(
    ("project", "client"),
    [({"graphql": False}, "syncd"), ({"graphql_weight": 2}, "syncd"), ({}, "viewer")],
    ids=["an account without it", "a limit that nothing keeps", "a scope that a resolved reference needs"],
)
async def test_where_graphql_does_not_serve_the_http_api_is_read(project: dict[str, Any], client: str) -> None:
    async with a_shop(**project) as account, connected(account, "auto", client) as system:
        drafts = [{"email": f"p{n}@x.org", "authenticationMode": "ExternalAuth", "key": f"key-{n}"} for n in range(20)]
        seed(
            account,
            "customers",
            [{**one, "customerGroup": {"typeId": "customer-group", "key": "gold"}} for one in drafts],
        )
        assert len((await system.scan(CUSTOMERS, None, Lane.BULK)).snapshots) == 20
        assert system._client.reading.why_not(CUSTOMERS)
        before = account.requests
        assert len((await system.scan(CUSTOMERS, None, Lane.BULK)).snapshots) == 20
        assert account.requests == before + 1


async def test_a_path_that_the_table_does_not_know_is_read_over_http() -> None:
    unknown = also(CUSTOMERS, "somethingNew")
    async with a_shop() as account, connected(account, "graphql") as system:
        seed(account, "customers", [{"email": "a@x.org", "authenticationMode": "ExternalAuth"}])
        assert len((await system.scan(unknown, None, Lane.BULK)).snapshots) == 1
        assert "somethingNew" in system._client.reading.why_not(unknown)


def _graphql(request: httpx.Request) -> bool:
    return request.url.path.endswith("/graphql")


async def test_data_with_errors_beside_it_is_never_taken_for_whole() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if not _graphql(request):
            return support.page(support.customer(firstName="Whole"))
        row = {**support.customer(), "customerGroupRef": None, "custom": None}
        errors = [{"message": "no", "path": ["rows"], "extensions": {"code": "insufficient_scope"}}]
        return httpx.Response(200, json={"data": {"rows": {"results": [row]}}, "errors": errors})

    system = support.system_on(ScriptedVendor(answer), reads="auto")
    await system.open()
    (one,) = (await system.scan(CUSTOMERS, None, Lane.BULK)).snapshots
    assert one.data["firstName"] == "Whole"
    await system.close()


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(404, json={}), httpx.Response(405), httpx.Response(501, text="<html>"),
        httpx.Response(302, headers={"location": "/"}), httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"data": None}), support.error(404, "ResourceNotFound"),
    ],
)  # fmt: skip
async def test_a_host_that_knows_no_graphql_is_read_over_http(reply: httpx.Response) -> None:
    vendor = ScriptedVendor(lambda request: reply if _graphql(request) else support.page(support.customer()))
    system = support.system_on(vendor, reads="auto")
    await system.open()
    for _ in range(2):
        assert len((await system.scan(CUSTOMERS, None, Lane.BULK)).snapshots) == 1
    asked = sum(map(_graphql, vendor.requests))
    # What has no such address will not have it on the next page either.
    assert asked == (1 if reply.status_code in (404, 405, 501) else 2)
    await system.close()


@pytest.mark.parametrize("reply", [support.error(503, "OverCapacity"), httpx.Response(502, text="<html>")])
async def test_passing_trouble_is_trouble_and_gives_nothing_up(reply: httpx.Response) -> None:
    vendor = ScriptedVendor(lambda request: reply)
    system = support.system_on(vendor, reads="auto")
    await system.open()
    with pytest.raises(VendorError) as caught:
        await system.scan(CUSTOMERS, None, Lane.BULK)
    assert caught.value.failure.remedy is Remedy.RETRY
    assert system._client.reading.by_graphql(CUSTOMERS) is not None
    await system.close()


async def test_a_list_that_loses_graphql_on_the_way_is_cut_to_fit_into_addresses() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, json={}) if _graphql(request) else support.page()

    vendor = ScriptedVendor(answer)
    system = support.system_on(vendor, reads="auto")
    await system.open()
    by_field = replace(CUSTOMERS, key_path="custom.fields.crmId")
    with pytest.raises(VendorError) as caught:
        await system.find(by_field, [f"{n:03}" * 60 for n in range(200)], Lane.LIVE)
    assert caught.value.failure.code == "not-visible-yet"
    addresses = [str(one.url) for one in vendor.requests if not _graphql(one)]
    assert len(addresses) > 5
    assert max(map(len, addresses)) < 8000
    await system.close()


def test_literals_that_look_like_placeholders_are_left_alone() -> None:
    assert (
        spelled_out('key in (":id", "a\\":id") and id > :id', {"id": 'x"'})
        == 'key in (":id", "a\\":id") and id > "x\\""'
    )


@pytest.mark.parametrize(
    "row",
    [{"custom": {"customFieldsRaw": [{}]}}, {"custom": {"customFieldsRaw": 5}}, {"custom": {"customFieldsRaw": ["x"]}}],
)
def test_a_row_in_another_form_than_was_asked_for_is_a_bad_response(row: Any) -> None:
    with pytest.raises(VendorError) as caught:
        selection(CUSTOMERS).row(row)
    assert caught.value.failure.code == "bad-response"
