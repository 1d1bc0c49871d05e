"""What must be written to a connection, derived by comparison. Pure.

Never copied from an event: the golden record is compared with the shadow of what the connection last held, so
comparing twice finds nothing the second time.
"""

from __future__ import annotations

from dataclasses import dataclass

from syncd.model.delivery import Action
from syncd.model.mapping import ObjectMapping
from syncd.model.record import Link, Record
from syncd.model.value import ABSENT, Absent, Fields, Value


@dataclass(frozen=True, slots=True)
class FieldDiff:
    field: str
    before: Value | Absent
    """What the connection held when we last looked."""
    after: Value


@dataclass(frozen=True, slots=True)
class Diff:
    """What one connection lacks. Empty fields mean: in step."""

    action: Action
    fields: tuple[FieldDiff, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.field for one in self.fields)

    def __bool__(self) -> bool:
        return self.action is Action.CREATE or bool(self.fields)


IN_STEP = Diff(Action.UPDATE, ())


def written_fields(mapping: ObjectMapping) -> tuple[str, ...]:
    """The fields that syncd writes through a mapping: properties, relations and children."""
    return mapping.written


def compare(mapping: ObjectMapping, record: Record, link: Link | None) -> Diff:
    """The write that would bring the connection in step with the record; :data:`IN_STEP` when none is due,
    or when the mapping does not allow it."""
    if link is None:
        return _creation(mapping, record.fields)
    if link.gone or Action.UPDATE not in mapping.write:
        return IN_STEP
    return Diff(Action.UPDATE, tuple(_differences(mapping, record.fields, link)))


def _creation(mapping: ObjectMapping, fields: Fields) -> Diff:
    if Action.CREATE not in mapping.write:
        return IN_STEP
    if mapping.create_when and fields.get(mapping.create_when) is None:
        return IN_STEP
    children = {item.field for item in mapping.children}
    present = (
        FieldDiff(name, ABSENT, fields[name])
        for name in written_fields(mapping)
        # That there are no children is worth knowing afterwards; an empty property is not.
        if name in fields and (name in children or fields[name] not in (None, []))
    )
    return Diff(Action.CREATE, tuple(present))


def _differences(mapping: ObjectMapping, fields: Fields, link: Link) -> list[FieldDiff]:
    found = []
    children = {item.field for item in mapping.children}
    for name in written_fields(mapping):
        if name not in fields:
            continue
        value = fields[name]
        held = link.shadow.get(name, ABSENT)
        # Nobody tells us of children: those of a write whose answer was lost may hang there, also when none shall.
        if value == held or (held is ABSENT and value in (None, []) and name not in children):
            continue
        if name in link.sent and link.sent[name] == value:
            continue
        found.append(FieldDiff(name, held, value))
    return found
