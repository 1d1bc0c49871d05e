"""Whatever stands in the file: a configuration, or a ConfigurationError. Nothing else, and no secret in it."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config import Configuration, ConfigurationError, loads
from syncd.config.lines import key_lines
from tests.config.helpers import ENVIRON

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text()
FULL = "\n".join(line.removeprefix("# ") if " = " in line or "[[" in line else line for line in EXAMPLE.splitlines())
LINES = [line for line in FULL.splitlines() if line.strip() and not line.startswith("#")]
CANARY = "hunter2-correct-horse"

values = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12), st.just(CANARY),
        st.sampled_from(["crm", "shop", "customer", "contacts", "30m", "both", "choice", "${HOME}", "${X", "text"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


def test_the_file_to_be_mutated_is_whole():
    assert tomllib.loads(FULL).keys() >= {"connections", "entities", "mappings", "credentials"}


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(str(key))} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(one if (one.isalnum() and one.isascii()) or one in "${}-:._" else f"\\u{ord(one):04X}"
                             for one in value if ord(one) < 0x10000 and not 0xD800 <= ord(one) < 0xE000) + '"'  # fmt: skip
    return repr(value)


def refusal(text: str) -> ConfigurationError | None:
    """What is wrong with a configuration; nothing else may come out of reading it."""
    try:
        configuration = loads(text, environ=ENVIRON)
    except ConfigurationError as error:
        return error
    assert isinstance(configuration, Configuration)
    return None


def reads(text: str) -> None:
    error = refusal(text)
    if error is not None:
        assert error.problems
        assert all("\n" not in str(one) for one in error.problems)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(LINES) - 1), values)
def test_any_value_at_any_key(place, value):
    lines = list(LINES)
    key, equals, _ = lines[place].partition("=")
    lines[place] = f"{key}= {toml(value)}" if equals else f"{lines[place]}\nx = {toml(value)}"
    reads("\n".join(lines))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, len(LINES) - 1), min_size=1, max_size=4), st.booleans())
def test_lines_missing_or_doubled(places, double):
    lines = list(LINES)
    for place in places:
        lines[place] = f"{lines[place]}\n{lines[place]}" if double else ""
    reads("\n".join(lines))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(FULL)), st.integers(0, 6), st.text(max_size=6))
def test_characters_changed_anywhere(place, gone, put):
    reads(FULL[:place] + put + FULL[place + gone :])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["connections", "entities", "mappings", "log", "intake", "credentials"]), values)
def test_any_section_of_any_shape(name, value):
    with contextlib.suppress(tomllib.TOMLDecodeError):
        reads(f"{name} = {toml(value)}")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_lines_are_found_in_any_text(text):
    key_lines(text)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["access_token", "client_secret", "password", "api_key", "signing_secret"]))
def test_a_secret_is_never_repeated(name):
    for where in ("[connections.crm]\n", "[log]\n", "[intake.sources.web]\n", ""):
        error = refusal(f'{where}{name} = "{CANARY}"\n')
        assert error is not None
        assert CANARY not in f"{error} {error!r} {error.problems!r}"
