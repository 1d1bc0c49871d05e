"""Reading parts of a JSON body, and the vendor's refusal when a part has the wrong shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.sandbox.hubspot.errors import ApiError, missing_fields, validation

_LONG = 2**63
"""Numbers beyond are none in the vendor's language."""


def _misfit(name: str, wanted: str) -> ApiError:
    return validation(
        f"Invalid input JSON on line 1, column 1: Cannot deserialize value of type `{wanted}` for {name}",
        context={"field": [name]},
    )


def empty(value: Any) -> bool:
    return value is None or value == ""


def text(value: Any, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _misfit(name, "java.lang.String")
    return str(value)


def required(body: Any, *names: str) -> list[str]:
    """The texts of fields that must be there."""
    fields = mapping(body, "input")
    absent = [name for name in names if empty(fields.get(name))]
    if absent:
        raise missing_fields(*absent)
    return [text(fields[name], name) for name in names]


def optional(body: Mapping[str, Any], name: str) -> str:
    """Empty where the field is not there."""
    value = body.get(name)
    return "" if empty(value) else text(value, name)


def integer(value: Any, name: str) -> int:
    if not isinstance(value, bool):
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            raise _misfit(name, "int") from None
        if -_LONG <= number < _LONG:
            return number
    raise _misfit(name, "int")


def mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _misfit(name, "java.util.LinkedHashMap")
    return value


def mappings(value: Any, name: str) -> list[dict[str, Any]]:
    """A list of objects; ``null`` is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _misfit(name, "java.util.ArrayList")
    return [mapping(one, name) for one in value]


def texts(value: Any, name: str) -> list[str]:
    """A list of texts; ``null`` is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _misfit(name, "java.util.ArrayList")
    return [text(one, name) for one in value]
