"""Which secrets a configuration needs, as data. Where they are kept is the business of :mod:`syncd.credentials`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from syncd.config.models import (
    BigcommerceSettings,
    CommercetoolsSettings,
    Configuration,
    ConnectionSettings,
    HubspotSettings,
    SalesforceSettings,
    subscription_secrets,
)


@dataclass(frozen=True, slots=True)
class SecretNeed:
    account: str
    """The connection or the event source."""
    name: str
    purpose: str
    needed: bool = True
    """Syncd cannot do its work without it; otherwise only what ``purpose`` says is missing."""


PREVIOUS: Final = "previous_"
"""Before a secret's name: the one it replaces, still accepted while it is being rotated."""


def secret_needs(configuration: Configuration) -> tuple[SecretNeed, ...]:
    """Every secret that the configuration knows of, in the order of the file."""
    return (
        *(need for one in configuration.connections.values() for need in connection_needs(configuration, one)),
        *source_needs(configuration),
    )


def connection_needs(configuration: Configuration, connection: ConnectionSettings) -> tuple[SecretNeed, ...]:
    """The secrets of one connection."""
    if isinstance(connection, CommercetoolsSettings):
        return tuple(_commercetools(connection))
    if isinstance(connection, HubspotSettings):
        webhooks = any(one.capture.webhook for one in configuration.mappings_of(connection.name))
        return tuple(_hubspot(connection, webhooks=webhooks))
    if isinstance(connection, SalesforceSettings):
        return tuple(_salesforce(connection))
    if isinstance(connection, BigcommerceSettings):
        webhooks = any(one.capture.webhook for one in configuration.mappings_of(connection.name))
        return tuple(_bigcommerce(connection, webhooks=webhooks))
    return ()


def _commercetools(connection: CommercetoolsSettings) -> Iterator[SecretNeed]:
    yield SecretNeed(connection.name, "client_secret", f"secret of the API client {connection.client_id}")
    destination = connection.subscription.destination
    for member, name in subscription_secrets(destination).items():
        yield SecretNeed(connection.name, name, f"{member} of the subscription's {destination['type']} destination")


def _hubspot(connection: HubspotSettings, *, webhooks: bool) -> Iterator[SecretNeed]:
    name = connection.name
    if connection.auth == "oauth":
        yield SecretNeed(name, "client_secret", "secret of the app: signs in, and signs webhooks")
        yield SecretNeed(name, "refresh_token", "the app's grant for this account")
    else:
        yield SecretNeed(name, "access_token", "service key, private app token or static project app token")
        signs = "secret of the app that signs webhooks" + (" and reads the journal" if connection.journal else "")
        yield SecretNeed(name, "client_secret", signs, needed=webhooks or connection.journal)
    yield SecretNeed(name, f"{PREVIOUS}client_secret", "the app's former secret, during a rotation", needed=False)
    if connection.app_id:
        yield SecretNeed(name, "developer_key", "shows the webhook subscriptions of a legacy public app", needed=False)


def _bigcommerce(connection: BigcommerceSettings, *, webhooks: bool) -> Iterator[SecretNeed]:
    name = connection.name
    yield SecretNeed(name, "access_token", "token of an API account made for syncd alone")
    yield SecretNeed(name, "webhook_secret", "what webhooks must carry; any long random text", needed=webhooks)
    yield SecretNeed(name, f"{PREVIOUS}webhook_secret", "the former one, during a rotation", needed=False)
    signs = "secret of the API account: the vendor signs webhooks with it"
    yield SecretNeed(name, "client_secret", signs, needed=webhooks and connection.signed_webhooks)


def _salesforce(connection: SalesforceSettings) -> Iterator[SecretNeed]:
    name = connection.name
    if connection.auth == "jwt":
        yield SecretNeed(name, "private_key", "RSA key in PEM form whose certificate the client app has")
        return
    yield SecretNeed(name, "client_secret", "consumer secret of the client app")
    if connection.auth == "password":
        yield SecretNeed(name, "password", f"of {connection.username}, with the security token behind it if needed")


def source_needs(configuration: Configuration) -> tuple[SecretNeed, ...]:
    """The secrets of the event sources."""
    needs = []
    for name, one in configuration.intake.sources.items():
        secret, purpose = (
            ("signing_secret", "signs the shop's events (whsec_... or whpk_...)")
            if one.auth == "signature"
            else ("token", "the shop's bearer token")
        )
        needs.append(SecretNeed(name, secret, purpose))
        needs.append(SecretNeed(name, f"{PREVIOUS}{secret}", "the former one, during a rotation", needed=False))
    return tuple(needs)
