"""``POST /v1/events``: what a shop tells. Source, authenticity, CloudEvents, changes. No I/O.

Accepted: CloudEvents 1.0 structured, binary and batched, plain Standard Webhooks payloads, and
notifications as they come out of queues.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import ceil
from typing import Any, Final

import structlog

from syncd.intake import cloudevents, envelopes
from syncd.intake.faults import place
from syncd.intake.limits import Limits
from syncd.intake.rate import RateBucket
from syncd.intake.sources import MAX_SOURCES, EventSource, authenticate
from syncd.model.change import Change, ChangeKind, Channel
from syncd.runtime.clock import Clock
from syncd.systems.contract import CannotJudgeError, RefusedError

MAX_KEY_CHARACTERS: Final = 400

_log = structlog.get_logger(__name__)


class TooManyError(RefusedError):
    """The source sends faster than it may."""

    def __init__(self, seconds: float) -> None:
        self.retry_after_seconds = ceil(seconds)
        super().__init__(429, "rate", "the source sends faster than it may")


class EventIntake:
    """Judges event requests for the configured sources."""

    def __init__(self, sources: Sequence[EventSource], limits: Limits, clock: Clock) -> None:
        if len(sources) > MAX_SOURCES:
            raise ValueError(f"at most {MAX_SOURCES} event sources, {len(sources)} are configured")
        self.sources = {source.name: source for source in sources}
        self._all = tuple(sources)
        self._limits = limits
        self._clock = clock
        self._buckets = {
            source.name: RateBucket(source.rate_per_minute, clock.monotonic())
            for source in sources
            if source.rate_per_minute
        }

    def candidates(self, name: str) -> Sequence[EventSource]:
        """The sources a request may come from: the named one, or all when the path names none."""
        if name:
            source = self.sources.get(name)
            if source is None:
                raise RefusedError(404, "source", "no such event source is configured")
            return (source,)
        if not self._all:
            raise CannotJudgeError("no event source is configured")
        return self._all

    def accept(
        self, name: str, headers: Mapping[str, str], body: bytes, now_ms: int, correlation_id: str
    ) -> tuple[EventSource, list[Change]]:
        """Changes told by an authentic request. Raises :class:`RefusedError` or :class:`CannotJudgeError`."""
        candidates = self.candidates(name)
        cloudevents.check_format(headers)
        cloudevents.check_depth(body, self._limits.depth)
        source = authenticate(candidates, headers, body, now_ms)
        self._pay(source)
        most, depth = self._limits.batch_events, self._limits.depth
        events = envelopes.read(body, batch_events=most, depth=depth) if envelopes.may_be(headers) else None
        if events is None:
            events = cloudevents.read(headers, body, batch_events=most, depth=depth)
        if len(events) == 1:
            return source, list(_changes(source, events[0], now_ms, correlation_id))
        return source, [change for event in events for change in _changes(source, event, now_ms, correlation_id)]

    def _pay(self, source: EventSource) -> None:
        bucket = self._buckets.get(source.name)
        if bucket is not None:
            seconds = bucket.take(self._clock.monotonic())
            if seconds:
                raise TooManyError(seconds)


def event_key(event: Mapping[str, Any]) -> str:
    """The dedupe key of an event: ``source`` and ``id``, which a sender repeats when it sends an event again.

    A source has no spaces, so the key cannot be read in two ways. Very long ones are hashed.
    """
    key = f"event {event['source']} {event['id']}"
    if len(key) <= MAX_KEY_CHARACTERS:
        return key
    return f"event-sha256 {sha256(key.encode()).hexdigest()}"


def _changes(source: EventSource, event: dict[str, Any], now_ms: int, correlation_id: str) -> Sequence[Change]:
    """An authentic event always becomes at least one change: what is not understood is kept for an operator."""
    reason = "the data is not the JSON it claims to be"
    if cloudevents.UNREADABLE not in event:
        reason = "no mapping understands this type of event"
        try:
            changes = source.translate(source.connection, event, now_ms, correlation_id)
        except RefusedError:
            raise
        except Exception as error:  # noqa: BLE001
            reason = f"the event could not be read ({type(error).__name__})"
            _log.warning(
                "intake.event_not_read",
                source=source.name,
                error=type(error).__name__,
                place=place(error),
                correlation_id=correlation_id,
            )
        else:
            if changes:
                return changes
    raw = {name: value for name, value in event.items() if name != cloudevents.UNREADABLE}
    return (
        Change(
            connection=source.connection,
            object="",
            external_id="",
            kind=ChangeKind.OPAQUE,
            channel=Channel.EVENT,
            dedupe_key=event_key(event),
            received_at=now_ms,
            occurred_at=cloudevents.occurred_ms(event),
            payload={"raw": raw, "reason": reason},
            correlation_id=correlation_id,
        ),
    )
