"""The small nouns: identities, the life of a cart, backoff, fingerprints."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.backoff import CAP_SECONDS, ceiling_seconds, delay_seconds
from syncd.model.cart import ABANDONED, EMPTIED, ORDERED, abandoned_at, stage_after
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.failure import Failure, Remedy, fingerprint, normalised_message
from syncd.model.record import record_id
from syncd.model.value import instant_from_ms

NAMES = st.text(st.characters(exclude_characters="\x1f", codec="utf-8"), max_size=12)


@given(NAMES, NAMES, NAMES, NAMES)
def test_a_record_id_depends_on_where_it_was_first_seen_and_on_nothing_else(entity, connection, object_, external):
    one = record_id(entity, connection, object_, external)
    assert one == record_id(entity, connection, object_, external)
    assert re.fullmatch(r"[0-9a-f]{20}", one.removeprefix(f"{entity}-"))


@given(st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES), min_size=2, max_size=2, unique=True))
def test_different_places_have_different_record_ids(places):
    assert record_id(*places[0]) != record_id(*places[1])


def test_a_record_id_never_changes_between_releases():
    assert record_id("customer", "shop", "customers", "c-1") == "customer-03d00d5184d834266909"


# --- carts -----------------------------------------------------------------------------------------------------------

ITEMS = [{"key": "1", "quantity": 1}]


@pytest.mark.parametrize(
    ("before", "fields", "after"),
    [
        (None, {"state": "Active", "items": ITEMS}, None),
        (None, {"state": "Ordered", "items": ITEMS}, None),
        (ABANDONED, {"state": "Active", "items": ITEMS}, ABANDONED),
        (ABANDONED, {"state": "Ordered", "items": ITEMS}, ORDERED),
        (ABANDONED, {"state": "Active", "items": []}, EMPTIED),
        (ABANDONED, {"state": "Merged", "items": ITEMS}, EMPTIED),
        (ABANDONED, {"items": ITEMS}, ABANDONED),
        (ABANDONED, {"state": "Frozen", "items": ITEMS}, "frozen"),
        (EMPTIED, {"state": "Active", "items": ITEMS}, EMPTIED),
        (EMPTIED, {"state": "Ordered", "items": ITEMS}, ORDERED),
    ],
)
def test_the_stage_follows_the_life_of_the_cart(before, fields, after):
    assert stage_after(before, fields) == after


@given(
    st.sampled_from([None, ABANDONED, ORDERED, EMPTIED]),
    st.fixed_dictionaries(
        {},
        optional={
            "state": st.sampled_from(["Active", "Ordered", "Merged", "Frozen", None]),
            "items": st.sampled_from([[], ITEMS, None]),
        },
    ),
)
def test_seeing_the_same_cart_again_leaves_its_stage(before, fields):
    once = stage_after(before, fields)
    assert stage_after(once, fields) == once


TOUCHED = 1_793_606_400_000
LIVING = {"state": "Active", "items": ITEMS, "email": "a@b.c", "touched_at": instant_from_ms(TOUCHED)}


def test_a_living_cart_counts_as_abandoned_once_it_lay_idle():
    assert abandoned_at(LIVING, 1_800_000) == TOUCHED + 1_800_000
    assert abandoned_at({**LIVING, "stage": EMPTIED}, 1000) == TOUCHED + 1000


@pytest.mark.parametrize(
    "other",
    [
        {"state": "Ordered"},
        {"state": None},
        {"items": []},
        {"items": None},
        {"email": None},
        {"email": ""},
        {"stage": ABANDONED},
        {"stage": ORDERED},
        {"touched_at": None},
    ],
)
def test_a_cart_that_is_nobodys_empty_or_done_is_never_abandoned(other):
    assert abandoned_at({**LIVING, **other}, 1000) is None


# --- backoff ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_wait_lies_between_a_quarter_of_the_ceiling_and_the_ceiling(attempt, chance):
    ceiling = ceiling_seconds(attempt)
    assert ceiling / 4 <= delay_seconds(attempt, chance) <= ceiling <= CAP_SECONDS


@given(st.integers(1, 60))
def test_the_ceiling_never_falls(attempt):
    assert ceiling_seconds(attempt) <= ceiling_seconds(attempt + 1)


@given(st.integers(1, 20), st.floats(0, 0.99), st.floats(0, 0.99))
def test_different_dice_give_different_waits(attempt, one, other):
    assert (delay_seconds(attempt, one) < delay_seconds(attempt, other)) is (one < other) or abs(one - other) < 1e-9


# --- failures ----------------------------------------------------------------------------------------------------------


def failure(message, code="INVALID_EMAIL", fields=()):
    return Failure(Remedy.ASK, code, message, fields=fields)


@given(st.emails(), st.emails(), st.integers(0, 10**9), st.integers(0, 10**9), st.uuids(), st.uuids())
def test_failures_of_one_cause_share_a_fingerprint_whatever_they_name(ann, bob, one, other, here, there):
    def told(email, number, correlation):
        return failure(f'Email "{email}" is invalid (contact {number}, correlation {correlation})')

    assert fingerprint("crm", "contacts", told(ann, one, here)) == fingerprint(
        "crm", "contacts", told(bob, other, there)
    )


def test_fingerprints_tell_causes_places_and_fields_apart():
    seen = {
        fingerprint("crm", "contacts", failure("bad")),
        fingerprint("crm2", "contacts", failure("bad")),
        fingerprint("crm", "deals", failure("bad")),
        fingerprint("crm", "contacts", failure("bad", code="OTHER")),
        fingerprint("crm", "contacts", failure("worse")),
        fingerprint("crm", "contacts", failure("bad", fields=("email",))),
    }
    assert len(seen) == 6
    assert all(re.fullmatch(r"[0-9a-f]{12}", one) for one in seen)


@given(st.permutations(["email", "phone", "company"]))
def test_the_order_of_named_fields_does_not_matter(fields):
    wanted = fingerprint("crm", "contacts", failure("x", fields=("company", "email", "phone")))
    assert fingerprint("crm", "contacts", failure("another message", fields=tuple(fields))) == wanted


def test_a_fingerprint_never_changes_between_releases():
    assert fingerprint("crm", "contacts", failure("Property values were not valid")) == "f56f9aec29d2"


@given(st.text())
def test_a_normalised_message_is_short_and_normalising_it_again_changes_nothing(message):
    once = normalised_message(message)
    assert len(once) <= 300
    assert normalised_message(once) == once


def test_a_change_gets_its_number_from_the_store():
    change = Change("crm", "contacts", "1", ChangeKind.HINT, Channel.WEBHOOK, "k", received_at=1)
    assert change.with_id(7).id == 7
    assert change.id == 0


def test_the_urgent_lane_has_the_lower_number():
    assert sorted([Lane.BULK, Lane.LIVE, Lane.OPERATOR, Lane.SCHEDULED]) == list(Lane)
