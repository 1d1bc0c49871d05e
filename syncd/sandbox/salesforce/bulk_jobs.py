"""Jobs of Bulk API 2.0: what they are, and the book that keeps them."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from syncd.sandbox.salesforce.errors import SalesforceError
from syncd.sandbox.salesforce.fields import moment_text
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.org import Caller
from syncd.sandbox.salesforce.soql_run import Plan

OPEN, READY, RUNNING = "Open", "UploadComplete", "InProgress"
DONE, FAILED, ABORTED = "JobComplete", "Failed", "Aborted"
TERMINAL = frozenset({DONE, FAILED, ABORTED})
_BLOCK = 1000
_KEPT_MS = 7 * 24 * 3600 * 1000


@dataclass(slots=True)
class BulkSettings:
    queued_seconds: float = 0.0
    """From UploadComplete to InProgress."""
    running_seconds: float = 0.0
    """Added to InProgress."""
    batch_rows: int = 10_000
    page_rows: int = 50_000
    """Rows of a page of query results when the caller names no ``maxRecords``, and the most there are."""
    keeps_client: bool = False
    """Whether change events of bulk writes carry ``Sforce-Call-Options: client=``."""


class Packed:
    """Rows of JSON values that are kept for days: packed in blocks."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._open: list[list[Any]] = []

    def __len__(self) -> int:
        return len(self._blocks) * _BLOCK + len(self._open)

    def append(self, row: list[Any]) -> None:
        self._open.append(row)
        if len(self._open) == _BLOCK:
            self._blocks.append(zlib.compress(orjson.dumps(self._open), 1))
            self._open = []

    def part(self, start: int, end: int) -> Iterator[list[Any]]:
        """Those from ``start`` to before ``end``, as far as there are any."""
        end = min(end, len(self))
        for number in range(start // _BLOCK, -(-end // _BLOCK)):
            first = number * _BLOCK
            packed = self._blocks[number] if number < len(self._blocks) else None
            rows = self._open if packed is None else orjson.loads(zlib.decompress(packed))
            yield from rows[max(0, start - first) : end - first]


@dataclass(slots=True)
class Job:
    id: str
    resource: str
    """``ingest`` or ``query``."""
    operation: str
    caller: Caller
    made_ms: int
    changed_ms: int
    version: str
    delimiter: str = "COMMA"
    ending: str = "LF"
    kind: ObjectType | None = None
    key: str = ""
    """``externalIdFieldName``."""
    state: str = OPEN
    error: str = ""
    processed: int = 0
    failed: int = 0
    retries: int = 0
    upload: bytes | None = None
    uploaded: bool = False
    header: list[str] = field(default_factory=list)
    good: list[list[str]] = field(default_factory=list)
    """Id, created, cells."""
    bad: list[list[str]] = field(default_factory=list)
    """Id, error, cells."""
    left: list[list[str]] = field(default_factory=list)
    """Cells of rows nobody looked at."""
    plan: Plan | None = None
    rows: Packed = field(default_factory=Packed)
    """Of a query: the values, as they were."""

    def json(self, whole: bool = True) -> dict[str, Any]:
        out: dict[str, Any] = {
            "id": self.id,
            "operation": self.operation,
            "object": self.kind.name if self.kind else None,
            "createdById": self.caller.user_id,
            "createdDate": moment_text(self.made_ms),
            "systemModstamp": moment_text(self.changed_ms),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "lineEnding": self.ending,
            "columnDelimiter": self.delimiter,
        }
        if self.resource == "ingest":
            out["jobType"] = "V2Ingest"
            if self.key:
                out["externalIdFieldName"] = self.key
            if self.state == OPEN:
                out["contentUrl"] = f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"
        elif whole:
            out["jobType"] = "V2Query"
        if whole and self.state != OPEN:
            out.update(
                numberRecordsProcessed=self.processed,
                retries=self.retries,
                totalProcessingTime=max(0, self.changed_ms - self.made_ms),
            )
            if self.resource == "ingest":
                out.update(numberRecordsFailed=self.failed, apiActiveProcessingTime=0, apexProcessingTime=0)
            if self.state == FAILED:
                out["errorMessage"] = self.error
        return out


class JobBook:
    def __init__(self) -> None:
        self.settings = BulkSettings()
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, job: Job) -> None:
        for id_ in [id_ for id_, old in self._jobs.items() if job.made_ms - old.made_ms > _KEPT_MS]:
            del self._jobs[id_]
        self._jobs[job.id] = job

    def need(self, resource: str, id_: str) -> Job:
        """Raises NOT_FOUND."""
        job = self._jobs.get(id_) or next((one for one in self._jobs.values() if one.id[:15] == id_), None)
        if job is None or job.resource != resource:
            raise SalesforceError("NOT_FOUND", "The requested resource does not exist")
        return job

    def all(self, resource: str) -> list[Job]:
        return [job for job in self._jobs.values() if job.resource == resource]

    def drop(self, job: Job) -> None:
        del self._jobs[job.id]

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))


def wrong_state(message: str) -> SalesforceError:
    return SalesforceError("INVALIDJOBSTATE", message)
