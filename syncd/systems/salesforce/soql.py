"""Questions in SOQL: literals are escaped here and nowhere else. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import quote

from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.model.value import instant_from_ms
from syncd.systems.contract import VendorError

_ESCAPES: Final = {
    "\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f",
}  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*){0,5}")
STAMP: Final = "SystemModstamp"
"""Moves on automated changes too, which do not move LastModifiedDate."""


LONGEST: Final = 9000
"""Bytes of one question's list of values. An address with its headers may have 16,384; names and token want theirs."""


def literal(text: str) -> str:
    r"""A string literal.

    >>> literal("O'Hara")
    "'O\\'Hara'"
    """
    return "'" + "".join(_ESCAPES.get(sign, sign) for sign in text) + "'"


def instant(milliseconds: int) -> str:
    """A date-time literal, UTC."""
    return instant_from_ms(milliseconds)


def name(text: str) -> str:
    """A name of an object or field, dotted through parents. Raises :class:`VendorError` for anything else: names come
    from configuration, and are spliced."""
    if not _NAME.fullmatch(text):
        raise VendorError(Failure(Remedy.ASK, "bad-name", f"{text[:80]!r} is no name of an object or field"))
    return text


def columns(mapping: ObjectMapping) -> tuple[str, ...]:
    """Exactly the mapped fields, with the id and the stamp."""
    found = {"id": "Id", STAMP.lower(): STAMP}
    for path in mapping.paths():
        found.setdefault(path.lower(), name(path))
    return tuple(found.values())


def among(field: str, values: Iterable[str]) -> str:
    return f"{field} IN ({','.join(literal(one) for one in values)})"


def portions(values: Iterable[str], most: int) -> Iterator[list[str]]:
    """Values in questions that fit an address: each of at most ``most``, and short enough when they are encoded.

    >>> list(portions("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    held: list[str] = []
    size = 0
    for one in values:
        length = len(quote(literal(one) + ",", safe=""))
        if held and (len(held) >= most or size + length > LONGEST):
            yield held
            held, size = [], 0
        held.append(one)
        size += length
    if held:
        yield held


def select(fields: Sequence[str], object_: str, where: str = "", order: str = "", limit: int = 0) -> str:
    parts = ["SELECT", ",".join(fields), "FROM", name(object_)]
    if where:
        parts.append(f"WHERE {where}")
    if order:
        parts.append(f"ORDER BY {order}")
    if limit:
        parts.append(f"LIMIT {limit}")
    return " ".join(parts)
