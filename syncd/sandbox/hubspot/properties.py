"""Property definitions and groups of every object type: what may be written, and in which form it is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from syncd.sandbox.hubspot import catalog, values
from syncd.sandbox.hubspot.errors import ApiError, Complaint, not_found, validation
from syncd.sandbox.hubspot.kinds import KINDS, Kind
from syncd.sandbox.hubspot.shapes import integer, mappings, required, text
from syncd.sandbox.hubspot.values import InvalidError

MAX_UNIQUE = 10
"""Own properties with unique values, per object type."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_FIELD_TYPES: Mapping[str, frozenset[str]] = {
    "bool": frozenset({"booleancheckbox", "calculation_equation"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"date"}),
    "enumeration": frozenset({"booleancheckbox", "checkbox", "radio", "select", "calculation_equation"}),
    "number": frozenset({"number", "calculation_equation"}),
    "phone_number": frozenset({"phonenumber"}),
    "string": frozenset({"text", "textarea", "file", "html", "phonenumber", "calculation_equation"}),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """An admin's validation rule; versions before 2026-09 do not enforce it."""

    max_length: int = 0
    pattern: str = ""
    least: float | None = None
    most: float | None = None

    def complaint(self, value: str) -> str:
        """Empty when the value satisfies the rule."""
        if self.max_length and len(value) > self.max_length:
            return f"value is longer than {self.max_length} characters"
        if self.pattern and not re.fullmatch(self.pattern, value):
            return "value does not match the required format"
        if self.least is not None and float(value) < self.least:
            return f"value is below the minimum of {self.least:g}"
        if self.most is not None and float(value) > self.most:
            return f"value is above the maximum of {self.most:g}"
        return ""


@dataclass(frozen=True, slots=True)
class Definition:
    name: str
    type: str
    field_type: str
    label: str
    group: str
    description: str = ""
    options: tuple[Mapping[str, Any], ...] = ()
    unique: bool = False
    read_only: bool = False
    calculated: bool = False
    own: bool = False
    """Made by a user of the account, not by the vendor."""
    hidden: bool = False
    form_field: bool = False
    display_order: int = -1
    external: str = ""
    """Where options come from when not from the definition: ``owner``, ``pipeline``, ``stage``."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    rule: Rule | None = None
    archived_at: str = ""
    created_at: str = ""
    updated_at: str = ""
    allowed: Mapping[str, None] = field(default_factory=dict)
    """Option values, in order."""
    check: Callable[[str], str] = values.text
    """Checks and normalises single values of types that need nothing else."""

    def json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": list(self.options),
            "displayOrder": self.display_order,
            "calculated": self.calculated,
            "externalOptions": self.external == "owner",
            "hasUniqueValue": self.unique,
            "hidden": self.hidden,
            "hubspotDefined": not self.own,
            "modificationMetadata": {
                "archivable": self.own,
                "readOnlyDefinition": not self.own,
                "readOnlyOptions": not self.own,
                "readOnlyValue": self.read_only,
            },
            "formField": self.form_field,
            "dataSensitivity": "non_sensitive",
            "archived": bool(self.archived_at),
            **self.extras,
        }
        stamps = {"createdAt": self.created_at, "updatedAt": self.updated_at, "archivedAt": self.archived_at}
        return {**{name: stamp for name, stamp in stamps.items() if stamp}, **out}

    def normalise(self, raw: Any, held: str) -> str:
        """The stored form of a written value. ``""`` clears. Raises :class:`InvalidError`."""
        value = raw if type(raw) is str else values.as_text(raw)
        if value == "":
            return ""
        if self.type == "enumeration":
            if self.external in {"pipeline", "stage"}:
                return value  # the pipelines judge
            if self.field_type == "checkbox":
                return values.options(value, self.allowed, held)
            return values.option(value, self.allowed)
        return self.check(value)


def _checker(kind: str, name: str, type_: str) -> Callable[[str], str]:
    if kind == "contacts" and name == "email":
        return values.email
    if kind == "companies" and name == "domain":
        return values.domain
    by_type: Mapping[str, Callable[[str], str]] = {
        "number": values.number,
        "bool": values.boolean,
        "date": values.day,
        "datetime": values.instant,
    }
    return by_type.get(type_, values.text)


def _option(value: str, order: int) -> dict[str, Any]:
    return {"label": value, "value": value, "displayOrder": order, "hidden": False}


def _born(kind: Kind, row: catalog.Row, group: str) -> Definition:
    external = next((one for one in ("owner", "pipeline", "stage") if one in row.flags), "")
    return Definition(
        name=row.name,
        type=row.type,
        field_type=row.field_type,
        label=row.name.removeprefix("hs_").replace("_", " ").capitalize(),
        group=group,
        options=tuple(_option(value, order) for order, value in enumerate(row.options)),
        unique="uniq" in row.flags,
        read_only="ro" in row.flags,
        calculated="calc" in row.flags,
        external=external,
        extras={"referencedObjectType": "OWNER"} if external == "owner" else {},
        allowed=dict.fromkeys(row.options),
        check=_checker(kind.name, row.name, row.type),
    )


class PropertyBook:
    """All definitions of one account."""

    def __init__(self, portal_id: int, now_iso: Callable[[], str]) -> None:
        self._portal = portal_id
        self._now = now_iso
        self._live: dict[str, dict[str, Definition]] = {}
        self._archived: dict[str, dict[str, Definition]] = {}
        self._groups: dict[str, dict[str, dict[str, Any]]] = {}
        self._owners: dict[str, None] = {}
        for kind in KINDS:
            self.open(kind)

    def open(self, kind: Kind) -> None:
        """A new kind, with the properties each of its sort is born with."""
        group, label = catalog.group_of(kind.name)
        self._groups[kind.name] = {group: {"name": group, "label": label, "displayOrder": 0, "archived": False}}
        self._live[kind.name] = {row.name: _born(kind, row, group) for row in catalog.rows_of(kind.name)}
        self._archived[kind.name] = {}
        self._own(self._live[kind.name])

    def close(self, kind: Kind) -> None:
        for book in (self._groups, self._live, self._archived):
            del book[kind.name]

    def _own(self, book: dict[str, Definition]) -> None:
        book["hubspot_owner_id"] = replace(book["hubspot_owner_id"], allowed=self._owners)

    def set_owners(self, ids: Iterable[str]) -> None:
        """Owner ids are the options of every owner property."""
        self._owners = dict.fromkeys(ids)
        for book in self._live.values():
            self._own(book)

    def of(self, kind: Kind) -> Mapping[str, Definition]:
        return self._live[kind.name]

    def archived_of(self, kind: Kind) -> Mapping[str, Definition]:
        return self._archived[kind.name]

    def get(self, kind: Kind, name: str, *, archived: bool = False) -> Definition:
        found = (self._archived if archived else self._live)[kind.name].get(name)
        if found is None:
            raise not_found(f"Property {name} does not exist", context={"propertyName": [name]})
        return found

    def uniques(self, kind: Kind) -> list[str]:
        return [name for name, one in self._live[kind.name].items() if one.unique]

    # -- changing the book

    def create(self, kind: Kind, body: Mapping[str, Any]) -> Definition:
        name, group = required(body, "name", "groupName", "fieldType", "label", "type")[:2]
        if not _NAME.fullmatch(name):
            raise validation(f"Property name {name} is invalid: it must start with a letter and may hold only "
                             "lowercase letters, numbers and underscores")  # fmt: skip
        if name in self._live[kind.name]:
            raise ApiError(
                409, f"A property named '{name}' already exists.", "OBJECT_ALREADY_EXISTS",
                sub_category="Properties.PROPERTY_EXISTS", context={"propertyName": [name]},
            )  # fmt: skip
        if group not in self._groups[kind.name]:
            raise validation(f"Property group {group} does not exist", context={"groupName": [group]})
        made = self._made(kind, name, body)
        if made.unique and sum(one.own for one in self._live[kind.name].values() if one.unique) >= MAX_UNIQUE:
            limit = f"its limit of {MAX_UNIQUE} unique properties for {kind.legacy}"
            raise validation(f"Portal {self._portal} has reached {limit}")
        self._archived[kind.name].pop(name, None)
        self._live[kind.name][name] = made
        return made

    def _made(self, kind: Kind, name: str, body: Mapping[str, Any]) -> Definition:
        type_, field_type = str(body["type"]), str(body["fieldType"])
        if type_ not in _FIELD_TYPES:
            raise validation(f"{type_} is not a valid property type: one of {sorted(_FIELD_TYPES)}")
        if field_type not in _FIELD_TYPES[type_]:
            raise validation(f"fieldType {field_type} is not valid for type {type_}")
        unique = bool(body.get("hasUniqueValue", False))
        if unique and type_ not in {"string", "number"}:
            raise validation(f"hasUniqueValue is not supported for properties of type {type_}")
        made = Definition(
            name=name,
            type=type_,
            field_type=field_type,
            label=str(body["label"]),
            group=str(body["groupName"]),
            unique=unique,
            own=True,
            calculated=field_type == "calculation_equation",
            read_only=field_type == "calculation_equation",
            created_at=self._now(),
            check=_checker(kind.name, name, type_),
            external="owner" if body.get("referencedObjectType") == "OWNER" else "",
        )
        return self._with(made, body)

    def _with(self, definition: Definition, body: Mapping[str, Any]) -> Definition:
        """The changeable parts taken from a create or update body."""
        changed = replace(definition, updated_at=self._now())
        if "options" in body:
            changed = _with_options(changed, mappings(body["options"], "options"))
        if changed.type == "enumeration" and not changed.options and not changed.external:
            raise validation(f"Property {definition.name} of type enumeration must have options")
        return replace(changed, **_changeable(body))

    def update(self, kind: Kind, name: str, body: Mapping[str, Any]) -> Definition:
        definition = self.get(kind, name)
        if not definition.own and set(body) - {"options"}:
            raise validation(f"Property {name} is defined by HubSpot and its definition is read only")
        changed = self._with(definition, body)
        self._live[kind.name][name] = changed
        return changed

    def retype(self, kind: Kind, name: str, body: Mapping[str, Any]) -> Definition:
        """What only people can do, in the screens: another type, other options. What stands in records stays."""
        definition = self.get(kind, name)
        if not definition.own:
            raise validation(f"Property {name} is defined by HubSpot and its definition is read only")
        changed = self._made(kind, name, {**definition.json(), **body})
        self._live[kind.name][name] = changed
        return changed

    def set_rule(self, kind: Kind, name: str, rule: Rule | None) -> None:
        self._live[kind.name][name] = replace(self.get(kind, name), rule=rule)

    def archive(self, kind: Kind, name: str) -> None:
        definition = self.get(kind, name)
        if not definition.own:
            raise validation(f"Property {name} is defined by HubSpot and can not be archived")
        del self._live[kind.name][name]
        self._archived[kind.name][name] = replace(definition, archived_at=self._now())

    def restore(self, kind: Kind, name: str) -> None:
        """What only people can do, in the screens."""
        definition = self.get(kind, name, archived=True)
        del self._archived[kind.name][name]
        self._live[kind.name][name] = replace(definition, archived_at="")

    # -- groups

    def groups(self, kind: Kind) -> list[dict[str, Any]]:
        return list(self._groups[kind.name].values())

    def group(self, kind: Kind, name: str) -> dict[str, Any]:
        found = self._groups[kind.name].get(name)
        if found is None:
            raise not_found(f"Property group {name} does not exist")
        return found

    def create_group(self, kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
        name, label = required(body, "name", "label")
        if name in self._groups[kind.name]:
            raise ApiError(409, f"A property group named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")
        order = integer(-1 if body.get("displayOrder") is None else body["displayOrder"], "displayOrder")
        made = {"name": name, "label": label, "displayOrder": order, "archived": False}
        self._groups[kind.name][name] = made
        return made

    def update_group(self, kind: Kind, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        group = self.group(kind, name)
        if body.get("label") is not None:
            group["label"] = text(body["label"], "label")
        if body.get("displayOrder") is not None:
            group["displayOrder"] = integer(body["displayOrder"], "displayOrder")
        return group

    def delete_group(self, kind: Kind, name: str) -> None:
        self.group(kind, name)
        if any(one.group == name for one in self._live[kind.name].values()):
            raise validation(f"Property group {name} still has properties")
        del self._groups[kind.name][name]


def _changeable(body: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of :class:`Definition` from a body, where it has them."""
    texts_ = {"label": "label", "description": "description", "groupName": "group", "fieldType": "field_type"}
    more: dict[str, Any] = {ours: text(body[one], one) for one, ours in texts_.items() if body.get(one) is not None}
    flags = {"hidden": "hidden", "formField": "form_field"}
    more |= {ours: bool(body[one]) for one, ours in flags.items() if body.get(one) is not None}
    if body.get("displayOrder") is not None:
        more["display_order"] = integer(body["displayOrder"], "displayOrder")
    return more


def _with_options(definition: Definition, raw: Iterable[Mapping[str, Any]]) -> Definition:
    listed = []
    for order, one in enumerate(raw):
        value, label = required(one, "value", "label")
        listed.append({**_option(value, order), **one, "value": value, "label": label})
    allowed = dict.fromkeys(str(one["value"]) for one in listed)
    if len(allowed) != len(listed):
        raise validation(f"Property {definition.name} has options with the same value")
    return replace(definition, options=tuple(listed), allowed=allowed)


def refused(name: str, error: InvalidError) -> Complaint:
    return Complaint(name, error.code, str(error))
