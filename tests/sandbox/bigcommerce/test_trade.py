"""Carts, orders, price lists."""

from __future__ import annotations

from typing import Any

from tests.sandbox.bigcommerce.conftest import Shop

LINE = {"sku": "TEA", "name": "Tea", "quantity": 2, "list_price": 4.5, "product_id": 7, "variant_id": 8}
ADDRESS = {"first_name": "Ada", "last_name": "Byron", "zip": "LS1", "email": "ada@example.com"}


async def _cart(shop: Shop, **more: Any) -> dict[str, Any]:
    cart: dict[str, Any] = (await shop.send("POST", "/v3/carts", {"line_items": [LINE], **more}, 201))["data"]
    return cart


async def test_a_cart_is_found_by_id_only_counts_versions_and_refuses_an_old_one(shop: Shop) -> None:
    cart = await _cart(shop)
    assert (cart["cart_amount"], cart["version"], cart["currency"]) == (9.0, 1, {"code": "USD"})
    await shop.get("/v3/carts", 405)
    item = cart["line_items"]["physical_items"][0]["id"]
    path = f"/v3/carts/{cart['id']}/items/{item}"
    await shop.send("PUT", path, {"line_item": {"quantity": 3}, "version": 9}, 409)
    changed = await shop.send("PUT", path, {"line_item": {"quantity": 3}, "version": 1})
    assert changed["data"]["cart_amount"] == 13.5
    await shop.send("DELETE", path, status=204)
    await shop.get(f"/v3/carts/{cart['id']}", 404)


async def test_a_cart_is_abandoned_after_an_idle_hour_and_its_token_leads_back_to_it(shop: Shop) -> None:
    cart = await _cart(shop)
    token = shop.store.carts[cart["id"]]["token"]
    await shop.get(f"/v3/abandoned-carts/{token}", 404)
    await shop.clock.advance(3599)
    assert not shop.store.carts[cart["id"]]["abandoned"]
    await shop.clock.advance(2)
    assert (await shop.get(f"/v3/abandoned-carts/{token}"))["data"] == {"cart_id": cart["id"]}


async def test_the_mails_of_abandoned_carts_are_set_for_the_store_and_by_channel(shop: Shop) -> None:
    path = "/v3/abandoned-carts/settings"
    assert (await shop.get(path))["data"]["enable_notification"] is True
    assert (await shop.get(f"{path}/channels/1"))["data"]["enable_notification"] is None
    await shop.send("PUT", path, {"merchant_abandoned_cart_digest_email_frequency": 1}, 422)
    await shop.send("PUT", path, {"enable_notification": None}, 422)
    await shop.send("PUT", f"{path}/channels/1", {"enable_notification": False})
    assert (await shop.get(f"{path}/channels/1"))["data"]["enable_notification"] is False


async def test_a_paid_cart_becomes_an_order_and_is_gone(shop: Shop) -> None:
    cart = await _cart(shop)
    await shop.act(op="checkout", id=cart["id"], email="ada@example.com", billing_address={"first_name": "Ada"})
    checkout = (await shop.get(f"/v3/checkouts/{cart['id']}"))["data"]
    assert checkout["billing_address"]["first_name"] == "Ada"
    number = await shop.act(op="convert", id=cart["id"])
    await shop.get(f"/v3/carts/{cart['id']}", 404)
    found = await shop.get("/v2/orders", cart_id=cart["id"])
    assert [(one["id"], one["total_inc_tax"], one["status"]) for one in found] == [
        (number, "9.0000", "Awaiting Fulfillment")
    ]
    assert found[0]["products"]["resource"] == f"/orders/{number}/products"
    products = await shop.get(f"/v2/orders/{number}/products")
    assert (products[0]["sku"], products[0]["quantity"], products[0]["price_inc_tax"]) == ("TEA", 2, "4.5000")
    assert (await shop.http.get(f"/v2/orders/{number}/coupons")).status_code == 204


async def test_orders_are_v2_dates_and_filters_and_an_archived_one_stays(shop: Shop) -> None:
    line = {"name": "Tea", "quantity": 1, "price_inc_tax": 5, "price_ex_tax": 4}
    body = {"billing_address": ADDRESS, "products": [line], "external_order_id": "crm-1"}
    order = await shop.send("POST", "/v2/orders", body)
    assert (order["total_tax"], order["date_created"][-5:]) == ("1.0000", "+0000")
    await shop.send("POST", "/v2/orders", {**body, "billing_address": {"email": "a@b.example"}}, 400)
    await shop.clock.advance(60)
    changed = await shop.send("PUT", f"/v2/orders/{order['id']}", {"status_id": 2})
    assert (changed["status"], changed["staff_notes"]) == ("Shipped", "")
    assert (await shop.get("/v2/orders", external_order_id="crm-1"))[0]["id"] == order["id"]
    assert (await shop.get("/v2/orders", min_date_modified=changed["date_modified"]))[0]["id"] == order["id"]
    assert (await shop.http.get("/v2/orders", params={"min_id": order["id"] + 1})).status_code == 204
    assert (await shop.http.get("/v2/orders", params={"page": 2})).status_code == 204
    await shop.send("DELETE", f"/v2/orders/{order['id']}", status=204)
    assert (await shop.get(f"/v2/orders/{order['id']}"))["is_deleted"] is True
    assert (await shop.get("/v2/orders/999", 404))[0]["message"]
    assert (await shop.get("/v2/orders/count"))["count"] == 1
    assert (await shop.get("/v2/order_statuses/0"))["name"] == "Incomplete"


async def test_price_records_are_upserted_by_the_thousand_and_created_by_the_hundred(shop: Shop) -> None:
    products = [{"sku": f"S-{n}", "product_id": n, "variant_id": n} for n in range(1, 1001)]
    await shop.act(op="seed", products=products)
    listed = (await shop.send("POST", "/v3/pricelists", {"name": "Trade"}))["data"]["id"]
    await shop.send("POST", "/v3/pricelists", {"name": "trade"}, 409)
    path = f"/v3/pricelists/{listed}/records"
    rows = [{"variant_id": n, "currency": "USD", "price": 9.5} for n in range(1, 1001)]
    await shop.send("PUT", path, rows)
    await shop.send("PUT", path, [*rows, rows[0]], 413)
    await shop.send("POST", path, rows[:1], 422)
    await shop.send("POST", path, [{**one, "variant_id": 5000} for one in rows[:101]], 413)
    partly = [{"variant_id": 1, "currency": "USD", "price": 8}, {"variant_id": 2}]
    told = (await shop.send("PUT", path, partly, 422))["batch_errors"]
    assert told == [
        {"data": {"price_list_id": listed, "variant_id": 2}, "field_errors": {"currency": "error.path.missing"}}
    ]
    assert (await shop.get(f"{path}/1/USD"))["data"]["price"] == 8.0
    found = await shop.get(path, variant_id__in="1,2", include="bulk_pricing_tiers,sku")
    assert found["meta"]["pagination"]["total"] == 2
    first = (await shop.get(path, limit=250))["meta"]["cursor_pagination"]
    following = await shop.get(path, limit=250, after=first["end_cursor"])
    assert [one["variant_id"] for one in following["data"]] == list(range(251, 501))
    await shop.send("DELETE", path, status=204, variant_id__in="1")
    await shop.get(f"{path}/1/USD", 404)
    group = await shop.send("POST", "/v2/customer_groups", {"name": "Gold"})
    assignment = {"price_list_id": listed, "customer_group_id": group["id"]}
    await shop.send("POST", "/v3/pricelists/assignments", [assignment])
    await shop.send("POST", "/v3/pricelists/assignments", [assignment], 422)
    there = await shop.get("/v3/pricelists/assignments", price_list_id=listed)
    assert there["data"][0]["customer_group_id"] == group["id"]
    await shop.send("DELETE", "/v3/pricelists/assignments", status=422)
    await shop.send("DELETE", "/v3/pricelists/assignments", status=204, price_list_id=listed + 1)
    await shop.send("PUT", f"{path[:-8]}/assignments", {"customer_group_id": 99, "channel_id": 1}, 404)
    await shop.send("PUT", f"{path[:-8]}/assignments", {"customer_group_id": group["id"]}, 422)
    assert (await shop.get("/v3/pricelists/assignments", price_list_id=listed))["meta"]["pagination"]["total"] == 1


async def test_products_are_few_words_here_but_named_once_found_by_sku_and_changed_in_tens(shop: Shop) -> None:
    draft = {"name": "Tea", "type": "physical", "weight": 1, "price": 4.5, "sku": "TEA"}
    made = (await shop.send("POST", "/v3/catalog/products", draft))["data"]
    await shop.send("POST", "/v3/catalog/products", {**draft, "sku": "TEA-2"}, 409)
    await shop.send("POST", "/v3/catalog/products", {"name": "Mug"}, 422)
    (variant,) = (await shop.get("/v3/catalog/variants", sku="TEA"))["data"]
    assert variant["product_id"] == made["id"]
    body = [{"id": made["id"], "is_visible": False}]
    assert (await shop.send("PUT", "/v3/catalog/products", body))["data"][0]["is_visible"] is False
    await shop.send("PUT", "/v3/catalog/products", body * 11, 413)
    field = {"permission_set": "app_only", "namespace": "erp", "key": "no", "value": "7"}
    await shop.send("POST", f"/v3/catalog/products/{made['id']}/metafields", field)
    found = await shop.get("/v3/catalog/products/metafields", namespace__in="erp,crm", key="no")
    assert found["data"][0]["resource_id"] == made["id"]
    await shop.send("DELETE", "/v3/catalog/products", status=204, id__in=str(made["id"]))
    assert (await shop.get("/v3/catalog/products", id__min="1", sort="id", direction="desc"))["data"] == []
