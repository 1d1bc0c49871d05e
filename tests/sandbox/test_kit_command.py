"""``syncd sandbox`` as a process and as a function."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from typing import Any

import httpx
import pytest

from syncd.sandbox.command import KNOWN_VENDORS, SandboxOptions, assemble, run, simulator

_PROGRAM = """
import sys
from syncd.sandbox.command import SandboxOptions, run
sys.exit(run(SandboxOptions(seed=3, faults="latency=0.001", vendors=("commercetools",), scale=1000)))
"""


async def test_the_process_says_where_it_is_serves_and_ends_in_order_on_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    assert ready["ready"] is True
    async with httpx.AsyncClient() as http:
        state = (await http.get(ready["admin"] + "/_sandbox/state")).json()
        assert state["seed"] == 3
        assert state["vendors"]["commercetools"]["url"] == ready["commercetools"]
        assert state["vendors"]["commercetools"]["objects"]["customers"] == 800
        assert (await http.get(ready["commercetools"] + "/demo-shop/customers")).status_code == 401
    process.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (SandboxOptions(faults="thunder"), "no preset 'thunder'"),
        (SandboxOptions(vendors=("sapphire",)), "no vendor 'sapphire' in the sandbox"),
        (SandboxOptions(faults="outage=hubspot", vendors=("commercetools",)), "no vendor 'hubspot'"),
        (SandboxOptions(plans="salesforce=free"), "salesforce has no plan 'free'; there are developer"),
        (SandboxOptions(plans="commercetools=basic"), "there are none"),
        (SandboxOptions(plans="hubspot=free", vendors=("bigcommerce",)), "no vendor 'hubspot' here"),
        (SandboxOptions(scale=-1), "expected 0 or more people"),
        (SandboxOptions(port=70000, vendors=("commercetools",)), "0-65535"),
    ],
)
def test_options_that_make_no_sense_are_one_line_and_code_2(
    options: SandboxOptions, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(options) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_taken_port_is_one_line_and_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = SandboxOptions(port=taken.getsockname()[1], vendors=("commercetools",))
        assert run(options) == 3
    assert "choose another --port" in capsys.readouterr().err


def test_all_vendors_run_when_none_is_named_each_on_the_plan_that_was_asked_for() -> None:
    box = assemble(SandboxOptions(plans="salesforce=developer, BigCommerce=Pro, hubspot=starter"))
    assert tuple(box.vendors) == KNOWN_VENDORS
    vendors: Any = box.vendors
    assert vendors["salesforce"].limits.settings.daily_calls == 15_000
    assert vendors["bigcommerce"].limits.settings.per_thirty_seconds == 450
    assert vendors["hubspot"].limits.settings.per_ten_seconds == 100
    for name in KNOWN_VENDORS:
        kind = simulator(name)
        assert all(kind.on_plan(plan) for plan in kind.plans)
        with pytest.raises(KeyError):
            kind.on_plan("gratis")
