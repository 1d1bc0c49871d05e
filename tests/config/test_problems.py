"""What is wrong is told at once, with its place, the rule and the value given."""

from __future__ import annotations

import pytest

from syncd.config import ConfigurationError
from tests.config.helpers import BASE, ENVIRON, only, problems, read

MANY = """
[conections.old]
x = 1

[intake]
port = 99999
hots = "x"

[carts]
idle = 30

[entities.customer]
identity = ["emial"]
fields.vip = { type = "bool" }

[[mappings]]
connection = "crm"
object = "contacts"
fields.phone = { path = "a", lens = "chioce" }
capture.pol = "15m"
write = ["craete"]
"""


def test_all_problems_come_at_once_in_the_order_of_the_file():
    found = problems(MANY)
    assert [one.partition(": ")[0] for one in found] == [
        "conections", "intake.port", "intake.hots", "carts.idle", "entities.customer.identity",
        "entities.customer.fields.vip.type", "mappings[0].fields.phone.lens", "mappings[0].capture.pol",
        "mappings[0].write[0]",
    ]  # fmt: skip


def test_every_problem_has_its_line():
    with pytest.raises(ConfigurationError) as caught:
        read(MANY)
    for problem in caught.value.problems:
        assert problem.line is not None
        word = problem.key.replace("[0]", "").split(".")[-1]
        line = (BASE + MANY).splitlines()[problem.line - 1]
        assert word.removesuffix("s") in line or word in {"type", "lens", "idle"}, (problem, line)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('[log]\nlevel = "loud"', "log.level: must be one of: debug, info, warning, error (given: 'loud')"),
        ("[log]\nlevle = 1", "log.levle: unknown key; did you mean level? (given: 1)"),
        ("[intake]\nport = true", "intake.port: must be a whole number between 0 and 65535 (given: true)"),
        ("[ops]\nenabled = 'perhaps'", "ops.enabled: must be true or false (given: 'perhaps')"),
        ("[ops]\nport = 8741", "ops.port: is the port of the intake; metrics and the intake need one each (given: 8741)"),
        ('[retry]\nbase = "30s"\ncap = "2s"', "retry.cap: must not be shorter than retry.base (given: '2s')"),
        ('[retention]\nchanges = "1d"', "retention.changes: must lie between 4d and 3650d (given: '1d')"),
        ('[credentials]\norder = ["plaintext"]',
         "credentials.order[0]: must be one of: file, systemd, sealed, keyring (given: 'plaintext')"),
        ('[credentials.files]\ntoken = "/x"',
         'credentials.files.token: must be "<connection or source>.<secret>" = "<path>"'),
        ('[intake.sources.shop]\nauth = "token"', ("intake.sources.shop: a connection has this name already; "
         "secrets are kept by name")),
        ('[intake.sources.web]\nconnection = "shp"',
         "intake.sources.web.connection: there is no such connection; did you mean shop? (given: 'shp')"),
        ('[entities.customer]\nfields.email.owner = "shp"',
         "entities.customer.fields.email.owner: names no connection and no side; did you mean shop? (given: 'shp')"),
        ('[entities.lead]\nfields.email = "email"\nidentity = ["mail"]',
         "entities.lead.identity: lead has no field mail; did you mean email? (given: 'mail')"),
        ('[entities.lead]\nfields.owner = "reference"',
         'entities.lead.fields.owner: needs the entity it refers to: entity = "..." (given: \'reference\')'),
        ('[entities.lead]\nfields.x = { type = "reference", entity = "custmer" }',
         "entities.lead.fields.x.entity: there is no such entity; did you mean customer? (given: 'custmer')"),
        ('[entities.lead]\nfields.x = { owner = "crm" }', ("entities.lead.fields.x: needs a type; types: text, email, "
         "phone, money, integer, decimal, boolean, date, instant, choice, reference, items")),
        ('[[mappings]]\nobject = "contacts"', 'mappings[0]: needs connection = "..." and object = "..."'),
        ('[[mappings]]\nconnection = "crmm"\nobject = "contacts"',
         "mappings[0].connection: there is no such connection; did you mean crm? (given: 'crmm')"),
        ('[[mappings]]\nconnection = "crm"\nobject = "leads"',
         ("mappings[0]: needs an entity; known: campaign, campaign_member, cart, channel, company, customer, lead, order, "
         "price, price_list, price_tier, product, quote, role, role_grant, ticket, user")),
        ('[[mappings]]\nconnection = "crm"\nobject = "leads"\nentity = "custmer"',
         "mappings[0].entity: there is no such entity; did you mean customer? (given: 'custmer')"),
        ('[[mappings]]\nconnection = "crm"\nobject = "contacts"\nfields.fax = "fax"',
         ("mappings[0].fields.fax: customer has no such field; known: company, credit_limit, customer_number, email, employer, "
         "first_name, last_name, phone, price_tier (given: 'fax')")),
        ('[[mappings]]\nconnection = "crm"\nobject = "contacts"\nfields.phone = "email"',
         "mappings[0].fields: 2 fields write to the path email (given: 'email')"),
        ('[[mappings]]\nconnection = "crm"\nobject = "contacts"\ncapture.poll = "50ms"',
         "mappings[0].capture.poll: must lie between 200ms and 1d (given: '50ms')"),
        ('[[mappings]]\nconnection = "shop"\nobject = "carts"\ncapture.webhook = true',
         "mappings[0].capture.webhook: commercetools sends no webhooks; use capture.poll and shop events (given: true)"),
        ('[[mappings]]\nconnection = "crm"\nobject = "contacts"\ncapture.webhook = true',
         ("mappings[0].capture.webhook: needs an address that the vendor can reach: intake.public_url, or "
         "connections.crm.webhook_url (given: true)")),
        ('[[mappings]]\nconnection = "crm"\nobject = "deals"\nkey_path = ""',
         ("mappings[0]: creates need key_path: the vendor's unique property for our id, so that a retry cannot "
         "duplicate")),
        ('[[mappings]]\nconnection = "crm"\nobject = "deals"\nrelations.customer.object = "people"',
         ("mappings[0].relations.customer.object: crm.people is not mapped; known: contacts, deals, orders; map it, or "
         "take the field customer out of crm.deals with relations.customer = false (given: 'people')")),
        ('[[mappings]]\nconnection = "crm"\nobject = "deals"\nconstants.dealstage = "x"',
         "mappings[0].constants.dealstage: a field writes to the same path (given: 'x')"),
        ('[[mappings]]\nconnection = "crm"\nobject = "deals"\ncreate_when = "stag"',
         "mappings[0].create_when: cart has no such field; did you mean stage? (given: 'stag')"),
    ],
)  # fmt: skip
def test_each_rule_says_what_was_expected(text, rule):
    assert only(text + "\n") == rule


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ('system = "comercetools"', "connections.x.system: must be the system it speaks to; did you mean commercetools?"),
        ("", "connections.x.system: must be the system it speaks to; known: commercetools, hubspot"),
        ('system = "hubspot"\nauth = "oauth"', 'connections.x.client_id: is needed for auth = "oauth"'),
        ('system = "hubspot"\ntime_zone = "Mars/Olympus"', "connections.x.time_zone: must be the name of a time zone"),
        ('system = "hubspot"\nbase_url = "http://example.com"', "connections.x.base_url: must use https; plain http is"),
        ('system = "hubspot"\nstandard = ["contcts"]', ("no standard mapping of hubspot is of that object; did you mean "
         "contacts?")),
        ('system = "hubspot"\nbudget.limits.dayly = 5', "hubspot has no such window; did you mean daily?"),
        ('system = "hubspot"\nbudget.reserve = { live = 0.9, operator = 0.1 }', "leave less than 5 % to share"),
    ],
)  # fmt: skip
def test_each_rule_of_connections(table, rule):
    assert rule in only(base=f"[connections.x]\n{table}\n")


@pytest.mark.parametrize("name", ["operator", "clock", "Shop", '"a b"', '"../x"', "commerce"])
def test_names_of_connections_are_safe_and_our_own(name):
    assert only(base=f'[connections.{name}]\nsystem = "hubspot"\n')


@pytest.mark.parametrize("name", ["log", "intake", "connections", "entities"])
def test_a_section_that_is_no_table_is_told(name):
    assert f"{name}: must" in problems(base=f"{name} = 3\n")[0]


def test_a_secret_in_the_file_is_refused_and_not_shown():
    found = problems('client_secret = "hunter2"\n[intake.sources.web]\nsigning_secret = "whsec_hunter2"\n')
    assert [one.partition(" (")[0] for one in found] == [
        "connections.crm.client_secret: secrets do not belong in the file; run `syncd credentials set crm <name>`",
        "intake.sources.web.signing_secret: secrets do not belong in the file; run `syncd credentials set web <name>`",
    ]
    assert not any("hunter2" in one for one in found)


def test_a_missing_side_still_owns_its_fields():
    """With the CRM not connected, the shop must not become the owner of the credit limit."""
    configuration = read(base=BASE.split("[connections.crm]")[0])
    assert configuration.entities["customer"].fields["credit_limit"].owners == {"@crm"}


def test_a_connection_that_is_switched_off_takes_its_mappings_along():
    configuration = read("enabled = false\n")
    assert list(configuration.connections) == ["shop"]
    assert {one.connection for one in configuration.mappings} == {"shop"}


def test_the_environment_is_not_touched():
    before = dict(ENVIRON)
    read()
    assert before == ENVIRON
