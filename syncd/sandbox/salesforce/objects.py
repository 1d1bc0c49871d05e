"""Kinds of objects, and short words to write their fields down with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.salesforce.fields import Field

CLEAR, CASCADE, RESTRICT = "clear", "cascade", "restrict"


@dataclass(slots=True)
class ObjectType:
    name: str
    prefix: str
    fields: dict[str, Field]
    label: str
    plural: str
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    undeletable: bool = True
    mergeable: bool = False
    setup: bool = False
    """Users and permissions, which no transaction may write together with ordinary objects."""
    changes: bool = True
    """Can be selected for change data capture."""
    owned: bool = True
    name_field: str = "Name"
    lower: dict[str, str] = field(default_factory=dict)
    """Field names in lower case to the names as they are."""
    relations: dict[str, Field] = field(default_factory=dict)
    """Relationship names in lower case to their reference fields."""
    changed_ms: int = 0
    """When its definition last changed."""
    required: tuple[str, ...] = ()
    filled: tuple[Field, ...] = ()
    """Auto-numbers and fields with a default."""

    def __post_init__(self) -> None:
        self.index()

    def index(self) -> None:
        self.lower = {name.lower(): name for name in self.fields}
        self.relations = {one.relationship.lower(): one for one in self.fields.values() if one.relationship}
        self.required = tuple(one.name for one in self.fields.values() if one.required)
        self.filled = tuple(one for one in self.fields.values() if one.auto_number or one.default is not None)

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    def field(self, name: str) -> Field | None:
        """By name, in any case."""
        return self.fields.get(name) or self.fields.get(self.lower.get(name.lower(), ""))


def text(name: str, length: int = 255, **more: Any) -> Field:
    return Field(name, "string", length=length, **more)


def area(name: str, length: int = 32_000, **more: Any) -> Field:
    return Field(name, "textarea", length=length, **more)


def phone(name: str, **more: Any) -> Field:
    return Field(name, "phone", length=40, **more)


def email(name: str, **more: Any) -> Field:
    return Field(name, "email", length=80, **more)


def url(name: str, **more: Any) -> Field:
    return Field(name, "url", length=255, **more)


def choice(name: str, choices: str = "", **more: Any) -> Field:
    """``choices`` are parted by bars."""
    return Field(name, "picklist", length=255, choices=tuple(filter(None, choices.split("|"))), **more)


def flag(name: str, default: bool = False, **more: Any) -> Field:
    return Field(name, "boolean", default=default, **more)


def money(name: str, precision: int = 18, scale: int = 2, **more: Any) -> Field:
    return Field(name, "currency", precision=precision, scale=scale, **more)


def number(name: str, precision: int = 18, scale: int = 0, **more: Any) -> Field:
    return Field(name, "double", precision=precision, scale=scale, **more)


def percent(name: str, precision: int = 3, scale: int = 0, **more: Any) -> Field:
    return Field(name, "percent", precision=precision, scale=scale, **more)


def whole(name: str, **more: Any) -> Field:
    return Field(name, "int", precision=8, **more)


def day(name: str, **more: Any) -> Field:
    return Field(name, "date", **more)


def moment(name: str, **more: Any) -> Field:
    return Field(name, "datetime", **more)


def ref(name: str, *to: str, children: str = "", on_delete: str = CLEAR, **more: Any) -> Field:
    relationship = more.pop("relationship", name.removesuffix("Id"))
    return Field(
        name,
        "reference",
        length=18,
        reference_to=to,
        relationship=relationship,
        child_relationship=children,
        on_delete=on_delete,
        **more,
    )


def made(name: str, type_: str, compute: Callable[[Any, Any], Any], **more: Any) -> Field:
    """A calculated field: ``compute(org, row)``."""
    return Field(name, type_, calculated=True, compute=compute, in_events=False, **more)


def kept(one: Field) -> Field:
    """Held, but written by the vendor only."""
    one.createable = one.updateable = False
    return one


_PARTS = ("Street", "City", "State", "PostalCode", "Country")


def address(prefix: str) -> list[Field]:
    """An address and its parts: ``BillingStreet``, ..., ``BillingAddress``."""
    whole_name = f"{prefix}Address"

    def compute(_: Any, row: Any) -> dict[str, Any] | None:
        values = row.values
        parts = {name[0].lower() + name[1:]: values.get(prefix + name) for name in _PARTS}
        if not any(parts.values()):
            return None
        return {**parts, "geocodeAccuracy": None, "latitude": None, "longitude": None}

    lengths = {"Street": 255, "City": 40, "State": 80, "PostalCode": 20, "Country": 80}
    out = [
        Field(prefix + part, "textarea" if part == "Street" else "string", length=lengths[part], compound=whole_name)
        for part in _PARTS
    ]
    return [*out, Field(whole_name, "address", compute=compute)]


def person_name(*, required: bool = True) -> list[Field]:
    """LastName, FirstName, Salutation and the compound Name made of them."""

    def compute(_: Any, row: Any) -> str | None:
        values = row.values
        return " ".join(filter(None, (values.get("FirstName"), values.get("LastName")))) or None

    return [
        text("LastName", 80, required=required, compound="Name"),
        text("FirstName", 40, compound="Name"),
        choice("Salutation", "Mr.|Ms.|Mrs.|Dr.|Prof.|Mx.", compound="Name"),
        Field("Name", "string", label="Full Name", length=121, calculated=True, compute=compute),
    ]


SYSTEM_SLOTS = {
    "Id": "id",
    "IsDeleted": "deleted",
    "CreatedDate": "created",
    "CreatedById": "created_by",
    "LastModifiedDate": "modified",
    "LastModifiedById": "modified_by",
    "SystemModstamp": "stamp",
}
"""Fields that every row has, held outside of its values."""


def define(
    name: str, prefix: str, fields: Iterable[Field | list[Field]], *, label: str = "", plural: str = "", **more: Any
) -> ObjectType:
    """Add the fields that every object has."""
    listed: list[Field] = [kept(Field("Id", "id", label=f"{label or name} ID", length=18, id_lookup=True))]
    if not more.get("setup"):
        listed.append(kept(Field("IsDeleted", "boolean", label="Deleted", in_events=False)))
    for one in fields:
        listed.extend(one if isinstance(one, list) else [one])
    if more.get("owned", True):
        listed.append(ref("OwnerId", "User", default="@me"))
    listed += [
        kept(moment("CreatedDate")),
        kept(ref("CreatedById", "User", relationship="CreatedBy")),
        kept(moment("LastModifiedDate")),
        kept(ref("LastModifiedById", "User", relationship="LastModifiedBy")),
        kept(moment("SystemModstamp", in_events=False)),
    ]
    label = label or name
    plural = plural or (label[:-1] + "ies" if label.endswith("y") else label + "s")
    return ObjectType(name, prefix, {one.name: one for one in listed}, label, plural, **more)
