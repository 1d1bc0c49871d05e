"""A Salesforce connection with a stand-in for the org behind a real socket, a payer that keeps books, and mappings."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.lens import AmountIn, Choice, Plain, Prefixed
from syncd.model.mapping import Capture, ChildMapping, Direction, FieldMapping, ObjectMapping, RelationMapping
from syncd.model.value import FieldType
from syncd.runtime.clock import ManualClock, SystemClock, World
from syncd.runtime.secret import Secret
from syncd.systems.contract import Call, Job, OutOfBudgetError
from syncd.systems.salesforce.settings import Settings
from syncd.systems.salesforce.system import Salesforce

NOW = 1_793_606_400_000
"""2026-11-02T08:00:00Z."""
DATE = "Mon, 02 Nov 2026 08:00:00 GMT"
KEY = "syncd_External_Id__c"
ROOT = "/services/data/v67.0/"
ORG_ID, USER_ID = "00D000000000001AAA", "005000000000001AAA"


@dataclass
class Books:
    """A payer that always pays, until told how many calls are left."""

    left: int | None = None
    spent: type[BaseException] | None = None
    """Raised when nothing is left, instead of the budget's own word."""
    paid: list[tuple[Call, Lane]] = field(default_factory=list)
    seen: list[tuple[Call, int, Mapping[str, str]]] = field(default_factory=list)

    @asynccontextmanager
    async def pay(self, call: Call, lane: Lane) -> AsyncIterator[None]:
        if self.left is not None:
            if self.left <= 0 and self.spent is not None:
                raise self.spent
            if self.left <= 0:
                raise OutOfBudgetError("daily", 7.5)
            self.left -= 1
        self.paid.append((call, lane))
        yield

    def observe(self, call: Call, status: int, headers: Mapping[str, str], seconds: float) -> None:
        self.seen.append((call, status, headers))


@dataclass
class Book:
    """A job book that forgets nothing."""

    noted: list[Job] = field(default_factory=list)
    closed: list[Job] = field(default_factory=list)

    async def begun(self, job: Job) -> None:
        self.noted.append(job)

    async def ended(self, job: Job) -> None:
        self.closed.append(job)


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    raw: bytes = b""

    @property
    def body(self) -> Any:
        if "form" in (self.headers.get("content-type") or ""):
            return dict(parse_qsl(self.raw.decode()))
        return json.loads(self.raw) if self.raw else None

    @property
    def tail(self) -> str:
        """The path below the REST root."""
        return self.path.removeprefix(ROOT)


@dataclass
class Answer:
    status: int = 200
    data: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Asked], Answer]


@dataclass
class Vendor:
    """Answers by routes; what was asked is kept. The newest route that fits answers."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    """Tokens that are refused."""
    date: str = DATE
    routes: list[tuple[str, re.Pattern[str], Handler]] = field(default_factory=list)
    described: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.route("POST", "/services/oauth2/token", self._token)
        self.route("GET", ROOT + r"sobjects/(\w+)/describe", self._describe)

    def route(self, method: str, path: str, handler: Handler) -> None:
        self.routes.insert(0, (method, re.compile(path), handler))

    def on(self, method: str, tail: str, handler: Handler) -> None:
        """A route below the REST root."""
        self.route(method, ROOT + tail, handler)

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if not asked.path.startswith("/services/oauth2"):
            token = asked.headers.get("authorization", "").removeprefix("Bearer ")
            if token in self.dead or ("authorization" in asked.headers and token not in self.tokens):
                return refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
        for method, pattern, handler in self.routes:
            if method == asked.method and pattern.fullmatch(asked.path):
                return handler(asked)
        return refusal(404, "NOT_FOUND", "The requested resource does not exist")

    def calls(self, tail: str = "", method: str = "") -> list[Asked]:
        return [
            one
            for one in self.asked
            if re.fullmatch(tail or ".*", one.tail) and (not method or one.method == method)
            and not one.path.startswith("/services/oauth2")
        ]  # fmt: skip

    def expire(self) -> None:
        self.dead.update(self.tokens)

    def _token(self, asked: Asked) -> Answer:
        self.tokens.append(f"00D!token.{len(self.tokens)}")
        return Answer(200, {
            "access_token": self.tokens[-1], "instance_url": self.url, "token_type": "Bearer",
            "id": f"{self.url}/id/{ORG_ID}/{USER_ID}", "issued_at": str(NOW), "signature": "x", "scope": "api",
        })  # fmt: skip

    def _describe(self, asked: Asked) -> Answer:
        name = asked.path.split("/")[-2]
        data = self.described.get(name)
        if data is None:
            return refusal(404, "NOT_FOUND", "The requested resource does not exist")
        stamp = "Sun, 01 Nov 2026 00:00:00 GMT"
        if asked.headers.get("if-modified-since") == stamp:
            return Answer(304)
        return Answer(200, data, {"last-modified": stamp})


def refusal(status: int, code: str, message: str = "no", fields: Sequence[str] = ()) -> Answer:
    return Answer(status, [{"errorCode": code, "message": message, "fields": list(fields)}])


def page(records: Sequence[Mapping[str, Any]], more: str = "") -> Answer:
    data: dict[str, Any] = {"totalSize": len(records), "done": not more, "records": list(records)}
    if more:
        data["nextRecordsUrl"] = more
    return Answer(200, data)


def done(id_: str, *, created: bool | None = None) -> dict[str, Any]:
    return {"id": id_, "success": True, "errors": []} | ({} if created is None else {"created": created})


def failed(code: str, message: str = "no", fields: Sequence[str] = ()) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": list(fields)}]}


def record_id(number: int, prefix: str = "003") -> str:
    from syncd.systems.salesforce.ids import long_id

    return long_id(f"{prefix}{number:012d}")


def contact(number: int, **more: Any) -> dict[str, Any]:
    return {
        "attributes": {"type": "Contact", "url": f"{ROOT}sobjects/Contact/{record_id(number)}"},
        "Id": record_id(number), "SystemModstamp": "2026-11-01T08:00:00.000+0000", "Email": f"p{number}@example.com",
        "FirstName": "Ada", "LastName": "Byron", "Account": None, KEY: f"customer-{number:020x}", **more,
    }  # fmt: skip


def field_of(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {
        "name": name, "type": kind, "createable": True, "updateable": True, "nillable": True, "calculated": False,
        "externalId": False, "unique": False, "caseSensitive": False, "length": 255, "referenceTo": [],
        "relationshipName": None, "compoundFieldName": None, **more,
    }  # fmt: skip


def described(name: str, *fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    fixed = {"createable": False, "updateable": False}
    common = [
        field_of("Id", "id", **fixed), field_of("SystemModstamp", "datetime", **fixed),
        field_of("LastModifiedDate", "datetime", **fixed), field_of("IsDeleted", "boolean", **fixed),
        field_of(KEY, externalId=True, unique=True, caseSensitive=True),
    ]  # fmt: skip
    return {
        "name": name, "createable": True, "updateable": True, "queryable": True, "replicateable": True,
        "keyPrefix": "003", "fields": [*common, *fields], **more,
    }  # fmt: skip


def reference(name: str, to: str, **more: Any) -> dict[str, Any]:
    return field_of(name, "reference", referenceTo=[to], relationshipName=name.removesuffix("Id"), **more)


CONTACT = described(
    "Contact",
    field_of("Name", compoundFieldName=None, createable=False, updateable=False),
    field_of("FirstName", compoundFieldName="Name"), field_of("LastName", compoundFieldName="Name"),
    field_of("Salutation", "picklist", compoundFieldName="Name"),
    field_of("Email", "email"), field_of("Phone", "phone"), field_of("Customer_Number__c"),
    field_of("Credit_Limit__c", "currency"), field_of("Price_Tier__c", "picklist"), field_of("Birthdate", "date"),
    field_of("DoNotCall", "boolean"), field_of("Score__c", "double"), field_of("Bio__c", "textarea"),
    field_of("MailingCity", compoundFieldName="MailingAddress"),
    field_of("MailingStreet", "textarea", compoundFieldName="MailingAddress"),
    field_of("Formula__c", calculated=True, createable=False, updateable=False),
    reference("AccountId", "Account"), reference("MasterRecordId", "Contact", createable=False, updateable=False),
)  # fmt: skip
OPPORTUNITY = described(
    "Opportunity",
    field_of("Name"), field_of("StageName", "picklist"), field_of("CloseDate", "date"), field_of("Amount", "currency"),
    field_of("Description", "textarea"), reference("AccountId", "Account"), reference("Contact__c", "Contact"),
)  # fmt: skip
LINE = described(
    "OpportunityLineItem",
    reference("OpportunityId", "Opportunity", updateable=False, nillable=False), field_of("Quantity", "double"),
    field_of("UnitPrice", "currency"), field_of("Description"), reference("Product2Id", "Product2", updateable=False),
)  # fmt: skip
ACCOUNT = described("Account", field_of("Name"), reference("ParentId", "Account"))


def vendor() -> Vendor:
    made = Vendor()
    made.described = {one["name"]: one for one in (CONTACT, OPPORTUNITY, LINE, ACCOUNT)}
    return made


@contextmanager
def served(vendor: Vendor) -> Iterator[Vendor]:
    """The vendor behind a true socket on loopback."""

    class Handling(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            raw = self._chunks() if "chunked" in (self.headers.get("transfer-encoding") or "") else self._whole()
            split = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, split.path, dict(parse_qsl(split.query)), headers, raw)
            answer = vendor.answer(asked)
            if answer.status == 0:  # The connection is cut without a reply.
                self.close_connection = True
                return
            body = answer.data if isinstance(answer.data, bytes) else b""
            if answer.data is not None and not isinstance(answer.data, bytes):
                body = json.dumps(answer.data).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if body and "content-type" not in answer.headers:
                self.send_header("content-type", "application/json;charset=UTF-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815

        def _whole(self) -> bytes:
            return self.rfile.read(int(self.headers.get("content-length") or 0))

        def _chunks(self) -> bytes:
            pieces = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return vendor.date

        def log_message(self, *args: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handling)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    vendor.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def world(seed: int = 1, clock: ManualClock | SystemClock | None = None) -> World:
    return World(clock or ManualClock(NOW), random.Random(seed))


def settings(url: str = "http://127.0.0.1:1", **more: Any) -> Settings:
    return Settings(**(
        {"connection": "crm", "login_url": url, "client_id": "key", "client_secret": Secret("hunter2"),
         "pubsub_url": "http://127.0.0.1:1", "currency": "EUR", "connect_seconds": 2.0, "read_seconds": 5.0} | more
    ))  # fmt: skip


@asynccontextmanager
async def connected(
    vendor: Vendor, books: Books | None = None, clock: ManualClock | SystemClock | None = None,
    jobs: Book | None = None, **more: Any,
) -> AsyncIterator[Salesforce]:  # fmt: skip
    system = Salesforce(settings(vendor.url, **more), books or Books(), world(clock=clock), jobs=jobs)
    await system.open()
    try:
        yield system
    finally:
        await system.close()


def plain(name: str, path: str, kind: FieldType = FieldType.TEXT, **more: Any) -> FieldMapping:
    return FieldMapping(name, (path,), Plain(kind), **more)


CONTACTS = ObjectMapping(
    entity="customer",
    connection="crm",
    object="Contact",
    fields=(
        plain("email", "Email", FieldType.EMAIL),
        plain("first_name", "FirstName"),
        plain("last_name", "LastName"),
        plain("phone", "Phone", FieldType.PHONE),
        plain("company", "Account.Name", direction=Direction.READ),
        plain("customer_number", "Customer_Number__c"),
        FieldMapping("credit_limit", ("Credit_Limit__c",), AmountIn("EUR")),
        plain("price_tier", "Price_Tier__c", FieldType.CHOICE),
    ),
    key_path=KEY,
    write=frozenset({Action.CREATE, Action.UPDATE}),
    capture=Capture(stream=True, poll_seconds=900, overlap_seconds=300),
)

PEOPLE = ObjectMapping(
    "customer", "crm", "Contact",
    (plain("email", "Email", FieldType.EMAIL), plain("first_name", "FirstName"), plain("last_name", "LastName")),
    key_path=KEY, write=frozenset({Action.CREATE, Action.UPDATE, Action.DELETE}),
    capture=Capture(stream=True, poll_seconds=900, overlap_seconds=60),
)  # fmt: skip
"""Contacts without a path through a parent, which reads by id and events can do without a query."""

DEALS = ObjectMapping(
    entity="cart",
    connection="crm",
    object="Opportunity",
    fields=(
        FieldMapping("email", ("Name",), Prefixed("Abandoned Cart: "), Direction.WRITE),
        FieldMapping("total", ("Amount",), AmountIn("EUR"), Direction.WRITE),
        plain("touched_at", "CloseDate", FieldType.INSTANT, direction=Direction.WRITE),
        FieldMapping("stage", ("StageName",), Choice({"abandoned": "Prospecting", "ordered": "Closed Won"})),
        plain("sales_note", "Description", direction=Direction.READ),
    ),
    key_path=KEY,
    write=frozenset({Action.CREATE, Action.UPDATE}),
    create_when="stage",
    relations=(RelationMapping("customer", "Contact", 0, "Contact__c"),),
    children=(
        ChildMapping(
            "items", "OpportunityLineItem",
            (plain("name", "Description"), plain("quantity", "Quantity", FieldType.INTEGER),
             FieldMapping("price", ("UnitPrice",), AmountIn("EUR"))),
            0, "OpportunityId",
        ),
    ),
)  # fmt: skip
