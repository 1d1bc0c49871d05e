"""Rows and tables: what an org holds of one kind of object, with the indexes that keep reads quick."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

from syncd.sandbox.salesforce.fields import Field
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
        self.rows: dict[str, Row] = {}
        self.by_stamp: dict[str, Row] = {}
        """The same rows in the order of their SystemModstamp."""
        self.gone: list[tuple[int, str]] = []
        """(milliseconds, id) of every deletion, for the deleted feed."""
        self.live = 0
        self._indexes: dict[str, Index] = {}
        self.reindex()

    def reindex(self) -> None:
        """After a change of the fields, or of the rows behind the table's back."""
        wanted = [one for one in self.kind.fields.values() if _is_indexed(one)]
        self._indexes = {one.name: Index() for one in wanted}
        self._indexed: list[tuple[Field, Index]] = [(one, self._indexes[one.name]) for one in wanted]
        self.live = 0
        for row in self.rows.values():
            if not row.deleted:
                self.live += 1
                self._enter(row)

    # -- reading

    def get(self, id_: str) -> Row | None:
        """Deleted ones too."""
        return self.rows.get(id_)

    def all(self, *, deleted: bool = False) -> Iterator[Row]:
        return iter(self.rows.values()) if deleted else (row for row in self.rows.values() if not row.deleted)

    def holders(self, field: Field, value: Any) -> tuple[str, ...]:
        """Ids of the live rows that hold a value in an indexed field."""
        return self._indexes[field.name].find(field.key(value))

    def has_index(self, name: str) -> bool:
        return name in self._indexes

    def since(self, stamp: str) -> list[Row]:
        """Rows, deleted ones too, whose SystemModstamp is not before ``stamp``; the oldest first."""
        found: list[Row] = []
        for row in reversed(self.by_stamp.values()):
            if row.stamp < stamp:
                break
            found.append(row)
        found.reverse()
        return found

    # -- changing

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
        if self.rows.pop(row.id, None) is not None and not row.deleted:
            self.live -= 1
            self._leave(row)
        self.by_stamp.pop(row.id, None)

    def set(self, row: Row, changes: dict[str, Any]) -> None:
        """Values to hold; ``None`` clears."""
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
        if deleted:
            self._leave(row)
        row.deleted = deleted
        self.live += -1 if deleted else 1
        if not deleted:
            self._enter(row)

    def touch(self, row: Row) -> None:
        """Its SystemModstamp is now the newest."""
        self.by_stamp.pop(row.id, None)
        self.by_stamp[row.id] = row


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
