"""What only SOAP serves: login of old, convertLead, merge, undelete."""

from __future__ import annotations

import re

import httpx

from syncd.sandbox.salesforce.org import ADMIN
from tests.sandbox.salesforce.conftest import House

PARTNER = "urn:partner.soap.sforce.com"


async def soap(house: House, body: str, *, version: str = "67.0", session: str = "") -> httpx.Response:
    token = session or house.token["access_token"]
    envelope = (
        f'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="{PARTNER}">'
        f"<soapenv:Header><urn:SessionHeader><urn:sessionId>{token}</urn:sessionId></urn:SessionHeader>"
        f"<urn:CallOptions><urn:client>syncd-pair</urn:client></urn:CallOptions></soapenv:Header>"
        f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
    headers = {"content-type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
    return await house.http.post(f"/services/Soap/u/{version}", content=envelope, headers=headers)


def tag(reply: httpx.Response, name: str) -> str:
    found = re.search(rf"<(?:sf:)?{name}>(.*?)</", reply.text)
    return found[1] if found else ""


async def test_a_lead_that_buys_becomes_account_contact_and_opportunity(house: House) -> None:
    lead = await house.create("Lead", LastName="Doe", Company="Acme", Email="ann@example.com", City="Bonn")
    wish = f"<urn:leadId>{lead}</urn:leadId><urn:convertedStatus>Closed - Converted</urn:convertedStatus>"
    body = f"<urn:convertLead><urn:leadConverts>{wish}</urn:leadConverts></urn:convertLead>"
    reply = await soap(house, body)
    assert (reply.status_code, tag(reply, "success"), tag(reply, "leadId")) == (200, "true", lead)
    row = await house.get("Lead", lead)
    assert row["IsConverted"] is True
    assert row["ConvertedContactId"] == tag(reply, "contactId")
    contact = await house.get("Contact", tag(reply, "contactId"))
    assert (contact["Email"], contact["AccountId"], contact["MailingCity"]) == (
        "ann@example.com", tag(reply, "accountId"), "Bonn",
    )  # fmt: skip
    deal = await house.get("Opportunity", tag(reply, "opportunityId"))
    assert (deal["Name"], deal["CloseDate"], deal["AccountId"]) == ("Acme-", "2026-12-31", tag(reply, "accountId"))
    assert await house.refused("PATCH", f"/sobjects/Lead/{lead}", json={"City": "x"}) == (
        400,
        "CANNOT_UPDATE_CONVERTED_LEAD",
    )
    again = await soap(house, body)
    assert (tag(again, "success"), tag(again, "statusCode")) == ("false", "CANNOT_UPDATE_CONVERTED_LEAD")


async def test_a_conversion_can_join_what_is_there_already(house: House) -> None:
    account = await house.create("Account", Name="Acme")
    contact = await house.create("Contact", LastName="Doe", AccountId=account)
    lead = await house.create("Lead", LastName="Doe", Company="Acme")
    wish = (
        f"<urn:leadId>{lead}</urn:leadId><urn:accountId>{account}</urn:accountId><urn:contactId>{contact}</urn:contactId>"
        "<urn:doNotCreateOpportunity>true</urn:doNotCreateOpportunity>"
        "<urn:convertedStatus>Closed - Converted</urn:convertedStatus>"
    )
    reply = await soap(house, f"<urn:convertLead><urn:leadConverts>{wish}</urn:leadConverts></urn:convertLead>")
    assert (tag(reply, "accountId"), tag(reply, "contactId"), tag(reply, "opportunityId")) == (account, contact, "")
    assert len(await house.query("SELECT Id FROM Account")) == 1


async def test_a_merge_moves_children_and_leaves_the_loser_with_its_masters_id(house: House) -> None:
    master, loser = [await house.create("Account", Name=name) for name in ("Keep", "Drop")]
    contact = await house.create("Contact", LastName="Doe", AccountId=loser)
    record = f"<urn:masterRecord><urn:type>Account</urn:type><urn:Id>{master}</urn:Id><urn:Site>x</urn:Site></urn:masterRecord>"
    body = f"<urn:merge><urn:request>{record}<urn:recordToMergeIds>{loser}</urn:recordToMergeIds></urn:request></urn:merge>"
    reply = await soap(house, body)
    assert (tag(reply, "success"), tag(reply, "id"), tag(reply, "mergedRecordIds")) == ("true", master, loser)
    assert (await house.get("Contact", contact))["AccountId"] == master
    assert (await house.get("Account", master))["Site"] == "x"
    (gone,) = await house.query(f"SELECT MasterRecordId, IsDeleted FROM Account WHERE Id = '{loser}'", "queryAll")
    assert (gone["MasterRecordId"], gone["IsDeleted"]) == (master, True)
    assert await house.refused("GET", f"/sobjects/Account/{loser}") == (404, "ENTITY_IS_DELETED")


async def test_undelete_brings_back_and_the_empty_bin_does_not(house: House) -> None:
    id_ = await house.create("Account", Name="A")
    await house.call("DELETE", f"/sobjects/Account/{id_}")
    reply = await soap(house, f"<urn:undelete><urn:ids>{id_}</urn:ids></urn:undelete>")
    assert (tag(reply, "success"), (await house.get("Account", id_))["IsDeleted"]) == ("true", False)
    await soap(house, f"<urn:delete><urn:ids>{id_}</urn:ids></urn:delete>")
    await soap(house, f"<urn:emptyRecycleBin><urn:ids>{id_}</urn:ids></urn:emptyRecycleBin>")
    reply = await soap(house, f"<urn:undelete><urn:ids>{id_}</urn:ids></urn:undelete>")
    assert tag(reply, "statusCode") == "UNDELETE_FAILED"


async def test_faults_have_the_vendors_shape(house: House) -> None:
    reply = await soap(house, "<urn:getUserInfo/>", session="nonsense")
    assert (reply.status_code, tag(reply, "exceptionCode")) == (500, "INVALID_SESSION_ID")
    assert "<faultcode>sf:INVALID_SESSION_ID</faultcode>" in reply.text
    assert tag(await soap(house, "<urn:getUserInfo/>"), "userName") == "integration@sandbox.example"
    assert (await soap(house, "<urn:dance/>")).status_code == 500


async def test_login_is_off_and_where_it_is_on_ends_with_version_64(house: House) -> None:
    await house.act(op="password", username=ADMIN, password="pwtoken")
    body = f"<urn:login><urn:username>{ADMIN}</urn:username><urn:password>pwtoken</urn:password></urn:login>"
    assert tag(await soap(house, body, version="64.0"), "exceptionCode") == "INSUFFICIENT_ACCESS"
    await house.act(op="legacy_login", on=True)
    assert "No operation available" in (await soap(house, body, version="65.0")).text
    reply = await soap(house, body, version="64.0")
    assert tag(reply, "serverUrl").startswith(house.box.url("salesforce"))
    assert tag(reply, "sessionId").startswith(house.vendor.org.id[:15])
