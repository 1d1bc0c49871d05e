"""The world as this store knows it: customers, addresses, orders, companies with their users, groups, price lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from syncd.sandbox.bigcommerce import catalog, customers, groups, orders, pricelists
from syncd.sandbox.bigcommerce.people import unrecorded
from syncd.sandbox.bigcommerce.store import Store, moment, stamp
from syncd.sandbox.bigcommerce.table import Row
from syncd.sandbox.lazy import Base
from syncd.sandbox.vendor import HUMAN
from syncd.sandbox.world.bases import FirmsBase, PeopleBase
from syncd.sandbox.world.dice import mix
from syncd.sandbox.world.world import PARCELS, TIERS, World, person_of_email

if TYPE_CHECKING:
    from syncd.sandbox.bigcommerce.account import BigcommerceSandbox

_EVERY = 3
"""Of so many customers one has an order."""
_STATES = {"DE": "Berlin", "GB": "England", "FR": "Paris", "US": "Texas"}


class _Numbered(Base[int, Row]):
    """Ids count from 1, in the order of the ranks."""

    def id_at(self, rank: int) -> int:
        return rank + 1

    def rank_of(self, id: int) -> int | None:  # noqa: A002
        return id - 1 if 0 < id <= self.size else None


class Customers(_Numbered, PeopleBase[int, Row]):
    """Rows of the customers table. ``groups``: ids of the customer groups by tier."""

    def __init__(self, world: World, groups: Mapping[str, int]) -> None:
        PeopleBase.__init__(self, world, "bigcommerce")
        self._groups_of = groups

    def find(self, path: str, value: Any) -> Iterable[int]:
        match path:
            case "email":
                return self.of_email(str(value))
            case "customer_group_id":
                tier = next((tier for tier in TIERS if self._groups_of.get(tier, 0) == value), "")
                return self.of_tier(tier)
        return ()

    def make(self, rank: int) -> Row:
        seen = self.seen(rank)
        company = "" if seen.company is None else self.world.company(seen.company).name
        return {
            "id": rank + 1, **customers.EMPTY, "email": seen.email, "first_name": seen.first, "last_name": seen.last,
            "company": company, "phone": seen.phone, "customer_group_id": self._groups_of.get(seen.person.tier, 0),
            "authentication": {"force_password_reset": False}, "date_created": stamp(self.born_ms(rank)),
            "date_modified": stamp(self.changed_ms(rank)),
        }  # fmt: skip


class Homes(_Numbered):
    """The address of each customer, with the customer's id."""

    def __init__(self, people: Customers) -> None:
        super().__init__(people.size, people.world.seed)
        self._people = people

    def find(self, path: str, value: Any) -> Iterable[int]:
        rank = self._people.rank_of(value) if path == "customer_id" and isinstance(value, int) else None
        return () if rank is None else (rank,)

    def make(self, rank: int) -> Row:
        seen, where = self._people.seen(rank), self._people.seen(rank).address
        return {
            "id": rank + 1, "customer_id": rank + 1, "first_name": seen.first, "last_name": seen.last, "company": "",
            "address1": where.street, "address2": "", "city": where.town,
            "state_or_province": _STATES[where.country], "postal_code": where.postal_code,
            "country_code": where.country, "phone": seen.phone, "address_type": "residential",
            "country": where.country,
        }  # fmt: skip


class Companies(_Numbered, FirmsBase[int, Row]):
    """Rows of the companies of B2B Edition."""

    def __init__(self, world: World, groups: Mapping[str, int]) -> None:
        FirmsBase.__init__(self, world, "bigcommerce")
        self._groups_of = groups

    def find(self, path: str, value: Any) -> Iterable[int]:
        rank = self.rank_of(value) if path == "parent" and isinstance(value, int) else None
        return () if rank is None else self.parts_of(rank)

    def make(self, rank: int) -> Row:
        company = self.world.company(self.roster.at(rank).member)
        parent = self.first_of(company.parent)
        tier = self.world.tier(company.number)
        return {
            "id": rank + 1, "companyName": company.name, "companyEmail": f"office@{company.domain}",
            "companyPhone": company.phone, "companyStatus": "1", "bcGroupId": self._groups_of.get(tier, 0),
            "catalogId": None, "priceListAssign": [], "uuid": "", "extraFields": [],
            "parent": 0 if parent is None else parent + 1, "createdAt": self.born_ms(rank) // 1000,
            "updatedAt": self.changed_ms(rank) // 1000, "credit": {},
            "terms": {"isEnabled": False, "paymentTerms": 0}, "payments": [],
        }  # fmt: skip


class Users(_Numbered):
    """The administrator of each company, with the company's id: one who works there, if possible a customer."""

    def __init__(self, companies: Companies, people: Customers) -> None:
        super().__init__(companies.size, companies.world.seed + 2)
        self._companies, self._people, self._world = companies, people, companies.world

    def find(self, path: str, value: Any) -> Iterable[int]:
        match path:
            case "companyId" if isinstance(value, int):
                rank = self._companies.rank_of(value)
                return () if rank is None else (rank,)
            case "email":
                return self._of_email(str(value))
        return ()

    def _of_email(self, email: str) -> Iterator[int]:
        company = self._world.employer(person_of_email(email))
        rank = self._companies.first_of(company)
        if rank is not None and self.make(rank)["email"].casefold() == email.casefold():
            yield rank

    def make(self, rank: int) -> Row:
        company = self._companies.roster.at(rank).member
        staff = self._world.staff(company)
        customer = next((one for number in staff for one in self._people.of_person(number)), None)
        person = self._people.seen(customer).person if customer is not None else self._world.person(staff[0])
        email = self._people.seen(customer).email if customer is not None else person.email
        return {
            "id": rank + 1, "phoneNumber": person.phone, "role": 0, "companyRoleId": None, "uuid": "",
            "channelIds": [1], "originChannelId": 1, "extraFields": [], "firstName": person.first,
            "lastName": person.last, "email": email, "companyId": rank + 1,
            "customerId": 0 if customer is None else customer + 1, "createdAt": self.born_ms(rank) // 1000,
            "updatedAt": self.changed_ms(rank) // 1000,
        }  # fmt: skip


class Orders(_Numbered):
    """Every third customer has bought once."""

    def __init__(self, people: Customers, patterns: Sequence[bytes]) -> None:
        """``patterns``: by product an order of one piece, to be filled in."""
        super().__init__(-(-people.size // _EVERY) if patterns else 0, people.world.seed + 4)
        self._people, self._patterns = people, patterns

    def find(self, path: str, value: Any) -> Iterable[int]:
        rank = self._people.rank_of(value) if path == "customer_id" and isinstance(value, int) else None
        return () if rank is None or rank % _EVERY else (rank // _EVERY,)

    def make(self, rank: int) -> Row:
        buyer, dice = rank * _EVERY, mix(self._people.world.seed, rank, 38)
        seen, number = self._people.seen(buyer), dice % len(self._patterns)
        pieces = 1 + (dice >> 16) % 20
        price = self._people.world.product(number).cents_for(seen.person.tier, pieces) / 100
        row: Row = orjson.loads(self._patterns[number])
        each, whole = orders.money(price), orders.money(price * pieces)
        row["lines"][0] |= {
            "quantity": pieces, "base_price": each, "price_ex_tax": each, "price_inc_tax": each,
            "total_ex_tax": whole, "total_inc_tax": whole,
        }  # fmt: skip
        where = seen.address
        row["billing_address"] |= {
            "first_name": seen.first, "last_name": seen.last, "street_1": where.street, "city": where.town,
            "state": _STATES[where.country], "zip": where.postal_code, "country_iso2": where.country,
            "phone": seen.phone, "email": seen.email,
        }  # fmt: skip
        status = (10, 11, 2)[dice % 3]
        totals = dict.fromkeys(("subtotal_ex_tax", "subtotal_inc_tax", "total_ex_tax", "total_inc_tax"), whole)
        return row | totals | {
            "id": rank + 1, "customer_id": buyer + 1, "status_id": status, "status": orders.STATUSES[status],
            "custom_status": orders.STATUSES[status], "date_created": stamp(self.born_ms(rank)),
            "date_modified": stamp(self.changed_ms(rank)),
        }  # fmt: skip


def _patterns(store: Store, world: World) -> list[bytes]:
    """What the store makes of an order of one piece of each product."""
    made = []
    for number in range(world.products):
        product = world.product(number)
        price = product.cents / 100
        line = {"name": product.name, "sku": product.sku, "quantity": 1, "price_inc_tax": price, "price_ex_tax": price}
        body = {"billing_address": {"zip": "1", "email": "", "country": ""}, "products": [line]}
        id_ = orders.create(store, body, HUMAN)
        made.append(orjson.dumps(store.orders.get(id_)))
        store.orders.drop(id_)
    return made


def populate(sandbox: BigcommerceSandbox, world: World) -> None:
    """Only into a store without customers and orders. Nothing is told or goes to the ledger."""
    store = sandbox.store
    with unrecorded(sandbox):
        tiers = {tier: groups.create(store, {"name": tier.title()}, HUMAN) for tier in TIERS[1:]}
        for number in range(world.products):
            product = world.product(number)
            catalog.put(store, product.sku, 100 + number, 100_000 + number, product.name, product.cents / 100)
        for tier, group in tiers.items():
            listed = pricelists.create(store, {"name": f"{tier.title()} prices"}, HUMAN)["id"]
            pricelists.assign(store, {"price_list_id": listed, "customer_group_id": group}, HUMAN)
            _fill(sandbox, world, listed, tier)
        patterns = _patterns(store, world)
    sandbox.inhabitants = people = Customers(world, tiers)
    companies = Companies(world, tiers)
    store.customers.settle(people, _iso_ms)
    store.addresses.settle(Homes(people), _iso_ms)
    store.orders.settle(Orders(people, patterns), _iso_ms)
    store.companies.settle(companies, _unix_ms)
    store.users.settle(Users(companies, people), _unix_ms)


def _fill(sandbox: BigcommerceSandbox, world: World, list_id: int, tier: str) -> None:
    for number in range(world.products):
        product = world.product(number)
        parcels = [
            {"quantity_min": least, "quantity_max": 0, "type": "fixed", "amount": product.cents_for(tier, least) / 100}
            for least, _ in PARCELS
        ]
        record = {
            "variant_id": 100_000 + number, "sku": product.sku, "currency": sandbox.settings.currency,
            "price": product.cents_for(tier) / 100, "bulk_pricing_tiers": parcels,
        }  # fmt: skip
        pricelists.put_record(sandbox.store, list_id, record, HUMAN)


def _iso_ms(text: str) -> int:
    return int(moment(text).timestamp() * 1000)


def _unix_ms(text: str) -> int:
    return int(float(text)) * 1000
