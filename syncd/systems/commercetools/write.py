"""Writing: one verdict per write, whatever happens.

* A create carries our record id as ``key``. When the vendor says the key exists, our create was applied before
  (its answer was lost): it is compared, and is applied, or to be linked and updated.
* When it says the e-mail or another unique value exists, the holder is looked up and named in the failure.
* An update carries the version its diff was computed against; 409 means REREAD, never "send again".
* A delete carries a version too, and what is gone already is as good as deleted.
* What must be known of a resource to form its update (does it have a custom type? which entries has a list?) is read
  in one query for the whole batch.
* Custom objects have no update actions and no creates of their own: an upsert replaces the value, so what is there is
  always read before, and replaced only at the version that was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping, pluck
from syncd.systems.commercetools.actions import (
    VALUE,
    differing,
    draft,
    is_writable,
    must_look,
    type_key,
    update_actions,
    upserted,
)
from syncd.systems.commercetools.client import Client, Reply
from syncd.systems.commercetools.errors import Doing, from_unusable
from syncd.systems.commercetools.query import each, expand_params
from syncd.systems.commercetools.read import fetch, holders, read
from syncd.systems.commercetools.resources import CUSTOM_OBJECTS, Resource, expansions, resource_of, snapshot
from syncd.systems.commercetools.values import UnwritableError, at, reference_key
from syncd.systems.contract import Snapshot, VendorError, Verdict, Write

log = structlog.get_logger(__name__)

Looked = Mapping[str, Snapshot | Failure]
"""External id to what was read before an update, or why it could not be."""

UNIQUE: Final[Mapping[str, tuple[str, ...]]] = {
    "key": ("key = :value",),
    # Unique whatever the case, but stored as given. The second form is not in the API description.
    "email": ("email = :value", "lowercaseEmail = :value"),
    "customerNumber": ("customerNumber = :value",),
    "name": ("name = :value",),
}
"""Unique members, and the predicates that find the holder of a value."""


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
        self._type_key = type_key(resource, client.settings)

    async def look(self, writes: Sequence[Write]) -> Looked:
        """Read the resources whose updates and deletes cannot be formed from what the engine knows."""
        ids = [one.external_id for one in writes if self._refusal(one) is None and self._must_look(one)]
        if not ids:
            return {}
        try:
            seen = await read(self._client, self._mapping, ids, self._lane, whole=True)
        except VendorError as error:
            return dict.fromkeys(ids, error.failure)
        gone = Failure(Remedy.GONE, "ResourceNotFound", "it is not there any more", status=404)
        return {**dict.fromkeys(seen.missing, gone), **seen.found}

    def _must_look(self, one: Write) -> bool:
        if one.action is Action.DELETE:
            # A product that is published must be taken off the shop before it can go.
            return not one.version.isdecimal() or self._resource.object == "products"
        return one.action is Action.UPDATE and must_look(self._resource, one.values, one.current)

    async def verdict(self, one: Write, looked: Looked) -> Verdict:
        refusal = self._refusal(one)
        if refusal is not None:
            return _failed(one, refusal)
        try:
            if one.action is Action.CREATE:
                return await self._create(one)
            if one.action is Action.DELETE:
                return await self._delete(one, looked.get(one.external_id))
            return await self._update(one, looked.get(one.external_id))
        except VendorError as error:
            return _failed(one, error.failure)
        except UnwritableError as error:
            return _failed(one, Failure(Remedy.ASK, "value-unwritable", str(error), fields=(error.path,)))

    def _refusal(self, one: Write) -> Failure | None:
        """What no request could do."""
        if one.action not in self._resource.actions:
            message = f"{self._resource.object}: commercetools lets nobody {one.action.value} these through its API"
            return Failure(Remedy.ASK, "not-writable", message)
        if one.relations or one.children or one.converts:
            return Failure(Remedy.ASK, "not-writable", "commercetools has no associations, they are references")
        if one.action is Action.CREATE:
            return None
        if not one.external_id:
            return Failure(Remedy.ASK, "no-id", "an update or delete needs the vendor's id")
        if one.action is Action.UPDATE and not one.version.isdecimal():
            return Failure(Remedy.REREAD, "version-unknown", "the version that the difference is based on is unknown")
        return None

    # -- create ------------------------------------------------------------------------------------------------

    async def _create(self, one: Write) -> Verdict:
        values = {**self._mapping.constants, **one.values}
        if self._mapping.key_path:
            values[self._mapping.key_path] = one.key
        body = draft(self._resource, values, self._type_key)
        if self._resource.contained:
            return await self._put(one, body)
        try:
            reply = await self._client.post(self._resource.create_path, body, self._lane, doing=Doing.CREATE)
        except VendorError as error:
            if error.failure.remedy is Remedy.LINK:
                return await self._taken(one, error.failure)
            raise
        made = self._written(one, reply, Doing.CREATE, self._resource.envelope)
        return await self._applied(one, made)

    async def _put(self, one: Write, body: Mapping[str, Any]) -> Verdict:
        """Create a custom object. An upsert would overwrite one that is there, so it is looked for before."""
        key = body.get("key")
        if not isinstance(key, str):
            return _failed(one, Failure(Remedy.ASK, "no-key", "a custom object needs a key: set key_path to 'key'"))
        held = await fetch(self._client, self._mapping, "key", key, self._lane)
        if held is not None:
            taken = Failure(Remedy.LINK, "DuplicateField", "the key exists already", fields=("key",))
            return self._claimed(one, held, taken)
        reply = await self._client.post(CUSTOM_OBJECTS, body, self._lane, doing=Doing.CREATE)
        return Verdict(one.key, Outcome.APPLIED, key, self._written(one, reply, Doing.CREATE))

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
        return self._claimed(one, holder, failure)

    def _claimed(self, one: Write, holder: Snapshot, failure: Failure) -> Verdict:
        """Applied by an earlier create of ours, or to be linked and updated."""
        ours = bool(self._mapping.key_path) and pluck(holder.data, self._mapping.key_path) == one.key
        if ours and not differing(one.values, self._resource, holder.data):
            return Verdict(one.key, Outcome.APPLIED, holder.external_id, holder)
        return Verdict(
            one.key, Outcome.FAILED, snapshot=holder, failure=replace(failure, existing_id=holder.external_id)
        )

    async def _holder(self, one: Write, failure: Failure) -> Snapshot | str | None:
        """Who holds the value: a snapshot, only an id, or nobody that can be told for certain."""
        if self._mapping.key_path == "key":
            # Ours first: an earlier create of this record holds all its unique values, whichever was complained of.
            ours = await fetch(self._client, self._mapping, "key", one.key, self._lane)
            if ours is not None:
                return ours
        if failure.existing_id and self._resource.identity == "id":
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
        return await fetch(self._client, self._mapping, self._resource.identity, found.external_id, self._lane) or found

    # -- update and delete -------------------------------------------------------------------------------------

    async def _update(self, one: Write, looked: Snapshot | Failure | None) -> Verdict:
        if isinstance(looked, Failure):
            return _failed(one, looked)
        current = one.current
        if looked is not None:
            if looked.version != one.version:
                return _failed(one, Failure(Remedy.REREAD, "ConcurrentModification", "it has changed since", 409))
            current = looked.data
        if self._resource.contained:
            return await self._replace(one, looked)
        actions = update_actions(self._resource, one.values, current, self._type_key)
        if not actions:
            # The vendor holds the values: as good as written, and the shadow may learn it.
            return Verdict(one.key, Outcome.APPLIED, one.external_id, looked)
        reply = await self._client.post(
            self._resource.by_id(one.external_id),
            {"version": int(one.version), "actions": actions},
            self._lane,
            expand_params(self._expand),
            doing=Doing.CHANGE,
        )
        return await self._applied(replace(one, current=current), self._written(one, reply, Doing.CHANGE))

    async def _replace(self, one: Write, looked: Snapshot | None) -> Verdict:
        """Write our part of a custom object's value, at the version that was read."""
        unknown = next((path for path in one.values if not is_writable(self._resource, path)), None)
        if unknown is not None:
            raise UnwritableError(unknown, "of a custom object only what stands under 'value' can be written")
        held = looked.data if looked is not None else {}
        value = upserted(one.values, held.get(VALUE))
        if value == held.get(VALUE):
            return Verdict(one.key, Outcome.APPLIED, one.external_id, looked)
        body = {"container": held.get("container"), "key": one.external_id, "value": value, "version": int(one.version)}
        reply = await self._client.post(CUSTOM_OBJECTS, body, self._lane, doing=Doing.CHANGE)
        return Verdict(one.key, Outcome.APPLIED, one.external_id, self._written(one, reply, Doing.CHANGE))

    async def _delete(self, one: Write, looked: Snapshot | Failure | None) -> Verdict:
        try:
            version = await self._deletable(one, looked)
            address = self._resource.by_id(one.external_id)
            reply = await self._client.delete(address, self._lane, [("version", version)])
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                return Verdict(one.key, Outcome.APPLIED, one.external_id)
            raise
        gone = self._written(one, reply, Doing.CHANGE)
        return Verdict(one.key, Outcome.APPLIED, one.external_id, replace(gone, deleted=True))

    async def _deletable(self, one: Write, looked: Snapshot | Failure | None) -> str:
        """The version at which it can be deleted. Raises :class:`VendorError`."""
        if isinstance(looked, Failure):
            raise VendorError(looked)
        if looked is None:
            return one.version
        if one.version.isdecimal() and looked.version != one.version:
            raise VendorError(Failure(Remedy.REREAD, "ConcurrentModification", "it has changed since", 409))
        if self._resource.object != "products" or at(looked.data, "masterData.published") is not True:
            return looked.version
        body = {"version": int(looked.version), "actions": [{"action": "unpublish"}]}
        reply = await self._client.post(self._resource.by_id(one.external_id), body, self._lane, doing=Doing.CHANGE)
        return self._written(one, reply, Doing.CHANGE).version

    # -- what came of it ---------------------------------------------------------------------------------------

    def _written(self, one: Write, reply: Reply, doing: Doing, envelope: str = "") -> Snapshot:
        """The resource in the answer to a write. One that cannot be read, or is another one, leaves the write's fate in
        doubt."""
        try:
            made = snapshot(self._resource, reply.body.get(envelope) if envelope else reply.body)
        except VendorError as error:
            raise VendorError(from_unusable(200, error.failure.message, doing)) from None
        if doing is Doing.CHANGE and made.external_id != one.external_id:
            raise VendorError(from_unusable(200, f"another {self._resource.type_id} than was written", doing))
        return made

    async def _applied(self, one: Write, made: Snapshot) -> Verdict:
        return Verdict(one.key, Outcome.APPLIED, made.external_id, await self._complete(one, made))

    async def _complete(self, one: Write, made: Snapshot) -> Snapshot | None:
        """The snapshot with its references told by key: from what we know, else by one more read."""
        data = dict(made.data)
        for path in self._expand:
            if not _expand_from(data, path, one):
                try:
                    return await fetch(
                        self._client, self._mapping, self._resource.identity, made.external_id, self._lane
                    )
                except VendorError as error:
                    # The write stands, whatever becomes of this read: the next poll brings what is missing here.
                    log.info("snapshot_incomplete", path=path, code=error.failure.code)
                    return None
        return replace(made, data=data)


def _failed(one: Write, failure: Failure) -> Verdict:
    return Verdict(one.key, Outcome.FAILED, one.external_id, failure=failure)


def _expand_from(data: dict[str, Any], path: str, one: Write) -> bool:
    """Expand a top-level reference in place from what we wrote or knew; false where that is not known."""
    reference = at(data, path)
    if reference is None or reference_key(reference) is not None:
        return True
    if "." in path or not isinstance(reference, Mapping):
        return False
    known = one.values[path] if path in one.values else at(one.current or {}, path)
    key = reference_key(known)
    if key is None:
        return False
    other_id = known.get("id") if isinstance(known, Mapping) else None
    if other_id is not None and other_id != reference.get("id"):
        return False
    data[path] = {**reference, "obj": {"id": reference.get("id"), "key": key}}
    return True
