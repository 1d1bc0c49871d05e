"""Orders: from carts, and imported ones."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.commercetools import lines
from syncd.sandbox.commercetools.addresses import new_address
from syncd.sandbox.commercetools.carts import declare_addresses
from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of
from syncd.sandbox.commercetools.errors import (
    ApiError,
    invalid_field,
    invalid_input,
    invalid_json,
    invalid_operation,
    required_field,
)
from syncd.sandbox.commercetools.products import find_variant
from syncd.sandbox.commercetools.project import Actor, Project
from syncd.sandbox.commercetools.resource import Change, Resource, check_version
from syncd.sandbox.commercetools.shapes import cent_money, check, shape
from syncd.sandbox.commercetools.shop_fabric import declare_transitions, store_reference

_STATES = {
    "orderState": ["Open", "Confirmed", "Complete", "Cancelled"],
    "shipmentState": ["Shipped", "Delivered", "Ready", "Pending", "Delayed", "Partial", "Backorder", "Canceled"],
    "paymentState": ["BalanceDue", "Failed", "Pending", "CreditOwed", "Paid"],
}
_FROM_CART = shape(
    "id?:text cart?:ri=cart version:int orderNumber?:text purchaseOrderNumber?:text orderState?:text "
    "paymentState?:text shipmentState?:text state?:ri=state custom?:custom"
)
_FROM_QUOTE = shape(
    "quote:ri=quote version:int quoteStateToAccepted?:bool orderNumber?:text orderState?:text paymentState?:text "
    "shipmentState?:text state?:ri=state"
)
_COPIED = (
    "customerId",
    "customerEmail",
    "customerGroup",
    "anonymousId",
    "businessUnit",
    "store",
    "lineItems",
    "customLineItems",
    "totalPrice",
    "billingAddress",
    "shippingAddress",
    "country",
    "locale",
    "purchaseOrderNumber",
    "custom",
    "taxMode",
    "priceRoundingMode",
    "taxRoundingMode",
    "taxCalculationMode",
    "inventoryMode",
    "shippingMode",
    "shipping",
    "itemShippingAddresses",
    "discountCodes",
    "directDiscounts",
    "refusedGifts",
    "origin",
)


def check_states(draft: dict[str, Any]) -> dict[str, str]:
    """The states a draft names. Raises ``ApiError`` InvalidField."""
    states = {name: draft[name] for name in _STATES if name in draft}
    for name, value in states.items():
        if value not in _STATES[name]:
            raise invalid_field(name, value, list(_STATES[name]))
    return states


def order_from_cart(project: Project, body: Any, actor: Actor) -> Row:
    """``POST /orders``: the order is made, the cart becomes Ordered. Raises ``ApiError``."""
    draft = check(body, _FROM_CART)
    if ("id" in draft) == ("cart" in draft):
        raise required_field("cart")
    cart = project.find(draft.get("cart") or {"typeId": "cart", "id": draft["id"]})
    check_version(cart, draft["version"])
    if cart["cartState"] not in {"Active", "Frozen"}:
        raise invalid_operation(f"The cart is {cart['cartState'].lower()}; an order can not be made from it.")
    if not cart["lineItems"] and not cart["customLineItems"]:
        raise invalid_operation("An order can not be made from an empty cart.")
    body_row = _from_cart(project, cart, draft)
    # Both or neither: nothing may be refused after the first effect.
    project.check_unique("orders", {"id": "", **body_row})
    order = project.create("orders", body_row, actor)
    project.replace("carts", cart, {**cart, "cartState": "Ordered"}, actor)
    return order


def _from_cart(project: Project, cart: Row, draft: dict[str, Any]) -> Row:
    row: Row = {name: cart[name] for name in _COPIED if name in cart}
    if "customerEmail" not in row and "customerId" in row:
        customer = project.collections["customers"].get(row["customerId"])
        if customer is not None:
            row["customerEmail"] = customer["email"]
    row |= {name: draft[name] for name in ("orderNumber", "purchaseOrderNumber") if name in draft}
    row |= {"orderState": "Open", **check_states(draft), "syncInfo": [], "returnInfo": []}
    row["cart"] = {"typeId": "cart", "id": cart["id"]}
    if "custom" in draft:
        row["custom"] = custom_of(project, "order", draft["custom"])
    if "state" in draft:
        row["state"] = project.reference(draft["state"])
    return row


def order_from_quote(project: Project, body: Any, actor: Actor) -> Row:
    """``POST /orders/quotes``: what was offered is ordered. Raises ``ApiError``."""
    draft = check(body, _FROM_QUOTE)
    quote = project.find(draft["quote"])
    check_version(quote, draft["version"])
    if quote["quoteState"] not in {"Pending", "Accepted"}:
        raise invalid_operation(f"The quote is {quote['quoteState']}; an order can not be made from it.")
    row: Row = {name: quote[name] for name in _COPIED if name in quote and name != "custom"}
    row |= {"customerId": quote["customer"]["id"], "origin": "Quote", "syncInfo": [], "returnInfo": []}
    row |= {"orderState": "Open", **check_states(draft), "quote": {"typeId": "quote", "id": quote["id"]}}
    row |= {"shippingMode": "Single", "shipping": [], "refusedGifts": []}
    row |= {"orderNumber": draft["orderNumber"]} if "orderNumber" in draft else {}
    if "state" in draft:
        row["state"] = project.reference(draft["state"])
    project.check_unique("orders", {"id": "", **row})
    order = project.create("orders", row, actor)
    if draft.get("quoteStateToAccepted"):
        project.replace("quotes", quote, {**quote, "quoteState": "Accepted"}, actor)
    return order


# -- import

_PRICE = shape("value:money country?:country id?:text key?:key")
_VARIANT = shape("id?:int sku?:text attributes?:any* images?:any* prices?:any*")
_LINE = shape(
    "name:localized key?:key variant:<variant> productId?:text quantity:int price:<price> custom?:custom",
    variant=_VARIANT,
    price=_PRICE,
)
_IMPORT = shape(
    "totalPrice:money orderNumber?:text purchaseOrderNumber?:text customerId?:text customerEmail?:text "
    "customerGroup?:ri=customer-group lineItems?:<line>* customLineItems?:<custom_line>* billingAddress?:address "
    "shippingAddress?:address orderState?:text paymentState?:text shipmentState?:text country?:country origin?:text "
    "completedAt?:time custom?:custom state?:ri=state businessUnit?:ri=business-unit store?:ri=store "
    "inventoryMode?:text taxRoundingMode?:text taxCalculationMode?:text "
    "priceRoundingMode?:text",
    line=_LINE,
    custom_line=shape(lines.CUSTOM_LINE_DRAFT),
)
_TEXTS = ("orderNumber", "purchaseOrderNumber", "customerEmail", "country", "completedAt")


def _build(project: Project, draft: dict[str, Any]) -> Row:
    if not draft.get("lineItems") and not draft.get("customLineItems"):
        raise invalid_input("One of 'lineItems' and 'customLineItems' must not be empty.")
    row: Row = {name: draft[name] for name in _TEXTS if name in draft}
    row |= {"orderState": "Open", **check_states(draft), "origin": draft.get("origin", "Customer")}
    row |= {"totalPrice": draft["totalPrice"], "shippingMode": "Single", "shipping": [], "refusedGifts": []}
    row |= {"syncInfo": [], "returnInfo": [], "lineItems": [], "customLineItems": []}
    _place_customer(project, row, draft)
    _place_elsewhere(project, row, draft)
    for name in ("billingAddress", "shippingAddress"):
        if name in draft:
            row[name] = new_address(project, draft[name])
    if "custom" in draft:
        row["custom"] = custom_of(project, "order", draft["custom"])
    row["lineItems"] = [_import_line(project, row, one) for one in draft.get("lineItems", ())]
    for one in draft.get("customLineItems", ()):
        lines.add_custom_line(project, row, one)
    for one in row["customLineItems"]:
        one["totalPrice"] = cent_money(one["money"]["currencyCode"], one["money"]["centAmount"] * one["quantity"])
    return row


def _place_elsewhere(project: Project, row: Row, draft: dict[str, Any]) -> None:
    if "state" in draft:
        row["state"] = project.reference(draft["state"])
    if "businessUnit" in draft:
        row["businessUnit"] = {"typeId": "business-unit", "key": project.find(draft["businessUnit"])["key"]}
    if "store" in draft:
        row["store"] = store_reference(project, draft["store"])


def _place_customer(project: Project, row: Row, draft: dict[str, Any]) -> None:
    if "customerGroup" in draft:
        row["customerGroup"] = project.reference(draft["customerGroup"])
    if "customerId" in draft:
        customer = project.find({"typeId": "customer", "id": draft["customerId"]})
        row["customerId"] = customer["id"]
        row.setdefault("customerEmail", customer["email"])


def _import_line(project: Project, order: Row, draft: dict[str, Any]) -> Row:
    """A line of an import names what was sold then; the product need not exist today."""
    variant, quantity = dict(draft["variant"]), draft["quantity"]
    if "sku" not in variant and "id" not in variant:
        raise invalid_json("lineItems -> variant: One of 'sku' and 'id' is required.")
    known = project.skus.get(variant.get("sku", ""))
    product_id = draft.get("productId") or (known[0] if known else project.new_id())
    product_type = f"{lines.hash_of(project.settings.key)}-0000-4000-8000-000000000002"
    if known:
        product, today = find_variant(project, {"sku": variant["sku"]})
        variant, product_type = {**today, **variant}, product["productType"]["id"]
    value = lines.in_currency(order, draft["price"]["value"])
    line: Row = {"id": project.new_id(), "productId": product_id, "name": draft["name"]}
    line |= {"productType": {"typeId": "product-type", "id": product_type}}
    line |= {"variant": {"id": 1, "prices": [], "images": [], "attributes": [], "assets": [], **variant}}
    line |= {"price": {"id": project.new_id(), "value": value}, "quantity": quantity, "priceMode": "Platform"}
    line |= {"totalPrice": cent_money(value["currencyCode"], value["centAmount"] * quantity)}
    line |= {"lineItemMode": "Standard", "discountedPricePerQuantity": [], "taxedPricePortions": []}
    line |= {"perMethodTaxRate": [], "state": lines.initial_state(project, quantity)}
    if "key" in draft:
        line["key"] = draft["key"]
    if "custom" in draft:
        line["custom"] = custom_of(project, "line-item", draft["custom"])
    return line


ORDERS = Resource(path="orders", type_id="order", scopes="orders", draft=_IMPORT, build=_build, custom_type="order")
"""Its draft is the import draft; ``POST /orders`` goes to :func:`order_from_cart`."""
ORDERS.customizable()
ORDERS.setter("setCustomerEmail", "email", "text", stored="customerEmail")
ORDERS.setter("setPurchaseOrderNumber", "purchaseOrderNumber")
declare_addresses(ORDERS)
declare_transitions(ORDERS, "OrderState")


@ORDERS.action("setBusinessUnit", "businessUnit?:ri=business-unit")
def _set_unit(project: Project, row: Row, args: dict[str, Any]) -> None:
    row.pop("businessUnit", None)
    if "businessUnit" in args:
        row["businessUnit"] = {"typeId": "business-unit", "key": project.find(args["businessUnit"])["key"]}


@ORDERS.action("setStore", "store?:ri=store")
def _set_store(project: Project, row: Row, args: dict[str, Any]) -> None:
    row.pop("store", None)
    if "store" in args:
        row["store"] = store_reference(project, args["store"])


def _state_change(name: str) -> Change:
    def change(_project: Project, row: Row, args: dict[str, Any]) -> None:
        row.update(check_states({name: args[name]}))

    return change


for _name in _STATES:
    ORDERS.action(f"change{_name[0].upper()}{_name[1:]}", f"{_name}:text")(_state_change(_name))


@ORDERS.action("setOrderNumber", "orderNumber?:text")
def _set_number(_project: Project, row: Row, args: dict[str, Any]) -> None:
    if "orderNumber" in row and args.get("orderNumber") != row["orderNumber"]:
        raise invalid_operation("The order number is already set and cannot be changed.")
    row.update({name: value for name, value in args.items() if name == "orderNumber"})


@ORDERS.action("setLocale", "locale?:text")
def _set_locale(project: Project, row: Row, args: dict[str, Any]) -> None:
    row.pop("locale", None)
    if "locale" in args:
        row["locale"] = project.check_locale(args["locale"])


@ORDERS.action("setCustomerId", "customerId?:text")
def _set_customer(project: Project, row: Row, args: dict[str, Any]) -> None:
    row.pop("customerId", None)
    row.pop("customerGroup", None)
    if "customerId" in args:
        customer = project.find({"typeId": "customer", "id": args["customerId"]})
        row["customerId"] = customer["id"]
        if "customerGroup" in customer:
            row["customerGroup"] = customer["customerGroup"]


@ORDERS.action("updateSyncInfo", "channel:ri=channel externalId?:text syncedAt?:time")
def _sync_info(project: Project, row: Row, args: dict[str, Any]) -> None:
    channel = project.find(args["channel"])
    if not {"OrderExport", "OrderImport"} & set(channel["roles"]):
        text = "The channel does not have one of the roles OrderExport and OrderImport."
        raise ApiError(400, "MissingRoleOnChannel", text, channel={"typeId": "channel", "id": channel["id"]})
    reference = {"typeId": "channel", "id": channel["id"]}
    info: Row = {"channel": reference, "syncedAt": args.get("syncedAt", project.now())}
    if "externalId" in args:
        info["externalId"] = args["externalId"]
    row["syncInfo"] = [one for one in row["syncInfo"] if one["channel"] != reference] + [info]
