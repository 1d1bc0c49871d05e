import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.sanitise import LONGEST, clean, fit, is_clean

HOSTILE = [
    "\x1b]0;owned\x07", "\x1b]52;c;ZXZpbA==\x1b\\", "\x9b31m", "\x7f", "\x00", "a\rb", "\u202eevil", "\u2066x\u2069", "a\u200bb",
    "\ud800", "\ufeff", "\x85", "\u2028", "\xad", "ㅤ", "\U000e0041",
]  # fmt: skip


@pytest.mark.parametrize("raw", HOSTILE)
def test_characters_that_terminals_obey_become_visible(raw: str) -> None:
    shown = clean(raw)
    assert not _dangerous(shown)
    assert not is_clean(raw)
    assert cell_len(shown) > 0


def test_control_pictures_and_code_points_are_named() -> None:
    assert clean("a\x1b[31m\x7f") == "a␛[31m␡"
    assert clean("\x9b\u202e") == "⟨009B⟩⟨202E⟩"


def test_plain_text_of_any_language_stays_as_it_is() -> None:
    for text in ("Ada", "Zoë Müller-Lüdenscheidt", "山田太郎", "محمد", "नमस्ते", "[bold]not markup[/]"):
        assert clean(text) == text


def test_line_feeds_stay_only_where_lines_are_wanted() -> None:
    assert clean("a\nb") == "a␊b"
    assert clean("a\nb", multiline=True) == "a\nb"


def test_stacks_of_combining_marks_are_cut() -> None:
    shown = clean("e" + "́" * 50 + "x")
    assert shown.count("́") == 2
    assert shown.endswith("⟨marks⟩x")


def test_a_mark_at_the_start_does_not_sit_on_its_neighbour() -> None:
    assert clean("́a") == "◌́a"


def test_ten_megabytes_on_one_line_are_counted_and_not_shown() -> None:
    shown = clean("x" * 10_000_000)
    assert len(shown) < LONGEST + 100
    assert "+9,980,000 characters" in shown


def test_wide_letters_are_cut_at_cells_and_not_at_letters() -> None:
    assert fit("山田太郎", 5) == "山田…"
    assert cell_len(clean("山" * 50, width=10)) <= 10
    assert clean("abc", width=0) == ""


@given(st.text(st.characters(), max_size=200), st.integers(0, 40))
def test_nothing_dangerous_leaves_and_the_width_is_kept(raw: str, width: int) -> None:
    shown = clean(raw, width=width)
    assert not _dangerous(shown)
    assert cell_len(shown) <= width


@given(st.text(st.characters(), max_size=100))
def test_cleaning_twice_changes_nothing(raw: str) -> None:
    assert clean(clean(raw)) == clean(raw)


def _dangerous(text: str) -> list[str]:
    return [x for x in text if unicodedata.category(x) in {"Cc", "Cs", "Cf", "Zl", "Zp"}]
