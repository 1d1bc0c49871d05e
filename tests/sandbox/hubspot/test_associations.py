"""Associations in version 4 and the dated versions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.hubspot.conftest import Portal


def spec(type_id: int, category: str = "HUBSPOT_DEFINED") -> dict[str, Any]:
    return {"associationCategory": category, "associationTypeId": type_id}


async def _pair(portal: Portal) -> tuple[str, str]:
    return await portal.create("deals", dealname="x"), await portal.create("contacts", email="a@example.com")


async def test_a_default_association_answers_with_both_directions(portal: Portal) -> None:
    deal, buyer = await _pair(portal)
    reply = await portal.http.put(f"/crm/objects/2026-03/deals/{deal}/associations/default/contacts/{buyer}")
    assert reply.status_code == 200
    assert reply.json()["results"] == [
        {"from": {"id": deal}, "to": {"id": buyer}, "associationSpec": spec(3)},
        {"from": {"id": buyer}, "to": {"id": deal}, "associationSpec": spec(4)},
    ]


@pytest.mark.parametrize(("root", "number"), [("/crm/v4/objects", int), ("/crm/objects/2026-03", str)])
async def test_object_ids_are_numbers_in_version_4_and_texts_in_dated_ones(
    portal: Portal, root: str, number: type
) -> None:
    deal, buyer = await _pair(portal)
    put = await portal.http.put(f"{root}/deals/{deal}/associations/contacts/{buyer}", json=[spec(3)])
    assert put.status_code == 201
    assert put.json() == {
        "fromObjectTypeId": "0-3",
        "fromObjectId": number(deal),
        "toObjectTypeId": "0-1",
        "toObjectId": number(buyer),
        "labels": [],
    }
    rows = (await portal.http.get(f"{root}/deals/{deal}/associations/contacts")).json()["results"]
    plain = {"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}
    assert rows == [{"toObjectId": number(buyer), "associationTypes": [plain]}]
    back = (await portal.http.get(f"{root}/contacts/{buyer}/associations/deals")).json()["results"]
    assert back[0]["associationTypes"][0]["typeId"] == 4


async def test_a_primary_company_brings_the_plain_association_and_there_is_one_at_most(portal: Portal) -> None:
    person = await portal.create("contacts", email="a@example.com")
    firms = [await portal.create("companies", name=str(n)) for n in range(2)]
    for firm in firms:
        await portal.http.put(f"/crm/v4/objects/contacts/{person}/associations/companies/{firm}", json=[spec(1)])
    rows = (await portal.http.get(f"/crm/v4/objects/contacts/{person}/associations/companies")).json()["results"]
    assert [[one["typeId"] for one in row["associationTypes"]] for row in rows] == [[279], [1, 279]]
    shown = (await portal.http.get(f"/crm/v3/objects/contacts/{person}?associations=companies")).json()
    assert {"id": firms[1], "type": "contact_to_company"} in shown["associations"]["companies"]["results"]


async def test_deleting_removes_all_labels_between_two(portal: Portal) -> None:
    deal, buyer = await _pair(portal)
    path = f"/crm/v4/objects/deals/{deal}/associations/contacts/{buyer}"
    await portal.http.put(path, json=[spec(3)])
    assert (await portal.http.delete(path)).status_code == 204
    for a, b in ((("deals", deal), "contacts"), (("contacts", buyer), "deals")):
        reply = await portal.http.get(f"/crm/v4/objects/{a[0]}/{a[1]}/associations/{b}")
        assert reply.json() == {"results": []}
    assert [one[0] for one in portal.effects("associate", "dissociate")] == ["associate", "dissociate"]


async def test_associating_twice_has_one_effect(portal: Portal) -> None:
    deal, buyer = await _pair(portal)
    for _ in range(2):
        await portal.http.put(f"/crm/v4/objects/deals/{deal}/associations/default/contacts/{buyer}")
    assert len(portal.effects("associate")) == 1


@pytest.mark.parametrize(
    ("root", "success"),
    [("/crm/v4/associations", 201), ("/crm/associations/2026-03", 201), ("/crm/associations/2026-09", 200)],
)
async def test_batches(portal: Portal, root: str, success: int) -> None:
    deal, buyer = await _pair(portal)
    one = {"from": {"id": deal}, "to": {"id": buyer}, "types": [spec(3)]}
    made = await portal.http.post(f"{root}/deals/contacts/batch/create", json={"inputs": [one]})
    assert made.status_code == success
    read = await portal.http.post(f"{root}/deals/contacts/batch/read", json={"inputs": [{"id": deal}]})
    assert read.status_code == 200
    assert read.json()["results"][0]["from"] == {"id": deal}
    assert str(read.json()["results"][0]["to"][0]["toObjectId"]) == buyer
    gone = await portal.http.post(
        f"{root}/deals/contacts/batch/archive", json={"inputs": [{"from": {"id": deal}, "to": [{"id": buyer}]}]}
    )
    assert gone.status_code == (204 if "v4" in root else 200)
    empty = await portal.http.post(f"{root}/deals/contacts/batch/read", json={"inputs": [{"id": deal}]})
    assert empty.status_code == 207
    assert empty.json()["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"


async def test_a_batch_tells_which_pairs_failed(portal: Portal) -> None:
    deal, buyer = await _pair(portal)
    inputs = [{"from": {"id": deal}, "to": {"id": to}, "types": [spec(3)]} for to in (buyer, "1")]
    reply = await portal.http.post("/crm/v4/associations/deals/contacts/batch/create", json={"inputs": inputs})
    assert reply.status_code == 207
    assert len(reply.json()["results"]) == 1
    assert reply.json()["errors"][0]["context"] == {"id": ["1"], "fromObjectId": [deal], "toObjectId": ["1"]}


async def test_default_batches_and_labels_archive(portal: Portal) -> None:
    deal, buyer = await _pair(portal)
    root = "/crm/v4/associations/deals/contacts/batch"
    one = {"from": {"id": deal}, "to": {"id": buyer}}
    reply = await portal.http.post(f"{root}/associate/default", json={"inputs": [one]})
    assert (reply.status_code, len(reply.json()["results"])) == (200, 2)
    gone = await portal.http.post(f"{root}/labels/archive", json={"inputs": [{**one, "types": [spec(3)]}]})
    assert gone.status_code == 204
    assert (await portal.http.get(f"/crm/v4/objects/deals/{deal}/associations/contacts")).json()["results"] == []


async def test_a_type_that_does_not_fit_the_pair_is_refused(portal: Portal) -> None:
    deal, buyer = await _pair(portal)
    reply = await portal.http.put(f"/crm/v4/objects/deals/{deal}/associations/contacts/{buyer}", json=[spec(999)])
    assert reply.status_code == 400
    assert reply.json()["message"] == "association type id 999 doesn't exist between deal and contact"


async def test_a_line_item_belongs_to_one_parent(portal: Portal) -> None:
    item = await portal.create("line_items", name="Shoe")
    deals = [await portal.create("deals", dealname=str(n)) for n in range(2)]
    path = f"/crm/v4/objects/line_items/{item}/associations/deals"
    assert (await portal.http.put(f"{path}/{deals[0]}", json=[spec(20)])).status_code == 201
    assert (await portal.http.put(f"{path}/{deals[1]}", json=[spec(20)])).status_code == 400
    assert (await portal.http.put(f"{path}/{deals[0]}", json=[spec(20)])).status_code == 201
    shown = (await portal.http.get(f"/crm/v3/objects/deals/{deals[0]}?associations=line_items")).json()
    assert shown["associations"] == {"line items": {"results": [{"id": item, "type": "deal_to_line_item"}]}}


async def test_orders_have_their_types(portal: Portal) -> None:
    order = await portal.create("orders", hs_order_name="1001")
    buyer = await portal.create("contacts", email="a@example.com")
    path = f"/crm/objects/2026-03/orders/{order}/associations/contacts/{buyer}"
    assert (await portal.http.put(path, json=[spec(507)])).status_code == 201
    labels = (await portal.http.get("/crm/associations/2026-03/orders/contacts/labels")).json()["results"]
    assert [one["typeId"] for one in labels] == [507]


async def test_own_labels_come_in_pairs(portal: Portal) -> None:
    deal, buyer = await _pair(portal)
    body = {"label": "Payer", "name": "payer", "inverseLabel": "Paid by"}
    made = (await portal.http.post("/crm/v4/associations/deals/contacts/labels", json=body)).json()["results"]
    assert [one["label"] for one in made] == ["Payer", "Paid by"]
    own = spec(made[0]["typeId"], "USER_DEFINED")
    reply = await portal.http.put(f"/crm/v4/objects/deals/{deal}/associations/contacts/{buyer}", json=[spec(3), own])
    assert reply.json()["labels"] == ["Payer"]
    back = (await portal.http.get(f"/crm/v4/objects/contacts/{buyer}/associations/deals")).json()["results"]
    assert [one["label"] for one in back[0]["associationTypes"]] == [None, "Paid by"]


async def test_archiving_hides_a_record_from_writes_of_associations(portal: Portal) -> None:
    deal, buyer = await _pair(portal)
    await portal.http.delete(f"/crm/v3/objects/contacts/{buyer}")
    reply = await portal.http.put(f"/crm/v4/objects/deals/{deal}/associations/default/contacts/{buyer}")
    assert reply.status_code == 404


async def test_the_primary_company_and_the_property_that_repeats_it_follow_each_other(portal: Portal) -> None:
    firms = [await portal.create("companies", name=str(n)) for n in range(2)]
    person = await portal.create("contacts", email="a@example.com", associatedcompanyid=firms[0])
    root = f"/crm/v4/objects/contacts/{person}/associations/companies"

    async def primary() -> tuple[list[str], str | None]:
        rows = (await portal.http.get(root)).json()["results"]
        held = [str(row["toObjectId"]) for row in rows if any(one["typeId"] == 1 for one in row["associationTypes"])]
        return held, (await portal.get("contacts", person, "associatedcompanyid"))["properties"]["associatedcompanyid"]

    assert await primary() == ([firms[0]], firms[0])
    before = (await portal.get("contacts", person))["updatedAt"]
    await portal.clock.advance(1)
    await portal.http.put(f"{root}/{firms[1]}", json=[spec(1)])
    assert await primary() == ([firms[1]], firms[1])
    assert (await portal.get("contacts", person))["updatedAt"] > before
    url = f"/crm/v3/objects/contacts/{person}"
    await portal.http.patch(url, json={"properties": {"associatedcompanyid": "77"}})
    assert await primary() == ([firms[1]], firms[1])
    await portal.http.patch(url, json={"properties": {"associatedcompanyid": ""}})
    assert await primary() == ([], None)
