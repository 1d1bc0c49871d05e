"""One configuration file as it was written, what the environment adds to it, and the list of what is wrong with it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from syncd.config.lines import Key, dotted, key_lines, line_of
from syncd.config.problems import ConfigurationError, Problem, looks_secret, shown

MAX_BYTES: Final = 4 * 1024 * 1024
_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_NOTHING: Final = object()

ENVIRONMENT: Final[Mapping[str, Key]] = {
    "SYNCD_STATE_DIR": ("state", "dir"),
    "SYNCD_DATABASE": ("state", "database"),
    "SYNCD_SOCKET": ("control", "socket"),
    "SYNCD_LOG_LEVEL": ("log", "level"),
    "SYNCD_LOG_FORMAT": ("log", "format"),
    "SYNCD_INTAKE_HOST": ("intake", "host"),
    "SYNCD_INTAKE_PORT": ("intake", "port"),
    "SYNCD_PUBLIC_URL": ("intake", "public_url"),
    "SYNCD_OPS_HOST": ("ops", "host"),
    "SYNCD_OPS_PORT": ("ops", "port"),
    "SYNCD_SEAL_KEY_FILE": ("credentials", "seal_key_file"),
}
"""Environment variables that stand in for a key of the file, and win over it."""


@dataclass(slots=True)
class Source:
    """The document with references filled in, and where each of its keys came from."""

    file: str
    """As shown in errors."""
    written: Mapping[str, Any]
    """As parsed: references to the environment not filled in."""
    document: dict[str, Any]
    lines: Mapping[Key, int]
    origins: dict[Key, str] = field(default_factory=dict)
    """Keys that do not come from the file: ``flag --log-level``, ``environment SYNCD_LOG_LEVEL``."""
    problems: list[Problem] = field(default_factory=list)
    filled: set[Key] = field(default_factory=set)
    """Keys with references to the environment in them."""

    def add(self, key: Key, rule: str, given: Any = _NOTHING) -> None:
        """Note a problem. The value shown is the one written in the file, unless ``given`` says otherwise."""
        elsewhere = self.origins.get(key)
        value = given
        if elsewhere is None and (given is _NOTHING or self._filled(key)):
            value = _at(self.written, key)
        name = dotted(key)
        self.problems.append(
            Problem(
                key=name,
                rule=rule,
                file=elsewhere or self.file,
                line=None if elsewhere else line_of(self.lines, key),
                given="" if value is _NOTHING else shown(name, value),
            )
        )

    def _filled(self, key: Key) -> bool:
        """Whether what stands there came from the environment, and so is not for showing."""
        return any(one[: len(key)] == key or key[: len(one)] == one for one in self.filled)

    def lacks(self, key: Key, rule: str) -> None:
        """Note that something is missing, unless a problem at or below the key explains why."""
        name = dotted(key)
        if not any(one.key == name or one.key.startswith((f"{name}.", f"{name}[")) for one in self.problems):
            self.add(key, rule)

    def origin(self, key: Key) -> str:
        """Where the value of a key came from; empty when the file does not speak of it."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.origins:
                return self.origins[key[:length]]
        if _at(self.written, key) is _NOTHING:
            return ""
        line = line_of(self.lines, key)
        return f"{self.file}:{line}" if line else self.file


def _at(document: Any, key: Key) -> Any:
    here = document
    for part in key:
        inside = part in here if isinstance(here, dict) else isinstance(here, list) and isinstance(part, int)
        if not inside or (isinstance(here, list) and isinstance(part, int) and part >= len(here)):
            return _NOTHING
        here = here[part]
    return here


def find_file(path: str | Path | None, environ: Mapping[str, str]) -> Path:
    """The file to read: the one given, ``$SYNCD_CONFIG``, or the first that exists of ``./syncd.toml``, the user's
    and the system's. Raises :class:`ConfigurationError` when there is none."""
    if path or environ.get("SYNCD_CONFIG"):
        return Path(path or environ["SYNCD_CONFIG"]).expanduser()
    places = default_places(environ)
    for place in places:
        if place.exists():
            return place
    tried = ", ".join(str(place) for place in places)
    raise ConfigurationError(
        [Problem("", f"no configuration file; looked for {tried}. Run `syncd init`, or name one with --config")]
    )


def default_places(environ: Mapping[str, str]) -> tuple[Path, ...]:
    home = Path(environ.get("HOME") or "~").expanduser()
    own = Path(environ["XDG_CONFIG_HOME"]) if environ.get("XDG_CONFIG_HOME") else home / ".config"
    return (Path("syncd.toml"), own / "syncd" / "syncd.toml", Path("/etc/syncd/syncd.toml"))


def read_text(path: Path) -> str:
    """The file's text. Raises :class:`ConfigurationError`."""

    def refuse(rule: str) -> ConfigurationError:
        return ConfigurationError([Problem("", rule, file=str(path))])

    try:
        if not path.exists():
            raise refuse("there is no such file; run `syncd init` to write one")
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a usable path"
        raise refuse(f"cannot be read: {reason}") from None
    if len(body) > MAX_BYTES:
        raise refuse("is larger than 4 MiB")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"is not UTF-8 text (byte {error.start})") from None


def parse(text: str, file: str, environ: Mapping[str, str], flags: Mapping[Key, str]) -> Source:
    """TOML to a source. Raises :class:`ConfigurationError` when it is no TOML at all."""
    text = text.replace("\r\n", "\n")
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([_syntax(str(error), file)]) from None
    except (RecursionError, ValueError, OverflowError):
        raise ConfigurationError([Problem("", "nests too deeply or holds a number out of range", file=file)]) from None
    source = Source(file, written, {}, key_lines(text))
    source.document = _filled(written, (), source, environ)
    for name, key in ENVIRONMENT.items():
        if environ.get(name):
            _set(source, key, environ[name], f"environment variable {name}")
    for key, value in flags.items():
        _set(source, key, value, f"flag --{'-'.join(str(part) for part in key).replace('_', '-')}")
    return source


def _syntax(message: str, file: str) -> Problem:
    place = re.search(r" \(at line (\d+), column (\d+)\)", message)
    # The parser quotes what it met; a secret could stand there.
    rule = re.sub(r"[:;]? ?['\"].*['\"]", "", message.partition(" (at ")[0], flags=re.DOTALL)
    column = f", column {place[2]}" if place else ""
    return Problem("", f"is not valid TOML: {rule}{column}", file=file, line=int(place[1]) if place else None)


def _set(source: Source, key: Key, value: str, origin: str) -> None:
    table = source.document
    for part in key[:-1]:
        inner = table.setdefault(str(part), {})
        if not isinstance(inner, dict):
            return  # the section is no table; that is reported by itself
        table = inner
    table[str(key[-1])] = value
    source.origins[key] = origin


def _filled(value: Any, key: Key, source: Source, environ: Mapping[str, str]) -> Any:
    """A copy with every ``${VAR}`` and ``${VAR:-default}`` filled in; ``$${`` stands for ``${``."""
    if isinstance(value, dict):
        return {name: _filled(inner, (*key, name), source, environ) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, (*key, place), source, environ) for place, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    if "\0" in value:
        source.add(key, "must not hold a zero character")
        return value.replace("\0", "")
    if "${" not in value:
        return value
    source.filled.add(key)

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        parts = _VARIABLE.fullmatch(match[1])
        if parts is None or not match[0].endswith("}"):
            source.add(key, "refers to the environment as ${NAME} or ${NAME:-default}; write $${ for a plain ${")
            return ""
        if looks_secret(parts[1]):
            source.add(key, f"secrets do not come through ${{{parts[1]}}}; use `syncd credentials set`")
            return ""
        found = environ.get(parts[1]) or parts[2]
        if found is None:
            source.add(key, f"the environment variable {parts[1]} is not set")
            return ""
        return found

    return _REFERENCE.sub(fill, value)
