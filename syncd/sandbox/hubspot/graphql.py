"""``POST /collector/graphql``: the records and their associations by GraphQL, read only, where the account has it.

The names are the vendor's: ``contact``, ``contact_collection``, and below ``associations`` such as
``company_collection__primary { items }``.
What no source tells is chosen: numbers are JSON numbers, all other values are texts as everywhere; collections are
answered by the search index and trail as it does; the complexity of a query is thirty points per object it may answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from syncd.sandbox.graphql import DocumentError, FieldError, GraphQL
from syncd.sandbox.hubspot import search as searching
from syncd.sandbox.hubspot.account import Account
from syncd.sandbox.hubspot.associations import Edge, LinkType
from syncd.sandbox.hubspot.call import Answer, Call
from syncd.sandbox.hubspot.errors import ApiError, missing_fields, missing_scopes, validation
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.properties import Definition
from syncd.sandbox.hubspot.records import Record

SCOPE: Final = "collector.graphql_query.execute"
MOST_POINTS: Final = 30_000
POINTS: Final = 30
_PAGE: Final = 100
_OPERATORS: Final = {"eq": "EQ", "neq": "NEQ", "gt": "GT", "gte": "GTE", "lt": "LT", "lte": "LTE", "in": "IN",
                     "contains": "CONTAINS_TOKEN"}  # fmt: skip
_PAGING: Final = f"limit: Int = {_PAGE}, offset: Int = 0"


@dataclass(frozen=True, slots=True)
class Collection:
    records: list[Record]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class Held:
    """A record as the value of a field."""

    record: Record


class GraphQLDoor:
    """The endpoint of one account. Its schema is made of the account's properties and labels, and renewed with them."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._made: tuple[str, GraphQL] | None = None

    def answer(self, call: Call) -> Answer:
        """Raises :class:`ApiError`."""
        if call.method != "POST" or call.route.rest:
            raise call.unsupported()
        if self._account.profile.edition not in {"enterprise", "content-professional"}:
            raise missing_scopes([SCOPE])
        call.may((SCOPE,))
        body = call.body()
        text, variables, operation = body.get("query"), body.get("variables") or {}, body.get("operationName")
        if not isinstance(text, str):
            raise missing_fields("query")
        if not isinstance(variables, dict) or not (operation is None or isinstance(operation, str)):
            raise validation("variables must be an object and operationName a text")
        graphql = self._graphql()
        try:
            document = graphql.parse(text)
        except DocumentError as error:
            return 200, {"data": None, "errors": [{"message": str(error)}]}
        points = graphql.weight(document, variables, _PAGE) * POINTS
        if points > MOST_POINTS:
            told = f"The query's complexity of {points} points is above the limit of {MOST_POINTS}"
            return 200, {"data": None, "errors": [{"message": told, "extensions": {"classification": "COMPLEXITY"}}]}
        answer = graphql.execute(document, variables, operation, call)
        return 200, {"data": answer.data, **({"errors": answer.errors} if answer.errors else {})}

    def _graphql(self) -> GraphQL:
        sdl = schema(self._account)
        if self._made is None or self._made[0] != sdl:
            self._made = (sdl, GraphQL(lambda: sdl, self._resolve, lambda _: ""))
        return self._made[1]

    # -- values of fields

    def _resolve(self, source: Any, info: Any, **arguments: Any) -> Any:
        name, parent = info.field_name, info.parent_type.name
        if parent == "Query":
            return {}
        if parent == "crm":
            return self._root(name, arguments, info.context)
        if parent == "metadata":
            return source.record.id
        if isinstance(source, Collection):
            return _of_collection(source, name)
        if parent.endswith("_associations"):
            return self._associated(source.record, name, arguments, info.context)
        if name in {"_metadata", "associations"}:
            return source
        return _value(self._account.properties.of(source.record.kind).get(name), source.record)

    def _root(self, name: str, arguments: Mapping[str, Any], call: Call) -> Any:
        kind = next(one for one in self._account.kinds if name in {word(one), f"{word(one)}_collection"})
        _may_read(call, kind)
        try:
            if name == word(kind):
                return self._single(kind, arguments)
            return self._found(kind, arguments)
        except ApiError as error:
            raise FieldError(error.category, error.message) from None

    def _single(self, kind: Kind, arguments: Mapping[str, Any]) -> Held | None:
        by = str(arguments["uniqueIdentifier"])
        record = self._account.find(kind, str(arguments["uniqueIdentifierValue"]), "" if by == "id" else by)
        return Held(record) if record is not None else None

    def _found(self, kind: Kind, arguments: Mapping[str, Any]) -> Collection:
        account = self._account
        limit, offset = int(arguments["limit"]), int(arguments["offset"])
        body: dict[str, Any] = {"limit": limit, "after": str(offset)}
        if arguments.get("filter"):
            body["filterGroups"] = [{"filters": [_filter(one, value) for one, value in arguments["filter"].items()]}]
        if arguments.get("orderBy"):
            name, _, way = str(arguments["orderBy"]).rpartition("__")
            body["sorts"] = [{"propertyName": name, "direction": {"asc": "ASCENDING", "desc": "DESCENDING"}[way]}]
        definitions = account.properties.of(kind)
        query = searching.parse(kind, body, definitions, lambda _id, _name: set())

        def alive(record: Record) -> bool:
            return account.records.get(kind, record.id) is record

        found = searching.run(query, account.search.entries(kind, query.since_ms, alive), definitions)
        return Collection([entry.record for entry in found.page], found.total, limit, offset)

    def _associated(self, record: Record, name: str, arguments: Mapping[str, Any], call: Call) -> Collection:
        target, edge = next(
            (kind, one.edge) for kind, one, word_ in associations(self._account, record.kind) if word_ == name
        )
        _may_read(call, target)
        near = self._account.graph.of(record.id, target)
        ids = sorted((id_ for id_, edges in near.items() if edge in edges), key=int)
        limit, offset = int(arguments["limit"]), int(arguments["offset"])
        records = [one for id_ in ids[offset : offset + limit] if (one := self._account.records.get(target, id_))]
        return Collection(records, len(ids), limit, offset)


def _may_read(call: Call, kind: Kind) -> None:
    try:
        call.may(kind.read_scopes())
    except ApiError as error:
        raise FieldError("MISSING_SCOPES", error.message) from None


def _of_collection(source: Collection, name: str) -> Any:
    match name:
        case "items":
            return [Held(one) for one in source.records]
        case "hasMore":
            return source.offset + len(source.records) < source.total
    return getattr(source, name)


def _value(definition: Definition | None, record: Record) -> Any:
    """A property's value; numbers are numbers."""
    held = record.values.get(definition.name) if definition is not None else None
    if held is None or definition is None or definition.type != "number":
        return held
    return int(held) if re.fullmatch(r"-?\d+", held) else float(held)


def _filter(name: str, value: Any) -> dict[str, Any]:
    property_, _, suffix = name.rpartition("__")
    told = {"propertyName": property_, "operator": _OPERATORS[suffix]}
    return {**told, "values": value} if suffix == "in" else {**told, "value": value}


# -- the schema


def word(kind: Kind) -> str:
    """``contact``; own object types begin with ``p_``."""
    return f"p_{kind.singular}".lower() if kind.own else kind.singular


def associations(account: Account, kind: Kind) -> Iterator[tuple[Kind, LinkType, str]]:
    """Every association of a kind, and the name of its field."""
    for target in account.kinds:
        seen: dict[str, Edge] = {}
        for one in account.graph.types(kind, target).values():
            suffix = "primary" if one.primary else _slug(one.label) if one.label else one.name
            if suffix and seen.setdefault(suffix, one.edge) == one.edge:
                yield target, one, f"{word(target)}_collection__{suffix}"


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def schema(account: Account) -> str:
    """In the schema definition language."""
    kinds = list(account.kinds)
    roots, types = [], []
    for kind in kinds:
        name, definitions = word(kind), account.properties.of(kind)
        roots.append(f"{name}(uniqueIdentifier: String!, uniqueIdentifierValue: String!): crm_{name}")
        more = f"filter: crm_{name}_filter, orderBy: crm_{name}_order"
        roots.append(f"{name}_collection({_PAGING}, {more}): crm_{name}_collection")
        fields = [f"{one.name}: {'Number' if one.type == 'number' else 'String'}" for one in definitions.values()]
        near = [
            f"{field}({_PAGING}): crm_{word(target)}_collection" for target, _, field in associations(account, kind)
        ]
        orders = " ".join(f"{one}__{way}" for one in definitions for way in ("asc", "desc"))
        types += [
            _type(f"crm_{name}", ["_metadata: metadata!", f"associations: crm_{name}_associations!", *fields]),
            _type(f"crm_{name}_associations", near or ["_none: String"]),
            _type(f"crm_{name}_collection", [f"items: [crm_{name}!]!", "total: Int!", "limit: Int!", "offset: Int!",
                                             "hasMore: Boolean!"]),
            f"enum crm_{name}_order {{ {orders} }}",
            f"input crm_{name}_filter {{ {' '.join(_filters(definitions))} }}",
        ]  # fmt: skip
    head = ["scalar Number", "type Query { CRM: crm }", _type("crm", roots), _type("metadata", ["id: String!"])]
    return "\n".join([*head, *types])


def _type(name: str, fields: list[str]) -> str:
    return f"type {name} {{ {' '.join(fields)} }}"


def _filters(definitions: Mapping[str, Definition]) -> Iterator[str]:
    for name, definition in definitions.items():
        kind = "Number" if definition.type == "number" else "String"
        for suffix in _OPERATORS:
            yield f"{name}__{suffix}: {f'[{kind}!]' if suffix == 'in' else kind}"
