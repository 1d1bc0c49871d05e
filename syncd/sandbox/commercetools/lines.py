"""Line items of carts, and the totals that follow from them."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of
from syncd.sandbox.commercetools.errors import invalid_input, invalid_operation, required_field
from syncd.sandbox.commercetools.products import find_variant, select_price
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.shapes import cent_money, shape

TOTAL_PRICE = shape("price:money totalPrice:money")
LINE_DRAFT = (
    "key?:key productId?:text variantId?:int sku?:text quantity?:int addedAt?:time externalPrice?:money "
    "externalTotalPrice?:<total> custom?:custom"
)
CUSTOM_LINE_DRAFT = "money:money name:localized slug:text key?:key quantity?:int custom?:custom priceMode?:text"
WHICH = "lineItemId?:text lineItemKey?:text"


def in_currency(cart: Row, amount: Row) -> Row:
    """The amount, if it is in the cart's currency. Raises ``ApiError``."""
    currency = cart["totalPrice"]["currencyCode"]
    if amount["currencyCode"] != currency:
        raise invalid_operation(f"The currency '{amount['currencyCode']}' does not match the cart's '{currency}'.")
    return amount


def initial_state(project: Project, quantity: int) -> list[Row]:
    """The whole quantity in the initial state."""
    # Every project has a built-in initial state; its id never changes within a project.
    id_ = f"{hash_of(project.settings.key)}-0000-4000-8000-000000000001"
    return [{"quantity": quantity, "state": {"typeId": "state", "id": id_}}]


def hash_of(text: str) -> str:
    """Eight hexadecimal digits, the same in every process."""
    return f"{sum(ord(letter) * 31**place for place, letter in enumerate(text)) & 0xFFFFFFFF:08x}"


def add_line(project: Project, cart: Row, draft: Row) -> None:
    """Raises ``ApiError``."""
    quantity = draft.get("quantity", 1)
    if quantity < 1:
        raise invalid_input(f"The quantity must be at least 1, got {quantity}.")
    product, variant = find_variant(project, draft)
    line = _line(project, cart, draft, product, variant)
    twin = None if "key" in draft or "custom" in draft else _twin(cart, line)
    if twin is not None:
        twin["price"] = line["price"]
        _set_quantity(project, twin, twin["quantity"] + quantity)
        return
    if "key" in draft and any(one.get("key") == draft["key"] for one in cart["lineItems"]):
        raise invalid_operation(f"The cart already has a line item with key '{draft['key']}'.")
    cart["lineItems"].append(line)


def _twin(cart: Row, line: Row) -> Row | None:
    """The line that takes up more of the same variant at the same kind of price."""
    for one in cart["lineItems"]:
        same = one["productId"] == line["productId"] and one["variant"]["id"] == line["variant"]["id"]
        if same and one["priceMode"] == line["priceMode"] != "ExternalTotal" and not {"key", "custom"} & one.keys():
            found: Row = one
            return found
    return None


def _line(project: Project, cart: Row, draft: Row, product: Row, variant: Row) -> Row:
    data, now = product["masterData"]["current"], project.now()
    line: Row = {"id": project.new_id(), "productId": product["id"]}
    line |= {name: value for name, value in (("key", draft.get("key")), ("productKey", product.get("key"))) if value}
    line |= {
        "name": data["name"],
        "productSlug": data["slug"],
        "productType": product["productType"],
        "variant": variant,
        "quantity": draft.get("quantity", 1),
        "priceMode": "Platform",
        "lineItemMode": "Standard",
        "discountedPricePerQuantity": [],
        "taxedPricePortions": [],
        "perMethodTaxRate": [],
        "state": initial_state(project, draft.get("quantity", 1)),
        "addedAt": draft.get("addedAt", now),
        "lastModifiedAt": now,
    }
    if "custom" in draft:
        line["custom"] = custom_of(project, "line-item", draft["custom"])
    _price(project, cart, line, draft, product, variant)
    return line


def _price(project: Project, cart: Row, line: Row, draft: Row, product: Row, variant: Row) -> None:
    if "externalTotalPrice" in draft:
        total = draft["externalTotalPrice"]
        line["priceMode"] = "ExternalTotal"
        line["price"] = {"id": project.new_id(), "value": in_currency(cart, total["price"])}
        line["totalPrice"] = in_currency(cart, total["totalPrice"])
    elif "externalPrice" in draft:
        line["priceMode"] = "ExternalPrice"
        line["price"] = {"id": project.new_id(), "value": in_currency(cart, draft["externalPrice"])}
    else:
        line["priceMode"] = "Platform"
        line["price"] = select_price(product, variant, cart)


def find_line(cart: Row, args: Row, kind: str = "lineItem") -> Row:
    """By ``lineItemId`` or ``lineItemKey`` (or the same of custom line items). Raises ``ApiError``."""
    by_id, by_key = args.get(f"{kind}Id"), args.get(f"{kind}Key")
    if (by_id is None) == (by_key is None):
        raise invalid_operation(f"Exactly one of '{kind}Id' and '{kind}Key' is required.")
    for line in cart[f"{kind}s"]:
        if (by_id is not None and line["id"] == by_id) or (by_key is not None and line.get("key") == by_key):
            found: Row = line
            return found
    what = f"ID '{by_id}'" if by_id is not None else f"key '{by_key}'"
    raise invalid_operation(f"The {kind} with {what} was not found in the cart.")


def change_quantity(project: Project, cart: Row, args: Row, quantity: int) -> None:
    line = find_line(cart, args)
    if quantity < 0:
        raise invalid_input(f"The quantity must not be negative, got {quantity}.")
    if quantity == 0:
        cart["lineItems"].remove(line)
        return
    if "externalTotalPrice" in args or "externalPrice" in args:
        reprice(project, cart, line, args)
    elif line["priceMode"] == "ExternalPrice":
        raise required_field("externalPrice")
    elif line["priceMode"] == "ExternalTotal":
        reprice(project, cart, line, {})
    _set_quantity(project, line, quantity)


def reprice(project: Project, cart: Row, line: Row, args: Row) -> None:
    product, variant = find_variant(project, {"productId": line["productId"], "variantId": line["variant"]["id"]})
    _price(project, cart, line, args, product, variant)
    line["lastModifiedAt"] = project.now()


def _set_quantity(project: Project, line: Row, quantity: int) -> None:
    if line["quantity"] != quantity:
        line["quantity"] = quantity
        line["state"] = initial_state(project, quantity)
        line["lastModifiedAt"] = project.now()


def add_custom_line(project: Project, cart: Row, draft: Row) -> None:
    quantity = draft.get("quantity", 1)
    line: Row = {"id": project.new_id(), "name": draft["name"], "money": in_currency(cart, draft["money"])}
    line |= {"slug": draft["slug"], "quantity": quantity, "priceMode": draft.get("priceMode", "Standard")}
    line |= {"discountedPricePerQuantity": [], "taxedPricePortions": [], "perMethodTaxRate": []}
    line["state"] = initial_state(project, quantity)
    if "key" in draft:
        line["key"] = draft["key"]
    if "custom" in draft:
        line["custom"] = custom_of(project, "custom-line-item", draft["custom"])
    cart["customLineItems"].append(line)


def recalculate(project: Project, cart: Row, *, product_data: bool = False) -> None:
    """Bring prices of the platform's own price mode to their latest state; lines of products off sale stay."""
    for line in cart["lineItems"]:
        product = project.collections["products"].get(line["productId"])
        on_sale = product is not None and product["masterData"]["published"]
        if not on_sale or line["priceMode"] != "Platform":
            continue
        product, variant = find_variant(project, {"productId": line["productId"], "variantId": line["variant"]["id"]})
        line["price"] = select_price(product, variant, cart)
        if product_data:
            line["name"], line["variant"] = product["masterData"]["current"]["name"], variant


def total(_project: Project, cart: Row) -> None:
    """Line totals, the cart's total and its item count, from prices and quantities."""
    currency = cart["totalPrice"]["currencyCode"]
    for line in cart["lineItems"]:
        if line["priceMode"] != "ExternalTotal":
            line["totalPrice"] = cent_money(currency, line["price"]["value"]["centAmount"] * line["quantity"])
    for line in cart["customLineItems"]:
        line["totalPrice"] = cent_money(currency, line["money"]["centAmount"] * line["quantity"])
    lines: list[dict[str, Any]] = [*cart["lineItems"], *cart["customLineItems"]]
    cart["totalPrice"] = cent_money(currency, sum(line["totalPrice"]["centAmount"] for line in lines))
    cart.pop("totalLineItemQuantity", None)
    if cart["lineItems"]:
        cart["totalLineItemQuantity"] = sum(line["quantity"] for line in cart["lineItems"])
