"""Customer groups (V2): bare bodies, 204 for nothing, rules that are replaced as a whole. No webhook tells of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from syncd.sandbox.bigcommerce.call import Answer, Call, instant, v2_page
from syncd.sandbox.bigcommerce.errors import ApiError, not_found
from syncd.sandbox.bigcommerce.fields import FLAG, LIST, OBJECT, text, whole_number
from syncd.sandbox.bigcommerce.fields import clean as cleaned
from syncd.sandbox.bigcommerce.store import Store, rfc2822
from syncd.sandbox.bigcommerce.table import Row

_SPEC = {
    "name": text(255, needed=True),
    "is_default": FLAG,
    "category_access": OBJECT,
    "discount_rules": LIST,
    "is_group_for_guests": FLAG,
}
_RULES = ("price_list", "all", "category", "product")
_METHODS = ("percent", "fixed", "price")


def answer(call: Call) -> Answer:
    store = call.store
    match call.method, call.rest[1:]:
        case "GET", []:
            return v2_page(call, _selected(call), lambda part: [shown(store, one) for one in part])
        case "GET", ["count"]:
            return 200, {"count": len(_selected(call))}
        case "POST", []:
            return _answer(store, create(store, call.json(), call.actor))
        case "DELETE", []:
            for one in list(store.groups.ids()):
                delete(store, one, call.actor)
            return 204, None
        case method, [raw]:
            return _one(call, method, whole_number(raw, "id"))
    raise call.not_allowed()


def _one(call: Call, method: str, number: int) -> Answer:
    store = call.store
    row = store.groups.get(number)
    if row is None:
        raise not_found()
    if method == "GET":
        return 200, shown(store, number)
    if method == "PUT":
        changes = _checked(store, call.json(), number, partial=True)
        store.groups.put({**row, **changes, "date_modified": store.now()})
        store.note("update", "customer_groups", row, changes, call.actor)
        return _answer(store, number)
    if method == "DELETE":
        delete(store, number, call.actor)
        return 204, None
    raise call.not_allowed()


def _answer(store: Store, number: int) -> Answer:
    """207 where a store-wide discount could not be stored although the rest was."""
    row = shown(store, number)
    failed = [one for one in row["discount_rules"] if one.get("type") == "all" and float(one.get("amount", 0)) < 0]
    if not failed:
        return 200, row
    kept = [one for one in row["discount_rules"] if one not in failed]
    store.groups.put({**(store.groups.get(number) or {}), "discount_rules": kept})
    return 207, [{"status": 207, "message": "The store-wide discount could not be saved.", "details": {"id": number}}]


def create(store: Store, body: Any, actor: str) -> int:
    """Raises ``ApiError``."""
    draft = _checked(store, body, 0)
    if len(store.groups) >= store.settings.max_groups:
        raise ApiError(507, "The limit of customer groups of your plan is reached.")
    number, now = store.groups.new_id(), store.now()
    empty: Row = {
        "is_default": False,
        "category_access": {"type": "all"},
        "discount_rules": [],
        "is_group_for_guests": False,
    }
    row = {"id": number, **empty, **draft, "date_created": now, "date_modified": now}
    store.groups.put(row)
    store.note("create", "customer_groups", row, draft, actor)
    return number


def delete(store: Store, number: int, actor: str) -> None:
    """Its customers lose their group; each of them is changed by it."""
    row = store.groups.get(number) or {}
    for one in store.customers.of_group("customer_group_id", number):
        customer = store.customers.get(one) or {}
        store.customers.put({**customer, "customer_group_id": 0, "date_modified": store.now()})
        store.tell("store/customer/updated", {"type": "customer", "id": one})
    for one in store.assignments.ids()[:]:
        if (store.assignments.get(one) or {}).get("customer_group_id") == number:
            store.assignments.drop(one)
    store.groups.drop(number)
    store.note("delete", "customer_groups", row, {}, actor)


def shown(store: Store, number: int) -> Row:
    row = store.groups.get(number) or {}
    return {**row, "date_created": rfc2822(row["date_created"]), "date_modified": rfc2822(row["date_modified"])}


def _selected(call: Call) -> list[int]:
    found = []
    for row in call.store.groups.rows():
        named = "name" not in call.params or row["name"] == call.params["name"]
        like = call.params.get("name:like", "").casefold() in row["name"].casefold()
        default = "is_default" not in call.params or row["is_default"] == (call.params["is_default"] == "true")
        if named and like and default and all(_dated(call, row, name) for name in ("date_created", "date_modified")):
            found.append(int(row["id"]))
    return found


def _dated(call: Call, row: Mapping[str, Any], name: str) -> bool:
    least, most = call.params.get(f"{name}:min"), call.params.get(f"{name}:max")
    return (not least or row[name] >= instant(least, name)) and (not most or row[name] <= instant(most, name))


def _checked(store: Store, body: Any, number: int, *, partial: bool = False) -> Row:
    """Raises ``ApiError`` 400 as V2 does, 409 for a name that is taken."""
    try:
        draft = cleaned(body, _SPEC, partial=partial)
    except ApiError as error:
        field = next(iter(error.errors), "")
        raise ApiError(400, f"The field '{field}' is invalid.", {"invalid_reason": error.errors[field]}) from None
    if "name" in draft:
        holder = store.groups.holder("name", draft["name"])
        if not draft["name"]:
            raise ApiError(400, "The field 'name' is invalid.", {"invalid_reason": "may not be empty"})
        if holder is not None and holder != number:
            raise ApiError(409, f"A customer group named '{draft['name']}' exists already.")
    _check_rules(store, draft.get("discount_rules", ()))
    return draft


def _check_rules(store: Store, rules: Any) -> None:
    lists = [one for one in rules if isinstance(one, dict) and one.get("type") == "price_list"]
    if lists and len(rules) > 1:
        raise ApiError(400, "A price list must be the only discount rule of a group.")
    for one in rules:
        if not isinstance(one, dict) or one.get("type") not in _RULES:
            raise ApiError(400, "The field 'discount_rules' is invalid.")
        if one["type"] == "price_list" and not _is_list(store, one.get("price_list_id")):
            raise ApiError(400, f"The price list {one.get('price_list_id')} does not exist.")
        if one["type"] != "price_list" and one.get("method") not in _METHODS:
            raise ApiError(400, "The field 'discount_rules.method' is invalid.")
        if one["type"] != "price_list" and not re.fullmatch(r"-?\d{1,12}(\.\d{1,4})?", str(one.get("amount", 0))):
            raise ApiError(400, "The field 'discount_rules.amount' is invalid.")


def _is_list(store: Store, number: Any) -> bool:
    return bool(re.fullmatch(r"\d{1,12}", str(number))) and int(number) in store.pricelists
