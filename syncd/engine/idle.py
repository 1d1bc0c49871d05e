"""Time passing becomes a change: carts that have lain idle long enough are staged as abandoned."""

from __future__ import annotations

from functools import partial

from syncd.engine.rules import INTERNAL
from syncd.engine.signals import Signals
from syncd.engine.worker import Worker
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.runtime.clock import World
from syncd.store import books, changes
from syncd.store.database import Database, Tx

BATCH = 500
LONGEST_SECONDS = 30.0


class IdleWatch(Worker):
    name = "idle-watch"

    def __init__(self, *, database: Database, signals: Signals, world: World) -> None:
        super().__init__(database)
        self._signals = signals
        self._world = world

    async def turn(self) -> None:
        if not await self.step():
            await self._rest()

    async def step(self) -> int:
        """Stage the timers that have fired; how many."""
        now = self._world.clock.now_ms()
        if not await self._database.read(partial(books.due_timers, kind="idle", now=now, limit=1)):
            return 0
        fired = await self._database.write(partial(_fire, now=now))
        self._signals.ring_staged()
        return fired

    async def _rest(self) -> None:
        due = await self._database.read(books.next_timer)
        wait = LONGEST_SECONDS if due is None else max(0.0, (due - self._world.clock.now_ms()) / 1000)
        await self.listen(self._signals.timers, min(wait, LONGEST_SECONDS))


def _fire(tx: Tx, now: int) -> int:
    fired = books.due_timers(tx, "idle", now, BATCH)
    changes.stage(
        tx,
        [
            Change(
                connection=INTERNAL, object="idle", external_id=record_id, kind=ChangeKind.STATE,
                channel=Channel.CLOCK, dedupe_key=f"idle:{record_id}:{due_at}", received_at=due_at,
                occurred_at=due_at, lane=Lane.LIVE,
            )
            for record_id, due_at in fired
        ],
    )  # fmt: skip
    books.set_timers(tx, "idle", dict.fromkeys((record_id for record_id, _due in fired), None))
    return len(fired)
