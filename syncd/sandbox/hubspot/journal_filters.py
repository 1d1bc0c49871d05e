"""Conditions of the journal's filters, on the values of an object. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from syncd.sandbox.hubspot.errors import missing_fields, validation

_TESTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "EQ": lambda held, wanted: held == wanted,
    "N_EQ": lambda held, wanted: held != wanted,
    "LT": lambda held, wanted: _ordered(held, wanted) < 0,
    "LTE": lambda held, wanted: _ordered(held, wanted) <= 0,
    "GT": lambda held, wanted: _ordered(held, wanted) > 0,
    "GTE": lambda held, wanted: _ordered(held, wanted) >= 0,
    "CONTAINS": lambda held, wanted: wanted in held,
    "STARTS_WITH": lambda held, wanted: held.startswith(wanted),
    "ENDS_WITH": lambda held, wanted: held.endswith(wanted),
}
_LISTS: Final = frozenset({"IN", "NOT_IN"})
_EMPTINESS: Final = frozenset({"IS_EMPTY", "IS_NOT_EMPTY"})


def _ordered(held: str, wanted: str) -> float:
    try:
        return float(held) - float(wanted)
    except ValueError:
        return (held > wanted) - (held < wanted)


def checked(conditions: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Raises :class:`~syncd.sandbox.hubspot.errors.ApiError` for a condition that makes no sense."""
    if not conditions:
        raise missing_fields("conditions")
    for one in conditions:
        operator = one.get("operator")
        for name in ("filterType", "property", "operator"):
            if not isinstance(one.get(name), str) or not one[name]:
                raise missing_fields(name)
        if operator not in {*_TESTS, *_LISTS, *_EMPTINESS}:
            raise validation(f"operator {operator} is not known")
        if operator in _LISTS and not isinstance(one.get("values"), list):
            raise missing_fields("values")
        if operator in _TESTS and not isinstance(one.get("value"), str):
            raise missing_fields("value")
    return conditions


def holds(condition: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    held = values.get(condition["property"]) or ""
    operator = str(condition["operator"])
    if operator in _EMPTINESS:
        return (not held) is (operator == "IS_EMPTY")
    if operator in _LISTS:
        return (held in map(str, condition["values"])) is (operator == "IN")
    return bool(held) and _TESTS[operator](held, condition["value"])
