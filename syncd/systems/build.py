"""From a connection's settings and secrets to its system. Vendor packages are loaded here, on first use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from syncd.config.models import (
    BigcommerceSettings,
    CommercetoolsSettings,
    ConnectionSettings,
    HubspotSettings,
    SalesforceSettings,
    subscription_secrets,
)
from syncd.model.change import Change
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.contract import JobBook, Payer, System

Keep = Callable[[str, Secret], Awaitable[object]]
"""Stores a secret of the connection durably, by name; returns when it is safe."""


Translator = Callable[[str, Mapping[str, Any], int, str], Sequence[Change]]
"""Connection, event, when it was received (milliseconds) and correlation id, to changes."""


class MissingSecret(ValueError):  # noqa: N818 - a condition of the set-up, told in one line
    """A secret that the system cannot do without was not handed over."""

    def __init__(self, connection: str, name: str) -> None:
        self.connection = connection
        self.name = name
        super().__init__(
            f"the secret {name} of {connection} is not set. Run: syncd credentials set {connection} {name}"
        )


def build_system(
    connection: ConnectionSettings,
    secrets: Mapping[str, Secret],
    payer: Payer,
    world: World,
    *,
    keep: Keep | None = None,
    jobs: JobBook | None = None,
) -> System:
    """The system of a connection, closed. ``secrets`` are the connection's, by name (see
    :func:`syncd.config.secrets.connection_needs`). ``keep`` stores secrets that the vendor rotates; ``jobs`` is where
    its bulk jobs are noted, ``None`` for tools that begin none.

    Raises :class:`MissingSecret`.
    """

    def needed(name: str) -> Secret:
        found = secrets.get(name)
        if not found:
            raise MissingSecret(connection.name, name)
        return found

    if isinstance(connection, CommercetoolsSettings):
        return _commercetools(connection, needed, payer, world, jobs)
    if isinstance(connection, HubspotSettings):
        return _hubspot(connection, needed, secrets, payer, world, keep, jobs)
    if isinstance(connection, SalesforceSettings):
        return _salesforce(connection, needed, payer, world, jobs)
    if isinstance(connection, BigcommerceSettings):
        return _bigcommerce(connection, needed, secrets, payer, world)
    raise TypeError(f"no system is built from {type(connection).__name__}")


def _subscription(connection: CommercetoolsSettings, needed: Callable[[str], Secret]) -> Any:
    from syncd.systems.commercetools.settings import Subscription

    told = connection.subscription
    if not told.destination:
        return None
    secrets = {member: needed(name) for member, name in subscription_secrets(told.destination).items()}
    return Subscription(told.key, told.format, dict(told.destination), secrets)


def _commercetools(
    connection: CommercetoolsSettings,
    needed: Callable[[str], Secret],
    payer: Payer,
    world: World,
    jobs: JobBook | None,
) -> System:
    from syncd.systems.commercetools.settings import CommercetoolsSettings as Settings
    from syncd.systems.commercetools.system import CommercetoolsSystem

    settings = Settings(
        project_key=connection.project,
        api_url=connection.api_url,
        auth_url=connection.auth_url,
        import_url=connection.import_url,
        subscription=_subscription(connection, needed),
        client_id=Secret(connection.client_id),
        client_secret=needed("client_secret"),
        scopes=connection.scopes,
        custom_type_key=connection.custom_type,
        reads=connection.reads,
        read_seconds=connection.timeout,
        total_seconds=2 * connection.timeout,
    )
    return CommercetoolsSystem(connection.name, settings, payer, world, jobs=jobs)


def _hubspot(
    connection: HubspotSettings,
    needed: Callable[[str], Secret],
    secrets: Mapping[str, Secret],
    payer: Payer,
    world: World,
    keep: Keep | None,
    jobs: JobBook | None,
) -> System:
    from syncd.systems.hubspot.journal_pages import SCOPES
    from syncd.systems.hubspot.settings import AppGrant, OAuthGrant, Settings
    from syncd.systems.hubspot.system import HubSpot

    oauth = connection.auth == "oauth"
    signing = (secrets.get("client_secret"), secrets.get("previous_client_secret"))

    async def kept(token: Secret) -> None:
        if keep is not None:
            await keep("refresh_token", token)

    settings = Settings(
        connection=connection.name,
        access_token=None if oauth else needed("access_token"),
        oauth=OAuthGrant(connection.client_id, needed("client_secret"), needed("refresh_token")) if oauth else None,
        webhook_secrets=tuple(one for one in signing if one),
        public_url=connection.webhook_url,
        portal_id=connection.portal_id,
        journal=AppGrant(connection.client_id, needed("client_secret"), SCOPES) if connection.journal else None,
        app_id=connection.app_id,
        developer_key=secrets.get("developer_key"),
        base_url=connection.base_url,
        api_version=connection.api_version,
        graphql=connection.graphql,
        time_zone=connection.time_zone,
        read_seconds=connection.timeout,
    )
    return HubSpot(settings, payer, world, keep=kept if keep is not None else None, jobs=jobs)


def _bigcommerce(
    connection: BigcommerceSettings,
    needed: Callable[[str], Secret],
    secrets: Mapping[str, Secret],
    payer: Payer,
    world: World,
) -> System:
    from syncd.systems.bigcommerce.settings import Settings
    from syncd.systems.bigcommerce.system import Bigcommerce

    carried = (secrets.get("webhook_secret"), secrets.get("previous_webhook_secret"))
    settings = Settings(
        connection=connection.name,
        store_hash=connection.store_hash,
        access_token=needed("access_token"),
        api_url=connection.api_url,
        b2b_url=connection.b2b_url,
        client_secret=secrets.get("client_secret"),
        webhook_secrets=tuple(one for one in carried if one),
        webhook_url=connection.webhook_url,
        signed_only=connection.signed_webhooks,
        read_seconds=connection.timeout,
        total_seconds=2 * connection.timeout,
    )
    return Bigcommerce(settings, payer, world)


def _salesforce(
    connection: SalesforceSettings,
    needed: Callable[[str], Secret],
    payer: Payer,
    world: World,
    jobs: JobBook | None,
) -> System:
    from syncd.systems.salesforce.settings import Grant, Settings
    from syncd.systems.salesforce.system import Salesforce

    grant = Grant(connection.auth)
    settings = Settings(
        connection=connection.name,
        login_url=connection.login_url,
        client_id=connection.client_id,
        auth=grant,
        client_secret=None if grant is Grant.JWT else needed("client_secret"),
        username=connection.username,
        private_key=needed("private_key") if grant is Grant.JWT else None,
        password=needed("password") if grant is Grant.PASSWORD else None,
        audience=connection.audience,
        api_version=connection.api_version,
        currency=connection.company_currency,
        pubsub_url=connection.pubsub_url,
        ca_file=connection.ca_file,
        bulk_threshold=connection.bulk_threshold,
        read_seconds=connection.timeout,
    )
    return Salesforce(settings, payer, world, jobs=jobs)


def event_translator(system: str) -> Translator:
    """How the events of a shop on this system become changes."""
    if system == "commercetools":
        from syncd.systems.commercetools.events import changes_from_event

        return changes_from_event
    if system == "bigcommerce":
        from syncd.systems.bigcommerce.events import changes_from_event as bigcommerce_changes

        return bigcommerce_changes
    raise ValueError(f"shops on {system} post no events that syncd understands; use its webhooks or polls")
