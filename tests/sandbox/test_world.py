"""The shared world: who is who, what each system makes of it, and rows that were always there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.sandbox.lazy import Base, Segment
from syncd.sandbox.world.roster import Fate, Roster
from syncd.sandbox.world.sightings import PER_MILLE, Sighting, sighting
from syncd.sandbox.world.world import PEOPLE_KNOWN, TIERS, World, person_of_email

SYSTEMS = tuple(PEOPLE_KNOWN)
WORLD = World(7, 12_345)


def test_a_person_is_the_same_in_a_small_world_and_a_large_one_and_other_by_seed() -> None:
    assert World(7, 100).person(42) == WORLD.person(42) == World(7, 500_000).person(42)
    assert World(8, 100).person(42) != WORLD.person(42)


@given(st.sampled_from(SYSTEMS), st.integers(0, 1000), st.integers(0, 99))
def test_a_place_tells_the_person_and_the_person_all_places(system: str, size: int, seed: int) -> None:
    roster = Roster(PEOPLE_KNOWN[system], size, seed)
    places = {(known.member, known.copy): rank for rank in range(len(roster)) for known in [roster.at(rank)]}
    assert len(places) == len(roster)
    assert sorted(places.values()) == sorted(rank for member in range(size) for rank in roster.ranks(member))
    assert roster.live() == sum(roster.fate(rank) is not Fate.DELETED for rank in range(len(roster)))
    assert roster.ranks(-1) == roster.ranks(size) == ()


def test_of_every_hundred_people_the_same_shares_are_known_doubled_and_in_one_system_only() -> None:
    world = World(3, 200)
    truth = [world.truth(number) for number in range(200)]
    assert {system: len(world.roster(system)) for system in SYSTEMS} == {
        "commercetools": 160, "bigcommerce": 150, "hubspot": 186, "salesforce": 188,
    }  # fmt: skip
    assert sum(len(one["hubspot"]) == 2 and len(one["salesforce"]) == 2 for one in truth) == 2
    assert sum(sum(map(bool, one.values())) == 1 for one in truth) > 0
    assert sum(not any(one.values()) for one in truth) == 4


@pytest.mark.parametrize("system", SYSTEMS)
def test_addresses_are_unique_within_a_system_but_for_deleted_records_and_lead_back_to_the_person(system: str) -> None:
    roster = WORLD.roster(system)
    seen = [sighting(WORLD, system, roster.at(rank)) for rank in range(1500)]
    live = [one.email.casefold() for one in seen if one.fate is not Fate.DELETED]
    assert len(set(live)) == len(live)
    assert all(person_of_email(one.email) == one.person.number for one in seen)
    assert all(one.email.partition("@")[2].casefold().endswith((".com", ".org", ".net")) for one in seen)
    assert person_of_email("nobody@example.com") == person_of_email("x.٣@example.com") == -1


def _differs(one: Sighting) -> Iterable[str]:
    person = one.person
    yield from ("email_case",) if one.email not in {person.email, person.second_email} else ()
    yield from ("second_email",) if one.email.lower() == person.second_email else ()
    yield from ("nickname",) if one.first == person.friends_say else ()
    yield from ("no_phone",) if not one.phone else ()
    yield from ("phone_form",) if one.phone and one.phone != person.phone else ()
    yield from ("no_company",) if one.company is None and person.company is not None else ()
    yield from ("stale_address",) if one.address.street != person.address.street else ()


def test_systems_disagree_as_often_as_is_written_down() -> None:
    roster = WORLD.roster("salesforce")
    first = [rank for rank in range(len(roster)) if not roster.at(rank).copy][:4000]
    found = Counter(name for rank in first for name in _differs(sighting(WORLD, "salesforce", roster.at(rank))))
    share = {name: found[name] / len(first) for name in found}
    employed = 0.6
    assert share["email_case"] == pytest.approx(PER_MILLE["email_case"] / 1000, abs=0.03)
    assert share["second_email"] == pytest.approx(PER_MILLE["second_email"] / 1000, abs=0.02)
    assert share["nickname"] == pytest.approx(PER_MILLE["nickname"] / 1000, abs=0.02)
    assert share["no_phone"] == pytest.approx(PER_MILLE["no_phone"] / 1000, abs=0.03)
    assert share["phone_form"] == pytest.approx(PER_MILLE["phone_form"] / 1000 * 0.85, abs=0.04)
    assert share["no_company"] == pytest.approx(PER_MILLE["no_company"] / 1000 * employed, abs=0.03)
    assert share["stale_address"] == pytest.approx(PER_MILLE["stale_address"] / 1000, abs=0.03)


def test_a_duplicate_has_the_second_address_and_the_truth_is_the_same_person() -> None:
    known = WORLD.roster("hubspot")
    twice = next(number for number in range(100) if len(known.ranks(number)) == 2)
    first, second = (sighting(WORLD, "hubspot", known.at(rank)) for rank in known.ranks(twice))
    assert first.person == second.person
    assert {first.email.lower(), second.email.lower()} == {first.person.email, first.person.second_email}


def test_companies_have_staff_parts_and_parents_that_agree() -> None:
    for number in range(60):
        assert all(WORLD.person(one).company == number for one in WORLD.staff(number))
        assert all(WORLD.company(part).parent == number for part in WORLD.parts(number))
        parent = WORLD.company(number).parent
        assert parent is None or number in WORLD.parts(parent)
    assert any(WORLD.company(number).division for number in range(10))


def test_prices_fall_with_the_tier_and_with_the_parcel() -> None:
    product = WORLD.product(3)
    prices = [product.cents_for(tier, pieces) for tier in TIERS for pieces in (1, 10, 50)]
    assert prices[0] == product.cents
    assert prices[0] > prices[1] > prices[2]
    assert product.cents_for("standard") > product.cents_for("platinum")


def test_a_world_of_nobody_is_empty_and_fewer_than_nobody_is_refused() -> None:
    assert [len(World(1, 0).roster(system)) for system in SYSTEMS] == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="0 or more"):
        World(1, -1)


# -- rows that were always there


class Tens(Base[int, str]):
    """Rows 10, 20, 30, ..."""

    def id_at(self, rank: int) -> int:
        return 10 * rank + 10

    def rank_of(self, id: int) -> int | None:  # noqa: A002
        rank, rest = divmod(id - 10, 10)
        return rank if not rest and 0 <= rank < self.size else None

    def make(self, rank: int) -> str:
        return f"row {rank}"

    def find(self, path: str, value: Any) -> Iterable[int]:
        return [value] if path == "rank" and 0 <= value < self.size else ()


@given(st.integers(0, 40), st.lists(st.tuples(st.booleans(), st.integers(0, 45))), st.slices(60))
def test_a_segment_is_a_list_without_what_is_gone_whose_changed_rows_are_the_tables_own(
    size: int, deeds: list[tuple[bool, int]], part: slice
) -> None:
    segment = Segment(Tens(size, 5))
    here, untouched = set(range(size)), set(range(size))
    for drops, rank in deeds:
        id_ = 10 * rank + 10
        if drops:
            segment.drop(id_)
            here.discard(rank)
        else:
            assert segment.change(id_) is (rank in untouched)
        untouched.discard(rank)
    ids = segment.ids([1000, 1001])
    expected = [*(10 * rank + 10 for rank in sorted(here)), 1000, 1001]
    assert (list(ids), ids[part], len(segment)) == (expected, expected[part], len(here))
    assert [segment.get(id_) is not None for id_ in expected] == [(id_ - 10) // 10 in untouched for id_ in expected]
    assert {rank for _, rank in segment.by_time()} == untouched
    assert [list(segment.find("rank", rank)) for rank in range(45)] == [
        [10 * rank + 10] if rank in untouched else [] for rank in range(45)
    ]


@given(st.integers(1, 200), st.integers(0, 220), st.integers(-1, 1), st.booleans())
def test_a_base_is_walked_in_time_from_any_moment_either_way(size: int, at: int, off: int, down: bool) -> None:
    base = Tens(size, 11)
    everything = sorted((base.changed_ms(rank), rank) for rank in range(size))
    moment = everything[at % size][0] + off
    expected = [one for one in everything if (one[0] <= moment if down else one[0] >= moment)]
    assert list(base.by_time(moment, backwards=down)) == (expected[::-1] if down else expected)
    assert all(base.born_ms(rank) < base.changed_ms(rank) for rank in range(size))


def test_whoever_holds_a_row_that_is_an_object_shares_it_with_all_who_ask() -> None:
    class Thing:
        pass

    class Things(Tens):
        def make(self, rank: int) -> Any:
            return Thing()

    segment = Segment(Things(5, 1), same=True)
    held = segment.get(20)
    assert held is segment.get(20)
    assert held is not segment.get(30)
