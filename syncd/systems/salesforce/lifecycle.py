"""What a record may become besides another version of itself: a contact out of a lead, one out of two, alive again.

None of these calls carries a key. So whenever one fails or its answer is lost, the org is asked what became of the
records: a converted lead names its contact, a merged record its master, a restored one is no longer in the bin. Only
what did not happen is a failure, and sending it again is safe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from syncd.model.change import Lane
from syncd.model.delivery import Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import OutOfBudgetError, VendorError, Verdict
from syncd.systems.mishaps import failure_of
from syncd.systems.salesforce.draft import Draft
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.read import Reader, chunks
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.settings import QUERY_IDS
from syncd.systems.salesforce.soap import LEADS, LOSERS, UNDELETED, Soap, Wish
from syncd.systems.salesforce.soql import among, name, select

log = structlog.get_logger(__name__)

LEAD_COLUMNS = ("Id", "IsConverted", "ConvertedContactId")


@dataclass(frozen=True, slots=True)
class _Lead:
    """What the org says of a lead. ``contact_id`` is empty until it is converted."""

    id: str
    converted: bool
    contact_id: str


class Lifecycle:
    """Never raises for the vendor or the budget."""

    def __init__(self, rest: Rest, reader: Reader, soap: Soap) -> None:
        self._rest = rest
        self._reader = reader
        self._soap = soap
        self._status = ""

    # --- restoring ---------------------------------------------------------------------------------------------

    async def restore(self, mapping: ObjectMapping, drafts: Sequence[Draft], lane: Lane) -> None:
        """Bring back from the recycle bin. What is not in it any more, and lives, was brought back before."""
        for part in chunks(drafts, UNDELETED):
            ids = [long_id(one.external_id) for one in part]
            failures: Sequence[Failure | None]
            try:
                failures = await self._soap.undelete(ids, lane)
            except (VendorError, OutOfBudgetError) as error:
                failures = [failure_of(error)] * len(part)
            failed = [one for one, failure in zip(ids, failures, strict=True) if failure is not None]
            seen = await self._seen(mapping.object, failed, lane) if failed else {}
            for draft, id_, failure in zip(part, ids, failures, strict=True):
                if failure is None or (seen is not None and seen.get(id_) is False):
                    draft.stand(id_)
                elif seen is not None and id_ not in seen and not _passing(failure):
                    draft.fail(replace(failure, remedy=Remedy.GONE))
                else:
                    draft.fail(_looked(failure) if seen is not None else failure)

    async def _seen(self, object_: str, ids: Sequence[str], lane: Lane) -> dict[str, bool] | None:
        """Which of them there are, and whether they are in the bin; ``None`` when the org cannot tell now."""
        found: dict[str, bool] = {}
        try:
            for part in chunks(ids, QUERY_IDS):
                soql = select(("Id", "IsDeleted"), name(object_), among("Id", part))
                rows = await self._rest.query_all(soql, lane, deleted=True)
                found |= {long_id(str(one.get("Id"))): one.get("IsDeleted") is True for one in rows}
        except (VendorError, OutOfBudgetError):
            return None
        return found

    # --- merging -----------------------------------------------------------------------------------------------

    async def merge(
        self, mapping: ObjectMapping, survivor: str, absorbed: Sequence[str], lane: Lane
    ) -> tuple[Verdict, ...]:
        """See :meth:`syncd.systems.contract.MergingSystem.merge`. A verdict's key is the absorbed one's id."""
        master = long_id(survivor)
        ends: dict[str, Failure | None] = {}
        waiting = [list(part) for part in chunks(list(dict.fromkeys(map(long_id, absorbed))), LOSERS)]
        while waiting:
            group = waiting.pop(0)
            try:
                await self._soap.merge(mapping.object, master, group, lane)
                ends |= dict.fromkeys(group)
                continue
            except (VendorError, OutOfBudgetError) as error:
                failure = failure_of(error)
            led = await self._led(mapping.object, group, lane)
            if led is not None:
                merged = [one for one in group if led.get(one) == master]
                ends |= dict.fromkeys(merged)
                group = [one for one in group if one not in merged]
            if len(group) > 1 and failure.single:
                # One of them may be what the vendor minds.
                waiting += [[one] for one in group]
            else:
                ends |= dict.fromkeys(group, failure if led is None else _looked(failure))
        return tuple(_merged(one, master, ends[long_id(one)]) for one in absorbed)

    async def _led(self, object_: str, ids: Sequence[str], lane: Lane) -> Mapping[str, str] | None:
        try:
            return await self._reader.survivors(object_, ids, lane)
        except (VendorError, OutOfBudgetError):
            return None

    # --- converting --------------------------------------------------------------------------------------------

    async def convert(self, mapping: ObjectMapping, drafts: Sequence[Draft], lane: Lane) -> None:
        """New contacts that leads become: afterwards each draft names its contact, and is written like any other. A
        lead that is not there any more keeps nobody from being created."""
        for part in chunks(drafts, LEADS):
            try:
                await self._convert(mapping, part, lane)
            except (VendorError, OutOfBudgetError) as error:
                for draft in part:
                    if not draft.external_id:
                        draft.fail(failure_of(error))

    async def _convert(self, mapping: ObjectMapping, drafts: Sequence[Draft], lane: Lane) -> None:
        leads = await self._leads([_lead_of(one) for one in drafts], lane)
        held = await self._held(mapping, drafts, lane)
        status = await self._converted_status(lane)
        wishes: list[tuple[Draft, Wish]] = []
        for draft in drafts:
            lead = leads.get(_lead_of(draft))
            if lead is None or (lead.converted and not lead.contact_id):
                log.info("salesforce.lead_gone", record_id=draft.write.key)
            elif lead.converted:
                draft.external_id = lead.contact_id
            else:
                contact, account = held.get(draft.write.key.casefold(), ("", ""))
                account = account or _id_in(draft.values.get("AccountId"))
                if contact and not account:
                    told = "our contact has no account, and a lead becomes part of a contact only with its account"
                    draft.fail(Failure(Remedy.ASK, "contact-without-account", told, single=True))
                else:
                    wishes.append((draft, Wish(lead.id, status, account, contact)))
        if wishes:
            await self._sent(wishes, lane)

    async def _sent(self, wishes: Sequence[tuple[Draft, Wish]], lane: Lane) -> None:
        ends: Sequence[str | Failure]
        try:
            ends = await self._soap.convert([wish for _, wish in wishes], lane)
        except (VendorError, OutOfBudgetError) as error:
            ends = [failure_of(error)] * len(wishes)
        failed = [wish.lead_id for (_, wish), end in zip(wishes, ends, strict=True) if isinstance(end, Failure)]
        leads: Mapping[str, _Lead] | None = {}
        if failed:
            try:
                leads = await self._leads(failed, lane)
            except (VendorError, OutOfBudgetError):
                leads = None
        for (draft, wish), end in zip(wishes, ends, strict=True):
            if not isinstance(end, Failure):
                draft.external_id = end
            elif leads is not None and (lead := leads.get(wish.lead_id)) is not None and lead.contact_id:
                draft.external_id = lead.contact_id
            else:
                draft.fail(end if leads is None else _looked(end))

    async def _leads(self, ids: Sequence[str], lane: Lane) -> dict[str, _Lead]:
        """By the id that was asked for, which may have been merged into another."""
        found = await self._read_leads(ids, lane)
        lost = [one for one in ids if one not in found]
        if lost:
            led = await self._reader.survivors("Lead", lost, lane)
            there = await self._read_leads(sorted(set(led.values())), lane) if led else {}
            found |= {old: there[new] for old, new in led.items() if new in there}
        return found

    async def _read_leads(self, ids: Sequence[str], lane: Lane) -> dict[str, _Lead]:
        rows = await self._rest.query_all(select(LEAD_COLUMNS, "Lead", among("Id", ids)), lane)
        leads = [_lead(one) for one in rows if is_id(one.get("Id"))]
        return {one.id: one for one in leads}

    async def _held(self, mapping: ObjectMapping, drafts: Sequence[Draft], lane: Lane) -> dict[str, tuple[str, str]]:
        """Contacts that carry our key already, with their accounts."""
        key = name(mapping.key_path)
        soql = select(("Id", "AccountId", key), mapping.object, among(key, [one.write.key for one in drafts]))
        rows = await self._rest.query_all(soql, lane)
        return {
            str(one.get(mapping.key_path)).casefold(): (_id_in(one.get("Id")), _id_in(one.get("AccountId")))
            for one in rows
        }

    async def _converted_status(self, lane: Lane) -> str:
        """What the org calls a lead that was converted."""
        if not self._status:
            soql = select(("ApiName",), "LeadStatus", "IsConverted = TRUE", "SortOrder", 1)
            rows = await self._rest.query_all(soql, lane)
            if not rows or not rows[0].get("ApiName"):
                raise VendorError(Failure(Remedy.ASK, "no-converted-status", "no lead status means: converted"))
            self._status = str(rows[0]["ApiName"])
        return self._status


def _lead(row: Mapping[str, Any]) -> _Lead:
    return _Lead(long_id(str(row["Id"])), row.get("IsConverted") is True, _id_in(row.get("ConvertedContactId")))


def _lead_of(draft: Draft) -> str:
    return long_id(draft.write.converts.external_id) if draft.write.converts else ""


def _id_in(value: Any) -> str:
    return long_id(value) if isinstance(value, str) and is_id(value) else ""


def _passing(failure: Failure) -> bool:
    return failure.remedy in (Remedy.RETRY, Remedy.WAIT, Remedy.REFRESH, Remedy.STOP)


def _looked(failure: Failure) -> Failure:
    """The org was asked: it did not happen, so it may be sent again."""
    return replace(failure, remedy=Remedy.RETRY) if failure.remedy is Remedy.LOOK else failure


def _merged(absorbed: str, master: str, failure: Failure | None) -> Verdict:
    outcome = Outcome.APPLIED if failure is None else Outcome.FAILED
    return Verdict(absorbed, outcome, master if failure is None else "", failure=failure)
