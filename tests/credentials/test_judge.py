"""Which keyrings are let near a secret."""

from __future__ import annotations

import keyring
import pytest
from keyring.backends import fail, null

from syncd.credentials import BackendRefusedError, UnavailableError
from syncd.credentials.judge import detected_backend, named_backend, objection
from tests.credentials.helpers import Chain, Decent, DecentOs, FromAlt, PlaintextKeyring

HERE = "tests.credentials.helpers"


@pytest.mark.parametrize(
    ("backend", "reason"),
    [(null.Keyring(), "forgets"), (fail.Keyring(), "no OS keyring"), (PlaintextKeyring(), "plain text"),
     (FromAlt(), "keyrings.alt"), (Chain(), "no OS keyring")],
)  # fmt: skip
@pytest.mark.parametrize("named", [True, False])
def test_what_would_not_protect_a_secret_is_refused_even_when_named(backend, reason, named):
    assert reason in str(objection(backend, named=named))


def test_a_subclass_does_not_get_around_the_refusal():
    class Renamed(PlaintextKeyring):
        pass

    assert "plain text" in str(objection(Renamed(), named=True))


@pytest.mark.parametrize("bad", [null.Keyring(), PlaintextKeyring(), FromAlt()])
def test_one_bad_member_spoils_the_chain(bad):
    chain = Chain()
    chain.backends = (DecentOs(), bad)
    assert "the chain of keyrings" in str(objection(chain, named=False))
    chain.backends = (DecentOs(),)
    assert objection(chain, named=False) is None


def test_detection_takes_os_keyrings_only_and_names_take_others_too():
    assert objection(DecentOs(), named=False) is None
    assert "no OS keyring" in str(objection(Decent(), named=False))
    assert objection(Decent(), named=True) is None


def test_detection_that_finds_a_plaintext_store_is_refused_with_a_recipe(monkeypatch):
    monkeypatch.setattr(keyring, "get_keyring", PlaintextKeyring)
    with pytest.raises(BackendRefusedError, match=r"plain text.*seal key.*docs/credentials\.md"):
        detected_backend()


def test_a_class_is_named_by_its_full_name():
    assert isinstance(named_backend(f"{HERE}.Decent"), Decent)
    for name in (f"{HERE}.PlaintextKeyring", "keyring.backends.null.Keyring"):
        with pytest.raises(BackendRefusedError, match=r"credentials\.keyring_class: "):
            named_backend(name)
    for name in ("no.such.Backend", f"{HERE}.Nothing", "Backend", ""):
        with pytest.raises(BackendRefusedError, match="there is no keyring backend"):
            named_backend(name)
    with pytest.raises(BackendRefusedError, match="is not a keyring backend"):
        named_backend("builtins.dict")


def test_a_backend_that_does_not_start_is_told_without_its_words():
    with pytest.raises(UnavailableError, match="does not start: TypeError"):
        named_backend("syncd.credentials.sealed.SealedKeyring")
