"""What operators look at: read-only queries over several tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from syncd.model.delivery import Delivery
from syncd.store import deliveries
from syncd.store.database import Tx
from syncd.store.letters import DeadLetter
from syncd.store.letters import select_rows as letter_rows
from syncd.store.rows import chunks, from_json, marks

Row = tuple[Any, ...]


def staged(tx: Tx) -> list[Row]:
    """``lane, depth, oldest received_at`` of what waits to be folded or read."""
    # The oldest of a lane is the one with the lowest id: ids rise with arrival.
    counted = "SELECT lane, count(*) AS depth, min(id) AS first FROM changes WHERE state = 'staged' AND kind {} 'hint' "
    groups = f"{counted.format('<>')} GROUP BY lane UNION ALL {counted.format('=')} GROUP BY lane"
    return tx.execute(
        f"SELECT g.lane, sum(g.depth), min(c.received_at) FROM ({groups}) g JOIN changes c ON c.id = g.first "
        "GROUP BY g.lane"
    ).fetchall()


def open_deliveries(tx: Tx) -> list[Row]:
    """``connection, object, state, lane, depth, oldest since_at`` of everything that still moves: what is dead waits
    for an operator among the failures, not in a queue."""
    return tx.execute(
        "SELECT connection, object, state, lane, count(*), min(since_at) FROM deliveries "
        "WHERE state <> 'done' AND state <> 'dead' "
        "GROUP BY connection, object, state, lane"
    ).fetchall()


def queue(tx: Tx, *, connection: str, state: str, lane: int | None, limit: int, after: int) -> tuple[list[Row], int]:
    """Open deliveries with their records' titles, by id; and how many there are."""
    where, values = ["d.state <> 'done'"], list[Any]()
    for column, value in (("connection", connection), ("state", state), ("lane", lane)):
        if value not in ("", None):
            where.append(f"d.{column} = ?")
            values.append(value)
    clause = " AND ".join(where)
    total = tx.execute(f"SELECT count(*) FROM deliveries d WHERE {clause}", values).fetchone()[0]
    rows = tx.execute(
        "SELECT d.id, d.record_id, r.title, d.entity, d.connection, d.object, d.state, d.lane, d.attempts, d.since_at, "
        f"d.due_at, d.reason FROM deliveries d JOIN records r ON r.id = d.record_id WHERE {clause} AND d.id > ? "
        "ORDER BY d.id LIMIT ?",
        (*values, after, limit),
    ).fetchall()
    return rows, int(total)


# --- failures -------------------------------------------------------------------------------------------------


def failure_groups(tx: Tx, *, connection: str, entity: str, limit: int) -> list[Row]:
    """``fingerprint, kind, connection, object, entity, code, newest message, count, first, last``, largest first."""
    where, values = ["state = 'open'"], list[Any]()
    for column, value in (("connection", connection), ("entity", entity)):
        if value:
            where.append(f"{column} = ?")
            values.append(value)
    return tx.execute(
        # With max() in the list, SQLite takes the bare columns from the newest row.
        "SELECT fingerprint, kind, connection, object, entity, code, message, count(*) AS n, min(at), max(at) "
        f"FROM dead_letters WHERE {' AND '.join(where)} GROUP BY fingerprint ORDER BY n DESC, fingerprint LIMIT ?",
        (*values, limit),
    ).fetchall()


def failure_times(tx: Tx, since: int, fingerprints: Sequence[str]) -> list[tuple[str, int]]:
    return tx.execute(
        "SELECT fingerprint, at FROM dead_letters WHERE state = 'open' AND at > ? "
        f"AND fingerprint IN ({marks(len(fingerprints))})",
        (since, *fingerprints),
    ).fetchall()


def letters_by_code(tx: Tx) -> list[Row]:
    """``connection, code, count`` of the open ones."""
    return tx.execute(
        "SELECT connection, code, count(*) FROM dead_letters WHERE state = 'open' GROUP BY connection, code"
    ).fetchall()


def open_letters(tx: Tx) -> int:
    return int(tx.execute("SELECT count(*) FROM dead_letters WHERE state = 'open'").fetchone()[0])


def open_conflicts(tx: Tx) -> int:
    sql = "SELECT count(*) FROM dead_letters WHERE state = 'open' AND kind = 'conflict'"
    return int(tx.execute(sql).fetchone()[0])


def letters_of(tx: Tx, fingerprint: str, *, limit: int, after: int) -> tuple[list[DeadLetter], int]:
    """Open dead letters of one cause, by id; and how many there are."""
    total = tx.execute(
        "SELECT count(*) FROM dead_letters WHERE state = 'open' AND fingerprint = ?", (fingerprint,)
    ).fetchone()[0]
    found = letter_rows(tx, "state = 'open' AND fingerprint = ? AND id > ?", (fingerprint, after), limit)
    return found, int(total)


def letters_of_record(tx: Tx, record_id: str) -> list[int]:
    sql = "SELECT id FROM dead_letters WHERE record_id = ? AND state = 'open' ORDER BY id"
    return [row[0] for row in tx.execute(sql, (record_id,))]


def closing(tx: Tx, number: int) -> tuple[int, str, str]:
    """When, by whom and why a dead letter was closed."""
    row = tx.execute("SELECT closed_at, closed_by, closed_why FROM dead_letters WHERE id = ?", (number,)).fetchone()
    return (row[0] or 0, row[1], row[2])


def last_attempt(tx: Tx, delivery_id: int) -> tuple[dict[str, Any], str]:
    """What the last attempt sent, and the reply."""
    row = tx.execute(
        "SELECT sent, reply FROM attempts WHERE delivery_id = ? AND record_id = "
        "(SELECT record_id FROM deliveries WHERE id = ?) ORDER BY id DESC LIMIT 1",
        (delivery_id, delivery_id),
    ).fetchone()
    return ({}, "") if row is None else (from_json(row[0]), row[1])


# --- records --------------------------------------------------------------------------------------------------


def search(tx: Tx, *, query: str, entity: str, limit: int, after: str, cap: int) -> tuple[list[Row], int, bool]:
    """Records by title, id or a vendor's id, most recently updated first: ``id, entity, title, version, updated_at``;
    how many rows were looked at, and whether the search stopped at the cap."""
    where, values = ["1 = 1"], list[Any]()
    if entity:
        where.append("entity = ?")
        values.append(entity)
    if after:
        at, number = after.split(":", 1)
        where.append("(updated_at, id) < (?, ?)")
        values += [int(at), number]
    columns = "id, entity, title, version, updated_at"
    newest = f"SELECT {columns} FROM records WHERE {' AND '.join(where)} ORDER BY updated_at DESC, id DESC LIMIT ?"
    if not query:
        rows = tx.execute(newest, (*values, limit)).fetchall()
        return rows, len(rows), False
    exact = [] if after else _by_id(tx, query, entity, columns)
    like = "%" + query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    looked = tx.execute(f"SELECT count(*) FROM ({newest})", (*values, cap)).fetchone()[0]
    found = tx.execute(
        f"SELECT {columns} FROM ({newest}) WHERE title LIKE ? ESCAPE '\\' LIMIT ?", (*values, cap, like, limit)
    ).fetchall()
    known = {row[0] for row in exact}
    rows = [*exact, *(row for row in found if row[0] not in known)][:limit]
    return rows, int(looked), looked >= cap


def _by_id(tx: Tx, query: str, entity: str, columns: str) -> list[Row]:
    """Records whose id, or whose id at a vendor, or whose title is exactly the query; through indexes."""
    return tx.execute(
        f"SELECT {columns} FROM records WHERE (id = ? OR title = ? COLLATE NOCASE OR id IN "
        "(SELECT record_id FROM links WHERE external_id = ?)) AND (? = '' OR entity = ?) LIMIT 20",
        (query, query, query, entity, entity),
    ).fetchall()


def page_key(row: Row) -> str:
    return f"{row[4]}:{row[0]}"


def count_records(tx: Tx, entity: str) -> int:
    if entity:
        return int(tx.execute("SELECT count(*) FROM records WHERE entity = ?", (entity,)).fetchone()[0])
    return int(tx.execute("SELECT count(*) FROM records").fetchone()[0])


RecordState = Literal["in_step", "waiting", "failed", "held"]


def record_states(tx: Tx, ids: Sequence[str]) -> dict[str, RecordState]:
    """The worst state of each record's deliveries."""
    rank: dict[str, tuple[int, RecordState]] = {
        "dead": (3, "failed"), "held": (2, "held"), "waiting": (1, "waiting"), "sending": (1, "waiting"),
        "unknown": (1, "waiting"), "blocked": (1, "waiting"),
    }  # fmt: skip
    worst: dict[str, tuple[int, RecordState]] = {}
    for part in chunks(ids):
        sql = f"SELECT record_id, state FROM deliveries WHERE state <> 'done' AND record_id IN ({marks(len(part))})"
        for record_id, state in tx.execute(sql, tuple(part)):
            worst[record_id] = max(worst.get(record_id, (0, "in_step")), rank[state])
    return {record_id: state for record_id, (_rank, state) in worst.items()}


def created_at(tx: Tx, record_id: str) -> int:
    return int(tx.execute("SELECT created_at FROM records WHERE id = ?", (record_id,)).fetchone()[0])


def deliveries_of(tx: Tx, record_id: str) -> list[Delivery]:
    ids = [row[0] for row in tx.execute("SELECT id FROM deliveries WHERE record_id = ?", (record_id,))]
    return list(deliveries.get(tx, ids).values())


def history(tx: Tx, record_id: str, limit: int) -> list[Row]:
    """``version, at, connection, channel, change_id, correlation_id, decisions, who, why``, newest first."""
    rows = tx.execute(
        "SELECT version, at, connection, channel, change_id, correlation_id, decisions, who, why FROM history "
        "WHERE record_id = ? ORDER BY id DESC LIMIT ?",
        (record_id, limit),
    )
    return [(*row[:6], from_json(row[6]), *row[7:]) for row in rows]


def attempts(tx: Tx, record_id: str, limit: int) -> list[Row]:
    """``id, at, connection, object, action, outcome, duration_ms, fields, code, message, status, correlation_id,
    sent``, newest first."""
    rows = tx.execute(
        "SELECT id, at, connection, object, action, outcome, duration_ms, fields, code, message, status, "
        "correlation_id, sent FROM attempts WHERE record_id = ? ORDER BY id DESC LIMIT ?",
        (record_id, limit),
    )
    return [(*row[:7], from_json(row[7]), *row[8:12], from_json(row[12])) for row in rows]
