"""Forgetting a person: what any table holds of them is overwritten; the rows stay as witnesses that it was there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from syncd.store.database import Tx
from syncd.store.rows import chunks, from_json, marks, to_json

Place = tuple[str, str, str]
"""Connection, object, external id."""

REASON = "erased at the vendor"


def forget_changes(tx: Tx, places: Iterable[Place], now: int) -> None:
    """What these objects told and was not folded yet, parked ones included."""
    for connection, object_, external_id in places:
        parked = tx.execute(
            "SELECT change_id FROM dead_letters WHERE kind = 'change' AND connection = ? AND object = ?",
            (connection, object_),
        )
        ids = [row[0] for row in parked]
        for part in chunks(ids):
            tx.execute(
                f"UPDATE changes SET payload = NULL, reason = ? WHERE external_id = ? AND id IN ({marks(len(part))})",
                (REASON, external_id, *part),
            )
        for sign in ("=", "<>"):
            # By kind, as the indexes are.
            tx.execute(
                "UPDATE changes SET state = 'dropped', settled_at = ?, payload = NULL, reason = ? "
                f"WHERE state = 'staged' AND kind {sign} 'hint' AND connection = ? AND object = ? AND external_id = ?",
                (now, REASON, connection, object_, external_id),
            )


def forget_letters(tx: Tx, record_id: str, place: Place, cleared: Sequence[str], now: int, *, everywhere: bool) -> None:
    """The vendors' words and the values in all dead letters of the record and of what the place told. Closed are those
    of the place (or of everywhere) and conflicts over what was cleared; what else is open still has to be mended."""
    connection, object_, external_id = place
    told = (
        "(kind = 'change' AND connection = ? AND object = ? AND EXISTS "
        "(SELECT 1 FROM changes WHERE id = change_id AND external_id = ?))"
    )
    tx.execute(
        f"UPDATE dead_letters SET message = code, detail = '{{}}', closed_why = '' WHERE record_id = ? OR {told}",
        (record_id, connection, object_, external_id),
    )
    conflicts = [f"{record_id} {name}" for name in cleared]
    tx.execute(
        "UPDATE dead_letters SET state = 'resolved', closed_by = 'syncd', closed_why = ?, closed_at = ? "
        "WHERE state = 'open' AND ((record_id = ? AND (? OR (connection = ? AND object = ?) "
        f"OR (kind = 'conflict' AND subject IN ({marks(len(conflicts))})))) OR {told})",
        (REASON, now, record_id, everywhere, connection, object_, *conflicts, connection, object_, external_id),
    )


def forget_deliveries(
    tx: Tx, record_id: str, place: Place, cleared: Sequence[str], now: int, *, everywhere: bool
) -> None:
    """What was sent and answered, to whomever; and nothing more is sent to the place, or to anybody. A call that is on
    its way ends by itself."""
    here = (record_id, everywhere, *place[:2])
    clause = "record_id = ? AND (? OR (connection = ? AND object = ?))"
    tx.execute("UPDATE attempts SET sent = '{}', reply = '', message = '' WHERE record_id = ?", (record_id,))
    tx.execute(f"DELETE FROM in_flight WHERE {clause}", here)
    flown = tx.execute("SELECT delivery_id, fields FROM in_flight WHERE record_id = ?", (record_id,)).fetchall()
    tx.executemany(
        "UPDATE in_flight SET fields = ? WHERE delivery_id = ?",
        [
            (to_json([{name: value for name, value in one.items() if name not in cleared} for one in from_json(text)]),
             number)
            for number, text in flown
        ],
    )  # fmt: skip
    tx.execute(
        f"UPDATE deliveries SET state = 'done', done_at = ?, parent_id = '', reason = ? WHERE {clause} "
        "AND state <> 'sending'",
        (now, REASON, *here),
    )
    tx.execute("UPDATE deliveries SET reason = '' WHERE record_id = ? AND reason <> ?", (record_id, REASON))


def forget_history(tx: Tx, record_id: str, fields: Collection[str] | None) -> None:
    """The values in the record's history, of these fields or (``None``) of all; which fields changed when, by which
    rule, stays."""
    rows = tx.execute("SELECT id, decisions FROM history WHERE record_id = ?", (record_id,)).fetchall()
    tx.executemany(
        "UPDATE history SET decisions = ?, why = CASE WHEN ? THEN '' ELSE why END WHERE id = ?",
        [
            (to_json([_bare(one) if fields is None or one["field"] in fields else one for one in from_json(text)]),
             fields is None, number)
            for number, text in rows
        ],
    )  # fmt: skip


def _bare(decision: dict[str, Any]) -> dict[str, Any]:
    return {name: decision[name] for name in ("field", "rule")}
