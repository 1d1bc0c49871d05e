"""REST, SOQL, describe and composite calls through simple-salesforce: in worker threads, an instance per thread.

The library speaks; what came back is judged here by the reply itself, since the library loses or misreads some of it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.systems.contract import Call, Payer, VendorError
from syncd.systems.mishaps import exception_kind, failure_of_exception
from syncd.systems.salesforce.auth import Auth, Token
from syncd.systems.salesforce.errors import failure_of_reply, incomplete, observed
from syncd.systems.salesforce.settings import Settings
from syncd.systems.salesforce.vitals import Vitals

Run = Callable[[Any], Any]
"""A call on a ``simple_salesforce.Salesforce``; what it returns is the parsed reply."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    data: Any = field(repr=False)
    """``None`` for an empty reply, and for an empty list (the library does not tell them apart)."""


@dataclass(frozen=True, slots=True)
class _Shot:
    raw: Any
    value: Any = None
    error: BaseException | None = None


class Rest:
    """Raises :class:`VendorError` for whatever goes wrong."""

    def __init__(self, settings: Settings, payer: Payer, world: World, auth: Auth, vitals: Vitals) -> None:
        self._settings = settings
        self._payer = payer
        self._world = world
        self._auth = auth
        self._vitals = vitals
        self._threads: ThreadPoolExecutor | None = None
        self._own = threading.local()
        self._made: list[Any] = []
        self._lock = threading.Lock()

    @property
    def loaded(self) -> bool:
        return self._threads is not None

    async def call(self, run: Run, lane: Lane, *, writes: bool = False, accept: frozenset[int] = frozenset()) -> Answer:
        """``accept`` names statuses outside 2xx that are answers too, such as 304."""
        token = await self._auth.token(lane)
        shot = await self._paid(run, token, lane, writes=writes)
        if shot.raw.status == 401:
            newer = await self._auth.renew(token, lane)
            if newer is not None:
                token = newer
                shot = await self._paid(run, token, lane, writes=writes)
        raw = shot.raw
        if raw.status != 401:
            self._auth.proved(token)
        if raw.status in accept:
            return Answer(raw.status, raw.headers, None)
        if not 200 <= raw.status <= 299:
            raise VendorError(failure_of_reply(raw.status, raw.body, writes=writes))
        if shot.error is not None and raw.status != 204:
            raise VendorError(incomplete(raw.status, raw.body, writes=writes))
        return Answer(raw.status, raw.headers, shot.value)

    async def get(self, path: str, lane: Lane, params: Mapping[str, Any] | None = None) -> Any:
        """The parsed reply of a GET below the REST root."""
        return (await self.call(lambda sf: sf.restful(path, params=dict(params or {})), lane)).data

    async def send(self, method: str, path: str, body: Any, lane: Lane, *, writes: bool = True) -> Any:
        """The parsed reply of a call with a JSON body. Numbers that must be exact come as ``orjson.Fragment``."""
        try:
            raw = orjson.dumps(body)
        except orjson.JSONEncodeError:
            raise VendorError(Failure(Remedy.ASK, "value-unwritable", "a value cannot be written as JSON")) from None
        return (await self.call(lambda sf: sf.restful(path, method=method, data=raw), lane, writes=writes)).data

    async def query(self, soql: str, lane: Lane, *, deleted: bool = False) -> Mapping[str, Any]:
        """The first page of a query."""
        return _page(await self.call(lambda sf: sf.query(soql, include_deleted=deleted), lane))

    async def query_more(self, url: str, lane: Lane) -> Mapping[str, Any]:
        """The next page, by ``nextRecordsUrl`` as it came."""
        if not url.startswith("/services/data/"):
            raise VendorError(Failure(Remedy.STOP, "bad-address", "the next page lies outside the REST root"))
        return _page(await self.call(lambda sf: sf.query_more(url, True), lane))

    async def query_all(self, soql: str, lane: Lane, *, deleted: bool = False) -> list[Mapping[str, Any]]:
        """Every row; for questions whose answer is known to be small."""
        page = await self.query(soql, lane, deleted=deleted)
        rows = list(page["records"])
        while not page.get("done", True) and page.get("nextRecordsUrl"):
            before = page["nextRecordsUrl"]
            page = await self.query_more(str(before), lane)
            if page.get("nextRecordsUrl") == before:
                raise VendorError(Failure(Remedy.RETRY, "no-progress", "the pages of a query repeat themselves", 200))
            rows += page["records"]
        return rows

    async def close(self) -> None:
        """Wait for calls under way (their time-outs bound it) and close the connections."""
        threads, self._threads = self._threads, None
        if threads is None:
            return
        await asyncio.get_running_loop().run_in_executor(None, lambda: threads.shutdown(cancel_futures=True))
        with self._lock:
            made, self._made = self._made, []
        self._own = threading.local()
        for session in made:
            session.close()

    async def _paid(self, run: Run, token: Token, lane: Lane, *, writes: bool) -> _Shot:
        call = Call("api")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._settings.threads, f"salesforce-{self._settings.connection}")
        async with self._payer.pay(call, lane):
            began = self._world.clock.monotonic()
            loop = asyncio.get_running_loop()
            shot = await loop.run_in_executor(self._threads, lambda: self._shoot(run, token))
            seconds = self._world.clock.monotonic() - began
            if shot.raw is None:
                self._payer.observe(call, 0, {}, seconds)
                error = shot.error or RuntimeError("no reply and no error")
                raise VendorError(failure_of_exception(error, writes=writes)) from None
            status, told = observed(shot.raw.status, shot.raw.headers, shot.raw.body)
            self._payer.observe(call, status, told, seconds)
        self._vitals.note(told, self._world.clock.now_ms())
        return shot

    def _shoot(self, run: Run, token: Token) -> _Shot:
        """In a worker thread."""
        library, adapter = self._instance(token)
        adapter.last = None
        try:
            value = run(library)
        except Exception as error:
            if adapter.last is None and not exception_kind(error):
                raise
            return _Shot(adapter.last, error=error)
        return _Shot(adapter.last, value)

    def _instance(self, token: Token) -> tuple[Any, Any]:
        """The calling thread's instance, for the present token."""
        made: tuple[str, Any, Any] | None = getattr(self._own, "made", None)
        if made is None or made[0] != token.instance_url:
            made = token.instance_url, *self._make(token)
            self._own.made = made
        made[2].token = token
        return made[1], made[2]

    def _make(self, token: Token) -> tuple[Any, Any]:
        with self._lock:
            from simple_salesforce.api import Salesforce

            from syncd.systems.salesforce.session import PLACEHOLDER, Session

            session = Session(self._settings)
            self._made.append(session)
        library = Salesforce(
            session_id=PLACEHOLDER, instance_url=token.instance_url, version=self._settings.api_version,
            session=session, parse_float=str, object_pairs_hook=dict,
        )  # fmt: skip
        return library, session.adapter


def _page(answer: Answer) -> Mapping[str, Any]:
    data = answer.data
    records = data.get("records") if isinstance(data, dict) else None
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the query answered without records", 200))
    return cast("dict[str, Any]", data)
