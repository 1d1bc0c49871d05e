"""The whole engine between two invented platforms: what a human does on one side arrives on the other, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from syncd.model.change import ChangeKind
from syncd.model.failure import Failure, Remedy
from tests.engine.rig import Rig

LINE = {
    "id": "i1",
    "quantity": 2,
    "name": {"en": "Mug"},
    "price": {"value": {"centAmount": 500, "currencyCode": "EUR"}},
}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = await Rig.make(tmp_path)
    yield made
    await made.close()


async def customer(rig: Rig, id_: str = "c1", **data: Any) -> None:
    await rig.tell(rig.shop, "customers", id_, **{"email": f"{id_}@example.com", "first_name": "Ada", **data})


async def cart(rig: Rig, id_: str = "k1", **data: Any) -> None:
    touched = {"touched": rig.clock.now_ms(), "state": "Active", "lineItems": [LINE]}
    await rig.tell(rig.shop, "carts", id_, **{**touched, **data})


async def test_a_customer_of_the_shop_becomes_a_contact_once(rig: Rig) -> None:
    await customer(rig)
    await customer(rig)
    await rig.settle()

    (contact,) = rig.crm.all("contacts").values()
    assert contact["email"] == "c1@example.com"
    assert contact["first_name"] == "Ada"
    assert len(rig.crm.creates) == 1


async def test_what_the_crm_changes_flows_back_to_the_shop(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    limit = {"amount": "500.00", "currency": "EUR"}
    await rig.tell(rig.crm, "contacts", "crm-1", phone="+49301", credit_limit=limit)
    await rig.settle()

    assert rig.shop.all("customers")["c1"]["phone"] == "+49301"
    assert rig.shop.all("customers")["c1"]["credit_limit"] == limit


async def test_a_field_the_shop_owns_is_restored_in_the_crm(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    await rig.tell(rig.crm, "contacts", "crm-1", email="other@example.com")
    await rig.settle()

    assert rig.crm.all("contacts")["crm-1"]["email"] == "c1@example.com"
    assert rig.shop.all("customers")["c1"]["email"] == "c1@example.com"


async def test_edits_to_different_fields_on_both_sides_both_survive(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    await rig.tell(rig.crm, "contacts", "crm-1", phone="1")
    await customer(rig, first_name="Augusta")
    await rig.settle()

    for here in (rig.crm.all("contacts")["crm-1"], rig.shop.all("customers")["c1"]):
        assert (here["first_name"], here["phone"]) == ("Augusta", "1")


async def test_an_existing_contact_is_recognised_by_its_address(rig: Rig) -> None:
    await rig.tell(rig.crm, "contacts", "hs9", email="C1@Example.com ", phone="7")
    await rig.settle()
    await customer(rig)
    await rig.settle()

    assert rig.crm.creates == []
    assert rig.crm.all("contacts")["hs9"]["first_name"] == "Ada"
    assert rig.shop.all("customers")["c1"]["phone"] == "7"


async def test_an_idle_cart_becomes_a_deal_with_items_and_contact(rig: Rig) -> None:
    await customer(rig)
    await cart(rig, customerId="c1")
    await rig.settle()
    assert rig.crm.all("deals") == {}

    await rig.settle(seconds=2)

    (deal,) = rig.crm.all("deals").values()
    assert deal["dealname"] == "Abandoned Cart: c1@example.com"
    assert deal["dealstage"] == "abandoned_checkout"
    assert deal["pipeline"] == "ecommerce_pipeline"
    assert [one["name"] for one in rig.crm.all("line_items").values()] == ["Mug"]
    assert rig.crm.relations == {("crm-1", "contacts", "crm-1")}


async def test_a_touched_cart_updates_its_deal_and_an_ordered_one_is_won(rig: Rig) -> None:
    await customer(rig)
    await cart(rig, customerId="c1")
    await rig.settle(seconds=2)
    await cart(rig, customerId="c1", lineItems=[{**LINE, "quantity": 5}])
    await rig.settle(seconds=3)

    (item,) = rig.crm.all("line_items").values()
    assert item["quantity"] == 5
    (deal,) = rig.crm.all("deals").values()
    assert deal["dealstage"] == "abandoned_checkout"

    await cart(rig, customerId="c1", state="Ordered")
    await rig.settle()

    (deal,) = rig.crm.all("deals").values()
    assert deal["dealstage"] == "won"


async def test_an_emptied_cart_closes_its_deal(rig: Rig) -> None:
    await cart(rig, email="guest@example.com")
    await rig.settle(seconds=2)
    await cart(rig, email="guest@example.com", lineItems=[])
    await rig.settle()

    (deal,) = rig.crm.all("deals").values()
    assert deal["dealstage"] == "lost"
    assert rig.crm.all("line_items") == {}


async def test_a_cart_that_was_ordered_in_time_never_becomes_a_deal(rig: Rig) -> None:
    await cart(rig, email="guest@example.com")
    await rig.settle()
    await cart(rig, email="guest@example.com", state="Ordered")
    await rig.settle(seconds=5)

    assert rig.crm.all("deals") == {}


async def test_a_guest_gets_a_contact_but_no_account_in_the_shop(rig: Rig) -> None:
    await cart(rig, email="guest@example.com")
    await rig.settle(seconds=2)

    assert [one["email"] for one in rig.crm.all("contacts").values()] == ["guest@example.com"]
    assert rig.shop.all("customers") == {}
    assert len(rig.crm.relations) == 1


async def test_a_cart_waits_for_its_customer_and_asks_for_it(rig: Rig) -> None:
    rig.shop.put("customers", "c1", email="c1@example.com")
    await cart(rig, customerId="c1")
    await rig.settle(seconds=4)

    assert [one["email"] for one in rig.crm.all("contacts").values()] == ["c1@example.com"]
    assert len(rig.crm.all("deals")) == 1


async def test_a_deal_waits_for_a_contact_that_is_refused_and_is_released_when_it_is_mended(rig: Rig) -> None:
    def judge(object_: str, write: Any) -> Failure | None:
        bad = object_ == "contacts" and "@@" in str(write.values.get("email", ""))
        return (
            Failure(Remedy.ASK, "INVALID_EMAIL", "Email address x@@y is invalid", 400, fields=("email",))
            if bad
            else None
        )

    rig.crm.refuse = judge
    await customer(rig, email="ada@@example.com")
    await cart(rig, customerId="c1")
    await rig.settle(seconds=3)
    assert rig.crm.all("deals") == {}
    (letter,) = await rig.letters()
    assert letter.code == "INVALID_EMAIL"

    await rig.replay(ids=(letter.id,), edits={"email": "ada@example.com"})
    await rig.settle(seconds=1)

    assert await rig.letters() == []
    assert [one["email"] for one in rig.crm.all("contacts").values()] == ["ada@example.com"]
    assert [one["dealname"] for one in rig.crm.all("deals").values()] == ["Abandoned Cart: ada@example.com"]
    assert rig.shop.all("customers")["c1"]["email"] == "ada@example.com"


async def test_a_write_whose_answer_is_lost_is_looked_up_and_never_doubled(rig: Rig) -> None:
    lost = iter([True])
    rig.crm.forget = lambda _object, _write: next(lost, False)
    await customer(rig)
    await rig.settle(seconds=6)

    assert len(rig.crm.all("contacts")) == 1
    assert rig.crm.calls.count("find") == 1
    assert await rig.open_deliveries() == []


async def test_everything_waits_while_the_crm_is_down_and_no_attempt_is_used_up(rig: Rig) -> None:
    rig.crm.down = Failure(Remedy.RETRY, "unreachable", "connection refused")
    for number in range(20):
        await customer(rig, f"c{number}")
    await rig.settle(seconds=60, rounds=400)
    assert rig.crm.all("contacts") == {}
    assert rig.health.fare("crm").state == "down"
    assert len([one for one in rig.crm.calls if one == "write"]) < 60

    rig.crm.down = None
    await rig.settle(seconds=10)

    assert len(rig.crm.all("contacts")) == 20
    assert await rig.letters() == []
    assert rig.health.fare("crm").state == "up"


async def test_a_stale_version_is_read_again_and_merged(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    rig.shop.put("customers", "c1", first_name="Augusta")
    await rig.tell(rig.crm, "contacts", "crm-1", phone="7")
    await rig.settle(seconds=5)

    here = rig.shop.all("customers")["c1"]
    assert (here["first_name"], here["phone"]) == ("Augusta", "7")
    assert rig.crm.all("contacts")["crm-1"]["first_name"] == "Augusta"


async def test_an_older_version_that_comes_late_changes_nothing(rig: Rig) -> None:
    await customer(rig)
    old = rig.shop._snapshot("customers", rig.shop.things["customers"]["c1"])
    await rig.clock.advance(1)
    await customer(rig, first_name="Augusta")
    await rig.settle()
    from dataclasses import replace

    from syncd.engine.capture import change_of
    from syncd.model.change import Channel, Lane

    late = change_of(rig.flows.mapping("shop", "customers"), old, Channel.EVENT, Lane.LIVE, rig.clock.now_ms())
    await rig.stage(replace(late, dedupe_key="late"))
    await rig.settle()

    assert rig.crm.all("contacts")["crm-1"]["first_name"] == "Augusta"


async def test_a_conflict_is_parked_and_neither_side_is_overwritten_until_somebody_decides(rig: Rig) -> None:
    await customer(rig, nickname="A")
    await rig.settle()
    rig.crm.down = Failure(Remedy.RETRY, "unreachable", "connection refused")
    await customer(rig, nickname="B")
    await rig.settle()
    await rig.tell(rig.crm, "contacts", "crm-1", nickname="C")
    rig.crm.down = None
    await rig.settle(seconds=10)
    (letter,) = await rig.letters()
    assert letter.kind == "conflict"
    assert (letter.detail["base"], letter.detail["mine"], letter.detail["theirs"]) == ("A", "B", "C")
    assert rig.crm.all("contacts")["crm-1"]["nickname"] == "C"
    assert rig.shop.all("customers")["c1"]["nickname"] == "B"

    await rig.replay(ids=(letter.id,), edits={"nickname": "B"})
    await rig.settle(seconds=1)

    assert rig.crm.all("contacts")["crm-1"]["nickname"] == "B"
    assert await rig.letters() == []


async def test_an_echo_that_tells_its_value_costs_no_call(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    before = len(rig.crm.calls)
    await rig.hint(rig.crm, "contacts", "crm-1", payload={"told": {"first_name": "Ada"}})
    await rig.settle()

    assert len(rig.crm.calls) == before


async def test_the_news_of_a_creation_that_was_ours_costs_no_call(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    before = len(rig.crm.calls)
    await rig.hint(rig.crm, "contacts", "crm-1", payload={"created": True})
    rig.crm.put("contacts", "other", email="new@example.com")
    await rig.hint(rig.crm, "contacts", "other", payload={"created": True})
    await rig.settle()

    assert len(rig.crm.calls) == before + 1
    assert await rig.record(rig.crm, "contacts", "other") is not None


async def test_an_edit_in_the_window_of_an_echo_is_not_lost(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    rig.crm.put("contacts", "crm-1", phone="9")
    await rig.hint(rig.crm, "contacts", "crm-1", payload={"told": {"first_name": "Ada"}})
    await rig.hint(rig.crm, "contacts", "crm-1", payload={"told": {"phone": "9"}})
    await rig.settle()

    assert rig.shop.all("customers")["c1"]["phone"] == "9"


async def test_a_vendor_that_rewrites_values_is_not_written_for_ever(rig: Rig) -> None:
    rig.crm.normalise = lambda data: {
        k: v.title() if isinstance(v, str) and k == "first_name" else v for k, v in data.items()
    }
    await customer(rig, first_name="ada")
    await rig.settle()
    writes = rig.crm.calls.count("write")
    for _ in range(3):
        await rig.hint(rig.crm, "contacts", "crm-1")
        await rig.settle()

    assert rig.crm.calls.count("write") == writes
    assert rig.shop.all("customers")["c1"]["first_name"] == "ada"


async def test_a_contact_deleted_in_the_crm_deletes_nothing_in_the_shop(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    rig.crm.delete("contacts", "crm-1")
    await rig.hint(rig.crm, "contacts", "crm-1", kind=ChangeKind.DELETED)
    await customer(rig, first_name="Augusta")
    await rig.settle()

    assert rig.shop.all("customers")["c1"]["first_name"] == "Augusta"
    assert await rig.letters() == []


async def test_a_merge_moves_the_link_to_the_survivor(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    rig.crm.delete("contacts", "crm-1")
    rig.crm.put("contacts", "new", email="c1@example.com", first_name="Ada", syncd_id=rig.crm.creates[0])
    await rig.hint(rig.crm, "contacts", "new", kind=ChangeKind.MERGED, payload={"into": "new", "from": ["crm-1"]})
    await rig.settle()
    await customer(rig, first_name="Augusta")
    await rig.settle()

    assert rig.crm.all("contacts")["new"]["first_name"] == "Augusta"
    assert rig.shop.all("customers")["c1"]["first_name"] == "Augusta"


async def test_a_poison_change_does_not_block_its_neighbours(rig: Rig) -> None:
    await rig.tell(rig.shop, "carts", "bad", lineItems="not a list", state="Active")
    await rig.hint(rig.shop, "customers", "x", kind=ChangeKind.OPAQUE, payload={"raw": "?", "reason": "no idea"})
    await customer(rig)
    await rig.settle()

    assert len(rig.crm.all("contacts")) == 1
    assert {one.code for one in await rig.letters()} == {"decode", "not-understood"}


async def test_replaying_a_group_sends_all_of_it_and_a_command_sent_twice_counts_once(rig: Rig) -> None:
    refusing = True

    def judge(_object: str, _write: Any) -> Failure | None:
        return (
            Failure(Remedy.ASK, "PROPERTY_DOESNT_EXIST", "no such property", 400, fields=("x",)) if refusing else None
        )

    rig.crm.refuse = judge
    for number in range(5):
        await customer(rig, f"c{number}")
    await rig.settle()
    found = await rig.letters()
    assert len({one.fingerprint for one in found}) == 1
    refusing = False

    outcome = await rig.replay(fingerprint=found[0].fingerprint, command_id="once")
    again = await rig.replay(fingerprint=found[0].fingerprint, command_id="once")
    await rig.settle()

    assert outcome == again
    assert outcome.replayed == 5
    assert len(rig.crm.all("contacts")) == 5


async def test_an_old_error_closes_when_the_same_record_later_succeeds(rig: Rig) -> None:
    rig.crm.refuse = lambda _object, write: (
        Failure(Remedy.ASK, "BAD", "bad", 400) if write.values.get("first_name") == "Bad" else None
    )
    await customer(rig, first_name="Bad")
    await rig.settle()
    assert len(await rig.letters()) == 1
    await customer(rig, first_name="Good")
    await rig.settle()

    assert await rig.letters() == []


async def test_repeated_folds_of_the_same_news_write_nothing(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    calls = len(rig.crm.calls)
    for _ in range(3):
        rig.shop.things["customers"]["c1"].version += 1
        await rig.tell(rig.shop, "customers", "c1")
        await rig.settle()

    assert len(rig.crm.calls) == calls


async def test_records_killed_while_sending_are_looked_up_after_a_restart(rig: Rig) -> None:
    from functools import partial

    from syncd.engine import deliver
    from syncd.store import deliveries

    await customer(rig)
    await rig.folder.step()
    await rig.database.write(
        partial(deliver.claim, flows=rig.flows, connection="crm", now=rig.clock.now_ms(), limit=10, paused=[])
    )
    assert await rig.database.write(deliveries.recover) == 1
    await rig.settle(seconds=2)

    assert "find" in rig.crm.calls
    assert len(rig.crm.all("contacts")) == 1


async def test_an_idle_time_that_nobody_watched_is_seen_afterwards(rig: Rig) -> None:
    """The daemon was down when the cart passed its idle time; the next touch tells."""
    await cart(rig, email="guest@example.com")
    await rig.folder.step()
    await rig.clock.advance(5)
    await cart(rig, email="guest@example.com", state="Ordered")
    await rig.folder.step()
    await rig.settle()

    (deal,) = rig.crm.all("deals").values()
    assert deal["dealstage"] == "won"


async def test_a_deal_that_is_not_ours_stays_out(rig: Rig) -> None:
    await rig.tell(rig.crm, "deals", "d7", dealname="Big project", dealstage="x", description="call them")
    await rig.settle()

    assert await rig.record(rig.crm, "deals", "d7") is None


async def test_one_field_that_cannot_be_read_waits_alone_and_is_taken_in_by_a_replay(rig: Rig) -> None:
    await customer(rig)
    await rig.settle()
    await rig.tell(rig.crm, "contacts", "crm-1", credit_limit="a lot", phone="7")
    await rig.settle()
    (letter,) = await rig.letters()
    assert (letter.code, letter.fields) == ("decode", ["credit_limit"])
    assert rig.shop.all("customers")["c1"]["phone"] == "7"

    limit = {"amount": "9.00", "currency": "EUR"}
    await rig.replay(ids=(letter.id,), edits={"credit_limit": limit})
    await rig.settle()

    assert rig.shop.all("customers")["c1"]["credit_limit"] == limit
    assert await rig.letters() == []
