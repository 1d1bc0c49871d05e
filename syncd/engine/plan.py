"""The plan of one delivery: what to write now, computed when it is sent. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from syncd.engine.convert import Lead
from syncd.model.delivery import Action, Delivery
from syncd.model.diff import Diff, compare
from syncd.model.lens import LensError, Raw
from syncd.model.mapping import ChildMapping, DecodeError, ObjectMapping, RelationMapping, encode, encode_item
from syncd.model.record import Link, Record
from syncd.model.value import Fields, Value
from syncd.systems.contract import ChildrenWrite, ChildWrite, RelationWrite, Write

LinkOf = Callable[[str, str], Link | None]
"""Record id and object to the link in the connection that is written to."""


@dataclass(frozen=True, slots=True)
class Send:
    """Write this."""

    delivery: Delivery
    record: Record
    link: Link | None
    diff: Diff
    write: Write


@dataclass(frozen=True, slots=True)
class InStep:
    """Nothing differs any more."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Blocked:
    """The parent must be linked first; a record that waits for itself is to become of a lead, and may not yet."""

    delivery: Delivery
    parent_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value cannot be written in the vendor's form."""

    delivery: Delivery
    problems: Mapping[str, str]


Plan = Send | InStep | Blocked | Unfit


def plan(
    mapping: ObjectMapping,
    delivery: Delivery,
    record: Record,
    link: Link | None,
    link_of: LinkOf,
    comes: Callable[[str, str], bool],
    lead: Lead | None = None,
) -> Plan:
    """What to do with one delivery. ``comes`` tells whether syncd itself makes the object of a record, so that waiting
    for a parent ends; ``lead`` is what a record that must be created would be made of."""
    diff = compare(mapping, record, link)
    if not diff:
        return InStep(delivery)
    if lead is not None and not lead.due:
        stands = f"{mapping.connection}.{lead.conversion.object} {lead.conversion.external_id}"
        return Blocked(delivery, record.id, f"waits for an order: {stands} stands for the same person")
    names = frozenset(diff.names)
    relations: list[RelationWrite] = []
    for relation in mapping.relations:
        parent_id = record.fields.get(relation.field)
        if relation.field not in names:
            continue
        if not parent_id:
            # Nobody any more. A reference field of the vendor's is emptied as a value is; an association is taken away.
            relations.extend(() if relation.path else _former(relation, link, None, link_of))
            continue
        parent = link_of(str(parent_id), relation.object)
        if parent is None or parent.gone:
            if parent is None and comes(str(parent_id), relation.object):
                return Blocked(delivery, str(parent_id))
            continue
        relations.append(_relate(relation, parent))
        relations.extend(_former(relation, link, parent, link_of))
    try:
        values = _values(mapping, record, diff, link_of)
        children = tuple(_children(child, record, link) for child in mapping.children if child.field in names)
    except DecodeError as error:
        return Unfit(delivery, error.problems)
    except LensError as error:
        return Unfit(delivery, {"items": str(error)})
    return Send(
        delivery, record, link, diff,
        Write(
            key=record.id, action=diff.action, values=values, external_id=link.external_id if link else "",
            version=link.version if link else "", current=_current(mapping, link), relations=tuple(relations),
            children=children, converts=lead.conversion if lead else None,
        ),
    )  # fmt: skip


def _former(relation: RelationMapping, link: Link | None, parent: Link | None, link_of: LinkOf) -> list[RelationWrite]:
    """The association that the new one replaces, or that has no successor."""
    before = link.shadow.get(relation.field) if link else None
    former = link_of(str(before), relation.object) if before else None
    if former is None or (parent is not None and former.external_id == parent.external_id):
        return []
    return [_relate(relation, former, remove=True)]


def _relate(relation: RelationMapping, target: Link, *, remove: bool = False) -> RelationWrite:
    return RelationWrite(
        relation.object, target.external_id, relation.type_id, remove, relation.path, relation.category
    )


def _values(mapping: ObjectMapping, record: Record, diff: Diff, link_of: LinkOf) -> dict[str, Raw]:
    fields: dict[str, Value] = dict(record.fields)
    for item in mapping.fields:
        if item.references and fields.get(item.field):
            target = link_of(str(fields[item.field]), item.references)
            fields[item.field] = target.external_id if target and not target.gone else None
    values = encode(mapping, fields, diff.names)
    return {**mapping.constants, **values} if diff.action is Action.CREATE else values


def _current(mapping: ObjectMapping, link: Link | None) -> dict[str, Raw] | None:
    """What the vendor holds, raw, as far as the shadow tells."""
    return None if link is None else in_raw(mapping, link.shadow)


def in_raw(mapping: ObjectMapping, fields: Fields) -> dict[str, Raw] | None:
    """Canonical fields in the vendor's form, references left out; ``None`` where a value has no such form."""
    plain = {item.field for item in mapping.fields if not item.references}
    try:
        return encode(mapping, fields, plain)
    except DecodeError:
        return None


def _children(child: ChildMapping, record: Record, link: Link | None) -> ChildrenWrite:
    """Only items that differ from the shadow are written; those that are gone are removed."""
    items = {item["key"]: item for item in record.fields.get(child.field) or ()}
    held = {item["key"]: item for item in (link.shadow.get(child.field) or () if link else ())}
    known = dict(link.children) if link else {}
    upsert = tuple(
        ChildWrite(key, encode_item(child, item), known.get(key, ""))
        for key, item in items.items()
        if held.get(key) != item or key not in known
    )
    remove = {key: external_id for key, external_id in known.items() if key not in items}
    complete = link is not None and child.field not in link.shadow
    return ChildrenWrite(child.object, child.type_id, upsert, remove, complete, child.path)
