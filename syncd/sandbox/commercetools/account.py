"""The simulated account: one auth server and one project behind one port.

Requests are routed, checked for token and scope, answered; what the platform would refuse is refused in its words.
Stores narrow down what is seen under ``/in-store/key=...``. Not simulated: acting as an associate, approval rules,
product search, categories, taxes, discounts, payments, shipping methods; carts select embedded prices by currency,
country and the customer's one group, not standalone ones, tiers or assignments.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import orjson

from syncd.sandbox.commercetools import custom_objects, in_store, inhabitants, quotes, seeding
from syncd.sandbox.commercetools.associate_roles import ROLES
from syncd.sandbox.commercetools.auth import ApiClient, AuthServer, require
from syncd.sandbox.commercetools.carts import CARTS, adopt, current_cart, guest_cart
from syncd.sandbox.commercetools.collection import Collection, Row
from syncd.sandbox.commercetools.customers import CUSTOMERS, GROUPS
from syncd.sandbox.commercetools.errors import ApiError, invalid_input, invalid_json, not_found
from syncd.sandbox.commercetools.fields import FIELDS
from syncd.sandbox.commercetools.graphql import GraphQLDoor
from syncd.sandbox.commercetools.imports import Imports
from syncd.sandbox.commercetools.messages import Messages
from syncd.sandbox.commercetools.orders import ORDERS, order_from_cart, order_from_quote
from syncd.sandbox.commercetools.prices import PRICES
from syncd.sandbox.commercetools.product_types import PRODUCT_TYPES
from syncd.sandbox.commercetools.products import PRODUCTS
from syncd.sandbox.commercetools.project import PATHS, Actor, Project, Settings
from syncd.sandbox.commercetools.query import exists, read_query, run_query
from syncd.sandbox.commercetools.resource import Resource, create, delete, update
from syncd.sandbox.commercetools.shop_fabric import CHANNELS, STATES, STORES
from syncd.sandbox.commercetools.subscriptions import STATUSES, SUBSCRIPTIONS, Notifier
from syncd.sandbox.commercetools.types import TYPES
from syncd.sandbox.commercetools.units import UNITS, associate_of
from syncd.sandbox.http import Reply, Request, reply_json
from syncd.sandbox.vendor import ActError, Room, Vendor
from syncd.sandbox.world.world import World

RESOURCES = {
    one.path: one
    for one in (
        CUSTOMERS, GROUPS, TYPES, CARTS, ORDERS, PRODUCT_TYPES, PRODUCTS, PRICES, UNITS, ROLES, quotes.REQUESTS,
        quotes.STAGED, quotes.QUOTES, STORES, CHANNELS, STATES, SUBSCRIPTIONS,
    )
}  # fmt: skip
_LOOKUPS = {"key": "key", "order-number": "orderNumber"}
_GZIP_FROM_BYTES = 1400


def default_clients(project: str) -> tuple[ApiClient, ...]:
    """``syncd`` with the scopes a sync needs, and ``shop-frontend`` that may do everything."""
    needed = (
        "manage_customers",
        "manage_orders",
        "manage_types",
        "manage_customer_groups",
        "manage_key_value_documents",
        "manage_business_units",
        "manage_associate_roles",
        "manage_quotes",
        "manage_quote_requests",
        "manage_staged_quotes",
        "manage_products",
        "manage_standalone_prices",
        "view_project_settings",
    )
    return (
        ApiClient("syncd", "syncd-secret", tuple(f"{scope}:{project}" for scope in needed)),
        ApiClient("shop-frontend", "shop-secret", (f"manage_project:{project}", f"manage_locked_carts:{project}")),
    )


class CommercetoolsSandbox(Vendor):
    name = "commercetools"
    words: ClassVar[Mapping[str, str]] = {"expire_tokens": "expire_tokens", "stop_webhooks": "stop_subscription"}

    def __init__(
        self, room: Room, *, settings: Settings | None = None, clients: Sequence[ApiClient] = (), late_ms: int = 0
    ) -> None:
        super().__init__(room)
        self.settings = settings or Settings()
        self.auth = AuthServer(clients or default_clients(self.settings.key), room.clock, room.dice)
        self.project = Project(self.settings, room.clock, room.dice, self._note)
        self.project.late_ms = late_ms
        self.project.sees_bump = room.faults.next_bump
        self.project.sees_conflict = room.faults.next_conflict
        self.graphql = GraphQLDoor(self.project)
        self.messages = Messages(self.project)
        self.notifier = Notifier(self.project, self.messages, room.faults)
        self.imports = Imports(self.project, room.faults)
        self.project.watch = self._watch
        self.recording = True
        """Whether effects go to the ledger; off while a history is seeded."""

    def _note(self, effect: str, path: str, row: Row, values: Mapping[str, Any], actor: str) -> None:
        if self.recording:
            key = row.get("key") or row.get("orderNumber") or ""
            self.applied(effect, path, row["id"], key=key, values=values, actor=actor, version=row["version"])

    def _watch(self, path: str, before: Row | None, after: Row | None) -> None:
        if self.recording:
            self.notifier.watch(path, before, after)

    # -- the kit's side

    async def handle(self, request: Request) -> Reply:
        headers = {
            "x-correlation-id": request.headers.get("x-correlation-id") or f"{self.settings.key}/{self._new_id()}"
        }
        self.imports.tick()
        try:
            reply = self._answer(request)
        except ApiError as error:
            reply = error.reply()
        return self._packed(request, Reply(reply.status, reply.body, {**headers, **reply.headers}))

    def _new_id(self) -> str:
        return f"{self.requests:08x}-{self.room.clock.now_ms():x}"

    def _packed(self, request: Request, reply: Reply) -> Reply:
        if len(reply.body) < _GZIP_FROM_BYTES or "gzip" not in request.headers.get("accept-encoding", ""):
            return reply
        body = zlib.compress(reply.body, 1, wbits=31)
        return Reply(reply.status, body, {**reply.headers, "content-encoding": "gzip", "vary": "Accept-Encoding"})

    def overloaded(self, request: Request) -> Reply:  # noqa: ARG002
        return ApiError(503, "OverCapacity", "The service is having trouble handling the load.").reply()

    def broken(self, request: Request) -> Reply:  # noqa: ARG002
        return ApiError(500, "General", "An unexpected error occurred.").reply()

    def unavailable(self, request: Request) -> Reply:  # noqa: ARG002
        return ApiError(503, "OverCapacity", "Service temporarily unavailable.").reply()

    def expire_token(self, request: Request) -> None:
        self.auth.expire(request)

    def counts(self) -> dict[str, int]:
        return {path: len(rows) for path, rows in self.project.collections.items()}

    def objects(self) -> Mapping[str, Iterable[Mapping[str, Any]]]:
        self.imports.tick()
        return {path: _rows(rows) for path, rows in self.project.collections.items()}

    def populate(self, world: World) -> None:
        inhabitants.populate(self, world)

    async def act(self, deed: Mapping[str, Any]) -> Any:
        """``{"op": "seed", ...}`` (see :func:`~syncd.sandbox.commercetools.seeding.act`), ``{"op": "expire_tokens"}``,
        ``{"op": "late_ms", "ms": 500}`` (rows become visible with stamps up to that far in the past),
        ``{"op": "drain", "subscription": "<key>"}`` (take what is in its queue), ``{"op": "subscription_status",
        "subscription": "<key>", "status": "TemporaryError"}``, ``{"op": "destinations", "reachable": false}``,
        ``{"op": "messages", "enabled": true}`` (the project's owner lets messages be asked for),
        ``{"op": "lose_container", "key": "..."}``, ``{"op": "import_delay_ms", "ms": 500}``."""
        match deed.get("op"):
            case "lose_container":
                return self.imports.lose(str(deed["key"]))
            case "import_delay_ms":
                self.imports.delay_ms = int(deed["ms"])
                return True
            case "drain":
                return self.notifier.drain(str(deed["subscription"]), int(deed.get("limit", 0)))
            case "subscription_status" if deed.get("status") in STATUSES:
                return self.notifier.turn(str(deed["subscription"]), str(deed["status"]))
            case "stop_subscription":
                return self.notifier.turn(str(deed["subscription"]), "ConfigurationErrorDeliveryStopped")
            case "destinations":
                self.notifier.unreachable = not deed["reachable"]
                return True
            case "messages":
                self.settings.messages = bool(deed["enabled"])
                return True
            case "seed":
                try:
                    return seeding.act(self, deed)
                except ApiError as error:
                    raise ActError(str(error)) from error
            case "expire_tokens":
                self.auth.expire_all()
                return True
            case "late_ms":
                self.project.late_ms = int(deed["ms"])
                return True
        return await super().act(deed)

    # -- the platform's side

    def _answer(self, request: Request) -> Reply:
        parts = request.segments()
        if parts == ["oauth", "token"] and request.method == "POST":
            return self.auth.issue(request)
        grant = self.auth.grant(request)
        if parts[:2] == ["import", self.settings.key]:
            return self.imports.answer(request, parts[2:], grant)
        if not parts or parts[0] != self.settings.key:
            raise not_found(f"URI not found: {request.path}")
        actor = Actor(grant.client_id, _external_user(request))
        if len(parts) == 1:
            verb = "manage" if request.method == "POST" else "view"
            require(grant, self.settings.key, [f"{verb}_project_settings"])
            return self._project(request)
        if parts[1:] == ["graphql"] and self.settings.graphql:
            if request.method != "POST":
                raise _not_allowed(request)
            return self.graphql.answer(_body(request), grant)
        verb = "view" if request.method in {"GET", "HEAD"} else "manage"
        store = in_store.store_of(self.project, parts[2]) if parts[1] == "in-store" and len(parts) > 3 else ""
        parts = [parts[0], *parts[3:]] if store else parts
        if parts[1] == custom_objects.PATH:
            require(grant, self.settings.key, [f"{verb}_key_value_documents"])
            return self._custom_object(request, parts[2:], actor)
        if parts[1] == "messages":
            require(grant, self.settings.key, ["view_messages"])
            return self._messages(request, parts[2:])
        resource = RESOURCES.get(parts[1])
        if resource is None:
            raise not_found(f"URI not found: {request.path}")
        # Subscriptions have no scope for looking alone.
        scope = f"{'manage' if resource is SUBSCRIPTIONS else verb}_{resource.scopes}"
        require(grant, self.settings.key, [scope], store)
        return self._resource(request, resource, parts[2:], actor, store)

    def _project(self, request: Request) -> Reply:
        if request.method == "POST":
            self.messages.configure(_body(request))
        elif request.method not in {"GET", "HEAD"}:
            raise _not_allowed(request)
        own = self.settings
        body: dict[str, Any] = {
            "version": self.messages.configured,
            "key": own.key,
            "name": own.name,
            "createdAt": self.project.created_at,
        }
        body |= {"countries": own.countries, "currencies": own.currencies, "languages": own.languages}
        body["messages"] = {"enabled": own.messages, "deleteDaysAfterCreation": own.message_days}
        body["carts"] = {"deleteDaysAfterLastModification": own.cart_days, "countryTaxRateFallbackEnabled": False}
        body["discounts"] = {"discountCombinationMode": "Stacking"}
        body["inventory"] = {"releaseExpiredReservations": True, "reservationExpirationInMinutes": 1440}
        return reply_json(body)

    def _messages(self, request: Request, rest: list[str]) -> Reply:
        if request.method not in {"GET", "HEAD"}:
            raise _not_allowed(request)
        if not rest:
            return self._query(request, self.messages.rows, "messages")
        found = self.messages.rows.get(rest[0])
        if found is None or len(rest) > 1:
            raise not_found(f"The Resource with ID '{rest[0]}' was not found.")
        return self._one(request, found)

    def _resource(self, request: Request, resource: Resource, rest: list[str], actor: Actor, store: str) -> Reply:
        within = in_store.within(resource.path, store) if store else ()
        match request.method, rest:
            case ("GET" | "HEAD", []):
                return self._query(request, self.project.collections[resource.path], resource.path, within)
            case "POST", []:
                return self._create(request, resource, actor, store)
            case "POST", ["import"] if resource is ORDERS:
                return reply_json(create(self.project, ORDERS, _body(request), actor), 201)
            case "GET", [address, "associates", customer_id] if resource is UNITS:
                return reply_json(associate_of(self.project, self._find(UNITS, address), customer_id))
            case "POST", ["quotes"] if resource is ORDERS:
                return reply_json(order_from_quote(self.project, _body(request), actor), 201)
            case method, [address]:
                row = self._find(resource, address)
                if store and not in_store.belongs(resource.path, row, store):
                    raise not_found(f"The Resource with ID '{row['id']}' was not found.")
                return self._single(request, method, resource, row, actor)
        raise not_found(f"URI not found: {request.path}")

    def _create(self, request: Request, resource: Resource, actor: Actor, store: str) -> Reply:
        body = in_store.placed(resource.path, _body(request), store) if store else _body(request)
        if resource is ORDERS:
            return reply_json(order_from_cart(self.project, body, actor), 201)
        if resource is SUBSCRIPTIONS:
            self.notifier.test()
        if resource is not CUSTOMERS:
            row = create(self.project, resource, body, actor)
            quotes.follow(self.project, row, body, actor)
            return self._one(request, row, 201)
        cart = self._guest_cart(body)
        row = create(self.project, resource, body, actor)
        envelope: Row = {"customer": row}
        if cart is not None:
            envelope["cart"] = adopt(self.project, cart, row, actor)
        return reply_json(envelope, 201)

    def _guest_cart(self, body: Mapping[str, Any]) -> Row | None:
        """The cart a new customer brings along, looked at before anything is created. Raises ``ApiError``."""
        id_, identifier = body.get("anonymousCartId"), body.get("anonymousCart")
        if id_ is not None:
            return guest_cart(self.project, {"id": str(id_)})
        return guest_cart(self.project, identifier) if isinstance(identifier, dict) else None

    def _single(self, request: Request, method: str, resource: Resource, row: Row, actor: Actor) -> Reply:
        match method:
            case "GET":
                return self._one(request, row)
            case "HEAD":
                return Reply(200)
            case "POST":
                body = _body(request)
                if resource is SUBSCRIPTIONS and any(_changes_destination(one) for one in body.get("actions") or ()):
                    self.notifier.test()
                return self._one(request, update(self.project, resource, row, body, actor))
            case "DELETE":
                version = request.param("version")
                with self.notifier.erasing(told=request.param("dataErasure") == "true"):
                    return self._one(request, delete(self.project, resource, row, version, actor))
        raise _not_allowed(request)

    def _find(self, resource: Resource, address: str) -> Row:
        """By id, ``key=...``, ``order-number=...`` or (carts) ``customer-id=...``. Raises ``ApiError`` 404."""
        name, equals, value = address.partition("=")
        rows = self.project.collections[resource.path]
        row = None
        if not equals:
            row = rows.get(address)
        elif name == "customer-id" and resource is CARTS:
            row = current_cart(self.project, value)
        elif _LOOKUPS.get(name) in self.project.indexed(resource.path):
            id_ = rows.holder(_LOOKUPS[name], value)
            row = rows.get(id_) if id_ is not None else None
        if row is None:
            what = f"{name} '{value}'" if equals else f"ID '{address}'"
            raise not_found(f"The Resource with {what} was not found.")
        return row

    def _one(self, request: Request, row: Row, status: int = 200) -> Reply:
        paths = [value for name, value in request.params() if name == "expand"]
        return reply_json(self._expand(row, paths) if paths else row, status)

    def _query(self, request: Request, rows: Collection, path: str, extra: tuple[tuple[str, str], ...] = ()) -> Reply:
        query = read_query([*request.params(), *extra], FIELDS[path])
        indexed = self.project.indexed(path) if path in self.project.collections else ("id",)
        if request.method == "HEAD":
            return Reply(200 if exists(rows, query, indexed) else 404)
        return Reply(200, run_query(rows, query, indexed, self._expand))

    def _expand(self, row: Row, paths: Sequence[str]) -> Row:
        for path in paths:
            self._expand_one(row, path.replace("[*]", "").split("."))
        return row

    def _expand_one(self, value: Any, path: list[str]) -> None:
        """Put ``obj`` into the references at the path; a path that leads nowhere is passed over."""
        if isinstance(value, list):
            for one in value:
                self._expand_one(one, path)
            return
        if not isinstance(value, dict):
            return
        if value.get("typeId") in PATHS and "id" in value:
            if "obj" not in value:
                found = self.project.collections[PATHS[value["typeId"]]].get(value["id"])
                if found is None:
                    return
                value["obj"] = found
            value = value["obj"]
        if path:
            self._expand_one(value.get(path[0]), path[1:])

    def _custom_object(self, request: Request, rest: list[str], actor: Actor) -> Reply:
        rows = self.project.collections[custom_objects.PATH]
        match request.method, rest:
            case "POST", []:
                row, new = custom_objects.upsert(self.project, _body(request), actor)
                return self._one(request, row, 201 if new else 200)
            case ("GET" | "HEAD", []):
                return self._query(request, rows, custom_objects.PATH)
            case ("GET" | "HEAD", [container]):
                within = (("where", "container = :container"), ("var.container", container))
                return self._query(request, rows, custom_objects.PATH, within)
            case ("GET" | "HEAD" | "DELETE") as method, [container, key]:
                found = custom_objects.find(self.project, container, key)
                if found is None:
                    raise not_found(f"The CustomObject with container '{container}' and key '{key}' was not found.")
                if method == "DELETE":
                    custom_objects.delete(self.project, found, request.param("version"), actor)
                return self._one(request, found)
        raise _not_allowed(request)


def _rows(rows: Collection) -> Iterable[Row]:
    return (orjson.loads(rows.raw(id_)) for id_ in rows.ids())


def _body(request: Request) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError as error:
        raise invalid_json(str(error)) from None
    if not isinstance(body, dict):
        raise invalid_json("Expected an object.")
    return body


def _changes_destination(action: Any) -> bool:
    return isinstance(action, dict) and action.get("action") == "changeDestination"


def _external_user(request: Request) -> str:
    user = request.headers.get("x-external-user-id", "")
    if len(user) > 128:
        raise invalid_input("The header X-External-User-ID takes at most 128 characters.")
    return user


def _not_allowed(request: Request) -> ApiError:
    return ApiError(405, "InvalidOperation", f"The method {request.method} is not allowed for {request.path}.")
