"""The command line: exit codes, one-line errors, one envelope, and secrets that only go in."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.cli import main
from syncd.cli.app import run
from tests.config.helpers import BASE

CANARY = "hunter2-correct-horse-battery"
HEAVY = (
    "aiosqlite", "apscheduler", "cryptography", "httpx", "hubspot", "keyring", "msgspec", "orjson",
    "prometheus_client", "rich", "simple_salesforce", "starlette", "structlog", "textual", "uvicorn", "uvloop",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """A home of its own, no configuration lying about, and nothing of the surroundings."""
    for name in [one for one in os.environ if one.startswith("SYNCD_")]:
        monkeypatch.delenv(name)
    for name in ("CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with a sealed store."""
    path = tmp_path / "syncd.toml"
    path.write_text(BASE + f'[credentials]\norder = ["sealed"]\nseal_key_file = "{tmp_path}/seal.key"\n')
    assert main(["credentials", "seal-key"]) == 0
    return path


def stdin(monkeypatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.parametrize("words", [["version"], ["--help"], ["check", "--help"], ["--version"]])
def test_small_commands_load_nothing_heavy(words):
    script = (
        "import sys; from syncd.cli import main; code = main(sys.argv[1:]); "
        f"found = [one for one in {HEAVY!r} if one in sys.modules]; "
        "sys.stderr.write(','.join(found)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "syncd" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [(["chek"], "No such command 'chek'"), (["check", "--bad"], "No such option"), (["demo", "--seconds", "x"], "--seconds"),
     (["credentials", "set"], "Missing argument"), (["credentials", "bad"], "No such command"),
     (["demo", "--seconds", "0"], "--seconds must be above 0"), (["demo", "--orders", "none.csv"], "there is no file"),
     (["init", "salesfarce"], "no system syncd speaks to"), (["check"], "no configuration file; looked for"),
     (["check", "-c", "none.toml"], "none.toml: there is no such file"), (["start", "-c", "none.toml"], "no such file")],
)  # fmt: skip
def test_bad_usage_is_one_line_and_two(words, told, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_no_words_show_the_help(capsys):
    assert main([]) == 2
    assert "Exit codes: 0 fine" in capsys.readouterr().out


def test_version_as_json_is_the_one_envelope(capsys):
    assert main(["version", "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert list(shape) == ["command", "ok", "summary", "result", "error"]
    assert shape["ok"] is True
    assert shape["result"].keys() == {"syncd", "python", "sqlite"}


def test_init_writes_a_file_that_check_accepts_and_never_over_another(tmp_path, capsys):
    assert main(["init"]) == 0
    assert main(["check", "--offline"]) == 0
    before = Path("syncd.toml").read_text()
    assert main(["init"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert Path("syncd.toml").read_text() == before
    assert main(["init", "eu=commercetools", "us=commercetools", "hubspot", "--output", "other.toml"]) == 0
    assert main(["check", "--offline", "--config", "other.toml"]) == 0
    assert main(["init", "--output", "-"]) == 0
    assert "[connections.shop]" in capsys.readouterr().out
    assert main(["init", "a=hubspot", "a=hubspot", "--force"]) == 2


def test_every_problem_of_the_configuration_is_told_and_the_code_is_two(tmp_path, capsys):
    Path("syncd.toml").write_text(BASE + '[intake]\nport = 99999\nhots = "x"\n')
    assert main(["check"]) == 2
    err = capsys.readouterr().err
    assert "syncd.toml:11: intake.port: must be a whole number" in err
    assert "syncd.toml:12: intake.hots: unknown key; did you mean host?" in err
    assert main(["check", "--json"]) == 2
    shape = json.loads(capsys.readouterr().out)
    assert shape["error"]["code"] == "configuration"
    assert len(shape["error"]["messages"]) == 2


def test_debug_shows_the_traceback(capsys):
    assert run(["check", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_told_in_one_line_without_its_words(monkeypatch, capsys):
    from syncd.cli import version

    def broken(**_: object) -> int:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(version, "show_version", broken)
    assert main(["version"]) == 1
    err = capsys.readouterr().err
    assert "internal error: RuntimeError in test_cli.py" in err
    assert CANARY not in err
    assert err.count("\n") == 1


def test_config_show_names_the_origin_of_every_value(config, monkeypatch, capsys):
    monkeypatch.setenv("SYNCD_LOG_LEVEL", "debug")
    assert main(["config", "show", "--json"]) == 0
    values = {one["key"]: one for one in json.loads(capsys.readouterr().out)["result"]["values"]}
    assert values["log.level"]["origin"] == "environment variable SYNCD_LOG_LEVEL"
    assert values["connections.shop.project"]["origin"].endswith("syncd.toml:4")
    assert main(["config", "show"]) == 0
    assert 'log.level = "debug"  # environment' in capsys.readouterr().out


# --- credentials ----------------------------------------------------------------------------------------------------


def test_a_secret_goes_in_by_standard_input_and_never_comes_out(config, monkeypatch, capsys, tmp_path):
    stdin(monkeypatch, CANARY + "\n")
    assert main(["credentials", "set", "crm", "access_token"]) == 0
    assert main(["credentials", "list"]) == 0
    assert main(["credentials", "list", "--json"]) == 0
    assert main(["config", "show"]) == 0
    out, err = capsys.readouterr()
    assert "crm.access_token is stored in sealed" in out
    assert CANARY not in out + err
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()
    assert main(["credentials", "delete", "crm", "access_token"]) == 0
    assert main(["credentials", "delete", "crm", "access_token"]) == 1


@pytest.mark.parametrize("text", ["", "\n", "  \n", " padded\n", "two\nlines\n", "bell\a\n", "x" * 70_000])
def test_what_is_hardly_a_secret_is_not_stored(config, monkeypatch, capsys, text):
    stdin(monkeypatch, text)
    assert main(["credentials", "set", "crm", "access_token"]) == 2
    assert main(["credentials", "delete", "crm", "access_token"]) == 1
    assert text.strip() not in capsys.readouterr().err or not text.strip()


def test_a_prompt_does_not_echo(config, monkeypatch, capsys):
    asked = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or CANARY)
    assert main(["credentials", "set", "crm", "access_token"]) == 0
    assert asked[0].startswith("crm.access_token (service key")
    assert CANARY not in capsys.readouterr().out


def test_unknown_accounts_and_secrets_are_told_with_a_suggestion(config, capsys):
    assert main(["credentials", "set", "crmm", "access_token"]) == 2
    assert "did you mean crm?" in capsys.readouterr().err
    assert main(["credentials", "set", "crm", "acces_token"]) == 2
    assert "did you mean access_token?" in capsys.readouterr().err


def test_a_secret_is_never_taken_from_the_command_line(config, capsys):
    assert main(["credentials", "set", "crm", "access_token", CANARY]) == 2
    assert "unexpected extra argument" in capsys.readouterr().err


def test_nowhere_to_store_is_three(tmp_path, monkeypatch, capsys):
    Path("syncd.toml").write_text(BASE + '[credentials]\norder = ["file", "sealed"]\n')
    stdin(monkeypatch, CANARY)
    assert main(["credentials", "set", "crm", "access_token"]) == 3
    err = capsys.readouterr().err
    assert "no backend here can store a secret safely (sealed: there is no seal key" in err
    assert err.count("\n") == 1


def test_damaged_secrets_are_told_and_three(config, monkeypatch, capsys, tmp_path):
    stdin(monkeypatch, CANARY)
    assert main(["credentials", "set", "crm", "access_token"]) == 0
    path = tmp_path / "state" / "syncd" / "credentials" / "crm.access_token.sealed"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert main(["check"]) == 3
    out = capsys.readouterr().out
    assert "crm.access_token: the sealed secret crm.access_token does not open" in out


# --- check ----------------------------------------------------------------------------------------------------------


def test_check_tells_which_secrets_are_missing_and_how_to_set_them(config, capsys):
    assert main(["check", "--json"]) == 3
    shape = json.loads(capsys.readouterr().out)
    missing = [one for one in shape["result"]["findings"] if one["code"] == "credential-missing"]
    assert [(one["subject"], one["remedy"]) for one in missing] == [
        ("shop.client_secret", "syncd credentials set shop client_secret"),
        ("crm.access_token", "syncd credentials set crm access_token"),
    ]
    assert shape["ok"] is False
    assert shape["error"]["code"] == "credential-missing"


def test_check_of_an_unknown_connection_is_usage(config, capsys):
    assert main(["check", "shp"]) == 2
    assert "did you mean shop?" in capsys.readouterr().err


def test_check_with_vendors_that_are_down_is_three_and_never_hangs(tmp_path, monkeypatch, capsys):
    dead = BASE.replace(
        'region = "europe-west1.gcp"', 'api_url = "http://127.0.0.1:9"\nauth_url = "http://127.0.0.1:9"'
    )
    dead += 'base_url = "http://127.0.0.1:9"\n[credentials]\norder = ["file"]\n'
    Path("syncd.toml").write_text(dead)
    for account, name in (("SHOP", "CLIENT_SECRET"), ("CRM", "ACCESS_TOKEN")):
        path = tmp_path / account
        path.write_text(CANARY)
        path.chmod(0o400)
        monkeypatch.setenv(f"SYNCD_SECRET_{account}_{name}_FILE", str(path))
    assert main(["check", "--timeout", "10"]) == 3
    out, err = capsys.readouterr()
    assert "ERROR    shop" in out
    assert "ERROR    crm" in out
    assert CANARY not in out + err
    assert "Traceback" not in out + err


def test_output_is_plain_and_free_of_control_characters(config, capsys):
    assert main(["check", "--offline"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert main(["check", "a\x1b[31mb"]) == 2
    assert "\x1b" not in capsys.readouterr().err
