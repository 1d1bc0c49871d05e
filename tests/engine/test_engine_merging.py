"""Merges that an operator approves: records become one, also at the vendors, once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from syncd.engine import merging
from syncd.engine.merger import Merger
from syncd.engine.replay import ReplayError
from syncd.model.change import Lane
from syncd.model.delivery import Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.store import merges, records, views
from syncd.systems.contract import Abilities, Verdict
from tests.engine.memory import CrashError, MemorySystem
from tests.engine.rig import Rig
from tests.engine.test_engine import cart, customer


@dataclass
class Merging(MemorySystem):
    """A platform that merges; it may end the daemon after it did, or refuse."""

    merged: int = 0
    refusal: Failure | None = None

    def abilities(self, object_: str) -> Abilities:
        return replace(super().abilities(object_), merges=object_ == "contacts")

    async def merge(
        self, mapping: ObjectMapping, survivor: str, absorbed: Sequence[str], lane: Lane
    ) -> tuple[Verdict, ...]:
        if self.refusal is not None:
            return tuple(Verdict(one, Outcome.FAILED, failure=self.refusal) for one in absorbed)
        here = self.things[mapping.object]
        for one in absorbed:
            if here[one].deleted:
                return (Verdict(one, Outcome.FAILED, failure=Failure(Remedy.GONE, "404", "no such thing", 404)),)
            here[one].deleted = True
            self.merged += 1
        self._end("merged")
        return tuple(Verdict(one, Outcome.APPLIED, survivor) for one in absorbed)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = await Rig.make(tmp_path)
    made.crm = Merging("crm", made.clock, ordered_versions=False)
    made = await made.restart(tmp_path)
    yield made
    await made.database.close()


def merger(rig: Rig) -> Merger:
    return Merger(
        database=rig.database, flows=rig.flows, signals=rig.signals, health=rig.health, world=rig.world
    )  # fmt: skip


async def order(rig: Rig, survivor: str, absorbed: str, command: str = "c1") -> Any:
    return await rig.database.write(
        partial(
            merging.ask, flows=rig.flows, survivor=survivor, absorbed=absorbed, command_id=command, who="ann",
            why="the same person", now=rig.clock.now_ms(),
        )
    )  # fmt: skip


async def two(rig: Rig) -> tuple[str, str]:
    """A customer of the shop with her contact, and a second contact of hers that sales people entered."""
    await customer(rig, email="ada@example.com", first_name="Ada")
    await cart(rig, customerId="c1")
    await rig.tell(rig.crm, "contacts", "second", email="ada@home.example", nickname="Countess", phone="+49301")
    await rig.settle(seconds=2)
    first, second = await rig.record(rig.shop, "customers", "c1"), await rig.record(rig.crm, "contacts", "second")
    return first.id, second.id


async def state(rig: Rig, command: str = "c1") -> tuple[str, str]:
    found = await rig.database.read(partial(merges.get, command_id=command))
    assert found is not None
    return found.state, found.reason


async def test_two_records_become_one_here_and_at_the_vendor(rig: Rig) -> None:
    first, second = await two(rig)
    await order(rig, first, second)
    assert await merger(rig).step()
    await rig.settle(seconds=2)

    assert await state(rig) == ("done", "")
    assert rig.crm.merged == 1  # type: ignore[attr-defined]
    one = await rig.record(rig.crm, "contacts", "second")
    assert one.id == first
    assert (one.fields["email"], one.fields["nickname"], one.fields["phone"]) == (
        "ada@example.com",
        "Countess",
        "+49301",
    )
    assert list(await rig.database.read(lambda tx: records.load(tx, [second]))) == []
    (contact,) = rig.crm.all("contacts").values()
    assert (contact["email"], contact["nickname"]) == ("ada@example.com", "Countess")
    assert rig.shop.all("customers")["c1"]["nickname"] == "Countess"
    told = await rig.database.read(partial(views.history, record_id=first, limit=50))
    assert [row[7:] for row in told if row[7]] == [("ann", f"merged with {second}: the same person")]
    assert await merger(rig).step() is None


async def test_what_referred_to_the_absorbed_record_refers_to_the_survivor(rig: Rig) -> None:
    first, second = await two(rig)
    await order(rig, second, first)
    assert await merger(rig).step()
    await rig.settle(seconds=2)

    basket = await rig.record(rig.shop, "carts", "k1")
    assert basket.fields["customer"] == second
    buyer = await rig.record(rig.shop, "customers", "c1")
    assert buyer.id == second
    await rig.tell(rig.shop, "customers", "c1", first_name="Augusta")
    await rig.settle(seconds=1)
    assert rig.crm.things["contacts"]["second"].data["first_name"] == "Augusta"


async def test_a_crash_after_the_vendors_merge_repeats_nothing(rig: Rig, tmp_path: Path) -> None:
    first, second = await two(rig)
    await order(rig, first, second)
    rig.crm.crash = "merged"
    with pytest.raises(CrashError):
        await merger(rig).step()
    rig = await rig.restart(tmp_path)
    await order(rig, first, second)
    assert await merger(rig).step()
    await rig.settle(seconds=1)

    assert rig.crm.merged == 1  # type: ignore[attr-defined]
    assert await state(rig) == ("done", "")
    assert (await order(rig, first, second)).state == "done", "the same command again changes nothing"
    await rig.database.close()


async def test_a_place_that_cannot_merge_is_named_before_anything_is_done(rig: Rig) -> None:
    await customer(rig, "c1", email="ada@example.com")
    await customer(rig, "c2", email="ada@home.example")
    await rig.settle(seconds=1)
    first, second = [(await rig.record(rig.shop, "customers", one)).id for one in ("c1", "c2")]
    with pytest.raises(ReplayError, match=r"shop.customers cannot merge: both stand there, as c1 and c2"):
        await order(rig, first, second)
    with pytest.raises(ReplayError, match="itself"):
        await order(rig, first, first)
    with pytest.raises(ReplayError, match="no record"):
        await order(rig, first, "customer-nobody")
    assert await merger(rig).step() is None


async def test_a_vendor_that_refuses_leaves_both_as_they_were(rig: Rig) -> None:
    first, second = await two(rig)
    await order(rig, first, second)
    rig.crm.refusal = Failure(Remedy.ASK, "FORBIDDEN", "not these")  # type: ignore[attr-defined]
    assert await merger(rig).step()

    assert await state(rig) == ("failed", "FORBIDDEN: not these")
    assert (await rig.record(rig.crm, "contacts", "second")).id == second


async def test_a_dead_letter_names_the_two_and_is_mended_by_their_merge(rig: Rig) -> None:
    """A second contact with an address that belongs to somebody who has one already."""
    await customer(rig, email="ada@example.com")
    await rig.settle(seconds=1)
    await rig.tell(rig.crm, "contacts", "twin", email="ada@example.com", nickname="Countess")
    await rig.settle(seconds=1)
    (letter,) = await rig.letters()
    first = (await rig.record(rig.shop, "customers", "c1")).id
    assert merging.candidates(letter) == [first, "crm.contacts:twin"]
    await order(rig, *merging.candidates(letter))
    assert await merger(rig).step()
    await rig.settle(seconds=2)

    assert rig.crm.merged == 1  # type: ignore[attr-defined]
    assert await rig.letters() == []
    assert len(rig.crm.all("contacts")) == 1
