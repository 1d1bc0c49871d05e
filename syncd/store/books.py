"""Small books: cursors, timers, pauses, counters, samples, budgets, audit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.store.database import Tx
from syncd.store.rows import to_json


@dataclass(frozen=True, slots=True)
class Cursor:
    cursor: str
    finished: bool
    seen: int
    updated_at: int


def cursor(tx: Tx, connection: str, object_: str, kind: str) -> Cursor | None:
    row = tx.execute(
        "SELECT cursor, finished, seen, updated_at FROM cursors WHERE connection = ? AND object = ? AND kind = ?",
        (connection, object_, kind),
    ).fetchone()
    return None if row is None else Cursor(row[0], bool(row[1]), row[2], row[3])


def save_cursor(
    tx: Tx, connection: str, object_: str, kind: str, text: str, now: int, *, seen: int, finished: bool = False
) -> None:
    """Advance a cursor; ``seen`` adds to what it has seen. In the transaction that stages what it passed."""
    tx.execute(
        "INSERT INTO cursors (connection, object, kind, cursor, finished, seen, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (connection, object, kind) DO UPDATE SET "
        "cursor = excluded.cursor, finished = excluded.finished, seen = cursors.seen + excluded.seen, "
        "updated_at = excluded.updated_at",
        (connection, object_, kind, text, finished, seen, now),
    )


def set_timers(tx: Tx, kind: str, due: Mapping[str, int | None]) -> None:
    """By record id: when the timer fires, or ``None`` to clear it."""
    tx.executemany(
        "DELETE FROM timers WHERE record_id = ? AND kind = ?",
        [(record, kind) for record, at in due.items() if at is None],
    )
    tx.executemany(
        "INSERT INTO timers (record_id, kind, due_at) VALUES (?, ?, ?) "
        "ON CONFLICT (record_id, kind) DO UPDATE SET due_at = excluded.due_at",
        [(record, kind, at) for record, at in due.items() if at is not None],
    )


def due_timers(tx: Tx, kind: str, now: int, limit: int) -> list[tuple[str, int]]:
    """``(record id, due at)`` of timers that have fired."""
    return tx.execute(
        "SELECT record_id, due_at FROM timers WHERE due_at <= ? AND kind = ? ORDER BY due_at LIMIT ?",
        (now, kind, limit),
    ).fetchall()


def next_timer(tx: Tx) -> int | None:
    row = tx.execute("SELECT min(due_at) FROM timers").fetchone()
    return None if row[0] is None else int(row[0])


def pauses(tx: Tx) -> set[str]:
    return {row[0] for row in tx.execute("SELECT target FROM pauses")}


def set_pause(tx: Tx, target: str, now: int, who: str, why: str, *, paused: bool) -> bool:
    """Whether this changed anything."""
    if paused:
        sql = "INSERT OR IGNORE INTO pauses (target, at, who, why) VALUES (?, ?, ?, ?)"
        return tx.execute(sql, (target, now, who, why)).rowcount > 0
    return tx.execute("DELETE FROM pauses WHERE target = ?", (target,)).rowcount > 0


def count(tx: Tx, amounts: Mapping[str, int]) -> None:
    """Add to counters."""
    tx.executemany(
        "INSERT INTO counters (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        [(name, amount) for name, amount in amounts.items() if amount],
    )


def counters(tx: Tx) -> dict[str, int]:
    return dict(tx.execute("SELECT name, value FROM counters").fetchall())


def add_samples(tx: Tx, at: int, values: Mapping[str, float]) -> None:
    tx.executemany(
        "INSERT OR REPLACE INTO samples (series, at, value) VALUES (?, ?, ?)",
        [(series, at, value) for series, value in values.items()],
    )


def samples(tx: Tx, series: str, since: int) -> list[tuple[int, float]]:
    return tx.execute(
        "SELECT at, value FROM samples WHERE series = ? AND at >= ? ORDER BY at", (series, since)
    ).fetchall()


def load_budget(tx: Tx, connection: str) -> bytes | None:
    row = tx.execute("SELECT state FROM budgets WHERE connection = ?", (connection,)).fetchone()
    return None if row is None else bytes(row[0])


def save_budgets(tx: Tx, states: Iterable[tuple[str, bytes]], now: int) -> None:
    tx.executemany(
        "INSERT INTO budgets (connection, state, updated_at) VALUES (?, ?, ?) "
        "ON CONFLICT (connection) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
        [(connection, state, now) for connection, state in states],
    )


@dataclass(frozen=True, slots=True)
class Audited:
    action: str
    result: str


def audited(tx: Tx, command_id: str) -> Audited | None:
    """What a command was and the result it had, if it was carried out before."""
    row = tx.execute("SELECT action, result FROM audit WHERE command_id = ?", (command_id,)).fetchone()
    return None if row is None else Audited(row[0], row[1])


def add_audit(
    tx: Tx, now: int, command_id: str, who: str, action: str, target: str, why: str, detail: Any, result: str
) -> None:
    tx.execute(
        "INSERT INTO audit (at, command_id, who, action, target, why, detail, result) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (now, command_id, who, action, target, why, to_json(detail), result),
    )


def prune(tx: Tx, *, attempts_before: int, history_before: int, samples_before: int, limit: int = 5000) -> int:
    """Forget what is older than its retention, a bounded number of rows at a time."""
    gone = 0
    for table, before in (("attempts", attempts_before), ("history", history_before)):
        gone += tx.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE at < ? LIMIT ?)", (before, limit)
        ).rowcount
    gone += tx.execute("DELETE FROM samples WHERE at < ?", (samples_before,)).rowcount
    return gone


def meta(tx: Tx) -> dict[str, str]:
    return dict(tx.execute("SELECT key, value FROM meta").fetchall())


def set_meta(tx: Tx, values: Sequence[tuple[str, str]]) -> None:
    tx.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", values)
