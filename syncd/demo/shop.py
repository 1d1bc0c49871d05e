"""The simulated shop: its own API client at commercetools, an outbox of events for syncd, and a log of what it did.

The shop never waits on syncd: events leave through the outbox, in order, and are repeated until acknowledged.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from syncd.demo.script import PRICES, SKUS, Fate, Plant, Shopper, Timing
from syncd.intake.signature import sign
from syncd.model.value import instant_to_ms

PROJECT = "demo-shop"
_TRIES = 60
_JSON = {"content-type": "application/json"}


@dataclass
class Outbox:
    """Events for syncd, signed, in order, until each is acknowledged."""

    url: str
    secret: bytes
    acknowledged: int = 0
    refused: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """How long each acknowledgement took: what the shop would notice."""
    _serial: int = 0
    _on_their_way: int = 0
    _queue: asyncio.Queue[tuple[str, bytes]] = field(default_factory=asyncio.Queue)

    def post(self, kind: str, subject: str, data: Any) -> None:
        self._serial += 1
        number = f"evt-{self._serial:07d}"
        event = {
            "specversion": "1.0", "id": number, "source": "/demo-shop", "type": kind, "subject": subject,
            "datacontenttype": "application/json", "data": data,
        }  # fmt: skip
        self._queue.put_nowait((number, orjson.dumps(event)))

    @property
    def waiting(self) -> int:
        return self._queue.qsize() + self._on_their_way

    async def run(self, workers: int = 4) -> None:
        limits = httpx.Limits(max_connections=workers)
        async with httpx.AsyncClient(timeout=5.0, limits=limits) as client, asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(client))

    async def _work(self, client: httpx.AsyncClient) -> None:
        while True:
            number, body = await self._queue.get()
            self._on_their_way += 1
            for pause in itertools.repeat(0.1):
                if await self._send(client, number, body):
                    break
                await asyncio.sleep(pause)
            self._on_their_way -= 1

    async def _send(self, client: httpx.AsyncClient, number: str, body: bytes) -> bool:
        """Whether the event needs no further try."""
        moment = int(time.time())
        headers = {
            "content-type": "application/cloudevents+json", "webhook-id": number, "webhook-timestamp": str(moment),
            "webhook-signature": sign(number, moment, body, self.secret),
        }  # fmt: skip
        started = time.perf_counter()
        try:
            reply = await client.post(self.url, content=body, headers=headers)
        except httpx.HTTPError:
            return False
        if reply.status_code >= 500 or reply.status_code == 429:
            return False
        self.seconds.append(time.perf_counter() - started)
        if reply.is_success:
            self.acknowledged += 1
        else:
            self.refused.append(f"{reply.status_code} {reply.text[:200]}")
        return True


class ShopApi:
    """The shop's own calls to commercetools; patient with a vendor that fails, and never doing a thing twice."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=10.0, limits=httpx.Limits(max_connections=32))
        self._token = ""

    async def close(self) -> None:
        await self._client.aclose()

    async def _sign_in(self) -> None:
        basic = base64.b64encode(b"shop-frontend:shop-secret").decode()
        reply = await self._client.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, headers={"authorization": f"Basic {basic}"}
        )
        if reply.is_success:
            self._token = reply.json()["access_token"]

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON; retried until the vendor gives a definite answer."""
        for attempt in range(_TRIES):
            try:
                if not self._token:
                    await self._sign_in()
                reply = await self._client.request(
                    method, f"/{PROJECT}{path}", content=None if body is None else orjson.dumps(body),
                    headers={**_JSON, "authorization": f"Bearer {self._token}"},
                )  # fmt: skip
                if reply.status_code == 401:
                    self._token = ""
                elif reply.status_code < 500:
                    return reply.status_code, orjson.loads(reply.content)
                elif method == "POST":
                    # It may have been applied: the caller looks.
                    return reply.status_code, None
            except (httpx.HTTPError, orjson.JSONDecodeError, KeyError):
                if method == "POST" and self._token:
                    return 0, None
            await asyncio.sleep(min(1.0, 0.02 * 2**attempt))
        raise RuntimeError(f"the simulated shop gave up on {method} {path}")

    async def create(self, path: str, address: str, draft: Any) -> Any:
        """Create once: by key or number, looked up after every doubtful answer."""
        for _ in range(_TRIES):
            status, body = await self.call("POST", path, draft)
            if status in (200, 201):
                return body.get("customer", body)
            status, body = await self.call("GET", address)
            if status == 200:
                return body
            await asyncio.sleep(0.02)
        raise RuntimeError(f"the simulated shop could not create {address}")

    async def update(self, path: str, actions: Callable[[Any], list[Any]]) -> Any:
        """Bring a resource to where ``actions`` finds nothing more to do."""
        for _ in range(_TRIES):
            _status, here = await self.call("GET", path)
            wanted = actions(here)
            if not wanted:
                return here
            status, body = await self.call("POST", path, {"version": here["version"], "actions": wanted})
            if status == 200:
                return body
            await asyncio.sleep(0.02)
        raise RuntimeError(f"the simulated shop could not update {path}")


@dataclass
class Shop:
    """Shoppers at work."""

    api: ShopApi
    outbox: Outbox
    timing: Timing
    done: int = 0
    carts: dict[str, Shopper] = field(default_factory=dict)
    """Cart id to shopper."""
    customers: dict[int, str] = field(default_factory=dict)
    """Shopper number to customer id."""
    filled_at: dict[str, int] = field(default_factory=dict)
    """Cart id to the shop's time of the last touch before the shopper left; milliseconds."""

    async def stock(self) -> None:
        """Products to sell, groups to sell to."""
        await self.api.create(
            "/product-types", "/product-types/key=mug", {"key": "mug", "name": "Mug", "description": ""}
        )
        for group in ("bronze", "silver", "gold"):
            await self.api.create(
                "/customer-groups", f"/customer-groups/key={group}", {"groupName": group, "key": group}
            )
        for sku, cents in zip(SKUS, PRICES, strict=True):
            price = {"value": {"currencyCode": "EUR", "centAmount": cents}}
            draft = {
                "key": sku, "productType": {"typeId": "product-type", "key": "mug"}, "publish": True,
                "name": {"en": f"Mug no. {sku[-2:]}"}, "slug": {"en": sku.lower()},
                "masterVariant": {"sku": sku, "prices": [price]},
            }  # fmt: skip
            await self.api.create("/products", f"/products/key={sku}", draft)

    async def serve(self, shopper: Shopper) -> None:
        """One shopper's visit, from registration to the fate of the cart."""
        await asyncio.sleep(shopper.at)
        customer = None if shopper.guest else await self._register(shopper)
        cart = await self._fill(shopper, customer)
        await self._meet_fate(shopper, cart)
        if customer is not None and shopper.renames:
            await self._rename(shopper, customer["id"])
        self.done += 1

    async def _register(self, shopper: Shopper) -> Any:
        draft: dict[str, Any] = {
            "key": f"shopper-{shopper.number}", "email": shopper.email, "firstName": shopper.first_name,
            "lastName": shopper.last_name, "authenticationMode": "ExternalAuth",
            "customerNumber": f"C-{shopper.number:06d}",
        }  # fmt: skip
        if shopper.company:
            draft["companyName"] = shopper.company
        if shopper.plant is Plant.MISSING_PROPERTY:
            draft["custom"] = {
                "type": {"typeId": "type", "key": "syncd-customer"},
                "fields": {"loyaltyTier": "platinum"},
            }
        customer = await self.api.create("/customers", f"/customers/key={draft['key']}", draft)
        self.customers[shopper.number] = customer["id"]
        self._tell(shopper, "shop.customer.changed", customer)
        return customer

    async def _fill(self, shopper: Shopper, customer: Any) -> Any:
        draft: dict[str, Any] = {"key": f"cart-{shopper.number}", "currency": "EUR", "country": "DE"}
        if customer is None:
            draft |= {"anonymousId": f"guest-{shopper.number}", "customerEmail": shopper.email}
        else:
            draft["customerId"] = customer["id"]
        cart = await self.api.create("/carts", f"/carts/key={draft['key']}", draft)
        self.carts[cart["id"]] = shopper
        for sku, quantity in shopper.lines:
            await asyncio.sleep(self.timing.browse)
            cart = await self._add(cart["id"], sku, quantity)
            self._tell(shopper, "shop.cart.changed", cart)
        self.filled_at[cart["id"]] = instant_to_ms(cart["lastModifiedAt"])
        return cart

    async def mend(self, shopper: Shopper) -> None:
        """The shop's own staff corrects what was wrong at the source: a frozen cart thaws, a mistyped address is
        put right. What an operator has mended already is left alone."""
        if shopper.plant is Plant.FORBIDDEN_STAGE:
            cart_id = next(cart for cart, who in self.carts.items() if who.number == shopper.number)
            cart = await self.api.update(
                f"/carts/{cart_id}", lambda cart: [{"action": "unfreezeCart"}] if cart["cartState"] == "Frozen" else []
            )
            self._tell(shopper, "shop.cart.changed", cart)
        elif shopper.plant is Plant.INVALID_EMAIL:
            right = shopper.email.replace("..", ".")
            customer = await self.api.update(
                f"/customers/{self.customers[shopper.number]}",
                lambda one: [] if one["email"] == right else [{"action": "changeEmail", "email": right}],
            )
            self._tell(shopper, "shop.customer.changed", customer)

    async def _add(self, cart_id: str, sku: str, quantity: int) -> Any:
        def missing(cart: Any) -> list[Any]:
            there = any(line["variant"].get("sku") == sku for line in cart["lineItems"])
            return [] if there else [{"action": "addLineItem", "sku": sku, "quantity": quantity}]

        return await self.api.update(f"/carts/{cart_id}", missing)

    async def _meet_fate(self, shopper: Shopper, cart: Any) -> None:
        if shopper.fate is Fate.ORDERED:
            await asyncio.sleep(self.timing.browse)
            await self._order(shopper, cart["id"])
            return
        if shopper.fate is Fate.ABANDONED and shopper.plant is not Plant.FORBIDDEN_STAGE:
            return
        await asyncio.sleep(self.timing.return_after)
        if shopper.plant is Plant.FORBIDDEN_STAGE:
            cart = await self._freeze(cart["id"])
        elif shopper.fate is Fate.TOUCHED:
            cart = await self._add(cart["id"], *shopper.more)
        elif shopper.fate is Fate.EMPTIED:
            cart = await self._empty(cart["id"])
        else:
            await self._order(shopper, cart["id"])
            return
        self._tell(shopper, "shop.cart.changed", cart)

    async def _order(self, shopper: Shopper, cart_id: str) -> None:
        number = f"O-{shopper.number:06d}"
        for _ in range(_TRIES):
            _status, cart = await self.api.call("GET", f"/carts/{cart_id}")
            if cart["cartState"] == "Ordered":
                break
            draft = {"cart": {"typeId": "cart", "id": cart_id}, "version": cart["version"], "orderNumber": number}
            await self.api.call("POST", "/orders", draft)
        _status, order = await self.api.call("GET", f"/orders/order-number={number}")
        _status, cart = await self.api.call("GET", f"/carts/{cart_id}")
        self._tell(shopper, "shop.order.placed", order)
        self._tell(shopper, "shop.cart.changed", cart)

    async def _empty(self, cart_id: str) -> Any:
        def all_lines(cart: Any) -> list[Any]:
            return [{"action": "removeLineItem", "lineItemId": line["id"]} for line in cart["lineItems"]]

        return await self.api.update(f"/carts/{cart_id}", all_lines)

    async def _freeze(self, cart_id: str) -> Any:
        def unless_frozen(cart: Any) -> list[Any]:
            return [] if cart["cartState"] == "Frozen" else [{"action": "freezeCart"}]

        return await self.api.update(f"/carts/{cart_id}", unless_frozen)

    async def _rename(self, shopper: Shopper, customer_id: str) -> None:
        wanted = f"{shopper.last_name} & Partners"

        def unless_named(customer: Any) -> list[Any]:
            same = customer.get("companyName") == wanted
            return [] if same else [{"action": "setCompanyName", "companyName": wanted}]

        customer = await self.api.update(f"/customers/{customer_id}", unless_named)
        self._tell(shopper, "shop.customer.changed", customer)

    def _tell(self, shopper: Shopper, kind: str, resource: Any) -> None:
        if shopper.posts:
            self.outbox.post(kind, resource["id"], resource)
