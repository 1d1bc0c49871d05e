"""One paid request on the wire: nothing leaves without the budget, nothing goes to another host.

The client keeps connections alive, follows no redirects, reads no proxy or netrc settings from the environment,
and takes no more than :data:`LARGEST_REPLY` decoded bytes, so that neither a gzip bomb nor a slow trickle can
hold the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson

from syncd import __version__
from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.systems.contract import Call, OutOfBudgetError, Payer, VendorError
from syncd.systems.mishaps import failure_of_exception, out_of_budget

LARGEST_REPLY: Final = 64 * 1024 * 1024
"""Bytes after decompression."""

UNWRITABLE: Final = "value-unwritable"
"""Code of the failure of a value that was never sent."""

WIRE_ERRORS: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may take."""

    connect_seconds: float
    read_seconds: float
    """Silence allowed while waiting for bytes."""
    total_seconds: float
    """The whole of one request, also when bytes trickle."""
    connections: int
    """Kept at once."""


Observed = Callable[[int, Mapping[str, str], bytes], tuple[int, Mapping[str, str]]]
"""Status and headers (names in lower case) as the budget understands them, of a whole reply: some vendors say in the
body only which limit was met."""
Admits = Callable[[str], bool]
"""Whether a request may go to an address outside the hosts."""


def as_it_came(status: int, headers: Mapping[str, str], _: bytes) -> tuple[int, Mapping[str, str]]:
    return status, headers


def nowhere_else(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class RawReply:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes = field(repr=False)
    seconds: float
    """From sending to the last byte."""


class Wire:
    """The HTTP client of one connection. Built closed. ``hosts`` are base addresses; requests go to their origins and
    nowhere else, unless ``admits`` says so."""

    def __init__(
        self,
        bounds: Bounds,
        hosts: Iterable[str],
        payer: Payer,
        world: World,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        observed: Observed = as_it_came,
        admits: Admits = nowhere_else,
    ) -> None:
        self._bounds = bounds
        self._observed = observed
        self._admits = admits
        self._hosts = frozenset(_origin(url) for url in hosts)
        self._payer = payer
        self._clock = world.clock
        self._transport = transport
        self._http: httpx.AsyncClient | None = None

    def open(self) -> None:
        if self._http is not None:
            return
        bounds = self._bounds
        silence = bounds.read_seconds
        self._http = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(connect=bounds.connect_seconds, read=silence, write=silence, pool=silence),
            limits=httpx.Limits(
                max_connections=bounds.connections, max_keepalive_connections=bounds.connections, keepalive_expiry=30.0
            ),
            headers={"user-agent": f"syncd/{__version__}", "accept": "application/json", "accept-encoding": "gzip"},
            transport=self._transport,
        )

    async def close(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def send(self, request: httpx.Request, call: Call, lane: Lane, *, writes: bool) -> RawReply:
        """Pay for the request, send it, read the whole reply. Raises :class:`VendorError` when there is none; for one
        that ``writes``, LOOK where it may have been applied."""
        url = str(request.url)
        if _origin(url) not in self._hosts and not self._admits(url):
            raise VendorError(Failure(Remedy.STOP, "bad-address", "an address outside the connection's own hosts"))
        try:
            async with self._payer.pay(call, lane):
                return await self._paid(request, call, writes=writes)
        except OutOfBudgetError as error:
            raise VendorError(out_of_budget(error)) from None

    async def _paid(self, request: httpx.Request, call: Call, *, writes: bool) -> RawReply:
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._bounds.total_seconds):
                status, headers, content = await self._exchange(request, writes=writes)
        except WIRE_ERRORS as error:
            self._payer.observe(call, 0, {}, self._clock.monotonic() - began)
            # The exception's request holds the authorization header: it must not travel on as the cause.
            raise VendorError(failure_of_exception(error, writes=writes)) from None
        seconds = self._clock.monotonic() - began
        self._payer.observe(call, *self._observed(status, headers, content), seconds)
        return RawReply(status, headers, content, seconds)

    async def _exchange(self, request: httpx.Request, *, writes: bool) -> tuple[int, Mapping[str, str], bytes]:
        http = self._http
        if http is None:
            raise VendorError(Failure(Remedy.RETRY, "not-open", "the connection is not open"))
        for name, value in http.headers.items():
            request.headers.setdefault(name, value)
        # A request built by hand has no bounds of its own.
        request.extensions.setdefault("timeout", http.timeout.as_dict())
        response = await http.send(request, stream=True)
        try:
            pieces, size = [], 0
            async for piece in response.aiter_bytes():
                size += len(piece)
                if size > LARGEST_REPLY:
                    remedy = Remedy.LOOK if writes else Remedy.SPLIT
                    raise VendorError(Failure(remedy, "too-large", "the reply was too large", response.status_code))
                pieces.append(piece)
        finally:
            await response.aclose()
        return response.status_code, dict(response.headers.items()), b"".join(pieces)


def encoded(body: Any) -> bytes:
    """A body as JSON. Raises :class:`VendorError` with the remedy ASK for what JSON cannot say, such as half a
    character."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise VendorError(Failure(Remedy.ASK, UNWRITABLE, "a value cannot be written as JSON")) from None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
