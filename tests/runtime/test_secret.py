"""A secret shows itself to nobody who does not ask by name."""

import copy
import json
import pickle
import traceback
from dataclasses import dataclass

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.runtime.secret import Secret

CANARY = "pat-eu1-canary-5f0c"


@dataclass
class Holder:
    token: Secret


def test_every_way_of_showing_it_shows_stars():
    secret = Secret(CANARY)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>20}",
        repr(Holder(secret)),
        repr([secret]),
    ]
    assert all("***" in one and "canary" not in one for one in shown)
    assert f"{secret:>6}" == "   ***"


def test_revealing_gives_the_text():
    assert Secret(CANARY).reveal() == CANARY


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(json.dumps, id="json"),
        pytest.param(orjson.dumps, id="orjson"),
        pytest.param(msgspec.json.encode, id="msgspec"),
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(lambda one: "token " + one, id="concatenation"),
        pytest.param(hash, id="hash"),
    ],
)
def test_it_refuses_to_be_written_by_accident(leak):
    with pytest.raises(TypeError) as caught:
        leak(Secret(CANARY))
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_only_text_can_be_a_secret():
    with pytest.raises(TypeError):
        Secret(b"bytes")  # type: ignore[arg-type]


def test_copies_are_the_same_secret():
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy(Holder(secret)).token == secret


def test_an_empty_secret_is_false():
    assert not Secret("")
    assert Secret("x")


@given(st.text(), st.text())
def test_two_secrets_are_equal_exactly_when_their_texts_are(one, other):
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) != one
