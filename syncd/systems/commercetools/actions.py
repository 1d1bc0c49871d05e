"""Values to drafts and update actions, by the tables. Pure.

``values`` is path to raw value, ``None`` clears. ``current`` is what the vendor holds as far as we know: keyed by
path like the values, or the vendor's resource itself. What it tells decides the action: a custom field is set by
``setCustomField`` on a resource that has a custom type and by ``setCustomType`` on one that has none, and
removing a field that is not there is an error to the vendor. :func:`must_look` says when it does not tell enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from syncd.model.lens import Raw
from syncd.systems.commercetools.resources import Resource
from syncd.systems.commercetools.settings import CommercetoolsSettings
from syncd.systems.commercetools.tables import TABLES, Table
from syncd.systems.commercetools.values import (
    CUSTOM,
    Current,
    Unknown,
    UnwritableError,
    has_type,
    held,
    same,
)
from syncd.systems.commercetools.ways import Fixed, UpdateAction

MOST_ACTIONS: Final = 500
"""The vendor's limit for one request."""

VALUE: Final = "value"
"""Under it stands all that is our own in a custom object."""

_NONE: Final = Table()


def is_writable(resource: Resource, path: str, *, creating: bool = False) -> bool:
    """Whether an update of the resource can write the path, or, ``creating``, at least a create."""
    if resource.contained:
        return path == VALUE or path.startswith(f"{VALUE}.")
    way = _table(resource).ways.get(path)
    return _is_custom(resource, path) if way is None else creating or not isinstance(way, Fixed)


def type_key(resource: Resource, settings: CommercetoolsSettings) -> str:
    """The custom type given to a resource that has none when a custom field is first written."""
    if resource.custom_resource == "customer":
        return settings.custom_type_key
    return f"syncd-{resource.custom_resource}"


def must_look(resource: Resource, values: Mapping[str, Raw], current: Current) -> bool:
    """Whether the resource must be read before an update of these values can be formed."""
    if resource.contained:
        # An upsert replaces the whole value.
        return True
    ways = _table(resource).ways
    for path, value in values.items():
        if path in ways and ways[path].needs(path, current):
            return True
        if not path.startswith(CUSTOM):
            continue
        if value is None and isinstance(held(current, path), Unknown):
            return True
        if value is not None and has_type(current) is None:
            return True
    return False


def update_actions(
    resource: Resource, values: Mapping[str, Raw], current: Current, custom_type: str
) -> list[UpdateAction]:
    """The actions that bring the resource to the values; none for what it already holds.

    Raises :class:`UnwritableError`.
    """
    table = _table(resource)
    unknown = next((path for path in values if path not in table.ways and not _is_custom(resource, path)), None)
    if unknown is not None:
        raise UnwritableError(unknown, "no update action writes it")
    actions: list[UpdateAction] = []
    for path, way in table.ways.items():
        if path not in values:
            continue
        with _in_form(path):
            if way.differs(values[path], held(current, path)):
                actions += way.actions(path, values[path], current)
    actions = table.join(actions) + _custom_actions(values, current, custom_type)
    if len(actions) > MOST_ACTIONS:
        raise UnwritableError("actions", f"{len(actions)} actions, the vendor takes {MOST_ACTIONS} at once")
    return actions


def draft(resource: Resource, values: Mapping[str, Raw], custom_type: str) -> dict[str, Any]:
    """The draft of a new resource. Raises :class:`UnwritableError`."""
    made: dict[str, Any] = {}
    table = _table(resource)
    for path, value in values.items():
        if value is None:
            continue
        way = table.ways.get(path)
        if way is None:
            _put(made, path, value)
        else:
            with _in_form(path):
                _put(made, way.draft or path, way.drafted(value))
    custom = made.get("custom")
    if isinstance(custom, dict) and "type" not in custom:
        custom["type"] = {"typeId": "type", "key": custom_type}
    if resource.contained:
        made["container"] = resource.object.partition("/")[2]
        made.setdefault(VALUE, {})
    with _in_form("addresses"):
        table.complete(made)
    return made


def upserted(values: Mapping[str, Raw], held_value: Raw) -> Raw:
    """The value of a custom object with ours in it; what is not ours stays. Raises :class:`UnwritableError`."""
    made: dict[str, Any] = {VALUE: _copied(held_value)}
    for path, value in values.items():
        if value is not None:
            _put(made, path, value)
        elif path == VALUE:
            raise UnwritableError(path, "a custom object must have a value")
        else:
            _drop(made, path)
    return made[VALUE]


def differing(values: Mapping[str, Raw], resource: Resource, data: Mapping[str, Any]) -> list[str]:
    """The paths at which the vendor's resource holds something else. Raises :class:`UnwritableError`."""
    ways = _table(resource).ways
    found = []
    for path, value in values.items():
        before = held(data, path)
        with _in_form(path):
            if ways[path].differs(value, before) if path in ways else not same(_nothing(before), value):
                found.append(path)
    return found


@contextmanager
def _in_form(path: str) -> Iterator[None]:
    """Lists and references come out of records and replies: one in another form than its way can take concerns this
    record alone."""
    try:
        yield
    except (AttributeError, LookupError, TypeError) as error:
        raise UnwritableError(path, f"has not the form that it is written in ({type(error).__name__})") from None


def _is_custom(resource: Resource, path: str) -> bool:
    name = path.removeprefix(CUSTOM)
    return bool(resource.custom_resource) and name != path and "." not in name


def _table(resource: Resource) -> Table:
    return TABLES.get(resource.object, _NONE)


def _custom_actions(values: Mapping[str, Raw], current: Current, custom_type: str) -> list[UpdateAction]:
    custom = {
        path.removeprefix(CUSTOM): value
        for path, value in values.items()
        if path.startswith(CUSTOM) and _differs(held(current, path), value)
    }
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
    return [{"action": "setCustomType", "type": {"typeId": "type", "key": custom_type}, "fields": fields}]


def _differs(before: Raw | Unknown, value: Raw) -> bool:
    return isinstance(before, Unknown) or not same(before, value)


def _nothing(before: Raw | Unknown) -> Raw:
    return None if isinstance(before, Unknown) else before


def _copied(value: Raw) -> Raw:
    return {name: _copied(one) for name, one in value.items()} if isinstance(value, Mapping) else value


def _put(target: dict[str, Any], path: str, value: Raw) -> None:
    *outer, last = path.split(".")
    here = target
    for step in outer:
        if not isinstance(here.get(step), dict):
            if here.get(step) is not None:
                raise UnwritableError(path, "stands inside a value that is no object")
            here[step] = {}
        here = here[step]
    here[last] = value


def _drop(target: dict[str, Any], path: str) -> None:
    *outer, last = path.split(".")
    here: Any = target
    for step in outer:
        here = here.get(step) if isinstance(here, dict) else None
    if isinstance(here, dict):
        here.pop(last, None)
