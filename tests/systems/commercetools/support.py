"""What the tests of the connector share: a budget that always pays, settings, mappings, and a scripted vendor."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx
import orjson

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.lens import CentMoney, LineItems, Plain, ReferenceId, ReferenceKey
from syncd.model.mapping import Capture, Direction, FieldMapping, ObjectMapping
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.systems.commercetools.client import Client
from syncd.systems.commercetools.settings import CommercetoolsSettings
from syncd.systems.commercetools.system import CommercetoolsSystem
from syncd.systems.contract import Call, OutOfBudgetError

API, AUTH = "https://api.shop.test", "https://auth.shop.test"
TOKEN = {"access_token": "t-1", "token_type": "Bearer", "expires_in": 172_800, "scope": "manage_project:acme"}


class FreePayer:
    """Pays for everything, and remembers. ``broke`` names call kinds that it cannot pay for."""

    def __init__(self) -> None:
        self.paid: list[tuple[Call, Lane]] = []
        self.observed: list[tuple[Call, int, Mapping[str, str], float]] = []
        self.broke: set[str] = set()
        self.inside = 0
        self.most_inside = 0

    @asynccontextmanager
    async def pay(self, call: Call, lane: Lane) -> AsyncIterator[None]:
        if call.kind in self.broke:
            raise OutOfBudgetError(call.kind, 7.0)
        self.paid.append((call, lane))
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            yield
        finally:
            self.inside -= 1

    def observe(self, call: Call, status: int, headers: Mapping[str, str], seconds: float) -> None:
        self.observed.append((call, status, headers, seconds))


def settings(**changes: Any) -> CommercetoolsSettings:
    given: dict[str, Any] = {
        "project_key": "acme",
        "api_url": API,
        "auth_url": AUTH,
        "client_id": Secret("client"),
        "client_secret": Secret("hush-hush"),
        "reads": "rest",
    }
    return CommercetoolsSettings(**{**given, **changes})


def world() -> World:
    return World(ManualClock(), random.Random(1))


CUSTOMERS = ObjectMapping(
    entity="customer",
    connection="shop",
    object="customers",
    fields=(
        FieldMapping("email", ("email",), Plain()),
        FieldMapping("first_name", ("firstName",), Plain()),
        FieldMapping("last_name", ("lastName",), Plain()),
        FieldMapping("company", ("companyName",), Plain()),
        FieldMapping("customer_number", ("customerNumber",), Plain(), Direction.READ),
        FieldMapping("phone", ("custom.fields.phone",), Plain()),
        FieldMapping("credit_limit", ("custom.fields.creditLimit",), CentMoney()),
        FieldMapping("price_tier", ("customerGroup",), ReferenceKey("customer-group")),
    ),
    key_path="key",
    write=frozenset({Action.CREATE, Action.UPDATE}),
    capture=Capture(poll_seconds=5, overlap_seconds=10),
)
CARTS = ObjectMapping(
    entity="cart",
    connection="shop",
    object="carts",
    fields=(
        FieldMapping("state", ("cartState",), Plain()),
        FieldMapping("email", ("customerEmail",), Plain()),
        FieldMapping("customer", ("customerId",), ReferenceId("customer"), references="customers"),
        FieldMapping("total", ("totalPrice",), CentMoney()),
        FieldMapping("items", ("lineItems",), LineItems()),
    ),
    capture=Capture(poll_seconds=5, overlap_seconds=10),
)

Handler = Callable[[httpx.Request], httpx.Response]


class ScriptedVendor:
    """Answers the token endpoint by itself and everything else by the handler; remembers the requests."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[httpx.Request] = []
        self.tokens = 0
        self.token_reply: Callable[[int], httpx.Response] = lambda count: httpx.Response(
            200, json={**TOKEN, "access_token": f"t-{count}"}
        )

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # as a network does: let others run meanwhile
        if request.url.path == "/oauth/token":
            self.tokens += 1
            return self.token_reply(self.tokens)
        if request.url.path == "/acme":
            return httpx.Response(200, json={"key": "acme", "messages": {"enabled": False}})
        self.requests.append(request)
        return self.handler(request)


def client_on(vendor: ScriptedVendor, payer: FreePayer | None = None, **changes: Any) -> Client:
    made = Client("shop", settings(**changes), payer or FreePayer(), world(), vendor.transport())
    made.open()
    return made


def system_on(vendor: ScriptedVendor, payer: FreePayer | None = None, **changes: Any) -> CommercetoolsSystem:
    return CommercetoolsSystem("shop", settings(**changes), payer or FreePayer(), world(), vendor.transport())


def customer(identity: str = "c-1", version: int = 1, **members: Any) -> dict[str, Any]:
    at = "2026-11-02T08:00:00.123Z"
    return {"id": identity, "version": version, "createdAt": at, "lastModifiedAt": at, "email": "ada@x.org"} | members


def page(*rows: Mapping[str, Any], limit: int = 500) -> httpx.Response:
    return httpx.Response(200, json={"limit": limit, "offset": 0, "count": len(rows), "results": list(rows)})


def error(status: int, code: str, message: str = "no", **members: Any) -> httpx.Response:
    listed = {"code": code, "message": message, **members}
    return httpx.Response(status, json={"statusCode": status, "message": message, "errors": [listed]})


def body(request: httpx.Request) -> Any:
    return orjson.loads(request.content)


def params(request: httpx.Request) -> list[tuple[str, str]]:
    return parse_qsl(request.url.query.decode(), keep_blank_values=True)
