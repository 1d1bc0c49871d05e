"""How everything is: the snapshot that the Overview paints, made at most once a second however many look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncd.control import messages as m
from syncd.control import queries
from syncd.control.gap_messages import GapLine
from syncd.engine.capture import Captor
from syncd.engine.health import Health
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics, Percentiles
from syncd.store import books, views
from syncd.store.database import Database, Tx

FRESH_SECONDS: Final = 0.5
"""A snapshot this young is given again."""
COST_SHARE: Final = 10
"""Looking takes at most one part in ten of the reader's time, however deep the queue is."""
STEP_SECONDS: Final = 10.0
PLOT_STEPS: Final = 60
SERIES: Final = ("throughput", "queue_depth", "latency_p95", "failures", "intake")


@dataclass(frozen=True, slots=True)
class Standing:
    """What does not change while the daemon runs."""

    version: str
    instance: str
    started_at: int
    notes: Sequence[str]
    systems: Mapping[str, str]
    """Connection to system."""


@dataclass(frozen=True, slots=True)
class _Books:
    counters: dict[str, int]
    queue: list[m.QueueLine]
    failures: m.FailureGroups
    conflicts: int
    series: list[m.Series]
    gaps: list[GapLine]


class StatusBoard:
    """Implements :class:`syncd.control.app.StatusSource`."""

    def __init__(
        self, *, database: Database, health: Health, captor: Captor, metrics: Metrics, world: World,
        windows: Callable[[], list[m.WindowLine]], standing: Standing,
    ) -> None:  # fmt: skip
        self._database = database
        self._health = health
        self._captor = captor
        self._metrics = metrics
        self._world = world
        self._windows = windows
        self._standing = standing
        self._state: str = "starting"
        self._last: m.Status | None = None
        self._fresh_until = 0.0
        self._lock = asyncio.Lock()

    def turn(self, state: str) -> None:
        """``running`` or ``draining``."""
        self._state = state
        self._fresh_until = 0.0

    def windows(self) -> list[m.WindowLine]:
        return self._windows()

    async def status(self) -> m.Status:
        async with self._lock:
            clock = self._world.clock
            if self._last is None or clock.monotonic() >= self._fresh_until:
                began = clock.monotonic()
                self._last = await self._look()
                cost = clock.monotonic() - began
                self._fresh_until = clock.monotonic() + max(FRESH_SECONDS, COST_SHARE * cost)
            return self._last

    def gauges(self) -> dict[str, float]:
        """What the plots keep of the last ten seconds; what the state file tells is sampled beside it."""
        return {
            "throughput": self._metrics.throughput(STEP_SECONDS), "intake": self._metrics.intake_rate(STEP_SECONDS),
            "latency_p95": self._metrics.delivery_latency().p95 or 0.0,
        }  # fmt: skip

    async def _look(self) -> m.Status:
        now = self._world.clock.now_ms()
        found = await self._database.read(lambda tx: _read(tx, now))
        counters = found.counters
        standing = self._standing
        return m.Status(
            at=now, version=standing.version, instance=standing.instance, started_at=standing.started_at,
            state=self._state,  # type: ignore[arg-type]
            notes=[*standing.notes, *self._troubles()],
            counters=m.Counters(
                acknowledged=counters.get("acknowledged", 0), staged=counters.get("staged", 0),
                duplicates=counters.get("duplicates", 0), folded=counters.get("folded", 0),
                echoes=counters.get("echoes", 0), delivered=counters.get("delivered", 0),
                unchanged=counters.get("unchanged", 0), retries=counters.get("retries", 0),
                replays=counters.get("replays", 0), dead_letters_open=found.failures.open_total,
                conflicts_open=found.conflicts,
            ),
            intake_latency=_percentiles(self._metrics.intake_latency()),
            delivery_latency=_percentiles(self._metrics.delivery_latency()),
            throughput_per_second=self._metrics.throughput(10.0), queue=found.queue,
            connections=self._connections(), windows=self._windows(), series=found.series,
            failures=found.failures.groups[:5], hydrations=self._hydrations(), gaps=found.gaps,
        )  # fmt: skip

    def _troubles(self) -> list[str]:
        silent = [f"{name}: polls find changes that no webhook or stream tells" for name in sorted(self._captor.silent)]
        return [*silent, *([self._database.trouble] if self._database.trouble else [])]

    def _connections(self) -> list[m.ConnectionLine]:
        lines = []
        for name, system in self._standing.systems.items():
            fare = self._health.fare(name)
            calls, errors = self._metrics.calls_last_minute(name)
            lines.append(
                m.ConnectionLine(
                    name=name, system=system, state=fare.state,  # type: ignore[arg-type]
                    reason=fare.reason, since_at=fare.since_at, last_success_at=fare.last_success_at,
                    calls_last_minute=calls, errors_last_minute=errors,
                )
            )  # fmt: skip
        return lines

    def _hydrations(self) -> list[m.HydrationLine]:
        return [
            m.HydrationLine(
                mapping=run.mapping, state=run.state, seen=run.seen, total=None, started_at=run.last_started_at
            )
            for run, _next_at in self._captor.runs()
            if run.kind == "hydrate"
        ]


def _percentiles(measured: Percentiles) -> m.Percentiles:
    return m.Percentiles(p50=measured.p50, p95=measured.p95, p99=measured.p99, count=measured.count)


def _read(tx: Tx, now: int) -> _Books:
    return _Books(
        books.counters(tx), queries.queue_lines(tx, now), queries.failure_groups(tx, now, limit=5),
        views.open_conflicts(tx), [_series(tx, name, now) for name in SERIES], queries.gap_lines(tx),
    )  # fmt: skip


def _series(tx: Tx, name: str, now: int) -> m.Series:
    step = int(STEP_SECONDS * 1000)
    since = now - PLOT_STEPS * step
    values: list[float | None] = [None] * PLOT_STEPS
    for at, value in books.samples(tx, name, since):
        values[min(PLOT_STEPS - 1, max(0, (at - since - 1) // step))] = value
    return m.Series(name=name, step_seconds=STEP_SECONDS, values=values)  # type: ignore[arg-type]
