"""The folder: folds whatever is staged, one batch after the other; there is one per daemon."""

from __future__ import annotations

import sqlite3
from functools import partial

from syncd.engine import parking
from syncd.engine.flows import Flows
from syncd.engine.fold import FoldResult, fold
from syncd.engine.health import Health
from syncd.engine.signals import Signals
from syncd.engine.worker import Worker
from syncd.model.change import Change
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics
from syncd.store import changes, letters
from syncd.store.database import Database, Tx
from syncd.store.errors import StoreError

BATCH = 400
"""The most changes per fold: enough to pay for the commit."""
SMALLEST_BATCH = 50
GOAL_SECONDS = 0.03
"""Folds are cut to take about this long: an acknowledgement never waits for more than one of them."""
IDLE_SECONDS = 5.0
ODD = 2
"""Folds in a row that SQLite may refuse for no reason of its own before the payload is suspected."""


class Folder(Worker):
    name = "folder"

    def __init__(
        self, *, database: Database, flows: Flows, signals: Signals, health: Health, metrics: Metrics, world: World
    ) -> None:
        super().__init__(database)
        self._flows = flows
        self._signals = signals
        self._health = health
        self._metrics = metrics
        self._world = world
        self._odd = 0
        self._size = BATCH

    async def turn(self) -> None:
        if not await self.step():
            await self._rest()

    async def step(self) -> bool:
        """Fold one batch; whether there was one."""
        now = self._world.clock.now_ms()
        paused = sorted(self._health.paused)
        batch = await self._database.read(partial(changes.to_fold, now=now, limit=self._size, paused=paused))
        self._signals.folding_behind = len(batch) == self._size
        if not batch:
            return False
        began = self._world.clock.monotonic()
        await self._fold(batch)
        self._measure(len(batch), self._world.clock.monotonic() - began)
        self._odd = 0
        return True

    def _measure(self, count: int, seconds: float) -> None:
        """Only whole batches tell how fast folding is here."""
        if count == self._size and seconds > 0:
            fitting = int(count * GOAL_SECONDS / seconds)
            self._size = max(SMALLEST_BATCH, min(BATCH, (self._size + fitting) // 2))

    async def _fold(self, batch: list[Change], *, supersede: bool = True) -> None:
        """A poison change never blocks its neighbours: a batch that raises is folded change by change, none standing
        for another, and halved until the poison stands alone."""
        now = self._world.clock.now_ms()
        unit = partial(fold, flows=self._flows, batch=batch, now=now, supersede=supersede)
        try:
            result = await self._database.write(unit)
        except StoreError:
            raise
        except Exception as error:
            if isinstance(error, sqlite3.OperationalError) and self._odd < ODD:
                # The machine may be at fault; a payload is only when its statement keeps failing.
                self._odd += 1
                raise
            if supersede:
                await self._fold(batch, supersede=False)
                return
            if len(batch) == 1:
                await self._poison(batch[0], error)
                return
            middle = len(batch) // 2
            await self._fold(batch[:middle], supersede=False)
            await self._fold(batch[middle:], supersede=False)
            return
        self._announce(result)

    async def _poison(self, change: Change, error: Exception) -> None:
        await self._database.write(partial(_park, change=change, error=error, now=self._world.clock.now_ms()))
        self._signals.tell(
            "change.parked", level="error", connection=change.connection, correlation_id=change.correlation_id,
            change=change.id, error=type(error).__name__,
        )  # fmt: skip
        self._metrics.folded(0, 0, 1)

    def _announce(self, result: FoldResult) -> None:
        self._metrics.folded(result.folded, result.echoes, result.parked)
        for connection in result.connections:
            self._signals.due(connection).ring()
        if result.timers:
            self._signals.timers.ring()
        if result.hinted:
            self._signals.ring_staged()
        for change in result.parked_changes:
            self._signals.tell(
                "change.parked", level="warning", connection=change.connection,
                correlation_id=change.correlation_id, change=change.id, object=change.object,
            )  # fmt: skip
        if result.folded:
            self._signals.tell("fold.done", changes=result.folded, records=len(result.records), wanted=result.wanted)

    async def _rest(self) -> None:
        now = self._world.clock.now_ms()
        due = await self._database.read(partial(changes.next_due, now=now))
        seconds = IDLE_SECONDS if due is None else min(IDLE_SECONDS, max(0.0, (due - now) / 1000))
        await self.listen(self._signals.staged, seconds)


def _park(tx: Tx, change: Change, error: Exception, now: int) -> None:
    # The message of an unforeseen error may hold data; its type and place are enough to find the cause.
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{where.tb_frame.f_code.co_name}:{where.tb_lineno}" if where else "?"
    failure = Failure(Remedy.ASK, "fold-failed", f"{type(error).__name__} at {place}")
    changes.settle(tx, "parked", [change.id], now, failure.message)
    letters.put(tx, [parking.parked(change, "", failure, now)])
