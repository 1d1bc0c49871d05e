"""The doctor of one connection: credential, scopes, reachability, mapped paths, custom types, groups, clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.commercetools.actions import is_writable
from syncd.systems.commercetools.client import Client
from syncd.systems.commercetools.endings import TOLD, probe
from syncd.systems.commercetools.import_form import KINDS
from syncd.systems.commercetools.provision import provision, refused, wanted_fields
from syncd.systems.commercetools.query import Query, query
from syncd.systems.commercetools.resources import CUSTOM_OBJECTS, RESOURCES, expansions, resource_named
from syncd.systems.commercetools.settings import CommercetoolsSettings
from syncd.systems.contract import Finding, Severity, VendorError

SKEW_SECONDS: Final = 30.0


async def check(client: Client, connection: str, mappings: Sequence[ObjectMapping], world: World) -> list[Finding]:
    """Findings, the good ones too. Never raises for what it finds."""
    try:
        token = await client.token(Lane.OPERATOR)
    except VendorError as error:
        return [_no_token(connection, error)]
    findings = [Finding(Severity.OK, "credential", connection, "the token endpoint accepts the credentials")]
    findings += scope_findings(connection, client.settings.project_key, token.scopes, mappings)
    findings += path_findings(mappings)
    findings += import_findings(connection, client.settings, token.scopes, mappings)
    reached = await _reach(client, connection, mappings, world)
    findings += reached
    if any(one.severity is Severity.OK and one.code == "reachable" for one in reached):
        findings += await _deletions(client, connection, mappings)
        findings += _reads(client, mappings)
        findings += await _types(client, connection, mappings)
        findings += await _groups(client, connection, mappings)
    return findings


def scope_findings(
    connection: str, project: str, granted: frozenset[str], mappings: Sequence[ObjectMapping]
) -> list[Finding]:
    """Scopes that the mappings need and the token lacks. Pure."""
    if not granted:
        return [Finding(Severity.WARNING, "scope-unknown", connection, "the token does not say what it may do")]
    parts = [one.split(":") for one in granted]
    if not any(len(one) > 1 and one[1] == project for one in parts):
        return [
            Finding(
                Severity.ERROR,
                "project-mismatch",
                connection,
                f"the API client belongs to another project than {project!r}",
                "correct the project key, or use an API client of that project",
            )
        ]
    # A third part names a store: such a scope opens the store's own addresses only.
    ours = {one[0] for one in parts if one[1:] == [project]}
    findings = []
    for verb, resource, needed in _needed_scopes(mappings):
        if {f"{verb}_{resource}", f"manage_{resource}", "manage_project"} & ours:
            continue
        findings.append(
            Finding(
                Severity.ERROR if needed else Severity.WARNING,
                "scope-missing",
                f"{connection}.{resource}",
                f"the API client lacks {verb}_{resource}",
                f"give it {verb}_{resource}:{project}",
            )
        )
    return findings or [Finding(Severity.OK, "scopes", connection, "the API client may do all that is mapped")]


def import_findings(
    connection: str, settings: CommercetoolsSettings, granted: frozenset[str], mappings: Sequence[ObjectMapping]
) -> list[Finding]:
    """Whether very many new records can be imported: a notice, since they can be created one by one too. Pure."""
    objects = [one.object for one in mappings if one.object in KINDS and Action.CREATE in one.write]
    if not objects or not settings.import_url or not granted:
        return []
    project, subject = settings.project_key, f"{connection}.imports"
    if granted & {f"manage_import_containers:{project}", f"manage_project:{project}"}:
        return [Finding(Severity.OK, "imports", subject, f"many new {', '.join(objects)} are imported at once")]
    what = f"many new {', '.join(objects)} are created one by one: the API client lacks manage_import_containers"
    return [Finding(Severity.OK, "imports", subject, what, f"give it manage_import_containers:{project}")]


def path_findings(mappings: Sequence[ObjectMapping]) -> list[Finding]:
    """Objects and paths that the connector cannot serve. Pure."""
    findings = []
    for mapping in mappings:
        resource = resource_named(mapping.object)
        if resource is None:
            known = ", ".join((*RESOURCES, f"{CUSTOM_OBJECTS}/<container>"))
            findings.append(
                Finding(Severity.ERROR, "object-unknown", mapping.name, "no such object", f"use one of {known}")
            )
            continue
        findings += [
            Finding(
                Severity.ERROR,
                "not-writable",
                mapping.name,
                f"nobody can {one.value} these through the API",
                f"take {one.value!r} out of 'write'",
            )
            for one in sorted(mapping.write - resource.actions)
        ]
        if not mapping.write:
            continue
        paths = dict.fromkeys(path for item in mapping.writable() for path in item.paths)
        findings += [
            Finding(
                Severity.ERROR,
                "path-not-writable",
                f"{mapping.name}.{path}",
                "no update action writes this path",
                "map it with direction 'read'",
            )
            for path in paths
            if not is_writable(resource, path, creating=Action.CREATE in mapping.write)
        ]
    return findings


def _needed_scopes(mappings: Iterable[ObjectMapping]) -> list[tuple[str, str, bool]]:
    """Verb, resource, and whether nothing works without it."""
    found: dict[tuple[str, str], bool] = {}
    for mapping in mappings:
        resource = resource_named(mapping.object)
        if resource is None:
            continue
        found["manage" if mapping.write else "view", resource.scopes] = True
        if "customerGroup" in expansions(mapping):
            found["view", "customer_groups"] = True
        if any(wanted_fields([mapping])):
            # Only check and provision look at types.
            found.setdefault(("view", "types"), False)
    return [(verb, resource, needed) for (verb, resource), needed in found.items()]


async def _reach(client: Client, connection: str, mappings: Sequence[ObjectMapping], world: World) -> list[Finding]:
    """One small query per mapped object; the first reply's date tells the skew of the clocks."""
    findings: list[Finding] = []
    skew: Finding | None = None
    for name in dict.fromkeys(mapping.object for mapping in mappings if resource_named(mapping.object)):
        try:
            rows = await query(client, name, Query(limit=1), Lane.OPERATOR)
        except VendorError as error:
            findings.append(refused("unreachable", f"{connection}.{name}", "cannot be read", error))
            continue
        findings.append(Finding(Severity.OK, "reachable", f"{connection}.{name}", "can be read"))
        skew = skew or _skew(connection, rows.date_ms, world.clock.now_ms())
    return findings + ([skew] if skew else [])


def _skew(connection: str, vendor_ms: int | None, ours_ms: int) -> Finding | None:
    if vendor_ms is None:
        return None
    seconds = (ours_ms - vendor_ms) / 1000
    # The vendor's date has whole seconds and was written a moment ago.
    if abs(seconds) <= SKEW_SECONDS:
        return Finding(Severity.OK, "clock-skew", connection, "this machine's clock agrees with the vendor's")
    way = "ahead of" if seconds > 0 else "behind"
    return Finding(
        Severity.WARNING,
        "clock-skew",
        connection,
        f"this machine's clock is {abs(seconds):.0f} s {way} the vendor's",
        "synchronise the clock (chrony, systemd-timesyncd)",
    )


async def _deletions(client: Client, connection: str, mappings: Sequence[ObjectMapping]) -> list[Finding]:
    """Whether polls can tell what was deleted: a notice, since events and reads tell it too."""
    told = [one.object for one in mappings if one.object in TOLD and one.capture.poll_seconds]
    if not told:
        return []
    try:
        closed = await probe(client, Lane.OPERATOR)
    except VendorError as error:
        closed = f"{error.failure.code}: {error.failure.message}"
    subject = f"{connection}.messages"
    if not closed:
        return [Finding(Severity.OK, "deletions", subject, f"polls tell what is deleted of {', '.join(told)}")]
    what = f"polls do not tell what is deleted of {', '.join(told)}: {closed}"
    return [Finding(Severity.OK, "deletions", subject, what, "give it view_messages, and switch messages on")]


def _reads(client: Client, mappings: Sequence[ObjectMapping]) -> list[Finding]:
    """What GraphQL was wanted for and does not serve."""
    if client.settings.reads != "graphql":
        return []
    return [
        Finding(Severity.WARNING, "reads", one.name, f"read by the HTTP API, not by GraphQL: {why}", "map other paths")
        for one in mappings
        if (why := client.reading.why_not(one))
    ]


async def _types(client: Client, connection: str, mappings: Sequence[ObjectMapping]) -> list[Finding]:
    if not wanted_fields(mappings):
        return []
    try:
        found = await provision(client, connection, mappings, apply=False)
    except VendorError as error:
        one = refused("types-unreadable", f"{connection}.types", "custom types cannot be checked", error)
        return [Finding(Severity.WARNING, one.code, one.subject, one.message, one.remedy)]
    return found or [Finding(Severity.OK, "types", f"{connection}.types", "every mapped custom field exists")]


async def _groups(client: Client, connection: str, mappings: Sequence[ObjectMapping]) -> list[Finding]:
    """Customer groups are referred to by key: there must be some, and each needs a key."""
    if not any("customerGroup" in expansions(mapping) for mapping in mappings):
        return []
    subject = f"{connection}.customer-groups"
    try:
        rows = (await query(client, "customer-groups", Query(sort=("id asc",)), Lane.OPERATOR)).rows
    except VendorError as error:
        return [refused("groups-unreadable", subject, "customer groups cannot be read", error)]
    groups = [one for one in rows if isinstance(one, dict)]
    keyless = sorted(str(one.get("name", one.get("id"))) for one in groups if not one.get("key"))
    if not groups:
        return [Finding(Severity.WARNING, "group-missing", subject, "there is no customer group", "create them")]
    if keyless:
        return [
            Finding(
                Severity.WARNING,
                "group-without-key",
                subject,
                f"customers of {', '.join(keyless[:10])} cannot be read: the group has no key",
                "give each customer group a key",
            )
        ]
    return [Finding(Severity.OK, "groups", subject, f"{len(groups)} customer groups, each with a key")]


def _no_token(connection: str, error: VendorError) -> Finding:
    failure = error.failure
    if failure.remedy is Remedy.STOP:
        return Finding(
            Severity.ERROR,
            "credential-refused",
            connection,
            f"the token endpoint refuses the credentials: {failure.code}",
            f"syncd credentials set {connection}",
        )
    return Finding(
        Severity.ERROR,
        "unreachable",
        connection,
        f"no token: {failure.code}: {failure.message}",
        "check auth_url, the network and the vendor's status page",
    )
