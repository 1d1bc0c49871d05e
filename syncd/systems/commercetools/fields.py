"""Custom fields that mappings need, as the vendor's field definitions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from syncd.model.lens import CentMoney, FirstOf, Lens, Plain, ReferenceId, ReferenceKey
from syncd.model.mapping import ObjectMapping
from syncd.model.value import FieldType
from syncd.systems.commercetools.values import CUSTOM

_TYPES: Final[Mapping[FieldType, str]] = {
    FieldType.MONEY: "Money",
    FieldType.INTEGER: "Number",
    FieldType.BOOLEAN: "Boolean",
    FieldType.DATE: "Date",
    FieldType.INSTANT: "DateTime",
}
"""Everything else is a String: also decimals, whose canonical form is text."""


@dataclass(frozen=True, slots=True)
class CustomField:
    name: str
    type: Mapping[str, Any]
    """The vendor's field type, such as ``{"name": "Money"}``."""
    subject: str
    """``<connection>.<object>.<path>``, for findings."""

    def definition(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "name": self.name,
            "label": {"en": self.name},
            "required": False,
            "type": dict(self.type),
        }
        if self.type["name"] == "String":
            made["inputHint"] = "SingleLine"
        return made


def custom_fields(mapping: ObjectMapping) -> tuple[CustomField, ...]:
    """The custom fields at the mapping's paths, each once."""
    found: dict[str, CustomField] = {}
    for item in mapping.fields:
        for path in item.paths:
            name = path.removeprefix(CUSTOM).partition(".")[0]
            if path.startswith(CUSTOM) and name not in found:
                found[name] = CustomField(name, field_type(item.lens), f"{mapping.name}.{CUSTOM}{name}")
    if mapping.key_path.startswith(CUSTOM):
        name = mapping.key_path.removeprefix(CUSTOM)
        found.setdefault(name, CustomField(name, {"name": "String"}, f"{mapping.name}.{CUSTOM}{name}"))
    return tuple(found.values())


def field_type(lens: Lens) -> Mapping[str, Any]:
    """The vendor's field type that holds what the lens reads and writes."""
    if isinstance(lens, FirstOf):
        return field_type(lens.inner)
    if isinstance(lens, CentMoney):
        return {"name": "Money"}
    if isinstance(lens, ReferenceId | ReferenceKey):
        return {"name": "Reference", "referenceTypeId": lens.type_id}
    if isinstance(lens, Plain):
        return {"name": _TYPES.get(lens.type, "String")}
    return {"name": "String"}


def definitions(type_: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The field types of a custom type, by field name."""
    listed = type_.get("fieldDefinitions")
    return {
        str(one["name"]): one["type"]
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict) and isinstance(one.get("type"), dict) and "name" in one
    }


def missing_from(type_: Mapping[str, Any], wanted: Sequence[CustomField]) -> list[CustomField]:
    held = definitions(type_)
    return [one for one in wanted if one.name not in held]


def differing_in(type_: Mapping[str, Any], wanted: Sequence[CustomField]) -> list[tuple[CustomField, str]]:
    """Fields that exist with another type, with that type's name. An Enum serves where a String is meant."""
    held = definitions(type_)
    found = []
    for one in wanted:
        name = str(held[one.name].get("name")) if one.name in held else ""
        if name and name != one.type["name"] and not (name == "Enum" and one.type["name"] == "String"):
            found.append((one, name))
    return found
