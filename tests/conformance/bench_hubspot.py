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
from syncd.sandbox.hubspot.simulator import OAUTH_APP
from syncd.sandbox.server import Sandbox
from syncd.systems.contract import Severity, System
from syncd.systems.hubspot.associations import VENDORS_OWN
from syncd.systems.hubspot.journal_pages import SCOPES
from syncd.systems.hubspot.settings import AppGrant, OAuthGrant, Settings
from syncd.systems.hubspot.system import HubSpot
from syncd.systems.hubspot.values import wire
from tests.conformance.bench import Bench, FreePayer
from tests.conformance.ears import Ear, Inbox, WebhookEar
from tests.conformance.subject import Shape, Subject

KEY = "syncd_external_id"
OWN_TYPE = "2-45000001"
MACHINE = {
    "name": "machine",
    "labels": {"singular": "Machine", "plural": "Machines"},
    "primaryDisplayProperty": "serial",
    "requiredProperties": ["serial"],
    "associatedObjects": ["CONTACT"],
    "properties": [
        {"name": "serial", "label": "Serial", "type": "string", "fieldType": "text"},
        {"name": "hours", "label": "Hours", "type": "number", "fieldType": "number"},
    ],
}
"""An object type that the account's administrator defined."""
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
relations.customer.direction = "both"
[[mappings]]
connection = "crm"
object = "companies"
enabled = true
[[mappings]]
connection = "crm"
object = "products"
enabled = true
[[mappings]]
connection = "crm"
object = "tickets"
enabled = true
[[mappings]]
connection = "crm"
object = "quotes"
enabled = true
[entities.machine]
identity = ["serial"]
title = ["serial"]
[entities.machine.fields]
serial = "text"
hours = "integer"
note = "text"
customer = { type = "reference", entity = "customer" }
[[mappings]]
connection = "crm"
object = "2-45000001"
entity = "machine"
key_path = "syncd_external_id"
write = ["create", "update", "delete"]
capture = { webhook = true, poll = "5m" }
fields = { serial = "serial", hours = "hours", note = "note" }
relations.customer = { object = "contacts", type_id = 1, category = "USER_DEFINED", direction = "both" }
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
        bad={"hs_total_price": "much"},
    ),
    Subject(
        "companies",
        lambda n: {
            "name": f"Engines {n}", "company_number": f"C-{n}", "domain": f"c{n}.example", "phone": f"+4922{n:06}",
            "credit_limit": euros("420.00"), "price_tier": "gold",
        },
        change={"name": "Looms", "price_tier": "silver"}, clear="phone", bad={"credit_limit": "much"}, restores=True,
    ),
    Subject(
        "products",
        lambda n: {"sku": f"A-{n}", "name": "Lamp", "description": "warm", "price": euros("9.99")},
        change={"name": "Lantern", "price": euros("8.50")}, clear="description", bad={"price": "much"}, restores=True,
    ),
    Subject(
        "tickets",
        lambda n: {"subject": f"It broke ({n})", "description": "in two", "status": "new", "priority": "low"},
        change={"status": "closed", "priority": "urgent"}, clear="description", bad={"hs_ticket_priority": "NEVER"},
        parents={"customer": "contacts"}, restores=True,
    ),
    Subject("quotes", lambda n: {"state": "DRAFT"}, change={"state": "APPROVED"}, parents={"customer": "contacts"},
            restores=True),
    Subject(
        OWN_TYPE,
        lambda n: {"serial": f"M-{n}", "hours": n, "note": "new"},
        change={"hours": 1_000_000}, clear="note", bad={"hours": "many"}, parents={"customer": "contacts"},
        restores=True,
    ),
)  # fmt: skip


class HubspotBench(Bench):
    title = "HubSpot"
    configuration = CONFIGURATION
    subjects = SUBJECTS
    oauth: ClassVar[bool] = True
    """Signed in as an OAuth app, whose tokens lapse; otherwise with a fixed token."""
    version: ClassVar[str] = "2026-03"
    """Of the vendor's API; see :class:`OlderBench`."""

    @classmethod
    def blank(cls) -> System:
        return HubSpot(cls._settings(), FreePayer(), World(ManualClock()))

    @classmethod
    def _settings(cls, **more: Any) -> Settings:
        given = {
            "access_token": Secret("pat"),
            "webhook_secrets": (Secret(SECRET),),
            "public_url": "https://x.example/",
            "journal": AppGrant(OAUTH_APP.client_id, Secret(OAUTH_APP.client_secret), SCOPES),
        }
        return Settings(**({"connection": "crm", "api_version": cls.version} | given | more))

    async def open(self) -> None:
        self.clock = ManualClock()
        self.sandbox = Sandbox(seed=7, clock=self.clock)
        self.vendor = self.sandbox.add(HubspotSandbox, search_delay=(0.0, 0.0))
        await self.sandbox.open()
        self.vendor.journal.settings.publish_seconds = 0.0
        self.vendor.people.act({"op": "define", "definition": MACHINE})
        self.inbox = await Inbox().open()
        app = OAUTH_APP.client_id, Secret(OAUTH_APP.client_secret), Secret(self.vendor.refresh_token)
        token, grant = (None, OAuthGrant(*app)) if self.oauth else (Secret(self.vendor.token), None)
        settings = self._settings(
            access_token=token, oauth=grant, base_url=self.sandbox.url("hubspot"), public_url=self.inbox.url
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
        if shape.name == "quotes":
            id_ = str(self._act("create", shape, values={"hs_title": "An offer", "hs_status": fields["state"]}))
            ties = [(link.object, link.external_id, 69, "HUBSPOT_DEFINED") for link in links.values()]
        else:
            write = shape.create(self.number(), fields, links)
            id_ = str(self._act("create", shape, values=wire(write.values)))
            ties = [(one.object, one.external_id, one.type_id, one.category or VENDORS_OWN) for one in write.relations]
        for object_, to, type_id, category in ties:
            self._act("associate", shape, id=id_, to_object=object_, to=to, type_id=type_id, category=category)
        return id_

    async def edit(self, shape: Shape, external_id: str, fields: Fields) -> None:
        values = {"hs_status": fields["state"]} if shape.name == "quotes" else wire(shape.raw(fields))
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

    def expire_token(self) -> None:
        self.vendor.tokens.expire_all()

    def living(self, shape: Shape, key: str) -> int:
        rows = self.vendor.objects()[self.vendor.account.kinds.of(shape.name).name]
        return sum(1 for one in rows if not one["archived"] and one["properties"].get(KEY) == key)

    async def ear(self, shape: Shape, channel: Channel) -> Ear:
        if channel is Channel.WEBHOOK:
            return WebhookEar(self.system, shape.mapping, self.inbox, self.clock.now_ms)
        return await super().ear(shape, channel)


class OlderBench(HubspotBench):
    """v3, and v4 for associations: supported until 2027."""

    title = "HubSpot, v3"
    oauth = tokens_expire = False
    version = "v3"


BENCH = HubspotBench


def _all_news() -> list[str]:
    words = ["creation", "deletion", "merge", "restore"]
    told = [f"{one}.{word}" for one in ("contact", "deal") for word in words]
    told += ["contact.privacyDeletion", "contact.propertyChange:firstname", "contact.propertyChange:credit_limit"]
    told += ["deal.propertyChange:amount", "deal.propertyChange:dealstage"]
    changes = {
        "0-123": "hs_external_order_status", "0-2": "price_tier", "0-7": "price", "0-5": "hs_pipeline_stage",
        "0-14": "hs_status", OWN_TYPE: "hours",
    }  # fmt: skip
    for type_id, name in changes.items():
        told += [f"object.{word}@{type_id}" for word in words]
        told.append(f"object.propertyChange:{name}@{type_id}")
    return told
