"""Associations in batches. Making one that exists and removing one that does not are both harmless, so every unclear
end is simply tried again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import VendorError
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.errors import SPLITTABLE, failure_of_item, incomplete, no_verdict, read_error
from syncd.systems.hubspot.objects import listed, next_of
from syncd.systems.hubspot.settings import ASSOCIATION_BATCH, Paths

Pair = tuple[str, str]
Label = tuple[str, int]
"""Category and type id."""

VENDORS_OWN: Final = "HUBSPOT_DEFINED"

_IDEMPOTENT: Final = frozenset({Remedy.LOOK, Remedy.GONE, Remedy.LINK})


@dataclass(frozen=True, slots=True)
class Tie:
    """One association, to make or to remove. ``type_id`` speaks in the direction from ``from_id`` to ``to_id``."""

    from_id: str
    to_id: str
    type_id: int
    category: str = ""
    """Empty: the vendor's own."""

    @property
    def pair(self) -> Pair:
        return self.from_id, self.to_id

    def body(self) -> dict[str, Any]:
        return {
            "from": {"id": self.from_id},
            "to": {"id": self.to_id},
            "types": [{"associationCategory": self.category or VENDORS_OWN, "associationTypeId": self.type_id}],
        }


async def associate(
    client: Client, paths: Paths, from_: str, to: str, ties: Sequence[Tie], lane: Lane, *, remove: bool = False
) -> dict[Tie, Failure]:
    """Make or remove, any number; the failures. Removing takes away the named type only, not every label."""
    path = paths.associations(from_, to, "batch/labels/archive" if remove else "batch/create")
    failures: dict[Tie, Failure] = {}
    unique = list(dict.fromkeys(ties))
    waiting = [unique[start : start + ASSOCIATION_BATCH] for start in range(0, len(unique), ASSOCIATION_BATCH)]
    while waiting:
        part = waiting.pop(0)
        try:
            reply = await client.post(path, {"inputs": [one.body() for one in part]}, lane, writes=True)
        except VendorError as error:
            if error.failure.status in SPLITTABLE and len(part) > 1:
                waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
            else:
                failures.update(dict.fromkeys(part, repeatable(error.failure)))
        else:
            data = reply.data if isinstance(reply.data, Mapping) else {}
            failures.update(_unmade(part, data, reply.status, removing=remove))
    return failures


async def tied(
    client: Client, paths: Paths, from_: str, to: str, ids: Sequence[str], lane: Lane
) -> dict[str, dict[str, frozenset[Label]]]:
    """What hangs on each object, and how. Raises :class:`VendorError`."""
    path = paths.associations(from_, to, "batch/read")
    found: dict[str, dict[str, frozenset[Label]]] = {one: {} for one in ids}
    waiting: list[dict[str, str]] = [{"id": one} for one in dict.fromkeys(ids)]
    while waiting:
        part, waiting = waiting[:ASSOCIATION_BATCH], waiting[ASSOCIATION_BATCH:]
        reply = await client.post(path, {"inputs": part}, lane)
        if not isinstance(reply.data, Mapping) or not isinstance(reply.data.get("results"), list):
            raise VendorError(incomplete(reply.status, reply.body, writes=False))
        for error in listed(reply.data, "errors"):
            failure = failure_of_item(error)
            if failure.remedy is not Remedy.GONE:
                raise VendorError(failure)  # Anything but "there is none" leaves the question open.
        for result in listed(reply.data):
            end = result.get("from")
            source = str(end.get("id")) if isinstance(end, Mapping) else ""
            found.setdefault(source, {}).update(
                (str(one.get("toObjectId")), frozenset(_labels(one))) for one in listed(result, "to")
            )
            after = next_of(result)
            if after:
                waiting.append({"id": source, "after": after})
    return found


def _labels(row: Mapping[str, Any]) -> Iterator[Label]:
    return (label for one in listed(row, "associationTypes") if (label := label_of(one)) is not None)


def label_of(row: Mapping[str, Any]) -> Label | None:
    """Category and type id of a row that describes an association type."""
    type_id = row.get("typeId", row.get("associationTypeId"))
    category = row.get("category") or row.get("associationCategory") or VENDORS_OWN
    return (str(category), type_id) if isinstance(type_id, int) else None


def repeatable(failure: Failure) -> Failure:
    """The failure of a step after the object itself was written. That step has one effect however often it is taken,
    so nothing need be looked up; and a target that is gone is not the object we wrote, which must not count as gone."""
    return replace(failure, remedy=Remedy.RETRY) if failure.remedy in _IDEMPOTENT else failure


def _unmade(part: Sequence[Tie], data: Mapping[str, Any], status: int, *, removing: bool) -> dict[Tie, Failure]:
    """Associations that a 2xx reply does not confirm. Removals are not confirmed one by one."""
    made = {(str(one.get("fromObjectId")), str(one.get("toObjectId"))) for one in listed(data)}
    errors = listed(data, "errors")
    if removing and not errors:
        return {}
    left = [one for one in part if removing or one.pair not in made]
    failures: dict[Tie, Failure] = {}
    for error in errors:
        marks = read_error(error).marks
        # Both ends named is this one; a single end named is every association of that end which was not made.
        owners = [one for one in left if {*one.pair} <= marks] or [one for one in left if marks & {*one.pair}]
        failures.update(dict.fromkeys(owners, repeatable(failure_of_item(error))))
    unnamed = [one for one in left if one not in failures]
    if removing:
        return failures
    if errors and unnamed:
        failures.update(dict.fromkeys(unnamed, repeatable(failure_of_item(errors[0]))))
    else:
        failures.update(dict.fromkeys(unnamed, repeatable(no_verdict(status))))
    return failures
