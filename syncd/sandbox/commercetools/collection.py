"""All resources of one kind, as bytes of JSON behind indexes.

Bytes and not dictionaries: half a million customers stay small, nobody can change a stored one in passing, and a page
is joined without being encoded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from syncd.sandbox.commercetools.index import SortedKeys

Row = dict[str, Any]


def at_path(row: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path, None where there is nothing."""
    value: Any = row
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


class Collection:
    """``unique`` fields have at most one holder, ``folded`` ones regardless of case; ``grouped`` ones are indexed."""

    def __init__(self, unique: Iterable[str] = (), grouped: Iterable[str] = (), folded: Iterable[str] = ()) -> None:
        self._raw: dict[str, bytes] = {}
        self._versions: dict[str, int] = {}
        self._stamps: dict[str, str] = {}
        self._folded = frozenset(folded)
        self._unique: dict[str, dict[str, str]] = {path: {} for path in unique}
        self._grouped: dict[str, dict[str, set[str]]] = {path: {} for path in grouped}
        self.by_id: SortedKeys[str] = SortedKeys()
        self.by_modified: SortedKeys[tuple[str, str]] = SortedKeys()

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, id: str) -> bool:  # noqa: A002
        return id in self._raw

    def ids(self) -> Iterator[str]:
        """In the order of creation."""
        return iter(self._raw)

    def raw(self, id: str) -> bytes:  # noqa: A002
        return self._raw[id]

    def get(self, id: str) -> Row | None:  # noqa: A002
        """A copy the caller may change."""
        raw = self._raw.get(id)
        return None if raw is None else orjson.loads(raw)

    def version(self, id: str) -> int:  # noqa: A002
        return self._versions[id]

    def holder(self, path: str, value: str) -> str | None:
        """The id of the one that has this value in a unique field."""
        return self._unique[path].get(self._fold(path, value))

    def holders(self, path: str, values: Iterable[str]) -> list[str] | None:
        """Ids of those that have one of these values; None when the path has no index."""
        if path in self._unique:
            keys = self._unique[path]
            found = (keys.get(self._fold(path, value)) for value in sorted(set(values)))
            return [id_ for id_ in dict.fromkeys(found) if id_ is not None]
        if path in self._grouped:
            groups = self._grouped[path]
            return [id_ for value in sorted(set(values)) for id_ in sorted(groups.get(value, ()))]
        return None

    def is_used(self, path: str, value: str) -> bool:
        return bool(self._grouped[path].get(value))

    def clash(self, row: Row) -> tuple[str, str] | None:
        """The first unique field whose value another one holds, and the value."""
        for path, keys in self._unique.items():
            value = at_path(row, path)
            if isinstance(value, str) and keys.get(self._fold(path, value), row["id"]) != row["id"]:
                return path, value
        return None

    def put(self, row: Row) -> None:
        """Store a new one or replace an older state of it. Uniqueness was checked before (:meth:`clash`)."""
        id_, stamp = row["id"], row["lastModifiedAt"]
        old = self._raw.get(id_)
        if old is None:
            self.by_id.add(id_)
        else:
            self.by_modified.remove((self._stamps[id_], id_))
            self._unindex(orjson.loads(old))
        self.by_modified.add((stamp, id_))
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
        self.by_id.remove(id)
        self.by_modified.remove((self._stamps.pop(id), id))
        del self._versions[id]
        self._unindex(orjson.loads(self._raw.pop(id)))

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
