"""``jobs/ingest`` and ``jobs/query``: the resources of Bulk API 2.0."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from syncd.sandbox.salesforce import bulk_ingest, csvs
from syncd.sandbox.salesforce.bulk_jobs import ABORTED, DONE, FAILED, OPEN, READY, RUNNING, TERMINAL, Job, wrong_state
from syncd.sandbox.salesforce.call import Answer, Call
from syncd.sandbox.salesforce.errors import SalesforceError, not_there
from syncd.sandbox.salesforce.org import Caller
from syncd.sandbox.salesforce.soql_run import check_for_bulk, compile_query

if TYPE_CHECKING:
    from syncd.sandbox.salesforce.simulator import SalesforceSandbox

MAX_ENCODED = 150_000_000
"""Of an upload, counted as base64."""
CSV = "text/csv; charset=UTF-8"
_OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete"})
_JOBS_PER_PAGE = 1000
_AT_ONCE = 2000
"""Rows a query job reads before others have their turn."""


def answer(call: Call) -> Answer:
    """``call.path`` begins with ``jobs``."""
    match call.path[1:]:
        case ("ingest" | "query" as resource,):
            call.only("GET", "POST")
            if call.method == "GET":
                return _list(call, resource)
            return _create_ingest(call) if resource == "ingest" else _create_query(call)
        case ("ingest" | "query" as resource, id_):
            call.only("GET", "PATCH", "DELETE")
            return _one(call, call.vendor.jobs.need(resource, id_))
        case ("ingest", id_, "batches"):
            call.only("PUT")
            return _upload(call, call.vendor.jobs.need("ingest", id_))
        case ("ingest", id_, results):
            call.only("GET")
            return _ingest_results(call.vendor.jobs.need("ingest", id_), results.lower())
        case ("query", id_, "results"):
            call.only("GET")
            return _query_results(call, call.vendor.jobs.need("query", id_))
    raise not_there()


# -- making


def _word(body: Mapping[str, Any], name: str, allowed: Sequence[str], default: str) -> str:
    value = str(body.get(name) or default)
    if value not in allowed:
        raise SalesforceError("INVALIDJOB", f"InvalidJob : {name} {value} is not one of {', '.join(allowed)}")
    return value


def _new(call: Call, resource: str, operation: str, body: Mapping[str, Any]) -> Job:
    if body.get("contentType", "CSV") != "CSV":
        raise SalesforceError("INVALIDJOB", "InvalidJob : contentType must be CSV")
    settings, now = call.vendor.jobs.settings, call.org.clock.now_ms()
    who = call.caller
    caller = Caller(who.user_id, who.name, "bulkapi", call.version, who.client if settings.keeps_client else "")
    return Job(
        call.org.ids.new("750"),
        resource,
        operation,
        caller,
        now,
        now,
        call.version,
        _word(body, "columnDelimiter", tuple(csvs.DELIMITERS), "COMMA"),
        _word(body, "lineEnding", tuple(csvs.ENDINGS), "LF"),
    )


def _create_ingest(call: Call) -> Answer:
    body = call.body()
    operation = _word(body, "operation", sorted(_OPERATIONS), "")
    job = _new(call, "ingest", operation, body)
    job.kind = call.org.schema.find(str(body.get("object", "")))
    if job.kind is None:
        raise SalesforceError("INVALIDENTITY", f"InvalidJob : Unable to find object: {body.get('object')}")
    if operation == "upsert":
        one = job.kind.field(str(body.get("externalIdFieldName", "")))
        if one is None or not one.id_lookup:
            raise SalesforceError(
                "INVALIDJOB", "InvalidJob : externalIdFieldName must name an external id field for upsert"
            )
        job.key = one.name
    call.vendor.jobs.add(job)
    return Answer(200, job.json(whole=False))


def _create_query(call: Call) -> Answer:
    body = call.body()
    operation = _word(body, "operation", ("query", "queryAll"), "")
    job = _new(call, "query", operation, body)
    job.plan = compile_query(call.org, str(body.get("query", "")), everything=operation == "queryAll")
    check_for_bulk(job.plan)
    call.vendor.limits.spend_query_job()
    job.kind, job.state = job.plan.kind, READY
    call.vendor.jobs.add(job)
    call.vendor.jobs.start(run_query(call.vendor, job))
    return Answer(200, job.json(whole=False))


async def run_query(vendor: SalesforceSandbox, job: Job) -> None:
    """The work of a query job. The rows are as they were when it ran."""
    assert job.plan is not None
    clock, settings = vendor.room.clock, vendor.jobs.settings
    await clock.sleep(settings.queued_seconds)
    if job.state == ABORTED:
        return
    job.state = RUNNING
    await clock.sleep(settings.running_seconds)
    if job.state == ABORTED:
        return
    if vendor.job_fails_at() >= 0:
        job.state, job.error = FAILED, "InternalServerError : The job has failed; it was retried 15 times."
    else:
        getters = [column.get for column in job.plan.columns]
        for place, row in enumerate(job.plan.walk(), 1):
            job.rows.append([get(row) for get in getters])
            if place % _AT_ONCE == 0:
                await asyncio.sleep(0)
        job.processed, job.state = len(job.rows), DONE
    job.changed_ms = clock.now_ms()


# -- a job


def _list(call: Call, resource: str) -> Answer:
    jobs = call.vendor.jobs.all(resource)
    start = _place(call.param("queryLocator"))
    page = jobs[start : start + _JOBS_PER_PAGE]
    done = start + len(page) >= len(jobs)
    more = None if done else f"{call.base}/jobs/{resource}?queryLocator={_locator(start + len(page))}"
    return Answer(200, {"done": done, "nextRecordsUrl": more, "records": [job.json(whole=False) for job in page]})


def _one(call: Call, job: Job) -> Answer:
    match call.method:
        case "GET":
            return Answer(200, job.json())
        case "DELETE":
            if job.state not in TERMINAL:
                raise wrong_state(f"Unable to delete job {job.id} in state {job.state}")
            call.vendor.jobs.drop(job)
            return Answer(204)
    state = str(call.body().get("state", ""))
    now = call.org.clock.now_ms()
    if state == ABORTED and job.state not in TERMINAL:
        job.state, job.changed_ms = ABORTED, now
        return Answer(200, job.json(whole=False))
    if state == READY and job.resource == "ingest" and job.state == OPEN:
        job.state, job.changed_ms = READY, now
        call.vendor.jobs.start(bulk_ingest.run(call.vendor, job))
        return Answer(200, job.json(whole=False))
    raise wrong_state(f"Job state cannot be changed from {job.state} to {state}")


def _upload(call: Call, job: Job) -> Answer:
    if job.state != OPEN:
        raise wrong_state(f"The job {job.id} is not open: {job.state}")
    if job.uploaded:
        raise wrong_state(
            f"Found multiple contents for job: <{job.id}>, please 'Close' / 'Abort' / 'Delete' the current Job then "
            "create a new Job and make sure you only do 'PUT' once on a given Job."
        )
    if len(call.raw) * 4 // 3 > MAX_ENCODED:
        raise SalesforceError("INVALIDJOB", "InvalidJob : The upload exceeds 150 MB")
    job.upload, job.uploaded = call.raw, True
    return Answer(201)


# -- results


def _ingest_results(job: Job, which: str) -> Answer:
    if job.state not in TERMINAL:
        raise wrong_state(f"The job {job.id} has no results yet: {job.state}")
    match which:
        case "successfulresults":
            header, rows = ["sf__Id", "sf__Created", *job.header], job.good
        case "failedresults":
            header, rows = ["sf__Id", "sf__Error", *job.header], job.bad
        case "unprocessedrecords":
            header, rows = job.header, job.left
        case _:
            raise not_there()
    return Answer(200, csvs.write(header, rows, job.delimiter, job.ending), content_type=CSV)


def _query_results(call: Call, job: Job) -> Answer:
    if job.state != DONE or job.plan is None:
        raise wrong_state(f"The job {job.id} has no results: {job.state}")
    most = call.vendor.jobs.settings.page_rows
    asked = call.param("maxRecords")
    if asked and not (asked.isdigit() and int(asked) > 0):
        raise SalesforceError("INVALID_INPUT", f"maxRecords must be a positive number: {asked}")
    size = min(int(asked), most) if asked else most
    start = _place(call.param("locator"))
    following = min(start + size, len(job.rows))
    headers = {
        "Sforce-Locator": _locator(following) if following < len(job.rows) else "null",
        "Sforce-NumberOfRecords": str(max(0, following - start)),
    }
    rows = ([csvs.cell(value) for value in row] for row in job.rows.part(start, following))
    return Answer(200, csvs.write(job.plan.header(), rows, job.delimiter, job.ending), headers, CSV)


def _locator(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def _place(locator: str) -> int:
    if not locator or locator == "null":
        return 0
    try:
        return int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)))
    except (binascii.Error, ValueError):
        raise SalesforceError("INVALID_QUERY_LOCATOR", f"invalid locator: {locator}") from None
