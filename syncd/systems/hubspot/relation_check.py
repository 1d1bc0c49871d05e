"""The doctor's look at associations: does the account have the types that mappings name? And does GraphQL serve?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from syncd.model.change import Lane
from syncd.model.mapping import ASSOCIATIONS, ObjectMapping
from syncd.systems.contract import Finding, Severity, VendorError
from syncd.systems.hubspot.associations import VENDORS_OWN, Label, label_of
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.graphql import GraphQL
from syncd.systems.hubspot.objects import listed
from syncd.systems.hubspot.provision import unspent
from syncd.systems.hubspot.relations import relations_of
from syncd.systems.hubspot.settings import Paths

Need = tuple[str, Label, str]
"""The other object, the association type, and the field of the mapping."""


def needs_of(mapping: ObjectMapping) -> Iterator[Need]:
    """Associations from the mapping's object that it writes or reads, each once."""
    fields = {item.paths[0]: item.field for item in mapping.fields if item.paths[0].startswith(ASSOCIATIONS)}
    needs: dict[tuple[str, Label], str] = {
        (one.object, (one.category or VENDORS_OWN, one.type_id)): one.field for one in mapping.relations
    }
    for read in relations_of(mapping):
        needs.setdefault((read.object, read.label), fields[f"{ASSOCIATIONS}{read.object}.{read.key}"])
    return ((object_, label, field) for (object_, label), field in needs.items())


class RelationChecker:
    def __init__(self, connection: str, client: Client, paths: Paths, graphql: GraphQL | None) -> None:
        self._connection = connection
        self._client = client
        self._paths = paths
        self._graphql = graphql

    async def run(self, mappings: Sequence[ObjectMapping]) -> list[Finding]:
        """Raises ``SpentError``, and :class:`VendorError` for what asks GraphQL to wait."""
        findings: list[Finding] = []
        known: dict[tuple[str, str], Mapping[Label, str]] = {}
        for mapping in mappings:
            for object_, label, field in needs_of(mapping):
                subject, pair = f"{mapping.object}.{field}", (mapping.object, object_)
                try:
                    if pair not in known:
                        known[pair] = await self._labels(*pair)
                except VendorError as error:
                    failure = unspent(error.failure)
                    told = f"could not be looked up: {failure.code}: {failure.message}"
                    where = f"{self._connection}.{subject}"
                    findings.append(Finding(Severity.WARNING, "association-unchecked", where, told))
                    continue
                if label not in known[pair]:
                    findings.append(self._missing(subject, pair, label, known[pair]))
        if self._graphql is not None:
            findings.append(await self._by_graphql(self._graphql))
        return findings

    async def _labels(self, from_: str, to: str) -> dict[Label, str]:
        reply = await self._client.get(self._paths.associations(from_, to, "labels"), {}, Lane.OPERATOR)
        rows = listed(reply.data)
        return {label: str(row.get("label") or "") for row in rows if (label := label_of(row)) is not None}

    def _missing(self, subject: str, pair: tuple[str, str], label: Label, known: Mapping[Label, str]) -> Finding:
        message = f"the account has no association type {label[1]} ({label[0]}) from {pair[0]} to {pair[1]}"
        there = ", ".join(
            f"{type_id} {text or 'without a label'} ({category})" for (category, type_id), text in known.items()
        )
        remedy = f"name one of these: {there}" if there else "no objects of these kinds can be associated"
        return Finding(Severity.ERROR, "association-missing", f"{self._connection}.{subject}", message, remedy)

    async def _by_graphql(self, graphql: GraphQL) -> Finding:
        subject = f"{self._connection}.graphql"
        if await graphql.serves(Lane.OPERATOR):
            return Finding(Severity.OK, "graphql", subject, "objects are read with their associations in one request")
        told = "the account or the credential does not have GraphQL; objects are read by REST, with the same result"
        remedy = "grant collector.graphql_query.execute, or set graphql = false"
        return Finding(Severity.WARNING, "graphql-unavailable", subject, told, remedy)
