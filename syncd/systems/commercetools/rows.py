"""Rows of a mapped object, by GraphQL where that can be and by the HTTP API otherwise: the same rows either way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.commercetools.client import Client, Reply
from syncd.systems.commercetools.errors import Doing, from_graphql
from syncd.systems.commercetools.query import LIST_LENGTH, SHRINK, Query, Rows, chunks, literal, query, spelled_out
from syncd.systems.commercetools.resources import bad_response
from syncd.systems.commercetools.selections import Selection
from syncd.systems.contract import VendorError

LONGEST_ADDRESS: Final = 6000
"""Characters of a predicate in an address, once encoded: the whole stays under the 8 KB that servers commonly take."""
LONG_LIST: Final = 500
"""Values in one ``in (...)`` of a GraphQL query, whose predicate travels in the body."""
TOO_LONG: Final = "predicate-too-long"


async def rows(client: Client, mapping: ObjectMapping, asked: Query, lane: Lane) -> Rows:
    """One page of the mapping's object. Raises :class:`VendorError`: :data:`TOO_LONG` for a predicate that only
    GraphQL could have taken."""
    chosen = client.reading.by_graphql(mapping)
    if chosen is not None:
        try:
            return await _by_graphql(client, mapping, chosen, asked, lane)
        except VendorError as error:
            if not client.reading.gives_up(mapping, error.failure):
                raise
    if len(quote(asked.where, safe="")) > LONGEST_ADDRESS:
        raise VendorError(Failure(Remedy.SPLIT, TOO_LONG, "the predicate does not fit into an address"))
    return await query(client, mapping.object, asked, lane)


def parts(client: Client, mapping: ObjectMapping, values: Sequence[str]) -> Iterator[Sequence[str]]:
    """The values of a list in as many as one request takes."""
    if client.reading.by_graphql(mapping) is not None:
        yield from chunks(values, LONG_LIST)
    else:
        yield from address_parts(values)


def address_parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """The values of a list in parts whose predicates fit into an address. One that fits by no means goes alone."""
    part: list[str] = []
    length = 0
    for value in values:
        cost = len(quote(literal(value), safe="")) + 6
        if part and (len(part) == LIST_LENGTH or length + cost > LONGEST_ADDRESS - 400):
            yield part
            part, length = [], 0
        part.append(value)
        length += cost
    if part:
        yield part


async def _by_graphql(client: Client, mapping: ObjectMapping, chosen: Selection, asked: Query, lane: Lane) -> Rows:
    """One page. A query too heavy for the vendor is asked again for fewer rows, and so are those that follow."""
    limit, timed_out = min(asked.limit, client.reading.most(mapping)), False
    variables = {"where": spelled_out(asked.where, asked.variables) or None, "sort": list(asked.sort) or None}
    while True:
        body = {"query": chosen.document(), "variables": {**variables, "limit": limit}}
        try:
            reply = await _answer(client, body, lane)
        except VendorError as error:
            late = error.failure.code == "QueryTimedOut"
            if limit == 1 or timed_out or not (late or error.failure.remedy is Remedy.SPLIT):
                raise
            timed_out = late
            limit = max(1, limit // SHRINK)
            if not late:
                client.reading.bears(mapping, limit)
            continue
        return Rows(_results(chosen, reply.body), _full(reply.body, limit), reply.date_ms)


async def _answer(client: Client, body: Mapping[str, Any], lane: Lane) -> Reply:
    reply = await client.post("graphql", body, lane, doing=Doing.READ)
    errors = reply.body.get("errors")
    if errors:
        # With errors beside it, data is never whole.
        raise VendorError(from_graphql(errors if isinstance(errors, list) else [errors]))
    return reply


def _results(chosen: Selection, body: object) -> list[object]:
    return [chosen.row(one) for one in _listed(body)]


def _full(body: object, limit: int) -> bool:
    return len(_listed(body)) >= limit


def _listed(body: object) -> list[object]:
    data = body.get("data") if isinstance(body, dict) else None
    page = data.get("rows") if isinstance(data, dict) else None
    results = page.get("results") if isinstance(page, dict) else None
    if not isinstance(results, list):
        raise bad_response("a GraphQL page has no results")
    return results
