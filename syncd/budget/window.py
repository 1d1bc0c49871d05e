"""What all windows have in common: the time they are told, the spends they hold, the view they give.

Windows are plain state machines: no I/O, no clock, no asyncio. Every method is told what time it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from syncd.budget.spec import WindowSpec
from syncd.model.change import Lane

LANES: Final = len(Lane)


class Now(NamedTuple):
    mono: float
    """Seconds of a clock that never goes back."""
    wall: float
    """Seconds since the epoch, UTC, as this machine believes."""


@dataclass(slots=True, eq=False)
class Spend:
    """One call's share of one window, from the decision to let it go until it is over."""

    lane: Lane
    cost: int
    made_at: float
    """Monotonic, as all times here."""
    left_at: float | None = None
    """When the call left, at the latest; ``None`` while it is still being written down."""
    counts_until: float | None = None
    """When it stops to count in a rolling window; ``None`` while that is not known."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reply tells of one window."""

    window: str
    limit: int | None = None
    remaining: int | None = None
    seconds: float | None = None
    """Length of the window."""
    resets_in: float | None = None


@dataclass(frozen=True, slots=True)
class WindowView:
    """A window as an operator sees it. Spans are seconds."""

    window: str
    limit: int
    used: int
    """By everybody, as far as the vendor told us."""
    own: int
    resets_in_seconds: float
    exhausted_in_seconds: float | None
    """At the present burn; ``None`` when it lasts until the reset."""
    reserves: Mapping[str, float] = field(default_factory=dict)
    paused_for_seconds: float = 0.0


class Window(ABC):
    """One limit. :meth:`ready_at` decides, the other methods tell it what happened."""

    def __init__(self, spec: WindowSpec) -> None:
        self.spec = spec

    @abstractmethod
    def ready_at(self, now: Now, lane: Lane, cost: int) -> float:
        """The earliest monotonic time at which such a call may go, as things stand: not after ``now.mono`` when it
        may go now, infinite when that hangs on another call's end."""

    @abstractmethod
    def room(self, now: Now, lane: Lane) -> int:
        """How many calls of cost 1 would fit now, pacing aside."""

    @abstractmethod
    def spend(self, now: Now, lane: Lane, cost: int) -> Spend: ...

    @abstractmethod
    def leave(self, now: Now, spend: Spend) -> None:
        """The call leaves now."""

    @abstractmethod
    def finish(self, now: Now, spend: Spend, *, answered: bool) -> None:
        """The call is over. A reply proves that it was counted, if it was, before now; a call that was broken off may
        still be on its way."""

    @abstractmethod
    def refund(self, spend: Spend) -> None:
        """The call never left."""

    def learn(self, now: Now, reading: Reading, sent_at: float) -> None:  # noqa: B027 - most learn nothing
        """Take in what a reply to a call that left at ``sent_at`` told."""

    def replied(self, now: Now, status: int, seconds: float, *, uneven: bool) -> None:  # noqa: B027 - most do not care
        """A reply came (status 0: none came) after ``seconds``."""

    @abstractmethod
    def refuse(self, now: Now, wait: float | None, sent_at: float) -> None:
        """The vendor said: too many; ``wait`` is the time it named, if it did."""

    @abstractmethod
    def view(self, now: Now) -> WindowView: ...

    @abstractmethod
    def capacity(self) -> int:
        """The largest cost that can ever be paid."""

    def state(self, now: Now) -> dict[str, Any]:  # noqa: ARG002 - forms without memory
        """What must survive a restart, as JSON."""
        return {}

    def restore(self, now: Now, state: Mapping[str, Any]) -> None:  # noqa: B027 - forms without memory
        """Take up the state that an earlier process left."""

    def forget(self, now: Now) -> None:  # noqa: B027 - forms without memory
        """The earlier process's state cannot be read: assume the worst that passes by itself."""

    def reserves(self) -> dict[str, float]:
        return {lane.name.lower(): part for lane, part in sorted(self.spec.reserve.items()) if part}
