"""Requests to the HTTP API of one project: signed in, traced, and answered with JSON or a failure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx
import structlog

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.systems.commercetools.auth import Token, Tokens
from syncd.systems.commercetools.errors import Doing, from_reply, from_unusable, http_date, json_object
from syncd.systems.commercetools.reading import Reading
from syncd.systems.commercetools.settings import CommercetoolsSettings
from syncd.systems.contract import Call, Payer, VendorError
from syncd.systems.wire import RawReply, Wire, encoded

log = structlog.get_logger(__name__)

EXTERNAL_USER: Final = "syncd"
"""Recorded by the vendor in ``lastModifiedBy.externalUserId`` of everything we write."""

Params = Sequence[tuple[str, str]]

_TRACE = re.compile(r"[A-Za-z0-9_/-]{8,128}")


@dataclass(frozen=True, slots=True)
class Reply:
    body: Mapping[str, Any] = field(repr=False)
    date_ms: int | None
    """The vendor's clock when it answered, in whole seconds, as milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Messages:
    closed: str
    """Why the project's messages cannot be asked for; empty where they can."""
    looked_at: int
    """Our clock, in milliseconds since the epoch."""


class Client:
    """One project's HTTP API. Built closed."""

    def __init__(
        self,
        connection: str,
        settings: CommercetoolsSettings,
        payer: Payer,
        world: World,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._connection = connection
        self._world = world
        self.settings = settings
        self._move(settings.api_url)
        self._wire = Wire(settings.bounds, settings.hosts, payer, world, transport)
        self._tokens = Tokens(settings, self._wire, world)
        self._notices: set[str] = set()
        self.reading = Reading(settings.reads)
        self.messages: Messages | None = None
        """Whether the project's messages can be asked for; ``None`` until somebody looked."""

    def at(self, base_url: str) -> Client:
        """The same project at another host of the vendor's, over the same wire and with the same token."""
        other = copy(self)
        other._move(base_url)  # noqa: SLF001 - of the same class
        return other

    def _move(self, base_url: str) -> None:
        self._base = f"{base_url.rstrip('/')}/{quote(self.settings.project_key, safe='')}"

    def open(self) -> None:
        self._wire.open()

    async def close(self) -> None:
        await self._wire.close()

    def now_ms(self) -> int:
        return self._world.clock.now_ms()

    async def token(self, lane: Lane) -> Token:
        """The token in use; raises :class:`VendorError` where there can be none."""
        return await self._tokens.get(lane)

    async def get(self, path: str, lane: Lane, params: Params = (), *, one: bool = False) -> Reply:
        """``one`` says that the path addresses a single resource, so that a 404 means GONE."""
        return await self._request("GET", path, lane, params, None, Doing.READ_ONE if one else Doing.READ)

    async def post(self, path: str, body: Mapping[str, Any], lane: Lane, params: Params = (), *, doing: Doing) -> Reply:
        return await self._request("POST", path, lane, params, body, doing)

    async def delete(self, path: str, lane: Lane, params: Params) -> Reply:
        return await self._request("DELETE", path, lane, params, None, Doing.CHANGE)

    async def _request(
        self, method: str, path: str, lane: Lane, params: Params, body: Mapping[str, Any] | None, doing: Doing
    ) -> Reply:
        """Send, and once more with a new token where the old one was refused."""
        content = None if body is None else encoded(body)
        token = await self._tokens.get(lane)
        raw = await self._send(method, path, lane, params, content, doing, token)
        if raw.status == 401 and from_reply(raw.status, raw.headers, raw.content, doing).code == "invalid_token":
            self._tokens.drop(token)
            token = await self._tokens.get(lane)
            raw = await self._send(method, path, lane, params, content, doing, token)
        return self._judged(raw, doing)

    async def _send(
        self, method: str, path: str, lane: Lane, params: Params, content: bytes | None, doing: Doing, token: Token
    ) -> RawReply:
        trace = self._trace()
        headers = {
            "authorization": f"Bearer {token.value.reveal()}",
            "x-correlation-id": trace,
            "x-external-user-id": EXTERNAL_USER,
        }
        if content is not None:
            headers["content-type"] = "application/json"
        url = f"{self._base}/{path}" if path else self._base
        request = httpx.Request(method, url, params=list(params) or None, headers=headers, content=content)
        raw = await self._wire.send(request, Call("api", uneven=doing is Doing.READ), lane, writes=doing.writes)
        self._tell(method, path, raw, trace)
        return raw

    def _judged(self, raw: RawReply, doing: Doing) -> Reply:
        if not 200 <= raw.status < 300:
            failure = from_reply(raw.status, raw.headers, raw.content, doing)
            if failure.remedy is Remedy.REFRESH:
                # A token fetched a moment ago is refused as well: no refresh will help.
                failure = Failure(Remedy.STOP, failure.code, failure.message, failure.status, reply=failure.reply)
            raise VendorError(failure)
        body = json_object(raw.content)
        if body is None:
            raise VendorError(from_unusable(raw.status, "the body is not a JSON object", doing))
        date = http_date(raw.headers.get("date", ""))
        return Reply(body, None if date is None else int(date * 1000))

    def _trace(self) -> str:
        """The correlation id bound to this task's log context, or one of our own."""
        bound = structlog.contextvars.get_contextvars().get("correlation_id")
        return bound if isinstance(bound, str) and _TRACE.fullmatch(bound) else self._world.new_id()

    def _tell(self, method: str, path: str, raw: RawReply, trace: str) -> None:
        log.debug(
            "vendor_reply",
            connection=self._connection,
            method=method,
            resource=path.partition("/")[0],
            status=raw.status,
            seconds=round(raw.seconds, 3),
            correlation_id=raw.headers.get("x-correlation-id", trace),
        )
        notice = raw.headers.get("x-deprecation-notice")
        if notice and notice not in self._notices and len(self._notices) < 100:
            self._notices.add(notice)
            log.warning("vendor_deprecation", connection=self._connection, notice=notice[:300])


def segment(text: str) -> str:
    """An id or key as one segment of a path."""
    return quote(text, safe="")
