"""The world: who and what there is. Pure: whatever is asked for is worked out from (seed, number) at that moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from syncd.sandbox.world import names
from syncd.sandbox.world.dice import mix
from syncd.sandbox.world.roster import Roster, Shares

STAFF, PER_COMPANY = 6, 10
"""Of each ten people in a row six work for the same company, the others for none."""
FAMILY, BRANCHES = 25, 5
"""Of each five companies in a row two are parts of the first; of each 25, some firsts are subsidiaries of the first."""
MOST_PRODUCTS = 2000
TIERS = ("standard", "silver", "gold", "platinum")
"""Customers' tiers, each with a price list of its own."""
_TIER_OF = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3)
DISCOUNTS = {"standard": 0, "silver": 5, "gold": 10, "platinum": 15}
"""Per cent off the list price, by tier."""
PARCELS = ((10, 4), (50, 9))
"""From how many pieces on, and per cent off."""

PEOPLE_KNOWN = {
    "commercetools": Shares(0, 80),
    "bigcommerce": Shares(10, 85),
    "hubspot": Shares(5, 95, doubled=(20, 21, 22), deleted=(50,), absorbed=(40,)),
    "salesforce": Shares(8, 98, doubled=(22, 30, 31), deleted=(51,), merged=(41,)),
}
"""Of each hundred people. Some are in one system only, two in none, 22 is twice in both CRMs."""
COMPANIES_KNOWN = {
    "commercetools": Shares(0, 60),
    "bigcommerce": Shares(10, 60),
    "hubspot": Shares(5, 95, doubled=(25,)),
    "salesforce": Shares(2, 100, doubled=(26, 27)),
}


@dataclass(frozen=True, slots=True)
class Address:
    street: str
    town: str
    postal_code: str
    country: str
    """ISO 3166, two letters."""


@dataclass(frozen=True, slots=True)
class Person:
    number: int
    first: str
    last: str
    plain_first: str
    """Without marks on letters."""
    plain_last: str
    friends_say: str
    email: str
    second_email: str
    phone: str
    """E.164."""
    customer_number: str
    company: int | None
    address: Address
    tier: str


@dataclass(frozen=True, slots=True)
class Company:
    number: int
    name: str
    domain: str
    industry: str
    employees: int
    phone: str
    parent: int | None
    division: bool
    """Part of its parent, not a company of its own."""
    address: Address


@dataclass(frozen=True, slots=True)
class Product:
    number: int
    sku: str
    name: str
    cents: int
    """List price of one."""

    def cents_for(self, tier: str, pieces: int = 1) -> int:
        """What one costs a customer of a tier who takes that many."""
        off = DISCOUNTS[tier] + max((less for least, less in PARCELS if pieces >= least), default=0)
        return self.cents * (100 - off) // 100


class World:
    def __init__(self, seed: int, people: int) -> None:
        """``people``: how many there are; companies and products follow. Raises ``ValueError`` below 0."""
        if people < 0:
            raise ValueError(f"a world has 0 or more people, not {people}")
        self.seed = seed
        self.people = people
        self.companies = -(-people // PER_COMPANY)
        self.products = min(MOST_PRODUCTS, -(-people // 250))
        self._rosters = {system: Roster(one, people, seed) for system, one in PEOPLE_KNOWN.items()}
        self._firms = {system: Roster(one, self.companies, seed + 1) for system, one in COMPANIES_KNOWN.items()}

    # -- who is there

    def person(self, number: int) -> Person:
        dice = mix(self.seed, number, 10)
        first, plain_first, friends = names.FIRST[dice % len(names.FIRST)]
        head, plain_head = names.LAST_HEADS[(dice >> 8) % len(names.LAST_HEADS)]
        tail = names.LAST_TAILS[(dice >> 16) % len(names.LAST_TAILS)]
        plain_last = plain_head + tail
        company = self.employer(number)
        domain = self.domain(company) if company is not None else ("example.com", "example.org")[dice >> 24 & 1]
        mailbox = f"{plain_first}.{plain_last}".lower()
        address, phone = _place(dice >> 28, number)
        return Person(
            number, first, head + tail, plain_first, plain_last, friends, f"{mailbox}.{number}@{domain}",
            f"{mailbox[0]}.{plain_last.lower()}.{number}@example.net", phone, f"C{number:07d}", company, address,
            self.tier(number),
        )  # fmt: skip

    def tier(self, number: int) -> str:
        return TIERS[_TIER_OF[(number * 7 + self.seed) % len(_TIER_OF)]]

    def employer(self, number: int) -> int | None:
        """The company a person works for."""
        return number // PER_COMPANY if number % PER_COMPANY < STAFF else None

    def staff(self, company: int) -> range:
        """The people who work for a company."""
        start = company * PER_COMPANY
        return range(start, min(start + STAFF, self.people))

    def domain(self, company: int) -> str:
        head = names.COMPANY_HEADS[mix(self.seed, company, 11) % len(names.COMPANY_HEADS)]
        return f"{head.lower()}-{company}.example.com"

    def company(self, number: int) -> Company:
        dice = mix(self.seed, number, 11)
        head = names.COMPANY_HEADS[dice % len(names.COMPANY_HEADS)]
        trade, industry = names.COMPANY_TRADES[(dice >> 8) % len(names.COMPANY_TRADES)]
        form = names.COMPANY_FORMS[(dice >> 16) % len(names.COMPANY_FORMS)]
        parent = self.parent(number)
        division = number % BRANCHES >= BRANCHES - 2 and parent is not None
        name = f"{head} {trade} {number} {form}"
        if division and parent is not None:
            name = f"{self.company(parent).name}, {names.DIVISIONS[(dice >> 20) % len(names.DIVISIONS)]} {number}"
        address, phone = _place(dice >> 28, 50_000_000 + number)
        return Company(number, name, self.domain(number), industry, 5 + (dice >> 24) % 4000, phone, parent, division,
                       address)  # fmt: skip

    def parent(self, number: int) -> int | None:
        if number % BRANCHES >= BRANCHES - 2:
            return number - number % BRANCHES
        if number % BRANCHES == 0 and number % FAMILY and mix(self.seed, number, 12) % 4 == 0:
            return number - number % FAMILY
        return None

    def parts(self, number: int) -> Iterator[int]:
        """The companies whose parent it is."""
        near = (number + step for step in range(1, FAMILY) if number % BRANCHES == 0)
        return (one for one in near if one < self.companies and self.parent(one) == number)

    def product(self, number: int) -> Product:
        dice = mix(self.seed, number, 13)
        kind = names.PRODUCT_KINDS[dice % len(names.PRODUCT_KINDS)]
        look = names.PRODUCT_LOOKS[(dice >> 8) % len(names.PRODUCT_LOOKS)]
        return Product(number, f"SKU-{number:05d}", f"{look} {kind} {number}", 195 + (dice >> 16) % 40_000)

    # -- who is known where

    def roster(self, system: str) -> Roster:
        """The people a system knows. Raises ``KeyError``."""
        return self._rosters[system]

    def firms(self, system: str) -> Roster:
        """The companies a system knows. Raises ``KeyError``."""
        return self._firms[system]

    def truth(self, person: int) -> dict[str, tuple[int, ...]]:
        """By system, the places of the records that are this person; the vendors make ids of places."""
        return {system: roster.ranks(person) for system, roster in self._rosters.items()}


def person_of_email(email: str) -> int:
    """The number of the person whose address this may be, -1 for none: compare before you believe it."""
    digits = email.partition("@")[0].rpartition(".")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else -1


def _place(dice: int, number: int) -> tuple[Address, str]:
    country, town, prefix = names.TOWNS[dice % len(names.TOWNS)]
    street = names.STREETS[(dice >> 6) % len(names.STREETS)]
    code = f"{(dice >> 12) % 90_000 + 10_000}"
    address = Address(f"{street} {(dice >> 3) % 200 + 1}", town, code, country)
    width = 7 if country == "US" else 8
    return address, f"{prefix}{(20_000_000 + number) % 10**width:0{width}d}"
