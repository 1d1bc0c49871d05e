"""Batches: all or nothing, trace ids, duplicates, the order of results."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.hubspot.conftest import KEY, Portal


def contact(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"customer-{number}", "properties": {"email": f"c{number}@example.com", **more}}


async def test_an_upsert_creates_then_updates_by_the_unique_property(portal: Portal) -> None:
    first = await portal.upsert("contacts", *(contact(n) for n in range(3)))
    again = await portal.upsert("contacts", *(contact(n, firstname="A") for n in range(4)))
    assert first.status_code == again.status_code == 200
    assert {one["new"] for one in first.json()["results"]} == {True}
    assert sorted(one["new"] for one in again.json()["results"]) == [False, False, False, True]
    assert first.json()["status"] == "COMPLETE"
    assert first.json()["startedAt"] <= first.json()["completedAt"]
    assert portal.effects("create") == [("create", "contacts", f"customer-{n}") for n in range(4)]


async def test_results_come_in_an_order_of_their_own_but_the_same_for_the_same_seed(portal: Portal) -> None:
    reply = await portal.upsert("contacts", *(contact(n) for n in range(20)))
    order = [one["properties"]["email"] for one in reply.json()["results"]]
    assert sorted(order) == sorted(f"c{n}@example.com" for n in range(20))
    assert order != [f"c{n}@example.com" for n in range(20)]


async def test_one_bad_input_without_trace_ids_fails_the_whole_batch(portal: Portal) -> None:
    reply = await portal.upsert("contacts", contact(1), contact(2, shoe_size="9"))
    assert reply.status_code == 400
    assert reply.json()["category"] == "VALIDATION_ERROR"
    assert portal.effects() == []


async def test_with_trace_ids_only_the_bad_inputs_fail(portal: Portal) -> None:
    taken = await portal.create("contacts", email="taken@example.com")
    inputs = [
        {"objectWriteTraceId": "t1", **contact(1)},
        {"objectWriteTraceId": "t2", **contact(2, shoe_size="9")},
        {"objectWriteTraceId": "t3", "id": "customer-3", "properties": {"email": "taken@example.com"}},
    ]
    reply = await portal.upsert("contacts", *inputs)
    body = reply.json()
    assert reply.status_code == 207
    assert [one["objectWriteTraceId"] for one in body["results"]] == ["t1"]
    assert body["numErrors"] == 2
    assert [(one["category"], one["context"]["objectWriteTraceId"]) for one in body["errors"]] == [
        ("VALIDATION_ERROR", ["t2"]),
        ("CONFLICT", ["t3"]),
    ]
    assert body["errors"][1]["message"] == f"Contact already exists. Existing ID: {taken}"
    assert set(body["errors"][0]) >= {"status", "category", "message", "context", "errors", "links"}


async def test_trace_ids_on_some_inputs_only_or_repeated_ones_do_not_split_the_batch(portal: Portal) -> None:
    bad = contact(2, shoe_size="9")
    some = [{"objectWriteTraceId": "t1", **contact(1)}, bad]
    same = [{"objectWriteTraceId": "t1", **contact(1)}, {"objectWriteTraceId": "t1", **bad}]
    assert (await portal.upsert("contacts", *some)).status_code == 400
    assert (await portal.upsert("contacts", *same)).status_code == 400
    assert portal.effects() == []


async def test_a_key_twice_in_a_batch_is_refused_even_with_trace_ids(portal: Portal) -> None:
    inputs = [{"objectWriteTraceId": f"t{n}", **contact(1)} for n in range(2)]
    reply = await portal.upsert("contacts", *inputs)
    assert reply.status_code == 400
    assert reply.json()["message"] == "Duplicate IDs found in batch input: [customer-1]. IDs must be unique"
    assert reply.json()["context"] == {"ids": ["customer-1"]}


async def test_two_inputs_that_want_the_same_email_conflict(portal: Portal) -> None:
    inputs = [{"id": f"customer-{n}", "properties": {"email": "same@example.com"}} for n in range(2)]
    assert (await portal.upsert("contacts", *inputs)).status_code == 409
    traced = [{"objectWriteTraceId": str(n), **one} for n, one in enumerate(inputs)]
    reply = await portal.upsert("contacts", *traced)
    assert reply.status_code == 207
    assert len(reply.json()["results"]) == 1


@pytest.mark.parametrize("what", ["create", "update", "upsert", "read", "archive"])
async def test_more_than_100_inputs_are_refused(portal: Portal, what: str) -> None:
    inputs = [{"id": str(n), "properties": {}} for n in range(101)]
    reply = await portal.http.post(f"/crm/v3/objects/contacts/batch/{what}", json={"inputs": inputs})
    assert (reply.status_code, reply.json()["category"]) == (400, "VALIDATION_ERROR")


async def test_the_key_of_an_upsert_must_be_a_unique_property(portal: Portal) -> None:
    for name in ("firstname", "nonsense"):
        assert (await portal.upsert("contacts", contact(1), id_property=name)).status_code == 400
    mixed = [{**contact(1), "idProperty": KEY}, {"id": "a@example.com", "idProperty": "email", "properties": {}}]
    reply = await portal.http.post("/crm/v3/objects/contacts/batch/upsert", json={"inputs": mixed})
    assert reply.status_code == 400


async def test_email_is_a_key_for_contacts(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com")
    inputs = {"id": "A@Example.com", "properties": {"firstname": "A"}}
    (result,) = (await portal.upsert("contacts", inputs, id_property="email")).json()["results"]
    assert (result["id"], result["new"]) == (id_, False)


async def test_read_tells_misses_in_a_207(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com")
    body = {"inputs": [{"id": id_}, {"id": "1"}, {"id": "2"}], "properties": ["email"], "propertiesWithHistory": []}
    reply = await portal.http.post("/crm/v3/objects/contacts/batch/read", json=body)
    assert reply.status_code == 207
    assert [one["id"] for one in reply.json()["results"]] == [id_]
    (error,) = reply.json()["errors"]
    assert (error["category"], error["context"]) == ("OBJECT_NOT_FOUND", {"ids": ["1", "2"]})
    assert error["message"].startswith("Could not get some CONTACT objects, they may be deleted or not exist.")


async def test_read_by_key_and_of_archived_records(portal: Portal) -> None:
    id_ = await portal.create("contacts", email="a@example.com", **{KEY: "customer-1"})
    body = {"inputs": [{"id": "customer-1"}], "properties": [], "idProperty": KEY}
    reply = await portal.http.post("/crm/v3/objects/contacts/batch/read", json=body)
    assert reply.status_code == 200
    await portal.http.delete(f"/crm/v3/objects/contacts/{id_}")
    by_id = {"inputs": [{"id": id_}], "properties": []}
    assert (await portal.http.post("/crm/v3/objects/contacts/batch/read", json=by_id)).status_code == 207
    reply = await portal.http.post("/crm/v3/objects/contacts/batch/read?archived=true", json=by_id)
    assert reply.json()["results"][0]["archived"] is True


async def test_create_update_and_archive(portal: Portal) -> None:
    created = await portal.http.post(
        "/crm/v3/objects/deals/batch/create",
        json={"inputs": [{"properties": {"dealname": f"d{n}"}, "associations": []} for n in range(3)]},
    )
    ids = [one["id"] for one in created.json()["results"]]
    assert created.status_code == 201
    inputs = [{"id": id_, "properties": {"amount": "5"}} for id_ in [*ids, "1"]]
    updated = await portal.http.post("/crm/v3/objects/deals/batch/update", json={"inputs": inputs})
    assert updated.status_code == 207
    assert len(updated.json()["results"]) == 3
    assert updated.json()["errors"][0]["context"] == {"ids": ["1"]}
    archived = await portal.http.post(
        "/crm/v3/objects/deals/batch/archive", json={"inputs": [{"id": one} for one in ids]}
    )
    assert (archived.status_code, archived.content) == (204, b"")
    assert len(portal.effects("archive")) == 3


async def test_a_create_may_bring_associations_and_the_ledger_shows_them(portal: Portal) -> None:
    buyer = await portal.create("contacts", email="a@example.com")
    links = [{"to": {"id": buyer}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]}]
    reply = await portal.http.post(
        "/crm/v3/objects/deals/batch/create", json={"inputs": [{"properties": {KEY: "cart-1"}, "associations": links}]}
    )
    assert reply.status_code == 201
    assert ("associate", "deals", "cart-1") in portal.effects()


async def test_a_restricted_stage_refuses_apps_but_not_people(portal: Portal) -> None:
    id_ = await portal.create("deals", dealname="x", dealstage="contractsent", **{KEY: "cart-1"})
    await portal.act(op="restrict_stage", object="deals", pipeline="default", stage="closedwon")
    reply = await portal.upsert("deals", {"id": "cart-1", "properties": {"dealstage": "closedwon"}})
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["context"] == {"propertyName": ["dealstage"]}
    await portal.act(op="edit", object="deals", id=id_, values={"dealstage": "closedwon"})
    assert (await portal.get("deals", id_))["properties"]["dealstage"] == "closedwon"
