"""Many new objects at once: imports, noted before they begin, awaited, and every row's end found.

An import is found again by its name, which is ours and unlike any other. Rows that it refused, and rows of which it
left nothing, are written in batches afterwards: those are keyed, so that whatever was applied is applied once, and they
say in full what is wrong. Only what the import cannot carry (associations, children) is written by others.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import structlog

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import Job, JobBook, VendorError, Verdict, Write
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.imports_plan import (
    MOST_BYTES,
    MOST_ROWS,
    Sheet,
    choose,
    failure_of,
    form,
    importable,
    key_of,
    request,
    sheet,
)
from syncd.systems.hubspot.journal_subscriptions import type_id_of
from syncd.systems.hubspot.objects import listed, modified_property, next_of, value_of
from syncd.systems.hubspot.read import Reader, milliseconds
from syncd.systems.hubspot.sdk import SEARCH, Sdk
from syncd.systems.hubspot.settings import SEARCH_PAGE, Paths
from syncd.systems.hubspot.vitals import Vitals

log = structlog.get_logger(__name__)

FIRST_WAIT: Final = 2.0
LONGEST_WAIT: Final = 20.0
FAILURES_BORNE: Final = 5
"""Looks that may go wrong one after the other before the rows are left to batches."""
WAIT_SECONDS: Final = 3600.0
"""How long an import may take."""
NAME_LOOKS: Final = 3
NAME_PAGES: Final = 5
"""How far back the list of imports is searched for one by name."""
BACK_MS: Final = 60_000
"""An import's objects are looked for from a little before it began: clocks differ."""
ENDED: Final = frozenset({"DONE", "FAILED", "CANCELED", "REVERTED"})


class Imports:
    def __init__(
        self, connection: str, client: Client, sdk: Sdk, paths: Paths, reader: Reader, jobs: JobBook, world: World,
        vitals: Vitals,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._client = client
        self._sdk = sdk
        self._paths = paths
        self._reader = reader
        self._jobs = jobs
        self._world = world
        self._vitals = vitals
        self._running = False
        self._refused = ""
        """Why the account takes no imports of ours, once it has said so."""

    async def write(
        self, mapping: ObjectMapping, rows: Sequence[tuple[Write, Mapping[str, str]]], lane: Lane
    ) -> dict[str, str | Failure]:
        """What became, by key, of those that went by an import, where one is worth it: the id, or a doubt. All others
        are for batches. ``rows`` are creates with their values on the wire. Never raises for vendor or budget."""
        fit = [(one.key, values) for one, values in rows if _fits(mapping, one, values)][:MOST_ROWS]
        choice = choose(len(fit), self._vitals.daily_left, running=self._running)
        if self._refused or not choice.imports:
            return {}
        page = sheet(mapping.key_path, fit)
        if len(page.content) > MOST_BYTES:
            return {}
        job = Job(f"syncd {self._connection} {mapping.object} {self._uuid()}", mapping.object, tuple(dict(fit)))
        log.info("hubspot.import", connection=self._connection, object=mapping.object, why=choice.reason, name=job.id)
        self._running = True
        try:
            await self._jobs.begun(job)
            done = await self._import(mapping, job, page, lane)
            await self._jobs.ended(job)
            return done
        finally:
            self._running = False

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self._world.dice.getrandbits(128), version=4)

    async def resume(self, mapping: ObjectMapping, job: Job, lane: Lane) -> list[Verdict]:
        """See :meth:`syncd.systems.contract.JobSystem.resume`. What hangs on the objects is written when their
        deliveries are tried again: a job knows keys, not associations."""
        found = await self._named(job.id, lane)
        if found is None:
            return [_failed(key, Failure(Remedy.RETRY, "import-unknown", "the import never began")) for key in job.keys]
        ended = await self._ended(found, lane)
        refused = {key: failure async for key, failure in self._refusals(str(ended["id"]), (), lane) if key}
        since = milliseconds(ended.get("createdAt"))
        ids = await self._ids(mapping, [key for key in job.keys if key not in refused], since, lane)
        verdicts = [_resumed(mapping, key, ids.get(key, ""), refused.get(key)) for key in job.keys]
        await self._jobs.ended(job)
        return verdicts

    # -- one import

    async def _import(self, mapping: ObjectMapping, job: Job, page: Sheet, lane: Lane) -> dict[str, str | Failure]:
        since = self._world.clock.now_ms()
        try:
            started = await self._start(mapping, job, page, lane)
        except VendorError as error:
            # Certainly not begun: the batches do it, and say what is wrong if it is the rows.
            failure = self._left(job, error.failure)
            self._refused = failure.message if failure.status == 403 else ""
            return {}
        try:
            started = started or await self._seen(job.id, lane)
            ended = await self._ended(started, lane)
            refused = {key async for key, _ in self._refusals(str(ended["id"]), page.columns, lane)}
            ids = await self._ids(mapping, [key for key in job.keys if key not in refused], since, lane)
        except VendorError as error:
            # It may go on for hours, and must not come after what is written meanwhile.
            failure = self._left(job, error.failure)
            if started is not None and await self._cancelled(str(started["id"]), lane):
                return {}
            told = f"what became of the import is not known: {failure.message}"
            doubt = Failure(Remedy.LOOK, failure.code, told[:500], failure.status, failure.retry_after_seconds)
            return dict.fromkeys(job.keys, doubt)
        log.info(
            "hubspot.import_ended", connection=self._connection, object=mapping.object, state=ended.get("state"),
            rows=len(job.keys), written=len(ids), refused=len(refused),
        )  # fmt: skip
        return dict(ids)

    def _left(self, job: Job, failure: Failure) -> Failure:
        log.warning(
            "hubspot.import_left", connection=self._connection, object=job.object, code=failure.code,
        )  # fmt: skip
        return failure

    async def _cancelled(self, id_: str, lane: Lane) -> bool:
        """Whether the import has certainly stopped."""
        try:
            await self._client.post(self._paths.imports(f"{id_}/cancel"), {}, lane, writes=True)
            reply = await self._client.get(self._paths.imports(id_), {}, lane)
        except VendorError:
            return False
        return isinstance(reply.data, Mapping) and reply.data.get("state") in ENDED

    async def _start(self, mapping: ObjectMapping, job: Job, page: Sheet, lane: Lane) -> Mapping[str, Any] | None:
        """The import; ``None`` when its answer was lost. Raises what means that it certainly did not begin."""
        asked = request(job.id, type_id_of(mapping.object), page)
        content_type, body = form(asked, page, self._uuid().hex)
        try:
            reply = await self._client.send(self._paths.imports(), body, content_type, lane)
        except VendorError as error:
            if error.failure.remedy is not Remedy.LOOK:
                raise
            return None
        return reply.data if isinstance(reply.data, Mapping) and reply.data.get("id") is not None else None

    async def _seen(self, name: str, lane: Lane) -> Mapping[str, Any]:
        found = await self._named(name, lane)
        if found is None:
            raise VendorError(Failure(Remedy.LOOK, "import-unseen", "the import was sent off and is not to be seen"))
        return found

    async def _named(self, name: str, lane: Lane) -> Mapping[str, Any] | None:
        for look in range(NAME_LOOKS):
            if look:
                await self._world.clock.sleep(FIRST_WAIT)
            after = ""
            for _ in range(NAME_PAGES):
                query = {"limit": "100"} | ({"after": after} if after else {})
                reply = await self._client.get(self._paths.imports(), query, lane)
                for one in listed(reply.data):
                    if _name(one) == name and one.get("id") is not None:
                        return one
                after = next_of(reply.data)
                if not after:
                    break
        return None

    async def _ended(self, told: Mapping[str, Any], lane: Lane) -> Mapping[str, Any]:
        """Wait for the import's end. Raises :class:`VendorError` when it cannot be seen any more, or takes too long."""
        clock = self._world.clock
        until, wait, failures = clock.monotonic() + WAIT_SECONDS, FIRST_WAIT, 0
        path = self._paths.imports(str(told["id"]))
        while told.get("state") not in ENDED:
            if clock.monotonic() > until:
                raise VendorError(Failure(Remedy.LOOK, "import-late", "the import has not ended in its time"))
            await clock.sleep(wait)
            wait = min(wait * 1.5, LONGEST_WAIT)
            try:
                reply = await self._client.get(path, {}, lane)
                told, failures = reply.data if isinstance(reply.data, Mapping) else told, 0
            except VendorError as error:
                failure = error.failure
                failures += failure.remedy is not Remedy.WAIT
                if failures >= FAILURES_BORNE or failure.remedy not in (Remedy.RETRY, Remedy.WAIT):
                    raise
                await clock.sleep(min(failure.retry_after_seconds or wait, LONGEST_WAIT))
        return told

    async def _refusals(self, id_: str, columns: Sequence[str], lane: Lane) -> AsyncIterator[tuple[str, Failure]]:
        """Key and failure of every row that was refused; an empty key where the vendor does not show the row."""
        after = ""
        while True:
            query = {"limit": "100", "includeErrorMessage": "true", "includeRowData": "true"}
            reply = await self._client.get(
                self._paths.imports(f"{id_}/errors"), query | ({"after": after} if after else {}), lane
            )
            for error in listed(reply.data):
                yield key_of(error), failure_of(error, columns)
            after = next_of(reply.data)
            if not after:
                return

    # -- ids

    async def _ids(self, mapping: ObjectMapping, keys: Sequence[str], since: int, lane: Lane) -> dict[str, str]:
        """By key. First by search, two hundred a call, which may trail; the rest by key, which does not."""
        wanted = {key.casefold(): key for key in keys}
        found: dict[str, str] = {}
        past = 0
        while len(found) < len(wanted):
            body = _sweep(mapping, since - BACK_MS, past)
            data = await self._sdk.call(
                SEARCH, mapping.object, public_object_search_request=body, lane=lane, kind="search"
            )
            results = [one for one in listed(data) if str(one.get("id")).isdecimal()]
            for one in results:
                key = wanted.get(value_of(one, mapping.key_path).casefold())
                if key is not None:
                    found[key] = str(one["id"])
            if len(results) < SEARCH_PAGE:
                break
            past = max(int(str(one["id"])) for one in results)
        left = [key for key in keys if key not in found]
        there = await self._reader.find(mapping, left, lane) if left else {}
        return {**found, **{key: one.external_id for key, one in there.items()}}


def _fits(mapping: ObjectMapping, write: Write, values: Mapping[str, str]) -> bool:
    """An import makes objects by our key. It clears nothing, and converts nothing."""
    return (
        importable(mapping.object)
        and bool(mapping.key_path)
        and write.action is Action.CREATE
        and not write.external_id
        and write.converts is None
        and "" not in values.values()
        and _sayable(write.key, *values.values())
    )


def _sayable(*texts: str) -> bool:
    """Half a character has no bytes: a batch says which object has one."""
    try:
        return bool("".join(texts).encode())
    except UnicodeEncodeError:
        return False


def _name(told: Mapping[str, Any]) -> str:
    asked = told.get("importRequestJson")
    return str(told.get("importName") or (asked.get("name") if isinstance(asked, Mapping) else "") or "")


def _sweep(mapping: ObjectMapping, since: int, past: int) -> dict[str, Any]:
    """The search for objects with our key that changed since, in the order of their ids."""
    filters = [
        {"propertyName": modified_property(mapping.object), "operator": "GTE", "value": str(max(0, since))},
        {"propertyName": mapping.key_path, "operator": "HAS_PROPERTY"},
        {"propertyName": "hs_object_id", "operator": "GT", "value": str(past)},
    ]
    return {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": [mapping.key_path],
        "limit": SEARCH_PAGE,
        "after": "0",
    }


def _failed(key: str, failure: Failure, external_id: str = "", *, main_applied: bool = False) -> Verdict:
    return Verdict(key, Outcome.FAILED, external_id, failure=failure, main_applied=main_applied)


def _resumed(mapping: ObjectMapping, key: str, external_id: str, refused: Failure | None) -> Verdict:
    if refused is not None:
        return _failed(key, refused)
    if not external_id:
        return _failed(key, Failure(Remedy.RETRY, "import-left-nothing", "the import ended and left nothing behind"))
    if mapping.relations or mapping.children:
        told = "the object was imported; what hangs on it was not written yet"
        return _failed(key, Failure(Remedy.RETRY, "associations-left", told), external_id, main_applied=True)
    return Verdict(key, Outcome.APPLIED, external_id)
