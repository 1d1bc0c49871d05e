"""When to try again: capped exponential backoff with full jitter, as a pure function.

>>> [ceiling_seconds(n) for n in (1, 2, 3, 10)]
[2.0, 4.0, 8.0, 300.0]
"""

from __future__ import annotations

from dataclasses import dataclass

BASE_SECONDS = 1.0
CAP_SECONDS = 300.0
MAX_ATTEMPTS = 12
"""About 25 minutes of trying in the mean; then a dead letter. Waiting for a budget or a named time is not counted."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patiently deliveries are tried again."""

    base_seconds: float = BASE_SECONDS
    cap_seconds: float = CAP_SECONDS
    attempts: int = MAX_ATTEMPTS

    def delay_seconds(self, attempt: int, chance: float) -> float:
        return delay_seconds(attempt, chance, self.base_seconds, self.cap_seconds)


STANDARD = RetryPolicy()


def ceiling_seconds(attempt: int, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> float:
    """The longest wait after the given failed attempt (the first is 1)."""
    return float(min(cap, base * 2 ** min(attempt, 32)))


def delay_seconds(attempt: int, chance: float, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> float:
    """The wait for a ``chance`` in ``[0, 1)``: between a quarter of the ceiling and the ceiling, so that
    many failures at once neither return together nor at once."""
    ceiling = ceiling_seconds(attempt, base, cap)
    return ceiling * (0.25 + 0.75 * chance)
