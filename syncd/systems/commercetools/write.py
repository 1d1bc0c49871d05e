"""Writing customers: one verdict per write, whatever happens.

* A create carries our record id as ``key``. When the vendor says the key exists, our create was applied before
  (its answer was lost): it is compared, and is applied, or to be linked and updated.
* When it says the e-mail or another unique value exists, the holder is looked up and named in the failure.
* An update carries the version its diff was computed against; 409 means REREAD, never "send again".
* What a customer must be known for (does it have a custom type?) is read in one query for the whole batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.lens import Raw
from syncd.model.mapping import ObjectMapping, pluck
from syncd.systems.commercetools.actions import (
    UnwritableError,
    draft,
    must_look,
    reference_key,
    same,
    update_actions,
)
from syncd.systems.commercetools.client import Client, Reply, segment
from syncd.systems.commercetools.errors import Doing, from_unusable
from syncd.systems.commercetools.query import each, expand_params
from syncd.systems.commercetools.read import fetch, holders, read
from syncd.systems.commercetools.resources import Resource, expansions, resource_of, snapshot
from syncd.systems.contract import Snapshot, VendorError, Verdict, Write

log = structlog.get_logger(__name__)

Looked = Mapping[str, Snapshot | Failure]
"""External id to what was read before an update, or why it could not be."""

UNIQUE: Final[Mapping[str, tuple[str, ...]]] = {
    "key": ("key = :value",),
    # Unique whatever the case, but stored as given. The second form is not in the API description.
    "email": ("email = :value", "lowercaseEmail = :value"),
    "customerNumber": ("customerNumber = :value",),
}
"""Unique members of a customer, and the predicates that find the holder of a value."""


async def write(client: Client, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
    """Verdicts in the order of the writes."""
    try:
        resource = resource_of(mapping)
    except VendorError as error:
        return [_failed(one, error.failure) for one in writes]
    job = _Job(client, mapping, resource, lane)
    looked = await job.look(writes)
    return await each(writes, lambda one: job.verdict(one, looked), client.settings.concurrency)


class _Job:
    """One batch: what all its writes share."""

    def __init__(self, client: Client, mapping: ObjectMapping, resource: Resource, lane: Lane) -> None:
        self._client = client
        self._mapping = mapping
        self._resource = resource
        self._lane = lane
        self._expand = expansions(mapping)
        self._type_key = client.settings.custom_type_key

    async def look(self, writes: Sequence[Write]) -> Looked:
        """Read the customers whose updates cannot be formed from what the engine knows."""
        ids = [
            one.external_id
            for one in writes
            if one.action is Action.UPDATE and self._refusal(one) is None and must_look(one.values, one.current)
        ]
        if not ids:
            return {}
        try:
            seen = await read(self._client, self._mapping, ids, self._lane)
        except VendorError as error:
            return dict.fromkeys(ids, error.failure)
        gone = Failure(Remedy.GONE, "ResourceNotFound", "the customer is not there any more", status=404)
        return {**dict.fromkeys(seen.missing, gone), **seen.found}

    async def verdict(self, one: Write, looked: Looked) -> Verdict:
        refusal = self._refusal(one)
        if refusal is not None:
            return _failed(one, refusal)
        try:
            if one.action is Action.CREATE:
                return await self._create(one)
            if one.action is Action.DELETE:
                return await self._delete(one)
            return await self._update(one, looked.get(one.external_id))
        except VendorError as error:
            return _failed(one, error.failure)
        except UnwritableError as error:
            return _failed(one, Failure(Remedy.ASK, "value-unwritable", str(error), fields=(error.path,)))

    def _refusal(self, one: Write) -> Failure | None:
        """What no request could do."""
        if not self._resource.writable:
            return Failure(Remedy.ASK, "not-writable", f"{self._resource.object} are only read from commercetools")
        if one.relations or one.children:
            return Failure(Remedy.ASK, "not-writable", "commercetools customers have no associations to write")
        if one.action is Action.CREATE:
            return None
        if not one.external_id:
            return Failure(Remedy.ASK, "no-id", "an update or delete needs the vendor's id")
        if not one.version.isdecimal():
            return Failure(Remedy.REREAD, "version-unknown", "the version that the difference is based on is unknown")
        return None

    # -- create ------------------------------------------------------------------------------------------------

    async def _create(self, one: Write) -> Verdict:
        values = {**self._mapping.constants, **one.values}
        if self._mapping.key_path:
            values[self._mapping.key_path] = one.key
        body = draft(values, self._type_key)
        try:
            reply = await self._client.post(self._resource.object, body, self._lane, doing=Doing.CREATE)
        except VendorError as error:
            if error.failure.remedy is Remedy.LINK:
                return await self._taken(one, error.failure)
            raise
        made = self._written(reply, self._resource.envelope, Doing.CREATE)
        return await self._applied(one, made)

    async def _taken(self, one: Write, failure: Failure) -> Verdict:
        """A unique value of a create exists already: by our own earlier create, or somebody else's."""
        holder = await self._holder(one, failure)
        if holder is None and "key" in failure.fields:
            # It was there a moment ago and is not now: deleted in between, so the key is free.
            return _failed(one, replace(failure, remedy=Remedy.RETRY))
        if holder is None:
            # Nothing to link to: only a human can tell which value has to give way.
            return _failed(one, replace(failure, remedy=Remedy.ASK))
        if isinstance(holder, str):
            return Verdict(one.key, Outcome.FAILED, failure=replace(failure, existing_id=holder))
        if _is_ours(self._mapping, holder, one) and _holds(holder, one.values):
            return Verdict(one.key, Outcome.APPLIED, holder.external_id, holder)
        return Verdict(
            one.key, Outcome.FAILED, snapshot=holder, failure=replace(failure, existing_id=holder.external_id)
        )

    async def _holder(self, one: Write, failure: Failure) -> Snapshot | str | None:
        """Who holds the value: a snapshot, only an id, or nobody that can be told for certain."""
        if self._mapping.key_path == "key":
            # Ours first: an earlier create of this record holds all its unique values, whichever was complained of.
            ours = await fetch(self._client, self._mapping, f"key={segment(one.key)}", self._lane)
            if ours is not None:
                return ours
        if failure.existing_id:
            return failure.existing_id
        for name in failure.fields:
            value = one.values.get(name)
            if isinstance(value, str):
                for where in UNIQUE.get(name, ()):
                    found = await self._search(where, value)
                    if len(found) == 1:
                        return await self._fresh(found[0])
        return None

    async def _search(self, where: str, value: str) -> list[Snapshot]:
        try:
            return await holders(self._client, self._resource, where, value, self._lane)
        except VendorError as error:
            if error.failure.remedy is Remedy.ASK:
                # The vendor does not know this predicate: as good as nothing found.
                return []
            raise

    async def _fresh(self, found: Snapshot) -> Snapshot:
        """The holder with what the mapping needs expanded; as found where nothing does."""
        if not self._expand:
            return found
        return await fetch(self._client, self._mapping, segment(found.external_id), self._lane) or found

    # -- update and delete -------------------------------------------------------------------------------------

    async def _update(self, one: Write, looked: Snapshot | Failure | None) -> Verdict:
        if isinstance(looked, Failure):
            return _failed(one, looked)
        current = one.current
        if looked is not None:
            if looked.version != one.version:
                return _failed(one, Failure(Remedy.REREAD, "ConcurrentModification", "it has changed since", 409))
            current = looked.data
        actions = update_actions(one.values, current, self._type_key)
        if not actions:
            # The vendor holds the values: as good as written, and the shadow may learn it.
            return Verdict(one.key, Outcome.APPLIED, one.external_id, looked)
        reply = await self._client.post(
            self._address(one),
            {"version": int(one.version), "actions": actions},
            self._lane,
            expand_params(self._expand),
            doing=Doing.CHANGE,
        )
        return await self._applied(replace(one, current=current), self._written(reply, "", Doing.CHANGE))

    async def _delete(self, one: Write) -> Verdict:
        try:
            reply = await self._client.delete(self._address(one), self._lane, [("version", one.version)])
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                return Verdict(one.key, Outcome.APPLIED, one.external_id)
            raise
        gone = self._written(reply, "", Doing.CHANGE)
        return Verdict(one.key, Outcome.APPLIED, one.external_id, replace(gone, deleted=True))

    def _address(self, one: Write) -> str:
        return f"{self._resource.object}/{segment(one.external_id)}"

    # -- what came of it ---------------------------------------------------------------------------------------

    def _written(self, reply: Reply, envelope: str, doing: Doing) -> Snapshot:
        """The resource in the answer to a write. One that cannot be read leaves the write's fate in doubt."""
        try:
            return snapshot(self._resource, reply.body.get(envelope) if envelope else reply.body)
        except VendorError as error:
            raise VendorError(from_unusable(200, error.failure.message, doing)) from None

    async def _applied(self, one: Write, made: Snapshot) -> Verdict:
        return Verdict(one.key, Outcome.APPLIED, made.external_id, await self._complete(one, made))

    async def _complete(self, one: Write, made: Snapshot) -> Snapshot | None:
        """The snapshot with its references told by key: from what we know, else by one more read."""
        data = dict(made.data)
        for path in self._expand:
            if not _expand_from(data, path, one):
                try:
                    return await fetch(self._client, self._mapping, segment(made.external_id), self._lane)
                except VendorError as error:
                    # The write stands, whatever becomes of this read: the next poll brings what is missing here.
                    log.info("snapshot_incomplete", path=path, code=error.failure.code)
                    return None
        return replace(made, data=data)


def _failed(one: Write, failure: Failure) -> Verdict:
    return Verdict(one.key, Outcome.FAILED, one.external_id, failure=failure)


def _is_ours(mapping: ObjectMapping, found: Snapshot, one: Write) -> bool:
    return bool(mapping.key_path) and pluck(found.data, mapping.key_path) == one.key


def _holds(found: Snapshot, values: Mapping[str, Raw]) -> bool:
    """Whether the resource holds every value: nothing is left to write."""
    return not differing(values, found.data)


def differing(values: Mapping[str, Raw], data: Mapping[str, Any]) -> list[str]:
    """The paths at which the resource holds something else."""
    return [path for path, value in values.items() if not same(_at(data, path), value)]


def _at(data: Mapping[str, Any], path: str) -> Raw:
    here: Any = data
    for step in path.split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    return here


def _expand_from(data: dict[str, Any], path: str, one: Write) -> bool:
    """Expand a top-level reference in place from what we wrote or knew; false where that is not known."""
    reference = data.get(path) if "." not in path else _at(data, path)
    if reference is None or reference_key(reference) is not None:
        return True
    if "." in path or not isinstance(reference, Mapping):
        return False
    known = one.values[path] if path in one.values else _at(one.current or {}, path)
    key = reference_key(known)
    if key is None:
        return False
    other_id = known.get("id") if isinstance(known, Mapping) else None
    if other_id is not None and other_id != reference.get("id"):
        return False
    data[path] = {**reference, "obj": {"id": reference.get("id"), "key": key}}
    return True
