"""Object types that an account defines itself."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from syncd.sandbox.hubspot.account import Profile
from tests.sandbox.hubspot.conftest import Portal

MACHINE = {
    "name": "machine",
    "labels": {"singular": "Machine", "plural": "Machines"},
    "primaryDisplayProperty": "serial",
    "requiredProperties": ["serial"],
    "searchableProperties": ["serial"],
    "secondaryDisplayProperties": [],
    "allowsSensitiveProperties": False,
    "shouldCreateSameObjectAssociation": False,
    "associatedObjects": ["CONTACT"],
    "properties": [
        {"name": "serial", "label": "Serial", "type": "string", "fieldType": "text", "hasUniqueValue": True},
        {"name": "hours", "label": "Hours", "type": "number", "fieldType": "number"},
    ],
}


async def define(portal: Portal, **changes: Any) -> httpx.Response:
    return await portal.http.post("/crm-object-schemas/2026-03/schemas", json={**MACHINE, **changes})


async def test_an_own_type_lives_like_the_vendors_own_and_goes_when_it_is_empty(portal: Portal) -> None:
    made = await define(portal)
    assert made.status_code == 201, made.text
    type_id, full = made.json()["objectTypeId"], made.json()["fullyQualifiedName"]
    assert (type_id[:2], full) == ("2-", "p48123456_machine")
    root = f"/crm/objects/2026-03/{type_id}"
    lacking = await portal.http.post(root, json={"properties": {"hours": "3"}, "associations": []})
    assert (lacking.status_code, lacking.json()["context"]) == (400, {"properties": ["serial"]})
    buyer = await portal.create("contacts", email="a@example.com")
    [link] = [one for one in made.json()["associations"] if one["toObjectTypeId"] == "0-1"]
    tie = {"associationCategory": "USER_DEFINED", "associationTypeId": int(link["id"])}
    body = {"properties": {"serial": "A1"}, "associations": [{"to": {"id": buyer}, "types": [tie]}]}
    id_ = (await portal.http.post(root, json=body)).json()["id"]
    held = await portal.http.get(f"/crm/v3/objects/{full}/{id_}?properties=serial&associations=contacts")
    assert held.json()["properties"]["serial"] == "A1"
    assert held.json()["associations"]["contacts"]["results"] == [{"id": buyer, "type": "machine_to_contact"}]
    found = await portal.search(type_id, {"propertyName": "serial", "operator": "EQ", "value": "a1"})
    assert found.json()["total"] == 1
    assert (await portal.http.delete(f"/crm-object-schemas/v3/schemas/{type_id}")).status_code == 400
    await portal.http.post(f"{root}/batch/archive", json={"inputs": [{"id": id_}]})
    assert (await portal.http.delete(f"/crm-object-schemas/v3/schemas/{type_id}")).status_code == 204
    assert (await portal.http.get(root)).status_code == 400


async def test_a_schema_that_does_not_fit_leaves_nothing_behind(portal: Portal) -> None:
    assert (await define(portal, requiredProperties=["colour"])).status_code == 400
    assert (await define(portal, associatedObjects=["SHIP"])).status_code == 400
    twice = [*MACHINE["properties"], MACHINE["properties"][0]]
    assert (await define(portal, properties=twice)).status_code == 409
    assert (await define(portal, labels=None)).status_code == 400
    assert (await portal.http.get("/crm-object-schemas/2026-03/schemas")).json() == {"results": []}
    assert (await define(portal)).status_code == 201
    assert (await define(portal)).status_code == 400


async def test_a_schema_is_changed_and_parted_from_another_type(portal: Portal) -> None:
    type_id = (await define(portal)).json()["objectTypeId"]
    root = f"/crm-object-schemas/2026-03/schemas/{type_id}"
    body = {"requiredProperties": ["serial", "hours"], "labels": {"plural": "Engines"}, "clearDescription": False}
    changed = (await portal.http.patch(root, json=body)).json()
    assert (changed["requiredProperties"], changed["labels"]) == (
        ["serial", "hours"], {"singular": "Machine", "plural": "Engines"},
    )  # fmt: skip
    assert (await portal.http.patch(root, json={"requiredProperties": ["colour"]})).status_code == 404
    read = await portal.http.post("/crm-object-schemas/2026-03/schemas/batch/read", json={"inputs": [type_id]})
    assert [one["requiredProperties"] for one in read.json()["results"]] == [["serial", "hours"]]
    [link] = changed["associations"]
    assert (await portal.http.delete(f"{root}/associations/{link['id']}")).status_code == 204
    assert (await portal.http.delete(f"{root}/associations/{link['id']}")).status_code == 404
    assert (await portal.http.get(root)).json()["associations"] == []


@pytest.mark.parametrize("options", [{"profile": Profile(edition="professional")}])
async def test_below_enterprise_there_are_no_own_types(portal: Portal) -> None:
    assert (await define(portal)).status_code == 403
