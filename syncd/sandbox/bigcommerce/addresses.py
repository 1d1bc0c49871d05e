"""Addresses of customers (V3). An exact duplicate is not stored, and silently left out of the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from syncd.sandbox.bigcommerce.call import Answer, Call, Filters, select, v3_page
from syncd.sandbox.bigcommerce.errors import invalid
from syncd.sandbox.bigcommerce.fields import LIST, clean, items, number, text
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

BATCH = 10
_FIELDS = {
    "first_name": text(255, needed=True),
    "last_name": text(255, needed=True),
    "company": text(255),
    "address1": text(255, needed=True),
    "address2": text(255),
    "city": text(100, needed=True),
    "state_or_province": text(100),
    "postal_code": text(30),
    "country_code": text(2, needed=True),
    "phone": text(50),
    "address_type": text(one_of=("residential", "commercial")),
    "form_fields": LIST,
}
_EMPTY: Row = {"company": "", "address2": "", "state_or_province": "", "postal_code": "", "phone": ""}
FILTERS = Filters(numbers=("id", "customer_id"), texts=("name", "company"), dates=())


def answer(call: Call, method: str) -> Answer:
    store = call.store
    match method:
        case "GET":
            ids = select(call, store.addresses, FILTERS)
            return v3_page(call, ids, lambda part: [store.addresses.get(one) or {} for one in part])
        case "POST":
            return 200, {"data": _create(call), "meta": {}}
        case "PUT":
            return 200, {"data": _update(call), "meta": {}}
        case "DELETE":
            for one in call.numbers("id:in") or ():
                if one in store.addresses:
                    _drop(store, one, call.actor)
            return 204, None
    raise call.not_allowed()


def check_drafts(drafts: Any, where: str) -> None:
    """Addresses inside of a new customer. Raises ``ApiError`` 422."""
    if len(drafts) > BATCH:
        raise invalid({where: f"error.maxItems.{BATCH}"})
    for place, one in enumerate(drafts):
        clean(one, _FIELDS, f"{where}.{place}")


def add(store: Store, customer: int, draft: Row) -> Row | None:
    """The stored address; ``None`` where the customer has the same already."""
    row = {**_EMPTY, "address_type": "residential", **clean(draft, _FIELDS)}
    if _known(store, customer, row):
        return None
    row = {"id": store.addresses.new_id(), "customer_id": customer, **row, "country": row["country_code"]}
    store.addresses.put(row)
    return row


def _create(call: Call) -> list[Row]:
    drafts = []
    for place, one in enumerate(items(call.json(), BATCH)):
        draft = clean(one, {"customer_id": number(needed=True), **_FIELDS}, str(place))
        if draft["customer_id"] not in call.store.customers:
            raise invalid({f"{place}.customer_id": "Customer does not exist"})
        drafts.append(draft)
    made = [row for one in drafts if (row := add(call.store, one["customer_id"], one)) is not None]
    for row in made:
        call.store.note("create", "customer_addresses", row, row, call.actor)
        _tell(call.store, "created", row)
    return made


def _update(call: Call) -> list[Row]:
    changes = []
    for place, one in enumerate(items(call.json(), BATCH)):
        change = clean(one, {"id": number(needed=True), **_FIELDS}, str(place), partial=True)
        row = call.store.addresses.get(change.get("id", 0))
        if row is None:
            raise invalid({f"{place}.id": "Address does not exist"})
        changes.append((row, {**row, **change}))
    stored = []
    for before, after in changes:
        if _known(call.store, before["customer_id"], after):
            continue
        call.store.addresses.put(after)
        call.store.note("update", "customer_addresses", after, after, call.actor)
        _tell(call.store, "updated", after)
        stored.append(after)
    return stored


def _drop(store: Store, number_: int, actor: str) -> None:
    row = store.addresses.get(number_) or {}
    store.addresses.drop(number_)
    store.note("delete", "customer_addresses", row, {}, actor)
    _tell(store, "deleted", row)


def _known(store: Store, customer: int, row: Row) -> bool:
    names = [name for name in _FIELDS if name != "form_fields"]
    others: Iterable[Row | None] = (
        store.addresses.get(one) for one in store.addresses.of_group("customer_id", customer)
    )
    return any(other is not None and all(other.get(name) == row.get(name) for name in names) for other in others)


def _tell(store: Store, what: str, row: Row) -> None:
    data = {"type": "customer", "id": row["id"], "address": {"customer_id": row["customer_id"]}}
    store.tell(f"store/customer/address/{what}", data)
