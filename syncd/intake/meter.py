"""What the intake counts about itself, cheap enough for every request."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


class Spread:
    """Durations in buckets that grow by an eighth of an octave, so percentiles are right within a tenth."""

    __slots__ = ("_buckets", "count", "total_seconds")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.total_seconds = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total_seconds += seconds
        micros = int(seconds * 1e6) | 8
        exponent = micros.bit_length() - 4
        self._buckets[(exponent << 3) | ((micros >> exponent) & 7)] += 1

    def percentile(self, fraction: float) -> float | None:
        """Seconds, the upper edge of the bucket; ``None`` while nothing was measured."""
        if not self.count:
            return None
        wanted = fraction * self.count
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                break
        return _upper_micros(bucket) / 1e6

    def cumulative(self, edges_seconds: tuple[float, ...]) -> list[int]:
        """How many were at most each edge, for a Prometheus histogram."""
        return [
            sum(count for bucket, count in self._buckets.items() if _upper_micros(bucket) <= edge * 1e6 * 1.125)
            for edge in edges_seconds
        ]


def _upper_micros(bucket: int) -> int:
    exponent, step = bucket >> 3, bucket & 7
    return (8 + step + 1) << exponent


@dataclass(slots=True)
class Meter:
    """Counts since the start. Sources are names from the configuration, checks come from a fixed set."""

    staged: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By source and kind of change: ``syncd_events_ingested_total``."""
    duplicates: Counter[str] = field(default_factory=Counter)
    """By source: ``syncd_events_duplicate_total``."""
    refused: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Answers that were not an acknowledgement, by status and check: ``syncd_intake_refused_total``."""
    acknowledged: int = 0
    """Requests answered 2xx after their commit."""
    ack: Spread = field(default_factory=Spread)
    """From the last byte of a request to its acknowledgement."""
    connections: int = 0
    """Open now."""
