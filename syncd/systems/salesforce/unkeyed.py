"""Creates of objects that cannot carry our key, such as permission sets and who has them.

The vendor itself keeps them from being there twice, by fields of their own. So what is there already is looked for
first, and an answer that was lost is simply asked for again: the next try finds what the last one made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import OutOfBudgetError, VendorError
from syncd.systems.mishaps import failure_of
from syncd.systems.salesforce.abilities import NATURAL_KEYS
from syncd.systems.salesforce.collections import Input, Target, write_records
from syncd.systems.salesforce.describe import Schema
from syncd.systems.salesforce.draft import Draft
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.read import chunks
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.soql import among, select
from syncd.systems.salesforce.values import body

ASKED: Final = 100
"""Records per look: two lists of ids must fit an address."""


def natural_key(schema: Schema) -> tuple[str, ...]:
    return NATURAL_KEYS.get(schema.name.lower(), ())


async def create(rest: Rest, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
    """Make those that are not there. Never raises for the vendor or the budget."""
    try:
        await _meet(rest, schema, drafts, lane)
    except (VendorError, OutOfBudgetError) as error:
        for draft in drafts:
            draft.fail(failure_of(error))
        return
    new = [one for one in drafts if not one.external_id]
    inputs = [Input(mark, "|".join(_natural(schema, one)), body(one.values, schema)) for mark, one in enumerate(new)]
    done = await write_records(rest, Target(schema, inserts=True), inputs, lane)
    for mark, result in done.items():
        if result.failure is None:
            new[mark].stand(result.id)
    doubled = [new[mark] for mark, one in done.items() if one.failure and one.failure.code.startswith("DUPLICATE")]
    if doubled:
        await _again(rest, schema, doubled, lane)
    for mark, result in done.items():
        draft = new[mark]
        if result.failure is not None and not draft.external_id:
            draft.fail(_unlooked(result.failure))


async def _again(rest: Rest, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
    try:
        await _meet(rest, schema, drafts, lane)
    except (VendorError, OutOfBudgetError) as error:
        for draft in drafts:
            draft.fail(failure_of(error))


async def _meet(rest: Rest, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
    """Give the drafts the ids of what is there already."""
    names = natural_key(schema)
    for part in chunks(drafts, ASKED):
        wanted: dict[tuple[str, ...], Draft] = {_natural(schema, one): one for one in part}
        conditions = [among(one, sorted({key[place] for key in wanted})) for place, one in enumerate(names)]
        for row in await rest.query_all(select(("Id", *names), schema.name, " AND ".join(conditions)), lane):
            found = wanted.get(tuple(_plain(row.get(one)) for one in names))
            if found is not None and is_id(row.get("Id")):
                found.external_id = long_id(str(row["Id"]))


def _natural(schema: Schema, draft: Draft) -> tuple[str, ...]:
    return tuple(_plain(draft.values.get(one)) for one in natural_key(schema))


def _plain(value: Any) -> str:
    text = str(value or "")
    return long_id(text) if is_id(text) else text.casefold()


def _unlooked(failure: Failure) -> Failure:
    """The next try looks first, so what is in doubt may be tried again."""
    return replace(failure, remedy=Remedy.RETRY) if failure.remedy is Remedy.LOOK else failure
