"""Names and ids of customer attributes and customer groups: few, seldom changed, needed with every customer.

Held for some minutes, and asked for anew when a name or id turns up that is not known. No webhook tells of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.model.change import Lane
from syncd.systems.bigcommerce.client import Client

HELD_SECONDS: Final = 300.0
ANEW_SECONDS: Final = 5.0
"""An unknown id asks anew at most so often: a group may have been deleted while its customers still name it."""


_Reading = Callable[[Lane], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attribute:
    id: int
    name: str
    type: str


@dataclass(slots=True)
class _Held:
    read_at: float = float("-inf")
    attributes: dict[str, Attribute] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)
    store: Mapping[str, Any] = field(default_factory=dict)


class Directory:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = asyncio.Lock()
        self._attributes = _Held()
        self._groups = _Held()
        self._store = _Held()

    async def attributes(
        self, lane: Lane, *, wanted: Iterable[str] = (), ids: Iterable[int] = (), fresh: bool = False
    ) -> Mapping[str, Attribute]:
        """By name. ``wanted`` names and ``ids`` must be there, or they do not exist."""
        held = self._attributes.attributes
        known = {one.id for one in held.values()}
        missing = any(name not in held for name in wanted) or any(one not in known for one in ids)
        await self._read(self._attributes, lane, self._read_attributes, missing=missing, fresh=fresh)
        return self._attributes.attributes

    async def groups(self, lane: Lane, *, ids: Iterable[int] = (), names: Iterable[str] = ()) -> Mapping[int, str]:
        """Names by id. ``ids`` and ``names`` must be there, or they do not exist."""
        held = set(self._groups.groups.values())
        missing = any(one and one not in self._groups.groups for one in ids) or any(one not in held for one in names)
        await self._read(self._groups, lane, self._read_groups, missing=missing)
        return self._groups.groups

    def forget_groups(self) -> None:
        """They have changed: the next one who asks reads them anew."""
        self._groups.read_at = float("-inf")

    async def currency(self, lane: Lane) -> str:
        """The store's own, in which prices of products are."""
        return str((await self._store_told(lane)).get("currency") or "")

    async def default_channel(self, lane: Lane) -> int:
        """Where a user of a company belongs if nothing else is said."""
        found = (await self._store_told(lane)).get("default_channel_id")
        return found if isinstance(found, int) else 1

    async def _store_told(self, lane: Lane) -> Mapping[str, Any]:
        await self._read(self._store, lane, self._read_store, missing=False)
        return self._store.store

    async def _read_store(self, lane: Lane) -> None:
        body = (await self._client.v2("store", lane)).body
        self._store.store = body if isinstance(body, Mapping) else {}

    async def _read(self, held: _Held, lane: Lane, read: _Reading, *, missing: bool, fresh: bool = False) -> None:
        seen = held.read_at
        age = self._client.monotonic() - seen
        if not fresh and (age < ANEW_SECONDS or (age < HELD_SECONDS and not missing)):
            return
        async with self._lock:
            if held.read_at == seen:  # otherwise somebody else has read it meanwhile
                await read(lane)
                held.read_at = self._client.monotonic()

    async def _read_attributes(self, lane: Lane) -> None:
        rows, _ = await self._client.rows("customers/attributes", lane, [("limit", "250")])
        found = [Attribute(int(one["id"]), str(one["name"]), str(one.get("type", ""))) for one in rows]
        self._attributes.attributes = {one.name: one for one in found}

    async def _read_groups(self, lane: Lane) -> None:
        found: dict[int, str] = {}
        page = 1
        while True:
            params = [("limit", "250"), ("page", str(page))]
            rows = await self._client.v2_rows("customer_groups", lane, params)
            found |= {int(one["id"]): str(one["name"]) for one in rows}
            if len(rows) < 250:
                break
            page += 1
        self._groups.groups = found
