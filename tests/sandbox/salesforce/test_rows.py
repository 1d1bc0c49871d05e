"""Single records: create, read, change, delete, external ids, describe, the feeds of changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.salesforce.conftest import KEY, House


async def test_a_record_is_created_read_changed_cleared_and_deleted(house: House) -> None:
    reply = await house.call(
        "POST", "/sobjects/Account", json={"Name": "Acme", "BillingCity": "Bonn", "NumberOfEmployees": 7}
    )
    id_ = reply.json()["id"]
    assert reply.json() == {"id": id_, "success": True, "errors": []}
    assert reply.headers["location"].endswith(f"/sobjects/Account/{id_}")
    row = await house.get("Account", id_[:15])
    assert (row["Id"], row["Name"], row["BillingAddress"]["city"]) == (id_, "Acme", "Bonn")
    assert row["attributes"]["type"] == "Account"
    assert row["SystemModstamp"] == row["CreatedDate"] == "2026-11-02T08:00:00.000+0000"
    await house.clock.advance(61.5)
    assert (await house.call("PATCH", f"/sobjects/Account/{id_}", json={"BillingCity": None})).status_code == 204
    row = await house.get("Account", id_, params={"fields": "BillingAddress,SystemModstamp"})
    assert (row["BillingAddress"], row["SystemModstamp"]) == (None, "2026-11-02T08:01:01.000+0000")
    assert (await house.call("DELETE", f"/sobjects/Account/{id_}")).status_code == 204
    assert await house.refused("GET", f"/sobjects/Account/{id_}") == (404, "ENTITY_IS_DELETED")
    assert await house.refused("PATCH", f"/sobjects/Account/{id_}", json={}) == (404, "ENTITY_IS_DELETED")
    assert house.effects() == [("create", "Account", ""), ("update", "Account", ""), ("delete", "Account", "")]


@pytest.mark.parametrize(
    ("kind", "values", "code", "fields"),
    [
        ("Contact", {"FirstName": "Ann"}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ("Contact", {"LastName": "x" * 81}, "STRING_TOO_LONG", ["LastName"]),
        ("Contact", {"LastName": "Doe", "Email": "nobody"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ("Contact", {"LastName": "Doe", "Pricing_Tier__c": "Tin"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Pricing_Tier__c"]),
        ("Contact", {"LastName": "Doe", "AccountId": "nonsense"}, "MALFORMED_ID", ["AccountId"]),
        ("Contact", {"LastName": "Doe", "AccountId": "001Sb0000099999"}, "INVALID_CROSS_REFERENCE_KEY", ["AccountId"]),
        ("Contact", {"LastName": "Doe", "Shoe__c": 1}, "INVALID_FIELD", None),
        ("Contact", {"LastName": "Doe", "Name": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
        ("Contact", {"LastName": "Doe", "SystemModstamp": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["SystemModstamp"]),
        ("Contact", {"LastName": "Doe", "Birthdate": "soon"}, "JSON_PARSER_ERROR", None),
        ("Contact", {"LastName": 5}, "JSON_PARSER_ERROR", None),
        ("Contact", {"LastName": "Doe", "Credit_Limit__c": 1e17}, "NUMBER_OUTSIDE_VALID_RANGE", ["Credit_Limit__c"]),
        ("Contact", {"LastName": "Doe", "Account": {KEY: "nobody"}}, "INVALID_FIELD", None),
        ("Opportunity", {"Name": "x", "StageName": "Prospecting"}, "REQUIRED_FIELD_MISSING", ["CloseDate"]),
    ],
)  # fmt: skip
async def test_what_a_create_is_refused_for(
    house: House, kind: str, values: dict[str, Any], code: str, fields: Any
) -> None:
    reply = await house.call("POST", f"/sobjects/{kind}", json=values)
    (error,) = reply.json()
    assert (reply.status_code, error["errorCode"], error.get("fields")) == (400, code, fields)
    assert house.effects() == []


async def test_unique_values_name_the_holder(house: House) -> None:
    first = await house.create("Account", Name="A", **{KEY: "a"})
    reply = await house.call("POST", "/sobjects/Account", json={"Name": "B", KEY: "a"})
    assert reply.json()[0]["errorCode"] == "DUPLICATE_VALUE"
    assert first[:15] in reply.json()[0]["message"]
    assert await house.create("Account", Name="C", **{KEY: "A"})


async def test_upsert_creates_then_updates_and_minds_its_rules(house: House) -> None:
    path = f"/sobjects/Contact/{KEY}/c-1"
    made = await house.call("PATCH", path, json={"LastName": "Doe"})
    assert (made.status_code, made.json()["created"]) == (201, True)
    again = await house.call("PATCH", path, json={"LastName": "Roe"})
    assert (again.status_code, again.json()) == (200, {**made.json(), "created": False})
    assert await house.refused("PATCH", path, json={"LastName": "Roe", KEY: "c-1"}) == (400, "INVALID_FIELD")
    only = f"/sobjects/Contact/{KEY}/c-2?updateOnly=true"
    assert await house.refused("PATCH", only, json={"LastName": "Roe"}) == (404, "NOT_FOUND")
    assert (await house.call("GET", path)).json()["LastName"] == "Roe"
    old = await house.call("PATCH", f"/services/data/v45.0{path}", json={"LastName": "Poe"})
    assert (old.status_code, old.content) == (204, b"")
    assert house.effects() == [("create", "Contact", "c-1"), ("update", "Contact", "c-1"), ("update", "Contact", "c-1")]


async def test_an_external_id_that_is_not_unique_answers_300_and_writes_nothing(house: House) -> None:
    ids = [await house.create("Contact", LastName="Doe", Customer_Number__c="7") for _ in range(2)]
    reply = await house.call("PATCH", "/sobjects/Contact/Customer_Number__c/7", json={"LastName": "Roe"})
    assert (reply.status_code, [url.rsplit("/", 1)[1] for url in reply.json()]) == (300, ids)
    assert {row["LastName"] for row in await house.query("SELECT LastName FROM Contact")} == {"Doe"}


async def test_a_lookup_may_be_named_by_external_id(house: House) -> None:
    account = await house.create("Account", Name="A", **{KEY: "a-1"})
    contact = await house.create("Contact", LastName="Doe", Account={KEY: "a-1"})
    assert (await house.get("Contact", contact))["AccountId"] == account


async def test_describe_knows_fields_and_children_and_304(house: House) -> None:
    reply = await house.call("GET", "/sobjects/Contact/describe")
    fields = {one["name"]: one for one in reply.json()["fields"]}
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert [fields[KEY][name] for name in ("externalId", "unique", "caseSensitive")] == [True, True, True]
    assert not fields["Name"]["createable"]
    assert "Cases" in {one["relationshipName"] for one in reply.json()["childRelationships"]}
    since = {"if-modified-since": reply.headers["last-modified"]}
    assert (await house.call("GET", "/sobjects/Contact/describe", headers=since)).status_code == 304
    await house.clock.advance(60)
    await house.act(op="create_field", object="Contact", field={"name": "Shoe__c", "type": "number", "scale": 1})
    again = await house.call("GET", "/sobjects/Contact/describe", headers=since)
    assert (again.status_code, again.json()["fields"][-1]["name"]) == (200, "Shoe__c")
    listed = {one["name"]: one for one in (await house.call("GET", "/sobjects")).json()["sobjects"]}
    assert (listed["Account"]["keyPrefix"], listed["User"]["deletable"]) == ("001", False)


async def test_fields_can_be_removed_retyped_and_hidden(house: House) -> None:
    id_ = await house.create("Account", Name="A", Payment_Terms__c="30 days", Credit_Limit__c=5)
    await house.act(op="hide_field", object="Account", name="Credit_Limit__c")
    path = f"/sobjects/Account/{id_}"
    assert await house.refused("PATCH", path, json={"Credit_Limit__c": 6}) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    await house.act(op="retype_field", object="Account", field={"name": "Payment_Terms__c", "type": "number"})
    assert (await house.get("Account", id_))["Payment_Terms__c"] is None
    await house.act(op="delete_field", object="Account", name="Payment_Terms__c")
    assert await house.refused("PATCH", path, json={"Payment_Terms__c": 6}) == (400, "INVALID_FIELD")


async def test_a_deleted_field_comes_back_with_what_it_held(house: House) -> None:
    id_ = await house.create("Account", Name="A", Payment_Terms__c="30 days")
    await house.act(op="drop_field", object="Account", name="Payment_Terms__c")
    assert "Payment_Terms__c" not in await house.get("Account", id_)
    await house.act(op="restore_field", object="Account", name="Payment_Terms__c")
    assert (await house.get("Account", id_))["Payment_Terms__c"] == "30 days"


async def test_the_feeds_cover_whole_minutes_and_at_most_thirty_days(house: House) -> None:
    await house.clock.advance(30)
    kept, gone = await house.create("Account", Name="A"), await house.create("Account", Name="B")
    await house.call("DELETE", f"/sobjects/Account/{gone}")
    await house.clock.advance(90)
    window = {"start": "2026-11-02T08:00:59+00:00", "end": "2026-11-02T08:02:59+00:00"}
    updated = (await house.call("GET", "/sobjects/Account/updated", params=window)).json()
    assert updated == {"ids": [kept], "latestDateCovered": "2026-11-02T08:02:00.000+0000"}
    deleted = (await house.call("GET", "/sobjects/Account/deleted", params=window)).json()
    assert [one["id"] for one in deleted["deletedRecords"]] == [gone]
    old = {"start": "2026-09-01T00:00:00Z", "end": "2026-11-02T08:00:00Z"}
    assert await house.refused("GET", "/sobjects/Account/updated", params=old) == (400, "INVALID_REPLICATION_DATE")
    await house.act(op="undelete", object="Account", id=gone)
    deleted = (await house.call("GET", "/sobjects/Account/deleted", params=window)).json()
    assert deleted["deletedRecords"] == []


async def test_methods_types_and_bodies_that_do_not_fit(house: House) -> None:
    assert await house.refused("PUT", "/sobjects/Account", json={}) == (405, "METHOD_NOT_ALLOWED")
    assert await house.refused("POST", "/sobjects/Account", content=b"Name=x") == (415, "UNSUPPORTED_MEDIA_TYPE")
    headers = {"content-type": "application/json"}
    assert await house.refused("POST", "/sobjects/Account", content=b"{", headers=headers) == (400, "JSON_PARSER_ERROR")
    assert await house.refused("GET", "/sobjects/Nope/describe") == (404, "NOT_FOUND")
    assert (await house.call("GET", "/query?q=" + "x" * 17000)).status_code == 414


async def test_large_replies_are_gzipped_for_those_who_can(house: House) -> None:
    reply = await house.call("GET", "/sobjects/Contact/describe", headers={"accept-encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    plain = await house.call("GET", "/sobjects/Contact/describe", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == reply.json()
