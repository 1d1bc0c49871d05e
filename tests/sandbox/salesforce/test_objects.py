"""What particular objects insist on."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.salesforce.org import ADMIN
from tests.sandbox.salesforce.conftest import House


async def code(house: House, method: str, path: str, **values: Any) -> str:
    return (await house.refused(method, f"/sobjects/{path}", json=values))[1]


class Shop:
    """A product with a standard and a custom price, and an account."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def open(self) -> Shop:
        house = self.house
        (row,) = await house.query("SELECT Id FROM Pricebook2 WHERE IsStandard = true")
        self.standard = row["Id"]
        self.book = await house.create("Pricebook2", Name="Gold", IsActive=True)
        self.product = await house.create("Product2", Name="Lamp", ProductCode="L-1", IsActive=True)
        self.account = await house.create("Account", Name="Acme")
        entry = {"Pricebook2Id": self.book, "Product2Id": self.product, "UnitPrice": 8, "IsActive": True}
        assert await code(house, "POST", "PricebookEntry", **entry) == "STANDARD_PRICE_NOT_DEFINED"
        base = {**entry, "Pricebook2Id": self.standard, "UnitPrice": 10}
        self.standard_entry = await house.create("PricebookEntry", **base)
        self.entry = await house.create("PricebookEntry", **entry)
        assert await code(house, "POST", "PricebookEntry", **entry) == "DUPLICATE_VALUE"
        assert await code(house, "PATCH", f"PricebookEntry/{self.entry}", Product2Id=self.product) == (
            "INVALID_FIELD_FOR_INSERT_UPDATE"
        )
        return self


async def test_accounts_form_a_tree_and_never_a_circle(house: House) -> None:
    top = await house.create("Account", Name="Top")
    below = await house.create("Account", Name="Below", ParentId=top)
    assert await code(house, "PATCH", f"Account/{top}", ParentId=below) == "CIRCULAR_DEPENDENCY"
    assert await code(house, "PATCH", f"Account/{top}", ParentId=top) == "CIRCULAR_DEPENDENCY"


async def test_deleting_an_account_takes_its_contacts_along_but_not_its_orders(house: House) -> None:
    account = await house.create("Account", Name="A")
    await house.create("Contact", LastName="Doe", AccountId=account)
    child = await house.create("Account", Name="B", ParentId=account)
    assert (await house.call("DELETE", f"/sobjects/Account/{account}")).status_code == 204
    assert await house.query("SELECT Id FROM Contact") == []
    assert (await house.get("Account", child))["ParentId"] is None
    busy = await house.create("Account", Name="C")
    await house.create("Order", AccountId=busy, EffectiveDate="2026-11-01", Status="Draft")
    assert await house.refused("DELETE", f"/sobjects/Account/{busy}") == (400, "DELETE_FAILED")


async def test_an_order_is_drafted_filled_and_then_activated(house: House) -> None:
    shop = await Shop(house).open()
    draft = {"AccountId": shop.account, "EffectiveDate": "2026-11-01", "Pricebook2Id": shop.book}
    assert await code(house, "POST", "Order", **draft, Status="Activated") == "FAILED_ACTIVATION"
    order = await house.create("Order", **draft, Status="Draft")
    assert await code(house, "PATCH", f"Order/{order}", Status="Activated") == "FAILED_ACTIVATION"
    line = {"OrderId": order, "Quantity": 3, "UnitPrice": 8}
    wrong = await code(house, "POST", "OrderItem", **line, PricebookEntryId=shop.standard_entry)
    assert wrong == "FIELD_INTEGRITY_EXCEPTION"
    item = await house.create("OrderItem", **line, PricebookEntryId=shop.entry)
    row = await house.get("Order", order)
    assert (row["TotalAmount"], row["OrderNumber"], row["StatusCode"]) == (
        24.0,
        "00000002",
        "Draft",
    )  # a refused create used one up
    assert (await house.get("OrderItem", item))["Product2Id"] == shop.product
    assert (await house.call("PATCH", f"/sobjects/Order/{order}", json={"Status": "Activated"})).status_code == 204
    assert await code(house, "PATCH", f"OrderItem/{item}", Quantity=4) == "FIELD_INTEGRITY_EXCEPTION"
    assert await code(house, "POST", "OrderItem", **line, PricebookEntryId=shop.entry) == "FIELD_INTEGRITY_EXCEPTION"
    assert await house.refused("DELETE", f"/sobjects/Order/{order}") == (400, "DELETE_FAILED")
    assert (await house.call("PATCH", f"/sobjects/Order/{order}", json={"Status": "Draft"})).status_code == 204


async def test_a_price_in_use_is_archived_instead_of_deleted(house: House) -> None:
    shop = await Shop(house).open()
    draft = {"AccountId": shop.account, "EffectiveDate": "2026-11-01", "Pricebook2Id": shop.book, "Status": "Draft"}
    order = await house.create("Order", **draft)
    await house.create("OrderItem", OrderId=order, Quantity=1, UnitPrice=8, PricebookEntryId=shop.entry)
    assert (await house.call("DELETE", f"/sobjects/PricebookEntry/{shop.entry}")).status_code == 204
    row = await house.get("PricebookEntry", shop.entry)
    assert (row["IsArchived"], row["IsActive"], row["Name"]) == (True, False, "Lamp")


async def test_the_lines_of_an_opportunity_make_its_amount(house: House) -> None:
    shop = await Shop(house).open()
    deal = await house.create("Opportunity", Name="Cart", StageName="Prospecting", CloseDate="2026-12-01", Amount=5)
    row = await house.get("Opportunity", deal)
    assert (row["Amount"], row["Probability"], row["IsClosed"], row["ExpectedRevenue"]) == (5.0, 10.0, False, 0.5)
    line = {"OpportunityId": deal, "PricebookEntryId": shop.entry, "Quantity": 2}
    assert await code(house, "POST", "OpportunityLineItem", **line) == "REQUIRED_FIELD_MISSING"
    item = await house.create("OpportunityLineItem", **line, UnitPrice=8)
    row = await house.get("Opportunity", deal)
    assert (row["Amount"], row["Pricebook2Id"], row["HasOpportunityLineItem"]) == (16.0, shop.book, True)
    await house.call("PATCH", f"/sobjects/Opportunity/{deal}", json={"Amount": 99, "StageName": "Closed Won"})
    row = await house.get("Opportunity", deal)
    assert (row["Amount"], row["IsWon"], row["Probability"]) == (16.0, True, 100.0)
    await house.call("DELETE", f"/sobjects/OpportunityLineItem/{item}")
    assert (await house.get("Opportunity", deal))["Amount"] == 0.0


async def test_a_campaign_has_everybody_once(house: House) -> None:
    campaign, contact = await house.create("Campaign", Name="C"), await house.create("Contact", LastName="Doe")
    assert await code(house, "POST", "CampaignMember", CampaignId=campaign) == "REQUIRED_FIELD_MISSING"
    member = await house.create("CampaignMember", CampaignId=campaign, ContactId=contact)
    again = await code(house, "POST", "CampaignMember", CampaignId=campaign, ContactId=contact)
    assert again == "DUPLICATE_VALUE"
    row = await house.get("CampaignMember", member)
    assert (row["Status"], row["LastName"], row["HasResponded"]) == ("Sent", "Doe", False)
    assert (await house.get("Campaign", campaign))["NumberOfContacts"] == 1


async def test_cases_number_themselves_and_close(house: House) -> None:
    account = await house.create("Account", Name="A")
    contact = await house.create("Contact", LastName="Doe", AccountId=account)
    case = await house.create("Case", Subject="Help", ContactId=contact)
    row = await house.get("Case", case)
    assert (row["CaseNumber"], row["AccountId"], row["Status"], row["Priority"]) == (
        "00000001",
        account,
        "New",
        "Medium",
    )
    await house.call("PATCH", f"/sobjects/Case/{case}", json={"Status": "Closed"})
    row = await house.get("Case", case)
    assert (row["IsClosed"], bool(row["ClosedDate"])) == (True, True)


async def test_users_are_unique_complete_and_never_deleted(house: House) -> None:
    (profile,) = await house.query("SELECT Id FROM Profile WHERE Name = 'System Administrator'")
    user = {
        "Username": "new@sandbox.example", "LastName": "New", "Email": "new@example.com", "Alias": "new",
        "ProfileId": profile["Id"], "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US", "FederationIdentifier": "sso-1",
    }  # fmt: skip
    id_ = await house.create("User", **user)
    assert await code(house, "POST", "User", **{**user, "FederationIdentifier": "2"}) == "DUPLICATE_USERNAME"
    assert await code(house, "POST", "User", **{**user, "Username": "x@y.example"}) == "DUPLICATE_VALUE"
    assert await code(house, "POST", "User", Username="a@b.example", LastName="x") == "REQUIRED_FIELD_MISSING"
    assert (await house.refused("DELETE", f"/sobjects/User/{id_}"))[0] == 400
    assert (await house.call("PATCH", f"/sobjects/User/{id_}", json={"IsActive": False})).status_code == 204
    rights = await house.create("PermissionSet", Name="Sync", Label="Sync")
    pair = {"AssigneeId": id_, "PermissionSetId": rights}
    assigned = await house.create("PermissionSetAssignment", **pair)
    assert await code(house, "POST", "PermissionSetAssignment", **pair) == "DUPLICATE_VALUE"
    assert (await house.call("PATCH", f"/sobjects/PermissionSetAssignment/{assigned}", json=pair)).status_code == 400
    assert (await house.call("DELETE", f"/sobjects/PermissionSetAssignment/{assigned}")).status_code == 204


async def test_custom_objects_have_prefixes_names_and_parents_of_their_own(house: House) -> None:
    fields = [{"name": "Account__c", "type": "lookup", "referenceTo": "Account", "relationshipName": "Cards"},
              {"name": "Points__c", "type": "number", "required": True}]  # fmt: skip
    prefix = await house.act(op="create_object", name="Card__c", autoNumber="CARD-{0000}", fields=fields)
    account = await house.create("Account", Name="A")
    assert await code(house, "POST", "Card__c", Account__c=account) == "REQUIRED_FIELD_MISSING"
    id_ = await house.create("Card__c", Account__c=account, Points__c=5)
    assert (id_[:3], prefix) == ("a00", "a00")
    (row,) = await house.query("SELECT Name, Account__r.Name FROM Card__c")
    assert (row["Name"], row["Account__r"]["Name"]) == ("CARD-0002", "A")  # a refused create used one up
    (row,) = await house.query("SELECT (SELECT Points__c FROM Cards__r) FROM Account")
    assert row["Cards__r"]["records"][0]["Points__c"] == 5.0


async def test_rules_of_the_administrator(house: House) -> None:
    await house.act(
        op="validation_rule", object="Contact", field="Title", value="King", message="No kings.", error_field="Title"
    )
    await house.act(op="duplicate_rule", object="Contact", field="Email")
    assert await code(house, "POST", "Contact", LastName="X", Title="King") == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    await house.create("Contact", LastName="X", Email="x@example.com")
    twin = {"LastName": "Y", "Email": "x@example.com"}
    assert await code(house, "POST", "Contact", **twin) == "DUPLICATES_DETECTED"
    saved = await house.call(
        "POST", "/sobjects/Contact", json=twin, headers={"sforce-duplicate-rule-header": "allowSave=true"}
    )
    assert saved.status_code == 201


async def test_several_currencies_add_a_code_to_every_amount(house: House) -> None:
    names = [one["name"] for one in (await house.call("GET", "/sobjects/Account/describe")).json()["fields"]]
    assert "CurrencyIsoCode" not in names
    assert (await house.act(op="query", soql=f"SELECT Name FROM User WHERE Username = '{ADMIN}'"))[0][
        "Name"
    ] == "Ada Novak"
