"""Predicates and pages of the query endpoints. Values travel as input variables, or as quoted literals in lists."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.systems.commercetools.client import Client
from syncd.systems.commercetools.resources import CUSTOM_OBJECTS, bad_response
from syncd.systems.contract import VendorError

LIST_LENGTH: Final = 100
"""Values in one ``in (...)``: the address stays well under the 8 KB that servers commonly take."""

SHRINK: Final = 5
"""By how much a page shrinks that was too large or too slow for the vendor."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Query:
    where: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values of the ``:name`` placeholders in ``where``."""
    sort: tuple[str, ...] = ()
    limit: int = 500
    expand: tuple[str, ...] = ()

    def params(self, limit: int) -> list[tuple[str, str]]:
        pairs = [("limit", str(limit)), ("withTotal", "false")]
        pairs += [("where", self.where)] if self.where else []
        pairs += [(f"var.{name}", value) for name, value in self.variables.items()]
        pairs += [("sort", one) for one in self.sort]
        return pairs + expand_params(self.expand)


@dataclass(frozen=True, slots=True)
class Rows:
    rows: Sequence[Any]
    full: bool
    """As many as were asked for: there may be more."""
    date_ms: int | None


def expand_params(paths: Iterable[str]) -> list[tuple[str, str]]:
    return [("expand", path) for path in paths]


async def query(client: Client, object_: str, asked: Query, lane: Lane) -> Rows:
    """One page. A page that is too large for the vendor (or for us) is asked for again, smaller; one that timed
    out at the vendor is, once."""
    if object_.startswith(f"{CUSTOM_OBJECTS}/"):
        # The endpoint of one container has no input variables in the vendor's description.
        asked = replace(asked, where=spelled_out(asked.where, asked.variables), variables={})
    limit, timed_out = asked.limit, False
    while True:
        try:
            reply = await client.get(object_, lane, asked.params(limit))
        except VendorError as error:
            late = error.failure.code == "QueryTimedOut"
            if limit == 1 or timed_out or not (late or error.failure.remedy is Remedy.SPLIT):
                raise
            timed_out = late
            limit = max(1, limit // SHRINK)
            continue
        rows = reply.body.get("results")
        if not isinstance(rows, list):
            raise bad_response("a page has no results")
        taken = reply.body.get("limit")
        cap = min(limit, taken) if isinstance(taken, int) and taken > 0 else limit
        return Rows(rows, len(rows) >= cap, reply.date_ms)


_PLACEHOLDER: Final = re.compile(r'"(?:[^"\\]|\\.)*"|:([A-Za-z]\w*)')


def spelled_out(where: str, variables: Mapping[str, str]) -> str:
    """A predicate with its ``:name`` placeholders replaced by literals: GraphQL has no input variables for them.

    >>> spelled_out('id > :id and key != ":id"', {"id": "7"})
    'id > "7" and key != ":id"'
    """

    def replaced(match: re.Match[str]) -> str:
        name = match[1]
        return match[0] if name is None else literal(variables[name])

    return _PLACEHOLDER.sub(replaced, where)


def literal(text: str) -> str:
    """A string literal of the predicate language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def one_of(path: str, values: Iterable[str]) -> str:
    """A predicate that the text at a dotted path is one of the values.

    >>> one_of("custom.fields.crmId", ["7"])
    'custom(fields(crmId in ("7")))'
    """
    *outer, last = path.split(".")
    inner = f"{last} in ({', '.join(literal(value) for value in values)})"
    for step in reversed(outer):
        inner = f"{step}({inner})"
    return inner


def chunks(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], at_once: int) -> list[Result]:
    """The results of ``work`` in the order of the items, at most ``at_once`` under way. The first error cancels
    the others and is raised as it is."""
    gate = asyncio.Semaphore(at_once)

    async def run(item: Item) -> Result:
        async with gate:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(item)) for item in items]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
