"""Who goes next: the urgent first, within a lane the first come. Pure apart from handing each waiter its answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from syncd.budget.ledger import Ledger, Ticket, Wait
from syncd.budget.window import Now
from syncd.model.change import Lane
from syncd.systems.contract import Call


@dataclass(slots=True, eq=False)
class Waiter:
    call: Call
    lane: Lane
    deadline: float
    """Monotonic; then it is sent away."""
    granted: Callable[[Ticket], None]
    refused: Callable[[Wait], None]
    gone: Callable[[], bool]
    """It was cancelled, and only has not been told yet: neither answer reaches it."""


class Queue:
    def __init__(self) -> None:
        self._lanes: dict[Lane, dict[Waiter, None]] = {lane: {} for lane in Lane}

    def add(self, waiter: Waiter) -> None:
        self._lanes[waiter.lane][waiter] = None

    def remove(self, waiter: Waiter) -> None:
        """Fine for one that is gone already."""
        self._lanes[waiter.lane].pop(waiter, None)

    def __iter__(self) -> Iterator[Waiter]:
        for lane in Lane:
            yield from tuple(self._lanes[lane])

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._lanes.values())

    def serve(self, ledger: Ledger, now: Now) -> float:
        """Let go whoever may go now, send away whoever waited too long; return the monotonic time at which to serve
        again, infinite when only an event can change things.

        A window that keeps a waiter back is closed to everybody behind it, so that a stream of small or differently
        windowed calls cannot starve it; those who do not need that window pass.
        """
        closed: dict[str, Wait] = {}
        again = math.inf
        for waiter in self:
            if waiter.gone():
                self.remove(waiter)
                continue
            wait = self._kept_back(ledger, now, waiter, closed)
            if wait is None:
                self.remove(waiter)
                waiter.granted(ledger.spend(now, waiter.call, waiter.lane))
            elif now.mono >= waiter.deadline:
                self.remove(waiter)
                waiter.refused(wait)
            else:
                again = min(again, wait.at, waiter.deadline)
                for name in wait.blocked:
                    closed.setdefault(name, wait)
        return again

    @staticmethod
    def _kept_back(ledger: Ledger, now: Now, waiter: Waiter, closed: dict[str, Wait]) -> Wait | None:
        for window in ledger.covering(waiter.call.kind):
            if (wait := closed.get(window.spec.name)) is not None:
                return wait
        return ledger.wait(now, waiter.call, waiter.lane)
