from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from syncd.runtime.clock import ManualClock
from syncd.sandbox.commercetools import CommercetoolsSandbox
from syncd.sandbox.server import Sandbox


class Shop:
    """A client of the simulated project that speaks plain HTTP."""

    def __init__(self, sandbox: Sandbox, account: CommercetoolsSandbox, clock: ManualClock) -> None:
        self.sandbox = sandbox
        self.account = account
        self.clock = clock
        self.base = sandbox.url("commercetools")
        self.http = httpx.AsyncClient(base_url=f"{self.base}/demo-shop", timeout=10)

    async def sign_in(self, client: str = "shop-frontend", secret: str = "shop-secret") -> str:
        reply = await self.token(client, secret)
        token: str = reply.json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return token

    async def token(self, client: str, secret: str, **form: str) -> httpx.Response:
        data = {"grant_type": "client_credentials", **form}
        return await self.http.post(f"{self.base}/oauth/token", data=data, auth=(client, secret))

    async def post(self, path: str, body: Any, status: int | None = None, **more: Any) -> Any:
        reply = await self.http.post(path, json=body, **more)
        if status is not None:
            assert reply.status_code == status, reply.text
        return reply.json()

    async def get(self, path: str, **params: Any) -> Any:
        reply = await self.http.get(path, params=params)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def update(self, path: str, row: dict[str, Any], *actions: dict[str, Any], status: int = 200) -> Any:
        return await self.post(f"{path}/{row['id']}", {"version": row["version"], "actions": list(actions)}, status)

    async def customer(self, email: str = "ada@example.com", **more: Any) -> dict[str, Any]:
        body = {"email": email, "authenticationMode": "ExternalAuth", **more}
        row: dict[str, Any] = (await self.post("/customers", body, 201))["customer"]
        return row

    async def product(self, sku: str = "TEA", cents: int = 450, currency: str = "GBP") -> dict[str, Any]:
        if not self.account.counts()["product-types"]:
            await self.post("/product-types", {"key": "plain", "name": "Plain", "description": "Plain"}, 201)
        prices = [{"value": {"currencyCode": currency, "centAmount": cents}}]
        body = {
            "productType": {"typeId": "product-type", "key": "plain"},
            "name": {"en": sku.title()},
            "slug": {"en": sku.lower()},
            "masterVariant": {"sku": sku, "prices": prices},
            "publish": True,
        }
        row: dict[str, Any] = await self.post("/products", body, 201)
        return row


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = ManualClock()
    sandbox = Sandbox(seed=7, clock=clock)
    account = sandbox.add(CommercetoolsSandbox)
    async with sandbox:
        shop = Shop(sandbox, account, clock)
        async with shop.http:
            await shop.sign_in()
            yield shop
