"""The doctor's look at one org. It finds; it changes nothing and never raises for what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.failure import Failure, Remedy
from syncd.model.lens import AmountIn
from syncd.model.mapping import Direction, ObjectMapping
from syncd.systems.contract import Finding, OutOfBudgetError, Severity, VendorError
from syncd.systems.salesforce.allocation import DELIVERED, allowance
from syncd.systems.salesforce.auth import Auth
from syncd.systems.salesforce.describe import Describer, Schema
from syncd.systems.salesforce.pubsub import PubSub, topic_of
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.settings import Grant, Settings
from syncd.systems.salesforce.vitals import Vitals

SKEW_WARNING_SECONDS: Final = 30.0
SKEW_ERROR_SECONDS: Final = 150.0
"""A JWT is good for 180 s."""
LIMITS: Final = ("DailyApiRequests", "DailyBulkApiBatches", "DailyBulkV2QueryJobs", DELIVERED, "DataStorageMB")


class Checker:
    def __init__(
        self, settings: Settings, auth: Auth, rest: Rest, describer: Describer, pubsub: PubSub, vitals: Vitals
    ) -> None:
        self._settings = settings
        self._auth = auth
        self._rest = rest
        self._describer = describer
        self._pubsub = pubsub
        self._vitals = vitals

    async def run(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        findings: list[Finding] = []
        try:
            findings += await self._account()
            findings += self._clock()
            findings += await self._limits()
            for mapping in mappings:
                findings += await self._mapping(mapping)
        except VendorError as error:
            findings.append(self._trouble("account", error.failure))
        except OutOfBudgetError as error:
            told = f"{error}; the check was not finished"
            findings.append(self._finding(Severity.WARNING, "budget-spent", "account", told))
        return findings

    async def keys(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        """What the org lacks for the mappings. Fields are made in Setup or by a deployment, not by syncd."""
        findings: list[Finding] = []
        for mapping in mappings:
            try:
                schema = await self._describer.schema(mapping.object, Lane.OPERATOR, fresh=True)
                findings += self._key(mapping, schema) if mapping.key_path else []
                findings += await self._fields(mapping, schema)
                for child in mapping.children:
                    schema = await self._describer.schema(child.object, Lane.OPERATOR, fresh=True)
                    findings += self._key_field(schema, mapping.key_path)
            except VendorError as error:
                findings.append(self._trouble(mapping.object, error.failure))
            except OutOfBudgetError as error:
                findings.append(self._finding(Severity.WARNING, "budget-spent", mapping.object, str(error)))
        return findings

    async def _account(self) -> list[Finding]:
        token = await self._auth.token(Lane.OPERATOR)
        found = [
            self._finding(
                Severity.OK, "account", "account",
                f"org {token.org_id or 'unknown'} at {token.instance_url}, signed in by {self._settings.auth.value}",
            )
        ]  # fmt: skip
        if self._settings.auth is Grant.PASSWORD:
            told = "the username-password flow is legacy, and blocked by default in newer orgs"
            remedy = 'auth = "client_credentials" with an external client app'
            found.append(self._finding(Severity.WARNING, "legacy-sign-in", "credential", told, remedy))
        versions = await self._rest.call(lambda sf: _versions(sf), Lane.OPERATOR)  # noqa: PLW0108
        known = [
            str(one.get("version"))
            for one in (versions.data if isinstance(versions.data, list) else ())
            if isinstance(one, Mapping)
        ]
        if known and self._settings.api_version not in known:
            told = f"the org does not speak version {self._settings.api_version}; the newest is {known[-1]}"
            found.append(self._finding(Severity.ERROR, "version-unsupported", "account", told, "set api_version"))
        return found

    def _clock(self) -> list[Finding]:
        skew = self._vitals.skew_seconds
        if skew is None:
            return [self._finding(Severity.WARNING, "clock-unknown", "clock", "the org sent no Date header")]
        if abs(skew) < SKEW_WARNING_SECONDS:
            return [self._finding(Severity.OK, "clock", "clock", f"within {max(1, round(abs(skew)))} s of the org's")]
        severity = Severity.ERROR if abs(skew) >= SKEW_ERROR_SECONDS else Severity.WARNING
        way = "ahead of" if skew > 0 else "behind"
        told = f"this machine's clock is {abs(skew):.0f} s {way} the org's"
        return [self._finding(severity, "clock-skew", "clock", told, "synchronise the clock")]

    async def _limits(self) -> list[Finding]:
        try:
            told = await self._rest.get("limits", Lane.OPERATOR)
        except VendorError as error:
            if error.failure.remedy not in (Remedy.ASK, Remedy.STOP):
                raise
            why = "the user may not see the org's limits, so events left for the day cannot be watched"
            remedy = 'grant "View Setup and Configuration"'
            return [self._finding(Severity.WARNING, "limits-hidden", "limits", why, remedy)]
        found = []
        for name in LIMITS:
            known = allowance(told, name)
            if known is None:
                continue
            most, left = known
            scarce = left < most * 0.1
            severity, code = (Severity.WARNING, "limit-scarce") if scarce else (Severity.OK, "limit")
            found.append(self._finding(severity, code, f"limits.{name}", f"{left} of {most} left"))
        return found

    async def _mapping(self, mapping: ObjectMapping) -> list[Finding]:
        try:
            schema = await self._describer.schema(mapping.object, Lane.OPERATOR, fresh=True)
            found = self._object(mapping, schema)
            found += await self._fields(mapping, schema)
            if mapping.key_path:
                found += self._key(mapping, schema)
            for child in mapping.children:
                found += await self._child(mapping, child.object)
        except VendorError as error:
            return [self._trouble(mapping.object, error.failure)]
        if mapping.capture.stream:
            found.append(await self._stream(mapping))
        if all(one.severity is Severity.OK for one in found):
            count = len(mapping.paths())
            found.append(self._finding(Severity.OK, "fields", mapping.object, f"{count} mapped fields stand ready"))
        return found

    def _object(self, mapping: ObjectMapping, schema: Schema) -> list[Finding]:
        lacks = [
            word
            for word, wanted, granted in (
                ("read", True, schema.queryable),
                ("create", Action.CREATE in mapping.write, schema.createable),
                ("edit", Action.UPDATE in mapping.write, schema.updateable),
                ("delete", Action.DELETE in mapping.write, schema.deletable),
            )
            if wanted and not granted
        ]
        if not lacks:
            return []
        told = f"the user may not {' or '.join(lacks)} {mapping.object}"
        remedy = "grant it by a permission set"
        return [self._finding(Severity.ERROR, "object-permission", mapping.object, told, remedy)]

    async def _fields(self, mapping: ObjectMapping, schema: Schema) -> list[Finding]:
        found: list[Finding] = []
        for item in mapping.fields:
            for path in item.paths:
                writes = item.direction is not Direction.READ and bool(mapping.write)
                found += await self._field(mapping, schema, path, writes=writes)
        for relation in mapping.relations:
            known = schema.field(relation.path) if relation.path else schema.lookup_to(relation.object)
            if known is None:
                told = f"no reference field leads to {relation.object}"
                subject = f"{mapping.object}.{relation.field}"
                found.append(self._finding(Severity.ERROR, "field-missing", subject, told, "name it as path"))
        bare = any(isinstance(one.lens, AmountIn) for one in mapping.fields)
        if bare and schema.field("CurrencyIsoCode") is not None:
            told = "the org has several currencies; an amount without CurrencyIsoCode is in the record's own"
            remedy = 'map money with lens = "money_pair" and paths = ["...", "CurrencyIsoCode"]'
            found.append(self._finding(Severity.WARNING, "several-currencies", mapping.object, told, remedy))
        return found

    async def _field(self, mapping: ObjectMapping, schema: Schema, path: str, *, writes: bool) -> list[Finding]:
        subject = f"{mapping.object}.{path}"
        parent, dot, rest = path.partition(".")
        if dot:
            reference = schema.parent(parent)
            if reference is None or not reference.refers_to:
                told = f"{mapping.object} has no reference called {parent}, or it is hidden from the user"
                return [self._finding(Severity.ERROR, "field-missing", subject, told)]
            other = await self._describer.schema(reference.refers_to[0], Lane.OPERATOR)
            return [] if "." in rest else self._judged(other, rest, subject, writes=False)
        return self._judged(schema, path, subject, writes=writes)

    def _judged(self, schema: Schema, path: str, subject: str, *, writes: bool) -> list[Finding]:
        known = schema.field(path)
        if known is None:
            told = f"{schema.name} has no field {path}, or it is hidden from the user"
            remedy = "create the field, or grant it by a permission set"
            return [self._finding(Severity.ERROR, "field-missing", subject, told, remedy)]
        if writes and not (known.createable or known.updateable):
            told = "the field is read only, or the user may not edit it, and the mapping writes it"
            return [self._finding(Severity.ERROR, "field-read-only", subject, told, 'map it with direction = "read"')]
        return []

    def _key(self, mapping: ObjectMapping, schema: Schema) -> list[Finding]:
        return self._key_field(schema, mapping.key_path)

    def _key_field(self, schema: Schema, key_path: str) -> list[Finding]:
        subject = f"{schema.name}.{key_path}"
        known = schema.field(key_path)
        by_hand = (
            f"in Setup, on {schema.name}: a field of type Text(255), Unique, case sensitive, External ID, with the API "
            f"name {key_path}; then grant it to syncd's user"
        )
        if known is None:
            told = f"{schema.name} has no field {key_path}, which carries syncd's own id"
            return [self._finding(Severity.ERROR, "key-missing", subject, told, by_hand)]
        if not known.external_id or not known.unique:
            told = "the key field is not both External ID and Unique, so a repeated create would make a second record"
            return [self._finding(Severity.ERROR, "key-not-unique", subject, told, by_hand)]
        if not known.createable:
            told = "the user may not write the key field"
            return [self._finding(Severity.ERROR, "field-read-only", subject, told, "grant it by a permission set")]
        return [self._finding(Severity.OK, "key", subject, "the key field stands ready")]

    async def _child(self, mapping: ObjectMapping, object_: str) -> list[Finding]:
        schema = await self._describer.schema(object_, Lane.OPERATOR, fresh=True)
        return self._key_field(schema, mapping.key_path)

    async def _stream(self, mapping: ObjectMapping) -> Finding:
        topic = topic_of(mapping.object)
        subject = f"{mapping.object}.stream"
        try:
            found = await self._pubsub.topic(topic, Lane.OPERATOR)
        except VendorError as error:
            remedy = f"select {mapping.object} for Change Data Capture in Setup, or set capture.stream = false"
            told = f"{topic} cannot be subscribed to: {error.failure.code}: {error.failure.message}"
            return self._finding(Severity.ERROR, "stream-unavailable", subject, told, remedy)
        if not found.can_subscribe:
            told = f"the user may not subscribe to {topic}"
            return self._finding(Severity.ERROR, "stream-permission", subject, told, "grant read access to the object")
        return self._finding(Severity.OK, "stream", subject, f"{topic} can be subscribed to")

    def _trouble(self, subject: str, failure: Failure) -> Finding:
        severity = Severity.WARNING if failure.remedy is Remedy.WAIT else Severity.ERROR
        code = {Remedy.STOP: "refused", Remedy.ASK: "not-readable"}.get(failure.remedy, "unreachable")
        return self._finding(severity, code, subject, f"{failure.code}: {failure.message}")

    def _finding(self, severity: Severity, code: str, subject: str, message: str, remedy: str = "") -> Finding:
        return Finding(severity, code, f"{self._settings.connection}.{subject}", message, remedy)


def _versions(library: Any) -> Any:
    """The versions that the org speaks, which stand above the REST root of one."""
    return library.restful("../")
