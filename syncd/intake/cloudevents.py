"""CloudEvents 1.0 over HTTP: structured, binary and batched requests into plain event mappings. Pure.

An event mapping holds the attributes under their names and, where there is data, either ``data`` (a JSON value) or
``data_base64`` (bytes that are not JSON). Sources: cloudevents/spec, http-protocol-binding.md and json-format.md.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeAlias
from urllib.parse import unquote_to_bytes

import orjson

from syncd.intake.limits import too_deep
from syncd.systems.contract import RefusedError

Event: TypeAlias = dict[str, Any]

UNREADABLE: Final = "syncd_unreadable"
"""Key (no attribute can have it) that marks an event whose data claims to be JSON and is not."""

_BATCH: Final = "application/cloudevents-batch"
_SINGLE: Final = "application/cloudevents"
_USUAL: Final = frozenset(
    f"{media}+json{charset}" for media in (_BATCH, _SINGLE) for charset in ("", "; charset=utf-8", "; charset=UTF-8")
)
_REQUIRED: Final = ("id", "source", "specversion", "type")
_CHECKED: Final = frozenset({*_REQUIRED, "data", "data_base64"})
_TEXT_OPTIONAL: Final = frozenset({"subject", "dataschema", "datacontenttype"})
_NAME: Final = re.compile(r"[a-z0-9]+")
_URI_REFERENCE: Final = re.compile(r"[^\s\x00-\x20<>\"{}|\\^`\x7f]+")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')


@lru_cache(maxsize=256)
def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def media_type(headers: Mapping[str, str]) -> str:
    """The content type without its parameters, in lower case."""
    return _media(headers.get("content-type", ""))


def check_format(headers: Mapping[str, str]) -> None:
    """Refuse what nothing can read, before a byte of the body is looked at. Raises :class:`RefusedError` (415)."""
    if "content-encoding" in headers and headers["content-encoding"].strip().lower() not in ("", "identity"):
        raise RefusedError(415, "content-encoding", "compressed bodies are not accepted")
    if headers.get("content-type") in _USUAL:
        return
    media = media_type(headers)
    if media.startswith(_SINGLE):
        if media not in (_BATCH + "+json", _SINGLE + "+json"):
            raise RefusedError(415, "content-type", "the event format is not known; application/cloudevents+json is")
        charset = headers["content-type"].lower().partition("charset=")[2].partition(";")[0].strip(' "')
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise RefusedError(415, "content-type", "JSON events are UTF-8")
    elif "ce-specversion" not in headers and media != "application/json":
        raise _unsupported()


def _unsupported() -> RefusedError:
    return RefusedError(415, "content-type", "neither a CloudEvents content type nor a ce-specversion header")


def check_depth(text: bytes, depth: int) -> None:
    """Refuse JSON that nests deeper, before it is parsed. Raises :class:`RefusedError`."""
    if too_deep(text, depth):
        raise RefusedError(400, "too-deep", f"the JSON nests deeper than {depth} levels")


def is_plain_webhook(headers: Mapping[str, str]) -> bool:
    """A Standard Webhooks message that is no CloudEvent: JSON with a ``webhook-id``."""
    return "webhook-id" in headers and media_type(headers) == "application/json" and "ce-specversion" not in headers


def read(headers: Mapping[str, str], body: bytes, *, batch_events: int, depth: int) -> list[Event]:
    """The events of a request, validated. ``depth`` is how deep JSON may nest that travels in base64. Raises
    :class:`RefusedError`; one bad event refuses its whole batch."""
    media = media_type(headers)
    if media.startswith(_BATCH):
        return _batch(_json(body), batch_events, depth)
    if media.startswith(_SINGLE):
        return [validated(_json(body), "event", depth)]
    if "ce-specversion" in headers:
        return [_binary(headers, body)]
    return [_plain(headers, body)]


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RefusedError(400, "json", "the body is not JSON in UTF-8") from None


def _batch(items: Any, batch_events: int, depth: int) -> list[Event]:
    if not isinstance(items, list):
        raise RefusedError(400, "cloudevents", "a batch is a JSON array")
    if len(items) > batch_events:
        raise RefusedError(413, "batch-size", f"a batch holds at most {batch_events} events")
    return [validated(item, f"event {index} of the batch", depth) for index, item in enumerate(items)]


def _refuse_attribute(name: str, where: str, problem: str) -> NoReturn:
    raise RefusedError(400, "cloudevents-attribute", f"{where}: attribute '{name}' {problem}")


def validated(raw: Any, where: str, depth: int) -> Event:
    """A JSON-format event, checked; null attributes are gone, JSON in base64 is unpacked."""
    if not isinstance(raw, dict):
        raise RefusedError(400, "cloudevents", f"{where}: not a JSON object")
    event: Event = raw
    if None in raw.values():
        event = {name: value for name, value in raw.items() if value is not None or name == "data"}
    if "data_base64" in event:
        # A null next to data_base64 is as absent as a null data_base64 is.
        if event.get("data") is not None:
            raise RefusedError(400, "cloudevents", f"{where}: data and data_base64 exclude each other")
        event.pop("data", None)
    _check_attributes(event, where)
    if "data_base64" in event:
        _unpack(event, where, depth)
    return event


def _check_attributes(event: Event, where: str) -> None:
    for name in _REQUIRED:
        value = event.get(name)
        if not isinstance(value, str) or not value:
            _refuse_attribute(name, where, "is missing or empty" if not value else "is not text")
    if event["specversion"] != "1.0":
        _refuse_attribute("specversion", where, "is not '1.0'")
    if not _URI_REFERENCE.fullmatch(event["source"]):
        _refuse_attribute("source", where, "is not a URI reference")
    for name, value in event.items():
        if name in _CHECKED:
            continue
        if name in _TEXT_OPTIONAL:
            if not isinstance(value, str) or not value:
                _refuse_attribute(name, where, "is empty or not text")
        elif name == "time":
            if not _is_time(value):
                _refuse_attribute(name, where, "is not an RFC 3339 time")
        elif not _NAME.fullmatch(name):
            _refuse_attribute(_shown(name), where, "has a name that is not made of a-z and 0-9")
        elif isinstance(value, dict | list | float):
            _refuse_attribute(name, where, "is not text, an integer or a boolean")


def _shown(name: str) -> str:
    return name[:40].encode("ascii", "backslashreplace").decode().translate(dict.fromkeys(range(32), "."))


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        _moment(value)
    except ValueError:
        return False
    return True


def occurred_ms(event: Event) -> int:
    """The event's ``time`` in milliseconds since the epoch; 0 when it has none."""
    text = event.get("time")
    if not isinstance(text, str):
        return 0
    return int(_moment(text).timestamp() * 1000)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        # Lower-case letters and leap seconds are valid, and unknown to datetime.
        return datetime.fromisoformat(text.upper().replace(":60", ":59"))


def _says_json(content_type: str) -> bool:
    return _media(content_type).endswith(("/json", "+json"))


def _unpack(event: Event, where: str, depth: int) -> None:
    text = event["data_base64"]
    try:
        data = b64decode(text if isinstance(text, str) else "-", validate=True)
    except ValueError:
        raise RefusedError(400, "cloudevents", f"{where}: data_base64 is not base64") from None
    if _says_json(str(event.get("datacontenttype", ""))):
        check_depth(data, depth)
        event.pop("data_base64")
        _put_data(event, data)


def _put_data(event: Event, body: bytes) -> None:
    """Data as JSON where it is JSON, as text where it says so, as base64 otherwise."""
    content_type = str(event.get("datacontenttype", ""))
    if _says_json(content_type):
        try:
            event["data"] = orjson.loads(body)
        except orjson.JSONDecodeError:
            # Authentic and addressed: the event is kept for an operator instead of being lost.
            event["data_base64"] = b64encode(body).decode()
            event[UNREADABLE] = True
        return
    if content_type.lower().startswith("text/"):
        try:
            event["data"] = body.decode()
        except UnicodeDecodeError:
            event["data_base64"] = b64encode(body).decode()
        return
    event["data_base64"] = b64encode(body).decode()


def _binary(headers: Mapping[str, str], body: bytes) -> Event:
    event: Event = {}
    for name, value in headers.items():
        if name.startswith("ce-"):
            event[name[3:]] = _header_value(name[3:], value)
    if "datacontenttype" in event:
        _refuse_attribute("datacontenttype", "event", "travels as Content-Type in binary mode")
    for name in ("data", "data_base64"):
        if name in event:
            _refuse_attribute(name, "event", "is not allowed in binary mode")
    content_type = headers.get("content-type", "").strip()
    if content_type:
        event["datacontenttype"] = content_type
    _check_attributes(event, "event")
    if body:
        if not content_type:
            event["datacontenttype"] = "application/json"
        _put_data(event, body)
    return event


def _header_value(name: str, value: str) -> str:
    """An attribute from its header: unquoted, then percent-decoded exactly once."""
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        value = re.sub(r"\\(.)", r"\1", quoted.group(1))
    try:
        return unquote_to_bytes(value.encode("latin-1")).decode()
    except ValueError:
        _refuse_attribute(name, "event", "is not UTF-8 after percent-decoding")


def _plain(headers: Mapping[str, str], body: bytes) -> Event:
    """A plain Standard Webhooks payload (``type``, ``timestamp``, ``data``) as an event; its id is ``webhook-id``."""
    if not is_plain_webhook(headers):
        # Plain JSON without an id, and none of the forms in which notifications come out of queues.
        raise _unsupported()
    payload = _json(body)
    if not isinstance(payload, dict):
        raise RefusedError(400, "json", "the body is not a JSON object")
    kind, stamp = payload.get("type"), payload.get("timestamp")
    event: Event = {
        "specversion": "1.0",
        "id": headers["webhook-id"],
        "source": "/webhook",
        "type": kind if isinstance(kind, str) and kind else "webhook",
        "datacontenttype": "application/json",
        "data": payload.get("data", payload),
    }
    if _is_time(stamp):
        event["time"] = stamp
    return event
