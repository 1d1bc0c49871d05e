"""Sign-in, scopes, windows, and the disturbances of the kit in this vendor's words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from syncd.sandbox.hubspot import HubspotSandbox
from syncd.sandbox.hubspot.account import Profile
from syncd.sandbox.hubspot.kinds import DEALS
from syncd.sandbox.hubspot.limits import LimitSettings
from syncd.sandbox.hubspot.simulator import OAUTH_APP
from syncd.sandbox.server import Sandbox
from tests.sandbox.hubspot.conftest import KEY, Portal

DETAILS = "/account-info/v3/details"


@pytest.fixture
def options() -> dict[str, Any]:
    return {
        "search_delay": (0.0, 0.0),
        "limits": LimitSettings(per_ten_seconds=10, daily=25, searches_per_second=5),
        "profile": Profile(time_zone="Europe/Berlin"),
    }


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def grant(portal: Portal, **more: str) -> dict[str, str]:
    return {
        "grant_type": "refresh_token",
        "client_id": OAUTH_APP.client_id,
        "client_secret": OAUTH_APP.client_secret,
        "refresh_token": portal.vendor.refresh_token,
        **more,
    }


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic abc"])
async def test_without_a_known_token_nothing_is_answered(portal: Portal, header: str) -> None:
    reply = await portal.http.get(DETAILS, headers={"authorization": header})
    assert (reply.status_code, reply.json()["category"]) == (401, "INVALID_AUTHENTICATION")


@pytest.mark.parametrize("version", ["v1", "v3", "2026-03"])
async def test_an_oauth_token_lives_for_half_an_hour(portal: Portal, version: str) -> None:
    reply = await portal.http.post(f"/oauth/{version}/token", data=grant(portal))
    body = reply.json()
    assert (reply.status_code, body["expires_in"], body["hub_id"]) == (200, 1800, 48123456)
    headers = bearer(body["access_token"])
    assert (await portal.http.get(DETAILS, headers=headers)).status_code == 200
    await portal.clock.advance(1810)
    late = await portal.http.get(DETAILS, headers=headers)
    assert (late.status_code, late.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert late.json()["message"] == "The OAuth token used to make this call expired 10 second(s) ago."
    assert late.json()["context"]["expire time"]


async def test_a_refresh_token_is_no_access_token(portal: Portal) -> None:
    assert (await portal.http.get(DETAILS, headers=bearer(portal.vendor.refresh_token))).status_code == 401


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_id": "x"}, "BAD_CLIENT_ID", "invalid_client"),
        ({"client_secret": "x"}, "BAD_CLIENT_SECRET", "invalid_client"),
        ({"refresh_token": "x"}, "BAD_REFRESH_TOKEN", "invalid_grant"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE", "unsupported_grant_type"),
    ],
)
async def test_the_token_endpoint_refuses_in_its_own_way(
    portal: Portal, change: dict[str, str], status: str, error: str
) -> None:
    reply = await portal.http.post("/oauth/v1/token", data=grant(portal, **change))
    assert (reply.status_code, reply.json()["status"], reply.json()["error"]) == (400, status, error)


async def test_client_credentials_bring_no_refresh_token(portal: Portal) -> None:
    reply = await portal.http.post(
        "/oauth/v3/token", data=grant(portal, grant_type="client_credentials", scope="developer.webhooks_journal.read")
    )
    assert "refresh_token" not in reply.json()
    assert reply.json()["token_use"] == "client_credentials"


async def test_introspection_and_revocation(portal: Portal) -> None:
    token = (await portal.http.post("/oauth/v3/token", data=grant(portal))).json()["access_token"]
    known = (await portal.http.post("/oauth/2026-03/token/introspect", data={"token": token})).json()
    assert (known["active"], known["app_id"], known["expires_in"]) == (True, OAUTH_APP.id, 1800)
    assert (await portal.http.get(f"/oauth/v1/access-tokens/{token}")).json()["hub_id"] == 48123456
    await portal.http.post("/oauth/2026-03/token/revoke", data={"token": token})
    assert (await portal.http.get(DETAILS, headers=bearer(token))).status_code == 401
    private = await portal.http.post(
        "/oauth/v2/private-apps/get/access-token-info", json={"tokenKey": portal.vendor.token}
    )
    assert private.json()["hubId"] == 48123456
    assert "crm.objects.contacts.write" in private.json()["scopes"]


async def test_a_missing_scope_is_named(portal: Portal) -> None:
    app = portal.vendor.tokens.of(f"Bearer {portal.vendor.token}").app
    portal.vendor.tokens.add_static("pat-reader", app, {"crm.objects.contacts.read"})
    headers = bearer("pat-reader")
    assert (await portal.http.get("/crm/v3/objects/contacts", headers=headers)).status_code == 200
    reply = await portal.http.post("/crm/v3/objects/contacts", json={"properties": {}}, headers=headers)
    body = reply.json()
    assert (reply.status_code, body["category"]) == (403, "MISSING_SCOPES")
    assert body["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.contacts.write"]
    assert body["links"] == {"scopes": "https://developers.hubspot.com/scopes"}


async def test_the_window_rolls_over_ten_seconds(portal: Portal) -> None:
    first = await portal.http.get(DETAILS)
    assert first.headers["x-hubspot-ratelimit-max"] == "10"
    assert first.headers["x-hubspot-ratelimit-remaining"] == "9"
    assert first.headers["x-hubspot-ratelimit-interval-milliseconds"] == "10000"
    await portal.clock.advance(6)
    for _ in range(9):
        await portal.http.get(DETAILS)
    refused = await portal.http.get(DETAILS)
    body = refused.json()
    assert (refused.status_code, body["errorType"], body["policyName"]) == (429, "RATE_LIMIT", "TEN_SECONDLY_ROLLING")
    assert body["message"] == "You have reached your ten_secondly_rolling limit."
    assert refused.headers["x-hubspot-ratelimit-remaining"] == "0"
    assert "retry-after" not in refused.headers
    await portal.clock.advance(4)
    assert (await portal.http.get(DETAILS)).status_code == 200
    assert (await portal.http.get(DETAILS)).status_code == 429


async def test_oauth_apps_have_a_window_of_their_own_and_no_daily_headers(portal: Portal) -> None:
    token = (await portal.http.post("/oauth/v3/token", data=grant(portal))).json()["access_token"]
    for _ in range(11):
        await portal.http.get(DETAILS)
    reply = await portal.http.get(DETAILS, headers=bearer(token))
    assert reply.status_code == 200
    assert "x-hubspot-ratelimit-daily" not in reply.headers


async def test_the_day_ends_at_midnight_of_the_account(portal: Portal) -> None:
    for _ in range(3):
        for _ in range(9):
            last = await portal.http.get(DETAILS)
        await portal.clock.advance(11)
    assert (last.status_code, last.json()["policyName"]) == (429, "DAILY")
    assert last.json()["message"] == "You have reached your daily limit."
    await portal.clock.advance(15 * 3600 - 33 - 2)  # 23:00 UTC is midnight in Berlin; it was 9:00 there
    assert (await portal.http.get(DETAILS)).status_code == 429
    await portal.clock.advance(2)
    fresh = await portal.http.get(DETAILS)
    assert (fresh.status_code, fresh.headers["x-hubspot-ratelimit-daily-remaining"]) == (200, "24")


async def test_searches_have_a_second_of_their_own_and_no_headers(portal: Portal) -> None:
    replies = [await portal.search("contacts") for _ in range(6)]
    assert [one.status_code for one in replies] == [200] * 5 + [429]
    assert not [name for name in replies[0].headers if name.startswith("x-hubspot-ratelimit")]
    assert replies[-1].json()["message"] == "You have reached your secondly limit."
    await portal.clock.advance(1)
    assert (await portal.search("contacts")).status_code == 200


@pytest.mark.parametrize(
    ("faults", "status", "applied"),
    [("throttle=1", 429, False), ("fail_before=1", 500, False), ("fail_after=1", 500, True), ("html=1", 502, False)],
)
async def test_disturbed_writes_are_applied_or_not_as_the_fault_says(
    portal: Portal, faults: str, status: int, applied: bool
) -> None:
    portal.box.set_faults(faults)
    reply = await portal.http.post("/crm/v3/objects/contacts", json={"properties": {"email": "a@example.com"}})
    assert reply.status_code == status
    assert bool(portal.effects("create")) is applied


async def test_a_cut_reply_and_a_dropped_one_were_applied(portal: Portal) -> None:
    for n, fault in enumerate(("truncate=1", "drop_after=1")):
        portal.box.set_faults(fault)
        with pytest.raises(httpx.TransportError):
            await portal.http.post("/crm/v3/objects/contacts", json={"properties": {"email": f"{n}@example.com"}})
    assert len(portal.effects("create")) == 2


async def test_an_early_end_of_an_oauth_token_does_not_touch_static_ones(portal: Portal) -> None:
    token = (await portal.http.post("/oauth/v3/token", data=grant(portal))).json()["access_token"]
    portal.box.set_faults("expire_token=1")
    assert (await portal.http.get(DETAILS, headers=bearer(token))).status_code == 401
    assert (await portal.http.get(DETAILS)).status_code == 200


async def test_an_outage_answers_503_or_nothing(portal: Portal) -> None:
    portal.box.set_outage("hubspot", on=True, mode="503")
    assert (await portal.http.get(DETAILS)).status_code == 503
    portal.box.set_outage("hubspot", on=True)
    with pytest.raises(httpx.TransportError):
        await portal.http.get(DETAILS)


async def test_locked_and_migrating_refuse_before_anything_is_applied(portal: Portal) -> None:
    portal.box.set_faults("hubspot.locked=1")
    write = {"properties": {"email": "a@example.com"}}
    assert (await portal.http.post("/crm/v3/objects/contacts", json=write)).status_code == 423
    assert (await portal.http.get("/crm/v3/objects/contacts")).status_code == 200
    portal.box.set_faults("hubspot.migrating=1")
    reply = await portal.http.get("/crm/v3/objects/contacts")
    assert (reply.status_code, reply.headers["retry-after"]) == (477, "5")
    assert portal.effects() == []


async def test_a_batch_may_be_applied_without_saying_so(portal: Portal) -> None:
    inputs = [{"id": f"customer-{n}", "properties": {"email": f"{n}@example.com"}} for n in range(4)]
    portal.box.set_faults("empty=1")
    empty = await portal.upsert("contacts", *inputs)
    assert (empty.status_code, empty.json()["results"]) == (200, [])
    assert len(portal.effects("create")) == 4
    portal.box.set_faults("anonymous=1")
    nameless = (await portal.upsert("contacts", *inputs)).json()
    assert (len(nameless["results"]), nameless["numErrors"]) == (2, 2)
    assert nameless["errors"][0]["context"] == {}


async def test_the_dump_shows_all_objects_and_ids_rise(portal: Portal) -> None:
    ids = [await portal.create("deals", **{KEY: f"cart-{n}"}) for n in range(3)]
    assert ids == sorted(ids, key=int)
    dump = (await portal.admin.get("/_sandbox/hubspot/dump?object=deals")).json()["deals"]
    assert [one["properties"][KEY] for one in dump] == ["cart-0", "cart-1", "cart-2"]


async def test_the_same_seed_gives_the_same_ids() -> None:
    runs = []
    for _ in range(2):
        box = Sandbox(seed=3)
        vendor = box.add(HubspotSandbox)
        runs.append([vendor.people.create(DEALS, {"dealname": str(n)}).id for n in range(5)])
    assert runs[0] == runs[1]
