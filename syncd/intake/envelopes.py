"""What a forwarder takes out of a queue and posts as plain JSON. Pure.

Notifications in a vendor's own form, alone, in an array, or still in the envelopes of the queue they came through:

=========================  =========================================================================================
envelope                   shape
=========================  =========================================================================================
none                       ``{"notificationType": ...}``: commercetools' Platform form
array                      ``[...]`` of any of these
SQS records (Lambda)       ``{"Records": [{"messageId", "body": "<json>"}]}``
SNS records (Lambda)       ``{"Records": [{"Sns": {"MessageId", "Message": "<json>"}}]}``
SNS                        ``{"Type": "Notification", "MessageId", "Message": "<json>"}``
Pub/Sub push, Connect      ``{"message": {"data": "<base64 of json>", "messageId"}}``
EventBridge                ``{"detail-type", "source", "id", "detail": {...}}``
=========================  =========================================================================================

Inside of an envelope may be another one (SNS into SQS), or a CloudEvent. Whoever posts proves himself like every other
source: the queues' own signatures are not judged, since that would mean calling their keys in.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

import orjson

from syncd.intake import cloudevents
from syncd.intake.cloudevents import Event
from syncd.systems.contract import RefusedError

DEEPEST: Final = 3
"""Envelopes within envelopes."""
SOURCE: Final = "/queue"
_SNS: Final = ("Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation")


def may_be(headers: Mapping[str, str]) -> bool:
    """Plain JSON, which says nothing of what it is."""
    return cloudevents.media_type(headers) == "application/json" and "ce-specversion" not in headers


def read(body: bytes, *, batch_events: int, depth: int) -> list[Event] | None:
    """The events in a body; ``None`` for one that is no envelope and holds no notification. ``depth`` is how deep the
    JSON inside of an envelope may nest. Raises :class:`RefusedError`: one bad event refuses all that came with it."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not _known(payload, depth):
        return None
    events: list[Event] = []
    for event in _events(payload, "", depth, 0):
        events.append(event)
        if len(events) > batch_events:
            raise RefusedError(413, "batch-size", f"a batch holds at most {batch_events} events")
    return events


def _known(payload: Any, depth: int) -> bool:
    """Whether this is one of the table's shapes."""
    if isinstance(payload, list):
        return bool(payload) and all(isinstance(one, dict) and _known(one, depth) for one in payload)
    return isinstance(payload, dict) and ("notificationType" in payload or _unpacked(payload, depth) is not None)


def _events(payload: Any, told_id: str, depth: int, envelope: int) -> Iterator[Event]:
    if envelope > DEEPEST:
        raise RefusedError(400, "envelope", f"more than {DEEPEST} envelopes, one in another")
    if isinstance(payload, list):
        for one in payload:
            yield from _events(one, "", depth, envelope + 1)
        return
    if not isinstance(payload, dict):
        raise RefusedError(400, "envelope", "an envelope holds something that is no JSON object")
    if "specversion" in payload:
        yield cloudevents.validated(payload, "the event in the envelope", depth)
        return
    parts = None if "notificationType" in payload else _unpacked(payload, depth)
    if parts is None:
        yield _event(payload, told_id)
        return
    for part_id, inner in parts:
        yield from _events(inner, part_id, depth, envelope + 1)


def _unpacked(payload: Mapping[str, Any], depth: int) -> list[tuple[str, Any]] | None:
    """What an envelope holds, each with the id that the envelope gives it; ``None`` for what is none."""
    records, message = payload.get("Records"), payload.get("message")
    if isinstance(records, list) and all(isinstance(one, dict) for one in records):
        return [_record(one, depth) for one in records]
    if payload.get("Type") in _SNS and isinstance(payload.get("Message"), str):
        # A confirmation's message is prose: it is kept for an operator, who follows its link.
        confirms = payload["Type"] != "Notification"
        inner = (
            {"notificationType": payload["Type"], **payload} if confirms else _json(payload["Message"].encode(), depth)
        )
        return [(_text(payload, "MessageId"), inner)]
    if isinstance(message, dict) and isinstance(message.get("data"), str):
        return [(_text(message, "messageId"), _json(_decoded(message["data"]), depth))]
    if "detail-type" in payload and isinstance(payload.get("detail"), dict):
        return [(_text(payload, "id"), payload["detail"])]
    return None


def _record(record: Mapping[str, Any], depth: int) -> tuple[str, Any]:
    notice = record.get("Sns")
    if isinstance(notice, dict) and isinstance(notice.get("Message"), str):
        return _text(notice, "MessageId"), _json(notice["Message"].encode(), depth)
    if isinstance(record.get("body"), str):
        return _text(record, "messageId"), _json(record["body"].encode(), depth)
    raise RefusedError(400, "envelope", "a record is neither of SQS nor of SNS")


def _decoded(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError:
        raise RefusedError(400, "envelope", "the message's data is not base64") from None


def _json(text: bytes, depth: int) -> Any:
    cloudevents.check_depth(text, depth)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise RefusedError(400, "envelope", "an envelope holds what is not JSON") from None


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def _event(payload: Mapping[str, Any], told_id: str) -> Event:
    """A notification as an event; the same one has the same id, however often it is delivered."""
    identity = told_id or sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
    kind = payload.get("notificationType") or payload.get("type")
    return {
        "specversion": "1.0",
        "id": identity,
        "source": SOURCE,
        "type": kind if isinstance(kind, str) and kind else "notification",
        "datacontenttype": "application/json",
        "data": dict(payload),
    }
