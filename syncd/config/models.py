"""What a configuration file may say, and what the rest of syncd gets of it. Frozen; no secrets.

Each section of the file is one dataclass whose fields are the keys. Spans of time are kept in seconds.
Keys that may be left out have their default here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Final

from syncd.config.rules import ApiVersion, Between, Currency, Duration, Name, OneOf, Url, Words
from syncd.model.backoff import BASE_SECONDS, CAP_SECONDS, MAX_ATTEMPTS
from syncd.model.entity import Entity
from syncd.model.mapping import ObjectMapping

HOUR: Final = 3600.0
DAY: Final = 86_400.0
Port = Annotated[int, Between(0, 65_535)]


@dataclass(frozen=True, slots=True)
class StateSettings:
    """Where syncd keeps what must survive a restart."""

    dir: str = ""
    """The state folder, private to the user. Empty: ``$STATE_DIRECTORY`` (systemd), else ``~/.local/state/syncd``."""
    database: str = "syncd.db"
    """The state file; relative to the state folder."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    level: Annotated[str, OneOf(("debug", "info", "warning", "error"))] = "info"
    format: Annotated[str, OneOf(("auto", "json", "text"))] = "auto"
    """``auto``: text on a terminal, JSON otherwise."""


@dataclass(frozen=True, slots=True)
class EventSourceSettings:
    """One sender of shop events, known by the name of its table."""

    connection: str = ""
    """The connection it speaks for. Empty: the only one on the commerce side."""
    auth: Annotated[str, OneOf(("signature", "token"))] = "signature"
    """``signature``: Standard Webhooks, secret ``signing_secret``. ``token``: a bearer token, secret ``token``."""
    origins: tuple[str, ...] = ()
    """Senders that the CloudEvents handshake (``WebHook-Request-Origin``) is granted to; ``*`` for any."""
    rate_per_minute: Annotated[int, Between(0, 10_000_000)] = 0
    """Requests a minute it may send; 0 for no limit of its own."""


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """The HTTP server for shop events and vendors' webhooks."""

    host: str = "127.0.0.1"
    port: Port = 8741
    public_url: Annotated[str, Url()] = ""
    """How the internet reaches it, such as ``https://sync.example.com``; webhook signatures cover this address."""
    max_body_bytes: Annotated[int, Between(1024, 64 * 1024 * 1024)] = 1024 * 1024
    max_depth: Annotated[int, Between(4, 512)] = 64
    """Nesting of JSON arrays and objects."""
    max_batch_events: Annotated[int, Between(1, 100_000)] = 1000
    max_connections: Annotated[int, Between(1, 100_000)] = 2048
    request_timeout: Annotated[float, Duration(0.1, 300)] = 10.0
    """From the first byte of a request to its last."""
    sources: Mapping[Annotated[str, Name()], EventSourceSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpsSettings:
    """The HTTP server for ``/livez``, ``/readyz`` and ``/metrics``."""

    host: str = "127.0.0.1"
    port: Port = 8742
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """The Unix socket that operators' tools speak to."""

    socket: str = ""
    """Empty: ``$RUNTIME_DIRECTORY/control.sock`` (systemd), else ``$XDG_RUNTIME_DIR/syncd/control.sock``, else
    ``control.sock`` in the state folder."""


@dataclass(frozen=True, slots=True)
class CartSettings:
    idle: Annotated[float, Duration(0.1, 365 * DAY)] = 1800.0
    """A filled cart untouched for this long counts as abandoned."""


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long finished work is kept. Open work is never removed."""

    changes: Annotated[float, Duration(4 * DAY)] = 7 * DAY
    """Folded changes; also how long a repeated event is recognised, hence four days at least."""
    attempts: Annotated[float, Duration(HOUR)] = 30 * DAY
    """Attempts, and dead letters that were replayed or discarded."""
    history: Annotated[float, Duration(DAY)] = 365 * DAY
    """Versions of records with the origin of every field."""


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """When a failed delivery is tried again: exponential, with jitter. Waiting for a quota uses up no attempt."""

    base: Annotated[float, Duration(0.01, 60)] = BASE_SECONDS
    cap: Annotated[float, Duration(0.1, DAY)] = CAP_SECONDS
    attempts: Annotated[int, Between(1, 1000)] = MAX_ATTEMPTS
    """Then it becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """Where secrets are looked for. The first backend in ``order`` that holds one wins."""

    order: tuple[Annotated[str, OneOf(("file", "systemd", "sealed", "keyring"))], ...] = (
        "file", "systemd", "sealed", "keyring",
    )  # fmt: skip
    """A backend that is not set up (no ``$CREDENTIALS_DIRECTORY``, no seal key, no OS keyring) is passed over."""
    keyring_class: str = ""
    """A keyring backend by its full name, instead of what the keyring library finds."""
    seal_key_file: str = ""
    """The key of the sealed store, when it does not come as the systemd credential ``seal-key``."""
    sealed_dir: str = ""
    """The sealed store. Empty: ``credentials`` in the state folder."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Paths of mounted secrets, by ``"<connection or source>.<secret>"``."""
    allow_env_secrets: bool = False
    """Take secrets from ``SYNCD_SECRET_<NAME>`` as the last resort; warned of at every start."""
    timeout: Annotated[float, Duration(0.1, 60)] = 5.0
    """How long a backend may take to answer."""


Lane = Annotated[str, OneOf(("operator", "live", "scheduled", "bulk"))]


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    share: Annotated[float, Between(0.01, 1, whole=False)] = 1.0
    """The part of the account's quota that is syncd's, where other programs use the same account."""
    reserve: Mapping[Lane, Annotated[float, Between(0, 0.9, whole=False)]] = field(default_factory=dict)
    """The part of every window kept free for a lane and those more urgent. Empty: the standard of each window."""
    limits: Mapping[str, Annotated[int, Between(1, 100_000_000)]] = field(default_factory=dict)
    """Sizes of windows, where the account's own are smaller than the vendor's published ones."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """What every connection has. Systems add their own."""

    SIDE: ClassVar[str] = ""
    """``commerce`` or ``crm``; said by the system."""

    name: str = ""
    """The name of its table; never written inside it."""
    system: str = ""
    enabled: bool = True
    standard: Annotated[bool | tuple[str, ...], Words(switch=True)] = True
    """Take the standard mappings of the system: all, none, or those of the objects named."""
    timeout: Annotated[float, Duration(0.1, 600)] = 30.0
    """How long one call may take."""
    budget: BudgetSettings = BudgetSettings()

    @property
    def side(self) -> str:
        return self.SIDE

    @property
    def currency(self) -> str:
        """Meant where an amount names no currency; empty where the system always names one."""
        return ""


@dataclass(frozen=True, slots=True)
class SubscriptionSettings:
    """A subscription of commercetools that syncd makes and looks after; none where no destination is given."""

    key: str = "syncd"
    """The subscription's own key."""
    format: Annotated[str, OneOf(("CloudEvents", "Platform"))] = "CloudEvents"
    destination: Mapping[str, str] = field(default_factory=dict)
    """As the vendor has it: ``type`` and that type's members, but for its secrets."""


SUBSCRIPTION_SECRETS: Final[Mapping[str, Mapping[str, str]]] = {
    "SQS": {"accessKey": "subscription_access_key", "accessSecret": "subscription_access_secret"},
    "SNS": {"accessKey": "subscription_access_key", "accessSecret": "subscription_access_secret"},
    "EventBridge": {},
    "AzureServiceBus": {"connectionString": "subscription_connection_string"},
    "EventGrid": {"accessKey": "subscription_access_key"},
    "GoogleCloudPubSub": {},
    "ConfluentCloud": {"apiKey": "subscription_api_key", "apiSecret": "subscription_api_secret"},
}
"""Type of a destination to its secret members, each with the name of the secret that fills it."""


def subscription_secrets(destination: Mapping[str, str]) -> Mapping[str, str]:
    """The secret members of a destination, by name, with the names of their secrets."""
    if destination.get("authenticationMode") == "IAM":
        return {}
    return SUBSCRIPTION_SECRETS.get(destination.get("type", ""), {})


@dataclass(frozen=True, slots=True)
class CommercetoolsSettings(ConnectionSettings):
    SIDE: ClassVar[str] = "commerce"

    project: str = ""
    """The project key."""
    region: str = ""
    """Such as ``europe-west1.gcp``; gives the addresses below."""
    api_url: Annotated[str, Url()] = ""
    auth_url: Annotated[str, Url()] = ""
    import_url: Annotated[str, Url()] = ""
    """Of the Import API, which takes very many new records at once. With an ``api_url``, and without this: not used."""
    client_id: str = ""
    """Of an API client of syncd's own; its writes are recognised by it."""
    scopes: tuple[str, ...] = ()
    """Scopes to ask for, without the project; empty for all the API client has."""
    subscription: SubscriptionSettings = SubscriptionSettings()
    reads: Annotated[str, OneOf(("auto", "rest", "graphql"))] = "auto"
    """``auto``: lists by GraphQL, which answers the mapped fields alone, where all of them can be asked for so.
    ``rest``: never. ``graphql``: as ``auto``, and ``syncd check`` warns of mappings that are read otherwise."""
    custom_type: str = "syncd-customer"
    """Key of the type given to customers that have none when a custom field is first written."""


@dataclass(frozen=True, slots=True)
class HubspotSettings(ConnectionSettings):
    SIDE: ClassVar[str] = "crm"

    base_url: Annotated[str, Url(empty=False)] = "https://api.hubapi.com"
    portal_id: Annotated[int, Between(0, 2**53)] = 0
    """The account; webhooks of other accounts are refused. 0: any account that the app's secret vouches for."""
    auth: Annotated[str, OneOf(("token", "oauth"))] = "token"
    """``token``: a service key, private app or static project app. ``oauth``: an app with a refresh token."""
    client_id: str = ""
    """Of the app, for ``oauth`` and for ``journal``."""
    journal: bool = False
    """Whether changes are read from the Webhooks Journal, on behalf of the app."""
    app_id: Annotated[int, Between(0, 2**53)] = 0
    """Of a legacy public app, whose webhook subscriptions can be looked at with the secret ``developer_key``."""
    time_zone: str = ""
    """Of the account, such as ``Europe/Berlin``: its midnight resets the daily quota. Empty: asked of HubSpot."""
    company_currency: Annotated[str, Currency()] = ""
    """The account's own currency: meant where a record holds an amount and names no currency."""
    webhook_url: Annotated[str, Url()] = ""
    """The target address configured at HubSpot. Empty: ``<intake.public_url>/v1/webhooks/<connection>``."""
    api_version: Annotated[str, OneOf(("v3", "2026-03", "2026-09"))] = "2026-03"
    """Of the vendor's API. ``v3`` (with v4 for associations) ends in 2027; ``2026-09`` enforces validation rules."""
    graphql: bool = False
    """Read objects together with their associations by GraphQL, where the account has it."""

    @property
    def currency(self) -> str:
        return self.company_currency


@dataclass(frozen=True, slots=True)
class SalesforceSettings(ConnectionSettings):
    SIDE: ClassVar[str] = "crm"

    login_url: Annotated[str, Url()] = ""
    """The org's My Domain address, such as ``https://acme.my.salesforce.com``."""
    auth: Annotated[str, OneOf(("client_credentials", "jwt", "password"))] = "client_credentials"
    """How syncd signs in. ``password`` is legacy, and blocked in newer orgs."""
    client_id: str = ""
    """Consumer key of an external client app made for syncd."""
    username: str = ""
    """The user whose rights syncd has, for ``jwt`` and ``password``."""
    audience: Annotated[str, Url()] = ""
    """Of the JWT. Empty: the vendor's sign-in host that fits ``login_url``."""
    api_version: Annotated[str, ApiVersion()] = "67.0"
    company_currency: Annotated[str, Currency()] = ""
    """The currency of amounts, in an org that has one."""
    pubsub_url: Annotated[str, Url(empty=False)] = "https://api.pubsub.salesforce.com:7443"
    """Where change events come from; there are regional addresses."""
    ca_file: str = ""
    """Certificates of a private authority, in PEM, to trust instead of the public ones."""
    bulk_threshold: Annotated[int, Between(200, 1_000_000)] = 2000
    """From so many records on the Bulk API is used."""

    @property
    def currency(self) -> str:
        return self.company_currency


@dataclass(frozen=True, slots=True)
class BigcommerceSettings(ConnectionSettings):
    SIDE: ClassVar[str] = "commerce"

    store_hash: str = ""
    """Of the store, as it stands in the API path."""
    api_url: Annotated[str, Url(empty=False)] = "https://api.bigcommerce.com"
    b2b_url: Annotated[str, Url(empty=False)] = "https://api-b2b.bigcommerce.com/api/v3/io"
    store_currency: Annotated[str, Currency()] = ""
    """The store's own currency: meant where an amount names no currency."""
    webhook_url: Annotated[str, Url()] = ""
    """Where the vendor sends webhooks. Empty: ``<intake.public_url>/v1/webhooks/<connection>``."""
    signed_webhooks: bool = False
    """Refuse webhooks without a signature, beside the secret that all of them must carry."""

    @property
    def currency(self) -> str:
        return self.store_currency


SYSTEMS: Final[Mapping[str, type[ConnectionSettings]]] = {
    "commercetools": CommercetoolsSettings,
    "hubspot": HubspotSettings,
    "salesforce": SalesforceSettings,
    "bigcommerce": BigcommerceSettings,
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """The whole configuration, checked. Paths are absolute."""

    path: Path | None
    """The file it came from; ``None`` when built from text."""
    state_dir: Path
    database: Path
    socket: Path
    connections: Mapping[str, ConnectionSettings]
    """Enabled connections by name."""
    entities: Mapping[str, Entity]
    mappings: tuple[ObjectMapping, ...]
    intake: IntakeSettings = IntakeSettings()
    ops: OpsSettings = OpsSettings()
    carts: CartSettings = CartSettings()
    retention: RetentionSettings = RetentionSettings()
    retry: RetrySettings = RetrySettings()
    log: LogSettings = LogSettings()
    credentials: CredentialSettings = CredentialSettings()

    def mappings_of(self, connection: str) -> tuple[ObjectMapping, ...]:
        return tuple(one for one in self.mappings if one.connection == connection)

    def side(self, side: str) -> tuple[str, ...]:
        """Names of the connections on one side, in the order of the file."""
        return tuple(name for name, one in self.connections.items() if one.side == side)
