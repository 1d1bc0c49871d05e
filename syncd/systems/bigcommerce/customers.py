"""Customers as a kind of object: listed by cursor, read and written in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce.client import Client
from syncd.systems.bigcommerce.endpoint import Listed, Shelf
from syncd.systems.bigcommerce.objects import instant_ms, iso
from syncd.systems.bigcommerce.read import Reader
from syncd.systems.bigcommerce.write import Writer
from syncd.systems.contract import Snapshot, VendorError, Verdict, Write


class Customers(Shelf):
    def __init__(self, client: Client, reader: Reader, writer: Writer) -> None:
        self._client = client
        self._reader = reader
        self._writer = writer

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        params = [("limit", str(self._client.settings.page_limit)), *self._reader.includes(mapping)]
        if after:
            params.append(("after", after))
        if since is not None:
            params.append(("date_modified:min", iso(since)))
        rows, meta = await self._client.rows("customers", lane, params)
        told = meta.get("cursor_pagination")
        if not isinstance(told, Mapping):
            raise VendorError(Failure(Remedy.RETRY, "bad-response", "the list of customers has no cursors"))
        more = rows and isinstance(told.get("links"), Mapping) and told["links"].get("next")
        end = str(told.get("end_cursor") or "") if more else ""
        if more and end in ("", after):
            told_ = "a page does not go on where the last one ended"
            raise VendorError(Failure(Remedy.RETRY, "bad-response", told_))
        # The row's own moment: its attributes are another phase's business.
        top = max((instant_ms(one.get("date_modified")) for one in rows), default=0)
        return Listed(await self._reader.snapshots(mapping, rows, lane), end, top=top)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        return await self._reader.read(mapping, ids, lane)

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        return await self._reader.find(mapping, keys, lane)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
        return await self._writer.write(mapping, writes, lane)
