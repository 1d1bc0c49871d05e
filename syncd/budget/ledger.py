"""All windows of one connection, taken together: when may a call go, what it spends, what its reply tells. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from syncd.budget.daily import DailyWindow
from syncd.budget.gate import AdaptiveGate, Gate
from syncd.budget.headers import BLAMED_WINDOW, Dialect, date_of, lower_names, retry_after, silent
from syncd.budget.rolling import RollingWindow
from syncd.budget.server_clock import ServerClock
from syncd.budget.spec import Form, WindowSpec
from syncd.budget.window import Now, Reading, Spend, Window, WindowView
from syncd.model.change import Lane
from syncd.systems.contract import Call

EARLY_SECONDS: Final = 0.0005
"""Timers are no finer; windows carry more slack than this."""
_UNAVAILABLE: Final = frozenset({477, 503})
"""Statuses at which a vendor asks to be left alone for a named time."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A call that was let go, with what it holds in every window."""

    call: Call
    lane: Lane
    spends: tuple[tuple[Window, Spend], ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a call may not go now."""

    at: float
    """Monotonic; infinite when it hangs on another call's end."""
    window: str
    """The window that lets it go last."""
    blocked: frozenset[str]


@dataclass(frozen=True, slots=True)
class Paused:
    """A refusal began or lengthened a pause."""

    window: str
    seconds: float


class Ledger:
    def __init__(self, specs: Sequence[WindowSpec], dialect: Dialect = silent, unnamed: str = "") -> None:
        names = [spec.name for spec in specs]
        if len(set(names)) != len(names):
            raise ValueError("two windows of one budget share a name")
        self._server = ServerClock()
        self._windows = {spec.name: self._window(spec) for spec in specs}
        self._dialect = dialect
        self._unnamed = unnamed
        self._covering: dict[str, tuple[Window, ...]] = {}

    def _window(self, spec: WindowSpec) -> Window:
        if spec.form is Form.ROLLING:
            return RollingWindow(spec)
        if spec.form is Form.DAILY:
            return DailyWindow(spec, self._server)
        return AdaptiveGate(spec) if spec.form is Form.ADAPTIVE else Gate(spec)

    def covering(self, kind: str) -> tuple[Window, ...]:
        """The windows that a kind of call falls into."""
        if kind not in self._covering:
            self._covering[kind] = tuple(one for one in self._windows.values() if one.spec.covers(kind))
        return self._covering[kind]

    def durable(self, kind: str) -> bool:
        return any(window.spec.durable for window in self.covering(kind))

    # --- the decision -----------------------------------------------------------------------------------------------

    def wait(self, now: Now, call: Call, lane: Lane) -> Wait | None:
        """``None`` when the call may go now."""
        last, at, blocked = "", now.mono, []
        for window in self.covering(call.kind):
            ready = window.ready_at(now, lane, call.cost)
            if ready <= now.mono + EARLY_SECONDS:
                continue
            blocked.append(window.spec.name)
            if ready >= at:
                last, at = window.spec.name, ready
        return Wait(at, last, frozenset(blocked)) if blocked else None

    def check(self, call: Call) -> None:
        """Raises :class:`ValueError` for a cost that no wait will ever pay."""
        for window in self.covering(call.kind):
            if not 1 <= call.cost <= window.capacity():
                raise ValueError(f"a call of cost {call.cost} never fits the {window.spec.name} window")

    def spend(self, now: Now, call: Call, lane: Lane) -> Ticket:
        """Let a call go for which :meth:`wait` found nothing."""
        spends = tuple((window, window.spend(now, lane, call.cost)) for window in self.covering(call.kind))
        return Ticket(call, lane, spends)

    def leave(self, now: Now, ticket: Ticket) -> None:
        for window, spend in ticket.spends:
            window.leave(now, spend)

    def finish(self, now: Now, ticket: Ticket, *, answered: bool) -> None:
        for window, spend in ticket.spends:
            window.finish(now, spend, answered=answered)

    def refund(self, ticket: Ticket) -> None:
        for window, spend in ticket.spends:
            window.refund(spend)

    def room(self, now: Now, kind: str, lane: Lane) -> int:
        """Calls of cost 1 that fit into every window now."""
        return min((window.room(now, lane) for window in self.covering(kind)), default=2**31)

    # --- replies ----------------------------------------------------------------------------------------------------

    def observe(
        self, now: Now, call: Call, status: int, headers: Mapping[str, str], seconds: float
    ) -> Sequence[Paused]:
        names = lower_names(headers)
        seconds = max(0.0, seconds)
        sent_at = now.mono - seconds
        if (date := date_of(names)) is not None:
            self._server.observe(date, now.wall - seconds, now.wall)
        readings = {one.window: one for one in self._dialect(names) if one.window in self._windows}
        for name, reading in readings.items():
            self._windows[name].learn(now, reading, sent_at)
        for window in self.covering(call.kind):
            window.replied(now, status, seconds, uneven=call.uneven)
        wait = retry_after(names, now.wall)
        if status == 429:
            blamed = self._blamed(call, names, readings)
            if blamed is None:
                return ()
            if wait is None and blamed.spec.name in readings:
                wait = readings[blamed.spec.name].resets_in
            return self._refuse(now, [blamed], wait, sent_at)
        if status in _UNAVAILABLE and wait is not None:
            gates = [one for one in self.covering(call.kind) if not one.spec.durable and not one.spec.kinds]
            return self._refuse(now, gates, wait, sent_at)
        return ()

    def _refuse(self, now: Now, windows: Sequence[Window], wait: float | None, sent_at: float) -> Sequence[Paused]:
        paused = []
        for window in windows:
            before = window.view(now).paused_for_seconds
            window.refuse(now, wait, sent_at)
            after = window.view(now).paused_for_seconds
            if after > before:
                paused.append(Paused(window.spec.name, after))
        return paused

    def _blamed(self, call: Call, names: Mapping[str, str], readings: Mapping[str, Reading]) -> Window | None:
        """Whose limit a refusal speaks of: the one it names, one the vendor says is spent (the longest of them), the
        one that is there for this kind of call, the shortest."""
        covering = self.covering(call.kind)
        if (named := self._windows.get(names.get(BLAMED_WINDOW, ""))) is not None:
            return named
        spent = [one for one in covering if (said := readings.get(one.spec.name)) and said.remaining == 0]
        if spent:
            return max(spent, key=_length)
        if self._unnamed in self._windows:
            return self._windows[self._unnamed]
        rates = [one for one in covering if one.spec.durable] or list(covering)
        return min(rates, key=lambda one: (not one.spec.kinds, _length(one)), default=None)

    # --- views and memory -------------------------------------------------------------------------------------------

    def views(self, now: Now) -> list[WindowView]:
        return [window.view(now) for window in self._windows.values()]

    def state(self, now: Now) -> dict[str, Any]:
        return {name: window.state(now) for name, window in self._windows.items() if window.spec.durable}

    def restore(self, now: Now, state: Mapping[str, Any] | None) -> Sequence[str]:
        """Take up what an earlier process left (``None``: something unreadable). Returns the names of windows whose
        state was not understood; they count as spent."""
        lost = []
        for name, window in self._windows.items():
            if not window.spec.durable or (state is not None and name not in state):
                continue
            try:
                if state is None:
                    raise ValueError("no state")  # noqa: TRY301 - one way out for all that cannot be read
                window.restore(now, state[name])
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
                window.forget(now)
                lost.append(name)
        return lost


def _length(window: Window) -> float:
    return {Form.DAILY: 86_400.0}.get(window.spec.form, window.spec.seconds)
