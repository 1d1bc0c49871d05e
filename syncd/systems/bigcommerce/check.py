"""The doctor of one store: credential, scopes, reachability, mapped members, attributes, groups, webhooks, clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce.client import Client
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.errors import Doing, shaped
from syncd.systems.bigcommerce.form import GROUP, writes
from syncd.systems.bigcommerce.hooks import Hooks, scopes_for
from syncd.systems.bigcommerce.kinds import KINDS, OBJECTS
from syncd.systems.bigcommerce.metafields import MEMBER
from syncd.systems.bigcommerce.objects import members
from syncd.systems.bigcommerce.provision import Provisioner, refused
from syncd.systems.contract import Finding, Severity, VendorError

SKEW_SECONDS: Final = 30.0
_PROBES: Final[Mapping[str, str]] = {
    "customers": "v3/customers",
    "customer_addresses": "v3/customers/addresses",
    "customer_groups": "v2/customer_groups",
    "orders": "v2/orders",
    "products": "v3/catalog/products",
    "channels": "v3/channels",
    "price_lists": "v3/pricelists",
    "price_records": "v3/pricelists",
    "price_list_assignments": "v3/pricelists/assignments",
    "companies": "b2b/companies",
    "users": "b2b/users",
    "company_addresses": "b2b/addresses",
    "roles": "b2b/companies/roles",
}
"""A list by which each kind can be asked for."""
_NOBODY: Final = "00000000-0000-4000-a000-000000000000"
"""A cart that does not exist: asking for it tells whether carts may be asked for."""


class Checker:
    def __init__(self, client: Client, directory: Directory, hooks: Hooks, provisioner: Provisioner) -> None:
        self._client = client
        self._directory = directory
        self._hooks = hooks
        self._provisioner = provisioner
        self._connection = client.settings.connection

    async def run(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        """Findings, the good ones too. Never raises for what it finds."""
        findings = [*await self._store(), *_path_findings(self._connection, mappings)]
        if any(one.severity is Severity.ERROR and one.code == "credential-refused" for one in findings):
            return findings
        mapped = dict.fromkeys(one.object for one in mappings if one.object in OBJECTS)
        findings += [await self._reach(object_) for object_ in mapped]
        findings += await self._provisioner.run(mappings, apply=False)
        findings += await self._groups(mappings)
        return [*findings, *self._reachability(mappings)]

    async def _store(self) -> list[Finding]:
        try:
            reply = await self._client.v2("store", Lane.OPERATOR)
        except VendorError as error:
            return [refused(self._connection, "the store does not answer", error)]
        told = reply.body if isinstance(reply.body, Mapping) else {}
        if told.get("id") not in (None, self._client.settings.store_hash):
            message = f"the credential belongs to the store {told.get('id')}"
            return [Finding(Severity.ERROR, "wrong-store", self._connection, message, "set the right store_hash")]
        message = f"{told.get('name')}, plan {told.get('plan_name')}, currency {told.get('currency')}"
        findings = [Finding(Severity.OK, "reachable", self._connection, message)]
        if reply.date_ms is not None:
            findings.append(self._clock((self._client.now_ms() - reply.date_ms) / 1000))
        return findings

    def _clock(self, skew: float) -> Finding:
        subject = f"{self._connection}.clock"
        if abs(skew) < SKEW_SECONDS:
            return Finding(Severity.OK, "clock", subject, f"within {max(1, round(abs(skew)))} s of the vendor's")
        way = "ahead of" if skew > 0 else "behind"
        message = f"this machine's clock is {abs(skew):.0f} s {way} the vendor's"
        return Finding(Severity.WARNING, "clock-skew", subject, message, "synchronise the clock")

    async def _reach(self, object_: str) -> Finding:
        """One small read tells whether the account may read an object. Only a write tells whether it may write."""
        subject = f"{self._connection}.{object_}"
        api, _, path = _PROBES.get(object_, "").partition("/")
        one = [("limit", "1")]
        try:
            if object_ == "carts":
                await self._client.one(f"carts/{_NOBODY}", Lane.OPERATOR)
            elif api == "b2b":
                await self._client.b2b("GET", path, Lane.OPERATOR, Doing.READ, one)
            elif api == "v2":
                await self._client.v2(path, Lane.OPERATOR, one)
            else:
                await self._client.rows(path, Lane.OPERATOR, one)
        except VendorError as error:
            return refused(subject, f"{object_} cannot be read (scope {KINDS[object_].scope})", error)
        return Finding(Severity.OK, "readable", subject, f"{object_} can be read")

    async def _groups(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        if not any(GROUP in members(one) for one in mappings):
            return []
        subject = f"{self._connection}.customer_groups"
        try:
            with shaped(Doing.READ):
                names = list((await self._directory.groups(Lane.OPERATOR)).values())
        except VendorError as error:
            return [refused(subject, "customer groups cannot be read", error)]
        if not names:
            message = "the store has no customer groups, so no price tier can be written"
            return [Finding(Severity.WARNING, "groups-missing", subject, message, "make them in the control panel")]
        shown = ", ".join(sorted(names)[:10])
        return [Finding(Severity.OK, "groups", subject, f"{len(names)} customer groups: {shown}")]

    def _reachability(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        """Carts have no list: without webhooks they are not seen."""
        findings = []
        settings = self._client.settings
        subject = f"{self._connection}.webhooks"
        if any(one.object == "carts" for one in mappings) and not settings.webhook_url:
            message = "carts are told of by webhooks alone, and the vendor does not know how to reach us"
            findings.append(
                Finding(Severity.WARNING, "carts-unseen", subject, message, "set intake.public_url or webhook_url")
            )
        if scopes_for(mappings) and settings.webhook_url and not any(settings.webhook_secrets):
            message = "webhooks are awaited, but there is no secret they could carry"
            remedy = f"syncd credentials set {self._connection} webhook_secret"
            findings.append(Finding(Severity.ERROR, "webhook-secret-missing", subject, message, remedy))
        return findings


def _path_findings(connection: str, mappings: Sequence[ObjectMapping]) -> list[Finding]:
    """Objects and paths that can never be read or written. Pure."""
    findings = []
    for one in mappings:
        subject = f"{connection}.{one.object}"
        kind = KINDS.get(one.object)
        if kind is None:
            message = f"syncd knows {', '.join(OBJECTS)} of BigCommerce"
            findings.append(Finding(Severity.ERROR, "unknown-object", subject, message))
            continue
        if never := one.write - kind.actions:
            verbs = ", ".join(sorted(verb.value for verb in never))
            message = f"syncd cannot {verbs} {one.object} of BigCommerce"
            findings.append(
                Finding(Severity.ERROR, "not-writable", subject, message, f"take {verbs} out of the mapping's write")
            )
        findings += [
            Finding(Severity.ERROR, "not-writable", f"{subject}.{path}", "syncd does not write it",
                    'map it with direction = "read"')
            for field in one.writable() for path in field.paths
            if one.object == "customers" and one.write & {Action.CREATE, Action.UPDATE} and not writes(path)
        ]  # fmt: skip
        findings += [
            Finding(Severity.ERROR, "not-readable", f"{subject}.{path}", why) for path in one.paths()
            if path.startswith(f"{MEMBER}.") and (why := _faulty_metafield(one.object, path))
        ]  # fmt: skip
    return findings


def _faulty_metafield(object_: str, path: str) -> str:
    if not KINDS[object_].metafields:
        return f"{object_} have no metafields"
    whole = path.count(".") == 2 and all(0 < len(one) <= 64 for one in path.split("."))
    return "" if whole else "a metafield is mapped as metafields.<namespace>.<key>, each of 64 characters at most"
