"""What people do with associations at a vendor reaches the record, and what the record says reaches the associations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.engine.plan import Send, plan
from syncd.model.change import Lane
from syncd.model.delivery import Delivery, DeliveryState
from syncd.model.entity import FieldDefinition
from syncd.model.lens import Associated
from syncd.model.mapping import Direction, FieldMapping, ObjectMapping, RelationMapping
from syncd.model.record import Link, Record
from syncd.model.value import FieldType
from syncd.systems.contract import RelationWrite
from tests.engine.rig import BOTH, Rig, entities, entity, mappings, plain_field

WORKS = RelationMapping("employer", "companies", 1)
CONTACTS = next(one for one in mappings() if one.object == "contacts")
MAPPED = (
    ObjectMapping("company", "crm", "companies", (plain_field("name"),), key_path="syncd_id", write=BOTH),
    replace(
        CONTACTS,
        fields=(
            *CONTACTS.fields,
            FieldMapping("employer", (WORKS.read_path,), Associated(), Direction.READ, "companies"),
        ),
        relations=(WORKS,),
    ),
)
CUSTOMER = entities()["customer"]
KINDS = {
    "company": entity("company", FieldDefinition("name", FieldType.TEXT), identity=("name",)),
    "customer": replace(
        CUSTOMER,
        fields={**CUSTOMER.fields, "employer": FieldDefinition("employer", FieldType.REFERENCE, entity="company")},
    ),
}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = await Rig.make(tmp_path, kinds=KINDS, mapped=MAPPED)
    yield made
    await made.close()


def at(*companies: str) -> dict[str, dict[str, list[str]]]:
    return {"companies": {"1": list(companies)}}


async def test_a_sales_persons_change_of_a_contacts_company_reaches_the_record(rig: Rig) -> None:
    await rig.tell(rig.crm, "companies", "1", name="Engines")
    await rig.tell(rig.crm, "companies", "2", name="Looms")
    await rig.tell(rig.crm, "contacts", "7", email="ada@example.com", associations=at("1"))
    await rig.settle()
    firms = [await rig.record(rig.crm, "companies", one) for one in ("1", "2")]
    assert (await rig.record(rig.crm, "contacts", "7")).fields["employer"] == firms[0].id

    await rig.clock.advance(1)
    await rig.tell(rig.crm, "contacts", "7", associations=at("2"))
    await rig.settle()
    assert (await rig.record(rig.crm, "contacts", "7")).fields["employer"] == firms[1].id
    assert not rig.crm.relations, "what was read is not written back"

    await rig.clock.advance(1)
    await rig.tell(rig.crm, "contacts", "7", associations=at())
    await rig.settle()
    assert (await rig.record(rig.crm, "contacts", "7")).fields["employer"] is None
    assert await rig.letters() == []


async def test_a_company_that_comes_later_is_waited_for(rig: Rig) -> None:
    rig.crm.put("companies", "1", name="Engines")
    await rig.tell(rig.crm, "contacts", "7", email="ada@example.com", associations=at("1"))
    await rig.settle(seconds=5)
    firm = await rig.record(rig.crm, "companies", "1")
    assert (await rig.record(rig.crm, "contacts", "7")).fields["employer"] == firm.id


async def test_one_half_of_a_thing_that_is_told_says_nothing_of_its_associations(rig: Rig) -> None:
    await rig.tell(rig.crm, "companies", "1", name="Engines")
    await rig.tell(rig.crm, "contacts", "7", email="ada@example.com", associations=at("1"))
    await rig.settle()
    firm = await rig.record(rig.crm, "companies", "1")
    await rig.clock.advance(1)
    await rig.tell(rig.shop, "customers", "c", email="ada@example.com", first_name="Ada")
    await rig.settle()
    assert (await rig.record(rig.crm, "contacts", "7")).fields["employer"] == firm.id


def test_whoever_works_nowhere_any_more_is_taken_off_the_company() -> None:
    contacts = MAPPED[1]
    firm = Link("company-1", "crm", "companies", "C1", {})
    held = Link("customer-1", "crm", "contacts", "7", {"email": "ada@example.com", "employer": "company-1"})
    record = Record("customer-1", "customer", {"email": "ada@example.com", "employer": None}, {}, 2, 0)
    delivery = Delivery(
        1, record.id, "customer", "crm", "contacts", DeliveryState.SENDING, Lane.LIVE, 0, 0, 0, 0, "", 2
    )
    made = plan(contacts, delivery, record, held, lambda _id, _object: firm, lambda _id, _object: True)
    assert isinstance(made, Send)
    assert made.write.relations == (RelationWrite("companies", "C1", 1, remove=True),)


async def test_a_cart_waits_for_its_customer_but_not_for_a_guest_of_whom_the_vendor_would_want_more(
    tmp_path: Path,
) -> None:
    rig = await Rig.make(tmp_path, mapped=[replace(CONTACTS, create_when="first_name")])
    try:
        touched = {"touched": rig.clock.now_ms(), "state": "Active"}
        price = {"value": {"centAmount": 500, "currencyCode": "EUR"}}
        line = {"id": "i1", "quantity": 2, "name": {"en": "Mug"}, "price": price}
        await rig.tell(rig.shop, "carts", "k1", email="guest@example.com", lineItems=[line], **touched)
        await rig.tell(rig.shop, "carts", "k2", email="ada@example.com", lineItems=[line], **touched)
        await rig.tell(rig.shop, "customers", "c2", email="ada@example.com", first_name="Ada")
        await rig.settle(seconds=5)
        assert [one["email"] for one in rig.crm.all("contacts").values()] == ["ada@example.com"]
        deals = {one["dealname"] for one in rig.crm.all("deals").values()}
        assert deals == {"Abandoned Cart: guest@example.com", "Abandoned Cart: ada@example.com"}
        assert await rig.letters() == []
    finally:
        await rig.close()
