"""Rows and tables: what an org holds of one kind of object, with the indexes that keep reads quick.

Beneath the rows of a table may lie a segment of rows that were always there.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from heapq import merge
from itertools import chain
from operator import attrgetter
from typing import Any

from syncd.sandbox.lazy import Base, Segment
from syncd.sandbox.salesforce.fields import Field, moment_ms, moment_text
from syncd.sandbox.salesforce.objects import SYSTEM_SLOTS, ObjectType

Getter = Callable[["Row"], Any]


class Row:
    """One record. Fields without a value are not in :attr:`values`."""

    __slots__ = ("created", "created_by", "deleted", "id", "modified", "modified_by", "stamp", "values")

    def __init__(self, id_: str, values: dict[str, Any], now: str, user: str) -> None:
        self.id = id_
        self.values = values
        self.created = self.modified = self.stamp = now
        self.created_by = self.modified_by = user
        self.deleted = False


class AlwaysThere(Row):
    """A row of a base: what it holds is worked out when it is looked at."""

    __slots__ = ("__weakref__", "_base", "_rank")

    def __init__(self, base: RowBase, rank: int, user: str, *, deleted: bool) -> None:
        self.id = base.id_at(rank)
        self._base, self._rank = base, rank
        self.created_by = self.modified_by = user
        self.deleted = deleted

    def __getattr__(self, name: str) -> Any:
        match name:
            case "values":
                self.values = self._base.values(self._rank)
            case "created":
                self.created = moment_text(self._base.born_ms(self._rank))
            case "modified" | "stamp":
                self.modified = self.stamp = moment_text(self._base.changed_ms(self._rank))
            case _:
                raise AttributeError(name)
        return getattr(self, name)


class RowBase(Base[str, AlwaysThere]):
    """Rows of one kind that were always there."""

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size, seed)
        self.recast: dict[str, Callable[[Any], Any]] = {}
        """By field that was defined anew: what became of a value; ``None`` when it is gone."""

    @abstractmethod
    def live(self) -> int:
        """How many of them are not deleted."""

    @abstractmethod
    def fill(self, rank: int) -> dict[str, Any]:
        """The values of a row."""

    def values(self, rank: int) -> dict[str, Any]:
        """The values, as the fields are defined now."""
        held = self.fill(rank)
        for name, read in self.recast.items():
            value = held.pop(name, None)
            if value is not None and (value := read(value)) is not None:
                held[name] = value
        return held


class Rows(MutableMapping[str, Row]):
    """Every row of a table by id, deleted ones too; in the order in which they were made."""

    def __init__(self) -> None:
        self.own: dict[str, Row] = {}
        """Those made or changed since."""
        self.segment: Segment[str, AlwaysThere] | None = None

    def __getitem__(self, id_: str) -> Row:
        held = self.get(id_)
        if held is None:
            raise KeyError(id_)
        return held

    def get(self, id_: str, default: Row | None = None) -> Row | None:  # type: ignore[override]
        held = self.own.get(id_)
        if held is None and self.segment is not None:
            held = self.segment.get(id_)
        return default if held is None else held

    def __setitem__(self, id_: str, row: Row) -> None:
        self.own[id_] = row

    def __delitem__(self, id_: str) -> None:
        self.own.pop(id_, None)
        if self.segment is not None:
            self.segment.drop(id_)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids())

    def __len__(self) -> int:
        return len(self.ids())

    def each(self) -> Iterator[Row]:
        """Those that are here now, unless they go before their turn comes."""
        segment = self.segment
        if segment is None:
            yield from list(self.own.values())
            return
        mine = [id_ for id_ in self.own if not segment.owns(id_)]
        for rank, untouched in segment.ranks():
            yield segment.row(rank) if untouched else self.own[segment.base.id_at(rank)]
        yield from (self.own[id_] for id_ in mine if id_ in self.own)

    def ids(self) -> Sequence[str]:
        """As they are now."""
        if self.segment is None:
            return list(self.own)
        owns = self.segment.owns
        return self.segment.ids([id_ for id_ in self.own if not owns(id_)])


class Index:
    """Values to the ids of the rows that hold them; most are held by one."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[Any, str | dict[str, None]] = {}

    def add(self, key: Any, id_: str) -> None:
        held = self._ids.get(key)
        if held is None:
            self._ids[key] = id_
        elif isinstance(held, dict):
            held[id_] = None
        else:
            self._ids[key] = {held: None, id_: None}

    def remove(self, key: Any, id_: str) -> None:
        held = self._ids.get(key)
        if isinstance(held, dict):
            held.pop(id_, None)
            if not held:
                del self._ids[key]
        elif held == id_:
            del self._ids[key]

    def find(self, key: Any) -> tuple[str, ...]:
        held = self._ids.get(key)
        if held is None:
            return ()
        return tuple(held) if isinstance(held, dict) else (held,)


class Table:
    """All rows of one kind."""

    def __init__(self, kind: ObjectType) -> None:
        self.kind = kind
        self.rows = Rows()
        self.by_stamp: dict[str, Row] = {}
        """Rows made or changed since the beginning, in the order of their SystemModstamp."""
        self._taken: dict[str, Row] = {}
        """Rows that were always there and are being changed, until that is committed."""
        self._base: RowBase | None = None
        self.gone: list[tuple[int, str]] = []
        """(milliseconds, id) of every deletion, for the deleted feed."""
        self._always_live = 0
        self.live = 0
        self._indexes: dict[str, Index] = {}
        self.reindex()

    def settle(self, base: RowBase) -> None:
        """Let the rows of a base have been here always; only while there are none."""
        self._base, self.rows.segment = base, Segment(base, same=True)
        self.live = self._always_live = base.live()

    def reindex(self) -> None:
        """After a change of the fields, or of the rows behind the table's back."""
        wanted = [one for one in self.kind.fields.values() if _is_indexed(one)]
        self._indexes = {one.name: Index() for one in wanted}
        self._indexed: list[tuple[Field, Index]] = [(one, self._indexes[one.name]) for one in wanted]
        self.live = self._always_live
        for row in self.rows.own.values():
            if not row.deleted:
                self.live += 1
                self._enter(row)

    def recast(self, name: str, read: Callable[[Any], Any]) -> None:
        """A field is defined anew or gone: turn what rows hold of it into what they hold now, ``None`` for nothing."""
        for row in self.rows.own.values():
            held = row.values.pop(name, None)
            if held is not None and (value := read(held)) is not None:
                row.values[name] = value
        if self._base is not None:
            before = self._base.recast.get(name)
            self._base.recast[name] = read if before is None else _then(before, read)
        self.reindex()

    def strip(self, name: str) -> dict[str, Any]:
        """A field is gone: what rows held of it, by id; they hold nothing of it any more."""
        held = {id_: row.values[name] for id_, row in self.rows.own.items() if name in row.values}
        self.recast(name, lambda _: None)
        return held

    def refill(self, name: str, held: Mapping[str, Any]) -> None:
        """The field is there again: rows hold of it what :meth:`strip` took."""
        for id_, value in held.items():
            if id_ in self.rows.own:
                self.rows.own[id_].values.setdefault(name, value)
        self.reindex()

    # -- reading

    def get(self, id_: str) -> Row | None:
        """Deleted ones too."""
        return self.rows.get(id_)

    def all(self, *, deleted: bool = False) -> Iterator[Row]:
        return self.rows.each() if deleted else (row for row in self.rows.each() if not row.deleted)

    def holders(self, field: Field, value: Any) -> tuple[str, ...]:
        """Ids of the live rows that hold a value in an indexed field."""
        own = self._indexes[field.name].find(field.key(value))
        if self.rows.segment is None or self._base is None or field.name in self._base.recast:
            return own
        return (*self.rows.segment.find(field.name, value), *own)

    def has_index(self, name: str) -> bool:
        return name in self._indexes

    def since(self, stamp: str) -> Iterator[Row]:
        """Rows, deleted ones too, whose SystemModstamp is not before ``stamp``; the oldest first."""
        found: list[Row] = []
        for row in reversed(self.by_stamp.values()):
            if row.stamp < stamp:
                break
            found.append(row)
        found.reverse()
        taken = sorted((row for row in self._taken.values() if row.stamp >= stamp), key=_stamped)
        return chain(merge(self._always_since(stamp), taken, key=_stamped), found)

    def _always_since(self, stamp: str) -> Iterator[Row]:
        segment = self.rows.segment
        if segment is None:
            return iter(())
        walk = segment.by_time(moment_ms(stamp) if stamp else None)
        return (segment.row(rank) for _, rank in walk)

    # -- changing

    def _take(self, row: Row) -> None:
        """Make a row that was always there the table's own: it is about to change."""
        if self.rows.segment is not None and self.rows.segment.change(row.id):
            self.rows.own[row.id] = self._taken[row.id] = row
            if not row.deleted:
                self._always_live -= 1
                self._enter(row)

    def _enter(self, row: Row) -> None:
        values = row.values
        for field, index in self._indexed:
            value = values.get(field.name)
            if value is not None:
                index.add(field.key(value), row.id)

    def _leave(self, row: Row) -> None:
        values = row.values
        for field, index in self._indexed:
            value = values.get(field.name)
            if value is not None:
                index.remove(field.key(value), row.id)

    def add(self, row: Row) -> None:
        self.rows[row.id] = row
        self.live += 1
        self._enter(row)

    def drop(self, row: Row) -> None:
        """As if it had never been, or was deleted for good."""
        self._take(row)
        if self.rows.pop(row.id, None) is not None and not row.deleted:
            self.live -= 1
            self._leave(row)
        self.by_stamp.pop(row.id, None)

    def set(self, row: Row, changes: dict[str, Any]) -> None:
        """Values to hold; ``None`` clears."""
        self._take(row)
        values = row.values
        for name, value in changes.items():
            old = values.get(name)
            index = self._indexes.get(name)
            if index is not None and not row.deleted:
                field = self.kind.fields[name]
                if old is not None:
                    index.remove(field.key(old), row.id)
                if value is not None:
                    index.add(field.key(value), row.id)
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value

    def mark(self, row: Row, *, deleted: bool) -> None:
        if row.deleted == deleted:
            return
        self._take(row)
        if deleted:
            self._leave(row)
        row.deleted = deleted
        self.live += -1 if deleted else 1
        if not deleted:
            self._enter(row)

    def touch(self, row: Row) -> None:
        """Its SystemModstamp is now the newest."""
        self._taken.pop(row.id, None)
        self.by_stamp.pop(row.id, None)
        self.by_stamp[row.id] = row


_stamped = attrgetter("stamp")


def _then(first: Callable[[Any], Any], second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if (between := first(value)) is None else second(between)


def _is_indexed(one: Field) -> bool:
    if one.name in SYSTEM_SLOTS:
        return False
    return one.indexed or (one.type == "reference" and not one.calculated and one.name != "OwnerId")


def getter(org: Any, field: Field) -> Getter:
    """The function that reads a field from a row of its kind."""
    slot = SYSTEM_SLOTS.get(field.name)
    if slot is not None:
        return attrgetter(slot)
    if field.compute is not None:
        compute = field.compute
        return lambda row: compute(org, row)
    name, missing = field.name, False if field.type == "boolean" else None
    return lambda row: row.values.get(name, missing)


def whole(org: Any, kind: ObjectType, row: Row, names: Iterable[str] | None = None) -> dict[str, Any]:
    """A row as a JSON object of all its fields, or of some."""
    fields = kind.fields.values() if names is None else [kind.fields[name] for name in names]
    return {one.name: getter(org, one)(row) for one in fields}
