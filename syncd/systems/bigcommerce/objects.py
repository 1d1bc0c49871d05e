"""What syncd knows of in a store, and how the vendor's resources become snapshots. Pure.

A snapshot's data is the vendor's resource with a few members put into one form, so that mappings need not know which
generation of the API told them: moments are ISO 8601, customer 0 is nobody, and these are added:

* customers: ``attributes.<name>`` and ``form_fields.<name>`` (values by name), ``customer_group`` (the group's name);
* carts and orders: ``items`` (canonical items), ``state``, ``currency_code``;
* companies and users: ``id``, ``extra_fields.<name>``, companies also ``customer_group`` and ``credit``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Any, Final

import orjson

from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.model.value import InvalidValueError, instant_from_ms, instant_to_ms, money
from syncd.systems.contract import Snapshot, VendorError

OBJECTS: Final = ("customers", "carts", "orders", "companies", "users")
WRITABLE: Final = frozenset({"customers", "companies", "users"})
B2B: Final = frozenset({"companies", "users"})
STATUSES: Final = (
    "Incomplete", "Pending", "Shipped", "Partially Shipped", "Refunded", "Cancelled", "Declined", "Awaiting Payment",
    "Awaiting Pickup", "Awaiting Shipment", "Completed", "Awaiting Fulfillment", "Manual Verification Required",
    "Disputed", "Partially Refunded",
)  # fmt: skip
"""Of orders, by id. Labels can be edited in a store, so the ids are what counts."""
INCOMPLETE: Final = 0
"""A checkout that was not paid: no order yet."""
ACTIVE, ORDERED, EMPTIED = "Active", "Ordered", "Merged"
"""States of carts, in the words that the life of a cart is told in."""
COMPANY_STATUSES: Final = {"0": "Pending", "1": "Approved", "2": "Rejected", "3": "Inactive"}
Row = Mapping[str, Any]


def known(mapping: ObjectMapping) -> str:
    """The mapping's object. Raises :class:`VendorError` for one that is not known here."""
    if mapping.object not in OBJECTS:
        told = f"syncd does not know the object {mapping.object!r}; it knows {', '.join(OBJECTS)}"
        raise VendorError(Failure(Remedy.ASK, "unknown-object", told))
    return mapping.object


def members(mapping: ObjectMapping) -> frozenset[str]:
    """The first steps of every path that the mapping has."""
    return frozenset(path.partition(".")[0] for path in mapping.paths())


def names_of(mapping: ObjectMapping, member: str) -> list[str]:
    """What the mapping names below a member: ``attributes.credit_limit`` gives ``credit_limit``."""
    return [path.partition(".")[2] for path in mapping.paths() if path.startswith(f"{member}.")]


# -- customers


def customer(row: Row, attributes: Mapping[int, str], groups: Mapping[int, str]) -> Snapshot:
    """``attributes`` and ``groups`` are names by id."""
    values = row.get("attributes") or []
    data = {
        **row,
        "attributes": {attributes[one["attribute_id"]]: one.get("attribute_value") for one in values
                       if one.get("attribute_id") in attributes},
        "form_fields": {str(one.get("name")): one.get("value") for one in row.get("form_fields") or []},
        "customer_group": groups.get(row.get("customer_group_id") or 0),
    }  # fmt: skip
    stamps = [row.get("date_modified"), *(one.get("date_modified") for one in values)]
    return _snapshot("customers", row.get("id"), data, max(instant_ms(one) for one in stamps))


# -- carts and orders


def cart(row: Row, email: str = "") -> Snapshot:
    """``email`` stands in where the cart has none."""
    code = str((row.get("currency") or {}).get("code") or "")
    lines: Mapping[str, Any] = row.get("line_items") or {}
    listed = [line for kind in ("physical_items", "digital_items", "custom_items", "gift_certificates")
              for line in lines.get(kind) or []]  # fmt: skip
    data = {
        **row,
        "state": ACTIVE,
        "email": row.get("email") or email or None,
        "customer_id": person(row.get("customer_id")),
        "currency_code": code,
        "cart_amount": amount(row.get("cart_amount")),
        "items": items(listed, code, ("sale_price", "list_price", "amount")),
    }
    return _snapshot("carts", row.get("id"), data, instant_ms(row.get("updated_time")))


def order(row: Row, lines: Sequence[Row]) -> Snapshot:
    code, status = str(row.get("currency_code") or ""), row.get("status_id")
    billing = row.get("billing_address") or {}
    data = {
        **row,
        **{name: moment(row.get(name)) for name in ("date_created", "date_modified", "date_shipped")},
        "state": STATUSES[status] if isinstance(status, int) and 0 <= status < len(STATUSES) else row.get("status"),
        "customer_id": person(row.get("customer_id")),
        "email": billing.get("email") or None,
        "items": items(lines, code, ("price_inc_tax", "base_price")),
    }
    return _snapshot("orders", row.get("id"), data, instant_ms(data["date_modified"]))


def cart_of_order(row: Row, lines: Sequence[Row]) -> Snapshot:
    """The cart that became an order. The vendor has forgotten it; the order tells what was in it."""
    made = order(row, lines).data
    data = {
        "id": row.get("cart_id"),
        "state": ORDERED,
        "email": made["email"],
        "customer_id": made["customer_id"],
        "currency_code": made["currency_code"],
        "cart_amount": row.get("total_inc_tax"),
        "items": made["items"],
        "created_time": made["date_created"],
        "updated_time": made["date_modified"],
        "order_id": row.get("id"),
    }
    return _snapshot("carts", row.get("cart_id"), data, instant_ms(made["date_modified"]))


def items(lines: Iterable[Row], currency: str, prices: Sequence[str]) -> list[dict[str, Any]]:
    """Canonical items. The key is product and variant and not the line's own id, so that the order made of a cart
    names its lines as the cart did."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        product, sku, name = line.get("product_id"), str(line.get("sku") or ""), str(line.get("name") or "")
        base = f"{product}.{line.get('variant_id') or 0}" if product else f"custom.{sku or name}"
        key, number = base, 1
        while key in found:
            number += 1
            key = f"{base}#{number}"
        price = next((line[one] for one in prices if line.get(one) is not None), 0)
        found[key] = {
            "key": key, "sku": sku or None, "name": name, "quantity": int(line.get("quantity") or 1),
            "price": money(amount(price) or "0", currency) if currency else None,
        }  # fmt: skip
    return list(found.values())


# -- B2B Edition


def company(row: Row, groups: Mapping[int, str], credit: Row | None) -> Snapshot:
    held = {
        "customer_group": groups.get(row.get("bcGroupId") or 0) or row.get("bcGroupName") or None,
        "status": COMPANY_STATUSES.get(str(row.get("companyStatus")), row.get("companyStatus")),
        "credit": dict(credit or {}),
    }
    return _b2b("companies", row.get("companyId"), {**row, **held})


def user(row: Row) -> Snapshot:
    return _b2b("users", row.get("id", row.get("userId")), {**row, "customerId": person(row.get("customerId"))})


def _b2b(object_: str, number: Any, row: Row) -> Snapshot:
    """Moments are unix seconds, sometimes as text."""
    stamps = {name: unix_ms(row.get(name)) for name in ("createdAt", "updatedAt")}
    extras = {str(one.get("fieldName")): one.get("fieldValue") for one in row.get("extraFields") or []}
    told = {name: instant_from_ms(ms) if ms else None for name, ms in stamps.items()}
    return _snapshot(object_, number, {**row, **told, "id": number, "extra_fields": extras}, stamps["updatedAt"])


# -- forms


def _snapshot(object_: str, number: Any, data: Mapping[str, Any], modified_at: int) -> Snapshot:
    if number in (None, "", 0):
        raise VendorError(Failure(Remedy.RETRY, "bad-response", f"a resource of {object_} has no id"))
    # Whole seconds do not tell two changes in one second apart; the content does.
    digest = blake2b(orjson.dumps(data, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
    deleted = bool(data.get("is_deleted")) and object_ == "orders"
    return Snapshot(object_, str(number), data, f"{modified_at}:{digest}", modified_at, deleted)


def person(number: Any) -> str | None:
    """A customer's id; 0 is nobody."""
    return str(number) if number not in (None, 0, "0", "") else None


def amount(value: Any) -> str | None:
    """An amount as text. JSON numbers of the vendor carry four decimals, and the dust of binary fractions."""
    if value is None or isinstance(value, bool):
        return None
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def moment(text: Any) -> str | None:
    """A moment as V2 (RFC 2822) or V3 (ISO 8601) writes it, in ISO 8601; ``None`` for none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return instant_from_ms(instant_to_ms(text))
    except InvalidValueError:
        pass  # not ISO 8601: the other form is tried
    try:
        return instant_from_ms(int(parsedate_to_datetime(text).timestamp() * 1000))
    except (ValueError, TypeError, OverflowError):
        return None


def instant_ms(text: Any) -> int:
    """Milliseconds since the epoch; 0 where the vendor told none."""
    found = moment(text)
    return instant_to_ms(found) if found else 0


def unix_ms(value: Any) -> int:
    """Unix seconds, as a number or as text, in milliseconds."""
    try:
        return int(float(value) * 1000)
    except (TypeError, ValueError, OverflowError):
        return 0
