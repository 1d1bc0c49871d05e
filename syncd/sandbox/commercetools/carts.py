"""Carts."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.commercetools import lines
from syncd.sandbox.commercetools.addresses import new_address
from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of, set_custom_field, set_custom_type
from syncd.sandbox.commercetools.errors import invalid_field, invalid_input, invalid_operation
from syncd.sandbox.commercetools.project import Actor, Project
from syncd.sandbox.commercetools.resource import Action, Resource
from syncd.sandbox.commercetools.shapes import cent_money, shape
from syncd.sandbox.commercetools.shop_fabric import store_reference

_LINE = shape(lines.LINE_DRAFT, total=lines.TOTAL_PRICE)
_CUSTOM_LINE = shape(lines.CUSTOM_LINE_DRAFT)
_DEFAULTS = {
    "taxMode": "Platform",
    "priceRoundingMode": "HalfEven",
    "taxRoundingMode": "HalfEven",
    "taxCalculationMode": "LineItemLevel",
    "inventoryMode": "None",
    "shippingMode": "Single",
    "origin": "Customer",
}
_TEXTS = ("key", "customerEmail", "anonymousId", "country", "purchaseOrderNumber")
_DRAFT = shape(
    "currency:text key?:key customerId?:text customerEmail?:text customerGroup?:ri=customer-group anonymousId?:text "
    "lineItems?:<line>* customLineItems?:<custom_line>* billingAddress?:address shippingAddress?:address "
    "country?:country locale?:text deleteDaysAfterLastModification?:int custom?:custom purchaseOrderNumber?:text "
    "businessUnit?:ri=business-unit store?:ri=store " + " ".join(f"{name}?:text" for name in _DEFAULTS),
    line=_LINE,
    custom_line=_CUSTOM_LINE,
)
# What a frozen cart still takes: prices must not move.
_ALLOWED_WHEN_FROZEN = frozenset(
    {"unfreezeCart", "setCustomField", "setCustomType", "setKey", "setCustomerEmail", "setPurchaseOrderNumber"}
)


def _build(project: Project, draft: dict[str, Any]) -> Row:
    if draft["currency"] not in project.settings.currencies:
        raise invalid_field("currency", draft["currency"], list(project.settings.currencies))
    row: Row = {name: draft[name] for name in _TEXTS if name in draft}
    row |= {name: draft.get(name, default) for name, default in _DEFAULTS.items()}
    row |= {"cartState": "Active", "lineItems": [], "customLineItems": [], "discountCodes": [], "directDiscounts": []}
    row |= {"shipping": [], "itemShippingAddresses": [], "refusedGifts": []}
    row["totalPrice"] = cent_money(draft["currency"], 0)
    row["deleteDaysAfterLastModification"] = _days(
        draft.get("deleteDaysAfterLastModification", project.settings.cart_days)
    )
    if "locale" in draft:
        row["locale"] = project.check_locale(draft["locale"])
    for name in ("billingAddress", "shippingAddress"):
        if name in draft:
            row[name] = new_address(project, draft[name])
    _set_unit(project, row, draft)
    if "store" in draft:
        row["store"] = store_reference(project, draft["store"])
    _set_group(project, row, draft)
    if "customerId" in draft:
        _set_customer(project, row, draft)
    if "custom" in draft:
        row["custom"] = custom_of(project, "order", draft["custom"])
    for line in draft.get("lineItems", ()):
        lines.add_line(project, row, line)
    for line in draft.get("customLineItems", ()):
        lines.add_custom_line(project, row, line)
    return row


def _days(days: int) -> int:
    if not 1 <= days <= 365_250:
        raise invalid_field("deleteDaysAfterLastModification", days)
    return days


def _admit(_project: Project, row: Row, names: list[str]) -> None:
    if row["cartState"] in {"Ordered", "Merged"}:
        raise invalid_operation(f"The cart is {row['cartState'].lower()} and can not be updated.")
    refused = [name for name in names if name not in _ALLOWED_WHEN_FROZEN]
    # A cart may be thawed and edited in one request.
    if row["cartState"] == "Frozen" and refused and names[0] != "unfreezeCart":
        raise invalid_operation(f"The cart is frozen; the update action '{refused[0]}' is not allowed.")


def _finish(project: Project, row: Row) -> None:
    lines.total(project, row)


CARTS = Resource(
    path="carts",
    type_id="cart",
    scopes="orders",
    draft=_DRAFT,
    build=_build,
    custom_type="order",
    admit=_admit,
    finish=_finish,
)
CARTS.customizable()
CARTS.setter("setKey", "key", "key")
CARTS.setter("setCustomerEmail", "email", "text", stored="customerEmail")
CARTS.setter("setAnonymousId", "anonymousId")
CARTS.setter("setPurchaseOrderNumber", "purchaseOrderNumber")


def _set_group(project: Project, row: Row, args: dict[str, Any]) -> None:
    if "customerGroup" in args:
        row["customerGroup"] = project.reference(args["customerGroup"])
    else:
        row.pop("customerGroup", None)
    lines.recalculate(project, row)


def _set_customer(project: Project, row: Row, args: dict[str, Any]) -> None:
    row.pop("customerId", None)
    group = row.pop("customerGroup", None)
    if "customerId" in args:
        customer = project.find({"typeId": "customer", "id": args["customerId"]})
        row["customerId"] = customer["id"]
        group = customer.get("customerGroup", group)
        if group is not None:
            row["customerGroup"] = group
    lines.recalculate(project, row)


def _set_unit(project: Project, row: Row, args: dict[str, Any]) -> None:
    row.pop("businessUnit", None)
    if "businessUnit" in args:
        unit = project.find(args["businessUnit"])
        if unit["status"] != "Active":
            raise invalid_operation(f"The business unit '{unit['key']}' is not active.")
        row["businessUnit"] = {"typeId": "business-unit", "key": unit["key"]}


def _set_country(project: Project, row: Row, args: dict[str, Any]) -> None:
    row.pop("country", None)
    row.update({name: value for name, value in args.items() if name == "country"})
    lines.recalculate(project, row)


CARTS.actions["setCustomerGroup"] = Action(shape("action:text customerGroup?:ri=customer-group"), _set_group)
CARTS.actions["setCustomerId"] = Action(shape("action:text customerId?:text"), _set_customer)
CARTS.actions["setBusinessUnit"] = Action(shape("action:text businessUnit:ri=business-unit"), _set_unit)
CARTS.actions["setCountry"] = Action(shape("action:text country?:country"), _set_country)


@CARTS.action("setLocale", "locale?:text")
def _set_locale(project: Project, row: Row, args: dict[str, Any]) -> None:
    row.pop("locale", None)
    if "locale" in args:
        row["locale"] = project.check_locale(args["locale"])


@CARTS.action("setDeleteDaysAfterLastModification", "deleteDaysAfterLastModification?:int")
def _set_days(project: Project, row: Row, args: dict[str, Any]) -> None:
    days = args.get("deleteDaysAfterLastModification", project.settings.cart_days)
    row["deleteDaysAfterLastModification"] = _days(days)


def declare_addresses(resource: Resource) -> None:
    """``setShippingAddress`` and ``setBillingAddress``, of carts and of orders."""

    def declare(role: str) -> None:
        member = f"{role.lower()}Address"

        @resource.action(f"set{role}Address", "address?:address")
        def _set(project: Project, row: Row, args: dict[str, Any]) -> None:
            row.pop(member, None)
            if "address" in args:
                row[member] = new_address(project, args["address"])

    for role in ("Shipping", "Billing"):
        declare(role)


declare_addresses(CARTS)


@CARTS.action("addLineItem", lines.LINE_DRAFT, total=lines.TOTAL_PRICE)
def _add_line(project: Project, row: Row, args: dict[str, Any]) -> None:
    lines.add_line(project, row, args)


_PRICES = "externalPrice?:money externalTotalPrice?:<total>"


@CARTS.action("changeLineItemQuantity", f"{lines.WHICH} quantity:int {_PRICES}", total=lines.TOTAL_PRICE)
def _change_quantity(project: Project, row: Row, args: dict[str, Any]) -> None:
    lines.change_quantity(project, row, args, args["quantity"])


@CARTS.action("removeLineItem", f"{lines.WHICH} quantity?:int {_PRICES}", total=lines.TOTAL_PRICE)
def _remove_line(project: Project, row: Row, args: dict[str, Any]) -> None:
    line = lines.find_line(row, args)
    left = line["quantity"] - args.get("quantity", line["quantity"])
    if args.get("quantity", 1) < 1:
        raise invalid_input("The quantity must be at least 1.")
    if left > 0 and line["priceMode"] == "ExternalPrice":
        args.setdefault("externalPrice", line["price"]["value"])
    lines.change_quantity(project, row, args, max(0, left))


@CARTS.action("setLineItemPrice", f"{lines.WHICH} externalPrice?:money")
def _set_price(project: Project, row: Row, args: dict[str, Any]) -> None:
    lines.reprice(project, row, lines.find_line(row, args), args)


@CARTS.action("setLineItemTotalPrice", f"{lines.WHICH} externalTotalPrice?:<total>", total=lines.TOTAL_PRICE)
def _set_total(project: Project, row: Row, args: dict[str, Any]) -> None:
    lines.reprice(project, row, lines.find_line(row, args), args)


@CARTS.action("setLineItemCustomType", f"{lines.WHICH} type?:ri=type fields?:object")
def _line_type(project: Project, row: Row, args: dict[str, Any]) -> None:
    set_custom_type(project, "line-item", lines.find_line(row, args), args)


@CARTS.action("setLineItemCustomField", f"{lines.WHICH} name:text value?:any")
def _line_field(project: Project, row: Row, args: dict[str, Any]) -> None:
    set_custom_field(project, lines.find_line(row, args), args)


@CARTS.action("addCustomLineItem", lines.CUSTOM_LINE_DRAFT)
def _add_custom(project: Project, row: Row, args: dict[str, Any]) -> None:
    lines.add_custom_line(project, row, args)


_WHICH_CUSTOM = "customLineItemId?:text customLineItemKey?:text"


@CARTS.action("changeCustomLineItemQuantity", f"{_WHICH_CUSTOM} quantity:int")
def _custom_quantity(_project: Project, row: Row, args: dict[str, Any]) -> None:
    line = lines.find_line(row, args, "customLineItem")
    if args["quantity"] == 0:
        row["customLineItems"].remove(line)
    line["quantity"] = args["quantity"]


@CARTS.action("changeCustomLineItemMoney", f"{_WHICH_CUSTOM} money:money")
def _custom_money(_project: Project, row: Row, args: dict[str, Any]) -> None:
    lines.find_line(row, args, "customLineItem")["money"] = lines.in_currency(row, args["money"])


@CARTS.action("removeCustomLineItem", _WHICH_CUSTOM)
def _remove_custom(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["customLineItems"].remove(lines.find_line(row, args, "customLineItem"))


@CARTS.action("recalculate", "updateProductData?:bool")
def _recalculate(project: Project, row: Row, args: dict[str, Any]) -> None:
    lines.recalculate(project, row, product_data=args.get("updateProductData", False))


@CARTS.action("freezeCart", "strategy?:text")
def _freeze(_project: Project, row: Row, args: dict[str, Any]) -> None:
    strategy = args.get("strategy", "SoftFreeze")
    if strategy not in {"SoftFreeze", "HardFreeze"}:
        raise invalid_field("strategy", strategy, ["SoftFreeze", "HardFreeze"])
    if row["cartState"] != "Active" or not row["lineItems"]:
        raise invalid_operation("Only an active cart that is not empty can be frozen.")
    row["cartState"], row["freezeStrategy"] = "Frozen", strategy


@CARTS.action("unfreezeCart")
def _unfreeze(project: Project, row: Row, _args: dict[str, Any]) -> None:
    if row["cartState"] != "Frozen":
        raise invalid_operation("The cart is not frozen.")
    row["cartState"] = "Active"
    row.pop("freezeStrategy", None)
    lines.recalculate(project, row)


def current_cart(project: Project, customer_id: str) -> Row | None:
    """The customer's active cart that was modified last."""
    carts = project.collections["carts"]
    rows = [carts.get(id_) for id_ in carts.holders("customerId", [customer_id]) or ()]
    active = [row for row in rows if row is not None and row["cartState"] == "Active"]
    return max(active, key=lambda row: row["lastModifiedAt"], default=None)


def guest_cart(project: Project, identifier: dict[str, Any]) -> Row:
    """An active cart without a customer. Raises ``ApiError``."""
    cart = project.find({**identifier, "typeId": "cart"})
    if cart["cartState"] != "Active" or "customerId" in cart:
        raise invalid_operation("The cart is not an active anonymous cart.")
    return cart


def adopt(project: Project, cart: Row, customer: Row, actor: Actor) -> Row:
    """A guest's cart becomes the new customer's."""
    after = {**cart, "customerId": customer["id"], "customerEmail": customer["email"]}
    after.pop("anonymousId", None)
    return project.replace("carts", cart, after, actor)
