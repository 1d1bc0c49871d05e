"""A HubSpot connection with a stand-in for the network, a payer that keeps books, and the standard mappings."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.lens import Choice, MoneyPair, Plain, Prefixed, Stringly
from syncd.model.mapping import Capture, ChildMapping, Direction, FieldMapping, ObjectMapping, RelationMapping
from syncd.model.value import FieldType
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.systems.contract import Call, OutOfBudgetError
from syncd.systems.hubspot.settings import Settings
from syncd.systems.hubspot.system import HubSpot

NOW = 1_793_606_400_000
TOKEN = "pat-eu1-11111111-2222-3333-4444-555555555555"
KEY = "syncd_external_id"


@dataclass
class Books:
    """A payer that always pays, until told how many calls are left."""

    left: int | None = None
    paid: list[tuple[Call, Lane]] = field(default_factory=list)
    seen: list[tuple[Call, int, Mapping[str, str]]] = field(default_factory=list)

    @asynccontextmanager
    async def pay(self, call: Call, lane: Lane) -> AsyncIterator[None]:
        if self.left is not None:
            if self.left <= 0:
                raise OutOfBudgetError("ten_seconds", 7.5)
            self.left -= 1
        self.paid.append((call, lane))
        yield

    def observe(self, call: Call, status: int, headers: Mapping[str, str], seconds: float) -> None:
        self.seen.append((call, status, headers))


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: Mapping[str, str]
    raw: bytes = b""

    @property
    def ids(self) -> list[str]:
        return [one["id"] for one in self.body["inputs"]]


@dataclass
class Vendor:
    """Answers by a function of the request; what was asked is kept."""

    answer: Callable[[Asked], httpx.Response]
    asked: list[Asked] = field(default_factory=list)
    sockets: set[Any] = field(default_factory=set)
    date: str = "Mon, 02 Nov 2026 08:00:00 GMT"

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)

    def handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append(
            Asked(request.method, request.url.path, dict(request.url.params), body, dict(request.headers))
        )
        return self.answer(self.asked[-1])

    def count(self) -> Counter[str]:
        return Counter(one.path.split("2026-03/")[-1] for one in self.asked)


@contextmanager
def served(vendor: Vendor) -> Iterator[str]:
    """The same vendor behind a true socket on loopback, for the client that brings its own network. Yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(size)
            split = urlsplit(self.path)
            form = "form" in (self.headers.get("content-type") or "")
            body = dict(parse_qsl(raw.decode())) if form else json.loads(raw) if raw else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            query: dict[str, Any] = {}
            for name, value in parse_qsl(split.query):
                query[name] = [*query[name], value] if isinstance(query.get(name), list) else value
            vendor.asked.append(Asked(self.command, split.path, query, body, headers, raw))
            vendor.sockets.add(self.client_address)
            answer = vendor.answer(vendor.asked[-1])
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in {"content-length", "date"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = handle_any  # noqa: N815

        def date_time_string(self, timestamp: float | None = None) -> str:
            return vendor.date

        def log_message(self, *args: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(status: int, data: Any = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
    if isinstance(data, bytes):
        return httpx.Response(status, content=data, headers=headers)
    return httpx.Response(status, content=b"" if data is None else json.dumps(data).encode(), headers=headers)


def envelope(results: list[Any], errors: list[Any] | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": "x", "completedAt": "y"}
    if errors:
        data |= {"numErrors": len(errors), "errors": errors}
    return data


def obj(id_: str, properties: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    stamp = "2026-11-01T08:00:00.123Z"
    return {"id": id_, "properties": {"hs_object_id": id_, **(properties or {})}, "createdAt": stamp,
            "updatedAt": stamp, "archived": False, **more}  # fmt: skip


def world(seed: int = 1) -> World:
    return World(ManualClock(NOW), random.Random(seed))


def settings(**more: Any) -> Settings:
    return Settings(**({"connection": "crm", "access_token": Secret(TOKEN)} | more))


def system(vendor: Vendor, books: Books | None = None, **more: Any) -> HubSpot:
    return HubSpot(settings(**more), books or Books(), world(), transport=vendor.transport())


def text(name: str, path: str, type_: FieldType = FieldType.TEXT, **more: Any) -> FieldMapping:
    return FieldMapping(name, (path,), Stringly(type_), **more)


CONTACTS = ObjectMapping(
    entity="customer",
    connection="crm",
    object="contacts",
    fields=(
        text("email", "email", FieldType.EMAIL),
        text("first_name", "firstname"),
        text("last_name", "lastname"),
        text("phone", "phone", FieldType.PHONE),
        text("company", "company"),
        text("customer_number", "customer_number"),
        FieldMapping("credit_limit", ("credit_limit", "credit_limit_currency"), MoneyPair()),
        FieldMapping("price_tier", ("price_tier",), Plain(FieldType.CHOICE)),
    ),
    key_path=KEY,
    write=frozenset({Action.CREATE, Action.UPDATE}),
    capture=Capture(poll_seconds=900, webhook=True, overlap_seconds=60),
)

DEALS = ObjectMapping(
    entity="cart",
    connection="crm",
    object="deals",
    fields=(
        FieldMapping("email", ("dealname",), Prefixed("Abandoned Cart: ")),
        FieldMapping("total", ("amount", "deal_currency_code"), MoneyPair()),
        FieldMapping("stage", ("dealstage",),
                     Choice({"abandoned": "abandoned_checkout", "ordered": "won", "emptied": "lost"})),
        text("sales_note", "description", direction=Direction.READ),
    ),
    key_path=KEY,
    constants={"pipeline": "ecommerce_pipeline"},
    write=frozenset({Action.CREATE, Action.UPDATE}),
    create_when="stage",
    relations=(RelationMapping("customer", "contacts", 3),),
    children=(
        ChildMapping("items", "line_items", (
            text("name", "name"), text("quantity", "quantity"), text("sku", "hs_sku"),
            FieldMapping("price", ("price", "hs_line_item_currency_code"), MoneyPair()),
        ), 20),
    ),
)  # fmt: skip

PLAIN_DEALS = ObjectMapping(
    "cart", "crm", "deals", (text("email", "dealname"), text("total", "amount")), key_path=KEY,
    write=frozenset({Action.CREATE, Action.UPDATE}), relations=DEALS.relations, children=DEALS.children,
)  # fmt: skip
"""Deals without a pipeline, so that the account's pipelines need not be asked for."""
