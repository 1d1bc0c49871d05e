"""Writing: one verdict for each write, in as few calls as there can be.

New records go by upsert on our key, known ones by id, two hundred a call; new ones with children in a composite call;
very many at once, in the bulk lane, through a Bulk job.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.failure import Failure, Remedy
from syncd.model.lens import Raw
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import Job, OutOfBudgetError, VendorError, Verdict, Write
from syncd.systems.mishaps import failure_of
from syncd.systems.salesforce import unkeyed
from syncd.systems.salesforce.children import write_children
from syncd.systems.salesforce.collections import (
    CREATE_ONLY,
    Done,
    Input,
    Target,
    delete_records,
    write_records,
)
from syncd.systems.salesforce.composite import Families, fits
from syncd.systems.salesforce.describe import Describer, Schema
from syncd.systems.salesforce.draft import Draft, repeatable
from syncd.systems.salesforce.ingest import Ingest
from syncd.systems.salesforce.lifecycle import Lifecycle
from syncd.systems.salesforce.prices import Prices
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.settings import Settings
from syncd.systems.salesforce.unkeyed import natural_key
from syncd.systems.salesforce.values import body

log = structlog.get_logger(__name__)


class Writer:
    def __init__(
        self, settings: Settings, rest: Rest, describer: Describer, ingest: Ingest, lifecycle: Lifecycle
    ) -> None:  # fmt: skip
        self._settings = settings
        self._rest = rest
        self._describer = describer
        self._ingest = ingest
        self._lifecycle = lifecycle
        self._families = Families(settings, rest, describer)
        self._prices = Prices(rest, describer)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
        """One verdict per write. Never raises for the vendor or the budget."""
        drafts = [Draft(one, external_id=one.external_id) for one in writes]
        try:
            schema = await self._describer.schema(mapping.object, lane)
        except (VendorError, OutOfBudgetError) as error:
            for draft in drafts:
                draft.fail(failure_of(error))
            return [draft.verdict() for draft in drafts]
        for draft in drafts:
            self._form(mapping, schema, draft)
        await self._begun(mapping, schema, drafts, lane)
        await self._records(mapping, schema, _standing(drafts), lane)
        if any(one.failure is not None and one.failure.code.startswith("INVALID_FIELD") for one in drafts):
            await self._look_again(mapping, lane)
        return [draft.verdict() for draft in drafts]

    async def resume(self, mapping: ObjectMapping, job: Job, lane: Lane) -> list[Verdict]:
        return [draft.verdict() for draft in await self._ingest.resume(mapping, job, lane)]

    def _form(self, mapping: ObjectMapping, schema: Schema, draft: Draft) -> None:
        write = draft.write
        try:
            draft.values = {**write.values, **_references(write, schema)}
        except VendorError as error:
            draft.fail(error.failure)
        if write.action is Action.CREATE and not mapping.key_path and not natural_key(schema):
            told = f"{mapping.name} has no key_path, so a create could not be told from its repetition"
            draft.fail(Failure(Remedy.ASK, "no-key-path", told))
        elif write.action is not Action.CREATE and not write.external_id:
            draft.fail(Failure(Remedy.LOOK, "no-external-id", "a change without the vendor's id"))

    async def _begun(self, mapping: ObjectMapping, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
        """What must have happened before the records themselves are written."""
        restored = [one for one in _standing(drafts) if one.write.action is Action.RESTORE]
        await self._lifecycle.restore(mapping, restored, lane)
        converted = [one for one in _standing(drafts) if one.write.converts is not None and not one.external_id]
        await self._lifecycle.convert(mapping, converted, lane)
        await self._prices.complete(mapping, schema, _standing(drafts), lane)

    async def _records(self, mapping: ObjectMapping, schema: Schema, drafts: list[Draft], lane: Lane) -> None:
        deletes = [one for one in drafts if one.write.action is Action.DELETE]
        changes = [one for one in drafts if one.write.action is not Action.DELETE]
        again, locked = changes, list[Draft]()
        many = len(changes) >= self._settings.bulk_threshold and lane is Lane.BULK
        if many and mapping.key_path and not any(one.write.children or one.later for one in changes):
            await self._ingest.write(mapping, schema, changes, lane)
            again, locked = [], [one for one in changes if _locked(one.failure)]
            for one in locked:
                one.failure = None
        if not mapping.key_path:
            await unkeyed.create(self._rest, schema, [one for one in again if not one.external_id], lane)
            again = [one for one in _standing(again) if not one.applied]
        whole = [one for one in again if not one.external_id and fits(one)]
        await self._families.write(mapping, schema, whole, lane)
        # Some of it is there already, from an answer that was lost: what may only be set on creation is left out now.
        met = [one for one in whole if one.failure is not None and one.failure.code == CREATE_ONLY]
        for one in met:
            one.failure = None
        travelled = {id(one) for one in whole} - {id(one) for one in met if not one.applied}
        single = [one for one in again if id(one) not in travelled]
        await self._collect(mapping, schema, single, lane)
        await self._collect(mapping, schema, locked, lane, alone=True)
        standing = [one for one in {id(one): one for one in (*single, *met)}.values() if one.applied]
        await write_children(self._rest, self._describer, mapping, standing, lane)
        await unkeyed.link_doubles(self._rest, schema, changes, lane)
        await self._last(schema, changes, lane)
        await self._delete(deletes, lane)

    async def _last(self, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
        """What waited for the children, where all of them stand."""
        ready = [one for one in drafts if one.later and one.applied and one.failure is None and one.owed is None]
        inputs = [
            Input(mark, one.external_id, {"id": one.external_id, **body(one.later, schema)})
            for mark, one in enumerate(ready)
        ]  # fmt: skip
        for mark, result in (await write_records(self._rest, Target(schema), inputs, lane)).items():
            if result.failure is not None:
                ready[mark].fail(repeatable(result.failure))

    async def _collect(
        self, mapping: ObjectMapping, schema: Schema, drafts: Sequence[Draft], lane: Lane, *, alone: bool = False
    ) -> None:
        updates, upserts = [], []
        for mark, draft in enumerate(drafts):
            fields = body(draft.values, schema)
            if draft.write.action is Action.CREATE and mapping.key_path:
                # A create that names a record adopts it: from now on it carries our key.
                fields[mapping.key_path] = draft.write.key
            if not draft.external_id:
                upserts.append(Input(mark, draft.write.key, fields))
            elif fields:
                updates.append(Input(mark, draft.external_id, {"id": draft.external_id, **fields}))
            else:
                draft.stand(draft.external_id)
        done = await write_records(self._rest, Target(schema), updates, lane, alone=alone)
        done |= await write_records(self._rest, Target(schema, mapping.key_path), upserts, lane, alone=alone)
        for mark, result in done.items():
            _settle(drafts[mark], result)

    async def _delete(self, drafts: Sequence[Draft], lane: Lane) -> None:
        done = await delete_records(self._rest, [one.external_id for one in drafts], lane)
        for draft in drafts:
            result = done[draft.external_id]
            if result.failure is None or result.failure.remedy is Remedy.GONE:
                draft.stand(draft.external_id)
            else:
                draft.fail(result.failure)

    async def _look_again(self, mapping: ObjectMapping, lane: Lane) -> None:
        """A field may have been taken away or made read-only: the description is stale, whatever its age."""
        try:
            await self._describer.schema(mapping.object, lane, fresh=True)
        except (VendorError, OutOfBudgetError):
            # The verdicts stand without it; the next write asks again.
            return


def _standing(drafts: Sequence[Draft]) -> list[Draft]:
    return [one for one in drafts if one.failure is None]


def _references(write: Write, schema: Schema) -> dict[str, Raw]:
    """Relations as reference fields: the new parent takes the place of the old one by itself."""
    found: dict[str, Raw] = {}
    for one in sorted(write.relations, key=lambda relation: not relation.remove):
        path = one.path
        if not path:
            field = schema.lookup_to(one.object)
            if field is None:
                told = f"{schema.name} has no single reference field to {one.object}; name it as the relation's path"
                raise VendorError(Failure(Remedy.ASK, "no-reference-field", told))
            path = field.name
        known = schema.field(path)
        if write.external_id and known is not None and not known.updateable:
            # Such as the contact of an opportunity: the vendor takes it on creation and never again.
            log.info("salesforce.reference_fixed", object=schema.name, path=path, record_id=write.key)
            continue
        found[path] = None if one.remove else one.external_id
    return found


def _settle(draft: Draft, done: Done) -> None:
    if done.failure is None:
        draft.stand(done.id or draft.external_id)
    else:
        draft.fail(done.failure)


def _locked(failure: Failure | None) -> bool:
    return failure is not None and failure.code == "UNABLE_TO_LOCK_ROW"
