"""Queries: pages, predicates, keyset polls, totals, expansion."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.sandbox.commercetools import people, seed
from tests.sandbox.commercetools.conftest import Shop
from tests.sandbox.commercetools.test_customers import code
from tests.sandbox.commercetools.test_types import field, make_type, with_fields

START = 1_793_606_400_000


async def emails(shop: Shop, **params: Any) -> list[str]:
    return [row["email"] for row in (await shop.get("/customers", **params))["results"]]


@pytest.fixture
async def cast(shop: Shop) -> Shop:
    """Three customers who differ in everything a predicate can ask for."""
    await shop.post("/customer-groups", {"groupName": "Gold", "key": "gold"}, 201)
    await make_type(shop, field("limit", "Money"), field("crm-id", "String"), field("vip", "Boolean"))
    money = {"currencyCode": "EUR", "centAmount": 5000}
    await shop.customer(
        "a@x.y",
        firstName="Ada",
        dateOfBirth="1990-05-01",
        customerGroup={"typeId": "customer-group", "key": "gold"},
        addresses=[{"country": "DE", "city": "Bonn"}, {"country": "FR", "city": "Nancy"}],
        custom=with_fields(limit=money, vip=True, **{"crm-id": 'say "hi"'}),
    )
    await shop.clock.advance(10)
    await shop.customer("b@x.y", firstName="Bo", addresses=[{"country": "DE", "city": "Köln"}], isEmailVerified=True)
    await shop.clock.advance(10)
    await shop.customer("c@x.y", customerNumber="7")
    return shop


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('firstName = "Ada"', "a"),
        ('firstName="Ada" or firstName="Bo"', "ab"),
        ('firstName != "Ada"', "bc"),
        ('firstName <> "Ada"', "bc"),
        ('firstName in ("Ada", "Bo")', "ab"),
        ('firstName not in ("Ada", "Bo")', "c"),
        ("firstName is defined", "ab"),
        ("firstName is not defined", "c"),
        ("addresses is empty", "c"),
        ("addresses is not empty", "ab"),
        ('addresses(country="DE" and city="Bonn")', "a"),
        ('addresses(country="FR" and city="Bonn")', ""),
        ('not(addresses(country="DE"))', "c"),
        ('not (firstName = "Ada" or firstName = "Bo")', "c"),
        ('firstName > "Ada"', "b"),
        ('firstName >= "Ada" and firstName < "B"', "a"),
        ("isEmailVerified = true", "b"),
        ('dateOfBirth < "2000-01-01"', "a"),
        ('createdAt > "2026-11-02T08:00:00Z"', "bc"),
        ('createdAt >= "2026-11-02T09:00:00+01:00" and lastModifiedAt <= "2026-11-02T08:00:10.000Z"', "ab"),
        ("version = 1", "abc"),
        ("version > 1.5", ""),
        ("custom(fields(limit(centAmount >= 5000)))", "a"),
        ("custom(fields(vip = true))", "a"),
        ("custom is not defined", "bc"),
        ("custom(fields(`crm-id` is not defined))", "bc"),
        (r'custom(fields(`crm-id` = "say \"hi\""))', "a"),
        ('customerNumber = "7"', "c"),
        ('email in ("a@x.y", "c@x.y")', "ac"),
        ('email = "A@x.y"', ""),
        ('email = "a@x.y" and firstName = "Bo"', ""),
    ],
)
async def test_a_predicate_finds_those_it_describes(cast: Shop, where: str, expected: str) -> None:
    assert "".join(sorted(email[0] for email in await emails(cast, where=where))) == expected
    status = (await cast.http.head("/customers", params={"where": where})).status_code
    assert status == (200 if expected else 404)


async def test_variables_stand_for_values_and_predicates_are_joined_by_and(cast: Shop) -> None:
    assert await emails(cast, where="firstName = :name", **{"var.name": "Ada"}) == ["a@x.y"]
    assert await emails(cast, where="email in (:a, :b)", **{"var.a": "a@x.y", "var.b": "c@x.y"}) == ["a@x.y", "c@x.y"]
    assert await emails(cast, where="firstName in :n", **{"var.n": ["Ada", "Bo"]}) == ["a@x.y", "b@x.y"]
    both = ["firstName is defined", 'addresses(country = "FR")']
    assert await emails(cast, where=both) == ["a@x.y"]
    limit = {"where": "custom(fields(limit(centAmount = :n)))", "var.n": "5000"}
    assert await emails(cast, **limit) == ["a@x.y"]
    assert await emails(cast, where="isEmailVerified = :yes and version < :v", **{"var.yes": "true", "var.v": "2"}) == [
        "b@x.y"
    ]


async def test_references_are_found_by_id_and_expanded_on_request(cast: Shop) -> None:
    group = (await cast.get("/customer-groups/key=gold"))["id"]
    page = await cast.get(
        "/customers", where=f'customerGroup(id="{group}")', expand=["customerGroup", "custom.type", "no.where"]
    )
    (row,) = page["results"]
    assert row["customerGroup"]["obj"]["key"] == "gold"
    assert row["custom"]["type"]["obj"]["key"] == "syncd-customer"
    assert "obj" not in (await cast.get(f"/customers/{row['id']}"))["customerGroup"]


@pytest.mark.parametrize(
    "params",
    [
        {"where": "firstName ="},
        {"where": 'firstName = "Ada'},
        {"where": 'firstName = "Ada" firstName'},
        {"where": "(firstName is defined"},
        {"where": 'lowercaseEmail = "a@x.y"'},
        {"where": 'firstName(x = "y")'},
        {"where": "firstName = 7"},
        {"where": "version = true"},
        {"where": 'createdAt > "yesterday"'},
        {"where": 'customerGroup = "gold"'},
        {"where": "firstName = :name"},
        {"where": "firstName ~ 7"},
        {"where": "firstName is nice"},
        {"where": ""},
        {"where": "not(" * 100 + "version=1" + ")" * 100},
        {"sort": "shoeSize asc"},
        {"sort": "id sideways"},
        {"sort": "email.x"},
        {"limit": 501},
        {"limit": -1},
        {"limit": "many"},
        {"offset": 10_001},
        {"withTotal": "perhaps"},
        {"colour": "red"},
    ],
)
async def test_parameters_that_make_no_sense_are_400(cast: Shop, params: dict[str, Any]) -> None:
    reply = await cast.http.get("/customers", params=params)
    assert (reply.status_code, code(reply.json())) == (400, "InvalidInput")


async def test_a_page_has_twenty_unless_told_and_counts_all(shop: Shop) -> None:
    seed(shop.account, "customers", people(45))
    page = await shop.get("/customers")
    assert (page["limit"], page["offset"], page["count"], page["total"]) == (20, 0, 20, 45)
    page = await shop.get("/customers", limit=0)
    assert (page["count"], page["total"], page["results"]) == (0, 45, [])
    page = await shop.get("/customers", limit=20, offset=40, where='firstName != "Ada"')
    assert (page["count"], page["total"]) == (2, 42)
    page = await shop.get("/customers", limit=20, offset=60, where='firstName != "Ada"')
    assert (page["count"], page["total"]) == (0, 42)
    page = await shop.get("/customers", withTotal="false")
    assert "total" not in page


async def test_the_total_of_a_predicate_is_capped(shop: Shop) -> None:
    seed(shop.account, "customers", people(10_050))
    assert (await shop.get("/customers", limit=1))["total"] == 10_050
    assert (await shop.get("/customers", limit=1, where="version = 1"))["total"] == 10_000


@pytest.mark.parametrize(
    "sort", [["lastModifiedAt asc", "id asc"], ["lastModifiedAt desc", "id desc"], ["id"], ["id desc"]]
)
async def test_walking_an_index_gives_the_same_as_sorting(shop: Shop, sort: list[str]) -> None:
    seed(shop.account, "customers", people(60), at_ms=START - 1000, step_ms=0)
    seed(shop.account, "customers", people(60, start=60), at_ms=START - 5000, step_ms=100)
    rows = (await shop.get("/customers", limit=500))["results"]
    fields = [word.split()[0] for word in sort]
    rows.sort(key=lambda row: [row[name] for name in fields], reverse="desc" in sort[0])
    page = await shop.get("/customers", limit=500, sort=sort)
    assert page["results"] == rows
    middle = rows[50]["lastModifiedAt"]
    for op in ("<", "<=", "=", ">=", ">"):
        where = f'lastModifiedAt {op} "{middle}"'
        found = (await shop.get("/customers", limit=500, sort=sort, where=where))["results"]
        tests = {"<": lambda t: t < middle, "<=": lambda t: t <= middle, "=": lambda t: t == middle}
        tests |= {">=": lambda t: t >= middle, ">": lambda t: t > middle}
        assert found == [row for row in rows if tests[op](row["lastModifiedAt"])]


async def test_a_keyset_poll_sees_every_row_once_although_time_stamps_are_equal(shop: Shop) -> None:
    seed(shop.account, "customers", people(30), at_ms=START)
    seed(shop.account, "customers", people(30, start=30), at_ms=START + 1)
    seen, stamp, last = [], "2026-11-02T07:59:59.000Z", ""
    while True:
        where = "lastModifiedAt > :t or (lastModifiedAt = :t and id > :i)"
        params = {"var.t": stamp, "var.i": last, "sort": ["lastModifiedAt asc", "id asc"], "limit": 7}
        page = await shop.get("/customers", where=where, withTotal="false", **params)
        seen += [row["id"] for row in page["results"]]
        if page["count"] < 7:
            break
        stamp, last = page["results"][-1]["lastModifiedAt"], page["results"][-1]["id"]
    assert len(seen) == len(set(seen)) == 60


async def test_an_update_moves_a_row_to_the_end_of_the_poll(shop: Shop) -> None:
    first = await shop.customer("a@x.y")
    await shop.clock.advance(1)
    await shop.customer("b@x.y")
    await shop.clock.advance(1)
    await shop.update("/customers", first, {"action": "setTitle", "title": "Dr"})
    assert await emails(shop, sort="lastModifiedAt asc") == ["b@x.y", "a@x.y"]
    assert await emails(shop, where='lastModifiedAt > "2026-11-02T08:00:01Z"') == ["a@x.y"]


async def test_late_rows_become_visible_behind_a_poll_that_has_passed(shop: Shop) -> None:
    await shop.account.act({"op": "late_ms", "ms": 5000})
    stamps = [(await shop.customer(f"{number}@x.y"))["lastModifiedAt"] for number in range(20)]
    assert stamps != sorted(stamps)
    assert min(stamps) >= "2026-11-02T07:59:55.000Z"
    row = (await shop.get("/customers"))["results"][0]
    after = await shop.update("/customers", row, {"action": "setTitle", "title": "Dr"})
    assert after["lastModifiedAt"] >= row["lastModifiedAt"]


async def test_carts_are_found_as_an_abandonment_poll_would(shop: Shop) -> None:
    await shop.product()
    full = await shop.post("/carts", {"currency": "GBP", "lineItems": [{"sku": "TEA"}]}, 201)
    await shop.post("/carts", {"currency": "GBP"}, 201)
    where = 'cartState="Active" and totalLineItemQuantity > 0 and lineItems(variant(sku="TEA"))'
    assert [row["id"] for row in (await shop.get("/carts", where=where))["results"]] == [full["id"]]


async def test_any_field_can_be_sorted_by_and_missing_values_come_first(cast: Shop) -> None:
    assert await emails(cast, sort="firstName desc") == ["b@x.y", "a@x.y", "c@x.y"]
    assert await emails(cast, sort=["isEmailVerified desc", "email desc"]) == ["b@x.y", "c@x.y", "a@x.y"]
    assert await emails(cast, sort="custom.fields.limit.centAmount desc", limit=1) == ["a@x.y"]
