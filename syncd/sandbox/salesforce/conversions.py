"""Deeds on several records at once that only SOAP and people's screens have: converting leads, merging duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from syncd.sandbox.salesforce.catalog_sales import LEAD_STATUSES
from syncd.sandbox.salesforce.errors import SalesforceError, bad_reference
from syncd.sandbox.salesforce.ids import normal
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.records import Row
from syncd.sandbox.salesforce.unit import Unit

_ACCOUNT_FIELDS = ("Phone", "Fax", "Website", "Industry", "Rating", "AnnualRevenue", "NumberOfEmployees")
_CONTACT_FIELDS = ("LastName", "FirstName", "Salutation", "Title", "Email", "Phone", "MobilePhone", "Fax", "LeadSource",
                   "HasOptedOutOfEmail", "DoNotCall", "Description")  # fmt: skip
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country")
MAX_LOSERS = 2


@dataclass(frozen=True, slots=True)
class Conversion:
    lead_id: str
    status: str
    account_id: str = ""
    contact_id: str = ""
    no_opportunity: bool = False
    opportunity_name: str = ""
    owner_id: str = ""


def convert(unit: Unit, wish: Conversion) -> dict[str, str]:
    """Returns accountId, contactId, opportunityId (empty when none was made) and leadId."""
    kinds = unit.org.schema.kinds
    lead = unit.need(kinds["Lead"], normal(wish.lead_id))
    if lead.values.get("IsConverted"):
        raise SalesforceError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot convert a lead that is converted already")
    if not LEAD_STATUSES.get(wish.status):
        raise SalesforceError("INVALID_STATUS", f"invalid convertedStatus: {wish.status}", ["convertedStatus"])
    owner = {"OwnerId": wish.owner_id or lead.values["OwnerId"]}
    account_id = _account(unit, lead, wish.account_id, owner)
    contact_id = _contact(unit, lead, wish, account_id, owner)
    opportunity_id = "" if wish.no_opportunity else _opportunity(unit, lead, wish, account_id, contact_id, owner)
    changes = {
        "Status": wish.status,
        "IsConverted": True,
        "ConvertedDate": unit.now[:10],
        "ConvertedAccountId": account_id,
        "ConvertedContactId": contact_id,
        "ConvertedOpportunityId": opportunity_id or None,
        "IsUnreadByOwner": False,
    }
    unit.put(kinds["Lead"], lead, changes)
    return {"accountId": account_id, "contactId": contact_id, "opportunityId": opportunity_id, "leadId": lead.id}


def _own(lead: Row, kind: ObjectType, names: Sequence[str]) -> dict[str, Any]:
    """Values of the lead, also of custom fields of the same name."""
    customs = [name for name, one in kind.fields.items() if one.custom and one.createable]
    return {name: lead.values[name] for name in (*names, *customs) if name in lead.values}


def _account(unit: Unit, lead: Row, given: str, owner: Mapping[str, Any]) -> str:
    kind = unit.org.schema.kinds["Account"]
    if given:
        return unit.need(kind, normal(given)).id
    place = {f"Billing{name}": lead.values[name] for name in _ADDRESS if name in lead.values}
    values = _without_key(unit, _own(lead, kind, _ACCOUNT_FIELDS))
    return unit.insert(kind, {"Name": lead.values["Company"], **values, **place, **owner}).id


def _contact(unit: Unit, lead: Row, wish: Conversion, account_id: str, owner: Mapping[str, Any]) -> str:
    kind = unit.org.schema.kinds["Contact"]
    if wish.contact_id:
        held = unit.need(kind, normal(wish.contact_id))
        if held.values.get("AccountId") != account_id:
            raise SalesforceError("INVALID_ARGUMENT_TYPE", "The contact does not belong to the account", ["contactId"])
        return held.id
    place = {f"Mailing{name}": lead.values[name] for name in _ADDRESS if name in lead.values}
    values = _without_key(unit, _own(lead, kind, _CONTACT_FIELDS))
    return unit.insert(kind, {**values, **place, "AccountId": account_id, **owner}).id


def _without_key(unit: Unit, values: dict[str, Any]) -> dict[str, Any]:
    """External ids stay with the lead."""
    return {name: value for name, value in values.items() if name != unit.org.profile.key_field}


def _opportunity(
    unit: Unit, lead: Row, wish: Conversion, account_id: str, contact_id: str, owner: Mapping[str, Any]
) -> str:
    kinds, today = unit.org.schema.kinds, date.fromisoformat(unit.now[:10])
    quarter_ends = date(today.year + today.month // 10, (today.month + 2) // 3 * 3 % 12 + 1, 1).toordinal() - 1
    values = {
        "Name": wish.opportunity_name or f"{lead.values['Company']}-",
        "StageName": "Prospecting",
        "CloseDate": date.fromordinal(quarter_ends).isoformat(),
        "AccountId": account_id,
        "LeadSource": lead.values.get("LeadSource"),
        **owner,
    }
    made = unit.insert(kinds["Opportunity"], values)
    unit.insert(kinds["OpportunityContactRole"], {"OpportunityId": made.id, "ContactId": contact_id, "IsPrimary": True})
    return made.id


def merge(unit: Unit, kind: ObjectType, master_id: str, loser_ids: Sequence[str], values: Mapping[str, Any]) -> Row:
    """The losers' related records move to the master, the losers are deleted and say who survived them."""
    if not kind.mergeable:
        raise SalesforceError("INVALID_TYPE_FOR_OPERATION", f"entity type {kind.name} does not support merge")
    if not 0 < len(loser_ids) <= MAX_LOSERS:
        raise SalesforceError("LIMIT_EXCEEDED", f"1 to {MAX_LOSERS} records can be merged into one")
    master = unit.need(kind, normal(master_id))
    for given in loser_ids:
        loser = unit.need(kind, normal(given))
        if loser is master:
            raise bad_reference("", loser.id)
        _move(unit, kind, loser, master)
        unit.put(kind, loser, {"MasterRecordId": master.id}, quiet=True)
        unit.remove(kind, loser)
        unit.changes[-1].values = {"MasterRecordId": master.id}
    if values:
        unit.update(kind, master.id, values)
    else:
        unit.put(kind, master, {})
    return master


def _move(unit: Unit, kind: ObjectType, loser: Row, master: Row) -> None:
    org = unit.org
    for other, one in list(org.schema.children(kind)):
        if one.name == "MasterRecordId" or not org.tables[other.name].has_index(one.name):
            continue
        for child in org.children(other.name, one.name, loser.id):
            target = master.id if child is not master else None
            unit.put(other, child, {one.name: target}, quiet=True)
