"""Messages and subscriptions of the simulated project."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.sandbox.vendor import ActError

from .conftest import Shop

QUEUE = {"type": "SQS", "queueUrl": "https://sqs.eu.example/1/shop", "region": "eu-west-1", "authenticationMode": "IAM"}
DRAFT = {
    "key": "syncd",
    "destination": QUEUE,
    "changes": [{"resourceTypeId": "customer"}, {"resourceTypeId": "cart"}],
    "messages": [{"resourceTypeId": "customer"}],
}


async def drained(shop: Shop, key: str = "syncd") -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = await shop.account.act({"op": "drain", "subscription": key})
    return told


async def test_what_happens_to_a_customer_is_told_by_messages_with_a_sequence_and_by_changes(shop: Shop) -> None:
    await shop.post("/subscriptions", DRAFT, 201)
    (test,) = await drained(shop)
    assert (test["notificationType"], test["resource"]["typeId"]) == ("ResourceCreated", "subscription")

    made = await shop.customer(key="ada-1", externalId="003A")
    actions = [{"action": "setLastName", "lastName": "Byron"}, {"action": "changeEmail", "email": "b@example.com"}]
    changed = await shop.update("/customers", made, *actions, {"action": "setMiddleName", "middleName": "K"})
    await shop.http.delete(f"/customers/{made['id']}", params={"version": changed["version"], "dataErasure": "true"})
    told = await drained(shop)
    messages = [one for one in told if one["notificationType"] == "Message"]
    kinds = ["CustomerCreated", "CustomerLastNameSet", "CustomerEmailChanged", "CustomerDeleted"]
    assert [one["type"] for one in messages] == kinds
    assert [one["sequenceNumber"] for one in messages] == [1, 2, 3, 4]
    assert (messages[2]["email"], messages[2]["oldEmail"]) == ("b@example.com", "ada@example.com")
    assert messages[1]["resourceVersion"] == changed["version"]
    assert messages[0]["customer"]["email"] == "ada@example.com"
    assert all(one["resourceUserProvidedIdentifiers"] == {"key": "ada-1", "externalId": "003A"} for one in told)
    changes = [one for one in told if one["notificationType"] != "Message"]
    assert [one["notificationType"] for one in changes] == ["ResourceCreated", "ResourceUpdated", "ResourceDeleted"]
    assert (changes[1]["oldVersion"], changes[1]["version"]) == (1, changed["version"])
    assert changes[2]["dataErasure"] is True


async def test_of_carts_only_the_beginning_and_the_end_are_told(shop: Shop) -> None:
    await shop.post("/subscriptions", DRAFT, 201)
    await drained(shop)
    cart = await shop.post("/carts", {"currency": "GBP"}, 201)
    cart = await shop.update("/carts", cart, {"action": "setCustomerEmail", "email": "a@example.com"})
    await shop.http.delete(f"/carts/{cart['id']}", params={"version": cart["version"]})
    assert [one["notificationType"] for one in await drained(shop)] == ["ResourceCreated", "ResourceDeleted"]


async def test_cloud_events_carry_the_same_in_their_envelope(shop: Shop) -> None:
    grid = {"type": "EventGrid", "uri": "https://grid.example/topic", "accessKey": "grid-key-1234"}
    form = {"type": "CloudEvents", "cloudEventsVersion": "1.0"}
    refused = await shop.post("/subscriptions", {**DRAFT, "destination": grid}, 400)
    assert "CloudEvents only" in refused["message"]
    made = await shop.post("/subscriptions", {**DRAFT, "destination": grid, "format": form}, 201)
    assert made["status"] == "Healthy"
    await drained(shop)
    customer = await shop.customer()
    message, change = sorted(await drained(shop), key=lambda one: "message" not in one["type"])
    assert message["type"] == "com.commercetools.customer.message.CustomerCreated"
    assert (message["sequence"], message["sequencetype"], message["subject"]) == ("1", "Integer", customer["id"])
    assert (message["source"], message["dataref"]) == ("/demo-shop/customers", f"/demo-shop/messages/{message['id']}")
    assert change["type"] == "com.commercetools.customer.change.ResourceCreated"
    assert change["data"]["version"] == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"destination": {"type": "Webhook", "url": "https://x.example"}}, "InvalidJsonInput"),
        ({"destination": {**QUEUE, "authenticationMode": "Credentials"}}, "InvalidInput"),
        ({"destination": {**QUEUE, "accessKey": "k", "accessSecret": "s"}}, "InvalidInput"),
        ({"destination": {"type": "SQS", "region": "eu-west-1"}}, "InvalidJsonInput"),
        ({"messages": [{"resourceTypeId": "cart"}]}, "InvalidField"),
        ({"changes": [{"resourceTypeId": "carts"}]}, "InvalidField"),
        ({"changes": [], "messages": []}, "InvalidInput"),
        ({"format": {"type": "CloudEvents"}}, "InvalidField"),
    ],
)
async def test_what_a_subscription_refuses(shop: Shop, change: dict[str, Any], code: str) -> None:
    assert (await shop.post("/subscriptions", {**DRAFT, **change}, 400))["errors"][0]["code"] == code


async def test_a_destination_that_cannot_be_reached_is_refused_and_one_that_breaks_keeps_or_loses(shop: Shop) -> None:
    await shop.account.act({"op": "destinations", "reachable": False})
    assert (await shop.post("/subscriptions", DRAFT, 400))["errors"][0]["code"] == "InvalidInput"
    await shop.account.act({"op": "destinations", "reachable": True})
    row = await shop.post("/subscriptions", DRAFT, 201)
    await drained(shop)
    await shop.account.act({"op": "subscription_status", "subscription": "syncd", "status": "TemporaryError"})
    await shop.customer("kept@example.com")
    assert await drained(shop) == []
    await shop.account.act({"op": "subscription_status", "subscription": "syncd", "status": "Healthy"})
    assert len(await drained(shop)) == 2
    stopped = "ConfigurationErrorDeliveryStopped"
    await shop.account.act({"op": "subscription_status", "subscription": "syncd", "status": stopped})
    await shop.customer("lost@example.com")
    mended = await shop.update("/subscriptions", row, {"action": "changeDestination", "destination": QUEUE})
    assert (mended["status"], await drained(shop)) == ("Healthy", [])
    with pytest.raises((ActError, KeyError)):
        await drained(shop, "nobody")


async def test_deliveries_are_doubled_and_lost_on_demand(shop: Shop) -> None:
    await shop.post("/subscriptions", {**DRAFT, "messages": []}, 201)
    await drained(shop)
    shop.sandbox.set_faults("webhook_duplicate=1")
    await shop.customer("twice@example.com")
    assert len(await drained(shop)) == 2
    shop.sandbox.set_faults("webhook_drop=1")
    await shop.customer("never@example.com")
    assert await drained(shop) == []


async def test_messages_can_be_asked_for_once_the_project_lets_them_and_until_they_are_old(shop: Shop) -> None:
    await shop.customer("before@example.com")
    configuration = {"enabled": True, "deleteDaysAfterCreation": 15}
    action = {"action": "changeMessagesConfiguration", "messagesConfiguration": configuration}
    project = await shop.post("", {"version": 1, "actions": [action]}, 200)
    assert (project["messages"], project["version"]) == (configuration, 2)
    assert (await shop.post("", {"version": 1, "actions": [action]}, 409))["errors"][0]["currentVersion"] == 2
    made = await shop.customer()
    await shop.http.delete(f"/customers/{made['id']}", params={"version": 1})
    where = 'resource(typeId="customer") and type in ("CustomerDeleted")'
    page = await shop.get("/messages", where=where, sort=["createdAt asc", "id asc"])
    assert [(one["resource"]["id"], one["sequenceNumber"]) for one in page["results"]] == [(made["id"], 2)]
    assert (await shop.get(f"/messages/{page['results'][0]['id']}"))["email"] == "ada@example.com"
    await shop.clock.advance(16 * 86_400)
    await shop.sign_in()
    await shop.customer("after@example.com")
    assert (await shop.get("/messages", where=where))["results"] == []
    token = (await shop.token("syncd", "syncd-secret")).json()["access_token"]
    shop.http.headers["Authorization"] = f"Bearer {token}"
    assert (await shop.http.get("/messages")).json()["errors"][0]["code"] == "insufficient_scope"
