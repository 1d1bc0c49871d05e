"""From a change event to changes. Pure.

An update carries only what changed, and an empty field in it means "unchanged" unless the event names it: taking it for
null would wipe data. So an event becomes a partial state of exactly the fields it names - or, where that is not the
whole truth, a hint to read: a field that events do not carry, a long text that came as a difference, half of a value
that is made of two. Our own writes come back as hints with what they tell, so that they are dropped without a read when
we hold the same, and read when an automation of the org changed more than we did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.model.change import Change, ChangeKind, Channel
from syncd.model.mapping import ObjectMapping
from syncd.systems.salesforce.bitmap import BadBitmapError, named_fields, parts_of
from syncd.systems.salesforce.describe import Schema
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.soql import STAMP
from syncd.systems.salesforce.values import moment

HEADER: Final = "ChangeEventHeader"
WHOLE: Final = frozenset({"CREATE", "UNDELETE"})
"""Events that carry every field."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as it came."""

    id: str
    payload: Mapping[str, Any] = field(repr=False)
    schema: Mapping[str, Any] = field(repr=False)
    """The Avro schema that it was written with."""

    @property
    def header(self) -> Mapping[str, Any]:
        header = self.payload.get(HEADER)
        return header if isinstance(header, Mapping) else {}

    @property
    def kind(self) -> str:
        return str(self.header.get("changeType") or "")

    @property
    def object(self) -> str:
        return str(self.header.get("entityName") or "")

    @property
    def at(self) -> int:
        """When its transaction was committed; milliseconds."""
        stamp = self.header.get("commitTimestamp")
        return stamp if isinstance(stamp, int) and not isinstance(stamp, bool) else 0

    @property
    def ids(self) -> list[str]:
        ids = self.header.get("recordIds")
        return [str(one) for one in ids] if isinstance(ids, Sequence) and not isinstance(ids, str) else []

    def client(self) -> str:
        """Who wrote it, as the writer named itself in its calls."""
        return str(self.header.get("changeOrigin") or "").partition(";client=")[2].partition(";")[0]

    def names(self, which: str) -> tuple[str, ...]:
        """Fields that one of the header's bitmaps names. Raises :class:`BadBitmapError`."""
        items = self.header.get(which)
        return named_fields(self.schema, [str(one) for one in items]) if isinstance(items, list) else ()


@dataclass(frozen=True, slots=True)
class Reread:
    """An event that cannot tell what changed, only since when: the object is read again from there."""

    object: str
    from_at: int
    reason: str


def reread_of(event: Event, overlap_ms: int) -> Reread | None:
    """Whether the event tells of changes without telling which."""
    if event.kind == "GAP_OVERFLOW":
        return Reread(event.object, max(0, event.at - overlap_ms), "overflow")
    if not event.ids:
        return Reread(event.object, max(0, event.at - overlap_ms), "event-unreadable")
    if any(not is_id(one) for one in event.ids):
        # A field's type was converted: every record may look different now, and none was modified.
        return Reread(event.object, 0, "all-records")
    return None


def changes_of(
    event: Event, mapping: ObjectMapping, schema: Schema, marker: str, now: int
) -> list[Change]:  # fmt: skip
    """What an event tells of each of its records; nothing where it speaks of no mapped field."""
    told = _told(event, mapping, schema)
    if told == {}:
        return []
    return [_change(event, mapping, long_id(one), told, marker, now) for one in dict.fromkeys(event.ids) if is_id(one)]


def _change(
    event: Event, mapping: ObjectMapping, external_id: str, told: Mapping[str, Any] | None, marker: str, now: int
) -> Change:
    kind, payload, partial = ChangeKind.HINT, None, False
    if event.kind in ("DELETE", "GAP_DELETE"):
        kind = ChangeKind.DELETED
    elif event.kind.startswith("GAP_") or told is None:
        pass
    elif event.client() == marker:
        payload = {"told": dict(told), "client": marker}
    else:
        kind, payload, partial = ChangeKind.STATE, {**told, "Id": external_id}, event.kind not in WHOLE
    return Change(
        connection=mapping.connection, object=mapping.object, external_id=external_id, kind=kind,
        channel=Channel.STREAM, dedupe_key=f"cdc:{event.id}:{external_id}", received_at=now, occurred_at=event.at,
        payload=payload, partial=partial, correlation_id=str(event.header.get("transactionKey") or "")[:64],
    )  # fmt: skip


def _told(event: Event, mapping: ObjectMapping, schema: Schema) -> dict[str, Any] | None:
    """The mapped fields the event speaks of; ``None`` where it does not tell enough."""
    values = flattened(event.payload, event.schema, schema)
    carried = {name.lower() for name in values}
    wanted = {path for item in mapping.readable() for path in item.paths} | {mapping.key_path} - {""}
    if event.kind in WHOLE:
        if any(path.lower() not in carried for path in wanted):
            return None
        return {path: _value(values, path) for path in wanted}
    if event.kind != "UPDATE":
        return None
    try:
        named = [*event.names("changedFields"), *event.names("nulledFields")]
        changed = _flat_names(named, schema)
        differing = _flat_names(event.names("diffFields"), schema)
    except BadBitmapError:
        return None
    if not changed or any(path.lower() in differing for path in wanted):
        return None
    if any(
        _parts(one) and one["name"] in named and not _has_parts(one["name"], named) for one in event.schema["fields"]
    ):
        # Something of it changed, and which part is not said.
        return None
    if any(_beyond(path, changed, carried, schema) for path in wanted):
        return None
    for item in mapping.readable():
        spoken = [path.lower() in changed for path in item.paths]
        if any(spoken) and not all(spoken):
            return None
    return {path: _value(values, path) for path in wanted if path.lower() in changed}


def _beyond(path: str, changed: frozenset[str], carried: set[str], schema: Schema) -> bool:
    """A mapped field that events do not carry, and that may have changed: through a parent that was changed, or by a
    formula, of which one never knows."""
    if path.lower() in carried or path.lower() in ("id", STAMP.lower()):
        return False
    parent = path.partition(".")[0]
    if parent != path:
        reference = schema.parent(parent)
        return reference is None or reference.name.lower() in changed
    return True


def flattened(payload: Mapping[str, Any], avro: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The event's fields under the names that the rest of the API gives them: parts of a compound field are fields of
    their own, times are text, numbers with a fraction are their digits."""
    found: dict[str, Any] = {}
    for one in avro["fields"]:
        name = str(one["name"])
        if name == HEADER:
            continue
        value = payload.get(name)
        parts = _parts(one)
        if not parts:
            found[name] = _plain(value, schema, name)
            continue
        held = value if isinstance(value, Mapping) else {}
        for part in parts:
            flat = flat_name(name, part, schema)
            found[flat] = _plain(held.get(part), schema, flat)
    return found


def flat_name(compound: str, part: str, schema: Schema) -> str:
    """``MailingAddress`` and ``City`` are ``MailingCity``; ``Name`` and ``LastName`` are ``LastName``."""
    candidates = (compound.removesuffix("Address") + part, part, f"{compound.removesuffix('__c')}__{part}__s")
    for one in candidates:
        known = schema.field(one)
        if known is not None and known.compound.lower() == compound.lower():
            return known.name
    return next((one for one in candidates if schema.field(one)), candidates[0])


def _parts(avro_field: Mapping[str, Any]) -> list[str]:
    return [str(one["name"]) for one in parts_of(avro_field)]


def _has_parts(compound: str, named: Iterable[str]) -> bool:
    return any(one.startswith(f"{compound}.") for one in named)


def _flat_names(names: Iterable[str], schema: Schema) -> frozenset[str]:
    found = set()
    for one in names:
        compound, dot, part = one.partition(".")
        found.add((flat_name(compound, part, schema) if dot else compound).lower())
    return frozenset(found)


def _plain(value: Any, schema: Schema, name: str) -> Any:
    if isinstance(value, float):
        text = repr(value)
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else text
    known = schema.field(name)
    return moment(value, known.type if known else "")


def _value(values: Mapping[str, Any], path: str) -> Any:
    if path in values:
        return values[path]
    return next((value for name, value in values.items() if name.lower() == path.lower()), None)
