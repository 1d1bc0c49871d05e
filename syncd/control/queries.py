"""Reads behind the control API: units on the read-only connection that give typed messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.control import messages as m
from syncd.control.gap_messages import GapLine
from syncd.control.merge_messages import MergedField, MergedPlace, MergeResult
from syncd.engine import merging
from syncd.engine.flows import Flows
from syncd.engine.stream import streamed
from syncd.model.change import Lane
from syncd.model.diff import Diff, compare, written_fields
from syncd.model.record import Link, Record
from syncd.model.value import ABSENT, Value
from syncd.store import books, changes, gaps, letters, links, records, views
from syncd.store.database import Tx
from syncd.store.letters import DeadLetter

SEARCH_CAP = 5000
"""Rows a search looks at; beyond this it says that it was capped."""
TREND_STEP_MS = 5 * 60 * 1000
TREND_STEPS = 12


class NotFoundError(Exception):
    """There is no such thing; the message names it."""


# --- queue ----------------------------------------------------------------------------------------------------


def queue_lines(tx: Tx, now: int) -> list[m.QueueLine]:
    """Depth and age of everything that waits, staged changes included."""
    lines = [
        m.QueueLine(
            target="fold", object="", lane=Lane(lane).name.lower(), state="staged", depth=depth,
            oldest_age_seconds=max(0.0, (now - oldest) / 1000),
        )
        for lane, depth, oldest in views.staged(tx)
    ]  # fmt: skip
    lines += [
        m.QueueLine(
            target=connection, object=object_, lane=Lane(lane).name.lower(), state=state, depth=depth,
            oldest_age_seconds=max(0.0, (now - oldest) / 1000),
        )
        for connection, object_, state, lane, depth, oldest in views.open_deliveries(tx)
    ]  # fmt: skip
    return lines


def merge_preview(tx: Tx, flows: Flows, survivor: str, absorbed: str) -> MergeResult:
    """Raises :class:`syncd.engine.replay.ReplayError`."""
    wanted = merging.union(tx, flows, survivor, absorbed)
    definitions = flows.entities[wanted.survivor.entity].fields
    fields = [
        MergedField(
            field=one.field, survivor=None if one.mine is ABSENT else one.mine,
            absorbed=None if one.theirs is ABSENT else one.theirs, result=None if one.value is ABSENT else one.value,
            type=definitions[one.field].type, personal=definitions[one.field].personal,
        )
        for one in wanted.decisions
    ]  # fmt: skip
    places = [
        MergedPlace(place=one.mapping.name, action="merges", survivor_id=one.survivor, absorbed_id=one.absorbed)
        for one in wanted.joints
    ]
    places += [
        MergedPlace(place=f"{one.connection}.{one.object}", action="moves", absorbed_id=one.external_id)
        for one in wanted.moves
        if not one.gone
    ]
    return MergeResult(state="preview", fields=fields, places=places, refused=list(wanted.refused))


def gap_lines(tx: Tx) -> list[GapLine]:
    return [
        GapLine(
            mapping=f"{one.connection}.{one.object}", from_at=one.from_at, until_at=one.until_at, reason=one.reason,
            stated_at=one.stated_at,
        )
        for one in gaps.open_gaps(tx)
    ]  # fmt: skip


def stream_lines(tx: Tx, flows: Flows, now: int, paused: Callable[[str], bool]) -> list[m.RunLine]:
    """Streams as runs that go on for ever, each with the gap that is open."""
    open_ = {one.mapping: one for one in gap_lines(tx)}
    lines = []
    for mapping in streamed(flows):
        cursor = books.cursor(tx, mapping.connection, mapping.object, "stream")
        lines.append(
            m.RunLine(
                mapping=mapping.name, kind="stream", every_seconds=None,
                state="paused" if paused(mapping.name) else "running" if cursor else "idle",
                last_ended_at=cursor.updated_at if cursor else 0, seen=cursor.seen if cursor else 0,
                staged=cursor.seen if cursor else 0, gap=open_.get(mapping.name),
                cursor_age_seconds=(now - cursor.updated_at) / 1000 if cursor else None,
            )
        )  # fmt: skip
    return lines


def queue_page(tx: Tx, now: int, *, connection: str, state: str, lane: str, limit: int, after: int) -> m.QueuePage:
    number = Lane[lane.upper()].value if lane else None
    rows, total = views.queue(tx, connection=connection, state=state, lane=number, limit=limit + 1, after=after)
    items = [
        m.QueueItem(
            delivery_id=row[0], record_id=row[1], title=row[2], entity=row[3], connection=row[4], object=row[5],
            state=row[6], lane=Lane(row[7]).name.lower(), attempts=row[8], age_seconds=(now - row[9]) / 1000,
            due_in_seconds=max(0.0, (row[10] - now) / 1000), reason=row[11],
        )
        for row in rows[:limit]
    ]  # fmt: skip
    return m.QueuePage(items=items, total=total, after=items[-1].delivery_id if len(rows) > limit else None)


# --- failures -------------------------------------------------------------------------------------------------


def failure_groups(tx: Tx, now: int, *, connection: str = "", entity: str = "", limit: int = 200) -> m.FailureGroups:
    rows = views.failure_groups(tx, connection=connection, entity=entity, limit=limit)
    since = now - TREND_STEPS * TREND_STEP_MS
    trends: dict[str, list[int]] = {}
    for fingerprint, at in views.failure_times(tx, since, [row[0] for row in rows]):
        step = min(TREND_STEPS - 1, (at - since) // TREND_STEP_MS)
        trends.setdefault(fingerprint, [0] * TREND_STEPS)[step] += 1
    groups = [
        m.FailureGroup(
            fingerprint=row[0], kind=row[1], connection=row[2], object=row[3], entity=row[4], code=row[5],
            message=row[6], count=row[7], first_at=row[8], last_at=row[9],
            trend=trends.get(row[0], [0] * TREND_STEPS),
        )
        for row in rows
    ]  # fmt: skip
    return m.FailureGroups(at=now, groups=groups, open_total=views.open_letters(tx))


def dead_letters(tx: Tx, flows: Flows, fingerprint: str, *, limit: int, after: int) -> m.DeadLetterPage:
    rows, total = views.letters_of(tx, fingerprint, limit=limit + 1, after=after)
    items = [_letter(tx, flows, row) for row in rows[:limit]]
    return m.DeadLetterPage(items=items, total=total, after=items[-1].id if len(rows) > limit else None)


def dead_letter(tx: Tx, flows: Flows, number: int) -> m.DeadLetterDetail:
    one = letters.get(tx, number)
    if one is None:
        raise NotFoundError(f"there is no dead letter {number}")
    sent, reply = views.last_attempt(tx, one.delivery_id) if one.delivery_id else ({}, "")
    change = changes.get(tx, one.change_id) if one.kind == "change" else None
    return m.DeadLetterDetail(
        letter=_letter(tx, flows, one), diff=_letter_diff(tx, flows, one), sent=sent,
        reply=reply or str(one.detail.get("reply") or ""), payload=change.payload if change else None,
        correlation_id=one.correlation_id, advice=advice(one), candidates=merging.candidates(one)[:2],
    )  # fmt: skip


_ADVICE: Mapping[str, str] = {
    "PROPERTY_DOESNT_EXIST": "Create the property in the account (syncd provision --apply makes the mapped ones), then "
    "replay the group.",
    "INVALID_EMAIL": "Correct the address and replay; the edit reaches the shop as well.",
    "INVALID_OPTION": "Choose a value the account knows, or add the option there; then replay.",
    "identity-ambiguous": "Several records share this value: merge those that are one, or edit the others.",
    "identity-taken": "Another record holds this place already: merge the two if they are one.",
    "conflict": "Both sides changed the field: replay with the value that shall stand.",
    "orphan": "What this refers to never arrived: check the capture of the parent, then replay.",
    "MISSING_SCOPES": "Grant the missing scopes to the credential, then replay the group.",
}


def advice(letter: DeadLetter) -> str:
    """What usually mends a failure."""
    known = _ADVICE.get(letter.code)
    if known:
        return known
    if letter.kind == "change":
        return "Look at the payload; replay it as it is once the cause is mended, or discard it with a reason."
    return "Read the vendor's words above; edit the field at fault and replay, or mend the account and replay."


def _letter(tx: Tx, flows: Flows, one: DeadLetter) -> m.DeadLetter:
    record = records.load(tx, [one.record_id]).get(one.record_id) if one.record_id else None
    closed = views.closing(tx, one.id)
    return m.DeadLetter(
        id=one.id, kind=one.kind, fingerprint=one.fingerprint, state=one.state, at=one.at,  # type: ignore[arg-type]
        record_id=one.record_id,
        title=flows.title(record.entity, record.fields) if record else str(one.detail.get("external_id", "")),
        entity=one.entity, connection=one.connection, object=one.object, code=one.code, message=one.message,
        attempts=one.attempts, closed_at=closed[0], closed_by=closed[1], closed_why=closed[2],
    )  # fmt: skip


def _letter_diff(tx: Tx, flows: Flows, one: DeadLetter) -> list[m.FieldDiff]:
    """What a replay would write now; for a conflict, both values and the base."""
    if one.kind == "conflict":
        field = one.fields[0] if one.fields else ""
        return [
            m.FieldDiff(
                field=field, before=one.detail.get("theirs"), after=one.detail.get("mine"), base_known=True,
                base=one.detail.get("base"), at_fault=True, type=_type(flows, one.entity, field),
            )
        ]  # fmt: skip
    record = records.load(tx, [one.record_id]).get(one.record_id) if one.record_id else None
    mapping = flows.mapping(one.connection, one.object)
    if record is None or mapping is None:
        return []
    link = links.of_records(tx, [record.id]).get(record.id, {}).get((one.connection, one.object))
    diff: Diff = compare(mapping, record, link)
    fields_at_fault = set(one.fields)
    by_path = {path: item.field for item in mapping.fields for path in item.paths}
    fields_at_fault |= {by_path[path] for path in one.fields if path in by_path}
    entity = flows.entities[record.entity]
    related = {relation.field for relation in mapping.relations}
    return [
        m.FieldDiff(
            field=part.field, before=None if part.before is ABSENT else part.before,
            before_known=part.before is not ABSENT, after=part.after, type=entity.fields[part.field].type,
            personal=entity.fields[part.field].personal, at_fault=part.field in fields_at_fault,
            editable=part.field not in related and entity.fields[part.field].type != "items",
        )
        for part in diff.fields
    ]  # fmt: skip


def _type(flows: Flows, entity: str, field: str) -> str:
    definition = flows.entities.get(entity)
    known = definition.fields.get(field) if definition else None
    return known.type if known else "text"


# --- records --------------------------------------------------------------------------------------------------


def record_page(tx: Tx, *, query: str, entity: str, limit: int, after: str) -> m.RecordPage:
    rows, searched, capped = views.search(tx, query=query, entity=entity, limit=limit + 1, after=after, cap=SEARCH_CAP)
    shown = rows[:limit]
    states = views.record_states(tx, [row[0] for row in shown])
    held = links.of_records(tx, [row[0] for row in shown])
    items = [
        m.RecordLine(
            id=row[0], entity=row[1], title=row[2], version=row[3], updated_at=row[4],
            connections=sorted({place[0] for place, link in held.get(row[0], {}).items() if not link.gone}),
            state=states.get(row[0], "in_step"),
        )
        for row in shown
    ]  # fmt: skip
    return m.RecordPage(
        items=items, total=views.count_records(tx, entity), searched=searched, capped=capped,
        after=views.page_key(shown[-1]) if len(rows) > limit else None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Held:
    link: Link
    system: str
    mapped: frozenset[str]
    written: bool
    """Syncd writes there; what is only read may well say less than the record."""


def record_detail(tx: Tx, flows: Flows, number: str, systems: Mapping[str, str]) -> m.RecordDetail:
    record = records.load(tx, [number]).get(number)
    if record is None:
        raise NotFoundError(f"there is no record {number}")
    created = views.created_at(tx, number)
    linked = links.of_records(tx, [number]).get(number, {})
    held: dict[str, _Held] = {}
    for mapping in flows.of_entity(record.entity):
        link = linked.get((mapping.connection, mapping.object))
        if link is not None:
            mapped = frozenset(item.field for item in mapping.fields) | frozenset(written_fields(mapping))
            held[mapping.name] = _Held(link, systems.get(mapping.connection, ""), mapped, bool(mapping.write))
    sending = {
        (one.connection, one.object): one for one in views.deliveries_of(tx, number)
    }  # fmt: skip
    return m.RecordDetail(
        id=record.id, entity=record.entity, title=flows.title(record.entity, record.fields), version=record.version,
        created_at=created, updated_at=record.updated_at, fields=_field_lines(flows, record, held),
        held=[_held_line(one, sending.get((one.link.connection, one.link.object))) for one in held.values()],
        open_dead_letters=views.letters_of_record(tx, number),
    )  # fmt: skip


def _field_lines(flows: Flows, record: Record, held: Mapping[str, _Held]) -> list[m.FieldLine]:
    lines = []
    for name, definition in flows.entities[record.entity].fields.items():
        origin = record.origins.get(name)
        golden: Value = record.fields.get(name, ABSENT)
        lines.append(
            m.FieldLine(
                field=name, type=definition.type, known=golden is not ABSENT,
                value=None if golden is ABSENT else golden, personal=definition.personal,
                origin_connection=origin.connection if origin else "", origin_at=origin.at if origin else 0,
                origin_change=origin.change_id if origin else 0, origin_rule=origin.rule if origin else "",
                owners=sorted(definition.owners),
                held={place: _held_value(one, name, golden) for place, one in held.items() if name in one.mapped},
            )
        )  # fmt: skip
    return lines


def _held_value(one: _Held, name: str, golden: Value) -> m.HeldValue:
    link = one.link
    value = link.shadow.get(name, ABSENT)
    same = value == golden or link.sent.get(name, ABSENT) == golden
    empty = value in (None, ABSENT, []) and (golden in (None, ABSENT, []) or not one.written)
    return m.HeldValue(known=value is not ABSENT, value=None if value is ABSENT else value, in_step=same or empty)


def _held_line(one: _Held, delivery: Any) -> m.Held:
    link = one.link
    return m.Held(
        connection=link.connection, system=one.system, object=link.object, external_id=link.external_id,
        version=link.version, modified_at=link.modified_at, gone=link.gone,
        delivery_state=delivery.state if delivery else "", delivery_reason=delivery.reason if delivery else "",
        due_at=delivery.due_at if delivery else 0,
    )  # fmt: skip


def history(tx: Tx, number: str, limit: int) -> m.History:
    if not records.load(tx, [number]):
        raise NotFoundError(f"there is no record {number}")
    lines = [
        m.HistoryLine(
            version=row[0], at=row[1], connection=row[2], channel=row[3], change_id=row[4], correlation_id=row[5],
            decisions=[_decision(item) for item in row[6]], who=row[7], why=row[8],
        )
        for row in views.history(tx, number, limit)
    ]  # fmt: skip
    return m.History(record_id=number, lines=lines)


def _decision(item: Mapping[str, Any]) -> m.HistoryDecision:
    return m.HistoryDecision(
        field=item["field"], rule=item["rule"], before=item.get("before"), before_known="before" in item,
        after=item.get("after"), theirs=item.get("theirs"),
    )  # fmt: skip


def attempts(tx: Tx, number: str, limit: int) -> m.Attempts:
    lines = [
        m.AttemptLine(
            id=row[0], at=row[1], connection=row[2], object=row[3], action=row[4], outcome=row[5],
            duration_seconds=row[6] / 1000, fields=row[7], code=row[8], message=row[9], status=row[10],
            correlation_id=row[11], sent=row[12],
        )
        for row in views.attempts(tx, number, limit)
    ]  # fmt: skip
    return m.Attempts(record_id=number, lines=lines)
