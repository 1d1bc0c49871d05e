"""What every org begins with: its organization, people, profiles, standard price book; and rows put in by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from syncd.sandbox.salesforce.catalog_sales import LEAD_STATUSES, STAGES
from syncd.sandbox.salesforce.org import ADMIN, INTEGRATION, SELLER, Org
from syncd.sandbox.salesforce.records import Row

SYNCED = (
    "Account", "Contact", "Lead", "Opportunity", "OpportunityLineItem", "Product2", "PricebookEntry", "Order",
    "OrderItem", "Campaign", "CampaignMember", "Case", "Pricebook2", "User",
)  # fmt: skip
"""Objects that get the caller's external id field in a provisioned org."""
TIERS = ("Bronze", "Silver", "Gold", "Platinum")
_PEOPLE = (
    (INTEGRATION, "Integration", "Syncd", "syncd"),
    (ADMIN, "Ada", "Novak", "anova"),
    (SELLER, "Mara", "Lindt", "mlind"),
)


def put(org: Org, kind: str, values: Mapping[str, Any], user: str = "", id_: str = "") -> Row:
    """A row as it is, without rules, ledger and events."""
    of = org.schema.kinds[kind]
    held = {name: value for name, value in values.items() if value is not None}
    row = Row(id_ or org.ids.new(of.prefix or "01J"), held, org.now(), user)
    table = org.table(of)
    table.add(row)
    table.touch(row)
    return row


def boot(org: Org) -> None:
    profile = put(org, "Profile", {"Name": "System Administrator", "UserType": "Standard"})
    put(org, "Profile", {"Name": "Customer Community Login User", "UserType": "CspLitePortal"})
    first = None
    for username, given, family, alias in _PEOPLE:
        values = {
            "Username": username, "FirstName": given, "LastName": family, "Email": username, "Alias": alias,
            "CommunityNickname": alias, "IsActive": True, "TimeZoneSidKey": "Europe/Berlin", "LocaleSidKey": "en_US",
            "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "ProfileId": profile.id,
        }  # fmt: skip
        row = put(org, "User", values)
        first = first or row
        row.created_by = row.modified_by = first.id
    admin = org.user(ADMIN)
    assert admin is not None
    profile.created_by = profile.modified_by = admin.id
    values = {"Name": "Sandbox", "OrganizationType": f"{org.profile.edition} Edition", "InstanceName": "SBX1",
              "IsSandbox": False, "DefaultLocaleSidKey": "en_US", "TimeZoneSidKey": "Europe/Berlin"}  # fmt: skip
    put(org, "Organization", values, admin.id, org.id)
    put(org, "Pricebook2", {"Name": "Standard Price Book", "IsActive": True, "IsStandard": True}, admin.id)
    for place, (name, converted) in enumerate(LEAD_STATUSES.items(), 1):
        held = {"IsConverted": converted, "IsDefault": place == 1, "SortOrder": float(place)}
        put(org, "LeadStatus", {"MasterLabel": name, "ApiName": name, **held}, admin.id)
    for place, (name, (chance, closed, won, forecast)) in enumerate(STAGES.items(), 1):
        stage = {
            "MasterLabel": name, "ApiName": name, "IsActive": True, "IsClosed": closed, "IsWon": won,
            "DefaultProbability": float(chance), "ForecastCategoryName": forecast, "SortOrder": float(place),
        }  # fmt: skip
        put(org, "OpportunityStage", stage, admin.id)
    for place, code in enumerate(org.profile.currencies):
        put(org, "CurrencyType", {"IsoCode": code, "ConversionRate": 1.0, "IsActive": True, "IsCorporate": place == 0},
            admin.id)  # fmt: skip


def provision(org: Org) -> None:
    """The custom fields a synced org has: the external id everywhere, and the usual homes of credit and tier."""
    key = {"name": org.profile.key_field, "type": "text", "length": 255, "unique": True, "externalId": True,
           "caseSensitive": True, "label": "Syncd Id"}  # fmt: skip
    for name in SYNCED:
        org.put_field(org.schema.kinds[name], key)
    for name in ("Account", "Contact"):
        kind = org.schema.kinds[name]
        org.put_field(kind, {"name": "Credit_Limit__c", "type": "currency", "precision": 18, "scale": 2})
        org.put_field(kind, {"name": "Pricing_Tier__c", "type": "picklist", "values": TIERS, "restricted": True})
    org.put_field(org.schema.kinds["Account"], {"name": "Payment_Terms__c", "type": "text", "length": 40})
    org.put_field(org.schema.kinds["Contact"], {"name": "Customer_Number__c", "type": "text", "length": 40,
                                                "externalId": True})  # fmt: skip


def seed(org: Org, kind: str, rows: Iterable[Mapping[str, Any]], username: str = SELLER) -> list[str]:
    """Many rows at once, as they are. Owners are filled in; auto-numbers too."""
    user = org.user(username)
    assert user is not None
    of, ids = org.schema.kinds[kind], []
    numbered = [one.name for one in of.fields.values() if one.auto_number]
    for given in rows:
        values = dict(given)
        if "OwnerId" in of.fields:
            values.setdefault("OwnerId", user.id)
        for name in numbered:
            values.setdefault(name, org.next_number(of, name))
        ids.append(put(org, kind, values, user.id).id)
    return ids
