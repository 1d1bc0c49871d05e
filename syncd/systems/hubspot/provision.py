"""What an account lacks for the mappings, and making it: property group, own unique properties, mapped custom
properties, the pipeline and its stages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure
from syncd.model.lens import AmountIn, Choice, FirstOf, Lens, MoneyPair
from syncd.model.mapping import ASSOCIATIONS, Direction, ObjectMapping
from syncd.model.value import FieldType
from syncd.systems.contract import Finding, Severity, VendorError
from syncd.systems.hubspot.objects import listed
from syncd.systems.hubspot.pipelines import Pipelines, Wanted, named, wanted
from syncd.systems.hubspot.sdk import (
    GROUP_CREATE,
    GROUPS,
    PIPELINE_CREATE,
    PROPERTIES,
    PROPERTY_CREATE,
    STAGE_CREATE,
    Sdk,
)
from syncd.systems.mishaps import OUT_OF_BUDGET

GROUP: Final = "syncd"

_TEXT: Final = ("string", "text")
_NUMBER: Final = ("number", "number")

TYPES: Final[Mapping[FieldType, tuple[str, str]]] = {
    FieldType.INTEGER: _NUMBER,
    FieldType.DECIMAL: _NUMBER,
    FieldType.MONEY: _NUMBER,
    FieldType.BOOLEAN: ("bool", "booleancheckbox"),
    FieldType.DATE: ("date", "date"),
    FieldType.INSTANT: ("datetime", "date"),
    FieldType.PHONE: ("string", "phonenumber"),
}
"""Canonical type to the vendor's ``type`` and ``fieldType``; text for every other."""

STANDARD_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "credit_limit": _NUMBER,
    "credit_limit_currency": _TEXT,
    "customer_number": _TEXT,
    "company_number": _TEXT,
    "price_tier": _TEXT,
}
"""Custom properties of the standard mappings, where the lens does not tell."""

STAGES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "abandoned_checkout": ("Abandoned checkout", {"probability": "0.1", "isClosed": "false"}),
    "won": ("Won", {"probability": "1.0", "isClosed": "true"}),
    "lost": ("Lost", {"probability": "0.0", "isClosed": "true"}),
}
"""Stages of the standard mapping: label and metadata. The vendor demands a probability of every deal stage."""


METADATA: Final[Mapping[str, Mapping[str, str]]] = {
    "deals": {"probability": "0.5"},
    "tickets": {"ticketState": "OPEN"},
}
"""What a stage of which nothing else is known is made with."""

_CLOSED: Final = re.compile(r"closed|done|resolved|solved")


@dataclass(frozen=True, slots=True)
class Need:
    """One property that a mapping reads or writes."""

    name: str
    type: str = "string"
    field_type: str = "text"
    unique: bool = False
    writable: bool = False
    options: tuple[tuple[str, str], ...] = ()
    """Value and label."""

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "name": self.name,
            "label": "syncd record id" if self.unique else label_of(self.name),
            "groupName": GROUP,
            "type": self.type,
            "fieldType": self.field_type,
            "formField": False,
        }
        if self.unique:
            body["hasUniqueValue"] = True
            body["description"] = "Written by syncd; the id of the record that this object mirrors."
        if self.options:
            body["options"] = [
                {"value": value, "label": label, "displayOrder": number, "hidden": False}
                for number, (value, label) in enumerate(self.options)
            ]
        return body


def label_of(name: str) -> str:
    """``credit_limit_currency`` as ``Credit limit currency``."""
    return name.replace("_", " ").strip().capitalize()


def needs_of(mapping: ObjectMapping) -> dict[str, list[Need]]:
    """Properties by object: the mapping's own and its children's. Each once; one that is written stays writable."""
    found: dict[str, dict[str, Need]] = {mapping.object: {}}

    def add(object_: str, need: Need) -> None:
        known = found.setdefault(object_, {}).get(need.name)
        if known is None or (need.writable and not known.writable):
            found[object_][need.name] = need

    if mapping.key_path:
        add(mapping.object, Need(mapping.key_path, unique=True, writable=True))
        for child in mapping.children:
            add(child.object, Need(mapping.key_path, unique=True, writable=True))
    for item in mapping.fields:
        if item.paths[0].startswith(ASSOCIATIONS):
            continue
        writable = item.direction is not Direction.READ and bool(mapping.write)
        for number, path in enumerate(item.paths):
            add(mapping.object, _need(path, item.lens, number, writable=writable))
    for path in mapping.constants:
        add(mapping.object, Need(path, writable=True))
    for child in mapping.children:
        for item in child.fields:
            for number, path in enumerate(item.paths):
                add(child.object, _need(path, item.lens, number, writable=True))
    return {object_: list(needs.values()) for object_, needs in found.items()}


def _need(path: str, lens: Lens, number: int, *, writable: bool) -> Need:
    kind = _kind(path, lens, number)
    options: tuple[tuple[str, str], ...] = ()
    if kind == ("enumeration", "select") and isinstance(lens, Choice):
        options = tuple((vendor, label_of(ours)) for ours, vendor in lens.table.items())
    if kind[0] == "bool":
        options = (("true", "Yes"), ("false", "No"))
    return Need(path, *kind, writable=writable, options=options)


def _kind(path: str, lens: Lens, number: int) -> tuple[str, str]:
    while isinstance(lens, FirstOf):
        lens = lens.inner
    if isinstance(lens, MoneyPair):
        return _NUMBER if number == 0 else _TEXT
    if isinstance(lens, AmountIn):
        return _NUMBER
    if isinstance(lens, Choice) and lens.table:
        return "enumeration", "select"
    typed = getattr(lens, "type", None)
    if isinstance(typed, FieldType) and typed in TYPES:
        return TYPES[typed]
    return STANDARD_TYPES.get(path, _TEXT)


class Provisioner:
    """Looks, and with ``apply`` makes. What is there is never changed."""

    def __init__(self, connection: str, sdk: Sdk, pipelines: Pipelines) -> None:
        self._connection = connection
        self._sdk = sdk
        self._pipelines = pipelines

    async def run(self, mappings: Sequence[ObjectMapping], lane: Lane, *, apply: bool) -> list[Finding]:
        """Never raises for what it finds."""
        findings: list[Finding] = []
        try:
            await self._run(findings, mappings, lane, apply=apply)
        except SpentError as error:
            told = f"{error}; what is listed is not all"
            findings.append(self._finding(Severity.WARNING, "budget-spent", "account", told, "run it again"))
        finally:
            self._pipelines.forget()
        return findings

    async def _run(
        self, findings: list[Finding], mappings: Sequence[ObjectMapping], lane: Lane, *, apply: bool
    ) -> None:
        needs: dict[str, dict[str, Need]] = {}
        for mapping in mappings:
            for object_, wants in needs_of(mapping).items():
                for need in wants:
                    known = needs.setdefault(object_, {}).get(need.name)
                    if known is None or (need.writable and not known.writable):
                        needs[object_][need.name] = need
        for object_, wanted_ in needs.items():
            findings += await self._properties(object_, list(wanted_.values()), lane, apply=apply)
        for mapping in mappings:
            want = wanted(mapping)
            if want is not None and want.pipelines:
                findings += await self._pipeline(mapping.object, want, lane, apply=apply)

    async def _properties(self, object_: str, needs: Sequence[Need], lane: Lane, *, apply: bool) -> list[Finding]:
        try:
            told = await self._sdk.call(PROPERTIES, object_, lane=lane)
        except VendorError as error:
            return [self._trouble(object_, error.failure)]
        there = {str(one.get("name")): one for one in listed(told)}
        findings = [
            self._finding(
                Severity.ERROR, "unique-impossible", f"{object_}.{need.name}",
                "the property exists without unique values, and the vendor lets that be chosen at creation only",
                "archive the property or name another key_path",
            )
            for need in needs
            if need.unique and need.name in there and there[need.name].get("hasUniqueValue") is not True
        ]  # fmt: skip
        lacking = [need for need in needs if need.name not in there]
        if not lacking:
            return findings
        if apply:
            trouble = await self._group(object_, lane)
            if trouble is not None:
                return [*findings, trouble]
        made = [await self._property(object_, need, lane, apply=apply) for need in lacking]
        return findings + made

    async def _property(self, object_: str, need: Need, lane: Lane, *, apply: bool) -> Finding:
        subject = f"{object_}.{need.name}"
        what = f"property {need.name} ({need.type}{', unique' if need.unique else ''})"
        if not apply:
            return self._finding(
                Severity.WARNING, "property-missing", subject, f"{what} is missing", "provision --apply"
            )
        try:
            await self._sdk.call(PROPERTY_CREATE, object_, need.body(), lane=lane, writes=True)
        except VendorError as error:
            if error.failure.status != 409:  # 409: someone made it meanwhile.
                return self._trouble(subject, error.failure)
        return self._finding(Severity.OK, "property-created", subject, f"{what} was created", applied=True)

    async def _group(self, object_: str, lane: Lane) -> Finding | None:
        try:
            told = await self._sdk.call(GROUPS, object_, lane=lane)
            if any(one.get("name") == GROUP for one in listed(told)):
                return None
            await self._sdk.call(GROUP_CREATE, object_, {"name": GROUP, "label": "syncd"}, lane=lane, writes=True)
        except VendorError as error:
            if error.failure.status != 409:
                return self._trouble(f"{object_}.{GROUP}", error.failure)
        return None

    async def _pipeline(self, object_: str, want: Wanted, lane: Lane, *, apply: bool) -> list[Finding]:
        try:
            pipelines = await self._pipelines.fetch(object_, lane)
        except VendorError as error:
            return [self._trouble(f"{object_}.{want.pipeline_path}", error.failure)]
        findings: list[Finding] = []
        for name in want.pipelines:
            found = named(pipelines, name)
            if found is None:
                findings.append(
                    await self._make_pipeline(object_, name, want.stages, len(pipelines), lane, apply=apply)
                )
                continue
            stages = listed(found, "stages")
            lacking = [stage for stage in want.stages if named(stages, stage) is None]
            for order, stage in enumerate(lacking, len(stages)):
                made = await self._make_stage(object_, str(found["id"]), stage, order, lane, apply=apply)
                findings.append(made)
        return findings

    async def _make_pipeline(
        self, object_: str, name: str, stages: Sequence[str], order: int, lane: Lane, *, apply: bool
    ) -> Finding:
        subject = f"{object_}.{name}"
        what = f"pipeline {name} with the stages {', '.join(stages)}"
        if not apply:
            return self._finding(
                Severity.WARNING, "pipeline-missing", subject, f"{what} is missing", "provision --apply"
            )
        body = {
            "pipelineId": name,
            "label": label_of(name),
            "displayOrder": order,
            "stages": [stage_body(object_, stage, number) for number, stage in enumerate(stages)],
        }
        try:
            await self._create(PIPELINE_CREATE, (object_,), body, lane)
        except VendorError as error:
            return self._trouble(subject, error.failure)
        return self._finding(Severity.OK, "pipeline-created", subject, f"{what} was created", applied=True)

    async def _make_stage(
        self, object_: str, pipeline_id: str, stage: str, order: int, lane: Lane, *, apply: bool
    ) -> Finding:
        subject = f"{object_}.{pipeline_id}.{stage}"
        if not apply:
            told = f"stage {stage} is missing"
            return self._finding(Severity.WARNING, "stage-missing", subject, told, "provision --apply")
        try:
            await self._create(STAGE_CREATE, (object_, pipeline_id), stage_body(object_, stage, order), lane)
        except VendorError as error:
            return self._trouble(subject, error.failure)
        return self._finding(Severity.OK, "stage-created", subject, f"stage {stage} was created", applied=True)

    async def _create(self, name: str, args: tuple[str, ...], body: Mapping[str, Any], lane: Lane) -> None:
        """Ask for our ids; where they are taken or refused, let the vendor choose: names are then met by label."""
        try:
            await self._sdk.call(name, *args, dict(body), lane=lane, writes=True)
        except VendorError as error:
            if error.failure.status not in {400, 409}:
                raise
            await self._sdk.call(name, *args, without_ids(body), lane=lane, writes=True)

    def _finding(
        self, severity: Severity, code: str, subject: str, message: str, remedy: str = "", *, applied: bool = False
    ) -> Finding:
        return Finding(severity, code, f"{self._connection}.{subject}", message, remedy, applied)

    def _trouble(self, subject: str, failure: Failure) -> Finding:
        return trouble(self._connection, subject, failure)


def stage_body(object_: str, name: str, order: int) -> dict[str, Any]:
    """Deal stages need a probability, ticket stages say whether the ticket is open; of others nothing is demanded."""
    label, metadata = label_of(name), METADATA.get(object_, {})
    if object_ == "deals":
        label, metadata = STAGES.get(name, (label, metadata))
    if object_ == "tickets" and _CLOSED.search(name.lower()):
        metadata = {"ticketState": "CLOSED"}
    return {"stageId": name, "label": label, "displayOrder": order, "metadata": dict(metadata)}


def without_ids(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same pipeline or stage, with ids left to the vendor."""
    kept = {name: value for name, value in body.items() if name not in {"pipelineId", "stageId"}}
    if "stages" in kept:
        kept["stages"] = [without_ids(stage) for stage in kept["stages"]]
    return kept


class SpentError(Exception):
    """The budget has no more calls for a look at the account: it ends here."""


def unspent(failure: Failure) -> Failure:
    """The failure, where it speaks of one question. Raises :class:`SpentError` where no more can be asked."""
    if failure.code == OUT_OF_BUDGET:
        raise SpentError(failure.message)
    return failure


def trouble(connection: str, subject: str, failure: Failure) -> Finding:
    """A failed question or creation as a finding, scopes named by the vendor included. Raises :class:`SpentError`."""
    unspent(failure)
    code = "scope-missing" if failure.code == "MISSING_SCOPES" or failure.status == 403 else "vendor-refused"
    if failure.status == 401:
        code = "credential-refused"
    if failure.status == 0:
        code = "unreachable"
    remedy = {
        "scope-missing": "grant the scopes to the app or service key",
        "credential-refused": "set the credential anew",
        "unreachable": "check the network and base_url",
    }.get(code, "")
    return Finding(Severity.ERROR, code, f"{connection}.{subject}", f"{failure.code}: {failure.message}", remedy)
