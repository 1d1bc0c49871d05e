"""Every write gets its verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.systems.contract import ChildrenWrite, Verdict, Write

from .support import CARTS, CUSTOMERS, FreePayer, ScriptedVendor, body, customer, error, page, params, system_on

KEY = "customer-0123456789abcdef0123"
CREATE = Write(KEY, Action.CREATE, {"email": "ada@x.org", "firstName": "Ada"})
UPDATE = Write(KEY, Action.UPDATE, {"firstName": "Ada"}, "c-1", "1", {"firstName": "Al"})


async def send(vendor: ScriptedVendor, *writes: Write, payer: FreePayer | None = None) -> list[Verdict]:
    system = system_on(vendor, payer)
    await system.open()
    try:
        return list(await system.write(CUSTOMERS, writes, Lane.LIVE))
    finally:
        await system.close()


def by_path(routes: dict[str, Callable[[httpx.Request], httpx.Response]]) -> ScriptedVendor:
    """Handlers by method and last part of the path."""
    return ScriptedVendor(
        lambda request: routes[f"{request.method} {request.url.path.removeprefix('/acme/')}"](request)
    )


def created(request: httpx.Request) -> httpx.Response:
    sent = body(request)
    return httpx.Response(201, json={"customer": customer("c-9", key=sent["key"], email=sent["email"])})


async def test_a_create_carries_our_key_and_tells_the_new_id() -> None:
    vendor = ScriptedVendor(created)
    (verdict,) = await send(vendor, CREATE)
    assert (verdict.outcome, verdict.external_id) == (Outcome.APPLIED, "c-9")
    assert verdict.snapshot is not None
    assert verdict.snapshot.version == "1"
    assert body(vendor.requests[0]) == {
        "authenticationMode": "ExternalAuth",
        "email": "ada@x.org",
        "firstName": "Ada",
        "key": KEY,
    }


async def test_an_update_sends_actions_with_the_version_it_was_computed_against() -> None:
    vendor = ScriptedVendor(lambda _: httpx.Response(200, json=customer(version=4, firstName="Ada")))
    (verdict,) = await send(vendor, UPDATE)
    assert body(vendor.requests[0]) == {"version": 1, "actions": [{"action": "setFirstName", "firstName": "Ada"}]}
    assert verdict.snapshot is not None
    assert (verdict.outcome, verdict.snapshot.version) == (Outcome.APPLIED, "4")


async def test_a_stale_version_asks_for_a_reread() -> None:
    vendor = ScriptedVendor(lambda _: error(409, "ConcurrentModification", currentVersion=6))
    (verdict,) = await send(vendor, UPDATE)
    assert verdict.failure is not None
    assert verdict.failure.remedy is Remedy.REREAD
    assert (verdict.external_id, len(vendor.requests)) == ("c-1", 1)


async def test_an_update_without_a_version_is_not_sent() -> None:
    vendor = ScriptedVendor(lambda _: page())
    (verdict,) = await send(vendor, replace(UPDATE, version=""))
    assert verdict.failure is not None
    assert (verdict.failure.remedy, vendor.requests) == (Remedy.REREAD, [])


async def test_what_the_vendor_holds_already_costs_no_call() -> None:
    vendor = ScriptedVendor(lambda _: page())
    (verdict,) = await send(vendor, replace(UPDATE, current={"firstName": "Ada"}))
    assert (verdict.outcome, vendor.requests) == (Outcome.APPLIED, [])


async def test_customers_whose_type_is_unknown_are_read_together_first() -> None:
    writes = [
        Write(f"customer-{n}", Action.UPDATE, {"custom.fields.phone": "+1"}, f"c-{n}", "1", {"firstName": "A"})
        for n in range(6)
    ]

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            typed = {"custom": {"type": {"typeId": "type", "id": "t"}, "fields": {}}}
            return page(*(customer(f"c-{n}", version=2 if n == 5 else 1, **(typed if n < 3 else {})) for n in range(6)))
        return httpx.Response(200, json=customer(request.url.path.rpartition("/")[2], version=2))

    vendor = ScriptedVendor(handler)
    verdicts = await send(vendor, *writes)
    sent = {one.url.path.rpartition("/")[2]: body(one)["actions"][0] for one in vendor.requests if one.method == "POST"}
    assert {name: action["action"] for name, action in sent.items()} == {
        "c-0": "setCustomField",
        "c-1": "setCustomField",
        "c-2": "setCustomField",
        "c-3": "setCustomType",
        "c-4": "setCustomType",
    }
    assert [one.outcome for one in verdicts] == [Outcome.APPLIED] * 5 + [Outcome.FAILED]
    assert verdicts[5].failure is not None
    assert verdicts[5].failure.remedy is Remedy.REREAD
    assert sum(one.method == "GET" for one in vendor.requests) == 1


async def test_a_customer_that_vanished_before_its_update_is_gone() -> None:
    vendor = ScriptedVendor(lambda _: error(404, "ResourceNotFound"))
    write = Write(KEY, Action.UPDATE, {"custom.fields.phone": "+1"}, "c-1", "1")
    looked, direct = await send(vendor, write), await send(vendor, UPDATE)
    assert [one.failure.remedy for one in (*looked, *direct) if one.failure] == [Remedy.GONE, Remedy.GONE]


async def test_a_key_that_exists_means_our_create_was_applied_before() -> None:
    vendor = by_path(
        {
            "POST customers": lambda _: error(400, "DuplicateField", field="key", duplicateValue=KEY),
            f"GET customers/key={KEY}": lambda _: httpx.Response(200, json=customer(key=KEY, firstName="Ada")),
        }
    )
    (verdict,) = await send(vendor, CREATE)
    assert (verdict.outcome, verdict.external_id) == (Outcome.APPLIED, "c-1")


async def test_a_key_that_exists_with_other_values_is_to_be_linked() -> None:
    vendor = by_path(
        {
            "POST customers": lambda _: error(400, "DuplicateField", field="key", duplicateValue=KEY),
            f"GET customers/key={KEY}": lambda _: httpx.Response(200, json=customer(key=KEY, firstName="Eve")),
        }
    )
    (verdict,) = await send(vendor, CREATE)
    assert verdict.failure is not None
    assert (verdict.failure.remedy, verdict.failure.existing_id) == (Remedy.LINK, "c-1")


def taken(field: str, routes: dict[str, Callable[[httpx.Request], httpx.Response]]) -> ScriptedVendor:
    return by_path(
        {
            "POST customers": lambda _: error(400, "DuplicateField", field=field, duplicateValue="x"),
            f"GET customers/key={KEY}": lambda _: error(404, "ResourceNotFound"),
            **routes,
        }
    )


async def test_the_holder_of_an_email_is_looked_up_and_named() -> None:
    asked: list[dict[str, str]] = []

    def search(request: httpx.Request) -> httpx.Response:
        asked.append(dict(params(request)))
        return page(customer("c-7", email="Ada@X.org")) if "lowercaseEmail" in asked[-1]["where"] else page()

    vendor = taken(
        "email", {"GET customers": search, "GET customers/c-7": lambda _: httpx.Response(200, json=customer("c-7"))}
    )
    (verdict,) = await send(vendor, CREATE)
    assert verdict.failure is not None
    assert (verdict.failure.remedy, verdict.failure.existing_id) == (Remedy.LINK, "c-7")
    assert [one["where"] for one in asked] == ["email = :value", "lowercaseEmail = :value"]
    assert asked[0]["var.value"] == "ada@x.org"


@pytest.mark.parametrize(
    "search", [lambda _: page(), lambda _: page(customer("a"), customer("b")), lambda _: error(400, "InvalidInput")]
)
async def test_a_holder_that_cannot_be_told_is_left_to_a_human(
    search: Callable[[httpx.Request], httpx.Response],
) -> None:
    (verdict,) = await send(taken("email", {"GET customers": search}), CREATE)
    assert verdict.failure is not None
    assert (verdict.failure.remedy, verdict.failure.fields) == (Remedy.ASK, ("email",))


async def test_an_outage_during_the_lookup_is_retried_as_such() -> None:
    (verdict,) = await send(taken("email", {"GET customers": lambda _: error(503, "OverCapacity")}), CREATE)
    assert verdict.failure is not None
    assert verdict.failure.remedy is Remedy.RETRY


@pytest.mark.parametrize("write", [CREATE, UPDATE])
@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (error(500, "General"), Remedy.LOOK),
        (httpx.Response(502, text="<html>"), Remedy.LOOK),
        (httpx.Response(200, text='{"id": "c-1", "vers'), Remedy.LOOK),
        (httpx.Response(200, json={"customer": {}}), Remedy.LOOK),
        (error(503, "OverCapacity"), Remedy.RETRY),
        (error(400, "LockedField", field="email"), Remedy.RETRY),
        (error(400, "InvalidField", field="email"), Remedy.ASK),
        (error(403, "insufficient_scope"), Remedy.STOP),
    ],
    ids=str,
)
async def test_failures_become_verdicts(write: Write, reply: httpx.Response, remedy: Remedy) -> None:
    vendor = ScriptedVendor(lambda _: httpx.Response(reply.status_code, content=reply.content))
    (verdict,) = await send(vendor, write)
    assert verdict.failure is not None
    assert verdict.failure.remedy is remedy
    assert len(vendor.requests) == 1


async def test_one_poisoned_write_does_not_hold_up_its_neighbours() -> None:
    vendor = ScriptedVendor(
        lambda request: error(400, "InvalidField", field="email") if b"poison" in request.content else created(request)
    )
    poison = replace(CREATE, key="customer-2", values={"email": "poison"})
    unwritable = replace(CREATE, key="customer-3", values={"email": object()})
    cleared = replace(UPDATE, key="customer-4", values={"email": None}, current={"email": "x"})
    verdicts = await send(vendor, CREATE, poison, unwritable, cleared, replace(CREATE, key="customer-5"))
    outcomes = {one.key: one.failure.remedy if one.failure else one.outcome for one in verdicts}
    assert outcomes == {
        KEY: Outcome.APPLIED,
        "customer-2": Remedy.ASK,
        "customer-3": Remedy.ASK,
        "customer-4": Remedy.ASK,
        "customer-5": Outcome.APPLIED,
    }


async def test_an_empty_budget_is_a_verdict_that_says_wait() -> None:
    payer = FreePayer()
    payer.broke.add("api")
    (verdict,) = await send(ScriptedVendor(created), CREATE, payer=payer)
    assert verdict.failure is not None
    assert verdict.failure.remedy is Remedy.WAIT


async def test_writes_run_side_by_side_up_to_the_bound() -> None:
    payer = FreePayer()
    writes = [replace(CREATE, key=f"customer-{n}") for n in range(40)]
    verdicts = await send(ScriptedVendor(created), *writes, payer=payer)
    assert all(one.outcome is Outcome.APPLIED for one in verdicts)
    assert 1 < payer.most_inside <= 10


GROUP = {"typeId": "customer-group", "id": "g-1"}


async def test_the_price_tier_in_the_snapshot_is_composed_from_what_was_written() -> None:
    vendor = ScriptedVendor(lambda _: httpx.Response(200, json=customer(version=2, customerGroup=GROUP)))
    write = replace(UPDATE, values={"customerGroup": {"typeId": "customer-group", "key": "gold"}})
    (verdict,) = await send(vendor, write)
    assert verdict.snapshot is not None
    assert verdict.snapshot.data["customerGroup"]["obj"]["key"] == "gold"
    assert params(vendor.requests[0]) == [("expand", "customerGroup")]
    assert len(vendor.requests) == 1


async def test_or_from_what_was_known_before() -> None:
    vendor = ScriptedVendor(lambda _: httpx.Response(200, json=customer(version=2, customerGroup=GROUP)))
    known = {"firstName": "Al", "customerGroup": {"typeId": "customer-group", "key": "silver"}}
    (verdict,) = await send(vendor, replace(UPDATE, current=known))
    assert verdict.snapshot is not None
    assert verdict.snapshot.data["customerGroup"]["obj"]["key"] == "silver"


async def test_or_read_once_more_and_left_out_where_even_that_fails() -> None:
    known: dict[str, Any] = {"firstName": "Al"}
    written = httpx.Response(200, json=customer(version=2, customerGroup=GROUP)).content
    again = {"customerGroup": {**GROUP, "obj": {"id": "g-1", "key": "gold"}}}
    routes: dict[str, Callable[[httpx.Request], httpx.Response]] = {
        "POST customers/c-1": lambda _: httpx.Response(200, content=written),
        "GET customers/c-1": lambda _: httpx.Response(200, json=customer(version=2, **again)),
    }
    (verdict,) = await send(by_path(routes), replace(UPDATE, current=known))
    assert verdict.snapshot is not None
    assert verdict.snapshot.data["customerGroup"] == again["customerGroup"]
    routes["GET customers/c-1"] = lambda _: error(503, "OverCapacity")
    (verdict,) = await send(by_path(routes), replace(UPDATE, current=known))
    assert (verdict.outcome, verdict.snapshot) == (Outcome.APPLIED, None)


async def test_a_delete_sends_the_version_and_is_content_with_gone() -> None:
    delete = Write(KEY, Action.DELETE, {}, "c-1", "3")
    vendor = ScriptedVendor(lambda _: httpx.Response(200, json=customer(version=3)))
    (verdict,) = await send(vendor, delete)
    assert verdict.snapshot is not None
    assert (verdict.outcome, verdict.snapshot.deleted) == (Outcome.APPLIED, True)
    assert params(vendor.requests[0]) == [("version", "3")]
    (verdict,) = await send(ScriptedVendor(lambda _: error(404, "ResourceNotFound")), delete)
    assert verdict.outcome is Outcome.APPLIED


async def test_what_cannot_be_written_is_refused_without_a_call() -> None:
    vendor = ScriptedVendor(lambda _: page())
    system = system_on(vendor)
    await system.open()
    refused = [
        *await system.write(CARTS, [CREATE], Lane.LIVE),
        *await system.write(replace(CARTS, object="wishlists"), [CREATE], Lane.LIVE),
        *await system.write(CUSTOMERS, [replace(CREATE, children=[ChildrenWrite("x", 1)])], Lane.LIVE),
        *await system.write(CUSTOMERS, [replace(UPDATE, external_id="")], Lane.LIVE),
    ]
    await system.close()
    assert [one.failure.remedy for one in refused if one.failure] == [Remedy.ASK] * 4
    assert vendor.requests == []


async def test_an_answer_about_another_resource_leaves_the_fate_of_the_write_in_doubt() -> None:
    vendor = ScriptedVendor(lambda _: httpx.Response(200, json=customer("c-2", 2)))
    for one in (UPDATE, replace(UPDATE, action=Action.DELETE, values={})):
        (verdict,) = await send(vendor, one)
        assert (verdict.external_id, remedy_of(verdict)) == ("c-1", Remedy.LOOK)


def remedy_of(verdict: Verdict) -> Remedy | None:
    return verdict.failure.remedy if verdict.failure else None
