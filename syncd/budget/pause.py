"""The pause after a refusal: one for the whole window, longer each time it was too short, and a ramp after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_PAUSE_SECONDS: Final = 3600.0
"""Longer waits that a vendor names are cut to this, and asked again: a nonsensical one must not stop us for years."""
MIN_PAUSE_SECONDS: Final = 0.25
_RAMP_FLOOR: Final = 0.25


@dataclass(slots=True)
class Pause:
    """``base`` seconds at the first refusal, where the vendor names no time; doubled while they follow each other."""

    base: float
    ramp_seconds: float
    longest_guess: float = MAX_PAUSE_SECONDS
    """The doubling ends here."""
    until: float = float("-inf")
    strikes: int = 0
    _begun: float = float("-inf")

    def refuse(self, now: float, wait: float | None, sent_at: float, base: float | None = None) -> None:
        """``base`` replaces the usual first guess.

        Calls that were on their way when the pause began are refused for the same cause: they count once, and
        lengthen the pause only where the vendor names a later end.
        """
        first = sent_at >= self._begun
        if first:
            self.strikes += 1
            self._begun = now
        if wait is None:
            if not first:
                return
            wait = min((base or self.base) * 2 ** min(self.strikes - 1, 16), self.longest_guess)
        self.until = max(self.until, now + min(max(wait, MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS))

    def accepted(self, sent_at: float) -> None:
        """A call that left after the pause went through."""
        if self.strikes and sent_at >= self.until:
            self.strikes = 0

    def pace(self, now: float) -> float:
        """Share of the normal pace: rises from a quarter to 1 in the time of the ramp after the pause."""
        if not self.ramping(now):
            return 1.0
        return max(_RAMP_FLOOR, min(1.0, _RAMP_FLOOR + (1 - _RAMP_FLOOR) * (now - self.until) / self.ramp_seconds))

    def ramping(self, now: float) -> bool:
        return now < self.until + self.ramp_seconds

    def left(self, now: float) -> float:
        return max(0.0, self.until - now)
