"""Where a configuration comes from, and what wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.config import ConfigurationError, load, load_with_source
from syncd.config.models import CommercetoolsSettings, HubspotSettings
from tests.config.helpers import BASE, ENVIRON, only, problems, read


def test_two_connections_are_enough():
    configuration = read()
    assert list(configuration.connections) == ["shop", "crm"]
    shop, crm = configuration.connections.values()
    assert isinstance(shop, CommercetoolsSettings)
    assert isinstance(crm, HubspotSettings)
    assert (shop.side, crm.side) == ("commerce", "crm")
    assert shop.api_url == "https://api.europe-west1.gcp.commercetools.com"
    assert shop.auth_url == "https://auth.europe-west1.gcp.commercetools.com"
    assert configuration.carts.idle == 1800
    assert configuration.state_dir == Path("/var/lib/syncd")
    assert configuration.database == Path("/var/lib/syncd/syncd.db")
    assert configuration.side("crm") == ("crm",)


def test_flag_wins_over_environment_over_file_over_default(tmp_path):
    file = tmp_path / "syncd.toml"
    file.write_text(BASE + '[log]\nlevel = "warning"\n[state]\ndir = "/from/file"\n')
    environ = {**ENVIRON, "SYNCD_LOG_LEVEL": "error", "SYNCD_STATE_DIR": "/from/environment"}
    assert load(file, environ=ENVIRON).log.level == "warning"
    assert load(file, environ=environ).log.level == "error"
    flagged = load(file, environ=environ, flags={("log", "level"): "debug"})
    assert flagged.log.level == "debug"
    assert flagged.log.format == "auto"
    assert flagged.state_dir == Path("/from/environment")


def test_a_bad_value_from_outside_the_file_names_its_origin(tmp_path):
    file = tmp_path / "syncd.toml"
    file.write_text(BASE)
    with pytest.raises(ConfigurationError) as caught:
        load(file, environ={**ENVIRON, "SYNCD_INTAKE_PORT": "http"}, flags={("log", "level"): "loud"})
    told = str(caught.value)
    assert "environment variable SYNCD_INTAKE_PORT: intake.port: must be a whole number" in told
    assert "flag --log-level: log.level: must be one of: debug" in told


def test_the_file_is_found_by_environment_then_in_the_usual_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own" / "syncd" / "syncd.toml"
    own.parent.mkdir(parents=True)
    own.write_text(BASE)
    environ = {**ENVIRON, "XDG_CONFIG_HOME": str(tmp_path / "own")}
    assert load(environ=environ).path == own
    (tmp_path / "syncd.toml").write_text(BASE)
    assert load(environ=environ).path == Path("syncd.toml")
    named = tmp_path / "named.toml"
    named.write_text(BASE)
    assert load(environ={**environ, "SYNCD_CONFIG": str(named)}).path == named


def test_no_file_at_all_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"no configuration file; looked for syncd\.toml.*syncd init"):
        load(environ={"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("body", "rule"),
    [(b"\xff\xfe", "not UTF-8"), (b"[a", "not valid TOML"), (b"x = " + b"[" * 5000, "nests too deeply|not valid"),
     (b"#" * (5 * 1024 * 1024), "larger than 4 MiB"), (b"", "needs at least one connection")],
    ids=["bytes", "syntax", "depth", "size", "empty"],
)  # fmt: skip
def test_what_is_no_configuration_is_refused_in_one_line(tmp_path, body, rule):
    file = tmp_path / "syncd.toml"
    file.write_bytes(body)
    with pytest.raises(ConfigurationError, match=rule) as caught:
        load(file, environ=ENVIRON)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file"):
        load(tmp_path / "none.toml", environ=ENVIRON)
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load(tmp_path, environ=ENVIRON)
    with pytest.raises(ConfigurationError, match=r"not a usable path|no such file"):
        load("a\0b", environ=ENVIRON)


def test_a_syntax_error_has_its_line_and_quotes_nothing(tmp_path):
    file = tmp_path / "syncd.toml"
    file.write_text("[connections.crm]\naccess_token = pat-eu1-hunter2\n")
    with pytest.raises(ConfigurationError) as caught:
        load(file, environ=ENVIRON)
    assert f"{file}:2: is not valid TOML" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_windows_line_ends_and_a_byte_order_mark_are_taken(tmp_path):
    file = tmp_path / "syncd.toml"
    file.write_bytes(b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
    assert load(file, environ=ENVIRON).connections


def test_references_to_the_environment_are_filled_in():
    text = '[intake]\nport = "${PORT}"\nhost = "${HOST:-0.0.0.0}"\npublic_url = "https://${NAME}.example.com"\n'
    intake = read(text, environ={**ENVIRON, "PORT": "9000", "NAME": "sync"}).intake
    assert (intake.port, intake.host, intake.public_url) == (9000, "0.0.0.0", "https://sync.example.com")


def test_a_missing_variable_is_named_and_its_value_never_shown():
    text = '[intake]\nhost = "${NOWHERE}"\n[log]\nlevel = "${LEVEL}"\n'
    found = problems(text, environ={**ENVIRON, "LEVEL": "hunter2"})
    assert any("environment variable NOWHERE is not set" in one for one in found)
    assert not any("hunter2" in one for one in found)
    assert any("(given: '${LEVEL}')" in one for one in found)


def test_secrets_do_not_come_by_reference():
    found = problems('[log]\nformat = "${HUBSPOT_TOKEN}"\n', environ={**ENVIRON, "HUBSPOT_TOKEN": "hunter2"})
    assert any("secrets do not come through ${HUBSPOT_TOKEN}" in one for one in found)
    assert not any("hunter2" in one for one in found)


def test_a_doubled_dollar_is_a_dollar():
    text = '[[mappings]]\nconnection = "crm"\nobject = "deals"\nconstants.note = "$${x}"\n'
    mapping = next(one for one in read(text).mappings if one.object == "deals")
    assert mapping.constants["note"] == "${x}"


def test_the_control_socket_goes_where_the_runtime_folder_is():
    assert read(environ={**ENVIRON, "RUNTIME_DIRECTORY": "/run/syncd"}).socket == Path("/run/syncd/control.sock")
    own = {**ENVIRON, "XDG_RUNTIME_DIR": "/run/user/1000"}
    assert read(environ=own).socket == Path("/run/user/1000/syncd/control.sock")
    assert read().socket == Path("/var/lib/syncd/control.sock")
    assert read(environ={**ENVIRON, "SYNCD_SOCKET": "/tmp/s"}).socket == Path("/tmp/s")


def test_a_socket_path_that_no_kernel_takes_is_refused():
    assert "103 bytes" in only(f'[control]\nsocket = "/{"x" * 120}"\n')


def test_the_webhook_address_follows_the_public_url():
    crm = read('[intake]\npublic_url = "https://sync.example.com/"\n').connections["crm"]
    assert isinstance(crm, HubspotSettings)
    assert crm.webhook_url == "https://sync.example.com/v1/webhooks/crm"


def test_every_origin_is_known(tmp_path):
    file = tmp_path / "syncd.toml"
    file.write_text(BASE)
    source = load_with_source(file, environ={**ENVIRON, "SYNCD_LOG_LEVEL": "debug"}).source
    assert source.origin(("connections", "shop", "project")) == f"{file}:4"
    assert source.origin(("log", "level")) == "environment variable SYNCD_LOG_LEVEL"
    assert source.origin(("log", "format")) == ""
