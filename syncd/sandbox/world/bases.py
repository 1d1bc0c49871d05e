"""What the bases of all vendors have in common: people and companies by the place of their record."""

from __future__ import annotations

from collections.abc import Iterator

from syncd.sandbox.lazy import Base, Id, Made
from syncd.sandbox.world.roster import Fate
from syncd.sandbox.world.sightings import Sighting, sighting
from syncd.sandbox.world.world import World, person_of_email


class PeopleBase(Base[Id, Made]):
    """Rows that are people; a vendor's adds ids and shapes."""

    def __init__(self, world: World, system: str) -> None:
        self.world, self.system = world, system
        self.roster = world.roster(system)
        super().__init__(len(self.roster), world.seed)

    def seen(self, rank: int) -> Sighting:
        return sighting(self.world, self.system, self.roster.at(rank))

    def of_person(self, number: int) -> Iterator[int]:
        """Ranks of a person's records that are not deleted."""
        return (rank for rank in self.roster.ranks(number) if self.roster.fate(rank) is not Fate.DELETED)

    def of_email(self, email: str) -> Iterator[int]:
        """Whatever the case."""
        wanted = email.lower()
        return (rank for rank in self.of_person(person_of_email(email)) if self.seen(rank).email.lower() == wanted)

    def of_customer_number(self, text: str) -> Iterator[int]:
        number = int(text[1:]) if text[:1] == "C" and text[1:].isdecimal() and text == f"C{int(text[1:]):07d}" else -1
        return self.of_person(number)

    def of_company(self, company: int) -> Iterator[int]:
        """People of whom the system knows that they work there."""
        ranks = sorted(rank for one in self.world.staff(company) for rank in self.of_person(one))
        return (rank for rank in ranks if self.seen(rank).company == company)

    def of_tier(self, tier: str) -> Iterator[int]:
        return (rank for rank in range(self.size) if self.world.tier(self.roster.at(rank).member) == tier)


class FirmsBase(Base[Id, Made]):
    """Rows that are companies."""

    def __init__(self, world: World, system: str) -> None:
        self.world, self.system = world, system
        self.roster = world.firms(system)
        super().__init__(len(self.roster), world.seed + 1)

    def first_of(self, company: int | None) -> int | None:
        """The rank of a company's record, of two the first."""
        ranks = self.roster.ranks(company) if company is not None else ()
        return ranks[0] if ranks else None

    def parts_of(self, rank: int) -> Iterator[int]:
        """Ranks of the companies whose parent it is; a duplicate has none."""
        known = self.roster.at(rank)
        if known.copy:
            return iter(())
        return iter(sorted(part for one in self.world.parts(known.member) for part in self.roster.ranks(one)))
