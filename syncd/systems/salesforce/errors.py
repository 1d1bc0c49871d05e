"""Salesforce's errors, sorted by remedy: the one border that the vendor's words cross. Pure tables.

Five shapes carry them: a JSON list for REST, ``statusCode`` inside a collection's item, an object from the token
endpoint, ``CODE:message:fields --`` in a Bulk result, and a SOAP fault. The code decides; the HTTP status only where no
code is known. A body that is not the vendor's (HTML, cut off, empty) never says GONE or ASK: a proxy may have made it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from syncd.model.failure import Failure, Remedy
from syncd.systems.salesforce.codes import BY_CODE, BY_PREFIX, BY_STATUS, DOUBT, OAUTH, STREAM, STREAM_PREFIX
from syncd.systems.salesforce.ids import long_id

REPLY_LIMIT: Final = 4000
LOCK_SECONDS: Final = 3.0
"""Row locks are held for a transaction; the vendor advises one to ten seconds, jittered."""
BUSY_SECONDS: Final = 5.0
"""Too many calls of twenty seconds at once."""
DAILY_SECONDS: Final = 900.0
"""The 24-hour window rolls, so some of it comes back all the time."""
SIGN_IN_SECONDS: Final = 60.0
JUDGED: Final = frozenset({400, 403, 404})
"""Statuses whose meaning is in the code."""
SPLITTABLE: Final = frozenset({400, 409, 413, 414, 431})
"""Statuses with which one bad input may have got its whole call refused."""

BLAMED_WINDOW: Final = "x-syncd-window"
"""Header name under which the budget is told which window a refusal speaks of."""

_OTHER_ID: Final = re.compile(r"\bid:\s*([A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?)\b")
_LOCKED: Final = ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", "Record Currently Unavailable")
_ADDRESS: Final = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_SECRETS: Final = re.compile(
    r"(Bearer\s+|00D[A-Za-z0-9]{12,15}!|(?:access_token|client_secret|assertion|password|sessionId)\W{1,4})[\w./+!-]+"
)


@dataclass(frozen=True, slots=True)
class Told:
    """One error as the vendor told it."""

    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()


def parse(body: bytes | str | None) -> Any:
    """The JSON of a body, or ``None`` for HTML, a cut-off or an empty one."""
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None


def read_errors(data: Any) -> list[Told]:
    """The errors of a body in any of the vendor's JSON shapes. Never raises."""
    if isinstance(data, Mapping) and isinstance(data.get("error"), str):
        return [Told(data["error"], str(data.get("error_description") or ""))]
    if isinstance(data, Mapping) and isinstance(data.get("errors"), list):
        data = data["errors"]
    parts = data if isinstance(data, list) else [data]
    return [told for part in parts if (told := _told(part)).code or told.message]


def _told(part: Any) -> Told:
    if not isinstance(part, Mapping):
        return Told()
    code = next((part[key] for key in ("errorCode", "statusCode") if isinstance(part.get(key), str)), "")
    fields = part.get("fields")
    named = tuple(str(one) for one in fields) if isinstance(fields, list) else ()
    return Told(code, str(part.get("message") or ""), named)


def failure_of_reply(status: int, body: bytes | str | None, *, writes: bool = False) -> Failure:
    """The failure that a whole reply outside 2xx stands for. ``writes``: it could have changed something."""
    errors = read_errors(parse(body))
    if not errors and _text(body).startswith("Bad_OAuth_Token"):
        errors = [Told("Bad_OAuth_Token", "the token is not accepted")]
    if not errors:
        return _foreign(status, body, writes=writes)
    first = errors[0]
    if first.code in OAUTH:
        wait = SIGN_IN_SECONDS if OAUTH[first.code] is Remedy.WAIT else None
        return Failure(OAUTH[first.code], first.code, _clean(first.message) or first.code, status, wait)
    failure = _failure(first, status, writes=writes, creates=False)
    if failure.remedy is Remedy.GONE:
        # No call of ours names a record in its address: a type or the key field is hidden from us, or was taken away.
        failure = replace(failure, remedy=Remedy.ASK)
    return replace(failure, reply=excerpt(body))


def failure_of_sign_in(status: int, body: bytes) -> Failure:
    """The token endpoint's refusal; its reply is not kept, since it may repeat what we sent."""
    errors = read_errors(parse(body))
    code = errors[0].code if errors else ""
    if code in OAUTH:
        wait = SIGN_IN_SECONDS if OAUTH[code] is Remedy.WAIT else None
        return Failure(OAUTH[code], code, _clean(errors[0].message) or code, status, wait)
    if status == 429 or status >= 500 or not code:
        return Failure(Remedy.RETRY, code or f"http-{status}", "the token endpoint is not well", status)
    return Failure(Remedy.STOP, code, _clean(errors[0].message) or code, status)


def failure_of_item(item: Mapping[str, Any], *, creates: bool) -> Failure:
    """The failure of one record of a collection. The call itself went well, so it says nothing of the connection."""
    errors = read_errors(item.get("errors"))
    first = errors[0] if errors else Told("no-reason", "the vendor refused this record without a reason")
    failure = _failure(first, 200, writes=True, creates=creates)
    fields = tuple(dict.fromkeys(name for one in errors for name in one.fields))
    return replace(failure, single=True, fields=fields, reply=excerpt(json.dumps(item, default=str)))


def failure_of_row(text: str, *, creates: bool) -> Failure:
    """The failure of one row of a Bulk job: ``CODE:message:fields --``."""
    code, _, rest = text.partition(":")
    message, _, tail = rest.rpartition(":")
    fields = tuple(tail.removesuffix("--").replace(",", " ").split())
    if not message or not tail.endswith("--"):
        message, fields = rest, ()
    failure = _failure(Told(code.strip(), message.strip(), fields), 200, writes=True, creates=creates)
    return replace(failure, single=True, reply=excerpt(text))


def failure_of_stream(code: str, status: str, detail: str) -> Failure:
    """A stream's end: the ``error-code`` trailer (or none), the gRPC status' name, its text."""
    suffix = code.removeprefix(STREAM_PREFIX)
    remedy = STREAM.get(suffix)
    if remedy is None:
        remedy = {
            "UNAUTHENTICATED": Remedy.REFRESH, "PERMISSION_DENIED": Remedy.ASK, "NOT_FOUND": Remedy.ASK,
            "INVALID_ARGUMENT": Remedy.ASK, "UNIMPLEMENTED": Remedy.STOP, "RESOURCE_EXHAUSTED": Remedy.WAIT,
        }.get(status, Remedy.RETRY)  # fmt: skip
    wait = DAILY_SECONDS if remedy is Remedy.WAIT else None
    return Failure(remedy, suffix or f"grpc-{status.lower()}", _clean(detail) or status, 0, wait)


def incomplete(status: int, body: bytes | str | None, *, writes: bool) -> Failure:
    """A 2xx whose body is not what it should be: cut off, HTML, empty. It may well have been applied."""
    remedy = Remedy.LOOK if writes else Remedy.RETRY
    return Failure(remedy, "unreadable-reply", "the reply could not be read", status, reply=excerpt(body))


def no_verdict(note: str = "") -> Failure:
    return Failure(Remedy.LOOK, "no-verdict", note or "the reply does not mention this record", 200)


def observed(status: int, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers as the budget understands them: the vendor refuses over the limit with 403 and no header,
    and says in the text which limit it was."""
    told = {name.lower(): value for name, value in headers.items()}
    if status != 403 or b"REQUEST_LIMIT_EXCEEDED" not in body:
        return status, told
    told[BLAMED_WINDOW] = "concurrent" if _concurrency(body.decode("utf-8", "replace")) else "daily"
    return 429, told


def excerpt(body: bytes | str | None) -> str:
    """The reply for the operator: cut, and free of secrets."""
    return _SECRETS.sub(r"\1***", _text(body)[:REPLY_LIMIT])


def _text(body: bytes | str | None) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""


def _clean(message: str) -> str:
    """Failure messages reach logs: no addresses, no secrets. Cut first: what is looked for takes the square of a long
    word's length, and a refusal may repeat a whole text area."""
    return _ADDRESS.sub("(address)", _SECRETS.sub(r"\1***", message[:1200]))[:1000]


def _failure(told: Told, status: int, *, writes: bool, creates: bool) -> Failure:
    remedy = _decided(_remedy(told, status), writes=writes)
    wait, existing = None, None
    if remedy is Remedy.WAIT:
        wait = BUSY_SECONDS if _concurrency(told.message) else DAILY_SECONDS
    elif remedy is Remedy.RETRY and _locked(told):
        wait = LOCK_SECONDS
    other = _OTHER_ID.search(told.message)
    if creates and told.code == "DUPLICATE_VALUE" and other:
        # The vendor writes it with fifteen characters here.
        remedy, existing = Remedy.LINK, long_id(other.group(1))
    if told.code == "INVALID_CROSS_REFERENCE_KEY" and not told.fields:
        # Without a field it is the record itself that is not there (purged), or hidden from us.
        remedy = Remedy.REREAD
    if creates and remedy in (Remedy.GONE, Remedy.REREAD):
        # What is being made cannot be gone: it is a parent that is.
        remedy = Remedy.RETRY
    return Failure(
        remedy, told.code or f"http-{status}", _clean(told.message) or told.code, status, wait, existing, told.fields
    )


def _remedy(told: Told, status: int) -> Remedy | str:
    if told.code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" and (_locked(told) or "LIMIT" in told.message.upper()):
        # A trigger threw; when what it met was a lock or a limit, the next time may go well.
        return Remedy.RETRY
    known = remedy_of_code(told.code)
    if known is not None:
        return known
    if told.code and status in JUDGED:
        # A word that nobody knows yet: tried again, and a dead letter in the end. It holds up nothing else.
        return Remedy.RETRY
    return BY_STATUS.get(status, DOUBT if status >= 500 else Remedy.RETRY)


def remedy_of_code(code: str) -> Remedy | str | None:
    """By the table, or by the family that the code's beginning tells; ``None`` for a code that is not known."""
    known = BY_CODE.get(code)
    return known or next((remedy for prefix, remedy in BY_PREFIX if code.startswith(prefix)), None)


def _decided(remedy: Remedy | str, *, writes: bool) -> Remedy:
    if isinstance(remedy, Remedy):
        return remedy
    return Remedy.LOOK if writes else Remedy.RETRY


def _foreign(status: int, body: bytes | str | None, *, writes: bool) -> Failure:
    """A body that is not the vendor's error: a gateway, a maintenance page, a cut."""
    known = BY_STATUS.get(status)
    if status in (401, 410, 413, 414, 429, 431) and isinstance(known, Remedy):
        wait = BUSY_SECONDS if known is Remedy.WAIT else None
        return Failure(known, f"http-{status}", f"HTTP {status}", status, wait, reply=excerpt(body))
    if status == 300 and isinstance(parse(body), list):
        return Failure(Remedy.ASK, "external-id-not-unique", "several records carry this key", 300, reply=excerpt(body))
    doubt = status >= 500 or status == 408
    remedy = _decided(DOUBT, writes=writes) if doubt else Remedy.RETRY
    return Failure(
        remedy, "bad-response", f"HTTP {status} without an error of the vendor's", status, reply=excerpt(body)
    )


def _locked(told: Told) -> bool:
    return told.code == "UNABLE_TO_LOCK_ROW" or any(mark in told.message for mark in _LOCKED)


def _concurrency(text: str) -> bool:
    return "concurrent" in text.lower()
