"""Goals 1 and 2: durable, signature-checked intake beside plain Starlette, and under kills."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from bench.intake_load import requests
from bench.measure import HERE, Report, scratch
from bench.servers import free_port

LOAD = HERE / "intake_load.py"
CONNECTIONS = 16
_ID = re.compile(rb"webhook-id: (\d{8})")


def intake(*, quick: bool) -> Report:
    """Goals 1 and 2: requests a second and acknowledgement times, one server core, 64 connections, 1 KiB."""
    report = Report("intake")
    rounds, count = (1, 5000) if quick else (7, 20_000)
    command = [sys.executable, str(LOAD), "--json", "--rounds", str(rounds), "--requests", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE.parent)
    told = report.figures = json.loads(done.stdout.splitlines()[-1])
    rate = f"{told['syncd_rate']:,.0f}/s"
    report.ratio(
        "1", "requests/s to plain Starlette", told["ratio_rate_to_starlette"], 1.0, least=True,
        of=(rate, f"{told['starlette_rate']:,.0f}/s"),
    )  # fmt: skip
    report.ratio(
        "1", "requests/s to one commit per request", told["ratio_rate_to_commit_each"], 10, least=True,
        of=(rate, f"{told['commit-each_rate']:,.0f}/s"),
    )  # fmt: skip
    report.ratio(
        "2", "ack p99 at saturation to plain Starlette", told["ratio_p99_to_starlette"], 1.5, least=False,
        of=(f"{told['syncd_p99_ms']:.2f} ms", f"{told['starlette_p99_ms']:.2f} ms"),
    )  # fmt: skip
    report.ratio(
        "2", "ack p50, one connection, to one fdatasync", told["ratio_alone_to_fdatasync"], 3, least=False,
        of=(f"{told['alone_p50_ms']:.2f} ms", f"{told['fdatasync_ms']:.2f} ms"),
    )  # fmt: skip
    return report


def kills(*, quick: bool) -> Report:
    """Goal 1: no acknowledged event is lost over kill -9 of the server under load."""
    report = Report("kills")
    times = 3 if quick else 100
    dice = random.Random(7)
    acknowledged: set[str] = set()
    work = requests(200_000 if not quick else 20_000)
    with scratch() as folder:
        for _ in range(times):
            acknowledged |= _one_life(folder, work, dice.uniform(0.1, 0.5))
        kept = _kept(folder / "state.db")
    lost = acknowledged - kept
    report.figures = {"kills": times, "acknowledged": len(acknowledged), "kept": len(kept), "lost": len(lost)}
    report.ratio(
        "1", f"acknowledged events lost over {times} kill -9", len(lost), 0, least=False,
        of=(f"{len(acknowledged):,} acknowledged", f"{len(kept):,} kept"),
    )  # fmt: skip
    return report


def _one_life(folder: Path, work: list[bytes], seconds: float) -> set[str]:
    """Start the intake, post to it, kill it in the midst; the events it acknowledged."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, str(LOAD), "--serve", "syncd", str(port), str(folder)], cwd=HERE.parent,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port)
        return asyncio.run(_post_until_killed(port, work, server, seconds))
    finally:
        server.kill()
        server.wait()


async def _post_until_killed(port: int, work: list[bytes], server: subprocess.Popen[bytes], seconds: float) -> set[str]:
    acknowledged: set[str] = set()

    async def post() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while work:
                request = work.pop()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])
                await reader.readexactly(length)
                if head.startswith(b"HTTP/1.1 202"):
                    acknowledged.add(f"c{int(_ID.search(request)[1])}")
        writer.close()

    posting = [asyncio.create_task(post()) for _ in range(CONNECTIONS)]
    await asyncio.sleep(seconds)
    server.kill()
    await asyncio.gather(*posting)
    return acknowledged


def _wait_for(port: int) -> None:
    for _ in range(1000):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    raise SystemExit("the intake did not start")


def _kept(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return {row[0] for row in database.execute("SELECT external_id FROM changes")}
