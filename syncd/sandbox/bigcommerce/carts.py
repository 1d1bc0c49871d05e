"""Carts (V3): found by id only, versioned, abandoned after an hour without a change, gone once they are an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.sandbox.bigcommerce import orders
from syncd.sandbox.bigcommerce.call import Answer, Call
from syncd.sandbox.bigcommerce.errors import ApiError, conflict, invalid, not_found
from syncd.sandbox.bigcommerce.fields import AMOUNT, LIST, OBJECT, clean, email, number, text
from syncd.sandbox.bigcommerce.store import Store, stamp
from syncd.sandbox.bigcommerce.table import Row

_LINE = {
    "product_id": number(), "variant_id": number(), "sku": text(255), "name": text(255),
    "quantity": number(needed=True), "list_price": AMOUNT,
}  # fmt: skip
_DRAFT = {
    "customer_id": number(), "channel_id": number(), "line_items": LIST, "custom_items": LIST,
    "gift_certificates": LIST, "currency": OBJECT, "locale": text(20), "email": email(),
}  # fmt: skip
_KINDS = ("physical_items", "digital_items", "gift_certificates", "custom_items")


def answer(call: Call) -> Answer:
    store = call.store
    match call.method, call.rest[1:]:
        case "POST", []:
            return 201, {"data": shown(create(store, call.json(), call.actor)), "meta": {}}
        case method, [cart_id]:
            return _one(call, method, need(store, cart_id))
        case "POST", [cart_id, "items"]:
            return _add(call, need(store, cart_id))
        case method, [cart_id, "items", item]:
            return _item(call, method, need(store, cart_id), item)
        case "POST", [cart_id, "redirect_urls"]:
            need(store, cart_id)
            base = f"https://sandbox.example/cart.php?action=load&id={cart_id}"
            return 201, {"data": {"cart_url": base, "checkout_url": f"{base}&checkout=1"}, "meta": {}}
    raise call.not_allowed()


def checkouts(call: Call) -> Answer:
    """``GET /checkouts/{cartId}``: what the shopper told at checkout."""
    if call.method != "GET" or len(call.rest) != 2:
        raise call.not_allowed()
    row = need(call.store, call.rest[1])
    body = {"id": row["id"], "cart": shown(row), "billing_address": row["billing_address"], "consignments": []}
    return 200, {"data": {**body, "grand_total": row["cart_amount"], "order_id": None}, "meta": {}}


def need(store: Store, cart_id: str) -> Row:
    """Raises ``ApiError`` 404."""
    row = store.carts.get(cart_id)
    if row is None:
        raise not_found()
    return row


def shown(row: Row) -> Row:
    hidden = {"idle_ms", "abandoned", "token", "billing_address"}
    return {key: value for key, value in row.items() if key not in hidden}


# -- writing


def create(store: Store, body: Any, actor: str) -> Row:
    """Raises ``ApiError``."""
    draft = clean(body, _DRAFT)
    if not any(draft.get(name) for name in ("line_items", "custom_items", "gift_certificates")):
        raise invalid({"line_items": "error.minItems.1"})
    if draft.get("customer_id") and draft["customer_id"] not in store.customers:
        raise invalid({"customer_id": "Customer does not exist"})
    cart_id = store.uuid()
    customer = store.customers.get(draft.get("customer_id", 0)) or {}
    currency = draft.get("currency", {}).get("code") or store.settings.currency
    row: Row = {
        "id": cart_id, "customer_id": draft.get("customer_id", 0), "channel_id": draft.get("channel_id", 1),
        "email": draft.get("email") or customer.get("email", ""), "currency": {"code": currency}, "tax_included": False,
        "coupons": [], "discounts": [], "discount_amount": 0, "manual_discount_amount": 0,
        "line_items": {kind: [] for kind in _KINDS}, "created_time": store.now(), "locale": draft.get("locale", "en"),
        "version": 0, "abandoned": False, "token": f"{store.dice.getrandbits(128):032x}", "billing_address": {},
    }  # fmt: skip
    row["line_items"]["physical_items"] = [_line(store, one) for one in draft.get("line_items", ())]
    row["line_items"]["custom_items"] = [_line(store, one) for one in draft.get("custom_items", ())]
    store.cart_tokens[row["token"]] = cart_id
    _keep(store, row)
    store.note("create", "carts", row, {"customer_id": row["customer_id"], "email": row["email"]}, actor)
    store.tell("store/cart/created", {"type": "cart", "id": cart_id})
    store.tell("store/cart/updated", {"type": "cart", "id": cart_id})
    return row


def _line(store: Store, body: Any) -> Row:
    line = clean(body, _LINE, "line_items.0")
    if line["quantity"] < 1:
        raise invalid({"line_items.0.quantity": "error.min.1"})
    sku = line.get("sku", "")
    product, variant = store.variants.get(sku, (line.get("product_id", 0), line.get("variant_id", 0)))
    price = float(line.get("list_price", 0))
    return {
        "id": store.uuid(), "product_id": product, "variant_id": variant, "sku": sku, "name": line.get("name", sku),
        "url": "", "quantity": line["quantity"], "list_price": price, "sale_price": price,
        "extended_sale_price": round(price * line["quantity"], 4), "discount_amount": 0, "image_url": "", "options": [],
    }  # fmt: skip


def _keep(store: Store, row: Row) -> None:
    """Totals, version and times of a changed cart."""
    lines = [one for kind in _KINDS for one in row["line_items"][kind]]
    amount = round(sum(one["extended_sale_price"] for one in lines), 4)
    now = store.clock.now_ms()
    row |= {"base_amount": amount, "cart_amount": amount, "updated_time": stamp(now), "version": row["version"] + 1}
    row |= {"idle_ms": now, "abandoned": False}
    store.carts[row["id"]] = row


def touch(store: Store, row: Row, actor: str, told: Mapping[str, Any]) -> None:
    _keep(store, row)
    store.note("update", "carts", row, told, actor)
    store.tell("store/cart/updated", {"type": "cart", "id": row["id"]})


def delete(store: Store, row: Row, actor: str) -> None:
    del store.carts[row["id"]]
    store.cart_tokens.pop(row["token"], None)
    store.note("delete", "carts", row, {}, actor)
    store.tell("store/cart/deleted", {"type": "cart", "id": row["id"]})


def _check_version(row: Row, body: Any) -> None:
    if isinstance(body, Mapping) and "version" in body and body["version"] != row["version"]:
        raise conflict("Cart version mismatch", {"version": f"expected {row['version']}"})


def _one(call: Call, method: str, row: Row) -> Answer:
    match method:
        case "GET":
            return 200, {"data": shown(row), "meta": {}}
        case "PUT":
            body = call.json()
            _check_version(row, body)
            change = clean(body, {"customer_id": number(needed=True)})
            if change["customer_id"] and change["customer_id"] not in call.store.customers:
                raise invalid({"customer_id": "Customer does not exist"})
            touch(call.store, {**row, **change}, call.actor, change)
            return 201, {"data": shown(need(call.store, row["id"])), "meta": {}}
        case "DELETE":
            delete(call.store, row, call.actor)
            return 204, None
    raise call.not_allowed()


def _add(call: Call, row: Row) -> Answer:
    body = clean(call.json(), {"line_items": LIST, "version": number()})
    _check_version(row, body)
    added = [add_line(call.store, row, one) for one in body.get("line_items", ())]
    touch(call.store, row, call.actor, {"added": [one["sku"] for one in added]})
    return 201, {"data": shown(row), "meta": {}}


def add_line(store: Store, row: Row, body: Any) -> Row:
    line = _line(store, body)
    row["line_items"]["physical_items"].append(line)
    data = {"type": "cart_line_item", "id": line["id"], "cartId": row["id"]}
    store.tell("store/cart/lineItem/created", data)
    return line


def _item(call: Call, method: str, row: Row, item: str) -> Answer:
    kind, line = _found(row, item)
    data = {"type": "cart_line_item", "id": item, "cartId": row["id"]}
    if method == "PUT":
        body = call.json()
        _check_version(row, body)
        wanted = clean(body.get("line_item") if isinstance(body, Mapping) else None, {"quantity": number(needed=True)})
        line["quantity"] = wanted["quantity"]
        line["extended_sale_price"] = round(line["sale_price"] * line["quantity"], 4)
        call.store.tell("store/cart/lineItem/updated", data)
        touch(call.store, row, call.actor, {"quantity": wanted["quantity"]})
        return 200, {"data": shown(row), "meta": {}}
    if method != "DELETE":
        raise call.not_allowed()
    row["line_items"][kind].remove(line)
    call.store.tell("store/cart/lineItem/deleted", data)
    touch(call.store, row, call.actor, {"removed": item})
    if not any(row["line_items"].values()):
        delete(call.store, row, call.actor)
        return 204, None
    return 200, {"data": shown(row), "meta": {}}


def _found(row: Row, item: str) -> tuple[str, Row]:
    for kind in _KINDS:
        for line in row["line_items"][kind]:
            if line["id"] == item:
                return kind, line
    raise not_found()


# -- abandonment, conversion


def abandon_idle(store: Store) -> int:
    """Tell of the carts that have lain idle for long enough; how many."""
    due = store.clock.now_ms() - store.settings.abandon_seconds * 1000
    idle = [row for row in store.carts.values() if not row["abandoned"] and row["idle_ms"] <= due]
    for row in idle:
        abandon(store, row)
    return len(idle)


def abandon(store: Store, row: Row) -> None:
    row["abandoned"] = True
    store.tell("store/cart/abandoned", {"type": "cart", "id": row["id"], "token": row["token"]})


def convert(store: Store, row: Row, actor: str, *, status_id: int = 11) -> int:
    """The shopper pays: an order is made and the cart is gone."""
    lines = [one for kind in _KINDS for one in row["line_items"][kind]]
    customer = store.customers.get(row["customer_id"]) or {}
    address = {
        "first_name": customer.get("first_name", ""), "last_name": customer.get("last_name", ""), "zip": "00000",
        "email": row["email"], **row["billing_address"],
    }  # fmt: skip
    products = [
        {"name": one["name"], "sku": one["sku"], "product_id": one["product_id"], "variant_id": one["variant_id"],
         "quantity": one["quantity"], "price_inc_tax": one["sale_price"], "price_ex_tax": one["sale_price"]}
        for one in lines
    ]  # fmt: skip
    draft = {
        "customer_id": row["customer_id"],
        "status_id": status_id,
        "billing_address": address,
        "products": products,
    }
    order = orders.create(store, {**draft, "cart_id": row["id"]}, actor)
    del store.carts[row["id"]]
    store.cart_tokens.pop(row["token"], None)
    store.note("convert", "carts", row, {"order": order}, actor)
    store.tell("store/cart/converted", {"type": "cart", "id": row["id"], "orderId": order})
    return order


# -- abandoned carts


_FLAGS = ("enable_notification", "email_customer_until_cart_is_recovered", "marketing_emails_require_customer_consent",
          "email_merchant_when_cart_is_converted", "email_merchant_when_cart_is_abandoned")  # fmt: skip
_FREQUENCY = "merchant_abandoned_cart_digest_email_frequency"


def abandoned(call: Call) -> Answer:
    """``/abandoned-carts/{token}`` and the settings of the mails."""
    match call.method, call.rest[1:]:
        case method, ["settings"]:
            return _settings(call, method, 0)
        case method, ["settings", "channels", channel] if channel.isdigit():
            return _settings(call, method, int(channel))
        case "GET", [token]:
            cart_id = call.store.cart_tokens.get(token)
            if cart_id is None or not call.store.carts[cart_id]["abandoned"]:
                raise not_found()
            return 200, {"data": {"cart_id": cart_id}, "meta": {}}
    raise call.not_allowed()


def _settings(call: Call, method: str, channel: int) -> Answer:
    if channel and channel not in call.store.channels:
        raise not_found()
    held = call.store.cart_settings.get(channel) or _standard(own=channel == 0)
    if method == "PUT":
        wanted = _wanted(call.json(), channel)
        held = {**held, **wanted}
        call.store.cart_settings[channel] = held
        call.store.note("update", "abandoned_cart_settings", {"id": channel}, wanted, call.actor)
    elif method != "GET":
        raise call.not_allowed()
    return 200, {"data": held, "meta": {}}


def _standard(*, own: bool) -> Row:
    row: Row = dict.fromkeys(_FLAGS, True if own else None)
    row["merchant_email_address"] = "merchant@sandbox.example" if own else None
    row["merchant_abandoned_cart_email_frequency_type"] = "individual" if own else None
    return {**row, _FREQUENCY: 10 if own else None}


def _wanted(body: Any, channel: int) -> Row:
    if not isinstance(body, Mapping):
        raise ApiError(400, "Input is invalid")
    errors: dict[str, str] = {}
    for name, value in body.items():
        if value is None and channel:
            continue
        if name in _FLAGS and not isinstance(value, bool):
            errors[name] = "error.expected.bool"
        if name == _FREQUENCY and not (isinstance(value, int) and 2 <= value <= 1000):
            errors[name] = "error.range.2.1000"
        if name == "merchant_abandoned_cart_email_frequency_type" and value not in ("digest", "individual"):
            errors[name] = "error.enum.digest,individual"
    if errors:
        raise invalid(errors)
    return {name: value for name, value in body.items() if name in _standard(own=True)}
