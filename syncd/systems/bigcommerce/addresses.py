"""Addresses of customers: an object of their own, and ``address.<member>`` of a customer for its first one.

A change that would make two addresses of one customer equal is answered as done, and left out of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.client import Client, chunks
from syncd.systems.bigcommerce.endpoint import Endpoint, Listed, Values, reference
from syncd.systems.bigcommerce.errors import Doing, from_unusable
from syncd.systems.bigcommerce.form import ADDRESS, UnwritableError, whole
from syncd.systems.bigcommerce.objects import Row
from syncd.systems.contract import Snapshot, VendorError

PATH: Final = "customers/addresses"
_IDS: Final = 100


class CustomerAddresses(Endpoint):
    """No address has a moment of change: a list of them is walked whole."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        del mapping, since
        return await numbered(self._client, PATH, "customer_addresses", after, (), lane)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        del mapping
        found: list[Row] = []
        for part in chunks([one for one in dict.fromkeys(ids) if one.isdigit()], _IDS):
            rows, _ = await self._client.rows(PATH, lane, [("id:in", ",".join(part)), ("limit", "250")])
            found += rows
        return [objects.plainly("customer_addresses", one) for one in found]

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        row = self._row(values)
        made = await self._client.v3("POST", PATH, lane, Doing.CREATE, [row])
        if made:
            return str(made[0]["id"])
        there = await self.holder(mapping, values, lane)
        if there is None:
            raise VendorError(from_unusable(200, "the vendor does not show the address", Doing.CREATE))
        return there.external_id

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        del mapping
        row = {**self._row(values), "id": int(held.external_id)}
        await self._client.v3("PUT", PATH, lane, Doing.CHANGE_MANY, [row])

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        del mapping
        await self._client.v3("DELETE", PATH, lane, Doing.CHANGE_MANY, params=[("id:in", external_id)])

    async def holder(self, mapping: ObjectMapping, values: Values, lane: Lane) -> Snapshot | None:
        """The customer's own address that reads the same."""
        del mapping
        row = self._row(values)
        if "customer_id" not in row:
            return None
        params = [("customer_id:in", str(row["customer_id"])), ("limit", "250")]
        rows, _ = await self._client.rows(PATH, lane, params)
        for one in rows:
            if all((one.get(name) or "") == value for name, value in row.items() if name != "address_type"):
                return objects.plainly("customer_addresses", one)
        return None

    def _row(self, values: Values) -> dict[str, Any]:
        told = dict(values)
        customer = reference(told.pop("customer_id", None))
        if told.keys() - ADDRESS:
            raise UnwritableError(min(told.keys() - ADDRESS), f"an address has {', '.join(sorted(ADDRESS))}")
        row = {name: "" if value is None else str(value) for name, value in told.items()}
        return {**row, "customer_id": whole("customer_id", customer)} if customer else row


async def numbered(
    client: Client, path: str, object_: str, after: str, params: Sequence[tuple[str, str]], lane: Lane
) -> Listed:
    """A page, by number, of a V3 list that needs no other form."""
    page, limit = int(after or 1), client.settings.page_limit
    rows, meta = await client.rows(path, lane, [*params, ("limit", str(limit)), ("page", str(page))])
    found = [objects.plainly(object_, one) for one in rows]
    return Listed(found, *turned(meta, page, len(rows), limit))


def turned(meta: Mapping[str, Any], page: int, count: int, limit: int) -> tuple[str, int]:
    """Where the next page is, and how many there are in all, from a page's ``meta``."""
    told = meta.get("pagination") or {}
    pages, total = told.get("total_pages"), told.get("total")
    ends = page >= pages if isinstance(pages, int) else count < limit
    return "" if ends or not count else str(page + 1), total if isinstance(total, int) else -1
