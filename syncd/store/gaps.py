"""Gaps: spans of which a stream could not tell every change, from their statement until they have been read again."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.store.database import Tx

PUSHED = ("webhook", "stream", "event")
"""Channels by which a vendor speaks without having been asked."""
LOOKED_AT = 20_000
"""The newest changes that are looked through for a word of a vendor."""


@dataclass(frozen=True, slots=True)
class OpenGap:
    connection: str
    object: str
    from_at: int
    """Milliseconds since the epoch; 0: from the beginning."""
    until_at: int
    reason: str
    stated_at: int


def state(tx: Tx, connection: str, object_: str, from_at: int, until_at: int, reason: str, now: int) -> bool:
    """A gap was found; whether that is news. One that is open already takes the new span in."""
    before = tx.execute(
        "SELECT from_at, until_at, reason FROM gaps WHERE connection = ? AND object = ?", (connection, object_)
    ).fetchone()
    tx.execute(
        "INSERT INTO gaps (connection, object, from_at, until_at, reason, stated_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (connection, object) DO UPDATE SET from_at = min(from_at, excluded.from_at), "
        "until_at = max(until_at, excluded.until_at), reason = excluded.reason",
        (connection, object_, from_at, until_at, reason, now),
    )
    return bool(before != (from_at, until_at, reason))


def mended(tx: Tx, connection: str, object_: str) -> bool:
    """It has been read again, whole; whether one was open."""
    return tx.execute("DELETE FROM gaps WHERE connection = ? AND object = ?", (connection, object_)).rowcount > 0


def open_gaps(tx: Tx) -> list[OpenGap]:
    rows = tx.execute("SELECT connection, object, from_at, until_at, reason, stated_at FROM gaps ORDER BY 1, 2")
    return [OpenGap(*row) for row in rows]


def unheard(tx: Tx, connection: str, object_: str) -> tuple[int, int]:
    """How many changes of an object polls found since its vendor last spoke of it, and since when, among the newest."""
    (newest,) = tx.execute("SELECT coalesce(max(id), 0) FROM changes").fetchone()
    here = "id > ? AND connection = ? AND object = ?"
    place = (newest - LOOKED_AT, connection, object_)
    (spoken,) = tx.execute(
        f"SELECT coalesce(max(id), 0) FROM changes WHERE {here} AND channel IN (?, ?, ?)", (*place, *PUSHED)
    ).fetchone()
    found, since = tx.execute(
        f"SELECT count(*), coalesce(min(received_at), 0) FROM changes WHERE {here} AND channel = 'poll' AND id > ?",
        (*place, spoken),
    ).fetchone()
    return int(found), int(since)
