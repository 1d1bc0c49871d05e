"""How each connection fares: up, degraded, down or paused. Work for a connection that is down waits; a probe call is
let through from time to time, and the first success opens the gates again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from syncd.engine.signals import Signals
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import Clock

PROBE_SECONDS = 5.0
"""How often a connection that is down is tried."""
DEGRADED_AFTER = 2
DOWN_AFTER = 4
"""Calls in a row that reached nobody."""


@dataclass(frozen=True, slots=True)
class Fare:
    """One connection's state."""

    state: str = "unknown"
    reason: str = ""
    since_at: int = 0
    last_success_at: int = 0
    failures: int = 0
    probe_at: float = 0.0


class Health:
    def __init__(
        self, connections: Iterable[str], clock: Clock, signals: Signals,
        pressure: Callable[[str], float] = lambda _connection: 0.0,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._signals = signals
        self.pressure = pressure
        """How much of a connection's tightest short window is used, 0 to 1: whether calls should travel together."""
        self._fares = {name: Fare(since_at=clock.now_ms()) for name in connections}
        self.paused: frozenset[str] = frozenset()
        """Targets that an operator paused: connections, or ``connection.object``."""

    def fare(self, connection: str) -> Fare:
        fare = self._fares[connection]
        return replace(fare, state="paused") if connection in self.paused else fare

    def open(self, connection: str) -> bool:
        """Whether a call may be tried now."""
        fare = self._fares.get(connection)
        if fare is None or connection in self.paused:
            return False
        return self._clock.monotonic() >= fare.probe_at

    def is_paused(self, mapping: str) -> bool:
        """Whether a mapping (``connection.object``), or its whole connection, is paused."""
        return mapping in self.paused or mapping.split(".", 1)[0] in self.paused

    def paused_objects(self, connection: str) -> list[str]:
        prefix = f"{connection}."
        return [target.removeprefix(prefix) for target in self.paused if target.startswith(prefix)]

    def succeeded(self, connection: str) -> None:
        fare, now = self._fares[connection], self._clock.now_ms()
        if fare.state != "up":
            self._signals.tell("connection.up", connection=connection, was=fare.state)
            fare = Fare("up", since_at=now)
            self._signals.due(connection).ring()
            self._signals.hints(connection).ring()
        self._fares[connection] = replace(fare, last_success_at=now, failures=0, probe_at=0.0)

    def answered(self, connection: str, failure: Failure) -> None:
        """A whole call failed: sort it by what it says of the connection."""
        if failure.remedy in (Remedy.STOP, Remedy.REFRESH):
            self.stopped(connection, failure)
        elif failure.remedy in (Remedy.RETRY, Remedy.LOOK) and (failure.status == 0 or failure.status >= 500):
            self.unreached(connection, failure)

    def unreached(self, connection: str, failure: Failure) -> None:
        """No sensible answer came: close the gate for longer each time, up to :data:`PROBE_SECONDS`."""
        fare = self._fares[connection]
        failures = fare.failures + 1
        if failures >= DOWN_AFTER and fare.state != "down":
            self._turn(connection, "down", failure)
        elif failures == DEGRADED_AFTER and fare.state == "up":
            self._turn(connection, "degraded", failure)
        pause = min(PROBE_SECONDS, 0.25 * 2 ** min(failures, 8))
        self._fares[connection] = replace(
            self._fares[connection], failures=failures, probe_at=self._clock.monotonic() + pause
        )

    def stopped(self, connection: str, failure: Failure) -> None:
        """The connection is unusable: revoked, scope missing, account gone."""
        if self._fares[connection].state != "down":
            self._turn(connection, "down", failure)
        self._fares[connection] = replace(self._fares[connection], probe_at=self._clock.monotonic() + PROBE_SECONDS)

    def _turn(self, connection: str, state: str, failure: Failure) -> None:
        reason = f"{failure.code}: {failure.message}"[:300]
        self._fares[connection] = replace(
            self._fares[connection], state=state, reason=reason, since_at=self._clock.now_ms()
        )
        self._signals.tell(f"connection.{state}", level="warning", connection=connection, code=failure.code)
