"""All resources of one kind, as bytes of JSON behind indexes.

Bytes and not dictionaries: half a million customers stay small, nobody can change a stored one in passing, and a page
is joined without being encoded again. Beneath them may lie a segment of resources that were always there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from heapq import merge
from itertools import chain
from typing import Any

import orjson

from syncd.sandbox.commercetools.index import SortedKeys
from syncd.sandbox.lazy import Base, Segment

Row = dict[str, Any]


def at_path(row: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path, None where there is nothing."""
    value: Any = row
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def instant_of(ms: int) -> str:
    """Milliseconds since the epoch as the platform writes instants."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


class Collection:
    """``unique`` fields have at most one holder, ``folded`` ones regardless of case; ``grouped`` ones are indexed."""

    def __init__(self, unique: Iterable[str] = (), grouped: Iterable[str] = (), folded: Iterable[str] = ()) -> None:
        self._raw: dict[str, bytes] = {}
        self._versions: dict[str, int] = {}
        self._stamps: dict[str, str] = {}
        self._folded = frozenset(folded)
        self._unique: dict[str, dict[str, str]] = {path: {} for path in unique}
        self._grouped: dict[str, dict[str, set[str]]] = {path: {} for path in grouped}
        self._by_id: SortedKeys[str] = SortedKeys()
        """Of those made since; what became of the segment's own keeps its place there."""
        self._by_modified: SortedKeys[tuple[str, str]] = SortedKeys()
        self._segment: Segment[str, Row] | None = None

    def settle(self, base: Base[str, Row]) -> None:
        """Let the rows of a base have been here always. Only while there are none."""
        self._segment = Segment(base)

    def __len__(self) -> int:
        return len(self._by_id) + (len(self._segment) if self._segment else 0)

    def __contains__(self, id: str) -> bool:  # noqa: A002
        return id in self._raw or (self._segment is not None and self._segment.rank(id) is not None)

    def ids(self) -> Iterator[str]:
        """In the order of creation."""
        if self._segment is None:
            return iter(self._raw)
        owns = self._segment.owns
        return chain(self._segment.ids(), (id_ for id_ in self._raw if not owns(id_)))

    def walk_ids(self, start: str | None = None, *, backwards: bool = False) -> Iterator[str]:
        """In the order of ids, from one on, included."""
        own = self._by_id.walk(start, backwards=backwards)
        if self._segment is None:
            return own
        return merge(_walk(self._segment.ids(), start, backwards=backwards), own, reverse=backwards)

    def walk_modified(
        self, start: tuple[str, str] | None = None, *, backwards: bool = False
    ) -> Iterator[tuple[str, str]]:
        """(lastModifiedAt, id) in that order, from one on, included."""
        own = self._by_modified.walk(start, backwards=backwards)
        if self._segment is None:
            return own
        return merge(self._always_modified(start, backwards=backwards), own, reverse=backwards)

    def _always_modified(self, start: tuple[str, str] | None, *, backwards: bool) -> Iterator[tuple[str, str]]:
        assert self._segment is not None
        moment = None if start is None else int(datetime.fromisoformat(start[0]).timestamp() * 1000)
        for ms, rank in self._segment.by_time(moment, backwards=backwards):
            key = (instant_of(ms), self._segment.base.id_at(rank))
            if start is None or (key <= start if backwards else key >= start):
                yield key

    def raw(self, id: str) -> bytes:  # noqa: A002
        raw = self._raw.get(id)
        if raw is None:
            row = self._always(id)
            if row is None:
                raise KeyError(id)
            raw = orjson.dumps(row)
        return raw

    def get(self, id: str) -> Row | None:  # noqa: A002
        """A copy the caller may change."""
        raw = self._raw.get(id)
        return self._always(id) if raw is None else orjson.loads(raw)

    def _always(self, id: str) -> Row | None:  # noqa: A002
        return self._segment.get(id) if self._segment is not None else None

    def version(self, id: str) -> int:  # noqa: A002
        held = self._versions.get(id)
        return held if held is not None else int((self._always(id) or {})["version"])

    def holder(self, path: str, value: str) -> str | None:
        """The id of the one that has this value in a unique field."""
        folded = self._fold(path, value)
        held = self._unique[path].get(folded)
        return held if held is not None or self._segment is None else next(self._segment.find(path, folded), None)

    def holders(self, path: str, values: Iterable[str]) -> list[str] | None:
        """Ids of those that have one of these values; None when the path has no index."""
        if path in self._unique:
            found = (self.holder(path, value) for value in sorted(set(values)))
            return [id_ for id_ in dict.fromkeys(found) if id_ is not None]
        if path in self._grouped:
            return [id_ for value in sorted(set(values)) for id_ in self._group(path, value)]
        return None

    def _group(self, path: str, value: str) -> list[str]:
        always = self._segment.find(path, value) if self._segment is not None else ()
        return sorted(chain(self._grouped[path].get(value, ()), always))

    def is_used(self, path: str, value: str) -> bool:
        if self._grouped[path].get(value):
            return True
        return self._segment is not None and next(self._segment.find(path, value), None) is not None

    def clash(self, row: Row) -> tuple[str, str] | None:
        """The first unique field whose value another one holds, and the value."""
        for path in self._unique:
            value = at_path(row, path)
            if isinstance(value, str) and self.holder(path, value) not in {None, row["id"]}:
                return path, value
        return None

    def put(self, row: Row) -> None:
        """Store a new one or replace an older state of it. Uniqueness was checked before (:meth:`clash`)."""
        id_, stamp = row["id"], row["lastModifiedAt"]
        old = self._raw.get(id_)
        if old is not None:
            self._by_modified.remove((self._stamps[id_], id_))
            self._unindex(orjson.loads(old))
        elif self._segment is None or not self._segment.change(id_):
            self._by_id.add(id_)
        self._by_modified.add((stamp, id_))
        # A copy, because the encoder's own bytes keep the spare room of its buffer (8 KiB) for as long as they live.
        self._raw[id_] = bytes(memoryview(orjson.dumps(row)))
        self._versions[id_] = row["version"]
        self._stamps[id_] = stamp
        for path, keys in self._unique.items():
            value = at_path(row, path)
            if isinstance(value, str):
                keys[self._fold(path, value)] = id_
        for path, groups in self._grouped.items():
            value = at_path(row, path)
            if isinstance(value, str):
                groups.setdefault(value, set()).add(id_)

    def drop(self, id: str) -> None:  # noqa: A002
        if self._segment is not None and self._segment.owns(id):
            self._segment.drop(id)
        else:
            self._by_id.remove(id)
        raw = self._raw.pop(id, None)
        if raw is not None:
            self._by_modified.remove((self._stamps.pop(id), id))
            del self._versions[id]
            self._unindex(orjson.loads(raw))

    def _unindex(self, row: Row) -> None:
        for path, keys in self._unique.items():
            value = at_path(row, path)
            if isinstance(value, str):
                keys.pop(self._fold(path, value), None)
        for path, groups in self._grouped.items():
            value = at_path(row, path)
            if isinstance(value, str):
                groups[value].discard(row["id"])
                if not groups[value]:
                    del groups[value]

    def _fold(self, path: str, value: str) -> str:
        return value.casefold() if path in self._folded else value


def _walk(ids: Sequence[str], start: str | None, *, backwards: bool) -> Iterator[str]:
    places = range(len(ids))
    if start is not None:
        places = places[: bisect_right(ids, start)] if backwards else places[bisect_left(ids, start) :]
    return (ids[place] for place in (reversed(places) if backwards else places))
