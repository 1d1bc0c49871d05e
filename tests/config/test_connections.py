"""Addresses and subscriptions of commercetools connections, and the secrets that they need."""

from __future__ import annotations

from syncd.config.models import CommercetoolsSettings
from syncd.config.secrets import connection_needs

from .helpers import BASE, only, problems, read

QUEUE = '[connections.shop.subscription]\ndestination = { type = "SQS", queueUrl = "https://q.example/1", region = "eu-west-1"'


def shop(text: str = "", *, base: str = BASE) -> CommercetoolsSettings:
    found = read(text, base=base).connections["shop"]
    assert isinstance(found, CommercetoolsSettings)
    return found


def secrets(text: str) -> list[str]:
    configuration = read(text)
    return [one.name for one in connection_needs(configuration, configuration.connections["shop"])]


def test_a_region_gives_every_address_and_an_address_of_ones_own_lets_no_import_go_past_it():
    assert shop().import_url == "https://import.europe-west1.gcp.commercetools.com"
    stand_in = BASE.replace("client_id", 'api_url = "http://127.0.0.1:1"\nauth_url = "http://127.0.0.1:1"\nclient_id')
    assert shop(base=stand_in).import_url == ""


def test_the_secrets_of_a_destination_are_asked_for_and_never_read_from_the_file():
    assert secrets("") == ["client_secret"]
    assert secrets(QUEUE + " }\n") == ["client_secret", "subscription_access_key", "subscription_access_secret"]
    assert secrets(QUEUE + ', authenticationMode = "IAM" }\n') == ["client_secret"]
    assert "is a secret" in " ".join(problems(QUEUE + ', accessSecret = "x" }\n'))
    assert "must be a kind of destination" in only(
        '[connections.shop.subscription]\ndestination = { type = "Webhook" }\n'
    )
