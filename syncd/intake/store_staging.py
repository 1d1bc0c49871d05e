"""The store as the intake's staging place."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.intake.staging import StageResult, StorageUnavailableError
from syncd.model.change import Change
from syncd.store import books
from syncd.store import changes as table
from syncd.store.database import Database, Tx
from syncd.store.errors import StoreError


class StoreStaging:
    """Stages groups of changes in one transaction each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stage(self, changes: Sequence[Change]) -> StageResult:
        try:
            return await self._database.write(lambda tx: _stage(tx, changes), urgent=True)
        except StoreError as error:
            # Full, locked, damaged: whatever it is, the sender is not to blame and must come again.
            raise StorageUnavailableError("storage") from error


def _stage(tx: Tx, changes: Sequence[Change]) -> StageResult:
    before = tx.execute("SELECT coalesce(max(id), 0) FROM changes").fetchone()[0]
    result = table.stage(tx, changes)
    books.count(tx, {"acknowledged": len(changes), "staged": result.staged, "duplicates": result.duplicates})
    if not result.duplicates:
        return StageResult(result.staged, 0)
    fresh = set(tx.execute("SELECT connection, dedupe_key FROM changes WHERE id > ?", (before,)))
    repeated = set()
    for position, change in enumerate(changes):
        key = (change.connection, change.dedupe_key)
        if key in fresh:
            # Only the first of several in one group was staged.
            fresh.discard(key)
        else:
            repeated.add(position)
    return StageResult(result.staged, result.duplicates, frozenset(repeated))
