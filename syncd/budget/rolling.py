"""A rolling window: at most so many calls in any span of so many seconds, as the vendor counts them.

We know when a call left and when its reply came; the vendor counted it somewhere between. So a call holds its place
from the moment it was let go until a whole window after the latest time at which it can have been counted. That is
safe whether the vendor's window slides or is cut in fixed slices, whatever its clock shows, and costs only the time of
a reply per window. Within that, calls are spread evenly over the time until room comes back, because room that is spent
in one burst comes back in one burst; urgent lanes may burst while the window is mostly free.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import Any, Final

from syncd.budget.pause import MAX_PAUSE_SECONDS, Pause
from syncd.budget.spec import WindowSpec, allowance
from syncd.budget.window import LANES, Now, Reading, Spend, Window, WindowView
from syncd.model.change import Lane

SLACK_SECONDS: Final = 0.002
"""Added to every window: two clocks that drift by 100 ppm part by a millisecond in ten seconds, timers are coarse."""
_BURST_SHARE: Final = 0.5
"""Operator and live calls are not spaced while less than this share of the window is used."""
_PUZZLED_SECONDS: Final = 1.0
"""The first pause after a refusal that our own count cannot explain."""
_BRISK: Final = 0.97
"""Calls are spaced a little closer than evenly, so that a place which came back late is not lost for good."""
_COARSE_FROM: Final = 600.0
"""Longer windows keep their calls in a thousand grains, and are not paced: they are spent, not streamed."""


class RollingWindow(Window):
    def __init__(self, spec: WindowSpec) -> None:
        super().__init__(spec)
        self._limit = spec.limit
        self._seconds = spec.seconds
        self._open: dict[Spend, None] = {}
        self._settled: list[tuple[float, Lane, int]] = []
        """(counts until, lane, cost), ordered."""
        self._used = [0] * LANES
        self._foreign = 0
        self._foreign_until = -math.inf
        self._last = -math.inf
        """When the last call was let go; the pace starts there."""
        self._last_cost = 1
        self._latest: tuple[Spend, float, int] | None = None
        """The latest spend, with where the pace stood before it: it may be given back."""
        coarse = spec.seconds >= _COARSE_FROM
        self._pause = Pause(
            base=60.0 if coarse else spec.seconds, ramp_seconds=self._ramp(),
            longest_guess=MAX_PAUSE_SECONDS if coarse else 2 * spec.seconds,
        )  # fmt: skip

    def _ramp(self) -> float:
        return min(self._seconds, 60.0)

    # --- decisions ------------------------------------------------------------------------------------------------

    def ready_at(self, now: Now, lane: Lane, cost: int) -> float:
        self._expire(now.mono)
        if self._pause.until > now.mono:
            return self._pause.until
        return max(self._slot_at(now.mono, lane, cost), self._pace_at(now.mono, lane, cost))

    def room(self, now: Now, lane: Lane) -> int:
        self._expire(now.mono)
        if self._pause.until > now.mono:
            return 0
        return max(0, self._allowed(now.mono, lane) - sum(self._used))

    def capacity(self) -> int:
        return self._own_limit()

    def _own_limit(self) -> int:
        limit = self._limit if self.spec.ceiling is None else min(self._limit, self.spec.ceiling)
        return max(1, math.floor(limit * self.spec.share))

    def _foreign_now(self, mono: float) -> int:
        """What others use, with a little head-room: their use may be rising."""
        if mono >= self._foreign_until or self._foreign <= 0:
            return 0
        return self._foreign + math.ceil(self._foreign * 0.1)

    def _allowed(self, mono: float, lane: Lane) -> int:
        limit = max(0, min(self._own_limit(), self._limit - self._foreign_now(mono)))
        return allowance(limit, lane, self._used, self.spec.reserve)

    def _places(self, mono: float) -> list[tuple[float, int]]:
        """When places come back at the latest, in order, with how many."""
        unknown = mono + self.spec.transit_seconds + self._seconds + SLACK_SECONDS
        still = [(unknown if one.counts_until is None else one.counts_until, one.cost) for one in self._open]
        return sorted([(until, cost) for until, _, cost in self._settled] + still)

    def _places_hoped(self) -> list[tuple[float, int]]:
        """The same where replies come at once; calls are spaced by this, not by the caution of the other."""
        still = [(one.made_at + self._seconds, one.cost) for one in self._open]
        return sorted([(until, cost) for until, _, cost in self._settled] + still)

    def _slot_at(self, mono: float, lane: Lane, cost: int) -> float:
        short = sum(self._used) + cost - self._allowed(mono, lane)
        if short <= 0:
            return mono
        when = math.inf
        for until, freed in self._places(mono):
            short -= freed
            if short <= 0:
                when = until
                break
        # What others used comes back too, at the latest a window after we heard of it.
        return min(when, self._foreign_until) if self._foreign_now(mono) else when

    def _pace_at(self, mono: float, lane: Lane, cost: int) -> float:
        if self._seconds >= _COARSE_FROM or self._may_burst(mono, lane, cost):
            return mono
        return max(mono, self._last + self._last_cost * self._spacing(mono, lane))

    def _may_burst(self, mono: float, lane: Lane, cost: int) -> bool:
        if lane > Lane.LIVE or self._pause.ramping(mono):
            return False
        if sum(self._used) + cost <= _BURST_SHARE * self._own_limit():
            return True
        return self._used[lane] + cost <= math.floor(self._own_limit() * self.spec.reserve.get(lane, 0.0))

    def _spacing(self, mono: float, lane: Lane) -> float:
        """The even spacing that never runs dry: with ``room`` now and the n-th place coming back at a known time, the
        call after it must not be due before. Room that others' use has taken away makes it wider, too."""
        limit = max(1, self._allowed(mono, lane))
        room = limit - sum(self._used)
        widest = self._seconds / limit
        for until, freed in self._places_hoped():
            room += freed
            if room > 0:
                widest = max(widest, (until - self._last) / room)
        return _BRISK * widest / self._pause.pace(mono)

    # --- what happened ----------------------------------------------------------------------------------------------

    def spend(self, now: Now, lane: Lane, cost: int) -> Spend:
        spend = Spend(lane, cost, now.mono)
        self._open[spend] = None
        self._used[lane] += cost
        self._latest = (spend, self._last, self._last_cost)
        self._last, self._last_cost = now.mono, cost
        return spend

    def leave(self, now: Now, spend: Spend) -> None:
        spend.left_at = now.mono
        spend.counts_until = now.mono + self.spec.transit_seconds + self._seconds + SLACK_SECONDS

    def finish(self, now: Now, spend: Spend, *, answered: bool) -> None:
        if spend not in self._open:
            return  # it hung longer than it counts
        del self._open[spend]
        until = now.mono + self._seconds + SLACK_SECONDS
        if spend.counts_until is not None:
            until = min(until, spend.counts_until) if answered else spend.counts_until
        self._settle(until, spend.lane, spend.cost)

    def _settle(self, until: float, lane: Lane, cost: int) -> None:
        if self._seconds >= _COARSE_FROM:
            grain = self._seconds / 1000
            until = math.ceil(until / grain) * grain
            index = bisect_left(self._settled, (until, lane, 0))
            if index < len(self._settled) and self._settled[index][:2] == (until, lane):
                self._settled[index] = (until, lane, self._settled[index][2] + cost)
                return
        insort(self._settled, (until, lane, cost))

    def refund(self, spend: Spend) -> None:
        if spend in self._open:
            del self._open[spend]
            self._used[spend.lane] -= spend.cost
            if self._latest is not None and self._latest[0] is spend:
                _, self._last, self._last_cost = self._latest
                self._latest = None

    def _expire(self, mono: float) -> None:
        gone = 0
        for until, lane, cost in self._settled:
            if until > mono:
                break
            gone += 1
            self._used[lane] -= cost
        if gone:
            del self._settled[:gone]
        for spend in [one for one in self._open if one.counts_until is not None and one.counts_until <= mono]:
            del self._open[spend]
            self._used[spend.lane] -= spend.cost

    def learn(self, now: Now, reading: Reading, sent_at: float) -> None:
        if reading.seconds and reading.seconds > 0:
            self._seconds = reading.seconds
            self._pause.ramp_seconds = self._ramp()
        if reading.limit and reading.limit > 0:
            self._limit = reading.limit
        if reading.remaining is None or sent_at < self._pause.until:
            return
        self._expire(now.mono)
        # Every call of ours that may still count is taken as counted, so that only others' use is left over.
        self._foreign = max(0, self._limit - max(0, reading.remaining) - sum(self._used))
        self._foreign_until = now.mono + self._seconds

    def replied(self, now: Now, status: int, seconds: float, *, uneven: bool) -> None:
        del uneven
        if status not in (0, 429):
            self._pause.accepted(now.mono - seconds)

    def refuse(self, now: Now, wait: float | None, sent_at: float) -> None:
        # Where our own count leaves plenty of room, the refusal is about something that passes sooner than the window.
        puzzling = sum(self._used) < _BURST_SHARE * self._own_limit()
        self._pause.refuse(now.mono, wait, sent_at, _PUZZLED_SECONDS if puzzling else None)
        self._latest = None
        self._last = max(self._last, self._pause.until)

    # --- views and memory -------------------------------------------------------------------------------------------

    def view(self, now: Now) -> WindowView:
        self._expire(now.mono)
        own = sum(self._used)
        foreign = self._foreign if now.mono < self._foreign_until else 0
        places = self._places(now.mono)
        ends = max([places[-1][0] if places else 0.0, self._foreign_until if foreign else 0.0, self._pause.until])
        full = own + foreign >= self._limit or self._pause.until > now.mono
        return WindowView(
            self.spec.name, self._limit, own + foreign, own,
            resets_in_seconds=max(0.0, ends - now.mono), exhausted_in_seconds=0.0 if full else None,
            reserves=self.reserves(), paused_for_seconds=self._pause.left(now.mono),
        )  # fmt: skip

    def state(self, now: Now) -> dict[str, Any]:
        """Times as whole milliseconds of the wall clock, rounded up; each after its predecessor, to be short.
        Calls whose end is not known are only counted."""
        self._expire(now.mono)
        shift = now.wall - now.mono
        known = [(one.counts_until, one.lane, one.cost) for one in self._open if one.counts_until is not None]
        spent = sorted(self._settled + known) if known else self._settled
        ends = [math.ceil((until + shift) * 1000) for until, _, _ in spent]
        pending = [0] * LANES
        for one in self._open:
            if one.counts_until is None:
                pending[one.lane] += one.cost
        state: dict[str, Any] = {
            "limit": self._limit,
            "seconds": self._seconds,
            "ends": [one - before for one, before in zip(ends, [0, *ends], strict=False)],
            "lanes": "".join(str(int(lane)) for _, lane, _ in spent),
            "pending": pending,
        }
        if any(cost != 1 for _, _, cost in spent):
            state["costs"] = [cost for _, _, cost in spent]
        if self._pause.until > now.mono:
            state["paused_until"] = math.ceil((self._pause.until + shift) * 1000)
        return state

    def restore(self, now: Now, state: Mapping[str, Any]) -> None:
        self._limit = int(state["limit"])
        self._seconds = float(state["seconds"])
        self._pause.ramp_seconds = self._ramp()
        longest = now.mono + self.spec.transit_seconds + self._seconds + SLACK_SECONDS
        shift = now.wall - now.mono
        costs = state.get("costs") or [1] * len(state["ends"])
        at = 0
        for step, lane, cost in zip(state["ends"], state["lanes"], costs, strict=True):
            at += step
            # Never beyond a whole window from now: the wall clock may have been set back meanwhile.
            until = min(at / 1000 - shift, longest)
            if until > now.mono:
                self._settle(until, Lane(int(lane)), cost)
                self._used[int(lane)] += cost
        for lane in Lane:
            # These may have left at any time up to the end of the last process.
            if state["pending"][lane]:
                self._settle(longest, lane, state["pending"][lane])
                self._used[lane] += state["pending"][lane]
        if "paused_until" in state:
            self._pause.until = min(state["paused_until"] / 1000 - shift, now.mono + MAX_PAUSE_SECONDS)
        self._last = max(now.mono, self._pause.until)

    def forget(self, now: Now) -> None:
        self._open.clear()
        self._used = [0] * LANES
        self._used[Lane.BULK] = self._limit
        ends = now.mono + self.spec.transit_seconds + self._seconds + SLACK_SECONDS
        self._settled = [(ends, Lane.BULK, self._limit)]
        self._last = now.mono
