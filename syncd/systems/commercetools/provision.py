"""What the project lacks for the mappings: custom types and their field definitions. Shown, or created.

A resource has one custom type at a time, so the fields are added to every type that resources of its kind may already
have, beside the one that syncd gives to those that have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.commercetools.actions import type_key
from syncd.systems.commercetools.client import Client, segment
from syncd.systems.commercetools.errors import Doing
from syncd.systems.commercetools.fields import CustomField, custom_fields, differing_in, missing_from
from syncd.systems.commercetools.query import Query, query
from syncd.systems.commercetools.resources import Resource, resource_named
from syncd.systems.contract import Finding, Severity, VendorError

REMEDY = "syncd provision --apply"


async def provision(
    client: Client, connection: str, mappings: Sequence[ObjectMapping], *, apply: bool
) -> list[Finding]:
    """Findings about custom types; with ``apply`` what was found missing is made. Raises :class:`VendorError` only
    where the types cannot be read at all."""
    findings: list[Finding] = []
    for wanted in wanted_fields(mappings):
        types = await types_for(client, wanted.resource)
        key = type_key(wanted.resource, client.settings)
        if wanted.written and not any(one.get("key") == key for one in types):
            findings.append(await _make_type(client, connection, wanted, apply=apply))
        for one in types:
            findings += await _complete(client, connection, one, wanted, apply=apply)
    return findings


@dataclass(frozen=True, slots=True)
class Wanted:
    """The custom fields that the mappings of one kind of resource need. Resources that share their custom types
    (carts and orders, quotes and what leads to them) are one kind."""

    resource: Resource
    fields: Sequence[CustomField]
    written: bool
    """Something is written: what is lacking is made."""


def wanted_fields(mappings: Sequence[ObjectMapping]) -> list[Wanted]:
    """By kind of resource; kinds without any custom fields are left out."""
    fields: dict[str, dict[str, CustomField]] = {}
    kinds: dict[str, Resource] = {}
    written: set[str] = set()
    for mapping in mappings:
        resource = resource_named(mapping.object)
        if resource is None or not resource.custom_resource:
            continue
        kind = resource.custom_resource
        kinds.setdefault(kind, resource)
        if mapping.write:
            written.add(kind)
        for one in custom_fields(mapping):
            fields.setdefault(kind, {}).setdefault(one.name, one)
    return [Wanted(kinds[kind], list(found.values()), kind in written) for kind, found in fields.items()]


async def types_for(client: Client, resource: Resource) -> list[Mapping[str, Any]]:
    """Custom types that may stand on the resource."""
    rows = (await query(client, "types", Query(sort=("id asc",)), Lane.OPERATOR)).rows
    return [one for one in rows if isinstance(one, dict) and _serves(one.get("resourceTypeIds"), resource)]


def _serves(listed: Any, resource: Resource) -> bool:
    return isinstance(listed, list) and resource.custom_resource in listed


async def _make_type(client: Client, connection: str, wanted: Wanted, *, apply: bool) -> Finding:
    key = type_key(wanted.resource, client.settings)
    names = ", ".join(one.name for one in wanted.fields)
    subject, what = f"{connection}.types.{key}", f"the custom type {key!r} with {names}"
    if not apply:
        return Finding(Severity.WARNING, "type-missing", subject, f"{what} does not exist", REMEDY)
    body = {
        "key": key,
        "name": {"en": key},
        "resourceTypeIds": [wanted.resource.custom_resource],
        "fieldDefinitions": [one.definition() for one in wanted.fields],
    }
    try:
        await client.post("types", body, Lane.OPERATOR, doing=Doing.CREATE)
    except VendorError as error:
        return refused("type-missing", subject, f"{what} could not be created", error)
    return Finding(Severity.OK, "type-missing", subject, f"{what} was created", applied=True)


async def _complete(
    client: Client,
    connection: str,
    type_: Mapping[str, Any],
    wanted: Wanted,
    *,
    apply: bool,
) -> list[Finding]:
    """What one existing type lacks."""
    key = str(type_.get("key") or type_.get("id"))
    subject = f"{connection}.types.{key}"
    findings = [
        Finding(
            Severity.ERROR,
            "field-type-differs",
            f"{subject}.{one.name}",
            f"{one.subject} needs {one.type['name']}, the field is {name}",
            "map another custom field, or another lens",
        )
        for one, name in differing_in(type_, wanted.fields)
    ]
    lacking = missing_from(type_, wanted.fields)
    if not lacking or not wanted.written:
        return findings
    names = ", ".join(one.name for one in lacking)
    if not apply:
        findings.append(Finding(Severity.WARNING, "field-missing", subject, f"the type lacks {names}", REMEDY))
        return findings
    body = {
        "version": type_.get("version"),
        "actions": [{"action": "addFieldDefinition", "fieldDefinition": one.definition()} for one in lacking],
    }
    try:
        await client.post(f"types/{segment(str(type_.get('id')))}", body, Lane.OPERATOR, doing=Doing.CHANGE)
    except VendorError as error:
        findings.append(refused("field-missing", subject, f"{names} could not be added", error))
    else:
        findings.append(Finding(Severity.OK, "field-missing", subject, f"{names} added", applied=True))
    return findings


def refused(code: str, subject: str, what: str, error: VendorError) -> Finding:
    """A finding for what the vendor would not do, in its words."""
    failure = error.failure
    remedy = {
        Remedy.STOP: "give the API client the scope the message names",
        Remedy.REREAD: "run it again: somebody changed the type meanwhile",
        Remedy.LOOK: "run it again: it may have been applied",
        Remedy.RETRY: "run it again later",
        Remedy.WAIT: "run it again later",
    }.get(failure.remedy, "")
    return Finding(Severity.ERROR, code, subject, f"{what}: {failure.code}: {failure.message}", remedy)
