"""Values to customer drafts and update actions. Pure.

``values`` is path to raw value, ``None`` clears. ``current`` is what the vendor holds as far as we know: keyed by
path like the values, or the vendor's resource itself. What it tells decides the action: a custom field is set by
``setCustomField`` on a customer that has a custom type and by ``setCustomType`` on one that has none, and
removing a field that is not there is an error to the vendor. :func:`must_look` says when it does not tell enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from syncd.model.lens import Raw
from syncd.model.mapping import pluck

MOST_ACTIONS: Final = 500
"""The vendor's limit for one request."""

CUSTOM: Final = "custom.fields."

SET: Final[Mapping[str, tuple[str, str]]] = {
    "firstName": ("setFirstName", "firstName"),
    "lastName": ("setLastName", "lastName"),
    "middleName": ("setMiddleName", "middleName"),
    "title": ("setTitle", "title"),
    "salutation": ("setSalutation", "salutation"),
    "dateOfBirth": ("setDateOfBirth", "dateOfBirth"),
    "companyName": ("setCompanyName", "companyName"),
    "vatId": ("setVatId", "vatId"),
    "locale": ("setLocale", "locale"),
    "externalId": ("setExternalId", "externalId"),
    "customerNumber": ("setCustomerNumber", "customerNumber"),
    "key": ("setKey", "key"),
    "customerGroup": ("setCustomerGroup", "customerGroup"),
}
"""Path to the action and the name of its value; the value left out clears."""

CHANGE: Final[Mapping[str, tuple[str, str]]] = {"email": ("changeEmail", "email")}
"""Required members: they change, but cannot be cleared."""

LISTS: Final[Mapping[str, tuple[str, str]]] = {
    "customerGroupAssignments": ("setCustomerGroupAssignments", "customerGroupAssignments"),
    "stores": ("setStores", "stores"),
}
"""Whole lists: an empty one clears."""


class UnwritableError(ValueError):
    """A value has no update action. ``path`` names it."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        super().__init__(f"{path}: {why}")


class _Unknown:
    pass


UNKNOWN: Final = _Unknown()

_NOWHERE: Final = pluck({}, "nothing")


def is_writable(path: str) -> bool:
    """Whether an update of a customer can write the path."""
    name = path.removeprefix(CUSTOM)
    return path in SET or path in CHANGE or path in LISTS or (name != path and "." not in name)


def must_look(values: Mapping[str, Raw], current: Mapping[str, Any] | None) -> bool:
    """Whether the customer must be read before an update of these values can be formed."""
    for path, value in values.items():
        if not path.startswith(CUSTOM):
            continue
        if value is None and isinstance(held(current, path), _Unknown):
            return True
        if value is not None and has_type(current) is None:
            return True
    return False


def has_type(current: Mapping[str, Any] | None) -> bool | None:
    """Whether the customer has a custom type; ``None`` where that is not known."""
    if current is None:
        return None
    if any(path.startswith(CUSTOM) and value is not None for path, value in current.items()):
        return True
    custom = held(current, "custom")
    if isinstance(custom, _Unknown):
        return None if isinstance(held(current, "custom.type"), _Unknown) else current.get("custom.type") is not None
    return custom is not None


def held(current: Mapping[str, Any] | None, path: str) -> Raw | _Unknown:
    """What the vendor holds at a path, ``None`` for nothing, or :data:`UNKNOWN`."""
    if current is None:
        return UNKNOWN
    if path in current:
        return current[path]
    value = pluck(current, path)
    if value is not _NOWHERE:
        return value
    # A whole resource leaves out what is empty.
    return None if "id" in current and "version" in current else UNKNOWN


def update_actions(values: Mapping[str, Raw], current: Mapping[str, Any] | None, type_key: str) -> list[dict[str, Any]]:
    """The actions that bring the customer to the values; none for what it already holds.

    Raises :class:`UnwritableError`.
    """
    actions, custom = [], {}
    for path, value in values.items():
        before = held(current, path)
        if not isinstance(before, _Unknown) and same(before, value):
            continue
        if path.startswith(CUSTOM) and is_writable(path):
            custom[path.removeprefix(CUSTOM)] = value
        else:
            actions.append(_action(path, value))
    actions += _custom_actions(custom, current, type_key)
    if len(actions) > MOST_ACTIONS:
        raise UnwritableError("actions", f"{len(actions)} actions, the vendor takes {MOST_ACTIONS} at once")
    return actions


def draft(values: Mapping[str, Raw], type_key: str) -> dict[str, Any]:
    """The draft of a new customer. It signs in elsewhere: a synced contact has no password here."""
    made: dict[str, Any] = {"authenticationMode": "ExternalAuth"}
    for path, value in values.items():
        if value is not None:
            _put(made, path, value)
    custom = made.get("custom")
    if isinstance(custom, dict) and "type" not in custom:
        custom["type"] = {"typeId": "type", "key": type_key}
    return made


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


def reference_key(value: Raw) -> str | None:
    """The key that a reference tells, itself or by its expansion."""
    if not isinstance(value, Mapping):
        return None
    expanded = value.get("obj")
    key = value.get("key") or (expanded.get("key") if isinstance(expanded, Mapping) else None)
    return key if isinstance(key, str) else None


def _same_target(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    if left.get("id") is not None and right.get("id") is not None:
        return bool(left["id"] == right["id"])
    key = reference_key(left)
    return key is not None and key == reference_key(right)


def _money(value: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return value.get("currencyCode"), value["centAmount"], value.get("preciseAmount")


def _action(path: str, value: Raw) -> dict[str, Any]:
    if path in CHANGE:
        name, member = CHANGE[path]
        if value is None:
            raise UnwritableError(path, "cannot be cleared, a customer must have it")
        return {"action": name, member: value}
    if path in LISTS:
        name, member = LISTS[path]
        return {"action": name, member: [] if value is None else value}
    if path in SET:
        name, member = SET[path]
        return {"action": name} if value is None else {"action": name, member: value}
    raise UnwritableError(path, "no update action writes it")


def _custom_actions(
    custom: Mapping[str, Raw], current: Mapping[str, Any] | None, type_key: str
) -> list[dict[str, Any]]:
    if not custom:
        return []
    # Not knowing counts as having: setting a type anew would drop the fields of the old one.
    if has_type(current) is not False:
        return [
            {"action": "setCustomField", "name": name} | ({} if value is None else {"value": value})
            for name, value in custom.items()
        ]
    fields = {name: value for name, value in custom.items() if value is not None}
    if not fields:
        return []
    return [{"action": "setCustomType", "type": {"typeId": "type", "key": type_key}, "fields": fields}]


def _put(target: dict[str, Any], path: str, value: Raw) -> None:
    *outer, last = path.split(".")
    here = target
    for step in outer:
        here = here.setdefault(step, {})
        if not isinstance(here, dict):
            raise UnwritableError(path, "stands inside a value that is no object")
    here[last] = value
