"""Customers of the shop are contacts of the CRM, and what each side changes arrives on the other, once."""

from __future__ import annotations

import random

import pytest

from tests.scenarios.town import Town
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_customer_becomes_a_contact_and_both_sides_change_it(town: Town) -> None:
    made = await town.customer("ada", companyName="Engines Ltd")
    contact = await town.contact_of("ada@example.com", firstname="Ada", company="Engines Ltd", customer_number="C-ada")
    await town.change_customer(made["id"], {"action": "setFirstName", "firstName": "Augusta"})
    await town.contact_of("ada@example.com", firstname="Augusta")
    await town.edit("contacts", contact["id"], phone="+49 30 1234567", credit_limit="2500", price_tier="gold")

    async def arrived() -> bool:
        here = await town.read_customer(made["id"])
        fields = (here.get("custom") or {}).get("fields", {})
        return "phone" in fields and "creditLimit" in fields and "customerGroup" in here

    await until(arrived, "the sales person's edits in the shop")
    here = await town.read_customer(made["id"])
    assert here["custom"]["fields"]["creditLimit"]["centAmount"] == 250_000
    assert here["firstName"] == "Augusta"
    assert (await town.api.call("GET", "/customer-groups/key=gold"))[1]["id"] == here["customerGroup"]["id"]


async def test_a_customer_nobody_told_about_is_met_by_the_poll(town: Town) -> None:
    await town.customer("silent", tell=False)
    await town.contact_of("silent@example.com")


async def test_what_only_the_shop_may_say_is_put_right_in_the_crm(town: Town) -> None:
    made = await town.customer("owner")
    contact = await town.contact_of("owner@example.com")
    await town.settled()
    await town.edit("contacts", contact["id"], email="other@example.com")
    await until(
        lambda: not town.contact("other@example.com") and town.contact("owner@example.com"), "the address restored"
    )
    assert (await town.read_customer(made["id"]))["email"] == "owner@example.com"


async def test_every_change_is_written_once_and_no_echo_is_answered(town: Town) -> None:
    """Writes = edits: the webhooks and polls that tell of our own writes lead to none."""
    made = await town.customer("echo")
    contact = await town.contact_of("echo@example.com")
    await town.settled()
    start = len(town.sandbox.ledger)
    for number in range(8):
        await town.change_customer(made["id"], {"action": "setLastName", "lastName": f"Name {number}"})
        await town.contact_of("echo@example.com", lastname=f"Name {number}")
        await town.settled(quiet=0.15)
    for number in range(4):
        await town.edit("contacts", contact["id"], phone=f"+49 30 55555{number}")

        async def arrived(number: int = number) -> bool:
            fields = ((await town.read_customer(made["id"])).get("custom") or {}).get("fields", {})
            return str(fields.get("phone", "")).endswith(f"55555{number}")

        await until(arrived, "the telephone number in the shop")
        await town.settled(quiet=0.15)
    await town.settled(quiet=2.5)

    crm = [one for one in town.effects("hubspot", "contacts", after=start) if one.id == contact["id"]]
    shop = [one for one in town.effects("commercetools", "customers", after=start) if one.id == made["id"]]
    assert [one.values.get("lastname") for one in crm] == [f"Name {number}" for number in range(8)]
    assert len(shop) == 4


async def test_thirty_edits_on_both_sides_converge(town: Town) -> None:
    dice = random.Random(11)
    people = [await town.customer(f"soak{number}") for number in range(3)]
    contacts = [await town.contact_of(f"soak{number}@example.com") for number in range(3)]
    wanted: list[dict[str, str]] = [{} for _ in people]
    for number in range(30):
        who = dice.randrange(3)
        if dice.random() < 0.5:
            name = f"Last {number}"
            await town.change_customer(
                people[who]["id"], {"action": "setLastName", "lastName": name}, tell=dice.random() < 0.5
            )
            wanted[who]["lastname"] = name
        else:
            await town.edit("contacts", contacts[who]["id"], phone=f"+4930100{number:04d}")
            wanted[who]["phone"] = f"+4930100{number:04d}"

    def digits(text: str) -> str:
        return "".join(one for one in text if one.isdigit())

    async def converged() -> bool:
        for person, fields, number in zip(people, wanted, range(3), strict=True):
            contact = town.contact(f"soak{number}@example.com")
            here = await town.read_customer(person["id"])
            phone = ((here.get("custom") or {}).get("fields") or {}).get("phone", "")
            if (
                "lastname" in fields
                and (contact["properties"]["lastname"], here["lastName"]) != (fields["lastname"],) * 2
            ):
                return False
            if "phone" in fields and {digits(phone), digits(contact["properties"]["phone"])} != {
                digits(fields["phone"])
            }:
                return False
        return True

    await until(converged, "the same on both sides", seconds=15)


async def test_merged_contacts_stay_one_person_and_the_shops_twin_is_left_alone(town: Town) -> None:
    first, second = await town.customer("twin1"), await town.customer("twin2")
    keep = await town.contact_of("twin1@example.com")
    goes = await town.contact_of("twin2@example.com")
    await town.settled()
    await town.crm.act({"op": "merge", "object": "contacts", "id": keep["id"], "other": goes["id"]})
    await town.change_customer(first["id"], {"action": "setFirstName", "firstName": "Survivor"})
    await town.contact_of("twin1@example.com", firstname="Survivor")
    await town.settled()

    assert {(await town.read_customer(one["id"]))["email"] for one in (first, second)} == {
        "twin1@example.com", "twin2@example.com",
    }  # fmt: skip


async def test_a_deleted_contact_deletes_nobody_in_the_shop_and_is_not_made_again(town: Town) -> None:
    made = await town.customer("leaver")
    contact = await town.contact_of("leaver@example.com")
    await town.settled()
    await town.crm.act({"op": "archive", "object": "contacts", "id": contact["id"]})
    await town.settled(quiet=2.5)
    await town.change_customer(made["id"], {"action": "setFirstName", "firstName": "Still"})
    await town.settled(quiet=1.0)

    assert (await town.read_customer(made["id"]))["firstName"] == "Still"
    assert town.contact("leaver@example.com") is None
