"""People who work in the store's control panel, shoppers on its storefront, and histories made all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from syncd.sandbox.bigcommerce import (
    attributes,
    b2b_call,
    b2b_companies,
    carts,
    catalog,
    customers,
    groups,
    orders,
    pricelists,
)
from syncd.sandbox.bigcommerce.store import Store, stamp
from syncd.sandbox.bigcommerce.table import Row
from syncd.sandbox.vendor import HUMAN, ActError

if TYPE_CHECKING:
    from syncd.sandbox.bigcommerce.account import BigcommerceSandbox

Deed = Mapping[str, Any]


def act(sandbox: BigcommerceSandbox, deed: Deed) -> Any:
    """``{"op": ..., ...}``. Raises ``ActError``, ``ApiError``, ``KeyError``, ``ValueError``."""
    op = deed.get("op")
    if op == "seed":
        return seed(sandbox, deed)
    if op not in DEEDS:
        raise ActError(f"bigcommerce knows no {op!r}; there are seed, {', '.join(DEEDS)}")
    return DEEDS[str(op)](sandbox.store, deed)


# -- the control panel


def _create_customer(store: Store, deed: Deed) -> int:
    return customers.create(store, [dict(deed["values"])], HUMAN)[0]


def _edit_customer(store: Store, deed: Deed) -> int:
    return customers.update(store, [{**deed["values"], "id": int(deed["id"])}], HUMAN)[0]


def _delete_customer(store: Store, deed: Deed) -> None:
    if int(deed["id"]) not in store.customers:
        raise ActError(f"no customer {deed['id']}")
    customers.delete(store, int(deed["id"]), HUMAN)


def _set_attribute(store: Store, deed: Deed) -> None:
    """In the control panel, which moves the customer and fires its webhook, unlike the API."""
    number, name, now = int(deed["id"]), str(deed["name"]), store.now()
    attribute = store.attributes.holder("name", name)
    customer = store.customers.get(number)
    if attribute is None or customer is None:
        raise ActError(f"no customer {number}, or no attribute {name}")
    attributes.check_value(store, attribute, str(deed["value"]), "0")
    attributes.put_value(store, number, attribute, str(deed["value"]), now)
    store.customers.put({**customer, "date_modified": now})
    store.note("update", "customers", customer, {"attributes": {str(attribute): str(deed["value"])}}, HUMAN)
    store.tell("store/customer/updated", {"type": "customer", "id": number})


def _delete_attribute(store: Store, deed: Deed) -> None:
    attribute = store.attributes.holder("name", str(deed["name"]))
    if attribute is None:
        raise ActError(f"no attribute {deed['name']}")
    attributes.undefine(store, attribute, HUMAN)


def _group(store: Store, deed: Deed) -> int:
    return groups.create(store, dict(deed["values"]), HUMAN)


def _delete_group(store: Store, deed: Deed) -> None:
    groups.delete(store, int(deed["id"]), HUMAN)


def _edit_order(store: Store, deed: Deed) -> None:
    orders.change(store, orders.need(store, int(deed["id"])), deed["values"], HUMAN)


def _archive_order(store: Store, deed: Deed) -> None:
    orders.archive(store, orders.need(store, int(deed["id"])), HUMAN)


def _price_list(store: Store, deed: Deed) -> int:
    return int(pricelists.create(store, dict(deed["values"]), HUMAN)["id"])


def _extra_field(store: Store, deed: Deed) -> Row:
    return b2b_call.define_extra_field(store, str(deed["kind"]), str(deed["name"]), **deed.get("values", {}))


def _company(store: Store, deed: Deed) -> Row:
    return b2b_companies.create(store, dict(deed["values"]), HUMAN)


# -- the storefront


def _cart(store: Store, deed: Deed) -> str:
    return str(carts.create(store, dict(deed["values"]), HUMAN)["id"])


def _cart_item(store: Store, deed: Deed) -> None:
    row = carts.need(store, str(deed["id"]))
    carts.add_line(store, row, deed["item"])
    carts.touch(store, row, HUMAN, {"added": deed["item"].get("sku", "")})


def _checkout(store: Store, deed: Deed) -> None:
    """The shopper says who they are."""
    row = carts.need(store, str(deed["id"]))
    row["billing_address"] = {**row["billing_address"], **deed.get("billing_address", {}), "email": deed["email"]}
    row["email"] = deed["email"]
    carts.touch(store, row, HUMAN, {"email": deed["email"]})


def _empty_cart(store: Store, deed: Deed) -> None:
    """The last item goes: an update, then the cart itself."""
    row = carts.need(store, str(deed["id"]))
    for lines in row["line_items"].values():
        lines.clear()
    carts.touch(store, row, HUMAN, {"line_items": []})
    carts.delete(store, row, HUMAN)


def _abandon(store: Store, deed: Deed) -> None:
    carts.abandon(store, carts.need(store, str(deed["id"])))


def _convert(store: Store, deed: Deed) -> int:
    return carts.convert(store, carts.need(store, str(deed["id"])), HUMAN, status_id=int(deed.get("status_id", 11)))


def _order(store: Store, deed: Deed) -> int:
    return orders.create(store, dict(deed["values"]), HUMAN)


DEEDS: Mapping[str, Callable[[Store, Deed], Any]] = {
    "create_customer": _create_customer,
    "edit_customer": _edit_customer,
    "delete_customer": _delete_customer,
    "set_attribute": _set_attribute,
    "delete_attribute": _delete_attribute,
    "group": _group,
    "delete_group": _delete_group,
    "edit_order": _edit_order,
    "archive_order": _archive_order,
    "price_list": _price_list,
    "extra_field": _extra_field,
    "company": _company,
    "cart": _cart,
    "cart_item": _cart_item,
    "checkout": _checkout,
    "empty_cart": _empty_cart,
    "abandon": _abandon,
    "convert": _convert,
    "order": _order,
}


# -- histories


@contextmanager
def unrecorded(sandbox: BigcommerceSandbox) -> Iterator[None]:
    recording, sandbox.recording = sandbox.recording, False
    try:
        yield
    finally:
        sandbox.recording = recording


_FIRST = "Ada Ben Cleo Dan Eva Finn Gita Hugo Ines Jon Kim Lea Max Nora Omar Pia Quinn Rosa Sam Tess".split()  # noqa: SIM905
_LAST = "Adler Baker Cruz Dietz Evans Frank Gupta Huber Ito Jones Klein Lopez Meyer Novak Ortiz Park".split()  # noqa: SIM905


def person(number: int) -> Row:
    """An invented customer, the same for the same number."""
    first, last = _FIRST[number % len(_FIRST)], _LAST[number // len(_FIRST) % len(_LAST)]
    return {"email": f"{first}.{last}.{number}@example.com".lower(), "first_name": first, "last_name": last}


def people(store: Store, count: int, *, at_ms: int | None = None, step_ms: int = 0) -> list[int]:
    """That many invented customers, put straight into the table: nothing about them could be refused."""
    moment, start, made = store.clock.now_ms() if at_ms is None else at_ms, len(store.customers), []
    empty = customers.EMPTY
    for place in range(count):
        number, at = store.customers.new_id(), stamp(moment + place * step_ms)
        row = {"id": number, **empty, **person(start + place), "authentication": {"force_password_reset": False}}
        store.customers.put({**row, "date_created": at, "date_modified": at})
        made.append(number)
    return made


def seed(sandbox: BigcommerceSandbox, deed: Deed) -> dict[str, Any]:
    """``{"op": "seed", "products": [{sku, product_id, variant_id}], "attributes": [...], "groups": [...],
    "customers": [drafts], "people": 1000, "price_lists": [...], "carts": [...], "orders": [...], "companies": [...],
    "at_ms": ..., "step_ms": ...}``: nothing of it is told or goes to the ledger. Answers ids by kind."""
    store = sandbox.store
    moment, step = int(deed.get("at_ms", store.clock.now_ms())), int(deed.get("step_ms", 0))
    answer: dict[str, Any] = {}
    with unrecorded(sandbox):
        for one in deed.get("products", ()):
            more = (str(one.get("name", "")), float(one.get("price", 0)))
            catalog.put(store, str(one["sku"]), int(one["product_id"]), int(one["variant_id"]), *more)
        answer["attributes"] = [attributes.define(store, one, HUMAN)["id"] for one in deed.get("attributes", ())]
        answer["groups"] = [groups.create(store, one, HUMAN) for one in deed.get("groups", ())]
        drafts = enumerate(deed.get("customers", ()))
        answer["customers"] = [
            customers.create(store, [one], HUMAN, at=stamp(moment + place * step))[0] for place, one in drafts
        ]
        answer["customers"] += people(store, int(deed.get("people", 0)), at_ms=moment, step_ms=step)
        answer["price_lists"] = [pricelists.create(store, one, HUMAN)["id"] for one in deed.get("price_lists", ())]
        answer["carts"] = [carts.create(store, one, HUMAN)["id"] for one in deed.get("carts", ())]
        answer["orders"] = [
            orders.create(store, one, HUMAN, at=stamp(moment + place * step))
            for place, one in enumerate(deed.get("orders", ()))
        ]
        answer["companies"] = [
            b2b_companies.create(store, one, HUMAN)["companyId"] for one in deed.get("companies", ())
        ]
    return {kind: ids for kind, ids in answer.items() if ids}
