"""Property values as the vendor stores them: always text. Checks and normal forms, no state.

Every checker takes the written text and returns the stored one, or raises :class:`InvalidError`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_TEXT = 65_536
_EMAIL = re.compile(r"[^@\s,;<>()\[\]\\\"]+@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
_EPOCH_MS = re.compile(r"-?\d+")
_DAY_MS = 86_400_000


class InvalidError(ValueError):
    """A value does not fit its property; ``code`` is the vendor's word for why."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def as_text(raw: Any) -> str:
    """A JSON scalar as the vendor reads it into a string property."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int):
        return str(raw)
    if isinstance(raw, float):
        return repr(raw)
    raise InvalidError("INVALID_JSON", f"Cannot deserialize value of type `java.lang.String` from {type(raw).__name__}")


def text(value: str) -> str:
    if len(value) > MAX_TEXT:
        raise InvalidError("INVALID_STRING", f"Property value is longer than {MAX_TEXT} characters")
    return value


def email(value: str) -> str:
    """Trimmed and lower-cased."""
    address = value.strip().lower()
    if len(address) > 254 or ".." in address or not _EMAIL.fullmatch(address):
        raise InvalidError("INVALID_EMAIL", f"Email address {value} is invalid")
    return address


def domain(value: str) -> str:
    """Lower-cased, without scheme and path."""
    return re.sub(r"^[a-z]+://", "", value.strip().lower()).split("/", 1)[0]


def number(value: str) -> str:
    try:
        parsed = Decimal(value.strip())
    except InvalidOperation:
        raise InvalidError("INVALID_INTEGER", f"{value} was not a valid number.") from None
    if not parsed.is_finite():
        raise InvalidError("INVALID_INTEGER", f"{value} was not a valid number.")
    return value.strip()


def boolean(value: str) -> str:
    lower = value.strip().lower()
    if lower not in {"true", "false"}:
        raise InvalidError("INVALID_OPTION", f"{value} was not one of the allowed options: [true, false]")
    return lower


def day(value: str) -> str:
    """``YYYY-MM-DD`` or milliseconds at midnight UTC; stored as ``YYYY-MM-DD``."""
    written = value.strip()
    try:
        return date.fromisoformat(written).isoformat() if len(written) == 10 else _midnight(epoch_ms(written))
    except InvalidError:
        raise
    except ValueError:
        raise InvalidError("INVALID_DATE", f"{value} was not a valid date.") from None


def _midnight(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    if milliseconds % _DAY_MS:
        when = f"{moment:%H:%M:%S}.{milliseconds % 1000:03d}"
        raise InvalidError("INVALID_DATE", f"{milliseconds} is at {when} UTC, not midnight!")
    return moment.date().isoformat()


def instant(value: str) -> str:
    """Milliseconds or ISO 8601; stored as ISO 8601 with milliseconds and Z."""
    return iso(epoch_ms(value.strip()))


def epoch_ms(written: str) -> int:
    """Milliseconds of an instant written either way. A bare day is midnight UTC."""
    try:
        if _EPOCH_MS.fullmatch(written):
            milliseconds = int(written)
            datetime.fromtimestamp(milliseconds / 1000, UTC)
            return milliseconds
        moment = datetime.fromisoformat(written)
    except (ValueError, OverflowError, OSError):
        raise InvalidError("INVALID_DATE", f"{written} was not a valid timestamp.") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


_last_second = (-1, "")


def iso(milliseconds: int) -> str:
    """``2026-11-23T05:00:00.123Z``. Remembers the last second: most stamps of one call share it."""
    global _last_second  # noqa: PLW0603
    second, millis = divmod(milliseconds, 1000)
    if _last_second[0] != second:
        _last_second = (second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}")
    return f"{_last_second[1]}.{millis:03d}Z"


def option(value: str, allowed: Collection[str]) -> str:
    if value not in allowed:
        raise refused_option(value, allowed)
    return value


def options(value: str, allowed: Collection[str], held: str) -> str:
    """Several joined with ``;``. A leading ``;`` adds to what is held."""
    written = [one.strip() for one in value.split(";") if one.strip()]
    for one in written:
        if one not in allowed:
            raise refused_option(one, allowed)
    before = held.split(";") if value.startswith(";") and held else []
    return ";".join(dict.fromkeys(before + written))


def refused_option(value: str, allowed: Collection[str]) -> InvalidError:
    return InvalidError("INVALID_OPTION", f"{value} was not one of the allowed options: [{', '.join(allowed)}]")


def phone_digits(value: str) -> tuple[str, str]:
    """The two normalised copies of a phone number: international (empty if not written so) and searchable."""
    digits = re.sub(r"\D", "", value)
    written = value.strip()
    if written.startswith("00"):
        digits, written = digits[2:], "+"
    return (f"+{digits}" if written.startswith("+") and digits else ""), digits[-10:]
