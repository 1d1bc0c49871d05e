"""Batch writes in which every input gets its verdict, whatever the reply looks like.

A reply is matched to inputs by trace id, by object id and by our key, never by position. Errors name inputs in their
context. What a 2xx does not speak of is not taken for done. A batch refused as a whole is taken apart until the input
that poisons it stands alone; each part is a call of its own, and paid for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import VendorError
from syncd.systems.hubspot.client import Client, Reply
from syncd.systems.hubspot.errors import SCHEMA_CODES, SPLITTABLE, failure_of_item, no_verdict, read_error
from syncd.systems.hubspot.objects import listed
from syncd.systems.wire import UNWRITABLE


@dataclass(frozen=True, slots=True)
class Input:
    """One object to write."""

    trace: str
    """Unique in the call; the vendor repeats it in results and errors."""
    body: Mapping[str, Any]
    """``id``, ``idProperty`` where the id is a key, and ``properties``."""

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def id_property(self) -> str:
        return str(self.body.get("idProperty") or "")


@dataclass(frozen=True, slots=True)
class Done:
    result: Mapping[str, Any] | None = None
    failure: Failure | None = None


async def write_objects(client: Client, path: str, inputs: Sequence[Input], lane: Lane) -> dict[str, Done]:
    """Write up to a batch of inputs with distinct ids; by trace. Never raises for the vendor."""
    done: dict[str, Done] = {}
    waiting: list[Sequence[Input]] = [inputs]
    while waiting:
        part = waiting.pop(0)
        if not part:
            continue
        body = {"inputs": [{**one.body, "objectWriteTraceId": one.trace} for one in part]}
        try:
            reply = await client.post(path, body, lane, writes=True)
        except VendorError as error:
            told, rest = sort_refusal(part, error.failure)
            done.update(told)
            waiting.extend(rest)
        else:
            told, rest = sort_reply(part, reply)
            done.update(told)
            waiting.extend(rest)
    return done


def sort_refusal(part: Sequence[Input], failure: Failure) -> tuple[dict[str, Done], list[Sequence[Input]]]:
    """Verdicts that a refusal of the whole call settles, and the parts to try again. Pure."""
    passing = failure.remedy is Remedy.RETRY  # It speaks of no input: halving would only multiply the calls.
    one_of_them = failure.status in SPLITTABLE or failure.code == UNWRITABLE
    if passing or not one_of_them or len(part) == 1:
        return {one.trace: Done(failure=failure) for one in part}, []
    setters = [one for one in part if set(failure.fields) & set(one.body["properties"])]
    others = [one for one in part if one not in setters]
    if setters and failure.code in SCHEMA_CODES:
        # The property is at fault, not a value: asking again for each input would only tell the same.
        return {one.trace: Done(failure=failure) for one in setters}, [others]
    if setters and others:
        return {}, [others, setters]
    middle = len(part) // 2
    return {}, [part[:middle], part[middle:]]


def sort_reply(part: Sequence[Input], reply: Reply) -> tuple[dict[str, Done], list[Sequence[Input]]]:
    """Verdicts that a 2xx reply settles, and the parts to try again. Pure."""
    data = reply.data if isinstance(reply.data, Mapping) else {}
    results = [one for one in listed(data) if one.get("id") is not None]
    errors = listed(data, "errors")
    done: dict[str, Done] = {}
    left = {one.trace: one for one in part}
    by_id = {one.id.casefold(): one for one in part}
    id_property = part[0].id_property
    strangers = []
    for result in results:
        trace = str(result.get("objectWriteTraceId") or "") or _trace_by_id(result, id_property, by_id)
        if left.pop(trace, None) is None:
            strangers.append(result)
        else:
            done[trace] = Done(result)
    unclaimed = []
    for error in errors:
        marks = read_error(error).marks
        owners = [one.trace for one in left.values() if one.trace in marks or one.id in marks]
        for owner in owners:
            done[owner] = Done(failure=failure_of_item(error))
            del left[owner]
        if not owners:
            unclaimed.append(error)
    if len(left) == 1 and unclaimed:
        only = next(iter(left))
        return {**done, only: Done(failure=failure_of_item(unclaimed[0]))}, []
    if len(left) == 1 and len(strangers) == 1:
        # The one input without an answer, the one answer under another id: merged away, the survivor was written.
        return {**done, next(iter(left)): Done(strangers[0])}, []
    if unclaimed and len(left) > 1:
        # Refused without a name. The writes are keyed, so halving what is left tells who was meant.
        rest = list(left.values())
        return done, [rest[: len(rest) // 2], rest[len(rest) // 2 :]]
    status = str(data.get("status") or "no status")
    note = "" if status == "COMPLETE" else f"the batch ended as {status} and does not mention this input"
    done.update((trace, Done(failure=no_verdict(reply.status, note))) for trace in left)
    return done, []


def waves(inputs: Iterable[Input], size: int) -> list[list[list[Input]]]:
    """Batches of at most ``size``, in waves that must follow one another: the same id never twice in one batch nor in
    two batches under way at once."""
    turns: list[list[Input]] = []
    met: dict[str, int] = {}
    for one in inputs:
        turn = met.get(one.id, -1) + 1
        met[one.id] = turn
        if turn == len(turns):
            turns.append([])
        turns[turn].append(one)
    return [[turn[start : start + size] for start in range(0, len(turn), size)] for turn in turns]


def _trace_by_id(result: Mapping[str, Any], id_property: str, by_id: Mapping[str, Input]) -> str:
    properties = result.get("properties")
    told = properties.get(id_property) if id_property and isinstance(properties, Mapping) else result["id"]
    owner = by_id.get(str(told).casefold())
    return owner.trace if owner else ""
