"""Reading, polling, scanning: what the org holds, what changed, what is gone, everything."""

from __future__ import annotations

import json
import re
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.value import instant_from_ms
from syncd.runtime.clock import ManualClock
from syncd.systems.contract import Snapshot, VendorError
from syncd.systems.salesforce.capture import Cursor, parse_cursor, step
from syncd.systems.salesforce.settings import QUERY_PAGE

from .kit import CONTACTS, KEY, NOW, PEOPLE, Answer, Asked, Vendor, connected, contact, page, record_id, refusal


def ids_in(soql: str) -> list[str]:
    return re.findall(r"'(\w{18})'", soql)


async def test_records_are_read_by_id_through_queries_when_a_parent_is_mapped(org: Vendor) -> None:
    org.on("GET", "query/", lambda asked: page([contact(1, Account={"attributes": {}, "Name": "Acme"})]))
    org.on("GET", "queryAll/", lambda asked: page([]))
    async with connected(org) as crm:
        result = await crm.read(CONTACTS, [record_id(1)[:15], record_id(2), "garbage"], Lane.LIVE)
    asked = org.calls("query/")[0].query["q"]
    assert asked.startswith("SELECT Id,SystemModstamp,Email,FirstName,LastName,Phone,Account.Name,")
    assert ids_in(asked) == [record_id(1), record_id(2)]
    shot = result.found[record_id(1)[:15]]
    assert shot.data["Account"] == {"Name": "Acme"}
    assert "attributes" not in shot.data
    assert result.missing == {record_id(2), "garbage"}


async def test_plain_records_are_read_eight_hundred_a_call(org: Vendor) -> None:
    def retrieve(asked: Asked) -> Answer:
        return Answer(200, [contact(int(one[3:15])) if int(one[3:15]) % 2 else None for one in asked.body["ids"]])

    org.on("POST", "composite/sobjects/Contact", retrieve)
    org.on("GET", "queryAll/", lambda asked: page([]))
    async with connected(org) as crm:
        result = await crm.read(PEOPLE, [record_id(n) for n in range(1000)], Lane.LIVE)
    calls = org.calls("composite/.*")
    assert [len(one.body["ids"]) for one in calls] == [800, 200]
    assert calls[0].body["fields"] == ["Id", "SystemModstamp", "Email", "FirstName", "LastName", KEY]
    assert len(result.found) == len(result.missing) == 500


async def test_both_forms_of_an_id_are_found(org: Vendor) -> None:
    org.on("POST", "composite/sobjects/Contact", lambda asked: Answer(200, [contact(1)]))
    long = record_id(1)
    async with connected(org) as crm:
        result = await crm.read(PEOPLE, [long, long[:15]], Lane.LIVE)
    assert set(result.found) == {long, long[:15]}
    assert not result.missing


async def test_a_query_whose_pages_repeat_themselves_ends(org: Vendor) -> None:
    more = "/services/data/v67.0/query/01g-2000"
    org.on("GET", "query/?", lambda asked: page([contact(1)], more))
    org.on("GET", "query/01g-2000", lambda asked: page([contact(1)], more))
    async with connected(org) as crm:
        with pytest.raises(VendorError) as caught:
            await crm.find(PEOPLE, ["customer-1"], Lane.LIVE)
    assert caught.value.failure.code == "no-progress"


async def test_a_merged_record_answers_with_the_survivor_of_the_survivor(org: Vendor) -> None:
    def query_all(asked: Asked) -> Answer:
        led = {record_id(1): record_id(2), record_id(2): record_id(3)}
        return page([{"Id": one, "MasterRecordId": led[one]} for one in ids_in(asked.query["q"]) if one in led])

    org.on("GET", "queryAll/", query_all)
    org.on("POST", "composite/sobjects/Contact", lambda asked: Answer(
        200, [contact(3) if one == record_id(3) else None for one in asked.body["ids"]]
    ))  # fmt: skip
    async with connected(org) as crm:
        result = await crm.read(PEOPLE, [record_id(1), record_id(9)], Lane.LIVE)
    assert result.found[record_id(1)].external_id == record_id(3)
    assert result.missing == {record_id(9)}


async def test_records_are_found_by_our_key_whatever_its_case(org: Vendor) -> None:
    org.on("GET", "query/", lambda asked: page([contact(7)]))
    keys = [f"customer-{7:020x}", "customer-nobody", "it's'"]
    async with connected(org) as crm:
        found = await crm.find(CONTACTS, keys, Lane.LIVE)
    assert found.keys() == {keys[0]}
    assert f"{KEY} IN ('customer-00000000000000000007','customer-nobody','it\\'s\\'')" in org.calls()[0].query["q"]


async def test_a_field_that_is_gone_is_told_in_the_vendors_words(org: Vendor) -> None:
    told = "No such column 'Price_Tier__c' on entity 'Contact'."
    org.on("GET", "query/", lambda asked: refusal(400, "INVALID_FIELD", told))
    async with connected(org) as crm:
        with pytest.raises(VendorError) as caught:
            await crm.poll(CONTACTS, None, Lane.SCHEDULED)
    assert (caught.value.failure.remedy, caught.value.failure.message) == (Remedy.ASK, told)


# --- polling ---------------------------------------------------------------------------------------------------------


class Table:
    """Contacts that change, behind the queries of a poll."""

    def __init__(self, org: Vendor) -> None:
        self.rows: dict[str, tuple[int, dict[str, Any]]] = {}
        self.deleted: dict[str, int] = {}
        self.led: dict[str, str] = {}
        org.on("GET", "query/", self.query)
        org.on("GET", "queryAll/", self.query_all)
        org.on("GET", "sobjects/Contact/deleted/", self.feed)
        org.on("GET", "limits/recordCount", lambda asked: Answer(200, {"sObjects": [{"name": "Contact", "count": 5}]}))

    def put(self, number: int, at: int, **more: Any) -> None:
        stamp = instant_from_ms(at).replace("Z", "+0000")
        self.rows[record_id(number)] = at, contact(number, SystemModstamp=stamp, **more)

    def query(self, asked: Asked) -> Answer:
        soql = asked.query["q"]
        found = sorted(self.rows.values(), key=lambda one: (one[0], one[1]["Id"]))
        if "ORDER BY Id" in soql:
            after = re.search(r"Id > '(\w+)'", soql)
            found = sorted(self.rows.values(), key=lambda one: one[1]["Id"])
            found = [one for one in found if not after or one[1]["Id"] > after[1]]
        else:
            stamps = re.findall(r"SystemModstamp (>=|>|<=) (\S+?)(?: |\)|$)", soql)
            past = re.search(r"Id > '(\w+)'", soql)
            for sign, text in stamps:
                from syncd.systems.salesforce.values import milliseconds

                at = milliseconds(text)
                if sign == ">=":
                    found = [one for one in found if one[0] >= at]
                elif sign == "<=":
                    found = [one for one in found if one[0] <= at]
                else:
                    found = [one for one in found if one[0] > at or (past and one[0] == at and one[1]["Id"] > past[1])]
        limit = re.search(r"LIMIT (\d+)", soql)
        return page([one[1] for one in found[: int(limit[1]) if limit else None]])

    def query_all(self, asked: Asked) -> Answer:
        return page(
            [{"Id": one, "MasterRecordId": self.led[one]} for one in ids_in(asked.query["q"]) if one in self.led]
        )

    def feed(self, asked: Asked) -> Answer:
        from syncd.systems.salesforce.values import milliseconds

        start, end = milliseconds(asked.query["start"]), milliseconds(asked.query["end"])
        assert start % 60_000 == end % 60_000 == 0
        assert end - start >= 60_000
        listed = [
            {"id": one, "deletedDate": instant_from_ms(at)} for one, at in self.deleted.items() if start <= at < end
        ]
        return Answer(200, {
            "deletedRecords": listed, "earliestDateAvailable": instant_from_ms(0), "latestDateCovered": instant_from_ms(end),
        })  # fmt: skip


async def later(org: Vendor, clock: ManualClock, seconds: float) -> None:
    await clock.advance(seconds)
    org.date = formatdate(clock.now_ms() / 1000, usegmt=True)


async def test_a_poll_begins_at_the_present_with_its_overlap_and_goes_on_from_there(org: Vendor) -> None:
    table, clock = Table(org), ManualClock(NOW)
    table.put(1, NOW - 400_000)
    table.put(2, NOW - 200_000)
    async with connected(org, clock=clock) as crm:
        first = await crm.poll(CONTACTS, None, Lane.SCHEDULED)
        assert [one.external_id for one in first.snapshots] == [record_id(2)]
        assert not first.more
        await later(org, clock, 600)
        table.put(3, NOW + 500_000)
        second = await crm.poll(CONTACTS, first.cursor, Lane.SCHEDULED)
        third = await crm.poll(CONTACTS, second.cursor, Lane.SCHEDULED)
    assert record_id(3) in [one.external_id for one in second.snapshots]
    assert [one.version for one in third.snapshots] == [
        one.version for one in second.snapshots if one.modified_at > NOW
    ]


async def test_what_stood_still_since_the_last_polls_is_not_read_again_for_ever(org: Vendor) -> None:
    table, clock = Table(org), ManualClock(NOW)
    for number in range(3):
        table.put(number, NOW - 1000)
    met, cursor = [], None
    async with connected(org, clock=clock) as crm:
        for _ in range(4):
            found = await crm.poll(CONTACTS, cursor, Lane.SCHEDULED)
            met.append(len(found.snapshots))
            cursor = found.cursor
            await later(org, clock, 600)
    assert met[0] == 3
    assert met[-1] == 0


async def test_a_stamp_shared_by_thousands_is_walked_without_a_miss(
    org: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.systems.salesforce.capture.QUERY_PAGE", 10)
    table = Table(org)
    for number in range(35):
        table.put(number, NOW - 1000)
    seen: list[str] = []
    async with connected(org) as crm:
        cursor, more = None, True
        while more:
            found = await crm.poll(CONTACTS, cursor, Lane.SCHEDULED)
            seen += [one.external_id for one in found.snapshots]
            cursor, more = found.cursor, found.more
    assert seen == [record_id(n) for n in range(35)]


async def test_deletions_and_merges_come_with_the_poll(org: Vendor) -> None:
    table, clock = Table(org), ManualClock(NOW)
    async with connected(org, clock=clock) as crm:
        first = await crm.poll(CONTACTS, None, Lane.SCHEDULED)
        assert not org.calls("sobjects/Contact/deleted/")
        await later(org, clock, 300)
        table.deleted = {record_id(1): NOW + 10_000, record_id(2): NOW + 20_000}
        table.led = {record_id(2): record_id(3)}
        second = await crm.poll(CONTACTS, first.cursor, Lane.SCHEDULED)
        third = await crm.poll(CONTACTS, second.cursor, Lane.SCHEDULED)
    gone, merged = sorted(second.snapshots, key=lambda one: one.external_id)
    assert (gone.external_id, gone.deleted, gone.merged_into) == (record_id(1), True, "")
    assert (merged.external_id, merged.deleted, merged.merged_into) == (record_id(2), False, record_id(3))
    assert not third.snapshots


async def test_a_feed_older_than_a_month_is_asked_for_what_it_has(org: Vendor) -> None:
    Table(org)
    old = Cursor(NOW - 60 * 86_400_000, deleted=NOW - 60 * 86_400_000)
    async with connected(org) as crm:
        await crm.poll(CONTACTS, old.text(), Lane.SCHEDULED)
    assert org.calls("sobjects/Contact/deleted/")[0].query["start"] == "2026-10-04T08:00:00+00:00"


async def test_a_cursor_that_is_none_is_said_to_be_none(org: Vendor) -> None:
    async with connected(org) as crm:
        for poll in (crm.poll, crm.scan):
            with pytest.raises(VendorError) as caught:
                await poll(CONTACTS, "nonsense", Lane.SCHEDULED)
            assert caught.value.failure.code == "bad-cursor"


@given(
    st.lists(st.integers(0, 40), min_size=0, max_size=60),
    st.integers(2, 7),
    st.integers(0, 20),
    st.booleans(),
)
def test_a_sweep_meets_every_row_once_and_ends(stamps: list[int], size: int, overlap: int, settles: bool) -> None:
    """Rows stand still here; what moves meanwhile only moves to the end."""
    rows = sorted((at, f"{number:03}") for number, at in enumerate(stamps))
    cursor, seen, turns = Cursor(20), [], 0
    while True:
        since = max(0, cursor.high - overlap) if cursor.since is None else cursor.since
        past = cursor.past_id if cursor.since is not None else ""
        found = [one for one in rows if (one > (since, past) if past else one[0] >= since)][:size]
        seen += found
        shots = [Snapshot("X", one[1], {}, "", one[0]) for one in found]
        cursor, more = step(cursor, shots, overlap, 100, size, settles=settles)
        assert parse_cursor(cursor.text()) == cursor
        turns += 1
        assert turns < 100
        if not more:
            break
    assert seen == [one for one in rows if one[0] >= max(0, 20 - overlap)]
    assert cursor.high == max([20, 100 - overlap if settles else 0, *(one[0] for one in seen)])


# --- scanning --------------------------------------------------------------------------------------------------------


class Job:
    """A Bulk query job with its pages."""

    def __init__(self, org: Vendor, rows: int, states: list[str]) -> None:
        self.rows, self.states, self.made = rows, states, 0
        org.on(
            "GET", "limits/recordCount", lambda asked: Answer(200, {"sObjects": [{"name": "Contact", "count": 10_000}]})
        )
        org.on("POST", "jobs/query", self.make)
        org.on("GET", r"jobs/query/\w+", self.state)
        org.on("GET", r"jobs/query/\w+/results", self.results)

    def make(self, asked: Asked) -> Answer:
        self.made += 1
        return Answer(200, {"id": f"750{self.made}", "state": "UploadComplete"})

    def state(self, asked: Asked) -> Answer:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return Answer(200, {"id": asked.path.split("/")[-1], "state": state})

    def results(self, asked: Asked) -> Answer:
        start, size = int(asked.query.get("locator", "0")), int(asked.query["maxRecords"])
        end = min(start + size, self.rows)
        lines = ['"Id","SystemModstamp","Email","Account.Name","DoNotCall"']
        lines += [
            f'"{record_id(n)}","2026-11-01T08:00:00.000Z","p{n}@x.de","Acme ""{n}""\nGmbH",""'
            for n in range(start, end)
        ]
        headers = {"content-type": "text/csv", "Sforce-Locator": str(end) if end < self.rows else "null",
                   "Sforce-NumberOfRecords": str(end - start)}  # fmt: skip
        return Answer(200, ("\n".join(lines) + "\n").encode(), headers)


async def scan(crm: Any, cursor: str | None = None, stop: int = 10_000) -> tuple[list[Snapshot], str, bool]:
    seen: list[Snapshot] = []
    more = True
    while more and stop:
        found = await crm.scan(CONTACTS, cursor, Lane.BULK)
        seen += found.snapshots
        cursor, more, stop = found.cursor, found.more, stop - 1
    return seen, cursor or "", more


async def test_a_scan_through_a_bulk_job_streams_page_by_page(org: Vendor) -> None:
    job = Job(org, 25, ["JobComplete"])
    async with connected(org, scan_page=10) as crm:
        seen, cursor, _ = await scan(crm)
        assert not (await crm.scan(CONTACTS, cursor, Lane.BULK)).more
    assert [one.external_id for one in seen] == [record_id(n) for n in range(25)]
    assert seen[3].data["Account"] == {"Name": 'Acme "3"\nGmbH'}
    assert seen[3].data["DoNotCall"] is None
    assert job.made == 1
    made = org.calls("jobs/query", "POST")[0].body
    assert made["query"].startswith("SELECT Id,SystemModstamp,Email")
    assert "ORDER BY" not in made["query"]


async def test_a_scan_killed_anywhere_never_asks_for_a_finished_page_again(org: Vendor) -> None:
    job = Job(org, 95, ["JobComplete"])
    seen: list[Snapshot] = []
    cursor: str | None = None
    more = True
    while more:  # Every step in a process of its own, as it were; the token dies too.
        async with connected(org, scan_page=10) as crm:
            found, cursor, more = await scan(crm, cursor, stop=1)
            seen += found
        org.expire()
    assert [one.external_id for one in seen] == [record_id(n) for n in range(95)]
    assert job.made == 1
    pages = [one.query.get("locator") for one in org.calls(r"jobs/query/\w+/results")]
    answered = [one for one in pages if pages.count(one) > 1]
    assert not answered, "a page was asked for twice"


async def test_a_scan_waits_for_its_job_and_its_token_may_end_meanwhile(org: Vendor) -> None:
    Job(org, 3, ["UploadComplete", "InProgress", "JobComplete"])
    clock = ManualClock(NOW)
    async with connected(org, clock=clock) as crm:
        first = await crm.scan(CONTACTS, None, Lane.BULK)
        org.expire()
        import asyncio

        task = asyncio.ensure_future(scan(crm, first.cursor))
        while not task.done():
            await asyncio.sleep(0.005)
            await clock.advance(1)
        seen, _, _ = await task
    assert len(seen) == 3
    assert len(org.tokens) == 2


async def test_a_job_that_fails_is_made_anew_and_in_the_end_replaced_by_a_walk(org: Vendor) -> None:
    table = Table(org)
    for number in range(3):
        table.put(number, NOW)
    job = Job(org, 3, ["Failed"])
    async with connected(org) as crm:
        seen, _, _ = await scan(crm)
    assert job.made == 3
    assert [one.external_id for one in seen] == [record_id(n) for n in range(3)]


async def test_a_job_that_the_vendor_forgot_is_made_anew(org: Vendor) -> None:
    job = Job(org, 3, ["JobComplete"])
    async with connected(org) as crm:
        _, cursor, _ = await scan(crm, stop=2)
        org.on("GET", "jobs/query/7501/results", lambda asked: refusal(404, "NOT_FOUND", "gone"))
        seen, _, _ = await scan(crm, cursor)
    assert (len(seen), job.made) == (3, 2)


async def test_a_page_that_was_cut_off_is_not_taken_for_whole(org: Vendor) -> None:
    Job(org, 3, ["JobComplete"])
    short = b'"Id","Email"\n"' + record_id(1).encode() + b'","a@b.c"\n'
    org.on("GET", r"jobs/query/\w+/results", lambda asked: Answer(200, short, {"Sforce-NumberOfRecords": "3"}))
    async with connected(org) as crm:
        _, cursor, _ = await scan(crm, stop=2)
        with pytest.raises(VendorError) as caught:
            await scan(crm, cursor)
    assert caught.value.failure.code == "page-cut-off"


async def test_few_rows_are_walked_by_id(org: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.systems.salesforce.scan.QUERY_PAGE", 10)
    table = Table(org)
    for number in range(25):
        table.put(number, NOW - number)
    async with connected(org) as crm:
        seen, cursor, more = await scan(crm)
    assert [one.external_id for one in seen] == [record_id(n) for n in range(25)]
    assert json.loads(cursor)["done"] is True
    assert not more
    assert len(org.calls("query/")) == 3
    assert QUERY_PAGE == 2000
