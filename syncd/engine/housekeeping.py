"""Housekeeping: checkpoints in quiet moments, samples for the plots, and forgetting what has had its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from syncd.engine.worker import Worker
from syncd.runtime.clock import World
from syncd.store import books, changes, views
from syncd.store.database import Database, Tx

DAY_MS = 86_400_000
SAMPLE_SECONDS = 10.0
SAMPLE_DAYS = 1
PRUNE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Retention:
    """Days for which things are kept. Settled changes hold the keys that make redelivery harmless: vendors
    redeliver for up to four days."""

    changes_days: float = 7.0
    attempts_days: float = 30.0
    history_days: float = 365.0


class Housekeeping(Worker):
    name = "housekeeping"

    def __init__(
        self, *, database: Database, world: World, retention: Retention, gauges: Callable[[], Mapping[str, float]],
    ) -> None:  # fmt: skip
        super().__init__(database)
        self._world = world
        self._retention = retention
        self._gauges = gauges
        self._pruned_at = 0.0

    async def turn(self) -> None:
        await self.step()
        await self.pause(SAMPLE_SECONDS)

    async def step(self) -> None:
        now = self._world.clock.now_ms()
        values = {**self._gauges(), **await self._database.read(_depths)}
        await self._database.write(partial(books.add_samples, at=now, values=values))
        await self._database.checkpoint(quiet=True)
        if self._world.clock.monotonic() - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = self._world.clock.monotonic()
            while await self._database.write(partial(_prune, retention=self._retention, now=now)):
                await self.pause(0.05)
                if self.stopping.is_set():
                    return


def _depths(tx: Tx) -> dict[str, float]:
    """Counted here, so that the plots are true also where nobody looks at the status."""
    waiting = [row[1] for row in views.staged(tx)] + [row[4] for row in views.open_deliveries(tx)]
    return {"queue_depth": float(sum(waiting)), "failures": float(views.open_letters(tx))}


def _prune(tx: Tx, retention: Retention, now: int) -> bool:
    """Forget a bounded number of rows; whether there may be more."""
    limit = 2000
    gone = changes.prune(tx, int(now - retention.changes_days * DAY_MS), limit)
    gone += books.prune(
        tx, attempts_before=int(now - retention.attempts_days * DAY_MS),
        history_before=int(now - retention.history_days * DAY_MS), samples_before=now - SAMPLE_DAYS * DAY_MS,
        limit=limit,
    )  # fmt: skip
    return gone >= limit
