from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from syncd.runtime.clock import ManualClock
from syncd.sandbox.hubspot import HubspotSandbox
from syncd.sandbox.hubspot.kinds import KINDS
from syncd.sandbox.server import Sandbox

KEY = "syncd_external_id"


class Portal:
    """A simulated account on a port, with a plain client that is signed in."""

    def __init__(self, box: Sandbox, vendor: HubspotSandbox, clock: ManualClock) -> None:
        self.box, self.vendor, self.clock = box, vendor, clock
        headers = {"authorization": f"Bearer {vendor.token}"}
        self.http = httpx.AsyncClient(base_url=box.url("hubspot"), headers=headers, trust_env=False)
        self.admin = httpx.AsyncClient(base_url=box.admin_url, trust_env=False)

    @property
    def url(self) -> str:
        return self.box.url("hubspot")

    async def create(self, kind: str, **properties: Any) -> str:
        reply = await self.http.post(f"/crm/v3/objects/{kind}", json={"properties": properties, "associations": []})
        assert reply.status_code == 201, reply.text
        return reply.json()["id"]

    async def get(self, kind: str, id_: str, *names: str) -> dict[str, Any]:
        reply = await self.http.get(f"/crm/v3/objects/{kind}/{id_}", params={"properties": ",".join(names)})
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def upsert(self, kind: str, *inputs: dict[str, Any], id_property: str = KEY) -> httpx.Response:
        body = {"inputs": [{"idProperty": id_property, **one} for one in inputs]}
        return await self.http.post(f"/crm/objects/2026-03/{kind}/batch/upsert", json=body)

    async def search(self, kind: str, *filters: dict[str, Any], **more: Any) -> httpx.Response:
        body = {"filterGroups": [{"filters": list(filters)}] if filters else [], **more}
        return await self.http.post(f"/crm/objects/2026-03/{kind}/search", json=body)

    async def act(self, **deed: Any) -> Any:
        reply = await self.admin.post("/_sandbox/hubspot/act", json=deed)
        assert reply.status_code == 200, reply.text
        return reply.json()["result"]

    def effects(self, *what: str) -> list[tuple[str, str, str]]:
        return [(one.effect, one.object, one.key) for one in self.box.ledger.after(0) if not what or one.effect in what]

    async def close(self) -> None:
        await self.http.aclose()
        await self.admin.aclose()


def unique_key(vendor: HubspotSandbox) -> None:
    for kind in KINDS:
        group = vendor.account.properties.groups(kind)[0]["name"]
        vendor.account.properties.create(
            kind,
            {"name": KEY, "label": KEY, "groupName": group, "type": "string", "fieldType": "text",
             "hasUniqueValue": True},
        )  # fmt: skip


@pytest.fixture
def options() -> dict[str, Any]:
    """Constructor options of the simulated vendor; overridden where a test wants others."""
    return {"search_delay": (0.0, 0.0)}


@pytest.fixture
async def portal(options: dict[str, Any]) -> AsyncIterator[Portal]:
    clock = ManualClock()
    box = Sandbox(seed=7, clock=clock)
    vendor = box.add(HubspotSandbox, **options)
    unique_key(vendor)
    async with box:
        portal = Portal(box, vendor, clock)
        yield portal
        await portal.close()
