"""Very many new records at once: the Import API, for the bulk lane.

A job is one import container, named by connection, day and job. It is noted before a resource is sent; its operations
are then watched until none is at work, and each record's verdict is that of the operation with its key. What only a
create can say, what exists already and what an import stumbles over in a way that a create explains better goes one by
one.

Operations whose references lead nowhere would be kept by the vendor for 48 hours and tried again. They are given up
with their container after a while: the record is tried again when its time comes, with what it holds by then.
Containers vanish by themselves; a job whose container is gone is looked for by key.

Whether a container that is deleted takes its unfinished operations along is not documented. Should it not, they bring
the record's own values of a moment ago, by its own key, and the next poll shows that like every other change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.commercetools.actions import draft, type_key
from syncd.systems.commercetools.client import Client
from syncd.systems.commercetools.errors import Doing, from_import, from_unusable
from syncd.systems.commercetools.import_form import KINDS, OPERATIONS, REQUEST, Kind, choose, imported
from syncd.systems.commercetools.query import chunks, each
from syncd.systems.commercetools.read import find, shown
from syncd.systems.commercetools.resources import bad_response, resource_of
from syncd.systems.commercetools.values import UnwritableError
from syncd.systems.contract import Job, JobBook, Snapshot, VendorError, Verdict, Write

log = structlog.get_logger(__name__)

LIFETIME: Final = "3d"
"""Of a container; longer than its operations live."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 20.0
PATIENCE: Final = 3600.0
"""Seconds until operations that are still at work are left, in doubt."""
UNRESOLVED_PATIENCE: Final = 60.0
"""Seconds that the vendor is given to find what is referred to, once nothing else is at work."""
TROUBLE_BORNE: Final = 300.0
"""Seconds for which every look may go wrong, as in an outage: what is given up too early is made by creates, and by the
import all the same."""

_CONTAINER: Final = re.compile(r"[A-Za-z0-9_-]{2,256}")
_PLAIN: Final = frozenset({"RequiredField", "InvalidInput", "InvalidOperation"})
"""Errors that say by themselves what is wrong; others are met once more by a create, which names holder or field."""

Operations = Mapping[str, Mapping[str, Any]]
"""By the key of the resource."""


class LostError(Exception):
    """The container is not there any more."""


class Importer:
    """The Import API of one connection."""

    def __init__(self, connection: str, client: Client, book: JobBook, world: World) -> None:
        self._connection = connection
        self._client = client
        self._door = client.at(client.settings.import_url)
        self._book = book
        self._world = world
        self.closed = ""
        """Why nothing is imported any more, such as a scope that is missing."""

    def serves(self, object_: str) -> bool:
        return object_ in KINDS and not self.closed

    async def write(
        self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane
    ) -> tuple[list[Verdict], list[Write]]:
        """Verdicts of what was imported, and the writes that go one by one. Never raises for the vendor."""
        forms = self._forms(mapping, writes)
        choice = choose(len(forms))
        log.info("import_choice", mapping=mapping.name, imports=choice.imports, reason=choice.reason)
        if not choice.imports:
            return [], list(writes)
        try:
            known = await shown(self._client, mapping, "key", list(forms), lane)
            forms = {key: form for key, form in forms.items() if key not in known}
            container = await self._begin(lane) if forms else ""
        except VendorError as error:
            self._give_up(error.failure)
            return [], list(writes)
        if not forms:
            return [], list(writes)
        job = Job(container, mapping.object, tuple(forms))
        await self._book.begun(job)
        verdicts = await self._job(mapping, job, forms, lane)
        told = {one.key for one in verdicts}
        return verdicts, [one for one in writes if one.key not in told]

    async def resume(self, mapping: ObjectMapping, job: Job, lane: Lane) -> list[Verdict]:
        """See :meth:`~syncd.systems.contract.JobSystem.resume`."""
        if not _CONTAINER.fullmatch(job.id):
            raise VendorError(Failure(Remedy.ASK, "bad-job", "the job's note cannot be read"))
        never = Failure(Remedy.RETRY, "job-never-started", "syncd ended before the record was sent", single=True)
        try:
            operations = await self._ended(job, 0, lane)
        except LostError:
            operations = {key: {"state": "imported"} for key in job.keys}
        except VendorError as error:
            return [_failed(key, _doubtful(error.failure)) for key in job.keys]
        verdicts = await self._verdicts(mapping, operations, lane)
        told = {one.key for one in verdicts}
        # What a create would explain is explained when its time comes: nothing of it was applied.
        verdicts += [
            _failed(key, _again(_of_errors(operations[key])) if key in operations else never)
            for key in job.keys
            if key not in told
        ]
        await self._close(job, verdicts, lane)
        return verdicts

    # -- sending

    def _forms(self, mapping: ObjectMapping, writes: Sequence[Write]) -> dict[str, dict[str, Any]]:
        """The new records that an import can say, whole, by key."""
        kind = KINDS.get(mapping.object)
        if kind is None or mapping.key_path != "key":
            return {}
        resource, forms = resource_of(mapping), dict[str, dict[str, Any]]()
        for one in writes:
            if one.action is not Action.CREATE or one.relations or one.children or one.converts:
                continue
            values = {**mapping.constants, **one.values, "key": one.key}
            try:
                made = draft(resource, values, type_key(resource, self._client.settings))
                forms[one.key] = imported(made, mapping, kind)
            except UnwritableError as error:
                log.debug("not_imported", mapping=mapping.name, path=error.path)
        return forms

    async def _begin(self, lane: Lane) -> str:
        """A container of this job's own. Raises :class:`VendorError`."""
        day = datetime.fromtimestamp(self._client.now_ms() / 1000, UTC)
        key = f"syncd-{self._connection}-{day:%Y%m%d}-{self._world.new_id()[:12]}"
        policy = {"strategy": "ttl", "config": {"timeToLive": LIFETIME}}
        await self._door.post("import-containers", {"key": key, "retentionPolicy": policy}, lane, doing=Doing.CREATE)
        return key

    def _give_up(self, failure: Failure) -> None:
        if failure.remedy is Remedy.STOP:
            self.closed = f"{failure.code}: {failure.message}"
            log.warning("imports_given_up", connection=self._connection, code=failure.code, status=failure.status)
        else:
            log.info("not_imported_now", connection=self._connection, code=failure.code)

    async def _job(
        self, mapping: ObjectMapping, job: Job, forms: Mapping[str, dict[str, Any]], lane: Lane
    ) -> list[Verdict]:
        kind = KINDS[mapping.object]
        parts = chunks(list(forms), REQUEST)
        sent = await each(
            parts,
            lambda keys: self._send(mapping.object, kind, job.id, [forms[key] for key in keys], lane),
            self._client.settings.concurrency,
        )
        refused = {key: failure for keys, failure in zip(parts, sent, strict=True) if failure for key in keys}
        # What was refused whole was not begun, except where that is not known.
        begun = len(forms) - len(refused)
        doubted = {key: one for key, one in refused.items() if one.remedy is Remedy.LOOK}
        try:
            operations = await self._ended(job, begun, lane) if begun or doubted else {}
        except LostError:
            operations = {key: {"state": "imported"} for key in forms if key not in refused}
        except VendorError as error:
            doubt = _doubtful(error.failure)
            return [_failed(key, doubt if key not in refused or key in doubted else refused[key]) for key in forms]
        verdicts = await self._verdicts(mapping, operations, lane)
        late = Failure(Remedy.LOOK, "no-verdict", "no operation speaks of the record", single=True)
        for key in forms:
            if key in operations:
                continue
            failure = refused.get(key, late)
            if failure.remedy not in (Remedy.ASK, Remedy.STOP, Remedy.LINK):
                verdicts.append(_failed(key, failure))
        await self._close(job, verdicts, lane)
        return verdicts

    async def _send(
        self, object_: str, kind: Kind, container: str, resources: Sequence[Mapping[str, Any]], lane: Lane
    ) -> Failure | None:
        """One request; why it was not taken."""
        body = {"type": kind.type, "resources": list(resources)}
        try:
            reply = await self._door.post(f"{object_}/import-containers/{container}", body, lane, doing=Doing.CREATE)
        except VendorError as error:
            return error.failure
        listed = reply.body.get("operationStatus")
        if not isinstance(listed, list) or len(listed) != len(resources):
            return from_unusable(201, "an import was taken without saying what of it", Doing.CREATE)
        return None

    # -- watching

    async def _ended(self, job: Job, expected: int, lane: Lane) -> dict[str, Mapping[str, Any]]:
        """The operations of a job once none is at work, or patience ends. Raises :class:`VendorError` and
        :class:`LostError`."""
        clock = self._world.clock
        began, wait = clock.monotonic(), FIRST_WAIT
        quiet_since: float | None = None
        troubled_since: float | None = None
        while True:
            await clock.sleep(wait)
            wait, now = min(wait * 1.5, LONGEST_WAIT), clock.monotonic()
            try:
                states = await self._states(job.id, lane)
                at_work = states.get("processing", 0) > 0 or sum(states.values()) < expected
                quiet_since = None if at_work else now if quiet_since is None else quiet_since
                unresolved = states.get("unresolved", 0) + states.get("waitForMasterVariant", 0)
                # Counts trail the operations a little, so what was not counted on is looked for twice.
                patience = UNRESOLVED_PATIENCE if unresolved else 0.0 if expected else FIRST_WAIT
                if (quiet_since is not None and now - quiet_since >= patience) or now - began > PATIENCE:
                    return await self._operations(job, lane)
                troubled_since = None
            except VendorError as error:
                troubled_since = now if troubled_since is None else troubled_since
                if error.failure.remedy not in (Remedy.RETRY, Remedy.WAIT) or now - troubled_since >= TROUBLE_BORNE:
                    raise

    async def _states(self, container: str, lane: Lane) -> dict[str, int]:
        told = await self._look(f"import-containers/{container}/import-summaries", (), lane)
        states = told.get("states")
        if not isinstance(states, Mapping):
            raise bad_response("a summary has no states")
        return {str(name): count for name, count in states.items() if isinstance(count, int)}

    async def _operations(self, job: Job, lane: Lane) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        offset, ours = 0, frozenset(job.keys)
        while True:
            params = (("limit", str(OPERATIONS)), ("offset", str(offset)), ("debug", "true"))
            told = await self._look(f"import-containers/{job.id}/import-operations", params, lane)
            rows = told.get("results")
            if not isinstance(rows, list):
                raise bad_response("a page of operations has no results")
            met = len(found)
            named = ((str(one.get("resourceKey")), one) for one in rows if isinstance(one, Mapping))
            found |= {key: one for key, one in named if key in ours}
            offset += len(rows)
            if len(rows) < OPERATIONS or len(found) == met:
                return found

    async def _look(self, path: str, params: Sequence[tuple[str, str]], lane: Lane) -> Mapping[str, Any]:
        try:
            return (await self._door.get(path, lane, params, one=True)).body
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                raise LostError from None
            raise

    # -- what became of it

    async def _verdicts(self, mapping: ObjectMapping, operations: Operations, lane: Lane) -> list[Verdict]:
        """Of operations that are at an end; those left out go one by one."""
        done = [key for key, one in operations.items() if one.get("state") in ("imported", "partiallyImported")]
        held, failure = await self._held(mapping, done, lane)
        verdicts = []
        for key, one in operations.items():
            if key in held:
                verdicts.append(Verdict(key, Outcome.APPLIED, held[key].external_id, held[key]))
            elif one.get("state") in ("imported", "partiallyImported"):
                verdicts.append(_failed(key, failure))
            elif (told := _ended_badly(one)) is not None:
                verdicts.append(_failed(key, told))
        return verdicts

    async def _held(
        self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane
    ) -> tuple[Mapping[str, Snapshot], Failure]:
        """What was imported, as it is held now: operations tell neither id nor values."""
        missing = Failure(Remedy.RETRY, "not-there", "it was imported, and is not there any more", single=True)
        try:
            return await find(self._client, mapping, keys, lane) if keys else {}, missing
        except VendorError as error:
            return {}, _doubtful(error.failure)

    async def _close(self, job: Job, verdicts: Sequence[Verdict], lane: Lane) -> None:
        """Give the container back, unless something of it is in doubt."""
        if any(one.failure is not None and one.failure.remedy is Remedy.LOOK for one in verdicts):
            return
        try:
            await self._door.delete(f"import-containers/{job.id}", lane, ())
        except VendorError as error:
            # It vanishes by itself.
            log.info("container_left", connection=self._connection, container=job.id, code=error.failure.code)
        await self._book.ended(job)


def _ended_badly(operation: Mapping[str, Any]) -> Failure | None:
    """Why an operation brought nothing; ``None`` where a create is to say it."""
    match operation.get("state"):
        case "validationFailed":
            failure = _of_errors(operation)
            return failure if failure.code in _PLAIN and failure.remedy is Remedy.ASK else None
        case "rejected" | "canceled":
            told = f"the import was {operation.get('state')}"
            return Failure(Remedy.RETRY, "import-rejected", told, single=True)
        case "unresolved" | "waitForMasterVariant":
            listed = operation.get("unresolvedReferences")
            rows = listed if isinstance(listed, list) else []
            named = [f"{one.get('typeId')} {one.get('key')}" for one in rows if isinstance(one, Mapping)]
            what = ", ".join(named) or "something"
            return Failure(Remedy.RETRY, "reference-unresolved", f"it refers to what is not there: {what}", single=True)
    return Failure(Remedy.LOOK, "import-late", "the import has not ended in its time", single=True)


def _again(failure: Failure) -> Failure:
    return Failure(Remedy.RETRY, failure.code, failure.message, single=True, fields=failure.fields, reply=failure.reply)


def _of_errors(operation: Mapping[str, Any]) -> Failure:
    listed = operation.get("errors")
    return from_import(listed if isinstance(listed, list) else [])


def _doubtful(failure: Failure) -> Failure:
    wait = failure.retry_after_seconds
    return Failure(Remedy.LOOK, failure.code, failure.message, failure.status, wait, reply=failure.reply)


def _failed(key: str, failure: Failure) -> Verdict:
    return Verdict(key, Outcome.FAILED, failure=failure)
