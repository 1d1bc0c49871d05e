"""What the daemon measures: Prometheus metrics for machines, five-minute windows for the console.

Labels are names from the configuration, never record ids. Methods are named by what happened. Seconds throughout.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from syncd.runtime.clock import Clock

WINDOW_SECONDS: Final = 300.0
SLOT_SECONDS: Final = 15.0
_BUCKETS_PER_OCTAVE: Final = 8
_FLOOR_SECONDS: Final = 1e-5
_LATENCY_BUCKETS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_CALL_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds; ``None`` while nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None
    count: int


class LatencyWindow:
    """Percentiles over the last five minutes, right within a tenth: counts in logarithmic buckets, by slots of time
    that are dropped whole."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slots: deque[tuple[int, dict[int, int]]] = deque()

    def add(self, seconds: float, count: int = 1) -> None:
        bucket = int(_BUCKETS_PER_OCTAVE * math.log2(max(seconds, _FLOOR_SECONDS) / _FLOOR_SECONDS))
        counts = self._slot()
        counts[bucket] = counts.get(bucket, 0) + count

    def percentiles(self) -> Percentiles:
        self._slot()
        total: dict[int, int] = {}
        for _number, counts in self._slots:
            for bucket, count in counts.items():
                total[bucket] = total.get(bucket, 0) + count
        number = sum(total.values())
        edges = sorted(total.items())
        return Percentiles(_at(edges, number, 0.5), _at(edges, number, 0.95), _at(edges, number, 0.99), number)

    def _slot(self) -> dict[int, int]:
        number = int(self._clock.monotonic() / SLOT_SECONDS)
        while self._slots and self._slots[0][0] <= number - WINDOW_SECONDS / SLOT_SECONDS:
            self._slots.popleft()
        if not self._slots or self._slots[-1][0] != number:
            self._slots.append((number, {}))
        return self._slots[-1][1]


def _at(edges: list[tuple[int, int]], number: int, part: float) -> float | None:
    wanted, seen = part * number, 0
    for bucket, count in edges:
        seen += count
        if seen >= wanted:
            return float(_FLOOR_SECONDS * 2 ** ((bucket + 0.5) / _BUCKETS_PER_OCTAVE))
    return None


class RateWindow:
    """How many a second, by whole seconds kept for a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seconds: deque[tuple[int, int]] = deque(maxlen=90)

    def add(self, count: int) -> None:
        second = int(self._clock.monotonic())
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + count)
        else:
            self._seconds.append((second, count))

    def total(self, seconds: float) -> int:
        since = self._clock.monotonic() - seconds
        return sum(count for second, count in self._seconds if second >= since)


class Metrics:
    """One per daemon."""

    def __init__(self, clock: Clock) -> None:
        self.registry = registry = CollectorRegistry()
        self._intake_latency = LatencyWindow(clock)
        self._delivery_latency = LatencyWindow(clock)
        self._done = RateWindow(clock)
        self._acknowledged = RateWindow(clock)
        self._calls: dict[str, RateWindow] = {}
        self._errors: dict[str, RateWindow] = {}
        self._clock = clock
        self.build = Gauge("syncd_build_info", "Always 1.", ["version"], registry=registry)
        self.queue_depth = Gauge(
            "syncd_queue_depth", "Waiting work.", ["lane", "target", "object", "state"], registry=registry
        )
        self.queue_age = Gauge(
            "syncd_queue_oldest_age_seconds", "Age of the oldest waiting work.", ["lane", "target", "object", "state"],
            registry=registry,
        )  # fmt: skip
        self.dead_letters = Gauge("syncd_dead_letters", "Open dead letters.", ["target", "code"], registry=registry)
        self.connection_up = Gauge(
            "syncd_connection_up", "1 up, 0.5 degraded or not tried yet, 0 down or paused.", ["connection"],
            registry=registry,
        )  # fmt: skip
        self.quota_limit = Gauge("syncd_api_quota_limit", "Size of a window.", ["vendor", "window"], registry=registry)
        self.quota_remaining = Gauge(
            "syncd_api_quota_remaining", "Left in a window.", ["vendor", "window"], registry=registry
        )
        self.quota_exhaustion = Gauge(
            "syncd_api_quota_exhaustion_seconds", "Until a window is spent at the present burn; +Inf when it lasts.",
            ["vendor", "window"], registry=registry,
        )  # fmt: skip
        self.cursor_age = Gauge(
            "syncd_cursor_age_seconds", "Since a capture last ended well.", ["stream"], registry=registry
        )
        self.gap_seconds = Gauge(
            "syncd_gap_seconds", "Since a gap of a stream was stated that is not mended yet.", ["stream"],
            registry=registry,
        )  # fmt: skip
        self.wal_bytes = Gauge("syncd_wal_bytes", "Size of the state file's WAL.", registry=registry)
        self._captured = Counter(
            "syncd_captured_changes", "Changes that polls and hydrations staged.", ["connection", "channel"],
            registry=registry,
        )  # fmt: skip
        self._ack_seconds = Histogram(
            "syncd_intake_ack_seconds", "From a request's last byte to its acknowledgement.", registry=registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
        )  # fmt: skip
        self._folds = Counter("syncd_changes_folded", "Changes by what became of them.", ["outcome"], registry=registry)
        self._echoes = Counter("syncd_echo_suppressed", "Changes that told nothing new.", registry=registry)
        self._deliveries = Counter(
            "syncd_deliveries", "Deliveries by outcome.", ["target", "object", "outcome"], registry=registry
        )
        self._delivery_seconds = Histogram(
            "syncd_delivery_duration_seconds", "One call of the system, with its waits.", ["target"], registry=registry,
            buckets=_CALL_BUCKETS,
        )  # fmt: skip
        self._end_to_end = Histogram(
            "syncd_end_to_end_latency_seconds", "Change received to vendor applied.", ["target"], registry=registry,
            buckets=_LATENCY_BUCKETS,
        )  # fmt: skip
        self._api_calls = Counter(
            "syncd_api_calls", "Vendor calls by answer.", ["vendor", "api", "outcome"], registry=registry
        )
        self._replays = Counter("syncd_replays", "Dead letters replayed or discarded.", ["outcome"], registry=registry)

    # --- what happened -------------------------------------------------------------------------------------------

    def acknowledged(self, seconds: float) -> None:
        """A request to the intake was acknowledged."""
        self._acknowledged.add(1)
        self._intake_latency.add(seconds)
        self._ack_seconds.observe(seconds)

    def captured(self, connection: str, channel: str, staged: int) -> None:
        """A poll or a hydration staged changes."""
        if staged:
            self._captured.labels(connection, channel).inc(staged)

    def folded(self, folded: int, echoes: int, parked: int) -> None:
        self._folds.labels("folded").inc(folded)
        self._folds.labels("parked").inc(parked)
        self._echoes.inc(echoes)

    def delivered(self, target: str, object_: str, seconds: float) -> None:
        """One record arrived, so long after its change was received."""
        self._done.add(1)
        self._delivery_latency.add(seconds)
        self._end_to_end.labels(target).observe(seconds)
        self._deliveries.labels(target, object_, "delivered").inc()

    def deliveries_ended(self, target: str, object_: str, outcome: str, count: int) -> None:
        """``unchanged``, ``retry`` or ``dead``."""
        if count:
            self._deliveries.labels(target, object_, outcome).inc(count)

    def delivery_duration(self, target: str, seconds: float) -> None:
        self._delivery_seconds.labels(target).observe(seconds)

    def called(self, connection: str, api: str, status: int) -> None:
        """A vendor call ended; status 0 is a network failure."""
        outcome = "unreached" if status == 0 else f"{status // 100}xx" if status != 429 else "429"
        self._api_calls.labels(connection, api, outcome).inc()
        self._window(self._calls, connection).add(1)
        if status == 0 or status >= 400:
            self._window(self._errors, connection).add(1)

    def replayed(self, outcome: str, count: int) -> None:
        """``replayed`` or ``discarded``."""
        if count:
            self._replays.labels(outcome).inc(count)

    # --- what is looked at ---------------------------------------------------------------------------------------

    def intake_latency(self) -> Percentiles:
        return self._intake_latency.percentiles()

    def delivery_latency(self) -> Percentiles:
        return self._delivery_latency.percentiles()

    def throughput(self, seconds: float) -> float:
        """Deliveries done a second, over the last ``seconds``."""
        return self._done.total(seconds) / seconds

    def intake_rate(self, seconds: float) -> float:
        return self._acknowledged.total(seconds) / seconds

    def calls_last_minute(self, connection: str) -> tuple[int, int]:
        """Calls, and those that failed."""
        return self._window(self._calls, connection).total(60.0), self._window(self._errors, connection).total(60.0)

    def text(self) -> bytes:
        """The exposition for ``/metrics``."""
        return generate_latest(self.registry)

    def _window(self, windows: dict[str, RateWindow], connection: str) -> RateWindow:
        if connection not in windows:
            windows[connection] = RateWindow(self._clock)
        return windows[connection]
