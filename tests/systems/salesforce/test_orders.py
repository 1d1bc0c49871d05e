"""Orders and their lines, as the standard mapping has them, against the simulated org: the account of the buyer, the price
book, the entries of the products, and the order of things that the vendor demands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from syncd.config import loads
from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import ChildrenWrite, ChildWrite, RelationWrite, Write

from .kit import KEY
from .test_against_sandbox import House, house

__all__ = ["house"]

FILE = """
[connections.crm]
system = "salesforce"
login_url = "https://acme.my.salesforce.com"
client_id = "key"
company_currency = "EUR"
[[mappings]]
connection = "crm"
object = "Order"
enabled = true
"""
ORDERS: ObjectMapping = next(one for one in loads(FILE, environ={}).mappings if one.object == "Order")


def product(house: House, code: str, *books: str) -> str:
    made = str(house.act("create", object="Product2", values={"Name": code, "ProductCode": code, "IsActive": True}))
    standard = house.act("query", soql="SELECT Id FROM Pricebook2 WHERE IsStandard = TRUE")[0]["Id"]
    for book in (standard, *books):
        values = {"Pricebook2Id": book, "Product2Id": made, "UnitPrice": 9.9, "IsActive": True}
        house.act("create", object="PricebookEntry", values=values)
    return made


def order(number: int, contact: str, *codes: str, **values: Any) -> Write:
    items = tuple(
        ChildWrite(code, {"PricebookEntry.ProductCode": code, "Quantity": "2", "UnitPrice": "9.90"}) for code in codes
    )
    fields = {"Status": "Draft", "OrderReferenceNumber": f"O-{number}", "EffectiveDate": "2026-11-02T08:00:00.000Z"}
    return Write(
        f"order-{number:020x}", Action.CREATE, fields | values,
        relations=(RelationWrite("Contact", contact, 0, path="BillToContactId"),),
        children=(ChildrenWrite("OrderItem", 0, items, path="OrderId"),),
    )  # fmt: skip


def lines(house: House, order_id: str) -> list[tuple[str, float]]:
    soql = f"SELECT PricebookEntry.ProductCode, Quantity FROM OrderItem WHERE OrderId = '{order_id}' ORDER BY Id"
    return [(one["PricebookEntry"]["ProductCode"], one["Quantity"]) for one in house.act("query", soql=soql)]


async def test_an_order_gets_its_account_its_book_and_its_entries_and_is_activated_last(house: House) -> None:
    crm = await house.connect()
    account = house.act("create", object="Account", values={"Name": "Engines"})
    buyer = house.person(1, AccountId=account)
    for code in ("LAMP", "LOOM"):
        product(house, code)
    writes = [order(1, buyer, "LAMP", "loom", Status="Activated"), order(2, buyer, "LAMP")]
    before = len(house.books.paid)
    verdicts = await crm.write(ORDERS, writes, Lane.LIVE)
    assert [one.outcome for one in verdicts] == [Outcome.APPLIED] * 2, [one.failure for one in verdicts]
    calls = [call.kind for call, _ in house.books.paid[before:]].count("api")
    assert calls == 7, "two descriptions, accounts, book, entries; one composite; one activation"
    first, second = (
        house.act("get", object="Order", id=one.external_id) for one in verdicts
    )  # fmt: skip
    assert (first["Status"], first["AccountId"], first["EffectiveDate"]) == ("Activated", account, "2026-11-02")
    assert (second["Status"], second[KEY]) == ("Draft", writes[1].key)
    assert lines(house, verdicts[0].external_id) == [("LAMP", 2), ("LOOM", 2)]
    (again,) = await crm.write(ORDERS, [writes[1]], Lane.LIVE)
    assert (again.outcome, again.children) == (Outcome.APPLIED, verdicts[1].children)
    more = replace(
        writes[1], action=Action.UPDATE, external_id=again.external_id, values={"Status": "Activated"}, relations=(),
        children=(ChildrenWrite("OrderItem", 0, (ChildWrite("LOOM", {"PricebookEntry.ProductCode": "LOOM",
                  "Quantity": "1", "UnitPrice": "5"}),), path="OrderId"),),
    )  # fmt: skip
    (grown,) = await crm.write(ORDERS, [more], Lane.LIVE)
    assert grown.outcome is Outcome.APPLIED, grown.failure
    assert lines(house, again.external_id) == [("LAMP", 2), ("LOOM", 1)]
    assert house.act("get", object="Order", id=again.external_id)["Status"] == "Activated"


async def test_a_line_without_an_entry_is_told_and_everything_else_is_written(house: House) -> None:
    crm = await house.connect()
    account = house.act("create", object="Account", values={"Name": "Engines"})
    buyer = house.person(1, AccountId=account)
    product(house, "LAMP")
    write = order(1, buyer, "LAMP", "GONE", Status="Activated")
    (verdict,) = await crm.write(ORDERS, [write], Lane.LIVE)
    assert verdict.failure is not None
    assert (verdict.failure.remedy, verdict.failure.code) == (Remedy.RETRY, "price-book-entry-missing")
    assert verdict.main_applied
    assert lines(house, verdict.external_id) == [("LAMP", 2)]
    assert house.act("get", object="Order", id=verdict.external_id)["Status"] == "Draft", "not before it is whole"
    product(house, "GONE")
    (verdict,) = await crm.write(ORDERS, [write], Lane.LIVE)
    assert verdict.outcome is Outcome.APPLIED, verdict.failure
    assert lines(house, verdict.external_id) == [("LAMP", 2), ("GONE", 2)]


async def test_a_buyer_without_an_account_orders_on_the_one_that_the_mapping_names_or_is_told(house: House) -> None:
    crm = await house.connect()
    buyer = house.person(1)
    book = house.act("create", object="Pricebook2", values={"Name": "Trade", "IsActive": True})
    product(house, "LAMP", book)
    (told,) = await crm.write(ORDERS, [order(1, buyer, "LAMP")], Lane.LIVE)
    assert told.failure is not None
    assert (told.failure.remedy, told.failure.code) == (Remedy.ASK, "order-without-account")
    walk_in = house.act("create", object="Account", values={"Name": "Walk-in"})
    constants = {"Status": "Draft", "AccountId": walk_in, "Pricebook2Id": book}
    mapping = replace(ORDERS, constants=constants)
    (made,) = await crm.write(mapping, [order(1, buyer, "LAMP", **constants)], Lane.LIVE)
    assert made.outcome is Outcome.APPLIED, made.failure
    held = house.act("get", object="Order", id=made.external_id)
    assert (held["AccountId"], held["Pricebook2Id"]) == (walk_in, book)


async def test_a_price_that_is_there_already_is_named_and_grants_are_made_once(house: House) -> None:
    crm = await house.connect()
    made = product(house, "LAMP")
    book = house.act("query", soql="SELECT Id FROM Pricebook2 WHERE IsStandard = TRUE")[0]["Id"]
    prices = ObjectMapping("price", "crm", "PricebookEntry", (), key_path=KEY, write=frozenset({Action.CREATE}))
    values = {"Product2Id": made, "Pricebook2Id": book, "UnitPrice": "5", "IsActive": True}
    (verdict,) = await crm.write(prices, [Write("price-1", Action.CREATE, values)], Lane.LIVE)
    assert verdict.failure is not None
    assert (verdict.failure.remedy, verdict.external_id) == (Remedy.LINK, "")
    assert str(verdict.failure.existing_id).startswith("01u")
    user = house.act("query", soql="SELECT Id FROM User LIMIT 1")[0]["Id"]
    roles = ObjectMapping("role", "crm", "PermissionSet", (), write=frozenset({Action.CREATE}))
    grants = ObjectMapping("role_grant", "crm", "PermissionSetAssignment", (), write=frozenset({Action.CREATE}))
    role = Write("role-1", Action.CREATE, {"Name": "Buyers", "Label": "Buyers"})
    for _ in range(2):
        (one,) = await crm.write(roles, [role], Lane.LIVE)
        assert one.outcome is Outcome.APPLIED, one.failure
        grant = Write("grant-1", Action.CREATE, {"AssigneeId": user, "PermissionSetId": one.external_id})
        house.box.set_faults("salesforce.drop_after=1")
        lost = await crm.write(grants, [grant], Lane.LIVE)
        house.box.set_faults("none")
        assert lost[0].failure is None or lost[0].failure.remedy is Remedy.RETRY
        (given,) = await crm.write(grants, [grant], Lane.LIVE)
        assert given.outcome is Outcome.APPLIED, given.failure
    assert house.act("query", soql="SELECT COUNT() FROM PermissionSetAssignment") == 1
    assert house.act("query", soql="SELECT COUNT() FROM PermissionSet") == 1
