"""Users of B2B Edition: one company each, linked to a customer of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.sandbox.bigcommerce.b2b_call import (
    bulk,
    checked,
    definitions,
    extra_fields,
    linked_customer,
    need,
    newest_first,
    page,
    refused,
    told,
)
from syncd.sandbox.bigcommerce.call import Answer, Call
from syncd.sandbox.bigcommerce.errors import ApiError
from syncd.sandbox.bigcommerce.fields import LIST, email, number, text
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

_SPEC = {
    "firstName": text(100, needed=True), "lastName": text(100, needed=True), "email": email(needed=True),
    "phoneNumber": text(50), "companyId": number(needed=True), "role": number(one_of=(0, 1, 2)),
    "companyRoleId": number(), "uuid": text(255), "channelIds": LIST, "originChannelId": number(), "extraFields": LIST,
}  # fmt: skip
_SORTS = {"updatedAt": "updatedAt"}
_NARROWS = frozenset({"companyId", "roles", "email", "q"})
"""Filters that need a look at each row."""


def answer(call: Call) -> Answer:
    store = call.store
    match call.method, call.rest[1:]:
        case "GET", []:
            return page(call, _selected(call), lambda one: shown(call, one))
        case "POST", []:
            return told(create(store, call.json(), call.actor))
        case _, ["extra-fields"]:
            return definitions(call, "users")
        case "POST", ["bulk"]:
            return _bulk(call)
        case "GET", ["customer", raw]:
            for row in store.users.rows():
                if str(row["customerId"]) == raw:
                    return told(shown(call, row["id"]))
            raise ApiError(404, "User not found")
        case method, [raw]:
            return _one(call, method, need(store.users, raw, "User"))
    raise call.not_allowed()


def _selected(call: Call) -> list[int]:
    params = call.params

    def fits(row: Row) -> bool:
        words = params.get("q", "").casefold()
        return (
            ("companyId" not in params or str(row["companyId"]) == params["companyId"])
            and ("roles" not in params or str(row["role"]) in params["roles"].split(","))
            and ("email" not in params or row["email"].casefold() == params["email"].casefold())
            and words in f"{row['firstName']} {row['lastName']} {row['email']}".casefold()
        )

    table = call.store.users
    ids = newest_first(call, table, _SORTS)
    if not params.keys() & _NARROWS:
        return ids
    among: set[int | None] | None = None
    if "email" in params:
        among = {table.holder("email", params["email"])}
    elif params.get("companyId", "").isdigit():
        among = set(table.of_group("companyId", int(params["companyId"])))
    if among is not None:
        ids = [one for one in ids if one in among]
    return [one for one in ids if fits(table.get(one) or {})]


def shown(call: Call, number_: int) -> Row:
    row = call.store.users.get(number_) or {}
    row["companyRoleId"] = row["companyRoleId"] or row["role"] + 1  # the predefined roles come first
    row["companyRoleName"] = (call.store.roles.get(row["companyRoleId"]) or {}).get("name", "")
    if call.params.get("isIncludeExtraFields", "0") != "1" and len(call.rest) == 1:
        row.pop("extraFields")
    return row


def create(store: Store, body: Any, actor: str) -> Row:
    """Raises ``ApiError``."""
    draft = checked(body, _SPEC)
    if draft["companyId"] not in store.companies:
        raise refused({"companyId": "the company does not exist"})
    if store.users.holder("email", draft["email"]) is not None:
        raise refused({"email": "this email belongs to a company user already"})
    _check_role(store, draft)
    draft["extraFields"] = extra_fields(store, "users", draft.get("extraFields"), new=True)
    customer = linked_customer(store, draft["email"], draft["firstName"], draft["lastName"], actor)
    row = add(store, draft, customer, actor)
    return {"userId": row["id"], "bcId": customer}


def add(store: Store, draft: Mapping[str, Any], customer: int, actor: str, *, silent: bool = False) -> Row:
    now = store.unix()
    row: Row = {
        "id": store.users.new_id(), "phoneNumber": "", "role": 2, "companyRoleId": None, "uuid": "", "channelIds": [1],
        "originChannelId": 1, "extraFields": [], **draft, "customerId": customer, "createdAt": now, "updatedAt": now,
    }  # fmt: skip
    store.users.put(row)
    store.note("create", "users", row, {"email": row["email"], "companyId": row["companyId"]}, actor)
    for order in store.orders.of_group("customer_id", customer):
        store.b2b_orders.setdefault(order, {})["companyId"] = row["companyId"]
    if not silent:
        store.tell("store/company/user/created", {"company_id": row["companyId"], "user_id": row["id"]})
    return row


def _check_role(store: Store, draft: Mapping[str, Any]) -> None:
    if draft.get("companyRoleId") and draft["companyRoleId"] not in store.roles:
        raise refused({"companyRoleId": "the role does not exist"})


def _bulk(call: Call) -> Answer:
    done, errors = [], []
    for one in bulk(call.json()):
        try:
            done.append(create(call.store, one, call.actor))
        except ApiError as error:
            errors.append({"id": "", "_detail": error.errors or error.title})
    if errors:
        raise ApiError(422, "Some of the users could not be stored", more={"errors": errors})
    return told(done)


def _one(call: Call, method: str, row: Row) -> Answer:
    store = call.store
    match method:
        case "GET":
            return told(shown(call, row["id"]))
        case "PUT":
            changes = checked(call.json(), _SPEC, partial=True)
            if changes.get("companyId", row["companyId"]) != row["companyId"]:
                raise refused({"companyId": "a user belongs to one company"})
            holder = store.users.holder("email", str(changes.get("email", row["email"])))
            if holder is not None and holder != row["id"]:
                raise refused({"email": "this email belongs to a company user already"})
            _check_role(store, changes)
            if "extraFields" in changes:
                changes["extraFields"] = extra_fields(store, "users", changes["extraFields"], row["extraFields"])
            _change(store, row, changes, call.actor)
            return told({"userId": row["id"], "bcId": row["customerId"]})
        case "DELETE":
            if len(store.users.of_group("companyId", row["companyId"])) == 1:
                raise refused({"id": "the last user of a company cannot be deleted"})
            store.users.drop(row["id"])
            store.note("delete", "users", row, {}, call.actor)
            store.tell("store/company/user/deleted", {"company_id": row["companyId"], "user_id": row["id"]})
            return told({})
    raise call.not_allowed()


def _change(store: Store, row: Row, changes: Mapping[str, Any], actor: str) -> None:
    new = {name: value for name, value in changes.items() if row.get(name) != value}
    if not new:
        return
    store.users.put({**row, **new, "updatedAt": store.unix()})
    store.note("update", "users", row, new, actor)
    if new.keys() - {"role", "companyRoleId", "uuid"}:  # a change of role alone tells nobody
        store.tell("store/company/user/updated", {"company_id": row["companyId"], "user_id": row["id"]})
