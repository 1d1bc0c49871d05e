"""The engine on a bad day: answers that are lost at the worst moment, and a state file that takes nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.model.failure import Failure, Remedy
from syncd.store.errors import StoreUnavailableError
from syncd.systems.contract import VendorError
from tests.engine.rig import Rig
from tests.engine.test_engine import LINE, cart, customer
from tests.waiting import until


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = await Rig.make(tmp_path)
    yield made
    await made.close()


class Breaking:
    """Lets chosen writes of the state file fail, as a full disk or a passing fault does."""

    def __init__(self, rig: Rig, error: Callable[[], Exception]) -> None:
        self._write = rig.database.write
        self._error = error
        self.left = 0
        self.after: str = ""
        rig.database.write = self.write  # type: ignore[method-assign]

    async def write(self, unit: Any) -> Any:
        name = getattr(getattr(unit, "func", unit), "__name__", "")
        if self.left and name == self.after:
            self.left -= 1
            raise self._error()
        return await self._write(unit)


def full() -> Exception:
    return StoreUnavailableError("/state/syncd.db: database or disk is full (SQLITE_FULL)")


def odd() -> Exception:
    return sqlite3.OperationalError("SQL logic error")


# --- lost answers -----------------------------------------------------------------------------------------------------


async def test_items_of_a_lost_create_go_when_the_cart_was_emptied_meanwhile(rig: Rig) -> None:
    lost = iter([True])
    rig.crm.forget = lambda object_, _write: object_ == "deals" and next(lost, False)
    await customer(rig)
    await cart(rig, customerId="c1")
    await rig.settle(seconds=1.2)
    assert len(rig.crm.all("line_items")) == 1
    await cart(rig, customerId="c1", lineItems=[])
    await rig.settle(seconds=6)

    assert rig.crm.all("line_items") == {}
    assert [one["dealstage"] for one in rig.crm.all("deals").values()] == ["lost"]


async def test_items_of_an_update_whose_answer_is_lost_are_put_right(rig: Rig) -> None:
    await customer(rig)
    await cart(rig, customerId="c1")
    await rig.settle(seconds=2)
    lost = iter([True])
    rig.crm.forget = lambda object_, _write: object_ == "deals" and next(lost, False)
    await cart(rig, customerId="c1", lineItems=[LINE, {**LINE, "id": "i2"}])
    await rig.settle(seconds=1)
    assert len(rig.crm.all("line_items")) == 2
    await cart(rig, customerId="c1", lineItems=[LINE])
    await rig.settle(seconds=6)

    assert len(rig.crm.all("line_items")) == 1
    assert await rig.open_deliveries() == []


async def test_once_known_children_cost_no_further_call(rig: Rig) -> None:
    await customer(rig)
    await cart(rig, customerId="c1", lineItems=[])
    await rig.settle(seconds=3)
    await cart(rig, customerId="c1")
    await rig.settle(seconds=3)
    before = rig.crm.calls.count("write")
    await cart(rig, customerId="c1")
    await rig.settle(seconds=3)

    assert rig.crm.calls.count("write") == before


# --- the state file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [full, odd])
@pytest.mark.parametrize(("part", "unit"), [("folder", "fold"), ("courier", "claim"), ("courier", "settle")])
async def test_a_write_of_the_state_file_that_fails_is_tried_again(rig: Rig, monkeypatch, error, part, unit) -> None:
    monkeypatch.setattr("syncd.engine.worker.WAIT_SECONDS", 0.001)
    breaking = Breaking(rig, error)
    breaking.after, breaking.left = unit, 2
    await customer(rig)
    workers = [rig.folder, *rig.couriers]
    for one in workers:
        await one.start()

    async def arrived() -> bool:
        return bool(rig.crm.all("contacts")) and not await rig.open_deliveries()

    await until(arrived, "the customer's arrival")
    for one in workers:
        await one.stop(1)
        assert not one.running

    assert breaking.left == 0
    assert len(rig.crm.creates) == 1
    assert await rig.letters() == []


async def test_a_worker_whose_statements_never_work_dies_loudly(rig: Rig, monkeypatch) -> None:
    monkeypatch.setattr("syncd.engine.worker.WAIT_SECONDS", 0.001)
    breaking = Breaking(rig, odd)
    breaking.after, breaking.left = "claim", 1000
    await rig.couriers[1].start()
    with pytest.raises(sqlite3.OperationalError):
        async with asyncio.timeout(5):
            await rig.couriers[1].wait()


async def test_a_statement_that_fails_for_one_payload_only_parks_that_change(rig: Rig, monkeypatch) -> None:
    from syncd.engine import folder

    real = folder.fold

    def fold(tx: Any, flows: Any, batch: Any, now: int, **more: Any) -> Any:
        if any(one.external_id == "bad" for one in batch):
            raise odd()
        return real(tx, flows, batch, now, **more)

    monkeypatch.setattr(folder, "fold", fold)
    monkeypatch.setattr("syncd.engine.worker.WAIT_SECONDS", 0.001)
    await customer(rig, "good")
    await customer(rig, "bad")
    await customer(rig, "fine")
    await rig.folder.start()
    await until(rig.letters, "a parked change")
    await rig.folder.stop(1)
    await rig.settle()

    assert sorted(one["email"] for one in rig.crm.all("contacts").values()) == ["fine@example.com", "good@example.com"]


async def test_a_spend_that_cannot_be_written_down_leaves_the_delivery_to_be_looked_up(rig: Rig) -> None:
    answers = iter([full()])
    real = rig.crm.write

    async def write(mapping: Any, writes: Any, lane: Any) -> Any:
        error = next(answers, None)
        if error is not None:
            raise error
        return await real(mapping, writes, lane)

    rig.crm.write = write  # type: ignore[method-assign]
    await customer(rig)
    await rig.settle(seconds=6)

    assert len(rig.crm.all("contacts")) == 1
    assert await rig.open_deliveries() == []
    assert rig.health.fare("crm").state == "up"


async def test_an_unknown_delivery_of_a_removed_mapping_is_held_and_blocks_nobody(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    former = "UPDATE deliveries SET object = 'former', state = 'unknown', done_at = NULL"
    await rig.database.write(lambda tx: tx.execute(former))
    await rig.settle(seconds=3)

    assert [(row[1], row[2]) for row in await rig.open_deliveries()] == [("former", "held")]


async def test_an_outage_is_no_fault_of_a_delivery(rig: Rig) -> None:
    rig.crm.down = Failure(Remedy.LOOK, "unreachable", "reset while sending")
    await customer(rig)
    await rig.settle(seconds=3)
    rig.crm.down = None
    await rig.settle(seconds=10)

    assert len(rig.crm.all("contacts")) == 1
    assert await rig.letters() == []


# --- carts nobody told us about ---------------------------------------------------------------------------------------


async def test_a_cart_that_was_ordered_while_nobody_told_us_never_becomes_a_deal(rig: Rig) -> None:
    await cart(rig, email="guest@example.com")
    await rig.settle(seconds=0.5)
    rig.shop.put("carts", "k1", state="Ordered", touched=rig.clock.now_ms())
    await rig.settle(seconds=5)

    assert rig.crm.all("deals") == {}


async def test_a_cart_that_was_touched_while_nobody_told_us_is_abandoned_later(rig: Rig) -> None:
    await cart(rig, email="guest@example.com")
    await rig.settle(seconds=0.9)
    rig.shop.put("carts", "k1", touched=rig.clock.now_ms())
    await rig.settle(seconds=0.5)
    assert rig.crm.all("deals") == {}
    await rig.settle(seconds=1)

    assert len(rig.crm.all("deals")) == 1


async def test_nothing_is_declared_abandoned_while_the_shop_cannot_be_asked(rig: Rig) -> None:
    await cart(rig, email="guest@example.com")
    await rig.settle(seconds=0.5)
    rig.shop.down = Failure(Remedy.RETRY, "unreachable", "connection refused")
    await rig.settle(seconds=10)
    assert rig.crm.all("deals") == {}
    rig.shop.down = None
    await rig.settle(seconds=10)

    assert len(rig.crm.all("deals")) == 1


async def test_a_removed_cart_is_declared_abandoned_by_what_we_know(rig: Rig) -> None:
    await cart(rig, email="guest@example.com")
    await rig.settle()
    rig.shop.delete("carts", "k1")
    await rig.settle(seconds=2)

    assert len(rig.crm.all("deals")) == 1


# --- objects that are not what they were ------------------------------------------------------------------------------


def merged_away(rig: Rig, old: str, new: str) -> None:
    """From now on a write to ``old`` is answered by ``new``, as after a merge that nobody told us of yet."""
    real = rig.crm._write

    def write(mapping: Any, write: Any) -> Any:
        return real(mapping, replace(write, external_id=new) if write.external_id == old else write)

    rig.crm._write = write  # type: ignore[method-assign]


async def test_a_write_that_the_survivor_of_a_merge_answers_moves_the_link(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    rig.crm.put("contacts", "survivor", **rig.crm.things["contacts"].pop("crm-1").data)
    merged_away(rig, "crm-1", "survivor")
    for name in ("Augusta", "Byron"):
        await customer(rig, first_name=name)
        await rig.settle()
        assert rig.crm.all("contacts")["survivor"]["first_name"] == name

    assert len(rig.crm.creates) == 1
    assert await rig.open_deliveries() == []


async def test_a_write_that_meets_anothers_object_after_a_merge_is_put_right_there(rig: Rig) -> None:
    await customer(rig, "c1", first_name="Ada")
    await customer(rig, "c2", first_name="Bob")
    await rig.settle()
    contacts = rig.crm.all("contacts")
    keep, goes = (next(k for k, v in contacts.items() if v["email"] == f"{n}@example.com") for n in ("c1", "c2"))
    merged_away(rig, goes, keep)
    await customer(rig, "c2", first_name="Robert")
    await rig.settle(seconds=2)

    assert rig.crm.all("contacts")[keep]["first_name"] == "Ada"
    assert rig.shop.all("customers")["c1"]["first_name"] == "Ada"
    assert rig.shop.all("customers")["c2"]["first_name"] == "Robert"
    assert await rig.open_deliveries() == []


async def test_a_linked_record_that_is_told_to_be_another_object_asks_a_human(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    rig.crm.put("contacts", "other", email="else@example.com")
    rig.crm.refuse = lambda _object, _write: Failure(Remedy.LINK, "CONFLICT", "exists", 409, existing_id="other")
    await customer(rig, first_name="Augusta")
    await rig.settle(seconds=2)

    (letter,) = await rig.letters()
    assert letter.code == "identity-taken"


async def test_a_refused_credential_stops_the_connection_and_uses_up_no_attempt(rig: Rig) -> None:
    refused = Failure(Remedy.REFRESH, "INVALID_AUTHENTICATION", "Authentication credentials not found", 401)
    rig.crm.down = refused
    await customer(rig)
    await rig.settle(seconds=120, rounds=400)
    assert rig.health.fare("crm").state == "down"
    assert "INVALID_AUTHENTICATION" in rig.health.fare("crm").reason
    assert await rig.letters() == []
    rig.crm.down = None
    await rig.settle(seconds=10)

    assert len(rig.crm.all("contacts")) == 1
    assert rig.health.fare("crm").state == "up"


# --- echoes of writes whose end is not known --------------------------------------------------------------------------


@pytest.mark.parametrize("told_first", [False, True])
async def test_the_echo_of_a_lost_create_does_not_undo_what_the_shop_changed_meanwhile(
    rig: Rig, told_first: bool
) -> None:
    """The vendor's stamp of our own write is newer than the shop's edit; it is no edit of the vendor's all the same."""
    lost = iter([True])
    rig.crm.forget = lambda _object, _write: next(lost, False)
    await customer(rig, first_name="Old")
    assert await rig.folder.step()
    await rig.clock.advance(0.1)
    assert await rig.couriers[1].step()
    rig.shop.put("customers", "c1", first_name="New")
    rig.crm.things["contacts"]["crm-1"].modified_at = rig.clock.now_ms() + 500
    await customer(rig, first_name="New")
    if told_first:
        assert await rig.folder.step()
        await rig.clock.advance(1)
        await rig.hint(rig.crm, "contacts", "crm-1")
        await rig.readers[1].step()
        assert await rig.folder.step()
    await rig.settle(seconds=10)

    assert rig.shop.all("customers")["c1"]["first_name"] == "New"
    assert rig.crm.all("contacts")["crm-1"]["first_name"] == "New"
    assert len(rig.crm.creates) == 1


async def test_an_edit_of_the_vendors_after_a_lost_write_is_still_an_edit(rig: Rig) -> None:
    lost = iter([True])
    rig.crm.forget = lambda _object, _write: next(lost, False)
    await customer(rig, first_name="Old")
    assert await rig.folder.step()
    assert await rig.couriers[1].step()
    await rig.clock.advance(1)
    rig.crm.put("contacts", "crm-1", first_name="Edited")
    await rig.settle(seconds=10)

    assert rig.shop.all("customers")["c1"]["first_name"] == "Edited"
    assert rig.crm.all("contacts")["crm-1"]["first_name"] == "Edited"


async def test_nothing_is_remembered_of_writes_that_arrived(rig: Rig) -> None:
    await customer(rig)
    await cart(rig, customerId="c1")
    await rig.settle(seconds=2)
    left = await rig.database.read(lambda tx: tx.execute("SELECT count(*) FROM in_flight").fetchone()[0])
    assert left == 0


async def test_a_deal_is_released_by_whoever_learns_first_that_its_contact_is_there(rig: Rig) -> None:
    """The contact's create was lost; its webhook tells of it before anybody has looked it up."""
    lost = iter([True])
    rig.crm.forget = lambda object_, _write: object_ == "contacts" and next(lost, False)
    await customer(rig)
    await cart(rig, customerId="c1")
    assert await rig.folder.step()
    assert await rig.couriers[1].step()
    await rig.clock.advance(1.5)
    await rig.idle.step()
    assert await rig.folder.step()
    crm, real = rig.couriers[1], rig.crm.find

    async def away(*_: Any) -> Any:
        raise VendorError(Failure(Remedy.WAIT, "busy", "later", retry_after_seconds=0.001))

    rig.crm.find = away  # type: ignore[method-assign]
    while await crm.step():
        pass
    assert {row[2] for row in await rig.open_deliveries()} == {"blocked", "unknown"}
    await rig.hint(rig.crm, "contacts", "crm-1")
    await rig.readers[1].step()
    await rig.folder.step()
    rig.crm.find = real  # type: ignore[method-assign]
    await rig.settle(seconds=5)

    assert len(rig.crm.all("deals")) == 1
    assert rig.crm.relations == {("crm-1", "contacts", "crm-1")}
    assert await rig.open_deliveries() == []
