"""Very many writes at once: Bulk API 2.0 jobs, streamed up, awaited, and every row's end found in the results.

Nothing is applied before the upload is declared complete, so what goes wrong until then is simply tried again. After
that each row is looked for in the failed, the successful and the unprocessed results by the column we marked it with;
a row that none of them has is in doubt. Rows are keyed, so a job sent twice has one effect.

A job is noted before its upload, so one that outlives us is gone on with: see :meth:`Ingest.resume`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import orjson
import structlog

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import Call, Job, JobBook, OutOfBudgetError, Payer, VendorError, Write
from syncd.systems.mishaps import failure_of
from syncd.systems.salesforce.csvs import LARGEST, Row, Sheet, sheets
from syncd.systems.salesforce.describe import Schema
from syncd.systems.salesforce.draft import Draft
from syncd.systems.salesforce.errors import DAILY_SECONDS, failure_of_row, no_verdict, remedy_of_code
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.read import Reader
from syncd.systems.salesforce.settings import Settings
from syncd.systems.salesforce.web import Web

log = structlog.get_logger(__name__)

BATCH_ROWS: Final = 10_000
"""The vendor slices a job into batches of so many rows, and counts 15,000 of those a day."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 20.0
FAILURES_BORNE: Final = 5
"""Looks at a job that may go wrong one after the other before its rows are left in doubt."""
LARGEST_RESULT: Final = 4 * LARGEST
"""Bytes of one kind of results: what was uploaded, with the vendor's words before each row."""
_JOB: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
ENDED: Final = frozenset({"JobComplete", "Failed", "Aborted"})


class _Body:
    """The sheet's bytes as often as httpx asks, which is twice where a token ended meanwhile."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._sheet.pieces():
            yield piece


class Ingest:
    def __init__(
        self, settings: Settings, web: Web, payer: Payer, world: World, reader: Reader, book: JobBook
    ) -> None:  # fmt: skip
        self._settings = settings
        self._web = web
        self._payer = payer
        self._world = world
        self._reader = reader
        self._book = book

    async def write(self, mapping: ObjectMapping, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
        """Ids and failures end up on the drafts. Never raises for the vendor or the budget."""
        new = {one.write.key: one for one in drafts if not one.external_id}
        known = {one.external_id: one for one in drafts if one.external_id}
        await self._job(
            schema, "upsert", mapping.key_path, new, [Row(key, one.values) for key, one in new.items()], lane
        )
        rows = [Row(external_id, _adopting(mapping, one)) for external_id, one in known.items()]
        for external_id in [row.mark for row in rows if not row.values]:
            known.pop(external_id).stand(external_id)
        await self._job(schema, "update", "Id", known, [row for row in rows if row.values], lane)

    async def _job(
        self, schema: Schema, operation: str, mark: str, drafts: Mapping[str, Draft], rows: Sequence[Row], lane: Lane
    ) -> None:
        for sheet in sheets(schema, mark, rows) if rows else ():
            mine = {row.mark.casefold(): drafts[row.mark] for row in sheet.rows}
            keys = tuple(one.write.key for one in mine.values())
            try:
                id_ = await self._create(schema, operation, mark, len(sheet.rows), lane)
                job = Job(f"{operation} {id_}", schema.name, keys)
                await self._book.begun(job)
                await self._upload(id_, sheet, lane)
            except (VendorError, OutOfBudgetError) as error:
                _fail_all(mine.values(), _unapplied(failure_of(error)))
                continue
            log.info("salesforce.bulk_job", connection=self._settings.connection, job=id_, rows=len(sheet.rows))
            if await self._outcome(id_, mark, mine, lane):
                await self._book.ended(job)

    async def _outcome(self, id_: str, mark: str, mine: dict[str, Draft], lane: Lane) -> bool:
        """Wait for a job, and take out of ``mine`` what its results speak of. ``False``: it may still be at work."""
        try:
            state, reason = await self._ended(id_, lane)
            await self._results(id_, mark, mine, _unprocessed(reason), lane)
        except (VendorError, OutOfBudgetError) as error:
            _fail_all(mine.values(), _doubtful(failure_of(error)))
            return False
        _fail_all(mine.values(), _unspoken(state, reason))
        return True

    async def resume(self, mapping: ObjectMapping, job: Job, lane: Lane) -> list[Draft]:
        """What became of a job that was noted before a restart, one draft per key."""
        operation, _, id_ = job.id.partition(" ")
        if operation not in ("upsert", "update") or not _JOB.fullmatch(id_):
            raise VendorError(Failure(Remedy.ASK, "bad-job", "the job's note cannot be read"))
        action = Action.CREATE if operation == "upsert" else Action.UPDATE
        drafts = [Draft(Write(key, action, {})) for key in job.keys]
        try:
            if await self._ends_open(id_, lane):
                told = "syncd ended before the job had its rows"
                _fail_all(drafts, Failure(Remedy.RETRY, "job-never-started", told, single=True))
                await self._book.ended(job)
                return drafts
            mine = await self._marked(mapping, operation, drafts, lane)
        except (VendorError, OutOfBudgetError) as error:
            _fail_all(drafts, _doubtful(failure_of(error)))
            return drafts
        unmarked = [one for one in drafts if one.write.key not in {each.write.key for each in mine.values()}]
        known = await self._outcome(id_, mapping.key_path if operation == "upsert" else "Id", mine, lane)
        # An update of a record that does not carry our key: its row cannot be told from another's.
        _fail_all(unmarked, Failure(Remedy.LOOK, "no-verdict", "the job's results do not name our record", single=True))
        if known:
            await self._book.ended(job)
        return drafts

    async def _marked(
        self, mapping: ObjectMapping, operation: str, drafts: Sequence[Draft], lane: Lane
    ) -> dict[str, Draft]:
        """Drafts by what stands in the column that tells rows apart."""
        if operation == "upsert":
            return {one.write.key.casefold(): one for one in drafts}
        ids = await self._reader.ids(mapping, [one.write.key for one in drafts], lane)
        for draft in drafts:
            draft.external_id = ids.get(draft.write.key, "")
        return {one.external_id.casefold(): one for one in drafts if one.external_id}

    async def _ends_open(self, id_: str, lane: Lane) -> bool:
        """Whether a job never got all its rows; then it is ended, lest it be started by anybody."""
        told = (await self._web.get(self._path(id_), lane)).json()
        state = told.get("state") if isinstance(told, dict) else ""
        if state == "Open":
            await self._web.call("PATCH", self._path(id_), lane, content=b'{"state":"Aborted"}')
            return True
        return state == "Aborted" and not told.get("numberRecordsProcessed")

    async def _create(self, schema: Schema, operation: str, mark: str, rows: int, lane: Lane) -> str:
        body = {
            "object": schema.name, "operation": operation, "contentType": "CSV", "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }  # fmt: skip
        if operation == "upsert":
            body["externalIdFieldName"] = mark
        async with self._payer.pay(Call("bulk_batch", -(-rows // BATCH_ROWS)), lane):
            made = (await self._web.call("POST", self._path(""), lane, content=orjson.dumps(body))).json()
        id_ = made.get("id") if isinstance(made, dict) else None
        if not isinstance(id_, str) or not _JOB.fullmatch(id_):
            raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the job has no id", 200))
        return id_

    async def _upload(self, job: str, sheet: Sheet, lane: Lane) -> None:
        """The rows, and the word to begin. Raises what means that nothing was applied."""
        try:
            await self._web.call(
                "PUT", self._path(f"{job}/batches"), lane, content=_Body(sheet), size=sheet.size,
                content_type="text/csv; charset=UTF-8",
            )  # fmt: skip
        except (VendorError, OutOfBudgetError):
            await self._abort(job, lane)
            raise
        await self._start(job, lane)

    async def _start(self, job: str, lane: Lane) -> None:
        """Declare the upload complete. An answer that is lost leaves a job which is looked at like any other."""
        try:
            await self._web.call("PATCH", self._path(job), lane, content=b'{"state":"UploadComplete"}', writes=True)
        except (VendorError, OutOfBudgetError) as error:
            if failure_of(error).remedy is not Remedy.LOOK:
                await self._abort(job, lane)
                raise

    async def _abort(self, job: str, lane: Lane) -> None:
        try:
            await self._web.call("PATCH", self._path(job), lane, content=b'{"state":"Aborted"}')
        except (VendorError, OutOfBudgetError) as error:
            # The vendor ends open jobs by itself after a day.
            failure = failure_of(error)
            log.warning("salesforce.job_left_open", connection=self._settings.connection, job=job, code=failure.code)

    async def _ended(self, job: str, lane: Lane) -> tuple[str, str]:
        """Wait for the job: its last state and the vendor's reason. Raises when it cannot be seen any more."""
        clock = self._world.clock
        ends, wait, failures, started = clock.monotonic() + self._settings.bulk_wait_seconds, FIRST_WAIT, 0, False
        while True:
            try:
                told = (await self._web.get(self._path(job), lane)).json()
                failures = 0
            except (VendorError, OutOfBudgetError) as error:
                failures += 1
                failure = failure_of(error)
                passing = failure.remedy in (Remedy.RETRY, Remedy.WAIT)
                if not passing or failures >= FAILURES_BORNE or clock.monotonic() > ends:
                    raise
                await clock.sleep(min(failure.retry_after_seconds or wait, LONGEST_WAIT))
                continue
            state = str(told.get("state")) if isinstance(told, dict) else ""
            if state in ENDED:
                return state, str(told.get("errorMessage") or "")
            if state == "Open" and not started:
                started = True
                await self._start(job, lane)
            if clock.monotonic() > ends:
                raise VendorError(Failure(Remedy.LOOK, "job-late", f"the job {job} has not ended in its time"))
            await clock.sleep(wait)
            wait = min(wait * 1.5, LONGEST_WAIT)

    async def _results(
        self, job: str, mark: str, drafts: dict[str, Draft], unprocessed: Failure, lane: Lane
    ) -> None:  # fmt: skip
        """Take out of ``drafts`` every row that the results speak of."""
        for kind in ("failedResults", "successfulResults", "unprocessedrecords"):
            if not drafts:
                return
            only = frozenset({"sf__id", "sf__error", mark.lower()})
            rows, _ = await self._web.rows(self._path(f"{job}/{kind}"), lane, largest=LARGEST_RESULT, only=only)
            for row in rows:
                draft = drafts.pop(_told_mark(row, mark), None)
                if draft is not None:
                    _settle(draft, kind, row, unprocessed)

    def _path(self, tail: str) -> str:
        return self._settings.data(f"jobs/ingest/{tail}".rstrip("/"))


def _adopting(mapping: ObjectMapping, draft: Draft) -> dict[str, Any]:
    adopts = draft.write.action is Action.CREATE
    return {**draft.values, mapping.key_path: draft.write.key} if adopts else dict(draft.values)


def _told_mark(row: Mapping[str, str], mark: str) -> str:
    named = next((value for column, value in row.items() if column.lower() == mark.lower()), "")
    if mark == "Id":
        named = long_id(named or row.get("sf__Id", ""))
    return named.casefold()


def _settle(draft: Draft, kind: str, row: Mapping[str, str], unprocessed: Failure) -> None:
    creates = not draft.external_id
    if kind == "failedResults":
        draft.fail(failure_of_row(row.get("sf__Error", ""), creates=creates))
    elif kind == "unprocessedrecords":
        draft.fail(unprocessed)
    elif is_id(row.get("sf__Id")):
        draft.stand(long_id(row["sf__Id"]))
    else:
        draft.fail(no_verdict("the results call it a success and name no record"))


def _fail_all(drafts: Any, failure: Failure) -> None:
    for draft in drafts:
        draft.fail(failure)


def _unapplied(failure: Failure) -> Failure:
    """Before the job was started: whatever it was, nothing was applied."""
    if failure.remedy in (Remedy.LOOK, Remedy.REREAD, Remedy.SPLIT, Remedy.GONE):
        return Failure(Remedy.RETRY, failure.code, failure.message, failure.status, reply=failure.reply)
    return failure


def _doubtful(failure: Failure) -> Failure:
    """After it was started: the rows may have been applied, whatever kept us from hearing of it."""
    wait = failure.retry_after_seconds
    return Failure(Remedy.LOOK, failure.code, failure.message, failure.status, wait, reply=failure.reply)


def _unprocessed(reason: str) -> Failure:
    """Rows that nobody looked at, by what ended the job: a limit of the day is waited for and uses up no attempt."""
    told = "the job ended before it came to this row"
    waits = remedy_of_code(reason.partition(":")[0].strip()) is Remedy.WAIT
    remedy, wait = (Remedy.WAIT, DAILY_SECONDS) if waits else (Remedy.RETRY, None)
    return Failure(remedy, "unprocessed", f"{told}: {reason}"[:500] if reason else told, 200, wait, single=True)


def _unspoken(state: str, reason: str) -> Failure:
    """Rows that no result speaks of, though the job has ended."""
    told = f"the job ended as {state} and does not speak of this row"
    return Failure(Remedy.LOOK, "no-verdict", f"{told}: {reason}"[:500] if reason else told, 200)
