"""The subscription that syncd makes, audits and mends, at the simulated project."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.commercetools import ApiClient, CommercetoolsSandbox
from syncd.sandbox.commercetools.errors import ApiError
from syncd.sandbox.server import Sandbox
from syncd.systems.commercetools.settings import Subscription
from syncd.systems.commercetools.subscriptions import HEALTH, REFUSED, plan, wanted
from syncd.systems.commercetools.system import CommercetoolsSystem
from syncd.systems.contract import Finding, Severity

from . import support
from .support import CARTS, CUSTOMERS, FreePayer

PROJECT = "demo-shop"
QUEUE = {"type": "SQS", "queueUrl": "https://sqs.eu.example/1/shop", "region": "eu-west-1"}
SECRETS = {"accessKey": Secret("an-access-key"), "accessSecret": Secret("a-hidden-secret")}
SHOP = Subscription("syncd", "CloudEvents", QUEUE, SECRETS)


class Shop:
    def __init__(self, sandbox: Sandbox, account: CommercetoolsSandbox) -> None:
        self.sandbox = sandbox
        self.account = account

    async def run(
        self, subscription: Subscription | None, *, apply: bool | None, client: str = "whole", carts: bool = False
    ) -> list[Finding]:
        """The findings about subscriptions; ``apply`` ``None`` checks."""
        url = self.sandbox.url("commercetools")
        given = support.settings(
            project_key=PROJECT, api_url=url, auth_url=url, client_id=Secret(client), client_secret=Secret("s"),
            subscription=subscription,
        )  # fmt: skip
        system = CommercetoolsSystem("shop", given, FreePayer(), World(self.account.room.clock, random.Random(3)))
        await system.open()
        mappings = [CUSTOMERS, CARTS] if carts else [CUSTOMERS]
        found = await (system.check(mappings) if apply is None else system.provision(mappings, apply=apply))
        await system.close()
        assert "a-hidden-secret" not in repr(found)
        return [one for one in found if one.code.startswith("subscription")]

    def held(self) -> list[Any]:
        return list(self.account.objects()["subscriptions"])


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    sandbox = Sandbox(seed=5, clock=ManualClock())
    clients = (
        ApiClient("whole", "s", (f"manage_project:{PROJECT}", f"manage_subscriptions:{PROJECT}")),
        ApiClient("plain", "s", (f"manage_customers:{PROJECT}", f"view_types:{PROJECT}")),
    )
    account = sandbox.add(CommercetoolsSandbox, clients=clients)
    async with sandbox:
        yield Shop(sandbox, account)


def told(found: list[Finding]) -> list[tuple[str, str, bool]]:
    return [(one.code, one.severity.value, one.applied) for one in found]


async def test_a_subscription_is_made_found_well_and_changed_with_the_mappings(shop: Shop) -> None:
    assert await shop.run(None, apply=True) == []
    assert shop.held() == []
    assert told(await shop.run(SHOP, apply=False)) == [("subscription-missing", "warning", False)]
    assert told(await shop.run(SHOP, apply=None)) == [("subscription-missing", "warning", False)]
    assert told(await shop.run(SHOP, apply=True)) == [("subscription-missing", "ok", True)]
    (row,) = shop.held()
    assert (row["format"]["type"], row["destination"]["queueUrl"]) == ("CloudEvents", QUEUE["queueUrl"])
    assert row["changes"] == [{"resourceTypeId": "customer"}]
    assert told(await shop.run(SHOP, apply=None)) == [("subscription", "ok", False)]

    findings = await shop.run(SHOP, apply=False, carts=True)
    assert [one.code for one in findings] == ["subscription", "subscription-differs"]
    assert "changes of cart" in findings[1].message
    assert told(await shop.run(SHOP, apply=True, carts=True))[0] == ("subscription-differs", "ok", True)
    (row,) = shop.held()
    assert [one["resourceTypeId"] for one in row["changes"]] == ["cart", "customer"]
    # Carts have no messages.
    assert [one["resourceTypeId"] for one in row["messages"]] == ["customer"]
    assert told(await shop.run(SHOP, apply=True, carts=True)) == [("subscription", "ok", False)]


@pytest.mark.parametrize("status", HEALTH)
async def test_its_health_is_reported_and_mended_where_that_is_ours_to_do(shop: Shop, status: str) -> None:
    await shop.run(SHOP, apply=True)
    await shop.account.act({"op": "subscription_status", "subscription": "syncd", "status": status})
    health = (await shop.run(SHOP, apply=None))[0]
    assert health.severity is HEALTH[status][0]
    assert status in health.message
    await shop.run(SHOP, apply=True)
    (row,) = shop.held()
    assert row["status"] == ("Healthy" if status in REFUSED else status)


async def test_another_destination_is_set_and_another_format_makes_it_anew(shop: Shop) -> None:
    await shop.run(SHOP, apply=True)
    (before,) = shop.held()
    moved = Subscription("syncd", "CloudEvents", {**QUEUE, "region": "eu-central-1"}, SECRETS)
    await shop.run(moved, apply=True)
    (row,) = shop.held()
    assert (row["id"], row["destination"]["region"]) == (before["id"], "eu-central-1")
    topic = Subscription("syncd", "Platform", {"type": "GoogleCloudPubSub", "projectId": "p", "topic": "t"})
    assert told(await shop.run(topic, apply=True)) == [
        ("subscription-differs", "ok", True),
        ("subscription", "ok", False),
    ]
    (row,) = shop.held()
    assert (row["id"] != before["id"], row["format"]["type"]) == (True, "Platform")


async def test_what_the_vendor_refuses_is_told_in_its_words_without_secrets(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.account.act({"op": "destinations", "reachable": False})
    (found,) = await shop.run(SHOP, apply=True)
    assert (found.severity, found.applied) == (Severity.ERROR, False)
    assert "test message" in found.message

    def echoes() -> None:
        raise ApiError(400, "InvalidField", "The value 'a-hidden-secret' is not valid for field 'accessSecret'.")

    with monkeypatch.context() as patched:
        patched.setattr(shop.account.notifier, "test", echoes)
        (found,) = await shop.run(SHOP, apply=True)
    assert "'***' is not valid" in found.message
    (found,) = await shop.run(SHOP, apply=None, client="plain")
    assert "manage_subscriptions" in found.message


def test_what_is_held_as_wanted_needs_nothing() -> None:
    draft = wanted(SHOP, [CUSTOMERS, CARTS])
    hidden = {**draft, "destination": {**QUEUE, "accessSecret": "****cret"}, "status": "Healthy"}
    assert not plan(hidden, draft, SHOP).what
    narrowed = {**hidden, "messages": [{"resourceTypeId": "customer", "types": ["CustomerCreated"]}]}
    assert [one["action"] for one in plan(narrowed, draft, SHOP).actions] == ["setMessages"]
