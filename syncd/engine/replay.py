"""Replay, edit and discard: what operators do with dead letters. Units of work; each is audited and, by its command
id, carried out once however often it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.engine.flows import Flows
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.value import InvalidValueError, Value, canonical
from syncd.store import books, changes, deliveries, letters
from syncd.store.database import Tx
from syncd.store.letters import DeadLetter
from syncd.store.rows import from_json, to_json


class ReplayError(Exception):
    """The request cannot be carried out; the message says why."""


class CommandReusedError(ReplayError):
    """The command id belongs to another command already."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters: the named ones, or all open ones that match."""

    ids: Sequence[int] = ()
    fingerprint: str = ""
    connection: str = ""
    entity: str = ""
    all: bool = False

    def __post_init__(self) -> None:
        if not (self.ids or self.fingerprint or self.connection or self.entity or self.all):
            raise ReplayError("nothing is selected: give ids, a filter, or all")
        if self.ids and (self.fingerprint or self.connection or self.entity or self.all):
            raise ReplayError("give ids or a filter, not both")


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    matched: int
    replayed: int
    refused: tuple[str, ...] = ()
    connections: tuple[str, ...] = field(default=())


def choose(tx: Tx, chosen: Chosen) -> list[DeadLetter]:
    return letters.select(
        tx, ids=chosen.ids, fingerprint=chosen.fingerprint, connection=chosen.connection, entity=chosen.entity
    )


def replay(
    tx: Tx, flows: Flows, chosen: Chosen, *, command_id: str, who: str, why: str, edits: Mapping[str, Any], now: int
) -> ReplayOutcome:
    """Send again, as is or with edited values. An edit is an operator's change: it is staged and folded like every
    other, so the original stays in the history and every connection learns of it."""
    before = answered(tx, command_id, "replay")
    if before is not None:
        return _outcome(before)
    found = choose(tx, chosen)
    if edits and len(found) != 1:
        raise ReplayError(f"an edit mends one dead letter at a time; {len(found)} are selected")
    refused: list[str] = []
    closed: list[int] = []
    if edits:
        _edit(tx, flows, found[0], edits, command_id=command_id, who=who, why=why, now=now)
        closed.append(found[0].id)
    else:
        for one in found:
            problem = _again(tx, one)
            if problem:
                refused.append(f"{one.id}: {problem}")
            else:
                closed.append(one.id)
    letters.close(tx, closed, "replayed", now, who, why)
    outcome = ReplayOutcome(len(found), len(closed), tuple(refused), tuple(sorted({one.connection for one in found})))
    books.count(tx, {"replays": len(closed)})
    books.add_audit(
        tx, now, command_id, who, "replay", _target(chosen), why, {"edits": dict(edits), "letters": closed},
        to_json([outcome.matched, outcome.replayed, outcome.refused, outcome.connections]),
    )  # fmt: skip
    return outcome


def discard(tx: Tx, chosen: Chosen, *, command_id: str, who: str, why: str, now: int) -> tuple[int, int]:
    """Close without sending; ``(matched, discarded)``. The reason is required."""
    if not why.strip():
        raise ReplayError("a discard needs a reason")
    before = answered(tx, command_id, "discard")
    if before is not None:
        matched, done = from_json(before)
        return matched, done
    found = choose(tx, chosen)
    done = letters.close(tx, [one.id for one in found], "discarded", now, who, why)
    books.add_audit(
        tx, now, command_id, who, "discard", _target(chosen), why, {"letters": [one.id for one in found]},
        to_json([len(found), done]),
    )  # fmt: skip
    return len(found), done


def answered(tx: Tx, command_id: str, action: str) -> str | None:
    """What a command answered when it was carried out; ``None`` when it is new. Raises :class:`CommandReusedError`."""
    before = books.audited(tx, command_id)
    if before is None:
        return None
    if before.action != action:
        raise CommandReusedError(f"the command id {command_id} was used for another command ({before.action})")
    return before.result


def checked_edits(flows: Flows, entity: str, edits: Mapping[str, Any]) -> dict[str, Value]:
    """The edits in canonical form. Raises :class:`ReplayError` naming every field that does not fit."""
    definition = flows.entities.get(entity)
    fields: dict[str, Value] = {}
    problems: list[str] = []
    for name, raw in edits.items():
        known = definition.fields.get(name) if definition else None
        if known is None:
            problems.append(f"{entity} has no field {name!r}")
            continue
        try:
            fields[name] = canonical(known.type, raw)
        except InvalidValueError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise ReplayError("; ".join(problems))
    return fields


def _edit(
    tx: Tx, flows: Flows, letter: DeadLetter, edits: Mapping[str, Any], *, command_id: str, who: str, why: str, now: int
) -> None:
    if letter.kind == "change":
        change = changes.get(tx, letter.change_id)
        if change is None or not isinstance(change.payload, dict):
            raise ReplayError("the payload of this change is gone; it can only be discarded")
        changes.unpark(tx, [letter.change_id], payload={**change.payload, **edits})
        return
    fields = checked_edits(flows, letter.entity, edits)
    changes.stage(
        tx,
        [
            Change(
                connection="operator", object=letter.object, external_id=letter.record_id, kind=ChangeKind.EDIT,
                channel=Channel.OPERATOR, dedupe_key=f"edit:{command_id}", received_at=now, occurred_at=now,
                lane=Lane.OPERATOR, correlation_id=letter.correlation_id,
                payload={"record_id": letter.record_id, "fields": fields, "who": who, "why": why},
            )
        ],
    )  # fmt: skip


def _again(tx: Tx, letter: DeadLetter) -> str:
    """Queue it again as it is; why not, if it cannot be."""
    if letter.kind == "change":
        return "" if changes.unpark(tx, [letter.change_id]) else "the change is no longer parked"
    if letter.kind == "conflict":
        return "a conflict needs a decision: replay it with the value that shall stand"
    return "" if deliveries.revive(tx, [letter.delivery_id]) else "the delivery is on its way already"


def _target(chosen: Chosen) -> str:
    if chosen.ids:
        return " ".join(map(str, chosen.ids[:20])) + (" …" if len(chosen.ids) > 20 else "")
    parts = {"fingerprint": chosen.fingerprint, "connection": chosen.connection, "entity": chosen.entity}
    return " ".join(f"{name}={value}" for name, value in parts.items() if value) or "all"


def _outcome(text: str) -> ReplayOutcome:
    matched, replayed, refused, connections = from_json(text)
    return ReplayOutcome(matched, replayed, tuple(refused), tuple(connections))
