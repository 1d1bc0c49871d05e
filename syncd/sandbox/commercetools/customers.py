"""Customers and customer groups."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from syncd.sandbox.commercetools import addresses
from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of
from syncd.sandbox.commercetools.errors import (
    invalid_field,
    invalid_input,
    invalid_operation,
    reference_exists,
    required_field,
)
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape

# Loose on purpose, as the platform is: what it takes others may refuse.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PLAIN = ("externalId", "firstName", "lastName", "middleName", "title", "salutation", "companyName", "vatId")
_MODES = ["Password", "ExternalAuth"]
_ASSIGNMENT = shape("customerGroup:ri=customer-group")

_DRAFT = shape(
    "email:text key?:key customerNumber?:text password?:text authenticationMode?:text isEmailVerified?:bool "
    "dateOfBirth?:date locale?:text addresses?:address* defaultShippingAddress?:int shippingAddresses?:int* "
    "defaultBillingAddress?:int billingAddresses?:int* customerGroup?:ri=customer-group "
    "customerGroupAssignments?:<assignment>* stores?:ri=store* custom?:custom anonymousCartId?:text "
    "anonymousCart?:ri=cart anonymousId?:text " + " ".join(f"{name}?:text" for name in _PLAIN),
    assignment=_ASSIGNMENT,
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
        _place_addresses(row, role, draft)
    if "customerGroup" in draft:
        row["customerGroup"] = project.reference(draft["customerGroup"])
    row["customerGroupAssignments"] = _assignments(project, draft.get("customerGroupAssignments", ()))
    row["stores"] = [_store(one) for one in draft.get("stores", ())]
    if "custom" in draft:
        row["custom"] = custom_of(project, "customer", draft["custom"])
    return row


def _place_addresses(row: Row, role: str, draft: Mapping[str, Any]) -> None:
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


def _assignments(project: Project, drafts: Any) -> list[Row]:
    return [{"customerGroup": project.reference(one["customerGroup"])} for one in drafts]


def _store(identifier: Mapping[str, str]) -> Row:
    # Stores are not simulated: any key is taken for one.
    if "key" not in identifier:
        raise invalid_operation("Stores are known by key here.")
    return {"typeId": "store", "key": identifier["key"]}


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


@CUSTOMERS.action("setCustomerGroupAssignments", "customerGroupAssignments?:<assignment>*", assignment=_ASSIGNMENT)
def _set_assignments(project: Project, row: Row, args: dict[str, Any]) -> None:
    row["customerGroupAssignments"] = _assignments(project, args.get("customerGroupAssignments", ()))


@CUSTOMERS.action("addCustomerGroupAssignment", "customerGroupAssignment:<assignment>", assignment=_ASSIGNMENT)
def _add_assignment(project: Project, row: Row, args: dict[str, Any]) -> None:
    added = _assignments(project, [args["customerGroupAssignment"]])[0]
    if added not in row["customerGroupAssignments"]:
        row["customerGroupAssignments"].append(added)


@CUSTOMERS.action("removeCustomerGroupAssignment", "customerGroup:ri=customer-group")
def _remove_assignment(project: Project, row: Row, args: dict[str, Any]) -> None:
    gone = {"customerGroup": project.reference(args["customerGroup"])}
    if gone not in row["customerGroupAssignments"]:
        raise invalid_operation("The customer is not assigned to this customer group.")
    row["customerGroupAssignments"].remove(gone)


@CUSTOMERS.action("setStores", "stores:ri=store*")
def _set_stores(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["stores"] = [_store(one) for one in args["stores"]]


@CUSTOMERS.action("addStore", "store:ri=store")
def _add_store(_project: Project, row: Row, args: dict[str, Any]) -> None:
    if _store(args["store"]) not in row["stores"]:
        row["stores"].append(_store(args["store"]))


@CUSTOMERS.action("removeStore", "store:ri=store")
def _remove_store(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["stores"] = [one for one in row["stores"] if one != _store(args["store"])]


# -- groups


def _build_group(project: Project, draft: dict[str, Any]) -> Row:
    row: Row = {"name": draft["groupName"]}
    if "key" in draft:
        row["key"] = draft["key"]
    if "custom" in draft:
        row["custom"] = custom_of(project, "customer-group", draft["custom"])
    return row


def _may_delete_group(project: Project, row: Row) -> None:
    if project.collections["customers"].is_used("customerGroup.id", row["id"]):
        raise reference_exists("customer-group", "customer")


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
