"""The Webhooks Journal as an app that knows nothing of syncd sees it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from syncd.sandbox.hubspot.api_journal import SCOPES
from syncd.sandbox.hubspot.simulator import OAUTH_APP

from .conftest import Portal

ROOT = "/webhooks-journal/journal/2026-03"
OBJECT = {"subscriptionType": "OBJECT", "objectTypeId": "0-1", "objectIds": [], "properties": ["phone"],
          "actions": ["CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE"]}  # fmt: skip


async def app_of(portal: Portal, scopes: str = " ".join(SCOPES)) -> httpx.AsyncClient:
    form = {"grant_type": "client_credentials", "client_id": OAUTH_APP.client_id,
            "client_secret": OAUTH_APP.client_secret, "scope": scopes}  # fmt: skip
    token = await portal.http.post("/oauth/2026-03/token", data=form)
    assert token.status_code == 200, token.text
    assert token.json()["token_use"] == "client_credentials"
    assert "refresh_token" not in token.json()
    headers = {"authorization": f"Bearer {token.json()['access_token']}"}
    return httpx.AsyncClient(base_url=portal.url, headers=headers, trust_env=False)


@pytest.fixture
async def app(portal: Portal):
    portal.vendor.journal.settings.publish_seconds = 0.0
    async with await app_of(portal) as client:
        yield client


async def subscribe(app: httpx.AsyncClient, portal: Portal, **body: Any) -> dict[str, Any]:
    body = {"portalId": portal.vendor.account.profile.portal_id, **body}
    reply = await app.post("/webhooks-journal/subscriptions/2026-03", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def events(answer: dict[str, Any]) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(trust_env=False) as plain:
        reply = await plain.get(answer["url"])
    assert reply.status_code == 200
    assert reply.json()["offset"] == answer["currentOffset"]
    return reply.json()["journalEvents"]


async def test_what_subscriptions_cover_is_told_in_entries_by_offset(app, portal):
    assert (await app.get(f"{ROOT}/earliest")).status_code == 204
    await portal.create("contacts", email="before@example.com")
    made = await subscribe(app, portal, **OBJECT)
    assert (await subscribe(app, portal, **OBJECT))["id"] == made["id"]  # one per portal, type and object type
    gdpr = {"subscriptionType": "GDPR_PRIVACY_DELETION", "objectTypeId": "0-1", "actions": ["GDPR_DELETE"]}
    await subscribe(app, portal, **gdpr)
    first = await portal.create("contacts", email="a@example.com", phone="1")
    second = await portal.create("contacts", email="b@example.com")
    start = (await app.get(f"{ROOT}/earliest")).json()
    told = await events(start)
    assert [(one["action"], one["objectId"]) for one in told] == [("CREATE", int(first)), ("CREATE", int(second))]
    assert told[0]["propertyChanges"] == {"phone": "1"}
    assert (await app.get(f"{ROOT}/offset/{start['currentOffset']}/next")).status_code == 204

    await portal.act(op="edit", object="contacts", id=first, values={"phone": "2", "firstname": "Ada"})
    await portal.act(op="edit", object="contacts", id=first, values={"lastname": "nobody asked"})
    survivor = await portal.act(op="merge", object="contacts", id=first, other=second)
    await portal.act(op="gdpr_delete", object="contacts", id=survivor)
    batch = (await app.get(f"{ROOT}/batch/{start['currentOffset']}/next/5")).json()
    assert batch["status"] == "COMPLETE"
    (entry,) = batch["results"]
    told = await events(entry)
    assert told[0]["propertyChanges"] == {"phone": "2"}
    assert {one["action"] for one in told} == {"UPDATE", "MERGE", "DELETE", "GDPR_DELETE"}
    assert (await app.get(f"{ROOT}/latest")).json()["currentOffset"] == entry["currentOffset"]
    local = await app.get("/webhooks-journal/journal-local/2026-03/latest", params={"installPortalId": 1})
    assert local.status_code == 403
    read = await app.post(f"{ROOT}/batch/read", json={"inputs": [entry["currentOffset"], "none"]})
    assert (read.status_code, read.json()["numErrors"]) == (207, 1)


async def test_the_files_want_no_sign_in_and_expire_and_so_do_entries(app, portal):
    await subscribe(app, portal, **OBJECT)
    await portal.create("contacts", email="a@example.com")
    answer = (await app.get(f"{ROOT}/latest")).json()
    assert (await app.get(answer["url"])).status_code == 400  # two ways to sign in are one too many
    async with httpx.AsyncClient(trust_env=False) as plain:
        assert (await plain.get(answer["url"].replace("Signature=", "Signature=0"))).status_code == 403
        await portal.clock.advance(901)
        assert (await plain.get(answer["url"])).status_code == 403
    again = await app.post(f"{ROOT}/batch/read", json={"inputs": [answer["currentOffset"]]})
    assert await events(again.json()["results"][0])
    await portal.clock.advance(3 * 86_400)
    async with await app_of(portal) as later:
        gone = await later.get(f"{ROOT}/offset/{answer['currentOffset']}/next")
    assert (gone.status_code, gone.json()["category"]) == (404, "OBJECT_NOT_FOUND")


async def test_who_may_what_and_what_makes_no_sense(app, portal):
    assert (await portal.http.get(f"{ROOT}/earliest")).status_code == 403  # an account's token is no app's
    refused = await portal.http.post("/oauth/2026-03/token", data={
        "grant_type": "client_credentials", "client_id": OAUTH_APP.client_id,
        "client_secret": OAUTH_APP.client_secret, "scope": "crm.objects.contacts.read"})  # fmt: skip
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    async with await app_of(portal, "developer.webhooks_journal.read") as reader:
        assert (await reader.get("/webhooks-journal/subscriptions/2026-03")).status_code == 403
        assert (await reader.get("/crm/objects/2026-03/contacts")).status_code == 403
    portal_id = portal.vendor.account.profile.portal_id
    for wrong in (
        {**OBJECT, "actions": ["GDPR_DELETE"]}, {**OBJECT, "properties": None}, {**OBJECT, "actions": []},
        {**OBJECT, "subscriptionType": "NONE"},
    ):  # fmt: skip
        reply = await app.post("/webhooks-journal/subscriptions/2026-03", json={"portalId": portal_id, **wrong})
        assert reply.status_code == 400, wrong
    assert (await app.get(f"{ROOT}/batch/earliest/0")).status_code == 400


async def test_filters_and_snapshots(app, portal):
    made = await subscribe(app, portal, **OBJECT)
    where = {"filterType": "CRM_OBJECT_PROPERTY", "property": "phone", "operator": "STARTS_WITH", "value": "+49"}
    body = {"subscriptionId": made["id"], "filter": {"conditions": [where]}}
    number = (await app.post("/webhooks-journal/subscriptions/2026-03/filters", json=body)).json()["filterId"]
    id_ = await portal.create("contacts", email="a@example.com", phone="+49 1")
    await portal.create("contacts", email="b@example.com", phone="+1 1")
    assert [one["objectId"] for one in await events((await app.get(f"{ROOT}/latest")).json())] == [int(id_)]
    shown = await app.get(f"/webhooks-journal/subscriptions/2026-03/filters/subscription/{made['id']}")
    assert [one["id"] for one in shown.json()] == [number]
    assert (await app.delete(f"/webhooks-journal/subscriptions/2026-03/filters/{number}")).status_code == 204
    ask = {"portalId": portal.vendor.account.profile.portal_id, "objectTypeId": "0-1", "properties": ["email"]}
    asked = await app.post("/webhooks-journal/snapshots/2026-03/crm", json={
        "snapshotRequests": [{**ask, "objectId": int(id_)}, {**ask, "objectId": 7}]})  # fmt: skip
    ids = [one["snapshotStatusId"] for one in asked.json()["snapshotResponses"]]
    states = [(await app.get(f"{ROOT}/status/{one}")).json()["status"] for one in ids]
    assert states == ["SUCCESS", "FAILED"]
    (told,) = await events((await app.get(f"{ROOT}/latest")).json())
    assert (told["action"], told["propertyChanges"]) == ("SNAPSHOT", {"email": "a@example.com"})
    assert (await app.delete(f"/webhooks-journal/subscriptions/2026-03/portals/{ask['portalId']}")).status_code == 204
    assert (await app.get("/webhooks-journal/subscriptions/2026-03")).json() == {"results": []}
