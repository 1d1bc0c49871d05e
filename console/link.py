"""Whether what is on the screen is true now: connecting, live, stale or reconnecting, and how old it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

STALE_AFTER_SECONDS = 3.0
"""Snapshots come every second; three missing ones are worth a warning."""


class Phase(StrEnum):
    CONNECTING = "connecting"
    """Nothing was heard yet."""
    LIVE = "live"
    STALE = "stale"
    """The line stands, but nothing comes."""
    RECONNECTING = "reconnecting"
    """The daemon went away; it is tried again and again."""


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of the line to the daemon. Times are seconds of a monotonic clock."""

    heard_at: float | None = None
    lost_at: float | None = None
    tries: int = 0
    reason: str = ""

    def heard(self, now: float) -> Link:
        return Link(heard_at=now)

    def lost(self, now: float, reason: str) -> Link:
        lost_at = now if self.lost_at is None else self.lost_at
        return replace(self, lost_at=lost_at, tries=self.tries + 1, reason=reason)

    def phase(self, now: float) -> Phase:
        if self.lost_at is not None:
            return Phase.RECONNECTING if self.heard_at is not None else Phase.CONNECTING
        if self.heard_at is None:
            return Phase.CONNECTING
        return Phase.STALE if now - self.heard_at > STALE_AFTER_SECONDS else Phase.LIVE

    def age_seconds(self, now: float) -> float | None:
        """Since the daemon was last heard; ``None`` if never."""
        return None if self.heard_at is None else now - self.heard_at
