"""Our own HTTP: paid, bounded in time and size, judged. Sign-in, Bulk API 2.0 and SOAP go this way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.systems.contract import Call, Payer, VendorError
from syncd.systems.mishaps import failure_of_exception
from syncd.systems.salesforce.auth import Auth, Token
from syncd.systems.salesforce.csvs import RowReader
from syncd.systems.salesforce.errors import failure_of_reply, incomplete, observed, parse
from syncd.systems.salesforce.settings import LOOPBACK, Settings
from syncd.systems.salesforce.vitals import Vitals

LARGEST_REPLY: Final = 64 * 1024 * 1024
TOO_LARGE: Final = "too-large"
Body = bytes | AsyncIterable[bytes] | None


@dataclass(frozen=True, slots=True)
class Taking:
    """What to do with the bytes of a good reply as they come, instead of keeping them as its body."""

    take: Callable[[bytes], None] | None = None
    largest: int = LARGEST_REPLY


WHOLE: Final = Taking()


@dataclass(frozen=True, slots=True)
class _Ask:
    """One signed-in call."""

    method: str
    path: str
    params: Mapping[str, str] | None
    content: Body = field(repr=False)
    size: int
    content_type: str
    accept: str
    writes: bool
    taking: Taking


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self, *, writes: bool = False) -> Any:
        """The JSON of the body. Raises :class:`VendorError` where there is none."""
        data = parse(self.body)
        if data is None:
            raise VendorError(incomplete(self.status, self.body, writes=writes))
        return data


class Web:
    """Raises :class:`VendorError` for every reply outside 2xx and every one that never came."""

    def __init__(
        self,
        settings: Settings,
        payer: Payer,
        world: World,
        vitals: Vitals,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._payer = payer
        self._world = world
        self._vitals = vitals
        self._transport = transport
        self._http: httpx.AsyncClient | None = None
        self._auth: Auth | None = None

    def use(self, auth: Auth) -> None:
        """Take the token from there. Apart from the constructor because buying a token is itself a call of ours."""
        self._auth = auth

    async def open(self) -> None:
        if self._http is not None:
            return
        settings = self._settings
        import ssl

        verify: ssl.SSLContext | bool = True
        if settings.ca_file:
            verify = ssl.create_default_context(cafile=settings.ca_file)
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(settings.read_seconds, connect=settings.connect_seconds),
            limits=httpx.Limits(max_connections=10, max_keepalive_connections=10),
            transport=self._transport,
            verify=verify,
            follow_redirects=False,
            trust_env=not settings.loopback,
        )

    async def close(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def get(self, path: str, lane: Lane, params: Mapping[str, str] | None = None) -> Reply:
        return await self.call("GET", path, lane, params=params)

    async def rows(
        self, path: str, lane: Lane, params: Mapping[str, str] | None = None, *, largest: int = LARGEST_REPLY,
        only: frozenset[str] | None = None,
    ) -> tuple[list[dict[str, str]], Reply]:  # fmt: skip
        """A CSV's rows, parsed as they come; ``only`` some of its columns, named in lower case. Raises
        :class:`VendorError`: SPLIT for more than ``largest`` bytes."""
        reader = RowReader(only)
        rows: list[dict[str, str]] = []
        taking = Taking(lambda piece: rows.extend(reader.feed(piece)), largest)
        try:
            reply = await self.call("GET", path, lane, params=params, accept="text/csv", taking=taking)
            rows += reader.close()
        except ValueError:
            raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the rows cannot be read", 200)) from None
        return rows, reply

    async def call(
        self,
        method: str,
        path: str,
        lane: Lane,
        *,
        params: Mapping[str, str] | None = None,
        content: Body = None,
        size: int = 0,
        content_type: str = "application/json; charset=UTF-8",
        accept: str = "",
        writes: bool = False,
        taking: Taking = WHOLE,
    ) -> Reply:
        """A signed-in call below the instance. A refused token is renewed once; a streamed ``content`` must then come
        anew, so it may not be an iterator that ends. ``size``: its bytes, which not every server lets come untold."""
        if self._auth is None:
            raise AssertionError("use() comes first")
        token = await self._auth.token(lane)
        ask = _Ask(method, path, params, content, size, content_type, accept, writes, taking)
        reply = await self._signed(token, ask, lane)
        if reply.status == 401:
            newer = await self._auth.renew(token, lane)
            if newer is not None:
                token = newer
                reply = await self._signed(token, ask, lane)
        if reply.status != 401:
            self._auth.proved(token)
        if not 200 <= reply.status <= 299:
            raise VendorError(failure_of_reply(reply.status, reply.body, writes=writes))
        return reply

    async def soap(self, path: str, content: bytes, lane: Lane) -> Reply:
        """A SOAP call: the session stands in the envelope, and faults come with a status of 500."""
        if self._auth is None:
            raise AssertionError("use() comes first")
        token = await self._auth.token(lane)
        headers = {"content-type": "text/xml; charset=UTF-8", "soapaction": '""', "accept": "text/xml"}
        request = httpx.Request("POST", urljoin(token.instance_url, path), headers=headers, content=content)
        return await self._paid(request, Call("api"), lane, writes=True)

    async def token_request(self, url: str, form: Mapping[str, str], lane: Lane) -> Reply:
        """The token endpoint: no token yet, and any status is an answer."""
        request = httpx.Request("POST", url, data=dict(form), headers={"accept": "application/json"})
        return await self._paid(request, Call("auth"), lane, writes=False)

    async def _signed(self, token: Token, ask: _Ask, lane: Lane) -> Reply:
        url = httpx.URL(urljoin(token.instance_url, ask.path))
        headers = {
            "authorization": f"Bearer {token.value.reveal()}",
            "accept": ask.accept or "application/json",
            "sforce-call-options": f"client={self._settings.marker}",
        }
        if ask.content is not None:
            headers["content-type"] = ask.content_type
        if ask.size:
            headers["content-length"] = str(ask.size)
        params = dict(ask.params) if ask.params else None
        request = httpx.Request(ask.method, url, params=params, headers=headers, content=ask.content)
        return await self._paid(request, Call("api"), lane, writes=ask.writes, taking=ask.taking)

    async def _paid(
        self, request: httpx.Request, call: Call, lane: Lane, *, writes: bool, taking: Taking = WHOLE
    ) -> Reply:
        if self._http is None:
            raise AssertionError("open() comes first")
        self._must_be_ours(request.url)
        async with self._payer.pay(call, lane):
            began = self._world.clock.monotonic()
            try:
                async with asyncio.timeout(self._settings.total_seconds):
                    reply = await self._exchange(self._http, request, taking)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict, TimeoutError) as error:
                self._payer.observe(call, 0, {}, self._world.clock.monotonic() - began)
                # The exception's request holds the authorization header: it must not travel on as the cause.
                raise VendorError(failure_of_exception(error, writes=writes)) from None
            except (VendorError, ValueError):  # The reply came; what it carried is of no use.
                self._payer.observe(call, 200, {}, self._world.clock.monotonic() - began)
                raise
            status, told = observed(reply.status, reply.headers, reply.body)
            self._payer.observe(call, status, told, self._world.clock.monotonic() - began)
        self._vitals.note(told, self._world.clock.now_ms())
        return reply

    async def _exchange(self, http: httpx.AsyncClient, request: httpx.Request, taking: Taking) -> Reply:
        request.extensions.setdefault("timeout", http.timeout.as_dict())
        response = await http.send(request, stream=True)
        try:
            pieces: list[bytes] = []
            take = taking.take if taking.take is not None and response.is_success else pieces.append
            size = 0
            async for piece in response.aiter_bytes():
                size += len(piece)
                if size > taking.largest:
                    raise VendorError(Failure(Remedy.SPLIT, TOO_LARGE, "the reply was too large"))
                take(piece)
        finally:
            await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, b"".join(pieces))

    def _must_be_ours(self, url: httpx.URL) -> None:
        if self._settings.loopback and url.host in LOOPBACK:
            return
        if not self._settings.allows(str(url)):
            host = urlsplit(str(url)).hostname
            raise VendorError(Failure(Remedy.STOP, "bad-address", f"{host} is not a host of this connection"))
