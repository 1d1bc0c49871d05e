"""Objects that the vendor itself keeps from being there twice, by fields of their own.

Some of them cannot carry our key (permission sets and who has them): what is there already is looked for first, and an
answer that was lost is simply asked for again, since the next try finds what the last one made. Of the others (prices,
members of campaigns) the refusal does not name the one that is there, so it is looked up and linked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import OutOfBudgetError, VendorError
from syncd.systems.mishaps import failure_of
from syncd.systems.salesforce.abilities import NATURAL_KEYS
from syncd.systems.salesforce.collections import Input, Target, updateable, write_records
from syncd.systems.salesforce.describe import Schema
from syncd.systems.salesforce.draft import Draft
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.read import chunks
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.soql import among, select
from syncd.systems.salesforce.values import body

log = structlog.get_logger(__name__)

ASKED: Final = 100
"""Records per look: two lists of ids must fit an address."""


def natural_key(schema: Schema) -> tuple[str, ...]:
    """Of what an org has: the currency is one of the fields only where it has several."""
    return tuple(one for one in NATURAL_KEYS.get(schema.name.lower(), ()) if schema.field(one) is not None)


async def create(rest: Rest, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
    """Make those that are not there. Never raises for the vendor or the budget."""
    try:
        await _meet(rest, schema, drafts, lane)
    except (VendorError, OutOfBudgetError) as error:
        for draft in drafts:
            draft.fail(failure_of(error))
        return
    for draft in drafts:
        if draft.external_id:
            # It is there: what may be changed of it is changed, and an object that cannot be changed stands as it is.
            draft.values = updateable(schema, draft.values) if schema.updateable else {}
    new = [one for one in drafts if not one.external_id]
    inputs = [Input(mark, "|".join(_natural(schema, one)), body(one.values, schema)) for mark, one in enumerate(new)]
    done = await write_records(rest, Target(schema, inserts=True), inputs, lane)
    for mark, result in done.items():
        if result.failure is None:
            new[mark].stand(result.id)
        else:
            # The next try looks first, so what is in doubt may be tried again.
            doubt = result.failure.remedy is Remedy.LOOK
            new[mark].fail(replace(result.failure, remedy=Remedy.RETRY) if doubt else result.failure)


async def link_doubles(rest: Rest, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
    """Creates that the vendor refused because the same is there already, without saying which: the one that is there is
    named. Never raises for the vendor or the budget."""
    doubled = [one for one in drafts if not one.external_id and _doubled(one.failure)] if natural_key(schema) else []
    try:
        await _meet(rest, schema, doubled, lane)
    except (VendorError, OutOfBudgetError) as error:
        log.info("salesforce.double_not_named", object=schema.name, code=failure_of(error).code)
    for draft in doubled:
        if draft.external_id and draft.failure is not None:
            draft.failure = replace(draft.failure, remedy=Remedy.LINK, existing_id=draft.external_id)
            draft.external_id = ""


def _doubled(failure: Failure | None) -> bool:
    return failure is not None and failure.remedy is Remedy.ASK and failure.code == "DUPLICATE_VALUE"


async def _meet(rest: Rest, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
    """Give the drafts the ids of what is there already."""
    names = natural_key(schema)
    for part in chunks(drafts, ASKED):
        wanted: dict[tuple[str, ...], Draft] = {_natural(schema, one): one for one in part}
        given = [
            (one, sorted(value for value in {key[place] for key in wanted} if _askable(schema, one, value)))
            for place, one in enumerate(names)
        ]
        conditions = [among(one, values) for one, values in given if values]
        if not conditions:
            continue
        for row in await rest.query_all(select(("Id", *names), schema.name, " AND ".join(conditions)), lane):
            found = wanted.get(tuple(_plain(row.get(one)) for one in names))
            if found is not None and is_id(row.get("Id")):
                found.external_id = long_id(str(row["Id"]))


def _askable(schema: Schema, name: str, value: str) -> bool:
    """A question with something that is no id where an id belongs is refused whole."""
    known = schema.field(name)
    return bool(value) and (is_id(value) or known is None or not known.refers_to)


def _natural(schema: Schema, draft: Draft) -> tuple[str, ...]:
    return tuple(_plain(draft.values.get(one)) for one in natural_key(schema))


def _plain(value: Any) -> str:
    text = str(value or "")
    return long_id(text) if is_id(text) else text.casefold()
