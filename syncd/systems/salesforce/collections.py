"""Two hundred records a call, each with its verdict.

The reply is a list in the order of the inputs, HTTP 200 whatever became of them; a list of another length names nobody,
and leaves all of them in doubt. A call refused as a whole is taken apart until what poisons it stands alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure
from syncd.systems.contract import OutOfBudgetError, VendorError
from syncd.systems.mishaps import failure_of
from syncd.systems.salesforce.describe import Schema
from syncd.systems.salesforce.errors import SPLITTABLE, failure_of_item, no_verdict
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.settings import COLLECTION
from syncd.systems.salesforce.soql import name

PORTION: Final = 25
"""Records per call after a lock failure."""
REFUSALS: Final = 31
"""Of the parts of one call, each for the same reason and none accepted: then it is no record that is refused."""
CREATE_ONLY: Final = "INVALID_FIELD_FOR_INSERT_UPDATE"
"""The vendor's word for a field that may be set on creation only, or never."""


@dataclass(frozen=True, slots=True)
class Input:
    """One record to write. ``id`` for an update; otherwise the body carries the key."""

    mark: int
    """Unique among the inputs of a write."""
    same: str
    """What two inputs of one call may not share: the id or the key."""
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    id: str = ""
    created: bool = False
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a collection goes."""

    schema: Schema
    key_path: str = ""
    """Upserts by it; empty for updates by id."""
    inserts: bool = False
    """Creates without a key."""

    @property
    def method(self) -> str:
        return "POST" if self.inserts else "PATCH"

    @property
    def path(self) -> str:
        if not self.key_path:
            return "composite/sobjects"
        return f"composite/sobjects/{name(self.schema.name)}/{name(self.key_path)}"

    def record(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"attributes": {"type": self.schema.name}, **body}


async def write_records(
    rest: Rest, target: Target, inputs: Sequence[Input], lane: Lane, *, alone: bool = False
) -> dict[int, Done]:
    """Any number; by mark. ``alone``: in small calls, one after the other, for records that locked each other out.
    Never raises for the vendor or the budget."""
    done: dict[int, Done] = {}
    for wave in waves(inputs, PORTION if alone else COLLECTION):
        for batches in [[batch] for batch in wave] if alone else [wave]:
            for part in await asyncio.gather(*(_write(rest, target, batch, lane) for batch in batches)):
                done |= part
    return done


async def delete_records(rest: Rest, ids: Sequence[str], lane: Lane) -> dict[str, Done]:
    """Any number; by id."""
    unique = list(dict.fromkeys(ids))
    done: dict[str, Done] = {}
    for start in range(0, len(unique), COLLECTION):
        part = unique[start : start + COLLECTION]
        params = {"ids": ",".join(part), "allOrNone": "false"}
        run = partial(_delete, params=params)
        try:
            results = sort_results((await rest.call(run, lane, writes=True)).data, len(part), creates=False)
        except (VendorError, OutOfBudgetError) as error:
            results = [Done(failure=failure_of(error))] * len(part)
        done |= dict(zip(part, results, strict=True))
    return done


def _delete(library: Any, params: Mapping[str, str]) -> Any:
    return library.restful("composite/sobjects", params=dict(params), method="DELETE")


async def _write(rest: Rest, target: Target, inputs: Sequence[Input], lane: Lane) -> dict[int, Done]:
    done: dict[int, Done] = {}
    waiting: list[Sequence[Input]] = [inputs]
    refusals: list[str] = []
    while waiting:
        part = waiting.pop(0)
        if not part:
            continue
        body = {"allOrNone": False, "records": [target.record(one.body) for one in part]}
        try:
            data = await rest.send(target.method, target.path, body, lane)
        except (VendorError, OutOfBudgetError) as error:
            failure = failure_of(error)
            refusals.append(failure.code)
            hopeless = len(refusals) >= REFUSALS and len(set(refusals)) == 1 and not done
            if failure.status in SPLITTABLE and len(part) > 1 and not hopeless:
                waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
            elif hopeless:
                left = [one for each in (part, *waiting) for one in each]
                return {one.mark: Done(failure=failure) for one in left}
            else:
                done |= {one.mark: Done(failure=failure) for one in part}
            continue
        results = sort_results(data, len(part), creates=bool(target.key_path))
        told = {one.mark: result for one, result in zip(part, results, strict=True)}
        waiting.append(_only_updateable(target, part, told))
        done |= told
    return done


def _only_updateable(target: Target, part: Sequence[Input], told: Mapping[int, Done]) -> list[Input]:
    """Upserts that met a record which is there already, and so may not set what can only be set on creation: once more
    without those fields."""
    if not target.key_path:
        return []
    again = []
    for one in part:
        failure = told[one.mark].failure
        if failure is None or failure.code != CREATE_ONLY:
            continue
        body = updateable(target.schema, one.body, keep=target.key_path)
        if len(body) < len(one.body):
            again.append(Input(one.mark, one.same, body))
    return again


def updateable(schema: Schema, body: Mapping[str, Any], keep: str = "") -> dict[str, Any]:
    """The fields that may be set on a record that is there already."""
    found = {}
    for key, value in body.items():
        known = schema.field(key) or schema.parent(key)
        if known is None or known.updateable or key in ("id", keep):
            found[key] = value
    return found


def sort_results(data: Any, count: int, *, creates: bool) -> list[Done]:
    """One result per input, in their order."""
    if not isinstance(data, list) or len(data) != count:
        return [Done(failure=no_verdict("the reply is no list of one result for each record"))] * count
    return [_result(one, creates=creates) for one in data]


def _result(one: Any, *, creates: bool) -> Done:
    if not isinstance(one, Mapping):
        return Done(failure=no_verdict())
    if one.get("success") is not True:
        return Done(failure=failure_of_item(one, creates=creates))
    if not is_id(one.get("id")):
        return Done(failure=no_verdict("the reply calls it a success and names no record"))
    return Done(long_id(one["id"]), one.get("created") is True)


def waves(inputs: Iterable[Input], size: int) -> list[list[list[Input]]]:
    """Batches of at most ``size``, in waves that must follow one another: the same record never twice in one batch nor
    in two batches under way at once."""
    turns: list[list[Input]] = []
    met: dict[str, int] = {}
    for one in inputs:
        turn = met.get(one.same.casefold(), -1) + 1
        met[one.same.casefold()] = turn
        if turn == len(turns):
            turns.append([])
        turns[turn].append(one)
    return [[turn[start : start + size] for start in range(0, len(turn), size)] for turn in turns]
