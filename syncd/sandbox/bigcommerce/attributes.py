"""Customer attributes and their values (V3). What an API changes of them fires no webhook and does not touch the
customer's own ``date_modified``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from syncd.sandbox.bigcommerce.call import Answer, Call, Filters, select, v3_page
from syncd.sandbox.bigcommerce.errors import invalid
from syncd.sandbox.bigcommerce.fields import clean, items, number, text
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

BATCH = 10
MOST = 50
"""Definitions of a store."""
_TYPES = ("string", "number", "date")
_DEFINITION = {"name": text(255, needed=True), "type": text(needed=True, one_of=_TYPES)}
DEFINITIONS = Filters(numbers=("id",), texts=("name",), likes=("name",))
VALUES = Filters(numbers=("customer_id", "attribute_id"))


def definitions(call: Call, method: str) -> Answer:
    store = call.store
    match method:
        case "GET":
            exact = call.params.get("name")
            ids = select(call, store.attributes, DEFINITIONS, (lambda row: row["name"] == exact) if exact else None)
            return v3_page(call, ids, lambda part: [store.attributes.get(one) or {} for one in part])
        case "POST":
            drafts = [clean(one, _DEFINITION, str(place)) for place, one in enumerate(items(call.json(), BATCH))]
            if len(store.attributes) + len(drafts) > MOST:
                raise invalid({"body": f"A store may have at most {MOST} customer attributes"})
            for place, one in enumerate(drafts):
                if store.attributes.holder("name", one["name"]) is not None:
                    raise invalid({f"{place}.name": f"The attribute name {one['name']} is already in use"})
            return 200, {"data": [define(store, one, call.actor) for one in drafts], "meta": {}}
        case "PUT":
            return 200, {"data": _rename(call), "meta": {}}
        case "DELETE":
            for number_ in call.numbers("id:in") or ():
                if number_ in store.attributes:
                    undefine(store, number_, call.actor)
            return 204, None
    raise call.not_allowed()


def define(store: Store, draft: Mapping[str, Any], actor: str) -> Row:
    now = store.now()
    row = {"id": store.attributes.new_id(), **draft, "date_created": now, "date_modified": now}
    store.attributes.put(row)
    store.note("create", "customer_attributes", row, draft, actor)
    return row


def undefine(store: Store, number_: int, actor: str) -> None:
    """A definition goes, and every value of it."""
    row = store.attributes.get(number_) or {}
    for value in store.attribute_values.of_group("attribute_id", number_):
        store.attribute_values.drop(value)
    store.attributes.drop(number_)
    store.note("delete", "customer_attributes", row, {}, actor)


def _rename(call: Call) -> list[Row]:
    changed = []
    for place, one in enumerate(items(call.json(), BATCH)):
        change = clean(one, {"id": number(needed=True), "name": text(255, needed=True)}, str(place))
        row = call.store.attributes.get(change["id"])
        if row is None:
            raise invalid({f"{place}.id": "Attribute does not exist"})
        row |= {"name": change["name"], "date_modified": call.store.now()}
        call.store.attributes.put(row)
        call.store.note("update", "customer_attributes", row, change, call.actor)
        changed.append(row)
    return changed


# -- values


def values(call: Call, method: str) -> Answer:
    store = call.store
    match method:
        case "GET":
            ids = select(call, store.attribute_values, VALUES, _of_name(call))
            return v3_page(call, ids, lambda part: [shown(store, one) for one in part])
        case "PUT":
            wanted = [_wanted(call.store, one, str(place)) for place, one in enumerate(items(call.json(), BATCH))]
            now = store.now()
            rows = [shown(store, put_value(store, *one, now)) for one in wanted]
            for row in rows:
                told = {"attributes": {str(row["attribute_id"]): row["attribute_value"]}}
                store.note("update", "customers", {"id": row["customer_id"]}, told, call.actor)
            return 200, {"data": rows, "meta": {}}
        case "DELETE":
            for one in call.numbers("id:in") or ():
                if one in store.attribute_values:
                    row = store.attribute_values.get(one) or {}
                    store.attribute_values.drop(one)
                    told = {"attributes": {str(row["attribute_id"]): None}}
                    store.note("update", "customers", {"id": row["customer_id"]}, told, call.actor)
            return 204, None
    raise call.not_allowed()


def _of_name(call: Call) -> Callable[[Row], bool] | None:
    """``name`` narrows to the values of the attribute of that name."""
    if "name" not in call.params:
        return None
    holder = call.store.attributes.holder("name", call.params["name"])
    return lambda row: row["attribute_id"] == holder


def _wanted(store: Store, body: Any, where: str) -> tuple[int, int, str]:
    spec = {"attribute_id": number(needed=True), "customer_id": number(needed=True), "value": text()}
    one = clean(body, spec, where)
    if one["customer_id"] not in store.customers:
        raise invalid({f"{where}.customer_id": f"Customer with id {one['customer_id']} does not exist."})
    check_value(store, one["attribute_id"], one.get("value", ""), where)
    return one["customer_id"], one["attribute_id"], one.get("value", "")


def check_drafts(store: Store, drafts: Any, where: str) -> None:
    """Attributes inside of a new customer. Raises ``ApiError`` 422."""
    if len(drafts) > BATCH:
        raise invalid({where: f"error.maxItems.{BATCH}"})
    for place, one in enumerate(drafts):
        found = clean(one, {"attribute_id": number(needed=True), "attribute_value": text()}, f"{where}.{place}")
        check_value(store, found["attribute_id"], found.get("attribute_value", ""), f"{where}.{place}")


def check_value(store: Store, attribute: int, value: str, where: str) -> None:
    definition = store.attributes.get(attribute)
    if definition is None:
        raise invalid({f"{where}.attribute_id": f"Attribute with id {attribute} does not exist."})
    if definition["type"] == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        raise invalid({f"{where}.value": "The value is not a number"})
    if definition["type"] == "date" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}.*", value):
        raise invalid({f"{where}.value": "The value is not a date"})


def put_value(store: Store, customer: int, attribute: int, value: str, now: str) -> int:
    """Upsert; the id of the value."""
    for one in store.attribute_values.of_group("customer_id", customer):
        row = store.attribute_values.get(one) or {}
        if row["attribute_id"] == attribute:
            if row["attribute_value"] != value:
                store.attribute_values.put({**row, "attribute_value": value, "date_modified": now})
            return one
    row = {"id": store.attribute_values.new_id(), "attribute_id": attribute, "customer_id": customer}
    store.attribute_values.put({**row, "attribute_value": value, "date_created": now, "date_modified": now})
    return int(row["id"])


def shown(store: Store, number_: int) -> Row:
    return store.attribute_values.get(number_) or {}
