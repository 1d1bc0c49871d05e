"""The control socket is its owner's alone, and the only one at its place."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from syncd.control.socket import PATH_LIMIT, ControlSocket, ControlSocketError, OpsServer, peer_allowed
from tests.control.office import client_of

NOBODY = 65_534


async def _hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", _hello)])


@pytest.fixture
def folder() -> Iterator[Path]:
    # Paths of sockets are limited to about a hundred bytes, which pytest's folders may exceed.
    with tempfile.TemporaryDirectory(prefix="syncd-") as name:
        yield Path(name)


@pytest.fixture
async def served(folder: Path) -> AsyncIterator[ControlSocket]:
    server = ControlSocket(folder / "run" / "c.sock", APP)
    await server.start()
    yield server
    await server.stop(1)


async def _ask(path: Path) -> str:
    async with client_of(path) as client:
        return (await client.get("/")).text


async def test_the_socket_and_its_folder_are_private(served: ControlSocket) -> None:
    path = served._path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert await _ask(path) == "hello"


async def test_a_peer_of_another_user_is_refused_before_it_can_ask(served: ControlSocket, monkeypatch) -> None:
    # The peer stays who it is; the daemon is taken for somebody else's.
    monkeypatch.setattr("syncd.control.socket.peer_allowed", lambda sock: uid_of(sock) == NOBODY)
    with pytest.raises(httpx.HTTPError):
        await _ask(served._path)
    monkeypatch.undo()
    assert await _ask(served._path) == "hello"


def uid_of(sock: socket.socket) -> int:
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], "little")


def test_root_and_the_owner_are_allowed_and_nobody_else(monkeypatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_allowed(ours)
        me = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: me + 1)
        assert peer_allowed(ours) is (me == 0)
        monkeypatch.delattr(socket, "SO_PEERCRED")
        assert peer_allowed(ours)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
async def test_another_user_can_neither_reach_nor_speak_to_the_socket(served: ControlSocket) -> None:
    path = served._path
    for mode, opened in ((0o600, False), (0o666, True)):
        # Even where somebody opened the folder and the socket to all, the peer's user decides.
        path.chmod(mode)
        path.parent.chmod(0o700 if not opened else 0o755)
        path.parent.parent.chmod(0o755)
        told = await asyncio.to_thread(_as_nobody, path)
        assert told == (b"refused" if not opened else b"nothing"), mode
    assert await _ask(path) == "hello"


def _as_nobody(path: Path) -> bytes:
    """What a process of user 65534 gets from the socket."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setuid(NOBODY)
            os.write(write, _knock(path))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        told = answer.read()
    os.waitpid(child, 0)
    return told


def _knock(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(3)
        try:
            one.connect(str(path))
            one.sendall(b"GET / HTTP/1.1\r\nhost: syncd\r\n\r\n")
            return one.recv(4096) or b"nothing"
        except (ConnectionResetError, BrokenPipeError):
            return b"nothing"
        except PermissionError:
            return b"refused"


async def test_a_stale_socket_is_replaced(folder: Path) -> None:
    path = folder / "c.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    server = ControlSocket(path, APP)
    await server.start()
    assert await _ask(path) == "hello"
    await server.stop(1)
    assert not path.exists()


async def test_a_socket_that_somebody_answers_on_is_left_alone(served: ControlSocket) -> None:
    with pytest.raises(ControlSocketError, match="another syncd answers on this socket; stop it"):
        await ControlSocket(served._path, APP).start()
    assert await _ask(served._path) == "hello"


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
async def test_what_is_not_a_socket_is_never_removed(folder: Path, kind: str) -> None:
    path, other = folder / "c.sock", folder / "other"
    other.write_text("precious")
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(other)
    with pytest.raises(ControlSocketError, match="is not a socket; move it away"):
        await ControlSocket(path, APP).start()
    assert path.is_symlink() or path.exists()
    assert other.read_text() == "precious"


async def test_a_path_that_is_too_long_says_so(folder: Path) -> None:
    path = folder / ("x" * PATH_LIMIT)
    with pytest.raises(ControlSocketError, match="longer than 107 bytes") as caught:
        await ControlSocket(path, APP).start()
    assert "set control.socket" in str(caught.value)


async def test_a_folder_that_cannot_be_made_says_so(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(ControlSocketError, match="cannot be made"):
        await ControlSocket(folder / "file" / "run" / "c.sock", APP).start()


async def test_a_server_starts_and_stops_as_often_as_it_is_told(folder: Path) -> None:
    server = ControlSocket(folder / "c.sock", APP)
    await server.stop(1)
    for _ in range(2):
        await server.start()
        await server.start()
        assert await _ask(folder / "c.sock") == "hello"
        await server.stop(1)
        await server.stop(1)


async def test_a_taken_port_of_the_operations_server_says_what_to_do() -> None:
    first = OpsServer(APP, host="127.0.0.1", port=0)
    await first.start()
    with pytest.raises(ControlSocketError, match=r"ops\.port 127\.0\.0\.1:\d+: cannot listen there.*choose another"):
        await OpsServer(APP, host="127.0.0.1", port=first.port).start()
    await first.stop(1)
