"""Merging two objects into one. It cannot be undone, and it is not known beforehand under which id the result stands:
older accounts keep the primary's, newer ones make a new object. Every unclear end is looked up through the old ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.delivery import Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import VendorError, Verdict
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.errors import incomplete
from syncd.systems.hubspot.objects import value_of
from syncd.systems.hubspot.sdk import SINGLE, Sdk
from syncd.systems.hubspot.settings import Paths

ABSORBED: Final = "hs_merged_object_ids"
"""Ids of the objects that went into this one, with semicolons between."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an id leads to."""

    id: str
    absorbed: frozenset[str]


class Merger:
    def __init__(self, client: Client, sdk: Sdk, paths: Paths) -> None:
        self._client = client
        self._sdk = sdk
        self._paths = paths

    async def merge(
        self, mapping: ObjectMapping, survivor: str, absorbed: Sequence[str], lane: Lane
    ) -> tuple[Verdict, ...]:
        """One after the other: each merge may change the id that the next one goes into. Never raises for the vendor
        or the budget."""
        verdicts: list[Verdict] = []
        stands = survivor
        for one in absorbed:
            verdict = await self._one(mapping, stands, one, lane)
            stands = verdict.external_id or stands
            verdicts.append(verdict)
        return tuple(verdicts)

    async def _one(self, mapping: ObjectMapping, stands: str, absorbed: str, lane: Lane) -> Verdict:
        body = {"primaryObjectId": stands, "objectIdToMerge": absorbed}
        try:
            reply = await self._client.post(self._paths.objects(mapping.object, "merge"), body, lane, writes=True)
        except VendorError as error:
            return await self._after(mapping, stands, absorbed, error.failure, lane)
        found = _standing(reply.data)
        if found is None:
            unread = incomplete(reply.status, reply.body, writes=True)
            return await self._after(mapping, stands, absorbed, unread, lane)
        return Verdict(absorbed, Outcome.APPLIED, found.id)

    async def _after(self, mapping: ObjectMapping, stands: str, absorbed: str, failure: Failure, lane: Lane) -> Verdict:
        """What became of a merge whose answer was lost or was a refusal: two ids that lead to one object were merged,
        by this call or an earlier one."""
        if failure.remedy not in {Remedy.LOOK, Remedy.GONE, Remedy.ASK, Remedy.RETRY}:
            return _failed(absorbed, stands, failure)
        try:
            kept = await self._look(mapping.object, stands, lane)
            lost = await self._look(mapping.object, absorbed, lane)
        except VendorError as error:
            return _failed(absorbed, stands, error.failure)
        if kept is not None and absorbed != kept.id and (absorbed in kept.absorbed or (lost and lost.id == kept.id)):
            return Verdict(absorbed, Outcome.APPLIED, kept.id)
        if kept is None or lost is None:
            which = stands if kept is None else absorbed
            return _failed(absorbed, stands, Failure(Remedy.GONE, "no-such-object", f"{which} is not there", 404))
        # Both stand apart, so nothing was applied.
        unclear = failure.remedy is Remedy.LOOK
        return _failed(absorbed, kept.id, replace(failure, remedy=Remedy.RETRY) if unclear else failure)

    async def _look(self, object_: str, id_: str, lane: Lane) -> Standing | None:
        """Where the id leads. Raises as calls do."""
        try:
            data = await self._sdk.call(SINGLE, object_, id_, lane=lane, properties=[ABSORBED], archived=False)
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                return None
            raise
        found = _standing(data)
        if found is None:
            raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the reply names no object", 200))
        return found


def _standing(data: Any) -> Standing | None:
    if not isinstance(data, Mapping) or data.get("id") is None:
        return None
    return Standing(str(data["id"]), frozenset(filter(None, value_of(data, ABSORBED).split(";"))))


def _failed(absorbed: str, stands: str, failure: Failure) -> Verdict:
    return Verdict(absorbed, Outcome.FAILED, stands, failure=failure)
