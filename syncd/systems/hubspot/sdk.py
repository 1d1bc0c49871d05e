"""hubspot-api-client behind a bounded thread pool, loaded on first use.

What is minded here, because the generated client does not:

* every attribute walk makes a new client with a connection pool of its own: each worker thread walks once and keeps;
* no time-outs unless given per call; urllib3 would retry by itself unless told ``retry=False``;
* exceptions are generated per package: they are known by their attributes, never by class;
* a 207 is another model class, unknown keys are dropped, models are slow: replies are taken raw;
* the internal path for TLS errors and for bodies that are not UTF-8 ends in another exception: see :func:`_told_by`;
* making a configuration resets the level of the ``urllib3`` logger: it is put back;
* it knows one version of the API: its paths are rewritten to ours on their way;
* ``api_request`` has no time-out and no connection reuse: paths without a typed call go through a kept typed client.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from operator import attrgetter
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.contract import Call, OutOfBudgetError, Payer, VendorError
from syncd.systems.hubspot.auth import Auth
from syncd.systems.hubspot.errors import failure_of_reply, incomplete, observed, parse
from syncd.systems.hubspot.settings import OAuthGrant, Paths, Settings
from syncd.systems.hubspot.vitals import Vitals
from syncd.systems.mishaps import exception_kind, failure_of_exception, out_of_budget
from syncd.systems.wire import LARGEST_REPLY

SEARCH: Final = "crm.objects.search_api.do_search"
SINGLE: Final = "crm.objects.basic_api.get_by_id"
FIRST_PAGE: Final = "crm.objects.basic_api.get_page"
PROPERTIES: Final = "crm.properties.core_api.get_all"
PROPERTY_CREATE: Final = "crm.properties.core_api.create"
GROUPS: Final = "crm.properties.groups_api.get_all"
GROUP_CREATE: Final = "crm.properties.groups_api.create"
PIPELINES: Final = "crm.pipelines.pipelines_api.get_all"
PIPELINE_CREATE: Final = "crm.pipelines.pipelines_api.create"
STAGE_CREATE: Final = "crm.pipelines.pipeline_stages_api.create"
_TOKENS: Final = "oauth.tokens_api.create"
_ANY: Final = "crm.properties.core_api"


@dataclass(frozen=True, slots=True)
class Raw:
    """A reply as it came off the wire; status 0 with an error where none came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    error: BaseException | None = None


class Sdk:
    """Typed calls by dotted name, such as :data:`SEARCH`. Raises :class:`VendorError` for whatever goes wrong."""

    def __init__(self, settings: Settings, payer: Payer, world: World, vitals: Vitals) -> None:
        self._settings = settings
        self._paths = Paths(settings.api_version)
        self._payer = payer
        self._world = world
        self._vitals = vitals
        self._auth: Auth | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._own = threading.local()
        self._made: list[Any] = []
        self._lock = threading.Lock()

    def use(self, auth: Auth) -> None:
        """Take the token from there. Apart from the constructor because buying a token is itself a call of ours."""
        self._auth = auth

    @property
    def loaded(self) -> bool:
        return self._threads is not None

    async def call(
        self, name: str, *args: Any, lane: Lane, kind: str = "api", writes: bool = False, **more: Any
    ) -> Any:
        """The parsed JSON of a typed call's reply."""

        def run(token: Secret) -> Raw:
            return self._typed(name, token, args, more)

        return await self._authorised(run, lane, kind, writes=writes)

    async def get(self, path: str, lane: Lane) -> Any:
        """The parsed JSON at a path the generated packages do not know."""

        def run(token: Secret) -> Raw:
            client = self._kept(_ANY, token).api_client
            return _shoot(
                lambda: client.call_api(
                    path, "GET", {}, {}, {"Accept": "application/json"}, body=None, post_params=[], files={},
                    response_types_map={}, auth_settings=["oauth2"], **self._manners(),
                ),
                self._settings.bounds.total_seconds,
            )  # fmt: skip

        return await self._authorised(run, lane, "api", writes=False)

    async def sign_in(self, grant: OAuthGrant, lane: Lane) -> Mapping[str, Any]:
        """Buy an access token with the refresh token."""

        def run() -> Raw:
            return self._typed(_TOKENS, None, (), {
                "grant_type": "refresh_token",
                "client_id": grant.client_id,
                "client_secret": grant.client_secret.reveal(),
                "refresh_token": grant.refresh_token.reveal(),
            })  # fmt: skip

        raw = await self._paid(run, Call("auth"), lane)
        # A refresh that may have been answered is asked again: the grant outlives its tokens.
        answer = self._open(raw, writes=False)
        return answer if isinstance(answer, Mapping) else {}

    async def close(self) -> None:
        """Wait for calls under way (their time-outs bound it) and close the connections."""
        threads, self._threads = self._threads, None
        if threads is None:
            return
        await asyncio.get_running_loop().run_in_executor(None, lambda: threads.shutdown(cancel_futures=True))
        with self._lock:
            made, self._made = self._made, []
        self._own = threading.local()
        for api in made:
            api.api_client.rest_client.pool_manager.clear()

    async def _authorised(self, run: Callable[[Secret], Raw], lane: Lane, kind: str, *, writes: bool) -> Any:
        if self._auth is None:
            raise AssertionError("use() comes first")
        token = await self._auth.token(lane)
        raw = await self._paid(lambda: run(token), Call(kind), lane)
        if raw.status == 401:
            newer = await self._auth.renew(token, lane)
            if newer is not None:
                token, raw = newer, await self._paid(lambda: run(newer), Call(kind), lane)
        if raw.status not in {0, 401}:
            self._auth.proved(token)
        return self._open(raw, writes=writes)

    async def _paid(self, run: Callable[[], Raw], call: Call, lane: Lane) -> Raw:
        try:
            async with self._payer.pay(call, lane):
                began = self._world.clock.monotonic()
                raw = await asyncio.get_running_loop().run_in_executor(self._pool(), run)
                told = observed(raw.status, raw.headers, raw.body)
                self._payer.observe(call, *told, self._world.clock.monotonic() - began)
        except OutOfBudgetError as error:
            raise VendorError(out_of_budget(error)) from None
        self._vitals.note(raw.headers, self._world.clock.now_ms())
        return raw

    def _open(self, raw: Raw, *, writes: bool) -> Any:
        if raw.error is not None:
            raise VendorError(failure_of_exception(raw.error, writes=writes)) from None
        if not 200 <= raw.status <= 299:
            now, zone = self._world.clock.now_ms(), self._vitals.time_zone
            raise VendorError(failure_of_reply(raw.status, raw.body, raw.headers, writes=writes, now_ms=now, zone=zone))
        data = parse(raw.body)
        if data is None and raw.status != 204:
            raise VendorError(incomplete(raw.status, raw.body, writes=writes))
        return data

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._settings.sdk_threads, f"hubspot-{self._settings.connection}")
        return self._threads

    def _typed(self, name: str, token: Secret | None, args: tuple[Any, ...], more: Mapping[str, Any]) -> Raw:
        where, _, method = name.rpartition(".")
        api = self._kept(where, token)
        seconds = self._settings.bounds.total_seconds
        return _shoot(lambda: getattr(api, method)(*args, **more, **self._manners()), seconds)

    def _manners(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "_preload_content": False,
            "_return_http_data_only": True,
            "_request_timeout": (settings.connect_seconds, settings.read_seconds),
        }

    def _kept(self, where: str, token: Secret | None) -> Any:
        """The api object of the calling thread, with the present token."""
        apis: dict[str, Any] = self._own.__dict__.setdefault("apis", {})
        api = apis.get(where)
        if api is None:
            api = apis[where] = self._make(where)
        api.api_client.configuration.access_token = None if token is None else token.reveal()
        return api

    def _make(self, where: str) -> Any:
        with self._lock:  # First imports race in CPython's generated packages, and logger levels are global.
            logger = logging.getLogger("urllib3")
            level = logger.level
            try:
                api = attrgetter(where)(_client(self._settings))
                api.api_client.call_api = partial(_call, self._paths, api.api_client.call_api)
            finally:
                logger.setLevel(level)
            self._made.append(api)
        return api


def _client(settings: Settings) -> Any:
    """The official client. Raises :class:`VendorError` with the remedy STOP on the one urllib3 it cannot work with."""
    import urllib3

    if not hasattr(urllib3.HTTPResponse, "getheaders"):
        told = f"urllib3 {version('urllib3')} lacks getheaders(), which hubspot-api-client calls; install another"
        raise VendorError(Failure(Remedy.STOP, "urllib3-incompatible", told))
    from hubspot import HubSpot

    url = settings.base_url
    return HubSpot(host=url, base_url=url, retry=False)


def _call(paths: Paths, send: Callable[..., Any], path: str, *args: Any, **more: Any) -> Any:
    """A call of the client, which knows one version of the API, to the version of our settings."""
    return send(paths.dated(path), *args, **more)


def _shoot(send: Callable[[], Any], seconds: float) -> Raw:
    """Send, and take the reply raw. Raises only what is no client's exception."""
    try:
        response = send()
        return Raw(response.status, _lower(response.headers), _drained(response, seconds))
    except Exception as error:
        told = _told_by(error)
        if told is not None:
            return told
        if exception_kind(error):
            return Raw(0, {}, b"", error)
        raise


def _drained(response: Any, seconds: float) -> bytes:
    """The whole body, in bounded time and of bounded size: the client bounds only the silence between two bytes."""
    ends, size, pieces = time.monotonic() + seconds, 0, []
    try:
        while piece := response.read1(65_536, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_REPLY or time.monotonic() > ends:
                raise TimeoutError
    finally:
        response.close()  # A connection that was read to the end is back in its pool, and stays open.
    return b"".join(pieces)


def _told_by(error: BaseException) -> Raw | None:
    """The reply inside an exception of any generated package, or inside the exception that hid it.

    On a TLS error the client decodes a body that is ``None`` (AttributeError), on foreign bytes it fails to decode
    them (UnicodeDecodeError); the real exception is the context of those.
    """
    candidates: tuple[Any, ...] = (error, error.__context__)
    for one in candidates:
        if not hasattr(one, "status") or not hasattr(one, "body"):
            continue
        if isinstance(one.status, int) and one.status > 0:
            body = one.body or b""
            return Raw(one.status, _lower(one.headers or {}), body.encode() if isinstance(body, str) else body)
        return Raw(0, {}, b"", one)
    return None


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}
