"""Tokens, scopes, headers."""

from __future__ import annotations

import pytest

from syncd.runtime.clock import ManualClock
from syncd.sandbox.commercetools import ApiClient, CommercetoolsSandbox
from syncd.sandbox.server import Sandbox
from tests.sandbox.commercetools.conftest import Shop


async def test_a_token_names_its_lifetime_and_the_scopes_of_the_client(shop: Shop) -> None:
    reply = await shop.token("syncd", "syncd-secret")
    body = reply.json()
    assert (reply.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 172_800)
    assert "manage_customers:demo-shop" in body["scope"].split()


async def test_a_token_can_be_asked_for_fewer_scopes(shop: Shop) -> None:
    reply = await shop.token("syncd", "syncd-secret", scope="view_customers:demo-shop")
    assert reply.json()["scope"] == "view_customers:demo-shop"
    shop.http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
    assert (await shop.http.get("/customers")).status_code == 200
    refused = await shop.http.post("/customers", json={"email": "a@example.com"})
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["code"] == "insufficient_scope"
    assert "manage_customers:demo-shop" in refused.json()["message"]


@pytest.mark.parametrize(
    ("secret", "form", "status", "code"),
    [
        ("wrong", {}, 401, "invalid_client"),
        ("syncd-secret", {"scope": "manage_project:demo-shop"}, 400, "invalid_scope"),
        ("syncd-secret", {"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_a_token_is_refused_in_both_shapes_of_error(
    shop: Shop, secret: str, form: dict[str, str], status: int, code: str
) -> None:
    reply = await shop.token("syncd", secret, **form)
    body = reply.json()
    assert (reply.status_code, body["error"], body["errors"][0]["code"]) == (status, code, code)
    assert body["statusCode"] == status


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer nonsense"])
async def test_without_a_known_token_every_call_is_401(shop: Shop, header: str) -> None:
    reply = await shop.http.get("/customers", headers={"Authorization": header})
    assert reply.status_code == 401
    assert reply.json()["errors"] == [{"code": "invalid_token", "message": "invalid_token"}]
    assert "www-authenticate" in reply.headers


async def test_a_token_ends_when_its_time_is_over(shop: Shop) -> None:
    await shop.clock.advance(172_799)
    assert (await shop.http.get("/customers")).status_code == 200
    await shop.clock.advance(1)
    assert (await shop.http.get("/customers")).status_code == 401


async def test_tokens_can_be_made_to_expire(shop: Shop) -> None:
    await shop.account.act({"op": "expire_tokens"})
    assert (await shop.http.get("/customers")).status_code == 401
    await shop.sign_in()
    shop.sandbox.set_faults("expire_token=1")
    assert (await shop.http.get("/customers")).status_code == 401


async def test_another_project_is_unknown_and_a_token_of_another_project_is_refused() -> None:
    sandbox = Sandbox(clock=ManualClock())
    stranger = ApiClient("other", "secret", ("manage_project:elsewhere",), lifetime_seconds=3600)
    account = sandbox.add(CommercetoolsSandbox, clients=[stranger])
    async with sandbox:
        shop = Shop(sandbox, account, ManualClock())
        async with shop.http:
            await shop.sign_in("other", "secret")
            assert (await shop.http.get("/customers")).status_code == 403
            assert (await shop.http.get(f"{shop.base}/elsewhere/customers")).status_code == 404


async def test_the_correlation_id_comes_back_and_is_made_when_absent(shop: Shop) -> None:
    reply = await shop.http.get("/customers", headers={"X-Correlation-ID": "mine"})
    assert reply.headers["x-correlation-id"] == "mine"
    assert (await shop.http.get("/nowhere")).headers["x-correlation-id"]


async def test_who_did_it_is_recorded(shop: Shop) -> None:
    row = await shop.customer()
    assert row["createdBy"] == {"clientId": "shop-frontend", "isPlatformClient": False}
    await shop.sign_in("syncd", "syncd-secret")
    body = {"version": 1, "actions": [{"action": "setFirstName", "firstName": "Ada"}]}
    row = await shop.post(f"/customers/{row['id']}", body, 200, headers={"X-External-User-ID": "run-7"})
    assert row["lastModifiedBy"] == {"clientId": "syncd", "isPlatformClient": False, "externalUserId": "run-7"}
    assert row["createdBy"]["clientId"] == "shop-frontend"
    reply = await shop.http.get("/customers", headers={"X-External-User-ID": "x" * 129})
    assert reply.status_code == 400


async def test_the_project_can_be_looked_at_and_large_replies_are_compressed(shop: Shop) -> None:
    project = await shop.get("")
    assert (project["key"], project["currencies"][0], project["messages"]["enabled"]) == ("demo-shop", "GBP", False)
    for number in range(5):
        await shop.customer(f"a{number}@example.com", firstName="x" * 500)
    reply = await shop.http.get("/customers", params={"limit": 500})
    assert reply.headers["content-encoding"] == "gzip"
    assert reply.json()["count"] == 5
