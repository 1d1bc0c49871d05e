"""Shapes of request bodies, and the check of a body against its shape.

A shape is one text of ``name:kind`` words (``name?:kind`` when optional; ``kind*`` is a list of them). Kinds:
``text key bool int number date time money amount localized country address custom any object``, ``ri`` with the type id
of a resource identifier (``ri=customer-group``), or the name of another shape in angle brackets, given on the side.
A member that is null counts as absent, one that the shape does not know is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from syncd.sandbox.commercetools.errors import invalid_field, invalid_json
from syncd.sandbox.commercetools.fields import ADDRESS_TEXTS
from syncd.sandbox.commercetools.predicate import instant_text

KEY = re.compile(r"[A-Za-z0-9_-]{2,256}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_ZERO_DIGITS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())  # noqa: SIM905
_THREE_DIGITS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


@dataclass(frozen=True, slots=True)
class Member:
    kind: str
    required: bool
    many: bool


@dataclass(frozen=True, slots=True)
class Shape:
    members: Mapping[str, Member]
    others: Mapping[str, Shape] = field(default_factory=dict)
    """Shapes that members of kind ``<name>`` have."""


def shape(text: str, **others: Shape) -> Shape:
    members = {}
    for word in text.split():
        name, _, kind = word.partition(":")
        many = kind.endswith("*")
        members[name.rstrip("?")] = Member(kind.rstrip("*"), not name.endswith("?"), many)
    return Shape(members, others)


ADDRESS = shape(
    "country:country custom?:custom id?:text key?:key "
    + " ".join(f"{name}?:text" for name in ADDRESS_TEXTS if name not in {"country", "id", "key"})
)


def check(body: Any, wanted: Shape, where: str = "") -> dict[str, Any]:
    """The body in the platform's form (absent members left out, money typed). Raises ``ApiError`` 400."""
    if not isinstance(body, dict):
        raise invalid_json(f"{where or 'body'}: Expected an object.")
    unknown = next((name for name in body if name not in wanted.members), None)
    if unknown is not None:
        raise invalid_json(f"{_path(where, unknown)}: Unknown field.")
    result: dict[str, Any] = {}
    for name, member in wanted.members.items():
        value, path = body.get(name), _path(where, name)
        if value is None:
            if member.required:
                raise invalid_json(f"{path}: Missing required value")
            continue
        if member.many:
            if not isinstance(value, list):
                raise invalid_json(f"{path}: Expected a list.")
            result[name] = [_one(one, member.kind, wanted, path) for one in value]
        else:
            result[name] = _one(value, member.kind, wanted, path)
    return result


def _path(where: str, name: str) -> str:
    return f"{where} -> {name}" if where else name


def _one(value: Any, kind: str, wanted: Shape, path: str) -> Any:
    if kind.startswith("<"):
        return check(value, wanted.others[kind[1:-1]], path)
    if kind.startswith("ri="):
        return _identifier(value, kind[3:], path)
    if kind in _PARTS:
        return _PARTS[kind](value, path)
    try:
        return _SCALARS[kind](value)
    except (TypeError, ValueError):
        raise invalid_json(f"{path}: '{value}' is not a valid {kind}.") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _key(value: Any, path: str) -> str:
    if not isinstance(value, str) or not KEY.fullmatch(value):
        raise invalid_field(path, value)
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(value)
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return value


def _date(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 10:
        raise ValueError(value)
    return date.fromisoformat(value).isoformat()


def _time(value: Any) -> str:
    if not isinstance(value, str) or len(value) < 16:
        raise ValueError(value)
    return instant_text(value)


def _country(value: Any) -> str:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise ValueError(value)
    return value


def fraction_digits(currency: str) -> int:
    return 0 if currency in _ZERO_DIGITS else 3 if currency in _THREE_DIGITS else 2


def cent_money(currency: str, cents: int) -> dict[str, Any]:
    return {
        "type": "centPrecision",
        "currencyCode": currency,
        "centAmount": cents,
        "fractionDigits": fraction_digits(currency),
    }


def money(value: Any, path: str) -> dict[str, Any]:
    """A money draft as typed money; cent precision only. Raises ``ApiError`` InvalidJsonInput."""
    if not isinstance(value, dict):
        raise invalid_json(f"{path}: Expected an object.")
    draft = check(value, _MONEY, path)
    currency, digits = draft["currencyCode"], draft.get("fractionDigits")
    if not _CURRENCY.fullmatch(currency):
        raise invalid_json(f"{path} -> currencyCode: '{currency}' is not a valid currency code.")
    if draft.get("type", "centPrecision") != "centPrecision" or digits not in {None, fraction_digits(currency)}:
        raise invalid_json(f"{path}: Only money of type 'centPrecision' is accepted here.")
    return cent_money(currency, draft["centAmount"])


def amount(value: Any, path: str) -> dict[str, Any]:
    """Money of a price: cents, or high precision, from which the cents follow. Raises ``ApiError`` 400."""
    if not isinstance(value, dict) or value.get("type") != "highPrecision":
        return money(value, path)
    draft = check(value, _PRECISE, path)
    currency, digits, precise = draft["currencyCode"], draft["fractionDigits"], draft["preciseAmount"]
    usual = fraction_digits(currency)
    if not usual < digits <= 20:
        raise invalid_json(f"{path} -> fractionDigits: Expected more than {usual} and at most 20.")
    exact = Decimal(precise).scaleb(usual - digits)
    cents = draft.get("centAmount", int(exact.to_integral_value(ROUND_HALF_EVEN)))
    if abs(cents - exact) >= 1:
        raise invalid_json(f"{path} -> centAmount: '{cents}' is no rounding of the precise amount.")
    made = cent_money(currency, cents)
    return {**made, "type": "highPrecision", "preciseAmount": precise, "fractionDigits": digits}


def localized(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise invalid_json(f"{path}: Expected an object of locale to text.")
    return value


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid_json(f"{path}: Expected an object.")
    return value


def _identifier(value: Any, type_id: str, path: str) -> dict[str, str]:
    """A resource identifier: exactly one of id and key; its type id may be left out where only one is possible."""
    if not isinstance(value, dict):
        raise invalid_json(f"{path}: Expected a resource identifier.")
    draft = check(value, _IDENTIFIER, path)
    if draft.get("typeId", type_id) != type_id:
        raise invalid_json(f"{path} -> typeId: Expected '{type_id}', got '{draft['typeId']}'.")
    if ("id" in draft) == ("key" in draft):
        raise invalid_json(f"{path}: ResourceIdentifier requires exactly one of 'id' and 'key'.")
    return {**draft, "typeId": type_id}


_MONEY = shape("type?:text currencyCode:text centAmount:int fractionDigits?:int")
_PRECISE = shape("type?:text currencyCode:text centAmount?:int preciseAmount:int fractionDigits:int")
_IDENTIFIER = shape("typeId?:text id?:text key?:text")
_CUSTOM = shape("type:ri=type fields?:object")
_SCALARS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "bool": _bool,
    "int": _int,
    "number": _number,
    "date": _date,
    "time": _time,
    "country": _country,
    "any": lambda value: value,
}
_PARTS: dict[str, Callable[[Any, str], Any]] = {
    "key": _key,
    "money": money,
    "amount": amount,
    "localized": localized,
    "object": _object,
    "address": lambda value, path: check(value, ADDRESS, path),
    "custom": lambda value, path: check(value, _CUSTOM, path),
}
