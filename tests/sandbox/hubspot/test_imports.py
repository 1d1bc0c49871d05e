"""Imports: a file of rows, gone through one import after the other, and what failed told row by row."""

from __future__ import annotations

import csv
from typing import Any

import orjson

from .conftest import KEY, Portal

ROOT = "/crm/imports/2026-03"


def request_of(*columns: tuple[str, str], operation: str = "UPSERT", header: bool = True) -> dict[str, Any]:
    mapped = [{"columnObjectTypeId": "0-1", "columnName": name, "propertyName": name, "columnType": type_}
              for name, type_ in columns]  # fmt: skip
    page = {"hasHeader": header, "columnMappings": mapped}
    return {"name": "people", "importOperations": {"0-1": operation},
            "files": [{"fileName": "people.csv", "fileFormat": "CSV", "fileImportPage": page}]}  # fmt: skip


async def start(portal: Portal, request: dict[str, Any], text: str) -> Any:
    return await portal.http.post(
        ROOT, data={"importRequest": orjson.dumps(request).decode()}, files={"files": ("people.csv", text, "text/csv")}
    )


KEYED = ((KEY, "HUBSPOT_ALTERNATE_ID"), ("email", "STANDARD"), ("firstname", "STANDARD"))


async def test_rows_are_upserted_by_a_unique_property_and_those_that_fail_are_told(portal: Portal) -> None:
    other = await portal.create("contacts", email="taken@example.com")
    text = (
        f"{KEY},email,firstname\nr1,a@example.com,Ada\nr2,no address,Bo\nr3,taken@example.com,Cy\nr1,b@example.com,\n"
    )
    reply = await start(portal, request_of(*KEYED), text)
    assert (reply.status_code, reply.json()["state"]) == (200, "STARTED"), reply.text
    id_ = reply.json()["id"]
    await portal.clock.advance(2)
    done = (await portal.http.get(f"{ROOT}/{id_}")).json()
    assert (done["state"], done["importName"]) == ("DONE", "people")
    assert done["metadata"]["counters"] == {"TOTAL_ROWS": 4, "CREATED_OBJECTS": 1, "ERRORS": 3}
    asked = {"includeErrorMessage": "true", "includeRowData": "true", "limit": "2"}
    first = (await portal.http.get(f"{ROOT}/{id_}/errors", params=asked)).json()
    rest = (
        await portal.http.get(f"{ROOT}/{id_}/errors", params={**asked, "after": first["paging"]["next"]["after"]})
    ).json()
    errors = [*first["results"], *rest["results"]]
    assert [(one["errorType"], one["sourceData"]["lineNumber"], one["sourceData"]["rowData"][0]) for one in errors] == [
        ("INVALID_EMAIL", 3, "r2"), ("DUPLICATE_UNIQUE_PROPERTY_VALUE", 4, "r3"), ("DUPLICATE_ALTERNATE_ID", 5, "r1"),
    ]  # fmt: skip
    assert errors[0]["knownColumnNumber"] == 1
    assert (await portal.get("contacts", other, KEY))["properties"][KEY] is None
    again = await start(portal, request_of(*KEYED), f"{KEY},email,firstname\nr1,,Augusta\n")
    await portal.clock.advance(2)
    assert (await portal.http.get(f"{ROOT}/{again.json()['id']}")).json()["metadata"]["counters"][
        "UPDATED_OBJECTS"
    ] == 1
    held = (
        await portal.http.get(
            "/crm/objects/2026-03/contacts/r1", params={"idProperty": KEY, "properties": "email,firstname"}
        )
    ).json()
    assert (held["properties"]["email"], held["properties"]["firstname"]) == (
        "a@example.com",
        "Augusta",
    )  # "" clears nothing
    listed = (await portal.http.get(ROOT)).json()["results"]
    assert [one["id"] for one in listed] == [again.json()["id"], id_]


async def test_one_import_after_the_other_and_a_cancelled_one_stops(portal: Portal) -> None:
    portal.vendor.imports.settings.rows_per_second = 10.0
    rows = "".join(f"k{n},k{n}@example.com,x\r" for n in range(50))  # lines as an old Macintosh ended them
    first = (await start(portal, request_of(*KEYED, header=False), rows)).json()["id"]
    second = (await start(portal, request_of(*KEYED, header=False), rows.replace("k", "m"))).json()["id"]
    await portal.clock.advance(2.5)
    states = [(await portal.http.get(f"{ROOT}/{one}")).json()["state"] for one in (first, second)]
    assert states == ["PROCESSING", "STARTED"]
    assert (await portal.http.post(f"{ROOT}/{first}/cancel")).json()["status"] == "COMPLETE"
    assert (await portal.http.post(f"{ROOT}/{first}/cancel")).status_code == 400
    await portal.clock.advance(3)
    assert (await portal.http.get(f"{ROOT}/{second}")).json()["state"] == "PROCESSING"
    await portal.clock.advance(10)
    assert (await portal.http.get(f"{ROOT}/{second}")).json()["state"] == "DONE"
    made = [key[0] for _, _, key in portal.effects("create")]
    assert 20 <= made.count("k") <= 30
    assert made.count("m") == 50


async def test_what_makes_no_sense_is_refused_before_a_row_is_looked_at(portal: Portal) -> None:
    for columns in ((("nope", "STANDARD"),), (("firstname", "HUBSPOT_ALTERNATE_ID"),), ()):
        assert (await start(portal, request_of(*columns), "x\n")).status_code == 400, columns
    wrong = request_of(*KEYED)
    wrong["files"][0]["fileName"] = "other.csv"
    assert (await start(portal, wrong, "x\n")).status_code == 400
    most = csv.field_size_limit(1000)  # the process's own
    try:
        assert (await start(portal, request_of(*KEYED), "x" * 2000 + "\n")).status_code == 400
    finally:
        csv.field_size_limit(most)
    assert (await portal.http.post(ROOT, json={})).status_code == 415
    portal.vendor.tokens.add_static("pat-poor", portal.vendor.tokens.of(f"Bearer {portal.vendor.token}").app, ["oauth"])
    poor = await portal.http.get(ROOT, headers={"authorization": "Bearer pat-poor"})
    assert (poor.status_code, poor.json()["category"]) == (403, "MISSING_SCOPES")
