"""Fields of an object: what they are, and how a value that came in is read or refused.

Values are held as JSON has them: text, numbers (currency and double are floats), booleans, ``None``; dates as
``YYYY-MM-DD`` and moments as ``YYYY-MM-DDThh:mm:ss.000+0000`` in UTC, so that text order is time order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from syncd.sandbox.salesforce.errors import SalesforceError, bad_reference, malformed_id, unparsable
from syncd.sandbox.salesforce.ids import normal

TEXTS = frozenset({"string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "combobox"})
NUMBERS = frozenset({"double", "currency", "percent", "int"})
COMPOUNDS = frozenset({"address", "location"})
ID_TYPES = frozenset({"id", "reference"})

_EMAIL = re.compile(r"[^@\s<>(),;:\"\[\]\\]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+")
_LABEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(slots=True)
class Field:
    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    required: bool = False
    createable: bool = True
    updateable: bool = True
    unique: bool = False
    external_id: bool = False
    id_lookup: bool = False
    case_sensitive: bool = False
    calculated: bool = False
    """A formula or roll-up: not held, made by :attr:`compute`."""
    auto_number: str = ""
    """Pattern of an auto-number, ``00000000`` or ``LOY-{0000}``."""
    choices: tuple[str, ...] = ()
    restricted: bool = False
    default: Any = None
    reference_to: tuple[str, ...] = ()
    relationship: str = ""
    """Name of the relationship to the parent: ``Account`` of ``AccountId``, ``Parent__r`` of ``Parent__c``."""
    child_relationship: str = ""
    """Name of the relationship from the parent: ``Contacts``."""
    on_delete: str = "clear"
    """What the parent's deletion does: ``clear`` the lookup, ``cascade``, ``restrict``."""
    compound: str = ""
    """The compound field it is part of."""
    compute: Callable[[Any, Any], Any] | None = None
    """``compute(org, row)``."""
    in_events: bool = True
    read: Callable[[Any], Any] = field(default=lambda value: value, repr=False)

    def __post_init__(self) -> None:
        if not self.label:
            words = " ".join(_LABEL.split(self.name.removesuffix("__c").replace("_", " ")))
            self.label = words.removesuffix(" Id") + " ID" if self.type in ID_TYPES else words
        if self.calculated or self.auto_number or self.type in COMPOUNDS:
            self.createable = self.updateable = False
        self.read = reader(self)

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def indexed(self) -> bool:
        return self.unique or self.external_id or self.id_lookup

    @property
    def filterable(self) -> bool:
        return not (self.type == "textarea" and self.length > 4000) and self.type not in COMPOUNDS

    def key(self, value: Any) -> Any:
        """How a value is told apart from others of this field."""
        return value.lower() if isinstance(value, str) and not self.case_sensitive else value


def reader(one: Field) -> Callable[[Any], Any]:
    """Make the function that turns an incoming value (JSON or a CSV cell, never null) into the one held."""
    makers: dict[str, Callable[[Field], Callable[[Any], Any]]] = {
        "int": _integer,
        "double": _number,
        "currency": _number,
        "percent": _number,
        "boolean": _boolean,
        "date": _date,
        "datetime": _moment,
        "time": _time,
        "email": _email,
        "picklist": _choice,
        "multipicklist": _choices,
        "reference": _reference,
        "id": _reference,
    }
    return makers.get(one.type, _text)(one)


def token_of(value: object) -> str:
    """The JSON parser's word for what it met."""
    match value:
        case bool():
            return "VALUE_TRUE" if value else "VALUE_FALSE"
        case int():
            return "VALUE_NUMBER_INT"
        case float():
            return "VALUE_NUMBER_FLOAT"
        case dict():
            return "START_OBJECT"
        case list():
            return "START_ARRAY"
    return "VALUE_STRING"


def _text(one: Field) -> Callable[[Any], Any]:
    limit, label, name, keep = one.length or 255, one.label, one.name, one.type == "textarea"

    def read(value: Any) -> str | None:
        if not isinstance(value, str):
            raise unparsable("string", token_of(value), value)
        if not keep:
            value = value.strip()
        if len(value) > limit:
            shown = value if len(value) <= 255 else value[:255]
            raise SalesforceError(
                "STRING_TOO_LONG", f"{label}: data value too large: {shown} (max length={limit})", [name]
            )
        return value or None

    return read


def _email(one: Field) -> Callable[[Any], Any]:
    plain, label, name = _text(one), one.label, one.name

    def read(value: Any) -> str | None:
        text: str | None = plain(value)
        if text is not None and not _EMAIL.fullmatch(text):
            raise SalesforceError("INVALID_EMAIL_ADDRESS", f"{label}: invalid email address: {text}", [name])
        return text

    return read


def _bad_choice(one: Field, value: str) -> SalesforceError:
    return SalesforceError(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        f"{one.label}: bad value for restricted picklist field: {value}",
        [one.name],
    )


def _choice(one: Field) -> Callable[[Any], Any]:
    plain = _text(one)

    def read(value: Any) -> str | None:
        text: str | None = plain(value)
        if text is not None and one.restricted and text not in one.choices:
            raise _bad_choice(one, text)
        return text

    return read


def _choices(one: Field) -> Callable[[Any], Any]:
    plain = _text(one)

    def read(value: Any) -> str | None:
        text: str | None = plain(value)
        if text is None:
            return None
        parts = list(dict.fromkeys(part.strip() for part in text.split(";") if part.strip()))
        for part in parts:
            if one.restricted and part not in one.choices:
                raise _bad_choice(one, part)
        order = {choice: place for place, choice in enumerate(one.choices)}
        return ";".join(sorted(parts, key=lambda part: order.get(part, len(order)))) or None

    return read


def _decimal(one: Field, value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise unparsable(one.type, token_of(value), value)
    if value == "":
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise unparsable(one.type, token_of(value), value) from None
    if not number.is_finite():
        raise unparsable(one.type, token_of(value), value)
    return number


def _outside(one: Field, value: object) -> SalesforceError:
    return SalesforceError(
        "NUMBER_OUTSIDE_VALID_RANGE", f"{one.label}: value outside of valid range on numeric field: {value}", [one.name]
    )


def _number(one: Field) -> Callable[[Any], Any]:
    step, most = Decimal(1).scaleb(-one.scale), Decimal(10) ** ((one.precision or 18) - one.scale)

    def read(value: Any) -> float | None:
        number = _decimal(one, value)
        if number is None:
            return None
        if abs(number) >= most:
            raise _outside(one, value)
        return float(number.quantize(step, ROUND_HALF_UP))

    return read


def _integer(one: Field) -> Callable[[Any], Any]:
    def read(value: Any) -> int | None:
        number = _decimal(one, value)
        if number is None:
            return None
        if number != number.to_integral_value():
            raise unparsable("int", token_of(value), value)
        if not -(2**31) <= number < 2**31:
            raise _outside(one, value)
        return int(number)

    return read


def _boolean(one: Field) -> Callable[[Any], Any]:  # noqa: ARG001
    def read(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        match str(value).strip().lower() if isinstance(value, str) else value:
            case "true" | "1":
                return True
            case "false" | "0":
                return False
        raise unparsable("boolean", token_of(value), value)

    return read


def _date(one: Field) -> Callable[[Any], Any]:  # noqa: ARG001
    def read(value: Any) -> str | None:
        if value == "":
            return None
        try:
            if isinstance(value, str):
                return date.fromisoformat(value[:10]).isoformat()
        except ValueError:
            pass
        raise unparsable("date", token_of(value), value)

    return read


def moment_ms(text: str) -> int:
    """Epoch milliseconds of ISO 8601; without an offset it is UTC. Raises ``ValueError``."""
    moment = datetime.fromisoformat(text.strip())
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def moment_text(ms: int) -> str:
    """``2026-11-23T10:15:30.000+0000``, of whole seconds: the vendor keeps no milliseconds of moments."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000+0000"


def _moment(one: Field) -> Callable[[Any], Any]:  # noqa: ARG001
    def read(value: Any) -> str | None:
        if value == "":
            return None
        try:
            if isinstance(value, str):
                return moment_text(moment_ms(value))
        except (ValueError, OverflowError):
            pass
        raise unparsable("datetime", token_of(value), value)

    return read


def _time(one: Field) -> Callable[[Any], Any]:  # noqa: ARG001
    def read(value: Any) -> str | None:
        if value == "":
            return None
        try:
            if isinstance(value, str):
                moment = time.fromisoformat(value.removesuffix("Z"))
                return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
        except ValueError:
            pass
        raise unparsable("time", token_of(value), value)

    return read


def _reference(one: Field) -> Callable[[Any], Any]:
    label, name = one.label, one.name

    def read(value: Any) -> str | None:
        if value == "":
            return None
        if isinstance(value, dict):
            raise bad_reference(name)
        id_ = normal(value)
        if not id_:
            raise malformed_id(label, value, name)
        return id_

    return read
