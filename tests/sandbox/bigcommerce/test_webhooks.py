"""Webhooks: who may see them, what they tell, how they are signed, retried and given up."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from syncd.sandbox.bigcommerce.sender import covers, signed
from syncd.sandbox.http import HttpProtocol, Reply, Request
from tests.sandbox.bigcommerce.conftest import Shop


class Ear:
    """A destination that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Request] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.url = ""

    async def answer(self, request: Request) -> Reply:
        self.heard.append(request)
        return Reply(self.status, headers=self.headers)

    def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(one.body) for one in self.heard]

    def scopes(self) -> list[str]:
        return sorted(one["scope"] for one in self.events())


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    ear, connections = Ear(), set[HttpProtocol]()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpProtocol(ear.answer, lambda: False, connections), "127.0.0.1", 0)
    ear.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"
    yield ear
    server.close()
    for one in list(connections):
        await one.settle()
        one.abort()


async def _settled(shop: Shop, requests: int) -> None:
    """Until so many deliveries were tried."""
    sender = shop.account.sender
    async with asyncio.timeout(8):
        while sender.counts.requests < requests or sender._under_way:
            await shop.clock.advance(0.2)
            await asyncio.sleep(0.005)


async def _hook(shop: Shop, ear: Ear, scope: str = "store/customer/*", **more: Any) -> dict[str, Any]:
    body = {"scope": scope, "destination": ear.url, "is_active": True, "headers": {"X-Key": "s3cret"}, **more}
    found: dict[str, Any] = (await shop.send("POST", "/v3/hooks", body))["data"]
    return found


async def test_a_delivery_is_thin_signed_with_the_client_secret_and_carries_the_headers(shop: Shop, ear: Ear) -> None:
    hook = await _hook(shop, ear)
    assert (hook["client_id"], hook["store_hash"]) == ("shop-client", "abc123")
    made = await shop.customer()
    await _settled(shop, 1)
    request, event = ear.heard[0], ear.events()[0]
    assert event["scope"] == "store/customer/created"
    assert (event["data"], event["store_id"]) == ({"type": "customer", "id": made["id"]}, "1025646")
    assert event["producer"] == "stores/abc123"
    assert request.headers["x-key"] == "s3cret"
    secret = "bc-client-secret-0002"
    expected = signed(secret, request.headers["webhook-id"], int(request.headers["webhook-timestamp"]), request.body)
    assert request.headers["webhook-signature"] == expected["webhook-signature"]


def test_the_signature_is_the_vector_of_the_facts_and_passes_the_reference_library() -> None:
    body = (b'{"scope":"store/customer/updated","store_id":"11111","data":{"type":"customer","id":61},"hash":"x",'
            b'"created_at":1793606400,"producer":"stores/abc123"}')  # fmt: skip
    headers = signed("bc-client-secret-0001", "msg_2f9a1c", 1_793_606_400, body)
    assert headers["webhook-signature"] == "v1,oYql4Kxfer9XCfBHlCrwTNmUp5+NwlYVaGBD3xaZEw0="
    key = base64.b64encode(b"bc-client-secret-0001").decode()
    moment = datetime.fromtimestamp(1_793_606_400, UTC)
    assert Webhook(key).sign("msg_2f9a1c", moment, body.decode()) == headers["webhook-signature"]


async def test_hooks_are_one_clients_own_ten_per_scope_and_one_per_destination(shop: Shop, ear: Ear) -> None:
    hook = await _hook(shop, ear)
    await shop.send("POST", "/v3/hooks", {"scope": hook["scope"], "destination": ear.url}, 422)
    await shop.send("POST", "/v3/hooks", {"scope": "store/fruit/*", "destination": ear.url}, 422)
    for place in range(9):
        await _hook(shop, ear, destination=f"{ear.url}/{place}")
    await shop.send("POST", "/v3/hooks", {"scope": hook["scope"], "destination": f"{ear.url}/x"}, 422)
    shop.sign_in("syncd-token")
    assert (await shop.get("/v3/hooks"))["data"] == []
    await shop.get(f"/v3/hooks/{hook['id']}", 404)
    shop.sign_in("shop-token")
    await shop.act(op="reissue", account="shop-frontend", client_id="new-client")
    assert (await shop.get("/v3/hooks"))["data"] == []


async def test_a_destination_is_https_on_443_unless_the_switch_says_otherwise(shop: Shop, ear: Ear) -> None:
    await shop.act(op="settings", settings={"lax_destinations": False})
    for bad in (ear.url, "https://hooks.example:8443/x", "http://hooks.example/x"):
        await shop.send("POST", "/v3/hooks", {"scope": "store/cart/*", "destination": bad}, 422)
    await shop.send("POST", "/v3/hooks", {"scope": "store/cart/*", "destination": "https://hooks.example/x"})


async def test_addresses_attributes_by_api_and_bulk_companies_are_silent_where_the_vendor_is(
    shop: Shop, ear: Ear
) -> None:
    await _hook(shop, ear, "store/customer/updated")
    await _hook(shop, ear, "store/company/*")
    made = await shop.customer()
    await shop.send("POST", "/v3/customers/attributes", [{"name": "crm", "type": "string"}])
    row = {"attribute_id": 1, "customer_id": made["id"], "value": "5"}
    await shop.send("PUT", "/v3/customers/attribute-values", [row])
    company = {"companyName": "Acme", "companyPhone": "1", "companyEmail": "o@a.example", "country": "Germany",
               "adminFirstName": "A", "adminLastName": "B", "adminEmail": "ada@example.com"}  # fmt: skip
    await shop.io("POST", "/companies/bulk", [company])
    assert shop.account.sender.counts.events == 0
    await shop.act(op="set_attribute", id=made["id"], name="crm", value="6")
    await _settled(shop, 1)
    assert ear.scopes() == ["store/customer/updated"]


async def test_a_cart_tells_of_its_life_and_batches_of_prices_in_arrays(shop: Shop, ear: Ear) -> None:
    await _hook(shop, ear, "store/cart/*")
    await _hook(shop, ear, "store/priceList/*")
    line = {"sku": "TEA", "name": "Tea", "quantity": 1, "list_price": 4.5}
    cart = (await shop.send("POST", "/v3/carts", {"line_items": [line]}, 201))["data"]["id"]
    await shop.act(op="abandon", id=cart)
    order = await shop.act(op="convert", id=cart)
    await shop.act(op="seed", products=[{"sku": "TEA", "product_id": 7, "variant_id": 1}])
    listed = (await shop.send("POST", "/v3/pricelists", {"name": "Trade"}))["data"]["id"]
    await shop.send("PUT", f"/v3/pricelists/{listed}/records", [{"variant_id": 1, "currency": "USD", "price": 1}])
    await _settled(shop, 6)
    told = {one["scope"]: one["data"] for one in ear.events()}
    assert told["store/cart/converted"] == {"type": "cart", "id": cart, "orderId": order}
    assert told["store/priceList/records/created"] == [{"price_list_id": listed, "variant_id": 1, "currency": "USD"}]
    assert {"store/cart/created", "store/cart/updated", "store/cart/abandoned", "store/priceList/created"} < told.keys()


async def test_a_failed_delivery_is_retried_by_the_table_then_the_hook_is_put_to_sleep(shop: Shop, ear: Ear) -> None:
    hook = await _hook(shop, ear)
    await shop.act(op="webhooks", settings={"time_scale": 1e-6})
    ear.status = 500
    await shop.customer()
    await _settled(shop, 12)
    await shop.clock.advance(1)
    assert (await shop.get(f"/v3/hooks/{hook['id']}"))["data"]["is_active"] is False
    assert len({one.headers["webhook-id"] for one in ear.heard}) == 1
    assert len({one.body for one in ear.heard}) == 1
    await shop.customer("lost@example.com")
    assert shop.account.sender.idle
    ear.status = 204
    await shop.send("PUT", f"/v3/hooks/{hook['id']}", {"is_active": True})
    await shop.customer("heard@example.com")
    await _settled(shop, 13)
    assert shop.account.sender.counts.delivered == 1


async def test_a_hook_nobody_used_for_ninety_days_sleeps(shop: Shop, ear: Ear) -> None:
    hook = await _hook(shop, ear)
    shop.store.hooks.put({**(shop.store.hooks.get(hook["id"]) or {}), "used_at": shop.store.unix() - 91 * 86_400})
    await shop.clock.advance(1)
    assert (await shop.get("/v3/hooks", is_active="false"))["data"][0]["id"] == hook["id"]


async def test_a_destination_below_ninety_percent_is_blocked_and_the_admin_sees_it(shop: Shop, ear: Ear) -> None:
    await _hook(shop, ear)
    ear.status = 503
    for place in range(10):
        drafts = [{"email": f"{place}.{n}@example.com", "first_name": "A", "last_name": "B"} for n in range(10)]
        await shop.send("POST", "/v3/customers", drafts)
    await _settled(shop, 100)
    blocked = (await shop.get("/v3/hooks/admin"))["data"]["blocked_domains"]
    assert blocked[0]["destination"] in ear.url
    heard = len(ear.heard)
    await shop.customer()
    await shop.clock.advance(1)
    await asyncio.sleep(0.02)
    assert len(ear.heard) == heard


async def test_too_many_headers_in_the_answer_count_as_none(shop: Shop, ear: Ear) -> None:
    await _hook(shop, ear)
    ear.headers = {f"x-{n}": "1" for n in range(70)}
    await shop.customer()
    await _settled(shop, 1)
    assert shop.account.sender.counts.failed == 1


async def test_events_are_dropped_and_doubled_on_request_and_a_double_keeps_its_hash(shop: Shop, ear: Ear) -> None:
    await _hook(shop, ear)
    shop.sandbox.set_faults("webhook_drop=1")
    await shop.customer()
    shop.sandbox.set_faults("webhook_duplicate=1")
    await shop.customer("b@example.com")
    await _settled(shop, 2)
    assert len({one["hash"] for one in ear.events()}) == 1
    assert shop.account.sender.counts.dropped == 1


def test_a_wildcard_covers_everything_below_it() -> None:
    assert covers("store/cart/*", "store/cart/lineItem/created")
    assert covers("store/order/created", "store/order/created")
    assert not covers("store/customer/created", "store/customer/updated")
