"""Writes whose outcome is not known yet: what was sent, so that its echo is known for ours.

Kept from the claim of a delivery until a write of it was applied; a crash, a lost answer and a refusal in doubt all
leave it standing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from syncd.model.value import Value
from syncd.store.database import Tx
from syncd.store.rows import chunks, from_json, marks, to_json

REMEMBERED: Final = 4
"""Writes of one delivery; an older one has long been read back."""

Flight = Mapping[str, Value]
"""Canonical values by field."""
Place = tuple[str, str, str]
"""Record id, connection, object."""


def depart(tx: Tx, sent: Iterable[tuple[int, Place, Flight]]) -> None:
    """A call with these fields is about to leave, by delivery."""
    rows = list(sent)
    before: dict[int, list[Flight]] = {}
    for part in chunks([row[0] for row in rows]):
        sql = f"SELECT delivery_id, fields FROM in_flight WHERE delivery_id IN ({marks(len(part))})"
        before |= {number: from_json(text) for number, text in tx.execute(sql, part)}
    tx.executemany(
        "INSERT OR REPLACE INTO in_flight (delivery_id, record_id, connection, object, fields) VALUES (?, ?, ?, ?, ?)",
        [
            (number, *place, to_json([*before.get(number, ()), fields][-REMEMBERED:]))
            for number, place, fields in rows
        ],
    )  # fmt: skip


def arrived(tx: Tx, delivery_ids: Iterable[int]) -> None:
    """The vendor holds what was sent last, or surely nothing of it."""
    tx.executemany("DELETE FROM in_flight WHERE delivery_id = ?", [(one,) for one in delivery_ids])


def of_records(tx: Tx, record_ids: Sequence[str]) -> dict[Place, list[Flight]]:
    """What is on its way, oldest first."""
    found: dict[Place, list[Flight]] = {}
    for part in chunks(record_ids):
        sql = f"SELECT record_id, connection, object, fields FROM in_flight WHERE record_id IN ({marks(len(part))})"
        for row in tx.execute(sql, part):
            found.setdefault((row[0], row[1], row[2]), []).extend(from_json(row[3]))
    return found
