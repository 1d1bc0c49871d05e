"""One request of the intake: route it, judge it, stage its changes, answer after the commit.

No step here awaits: a request is judged in one go, and answered either at once or from the commit's callback.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import structlog

from syncd.intake.clock_guard import BEFORE_RELEASE, ClockGuard
from syncd.intake.events import EventIntake, TooManyError
from syncd.intake.faults import place
from syncd.intake.limits import Limits, too_deep
from syncd.intake.meter import Meter
from syncd.intake.reply import Reply, counts, problem, reply, unavailable
from syncd.intake.sources import EventSource
from syncd.intake.staging import GroupCommit, Outcome, StageResult, StorageUnavailableError
from syncd.model.change import Change
from syncd.runtime.clock import World
from syncd.systems.contract import CannotJudgeError, RefusedError, WebhookRequest, WebhookSource

Respond: TypeAlias = Callable[[Reply], None]

EVENTS: Final = "/v1/events"
WEBHOOKS: Final = "/v1/webhooks/"

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_CORRELATION: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ORIGIN: Final = re.compile(r"[A-Za-z0-9.:/*_-]{1,255}")
_CERTAIN: Final = frozenset({"signature", "token", "credential", "webhook-id"})
"""Checks whose verdict does not depend on our clock."""

_log = structlog.get_logger(__name__)


class Intake:
    """The hot routes. One instance per daemon; :mod:`syncd.intake.http` feeds it whole requests."""

    def __init__(
        self,
        *,
        commit: GroupCommit,
        world: World,
        sources: Sequence[EventSource] = (),
        webhooks: Mapping[str, WebhookSource] | None = None,
        limits: Limits | None = None,
        meter: Meter | None = None,
        clock_guard: ClockGuard | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.meter = meter or Meter()
        self.clock_guard = clock_guard or ClockGuard(world.clock)
        self._commit = commit
        self._clock = world.clock
        self._dice = world.dice
        self._events = EventIntake(sources, self.limits, world.clock)
        self._webhooks = dict(webhooks or {})

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes, respond: Respond) -> None:
        """Judge a whole request. ``respond`` is called exactly once, now or after the commit. Never raises.

        ``headers`` have lower-case names and values decoded as Latin-1.
        """
        correlation_id = self._correlation_id(headers)
        refusal: Reply | None
        try:
            refusal = self._accept(method, target, headers, body, correlation_id, respond)
        except RefusedError as error:
            refusal = self._refusal(error)
        except CannotJudgeError as error:
            _log.warning("intake.cannot_judge", reason=str(error), correlation_id=correlation_id)
            refusal = unavailable("cannot-judge", "syncd cannot judge this request now", 30)
        except StorageUnavailableError as error:
            refusal = _not_stored(error)
        except Exception as error:  # noqa: BLE001
            # Its text may hold what the request held, so only its kind and place are told.
            _log.error("intake.failed", error=type(error).__name__, place=place(error), correlation_id=correlation_id)
            refusal = unavailable("internal", "syncd could not process this request", 30)
        if refusal is not None:
            self._answer(refusal, correlation_id, respond)

    def _accept(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        correlation_id: str,
        respond: Respond,
    ) -> Reply | None:
        """The answer, or ``None`` when it follows after the commit."""
        path = target.partition("?")[0]
        is_event = path == EVENTS or path.startswith(EVENTS + "/")
        if not is_event and not path.startswith(WEBHOOKS):
            raise RefusedError(404, "path", "nothing is served here")
        if method == "OPTIONS" and is_event:
            return self._handshake(path[len(EVENTS) + 1 :], headers)
        if method != "POST":
            return problem(405, "method", "use POST", allow="POST, OPTIONS" if is_event else "POST")
        started = time.perf_counter()
        now_ms = self._clock.now_ms()
        doubt = self.clock_guard.doubt(now_ms)
        if doubt == BEFORE_RELEASE:
            raise CannotJudgeError("the wall clock is wrong: it shows a time before this release was made")
        if is_event:
            source, changes = self._events.accept(path[len(EVENTS) + 1 :], headers, body, now_ms, correlation_id)
            name, status = source.name, 202
        else:
            name, status = path[len(WEBHOOKS) :], 200
            changes = self._webhook_changes(name, target, headers, body, now_ms, correlation_id)
        if doubt and (not is_event or "authorization" not in headers):
            # A signature over a timestamp within the window is evidence from outside.
            self.clock_guard.confirm()
        if not changes:
            return counts(status, 0, 0)

        def committed(outcome: Outcome) -> None:
            if isinstance(outcome, StageResult):
                self._count(name, changes, outcome, time.perf_counter() - started)
                answer = counts(status, outcome.staged, outcome.duplicates)
            else:
                answer = _not_stored(outcome)
            self._answer(answer, correlation_id, respond)

        self._commit.submit(changes, len(body), committed)
        return None

    def _webhook_changes(
        self, name: str, target: str, headers: Mapping[str, str], body: bytes, now_ms: int, correlation_id: str
    ) -> list[Change]:
        source = self._webhooks.get(name)
        if source is None:
            raise RefusedError(404, "connection", "no such connection takes webhooks")
        if too_deep(body, self.limits.depth):
            raise RefusedError(400, "too-deep", f"the JSON nests deeper than {self.limits.depth} levels")
        request = WebhookRequest("POST", target, headers, body, now_ms)
        return [
            change if change.correlation_id else replace(change, correlation_id=correlation_id)
            for change in source.accept(request)
        ]

    def _handshake(self, name: str, headers: Mapping[str, str]) -> Reply:
        """CloudEvents abuse protection: grants delivery to senders that a source names."""
        sources = self._events.candidates(name)
        origin = headers.get("webhook-request-origin", "")
        answer = [("allow", "POST, OPTIONS")]
        granting = [source for source in sources if "*" in source.origins or origin in source.origins]
        if granting and _ORIGIN.fullmatch(origin):
            rates = [source.rate_per_minute for source in granting]
            lowest = min((rate for rate in rates if rate), default=0)
            answer += [
                ("webhook-allowed-origin", origin),
                ("webhook-allowed-rate", str(lowest) if lowest else "*"),
            ]
        return reply(200, headers=tuple(answer))

    def _refusal(self, error: RefusedError) -> Reply:
        if error.status == 401 and error.check not in _CERTAIN and self.clock_guard.doubt(self._clock.now_ms()):
            return unavailable("clock", "syncd's clock is in doubt, so it cannot judge the timestamp", 30)
        if isinstance(error, TooManyError):
            return problem(429, error.check, error.detail, retry_after=error.retry_after_seconds)
        return problem(error.status, error.check, error.detail)

    def _answer(self, answer: Reply, correlation_id: str, respond: Respond) -> None:
        if answer.check:
            self.meter.refused[answer.status, answer.check] += 1
            _log.info("intake.refused", status=answer.status, check=answer.check, correlation_id=correlation_id)
        status, head, body, close, check = answer
        respond(Reply(status, b"%bx-correlation-id: %b\r\n" % (head, correlation_id.encode()), body, close, check))

    def _count(self, name: str, changes: Sequence[Change], result: StageResult, seconds: float) -> None:
        meter = self.meter
        meter.acknowledged += 1
        meter.ack.add(seconds)
        if result.staged == 1 == len(changes):
            meter.staged[name, changes[0].kind] += 1
            return
        if result.duplicates:
            meter.duplicates[name] += result.duplicates
        for position, change in enumerate(changes):
            if position not in result.repeated:
                meter.staged[name, change.kind] += 1

    def _correlation_id(self, headers: Mapping[str, str]) -> str:
        """The sender's trace or correlation id where it is a sane one, else a new one."""
        parent = headers.get("traceparent")
        if parent is not None:
            match = _TRACEPARENT.fullmatch(parent)
            if match is not None and match.group(1) != "0" * 32:
                return match.group(1)
        given = headers.get("x-correlation-id")
        if given is not None and _CORRELATION.fullmatch(given):
            return given
        return f"{self._dice.getrandbits(128):032x}"


def _not_stored(error: StorageUnavailableError) -> Reply:
    return unavailable(error.reason, "changes cannot be stored now", error.retry_after_seconds)
