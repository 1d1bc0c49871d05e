"""Conditions of a query as functions of a row, and which rows need be looked at at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from syncd.sandbox.salesforce.errors import SalesforceError
from syncd.sandbox.salesforce.records import Row, Table
from syncd.sandbox.salesforce.soql import Both, Call, Compare, Literal, Not, Path, Query, malformed
from syncd.sandbox.salesforce.soql_names import Resolved, Scope, comparable, operand

Test = Callable[[Any], bool]
Values = Callable[[Query], frozenset[Any]]
"""Runs a semi-join and gives the values of its only column."""


def compile_where(scope: Scope, node: Any, semijoin: Values) -> Test:
    """Raises INVALID_FIELD, MALFORMED_QUERY."""
    match node:
        case None:
            return lambda _: True
        case Both(operator, terms):
            tests = tuple(compile_where(scope, term, semijoin) for term in terms)
            if operator == "AND":
                return lambda row: all(test(row) for test in tests)
            return lambda row: any(test(row) for test in tests)
        case Not(term):
            inner = compile_where(scope, term, semijoin)
            return lambda row: not inner(row)
        case Compare(Path() as path, operator, right):
            found = scope.resolve(path)
            if not found.field.filterable:
                raise SalesforceError(
                    "INVALID_FIELD", f"field '{found.field.name}' can not be filtered in a query call"
                )
            return _comparison(scope, found, operator, right, semijoin)
    raise malformed("an aggregate cannot stand in WHERE")


def _comparison(scope: Scope, found: Resolved, operator: str, right: Any, semijoin: Values) -> Test:
    one, get = found.field, comparable(found.field, found.get)
    match operator:
        case "IN" | "NOT IN":
            if isinstance(right, Query):
                wanted = semijoin(right)
            else:
                wanted = frozenset(operand(scope, one, literal) for literal in right)
            if operator == "IN":
                return lambda row: get(row) in wanted
            return lambda row: get(row) not in wanted
        case "LIKE":
            return _like(get, operand(scope, one, right))
        case "INCLUDES" | "EXCLUDES":
            groups = [set((operand(scope, one, literal) or "").split(";")) for literal in right]
            includes = operator == "INCLUDES"
            return lambda row: any(group <= set((get(row) or "").split(";")) for group in groups) is includes
    return order_test(get, operator, operand(scope, one, right))


def order_test(get: Callable[[Any], Any], operator: str, value: Any) -> Test:
    """``=``, ``!=``, ``<``, ... against a value or a span of days."""
    if isinstance(value, tuple):
        return _span_test(get, operator, *value)
    match operator:
        case "=":
            return lambda row: get(row) == value
        case "!=":
            return lambda row: get(row) != value
        case "<":
            return lambda row: (held := get(row)) is not None and value is not None and held < value
        case "<=":
            return lambda row: (held := get(row)) is not None and value is not None and held <= value
        case ">":
            return lambda row: (held := get(row)) is not None and value is not None and held > value
    return lambda row: (held := get(row)) is not None and value is not None and held >= value


def _span_test(get: Callable[[Any], Any], operator: str, first: str, after: str) -> Test:
    match operator:
        case "=":
            return lambda row: (held := get(row)) is not None and first <= held < after
        case "!=":
            return lambda row: (held := get(row)) is None or not first <= held < after
        case "<":
            return order_test(get, "<", first)
        case "<=":
            return order_test(get, "<", after)
        case ">":
            return order_test(get, ">=", after)
    return order_test(get, ">=", first)


def _like(get: Callable[[Any], Any], pattern: str | None) -> Test:
    parts = re.split(r"(\\[%_]|%|_)", pattern or "")
    signs = {"%": ".*", "_": ".", "\\%": "%", "\\_": "_"}
    matches = re.compile("".join(signs.get(part, re.escape(part)) for part in parts), re.DOTALL).fullmatch
    return lambda row: matches(get(row) or "") is not None


# -- which rows to look at


def candidates(
    scope: Scope, table: Table, where: Any, *, deleted: bool, by_stamp: bool = False
) -> tuple[Iterable[Row], str]:
    """A superset of the rows that pass, as small as the indexes make it, and the field in whose order they are, if any.

    ``by_stamp`` wishes for the order of SystemModstamp.
    """
    terms = where.terms if isinstance(where, Both) and where.operator == "AND" else (where,)
    for term in terms:
        found = _by_index(scope, table, term, deleted=deleted)
        if found is not None:
            return (found if deleted else (row for row in found if not row.deleted)), ""
    stamp = least_stamp(scope, where)
    if stamp or by_stamp:
        return (row for row in table.since(stamp) if deleted or not row.deleted), "SystemModstamp"
    return table.all(deleted=deleted), "Id"


def _by_index(scope: Scope, table: Table, term: Any, *, deleted: bool) -> Iterator[Row] | None:
    if not isinstance(term, Compare) or isinstance(term.left, Call) or isinstance(term.right, Query):
        return None
    found = scope.resolve(term.left)
    one = found.field
    if found.parents:
        return None
    if term.operator in {"=", "IN"}:
        literals: tuple[Literal, ...] = term.right if term.operator == "IN" else (term.right,)
        wanted = dict.fromkeys(operand(scope, one, literal) for literal in literals)
        if one.name == "Id":
            return iter([table.rows[id_] for id_ in wanted if id_ in table.rows])
        if not deleted and None not in wanted and table.has_index(one.name):
            ids = dict.fromkeys(id_ for value in wanted for id_ in table.holders(one, value))
            return iter([table.rows[id_] for id_ in ids])
    return None


_NOT_AFTER_STAMP = frozenset({"SystemModstamp", "LastModifiedDate", "CreatedDate"})
"""Moments of a row that are never later than its SystemModstamp."""


def least_stamp(scope: Scope, node: Any) -> str:
    """The earliest SystemModstamp a row that passes can have; empty where it may be any."""
    match node:
        case Both("AND", terms):
            return max(least_stamp(scope, term) for term in terms)
        case Both(_, terms):
            return min(least_stamp(scope, term) for term in terms)
        case Compare(Path() as path, ">" | ">=" | "=", Literal() as literal):
            found = scope.resolve(path)
            if found.field.name in _NOT_AFTER_STAMP and not found.parents:
                value = operand(scope, found.field, literal)
                return str((value[0] if isinstance(value, tuple) else value) or "")[:19]
    return ""
