"""Reading by id and by our key, and what turns the vendor's rows into whole snapshots."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping, pluck
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.client import Client, chunks, each
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.objects import INCOMPLETE, Row, members, names_of
from syncd.systems.contract import ReadResult, Snapshot, VendorError

IDS: Final = 100
"""Ids of one ``id:in``."""
EMBEDDED: Final = 10
"""Attributes that a customer shows at most; the rest must be asked for."""
_INCLUDES: Final = {
    "attributes": "attributes", "form_fields": "formfields", "store_credit_amounts": "storecredit",
    "addresses": "addresses",
}  # fmt: skip
_REMEMBERED: Final = 10_000


class Reader:
    def __init__(self, client: Client, directory: Directory) -> None:
        self._client = client
        self._directory = directory
        self._tried: OrderedDict[str, str] = OrderedDict()

    # -- customers

    def includes(self, mapping: ObjectMapping) -> list[tuple[str, str]]:
        """The ``include`` parameter that the mapping's paths need."""
        wanted = [name for member, name in _INCLUDES.items() if member in members(mapping)]
        return [("include", ",".join(wanted))] if wanted else []

    async def customer_rows(self, mapping: ObjectMapping, name: str, values: Sequence[str], lane: Lane) -> list[Row]:
        """Customers by ``id`` or ``email``, any number."""
        found: list[Row] = []
        for part in chunks(list(dict.fromkeys(values)), IDS):
            params = [(f"{name}:in", ",".join(part)), ("limit", "250"), *self.includes(mapping)]
            rows, _ = await self._client.rows("customers", lane, params)
            found += rows
        return found

    async def customers(
        self, mapping: ObjectMapping, rows: Sequence[Row], lane: Lane, *, complete: bool = False
    ) -> list[Snapshot]:
        """Rows as snapshots, with names of groups and attributes, and with attributes the rows had no room for
        (``complete``: they had room for all)."""
        names = names_of(mapping, "attributes")
        attributes: dict[int, str] = {}
        if names:
            attributes = {one.id: one.name for one in (await self._directory.attributes(lane, wanted=names)).values()}
        groups: Mapping[int, str] = {}
        if "customer_group" in members(mapping):
            groups = await self._directory.groups(lane, ids=[int(one.get("customer_group_id") or 0) for one in rows])
        wanted = {} if complete else {number: name for number, name in attributes.items() if name in names}
        whole = await self._with_all_attributes(rows, wanted, lane)
        return [objects.customer(one, attributes, groups) for one in whole]

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
        page = 1
        while True:
            asked = [*params, ("limit", "250"), ("page", str(page))]
            rows, meta = await self._client.rows("customers/attribute-values", lane, asked)
            found += rows
            pages = (meta.get("pagination") or {}).get("total_pages")
            if not rows or (isinstance(pages, int) and page >= pages) or (pages is None and len(rows) < 250):
                return found
            page += 1

    # -- carts and orders

    async def lines(self, mapping: ObjectMapping, row: Row, lane: Lane) -> list[Row]:
        """What was ordered, where the mapping wants to know; only a call of its own tells."""
        if "items" not in members(mapping):
            return []
        found: list[Row] = []
        page = 1
        while True:
            params = [("limit", "250"), ("page", str(page))]
            rows = await self._client.v2_rows(f"orders/{row['id']}/products", lane, params)
            found += rows
            if len(rows) < 250:
                return found
            page += 1

    async def orders(self, mapping: ObjectMapping, rows: Sequence[Row], lane: Lane) -> list[Snapshot]:
        """Rows as snapshots of what is mapped, orders or the carts they came from; unpaid checkouts are neither."""
        paid = [one for one in rows if one.get("status_id") != INCOMPLETE]
        if mapping.object == "carts":
            paid = [one for one in paid if one.get("cart_id")]
        lines = await each(paid, lambda one: self.lines(mapping, one, lane), self._client.settings.concurrency)
        make = objects.cart_of_order if mapping.object == "carts" else objects.order
        return [make(one, those) for one, those in zip(paid, lines, strict=True)]

    async def cart(self, mapping: ObjectMapping, cart_id: str, lane: Lane) -> Snapshot | None:
        """A cart; one that is gone is looked for among the orders, where ``cart_id`` is kept."""
        row = await self._client.one(f"carts/{cart_id}", lane)
        if row is not None:
            return objects.cart(row, "" if row.get("email") else await self._shopper(row, lane))
        found = await self._client.v2_rows("orders", lane, [("cart_id", cart_id), ("sort", "id:desc"), ("limit", "1")])
        made = await self.orders(mapping, [one for one in found if one.get("cart_id") == cart_id], lane)
        return made[0] if made else None

    async def _shopper(self, row: Row, lane: Lane) -> str:
        """Whose cart it is, where it does not say: the customer signed in, or who the checkout was told."""
        if objects.person(row.get("customer_id")):
            rows, _ = await self._client.rows("customers", lane, [("id:in", str(row["customer_id"]))])
            return str(rows[0].get("email") or "") if rows else ""
        checkout = await self._client.one(f"checkouts/{row['id']}", lane) or {}
        return str((checkout.get("billing_address") or {}).get("email") or "")

    # -- the contract

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        """Customers, carts and orders by id, any number. Raises :class:`VendorError`."""
        wanted = list(dict.fromkeys(ids))
        found = await self._read(mapping, wanted, lane)
        held = {one.external_id: one for one in found}
        return ReadResult(held, frozenset(wanted) - held.keys())

    async def _read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        at_once = self._client.settings.concurrency
        if mapping.object == "customers":
            numbers = [one for one in ids if one.isdigit()]
            return await self.customers(mapping, await self.customer_rows(mapping, "id", numbers, lane), lane)
        if mapping.object == "carts":
            carts = await each(ids, lambda one: self.cart(mapping, one, lane), at_once)
            return [one for one in carts if one is not None]
        rows = await each([one for one in ids if one.isdigit()], lambda one: self._order(one, lane), at_once)
        return await self.orders(mapping, [one for one in rows if one is not None], lane)

    async def _order(self, number: str, lane: Lane) -> Row | None:
        try:
            body = (await self._client.v2(f"orders/{number}", lane, one=True)).body
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                return None
            raise
        return body if isinstance(body, Mapping) else None

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
        if mapping.object == "customers" and emails:
            rows = await self.customer_rows(mapping, "email", list(emails.values()), lane)
            for one in await self.customers(mapping, rows, lane):
                key: Any = pluck(one.data, mapping.key_path)
                if key in emails:
                    found[key] = one
        return found
