"""Queries, run: the rows in order, and the shapes in which REST and Bulk hand them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, overload

from syncd.sandbox.salesforce.errors import SalesforceError
from syncd.sandbox.salesforce.fields import COMPOUNDS, Field
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.org import Org
from syncd.sandbox.salesforce.records import Getter, Row, Table
from syncd.sandbox.salesforce.soql import Call, Compare, Order, Path, Query, malformed, parse, pointed
from syncd.sandbox.salesforce.soql_names import Resolved, Scope, comparable, parent_row
from syncd.sandbox.salesforce.soql_where import candidates, compile_where, order_test

MAX_OFFSET = 2000


@dataclass(slots=True)
class Shape:
    """What is handed out of a row: own fields, those of parents, and children."""

    kind: ObjectType
    plain: list[tuple[str, Getter]] = field(default_factory=list)
    parents: dict[str, tuple[Field, Shape]] = field(default_factory=dict)
    children: list[tuple[str, Field, Plan]] = field(default_factory=list)


class Plan:
    """A query whose names have been found. Raises :class:`SalesforceError` when they cannot be."""

    def __init__(self, org: Org, query: Query, *, everything: bool = False, kind: ObjectType | None = None) -> None:
        """``everything``: deleted rows too. ``kind``: of a sub-select, whose FROM names a relationship."""
        self.org = org
        self.query = query
        self.everything = everything or query.all_rows
        self.kind = kind or _entity(org, query)
        self.scope = Scope(org, self.kind, query.text, query.alias)
        if query.offset > MAX_OFFSET:
            raise SalesforceError("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
        self._where = compile_where(self.scope, query.where, self._semijoin)
        self._leading = ""
        """The field whose ascending order is asked for first."""
        self._keys = [] if query.aggregates or query.counts else [self._key(one) for one in query.order]
        self.columns: list[Resolved] = []
        self.shape = Shape(self.kind)
        if not query.counts and not query.aggregates:
            self._select()

    # -- names

    def _select(self) -> None:
        for one in self.query.fields:
            match one:
                case Query():
                    self._sub_select(one)
                case Call("FIELDS", Path() as group):
                    self.columns += [self.scope.resolve(Path((name,))) for name in self._group(group, one.at)]
                case Path():
                    self.columns.append(self.scope.resolve(one))
                case _:
                    raise malformed(pointed(self.query.text, one.at, "an aggregate cannot be mixed with plain fields"))
        seen: set[tuple[str, ...]] = set()
        for column in self.columns:
            if column.names in seen:
                raise SalesforceError("INVALID_FIELD", f"duplicate field selected: {'.'.join(column.names)}")
            seen.add(column.names)
            self._place(self.shape, column, 0)

    def _place(self, shape: Shape, column: Resolved, depth: int) -> None:
        if depth == len(column.parents):
            shape.plain.append((column.field.name, self.org.getter(shape.kind, column.field.name)))
            return
        link = column.parents[depth]
        inner = shape.parents.get(link.relationship)
        if inner is None:
            inner = (link, Shape(self.org.schema.kinds[link.reference_to[0]]))
            shape.parents[link.relationship] = inner
        self._place(inner[1], column, depth + 1)

    def _group(self, group: Path, at: int) -> list[str]:
        word = group.text.upper()
        if word not in {"ALL", "STANDARD", "CUSTOM"}:
            raise malformed(pointed(self.query.text, at, f"unexpected token: '{group.text}'"))
        if word != "STANDARD" and (self.query.limit is None or self.query.limit > 200):
            raise malformed("The SOQL FIELDS function must have a LIMIT of at most 200")
        return [one.name for one in self.kind.fields.values() if word == "ALL" or one.custom is (word == "CUSTOM")]

    def _sub_select(self, inner: Query) -> None:
        found = self.org.schema.child(self.kind, inner.entity)
        if found is None:
            raise SalesforceError(
                "INVALID_TYPE",
                pointed(self.query.text, inner.entity_at, f"Didn't understand relationship '{inner.entity}' in FROM "
                        "part of query call. If you are attempting to use a custom relationship, be sure to append "
                        "the '__r' after the custom relationship name."),
            )  # fmt: skip
        kind, link = found
        plan = Plan(self.org, inner, everything=self.everything, kind=kind)
        self.shape.children.append((link.child_relationship, link, plan))

    def _semijoin(self, inner: Query) -> frozenset[Any]:
        plan = Plan(self.org, inner)
        if len(plan.columns) != 1:
            raise malformed("a semi-join selects exactly one field")
        get = comparable(plan.columns[0].field, plan.columns[0].get)
        return frozenset(get(row) for row in plan.rows())

    def _key(self, order: Order) -> tuple[Callable[[Row], Any], Order]:
        if isinstance(order.by, Call):
            raise malformed("an aggregate orders grouped results only")
        found = self.scope.resolve(order.by)
        if not found.field.filterable:
            raise malformed(f"field '{found.field.name}' can not be sorted in a query call")
        if order is self.query.order[0] and not order.descending and not found.parents:
            self._leading = found.field.name
        return comparable(found.field, found.get), order

    # -- rows

    def matching(self, among: Iterable[Row] | None = None) -> list[Row]:
        """All rows that pass, in no order."""
        return list(self._matching(among)[0])

    def _matching(self, among: Iterable[Row] | None) -> tuple[Iterator[Row], str]:
        """With the field in whose order they come."""
        found, order = among or (), ""
        if among is None:
            wish = self._leading == "SystemModstamp"
            table, where = self.org.table(self.kind), self.query.where
            found, order = candidates(self.scope, table, where, deleted=self.everything, by_stamp=wish)
        test = self._where
        return (iter(found) if self.query.where is None else (row for row in found if test(row))), order

    def walk(self, among: Iterable[Row] | None = None) -> Iterator[Row]:
        """The rows in order, after OFFSET and LIMIT; no more are looked at than must be."""
        found, order = self._matching(among)
        if self._keys and self._leading != order:
            found = iter(self._sorted(list(found)))
        elif self._keys and order != "Id":
            found = (row for _, same in groupby(found, attrgetter("stamp")) for row in self._sorted(list(same)))
        start = self.query.offset
        return islice(found, start, None if self.query.limit is None else start + self.query.limit)

    def _sorted(self, rows: list[Row]) -> list[Row]:
        for get, order in reversed(self._keys):
            rows = sort(rows, get, order)
        return rows

    def rows(self, among: Iterable[Row] | None = None) -> list[Row]:
        return list(self.walk(among))

    def count(self) -> int:
        """How many rows there are, after OFFSET and LIMIT."""
        whole = self.query.where is None and self.query.limit is None and not self.query.offset and not self.everything
        return self.org.table(self.kind).live if whole else sum(1 for _ in self.walk())

    def found(self) -> Found:
        """The rows as a list that keeps their ids only."""
        return Found(self.org.table(self.kind), [row.id for row in self.walk()])

    # -- shapes

    def record(self, row: Row, base: str) -> dict[str, Any]:
        """As a JSON record. ``base``: ``/services/data/v67.0``."""
        return self._shaped(self.shape, row, base)

    def _shaped(self, shape: Shape, row: Row, base: str) -> dict[str, Any]:
        out: dict[str, Any] = {"attributes": attributes(shape.kind, row.id, base)}
        for name, get in shape.plain:
            out[name] = get(row)
        for name, (link, inner) in shape.parents.items():
            parent = parent_row(self.org, self.org.getter(shape.kind, link.name)(row))
            out[name] = self._shaped(inner, parent, base) if parent else None
        for name, link, plan in shape.children:
            among = self.org.children(plan.kind.name, link.name, row.id)
            found = plan.rows(among)
            records = [plan.record(one, base) for one in found]
            out[name] = {"totalSize": len(records), "done": True, "records": records} if records else None
        return out

    def header(self) -> list[str]:
        """Columns of a CSV."""
        return [".".join(column.names) for column in self.columns]

    def aggregated(self) -> list[dict[str, Any]]:
        return Aggregation(self).records()


class Found(Sequence[Row]):
    """Rows of a result, looked up when they are handed out. A slice leaves out what is gone for good by then."""

    def __init__(self, table: Table, ids: Sequence[str]) -> None:
        self._table, self._ids = table, ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            return [row for id_ in self._ids[place] if (row := self._table.get(id_)) is not None]
        return self._table.rows[self._ids[place]]


def attributes(kind: ObjectType, id_: str, base: str) -> dict[str, str]:
    return {"type": kind.name, "url": f"{base}/sobjects/{kind.name}/{id_}"}


def _entity(org: Org, query: Query) -> ObjectType:
    kind = org.schema.find(query.entity)
    if kind is None:
        raise SalesforceError(
            "INVALID_TYPE",
            pointed(query.text, query.entity_at, f"sObject type '{query.entity}' is not supported. If you are "
                    "attempting to use a custom object, be sure to append the '__c' after the entity name. Please "
                    "reference your WSDL or the describe call for the appropriate names."),
        )  # fmt: skip
    return kind


def sort(rows: list[Any], get: Callable[[Any], Any], order: Order) -> list[Any]:
    """Stable; rows without a value stand first, or last where that is asked for."""
    empty = [row for row in rows if get(row) is None]
    full = [row for row in rows if get(row) is not None] if empty else list(rows)
    full.sort(key=get, reverse=order.descending)
    return [*full, *empty] if order.nulls_last else [*empty, *full]


def compile_query(org: Org, text: str, *, everything: bool = False) -> Plan:
    return Plan(org, parse(text), everything=everything)


def check_for_bulk(plan: Plan) -> None:
    """Raises what Bulk API 2.0 refuses: aggregates, sub-selects, OFFSET, compound fields."""
    query = plan.query
    if query.counts or query.aggregates or plan.shape.children or query.offset:
        raise SalesforceError(
            "API_ERROR", "Aggregate Relationships, GROUP BY and OFFSET are not supported in Bulk V2 Query"
        )
    for column in plan.columns:
        if column.field.type in COMPOUNDS:
            raise SalesforceError("FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk V2 Query")


class Aggregation:
    """COUNT, SUM and their like, grouped or not."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        query = plan.query
        self._groups = [plan.scope.resolve(path) for path in query.group]
        self._outputs: list[tuple[str, Callable[[Sequence[Row]], Any]]] = []
        unnamed = 0
        for one in query.fields:
            if isinstance(one, Path):
                found = plan.scope.resolve(one)
                if found.names not in {group.names for group in self._groups}:
                    raise malformed(pointed(query.text, one.at, f"Field must be grouped or aggregated: {one.text}"))
                self._outputs.append((found.field.name, _first(found)))
            elif isinstance(one, Call):
                name = one.alias or f"expr{unnamed}"
                unnamed += 0 if one.alias else 1
                self._outputs.append((name, self._aggregate(one)))

    def _aggregate(self, call: Call) -> Callable[[Sequence[Row]], Any]:
        if call.path is None:
            return len
        found = self._plan.scope.resolve(call.path)
        get, plain = comparable(found.field, found.get), found.get

        def held(rows: Sequence[Row]) -> list[Any]:
            return [value for row in rows if (value := plain(row)) is not None]

        match call.name:
            case "COUNT":
                return lambda rows: len(held(rows))
            case "COUNT_DISTINCT":
                return lambda rows: len({get(row) for row in rows} - {None})
            case "SUM":
                return lambda rows: sum(held(rows)) if held(rows) else None
            case "AVG":
                return lambda rows: sum(held(rows)) / len(held(rows)) if held(rows) else None
            case "MIN":
                return lambda rows: min(held(rows), default=None)
        return lambda rows: max(held(rows), default=None)

    def records(self) -> list[dict[str, Any]]:
        query, rows = self._plan.query, self._plan.matching()
        keys = [comparable(group.field, group.get) for group in self._groups]
        grouped: dict[tuple[Any, ...], list[Row]] = {} if keys else {(): rows}
        if keys:
            for row in rows:
                grouped.setdefault(tuple(get(row) for get in keys), []).append(row)
        chosen = [group for group in grouped.values() if self._having(query.having, group)]
        for order in reversed(query.order):
            get = (
                _first(self._plan.scope.resolve(order.by)) if isinstance(order.by, Path) else self._aggregate(order.by)
            )
            chosen = sort(chosen, get, order)
        stop = None if query.limit is None else query.offset + query.limit
        return [
            {"attributes": {"type": "AggregateResult"}, **{name: make(group) for name, make in self._outputs}}
            for group in chosen[query.offset : stop]
        ]

    def _having(self, node: Any, group: Sequence[Row]) -> bool:
        if node is None:
            return True
        if isinstance(node, Compare):
            if isinstance(node.left, Call) and not isinstance(node.right, tuple | Query):
                return order_test(self._aggregate(node.left), node.operator, node.right.value)(group)
        elif hasattr(node, "terms"):
            results = [self._having(term, group) for term in node.terms]
            return all(results) if node.operator == "AND" else any(results)
        raise malformed("HAVING compares aggregates")


def _first(found: Resolved) -> Callable[[Sequence[Row]], Any]:
    return lambda rows: found.get(rows[0]) if rows else None


def csv_getters(plan: Plan) -> list[Getter]:
    """Readers of the columns; values as they are held."""
    return [column.get for column in plan.columns]
