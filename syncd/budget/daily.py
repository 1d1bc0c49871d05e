"""A daily window: a count that starts again at midnight in the vendor account's time zone, by the vendor's clock.

A new day begins for us when it certainly has begun for the vendor, and what may have been counted on either side of
midnight counts on both. Other applications spend from the same count: the vendor's own figure is truth, ours is what
we know between two replies.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncd.budget.pause import MAX_PAUSE_SECONDS, Pause
from syncd.budget.server_clock import ServerClock
from syncd.budget.spec import WindowSpec, allowance
from syncd.budget.window import LANES, Now, Reading, Spend, Window, WindowView
from syncd.model.change import Lane

_OBSERVED_SECONDS: Final = 10.0
"""What replies tell is believed at its highest over one to two such spans: they overtake each other."""
_BURN_SECONDS: Final = 600.0
_BURN_STEP: Final = 5.0
_PROBE_SECONDS: Final = 3600.0
"""Where the account's zone is not known, a spent count is tried once in so long: its midnight may have passed."""


def zone_of(name: str | None) -> ZoneInfo:
    """Raises :class:`ValueError` for a name that is not a time zone."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone, such as Europe/Berlin") from None


class DailyWindow(Window):
    def __init__(self, spec: WindowSpec, clock: ServerClock) -> None:
        super().__init__(spec)
        self._zone = zone_of(spec.zone)
        self._clock = clock
        self._limit = spec.limit
        self._midnight = -math.inf
        """Start of the vendor's present day, seconds since the epoch; before the first question: none."""
        self._next_midnight = -math.inf
        self._own = [0] * LANES
        self._open: dict[Spend, None] = {}
        self._late: deque[tuple[float, Lane, int]] = deque()
        """Calls that ended a moment ago, (monotonic end, lane, cost): around midnight they count on both sides."""
        self._offset = [0, 0]
        """Highest of (vendor's count - ours) in the span before and in this one."""
        self._offset_began = -math.inf
        self._day_began = -math.inf
        """Monotonic time of the last change of day; older replies speak of the day before."""
        self._last_spend = -math.inf
        self._burn: deque[tuple[float, int]] = deque()
        self._pause = Pause(base=MAX_PAUSE_SECONDS, ramp_seconds=1.0)

    # --- decisions ------------------------------------------------------------------------------------------------

    def ready_at(self, now: Now, lane: Lane, cost: int) -> float:
        self._turn(now)
        if self._pause.until > now.mono:
            return self._pause.until
        if self._used() + cost <= self._allowed(lane):
            return now.mono
        reset = self._reset_at(now)
        if self.spec.zone is None and not self._open and self._offset_began > -math.inf:
            return min(reset, max(now.mono, self._last_spend + _PROBE_SECONDS))
        return reset

    def room(self, now: Now, lane: Lane) -> int:
        self._turn(now)
        if self._pause.until > now.mono:
            return 0
        return max(0, self._allowed(lane) - self._used())

    def capacity(self) -> int:
        return self._own_limit()

    def _own_limit(self) -> int:
        limit = self._limit if self.spec.ceiling is None else min(self._limit, self.spec.ceiling)
        return max(1, math.floor(limit * self.spec.share))

    def _allowed(self, lane: Lane) -> int:
        """Up to where all use may rise: by the vendor's limit, and by our own share on top of what others used."""
        own = self._own_limit()
        total = min(self._limit, own + max(0, self._used() - sum(self._own)))
        return total - (own - allowance(own, lane, self._own, self.spec.reserve))

    def _used(self) -> int:
        return max(0, sum(self._own) + max(self._offset))

    def _reset_at(self, now: Now) -> float:
        return now.mono + max(0.0, self._next_midnight - (now.wall + self._clock.low))

    def _turn(self, now: Now) -> None:
        """Begin the vendor's new day once it has begun for certain."""
        surely = now.wall + self._clock.low
        if surely < self._next_midnight and self._midnight - 86_400 < surely:
            return
        first = self._midnight == -math.inf
        self._midnight, self._next_midnight = self._day_of(surely)
        if first:
            return
        turned = now.mono - (surely - self._midnight)
        self._own = [0] * LANES
        for ended, lane, cost in self._late:
            if ended >= turned - self._clock.width:
                self._own[lane] += cost
        for spend in self._open:
            self._own[spend.lane] += spend.cost
        self._offset = [0, 0]
        self._day_began = now.mono
        self._burn.clear()

    def _day_of(self, instant: float) -> tuple[float, float]:
        today = datetime.fromtimestamp(instant, UTC).astimezone(self._zone).date()
        starts = (datetime.combine(day, time(), self._zone) for day in (today, today + timedelta(days=1)))
        begin, end = (one.timestamp() for one in starts)
        return begin, end

    # --- what happened ----------------------------------------------------------------------------------------------

    def spend(self, now: Now, lane: Lane, cost: int) -> Spend:
        self._turn(now)
        spend = Spend(lane, cost, now.mono)
        self._open[spend] = None
        self._own[lane] += cost
        self._last_spend = now.mono
        self._note_burn(now.mono)
        return spend

    def leave(self, now: Now, spend: Spend) -> None:
        spend.left_at = now.mono

    def finish(self, now: Now, spend: Spend, *, answered: bool) -> None:
        self._turn(now)
        self._open.pop(spend, None)
        self._late.append((now.mono + (0.0 if answered else self.spec.transit_seconds), spend.lane, spend.cost))
        while self._late and self._late[0][0] < now.mono - max(10.0, 2 * self._clock.width):
            self._late.popleft()

    def refund(self, spend: Spend) -> None:
        if spend in self._open:
            del self._open[spend]
            self._own[spend.lane] = max(0, self._own[spend.lane] - spend.cost)

    def learn(self, now: Now, reading: Reading, sent_at: float) -> None:
        self._turn(now)
        if reading.limit and reading.limit > 0:
            self._limit = reading.limit
        if reading.remaining is None or sent_at < self._day_began:
            return
        # Those still on their way may not be in the vendor's figure yet; the one that told it is.
        under_way = max(0, sum(one.cost for one in self._open) - 1)
        offset = self._limit - max(0, reading.remaining) + under_way - sum(self._own)
        if now.mono - self._offset_began >= _OBSERVED_SECONDS:
            stale = now.mono - self._offset_began >= 2 * _OBSERVED_SECONDS
            self._offset = [offset if stale else self._offset[1], offset]
            self._offset_began = now.mono
        else:
            self._offset[1] = max(self._offset[1], offset)
        self._note_burn(now.mono)

    def replied(self, now: Now, status: int, seconds: float, *, uneven: bool) -> None:
        del uneven
        if status not in (0, 429):
            self._pause.accepted(now.mono - seconds)

    def refuse(self, now: Now, wait: float | None, sent_at: float) -> None:
        self._turn(now)
        until_reset = max(1.0, self._reset_at(now) - now.mono)
        self._pause.refuse(now.mono, until_reset if wait is None else wait, sent_at)

    def _note_burn(self, mono: float) -> None:
        if self._burn and mono - self._burn[-1][0] < _BURN_STEP:
            return
        self._burn.append((mono, self._used()))
        while self._burn[0][0] < mono - _BURN_SECONDS:
            self._burn.popleft()

    # --- views and memory -------------------------------------------------------------------------------------------

    def view(self, now: Now) -> WindowView:
        self._turn(now)
        resets = self._reset_at(now) - now.mono
        return WindowView(
            self.spec.name, self._limit, self._used(), sum(self._own), resets_in_seconds=resets,
            exhausted_in_seconds=self._exhausted_in(now, resets), reserves=self.reserves(),
            paused_for_seconds=self._pause.left(now.mono),
        )  # fmt: skip

    def _exhausted_in(self, now: Now, resets: float) -> float | None:
        left = self._limit - self._used()
        if left <= 0:
            return 0.0
        recent = [one for one in self._burn if one[0] >= now.mono - _BURN_SECONDS]
        if not recent or now.mono - recent[0][0] < _BURN_STEP:
            return None
        rate = (self._used() - recent[0][1]) / (now.mono - recent[0][0])
        if rate <= 0 or left / rate >= resets:
            return None
        return left / rate

    def state(self, now: Now) -> dict[str, Any]:
        self._turn(now)
        late = [0] * LANES
        for ended, lane, cost in self._late:
            if ended >= now.mono - max(10.0, 2 * self._clock.width):
                late[lane] += cost
        for spend in self._open:
            late[spend.lane] += spend.cost
        state: dict[str, Any] = {
            "limit": self._limit, "midnight": self._midnight, "own": self._own, "offset": max(self._offset),
            "late": late, "saved": now.wall,
        }  # fmt: skip
        if self._pause.until > now.mono:
            state["paused_until"] = self._pause.until + now.wall - now.mono
        return state

    def restore(self, now: Now, state: Mapping[str, Any]) -> None:
        self._limit = int(state["limit"])
        self._turn(now)
        if "paused_until" in state:
            left = min(float(state["paused_until"]) - now.wall, MAX_PAUSE_SECONDS)
            self._pause.until = now.mono + left
        if float(state["midnight"]) >= self._midnight:
            self._own = [int(one) for one in state["own"]]
            self._offset = [int(state["offset"])] * 2
        elif float(state["saved"]) + self._clock.high + 60.0 >= self._midnight:
            # The last process ended around midnight: what it did last may count in the new day.
            self._own = [int(one) for one in state["late"]]
