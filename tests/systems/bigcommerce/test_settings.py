"""From the file to the system: settings, secrets, webhooks where the vendor can reach us."""

from __future__ import annotations

import random

import pytest

from syncd.config import ConfigurationError, loads
from syncd.config.secrets import secret_needs
from syncd.model.change import Channel
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.systems.bigcommerce.system import Bigcommerce
from syncd.systems.build import MissingSecret, build_system

from .support import FreePayer

FILE = """
[connections.shop]
system = "bigcommerce"
store_hash = "abc123"
[intake]
public_url = "{public}"
"""
REACHED = FILE.format(public="https://sync.example.com")
WORLD = World(ManualClock(), random.Random(1))


def needs(text: str) -> dict[str, bool]:
    return {one.name: one.needed for one in secret_needs(loads(text, environ={}))}


def test_a_store_that_can_reach_us_sends_webhooks_to_its_connection_and_needs_a_secret_for_them() -> None:
    configuration = loads(REACHED, environ={})
    assert configuration.connections["shop"].side == "commerce"
    assert all(one.capture.webhook for one in configuration.mappings)
    assert needs(REACHED) == {
        "access_token": True, "webhook_secret": True, "previous_webhook_secret": False, "client_secret": False,
    }  # fmt: skip
    assert needs(REACHED.replace('"abc123"', '"abc123"\nsigned_webhooks = true'))["client_secret"]
    secrets = {"access_token": Secret("t"), "webhook_secret": Secret("s"), "previous_webhook_secret": Secret("o")}
    system = build_system(configuration.connections["shop"], secrets, FreePayer(), WORLD)
    assert isinstance(system, Bigcommerce)
    assert Channel.WEBHOOK in system.abilities("customers").tells
    assert system._settings.webhook_url == "https://sync.example.com/v1/webhooks/shop"
    assert len(system._settings.webhook_secrets) == 2


def test_one_that_cannot_is_polled() -> None:
    configuration = loads(FILE.format(public=""), environ={})
    assert not any(one.capture.webhook for one in configuration.mappings)
    assert needs(FILE.format(public=""))["webhook_secret"] is False
    with pytest.raises(MissingSecret, match="access_token"):
        build_system(configuration.connections["shop"], {}, FreePayer(), WORLD)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('store_hash = "abc123"', ""), "store_hash"),
        (("abc123", "a/b"), "letters and digits"),
        (('store_hash = "abc123"', 'store_hash = "abc123"\nbudget.limits.daily = 5'), "no such window"),
        (('store_hash = "abc123"', 'store_hash = "abc123"\nstore_currency = "dollars"'), "store_currency"),
    ],
)
def test_settings_that_make_no_sense_are_told_with_their_key(change: tuple[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        loads(REACHED.replace(*change), environ={})
