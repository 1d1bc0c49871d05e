"""What a HubSpot connection needs to know, and where each call goes. The API's version stands here and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

from syncd.runtime.secret import Secret
from syncd.systems.wire import Bounds

API_VERSION: Final = "2026-03"
"""Used where the configuration names none. Every call goes to the version of its connection, those of the official
client too, which itself knows ``v3`` only. The vendor ends ``v3`` in September 2027 and its ``v4`` of associations in
March 2027."""

JOURNAL_VERSION: Final = "2026-03"
"""The Webhooks Journal has versions of its own: 2026-03 is the only one that is no beta."""

BATCH: Final = 100
"""Inputs per object batch call."""

ASSOCIATION_BATCH: Final = 1000
"""Inputs per association batch call. The vendor's limit is remembered as 2,000; a refusal is halved, so a lower limit
costs calls and nothing else."""

BULK: Final = 10_000
"""Writes of the bulk lane taken at once: what an import is worth it for, and still little memory."""

LIST_PAGE: Final = 100
SEARCH_PAGE: Final = 200


_UNDATED: Final = re.compile(r"^/crm/v\d/([a-z-]+)")
_SIGN_IN: Final = re.compile(r"^/oauth/v\d")


@dataclass(frozen=True, slots=True)
class OAuthGrant:
    """An installed OAuth app's long-lived grant."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret


@dataclass(frozen=True, slots=True)
class AppGrant:
    """An app on its own behalf (client credentials): what it may ask for belongs to it, not to an account."""

    client_id: str
    client_secret: Secret
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """One account. Exactly one of ``access_token`` and ``oauth`` is set."""

    connection: str
    access_token: Secret | None = None
    """A service key, a legacy private app's token or a project app's static token; they look alike on the wire."""
    oauth: OAuthGrant | None = None
    webhook_secrets: tuple[Secret, ...] = ()
    """The app's client secrets, newest first; more than one while the secret is being rotated."""
    public_url: str = ""
    """The webhook target URL as it stands in the app's settings; signatures cover it, not the address we listen on."""
    portal_id: int = 0
    """Webhook events of other accounts are parked when this is known; 0: any account the app's secret vouches for."""
    journal: AppGrant | None = None
    """The app that reads the Webhooks Journal, where that is wanted."""
    app_id: int = 0
    developer_key: Secret | None = None
    """Of the developer account of a legacy public app: with it the app's webhook subscriptions can be seen."""
    base_url: str = "https://api.hubapi.com"
    api_version: str = API_VERSION
    graphql: bool = False
    """Read objects together with their associations by GraphQL, where the account has it."""
    time_zone: str = ""
    """IANA zone of the account, whose midnight resets the daily count; learned by ``check`` when empty."""
    connect_seconds: float = 3.0
    read_seconds: float = 30.0
    connections: int = 10
    sdk_threads: int = 4

    def __post_init__(self) -> None:
        if (self.access_token is None) == (self.oauth is None):
            raise ValueError(f"{self.connection}: give an access token or an OAuth grant, one of them")
        if self.access_token is not None and not self.access_token.reveal().isascii():
            raise ValueError(f"{self.connection}: the access token has characters that no token has")
        if not (self.base_url.startswith("https://") or (self.base_url.startswith("http://") and self.loopback)):
            raise ValueError(f"{self.connection}: base_url must be https; plain http is for loopback only")

    @property
    def bounds(self) -> Bounds:
        total = self.connect_seconds + 2 * self.read_seconds
        return Bounds(self.connect_seconds, self.read_seconds, total, self.connections)

    @property
    def loopback(self) -> bool:
        """The vendor is simulated on this machine: no encryption is needed."""
        return urlsplit(self.base_url).hostname in {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Paths:
    """The vendor's paths for one API version. The dated versions moved the version into the middle."""

    version: str = API_VERSION
    _dated: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_dated", self.version != "v3")

    def objects(self, object_: str, tail: str = "") -> str:
        name = quote(object_, safe="")
        stem = f"/crm/objects/{self.version}/{name}" if self._dated else f"/crm/v3/objects/{name}"
        return f"{stem}/{tail}" if tail else stem

    def associations(self, from_: str, to: str, tail: str) -> str:
        pair = f"{quote(from_, safe='')}/{quote(to, safe='')}"
        return (
            f"/crm/associations/{self.version}/{pair}/{tail}" if self._dated else f"/crm/v4/associations/{pair}/{tail}"
        )

    def imports(self, tail: str = "") -> str:
        stem = f"/crm/imports/{self.version}" if self._dated else "/crm/v3/imports"
        return f"{stem}/{tail}" if tail else stem

    def journal(self, tail: str) -> str:
        """Of the one account that the app is asked about; there is a journal over all accounts of an app, too."""
        return f"/webhooks-journal/journal-local/{JOURNAL_VERSION}/{tail}"

    def journal_subscriptions(self, tail: str = "") -> str:
        stem = f"/webhooks-journal/subscriptions/{JOURNAL_VERSION}"
        return f"{stem}/{tail}" if tail else stem

    def token(self) -> str:
        return f"/oauth/{self.version}/token" if self._dated else "/oauth/v3/token"

    def introspect(self) -> str:
        return f"{self.token()}/introspect"

    def private_token(self) -> str:
        """Where a private app's token tells what it is; there is no dated path."""
        return "/oauth/v2/private-apps/get/access-token-info"

    def hooks(self, app_id: int, tail: str) -> str:
        """Webhook subscriptions and settings of an app; the prefix changed with version 2026-09."""
        stem = "webhooks" if not self._dated or self.version < "2026-09" else "app-webhooks"
        return f"/{stem}/{self.version}/{app_id}/{tail}"

    def account(self) -> str:
        return f"/account-info/{self.version}/details"

    def dated(self, path: str) -> str:
        """A path of the official client (``/crm/v3/objects/…``, ``/oauth/v1/token``) in our version."""
        if not self._dated:
            return path
        return _SIGN_IN.sub(f"/oauth/{self.version}", _UNDATED.sub(rf"/crm/\1/{self.version}", path))
