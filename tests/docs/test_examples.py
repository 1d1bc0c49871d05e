"""Examples in the documents are run, as far as they can be without the vendors."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from console.cli import app as syncctl
from syncd.cli.app import app as syncd
from tests.docs.pages import Example, examples, pages, prose

APPS = {"syncd": syncd, "syncctl": syncctl}
EXAMPLES = [one for page in pages() for one in examples(page)]
INLINE = re.compile(r"`((?:syncd|syncctl) [^`]+)`")


def lines() -> Iterator[tuple[str, str]]:
    """Every ``syncd`` or ``syncctl`` command line that a page shows, with its place."""
    for one in EXAMPLES:
        if one.language in {"", "console", "bash", "sh"}:
            body = one.body.replace("\\\n", " ")
            for raw in body.splitlines():
                line = re.sub(r"\s+(#|   ).*$", "", raw.strip().removeprefix("$ "))
                yield from ((str(one), part.strip()) for part in re.split(r"&&|\|", line) if part.strip())
    for page in pages():
        if page.name not in {"modules.md", "CHANGELOG.md"}:
            yield from ((page.name, line) for line in INLINE.findall(prose(page)))


COMMANDS = sorted(
    {(place, line) for place, line in lines() if line.split()[0] in APPS and not re.search(r"[<…[]", line)}
)


@pytest.mark.parametrize(("place", "line"), COMMANDS, ids=[f"{place} {line}" for place, line in COMMANDS])
def test_every_command_line_that_a_page_shows_has_a_verb_and_options_that_exist(place: str, line: str) -> None:
    name, *arguments = shlex.split(line)
    command = get_command(APPS[name])
    allowed = flags(command) | {"--help", "-h", "--debug"}
    while children := getattr(command, "commands", None):
        verb = next((one for one in arguments if one in children), None)
        if verb is None:
            words = [one for one in arguments if not one.startswith("-")]
            assert not words or command.invoke_without_command, f"{place}: {name} has no {words[0]}"
            break
        arguments, command = arguments[arguments.index(verb) + 1 :], children[verb]
        allowed |= flags(command)
    used = {one.split("=")[0] for one in shlex.split(line)[1:] if re.match(r"-{1,2}[a-z]", one)}
    assert used <= allowed, f"{place}: {line}"


def flags(command: Any) -> set[str]:
    return {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.language in {"json", "toml"}], ids=str)
def test_every_json_and_toml_example_is_well_formed(example: Example) -> None:
    if example.language == "toml":
        tomllib.loads(example.body)
        return
    json.loads(example.body.replace("...", ""))


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.language == "python"], ids=str)
def test_every_python_example_compiles(example: Example) -> None:
    compile(example.body, str(example), "exec")


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.language.startswith("python run")], ids=str)
def test_every_python_example_marked_runnable_runs(example: Example) -> None:
    exec(compile(example.body, str(example), "exec"), {"__name__": "__example__"})


def test_commands_were_found_at_all() -> None:
    assert len(COMMANDS) > 25
