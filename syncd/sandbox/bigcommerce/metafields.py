"""Metafields of customers, orders, carts, channels and products (V3), seen by the client that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.sandbox.bigcommerce.call import Answer, Call, Filters, select, v3_page
from syncd.sandbox.bigcommerce.errors import ApiError, conflict, invalid, not_found
from syncd.sandbox.bigcommerce.fields import clean, items, text, whole_number
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

BATCH = 10
MOST = 250
"""Per resource and client."""
PERMISSIONS = ("app_only", "read", "write", "read_and_sf_access", "write_and_sf_access")
_SPEC = {
    "permission_set": text(needed=True, one_of=PERMISSIONS), "namespace": text(64, needed=True),
    "key": text(64, needed=True), "value": text(65_535, needed=True), "description": text(255),
}  # fmt: skip
_TYPES = {"customers": "customer", "orders": "order", "carts": "cart", "channels": "channel", "products": "product"}
_FILTERS = Filters(numbers=("id",), texts=("namespace", "key"))
_CATALOG = "catalog"
_TOLD = frozenset({"cart", "order", "product", "channel"})
"""Kinds whose metafields have scopes of their own besides the one that all have."""


def is_asked(rest: Sequence[str]) -> bool:
    """``customers/metafields[/...]`` or ``customers/{id}/metafields[/...]``; products are below ``catalog``."""
    rest = rest[1:] if rest[:1] == [_CATALOG] else rest
    return bool(rest) and rest[0] in _TYPES and "metafields" in rest[1:3]


def answer(call: Call) -> Answer:
    rest = call.rest[1:] if call.rest[0] == _CATALOG else call.rest
    kind = _TYPES[rest[0]]
    match call.method, rest[1:]:
        case method, ["metafields"]:
            return _batch(call, method, kind)
        case method, [resource, "metafields", *further]:
            _need_resource(call.store, kind, resource)
            return _of_one(call, method, kind, resource, further)
    raise call.not_allowed()


def _need_resource(store: Store, kind: str, resource: str) -> None:
    there = {
        "customer": lambda: int(resource) in store.customers,
        "order": lambda: int(resource) in store.orders,
        "channel": lambda: int(resource) in store.channels,
        "cart": lambda: resource in store.carts,
        "product": lambda: int(resource) in store.products,
    }
    if (kind != "cart" and not resource.isdigit()) or not there[kind]():
        raise not_found()


def _visible(call: Call, row: Mapping[str, Any]) -> bool:
    return bool(row["owner_client_id"] == call.account.client_id or row["permission_set"] != "app_only")


def _writable(call: Call, row: Mapping[str, Any]) -> bool:
    return bool(row["owner_client_id"] == call.account.client_id or row["permission_set"].startswith("write"))


def _of_one(call: Call, method: str, kind: str, resource: str, rest: Sequence[str]) -> Answer:
    store, place = call.store, f"{kind}/{resource}"
    if not rest:
        if method == "GET":
            there = [_row(store, one) for one in store.metafields.of_group("place", place)]
            ids = [row["id"] for row in there if _visible(call, row) and _is_named(call, row)]
            return v3_page(call, ids, lambda part: [_shown(_row(store, one)) for one in part])
        if method == "POST":
            return 200, {"data": _shown(create(call, kind, resource, call.json())), "meta": {}}
        raise call.not_allowed()
    row = store.metafields.get(whole_number(rest[0], "metafield_id"))
    if row is None or row["place"] != place or not _visible(call, row):
        raise not_found()
    if method == "PUT":
        row = update(call, row, call.json())
    elif method == "DELETE":
        drop(call, row)
        return 204, None
    elif method != "GET":
        raise call.not_allowed()
    return 200, {"data": _shown(row), "meta": {}}


def create(call: Call, kind: str, resource: str, body: Any) -> Row:
    """Raises ``ApiError``."""
    store, place = call.store, f"{kind}/{resource}"
    draft = clean(body, _SPEC)
    own = [row for one in store.metafields.of_group("place", place)
           if (row := _row(store, one))["owner_client_id"] == call.account.client_id]  # fmt: skip
    if any((row["namespace"], row["key"]) == (draft["namespace"], draft["key"]) for row in own):
        raise conflict("The metafield exists already", {"key": "must be unique in its namespace"})
    if len(own) >= MOST:
        raise invalid({"body": f"A resource may have at most {MOST} metafields"})
    now = store.now()
    number_ = whole_number(resource, "resource_id") if resource.isdigit() else resource
    row = {
        "id": store.metafields.new_id(), "description": "", **draft, "resource_type": kind, "resource_id": number_,
        "owner_client_id": call.account.client_id, "date_created": now, "date_modified": now, "place": place,
    }  # fmt: skip
    store.metafields.put(row)
    store.note("create", "metafields", row, draft, call.actor)
    _tell(store, "created", row)
    return row


def update(call: Call, row: Row, body: Any) -> Row:
    if not _writable(call, row):
        raise ApiError(403, "The metafield belongs to another client")
    change = clean(body, _SPEC, partial=True)
    row = {**row, **change, "date_modified": call.store.now()}
    call.store.metafields.put(row)
    call.store.note("update", "metafields", row, change, call.actor)
    _tell(call.store, "updated", row)
    return row


def drop(call: Call, row: Row) -> None:
    if not _writable(call, row):
        raise ApiError(403, "The metafield belongs to another client")
    call.store.metafields.drop(row["id"])
    call.store.note("delete", "metafields", row, {}, call.actor)
    _tell(call.store, "deleted", row)


def _batch(call: Call, method: str, kind: str) -> Answer:
    store = call.store
    if method == "GET":
        ids = select(call, store.metafields, _FILTERS, lambda row: _visible(call, row) and row["resource_type"] == kind
                     and _is_named(call, row))  # fmt: skip
        return v3_page(call, ids, lambda part: [_shown(_row(store, one)) for one in part])
    done: list[Any] = []
    errors: list[Row] = []
    for place, one in enumerate(items(call.json(), BATCH)):
        try:
            done.append(_batched(call, method, kind, one))
        except ApiError as error:
            told = {str(place): error.title, **{f"{place}.{name}": text_ for name, text_ in error.errors.items()}}
            errors.append({"status": error.status, "title": error.title, "errors": told})
    meta = {"total": len(done) + len(errors), "success": len(done), "failed": len(errors)}
    return 422 if errors else 200, {"data": done, "errors": errors, "meta": meta}


def _batched(call: Call, method: str, kind: str, one: Any) -> Any:
    if method == "POST":
        resource = str(one.get("resource_id", "")) if isinstance(one, Mapping) else ""
        _need_resource(call.store, kind, resource)
        return _shown(create(call, kind, resource, one))
    number_ = one.get("id") if isinstance(one, Mapping) else one
    row = call.store.metafields.get(number_) if isinstance(number_, int) else None
    if row is None or row["resource_type"] != kind or not _visible(call, row):
        raise not_found()
    if method == "DELETE":
        drop(call, row)
        return number_
    if method == "PUT":
        return _shown(update(call, row, one))
    raise call.not_allowed()


def _is_named(call: Call, row: Mapping[str, Any]) -> bool:
    """``key`` and ``namespace``, exactly or as one of several."""
    for name in ("key", "namespace"):
        if call.params.get(name, row[name]) != row[name] or row[name] not in (call.many(f"{name}:in") or [row[name]]):
            return False
    return True


def _row(store: Store, number_: int) -> Row:
    return store.metafields.get(number_) or {}


def _shown(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "place"}


def _tell(store: Store, what: str, row: Row) -> None:
    data = {"type": "metafield", "metafield_id": row["id"], "resource_id": row["resource_id"]}
    if row["resource_type"] in _TOLD:
        own = {"metafield_id": row["id"], "resource_id": str(row["resource_id"])}
        store.tell(f"store/{row['resource_type']}/metafield/{what}", own)
    store.tell(f"store/metafield/{what}", {**data, "resource_type": row["resource_type"]})
