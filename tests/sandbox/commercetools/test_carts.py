"""Carts and orders."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.commercetools.conftest import Shop
from tests.sandbox.commercetools.test_customers import code


async def a_cart(shop: Shop, **more: Any) -> dict[str, Any]:
    if not shop.account.counts()["products"]:
        await shop.product("TEA", 450)
        await shop.product("MUG", 1200)
    row: dict[str, Any] = await shop.post("/carts", {"currency": "GBP", **more}, 201)
    return row


async def test_a_new_cart_is_active_and_empty(shop: Shop) -> None:
    cart = await a_cart(shop)
    assert (cart["cartState"], cart["origin"], cart["lineItems"], cart["version"]) == ("Active", "Customer", [], 1)
    assert cart["totalPrice"] == {"type": "centPrecision", "currencyCode": "GBP", "centAmount": 0, "fractionDigits": 2}
    assert "totalLineItemQuantity" not in cart
    assert cart["deleteDaysAfterLastModification"] == 90
    assert code(await shop.post("/carts", {"currency": "XTS"}, 400)) == "InvalidField"
    assert code(await shop.post("/carts", {}, 400)) == "InvalidJsonInput"


async def test_totals_follow_the_line_items(shop: Shop) -> None:
    cart = await a_cart(shop, customerEmail="ada@example.com")
    await shop.clock.advance(60)
    cart = await shop.update(
        "/carts",
        cart,
        {"action": "addLineItem", "sku": "TEA", "quantity": 2},
        {"action": "addLineItem", "sku": "MUG", "key": "mug"},
        {"action": "addLineItem", "sku": "TEA"},
    )
    tea, mug = cart["lineItems"]
    assert (tea["quantity"], tea["totalPrice"]["centAmount"], mug["quantity"]) == (3, 1350, 1)
    assert (tea["variant"]["sku"], tea["name"], tea["priceMode"]) == ("TEA", {"en": "Tea"}, "Platform")
    assert (cart["totalPrice"]["centAmount"], cart["totalLineItemQuantity"]) == (2550, 4)
    assert cart["lastModifiedAt"] == "2026-11-02T08:01:00.000Z" == tea["addedAt"]
    cart = await shop.update(
        "/carts", cart, {"action": "changeLineItemQuantity", "lineItemId": tea["id"], "quantity": 1}
    )
    assert (cart["totalPrice"]["centAmount"], cart["totalLineItemQuantity"]) == (1650, 2)
    cart = await shop.update("/carts", cart, {"action": "removeLineItem", "lineItemKey": "mug"})
    cart = await shop.update(
        "/carts", cart, {"action": "changeLineItemQuantity", "lineItemId": tea["id"], "quantity": 0}
    )
    assert (cart["lineItems"], cart["totalPrice"]["centAmount"], "totalLineItemQuantity" in cart) == ([], 0, False)


async def test_a_part_of_a_line_can_be_removed(shop: Shop) -> None:
    cart = await a_cart(shop, lineItems=[{"sku": "TEA", "quantity": 5}])
    line = cart["lineItems"][0]["id"]
    cart = await shop.update("/carts", cart, {"action": "removeLineItem", "lineItemId": line, "quantity": 2})
    assert cart["totalLineItemQuantity"] == 3
    cart = await shop.update("/carts", cart, {"action": "removeLineItem", "lineItemId": line, "quantity": 9})
    assert cart["lineItems"] == []


async def test_external_prices_are_kept_and_asked_for_again(shop: Shop) -> None:
    money = {"currencyCode": "GBP", "centAmount": 99}
    cart = await a_cart(shop, lineItems=[{"sku": "TEA", "quantity": 2, "externalPrice": money}])
    line = cart["lineItems"][0]
    assert (line["priceMode"], line["price"]["value"]["centAmount"], cart["totalPrice"]["centAmount"]) == (
        "ExternalPrice",
        99,
        198,
    )
    more = {"action": "changeLineItemQuantity", "lineItemId": line["id"], "quantity": 3}
    assert code(await shop.update("/carts", cart, more, status=400)) == "RequiredField"
    cart = await shop.update("/carts", cart, {**more, "externalPrice": money})
    assert cart["totalPrice"]["centAmount"] == 297
    cart = await shop.update("/carts", cart, {"action": "setLineItemPrice", "lineItemId": line["id"]})
    assert (cart["lineItems"][0]["priceMode"], cart["totalPrice"]["centAmount"]) == ("Platform", 1350)
    total = {"price": money, "totalPrice": {"currencyCode": "GBP", "centAmount": 150}}
    add = {"action": "addLineItem", "sku": "MUG", "quantity": 2, "externalTotalPrice": total}
    cart = await shop.update("/carts", cart, add)
    assert cart["totalPrice"]["centAmount"] == 1500
    euros = {"action": "addLineItem", "sku": "MUG", "externalPrice": {"currencyCode": "EUR", "centAmount": 1}}
    assert code(await shop.update("/carts", cart, euros, status=400)) == "InvalidOperation"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"action": "addLineItem", "sku": "GONE"}, "InvalidOperation"),
        ({"action": "addLineItem", "sku": "TEA", "quantity": 0}, "InvalidInput"),
        ({"action": "changeLineItemQuantity", "lineItemId": "x", "quantity": 1}, "InvalidOperation"),
        ({"action": "changeLineItemQuantity", "quantity": 1}, "InvalidOperation"),
        ({"action": "setCustomerId", "customerId": "x"}, "ReferencedResourceNotFound"),
        ({"action": "unfreezeCart"}, "InvalidOperation"),
        ({"action": "freezeCart"}, "InvalidOperation"),
    ],
)
async def test_what_a_cart_refuses(shop: Shop, action: dict[str, Any], expected: str) -> None:
    assert code(await shop.update("/carts", await a_cart(shop), action, status=400)) == expected


async def test_a_price_in_the_cart_currency_must_exist(shop: Shop) -> None:
    await shop.product("TEA", 450)
    cart = await shop.post("/carts", {"currency": "EUR"}, 201)
    refused = await shop.update("/carts", cart, {"action": "addLineItem", "sku": "TEA"}, status=400)
    assert (code(refused), refused["errors"][0]["currency"]) == ("MatchingPriceNotFound", "EUR")


async def test_prices_are_brought_up_to_date_by_recalculate(shop: Shop) -> None:
    cart = await a_cart(shop, lineItems=[{"sku": "TEA"}])
    product = next(
        one for one in (await shop.get("/products"))["results"] if one["masterData"]["current"]["slug"] == {"en": "tea"}
    )
    price = product["masterData"]["current"]["masterVariant"]["prices"][0]["id"]
    dearer = {"value": {"currencyCode": "GBP", "centAmount": 500}}
    await shop.update(
        "/products", product, {"action": "changePrice", "priceId": price, "price": dearer, "staged": False}
    )
    assert (await shop.get(f"/carts/{cart['id']}"))["totalPrice"]["centAmount"] == 450
    cart = await shop.update("/carts", cart, {"action": "recalculate", "updateProductData": True})
    assert (cart["totalPrice"]["centAmount"], cart["version"]) == (500, 2)


async def test_the_customer_of_a_cart_brings_the_group_along(shop: Shop) -> None:
    group = await shop.post("/customer-groups", {"groupName": "Gold"}, 201)
    reference = {"typeId": "customer-group", "id": group["id"]}
    customer = await shop.customer(customerGroup=reference)
    cart = await a_cart(shop)
    cart = await shop.update(
        "/carts",
        cart,
        {"action": "setCustomerId", "customerId": customer["id"]},
        {"action": "setCustomerEmail", "email": "ada@example.com"},
        {"action": "setShippingAddress", "address": {"country": "GB"}},
        {"action": "setCountry", "country": "GB"},
        {"action": "setKey", "key": "cart-1"},
    )
    assert (cart["customerGroup"], cart["customerEmail"]) == (reference, "ada@example.com")
    assert (await shop.get(f"/carts/customer-id={customer['id']}"))["id"] == cart["id"]
    assert (await shop.get("/carts/key=cart-1"))["country"] == "GB"
    cart = await shop.update("/carts", cart, {"action": "setCustomerId"})
    assert not {"customerId", "customerGroup"} & cart.keys()
    assert (await shop.http.get(f"/carts/customer-id={customer['id']}")).status_code == 404


async def test_a_frozen_cart_refuses_most_edits_until_it_is_thawed(shop: Shop) -> None:
    cart = await shop.update("/carts", await a_cart(shop, lineItems=[{"sku": "TEA"}]), {"action": "freezeCart"})
    assert (cart["cartState"], cart["freezeStrategy"]) == ("Frozen", "SoftFreeze")
    add = {"action": "addLineItem", "sku": "TEA"}
    assert code(await shop.update("/carts", cart, add, status=400)) == "InvalidOperation"
    cart = await shop.update("/carts", cart, {"action": "unfreezeCart"}, add)
    assert (cart["cartState"], cart["totalLineItemQuantity"]) == ("Active", 2)


async def test_custom_line_items_count_in_the_total_only(shop: Shop) -> None:
    money = {"currencyCode": "GBP", "centAmount": 250}
    wrapping = {
        "action": "addCustomLineItem",
        "name": {"en": "Wrapping"},
        "slug": "wrap",
        "money": money,
        "quantity": 2,
    }
    cart = await shop.update("/carts", await a_cart(shop), wrapping)
    assert (cart["totalPrice"]["centAmount"], "totalLineItemQuantity" in cart) == (500, False)
    line = cart["customLineItems"][0]["id"]
    one = {"action": "changeCustomLineItemQuantity", "customLineItemId": line, "quantity": 1}
    assert (await shop.update("/carts", cart, one))["totalPrice"]["centAmount"] == 250


async def test_an_order_takes_over_the_cart_and_the_cart_is_ordered(shop: Shop) -> None:
    customer = await shop.customer()
    cart = await a_cart(shop, customerId=customer["id"], lineItems=[{"sku": "TEA", "quantity": 2}])
    body = {"cart": {"typeId": "cart", "id": cart["id"]}, "version": cart["version"], "orderNumber": "A-1"}
    order = await shop.post("/orders", body, 201)
    assert (order["orderNumber"], order["orderState"], order["version"]) == ("A-1", "Open", 1)
    assert (order["customerId"], order["customerEmail"]) == (customer["id"], "ada@example.com")
    assert (order["totalPrice"], order["lineItems"]) == (cart["totalPrice"], cart["lineItems"])
    assert order["cart"] == {"typeId": "cart", "id": cart["id"]}
    after = await shop.get(f"/carts/{cart['id']}")
    assert (after["cartState"], after["version"]) == ("Ordered", cart["version"] + 1)
    assert code(await shop.update("/carts", after, {"action": "recalculate"}, status=400)) == "InvalidOperation"
    again = {**body, "version": after["version"], "orderNumber": "A-2"}
    assert code(await shop.post("/orders", again, 400)) == "InvalidOperation"
    assert await shop.get("/orders/order-number=A-1") == order
    expanded = await shop.get(f"/orders/{order['id']}", expand="cart")
    assert expanded["cart"]["obj"]["cartState"] == "Ordered"


async def test_an_order_that_is_refused_leaves_the_cart_alone(shop: Shop) -> None:
    empty = await a_cart(shop)
    assert code(await shop.post("/orders", {"id": empty["id"], "version": 1}, 400)) == "InvalidOperation"
    full = await shop.update("/carts", empty, {"action": "addLineItem", "sku": "TEA"})
    assert code(await shop.post("/orders", {"id": full["id"], "version": 1}, 409)) == "ConcurrentModification"
    assert code(await shop.post("/orders", {"version": 1}, 400)) == "RequiredField"
    await shop.post("/orders", {"id": full["id"], "version": 2, "orderNumber": "A-1"}, 201)
    other = await a_cart(shop, lineItems=[{"sku": "TEA"}])
    taken = await shop.post("/orders", {"id": other["id"], "version": 1, "orderNumber": "A-1"}, 400)
    assert (code(taken), taken["errors"][0]["field"]) == ("DuplicateField", "orderNumber")
    assert (await shop.get(f"/carts/{other['id']}"))["cartState"] == "Active"


async def test_an_imported_order_carries_its_historic_date(shop: Shop) -> None:
    customer = await shop.customer()
    line = {
        "name": {"en": "Tea"},
        "variant": {"sku": "OLD-TEA"},
        "quantity": 2,
        "price": {"value": {"currencyCode": "GBP", "centAmount": 100}},
    }
    body = {
        "orderNumber": "536365",
        "customerId": customer["id"],
        "totalPrice": {"currencyCode": "GBP", "centAmount": 200},
        "lineItems": [line],
        "completedAt": "2010-12-01T08:26:00+00:00",
        "orderState": "Complete",
    }
    order = await shop.post("/orders/import", body, 201)
    assert (order["completedAt"], order["createdAt"]) == ("2010-12-01T08:26:00.000Z", "2026-11-02T08:00:00.000Z")
    assert order["lineItems"][0]["totalPrice"]["centAmount"] == 200
    assert (order["customerEmail"], "cart" in order) == ("ada@example.com", False)
    assert code(await shop.post("/orders/import", {**body, "orderNumber": "2", "lineItems": []}, 400)) == "InvalidInput"
    assert code(await shop.post("/orders/import", body, 400)) == "DuplicateField"


async def test_orders_are_moved_on_by_their_actions(shop: Shop) -> None:
    cart = await a_cart(shop, lineItems=[{"sku": "TEA"}])
    order = await shop.post("/orders", {"id": cart["id"], "version": 1}, 201)
    channel = await shop.post("/channels", {"key": "crm", "roles": ["OrderExport"]}, 201)
    order = await shop.update(
        "/orders",
        order,
        {"action": "changeOrderState", "orderState": "Cancelled"},
        {"action": "changeShipmentState", "shipmentState": "Canceled"},
        {"action": "changePaymentState", "paymentState": "Paid"},
        {"action": "setOrderNumber", "orderNumber": "A-1"},
        {"action": "setCustomerEmail", "email": "b@example.com"},
        {"action": "updateSyncInfo", "channel": {"typeId": "channel", "id": channel["id"]}, "externalId": "x"},
    )
    states = (order["orderState"], order["shipmentState"], order["paymentState"])
    assert states == ("Cancelled", "Canceled", "Paid")
    assert order["syncInfo"][0]["externalId"] == "x"
    wrong = {"action": "changeOrderState", "orderState": "Canceled"}
    refused = await shop.update("/orders", order, wrong, status=400)
    assert refused["errors"][0]["allowedValues"] == ["Open", "Confirmed", "Complete", "Cancelled"]
    renumber = {"action": "setOrderNumber", "orderNumber": "A-2"}
    assert code(await shop.update("/orders", order, renumber, status=400)) == "InvalidOperation"
