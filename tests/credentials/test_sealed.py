"""The sealed store: what was written comes back, and nothing else ever does."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import keyring
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keyring.errors import PasswordDeleteError

from syncd.credentials import TamperedError, UnavailableError
from syncd.credentials import files as private_files
from syncd.credentials.seal import SealKey, generation_of
from syncd.credentials.sealed import SealedKeyring
from tests.credentials.helpers import CANARY, KEY


@pytest.fixture
def store(tmp_path: Path) -> SealedKeyring:
    return SealedKeyring(tmp_path / "sealed", SealKey(KEY))


def entry(store: SealedKeyring) -> Path:
    (found,) = store.folder.glob("*.sealed")
    return found


def test_a_secret_comes_back_and_leaves_no_trace_in_the_folder(store):
    assert store.get_password("crm", "access_token") is None
    store.set_password("crm", "access_token", CANARY)
    assert store.get_password("crm", "access_token") == CANARY
    assert all(CANARY.encode() not in path.read_bytes() for path in store.folder.iterdir())
    assert store.entries() == [("crm", "access_token")]
    store.delete_password("crm", "access_token")
    assert store.get_password("crm", "access_token") is None
    with pytest.raises(PasswordDeleteError):
        store.delete_password("crm", "access_token")


def test_folder_and_files_are_private_whatever_the_umask(store):
    before = os.umask(0)
    try:
        store.set_password("crm", "access_token", CANARY)
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in store.folder.iterdir()} == {0o600}


def test_every_single_flipped_bit_is_refused(store):
    store.set_password("crm", "access_token", "tok")
    path = entry(store)
    whole = path.read_bytes()
    for place in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(TamperedError, match=r"crm\.access_token .*syncd credentials set crm access_token"):
            SealKey(KEY).open("crm", "access_token", bytes(changed))
    path.write_bytes(changed)
    with pytest.raises(TamperedError):
        store.get_password("crm", "access_token")


@given(st.integers(0, 60), st.binary(max_size=40))
def test_what_is_cut_or_replaced_is_refused(length, tail):
    whole = SealKey(KEY).seal("crm", "access_token", 1, "tok")
    changed = whole[:length] + tail
    if changed != whole:
        with pytest.raises(TamperedError):
            SealKey(KEY).open("crm", "access_token", changed)


def test_an_entry_is_bound_to_its_account_and_name(store):
    store.set_password("crm", "access_token", CANARY)
    for other in ("crm.client_secret.sealed", "shop.access_token.sealed"):
        shutil.copy(entry(store) if other.startswith("crm") else store.folder / "crm.access_token.sealed",
                    store.folder / other)  # fmt: skip
    for account, name in (("crm", "client_secret"), ("shop", "access_token")):
        with pytest.raises(TamperedError):
            store.get_password(account, name)


@settings(max_examples=50)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_two_names_share_an_entry(one, two, three, four):
    sealed = SealKey(KEY).seal(one, two, 1, "tok")
    if (one, two) == (three, four):
        assert SealKey(KEY).open(three, four, sealed) == "tok"
    else:
        with pytest.raises(TamperedError):
            SealKey(KEY).open(three, four, sealed)


@settings(max_examples=30)
@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_text_survives_sealing(text):
    key = SealKey.new()
    assert key.open("a", "b", key.seal("a", "b", 7, text)) == text


def test_the_generation_rises_and_the_same_secret_never_looks_the_same(store):
    bodies = []
    for _ in range(3):
        store.set_password("crm", "access_token", CANARY)
        bodies.append(entry(store).read_bytes())
    assert [generation_of(one, "crm", "access_token") for one in bodies] == [1, 2, 3]
    assert len({one[-20:] for one in bodies}) == 3


def test_another_key_opens_nothing(store):
    store.set_password("crm", "access_token", CANARY)
    other = SealedKeyring(store.folder, SealKey.new())
    with pytest.raises(TamperedError, match="sealed with another key") as caught:
        other.get_password("crm", "access_token")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_at_any_step_leaves_the_old_secret_whole(store, monkeypatch, step):
    store.set_password("crm", "access_token", "old")
    monkeypatch.setattr(private_files.os if step == "fsync" else Path, step, _crash)
    with pytest.raises(MemoryError):
        store.set_password("crm", "access_token", "new")
    monkeypatch.undo()
    assert store.get_password("crm", "access_token") == "old"
    store.set_password("crm", "access_token", "newer")
    assert store.get_password("crm", "access_token") == "newer"


def _crash(*_: object) -> None:
    raise MemoryError("the process ends here")


def test_what_a_killed_writer_left_behind_is_no_secret_and_is_swept_up(store):
    store.set_password("crm", "access_token", "old")
    left = store.folder / ".crm.access_token.sealed.99999.new"
    left.write_bytes(b"half")
    assert store.entries() == [("crm", "access_token")]
    store.set_password("crm", "access_token", "new")
    assert not left.exists()


@pytest.mark.faults
def test_a_writer_killed_at_random_leaves_one_of_the_two_secrets(store):
    import random
    import time

    dice = random.Random(7)
    store.set_password("crm", "access_token", "a" * 50)
    for _ in range(12):
        child = os.fork()
        if child == 0:
            while True:
                for letter in "ab":
                    store.set_password("crm", "access_token", letter * 50)
        time.sleep(dice.uniform(0.005, 0.03))
        os.kill(child, 9)
        os.waitpid(child, 0)
        assert store.get_password("crm", "access_token") in {"a" * 50, "b" * 50}


def test_names_from_elsewhere_stay_inside_the_folder(store):
    store.set_password("../../etc", "pass/wd.x", "tok")
    assert store.get_password("../../etc", "pass/wd.x") == "tok"
    assert store.entries() == [("../../etc", "pass/wd.x")]
    assert entry(store).parent == store.folder
    with pytest.raises(UnavailableError, match="names of a secret"):
        store.get_password("a" * 300, "b")


def test_a_folder_that_others_can_open_is_refused(store):
    store.set_password("crm", "access_token", CANARY)
    store.folder.chmod(0o755)
    with pytest.raises(UnavailableError, match=r"mode 0755.*chmod 0700"):
        store.get_password("crm", "access_token")
    with pytest.raises(UnavailableError, match="mode 0755"):
        store.set_password("crm", "access_token", CANARY)


def test_an_entry_that_others_can_read_is_refused(store):
    store.set_password("crm", "access_token", CANARY)
    entry(store).chmod(0o644)
    with pytest.raises(UnavailableError, match=r"mode 0644.*chmod 0400"):
        store.get_password("crm", "access_token")


def test_a_full_disk_is_told_and_keeps_the_old_secret(store, monkeypatch):
    store.set_password("crm", "access_token", "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_files.os, "fsync", full)
    with pytest.raises(UnavailableError, match="No space left"):
        store.set_password("crm", "access_token", "new")
    monkeypatch.undo()
    assert store.get_password("crm", "access_token") == "old"


@pytest.mark.parametrize("text", [KEY, KEY.hex().encode(), b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"])
def test_a_seal_key_may_be_raw_hex_or_base64(text):
    assert SealKey.parse(text, "it").open("a", "b", SealKey(KEY).seal("a", "b", 1, "tok")) == "tok"


@pytest.mark.parametrize("body", [b"", b"short", b"x" * 31, b"x" * 33, b"\xff" * 64, b"zz" * 32, b"====" * 11])
def test_what_is_no_seal_key_is_refused_without_being_shown(body):
    with pytest.raises(TamperedError, match="no seal key") as caught:
        SealKey.parse(body, "the seal key")
    assert "zz" not in str(caught.value)


def test_a_seal_key_shows_nothing():
    assert repr(SealKey(KEY)) == str(SealKey(KEY)) == "SealKey(***)"


def test_the_library_never_chooses_the_sealed_store_by_itself():
    assert SealedKeyring not in set(keyring.backend.KeyringBackend.get_viable_backends())
