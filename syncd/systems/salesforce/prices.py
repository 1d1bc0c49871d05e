"""What orders and opportunities need beside what is mapped: an account, a price book, and for each line its entry.

A line names its product by a path through the entry (``PricebookEntry.ProductCode``); the vendor takes only the entry's
id, so the entries are looked up here, for all lines of all records at once. A line whose product has no active entry is
left out and told; everything else is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.failure import Failure, Remedy
from syncd.model.lens import Raw
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import ChildrenWrite, ChildWrite, OutOfBudgetError, VendorError
from syncd.systems.mishaps import failure_of
from syncd.systems.salesforce.describe import Describer, Schema
from syncd.systems.salesforce.draft import Draft
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.read import chunks
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.soql import among, name, portions, select

PARENTS: Final = frozenset({"order", "opportunity"})
ENTRY: Final = "PricebookEntry."
"""Paths of a line that begin so name its entry."""
BUYERS: Final = ("BillToContactId", "ShipToContactId", "CustomerAuthorizedById")
"""Contacts of an order; the first one's account is the order's."""
ASKED: Final = 200
DRAFT: Final = "Draft"

Wanted = tuple[str, str, str, str]
"""Price book, currency (where the org has several), path, value in lower case."""


class Prices:
    """Failures end up on the drafts. Never raises for the vendor or the budget."""

    def __init__(self, rest: Rest, describer: Describer) -> None:
        self._rest = rest
        self._describer = describer
        self._standard = ""

    async def complete(self, mapping: ObjectMapping, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
        if schema.name.lower() not in PARENTS:
            return
        changed = [one for one in drafts if one.write.action in (Action.CREATE, Action.UPDATE)]
        try:
            new = [one for one in changed if not one.external_id]
            if schema.name.lower() == "order":
                await self._accounts(mapping, new, lane)
                for draft in changed:
                    _hold_back(mapping, draft)
                await self._books(new, lane)
            await self._entries(schema, [one for one in changed if _lines(one)], lane)
        except (VendorError, OutOfBudgetError) as error:
            for draft in changed:
                draft.fail(failure_of(error))

    # --- the account -------------------------------------------------------------------------------------------

    async def _accounts(self, mapping: ObjectMapping, drafts: Sequence[Draft], lane: Lane) -> None:
        """The buyer's account; where the buyer has none, the one that the mapping's constants name."""
        fallback = mapping.constants.get("AccountId")
        open_ = [one for one in drafts if one.values.get("AccountId") in (None, "", fallback)]
        buyers = {
            id(one): next((str(one.values[path]) for path in BUYERS if one.values.get(path)), "") for one in open_
        }
        accounts: dict[str, str] = {}
        for part in chunks(sorted({one for one in buyers.values() if is_id(one)}), ASKED):
            rows = await self._rest.query_all(select(("Id", "AccountId"), "Contact", among("Id", part)), lane)
            accounts |= {
                long_id(one["Id"]): str(one["AccountId"])
                for one in rows
                if is_id(one.get("Id")) and one.get("AccountId")
            }
        for draft in open_:
            account = accounts.get(long_id(buyers[id(draft)])) or fallback
            if account:
                draft.values["AccountId"] = account
            else:
                told = "an order needs an account, and its buyer has none; name one in the mapping's constants"
                draft.fail(Failure(Remedy.ASK, "order-without-account", told, single=True, fields=("AccountId",)))

    # --- the price book ----------------------------------------------------------------------------------------

    async def _books(self, drafts: Sequence[Draft], lane: Lane) -> None:
        for draft in drafts:
            if not draft.values.get("Pricebook2Id"):
                draft.values["Pricebook2Id"] = await self._standard_book(lane)

    async def _standard_book(self, lane: Lane) -> str:
        if not self._standard:
            rows = await self._rest.query_all(select(("Id",), "Pricebook2", "IsStandard = TRUE", "", 1), lane)
            if not rows or not is_id(rows[0].get("Id")):
                told = "the standard price book is hidden from syncd's user; grant it, or name one in the constants"
                raise VendorError(Failure(Remedy.ASK, "no-price-book", told))
            self._standard = long_id(str(rows[0]["Id"]))
        return self._standard

    async def _homes(self, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> dict[int, tuple[str, str]]:
        """The price book and currency of each record, by place."""
        several = schema.field("CurrencyIsoCode") is not None
        columns = ("Id", "Pricebook2Id", "CurrencyIsoCode") if several else ("Id", "Pricebook2Id")
        held: dict[str, Mapping[str, Any]] = {}
        for part in chunks(sorted({one.external_id for one in drafts if one.external_id}), ASKED):
            rows = await self._rest.query_all(select(columns, schema.name, among("Id", part)), lane)
            held |= {long_id(str(one["Id"])): one for one in rows if is_id(one.get("Id"))}
        homes = {}
        for place, draft in enumerate(drafts):
            now = {**held.get(long_id(draft.external_id), {}), **draft.values}
            book = now.get("Pricebook2Id") or await self._standard_book(lane)
            homes[place] = (long_id(str(book)), str(now.get("CurrencyIsoCode") or "") if several else "")
        return homes

    # --- the entries -------------------------------------------------------------------------------------------

    async def _entries(self, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
        if not drafts:
            return
        homes = await self._homes(schema, drafts, lane)
        wanted = {
            (*homes[place], path, value.casefold())
            for place, draft in enumerate(drafts)
            for _, child in _lines(draft)
            for path, value in _named(child)
        }
        known = await self._known(wanted, lane)
        for place, draft in enumerate(drafts):
            parts = [_resolved(draft, part, homes[place], known) for part in draft.write.children]
            draft.write = replace(draft.write, children=tuple(parts))

    async def _known(self, wanted: set[Wanted], lane: Lane) -> dict[Wanted, str]:
        several = any(currency for _, currency, _, _ in wanted)
        known: dict[Wanted, str] = {}
        for path in sorted({path for _, _, path, _ in wanted}):
            column = name(path.removeprefix(ENTRY))
            books = sorted({book for book, _, named, _ in wanted if named == path})
            columns = ("Id", "Pricebook2Id", column, *(("CurrencyIsoCode",) if several else ()))
            for part in portions(sorted({value for _, _, named, value in wanted if named == path}), ASKED):
                where = f"IsActive = TRUE AND {among('Pricebook2Id', books)} AND {among(column, part)}"
                for row in await self._rest.query_all(select(columns, "PricebookEntry", where, "Id"), lane):
                    if not is_id(row.get("Id")):
                        continue
                    currency = str(row.get("CurrencyIsoCode") or "") if several else ""
                    place = (long_id(str(row.get("Pricebook2Id"))), currency, path, _at(row, column).casefold())
                    known.setdefault(place, long_id(str(row["Id"])))
                    known.setdefault((place[0], "", *place[2:]), known[place])
        return known


def _lines(draft: Draft) -> list[tuple[ChildrenWrite, ChildWrite]]:
    """Lines that name their entry by a path and are not there yet."""
    return [(part, one) for part in draft.write.children for one in part.upsert if _named(one)]


def _named(child: ChildWrite) -> list[tuple[str, str]]:
    return [(path, str(value or "")) for path, value in child.values.items() if path.startswith(ENTRY)]


def _resolved(
    draft: Draft, part: ChildrenWrite, home: tuple[str, str], known: Mapping[Wanted, str]
) -> ChildrenWrite:  # fmt: skip
    """The lines with their entries' ids; those that have none are told on the draft and left out."""
    kept: list[ChildWrite] = []
    for child in part.upsert:
        values: dict[str, Raw] = {path: one for path, one in child.values.items() if not path.startswith(ENTRY)}
        named = _named(child)
        if named:
            path, value = named[0]
            entry = known.get((*home, path, value.casefold()))
            if entry is None and not child.external_id:
                draft.owe(_missing(home[0], path, value))
                continue
            if entry is not None:
                values["PricebookEntryId"] = entry
        kept.append(replace(child, values=values))
    whole = len(kept) == len(part.upsert)
    # A line that cannot be made now may be there from before: nothing is cleared away on its account.
    return replace(part, upsert=tuple(kept), complete=part.complete and whole)


def _missing(book: str, path: str, value: str) -> Failure:
    column = path.removeprefix(ENTRY)
    told = f"the price book {book} has no active entry with {column} {value[:80]!r}; the line is left out until it has"
    return Failure(Remedy.RETRY, "price-book-entry-missing", told, single=True, fields=(path,))


def _at(row: Mapping[str, Any], path: str) -> str:
    here: Any = row
    for step in path.split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    return str(here or "")


def _hold_back(mapping: ObjectMapping, draft: Draft) -> None:
    """An order is made as a draft, gets its lines, and is activated then."""
    first = str(mapping.constants.get("Status") or DRAFT)
    wanted = draft.values.get("Status")
    if not draft.external_id and wanted is None:
        draft.values["Status"] = first
    if wanted not in (None, first) and (draft.write.children or not draft.external_id):
        draft.later["Status"] = wanted
        if draft.external_id:
            del draft.values["Status"]
        else:
            draft.values["Status"] = first
