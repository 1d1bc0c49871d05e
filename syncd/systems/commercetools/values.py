"""Raw values as commercetools holds them: what stands at a path, and whether two of them mean the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from syncd.model.lens import Raw
from syncd.model.mapping import pluck

CUSTOM: Final = "custom.fields."

Current: TypeAlias = Mapping[str, Any] | None
"""What the vendor holds as far as we know: keyed by path, or the vendor's resource itself."""


class UnwritableError(ValueError):
    """A value has no update action. ``path`` names it."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        super().__init__(f"{path}: {why}")


class Unknown:
    """The type of :data:`UNKNOWN`."""


UNKNOWN: Final = Unknown()

_NOWHERE: Final = pluck({}, "nothing")


def is_whole(current: Current) -> bool:
    """Whether it is the vendor's whole resource, which leaves out what is empty."""
    return current is not None and "id" in current and "version" in current


def held(current: Current, path: str) -> Raw | Unknown:
    """What the vendor holds at a path, ``None`` for nothing, or :data:`UNKNOWN`."""
    if current is None:
        return UNKNOWN
    if path in current:
        return current[path]
    value = pluck(current, path)
    if value is not _NOWHERE:
        return value
    return None if is_whole(current) else UNKNOWN


def at(data: Mapping[str, Any], path: str) -> Raw:
    """What stands at a path of the vendor's resource; ``None`` where nothing does."""
    value = pluck(data, path)
    return None if value is _NOWHERE else value


def has_type(current: Current) -> bool | None:
    """Whether the resource has a custom type; ``None`` where that is not known."""
    if current is None:
        return None
    if any(path.startswith(CUSTOM) and value is not None for path, value in current.items()):
        return True
    custom = held(current, "custom")
    if isinstance(custom, Unknown):
        return None if isinstance(held(current, "custom.type"), Unknown) else current.get("custom.type") is not None
    return custom is not None


def same(left: Raw, right: Raw) -> bool:
    """Whether two raw values mean the same: references by id or key, money by amount and currency."""
    if left == right:
        return True
    if not isinstance(left, Mapping) or not isinstance(right, Mapping):
        return left in (None, []) and right in (None, [])
    if "typeId" in left and "typeId" in right:
        return left["typeId"] == right["typeId"] and _same_target(left, right)
    if "centAmount" in left and "centAmount" in right:
        return _money(left) == _money(right)
    return False


def incomparable(left: Raw, right: Raw) -> bool:
    """Two references to things of one type, of which one tells only the id and the other only the key."""
    if not isinstance(left, Mapping) or not isinstance(right, Mapping) or "typeId" not in left:
        return False
    by_id = left.get("id") is not None and right.get("id") is not None
    by_key = reference_key(left) is not None and reference_key(right) is not None
    return left["typeId"] == right.get("typeId") and not by_id and not by_key


def reference_key(value: Raw) -> str | None:
    """The key that a reference tells, itself or by its expansion."""
    if not isinstance(value, Mapping):
        return None
    expanded = value.get("obj")
    key = value.get("key") or (expanded.get("key") if isinstance(expanded, Mapping) else None)
    return key if isinstance(key, str) else None


def reference_id(value: Raw) -> str | None:
    found = value.get("id") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None


def identifier(value: Raw) -> Raw:
    """A reference as requests name it: by id where that is known, otherwise by key, never both, nothing expanded."""
    if not isinstance(value, Mapping):
        return value
    name = "id" if value.get("id") else "key"
    return {"typeId": value.get("typeId"), name: value.get(name)}


def _same_target(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    if left.get("id") is not None and right.get("id") is not None:
        return bool(left["id"] == right["id"])
    key = reference_key(left)
    return key is not None and key == reference_key(right)


def _money(value: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return value.get("currencyCode"), value["centAmount"], value.get("preciseAmount")
