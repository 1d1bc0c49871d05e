"""What was deleted comes back; who was erased does not, and nothing that was stored of them stays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.engine.capture import change_of
from syncd.model.change import ChangeKind, Channel, Lane
from syncd.model.delivery import Outcome
from syncd.model.failure import Failure, Remedy
from syncd.store import deliveries
from syncd.store.database import Tx
from tests.engine.rig import Rig
from tests.engine.test_engine import customer

EMAIL, NAME, PHONE = "ada@example.com", "Adalovely", "+49228987654"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = await Rig.make(tmp_path)
    yield made
    await made.close()


def contact(rig: Rig) -> str:
    (found,) = [key for key, one in rig.crm.things["contacts"].items() if not one.deleted]
    return found


def everything(tx: Tx) -> str:
    """All that stands in any table."""
    tables = [row[0] for row in tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return json.dumps([list(map(str, row)) for table in tables for row in tx.execute(f"SELECT * FROM {table}")])


async def linked(rig: Rig) -> str:
    await customer(rig, email=EMAIL, first_name=NAME)
    await rig.settle(seconds=1)
    return contact(rig)


# --- restored -----------------------------------------------------------------------------------------------------


async def restored(rig: Rig, id_: str, channel: Channel) -> None:
    """The vendor brings the object back, and says so in its own way."""
    thing = rig.crm.things["contacts"][id_]
    thing.deleted = False
    if channel is Channel.WEBHOOK:
        await rig.hint(rig.crm, "contacts", id_)
        return
    mapping = rig.flows.mapping("crm", "contacts")
    assert mapping is not None
    told = change_of(mapping, rig.crm._snapshot("contacts", thing), channel, Lane.LIVE, rig.clock.now_ms())
    if channel is Channel.STREAM:
        told = replace(told, partial=True, payload={"phone": thing.data.get("phone")})
    await rig.stage(replace(told, dedupe_key=f"restored by {channel}"))


@pytest.mark.parametrize("channel", [Channel.POLL, Channel.WEBHOOK, Channel.STREAM])
async def test_a_restored_object_is_linked_again_and_catches_up(rig: Rig, channel: Channel) -> None:
    id_ = await linked(rig)
    rig.crm.delete("contacts", id_)
    await rig.hint(rig.crm, "contacts", id_, kind=ChangeKind.DELETED)
    await rig.settle()
    await rig.tell(rig.shop, "customers", "c1", first_name="Augusta")
    await rig.settle(seconds=1)
    assert rig.crm.things["contacts"][id_].data["first_name"] == NAME, "nothing is written to what is gone"
    await restored(rig, id_, channel)
    await rig.settle(seconds=2)

    assert rig.crm.things["contacts"][id_].data["first_name"] == "Augusta"
    assert len(rig.crm.creates) == 1
    record = await rig.record(rig.crm, "contacts", id_)
    assert record.fields["first_name"] == "Augusta"


async def test_old_news_of_a_deleted_object_does_not_bring_it_back(rig: Rig) -> None:
    id_ = await linked(rig)
    mapping = rig.flows.mapping("crm", "contacts")
    assert mapping is not None
    thing = rig.crm.put("contacts", id_, phone=PHONE)
    late = change_of(mapping, rig.crm._snapshot("contacts", thing), Channel.POLL, Lane.LIVE, rig.clock.now_ms())
    rig.crm.delete("contacts", id_)
    await rig.hint(rig.crm, "contacts", id_, kind=ChangeKind.DELETED)
    await rig.stage(late)
    await rig.settle(seconds=1)
    await rig.tell(rig.shop, "customers", "c1", first_name="Augusta")
    await rig.settle(seconds=1)

    assert rig.crm.things["contacts"][id_].data["first_name"] == NAME
    assert rig.crm.all("contacts") == {}


# --- erased -------------------------------------------------------------------------------------------------------


async def test_of_a_person_erased_everywhere_nothing_is_left(rig: Rig) -> None:
    id_ = await linked(rig)
    await rig.tell(rig.crm, "contacts", id_, phone=PHONE)
    await rig.settle(seconds=1)
    rig.crm.refuse = lambda _object, _write: Failure(Remedy.ASK, "INVALID", f"{NAME}2 is no name", reply=EMAIL)
    await rig.tell(rig.shop, "customers", "c1", first_name=f"{NAME}2")
    await rig.settle(seconds=1)
    assert len(await rig.letters()) == 1
    number = (await rig.record(rig.crm, "contacts", id_)).id
    rig.shop.delete("customers", "c1")
    await rig.hint(rig.shop, "customers", "c1", kind=ChangeKind.DELETED)
    rig.crm.delete("contacts", id_)
    await rig.hint(rig.crm, "contacts", id_, payload={"told": {"phone": PHONE}})
    await rig.hint(rig.crm, "contacts", id_, kind=ChangeKind.ERASED)
    await rig.settle(seconds=1)

    held = await rig.database.read(everything)
    for word in (EMAIL, NAME, PHONE[3:]):
        assert word not in held, word
    record = await rig.record(rig.crm, "contacts", id_)
    assert not {"email", "first_name", "phone", "nickname"} & record.fields.keys()
    assert await rig.letters() == []
    audit = await rig.database.read(lambda tx: tx.execute("SELECT who, action, target, detail FROM audit").fetchall())
    assert [row[:3] for row in audit] == [("syncd", "erase", number)]
    assert "email" in json.loads(audit[0][3])["cleared"]


async def test_an_erased_contact_is_never_made_again_while_the_shop_still_has_the_customer(rig: Rig) -> None:
    id_ = await linked(rig)
    await rig.tell(rig.crm, "contacts", id_, nickname="Countess")
    await rig.settle(seconds=1)
    rig.crm.delete("contacts", id_)
    await rig.hint(rig.crm, "contacts", id_, kind=ChangeKind.DELETED)
    await rig.hint(rig.crm, "contacts", id_, kind=ChangeKind.ERASED)
    await rig.settle(seconds=1)
    await rig.tell(rig.shop, "customers", "c1", first_name="Augusta")
    await rig.settle(seconds=2)

    assert rig.crm.all("contacts") == {}
    assert len(rig.crm.creates) == 1
    record = await rig.record(rig.shop, "customers", "c1")
    assert record.fields["email"] == EMAIL, "the shop still holds the customer, and the address"
    assert record.fields["first_name"] == "Augusta"
    sent = await rig.database.read(
        lambda tx: tx.execute("SELECT sent, reply FROM attempts WHERE connection = 'crm'").fetchall()
    )
    assert set(sent) == {("{}", "")}
    # Late news of it changes nothing either.
    await rig.hint(rig.crm, "contacts", id_)
    rig.crm.things["contacts"][id_].deleted = False
    await rig.settle(seconds=1)
    await rig.tell(rig.shop, "customers", "c1", first_name="Ada")
    await rig.settle(seconds=1)
    assert rig.crm.things["contacts"][id_].data["first_name"] == NAME


async def test_a_value_that_only_the_erased_place_held_goes_and_is_cleared_nowhere_else(rig: Rig) -> None:
    id_ = await linked(rig)
    await rig.tell(rig.crm, "contacts", id_, phone=PHONE)
    await rig.settle(seconds=1)
    rig.shop.refuse = lambda _object, _write: Failure(Remedy.RETRY, "503", "later", single=True)
    await rig.tell(rig.crm, "contacts", id_, nickname="Countess")
    await rig.settle()
    rig.crm.delete("contacts", id_)
    await rig.hint(rig.crm, "contacts", id_, kind=ChangeKind.ERASED)
    await rig.settle()
    rig.shop.refuse = lambda _object, _write: None
    await rig.settle(seconds=10)

    record = await rig.record(rig.shop, "customers", "c1")
    assert record.fields["phone"] == PHONE, "the shop was told of it, and holds it"
    assert "nickname" not in record.fields
    assert rig.shop.all("customers")["c1"].get("nickname") is None
    assert "Countess" not in await rig.database.read(everything)


async def test_a_person_erased_while_a_call_is_on_its_way_stays_erased(rig: Rig) -> None:
    id_ = await linked(rig)
    await rig.tell(rig.shop, "customers", "c1", first_name="Augusta")
    await rig.folder.step()
    real = rig.crm.write

    async def write(mapping: Any, writes: Any, lane: Any) -> Any:
        verdicts = await real(mapping, writes, lane)
        await rig.hint(rig.crm, "contacts", id_, kind=ChangeKind.ERASED)
        await rig.folder.step()
        assert [one.outcome for one in verdicts] == [Outcome.APPLIED]
        return verdicts

    rig.crm.write = write  # type: ignore[method-assign]
    await rig.settle(seconds=1)

    record = await rig.record(rig.crm, "contacts", id_)
    delivery = (await rig.database.read(lambda tx: deliveries.of_records(tx, [record.id], "crm", "contacts")))[
        record.id
    ]
    assert delivery.state == "done"
    flown = await rig.database.read(lambda tx: tx.execute("SELECT count(*) FROM in_flight").fetchone())
    assert flown == (0,)
    links = await rig.database.read(lambda tx: tx.execute("SELECT shadow FROM links WHERE erased = 1").fetchall())
    assert links == [("{}",)]
