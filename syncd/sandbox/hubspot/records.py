"""The records of one account and the indexes over them. Beneath them may lie records that were always there."""

from __future__ import annotations

import bisect
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.values import iso
from syncd.sandbox.lazy import Base, Segment

FIRST_ID = 151_000_000_000
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


class AlwaysThere(Record):
    """A record of a base: what it holds is worked out when it is looked at, and the first change to it makes it the
    account's own."""

    __slots__ = ("__weakref__", "_fill", "_take")

    def __init__(self, kind: Kind, id_: str, at_ms: tuple[int, int, int], fill: Callable[[], dict[str, str]]) -> None:
        """``at_ms``: when it was made, changed and archived (0 for never). ``fill`` gives the values."""
        put = super().__setattr__
        for name, value in zip(("created_ms", "updated_ms", "archived_ms"), at_ms, strict=True):
            put(name, value)
        put("kind", kind)
        put("id", id_)
        put("_fill", fill)
        put("_take", lambda _: None)

    def belong(self, take: Callable[[Record], None]) -> None:
        """Whom to tell before it is changed."""
        super().__setattr__("_take", take)

    def __getattr__(self, name: str) -> Any:
        if name not in {"values", "history"}:
            raise AttributeError(name)
        held: Mapping[str, str] = self._fill()
        first = {one: [Revision(value, self.created_ms, _BEGINNING)] for one, value in held.items()}
        super().__setattr__("values", held)
        super().__setattr__("history", first)
        return held if name == "values" else first

    def __setattr__(self, name: str, value: Any) -> None:
        self._take(self)
        super().__setattr__(name, value)


_BEGINNING = Source("IMPORT", "0", "import")


class RecordBase(Base[str, AlwaysThere]):
    """Records of one kind that were always there."""

    def survivor(self, id_: str) -> str:
        """Where the id of a record leads that was merged away; empty for any other id."""
        raise NotImplementedError


UNIQUE_ALWAYS = ("hs_object_id", "email")
"""Unique properties that records of a base have."""


@dataclass(slots=True)
class _Shelf:
    rows: dict[str, Record] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    unique: dict[str, dict[str, str]] = field(default_factory=dict)
    """Property -> value -> id, of records that are not archived."""
    moved: dict[str, str] = field(default_factory=dict)
    """Merged away: old id -> surviving id."""
    segment: Segment[str, AlwaysThere] | None = None
    base: RecordBase | None = None

    def find(self, id_: str) -> Record | None:
        return self.rows.get(id_) or (self.segment.get(id_) if self.segment is not None else None)

    def owner(self, id_: str) -> str:
        """The id itself, or that of the record it was merged into."""
        if self.base is not None:
            id_ = self.base.survivor(id_) or id_
        while id_ in self.moved:
            id_ = self.moved[id_]
        return id_

    def always(self) -> Sequence[str]:
        """Ids of the base that are not gone, ascending."""
        return self.segment.ids() if self.segment is not None else ()


class Records:
    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._last = FIRST_ID
        self._shelves: defaultdict[str, _Shelf] = defaultdict(_Shelf)
        self.blocked_emails: set[str] = set()
        """Of contacts deleted for privacy; never to be created again."""

    def new_id(self) -> str:
        """Rising, with gaps, unique over all types."""
        self._last += self._dice.randrange(1, 40)
        return str(self._last)

    def settle(self, kind: Kind, base: RecordBase) -> None:
        """Let the records of a base have been here always; only while there are none of the kind."""
        shelf = self._shelves[kind.name]
        shelf.base, shelf.segment = base, Segment(base, same=True)
        if base.size:
            self._last = max(self._last, int(base.id_at(base.size - 1)) + 1)

    def _take(self, record: Record) -> None:
        """A record that was always there is about to change."""
        shelf = self._shelves[record.kind.name]
        if shelf.segment is not None and shelf.segment.change(record.id):
            shelf.rows[record.id] = record
            for name in UNIQUE_ALWAYS:
                value = record.values.get(name)
                if value and not record.archived_ms:
                    shelf.unique.setdefault(name, {})[value] = record.id

    def add(self, record: Record) -> None:
        shelf = self._shelves[record.kind.name]
        shelf.rows[record.id] = record
        shelf.order.append(int(record.id))  # ids rise

    def drop(self, record: Record) -> None:
        """Remove for good (privacy deletion, merge)."""
        shelf = self._shelves[record.kind.name]
        shelf.rows.pop(record.id, None)
        if shelf.segment is not None and shelf.segment.owns(record.id):
            shelf.segment.drop(record.id)
        else:
            del shelf.order[bisect.bisect_left(shelf.order, int(record.id))]

    def get(self, kind: Kind, id_: str, *, archived: bool = False) -> Record | None:
        """A record by id; ids merged away lead to the survivor."""
        shelf = self._shelves[kind.name]
        found = self._seen(shelf.find(shelf.owner(id_)))
        return found if found is not None and bool(found.archived_ms) == archived else None

    def _seen(self, record: Record | None) -> Record | None:
        if isinstance(record, AlwaysThere):
            record.belong(self._take)
        return record

    def known(self, kind: Kind, id_: str) -> bool:
        """There is or was such a record."""
        shelf = self._shelves[kind.name]
        return shelf.find(id_) is not None or shelf.owner(id_) != id_

    def moved(self, kind: Kind, old_id: str, new_id: str) -> None:
        self._shelves[kind.name].moved[old_id] = new_id

    def all(self, kind: Kind) -> Iterator[Record]:
        shelf = self._shelves[kind.name]
        yield from (record for id_ in shelf.always() if (record := self._seen(shelf.find(id_))) is not None)
        yield from (shelf.rows[str(number)] for number in shelf.order)

    def count(self, kind: Kind) -> int:
        shelf = self._shelves[kind.name]
        return len(shelf.always()) + len(shelf.order)

    def page(self, kind: Kind, after: int, limit: int, *, archived: bool) -> tuple[list[Record], bool]:
        """Records with ids above ``after`` in order of id, and whether there are more."""
        shelf = self._shelves[kind.name]
        found: list[Record] = []
        for record in self._from(shelf, after):
            if bool(record.archived_ms) == archived:
                if len(found) == limit:
                    return found, True
                found.append(record)
        return found, False

    def _from(self, shelf: _Shelf, after: int) -> Iterator[Record]:
        always = shelf.always()
        for place in range(bisect.bisect_right(always, after, key=int), len(always)):
            record = self._seen(shelf.find(always[place]))
            if record is not None:
                yield record
        for place in range(bisect.bisect_right(shelf.order, after), len(shelf.order)):
            yield shelf.rows[str(shelf.order[place])]

    # -- unique values

    def holder(self, kind: Kind, name: str, value: str) -> str | None:
        shelf = self._shelves[kind.name]
        held = shelf.unique.get(name, {}).get(value)
        return held if held is not None or shelf.segment is None else next(shelf.segment.find(name, value), None)

    def claim(self, record: Record, name: str, value: str, before: str) -> None:
        """Move a record's unique value from ``before`` to ``value``; empty means none."""
        self._take(record)
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
        for record in self._shelves[kind.name].rows.values():
            if not record.archived_ms and record.values.get(name):
                index[record.values[name]] = record.id
