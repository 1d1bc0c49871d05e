"""A town to run syncd in: the simulated vendors in this process, the daemon in one of its own, a shop, a sales person."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncd.cli import main as syncd
from syncd.demo.operator import Desk
from syncd.demo.shop import Outbox, ShopApi
from syncd.demo.stage import free_port
from syncd.intake.signature import symmetric_key
from syncd.sandbox.commercetools.account import CommercetoolsSandbox
from syncd.sandbox.hubspot.simulator import HubspotSandbox
from syncd.sandbox.hubspot.tokens import DEFAULT_TOKEN
from syncd.sandbox.server import Sandbox
from tests.waiting import until

SIGNING_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
WEBHOOK_SECRET = "an-app-client-secret"
SECRETS = {
    "shop.client_secret": "syncd-secret", "crm.access_token": DEFAULT_TOKEN, "crm.client_secret": WEBHOOK_SECRET,
    "storefront.signing_secret": SIGNING_SECRET,
}  # fmt: skip
CONTACT_NEWS = ("email", "firstname", "lastname", "phone", "company", "credit_limit", "price_tier")
SUBSCRIPTIONS = [
    "contact.creation", "contact.deletion", "contact.merge", "contact.privacyDeletion", "deal.deletion", "deal.merge",
    *(f"contact.propertyChange:{name}" for name in CONTACT_NEWS), "deal.propertyChange:description",
]  # fmt: skip

CONFIG = """
[connections.shop]
system = "commercetools"
project = "demo-shop"
api_url = "{shop}"
auth_url = "{shop}"
client_id = "syncd"
[connections.crm]
system = "hubspot"
base_url = "{crm}"
company_currency = "EUR"
webhook_url = "http://127.0.0.1:{intake}/v1/webhooks/crm"
[carts]
idle = "{idle}"
[retry]
base = "200ms"
cap = "1s"
attempts = 40
[intake]
port = {intake}
[intake.sources.storefront]
connection = "shop"
[ops]
port = {ops}
[control]
socket = "{folder}/control.sock"
[state]
dir = "{folder}/state"
[log]
format = "json"
[credentials]
order = ["file"]
[credentials.files]
{files}
{mappings}
"""
MAPPING = """
[[mappings]]
connection = "{connection}"
object = "{object}"
capture = {{ poll = "{poll}", overlap = "2s", hydrate = {hydrate}{webhook} }}
"""
OBJECTS = {"shop": ("customers", "carts", "orders"), "crm": ("contacts", "deals")}


@dataclass
class Syncd:
    """``syncd start`` as a process."""

    folder: Path
    config: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    runs: int = 0

    @property
    def log(self) -> Path:
        return self.folder / "syncd.log"

    @property
    def code(self) -> int | None:
        return None if self.process is None else self.process.returncode

    async def launch(self) -> None:
        """Begin, without waiting for anything."""
        self.runs += 1
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "syncd.cli", "start", "--config", str(self.config), stdout=log, stderr=log,
                env=clean_environment() | self.environment,
            )  # fmt: skip

    async def start(self) -> None:
        """Return when it answers on its control socket."""
        await self.launch()
        desk = Desk(self.folder / "control.sock")

        async def answers() -> bool:
            if self.code is not None:
                raise AssertionError(f"syncd ended with {self.code}: {self.words()[-2000:]}")
            status = await desk.status()
            return status is not None and status.state == "running"

        try:
            await until(answers, "syncd's readiness", seconds=30)
        finally:
            await desk.close()

    async def tell(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self, seconds: float = 15.0) -> int:
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), seconds)

    async def stop(self) -> int:
        if self.process is None:
            return 0
        if self.code is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        assert self.process is not None
        if self.code is None:
            self.process.kill()
        await self.process.wait()

    def words(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in self.words().splitlines() if line.startswith("{"))
        return [one for one in lines if one.get("event") == name]


def clean_environment() -> dict[str, str]:
    mine = ("SYNCD_", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_")
    return {name: value for name, value in os.environ.items() if not name.startswith(mine)}


class Town:
    """Everything of one scenario. :meth:`open` it, :meth:`close` it."""

    def __init__(self, *, idle: str = "1s", poll: str = "300ms", crm_poll: str = "2s", hydrate: bool = False,
                 seed: int = 5) -> None:  # fmt: skip
        # Paths of sockets are limited to about a hundred bytes, which pytest's folders may exceed.
        self.folder = Path(tempfile.mkdtemp(prefix="syncd-town-"))
        self.sandbox = Sandbox(seed=seed)
        self.shop = self.sandbox.add(CommercetoolsSandbox)
        self.crm = self.sandbox.add(HubspotSandbox)
        self.syncd = Syncd(self.folder, self.folder / "syncd.toml")
        self.desk = Desk(self.folder / "control.sock")
        self.intake, self.ops = free_port(), free_port()
        self._options = {"idle": idle, "poll": poll, "crm_poll": crm_poll, "hydrate": str(hydrate).lower()}
        self._posting: asyncio.Task[None] | None = None
        self._serial = 0

    async def open(self, *, daemon: bool = True, webhooks: bool = True) -> Town:
        """The vendors up, the account provisioned, the daemon ready."""
        await self.sandbox.open()
        self._configure()
        self.api = ShopApi(self.sandbox.url("commercetools"))
        self.outbox = Outbox(f"http://127.0.0.1:{self.intake}/v1/events", symmetric_key(SIGNING_SECRET))
        await self._stock()
        code = await asyncio.to_thread(syncd, ["provision", "--apply", "--config", str(self.syncd.config)])
        assert code == 0
        if webhooks:
            await self.webhooks()
        if daemon:
            await self.syncd.start()
        self._posting = asyncio.create_task(self.outbox.run(workers=2))
        return self

    async def close(self) -> None:
        try:
            await self.close_processes()
        finally:
            shutil.rmtree(self.folder)

    async def close_processes(self) -> None:
        """All but the folder."""
        if self._posting is not None:
            self._posting.cancel()
            await asyncio.gather(self._posting, return_exceptions=True)
        try:
            if self.syncd.process is not None:
                await self.syncd.kill()
        finally:
            await self.desk.close()
            await self.api.close()
            await self.sandbox.close()

    def _configure(self) -> None:
        secrets = self.folder / "secrets"
        secrets.mkdir(mode=0o700, exist_ok=True)
        for name, text in SECRETS.items():
            (secrets / name).touch(mode=0o600)
            (secrets / name).write_text(text)
        options = self._options
        mappings = [
            MAPPING.format(
                connection=connection, object=object_, hydrate=options["hydrate"],
                poll=options["poll" if connection == "shop" else "crm_poll"],
                webhook=", webhook = true" if connection == "crm" else "",
            )
            for connection, objects in OBJECTS.items() for object_ in objects
        ]  # fmt: skip
        self.syncd.config.write_text(
            CONFIG.format(
                shop=self.sandbox.url("commercetools"), crm=self.sandbox.url("hubspot"), folder=self.folder,
                idle=options["idle"], intake=self.intake, ops=self.ops, mappings="".join(mappings),
                files="\n".join(f'"{name}" = "{secrets / name}"' for name in SECRETS),
            )
        )  # fmt: skip

    async def webhooks(self, **settings: Any) -> None:
        target = f"http://127.0.0.1:{self.intake}/v1/webhooks/crm"
        given = {"target_url": target, "client_secret": WEBHOOK_SECRET, "subscriptions": SUBSCRIPTIONS}
        await self.crm.act({"op": "webhooks", "settings": given | {"time_scale": 0.0005} | settings})

    # --- the shop -------------------------------------------------------------------------------------------------

    async def _stock(self) -> None:
        await self.api.create(
            "/product-types", "/product-types/key=mug", {"key": "mug", "name": "Mug", "description": ""}
        )
        for group in ("silver", "gold"):
            draft = {"groupName": group, "key": group}
            await self.api.create("/customer-groups", f"/customer-groups/key={group}", draft)
        for sku, cents in (("MUG-1", 500), ("MUG-2", 750)):
            price = {"value": {"currencyCode": "EUR", "centAmount": cents}}
            draft = {
                "key": sku, "productType": {"typeId": "product-type", "key": "mug"}, "publish": True,
                "name": {"en": sku}, "slug": {"en": sku.lower()}, "masterVariant": {"sku": sku, "prices": [price]},
            }  # fmt: skip
            await self.api.create("/products", f"/products/key={sku}", draft)

    async def customer(self, name: str, *, tell: bool = True, **more: Any) -> Any:
        """Register somebody; ``tell`` posts the event."""
        draft = {"key": name, "email": f"{name}@example.com", "firstName": name.title(), "lastName": "Lovelace",
                 "authenticationMode": "ExternalAuth", "customerNumber": f"C-{name}", **more}  # fmt: skip
        made = await self.api.create("/customers", f"/customers/key={name}", draft)
        if tell:
            self.outbox.post("shop.customer.changed", made["id"], made)
        return made

    async def change_customer(self, number: str, *actions: Mapping[str, Any], tell: bool = True) -> Any:
        _status, here = await self.api.call("GET", f"/customers/{number}")
        _status, made = await self.api.call(
            "POST", f"/customers/{number}", {"version": here["version"], "actions": list(actions)}
        )
        if tell:
            self.outbox.post("shop.customer.changed", made["id"], made)
        return made

    async def read_customer(self, number: str) -> Any:
        return (await self.api.call("GET", f"/customers/{number}"))[1]

    async def cart(self, customer: Any, *skus: str, tell: bool = True) -> Any:
        self._serial += 1
        key = f"cart-{self._serial}"
        draft = {"key": key, "currency": "EUR", "country": "DE", "customerId": customer["id"],
                 "lineItems": [{"sku": sku, "quantity": 1} for sku in skus]}  # fmt: skip
        made = await self.api.create("/carts", f"/carts/key={key}", draft)
        if tell:
            self.outbox.post("shop.cart.changed", made["id"], made)
        return made

    async def change_cart(self, number: str, *actions: Mapping[str, Any], tell: bool = True) -> Any:
        _status, here = await self.api.call("GET", f"/carts/{number}")
        _status, made = await self.api.call(
            "POST", f"/carts/{number}", {"version": here["version"], "actions": list(actions)}
        )
        if tell:
            self.outbox.post("shop.cart.changed", made["id"], made)
        return made

    async def order(self, number: str) -> Any:
        _status, cart = await self.api.call("GET", f"/carts/{number}")
        draft = {"cart": {"typeId": "cart", "id": number}, "version": cart["version"], "orderNumber": f"O-{number[:8]}"}
        _status, made = await self.api.call("POST", "/orders", draft)
        return made

    # --- the CRM --------------------------------------------------------------------------------------------------

    def rows(self, kind: str) -> list[Any]:
        """What the CRM holds and has not archived."""
        return [one for one in self.crm.objects()[kind] if not one["archived"]]

    def contact(self, email: str) -> Any:
        """The one contact with this address, or ``None``."""
        found = [one for one in self.rows("contacts") if one["properties"].get("email") == email]
        assert len(found) <= 1, f"{email} stands {len(found)} times"
        return found[0] if found else None

    def deal(self, email: str) -> Any:
        found = [one for one in self.rows("deals") if one["properties"].get("dealname") == f"Abandoned Cart: {email}"]
        assert len(found) <= 1, f"the deal of {email} stands {len(found)} times"
        return found[0] if found else None

    async def edit(self, kind: str, number: str, **values: str) -> None:
        """A sales person types into the CRM's own screen."""
        await self.crm.act({"op": "edit", "object": kind, "id": number, "values": values})

    async def contact_of(self, email: str, *, seconds: float = 10.0, **properties: str) -> Any:
        """Wait for a contact with these properties."""

        def there() -> Any:
            found = self.contact(email)
            fits = found and all(found["properties"].get(name) == value for name, value in properties.items())
            return found if fits else None

        return await until(
            there, f"a contact {email} with {properties}; there is {self.contact(email)}", seconds=seconds
        )

    async def deal_of(self, email: str, *, seconds: float = 10.0, **properties: str) -> Any:
        def there() -> Any:
            found = self.deal(email)
            fits = found and all(found["properties"].get(name) == value for name, value in properties.items())
            return found if fits else None

        return await until(there, f"a deal of {email} with {properties}", seconds=seconds)

    # --- syncd ------------------------------------------------------------------------------------------------------

    async def settled(self, *, seconds: float = 15.0, quiet: float = 0.4) -> None:
        """Nothing waits in syncd, and nothing has changed at the vendors for a moment."""
        mark, since = -1, time.monotonic()

        async def calm() -> bool:
            nonlocal mark, since
            status = await self.desk.status()
            busy = status is None or sum(one.depth for one in status.queue) or self.outbox.waiting
            if busy or len(self.sandbox.ledger) != mark:
                mark, since = len(self.sandbox.ledger), time.monotonic()
                return False
            return time.monotonic() - since > quiet

        await until(calm, "rest", seconds=seconds, step=0.05)

    def effects(self, vendor: str, object_: str, *, by_syncd: bool = True, after: int = 0) -> list[Any]:
        """Rows of the vendors' ledger."""
        return [
            one
            for one in self.sandbox.ledger.after(after, vendor=vendor)
            if one.object == object_ and (one.actor not in ("human", "shop-frontend") or not by_syncd)
        ]
