"""What particular objects insist on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from syncd.sandbox.salesforce.catalog_sales import LEAD_STATUSES, STAGES
from syncd.sandbox.salesforce.errors import SalesforceError, missing
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.records import Row

if TYPE_CHECKING:
    from syncd.sandbox.salesforce.unit import Unit

Values = dict[str, Any]
Before = Callable[["Unit", Row | None, Values], None]


def before(unit: Unit, kind: ObjectType, row: Row | None, values: Values) -> None:
    """May change and add values, or refuse. ``row`` is ``None`` for a new one."""
    rule = _BEFORE.get(kind.name)
    if rule is not None:
        rule(unit, row, values)


def before_delete(unit: Unit, kind: ObjectType, row: Row) -> bool:
    """Refuses, or says whether the row is to be deleted at all."""
    rule = _BEFORE_DELETE.get(kind.name)
    return rule(unit, row) if rule is not None else True


def after(unit: Unit, kind: ObjectType, row: Row, what: str, values: Mapping[str, Any]) -> None:
    rule = _AFTER.get(kind.name)
    if rule is not None:
        rule(unit, row, what, values)


def _now(row: Row | None, values: Values, name: str) -> Any:
    """A value as it will be."""
    return values[name] if name in values else row.values.get(name) if row else None


# -- accounts and people


def _no_circle(field: str, kind: str) -> Before:
    def rule(unit: Unit, row: Row | None, values: Values) -> None:
        above = values.get(field)
        if row is None or not above:
            return
        seen = {row.id}
        while above:
            if above in seen:
                raise SalesforceError(
                    "CIRCULAR_DEPENDENCY", f"attempt to violate hierarchy constraints: {field} makes a circle", [field]
                )
            seen.add(above)
            held = unit.org.tables[kind].rows.get(above)
            above = held.values.get(field) if held else None

    return rule


def _lead(unit: Unit, row: Row | None, values: Values) -> None:  # noqa: ARG001
    if row is not None and row.values.get("IsConverted"):
        raise SalesforceError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    status = values.get("Status")
    if status and LEAD_STATUSES.get(status) and not _now(row, values, "IsConverted"):
        raise SalesforceError("INVALID_STATUS", "The status of a lead that is not converted cannot be a converted one",
                              ["Status"])  # fmt: skip


def _user(unit: Unit, row: Row | None, values: Values) -> None:
    username = values.get("Username")
    if username is not None and "@" not in username:
        raise SalesforceError("INVALID_EMAIL_ADDRESS", f"Username: invalid email address: {username}", ["Username"])
    contact = values.get("ContactId")
    if row is None and contact:
        held = unit.org.row(contact)
        if held is not None and not held.values.get("AccountId"):
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", "portal user must belong to a contact with an account",
                                  ["ContactId"])  # fmt: skip
    if row is None and not values.get("CommunityNickname") and username:
        values["CommunityNickname"] = username.partition("@")[0][:40]


# -- opportunities


def _opportunity(unit: Unit, row: Row | None, values: Values) -> None:
    stage = values.get("StageName")
    if stage is not None:
        chance, closed, won, forecast = STAGES.get(stage, (0, False, False, "Pipeline"))
        values.setdefault("Probability", float(chance))
        values.update(IsClosed=closed, IsWon=won, ForecastCategoryName=forecast)
    if row is None:
        return
    lines = unit.org.children("OpportunityLineItem", "OpportunityId", row.id)
    if lines and "Amount" in values and values["Amount"] != row.values.get("Amount"):
        del values["Amount"]
    if lines and values.get("Pricebook2Id", row.values.get("Pricebook2Id")) != row.values.get("Pricebook2Id"):
        raise SalesforceError(
            "FIELD_INTEGRITY_EXCEPTION",
            "Price Book ID: field integrity exception (Opportunity has opportunity products; the price book cannot be "
            "changed)",
            ["Pricebook2Id"],
        )


def _opportunity_line(unit: Unit, row: Row | None, values: Values) -> None:
    org = unit.org
    if row is None:
        _line_from_product(unit, values)
        entry = org.row(values.get("PricebookEntryId"))
        if entry is not None:
            values["Product2Id"] = entry.values["Product2Id"]
            _one_book(unit, "Opportunity", values.get("OpportunityId"), entry)
    quantity = _now(row, values, "Quantity")
    if quantity == 0:
        raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", "Quantity: quantity must not be zero", ["Quantity"])
    if values.get("UnitPrice") is not None and values.get("TotalPrice") is not None:
        raise SalesforceError(
            "FIELD_INTEGRITY_EXCEPTION",
            "field integrity exception: UnitPrice, TotalPrice (specify either unit price or total price)",
            ["UnitPrice", "TotalPrice"],
        )
    if row is None and values.get("UnitPrice") is None and values.get("TotalPrice") is None:
        raise missing(["UnitPrice"])
    if quantity:
        share = 1 - (_now(row, values, "Discount") or 0) / 100
        if values.get("TotalPrice") is not None:
            values["UnitPrice"] = round(values["TotalPrice"] / quantity / (share or 1), 2)
        else:
            values["TotalPrice"] = float(round((_now(row, values, "UnitPrice") or 0) * quantity * share, 2))


def _line_from_product(unit: Unit, values: Values) -> None:
    """A line may name a product instead of a price book entry."""
    org = unit.org
    if values.get("PricebookEntryId") or not values.get("Product2Id"):
        if not values.get("PricebookEntryId"):
            raise missing(["PricebookEntryId"])
        return
    parent = org.row(values.get("OpportunityId"))
    book = parent.values.get("Pricebook2Id") if parent else None
    held = org.children("PricebookEntry", "Product2Id", values["Product2Id"])
    found = next((one for one in held if book is None or one.values["Pricebook2Id"] == book), None)
    if found is None:
        raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", "field integrity exception: PricebookEntryId (pricebook "
                              "entry is in a different pricebook than the one assigned to the opportunity)",
                              ["PricebookEntryId"])  # fmt: skip
    values["PricebookEntryId"] = found.id


def _one_book(unit: Unit, kind: str, parent_id: str | None, entry: Row) -> None:
    """All lines of an order or opportunity come from its price book; the first one may choose it."""
    org = unit.org
    parent, book = org.row(parent_id), entry.values["Pricebook2Id"]
    if not entry.values.get("IsActive") or entry.values.get("IsArchived"):
        raise SalesforceError("FIELD_INTEGRITY_EXCEPTION",
                              "field integrity exception: PricebookEntryId (pricebook entry has been inactivated)",
                              ["PricebookEntryId"])  # fmt: skip
    if parent is None:
        return
    held = parent.values.get("Pricebook2Id")
    if held is None and kind == "Opportunity":
        unit.put(org.schema.kinds[kind], parent, {"Pricebook2Id": book}, quiet=True)
    elif held != book:
        raise SalesforceError(
            "FIELD_INTEGRITY_EXCEPTION",
            "field integrity exception: PricebookEntryId (pricebook entry is in a different pricebook than the one "
            f"assigned to the {kind.lower()})",
            ["PricebookEntryId"],
        )


def _sum_up(unit: Unit, row: Row, what: str, values: Mapping[str, Any]) -> None:  # noqa: ARG001
    """The opportunity's amount is the sum of its lines."""
    org = unit.org
    parent = org.row(row.values.get("OpportunityId"))
    if parent is None:
        return
    lines = org.children("OpportunityLineItem", "OpportunityId", parent.id)
    total = float(round(sum(one.values.get("TotalPrice") or 0 for one in lines), 2))
    if parent.values.get("Amount") != total and (lines or what == "delete"):
        unit.put(org.schema.kinds["Opportunity"], parent, {"Amount": total}, quiet=True)


# -- prices and orders


def _entry(unit: Unit, row: Row | None, values: Values) -> None:
    org = unit.org
    if row is not None or not values.get("Product2Id") or not values.get("Pricebook2Id"):
        return
    book, currency = org.row(values["Pricebook2Id"]), values.get("CurrencyIsoCode")
    same = [
        one
        for one in org.children("PricebookEntry", "Product2Id", values["Product2Id"])
        if one.values.get("CurrencyIsoCode") == currency
    ]
    if any(one.values["Pricebook2Id"] == values["Pricebook2Id"] for one in same):
        raise SalesforceError("DUPLICATE_VALUE", "This price definition already exists in this price book", [])
    if book is None or book.values.get("IsStandard"):
        return
    base = next((one for one in same if (org.row(one.values["Pricebook2Id"]) or one).values.get("IsStandard")), None)
    if base is None:
        raise SalesforceError("STANDARD_PRICE_NOT_DEFINED", "Before creating a custom price, create a standard price.",
                              [])  # fmt: skip
    if values.get("UseStandardPrice"):
        values["UnitPrice"] = base.values.get("UnitPrice")


def _entry_in_use(unit: Unit, row: Row) -> bool:
    """Deleting a price that lines refer to archives it instead."""
    org = unit.org
    used = any(org.children(kind, "PricebookEntryId", row.id) for kind in ("OrderItem", "OpportunityLineItem"))
    if used:
        unit.put(org.schema.kinds["PricebookEntry"], row, {"IsArchived": True, "IsActive": False})
    return not used


def _book(unit: Unit, row: Row) -> bool:  # noqa: ARG001
    if row.values.get("IsStandard"):
        raise SalesforceError("DELETE_FAILED", "the standard price book cannot be deleted")
    return True


def _order(unit: Unit, row: Row | None, values: Values) -> None:
    status = values.get("Status")
    if row is None:
        if status is not None and status != "Draft":
            raise SalesforceError("FAILED_ACTIVATION", "Choose a valid order status and save your changes. Ask your "
                                  "admin for details: an order must be created as a draft.", ["Status"])  # fmt: skip
        return
    was = row.values.get("Status")
    if was == "Activated" and status in {None, "Activated"}:
        frozen = [name for name in ("AccountId", "Pricebook2Id", "EffectiveDate")
                  if name in values and values[name] != row.values.get(name)]  # fmt: skip
        if frozen:
            raise SalesforceError(
                "FIELD_INTEGRITY_EXCEPTION", f"An activated order cannot be changed: {frozen[0]}", frozen
            )
    if status == "Activated" and was != "Activated":
        if not unit.org.children("OrderItem", "OrderId", row.id):
            raise SalesforceError("FAILED_ACTIVATION", "An order must have at least one product.", [])
        values.update(ActivatedDate=unit.now, ActivatedById=unit.caller.user_id)
    if status == "Draft" and was == "Activated":
        values.update(ActivatedDate=None, ActivatedById=None)


def _order_delete(unit: Unit, row: Row) -> bool:  # noqa: ARG001
    if row.values.get("Status") == "Activated":
        raise SalesforceError("DELETE_FAILED", "an activated order cannot be deleted")
    return True


def _order_item(unit: Unit, row: Row | None, values: Values) -> None:
    org = unit.org
    parent = org.row(_now(row, values, "OrderId"))
    if parent is not None and parent.values.get("Status") == "Activated":
        blocked = row is None or any(name in values for name in ("Quantity", "UnitPrice"))
        if blocked:
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", "A product of an activated order cannot be changed",
                                  ["OrderId"])  # fmt: skip
    if row is None:
        entry = org.row(values.get("PricebookEntryId"))
        if entry is not None:
            values["Product2Id"] = entry.values["Product2Id"]
            _one_book(unit, "Order", values.get("OrderId"), entry)


def _order_item_delete(unit: Unit, row: Row) -> bool:
    parent = unit.org.row(row.values.get("OrderId"))
    if parent is not None and parent.values.get("Status") == "Activated":
        raise SalesforceError("DELETE_FAILED", "an order product of an activated order cannot be deleted")
    return True


# -- campaigns, cases, permissions


def _member(unit: Unit, row: Row | None, values: Values) -> None:
    if values.get("Status") == "Responded" and (row is None or not row.values.get("FirstRespondedDate")):
        values["FirstRespondedDate"] = unit.now[:10]
    if row is not None:
        return
    who = [values.get("ContactId"), values.get("LeadId")]
    if not any(who):
        raise missing(["ContactId", "LeadId"])
    if all(who):
        raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", "a campaign member is a contact or a lead, not both",
                              ["ContactId", "LeadId"])  # fmt: skip
    name = "ContactId" if values.get("ContactId") else "LeadId"
    for one in unit.org.children("CampaignMember", name, values[name]):
        if one.values.get("CampaignId") == values.get("CampaignId"):
            raise SalesforceError("DUPLICATE_VALUE", "Already a campaign member.", [])


def _case(unit: Unit, row: Row | None, values: Values) -> None:
    status = values.get("Status")
    if status is not None:
        closed = status == "Closed"
        was = bool(row and row.values.get("IsClosed"))
        values["IsClosed"] = closed
        if closed != was:
            values["ClosedDate"] = unit.now if closed else None
    contact = values.get("ContactId")
    if row is None and contact and not values.get("AccountId"):
        held = unit.org.row(contact)
        values["AccountId"] = held.values.get("AccountId") if held else None
    _no_circle("ParentId", "Case")(unit, row, values)


def _assignment(unit: Unit, row: Row | None, values: Values) -> None:
    if row is not None:
        return
    for one in unit.org.children("PermissionSetAssignment", "AssigneeId", values.get("AssigneeId") or ""):
        if one.values.get("PermissionSetId") == values.get("PermissionSetId"):
            who, what = values["AssigneeId"], values["PermissionSetId"]
            message = f"Duplicate PermissionSetAssignment. Assignee: {who}; Permission Set: {what}"
            raise SalesforceError("DUPLICATE_VALUE", message, [])


def _contact(unit: Unit, row: Row | None, values: Values) -> None:
    _no_circle("ReportsToId", "Contact")(unit, row, values)


_BEFORE: dict[str, Before] = {
    "Account": _no_circle("ParentId", "Account"),
    "Campaign": _no_circle("ParentId", "Campaign"),
    "Contact": _contact,
    "Lead": _lead,
    "User": _user,
    "Opportunity": _opportunity,
    "OpportunityLineItem": _opportunity_line,
    "PricebookEntry": _entry,
    "Order": _order,
    "OrderItem": _order_item,
    "CampaignMember": _member,
    "Case": _case,
    "PermissionSetAssignment": _assignment,
}
_BEFORE_DELETE: dict[str, Callable[[Unit, Row], bool]] = {
    "PricebookEntry": _entry_in_use,
    "Pricebook2": _book,
    "Order": _order_delete,
    "OrderItem": _order_item_delete,
}
_AFTER: dict[str, Callable[[Unit, Row, str, Mapping[str, Any]], None]] = {"OpportunityLineItem": _sum_up}
