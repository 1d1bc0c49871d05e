"""Customers and customer groups."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from syncd.sandbox.commercetools import addresses
from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of
from syncd.sandbox.commercetools.errors import (
    ApiError,
    invalid_field,
    invalid_input,
    invalid_operation,
    reference_exists,
    required_field,
)
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape
from syncd.sandbox.commercetools.shop_fabric import store_reference

# Loose on purpose, as the platform is: what it takes others may refuse.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PLAIN = ("externalId", "firstName", "lastName", "middleName", "title", "salutation", "companyName", "vatId")
_MODES = ["Password", "ExternalAuth"]
GROUPS_EACH = 500
ASSIGNMENT = shape("customerGroup:ri=customer-group")

_DRAFT = shape(
    "email:text key?:key customerNumber?:text password?:text authenticationMode?:text isEmailVerified?:bool "
    "dateOfBirth?:date locale?:text addresses?:address* defaultShippingAddress?:int shippingAddresses?:int* "
    "defaultBillingAddress?:int billingAddresses?:int* customerGroup?:ri=customer-group "
    "customerGroupAssignments?:<assignment>* stores?:ri=store* custom?:custom anonymousCartId?:text "
    "anonymousCart?:ri=cart anonymousId?:text " + " ".join(f"{name}?:text" for name in _PLAIN),
    assignment=ASSIGNMENT,
)


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise invalid_field("email", value)
    return value


def _masked(password: str) -> str:
    return "****" + base64.b64encode(hashlib.sha256(password.encode()).digest()).decode()[-4:]


def _authentication(mode: str, password: str | None) -> dict[str, str]:
    if mode not in _MODES:
        raise invalid_field("authenticationMode", mode, list(_MODES))
    if mode == "ExternalAuth":
        return {"authenticationMode": mode}
    if not password:
        raise required_field("password")
    return {"authenticationMode": mode, "password": _masked(password)}


def _build(project: Project, draft: dict[str, Any]) -> Row:
    row: Row = {name: draft[name] for name in ("key", "customerNumber", "dateOfBirth", *_PLAIN) if name in draft}
    row["email"] = _email(draft["email"])
    row |= _authentication(draft.get("authenticationMode", "Password"), draft.get("password"))
    row["isEmailVerified"] = draft.get("isEmailVerified", False)
    if "locale" in draft:
        row["locale"] = project.check_locale(draft["locale"])
    row["addresses"] = [addresses.new_address(project, one) for one in draft.get("addresses", ())]
    addresses.check_keys(row["addresses"])
    for role in addresses.ROLES:
        place_addresses(row, role, draft)
    if "customerGroup" in draft:
        row["customerGroup"] = project.reference(draft["customerGroup"])
    row["customerGroupAssignments"] = assignments(project, draft.get("customerGroupAssignments", ()))
    row["stores"] = [store_reference(project, one) for one in draft.get("stores", ())]
    if "custom" in draft:
        row["custom"] = custom_of(project, "customer", draft["custom"])
    return row


def place_addresses(row: Row, role: str, draft: Mapping[str, Any]) -> None:
    """The draft points to its addresses by place, the resource by id."""
    row[f"{role.lower()}AddressIds"] = []
    for place in draft.get(f"{role.lower()}Addresses", ()):
        addresses.assign(row, role, _address_at(row, place))
    default = draft.get(f"default{role}Address")
    if default is not None:
        row[f"default{role}AddressId"] = _address_at(row, default)
        addresses.assign(row, role, row[f"default{role}AddressId"])


def _address_at(row: Row, place: int) -> str:
    if not 0 <= place < len(row["addresses"]):
        raise invalid_input(f"There is no address at index {place}.")
    id_: str = row["addresses"][place]["id"]
    return id_


def assignments(project: Project, drafts: Any) -> list[Row]:
    return _check_assignments([{"customerGroup": project.reference(one["customerGroup"])} for one in drafts])


def _check_assignments(made: list[Row]) -> list[Row]:
    if len(made) > GROUPS_EACH:
        message = f"At most {GROUPS_EACH} customer groups can be assigned."
        raise ApiError(400, "MaxResourceLimitExceeded", message, exceededResource="customer-group")
    return made


def declare_assignments(resource: Resource) -> None:
    """Customer groups of customers and of business units."""

    @resource.action("setCustomerGroupAssignments", "customerGroupAssignments?:<assignment>*", assignment=ASSIGNMENT)
    def _set(project: Project, row: Row, args: dict[str, Any]) -> None:
        row["customerGroupAssignments"] = assignments(project, args.get("customerGroupAssignments", ()))

    @resource.action("addCustomerGroupAssignment", "customerGroupAssignment:<assignment>", assignment=ASSIGNMENT)
    def _add(project: Project, row: Row, args: dict[str, Any]) -> None:
        added = assignments(project, [args["customerGroupAssignment"]])[0]
        if added not in row["customerGroupAssignments"]:
            row["customerGroupAssignments"].append(added)
            _check_assignments(row["customerGroupAssignments"])

    @resource.action("removeCustomerGroupAssignment", "customerGroup:ri=customer-group")
    def _remove(project: Project, row: Row, args: dict[str, Any]) -> None:
        gone = {"customerGroup": project.reference(args["customerGroup"])}
        if gone not in row["customerGroupAssignments"]:
            raise invalid_operation("It is not assigned to this customer group.")
        row["customerGroupAssignments"].remove(gone)


def declare_stores(resource: Resource, allowed: Callable[[Row], None] = lambda _row: None) -> None:
    """Stores of customers and of business units; ``allowed`` raises where they are not its own."""

    @resource.action("setStores", "stores:ri=store*")
    def _set(project: Project, row: Row, args: dict[str, Any]) -> None:
        allowed(row)
        row["stores"] = [store_reference(project, one) for one in args["stores"]]

    @resource.action("addStore", "store:ri=store")
    def _add(project: Project, row: Row, args: dict[str, Any]) -> None:
        allowed(row)
        store = store_reference(project, args["store"])
        if store not in row["stores"]:
            row["stores"].append(store)

    @resource.action("removeStore", "store:ri=store")
    def _remove(project: Project, row: Row, args: dict[str, Any]) -> None:
        allowed(row)
        gone = store_reference(project, args["store"])
        row["stores"] = [one for one in row["stores"] if one != gone]


CUSTOMERS = Resource(
    path="customers", type_id="customer", scopes="customers", draft=_DRAFT, build=_build, custom_type="customer"
)
CUSTOMERS.customizable()
addresses.declare(CUSTOMERS)
for _name in _PLAIN:
    CUSTOMERS.setter(f"set{_name[0].upper()}{_name[1:]}", _name)
CUSTOMERS.setter("setDateOfBirth", "dateOfBirth", "date")
CUSTOMERS.setter("setKey", "key", "key")
CUSTOMERS.setter("setCustomerGroup", "customerGroup", "ri=customer-group")


@CUSTOMERS.action("changeEmail", "email:text")
def _change_email(_project: Project, row: Row, args: dict[str, Any]) -> None:
    if row["email"] != args["email"]:
        row["email"] = _email(args["email"])
        row["isEmailVerified"] = False


@CUSTOMERS.action("setLocale", "locale?:text")
def _set_locale(project: Project, row: Row, args: dict[str, Any]) -> None:
    if "locale" in args:
        row["locale"] = project.check_locale(args["locale"])
    else:
        row.pop("locale", None)


@CUSTOMERS.action("setCustomerNumber", "customerNumber?:text")
def _set_number(_project: Project, row: Row, args: dict[str, Any]) -> None:
    if "customerNumber" in row and args.get("customerNumber") != row["customerNumber"]:
        raise invalid_operation("The customer number is already set and cannot be changed.")
    if "customerNumber" in args:
        row["customerNumber"] = args["customerNumber"]


@CUSTOMERS.action("setAuthenticationMode", "authMode:text password?:text")
def _set_mode(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row.pop("password", None)
    row.update(_authentication(args["authMode"], args.get("password")))


declare_assignments(CUSTOMERS)
declare_stores(CUSTOMERS)


# -- groups


def _build_group(project: Project, draft: dict[str, Any]) -> Row:
    row: Row = {"name": draft["groupName"]}
    if "key" in draft:
        row["key"] = draft["key"]
    if "custom" in draft:
        row["custom"] = custom_of(project, "customer-group", draft["custom"])
    return row


def _may_delete_group(project: Project, row: Row) -> None:
    for type_id, path in (("customer", "customers"), ("standalone-price", "standalone-prices")):
        if project.collections[path].is_used("customerGroup.id", row["id"]):
            raise reference_exists("customer-group", type_id)
    mine = {"customerGroup": {"typeId": "customer-group", "id": row["id"]}}
    for type_id, path in (("customer", "customers"), ("business-unit", "business-units")):
        rows = project.collections[path]
        if any(mine in _assigned(rows.get(id_)) for id_ in rows.ids() if row["id"].encode() in rows.raw(id_)):
            raise reference_exists("customer-group", type_id)


def _assigned(row: Row | None) -> list[Row]:
    return row["customerGroupAssignments"] if row else []


GROUPS = Resource(
    path="customer-groups",
    type_id="customer-group",
    scopes="customer_groups",
    draft=shape("groupName:text key?:key custom?:custom"),
    build=_build_group,
    custom_type="customer-group",
    may_delete=_may_delete_group,
)
GROUPS.customizable()
GROUPS.setter("setKey", "key", "key")


@GROUPS.action("changeName", "name:text")
def _rename(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["name"] = args["name"]
