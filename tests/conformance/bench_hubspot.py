"""HubSpot under the suite."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from syncd.config import loads
from syncd.model.change import Channel
from syncd.model.record import Link
from syncd.model.value import Fields
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.hubspot import HubspotSandbox
from syncd.sandbox.server import Sandbox
from syncd.systems.contract import Severity, System
from syncd.systems.hubspot.settings import Settings
from syncd.systems.hubspot.system import HubSpot
from tests.conformance.bench import Bench, FreePayer
from tests.conformance.ears import Ear, Inbox, WebhookEar
from tests.conformance.subject import Shape, Subject

KEY = "syncd_external_id"
SECRET = "an-app-client-secret"
CONFIGURATION = loads(
    """
[connections.crm]
system = "hubspot"
company_currency = "EUR"
webhook_url = "https://sync.example.com/v1/webhooks/it"
[[mappings]]
connection = "crm"
object = "deals"
fields.total.direction = "both"
fields.stage.direction = "both"
[[mappings]]
connection = "crm"
object = "orders"
fields.number.direction = "both"
fields.total.direction = "both"
fields.state.direction = "both"
""",
    environ={},
)


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


SUBJECTS = (
    Subject(
        "contacts",
        lambda n: {
            "email": f"p{n}@example.com", "first_name": "Ada", "last_name": f"Byron {n}", "phone": f"+4922{n:06}",
            "company": "Engines Ltd", "credit_limit": euros("42.00"), "price_tier": "gold",
        },
        change={"first_name": "Augusta", "credit_limit": euros("99.50")}, clear="phone", bad={"email": "not-an-address"},
        drops=True, restores=True,
    ),
    Subject(
        "deals",
        lambda n: {
            "email": f"p{n}@example.com", "total": euros("19.98"), "stage": "abandoned",
            "items": [{"key": "1", "sku": "A-1", "name": "Lamp", "quantity": 2, "price": euros("9.99")}],
        },
        change={"total": euros("29.97"), "stage": "ordered"}, bad={"amount": "much"},
        parents={"customer": "contacts"}, restores=True,
    ),
    Subject(
        "orders",
        lambda n: {"number": f"O-{n}", "total": euros("19.98"), "state": "Open"},
        change={"state": "Complete"}, clear="state", parents={"customer": "contacts"}, restores=True,
    ),
)  # fmt: skip


class HubspotBench(Bench):
    title = "HubSpot"
    configuration = CONFIGURATION
    subjects = SUBJECTS
    tokens_expire = False
    version: ClassVar[str] = "2026-03"

    @classmethod
    def blank(cls) -> System:
        return HubSpot(cls._settings(), FreePayer(), World(ManualClock()))

    @classmethod
    def _settings(cls, **more: Any) -> Settings:
        given = {
            "access_token": Secret("pat"),
            "webhook_secrets": (Secret(SECRET),),
            "public_url": "https://x.example/",
        }
        return Settings(**({"connection": "crm", "api_version": cls.version} | given | more))

    async def open(self) -> None:
        self.clock = ManualClock()
        self.sandbox = Sandbox(seed=7, clock=self.clock)
        self.vendor = self.sandbox.add(HubspotSandbox, search_delay=(0.0, 0.0))
        await self.sandbox.open()
        self.inbox = await Inbox().open()
        settings = self._settings(
            access_token=Secret(self.vendor.token), base_url=self.sandbox.url("hubspot"), public_url=self.inbox.url
        )
        self.system = HubSpot(settings, FreePayer(), World(self.clock, random.Random(3)))
        await self.system.open()
        mappings = [one.mapping for one in self.shapes.values()]
        findings = await self.during(self.system.provision(mappings, apply=True))
        assert {one.severity for one in findings} <= {Severity.OK}, findings
        self.vendor.set_webhooks(
            {"target_url": self.inbox.url, "client_secret": SECRET, "time_scale": 0.001, "subscriptions": _all_news()}
        )

    async def close(self) -> None:
        await self.system.close()
        await self.sandbox.close()
        await self.inbox.close()

    # --- what people do ------------------------------------------------------------------------------------------

    def _act(self, op: str, shape: Shape, **more: Any) -> Any:
        return self.vendor.people.act({"op": op, "object": shape.name, **more})

    async def make(self, shape: Shape, fields: Fields, links: Mapping[str, Link]) -> str:
        write = shape.create(self.number(), fields, links)
        return str(self._act("create", shape, values=dict(write.values)))

    async def edit(self, shape: Shape, external_id: str, fields: Fields) -> None:
        values = shape.raw(fields)
        self._act("edit", shape, id=external_id, values=values)

    async def remove(self, shape: Shape, external_id: str) -> None:
        self._act("archive", shape, id=external_id)

    async def restore(self, shape: Shape, external_id: str) -> None:
        self._act("restore", shape, id=external_id)

    async def merge(self, shape: Shape, survivor: str, absorbed: str) -> str:
        return str(self._act("merge", shape, id=survivor, other=absorbed))

    async def erase(self, shape: Shape, external_id: str) -> None:
        self._act("gdpr_delete", shape, id=external_id)

    async def drop_field(self, shape: Shape) -> str:
        self._act("archive_property", shape, name="price_tier")
        return "price_tier"

    async def regain_field(self, shape: Shape, path: str) -> None:
        self._act("restore_property", shape, name=path)

    def living(self, shape: Shape, key: str) -> int:
        rows = self.vendor.objects()[shape.name]
        return sum(1 for one in rows if not one["archived"] and one["properties"].get(KEY) == key)

    async def ear(self, shape: Shape, channel: Channel) -> Ear:
        if channel is Channel.WEBHOOK:
            return WebhookEar(self.system, shape.mapping, self.inbox, self.clock.now_ms)
        return await super().ear(shape, channel)


BENCH = HubspotBench


def _all_news() -> list[str]:
    words = ["creation", "deletion", "merge", "restore"]
    told = [f"{one}.{word}" for one in ("contact", "deal") for word in words]
    told += ["contact.privacyDeletion", "contact.propertyChange:firstname", "contact.propertyChange:credit_limit"]
    told += ["deal.propertyChange:amount", "deal.propertyChange:dealstage"]
    told += [f"object.{word}@0-123" for word in words]
    return [*told, "object.propertyChange:hs_external_order_status@0-123"]
