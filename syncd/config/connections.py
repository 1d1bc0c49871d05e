"""Connections from their tables: the system says which settings there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from syncd.config.lines import Key
from syncd.config.models import (
    SUBSCRIPTION_SECRETS,
    SYSTEMS,
    BigcommerceSettings,
    CommercetoolsSettings,
    ConnectionSettings,
    HubspotSettings,
    SalesforceSettings,
)
from syncd.config.problems import meant
from syncd.config.rules import NAME
from syncd.config.sections import read_section
from syncd.config.source import Source

RESERVED: Final = frozenset({"operator", "clock", "fold", "syncd"})
"""Names that syncd's own changes and queues go by."""

WINDOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "commercetools": ("concurrent",),
    "hubspot": ("ten_seconds", "daily", "search", "journal", "concurrent"),
    "salesforce": ("daily", "bulk_batches", "concurrent"),
    "bigcommerce": ("thirty_seconds", "b2b", "customer_writes", "price_writes", "concurrent"),
}
"""Windows whose size a connection's ``budget.limits`` may set; those of :data:`syncd.budget.spec.STANDARD`."""


def read_connections(source: Source) -> tuple[dict[str, ConnectionSettings], dict[str, Any]]:
    """The faultless, enabled connections, and the tables of all that the file names."""
    tables = source.document.get("connections", {})
    if not isinstance(tables, dict):
        source.add(("connections",), "must hold one table per connection: [connections.<name>]")
        return {}, {}
    if not tables:
        source.add((), "needs at least one connection: [connections.<name>]; see `syncd init`")
    found = {}
    for name, table in tables.items():
        connection = _read(source, name, table)
        if connection is not None and connection.enabled:
            found[name] = connection
    return found, tables


def _read(source: Source, name: str, table: Any) -> ConnectionSettings | None:
    key = ("connections", name)
    if not NAME.fullmatch(name) or name in RESERVED:
        taken = "is a name of syncd's own; choose another"
        rule = "must be a name: a lower-case letter, then letters, digits, - or _ (63 at most)"
        source.add(key, taken if name in RESERVED else rule, table)
    if not isinstance(table, dict):
        source.add(key, "must be a table", table)
        return None
    system = table.get("system")
    if not isinstance(system, str) or system not in SYSTEMS:
        hint = meant(system, SYSTEMS) if isinstance(system, str) else f"; known: {', '.join(SYSTEMS)}"
        source.add((*key, "system"), f"must be the system it speaks to{hint}")
        return None
    connection = read_section(source, SYSTEMS[system], table, key)
    connection = replace(connection, name=name)
    if name in {"commerce", "crm"} and name != connection.side:
        source.add(key, f"{system} is on the {connection.side} side; choose another name", table)
    _check_budget(source, connection)
    if isinstance(connection, CommercetoolsSettings):
        return _commercetools(source, connection)
    if isinstance(connection, SalesforceSettings):
        return _salesforce(source, connection)
    if isinstance(connection, BigcommerceSettings):
        return _bigcommerce(source, connection)
    return _hubspot(source, connection) if isinstance(connection, HubspotSettings) else connection


def _check_budget(source: Source, connection: ConnectionSettings) -> None:
    key = ("connections", connection.name, "budget")
    if sum(connection.budget.reserve.values()) > 0.95:
        source.add((*key, "reserve"), "the reserves together leave less than 5 % to share; make them smaller")
    windows = WINDOWS[connection.system]
    for name in connection.budget.limits:
        if name not in windows:
            source.add((*key, "limits", name), f"{connection.system} has no such window{meant(name, windows)}")


def _hubspot(source: Source, connection: HubspotSettings) -> HubspotSettings:
    key = ("connections", connection.name)
    if connection.auth == "oauth" and not connection.client_id:
        source.lacks((*key, "client_id"), 'is needed for auth = "oauth"')
    elif connection.journal and not connection.client_id:
        source.lacks((*key, "client_id"), "is needed for journal = true: the app that reads the Webhooks Journal")
    if connection.time_zone:
        try:
            ZoneInfo(connection.time_zone)
        except (ValueError, OSError, KeyError):  # KeyError: ZoneInfoNotFoundError
            source.add((*key, "time_zone"), 'must be the name of a time zone such as "Europe/Berlin"')
    return connection


def _bigcommerce(source: Source, connection: BigcommerceSettings) -> BigcommerceSettings:
    key = ("connections", connection.name)
    if not connection.store_hash:
        source.lacks((*key, "store_hash"), 'is needed: the store\'s hash, such as "abc123"')
    elif not (connection.store_hash.isascii() and connection.store_hash.isalnum()):
        source.add((*key, "store_hash"), "must be letters and digits", connection.store_hash)
    return connection


def _salesforce(source: Source, connection: SalesforceSettings) -> SalesforceSettings:
    key = ("connections", connection.name)
    for name, purpose in (
        ("login_url", 'the org\'s My Domain address, such as "https://acme.my.salesforce.com"'),
        ("client_id", "the consumer key of an external client app made for syncd"),
        ("company_currency", 'the currency of amounts, such as "EUR"'),
    ):
        if not getattr(connection, name):
            source.lacks((*key, name), f"is needed: {purpose}")
    if connection.auth != "client_credentials" and not connection.username:
        source.lacks((*key, "username"), f'is needed for auth = "{connection.auth}"')
    general = urlsplit(connection.login_url).hostname in {"login.salesforce.com", "test.salesforce.com"}
    if connection.auth == "client_credentials" and general:
        source.add((*key, "login_url"), "must be the org's own My Domain address for client credentials")
    return connection


def _check_destination(source: Source, key: Key, destination: Mapping[str, str]) -> None:
    if not destination:
        return
    kind = destination.get("type", "")
    if kind not in SUBSCRIPTION_SECRETS:
        source.add((*key, "type"), f"must be a kind of destination{meant(kind, tuple(SUBSCRIPTION_SECRETS))}", kind)
        return
    for member, name in SUBSCRIPTION_SECRETS[kind].items():
        if member in destination:
            source.add((*key, member), f"is a secret: `syncd credentials set <connection> {name}`")


def _commercetools(source: Source, connection: CommercetoolsSettings) -> CommercetoolsSettings:
    key = ("connections", connection.name)
    for name, purpose in (("project", "the project key"), ("client_id", "the id of an API client made for syncd")):
        if not getattr(connection, name):
            source.lacks((*key, name), f"is needed: {purpose}")
    if not connection.region and not (connection.api_url and connection.auth_url):
        source.lacks((*key, "region"), 'is needed, such as "europe-west1.gcp" (or api_url and auth_url)')
    _check_destination(source, (*key, "subscription", "destination"), connection.subscription.destination)
    host = f"{connection.region}.commercetools.com"
    return replace(
        connection,
        api_url=connection.api_url or f"https://api.{host}",
        auth_url=connection.auth_url or f"https://auth.{host}",
        # Whoever says where the API is says also where imports go; else they would go past a stand-in.
        import_url=connection.import_url or ("" if connection.api_url else f"https://import.{host}"),
    )
