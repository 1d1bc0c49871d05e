"""Durable intake beside a plain web server: goals 1 and 2.

Each subject serves from one core in its own process; the client, 64 keep-alive connections, runs on another. The
subjects take turns, so that noise falls on all of them alike, and ratios to plain Starlette are reported.

    python bench/intake_load.py [--rounds 7] [--requests 20000] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
import uvloop

from syncd.intake.events import event_key
from syncd.intake.signature import sign
from syncd.model.change import Change, ChangeKind, Channel

KEY = b"0123456789abcdef0123456789abcdef"
SUBJECTS = ("starlette", "syncd", "commit-each")
CONNECTIONS = 64


# --- servers --------------------------------------------------------------------------------------------------


def serve(subject: str, port: int, folder: Path) -> None:
    os.sched_setaffinity(0, {0})
    if subject == "starlette":
        uvloop.run(_starlette(port))
    elif subject == "commit-each":
        uvloop.run(_commit_each(port, folder))
    else:
        uvloop.run(_syncd(port, folder))


async def _starlette(port: int) -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def take(request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse({"staged": 1, "duplicates": 0}, status_code=202)

    app = Starlette(routes=[Route("/v1/events/shop", take, methods=["POST"])])
    config = uvicorn.Config(app, port=port, access_log=False, log_level="error", http="httptools", lifespan="off")
    await uvicorn.Server(config).serve()


async def _commit_each(port: int, folder: Path) -> None:
    """The naive durable server: one aiosqlite commit for each request."""
    import aiosqlite
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    db = await aiosqlite.connect(folder / "each.db")
    await db.execute("PRAGMA journal_mode=WAL")
    await db.execute("PRAGMA synchronous=FULL")
    await db.execute("CREATE TABLE changes (id INTEGER PRIMARY KEY, key TEXT UNIQUE, payload TEXT)")
    await db.commit()
    lock = asyncio.Lock()

    async def take(request: Request) -> JSONResponse:
        body = await request.body()
        key = orjson.loads(body)["id"]
        async with lock:
            await db.execute("INSERT OR IGNORE INTO changes (key, payload) VALUES (?, ?)", (key, body))
            await db.commit()
        return JSONResponse({"staged": 1, "duplicates": 0}, status_code=202)

    app = Starlette(routes=[Route("/v1/events/shop", take, methods=["POST"])])
    config = uvicorn.Config(app, port=port, access_log=False, log_level="error", http="httptools", lifespan="off")
    await uvicorn.Server(config).serve()


async def _syncd(port: int, folder: Path) -> None:
    from syncd.intake.app import Intake
    from syncd.intake.server import IntakeServer
    from syncd.intake.sources import EventSource, SourceKeys
    from syncd.intake.staging import GroupCommit
    from syncd.intake.store_staging import StoreStaging
    from syncd.runtime.clock import World
    from syncd.store.database import Database

    database = Database(folder / "state.db")
    await database.open()
    world = World()
    commit = GroupCommit(StoreStaging(database))
    keys = SourceKeys(secrets=(KEY,))
    source = EventSource("shop", "shop", _translate, lambda: keys)
    server = IntakeServer(Intake(commit=commit, world=world, sources=[source]), world, port=port)
    await commit.start()
    await server.start()
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    await done.wait()
    await server.stop()
    await commit.stop()
    await database.close()


def _translate(connection, event, received_at, correlation_id):
    data = event["data"]
    return (
        Change(
            connection, "customers", data["id"], ChangeKind.STATE, Channel.EVENT, event_key(event), received_at,
            version=str(data["version"]), payload=data, correlation_id=correlation_id,
        ),
    )  # fmt: skip


# --- client ---------------------------------------------------------------------------------------------------


def requests(count: int) -> list[bytes]:
    """Signed CloudEvents of 1 KiB, each with its own id."""
    now = int(time.time())
    dice = random.Random(7)
    made = []
    for number in range(count):
        event_id = f"{number:08d}-{dice.getrandbits(64):016x}"
        data = {
            "id": f"c{number}", "version": number, "email": f"c{number}@example.com", "firstName": "Ada",
            "lastName": "Byron", "custom": {"fields": {"phone": "+4930123456"}}, "note": "",
        }  # fmt: skip
        event = {
            "specversion": "1.0", "id": event_id, "source": "/acme/customers", "type": "com.example.customer.changed",
            "time": "2026-11-02T08:00:00Z", "datacontenttype": "application/json", "data": data,
        }  # fmt: skip
        data["note"] = "x" * (1024 - len(orjson.dumps(event)))
        body = orjson.dumps(event)
        made.append(
            b"POST /v1/events/shop HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/cloudevents+json\r\n"
            b"webhook-id: %b\r\nwebhook-timestamp: %d\r\nwebhook-signature: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (event_id.encode(), now, sign(event_id, now, body, KEY).encode(), len(body), body)
        )
    return made


class _Client(asyncio.Protocol):
    def __init__(self, work: list[bytes], spent: list[float], finished: asyncio.Event) -> None:
        self.work, self.spent, self.finished = work, spent, finished
        self.sent_at = 0.0

    def connection_made(self, transport) -> None:
        self.transport = transport
        self._next()

    def _next(self) -> None:
        if not self.work:
            self.transport.close()
            self.finished.set()
            return
        request = self.work.pop()
        self.sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if b"\r\n\r\n" not in data or not data.endswith(b"}"):
            self.head = getattr(self, "head", b"") + data
            if not self.head.endswith(b"}"):
                return
            data, self.head = self.head, b""
        if not data.startswith(b"HTTP/1.1 202"):
            print(f"unexpected answer: {data[:300]!r}", file=sys.stderr)
            os._exit(1)
        self.spent.append(time.perf_counter() - self.sent_at)
        self._next()


async def _load(port: int, work: list[bytes], connections: int) -> tuple[float, list[float]]:
    loop = asyncio.get_running_loop()
    spent: list[float] = []
    events = [asyncio.Event() for _ in range(connections)]
    began = time.perf_counter()
    for event in events:
        await loop.create_connection(lambda event=event: _Client(work, spent, event), "127.0.0.1", port)
    for event in events:
        await event.wait()
    return time.perf_counter() - began, spent


def measure(subject: str, work: list[bytes], connections: int) -> dict[str, float]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        server = subprocess.Popen([sys.executable, __file__, "--serve", subject, str(port), folder])
        try:
            _wait_for(port)
            uvloop.run(_load(port, work[-200:], 8))
            before = _cpu_seconds(server.pid)
            seconds, spent = uvloop.run(_load(port, work[:-200], connections))
            cpu = _cpu_seconds(server.pid) - before
        finally:
            server.terminate()
            server.wait()
    spent.sort()
    return {
        "rate": len(spent) / seconds,
        "cpu_us": cpu / len(spent) * 1e6,
        "p50_ms": spent[len(spent) // 2] * 1e3,
        "p99_ms": spent[int(len(spent) * 0.99)] * 1e3,
    }


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait_for(port: int) -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit("the server did not start")


def fdatasync_ms() -> float:
    """The median of appending 4 KiB and fdatasync, on the same disk."""
    with tempfile.NamedTemporaryFile(dir=os.environ.get("BENCH_DIR")) as file:
        spent = []
        for _ in range(300):
            file.write(secrets.token_bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], int(options.serve[1]), Path(options.serve[2]))
        return
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    work = requests(options.requests)
    seen: dict[str, list[dict[str, float]]] = {subject: [] for subject in SUBJECTS}
    alone, sync = [], []
    for _ in range(options.rounds):
        for subject in SUBJECTS:
            share = work if subject != "commit-each" else work[:3200]
            seen[subject].append(measure(subject, share.copy(), CONNECTIONS))
        alone.append(measure("syncd", work[:1200].copy(), 1)["p50_ms"])
        sync.append(fdatasync_ms())
    report = summary(seen, alone, sync)
    print(
        json.dumps(report) if options.json else "\n".join(f"{name:32} {value:10.3f}" for name, value in report.items())
    )


def summary(seen, alone, sync) -> dict[str, float]:
    middle = {
        subject: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        for subject, runs in seen.items()
    }
    pairs = list(zip(seen["syncd"], seen["starlette"], seen["commit-each"], strict=True))
    report = {f"{subject}_{name}": value for subject, values in middle.items() for name, value in values.items()}
    report["ratio_rate_to_starlette"] = statistics.median(ours["rate"] / plain["rate"] for ours, plain, _ in pairs)
    report["ratio_rate_to_commit_each"] = statistics.median(ours["rate"] / each["rate"] for ours, _, each in pairs)
    report["ratio_cpu_to_starlette"] = statistics.median(ours["cpu_us"] / plain["cpu_us"] for ours, plain, _ in pairs)
    report["ratio_p99_to_starlette"] = statistics.median(ours["p99_ms"] / plain["p99_ms"] for ours, plain, _ in pairs)
    report["alone_p50_ms"] = statistics.median(alone)
    report["fdatasync_ms"] = statistics.median(sync)
    report["ratio_alone_to_fdatasync"] = statistics.median(a / b for a, b in zip(alone, sync, strict=True))
    return report


if __name__ == "__main__":
    main()
