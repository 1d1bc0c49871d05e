"""Reading customers by id and by our key, and what turns the vendor's rows into whole snapshots."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping, pluck
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.addresses import turned
from syncd.systems.bigcommerce.client import Client, chunks
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.metafields import Metafields
from syncd.systems.bigcommerce.objects import Row, members, names_of
from syncd.systems.contract import Snapshot, VendorError

IDS: Final = 100
"""Ids of one ``id:in``."""
EMBEDDED: Final = 10
"""Attributes that a customer shows at most; the rest must be asked for."""
_INCLUDES: Final = {
    "attributes": "attributes", "form_fields": "formfields", "store_credit_amounts": "storecredit",
    "store_credit": "storecredit", "addresses": "addresses", "address": "addresses",
}  # fmt: skip
_REMEMBERED: Final = 10_000


class Reader:
    def __init__(self, client: Client, directory: Directory, metafields: Metafields) -> None:
        self._client = client
        self._directory = directory
        self._metafields = metafields
        self._tried: OrderedDict[str, str] = OrderedDict()

    def includes(self, mapping: ObjectMapping) -> list[tuple[str, str]]:
        """The ``include`` parameter that the mapping's paths need."""
        wanted = dict.fromkeys(name for member, name in _INCLUDES.items() if member in members(mapping))
        return [("include", ",".join(wanted))] if wanted else []

    async def rows(self, mapping: ObjectMapping, name: str, values: Sequence[str], lane: Lane) -> list[Row]:
        """Customers by ``id`` or ``email``, any number."""
        found: list[Row] = []
        for part in chunks(list(dict.fromkeys(values)), IDS):
            params = [(f"{name}:in", ",".join(part)), ("limit", "250"), *self.includes(mapping)]
            rows, _ = await self._client.rows("customers", lane, params)
            found += rows
        return found

    async def snapshots(
        self, mapping: ObjectMapping, rows: Sequence[Row], lane: Lane, *, complete: bool = False
    ) -> list[Snapshot]:
        """Rows as snapshots, with names of groups and attributes, with attributes the rows had no room for
        (``complete``: they had room for all), and with metafields."""
        names = names_of(mapping, "attributes")
        attributes: dict[int, str] = {}
        if names:
            ids = {one["attribute_id"] for row in rows for one in row.get("attributes") or ()}
            known = await self._directory.attributes(lane, wanted=names, ids=ids)
            attributes = {one.id: one.name for one in known.values()}
        groups: Mapping[int, str] = {}
        if "customer_group" in members(mapping):
            groups = await self._directory.groups(lane, ids=[int(one.get("customer_group_id") or 0) for one in rows])
        wanted = {} if complete else {number: name for number, name in attributes.items() if name in names}
        whole = await self._with_all_attributes(rows, wanted, lane)
        found = [objects.customer(one, attributes, groups) for one in whole]
        return await self._metafields.attach(mapping, found, lane)

    async def _with_all_attributes(self, rows: Sequence[Row], wanted: Mapping[int, str], lane: Lane) -> list[Row]:
        cut = [str(one["id"]) for one in rows if wanted and len(one.get("attributes") or []) >= EMBEDDED]
        if not cut:
            return list(rows)
        values: dict[int, list[Row]] = {}
        for part in chunks(cut, IDS):
            params = [("customer_id:in", ",".join(part)), ("attribute_id:in", ",".join(map(str, wanted)))]
            for one in await self.values(params, lane):
                values.setdefault(int(one["customer_id"]), []).append(one)
        return [{**one, "attributes": values.get(one["id"], [])} if str(one["id"]) in cut else one for one in rows]

    async def values(self, params: Sequence[tuple[str, str]], lane: Lane) -> list[Row]:
        """Every attribute value of a query, page by page."""
        found: list[Row] = []
        after = "1"
        while after:
            asked = [*params, ("limit", "250"), ("page", after)]
            rows, meta = await self._client.rows("customers/attribute-values", lane, asked)
            found += rows
            after, _ = turned(meta, int(after), len(rows), 250)
        return found

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        """Customers by id, any number. Raises :class:`VendorError`."""
        numbers = [one for one in ids if one.isdigit()]
        return await self.snapshots(mapping, await self.rows(mapping, "id", numbers, lane), lane)

    def remember(self, key: str, email: str) -> None:
        """A create is about to leave: should its answer be lost, this is how it is found again."""
        self._tried[key] = email
        self._tried.move_to_end(key)
        while len(self._tried) > _REMEMBERED:
            self._tried.popitem(last=False)

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        """Customers by our record id.

        The vendor has no look-up by attribute. Creates of this process are found by the e-mail address they carried;
        others are not, and need not be: sent again, they are refused for their address, and answered then.
        """
        if not mapping.key_path:
            raise VendorError(Failure(Remedy.ASK, "no-key-path", f"{mapping.name} has no path that holds our key"))
        emails = {key: self._tried[key] for key in keys if key in self._tried}
        found: dict[str, Snapshot] = {}
        if emails:
            rows = await self.rows(mapping, "email", list(emails.values()), lane)
            for one in await self.snapshots(mapping, rows, lane):
                key: Any = pluck(one.data, mapping.key_path)
                if key in emails:
                    found[key] = one
        return found
