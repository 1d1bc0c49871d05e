"""``syncd init``: a commented configuration for the systems chosen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from syncd.cli.output import USAGE, CommandError, Report, say, show
from syncd.config.models import SYSTEMS
from syncd.config.problems import meant
from syncd.config.rules import NAME

DEFAULT: Final = ("shop=commercetools", "crm=hubspot")
_NAMES: Final = {"commerce": "shop", "crm": "crm"}

_HEAD: Final = """\
# The configuration of syncd. Everything left out has its default: see docs/configuration.md, or what
# `syncd config show` prints. No secrets here: `syncd credentials list` tells which ones are needed.
"""

_BLOCKS: Final[Mapping[str, str]] = {
    "commercetools": """\
[connections.{name}]
system = "commercetools"
project = "my-project"           # the project key
region = "europe-west1.gcp"      # us-central1.gcp, us-east-2.aws, europe-west1.gcp, eu-central-1.aws, ...
client_id = "change-me"          # of an API client made for syncd alone: its writes are recognised by it
# Its secret: syncd credentials set {name} client_secret
""",
    "hubspot": """\
[connections.{name}]
system = "hubspot"
# auth = "token"                 # a service key or private app token: syncd credentials set {name} access_token
# portal_id = 12345678           # refuses webhooks of other accounts
# Webhooks need an app and an address that HubSpot can reach (intake.public_url below); its secret:
# syncd credentials set {name} client_secret
# Without them HubSpot is polled.
""",
}

_TAIL: Final = """\
[carts]
idle = "30m"                     # a cart untouched for so long counts as abandoned

[intake]
host = "127.0.0.1"
port = 8741
# public_url = "https://sync.example.com"    # how the internet reaches the intake, for webhooks

# Events that the shop posts to /v1/events, so that carts and customers arrive at once:
# [intake.sources.storefront]
# auth = "signature"             # Standard Webhooks: syncd credentials set storefront signing_secret

# What differs from the standard mappings, for example a stage of your own pipeline:
# [[mappings]]
# connection = "crm"
# object = "deals"
# fields.stage.lens.table.ordered = "closedwon"
"""

_NEXT: Final = (
    "next: edit it, then `syncd credentials list`, `syncd credentials set <connection> <name>`, `syncd check`, "
    "`syncd provision`, `syncd start`"
)


def template(systems: Sequence[str]) -> str:
    """The file's text for ``name=system`` or ``system`` words. Raises :class:`CommandError`."""
    blocks: dict[str, str] = {}
    for word in systems or DEFAULT:
        name, equals, system = word.rpartition("=")
        if system not in _BLOCKS:
            raise CommandError(f"{system!r} is no system syncd speaks to{meant(system, SYSTEMS)}", USAGE, code="usage")
        name = name if equals else _unused(_NAMES[SYSTEMS[system].SIDE], blocks)
        if not NAME.fullmatch(name) or name in blocks:
            raise CommandError(f"{name!r} cannot be the name of a connection, or is taken", USAGE, code="usage")
        blocks[name] = _BLOCKS[system].format(name=name)
    return "\n".join([_HEAD, *blocks.values(), _TAIL])


def _unused(name: str, taken: Mapping[str, str]) -> str:
    return next(one for one in (name, *(f"{name}{number}" for number in range(2, 100))) if one not in taken)


def write_configuration(systems: Sequence[str], path: Path, *, force: bool, as_json: bool) -> int:
    """Write the file, never over an existing one unless told to; the exit code."""
    text = template(systems)
    if str(path) == "-":
        say(text.rstrip("\n"))
        return 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = os.O_TRUNC if force else os.O_EXCL
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | mode, 0o644)
    except FileExistsError:
        raise CommandError(f"{path} exists already; name another with --output, or use --force", USAGE,
                           code="exists") from None  # fmt: skip
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return show(Report("init", f"wrote {path}", {"path": str(path)}, (), 0), as_json=as_json) or _hint(as_json=as_json)


def _hint(*, as_json: bool) -> int:
    if not as_json:
        say(_NEXT)
    return 0
