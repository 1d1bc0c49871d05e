"""The access token: fetched by client credentials, by one caller at a time, a minute before it is needed.

Single flight is a lock rather than a shared task, so that a cancelled caller cancels nobody else. Those who
waited while a fetch failed share its failure instead of trying one after the other.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import Final

import httpx

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.commercetools.errors import Doing, from_reply, json_object
from syncd.systems.commercetools.settings import CommercetoolsSettings
from syncd.systems.contract import Call, VendorError
from syncd.systems.wire import Wire

EARLY_SECONDS: Final = 60.0
"""How long before its end a token is replaced."""


@dataclass(frozen=True, slots=True)
class Token:
    value: Secret
    scopes: frozenset[str]
    """As granted, such as ``manage_customers:shop``."""
    fresh_until: float
    """On the monotonic clock."""


class Tokens:
    """The one token of a connection."""

    def __init__(self, settings: CommercetoolsSettings, wire: Wire, world: World) -> None:
        self._settings = settings
        self._wire = wire
        self._clock = world.clock
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._fetches = 0
        self._failed: VendorError | None = None

    async def get(self, lane: Lane) -> Token:
        """A fresh token. Raises :class:`VendorError`: STOP where the credentials are refused."""
        token = self._fresh()
        if token is not None:
            return token
        seen = self._fetches
        async with self._lock:
            token = self._fresh()
            if token is not None:
                return token
            if self._fetches != seen and self._failed is not None:
                raise VendorError(self._failed.failure)
            return await self._fetch(lane)

    def drop(self, token: Token) -> None:
        """Forget a token that the vendor refused, unless a newer one has taken its place."""
        if self._token is token:
            self._token = None

    def _fresh(self) -> Token | None:
        token = self._token
        return token if token is not None and self._clock.monotonic() < token.fresh_until else None

    async def _fetch(self, lane: Lane) -> Token:
        self._failed = None
        try:
            token = await self._ask(lane)
        except VendorError as error:
            # An empty budget is this lane's trouble alone.
            self._failed = None if error.failure.remedy is Remedy.WAIT else error
            raise
        finally:
            self._fetches += 1
        self._token, self._failed = token, None
        return token

    async def _ask(self, lane: Lane) -> Token:
        settings = self._settings
        form = {"grant_type": "client_credentials"}
        if settings.scopes:
            form["scope"] = " ".join(f"{one}:{settings.project_key}" for one in settings.scopes)
        pair = f"{settings.client_id.reveal()}:{settings.client_secret.reveal()}"
        request = httpx.Request(
            "POST",
            f"{settings.auth_url.rstrip('/')}/oauth/token",
            data=form,
            headers={"authorization": "Basic " + base64.b64encode(pair.encode()).decode("ascii")},
        )
        reply = await self._wire.send(request, Call("auth"), lane, writes=False)
        if reply.status != 200:
            raise VendorError(from_reply(reply.status, reply.headers, reply.content, Doing.SIGN_IN))
        return self._token_in(reply.content)

    def _token_in(self, content: bytes) -> Token:
        body = json_object(content) or {}
        value, lifetime, scope = body.get("access_token"), body.get("expires_in"), body.get("scope", "")
        if not isinstance(value, str) or not value or isinstance(lifetime, bool) or not isinstance(lifetime, int):
            raise VendorError(Failure(Remedy.RETRY, "bad-response", "the token endpoint sent no token", status=200))
        # A token that lives shorter than two margins is used for half its life.
        useful = max(lifetime - EARLY_SECONDS, lifetime / 2)
        scopes = frozenset(scope.split()) if isinstance(scope, str) else frozenset()
        return Token(Secret(value), scopes, self._clock.monotonic() + useful)
