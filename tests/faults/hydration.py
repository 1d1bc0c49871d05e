"""First fills at any size: real daemon, simulated vendors, killed on the way; and what became of every page and row.

What is counted is counted at the vendors: requests for pages as they were answered, effects in the ledger. Nothing is
asked of syncd but whether it is done.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from syncd.cli import main as syncd
from syncd.demo.operator import Desk
from syncd.sandbox.commercetools.account import CommercetoolsSandbox
from syncd.sandbox.hubspot.simulator import HubspotSandbox
from syncd.sandbox.hubspot.tokens import DEFAULT_TOKEN
from syncd.sandbox.salesforce import SalesforceSandbox
from syncd.sandbox.salesforce.org import Profile
from syncd.sandbox.salesforce.simulator import CLIENT_ID, CLIENT_SECRET
from syncd.sandbox.server import Sandbox
from tests.scenarios.town import Syncd, free_port
from tests.waiting import until

KILLS: Final = 3
VENDORS: Final = ("salesforce", "hubspot")
WAYS: Final = ("in", "out", "both")
"""Into syncd out of the CRM, or out of the shop into the CRM, or both at once with as many records each."""
OBJECT: Final = {"salesforce": "Contact", "hubspot": "contacts"}
KEY: Final = "syncd_External_Id__c"
PAGES: Final = {
    "salesforce": re.compile(r"/jobs/query/(\w+)/results\?(?:.*&)?(?=(locator=\w+)?)"),
    "hubspot": re.compile(r"/objects/[\w./-]*contacts\?(?=.*limit=)(?=.*archived=false)(?=(?:.*?(after=\w+))?)"),
}
"""A page that is read: its address without what does not tell it from others."""

CONFIG: Final = """
[connections.shop]
system = "commercetools"
project = "demo-shop"
api_url = "{shop}"
auth_url = "{shop}"
client_id = "syncd"
standard = ["customers"]
[connections.crm]
{crm}
[retry]
base = "200ms"
cap = "1s"
[intake]
port = {intake}
[ops]
enabled = false
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
"crm.{secret}" = "{folder}/crm"
[[mappings]]
connection = "shop"
object = "customers"
capture = {{ poll = false, hydrate = {out} }}
[[mappings]]
connection = "crm"
object = "{object}"
capture = {{ stream = false, webhook = false, poll = false, hydrate = {into} }}
{fields}
"""
CRM: Final = {
    "salesforce": 'system = "salesforce"\nlogin_url = "{url}"\nclient_id = "{client}"\ncompany_currency = "EUR"\n'
    'pubsub_url = "http://{pubsub}"\nstandard = ["Contact"]\nbulk_threshold = {threshold}',
    "hubspot": 'system = "hubspot"\nbase_url = "{url}"\ncompany_currency = "EUR"\nstandard = ["contacts"]',
}


@dataclass
class Figures:
    """What one hydration showed."""

    vendor: str
    way: str
    records: int
    read: int = 0
    """Objects of the CRM that syncd holds and did not make."""
    written: int = 0
    """Objects of the CRM that it made."""
    seconds: float = 0.0
    kills: int = 0
    pages: int = 0
    pages_twice: int = 0
    """Pages that were answered more than once, by how often."""
    rows_twice: int = 0
    """Effects on a row beyond its first."""
    uploads: int = 0
    """Requests that carried rows."""
    peak_mib: float = 0.0
    """Largest resident memory of any of the daemon's lives (VmHWM)."""
    moments: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return (self.read + self.written) / self.seconds if self.seconds else 0.0


class Hydration:
    """One vendor, one way, one size."""

    def __init__(self, vendor: str, way: str, records: int, *, page_rows: int = 0, threshold: int = 2000) -> None:
        self.figures = Figures(vendor, way, records)
        self._vendor, self._way, self._records = vendor, way, records
        self._page_rows, self._threshold = page_rows, threshold
        self._into, self._out = way != "out", way != "in"
        # Paths of sockets are limited to about a hundred bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="syncd-fill-"))
        self.sandbox = Sandbox(seed=5)
        self.shop = self.sandbox.add(CommercetoolsSandbox)
        self.crm: Any = (
            self.sandbox.add(SalesforceSandbox, profile=Profile(key_field=KEY))
            if vendor == "salesforce"
            else self.sandbox.add(HubspotSandbox)
        )
        self.pages: Counter[str] = Counter()
        self.daemon = Syncd(self.folder, self.folder / "syncd.toml")
        self.desk = Desk(self.folder / "control.sock")

    async def run(self, *, kills: int = KILLS, seconds: float = 150.0) -> Figures:
        """Fill, with so many kills at even distances; within so many seconds."""
        await self.sandbox.open()
        watching: asyncio.Task[None] | None = None
        try:
            await self._prepare()
            watching = asyncio.create_task(self._watch_memory())
            began = time.perf_counter()
            await self.daemon.start()
            for number in range(kills):
                await self._reach((number + 1) / (kills + 1), seconds)
                self.figures.moments.append(f"{self._done()} of {self._goal()}")
                await self.daemon.kill()
                self.figures.kills += 1
                await self.daemon.start()
            await until(self._finished, f"all of it: {self._done()} of {self._goal()}", seconds=seconds, step=0.1)
            self.figures.seconds = time.perf_counter() - began
            assert await self.daemon.stop() == 0
            self._judge()
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            await self._close()
        return self.figures

    async def _close(self) -> None:
        try:
            if self.daemon.process is not None:
                await self.daemon.kill()
        finally:
            await self.desk.close()
            await self.sandbox.close()
            shutil.rmtree(self.folder)

    # --- before ---------------------------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        secret = {"salesforce": ("client_secret", CLIENT_SECRET), "hubspot": ("access_token", DEFAULT_TOKEN)}
        name, value = secret[self._vendor]
        for file, text in (("shop", "syncd-secret"), ("crm", value)):
            (self.folder / file).touch(mode=0o600)
            (self.folder / file).write_text(text)
        crm = CRM[self._vendor].format(
            url=self.sandbox.url(self._vendor), client=CLIENT_ID, threshold=self._threshold,
            pubsub=self.crm.endpoints().get("pubsub", ""),
        )  # fmt: skip
        self.daemon.config.write_text(
            CONFIG.format(
                shop=self.sandbox.url("commercetools"), crm=crm, secret=name, intake=free_port(), folder=self.folder,
                object=OBJECT[self._vendor], into=str(self._into).lower(), out=str(self._out).lower(),
                fields="fields.company = false" if self._vendor == "salesforce" else "",
            )
        )  # fmt: skip
        code = await asyncio.to_thread(syncd, ["provision", "--apply", "--config", str(self.daemon.config)])
        assert code == 0
        await self._people()
        if self._page_rows and self._vendor == "salesforce":
            await self.crm.act({"op": "bulk", "settings": {"page_rows": self._page_rows}})
        self._count_pages()
        self._mark = len(self.sandbox.ledger)

    async def _people(self) -> None:
        """The same people in the shop, or in the CRM."""
        if self._out:
            await self.shop.act({"op": "seed", "people": self._records})
        if not self._into:
            return
        names = [(f"fill{number}@example.com", "Ada", f"Fill{number}") for number in range(self._records)]
        if self._vendor == "salesforce":
            rows = [{"Email": mail, "FirstName": first, "LastName": last} for mail, first, last in names]
            await self.crm.act({"op": "seed", "object": "Contact", "rows": rows})
            return
        for mail, first, last in names:
            values = {"email": mail, "firstname": first, "lastname": last}
            await self.crm.act({"op": "create", "object": "contacts", "values": values})

    def _count_pages(self) -> None:
        real, pattern = self.crm.handle, PAGES[self._vendor]

        async def handle(request: Any) -> Any:
            reply = await real(request)
            found = pattern.search(request.target)
            if request.method == "GET" and found and reply.status == 200:
                self.pages[" ".join(filter(None, found.groups()))] += 1
            if request.method in ("PUT", "POST") and ("/batches" in request.target or "/batch/" in request.target):
                self.figures.uploads += request.method == "PUT" or "upsert" in request.target
            return reply

        self.crm.handle = handle

    # --- on the way -------------------------------------------------------------------------------------------------

    def _goal(self) -> int:
        return self._records * (self._into + self._out)

    def _done(self) -> int:
        """Rows that have been served, about, and that have been written."""
        page = self._page_rows or (5000 if self._vendor == "salesforce" else 100)
        return len(self.sandbox.ledger) - self._mark + min(self._records, len(self.pages) * page)

    async def _reach(self, part: float, seconds: float) -> None:
        wanted = int(self._goal() * part)
        await until(lambda: self._done() >= wanted, f"{wanted} of {self._goal()}", seconds=seconds, step=0.002)

    async def _finished(self) -> bool:
        if self.daemon.code is not None:
            raise AssertionError(f"syncd ended with {self.daemon.code}: {self.daemon.words()[-2000:]}")
        status = await self.desk.status()
        if (
            status is None
            or sum(one.depth for one in status.queue)
            or any(one.state != "idle" for one in status.hydrations)
        ):
            return False
        return len(self._distinct()) >= self._records * self._out and len(self.pages) >= self._into

    async def _watch_memory(self) -> None:
        while True:
            process = self.daemon.process
            if process is not None and process.returncode is None:
                self.figures.peak_mib = max(self.figures.peak_mib, peak_mib(process.pid))
            await asyncio.sleep(0.05)

    # --- afterwards -------------------------------------------------------------------------------------------------

    def _rows(self) -> list[Any]:
        effects = self.sandbox.ledger.after(self._mark, vendor=self._vendor)
        return [one for one in effects if one.object == OBJECT[self._vendor]]

    def _distinct(self) -> set[str]:
        return {one.id for one in self._rows()}

    def _judge(self) -> None:
        figures = self.figures
        figures.pages = len(self.pages)
        figures.pages_twice = sum(count - 1 for count in self.pages.values())
        rows = Counter(one.id for one in self._rows())
        figures.rows_twice = sum(count - 1 for count in rows.values())
        figures.written = len(rows)
        figures.read = _linked(self.folder / "state" / "syncd.db") - len(rows)


def peak_mib(pid: int) -> float:
    """The most memory that was resident so far; 0 for a process that has just ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0


def _linked(database: Path) -> int:
    """Objects of the CRM that the state file of a daemon that has ended holds."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM links WHERE connection = 'crm' AND gone = 0").fetchone()[0])
    finally:
        connection.close()
