"""A shop and a Salesforce org with syncd as a process between them: change events bring what sales people do."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from console.client import Client
from console.reading import status as console_status
from syncd.cli import main as syncd
from syncd.demo.operator import Desk
from syncd.demo.shop import ShopApi
from syncd.demo.stage import free_port
from syncd.sandbox.commercetools.account import CommercetoolsSandbox
from syncd.sandbox.salesforce import SalesforceSandbox
from syncd.sandbox.salesforce.org import Profile
from syncd.sandbox.salesforce.simulator import CLIENT_ID, CLIENT_SECRET
from syncd.sandbox.server import Sandbox
from tests.scenarios.town import Syncd
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "syncd_External_Id__c"
CONFIG = """
[connections.shop]
system = "commercetools"
project = "demo-shop"
api_url = "{shop}"
auth_url = "{shop}"
client_id = "syncd"
[connections.crm]
system = "salesforce"
login_url = "{crm}"
client_id = "{client}"
company_currency = "EUR"
pubsub_url = "http://{pubsub}"
[retry]
base = "200ms"
cap = "1s"
[intake]
port = {intake}
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
"shop.client_secret" = "{folder}/shop"
"crm.client_secret" = "{folder}/crm"
[[mappings]]
connection = "shop"
object = "customers"
capture = {{ poll = "300ms", overlap = "2s", hydrate = true }}
[[mappings]]
connection = "shop"
object = "carts"
enabled = false
[[mappings]]
connection = "shop"
object = "orders"
enabled = false
[[mappings]]
connection = "crm"
object = "Opportunity"
enabled = false
[[mappings]]
connection = "crm"
object = "Contact"
capture = {{ stream = true, poll = "1h", hydrate = false }}
fields.company = false
"""


class Force:
    """A shop, an org, and syncd between them."""

    async def open(self) -> Force:
        self.folder = Path(tempfile.mkdtemp(prefix="syncd-force-"))
        self.sandbox = Sandbox(seed=5)
        self.sandbox.add(CommercetoolsSandbox)
        self.org = self.sandbox.add(SalesforceSandbox, profile=Profile(key_field=KEY))
        await self.sandbox.open()
        self.org.stream.settings.keepalive_seconds = 0.2
        self.api = ShopApi(self.sandbox.url("commercetools"))
        self.desk = Desk(self.folder / "control.sock")
        self.syncd = Syncd(self.folder, self.folder / "syncd.toml")
        for name, text in (("shop", "syncd-secret"), ("crm", CLIENT_SECRET)):
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_text(text)
        self.syncd.config.write_text(
            CONFIG.format(
                shop=self.sandbox.url("commercetools"), crm=self.sandbox.url("salesforce"), client=CLIENT_ID,
                pubsub=self.org.endpoints()["pubsub"], intake=free_port(), ops=free_port(), folder=self.folder,
            )
        )  # fmt: skip
        code = await asyncio.to_thread(syncd, ["provision", "--apply", "--config", str(self.syncd.config)])
        assert code == 0
        await self.syncd.start()
        return self

    async def close(self) -> None:
        await self.syncd.kill()
        await self.desk.close()
        await self.api.close()
        await self.sandbox.close()
        shutil.rmtree(self.folder)

    async def customer(self, name: str, **more: Any) -> Any:
        draft = {"key": name, "email": f"{name}@example.com", "firstName": name.title(), "lastName": "Lovelace",
                 "authenticationMode": "ExternalAuth", "customerNumber": f"C-{name}", **more}  # fmt: skip
        return await self.api.create("/customers", f"/customers/key={name}", draft)

    async def read_customer(self, number: str) -> Any:
        return (await self.api.call("GET", f"/customers/{number}"))[1]

    def contact(self, email: str) -> Any:
        fields = f"Id, Email, FirstName, LastName, Phone, Credit_Limit__c, Customer_Number__c, {KEY}"
        rows = self.org.people.act({"op": "query", "soql": f"SELECT {fields} FROM Contact WHERE Email = '{email}'"})
        assert len(rows) <= 1, f"{email} stands {len(rows)} times"
        return rows[0] if rows else None

    async def contact_of(self, email: str) -> Any:
        return await until(lambda: self.contact(email), f"a contact {email}", seconds=20)

    def edit(self, number: str, **values: Any) -> None:
        self.org.people.act({"op": "edit", "object": "Contact", "id": number, "values": values})

    async def settled(self) -> None:
        async def calm() -> bool:
            status = await self.desk.status()
            return status is not None and not sum(one.depth for one in status.queue)

        await until(calm, "rest", seconds=20)
        await asyncio.sleep(0.3)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def force() -> AsyncIterator[Force]:
    made = await Force().open()
    yield made
    await made.close()


async def test_a_customer_becomes_a_contact_and_a_sales_persons_edit_comes_by_stream(force: Force) -> None:
    made = await force.customer("ada")
    contact = await force.contact_of("ada@example.com")
    assert (contact["FirstName"], contact["Customer_Number__c"]) == ("Ada", "C-ada")
    assert contact[KEY].startswith("customer-")
    force.edit(contact["Id"], Phone="+49 30 1234567", Credit_Limit__c=2500)

    async def arrived() -> Any:
        fields = ((await force.read_customer(made["id"])).get("custom") or {}).get("fields", {})
        return fields if "phone" in fields and "creditLimit" in fields else None

    fields = await until(arrived, "the edit in the shop", seconds=20)
    assert fields["creditLimit"]["centAmount"] == 250_000


async def test_our_own_writes_come_back_and_cost_nothing(force: Force) -> None:
    await force.customer("echo")
    contact = await force.contact_of("echo@example.com")
    await force.settled()
    calls, effects = force.org.limits.calls.used, len(force.sandbox.ledger)
    await asyncio.sleep(0.6)
    assert len(force.sandbox.ledger) == effects
    assert force.org.limits.calls.used == calls, "echoes are dropped without a read"
    assert force.contact("echo@example.com")["Id"] == contact["Id"]


async def test_a_stream_cut_for_longer_than_the_vendor_remembers_loses_nothing(force: Force) -> None:
    made = await force.customer("lost")
    contact = await force.contact_of("lost@example.com")
    await force.settled()
    await force.syncd.kill()
    force.edit(contact["Id"], Phone="+49 40 7654321")
    force.org.people.act({"op": "expire_replay"})
    await force.syncd.start()

    async def arrived() -> bool:
        fields = ((await force.read_customer(made["id"])).get("custom") or {}).get("fields", {})
        return bool(fields.get("phone") == "+49407654321" or fields.get("phone") == "+49 40 7654321")

    await until(arrived, "the edit that no event told of", seconds=20)
    assert [one["reason"] for one in force.syncd.events("stream.gap")] == ["position-lost"]
    await until(lambda: force.syncd.events("stream.mended"), "the gap mended", seconds=20)


def judge(force: Force, customers: Sequence[Any], gone: Collection[str]) -> list[str]:
    """What is missing, wrong or there twice, by what the shop and the org themselves hold."""
    rows = force.org.people.act({"op": "query", "soql": "SELECT Id, Email, Phone, Customer_Number__c FROM Contact"})
    held = Counter(one["Email"] for one in rows)
    found = [f"{email} stands {count} times" for email, count in held.items() if count > 1]
    contacts = {one["Email"]: one for one in rows}
    for one in customers:
        email = one["email"]
        contact = contacts.get(email)
        if email in gone:
            found += [f"{email} came back"] if contact else []
            continue
        if contact is None:
            found.append(f"{email} is missing")
            continue
        if contact["Customer_Number__c"] != one["customerNumber"]:
            found.append(f"{email} has the number {contact['Customer_Number__c']}")
        phone = ((one.get("custom") or {}).get("fields") or {}).get("phone")
        if _digits(phone) != _digits(contact["Phone"]):
            found.append(f"{email}: the shop has {phone}, the org {contact['Phone']}")
    return found


def _digits(phone: str | None) -> str:
    return "".join(filter(str.isdigit, phone or ""))


async def test_a_gap_with_everything_in_it_is_stated_and_nothing_of_it_is_missing_afterwards(force: Force) -> None:
    """Creations, updates, a deletion and a merge that no event tells of any more."""
    names = [f"gap{letter}" for letter in "abcdef"]
    for name in names:
        await force.customer(name)
    ids = {name: (await force.contact_of(f"{name}@example.com"))["Id"] for name in names}
    await force.settled()
    await force.syncd.kill()
    marks = {name: len(force.syncd.events(name)) for name in ("stream.gap", "stream.mended")}
    people = force.org.people
    for number, name in enumerate(names[:3]):
        force.edit(ids[name], Phone=f"+49 228 55500{number}")
    people.act({"op": "create", "object": "Contact", "values": {
        "LastName": "New", "FirstName": "Gap", "Email": "gapnew@example.com", "Phone": "+49 228 555999"}})  # fmt: skip
    people.act({"op": "delete", "object": "Contact", "id": ids["gapd"]})
    people.act({"op": "merge", "object": "Contact", "id": ids["gapf"], "others": [ids["gape"]]})
    force.edit(ids["gapf"], Phone="+49 228 555777")
    people.act({"op": "expire_replay"})
    force.sandbox.set_faults("salesforce.latency=0.1")
    await force.syncd.start()

    async def stated() -> Any:
        status = await force.desk.status()
        return status.gaps if status is not None else None

    (gap,) = await until(stated, "the gap in the status", seconds=20, step=0.01)
    assert (gap.mapping, gap.reason) == ("crm.Contact", "position-lost")
    async with Client(force.folder / "control.sock") as client:
        words = (await console_status(client)).lines
    assert any("crm.Contact: gap" in one and "re-reading" in one for one in words)
    await until(lambda: len(force.syncd.events("stream.mended")) > marks["stream.mended"], "the gap mended", seconds=30)
    force.sandbox.set_faults("none")
    assert [one["reason"] for one in force.syncd.events("stream.gap")[marks["stream.gap"] :]] == ["position-lost"]
    await force.customer("gapnew")
    shop = [f"{name}@example.com" for name in (*names, "gapnew")]

    async def faults() -> list[str]:
        rows = (await force.api.call("GET", "/customers?limit=100"))[1]["results"]
        mine = [one for one in rows if one["email"] in shop]
        assert len(mine) == len(shop)
        return judge(force, mine, {"gapd@example.com", "gape@example.com"})

    async def clean() -> bool:
        return not await faults()

    with contextlib.suppress(TimeoutError):
        await until(clean, "a clean judgement", seconds=20, step=0.1)
    await force.settled()
    assert await faults() == []
    assert not await stated()
