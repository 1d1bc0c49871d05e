"""Deliveries and their attempts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.model.change import Lane
from syncd.model.delivery import Delivery, DeliveryState
from syncd.store.database import Tx
from syncd.store.rows import chunks, marks, to_json

_COLUMNS = (
    "id, record_id, entity, connection, object, state, lane, due_at, attempts, since_at, change_id, correlation_id, "
    "wanted_version, parent_id, reason"
)

_QUEUED = "state IN ('waiting', 'unknown')"
"""The condition of the index ``deliveries_due``, in its own words: SQLite uses a partial index only where it can
prove that its condition holds, and a bound ``state = ?`` proves nothing."""


@dataclass(frozen=True, slots=True)
class Want:
    """A record must reach a connection."""

    record_id: str
    entity: str
    connection: str
    object: str
    lane: Lane
    since_at: int
    change_id: int
    correlation_id: str
    version: int


def want(tx: Tx, wants: Iterable[Want]) -> None:
    """Ask for deliveries. Newer state coalesces into what waits, which keeps its latency clock and its more urgent
    lane; one on its way or blocked is left in place and finds the newer version when it ends; a dead, held-over or
    finished one wakes up."""
    tx.executemany(
        """
        INSERT INTO deliveries (record_id, entity, connection, object, state, lane, due_at, since_at, change_id,
                                correlation_id, wanted_version)
        VALUES (?, ?, ?, ?, 'waiting', ?, 0, ?, ?, ?, ?)
        ON CONFLICT (record_id, connection, object) DO UPDATE SET
            lane = CASE WHEN state IN ('done', 'dead') THEN excluded.lane ELSE min(lane, excluded.lane) END,
            since_at = CASE WHEN state IN ('done', 'dead') THEN excluded.since_at ELSE since_at END,
            attempts = CASE WHEN state IN ('done', 'dead') THEN 0 ELSE attempts END,
            due_at = CASE WHEN state IN ('done', 'dead') THEN 0 ELSE due_at END,
            change_id = excluded.change_id,
            correlation_id = excluded.correlation_id,
            wanted_version = excluded.wanted_version,
            state = CASE WHEN state IN ('done', 'dead') THEN 'waiting' ELSE state END
        """,
        [
            (one.record_id, one.entity, one.connection, one.object, one.lane, one.since_at, one.change_id,
             one.correlation_id, one.version)
            for one in wants
        ],
    )  # fmt: skip


def due(
    tx: Tx, connection: str, now: int, limit: int, *, state: str = "waiting", paused: Sequence[str] = ()
) -> list[Delivery]:
    """What may be sent now, most urgent first: all of one object, so that it fits one call."""
    head = tx.execute(
        f"SELECT object FROM deliveries WHERE connection = ? AND state = ? AND {_QUEUED} AND due_at <= ? "
        f"AND object NOT IN ({marks(len(paused))}) ORDER BY lane, due_at LIMIT 1",
        (connection, state, now, *paused),
    ).fetchone()
    if head is None:
        return []
    rows = tx.execute(
        f"SELECT {_COLUMNS} FROM deliveries WHERE connection = ? AND state = ? AND {_QUEUED} AND due_at <= ? "
        "AND object = ? ORDER BY lane, due_at LIMIT ?",
        (connection, state, now, head[0], limit),
    )
    return [_delivery(row) for row in rows]


def next_due(tx: Tx, connection: str, now: int) -> int | None:
    """When the next delivery that is not due yet will be."""
    row = tx.execute(
        f"SELECT min(due_at) FROM deliveries WHERE connection = ? AND {_QUEUED} AND due_at > ?",
        (connection, now),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def waiting(tx: Tx, connection: str, limit: int) -> tuple[int, int | None]:
    """How many wait (counted up to a limit), and the most urgent lane among those counted."""
    count, lane = tx.execute(
        "SELECT count(*), min(lane) FROM (SELECT lane FROM deliveries "
        f"WHERE connection = ? AND state = 'waiting' AND {_QUEUED} ORDER BY lane LIMIT ?)",
        (connection, limit),
    ).fetchone()
    return int(count), lane


def claim(tx: Tx, ids: Iterable[int], now: int) -> None:
    """A call is about to leave."""
    tx.executemany(
        "UPDATE deliveries SET state = 'sending', sending_at = ? WHERE id = ?", [(now, number) for number in ids]
    )


@dataclass(frozen=True, slots=True)
class Move:
    """Where a delivery goes next."""

    id: int
    state: DeliveryState
    now: int
    due_at: int = 0
    attempt: bool = False
    """It used up an attempt."""
    parent_id: str = ""
    reason: str = ""


def move(tx: Tx, moves: Iterable[Move]) -> None:
    tx.executemany(
        "UPDATE deliveries SET state = ?, due_at = ?, attempts = attempts + ?, parent_id = ?, reason = ?, "
        "sending_at = NULL, job = NULL, done_at = ? WHERE id = ?",
        [
            (one.state, one.due_at, int(one.attempt), one.parent_id, one.reason,
             one.now if one.state is DeliveryState.DONE else None, one.id)
            for one in moves
        ],
    )  # fmt: skip


def release(tx: Tx, parents: Sequence[str], connection: str) -> int:
    """The parents are linked now: what waited for them may go."""
    released = 0
    for part in chunks(parents):
        released += tx.execute(
            "UPDATE deliveries SET state = 'waiting', parent_id = '', due_at = 0, reason = '' "
            f"WHERE state = 'blocked' AND connection = ? AND parent_id IN ({marks(len(part))})",
            (connection, *part),
        ).rowcount
    return released


def revive(tx: Tx, ids: Sequence[int]) -> int:
    """Send dead or held deliveries again, as an operator's wish."""
    done = 0
    for part in chunks(ids):
        done += tx.execute(
            "UPDATE deliveries SET state = 'waiting', due_at = 0, attempts = 0, reason = '', lane = 0 "
            f"WHERE state IN ('dead', 'held') AND id IN ({marks(len(part))})",
            tuple(part),
        ).rowcount
    return done


def recover(tx: Tx) -> int:
    """After a crash: what was being sent may have been applied. What is in a job stays there: its vendor can tell."""
    return tx.execute(
        "UPDATE deliveries SET state = 'unknown', sending_at = NULL, due_at = 0, "
        "reason = 'was being sent when syncd ended' WHERE state = 'sending' AND state <> 'done' AND job IS NULL"
    ).rowcount


def get(tx: Tx, ids: Sequence[int]) -> dict[int, Delivery]:
    found: dict[int, Delivery] = {}
    for part in chunks(ids):
        for row in tx.execute(f"SELECT {_COLUMNS} FROM deliveries WHERE id IN ({marks(len(part))})", part):
            found[row[0]] = _delivery(row)
    return found


def of_records(tx: Tx, record_ids: Sequence[str], connection: str, object_: str) -> dict[str, Delivery]:
    """Deliveries by record id."""
    found: dict[str, Delivery] = {}
    for part in chunks(record_ids):
        chosen = f"connection = ? AND object = ? AND record_id IN ({marks(len(part))})"
        sql = f"SELECT {_COLUMNS} FROM deliveries WHERE {chosen}"
        for row in tx.execute(sql, (connection, object_, *part)):
            found[row[1]] = _delivery(row)
    return found


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, as it is kept for operators."""

    delivery_id: int
    record_id: str
    connection: str
    object: str
    at: int
    duration_ms: int
    action: str
    outcome: str
    fields: Sequence[str]
    sent: Any
    code: str = ""
    message: str = ""
    status: int = 0
    reply: str = ""
    correlation_id: str = ""


def add_attempts(tx: Tx, attempts: Iterable[Attempt]) -> None:
    tx.executemany(
        "INSERT INTO attempts (delivery_id, record_id, connection, object, at, duration_ms, action, outcome, fields, "
        "sent, code, message, status, reply, correlation_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (one.delivery_id, one.record_id, one.connection, one.object, one.at, one.duration_ms, one.action,
             one.outcome, to_json(list(one.fields)), to_json(one.sent), one.code, one.message, one.status, one.reply,
             one.correlation_id)
            for one in attempts
        ],
    )  # fmt: skip


def _delivery(row: tuple[Any, ...]) -> Delivery:
    return Delivery(
        id=row[0], record_id=row[1], entity=row[2], connection=row[3], object=row[4], state=DeliveryState(row[5]),
        lane=Lane(row[6]), due_at=row[7], attempts=row[8], since_at=row[9], change_id=row[10], correlation_id=row[11],
        wanted_version=row[12], parent_id=row[13], reason=row[14],
    )  # fmt: skip
