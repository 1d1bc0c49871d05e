"""Streams: changes that a vendor tells as they happen, staged with the position behind them in one transaction.

One service per mapping with a stream. Whatever breaks a stream, it is taken up again at the newest staged position, so
that nothing is lost and nothing but the last batch is told twice. What the stream itself could not tell is stated.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from syncd.engine.capture import BACKLOG_LIMIT, change_of
from syncd.engine.flows import Flows
from syncd.engine.health import Health
from syncd.engine.signals import Signals
from syncd.engine.worker import Worker
from syncd.model.backoff import delay_seconds
from syncd.model.change import Change, Channel, Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.model.value import instant_from_ms
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics
from syncd.store import books, changes, gaps
from syncd.store.changes import StageResult
from syncd.store.database import Database, Tx
from syncd.systems.contract import Batch, OutOfBudgetError, StreamingSystem, VendorError

CLOSED_SECONDS: Final = 1.0
"""How often a stream that is paused, or whose connection is down, looks whether it may go on."""
BASE_SECONDS: Final = 1.0
CAP_SECONDS: Final = 60.0
UNAVAILABLE_SECONDS: Final = 600.0
"""A stream that the account does not have (not selected, no right) is tried this rarely; polls go on meanwhile."""


def streamed(flows: Flows) -> list[ObjectMapping]:
    """Mappings that ask for a stream and whose system has one."""
    return [
        one
        for one in flows.mappings
        if one.capture.stream and flows.systems[one.connection].abilities(one.object).streamed()
    ]


class Streamer(Worker):
    def __init__(
        self, mapping: ObjectMapping, *, database: Database, flows: Flows, signals: Signals, health: Health,
        metrics: Metrics, world: World,
    ) -> None:  # fmt: skip
        super().__init__(database)
        self.name = f"stream:{mapping.name}"
        self._mapping = mapping
        self._signals = signals
        self._health = health
        self._metrics = metrics
        self._world = world
        self._failures = 0
        system = flows.systems[mapping.connection]
        if not isinstance(system, StreamingSystem):
            raise TypeError(f"{mapping.name}: the system declares a stream that it does not have")
        self._system = system

    async def turn(self) -> None:
        """Follow the stream until it breaks, is paused, or the daemon stops."""
        if not self._open():
            await self.pause(CLOSED_SECONDS)
            return
        cursor = await self._database.read(
            partial(books.cursor, connection=self._mapping.connection, object_=self._mapping.object, kind="stream")
        )
        stream = self._system.stream(self._mapping, cursor.cursor if cursor else None)
        try:
            await self._follow(stream)
        except (VendorError, OutOfBudgetError) as error:
            await self._broken(error)
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()

    async def _follow(self, stream: AsyncIterator[Batch]) -> None:
        while self._wanted():
            batch = await self._next(stream)
            if batch is None:
                return
            await self._take(batch)
            self._failures = 0
            await self._room()

    async def _next(self, stream: AsyncIterator[Batch]) -> Batch | None:
        """The next batch, or ``None`` when the daemon stops or the mapping is paused meanwhile."""
        coming = asyncio.ensure_future(_one(stream))
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            while not coming.done() and not stopping.done() and self._wanted():
                await asyncio.wait({coming, stopping}, timeout=CLOSED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return await coming if coming.done() else None
        finally:
            for one in (coming, stopping):
                one.cancel()
            await asyncio.gather(coming, stopping, return_exceptions=True)

    async def _take(self, batch: Batch) -> None:
        """Stage a batch. Should that fail, the vendor tells it again from the position before."""
        mapping = self._mapping
        now = self._world.clock.now_ms()
        found = [*batch.changes, *(change_of(mapping, one, Channel.STREAM, Lane.LIVE, now) for one in batch.snapshots)]
        result, told = await self._database.write(partial(_stage, mapping=mapping, batch=batch, found=found, now=now))
        self._health.succeeded(mapping.connection)
        self._metrics.captured(mapping.connection, Channel.STREAM, result.staged)
        if result.staged:
            self._signals.ring_staged()
        self._announce(batch, told)

    def _announce(self, batch: Batch, told: _Told) -> None:
        place = {"connection": self._mapping.connection, "object": self._mapping.object}
        if batch.gap is not None and told.gap:
            gap = batch.gap
            self._signals.tell(
                "stream.gap", level="warning", **place, since=instant_from_ms(gap.from_at),
                until=instant_from_ms(gap.until_at), reason=gap.reason,
            )  # fmt: skip
        if told.mended:
            self._signals.tell("stream.mended", **place)
        if batch.notice:
            self._signals.tell("stream.notice", level="warning", **place, notice=batch.notice)

    async def _broken(self, error: VendorError | OutOfBudgetError) -> None:
        """Say so, and wait: longer each time, and for long where the account has no such stream."""
        failure = (
            error.failure
            if isinstance(error, VendorError)
            else Failure(Remedy.WAIT, "out-of-budget", str(error), retry_after_seconds=error.retry_after_seconds)
        )
        self._failures += 1
        if failure.remedy is Remedy.STOP:
            # Anything less says nothing of the connection's other calls: streams have an address of their own.
            self._health.stopped(self._mapping.connection, failure)
        self._signals.tell(
            "stream.broken", level="warning", connection=self._mapping.connection, object=self._mapping.object,
            code=failure.code, message=failure.message[:300],
        )  # fmt: skip
        if failure.remedy is Remedy.ASK:
            await self.pause(UNAVAILABLE_SECONDS)
            return
        wait = delay_seconds(self._failures, self._world.dice.random(), BASE_SECONDS, CAP_SECONDS)
        await self.pause(failure.retry_after_seconds or max(wait, 0.05))

    async def _room(self) -> None:
        """Wait while much is staged already; the vendor is asked for more only afterwards."""
        while not self.stopping.is_set() and await self._database.read(changes.backlog) > BACKLOG_LIMIT:
            await self.pause(0.2)

    def _open(self) -> bool:
        return self._health.open(self._mapping.connection) and self._wanted()

    def _wanted(self) -> bool:
        """A stream that stands is not dropped because another call went wrong."""
        mapping, paused = self._mapping, self._health.paused
        return not self.stopping.is_set() and mapping.name not in paused and mapping.connection not in paused


async def _one(stream: AsyncIterator[Batch]) -> Batch | None:
    """The next batch; ``None`` when the stream has ended."""
    async for batch in stream:
        return batch
    return None


@dataclass(frozen=True, slots=True)
class _Told:
    """What of a batch is news: a gap is stated once, also by the stream that takes up its repair after a restart."""

    gap: bool
    mended: bool


def _stage(tx: Tx, mapping: ObjectMapping, batch: Batch, found: list[Change], now: int) -> tuple[StageResult, _Told]:
    result = changes.stage(tx, found)
    place = (mapping.connection, mapping.object)
    gap = batch.gap
    stated = gap is not None and gaps.state(tx, *place, gap.from_at, gap.until_at, gap.reason, now)
    mended = batch.mended and gaps.mended(tx, *place)
    books.save_cursor(tx, mapping.connection, mapping.object, "stream", batch.cursor, now, seen=len(found))
    books.count(tx, {"staged": result.staged, "duplicates": result.duplicates})
    return result, _Told(stated, mended)
