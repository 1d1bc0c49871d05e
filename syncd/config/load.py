"""From a file to a checked :class:`Configuration`. Order: flag, environment, file, default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from syncd.config.connections import read_connections
from syncd.config.entities import read_entities
from syncd.config.lines import Key
from syncd.config.mappings import read_mappings
from syncd.config.models import (
    BigcommerceSettings,
    CartSettings,
    Configuration,
    ConnectionSettings,
    ControlSettings,
    CredentialSettings,
    HubspotSettings,
    IntakeSettings,
    LogSettings,
    OpsSettings,
    RetentionSettings,
    RetrySettings,
    StateSettings,
)
from syncd.config.problems import ConfigurationError, meant
from syncd.config.sections import read_section, unknown_rule
from syncd.config.source import Source, find_file, parse, read_text

T = TypeVar("T")

SECTIONS: Final[Mapping[str, type]] = {
    "state": StateSettings,
    "log": LogSettings,
    "intake": IntakeSettings,
    "ops": OpsSettings,
    "control": ControlSettings,
    "carts": CartSettings,
    "retention": RetentionSettings,
    "retry": RetrySettings,
    "credentials": CredentialSettings,
}
OTHERS: Final = ("connections", "entities", "mappings")
SOCKET_LENGTH: Final = 103
"""The longest path of a Unix socket that every platform takes (macOS: 104 bytes with the final zero)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration with the file it came from, for those who must say where a value stands."""

    configuration: Configuration
    source: Source


def load(
    path: str | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[Key, str] | None = None,
) -> Configuration:
    """The configuration at ``path``, or at the default place.

    ``flags`` are values from the command line by key, such as ``{("log", "level"): "debug"}``. Raises
    :class:`ConfigurationError` with every problem, and nothing else.
    """
    return load_with_source(path, environ=environ, flags=flags).configuration


def load_with_source(
    path: str | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[Key, str] | None = None,
) -> Loaded:
    """As :func:`load`, with the origin of the values."""
    environ = os.environ if environ is None else environ
    found = find_file(path, environ)
    source = parse(read_text(found), str(found), environ, flags or {})
    return Loaded(_configuration(source, environ, found), source)


def loads(text: str, *, environ: Mapping[str, str] | None = None, file: str = "configuration") -> Configuration:
    """As :func:`load`, from a text."""
    environ = os.environ if environ is None else environ
    return _configuration(parse(text, file, environ, {}), environ, None)


def _configuration(source: Source, environ: Mapping[str, str], path: Path | None) -> Configuration:
    known = {**SECTIONS, **dict.fromkeys(OTHERS)}
    for name, value in source.document.items():
        if name not in known:
            source.add((name,), unknown_rule(name, known, ()), value)

    def section(kind: type[T], name: str) -> T:
        return read_section(source, kind, source.document.get(name, {}), (name,))

    connections, names = read_connections(source)
    intake = _intake(source, section(IntakeSettings, "intake"), connections, names)
    connections = {name: _with_webhook(one, intake) for name, one in connections.items()}
    entities = read_entities(source, connections, names)
    mappings = read_mappings(source, connections, names, entities)
    state, control = section(StateSettings, "state"), section(ControlSettings, "control")
    state_dir = _state_dir(state, environ)
    configuration = Configuration(
        path=path,
        state_dir=state_dir,
        database=_absolute(state.database, state_dir),
        socket=_socket(control, state_dir, environ),
        connections=connections,
        entities=entities,
        mappings=mappings,
        intake=intake,
        ops=section(OpsSettings, "ops"),
        carts=section(CartSettings, "carts"),
        retention=section(RetentionSettings, "retention"),
        retry=section(RetrySettings, "retry"),
        log=section(LogSettings, "log"),
        credentials=_credentials(section(CredentialSettings, "credentials"), state_dir),
    )
    _check_whole(source, configuration)
    if source.problems:
        raise ConfigurationError(_in_order(source))
    return configuration


def _in_order(source: Source) -> list[Any]:
    """Problems as they stand in the file, each once."""
    return sorted(dict.fromkeys(source.problems), key=lambda one: (one.line is None, one.line or 0))


def _intake(
    source: Source, intake: IntakeSettings, connections: Mapping[str, ConnectionSettings], names: Mapping[str, Any]
) -> IntakeSettings:
    """The intake with every event source bound to a connection."""
    shops = [name for name, one in connections.items() if one.side == "commerce"]
    bound = {}
    for name, one in intake.sources.items():
        key = ("intake", "sources", name)
        if name in names:
            source.add(key, "a connection has this name already; secrets are kept by name")
        if one.connection and one.connection not in names:
            source.add((*key, "connection"), f"there is no such connection{meant(one.connection, names)}")
        elif not one.connection and len(shops) != 1:
            source.add(key, 'needs connection = "...": the shop it speaks for')
        bound[name] = replace(one, connection=one.connection or (shops[0] if shops else ""))
    return replace(intake, sources=bound)


def _with_webhook(connection: ConnectionSettings, intake: IntakeSettings) -> ConnectionSettings:
    """The connection with the address that its vendor's webhooks are sent to, where there is one."""
    if not isinstance(connection, HubspotSettings | BigcommerceSettings):
        return connection
    if not connection.webhook_url and intake.public_url:
        return replace(connection, webhook_url=f"{intake.public_url}/v1/webhooks/{connection.name}")
    return connection


def _check_whole(source: Source, configuration: Configuration) -> None:
    intake, ops, retry = configuration.intake, configuration.ops, configuration.retry
    if ops.enabled and ops.port and (intake.host, intake.port) == (ops.host, ops.port):
        source.add(("ops", "port"), "is the port of the intake; metrics and the intake need one each", ops.port)
    if retry.cap < retry.base:
        source.add(("retry", "cap"), "must not be shorter than retry.base")
    if len(os.fsencode(configuration.socket)) > SOCKET_LENGTH:
        source.add(
            ("control", "socket"),
            f"the path of a Unix socket may have {SOCKET_LENGTH} bytes at most; name a shorter one",
            str(configuration.socket),
        )
    for name in configuration.credentials.files:
        account, dot, secret = name.partition(".")
        if not (account and dot and secret):
            source.add(("credentials", "files", name), 'must be "<connection or source>.<secret>" = "<path>"', None)


def _state_dir(state: StateSettings, environ: Mapping[str, str]) -> Path:
    if state.dir:
        return _absolute(state.dir)
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0])
    if environ.get("XDG_STATE_HOME"):
        return Path(environ["XDG_STATE_HOME"]) / "syncd"
    return _absolute("~/.local/state/syncd")


def _socket(control: ControlSettings, state_dir: Path, environ: Mapping[str, str]) -> Path:
    if control.socket:
        return _absolute(control.socket)
    if environ.get("RUNTIME_DIRECTORY"):
        return Path(environ["RUNTIME_DIRECTORY"].split(":")[0]) / "control.sock"
    if environ.get("XDG_RUNTIME_DIR"):
        return Path(environ["XDG_RUNTIME_DIR"]) / "syncd" / "control.sock"
    return state_dir / "control.sock"


def _credentials(settings: CredentialSettings, state_dir: Path) -> CredentialSettings:
    return replace(
        settings,
        sealed_dir=str(_absolute(settings.sealed_dir) if settings.sealed_dir else state_dir / "credentials"),
        seal_key_file=str(_absolute(settings.seal_key_file)) if settings.seal_key_file else "",
        files={name: str(_absolute(one)) for name, one in settings.files.items()},
    )


def _absolute(path: str, base: Path | None = None) -> Path:
    try:
        found = Path(path).expanduser()
    except RuntimeError:  # "~nobody": no such user
        found = Path(path)
    return (base or Path.cwd()) / found
