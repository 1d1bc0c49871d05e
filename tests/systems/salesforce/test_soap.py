"""The calls that only SOAP has, in their envelopes."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import VendorError
from syncd.systems.salesforce.soap import Soap, Wish
from syncd.systems.salesforce.system import Salesforce

from .kit import Answer, Asked, Vendor, connected, record_id

LEAD, ACCOUNT, CONTACT = record_id(1, "00Q"), record_id(2, "001"), record_id(3)
WISH = Wish(LEAD, "Converted")


def envelope(inner: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        f"{inner}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def answers(org: Vendor, *replies: tuple[int, str | bytes]) -> list[Asked]:
    asked: list[Asked] = []
    left = list(replies)

    def answer(one: Asked) -> Answer:
        asked.append(one)
        status, inner = left.pop(0)
        return Answer(status, inner if isinstance(inner, bytes) else envelope(inner), {"content-type": "text/xml"})

    org.route("POST", "/services/Soap/u/67.0", answer)
    return asked


def fault(code: str, message: str = "no") -> tuple[int, str]:
    return (
        500,
        f"<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring></soapenv:Fault>",
    )


CONVERTED = (200, (
    f"<convertLeadResponse><result><accountId>{ACCOUNT}</accountId><contactId>{CONTACT}</contactId>"
    f"<leadId>{LEAD}</leadId><opportunityId xsi:nil='true'/><success>true</success></result></convertLeadResponse>"
))  # fmt: skip


def texts(asked: Asked) -> dict[str, Any]:
    return {str(one.tag).rpartition("}")[2]: one.text for one in ET.fromstring(asked.raw).iter()}


def soap_of(crm: Salesforce) -> Soap:
    return Soap(crm._settings, crm._web, crm._auth)


async def test_a_lead_becomes_an_account_and_a_contact(org: Vendor) -> None:
    asked = answers(org, CONVERTED)
    async with connected(org) as crm:
        made = await soap_of(crm).convert([Wish(LEAD, "Closed <1> & more", ACCOUNT)], Lane.OPERATOR)
    assert made == [CONTACT]
    told = texts(asked[0])
    assert told["sessionId"] == "00D!token.0"
    assert told["client"] == "syncd-crm"
    assert (told["leadId"], told["convertedStatus"], told["accountId"]) == (LEAD, "Closed <1> & more", ACCOUNT)
    assert (told["doNotCreateOpportunity"], told["sendNotificationEmail"]) == ("true", "false")


async def test_a_session_that_ended_is_renewed_once(org: Vendor) -> None:
    asked = answers(
        org, CONVERTED, fault("INVALID_SESSION_ID"), CONVERTED, fault("INVALID_SESSION_ID"), fault("INVALID_SESSION_ID")
    )
    async with connected(org) as crm:
        for _ in range(2):
            await soap_of(crm).convert([WISH], Lane.OPERATOR)
        with pytest.raises(VendorError) as caught:
            await soap_of(crm).convert([WISH], Lane.OPERATOR)
    assert caught.value.failure.code == "INVALID_SESSION_ID"
    assert len(asked) == 5
    assert len(org.tokens) == 3


@pytest.mark.parametrize(("reply", "remedy", "code"), [
    (fault("UNKNOWN_EXCEPTION"), Remedy.LOOK, "UNKNOWN_EXCEPTION"),
    (fault("INVALID_FIELD"), Remedy.ASK, "INVALID_FIELD"),
    ((503, b"<html><body>maintenance"), Remedy.LOOK, "bad-response"),
    ((200, b"<html>hm"), Remedy.LOOK, "bad-response"),
    ((200, "<nothing/>"), Remedy.LOOK, "unreadable-reply"),
    ((200, b"<?xml version='1.0'?>" + b" " * 3000 + b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'), Remedy.LOOK, "bad-response"),
    ((200, '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'.encode("utf-16")), Remedy.LOOK, "bad-response"),
    ((200, b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'), Remedy.LOOK, "bad-response"),
])  # fmt: skip
async def test_every_other_answer_is_told_for_what_it_is(org: Vendor, reply: Any, remedy: Remedy, code: str) -> None:
    answers(org, reply)
    async with connected(org) as crm:
        with pytest.raises(VendorError) as caught:
            await soap_of(crm).convert([WISH], Lane.OPERATOR)
    assert (caught.value.failure.remedy, caught.value.failure.code) == (remedy, code)


async def test_each_record_of_a_call_has_its_own_end(org: Vendor) -> None:
    refused = (
        "<result><errors><fields>Status</fields><message>bad</message><statusCode>INVALID_STATUS</statusCode></errors>"
        "<success>false</success></result>"
    )
    fine = f"<result><contactId>{CONTACT}</contactId><success>true</success></result>"
    answers(org, (200, f"<convertLeadResponse>{refused}{fine}</convertLeadResponse>"),
            (200, f"<undeleteResponse>{fine}{refused}</undeleteResponse>"))  # fmt: skip
    async with connected(org) as crm:
        bad, good = await soap_of(crm).convert([WISH, WISH], Lane.OPERATOR)
        assert isinstance(bad, Failure)
        assert (bad.remedy, bad.code, bad.fields, bad.single) == (Remedy.ASK, "INVALID_STATUS", ("Status",), True)
        assert good == CONTACT
        back, lost = await soap_of(crm).undelete([CONTACT, ACCOUNT], Lane.OPERATOR)
        assert back is None
        assert lost is not None


async def test_a_merge_names_its_master(org: Vendor) -> None:
    loser = record_id(4)
    asked = answers(org, (200, (f"<mergeResponse><result><id>{CONTACT}</id><mergedRecordIds>{loser}</mergedRecordIds>"
                               "<success>true</success></result></mergeResponse>")))  # fmt: skip
    async with connected(org) as crm:
        await soap_of(crm).merge("Contact", CONTACT, [loser], Lane.OPERATOR)
    told = texts(asked[0])
    assert (told["type"], told["Id"], told["recordToMergeIds"]) == ("Contact", CONTACT, loser)


async def test_what_cannot_be_merged_or_converted_is_not_sent(org: Vendor) -> None:
    async with connected(org) as crm:
        soap = soap_of(crm)
        for call in (
            lambda: soap.merge("Opportunity", CONTACT, [CONTACT], Lane.OPERATOR),
            lambda: soap.merge("Contact", CONTACT, [], Lane.OPERATOR),
            lambda: soap.merge("Contact", CONTACT, [record_id(n) for n in range(3)], Lane.OPERATOR),
            lambda: soap.merge("Contact", "</u:Id>", [CONTACT], Lane.OPERATOR),
            lambda: soap.convert([Wish("nobody", "Converted")], Lane.OPERATOR),
            lambda: soap.undelete(["nobody"], Lane.OPERATOR),
        ):
            with pytest.raises(VendorError) as caught:
                await call()
            assert caught.value.failure.remedy is Remedy.ASK
    assert not org.asked
