"""Tokens, scopes, quotas and the shapes of refusals."""

from __future__ import annotations

import asyncio

from syncd.sandbox.bigcommerce import LimitSettings
from tests.sandbox.bigcommerce.conftest import Shop


async def test_no_token_is_401_and_a_wrong_store_404_in_each_generations_own_shape(shop: Shop) -> None:
    shop.sign_in("nobody")
    v3 = await shop.get("/v3/customers", 401)
    v2 = await shop.get("/v2/orders", 401)
    b2b = await shop.io("GET", "/companies", status=401)
    assert (v3["status"], v3["title"]) == (401, "Unauthorized")
    assert v2 == [{"status": 401, "message": "Unauthorized"}]
    assert (b2b["code"], b2b["data"]) == (401, {})
    shop.sign_in("shop-token")
    reply = await shop.http.get(str(shop.http.base_url).replace("abc123", "other") + "v3/customers")
    assert reply.status_code == 404


async def test_a_missing_scope_is_403_and_its_read_only_twin_lets_read(shop: Shop) -> None:
    await shop.act(op="narrow", account="shop-frontend", scopes=["store_v2_customers_read_only"])
    assert (await shop.get("/v3/customers"))["data"] == []
    await shop.send("POST", "/v3/customers", [{}], 403)
    assert (await shop.get("/v2/orders", 403))[0]["status"] == 403
    await shop.io("GET", "/companies", status=403)


async def test_a_removed_api_account_is_401_until_it_is_back(shop: Shop) -> None:
    await shop.act(op="revoke", account="shop-frontend")
    await shop.get("/v2/store", 401)
    await shop.act(op="restore", account="shop-frontend")
    store = await shop.get("/v2/store")
    assert (store["id"], store["store_id"], store["currency"]) == ("abc123", 1_025_646, "USD")


async def test_the_quota_is_shared_with_other_apps_named_in_headers_and_back_after_the_window(shop: Shop) -> None:
    shop.account.limits.settings = LimitSettings(per_thirty_seconds=5)
    first = await shop.http.get("/v2/time")
    assert first.headers["x-rate-limit-requests-quota"] == "5"
    assert first.headers["x-rate-limit-requests-left"] == "4"
    assert first.headers["x-rate-limit-time-window-ms"] == "30000"
    assert await shop.act(op="spend", count=100) == 4
    refused = await shop.http.get("/v2/time")
    assert (refused.status_code, refused.headers["x-rate-limit-requests-left"]) == (429, "0")
    wait = int(refused.headers["x-rate-limit-time-reset-ms"])
    await shop.clock.advance(wait / 1000)
    assert (await shop.http.get("/v2/time")).status_code == 200


async def test_too_many_writes_of_customers_at_once_are_429_without_headers_of_a_quota(shop: Shop) -> None:
    shop.account.limits.settings = LimitSettings(per_thirty_seconds=0, work_seconds=1.0)
    ids = [(await shop.customer(f"{n}@example.com"))["id"] for n in range(5)]
    calls = [shop.http.put("/v3/customers", json=[{"id": one, "phone": "1"}]) for one in ids]
    running = [asyncio.create_task(one) for one in calls]
    first = asyncio.as_completed(running)
    refused = [await next(first), await next(first)]
    await shop.clock.advance(2)
    replies = await asyncio.gather(*running)
    assert sorted(one.status_code for one in replies) == [200, 200, 200, 429, 429]
    assert all("x-rate-limit-requests-left" not in one.headers for one in refused)


async def test_b2b_counts_by_the_minute_with_headers_of_its_own(shop: Shop) -> None:
    shop.account.limits.settings = LimitSettings(b2b_per_minute=2)
    first = await shop.b2b.get("/companies")
    assert first.headers["x-requests-allocated"] == "2 times/60 s"
    assert first.headers["x-requests-remaining"] == "1 times"
    assert first.headers["x-request-window-resets-after"].endswith(" s")
    await shop.b2b.get("/companies")
    assert (await shop.b2b.get("/companies")).status_code == 429
    await shop.clock.advance(61)
    assert (await shop.b2b.get("/companies")).status_code == 200


async def test_faults_speak_the_vendors_words_and_a_lock_is_423(shop: Shop) -> None:
    shop.sandbox.set_faults("fail_after=1")
    assert (await shop.http.post("/v3/customers", json=[{"email": "a@b.example", "first_name": "A", "last_name": "B"}])
            ).status_code == 500  # fmt: skip
    assert shop.effects() == [("create", "customers")]
    shop.sandbox.set_faults("throttle=1")
    assert (await shop.get("/v2/orders", 429))[0]["status"] == 429
    shop.sandbox.set_faults("locked=1")
    await shop.send("DELETE", "/v3/customers", status=423)
    await shop.get("/v3/customers")


async def test_bodies_and_methods_that_make_no_sense_are_refused(shop: Shop) -> None:
    reply = await shop.http.post("/v3/customers", content=b"[{", headers={"content-type": "application/json"})
    assert reply.status_code == 400
    assert (
        await shop.http.post("/v3/customers", content=b"<a/>", headers={"content-type": "text/xml"})
    ).status_code == 415
    await shop.send("PATCH", "/v3/customers", [], 405)
    await shop.get("/v3/unknown", 404)
    assert (await shop.http.get("/v2/orders", headers={"accept": "application/xml"})).status_code == 406


async def test_nonsense_is_refused_in_the_vendors_words_and_not_with_a_500(shop: Shop) -> None:
    made = await shop.io("POST", "/companies", {
        "companyName": "Acme", "companyPhone": "1", "companyEmail": "office@acme.example", "country": "Germany",
        "adminFirstName": "A", "adminLastName": "B", "adminEmail": "a@acme.example",
    })  # fmt: skip
    company = f"/companies/{made['data']['companyId']}"
    await shop.send("POST", "/v3/pricelists", {"name": "Trade"})
    far = "9" * 22
    await shop.get("/v3/customers", 422, page=far)
    await shop.get("/v2/orders", 422, min_total="much")
    for name in ("offset", "maxModified", "minCreated"):
        await shop.io("GET", "/companies", status=422, **{name: far if name == "offset" else "then"})
    for body in ([], "x", 7, [None]):
        await shop.send("PUT", "/v3/pricelists/1/assignments", body, 422)
        await shop.io("PUT", f"{company}/status", body, 422)
        await shop.io("POST", "/orders", body, 404)
    await shop.io("PUT", f"{company}/payments", {})
    await shop.io("PUT", company, {"extraFields": [{"fieldName": []}]}, 422)
    await shop.io("POST", "/companies/bulk", [None], 422)
    for rule in ({"type": "price_list", "price_list_id": "x"}, {"type": "all", "method": "percent", "amount": "x"}):
        await shop.send("POST", "/v2/customer_groups", {"name": "G", "discount_rules": [rule]}, 400)
    for destination in ("https://[x", "https://x:99999/"):
        await shop.send("POST", "/v3/hooks", {"scope": "store/customer/*", "destination": destination}, 422)
