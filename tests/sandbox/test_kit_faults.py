"""The ``--faults`` text and the dice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.sandbox.faults import PRESETS, RATES, FaultPlan, FaultsError, VendorFaults, parse


def test_nothing_and_none_disturb_nothing() -> None:
    assert parse("").common == parse("none").common == FaultPlan()


def test_a_preset_can_be_adjusted_and_narrowed_to_a_vendor() -> None:
    spec = parse("storm, latency=0.1, hubspot.throttle=0.5, outage=crm")
    assert spec.plan("commercetools").latency == 0.1
    assert spec.plan("commercetools").throttle == PRESETS["storm"].throttle
    assert spec.plan("hubspot").throttle == 0.5
    assert spec.outages == {"crm"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hurricane", "no preset 'hurricane'"),
        ("thottle=0.1", "did you mean 'throttle'"),
        ("zzz=0.1", "expected one of"),
        ("throttle=often", "not a number"),
        ("throttle=2", "expected 0 to 1"),
        ("latency=-1", "expected 0 to 60"),
    ],
)
def test_a_text_that_makes_no_sense_is_refused_with_the_word_and_what_was_expected(text: str, words: str) -> None:
    with pytest.raises(FaultsError, match=words):
        parse(text)


@given(st.sampled_from(RATES[1:]), st.floats(0, 1))
def test_every_rate_can_be_set(name: str, rate: float) -> None:
    assert getattr(parse(f"{name}={rate!r}").common, name) == rate


@given(st.integers(0, 1000))
def test_the_same_seed_meets_the_same_fates(seed: int) -> None:
    runs = [VendorFaults("shop", seed, PRESETS["storm"]) for _ in range(2)]
    fates = [[(f.next_request(), f.next_webhook(), f.next_bump()) for _ in range(50)] for f in runs]
    assert fates[0] == fates[1]


def test_fates_come_about_as_often_as_asked_and_one_rate_does_not_move_another() -> None:
    few, more = FaultPlan(throttle=0.2), FaultPlan(throttle=0.2, fail_after=0.3, latency=1)
    kinds = [
        [one.next_request().kind for one in [VendorFaults("v", 3, plan)] for _ in range(5000)] for plan in (few, more)
    ]
    assert 0.18 < kinds[0].count("throttle") / 5000 < 0.22
    assert 0.27 < kinds[1].count("fail_after") / 5000 < 0.33
    assert [kind == "throttle" for kind in kinds[0]] == [kind == "throttle" for kind in kinds[1]]
