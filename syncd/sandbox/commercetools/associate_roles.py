"""Associate roles: what people may do in a business unit."""

from __future__ import annotations

from typing import Any, Final

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of
from syncd.sandbox.commercetools.errors import invalid_json, invalid_operation, reference_exists
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape


def _permissions() -> frozenset[str]:
    both = ("My", "Others")
    found = {"AddChildUnits", "UpdateAssociates", "UpdateBusinessUnitDetails", "UpdateParentUnit"}
    found |= {"CreateApprovalRules", "UpdateApprovalRules", "UpdateApprovalFlows"}
    for whose in both:
        for what in ("Carts", "ShoppingLists"):
            found |= {f"{verb}{whose}{what}" for verb in ("View", "Update", "Create", "Delete")}
        found |= {f"{verb}{whose}Orders" for verb in ("View", "Update")}
        found |= {f"{verb}{whose}Quotes" for verb in ("View", "Accept", "Decline", "Renegotiate", "Reassign")}
        found |= {f"{verb}{whose}QuoteRequests" for verb in ("View", "Update")}
    found |= {"CreateMyOrdersFromMyCarts", "CreateMyOrdersFromMyQuotes", "CreateMyQuoteRequestsFromMyCarts"}
    found |= {"CreateOrdersFromOthersCarts", "CreateOrdersFromOthersQuotes", "CreateQuoteRequestsFromOthersCarts"}
    return frozenset(found)


PERMISSIONS: Final = _permissions()


def _checked(permissions: list[str]) -> list[str]:
    for one in permissions:
        if one not in PERMISSIONS:
            raise invalid_json(f"permissions: Invalid enum value: '{one}'.")
    return list(dict.fromkeys(permissions))


def _build(project: Project, draft: dict[str, Any]) -> Row:
    row: Row = {name: draft[name] for name in ("key", "name") if name in draft}
    row |= {"buyerAssignable": draft.get("buyerAssignable", True)}
    row["permissions"] = _checked(draft.get("permissions", []))
    if "custom" in draft:
        row["custom"] = custom_of(project, "associate-role", draft["custom"])
    return row


def _may_delete(project: Project, row: Row) -> None:
    units = project.collections["business-units"]
    for unit in map(units.get, list(units.ids())):
        for associate in unit["associates"] if unit else ():
            if any(one["associateRole"]["key"] == row["key"] for one in associate["associateRoleAssignments"]):
                raise reference_exists("associate-role", "business-unit")


ROLES = Resource(
    path="associate-roles",
    type_id="associate-role",
    scopes="associate_roles",
    draft=shape("key:key name?:text buyerAssignable?:bool permissions?:text* custom?:custom"),
    build=_build,
    custom_type="associate-role",
    may_delete=_may_delete,
)
ROLES.customizable()
ROLES.setter("setName", "name")


@ROLES.action("changeBuyerAssignable", "buyerAssignable:bool")
def _assignable(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["buyerAssignable"] = args["buyerAssignable"]


@ROLES.action("setPermissions", "permissions?:text*")
def _set(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["permissions"] = _checked(args.get("permissions", []))


@ROLES.action("addPermission", "permission:text")
def _add(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["permissions"] = _checked([*row["permissions"], args["permission"]])


@ROLES.action("removePermission", "permission:text")
def _remove(_project: Project, row: Row, args: dict[str, Any]) -> None:
    (gone,) = _checked([args["permission"]])
    if gone not in row["permissions"]:
        raise invalid_operation(f"The role has no permission '{gone}'.")
    row["permissions"].remove(gone)
