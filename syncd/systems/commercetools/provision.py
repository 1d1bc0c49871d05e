"""What the project lacks for the mappings: custom types and their field definitions. Shown, or created.

A customer has one custom type at a time, so the fields are added to every type that customers may already have,
beside the one that syncd gives to those that have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.commercetools.client import Client, segment
from syncd.systems.commercetools.errors import Doing
from syncd.systems.commercetools.fields import CustomField, custom_fields, differing_in, missing_from
from syncd.systems.commercetools.query import Query, query
from syncd.systems.commercetools.resources import RESOURCES, Resource
from syncd.systems.contract import Finding, Severity, VendorError

REMEDY = "syncd provision --apply"


async def provision(
    client: Client, connection: str, mappings: Sequence[ObjectMapping], *, apply: bool
) -> list[Finding]:
    """Findings about custom types; with ``apply`` what was found missing is made. Raises :class:`VendorError` only
    where the types cannot be read at all."""
    findings: list[Finding] = []
    for resource, wanted in wanted_fields(mappings):
        types = await types_for(client, resource)
        ours = next((one for one in types if one.get("key") == client.settings.custom_type_key), None)
        if resource.writable and ours is None:
            findings.append(await _make_type(client, connection, resource, wanted, apply=apply))
        for one in types:
            findings += await _complete(client, connection, resource, one, wanted, apply=apply)
    return findings


def wanted_fields(mappings: Sequence[ObjectMapping]) -> list[tuple[Resource, list[CustomField]]]:
    """The custom fields that the mappings of each resource need; resources without any are left out."""
    found: dict[str, dict[str, CustomField]] = {}
    for mapping in mappings:
        if mapping.object in RESOURCES:
            for one in custom_fields(mapping):
                found.setdefault(mapping.object, {}).setdefault(one.name, one)
    return [(RESOURCES[name], list(fields.values())) for name, fields in found.items()]


async def types_for(client: Client, resource: Resource) -> list[Mapping[str, Any]]:
    """Custom types that may stand on the resource."""
    rows = (await query(client, "types", Query(sort=("id asc",)), Lane.OPERATOR)).rows
    return [one for one in rows if isinstance(one, dict) and resource.custom_resource in one.get("resourceTypeIds", ())]


async def _make_type(
    client: Client, connection: str, resource: Resource, wanted: Sequence[CustomField], *, apply: bool
) -> Finding:
    key = client.settings.custom_type_key
    names = ", ".join(one.name for one in wanted)
    subject, what = f"{connection}.types.{key}", f"the custom type {key!r} with {names}"
    if not apply:
        return Finding(Severity.WARNING, "type-missing", subject, f"{what} does not exist", REMEDY)
    body = {
        "key": key,
        "name": {"en": key},
        "resourceTypeIds": [resource.custom_resource],
        "fieldDefinitions": [one.definition() for one in wanted],
    }
    try:
        await client.post("types", body, Lane.OPERATOR, doing=Doing.CREATE)
    except VendorError as error:
        return refused("type-missing", subject, f"{what} could not be created", error)
    return Finding(Severity.OK, "type-missing", subject, f"{what} was created", applied=True)


async def _complete(
    client: Client,
    connection: str,
    resource: Resource,
    type_: Mapping[str, Any],
    wanted: Sequence[CustomField],
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
        for one, name in differing_in(type_, wanted)
    ]
    lacking = missing_from(type_, wanted)
    if not lacking or not resource.writable:
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
