"""Every error of BigCommerce, and of the wire, sorted into failures.

The status decides: V2, V3 and B2B Edition word their bodies differently and carry no codes. Two things depend on what
we were doing:

* a status of *doubt* (the request may have been applied) means LOOK for a write and RETRY for a read;
* a 404 means GONE where one resource was addressed, and ASK where that is missing which it was to be done within; for
  another list or create the address itself is wrong, and means STOP.

A body that is not the vendor's (HTML, truncated, empty) never says GONE, ASK or STOP: a proxy may have made it.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import PurePath
from typing import Any, Final

import orjson
import structlog

from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import VendorError

log = structlog.get_logger(__name__)

DOUBT: Final = "doubt"
REPLY_CHARACTERS: Final = 4096
LONGEST_WAIT_SECONDS: Final = 3600.0
UNNAMED_WAIT_SECONDS: Final = 1.0


class Doing(Enum):
    """What the request was for, as far as its failure is concerned."""

    READ = "read"
    """A list or a search."""
    READ_ONE = "read one"
    """One resource by id."""
    CREATE = "create"
    CHANGE = "change"
    """An update or delete of one resource."""
    CHANGE_MANY = "change many"
    """An update or delete on a collection, which names its resources in body or query."""
    WITHIN = "within"
    """A create or change within another resource, which the address or the body names."""

    @property
    def writes(self) -> bool:
        return self not in (Doing.READ, Doing.READ_ONE)

    @property
    def addresses_one(self) -> bool:
        return self in (Doing.READ_ONE, Doing.CHANGE)


@dataclass(frozen=True, slots=True)
class Meaning:
    code: str
    remedy: Remedy | str


STATUSES: Final[Mapping[int, Meaning]] = {
    400: Meaning("malformed", Remedy.ASK),
    401: Meaning("unauthorized", Remedy.STOP),
    403: Meaning("forbidden", Remedy.STOP),
    404: Meaning("not-found", Remedy.GONE),
    405: Meaning("method-not-allowed", Remedy.ASK),
    406: Meaning("not-acceptable", Remedy.ASK),
    408: Meaning("timeout", DOUBT),
    409: Meaning("conflict", Remedy.REREAD),
    413: Meaning("too-many-items", Remedy.SPLIT),
    414: Meaning("address-too-long", Remedy.SPLIT),
    415: Meaning("unsupported-media-type", Remedy.ASK),
    422: Meaning("invalid", Remedy.ASK),
    423: Meaning("locked", Remedy.RETRY),
    429: Meaning("too-many-requests", Remedy.WAIT),
    500: Meaning("internal-error", DOUBT),
    501: Meaning("not-implemented", Remedy.ASK),
    502: Meaning("bad-gateway", DOUBT),
    503: Meaning("unavailable", DOUBT),
    504: Meaning("gateway-timeout", DOUBT),
    507: Meaning("plan-limit-reached", Remedy.ASK),
}
"""The statuses that the vendor documents, and those that stand between it and us."""

_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_MEMBER = re.compile(r"(?:^|[.\]])([a-z][A-Za-z_0-9]*)$")


def from_reply(status: int, headers: Mapping[str, str], content: bytes, doing: Doing) -> Failure:
    """The failure told by a reply that is not a success."""
    reply = content[:REPLY_CHARACTERS].decode("utf-8", "replace")
    body = parsed(content)
    if not isinstance(body, dict | list) and status != 429:
        return _foreign(status, reply, doing)
    meaning = STATUSES.get(status) or _unlisted(status)
    remedy = _remedy(meaning, doing)
    told = list(_details(body))
    words = [_title(body), *(f"{name}: {text}" if name else text for name, text in told)]
    return Failure(
        remedy=remedy,
        code=meaning.code,
        message=without_addresses("; ".join(one for one in words if one) or meaning.code),
        status=status,
        retry_after_seconds=wait_of(headers) if remedy is Remedy.WAIT else None,
        fields=tuple(dict.fromkeys(found[1] for name, _ in told if (found := _MEMBER.search(name)))),
        reply=reply,
    )


def from_unusable(status: int, why: str, doing: Doing) -> Failure:
    """A success whose body cannot be used: for a write it may well have been applied."""
    return Failure(_decided(DOUBT, doing), "bad-response", why, status=status)


@contextmanager
def shaped(doing: Doing) -> Iterator[None]:
    """Whatever fails within because a resource of the vendor's lacks a member, or has another kind of value there,
    becomes a failure like that of any other unusable answer; where it failed is told, but not what was there.

    Raises :class:`VendorError`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{PurePath(place.filename).stem}:{place.lineno}"
        log.warning("reply_misshapen", kind=type(error).__name__, where=where)
        why = f"a resource has not the form that is documented ({type(error).__name__} at {where})"
        raise VendorError(from_unusable(200, why, doing)) from None


def parsed(content: bytes) -> Any:
    """The JSON in a body; ``None`` for anything else (HTML, truncated, too deep, not UTF-8)."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def without_addresses(text: str) -> str:
    """The text with e-mail addresses blotted out: failure messages reach logs."""
    return _EMAIL.sub("(address)", text)[:1000]


def wait_of(headers: Mapping[str, str]) -> float:
    """Seconds until the quota is back: of the store's window, of B2B Edition's, or as the older header says. A refusal
    that names none means too many calls at once, and passes quickly."""
    for name, scale in (("x-rate-limit-time-reset-ms", 0.001), ("x-request-window-resets-after", 1.0),
                        ("x-retry-after", 1.0), ("retry-after", 1.0)):  # fmt: skip
        found = re.match(r"\s*(\d{1,12}(?:\.\d{1,9})?)", headers.get(name, ""))
        if found:
            return min(max(float(found[1]) * scale, 0.05), LONGEST_WAIT_SECONDS)
    return UNNAMED_WAIT_SECONDS


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


def _remedy(meaning: Meaning, doing: Doing) -> Remedy:
    if meaning.remedy is Remedy.GONE and not doing.addresses_one:
        return Remedy.ASK if doing is Doing.WITHIN else Remedy.STOP
    if meaning.remedy is Remedy.REREAD and doing is Doing.CREATE:
        return Remedy.LINK
    return _decided(meaning.remedy, doing)


def _unlisted(status: int) -> Meaning:
    """A status that the vendor added since: cautious, and never for ever."""
    if status >= 500:
        return Meaning("internal-error", DOUBT)
    return Meaning("refused", Remedy.ASK) if status >= 400 else Meaning("redirected", Remedy.RETRY)


def _foreign(status: int, reply: str, doing: Doing) -> Failure:
    """A body that is not the vendor's: a proxy, a maintenance page, a cut."""
    if status in (413, 414):
        return Failure(Remedy.SPLIT, "too-large", "the request was too large", status, reply=reply)
    if 300 <= status < 400:
        return Failure(Remedy.RETRY, "redirected", "redirected elsewhere; not followed", status, reply=reply)
    remedy = _decided(DOUBT, doing) if status >= 500 or status == 408 else Remedy.RETRY
    return Failure(remedy, "bad-response", f"HTTP {status} without an error of the vendor's", status, reply=reply)


def _title(body: Any) -> str:
    """V3 says ``title``, V2 ``message`` in an array, B2B Edition ``meta.message``; deletes of prices that cannot be
    done now say ``error.message``, deletes of groups a title in a list."""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, Mapping):
        return ""
    errors = first.get("errors")
    inner = [first.get("meta"), first.get("error"), errors[0] if isinstance(errors, list) and errors else None]
    told = [one.get(name) for one in (first, *inner) if isinstance(one, Mapping) for name in ("title", "message")]
    return next((one for one in told if isinstance(one, str) and one), "")


def _details(body: Any) -> Iterator[tuple[str, str]]:
    """Paths and words, wherever the generation puts them."""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, Mapping):
        return
    data = first.get("data")
    inner = data.get("errMsg") if isinstance(data, Mapping) else None
    if isinstance(inner, str):
        yield "", inner
    for source in (first.get("errors"), first.get("details"), inner, *_of_batches(first, data)):
        if isinstance(source, Mapping):
            for name, text in list(source.items())[:20]:
                words = text[0] if isinstance(text, list) and text else text
                yield str(name), words if isinstance(words, str) else orjson.dumps(words).decode()[:200]
    if isinstance(first.get("detail"), str):
        yield "", first["detail"]


def _of_batches(body: Mapping[str, Any], data: Any) -> Iterator[Any]:
    """Of prices, metafields and B2B Edition's bulk calls: members that were not stored, each with its words."""
    lists = (body.get("batch_errors"), body.get("errors"), data.get("errors") if isinstance(data, Mapping) else None)
    for found in lists:
        for one in found[:20] if isinstance(found, list) else ():
            if isinstance(one, Mapping):
                yield one.get("field_errors") or one.get("errors") or one.get("_detail")
