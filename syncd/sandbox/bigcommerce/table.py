"""Rows of one kind, as bytes of JSON behind indexes: half a million customers stay small, and no stored row can be
changed in passing. Beneath them may lie a segment of rows that were always there."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from syncd.sandbox.lazy import Base, Segment

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
        """Of those made since; what became of the segment's own keeps its place there."""
        self._segment: Segment[int, Row] | None = None
        self._moment: Callable[[str], int] = int
        self.stamp = stamp
        """The member that tells when a row last changed; empty: none does."""
        self._stamps: dict[int, str] = {}
        self._in_order = True
        self._newest = ""
        self._unique: dict[str, dict[str, int]] = {path: {} for path in unique}
        self._grouped: dict[str, dict[Any, dict[int, None]]] = {path: {} for path in grouped}
        self._last = 0

    def settle(self, base: Base[int, Row], moment: Callable[[str], int]) -> None:
        """Let the rows of a base have been here always; only while there are none. ``moment``: a stamp in ms."""
        self._segment, self._moment = Segment(base), moment
        self._last = base.id_at(base.size - 1) if base.size else 0

    def __len__(self) -> int:
        return len(self._ids) + (len(self._segment) if self._segment else 0)

    def __contains__(self, number: int) -> bool:
        return number in self._raw or (self._segment is not None and self._segment.rank(number) is not None)

    def new_id(self) -> int:
        self._last += 1
        return self._last

    def ids(self) -> Sequence[int]:
        """Ascending. Not to be changed."""
        return self._ids if self._segment is None else self._segment.ids(self._ids)

    def get(self, number: int) -> Row | None:
        """A copy the caller may change."""
        raw = self._raw.get(number)
        if raw is not None:
            row: Row = orjson.loads(raw)
            return row
        return self._segment.get(number) if self._segment is not None else None

    def rows(self) -> Iterator[Row]:
        return (row for number in list(self.ids()) if (row := self.get(number)) is not None)

    def holder(self, path: str, value: str) -> int | None:
        held = self._unique[path].get(value.casefold())
        return held if held is not None or self._segment is None else next(self._segment.find(path, value), None)

    def of_group(self, path: str, value: Any) -> list[int]:
        """Ids of those that have the value, ascending."""
        found = sorted(self._grouped[path].get(value, ()))
        return found if self._segment is None else sorted([*found, *self._segment.find(path, value)])

    def by_stamp(self, least: str = "") -> list[int]:
        """Ids by time of change and by id, oldest first, of rows with a stamp not before ``least`` if there is one."""
        own = sorted((number for number, stamp in self._stamps.items() if stamp >= least),
                     key=lambda number: (self._stamps[number], number))  # fmt: skip
        if self._segment is None:
            return own
        walk = self._segment.by_time(self._moment(least) if least else None)
        return [*(self._segment.base.id_at(rank) for _, rank in walk), *own]

    def in_time_order(self, ids: Sequence[int]) -> list[int]:
        """These ids by time of change and by id, oldest first."""
        found = self.by_stamp()
        kept = set(ids) if len(ids) < len(found) else None
        return found if kept is None else [one for one in found if one in kept]

    def changed_since(self, stamp: str) -> list[int]:
        """Ids of rows with a stamp not before this one, ascending."""
        self._arrange()
        found = []
        for number in reversed(self._stamps):
            if self._stamps[number] < stamp:
                break
            found.append(number)
        if self._segment is not None:
            found += [self._segment.base.id_at(rank) for _, rank in self._segment.by_time(self._moment(stamp))]
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
        elif self._segment is not None and self._segment.change(number):
            pass  # it keeps its place
        elif not self._ids or number > self._ids[-1]:
            self._ids.append(number)
        else:
            insort(self._ids, number)
        self._last = max(self._last, number)
        # A copy, because the encoder's own bytes keep the spare room of its buffer for as long as they live.
        self._raw[number] = bytes(memoryview(orjson.dumps(row)))
        self._put_stamp(number, str(row.get(self.stamp) or ""))
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
        raw = self._raw.pop(number, None)
        if raw is not None:
            self._unindex(orjson.loads(raw))
            del self._stamps[number]
        if self._segment is not None and self._segment.owns(number):
            self._segment.drop(number)
        else:
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
