"""Credentials: private app tokens and service keys, OAuth apps with short-lived tokens, and their scopes."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.runtime.clock import Clock
from syncd.sandbox.hubspot.errors import ApiError, missing_scopes
from syncd.sandbox.hubspot.kinds import KINDS
from syncd.sandbox.hubspot.values import iso

DEFAULT_TOKEN = "pat-eu1-00000000-0000-4000-8000-000000000000"  # noqa: S105 - a simulated account's
LIFETIME_SECONDS = 1800

ALL_SCOPES = frozenset(
    {"oauth", "e-commerce", "tickets", "crm.import", "crm.objects.owners.read"}
    | {"collector.graphql_query.execute", "collector.graphql_schema.read"}
    | {f"crm.{what}.custom.{verb}" for what in ("objects", "schemas") for verb in ("read", "write")}
    | {scope for kind in KINDS for scope in (*kind.read_scopes(), *kind.write_scopes())}
    | {scope for kind in KINDS for scope in (*kind.schema_read_scopes(), *kind.schema_write_scopes())}
)


@dataclass(frozen=True, slots=True)
class App:
    id: int
    name: str
    client_id: str = ""
    client_secret: str = ""
    oauth: bool = False
    own_scopes: frozenset[str] = frozenset()
    """What the app may ask for on its own behalf, by client credentials."""


@dataclass(slots=True)
class Token:
    value: str
    app: App
    scopes: frozenset[str]
    expires_ms: int = 0
    """0: never."""
    use: str = "access_token"
    user_id: int = 52_530_071
    revoked: bool = False
    tells: bool = True
    """What it is can be asked; of a service key it cannot."""

    def require(self, any_of: Collection[str]) -> None:
        """Raises :class:`ApiError` 403 unless the token has one of the scopes. None asked for: none needed."""
        if any_of and self.scopes.isdisjoint(any_of):
            raise missing_scopes(list(any_of))


class Tokens:
    def __init__(self, clock: Clock, dice: random.Random, portal_id: int) -> None:
        self._clock = clock
        self._dice = dice
        self._portal = portal_id
        self._tokens: dict[str, Token] = {}
        self._apps: dict[str, App] = {}

    # -- setting up

    def add_static(self, value: str, app: App, scopes: Iterable[str], *, tells: bool = True) -> Token:
        """A private app's token, or (``tells`` false) a service key."""
        token = Token(value, app, frozenset(scopes), tells=tells)
        self._tokens[value] = token
        return token

    def add_oauth_app(self, app: App, scopes: Iterable[str]) -> Token:
        """Register an installed app. Returns its refresh token."""
        self._apps[app.client_id] = app
        refresh = Token(self._secret("na1-refresh"), app, frozenset(scopes), use="refresh_token")
        self._tokens[refresh.value] = refresh
        return refresh

    def _secret(self, prefix: str) -> str:
        return f"{prefix}-{uuid.UUID(int=self._dice.getrandbits(128), version=4)}"

    # -- judging requests

    def of(self, header: str) -> Token:
        """The token of an Authorization header. Raises :class:`ApiError` 401."""
        scheme, _, value = header.partition(" ")
        token = self._tokens.get(value.strip()) if scheme.lower() == "bearer" else None
        if token is None or token.use == "refresh_token" or token.revoked:
            raise ApiError(
                401,
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find "
                "more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
                "INVALID_AUTHENTICATION",
            )
        late = self._clock.now_ms() - token.expires_ms
        if token.expires_ms and late >= 0:
            raise ApiError(
                401,
                f"The OAuth token used to make this call expired {late // 1000} second(s) ago.",
                "EXPIRED_AUTHENTICATION",
                context={"expire time": [iso(token.expires_ms)]},
            )
        return token

    def expire(self, header: str) -> None:
        """Let an OAuth access token end now. Private app tokens never expire."""
        token = self._tokens.get(header.partition(" ")[2].strip())
        if token is not None and token.expires_ms:
            token.expires_ms = self._clock.now_ms()

    def expire_all(self) -> None:
        for token in self._tokens.values():
            token.expires_ms = token.expires_ms and self._clock.now_ms()

    # -- the token endpoint

    def grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        app = self._apps.get(form.get("client_id", ""))
        if app is None:
            raise _oauth_error("BAD_CLIENT_ID", "missing or unknown client id", "invalid_client")
        if form.get("client_secret") != app.client_secret:
            raise _oauth_error("BAD_CLIENT_SECRET", "missing or invalid client secret", "invalid_client")
        match form.get("grant_type"):
            case "client_credentials":
                return self._issue(app, _own(app, form.get("scope", "")), "client_credentials", None)
            case "refresh_token":
                refresh = self._tokens.get(form.get("refresh_token", ""))
                if refresh is None or refresh.revoked or refresh.app is not app or refresh.use != "refresh_token":
                    raise _oauth_error("BAD_REFRESH_TOKEN", "missing or invalid refresh token", "invalid_grant")
                return self._issue(app, refresh.scopes, "access_token", refresh)
            case "authorization_code":
                raise _oauth_error("BAD_AUTH_CODE", "missing or unknown auth code", "invalid_grant")
        raise _oauth_error("BAD_GRANT_TYPE", "missing or unknown grant type", "unsupported_grant_type")

    def _issue(self, app: App, scopes: frozenset[str], use: str, refresh: Token | None) -> dict[str, Any]:
        token = Token(self._secret("na1"), app, scopes, self._clock.now_ms() + LIFETIME_SECONDS * 1000, use)
        self._tokens[token.value] = token
        out: dict[str, Any] = {
            "access_token": token.value,
            "expires_in": LIFETIME_SECONDS,
            "token_type": "bearer",
            "token_use": use,
            "hub_id": self._portal,
            "user_id": token.user_id,
            "scopes": sorted(scopes),
        }
        if refresh is not None:
            out["refresh_token"] = refresh.value
        return out

    def revoke(self, value: str) -> None:
        token = self._tokens.get(value)
        if token is not None:
            token.revoked = True

    def describe(self, value: str) -> dict[str, Any]:
        """As the introspection of OAuth tokens answers."""
        token = self._tokens.get(value)
        if token is None or token.revoked:
            return {"active": False}
        seconds = max(0, token.expires_ms - self._clock.now_ms()) // 1000
        out: dict[str, Any] = {
            "active": not token.expires_ms or seconds > 0,
            "token": value,
            "token_type": "bearer",
            "token_use": token.use,
            "hub_id": self._portal,
            "hub_domain": "sandbox.example",
            "app_id": token.app.id,
            "client_id": token.app.client_id,
            "user_id": token.user_id,
            "user": "sales@sandbox.example",
            "scopes": sorted(token.scopes),
            "is_private_distribution": True,
        }
        return out if token.use == "refresh_token" else {**out, "expires_in": seconds}

    def describe_private(self, value: str) -> dict[str, Any]:
        """As the introspection of private app tokens answers. Raises :class:`ApiError`."""
        token = self._tokens.get(value)
        if token is None or token.app.oauth or not token.tells:
            raise ApiError(404, "Private app access token not found", "OBJECT_NOT_FOUND")
        return {
            "userId": token.user_id,
            "hubId": self._portal,
            "appId": token.app.id,
            "scopes": sorted(token.scopes),
        }


def _own(app: App, scope: str) -> frozenset[str]:
    asked = frozenset(scope.split())
    if not asked <= app.own_scopes:
        told = f"the app may not ask for: {' '.join(sorted(asked - app.own_scopes))}"
        raise _oauth_error("BAD_SCOPES", told, "invalid_scope")
    return asked


def _oauth_error(status: str, message: str, error: str) -> ApiError:
    """400 with the odd ``status`` values of the token endpoint."""
    extra = {"status": status, "error": error, "error_description": message}
    return ApiError(400, message, extra=extra)
