"""A whole daemon whose vendors keep a ledger in a file that outlives it: for kills.

    python -m bench.restarted fill|work|finish FOLDER COUNT

The configuration, the doors and every part are the daemon's own; only the two systems are replaced.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import rig as bench
from bench.rig import CONFIGURATION, Rig, customers
from bench.servers import free_port
from bench.vendor import MemoryVendor
from syncd.config.load import loads
from syncd.credentials import open_credentials
from syncd.daemon import Daemon
from syncd.model.change import Lane
from syncd.model.mapping import ObjectMapping
from syncd.store import changes
from syncd.systems.contract import Snapshot, System, Verdict, Write


class LedgerVendor(MemoryVendor):
    """Applies a write by appending it to the ledger, and remembers by reading the ledger."""

    def remember(self, ledger: Path) -> None:
        self.keep = True
        if ledger.exists():
            for line in ledger.read_text().splitlines():
                told = json.loads(line)
                if "key" in told:
                    self.held[told["key"]] = told["data"]
        self._ledger = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        at = time.monotonic()
        verdicts = await super().write(mapping, writes, lane)
        lines = [{"at": at, "key": one.key, "data": self.held[one.key]} for one in writes]
        os.write(self._ledger, b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        return verdicts

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
        os.write(self._ledger, json.dumps({"at": time.monotonic(), "looked": len(keys)}).encode() + b"\n")
        return await super().find(mapping, keys, lane)


class BenchDaemon(Daemon):
    """The daemon between two vendors in memory."""

    ledger: Path

    async def _systems(self) -> dict[str, System]:
        self._budgets = {}
        self.crm = LedgerVendor("crm")
        self.crm.remember(self.ledger)
        return {"shop": MemoryVendor("shop", ordered_versions=True), "crm": self.crm}


def _daemon(folder: Path) -> BenchDaemon:
    text = f"""
[state]
dir = "{folder}/state"
[control]
socket = "{folder}/control.sock"
[intake]
port = {free_port()}
[ops]
port = {free_port()}
{CONFIGURATION}
"""
    configuration = loads(text, environ={"HOME": str(folder)})
    daemon = BenchDaemon(configuration, open_credentials(configuration.credentials))
    daemon.ledger = folder / "ledger"
    return daemon


async def fill(folder: Path, count: int) -> dict[str, float]:
    rig = await Rig.open(folder)
    for start in range(0, count, 2000):
        part = list(customers(min(2000, count - start), start=start))
        await rig.database.write(lambda tx, part=part: changes.stage(tx, part))
    await rig.close()
    return {"staged": count}


async def work(folder: Path, count: int) -> dict[str, float]:
    """Deliver until everything that was staged has arrived, or until killed."""
    began = time.monotonic()
    daemon = _daemon(folder)
    await daemon.start()
    while count == 0 or len(daemon.crm.held) < count:  # noqa: ASYNC110 - the vendor rings no bell
        await asyncio.sleep(0.05)
    await daemon.stop()
    return {"first_call": daemon.crm.first_call_at - began}


WORK = {"fill": fill, "work": work, "finish": work}


def main() -> None:
    what, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(bench.run(WORK[what](folder, count))))


if __name__ == "__main__":
    main()
