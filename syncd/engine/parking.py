"""The dead letters of changes: what could not be folded, and what both sides changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.model.change import Change
from syncd.model.failure import Failure, Remedy, fingerprint
from syncd.model.merge import Decision
from syncd.model.record import Record
from syncd.store.letters import DeadLetter


def parked(change: Change, entity: str, failure: Failure, now: int, rivals: Sequence[str] = ()) -> DeadLetter:
    """Of a change that waits for a human. ``rivals`` are records it may speak of."""
    return DeadLetter(
        kind="change", subject=str(change.id), connection=change.connection, object=change.object, entity=entity,
        fingerprint=fingerprint(change.connection, change.object, failure), code=failure.code, message=failure.message,
        at=now, change_id=change.id, fields=failure.fields, attempts=change.attempts,
        detail={"external_id": change.external_id} | ({"records": list(rivals)} if rivals else {}),
        correlation_id=change.correlation_id,
    )  # fmt: skip


def conflict(change: Change, record: Record, one: Decision, now: int) -> DeadLetter:
    """Of a field that both sides changed."""
    failure = Failure(Remedy.ASK, "conflict", f"{one.field} was changed on both sides", fields=(one.field,))
    return DeadLetter(
        kind="conflict", subject=f"{record.id} {one.field}", entity=record.entity, record_id=record.id,
        fingerprint=fingerprint(change.connection, change.object, failure), connection=change.connection,
        object=change.object, code=failure.code, message=failure.message, at=now, change_id=change.id,
        fields=failure.fields, detail={"base": one.base or None, "mine": one.mine or None, "theirs": one.theirs},
        correlation_id=change.correlation_id,
    )  # fmt: skip
