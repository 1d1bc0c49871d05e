"""Webhook subscriptions: what the mappings need of them, and what can be seen of those there are.

Only those of a legacy public app can be looked at, with the developer account's key; those of private and project apps
stand in the vendor's screens and in the project's files. Then syncd says what must stand there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.mapping import ASSOCIATIONS, ObjectMapping
from syncd.runtime.secret import Secret
from syncd.systems.contract import Finding, Severity, VendorError
from syncd.systems.hubspot.channels import ERASABLE
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.journal_subscriptions import type_id_of
from syncd.systems.hubspot.objects import SINGULAR, TYPE_IDS, listed, modified_property
from syncd.systems.hubspot.provision import unspent
from syncd.systems.hubspot.settings import Paths, Settings

_NOUNS: Final = {plural: noun for noun, plural in SINGULAR.items()}
_ALWAYS: Final = ("creation", "deletion", "merge", "restore")
_LINKLESS: Final = frozenset({"products"})
"""Objects whose associations the vendor sends no webhooks about."""


@dataclass(frozen=True, slots=True, order=True)
class Hook:
    """One subscription: what happens to which object, and to which property."""

    object: str
    what: str
    name: str = ""

    def text(self) -> str:
        noun = _NOUNS.get(self.object)
        head = f"{noun}.{self.what}" if noun else f"object.{self.what} of {type_id_of(self.object)}"
        return f"{head} ({self.name})" if self.name else head


def wanted_of(mapping: ObjectMapping) -> frozenset[Hook]:
    object_ = mapping.object
    stamps = {modified_property(object_), "lastmodifieddate", "hs_lastmodifieddate", "hs_object_id"}
    paths = {path for item in mapping.readable() for path in item.paths}
    hooks = {Hook(object_, what) for what in _ALWAYS}
    hooks |= {Hook(object_, "propertyChange", path) for path in paths - stamps if not path.startswith(ASSOCIATIONS)}
    if object_ in ERASABLE:
        hooks.add(Hook(object_, "privacyDeletion"))
    if any(path.startswith(ASSOCIATIONS) for path in paths) and object_ not in _LINKLESS:
        hooks.add(Hook(object_, "associationChange"))
    return frozenset(hooks)


def hook_of(told: Mapping[str, Any]) -> Hook | None:
    """A subscription as the vendor shows it; ``None`` for one of something else."""
    noun, _, what = str(told.get("eventType") or "").partition(".")
    type_id = str(told.get("objectTypeId") or "")
    object_ = TYPE_IDS.get(type_id, type_id) if noun == "object" else SINGULAR.get(noun, "")
    return Hook(object_, what, str(told.get("propertyName") or "")) if object_ and what else None


def compare(
    wanted: frozenset[Hook], told: Sequence[Mapping[str, Any]], target: str, public_url: str, connection: str
) -> list[Finding]:
    """Pure."""
    findings: list[Finding] = []
    subject = f"{connection}.webhooks"
    if public_url and target.rstrip("/") != public_url.rstrip("/"):
        message = f"the app sends its webhooks to {target or 'no address'}, not to {public_url}"
        findings.append(
            Finding(
                Severity.ERROR, "webhook-target-wrong", subject, message, "set the app's target URL, or webhook_url"
            )
        )
    standing = {hook: one.get("active") is True for one in told if (hook := hook_of(one)) is not None}
    for hook in sorted(wanted):
        if hook not in standing:
            message = f"nobody subscribed to {hook.text()}"
            findings.append(Finding(Severity.WARNING, "webhook-missing", subject, message, "add it to the app"))
        elif not standing[hook]:
            message = f"the subscription to {hook.text()} is switched off"
            findings.append(Finding(Severity.WARNING, "webhook-disabled", subject, message, "switch it on in the app"))
    if not findings:
        message = f"{len(wanted)} subscriptions stand and are switched on"
        findings.append(Finding(Severity.OK, "webhooks", subject, message))
    return findings


class Hooks:
    def __init__(self, settings: Settings, client: Client, paths: Paths) -> None:
        self._settings = settings
        self._client = client
        self._paths = paths

    async def run(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        """Raises ``SpentError``."""
        wanted = frozenset(hook for one in mappings if one.capture.webhook for hook in wanted_of(one))
        if not wanted:
            return []
        settings = self._settings
        subject = f"{settings.connection}.webhooks"
        if not settings.app_id or settings.developer_key is None:
            message = (
                "the app's subscriptions cannot be seen with this credential; these must stand in the app: "
                + ", ".join(hook.text() for hook in sorted(wanted))
            )
            return [Finding(Severity.OK, "webhooks-unseen", subject, message)]
        try:
            told = await self._look(settings.app_id, "subscriptions", settings.developer_key)
            about = await self._look(settings.app_id, "settings", settings.developer_key)
        except VendorError as error:
            failure = unspent(error.failure)
            message = f"the app's subscriptions cannot be seen: {failure.code}: {failure.message}"
            remedy = "check app_id and developer_key; only legacy public apps show their subscriptions"
            return [Finding(Severity.WARNING, "webhooks-unseen", subject, message[:500], remedy)]
        target = str(about.get("targetUrl") or "") if isinstance(about, Mapping) else ""
        return compare(wanted, listed(told), target, settings.public_url, settings.connection)

    async def _look(self, app_id: int, what: str, key: Secret) -> Any:
        return (await self._client.keyed(self._paths.hooks(app_id, what), key, Lane.OPERATOR)).data
