"""What a credential may do, and what the mappings ask of it, said before the vendor refuses.

An OAuth app's token and a private app's token tell their scopes. A service key and a project app's static token look
the same on the wire and may not: then what is lacking shows as 403 when it is needed, and names the scope itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import Finding, Severity, VendorError
from syncd.systems.hubspot.auth import Auth
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.imports_plan import importable
from syncd.systems.hubspot.objects import STANDARD
from syncd.systems.hubspot.provision import unspent
from syncd.systems.hubspot.settings import Paths, Settings

GRAPHQL: Final = ("collector.graphql_query.execute", "collector.graphql_schema.read")
_INSTEAD: Final[Mapping[str, str]] = {"line_items": "e-commerce", "products": "e-commerce", "tickets": "tickets"}
"""By object, an older scope that grants as much."""


@dataclass(frozen=True, slots=True)
class Need:
    """Scopes of which one is enough, and for what."""

    any_of: tuple[str, ...]
    subject: str
    purpose: str
    optional: str = ""
    """What happens without it, where syncd can do without."""


@dataclass(frozen=True, slots=True)
class Held:
    kind: str
    """In words."""
    scopes: frozenset[str] | None
    """``None``: the vendor does not say."""


def needs_of(mappings: Sequence[ObjectMapping], *, graphql: bool = False) -> Iterator[Need]:
    """In the order of the mappings; each once."""
    met: set[tuple[str, ...]] = set()
    for mapping in mappings:
        for need in _needs(mapping):
            if need.any_of not in met:
                met.add(need.any_of)
                yield need
    if graphql:
        for scope in GRAPHQL:
            yield Need((scope,), "graphql", "reading by GraphQL", "records are read by REST, with one more call")


def _needs(mapping: ObjectMapping) -> Iterator[Need]:
    for object_ in (mapping.object, *(child.object for child in mapping.children)):
        yield _of(object_, "read", f"reading {object_}")
        if mapping.write:
            yield _of(object_, "write", f"writing {object_}")
    if mapping.write and importable(mapping.object):
        yield Need(("crm.import",), "imports", "imports", "a first filling goes by batches, at twice the calls")


def _of(object_: str, verb: str, purpose: str) -> Need:
    name = object_ if object_ in STANDARD else "custom"
    older = (_INSTEAD[name],) if name in _INSTEAD else ()
    return Need((f"crm.objects.{name}.{verb}", *older), object_, purpose)


def compare(held: Held, needs: Sequence[Need], connection: str) -> list[Finding]:
    """Pure."""
    told = "" if held.scopes is None else f", with {len(held.scopes)} scopes"
    findings = [Finding(Severity.OK, "credential", f"{connection}.credential", f"signed in with {held.kind}{told}")]
    if held.scopes is None:
        message = "the vendor does not say which scopes it has; one that is lacking is named when it is needed"
        return [*findings, Finding(Severity.OK, "scopes-unknown", f"{connection}.credential", message)]
    for need in needs:
        if not held.scopes.isdisjoint(need.any_of):
            continue
        scope = " or ".join(need.any_of)
        message = f"the credential lacks {scope}, which {need.purpose} needs"
        remedy = "grant it to the app or service key; an OAuth app must be installed again"
        severity = Severity.ERROR
        if need.optional:
            severity, message = Severity.WARNING, f"{message}; without it {need.optional}"
        findings.append(Finding(severity, "scope-missing", f"{connection}.{need.subject}", message, remedy))
    return findings


class Rights:
    def __init__(self, settings: Settings, client: Client, auth: Auth, paths: Paths) -> None:
        self._settings = settings
        self._client = client
        self._auth = auth
        self._paths = paths

    async def run(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        """Raises :class:`VendorError` where the credential itself is refused, and ``SpentError``."""
        needs = list(needs_of(mappings, graphql=self._settings.graphql))
        return compare(await self.held(), needs, self._settings.connection)

    async def held(self) -> Held:
        token = (await self._auth.token(Lane.OPERATOR)).reveal()
        try:
            if self._settings.oauth is not None:
                grant = self._settings.oauth
                told = await self._client.form(
                    self._paths.introspect(),
                    {"token": token, "client_id": grant.client_id, "client_secret": grant.client_secret.reveal()},
                    Lane.OPERATOR,
                )
                return Held(f"the OAuth app {told.get('app_id') or grant.client_id}", _scopes(told))
            reply = await self._client.post(self._paths.private_token(), {"tokenKey": token}, Lane.OPERATOR)
        except VendorError as error:
            # Of a service key the vendor says nothing here, and what it says otherwise is no answer to the question.
            if unspent(error.failure).status == 401:
                raise
            kind = "an OAuth app" if self._settings.oauth else "a fixed token (service key or project app)"
            return Held(kind, None)
        told = reply.data if isinstance(reply.data, Mapping) else {}
        return Held(f"the token of the private app {told.get('appId')}", _scopes(told))


def _scopes(told: Mapping[str, Any]) -> frozenset[str] | None:
    scopes = told.get("scopes")
    return frozenset(map(str, scopes)) if isinstance(scopes, list) else None
