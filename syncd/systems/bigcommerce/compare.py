"""What of a write is left to do, given what the vendor holds now. Pure.

The vendor keeps no versions and the last write wins, so every update is preceded by a read: what is there already is
not written again, and what somebody else changed since we last looked is not written over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncd.model.failure import Failure, Remedy
from syncd.model.lens import Lens, LensError, Raw
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import Snapshot, Write


@dataclass(frozen=True, slots=True)
class Rest:
    values: Mapping[str, Raw]
    """Paths that are still to be written."""
    foreign: tuple[str, ...] = ()
    """Paths at which the vendor holds neither what we knew nor what we want."""


def rest_of(mapping: ObjectMapping, one: Write, now: Snapshot) -> Rest:
    """Field by field, through the lenses: the vendor may write the same value in another way."""
    values = dict(one.values)
    foreign: list[str] = []
    for field in mapping.writable():
        paths = [path for path in field.paths if path in values]
        if not paths:
            continue
        held = _read(field.lens, [at(now.data, path) for path in field.paths])
        wanted = _read(field.lens, [values.get(path, at(now.data, path)) for path in field.paths])
        if held is not _UNREADABLE and held == wanted:
            for path in paths:
                del values[path]
            continue
        if one.current is not None and all(path in one.current for path in field.paths):
            known = _read(field.lens, [one.current[path] for path in field.paths])
            if held is not _UNREADABLE and held != known:
                foreign += paths
    mapped = {path for field in mapping.writable() for path in field.paths}
    for path in [path for path in values if path not in mapped]:
        if _plain(at(now.data, path)) == _plain(values[path]):
            del values[path]
    return Rest(values, tuple(foreign))


def changed_since(paths: tuple[str, ...]) -> Failure:
    told = "it has changed there since it was last looked at"
    return Failure(Remedy.REREAD, "changed-since", told, status=409, fields=paths)


def at(data: Mapping[str, Any], path: str) -> Raw:
    """What stands at a dotted path; ``None`` where nothing does."""
    if path in data:
        return data[path]
    first, _, rest = path.partition(".")
    here = data.get(first)
    return at(here, rest) if rest and isinstance(here, Mapping) else None


_UNREADABLE = object()


def _read(lens: Lens, raw: list[Raw]) -> Any:
    try:
        return lens.decode(*(_plain(one) for one in raw))
    except LensError:
        return _UNREADABLE


def _plain(value: Raw) -> Raw:
    """The vendor shows an unset text as an empty one."""
    return None if value == "" else value
