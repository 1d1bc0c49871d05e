"""Requests and replies as the simulated vendors see them, and the HTTP/1.1 protocol that carries them.

A protocol of our own on uvicorn's parser (httptools): a simulated vendor must be able to do what a server library
takes pains to prevent (cut a body short, drop a connection after doing the work), and each reply leaves in one write.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import httptools
import orjson

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Larger request bodies are answered 413, unless a vendor takes larger ones."""

_SETTLE_SECONDS = 2.0

_log = logging.getLogger(__name__)
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    """As sent, still percent-encoded; :meth:`segments` decodes it."""
    query: str
    """What stood behind the question mark, still encoded."""
    headers: dict[str, str]
    """Names in lower case; of a repeated header the last one."""
    body: bytes = b""
    target: str = ""
    """Path and query exactly as on the request line (webhook and request signatures are made over it)."""

    def segments(self) -> list[str]:
        return [unquote(part) for part in self.path.split("/") if part]

    def params(self) -> list[tuple[str, str]]:
        """The query parameters in order, repeated ones repeated."""
        return parse_qsl(self.query, keep_blank_values=True)

    def param(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.params() if key == name), default)

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON. Raises ``orjson.JSONDecodeError`` (a ``ValueError``)."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    cut: bool = False
    """Promise the whole length, send half of it, close."""
    drop: bool = False
    """Send nothing at all; abort the connection."""


def reply_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, orjson.dumps(value), headers or {})


Handler = Callable[[Request], Awaitable[Reply]]


class HttpProtocol(asyncio.Protocol):
    """One connection. Pipelined requests are answered in order, one at a time."""

    def __init__(
        self,
        handler: Handler,
        refusing: Callable[[], bool],
        open_connections: set[HttpProtocol],
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._handler = handler
        self._refusing = refusing
        self._open = open_connections
        self._max_body = max_body_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)
        if self._refusing():
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """A caller that hung up does not undo what it asked for: the request in hand runs to its end."""
        self._open.discard(self)
        self._waiting.clear()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def settle(self) -> None:
        """Wait for the request in hand, but not for one that sleeps on a clock nobody moves any more."""
        if self._task is None:
            return
        _, late = await asyncio.wait({self._task}, timeout=_SETTLE_SECONDS)
        for task in late:
            task.cancel()
            await asyncio.wait({task})

    def data_received(self, data: bytes) -> None:
        if self._refusing():
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._write(Reply(400, b"malformed request", content_type="text/plain"), "GET", keep_alive=False)

    # -- the parser's callbacks

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if len(self._body) <= self._max_body:
            self._body += body

    def on_message_complete(self) -> None:
        target = self._url.decode("latin-1")
        path, _, query = target.partition("?")
        method = self._parser.get_method().decode("ascii")
        request = Request(method, path, query, self._headers, bytes(self._body), target)
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    # -- answering

    async def _work(self) -> None:
        while self._waiting:
            request, keep_alive = self._waiting.popleft()
            self._write(await self._answer(request), request.method, keep_alive)

    async def _answer(self, request: Request) -> Reply:
        if len(request.body) > self._max_body:
            return Reply(413, b"request body too large", content_type="text/plain")
        try:
            return await self._handler(request)
        except Exception:  # noqa: BLE001  # the border: a fault of the sandbox must be seen, not hang its caller
            _log.exception("a simulated vendor failed at %s %s", request.method, request.path)
            return Reply(500, b"the sandbox itself failed; see its log", content_type="text/plain")

    def _write(self, reply: Reply, method: str, keep_alive: bool) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if reply.drop:
            transport.abort()
            return
        keep_alive = keep_alive and not reply.cut
        head = [_STATUS_LINES.get(reply.status) or f"HTTP/1.1 {reply.status} \r\n".encode()]
        if reply.status != HTTPStatus.NO_CONTENT:
            head.append(f"content-length: {len(reply.body)}\r\n".encode())
            if reply.body:
                head.append(f"content-type: {reply.content_type}\r\n".encode())
        head.extend(f"{name}: {value}\r\n".encode("latin-1", "replace") for name, value in reply.headers.items())
        head.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        if method != "HEAD" and reply.status != HTTPStatus.NO_CONTENT:
            head.append(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        transport.write(b"".join(head))
        if not keep_alive:
            transport.close()
