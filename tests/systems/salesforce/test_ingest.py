"""Upload jobs: what goes wrong before the start is tried again, after it every row without a word is in doubt."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from typing import Any

import pytest

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.runtime.clock import ManualClock
from syncd.systems.contract import Job, JobSystem, VendorError, Verdict, Write

from .kit import KEY, NOW, PEOPLE, Answer, Asked, Book, Books, Vendor, connected, done, page, record_id, refusal


class Jobs:
    """An org that takes upload jobs."""

    def __init__(self, org: Vendor) -> None:
        self.org = org
        self.uploads: dict[str, list[dict[str, str]]] = {}
        self.made: list[dict[str, Any]] = []
        self.states: list[str] = ["JobComplete"]
        self.message = ""
        self.failed: dict[str, str] = {}
        self.unprocessed: set[str] = set()
        self.silent: set[str] = set()
        self.patches: list[str] = []
        org.on("POST", "jobs/ingest", self.make)
        org.on("PUT", r"jobs/ingest/\w+/batches", self.upload)
        org.on("PATCH", r"jobs/ingest/\w+", self.patch)
        org.on("GET", r"jobs/ingest/\w+", self.state)
        for kind in ("failedResults", "successfulResults", "unprocessedrecords"):
            org.on("GET", rf"jobs/ingest/\w+/{kind}", self.results)

    def make(self, asked: Asked) -> Answer:
        self.made.append(asked.body)
        return Answer(200, {"id": f"750{len(self.made)}", "state": "Open"})

    def upload(self, asked: Asked) -> Answer:
        assert asked.headers["content-type"] == "text/csv; charset=UTF-8"
        self.uploads[asked.path.split("/")[-2]] = list(csv.DictReader(io.StringIO(asked.raw.decode(), newline="")))
        return Answer(201)

    def patch(self, asked: Asked) -> Answer:
        self.patches.append(asked.body["state"])
        return Answer(200, {"id": asked.path.split("/")[-1], "state": asked.body["state"]})

    def state(self, asked: Asked) -> Answer:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return Answer(200, {"id": asked.path.split("/")[-1], "state": state, "errorMessage": self.message})

    def results(self, asked: Asked) -> Answer:
        *_, job, kind = asked.path.split("/")
        rows = self.uploads[job]
        mark = "Id" if "Id" in rows[0] else KEY
        out = io.StringIO()
        ours = {
            "failedResults": lambda one: one[mark] in self.failed,
            "unprocessedrecords": lambda one: one[mark] in self.unprocessed,
            "successfulResults": lambda one: (
                one[mark] not in self.failed | dict.fromkeys(self.unprocessed | self.silent)
            ),
        }[kind]
        extra = {"failedResults": ["sf__Id", "sf__Error"], "successfulResults": ["sf__Id", "sf__Created"]}.get(kind, [])
        writer = csv.DictWriter(out, [*extra, *rows[0]])
        writer.writeheader()
        for number, row in enumerate(reversed(rows)):
            if ours(row):
                told = {
                    "sf__Id": row.get("Id") or record_id(number),
                    "sf__Created": "true",
                    "sf__Error": self.failed.get(row[mark], ""),
                }
                writer.writerow({**{name: told[name] for name in extra}, **row})
        return Answer(200, out.getvalue().encode(), {"content-type": "text/csv"})


def create(number: int, **values: Any) -> Write:
    return Write(f"customer-{number:020x}", Action.CREATE, {"LastName": f"L{number}", **values})


def key(number: int) -> str:
    return f"customer-{number:020x}"


async def run(org: Vendor, writes: list[Write], **more: Any) -> list[Verdict]:
    clock = ManualClock(NOW)
    async with connected(org, clock=clock, bulk_threshold=3, **more) as crm:
        task = asyncio.ensure_future(crm.write(PEOPLE, writes, Lane.BULK))
        while not task.done():
            await asyncio.sleep(0.005)
            await clock.advance(10)
        return list(await task)


async def test_creates_and_updates_are_jobs_of_their_own_and_rows_are_found_by_their_mark(org: Vendor) -> None:
    jobs = Jobs(org)
    update = Write(key(9), Action.UPDATE, {"Phone": None, "DoNotCall": True}, external_id=record_id(9))
    adopt = Write(key(8), Action.CREATE, {"LastName": "x"}, external_id=record_id(8))
    verdicts = await run(org, [create(1), create(2, Phone="1"), update, adopt])
    assert [one.outcome for one in verdicts] == [Outcome.APPLIED] * 4
    assert [(one["operation"], one.get("externalIdFieldName")) for one in jobs.made] == [
        ("upsert", KEY),
        ("update", None),
    ]
    first, second = jobs.uploads.values()
    assert first == [
        {KEY: key(1), "LastName": "L1", "Phone": ""}, {KEY: key(2), "LastName": "L2", "Phone": "1"},
    ]  # fmt: skip
    assert second == [
        {"Id": record_id(8), "DoNotCall": "", "LastName": "x", "Phone": "", KEY: key(8)},
        {"Id": record_id(9), "DoNotCall": "true", "LastName": "", "Phone": "#N/A", KEY: ""},
    ]  # fmt: skip
    assert [one.external_id for one in verdicts[2:]] == [record_id(9), record_id(8)]
    assert jobs.patches == ["UploadComplete"] * 2


async def test_each_row_has_the_end_that_the_results_tell(org: Vendor) -> None:
    jobs = Jobs(org)
    jobs.states, jobs.message = ["UploadComplete", "InProgress", "Failed"], "InvalidBatch : no"
    jobs.failed = {key(1): "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"}
    jobs.unprocessed, jobs.silent = {key(2)}, {key(3)}
    verdicts = await run(org, [create(n) for n in range(5)])
    ends = [one.failure and (one.failure.remedy, one.failure.code) for one in verdicts]
    assert ends == [
        None, (Remedy.ASK, "REQUIRED_FIELD_MISSING"), (Remedy.RETRY, "unprocessed"), (Remedy.LOOK, "no-verdict"), None,
    ]  # fmt: skip
    assert verdicts[3].failure is not None
    assert "Failed" in verdicts[3].failure.message
    assert "InvalidBatch" in verdicts[3].failure.message
    assert verdicts[2].failure is not None
    assert "InvalidBatch" in verdicts[2].failure.message, "who is asked about the row learns what ended the job"


async def test_rows_that_the_days_limit_left_out_wait_for_the_next_day(org: Vendor) -> None:
    jobs = Jobs(org)
    jobs.states, jobs.message = ["Failed"], "LimitExceeded : ApiBatchItems Limit exceeded."
    jobs.unprocessed = {key(n) for n in range(3)}
    verdicts = await run(org, [create(n) for n in range(3)])
    assert {one.failure and (one.failure.remedy, one.failure.code) for one in verdicts} == {
        (Remedy.WAIT, "unprocessed")
    }


async def test_rows_that_were_locked_are_tried_again_in_small_calls(org: Vendor) -> None:
    jobs = Jobs(org)
    jobs.failed = {key(1): "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--"}
    org.on("PATCH", f"composite/sobjects/Contact/{KEY}", lambda asked: Answer(200, [done(record_id(77), created=True)]))
    verdicts = await run(org, [create(n) for n in range(4)])
    assert [one.outcome for one in verdicts] == [Outcome.APPLIED] * 4
    assert verdicts[1].external_id == record_id(77)
    (again,) = org.calls("composite/.*")
    assert [one[KEY] for one in again.body["records"]] == [key(1)]


async def test_an_upload_that_breaks_is_aborted_and_tried_again_since_nothing_was_applied(org: Vendor) -> None:
    jobs = Jobs(org)
    org.on("PUT", r"jobs/ingest/\w+/batches", lambda asked: Answer(0))
    verdicts = await run(org, [create(n) for n in range(3)])
    assert {one.failure.remedy for one in verdicts if one.failure} == {Remedy.RETRY}
    assert jobs.patches == ["Aborted"]


async def test_a_start_whose_answer_is_lost_is_looked_at_and_started_again_if_it_was_not(org: Vendor) -> None:
    jobs = Jobs(org)
    answers = iter([Answer(0), Answer(200, {"id": "7501", "state": "UploadComplete"})])
    jobs.states = ["Open", "JobComplete"]
    org.on("PATCH", r"jobs/ingest/\w+", lambda asked: next(answers))
    verdicts = await run(org, [create(n) for n in range(3)])
    assert [one.outcome for one in verdicts] == [Outcome.APPLIED] * 3


async def test_a_job_that_cannot_be_seen_any_more_leaves_its_rows_in_doubt(org: Vendor) -> None:
    Jobs(org)
    org.on("GET", r"jobs/ingest/\w+", lambda asked: Answer(503, b"<html>"))
    verdicts = await run(org, [create(n) for n in range(3)])
    assert {one.failure.remedy for one in verdicts if one.failure} == {Remedy.LOOK}


async def test_results_that_cannot_be_read_leave_their_rows_in_doubt(org: Vendor) -> None:
    Jobs(org)
    org.on("GET", r"jobs/ingest/\w+/failedResults", lambda asked: Answer(200, b'"sf__Id","sf__Error"\n"1'))
    verdicts = await run(org, [create(n) for n in range(3)])
    assert {(one.failure.remedy, one.failure.code) for one in verdicts if one.failure} == {
        (Remedy.LOOK, "unreadable-reply")
    }


async def test_a_job_that_is_refused_was_not_applied(org: Vendor) -> None:
    Jobs(org)
    org.on("POST", "jobs/ingest", lambda asked: refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
    verdicts = await run(org, [create(n) for n in range(3)])
    assert {(one.failure.remedy, one.failure.retry_after_seconds) for one in verdicts if one.failure} == {
        (Remedy.WAIT, 900.0)
    }


async def test_a_token_that_ends_while_a_job_runs_is_renewed_and_the_upload_sent_whole(org: Vendor) -> None:
    """Trap 4: the library's bulk part takes the token once and dies of it."""
    jobs = Jobs(org)

    def make(asked: Asked) -> Answer:
        told = jobs.make(asked)
        org.expire()
        return told

    org.on("POST", "jobs/ingest", make)
    verdicts = await run(org, [create(n) for n in range(50)])
    assert [one.outcome for one in verdicts] == [Outcome.APPLIED] * 50
    assert len(jobs.uploads["7501"]) == 50
    assert len(org.tokens) == 2


async def test_few_writes_and_urgent_ones_do_without_a_job(org: Vendor) -> None:
    jobs = Jobs(org)
    org.on("PATCH", f"composite/sobjects/Contact/{KEY}", lambda asked: Answer(
        200, [done(record_id(n), created=True) for n, _ in enumerate(asked.body["records"])]
    ))  # fmt: skip
    books = Books()
    async with connected(org, books, bulk_threshold=3) as crm:
        await crm.write(PEOPLE, [create(n) for n in range(2)], Lane.BULK)
        await crm.write(PEOPLE, [create(n) for n in range(9)], Lane.LIVE)
    assert not jobs.made
    assert {call.kind for call, _ in books.paid} == {"auth", "api"}
    assert json.dumps(org.calls("composite/.*")[1].body).count(KEY) == 9


# --- jobs that outlive us --------------------------------------------------------------------------------------------


async def resumed(org: Vendor, job: Job, book: Book | None = None) -> list[Verdict]:
    async with connected(org, clock=ManualClock(NOW), jobs=book) as crm:
        assert isinstance(crm, JobSystem)
        return list(await crm.resume(PEOPLE, job, Lane.BULK))


async def test_a_job_is_noted_before_its_rows_go_up_and_closed_when_every_row_has_its_end(org: Vendor) -> None:
    jobs, book = Jobs(org), Book()
    noted_first: list[bool] = []
    jobs_upload = jobs.upload

    def upload(asked: Asked) -> Answer:
        noted_first.append(len(book.noted) == len(noted_first) + 1)
        return jobs_upload(asked)

    org.on("PUT", r"jobs/ingest/\w+/batches", upload)
    update = Write(key(9), Action.UPDATE, {"Phone": "1"}, external_id=record_id(9))
    await run(org, [create(1), create(2), update], jobs=book)
    assert noted_first == [True, True]
    assert book.noted == [Job("upsert 7501", "Contact", (key(1), key(2))), Job("update 7502", "Contact", (key(9),))]
    assert book.closed == book.noted


async def test_a_job_of_before_a_crash_is_waited_for_and_its_rows_are_not_sent_again(org: Vendor) -> None:
    jobs, book = Jobs(org), Book()
    jobs.failed = {key(2): "STRING_TOO_LONG:too long:LastName --"}
    job = Job("upsert 7501", "Contact", tuple(key(n) for n in range(4)))
    jobs.uploads["7501"] = [{KEY: key(n), "LastName": "x"} for n in range(3)]
    verdicts = await resumed(org, job, book)
    assert [one.key for one in verdicts] == list(job.keys)
    ends = [(one.failure.remedy, one.failure.code) if one.failure else one.outcome.value for one in verdicts]
    assert ends == ["applied", "applied", (Remedy.ASK, "STRING_TOO_LONG"), (Remedy.LOOK, "no-verdict")]
    assert book.closed == [job]
    assert {one.method for one in org.calls("jobs/.*")} == {"GET"}


async def test_a_job_that_never_got_its_rows_is_ended_and_nothing_was_applied(org: Vendor) -> None:
    jobs, book = Jobs(org), Book()
    jobs.states = ["Open"]
    verdicts = await resumed(org, Job("upsert 7501", "Contact", (key(1), key(2))), book)
    assert [one.failure and one.failure.remedy for one in verdicts] == [Remedy.RETRY, Remedy.RETRY]
    assert jobs.patches == ["Aborted"]
    assert len(book.closed) == 1
    jobs.states = ["Aborted"]
    (again,) = await resumed(org, Job("upsert 7501", "Contact", (key(1),)))
    assert again.failure is not None
    assert again.failure.remedy is Remedy.RETRY


async def test_rows_of_known_records_are_told_by_the_key_they_carry_and_the_others_are_looked_up(org: Vendor) -> None:
    jobs = Jobs(org)
    jobs.uploads["7501"] = [{"Id": record_id(n), "LastName": "x"} for n in range(3)]
    jobs.failed = {record_id(1): "UNABLE_TO_LOCK_ROW:busy:--"}
    org.on("GET", "query/?", lambda _: page([{"Id": record_id(n), KEY: key(n)} for n in range(2)]))
    verdicts = await resumed(org, Job("update 7501", "Contact", tuple(key(n) for n in range(3))))
    assert (verdicts[0].outcome, verdicts[0].external_id) == (Outcome.APPLIED, record_id(0))
    assert [one.failure and one.failure.code for one in verdicts[1:]] == ["UNABLE_TO_LOCK_ROW", "no-verdict"]
    assert verdicts[2].failure is not None
    assert verdicts[2].failure.remedy is Remedy.LOOK


async def test_a_job_that_the_vendor_has_purged_or_that_is_none_of_ours_is_in_doubt(org: Vendor) -> None:
    (verdict,) = await resumed(org, Job("upsert 7509", "Contact", (key(1),)))
    assert verdict.failure is not None
    assert verdict.failure.remedy is Remedy.LOOK
    with pytest.raises(VendorError) as caught:
        await resumed(org, Job("delete ../../x", "Contact", (key(1),)))
    assert caught.value.failure.remedy is Remedy.ASK


async def test_locked_rows_go_again_one_small_call_after_another(org: Vendor) -> None:
    jobs = Jobs(org)
    jobs.failed = {key(n): "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access:--" for n in range(60)}
    under_way, most = 0, 0
    sizes: list[int] = []

    def collection(asked: Asked) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        time.sleep(0.01)
        sizes.append(len(asked.body["records"]))
        under_way -= 1
        return Answer(200, [done(record_id(n), created=True) for n in range(sizes[-1])])

    org.on("PATCH", rf"composite/sobjects/Contact/{KEY}", collection)
    verdicts = await run(org, [create(n) for n in range(60)])
    assert {one.outcome for one in verdicts} == {Outcome.APPLIED}
    assert (sizes, most) == ([25, 25, 10], 1)


async def test_a_job_without_an_id_was_not_begun(org: Vendor) -> None:
    for made in ({}, {"id": None}, {"id": 5}, {"id": "../../query"}, []):
        org.on("POST", "jobs/ingest", lambda asked, told=made: Answer(200, told))
        verdicts = await run(org, [create(n) for n in range(3)])
        assert {one.failure and (one.failure.remedy, one.failure.code) for one in verdicts} == {
            (Remedy.RETRY, "unreadable-reply")
        }
