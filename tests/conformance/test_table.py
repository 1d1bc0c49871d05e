"""The table of docs/systems.md says what the suite runs, no more and no less."""

from __future__ import annotations

from tests.conformance.table import PAGE, written


def test_the_table_is_current() -> None:
    page = PAGE.read_text("utf-8")
    assert written(page) == page, "make docs"
