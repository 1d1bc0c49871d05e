"""The simulated store: sign-in, windows and disturbances around the V2, V3 and B2B Edition APIs, on one port.

Below ``/stores/<hash>/v2`` and ``/v3`` is the store, below ``/api/v3/io`` B2B Edition. What the vendor would refuse is
refused in its words. Of the catalogue there are products with one variant each. Not simulated: GraphQL, shipping,
quotes, invoices, channel-scoped webhooks.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from email.utils import formatdate
from typing import Any, ClassVar

import orjson

from syncd.sandbox.bigcommerce import (
    accounts,
    b2b_rest,
    carts,
    catalog,
    customers,
    groups,
    hooks,
    information,
    inhabitants,
    metafields,
    orders,
    people,
    pricelists,
)
from syncd.sandbox.bigcommerce.accounts import Accounts, ApiAccount, default_accounts
from syncd.sandbox.bigcommerce.call import Answer, Call
from syncd.sandbox.bigcommerce.errors import B2B, V2, V3, ApiError, not_found
from syncd.sandbox.bigcommerce.limits import PLANS, Limits, LimitSettings, pattern_of
from syncd.sandbox.bigcommerce.sender import SenderSettings, WebhookSender
from syncd.sandbox.bigcommerce.store import Store, StoreSettings
from syncd.sandbox.http import Reply, Request
from syncd.sandbox.vendor import HUMAN, ActError, Room, Vendor
from syncd.sandbox.world.world import World

_GZIP_FROM_BYTES = 1400
_READS = frozenset({"GET", "HEAD"})
Handler = Callable[[Call], Answer]

_V2: Mapping[str, tuple[str, Handler]] = {
    "store": (accounts.INFORMATION, information.store),
    "time": ("", information.time),
    "customer_groups": (accounts.CUSTOMERS, groups.answer),
    "orders": (accounts.ORDERS, orders.answer),
    "order_statuses": (accounts.ORDERS, orders.statuses),
}
_V3: Mapping[str, tuple[str, Handler]] = {
    "customers": (accounts.CUSTOMERS, customers.answer),
    "carts": (accounts.CARTS, carts.answer),
    "checkouts": (accounts.CARTS, carts.checkouts),
    "abandoned-carts": (accounts.CARTS, carts.abandoned),
    "pricelists": (accounts.PRODUCTS, pricelists.answer),
    "channels": (accounts.CHANNELS, information.channels),
    "orders": (accounts.ORDERS, orders.v3_parts),
    "catalog": (accounts.PRODUCTS, catalog.answer),
}


class BigcommerceSandbox(Vendor):
    name = "bigcommerce"
    plans = tuple(PLANS)
    words: ClassVar[Mapping[str, str]] = {
        "create": "create_customer", "edit": "edit_customer", "delete": "delete_customer",
        "drop_field": "delete_attribute", "stop_webhooks": "deactivate_hook", "use_quota": "spend",
    }  # fmt: skip

    def __init__(
        self,
        room: Room,
        *,
        settings: StoreSettings | None = None,
        clients: Sequence[ApiAccount] = (),
        limits: LimitSettings | None = None,
        webhooks: SenderSettings | None = None,
    ) -> None:
        super().__init__(room)
        self.settings = settings or StoreSettings()
        self.accounts = Accounts(clients or default_accounts())
        self._former: dict[str, str] = {}
        self.store = Store(self.settings, room.clock, room.dice, self._note, self._tell)
        self.limits = Limits(room.clock, limits or LimitSettings())
        self.sender = WebhookSender(
            webhooks or SenderSettings(),
            self.store,
            room.faults,
            random.Random(room.dice.random()),
            self._secret_of,
            lambda: carts.abandon_idle(self.store),
        )
        self._locks = random.Random(room.dice.random())
        self.recording = True
        """Whether effects go to the ledger and to webhooks; off while a history is seeded."""
        self.revoked: dict[str, ApiAccount] = {}
        information.add_channel(self.store, {"name": "Storefront", "type": "storefront", "platform": "bigcommerce"})
        b2b_rest.predefine(self.store)

    @classmethod
    def on_plan(cls, plan: str) -> dict[str, Any]:
        return {"limits": LimitSettings(per_thirty_seconds=PLANS[plan]), "settings": StoreSettings(plan=plan.title())}

    def _note(self, effect: str, kind: str, row: Mapping[str, Any], values: Mapping[str, Any], actor: str) -> None:
        if self.recording:
            key = str(row.get("email") or row.get("uuid") or row.get("external_order_id") or "")
            self.applied(effect, kind, str(row["id"]), key=key, values=values, actor=actor)

    def _tell(self, scope: str, data: Any) -> None:
        if self.recording:
            self.sender.tell(scope, data)

    def _secret_of(self, client_id: str) -> str:
        try:
            return self.accounts.named(client_id).client_secret
        except KeyError:
            return self._former.get(client_id, "")

    # -- requests

    async def handle(self, request: Request) -> Reply:
        shape = _shape(request)
        headers = {"date": formatdate(self.room.clock.now_ms() / 1000, usegmt=True)}
        try:
            status, body = await self._answer(request, shape, headers)
            reply = Reply(status, b"" if body is None else orjson.dumps(body), headers)
        except ApiError as error:
            refusal = error.reply(shape)
            reply = Reply(refusal.status, refusal.body, {**headers, **refusal.headers})
        if "x-correlation-id" in request.headers:
            reply.headers["x-correlation-id"] = request.headers["x-correlation-id"]
        return _packed(request, reply)

    async def _answer(self, request: Request, shape: str, headers: dict[str, str]) -> Answer:
        """Fills ``headers`` on the way."""
        account = self.accounts.of(request)
        params = dict(request.params())
        if shape == B2B:
            return self._b2b(Call(self.store, account, request, request.segments()[3:], params), headers)
        parts = request.segments()
        if len(parts) < 4 or parts[0] != "stores" or parts[1] != self.settings.hash or parts[2] not in (V2, V3):
            raise not_found()
        headers |= self.limits.spend()
        self._may_be_locked(request)
        _check_types(request)
        call = Call(self.store, account, request, parts[3:], params)
        scope, handler = self._where(call, shape)
        account.require(scope, write=request.method not in _READS)
        key = self.limits.limited(request.method, pattern_of(call.rest))
        with self.limits.slot(key):
            answer = handler(call)
            if key and self.limits.settings.work_seconds:
                await self.room.clock.sleep(self.limits.settings.work_seconds)
            elif key:
                await asyncio.sleep(0)
        return answer

    def _may_be_locked(self, request: Request) -> None:
        """The faults ``locked`` and ``conflict``: somebody else is at the resource."""
        throw = self._locks.random()
        if request.method in _READS:
            return
        if throw < self.room.faults.plan.locked:
            raise ApiError(423, "The resource is locked by another process.")
        if self.room.faults.next_conflict():
            raise ApiError(409, "The request conflicts with another one that is being processed.")

    def _where(self, call: Call, shape: str) -> tuple[str, Handler]:
        routes = _V2 if shape == V2 else _V3
        if shape == V3 and call.rest[0] == "hooks":
            return "", lambda one: hooks.answer(one, self.sender)
        if call.rest[0] not in routes:
            raise not_found()
        scope, handler = routes[call.rest[0]]
        if shape == V3 and metafields.is_asked(call.rest):
            return scope, metafields.answer
        if call.rest[:2] == ["abandoned-carts", "settings"]:
            return accounts.INFORMATION, handler
        return scope, handler

    def _b2b(self, call: Call, headers: dict[str, str]) -> Answer:
        if call.request.headers.get("x-store-hash") != self.settings.hash:
            raise ApiError(401, "Unauthorized")
        headers |= self.limits.spend_b2b()
        _check_types(call.request)
        call.account.require(accounts.B2B_EDITION, write=call.method not in _READS)
        return b2b_rest.answer(call)

    # -- disturbances, in the vendor's words

    def overloaded(self, request: Request) -> Reply:
        return ApiError(429, "Too many requests").reply(_shape(request))

    def broken(self, request: Request) -> Reply:
        return ApiError(500, "An internal error occurred.").reply(_shape(request))

    def unavailable(self, request: Request) -> Reply:
        return ApiError(503, "The store is under maintenance.").reply(_shape(request))

    def expire_token(self, request: Request) -> None:
        """Tokens do not expire here: they stay until the API account is removed."""

    # -- the judge and the people

    def counts(self) -> dict[str, int]:
        counts = {kind: len(table) for kind, table in self.store.tables().items()}
        return {**counts, "carts": len(self.store.carts), "price_records": len(list(self._price_records()))}

    def objects(self) -> Mapping[str, Iterable[Mapping[str, Any]]]:
        kinds: dict[str, Iterable[Mapping[str, Any]]] = {
            kind: table.rows() for kind, table in self.store.tables().items() if kind != "customers"
        }
        everything = {"attributes", "addresses", "formfields", "storecredit"}
        kinds["customers"] = (customers.shown(self.store, one, everything) for one in self.store.customers.ids())
        kinds["carts"] = (carts.shown(row) for row in self.store.carts.values())
        kinds["price_records"] = self._price_records()
        return kinds

    def _price_records(self) -> Iterable[Mapping[str, Any]]:
        return (row for rows in self.store.price_records.values() for row in rows.values())

    def populate(self, world: World) -> None:
        inhabitants.populate(self, world)

    async def act(self, deed: Mapping[str, Any]) -> Any:
        """What :mod:`~syncd.sandbox.bigcommerce.people` do, anything else that the control panel does by the same means
        (``panel``: ``method``, ``path``, ``body``), and switches of the simulator: ``settings``, ``plan``,
        ``limits``, ``webhooks``, ``webhook_counts``, ``deactivate_hook``, ``spend`` (another app uses the quota up),
        ``revoke``, ``restore``, ``reissue`` (hooks and metafields of the client go out of sight), ``narrow`` (its
        scopes)."""
        try:
            if deed.get("op") == "panel":
                return self._panel(str(deed["method"]), str(deed["path"]), deed.get("body"))
            return self._switch(deed) if deed.get("op") in _SWITCHES else people.act(self, deed)
        except ApiError as error:
            raise ActError(str(error)) from error

    def _panel(self, method: str, path: str, body: Any) -> Any:
        """The body of the answer. People have every right, and no quota."""
        target, _, query = path.partition("?")
        content = b"" if body is None else orjson.dumps(body)
        request = Request(method, target, query, {}, content, path)
        parts, params = request.segments(), dict(request.params())
        account = ApiAccount("", HUMAN, "", accounts.ALL_SCOPES, HUMAN)
        if parts[0] == "b2b":
            return b2b_rest.answer(Call(self.store, account, request, parts[1:], params))[1]
        call = Call(self.store, account, request, parts[1:], params)
        return self._where(call, parts[0])[1](call)[1]

    def _switch(self, deed: Mapping[str, Any]) -> Any:
        match deed["op"]:
            case "settings":
                for name, value in deed["settings"].items():
                    if not hasattr(self.settings, name):
                        raise ActError(f"no setting {name!r}")
                    setattr(self.settings, name, value)
            case "plan":
                self.settings.plan = str(deed["plan"])
                quota = PLANS[self.settings.plan.casefold()]
                self.limits.settings = replace(self.limits.settings, per_thirty_seconds=quota)
            case "limits":
                self.limits.settings = LimitSettings(**deed["settings"])
            case "webhooks":
                self.sender.settings = replace(self.sender.settings, **deed["settings"])
            case "webhook_counts":
                return {**asdict(self.sender.counts), "idle": self.sender.idle}
            case "deactivate_hook":
                self.sender.deactivate(int(deed["id"]))
            case "spend":
                return self.limits.spend_elsewhere(int(deed["count"]))
            case "revoke":
                self.revoked[str(deed["account"])] = self.accounts.revoke(str(deed["account"]))
            case "restore":
                self.accounts.restore(self.revoked.pop(str(deed["account"])))
            case "reissue":
                before = self.accounts.named(str(deed["account"]))
                self._former[before.client_id] = before.client_secret
                self.accounts.reissue(str(deed["account"]), str(deed["client_id"]))
            case "narrow":
                self.accounts.narrow(str(deed["account"]), deed["scopes"])
        return True

    async def start(self) -> None:
        await self.sender.start()

    async def stop(self) -> None:
        await self.sender.stop()


_SWITCHES = frozenset({
    "settings", "plan", "limits", "webhooks", "webhook_counts", "deactivate_hook", "spend", "revoke", "restore",
    "reissue", "narrow",
})  # fmt: skip


def _shape(request: Request) -> str:
    parts = request.segments()
    if parts[:3] == ["api", "v3", "io"]:
        return B2B
    return V2 if parts[2:3] == [V2] else V3


def _check_types(request: Request) -> None:
    accept = request.headers.get("accept", "")
    if accept and "application/json" not in accept and "*/*" not in accept:
        raise ApiError(406, "Only application/json is simulated")
    sent = request.headers.get("content-type", "")
    if request.body and not sent.startswith("application/json"):
        raise ApiError(415, "Unsupported Media Type")


def _packed(request: Request, reply: Reply) -> Reply:
    if len(reply.body) < _GZIP_FROM_BYTES or "gzip" not in request.headers.get("accept-encoding", ""):
        return reply
    body = zlib.compress(reply.body, 1, wbits=31)
    return Reply(reply.status, body, {**reply.headers, "content-encoding": "gzip", "vary": "Accept-Encoding"})
