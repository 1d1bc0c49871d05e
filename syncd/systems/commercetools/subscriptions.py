"""The one subscription that syncd looks after, where a destination is configured: made, audited, mended.

commercetools puts notifications into a queue of a cloud; how they reach syncd from there is the business of a forwarder
(docs/events.md). Asked for are changes of every mapped resource, and its messages where there are any: some things
raise only the one (order edits), some only the other (a customer's locale). Sources: Subscriptions, Destinations,
SubscriptionHealthStatus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.secret import MASK
from syncd.systems.commercetools.client import Client, segment
from syncd.systems.commercetools.errors import Doing
from syncd.systems.commercetools.provision import REMEDY, refused
from syncd.systems.commercetools.resources import resource_named
from syncd.systems.commercetools.settings import Subscription
from syncd.systems.contract import Finding, Severity, VendorError

WITH_MESSAGES: Final = frozenset(
    {
        "customer", "customer-group", "business-unit", "associate-role", "order", "quote-request", "staged-quote",
        "quote", "product", "standalone-price",
    }
)  # fmt: skip
"""Types that messages can be subscribed to; changes can be of every mapped one."""

HEALTH: Final[Mapping[str, tuple[Severity, str, str]]] = {
    "Healthy": (Severity.OK, "notifications are delivered", ""),
    "TemporaryError": (Severity.WARNING, "the queue cannot be reached; the vendor keeps trying", "look at the queue"),
    "ConfigurationError": (
        Severity.ERROR,
        "the queue refuses notifications; they are kept for a while",
        "give the vendor the right to send, or correct the destination and provision again",
    ),
    "ConfigurationErrorDeliveryStopped": (
        Severity.ERROR,
        "the vendor has stopped sending, and what happened since is told by polls alone",
        f"mend the queue, then run {REMEDY}",
    ),
    "ManuallySuspended": (
        Severity.ERROR,
        "the vendor has suspended the subscription, and what happens is told by polls alone",
        "ask the vendor's support",
    ),
}
"""Health status to what it means and what to do."""

REFUSED: Final[Mapping[str, str]] = {
    "ConfigurationErrorDeliveryStopped": "the vendor has stopped sending",
    "ConfigurationError": "the queue refuses notifications",
}
"""Statuses in which the destination is told anew: its secrets may be others by now, and cannot be compared."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What stands between the subscription that is held and the one that is wanted."""

    what: tuple[str, ...] = ()
    actions: tuple[Mapping[str, Any], ...] = ()
    anew: bool = False
    """It cannot be changed into what is wanted, and has to be made anew."""


def wanted(subscription: Subscription, mappings: Sequence[ObjectMapping]) -> dict[str, Any]:
    """The draft of the subscription, with its secrets. Pure."""
    found = (resource_named(one.object) for one in mappings)
    types = sorted({one.type_id for one in found if one is not None})
    made: dict[str, Any] = {
        "key": subscription.key,
        "destination": subscription.revealed(),
        "changes": [{"resourceTypeId": one} for one in types],
        "messages": [{"resourceTypeId": one} for one in types if one in WITH_MESSAGES],
        "format": {"type": subscription.format},
    }
    if subscription.format == "CloudEvents":
        made["format"]["cloudEventsVersion"] = "1.0"
    return made


def plan(held: Mapping[str, Any], draft: Mapping[str, Any], subscription: Subscription) -> Plan:
    """How to come from what is held to the draft. Secrets are not compared: the vendor hides them. Pure."""
    told = held.get("destination")
    destination: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    form = held.get("format")
    if isinstance(form, Mapping) and form.get("type") != draft["format"]["type"]:
        return Plan((f"the format is {form.get('type')}",), anew=True)
    what, actions = [], list[Mapping[str, Any]]()
    moved = any(destination.get(name) != value for name, value in subscription.destination.items())
    refusal = REFUSED.get(str(held.get("status")))
    if moved or refusal:
        what.append(refusal or "the destination is another one")
        actions.append({"action": "changeDestination", "destination": draft["destination"]})
    for name, action in (("changes", "setChanges"), ("messages", "setMessages")):
        if _types(held.get(name)) != _types(draft[name]):
            missing = sorted(set(_types(draft[name])) - set(_types(held.get(name))))
            what.append(f"{name} of {', '.join(missing)} are missing" if missing else f"{name} of too many types")
            actions.append({"action": action, name: draft[name]})
    return Plan(tuple(what), tuple(actions))


def _types(listed: Any) -> dict[str, tuple[str, ...]]:
    """Resource types, each with the message types that it is narrowed to."""
    rows = listed if isinstance(listed, list) else []
    return {
        str(one.get("resourceTypeId")): tuple(
            sorted(map(str, told if isinstance(told := one.get("types"), list) else ()))
        )
        for one in rows
        if isinstance(one, Mapping)
    }


async def subscriptions(
    client: Client, connection: str, mappings: Sequence[ObjectMapping], *, apply: bool
) -> list[Finding]:
    """Findings about the configured subscription; with ``apply`` it is made or mended. Nothing where none is
    configured, or nothing is mapped. Never raises for the vendor."""
    subscription = client.settings.subscription
    if subscription is None or not mappings:
        return []
    subject = f"{connection}.subscription.{subscription.key}"
    keeper = _Keeper(client, subscription, subject, wanted(subscription, mappings))
    try:
        held = await keeper.held()
    except VendorError as error:
        return [refused("subscription-unreadable", subject, "the subscription cannot be read", error)]
    if held is None:
        return [await keeper.make(apply=apply)]
    return await keeper.audit(held, apply=apply)


class _Keeper:
    def __init__(self, client: Client, subscription: Subscription, subject: str, draft: Mapping[str, Any]) -> None:
        self._client = client
        self._subscription = subscription
        self._subject = subject
        self._draft = draft

    async def held(self) -> Mapping[str, Any] | None:
        try:
            address = f"subscriptions/key={segment(self._subscription.key)}"
            return (await self._client.get(address, Lane.OPERATOR, one=True)).body
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                return None
            raise

    async def make(self, *, apply: bool) -> Finding:
        what = f"a subscription to {self._subscription.destination.get('type')}"
        if not apply:
            return Finding(Severity.WARNING, "subscription-missing", self._subject, f"{what} does not exist", REMEDY)
        try:
            await self._client.post("subscriptions", self._draft, Lane.OPERATOR, doing=Doing.CREATE)
        except VendorError as error:
            return self._refused("subscription-missing", f"{what} could not be made", error)
        return Finding(Severity.OK, "subscription-missing", self._subject, f"{what} was made", applied=True)

    async def audit(self, held: Mapping[str, Any], *, apply: bool) -> list[Finding]:
        found = plan(held, self._draft, self._subscription)
        if not found.what:
            return [self._health(held)]
        what = "; ".join(found.what)
        if not apply:
            return [
                self._health(held),
                Finding(Severity.WARNING, "subscription-differs", self._subject, what, REMEDY),
            ]
        try:
            held = await self._mend(held, found)
        except VendorError as error:
            return [self._refused("subscription-differs", f"{what}; it could not be mended", error)]
        mended = Finding(Severity.OK, "subscription-differs", self._subject, f"{what}: mended", applied=True)
        return [mended, self._health(held)]

    def _refused(self, code: str, what: str, error: VendorError) -> Finding:
        """In the vendor's words, which may repeat the value that it does not like."""
        finding = refused(code, self._subject, what, error)
        message = finding.message
        for secret in filter(None, self._subscription.secrets.values()):
            message = message.replace(secret.reveal(), MASK)
        return replace(finding, message=message)

    async def _mend(self, held: Mapping[str, Any], found: Plan) -> Mapping[str, Any]:
        address = f"subscriptions/{segment(str(held.get('id')))}"
        if found.anew:
            await self._client.delete(address, Lane.OPERATOR, (("version", str(held.get("version"))),))
            return (await self._client.post("subscriptions", self._draft, Lane.OPERATOR, doing=Doing.CREATE)).body
        body = {"version": held.get("version"), "actions": list(found.actions)}
        return (await self._client.post(address, body, Lane.OPERATOR, doing=Doing.CHANGE)).body

    def _health(self, held: Mapping[str, Any]) -> Finding:
        status = str(held.get("status"))
        severity, message, remedy = HEALTH.get(status, (Severity.WARNING, "its health is not one we know", ""))
        return Finding(severity, "subscription", self._subject, f"{status}: {message}", remedy)
