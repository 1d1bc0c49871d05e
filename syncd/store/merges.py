"""Merges that an operator approved, and moving what one record has to another."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.store.database import Tx


@dataclass(frozen=True, slots=True)
class Merging:
    command_id: str
    survivor: str
    """The id of the record that stays."""
    absorbed: str
    """The id of the record that goes into it; or a vendor's object without one, as ``connection.object:id``."""
    who: str
    why: str
    state: str
    reason: str
    asked_at: int


_COLUMNS = "command_id, survivor, absorbed, who, why, state, reason, asked_at"


def ask(tx: Tx, command_id: str, survivor: str, absorbed: str, who: str, why: str, now: int) -> None:
    tx.execute(
        f"INSERT INTO merges ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 'open', '', ?)",
        (command_id, survivor, absorbed, who, why, now),
    )


def get(tx: Tx, command_id: str) -> Merging | None:
    row = tx.execute(f"SELECT {_COLUMNS} FROM merges WHERE command_id = ?", (command_id,)).fetchone()
    return None if row is None else Merging(*row)


def first_open(tx: Tx) -> Merging | None:
    row = tx.execute(f"SELECT {_COLUMNS} FROM merges WHERE state = 'open' ORDER BY asked_at LIMIT 1").fetchone()
    return None if row is None else Merging(*row)


def end(tx: Tx, command_id: str, state: str, reason: str, now: int) -> None:
    tx.execute(
        "UPDATE merges SET state = ?, reason = ?, ended_at = ? WHERE command_id = ? AND state = 'open'",
        (state, reason, now, command_id),
    )


def sending(tx: Tx, record_id: str) -> bool:
    """Whether a call about the record is on its way."""
    sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE record_id = ? AND state = 'sending')"
    return bool(tx.execute(sql, (record_id,)).fetchone()[0])


def rehome(tx: Tx, absorbed: str, survivor: str) -> None:
    """Links, history and attempts of a record become another's; what it still wanted to send is dropped."""
    tx.execute("DELETE FROM in_flight WHERE record_id = ?", (absorbed,))
    tx.execute("DELETE FROM deliveries WHERE record_id = ?", (absorbed,))
    tx.execute("DELETE FROM timers WHERE record_id = ?", (absorbed,))
    for table in ("links", "history", "attempts"):
        tx.execute(f"UPDATE {table} SET record_id = ? WHERE record_id = ?", (survivor, absorbed))


def remove(tx: Tx, record_id: str, survivor: str, now: int) -> None:
    """The record itself, with the values it was found by; its open dead letters are closed."""
    tx.execute(
        "UPDATE dead_letters SET state = 'resolved', closed_at = ?, closed_by = 'syncd', closed_why = ? "
        "WHERE state = 'open' AND record_id = ?",
        (now, f"merged into {survivor}", record_id),
    )
    tx.execute("DELETE FROM identities WHERE record_id = ?", (record_id,))
    tx.execute("DELETE FROM records WHERE id = ?", (record_id,))
