"""What only SOAP does: a lead converted, duplicates merged. Envelopes by hand, since it is two calls.

Neither is keyed at the vendor, so an answer that is lost is looked up before anything is sent again: a converted lead
says into what, a merged record names its master.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import VendorError
from syncd.systems.salesforce.auth import Auth, Token
from syncd.systems.salesforce.describe import MERGEABLE
from syncd.systems.salesforce.errors import failure_of_item, failure_of_reply
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.settings import Settings
from syncd.systems.salesforce.web import Web

ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
PARTNER: Final = "urn:partner.soap.sforce.com"
SOBJECT: Final = "urn:sobject.partner.soap.sforce.com"
LOSERS: Final = 2
"""How many a merge takes beside the master."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a lead became."""

    lead_id: str
    account_id: str
    contact_id: str
    opportunity_id: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    master_id: str
    absorbed: tuple[str, ...]


def envelope(session_id: str, client: str, call: str) -> bytes:
    """One call in its envelope. ``call`` is XML already; everything in it that came from outside was escaped."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}" xmlns:u="{PARTNER}" xmlns:s="{SOBJECT}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Header>'
        f"<u:SessionHeader><u:sessionId>{escape(session_id)}</u:sessionId></u:SessionHeader>"
        f"<u:CallOptions><u:client>{escape(client)}</u:client></u:CallOptions>"
        f"</soapenv:Header><soapenv:Body>{call}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def convert_call(
    lead_id: str, status: str, *, account_id: str = "", contact_id: str = "", opportunity: str | None = None
) -> str:
    """``opportunity`` names the one to make; ``None`` makes none."""
    parts = [
        _element("accountId", account_id) if account_id else "",
        _element("contactId", contact_id) if contact_id else "",
        _element("convertedStatus", status),
        _element("doNotCreateOpportunity", "true" if opportunity is None else "false"),
        _element("leadId", lead_id),
        _element("opportunityName", opportunity) if opportunity else "",
        _element("overwriteLeadSource", "false"),
        _element("sendNotificationEmail", "false"),
    ]
    return f"<u:convertLead><u:leadConverts>{''.join(parts)}</u:leadConverts></u:convertLead>"


def merge_call(object_: str, master_id: str, losers: Sequence[str], keep: Mapping[str, str]) -> str:
    """``keep`` holds values that the master takes over."""
    fields = "".join(f"<s:{name}>{escape(value)}</s:{name}>" for name, value in keep.items())
    record = f"<s:type>{escape(object_)}</s:type><s:Id>{escape(master_id)}</s:Id>{fields}"
    doomed = "".join(_element("recordToMergeIds", one) for one in losers)
    return f"<u:merge><u:request><u:masterRecord>{record}</u:masterRecord>{doomed}</u:request></u:merge>"


class Soap:
    """Raises :class:`VendorError`; its remedy is LOOK where the call may have been carried out."""

    def __init__(self, settings: Settings, web: Web, auth: Auth) -> None:
        self._settings = settings
        self._web = web
        self._auth = auth

    async def convert_lead(
        self, lead_id: str, status: str, lane: Lane, *, account_id: str = "", contact_id: str = "",
        opportunity: str | None = None,
    ) -> Conversion:  # fmt: skip
        """Make a lead into an account and a contact, or add it to those named. ``status`` is one of the org's converted
        statuses. Nobody is sent an e-mail."""
        _must_be_ids([lead_id, *(one for one in (account_id, contact_id) if one)])
        call = convert_call(
            lead_id, status, account_id=account_id, contact_id=contact_id, opportunity=opportunity
        )  # fmt: skip
        result = await self._result(call, lane)
        return Conversion(
            long_id(_text(result, "leadId") or lead_id), long_id(_text(result, "accountId")),
            long_id(_text(result, "contactId")), long_id(_text(result, "opportunityId")),
        )  # fmt: skip

    async def merge(
        self, object_: str, master_id: str, losers: Sequence[str], lane: Lane, keep: Mapping[str, str] | None = None
    ) -> Merged:
        """Merge up to two records into a master that an operator chose."""
        if object_.lower() not in MERGEABLE or not 0 < len(losers) <= LOSERS:
            told = f"a merge takes one or two records of {', '.join(sorted(MERGEABLE))}"
            raise VendorError(Failure(Remedy.ASK, "cannot-merge", told))
        _must_be_ids([master_id, *losers])
        names = dict(keep or {})
        if not all(one.replace("_", "").isalnum() for one in names):
            raise VendorError(Failure(Remedy.ASK, "bad-name", "a field to keep has no field's name"))
        result = await self._result(merge_call(object_, master_id, losers, names), lane)
        absorbed = tuple(long_id(one) for one in _texts(result, "mergedRecordIds"))
        return Merged(long_id(_text(result, "id") or master_id), absorbed or tuple(long_id(one) for one in losers))

    async def _result(self, call: str, lane: Lane) -> ET.Element:
        token = await self._auth.token(lane)
        try:
            return await self._send(token, call, lane)
        except VendorError as error:
            if error.failure.remedy is not Remedy.REFRESH:
                raise
        newer = await self._auth.renew(token, lane)
        if newer is None:
            raise VendorError(Failure(Remedy.STOP, "INVALID_SESSION_ID", "a token bought a moment ago is refused"))
        return await self._send(newer, call, lane)

    async def _send(self, token: Token, call: str, lane: Lane) -> ET.Element:
        reply = await self._web.soap(
            f"/services/Soap/u/{self._settings.api_version}",
            envelope(token.value.reveal(), self._settings.marker, call),
            lane,
        )
        tree = _tree(reply.body)
        if tree is None:
            raise VendorError(failure_of_reply(reply.status if reply.status >= 300 else 502, b"", writes=True))
        fault = _find(tree, "Fault")
        if fault is not None:
            code = _text(fault, "exceptionCode") or _text(fault, "faultcode").rpartition(":")[2]
            item = {"errors": [{"statusCode": code, "message": _text(fault, "faultstring")}]}
            raise VendorError(failure_of_item(item, creates=False))
        result = _find(tree, "result")
        if result is None:
            raise VendorError(Failure(Remedy.LOOK, "unreadable-reply", "the reply has no result", reply.status))
        if _text(result, "success") != "true":
            errors = [
                {
                    "statusCode": _text(one, "statusCode"),
                    "message": _text(one, "message"),
                    "fields": _texts(one, "fields"),
                }
                for one in result.iter()
                if _local(one) == "errors"
            ]
            raise VendorError(failure_of_item({"errors": errors}, creates=False))
        self._auth.proved(token)
        return result


def _must_be_ids(ids: Sequence[str]) -> None:
    if not all(is_id(one) for one in ids):
        raise VendorError(Failure(Remedy.ASK, "bad-id", "a record id is needed"))


def _element(name: str, value: str) -> str:
    return f"<u:{name}>{escape(value)}</u:{name}>"


def _tree(body: bytes) -> ET.Element | None:
    """The XML of a reply. One with a document type is refused: entities are how small XML becomes large."""
    if b"<!" in body[:2000]:
        return None
    try:
        return ET.fromstring(body)  # noqa: S314 - no document type, so no entities
    except ET.ParseError:
        return None


def _local(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _find(tree: ET.Element, name: str) -> ET.Element | None:
    return next((one for one in tree.iter() if _local(one) == name), None)


def _text(element: ET.Element, name: str) -> str:
    found = _find(element, name)
    return (found.text or "").strip() if found is not None else ""


def _texts(element: ET.Element, name: str) -> list[str]:
    return [(one.text or "").strip() for one in element.iter() if _local(one) == name]
