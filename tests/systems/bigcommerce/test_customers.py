"""Customers through the connector, against the simulated store over real HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.systems.bigcommerce.system import Bigcommerce
from syncd.systems.contract import Snapshot, VendorError, Verdict, Write

from .support import CUSTOMERS, FULL, Shop, create, opened, polled, scanned, told, update


async def write(system: Bigcommerce, *writes: Write) -> list[Verdict]:
    return list(await system.write(CUSTOMERS, writes, Lane.LIVE))


async def read_one(system: Bigcommerce, number: int | str) -> Snapshot:
    return (await system.read(CUSTOMERS, [str(number)], Lane.LIVE)).found[str(number)]


def failure(verdict: Verdict) -> Any:
    assert verdict.failure is not None, verdict
    return verdict.failure


async def test_a_customer_is_created_with_its_attributes_group_and_our_key_and_read_back(shop: Shop) -> None:
    system = await shop.prepared()
    (verdict,) = await write(system, create(FULL))
    assert verdict.outcome is Outcome.APPLIED
    held = await read_one(system, verdict.external_id)
    assert told(held) == {**FULL, "customer_number": verdict.external_id}
    assert held.data["attributes"]["syncd_external_id"] == "customer-1"
    assert verdict.snapshot is not None
    assert told(verdict.snapshot) == told(held)


async def test_an_update_writes_only_what_differs_to_the_endpoints_that_take_it(shop: Shop) -> None:
    system = await shop.prepared()
    (made,) = await write(system, create(FULL))
    before = await read_one(system, made.external_id)
    effects = len(shop.sandbox.ledger)
    change = {"phone": "+4930", "company": "Engines Ltd", "credit_limit": {"amount": "50.00", "currency": "EUR"}}
    (verdict,) = await write(system, update(before, change))
    assert verdict.outcome is Outcome.APPLIED
    values = [one.values for one in shop.sandbox.ledger.after(effects)]
    attribute = shop.account.store.attributes.holder("name", "credit_limit")
    # An amount and its currency are one value, and travel together.
    assert {"phone": "+4930"} in values
    assert {"attributes": {str(attribute): "50.00"}} in values
    assert not any("company" in one for one in values)
    assert told(await read_one(system, made.external_id))["credit_limit"]["amount"] == "50.00"
    assert verdict.snapshot is not None
    assert told(verdict.snapshot)["phone"] == "+4930"


async def test_clearing_empties_a_text_removes_an_attribute_and_leaves_a_group(shop: Shop) -> None:
    system = await shop.prepared()
    (made,) = await write(system, create(FULL))
    before = await read_one(system, made.external_id)
    (verdict,) = await write(system, update(before, {"phone": None, "credit_limit": None, "price_tier": None}))
    assert verdict.outcome is Outcome.APPLIED
    after = told(await read_one(system, made.external_id))
    assert (after["phone"], after["credit_limit"], after["price_tier"]) == (None, None, None)
    assert after["company"] == "Engines Ltd"
    (refused,) = await write(system, update(before, {"first_name": None}))
    assert failure(refused).remedy is Remedy.ASK


async def test_what_somebody_changed_since_we_looked_is_not_written_over(shop: Shop) -> None:
    system = await shop.prepared()
    (made,) = await write(system, create(FULL))
    before = await read_one(system, made.external_id)
    await shop.act(op="edit_customer", id=made.external_id, values={"phone": "+1 555", "company": "Other"})
    (verdict,) = await write(system, update(before, {"phone": "+4930"}))
    assert (failure(verdict).remedy, failure(verdict).fields) == (Remedy.REREAD, ("phone",))
    (other,) = await write(system, update(before, {"first_name": "Augusta"}))
    assert other.outcome is Outcome.APPLIED
    await shop.act(op="edit_customer", id=made.external_id, values={"phone": "+49 (30)"})
    (same,) = await write(system, update(before, {"phone": "+4930"}))
    assert same.outcome is Outcome.APPLIED
    assert shop.account.store.customers.get(int(made.external_id))["phone"] == "+49 (30)"  # type: ignore[index]


async def test_a_batch_with_a_bad_record_refuses_only_that_one(shop: Shop) -> None:
    system = await shop.prepared()
    writes = [create({**FULL, "email": f"{n}@example.com"}, f"customer-{n}") for n in range(25)]
    writes[7] = create({**FULL, "email": "seven@example.com", "first_name": "x" * 101}, "customer-7")
    verdicts = {one.key: one for one in await write(system, *writes)}
    assert {key for key, one in verdicts.items() if one.outcome is Outcome.FAILED} == {"customer-7"}
    bad = failure(verdicts["customer-7"])
    assert (bad.remedy, bad.fields) == (Remedy.ASK, ("first_name",))
    assert shop.account.counts()["customers"] == 24
    changes = [replace(update(await read_one(system, one.external_id), {"company": "New"}), key=key)
               for key, one in verdicts.items() if one.outcome is Outcome.APPLIED]  # fmt: skip
    changes[3] = replace(changes[3], values={"company": "y" * 256})
    again = await write(system, *changes)
    assert [one.outcome for one in again].count(Outcome.FAILED) == 1


async def test_a_create_that_is_repeated_is_answered_as_applied_and_a_strangers_email_is_linked(shop: Shop) -> None:
    system = await shop.prepared()
    (first,) = await write(system, create(FULL))
    (again,) = await write(system, create(FULL))
    assert (again.outcome, again.external_id) == (Outcome.APPLIED, first.external_id)
    stranger = await shop.customer("bob@example.com")
    (taken,) = await write(system, create({**FULL, "email": "BOB@example.com"}, "customer-2"))
    assert (failure(taken).remedy, failure(taken).existing_id) == (Remedy.LINK, str(stranger))
    (ours,) = await write(system, create({**FULL, "phone": "+1"}))
    assert (failure(ours).remedy, failure(ours).existing_id) == (Remedy.LINK, first.external_id)


@pytest.mark.parametrize("fault", ["fail_after=1", "drop_after=1", "truncate=1"])
async def test_a_create_whose_answer_is_lost_is_looked_up_and_found_by_its_email(shop: Shop, fault: str) -> None:
    system = await shop.prepared()
    await system.read(CUSTOMERS, ["1"], Lane.LIVE)
    shop.sandbox.set_faults(fault)
    (lost,) = await write(system, create(FULL | {"price_tier": None}))
    assert failure(lost).remedy in (Remedy.LOOK, Remedy.RETRY)
    shop.sandbox.set_faults("none")
    if shop.account.counts()["customers"]:
        found = await system.find(CUSTOMERS, ["customer-1", "customer-9"], Lane.LIVE)
        assert set(found) == {"customer-1"}
    (again,) = await write(system, create(FULL | {"price_tier": None}))
    assert again.outcome is Outcome.APPLIED
    assert shop.account.counts()["customers"] == 1


async def test_deleting_is_done_once_and_an_update_of_what_is_gone_says_so(shop: Shop) -> None:
    system = await shop.prepared()
    number = await shop.customer()
    before = await read_one(system, number)
    gone = Write("customer-1", Action.DELETE, {}, str(number))
    for _ in range(2):
        (verdict,) = await write(system, gone)
        assert verdict.outcome is Outcome.APPLIED
    (late,) = await write(system, update(before, {"phone": "+1"}))
    assert failure(late).remedy is Remedy.GONE
    assert (await system.read(CUSTOMERS, [str(number)], Lane.LIVE)).missing == {str(number)}


async def test_unknown_groups_and_attributes_are_told_by_name(shop: Shop) -> None:
    await shop.act(op="group", values={"name": "Gold"})
    system = await shop.connect()
    (verdict,) = await write(system, create(FULL | {"price_tier": "Tin"}))
    assert failure(verdict).fields in (("customer_group",), ("attributes.credit_limit",))
    await system.provision([CUSTOMERS], apply=True)
    (verdict,) = await write(system, create(FULL | {"price_tier": "Tin"}))
    assert (failure(verdict).remedy, failure(verdict).fields) == (Remedy.ASK, ("customer_group",))
    await shop.act(op="group", values={"name": "Tin"})
    await shop.clock.advance(6)
    (verdict,) = await write(system, create(FULL | {"price_tier": "Tin"}))
    assert verdict.outcome is Outcome.APPLIED


async def test_an_empty_budget_and_a_dead_token_reach_every_verdict(shop: Shop) -> None:
    system = await shop.prepared()
    number = await shop.customer()
    before = await read_one(system, number)
    shop.payer.broke = {"customer_write"}
    (waits,) = await write(system, update(before, {"phone": "+1"}))
    assert (failure(waits).remedy, failure(waits).retry_after_seconds) == (Remedy.WAIT, 7.0)
    shop.payer.broke = set()
    await shop.act(op="revoke", account="syncd")
    (stopped,) = await write(system, update(before, {"phone": "+1"}))
    assert failure(stopped).remedy is Remedy.STOP
    with pytest.raises(VendorError) as caught:
        await system.poll(CUSTOMERS, None, Lane.SCHEDULED)
    assert caught.value.failure.remedy is Remedy.STOP


async def test_a_scan_meets_everyone_once_and_goes_on_after_a_restart(shop: Shop) -> None:
    await shop.act(op="seed", people=620, attributes=[{"name": one, "type": "string"} for one in ("a", "b")])
    system = await shop.connect()
    first = await system.scan(CUSTOMERS, None, Lane.BULK)
    again = await shop.connect()
    found = [one.external_id for one in first.snapshots]
    cursor, more = first.cursor, first.more
    while more:
        page = await again.scan(CUSTOMERS, cursor, Lane.BULK)
        found += [one.external_id for one in page.snapshots]
        cursor, more = page.cursor, page.more
    assert sorted(map(int, found)) == list(range(1, 621))
    assert len(await scanned(again, CUSTOMERS)) == 620


async def test_a_poll_begins_at_the_present_and_tells_of_changes_once_each_by_content(shop: Shop) -> None:
    await shop.customer("old@example.com")
    await shop.clock.advance(3600)
    system = await shop.prepared()
    nothing, cursor = await polled(system, CUSTOMERS, None)
    assert [told(one)["email"] for one in nothing] == ["old@example.com"]  # within the overlap of the newest
    await shop.clock.advance(3600)
    new = await shop.customer("new@example.com")
    found, cursor = await polled(system, CUSTOMERS, cursor)
    assert {told(one)["email"] for one in found} >= {"new@example.com"}
    first = next(one for one in found if one.external_id == str(new))
    # Two changes within one second have one moment, and two versions.
    await shop.act(op="edit_customer", id=new, values={"phone": "1"})
    found, cursor = await polled(system, CUSTOMERS, cursor)
    second = next(one for one in found if one.external_id == str(new))
    assert (first.modified_at, first.version == second.version) == (second.modified_at, False)


async def test_attributes_changed_by_another_api_client_are_met_though_the_customer_did_not_move(shop: Shop) -> None:
    system = await shop.prepared()
    number = await shop.customer()
    _, cursor = await polled(system, CUSTOMERS, None)
    await shop.clock.advance(3600)
    _, cursor = await polled(system, CUSTOMERS, cursor)
    other = await shop.connect(access_token=type(system._settings.access_token)("shop-token"))
    held = await read_one(other, number)
    await other.write(CUSTOMERS, [update(held, {"credit_limit": {"amount": "7.00", "currency": "EUR"}})], Lane.LIVE)
    found, _ = await polled(system, CUSTOMERS, cursor)
    values = [told(one)["credit_limit"] for one in found if one.external_id == str(number)]
    assert values[-1] == {"amount": "7.00", "currency": "EUR"}


async def test_a_walk_misses_nobody_when_customers_change_while_it_goes_on(shop: Shop) -> None:
    system = await shop.prepared()
    _, cursor = await polled(system, CUSTOMERS, None)
    await shop.act(op="seed", people=600)
    met: set[str] = set()
    page = await system.poll(CUSTOMERS, cursor, Lane.SCHEDULED)
    met |= {one.external_id for one in page.snapshots}
    await shop.clock.advance(30)
    await shop.act(op="edit_customer", id=2, values={"phone": "behind"})
    await shop.act(op="edit_customer", id=590, values={"phone": "ahead"})
    late: list[Snapshot] = []
    while page.more:
        page = await system.poll(CUSTOMERS, page.cursor, Lane.SCHEDULED)
        late += page.snapshots
    met |= {one.external_id for one in late}
    assert len(met) == 600
    assert any(told(one)["phone"] == "ahead" for one in late)
    found, _ = await polled(system, CUSTOMERS, page.cursor)
    assert any(told(one)["phone"] == "behind" for one in found)


async def test_a_customer_with_more_attributes_than_it_shows_is_read_whole(shop: Shop) -> None:
    names = [f"a{n}" for n in range(12)]
    await shop.act(op="seed", attributes=[{"name": one, "type": "string"} for one in names])
    system = await shop.prepared()
    number = await shop.customer()
    for name in (*names, "credit_limit", "credit_limit_currency"):
        await shop.act(
            op="set_attribute", id=number, name=name, value="5" if name != "credit_limit_currency" else "EUR"
        )
    assert told(await read_one(system, number))["credit_limit"] == {"amount": "5.00", "currency": "EUR"}


async def test_a_garbled_cursor_is_refused_and_a_refused_one_begins_the_round_anew(shop: Shop) -> None:
    system = await shop.prepared()
    await shop.customer()
    for bad in ("x", "{}", '{"at": "1"}', '{"at": 1, "more": 2}', "[]"):
        with pytest.raises(VendorError):
            await system.poll(CUSTOMERS, bad, Lane.SCHEDULED)
    stale = '{"at":0,"phase":"rows","after":"!!","top":0,"begun":0,"total":-1}'
    page = await system.poll(CUSTOMERS, stale, Lane.SCHEDULED)
    assert (list(page.snapshots), page.more) == ([], True)
    found, _ = await polled(system, CUSTOMERS, page.cursor)
    assert len({one.external_id for one in found}) == 1


async def test_after_an_import_a_quiet_store_is_not_walked_again_and_again(shop: Shop) -> None:
    system = await shop.prepared()
    _, cursor = await polled(system, CUSTOMERS, None)
    await shop.act(op="seed", people=600)
    found, cursor = await polled(system, CUSTOMERS, cursor)
    assert len(found) == 600
    for _ in range(4):
        await shop.clock.advance(60)
        found, cursor = await polled(system, CUSTOMERS, cursor)
    assert found == []
    await shop.act(op="edit_customer", id=3, values={"phone": "1"})
    found, _ = await polled(system, CUSTOMERS, cursor)
    assert {one.external_id for one in found} == {"3"}


@pytest.mark.parametrize("seed", range(3))
async def test_in_a_storm_everything_arrives_once_and_as_it_was_meant(seed: int) -> None:
    async with opened(seed) as shop:
        system = await shop.prepared()
        shop.sandbox.set_faults(
            "throttle=0.1,fail_before=0.05,fail_after=0.1,drop_after=0.1,truncate=0.05,html=0.05,locked=0.1"
        )
        wanted = {f"customer-{n}": {**FULL, "email": f"{n}@example.com", "phone": f"+4930{n:03}"} for n in range(40)}
        waiting = {key: create(fields, key) for key, fields in wanted.items()}
        done: dict[str, str] = {}
        for _ in range(200):
            for verdict in await write(system, *waiting.values()):
                if verdict.outcome is not Outcome.APPLIED:
                    assert failure(verdict).remedy in (Remedy.RETRY, Remedy.WAIT, Remedy.LOOK), verdict
                    continue
                done[verdict.key] = verdict.external_id
                del waiting[verdict.key]
            if not waiting:
                break
        shop.sandbox.set_faults("none")
        assert not waiting
        assert shop.account.counts()["customers"] == 40
        held = (await system.read(CUSTOMERS, list(done.values()), Lane.LIVE)).found
        for key, number in done.items():
            assert told(held[number]) == {**wanted[key], "customer_number": number}
            assert held[number].data["attributes"]["syncd_external_id"] == key
