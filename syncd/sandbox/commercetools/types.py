"""Types: the definitions of custom fields."""

from __future__ import annotations

import re
from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import FIELD_TYPES
from syncd.sandbox.commercetools.errors import (
    ApiError,
    duplicate_field,
    invalid_field,
    invalid_json,
    invalid_operation,
    reference_exists,
)
from syncd.sandbox.commercetools.project import PATHS, Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape

RESOURCE_TYPES = frozenset(
    {
        "address",
        "approval-rule",
        "asset",
        "associate-role",
        "business-unit",
        "category",
        "channel",
        "custom-line-item",
        "customer",
        "customer-group",
        "inventory-entry",
        "line-item",
        "order",
        "payment",
        "product-price",
        "quote",
        "review",
        "shipping",
        "shopping-list",
        "standalone-price",
        "store",
        "transaction",
    }
)
_HINTS = ["SingleLine", "MultiLine"]
_NAME = re.compile(r"[A-Za-z0-9_-]{2,36}")
_FIELD = shape("type:object name:text label:localized required?:bool inputHint?:text")


def _field(definition: Row) -> Row:
    name, hint = definition["name"], definition.get("inputHint", "SingleLine")
    if not _NAME.fullmatch(name):
        raise invalid_field("name", name)
    if hint not in _HINTS:
        raise invalid_field("inputHint", hint, list(_HINTS))
    _check_kind(definition["type"])
    return {**definition, "required": definition.get("required", False), "inputHint": hint}


def _check_kind(kind: Any) -> None:
    name = kind.get("name") if isinstance(kind, dict) else None
    if name not in FIELD_TYPES:
        raise invalid_json(f"fieldDefinitions -> type: Invalid type value '{name}'.")
    if name == "Set":
        _check_kind(kind.get("elementType"))
    elif name in {"Enum", "LocalizedEnum"}:
        values = kind.get("values")
        well_formed = (isinstance(value, dict) and {"key", "label"} <= value.keys() for value in values or ())
        if not isinstance(values, list) or not all(well_formed):
            raise invalid_json("fieldDefinitions -> type -> values: Expected a list of key and label.")
    elif name == "Reference" and not isinstance(kind.get("referenceTypeId"), str):
        raise invalid_json("fieldDefinitions -> type -> referenceTypeId: Missing required value")


def _build(project: Project, draft: dict[str, Any]) -> Row:
    for resource_type in draft["resourceTypeIds"]:
        if resource_type not in RESOURCE_TYPES:
            raise invalid_field("resourceTypeIds", resource_type, sorted(RESOURCE_TYPES))
    row: Row = {name: draft[name] for name in ("key", "name", "description", "resourceTypeIds") if name in draft}
    row["fieldDefinitions"] = []
    for definition in draft.get("fieldDefinitions", ()):
        _add_field(project, row, _field(definition))
    return row


def _add_field(project: Project, row: Row, definition: Row) -> None:
    name = definition["name"]
    if any(one["name"] == name for one in row["fieldDefinitions"]):
        raise duplicate_field("name", name)
    types = project.collections["types"]
    for other in (types.get(id_) for id_ in types.ids()):
        if other is None or other["id"] == row.get("id"):
            continue
        shared = set(other["resourceTypeIds"]) & set(row["resourceTypeIds"])
        if shared and any(
            one["name"] == name and one["type"] != definition["type"] for one in other["fieldDefinitions"]
        ):
            text = f"The field '{name}' is defined with another type in the type '{other['key']}'."
            raise ApiError(400, "InvalidField", text, field=name, invalidValue=definition["type"])
    row["fieldDefinitions"].append(definition)


def _definition(row: Row, name: str, kind: str = "") -> Row:
    for definition in row["fieldDefinitions"]:
        if definition["name"] == name and (not kind or definition["type"]["name"] == kind):
            found: Row = definition
            return found
    raise invalid_operation(f"The type has no field definition '{name}'{f' of type {kind}' if kind else ''}.")


def _may_delete(project: Project, row: Row) -> None:
    for type_id, path in PATHS.items():
        if "custom.type.id" in project.indexed(path) and project.collections[path].is_used("custom.type.id", row["id"]):
            raise reference_exists("type", type_id)


TYPES = Resource(
    path="types",
    type_id="type",
    scopes="types",
    draft=shape(
        "key:key name:localized description?:localized resourceTypeIds:text* fieldDefinitions?:<field>*", field=_FIELD
    ),
    build=_build,
    may_delete=_may_delete,
)
TYPES.setter("setDescription", "description", "localized")


@TYPES.action("changeKey", "key:key")
def _change_key(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["key"] = args["key"]


@TYPES.action("changeName", "name:localized")
def _change_name(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["name"] = args["name"]


@TYPES.action("addFieldDefinition", "fieldDefinition:<field>", field=_FIELD)
def _add(project: Project, row: Row, args: dict[str, Any]) -> None:
    _add_field(project, row, _field(args["fieldDefinition"]))


@TYPES.action("removeFieldDefinition", "fieldName:text")
def _remove(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["fieldDefinitions"].remove(_definition(row, args["fieldName"]))


@TYPES.action("changeFieldDefinitionOrder", "fieldNames:text*")
def _order(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["fieldDefinitions"] = _reordered(row["fieldDefinitions"], "name", args["fieldNames"])


def _reordered(rows: list[Row], field: str, names: list[str]) -> list[Row]:
    by_name = {row[field]: row for row in rows}
    if sorted(by_name) != sorted(names):
        raise invalid_operation("The new order must name each existing one exactly once.")
    return [by_name[name] for name in names]


@TYPES.action("changeLabel", "fieldName:text label:localized")
@TYPES.action("changeFieldDefinitionLabel", "fieldName:text label:localized")
def _label(_project: Project, row: Row, args: dict[str, Any]) -> None:
    _definition(row, args["fieldName"])["label"] = args["label"]


@TYPES.action("changeInputHint", "fieldName:text inputHint:text")
def _hint(_project: Project, row: Row, args: dict[str, Any]) -> None:
    if args["inputHint"] not in _HINTS:
        raise invalid_field("inputHint", args["inputHint"], list(_HINTS))
    _definition(row, args["fieldName"])["inputHint"] = args["inputHint"]


def _declare_enum(word: str, kind: str, label: str) -> None:
    """The three actions on the values of enum fields, and again for localized ones."""
    value = shape(f"key:text label:{label}")

    @TYPES.action(f"add{word}Value", "fieldName:text value:<value>", value=value)
    def _add_value(_project: Project, row: Row, args: dict[str, Any]) -> None:
        values = _definition(row, args["fieldName"], kind)["type"]["values"]
        if any(one["key"] == args["value"]["key"] for one in values):
            raise duplicate_field("key", args["value"]["key"])
        values.append(args["value"])

    @TYPES.action(f"change{word}ValueLabel", "fieldName:text value:<value>", value=value)
    def _label_value(_project: Project, row: Row, args: dict[str, Any]) -> None:
        values = _definition(row, args["fieldName"], kind)["type"]["values"]
        place = next((at for at, one in enumerate(values) if one["key"] == args["value"]["key"]), None)
        if place is None:
            raise invalid_operation(f"There is no value '{args['value']['key']}'.")
        values[place] = args["value"]

    @TYPES.action(f"change{word}ValueOrder", "fieldName:text keys:text*")
    def _order_values(_project: Project, row: Row, args: dict[str, Any]) -> None:
        field_type = _definition(row, args["fieldName"], kind)["type"]
        field_type["values"] = _reordered(field_type["values"], "key", args["keys"])


_declare_enum("Enum", "Enum", "text")
_declare_enum("LocalizedEnum", "LocalizedEnum", "localized")
