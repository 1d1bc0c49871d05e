"""Product types: which attributes products may have."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.errors import ApiError, duplicate_field, invalid_operation, reference_exists
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape

_DEFINITION = shape(
    "type:object name:text label:localized isRequired:bool level?:text attributeConstraint?:text inputTip?:localized "
    "inputHint?:text isSearchable?:bool"
)


def _build(_project: Project, draft: dict[str, Any]) -> Row:
    row: Row = {name: draft[name] for name in ("key", "name", "description") if name in draft}
    row["attributes"] = []
    for one in draft.get("attributes", ()):
        _add(row, one)
    return row


def _add(row: Row, draft: Row) -> None:
    if any(one["name"] == draft["name"] for one in row["attributes"]):
        raise duplicate_field("attributes", draft["name"])
    defaults = {"level": "Variant", "attributeConstraint": "None", "inputHint": "SingleLine", "isSearchable": True}
    row["attributes"].append({**defaults, **draft})


def _find(row: Row, name: str) -> Row:
    for one in row["attributes"]:
        if one["name"] == name:
            found: Row = one
            return found
    text = f"The product type has no attribute '{name}'."
    raise ApiError(400, "AttributeNameDoesNotExist", text, invalidAttributeName=name)


def _may_delete(project: Project, row: Row) -> None:
    if project.collections["products"].is_used("productType.id", row["id"]):
        raise reference_exists("product-type", "product")


PRODUCT_TYPES = Resource(
    path="product-types",
    type_id="product-type",
    scopes="products",
    draft=shape("name:text description:text key?:key attributes?:<definition>*", definition=_DEFINITION),
    build=_build,
    may_delete=_may_delete,
)
PRODUCT_TYPES.setter("setKey", "key", "key")


@PRODUCT_TYPES.action("changeName", "name:text")
def _rename(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["name"] = args["name"]


@PRODUCT_TYPES.action("changeDescription", "description:text")
def _describe(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["description"] = args["description"]


@PRODUCT_TYPES.action("addAttributeDefinition", "attribute:<definition>", definition=_DEFINITION)
def _add_definition(_project: Project, row: Row, args: dict[str, Any]) -> None:
    _add(row, args["attribute"])


@PRODUCT_TYPES.action("removeAttributeDefinition", "name:text")
def _remove(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["attributes"].remove(_find(row, args["name"]))


@PRODUCT_TYPES.action("changeLabel", "attributeName:text label:localized")
def _label(_project: Project, row: Row, args: dict[str, Any]) -> None:
    if not args["label"]:
        raise invalid_operation("The label must not be empty.")
    _find(row, args["attributeName"])["label"] = args["label"]
