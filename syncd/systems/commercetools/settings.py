"""What one commercetools connection must be told. Frozen; secrets show as asterisks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from syncd.runtime.secret import Secret
from syncd.systems.wire import Bounds

READS: Final = ("auto", "graphql", "rest")
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class SettingsError(ValueError):
    """A setting that can never work. The message names it and what was expected."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """The subscription that syncd looks after."""

    key: str
    format: str
    """``CloudEvents`` or ``Platform``."""
    destination: Mapping[str, str]
    """As the vendor has it, without what is secret."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """The members of the destination that are secret."""

    def revealed(self) -> dict[str, str]:
        return {**self.destination, **{name: value.reveal() for name, value in self.secrets.items()}}


@dataclass(frozen=True, slots=True)
class CommercetoolsSettings:
    project_key: str
    api_url: str
    """Base of the HTTP API without the project, such as ``https://api.europe-west1.gcp.commercetools.com``."""
    auth_url: str
    """Base of the OAuth2 service, such as ``https://auth.europe-west1.gcp.commercetools.com``."""
    client_id: Secret
    client_secret: Secret
    scopes: tuple[str, ...] = ()
    """Scopes to ask for, such as ``manage_customers``; empty asks for all that the API client has."""
    custom_type_key: str = "syncd-customer"
    """The custom type given to a customer that has none when a custom field is first written."""
    import_url: str = ""
    """Base of the Import API, such as ``https://import.europe-west1.gcp.commercetools.com``; empty: not used."""
    subscription: Subscription | None = None
    """``None``: syncd makes and looks after none."""
    reads: str = "auto"
    """``auto`` and ``graphql``: lists of what is mapped by GraphQL, where that can be; ``rest``: never."""
    concurrency: int = 10
    """Requests of one batch that are under way at once. The budget limits the connection as a whole."""
    page_limit: int = 500
    """Rows per page of polls and scans; the vendor allows 1 to 500."""
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    """Silence allowed while waiting for bytes."""
    total_seconds: float = 60.0
    """The whole of one request, also when bytes trickle."""

    def __post_init__(self) -> None:
        named = {"api_url": self.api_url, "auth_url": self.auth_url}
        if self.import_url:
            named["import_url"] = self.import_url
        for name, url in named.items():
            parts = urlsplit(url)
            if not parts.hostname or parts.username or parts.query or parts.fragment:
                raise SettingsError(f"{name}: expected a base address such as https://api.example.com")
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
                raise SettingsError(f"{name}: https is required, except on loopback")
        if not self.project_key or "/" in self.project_key:
            raise SettingsError("project_key: expected the project's key")
        if not 1 <= self.page_limit <= 500:
            raise SettingsError("page_limit: expected 1 to 500")
        if self.reads not in READS:
            raise SettingsError(f"reads: expected one of {', '.join(READS)}")
        if self.concurrency < 1:
            raise SettingsError("concurrency: expected 1 or more")

    @property
    def hosts(self) -> tuple[str, ...]:
        """Base addresses that requests may go to."""
        return tuple(url for url in (self.api_url, self.auth_url, self.import_url) if url)

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.connect_seconds, self.read_seconds, self.total_seconds, 2 * self.concurrency + 4)
