"""Price records: the price of a variant in a price list and a currency, with tiers by quantity.

A record is its place, and its id says so: ``<price list>/<variant>/<currency>``. Writes are upserts, up to a thousand a
call, and the vendor's answer does not tell what became of each: in either case they are read again, and a record that
stands as it was sent is done. What is left of a refused call goes again in halves, until the bad ones stand alone; the
vendor advises to send such calls one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.catalogue import since_of
from syncd.systems.bigcommerce.client import AnsweredError, Client, chunks
from syncd.systems.bigcommerce.compare import changed_since, rest_of
from syncd.systems.bigcommerce.endpoint import GONE, UNTOLD, Listed, Shelf, Values, reference, values_of
from syncd.systems.bigcommerce.errors import Doing
from syncd.systems.bigcommerce.form import UnwritableError, number, whole
from syncd.systems.bigcommerce.objects import PRICES, Row, instant_ms
from syncd.systems.contract import Snapshot, VendorError, Verdict, Write

UPSERTS: Final = 1000
"""Records of one call."""
_IDS: Final = 100
_SPLITTABLE: Final = (Remedy.ASK, Remedy.SPLIT, Remedy.REREAD, Remedy.LINK)
_PLACE: Final = frozenset({"price_list_id", "variant_id", "sku", "currency"})
_INCLUDE: Final = ("include", "bulk_pricing_tiers,sku")
Place = tuple[str, str, str]
"""Price list, variant or ``sku:<sku>``, currency."""


@dataclass(slots=True)
class _Job:
    write: Write
    place: Place = ("", "", "")
    row: dict[str, Any] = field(default_factory=dict)
    """What is sent."""
    wanted: Values = field(default_factory=dict)
    """What must stand in the end."""
    told: Snapshot | None = None
    failure: Failure | None = None


class PriceRecords(Shelf):
    def __init__(self, client: Client) -> None:
        self._client = client

    # -- reading

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        """``after`` is a price list and a cursor within it; the lists are walked by id."""
        del mapping
        number_, _, cursor = after.partition(":")
        if not number_:
            lists = await self._lists(0, lane)
            return await self._records(lists, "", since, lane) if lists else Listed(())
        return await self._records(await self._lists(int(number_) - 1, lane), cursor, since, lane, int(number_))

    async def _lists(self, after: int, lane: Lane) -> list[int]:
        """Ids of price lists beyond one, ascending."""
        found: list[int] = []
        page = 1
        while True:
            rows, meta = await self._client.rows("pricelists", lane, [("limit", "250"), ("page", str(page))])
            found += [int(one["id"]) for one in rows]
            pages = (meta.get("pagination") or {}).get("total_pages")
            if not rows or (page >= pages if isinstance(pages, int) else len(rows) < 250):
                return sorted(one for one in set(found) if one > after)
            page += 1

    async def _records(
        self, lists: Sequence[int], cursor: str, since: int | None, lane: Lane, begun: int = 0
    ) -> Listed:
        """A page of the first of these lists."""
        if not lists:
            return Listed(())
        if lists[0] != begun:
            cursor = ""  # the list that was being walked is gone
        params = [("limit", str(self._client.settings.page_limit)), _INCLUDE, *since_of(since)]
        if cursor:
            params.append(("after", cursor))
        path = f"pricelists/{lists[0]}/records"
        try:
            rows, meta = await self._client.rows(path, lane, params, Doing.READ_ONE)
        except VendorError as error:
            if error.failure.remedy is not Remedy.GONE:
                raise
            rows, meta = [], {}  # the list was deleted since it was listed
        told = meta.get("cursor_pagination")
        links = told.get("links") if isinstance(told, Mapping) else None
        end = str(told.get("end_cursor") or "") if isinstance(told, Mapping) else ""
        found = [objects.price_record({"price_list_id": lists[0], **one}) for one in rows]
        top = max((instant_ms(one.data.get("date_modified")) for one in found), default=0)
        if rows and isinstance(links, Mapping) and links.get("next") and end not in ("", cursor):
            return Listed(found, f"{lists[0]}:{end}", top=top)
        return Listed(found, f"{lists[1]}:" if len(lists) > 1 else "", top=top)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        del mapping
        places = [tuple(one.split("/")) for one in dict.fromkeys(ids) if one.count("/") == 2]
        found = await self._held([(one[0], one[1], one[2]) for one in places], lane)
        return [one for one in found if one.external_id in set(ids)]

    async def _held(self, places: Iterable[Place], lane: Lane) -> list[Snapshot]:
        """Records of these variants or SKUs, in every currency asked for of their lists."""
        groups: dict[tuple[str, str], list[Place]] = {}
        for one in places:
            if one[0].isdigit():
                groups.setdefault((one[0], "sku" if one[1].startswith("sku:") else "variant_id"), []).append(one)
        found: dict[str, Snapshot] = {}
        for (price_list, name), those in groups.items():
            currencies = ",".join(dict.fromkeys(one[2] for one in those))
            for part in chunks(list(dict.fromkeys(one[1].removeprefix("sku:") for one in those)), _IDS):
                asked = [(f"{name}:in", ",".join(part)), ("currency:in", currencies)]
                for row in await self._rows(price_list, asked, lane):
                    told = objects.price_record({"price_list_id": int(price_list), **row})
                    found[told.external_id] = told
        return list(found.values())

    async def _rows(self, price_list: str, asked: Sequence[tuple[str, str]], lane: Lane) -> list[Row]:
        found: list[Row] = []
        page = 1
        while True:
            params = [*asked, _INCLUDE, ("limit", "250"), ("page", str(page))]
            try:
                rows, _ = await self._client.rows(f"pricelists/{price_list}/records", lane, params)
            except VendorError as error:
                if error.failure.status == 404:  # the list is gone
                    return []
                raise
            found += rows
            if len(rows) < 250:
                return found
            page += 1

    # -- writing, a thousand at a time

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
        jobs = [_Job(one) for one in writes]
        for one in jobs:
            _prepare(mapping, one)
        try:
            await self._look(mapping, [one for one in jobs if one.failure is None], lane)
        except VendorError as error:
            _fail([one for one in jobs if one.failure is None], error.failure)
        await self._delete([one for one in jobs if one.write.action is Action.DELETE and one.failure is None], lane)
        open_ = [one for one in jobs if one.write.action is not Action.DELETE and one.failure is None and one.row]
        for price_list, those in _by_list(open_).items():
            for part in chunks(those, UPSERTS):
                await self._upsert(mapping, price_list, part, lane)
        return [_verdict(one) for one in jobs]

    async def _look(self, mapping: ObjectMapping, jobs: Sequence[_Job], lane: Lane) -> None:
        """What is held now, and so what is left to do."""
        looked = [one for one in jobs if one.write.action is not Action.DELETE]
        held = _by_place(await self._held([one.place for one in looked], lane))
        for one in looked:
            now = held.get(one.place)
            if one.write.action is Action.UPDATE:
                if now is None:
                    one.failure = GONE
                    continue
                left = rest_of(mapping, one.write, now)
                if left.foreign:
                    one.failure = changed_since(left.foreign)
                    continue
                one.wanted = left.values
            elif now is not None:
                one.told, left = now, rest_of(mapping, replace(one.write, values=one.wanted, current=None), now)
                if left.values:  # somebody has priced it already
                    told = "there is a record for this variant and currency"
                    one.failure = Failure(Remedy.LINK, "already-there", told, existing_id=now.external_id)
                continue
            one.told = now
            try:
                one.row = _row(one, now) if one.wanted or now is None else {}
            except UnwritableError as error:
                one.failure = _unwritable(error)

    async def _upsert(self, mapping: ObjectMapping, price_list: str, jobs: Sequence[_Job], lane: Lane) -> None:
        failure: Failure | None = None
        named: dict[Place, Failure] = {}
        try:
            body = [one.row for one in jobs]
            await self._client.v3("PUT", f"pricelists/{price_list}/records", lane, Doing.WITHIN, body)
        except VendorError as error:
            failure = error.failure
            named = _named(price_list, error)
            if failure.remedy not in _SPLITTABLE:
                _fail(jobs, failure)
                return
        left = await self._left(mapping, jobs, lane)
        if not left:
            return
        if failure is None:
            _fail(left, UNTOLD)
            return
        blamed = [one for one in left if one.place in named]
        for one in blamed:
            one.failure = named[one.place]
        rest = [one for one in left if one.place not in named]
        if len(left) == 1 and rest:
            _fail(rest, failure)
        elif rest:
            # Without a word on which are bad, halves tell.
            parts = [rest] if blamed else [rest[: len(rest) // 2], rest[len(rest) // 2 :]]
            for part in parts:
                await self._upsert(mapping, price_list, part, lane)

    async def _left(self, mapping: ObjectMapping, jobs: Sequence[_Job], lane: Lane) -> list[_Job]:
        """Those that do not stand as they were sent."""
        try:
            held = _by_place(await self._held([one.place for one in jobs], lane))
        except VendorError as error:
            _fail(jobs, replace(error.failure, remedy=Remedy.LOOK))
            return []
        left = []
        for one in jobs:
            now = held.get(one.place)
            if now is None or rest_of(mapping, replace(one.write, values=one.wanted, current=None), now).values:
                left.append(one)
            else:
                one.told = now
        return left

    async def _delete(self, jobs: Sequence[_Job], lane: Lane) -> None:
        """By price list and currency; what is gone already is passed over by the vendor."""
        groups: dict[tuple[str, str], list[_Job]] = {}
        for one in jobs:
            groups.setdefault((one.place[0], one.place[2]), []).append(one)
        for (price_list, currency), those in groups.items():
            for part in chunks(those, _IDS):
                params = [("variant_id:in", ",".join(one.place[1] for one in part)), ("currency", currency)]
                path = f"pricelists/{price_list}/records"
                try:
                    await self._client.v3("DELETE", path, lane, Doing.CHANGE_MANY, params=params)
                except VendorError as error:
                    if error.failure.status != 404:
                        _fail(part, error.failure)


def _prepare(mapping: ObjectMapping, one: _Job) -> None:
    """Where the record is, and what is wanted there."""
    write = one.write
    try:
        if write.action is Action.CREATE:
            values = values_of(mapping, write)
            one.wanted, one.place = values, _place_of(values)
        else:
            one.place = _place_at(write.external_id)
    except UnwritableError as error:
        one.failure = _unwritable(error)


def _place_at(external_id: str) -> Place:
    parts = external_id.split("/")
    if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
        raise UnwritableError("id", "a price record's id is <price list>/<variant>/<currency>")
    return parts[0], parts[1], parts[2].upper()


def _place_of(values: Values) -> Place:
    price_list, variant = str(reference(values.get("price_list_id")) or ""), str(values.get("variant_id") or "")
    sku, currency = str(values.get("sku") or ""), str(values.get("currency") or "").upper()
    if not price_list.isdigit():
        raise UnwritableError("price_list_id", "a price record needs its price list")
    if not currency:
        raise UnwritableError("currency", "a price record needs a price, which names its currency")
    if not (variant or sku):
        raise UnwritableError("sku", "a price record needs the SKU of its variant")
    return price_list, variant or f"sku:{sku}", currency


def _row(one: _Job, now: Snapshot | None) -> dict[str, Any]:
    """The whole record: whether a member that is left out stays is not said by the vendor for such calls."""
    variant = one.place[1]
    row: dict[str, Any] = (
        {"sku": variant[4:]} if variant.startswith("sku:") else {"variant_id": whole("variant_id", variant)}
    )
    row["currency"] = one.place[2]
    if now is not None:
        row |= {name: float(value) for name in PRICES if (value := now.data.get(name)) is not None}
        row["bulk_pricing_tiers"] = list(now.data.get("bulk_pricing_tiers") or ())
    for path, value in one.wanted.items():
        if path in PRICES:
            row[path] = number(path, value)
        elif path == "tiers":
            row["bulk_pricing_tiers"] = [_tier(tier, one.place[2]) for tier in value or ()]
        elif path == "bulk_pricing_tiers":
            row[path] = value or []
        elif path not in _PLACE:
            raise UnwritableError(path, "is not written by syncd")
        elif now is not None and str(reference(value)) != str(now.data.get(path)):
            raise UnwritableError(path, "a price record is its place: delete it, and make another")
    return row


def _tier(tier: Mapping[str, Any], currency: str) -> dict[str, Any]:
    if tier.get("currency") != currency:
        raise UnwritableError("tiers", f"the tiers of a record in {currency} are in that currency too")
    return {
        "quantity_min": tier.get("quantity_min"), "quantity_max": tier.get("quantity_max") or 0, "type": "fixed",
        "amount": number("tiers", tier.get("price")),
    }  # fmt: skip


def _by_place(found: Iterable[Snapshot]) -> dict[Place, Snapshot]:
    """By variant, and by SKU."""
    places: dict[Place, Snapshot] = {}
    for one in found:
        price_list, variant, currency = one.external_id.split("/")
        places[price_list, variant, currency] = one
        if one.data.get("sku"):
            places[price_list, f"sku:{one.data['sku']}", currency] = one
    return places


def _by_list(jobs: Sequence[_Job]) -> dict[str, list[_Job]]:
    found: dict[str, list[_Job]] = {}
    for one in jobs:
        found.setdefault(one.place[0], []).append(one)
    return found


def _named(price_list: str, error: VendorError) -> dict[Place, Failure]:
    """Records that a refusal names, each with the words for it, as far as they can be read."""
    body = error.body if isinstance(error, AnsweredError) else None
    found: dict[Place, Failure] = {}
    for one in (body.get("batch_errors") if isinstance(body, Mapping) else None) or ():
        data = one.get("data") if isinstance(one, Mapping) else None
        if not isinstance(data, Mapping):
            continue
        told = one.get("field_errors")
        faults = {str(name): str(words) for name, words in told.items()} if isinstance(told, Mapping) else {}
        words = "; ".join(f"{name}: {word}" for name, word in faults.items()) or error.failure.message
        failure = replace(error.failure, remedy=Remedy.ASK, message=words[:1000], fields=tuple(faults))
        currency = str(data.get("currency") or "").upper()
        variants = (str(data.get("variant_id")), f"sku:{data.get('sku')}")
        found |= {(price_list, variant, currency): failure for variant in variants}
    return found


def _fail(jobs: Iterable[_Job], failure: Failure) -> None:
    for one in jobs:
        one.failure = failure


def _unwritable(error: UnwritableError) -> Failure:
    return Failure(Remedy.ASK, "value-unwritable", str(error), fields=(error.path,))


def _verdict(one: _Job) -> Verdict:
    there = one.told.external_id if one.told else ""
    number_ = one.write.external_id or there
    if one.failure is not None:
        external_id = one.write.external_id if one.write.action is not Action.CREATE else ""
        return Verdict(one.write.key, Outcome.FAILED, external_id, one.told, failure=one.failure)
    told = None if one.write.action is Action.DELETE else one.told
    return Verdict(one.write.key, Outcome.APPLIED, number_, told)
