"""What is measured of syncd, each in a process of its own.

    python -m bench.subjects NAME FOLDER ARGUMENT...

prints one JSON object. The vendor is in memory and answers at once; everything else is the daemon's own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench import rig as bench
from bench.rig import Rig, customer, customers
from syncd.model.change import Change, ChangeKind, Channel
from syncd.model.record import record_id
from syncd.store import changes

PER_SECOND = 50


async def whole(folder: Path, records: int, each: int) -> dict[str, float]:
    """Everything from staging to the settled delivery, consumers running meanwhile: first new records, then as many
    changes of records that stand on both sides already."""
    rig = await Rig.open(folder)
    await rig.start()
    rates = {}
    for round_, name in enumerate(("created", "updated")):
        work = list(customers(records, each=each, round_=round_))
        calls = rig.crm.calls
        began, cpu = time.perf_counter(), time.process_time()
        await rig.stage(work)
        await rig.drained()
        seconds = time.perf_counter() - began
        rates[name] = len(work) / seconds
        rates[f"{name}_cpu_us"] = (time.process_time() - cpu) / len(work) * 1e6
        rates[f"{name}_calls"] = rig.crm.calls - calls
    await rig.close()
    return rates


async def enqueue(folder: Path, count: int) -> dict[str, float]:
    """Durable staging from 64 callers, each waiting for its own commit."""
    rig = await Rig.open(folder)
    work = list(customers(count))
    seconds = await rig.stage(work)
    await rig.close()
    return {"rate": count / seconds}


async def latency(folder: Path, count: int) -> dict[str, list[float]]:
    """At 50 changes a second, each of a record of its own: seconds from handing in, and from the commit, to the start
    of the vendor's call."""
    rig = await Rig.open(folder)
    asked: dict[str, float] = {}
    committed: dict[str, float] = {}
    started: dict[str, float] = {}
    rig.crm.on_write = lambda writes, at: started.update({one.key: at for one in writes})
    await rig.start()
    await rig.stage([customer(10**7, 1, time.time_ns() // 1_000_000)])
    await rig.drained()
    began = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
        change = customer(number, 1, time.time_ns() // 1_000_000)
        key = record_id("customer", "shop", "customers", change.external_id)
        asked[key] = time.monotonic()
        await rig.commit.stage((change,), 1024)
        committed[key] = time.monotonic()
    await rig.drained()
    await rig.close()
    return {
        "asked": [started[key] - at for key, at in asked.items()],
        "committed": [max(0.0, started[key] - at) for key, at in committed.items()],
    }


async def fill(folder: Path, count: int) -> dict[str, float]:
    """Stage ``count`` changes of as many records, without working any off."""
    rig = await Rig.open(folder)
    for start in range(0, count, 2000):
        part = list(customers(min(2000, count - start), start=start))
        await rig.database.write(lambda tx, part=part: changes.stage(tx, part))
        await rig.database.checkpoint(quiet=True)
    await rig.close()
    return {"staged": count}


async def backlog(folder: Path, count: int) -> dict[str, float]:
    """Work off ``count`` of what :func:`fill` staged: deliveries a second, and the memory that took."""
    rig = await Rig.open(folder)
    gc.collect()
    idle = bench.rss_mib()
    began = time.perf_counter()
    await rig.start()
    while rig.crm.written < count:  # noqa: ASYNC110 - it must cost the measured loop nothing
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - began
    memory = bench.rss_mib()
    left = await rig.database.read(changes.backlog)
    written = rig.crm.written
    await rig.close()
    return {"rate": written / seconds, "rss_mib": memory, "rss_grown_mib": memory - idle, "left_capped": left}


async def memory(folder: Path, records: int) -> dict[str, float]:
    """Resident memory idle, and after so many records went through."""
    rig = await Rig.open(folder)
    await rig.start()
    await asyncio.sleep(0.2)
    gc.collect()
    idle = bench.rss_mib()
    for start in range(0, records, 5000):
        await rig.stage(customers(min(5000, records - start), start=start))
        await rig.drained()
    after = bench.rss_mib()
    await rig.close()
    return {"idle_mib": idle, "after_mib": after, "grown_mib": after - idle}


async def economy(folder: Path, events: int, records: int) -> dict[str, float]:
    """So many events about so many records, all staged before the first is folded; then every write comes back as
    the vendor's webhook."""
    rig = await Rig.open(folder)
    for turn in range(events // records):
        part = list(customers(records, round_=turn))
        await rig.database.write(lambda tx, part=part: changes.stage(tx, part))
    told: dict[tuple[str, str], Any] = {}

    def heard(writes: Any, _at: float) -> None:
        told.update({(one.key, path): value for one in writes for path, value in one.values.items()})

    rig.crm.on_write = heard
    await rig.start()
    await rig.drained()
    calls, reads = rig.crm.calls, rig.crm.reads
    echoes = _echoes(told)
    await rig.stage(echoes)
    await rig.drained()
    result = {
        "calls": calls, "least": -(-records // 100), "reads": reads, "echoes": len(echoes),
        "echo_calls": rig.crm.calls - calls + rig.crm.reads - reads,
    }  # fmt: skip
    await rig.close()
    return result


def _echoes(told: dict[tuple[str, str], Any]) -> list[Change]:
    """What HubSpot would send: a property change for each property that was written."""
    now = time.time_ns() // 1_000_000
    return [
        Change(
            "crm", "contacts", f"v-{key}", ChangeKind.HINT, Channel.WEBHOOK, f"echo:{key}:{path}", now, now,
            payload={"told": {path: value}},
        )
        for (key, path), value in told.items()
    ]  # fmt: skip


SUBJECTS = {
    one.__name__: one for one in (whole, enqueue, latency, fill, backlog, memory, economy)
}  # fmt: skip


def main() -> None:
    name, folder, *arguments = sys.argv[1:]
    work = partial(SUBJECTS[name], Path(folder), *map(int, arguments))
    print(json.dumps(bench.run(work())))


if __name__ == "__main__":
    main()
