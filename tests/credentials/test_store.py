"""The one door to secrets: the order, the refusals, the limits, and that nothing is ever shown."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import traceback

import keyring
import pytest

from syncd.credentials import (
    BackendRefusedError,
    CredentialError,
    MissingSecretError,
    ReadOnlyError,
    TamperedError,
    UnavailableError,
    open_credentials,
    write_seal_key,
)
from syncd.credentials.backends import KeyringStore, variable
from syncd.credentials.store import Credentials
from syncd.runtime.secret import Secret
from tests.credentials.helpers import (
    AS_ROOT,
    CANARY,
    KEY,
    Decent,
    DecentOs,
    Locked,
    PlaintextKeyring,
    Settings,
    Talkative,
    key_file,
    private,
    sealed,
)

HERE = "tests.credentials.helpers"


async def test_a_secret_is_stored_found_cached_and_deleted(tmp_path):
    credentials = open_credentials(sealed(tmp_path), environ={})
    assert credentials.cached("crm", "access_token") is None
    assert await credentials.set("crm", "access_token", Secret(CANARY)) == "sealed"
    assert (await credentials.get("crm", "access_token")).reveal() == CANARY
    assert credentials.cached("crm", "access_token") == Secret(CANARY)
    assert await credentials.delete("crm", "access_token") == ("sealed",)
    assert await credentials.find("crm", "access_token") is None
    assert await credentials.delete("crm", "access_token") == ()


async def test_a_second_process_finds_it(tmp_path):
    settings = sealed(tmp_path)
    await open_credentials(settings, environ={}).set("crm", "access_token", Secret(CANARY))
    assert (await open_credentials(settings, environ={}).get("crm", "access_token")).reveal() == CANARY


async def test_a_missing_secret_says_where_it_looked_and_what_to_do(tmp_path):
    settings = Settings(order=("file", "systemd", "sealed"), sealed_dir=str(tmp_path / "s"))
    with pytest.raises(MissingSecretError) as caught:
        await open_credentials(settings, environ={}).get("crm", "access_token")
    told = str(caught.value)
    assert "access_token of crm is not set (looked in: file)" in told
    assert "syncd credentials set crm access_token" in told
    assert "systemd: not started by systemd" in told
    assert "sealed: there is no seal key" in told


async def test_the_order_is_kept(tmp_path):
    folder = tmp_path / "units"
    folder.mkdir()
    private(folder / "crm.access_token", "from systemd\n")
    (folder / "seal-key").write_bytes(KEY)
    mounted = private(tmp_path / "mounted", "from file\n")
    settings = Settings(
        order=("file", "systemd", "sealed"), files={"crm.access_token": mounted}, sealed_dir=str(tmp_path / "sealed"),
        allow_env_secrets=True,
    )  # fmt: skip
    environ = {"CREDENTIALS_DIRECTORY": str(folder), variable("crm", "access_token"): "from environment"}
    credentials = open_credentials(settings, environ=environ)
    await credentials.set("crm", "access_token", Secret("from sealed"))
    assert await credentials.locate("crm", "access_token") == ("file", Secret("from file"))
    without = {**settings.__dict__, "files": {}}
    assert (await open_credentials(Settings(**without), environ=environ).locate("crm", "access_token"))[0] == "systemd"
    (folder / "crm.access_token").unlink()
    assert (await open_credentials(Settings(**without), environ=environ).locate("crm", "access_token"))[0] == "sealed"
    await credentials.delete("crm", "access_token")
    assert await open_credentials(Settings(**without), environ=environ).locate("crm", "access_token") == (
        "env", Secret("from environment"),
    )  # fmt: skip


async def test_the_environment_is_asked_only_when_allowed_and_warned_of():
    environ = {"SYNCD_SECRET_CRM_ACCESS_TOKEN": CANARY}
    shut = open_credentials(Settings(order=("file",)), environ=environ)
    assert await shut.find("crm", "access_token") is None
    assert shut.warnings == ()
    opened = open_credentials(Settings(order=("file",), allow_env_secrets=True), environ=environ)
    assert await opened.get("crm", "access_token") == Secret(CANARY)
    assert "allow_env_secrets is on" in opened.warnings[0]


async def test_a_file_can_be_named_by_the_environment_without_allowance(tmp_path):
    environ = {"SYNCD_SECRET_WEB_SHOP_TOKEN_FILE": private(tmp_path / "t", "tok\n")}
    assert await open_credentials(Settings(), environ=environ).get("web-shop", "token") == Secret("tok")


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o644, 0o660])
async def test_a_mounted_secret_that_others_can_read_is_refused(tmp_path, mode):
    path = private(tmp_path / "t", CANARY, mode)
    with pytest.raises(UnavailableError, match=f"mode {mode:04o}.*chmod 0400") as caught:
        await open_credentials(Settings(files={"crm.t": path}), environ={}).get("crm", "t")
    assert CANARY not in str(caught.value)


@pytest.mark.skipif(not AS_ROOT, reason="only root can give a file away")
async def test_a_mounted_secret_of_another_user_is_refused(tmp_path):
    path = private(tmp_path / "t", CANARY)
    os.chown(path, 12345, 12345)
    with pytest.raises(UnavailableError, match="belongs to user 12345"):
        await open_credentials(Settings(files={"crm.t": path}), environ={}).get("crm", "t")


async def test_a_named_file_that_is_missing_or_odd_is_an_error_and_no_reason_to_look_elsewhere(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o400)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o400)
    files = {"a.x": str(tmp_path / "none"), "b.x": str(tmp_path), "c.x": str(fifo), "d.x": str(binary)}
    credentials = open_credentials(
        Settings(order=("file",), files=files, allow_env_secrets=True), environ={"SYNCD_SECRET_A_X": CANARY}
    )
    for account, rule in (("a", "no such file"), ("b", "not a regular file"), ("c", "not a regular file"),
                          ("d", "not UTF-8")):  # fmt: skip
        with pytest.raises(CredentialError, match=rule):
            await credentials.get(account, "x")


async def test_an_empty_secret_is_an_error(tmp_path):
    files = {"crm.t": private(tmp_path / "t", "\n")}
    with pytest.raises(UnavailableError, match=r"crm\.t in file is empty"):
        await open_credentials(Settings(files=files), environ={}).get("crm", "t")
    with pytest.raises(UnavailableError, match="empty"):
        await open_credentials(sealed(tmp_path), environ={}).set("crm", "t", Secret(""))


# --- keyrings -------------------------------------------------------------------------------------------------------


async def test_an_os_keyring_is_used_when_it_is_fit(monkeypatch):
    backend = DecentOs()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    credentials = open_credentials(Settings(order=("keyring",)), environ={})
    assert await credentials.set("crm", "t", Secret(CANARY)) == "keyring"
    assert backend.kept == {("syncd/crm", "t"): CANARY}
    assert await credentials.get("crm", "t") == Secret(CANARY)


async def test_plaintext_is_never_a_way_out(monkeypatch, tmp_path):
    backend = PlaintextKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    credentials = open_credentials(Settings(sealed_dir=str(tmp_path / "s")), environ={})
    with pytest.raises(ReadOnlyError, match=r"no backend here can store a secret safely.*plain text.*seal key"):
        await credentials.set("crm", "t", Secret(CANARY))
    with pytest.raises(MissingSecretError, match="plain text"):
        await credentials.get("crm", "t")
    assert backend.kept == {}
    assert not (tmp_path / "s").exists()


def test_a_named_plaintext_keyring_stops_the_start():
    with pytest.raises(BackendRefusedError, match="plain text"):
        open_credentials(Settings(keyring_class=f"{HERE}.PlaintextKeyring"), environ={})


async def test_a_locked_keyring_is_told(monkeypatch):
    credentials = open_credentials(Settings(order=("keyring",), keyring_class=f"{HERE}.Locked"), environ={})
    with pytest.raises(UnavailableError, match="KeyringLocked; unlock it"):
        await credentials.get("crm", "t")
    assert isinstance(credentials.backends[0].backend(), Locked)


async def test_the_sealed_store_comes_before_the_os_keyring(monkeypatch, tmp_path):
    backend = DecentOs()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    settings = Settings(seal_key_file=key_file(tmp_path), sealed_dir=str(tmp_path / "s"))
    assert await open_credentials(settings, environ={}).set("crm", "t", Secret(CANARY)) == "sealed"
    assert backend.kept == {}


async def test_a_damaged_entry_is_an_error_and_no_reason_to_look_elsewhere(tmp_path):
    settings = Settings(
        order=("sealed",), seal_key_file=key_file(tmp_path), sealed_dir=str(tmp_path / "s"), allow_env_secrets=True
    )
    environ = {"SYNCD_SECRET_CRM_T": "older"}
    await open_credentials(settings, environ=environ).set("crm", "t", Secret(CANARY))
    path = tmp_path / "s" / "crm.t.sealed"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TamperedError):
        await open_credentials(settings, environ=environ).get("crm", "t")


async def test_a_backend_that_hangs_is_given_up_and_holds_up_nothing(tmp_path):
    release = threading.Event()

    class Hangs(Decent):
        def get_password(self, service, username):
            release.wait(30)

    credentials = Credentials([KeyringStore("keyring", Hangs)], absent={}, timeout_seconds=0.05)
    with pytest.raises(UnavailableError, match=r"reading crm\.t took longer than 0\.05 s"):
        await credentials.get("crm", "t")
    assert all(one.daemon for one in threading.enumerate() if one.name == "credentials")
    release.set()


async def test_the_event_loop_goes_on_while_a_backend_thinks():
    thinking, go_on = threading.Event(), threading.Event()

    class Slow(Decent):
        def get_password(self, service, username):
            thinking.set()
            go_on.wait(5)
            return CANARY

    credentials = Credentials([KeyringStore("keyring", Slow)], absent={}, timeout_seconds=5)
    reading = asyncio.create_task(credentials.get("crm", "t"))
    await asyncio.to_thread(thinking.wait, 5)
    go_on.set()
    assert await reading == Secret(CANARY)


# --- the seal key ---------------------------------------------------------------------------------------------------


def test_a_seal_key_is_made_once_and_for_its_owner_only(tmp_path):
    path = tmp_path / "keys" / "seal.key"
    write_seal_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    before = path.read_bytes()
    with pytest.raises(CredentialError, match="exists already"):
        write_seal_key(path)
    assert path.read_bytes() == before
    open_credentials(Settings(order=("sealed",), seal_key_file=str(path), sealed_dir=str(tmp_path / "s")), environ={})


def test_a_seal_key_that_is_missing_open_or_no_key_stops_the_start(tmp_path):
    def settings(path: object) -> Settings:
        return Settings(order=("sealed",), seal_key_file=str(path), sealed_dir=str(tmp_path / "s"))

    with pytest.raises(UnavailableError, match="syncd credentials seal-key"):
        open_credentials(settings(tmp_path / "none"), environ={})
    with pytest.raises(UnavailableError, match="mode 0644"):
        open_credentials(settings(private(tmp_path / "open", "x", 0o644)), environ={})
    with pytest.raises(TamperedError, match="no seal key"):
        open_credentials(settings(private(tmp_path / "bad", "x")), environ={})


def test_the_key_of_the_unit_wins(tmp_path):
    (tmp_path / "seal-key").write_bytes(b"x" * 5)
    settings = Settings(order=("sealed",), seal_key_file=key_file(tmp_path), sealed_dir=str(tmp_path / "s"))
    with pytest.raises(TamperedError, match="systemd credential seal-key"):
        open_credentials(settings, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})


# --- nothing shows --------------------------------------------------------------------------------------------------


async def test_no_failure_repeats_a_secret(tmp_path):
    told = []
    talkative = open_credentials(Settings(order=("keyring",), keyring_class=f"{HERE}.Talkative"), environ={})
    assert isinstance(talkative.backends[0].backend(), Talkative)
    readable = private(tmp_path / "t", CANARY, 0o644)
    mounted = open_credentials(Settings(order=("file",), files={"crm.t": readable}), environ={})
    for work in (
        talkative.set("crm", "t", Secret(CANARY)), talkative.get("crm", "t"), talkative.delete("crm", "t"),
        mounted.get("crm", "t"), mounted.set("crm", "t", Secret(CANARY)),
    ):  # fmt: skip
        with pytest.raises(CredentialError) as caught:
            await work
        told += [str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value))]
    assert all(CANARY not in one for one in told)


async def test_nothing_shows_a_secret_it_holds(tmp_path):
    credentials = open_credentials(sealed(tmp_path, allow_env_secrets=True), environ={"SYNCD_SECRET_CRM_T": CANARY})
    await credentials.get("crm", "t")
    shown = [repr(credentials), repr(credentials.__dict__), str(await credentials.survey()), repr(credentials.backends)]
    assert all(CANARY not in one for one in shown)


async def test_the_survey_says_what_each_backend_is(tmp_path, monkeypatch):
    monkeypatch.setattr(keyring, "get_keyring", PlaintextKeyring)
    settings = Settings(seal_key_file=key_file(tmp_path), sealed_dir=str(tmp_path / "s"))
    lines = await open_credentials(settings, environ={}).survey()
    assert [(name, usable) for name, usable, _ in lines] == [
        ("file", True), ("sealed", True), ("keyring", False), ("systemd", False),
    ]  # fmt: skip
    assert f"sealed store in {tmp_path / 's'}" in lines[1][2]
    assert "plain text" in lines[2][2]
