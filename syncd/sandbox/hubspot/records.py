"""The records of one account and the indexes over them."""

from __future__ import annotations

import bisect
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.values import iso

_FIRST_ID = 151_000_000_000
"""Ids of real accounts are beyond 32 bits; so are these."""
_HISTORY = 20
"""Revisions kept per property."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who wrote: an app through the API, or a person."""

    type: str
    """``INTEGRATION``, ``CRM_UI``, ``MERGE_OBJECTS``, ``CALCULATED``."""
    id: str
    """The app's id, or ``userId:<n>``."""
    actor: str
    """For the ledger."""

    @property
    def app(self) -> bool:
        return self.type == "INTEGRATION"


class Revision(NamedTuple):
    value: str
    at_ms: int
    source: Source

    def json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "value": self.value,
            "timestamp": iso(self.at_ms),
            "sourceType": self.source.type,
            "sourceId": self.source.id,
        }
        if self.source.id.startswith("userId:"):
            out["updatedByUserId"] = int(self.source.id.removeprefix("userId:"))
        return out


@dataclass(slots=True)
class Record:
    kind: Kind
    id: str
    created_ms: int
    updated_ms: int
    values: Mapping[str, str]
    """Never changed in place: the search index keeps older ones."""
    archived_ms: int = 0
    history: dict[str, list[Revision]] = field(default_factory=dict)
    """Newest last."""

    def note(self, name: str, value: str, at_ms: int, source: Source) -> None:
        revisions = self.history.get(name)
        if revisions is None:
            self.history[name] = [Revision(value, at_ms, source)]
            return
        revisions.append(Revision(value, at_ms, source))
        if len(revisions) > _HISTORY:
            del revisions[0]


@dataclass(slots=True)
class _Shelf:
    rows: dict[str, Record] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    unique: dict[str, dict[str, str]] = field(default_factory=dict)
    """Property -> value -> id, of records that are not archived."""
    moved: dict[str, str] = field(default_factory=dict)
    """Merged away: old id -> surviving id."""


class Records:
    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._last = _FIRST_ID
        self._shelves: defaultdict[str, _Shelf] = defaultdict(_Shelf)
        self.blocked_emails: set[str] = set()
        """Of contacts deleted for privacy; never to be created again."""

    def new_id(self) -> str:
        """Rising, with gaps, unique over all types."""
        self._last += self._dice.randrange(1, 40)
        return str(self._last)

    def add(self, record: Record) -> None:
        shelf = self._shelves[record.kind.name]
        shelf.rows[record.id] = record
        shelf.order.append(int(record.id))  # ids rise

    def drop(self, record: Record) -> None:
        """Remove for good (privacy deletion, merge)."""
        shelf = self._shelves[record.kind.name]
        del shelf.rows[record.id]
        del shelf.order[bisect.bisect_left(shelf.order, int(record.id))]

    def get(self, kind: Kind, id_: str, *, archived: bool = False) -> Record | None:
        """A record by id; ids merged away lead to the survivor."""
        shelf = self._shelves[kind.name]
        while id_ in shelf.moved:
            id_ = shelf.moved[id_]
        found = shelf.rows.get(id_)
        return found if found is not None and bool(found.archived_ms) == archived else None

    def known(self, kind: Kind, id_: str) -> bool:
        """There is or was such a record."""
        shelf = self._shelves[kind.name]
        return id_ in shelf.rows or id_ in shelf.moved

    def moved(self, kind: Kind, old_id: str, new_id: str) -> None:
        self._shelves[kind.name].moved[old_id] = new_id

    def all(self, kind: Kind) -> Iterator[Record]:
        return iter(self._shelves[kind.name].rows.values())

    def page(self, kind: Kind, after: int, limit: int, *, archived: bool) -> tuple[list[Record], bool]:
        """Records with ids above ``after`` in order of id, and whether there are more."""
        shelf = self._shelves[kind.name]
        found: list[Record] = []
        for place in range(bisect.bisect_right(shelf.order, after), len(shelf.order)):
            record = shelf.rows[str(shelf.order[place])]
            if bool(record.archived_ms) == archived:
                if len(found) == limit:
                    return found, True
                found.append(record)
        return found, False

    # -- unique values

    def holder(self, kind: Kind, name: str, value: str) -> str | None:
        return self._shelves[kind.name].unique.get(name, {}).get(value)

    def claim(self, record: Record, name: str, value: str, before: str) -> None:
        """Move a record's unique value from ``before`` to ``value``; empty means none."""
        index = self._shelves[record.kind.name].unique.setdefault(name, {})
        if before and index.get(before) == record.id:
            del index[before]
        if value:
            index[value] = record.id

    def release(self, record: Record, names: list[str]) -> None:
        for name in names:
            self.claim(record, name, "", record.values.get(name, ""))

    def reindex(self, kind: Kind, name: str) -> None:
        """After a property with unique values came back."""
        index = self._shelves[kind.name].unique.setdefault(name, {})
        for record in self.all(kind):
            if not record.archived_ms and record.values.get(name):
                index[record.values[name]] = record.id
