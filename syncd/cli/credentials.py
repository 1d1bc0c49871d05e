"""``syncd credentials``: secrets go in by prompt or standard input, and never come out."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from syncd.cli.output import ENVIRONMENT, FAILED, FINE, USAGE, CommandError, Report, show, table
from syncd.config import Configuration, load
from syncd.config.problems import meant
from syncd.config.secrets import SecretNeed, secret_needs
from syncd.credentials import CredentialError, Credentials, open_credentials, write_seal_key
from syncd.runtime.secret import Secret

T = TypeVar("T")
MAX_CHARACTERS = 65_536


def _asked(configuration: Configuration, work: Callable[[Credentials], Awaitable[T]]) -> T:
    async def body() -> T:
        return await work(open_credentials(configuration.credentials))

    return asyncio.run(body())


def _need(configuration: Configuration, account: str, name: str) -> SecretNeed:
    """What the configuration says of the secret. Raises :class:`CommandError` for one it does not know."""
    needs = secret_needs(configuration)
    accounts = dict.fromkeys(one.account for one in needs)
    if account not in accounts:
        raise CommandError(f"no connection or event source is called {account!r}{meant(account, accounts)}", USAGE,
                           code="usage")  # fmt: skip
    found = next((one for one in needs if (one.account, one.name) == (account, name)), None)
    if found is None:
        names = [one.name for one in needs if one.account == account]
        raise CommandError(f"{account} has no secret {name!r}{meant(name, names)}", USAGE, code="usage")
    return found


def set_secret(path: Path | None, account: str, name: str, *, as_json: bool) -> int:
    configuration = load(path)
    need = _need(configuration, account, name)
    secret = _read(need)
    backend = _asked(configuration, lambda credentials: credentials.set(account, name, secret))
    summary = f"{account}.{name} is stored in {backend}"
    return show(Report("credentials set", summary, {"account": account, "name": name, "backend": backend}),
                as_json=as_json)  # fmt: skip


def _read(need: SecretNeed) -> Secret:
    """From a prompt without echo, or all of standard input when it is no terminal."""
    if sys.stdin.isatty():
        text = getpass.getpass(f"{need.account}.{need.name} ({need.purpose}): ")
    else:
        text = sys.stdin.read(MAX_CHARACTERS + 1).rstrip("\r\n")
    if len(text) > MAX_CHARACTERS:
        raise CommandError("standard input is too long for a secret", USAGE, code="usage")
    if not text.strip():
        raise CommandError("nothing was given; the secret stays as it was", USAGE, code="usage")
    if text != text.strip() or any(not one.isprintable() for one in text):
        raise CommandError(
            "the secret has spaces at its ends or control characters in it, which is hardly meant; not stored",
            USAGE,
            code="usage",
        )
    return Secret(text)


def list_secrets(path: Path | None, *, as_json: bool) -> int:
    configuration = load(path)

    async def work(credentials: Credentials) -> tuple[list[dict[str, object]], list[tuple[str, bool, str]]]:
        rows = [await _located(credentials, need) for need in secret_needs(configuration)]
        return rows, await credentials.survey()

    rows, backends = _asked(configuration, work)
    cells = [["SECRET", "STATE", "WHERE", "PURPOSE"]]
    cells += [[f"{row['account']}.{row['name']}", str(row["state"]), str(row["where"]), str(row["purpose"])]
              for row in rows]  # fmt: skip
    lines = [*table(cells), "", *table([["BACKEND", "USABLE", ""], *_backend_rows(backends)])]
    missing = sum(row["state"] in {"missing", "error"} for row in rows)
    result = {
        "secrets": rows,
        "backends": [{"name": name, "usable": usable, "detail": detail} for name, usable, detail in backends],
    }
    summary = f"{len(rows)} secrets, {missing} missing"
    return show(Report("credentials list", summary, result, lines), as_json=as_json)


def _backend_rows(backends: Sequence[tuple[str, bool, str]]) -> list[list[str]]:
    return [[name, "yes" if usable else "no", detail] for name, usable, detail in backends]


async def _located(credentials: Credentials, need: SecretNeed) -> dict[str, object]:
    row: dict[str, object] = {"account": need.account, "name": need.name, "purpose": need.purpose,
                              "needed": need.needed}  # fmt: skip
    try:
        where, secret = await credentials.locate(need.account, need.name)
    except CredentialError as error:
        return {**row, "state": "error", "where": str(error)}
    state = "set" if secret is not None else "missing" if need.needed else "not set"
    return {**row, "state": state, "where": where}


def test_secrets(path: Path | None, accounts: Sequence[str], *, as_json: bool) -> int:
    """Read every secret that is needed, then let the systems sign in with theirs."""
    from syncd.cli.check import examine
    from syncd.systems.contract import Severity

    configuration = load(path)
    known = dict.fromkeys(one.account for one in secret_needs(configuration))
    for account in accounts:
        if account not in known:
            raise CommandError(f"no connection or event source is called {account!r}{meant(account, known)}", USAGE,
                               code="usage")  # fmt: skip

    async def work(credentials: Credentials) -> tuple[list[str], bool]:
        lines, fine = [], True
        for need in secret_needs(configuration):
            if accounts and need.account not in accounts:
                continue
            row = await _located(credentials, need)
            if row["state"] == "not set":
                continue
            fine = fine and row["state"] == "set"
            lines.append(f"{need.account}.{need.name}: {row['state']} {row['where']}".rstrip())
        chosen = [one for name, one in configuration.connections.items() if not accounts or name in accounts]
        # Without mappings a system looks at nothing but its sign-in.
        found = await examine(configuration, chosen, lambda system, _: system.check(()), credentials, 30.0)
        for one in found:
            fine = fine and one.severity is not Severity.ERROR
            lines.append(f"{one.subject}: {one.severity.value}: {' '.join(one.message.split())}")
        return lines, fine

    lines, fine = _asked(configuration, work)
    summary = "every secret is there and accepted" if fine else "some secrets are missing or refused"
    error = None if fine else {"code": "credentials", "messages": lines}
    return show(
        Report("credentials test", summary, {"lines": lines}, lines, FINE if fine else ENVIRONMENT, error),
        as_json=as_json,
    )


def delete_secret(path: Path | None, account: str, name: str, *, as_json: bool) -> int:
    configuration = load(path)
    _need(configuration, account, name)
    removed = _asked(configuration, lambda credentials: credentials.delete(account, name))
    if not removed:
        raise CommandError(f"{account}.{name} is in no store that syncd writes to", FAILED, code="not-found")
    summary = f"{account}.{name} is deleted from {', '.join(removed)}"
    return show(Report("credentials delete", summary, {"account": account, "name": name, "backends": removed}),
                as_json=as_json)  # fmt: skip


def make_seal_key(path: Path | None, target: Path | None, *, as_json: bool) -> int:
    """Without a path, where the configuration expects it."""
    if target is None:
        named = load(path).credentials.seal_key_file
        if not named:
            raise CommandError(
                "the configuration names no credentials.seal_key_file; give the path of the key", USAGE, code="usage"
            )
        target = Path(named)
    write_seal_key(target.expanduser())
    summary = f"a new seal key is in {target}; keep it apart from backups of the state folder"
    return show(Report("credentials seal-key", summary, {"path": str(target)}), as_json=as_json)
