"""Golden records, their identities and their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.model.merge import Decision
from syncd.model.record import Origin, Record
from syncd.model.value import ABSENT
from syncd.store.database import Tx
from syncd.store.rows import chunks, from_json, marks, to_json


def load(tx: Tx, ids: Sequence[str], *, origins: bool = True) -> dict[str, Record]:
    """Records by id; without their origins for those who only compare values."""
    found: dict[str, Record] = {}
    for part in chunks(ids):
        sql = f"SELECT id, entity, fields, origins, version, updated_at FROM records WHERE id IN ({marks(len(part))})"
        for row in tx.execute(sql, part):
            known = _origins(row[3]) if origins else {}
            found[row[0]] = Record(row[0], row[1], from_json(row[2]), known, row[4], row[5])
    return found


def save(tx: Tx, records: Iterable[tuple[Record, str]]) -> None:
    """Insert or replace records, each with its title."""
    tx.executemany(
        "INSERT INTO records (id, entity, fields, origins, version, title, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET fields = excluded.fields, "
        "origins = excluded.origins, version = excluded.version, title = excluded.title, "
        "updated_at = excluded.updated_at",
        [
            (one.id, one.entity, to_json(one.fields), _origins_json(one.origins), one.version, title,
             one.updated_at, one.updated_at)
            for one, title in records
        ],
    )  # fmt: skip


def identify(tx: Tx, entity: str, field: str, values: Sequence[str]) -> dict[str, set[str]]:
    """Record ids by identity value."""
    found: dict[str, set[str]] = {}
    for part in chunks(values):
        sql = (
            f"SELECT value, record_id FROM identities WHERE entity = ? AND field = ? AND value IN ({marks(len(part))})"
        )
        for value, record in tx.execute(sql, (entity, field, *part)):
            found.setdefault(value, set()).add(record)
    return found


def save_identities(tx: Tx, rows: Iterable[tuple[str, str, str | None, str | None, str]]) -> None:
    """``(entity, field, old value, new value, record id)``; ``None`` where there was or is none."""
    listed = list(rows)
    tx.executemany(
        "DELETE FROM identities WHERE entity = ? AND field = ? AND value = ? AND record_id = ?",
        [(entity, field, old, record) for entity, field, old, _new, record in listed if old is not None],
    )
    tx.executemany(
        "INSERT OR IGNORE INTO identities (entity, field, value, record_id) VALUES (?, ?, ?, ?)",
        [(entity, field, new, record) for entity, field, _old, new, record in listed if new is not None],
    )


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What one fold decided about one record."""

    record_id: str
    version: int
    at: int
    change_id: int
    connection: str
    channel: str
    correlation_id: str
    decisions: Sequence[Decision]
    who: str = ""
    why: str = ""


def add_history(tx: Tx, rows: Iterable[HistoryRow]) -> None:
    tx.executemany(
        "INSERT INTO history (record_id, version, at, change_id, connection, channel, correlation_id, decisions, who, "
        "why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (one.record_id, one.version, one.at, one.change_id, one.connection, one.channel, one.correlation_id,
             to_json([decision_json(item) for item in one.decisions]), one.who, one.why)
            for one in rows
        ],
    )  # fmt: skip


def decision_json(one: Decision) -> dict[str, Any]:
    """A decision as it is kept; absent values have no key."""
    told = {"before": one.mine, "after": one.value, "base": one.base, "theirs": one.theirs}
    known = {name: value for name, value in told.items() if value is not ABSENT}
    return {"field": one.field, "rule": one.rule, **known}


def _origins(text: str) -> dict[str, Origin]:
    return {name: Origin(*parts) for name, parts in from_json(text).items()}


def _origins_json(origins: Mapping[str, Origin]) -> str:
    return to_json({name: (one.connection, one.change_id, one.at, one.rule) for name, one in origins.items()})
