"""``syncd sandbox`` as a process and as a function."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys

import httpx
import pytest

from syncd.sandbox.command import SandboxOptions, run

_PROGRAM = """
import sys
from syncd.sandbox.command import SandboxOptions, run
sys.exit(run(SandboxOptions(seed=3, faults="latency=0.001", vendors=("commercetools",))))
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
