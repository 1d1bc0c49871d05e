"""Business units: companies and their divisions, their people and stores, and what a division inherits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.sandbox.commercetools import addresses
from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of
from syncd.sandbox.commercetools.customers import (
    ASSIGNMENT,
    assignments,
    declare_assignments,
    declare_stores,
    place_addresses,
)
from syncd.sandbox.commercetools.errors import (
    ApiError,
    invalid_field,
    invalid_input,
    invalid_operation,
    not_found,
    reference_exists,
    required_field,
)
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape
from syncd.sandbox.commercetools.shop_fabric import store_reference

DEPTH = 5
ASSOCIATES = 2_000
ROLES_EACH = 5
_STATUS = ["Active", "Inactive"]
_INHERITING = {"storeMode": "FromParent", "associateMode": "ExplicitAndFromParent",
               "approvalRuleMode": "ExplicitAndFromParent"}  # fmt: skip
_ROLE = shape("associateRole:ri=associate-role inheritance?:text")
_ASSOCIATE = shape("customer:ri=customer associateRoleAssignments:<role>*", role=_ROLE)
_DRAFT = shape(
    "key:key unitType:text name:text status?:text contactEmail?:text parentUnit?:ri=business-unit stores?:ri=store* "
    "storeMode?:text associateMode?:text approvalRuleMode?:text associates?:<associate>* addresses?:address* "
    "defaultShippingAddress?:int shippingAddresses?:int* defaultBillingAddress?:int billingAddresses?:int* "
    "customerGroupAssignments?:<assignment>* custom?:custom",
    associate=_ASSOCIATE,
    assignment=ASSIGNMENT,
)


def _build(project: Project, draft: dict[str, Any]) -> Row:
    kind = _one_of("unitType", draft["unitType"], ["Company", "Division"])
    row: Row = {name: draft[name] for name in ("key", "name", "contactEmail") if name in draft}
    row |= {"unitType": kind, "status": _one_of("status", draft.get("status", "Active"), _STATUS)}
    for mode, inheriting in _INHERITING.items():
        default = "Explicit" if kind == "Company" else inheriting
        row[mode] = _mode(row, mode, draft.get(mode, default))
    _place(project, row, draft.get("parentUnit"))
    if "stores" in draft and row["storeMode"] != "Explicit":
        raise invalid_operation("Stores can only be set when the store mode is Explicit.")
    if row["storeMode"] == "Explicit":
        row["stores"] = [store_reference(project, one) for one in draft.get("stores", ())]
    row["associates"] = _associates(project, draft.get("associates", ()))
    row["addresses"] = [addresses.new_address(project, one) for one in draft.get("addresses", ())]
    addresses.check_keys(row["addresses"])
    for role in addresses.ROLES:
        place_addresses(row, role, draft)
    row["customerGroupAssignments"] = assignments(project, draft.get("customerGroupAssignments", ()))
    if "custom" in draft:
        row["custom"] = custom_of(project, "business-unit", draft["custom"])
    return row


def _one_of(field: str, value: str, allowed: list[str]) -> str:
    if value not in allowed:
        raise invalid_field(field, value, list(allowed))
    return value


def _mode(row: Row, mode: str, value: str) -> str:
    _one_of(mode, value, ["Explicit", _INHERITING[mode]])
    if row["unitType"] == "Company" and value != "Explicit":
        raise invalid_operation(f"The {mode} of a Company is always Explicit.")
    return value


def _place(project: Project, row: Row, identifier: Mapping[str, str] | None) -> None:
    """Put a unit under its parent. Raises ``ApiError``."""
    if row["unitType"] == "Company":
        if identifier is not None:
            raise invalid_operation("A Company can not have a parent unit.")
        row.pop("parentUnit", None)
        row["topLevelUnit"] = {"typeId": "business-unit", "key": row["key"]}
        return
    if identifier is None:
        raise required_field("parentUnit")
    parent = project.find(identifier)
    above = [parent, *_ancestors(project, parent)]
    if any(one["key"] == row["key"] for one in above):
        raise invalid_operation("A business unit can not be placed under itself.")
    if len(above) + _height(project, row) > DEPTH:
        raise invalid_operation(f"Business units can be at most {DEPTH} levels deep.")
    row["parentUnit"] = {"typeId": "business-unit", "key": parent["key"]}
    row["topLevelUnit"] = parent["topLevelUnit"]


def _ancestors(project: Project, row: Row) -> Iterator[Row]:
    units = project.collections["business-units"]
    while "parentUnit" in row:
        above = units.get(units.holder("key", row["parentUnit"]["key"]) or "")
        if above is None:
            return
        yield above
        row = above


def _children(project: Project, row: Row) -> list[Row]:
    units = project.collections["business-units"]
    found = (units.get(id_) for id_ in units.holders("parentUnit.key", [row["key"]]) or ())
    return [one for one in found if one is not None]


def _height(project: Project, row: Row) -> int:
    return 1 + max((_height(project, one) for one in _children(project, row)), default=0)


# -- people


def _associates(project: Project, drafts: Any) -> list[Row]:
    made: list[Row] = []
    for draft in drafts:
        _add_associate(made, _associate(project, draft))
    return made


def _associate(project: Project, draft: Row) -> Row:
    given = draft["associateRoleAssignments"]
    if len(given) > ROLES_EACH:
        raise _too_many("associate-role", f"An associate takes at most {ROLES_EACH} role assignments.")
    return {
        "associateRoleAssignments": [
            {
                "associateRole": {"typeId": "associate-role", "key": project.find(one["associateRole"])["key"]},
                "inheritance": _one_of("inheritance", one.get("inheritance", "Disabled"), ["Enabled", "Disabled"]),
            }
            for one in given
        ],
        "customer": project.reference(draft["customer"]),
    }


def _add_associate(held: list[Row], added: Row) -> None:
    if any(one["customer"] == added["customer"] for one in held):
        raise invalid_operation("The customer is an associate of the business unit already.")
    if len(held) >= ASSOCIATES:
        raise _too_many("associate", f"A business unit takes at most {ASSOCIATES} associates.")
    held.append(added)


def _too_many(resource: str, message: str) -> ApiError:
    return ApiError(400, "MaxResourceLimitExceeded", message, exceededResource=resource)


def associate_of(project: Project, unit: Row, customer_id: str) -> Row:
    """What somebody may do in a unit, by own and inherited roles. Raises ``ApiError`` 404."""
    own, inherited = (
        [project.find(one["associateRole"]) for held in unit.get(name, ()) if held["customer"]["id"] == customer_id
         for one in held["associateRoleAssignments"]]
        for name in ("associates", "inheritedAssociates")
    )  # fmt: skip
    people = [one["customer"]["id"] for name in ("associates", "inheritedAssociates") for one in unit.get(name, ())]
    if customer_id not in people:
        raise not_found(f"The Resource with ID '{customer_id}' was not found.")
    allowed = dict.fromkeys(one for role in (*own, *inherited) for one in role["permissions"])
    reference = {"typeId": "customer", "id": customer_id}
    return {"customer": reference, "associateRoles": own, "inheritedAssociateRoles": inherited,
            "permissions": list(allowed)}  # fmt: skip


# -- what is inherited


def _settled(project: Project, before: Row | None, after: Row | None) -> None:
    """What divisions inherit follows without their version rising: the lists are no edits of theirs."""
    changed = after or before
    if changed is not None:
        _inherit(project, changed["key"])


def _inherit(project: Project, key: str) -> None:
    units = project.collections["business-units"]
    row = units.get(units.holder("key", key) or "")
    if row is None:
        return
    derived = {**row, **_inherited(project, row)}
    if "parentUnit" in row:
        derived["topLevelUnit"] = next(iter(list(_ancestors(project, row))[-1:]), row)["topLevelUnit"]
    if derived != row:
        units.put(derived)
    for child in _children(project, row):
        _inherit(project, child["key"])


def _inherited(project: Project, row: Row) -> Row:
    made: Row = {}
    above = list(_ancestors(project, row))
    if row["storeMode"] == "FromParent":
        made["inheritedStores"] = next((one["stores"] for one in above if one["storeMode"] == "Explicit"), [])
    if row["associateMode"] == "Explicit":
        return made
    people: dict[str, Row] = {}
    for unit in above:
        source = {"typeId": "business-unit", "key": unit["key"]}
        for associate in unit["associates"]:
            passed = [
                {"associateRole": one["associateRole"], "source": source}
                for one in associate["associateRoleAssignments"]
                if one["inheritance"] == "Enabled"
            ]
            if passed:
                fresh: Row = {"associateRoleAssignments": [], "customer": associate["customer"]}
                held = people.setdefault(associate["customer"]["id"], fresh)
                held["associateRoleAssignments"] += passed
        if unit["associateMode"] == "Explicit":
            break
    return made | {"inheritedAssociates": list(people.values())}


def _finish(_project: Project, row: Row) -> None:
    """Members that the modes leave without meaning."""
    if row["storeMode"] == "FromParent":
        row.pop("stores", None)
    else:
        row.pop("inheritedStores", None)
        row.setdefault("stores", [])
    if row["associateMode"] == "Explicit":
        row.pop("inheritedAssociates", None)


def _may_delete(project: Project, row: Row) -> None:
    if _children(project, row):
        raise reference_exists("business-unit", "business-unit")
    for type_id, path in (("cart", "carts"), ("order", "orders"), ("quote", "quotes")):
        if project.collections[path].is_used("businessUnit.key", row["key"]):
            raise reference_exists("business-unit", type_id)


UNITS = Resource(
    path="business-units",
    type_id="business-unit",
    scopes="business_units",
    draft=_DRAFT,
    build=_build,
    custom_type="business-unit",
    finish=_finish,
    may_delete=_may_delete,
    settled=_settled,
)
UNITS.customizable()
UNITS.setter("setContactEmail", "contactEmail")
addresses.declare(UNITS)
declare_assignments(UNITS)


def _stores_are_own(row: Row) -> None:
    if row["storeMode"] != "Explicit":
        raise invalid_operation("Stores can only be changed when the store mode is Explicit.")


declare_stores(UNITS, _stores_are_own)


@UNITS.action("changeName", "name:text")
def _rename(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["name"] = args["name"]


@UNITS.action("changeStatus", "status:text")
def _status(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["status"] = _one_of("status", args["status"], _STATUS)


@UNITS.action("changeParentUnit", "parentUnit:ri=business-unit")
def _move(project: Project, row: Row, args: dict[str, Any]) -> None:
    if row["unitType"] != "Division":
        raise invalid_operation("Only a Division has a parent unit.")
    _place(project, row, args["parentUnit"])


@UNITS.action("setUnitType", "unitType:text parentUnit?:ri=business-unit")
def _set_type(project: Project, row: Row, args: dict[str, Any]) -> None:
    kind = _one_of("unitType", args["unitType"], ["Company", "Division"])
    if kind == "Company" and any(row[mode] != "Explicit" for mode in _INHERITING):
        raise invalid_operation("All modes of a Company must be Explicit.")
    row["unitType"] = kind
    _place(project, row, args.get("parentUnit"))


@UNITS.action("setStoreMode", "storeMode:text stores?:ri=store*")
def _store_mode(project: Project, row: Row, args: dict[str, Any]) -> None:
    row["storeMode"] = _mode(row, "storeMode", args["storeMode"])
    if row["storeMode"] == "Explicit":
        row["stores"] = [store_reference(project, one) for one in args.get("stores", ())]
    elif "stores" in args:
        raise invalid_input("Stores can only be set when the store mode is Explicit.")


@UNITS.action("changeAssociateMode", "associateMode:text makeInheritedAssociatesExplicit?:bool")
def _associate_mode(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["associateMode"] = _mode(row, "associateMode", args["associateMode"])
    if row["associateMode"] != "Explicit" or not args.get("makeInheritedAssociatesExplicit"):
        return
    own = {one["customer"]["id"] for one in row["associates"]}
    for one in row.get("inheritedAssociates", ()):
        if one["customer"]["id"] not in own:
            given = [
                {"associateRole": held["associateRole"], "inheritance": "Enabled"}
                for held in one["associateRoleAssignments"]
            ]
            _add_associate(row["associates"], {"associateRoleAssignments": given, "customer": one["customer"]})


@UNITS.action("changeApprovalRuleMode", "approvalRuleMode:text")
def _rule_mode(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["approvalRuleMode"] = _mode(row, "approvalRuleMode", args["approvalRuleMode"])


@UNITS.action("addAssociate", "associate:<associate>", associate=_ASSOCIATE)
def _add(project: Project, row: Row, args: dict[str, Any]) -> None:
    _add_associate(row["associates"], _associate(project, args["associate"]))


@UNITS.action("changeAssociate", "associate:<associate>", associate=_ASSOCIATE)
def _change(project: Project, row: Row, args: dict[str, Any]) -> None:
    changed = _associate(project, args["associate"])
    row["associates"][_position(row, changed["customer"])] = changed


@UNITS.action("removeAssociate", "customer:ri=customer")
def _remove(project: Project, row: Row, args: dict[str, Any]) -> None:
    del row["associates"][_position(row, project.reference(args["customer"]))]


@UNITS.action("setAssociates", "associates:<associate>*", associate=_ASSOCIATE)
def _set(project: Project, row: Row, args: dict[str, Any]) -> None:
    row["associates"] = _associates(project, args["associates"])


def _position(row: Row, customer: Row) -> int:
    for place, one in enumerate(row["associates"]):
        if one["customer"] == customer:
            return place
    raise invalid_operation("The customer is no associate of the business unit.")
