"""What one BigCommerce connection must be told. Frozen; secrets show as asterisks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from syncd.runtime.secret import Secret
from syncd.systems.wire import Bounds

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
KEY_HEADER: Final = "X-Syncd-Key"
"""The header of our webhooks that carries the shared secret."""


class SettingsError(ValueError):
    """A setting that can never work. The message names it and what was expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    connection: str
    store_hash: str
    access_token: Secret
    api_url: str = "https://api.bigcommerce.com"
    b2b_url: str = "https://api-b2b.bigcommerce.com/api/v3/io"
    client_secret: Secret | None = None
    """Of the API account; the vendor signs webhooks with it."""
    webhook_secrets: tuple[Secret, ...] = ()
    """What our webhooks must carry in :data:`KEY_HEADER`: the one that is sent first, then former ones."""
    webhook_url: str = ""
    """Where the vendor reaches us; empty: no webhooks are made."""
    signed_only: bool = False
    """Refuse webhooks without a signature. The vendor does not say which of them it signs."""
    concurrency: int = 6
    """Requests of one batch that are under way at once. The budget limits the connection as a whole."""
    page_limit: int = 250
    """Rows per page; the vendor allows 1 to 250."""
    tend_seconds: float = 600.0
    """How often our webhooks are looked after."""
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    total_seconds: float = 60.0
    """The whole of one request, also when bytes trickle."""

    def __post_init__(self) -> None:
        for name, url in (("api_url", self.api_url), ("b2b_url", self.b2b_url)):
            parts = urlsplit(url)
            if not parts.hostname or parts.username or parts.query or parts.fragment:
                raise SettingsError(f"{name}: expected a base address such as https://api.bigcommerce.com")
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
                raise SettingsError(f"{name}: https is required, except on loopback")
        if not self.store_hash or not self.store_hash.isalnum():
            raise SettingsError("store_hash: expected the store's hash, such as abc123")
        if not 1 <= self.page_limit <= 250:
            raise SettingsError("page_limit: expected 1 to 250")
        if self.concurrency < 1:
            raise SettingsError("concurrency: expected 1 or more")

    @property
    def hosts(self) -> tuple[str, ...]:
        """Base addresses that requests may go to."""
        return self.api_url, self.b2b_url

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.connect_seconds, self.read_seconds, self.total_seconds, 2 * self.concurrency + 4)
