"""Signing in, paying, sending."""

from __future__ import annotations

import asyncio
import gzip

import httpx
import pytest

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.runtime.clock import ManualClock
from syncd.runtime.secret import Secret
from syncd.systems import wire
from syncd.systems.commercetools.client import Client
from syncd.systems.commercetools.errors import Doing
from syncd.systems.commercetools.settings import SettingsError
from syncd.systems.contract import VendorError

from .support import TOKEN, FreePayer, ScriptedVendor, client_on, error, page, settings, world


async def test_requests_are_signed_traced_named_and_paid_for() -> None:
    vendor, payer = ScriptedVendor(lambda _: page()), FreePayer()
    await client_on(vendor, payer).get("customers", Lane.LIVE)
    (sent,) = vendor.requests
    assert sent.url.path == "/acme/customers"
    assert sent.headers["authorization"] == "Bearer t-1"
    assert sent.headers["x-external-user-id"] == "syncd"
    assert sent.headers["user-agent"].startswith("syncd/")
    assert len(sent.headers["x-correlation-id"]) >= 8
    assert [(call.kind, lane) for call, lane in payer.paid] == [("auth", Lane.LIVE), ("api", Lane.LIVE)]
    assert [(call.kind, status) for call, status, _, _ in payer.observed] == [("auth", 200), ("api", 200)]


async def test_many_callers_share_one_token() -> None:
    vendor = ScriptedVendor(lambda _: page())
    client = client_on(vendor)
    await asyncio.gather(*(client.get("carts", Lane.LIVE) for _ in range(20)))
    assert vendor.tokens == 1


async def test_a_token_is_replaced_a_minute_before_its_end() -> None:
    vendor, here = ScriptedVendor(lambda _: page()), world()
    client = Client("shop", settings(), FreePayer(), here, vendor.transport())
    client.open()
    await client.get("carts", Lane.LIVE)
    assert isinstance(here.clock, ManualClock)
    await here.clock.advance(172_800 - 61)
    await client.get("carts", Lane.LIVE)
    assert vendor.tokens == 1
    await here.clock.advance(2)
    await client.get("carts", Lane.LIVE)
    assert vendor.tokens == 2


async def test_a_refused_token_is_fetched_anew_once_and_the_request_repeated_once() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        fresh = request.headers["authorization"] == "Bearer t-2"
        return page() if fresh else error(401, "invalid_token")

    vendor = ScriptedVendor(handler)
    await client_on(vendor).get("carts", Lane.LIVE)
    assert (vendor.tokens, len(vendor.requests)) == (2, 2)


async def test_a_new_token_that_is_refused_too_stops_the_connection() -> None:
    vendor = ScriptedVendor(lambda _: error(401, "invalid_token"))
    with pytest.raises(VendorError) as caught:
        await client_on(vendor).get("carts", Lane.LIVE)
    assert caught.value.failure.remedy is Remedy.STOP
    assert (vendor.tokens, len(vendor.requests)) == (2, 2)


async def test_twenty_callers_with_one_refused_token_fetch_one_new_token() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return error(401, "invalid_token") if request.headers["authorization"] == "Bearer t-1" else page()

    vendor = ScriptedVendor(handler)
    client = client_on(vendor)
    await asyncio.gather(*(client.get("carts", Lane.LIVE) for _ in range(20)))
    assert vendor.tokens == 2


async def test_callers_who_waited_share_the_failure_of_the_fetch() -> None:
    vendor = ScriptedVendor(lambda _: page())
    vendor.token_reply = lambda _: error(401, "invalid_client")
    client = client_on(vendor)
    got = await asyncio.gather(*(client.get("carts", Lane.LIVE) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, VendorError) and one.failure.remedy is Remedy.STOP for one in got)
    assert vendor.tokens == 1
    vendor.token_reply = lambda _: httpx.Response(200, json=TOKEN)
    await client.get("carts", Lane.LIVE)


@pytest.mark.parametrize(
    "reply", [{}, {"access_token": ""}, {"access_token": "t"}, {"access_token": "t", "expires_in": "x"}]
)
async def test_a_token_reply_without_a_token_is_a_bad_response(reply: dict[str, object]) -> None:
    vendor = ScriptedVendor(lambda _: page())
    vendor.token_reply = lambda _: httpx.Response(200, json=reply)
    with pytest.raises(VendorError) as caught:
        await client_on(vendor).get("carts", Lane.LIVE)
    assert caught.value.failure.code == "bad-response"


async def test_an_empty_budget_is_told_as_wait() -> None:
    vendor, payer = ScriptedVendor(lambda _: page()), FreePayer()
    payer.broke.add("api")
    with pytest.raises(VendorError) as caught:
        await client_on(vendor, payer).get("carts", Lane.BULK)
    assert (caught.value.failure.remedy, caught.value.failure.retry_after_seconds) == (Remedy.WAIT, 7.0)
    assert vendor.requests == []


async def test_one_lanes_empty_budget_for_tokens_does_not_fail_another_caller() -> None:
    vendor, payer = ScriptedVendor(lambda _: page()), FreePayer()
    client = client_on(vendor, payer)
    payer.broke.add("auth")
    with pytest.raises(VendorError):
        await client.get("carts", Lane.BULK)
    payer.broke.clear()
    await client.get("carts", Lane.LIVE)


async def test_a_network_failure_is_observed_as_status_0() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    payer = FreePayer()
    with pytest.raises(VendorError) as caught:
        await client_on(ScriptedVendor(handler), payer).post("customers", {}, Lane.LIVE, doing=Doing.CREATE)
    assert caught.value.failure.remedy is Remedy.LOOK
    assert payer.observed[-1][1] == 0
    assert caught.value.__cause__ is None


async def test_a_redirect_is_not_followed() -> None:
    vendor = ScriptedVendor(lambda _: httpx.Response(302, headers={"location": "https://evil.test/acme/carts"}))
    with pytest.raises(VendorError) as caught:
        await client_on(vendor).get("carts", Lane.LIVE)
    assert caught.value.failure.code == "redirected"
    assert len(vendor.requests) == 1


async def test_no_request_leaves_for_another_host() -> None:
    vendor, payer = ScriptedVendor(lambda _: page()), FreePayer()
    line = wire.Wire(settings().bounds, settings().hosts, payer, world(), vendor.transport())
    line.open()
    with pytest.raises(VendorError) as caught:
        await line.send(httpx.Request("GET", "https://evil.test/"), wire.Call(), Lane.LIVE, writes=False)
    assert caught.value.failure.remedy is Remedy.STOP
    assert (vendor.requests, payer.paid) == ([], [])


async def test_a_success_that_is_not_json_leaves_a_write_in_doubt() -> None:
    client = client_on(ScriptedVendor(lambda _: httpx.Response(200, text="<html>")))
    with pytest.raises(VendorError) as caught:
        await client.post("customers", {}, Lane.LIVE, doing=Doing.CREATE)
    assert (caught.value.failure.remedy, caught.value.failure.code) == (Remedy.LOOK, "bad-response")


async def test_a_reply_that_swells_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST_REPLY", 10_000)
    bomb = gzip.compress(b"0" * 1_000_000)
    client = client_on(
        ScriptedVendor(lambda _: httpx.Response(200, content=bomb, headers={"content-encoding": "gzip"}))
    )
    with pytest.raises(VendorError) as caught:
        await client.get("carts", Lane.LIVE)
    assert (caught.value.failure.remedy, caught.value.failure.code) == (Remedy.SPLIT, "too-large")


async def test_secrets_are_in_no_text() -> None:
    client = client_on(ScriptedVendor(lambda _: page()))
    token = await client.token(Lane.LIVE)
    shown = f"{settings()!r} {token!r}"
    assert "hush-hush" not in shown
    assert "t-1" not in shown


async def test_closing_twice_and_sending_when_closed() -> None:
    client = client_on(ScriptedVendor(lambda _: page()))
    await client.close()
    await client.close()
    with pytest.raises(VendorError):
        await client.get("carts", Lane.LIVE)


@pytest.mark.parametrize(
    "changes",
    [
        {"api_url": "http://api.shop.test"},
        {"api_url": "api.shop.test"},
        {"auth_url": "https://user@auth.shop.test"},
        {"project_key": ""},
        {"page_limit": 501},
        {"concurrency": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        settings(**changes)


def test_plain_http_is_for_loopback() -> None:
    assert settings(api_url="http://127.0.0.1:8", auth_url="http://localhost:8", client_secret=Secret("x"))
