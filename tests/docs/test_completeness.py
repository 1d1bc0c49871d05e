"""What there is, is in the documents: commands, verbs, exit codes, metrics, routes, settings, words, modules."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

from console.cli import app as syncctl
from console.envelope import ENVIRONMENT, FAILED, FINE, USAGE
from syncd.cli.app import app as syncd
from syncd.config import loads, models
from syncd.control import messages
from syncd.demo.report import compose
from syncd.model.failure import Remedy
from syncd.model.merge import Rule
from syncd.runtime.clock import ManualClock
from syncd.runtime.metrics import Metrics
from tests.docs.pages import ROOT, all_text, text


def verbs(app: typer.Typer) -> Iterator[str]:
    """Every command that is not hidden, as typed."""

    def walk(command: object, path: str) -> Iterator[str]:
        children = getattr(command, "commands", None)
        if not children:
            yield path.strip()
            return
        for name, child in children.items():
            if not child.hidden:
                yield from walk(child, f"{path} {name}")

    yield from walk(get_command(app), "")


def told(page: str, verb: str) -> bool:
    """Named as it is typed, or as a noun with its verbs in one row of a table."""
    words = text(page)
    noun, _, rest = verb.partition(" ")
    if not rest:
        return f"`{noun}`" in words or f" {noun}" in words
    return any(f"`{noun} " in line and re.search(rf"[`\s]{rest}`", line) for line in words.splitlines())


def test_the_readme_names_every_command_of_syncd_and_every_verb_of_syncctl() -> None:
    assert not [verb for verb in (*verbs(syncd), *verbs(syncctl)) if not told("README.md", verb)]


def test_every_exit_code_is_told_where_people_look() -> None:
    assert (FINE, FAILED, USAGE, ENVIRONMENT) == (0, 1, 2, 3)
    for page in ("README.md", "docs/operations.md", "docs/api.md"):
        for code in (FINE, FAILED, USAGE, ENVIRONMENT):
            assert re.search(
                rf"(\| {code} \||\*\*{code}\*\*|\b{code} (fine|the operation|usage|environment))", text(page)
            )


def test_the_operations_page_has_every_metric_with_its_labels_and_no_other() -> None:
    families = {}
    for collector in Metrics(ManualClock()).registry._collector_to_names:
        kind, name = type(collector).__name__, collector._name
        families[f"{name}_total" if kind == "Counter" else name] = set(collector._labelnames)
    rows = dict(re.findall(r"^\| `(syncd_\w+)` \|([^|]*)\|", text("docs/operations.md"), re.MULTILINE))
    assert {
        name: {one.strip() for one in labels.split(",") if one.strip()} for name, labels in rows.items()
    } == families


def test_every_metric_that_a_page_or_an_alert_speaks_of_exists() -> None:
    known = set(Metrics(ManualClock()).registry._names_to_collectors)
    named = set(re.findall(r"\bsyncd_(?!external)\w+", all_text())) - {"syncd_external_id", "syncd_External_Id__c"}
    assert not {name for name in named if name not in known}


def test_the_api_page_has_every_route_of_the_control_api() -> None:
    routes = set(re.findall(r"(GET|POST)\s+(/v1/[\w/{}-]+)", messages.__doc__ or ""))
    assert len(routes) > 15
    page = text("docs/api.md")
    assert not [f"{method} {path}" for method, path in routes if f"`{method} {path}" not in page]


def test_the_configuration_page_has_every_key() -> None:
    page = text("docs/configuration.md")
    sections = [
        one for one in vars(models).values() if dataclasses.is_dataclass(one) and one.__name__.endswith("Settings")
    ]
    keys = {field.name for one in sections for field in dataclasses.fields(one)} - {"name"}
    assert not [key for key in keys if not re.search(rf"`(\w+\.)?{key}(\.<\w+>)?`", page)]


def test_the_example_in_the_readme_is_a_valid_configuration() -> None:
    block = re.search(r"```toml\n(.*?)```", text("README.md"), re.DOTALL)
    assert block is not None
    assert loads(block[1]).connections.keys() == {"shop", "crm"}


def test_the_architecture_page_has_every_rule_of_the_merge_and_every_remedy() -> None:
    page = text("docs/architecture.md")
    assert not [rule for rule in Rule if f"`{rule}`" not in page]
    assert not [remedy for remedy in Remedy if f"| {remedy.name} |" not in page]


def test_the_table_of_the_sandbox_disturbances_is_made_of_the_code() -> None:
    page = text("docs/systems.md")
    assert _maker("make_disturbances").written(page) == page, "run `make docs`"


def test_the_demo_page_has_every_option_and_every_figure() -> None:
    page = text("docs/demo.md")
    options = {flag for parameter in get_command(syncd).commands["demo"].params for flag in parameter.opts}
    assert not {one for one in options if one.startswith("--")} - set(re.findall(r"--\w+", page)) - {"--config"}
    figures = re.findall(r'^        "(\w+)": ', inspect.getsource(compose), re.MULTILINE)
    assert len(figures) > 10
    assert not [figure for figure in figures if f"`{figure}`" not in page]


def _maker(name: str) -> Any:
    """One of the scripts that write parts of the pages."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_every_module_has_its_line() -> None:
    made = _maker("make_modules")
    page, folder, listed = text("docs/modules.md"), "", set()
    for line in page.splitlines():
        if found := re.match(r"## `(.+)/`", line):
            folder = found[1]
        elif found := re.match(r"\| `(\w+\.py)` \|", line):
            listed.add(f"{folder}/{found[1]}")
    assert listed == {str(path.relative_to(ROOT)) for path in made.modules()}, "run `make docs`"


def test_every_target_of_the_makefile_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    public = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert public is not None
    assert not [
        name
        for name in public[1].split()
        if name != "FORCE" and not re.search(rf"^{name}:.*## .+$", makefile, re.MULTILINE)
    ]


def test_the_changelog_speaks_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert version in text("CHANGELOG.md")
