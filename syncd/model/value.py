"""Canonical values: what a field of a golden record may hold, and the one way each type is written.

Fields travel as plain mappings from field name to JSON value. A field has three states:

* absent - the name is not in the mapping: nothing is known, nothing is meant;
* null - the name maps to ``None``: it is known to be empty;
* a value - in the canonical form of its type, so that equal things compare equal.

Canonical forms: money is ``{"amount": "42.00", "currency": "EUR"}`` with the amount as a decimal string in
the currency's own digits, dates are ``YYYY-MM-DD``, instants are ``YYYY-MM-DDTHH:MM:SS.mmmZ``, decimals are
strings without exponent or trailing zeros, e-mail addresses are trimmed and lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum
from typing import Any, Final, TypeAlias

Value: TypeAlias = Any
"""A JSON value in canonical form: ``None``, ``str``, ``int``, ``bool``, ``list`` or ``dict``; never a float."""

Fields: TypeAlias = Mapping[str, Value]
"""Field name to value; a missing name means absent."""


class Absent(Enum):
    """The third state of a field; see the module's docstring."""

    ABSENT = "absent"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent.ABSENT


class FieldType(StrEnum):
    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    MONEY = "money"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "instant"
    CHOICE = "choice"
    REFERENCE = "reference"
    """The id of another record."""
    ITEMS = "items"
    """A list of mappings, each with a ``key`` that is unique in the list."""


class InvalidValueError(ValueError):
    """A value does not fit its type. The message names the type and what was wrong, never a secret."""


# ISO 4217 currencies whose minor unit is not two digits.
_MINOR_DIGITS: Final = {
    "BHD": 3, "BIF": 0, "CLF": 4, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0, "KMF": 0,
    "KRW": 0, "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3, "UGX": 0, "UYI": 0, "UYW": 4, "VND": 0,
    "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}  # fmt: skip

_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_PUNCTUATION: Final = re.compile(r"[\s()./-]+")
_TELEPHONE: Final = re.compile(r"\+?\d{3,20}")


def minor_digits(currency: str) -> int:
    """Digits after the decimal point in the smallest unit of an ISO 4217 currency."""
    return _MINOR_DIGITS.get(currency, 2)


def money(amount: str | int | Decimal, currency: Any) -> dict[str, str]:
    """Canonical money. ``amount`` is in major units, and may carry more digits than the currency has
    (high-precision prices keep them)."""
    code = currency.strip().upper() if isinstance(currency, str) else ""
    if not _CURRENCY.fullmatch(code):
        raise InvalidValueError(f"money: {currency!r} is not a three-letter currency code")
    number = _decimal(amount)
    digits = minor_digits(code)
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > digits:
        digits = -exponent
    if not number:
        number = abs(number)  # there is one nothing, not two
    return {"amount": f"{number:.{digits}f}", "currency": code}


def money_from_minor(minor: int, currency: str, digits: int | None = None) -> dict[str, str]:
    """Canonical money from an integer count of the smallest unit."""
    scale = minor_digits(currency.upper()) if digits is None else digits
    return money(Decimal(minor).scaleb(-scale), currency)


def money_to_minor(value: Mapping[str, str]) -> int:
    """The count of smallest units. Raises where the amount has more digits than the currency."""
    scaled = Decimal(value["amount"]).scaleb(minor_digits(value["currency"]))
    if scaled != scaled.to_integral_value():
        raise InvalidValueError(f"money: {value['amount']} {value['currency']} is finer than the smallest unit")
    return int(scaled)


def _decimal(raw: str | int | Decimal) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, str | int | Decimal):
        raise InvalidValueError(f"number: expected digits, got {type(raw).__name__}")
    try:
        number = Decimal(raw)
    except InvalidOperation:
        raise InvalidValueError("number: expected digits with an optional decimal point") from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise InvalidValueError("number: not finite or out of range")
    return number


def instant_from_ms(milliseconds: int) -> str:
    """The canonical instant for milliseconds since the epoch. Raises :class:`InvalidValueError` beyond the years 1
    to 9999."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise InvalidValueError("instant: out of range") from None
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def instant_to_ms(instant: str) -> int:
    """Milliseconds since the epoch for an ISO 8601 instant; without an offset it is taken as UTC."""
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        raise InvalidValueError("instant: expected ISO 8601") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def _text(raw: Value) -> str:
    if not isinstance(raw, str):
        raise InvalidValueError(f"text: expected a string, got {type(raw).__name__}")
    return raw


def _email(raw: Value) -> str:
    # Only normalised, not judged: a vendor's odd address is data that the other side may refuse in its own words.
    return _text(raw).strip().lower()


def _phone(raw: Value) -> str:
    text = _text(raw).strip()
    digits = _PUNCTUATION.sub("", text)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    return digits if _TELEPHONE.fullmatch(digits) else text


def _integer(raw: Value) -> int:
    number = _decimal(raw)
    if number != number.to_integral_value():
        raise InvalidValueError("integer: has a fraction")
    return int(number)


def _plain_decimal(raw: Value) -> str:
    number = _decimal(raw).normalize()
    return f"{number:f}" if number else "0"


def _boolean(raw: Value) -> bool:
    if not isinstance(raw, bool):
        raise InvalidValueError(f"boolean: expected true or false, got {type(raw).__name__}")
    return raw


def _date(raw: Value) -> str:
    try:
        return date.fromisoformat(_text(raw)[:10]).isoformat()
    except ValueError:
        raise InvalidValueError("date: expected YYYY-MM-DD") from None


def _instant(raw: Value) -> str:
    whole = isinstance(raw, int) and not isinstance(raw, bool)
    return instant_from_ms(raw if whole else instant_to_ms(_text(raw)))


def _money(raw: Value) -> dict[str, str]:
    if not isinstance(raw, Mapping) or not {"amount", "currency"} <= raw.keys():
        raise InvalidValueError("money: expected an amount and a currency")
    return money(raw["amount"], raw["currency"])


def _items(raw: Value) -> list[dict[str, Value]]:
    if not isinstance(raw, list):
        raise InvalidValueError(f"items: expected a list, got {type(raw).__name__}")
    keys = [item.get("key") if isinstance(item, Mapping) else None for item in raw]
    if not all(isinstance(key, str) and key for key in keys) or len(set(keys)) != len(keys):
        raise InvalidValueError("items: every item needs a key of its own")
    return sorted((dict(item) for item in raw), key=lambda item: str(item["key"]))


_CANONICAL: Final[dict[FieldType, Callable[[Value], Value]]] = {
    FieldType.TEXT: _text,
    FieldType.EMAIL: _email,
    FieldType.PHONE: _phone,
    FieldType.MONEY: _money,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _plain_decimal,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.INSTANT: _instant,
    FieldType.CHOICE: _text,
    FieldType.REFERENCE: _text,
    FieldType.ITEMS: _items,
}


def canonical(kind: FieldType, raw: Value) -> Value:
    """The canonical form of ``raw`` for a type. ``None`` stays ``None``; applying it twice changes nothing.

    Raises :class:`InvalidValueError`.
    """
    return None if raw is None else _CANONICAL[kind](raw)
