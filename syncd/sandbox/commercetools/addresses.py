"""A customer's addresses and the lists that point to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of, set_custom_field, set_custom_type
from syncd.sandbox.commercetools.errors import duplicate_field, invalid_operation
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.resource import Change, Resource

ROLES = ("Shipping", "Billing")


def new_address(project: Project, draft: Mapping[str, Any]) -> Row:
    """An address of a draft, with an id of the server's making. Raises ``ApiError``."""
    address: Row = {"id": f"{project.dice.getrandbits(40):08x}", **draft}
    if "custom" in draft:
        address["custom"] = custom_of(project, "address", draft["custom"])
    return address


def find_address(row: Row, args: Mapping[str, Any]) -> Row:
    """By ``addressId`` or ``addressKey``. Raises ``ApiError`` InvalidOperation."""
    field = "id" if "addressId" in args else "key"
    wanted = args.get("addressId", args.get("addressKey"))
    if wanted is None or ("addressId" in args and "addressKey" in args):
        raise invalid_operation("Exactly one of 'addressId' and 'addressKey' is required.")
    for address in row["addresses"]:
        if address.get(field) == wanted:
            found: Row = address
            return found
    raise invalid_operation(f"The customer has no address with {field} '{wanted}'.")


def check_keys(addresses: list[Row]) -> None:
    keys = [address["key"] for address in addresses if "key" in address]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise duplicate_field("key", key)


def assign(row: Row, role: str, id_: str) -> None:
    ids = row[f"{role.lower()}AddressIds"]
    if id_ not in ids:
        ids.append(id_)


def declare(resource: Resource) -> None:
    """The address actions that customers (and business units) share."""
    one = "addressId?:text addressKey?:text"

    @resource.action("addAddress", "address:address")
    def _add(project: Project, row: Row, args: dict[str, Any]) -> None:
        row["addresses"].append(new_address(project, {k: v for k, v in args["address"].items() if k != "id"}))
        check_keys(row["addresses"])

    @resource.action("changeAddress", f"{one} address:address")
    def _change(project: Project, row: Row, args: dict[str, Any]) -> None:
        old = find_address(row, args)
        fresh = {**new_address(project, args["address"]), "id": old["id"]}
        row["addresses"][row["addresses"].index(old)] = fresh
        check_keys(row["addresses"])

    @resource.action("removeAddress", one)
    def _remove(_project: Project, row: Row, args: dict[str, Any]) -> None:
        gone = find_address(row, args)
        row["addresses"].remove(gone)
        for role in ROLES:
            ids = row[f"{role.lower()}AddressIds"]
            row[f"{role.lower()}AddressIds"] = [id_ for id_ in ids if id_ != gone["id"]]
            if row.get(f"default{role}AddressId") == gone["id"]:
                del row[f"default{role}AddressId"]

    @resource.action("setAddressCustomType", "addressId:text type?:ri=type fields?:object")
    def _type(project: Project, row: Row, args: dict[str, Any]) -> None:
        set_custom_type(project, "address", find_address(row, args), args)

    @resource.action("setAddressCustomField", "addressId:text name:text value?:any")
    def _field(project: Project, row: Row, args: dict[str, Any]) -> None:
        set_custom_field(project, find_address(row, args), args)

    for role in ROLES:
        resource.action(f"setDefault{role}Address", one)(_default(role))
        resource.action(f"add{role}AddressId", one)(_listed(role))
        resource.action(f"remove{role}AddressId", one)(_unlisted(role))


def _default(role: str) -> Change:
    def change(_project: Project, row: Row, args: dict[str, Any]) -> None:
        if "addressId" not in args and "addressKey" not in args:
            row.pop(f"default{role}AddressId", None)
            return
        address = find_address(row, args)
        row[f"default{role}AddressId"] = address["id"]
        assign(row, role, address["id"])

    return change


def _listed(role: str) -> Change:
    def change(_project: Project, row: Row, args: dict[str, Any]) -> None:
        assign(row, role, find_address(row, args)["id"])

    return change


def _unlisted(role: str) -> Change:
    def change(_project: Project, row: Row, args: dict[str, Any]) -> None:
        address = find_address(row, args)
        ids = row[f"{role.lower()}AddressIds"]
        if address["id"] not in ids:
            raise invalid_operation(f"The address '{address['id']}' is no {role.lower()} address of the customer.")
        ids.remove(address["id"])
        if row.get(f"default{role}AddressId") == address["id"]:
            del row[f"default{role}AddressId"]

    return change
