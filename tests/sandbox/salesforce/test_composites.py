"""Collections, composite, batch, tree and graph."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.salesforce.conftest import DATA, KEY, House


def _record(kind: str, **values: Any) -> dict[str, Any]:
    return {"attributes": {"type": kind}, **values}


async def test_a_collection_gives_every_record_its_verdict_in_order(house: House) -> None:
    records = [_record("Account", Name="A"), _record("Account"), _record("Contact", LastName="C")]
    reply = await house.call("POST", "/composite/sobjects", json={"records": records})
    good, bad, other = reply.json()
    assert reply.status_code == 200
    assert (good["success"], other["success"]) == (True, True)
    assert bad == {"success": False, "errors": [{"statusCode": "REQUIRED_FIELD_MISSING",
                   "message": "Required fields are missing: [Name]", "fields": ["Name"]}]}  # fmt: skip


async def test_all_or_none_rolls_the_innocent_back(house: House) -> None:
    body = {"allOrNone": True, "records": [_record("Account", Name="A"), _record("Account")]}
    codes = [
        one["errors"][0]["statusCode"] for one in (await house.call("POST", "/composite/sobjects", json=body)).json()
    ]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert await house.query("SELECT Id FROM Account") == []
    assert house.effects() == []


async def test_upsert_of_a_collection_update_and_delete(house: House) -> None:
    path = f"/composite/sobjects/Contact/{KEY}"
    records = [_record("Contact", LastName="A", **{KEY: "a"}), _record("Contact", LastName="B", **{KEY: "b"})]
    made = (await house.call("PATCH", path, json={"records": records})).json()
    assert [one["created"] for one in made] == [True, True]
    again = (await house.call("PATCH", path, json={"records": records})).json()
    assert [(one["id"], one["created"]) for one in again] == [(one["id"], False) for one in made]
    twice = (await house.call("PATCH", path, json={"records": [records[0], records[0]]})).json()
    assert {one["errors"][0]["statusCode"] for one in twice} == {"DUPLICATE_VALUE"}
    nameless = (await house.call("PATCH", path, json={"records": [_record("Contact", LastName="C")]})).json()
    assert nameless[0]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    ids = [one["id"] for one in made]
    patched = [_record("Contact", id=id_, FirstName="X") for id_ in ids]
    updated = (await house.call("PATCH", "/composite/sobjects", json={"records": patched})).json()
    assert [one["success"] for one in updated] == [True, True]
    read = (await house.call("GET", "/composite/sobjects/Contact",
                             params={"ids": ",".join([ids[0], "003Sb0000099999"]), "fields": "FirstName"})).json()  # fmt: skip
    assert (read[0]["FirstName"], read[1]) == ("X", None)
    gone = (await house.call("DELETE", "/composite/sobjects", params={"ids": ",".join(ids)})).json()
    assert [one["success"] for one in gone] == [True, True]
    late = (await house.call("PATCH", "/composite/sobjects", json={"records": patched})).json()
    assert {one["errors"][0]["statusCode"] for one in late} == {"ENTITY_IS_DELETED"}


async def test_no_more_than_two_hundred_records(house: House) -> None:
    body = {"records": [_record("Account", Name="x")] * 201}
    assert await house.refused("POST", "/composite/sobjects", json=body) == (400, "EXCEEDED_ID_LIMIT")


def _sub(method: str, path: str, reference: str, body: Any = None) -> dict[str, Any]:
    return {"method": method, "url": DATA + path, "referenceId": reference, **({"body": body} if body else {})}


async def test_composite_carries_references_from_parent_to_child(house: House) -> None:
    requests = [
        _sub("PATCH", f"/sobjects/Account/{KEY}/a-1", "parent", {"Name": "Acme"}),
        _sub("POST", "/sobjects/Contact", "child", {"LastName": "Doe", "AccountId": "@{parent.id}"}),
        _sub("GET", "/sobjects/Contact/@{child.id}", "read"),
        _sub("GET", "/query?q=SELECT+Id+FROM+Contact", "all"),
        _sub("PATCH", "/sobjects/Contact/@{all.records[0].Id}", "renamed", {"FirstName": "Ann"}),
    ]
    calls = house.vendor.limits.calls.used
    reply = (await house.call("POST", "/composite", json={"compositeRequest": requests})).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in reply] == [201, 201, 200, 200, 204]
    assert [one["referenceId"] for one in reply] == ["parent", "child", "read", "all", "renamed"]
    assert reply[2]["body"]["AccountId"] == reply[0]["body"]["id"]
    assert reply[1]["httpHeaders"]["Location"].endswith(reply[1]["body"]["id"])
    assert house.vendor.limits.calls.used == calls + 1


async def test_a_failed_subrequest_takes_along_what_refers_to_it_or_everything(house: House) -> None:
    requests = [
        _sub("POST", "/sobjects/Account", "fine", {"Name": "Fine"}),
        _sub("POST", "/sobjects/Account", "bad", {"Site": "x"}),
        _sub("POST", "/sobjects/Contact", "child", {"LastName": "Doe", "AccountId": "@{bad.id}"}),
    ]
    reply = (await house.call("POST", "/composite", json={"compositeRequest": requests})).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in reply] == [201, 400, 400]
    assert reply[2]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    body = {"allOrNone": True, "compositeRequest": requests}
    reply = (await house.call("POST", "/composite", json=body)).json()["compositeResponse"]
    codes = [one["body"][0]["errorCode"] for one in reply]
    assert codes == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]
    assert [row["Name"] for row in await house.query("SELECT Name FROM Account")] == ["Fine"]


async def test_the_limits_of_composite(house: House) -> None:
    many = [_sub("GET", "/limits", f"r{n}") for n in range(26)]
    assert await house.refused("POST", "/composite", json={"compositeRequest": many}) == (400, "LIMIT_EXCEEDED")
    queries = [_sub("GET", "/query?q=SELECT+Id+FROM+User", f"r{n}") for n in range(6)]
    assert await house.refused("POST", "/composite", json={"compositeRequest": queries}) == (400, "LIMIT_EXCEEDED")


async def test_setup_and_data_do_not_mix_in_one_transaction(house: House) -> None:
    requests = [
        _sub("POST", "/sobjects/Account", "a", {"Name": "A"}),
        _sub("POST", "/sobjects/PermissionSet", "p", {"Name": "P", "Label": "P"}),
    ]
    body = {"allOrNone": True, "compositeRequest": requests}
    reply = (await house.call("POST", "/composite", json=body)).json()["compositeResponse"]
    assert [one["body"][0]["errorCode"] for one in reply] == ["PROCESSING_HALTED", "MIXED_DML_OPERATION"]
    apart = (await house.call("POST", "/composite", json={"compositeRequest": requests})).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in apart] == [201, 201]


async def test_batch_halts_on_request(house: House) -> None:
    requests = [{"method": "GET", "url": f"v67.0/{path}"} for path in ("limits", "nowhere", "limits")]
    reply = (await house.call("POST", "/composite/batch", json={"haltOnError": True, "batchRequests": requests})).json()
    assert (reply["hasErrors"], [one["statusCode"] for one in reply["results"]]) == (True, [200, 404, 412])


async def test_a_tree_is_planted_whole_or_not_at_all(house: House) -> None:
    child = {"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "Doe"}
    tree = {"attributes": {"type": "Account", "referenceId": "a"}, "Name": "A", "Contacts": {"records": [child]}}
    reply = await house.call("POST", "/composite/tree/Account", json={"records": [tree]})
    assert (reply.status_code, [one["referenceId"] for one in reply.json()["results"]]) == (201, ["a", "c"])
    del child["LastName"]
    reply = await house.call("POST", "/composite/tree/Account", json={"records": [tree]})
    assert (reply.status_code, reply.json()["results"][0]["referenceId"]) == (400, "c")
    assert len(await house.query("SELECT Id FROM Account")) == 1


async def test_graphs_succeed_or_fail_each_on_its_own(house: House) -> None:
    graphs = [
        {"graphId": "1", "compositeRequest": [_sub("POST", "/sobjects/Account", "a", {"Name": "A"})]},
        {"graphId": "2", "compositeRequest": [_sub("POST", "/sobjects/Account", "a", {"Site": "A"})]},
    ]
    reply = (await house.call("POST", "/composite/graph", json={"graphs": graphs})).json()["graphs"]
    assert [one["isSuccessful"] for one in reply] == [True, False]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/composite/sobjects/Contact", {"ids": 5, "fields": ["Id"]}),
        ("/composite/sobjects/Contact", {"ids": [], "fields": None}),
        ("/composite/tree/Account", {"records": [{"attributes": "x", "Name": "x"}]}),
        ("/composite/tree/Account", {"records": [{"Name": "x", "Contacts": {"records": None}}]}),
    ],
)
async def test_a_part_of_another_kind_is_refused_in_the_vendors_words(house: House, path: str, body: Any) -> None:
    assert await house.refused("POST", path, json=body) == (400, "JSON_PARSER_ERROR")


async def test_headers_of_a_subrequest_that_are_none_fail_that_one(house: House) -> None:
    part = {"method": "GET", "url": DATA + "/limits", "referenceId": "a", "httpHeaders": [1]}
    reply = await house.call("POST", "/composite", json={"compositeRequest": [part]})
    (answer,) = reply.json()["compositeResponse"]
    assert (answer["httpStatusCode"], answer["body"][0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
