"""Prices by the thousand, what they refer to, and metafields, through the connector against the simulated store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.config import loads
from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import Verdict, Write

from .support import CUSTOMERS, Shop, polled, scanned

CONFIGURATION = loads(
    """
[connections.shop]
system = "bigcommerce"
store_hash = "abc123"
webhook_url = "https://sync.example.com/v1/webhooks/shop"
"""
    + "".join(
        f'[[mappings]]\nconnection = "shop"\nobject = "{name}"\nenabled = true\n'
        for name in ("price_records", "price_lists", "products", "companies", "users", "roles")
    ),
    environ={},
)
MAPPINGS = {one.object: one for one in CONFIGURATION.mappings}
RECORDS = MAPPINGS["price_records"]
PLAIN = replace(CUSTOMERS, fields=(), key_path="")
"""Maps nothing: writes name their paths themselves."""


def of(object_: str) -> ObjectMapping:
    return replace(PLAIN, object=object_)


def price(number: int, amount: str = "9.00", **more: Any) -> Write:
    values = {"sku": f"S-{number}", "price_list_id": {"typeId": "price_list", "id": "1"}, "price": amount,
              "currency": "USD", **more}  # fmt: skip
    return Write(f"price-{number}", Action.CREATE, values)


async def priced(shop: Shop, count: int) -> Any:
    await shop.act(
        op="seed", products=[{"sku": f"S-{n}", "product_id": n, "variant_id": n} for n in range(1, count + 1)]
    )
    await shop.act(op="price_list", values={"name": "Trade"})
    return await shop.connect()


def calls(shop: Shop) -> list[str]:
    return [one.kind for one in shop.payer.paid]


@pytest.mark.parametrize("strict", [False, True])
async def test_a_thousand_prices_are_one_call_and_a_bad_one_is_told_from_the_rest(shop: Shop, *, strict: bool) -> None:
    system = await priced(shop, 1000)
    await shop.act(op="settings", settings={"strict_prices": strict})
    writes = [price(n) for n in range(1, 1000)] + [price(1001)]
    verdicts = {one.key: one for one in await system.write(RECORDS, writes, Lane.BULK)}
    bad = verdicts.pop("price-1001")
    assert {one.outcome for one in verdicts.values()} == {Outcome.APPLIED}
    assert verdicts["price-7"].external_id == "1/7/USD"
    assert bad.failure is not None
    assert (bad.failure.remedy, bad.failure.fields) == (Remedy.ASK, ("sku",))
    assert calls(shop).count("price_write") == (2 if strict else 1)
    again = await system.write(RECORDS, writes[:3], Lane.BULK)
    assert {one.outcome for one in again} == {Outcome.APPLIED}
    (taken,) = await system.write(RECORDS, [price(7, "8.00")], Lane.BULK)
    assert taken.failure is not None
    assert (taken.failure.remedy, taken.failure.existing_id) == (Remedy.LINK, "1/7/USD")
    assert len(await scanned(system, RECORDS)) == 999


async def test_prices_change_whole_are_deleted_by_the_hundred_and_a_lost_answer_is_looked_up(shop: Shop) -> None:
    system = await priced(shop, 20)
    tiers = [{"quantity_min": 10, "quantity_max": 0, "price": "8.00", "currency": "USD"}]
    await system.write(RECORDS, [price(n, tiers=tiers) for n in range(1, 21)], Lane.BULK)
    change = Write("price-1", Action.UPDATE, {"price": "7.00", "currency": "USD"}, "1/1/USD")
    (done,) = await system.write(RECORDS, [change], Lane.LIVE)
    assert done.snapshot is not None
    assert (done.snapshot.data["price"], done.snapshot.data["tiers"][0]["price"]) == ("7.0000", "8")
    moved = replace(change, values={"currency": "EUR"})
    (never,) = await system.write(RECORDS, [moved], Lane.LIVE)
    assert never.failure is not None
    assert never.failure.remedy is Remedy.ASK
    shop.sandbox.set_faults("drop_after=1")
    (lost,) = await system.write(RECORDS, [replace(change, values={"price": "6.00", "currency": "USD"})], Lane.LIVE)
    shop.sandbox.set_faults("none")
    assert lost.failure is not None
    assert lost.failure.remedy in (Remedy.LOOK, Remedy.RETRY)
    gone = [Write(f"price-{n}", Action.DELETE, {}, f"1/{n}/USD") for n in range(1, 20)]
    for _ in range(2):
        assert {one.outcome for one in await system.write(RECORDS, gone, Lane.LIVE)} == {Outcome.APPLIED}
    assert [one.external_id for one in await scanned(system, RECORDS)] == ["1/20/USD"]


async def test_percentages_and_amounts_off_are_told_as_unit_prices(shop: Shop) -> None:
    system = await priced(shop, 1)
    tiers = [
        {"quantity_min": 1, "quantity_max": 9, "type": "percent", "amount": 10},
        {"quantity_min": 10, "quantity_max": 0, "type": "price", "amount": 2.5},
    ]
    body = {"price": 9.0, "bulk_pricing_tiers": tiers}
    await shop.act(op="panel", method="PUT", path="v3/pricelists/1/records/1/USD", body=body)
    found = (await system.read(RECORDS, ["1/1/USD"], Lane.LIVE)).found["1/1/USD"]
    assert [one["price"] for one in found.data["tiers"]] == ["8.1", "6.5"]


async def test_metafields_are_read_written_cleared_and_polled_though_the_resource_did_not_move(shop: Shop) -> None:
    system = await shop.connect()
    numbers = [await shop.customer(f"p{n}@example.com") for n in range(12)]
    paths = ("metafields.crm.note", "metafields.crm.score")
    field = CUSTOMERS.fields[1]
    mapping = replace(PLAIN, fields=tuple(replace(field, field=path[-5:], paths=(path,)) for path in paths))
    _, cursor = await polled(system, mapping, None)
    writes = [Write(f"k{n}", Action.UPDATE, {paths[0]: f"note {n}", paths[1]: str(n)}, str(n)) for n in numbers]
    verdicts: list[Verdict] = list(await system.write(mapping, writes, Lane.LIVE))
    assert {one.outcome for one in verdicts} == {Outcome.APPLIED}
    await shop.clock.advance(100)
    found, cursor = await polled(system, mapping, cursor)
    assert {one.external_id for one in found} == {str(n) for n in numbers}
    first = str(numbers[0])
    body = {"permission_set": "write", "namespace": "crm", "key": "note", "value": "theirs"}
    held = next(one for one in shop.account.objects()["metafields"] if str(one["resource_id"]) == first)
    await shop.act(op="panel", method="PUT", path=f"v3/customers/{first}/metafields/{held['id']}", body=body)
    found, _ = await polled(system, mapping, cursor)
    told = next(one for one in found if one.external_id == first).data["metafields"]["crm"]
    assert told == {"note": "theirs", "score": first}
    bad = Write("k", Action.UPDATE, {"metafields.crm.note": "x" * 70_000}, first)
    second = str(numbers[1])
    good = Write("k2", Action.UPDATE, {"metafields.crm.score": None}, second)
    refused, cleared = await system.write(mapping, [bad, good], Lane.LIVE)
    assert refused.failure is not None
    assert (refused.failure.remedy, cleared.outcome) == (Remedy.ASK, Outcome.APPLIED)
    now = (await system.read(mapping, [second], Lane.LIVE)).found[second].data["metafields"]["crm"]
    assert now == {"note": "note 2"}


async def test_addresses_are_a_customers_first_one_or_objects_of_their_own(shop: Shop) -> None:
    system = await shop.connect()
    number = str(await shop.customer())
    field = CUSTOMERS.fields[1]
    mapping = replace(PLAIN, fields=(replace(field, field="city", paths=("address.city",)),))
    values = {"address.address1": "1 Mill Lane", "address.city": "Leeds", "address.country_code": "GB"}
    for city in ("Leeds", "York"):
        change = Write("k", Action.UPDATE, {**values, "address.city": city}, number)
        (done,) = await system.write(mapping, [change], Lane.LIVE)
        assert done.outcome is Outcome.APPLIED, done
    assert [(one["city"], one["first_name"]) for one in shop.account.objects()["customer_addresses"]] == [
        ("York", "Ada")
    ]
    new = {"email": "b@example.com", "first_name": "Ben", "last_name": "Ito", **values}
    (made,) = await system.write(mapping, [Write("k2", Action.CREATE, new)], Lane.LIVE)
    found = (await system.read(mapping, [made.external_id], Lane.LIVE)).found[made.external_id]
    assert found.data["address"]["city"] == "Leeds"
    plain = {"customer_id": number, "first_name": "Ada", "last_name": "Byron", "address1": "2 Mill Lane",
             "city": "Leeds", "country_code": "GB"}  # fmt: skip
    ids = set()
    for _ in range(2):  # an exact double is no second address
        (verdict,) = await system.write(of("customer_addresses"), [Write("a", Action.CREATE, plain)], Lane.LIVE)
        assert verdict.outcome is Outcome.APPLIED, verdict
        ids.add(verdict.external_id)
    assert len(ids) == 1
    assert len(await scanned(system, of("customer_addresses"))) == 3
    gone = Write("a", Action.DELETE, {}, ids.pop())
    assert (await system.write(of("customer_addresses"), [gone, gone], Lane.LIVE))[1].outcome is Outcome.APPLIED


async def test_an_assignment_is_its_place_and_a_group_names_its_price_list(shop: Shop) -> None:
    system = await priced(shop, 1)
    group = await shop.act(op="group", values={"name": "Gold"})
    place = {"price_list_id": "1", "customer_group_id": str(group), "channel_id": "1"}
    mapping = of("price_list_assignments")
    for _ in range(2):
        (made,) = await system.write(mapping, [Write("a", Action.CREATE, place)], Lane.LIVE)
        assert (made.outcome, made.external_id) == (Outcome.APPLIED, f"1/{group}/1")
    assert [one.external_id for one in await scanned(system, mapping)] == [f"1/{group}/1"]
    lost = Write("a", Action.CREATE, {**place, "customer_group_id": "99"})
    (refused,) = await system.write(mapping, [lost], Lane.LIVE)
    assert refused.outcome is Outcome.FAILED
    for _ in range(2):
        (gone,) = await system.write(mapping, [Write("a", Action.DELETE, {}, made.external_id)], Lane.LIVE)
        assert gone.outcome is Outcome.APPLIED
    change = Write("g", Action.UPDATE, {"price_list_id": {"typeId": "price_list", "id": "1"}}, str(group))
    (done,) = await system.write(of("customer_groups"), [change], Lane.LIVE)
    assert done.snapshot is not None
    assert done.snapshot.data["price_list_id"] == "1"


async def test_companies_stand_below_each_other_with_terms_addresses_users_and_roles(shop: Shop) -> None:
    system = await shop.connect()
    base = {"companyPhone": "+491", "companyEmail": "o@acme.example", "country": "Germany", "adminFirstName": "Ada",
            "adminLastName": "Byron"}  # fmt: skip
    above, below = [
        str((await shop.act(op="company", values={**base, "companyName": name, "adminEmail": f"{name}@x.example"}))["companyId"])
        for name in ("Above", "Below")
    ]  # fmt: skip
    mapping = replace(MAPPINGS["companies"], fields=MAPPINGS["companies"].fields)
    parents = {"parent": {"typeId": "company", "id": above}, "payment_terms.paymentTerms": 30}
    for values, expected in ((parents, above), ({"parent": None}, None)):
        (done,) = await system.write(mapping, [Write("c", Action.UPDATE, values, below)], Lane.LIVE)
        assert done.outcome is Outcome.APPLIED, done
        assert (await system.read(mapping, [below], Lane.LIVE)).found[below].data["parent"] == expected
    assert shop.account.store.companies.get(int(below))["terms"]["paymentTerms"] == 30  # type: ignore[index]
    ring = {"parent": {"typeId": "company", "id": below}}
    (refused,) = await system.write(mapping, [Write("c", Action.UPDATE, ring, below)], Lane.LIVE)
    assert refused.failure is not None
    assert refused.failure.remedy is Remedy.ASK
    address = {"companyId": below, "firstName": "Ada", "lastName": "Byron", "addressLine1": "1 Weg", "city": "Bonn",
               "countryName": "Germany", "countryCode": "DE", "zipCode": "53113"}  # fmt: skip
    addresses = replace(of("company_addresses"), key_path="externalId")
    for _ in range(2):
        (made,) = await system.write(addresses, [Write("a-1", Action.CREATE, address)], Lane.LIVE)
        assert (made.outcome, made.external_id) == (Outcome.APPLIED, "1")
    assert set(await system.find(addresses, ["a-1", "nobody"], Lane.LIVE)) == {"a-1"}
    (predefined,) = await system.write(MAPPINGS["roles"], [Write("r", Action.UPDATE, {"name": "Boss"}, "1")], Lane.LIVE)
    assert predefined.failure is not None
    assert predefined.failure.code == "predefined"
    assert len((await scanned(system, MAPPINGS["roles"]))[0].data["permissions"]) == 40


async def test_a_name_that_somebody_else_has_is_asked_about_and_a_storm_of_conflicts_passes(shop: Shop) -> None:
    system = await priced(shop, 1)
    await shop.act(op="price_list", values={"name": "Retail"})
    taken = Write("l", Action.UPDATE, {"name": "Trade"}, "2")
    (refused,) = await system.write(MAPPINGS["price_lists"], [taken], Lane.LIVE)
    assert refused.failure is not None
    assert (refused.failure.remedy, refused.failure.code) == (Remedy.ASK, "taken")
    shop.sandbox.set_faults("conflict=1")
    (met,) = await system.write(MAPPINGS["price_lists"], [replace(taken, values={"name": "Shop"})], Lane.LIVE)
    assert met.failure is not None
    assert met.failure.remedy is Remedy.REREAD
    shop.sandbox.set_faults("none")
    (done,) = await system.write(MAPPINGS["price_lists"], [replace(taken, values={"name": "Shop"})], Lane.LIVE)
    assert done.outcome is Outcome.APPLIED
