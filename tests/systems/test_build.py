"""From settings and secrets to a system, and which secrets a configuration needs."""

from __future__ import annotations

import pytest

from syncd.budget.configured import budget_settings
from syncd.budget.spec import STANDARD, specs_for
from syncd.config.connections import WINDOWS
from syncd.config.secrets import secret_needs
from syncd.model.change import Channel, Lane
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.build import MissingSecret, build_system
from tests.config.helpers import read

CANARY = "hunter2-correct-horse"


class Free:
    """Pays for everything; nothing is called here."""

    def pay(self, call, lane):
        raise AssertionError("building a system calls nobody")

    def observe(self, call, status, headers, seconds):
        raise AssertionError("building a system calls nobody")


def test_each_system_is_built_from_its_settings_and_calls_nobody():
    for name, secrets in (("shop", {"client_secret": Secret(CANARY)}), ("crm", {"access_token": Secret(CANARY)})):
        system = build_system(read().connections[name], secrets, Free(), World())
        assert system.connection == name
        assert CANARY not in repr(system)
        assert CANARY not in repr(vars(system))


@pytest.mark.parametrize(
    ("text", "account", "missing"),
    [("", "shop", "client_secret"), ("", "crm", "access_token"),
     ('auth = "oauth"\nclient_id = "x"\n', "crm", "client_secret")],
)  # fmt: skip
def test_a_secret_that_is_not_handed_over_is_named_with_what_to_do(text, account, missing):
    with pytest.raises(MissingSecret, match=f"syncd credentials set {account} {missing}"):
        build_system(read(text).connections[account], {"access_token": Secret("")}, Free(), World())


def test_an_oauth_app_and_webhooks_need_more():
    text = 'auth = "oauth"\nclient_id = "x"\n[intake]\npublic_url = "https://sync.example.com"\n'
    secrets = {"client_secret": Secret("new"), "refresh_token": Secret("r"), "previous_client_secret": Secret("old")}
    system = build_system(read(text).connections["crm"], secrets, Free(), World())
    assert Channel.WEBHOOK in system.abilities("contacts").tells


def test_the_journal_is_read_by_an_app_beside_whatever_else_signs_in():
    text = 'journal = true\nclient_id = "x"\n'
    configuration = read(text)
    assert {one.object for one in configuration.mappings_of("crm") if one.capture.stream} == {"contacts", "deals"}
    assert "crm.client_secret" in {f"{one.account}.{one.name}" for one in secret_needs(configuration) if one.needed}
    secrets = {"client_secret": Secret("app"), "access_token": Secret("key")}
    system = build_system(configuration.connections["crm"], secrets, Free(), World())
    told = system.abilities("contacts")
    assert told.streamed()
    assert Channel.WEBHOOK not in told.tells  # no address that the vendor could reach
    with pytest.raises(MissingSecret, match="client_secret"):
        build_system(configuration.connections["crm"], {"access_token": Secret("key")}, Free(), World())


def test_which_secrets_are_needed_follows_from_the_configuration():
    def needed(text: str) -> list[str]:
        return [f"{one.account}.{one.name}" for one in secret_needs(read(text)) if one.needed]

    assert needed("") == ["shop.client_secret", "crm.access_token"]
    assert needed('[intake]\npublic_url = "https://sync.example.com"\n') == [
        "shop.client_secret", "crm.access_token", "crm.client_secret",
    ]  # fmt: skip
    assert needed('[intake.sources.a]\nauth = "token"\n[intake.sources.b]\n')[2:] == ["a.token", "b.signing_secret"]


def test_the_budget_follows_the_configuration():
    text = 'time_zone = "Europe/Berlin"\nbudget = { share = 0.5, reserve = { live = 0.4 }, limits = { search = 3 } }\n'
    settings = budget_settings(read(text).connections["crm"])
    windows = {one.name: one for one in specs_for("hubspot", settings)}
    assert windows["search"].ceiling == 3
    assert windows["daily"].zone == "Europe/Berlin"
    assert windows["daily"].share == 0.5
    assert windows["ten_seconds"].reserve == {Lane.LIVE: 0.4}


def test_the_configuration_knows_every_window_of_the_budget():
    assert {name: tuple(one.name for one in STANDARD[name]) for name in WINDOWS} == WINDOWS
