"""What ships: the standard entities and mappings, and what a user's file may change about them."""

from __future__ import annotations

import pytest

from syncd.model.delivery import Action
from syncd.model.entity import ConflictPolicy
from syncd.model.mapping import Direction, ObjectMapping, decode, encode, encode_item
from tests.config.helpers import only, read

DEAL = '[[mappings]]\nconnection = "crm"\nobject = "deals"\n'
CONTACT = '[[mappings]]\nconnection = "crm"\nobject = "contacts"\n'
CUSTOMER = '[[mappings]]\nconnection = "shop"\nobject = "customers"\n'


def mapping(name: str, text: str = "") -> ObjectMapping:
    return next(one for one in read(text).mappings if one.name == name)


def fields(one: ObjectMapping) -> dict[str, tuple[str, ...]]:
    return {field.field: field.paths for field in one.fields}


def test_the_entities_of_the_main_job_ship():
    entities = read().entities
    assert {name: entities[name].identity for name in ("customer", "cart", "order")} == {
        "customer": ("email", "customer_number"), "cart": (), "order": ("number",),
    }  # fmt: skip
    customer = entities["customer"].fields
    assert {name for name, one in customer.items() if one.owners == {"shop"}} == {"email", "customer_number"}
    assert {name for name, one in customer.items() if one.owners == {"crm"}} == {"credit_limit", "price_tier"}
    assert {name for name, one in customer.items() if one.personal} == {"email", "first_name", "last_name", "phone"}


def test_every_standard_mapping_ships():
    assert [one.name for one in read().mappings] == [
        "shop.customers", "shop.carts", "shop.orders", "crm.contacts", "crm.deals", "crm.orders",
    ]  # fmt: skip
    assert mapping("shop.customers").write == {Action.UPDATE}
    assert not mapping("shop.carts").write
    assert mapping("crm.contacts").write == {Action.CREATE, Action.UPDATE}


def test_an_abandoned_cart_becomes_a_deal():
    deal = mapping("crm.deals")
    cart = {
        "email": "ada@example.com", "stage": "abandoned", "total": {"amount": "42.00", "currency": "EUR"},
    }  # fmt: skip
    assert encode(deal, cart, cart) == {
        "dealname": "Abandoned Cart: ada@example.com", "dealstage": "abandoned_checkout", "amount": "42.00",
        "deal_currency_code": "EUR",
    }  # fmt: skip
    assert deal.constants == {"pipeline": "ecommerce_pipeline"}
    assert deal.create_when == "stage"
    assert [(one.field, one.object, one.type_id) for one in deal.relations] == [("customer", "contacts", 3)]
    (items,) = deal.children
    item = {"key": "1", "sku": "A-1", "name": "Lamp", "quantity": 2, "price": {"amount": "21.00", "currency": "EUR"}}
    assert encode_item(items, item) == {
        "name": "Lamp", "price": "21.00", "hs_line_item_currency_code": "EUR", "quantity": "2", "hs_sku": "A-1",
    }  # fmt: skip


def test_a_cart_is_read_with_the_address_of_a_guest():
    configuration = read()
    carts = next(one for one in configuration.mappings if one.name == "shop.carts")
    cart = decode(
        configuration.entities["cart"], carts,
        {"cartState": "Active", "billingAddress": {"email": "Guest@example.com"}, "customerId": "c-1",
         "totalPrice": {"currencyCode": "EUR", "centAmount": 4200}, "lineItems": [],
         "lastModifiedAt": "2026-11-02T08:00:00.000Z"},
    )  # fmt: skip
    assert cart["email"] == "guest@example.com"
    assert cart["customer"] == "c-1"
    assert cart["total"] == {"amount": "42.00", "currency": "EUR"}


def test_webhooks_are_awaited_only_where_the_vendor_can_reach_us():
    assert mapping("crm.contacts").capture.webhook is False
    reachable = '[intake]\npublic_url = "https://sync.example.com"\n'
    assert mapping("crm.contacts", reachable).capture.webhook is True


# --- what a user's file changes -------------------------------------------------------------------------------------


def test_a_field_can_be_added_to_entity_and_mappings():
    built = read(
        "[entities.customer]\nfields.vip = 'boolean'\n" + CONTACT + 'fields.vip = "is_vip"\n'
        + CUSTOMER + 'fields.vip = "custom.fields.vip"\n'
    )  # fmt: skip
    contact, customer = (next(one for one in built.mappings if one.name == name) for name in
                         ("crm.contacts", "shop.customers"))  # fmt: skip
    assert fields(contact)["vip"] == ("is_vip",)
    assert fields(contact)["email"] == ("email",)
    assert fields(customer)["vip"] == ("custom.fields.vip",)


def test_an_owner_and_a_policy_can_be_changed():
    text = (
        '[entities.customer.fields]\nphone = { owner = "crm", conflict = "ask" }\nemail = { owner = ["shop", "crm"] }\n'
    )
    customer = read(text).entities["customer"].fields
    assert (customer["phone"].owners, customer["phone"].conflict) == ({"crm"}, ConflictPolicy.ASK)
    assert customer["phone"].personal
    assert customer["email"].owners == {"shop", "crm"}


def test_a_field_can_be_taken_away_from_an_entity_and_everything_follows():
    built = read("[entities.customer]\nfields.company = false\n[entities.cart]\nfields.items = false\n")
    assert "company" not in built.entities["customer"].fields
    assert all("company" not in fields(one) for one in built.mappings)
    assert not next(one for one in built.mappings if one.name == "crm.deals").children


def test_a_capture_interval_can_be_changed_or_switched_off():
    assert mapping("shop.carts", '[[mappings]]\nconnection = "shop"\nobject = "carts"\ncapture.poll = "2s"\n').capture \
        .poll_seconds == 2  # fmt: skip
    off = mapping("crm.contacts", CONTACT + "capture.poll = false\n").capture
    assert off.poll_seconds is None
    assert off.overlap_seconds == 300


def test_a_stage_of_another_pipeline_can_be_named():
    text = DEAL + 'constants.pipeline = "sales"\nfields.stage.lens.table.ordered = "won"\n'
    deal = mapping("crm.deals", text)
    assert deal.constants == {"pipeline": "sales"}
    assert encode(deal, {"stage": "ordered"}, ["stage"]) == {"dealstage": "won"}
    assert encode(deal, {"stage": "abandoned"}, ["stage"]) == {"dealstage": "abandoned_checkout"}


def test_a_lens_of_another_name_does_not_inherit_arguments():
    deal = mapping("crm.deals", DEAL + 'fields.stage.lens = "string"\n')
    assert encode(deal, {"stage": "ordered"}, ["stage"]) == {"dealstage": "ordered"}


def test_a_path_replaces_paths():
    contact = mapping(
        "crm.contacts", CONTACT + 'fields.credit_limit = { path = "limit_eur", lens = { name = "amount_in", currency = "EUR" } }\n'
    )  # fmt: skip
    assert fields(contact)["credit_limit"] == ("limit_eur",)


def test_a_mapping_can_be_switched_off_or_started_from_nothing():
    names = [
        one.name for one in read('[[mappings]]\nconnection = "crm"\nobject = "orders"\nenabled = false\n').mappings
    ]
    assert "crm.orders" not in names
    bare = mapping("crm.contacts", CONTACT + 'inherit = false\nentity = "customer"\nfields.email = "email"\n')
    assert fields(bare) == {"email": ("email",)}
    assert not bare.write


def test_standard_mappings_can_be_picked_or_left_out():
    assert [one.name for one in read('standard = ["contacts"]\n').mappings if one.connection == "crm"] == [
        "crm.contacts"
    ]
    assert not [one for one in read("standard = false\n").mappings if one.connection == "crm"]


def test_leaving_out_what_others_lean_on_is_told():
    told = only(
        CONTACT + "enabled = false\n" + '[[mappings]]\nconnection = "crm"\nobject = "orders"\nenabled = false\n'
    )
    assert "crm.contacts is not mapped" in told
    assert "relations.customer = false" in told


def test_a_whole_mapping_of_an_own_entity():
    text = (
        '[entities.company]\nidentity = ["domain"]\nfields.name = "text"\nfields.domain = "text"\n'
        'fields.budget = "money"\n[[mappings]]\nconnection = "crm"\nobject = "2-77"\nentity = "company"\n'
        'key_path = "syncd_external_id"\nwrite = ["create", "update"]\ncapture = { poll = "1h" }\n'
        'fields.name = "name"\nfields.domain = { path = "domain", direction = "read" }\n'
        'fields.budget = { path = "budget", lens = "money" }\n'
    )
    company = mapping("crm.2-77", text)
    assert fields(company)["budget"] == ("budget", "budget_currency")
    assert company.fields[1].direction is Direction.READ


def test_two_shops_both_own_what_commerce_owns():
    text = '[connections.outlet]\nsystem = "commercetools"\nproject = "o"\nregion = "r"\nclient_id = "c"\n'
    built = read(text)
    assert built.entities["customer"].fields["email"].owners == {"shop", "outlet"}
    assert sum(one.object == "carts" for one in built.mappings) == 2


@pytest.mark.parametrize(
    ("lens", "rule"),
    [('"chioce"', "did you mean choice?"), ('{ name = "choice" }', "needs table"), ("{ table = {} }", "must be a name"),
     ('{ name = "choice", table = { a = "x", b = "x" } }', "two of our choices share one"),
     ('{ name = "choice", tabel = {} }', "is not an argument of the lens choice; did you mean table?"),
     ('{ name = "choice", table = { a = 1 } }', "both strings"), ('"money_pair"', "cannot hold a field of type choice"),
     ('{ name = "prefixed" }', "needs prefix"), ('"line_items"', "cannot hold"), ("5", "must be a name"),
     ('{ name = "first_of", inner = "money_pair" }', "cannot hold")],
)  # fmt: skip
def test_a_lens_and_its_arguments_are_checked(lens, rule):
    assert rule in only(CONTACT + f"fields.price_tier = {{ path = 'tier', lens = {lens} }}\n")


def test_the_number_of_paths_must_suit_the_lens():
    assert "needs one path, not 2" in only(CONTACT + 'fields.email = ["a", "b"]\n')
    assert "needs 2 paths, not 1" in only(CONTACT + 'fields.credit_limit = { path = "a", lens = "money_pair" }\n')
    assert "needs a path" in only(CONTACT + 'fields.email = { path = "a", paths = ["b"] }\n')
    assert "can only read" in only(
        '[[mappings]]\nconnection = "shop"\nobject = "carts"\nfields.items.direction = "both"\n'
    )
