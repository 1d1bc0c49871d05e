"""Values of records as people read and type them, by the type the control messages name. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from console.sanitise import LONGEST
from console.times import at_moment
from syncd.control.gap_messages import GapLine

EMPTY = "(empty)"
UNKNOWN = "—"

HINTS: Final = {
    "text": "text",
    "email": "name@host.example",
    "phone": "+49 30 1234567",
    "money": "1500.00 EUR",
    "integer": "42",
    "decimal": "4.25",
    "boolean": "true or false",
    "date": "2026-01-31",
    "instant": "2026-01-31T12:00:00Z",
    "choice": "one of the values the systems know",
    "reference": "the id of a record",
    "items": "a JSON list, each item with a key",
}
"""What may be typed, shown beside an empty input."""


class ValueProblemError(ValueError):
    """What was typed does not fit the type; the message says what is expected."""


def shown(value: Any, kind: str = "text", *, known: bool = True) -> str:
    """One line for a value; not yet sanitised."""
    if not known:
        return UNKNOWN
    if value is None or value == "":
        return EMPTY
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping) and {"amount", "currency"} <= value.keys():
        return f"{_grouped(str(value['amount']))} {value['currency']}"
    if kind == "items" and isinstance(value, list):
        return _items_shown(value)
    return value[: LONGEST + 1] if isinstance(value, str) else as_json(value)


def as_json(value: Any, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)


def _grouped(amount: str) -> str:
    try:
        return f"{Decimal(amount):,}"
    except InvalidOperation:
        return amount


def _items_shown(items: list[Any]) -> str:
    def one(item: Any) -> str:
        if not isinstance(item, Mapping):
            return as_json(item)
        name = item.get("name") or item.get("sku") or item.get("key") or "?"
        return f"{item.get('quantity', 1)} x {name}"

    return f"{len(items)}: " + ", ".join(one(item) for item in items) if items else "no items"


def typed(value: Any, kind: str) -> str:
    """The text an operator starts from when editing ``value``; :func:`parsed` reads it back."""
    if value is None:
        return ""
    if kind == "money" and isinstance(value, Mapping):
        return f"{value.get('amount', '')} {value.get('currency', '')}".strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else as_json(value)


def parsed(text: str, kind: str) -> Any:
    """The canonical value for what was typed. Nothing typed means null. Raises :class:`ValueProblemError`."""
    stripped = text.strip()
    return _PARSERS.get(kind, str)(stripped) if stripped else None


def _email(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", text):
        raise ValueProblemError("an e-mail address looks like name@host.example")
    return text.lower()


def _phone(text: str) -> str:
    digits = re.sub(r"[\s()./-]+", "", text)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if not re.fullmatch(r"\+?\d{3,20}", digits):
        raise ValueProblemError("a phone number is digits, with a leading + for the country")
    return digits


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text.replace(",", "").replace("_", ""))
    except InvalidOperation:
        raise ValueProblemError("a number has digits and at most one decimal point") from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise ValueProblemError("the number is out of range")
    return number


def _money(text: str) -> dict[str, str]:
    match = re.fullmatch(r"(-?[\d.,_]+)\s*([A-Za-z]{3})|([A-Za-z]{3})\s*(-?[\d.,_]+)", text)
    if not match:
        raise ValueProblemError("money is an amount and a currency, such as 1500.00 EUR")
    amount, currency = match[1] or match[4], match[2] or match[3]
    return {"amount": f"{_number(amount):f}", "currency": currency.upper()}


def _integer(text: str) -> int:
    number = _number(text)
    if number != number.to_integral_value():
        raise ValueProblemError("a whole number has no fraction")
    return int(number)


def _decimal(text: str) -> str:
    number = _number(text).normalize()
    return f"{number:f}" if number else "0"


def _boolean(text: str) -> bool:
    if text.lower() in {"true", "yes", "y", "1", "on"}:
        return True
    if text.lower() in {"false", "no", "n", "0", "off"}:
        return False
    raise ValueProblemError("expected true or false")


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueProblemError("a date is YYYY-MM-DD") from None


def _instant(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueProblemError("a moment is like 2026-01-31T12:00:00Z") from None
    return text


def _items(text: str) -> list[Any]:
    try:
        items = json.loads(text)
    except ValueError:
        raise ValueProblemError("items are a JSON list") from None
    if not isinstance(items, list) or not all(isinstance(one, dict) and one.get("key") for one in items):
        raise ValueProblemError("items are a JSON list of objects, each with a key")
    return items


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "email": _email,
    "phone": _phone,
    "money": _money,
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "instant": _instant,
    "items": _items,
}


def gap_words(gap: GapLine) -> str:
    """What a gap is and that it is being mended, in one line."""
    since = at_moment(gap.from_at) if gap.from_at else "the beginning"
    return f"gap {since} to {at_moment(gap.until_at)}, re-reading ({gap.reason})"
