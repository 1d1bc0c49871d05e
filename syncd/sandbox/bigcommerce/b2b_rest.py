"""The front door of B2B Edition, its roles and permissions, addresses of companies, and what it adds to orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from syncd.sandbox.bigcommerce import b2b_companies, b2b_users
from syncd.sandbox.bigcommerce.b2b_call import (
    bulk,
    checked,
    definitions,
    extra_fields,
    need,
    newest_first,
    page,
    refused,
    told,
)
from syncd.sandbox.bigcommerce.call import Answer, Call
from syncd.sandbox.bigcommerce.errors import ApiError
from syncd.sandbox.bigcommerce.fields import FLAG, LIST, number, text
from syncd.sandbox.bigcommerce.store import Store, moment
from syncd.sandbox.bigcommerce.table import Row

PERMISSIONS = (
    "get_addresses", "get_address_detail", "get_default_shipping", "get_default_billing", "create_address",
    "update_address", "delete_address", "get_invoices", "get_invoice_detail", "export_invoices", "get_invoice_pdf",
    "get_invoice_payments_history", "pay_invoice", "get_orders", "get_order_detail", "get_quotes", "get_quote_detail",
    "create_quote", "update_quote_message", "checkout_with_quote", "get_quote_pdf", "get_shopping_lists",
    "get_shopping_list_detail", "create_shopping_list", "deplicate_shopping_list", "update_shopping_list",
    "submit_shopping_list_for_approval", "approve_draft_shopping_list", "delete_shopping_list",
    "create_shopping_list_item", "update_shopping_list_item", "delete_shopping_list_item", "get_users",
    "get_user_detail", "create_user", "update_user", "delete_user", "get_roles", "purchase_enable",
    "get_company_subsidiaries",
)  # fmt: skip
_LEVELS = (1, 2, 3)
_ENRICH_SECONDS = 10
_YEAR_SECONDS = 365 * 86_400


def answer(call: Call) -> Answer:
    """One call of B2B Edition. Raises ``ApiError``."""
    match call.rest:
        case ["companies", "roles", *rest]:
            return _roles(call, rest)
        case ["companies", "permissions", *rest]:
            return _permissions(call, rest)
        case ["companies", *_]:
            return b2b_companies.answer(call)
        case ["users", *_]:
            return b2b_users.answer(call)
        case ["addresses", *rest]:
            return _addresses(call, rest)
        case ["orders", *rest]:
            return _orders(call, rest)
        case ["payments"] if call.method == "GET":
            return told([{"code": "cheque", "isEnabled": True}, {"code": "bankdeposit", "isEnabled": True}])
        case ["customers", customer, "orders", ("b2b" | "company")] if call.method == "PUT":
            return _move_orders(call, customer)
        case [("rfq" | "invoices" | "receipts" | "sales-staffs" | "super-admins"), *_]:
            raise ApiError(404, "This part of B2B Edition is not simulated")
    raise ApiError(404, "Not found")


# -- roles and permissions


def predefine(store: Store) -> None:
    """The permissions and roles every store has."""
    for code in PERMISSIONS:
        store.permissions.put({"id": store.permissions.new_id(), "code": code, "isCustom": False})
    for level, name in enumerate(("Admin", "Senior Buyer", "Junior Buyer"), start=1):
        granted = PERMISSIONS if level == 1 else PERMISSIONS[: 40 - 10 * level]
        permissions = [{"code": code, "permissionLevel": 2} for code in granted]
        row = {"id": store.roles.new_id(), "name": name, "roleType": 1, "roleLevel": level, "permissions": permissions}
        store.roles.put(row)


_ROLE = {"name": text(200, needed=True), "permissions": replace(LIST, needed=True)}


def _roles(call: Call, rest: list[str]) -> Answer:
    store = call.store
    match call.method, rest:
        case "GET", []:
            words = call.params.get("q", "").casefold()
            ids = [row["id"] for row in store.roles.rows() if words in row["name"].casefold()]
            return page(call, ids, lambda one: _listed_role(store.roles.get(one) or {}))
        case "POST", []:
            draft = _role(store, checked(call.json(), _ROLE))
            row = {"id": store.roles.new_id(), "roleType": 2, "roleLevel": 1, "permissions": [], **draft}
            store.roles.put(row)
            store.note("create", "roles", row, draft, call.actor)
            return told(row)
        case method, [raw]:
            row = need(store.roles, raw, "Role")
            if method == "GET":
                return told(row)
            if row["roleType"] == 1:
                raise refused({"id": "a predefined role cannot be changed"})
            if method == "PUT":
                change = _role(store, checked(call.json(), _ROLE))
                store.roles.put({**row, **change})
                store.note("update", "roles", row, change, call.actor)
                return told({**row, **change})
            if method == "DELETE":
                if any(user["companyRoleId"] == row["id"] for user in store.users.rows()):
                    raise refused({"id": "the role is assigned to a user"})
                store.roles.drop(row["id"])
                store.note("delete", "roles", row, {}, call.actor)
                return told({})
    raise call.not_allowed()


def _listed_role(row: Row) -> Row:
    """Lists do not show permissions."""
    return {name: value for name, value in row.items() if name != "permissions"}


def _role(store: Store, draft: Row) -> Row:
    for one in draft.get("permissions", ()):
        if not isinstance(one, Mapping) or store.permissions.holder("code", str(one.get("code", ""))) is None:
            raise refused({"permissions": "a permission does not exist"})
        if one.get("permissionLevel") not in _LEVELS:
            raise refused({"permissions": "permissionLevel must be 1, 2 or 3"})
    return draft


def _permissions(call: Call, rest: list[str]) -> Answer:
    store = call.store
    match call.method, rest:
        case "GET", []:
            words = call.params.get("q", "").casefold()
            return told([row for row in store.permissions.rows() if words in row["code"].casefold()])
        case "POST", []:
            draft = checked(call.json(), {"code": text(100, needed=True), "description": text(255)})
            if store.permissions.holder("code", draft["code"]) is not None:
                raise refused({"code": "the permission exists already"})
            row = {"id": store.permissions.new_id(), "isCustom": True, **draft}
            store.permissions.put(row)
            store.note("create", "permissions", row, draft, call.actor)
            return told(row)
    raise call.not_allowed()


# -- addresses


_ADDRESS = {
    "companyId": number(needed=True), "label": text(255), "firstName": text(100, needed=True),
    "lastName": text(100, needed=True), "phoneNumber": text(50), "addressLine1": text(255, needed=True),
    "addressLine2": text(255), "city": text(100, needed=True), "stateName": text(100), "stateCode": text(10),
    "countryName": text(100, needed=True), "countryCode": text(2, needed=True), "zipCode": text(30, needed=True),
    "isBilling": FLAG, "isShipping": FLAG, "isDefaultBilling": FLAG, "isDefaultShipping": FLAG, "externalId": text(255),
    "extraFields": LIST,
}  # fmt: skip
COUNTRIES = {"GB": "United Kingdom", "DE": "Germany", "US": "United States", "FR": "France", "NL": "Netherlands"}


def _addresses(call: Call, rest: list[str]) -> Answer:
    store = call.store
    table = store.company_addresses
    match call.method, rest:
        case "GET", []:
            ids = newest_first(call, table, {"updatedAt": "updatedAt"})
            return page(call, [one for one in ids if _is_asked(call, table.get(one) or {})],
                        lambda one: _address(table.get(one) or {}))  # fmt: skip
        case _, ["extra-fields"]:
            return definitions(call, "addresses")
        case "POST", []:
            return told({"addressId": _add_address(call, call.json())})
        case "POST", ["bulk"]:
            return told([{"addressId": _add_address(call, one)} for one in bulk(call.json())])
        case method, [raw]:
            return _one_address(call, method, need(table, raw, "Address"))
    raise call.not_allowed()


def _is_asked(call: Call, row: Row) -> bool:
    company = call.params.get("companyId")
    numbers = [value for name, value in call.request.params() if name == "externalId[]"]
    return company in (None, str(row["companyId"])) and (not numbers or row.get("externalId") in numbers)


def _address(row: Row) -> Row:
    return {"addressId": row["id"], **{name: value for name, value in row.items() if name != "id"}}


def _check_address(store: Store, draft: Mapping[str, Any]) -> None:
    if "companyId" in draft and draft["companyId"] not in store.companies:
        raise refused({"companyId": "the company does not exist"})
    code = draft.get("countryCode")
    if code and COUNTRIES.get(code, draft.get("countryName")) != draft.get("countryName"):
        raise refused({"countryName": "name and code of the country do not agree"})


def _add_address(call: Call, body: Any) -> int:
    store = call.store
    draft = checked(body, _ADDRESS)
    _check_address(store, draft)
    draft["extraFields"] = extra_fields(store, "addresses", draft.get("extraFields"), new=True)
    now = store.unix()
    row = {"id": store.company_addresses.new_id(), **draft, "createdAt": now, "updatedAt": now}
    store.company_addresses.put(row)
    store.note("create", "company_addresses", row, draft, call.actor)
    store.tell("store/company/address/created", {"company_id": row["companyId"], "address_id": row["id"]})
    return int(row["id"])


def _one_address(call: Call, method: str, row: Row) -> Answer:
    store, data = call.store, {"company_id": row["companyId"], "address_id": row["id"]}
    if method == "PUT":
        change = checked(call.json(), _ADDRESS, partial=True)
        _check_address(store, {**row, **change})
        row = {**row, **change, "updatedAt": store.unix()}
        store.company_addresses.put(row)
        store.note("update", "company_addresses", row, change, call.actor)
        store.tell("store/company/address/updated", data)
    elif method == "DELETE":
        store.company_addresses.drop(row["id"])
        store.note("delete", "company_addresses", row, {}, call.actor)
        store.tell("store/company/address/deleted", data)
    elif method != "GET":
        raise call.not_allowed()
    return told(_address(row))


# -- orders


def _orders(call: Call, rest: list[str]) -> Answer:
    store = call.store
    match call.method, rest:
        case "GET", []:
            since = store.unix() - _YEAR_SECONDS
            ids = [one for one in reversed(store.orders.ids()) if _created(store, one) >= since]
            company = call.params.get("companyId")
            kept = [one for one in ids if company in (None, str(store.b2b_orders.get(one, {}).get("companyId", "")))]
            return page(call, kept, lambda one: _order(store, one))
        case _, ["extra-fields"]:
            return definitions(call, "orders")
        case "POST", []:
            return _enrich(call)
        case method, [raw]:
            row = need(store.orders, raw, "Order")
            if method == "PUT":
                _note(call, row["id"], call.json())
            elif method != "GET":
                raise call.not_allowed()
            return told(_order(store, row["id"]))
        case "GET", [raw, "products"]:
            return told(need(store.orders, raw, "Order")["lines"])
    raise call.not_allowed()


def _created(store: Store, number_: int) -> float:
    return moment((store.orders.get(number_) or {})["date_created"]).timestamp()


def _order(store: Store, number_: int) -> Row:
    row, more = store.orders.get(number_) or {}, store.b2b_orders.get(number_, {})
    base = {"poNumber": "", "extraFields": [], "companyId": None, **more}
    return {"bcOrderId": number_, **base, "totalIncTax": row["total_inc_tax"], "status": row["status"],
            "customerId": row["customer_id"], "createdAt": str(int(_created(store, number_)))}  # fmt: skip


def _enrich(call: Call) -> Answer:
    """Makes no order: it adds to one, and only in its first ten seconds."""
    body = call.json()
    row = need(call.store.orders, str(body.get("bcOrderId", "")) if isinstance(body, Mapping) else "", "Order")
    if call.store.unix() - _created(call.store, row["id"]) > _ENRICH_SECONDS:
        raise ApiError(400, "The order was created too long ago")
    _note(call, row["id"], body)
    return told(_order(call.store, row["id"]))


def _note(call: Call, number_: int, body: Any) -> None:
    change = checked(body, {"poNumber": text(100), "extraFields": LIST}, partial=True)
    held = call.store.b2b_orders.setdefault(number_, {})
    if "extraFields" in change:
        change["extraFields"] = extra_fields(call.store, "orders", change["extraFields"], held.get("extraFields", ()))
    held |= change


def _move_orders(call: Call, customer: str) -> Answer:
    """Assign a customer's orders to the company of the user."""
    user = next((row for row in call.store.users.rows() if str(row["customerId"]) == customer), None)
    if user is None:
        raise ApiError(404, "User not found")
    for order in call.store.orders.of_group("customer_id", user["customerId"]):
        call.store.b2b_orders.setdefault(order, {})["companyId"] = user["companyId"]
    return told({})
