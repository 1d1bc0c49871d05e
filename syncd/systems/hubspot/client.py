"""The batch path: JSON over the wire of all systems, signed, and answered with data or a failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from syncd.model.change import Lane
from syncd.model.failure import Failure
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.contract import Call, Payer, VendorError
from syncd.systems.hubspot.auth import Auth
from syncd.systems.hubspot.errors import failure_of_reply, incomplete, observed, parse
from syncd.systems.hubspot.settings import AppGrant, Settings
from syncd.systems.hubspot.vitals import Vitals
from syncd.systems.wire import RawReply, Wire, encoded


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in 2xx. ``data`` is ``None`` for 204 only."""

    status: int
    data: Any
    body: bytes


@dataclass(frozen=True, slots=True)
class _Ask:
    """A request before it is signed."""

    method: str
    path: str
    body: bytes | None = None
    query: Mapping[str, str] | None = None
    content_type: str = "application/json"
    writes: bool = False
    """It may change something, so that an unclear end is not taken for a failure."""


class Client:
    """Raises :class:`VendorError` for every reply outside 2xx, every unreadable one and every one that never came."""

    def __init__(
        self,
        settings: Settings,
        payer: Payer,
        world: World,
        auth: Auth,
        vitals: Vitals,
        transport: httpx.AsyncBaseTransport | None = None,
        kind: str = "api",
    ) -> None:
        """``kind`` says which of the budget's windows the calls fall into."""
        self._kind = kind
        self._base = settings.base_url.rstrip("/")
        self._wire = Wire(settings.bounds, (settings.base_url,), payer, world, transport, observed=observed)
        self._world = world
        self._auth = auth
        self._vitals = vitals

    def open(self) -> None:
        self._wire.open()

    async def close(self) -> None:
        await self._wire.close()

    async def post(self, path: str, body: Any, lane: Lane, *, writes: bool = False) -> Reply:
        """``writes`` says that the call may change something, so that an unclear end is not taken for a failure."""
        return await self._authorised(_Ask("POST", path, encoded(body), writes=writes), lane)

    async def send(self, path: str, body: bytes, content_type: str, lane: Lane) -> Reply:
        """Something that is not JSON, and may change something."""
        return await self._authorised(_Ask("POST", path, body, content_type=content_type, writes=True), lane)

    async def get(self, path: str, query: Mapping[str, str], lane: Lane) -> Reply:
        return await self._authorised(_Ask("GET", path, query=query), lane)

    async def delete(self, path: str, lane: Lane) -> Reply:
        return await self._authorised(_Ask("DELETE", path, writes=True), lane)

    async def keyed(self, path: str, key: Secret, lane: Lane) -> Reply:
        """Ask with a developer account's key instead of a token. The vendor takes it in the query only."""
        ask = _Ask("GET", path, query={"hapikey": key.reveal()})
        return self._open_reply(await self._sent(Call(self._kind), ask, lane, {}), writes=False)

    async def form(self, path: str, fields: Mapping[str, str], lane: Lane) -> Mapping[str, Any]:
        """A call of the token endpoint: signed by what stands in the form."""
        ask = _Ask("POST", path, urlencode(fields).encode(), content_type="application/x-www-form-urlencoded")
        data = self._open_reply(await self._sent(Call("auth"), ask, lane, {}), writes=False).data
        return data if isinstance(data, Mapping) else {}

    async def sign_in(self, grant: AppGrant, path: str, lane: Lane) -> Mapping[str, Any]:
        """Buy a token on an app's own behalf. A purchase whose answer got lost is made again: it costs nothing."""
        fields = {
            "grant_type": "client_credentials",
            "client_id": grant.client_id,
            "client_secret": grant.client_secret.reveal(),
            "scope": " ".join(grant.scopes),
        }
        return await self.form(path, fields, lane)

    async def _authorised(self, ask: _Ask, lane: Lane) -> Reply:
        token = await self._auth.token(lane)
        answer = await self._signed(ask, lane, token)
        if answer.status == 401:  # Certainly not applied, so sending it again is safe.
            newer = await self._auth.renew(token, lane)
            if newer is not None:
                token, answer = newer, await self._signed(ask, lane, newer)
        if answer.status != 401:
            self._auth.proved(token)
        return self._open_reply(answer, writes=ask.writes)

    async def _signed(self, ask: _Ask, lane: Lane, token: Secret) -> RawReply:
        return await self._sent(Call(self._kind), ask, lane, {"authorization": f"Bearer {token.reveal()}"})

    async def _sent(self, call: Call, ask: _Ask, lane: Lane, headers: Mapping[str, str]) -> RawReply:
        sent = {**headers} if ask.body is None else {**headers, "content-type": ask.content_type}
        request = httpx.Request(ask.method, f"{self._base}{ask.path}", content=ask.body, params=ask.query, headers=sent)
        answer = await self._wire.send(request, call, lane, writes=ask.writes)
        self._vitals.note(answer.headers, self._world.clock.now_ms())
        return answer

    def _open_reply(self, answer: RawReply, *, writes: bool) -> Reply:
        status, body = answer.status, answer.content
        if not 200 <= status <= 299:
            raise VendorError(self._failure(status, body, answer.headers, writes=writes))
        data = parse(body)
        if data is None and status != 204:
            raise VendorError(incomplete(status, body, writes=writes))
        return Reply(status, data, body)

    def _failure(self, status: int, body: bytes, headers: Mapping[str, str], *, writes: bool) -> Failure:
        now = self._world.clock.now_ms()
        return failure_of_reply(status, body, headers, writes=writes, now_ms=now, zone=self._vitals.time_zone)
