from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from syncd.runtime.clock import ManualClock
from syncd.sandbox.bigcommerce import BigcommerceSandbox
from syncd.sandbox.server import Sandbox

JSON = {"Accept": "application/json"}


class Shop:
    """A client of the simulated store that speaks plain HTTP."""

    def __init__(self, sandbox: Sandbox, account: BigcommerceSandbox, clock: ManualClock) -> None:
        self.sandbox = sandbox
        self.account = account
        self.store = account.store
        self.clock = clock
        base = sandbox.url("bigcommerce")
        self.http = httpx.AsyncClient(base_url=f"{base}/stores/abc123", headers=JSON, timeout=10)
        self.b2b = httpx.AsyncClient(base_url=f"{base}/api/v3/io", headers=JSON, timeout=10)
        self.sign_in("shop-token")

    def sign_in(self, token: str) -> None:
        self.http.headers["X-Auth-Token"] = token
        self.b2b.headers.update({"X-Auth-Token": token, "X-Store-Hash": "abc123"})

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        reply = await self.http.get(path, params={name.replace("__", ":"): value for name, value in params.items()})
        assert reply.status_code == status, reply.text
        return reply.json() if reply.content else None

    async def send(self, method: str, path: str, body: Any = None, status: int = 200, **params: Any) -> Any:
        named = {name.replace("__", ":"): value for name, value in params.items()}
        reply = await self.http.request(method, path, json=body, params=named)
        assert reply.status_code == status, reply.text
        return reply.json() if reply.content else None

    async def io(self, method: str, path: str, body: Any = None, status: int = 200, **params: Any) -> Any:
        reply = await self.b2b.request(method, path, json=body, params=params)
        assert reply.status_code == status, reply.text
        return reply.json() if reply.content else None

    async def act(self, **deed: Any) -> Any:
        return await self.account.act(deed)

    async def customer(self, email: str = "ada@example.com", **more: Any) -> dict[str, Any]:
        body = [{"email": email, "first_name": "Ada", "last_name": "Byron", **more}]
        found: dict[str, Any] = (await self.send("POST", "/v3/customers", body))["data"][0]
        return found

    def effects(self) -> list[tuple[str, str]]:
        return [(one.effect, one.object) for one in self.sandbox.ledger.after(0)]


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = ManualClock()
    sandbox = Sandbox(seed=7, clock=clock)
    account = sandbox.add(BigcommerceSandbox)
    async with sandbox:
        shop = Shop(sandbox, account, clock)
        async with shop.http, shop.b2b:
            yield shop
