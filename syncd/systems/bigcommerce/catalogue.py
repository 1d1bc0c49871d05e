"""Products, channels, customer groups: what prices and carts refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping, pluck
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.addresses import numbered, turned
from syncd.systems.bigcommerce.client import Client, chunks, each
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.endpoint import Endpoint, Listed, Values, reference
from syncd.systems.bigcommerce.errors import Doing, from_unusable
from syncd.systems.bigcommerce.form import UnwritableError, number, truth, whole
from syncd.systems.bigcommerce.metafields import Metafields, split
from syncd.systems.bigcommerce.objects import instant_ms, iso
from syncd.systems.contract import Snapshot, VendorError

_IDS: Final = 100
_PRODUCT_TEXTS: Final = frozenset({"name", "sku", "description"})
_PRODUCT_AMOUNTS: Final = frozenset({"price", "cost_price", "sale_price", "retail_price"})
_FLAGS: Final = frozenset({"is_visible", "is_featured", "is_free_shipping", "is_listable_from_ui"})


def since_of(since: int | None) -> list[tuple[str, str]]:
    return [] if since is None else [("date_modified:min", iso(since))]


def newest(found: Sequence[Snapshot]) -> int:
    return max((instant_ms(one.data.get("date_modified")) for one in found), default=0)


def last_id(rows: Sequence[Mapping[str, Any]], after: str) -> int:
    """Where a page ends that is asked for by id. Raises :class:`VendorError` where it does not go on."""
    last = max((int(one["id"]) for one in rows), default=0)
    if rows and last <= int(after or 0):
        told = "a page does not go on where the last one ended"
        raise VendorError(Failure(Remedy.RETRY, "bad-response", told))
    return last


class Products(Endpoint):
    """Read with their prices in the store's currency; listed by id."""

    def __init__(self, client: Client, directory: Directory, metafields: Metafields) -> None:
        self._client = client
        self._directory = directory
        self._metafields = metafields

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        limit = self._client.settings.page_limit
        params = [("id:min", str(int(after or 0) + 1)), ("sort", "id"), ("direction", "asc"), ("limit", str(limit))]
        rows, _ = await self._client.rows("catalog/products", lane, [*params, *since_of(since)])
        found = await self._snapshots(mapping, rows, lane)
        last = last_id(rows, after)
        return Listed(found, str(last) if len(rows) >= limit else "", top=newest(found))

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        found: list[Snapshot] = []
        for part in chunks([one for one in dict.fromkeys(ids) if one.isdigit()], _IDS):
            rows, _ = await self._client.rows("catalog/products", lane, [("id:in", ",".join(part)), ("limit", "250")])
            found += await self._snapshots(mapping, rows, lane)
        return found

    async def _snapshots(self, mapping: ObjectMapping, rows: Sequence[Mapping[str, Any]], lane: Lane) -> list[Snapshot]:
        currency = await self._directory.currency(lane) if rows else ""
        return await self._metafields.attach(mapping, [objects.product(one, currency) for one in rows], lane)

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        del mapping, values, lane
        raise VendorError(Failure(Remedy.ASK, "not-writable", "products are made in the store, not by syncd"))

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        plain, metafields = split(values)
        row = {path: _product_member(path, value) for path, value in plain.items() if path != "currency_code"}
        if row:
            body = [{"id": int(held.external_id), **row}]
            await self._client.v3("PUT", "catalog/products", lane, Doing.CHANGE_MANY, body)
        await put_metafields(self._metafields, mapping, held.external_id, metafields, lane)

    async def holder(self, mapping: ObjectMapping, values: Values, lane: Lane) -> Snapshot | None:
        """Names and SKUs are unique."""
        for name in ("sku", "name"):
            if values.get(name):
                asked = [(name, str(values[name])), ("limit", "1")]
                rows, _ = await self._client.rows("catalog/products", lane, asked)
                if rows:
                    return (await self._snapshots(mapping, rows, lane))[0]
        return None

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        del mapping
        await self._client.v3("DELETE", "catalog/products", lane, Doing.CHANGE_MANY, params=[("id:in", external_id)])


def _product_member(path: str, value: Any) -> Any:
    if path in _PRODUCT_TEXTS:
        return "" if value is None else str(value)
    if path in _PRODUCT_AMOUNTS:
        return number(path, value)
    if path in _FLAGS:
        return truth(value)
    raise UnwritableError(path, "is not written by syncd")


async def put_metafields(
    metafields: Metafields, mapping: ObjectMapping, external_id: str, values: Values, lane: Lane
) -> None:
    """Of one resource. Raises :class:`VendorError`."""
    failed = (await metafields.put(mapping, {external_id: values}, lane)) if values else {}
    if failed:
        raise VendorError(failed[external_id])


class Channels(Endpoint):
    """Sales channels; ``external_id`` has room for our record id. They cannot be deleted."""

    def __init__(self, client: Client, metafields: Metafields) -> None:
        self._client = client
        self._metafields = metafields

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        listed = await numbered(self._client, "channels", "channels", after, since_of(since), lane)
        found = await self._metafields.attach(mapping, listed.snapshots, lane)
        return Listed(found, listed.after, listed.total, newest(found))

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        wanted = [one for one in dict.fromkeys(ids) if one.isdigit()]
        rows = await each(wanted, lambda one: self._client.one(f"channels/{one}", lane), 6)
        found = [objects.plainly("channels", one) for one in rows if one is not None]
        return await self._metafields.attach(mapping, found, lane)

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        """Channels have no unique member but the room for our id: it is looked for first."""
        there = await self.holder(mapping, values, lane)
        if there is not None:
            raise VendorError(Failure(Remedy.LINK, "already-there", "it was made before"))
        plain, metafields = split(values)
        made = await self._client.v3("POST", "channels", lane, Doing.CREATE, _channel(plain))
        if not made:
            raise VendorError(from_unusable(200, "the answer names no channel", Doing.CREATE))
        await put_metafields(self._metafields, mapping, str(made[0]["id"]), metafields, lane)
        return str(made[0]["id"])

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        plain, metafields = split(values)
        if plain:
            await self._client.v3("PUT", f"channels/{held.external_id}", lane, Doing.CHANGE, _channel(plain))
        await put_metafields(self._metafields, mapping, held.external_id, metafields, lane)

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        del mapping, external_id, lane
        raise VendorError(Failure(Remedy.ASK, "not-writable", "channels cannot be deleted, only archived by status"))

    async def holder(self, mapping: ObjectMapping, values: Values, lane: Lane) -> Snapshot | None:
        key = values.get(mapping.key_path) if mapping.key_path else None
        return (await self.find(mapping, [str(key)], lane)).get(str(key)) if key else None

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        found: dict[str, Snapshot] = {}
        after, more = "", True
        while more:
            listed = await self.page(mapping, after, None, lane)
            for one in listed.snapshots:
                key = str(pluck(one.data, mapping.key_path))
                if key in keys:
                    found[key] = one
            after = listed.after
            more = bool(after)
        return found


def _channel(values: Values) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for path, value in values.items():
        if path in ("name", "external_id", "status", "type", "platform"):
            form[path] = "" if value is None else str(value)
        elif path in ("is_visible", "is_listable_from_ui"):
            form[path] = truth(value)
        else:
            raise UnwritableError(path, "is not written by syncd")
    return form


class CustomerGroups(Endpoint):
    """By V2, named uniquely. Their rules are replaced as a whole; ``price_list_id`` is the rule that stands alone."""

    def __init__(self, client: Client, directory: Directory) -> None:
        self._client = client
        self._directory = directory

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        del mapping
        page, limit = int(after or 1), self._client.settings.page_limit
        params = [*since_of(since), ("limit", str(limit)), ("page", str(page))]
        rows = await self._client.v2_rows("customer_groups", lane, params)
        total = -1
        if page > 1 or len(rows) >= limit:  # such lists say nothing of their length
            told = (await self._client.v2("customer_groups/count", lane)).body
            total = int(told["count"]) if isinstance(told, Mapping) and isinstance(told.get("count"), int) else -1
        found = [objects.customer_group(one) for one in rows]
        after, _ = turned({}, page, len(rows), limit)
        return Listed(found, after, total, newest(found))

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        del mapping
        wanted = [one for one in dict.fromkeys(ids) if one.isdigit()]
        rows = await each(wanted, lambda one: self._client.v2_one(f"customer_groups/{one}", lane), 6)
        return [objects.customer_group(one) for one in rows if one is not None]

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        del mapping
        made = await self._client.v2_send("POST", "customer_groups", lane, Doing.CREATE, _group(values))
        self._directory.forget_groups()
        if not made.get("id"):
            raise VendorError(from_unusable(200, "the answer names no group", Doing.CREATE))
        return str(made["id"])

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        del mapping
        path = f"customer_groups/{held.external_id}"
        await self._client.v2_send("PUT", path, lane, Doing.CHANGE, _group(values))
        self._directory.forget_groups()

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        """Its customers lose their group."""
        del mapping
        await self._client.v2_send("DELETE", f"customer_groups/{external_id}", lane, Doing.CHANGE)
        self._directory.forget_groups()

    async def holder(self, mapping: ObjectMapping, values: Values, lane: Lane) -> Snapshot | None:
        del mapping
        params = [("name", str(values.get("name", ""))), ("limit", "250")]
        rows = await self._client.v2_rows("customer_groups", lane, params)
        same = [one for one in rows if one.get("name") == values.get("name")]
        return objects.customer_group(same[0]) if same else None


def _group(values: Values) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for path, value in values.items():
        if path == "name":
            form[path] = "" if value is None else str(value)
        elif path in ("is_default", "is_group_for_guests"):
            form[path] = truth(value)
        elif path == "price_list_id":
            wanted = reference(value)
            form["discount_rules"] = [{"type": "price_list", "price_list_id": whole(path, wanted)}] if wanted else []
        elif path in ("discount_rules", "category_access"):
            form[path] = value
        else:
            raise UnwritableError(path, "is not written by syncd")
    return form
