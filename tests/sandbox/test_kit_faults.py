"""The ``--faults`` text and the dice."""

from __future__ import annotations

import importlib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.runtime.clock import ManualClock
from syncd.sandbox.command import simulator
from syncd.sandbox.deeds import DEEDS
from syncd.sandbox.faults import PRESETS, RATES, VENDORS, FaultPlan, FaultsError, VendorFaults, parse
from syncd.sandbox.server import Sandbox
from syncd.sandbox.vendor import ActError


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


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_reads_exactly_the_settings_that_are_said_to_be_its_own(vendor: str) -> None:
    folder = Path(str(importlib.import_module(f"syncd.sandbox.{vendor}").__file__)).parent
    code = "\n".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    reads = {"version_bump": "next_bump", "conflict": "next_conflict", "webhook_duplicate": "next_webhook",
             "webhook_drop": "next_webhook", "webhook_reorder": "fate.reorder"}  # fmt: skip
    for one in fields(FaultPlan):
        if one.name in {"latency", "expire_token", *_KIT}:
            continue
        read = f"plan.{one.name}" in code or reads.get(one.name, f"plan.{one.name}") in code
        assert read is (vendor in one.metadata["vendors"]), one.name


_KIT = ("throttle", "fail_before", "fail_after", "drop_after", "truncate", "html")


async def test_every_common_word_leads_to_a_deed_the_vendor_knows_and_every_deed_has_a_vendor() -> None:
    box = Sandbox(clock=ManualClock())
    vendors = [box.add(simulator(name)) for name in VENDORS]
    for vendor in vendors:
        assert set(vendor.words) <= set(DEEDS)
        for word in vendor.words:
            complaints = []
            try:
                await vendor.do({"op": word})
            except (ActError, KeyError) as error:  # the rest of the deed is lacking
                complaints.append(str(error))
            assert "knows no" not in "".join(complaints)
        with pytest.raises(ActError, match="knows no 'levitate'"):
            await vendor.do({"op": "levitate"})
    assert {word for vendor in vendors for word in vendor.words} == set(DEEDS)
