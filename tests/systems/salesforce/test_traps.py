"""simple-salesforce has sixteen traps that we know of; each has one test here, and none is stepped into.

The library serves single calls, queries, descriptions and composite calls. Its Bulk API side and its sign-in are not used
at all: those tests show what our own code does where the library would have failed.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import syncd.systems.salesforce
from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.runtime.clock import ManualClock
from syncd.systems.contract import VendorError, Write
from syncd.systems.salesforce.capture import _feed_instant
from syncd.systems.salesforce.csvs import Row, RowReader, sheets
from syncd.systems.salesforce.describe import read_schema
from syncd.systems.salesforce.soql import instant

from .kit import CONTACT, KEY, NOW, PEOPLE, Answer, Asked, Vendor, connected, page, record_id, refusal
from .test_ingest import Jobs, create, run

CODE = "".join(path.read_text() for path in Path(syncd.systems.salesforce.__path__[0]).glob("*.py"))
"""The connector itself."""
CSV = {"content-type": "text/csv"}


async def test_the_echo_marker_and_the_token_are_on_every_call_and_survive_a_refresh(org: Vendor) -> None:
    """Trap 1: the library's own refresh drops custom headers."""
    org.on("GET", "query/", lambda asked: page([]))
    async with connected(org) as crm:
        await crm._rest.query("SELECT Id FROM Contact", Lane.LIVE)
        org.expire()
        await crm._rest.query("SELECT Id FROM Contact", Lane.LIVE)
    assert [one.headers["sforce-call-options"] for one in org.calls()] == ["client=syncd-crm"] * 3
    assert [one.headers["authorization"] for one in org.calls()] == [
        "Bearer 00D!token.0", "Bearer 00D!token.0", "Bearer 00D!token.1",
    ]  # fmt: skip


async def test_an_org_that_refuses_every_token_is_not_signed_in_to_for_ever(org: Vendor) -> None:
    """Trap 2: the library logged in 35 times."""
    org.on("GET", "limits", lambda asked: refusal(401, "INVALID_SESSION_ID"))
    async with connected(org) as crm:
        for _ in range(3):
            with pytest.raises(VendorError) as caught:
                await crm._rest.get("limits", Lane.LIVE)
            assert caught.value.failure.remedy is Remedy.REFRESH
    assert len(org.tokens) <= 3
    assert len(org.calls()) <= 4


@pytest.mark.parametrize("body", [b"Bad_OAuth_Token", b"{}", b"[]", b"<html>", b"", b"null", b'"x"', b"[1]"])
async def test_a_401_of_any_shape_is_a_dead_token(org: Vendor, body: bytes) -> None:
    """Trap 3: the library expects a JSON list and raises KeyError or TypeError."""
    answers = iter([Answer(401, body), Answer(200, {"a": 1})])
    org.on("GET", "query/", lambda asked: page([]))
    org.on("GET", "limits", lambda asked: next(answers))
    async with connected(org) as crm:
        await crm._rest.query("SELECT Id FROM Contact", Lane.LIVE)
        assert await crm._rest.get("limits", Lane.LIVE) == {"a": 1}
    assert len(org.tokens) == 2


async def test_a_token_that_ends_while_a_job_runs_is_renewed(org: Vendor) -> None:
    """Trap 4: ``sf.bulk2`` keeps the token it began with, and a long job dies with it."""
    jobs = Jobs(org)
    jobs.states = ["InProgress", "InProgress", "JobComplete"]
    seen: list[str] = []
    state = jobs.state

    def dying(asked: Asked) -> Answer:
        seen.append(asked.headers["authorization"])
        if len(seen) == 1:
            org.expire()
        return state(asked)

    org.on("GET", r"jobs/ingest/\w+", dying)
    verdicts = await run(org, [create(n) for n in range(3)])
    assert {one.outcome for one in verdicts} == {Outcome.APPLIED}
    assert len(set(seen)) == 2
    assert ".bulk2" not in CODE
    assert ".bulk." not in CODE


async def test_an_empty_204_and_an_empty_list_are_no_errors(org: Vendor) -> None:
    """Trap 5, and the library's empty list."""
    org.on("DELETE", "x", lambda asked: Answer(204))
    org.on("GET", "y", lambda asked: Answer(200, []))
    async with connected(org) as crm:
        assert (await crm._rest.call(lambda sf: sf.restful("x", method="DELETE"), Lane.LIVE)).data is None
        assert await crm._rest.get("y", Lane.LIVE) is None


async def test_waiting_for_a_job_blocks_nobody_and_looks_as_often_as_it_pays(org: Vendor) -> None:
    """Trap 6: the library sleeps in its thread, first 5 seconds, then every 5, up to a day."""
    jobs = Jobs(org)
    jobs.states = ["UploadComplete"] * 3 + ["InProgress"] * 5 + ["JobComplete"]
    clock = ManualClock(NOW)
    async with connected(org, clock=clock, bulk_threshold=2) as crm:
        began = time.monotonic()
        task = asyncio.ensure_future(crm.write(PEOPLE, [create(1), create(2)], Lane.BULK))
        while not task.done():
            await asyncio.sleep(0.002)
            await clock.advance(20)
        assert {one.outcome for one in await task} == {Outcome.APPLIED}
    assert time.monotonic() - began < 5


def test_columns_have_one_order_and_null_is_not_left_out() -> None:
    """Trap 7: the library takes its columns from a set, and writes null as "leave it as it is"."""
    rows = [Row("k1", {"Phone": None, "LastName": "B", "FirstName": "A"}), Row("k2", {"FirstName": "C"})]
    (sheet,) = sheets(read_schema(CONTACT), KEY, rows)
    assert b"".join(sheet.pieces()).decode() == f"{KEY},FirstName,LastName,Phone\nk1,A,B,#N/A\nk2,C,,\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_line_break_inside_quotes_is_part_of_its_cell_wherever_the_bytes_are_cut(size: int) -> None:
    """Trap 8: the library cuts results into lines before it reads them as CSV."""
    body = '"Id","Bio"\r\n"1","a\n""b"", ü"\r\n"2",""\r\n3,\n'.encode()
    reader = RowReader()
    rows = [row for at in range(0, len(body), size) for row in reader.feed(body[at : at + size])] + reader.close()
    assert [(row["Id"], row["Bio"]) for row in rows] == [("1", 'a\n"b", ü'), ("2", ""), ("3", "")]
    for cut in (b'"a","b"\n"1","x', b"a,b\n1\n"):
        broken = RowReader()
        with pytest.raises(ValueError):  # noqa: PT012 - either may notice
            broken.feed(cut)
            broken.close()


async def test_results_are_utf_8_whatever_the_header_says_of_them(org: Vendor) -> None:
    """Trap 9: without a charset the library reads ISO-8859-1."""
    org.on("GET", "jobs/query/750/results", lambda _: Answer(200, "Id,LastName\n1,Müller\n".encode(), CSV))
    async with connected(org) as crm:
        rows, _ = await crm._web.rows("/services/data/v67.0/jobs/query/750/results", Lane.BULK)
    assert rows == [{"Id": "1", "LastName": "Müller"}]


async def test_unprocessed_rows_are_asked_for_as_the_vendor_documents_it(org: Vendor) -> None:
    """Trap 10: the library spells it with a capital R."""
    jobs = Jobs(org)
    jobs.states, jobs.unprocessed = ["Failed"], {create(1).key}
    verdicts = await run(org, [create(n) for n in range(3)])
    assert [one.failure and one.failure.code for one in verdicts] == [None, "unprocessed", None]
    assert org.calls(r"jobs/ingest/\w+/unprocessedrecords")


async def test_a_job_is_made_with_an_answer_in_json_and_read_with_one_in_csv(org: Vendor) -> None:
    """Trap 11: the library asks for CSV where the vendor answers JSON."""
    org.on("GET", "limits/recordCount", lambda _: Answer(200, {"sObjects": [{"name": "Contact", "count": 9999}]}))
    org.on("POST", "jobs/query", lambda _: Answer(200, {"id": "7500", "state": "UploadComplete"}))
    org.on("GET", "jobs/query/7500", lambda _: Answer(200, {"id": "7500", "state": "JobComplete"}))
    org.on("GET", "jobs/query/7500/results", lambda _: Answer(200, b"Id\n", {**CSV, "sforce-locator": "null"}))
    async with connected(org) as crm:
        cursor, more = None, True
        while more:
            told = await crm.scan(PEOPLE, cursor, Lane.BULK)
            cursor, more = told.cursor, told.more
    accepts = {one.tail: one.headers["accept"] for one in org.calls("jobs/.*")}
    assert accepts == {
        "jobs/query": "application/json", "jobs/query/7500": "application/json", "jobs/query/7500/results": "text/csv",
    }  # fmt: skip


async def test_numbers_keep_their_digits_and_records_are_plain(org: Vendor) -> None:
    """Trap 12: binary floats, and a mistyped name that is taken for an object."""
    raw = b'{"done":true,"records":[{"Id":"003","Amount":12345678901234567.89,"n":3}]}'
    org.on("GET", "query/", lambda asked: Answer(200, raw))
    async with connected(org) as crm:
        records = (await crm._rest.query("SELECT Amount FROM Opportunity", Lane.LIVE))["records"]
    assert records == [{"Id": "003", "Amount": "12345678901234567.89", "n": 3}]
    assert set(re.findall(r"\bsf\.(\w+)", CODE)) <= {"restful", "query", "query_more"}


async def test_each_thread_has_an_instance_of_its_own(org: Vendor) -> None:
    """Trap 13: nothing in the library is guarded."""
    gate, met = threading.Barrier(4, timeout=5), set()

    def run(sf: Any) -> Any:
        gate.wait()
        met.add((threading.get_ident(), id(sf), id(sf.session)))
        return sf.limits()

    org.on("GET", "limits/", lambda asked: Answer(200, {"a": 1}))
    async with connected(org) as crm:
        await asyncio.gather(*(crm._rest.call(run, Lane.LIVE) for _ in range(4)))
    assert len({one[0] for one in met}) == len({one[1] for one in met}) == len({one[2] for one in met}) == 4


async def test_replies_are_plain_and_small_and_times_of_the_feed_say_their_zone(org: Vendor) -> None:
    """Trap 14: OrderedDict, pretty-printing, and a feed that takes times with a zone only."""
    org.on("GET", "query/", lambda _: page([{"Id": record_id(1), "Account": {"Name": "x"}}]))
    async with connected(org) as crm:
        (row,) = (await crm._rest.query("SELECT Id FROM Contact", Lane.LIVE))["records"]
    assert type(row) is dict
    assert type(row["Account"]) is dict
    assert "x-prettyprint" not in org.calls()[0].headers
    assert _feed_instant(NOW) == "2026-11-02T08:00:00+00:00"


def test_an_instant_is_utc_whatever_the_zone_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 15: the library takes times without a zone for local ones."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert instant(NOW) == "2026-11-02T08:00:00.000Z"
    finally:
        monkeypatch.delenv("TZ")
        os.environ.pop("TZ", None)
        time.tzset()


async def test_an_upload_leaves_piece_by_piece_and_results_are_never_held_whole(org: Vendor) -> None:
    """Trap 16: the library holds an upload several times, and reads results whole."""
    jobs = Jobs(org)
    sent: list[Asked] = []
    upload = jobs.upload

    def keep(asked: Asked) -> Answer:
        sent.append(asked)
        return upload(asked)

    org.on("PUT", r"jobs/ingest/\w+/batches", keep)
    await run(org, [Write(create(n).key, Action.CREATE, {"LastName": "x" * 50_000}) for n in range(4)])
    assert "transfer-encoding" not in sent[0].headers, "a length is told, for servers that want one"
    assert int(sent[0].headers["content-length"]) == len(sent[0].raw) > 4 * 50_000
    reader = RowReader(frozenset({"id"}))
    for n in range(200):
        (row,) = reader.feed(f"Id,Bio\n{n},{'x' * 9000}\n".encode() if n == 0 else f"{n},{'x' * 9000}\n".encode())
        assert row == {"Id": str(n)}, "only the columns that are wanted"
    assert sum(map(len, reader._rest)) == 0
