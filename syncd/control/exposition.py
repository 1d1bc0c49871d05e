"""The answers of ``/livez``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from syncd import __version__
from syncd.control.status import StatusBoard
from syncd.engine.capture import Captor
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics
from syncd.store import books, views
from syncd.store.database import Database
from syncd.store.errors import StoreError

_UP = {"up": 1.0, "degraded": 0.5, "unknown": 0.5, "down": 0.0, "paused": 0.0}


class Exposition:
    """Health and gauges, looked up when they are asked for."""

    def __init__(
        self, *, board: StatusBoard, captor: Captor, database: Database, metrics: Metrics, world: World
    ) -> None:
        self._board = board
        self._captor = captor
        self._database = database
        self._metrics = metrics
        self._world = world

    async def alive(self) -> tuple[bool, Mapping[str, Any]]:
        """The process answers. A vendor's outage is no reason to be restarted."""
        return True, {"version": __version__}

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """Events can be taken: the state file takes writes."""
        try:
            # A real write: on a full disk an empty transaction would succeed.
            now = str(self._world.clock.now_ms())
            await self._database.write(lambda tx: books.set_meta(tx, [("ready_at", now)]))
        except StoreError as error:
            return False, {"version": __version__, "checks": {"store": str(error)}}
        status = await self._board.status()
        connections = {one.name: one.state for one in status.connections}
        running = status.state == "running"
        return running, {
            "version": __version__, "state": status.state, "checks": {"store": "ok"}, "connections": connections,
        }  # fmt: skip

    async def text(self) -> bytes:
        status = await self._board.status()
        metrics = self._metrics
        metrics.build.labels(__version__).set(1)
        metrics.queue_depth.clear()
        metrics.queue_age.clear()
        for line in status.queue:
            labels = (line.lane, line.target, line.object, line.state)
            metrics.queue_depth.labels(*labels).set(line.depth)
            metrics.queue_age.labels(*labels).set(line.oldest_age_seconds)
        metrics.dead_letters.clear()
        for connection, code, count in await self._database.read(views.letters_by_code):
            metrics.dead_letters.labels(connection, code).set(count)
        for one in status.connections:
            metrics.connection_up.labels(one.name).set(_UP[one.state])
        for window in status.windows:
            names = (window.connection, window.window)
            metrics.quota_limit.labels(*names).set(window.limit)
            metrics.quota_remaining.labels(*names).set(max(0, window.limit - window.used))
            spent = window.exhausted_in_seconds
            metrics.quota_exhaustion.labels(*names).set(math.inf if spent is None else spent)
        now = self._world.clock.now_ms()
        for run, _next_at in self._captor.runs():
            if run.last_ended_at:
                metrics.cursor_age.labels(f"{run.kind}:{run.mapping}").set((now - run.last_ended_at) / 1000)
        metrics.gap_seconds.clear()
        for gap in status.gaps:
            metrics.gap_seconds.labels(gap.mapping).set((now - gap.stated_at) / 1000)
        metrics.wal_bytes.set(self._database.wal_bytes())
        return metrics.text()
