"""Reading everything: a Bulk query whose pages are fetched by locator, or a walk by id where that is cheaper.

The job's id and each locator are part of the cursor, so a scan goes on after a restart without asking for a page it has
finished. Results stand for seven days at the vendor; a job that is gone or failed is begun anew, and after three of
those the walk by id takes over, which needs nothing to last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import Page, Snapshot, VendorError
from syncd.systems.salesforce.columns import Columns
from syncd.systems.salesforce.describe import Describer
from syncd.systems.salesforce.ids import is_id
from syncd.systems.salesforce.read import Reader
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.settings import QUERY_PAGE, Settings
from syncd.systems.salesforce.soql import literal, name, select
from syncd.systems.salesforce.values import from_row, shaped, snapshot
from syncd.systems.salesforce.web import TOO_LARGE, Web

FAILED_JOBS: Final = 3
LAST_LOCATOR: Final = "null"
LARGEST_PAGE: Final = 16 * 1024 * 1024
"""Bytes of a page; one that has more is asked for again with half its rows."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 15.0


@dataclass(frozen=True, slots=True)
class Place:
    way: str = ""
    """``bulk`` or ``ids``; empty before it is chosen."""
    past_id: str = ""
    job: str = ""
    partial: bool = False
    """The job was made without fields that the object does not have now."""
    ready: bool = False
    locator: str = ""
    """Of the next page; empty for the first one."""
    waited: int = 0
    rows: int = 0
    """Of a page, where the usual number makes one too large; 0: the usual number."""
    failed: int = 0
    """Jobs that came to nothing."""
    done: bool = False

    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()


def parse_place(text: str | None) -> Place:
    """Raises :class:`VendorError` with the remedy ASK for what is no cursor of ours."""
    if not text:
        return Place()
    try:
        return Place(**orjson.loads(text))
    except (orjson.JSONDecodeError, TypeError):
        raise VendorError(Failure(Remedy.ASK, "bad-cursor", "the scan's cursor cannot be read")) from None


class Scanner:
    def __init__(
        self, settings: Settings, rest: Rest, web: Web, describer: Describer, world: World, reader: Reader,
        columns: Columns,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._columns = columns
        self._settings = settings
        self._rest = rest
        self._web = web
        self._describer = describer
        self._world = world

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        place = parse_place(cursor)
        if place.done:
            return Page((), place.text(), more=False)
        if not place.way:
            place = replace(place, way=await self._choose(mapping, lane))
        if place.way == "ids":
            return await self._by_id(mapping, place, lane)
        if not place.job:
            job, partial = await self._begin(mapping, lane)
            return Page((), replace(place, job=job, partial=partial).text(), more=True)
        try:
            if not place.ready:
                return await self._await(place, lane)
            return await self._results(mapping, place, lane)
        except VendorError as error:
            if error.failure.code == TOO_LARGE and place.rows != 1:
                fewer = max(1, (place.rows or self._settings.scan_page) // 2)
                return Page((), replace(place, rows=fewer).text(), more=True)
            if error.failure.status == 404 or error.failure.code in ("INVALIDJOB", "INVALIDJOBSTATE"):
                return self._again(place)
            raise

    async def _choose(self, mapping: ObjectMapping, lane: Lane) -> str:
        """By how many rows there are, about; where the org does not say, by id, which always works."""
        try:
            data = await self._rest.get("limits/recordCount", lane, {"sObjects": name(mapping.object)})
        except VendorError as error:
            if error.failure.remedy in (Remedy.ASK, Remedy.GONE):
                return "ids"
            raise
        counts = data.get("sObjects") if isinstance(data, Mapping) else None
        listed = [one for one in counts if isinstance(one, Mapping)] if isinstance(counts, list) else []
        count = next((one["count"] for one in listed if isinstance(one.get("count"), int)), 0)
        return "bulk" if count > self._settings.bulk_threshold else "ids"

    async def _by_id(self, mapping: ObjectMapping, place: Place, lane: Lane) -> Page:
        after = f"Id > {literal(place.past_id)}" if place.past_id else ""
        found = await self._reader.select(mapping, after, lane, "Id", QUERY_PAGE)
        more = len(found) >= QUERY_PAGE
        onward = replace(place, past_id=found[-1].external_id if found else place.past_id, done=not more)
        return Page(found, onward.text(), more)

    async def _begin(self, mapping: ObjectMapping, lane: Lane) -> tuple[str, bool]:
        async def ask(columns: tuple[str, ...]) -> str:
            body = {
                "operation": "query", "query": select(columns, mapping.object), "contentType": "CSV",
                "columnDelimiter": "COMMA", "lineEnding": "LF",
            }  # fmt: skip
            # A job that was made though its reply was lost costs a job of ten thousand a day and nothing else.
            reply = await self._web.call("POST", self._path(""), lane, content=orjson.dumps(body))
            return str(_job(reply.json())["id"])

        return await self._columns.asking(mapping, lane, ask)

    async def _await(self, place: Place, lane: Lane) -> Page:
        job = _job((await self._web.get(self._path(place.job), lane)).json())
        state = str(job.get("state"))
        if state == "JobComplete":
            return Page((), replace(place, ready=True).text(), more=True)
        if state in ("Failed", "Aborted"):
            return self._again(place)
        await self._world.clock.sleep(min(LONGEST_WAIT, FIRST_WAIT * 1.5 ** min(place.waited, 10)))
        return Page((), replace(place, waited=place.waited + 1).text(), more=True)

    async def _results(self, mapping: ObjectMapping, place: Place, lane: Lane) -> Page:
        params = {"maxRecords": str(place.rows or self._settings.scan_page)}
        if place.locator:
            params["locator"] = place.locator
        schema = await self._describer.schema(mapping.object, lane)
        booleans = {one.name for one in schema.fields.values() if one.type == "boolean"}
        path = self._path(f"{place.job}/results")
        rows, reply = await self._web.rows(path, lane, params, largest=LARGEST_PAGE)
        found = read_page(mapping, rows, booleans, partial=place.partial)
        told = reply.headers.get("sforce-numberofrecords", "")
        if told.isdigit() and int(told) != len(found):
            raise VendorError(Failure(Remedy.RETRY, "page-cut-off", "a page of results has not all its rows", 200))
        locator = reply.headers.get("sforce-locator", LAST_LOCATOR)
        if locator in (LAST_LOCATOR, ""):
            return Page(found, replace(place, locator="", done=True).text(), more=False)
        if locator == place.locator:
            raise VendorError(Failure(Remedy.RETRY, "no-progress", "the results repeat themselves", 200))
        return Page(found, replace(place, locator=locator).text(), more=True)

    def _again(self, place: Place) -> Page:
        failed = place.failed + 1
        return Page((), Place(way="ids" if failed >= FAILED_JOBS else "bulk", failed=failed).text(), more=True)

    def _path(self, tail: str) -> str:
        return self._settings.data(f"jobs/query/{tail}".rstrip("/"))


def read_page(
    mapping: ObjectMapping, rows: Sequence[Mapping[str, str]], booleans: set[str], *, partial: bool = False
) -> list[Snapshot]:
    """The rows of a page as snapshots."""
    if not all(is_id(row.get("Id")) for row in rows):
        raise VendorError(Failure(Remedy.RETRY, "page-cut-off", "a row of results has no id", 200))
    paths = mapping.paths()
    return [snapshot(mapping.object, shaped(from_row(row, booleans), paths), partial=partial) for row in rows]


def _job(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, dict) or not isinstance(data.get("id"), str):
        raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the job has no id", 200))
    return data
