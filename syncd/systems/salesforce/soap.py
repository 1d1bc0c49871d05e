"""What only SOAP does: leads converted, duplicates merged, what was deleted brought back. Envelopes by hand, since it
is three calls.

None is keyed at the vendor, so an answer that is lost is looked up before anything is sent again: see
:mod:`syncd.systems.salesforce.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Sequence
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
LEADS: Final = 100
"""How many a call converts."""
UNDELETED: Final = 200
"""How many a call brings back."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A lead to convert: into an account and a contact of its own, or into those named (a contact only with its
    account). No opportunity is made: what is bought comes as an order."""

    lead_id: str
    status: str
    """One of the org's converted statuses."""
    account_id: str = ""
    contact_id: str = ""


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


def convert_call(wishes: Sequence[Wish]) -> str:
    """Nobody is sent an e-mail."""
    leads = []
    for one in wishes:
        parts = [
            _element("accountId", one.account_id) if one.account_id else "",
            _element("contactId", one.contact_id) if one.contact_id else "",
            _element("convertedStatus", one.status),
            _element("doNotCreateOpportunity", "true"),
            _element("leadId", one.lead_id),
            _element("overwriteLeadSource", "false"),
            _element("sendNotificationEmail", "false"),
        ]
        leads.append(f"<u:leadConverts>{''.join(parts)}</u:leadConverts>")
    return f"<u:convertLead>{''.join(leads)}</u:convertLead>"


def undelete_call(ids: Sequence[str]) -> str:
    return f"<u:undelete>{''.join(_element('ids', one) for one in ids)}</u:undelete>"


def merge_call(object_: str, master_id: str, losers: Sequence[str]) -> str:
    """The master keeps its own values."""
    record = f"<s:type>{escape(object_)}</s:type><s:Id>{escape(master_id)}</s:Id>"
    doomed = "".join(_element("recordToMergeIds", one) for one in losers)
    return f"<u:merge><u:request><u:masterRecord>{record}</u:masterRecord>{doomed}</u:request></u:merge>"


class Soap:
    """Raises :class:`VendorError`; its remedy is LOOK where the call may have been carried out."""

    def __init__(self, settings: Settings, web: Web, auth: Auth) -> None:
        self._settings = settings
        self._web = web
        self._auth = auth

    async def convert(self, wishes: Sequence[Wish], lane: Lane) -> list[str | Failure]:
        """The contact that each lead became, or why not."""
        _must_be_ids([one for wish in wishes for one in (wish.lead_id, wish.account_id, wish.contact_id) if one])
        results = await self._results(convert_call(wishes), len(wishes), lane)
        return [_failure(one) or long_id(_text(one, "contactId")) for one in results]

    async def merge(self, object_: str, master_id: str, losers: Sequence[str], lane: Lane) -> None:
        """Merge up to two records into a master."""
        if object_.lower() not in MERGEABLE or not 0 < len(losers) <= LOSERS:
            told = f"a merge takes one or two records of {', '.join(sorted(MERGEABLE))}"
            raise VendorError(Failure(Remedy.ASK, "cannot-merge", told))
        _must_be_ids([master_id, *losers])
        (result,) = await self._results(merge_call(object_, master_id, losers), 1, lane)
        failure = _failure(result)
        if failure is not None:
            raise VendorError(failure)

    async def undelete(self, ids: Sequence[str], lane: Lane) -> list[Failure | None]:
        """Bring back from the recycle bin; in the order of ``ids``."""
        _must_be_ids(ids)
        return [_failure(one) for one in await self._results(undelete_call(ids), len(ids), lane)]

    async def _results(self, call: str, count: int, lane: Lane) -> list[ET.Element]:
        token = await self._auth.token(lane)
        try:
            return await self._send(token, call, count, lane)
        except VendorError as error:
            if error.failure.remedy is not Remedy.REFRESH:
                raise
        newer = await self._auth.renew(token, lane)
        if newer is None:
            raise VendorError(Failure(Remedy.STOP, "INVALID_SESSION_ID", "a token bought a moment ago is refused"))
        return await self._send(newer, call, count, lane)

    async def _send(self, token: Token, call: str, count: int, lane: Lane) -> list[ET.Element]:
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
        results = [one for one in tree.iter() if _local(one) == "result"]
        if len(results) != count:
            told = "the reply has not one result for each record"
            raise VendorError(Failure(Remedy.LOOK, "unreadable-reply", told, reply.status))
        self._auth.proved(token)
        return results


def _failure(result: ET.Element) -> Failure | None:
    if _text(result, "success") == "true":
        return None
    errors = [
        {"statusCode": _text(one, "statusCode"), "message": _text(one, "message"), "fields": _texts(one, "fields")}
        for one in result.iter()
        if _local(one) == "errors"
    ]
    return failure_of_item({"errors": errors}, creates=False)


def _must_be_ids(ids: Sequence[str]) -> None:
    if not all(is_id(one) for one in ids):
        raise VendorError(Failure(Remedy.ASK, "bad-id", "a record id is needed"))


def _element(name: str, value: str) -> str:
    return f"<u:{name}>{escape(value)}</u:{name}>"


def _tree(body: bytes) -> ET.Element | None:
    """The XML of a reply. One with a document type is refused: entities are how small XML becomes large."""
    if b"<!DOCTYPE" in body or b"\0" in body:  # The second: an encoding in which the first would not be seen.
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
