"""Whoever follows a link arrives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, name, pages, prose, text

LINK = re.compile(r"\]\(([^)\s]+)\)")
TEST = re.compile(r"`(test_\w+)`")
FILE = re.compile(r"`((?:syncd|console|tests|bench|docs|packaging)/[\w./-]+?)/?`")


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert not [path for path in FILE.findall(prose(page)) if not (ROOT / path).exists()]


def test_every_test_that_proves_a_capability_exists() -> None:
    there = {
        found
        for path in (ROOT / "tests").rglob("test_*.py")
        for found in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert not set(TEST.findall(text("docs/capabilities.md"))) - there


def test_the_drawing_of_the_road_names_files_that_exist() -> None:
    drawing = text("README.md").split("## The road of a change", 1)[1].split("##", 1)[0]
    whole = re.findall(r"((?:syncd|console)/[\w/]+\.py)", drawing)
    assert len(whole) > 8
    assert not [path for path in whole if not (ROOT / path).exists()]
    bare = set(re.findall(r"(?<![\w/])(\w+\.py)", drawing))
    assert bare <= {path.name for path in (ROOT / "syncd").rglob("*.py")}
