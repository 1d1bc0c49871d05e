"""Goals 9 and 10, and a million staged changes: calls, memory, and what a kill costs."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

from bench.measure import HERE, Report, middle, scratch, syncd

STACK = "textual.app, apscheduler.schedulers.asyncio, aiosqlite, httpx, hubspot, simple_salesforce, keyring"
"""What the brief names, imported as its users would."""


def economy(*, quick: bool) -> Report:
    """Goal 9: a count, free of noise."""
    report = Report("economy")
    events, records = (10_000, 1000) if quick else (100_000, 1000)
    told = report.figures = syncd("economy", events, records)
    report.ratio(
        "9", f"calls for {events:,} events on {records:,} records", told["calls"] / told["least"], 1.05, least=False,
        of=(f"{told['calls']} calls", f"{told['least']} at least"),
    )  # fmt: skip
    report.ratio(
        "9", f"calls for {told['echoes']:,} echoes of own writes", told["echo_calls"], 0, least=False,
        of=(f"{told['echo_calls']} calls", "none"),
    )  # fmt: skip
    return report


def memory(*, quick: bool) -> Report:
    """Goal 10: the idle daemon beside an interpreter that imports the whole stack, and growth by records."""
    report = Report("memory")
    rounds, records = (1, 5000) if quick else (3, 200_000)
    idle, stack = [], []
    for _ in range(rounds):
        idle.append(asyncio.run(_idle_daemon()))
        stack.append(_importing())
    grown = syncd("memory", records)
    report.figures = {"idle_mib": idle, "stack_mib": stack, "grown": grown}
    report.ratio(
        "10", "idle daemon's memory to importing the stack", median(a / b for a, b in zip(idle, stack, strict=True)),
        0.75, least=False, of=(f"{median(idle):.1f} MiB", f"{median(stack):.1f} MiB"),
    )  # fmt: skip
    report.ratio(
        "10", f"MiB more after {records:,} records", grown["grown_mib"], 25, least=False,
        of=(f"{grown['after_mib']:.1f} MiB", f"{grown['idle_mib']:.1f} MiB idle"),
    )  # fmt: skip
    return report


async def _idle_daemon() -> float:
    """Resident MiB of `syncd start` between two simulated vendors, after ten quiet seconds."""
    from syncd.demo.stage import Stage

    with scratch() as folder:
        stage = Stage(folder, seed=7, faults="none", idle_seconds=1800, hydrate=False)
        try:
            await stage.open()
            await stage.start_daemon()
            await asyncio.sleep(10)
            return _rss_mib(stage._daemon.pid)
        finally:
            await stage.close()


def _importing() -> float:
    code = f"import {STACK}\nprint(open('/proc/self/statm').read().split()[1])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _rss_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def backlog(*, quick: bool) -> Report:
    """The same work with 10,000 and with 1,000,000 changes waiting."""
    report = Report("backlog")
    rounds, count, small, large = (1, 1000, 5000, 50_000) if quick else (5, 5000, 10_000, 1_000_000)
    runs: dict[int, list[dict[str, float]]] = {small: [], large: []}
    with scratch() as folder:
        syncd("fill", large, folder=folder / "large")
        for number in range(rounds):
            syncd("fill", small, folder=folder / f"small-{number}")
            runs[small].append(syncd("backlog", count, folder=folder / f"small-{number}"))
            # The large one is worked off further in every round, and stays large.
            runs[large].append(syncd("backlog", count, folder=folder / "large"))
    report.figures = {str(size): seen for size, seen in runs.items()}
    pairs = list(zip(runs[large], runs[small], strict=True))
    report.ratio(
        "1M", f"rate with {large:,} waiting to {small:,}", median(a["rate"] / b["rate"] for a, b in pairs), 0.9,
        least=True, of=tuple(f"{middle(runs[size], 'rate'):,.0f}/s" for size in (large, small)),
    )  # fmt: skip
    report.ratio(
        "1M", f"memory with {large:,} waiting to {small:,}",
        median(a["rss_mib"] / b["rss_mib"] for a, b in pairs), 1.1, least=False,
        of=tuple(f"{middle(runs[size], 'rss_mib'):.0f} MiB" for size in (large, small)),
    )  # fmt: skip
    return report


def restart(*, quick: bool) -> Report:
    """Goal 10: kill -9 with 100,000 staged, in the midst of delivering; then how soon the first call leaves."""
    report = Report("restart")
    count, kills = (5000, 2) if quick else (100_000, 5)
    dice = random.Random(7)
    with scratch() as folder:
        _vendored("fill", folder, count)
        waits = [_killed(folder, dice.uniform(0.5, 3.0)) for _ in range(kills)]
        last = _vendored("finish", folder, count)
        ledger = [json.loads(line) for line in (folder / "ledger").read_text().splitlines()]
    keys = Counter(one["key"] for one in ledger if "key" in one)
    lost, doubled = count - len(keys), sum(number - 1 for number in keys.values())
    report.figures = {"first_call_seconds": [*waits, last["first_call"]], "lost": lost, "doubled": doubled}
    report.ratio(
        "10", f"seconds from start to first call, {count:,} staged", median(waits), 1.0, least=False,
        of=(f"{median(waits):.2f} s", f"worst {max(waits):.2f} s of {kills}"),
    )  # fmt: skip
    report.ratio("10", f"lost after {kills} kill -9", lost, 0, least=False, of=(f"{len(keys):,} arrived", f"{count:,}"))
    report.ratio("10", f"sent twice after {kills} kill -9", doubled, 0, least=False, of=(f"{doubled}", "none"))
    return report


def _killed(folder: Path, seconds: float) -> float:
    """Start the daemon, let it deliver for a while, kill it; seconds from its start to its first call."""
    before = (folder / "ledger").stat().st_size if (folder / "ledger").exists() else 0
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "bench.restarted", "work", str(folder), "0"], cwd=HERE.parent)
    try:
        while not (folder / "ledger").exists() or (folder / "ledger").stat().st_size == before:
            if process.poll() is not None or time.monotonic() - began > 60:
                raise SystemExit("the daemon under test made no call")
            time.sleep(0.002)
        with (folder / "ledger").open() as ledger:
            ledger.seek(before)
            first = json.loads(ledger.readline())["at"] - began
        time.sleep(seconds)
    finally:
        process.kill()
        process.wait()
    return first


def _vendored(what: str, folder: Path, count: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.restarted", what, str(folder), str(count)], cwd=HERE.parent, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])
