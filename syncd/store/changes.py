"""Staged changes: in at the front, settled once they are folded, dropped or parked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.store.database import Tx
from syncd.store.rows import chunks, from_json, marks, to_json

_COLUMNS = (
    "connection, object, external_id, kind, channel, lane, dedupe_key, received_at, occurred_at, version, partial, "
    "correlation_id, payload, due_at"
)
_STAGE = f"INSERT OR IGNORE INTO changes ({_COLUMNS}) VALUES ({marks(14)})"
_SELECT = f"SELECT id, attempts, {_COLUMNS} FROM changes "


@dataclass(frozen=True, slots=True)
class StageResult:
    staged: int
    duplicates: int


def stage(tx: Tx, changes: Iterable[Change], *, due_at: int = 0) -> StageResult:
    """Insert what was not staged before, by ``(connection, dedupe_key)``."""
    rows = [
        (
            one.connection, one.object, one.external_id, one.kind, one.channel, one.lane, one.dedupe_key,
            one.received_at, one.occurred_at, one.version, one.partial, one.correlation_id,
            None if one.payload is None else to_json(one.payload), due_at,
        )
        for one in changes
    ]  # fmt: skip
    before = tx.total_changes
    tx.executemany(_STAGE, rows)
    staged = tx.total_changes - before
    return StageResult(staged, len(rows) - staged)


def to_fold(tx: Tx, now: int, limit: int, paused: Sequence[str] = ()) -> list[Change]:
    """Changes that are ready to fold, the most urgent lane first, in the order of their arrival."""
    sql = (
        _SELECT + "WHERE state = 'staged' AND kind <> 'hint' AND due_at <= ? "
        f"AND connection NOT IN ({marks(len(paused))}) ORDER BY lane, id LIMIT ?"
    )
    return [_change(row) for row in tx.execute(sql, (now, *paused, limit))]


def to_read(tx: Tx, connection: str, now: int, limit: int) -> list[Change]:
    """Hints of a connection that wait to be read."""
    sql = (
        _SELECT
        + "WHERE state = 'staged' AND kind = 'hint' AND connection = ? AND due_at <= ? ORDER BY lane, id LIMIT ?"
    )
    return [_change(row) for row in tx.execute(sql, (connection, now, limit))]


@dataclass(frozen=True, slots=True)
class Told:
    """A staged change without its payload."""

    id: int
    external_id: str
    kind: str
    partial: bool
    version: str
    lane: int
    received_at: int
    due_at: int


def told_of(tx: Tx, connection: str, object_: str, external_ids: Sequence[str]) -> list[Told]:
    """Everything that waits to be folded of these objects."""
    found: list[Told] = []
    for part in chunks(external_ids):
        sql = (
            "SELECT id, external_id, kind, partial, version, lane, received_at, due_at FROM changes "
            "WHERE state = 'staged' AND kind <> 'hint' AND connection = ? AND object = ? "
            f"AND external_id IN ({marks(len(part))})"
        )
        found += [Told(*row) for row in tx.execute(sql, (connection, object_, *part))]
    return found


def load(tx: Tx, ids: Sequence[int]) -> dict[int, Change]:
    """Changes by id."""
    found: dict[int, Change] = {}
    for part in chunks(ids):
        for row in tx.execute(_SELECT + f"WHERE id IN ({marks(len(part))})", tuple(part)):
            found[row[0]] = _change(row)
    return found


def backlog(tx: Tx) -> int:
    """How much is staged and not settled, counted up to 100,000."""
    # By kind, as the indexes are: settled changes must not be walked over.
    parts = (f"SELECT 1 FROM changes WHERE state = 'staged' AND kind {sign} 'hint'" for sign in ("=", "<>"))
    row = tx.execute(f"SELECT count(*) FROM ({' UNION ALL '.join(parts)} LIMIT 100000)").fetchone()
    return int(row[0])


def next_due(tx: Tx, now: int, *, hints_of: str | None = None) -> int | None:
    """When the next deferred change is due, if any waits."""
    kind = "kind <> 'hint'" if hints_of is None else "kind = 'hint' AND connection = ?"
    row = tx.execute(
        f"SELECT min(due_at) FROM changes WHERE state = 'staged' AND {kind} AND due_at > ?",
        (now,) if hints_of is None else (hints_of, now),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def settle(tx: Tx, state: str, ids: Sequence[int], now: int, reason: str = "") -> None:
    """Mark as ``folded``, ``dropped`` or ``parked``. What was folded or dropped needs its payload no more; what
    was parked keeps it."""
    keep = "payload" if state == "parked" else "NULL"
    tx.executemany(
        f"UPDATE changes SET state = ?, settled_at = ?, reason = ?, payload = {keep} WHERE id = ?",
        [(state, now, reason, one) for one in ids],
    )


def defer(tx: Tx, ids: Sequence[int], due_at: int, reason: str, *, attempt: bool) -> None:
    """Try again at ``due_at``; ``attempt`` says whether this used one up."""
    tx.executemany(
        "UPDATE changes SET due_at = ?, reason = ?, attempts = attempts + ? WHERE id = ? AND state = 'staged'",
        [(due_at, reason, int(attempt), one) for one in ids],
    )


def resolve(tx: Tx, answers: Iterable[tuple[int, Change]]) -> None:
    """Turn hints into what the read told: same row, same place in the queue."""
    tx.executemany(
        "UPDATE changes SET kind = ?, external_id = ?, version = ?, occurred_at = ?, partial = ?, payload = ?, "
        "due_at = 0 WHERE id = ? AND state = 'staged'",
        [
            (one.kind, one.external_id, one.version, one.occurred_at, one.partial,
             None if one.payload is None else to_json(one.payload), number)
            for number, one in answers
        ],
    )  # fmt: skip


def unpark(tx: Tx, ids: Sequence[int], payload: Any = None) -> int:
    """Stage parked changes again, as they were or with another payload; they keep their ids."""
    done = 0
    for part in chunks(ids):
        done += tx.execute(
            f"UPDATE changes SET state = 'staged', settled_at = NULL, due_at = 0, attempts = 0, reason = '', lane = 0, "
            f"payload = coalesce(?, payload) WHERE state = 'parked' AND id IN ({marks(len(part))})",
            (None if payload is None else to_json(payload), *part),
        ).rowcount
    return done


def get(tx: Tx, number: int) -> Change | None:
    row = tx.execute(_SELECT + "WHERE id = ?", (number,)).fetchone()
    return None if row is None else _change(row)


def prune(tx: Tx, settled_before: int, limit: int = 5000) -> int:
    """Forget settled changes, except parked ones. Their dedupe keys go with them, so keep them for longer than the
    longest redelivery of any vendor (four days)."""
    return tx.execute(
        "DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE settled_at < ? AND state <> 'parked' LIMIT ?)",
        (settled_before, limit),
    ).rowcount


def _change(row: tuple[Any, ...]) -> Change:
    return Change(
        id=row[0], attempts=row[1], connection=row[2], object=row[3], external_id=row[4], kind=ChangeKind(row[5]),
        channel=Channel(row[6]), lane=Lane(row[7]), dedupe_key=row[8], received_at=row[9], occurred_at=row[10],
        version=row[11], partial=bool(row[12]), correlation_id=row[13],
        payload=None if row[14] is None else from_json(row[14]),
    )  # fmt: skip
