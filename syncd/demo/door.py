"""The sandbox's admin door, as the demonstration's people, its judge and its stage use it."""

from __future__ import annotations

from typing import Any

import httpx


class SandboxAdmin:
    """Deeds of simulated people, what the vendors hold, and their troubles."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=30.0)

    async def close(self) -> None:
        await self._client.aclose()

    async def act(self, vendor: str, **deed: Any) -> Any:
        reply = await self._client.post(f"/_sandbox/{vendor}/act", json=deed)
        reply.raise_for_status()
        return reply.json()["result"]

    async def dump(self, vendor: str, object_: str = "") -> Any:
        """All objects by kind; or those of one kind."""
        reply = await self._client.get(f"/_sandbox/{vendor}/dump", params={"object": object_} if object_ else None)
        reply.raise_for_status()
        return reply.json()[object_] if object_ else reply.json()

    async def state(self) -> Any:
        return (await self._client.get("/_sandbox/state")).json()

    async def ledger(self, vendor: str) -> list[dict[str, Any]]:
        reply = await self._client.get("/_sandbox/ledger", params={"vendor": vendor})
        effects: list[dict[str, Any]] = reply.json()["effects"]
        return effects

    async def set_faults(self, text: str) -> None:
        (await self._client.post("/_sandbox/faults", json={"faults": text})).raise_for_status()

    async def outage(self, vendor: str, *, on: bool) -> None:
        (await self._client.post("/_sandbox/outage", json={"vendor": vendor, "on": on})).raise_for_status()
