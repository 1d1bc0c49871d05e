"""The world as this account knows it: contacts, companies, what associates them, and products."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from syncd.sandbox.hubspot.associations import HUBSPOT_DEFINED, Edge, Edges
from syncd.sandbox.hubspot.derived import derived
from syncd.sandbox.hubspot.kinds import COMPANIES, CONTACTS, PRODUCTS, Kind
from syncd.sandbox.hubspot.records import FIRST_ID, AlwaysThere, Record, RecordBase
from syncd.sandbox.hubspot.values import iso
from syncd.sandbox.lazy import BORN_MS
from syncd.sandbox.world.bases import FirmsBase, PeopleBase
from syncd.sandbox.world.dice import mix
from syncd.sandbox.world.roster import Fate
from syncd.sandbox.world.world import World

if TYPE_CHECKING:
    from syncd.sandbox.hubspot.simulator import HubspotSandbox

_STRIDE = 23
_PLAIN_COMPANY, _PRIMARY_COMPANY = (HUBSPOT_DEFINED, 279), (HUBSPOT_DEFINED, 1)
_PLAIN_CONTACT, _PRIMARY_CONTACT = (HUBSPOT_DEFINED, 280), (HUBSPOT_DEFINED, 2)
_RELATED, _CHILD, _PARENT = (HUBSPOT_DEFINED, 450), (HUBSPOT_DEFINED, 13), (HUBSPOT_DEFINED, 14)


class _Spaced(RecordBase):
    """Ids rise with gaps, as real ones do."""

    first = FIRST_ID
    kind: Kind
    salt = 0
    size: int
    world: World

    def id_at(self, rank: int) -> str:
        return str(self.first + rank * _STRIDE + mix(self.world.seed, rank, self.salt) % 20)

    def rank_of(self, id: str) -> int | None:  # noqa: A002
        if not (id.isascii() and id.isdecimal()):
            return None
        rank = (int(id) - self.first) // _STRIDE
        return rank if 0 <= rank < self.size and self.id_at(rank) == id else None

    def survivor(self, id_: str) -> str:  # noqa: ARG002
        return ""

    def _system(self, rank: int) -> dict[str, str]:
        return {
            "hs_object_id": self.id_at(rank), self.kind.created: iso(self.born_ms(rank)),
            self.kind.modified: iso(self.changed_ms(rank)), "hs_object_source": "IMPORT", "hs_object_source_id": "0",
        }  # fmt: skip


class Contacts(PeopleBase[str, AlwaysThere], _Spaced):
    kind = CONTACTS
    salt = 41

    def __init__(self, world: World) -> None:
        super().__init__(world, "hubspot")
        self.firms: Companies

    def survivor(self, id_: str) -> str:
        """A record that absorbed another: the lost id is the next one."""
        before = str(int(id_) - 1) if id_.isascii() and id_.isdecimal() else ""
        rank = self.rank_of(before)
        return before if rank is not None and self.roster.fate(rank) is Fate.ABSORBED else ""

    def find(self, path: str, value: Any) -> Iterable[int]:
        if path == "email":
            return self.of_email(value)
        rank = self.rank_of(value) if path == "hs_object_id" else None
        return () if rank is None or self.roster.fate(rank) is Fate.DELETED else (rank,)

    def make(self, rank: int) -> AlwaysThere:
        changed = self.changed_ms(rank)
        archived = changed if self.roster.fate(rank) is Fate.DELETED else 0
        return AlwaysThere(CONTACTS, self.id_at(rank), (self.born_ms(rank), changed, archived),
                           partial(self._values, rank))  # fmt: skip

    def _values(self, rank: int) -> dict[str, str]:
        seen = self.seen(rank)
        where, person = seen.address, seen.person
        held = {
            "email": seen.email.lower(), "firstname": seen.first, "lastname": seen.last, "phone": seen.phone,
            "address": where.street, "city": where.town, "zip": where.postal_code, "country": where.country,
            "lifecyclestage": "customer" if person.number % 3 else "lead",
        }  # fmt: skip
        if seen.company is not None:
            held["company"] = self.world.company(seen.company).name
            firm = self.firms.first_of(seen.company)
            if firm is not None and seen.fate is not Fate.DELETED:
                held["associatedcompanyid"] = self.firms.id_at(firm)
        if seen.fate is Fate.ABSORBED:
            held["hs_merged_object_ids"] = str(int(self.id_at(rank)) + 1)
            held["hs_additional_emails"] = person.second_email
        held |= derived(CONTACTS, held, held, None, 0)
        return {**self._system(rank), **{name: value for name, value in held.items() if value}}


class Companies(FirmsBase[str, AlwaysThere], _Spaced):
    kind = COMPANIES
    salt = 42

    def __init__(self, world: World, people: Contacts) -> None:
        super().__init__(world, "hubspot")
        self.first = people.first + people.size * _STRIDE + 1000

    def find(self, path: str, value: Any) -> Iterable[int]:
        rank = self.rank_of(value) if path == "hs_object_id" else None
        return () if rank is None else (rank,)

    def make(self, rank: int) -> AlwaysThere:
        times = (self.born_ms(rank), self.changed_ms(rank), 0)
        return AlwaysThere(COMPANIES, self.id_at(rank), times, partial(self._values, rank))

    def above(self, rank: int) -> str:
        """The id of its parent; empty where it has none. A duplicate has none."""
        known = self.roster.at(rank)
        parent = None if known.copy else self.first_of(self.world.parent(known.member))
        return "" if parent is None else self.id_at(parent)

    def _values(self, rank: int) -> dict[str, str]:
        known = self.roster.at(rank)
        company = self.world.company(known.member)
        where = company.address
        held = {
            "name": company.name.upper() if known.copy else company.name, "domain": company.domain,
            "phone": company.phone, "address": where.street, "city": where.town, "zip": where.postal_code,
            "country": where.country, "industry": company.industry.upper(),
            "numberofemployees": str(company.employees), "hs_parent_company_id": self.above(rank),
        }  # fmt: skip
        held |= derived(COMPANIES, held, held, None, 0)
        return {**self._system(rank), **{name: value for name, value in held.items() if value}}


class _Ties:
    """What associates contacts with companies, and companies with their parents."""

    def __init__(self, people: Contacts, firms: Companies) -> None:
        self._people, self._firms = people, firms

    def edges(self, id_: str) -> Edges:
        rank = self._people.rank_of(id_)
        if rank is not None:
            return self._of_contact(rank)
        rank = self._firms.rank_of(id_)
        return {} if rank is None else self._of_company(rank)

    def _of_contact(self, rank: int) -> Edges:
        seen = self._people.seen(rank)
        firm = self._firms.first_of(seen.company)
        if firm is None or seen.fate is Fate.DELETED:
            return {}
        return {COMPANIES.type_id: {self._firms.id_at(firm): {_PLAIN_COMPANY, _PRIMARY_COMPANY}}}

    def _of_company(self, rank: int) -> Edges:
        firms, known = self._firms, self._firms.roster.at(rank)
        if known.copy:
            return {}
        near: dict[str, set[Edge]] = {firms.id_at(part): {_RELATED, _CHILD} for part in self._parts(rank)}
        above = firms.above(rank)
        if above:
            near[above] = {_RELATED, _PARENT}
        staff = {self._people.id_at(one): {_PLAIN_CONTACT, _PRIMARY_CONTACT}
                 for one in self._people.of_company(known.member)}  # fmt: skip
        return {**({COMPANIES.type_id: near} if near else {}), **({CONTACTS.type_id: staff} if staff else {})}

    def _parts(self, rank: int) -> Iterable[int]:
        return (one for one in self._firms.parts_of(rank) if not self._firms.roster.at(one).copy)


def populate(sandbox: HubspotSandbox, world: World) -> None:
    """Only into an account without records. Nothing goes to the ledger or to webhooks."""
    account = sandbox.account
    sandbox.inhabitants = people = Contacts(world)
    firms = people.firms = Companies(world, people)
    for base in (people, firms):
        account.records.settle(base.kind, base)
        account.search.settle(base.kind, base)
    account.graph.always = _Ties(people, firms).edges
    for number in range(world.products):
        product = world.product(number)
        id_, stamp = account.records.new_id(), iso(BORN_MS)
        values = {
            "hs_object_id": id_, "createdate": stamp, "hs_lastmodifieddate": stamp, "hs_object_source": "IMPORT",
            "hs_object_source_id": "0", "name": product.name, "hs_sku": product.sku,
            "price": f"{product.cents // 100}.{product.cents % 100:02d}",
        }  # fmt: skip
        record = Record(PRODUCTS, id_, BORN_MS, BORN_MS, values)
        account.records.add(record)
        account.records.claim(record, "hs_object_id", id_, "")
        account.search.touch(record)
