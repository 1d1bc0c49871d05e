"""Standard objects of sales and service: accounts, people, opportunities, campaigns, cases."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.salesforce.objects import (
    CASCADE,
    RESTRICT,
    ObjectType,
    address,
    area,
    choice,
    day,
    define,
    email,
    flag,
    kept,
    made,
    moment,
    money,
    number,
    percent,
    person_name,
    phone,
    ref,
    text,
    url,
    whole,
)

INDUSTRIES = "Agriculture|Apparel|Banking|Chemicals|Construction|Consulting|Education|Electronics|Energy|Engineering|Entertainment|Environmental|Finance|Food & Beverage|Government|Healthcare|Hospitality|Insurance|Machinery|Manufacturing|Media|Not For Profit|Other|Recreation|Retail|Shipping|Technology|Telecommunications|Transportation|Utilities"  # noqa: E501
SOURCES = "Web|Phone Inquiry|Partner Referral|Purchased List|Other"
RATINGS = "Hot|Warm|Cold"

STAGES: dict[str, tuple[int, bool, bool, str]] = {
    "Prospecting": (10, False, False, "Pipeline"),
    "Qualification": (10, False, False, "Pipeline"),
    "Needs Analysis": (20, False, False, "Pipeline"),
    "Value Proposition": (50, False, False, "Pipeline"),
    "Id. Decision Makers": (60, False, False, "Pipeline"),
    "Perception Analysis": (70, False, False, "Pipeline"),
    "Proposal/Price Quote": (75, False, False, "Pipeline"),
    "Negotiation/Review": (90, False, False, "Pipeline"),
    "Closed Won": (100, True, True, "Closed"),
    "Closed Lost": (0, True, False, "Omitted"),
}
"""Probability, whether closed, whether won, forecast category."""

LEAD_STATUSES = {
    "Open - Not Contacted": False,
    "Working - Contacted": False,
    "Closed - Converted": True,
    "Closed - Not Converted": False,
}
"""Whether a converted lead has it."""


def _expected(_: Any, row: Any) -> float | None:
    amount, chance = row.values.get("Amount"), row.values.get("Probability")
    return None if amount is None or chance is None else round(amount * chance / 100, 2)


def _has_lines(org: Any, row: Any) -> bool:
    return bool(org.children("OpportunityLineItem", "OpportunityId", row.id))


def _member_name(field: str) -> Any:
    def compute(org: Any, row: Any) -> Any:
        who = org.row(row.values.get("ContactId") or row.values.get("LeadId"))
        return who.values.get(field) if who else None

    return compute


def accounts() -> list[ObjectType]:
    account = define(
        "Account",
        "001",
        [
            kept(ref("MasterRecordId", "Account")),
            text("Name", 255, required=True, label="Account Name"),
            choice("Type", "Prospect|Customer - Direct|Customer - Channel|Channel Partner / Reseller|Other"),
            ref("ParentId", "Account", children="ChildAccounts"),
            address("Billing"),
            address("Shipping"),
            phone("Phone"),
            phone("Fax"),
            text("AccountNumber", 40),
            url("Website"),
            text("Sic", 20, label="SIC Code"),
            choice("Industry", INDUSTRIES),
            money("AnnualRevenue", 18, 0),
            whole("NumberOfEmployees", label="Employees"),
            choice("Ownership", "Public|Private|Subsidiary|Other"),
            text("TickerSymbol", 20),
            area("Description"),
            choice("Rating", RATINGS),
            text("Site", 80, label="Account Site"),
            choice("AccountSource", SOURCES),
        ],
        mergeable=True,
    )
    contact = define(
        "Contact",
        "003",
        [
            kept(ref("MasterRecordId", "Contact")),
            ref("AccountId", "Account", children="Contacts", on_delete=CASCADE),
            person_name(),
            address("Other"),
            address("Mailing"),
            phone("Phone", label="Business Phone"),
            phone("Fax"),
            phone("MobilePhone"),
            phone("HomePhone"),
            phone("OtherPhone"),
            phone("AssistantPhone"),
            ref("ReportsToId", "Contact"),
            email("Email", id_lookup=True),
            text("Title", 128),
            text("Department", 80),
            text("AssistantName", 40),
            choice("LeadSource", SOURCES),
            day("Birthdate"),
            area("Description"),
            flag("HasOptedOutOfEmail", label="Email Opt Out"),
            flag("DoNotCall"),
            kept(text("EmailBouncedReason", 255)),
            kept(moment("EmailBouncedDate")),
        ],
        mergeable=True,
    )
    return [account, contact, _lead()]


def _lead() -> ObjectType:
    return define(
        "Lead",
        "00Q",
        [
            kept(ref("MasterRecordId", "Lead")),
            person_name(),
            text("Title", 128),
            text("Company", 255, required=True),
            address(""),
            phone("Phone"),
            phone("MobilePhone"),
            phone("Fax"),
            email("Email", id_lookup=True),
            url("Website"),
            area("Description"),
            choice("LeadSource", SOURCES),
            choice("Status", "|".join(LEAD_STATUSES), required=True, default="Open - Not Contacted"),
            choice("Industry", INDUSTRIES),
            choice("Rating", RATINGS),
            money("AnnualRevenue", 18, 0),
            whole("NumberOfEmployees", label="Employees"),
            kept(flag("IsConverted", label="Converted")),
            kept(day("ConvertedDate")),
            kept(ref("ConvertedAccountId", "Account")),
            kept(ref("ConvertedContactId", "Contact")),
            kept(ref("ConvertedOpportunityId", "Opportunity")),
            flag("IsUnreadByOwner", default=True),
            flag("HasOptedOutOfEmail", label="Email Opt Out"),
            flag("DoNotCall"),
        ],
        mergeable=True,
    )


def opportunities() -> list[ObjectType]:
    opportunity = define(
        "Opportunity",
        "006",
        [
            ref("AccountId", "Account", children="Opportunities", on_delete=CASCADE),
            flag("IsPrivate", label="Private"),
            text("Name", 120, required=True),
            area("Description"),
            choice("StageName", "|".join(STAGES), required=True, label="Stage"),
            money("Amount"),
            percent("Probability"),
            made("ExpectedRevenue", "currency", _expected, precision=18, scale=2, label="Expected Amount"),
            number("TotalOpportunityQuantity", 18, 2, label="Quantity"),
            day("CloseDate", required=True),
            choice("Type", "Existing Customer - Upgrade|Existing Customer - Replacement|New Customer"),
            text("NextStep", 255),
            choice("LeadSource", SOURCES),
            kept(flag("IsClosed", label="Closed")),
            kept(flag("IsWon", label="Won")),
            choice("ForecastCategoryName", "Omitted|Pipeline|Best Case|Commit|Closed", label="Forecast Category"),
            ref("CampaignId", "Campaign", children="Opportunities"),
            made("HasOpportunityLineItem", "boolean", _has_lines, label="Has Line Item"),
            ref("Pricebook2Id", "Pricebook2"),
            ref("ContactId", "Contact", updateable=False),
        ],
    )
    role = define(
        "OpportunityContactRole",
        "00K",
        [
            ref("OpportunityId", "Opportunity", children="OpportunityContactRoles", on_delete=CASCADE, required=True,
                updateable=False),
            ref("ContactId", "Contact", children="OpportunityContactRoles", on_delete=CASCADE, required=True),
            choice("Role", "Business User|Decision Maker|Economic Buyer|Evaluator|Influencer|Other"),
            flag("IsPrimary", label="Primary"),
        ],
        label="Opportunity Contact Role",
        owned=False,
        name_field="",
    )  # fmt: skip
    return [opportunity, role]


def campaigns() -> list[ObjectType]:
    campaign = define(
        "Campaign",
        "701",
        [
            text("Name", 80, required=True),
            ref("ParentId", "Campaign", children="ChildCampaigns"),
            choice("Type", "Conference|Webinar|Trade Show|Partners|Advertisement|Direct Mail|Email|Other"),
            choice("Status", "Planned|In Progress|Completed|Aborted", default="Planned"),
            day("StartDate"),
            day("EndDate"),
            money("ExpectedRevenue", 18, 0),
            money("BudgetedCost", 18, 0),
            money("ActualCost", 18, 0),
            percent("ExpectedResponse", 10, 2),
            number("NumberSent", 18, 0),
            flag("IsActive", label="Active"),
            area("Description"),
            made("NumberOfContacts", "int", lambda org, row: _members(org, row, "ContactId")),
            made("NumberOfLeads", "int", lambda org, row: _members(org, row, "LeadId")),
        ],
    )  # fmt: skip
    member = define(
        "CampaignMember",
        "00v",
        [
            ref("CampaignId", "Campaign", children="CampaignMembers", on_delete=CASCADE, required=True,
                updateable=False),
            ref("LeadId", "Lead", children="CampaignMembers", on_delete=CASCADE, updateable=False),
            ref("ContactId", "Contact", children="CampaignMembers", on_delete=CASCADE, updateable=False),
            choice("Status", "Sent|Responded", default="Sent", restricted=True),
            made("HasResponded", "boolean", lambda _, row: row.values.get("Status") == "Responded"),
            kept(day("FirstRespondedDate")),
            made("FirstName", "string", _member_name("FirstName"), length=40),
            made("LastName", "string", _member_name("LastName"), length=80),
            made("Email", "email", _member_name("Email"), length=80),
        ],
        label="Campaign Member",
        owned=False,
        name_field="",
    )  # fmt: skip
    return [campaign, member]


def _members(org: Any, row: Any, field: str) -> int:
    members = org.children("CampaignMember", "CampaignId", row.id)
    return sum(1 for one in members if one.values.get(field))


def cases() -> list[ObjectType]:
    return [
        define(
            "Case",
            "500",
            [
                kept(ref("MasterRecordId", "Case")),
                text("CaseNumber", 30, auto_number="00000000", id_lookup=True),
                ref("ContactId", "Contact", children="Cases"),
                ref("AccountId", "Account", children="Cases", on_delete=RESTRICT),
                ref("ParentId", "Case", children="Cases"),
                text("SuppliedName", 80),
                email("SuppliedEmail"),
                phone("SuppliedPhone"),
                text("SuppliedCompany", 80),
                choice("Type", "Mechanical|Electrical|Electronic|Structural|Other"),
                choice("Status", "New|Working|Escalated|Closed", default="New"),
                choice("Reason", "Installation|Equipment Complexity|Performance|Breakdown|Feedback|Other"),
                choice("Origin", "Phone|Email|Web"),
                text("Subject", 255),
                choice("Priority", "High|Medium|Low", default="Medium"),
                area("Description"),
                kept(flag("IsClosed", label="Closed")),
                kept(moment("ClosedDate")),
                flag("IsEscalated", label="Escalated"),
            ],
            mergeable=True,
            name_field="CaseNumber",
        )
    ]
