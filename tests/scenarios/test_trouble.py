"""Vendors that are away, forget, or change their minds: the shop notices nothing, and everything arrives afterwards."""

from __future__ import annotations

import asyncio

import pytest

from syncd.control import messages as m
from syncd.demo.report import percentiles
from tests.scenarios.town import Town
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def connection(town: Town, name: str) -> m.ConnectionLine | None:
    status = await town.desk.status()
    return next((one for one in status.connections if one.name == name), None) if status else None


async def turns(town: Town, name: str, state: str) -> None:
    async def turned() -> bool:
        one = await connection(town, name)
        return one is not None and one.state == state

    await until(turned, f"{name} {state}")


async def test_the_shop_is_not_slowed_while_the_crm_is_away_and_all_arrives_afterwards(town: Town) -> None:
    town.sandbox.set_outage("hubspot", on=True)
    before = len(town.outbox.seconds)
    people = [await town.customer(f"away{number}") for number in range(30)]
    for one in people:
        await town.change_customer(one["id"], {"action": "setFirstName", "firstName": "Late"})
    await turns(town, "crm", "down")
    await until(lambda: town.outbox.waiting == 0, "the acknowledgement of every event")
    assert (percentiles(town.outbox.seconds[before:])["p99"] or 9) < 1.0
    assert town.rows("contacts") == []
    down = await connection(town, "crm")
    assert down is not None
    assert down.reason

    town.sandbox.set_outage("hubspot", on=False)
    for number in range(30):
        await town.contact_of(f"away{number}@example.com", firstname="Late", seconds=15)
    await town.settled()
    status = await town.desk.status()
    assert status is not None
    assert status.counters.dead_letters_open == 0
    assert len(town.rows("contacts")) == 30


async def test_a_shop_that_is_away_is_asked_again_and_misses_nothing(town: Town) -> None:
    person = await town.customer("patient")
    contact = await town.contact_of("patient@example.com")
    await town.settled()
    town.sandbox.set_outage("commercetools", on=True, mode="503")
    await town.edit("contacts", contact["id"], phone="+49 30 7654321")
    await turns(town, "shop", "down")
    assert (await connection(town, "crm")).state == "up"
    town.sandbox.set_outage("commercetools", on=False)

    async def arrived() -> bool:
        fields = ((await town.read_customer(person["id"])).get("custom") or {}).get("fields", {})
        return "phone" in fields

    await until(arrived, "the telephone number in the shop", seconds=12)
    await turns(town, "shop", "up")


async def test_an_expired_token_is_replaced_without_anybody_noticing(town: Town) -> None:
    person = await town.customer("token")
    await town.contact_of("token@example.com")
    await town.settled()
    await town.shop.act({"op": "expire_tokens"})
    contact = town.contact("token@example.com")
    await town.edit("contacts", contact["id"], phone="+49 30 1111111")

    async def arrived() -> bool:
        fields = ((await town.read_customer(person["id"])).get("custom") or {}).get("fields", {})
        return "phone" in fields

    await until(arrived, "the telephone number in the shop")
    status = await town.desk.status()
    assert status is not None
    assert status.counters.dead_letters_open == 0


async def test_an_archived_property_parks_its_records_and_a_replay_brings_them_when_it_is_back(town: Town) -> None:
    await town.crm.act({"op": "archive_property", "object": "contacts", "name": "customer_number"})
    for number in range(3):
        await town.customer(f"drift{number}")

    async def parked() -> m.FailureGroup | None:
        groups = await town.desk.failures()
        return next((one for one in groups if one.code == "PROPERTY_DOESNT_EXIST" and one.count == 3), None)

    group = await until(parked, "three dead letters of one cause")
    (letter, *_rest) = await town.desk.letters(group.fingerprint)
    detail = await town.desk.detail(letter.id)
    assert "customer_number" in {one.field for one in detail.diff if one.at_fault}
    assert "syncd provision --apply" in detail.advice

    await town.crm.act({"op": "restore_property", "object": "contacts", "name": "customer_number"})
    done = await asyncio.gather(
        town.desk.replay(m.Selection(fingerprint=group.fingerprint), "console-1", "restored"),
        town.desk.replay(m.Selection(fingerprint=group.fingerprint), "console-2", "restored"),
    )
    assert sum(one.replayed for one in done) == 3
    for number in range(3):
        await town.contact_of(f"drift{number}@example.com", customer_number=f"C-drift{number}")
    assert await town.desk.failures() == []


async def test_an_address_the_crm_refuses_is_mended_by_an_operator_on_both_sides(town: Town) -> None:
    made = await town.customer("dots", email="dots@example..com")

    async def parked() -> m.FailureGroup | None:
        return next((one for one in await town.desk.failures() if one.code == "INVALID_EMAIL"), None)

    group = await until(parked, "the dead letter")
    (letter,) = await town.desk.letters(group.fingerprint)
    await town.desk.replay(m.Selection(ids=[letter.id]), "mend", "two dots", email="dots@example.com")
    await town.contact_of("dots@example.com")

    async def mended() -> bool:
        return (await town.read_customer(made["id"]))["email"] == "dots@example.com"

    await until(mended, "the address in the shop")
