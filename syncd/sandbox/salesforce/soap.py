"""The SOAP API, as far as only SOAP has it: login, convertLead, merge, undelete, emptyRecycleBin, who am I."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from syncd.sandbox.http import Reply, Request
from syncd.sandbox.salesforce.conversions import Conversion, convert, merge
from syncd.sandbox.salesforce.errors import SalesforceError
from syncd.sandbox.salesforce.fields import moment_text
from syncd.sandbox.salesforce.ids import normal
from syncd.sandbox.salesforce.org import Caller
from syncd.sandbox.salesforce.sessions import App, Session
from syncd.sandbox.salesforce.unit import Unit

if TYPE_CHECKING:
    from syncd.sandbox.salesforce.simulator import SalesforceSandbox

LAST_LOGIN_VERSION = 64.0
_PATH = re.compile(r"/services/Soap/([uc])/(\d+\.\d+)(?:/\w+)?")
_NIL = 'xsi:nil="true"'
_SOAP_APP = App("soap-login", "", name="soap")


class _FaultError(Exception):
    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(code)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _child(element: ET.Element | None, name: str) -> ET.Element | None:
    return None if element is None else next((one for one in element if _local(one) == name), None)


def _text(element: ET.Element | None, name: str) -> str:
    found = _child(element, name)
    return (found.text or "").strip() if found is not None else ""


def _texts(element: ET.Element, name: str) -> list[str]:
    return [(one.text or "").strip() for one in element if _local(one) == name]


def _tag(name: str, value: str | None) -> str:
    return f"<{name} {_NIL}/>" if value is None else f"<{name}>{escape(value)}</{name}>"


class Soap:
    def __init__(self, vendor: SalesforceSandbox) -> None:
        self._vendor = vendor
        self._operations: dict[str, Callable[[ET.Element, Caller, Session], str]] = {
            "convertLead": self._convert_lead,
            "merge": self._merge,
            "undelete": lambda body, caller, _: self._each(body, caller, "undelete"),
            "delete": lambda body, caller, _: self._each(body, caller, "delete"),
            "emptyRecycleBin": lambda body, caller, _: self._each(body, caller, "purge"),
            "getUserInfo": self._user_info,
            "getServerTimestamp": lambda *_: _tag("timestamp", moment_text(vendor.room.clock.now_ms())[:19] + ".000Z"),
            "logout": self._logout,
        }

    def handle(self, request: Request, base: str) -> Reply:
        found = _PATH.fullmatch(request.path.rstrip("/"))
        if found is None:
            return Reply(404, b"<html><body>Not found</body></html>", content_type="text/html")
        style, version = found[1], found[2]
        try:
            return self._answer(request, base, style, version)
        except _FaultError as fault:
            return _fault(fault.code, fault.message, style)
        except SalesforceError as error:
            return _fault(error.code, error.message, style)

    def _answer(self, request: Request, base: str, style: str, version: str) -> Reply:
        if "soapaction" not in request.headers:
            raise _FaultError("soapenv:Client", "SOAPAction HTTP header missing")
        try:
            envelope = ET.fromstring(request.body)  # noqa: S314  # on loopback, from the sandbox's own callers
        except ET.ParseError as error:
            raise _FaultError("soapenv:Client", f"malformed envelope: {error}") from None
        header, body = _child(envelope, "Header"), _child(envelope, "Body")
        if body is None or not len(body):
            raise _FaultError("soapenv:Client", "the envelope has no body")
        call = body[0]
        name = _local(call)
        if not self._vendor.known_version(version):
            raise _FaultError("UNSUPPORTED_API_VERSION", f"API version {version} is not supported")
        if name == "login":
            return _reply("login", self._login(call, base, style, version), style)
        session = self._vendor.sessions.find(_text(_child(header, "SessionHeader"), "sessionId"))
        if session is None:
            raise _FaultError("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session")
        if name not in self._operations:
            raise _FaultError(
                "soapenv:Client", f"No operation available for request {{urn:partner.soap.sforce.com}}{name}"
            )
        self._vendor.limits.spend()
        client = _text(_child(header, "CallOptions"), "client")
        caller = Caller(session.user_id, session.app.name, "soap", version, client)
        return _reply(name, self._operations[name](call, caller, session), style)

    # -- sessions

    def _login(self, call: ET.Element, base: str, style: str, version: str) -> str:
        sessions = self._vendor.sessions
        if float(version) > LAST_LOGIN_VERSION:
            raise _FaultError("soapenv:Client", "No operation available for request {urn:partner.soap.sforce.com}login")
        user = sessions.check_password(_text(call, "username"), _text(call, "password"))
        if user is None:
            raise _FaultError("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
        if not sessions.legacy:
            raise _FaultError("INSUFFICIENT_ACCESS", "SOAP API login() is disabled for this org or user")
        session = sessions.open(user.id, _SOAP_APP, base)
        org_id = self._vendor.org.id
        return "".join(
            (
                _tag("metadataServerUrl", f"{base}/services/Soap/m/{version}/{org_id[:15]}"),
                _tag("passwordExpired", "false"),
                _tag("sandbox", "false"),
                _tag("serverUrl", f"{base}/services/Soap/{style}/{version}/{org_id[:15]}"),
                _tag("sessionId", session.token),
                _tag("userId", user.id),
                f"<userInfo>{self._user_tags(user.id)}</userInfo>",
            )
        )

    def _user_tags(self, user_id: str) -> str:
        org = self._vendor.org
        values = org.tables["User"].rows[user_id].values
        name = " ".join(filter(None, (values.get("FirstName"), values.get("LastName"))))
        pairs = {
            "organizationId": org.id,
            "organizationMultiCurrency": str(len(org.profile.currencies) > 1).lower(),
            "organizationName": "Sandbox",
            "profileId": values["ProfileId"],
            "sessionSecondsValid": str(self._vendor.sessions.idle_seconds),
            "userEmail": values["Email"],
            "userFullName": name,
            "userId": user_id,
            "userLanguage": values["LanguageLocaleKey"],
            "userLocale": values["LocaleSidKey"],
            "userName": values["Username"],
            "userTimeZone": values["TimeZoneSidKey"],
            "userType": "Standard",
        }
        return "".join(_tag(tag, value) for tag, value in pairs.items())

    def _user_info(self, call: ET.Element, caller: Caller, session: Session) -> str:  # noqa: ARG002
        return self._user_tags(session.user_id)

    def _logout(self, call: ET.Element, caller: Caller, session: Session) -> str:  # noqa: ARG002
        self._vendor.sessions.expire(f"Bearer {session.token}")
        return ""

    # -- deeds, each with a verdict

    def _verdict(self, caller: Caller, work: Callable[[Unit], str]) -> str:
        unit = Unit(self._vendor.org, caller)
        try:
            inner = work(unit)
        except SalesforceError as error:
            unit.rollback()
            fields = "".join(_tag("fields", name) for name in error.fields)
            trouble = f"{fields}{_tag('message', error.message)}{_tag('statusCode', error.code)}"
            return f"<result><errors>{trouble}</errors><success>false</success></result>"
        unit.commit()
        return f"<result>{inner}<success>true</success></result>"

    def _convert_lead(self, call: ET.Element, caller: Caller, session: Session) -> str:  # noqa: ARG002
        out = []
        for one in call:
            wish = Conversion(
                lead_id=_text(one, "leadId"),
                status=_text(one, "convertedStatus"),
                account_id=_text(one, "accountId"),
                contact_id=_text(one, "contactId"),
                no_opportunity=_text(one, "doNotCreateOpportunity") == "true",
                opportunity_name=_text(one, "opportunityName"),
                owner_id=normal(_text(one, "ownerId")),
            )

            def work(unit: Unit, wish: Conversion = wish) -> str:
                made = convert(unit, wish)
                return "".join(_tag(name, value or None) for name, value in made.items())

            out.append(self._verdict(caller, work))
        return "".join(out)

    def _merge(self, call: ET.Element, caller: Caller, session: Session) -> str:  # noqa: ARG002
        return "".join(self._merge_one(one, caller) for one in call)

    def _merge_one(self, request: ET.Element, caller: Caller) -> str:
        master, losers = _child(request, "masterRecord"), _texts(request, "recordToMergeIds")
        if master is None:
            raise _FaultError("INVALID_FIELD", "masterRecord is missing")
        kind = self._vendor.org.schema.find(_text(master, "type"))
        if kind is None:
            raise _FaultError("INVALID_TYPE", f"sObject type '{_text(master, 'type')}' is not supported.")
        cleared = dict.fromkeys(_texts(master, "fieldsToNull"))
        given = {_local(one): (one.text or "") for one in master}
        values: dict[str, Any] = {**given, **cleared}
        for name in ("type", "Id", "fieldsToNull"):
            values.pop(name, None)

        def work(unit: Unit) -> str:
            row = merge(unit, kind, _text(master, "Id"), losers, values)
            return _tag("id", row.id) + "".join(_tag("mergedRecordIds", normal(one)) for one in losers)

        return self._verdict(caller, work)

    def _each(self, call: ET.Element, caller: Caller, deed: str) -> str:
        out = []
        for given in [(one.text or "").strip() for one in call]:

            def work(unit: Unit, given: str = given) -> str:
                id_ = normal(given)
                kind = self._vendor.org.schema.of_id(id_)
                if kind is None:
                    raise SalesforceError("MALFORMED_ID", f"bad id {given}")
                getattr(unit, deed)(kind, id_)
                return _tag("id", id_)

            out.append(self._verdict(caller, work))
        return "".join(out)


def _namespace(style: str) -> str:
    return "urn:partner.soap.sforce.com" if style == "u" else "urn:enterprise.soap.sforce.com"


def _envelope(inner: str, more: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"{more}><soapenv:Body>{inner}</soapenv:Body>'
        "</soapenv:Envelope>"
    ).encode()


def _reply(name: str, inner: str, style: str) -> Reply:
    inside = inner if name != "login" and inner.startswith("<result>") else f"<result>{inner}</result>"
    body = _envelope(f"<{name}Response>{inside}</{name}Response>", f' xmlns="{_namespace(style)}"')
    return Reply(200, body, content_type="text/xml; charset=utf-8")


def _fault(code: str, message: str, style: str) -> Reply:
    namespace = f' xmlns:sf="{_namespace(style).replace("urn:", "urn:fault.")}"'
    if ":" in code:
        inner = f"<faultcode>{code}</faultcode><faultstring>{escape(message)}</faultstring>"
    else:
        kind = "LoginFault" if code == "INVALID_LOGIN" else "UnexpectedErrorFault"
        inner = (
            f"<faultcode>sf:{code}</faultcode><faultstring>{code}: {escape(message)}</faultstring>"
            f'<detail><sf:{kind} xsi:type="sf:{kind}"><sf:exceptionCode>{code}</sf:exceptionCode>'
            f"<sf:exceptionMessage>{escape(message)}</sf:exceptionMessage></sf:{kind}></detail>"
        )
    body = _envelope(f"<soapenv:Fault>{inner}</soapenv:Fault>", namespace)
    return Reply(500, body, content_type="text/xml; charset=utf-8")


def unavailable_fault(code: str, message: str) -> Reply:
    """A disturbance in SOAP's words."""
    return _fault(code, message, "u")
