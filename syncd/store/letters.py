"""Dead letters: what gave up or cannot succeed, until it is replayed, discarded or resolves itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.store.database import Tx
from syncd.store.rows import chunks, from_json, marks, to_json


@dataclass(frozen=True, slots=True)
class DeadLetter:
    kind: str
    """``change``, ``delivery`` or ``conflict``."""
    subject: str
    """What it is about, unique among the open ones of its kind: a change or delivery id, or record and field."""
    fingerprint: str
    entity: str
    connection: str
    object: str
    code: str
    message: str
    at: int
    change_id: int = 0
    delivery_id: int = 0
    record_id: str = ""
    fields: Sequence[str] = ()
    """What the vendor found fault with."""
    detail: Any = field(default_factory=dict)
    attempts: int = 0
    correlation_id: str = ""
    state: str = "open"
    id: int = 0


_COLUMNS = (
    "kind, subject, fingerprint, entity, connection, object, code, message, at, change_id, delivery_id, record_id, "
    "fields, detail, attempts, correlation_id"
)


def put(tx: Tx, letters: Iterable[DeadLetter]) -> None:
    """Open dead letters; one that is open for the same subject already is brought up to date."""
    tx.executemany(
        f"INSERT INTO dead_letters ({_COLUMNS}, state) VALUES ({marks(16)}, 'open') "
        "ON CONFLICT (kind, subject) WHERE state = 'open' DO UPDATE SET fingerprint = excluded.fingerprint, "
        "code = excluded.code, message = excluded.message, at = excluded.at, change_id = excluded.change_id, "
        "fields = excluded.fields, detail = excluded.detail, attempts = excluded.attempts, "
        "correlation_id = excluded.correlation_id",
        [
            (one.kind, one.subject, one.fingerprint, one.entity, one.connection, one.object, one.code, one.message,
             one.at, one.change_id, one.delivery_id, one.record_id, to_json(list(one.fields)), to_json(one.detail),
             one.attempts, one.correlation_id)
            for one in letters
        ],
    )  # fmt: skip


def close(tx: Tx, ids: Sequence[int], state: str, now: int, who: str, why: str) -> int:
    """Close open ones as ``replayed``, ``discarded`` or ``resolved``."""
    closed = 0
    for part in chunks(ids):
        closed += tx.execute(
            "UPDATE dead_letters SET state = ?, closed_at = ?, closed_by = ?, closed_why = ? "
            f"WHERE state = 'open' AND id IN ({marks(len(part))})",
            (state, now, who, why, *part),
        ).rowcount
    return closed


def resolve_deliveries(tx: Tx, delivery_ids: Sequence[int], now: int) -> int:
    """An old error closes when the same delivery later succeeds."""
    closed = 0
    for part in chunks(delivery_ids):
        closed += tx.execute(
            "UPDATE dead_letters SET state = 'resolved', closed_at = ?, closed_by = 'syncd', "
            "closed_why = 'delivered later' WHERE state = 'open' AND kind = 'delivery' "
            f"AND subject IN ({marks(len(part))})",
            (now, *map(str, part)),
        ).rowcount
    return closed


def resolve_conflicts(tx: Tx, subjects: Sequence[str], now: int, who: str, why: str) -> int:
    """Close the conflicts of these ``record field`` subjects."""
    closed = 0
    for part in chunks(subjects):
        closed += tx.execute(
            "UPDATE dead_letters SET state = 'resolved', closed_at = ?, closed_by = ?, closed_why = ? "
            f"WHERE state = 'open' AND kind = 'conflict' AND subject IN ({marks(len(part))})",
            (now, who, why, *part),
        ).rowcount
    return closed


def select(
    tx: Tx, *, ids: Sequence[int] = (), fingerprint: str = "", connection: str = "", entity: str = "", limit: int = -1
) -> list[DeadLetter]:
    """Open dead letters: the named ones, or all that match. Oldest first."""
    where, values = ["state = 'open'"], list[int | str]()
    if ids:
        # One value however many there are: a statement takes a limited number of parameters.
        where.append("id IN (SELECT value FROM json_each(?))")
        values.append(to_json(list(ids)))
    for column, value in (("fingerprint", fingerprint), ("connection", connection), ("entity", entity)):
        if value:
            where.append(f"{column} = ?")
            values.append(value)
    return select_rows(tx, " AND ".join(where), values, limit)


def select_rows(tx: Tx, where: str, values: Sequence[int | str], limit: int) -> list[DeadLetter]:
    """Dead letters by a condition written here in the store, by id."""
    sql = f"SELECT id, state, {_COLUMNS} FROM dead_letters WHERE {where} ORDER BY id LIMIT ?"
    return [_letter(row) for row in tx.execute(sql, (*values, limit))]


def get(tx: Tx, number: int) -> DeadLetter | None:
    row = tx.execute(f"SELECT id, state, {_COLUMNS} FROM dead_letters WHERE id = ?", (number,)).fetchone()
    return None if row is None else _letter(row)


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    return DeadLetter(
        id=row[0], state=row[1], kind=row[2], subject=row[3], fingerprint=row[4], entity=row[5], connection=row[6],
        object=row[7], code=row[8], message=row[9], at=row[10], change_id=row[11], delivery_id=row[12],
        record_id=row[13], fields=from_json(row[14]), detail=from_json(row[15]), attempts=row[16],
        correlation_id=row[17],
    )  # fmt: skip
