"""Ids: 15 characters, 18 characters, and what goes from one to the other."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from syncd.sandbox.salesforce.ids import IdMaker, checksum, normal

SHORT = st.text(alphabet=string.ascii_letters + string.digits, min_size=15, max_size=15)


@given(SHORT)
def test_both_forms_are_the_same_id_and_the_long_one_survives_losing_case(short: str) -> None:
    long = normal(short)
    assert len(long) == 18
    assert long[:15] == short
    assert normal(long) == normal(long.lower()) == normal(long.upper()) == long


@given(st.text(max_size=20).filter(lambda text: len(text) not in {15, 18}))
def test_text_of_another_length_is_no_id(text: str) -> None:
    assert normal(text) == ""


def test_the_checksum_is_the_vendors() -> None:
    assert checksum("001A0000006Vm9r") == "IAC"
    assert checksum("0015000000Gv7qJ") == "AAR"


def test_new_ids_differ_and_ascend() -> None:
    maker = IdMaker()
    ids = [maker.new("003") for _ in range(100)]
    assert ids == sorted(set(ids))
    assert all(one.startswith("003") and normal(one) == one for one in ids)
