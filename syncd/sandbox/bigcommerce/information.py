"""The store itself (V2) and its channels (V3)."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.bigcommerce.call import Answer, Call, Filters, select, v3_page
from syncd.sandbox.bigcommerce.errors import not_found
from syncd.sandbox.bigcommerce.fields import FLAG, clean, text, whole_number
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

_CHANNEL = {
    "name": text(255, needed=True),
    "type": text(needed=True, one_of=("pos", "marketplace", "storefront", "marketing")),
    "platform": text(255, needed=True),
    "status": text(one_of=("active", "prelaunch", "inactive", "connected", "disconnected", "archived")),
    "external_id": text(255),
    "is_listable_from_ui": FLAG,
    "is_visible": FLAG,
}
_FILTERS = Filters(numbers=("id",), texts=("type", "platform", "status"))


def store(call: Call) -> Answer:
    """``GET /v2/store``."""
    if call.method != "GET" or len(call.rest) != 1:
        raise call.not_allowed()
    own = call.store.settings
    zone = {
        "name": "UTC",
        "raw_offset": 0,
        "dst_offset": 0,
        "dst_correction": False,
        "date_format": {"display": "M jS Y"},
    }
    return 200, {
        "id": own.hash, "account_uuid": "3f2c8d1b-7a90-4c55-9a4e-2f3c8d1b7a90", "domain": "sandbox.example",
        "secure_url": "https://sandbox.example", "control_panel_base_url": "https://store-sandbox.example",
        "status": "live", "name": own.name, "first_name": "Mara", "last_name": "Lindt",
        "admin_email": "merchant@sandbox.example", "store_id": own.store_id, "default_channel_id": 1,
        "plan_name": own.plan, "plan_level": own.plan, "plan_is_trial": False, "currency": own.currency,
        "currency_symbol": "$",
        "weight_units": "KGS", "dimension_units": "Centimeters", "country": "United Kingdom", "timezone": zone,
        "language": "en", "features": {"stencil_enabled": True, "multi_storefront_enabled": True},
    }  # fmt: skip


def time(call: Call) -> Answer:
    """``GET /v2/time``."""
    if call.method != "GET":
        raise call.not_allowed()
    return 200, {"time": call.store.unix()}


def channels(call: Call) -> Answer:
    table = call.store.channels
    match call.method, call.rest[1:]:
        case "GET", []:
            ids = select(call, table, _FILTERS)
            return v3_page(call, ids, lambda part: [table.get(one) or {} for one in part])
        case "POST", []:
            row = add_channel(call.store, clean(call.json(), _CHANNEL))
            call.store.note("create", "channels", row, row, call.actor)
            call.store.tell("store/channel/created", {"type": "channel", "id": row["id"]})
            return 200, {"data": row, "meta": {}}
        case method, [raw]:
            return _channel(call, method, whole_number(raw, "channel_id"))
    raise call.not_allowed()


def _channel(call: Call, method: str, number: int) -> Answer:
    row = call.store.channels.get(number)
    if row is None:
        raise not_found()
    if method == "PUT":
        row = change_channel(call.store, row, call.json(), call.actor)
    elif method != "GET":
        raise call.not_allowed()
    return 200, {"data": row, "meta": {}}


def change_channel(store_: Store, row: Row, body: Any, actor: str) -> Row:
    """What a channel is for stays as it was made. Raises ``ApiError``."""
    spec = {name: member for name, member in _CHANNEL.items() if name not in {"type", "platform"}}
    change = clean(body, {**spec, "is_listable_from_ui": FLAG, "is_visible": FLAG}, partial=True)
    row = {**row, **change, "date_modified": store_.now()}
    store_.channels.put(row)
    store_.note("update", "channels", row, change, actor)
    store_.tell("store/channel/updated", {"type": "channel", "id": row["id"]})
    return row


def add_channel(store_: Store, draft: Row) -> Row:
    now = store_.now()
    row = {
        "id": store_.channels.new_id(), "status": "active", "external_id": "", "is_listable_from_ui": True,
        "is_visible": True, "icon_url": "", "config_meta": {}, **draft, "date_created": now, "date_modified": now,
    }  # fmt: skip
    store_.channels.put(row)
    return row
