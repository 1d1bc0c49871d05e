"""Tokens: renewed by the clock, once after a 401, by one caller for all; never shown."""

import asyncio

import pytest

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.systems.contract import VendorError
from syncd.systems.hubspot.auth import Auth
from syncd.systems.hubspot.settings import OAuthGrant, Settings
from syncd.systems.hubspot.system import HubSpot

from .kit import CONTACTS, NOW, TOKEN, Books, Vendor, envelope, obj, reply, served, settings

GRANT = OAuthGrant("client", Secret("client-secret"), Secret("refresh-1"))


def oauth(clock, sign_in, keep=None):
    return Auth(Settings("crm", oauth=GRANT), World(clock), sign_in, keep)


def counting(refresh_token="refresh-1"):
    bought = []

    async def sign_in(grant, lane):
        bought.append(grant.refresh_token.reveal())
        await asyncio.sleep(0)
        return {"access_token": f"token-{len(bought)}", "refresh_token": refresh_token, "expires_in": 1800}

    return bought, sign_in


async def test_a_token_is_bought_once_for_all_who_wait_and_renewed_before_it_ends():
    clock = ManualClock(NOW)
    bought, sign_in = counting()
    auth = oauth(clock, sign_in)
    tokens = await asyncio.gather(*(auth.token(Lane.LIVE) for _ in range(5)))
    assert {one.reveal() for one in tokens} == {"token-1"}
    await clock.advance(1600)
    assert (await auth.token(Lane.LIVE)).reveal() == "token-1"
    await clock.advance(100)
    assert (await auth.token(Lane.LIVE)).reveal() == "token-2"
    assert len(bought) == 2


async def test_a_token_of_a_short_life_is_used_for_half_of_it():
    clock = ManualClock(NOW)
    bought = []

    async def sign_in(grant, lane):
        bought.append(grant)
        return {"access_token": f"token-{len(bought)}", "expires_in": 60}

    auth = oauth(clock, sign_in)
    for _ in range(3):
        await auth.token(Lane.LIVE)
    assert len(bought) == 1
    await clock.advance(31)
    assert (await auth.token(Lane.LIVE)).reveal() == "token-2"


async def test_a_401_renews_once_and_a_fresh_token_that_is_refused_stays_refused():
    clock = ManualClock(NOW)
    bought, sign_in = counting()
    auth = oauth(clock, sign_in)
    first = await auth.token(Lane.LIVE)
    assert await auth.renew(first, Lane.LIVE) is None
    auth.proved(first)  # What was good and is refused a moment later has lapsed, however young it is.
    second = await auth.renew(first, Lane.LIVE)
    assert second.reveal() == "token-2"
    assert await auth.renew(second, Lane.LIVE) is None
    await clock.advance(300)
    newer = await asyncio.gather(*(auth.renew(second, Lane.LIVE) for _ in range(4)))
    assert {one.reveal() for one in newer if one} == {"token-3"}
    assert len(bought) == 3


async def test_a_rotated_grant_is_stored_before_it_is_used():
    clock = ManualClock(NOW)
    bought, sign_in = counting("refresh-2")
    kept = []

    async def keep(secret):
        kept.append(secret.reveal())

    auth = oauth(clock, sign_in, keep)
    await auth.token(Lane.LIVE)
    await clock.advance(2000)
    await auth.token(Lane.LIVE)
    assert (kept, bought) == (["refresh-2"], ["refresh-1", "refresh-2"])


async def test_a_fixed_token_cannot_be_renewed():
    auth = Auth(settings(), World(ManualClock(NOW)), counting()[1])
    token = await auth.token(Lane.LIVE)
    assert (token.reveal(), await auth.renew(token, Lane.LIVE)) == (TOKEN, None)


async def test_signing_in_and_repeating_after_a_401_go_over_the_wire():
    tokens = []

    def answer(asked):
        if asked.path == "/oauth/2026-03/token":
            assert asked.body == {"grant_type": "refresh_token", "client_id": "client",
                                  "client_secret": "client-secret", "refresh_token": "refresh-1"}  # fmt: skip
            tokens.append(f"token-{len(tokens) + 1}")
            return reply(200, {"access_token": tokens[-1], "refresh_token": "refresh-1", "expires_in": 1800})
        if asked.headers["authorization"] == "Bearer token-1" and len(vendor.asked) > 2:
            return reply(401, {"status": "error", "category": "EXPIRED_AUTHENTICATION", "message": "expired"})
        return reply(200, envelope([obj("1")]))

    vendor = Vendor(answer)
    books = Books()
    clock = ManualClock(NOW)
    with served(vendor) as url:
        hubspot = HubSpot(Settings("crm", oauth=GRANT, base_url=url), books, World(clock))
        await hubspot.open()
        await hubspot.read(CONTACTS, ["1"], Lane.LIVE)
        await clock.advance(100)
        result = await hubspot.read(CONTACTS, ["1"], Lane.LIVE)
        await hubspot.close()
    assert "1" in result.found
    assert [call.kind for call, _ in books.paid] == ["auth", "api", "api", "auth", "api"]


async def test_a_revoked_grant_stops_the_connection():
    vendor = Vendor(lambda asked: reply(400, {"status": "BAD_REFRESH_TOKEN", "error": "invalid_grant", "message": "x"}))
    with served(vendor) as url:
        hubspot = HubSpot(Settings("crm", oauth=GRANT, base_url=url), Books(), World(ManualClock(NOW)))
        await hubspot.open()
        with pytest.raises(VendorError) as caught:
            await hubspot.read(CONTACTS, ["1"], Lane.LIVE)
        await hubspot.close()
    assert caught.value.failure.remedy is Remedy.STOP


@pytest.mark.parametrize("more", [{}, {"access_token": Secret("x"), "oauth": GRANT}])
def test_one_credential_is_needed_and_one_only(more):
    with pytest.raises(ValueError, match="one of them"):
        Settings("crm", **more)


@pytest.mark.parametrize("url", ["http://api.hubapi.com", "ftp://127.0.0.1", "http://127.0.0.1.evil.example"])
def test_plain_http_is_for_loopback_only(url):
    with pytest.raises(ValueError, match="https"):
        settings(base_url=url)


def test_settings_show_no_secret():
    told = repr(Settings("crm", oauth=GRANT, webhook_secrets=(Secret("hook-secret"),)))
    assert "***" in told
    assert not {"client-secret", "refresh-1", "hook-secret"} & set(told.replace("'", " ").split())


async def test_a_token_of_characters_that_no_header_has_is_refused_before_it_is_used():
    with pytest.raises(ValueError, match="characters"):
        Settings("crm", access_token=Secret("pat\N{EN DASH}eu1"))

    async def sign_in(grant, lane):
        return {"access_token": "\N{SUPERSCRIPT TWO}"}

    with pytest.raises(VendorError, match="no-token"):
        await oauth(ManualClock(NOW), sign_in).token(Lane.LIVE)
