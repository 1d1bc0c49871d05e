"""The systemd unit agrees with what the program and its documentation say."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "packaging" / "syncd.service").read_text()
DOCS = (ROOT / "docs" / "credentials.md").read_text()


def values(key: str) -> list[str]:
    return re.findall(rf"^#?{key}=(.*)$", UNIT, re.MULTILINE)


def test_it_notifies_restarts_and_does_not_restart_on_bad_configuration():
    assert values("Type") == ["notify"]
    assert values("Restart") == ["on-failure"]
    assert values("RestartPreventExitStatus") == ["2"]
    assert values("StateDirectoryMode") == ["0700"]
    assert values("UMask") == ["0077"]
    assert "start --config /etc/syncd/syncd.toml" in values("ExecStart")[0]


def test_it_is_hardened():
    for line in (
        "DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes", "LimitCORE=0",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallFilter=@system-service",
    ):  # fmt: skip
        assert f"\n{line}\n" in UNIT, line


def test_its_credentials_have_the_names_that_syncd_looks_for():
    names = [one.partition(":")[0] for one in values("LoadCredentialEncrypted")]
    assert names == [
        "seal-key",
        "shop.client_secret",
        "crm.access_token",
        "crm.client_secret",
        "storefront.signing_secret",
    ]
    for name in names:
        assert name == "seal-key" or name.partition(".")[2] in DOCS
    assert not any("Environment=" in line and "SECRET" in line for line in UNIT.splitlines())
