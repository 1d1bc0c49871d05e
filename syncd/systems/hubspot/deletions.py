"""Deleting: into the vendor's recycle bin, with a verdict for each object.

The vendor's batch says nothing of single ids, takes unknown ones for done, and may follow the id of a merged object to
the survivor. So objects are looked at first: only those that stand under their own id are archived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import VendorError
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.errors import SPLITTABLE
from syncd.systems.hubspot.read import chunks, read_batch
from syncd.systems.hubspot.settings import BATCH, Paths


async def delete(client: Client, paths: Paths, object_: str, ids: Sequence[str], lane: Lane) -> dict[str, Failure]:
    """Delete any number; the failures. What is in the recycle bin already is deleted; what never was there, or was
    merged away or deleted for good, is GONE. Never raises for the vendor or the budget."""
    failures: dict[str, Failure] = {}
    for part in chunks(list(dict.fromkeys(ids)), BATCH):
        try:
            living = await _standing(client, paths, object_, part, lane)
            absent = [one for one in part if one not in living]
            binned = await _standing(client, paths, object_, absent, lane, archived=True) if absent else set()
        except VendorError as error:
            failures.update(dict.fromkeys(part, error.failure))
            continue
        gone = Failure(Remedy.GONE, "no-such-object", f"{object_} has no object of this id", 404)
        failures.update((one, gone) for one in absent if one not in binned)
        told = await archive(client, paths, object_, [one for one in part if one in living], lane)
        # Archiving twice has one effect, so an unclear end is simply tried again.
        failures.update((one, _again(failure)) for one, failure in told.items() if failure.remedy is not Remedy.GONE)
    return failures


async def archive(client: Client, paths: Paths, object_: str, ids: Sequence[str], lane: Lane) -> dict[str, Failure]:
    """Archive any number; the failures. Archiving what is archived already is fine."""
    failures: dict[str, Failure] = {}
    waiting = list(chunks(list(dict.fromkeys(ids)), BATCH))
    while waiting:
        part = waiting.pop(0)
        body = {"inputs": [{"id": one} for one in part]}
        try:
            await client.post(paths.objects(object_, "batch/archive"), body, lane, writes=True)
        except VendorError as error:
            if error.failure.status in SPLITTABLE and len(part) > 1:
                waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
            else:
                failures.update(dict.fromkeys(part, error.failure))
    return failures


async def _standing(
    client: Client, paths: Paths, object_: str, ids: Sequence[str], lane: Lane, *, archived: bool = False
) -> set[str]:
    """Which of the ids stand under themselves, among the living or in the recycle bin. Raises as calls do."""
    path = paths.objects(object_, "batch/read")
    results, _ = await read_batch(client, f"{path}?archived=true" if archived else path, ids, ["hs_object_id"], lane)
    return {str(one["id"]) for one in results} & set(ids)


def _again(failure: Failure) -> Failure:
    return replace(failure, remedy=Remedy.RETRY) if failure.remedy is Remedy.LOOK else failure
