"""The two calls that only SOAP has."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.systems.contract import VendorError

from .kit import Answer, Asked, Vendor, connected, record_id

LEAD, ACCOUNT, CONTACT = record_id(1, "00Q"), record_id(2, "001"), record_id(3)


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


async def test_a_lead_becomes_an_account_and_a_contact(org: Vendor) -> None:
    asked = answers(org, CONVERTED)
    async with connected(org) as crm:
        made = await crm.convert_lead(LEAD, "Closed - Converted", Lane.OPERATOR, opportunity="Deal <1> & more")
    assert (made.account_id, made.contact_id, made.opportunity_id) == (ACCOUNT, CONTACT, "")
    told = texts(asked[0])
    assert told["sessionId"] == "00D!token.0"
    assert told["client"] == "syncd-crm"
    assert (told["leadId"], told["opportunityName"]) == (LEAD, "Deal <1> & more")
    assert (told["doNotCreateOpportunity"], told["sendNotificationEmail"]) == ("false", "false")


async def test_a_session_that_ended_is_renewed_once(org: Vendor) -> None:
    asked = answers(
        org, CONVERTED, fault("INVALID_SESSION_ID"), CONVERTED, fault("INVALID_SESSION_ID"), fault("INVALID_SESSION_ID")
    )
    async with connected(org) as crm:
        for _ in range(2):
            await crm.convert_lead(LEAD, "Converted", Lane.OPERATOR)
        with pytest.raises(VendorError) as caught:
            await crm.convert_lead(LEAD, "Converted", Lane.OPERATOR)
    assert caught.value.failure.code == "INVALID_SESSION_ID"
    assert len(asked) == 5
    assert len(org.tokens) == 3


@pytest.mark.parametrize(("reply", "remedy", "code"), [
    (fault("UNKNOWN_EXCEPTION"), Remedy.LOOK, "UNKNOWN_EXCEPTION"),
    (fault("INVALID_FIELD"), Remedy.ASK, "INVALID_FIELD"),
    ((200, ("<convertLeadResponse><result><errors><fields>Status</fields><message>bad</message><statusCode>INVALID_STATUS"
           "</statusCode></errors><success>false</success></result></convertLeadResponse>")), Remedy.ASK, "INVALID_STATUS"),
    ((503, b"<html><body>maintenance"), Remedy.LOOK, "bad-response"),
    ((200, b"<html>hm"), Remedy.LOOK, "bad-response"),
    ((200, "<nothing/>"), Remedy.LOOK, "unreadable-reply"),
    ((200, b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'), Remedy.LOOK, "bad-response"),
])  # fmt: skip
async def test_every_other_answer_is_told_for_what_it_is(org: Vendor, reply: Any, remedy: Remedy, code: str) -> None:
    answers(org, reply)
    async with connected(org) as crm:
        with pytest.raises(VendorError) as caught:
            await crm.convert_lead(LEAD, "Converted", Lane.OPERATOR)
    assert (caught.value.failure.remedy, caught.value.failure.code) == (remedy, code)


async def test_a_merge_names_its_master_and_what_it_takes_over(org: Vendor) -> None:
    loser = record_id(4)
    asked = answers(org, (200, (f"<mergeResponse><result><id>{CONTACT}</id><mergedRecordIds>{loser}</mergedRecordIds>"
                               "<success>true</success></result></mergeResponse>")))  # fmt: skip
    async with connected(org) as crm:
        made = await crm.merge("Contact", CONTACT, [loser], Lane.OPERATOR, {"Phone": "<1>"})
    assert (made.master_id, made.absorbed) == (CONTACT, (loser,))
    told = texts(asked[0])
    assert (told["type"], told["Id"], told["Phone"], told["recordToMergeIds"]) == ("Contact", CONTACT, "<1>", loser)


async def test_what_cannot_be_merged_or_converted_is_not_sent(org: Vendor) -> None:
    async with connected(org) as crm:
        for call in (
            lambda: crm.merge("Opportunity", CONTACT, [CONTACT], Lane.OPERATOR),
            lambda: crm.merge("Contact", CONTACT, [], Lane.OPERATOR),
            lambda: crm.merge("Contact", CONTACT, [record_id(n) for n in range(3)], Lane.OPERATOR),
            lambda: crm.merge("Contact", "</u:Id>", [CONTACT], Lane.OPERATOR),
            lambda: crm.merge("Contact", CONTACT, [record_id(5)], Lane.OPERATOR, {"a><b": "x"}),
            lambda: crm.convert_lead("nobody", "Converted", Lane.OPERATOR),
        ):
            with pytest.raises(VendorError) as caught:
                await call()
            assert caught.value.failure.remedy is Remedy.ASK
    assert not org.asked
