"""Writing customers: one verdict per write, in batches of ten, whatever happens.

* The vendor has neither versions nor keys. Updates are preceded by one read for the whole batch (see
  :mod:`~syncd.systems.bigcommerce.compare`); creates are safe to repeat because e-mail addresses are unique: when the
  vendor says that one is taken, the holder is looked up, and is ours if it carries our record id.
* A batch that is refused is sent again one by one, so that only the bad one is refused.
* Attributes of existing customers have an endpoint of their own; a write that needs both is whole when both are done,
  and when it is repeated it finds by itself what is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping, pluck
from syncd.systems.bigcommerce.client import Client, chunks, each
from syncd.systems.bigcommerce.compare import changed_since, rest_of
from syncd.systems.bigcommerce.directory import Attribute, Directory
from syncd.systems.bigcommerce.endpoint import values_of
from syncd.systems.bigcommerce.errors import Doing
from syncd.systems.bigcommerce.form import GROUP, CustomerForm, UnwritableError, customer_form
from syncd.systems.bigcommerce.parts import SPLITTABLE, Job, Parts, fail, in_batches
from syncd.systems.bigcommerce.read import Reader
from syncd.systems.contract import Snapshot, VendorError, Verdict, Write

log = structlog.get_logger(__name__)

DELETES: Final = 100
INLINE_ATTRIBUTES: Final = 10
_GONE: Final = Failure(Remedy.GONE, "not-found", "the customer is not there any more", status=404)
_UNTOLD: Final = Failure(Remedy.LOOK, "no-verdict", "the vendor's answer does not mention this customer", status=200)


class Writer:
    def __init__(self, client: Client, reader: Reader, directory: Directory, parts: Parts) -> None:
        self._client = client
        self._reader = reader
        self._directory = directory
        self._parts = parts

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
        jobs = [Job(one, failure=_refusal(one)) for one in writes]
        try:
            attributes, groups = await self._names(jobs, mapping, lane)
            await self._delete(_doing(jobs, Action.DELETE), lane)
            await self._update(mapping, _doing(jobs, Action.UPDATE), attributes, groups, lane)
            await self._create(mapping, _doing(jobs, Action.CREATE), attributes, groups, lane)
            await self._explain(jobs, attributes, lane)
            return await self._verdicts(mapping, jobs, attributes, lane)
        except VendorError as error:
            # Reads before anything was written; what was written before has its own answers.
            return [_failed(one.write, one.failure or error.failure) for one in jobs]

    async def _names(
        self, jobs: Sequence[Job], mapping: ObjectMapping, lane: Lane
    ) -> tuple[Mapping[str, Attribute], Mapping[str, int]]:
        """Attributes and groups by name, as far as the writes need them."""
        paths = {path for one in jobs for path in one.write.values} | set(mapping.paths())
        names = [path.partition(".")[2] for path in paths if path.startswith("attributes.")]
        attributes = await self._directory.attributes(lane, wanted=names) if names else {}
        wanted = {str(one.write.values[GROUP]) for one in jobs if one.write.values.get(GROUP)}
        groups = await self._directory.groups(lane, names=wanted) if wanted else {}
        return attributes, {name: number for number, name in groups.items()}

    # -- deletes

    async def _delete(self, jobs: Sequence[Job], lane: Lane) -> None:
        """The vendor answers 204 whether they were there or not."""
        for part in chunks(jobs, DELETES):
            params = [("id:in", ",".join(one.write.external_id for one in part))]
            try:
                await self._client.v3("DELETE", "customers", lane, Doing.CHANGE_MANY, params=params)
            except VendorError as error:
                fail(part, error.failure)

    # -- updates

    async def _update(
        self, mapping: ObjectMapping, jobs: Sequence[Job], attributes: Mapping[str, Attribute],
        groups: Mapping[str, int], lane: Lane,
    ) -> None:  # fmt: skip
        if not jobs:
            return
        rows = await self._reader.rows(mapping, "id", [one.write.external_id for one in jobs], lane)
        seen = {one.external_id: one for one in await self._reader.snapshots(mapping, rows, lane)}
        by_id = {str(one["id"]): one for one in rows}
        for one in jobs:
            held = seen.get(one.write.external_id)
            if held is None:
                one.failure = _GONE
                continue
            one.row = {**by_id[one.write.external_id], "attributes": held.data["attributes"]}
            _fill(mapping, one, held, attributes, groups)
        ready = [one for one in jobs if one.failure is None]
        await in_batches([one for one in ready if one.form.row], lambda part: self._put(part, lane))
        await self._look_for_gone([one for one in ready if one.failure is not None and one.failure.status == 422], lane)
        await self._parts.put(mapping, ready, attributes, lane)

    async def _look_for_gone(self, refused: Sequence[Job], lane: Lane) -> None:
        """A refusal may mean that the customer was deleted since the read: the words do not tell."""
        for part in chunks(refused, DELETES):
            params = [("id:in", ",".join(str(one.id) for one in part)), ("limit", "250")]
            try:
                rows, _ = await self._client.rows("customers", lane, params)
            except VendorError as error:
                log.info("refusal_unexplained", connection=self._client.settings.connection, code=error.failure.code)
                continue
            there = {one.get("id") for one in rows}
            fail([one for one in part if one.id not in there], _GONE)

    async def _put(self, jobs: Sequence[Job], lane: Lane) -> None:
        body = [{"id": one.id, **one.form.row} for one in jobs]
        rows = await self._client.v3("PUT", "customers", lane, Doing.CHANGE_MANY, body)
        told = {one.get("id"): one for one in rows}
        for one in jobs:
            if one.id in told:
                one.made = True
                one.row = {**one.row, **told[one.id], "attributes": one.row["attributes"]}
            else:
                one.failure = _UNTOLD

    # -- creates

    async def _create(
        self, mapping: ObjectMapping, jobs: Sequence[Job], attributes: Mapping[str, Attribute],
        groups: Mapping[str, int], lane: Lane,
    ) -> None:  # fmt: skip
        for one in jobs:
            try:
                one.key_paths = (mapping.key_path,)
                one.form = customer_form(values_of(mapping, one.write), attributes, groups)
            except UnwritableError as error:
                one.failure = _unwritable(error)
        ready = [one for one in jobs if one.failure is None]
        for one in ready:
            self._reader.remember(one.write.key, str(one.form.row.get("email", "")))
        await in_batches(ready, lambda part: self._post(part, attributes, lane))
        await self._parts.put(mapping, ready, attributes, lane)
        refused = [one for one in ready
                   if one.failure is not None and not one.made and one.failure.remedy in SPLITTABLE]  # fmt: skip
        await each(refused, lambda one: self._taken(mapping, one, lane), self._client.settings.concurrency)

    async def _post(self, jobs: Sequence[Job], attributes: Mapping[str, Attribute], lane: Lane) -> None:
        names = {one.id: one.name for one in attributes.values()}
        bodies = []
        for one in jobs:
            inline = list(one.form.values.items())[:INLINE_ATTRIBUTES]
            told = [{"attribute_id": number, "attribute_value": value} for number, value in inline]
            bodies.append({**one.form.row, **({"attributes": told} if told else {}), **_address(one.form)})
        rows = await self._client.v3("POST", "customers", lane, Doing.CREATE, bodies)
        made = {str(one.get("email", "")).casefold(): one for one in rows}
        for one in jobs:
            row = made.get(str(one.form.row.get("email", "")).casefold())
            if row is None:
                one.failure = _UNTOLD
                continue
            inline = list(one.form.values.items())[:INLINE_ATTRIBUTES]
            one.row = {**row, "attributes": {names[number]: value for number, value in inline}, **_address(one.form)}
            one.form.values = dict(list(one.form.values.items())[INLINE_ATTRIBUTES:])
            one.form.address, one.made = {}, True

    async def _taken(self, mapping: ObjectMapping, one: Job, lane: Lane) -> None:
        """A create was refused: is it because we, or somebody else, made the customer before?"""
        failure, email = one.failure, str(one.form.row.get("email", ""))
        if failure is None or not email:
            return
        try:
            rows = await self._reader.rows(mapping, "email", [email], lane)
            held = (await self._reader.snapshots(mapping, rows, lane))[:1]
        except VendorError as error:
            one.failure = error.failure
            return
        if not held:
            one.failure = replace(failure, remedy=Remedy.ASK)
            return
        if mapping.key_path and pluck(held[0].data, mapping.key_path) == one.write.key:
            left = rest_of(mapping, replace(one.write, current=None), held[0])
            if not left.values:
                one.failure, one.row = None, {**rows[0], "attributes": held[0].data["attributes"]}
                return
        one.failure = replace(failure, remedy=Remedy.LINK, code="already-there", existing_id=held[0].external_id)

    # -- attributes that were taken away

    async def _explain(self, jobs: Sequence[Job], attributes: Mapping[str, Attribute], lane: Lane) -> None:
        """A refusal may mean that an attribute was deleted meanwhile, or made anew: the vendor's words do not say."""
        refused = [one for one in jobs if one.failure is not None and one.failure.status == 422]
        sets = {one.write.key: _attributes_of(one, attributes) for one in refused}
        if not any(sets.values()):
            return
        try:
            now = await self._directory.attributes(lane, fresh=True)
        except VendorError as error:
            log.info("refusal_unexplained", connection=self._client.settings.connection, code=error.failure.code)
            return
        for one in refused:
            moved = [name for name in sets[one.write.key] if name not in now or now[name].id != attributes[name].id]
            gone = [f"attributes.{name}" for name in moved if name not in now]
            if gone and one.failure is not None:
                told = f"the store has the customer attribute no longer: {', '.join(gone)}"
                one.failure = replace(
                    one.failure,
                    remedy=Remedy.ASK,
                    code="field-gone",
                    message=told,
                    fields=tuple(gone),
                    existing_id=None,
                )
            elif moved and one.failure is not None:
                one.failure = replace(one.failure, remedy=Remedy.RETRY, code="field-moved", single=True)

    # -- verdicts

    async def _verdicts(
        self, mapping: ObjectMapping, jobs: Sequence[Job], attributes: Mapping[str, Attribute], lane: Lane
    ) -> list[Verdict]:
        done = [one for one in jobs if one.failure is None and one.write.action is not Action.DELETE]
        numbers = {name: one.id for name, one in attributes.items()}
        rows = [{**one.row, "attributes": [{"attribute_id": numbers[name], "attribute_value": value}
                                           for name, value in one.row["attributes"].items() if name in numbers]}
                for one in done]  # fmt: skip
        snapshots: dict[str, Snapshot] = {}
        try:
            # These rows know all that is mapped: nothing more is read but the name of a group that is new to us.
            told = await self._reader.snapshots(mapping, rows, lane, complete=True)
            snapshots = {one.write.key: shot for one, shot in zip(done, told, strict=True)}
        except VendorError as error:
            # The writes stand, whatever becomes of this read: the next poll brings what is missing here.
            log.info("snapshot_incomplete", connection=mapping.connection, code=error.failure.code)
        return [_verdict(one, snapshots.get(one.write.key)) for one in jobs]


def _doing(jobs: Sequence[Job], action: Action) -> list[Job]:
    return [one for one in jobs if one.write.action is action and one.failure is None]


def _fill(
    mapping: ObjectMapping, one: Job, held: Snapshot, attributes: Mapping[str, Attribute], groups: Mapping[str, int]
) -> None:
    left = rest_of(mapping, one.write, held)
    if left.foreign:
        one.failure = changed_since(left.foreign)
        return
    try:
        one.form = customer_form(left.values, attributes, groups, held.data["form_fields"])
    except UnwritableError as error:
        one.failure = _unwritable(error)


def _attributes_of(one: Job, attributes: Mapping[str, Attribute]) -> list[str]:
    """Names of those that the write sets."""
    paths = {*one.write.values, *one.key_paths}
    names = [path.partition(".")[2] for path in paths if path.startswith("attributes.")]
    return [name for name in names if name in attributes]


def _address(form: CustomerForm) -> dict[str, list[dict[str, str]]]:
    """The address that a new customer is made with."""
    if not form.address:
        return {}
    names = {name: form.row.get(name, "") for name in ("first_name", "last_name")}
    return {"addresses": [{**names, **form.address}]}


def _unwritable(error: UnwritableError) -> Failure:
    return Failure(Remedy.ASK, "value-unwritable", str(error), fields=(error.path,))


def _refusal(one: Write) -> Failure | None:
    """What no request could do."""
    if one.relations or one.children:
        return Failure(Remedy.ASK, "not-writable", "BigCommerce customers have no associations to write")
    if one.action is not Action.CREATE and not one.external_id.isdigit():
        return Failure(Remedy.ASK, "no-id", "an update or delete needs the vendor's id")
    return None


def _failed(one: Write, failure: Failure) -> Verdict:
    return Verdict(one.key, Outcome.FAILED, one.external_id, failure=failure)


def _verdict(one: Job, told: Snapshot | None) -> Verdict:
    if one.failure is not None:
        return Verdict(one.write.key, Outcome.FAILED, str(one.id or ""), failure=one.failure, main_applied=one.made)
    return Verdict(one.write.key, Outcome.APPLIED, str(one.id or one.write.external_id), told)
