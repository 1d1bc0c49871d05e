"""Orders (V2): RFC 2822 dates, money as text, links instead of parts, 204 for nothing; status 0 is no order yet."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from syncd.sandbox.bigcommerce.call import Answer, Call, instant, v2_page, v3_page
from syncd.sandbox.bigcommerce.errors import ApiError, not_found
from syncd.sandbox.bigcommerce.fields import AMOUNT, FLAG, LIST, OBJECT, clean, number, text, whole_number
from syncd.sandbox.bigcommerce.store import Store, rfc2822
from syncd.sandbox.bigcommerce.table import Row

STATUSES = (
    "Incomplete", "Pending", "Shipped", "Partially Shipped", "Refunded", "Cancelled", "Declined", "Awaiting Payment",
    "Awaiting Pickup", "Awaiting Shipment", "Completed", "Awaiting Fulfillment", "Manual Verification Required",
    "Disputed", "Partially Refunded",
)  # fmt: skip
_SPEC = {
    "customer_id": number(), "status_id": number(one_of=tuple(range(15))), "billing_address": OBJECT, "products": LIST,
    "consignments": LIST, "staff_notes": text(), "customer_message": text(), "external_order_id": text(255),
    "external_source": text(255), "external_merchant_id": text(255), "payment_method": text(100),
    "channel_id": number(), "discount_amount": AMOUNT, "default_currency_code": text(3), "cart_id": text(),
    "customer_locale": text(20), "subtotal_ex_tax": AMOUNT, "subtotal_inc_tax": AMOUNT, "total_ex_tax": AMOUNT,
    "total_inc_tax": AMOUNT, "is_deleted": FLAG,
}  # fmt: skip
_ADDRESS = ("first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip", "country",
            "country_iso2", "phone", "email")  # fmt: skip
_PARTS = ("products", "shipping_addresses", "coupons")
_EMPTY_PARTS = ("shipping_addresses", "consignments", "coupons", "shipments", "messages", "taxes", "fees")
_SORTS = ("id", "customer_id", "date_created", "date_modified", "status_id", "channel_id", "external_id")


def answer(call: Call) -> Answer:
    store = call.store
    match call.method, call.rest[1:]:
        case "GET", []:
            return v2_page(call, _selected(call), lambda part: [shown(call, one) for one in part])
        case "GET", ["count"]:
            return _count(call)
        case "POST", []:
            made = create(store, call.json(), call.actor)
            return 200, shown(call, made)
        case method, [raw]:
            return _one(call, method, whole_number(raw, "id"))
        case "GET", [raw, part]:
            return _part(call, need(store, whole_number(raw, "id")), part)
    raise call.not_allowed()


def statuses(call: Call) -> Answer:
    rows = [{"id": place, "name": name, "system_label": name, "order": place} for place, name in enumerate(STATUSES)]
    if call.method != "GET":
        raise call.not_allowed()
    if len(call.rest) == 1:
        return 200, rows
    place = whole_number(call.rest[1], "id")
    if not 0 <= place < len(rows):
        raise not_found()
    return 200, rows[place]


def v3_parts(call: Call) -> Answer:
    """``/v3/orders/{id}/transactions`` and ``/payment_actions/refunds``: none are simulated."""
    need(call.store, whole_number(call.rest[1], "id"))
    if call.method != "GET" or call.rest[2:] not in (["transactions"], ["payment_actions", "refunds"]):
        raise not_found()
    return v3_page(call, [], lambda _: [])


def need(store: Store, number_: int) -> Row:
    """Raises ``ApiError`` 404."""
    row = store.orders.get(number_)
    if row is None:
        raise not_found()
    return row


def _one(call: Call, method: str, number_: int) -> Answer:
    row = need(call.store, number_)
    match method:
        case "GET":
            return 200, shown(call, number_)
        case "PUT":
            change(call.store, row, _checked(call.json(), partial=True), call.actor)
            return 200, shown(call, number_)
        case "DELETE":
            archive(call.store, row, call.actor)
            return 204, None
    raise call.not_allowed()


def _part(call: Call, row: Row, part: str) -> Answer:
    if part == "products":
        lines = row["lines"]
        return v2_page(call, range(len(lines)), lambda places: [lines[one] for one in places])
    if part in _EMPTY_PARTS:
        return 204, None
    raise not_found()


def shown(call: Call, number_: int) -> Row:
    row = call.store.orders.get(number_) or {}
    base = call.request.path.partition("/orders")[0]
    host = f"http://{call.request.headers.get('host', '')}{base}"
    lines = row.pop("lines")
    row["items_total"] = sum(int(one["quantity"]) for one in lines)
    for name in ("date_created", "date_modified", "date_shipped"):
        row[name] = rfc2822(row[name])
    for name in _PARTS:
        row[name] = {"url": f"{host}/orders/{number_}/{name}", "resource": f"/orders/{number_}/{name}"}
    return row


def _selected(call: Call) -> Sequence[int]:
    params, table = call.params, call.store.orders
    ids: Sequence[int] = table.ids()
    answered = next((name for name in ("cart_id", "customer_id", "min_date_modified") if name in params), "")
    match answered:
        case "cart_id":
            ids = table.of_group("cart_id", params["cart_id"])
        case "customer_id":
            ids = table.of_group("customer_id", call.number("customer_id", 0))
        case "min_date_modified":
            ids = table.changed_since(instant(params["min_date_modified"], "min_date_modified"))
    if "min_id" in params:
        ids = ids[bisect_left(ids, whole_number(params["min_id"], "min_id")) :]
    if "max_id" in params:
        ids = ids[: bisect_right(ids, whole_number(params["max_id"], "max_id"))]
    tests = _tests(call, answered)
    if tests:
        ids = [one for one in ids if (row := table.get(one)) is not None and all(test(row) for test in tests)]
    name, _, order = params.get("sort", "id:asc").partition(":")
    if name not in _SORTS or order not in {"", "asc", "desc"}:
        raise ApiError(400, "The field 'sort' is invalid.")
    if name == table.stamp:
        ids = table.in_time_order(ids)
    elif name != "id":
        ids = sorted(ids, key=lambda one: ((table.get(one) or {}).get(name), one))
    return ids[::-1] if order == "desc" else ids


def _tests(call: Call, answered: str) -> list[Callable[[Row], bool]]:
    """Of the filters that are asked for, but for one that an index has answered already."""
    tests: list[Callable[[Row], bool]] = []

    def add(name: str, test: Callable[[Row, Any], bool], read: Callable[[str], Any]) -> None:
        if name in call.params and name != answered:
            wanted = read(call.params[name])
            tests.append(lambda row: test(row, wanted))

    def when(raw: str) -> str:
        return instant(raw, "date")

    add("min_total", lambda row, it: float(row["total_inc_tax"]) >= it, lambda _: call.amount("min_total") or 0.0)
    add("max_total", lambda row, it: float(row["total_inc_tax"]) <= it, lambda _: call.amount("max_total") or 0.0)
    add("customer_id", lambda row, it: row["customer_id"] == it, lambda raw: whole_number(raw, "customer_id"))
    add("email", lambda row, it: row["billing_address"]["email"].casefold() == it, str.casefold)
    add("status_id", lambda row, it: row["status_id"] == it, lambda raw: whole_number(raw, "status_id"))
    add("cart_id", lambda row, it: row["cart_id"] == it, str)
    add("payment_method", lambda row, it: row["payment_method"] == it, str)
    add("min_date_created", lambda row, it: row["date_created"] >= it, when)
    add("max_date_created", lambda row, it: row["date_created"] <= it, when)
    add("min_date_modified", lambda row, it: row["date_modified"] >= it, when)
    add("max_date_modified", lambda row, it: row["date_modified"] <= it, when)
    add("channel_id", lambda row, it: row["channel_id"] == it, lambda raw: whole_number(raw, "channel_id"))
    add("external_order_id", lambda row, it: row["external_order_id"] == it, str)
    return tests


def _count(call: Call) -> Answer:
    ids = _selected(call)
    by_status = [0] * len(STATUSES)
    for one in ids:
        by_status[(call.store.orders.get(one) or {})["status_id"]] += 1
    rows = [{"id": place, "name": STATUSES[place], "count": count} for place, count in enumerate(by_status)]
    return 200, {"statuses": rows, "count": len(ids)}


# -- writing


def _checked(body: Any, *, partial: bool = False) -> Row:
    try:
        found = clean(body, _SPEC, partial=partial)
    except ApiError as error:
        field = next(iter(error.errors), "")
        raise ApiError(400, f"The field '{field}' is invalid.", {"invalid_reason": error.errors[field]}) from None
    if not partial and not found.get("billing_address"):
        raise ApiError(400, "The field 'billing_address' is required.")
    if "billing_address" in found and not partial and not found["billing_address"].get("zip"):
        raise ApiError(400, "The field 'billing_address.zip' is required.")
    if not partial and not found.get("products") and not found.get("consignments"):
        raise ApiError(400, "The field 'products' is required.")
    return found


def create(store: Store, body: Any, actor: str, *, at: str = "") -> int:
    """Raises ``ApiError``."""
    draft = _checked(body)
    if draft.get("customer_id") and draft["customer_id"] not in store.customers:
        raise ApiError(400, f"Customer {draft['customer_id']} does not exist.")
    lines = [_line(store, one, place) for place, one in enumerate(draft.pop("products", []), start=1)]
    draft.pop("consignments", None)
    total = sum(float(one["total_inc_tax"]) for one in lines)
    total_ex = sum(float(one["total_ex_tax"]) for one in lines)
    status, now, number_ = draft.pop("status_id", 1), at or store.now(), store.orders.new_id()
    address = dict.fromkeys(_ADDRESS, "") | dict(draft.pop("billing_address")) | {"form_fields": []}
    totals = {
        "subtotal_ex_tax": total_ex, "subtotal_inc_tax": total, "total_ex_tax": total_ex, "total_inc_tax": total,
        "discount_amount": 0,
    }  # fmt: skip
    totals |= {name: draft.pop(name) for name in list(totals) if name in draft}
    row: Row = {
        "id": number_, "customer_id": 0, "status_id": status, "status": STATUSES[status],
        "custom_status": STATUSES[status],
        "date_created": now, "date_modified": now, "date_shipped": "", "cart_id": "", "items_shipped": 0,
        "payment_method": "Manual", "payment_status": "", "refunded_amount": "0.0000", "store_credit_amount": "0.0000",
        "currency_code": store.settings.currency, "default_currency_code": store.settings.currency,
        "coupon_discount": "0.0000", "staff_notes": "", "customer_message": "", "billing_address": address,
        "is_deleted": False, "channel_id": 1, "order_source": "external", "external_source": None, "external_id": None,
        "external_order_id": "", "external_merchant_id": None, "customer_locale": "en", "tax_provider_id": "",
        **draft, **{name: money(value) for name, value in totals.items()}, "lines": lines,
    }  # fmt: skip
    row["total_tax"] = row["subtotal_tax"] = money(float(row["total_inc_tax"]) - float(row["total_ex_tax"]))
    store.orders.put(row)
    store.note("create", "orders", row, {key: row[key] for key in ("customer_id", "status_id", "cart_id")}, actor)
    store.tell("store/order/created", {"type": "order", "id": number_})
    return number_


def _line(store: Store, body: Any, place: int) -> Row:
    if not isinstance(body, Mapping) or not isinstance(body.get("quantity"), int):
        raise ApiError(400, "The field 'products' is invalid.")
    product = int(body.get("product_id", 0))
    needed = ("name", "price_inc_tax", "price_ex_tax") if not product else ()
    for name in needed:
        if name not in body:
            raise ApiError(400, f"The field 'products.{name}' is required for a custom product.")
    price, price_ex = float(body.get("price_inc_tax", 0)), float(body.get("price_ex_tax", 0))
    quantity = int(body["quantity"])
    sku = str(body.get("sku", ""))
    known = store.variants.get(sku, (product, int(body.get("variant_id", 0))))
    return {
        "id": place, "order_id": 0, "product_id": product or known[0], "variant_id": body.get("variant_id") or known[1],
        "name": str(body.get("name", sku)), "sku": sku, "type": "physical", "quantity": quantity,
        "base_price": money(price_ex), "price_ex_tax": money(price_ex), "price_inc_tax": money(price),
        "total_ex_tax": money(price_ex * quantity), "total_inc_tax": money(price * quantity),
    }  # fmt: skip


def change(store: Store, row: Row, changes: Mapping[str, Any], actor: str) -> None:
    """Change members; products are not changed here."""
    new: Row = {name: value for name, value in changes.items() if name not in {"products", "consignments"}}
    if "billing_address" in new:
        new["billing_address"] = {**row["billing_address"], **new["billing_address"]}
    for name in ("subtotal_ex_tax", "subtotal_inc_tax", "total_ex_tax", "total_inc_tax", "discount_amount"):
        if name in new:
            new[name] = money(new[name])
    new = {name: value for name, value in new.items() if row.get(name) != value}
    if not new:
        return
    if new.pop("is_deleted", False):
        archive(store, row, actor)
        return
    before = row["status_id"]
    if "status_id" in new:
        new["status"] = new["custom_status"] = STATUSES[new["status_id"]]
        if new["status_id"] == 2 and not row["date_shipped"]:
            new["date_shipped"] = store.now()
    store.orders.put({**row, **new, "date_modified": store.now()})
    store.note("update", "orders", row, new, actor)
    store.tell("store/order/updated", {"type": "order", "id": row["id"]})
    if "status_id" in new:
        moved = {"previous_status_id": before, "new_status_id": new["status_id"]}
        store.tell("store/order/statusUpdated", {"type": "order", "id": row["id"], "status": moved})


def archive(store: Store, row: Row, actor: str) -> None:
    if row["is_deleted"]:
        return
    store.orders.put({**row, "is_deleted": True, "date_modified": store.now()})
    store.note("archive", "orders", row, {"is_deleted": True}, actor)
    store.tell("store/order/archived", {"type": "order", "id": row["id"]})


def money(value: Any) -> str:
    """As V2 writes amounts."""
    return f"{float(value):.4f}"
