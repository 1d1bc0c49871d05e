"""How many calls at once: a fixed number, or one that is found by trying.

The adaptive gate is for vendors that name no limit: every round of good replies while the gate is busy lets one more
call in; an overload (5xx, no reply at all, 429) halves it, replies that come much later than usual take off a fifth.
Calls whose replies take long for what they hold (pages) are left out of that comparison: beside one short look after
another, a hydration would pass for an overload, and close the gate on everybody.
One trouble is punished once: calls that were under way when the gate closed a little tell nothing new.
"""

from __future__ import annotations

import math
from typing import Final

from syncd.budget.pause import Pause
from syncd.budget.spec import WindowSpec, allowance
from syncd.budget.window import LANES, Now, Spend, Window, WindowView
from syncd.model.change import Lane

_START: Final = 4.0
_SLOW_FACTOR: Final = 3.0
_SLOW_SECONDS: Final = 0.25
_USUAL_SECONDS: Final = 300.0
"""What a usual reply takes is the shortest of the last one to two such spans."""


class Gate(Window):
    def __init__(self, spec: WindowSpec) -> None:
        super().__init__(spec)
        self._open: dict[Spend, None] = {}
        self._used = [0] * LANES
        self._pause = Pause(base=1.0, ramp_seconds=10.0, longest_guess=60.0)

    def _limit_now(self) -> int:
        return self.spec.limit if self.spec.ceiling is None else min(self.spec.limit, self.spec.ceiling)

    def _width(self, now: Now) -> int:
        """Slots open now: few at first after a pause."""
        return max(1, math.floor(self._limit_now() * self._pause.pace(now.mono)))

    def ready_at(self, now: Now, lane: Lane, cost: int) -> float:
        del cost  # a call is one call, however dear
        if self._pause.until > now.mono:
            return self._pause.until
        if self.room(now, lane) > 0:
            return now.mono
        # After a pause slots come back with time as well as with the end of a call.
        return now.mono + 1.0 if self._pause.ramping(now.mono) else math.inf

    def room(self, now: Now, lane: Lane) -> int:
        if self._pause.until > now.mono:
            return 0
        return max(0, allowance(self._width(now), lane, self._used, self.spec.reserve) - len(self._open))

    def capacity(self) -> int:
        return 2**31

    def spend(self, now: Now, lane: Lane, cost: int) -> Spend:
        spend = Spend(lane, cost, now.mono)
        self._open[spend] = None
        self._used[lane] += 1
        return spend

    def leave(self, now: Now, spend: Spend) -> None:
        spend.left_at = now.mono

    def finish(self, now: Now, spend: Spend, *, answered: bool) -> None:
        del now, answered
        self.refund(spend)

    def refund(self, spend: Spend) -> None:
        if spend in self._open:
            del self._open[spend]
            self._used[spend.lane] -= 1

    def replied(self, now: Now, status: int, seconds: float, *, uneven: bool) -> None:
        del uneven
        if status not in (0, 429, 503):
            self._pause.accepted(now.mono - seconds)

    def refuse(self, now: Now, wait: float | None, sent_at: float) -> None:
        self._pause.refuse(now.mono, wait, sent_at)

    def view(self, now: Now) -> WindowView:
        width, used = self._width(now), len(self._open)
        full = used >= width or self._pause.until > now.mono
        return WindowView(
            self.spec.name, width, used, used, resets_in_seconds=self._pause.left(now.mono),
            exhausted_in_seconds=0.0 if full else None, reserves=self.reserves(),
            paused_for_seconds=self._pause.left(now.mono),
        )  # fmt: skip


class AdaptiveGate(Gate):
    def __init__(self, spec: WindowSpec) -> None:
        super().__init__(spec)
        self._wide = min(_START, float(super()._limit_now()))
        self._cut_at = -math.inf
        self._fastest = [math.inf, math.inf]
        self._fastest_began = -math.inf

    def _limit_now(self) -> int:
        return max(1, math.floor(self._wide))

    def replied(self, now: Now, status: int, seconds: float, *, uneven: bool) -> None:
        super().replied(now, status, seconds, uneven=uneven)
        usual = min(self._fastest)
        if status == 0 or status >= 500 or status == 429:
            self._cut(now, 0.5, seconds)
        elif not uneven and seconds > _SLOW_FACTOR * usual + _SLOW_SECONDS:
            self._cut(now, 0.8, seconds)
        elif len(self._open) >= 0.5 * self._wide:
            self._wide = min(float(super()._limit_now()), self._wide + 1.0 / self._wide)
        if status and status < 500 and not uneven:
            self._note_reply(now.mono, seconds)

    def _cut(self, now: Now, factor: float, seconds: float) -> None:
        if now.mono - seconds < self._cut_at:
            return
        self._cut_at = now.mono
        self._wide = max(1.0, self._wide * factor)

    def _note_reply(self, mono: float, seconds: float) -> None:
        if mono - self._fastest_began >= _USUAL_SECONDS:
            self._fastest = [self._fastest[1], math.inf]
            self._fastest_began = mono
        self._fastest[1] = min(self._fastest[1], seconds)
