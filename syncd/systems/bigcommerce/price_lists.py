"""Price lists, and to which customer groups and channels they are assigned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.addresses import numbered, turned
from syncd.systems.bigcommerce.catalogue import newest, since_of
from syncd.systems.bigcommerce.client import Client, chunks
from syncd.systems.bigcommerce.endpoint import Endpoint, Listed, Values, reference
from syncd.systems.bigcommerce.errors import Doing, from_unusable
from syncd.systems.bigcommerce.form import UnwritableError, truth, whole
from syncd.systems.contract import Snapshot, VendorError

_IDS: Final = 100
_PARTS: Final = ("price_list_id", "customer_group_id", "channel_id")


class PriceLists(Endpoint):
    """Named uniquely."""

    at_once = 1

    def __init__(self, client: Client) -> None:
        self._client = client

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        del mapping
        listed = await numbered(self._client, "pricelists", "price_lists", after, since_of(since), lane)
        return Listed(listed.snapshots, listed.after, listed.total, newest(listed.snapshots))

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        del mapping
        found: list[Snapshot] = []
        for part in chunks([one for one in dict.fromkeys(ids) if one.isdigit()], _IDS):
            rows, _ = await self._client.rows("pricelists", lane, [("id:in", ",".join(part)), ("limit", "250")])
            found += [objects.plainly("price_lists", one) for one in rows]
        return found

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        del mapping
        made = await self._client.v3("POST", "pricelists", lane, Doing.CREATE, _list(values))
        if not made or not made[0].get("id"):
            raise VendorError(from_unusable(200, "the answer names no price list", Doing.CREATE))
        return str(made[0]["id"])

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        del mapping
        await self._client.v3("PUT", f"pricelists/{held.external_id}", lane, Doing.CHANGE, _list(values))

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        """Its records go with it."""
        del mapping
        await self._client.v3("DELETE", f"pricelists/{external_id}", lane, Doing.CHANGE)

    async def holder(self, mapping: ObjectMapping, values: Values, lane: Lane) -> Snapshot | None:
        del mapping
        params = [("name", str(values.get("name", ""))), ("limit", "250")]
        rows, _ = await self._client.rows("pricelists", lane, params)
        same = [one for one in rows if one.get("name") == values.get("name")]
        return objects.plainly("price_lists", same[0]) if same else None


def _list(values: Values) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for path, value in values.items():
        if path == "name":
            form[path] = "" if value is None else str(value)
        elif path == "active":
            form[path] = truth(value)
        else:
            raise UnwritableError(path, "is not written by syncd")
    return form


class Assignments(Endpoint):
    """Each is its place, and so named by it: ``<price list>/<customer group>/<channel>``. None has a moment."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        del mapping, since
        page, limit = int(after or 1), self._client.settings.page_limit
        params = [("limit", str(limit)), ("page", str(page))]
        rows, meta = await self._client.rows("pricelists/assignments", lane, params)
        return Listed([objects.assignment(one) for one in rows], *turned(meta, page, len(rows), limit))

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        del mapping
        wanted = set(ids)
        lists = dict.fromkeys(one.partition("/")[0] for one in ids if one.partition("/")[0].isdigit())
        found: dict[str, Snapshot] = {}
        for part in chunks(list(lists), _IDS):
            after = "1"
            while after:
                params = [("price_list_id:in", ",".join(part)), ("limit", "250"), ("page", after)]
                rows, meta = await self._client.rows("pricelists/assignments", lane, params)
                found |= {one.external_id: one for one in map(objects.assignment, rows)}
                after, _ = turned(meta, int(after), len(rows), 250)
        return [one for number, one in found.items() if number in wanted]

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        """An upsert: a group has one price list per channel."""
        del mapping
        told = {path: reference(value) for path, value in values.items()}
        if told.keys() - set(_PARTS):
            raise UnwritableError(min(told.keys() - set(_PARTS)), f"an assignment has {', '.join(_PARTS)}")
        parts = {name: whole(name, told.get(name)) for name in _PARTS}
        body = {name: parts[name] for name in _PARTS[1:]}
        path = f"pricelists/{parts['price_list_id']}/assignments"
        await self._client.v3("PUT", path, lane, Doing.WITHIN, body)
        return "/".join(str(parts[name]) for name in _PARTS)

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        del mapping, held, lane
        raise UnwritableError(min(values), "an assignment is its place: delete it, and make another")

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        del mapping
        parts = external_id.split("/")
        if len(parts) != len(_PARTS) or not all(one.isdigit() for one in parts):
            raise UnwritableError("id", f"an assignment's id is {'/'.join(_PARTS)}")
        params = [(name, value) for name, value in zip(_PARTS, parts, strict=True) if value != "0"]
        try:
            await self._client.v3("DELETE", "pricelists/assignments", lane, Doing.CHANGE_MANY, params=params)
        except VendorError as error:
            if error.failure.status != 404:
                raise
            # The collection is known to be there: this speaks of what was named in the query.
            raise VendorError(replace(error.failure, remedy=Remedy.GONE)) from None
