"""Requests to one store: V2, V3 and B2B Edition, each with its own envelope, answered with JSON or a failure."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx
import structlog

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.systems.bigcommerce.errors import Doing, from_reply, from_unusable, http_date, parsed
from syncd.systems.bigcommerce.settings import Settings
from syncd.systems.contract import Call, Payer, VendorError
from syncd.systems.wire import RawReply, Wire, encoded

log = structlog.get_logger(__name__)

Params = Sequence[tuple[str, str]]
_T = TypeVar("_T")
_R = TypeVar("_R")

_CUSTOMER_WRITES: Final = frozenset(
    {"customers", "customers/attribute-values", "customers/attributes", "customers/addresses"}
)
"""Endpoints that take three writes at once."""
_PRICE_WRITES: Final = re.compile(r"pricelists(?:/\d+)?(?:/records)?")
"""Endpoints that take one or two writes at once, and should be asked one after the other."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any = field(repr=False)
    """``None`` where there was none (204)."""
    date_ms: int | None = None
    """The vendor's clock when it answered, in whole seconds, as milliseconds since the epoch."""


class AnsweredError(VendorError):
    """The vendor refused, in a reply of its own."""

    def __init__(self, failure: Failure, body: Any) -> None:
        self.body = body
        """The reply's JSON, whole; ``None`` where it was none."""
        super().__init__(failure)


class Client:
    """One store's HTTP API. Built closed."""

    def __init__(
        self, settings: Settings, payer: Payer, world: World, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.settings = settings
        self._world = world
        self._store = f"{settings.api_url.rstrip('/')}/stores/{settings.store_hash}"
        self._b2b = settings.b2b_url.rstrip("/")
        self._wire = Wire(settings.bounds, settings.hosts, payer, world, transport)
        self.vendor_ms = 0
        """The vendor's clock at its last answer, in milliseconds since the epoch; 0 until it told one."""

    def open(self) -> None:
        self._wire.open()

    async def close(self) -> None:
        await self._wire.close()

    def now_ms(self) -> int:
        return self._world.clock.now_ms()

    def monotonic(self) -> float:
        return self._world.clock.monotonic()

    # -- V3

    async def rows(
        self, path: str, lane: Lane, params: Params = (), doing: Doing = Doing.READ
    ) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
        """A page of a V3 list: its rows and its ``meta``. ``READ_ONE`` where the list is a part of one resource."""
        reply = await self._store_call("GET", f"v3/{path}", lane, doing, params)
        return _rows(reply.body.get("data") if isinstance(reply.body, Mapping) else None), _meta(reply.body)

    async def one(self, path: str, lane: Lane, params: Params = ()) -> Mapping[str, Any] | None:
        """One V3 resource by its address; ``None`` where there is none."""
        try:
            reply = await self._store_call("GET", f"v3/{path}", lane, Doing.READ_ONE, params)
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                return None
            raise
        data = reply.body.get("data") if isinstance(reply.body, Mapping) else None
        if not isinstance(data, Mapping):
            raise VendorError(from_unusable(reply.status, "the answer holds no resource", Doing.READ_ONE))
        return data

    async def v3(
        self, method: str, path: str, lane: Lane, doing: Doing, body: Any = None, params: Params = ()
    ) -> list[Mapping[str, Any]]:
        """A V3 write; the resources in its answer (a single one too as a list; ids of deleted ones are left out)."""
        reply = await self._store_call(method, f"v3/{path}", lane, doing, params, body)
        data = reply.body.get("data") if isinstance(reply.body, Mapping) else None
        if isinstance(data, list):
            data = [one for one in data if not isinstance(one, int)]
        return [data] if isinstance(data, Mapping) else _rows(data or [])

    # -- V2

    async def v2(self, path: str, lane: Lane, params: Params = (), *, one: bool = False) -> Reply:
        """A V2 read; the body is ``None`` for an empty list."""
        return await self._store_call("GET", f"v2/{path}", lane, Doing.READ_ONE if one else Doing.READ, params)

    async def v2_one(self, path: str, lane: Lane) -> Mapping[str, Any] | None:
        """One V2 resource by its address; ``None`` where there is none."""
        try:
            body = (await self.v2(path, lane, one=True)).body
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                return None
            raise
        return body if isinstance(body, Mapping) else None

    async def v2_send(self, method: str, path: str, lane: Lane, doing: Doing, body: Any = None) -> Mapping[str, Any]:
        """A V2 write; the resource in its answer, empty where it has none."""
        reply = await self._store_call(method, f"v2/{path}", lane, doing, (), body)
        return reply.body if isinstance(reply.body, Mapping) else {}

    async def v2_rows(
        self, path: str, lane: Lane, params: Params = (), *, one: bool = False
    ) -> list[Mapping[str, Any]]:
        """A V2 list, ``one``: that is a part of one resource. Nothing is 204 without a body, not ``[]``."""
        return _rows((await self.v2(path, lane, params, one=one)).body or [])

    # -- B2B Edition

    async def b2b(
        self, method: str, path: str, lane: Lane, doing: Doing, params: Params = (), body: Any = None
    ) -> tuple[Any, Mapping[str, Any]]:
        """A call of B2B Edition: ``data`` (``None`` where there is none) and ``meta``."""
        headers = {"x-store-hash": self.settings.store_hash}
        reply = await self._call(method, f"{self._b2b}/{path}", Call("b2b"), lane, doing, params, body, headers)
        if reply.body is None:
            return None, {}
        if not isinstance(reply.body, Mapping) or not reply.body.keys() & {"data", "meta"}:
            raise VendorError(from_unusable(reply.status, "the answer has not B2B Edition's envelope", doing))
        return reply.body.get("data"), _meta(reply.body)

    # -- the call

    async def _store_call(
        self, method: str, path: str, lane: Lane, doing: Doing, params: Params = (), body: Any = None
    ) -> Reply:
        call = Call(_kind(method, path.partition("/")[2]))
        return await self._call(method, f"{self._store}/{path}", call, lane, doing, params, body, {})

    async def _call(
        self,
        method: str,
        url: str,
        call: Call,
        lane: Lane,
        doing: Doing,
        params: Params,
        body: Any,
        headers: Mapping[str, str],
    ) -> Reply:
        trace = self._trace()
        sent = {"x-auth-token": self.settings.access_token.reveal(), "x-correlation-id": trace, **headers}
        content = None
        if body is not None:
            content = encoded(body)
            sent["content-type"] = "application/json"
        request = httpx.Request(method, url, params=list(params) or None, headers=sent, content=content)
        raw = await self._wire.send(request, call, lane, writes=doing.writes)
        log.debug(
            "vendor_reply",
            connection=self.settings.connection,
            method=method,
            resource=_resource(url, self._store, self._b2b),
            status=raw.status,
            seconds=round(raw.seconds, 3),
            correlation_id=trace,
        )
        return self._judged(raw, doing)

    def _judged(self, raw: RawReply, doing: Doing) -> Reply:
        if not 200 <= raw.status < 300:
            failure = from_reply(raw.status, raw.headers, raw.content, doing)
            raise AnsweredError(failure, parsed(raw.content))
        date = http_date(raw.headers.get("date", ""))
        stamp = None if date is None else int(date * 1000)
        self.vendor_ms = stamp or 0
        if raw.status == 204:
            return Reply(raw.status, None, stamp)
        if raw.status == 207:
            # Part was done, and which part is not told in a form to rely on.
            raise VendorError(from_unusable(raw.status, "the vendor did a part of it only", doing))
        body = parsed(raw.content)
        if body is None:
            raise VendorError(from_unusable(raw.status, "the body is not JSON", doing))
        return Reply(raw.status, body, stamp)

    def _trace(self) -> str:
        """The correlation id bound to this task's log context where it is a UUID, as the vendor wants, or a new one."""
        bound = structlog.contextvars.get_contextvars().get("correlation_id")
        try:
            return str(uuid.UUID(str(bound)))
        except ValueError:
            return str(uuid.uuid4())


def _kind(method: str, path: str) -> str:
    """The window of calls at once that a request falls into, beside the store's quota."""
    if method != "GET" and path in _CUSTOMER_WRITES:
        return "customer_write"
    return "price_write" if method in ("PUT", "DELETE") and _PRICE_WRITES.fullmatch(path) else "api"


def _resource(url: str, *bases: str) -> str:
    """Which part of the API a URL is in, without ids."""
    for base in bases:
        if url.startswith(f"{base}/"):
            parts = url[len(base) + 1 :].split("/")
            return "/".join(part for part in parts if part in ("v2", "v3") or not any(map(str.isdigit, part)))
    return ""


def _meta(body: Any) -> Mapping[str, Any]:
    meta = body.get("meta") if isinstance(body, Mapping) else None
    return meta if isinstance(meta, Mapping) else {}


def _rows(found: Any) -> list[Mapping[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise VendorError(from_unusable(200, "the answer holds no list of resources", Doing.READ))
    return found


def chunks(found: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(found), size):
        yield found[start : start + size]


async def each(inputs: Iterable[_T], work: Callable[[_T], Awaitable[_R]], at_once: int) -> list[_R]:
    """The results of ``work`` in the order of the inputs, at most ``at_once`` under way. The first error cancels the
    others and is raised as it is."""
    gate = asyncio.Semaphore(at_once)

    async def run(one: _T) -> _R:
        async with gate:
            return await work(one)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(one)) for one in inputs]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
