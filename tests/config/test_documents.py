"""The example and the reference say what the models say."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.config import load_with_source, loads
from syncd.config.connections import WINDOWS
from syncd.config.describe import describe_effective
from syncd.config.documents import EntityDocument, MappingDocument
from syncd.config.lenses import NAMES
from syncd.config.load import SECTIONS
from syncd.config.models import SYSTEMS
from syncd.config.sections import keys_of, nested
from syncd.config.source import ENVIRONMENT
from tests.config.helpers import BASE, ENVIRON

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"
REFERENCE = (ROOT / "docs" / "configuration.md").read_text()


def keys(section: type) -> Iterator[str]:
    for name, info in keys_of(section).items():
        yield name
        inner, _ = nested(info.kind)
        if inner is not None:
            yield from keys(inner)


EVERY = {
    **dict(SECTIONS.items()),
    **{f"connections.{name}": kind for name, kind in SYSTEMS.items()},
    "entities": EntityDocument,
    "mappings": MappingDocument,
}


@pytest.mark.parametrize(("place", "section"), EVERY.items(), ids=EVERY)
def test_the_reference_names_every_key(place, section):
    for key in keys(section):
        assert re.search(rf"`(?:[a-z_<>]+\.)?{key}(?:`|\.| =|<)", REFERENCE), f"{place}: {key} is not in the reference"


def test_the_reference_names_every_variable_lens_and_window():
    for word in (*ENVIRONMENT, *NAMES, *(window for windows in WINDOWS.values() for window in windows)):
        assert f"`{word}`" in REFERENCE, word


def test_every_example_in_the_reference_is_valid():
    blocks = re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL)
    assert blocks
    for block in blocks:
        assert loads(block, environ=ENVIRON).mappings


def test_the_example_is_valid():
    configuration = load_with_source(EXAMPLE, environ=ENVIRON).configuration
    assert len(configuration.mappings) == 6
    assert configuration.intake.sources["storefront"].connection == "shop"


@pytest.mark.parametrize("name", SECTIONS)
def test_the_example_shows_every_default(name):
    written = tomllib.loads(EXAMPLE.read_text())[name]
    parsed = getattr(loads(EXAMPLE.read_text(), environ=ENVIRON), name, None)
    section = SECTIONS[name]
    assert written.keys() == keys_of(section).keys()
    for key, info in keys_of(section).items():
        if parsed is not None and key not in {"sources", "sealed_dir"}:
            assert getattr(parsed, key) == info.default, f"{name}.{key}"


def test_the_example_shows_every_key_of_connections():
    text = EXAMPLE.read_text()
    for section in SYSTEMS.values():
        for key in keys(section):
            assert re.search(rf"^#? ?(?:[\w.]+\.)?{key} = |\[connections\.\w+\.{key}\]", text, re.MULTILINE), key


def test_what_is_commented_out_in_the_example_is_valid_too():
    lines = [re.sub(r"^# (?=\[\[?|[a-z_.]+ = |\")", "", line) for line in EXAMPLE.read_text().splitlines()]
    text = "\n".join(lines).replace("[credentials.files]", "[credentials.files]")
    configuration = loads(text.replace('public_url = ""', 'public_url = "https://sync.example.com"'), environ=ENVIRON)
    assert "crm.orders" not in {one.name for one in configuration.mappings}
    assert "vip" in configuration.entities["customer"].fields
    assert configuration.credentials.files == {"crm.access_token": "/run/secrets/hubspot_token"}


def test_the_effective_configuration_names_every_key_and_its_origin(tmp_path):
    file = tmp_path / "syncd.toml"
    file.write_text(
        BASE + '[intake.sources.web]\nauth = "token"\n[[mappings]]\nconnection = "crm"\nobject = "deals"\n'
        'fields.stage.lens.table.ordered = "won"\n[entities.customer]\nfields.vip = "boolean"\n'
    )
    lines = describe_effective(load_with_source(file, environ={**ENVIRON, "SYNCD_LOG_LEVEL": "debug"}))
    found: dict[str, Any] = {one.key: (one.value, one.origin) for one in lines}
    assert found["log.level"] == ('"debug"', "environment variable SYNCD_LOG_LEVEL")
    assert found["carts.idle"] == ('"30m"', "default")
    assert found["connections.shop.project"] == ('"acme"', f"{file}:4")
    assert found["intake.sources.web.auth"] == ('"token"', f"{file}:11")
    assert found["entities.customer.fields.email"][1] == "standard"
    assert found["entities.customer.fields.vip"][1] == f"{file}:17"
    assert found["mappings[crm.deals].fields.stage"][1] == f"{file}:15"
    assert 'ordered = "won"' in found["mappings[crm.deals].fields.stage"][0]
    assert found["mappings[crm.deals].fields.email"][1] == "standard"
    for name, section in SECTIONS.items():
        for one in dataclasses.fields(section):
            assert any(key == f"{name}.{one.name}" or key.startswith(f"{name}.{one.name}.") for key in found)
