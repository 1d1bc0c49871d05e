"""How one kind of object is listed, read and written where the vendor takes writes one by one; and the road that every
such write takes: read before, written where it differs, refused ones looked up, and read again for the verdict.

The vendor has neither versions nor keys. A create that is repeated is refused for a unique member (a name, an e-mail
address) or, where nothing is unique, not sent again because it is looked for first; either way it is linked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.lens import Raw
from syncd.model.mapping import ObjectMapping, pluck
from syncd.systems.bigcommerce.client import each
from syncd.systems.bigcommerce.compare import changed_since, rest_of
from syncd.systems.bigcommerce.errors import Doing, shaped
from syncd.systems.bigcommerce.form import UnwritableError
from syncd.systems.contract import Snapshot, VendorError, Verdict, Write

log = structlog.get_logger(__name__)

GONE: Final = Failure(Remedy.GONE, "not-found", "it is not there any more", status=404)
UNTOLD: Final = Failure(Remedy.LOOK, "no-verdict", "the vendor shows no trace of it", status=200)
_TAKEN: Final = (Remedy.ASK, Remedy.SPLIT, Remedy.REREAD, Remedy.LINK)
"""Refusals of a create that may mean that it is there already."""
Values = Mapping[str, Raw]


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list."""

    snapshots: Sequence[Snapshot]
    after: str = ""
    """Where the next page begins; empty at the end."""
    total: int = -1
    """How many there are in all, of lists that are paged by number: fewer than before, and rows have moved up."""
    top: int = 0
    """The newest moment of change met."""


class Shelf(ABC):
    """One kind of object. Methods but ``write`` raise :class:`VendorError`."""

    @abstractmethod
    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        """A page in an order that writes do not disturb. ``since`` is in milliseconds since the epoch; kinds that have
        no moments of change pass over it."""

    @abstractmethod
    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        """Those of them that are there."""

    @abstractmethod
    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
        """One verdict per write. Never raises for what the vendor says."""

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        """By our record id, where there is room for it."""
        del mapping, keys, lane
        return {}


class Endpoint(Shelf):
    """A kind whose objects are written one by one."""

    at_once = 3
    """Writes under way."""
    once: frozenset[str] = frozenset()
    """Paths that are said when one is made, and never shown again."""

    @abstractmethod
    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        """Its id."""

    @abstractmethod
    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None: ...

    @abstractmethod
    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        """What is gone already may be told as GONE."""

    async def holder(self, mapping: ObjectMapping, values: Values, lane: Lane) -> Snapshot | None:
        """Who has what must be unique in these values."""
        del mapping, values, lane
        return None

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
        return await _write(self, mapping, writes, lane)


async def _write(endpoint: Endpoint, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
    held: dict[str, Snapshot] = {}
    failed: dict[str, Failure] = {one.key: found for one in writes if (found := _refusal(one))}
    changes = [one for one in writes if one.action is Action.UPDATE and one.key not in failed]
    if changes:
        try:
            with shaped(Doing.READ):
                told = await endpoint.read(mapping, [one.external_id for one in changes], lane)
            held = {one.external_id: one for one in told}
        except VendorError as error:
            failed |= {one.key: error.failure for one in changes}
    ready = [one for one in writes if one.key not in failed]
    verdicts = await each(ready, lambda one: _one(endpoint, mapping, one, held, lane), endpoint.at_once)
    verdicts = await _with_snapshots(endpoint, mapping, verdicts, ready, lane)
    return [*verdicts, *(_refused(one, failed[one.key]) for one in writes if one.key in failed)]


async def _one(
    endpoint: Endpoint, mapping: ObjectMapping, one: Write, held: Mapping[str, Snapshot], lane: Lane
) -> Verdict:
    work: Callable[[], Awaitable[Verdict]] = {
        Action.CREATE: lambda: _create(endpoint, mapping, one, lane),
        Action.DELETE: lambda: _delete(endpoint, mapping, one, lane),
    }.get(one.action, lambda: _update(endpoint, mapping, one, held.get(one.external_id), lane))
    try:
        with shaped(Doing.CHANGE):
            try:
                return await work()
            except UnwritableError as error:
                return _refused(one, Failure(Remedy.ASK, "value-unwritable", str(error), fields=(error.path,)))
    except VendorError as error:
        return _refused(one, error.failure)


async def _create(endpoint: Endpoint, mapping: ObjectMapping, one: Write, lane: Lane) -> Verdict:
    values = values_of(mapping, one)
    try:
        return Verdict(one.key, Outcome.APPLIED, await endpoint.create(mapping, values, lane))
    except VendorError as error:
        if error.failure.remedy not in _TAKEN:
            raise
        there = await endpoint.holder(mapping, values, lane)
        if there is None:
            raise VendorError(replace(error.failure, remedy=Remedy.ASK)) from None
        said = {path: value for path, value in one.values.items() if path not in endpoint.once}
        if not mapping.key_path or pluck(there.data, mapping.key_path) != one.key:
            link = replace(error.failure, remedy=Remedy.LINK, code="already-there", existing_id=there.external_id)
            return Verdict(one.key, Outcome.FAILED, snapshot=there, failure=link)
        # Ours, from a try whose answer was lost: what it lacks is written now.
        left = rest_of(mapping, replace(one, values=said, current=None), there)
        if left.values:
            await endpoint.update(mapping, left.values, there, lane)
        return Verdict(one.key, Outcome.APPLIED, there.external_id, None if left.values else there)


def values_of(mapping: ObjectMapping, one: Write) -> dict[str, Raw]:
    """Of a create: what is set, the constants, and our id."""
    values = {path: value for path, value in {**mapping.constants, **one.values}.items() if value is not None}
    if mapping.key_path:
        values[mapping.key_path] = one.key
    return values


async def _update(endpoint: Endpoint, mapping: ObjectMapping, one: Write, held: Snapshot | None, lane: Lane) -> Verdict:
    if held is None or held.deleted:
        return _refused(one, GONE)
    values = {path: value for path, value in one.values.items() if path not in endpoint.once}
    left = rest_of(mapping, replace(one, values=values), held)
    if left.foreign:
        return _refused(one, changed_since(left.foreign))
    if not left.values:
        return Verdict(one.key, Outcome.APPLIED, one.external_id, held)
    try:
        await endpoint.update(mapping, left.values, held, lane)
    except VendorError as error:
        if error.failure.status == 409:
            there = await endpoint.holder(mapping, {**values_of(mapping, one), **left.values}, lane)
            if there is not None and there.external_id != one.external_id:
                # No edit that came between: somebody else has what must be unique, and keeps it.
                raise VendorError(replace(error.failure, remedy=Remedy.ASK, code="taken")) from None
        raise
    return Verdict(one.key, Outcome.APPLIED, one.external_id)


async def _delete(endpoint: Endpoint, mapping: ObjectMapping, one: Write, lane: Lane) -> Verdict:
    try:
        await endpoint.delete(mapping, one.external_id, lane)
    except VendorError as error:
        if error.failure.remedy is not Remedy.GONE:
            raise
    return Verdict(one.key, Outcome.APPLIED, one.external_id)


async def _with_snapshots(
    endpoint: Endpoint, mapping: ObjectMapping, verdicts: Sequence[Verdict], writes: Sequence[Write], lane: Lane
) -> list[Verdict]:
    """What the vendor holds after the writes, read at once for all."""
    gone = {one.key for one in writes if one.action is Action.DELETE}
    wanted = [one.external_id for one in verdicts
              if one.outcome is Outcome.APPLIED and one.snapshot is None and one.key not in gone]  # fmt: skip
    told: dict[str, Snapshot] = {}
    if wanted:
        try:
            with shaped(Doing.READ):
                told = {one.external_id: one for one in await endpoint.read(mapping, wanted, lane)}
        except VendorError as error:
            # The writes stand, whatever becomes of this read: the next poll brings what is missing here.
            log.info("snapshot_incomplete", connection=mapping.connection, code=error.failure.code)
    return [replace(one, snapshot=one.snapshot or told.get(one.external_id)) for one in verdicts]


def _refusal(one: Write) -> Failure | None:
    """What no request could do."""
    if one.relations or one.children:
        return Failure(Remedy.ASK, "not-writable", "BigCommerce has no associations to write")
    if one.action is not Action.CREATE and not one.external_id:
        return Failure(Remedy.ASK, "no-id", "an update or delete needs the vendor's id")
    return None


def _refused(one: Write, failure: Failure) -> Verdict:
    external_id = "" if one.action is Action.CREATE else one.external_id
    return Verdict(one.key, Outcome.FAILED, external_id, failure=failure)


def reference(value: Any) -> Any:
    """The id in a reference, as a lens writes it."""
    return value.get("id") if isinstance(value, Mapping) else value
