"""Two records that are one: what a merge that an operator approves would do, and doing it in the state file.

The survivor keeps its identity. A field has the survivor's value, unless that is empty or the rules of the merge prefer
the other's. What the absorbed one is linked to becomes the survivor's; where both stand in one connection, the system
merges the two objects there first (see :mod:`syncd.engine.merger`), if it can.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from syncd.engine import rules
from syncd.engine.flows import Flows
from syncd.engine.replay import ReplayError, answered
from syncd.engine.workset import Workset, evolve
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.mapping import ObjectMapping
from syncd.model.merge import Decision, Rule, merge
from syncd.model.record import Link, Origin, Record
from syncd.model.value import ABSENT, Fields, FieldType
from syncd.store import books, changes, letters, links, merges, records
from syncd.store.database import Tx
from syncd.store.merges import Merging

MIXED = ("identity-ambiguous", "identity-taken")
"""Codes of dead letters that a merge mends."""


@dataclass(frozen=True, slots=True)
class Joint:
    """Two objects of one kind that the vendor must merge."""

    mapping: ObjectMapping
    survivor: str
    absorbed: str


@dataclass(frozen=True, slots=True)
class Union:
    """What a merge would do now."""

    survivor: Record
    absorbed: Record | None
    fields: Fields
    decisions: tuple[Decision, ...]
    """Where the outcome differs from the survivor's, or the absorbed one had another value."""
    moves: tuple[Link, ...]
    joints: tuple[Joint, ...]
    refused: tuple[str, ...]
    """Why it cannot be done, one line per connection."""


def union(tx: Tx, flows: Flows, survivor: str, absorbed: str) -> Union:
    """Raises :class:`ReplayError` for what is no pair of records of one kind."""
    if survivor == absorbed:
        raise ReplayError("a record cannot be merged with itself")
    loaded = records.load(tx, [survivor, absorbed])
    stays, goes = loaded.get(survivor), loaded.get(absorbed)
    if stays is None:
        raise ReplayError(f"there is no record {survivor}")
    held = links.of_records(tx, [survivor]).get(survivor, {})
    if goes is None:
        return _with_object(flows, stays, held, absorbed)
    if goes.entity != stays.entity:
        raise ReplayError(f"{survivor} is a {stays.entity}, and {absorbed} is a {goes.entity}")
    fields, decisions = _fields(flows, stays, goes)
    moves: list[Link] = []
    joints: list[Joint] = []
    refused: list[str] = []
    for place, link in links.of_records(tx, [absorbed]).get(absorbed, {}).items():
        other = held.get(place)
        if link.gone or other is None or other.gone:
            moves.append(link)
            continue
        _join(flows, other, link.external_id, joints, refused)
    return Union(stays, goes, fields, decisions, tuple(moves), tuple(joints), tuple(refused))


def _with_object(flows: Flows, stays: Record, held: dict[tuple[str, str], Link], absorbed: str) -> Union:
    """The absorbed one is an object that no record has: ``connection.object:id``."""
    name, _, external_id = absorbed.partition(":")
    connection, _, object_ = name.partition(".")
    mapping = flows.mapping(connection, object_)
    if mapping is None or not external_id or mapping.entity != stays.entity:
        raise ReplayError(f"there is no record {absorbed}; an object is named as connection.object:id")
    joints: list[Joint] = []
    refused: list[str] = []
    other = held.get((connection, object_))
    if other is None or other.gone:
        raise ReplayError(f"{stays.id} is not in {name}: replay what waits, and it is linked by itself")
    _join(flows, other, external_id, joints, refused)
    return Union(stays, None, stays.fields, (), (), tuple(joints), tuple(refused))


def _join(flows: Flows, other: Link, absorbed: str, joints: list[Joint], refused: list[str]) -> None:
    mapping = flows.mapping(other.connection, other.object)
    if mapping is None:
        refused.append(f"{other.connection}.{other.object} is not mapped any more")
    elif not flows.systems[other.connection].abilities(other.object).merges:
        refused.append(
            f"{mapping.name} cannot merge: both stand there, as {other.external_id} and {absorbed}; delete one of them "
            "there first"
        )
    elif other.external_id != absorbed:
        joints.append(Joint(mapping, other.external_id, absorbed))


def _fields(flows: Flows, stays: Record, goes: Record) -> tuple[dict[str, object], tuple[Decision, ...]]:
    """Field by field, as if the system that the absorbed value came from said it now."""
    entity, fields = flows.entities[stays.entity], dict(stays.fields)
    decisions: list[Decision] = []
    for name, value in goes.fields.items():
        origin = goes.origins.get(name, Origin("", 0, 0))
        merged = merge(
            entity, origin.connection, base={}, mine=fields, theirs={name: value}, origins=dict(stays.origins),
            occurred_at=origin.at,
        )  # fmt: skip
        decisions += [one for one in merged.decisions if one.rule is not Rule.AGREED]
        fields = merged.fields
    return fields, tuple(decisions)


def ask(
    tx: Tx, flows: Flows, survivor: str, absorbed: str, *, command_id: str, who: str, why: str, now: int
) -> Merging:
    """Take the order, once however often it is given. Raises :class:`ReplayError`."""
    if answered(tx, command_id, "merge") is None:
        wanted = union(tx, flows, survivor, absorbed)
        if wanted.refused:
            raise ReplayError("; ".join(wanted.refused))
        merges.ask(tx, command_id, survivor, absorbed, who, why, now)
        places = [f"{one.mapping.name} {one.absorbed} into {one.survivor}" for one in wanted.joints]
        books.add_audit(tx, now, command_id, who, "merge", f"{absorbed} into {survivor}", why, {"at": places}, "open")
    known = merges.get(tx, command_id)
    if known is None:
        raise ReplayError(f"the merge {command_id} is no longer known")
    return known


def joined(tx: Tx, merging: Merging, joint: Joint, stands: str, now: int) -> None:
    """The vendor merged two objects: the absorbed is gone, and what stands is read anew."""
    mapping = joint.mapping
    known = links.of_objects(tx, mapping.connection, mapping.object, [joint.survivor, joint.absorbed])
    saved = [replace(known[joint.absorbed], gone=True)] if joint.absorbed in known else []
    survivor = known.get(joint.survivor)
    if survivor is not None and stands not in ("", joint.survivor):
        saved += [replace(survivor, gone=True), replace(survivor, external_id=stands)]
    links.save(tx, saved)
    hint = Change(
        connection=mapping.connection, object=mapping.object, external_id=stands or joint.survivor,
        kind=ChangeKind.HINT, channel=Channel.OPERATOR, lane=Lane.OPERATOR, received_at=now,
        dedupe_key=f"merged:{merging.command_id}:{mapping.name}:{joint.absorbed}",
    )  # fmt: skip
    changes.stage(tx, [hint])


def finish(tx: Tx, flows: Flows, merging: Merging, now: int) -> bool:
    """Make the two records one; whether that could be done now (a call about one of them may be on its way)."""
    if ":" in merging.absorbed:
        # An object that no record had: the vendor has merged it.
        _mend_letters(tx, merging, now)
        merges.end(tx, merging.command_id, "done", "", now)
        return True
    wanted = union(tx, flows, merging.survivor, merging.absorbed)
    if wanted.joints or any(merges.sending(tx, one) for one in (merging.survivor, merging.absorbed)):
        return False
    order = Change(
        connection="operator", object="", external_id=merging.survivor, kind=ChangeKind.EDIT, channel=Channel.OPERATOR,
        dedupe_key=f"merge:{merging.command_id}", received_at=now, occurred_at=now, lane=Lane.OPERATOR,
    )  # fmt: skip
    if wanted.absorbed is not None:
        _unite(tx, flows, wanted, wanted.absorbed, order, merging, now)
    _mend_letters(tx, merging, now)
    merges.end(tx, merging.command_id, "done", "", now)
    return True


def _unite(tx: Tx, flows: Flows, wanted: Union, absorbed: Record, order: Change, merging: Merging, now: int) -> None:
    survivor = wanted.survivor
    merges.rehome(tx, absorbed.id, survivor.id)
    work = Workset(tx, flows, now)
    work.load_records([survivor.id])
    origins = {one.field: absorbed.origins[one.field] for one in wanted.decisions if one.changed}
    after = evolve(survivor, wanted.fields, origins, now)
    work.put_record(after, survivor)
    work.decided(order, after, wanted.decisions, who=merging.who, why=f"merged with {absorbed.id}: {merging.why}")
    rules.set_timer(work, after)
    _repoint(tx, flows, work, absorbed, survivor.id, order)
    work.touch(survivor.id, order)
    work.save()
    merges.remove(tx, absorbed.id, survivor.id, now)


def _repoint(tx: Tx, flows: Flows, work: Workset, absorbed: Record, survivor: str, order: Change) -> None:
    """What refers to the absorbed record refers to the survivor."""
    for entity in flows.entities.values():
        names = [
            one.name
            for one in entity.fields.values()
            if one.type is FieldType.REFERENCE and one.entity == absorbed.entity
        ]
        for name in names:
            numbers = sorted(records.identify(tx, entity.name, name, [absorbed.id]).get(absorbed.id, ()))
            work.load_records(numbers)
            for record in [work.records[one] for one in numbers]:
                origin = Origin("operator", 0, order.received_at)
                after = evolve(record, {**record.fields, name: survivor}, {name: origin}, order.received_at)
                work.put_record(after, record)
                decision = Decision(name, Rule.TAKEN, survivor, ABSENT, absorbed.id, survivor)
                work.decided(order, after, [decision])
                work.touch(record.id, order)


def _mend_letters(tx: Tx, merging: Merging, now: int) -> None:
    """What waited because the two were not one is folded, or sent, again."""
    found = [one for one in letters.select(tx) if one.code in MIXED and merging.absorbed in candidates(one)]
    of_absorbed = {one.change_id for one in found if _place_of(one) == merging.absorbed}
    changes.settle(tx, "dropped", sorted(of_absorbed), now, f"merged into {merging.survivor}")
    changes.unpark(tx, [one.change_id for one in found if one.kind == "change" and one.change_id not in of_absorbed])
    letters.close(tx, [one.id for one in found], "resolved", now, merging.who, f"merged into {merging.survivor}")


def candidates(letter: letters.DeadLetter) -> list[str]:
    """Whom a dead letter says to be one: records first, then an object that no record has."""
    detail = letter.detail if isinstance(letter.detail, dict) else {}
    known: Iterable[str] = detail.get("records") or ()
    found = list(dict.fromkeys(filter(None, [*known, letter.record_id])))
    if len(found) == 1 and _place_of(letter):
        found.append(_place_of(letter))
    return found if letter.code in MIXED else []


def _place_of(letter: letters.DeadLetter) -> str:
    """The object that a change spoke of."""
    told = letter.detail.get("external_id") if letter.kind == "change" and isinstance(letter.detail, dict) else None
    return f"{letter.connection}.{letter.object}:{told}" if told else ""
