"""One paid request on the wire: nothing leaves without the budget, nothing goes to another host.

The client keeps connections alive, follows no redirects, reads no proxy or netrc settings from the environment, and
takes no more than :data:`LARGEST_REPLY` decoded bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from syncd import __version__
from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.systems.bigcommerce.errors import WIRE_ERRORS, Doing
from syncd.systems.bigcommerce.settings import Settings
from syncd.systems.contract import Call, OutOfBudgetError, Payer, VendorError
from syncd.systems.mishaps import failure_of_exception, out_of_budget

LARGEST_REPLY: Final = 64 * 1024 * 1024
"""Bytes after decompression."""


@dataclass(frozen=True, slots=True)
class RawReply:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes = field(repr=False)
    seconds: float
    """From sending to the last byte."""


class Wire:
    """The HTTP client of one connection. Built closed."""

    def __init__(
        self, settings: Settings, payer: Payer, world: World, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._payer = payer
        self._clock = world.clock
        self._transport = transport
        self._hosts = frozenset(_origin(url) for url in (settings.api_url, settings.b2b_url))
        self._http: httpx.AsyncClient | None = None

    def open(self) -> None:
        if self._http is not None:
            return
        settings = self._settings
        room = 2 * settings.concurrency + 4
        silence = settings.read_seconds
        self._http = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(connect=settings.connect_seconds, read=silence, write=silence, pool=silence),
            limits=httpx.Limits(max_connections=room, max_keepalive_connections=room, keepalive_expiry=30.0),
            headers={"user-agent": f"syncd/{__version__}", "accept": "application/json", "accept-encoding": "gzip"},
            transport=self._transport,
        )

    async def close(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def send(self, request: httpx.Request, call: Call, lane: Lane, doing: Doing) -> RawReply:
        """Pay for the request, send it, read the whole reply. Raises :class:`VendorError` when there is none."""
        if _origin(str(request.url)) not in self._hosts:
            raise VendorError(Failure(Remedy.STOP, "bad-address", "an address outside the connection's own hosts"))
        try:
            async with self._payer.pay(call, lane):
                return await self._paid(request, call, doing)
        except OutOfBudgetError as error:
            raise VendorError(out_of_budget(error)) from None

    async def _paid(self, request: httpx.Request, call: Call, doing: Doing) -> RawReply:
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._settings.total_seconds):
                status, headers, content = await self._exchange(request, doing)
        except WIRE_ERRORS as error:
            self._payer.observe(call, 0, {}, self._clock.monotonic() - began)
            # The exception's request holds the token: it must not travel on as the cause.
            raise VendorError(failure_of_exception(error, writes=doing.writes)) from None
        seconds = self._clock.monotonic() - began
        self._payer.observe(call, status, headers, seconds)
        return RawReply(status, headers, content, seconds)

    async def _exchange(self, request: httpx.Request, doing: Doing) -> tuple[int, Mapping[str, str], bytes]:
        http = self._http
        if http is None:
            raise VendorError(Failure(Remedy.RETRY, "not-open", "the connection is not open"))
        for name, value in http.headers.items():
            request.headers.setdefault(name, value)
        response = await http.send(request, stream=True)
        try:
            pieces, size = [], 0
            async for piece in response.aiter_bytes():
                size += len(piece)
                if size > LARGEST_REPLY:
                    remedy = Remedy.LOOK if doing.writes else Remedy.SPLIT
                    raise VendorError(Failure(remedy, "too-large", "the reply was too large", response.status_code))
                pieces.append(piece)
        finally:
            await response.aclose()
        return response.status_code, dict(response.headers.items()), b"".join(pieces)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
