"""What a customer has besides its own members, written by endpoints of their own: attribute values, the first address,
metafields. In batches, of customers that exist."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce.addresses import PATH as ADDRESSES
from syncd.systems.bigcommerce.client import Client, chunks, each
from syncd.systems.bigcommerce.directory import Attribute
from syncd.systems.bigcommerce.errors import Doing
from syncd.systems.bigcommerce.form import CustomerForm
from syncd.systems.bigcommerce.metafields import Metafields
from syncd.systems.bigcommerce.objects import Row
from syncd.systems.bigcommerce.read import Reader
from syncd.systems.contract import VendorError, Write

BATCH: Final = 10
"""Customers, attribute values or addresses of one call."""
SPLITTABLE: Final = (Remedy.ASK, Remedy.SPLIT, Remedy.REREAD, Remedy.LINK)


@dataclass(slots=True)
class Job:
    """One write of a customer on its way."""

    write: Write
    form: CustomerForm = field(default_factory=CustomerForm)
    row: Row = field(default_factory=dict)
    """The customer as last told by the vendor, attribute values by name."""
    failure: Failure | None = None
    key_paths: tuple[str, ...] = ()
    """The path of our record id, on a create."""
    made: bool = False
    """The customer's own members are stored."""

    @property
    def id(self) -> int:
        return int(self.write.external_id or self.row.get("id") or 0)


@dataclass(frozen=True, slots=True)
class Value:
    """One attribute value of a job."""

    job: Job
    attribute: int
    value: str | None


_B = TypeVar("_B", Job, Value)


class Parts:
    def __init__(self, client: Client, reader: Reader, metafields: Metafields) -> None:
        self._client = client
        self._reader = reader
        self._metafields = metafields

    async def put(
        self, mapping: ObjectMapping, jobs: Sequence[Job], attributes: Mapping[str, Attribute], lane: Lane
    ) -> None:
        """Everything that is left in the forms of jobs that have not failed."""
        await self._attributes(jobs, attributes, lane)
        await self._addresses([one for one in jobs if one.failure is None and one.form.address], lane)
        told = {str(one.id): one for one in jobs if one.failure is None and one.form.metafields}
        if told:
            values = {number: one.form.metafields for number, one in told.items()}
            for number, failure in (await self._metafields.put(mapping, values, lane)).items():
                told[number].failure = failure

    # -- attribute values

    async def _attributes(self, jobs: Sequence[Job], attributes: Mapping[str, Attribute], lane: Lane) -> None:
        """Each value is a job of its own here, so that only the bad one is refused."""
        names = {one.id: one.name for one in attributes.values()}
        sets = [(one, number, value) for one in jobs if one.failure is None
                for number, value in one.form.values.items()]  # fmt: skip
        await in_batches(
            [Value(one, number, value) for one, number, value in sets if value is not None],
            lambda part: self._put_values(part, lane),
        )
        await self._drop_values([Value(one, number, None) for one, number, value in sets if value is None], lane)
        for one, number, value in sets:
            if one.failure is None:
                one.row = {**one.row, "attributes": {**one.row["attributes"], names[number]: value}}

    async def _put_values(self, part: Sequence[Value], lane: Lane) -> None:
        body = [{"attribute_id": one.attribute, "customer_id": one.job.id, "value": one.value} for one in part]
        await self._client.v3("PUT", "customers/attribute-values", lane, Doing.CHANGE_MANY, body)

    async def _drop_values(self, gone: Sequence[Value], lane: Lane) -> None:
        """Values are removed by ids of their own, which only a read tells."""
        for part in chunks(gone, BATCH):
            customers = ",".join(dict.fromkeys(str(one.job.id) for one in part))
            wanted = {(one.job.id, one.attribute) for one in part}
            params = [
                ("customer_id:in", customers),
                ("attribute_id:in", ",".join({str(one.attribute) for one in part})),
            ]
            try:
                rows = await self._reader.values(params, lane)
                ids = [str(one["id"]) for one in rows if (one.get("customer_id"), one.get("attribute_id")) in wanted]
                if ids:
                    asked = [("id:in", ",".join(ids))]
                    await self._client.v3("DELETE", "customers/attribute-values", lane, Doing.CHANGE_MANY, params=asked)
            except VendorError as error:
                fail(part, error.failure)

    # -- the first address

    async def _addresses(self, jobs: Sequence[Job], lane: Lane) -> None:
        """Changed where there is one, else made. One that is left out of the answer is there as it should be."""
        first = {one.id: _first(one.row) for one in jobs}
        there = [one for one in jobs if first[one.id]]
        await in_batches(there, lambda part: self._send("PUT", part, lane, lambda one: {"id": first[one.id]["id"]}))
        new = [one for one in jobs if not first[one.id]]
        await in_batches(new, lambda part: self._send("POST", part, lane, _person))
        for one in jobs:
            if one.failure is None:
                changed = {"id": 0, **first[one.id], **(_person(one) if not first[one.id] else {}), **one.form.address}
                rest = [other for other in one.row.get("addresses") or () if other is not first[one.id]]
                one.row = {**one.row, "addresses": [changed, *rest]}

    async def _send(
        self, method: str, part: Sequence[Job], lane: Lane, base: Callable[[Job], Mapping[str, Any]]
    ) -> None:
        body = [{**base(one), **one.form.address} for one in part]
        await self._client.v3(method, ADDRESSES, lane, Doing.CHANGE_MANY, body)


def _first(row: Row) -> dict[str, Any]:
    return min(row.get("addresses") or [{}], key=lambda one: one.get("id") or 0)


def _person(one: Job) -> dict[str, Any]:
    """Whose a new address is."""
    return {"customer_id": one.id, "first_name": one.row.get("first_name"), "last_name": one.row.get("last_name")}


async def in_batches(jobs: Sequence[_B], send: Callable[[Sequence[_B]], Awaitable[None]]) -> None:
    """Ten at a time; a batch that is refused goes again one by one."""

    async def attempt(part: Sequence[_B]) -> None:
        try:
            await send(part)
        except VendorError as error:
            if len(part) > 1 and error.failure.remedy in SPLITTABLE:
                for one in part:
                    await attempt([one])
            else:
                fail(part, error.failure)

    await each(list(chunks(jobs, BATCH)), attempt, 3)


def fail(part: Sequence[Job | Value], failure: Failure) -> None:
    for one in part:
        job = one.job if isinstance(one, Value) else one
        job.failure = failure
