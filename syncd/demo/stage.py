"""The stage: a temporary folder, the sandbox's process, the daemon's process (which may be killed), and the paths
and addresses between them."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import IO

import httpx

from syncd.demo.crm import HUBSPOT, Crm
from syncd.demo.door import SandboxAdmin

SIGNING_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105 - of a shop that exists on loopback only
_SECRETS = {"shop.client_secret": "syncd-secret", "storefront.signing_secret": SIGNING_SECRET}

_CONFIG = Template("""\
# The demonstration's configuration: the standard mappings, a shop and a CRM on loopback, and short intervals.

[connections.shop]
system = "commercetools"
project = "demo-shop"
api_url = "$commercetools"
auth_url = "$commercetools"
client_id = "syncd"

[carts]
idle = "${idle}s"

[retry]
base = "500ms"
cap = "5s"
attempts = 40

[intake]
port = $intake_port
[intake.sources.storefront]
connection = "shop"

[ops]
port = $ops_port

[control]
socket = "$folder/control.sock"

[state]
dir = "$folder/state"

[credentials.files]
$files

# A field of the shop's own, to show how one is added.
[entities.customer]
fields.loyalty_tier = { type = "text", owner = "commerce" }

[[mappings]]
connection = "shop"
object = "customers"
fields.loyalty_tier = "custom.fields.loyaltyTier"
capture = { poll = "1s", overlap = "5s", hydrate = $hydrate }

[[mappings]]
connection = "shop"
object = "carts"
capture = { poll = "1s", overlap = "5s", hydrate = $hydrate }

[[mappings]]
connection = "shop"
object = "orders"
capture = { poll = "1s", overlap = "5s", hydrate = $hydrate }

$crm""")


class StageError(Exception):
    """The demonstration cannot go on; the message says why."""


@dataclass
class Stage:
    """Built by :meth:`open`, torn down by :meth:`close`."""

    folder: Path
    seed: int
    faults: str
    idle_seconds: float
    hydrate: bool = True
    crm: Crm = HUBSPOT
    admin_url: str = ""
    intake_url: str = ""
    commercetools: str = ""
    restarts: int = 0
    _sandbox: asyncio.subprocess.Process | None = None
    _daemon: asyncio.subprocess.Process | None = None
    _log: IO[bytes] | None = field(default=None, repr=False)

    @property
    def config(self) -> Path:
        return self.folder / "syncd.toml"

    @property
    def socket(self) -> Path:
        return self.folder / "control.sock"

    @property
    def log(self) -> Path:
        return self.folder / "syncd.log"

    async def open(self) -> None:
        """The sandbox up, the CRM prepared and provisioned, the configuration written; the daemon is started apart."""
        await self._start_sandbox()
        intake_port = free_port()
        self.intake_url = f"http://127.0.0.1:{intake_port}"
        self.admin = SandboxAdmin(self.admin_url)
        known = await self.crm.prepare(self.admin, self.intake_url)
        self._write_config(intake_port, known)
        await self._run("provision", "--apply")

    async def close(self) -> None:
        for process in (self._daemon, self._sandbox):
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), 15)
                except TimeoutError:
                    process.kill()
                    await process.wait()
        if self._log is not None:
            self._log.close()

    # --- the sandbox ---------------------------------------------------------------------------------------------

    async def _start_sandbox(self) -> None:
        # Disturbances begin with the trade: a shop is opened in good weather.
        self._sandbox = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd.cli", "sandbox", "--seed", str(self.seed),
            "--vendor", "commercetools", "--vendor", self.crm.vendor, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        if self._sandbox.stdout is None:
            raise StageError("the sandbox has no output")
        line = await asyncio.wait_for(self._sandbox.stdout.readline(), 30)
        if not line:
            raise StageError("the sandbox did not start")
        ready = json.loads(line)
        self.admin_url, self.commercetools = ready["admin"], ready["commercetools"]
        self._addresses = ready

    # --- the configuration ---------------------------------------------------------------------------------------

    def _write_config(self, intake_port: int, known: Mapping[str, str]) -> None:
        files = []
        secrets = self.folder / "secrets"
        secrets.mkdir(mode=0o700)
        for name, text in {**_SECRETS, **self.crm.secrets}.items():
            path = secrets / name
            path.touch(mode=0o600)
            path.write_text(text)
            files.append(f'"{name}" = {json.dumps(str(path))}')
        self.config.write_text(
            _CONFIG.substitute(
                commercetools=self.commercetools, idle=f"{self.idle_seconds:g}", intake_port=intake_port,
                ops_port=free_port(), folder=self.folder, files="\n".join(files), hydrate=str(self.hydrate).lower(),
                crm=self.crm.configured({**self._addresses, "intake": self.intake_url, **known}),
            )
        )  # fmt: skip

    async def _run(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd.cli", *arguments, "--config", str(self.config),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        if process.returncode:
            raise StageError(f"syncd {' '.join(arguments)} failed: {output.decode(errors='replace').strip()}")

    # --- the daemon ----------------------------------------------------------------------------------------------

    async def start_daemon(self) -> None:
        """Return when it answers on its control socket."""
        if self._log is None:
            self._log = self.log.open("ab")
        self._daemon = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd.cli", "start", "--config", str(self.config),
            stdout=self._log, stderr=self._log, env={**os.environ, "SYNCD_LOG_FORMAT": "json"},
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while not await self._answers():
            if self._daemon.returncode is not None:
                raise StageError(f"syncd ended with {self._daemon.returncode}: {self._last_words()}")
            if time.monotonic() > deadline:
                raise StageError("syncd did not get ready within 30 s")
            await asyncio.sleep(0.05)

    async def kill_daemon(self) -> None:
        """SIGKILL: no chance to say goodbye. Then it starts again."""
        if self._daemon is None:
            return
        if self._daemon.returncode is not None:
            raise StageError(f"syncd ended by itself with {self._daemon.returncode}: {self._last_words()}")
        self._daemon.kill()
        await self._daemon.wait()
        self.restarts += 1
        await self.start_daemon()

    async def _answers(self) -> bool:
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://syncd", timeout=2.0) as client:
            try:
                return (await client.get("/v1/status")).is_success
            except httpx.HTTPError:
                return False

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-5:]
        return " | ".join(lines)


def free_port() -> int:
    """A port of loopback that nobody listens on, below those that the system gives to outgoing connections: one of them
    could take it before it is listened on."""
    dice = random.SystemRandom()
    while True:
        try:
            with socket.create_server(("127.0.0.1", dice.randrange(15_000, 32_000))) as one:
                port: int = one.getsockname()[1]
                return port
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
