"""``check`` and ``provision`` against the simulated vendors, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.cli import main
from syncd.sandbox.hubspot.simulator import DEFAULT_TOKEN


@pytest.fixture(scope="module")
def vendors() -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "syncd.cli", "sandbox", "--seed", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(10)
    assert process.returncode == 0


@pytest.fixture
def config(vendors, tmp_path: Path, monkeypatch) -> Path:
    for name in [one for one in os.environ if one.startswith("SYNCD_")]:
        monkeypatch.delenv(name)
    secrets = {"shop.client_secret": "syncd-secret", "crm.access_token": DEFAULT_TOKEN}
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o400)
    path = tmp_path / "syncd.toml"
    path.write_text(f"""
[state]
dir = "{tmp_path}/state"
[connections.shop]
system = "commercetools"
project = "demo-shop"
api_url = "{vendors["commercetools"]}"
auth_url = "{vendors["commercetools"]}"
client_id = "syncd"
[connections.crm]
system = "hubspot"
base_url = "{vendors["hubspot"]}"
[credentials]
order = ["file"]
[credentials.files]
{"".join(f'"{name}" = "{tmp_path / name}"' + chr(10) for name in secrets)}
""")
    return path


def findings(capsys, words: list[str]) -> tuple[int, list[dict[str, str]]]:
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)["result"]["findings"]


def test_an_unprepared_account_is_diagnosed_provisioned_and_then_healthy(config, capsys):
    words = ["--config", str(config)]
    code, found = findings(capsys, ["check", *words])
    assert code == 1
    missing = [one for one in found if one["severity"] == "error"]
    assert "crm.contacts.syncd_external_id" in {one["subject"] for one in missing}
    assert all(one["remedy"] for one in missing)
    code, found = findings(capsys, ["provision", *words])
    assert code == 0
    assert not any(one["applied"] for one in found)
    code, found = findings(capsys, ["provision", "--apply", *words])
    assert code == 0, found
    assert any(one["applied"] for one in found)
    code, found = findings(capsys, ["check", *words])
    assert (code, [one for one in found if one["severity"] == "error"]) == (0, [])
    assert main(["credentials", "test", *words]) == 0


def test_a_wrong_secret_is_the_environments_fault_and_not_shown(config, capsys, tmp_path):
    for name in ("shop.client_secret", "crm.access_token"):
        path = tmp_path / name
        path.chmod(0o600)
        path.write_text("hunter2-correct-horse")
    code = main(["check", "--config", str(config)])
    out, err = capsys.readouterr()
    assert code == 3
    assert "ERROR    shop" in out
    assert "ERROR    crm" in out
    assert "hunter2" not in out + err
