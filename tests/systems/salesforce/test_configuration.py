"""From a configuration file to a connection: what is needed, what is refused, what ships."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.budget.configured import budget_settings
from syncd.budget.spec import STANDARD, specs_for
from syncd.config import Configuration
from syncd.config.connections import WINDOWS
from syncd.config.load import loads
from syncd.config.problems import ConfigurationError
from syncd.config.secrets import secret_needs
from syncd.model.lens import AmountIn
from syncd.model.mapping import encode
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.build import MissingSecret, build_system
from syncd.systems.contract import StreamingSystem, System
from syncd.systems.salesforce.describe import read_schema
from syncd.systems.salesforce.values import body

from .kit import OPPORTUNITY, Books

SHOP = '[connections.shop]\nsystem = "commercetools"\nproject = "a"\nregion = "europe-west1.gcp"\nclient_id = "x"\n'
FORCE = {
    "system": "salesforce", "login_url": "https://acme.my.salesforce.com", "client_id": "key", "company_currency": "EUR",
}  # fmt: skip


def read(extra: str = "", **changes: Any) -> Configuration:
    keys = {**FORCE, **changes}
    lines = [f"{name} = {value!r}".replace("'", '"') for name, value in keys.items() if value is not None]
    return loads(f"{SHOP}[connections.crm]\n" + "\n".join(lines) + "\n" + extra)


def test_the_standard_mappings_stand_and_stream() -> None:
    configuration = read()
    assert configuration.connections["crm"].side == "crm"
    by_object = {one.object: one for one in configuration.mappings_of("crm")}
    assert by_object.keys() == {"Contact", "Opportunity"}
    assert all(one.capture.stream and one.key_path == "syncd_External_Id__c" for one in by_object.values())
    limit = next(one for one in by_object["Contact"].fields if one.field == "credit_limit")
    assert limit.lens == AmountIn("EUR")
    assert by_object["Opportunity"].relations[0].path == "ContactId"


def test_a_cart_fits_what_an_opportunity_demands() -> None:
    mapping = next(one for one in read().mappings if one.object == "Opportunity")
    fields = {"email": "a@b.c", "stage": "abandoned", "touched_at": "2026-11-02T10:00:00.000Z",
              "total": {"amount": "19.90", "currency": "EUR"}}  # fmt: skip
    values = body(encode(mapping, fields, fields), read_schema(OPPORTUNITY))
    assert {name: str(value) for name, value in values.items() if name != "Amount"} == {
        "Name": "Abandoned Cart: a@b.c", "StageName": "Prospecting", "CloseDate": "2026-11-02",
    }  # fmt: skip


def needed(configuration: Configuration) -> list[str]:
    return [one.name for one in secret_needs(configuration) if one.account == "crm"]


def test_each_way_of_signing_in_needs_its_secrets() -> None:
    assert needed(read()) == ["client_secret"]
    assert needed(read(auth="jwt", username="u")) == ["private_key"]
    assert needed(read(auth="password", username="u")) == ["client_secret", "password"]


@pytest.mark.parametrize(("changes", "told"), [
    ({"login_url": None}, "login_url: is needed"), ({"client_id": None}, "client_id: is needed"),
    ({"company_currency": None}, "company_currency: is needed"), ({"auth": "jwt"}, "username: is needed"),
    ({"login_url": "https://login.salesforce.com"}, "My Domain address for client credentials"),
    ({"login_url": "http://acme.my.salesforce.com"}, "https"), ({"api_version": 67.0}, "in quotes"),
    ({"api_version": "40.0"}, "41.0 or newer"), ({"bulk_threshold": 10}, "between 200"),
    ({"pubsub_url": ""}, "URL"),
])  # fmt: skip
def test_what_is_missing_or_wrong_is_told_by_its_key(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read(**changes)


def test_a_stream_is_asked_for_only_where_there_is_one() -> None:
    with pytest.raises(ConfigurationError, match="has no stream of changes"):
        read('[[mappings]]\nconnection = "shop"\nobject = "customers"\ncapture = { stream = true }\n')
    with pytest.raises(ConfigurationError, match="sends no webhooks"):
        read('[[mappings]]\nconnection = "crm"\nobject = "Contact"\ncapture = { webhook = true }\n')


def test_items_are_mapped_as_children_by_their_reference_field() -> None:
    lines = 'children.items = { object = "OpportunityLineItem", path = "OpportunityId", fields = { quantity = "Quantity" } }'
    configuration = read(f'[[mappings]]\nconnection = "crm"\nobject = "Opportunity"\n{lines}\n')
    mapping = next(one for one in configuration.mappings if one.object == "Opportunity")
    assert (mapping.children[0].object, mapping.children[0].path) == ("OpportunityLineItem", "OpportunityId")
    with pytest.raises(ConfigurationError, match="map them under `children`"):
        read('[[mappings]]\nconnection = "crm"\nobject = "Opportunity"\nfields.items = "x"\n')


@pytest.mark.parametrize(("changes", "secrets"), [
    ({}, {"client_secret": "hunter2"}), ({"auth": "jwt", "username": "u"}, {"private_key": "hunter2"}),
    ({"auth": "password", "username": "u"}, {"client_secret": "hunter2", "password": "hunter2"}),
])  # fmt: skip
def test_a_connection_is_built_from_its_settings_and_calls_nobody(changes: Any, secrets: dict[str, str]) -> None:
    books = Books(left=0)
    system: System = build_system(
        read(**changes).connections["crm"], {name: Secret(text) for name, text in secrets.items()}, books, World()
    )
    assert system.connection == "crm"
    assert isinstance(system, StreamingSystem)
    assert system.abilities("Contact").streamed()
    assert system.capabilities.bulk_batch > system.capabilities.write_batch
    assert "hunter2" not in f"{system!r} {vars(system)!r}"
    with pytest.raises(MissingSecret):
        build_system(read(**changes).connections["crm"], {}, books, World())


def test_the_budget_has_the_windows_that_the_configuration_may_set() -> None:
    assert {one.name for one in STANDARD["salesforce"]} == set(WINDOWS["salesforce"])
    configuration = read("[connections.crm.budget]\nlimits = { daily = 500 }\n")
    specs = {one.name: one for one in specs_for("salesforce", budget_settings(configuration.connections["crm"]))}
    assert specs["daily"].limit == specs["daily"].ceiling == 500
    assert not specs["daily"].covers("auth")
    assert specs["daily"].covers("api")
    assert specs["bulk_batches"].covers("bulk_batch")
    assert not specs["concurrent"].covers("bulk_batch")
