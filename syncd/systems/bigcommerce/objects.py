"""What syncd knows of in a store, and how the vendor's resources become snapshots. Pure.

A snapshot's data is the vendor's resource with a few members put into one form, so that mappings need not know which
generation of the API told them: moments are ISO 8601, customer 0 is nobody, and these are added:

* customers: ``attributes.<name>`` and ``form_fields.<name>`` (values by name), ``customer_group`` (the group's name),
  ``address.<member>`` (of the first address), ``store_credit``;
* carts and orders: ``items`` (canonical items), ``state``, ``currency_code``;
* price records: ``tiers`` (unit prices by quantity), and prices as text; products: ``currency_code``;
* customer groups: ``price_list_id``;
* companies, their users and addresses: ``id``, ``extra_fields.<name>``; companies also ``customer_group``, ``credit``,
  ``payment_terms`` and ``parent`` (its id).

What is mapped below ``metafields`` is read apart (:mod:`~syncd.systems.bigcommerce.metafields`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Any, Final

import orjson

from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.model.value import InvalidValueError, instant_from_ms, instant_to_ms, money
from syncd.systems.bigcommerce.kinds import OBJECTS
from syncd.systems.contract import Snapshot, VendorError

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
PRICES: Final = ("price", "sale_price", "retail_price", "map_price")
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
        "address": min(row.get("addresses") or [{}], key=lambda one: one.get("id") or 0),
        "store_credit": amount(next((one.get("amount") for one in row.get("store_credit_amounts") or ()), None)),
    }  # fmt: skip
    stamps = [row.get("date_modified"), *(one.get("date_modified") for one in values)]
    return snapshot("customers", row.get("id"), data, max(instant_ms(one) for one in stamps))


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
    return snapshot("carts", row.get("id"), data, instant_ms(row.get("updated_time")))


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
    deleted = bool(row.get("is_deleted"))
    return snapshot("orders", row.get("id"), data, instant_ms(data["date_modified"]), deleted=deleted)


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
    return snapshot("carts", row.get("cart_id"), data, instant_ms(made["date_modified"]))


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


# -- prices, groups, channels, products


def price_record(row: Row) -> Snapshot:
    """Its id is its place: price list, variant and currency."""
    code = str(row.get("currency") or "").upper()
    number = record_id(row.get("price_list_id"), row.get("variant_id"), code)
    data = {**row, **{name: amount(row.get(name)) for name in PRICES}, "id": number, "currency": code}
    data["tiers"] = tiers(row.get("bulk_pricing_tiers") or (), data["price"], code)
    return snapshot("price_records", number, data, instant_ms(row.get("date_modified")))


def record_id(price_list: Any, variant: Any, currency: str) -> str:
    return f"{price_list}/{variant}/{currency.upper()}"


def tiers(rows: Iterable[Row], base: str | None, currency: str) -> list[dict[str, Any]]:
    """Unit prices by quantity. Tiers may be prices (``fixed``), amounts off the price, or percentages off it."""
    found = []
    for row in rows:
        told, kind = Decimal(amount(row.get("amount")) or "0"), row.get("type")
        if kind != "fixed":
            price = Decimal(base or "0")
            told = price - told if kind == "price" else price * (100 - told) / 100
        found.append({
            "quantity_min": row.get("quantity_min"), "quantity_max": row.get("quantity_max"), "price": plain(told),
            "currency": currency,
        })  # fmt: skip
    return found


def assignment(row: Row) -> Snapshot:
    """Its id is its place: price list, customer group and channel; 0 for all of them."""
    parts = [str(row.get(name) or 0) for name in ("price_list_id", "customer_group_id", "channel_id")]
    return snapshot("price_list_assignments", "/".join(parts), {**row, "id": "/".join(parts)}, 0)


def customer_group(row: Row) -> Snapshot:
    rules = row.get("discount_rules") or ()
    lists = [one.get("price_list_id") for one in rules if one.get("type") == "price_list"]
    data = {
        **row, **{name: moment(row.get(name)) for name in ("date_created", "date_modified")},
        "price_list_id": person(next(iter(lists), None)),
    }  # fmt: skip
    return snapshot("customer_groups", row.get("id"), data, instant_ms(data["date_modified"]))


def product(row: Row, currency: str) -> Snapshot:
    prices = {name: amount(row.get(name)) for name in ("cost_price", "calculated_price", *PRICES) if name in row}
    return snapshot(
        "products", row.get("id"), {**row, **prices, "currency_code": currency}, instant_ms(row.get("date_modified"))
    )


def plainly(object_: str, row: Row) -> Snapshot:
    """A resource that needs no other form (price lists, channels, customer addresses)."""
    return snapshot(object_, row.get("id"), row, instant_ms(row.get("date_modified")))


# -- B2B Edition


def company(row: Row, groups: Mapping[int, str], credit: Row | None, terms: Row | None) -> Snapshot:
    held = {
        "customer_group": groups.get(int(row.get("bcGroupId") or 0)) or row.get("bcGroupName") or None,
        "status": COMPANY_STATUSES.get(str(row.get("companyStatus")), row.get("companyStatus")),
        "parent": person((row.get("parentCompany") or {}).get("id")),
        "credit": {**(credit or {}), "availableCredit": amount((credit or {}).get("availableCredit"))},
        "payment_terms": dict(terms or {}),
    }
    return _b2b("companies", row.get("companyId"), {**row, **held})


def user(row: Row) -> Snapshot:
    roles = {"companyRoleId": person(row.get("companyRoleId")), "customerId": person(row.get("customerId"))}
    return _b2b("users", row.get("id", row.get("userId")), {**row, **roles})


def company_address(row: Row) -> Snapshot:
    return _b2b("company_addresses", row.get("addressId"), row)


def role(row: Row) -> Snapshot:
    """Permissions in an order of their own."""
    held = sorted(row.get("permissions") or (), key=lambda one: str(one.get("code")))
    return snapshot("roles", row.get("id"), {**row, "permissions": held}, 0)


def _b2b(object_: str, number: Any, row: Row) -> Snapshot:
    """Moments are unix seconds, sometimes as text."""
    stamps = {name: unix_ms(row.get(name)) for name in ("createdAt", "updatedAt")}
    extras = {str(one.get("fieldName")): one.get("fieldValue") for one in row.get("extraFields") or []}
    told = {name: instant_from_ms(ms) if ms else None for name, ms in stamps.items()}
    return snapshot(object_, number, {**row, **told, "id": number, "extra_fields": extras}, stamps["updatedAt"])


# -- forms


def snapshot(
    object_: str, number: Any, data: Mapping[str, Any], modified_at: int, *, deleted: bool = False
) -> Snapshot:
    """Raises :class:`VendorError` for a resource that has no id."""
    if number in (None, "", 0):
        raise VendorError(Failure(Remedy.RETRY, "bad-response", f"a resource of {object_} has no id"))
    # Whole seconds do not tell two changes in one second apart; the content does.
    digest = blake2b(orjson.dumps(data, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
    return Snapshot(object_, str(number), data, f"{modified_at}:{digest}", modified_at, deleted)


def person(number: Any) -> str | None:
    """A customer's id; 0 is nobody."""
    return str(number) if number not in (None, 0, "0", "") else None


def amount(value: Any) -> str | None:
    """An amount as text. JSON numbers of the vendor carry four decimals, and the dust of binary fractions."""
    if value is None or isinstance(value, bool):
        return None
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def plain(number: Decimal) -> str:
    """Without an exponent, and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


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


def iso(ms: int) -> str:
    """As V3 and V2 take moments in queries: whole seconds."""
    return instant_from_ms(ms)[:19] + "Z"


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
