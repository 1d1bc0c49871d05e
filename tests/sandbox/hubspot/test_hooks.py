"""Webhook settings and subscriptions, managed with the developer account's key as the owner of a public app does."""

from __future__ import annotations

import pytest

from syncd.sandbox.hubspot.api_webhooks import DEVELOPER_KEY
from syncd.sandbox.hubspot.simulator import APP

from .conftest import Portal


@pytest.mark.parametrize("root", ["/webhooks/v3", "/webhooks/2026-03", "/app-webhooks/2026-09"])
async def test_subscriptions_are_made_switched_and_removed(portal: Portal, root: str) -> None:
    key, stem = {"hapikey": DEVELOPER_KEY}, f"{root}/{APP.id}"
    assert (await portal.http.get(f"{stem}/settings", params=key)).status_code == 404
    wanted = {"targetUrl": "https://h.example/x", "throttling": {"maxConcurrentRequests": 5}}
    assert (await portal.http.put(f"{stem}/settings", params=key, json=wanted)).status_code == 400
    wanted["throttling"]["maxConcurrentRequests"] = 20
    assert (await portal.http.put(f"{stem}/settings", params=key, json=wanted)).json()["targetUrl"] == wanted[
        "targetUrl"
    ]
    ask = {"eventType": "contact.propertyChange", "propertyName": "phone"}
    made = await portal.http.post(f"{stem}/subscriptions", params=key, json=ask)
    assert (made.status_code, made.json()["active"], made.json()["propertyName"]) == (201, False, "phone")
    assert (await portal.http.post(f"{stem}/subscriptions", params=key, json=ask)).status_code == 409
    one = f"{stem}/subscriptions/{made.json()['id']}"
    assert (await portal.http.patch(one, params=key, json={"active": True})).json()["active"] is True
    batch = {"inputs": [{"id": int(made.json()["id"]), "active": False}]}
    told = await portal.http.post(f"{stem}/subscriptions/batch/update", params=key, json=batch)
    assert [shown["active"] for shown in told.json()["results"]] == [False]
    for wrong in ({}, {"eventType": "object.creation"}, {"eventType": "contact.propertyChange"},
                  {"eventType": "contact.propertyChange", "propertyName": "hs_lastmodifieddate"}):  # fmt: skip
        assert (await portal.http.post(f"{stem}/subscriptions", params=key, json=wrong)).status_code == 400, wrong
    assert (await portal.http.delete(one, params=key)).status_code == 204
    assert (await portal.http.get(f"{stem}/subscriptions", params=key)).json() == {"results": []}
    assert (await portal.http.get(f"{stem}/subscriptions")).status_code == 401
    assert (await portal.http.get(f"{root}/1/subscriptions", params=key)).status_code == 404
