"""The engine as the daemon wires it, between a shop that posts customers and a vendor in memory."""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.vendor import MemoryVendor
from syncd.config.load import loads
from syncd.engine.courier import Courier
from syncd.engine.flows import Flows
from syncd.engine.folder import Folder
from syncd.engine.health import Health
from syncd.engine.housekeeping import Housekeeping, Retention
from syncd.engine.reader import Reader
from syncd.engine.signals import Signals
from syncd.intake.staging import GroupCommit
from syncd.intake.store_staging import StoreStaging
from syncd.model.change import Change, ChangeKind, Channel
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics
from syncd.store import deliveries
from syncd.store.database import Database

COURIERS = 4
"""As many as the daemon has for each connection."""

CONFIGURATION = """
[connections.shop]
system = "commercetools"
project = "bench"
region = "europe-west1.gcp"
client_id = "bench"
[connections.crm]
system = "hubspot"
company_currency = "EUR"
"""
"""The standard entities and mappings; the systems themselves are replaced."""


@dataclass
class Rig:
    """Built by :meth:`open`; consumers run from :meth:`start` on."""

    database: Database
    flows: Flows
    signals: Signals
    commit: GroupCommit
    shop: MemoryVendor
    crm: MemoryVendor
    world: World
    parts: list[Any] = field(default_factory=list)

    @classmethod
    async def open(cls, folder: Path, *, keep: bool = False) -> Rig:
        configuration = loads(CONFIGURATION, environ={"HOME": str(folder)})
        world = World(dice=random.Random(7))
        database = Database(folder / "state" / "syncd.db")
        await database.open()
        await database.write(deliveries.recover)
        shop, crm = MemoryVendor("shop", ordered_versions=True), MemoryVendor("crm", keep=keep)
        flows = Flows(configuration.entities, configuration.mappings, {"shop": shop, "crm": crm})
        signals, metrics = Signals(world.clock), Metrics(world.clock)
        shared = {
            "database": database, "flows": flows, "signals": signals, "metrics": metrics, "world": world,
            "health": Health(flows.systems, world.clock, signals),
        }  # fmt: skip
        commit = GroupCommit(StoreStaging(database), announce=lambda _result: signals.ring_staged())
        rig = cls(database, flows, signals, commit, shop, crm, world)
        rig.parts = [Folder(**shared)]
        for name in flows.systems:
            rig.parts.append(Reader(name, **shared))
            rig.parts += [Courier(name, number, **shared) for number in range(1, COURIERS + 1)]
        rig.parts.append(Housekeeping(database=database, world=world, retention=Retention(), gauges=dict))
        await commit.start()
        return rig

    async def start(self) -> None:
        for part in self.parts:
            await part.start()

    async def close(self) -> None:
        await self.commit.stop()
        await asyncio.gather(*(part.stop() for part in self.parts))
        await self.database.close()

    async def stage(self, changes: Sequence[Change], *, callers: int = 64) -> float:
        """Stage durably from so many callers at once, each waiting for its own commit; seconds taken."""
        work = iter(changes)
        began = time.perf_counter()

        async def call() -> None:
            for change in work:
                await self.commit.stage((change,), 1024)

        await asyncio.gather(*(call() for _ in range(callers)))
        return time.perf_counter() - began

    async def drained(self) -> None:
        """Return when nothing is staged and nothing waits to be delivered."""
        while await self.database.read(_busy):  # noqa: ASYNC110 - it must cost the measured loop nothing
            await asyncio.sleep(0.01)


def _busy(tx: Any) -> bool:
    """Asked through the tables' own indexes: to look must cost next to nothing."""
    return bool(
        tx.execute(
            "SELECT EXISTS (SELECT 1 FROM changes WHERE state = 'staged' AND kind <> 'hint') "
            "OR EXISTS (SELECT 1 FROM changes WHERE state = 'staged' AND kind = 'hint') "
            "OR EXISTS (SELECT 1 FROM deliveries WHERE connection = 'crm' AND object = 'contacts' "
            "AND state NOT IN ('done', 'dead') AND state <> 'done')"
        ).fetchone()[0]
    )


def customers(records: int, *, each: int = 1, round_: int = 0, start: int = 0) -> Iterator[Change]:
    """Changes of commercetools customers of about 1 KiB: ``each`` per record, spread over the whole run, every one
    with a new telephone number. ``round_`` continues the versions of an earlier call."""
    now = time.time_ns() // 1_000_000
    for turn in range(each):
        version = round_ * each + turn + 1
        for number in range(start, start + records):
            yield customer(number, version, now + version)


def customer(number: int, version: int, now: int) -> Change:
    id_ = f"{number:08x}-bench"
    payload = {
        "id": id_, "version": version, "createdAt": "2026-10-01T08:00:00.000Z",
        "lastModifiedAt": "2026-11-02T08:00:00.000Z", "customerNumber": f"C{number}",
        "email": f"c{number}@shop.example.com", "firstName": "Ada", "lastName": f"Byron {number}",
        "companyName": "Analytical Engines Ltd", "isEmailVerified": True, "authenticationMode": "ExternalAuth",
        "addresses": [
            {"id": "a1", "streetName": "Dorset Street", "streetNumber": "1", "postalCode": "W1U 4EG",
             "city": "London", "country": "GB", "email": f"c{number}@shop.example.com"},
        ],
        "defaultShippingAddressId": "a1", "shippingAddressIds": ["a1"], "billingAddressIds": [], "stores": [],
        "customerGroup": {"typeId": "customer-group", "id": "g1", "obj": {"id": "g1", "key": "gold"}},
        "custom": {
            "type": {"typeId": "type", "id": "t1"},
            "fields": {
                "phone": f"+44{version:04d}{number:08d}",
                "creditLimit": {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 500_000,
                                "fractionDigits": 2},
            },
        },
    }  # fmt: skip
    return Change(
        "shop",
        "customers",
        id_,
        ChangeKind.STATE,
        Channel.EVENT,
        f"{id_}:{version}",
        now,
        now,
        str(version),
        payload,
        correlation_id=f"{number:016x}{version:016x}",
    )


def quiet_logs() -> None:
    """Log lines go through the daemon's own redaction and JSON, and then nowhere."""
    from syncd.runtime.log import configure

    # Open for the life of the process.
    configure(Path("/dev/null").open("w", encoding="utf-8"), "info", "json")  # noqa: SIM115


def run(main: Any) -> Any:
    """Run as the daemon does: uvloop, and its switch interval."""
    sys.setswitchinterval(0.001)
    quiet_logs()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def rss_mib() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
