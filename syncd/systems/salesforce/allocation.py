"""The day's allocation of delivered events, shared with everybody who subscribes in the org: watched, since a stream
that has used it up ends and tells nothing any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from syncd.model.change import Lane
from syncd.runtime.clock import World
from syncd.systems.contract import OutOfBudgetError, VendorError
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.settings import Settings

LOOK_SECONDS: Final = 3600.0
LOOK_EVENTS: Final = 1000
DELIVERED: Final = "DailyDeliveredPlatformEvents"


class Allocation:
    """Asked once an hour or every thousand events, whichever comes first; one for all streams of a connection."""

    def __init__(self, settings: Settings, rest: Rest, world: World) -> None:
        self._settings = settings
        self._rest = rest
        self._world = world
        self._looked = world.clock.monotonic()
        self._seen = 0
        self._warned = False

    async def notice(self, events: int) -> str:
        """What an operator should know; empty when all is well or when it was told already."""
        self._seen += events
        now = self._world.clock.monotonic()
        if now < self._looked + LOOK_SECONDS and self._seen < LOOK_EVENTS:
            return ""
        self._looked, self._seen = now, 0
        try:
            left = allowance(await self._rest.get("limits", Lane.SCHEDULED), DELIVERED)
        except (VendorError, OutOfBudgetError):
            # Seeing limits is a right of its own; `check` says so where it is missing.
            return ""
        if left is None or left[1] >= left[0] * self._settings.events_reserve:
            self._warned = False
            return ""
        if self._warned:
            return ""
        self._warned = True
        return f"{left[1]} of {left[0]} events are left for the day; after those the stream is silent"


def allowance(limits: Any, name: str) -> tuple[int, int] | None:
    """What a limit allows and what is left of it."""
    told = limits.get(name) if isinstance(limits, Mapping) else None
    if not isinstance(told, Mapping):
        return None
    most, left = told.get("Max"), told.get("Remaining")
    return (most, left) if isinstance(most, int) and isinstance(left, int) and most > 0 else None
