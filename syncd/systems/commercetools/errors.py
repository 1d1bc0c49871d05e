"""Every error of commercetools, and of the wire, sorted into failures. Pure tables.

The vendor's ``code`` decides; the HTTP status only where there is no code we know, because the status of several
codes is not documented. Two things depend on what we were doing:

* a code of *doubt* (the request may have been applied) means LOOK for a write and RETRY for a read;
* a 404 means GONE where one resource was addressed; for a list or a create the address itself is wrong, and
  means STOP.

A body that is not the vendor's (HTML, truncated, empty) never says GONE or ASK: a proxy may have made it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, Final

import orjson

from syncd.model.failure import Failure, Remedy
from syncd.systems.commercetools.codes import CODES, DOUBT

REPLY_CHARACTERS: Final = 4096
LONGEST_WAIT_SECONDS: Final = 3600.0
LOCK_SECONDS: Final = 0.3
"""How long the vendor advises to wait for a lock on a unique value."""


class Doing(Enum):
    """What the request was for, as far as its failure is concerned."""

    READ = "read"
    """A list or a search."""
    READ_ONE = "read one"
    """One resource by id or key."""
    CREATE = "create"
    CHANGE = "change"
    """An update or delete of one resource."""
    SIGN_IN = "sign in"

    @property
    def writes(self) -> bool:
        return self in (Doing.CREATE, Doing.CHANGE)

    @property
    def addresses_one(self) -> bool:
        return self in (Doing.READ_ONE, Doing.CHANGE)


_LOCKS: Final = frozenset({"LockedField", "ExactLockConflict", "ValidityLockConflict", "Contention"})

_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")


def from_reply(status: int, headers: Mapping[str, str], content: bytes, doing: Doing) -> Failure:
    """The failure told by a reply that is not a success."""
    body = json_object(content)
    errors = list(_errors(body))
    code = _code(body, errors, any_error=doing is Doing.SIGN_IN)
    reply = "" if doing is Doing.SIGN_IN else content[:REPLY_CHARACTERS].decode("utf-8", "replace")
    if not code:
        return _foreign(status, headers, reply, doing)
    return _told(status, code, errors, body, headers, reply, doing)


def from_graphql(errors: Sequence[Any]) -> Failure:
    """The failure told by the ``errors`` of a GraphQL answer that was HTTP 200, with or without data."""
    listed: list[Mapping[str, Any]] = [one for one in errors if isinstance(one, dict)]
    code = _code({}, listed) or "graphql-error"
    reply = orjson.dumps(listed, default=str)[:REPLY_CHARACTERS].decode("utf-8", "replace")
    return _told(200, code, listed or [{}], {}, {}, reply, Doing.READ)


def from_import(errors: Sequence[Any]) -> Failure:
    """The failure told by the ``errors`` of one operation of the Import API."""
    listed: list[Mapping[str, Any]] = [one for one in errors if isinstance(one, dict)]
    code = _code({}, listed) or "import-failed"
    reply = orjson.dumps(listed, default=str)[:REPLY_CHARACTERS].decode("utf-8", "replace")
    return replace(_told(200, code, listed or [{}], {}, {}, reply, Doing.CREATE), status=0, single=True)


def _told(
    status: int,
    code: str,
    errors: list[Mapping[str, Any]],
    body: Mapping[str, Any] | None,
    headers: Mapping[str, str],
    reply: str,
    doing: Doing,
) -> Failure:
    first = errors[0] if errors else {}
    remedy = _remedy(status, code, first, doing)
    return Failure(
        remedy=remedy,
        code=code,
        message=without_addresses(_message(body, first) or code) + _referring(first),
        status=status,
        retry_after_seconds=_wait(remedy, code, headers),
        existing_id=_existing(errors),
        # A merchant's extension refuses this one write; the platform itself is well.
        single=code.startswith("Extension"),
        fields=tuple(dict.fromkeys(str(one["field"]) for one in errors if isinstance(one.get("field"), str))),
        reply=reply,
    )


def from_unusable(status: int, why: str, doing: Doing) -> Failure:
    """A success whose body cannot be used: for a write it may well have been applied."""
    return Failure(_decided(DOUBT, doing), "bad-response", why, status=status)


def json_object(content: bytes) -> Mapping[str, Any] | None:
    """The JSON object in a body; ``None`` for anything else (HTML, truncated, too deep, not UTF-8)."""
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def without_addresses(text: str) -> str:
    """The text with e-mail addresses blotted out: failure messages reach logs."""
    return _EMAIL.sub("(address)", text)[:1000]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds named by ``Retry-After`` (seconds or a date, which is taken against the reply's own ``Date``),
    between zero and an hour."""
    raw = headers.get("retry-after")
    if raw is None:
        return None
    try:
        seconds = float(raw)
    except ValueError:
        moment, base = http_date(raw), http_date(headers.get("date", ""))
        if moment is None or base is None:
            return None
        seconds = moment - base
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def http_date(text: str) -> float | None:
    """Seconds since the epoch of an HTTP date, or ``None``."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _decided(remedy: Remedy | str, doing: Doing) -> Remedy:
    if isinstance(remedy, Remedy):
        return remedy
    return Remedy.LOOK if doing.writes else Remedy.RETRY


def _remedy(status: int, code: str, error: Mapping[str, Any], doing: Doing) -> Remedy:
    known = CODES.get(code)
    if known is Remedy.GONE and not doing.addresses_one:
        return Remedy.STOP
    if known is Remedy.LINK and doing is not Doing.CREATE:
        # What is updated is linked already; that another holds the value is for a human to sort out.
        return Remedy.ASK
    if known is not None:
        return _decided(known, doing)
    if "extensionId" in error or "errorByExtension" in error:
        return Remedy.ASK
    return _by_status(status, doing)


def _by_status(status: int, doing: Doing) -> Remedy:
    """For a code that the vendor added since: cautious, and never for ever."""
    if status == 429:
        return Remedy.WAIT
    if status in (413, 414):
        return Remedy.SPLIT
    if status in (401, 403):
        return Remedy.STOP
    if status == 404:
        return Remedy.GONE if doing.addresses_one else Remedy.STOP
    if status == 409:
        return Remedy.RETRY
    if status == 408 or status >= 500:
        return _decided(DOUBT, doing)
    return Remedy.ASK if status >= 400 else Remedy.RETRY


def _foreign(status: int, headers: Mapping[str, str], reply: str, doing: Doing) -> Failure:
    """A body that is not the vendor's error: a proxy, a maintenance page, a cut."""
    wait = retry_after(headers)
    if status == 429:
        return Failure(Remedy.WAIT, "too-many-requests", "asked to slow down", status, wait or 1.0, reply=reply)
    if status in (413, 414):
        return Failure(Remedy.SPLIT, "too-large", "the request was too large", status, reply=reply)
    if 300 <= status < 400:
        return Failure(Remedy.RETRY, "redirected", "redirected elsewhere; not followed", status, reply=reply)
    remedy = _decided(DOUBT, doing) if status >= 500 or status == 408 else Remedy.RETRY
    return Failure(remedy, "bad-response", f"HTTP {status} without an error of the vendor's", status, wait, reply=reply)


def _wait(remedy: Remedy, code: str, headers: Mapping[str, str]) -> float | None:
    if code in _LOCKS:
        return LOCK_SECONDS
    named = retry_after(headers)
    return 1.0 if remedy is Remedy.WAIT and named is None else named


def _errors(body: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    listed = body.get("errors") if body else None
    if isinstance(listed, list):
        yield from (one for one in listed if isinstance(one, dict))


def _code(body: Mapping[str, Any] | None, errors: list[Mapping[str, Any]], *, any_error: bool = False) -> str:
    """The vendor's code; empty where there is none. ``any_error`` takes an ``error`` that the table does not know for
    one too: elsewhere it is how many a gateway says that it knows no such address."""
    if body is None:
        return ""
    first = errors[0] if errors else {}
    extensions, told = first.get("extensions"), body.get("error")
    candidates = (
        first.get("code"),
        extensions.get("code") if isinstance(extensions, dict) else None,
        told if any_error or (isinstance(told, str) and told in CODES) else None,
    )
    return next((one for one in candidates if isinstance(one, str) and one), "")


def _message(body: Mapping[str, Any] | None, error: Mapping[str, Any]) -> str:
    candidates = (error.get("detailedErrorMessage"), error.get("message"), (body or {}).get("message"))
    return next((one for one in candidates if isinstance(one, str) and one), "")


def _referring(error: Mapping[str, Any]) -> str:
    """What stands in the way of a delete, where the vendor tells it beside its words."""
    kind = error.get("referencedBy")
    return f" (referenced by: {kind[:100]})" if isinstance(kind, str) else ""


def _existing(errors: list[Mapping[str, Any]]) -> str | None:
    for error in errors:
        for name in ("conflictingResource", "conflictingStandalonePrice"):
            reference = error.get(name)
            if isinstance(reference, dict) and isinstance(reference.get("id"), str):
                return str(reference["id"])
    return None
