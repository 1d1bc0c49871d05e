"""Values between what lenses hold and what the org's JSON and CSV say. Pure.

The type of a value is the org's to say (its description of the object): a number must not travel as text, an instant in
a date field is cut to its day. A path with dots writes through a parent's external id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

import orjson

from syncd.model.lens import Raw
from syncd.model.value import FieldType, InvalidValueError, canonical, instant_from_ms, instant_to_ms
from syncd.systems.contract import Snapshot
from syncd.systems.salesforce.describe import Field, Schema
from syncd.systems.salesforce.ids import long_id
from syncd.systems.salesforce.soql import STAMP

NUMBERS: Final = frozenset({"int", "long", "double", "currency", "percent"})
NULL_CELL: Final = "#N/A"
"""Clears a field in a CSV; an empty cell leaves it as it is."""


def milliseconds(text: Any) -> int:
    """An instant as the org writes it (``2026-11-23T10:15:30.000+0000``), as milliseconds; 0 for anything else."""
    if not isinstance(text, str) or not text:
        return 0
    try:
        return instant_to_ms(text)
    except InvalidValueError:
        return 0


def scalar(value: Raw, field: Field | None) -> Raw:
    """One value as JSON. What does not look like its type goes as it is, so that the vendor judges it in its words."""
    if value is None or field is None:
        return value
    if field.type in NUMBERS and isinstance(value, str):
        try:
            number = canonical(FieldType.DECIMAL, value)
        except InvalidValueError:
            return value
        return orjson.Fragment(str(number).encode())
    if field.type == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if field.type == "date" and isinstance(value, str):
        return value[:10]
    if isinstance(value, list):
        return ";".join(str(one) for one in value)
    return value


def body(values: Mapping[str, Raw], schema: Schema) -> dict[str, Any]:
    """Values by path as the fields of a record's JSON."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        parent, dot, rest = path.partition(".")
        if not dot:
            found[path] = scalar(value, schema.field(path))
        elif value is None:
            # A parent named by its key is taken away by emptying the reference itself.
            reference = schema.parent(parent)
            found[reference.name if reference else parent] = None
        else:
            found[parent] = {rest: value}
    return found


def cell(value: Raw, field: Field | None) -> str:
    """One value as a cell of a CSV."""
    if value is None or value == "":
        return NULL_CELL
    if isinstance(value, bool):
        return "true" if value else "false"
    if field is not None and field.type == "date" and isinstance(value, str):
        return value[:10]
    if isinstance(value, list):
        return ";".join(str(one) for one in value)
    return str(value)


def from_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a reply, without the vendor's annotations."""
    return {
        name: from_json(value) if isinstance(value, dict) else value
        for name, value in record.items()
        if name != "attributes"
    }


def from_row(row: Mapping[str, str], booleans: Iterable[str]) -> dict[str, Any]:
    """A row of a CSV as a record: empty is null, dots are parents."""
    flags = {one.lower() for one in booleans}
    found: dict[str, Any] = {}
    for column, text in row.items():
        value: Any = None if text in ("", None) else text
        if column.lower() in flags and value is not None:
            value = value.lower() == "true"
        here = found
        *parents, last = column.split(".")
        for parent in parents:
            here = here.setdefault(parent, {})
        here[last] = value
    return found


def snapshot(object_: str, data: Mapping[str, Any], *, partial: bool = False) -> Snapshot:
    """A record as it stood when we looked.

    The stamp has whole seconds only, so the version also tells the content: two changes within a second are two.
    """
    external_id = long_id(str(data.get("Id") or ""))
    stamp = milliseconds(data.get(STAMP))
    text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    version = f"{stamp}-{blake2b(text, digest_size=6).hexdigest()}"
    gone = data.get("IsDeleted") is True
    return Snapshot(object_, external_id, data, version, stamp, deleted=gone, partial=partial)


def shaped(data: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The record with its fields under the names that the mapping uses, whatever case the vendor writes them in."""
    by_name = {name.lower(): name for name in data}
    found = dict(data)
    for path in paths:
        head = path.partition(".")[0]
        if head not in found and head.lower() in by_name:
            found[head] = data[by_name[head.lower()]]
    return found


def moment(milliseconds_: Any, kind: str) -> Any:
    """An Avro number of milliseconds as the REST API would write it, by the field's type."""
    if not isinstance(milliseconds_, int) or isinstance(milliseconds_, bool):
        return milliseconds_
    if kind == "datetime":
        return instant_from_ms(milliseconds_)
    if kind == "date":
        return instant_from_ms(milliseconds_)[:10]
    if kind == "time":
        return instant_from_ms(milliseconds_ % 86_400_000)[11:]
    return milliseconds_
