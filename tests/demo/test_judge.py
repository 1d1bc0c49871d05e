"""The judge finds what is lost, wrong or doubled, and nothing where nothing is."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from syncd.demo.judge import LOST, OPEN, WON, SalesEdit, Truth, judge


def contact(number: str, email: str, **more: str) -> dict[str, Any]:
    return {
        "id": number,
        "properties": {"email": email, "firstname": "Ada", "lastname": "L", "customer_number": "C1", **more},
    }


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
    deal = {
        "id": "d1", "associations": {"contacts": ["1"], "line_items": ["i1"]},
        "properties": {
            "dealname": "Abandoned Cart: ada@example.com", "dealstage": OPEN, "pipeline": "ecommerce_pipeline",
            "amount": "15.00", "syncd_external_id": "cart-1",
        },
    }  # fmt: skip
    return Truth(
        customers=[customer], carts=carts, orders=[{"id": "o1", "orderNumber": "O1", "customerId": "c1", "totalPrice": money}],
        groups={"g1": "gold"}, abandoned={"k1": OPEN}, ordered_in_time=frozenset({"k2"}),
        edits=[SalesEdit("ada@example.com", {"phone": "+49301", "credit_limit": "2500"})],
        contacts=[contact("1", "ada@example.com", phone="+49301", credit_limit="2500", price_tier="gold")], deals=[deal],
        line_items=[{"id": "i1", "properties": {"name": "Mug", "quantity": "3", "price": "5.00", "syncd_external_id": "x"}}],
        crm_orders=[{
            "id": "7", "properties": {"hs_order_name": "O1", "hs_total_price": "15"}, "associations": {"contacts": ["1"]},
        }],
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


def put(**properties: str) -> Any:
    return lambda rows: rows[0]["properties"].update(properties)


@pytest.mark.parametrize(("field", "change", "told"), [
    ("contacts", lambda rows: rows.clear(), "ada@example.com is no contact"),
    ("contacts", put(firstname="Eve"), "firstname"),
    ("contacts", put(customer_number=""), "customer_number"),
    ("contacts", put(phone="+49302"), "phone"),
    ("contacts", put(credit_limit="2499"), "credit limit"),
    ("contacts", put(price_tier="silver"), "price tier"),
    ("deals", lambda rows: rows.clear(), "has no deal"),
    ("deals", put(dealstage=WON), "stage"),
    ("deals", put(dealstage=LOST), "stage"),
    ("deals", put(pipeline="default"), "pipeline"),
    ("deals", put(amount="15.01"), "amount"),
    ("deals", lambda rows: rows[0]["associations"].update(contacts=[]), "contact"),
    ("deals", lambda rows: rows[0]["associations"].update(line_items=[]), "line items"),
    ("line_items", put(quantity="2"), "line items"),
    ("line_items", put(price="5.01"), "line items"),
    ("line_items", put(name="Cup"), "line items"),
    ("crm_orders", lambda rows: rows.clear(), "order O1 is not in the CRM"),
    ("crm_orders", put(hs_total_price="14"), "order O1 total"),
    ("crm_orders", lambda rows: rows[0].update(associations={}), "order O1 contact"),
    ("edits", lambda rows: rows.append(SalesEdit("ada@example.com", {"credit_limit": "9"})), "sales entered credit_limit"),
])  # fmt: skip
def test_a_planted_loss_is_found(field: str, change: Any, told: str) -> None:
    found = judge(changed(field, change))
    assert any(told in one for one in found.lost), found
    assert not found.clean


@pytest.mark.parametrize("field", ["contacts", "deals", "line_items", "crm_orders"])
def test_a_planted_double_is_found(field: str) -> None:
    found = judge(changed(field, lambda rows: rows.append({**rows[0], "id": "999"})))
    assert any("stands 2 times" in one for one in found.doubled), found


def test_a_deal_of_a_cart_that_was_ordered_in_time_is_one_too_many() -> None:
    deal = {"id": "d2", "properties": {"dealname": "Abandoned Cart: quick@example.com", "dealstage": OPEN}}
    found = judge(changed("deals", lambda rows: rows.append(deal)))
    assert any("ordered in time" in one for one in found.doubled)


def test_the_last_word_of_a_sales_person_counts() -> None:
    truth = replace(world(), edits=[SalesEdit("ada@example.com", {"phone": "1"}), *world().edits])
    assert judge(truth).clean
