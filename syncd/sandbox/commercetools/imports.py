"""The Import API: containers, requests of up to 20 resources, and operations that the platform works off by itself.

It has a host of its own at the vendor; here it answers under ``/import`` of the same port. An operation is worked off
some time after it was taken (:attr:`Imports.delay_ms`), when the next request of any kind comes. References that lead
nowhere keep it *unresolved*; every operation is forgotten after 48 hours, and every container after 72, or its own
time to live. An import is a full upsert by key: members it leaves out are cleared. Chosen, since no source tells: a
container that is deleted takes its unfinished operations along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from syncd.sandbox.commercetools.auth import Grant, require
from syncd.sandbox.commercetools.collection import Row, instant_of
from syncd.sandbox.commercetools.customers import CUSTOMERS
from syncd.sandbox.commercetools.errors import ApiError, duplicate_field, invalid_input, invalid_json, not_found
from syncd.sandbox.commercetools.prices import PRICES
from syncd.sandbox.commercetools.project import PATHS, Actor, Project
from syncd.sandbox.commercetools.resource import Resource, create
from syncd.sandbox.commercetools.shapes import Shape, check, shape
from syncd.sandbox.commercetools.units import UNITS
from syncd.sandbox.faults import VendorFaults
from syncd.sandbox.http import Reply, Request, reply_json

MOST_RESOURCES: Final = 20
MOST_CONTAINERS: Final = 1000
HOUR_MS: Final = 3_600_000
CONTAINER_HOURS: Final = 72
OPERATION_HOURS: Final = 48
STATES: Final = (
    "processing", "validationFailed", "unresolved", "waitForMasterVariant", "imported", "rejected", "canceled",
    "partiallyImported",
)  # fmt: skip
_SPAN: Final = re.compile(r"(\d+)([dhm])")
_MINUTES: Final = {"d": 1440, "h": 60, "m": 1}
_KEY: Final = re.compile(r"[a-zA-Z0-9_-]{2,256}")


@dataclass(frozen=True, slots=True)
class _Kind:
    type: str
    resource: Resource
    shape: Shape


_PEOPLE = (
    "key:key customerNumber?:text email:text password?:text stores?:any* firstName?:text lastName?:text "
    "middleName?:text title?:text salutation?:text externalId?:text dateOfBirth?:date companyName?:text vatId?:text "
    "isEmailVerified?:bool customerGroup?:any addresses?:any* defaultBillingAddress?:int billingAddresses?:int* "
    "defaultShippingAddress?:int shippingAddresses?:int* locale?:text custom?:any authenticationMode?:text"
)
_UNIT = (
    "unitType:text key:key name:text status?:text contactEmail?:text associates?:any* addresses?:any* "
    "shippingAddresses?:int* defaultShippingAddress?:int billingAddresses?:int* defaultBillingAddress?:int "
    "stores?:any* custom?:any storeMode?:text parentUnit?:any associateMode?:text approvalRuleMode?:text"
)
_PRICE = (
    "key:key sku:text value:any country?:country customerGroup?:any channel?:any validFrom?:time validUntil?:time "
    "tiers?:any* discounted?:any custom?:any active?:bool"
)
KINDS: Final[Mapping[str, _Kind]] = {
    "customers": _Kind("customer", CUSTOMERS, shape(_PEOPLE)),
    "business-units": _Kind("business-unit", UNITS, shape(_UNIT)),
    "standalone-prices": _Kind("standalone-price", PRICES, shape(_PRICE)),
}


class Imports:
    """One project's Import API."""

    def __init__(self, project: Project, faults: VendorFaults) -> None:
        self._project = project
        self._faults = faults
        self.delay_ms = 500
        """How long the platform takes until it works on an operation."""
        self.containers: dict[str, Row] = {}
        self._operations: dict[str, Row] = {}
        self._drafts: dict[str, tuple[_Kind, Row, str]] = {}
        """Of operations that are not at their end: what is to be imported, and by which API client."""

    # -- the door

    def answer(self, request: Request, parts: list[str], grant: Grant) -> Reply:
        """``parts`` is the path behind the project. Raises ``ApiError``."""
        verb = "view" if request.method == "GET" else "manage"
        require(grant, self._project.settings.key, [f"{verb}_import_containers"])
        match request.method, parts:
            case "POST", ["import-containers"]:
                return reply_json(self._made(_body(request)), 201)
            case "GET", ["import-containers"]:
                return self._page(request, list(self.containers.values()))
            case "GET", ["import-containers", key]:
                return reply_json(self._container(key))
            case "PUT", ["import-containers", key]:
                return reply_json(self._changed(self._container(key), _body(request)))
            case "DELETE", ["import-containers", key]:
                return reply_json(self._dropped(self._container(key)))
            case "GET", ["import-containers", key, "import-summaries"]:
                return reply_json(self._summary(self._container(key)["key"]))
            case "GET", ["import-containers", key, "import-operations"]:
                return self._page(request, list(self._seen(request, self._container(key)["key"])))
            case "GET", ["import-operations", id_]:
                found = self._operations.get(id_)
                if found is None:
                    raise not_found(f"The ImportOperation with ID '{id_}' was not found.")
                return reply_json(_shown(found, debug=False))
            case "POST", [path, "import-containers", key] if path in KINDS:
                kind = KINDS[path]
                require(grant, self._project.settings.key, [f"manage_{kind.resource.scopes}"])
                return self._taken(kind, self._container(key), _body(request), grant.client_id)
        raise not_found(f"URI not found: {request.path}")

    # -- containers

    def _made(self, body: Row) -> Row:
        draft = check(body, shape("key:text resourceType?:text retentionPolicy?:object"))
        if not _KEY.fullmatch(draft["key"]):
            raise invalid_input(f"The key '{draft['key']}' has characters that are not allowed.")
        if draft["key"] in self.containers:
            raise duplicate_field("key", draft["key"])
        if len(self.containers) >= MOST_CONTAINERS:
            raise invalid_input(f"The project already has {MOST_CONTAINERS} import containers.")
        now = self._project.clock.now_ms()
        stamp = instant_of(now)
        made = {**draft, "version": 1, "createdAt": stamp, "lastModifiedAt": stamp}
        made["expiresAt"] = instant_of(now + _lifetime_ms(draft.get("retentionPolicy")))
        self.containers[draft["key"]] = made
        return made

    def _changed(self, container: Row, body: Row) -> Row:
        draft = check(body, shape("version:int resourceType?:text"))
        if draft["version"] != container["version"]:
            raise ApiError(
                409, "ConcurrentModification", "The version is another one.", currentVersion=container["version"]
            )
        container.pop("resourceType", None)
        container |= {**draft, "version": container["version"] + 1, "lastModifiedAt": self._project.now()}
        return container

    def _dropped(self, container: Row) -> Row:
        self.lose(container["key"])
        return container

    def lose(self, key: str) -> None:
        """A container and its operations are gone."""
        self.containers.pop(key, None)
        for id_ in [id_ for id_, one in self._operations.items() if one["importContainerKey"] == key]:
            self._operations.pop(id_)
            self._drafts.pop(id_, None)

    def _container(self, key: str) -> Row:
        found = self.containers.get(key)
        if found is None:
            raise not_found(f"The ImportContainer with key '{key}' was not found.")
        return found

    # -- requests and operations

    def _taken(self, kind: _Kind, container: Row, body: Row, client_id: str) -> Reply:
        request = check(body, shape("type:text resources:object*"))
        if request["type"] != kind.type or container.get("resourceType", kind.type) != kind.type:
            raise invalid_input(f"Resources of type '{request['type']}' cannot be imported here.")
        if not 1 <= len(request["resources"]) <= MOST_RESOURCES:
            raise invalid_input(f"A request takes 1 to {MOST_RESOURCES} resources, got {len(request['resources'])}.")
        return reply_json(
            {"operationStatus": [self._begun(kind, container, one, client_id) for one in request["resources"]]}, 201
        )

    def _begun(self, kind: _Kind, container: Row, resource: Row, client_id: str) -> Row:
        now = self._project.clock.now_ms()
        stamp, id_ = instant_of(now), self._project.new_id()
        operation: Row = {
            "id": id_, "version": 1, "importContainerKey": container["key"],
            "resourceKey": str(resource.get("key", "")), "state": "processing", "createdAt": stamp,
            "lastModifiedAt": stamp,
            "expiresAt": instant_of(now + OPERATION_HOURS * HOUR_MS),
        }  # fmt: skip
        self._operations[id_] = operation
        status: Row = {"operationId": id_, "state": "processing"}
        try:
            self._drafts[id_] = (kind, check(resource, kind.shape), client_id)
        except ApiError as error:
            operation |= {"state": "validationFailed", "errors": [_as_field(error)]}
            status |= {"state": "validationFailed", "errors": operation["errors"]}
        return status

    def tick(self) -> None:
        """Let the platform do what is due: work off operations, forget old ones and old containers."""
        if not self.containers:
            return
        now = self._project.clock.now_ms()
        stamp, due = instant_of(now), instant_of(now - self.delay_ms)
        for key in [key for key, one in self.containers.items() if one["expiresAt"] <= stamp]:
            self.lose(key)
        # In the order of their making, and so of their end.
        for id_ in list(takewhile(lambda id_: self._operations[id_]["expiresAt"] <= stamp, self._operations)):
            self._operations.pop(id_)
            self._drafts.pop(id_, None)
        for id_ in [id_ for id_ in self._drafts if self._operations[id_]["createdAt"] <= due]:
            self._work(id_, stamp)

    def _work(self, id_: str, stamp: str) -> None:
        operation, (kind, resource, client_id) = self._operations[id_], self._drafts[id_]
        if self._fails():
            outcome: Row = {"state": "rejected", "errors": [{"code": "Generic", "message": "An internal error."}]}
        else:
            outcome = self._applied(kind, resource, Actor(client_id, attributed="Import"))
        if outcome["state"] != operation["state"]:
            operation |= {"version": operation["version"] + 1, "lastModifiedAt": stamp}
        operation |= outcome
        if outcome["state"] != "unresolved":
            operation.pop("unresolvedReferences", None)
            del self._drafts[id_]

    def _fails(self) -> bool:
        rate = self._faults.plan.job_fail
        return rate > 0 and self._project.dice.random() < rate

    def _applied(self, kind: _Kind, resource: Row, actor: Actor) -> Row:
        missing = [one for one in _references(resource) if not self._exists(one)]
        if missing:
            return {"state": "unresolved", "unresolvedReferences": missing}
        try:
            row = self._upserted(kind.resource, _draft(resource), actor)
        except ApiError as error:
            told = {"code": error.code, "message": error.message, **error.extra}
            return {"state": "validationFailed", "errors": [told]}
        return {"state": "imported", "resourceVersion": row["version"]}

    def _upserted(self, resource: Resource, draft: Row, actor: Actor) -> Row:
        rows = self._project.collections[resource.path]
        held = rows.holder("key", draft["key"])
        before = rows.get(held) if held is not None else None
        if before is None:
            return create(self._project, resource, draft, actor)
        after = resource.build(self._project, check(_kept(draft, before), resource.draft))
        head: Row = {name: before[name] for name in ("id", "version", "createdAt", "createdBy") if name in before}
        after = {**head, "lastModifiedAt": before["lastModifiedAt"], **after}
        if "password" in before and after.get("authenticationMode") == "Password":
            after["password"] = before["password"]
        resource.finish(self._project, after)
        self._project.replace(resource.path, before, after, actor)
        resource.settled(self._project, before, after)
        return after

    def _exists(self, reference: Mapping[str, str]) -> bool:
        rows = self._project.collections.get(PATHS.get(reference["typeId"], ""))
        # What is not simulated is taken for granted.
        return rows is None or rows.holder("key", reference["key"]) is not None

    # -- looking

    def _summary(self, key: str) -> Row:
        states = dict.fromkeys(STATES, 0)
        for one in self._operations.values():
            if one["importContainerKey"] == key:
                states[one["state"]] += 1
        return {"states": states, "total": sum(states.values())}

    def _seen(self, request: Request, key: str) -> Iterator[Row]:
        state, resource_key = request.param("state"), request.param("resourceKey")
        if state and state not in STATES:
            raise invalid_input(f"Malformed parameter: state: '{state}'.")
        for one in self._operations.values():
            wanted = one["importContainerKey"] == key and state in ("", one["state"])
            if wanted and resource_key in ("", one["resourceKey"]):
                yield _shown(one, debug=request.param("debug") == "true")

    def _page(self, request: Request, rows: list[Row]) -> Reply:
        limit, offset = (_number(request, name, default, most) for name, default, most in _PAGING)
        part = rows[offset : offset + limit]
        return reply_json({"limit": limit, "offset": offset, "count": len(part), "total": len(rows), "results": part})


_PAGING: Final = (("limit", 20, 500), ("offset", 0, 10_000))


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.param(name, str(default))
    if not text.isdecimal() or int(text) > most:
        raise invalid_input(f"Malformed parameter: {name}: '{text}' is not within 0 and {most}.")
    return int(text)


def _body(request: Request) -> Row:
    try:
        body = request.json()
    except ValueError as error:
        raise invalid_json(str(error)) from None
    if not isinstance(body, dict):
        raise invalid_json("Expected an object.")
    return body


def _lifetime_ms(policy: Any) -> int:
    if policy is None:
        return CONTAINER_HOURS * HOUR_MS
    config = policy.get("config") if policy.get("strategy") == "ttl" else None
    match = _SPAN.fullmatch(str(config.get("timeToLive"))) if isinstance(config, dict) else None
    minutes = int(match[1]) * _MINUTES[match[2]] if match else 0
    if not 60 <= minutes <= 30 * 1440:
        raise invalid_input("timeToLive: the lowest value is 1h, the highest 30d.")
    return minutes * 60_000


def _shown(operation: Row, *, debug: bool) -> Row:
    return operation if debug else {name: value for name, value in operation.items() if name != "unresolvedReferences"}


def _as_field(error: ApiError) -> Row:
    """What does not fit the form of an import, in the Import API's code."""
    detail = str(error.extra.get("detailedErrorMessage") or error.message)
    if "Missing required" in detail:
        return {"code": "RequiredField", "message": detail, "field": detail.partition(":")[0]}
    return {"code": "InvalidField", "message": detail, "field": error.extra.get("field") or detail.partition(":")[0]}


def _references(resource: Any) -> Iterator[dict[str, str]]:
    """Every key reference, wherever it stands."""
    if isinstance(resource, list):
        for one in resource:
            yield from _references(one)
    elif isinstance(resource, dict):
        if isinstance(resource.get("typeId"), str) and isinstance(resource.get("key"), str):
            yield {"typeId": resource["typeId"], "key": resource["key"]}
            return
        for one in resource.values():
            yield from _references(one)


def _draft(resource: Row) -> Row:
    """As the HTTP API takes it: custom fields lose the names of their types."""
    made = dict(resource)
    custom = made.get("custom")
    if isinstance(custom, dict):
        made["custom"] = {**custom, "fields": {name: _field(one) for name, one in (custom.get("fields") or {}).items()}}
    return made


def _field(told: Any) -> Any:
    if not isinstance(told, dict) or "type" not in told or "value" not in told:
        raise ApiError(400, "InvalidField", "A custom field needs its type and its value.", field="custom")
    return told["value"]


def _kept(draft: Row, before: Row) -> Row:
    """A password is asked for in an update as well, and not taken."""
    if draft.get("authenticationMode", "Password") == "Password" and "password" in before:
        return {**draft, "password": draft.get("password") or "-"}
    return draft
