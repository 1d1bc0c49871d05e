"""``syncd check`` and ``syncd provision``: every connection looked at, side by side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from syncd.cli.output import ENVIRONMENT, FAILED, FINE, USAGE, CommandError, Report, coloured, show
from syncd.config import Configuration, ConnectionSettings, load
from syncd.config.problems import meant
from syncd.config.secrets import connection_needs, source_needs
from syncd.credentials import CredentialError, Credentials, open_credentials
from syncd.engine.fit import misfits
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.contract import Finding, Severity, System

_ENVIRONMENT: Final = frozenset(
    {
        "unreachable", "timeout", "credential", "credential-missing", "credential-refused", "credential-unavailable",
        "scope-missing", "project-mismatch", "wrong-account", "vendor-refused", "clock-skew", "clock-unknown",
        "budget-spent", "state-dir", "types-unreadable",
    }
)  # fmt: skip
"""Codes of findings that the account or this machine has to mend, rather than the configuration."""

Look = Callable[[System, ConnectionSettings], Awaitable[Sequence[Finding]]]


def check_all(
    path: Path | None, names: Sequence[str], *, offline: bool, strict: bool, timeout: float, as_json: bool
) -> int:
    """The doctor's visit; the exit code."""
    configuration = load(path)
    chosen = _chosen(configuration, names)
    findings = [_configuration(configuration), _state(configuration)]
    if not offline:
        findings += asyncio.run(_check(configuration, chosen, timeout))
    return _conclude("check", findings, strict=strict, as_json=as_json)


def provision_all(path: Path | None, names: Sequence[str], *, apply: bool, timeout: float, as_json: bool) -> int:
    """What is missing in the vendors' accounts, created with ``apply``; the exit code."""
    configuration = load(path)
    chosen = _chosen(configuration, names)

    async def look(system: System, connection: ConnectionSettings) -> Sequence[Finding]:
        return await system.provision(configuration.mappings_of(connection.name), apply=apply)

    async def body() -> list[Finding]:
        return await examine(configuration, chosen, look, open_credentials(configuration.credentials), timeout)

    return _conclude("provision", asyncio.run(body()), strict=False, as_json=as_json)


async def _check(configuration: Configuration, chosen: Sequence[ConnectionSettings], timeout: float) -> list[Finding]:  # noqa: ASYNC109
    credentials = open_credentials(configuration.credentials)

    async def look(system: System, connection: ConnectionSettings) -> Sequence[Finding]:
        mappings = configuration.mappings_of(connection.name)
        return [*misfits(system, mappings), *await system.check(mappings)]

    findings = [
        Finding(Severity.WARNING, "env-secrets", "credentials", warning, "use a file, systemd or the sealed store")
        for warning in credentials.warnings
    ]
    findings += await source_findings(configuration, credentials)
    return findings + await examine(configuration, chosen, look, credentials, timeout)


async def examine(
    configuration: Configuration,
    chosen: Sequence[ConnectionSettings],
    look: Look,
    credentials: Credentials,
    timeout: float,  # noqa: ASYNC109 - one limit for build, look and close together
) -> list[Finding]:
    """What ``look`` finds in every connection, all at once, each within ``timeout`` seconds."""

    async def one(connection: ConnectionSettings) -> Sequence[Finding]:
        try:
            async with asyncio.timeout(timeout):
                return await _examined(configuration, connection, look, credentials)
        except TimeoutError:
            message = f"no conclusion within {timeout:g} s"
            return [Finding(Severity.ERROR, "timeout", connection.name, message, "try again, or raise --timeout")]

    found = await asyncio.gather(*(one(connection) for connection in chosen))
    return [finding for findings in found for finding in findings]


async def _examined(
    configuration: Configuration, connection: ConnectionSettings, look: Look, credentials: Credentials
) -> Sequence[Finding]:
    from syncd.budget import Budget, MemoryKeeper
    from syncd.budget.configured import budget_settings
    from syncd.runtime.log import configure
    from syncd.systems.build import build_system

    secrets, findings = await read_secrets(configuration, connection, credentials)
    if any(one.severity is Severity.ERROR for one in findings):
        return findings
    # The findings are the story; of the log only what is asked for, or worse than it.
    configure(level="debug" if configuration.log.level == "debug" else "error", fmt=configuration.log.format)
    world = World()

    async def keep(name: str, secret: Secret) -> None:
        await credentials.set(connection.name, name, secret)

    budget = Budget.for_system(
        connection.system, connection.name, clock=world.clock, keeper=MemoryKeeper(),
        settings=budget_settings(connection),
    )  # fmt: skip
    await budget.open()
    try:
        system = build_system(connection, secrets, budget, world, keep=keep)
        await system.open()
        try:
            return [*findings, *await look(system, connection)]
        finally:
            await system.close()
    finally:
        await budget.close()


async def read_secrets(
    configuration: Configuration, connection: ConnectionSettings, credentials: Credentials
) -> tuple[dict[str, Secret], list[Finding]]:
    """The secrets of a connection by name, and what is wrong with them."""
    secrets: dict[str, Secret] = {}
    findings: list[Finding] = []
    for need in connection_needs(configuration, connection):
        subject = f"{need.account}.{need.name}"
        remedy = f"syncd credentials set {need.account} {need.name}"
        try:
            found = await credentials.find(need.account, need.name)
        except CredentialError as error:
            findings.append(Finding(Severity.ERROR, "credential-unavailable", subject, str(error), remedy))
            continue
        if found is not None:
            secrets[need.name] = found
        elif need.needed:
            findings.append(
                Finding(Severity.ERROR, "credential-missing", subject, f"is not set: {need.purpose}", remedy)
            )
    return secrets, findings


async def source_findings(configuration: Configuration, credentials: Credentials) -> list[Finding]:
    """Whether the event sources can be recognised."""
    findings = []
    for need in source_needs(configuration):
        subject = f"{need.account}.{need.name}"
        remedy = f"syncd credentials set {need.account} {need.name}"
        try:
            found = await credentials.find(need.account, need.name)
        except CredentialError as error:
            findings.append(Finding(Severity.ERROR, "credential-unavailable", subject, str(error), remedy))
            continue
        if found is not None:
            findings.append(Finding(Severity.OK, "credential", subject, "is set"))
        elif need.needed:
            findings.append(
                Finding(Severity.ERROR, "credential-missing", subject, f"is not set: {need.purpose}", remedy)
            )
    return findings


def _chosen(configuration: Configuration, names: Sequence[str]) -> list[ConnectionSettings]:
    for name in names:
        if name not in configuration.connections:
            raise CommandError(
                f"there is no enabled connection {name!r}{meant(name, configuration.connections)}", USAGE, code="usage"
            )
    return [one for name, one in configuration.connections.items() if not names or name in names]


def _configuration(configuration: Configuration) -> Finding:
    message = (
        f"{len(configuration.connections)} connections, {len(configuration.entities)} entities, "
        f"{len(configuration.mappings)} mappings"
    )
    return Finding(Severity.OK, "configuration", str(configuration.path), message)


def _state(configuration: Configuration) -> Finding:
    """Whether the state folder can be used, without making it."""
    folder = configuration.state_dir
    subject = str(folder)
    if not folder.exists():
        nearest = next(one for one in folder.parents if one.exists())
        if os.access(nearest, os.W_OK):
            return Finding(Severity.OK, "state-dir", subject, "will be made at the first start")
        return Finding(
            Severity.ERROR, "state-dir", subject, f"cannot be made: {nearest} is not ours to write", "set state.dir"
        )
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            Severity.ERROR, "state-dir", subject, "is not a folder we can write to", "set state.dir or its owner"
        )
    mode = folder.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding(
            Severity.WARNING, "state-dir", subject, f"has mode {mode:04o}: others can look in", f"chmod 0700 {folder}"
        )
    return Finding(Severity.OK, "state-dir", subject, "private and writable")


def _conclude(command: str, findings: Sequence[Finding], *, strict: bool, as_json: bool) -> int:
    bad = [one for one in findings if one.severity is Severity.ERROR or (strict and one.severity is Severity.WARNING)]
    warnings = sum(one.severity is Severity.WARNING for one in findings)
    errors = sum(one.severity is Severity.ERROR for one in findings)
    exit_code = max((ENVIRONMENT if one.code in _ENVIRONMENT else FAILED for one in bad), default=FINE)
    applied = sum(one.applied for one in findings)
    summary = f"{command}: {errors} errors, {warnings} warnings, {len(findings)} findings"
    if applied:
        summary += f", {applied} applied"
    result = {
        "findings": [
            {
                "severity": one.severity.value,
                "code": one.code,
                "subject": one.subject,
                "message": one.message,
                "remedy": one.remedy,
                "applied": one.applied,
            }
            for one in findings
        ]
    }
    error = {"code": bad[0].code, "messages": [f"{one.subject}: {one.message}" for one in bad]} if bad else None
    report = Report(command, summary, result, [_line(one) for one in findings], exit_code, error)
    return show(report, as_json=as_json)


def _line(finding: Finding) -> str:
    marks = {
        Severity.OK: coloured("ok     ", "green"),
        Severity.WARNING: coloured("warning", "yellow"),
        Severity.ERROR: coloured("ERROR  ", "red"),
    }
    remedy = f" -> {finding.remedy}" if finding.remedy and finding.severity is not Severity.OK else ""
    message = " ".join(finding.message.split())
    return f"{marks[finding.severity]}  {finding.subject}: {message}{remedy}"
