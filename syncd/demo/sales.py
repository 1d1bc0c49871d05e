"""The simulated sales people and the CRM's admin: they work in HubSpot's own screens."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import httpx

from syncd.demo.judge import SalesEdit

TIERS = ("bronze", "silver", "gold")


class SandboxAdmin:
    """The sandbox's admin door."""

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


@dataclass
class Sales:
    """Looks after contacts as they appear: telephone number, credit limit, price tier; notes on deals."""

    admin: SandboxAdmin
    wanted: frozenset[str]
    """E-mail addresses of the contacts that somebody looks after."""
    seed: int
    edits: list[SalesEdit] = field(default_factory=list)
    notes: int = 0
    _seen: set[str] = field(default_factory=set)

    async def run(self) -> None:
        dice = random.Random(f"sales:{self.seed}")
        while True:
            for contact in await self.admin.dump("hubspot", "contacts"):
                email = contact["properties"].get("email", "")
                if email in self.wanted and email not in self._seen:
                    self._seen.add(email)
                    await self._look_after(dice, contact["id"], email)
            for deal in await self.admin.dump("hubspot", "deals"):
                if deal["id"] not in self._seen and dice.random() < 0.3:
                    await self.admin.act(
                        "hubspot",
                        op="edit",
                        object="deals",
                        id=deal["id"],
                        values={"description": "Called, will order"},
                    )
                    self.notes += 1
                self._seen.add(deal["id"])
            await asyncio.sleep(0.5)

    async def _look_after(self, dice: random.Random, contact_id: str, email: str) -> None:
        values = {
            "phone": f"+49 30 {dice.randint(1_000_000, 9_999_999)}", "credit_limit": str(dice.randint(1, 40) * 500),
            "price_tier": dice.choice(TIERS),
        }  # fmt: skip
        chosen = dict(dice.sample(sorted(values.items()), dice.randint(1, 3)))
        await self.admin.act("hubspot", op="edit", object="contacts", id=contact_id, values=chosen)
        self.edits.append(SalesEdit(email, chosen))
