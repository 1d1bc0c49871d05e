"""Bulk API 2.0: ingest and query jobs, their CSV, states, results and limits."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import pytest

from tests.sandbox.salesforce.conftest import KEY, House

CSV = {"content-type": "text/csv"}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_an_upsert_job_gives_every_row_a_verdict(house: House) -> None:
    await house.create("Contact", LastName="Old", Phone="1", Email="old@example.com", **{KEY: "c-1"})
    account = await house.create("Account", Name="A", **{KEY: "a-1"})
    upload = (
        f"{KEY},LastName,Email,Phone,DoNotCall,Account.{KEY},Credit_Limit__c\n"
        'c-1,New,,#N/A,1,a-1,10.50\nc-2,"Two\nlines, ""quoted""",two@example.com,2,false,,\n'
        "c-3,,,,,,\nc-4,Four,nobody,,,,\nc-5,Five,,,,ghost,\n"
    )
    job = await house.ingest(upload, "upsert", externalIdFieldName=KEY)
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 5, 3)
    good = rows(await house.results(job["id"], "successfulResults"))
    assert [(one[KEY], one["sf__Created"]) for one in good] == [("c-1", "false"), ("c-2", "true")]
    bad = rows(await house.results(job["id"], "failedResults"))
    assert [one["sf__Error"].partition(":")[0] for one in bad] == [
        "REQUIRED_FIELD_MISSING", "INVALID_EMAIL_ADDRESS", "INVALID_FIELD",
    ]  # fmt: skip
    assert bad[0]["sf__Error"] == "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"
    assert (await house.results(job["id"], "unprocessedRecords")).strip().startswith(f'"{KEY}"')
    one = await house.get("Contact", good[0]["sf__Id"])
    assert (one["LastName"], one["Email"], one["Phone"], one["DoNotCall"]) == ("New", "old@example.com", None, True)
    assert (one["AccountId"], one["Credit_Limit__c"]) == (account, 10.5)
    two = await house.get("Contact", good[1]["sf__Id"])
    assert two["LastName"] == 'Two\nlines, "quoted"'
    assert {row.actor for row in house.box.ledger.after(2)} == {"syncd"}


async def test_insert_update_delete_and_hard_delete(house: House) -> None:
    job = await house.ingest("LastName\nA\nB\n")
    ids = [one["sf__Id"] for one in rows(await house.results(job["id"], "successfulResults"))]
    job = await house.ingest(f"Id,FirstName\n{ids[0]},X\n003000000000000,Y\n", "update")
    assert job["numberRecordsFailed"] == 1
    job = await house.ingest(f"Id\n{ids[0]}\n", "delete")
    assert len(await house.query("SELECT Id FROM Contact", "queryAll")) == 2
    job = await house.ingest(f"Id\n{ids[1]}\n", "hardDelete")
    assert job["numberRecordsFailed"] == 0
    assert len(await house.query("SELECT Id FROM Contact", "queryAll")) == 1


async def test_other_delimiters_and_line_endings(house: House) -> None:
    more = {"columnDelimiter": "SEMICOLON", "lineEnding": "CRLF"}
    job = await house.ingest("LastName;FirstName\r\nDoe;A,B\r\n", **more)
    assert rows((await house.results(job["id"], "successfulResults")).replace(";", ","))
    assert [row["FirstName"] for row in await house.query("SELECT FirstName FROM Contact")] == ["A,B"]


@pytest.mark.parametrize(
    ("upload", "message"),
    [
        ("LastName\r\nDoe\r\n", "LineEnding is invalid on user data. Current LineEnding setting is LF"),
        ("LastName,Shoe\nDoe,x\n", "InvalidBatch : Field name not found : Shoe"),
        ("", "InvalidBatch : The file has no header"),
    ],
)
async def test_an_upload_that_cannot_be_read_fails_the_job(house: House, upload: str, message: str) -> None:
    job = await house.ingest(upload)
    assert (job["state"], job["errorMessage"]) == ("Failed", message)


async def test_a_job_that_fails_in_the_middle_leaves_rows_unprocessed(house: House) -> None:
    await house.act(op="fail_next_job", after_rows=200)
    job = await house.ingest("LastName\n" + "".join(f"L{n}\n" for n in range(500)))
    assert (job["state"], job["numberRecordsProcessed"]) == ("Failed", 200)
    left = rows(await house.results(job["id"], "unprocessedrecords"))
    assert [one["LastName"] for one in left] == [f"L{n}" for n in range(200, 500)]
    assert len(house.effects("create")) == 200


async def test_locked_rows_fail_alone(house: House) -> None:
    account = await house.create("Account", Name="A")
    await house.act(op="hold", id=account, times=1)
    job = await house.ingest(f"LastName,AccountId\nA,{account}\nB,{account}\n")
    (bad,) = rows(await house.results(job["id"], "failedResults"))
    assert bad["sf__Error"].startswith("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access")


async def test_the_states_of_a_job_and_what_they_refuse(house: House) -> None:
    body = {"object": "Contact", "operation": "insert", "contentType": "CSV"}
    job = (await house.call("POST", "/jobs/ingest", json=body)).json()
    path = f"/jobs/ingest/{job['id']}"
    assert (job["state"], job["apiVersion"], job["contentUrl"]) == ("Open", 67.0, f"services/data/v67.0{path}/batches")
    put = {"content": b"LastName\nDoe\n", "headers": CSV}
    assert (await house.call("PUT", path + "/batches", **put)).status_code == 201
    assert await house.refused("PUT", path + "/batches", **put) == (400, "INVALIDJOBSTATE")
    assert await house.refused("GET", path + "/successfulResults") == (400, "INVALIDJOBSTATE")
    assert await house.refused("DELETE", path) == (400, "INVALIDJOBSTATE")
    assert (await house.call("PATCH", path, json={"state": "Aborted"})).json()["state"] == "Aborted"
    assert await house.refused("PATCH", path, json={"state": "UploadComplete"}) == (400, "INVALIDJOBSTATE")
    listed = (await house.call("GET", "/jobs/ingest")).json()
    assert (listed["done"], [one["id"] for one in listed["records"]]) == (True, [job["id"]])
    assert (await house.call("DELETE", path)).status_code == 204
    assert await house.refused("GET", path) == (404, "NOT_FOUND")
    assert await house.refused("POST", "/jobs/ingest", json={**body, "object": "Shoe"}) == (400, "INVALIDENTITY")
    assert await house.refused("POST", "/jobs/ingest", json={**body, "operation": "upsert"}) == (400, "INVALIDJOB")


async def test_jobs_take_their_time(house: House) -> None:
    await house.act(op="bulk", settings={"queued_seconds": 5, "running_seconds": 5})
    body = {"operation": "query", "query": "SELECT Id FROM User"}
    id_ = (await house.call("POST", "/jobs/query", json=body)).json()["id"]
    states = []
    for _ in range(3):
        states.append((await house.call("GET", f"/jobs/query/{id_}")).json()["state"])
        await house.clock.advance(5)
        await asyncio.sleep(0)
    assert states == ["UploadComplete", "InProgress", "JobComplete"]


async def test_query_results_come_in_pages_with_a_header_each_and_are_a_snapshot(house: House) -> None:
    await house.act(op="seed", object="Contact", rows=[{"LastName": f"Ä{n}", "Credit_Limit__c": 1.5} for n in range(5)])
    soql = "SELECT LastName, Credit_Limit__c, Account.Name, DoNotCall FROM Contact ORDER BY LastName"
    job = (await house.call("POST", "/jobs/query", json={"operation": "query", "query": soql})).json()
    assert job["state"] == "UploadComplete"
    assert (await house.finished("query", job["id"]))["numberRecordsProcessed"] == 5
    (first, *_) = await house.query("SELECT Id FROM Contact ORDER BY LastName")
    await house.call("DELETE", f"/sobjects/Contact/{first['Id']}")
    seen, params = [], {"maxRecords": "2"}
    while params.get("locator") != "null":
        reply = await house.call("GET", f"/jobs/query/{job['id']}/results", params=params)
        assert reply.headers["content-type"] == "text/csv; charset=UTF-8"
        page = rows(reply.text)
        assert len(page) == int(reply.headers["sforce-numberofrecords"])
        seen += page
        params["locator"] = reply.headers["sforce-locator"]
    assert [one["LastName"] for one in seen] == [f"Ä{n}" for n in range(5)]
    assert seen[0] == {"LastName": "Ä0", "Credit_Limit__c": "1.5", "Account.Name": "", "DoNotCall": "false"}


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT COUNT(Id) FROM Contact",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT Id FROM Contact LIMIT 5 OFFSET 1",
        "SELECT MailingAddress FROM Contact",
        "SELECT Nope FROM Contact",
    ],
)
async def test_what_a_query_job_is_refused_for(house: House, soql: str) -> None:
    reply = await house.call("POST", "/jobs/query", json={"operation": "query", "query": soql})
    assert (reply.status_code, isinstance(reply.json(), list)) == (400, True)


async def test_batches_are_rationed(house: House) -> None:
    await house.act(op="limits", settings={"bulk_batches": 1})
    await house.act(op="bulk", settings={"batch_rows": 2})
    job = await house.ingest("LastName\nA\nB\nC\n")
    assert (job["state"], job["numberRecordsProcessed"]) == ("Failed", 2)
    assert rows(await house.results(job["id"], "unprocessedrecords")) == [{"LastName": "C"}]


async def test_a_twice_named_external_id_fails_both_rows(house: House) -> None:
    job = await house.ingest(f"{KEY},LastName\na,A\na,B\nb,C\n", "upsert", externalIdFieldName=KEY)
    bad: list[dict[str, Any]] = rows(await house.results(job["id"], "failedResults"))
    assert ({one[KEY] for one in bad}, len(bad)) == ({"a"}, 2)
