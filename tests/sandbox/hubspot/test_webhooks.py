"""Webhooks: what is told, signatures, batches, retries, disturbances."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from hubspot.utils.signature import Signature

from syncd.runtime.clock import ManualClock
from syncd.sandbox.http import HttpProtocol, Reply, Request
from syncd.sandbox.hubspot import HubspotSandbox, signature
from syncd.sandbox.hubspot.webhooks import MAX_ATTEMPTS, WebhookSettings, subscription
from syncd.sandbox.server import Sandbox
from tests.sandbox.hubspot.conftest import Portal, unique_key

SECRET = "sandbox-client-secret"
SUBSCRIPTIONS = (
    "contact.creation",
    "contact.propertyChange:phone",
    "contact.deletion",
    "contact.merge",
    "contact.privacyDeletion",
    "contact.restore",
    "deal.creation",
    "deal.propertyChange:dealstage",
    "deal.associationChange",
    "object.creation@0-123",
)


class Receiver:
    """An endpoint that keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status = 200
        self.url = ""
        self.hold: asyncio.Event | None = None
        self.open = 0
        self.most_open = 0

    async def handle(self, request: Request) -> Reply:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self.requests.append(request)
        if self.hold is not None:
            await self.hold.wait()
        self.open -= 1
        return Reply(self.status)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for request in self.requests for event in orjson.loads(request.body)]

    def told(self) -> list[tuple[str, Any]]:
        return sorted((one["subscriptionType"], one.get("objectId")) for one in self.events)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    connections: set[HttpProtocol] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpProtocol(receiver.handle, lambda: False, connections), "127.0.0.1", 0
    )
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks/hubspot?a=b%2Fc"
    yield receiver
    server.close()
    for one in list(connections):
        one.abort()


@pytest.fixture
async def hooked(receiver: Receiver) -> AsyncIterator[Portal]:
    clock = ManualClock()
    box = Sandbox(seed=7, clock=clock)
    settings = WebhookSettings(target_url=receiver.url, subscriptions=SUBSCRIPTIONS, time_scale=0.001)
    vendor = box.add(HubspotSandbox, webhooks=settings, search_delay=(0.0, 0.0))
    unique_key(vendor)
    async with box:
        portal = Portal(box, vendor, clock)
        yield portal
        await portal.close()


async def until(portal: Portal, done: Callable[[], bool], step: float = 0.2) -> None:
    """Let the sender's own time pass until something is so."""
    for _ in range(600):
        await asyncio.sleep(0.002)
        if done():
            return
        await portal.clock.advance(step)
    raise AssertionError("it did not become so")


async def flushed(portal: Portal) -> None:
    """Everything is delivered, and the sender at rest."""
    await until(portal, lambda: portal.vendor.webhooks.idle)


@pytest.mark.parametrize("uri", ["https://www.example.com/webhook_uri", "https%3A%2F%2Fwww.example.com%2Fwebhook_uri"])
def test_the_vendors_own_test_vector(uri: str) -> None:
    body = b"{'example_field':'example_value'}"
    made = signature.v3("yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", "post", uri, body, "1693657560000")
    assert made == "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="


async def test_a_creation_is_told_once_signed_over_the_configured_url(hooked: Portal, receiver: Receiver) -> None:
    hooked.vendor.set_webhooks({"signed_url": "https://tunnel.example/hooks"})
    id_ = await hooked.create("contacts", email="a@example.com", phone="5")
    await flushed(hooked)
    (request,) = receiver.requests
    assert request.headers["content-type"].startswith("application/json")
    assert request.headers["x-hubspot-signature-version"] == "v1"
    stamp = request.headers["x-hubspot-request-timestamp"]
    assert abs(int(stamp) - hooked.clock.now_ms()) < 1000
    expected = Signature.get_signature(
        SECRET, request.body.decode(), "v3", "https://tunnel.example/hooks", "POST", stamp
    )
    assert request.headers["x-hubspot-signature-v3"] == expected
    assert request.headers["x-hubspot-signature"] == Signature.get_signature(SECRET, request.body.decode(), "v1")
    creation = next(one for one in receiver.events if one["subscriptionType"] == "contact.creation")
    assert {key: creation[key] for key in ("portalId", "appId", "objectId", "attemptNumber", "changeFlag")} == {
        "portalId": 48123456,
        "appId": 19635961,
        "objectId": int(id_),
        "attemptNumber": 0,
        "changeFlag": "CREATED",
    }
    change = next(one for one in receiver.events if one["subscriptionType"] == "contact.propertyChange")
    assert (change["propertyName"], change["propertyValue"]) == ("phone", "5")
    assert change["occurredAt"] == 1_793_606_400_000


async def test_an_app_and_a_person_are_told_apart(hooked: Portal, receiver: Receiver) -> None:
    id_ = await hooked.create("contacts", email="a@example.com")
    await hooked.act(op="edit", object="contacts", id=id_, values={"phone": "5"})
    await flushed(hooked)
    sources = {one["subscriptionType"]: (one["changeSource"], one["sourceId"]) for one in receiver.events}
    assert sources == {
        "contact.creation": ("INTEGRATION", "19635961"),
        "contact.propertyChange": ("CRM_UI", "userId:52530071"),
    }


async def test_only_what_was_subscribed_to_is_told(hooked: Portal, receiver: Receiver) -> None:
    await hooked.create("contacts", email="a@example.com", firstname="A")
    await hooked.create("companies", name="x")
    await hooked.create("orders", hs_order_name="1")
    await flushed(hooked)
    assert [one for one, _ in receiver.told()] == ["contact.creation", "object.creation"]
    assert (
        next(one for one in receiver.events if one["subscriptionType"] == "object.creation")["objectTypeId"] == "0-123"
    )


async def test_merge_deletion_restore_and_privacy(hooked: Portal, receiver: Receiver) -> None:
    one, two = [await hooked.create("contacts", email=f"{n}@example.com") for n in range(2)]
    merged = await hooked.act(op="merge", object="contacts", id=one, other=two)
    await hooked.act(op="archive", object="contacts", id=merged)
    await hooked.act(op="restore", object="contacts", id=merged)
    await hooked.act(op="gdpr_delete", object="contacts", id=merged)
    await flushed(hooked)
    event = next(each for each in receiver.events if each["subscriptionType"] == "contact.merge")
    assert event["primaryObjectId"] == int(one)
    assert event["mergedObjectIds"] == [int(one), int(two)]
    assert (event["newObjectId"], event["changeSource"]) == (int(merged), "MERGE_OBJECTS")
    told = receiver.told()
    assert [each for each in told if each[0] == "contact.deletion"] == [
        ("contact.deletion", int(each)) for each in (one, two, merged, merged)
    ]
    assert ("contact.privacyDeletion", int(merged)) in told
    assert ("contact.restore", int(merged)) in told


async def test_an_association_is_told_with_both_ends(hooked: Portal, receiver: Receiver) -> None:
    deal, buyer = await hooked.create("deals", dealname="x"), await hooked.create("contacts", email="a@example.com")
    await hooked.http.put(f"/crm/v4/objects/deals/{deal}/associations/default/contacts/{buyer}")
    await flushed(hooked)
    (event,) = [one for one in receiver.events if one["subscriptionType"] == "deal.associationChange"]
    assert (event["associationType"], event["fromObjectId"], event["toObjectId"]) == (
        "DEAL_TO_CONTACT",
        int(deal),
        int(buyer),
    )
    assert (event["associationRemoved"], event["isPrimaryAssociation"]) == (False, False)


async def test_arrays_hold_at_most_100_events_in_no_order(hooked: Portal, receiver: Receiver) -> None:
    for start in (0, 100, 200):
        inputs = [{"id": f"c-{n}", "properties": {"email": f"{n}@example.com"}} for n in range(start, start + 100)]
        await hooked.upsert("contacts", *inputs)
    await flushed(hooked)
    sizes = [len(orjson.loads(one.body)) for one in receiver.requests]
    assert sum(sizes) == 300
    assert max(sizes) <= 100
    ids = [one["objectId"] for one in receiver.events]
    assert ids != sorted(ids)


async def test_at_most_ten_requests_are_under_way(hooked: Portal, receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    for start in range(0, 1300, 100):
        inputs = [{"id": f"c-{n}", "properties": {"email": f"{n}@example.com"}} for n in range(start, start + 100)]
        await hooked.upsert("contacts", *inputs)
    await until(hooked, lambda: receiver.open == 10)
    receiver.hold.set()
    receiver.hold = None
    await flushed(hooked)
    assert receiver.most_open == 10
    assert len(receiver.events) == 1300


async def test_a_refusal_is_tried_again_with_a_higher_attempt_number(hooked: Portal, receiver: Receiver) -> None:
    receiver.status = 503
    id_ = await hooked.create("contacts", email="a@example.com")
    await until(hooked, lambda: hooked.vendor.webhooks.counts.failed == 1)
    receiver.status = 200
    await flushed(hooked)
    assert [one["attemptNumber"] for one in receiver.events] == [0, 1]
    assert {(one["eventId"], one["objectId"]) for one in receiver.events} == {(receiver.events[0]["eventId"], int(id_))}
    assert hooked.vendor.webhooks.idle
    assert (await hooked.act(op="webhook_counts"))["delivered"] == 1


async def test_after_ten_retries_within_a_day_an_event_is_given_up(hooked: Portal, receiver: Receiver) -> None:
    receiver.status = 400
    await hooked.create("contacts", email="a@example.com")
    await until(hooked, lambda: hooked.vendor.webhooks.idle, step=90.0)
    assert [one["attemptNumber"] for one in receiver.events] == list(range(MAX_ATTEMPTS))
    assert hooked.vendor.webhooks.counts.given_up == 1
    assert hooked.vendor.webhooks.idle


async def test_retries_wait_longer_each_time_and_end_within_a_day(hooked: Portal) -> None:
    hooked.vendor.set_webhooks({"time_scale": 1.0})
    waits = [hooked.vendor.webhooks._wait(attempt) for attempt in range(1, MAX_ATTEMPTS)]
    assert sum(waits) <= 86_400
    assert waits[-1] > waits[0] * 100


async def test_duplicates_drops_and_late_events(hooked: Portal, receiver: Receiver) -> None:
    hooked.box.set_faults("webhook_duplicate=1")
    await hooked.create("contacts", email="a@example.com")
    await flushed(hooked)
    assert len(receiver.events) == 2
    assert receiver.events[0] == receiver.events[1]
    hooked.box.set_faults("webhook_drop=1")
    await hooked.create("contacts", email="b@example.com")
    await flushed(hooked)
    assert len(receiver.events) == 2
    hooked.box.set_faults("webhook_reorder=1")
    first = await hooked.create("contacts", email="c@example.com")
    hooked.box.set_faults("none")
    second = await hooked.create("contacts", email="d@example.com")
    await flushed(hooked)
    assert [one["objectId"] for one in receiver.events[2:]] == [int(second), int(first)]


async def test_a_vendor_off_the_net_sends_when_it_is_back(hooked: Portal, receiver: Receiver) -> None:
    hooked.box.set_outage("hubspot", on=True)
    await hooked.act(op="create", object="contacts", values={"email": "a@example.com"})
    await hooked.clock.advance(1)
    await asyncio.sleep(0.02)
    assert receiver.requests == []
    hooked.box.set_outage("hubspot", on=False)
    await flushed(hooked)
    assert len(receiver.events) == 1


async def test_settings_change_while_it_runs_and_bad_ones_change_nothing(hooked: Portal, receiver: Receiver) -> None:
    reply = await hooked.admin.post(
        "/_sandbox/hubspot/act", json={"op": "webhooks", "settings": {"subscriptions": ["contact.propertyChange"]}}
    )
    assert reply.status_code == 400
    await hooked.act(op="webhooks", settings={"subscriptions": ["contact.deletion"]})
    await hooked.create("contacts", email="a@example.com")
    await flushed(hooked)
    assert receiver.requests == []


@pytest.mark.parametrize(
    "text", ["contact", "contact.propertyChange", "contact.creation:phone", "deal.propertyChange:hs_lastmodifieddate"]
)
def test_impossible_subscriptions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="subscription"):
        subscription(1, text)
