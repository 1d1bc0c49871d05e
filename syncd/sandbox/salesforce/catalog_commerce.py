"""Standard objects of commerce: products, price books, orders, and the lines of orders and opportunities."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.salesforce.objects import (
    CASCADE,
    RESTRICT,
    ObjectType,
    address,
    area,
    choice,
    day,
    define,
    flag,
    kept,
    made,
    moment,
    money,
    number,
    percent,
    ref,
    text,
    url,
)

ORDER_STATUSES = {"Draft": "Draft", "Activated": "Activated"}
"""Status to status code."""


def _of_product(field: str) -> Any:
    def compute(org: Any, row: Any) -> Any:
        product = org.row(row.values.get("Product2Id"))
        return product.values.get(field) if product else None

    return compute


def _line_name(org: Any, row: Any) -> str | None:
    parent = org.row(row.values.get("OpportunityId"))
    parts = (parent.values.get("Name") if parent else None, _of_product("Name")(org, row))
    return " ".join(filter(None, parts)) or None


def _order_total(org: Any, row: Any) -> float:
    lines = org.children("OrderItem", "OrderId", row.id)
    return float(round(sum((one.values.get("UnitPrice") or 0) * (one.values.get("Quantity") or 0) for one in lines), 2))


def _line_total(_: Any, row: Any) -> float:
    return float(round((row.values.get("UnitPrice") or 0) * (row.values.get("Quantity") or 0), 2))


def _list_price(org: Any, row: Any) -> float | None:
    entry = org.row(row.values.get("PricebookEntryId"))
    return entry.values.get("UnitPrice") if entry else None


def products() -> list[ObjectType]:
    product = define(
        "Product2",
        "01t",
        [
            text("Name", 255, required=True, label="Product Name"),
            text("ProductCode", 255),
            area("Description", 4000),
            flag("IsActive", label="Active"),
            choice("Family", "None"),
            url("DisplayUrl"),
            text("ExternalId", 255),
            choice("QuantityUnitOfMeasure", "Each"),
            text("StockKeepingUnit", 180, label="Product SKU"),
            kept(flag("IsArchived", label="Archived")),
        ],
        label="Product",
        owned=False,
    )
    book = define(
        "Pricebook2",
        "01s",
        [
            text("Name", 255, required=True, label="Price Book Name"),
            flag("IsActive", label="Active"),
            text("Description", 255),
            kept(flag("IsStandard")),
            kept(flag("IsArchived", label="Archived")),
        ],
        label="Price Book",
        owned=False,
    )
    return [product, book, _entry()]


def _entry() -> ObjectType:
    return define(
        "PricebookEntry",
        "01u",
        [
            made("Name", "string", _of_product("Name"), length=255, label="Product Name"),
            ref("Pricebook2Id", "Pricebook2", children="PricebookEntries", on_delete=CASCADE, required=True,
                updateable=False),
            ref("Product2Id", "Product2", children="PricebookEntries", on_delete=CASCADE, required=True,
                updateable=False),
            money("UnitPrice", required=True, label="List Price"),
            flag("IsActive", label="Active"),
            flag("UseStandardPrice"),
            made("ProductCode", "string", _of_product("ProductCode"), length=255),
            kept(flag("IsArchived", label="Archived")),
        ],
        label="Price Book Entry",
        plural="Price Book Entries",
        owned=False,
        undeletable=False,
    )  # fmt: skip


def opportunity_lines() -> list[ObjectType]:
    return [
        define(
            "OpportunityLineItem",
            "00k",
            [
                ref("OpportunityId", "Opportunity", children="OpportunityLineItems", on_delete=CASCADE, required=True,
                    updateable=False),
                number("SortOrder", 9, 0),
                ref("PricebookEntryId", "PricebookEntry", children="OpportunityLineItems", on_delete=RESTRICT,
                    updateable=False),
                ref("Product2Id", "Product2", children="OpportunityLineItems", on_delete=RESTRICT, updateable=False),
                made("ProductCode", "string", _of_product("ProductCode"), length=255),
                made("Name", "string", _line_name, length=376, label="Opportunity Product Name"),
                number("Quantity", 12, 2, required=True),
                percent("Discount", 5, 2),
                money("TotalPrice"),
                money("UnitPrice", label="Sales Price"),
                made("ListPrice", "currency", _list_price, precision=18, scale=2),
                day("ServiceDate", label="Date"),
                text("Description", 255, label="Line Description"),
            ],
            label="Opportunity Product",
            owned=False,
        )
    ]  # fmt: skip


def orders() -> list[ObjectType]:
    order = define(
        "Order",
        "801",
        [
            ref("AccountId", "Account", children="Orders", on_delete=RESTRICT, required=True),
            ref("Pricebook2Id", "Pricebook2", children="Orders", on_delete=RESTRICT),
            ref("OriginalOrderId", "Order", children="Orders"),
            day("EffectiveDate", required=True, label="Order Start Date"),
            day("EndDate", label="Order End Date"),
            flag("IsReductionOrder", label="Reduction Order"),
            choice("Status", "|".join(ORDER_STATUSES), required=True, restricted=True),
            area("Description"),
            ref("CustomerAuthorizedById", "Contact", relationship="CustomerAuthorizedBy"),
            choice("Type", "New|Renewal"),
            address("Billing"),
            address("Shipping"),
            text("Name", 80, label="Order Name"),
            text("PoNumber", 80, label="PO Number"),
            text("OrderReferenceNumber", 80),
            ref("BillToContactId", "Contact", children="OrdersBillTo"),
            ref("ShipToContactId", "Contact"),
            kept(moment("ActivatedDate")),
            kept(ref("ActivatedById", "User", relationship="ActivatedBy")),
            made("StatusCode", "picklist", lambda _, row: ORDER_STATUSES.get(row.values.get("Status"), "Draft"),
                 length=40),
            text("OrderNumber", 30, auto_number="00000000", id_lookup=True),
            made("TotalAmount", "currency", _order_total, precision=18, scale=2, label="Order Amount"),
        ],
        name_field="OrderNumber",
    )  # fmt: skip
    return [order, _order_item()]


def _order_item() -> ObjectType:
    return define(
        "OrderItem",
        "802",
        [
            ref("Product2Id", "Product2", children="OrderItems", on_delete=RESTRICT, updateable=False),
            ref("OrderId", "Order", children="OrderItems", on_delete=CASCADE, required=True, updateable=False),
            ref("PricebookEntryId", "PricebookEntry", children="OrderItems", on_delete=RESTRICT, required=True,
                updateable=False),
            ref("OriginalOrderItemId", "OrderItem"),
            made("AvailableQuantity", "double", lambda _, row: row.values.get("Quantity"), precision=18, scale=2),
            number("Quantity", 18, 2, required=True),
            money("UnitPrice", required=True),
            made("ListPrice", "currency", _list_price, precision=18, scale=2),
            made("TotalPrice", "currency", _line_total, precision=18, scale=2),
            day("ServiceDate", label="Start Date"),
            day("EndDate"),
            text("Description", 255, label="Line Description"),
            text("OrderItemNumber", 30, auto_number="0000000000", label="Order Product Number"),
        ],
        label="Order Product",
        owned=False,
        name_field="OrderItemNumber",
    )  # fmt: skip
