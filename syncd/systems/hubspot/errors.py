"""HubSpot's errors, sorted by remedy: the one border that vendor words and client exceptions cross.

Every field of an error body is optional, the body may be HTML, cut off or empty, and validation failures hide a JSON
list inside the message text. So everything is read defensively, and what is unknown is tried again, not guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from syncd.model.failure import Failure, Remedy

REPLY_LIMIT: Final = 4000
LOCK_SECONDS: Final = 2.0
ROLLING_SECONDS: Final = 10.0
SECONDLY_SECONDS: Final = 1.0
MIGRATION_SECONDS: Final = 600.0
"""Pause for a 477 without ``Retry-After``; the move to another data centre may last a day."""
DAILY_LOOK_SECONDS: Final = 3600.0
"""How soon a spent day is looked at again while the account's time zone is not known."""

BY_CODE: Final[Mapping[str, Remedy]] = {
    "VALIDATION_ERROR": Remedy.ASK,
    "PROPERTY_DOESNT_EXIST": Remedy.ASK,
    "INVALID_EMAIL": Remedy.ASK,
    "INVALID_INTEGER": Remedy.ASK,
    "INVALID_OPTION": Remedy.ASK,
    "INVALID_DATE": Remedy.ASK,
    "INVALID_LONG": Remedy.ASK,
    "INVALID_STRING": Remedy.ASK,
    "INVALID_JSON": Remedy.ASK,
    "VALIDATION_RULE_FAILED": Remedy.ASK,
    "READ_ONLY_VALUE": Remedy.ASK,
    "GDPR_BLACKLISTED_EMAIL": Remedy.ASK,
    "INVALID_AUTHENTICATION": Remedy.REFRESH,
    "EXPIRED_AUTHENTICATION": Remedy.REFRESH,
    "MISSING_SCOPES": Remedy.STOP,
    "BANNED": Remedy.STOP,
    "INVALID_PERMISSIONS": Remedy.STOP,
    "OBJECT_NOT_FOUND": Remedy.GONE,
    "METHOD_NOT_ALLOWED": Remedy.ASK,
    # Two writers met: it passes. Where the other one is an object that exists, its id is told, and it is linked.
    "CONFLICT": Remedy.RETRY,
    "OBJECT_ALREADY_EXISTS": Remedy.ASK,
    "RATE_LIMIT": Remedy.WAIT,
    "RATE_LIMITS": Remedy.WAIT,
    "LOCKED": Remedy.WAIT,
    "MIGRATION_IN_PROGRESS": Remedy.WAIT,
    "INTERNAL_ERROR": Remedy.LOOK,
    "BAD_REFRESH_TOKEN": Remedy.STOP,
    "BAD_HUB": Remedy.STOP,
    "BAD_CLIENT_ID": Remedy.STOP,
    "BAD_CLIENT_SECRET": Remedy.STOP,
    "BAD_AUTH_CODE": Remedy.STOP,
    "BAD_GRANT_TYPE": Remedy.STOP,
    "invalid_grant": Remedy.STOP,
    "access_denied": Remedy.STOP,
    "invalid_client": Remedy.STOP,
    "unsupported_grant_type": Remedy.STOP,
}
"""The vendor's code or category to the remedy. It speaks before the status does."""

BY_STATUS: Final[Mapping[int, Remedy]] = {
    # The vendor redirects nobody: something else answers at this address.
    **dict.fromkeys((300, 301, 302, 303, 304, 305, 307, 308), Remedy.STOP),
    400: Remedy.ASK,
    401: Remedy.REFRESH,
    402: Remedy.STOP,
    403: Remedy.STOP,
    404: Remedy.GONE,
    405: Remedy.ASK,
    406: Remedy.ASK,
    407: Remedy.STOP,
    408: Remedy.LOOK,
    409: Remedy.ASK,
    410: Remedy.GONE,
    **dict.fromkeys((411, 412, 413, 414, 415, 416, 417, 418), Remedy.ASK),
    421: Remedy.RETRY,
    422: Remedy.ASK,
    423: Remedy.WAIT,
    424: Remedy.ASK,
    425: Remedy.RETRY,
    426: Remedy.STOP,
    428: Remedy.ASK,
    429: Remedy.WAIT,
    431: Remedy.ASK,
    451: Remedy.STOP,
    477: Remedy.WAIT,
    # Whether a 5xx came before or after the write took effect is not known: LOOK (a read is simply tried again).
    500: Remedy.LOOK,
    501: Remedy.ASK,
    **dict.fromkeys((505, 506, 507, 508, 510), Remedy.LOOK),
    511: Remedy.STOP,
    502: Remedy.LOOK,
    503: Remedy.LOOK,
    504: Remedy.LOOK,
    520: Remedy.LOOK,
    524: Remedy.LOOK,
    # The edge did not reach the origin, so nothing was applied.
    521: Remedy.RETRY,
    523: Remedy.RETRY,
    # Network or TLS between us and the vendor; the vendor says: do not retry, alert.
    522: Remedy.STOP,
    525: Remedy.STOP,
    526: Remedy.STOP,
}

_STATUS_OF: Final[Mapping[str, int]] = {
    "VALIDATION_ERROR": 400,
    "INVALID_AUTHENTICATION": 401,
    "EXPIRED_AUTHENTICATION": 401,
    "MISSING_SCOPES": 403,
    "BANNED": 403,
    "INVALID_PERMISSIONS": 403,
    "OBJECT_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "OBJECT_ALREADY_EXISTS": 409,
    "RATE_LIMIT": 429,
    "RATE_LIMITS": 429,
    "LOCKED": 423,
    "MIGRATION_IN_PROGRESS": 477,
    "INTERNAL_ERROR": 500,
}
"""The status an item of a 207 would have had on its own."""

BLOCKED: Final = frozenset({"GDPR_BLACKLISTED_EMAIL"})
"""A person who was deleted for privacy is not made again."""

SCHEMA_CODES: Final = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"})
"""Refusals of a property, whatever its value: every input that sets it fails alike."""

SPLITTABLE: Final = frozenset({400, 409, 413, 422})
"""Statuses with which one bad input may have got its whole batch refused."""

_EXISTING: Final = re.compile(r"Existing ID:\s*(\d+)")
_NO_PROPERTY: Final = re.compile(r"Property \"?'?([a-z][a-z0-9_]*)\"?'? does not exist", re.IGNORECASE)
_SENTENCES: Final = (
    ("ten_secondly_rolling limit", "TEN_SECONDLY_ROLLING"),
    ("your secondly limit", "SECONDLY"),
    ("daily limit", "DAILY"),
)
_WINDOWS: Final = {"TEN_SECONDLY_ROLLING": "ten_seconds", "SECONDLY": "search", "DAILY": "daily"}
"""The vendor's policy names to the budget's window names."""

_SECRETS: Final = re.compile(
    r"(pat-[a-z0-9]+-|Bearer\s+|(?:access|refresh)_token\W{1,4}|client_secret\W{1,4})[\w./+-]+"
)


@dataclass(frozen=True, slots=True)
class Told:
    """What an error body says, as far as it could be read."""

    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    policy: str = ""
    marks: frozenset[str] = frozenset()
    """Every string of the contexts: trace ids, object ids, keys."""


def parse(body: bytes | str | None) -> Any:
    """The JSON of a body, or ``None`` for HTML, a cut-off or an empty one."""
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def read_error(data: Any) -> Told:
    """What an error body (or one error of a 207) tells. Never raises."""
    if not isinstance(data, Mapping):
        return Told()
    message = str(data.get("message") or data.get("error_description") or "")
    parts = [data, *_nested(data.get("errors"))]
    embedded = list(_embedded(message))
    codes = [
        *(str(one["error"]) for one in embedded if isinstance(one.get("error"), str)),
        *(str(part["code"]) for part in parts[1:] if isinstance(part.get("code"), str)),
        *((str(data["subCategory"]),) if str(data.get("subCategory")) in BLOCKED else ()),
        *(str(data[name]) for name in ("category", "errorType") if isinstance(data.get(name), str)),
        *((str(data["status"]),) if data.get("status") not in (None, "error") else ()),
        *((str(data["error"]),) if isinstance(data.get("error"), str) else ()),
    ]
    contexts = [context for part in parts if isinstance(context := part.get("context"), Mapping)]
    fields = [
        *(str(one["name"]) for one in embedded if isinstance(one.get("name"), str)),
        *(
            name
            for context in contexts
            for key in ("propertyName", "properties", "property", "propertyNames")
            for name in _strings(context.get(key))
        ),
        *(str(part["in"]) for part in parts[1:] if isinstance(part.get("in"), str)),
        *_NO_PROPERTY.findall(message),
    ]
    scopes = (name for context in contexts for key in context if "cope" in key for name in _strings(context[key]))
    return Told(
        code=_choose(codes),
        # The sentences inside the embedded list are what a human wants to read; the whole stands in the reply.
        message="; ".join(dict.fromkeys(str(one["message"]) for one in embedded if one.get("message"))) or message,
        fields=tuple(dict.fromkeys(fields)),
        scopes=tuple(dict.fromkeys(scopes)),
        policy=str(data.get("policyName") or ""),
        marks=frozenset(text for context in contexts for value in context.values() for text in _strings(value)),
    )


def failure_of_reply(
    status: int,
    body: bytes | str | None,
    headers: Mapping[str, str] | None = None,
    *,
    writes: bool = False,
    now_ms: int = 0,
    zone: str = "",
) -> Failure:
    """The failure that a whole reply with a status outside 2xx stands for.

    ``writes`` says that the request could have changed something; ``zone`` is the account's, for the daily limit.
    """
    told = read_error(parse(body))
    remedy = BY_CODE.get(told.code) or BY_STATUS.get(status, Remedy.LOOK if status >= 500 else Remedy.RETRY)
    if status == 404 and not told.code:
        remedy = Remedy.ASK  # The path is unknown, not an object: a proxy's page, or a type that does not exist.
    wait = None
    if remedy is Remedy.WAIT or status in {423, 429, 477}:
        remedy, wait = Remedy.WAIT, _wait_seconds(status, told, headers or {}, now_ms, zone)
    elif status in {502, 503, 504}:
        wait = _retry_after(headers or {}, now_ms)
    return _finish(told, remedy, status, wait, body, writes=writes)


BLAMED_WINDOW: Final = "x-syncd-window"
"""Header name under which the budget is told which window a refusal speaks of; the vendor says it in the body only."""


def observed(status: int, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers as the budget understands them: on a 429 also the spent window's name, where the body tells
    it, and on a 477 a time to wait where the vendor names none."""
    told = {name.lower(): value for name, value in headers.items()}
    if status == 477:
        # The whole account is on the move: no call of the connection is of use until it has arrived.
        told.setdefault("retry-after", f"{MIGRATION_SECONDS:.0f}")
    if status == 429:
        error = read_error(parse(body))
        name = _WINDOWS.get(_policy(error))
        if name:
            told[BLAMED_WINDOW] = name
    return status, told


def failure_of_item(error: Mapping[str, Any]) -> Failure:
    """The failure that one error of a 207 stands for."""
    told = read_error(error)
    category = str(error.get("category") or "")
    status = _STATUS_OF.get(category, _STATUS_OF.get(told.code, 207))
    remedy = BY_CODE.get(told.code) or BY_CODE.get(category) or Remedy.RETRY
    wait = SECONDLY_SECONDS if remedy is Remedy.WAIT else None
    failure = _finish(told, remedy, status, wait, orjson.dumps(error, default=str), writes=True)
    # The vendor answered well for the neighbours: a 500 here is no outage.
    return replace(failure, single=True)


def incomplete(status: int, body: bytes | str | None, *, writes: bool) -> Failure:
    """A 2xx whose body is not what it should be: cut off, HTML, empty. It may well have been applied."""
    remedy = Remedy.LOOK if writes else Remedy.RETRY
    return Failure(remedy, "unreadable-reply", "the reply could not be read", status, reply=excerpt(body))


def no_verdict(status: int, note: str = "") -> Failure:
    """An input that a 2xx reply does not speak of."""
    return Failure(Remedy.LOOK, "no-verdict", note or "the reply does not mention this input", status)


def excerpt(body: bytes | str | None) -> str:
    """The reply for the operator: cut, and free of secrets."""
    if not body:
        return ""
    text = body[:REPLY_LIMIT].decode("utf-8", "replace") if isinstance(body, bytes) else body[:REPLY_LIMIT]
    return _SECRETS.sub(r"\1***", text)


def _finish(
    told: Told, remedy: Remedy, status: int, wait: float | None, body: bytes | str | None, *, writes: bool
) -> Failure:
    existing = _EXISTING.search(told.message)
    if existing and (status == 409 or remedy is Remedy.ASK):
        remedy = Remedy.LINK
    if remedy is Remedy.LOOK and not writes:
        remedy = Remedy.RETRY
    message = told.message or f"HTTP {status} without a message"
    if told.code in BLOCKED:
        message = (
            f"{message}: HubSpot deleted this person for privacy and blocks the address; discard it, or lift the block"
        )
    if told.scopes:
        message = f"{message} (needed: {', '.join(told.scopes)})"
    return Failure(
        remedy,
        told.code or f"http-{status}",
        _SECRETS.sub(r"\1***", message),
        status,
        retry_after_seconds=wait,
        existing_id=existing.group(1) if existing and remedy is Remedy.LINK else None,
        fields=told.fields,
        reply=excerpt(body),
    )


def _wait_seconds(status: int, told: Told, headers: Mapping[str, str], now_ms: int, zone: str) -> float:
    named = _retry_after(headers, now_ms)
    if named is not None:
        return max(named, LOCK_SECONDS) if status == 423 else named
    if status == 423:
        return LOCK_SECONDS
    if status == 477:
        return MIGRATION_SECONDS
    policy = _policy(told)
    if policy == "DAILY":
        return _until_midnight(now_ms, zone)
    return SECONDLY_SECONDS if policy == "SECONDLY" else ROLLING_SECONDS


def _policy(told: Told) -> str:
    """The spent limit: named, or told by the sentence only."""
    if told.policy:
        return told.policy.upper()
    return next((policy for sentence, policy in _SENTENCES if sentence in told.message), "")


def _retry_after(headers: Mapping[str, str], now_ms: int) -> float | None:
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if not text:
        return None
    if re.fullmatch(r"\d{1,7}(\.\d+)?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now_ms / 1000)


def _until_midnight(now_ms: int, zone: str) -> float:
    if not zone:
        return DAILY_LOOK_SECONDS
    try:
        here = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return DAILY_LOOK_SECONDS
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1.0, midnight.timestamp() - here.timestamp())


def _choose(codes: Iterable[str]) -> str:
    """The first code the table knows, else the first one told."""
    told = list(codes)
    return next((code for code in told if code in BY_CODE), told[0] if told else "")


def _nested(errors: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(errors, list):
        yield from (one for one in errors if isinstance(one, Mapping))


def _embedded(message: str) -> Iterator[Mapping[str, Any]]:
    """The JSON list that validation failures carry inside their message text."""
    start, end = message.find("[{"), message.rfind("}]")
    if 0 <= start < end:
        yield from _nested(parse(message[start : end + 2]))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        yield from (str(one) for one in value if isinstance(one, str | int))
    elif isinstance(value, str | int):
        yield str(value)
