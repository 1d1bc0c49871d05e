"""The judge: compares what the shop holds and did with what the CRM holds, and never asks syncd. Pure.

*Lost*: something the shop (or a sales person) did that is missing or wrong on the other side. *Doubled*: a thing that
stands there more than once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from syncd.demo.crm import Crm, Entry

Thing = Mapping[str, Any]

WON: Final = "ordered"
LOST: Final = "emptied"
OPEN: Final = "abandoned"


@dataclass(frozen=True, slots=True)
class SalesEdit:
    """What a sales person entered at a contact, by the customer's field."""

    email: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened, as the simulated world tells it."""

    customers: Sequence[Thing]
    """commercetools customers."""
    carts: Sequence[Thing]
    orders: Sequence[Thing]
    groups: Mapping[str, str]
    """Customer group id to key."""
    abandoned: Mapping[str, str]
    """Cart id to the deal stage it must have: the carts that lay idle beyond doubt."""
    ordered_in_time: frozenset[str]
    """Carts that must never have become a deal."""
    edits: Sequence[SalesEdit]
    crm: Crm
    """Whose books these are, as far as they have the fields."""
    contacts: Sequence[Entry]
    deals: Sequence[Entry]
    line_items: Sequence[Entry]
    crm_orders: Sequence[Entry]


@dataclass
class Judgement:
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    deals_open: int = 0
    deals_won: int = 0

    @property
    def clean(self) -> bool:
        return not self.lost and not self.doubled


def judge(truth: Truth) -> Judgement:
    court = _Court(truth)
    court.customers()
    court.edits()
    court.deals()
    court.orders()
    return court.judgement


class _Court:
    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self.judgement = Judgement()
        self._contacts = {_text(one, "email"): one for one in truth.contacts}
        self._items = {one.id: one for one in truth.line_items}
        self._customers = {one["id"]: one for one in truth.customers}
        self._doubles("contact", (_text(one, "email") for one in truth.contacts))
        self._doubles("deal", (_text(one, "key") or _text(one, "name") for one in truth.deals))
        self._doubles("order", (_text(one, "number") for one in truth.crm_orders))
        self._doubles("line item", (_text(one, "key") for one in truth.line_items))

    def _doubles(self, what: str, names: Iterable[str]) -> None:
        for name, count in Counter(names).items():
            if count > 1:
                self.judgement.doubled.append(f"{what} {name} stands {count} times")

    def _lost(self, text: str) -> None:
        self.judgement.lost.append(text)

    def _same(self, what: str, expected: object, found: object) -> None:
        if (expected or "") != (found or ""):
            self._lost(f"{what}: expected {expected!r}, found {found!r}")

    # --- customers -----------------------------------------------------------------------------------------------

    def customers(self) -> None:
        for one in self._truth.customers:
            email = one["email"].lower()
            contact = self._contacts.get(email)
            if contact is None:
                self._lost(f"customer {email} is no contact")
                continue
            custom = (one.get("custom") or {}).get("fields") or {}
            names = {"first_name": "firstName", "last_name": "lastName", "company": "companyName"}
            for name, ours in {**names, "customer_number": "customerNumber"}.items():
                if name in self._truth.crm.contacts.fields:
                    self._same(f"contact {email} {name}", one.get(ours), _text(contact, name))
            self._same(f"customer {email} phone", _digits(_text(contact, "phone")), _digits(custom.get("phone", "")))
            self._same(
                f"customer {email} credit limit",
                _amount(_text(contact, "credit_limit")),
                _cents(custom.get("creditLimit")),
            )
            group = self._truth.groups.get((one.get("customerGroup") or {}).get("id", ""), "")
            self._same(f"customer {email} price tier", _text(contact, "price_tier"), group)
            self._same(f"contact {email} loyalty tier", custom.get("loyaltyTier"), _text(contact, "loyalty_tier"))

    def edits(self) -> None:
        final: dict[tuple[str, str], str] = {}
        for edit in self._truth.edits:
            final |= {(edit.email, name): value for name, value in edit.values.items()}
        for (email, name), value in final.items():
            contact = self._contacts.get(email)
            if contact is not None:
                self._same(f"sales entered {name} of {email}", _number(value), _number(_text(contact, name)))

    # --- deals ---------------------------------------------------------------------------------------------------

    def deals(self) -> None:
        by_name = {_text(one, "name"): one for one in self._truth.deals}
        self.judgement.deals_won = sum(_text(one, "stage") == WON for one in self._truth.deals)
        self.judgement.deals_open = sum(_text(one, "stage") == OPEN for one in self._truth.deals)
        for cart in self._truth.carts:
            email = self._email(cart)
            deal = by_name.get(f"Abandoned Cart: {email}")
            if cart["id"] in self._truth.ordered_in_time:
                if deal is not None:
                    self.judgement.doubled.append(f"cart {cart['id']} was ordered in time and has a deal all the same")
            elif cart["id"] in self._truth.abandoned:
                self._deal(cart, email, deal)

    def _email(self, cart: Thing) -> str:
        own = cart.get("customerEmail") or self._customers.get(cart.get("customerId", ""), {}).get("email", "")
        return str(own).lower()

    def _deal(self, cart: Thing, email: str, deal: Entry | None) -> None:
        if deal is None:
            self._lost(f"abandoned cart of {email} has no deal")
            return
        what, crm = f"deal of {email}", self._truth.crm
        self._same(f"{what} stage", self._truth.abandoned[cart["id"]], _text(deal, "stage"))
        self._same(f"{what} pipeline", crm.pipeline, _text(deal, "pipeline"))
        self._same(f"{what} amount", _cents(cart["totalPrice"]), _amount(_text(deal, "total")))
        owner = self._customers.get(cart.get("customerId", ""), {}).get("email", email if crm.guests else "").lower()
        emails = {_text(one, "email") for one in self._truth.contacts if one.id in deal.contacts}
        self._same(f"{what} contact", {owner} - {""}, emails)
        if crm.items is not None:
            self._lines(what, cart, deal)

    def _lines(self, what: str, cart: Thing, deal: Entry) -> None:
        wanted = sorted(
            (line["name"]["en"], line["quantity"], _cents(line["price"]["value"])) for line in cart["lineItems"]
        )
        held = [self._items[one] for one in deal.items if one in self._items]
        found = sorted(
            (_text(one, "name"), int(_text(one, "quantity") or 0), _amount(_text(one, "price"))) for one in held
        )
        self._same(f"{what} line items", wanted, found)

    # --- orders --------------------------------------------------------------------------------------------------

    def orders(self) -> None:
        found = {_text(one, "number"): one for one in self._truth.crm_orders}
        for order in self._truth.orders:
            number = order.get("orderNumber", order["id"])
            owner = self._customers.get(order.get("customerId", ""), {}).get("email", "").lower()
            mirrored = found.get(number)
            if mirrored is None:
                self._lost(f"order {number} is not in the CRM")
                continue
            if "total" in self._truth.crm.orders.fields:
                self._same(f"order {number} total", _cents(order["totalPrice"]), _amount(_text(mirrored, "total")))
            if owner and owner in self._contacts:
                self._same(f"order {number} contact", {self._contacts[owner].id}, set(mirrored.contacts))


def _text(entry: Entry, name: str) -> str:
    return entry.values.get(name, "")


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isdigit() or one == "+")


def _amount(text: str) -> Decimal | None:
    return Decimal(text).normalize() if text else None


def _cents(money: Any) -> Decimal | None:
    if not money:
        return None
    return Decimal(money["centAmount"]).scaleb(-money.get("fractionDigits", 2)).normalize()


def _number(text: str) -> object:
    """Numbers and telephone numbers compare by what they mean."""
    try:
        return Decimal(text).normalize()
    except ArithmeticError:
        return _digits(text) if text[:1] == "+" else text
