"""Rows of one kind, as bytes of JSON behind indexes: half a million customers stay small, and no stored row can be
changed in passing."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

Row = dict[str, Any]


def at_path(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


class Table:
    """``unique`` members have one holder each, whatever the case; ``grouped`` ones are indexed by value.

    Rows have an integer ``id`` and, where ``stamp`` names it, the member that tells when they last changed.
    """

    def __init__(self, unique: Iterable[str] = (), grouped: Iterable[str] = (), stamp: str = "date_modified") -> None:
        self._raw: dict[int, bytes] = {}
        self._ids: list[int] = []
        self._stamp = stamp
        self._stamps: dict[int, str] = {}
        self._in_order = True
        self._newest = ""
        self._unique: dict[str, dict[str, int]] = {path: {} for path in unique}
        self._grouped: dict[str, dict[Any, dict[int, None]]] = {path: {} for path in grouped}
        self._last = 0

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, number: int) -> bool:
        return number in self._raw

    def new_id(self) -> int:
        self._last += 1
        return self._last

    def ids(self) -> list[int]:
        """Ascending. Not to be changed."""
        return self._ids

    def ids_after(self, number: int) -> list[int]:
        return self._ids[bisect_right(self._ids, number) :]

    def get(self, number: int) -> Row | None:
        """A copy the caller may change."""
        raw = self._raw.get(number)
        return None if raw is None else orjson.loads(raw)

    def rows(self) -> Iterator[Row]:
        return (orjson.loads(self._raw[number]) for number in list(self._ids))

    def stamp_of(self, number: int) -> str:
        return self._stamps.get(number, "")

    def holder(self, path: str, value: str) -> int | None:
        return self._unique[path].get(value.casefold())

    def of_group(self, path: str, value: Any) -> list[int]:
        """Ids of those that have the value, ascending."""
        return sorted(self._grouped[path].get(value, ()))

    def by_stamp(self) -> list[int]:
        """Ids by time of change, oldest first."""
        self._arrange()
        return list(self._stamps)

    def changed_since(self, stamp: str) -> list[int]:
        """Ids of rows with a stamp not before this one, ascending."""
        self._arrange()
        found = []
        for number in reversed(self._stamps):
            if self._stamps[number] < stamp:
                break
            found.append(number)
        return sorted(found)

    def _arrange(self) -> None:
        if not self._in_order:
            self._stamps = dict(sorted(self._stamps.items(), key=lambda one: one[1]))
            self._in_order = True

    def put(self, row: Row) -> None:
        """Store a new row or the new state of one. Uniqueness was checked before."""
        number = row["id"]
        old = self._raw.get(number)
        if old is not None:
            self._unindex(orjson.loads(old))
        elif not self._ids or number > self._ids[-1]:
            self._ids.append(number)
        else:
            insort(self._ids, number)
        self._last = max(self._last, number)
        # A copy, because the encoder's own bytes keep the spare room of its buffer for as long as they live.
        self._raw[number] = bytes(memoryview(orjson.dumps(row)))
        self._put_stamp(number, str(row.get(self._stamp) or ""))
        for path, keys in self._unique.items():
            if isinstance(value := at_path(row, path), str):
                keys[value.casefold()] = number
        for path, groups in self._grouped.items():
            groups.setdefault(at_path(row, path), {})[number] = None

    def _put_stamp(self, number: int, stamp: str) -> None:
        self._stamps.pop(number, None)
        self._in_order = self._in_order and stamp >= self._newest
        self._newest = max(self._newest, stamp)
        self._stamps[number] = stamp

    def drop(self, number: int) -> None:
        row = orjson.loads(self._raw.pop(number))
        self._unindex(row)
        del self._stamps[number]
        del self._ids[bisect_right(self._ids, number) - 1]

    def _unindex(self, row: Row) -> None:
        for path, keys in self._unique.items():
            if isinstance(value := at_path(row, path), str):
                keys.pop(value.casefold(), None)
        for path, groups in self._grouped.items():
            members = groups[at_path(row, path)]
            members.pop(row["id"], None)
            if not members:
                del groups[at_path(row, path)]
