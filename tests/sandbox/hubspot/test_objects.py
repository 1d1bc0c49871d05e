"""Single records over HTTP: shapes, validation, uniqueness, archive, merge, privacy."""

from __future__ import annotations

import json
import re

import pytest

from tests.sandbox.hubspot.conftest import KEY, Portal


async def test_an_object_has_text_values_a_long_id_and_only_default_properties(portal: Portal) -> None:
    id_ = await portal.create("contacts", email=" Ann@Example.COM ", firstname="Ann", company="Acme")
    body = await portal.get("contacts", id_)
    assert set(body) == {"id", "properties", "createdAt", "updatedAt", "archived"}
    assert int(body["id"]) > 2**31
    assert body["properties"] == {
        "email": "ann@example.com",
        "firstname": "Ann",
        "lastname": None,
        "hs_object_id": id_,
        "createdate": "2026-11-02T08:00:00.000Z",
        "lastmodifieddate": "2026-11-02T08:00:00.000Z",
    }


async def test_named_properties_replace_the_defaults_and_unknown_ones_are_left_out(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com", company="Acme")
    body = await portal.get("contacts", id_, "company", "phone", "nonsense")
    assert set(body["properties"]) == {"company", "phone", "createdate", "lastmodifieddate", "hs_object_id"}
    assert body["properties"]["phone"] is None


@pytest.mark.parametrize(
    "root", ["/crm/v3/objects", "/crm/objects/2025-09", "/crm/objects/2026-03", "/crm/objects/2026-09"]
)
@pytest.mark.parametrize("name", ["contacts", "contact", "0-1"])
async def test_every_version_and_every_name_of_the_type_leads_to_the_same_record(
    portal: Portal, root: str, name: str
) -> None:
    id_ = await portal.create("contacts", email="a@example.com")
    reply = await portal.http.get(f"{root}/{name}/{id_}")
    assert reply.json()["id"] == id_
    assert ("url" in reply.json()) == ("v3" not in root)


@pytest.mark.parametrize(
    ("kind", "properties", "code", "message"),
    [
        ("contacts", {"shoe_size": "9"}, "PROPERTY_DOESNT_EXIST", 'Property "shoe_size" does not exist'),
        ("contacts", {"email": "ann@"}, "INVALID_EMAIL", "Email address ann@ is invalid"),
        (
            "contacts",
            {"lifecyclestage": "x"},
            "INVALID_OPTION",
            "x was not one of the allowed options: [subscriber, lead",
        ),
        ("contacts", {"createdate": "1"}, "READ_ONLY_VALUE", '"createdate" is a read only property'),
        ("companies", {"numberofemployees": "many"}, "INVALID_INTEGER", "many was not a valid number."),
        ("deals", {"closedate": "soon"}, "INVALID_DATE", "soon was not a valid timestamp."),
        ("deals", {"dealstage": "nowhere"}, "INVALID_OPTION", "nowhere was not one of the allowed options"),
        ("deals", {"pipeline": "nowhere"}, "INVALID_OPTION", "nowhere was not one of the allowed options: [default]"),
        ("contacts", {"hubspot_owner_id": "1"}, "INVALID_OPTION", "1 was not one of the allowed options"),
    ],
)
async def test_a_bad_value_is_told_in_the_message_as_json_and_in_errors(
    portal: Portal, kind: str, properties: dict[str, str], code: str, message: str
) -> None:
    reply = await portal.http.post(f"/crm/v3/objects/{kind}", json={"properties": properties})
    body = reply.json()
    (name,) = properties
    assert reply.status_code == 400
    assert (body["status"], body["category"]) == ("error", "VALIDATION_ERROR")
    listed = json.loads(body["message"].removeprefix("Property values were not valid: "))
    assert [(one["isValid"], one["error"], one["name"]) for one in listed] == [(False, code, name)]
    assert listed[0]["message"].startswith(message)
    assert body["errors"][0]["code"] == code
    assert body["errors"][0]["context"] == {"propertyName": [name]}
    assert portal.effects() == []


async def test_every_bad_value_of_a_record_is_told_at_once(portal: Portal) -> None:
    reply = await portal.http.post("/crm/v3/objects/contacts", json={"properties": {"email": "x", "a": "1", "b": "2"}})
    assert [one["code"] for one in reply.json()["errors"]] == ["INVALID_EMAIL", *["PROPERTY_DOESNT_EXIST"] * 2]


async def test_a_second_contact_with_the_same_email_is_refused_and_names_the_first(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="ann@example.com")
    reply = await portal.http.post("/crm/v3/objects/contacts", json={"properties": {"email": "ANN@example.com"}})
    assert reply.status_code == 409
    assert reply.json()["category"] == "CONFLICT"
    assert reply.json()["message"] == f"Contact already exists. Existing ID: {id_}"


async def test_a_taken_unique_value_is_a_validation_error_that_names_the_holder_last(portal: Portal) -> None:
    holder = await portal.create("deals", dealname="one", **{KEY: "cart-1"})
    other = await portal.create("deals", dealname="two")
    reply = await portal.http.patch(f"/crm/v3/objects/deals/{other}", json={"properties": {KEY: "cart-1"}})
    assert reply.status_code == 400
    assert reply.json()["message"] == (
        "Cannot set PropertyValueCoordinates{portalId=48123456, objectTypeId=ObjectTypeId{legacyObjectType=DEAL}, "
        f"propertyName={KEY}, value=cart-1}} on {other}. {holder} already has that value."
    )


async def test_companies_may_share_a_domain_which_is_kept_without_scheme(portal: Portal) -> None:
    ids = [await portal.create("companies", domain="https://Acme.example/shop") for _ in range(2)]
    assert ids[0] != ids[1]
    assert (await portal.get("companies", ids[1]))["properties"]["domain"] == "acme.example"


async def test_an_empty_text_clears_and_null_does_not(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com", phone="1", company="Acme")
    reply = await portal.http.patch(
        f"/crm/v3/objects/contacts/{id_}", json={"properties": {"phone": "", "company": None}}
    )
    assert "phone" not in reply.json()["properties"]
    assert reply.json()["properties"]["company"] == "Acme"


async def test_phone_numbers_get_normalised_copies(portal: Portal) -> None:
    id_ = await portal.create("contacts", phone="+49 (30) 901-820")
    shown = (
        await portal.get(
            "contacts", id_, "phone", "hs_calculated_phone_number", "hs_searchable_calculated_phone_number"
        )
    )["properties"]
    assert shown["phone"] == "+49 (30) 901-820"
    assert shown["hs_calculated_phone_number"] == "+4930901820"
    assert shown["hs_searchable_calculated_phone_number"] == "4930901820"


async def test_the_lifecycle_stage_moves_only_forward_unless_cleared(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com", lifecyclestage="customer")

    async def write(stage: str) -> str | None:
        await portal.http.patch(f"/crm/v3/objects/contacts/{id_}", json={"properties": {"lifecyclestage": stage}})
        return (await portal.get("contacts", id_, "lifecyclestage"))["properties"]["lifecyclestage"]

    assert await write("lead") == "customer"
    assert await write("evangelist") == "evangelist"
    assert await write("") is None
    assert await write("lead") == "lead"


async def test_numbers_dates_and_instants_are_read_in_their_stored_forms(portal: Portal) -> None:
    id_ = await portal.create("deals", amount=1500.5, closedate=1793606400000, dealname="x")
    shown = (await portal.get("deals", id_, "amount", "closedate"))["properties"]
    assert (shown["amount"], shown["closedate"]) == ("1500.5", "2026-11-02T08:00:00.000Z")


async def test_a_date_must_be_midnight_utc(portal: Portal) -> None:
    await portal.act(op="create_property", object="contacts", definition={
        "name": "birthday", "label": "b", "groupName": "contactinformation", "type": "date", "fieldType": "date"})  # fmt: skip
    id_ = await portal.create("contacts", email="a@example.com", birthday="1990-05-04")
    assert (await portal.get("contacts", id_, "birthday"))["properties"]["birthday"] == "1990-05-04"
    path = f"/crm/v3/objects/contacts/{id_}"
    assert (await portal.http.patch(path, json={"properties": {"birthday": "641779200000"}})).status_code == 200
    reply = await portal.http.patch(path, json={"properties": {"birthday": "641779200001"}})
    assert "is at 00:00:00.001 UTC, not midnight!" in reply.json()["message"]


async def test_a_deal_takes_the_default_pipeline_and_its_stage_must_stand_in_its_pipeline(portal: Portal) -> None:
    await portal.act(op="create_pipeline", object="deals", definition={
        "pipelineId": "ecommerce_pipeline", "label": "Shop", "displayOrder": 1,
        "stages": [{"stageId": "abandoned_checkout", "label": "Abandoned", "displayOrder": 0, "metadata": {"probability": "0.1"}}]})  # fmt: skip
    id_ = await portal.create("deals", dealname="x")
    assert (await portal.get("deals", id_))["properties"]["pipeline"] == "default"
    path = f"/crm/v3/objects/deals/{id_}"
    reply = await portal.http.patch(path, json={"properties": {"dealstage": "abandoned_checkout"}})
    assert reply.json()["errors"][0]["code"] == "INVALID_OPTION"
    both = {"pipeline": "ecommerce_pipeline", "dealstage": "abandoned_checkout"}
    assert (await portal.http.patch(path, json={"properties": both})).status_code == 200


async def test_a_won_deal_is_closed_and_dated_by_the_vendor(portal: Portal) -> None:
    id_ = await portal.create("deals", dealname="x", dealstage="closedwon", amount="10")
    shown = (await portal.get("deals", id_, "hs_is_closed_won", "closedate", "hs_deal_stage_probability"))["properties"]
    assert (shown["hs_is_closed_won"], shown["hs_deal_stage_probability"]) == ("true", "1")
    assert shown["closedate"] == "2026-11-02T08:00:00.000Z"


async def test_a_line_items_amount_is_worked_out(portal: Portal) -> None:
    id_ = await portal.create("line_items", name="Shoe", price="19.90", quantity="3", hs_sku="S")
    assert (await portal.get("line_items", id_, "amount"))["properties"]["amount"] == "59.7"


async def test_a_write_that_changes_nothing_is_no_effect(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com", firstname="A")
    before = await portal.get("contacts", id_)
    await portal.clock.advance(5)
    await portal.http.patch(f"/crm/v3/objects/contacts/{id_}", json={"properties": {"firstname": "A"}})
    assert await portal.get("contacts", id_) == before
    assert [one[0] for one in portal.effects()] == ["create"]


async def test_records_are_read_and_changed_by_a_unique_property(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com", **{KEY: "customer-1"})
    for params in ({"idProperty": "email"}, {"idProperty": KEY}):
        key = "A@example.com" if params["idProperty"] == "email" else "customer-1"
        assert (await portal.http.get(f"/crm/v3/objects/contacts/{key}", params=params)).json()["id"] == id_
    reply = await portal.http.get("/crm/v3/objects/contacts/Ann", params={"idProperty": "firstname"})
    assert reply.status_code == 400


async def test_lists_go_by_id_with_paging_until_there_is_no_more(portal: Portal) -> None:
    ids = [await portal.create("contacts", email=f"c{n}@example.com") for n in range(5)]
    seen, after = [], None
    while True:
        params = {"limit": 2, "properties": "email"} | ({"after": after} if after else {})
        body = (await portal.http.get("/crm/v3/objects/contacts", params=params)).json()
        seen += [one["id"] for one in body["results"]]
        if "paging" not in body:
            break
        after = body["paging"]["next"]["after"]
        assert body["paging"]["next"]["link"].startswith(portal.url)
    assert seen == ids


async def test_a_page_is_at_most_100_or_50_with_history(portal: Portal) -> None:
    get = portal.http.get
    assert (await get("/crm/v3/objects/contacts?limit=100")).status_code == 200
    assert (await get("/crm/v3/objects/contacts?limit=101")).status_code == 400
    assert (await get("/crm/v3/objects/contacts?limit=51&propertiesWithHistory=phone")).status_code == 400


async def test_history_is_newest_first_and_names_its_source(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com", firstname="A")
    await portal.act(op="edit", object="contacts", id=id_, values={"firstname": "B"})
    reply = await portal.http.get(f"/crm/v3/objects/contacts/{id_}", params={"propertiesWithHistory": "firstname"})
    history = reply.json()["propertiesWithHistory"]["firstname"]
    assert [(one["value"], one["sourceType"], one["sourceId"]) for one in history] == [
        ("B", "CRM_UI", "userId:52530071"),
        ("A", "INTEGRATION", "19635961"),
    ]


async def test_archived_records_are_listed_only_when_asked_for_and_free_their_unique_values(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com", **{KEY: "customer-1"})
    path = f"/crm/v3/objects/contacts/{id_}"
    assert (await portal.http.delete(path)).status_code == 204
    assert (await portal.http.delete(path)).status_code == 204
    assert (await portal.http.get(path)).status_code == 404
    assert (await portal.http.patch(path, json={"properties": {"firstname": "x"}})).status_code == 404
    archived = (await portal.http.get(path, params={"archived": "true"})).json()
    assert (archived["archived"], archived["archivedAt"]) == (True, "2026-11-02T08:00:00.000Z")
    assert (await portal.http.get("/crm/v3/objects/contacts")).json()["results"] == []
    listed = (await portal.http.get("/crm/v3/objects/contacts?archived=true")).json()["results"]
    assert [one["id"] for one in listed] == [id_]
    assert await portal.create("contacts", email="a@example.com", **{KEY: "customer-1"}) != id_


async def test_an_unknown_record_is_not_found(portal: Portal) -> None:
    for method, body in (("GET", None), ("PATCH", {"properties": {"firstname": "x"}}), ("DELETE", None)):
        reply = await portal.http.request(method, "/crm/v3/objects/contacts/1", json=body)
        assert (reply.status_code, reply.json()["category"]) == (404, "OBJECT_NOT_FOUND")


async def test_a_merge_makes_a_new_record_to_which_both_old_ids_lead(portal: Portal) -> None:
    one = await portal.create("contacts", email="one@example.com", firstname="One", **{KEY: "customer-1"})
    two = await portal.create("contacts", email="two@example.com", lastname="Two", phone="5")
    deal = await portal.create("deals", dealname="x")
    await portal.http.put(f"/crm/v4/objects/deals/{deal}/associations/default/contacts/{two}")
    body = {"primaryObjectId": one, "objectIdToMerge": two}
    merged = (await portal.http.post("/crm/v3/objects/contacts/merge", json=body)).json()
    assert merged["id"] not in {one, two}
    for old in (one, two):
        assert (await portal.get("contacts", old))["id"] == merged["id"]
        reply = await portal.http.get(f"/crm/v4/objects/contacts/{old}/associations/deals")
        assert reply.json()["results"] == []
    shown = merged["properties"]
    assert (shown["firstname"], shown["lastname"], shown["email"]) == ("One", "Two", "one@example.com")
    assert (shown["hs_additional_emails"], shown[KEY]) == ("two@example.com", "customer-1")
    assert shown["hs_merged_object_ids"] == f"{one};{two}"
    reply = await portal.http.get(f"/crm/v4/objects/contacts/{merged['id']}/associations/deals")
    assert [row["toObjectId"] for row in reply.json()["results"]] == [int(deal)]
    listed = (await portal.http.get("/crm/v3/objects/contacts")).json()["results"]
    assert [row["id"] for row in listed] == [merged["id"]]


async def test_privacy_deletion_leaves_nothing_and_blocks_the_email(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com")
    body = {"objectId": "a@example.com", "idProperty": "email"}
    assert (await portal.http.post("/crm/v3/objects/contacts/gdpr-delete", json=body)).status_code == 204
    for archived in ("true", "false"):
        reply = await portal.http.get(f"/crm/v3/objects/contacts/{id_}", params={"archived": archived})
        assert reply.status_code == 404
    again = await portal.http.post("/crm/v3/objects/contacts", json={"properties": {"email": "a@example.com"}})
    assert again.status_code == 400


async def test_validation_rules_hold_only_in_version_2026_09(portal: Portal) -> None:
    await portal.act(op="set_rule", object="contacts", name="firstname", rule={"max_length": 3})
    for path, status in (
        ("/crm/v3/objects/contacts", 201),
        ("/crm/objects/2026-03/contacts", 201),
        ("/crm/objects/2026-09/contacts", 400),
    ):
        reply = await portal.http.post(path, json={"properties": {"firstname": "Annabel"}})
        assert reply.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/crm/v3/objects/contacts", b"{", 400),
        ("POST", "/crm/v3/objects/contacts", b"[]", 400),
        ("POST", "/crm/v3/objects/contacts", b"{}", 400),
        ("POST", "/crm/v3/objects/unicorns", b"{}", 400),
        ("PUT", "/crm/v3/objects/contacts/1", b"{}", 405),
        ("GET", "/crm/v9/objects/contacts", b"", 404),
        ("GET", "/nothing/here", b"", 404),
        ("GET", "/crm/v4/objects/contacts", b"", 404),
        ("GET", "/crm/v3/objects/contacts?properties=" + "x" * 17_000, b"", 414),
    ],
)
async def test_malformed_requests_get_the_vendors_error_body(
    portal: Portal, method: str, path: str, body: bytes, status: int
) -> None:
    headers = {"content-type": "application/json"}
    reply = await portal.http.request(method, path, content=body, headers=headers)
    assert reply.status_code == status
    assert reply.json()["status"] == "error"
    assert re.fullmatch(r"[0-9a-f-]{36}", reply.json()["correlationId"])


async def test_a_body_that_is_not_json_by_its_type_is_unsupported(portal: Portal) -> None:
    reply = await portal.http.post("/crm/v3/objects/contacts", data={"a": "b"})
    assert reply.status_code == 415


async def test_every_effect_stands_in_the_ledger_with_its_key_and_actor(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com", **{KEY: "customer-1"})
    await portal.act(op="edit", object="contacts", id=id_, values={"phone": "5"})
    rows = portal.box.ledger.after(0, vendor="hubspot")
    assert [(row.effect, row.object, row.id, row.key, row.actor) for row in rows] == [
        ("create", "contacts", id_, "customer-1", "syncd"),
        ("update", "contacts", id_, "customer-1", "human"),
    ]
    assert rows[1].values == {"phone": "5"}
