"""Polls that tell deletions by the project's messages."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from syncd.model.change import ChangeKind, Channel, Lane
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.commercetools import ApiClient, CommercetoolsSandbox, customers
from syncd.sandbox.commercetools.errors import ApiError
from syncd.sandbox.commercetools.project import Actor, Settings
from syncd.sandbox.commercetools.resource import create, delete
from syncd.sandbox.http import reply_json
from syncd.sandbox.server import Sandbox
from syncd.systems.commercetools.system import CommercetoolsSystem

from . import support
from .support import CARTS, CUSTOMERS, FreePayer

PROJECT = "demo-shop"
HUMAN = Actor("human")


class Shop:
    def __init__(self, sandbox: Sandbox, account: CommercetoolsSandbox, clock: ManualClock) -> None:
        self.sandbox = sandbox
        self.account = account
        self.clock = clock

    async def connected(self, client: str, **changes: Any) -> CommercetoolsSystem:
        url = self.sandbox.url("commercetools")
        given = support.settings(
            project_key=PROJECT,
            api_url=url,
            auth_url=url,
            client_id=Secret(client),
            client_secret=Secret("s"),
            **changes,
        )
        system = CommercetoolsSystem("shop", given, FreePayer(), World(self.clock, random.Random(3)))
        await system.open()
        return system

    def made(self, count: int) -> list[dict[str, Any]]:
        drafts = [
            {"email": f"p{n}.{self.clock.now_ms()}@x.org", "authenticationMode": "ExternalAuth"} for n in range(count)
        ]
        return [create(self.account.project, customers.CUSTOMERS, one, HUMAN) for one in drafts]

    def gone(self, row: dict[str, Any]) -> str:
        delete(self.account.project, customers.CUSTOMERS, row, str(row["version"]), HUMAN)
        return str(row["id"])


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = ManualClock()
    sandbox = Sandbox(seed=5, clock=clock)
    needed = [f"manage_customers:{PROJECT}", f"view_orders:{PROJECT}"]
    clients = (
        ApiClient("whole", "s", (f"manage_project:{PROJECT}",)),
        ApiClient("reader", "s", (*needed, f"view_messages:{PROJECT}")),
        ApiClient("deaf", "s", tuple(needed)),
    )
    account = sandbox.add(CommercetoolsSandbox, clients=clients, settings=Settings(messages=True))
    async with sandbox:
        yield Shop(sandbox, account, clock)


async def polled(system: CommercetoolsSystem, cursor: str | None) -> tuple[list[Any], str]:
    found, more = [], True
    while more:
        page = await system.poll(CUSTOMERS, cursor, Lane.SCHEDULED)
        assert page.cursor != cursor or not page.more
        found += page.snapshots
        cursor, more = page.cursor, page.more
    assert cursor is not None
    return found, cursor


@pytest.mark.parametrize("client", ["whole", "reader"])
async def test_a_poll_tells_what_was_deleted_since_however_many(shop: Shop, client: str) -> None:
    system = await shop.connected(client, page_limit=3)
    rows = shop.made(12)
    _, cursor = await polled(system, None)
    await shop.clock.advance(30)
    ids = [shop.gone(row) for row in rows[:8]]
    found, cursor = await polled(system, cursor)
    gone = [one for one in found if one.deleted]
    assert sorted(one.external_id for one in gone) == sorted(ids)
    assert {one.version for one in gone} == {"2"}
    await shop.clock.advance(300)
    last = shop.gone(rows[9])
    found, cursor = await polled(system, cursor)
    # Those of the overlap are met once more, with the dedupe keys they had.
    assert {one.external_id for one in found if one.deleted} == {*ids, last}
    assert orjson.loads(cursor)["ended"]["looked"] == shop.clock.now_ms()
    assert ChangeKind.DELETED in system.abilities("customers").tells[Channel.POLL]
    await system.close()


async def test_a_message_that_becomes_visible_late_is_met_in_the_overlap(shop: Shop) -> None:
    system = await shop.connected("whole")
    early, late = shop.made(2)
    _, cursor = await polled(system, None)
    await shop.clock.advance(20)
    shop.gone(early)
    rows = shop.account.messages.rows
    hidden = rows.get(next(reversed(list(rows.ids()))))
    assert hidden is not None
    rows.drop(hidden["id"])
    await shop.clock.advance(4)
    shop.gone(late)
    found, cursor = await polled(system, cursor)
    assert [one.external_id for one in found if one.deleted] == [late["id"]]
    rows.put(hidden)
    found, cursor = await polled(system, cursor)
    assert {one.external_id for one in found if one.deleted} == {early["id"], late["id"]}
    await system.close()


async def test_without_the_scope_or_the_messages_polls_go_on_and_say_no_more_of_deletions(shop: Shop) -> None:
    deaf = await shop.connected("deaf")
    (row, other) = shop.made(2)
    _, cursor = await polled(deaf, None)
    shop.gone(row)
    before = shop.account.requests
    found, cursor = await polled(deaf, cursor)
    # One page of customers, and nothing asked that would be refused.
    assert (shop.account.requests - before, [one.deleted for one in found]) == (1, [False])
    assert deaf.abilities("customers").tells[Channel.POLL] == {ChangeKind.STATE}
    await deaf.close()

    shop.account.settings.messages = False
    system = await shop.connected("whole")
    _, cursor = await polled(system, None)
    assert system.abilities("customers").tells[Channel.POLL] == {ChangeKind.STATE}
    shop.account.settings.messages = True
    await shop.clock.advance(3700)
    shop.gone(other)
    found, cursor = await polled(system, cursor)
    # Looked at again after an hour, from where the polls began.
    assert {one.external_id for one in found if one.deleted} == {row["id"], other["id"]}
    await system.close()


async def test_of_what_has_no_message_nothing_is_asked(shop: Shop) -> None:
    system = await shop.connected("whole")
    page = await system.poll(CARTS, None, Lane.SCHEDULED)
    before = shop.account.requests
    await system.poll(CARTS, page.cursor, Lane.SCHEDULED)
    assert shop.account.requests == before + 1
    for silent in ("carts", "customer-groups", "custom-objects/x", "types"):
        assert ChangeKind.DELETED not in system.abilities(silent).tells[Channel.POLL]
    await system.close()


async def test_what_was_deleted_while_messages_could_not_be_had_from_the_start_is_told_once_they_can(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = await shop.connected("whole")

    def down(*_: Any) -> Any:
        raise ApiError(503, "OverCapacity", "The service is having trouble handling the load.")

    with monkeypatch.context() as patched:
        patched.setattr(shop.account, "_messages", down)
        (row,) = shop.made(1)
        _, cursor = await polled(system, None)
        shop.gone(row)
        for _ in range(2):
            await shop.clock.advance(600)
            shop.made(1)
            found, cursor = await polled(system, cursor)
            assert not any(one.deleted for one in found)
    found, cursor = await polled(system, cursor)
    assert [one.external_id for one in found if one.deleted] == [row["id"]]
    await system.close()


async def test_a_message_in_another_form_than_promised_stops_no_poll(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = await shop.connected("whole")
    _, cursor = await polled(system, None)
    await shop.clock.advance(30)
    with monkeypatch.context() as patched:
        patched.setattr(shop.account, "_messages", lambda *_: reply_json({"results": [{"id": "m", "createdAt": 5}]}))
        rows = shop.made(2)
        found, cursor = await polled(system, cursor)
        assert [one.external_id for one in found] == [one["id"] for one in rows]
    ended = shop.gone(rows[0])
    found, cursor = await polled(system, cursor)
    assert [one.external_id for one in found if one.deleted] == [ended]
    await system.close()
