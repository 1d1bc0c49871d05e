"""Quotes and what leads to them: a cart is asked for (request), worked on (staged quote) and answered (quote)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of
from syncd.sandbox.commercetools.errors import invalid_field, invalid_operation
from syncd.sandbox.commercetools.project import Actor, Project
from syncd.sandbox.commercetools.resource import Resource, check_version
from syncd.sandbox.commercetools.shapes import shape
from syncd.sandbox.commercetools.shop_fabric import declare_transitions

_REQUEST = ["Submitted", "Accepted", "Closed", "Rejected", "Cancelled"]
_STAGED = ["InProgress", "Sent", "Closed"]
_QUOTE = ["Pending", "Declined", "DeclinedForRenegotiation", "RenegotiationAddressed", "Accepted", "Withdrawn"]
_SALE = (
    "customerGroup", "store", "businessUnit", "lineItems", "customLineItems", "totalPrice", "taxedPrice",
    "shippingAddress", "billingAddress", "inventoryMode", "taxMode", "priceRoundingMode", "taxRoundingMode",
    "taxCalculationMode", "country", "itemShippingAddresses", "directDiscounts", "purchaseOrderNumber",
)  # fmt: skip
_OWN = "key?:key custom?:custom state?:ri=state"


def _kept(row: Mapping[str, Any], *names: str) -> Row:
    return {name: row[name] for name in names if name in row}


def _common(project: Project, draft: Row) -> Row:
    row = _kept(draft, "key")
    if "custom" in draft:
        row["custom"] = custom_of(project, "quote", draft["custom"])
    if "state" in draft:
        row["state"] = project.reference(draft["state"])
    return row


def _request(project: Project, draft: Row) -> Row:
    cart = project.find(draft["cart"])
    check_version(cart, draft["cartVersion"])
    if "customerId" not in cart:
        raise invalid_operation("A quote request needs a cart with a customer.")
    if cart["cartState"] != "Active" or not (cart["lineItems"] or cart["customLineItems"]):
        raise invalid_operation("A quote request needs an active cart with line items.")
    if cart.get("discountCodes") or cart["shippingMode"] == "Multiple":
        raise invalid_operation("Carts with discount codes or multiple shipping modes can not be asked quotes for.")
    row = _common(project, draft) | {"quoteRequestState": "Submitted"} | _kept(draft, "comment")
    row |= {"customer": {"typeId": "customer", "id": cart["customerId"]}} | _kept(cart, *_SALE)
    row |= _kept(draft, "purchaseOrderNumber")
    return row | {"cart": {"typeId": "cart", "id": cart["id"]}}


def _staged(project: Project, draft: Row) -> Row:
    request = project.find(draft["quoteRequest"])
    check_version(request, draft["quoteRequestVersion"])
    if request["quoteRequestState"] not in {"Submitted", "Accepted"}:
        raise invalid_operation(f"The quote request is {request['quoteRequestState']}.")
    row = _common(project, draft) | {"stagedQuoteState": "InProgress"}
    row |= _kept(request, "customer", "purchaseOrderNumber", "businessUnit", "store")
    row["quoteRequest"] = {"typeId": "quote-request", "id": request["id"]}
    row["quotationCart"] = request["cart"]
    return row


def _quote(project: Project, draft: Row) -> Row:
    staged = project.find(draft["stagedQuote"])
    check_version(staged, draft["stagedQuoteVersion"])
    if staged["stagedQuoteState"] == "Closed":
        raise invalid_operation("The staged quote is closed.")
    request = project.find(staged["quoteRequest"])
    cart = project.collections["carts"].get(staged["quotationCart"]["id"]) or request
    row = _common(project, draft) | {"quoteState": "Pending"} | _kept(request, *_SALE) | _kept(cart, *_SALE)
    row |= _kept(staged, "customer", "validTo", "sellerComment", "purchaseOrderNumber", "quoteRequest")
    row["stagedQuote"] = {"typeId": "staged-quote", "id": staged["id"]}
    return row


def follow(project: Project, made: Row, draft: Mapping[str, Any], actor: Actor) -> None:
    """What a new staged quote or quote was made of moves on, where the draft says so."""
    if draft.get("quoteRequestStateToAccepted"):
        request = project.find(made["quoteRequest"])
        project.replace("quote-requests", request, {**request, "quoteRequestState": "Accepted"}, actor)
    if draft.get("stagedQuoteStateToSent"):
        staged = project.find(made["stagedQuote"])
        project.replace("staged-quotes", staged, {**staged, "stagedQuoteState": "Sent"}, actor)


def _resource(path: str, type_id: str, wanted: str, build: Callable[[Project, Row], Row], kind: str) -> Resource:
    made = Resource(path=path, type_id=type_id, scopes=path.replace("-", "_"), draft=shape(f"{_OWN} {wanted}"),
                    build=build, custom_type="quote")  # fmt: skip
    made.customizable()
    declare_transitions(made, kind)
    return made


REQUESTS = _resource(
    "quote-requests", "quote-request", "cart:ri=cart cartVersion:int comment?:text purchaseOrderNumber?:text",
    _request, "QuoteRequestState",
)  # fmt: skip
STAGED = _resource(
    "staged-quotes", "staged-quote",
    "quoteRequest:ri=quote-request quoteRequestVersion:int quoteRequestStateToAccepted?:bool", _staged,
    "StagedQuoteState",
)  # fmt: skip
QUOTES = _resource(
    "quotes", "quote", "stagedQuote:ri=staged-quote stagedQuoteVersion:int stagedQuoteStateToSent?:bool", _quote,
    "QuoteState",
)  # fmt: skip


def _change_state(resource: Resource, member: str, states: list[str], closed: frozenset[str]) -> None:
    @resource.action(f"change{member[0].upper()}{member[1:]}", f"{member}:text")
    def _change(_project: Project, row: Row, args: dict[str, Any]) -> None:
        if args[member] not in states:
            raise invalid_field(member, args[member], list(states))
        if row[member] in closed and args[member] != row[member]:
            raise invalid_operation(f"The {member} '{row[member]}' is final.")
        if args[member] == "DeclinedForRenegotiation":
            raise invalid_operation("DeclinedForRenegotiation is set by requestQuoteRenegotiation only.")
        row[member] = args[member]


_change_state(REQUESTS, "quoteRequestState", _REQUEST, frozenset({"Closed", "Rejected", "Cancelled"}))
_change_state(STAGED, "stagedQuoteState", _STAGED, frozenset({"Closed"}))
_change_state(QUOTES, "quoteState", _QUOTE, frozenset({"Accepted", "Declined", "Withdrawn"}))
STAGED.setter("setSellerComment", "sellerComment")
STAGED.setter("setValidTo", "validTo", "time")
for _one in (REQUESTS, QUOTES):

    @_one.action("changeCustomer", "customer:ri=customer")
    def _change_customer(project: Project, row: Row, args: dict[str, Any]) -> None:
        row["customer"] = project.reference(args["customer"])


@QUOTES.action("requestQuoteRenegotiation", "buyerComment?:text")
def _renegotiate(_project: Project, row: Row, args: dict[str, Any]) -> None:
    if row["quoteState"] != "Pending":
        raise invalid_operation("Only a pending quote can be renegotiated.")
    row["quoteState"] = "DeclinedForRenegotiation"
    row.pop("buyerComment", None)
    row.update(_kept(args, "buyerComment"))
