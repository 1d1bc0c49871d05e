"""One table of the file to one dataclass: unknown keys refused with a suggestion, then every value by its rule."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, Final, TypeVar, cast

from syncd.config.lines import Key
from syncd.config.problems import looks_secret, meant
from syncd.config.rules import Duration
from syncd.config.source import Source

T = TypeVar("T")

HIDDEN: Final = frozenset({"name"})
"""Fields that are filled from elsewhere and are no keys of the file."""

_RULES: Final = {
    "string_type": "must be a string in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "dataclass_type": "must be a table",
    "mapping_type": "must be a table",
    "dict_type": "must be a table",
}


@dataclasses.dataclass(frozen=True, slots=True)
class KeyInfo:
    """One key of a section."""

    name: str
    kind: Any
    """The type without annotations."""
    default: Any
    span: bool
    """A span of time, kept in seconds."""


@functools.cache
def keys_of(section: type) -> Mapping[str, KeyInfo]:
    """The keys that a section's table may hold."""
    hints = typing.get_type_hints(section)
    noted = typing.get_type_hints(section, include_extras=True)
    return {
        one.name: KeyInfo(one.name, hints[one.name], _default(one), _is_span(noted[one.name]))
        for one in dataclasses.fields(section)
        if one.name not in HIDDEN
    }


def _is_span(annotation: Any) -> bool:
    return any(isinstance(one, Duration) for one in getattr(annotation, "__metadata__", ()))


def _default(one: dataclasses.Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not dataclasses.MISSING else one.default


def nested(kind: Any) -> tuple[Any, bool]:
    """The section inside a key's type, and whether it stands behind names of the user's choice."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return kind, False
    if typing.get_origin(kind) is Mapping:
        inner = typing.get_args(kind)[1]
        return (inner, True) if dataclasses.is_dataclass(inner) else (None, False)
    if isinstance(kind, types.UnionType):
        return next(((one, False) for one in typing.get_args(kind) if dataclasses.is_dataclass(one)), (None, False))
    return None, False


def read_section(source: Source, section: type[T], value: Any, key: Key) -> T:
    """The section that ``value`` describes. What is wrong is noted in the source and left out of the result, so that
    the checks that follow see the rest and every problem is told at once."""
    if not isinstance(value, dict):
        source.add(key, "must be a table", value)
        return section()
    good = _known(source, section, value, key)
    from pydantic import TypeAdapter, ValidationError

    adapter: Any = _adapter(cast("Any", section), TypeAdapter)
    for _ in range(2):
        try:
            return cast("T", adapter.validate_python(good))
        except ValidationError as error:
            wrong = [_note(source, one, good, key) for one in error.errors(include_url=False, include_context=False)]
        for place in wrong:
            _drop(good, place)
    return section()


@functools.cache
def _adapter(section: type, adapter: Any) -> Any:
    return adapter(section)


def _note(source: Source, error: Mapping[str, Any], value: Any, key: Key) -> Key:
    """One of pydantic's findings as a problem, at the deepest key that the file really has."""
    here: list[str | int] = []
    given = value
    for part in error["loc"]:
        if part == "[key]" or not _has(given, part):
            break
        here.append(part)
        given = given[part]
    rule = _RULES.get(error["type"], str(error["msg"]).removeprefix("Value error, "))
    source.add((*key, *here), rule, given)
    return tuple(here)


def _drop(table: Any, place: Key) -> None:
    """Take a key out; an element of a list takes the whole list with it."""
    names = tuple(takewhile(lambda part: isinstance(part, str), place))
    for part in names[:-1]:
        table = table.get(part, {})
    if names:
        table.pop(names[-1], None)


def _has(table: Any, part: str | int) -> bool:
    if isinstance(table, dict):
        return part in table
    return isinstance(table, list | tuple) and isinstance(part, int) and part < len(table)


def _known(source: Source, section: type, value: Mapping[str, Any], key: Key) -> dict[str, Any]:
    """A copy without the keys that do not exist, which are noted."""
    known = keys_of(section)
    kept: dict[str, Any] = {}
    for name, inner in value.items():
        if name not in known:
            source.add((*key, name), unknown_rule(name, known, key), inner)
            continue
        kind, named = nested(known[name].kind)
        if kind is None or not isinstance(inner, dict):
            kept[name] = inner
        elif named:
            kept[name] = {
                one: _known(source, kind, table, (*key, name, one)) if isinstance(table, dict) else table
                for one, table in inner.items()
            }
        else:
            kept[name] = _known(source, kind, inner, (*key, name))
    return kept


def unknown_rule(name: str, known: Mapping[str, object], key: Key) -> str:
    """What to say of a key that does not exist."""
    if looks_secret(name):
        owner = key[1] if len(key) > 1 and key[0] in {"connections", "intake"} else "<connection>"
        owner = key[2] if len(key) > 2 and key[0] == "intake" else owner
        return f"secrets do not belong in the file; run `syncd credentials set {owner} <name>`"
    return f"unknown key{meant(name, known)}"
