"""Custom fields: a resource has one type at a time, and its fields must fit that type's definitions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.errors import ApiError, invalid_field, invalid_operation, required_field
from syncd.sandbox.commercetools.predicate import instant_text
from syncd.sandbox.commercetools.project import PATHS, Project
from syncd.sandbox.commercetools.shapes import localized, money

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,3})?")


def custom_of(project: Project, resource_type: str, draft: Mapping[str, Any]) -> Row:
    """``{"type", "fields"}`` of a draft. Raises ``ApiError``."""
    type_row = _type_for(project, resource_type, draft["type"])
    fields = {
        name: checked(project, type_row, name, value)
        for name, value in draft.get("fields", {}).items()
        if value is not None
    }
    for definition in type_row["fieldDefinitions"]:
        if definition["required"] and definition["name"] not in fields:
            raise required_field(definition["name"])
    return {"type": {"typeId": "type", "id": type_row["id"]}, "fields": fields}


def set_custom_type(project: Project, resource_type: str, holder: Row, args: Mapping[str, Any]) -> None:
    if "type" in args:
        holder["custom"] = custom_of(project, resource_type, args)
    else:
        holder.pop("custom", None)


def set_custom_field(project: Project, holder: Row, args: Mapping[str, Any]) -> None:
    custom = holder.get("custom")
    if custom is None:
        raise invalid_operation("The resource has no custom type; set one before setting a custom field.")
    type_row, name, value = project.find(custom["type"]), args["name"], args.get("value")
    definition = _definition(type_row, name, value)
    if value is not None:
        custom["fields"][name] = checked(project, type_row, name, value)
        return
    if definition["required"]:
        raise required_field(name)
    if name not in custom["fields"]:
        raise invalid_operation(f"The custom field '{name}' has no value that could be removed.")
    del custom["fields"][name]


def _type_for(project: Project, resource_type: str, identifier: Mapping[str, str]) -> Row:
    type_row = project.find(identifier)
    if resource_type not in type_row["resourceTypeIds"]:
        raise invalid_operation(f"The type '{type_row['key']}' can not be used for '{resource_type}'.")
    return type_row


def _definition(type_row: Row, name: str, value: Any) -> Row:
    for definition in type_row["fieldDefinitions"]:
        if definition["name"] == name:
            found: Row = definition
            return found
    message = f"The custom field '{name}' is not defined in type '{type_row['key']}'."
    raise ApiError(400, "InvalidField", message, field=name, invalidValue=value)


def checked(project: Project, type_row: Row, name: str, value: Any) -> Any:
    """The value in the platform's form. Raises ``ApiError`` InvalidField."""
    definition = _definition(type_row, name, value)
    return _checked(project, definition["type"], name, value)


def _checked(project: Project, kind: Row, name: str, value: Any) -> Any:
    match kind["name"]:
        case "Set" if isinstance(value, list):
            values = [_checked(project, kind["elementType"], name, one) for one in value]
            return [one for place, one in enumerate(values) if one not in values[:place]]
        case "Reference":
            return _reference(project, kind, name, value)
        case "Enum" | "LocalizedEnum":
            keys = [one["key"] for one in kind["values"]]
            if value not in keys:
                raise invalid_field(name, value, keys)
            return value
        case "Money" | "LocalizedString" as part:
            try:
                return money(value, name) if part == "Money" else localized(value, name)
            except ApiError:
                raise invalid_field(name, value) from None
        case scalar if scalar in _SCALARS:
            try:
                return _SCALARS[scalar](value)
            except (TypeError, ValueError):
                raise invalid_field(name, value) from None
    raise invalid_field(name, value)


def _reference(project: Project, kind: Row, name: str, value: Any) -> dict[str, str]:
    wanted = kind["referenceTypeId"]
    if not isinstance(value, dict) or value.get("typeId") != wanted or ("id" in value) == ("key" in value):
        raise invalid_field(name, value)
    if wanted in PATHS:
        return project.reference(value)
    if "id" not in value:
        raise invalid_field(name, value)
    return {"typeId": wanted, "id": str(value["id"])}


def _exactly(*kinds: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise TypeError(value)
        return value

    return check


def _time_of_day(value: Any) -> str:
    if not _TIME.fullmatch(value):
        raise ValueError(value)
    return f"{value:.8}.{value[9:]:0<3}"


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "Boolean": _exactly(bool),
    "String": _exactly(str),
    "Number": _exactly(int, float),
    "Date": lambda value: date.fromisoformat(value).isoformat(),
    "Time": _time_of_day,
    "DateTime": instant_text,
}
FIELD_TYPES = frozenset({*_SCALARS, "LocalizedString", "Money", "Enum", "LocalizedEnum", "Set", "Reference"})
