"""The simulated vendors at scale: how soon they stand, what they weigh, how fast they are read to the end."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from bench.measure import Report
from syncd.sandbox.command import KNOWN_VENDORS
from syncd.sandbox.hubspot.tokens import DEFAULT_TOKEN
from syncd.sandbox.salesforce.simulator import CLIENT_ID, CLIENT_SECRET

MOST_SECONDS, MOST_MIB, LEAST_RATE = 60, 1536, 5000
"""Until they listen; resident; records a second of the server's own processor time."""
_TICKS = os.sysconf("SC_CLK_TCK")


def sandbox(*, quick: bool) -> Report:
    """The simulated vendors with a world: start, memory, and a reading of people through each API."""
    report = Report("sandbox")
    people, enough = (5000, 2000) if quick else (500_000, 50_000)
    figures: dict[str, Any] = {"people": people, "read": enough}
    with _running(people, KNOWN_VENDORS) as (doors, pid, seconds):
        for vendor in KNOWN_VENDORS:
            figures[vendor] = _read(vendor, doors, pid, enough)
        weight = _mib(pid)
    figures["all"] = {"start_seconds": seconds, "mib": weight}
    report.figures = figures
    report.ratio(
        "S", f"start of all four with {people:,} people", seconds / MOST_SECONDS, 1, least=False,
        of=(f"{seconds:.1f} s", f"{MOST_SECONDS} s"),
    )  # fmt: skip
    report.ratio(
        "S", "memory of all four, after the readings", weight / MOST_MIB, 1, least=False,
        of=(f"{weight:.0f} MiB", f"{MOST_MIB} MiB"),
    )  # fmt: skip
    for vendor in KNOWN_VENDORS:
        rate = figures[vendor]["rate"]
        report.ratio(
            "S", f"{vendor}: people read per second of its processor", rate / LEAST_RATE, 1, least=True,
            of=(f"{rate:,.0f}/s", f"{LEAST_RATE:,}/s"),
        )  # fmt: skip
    return report


@contextlib.contextmanager
def _running(people: int, vendors: tuple[str, ...]) -> Iterator[tuple[dict[str, str], int, float]]:
    """Addresses, process id, and the seconds until it listened."""
    chosen = [word for name in vendors for word in ("--vendor", name)]
    command = [sys.executable, "-m", "syncd.cli", "sandbox", "--seed", "3", "--scale", str(people), *chosen]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        doors = json.loads(process.stdout.readline())
        yield doors, process.pid, time.monotonic() - began
    finally:
        process.terminate()
        process.wait(30)


def _mib(pid: int) -> float:
    """The most that was resident."""
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _read(vendor: str, doors: dict[str, str], pid: int, enough: int) -> dict[str, float]:
    with httpx.Client(trust_env=False, timeout=120) as http:
        pages = READERS[vendor](http, doors)
        spent, began, read = _cpu(pid), time.monotonic(), 0
        for count in pages:
            read += count
            if read >= enough:
                break
        spent = _cpu(pid) - spent
        return {"read": read, "cpu_seconds": spent, "seconds": time.monotonic() - began, "rate": read / spent}


def _json(reply: httpx.Response) -> Any:
    reply.raise_for_status()
    return reply.json()


def _commercetools(http: httpx.Client, doors: dict[str, str]) -> Iterator[int]:
    base = doors["commercetools"]
    form = {"grant_type": "client_credentials"}
    token = _json(http.post(f"{base}/oauth/token", auth=("syncd", "syncd-secret"), data=form))["access_token"]
    http.headers["authorization"] = f"Bearer {token}"
    params = {"limit": "500", "sort": "id asc", "withTotal": "false"}
    while rows := _json(http.get(f"{base}/demo-shop/customers", params=params))["results"]:
        yield len(rows)
        params["where"] = f'id > "{rows[-1]["id"]}"'


def _hubspot(http: httpx.Client, doors: dict[str, str]) -> Iterator[int]:
    generous = {"per_ten_seconds": 10**9, "daily": 10**9, "searches_per_second": 10**9}
    _json(http.post(f"{doors['admin']}/_sandbox/hubspot/act", json={"op": "limits", "settings": generous}))
    http.headers["authorization"] = f"Bearer {DEFAULT_TOKEN}"
    params = {"limit": "100", "properties": "email,firstname,lastname,phone,company"}
    while True:
        page = _json(http.get(f"{doors['hubspot']}/crm/v3/objects/contacts", params=params))
        yield len(page["results"])
        if "paging" not in page:
            return
        params["after"] = page["paging"]["next"]["after"]


def _bigcommerce(http: httpx.Client, doors: dict[str, str]) -> Iterator[int]:
    deed = {"op": "limits", "settings": {"per_thirty_seconds": 0}}
    _json(http.post(f"{doors['admin']}/_sandbox/bigcommerce/act", json=deed))
    http.headers["x-auth-token"] = "shop-token"
    params = {"limit": "250"}
    while True:
        page = _json(http.get(f"{doors['bigcommerce']}/stores/abc123/v3/customers", params=params))
        yield len(page["data"])
        told = page["meta"]["cursor_pagination"]
        if "next" not in told["links"]:
            return
        params["after"] = told["end_cursor"]


def _salesforce(http: httpx.Client, doors: dict[str, str]) -> Iterator[int]:
    base = doors["salesforce"]
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    token = _json(http.post(f"{base}/services/oauth2/token", data=form))["access_token"]
    http.headers["authorization"] = f"Bearer {token}"
    soql = (
        "SELECT Id, FirstName, LastName, Email, Phone, AccountId, SystemModstamp FROM Contact ORDER BY Id LIMIT 50000"
    )
    page = _json(http.get(f"{base}/services/data/v67.0/query", params={"q": soql}))
    while True:
        yield len(page["records"])
        if page["done"]:
            return
        page = _json(http.get(base + page["nextRecordsUrl"]))


READERS: dict[str, Callable[[httpx.Client, dict[str, str]], Iterator[int]]] = {
    "commercetools": _commercetools,
    "hubspot": _hubspot,
    "bigcommerce": _bigcommerce,
    "salesforce": _salesforce,
}
