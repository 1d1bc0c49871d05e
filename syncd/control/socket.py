"""The control socket: HTTP over a Unix socket that only its owner (and root) may speak on.

The socket lies in a private folder with mode 0600, and every peer's user is checked when it connects.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import struct
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

PATH_LIMIT = 107
"""Bytes a Unix socket's path may have on Linux."""


class ControlSocketError(Exception):
    """The socket cannot be made; the message says why and what to do."""


class _PeerChecked(HttpToolsProtocol):
    """Refuses peers of other users before a byte is read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if not peer_allowed(transport.get_extra_info("socket")):
            transport.abort()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        # A refused peer was never made a connection of.
        if self.transport is not None:
            super().connection_lost(exc)


def peer_allowed(sock: Any) -> bool:
    """Whether the peer is the socket's owner or root. Where the system cannot tell (no SO_PEERCRED), the socket's
    mode decides alone."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return uid in (0, os.getuid())


class _AsgiServer(ABC):
    """Serves an ASGI app on a listening socket of any family, with uvicorn's protocol and without its signals."""

    protocol: type[HttpToolsProtocol] = HttpToolsProtocol

    def __init__(self, app: Any) -> None:
        self._app = app
        self._server: asyncio.Server | None = None
        self._state = ServerState()

    @abstractmethod
    def bind(self) -> socket.socket:
        """A listening socket of the server's own. Raises :class:`ControlSocketError`."""

    async def start(self) -> None:
        if self._server is not None:
            return
        listener = self.bind()
        config = uvicorn.Config(
            self._app, log_config=None, access_log=False, lifespan="off", server_header=False, date_header=False,
            proxy_headers=False, ws="none",
        )  # fmt: skip
        config.load()
        self._state = state = ServerState()
        kind = self.protocol

        def protocol() -> asyncio.Protocol:
            return kind(config=config, server_state=state, app_state={})

        loop = asyncio.get_running_loop()
        listen = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
        self._server = await listen(protocol, sock=listener)

    async def stop(self, deadline_seconds: float = 2.0) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for connection in list(self._state.connections):
            cast("HttpToolsProtocol", connection).shutdown()
        tasks = set(self._state.tasks)
        if tasks:
            # Streams end only when they are told to.
            _done, waiting = await asyncio.wait(tasks, timeout=min(0.2, deadline_seconds))
            for task in waiting:
                task.cancel()
            if waiting:
                await asyncio.wait(waiting, timeout=deadline_seconds)


class ControlSocket(_AsgiServer):
    """The control API on its Unix socket."""

    protocol = _PeerChecked

    def __init__(self, path: Path, app: Any) -> None:
        super().__init__(app)
        self._path = path

    def bind(self) -> socket.socket:
        return _bind(self._path)

    async def stop(self, deadline_seconds: float = 2.0) -> None:
        if self._server is not None:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
        await super().stop(deadline_seconds)


class OpsServer(_AsgiServer):
    """The operations endpoints on a TCP port; 0 takes a free one."""

    def __init__(self, app: Any, *, host: str, port: int) -> None:
        super().__init__(app)
        self.host = host
        self.port = port

    def bind(self) -> socket.socket:
        try:
            listener = socket.create_server((self.host, self.port), reuse_port=False)
        except OSError as error:
            raise ControlSocketError(
                f"ops.port {self.host}:{self.port}: cannot listen there: {error.strerror or error}; choose another "
                "port, or set ops.enabled = false"
            ) from error
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        return listener


def _bind(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > PATH_LIMIT:
        raise ControlSocketError(
            f"{path}: longer than {PATH_LIMIT} bytes, which is all a Unix socket's path may have; "
            "set control.socket to a shorter one"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(os.fspath(path))
        finally:
            os.umask(mask)
        listener.listen(128)
        listener.setblocking(False)
    except OSError as error:
        raise ControlSocketError(f"{path}: the control socket cannot be made: {error.strerror}") from error
    return listener


def _clear(path: Path) -> None:
    """Remove a stale socket; never anything else, and never one that somebody answers on."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlSocketError(f"{path}: is there already and is not a socket; move it away or set control.socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(os.fspath(path))
        except OSError:
            path.unlink()
            return
    raise ControlSocketError(f"{path}: another syncd answers on this socket; stop it, or set control.socket")
