"""A predicate's meaning: checked against the known fields, turned into a test, and what an index can know of it.

A field that is not there equals nothing, is below and above nothing, and is therefore ``!=`` and ``not in`` everything.
A condition on a list holds when it holds for one element.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from syncd.sandbox.commercetools.errors import invalid_input
from syncd.sandbox.commercetools.fields import Kind
from syncd.sandbox.commercetools.grammar import (
    Among,
    Both,
    Circle,
    Compare,
    Contains,
    Either,
    Literal,
    Nested,
    Node,
    Not,
    Presence,
    Text,
)

Test: TypeAlias = Callable[[Mapping[str, Any]], bool]
_EARTH_METRES = 6_371_000.0
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def instant_text(value: str) -> str:
    """An instant as the platform writes it: UTC, milliseconds, ``Z``. Raises ValueError."""
    moment = datetime.fromisoformat(value)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


# -- checking: fields must exist, literals take the field's kind


def settle(node: Node, fields: Kind) -> Node:
    """The tree with every literal in the platform's form. Raises ``ApiError`` InvalidInput."""
    match node:
        case Both(parts):
            return Both(tuple(settle(part, fields) for part in parts))
        case Either(parts):
            return Either(tuple(settle(part, fields) for part in parts))
        case Not(inner):
            return Not(settle(inner, fields))
    kind = _kind_of(node.field, fields)
    match node:
        case Nested():
            if isinstance(kind, str) and kind != "any":
                raise _malformed(f"The field '{node.field}' has no nested fields")
            return Nested(node.field, settle(node.inner, kind))
        case Compare():
            return replace(node, value=_settle_literal(node.field, kind, node.value))
        case Among() | Contains():
            return replace(node, values=tuple(_settle_literal(node.field, kind, value) for value in node.values))
    return node


def _malformed(detail: str) -> Exception:
    return invalid_input(f"Malformed parameter: where: {detail}.")


def _kind_of(field: str, fields: Kind) -> Kind:
    if isinstance(fields, str):
        return "any"
    if field not in fields:
        raise _malformed(f"The field '{field}' does not exist")
    return fields[field]


def _settle_literal(field: str, kind: Kind, value: Literal) -> Literal:
    if isinstance(kind, dict):
        raise _malformed(f"The field '{field}' is an object; name a field in it")
    try:
        return _typed(kind, value)
    except ValueError:
        shown = value.text if isinstance(value, Text) else value
        raise _malformed(f"The value '{shown}' does not fit the field '{field}' of type {kind}") from None


def _typed(kind: str, value: Literal) -> Literal:
    raw = value.text if isinstance(value, Text) else value
    match kind:
        case "any":
            return value
        case "text" if isinstance(raw, str):
            return raw
        case "time" if isinstance(raw, str):
            return instant_text(raw)
        case "date" if isinstance(raw, str):
            return date.fromisoformat(raw).isoformat()
        case "bool" if isinstance(value, Text) and raw in {"true", "false"}:
            return raw == "true"
        case "bool" if isinstance(raw, bool):
            return raw
        case "number" if isinstance(value, Text):
            return float(value.text)
        case "number" if isinstance(raw, int | float) and not isinstance(raw, bool):
            return raw
    raise ValueError(kind)


# -- testing


def compile_test(node: Node) -> Test:
    match node:
        case Both(parts):
            tests = [compile_test(part) for part in parts]
            return lambda row: all(test(row) for test in tests)
        case Either(parts):
            tests = [compile_test(part) for part in parts]
            return lambda row: any(test(row) for test in tests)
        case Not(inner):
            test = compile_test(inner)
            return lambda row: not test(row)
        case Nested(field, inner):
            return _nested(field, compile_test(inner))
        case Compare(field, "!=", value):
            same = _compared("=", value)
            return lambda row: not _some(row.get(field), same)
        case Compare(field, op, value):
            holds = _compared(op, value)
            return lambda row: _some(row.get(field), holds)
        case Among(field, values, negated):
            tests_of_value = [_compared("=", value) for value in values]
            return lambda row: any(_some(row.get(field), test) for test in tests_of_value) != negated
        case Contains(field, values, every):
            tests_of_value = [_compared("=", value) for value in values]
            amount = all if every else any
            return lambda row: amount(_some(row.get(field), test) for test in tests_of_value)
        case Presence(field, what, negated):
            present = _presence(what)
            return lambda row: present(row.get(field)) != negated
        case Circle():
            return lambda row: _within(node, row.get(node.field))


def _nested(field: str, test: Test) -> Test:
    def nested(row: Mapping[str, Any]) -> bool:
        value = row.get(field)
        if isinstance(value, list):
            return any(isinstance(one, dict) and test(one) for one in value)
        # A missing object has no fields: "is not defined" holds below it.
        return test(value if isinstance(value, dict) else {})

    return nested


def _some(value: Any, holds: Callable[[Any], bool]) -> bool:
    if isinstance(value, list):
        return any(holds(one) for one in value)
    return value is not None and holds(value)


def _compared(op: str, literal: Literal) -> Callable[[Any], bool]:
    compare = _ORDER[op]

    def holds(value: Any) -> bool:
        wanted = _like(value, literal) if isinstance(literal, Text) else literal
        if isinstance(value, str):
            return isinstance(wanted, str) and compare(value, wanted)
        if isinstance(value, bool) or isinstance(wanted, bool):
            return isinstance(value, bool) and isinstance(wanted, bool) and compare(value, wanted)
        return isinstance(value, int | float) and isinstance(wanted, int | float) and compare(value, wanted)

    return holds


def _like(value: Any, literal: Text) -> Literal | None:
    if isinstance(value, str):
        return literal.text
    if isinstance(value, bool):
        return {"true": True, "false": False}.get(literal.text)
    try:
        return float(literal.text)
    except ValueError:
        return None


def _presence(what: str) -> Callable[[Any], bool]:
    if what == "defined":
        return lambda value: value is not None
    return lambda value: value is None or value in ([], {})


def _within(circle: Circle, value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("coordinates"), list):
        return False
    longitude, latitude = (math.radians(part) for part in value["coordinates"][:2])
    east, north = math.radians(circle.longitude), math.radians(circle.latitude)
    half = math.sin((latitude - north) / 2) ** 2
    half += math.cos(north) * math.cos(latitude) * math.sin((longitude - east) / 2) ** 2
    return 2 * _EARTH_METRES * math.asin(min(1.0, math.sqrt(half))) <= circle.metres


# -- what an index can know: both answers may only be too wide, never too narrow


def bounds(node: Node, field: str) -> tuple[str | None, str | None]:
    """The least and the greatest text the field can have where the predicate holds; None where unbounded."""
    match node:
        case Compare(name, op, value) if name == field and isinstance(value, str):
            low = value if op in {"=", ">", ">="} else None
            high = value if op in {"=", "<", "<="} else None
            return low, high
        case Among(name, values, False) if name == field and values and all(isinstance(one, str) for one in values):
            texts = [str(one) for one in values]
            return min(texts), max(texts)
        case Both(parts):
            pairs = [bounds(part, field) for part in parts]
            lows = [low for low, _ in pairs if low is not None]
            highs = [high for _, high in pairs if high is not None]
            return max(lows, default=None), min(highs, default=None)
        case Either(parts):
            pairs = [bounds(part, field) for part in parts]
            lows = [low for low, _ in pairs if low is not None]
            highs = [high for _, high in pairs if high is not None]
            return (
                min(lows) if len(lows) == len(pairs) else None,
                max(highs) if len(highs) == len(pairs) else None,
            )
    return None, None


def exact_values(node: Node, path: str) -> set[str] | None:
    """The only texts the dotted path can have where the predicate holds; None when it may have any."""
    field, _, rest = path.partition(".")
    match node:
        case Compare(name, "=", value) if name == field and not rest and isinstance(value, str):
            return {value}
        case Among(name, values, False) if name == field and not rest and all(isinstance(one, str) for one in values):
            return {str(one) for one in values}
        case Nested(name, inner) if name == field and rest:
            return exact_values(inner, rest)
        case Both(parts):
            known = [texts for texts in (exact_values(part, path) for part in parts) if texts is not None]
            return min(known, key=len, default=None)
        case Either(parts):
            found: set[str] = set()
            for part in parts:
                texts = exact_values(part, path)
                if texts is None:
                    return None
                found |= texts
            return found
    return None
