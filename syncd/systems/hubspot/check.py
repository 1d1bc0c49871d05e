"""The doctor's look at one account. It finds; it changes nothing and never raises for what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import Finding, Severity, VendorError
from syncd.systems.hubspot.hooks import Hooks
from syncd.systems.hubspot.journal_check import JournalChecker
from syncd.systems.hubspot.objects import listed
from syncd.systems.hubspot.pipelines import Pipelines, resolve, wanted
from syncd.systems.hubspot.provision import Need, SpentError, needs_of, trouble
from syncd.systems.hubspot.relation_check import RelationChecker
from syncd.systems.hubspot.rights import Rights
from syncd.systems.hubspot.sdk import FIRST_PAGE, PROPERTIES, Sdk
from syncd.systems.hubspot.settings import Paths, Settings
from syncd.systems.hubspot.vitals import Vitals

SKEW_WARNING_SECONDS: Final = 30.0
SKEW_ERROR_SECONDS: Final = 240.0
"""Webhook signatures are good for 300 s either way."""


class Checker:
    def __init__(
        self, settings: Settings, sdk: Sdk, paths: Paths, pipelines: Pipelines, vitals: Vitals, rights: Rights,
        hooks: Hooks, journal: JournalChecker, relations: RelationChecker,
    ) -> None:  # fmt: skip
        self._relations = relations
        self._rights = rights
        self._hooks = hooks
        self._journal = journal
        self._settings = settings
        self._sdk = sdk
        self._paths = paths
        self._pipelines = pipelines
        self._vitals = vitals

    async def run(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        findings: list[Finding] = []
        try:
            await self._run(findings, mappings)
        except SpentError as error:
            told = f"{error}; the check was not finished"
            findings.append(self._finding(Severity.WARNING, "budget-spent", "account", told))
        return findings

    async def _run(self, findings: list[Finding], mappings: Sequence[ObjectMapping]) -> None:
        try:
            account = await self._sdk.get(self._paths.account(), Lane.OPERATOR)
            findings.append(self._account(account))
            findings += self._clock()
            findings += await self._rights.run(mappings)
            findings += self._webhooks(mappings)
            findings += await self._hooks.run(mappings)
            findings += await self._journal.check(mappings)
            for mapping in mappings:
                findings += await self._mapping(mapping)
            findings += await self._relations.run(mappings)
        except VendorError as error:
            findings.append(trouble(self._settings.connection, "account", error.failure))

    def _account(self, account: Any) -> Finding:
        told: Mapping[str, Any] = account if isinstance(account, Mapping) else {}
        if isinstance(told.get("timeZone"), str):
            self._vitals.time_zone = told["timeZone"]
        portal = self._settings.portal_id
        if portal and str(told.get("portalId")) != str(portal):
            message = f"the credential belongs to account {told.get('portalId')}, not to {portal}"
            return self._finding(Severity.ERROR, "wrong-account", "account", message, "set the right credential")
        message = (
            f"account {told.get('portalId')} ({told.get('accountType')}), time zone {told.get('timeZone')}, "
            f"currency {told.get('companyCurrency')}"
        )
        return self._finding(Severity.OK, "account", "account", message)

    def _clock(self) -> list[Finding]:
        skew = self._vitals.skew_seconds
        if skew is None:
            return [self._finding(Severity.WARNING, "clock-unknown", "clock", "the vendor sent no Date header")]
        if abs(skew) < SKEW_WARNING_SECONDS:
            return [
                self._finding(Severity.OK, "clock", "clock", f"within {max(1, round(abs(skew)))} s of the vendor's")
            ]
        severity = Severity.ERROR if abs(skew) >= SKEW_ERROR_SECONDS else Severity.WARNING
        way = "ahead of" if skew > 0 else "behind"
        message = (
            f"this machine's clock is {abs(skew):.0f} s {way} the vendor's; signed webhooks are refused beyond 300 s"
        )
        return [self._finding(severity, "clock-skew", "clock", message, "synchronise the clock")]

    def _webhooks(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        findings: list[Finding] = []
        hooked = [mapping.name for mapping in mappings if mapping.capture.webhook]
        if hooked and not self._settings.webhook_secrets:
            message = f"webhooks are asked for by {', '.join(hooked)}, but the app's client secret is not known"
            remedy = "set the client secret of the app that sends them; a service key cannot receive webhooks"
            findings.append(self._finding(Severity.ERROR, "webhook-secret-missing", "webhooks", message, remedy))
        if hooked and not self._settings.public_url:
            message = "the public URL is not known, and signatures cover it"
            findings.append(self._finding(Severity.ERROR, "public-url-missing", "webhooks", message, "set public_url"))
        return findings

    async def _mapping(self, mapping: ObjectMapping) -> list[Finding]:
        findings: list[Finding] = []
        for object_, needs in needs_of(mapping).items():
            findings += await self._object(object_, needs)
        want = wanted(mapping)
        if want is None or not (want.pipelines or want.stages):
            return findings
        try:
            missing = resolve(want, await self._pipelines.fetch(mapping.object, Lane.OPERATOR)).missing
        except VendorError as error:
            return [
                *findings,
                trouble(self._settings.connection, f"{mapping.object}.{want.pipeline_path}", error.failure),
            ]
        for name in missing:
            code = "pipeline-missing" if name in want.pipelines else "stage-missing"
            message = f"no {code.partition('-')[0]} has the id or label {name}"
            findings.append(
                self._finding(Severity.ERROR, code, f"{mapping.object}.{name}", message, "syncd provision --apply")
            )
        return findings

    async def _object(self, object_: str, needs: Sequence[Need]) -> list[Finding]:
        try:
            told = await self._sdk.call(PROPERTIES, object_, lane=Lane.OPERATOR)
            await self._sdk.call(FIRST_PAGE, object_, lane=Lane.OPERATOR, limit=1, archived=False)
        except VendorError as error:
            return [trouble(self._settings.connection, object_, error.failure)]
        there = {str(one.get("name")): one for one in listed(told)}
        findings = [
            found for need in needs if (found := self._property(object_, need, there.get(need.name))) is not None
        ]
        if not findings:
            message = f"{len(needs)} mapped properties stand ready"
            findings.append(self._finding(Severity.OK, "properties", object_, message))
        return findings

    def _property(self, object_: str, need: Need, there: Mapping[str, Any] | None) -> Finding | None:
        subject = f"{object_}.{need.name}"
        if there is None:
            message = f"the account has no property {need.name} on {object_}"
            return self._finding(Severity.ERROR, "property-missing", subject, message, "syncd provision --apply")
        if need.unique and there.get("hasUniqueValue") is not True:
            message = "the key property does not demand unique values, so a repeated create would make a second object"
            return self._finding(Severity.ERROR, "property-not-unique", subject, message, "name another key_path")
        limits = there.get("modificationMetadata")
        fixed = isinstance(limits, Mapping) and limits.get("readOnlyValue") is True
        if need.writable and (fixed or there.get("calculated") is True):
            message = "the property is read only, and the mapping writes it"
            remedy = 'map it with direction = "read"'
            return self._finding(Severity.ERROR, "property-read-only", subject, message, remedy)
        return None

    def _finding(self, severity: Severity, code: str, subject: str, message: str, remedy: str = "") -> Finding:
        return Finding(severity, code, f"{self._settings.connection}.{subject}", message, remedy)
