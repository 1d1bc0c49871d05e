"""The simulated sales people: they work in the CRM's own screens."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from syncd.demo.crm import Crm
from syncd.demo.door import SandboxAdmin
from syncd.demo.judge import SalesEdit

TIERS = ("bronze", "silver", "gold")


@dataclass
class Sales:
    """Looks after contacts as they appear: telephone number, credit limit, price tier; notes on deals."""

    admin: SandboxAdmin
    crm: Crm
    wanted: frozenset[str]
    """E-mail addresses of the contacts that somebody looks after."""
    seed: int
    edits: list[SalesEdit] = field(default_factory=list)
    notes: int = 0
    _seen: set[str] = field(default_factory=set)

    async def run(self) -> None:
        dice = random.Random(f"sales:{self.seed}")
        while True:
            crm = self.crm
            for contact in crm.entries(crm.contacts, await self.admin.dump(crm.vendor, crm.contacts.object)):
                email = contact.values["email"]
                if email in self.wanted and email not in self._seen:
                    self._seen.add(email)
                    await self._look_after(dice, contact.id, email)
            for deal in crm.entries(crm.deals, await self.admin.dump(crm.vendor, crm.deals.object)):
                if deal.id not in self._seen and dice.random() < 0.3:
                    await crm.edit(self.admin, crm.deals, deal.id, {"sales_note": "Called, will order"})
                    self.notes += 1
                self._seen.add(deal.id)
            await asyncio.sleep(0.5)

    async def _look_after(self, dice: random.Random, contact_id: str, email: str) -> None:
        values = {
            "phone": f"+49 30 {dice.randint(1_000_000, 9_999_999)}", "credit_limit": str(dice.randint(1, 40) * 500),
            "price_tier": dice.choice(TIERS),
        }  # fmt: skip
        chosen = dict(dice.sample(sorted(values.items()), dice.randint(1, 3)))
        await self.crm.edit(self.admin, self.crm.contacts, contact_id, chosen)
        self.edits.append(SalesEdit(email, chosen))
