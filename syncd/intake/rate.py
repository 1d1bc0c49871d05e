"""A source's own limit: an even allowance with room for a burst of ten seconds' worth."""

from __future__ import annotations

from typing import Final

BURST_SECONDS: Final = 10.0


class RateBucket:
    """Requests a minute. Refilled by the time that passed; never a timer."""

    __slots__ = ("_capacity", "_level", "_per_second", "_stamp")

    def __init__(self, per_minute: int, now: float) -> None:
        self._per_second = per_minute / 60
        self._capacity = max(1.0, self._per_second * BURST_SECONDS)
        self._level = self._capacity
        self._stamp = now

    def take(self, now: float) -> float:
        """Seconds until the next request would be allowed; 0 when this one is."""
        self._level = min(self._capacity, self._level + (now - self._stamp) * self._per_second)
        self._stamp = now
        if self._level < 1.0:
            return (1.0 - self._level) / self._per_second
        self._level -= 1.0
        return 0.0
