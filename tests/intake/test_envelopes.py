"""Notifications as they come out of queues, posted by a forwarder, in every envelope; from the vendor to the staged change."""

from __future__ import annotations

import random
from base64 import b64encode
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.intake import envelopes
from syncd.intake.app import Intake
from syncd.model.change import ChangeKind
from syncd.runtime.clock import ManualClock, World
from syncd.sandbox.commercetools import CommercetoolsSandbox
from syncd.sandbox.server import Sandbox
from syncd.systems.commercetools.events import changes_from_event
from syncd.systems.contract import RefusedError

from .conftest import TOKEN, House, shop

BEARER = {"content_type": "application/json", "authorization": f"Bearer {TOKEN}"}


def told(number: int = 1, kind: str = "ResourceUpdated") -> dict[str, Any]:
    return {
        "notificationType": kind,
        "projectKey": "acme",
        "resource": {"typeId": "customer", "id": f"c-{number}"},
        "version": number + 1,
        "oldVersion": number,
        "modifiedAt": "2026-11-02T08:00:00.123Z",
    }


def cloud(number: int = 1) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"e-{number}", "source": "/acme/customers", "subject": f"c-{number}",
        "type": "com.commercetools.customer.change.ResourceUpdated", "data": told(number),
    }  # fmt: skip


def text(payload: Any) -> str:
    return orjson.dumps(payload).decode()


def sns(payload: Any, kind: str = "Notification") -> dict[str, Any]:
    topic = {"TopicArn": "arn:aws:sns:eu-west-1:1:shop", "Timestamp": "2026-11-02T08:00:00.123Z"}
    return {
        "Type": kind,
        "MessageId": "m-1",
        "Message": payload if isinstance(payload, str) else text(payload),
        **topic,
    }


def pubsub(payload: Any) -> dict[str, Any]:
    return {"message": {"data": b64encode(text(payload).encode()).decode(), "messageId": "m-1"}, "subscription": "s"}


ENVELOPES = {
    "bare": lambda one: one,
    "array": lambda one: [one],
    "sqs": lambda one: {"Records": [{"messageId": "m-1", "eventSource": "aws:sqs", "body": text(one)}]},
    "sns record": lambda one: {"Records": [{"EventSource": "aws:sns", "Sns": sns(one)}]},
    "sns": sns,
    "sns in sqs": lambda one: {"Records": [{"messageId": "m-1", "body": text(sns(one))}]},
    "pub/sub": pubsub,
    "eventbridge": lambda one: {
        "version": "0",
        "id": "m-1",
        "detail-type": "x",
        "source": "aws.partner",
        "detail": one,
    },
}


@pytest.fixture
def door(house: House) -> House:
    source = shop(translate=changes_from_event)
    house.intake = Intake(commit=house.commit, world=World(clock=house.clock), sources=(source,))
    return house


# CloudEvents by themselves have content types of their own.
FORMS = [(name, form) for name in ENVELOPES for form in (told, cloud) if form is told or name not in ("bare", "array")]


@pytest.mark.parametrize(("envelope", "form"), FORMS)
async def test_every_envelope_tells_what_the_notification_alone_tells(door: House, envelope: str, form: Any) -> None:
    answer = await door.post(orjson.dumps(ENVELOPES[envelope](form())), **BEARER)
    assert (answer.status, answer.json) == (202, {"staged": 1, "duplicates": 0})
    (change,) = door.staging.kept.values()
    assert (change.object, change.external_id, change.version, change.kind) == (
        "customers",
        "c-1",
        "2",
        ChangeKind.HINT,
    )
    again = await door.post(orjson.dumps(told()), **BEARER)
    assert again.json == {"staged": 0, "duplicates": 1}


async def test_many_come_at_once_and_a_signed_one_is_as_good(door: House) -> None:
    records = {"Records": [{"messageId": str(n), "body": text(told(n))} for n in range(5)]}
    assert (await door.post(orjson.dumps(records), **BEARER)).json["staged"] == 5
    assert (await door.post(orjson.dumps([told(n) for n in range(6)]), **BEARER)).json == {"staged": 1, "duplicates": 5}
    assert (await door.signed(told(9), content_type="application/json")).json["staged"] == 1
    few = replace(door.intake.limits, batch_events=2)
    door.intake = Intake(commit=door.commit, world=World(clock=door.clock), sources=(shop(),), limits=few)
    assert (await door.post(orjson.dumps(records), **BEARER)).status == 413


async def test_a_topic_that_asks_to_be_confirmed_is_kept_for_an_operator(door: House) -> None:
    asks = {**sns("You have chosen to subscribe", "SubscriptionConfirmation"), "SubscribeURL": "https://sns.example/x"}
    assert (await door.post(orjson.dumps(asks), **BEARER)).status == 202
    (change,) = door.staging.kept.values()
    assert change.kind is ChangeKind.OPAQUE
    assert change.payload["raw"]["data"]["SubscribeURL"] == "https://sns.example/x"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (cloud(), 415),
        ({"type": "shop.customer.changed", "data": {"id": "c"}}, 415),
        ([], 415),
        (b"{", 415),
        (sns("not json"), 400),
        ({"message": {"data": "!"}}, 400),
        ({"Records": [{"eventName": "s3"}]}, 400),
        ({"Records": [{"body": "[1]"}]}, 400),
        ([told(1), {**told(2), "resource": None}], 400),
        (sns(sns(sns(sns(sns(told()))))), 400),
    ],
)
async def test_what_is_no_notification_is_refused_whole(door: House, body: Any, status: int) -> None:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    assert (await door.post(raw, **BEARER)).status == status
    assert not door.staging.kept


async def test_plain_json_of_a_stranger_is_refused_as_his(door: House) -> None:
    answer = await door.post(orjson.dumps(told()), content_type="application/json", authorization="Bearer nobody")
    assert answer.status == 401


@pytest.mark.parametrize("envelope", ["sqs", "sns record", "sns", "pub/sub", "data_base64"])
async def test_what_nests_too_deep_inside_of_an_envelope_is_refused(door: House, envelope: str) -> None:
    deep = "[" * 300 + "]" * 300
    inside = b64encode(deep.encode()).decode()
    sent: Any = {
        "sqs": {"Records": [{"messageId": "m", "body": deep}]},
        "sns record": {"Records": [{"Sns": sns(deep)}]},
        "sns": sns(deep),
        "pub/sub": {"message": {"data": inside}},
        "data_base64": {**cloud(), "datacontenttype": "application/json", "data_base64": inside},
    }[envelope]
    if envelope == "data_base64":
        del sent["data"]
        sent = [{"Records": [{"body": text(sent)}]}]
    answer = await door.post(orjson.dumps(sent), **BEARER)
    assert (answer.status, orjson.loads(answer.body)["check"]) == (400, "too-deep")


json = st.recursive(
    st.none() | st.integers(0, 9) | st.sampled_from(["Notification", "e30=", '{"a":1}', "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Records",
                    "message",
                    "data",
                    "Type",
                    "Message",
                    "Sns",
                    "body",
                    "detail",
                    "detail-type",
                    "specversion",
                    "notificationType",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(json)
def test_any_json_is_understood_or_refused(payload: Any) -> None:
    try:
        events = envelopes.read(orjson.dumps(payload), batch_events=100, depth=64)
    except RefusedError as error:
        assert error.status in (400, 413)  # noqa: PT017
        return
    for event in events or ():
        assert event["id"]
        assert event["source"]


async def test_what_a_subscription_delivers_twice_and_disordered_is_staged_once(door: House) -> None:
    """The whole way: a project's subscription, the queue, a forwarder, the intake."""
    sandbox = Sandbox(seed=7, clock=ManualClock(), faults="webhook_duplicate=1,webhook_reorder=0.5")
    account = sandbox.add(CommercetoolsSandbox)
    async with sandbox, httpx.AsyncClient(base_url=sandbox.url("commercetools")) as http:
        form = {"grant_type": "client_credentials"}
        token = (await http.post("/oauth/token", data=form, auth=("shop-frontend", "shop-secret"))).json()
        http.headers["authorization"] = f"Bearer {token['access_token']}"
        destination = {"type": "GoogleCloudPubSub", "projectId": "p", "topic": "t"}
        both = {"messages": [{"resourceTypeId": "customer"}], "changes": [{"resourceTypeId": "customer"}]}
        for key, kind in (
            ("platform", {"type": "Platform"}),
            ("cloud", {"type": "CloudEvents", "cloudEventsVersion": "1.0"}),
        ):
            made = await http.post(
                "/demo-shop/subscriptions", json={"key": key, "destination": destination, "format": kind, **both}
            )
            assert made.status_code == 201, made.text
        draft = {"email": "ada@x.org", "authenticationMode": "ExternalAuth"}
        row = (await http.post("/demo-shop/customers", json=draft)).json()["customer"]
        actions = [{"action": "setLastName", "lastName": "Byron"}, {"action": "setKey", "key": "ada"}]
        row = (await http.post(f"/demo-shop/customers/{row['id']}", json={"version": 1, "actions": actions})).json()
        await http.delete(
            f"/demo-shop/customers/{row['id']}", params={"version": row["version"], "dataErasure": "true"}
        )
        dice = random.Random(3)
        for key in ("platform", "cloud"):
            queue = await account.act({"op": "drain", "subscription": key})
            assert len(queue) > 12
            dice.shuffle(queue)
            for one in queue:
                assert (await door.post(orjson.dumps(pubsub(one)), **BEARER)).status == 202
    ours = [one for one in door.staging.kept.values() if one.object == "customers"]
    # Created, last name, deleted; created, updated, deleted: whatever the form, once each.
    assert len(ours) == 6
    assert {one.external_id for one in ours} == {row["id"]}
    assert sorted(one.kind for one in ours) == ["deleted", "erased", "hint", "hint", "hint", "hint"]
    assert {one.version for one in ours if one.kind is ChangeKind.HINT} == {"1", str(row["version"])}
