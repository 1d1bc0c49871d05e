"""The work of an ingest job: rows of a CSV into records, in batches."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from syncd.sandbox.salesforce.api_collections import upsert_step
from syncd.sandbox.salesforce.bulk_jobs import ABORTED, DONE, FAILED, RUNNING, Job
from syncd.sandbox.salesforce.csvs import NULL, CsvError, Upload
from syncd.sandbox.salesforce.errors import SalesforceError
from syncd.sandbox.salesforce.fields import Field
from syncd.sandbox.salesforce.ids import normal
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.unit import Unit

if TYPE_CHECKING:
    from syncd.sandbox.salesforce.simulator import SalesforceSandbox

CHUNK = 200
"""Rows of one transaction."""

Write = Callable[[Unit, Mapping[str, Any]], tuple[str, bool]]
"""Applies one row: its id, and whether it was created."""
_log = logging.getLogger(__name__)


class Columns:
    """What the header of an upload means."""

    def __init__(self, kind: ObjectType, header: Sequence[str], vendor: SalesforceSandbox) -> None:
        """Raises :class:`CsvError` for a column that is none."""
        self.width = len(header)
        self._plain: list[tuple[int, str]] = []
        self._linked: list[tuple[int, str, str]] = []
        for place, name in enumerate(header):
            one = kind.field(name)
            if one is not None:
                self._plain.append((place, one.name))
                continue
            self._linked.append((place, *self._link(kind, name, vendor)))

    @staticmethod
    def _link(kind: ObjectType, name: str, vendor: SalesforceSandbox) -> tuple[str, str]:
        relation, dot, key = name.rpartition(":")[2].partition(".")
        link = kind.relations.get(relation.lower()) if dot else None
        if link is None:
            raise CsvError(f"InvalidBatch : Field name not found : {name}")
        target: Field | None = vendor.org.schema.kinds[link.reference_to[0]].field(key)
        if target is None or not target.id_lookup:
            raise CsvError(f"InvalidBatch : Field name not found : {name}")
        return link.relationship, target.name

    def values(self, row: Sequence[str]) -> dict[str, Any]:
        """Empty cells are left out, ``#N/A`` clears. Raises for a row that is longer or shorter than the header."""
        if len(row) != self.width:
            raise SalesforceError("INVALID_INPUT", f"The row has {len(row)} columns, the header {self.width}")
        out: dict[str, Any] = {
            name: None if row[place] == NULL else row[place] for place, name in self._plain if row[place] != ""
        }
        for place, relation, key in self._linked:
            if row[place] != "":
                out[relation] = None if row[place] == NULL else {key: row[place]}
        return out


async def run(vendor: SalesforceSandbox, job: Job) -> None:
    """From UploadComplete to the end. The border of a background task: what goes wrong is the job's failure."""
    clock, settings = vendor.room.clock, vendor.jobs.settings
    await clock.sleep(settings.queued_seconds)
    if job.state == ABORTED:
        return
    job.state, job.changed_ms = RUNNING, clock.now_ms()
    await clock.sleep(settings.running_seconds)
    try:
        await _work(vendor, job)
    except CsvError as error:
        job.state, job.error = FAILED, str(error)
    except Exception:  # noqa: BLE001
        job.state, job.error = FAILED, "UNKNOWN_EXCEPTION : the sandbox itself failed; see its log"
        _log.exception("a bulk job of the simulated org failed")
    job.upload = None
    job.changed_ms = clock.now_ms()


async def _work(vendor: SalesforceSandbox, job: Job) -> None:
    assert job.kind is not None
    upload = Upload(job.upload or b"", job.delimiter, job.ending)
    job.header = upload.header
    columns = Columns(job.kind, job.header, vendor)
    rows = upload.rows()
    fails_at = vendor.job_fails_at()
    chunks = 0
    while batch := list(islice(rows, vendor.jobs.settings.batch_rows)):
        if not vendor.limits.spend_batches(1):
            _stop(job, "LimitExceeded : ApiBatchItems Limit exceeded.", batch, rows)
            return
        for start in range(0, len(batch), CHUNK):
            if chunks == fails_at:
                _stop(job, "InternalServerError : The job has failed; it was retried 10 times.", batch[start:], rows)
                job.retries = 10
                return
            if job.state == ABORTED:
                job.left.extend(batch[start:])
                job.left.extend(rows)
                return
            _chunk(vendor, job, columns, batch[start : start + CHUNK])
            chunks += 1
            await asyncio.sleep(0)
    job.state = DONE if job.state != ABORTED else ABORTED


def _stop(job: Job, message: str, rest: list[list[str]], rows: Iterator[list[str]]) -> None:
    job.left.extend(rest)
    job.left.extend(rows)
    job.state, job.error = FAILED, message


def _chunk(vendor: SalesforceSandbox, job: Job, columns: Columns, rows: list[list[str]]) -> None:
    assert job.kind is not None
    unit = Unit(vendor.org, job.caller)
    write = _writer(job, job.kind, columns, rows)
    for row in rows:
        mark = unit.mark()
        try:
            id_, created = write(unit, columns.values(row))
        except SalesforceError as error:
            unit.rollback(mark)
            job.bad.append(["", error.csv(), *row])
            job.failed += 1
        else:
            job.good.append([id_, "true" if created else "false", *row])
        job.processed += 1
    unit.commit()


def _writer(job: Job, kind: ObjectType, columns: Columns, rows: Sequence[Sequence[str]]) -> Write:
    match job.operation:
        case "insert":
            return lambda unit, values: (unit.insert(kind, values).id, True)
        case "update":
            return lambda unit, values: (_update(unit, kind, values), False)
        case "delete":
            return lambda unit, values: (unit.delete(kind, _id(kind, values)).id, False)
        case "hardDelete":
            return lambda unit, values: (unit.purge(kind, _id(kind, values)).id, False)
    return _upserter(kind, kind.fields[job.key], columns, rows)


def _upserter(kind: ObjectType, key: Field, columns: Columns, rows: Sequence[Sequence[str]]) -> Write:
    named = [columns.values(row).get(key.name) for row in rows if len(row) == columns.width]
    counts = Counter(key.key(value) for value in named if value is not None)
    twice = frozenset(value for value, count in counts.items() if count > 1)

    def write(unit: Unit, values: Mapping[str, Any]) -> tuple[str, bool]:
        verdict = upsert_step(kind, key, values, twice)(unit)
        return verdict["id"], verdict["created"]

    return write


def _id(kind: ObjectType, values: Mapping[str, Any]) -> str:
    id_ = normal(values.get("Id"))
    if not id_:
        raise SalesforceError(
            "MALFORMED_ID", f"{kind.label} ID: id value of incorrect type: {values.get('Id', '')}", ["Id"]
        )
    return id_


def _update(unit: Unit, kind: ObjectType, values: Mapping[str, Any]) -> str:
    id_ = _id(kind, values)
    return unit.update(kind, id_, {name: value for name, value in values.items() if name != "Id"}).id
