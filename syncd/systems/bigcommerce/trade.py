"""Orders, by V2; and carts, which no list tells of: they are read by id, or from the order that they became."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.catalogue import last_id, put_metafields
from syncd.systems.bigcommerce.client import Client, each
from syncd.systems.bigcommerce.endpoint import Endpoint, Listed, Values, reference
from syncd.systems.bigcommerce.errors import Doing
from syncd.systems.bigcommerce.form import UnwritableError, whole
from syncd.systems.bigcommerce.metafields import Metafields, split
from syncd.systems.bigcommerce.objects import INCOMPLETE, STATUSES, Row, instant_ms, iso, members
from syncd.systems.contract import Snapshot, VendorError

_SPAN: Final = 250
"""Ids that lie so close together come with one call."""
_ORDER_TEXTS: Final = frozenset({
    "staff_notes", "customer_message", "external_order_id", "external_source", "external_merchant_id", "payment_method",
})  # fmt: skip


class Orders(Endpoint):
    def __init__(self, client: Client, metafields: Metafields) -> None:
        self._client = client
        self._metafields = metafields

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        """By id. Of a mapping of carts, the carts that the orders came from."""
        limit = self._client.settings.page_limit
        params = [("min_id", str(int(after or 0) + 1)), ("sort", "id:asc"), ("limit", str(limit))]
        if since is not None:
            params.append(("min_date_modified", iso(since)))
        rows = await self._client.v2_rows("orders", lane, params)
        last = last_id(rows, after)
        found = await self.snapshots(mapping, rows, lane)
        top = max((instant_ms(one.get("date_modified")) for one in rows), default=0)
        return Listed(found, str(last) if len(rows) >= limit else "", top=top)

    async def snapshots(self, mapping: ObjectMapping, rows: Sequence[Row], lane: Lane) -> list[Snapshot]:
        """Of what is mapped, orders or the carts they came from; unpaid checkouts are neither."""
        paid = [one for one in rows if one.get("status_id") != INCOMPLETE]
        if mapping.object == "carts":
            paid = [one for one in paid if one.get("cart_id")]
        lines = await each(paid, lambda one: self._lines(mapping, one, lane), self._client.settings.concurrency)
        make = objects.cart_of_order if mapping.object == "carts" else objects.order
        found = [make(one, those) for one, those in zip(paid, lines, strict=True)]
        return found if mapping.object == "carts" else await self._metafields.attach(mapping, found, lane)

    async def _lines(self, mapping: ObjectMapping, row: Row, lane: Lane) -> list[Row]:
        """What was ordered, where the mapping wants to know; only a call of its own tells."""
        if "items" not in members(mapping):
            return []
        found: list[Row] = []
        page = 1
        while True:
            params = [("limit", "250"), ("page", str(page))]
            try:
                rows = await self._client.v2_rows(f"orders/{row['id']}/products", lane, params, one=True)
            except VendorError as error:
                if error.failure.remedy is Remedy.GONE:  # since it was listed
                    return found
                raise
            found += rows
            if len(rows) < 250:
                return found
            page += 1

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        wanted = sorted({int(one) for one in ids if one.isdigit()})
        rows: dict[int, Row] = {}
        for part in _close(wanted):
            if len(part) > 1:
                params = [("min_id", str(part[0])), ("max_id", str(part[-1])), ("limit", str(_SPAN))]
                rows |= {int(one["id"]): one for one in await self._client.v2_rows("orders", lane, params)}
        # What a list leaves out may still be there: archived orders, say.
        single = [one for one in wanted if one not in rows]
        told = await each(
            single, lambda one: self._client.v2_one(f"orders/{one}", lane), self._client.settings.concurrency
        )
        rows |= {int(one["id"]): one for one in told if one is not None}
        return await self.snapshots(mapping, [rows[one] for one in wanted if one in rows], lane)

    async def of_cart(self, mapping: ObjectMapping, cart_id: str, lane: Lane) -> list[Snapshot]:
        """The cart, from the order that it became."""
        found = await self._client.v2_rows("orders", lane, [("cart_id", cart_id), ("sort", "id:desc"), ("limit", "1")])
        return await self.snapshots(mapping, [one for one in found if one.get("cart_id") == cart_id], lane)

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        del mapping, values, lane
        raise VendorError(Failure(Remedy.ASK, "not-writable", "orders are placed in the store, not by syncd"))

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        plain, metafields = split(values)
        form = _order(plain)
        if form:
            await self._client.v2_send("PUT", f"orders/{held.external_id}", lane, Doing.CHANGE, form)
        await put_metafields(self._metafields, mapping, held.external_id, metafields, lane)

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        """Archives it."""
        del mapping
        await self._client.v2_send("DELETE", f"orders/{external_id}", lane, Doing.CHANGE)


def _close(wanted: Sequence[int]) -> list[list[int]]:
    """Ascending ids, in parts that one page spans."""
    parts: list[list[int]] = []
    for one in wanted:
        if parts and one - parts[-1][0] < _SPAN:
            parts[-1].append(one)
        else:
            parts.append([one])
    return parts


def _order(values: Values) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for path, value in values.items():
        if path in _ORDER_TEXTS:
            form[path] = "" if value is None else str(value)
        elif path == "status_id":
            form[path] = int(value) if str(value).isdigit() else value
        elif path == "state":
            if value not in STATUSES:
                raise UnwritableError(path, f"an order is one of {', '.join(STATUSES)}")
            form["status_id"] = STATUSES.index(value)
        else:
            raise UnwritableError(path, "is not written by syncd")
    return form


class Carts(Endpoint):
    def __init__(self, client: Client, orders: Orders, metafields: Metafields) -> None:
        self._client = client
        self._orders = orders
        self._metafields = metafields

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        """Carts have no list: a scan tells nothing, a poll of the orders that carts became."""
        if since is None:
            return Listed(())
        return await self._orders.page(mapping, after, since, lane)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        unique = list(dict.fromkeys(ids))
        found = await each(unique, lambda one: self._one(mapping, one, lane), self._client.settings.concurrency)
        return [one for part in found for one in part]

    async def _one(self, mapping: ObjectMapping, cart_id: str, lane: Lane) -> list[Snapshot]:
        """A cart; one that is gone is looked for among the orders, where ``cart_id`` is kept."""
        row = await self._client.one(f"carts/{cart_id}", lane)
        if row is None:
            return await self._orders.of_cart(mapping, cart_id, lane)
        cart = objects.cart(row, "" if row.get("email") else await self._shopper(row, lane))
        return await self._metafields.attach(mapping, [cart], lane)

    async def _shopper(self, row: Row, lane: Lane) -> str:
        """Whose cart it is, where it does not say: the customer signed in, or who the checkout was told."""
        if objects.person(row.get("customer_id")):
            rows, _ = await self._client.rows("customers", lane, [("id:in", str(row["customer_id"]))])
            return str(rows[0].get("email") or "") if rows else ""
        checkout = await self._client.one(f"checkouts/{row['id']}", lane) or {}
        return str((checkout.get("billing_address") or {}).get("email") or "")

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        del mapping, values, lane
        raise VendorError(Failure(Remedy.ASK, "not-writable", "carts are filled in the store, not by syncd"))

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        """Whose it is, and metafields. The vendor refuses the former where the cart was changed since it was read."""
        plain, metafields = split(values)
        if plain.keys() - {"customer_id"}:
            raise UnwritableError(min(plain.keys() - {"customer_id"}), "is not written by syncd")
        if plain:
            version = held.data.get("version")
            body: dict[str, Any] = {"customer_id": whole("customer_id", reference(plain["customer_id"]))}
            body |= {"version": version} if isinstance(version, int) else {}
            await self._client.v3("PUT", f"carts/{held.external_id}", lane, Doing.CHANGE, body)
        await put_metafields(self._metafields, mapping, held.external_id, metafields, lane)

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        del mapping
        await self._client.v3("DELETE", f"carts/{external_id}", lane, Doing.CHANGE)
