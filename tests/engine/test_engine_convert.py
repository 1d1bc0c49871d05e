"""When a lead buys: the customer is made of the lead, at the time that the mapping says, and never beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.model.entity import FieldDefinition
from syncd.model.lens import ReferenceId
from syncd.model.mapping import ConvertWhen, FieldMapping, ObjectMapping
from syncd.model.value import FieldType
from tests.engine.rig import Rig, entity, mappings, plain_field
from tests.engine.test_engine import customer

LEAD = entity(
    "lead",
    FieldDefinition("email", FieldType.EMAIL, personal=True),
    FieldDefinition("status", FieldType.TEXT),
    FieldDefinition("customer", FieldType.REFERENCE, entity="customer"),
    identity=("email",),
)
ORDER = entity(
    "order",
    FieldDefinition("number", FieldType.TEXT),
    FieldDefinition("customer", FieldType.REFERENCE, entity="customer"),
    identity=("number",),
)
LEADS = ObjectMapping("lead", "crm", "leads", (plain_field("email", kind=FieldType.EMAIL), plain_field("status")))
ORDERS = ObjectMapping(
    "order", "shop", "orders",
    (plain_field("number"), FieldMapping("customer", ("customerId",), ReferenceId("customer"), references="customers")),
)  # fmt: skip


async def made(folder: Path, when: ConvertWhen) -> Rig:
    (contacts,) = [one for one in mappings() if one.name == "crm.contacts"]
    rig = await Rig.make(
        folder, kinds={"lead": LEAD, "order": ORDER}, mapped=(LEADS, ORDERS, replace(contacts, convert=when))
    )
    rig.crm.converts = {"contacts": frozenset({"leads"})}
    await rig.tell(rig.crm, "leads", "L1", email="ada@example.com", status="warm")
    await customer(rig, email="Ada@example.com", first_name="Ada")
    await rig.settle(seconds=1)
    return rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    one = await made(tmp_path, ConvertWhen.ORDERED)
    yield one
    await one.close()


async def test_a_lead_that_has_not_ordered_stays_a_lead_and_nothing_is_made_beside_it(rig: Rig) -> None:
    assert rig.crm.all("contacts") == {}
    ((_connection, object_, state, _lane, depth, _since),) = await rig.open_deliveries()
    assert (object_, state, depth) == ("contacts", "blocked", 1)


async def test_the_order_converts_the_lead_and_its_record_says_what_became_of_it(rig: Rig) -> None:
    lead = await rig.record(rig.crm, "leads", "L1")
    await rig.tell(rig.shop, "orders", "o1", number="1", customerId="c1")
    await rig.settle(seconds=1)

    (contact,) = rig.crm.all("contacts").values()
    assert (contact["was"], contact["first_name"]) == ("L1", "Ada")
    assert rig.crm.all("leads") == {}
    buyer = await rig.record(rig.shop, "customers", "c1")
    lead = await rig.record(rig.crm, "leads", "L1")
    assert lead.fields["customer"] == buyer.id
    gone = await rig.database.read(lambda tx: tx.execute("SELECT gone FROM links WHERE object = 'leads'").fetchall())
    assert gone == [(1,)]
    assert await rig.open_deliveries() == []
    assert len(rig.crm.creates) == 1


async def test_a_lead_that_somebody_deletes_holds_nobody_up(rig: Rig) -> None:
    rig.crm.delete("leads", "L1")
    await rig.hint(rig.crm, "leads", "L1")
    await rig.settle(seconds=1)

    (contact,) = rig.crm.all("contacts").values()
    assert "was" not in contact


async def test_a_lead_that_goes_while_it_is_converted_is_done_without(rig: Rig) -> None:
    rig.crm.delete("leads", "L1")
    await rig.tell(rig.shop, "orders", "o1", number="1", customerId="c1")
    await rig.settle(seconds=3)

    (contact,) = rig.crm.all("contacts").values()
    assert "was" not in contact
    assert await rig.open_deliveries() == []


@pytest.mark.parametrize(("when", "was"), [(ConvertWhen.ALWAYS, "L1"), (ConvertWhen.NEVER, None)])
async def test_a_mapping_may_convert_at_once_or_never(tmp_path: Path, when: ConvertWhen, was: str | None) -> None:
    rig = await made(tmp_path, when)

    (contact,) = rig.crm.all("contacts").values()
    assert contact.get("was") == was
    assert bool(rig.crm.all("leads")) == (was is None)
    await rig.close()
