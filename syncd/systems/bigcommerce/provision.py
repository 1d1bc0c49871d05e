"""What a store lacks for the mappings: customer attributes, and webhooks that lead to us; made on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce.client import Client
from syncd.systems.bigcommerce.directory import Attribute, Directory
from syncd.systems.bigcommerce.errors import Doing, shaped
from syncd.systems.bigcommerce.hooks import Hooks, scopes_for
from syncd.systems.bigcommerce.objects import names_of
from syncd.systems.contract import Finding, Severity, VendorError

REMEDY: Final = "syncd provision --apply"
MOST: Final = 50
"""Attributes of a store."""
_BATCH: Final = 10
_EXTRA_FIELDS: Final[Mapping[str, str]] = {
    "companies": "companies/extra-fields",
    "users": "users/extra-fields",
    "company_addresses": "addresses/extra-fields",
}
_WORDS: Final[Mapping[str, str]] = {
    "missing": "there is no webhook for {scope}",
    "inactive": "the webhook for {scope} was deactivated by the vendor; events in between are lost, polls bring them",
    "wrong-key": "the webhook for {scope} does not carry our secret",
    "duplicate": "there is a second webhook for {scope}",
}


class Provisioner:
    def __init__(self, client: Client, directory: Directory, hooks: Hooks) -> None:
        self._client = client
        self._directory = directory
        self._hooks = hooks
        self._connection = client.settings.connection

    async def run(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> list[Finding]:
        """Never raises for what the vendor says."""
        findings: list[Finding] = []
        steps = (
            ("customers.attributes", self.attributes), ("extra_fields", self.extra_fields), ("webhooks", self.webhooks)
        )  # fmt: skip
        for subject, step in steps:
            try:
                with shaped(Doing.READ):
                    findings += await step(mappings, apply=apply)
            except VendorError as error:
                findings.append(refused(f"{self._connection}.{subject}", f"{subject} cannot be read", error))
        return findings

    async def attributes(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> list[Finding]:
        """Raises :class:`VendorError` when they cannot be read."""
        wanted = {name for one in mappings if one.object == "customers" for name in names_of(one, "attributes")}
        if not wanted:
            return []
        held = await self._directory.attributes(Lane.OPERATOR, fresh=True)
        findings = [
            self._differs(held[name]) for name in sorted(wanted) if name in held and held[name].type != "string"
        ]
        missing = sorted(wanted - held.keys())
        if not missing:
            return findings
        if len(held) + len(missing) > MOST:
            told = f"a store has at most {MOST} customer attributes, {len(held)} are there, {len(missing)} are wanted"
            return [*findings, self._finding(Severity.ERROR, "attributes-full", "customers.attributes", told)]
        return [*findings, *(await self._make(missing, apply=apply))]

    async def _make(self, names: Sequence[str], *, apply: bool) -> list[Finding]:
        if not apply:
            return [
                self._finding(Severity.WARNING, "attribute-missing", f"customers.attributes.{name}",
                              "the store has no such customer attribute", REMEDY)
                for name in names
            ]  # fmt: skip
        findings = []
        for start in range(0, len(names), _BATCH):
            part = names[start : start + _BATCH]
            body = [{"name": name, "type": "string"} for name in part]
            subject = f"{self._connection}.customers.attributes"
            try:
                await self._client.v3("POST", "customers/attributes", Lane.OPERATOR, Doing.CREATE, body)
            except VendorError as error:
                findings.append(refused(subject, f"{', '.join(part)} could not be made", error))
                continue
            findings += [
                Finding(Severity.OK, "attribute-missing", f"{subject}.{name}", "the attribute was made", applied=True)
                for name in part
            ]
        await self._directory.attributes(Lane.OPERATOR, fresh=True)
        return findings

    async def extra_fields(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> list[Finding]:
        """Of B2B Edition: they can be made in its control panel only. Raises :class:`VendorError`."""
        del apply
        findings: list[Finding] = []
        for one in mappings:
            path = _EXTRA_FIELDS.get(one.object, "")
            wanted = set(names_of(one, "extra_fields"))
            if not path or not (wanted or Action.CREATE in one.write):
                continue
            data, _ = await self._client.b2b("GET", path, Lane.OPERATOR, Doing.READ, [("limit", "250")])
            held = {str(row.get("fieldName")): row for row in data or () if isinstance(row, Mapping)}
            findings += [
                self._finding(Severity.WARNING, "extra-field-missing", f"{one.object}.extra_fields.{name}",
                              "B2B Edition has no such extra field", "make it in B2B Edition's settings, as text")
                for name in sorted(wanted - held.keys())
            ]  # fmt: skip
            needed = {name for name, row in held.items() if row.get("isRequired") in (True, 1, "1")}
            findings += [
                self._finding(Severity.WARNING, "extra-field-needed", f"{one.object}.extra_fields.{name}",
                              "B2B Edition demands it of each new one", "map it, or set it in the mapping's constants")
                for name in sorted(needed - wanted) if Action.CREATE in one.write
            ]  # fmt: skip
        return findings

    async def webhooks(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> list[Finding]:
        """Raises :class:`VendorError` when they cannot be read."""
        scopes = scopes_for(mappings)
        if not scopes or not self._hooks.wanted:
            return []
        findings = []
        for fault in await self._hooks.faults(scopes, Lane.OPERATOR):
            subject, told = f"{self._connection}.webhooks", _WORDS[fault.kind].format(scope=fault.scope)
            code = f"webhook-{fault.kind}"
            if not apply:
                findings.append(Finding(Severity.WARNING, code, subject, told, REMEDY))
                continue
            try:
                await self._hooks.mend(fault, Lane.OPERATOR)
            except VendorError as error:
                findings.append(refused(subject, told, error))
            else:
                findings.append(Finding(Severity.OK, code, subject, f"{told}: mended", applied=True))
        return findings

    def _differs(self, one: Attribute) -> Finding:
        told = f"the attribute is of type {one.type}, which cannot be changed; syncd writes text"
        subject = f"customers.attributes.{one.name}"
        return self._finding(Severity.WARNING, "attribute-type-differs", subject, told, "map another attribute")

    def _finding(self, severity: Severity, code: str, subject: str, message: str, remedy: str = "") -> Finding:
        return Finding(severity, code, f"{self._connection}.{subject}", message, remedy)


def refused(subject: str, what: str, error: VendorError) -> Finding:
    """A finding for what the vendor would not do, in its words."""
    failure = error.failure
    remedy = {
        Remedy.STOP: "check the API account: its token, its scopes, and the store's hash",
        Remedy.LOOK: "run it again: it may have been applied",
        Remedy.RETRY: "run it again later",
        Remedy.WAIT: "run it again later",
    }.get(failure.remedy, "")
    code = {401: "credential-refused", 403: "scope-missing"}.get(failure.status, failure.code)
    return Finding(Severity.ERROR, code, subject, f"{what}: {failure.message}", remedy)
