"""Failures, sorted by what happens next. Vendor errors become one of these at one border, from a table.

::

    Remedy
    |- RETRY    try again later, with backoff; uses up an attempt
    |- WAIT     the vendor named a time, or a budget is empty; uses up no attempt
    |- REFRESH  the credential expired; get a new one, once
    |- REREAD   our version is stale: read, merge, write again
    |- LOOK     it may have been applied: look before acting
    |- SPLIT    the batch was refused whole: halve it to find the poison
    |- LINK     the thing exists already, under ``existing_id``: link it and update that
    |- GONE     the target was deleted or merged away
    |- ASK      permanent: a dead letter that a human must mend (validation, missing property)
    `- STOP     the connection is unusable (revoked, missing scope): hold everything for it
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b


class Remedy(StrEnum):
    RETRY = "retry"
    WAIT = "wait"
    REFRESH = "refresh"
    REREAD = "reread"
    LOOK = "look"
    SPLIT = "split"
    LINK = "link"
    GONE = "gone"
    ASK = "ask"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong with one input, in the vendor's own words."""

    remedy: Remedy
    code: str
    """Stable and short: the vendor's code or category, or one of syncd's own in lower case with dashes."""
    message: str
    status: int = 0
    """HTTP status; 0 where there was no reply."""
    retry_after_seconds: float | None = None
    existing_id: str | None = None
    fields: tuple[str, ...] = field(default=())
    """Vendor paths or field names the failure speaks of, where it named them."""
    single: bool = False
    """It speaks of this one input, though its status would say that the vendor is unwell."""
    reply: str = ""
    """The vendor's reply, cut to a few kilobytes and free of secrets, for the operator."""


_VARIABLE = re.compile(r"[\w.+-]+@[\w.-]*|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\"[^\"]*\"|'[^']*'|\d+", re.IGNORECASE)


def normalised_message(message: str) -> str:
    """The message with addresses, ids, quoted values and numbers replaced, so that like failures read alike."""
    return _VARIABLE.sub("…", message)[:300]


def fingerprint(connection: str, object_: str, failure: Failure) -> str:
    """Groups dead letters by cause. Twelve hexadecimal digits."""
    cause = failure.fields or (normalised_message(failure.message),)
    text = "\x1f".join((connection, object_, failure.code, *sorted(cause)))
    return blake2b(text.encode(), digest_size=6).hexdigest()
