"""Properties, groups, pipelines, schemas, owners, account details."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.hubspot.conftest import KEY, Portal


def text_property(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "label": name,
        "groupName": "contactinformation",
        "type": "string",
        "fieldType": "text",
        **more,
    }


@pytest.mark.parametrize("root", ["/crm/v3/properties", "/crm/properties/2026-03"])
async def test_a_property_is_made_changed_archived_and_then_unknown_to_writes(portal: Portal, root: str) -> None:
    made = await portal.http.post(f"{root}/contacts", json=text_property("customer_number"))
    assert (made.status_code, made.json()["hubspotDefined"]) == (201, False)
    again = await portal.http.post(f"{root}/contacts", json=text_property("customer_number"))
    assert (again.status_code, again.json()["category"]) == (409, "OBJECT_ALREADY_EXISTS")
    changed = await portal.http.patch(f"{root}/contacts/customer_number", json={"label": "Number"})
    assert changed.json()["label"] == "Number"
    id_ = await portal.create("contacts", customer_number="7")
    assert (await portal.http.delete(f"{root}/contacts/customer_number")).status_code == 204
    reply = await portal.http.post("/crm/v3/objects/contacts", json={"properties": {"customer_number": "8"}})
    assert reply.json()["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"
    assert "customer_number" not in (await portal.get("contacts", id_, "customer_number"))["properties"]
    archived = await portal.http.get(f"{root}/contacts/customer_number?archived=true")
    assert archived.json()["archived"] is True
    await portal.act(op="restore_property", object="contacts", name="customer_number")
    assert (await portal.get("contacts", id_, "customer_number"))["properties"]["customer_number"] == "7"


@pytest.mark.parametrize(
    "body",
    [
        {},
        text_property("Upper"),
        text_property("9lives"),
        text_property("ok", groupName="nowhere"),
        text_property("ok", type="colour"),
        text_property("ok", fieldType="number"),
        text_property("ok", type="enumeration", fieldType="select"),
        text_property("ok", type="bool", fieldType="booleancheckbox", hasUniqueValue=True),
    ],
)
async def test_impossible_properties_are_refused(portal: Portal, body: dict[str, Any]) -> None:
    assert (await portal.http.post("/crm/v3/properties/contacts", json=body)).status_code == 400


async def test_at_most_ten_own_unique_properties_per_type(portal: Portal) -> None:
    statuses = [
        (
            await portal.http.post("/crm/v3/properties/contacts", json=text_property(f"key_{n}", hasUniqueValue=True))
        ).status_code
        for n in range(10)
    ]
    assert statuses == [201] * 9 + [400]


async def test_options_are_enforced_by_value_and_may_be_extended(portal: Portal) -> None:
    options = [{"label": "Gold", "value": "gold", "displayOrder": 0, "hidden": False}]
    body = text_property("price_tier", type="enumeration", fieldType="select", options=options)
    assert (await portal.http.post("/crm/v3/properties/contacts", json=body)).status_code == 201
    write = {"properties": {"price_tier": "silver"}}
    assert (await portal.http.post("/crm/v3/objects/contacts", json=write)).status_code == 400
    more = [*options, {"label": "Silver", "value": "silver", "displayOrder": 1, "hidden": False}]
    await portal.http.patch("/crm/v3/properties/contacts/price_tier", json={"options": more})
    assert (await portal.http.post("/crm/v3/objects/contacts", json=write)).status_code == 201


async def test_several_options_are_joined_and_a_leading_semicolon_appends(portal: Portal) -> None:
    options = [{"label": v, "value": v, "displayOrder": 0, "hidden": False} for v in ("a", "b", "c")]
    body = text_property("tags", type="enumeration", fieldType="checkbox", options=options)
    await portal.http.post("/crm/v3/properties/contacts", json=body)
    id_ = await portal.create("contacts", tags="a;b")
    await portal.http.patch(f"/crm/v3/objects/contacts/{id_}", json={"properties": {"tags": ";c"}})
    assert (await portal.get("contacts", id_, "tags"))["properties"]["tags"] == "a;b;c"


async def test_groups_and_property_batches(portal: Portal) -> None:
    root = "/crm/properties/2026-03/deals"
    assert (await portal.http.post(f"{root}/groups", json={"name": "syncd", "label": "Syncd"})).status_code == 201
    assert "syncd" in [one["name"] for one in (await portal.http.get(f"{root}/groups")).json()["results"]]
    inputs = [text_property(f"p{n}", groupName="syncd") for n in range(2)]
    made = await portal.http.post(f"{root}/batch/create", json={"inputs": [*inputs, text_property("P")]})
    assert (made.status_code, len(made.json()["results"]), made.json()["numErrors"]) == (207, 2, 1)
    names = {"inputs": [{"name": "p0"}, {"name": "amount"}, {"name": "nonsense"}], "archived": False}
    read = await portal.http.post(f"{root}/batch/read", json=names)
    assert [one["name"] for one in read.json()["results"]] == ["p0", "amount"]
    gone = await portal.http.post(f"{root}/batch/archive", json={"inputs": [{"name": "p0"}]})
    assert gone.status_code == 204
    assert (await portal.http.get(f"{root}/p0")).status_code == 404


async def test_the_vendors_own_properties_can_not_be_archived(portal: Portal) -> None:
    assert (await portal.http.delete("/crm/v3/properties/contacts/email")).status_code == 400
    shown = (await portal.http.get("/crm/v3/properties/contacts/email")).json()
    assert shown["modificationMetadata"]["archivable"] is False
    assert (shown["type"], shown["fieldType"], shown["hubspotDefined"]) == ("string", "text", True)


async def test_a_pipeline_is_made_with_chosen_or_made_up_ids(portal: Portal) -> None:
    stages = [
        {"stageId": "abandoned_checkout", "label": "Abandoned", "displayOrder": 0, "metadata": {"probability": "0.1"}},
        {"label": "Won", "displayOrder": 1, "metadata": {"probability": 1.0, "isClosed": True}},
    ]
    body = {"pipelineId": "ecommerce_pipeline", "label": "Shop", "displayOrder": 1, "stages": stages}
    made = await portal.http.post("/crm/pipelines/2026-03/deals", json=body)
    assert made.status_code == 201
    assert made.json()["id"] == "ecommerce_pipeline"
    first, second = made.json()["stages"]
    assert (first["id"], first["metadata"]) == ("abandoned_checkout", {"probability": "0.1", "isClosed": "false"})
    assert second["id"].isdigit()
    assert second["metadata"]["isClosed"] == "true"
    assert (await portal.http.post("/crm/pipelines/2026-03/deals", json=body)).status_code == 409
    ids = [one["id"] for one in (await portal.http.get("/crm/v3/pipelines/deals")).json()["results"]]
    assert ids == ["default", "ecommerce_pipeline"]


@pytest.mark.parametrize(
    "stage",
    [
        {"label": "x", "displayOrder": 0, "metadata": {}},
        {"label": "x", "displayOrder": 0, "metadata": {"probability": "2"}},
        {"label": "x", "displayOrder": 0},
        {"label": "x", "displayOrder": 0, "metadata": {"probability": "1"}, "stageId": "UPPER"},
        {"label": "x", "displayOrder": 0, "metadata": {"probability": "1"}, "stageId": "closedwon"},
    ],
)
async def test_impossible_stages_are_refused(portal: Portal, stage: dict[str, Any]) -> None:
    reply = await portal.http.post("/crm/v3/pipelines/deals/default/stages", json=stage)
    assert reply.status_code in {400, 409}


async def test_a_stage_in_use_is_deleted_only_without_the_check(portal: Portal) -> None:
    await portal.create("deals", dealname="x", dealstage="contractsent")
    path = "/crm/v3/pipelines/deals/default/stages/contractsent"
    assert (await portal.http.delete(f"{path}?validateReferencesBeforeDelete=true")).status_code == 400
    assert (await portal.http.delete(path)).status_code == 204
    assert (await portal.http.get(path)).status_code == 404


async def test_pipelines_are_replaced_patched_and_deleted(portal: Portal) -> None:
    root = "/crm/v3/pipelines/tickets"
    stage = {"label": "New", "displayOrder": 0, "metadata": {"ticketState": "OPEN"}}
    made = (await portal.http.post(root, json={"label": "A", "displayOrder": 1, "stages": [stage]})).json()
    path = f"{root}/{made['id']}"
    replaced = await portal.http.put(
        path, json={"label": "B", "displayOrder": 2, "stages": [stage, {**stage, "label": "C"}]}
    )
    assert [one["label"] for one in replaced.json()["stages"]] == ["New", "C"]
    assert (await portal.http.patch(path, json={"label": "D"})).json()["label"] == "D"
    stage_path = f"{path}/stages/{replaced.json()['stages'][0]['id']}"
    assert (await portal.http.patch(stage_path, json={"metadata": {"ticketState": "CLOSED"}})).json()["metadata"][
        "isClosed"
    ] == "true"
    assert (await portal.http.delete(path)).status_code == 204
    assert (await portal.http.delete(f"{root}/0")).status_code == 400


async def test_default_pipelines_have_the_vendors_stages(portal: Portal) -> None:
    (deals,) = (await portal.http.get("/crm/pipelines/2026-09/deals")).json()["results"]
    assert [one["id"] for one in deals["stages"]] == [
        "appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent",
        "closedwon", "closedlost",
    ]  # fmt: skip
    (orders,) = (await portal.http.get("/crm/v3/pipelines/0-123")).json()["results"]
    assert [one["label"] for one in orders["stages"]] == ["Open", "Processed", "Shipped", "Delivered", "Cancelled"]
    assert (await portal.http.get("/crm/v3/pipelines/contacts")).status_code == 400


async def test_schemas_owners_and_details(portal: Portal) -> None:
    assert (await portal.http.get("/crm-object-schemas/2026-03/schemas")).json() == {"results": []}
    schema = (await portal.http.get("/crm/v3/schemas/deals")).json()
    assert schema["objectTypeId"] == "0-3"
    assert KEY in [one["name"] for one in schema["properties"]]
    owners = (await portal.http.get("/crm/v3/owners/?email=mara.lindt@sandbox.example")).json()["results"]
    assert [one["lastName"] for one in owners] == ["Lindt"]
    assert (await portal.http.get(f"/crm/owners/2026-03/{owners[0]['id']}")).json() == owners[0]
    details = (await portal.http.get("/account-info/2026-03/details")).json()
    assert (details["portalId"], details["timeZone"], details["utcOffset"]) == (48123456, "UTC", "+00:00")


async def test_the_api_usage_counts_this_days_calls(portal: Portal) -> None:
    for _ in range(3):
        await portal.http.get("/account-info/v3/details")
    (usage,) = (await portal.http.get("/account-info/v3/api-usage/daily/private-apps")).json()["results"]
    assert usage["currentUsage"] == 4
    assert usage["resetsAt"] == "2026-11-03T00:00:00.000Z"


async def test_a_number_too_large_for_the_vendor_is_refused_and_changes_nothing(portal: Portal) -> None:
    root = "/crm/v3/properties/contacts/groups"
    before = (await portal.http.get(root)).json()
    for wrong in ({"displayOrder": 2**64}, {"label": {}}):
        assert (await portal.http.patch(f"{root}/contactinformation", json=wrong)).status_code == 400
    assert (await portal.http.get(root)).json() == before
