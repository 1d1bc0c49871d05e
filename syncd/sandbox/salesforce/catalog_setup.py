"""Standard objects of setup: users, profiles, permission sets, the organization itself."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.salesforce.objects import (
    CASCADE,
    ObjectType,
    choice,
    define,
    email,
    flag,
    kept,
    made,
    moment,
    number,
    percent,
    person_name,
    phone,
    ref,
    text,
)


def _account_of_user(org: Any, row: Any) -> str | None:
    contact = org.row(row.values.get("ContactId"))
    return contact.values.get("AccountId") if contact else None


def users() -> list[ObjectType]:
    user = define(
        "User",
        "005",
        [
            text("Username", 80, required=True, unique=True, id_lookup=True),
            person_name(),
            text("CompanyName", 80),
            text("Division", 80),
            text("Department", 80),
            text("Title", 80),
            email("Email", required=True, id_lookup=True),
            text("Alias", 8, required=True),
            text("CommunityNickname", 40, label="Nickname"),
            flag("IsActive", default=True, label="Active"),
            choice("TimeZoneSidKey", "Europe/Berlin|Europe/London|America/New_York|America/Los_Angeles|GMT",
                   required=True, restricted=True, label="Time Zone"),
            choice("LocaleSidKey", "de_DE|en_GB|en_US|fr_FR|en_IE", required=True, restricted=True, label="Locale"),
            choice("EmailEncodingKey", "UTF-8|ISO-8859-1|Shift_JIS", required=True, restricted=True),
            choice("LanguageLocaleKey", "en_US|de|fr|es|it|ja", required=True, restricted=True, label="Language"),
            ref("ProfileId", "Profile", required=True),
            ref("UserRoleId", "UserRole"),
            made("UserType", "picklist", _user_type, length=40),
            text("EmployeeNumber", 20),
            phone("Phone"),
            phone("MobilePhone"),
            text("FederationIdentifier", 512, unique=True, case_sensitive=True, label="SAML Federation ID"),
            ref("ContactId", "Contact", children="Users", updateable=False),
            made("AccountId", "reference", _account_of_user, length=18, reference_to=("Account",)),
            ref("ManagerId", "User", children="ManagedUsers"),
            kept(moment("LastLoginDate")),
        ],
        setup=True,
        owned=False,
        deletable=False,
        undeletable=False,
    )  # fmt: skip
    return [user, *_rights()]


def _user_type(org: Any, row: Any) -> str:
    profile = org.row(row.values.get("ProfileId"))
    return (profile.values.get("UserType") if profile else None) or "Standard"


def _rights() -> list[ObjectType]:
    fixed: dict[str, Any] = {"setup": True, "owned": False, "undeletable": False, "changes": False}
    frozen: dict[str, Any] = {**fixed, "createable": False, "updateable": False, "deletable": False}
    return [
        define("Profile", "00e", [text("Name", 255), choice("UserType", "Standard|CspLitePortal|PowerCustomerSuccess")],
               **frozen),
        define("UserRole", "00E", [text("Name", 80, required=True), text("DeveloperName", 80)], label="Role", **fixed),
        define(
            "PermissionSet",
            "0PS",
            [
                text("Name", 80, required=True, unique=True, label="Permission Set Name"),
                text("Label", 80, required=True, label="Permission Set Label"),
                text("Description", 255),
                kept(flag("IsOwnedByProfile")),
                kept(flag("IsCustom", default=True)),
                ref("ProfileId", "Profile", updateable=False),
            ],
            label="Permission Set",
            **fixed,
        ),
        define(
            "PermissionSetAssignment",
            "0Pa",
            [
                ref("PermissionSetId", "PermissionSet", children="Assignments", on_delete=CASCADE, required=True),
                ref("AssigneeId", "User", children="PermissionSetAssignments", relationship="Assignee", required=True),
            ],
            label="Permission Set Assignment",
            name_field="",
            updateable=False,
            **fixed,
        ),
    ]  # fmt: skip


def organization() -> list[ObjectType]:
    frozen: dict[str, Any] = {"setup": True, "owned": False, "undeletable": False, "changes": False,
                              "createable": False, "updateable": False, "deletable": False}  # fmt: skip
    return [
        define(
            "Organization",
            "00D",
            [
                text("Name", 80),
                choice("OrganizationType", "Developer Edition|Enterprise Edition|Unlimited Edition"),
                text("InstanceName", 5),
                flag("IsSandbox"),
                text("NamespacePrefix", 15),
                choice("DefaultLocaleSidKey", "en_US"),
                choice("TimeZoneSidKey", "Europe/Berlin"),
            ],
            **frozen,
        ),
        define("LeadStatus", "", [text("MasterLabel", 255), text("ApiName", 255), flag("IsConverted"),
                                  flag("IsDefault"), number("SortOrder", 9)], name_field="MasterLabel",
               label="Lead Status Value", **frozen),
        define("OpportunityStage", "", [text("MasterLabel", 255), text("ApiName", 255), flag("IsActive"),
                                        flag("IsClosed"), flag("IsWon"), percent("DefaultProbability"),
                                        text("ForecastCategoryName", 40), number("SortOrder", 9)],
               name_field="MasterLabel", label="Opportunity Stage", **frozen),
        define("CurrencyType", "01L", [text("IsoCode", 3), number("ConversionRate", 18, 6), flag("IsActive"),
                                       flag("IsCorporate")], name_field="IsoCode", label="Currency Type", **frozen),
    ]  # fmt: skip
