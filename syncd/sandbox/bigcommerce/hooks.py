"""Webhooks (V3): made, seen and changed by one client; ten per scope, one per scope and destination."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from syncd.sandbox.bigcommerce.call import Answer, Call, Filters, select, v3_page
from syncd.sandbox.bigcommerce.errors import invalid, not_found
from syncd.sandbox.bigcommerce.fields import FLAG, OBJECT, clean, text, whole_number
from syncd.sandbox.bigcommerce.sender import WebhookSender
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

MOST = 10
EXCEPTION = "store/hook/deliveryException"
_CRUD = ("created", "updated", "deleted")
SCOPES = frozenset(
    [f"store/customer/{one}" for one in _CRUD]
    + [f"store/customer/address/{one}" for one in _CRUD]
    + ["store/customer/channel/login/access/updated"]
    + [f"store/cart/{one}" for one in (*_CRUD, "couponApplied", "abandoned", "converted")]
    + [f"store/cart/lineItem/{one}" for one in _CRUD]
    + [f"store/{kind}/metafield/{one}" for kind in ("cart", "order", "product", "channel") for one in _CRUD]
    + [f"store/product/{one}" for one in (*_CRUD, "inventory/updated")]
    + ["store/channel/created", "store/channel/updated"]
    + [f"store/metafield/{one}" for one in _CRUD]
    + [f"store/order/{one}" for one in ("created", "updated", "archived", "statusUpdated", "message/created")]
    + ["store/order/refund/created", "store/order/transaction/created", "store/order/transaction/updated"]
    + [f"store/priceList/{one}" for one in (*_CRUD, "activated", "deactivated")]
    + [f"store/priceList/{kind}/{one}" for kind in ("record", "records") for one in _CRUD]
    + ["store/priceList/assignment/updated", "store/priceList/assignment/deleted", "store/priceLists/deleted"]
    + [f"store/company/{one}" for one in (*_CRUD, "statusUpdated")]
    + [f"store/company/{kind}/{one}" for kind in ("user", "address") for one in _CRUD]
    + ["store/company/superadmin/assignmentUpdated"]
    + [f"store/superadmin/{one}" for one in _CRUD]
    + [f"store/quote/{one}" for one in (*_CRUD, "statusUpdated")]
    + [f"store/subscriber/{one}" for one in _CRUD]
    + ["store/information/updated", "store/app/uninstalled", EXCEPTION]
)
_SPEC = {
    "scope": text(255, needed=True), "destination": text(2048, needed=True), "is_active": FLAG, "headers": OBJECT,
    "events_history_enabled": FLAG,
}  # fmt: skip
_FILTERS = Filters(dates=())
_SECURE = "https"


def answer(call: Call, sender: WebhookSender) -> Answer:
    store = call.store
    match call.method, call.rest[1:]:
        case "GET", []:
            ids = select(call, store.hooks, _FILTERS, lambda row: _asked(call, row))
            return v3_page(call, ids, lambda part: [_shown(store.hooks.get(one) or {}) for one in part])
        case "POST", []:
            return 200, {"data": _shown(create(call, call.json())), "meta": {}}
        case method, ["admin"]:
            return _admin(call, method, sender)
        case method, [raw]:
            return _one(call, method, whole_number(raw, "id"), sender)
    raise call.not_allowed()


def _asked(call: Call, row: Mapping[str, Any]) -> bool:
    if row["client_id"] != call.account.client_id:
        return False
    for name in ("scope", "destination"):
        if name in call.params and row[name] != call.params[name]:
            return False
    return "is_active" not in call.params or row["is_active"] == (call.params["is_active"] == "true")


def create(call: Call, body: Any) -> Row:
    """Raises ``ApiError``."""
    store = call.store
    draft = clean(body, _SPEC)
    _check(call, draft, 0)
    now = store.unix()
    row = {
        "id": store.hooks.new_id(), "client_id": call.account.client_id, "store_hash": store.settings.hash,
        "headers": {}, "is_active": True, "events_history_enabled": False, **draft, "created_at": now,
        "updated_at": now, "used_at": now,
    }  # fmt: skip
    store.hooks.put(row)
    store.note("create", "hooks", row, {"scope": row["scope"], "destination": row["destination"]}, call.actor)
    return row


def _check(call: Call, draft: Mapping[str, Any], number: int) -> None:
    store: Store = call.store
    scope, destination = draft["scope"], draft["destination"]
    if not covers_any(scope):
        raise invalid({"scope": "error.invalid.scope"})
    if not _is_destination(destination, lax=store.settings.lax_destinations):
        raise invalid({"destination": "The destination must be https on port 443"})
    headers = draft.get("headers") or {}
    if not all(isinstance(one, str) for one in headers.values()):
        raise invalid({"headers": "error.expected.text"})
    same = [row for row in store.hooks.rows() if row["client_id"] == call.account.client_id and row["scope"] == scope
            and row["id"] != number]  # fmt: skip
    if any(row["destination"] == destination for row in same):
        raise invalid({"destination": "A webhook with this scope and destination exists already"})
    if len(same) >= MOST:
        raise invalid({"scope": f"At most {MOST} webhooks may be made for one scope"})


def covers_any(scope: str) -> bool:
    """A known scope, or a wildcard that covers one."""
    return scope in SCOPES or (scope.endswith("/*") and any(one.startswith(scope[:-1]) for one in SCOPES))


def _is_destination(url: str, *, lax: bool) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if lax and host in {"127.0.0.1", "localhost", "::1"}:
        return True
    return parts.scheme == _SECURE and bool(host) and port is None


def _one(call: Call, method: str, number: int, sender: WebhookSender) -> Answer:
    store = call.store
    row = store.hooks.get(number)
    if row is None or row["client_id"] != call.account.client_id:
        raise not_found()
    if method == "DELETE":
        store.hooks.drop(number)
        store.note("delete", "hooks", row, {}, call.actor)
    elif method == "PUT":
        change = clean(call.json(), _SPEC, partial=True)
        _check(call, {**row, **change}, number)
        row = {**row, **change, "updated_at": store.unix()}
        if change.get("is_active"):
            row["used_at"] = store.unix()
            sender.forgive(number)
        store.hooks.put(row)
        store.note("update", "hooks", row, change, call.actor)
    elif method != "GET":
        raise call.not_allowed()
    return 200, {"data": _shown(row), "meta": {}}


def _shown(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "used_at"}


def _admin(call: Call, method: str, sender: WebhookSender) -> Answer:
    if method == "PUT":
        body = call.json()
        emails = body.get("emails") if isinstance(body, Mapping) else None
        if not isinstance(emails, list) or not all(isinstance(one, str) for one in emails):
            raise invalid({"emails": "error.expected.list"})
        call.store.hook_emails[:] = emails
        call.store.note("update", "hook_admin", {"id": 1}, {"emails": emails}, call.actor)
        return 204, None
    if method != "GET":
        raise call.not_allowed()
    body = {"emails": list(call.store.hook_emails), "blocked_domains": sender.blocked()}
    return 200, {"data": body, "meta": {}}
