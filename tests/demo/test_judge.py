"""The judge finds what is lost, wrong or doubled, and nothing where nothing is."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from syncd.demo.crm import HUBSPOT, SALESFORCE, Entry
from syncd.demo.judge import LOST, OPEN, WON, SalesEdit, Truth, judge


def contact(number: str, email: str, **more: str) -> Entry:
    return Entry(number, {"email": email, "first_name": "Ada", "last_name": "L", "customer_number": "C1", **more})


def world() -> Truth:
    """A customer with a credit limit, an abandoned cart, one ordered in time, and an order; all as it should be."""
    money = {"currencyCode": "EUR", "centAmount": 1500, "fractionDigits": 2}
    line = {
        "id": "l1",
        "name": {"en": "Mug"},
        "quantity": 3,
        "price": {"value": {"currencyCode": "EUR", "centAmount": 500}},
    }
    customer = {
        "id": "c1", "email": "Ada@example.com", "firstName": "Ada", "lastName": "L", "customerNumber": "C1",
        "customerGroup": {"id": "g1"},
        "custom": {"fields": {"phone": "+49 30 1", "creditLimit": {"currencyCode": "EUR", "centAmount": 250_000}}},
    }  # fmt: skip
    carts = [
        {"id": "k1", "customerId": "c1", "totalPrice": money, "lineItems": [line]},
        {"id": "k2", "customerEmail": "quick@example.com", "totalPrice": money, "lineItems": [line]},
    ]
    deal = Entry(
        "d1", {
            "name": "Abandoned Cart: ada@example.com", "stage": OPEN, "pipeline": "ecommerce_pipeline",
            "total": "15.00", "key": "cart-1",
        }, ("1",), ("i1",),
    )  # fmt: skip
    return Truth(
        customers=[customer], carts=carts, orders=[{"id": "o1", "orderNumber": "O1", "customerId": "c1", "totalPrice": money}],
        groups={"g1": "gold"}, abandoned={"k1": OPEN}, ordered_in_time=frozenset({"k2"}),
        edits=[SalesEdit("ada@example.com", {"phone": "+49301", "credit_limit": "2500"})],
        crm=HUBSPOT,
        contacts=[contact("1", "ada@example.com", phone="+49301", credit_limit="2500", price_tier="gold")], deals=[deal],
        line_items=[Entry("i1", {"name": "Mug", "quantity": "3", "price": "5.00", "key": "x"})],
        crm_orders=[Entry("7", {"number": "O1", "total": "15"}, ("1",))],
    )  # fmt: skip


def test_a_clean_world_is_clean() -> None:
    found = judge(world())
    assert (found.lost, found.doubled, found.clean) == ([], [], True)
    assert (found.deals_open, found.deals_won) == (1, 0)


def changed(field: str, change: Any) -> Truth:
    """The world with one of its collections changed in place."""
    truth = world()
    rows = deepcopy(list(getattr(truth, field)))
    change(rows)
    return replace(truth, **{field: rows})


def put(**values: str) -> Any:
    return lambda rows: rows[0].values.update(values)


def without(*names: str) -> Any:
    def change(rows: list[Entry]) -> None:
        rows[0] = replace(rows[0], **dict.fromkeys(names, ()))

    return change


@pytest.mark.parametrize(("field", "change", "told"), [
    ("contacts", lambda rows: rows.clear(), "ada@example.com is no contact"),
    ("contacts", put(first_name="Eve"), "first_name"),
    ("contacts", put(customer_number=""), "customer_number"),
    ("contacts", put(phone="+49302"), "phone"),
    ("contacts", put(credit_limit="2499"), "credit limit"),
    ("contacts", put(price_tier="silver"), "price tier"),
    ("deals", lambda rows: rows.clear(), "has no deal"),
    ("deals", put(stage=WON), "stage"),
    ("deals", put(stage=LOST), "stage"),
    ("deals", put(pipeline="default"), "pipeline"),
    ("deals", put(total="15.01"), "amount"),
    ("deals", without("contacts"), "contact"),
    ("deals", without("items"), "line items"),
    ("line_items", put(quantity="2"), "line items"),
    ("line_items", put(price="5.01"), "line items"),
    ("line_items", put(name="Cup"), "line items"),
    ("crm_orders", lambda rows: rows.clear(), "order O1 is not in the CRM"),
    ("crm_orders", put(total="14"), "order O1 total"),
    ("crm_orders", without("contacts"), "order O1 contact"),
    ("edits", lambda rows: rows.append(SalesEdit("ada@example.com", {"credit_limit": "9"})), "sales entered credit_limit"),
])  # fmt: skip
def test_a_planted_loss_is_found(field: str, change: Any, told: str) -> None:
    found = judge(changed(field, change))
    assert any(told in one for one in found.lost), found
    assert not found.clean


@pytest.mark.parametrize("field", ["contacts", "deals", "line_items", "crm_orders"])
def test_a_planted_double_is_found(field: str) -> None:
    found = judge(changed(field, lambda rows: rows.append(replace(rows[0], id="999"))))
    assert any("stands 2 times" in one for one in found.doubled), found


def test_a_deal_of_a_cart_that_was_ordered_in_time_is_one_too_many() -> None:
    deal = Entry("d2", {"name": "Abandoned Cart: quick@example.com", "stage": OPEN})
    found = judge(changed("deals", lambda rows: rows.append(deal)))
    assert any("ordered in time" in one for one in found.doubled)


def test_the_last_word_of_a_sales_person_counts() -> None:
    truth = replace(world(), edits=[SalesEdit("ada@example.com", {"phone": "1"}), *world().edits])
    assert judge(truth).clean


def test_rows_of_either_crm_are_read_in_the_same_words() -> None:
    rows = [
        (HUBSPOT, {
            "id": 5, "archived": False, "associations": {"contacts": ["1"], "line_items": ["8", "9"]},
            "properties": {"dealname": "Abandoned Cart: a@example.com", "dealstage": "won", "amount": "9.5"},
        }),
        (SALESFORCE, {
            "Id": "006A", "IsDeleted": False, "Name": "Abandoned Cart: a@example.com", "StageName": "Closed Won",
            "Amount": 9.5, "ContactId": "1",
        }),
    ]  # fmt: skip
    for crm, row in rows:
        (deal,) = crm.entries(crm.deals, [row, {**row, crm.gone: True}])
        told = {name: deal.values[name] for name in ("name", "stage", "total")}
        assert told == {"name": "Abandoned Cart: a@example.com", "stage": WON, "total": "9.5"}
        assert deal.contacts == ("1",)
    assert HUBSPOT.titles["deals"] == "dealname"
    assert SALESFORCE.titles["Opportunity"] == "Name"


def test_a_crm_is_judged_by_what_it_can_hold() -> None:
    """No line items and no totals of orders there, and no contact of somebody known by e-mail only."""
    truth = world()
    guest = {"id": "k3", "customerEmail": "g@example.com", "totalPrice": truth.carts[0]["totalPrice"], "lineItems": []}
    theirs = Entry("d3", {"name": "Abandoned Cart: g@example.com", "stage": OPEN, "total": "15.0", "key": "cart-3"})
    bare = [Entry(one.id, {**one.values, "pipeline": ""}, one.contacts) for one in truth.deals]
    truth = replace(
        truth, crm=SALESFORCE, carts=[*truth.carts, guest], abandoned={**truth.abandoned, "k3": OPEN},
        deals=[*bare, theirs], line_items=[], crm_orders=[Entry("7", {"number": "O1"}, ("1",))],
    )  # fmt: skip
    assert judge(truth).clean
    assert not judge(replace(truth, crm=HUBSPOT)).clean
