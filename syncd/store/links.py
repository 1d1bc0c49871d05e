"""Links: where a record stands in each connection, and the shadow of what stands there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from syncd.model.record import Link
from syncd.store.database import Tx
from syncd.store.rows import chunks, from_json, marks, to_json

_COLUMNS = "connection, object, external_id, record_id, shadow, sent, version, modified_at, children, gone, erased"


def of_objects(tx: Tx, connection: str, object_: str, external_ids: Sequence[str]) -> dict[str, Link]:
    """Links by external id."""
    found: dict[str, Link] = {}
    for part in chunks(external_ids):
        sql = (
            f"SELECT {_COLUMNS} FROM links WHERE connection = ? AND object = ? AND external_id IN ({marks(len(part))})"
        )
        for row in tx.execute(sql, (connection, object_, *part)):
            found[row[2]] = _link(row)
    return found


def of_records(tx: Tx, record_ids: Sequence[str]) -> dict[str, dict[tuple[str, str], Link]]:
    """Links by record id, then by connection and object. A live link hides one that is gone."""
    found: dict[str, dict[tuple[str, str], Link]] = {}
    for part in chunks(record_ids):
        # One query for each of the two partial indexes.
        for gone in ("gone = 1", "gone = 0"):
            sql = f"SELECT {_COLUMNS} FROM links WHERE {gone} AND record_id IN ({marks(len(part))})"
            for row in tx.execute(sql, part):
                found.setdefault(row[3], {})[row[0], row[1]] = _link(row)
    return found


def save(tx: Tx, links: Iterable[Link]) -> None:
    """Insert or replace, by connection, object and external id."""
    tx.executemany(
        f"INSERT INTO links ({_COLUMNS}) VALUES ({marks(11)}) ON CONFLICT (connection, object, external_id) DO UPDATE "
        "SET record_id = excluded.record_id, shadow = excluded.shadow, sent = excluded.sent, "
        "version = excluded.version, modified_at = excluded.modified_at, children = excluded.children, "
        "gone = excluded.gone, erased = excluded.erased",
        [
            (one.connection, one.object, one.external_id, one.record_id, to_json(one.shadow), to_json(one.sent),
             one.version, one.modified_at, to_json(one.children), one.gone,
             one.erased)
            for one in links
        ],
    )  # fmt: skip


def _link(row: tuple[Any, ...]) -> Link:
    return Link(
        connection=row[0], object=row[1], external_id=row[2], record_id=row[3], shadow=from_json(row[4]),
        sent=from_json(row[5]), version=row[6], modified_at=row[7], children=from_json(row[8]), gone=bool(row[9]),
        erased=bool(row[10]),
    )  # fmt: skip
