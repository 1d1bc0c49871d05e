"""Jobs that a vendor goes through by itself: noted before anything of them can be applied, forgotten with their ends.

A delivery belongs to a job from the note until its own verdict is settled; a job is forgotten when no delivery belongs
to it any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.model.delivery import Delivery
from syncd.store import deliveries
from syncd.store.database import Tx
from syncd.store.rows import chunks, from_json, marks, to_json


@dataclass(frozen=True, slots=True)
class Noted:
    """A job that was noted before a restart."""

    number: int
    connection: str
    id: str
    object: str
    keys: tuple[str, ...]
    """Record ids, in the order in which they went into the job."""


def begin(tx: Tx, connection: str, id_: str, object_: str, keys: Sequence[str], now: int) -> None:
    """Note a job. What is being sent of these records belongs to it from now on, whatever it belonged to before."""
    tx.execute(
        "INSERT INTO jobs (connection, id, object, keys, begun_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (connection, id) DO UPDATE SET keys = excluded.keys",
        (connection, id_, object_, to_json(list(keys)), now),
    )
    (number,) = tx.execute("SELECT number FROM jobs WHERE connection = ? AND id = ?", (connection, id_)).fetchone()
    for part in chunks(keys):
        tx.execute(
            "UPDATE deliveries SET job = ? WHERE state = 'sending' AND connection = ? AND object = ? "
            f"AND record_id IN ({marks(len(part))})",
            (number, connection, object_, *part),
        )


def noted(tx: Tx) -> list[Noted]:
    """Every job that deliveries belong to, oldest first."""
    rows = tx.execute(
        "SELECT number, connection, id, object, keys FROM jobs WHERE EXISTS "
        "(SELECT 1 FROM deliveries WHERE job = number) ORDER BY number"
    )
    return [Noted(row[0], row[1], row[2], row[3], tuple(from_json(row[4]))) for row in rows]


def open_deliveries(tx: Tx, number: int, limit: int) -> list[Delivery]:
    """Deliveries of a job whose verdict is not settled yet."""
    rows = tx.execute("SELECT id FROM deliveries WHERE job = ? ORDER BY id LIMIT ?", (number, limit))
    return list(deliveries.get(tx, [row[0] for row in rows]).values())


def give_up(tx: Tx, number: int, reason: str) -> int:
    """Nobody can say what became of it: its deliveries are looked up one by one."""
    left = tx.execute(
        "UPDATE deliveries SET state = 'unknown', sending_at = NULL, due_at = 0, job = NULL, reason = ? WHERE job = ?",
        (reason, number),
    ).rowcount
    forget(tx)
    return left


def forget(tx: Tx) -> None:
    """Jobs whose verdicts are all settled. In the transaction that settles them."""
    tx.execute("DELETE FROM jobs WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE job = number)")
