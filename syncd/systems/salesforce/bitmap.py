"""Which fields a change event names: bitmaps over the event's own schema. Pure.

A list of hexadecimal numbers. The first without a position covers the fields of the event (the lowest bit is the first
field, which is the header); ``4-0x10`` covers the parts of the compound field at position 4. Nothing is assumed of the
order of the items.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_ITEM: Final = re.compile(r"(?:(\d{1,6})-)?0x([0-9A-Fa-f]*)")


class BadBitmapError(ValueError):
    """The list names what the schema does not have, or is no bitmap: which fields changed is not known."""


def named_fields(schema: Mapping[str, Any], items: Iterable[str]) -> tuple[str, ...]:
    """Names by a bitmap; parts of compound fields as ``Compound.Part``. Raises :class:`BadBitmapError`."""
    fields = schema["fields"]
    names: list[str] = []
    for item in items:
        found = _ITEM.fullmatch(item)
        if found is None:
            raise BadBitmapError("an item is no bitmap")
        bits = int(found[2] or "0", 16)
        if found[1] is None:
            names += _picked(fields, bits, "")
            continue
        position = int(found[1])
        if position >= len(fields):
            raise BadBitmapError("an item speaks of a field that the schema does not have")
        parent = fields[position]
        names += _picked(parts_of(parent), bits, f"{parent['name']}.")
    return tuple(dict.fromkeys(names))


def parts_of(field: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts of a compound field; empty for a plain one."""
    kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
    for kind in kinds:
        if isinstance(kind, Mapping) and kind.get("type") == "record":
            return list(kind.get("fields") or ())
        if isinstance(kind, Mapping) and isinstance(kind.get("type"), Mapping):
            return parts_of({"type": kind["type"], "name": field["name"]})
    return []


def _picked(fields: list[Mapping[str, Any]], bits: int, prefix: str) -> list[str]:
    if bits >> len(fields):
        raise BadBitmapError("a bitmap is longer than the schema")
    return [prefix + str(one["name"]) for place, one in enumerate(fields) if bits >> place & 1]
