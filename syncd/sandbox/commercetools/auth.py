"""API clients, access tokens and scopes."""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from syncd.runtime.clock import Clock
from syncd.sandbox.commercetools.errors import ApiError
from syncd.sandbox.http import Reply, Request, reply_json

DEFAULT_LIFETIME_SECONDS = 172_800


@dataclass(frozen=True, slots=True, repr=False)
class ApiClient:
    id: str
    secret: str
    scopes: tuple[str, ...]
    """With the project's key: ``manage_customers:acme``."""
    lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token stands for."""

    client_id: str
    scopes: frozenset[str]
    expires_ms: int


class AuthServer:
    def __init__(self, clients: Iterable[ApiClient], clock: Clock, dice: random.Random) -> None:
        self._clients = {client.id: client for client in clients}
        self._clock = clock
        self._dice = dice
        self._grants: dict[str, Grant] = {}

    def issue(self, request: Request) -> Reply:
        """``POST /oauth/token``. Raises ``ApiError``."""
        client = self._client(request)
        params = {**dict(request.params()), **request.form()}
        kind = params.get("grant_type", "")
        if kind != "client_credentials":
            raise ApiError(400, "unsupported_grant_type", f"The grant type '{kind}' is not supported here.")
        asked = params.get("scope", "").split()
        missing = [scope for scope in asked if not _grants(client.scopes, scope)]
        if missing:
            raise ApiError(400, "invalid_scope", f"Permissions exceeded: {' '.join(missing)}.")
        scopes = asked or list(client.scopes)
        token = f"{self._dice.getrandbits(192):048x}"
        now = self._clock.now_ms()
        self._prune(now)
        self._grants[token] = Grant(client.id, frozenset(scopes), now + client.lifetime_seconds * 1000)
        body = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": client.lifetime_seconds,
            "scope": " ".join(scopes),
        }
        return reply_json(body, headers={"cache-control": "no-store"})

    def _client(self, request: Request) -> ApiClient:
        kind, _, packed = request.headers.get("authorization", "").partition(" ")
        try:
            id_, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            id_, secret = "", ""
        client = self._clients.get(id_) if kind.lower() == "basic" else None
        if client is None or client.secret != secret:
            raise ApiError(
                401, "invalid_client", "Please provide valid client credentials using HTTP Basic Authentication."
            )
        return client

    def _prune(self, now: int) -> None:
        for token in [token for token, grant in self._grants.items() if grant.expires_ms <= now]:
            del self._grants[token]

    def grant(self, request: Request) -> Grant:
        """Who calls. Raises ``ApiError`` 401 invalid_token."""
        grant = self._grants.get(_bearer(request))
        if grant is None or grant.expires_ms <= self._clock.now_ms():
            raise ApiError(401, "invalid_token", "invalid_token")
        return grant

    def expire(self, request: Request) -> None:
        self._grants.pop(_bearer(request), None)

    def expire_all(self) -> None:
        self._grants.clear()


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _grants(held: Iterable[str], scope: str) -> bool:
    verb, _, project = scope.partition(":")
    wide = {scope, f"manage_project:{project}"}
    if verb.startswith("view_"):
        wide.add(f"manage_{verb[5:]}:{project}")
    return bool(wide & set(held))


def require(grant: Grant, project: str, scopes: Sequence[str], store: str = "") -> None:
    """One of these scopes (``view_customers``) in this project, or in its store. Raises ``ApiError`` 403."""
    places = [project, f"{project}:{store}"] if store else [project]
    if any(_grants(grant.scopes, f"{scope}:{place}") for scope in scopes for place in places):
        return
    names = ", ".join(f"{scope}:{places[-1]}" for scope in ("manage_project", *scopes))
    raise ApiError(403, "insufficient_scope", f"Insufficient scope. One of the following scopes is missing: {names}.")
