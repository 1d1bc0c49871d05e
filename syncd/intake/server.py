"""The service that listens for the intake."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping
from email.utils import formatdate

import structlog

from syncd.intake.app import Intake
from syncd.intake.bridge import Application
from syncd.intake.http import Listener
from syncd.runtime.clock import World
from syncd.runtime.service import Service

SWEEP_SECONDS = 0.5
BACKLOG = 1024

_log = structlog.get_logger(__name__)


class ListenError(Exception):
    """The address cannot be listened on. The message says what, where and what to do; exit code 3."""


class IntakeServer(Service):
    """Listens on one address. ``port`` 0 takes a free one; :attr:`port` tells which after :meth:`start`.

    ``extra_routes`` maps exact paths to ASGI applications.
    """

    name = "intake-http"

    def __init__(
        self,
        intake: Intake,
        world: World,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        extra_routes: Mapping[str, Application] | None = None,
    ) -> None:
        super().__init__()
        self._world = world
        self._listener = Listener(intake, dict(extra_routes or {}))
        self._server: asyncio.Server | None = None
        self.host = host
        self.port = port

    async def start(self) -> None:
        """Listen. Raises :class:`ListenError`."""
        if self.running:
            return
        self._listener.draining = False
        self._tell_date()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._listener.protocol, self.host, self.port, backlog=BACKLOG, reuse_address=True
            )
        except OSError as error:
            raise ListenError(_listen_problem(self.host, self.port, error)) from error
        self.port = self._server.sockets[0].getsockname()[1]
        await super().start()
        _log.info("intake.listening", host=self.host, port=self.port)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.stopping.is_set():
            await self.pause(SWEEP_SECONDS)
            self._tell_date()
            self._listener.sweep(loop.time())
        await self._drain()

    async def stop(self, deadline_seconds: float = 10.0) -> None:
        """Take no new requests, answer those that are here, then close."""
        await super().stop(deadline_seconds)
        tasks = tuple(self._listener.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in tuple(self._listener.connections):
            connection.abort()
        # The loop tells the connections of their end in its next round.
        await asyncio.sleep(0)

    async def _drain(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._listener.drain()
        loop = asyncio.get_running_loop()
        while self._listener.connections:
            await asyncio.sleep(0.02)
            self._listener.sweep(loop.time())

    def _tell_date(self) -> None:
        stamp = formatdate(self._world.clock.now_ms() / 1000, usegmt=True)
        self._listener.date_line = f"date: {stamp}\r\n".encode()


def _listen_problem(host: str, port: int, error: OSError) -> str:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where}: the port is in use; stop what listens there, or choose another one for the intake"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{where}: not allowed to listen there; choose a port above 1023, or give syncd the right to"
    if isinstance(error, socket.gaierror):
        return f"{where}: the host name is not known here; use an address of this machine"
    return f"{where}: cannot listen there: {error.strerror or error}"
