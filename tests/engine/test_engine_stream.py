"""Streams: what a vendor tells is staged with the position behind it; gaps are stated; nothing is lost when it breaks.
And the bulk lane: many deliveries in one call where the vendor takes many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from syncd.engine.stream import Streamer, streamed
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import Capture, ObjectMapping
from syncd.runtime.clock import SystemClock, World
from syncd.runtime.metrics import Metrics
from syncd.store import books, changes, gaps
from syncd.systems.contract import Abilities, Batch, Capabilities, Gap, Snapshot, VendorError, Verdict, Write
from tests.engine.memory import MemorySystem
from tests.engine.rig import Rig


@dataclass
class StreamingMemory(MemorySystem):
    """Tells what a test scripts, a script per connection attempt."""

    scripts: list[Sequence[Batch | Failure]] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    staged: asyncio.Event = field(default_factory=asyncio.Event)
    bulk: int = 0

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, bulk_batch=self.bulk)

    def abilities(self, object_: str) -> Abilities:
        known = super().abilities(object_)
        streamed = {Channel.STREAM: frozenset({ChangeKind.STATE})} if object_ == "contacts" else {}
        return replace(known, tells={**known.tells, **streamed})

    async def stream(self, mapping: ObjectMapping, cursor: str | None) -> AsyncIterator[Batch]:
        self.asked.append(cursor)
        for one in self.scripts.pop(0) if self.scripts else ():
            if isinstance(one, Failure):
                raise VendorError(one)
            yield one
        self.staged.set()
        await asyncio.Event().wait()


def state(number: int, *, partial_: bool = False, **payload: Any) -> Change:
    return Change(
        "crm", "contacts", f"c{number}", ChangeKind.STATE, Channel.STREAM, f"cdc:{number}:{sorted(payload.items())}", 1,
        occurred_at=5, payload=payload, partial=partial_,
    )  # fmt: skip


class Stage:
    """A rig whose CRM streams."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.crm = StreamingMemory("crm", rig.clock, ordered_versions=False)
        contacts = next(one for one in rig.flows.mappings if one.object == "contacts")
        self.mapping = replace(contacts, capture=Capture(stream=True))
        mappings = [self.mapping if one is contacts else one for one in rig.flows.mappings]
        self.flows = replace(rig.flows, mappings=mappings, systems={**rig.flows.systems, "crm": self.crm})

    def streamer(self) -> Streamer:
        return Streamer(
            self.mapping, database=self.rig.database, flows=self.flows, signals=self.rig.signals,
            health=self.rig.health, metrics=Metrics(self.rig.clock), world=World(SystemClock()),
        )  # fmt: skip

    async def run(self, *scripts: Sequence[Batch | Failure]) -> None:
        """Until the last script has been told whole."""
        self.crm.scripts, self.crm.staged = list(scripts), asyncio.Event()
        streamer = self.streamer()
        await streamer.start()
        await asyncio.wait_for(self.crm.staged.wait(), 10)
        await streamer.stop()

    async def cursor(self) -> Any:
        return await self.rig.database.read(partial(books.cursor, connection="crm", object_="contacts", kind="stream"))

    async def waiting(self) -> list[Change]:
        def both(tx: Any) -> list[Change]:
            return [*changes.to_fold(tx, 10**15, 100), *changes.to_read(tx, "crm", 10**15, 100)]

        return await self.rig.database.read(both)

    def news(self, event: str) -> list[Mapping[str, Any]]:
        return [one.detail for one in self.rig.signals.recent(100) if one.event == event]


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr("syncd.engine.stream.BASE_SECONDS", 0.001)
    rig = await Rig.make(tmp_path)
    yield Stage(rig)
    await rig.close()


async def test_only_mappings_that_ask_and_systems_that_have_one_are_streamed(stage: Stage) -> None:
    assert [one.object for one in streamed(stage.flows)] == ["contacts"]
    assert streamed(stage.rig.flows) == []


async def test_a_batch_is_staged_with_its_position(stage: Stage) -> None:
    await stage.run([Batch([state(1, email="a@b.c"), state(2, email="b@b.c")], "p1"), Batch((), "p2")])
    assert stage.crm.asked == [None]
    assert [one.external_id for one in await stage.waiting()] == ["c1", "c2"]
    kept = await stage.cursor()
    assert (kept.cursor, kept.seen) == ("p2", 2)


async def test_a_broken_stream_is_taken_up_at_the_newest_position(stage: Stage) -> None:
    broken = Failure(Remedy.RETRY, "service.unavailable", "no")
    await stage.run(
        [Batch([state(1, email="a@b.c")], "p1"), broken], [broken],
        [Batch([state(1, email="a@b.c"), state(2, email="b@b.c")], "p2")],
    )  # fmt: skip
    assert stage.crm.asked == [None, "p1", "p1"]
    assert [one.external_id for one in await stage.waiting()] == ["c1", "c2"]
    assert [one["code"] for one in stage.news("stream.broken")] == ["service.unavailable"] * 2


async def test_a_restart_goes_on_where_the_last_one_stood(stage: Stage) -> None:
    await stage.run([Batch((), "p1")])
    await stage.run([Batch((), "p2")])
    assert stage.crm.asked == [None, "p1"]


async def test_a_gap_is_stated_and_what_mends_it_is_staged(stage: Stage) -> None:
    gap = Gap(("contacts",), 60_000, 120_000, "position-lost")
    shots = [Snapshot("contacts", "c7", {"email": "g@b.c"}, "v", 70_000),
             Snapshot("contacts", "c8", {}, "", 80_000, deleted=True),
             Snapshot("contacts", "c9", {}, "", 90_000, merged_into="c7")]  # fmt: skip
    await stage.run([Batch((), "p1", gap=gap), Batch((), "p1", snapshots=shots), Batch((), "p2", mended=True)])
    assert stage.news("stream.gap") == [{
        "object": "contacts", "since": "1970-01-01T00:01:00.000Z", "until": "1970-01-01T00:02:00.000Z",
        "reason": "position-lost",
    }]  # fmt: skip
    assert stage.news("stream.mended") == [{"object": "contacts"}]
    told = {one.kind: one for one in await stage.waiting()}
    assert told.keys() == {ChangeKind.STATE, ChangeKind.DELETED, ChangeKind.MERGED}
    assert told[ChangeKind.MERGED].payload == {"into": "c7", "from": ["c9"]}
    assert {one.channel for one in told.values()} == {Channel.STREAM}


async def test_a_gap_stands_until_it_is_mended_whatever_restarts_lie_between(stage: Stage) -> None:
    gap = Gap(("contacts",), 60_000, 120_000, "position-lost")
    await stage.run([Batch((), "p1", gap=gap)])
    await stage.run([Batch((), "p1", gap=gap), Batch((), "p2", snapshots=[Snapshot("contacts", "c7", {}, "", 70_000)])])
    (open_,) = await stage.rig.database.read(gaps.open_gaps)
    assert (open_.connection, open_.object, open_.from_at, open_.until_at) == ("crm", "contacts", 60_000, 120_000)
    assert len(stage.news("stream.gap")) == 1, "the same gap is no news after a restart"
    await stage.run([Batch((), "p2", gap=Gap(("contacts",), 90_000, 150_000, "overflow"))])
    (open_,) = await stage.rig.database.read(gaps.open_gaps)
    assert (open_.from_at, open_.until_at, open_.reason) == (60_000, 150_000, "overflow")
    await stage.run([Batch((), "p3", mended=True)])
    assert await stage.rig.database.read(gaps.open_gaps) == []
    assert len(stage.news("stream.mended")) == 1


async def test_what_an_operator_should_know_is_told(stage: Stage) -> None:
    await stage.run([Batch((), "p1", notice="100 of 25000 events are left")])
    assert stage.news("stream.notice") == [{"object": "contacts", "notice": "100 of 25000 events are left"}]


async def test_a_paused_mapping_is_not_followed_and_goes_on_when_it_may(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.engine.stream.CLOSED_SECONDS", 0.01)
    stage.crm.scripts = [[Batch((), "p1")], [Batch((), "p2")]]
    streamer = stage.streamer()
    await streamer.start()
    await asyncio.wait_for(stage.crm.staged.wait(), 10)
    stage.rig.health.paused = frozenset({"crm.contacts"})
    await asyncio.sleep(0.05)
    stage.crm.staged.clear()
    assert len(stage.crm.asked) == 1
    stage.rig.health.paused = frozenset()
    await asyncio.wait_for(stage.crm.staged.wait(), 10)
    await streamer.stop()
    assert stage.crm.asked == [None, "p1"]


async def test_stopping_does_not_wait_for_the_next_event(stage: Stage) -> None:
    stage.crm.scripts = [[]]
    streamer = stage.streamer()
    await streamer.start()
    await asyncio.wait_for(stage.crm.staged.wait(), 10)
    await asyncio.wait_for(streamer.stop(5.0), 2)


async def test_a_stream_that_the_account_does_not_have_is_left_in_peace(stage: Stage) -> None:
    stage.crm.scripts = [[Failure(Remedy.ASK, "grpc-not_found", "no such topic")]]
    streamer = stage.streamer()
    await streamer.start()
    async for one in stage.rig.signals.follow():
        if one.event == "stream.broken":
            break
    await asyncio.sleep(0.02)
    await asyncio.wait_for(streamer.stop(5.0), 2)
    assert len(stage.crm.asked) == 1


async def test_a_system_that_declares_what_it_does_not_have_is_found_out(stage: Stage) -> None:
    with pytest.raises(TypeError, match="does not have"):
        Streamer(
            stage.mapping, database=stage.rig.database, flows=stage.rig.flows, signals=stage.rig.signals,
            health=stage.rig.health, metrics=Metrics(stage.rig.clock), world=stage.rig.world,
        )  # fmt: skip


async def test_parts_of_a_thing_never_seen_are_read_whole_before_they_are_folded(stage: Stage) -> None:
    rig = stage.rig
    rig.crm.put("contacts", "c1", email="a@b.c", first_name="Ada", phone="1")
    await rig.stage(state(1, partial_=True, phone="2"))
    await rig.settle()
    record = await rig.record(rig.crm, "contacts", "c1")
    assert record.fields["email"] == "a@b.c"
    assert "read" in rig.crm.calls


# --- the bulk lane -------------------------------------------------------------------------------------------------


class Writes:
    """Counts the sizes of calls."""

    def __init__(self, system: StreamingMemory) -> None:
        self.sizes: list[int] = []
        self._write: Callable[..., Any] = system.write
        system.write = self.write  # type: ignore[method-assign]

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        self.sizes.append(len(writes))
        done: Sequence[Verdict] = await self._write(mapping, writes, lane)
        return done


async def _customers(rig: Rig, count: int, lane: Lane) -> None:
    for number in range(count):
        rig.shop.put("customers", f"s{number}", email=f"p{number}@b.c")
    await rig.stage(*(
        Change("shop", "customers", f"s{n}", ChangeKind.STATE, Channel.HYDRATION, f"h{n}", 1, version="1",
               payload={"email": f"p{n}@b.c"}, lane=lane)
        for n in range(count)
    ))  # fmt: skip


@pytest.mark.parametrize(("bulk", "lane", "sizes"), [
    (0, Lane.BULK, [10, 10, 10, 5]), (25, Lane.BULK, [30, 5]), (1000, Lane.BULK, [35]), (1000, Lane.LIVE, [10, 10, 10, 5]),
])  # fmt: skip
async def test_many_of_the_bulk_lane_go_at_once_where_the_vendor_takes_many(
    stage: Stage, bulk: int, lane: Lane, sizes: list[int]
) -> None:
    rig, crm = stage.rig, stage.crm
    crm.write_batch, crm.bulk = 10, bulk
    rig.flows = stage.flows
    rig.folder._flows = stage.flows
    for part in (*rig.readers, *rig.couriers):
        part._flows = stage.flows
        part._system = stage.flows.systems[part._connection]
    writes = Writes(crm)
    await _customers(rig, 35, lane)
    await rig.settle()
    assert writes.sizes == sizes
    assert len(crm.all("contacts")) == 35
    assert not await rig.open_deliveries()
