"""What a Salesforce connection needs to know, and where each call goes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from syncd.runtime.secret import Secret

API_VERSION: Final = "67.0"
SOAP_LOGIN_VERSION: Final = "64.0"
"""The last version that has SOAP's own sign-in; nothing here uses it."""

COLLECTION: Final = 200
"""Records per call of the collections resource."""
RETRIEVE: Final = 800
"""Ids per read by id. The vendor is remembered to take 2,000 by POST; fewer cost a call and nothing else."""
QUERY_IDS: Final = 300
"""Ids per query: the address with all of them must stay far below 16,384 bytes."""
QUERY_PAGE: Final = 2000

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
OWN_DOMAINS: Final = (".salesforce.com", ".force.com", ".salesforce.mil", ".sfcrmproducts.cn")
"""Where the vendor's instances live. A token is sent nowhere else."""


class Grant(StrEnum):
    CLIENT = "client_credentials"
    JWT = "jwt"
    PASSWORD = "password"  # noqa: S105 - the name of a flow, not a password
    """Legacy; blocked by default in newer orgs."""


@dataclass(frozen=True, slots=True)
class Settings:
    connection: str
    login_url: str
    """The My Domain address; for the JWT and password flows also the vendor's general sign-in hosts."""
    client_id: str
    auth: Grant = Grant.CLIENT
    client_secret: Secret | None = None
    username: str = ""
    """Whose rights syncd has, for the JWT and password flows."""
    private_key: Secret | None = None
    """PEM, for the JWT flow."""
    password: Secret | None = None
    """With the security token appended where the org wants one."""
    audience: str = ""
    """Of the JWT; empty: the vendor's sign-in host that fits ``login_url``."""
    api_version: str = API_VERSION
    currency: str = ""
    pubsub_url: str = "https://api.pubsub.salesforce.com:7443"
    ca_file: str = ""
    """A private authority that vouches for the org's certificate."""
    bulk_threshold: int = 2000
    """From so many writes or rows on the Bulk API is cheaper."""
    scan_page: int = 5000
    """Rows per page of a Bulk query's results: what is held in memory at once."""
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    bulk_wait_seconds: float = 3600.0
    """How long one upload job is waited for."""
    threads: int = 4
    events_reserve: float = 0.1
    """Warn when less than this part of the day's event allocation is left."""

    def __post_init__(self) -> None:
        for url in (self.login_url, self.pubsub_url):
            plain = url.startswith("http://") and urlsplit(url).hostname in LOOPBACK
            if not url.startswith("https://") and not plain:
                raise ValueError(f"{self.connection}: addresses must be https; plain http is for loopback only")
        lacking = {
            Grant.CLIENT: not self.client_secret,
            Grant.JWT: not (self.private_key and self.username),
            Grant.PASSWORD: not (self.client_secret and self.username and self.password),
        }[self.auth]
        if lacking:
            raise ValueError(f"{self.connection}: the {self.auth.value} flow lacks a part of its credential")

    @property
    def loopback(self) -> bool:
        """The vendor is simulated on this machine."""
        return urlsplit(self.login_url).hostname in LOOPBACK

    @property
    def marker(self) -> str:
        """Our name in ``Sforce-Call-Options``; the vendor repeats it in the change events of our writes."""
        return f"syncd-{self.connection}"

    @property
    def total_seconds(self) -> float:
        """The longest one call may take; clients bound each read only, and a reply may drip."""
        return self.connect_seconds + 4 * self.read_seconds

    def data(self, tail: str) -> str:
        """A path below the REST root."""
        return f"/services/data/v{self.api_version}/{tail}"

    def allows(self, url: str) -> bool:
        """Whether a token may be sent to this address."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.username or parts.password or not host:
            return False
        if parts.scheme == "http" or host in LOOPBACK:
            return self.loopback and host in LOOPBACK
        home = (urlsplit(self.login_url).hostname or "").lower()
        return parts.scheme == "https" and (host == home or host.endswith(OWN_DOMAINS))

    def jwt_audience(self) -> str:
        if self.audience:
            return self.audience
        host = urlsplit(self.login_url).hostname or ""
        if self.loopback:
            return self.login_url.rstrip("/")
        test = host == "test.salesforce.com" or ".sandbox." in host
        return "https://test.salesforce.com" if test else "https://login.salesforce.com"
