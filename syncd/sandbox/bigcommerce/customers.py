"""Customers (V3): batches of ten, unique e-mail addresses, and sub-resources with endpoints of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.sandbox.bigcommerce import addresses, attributes
from syncd.sandbox.bigcommerce.call import Answer, Call, Filters, select, v3_cursor_page
from syncd.sandbox.bigcommerce.errors import invalid
from syncd.sandbox.bigcommerce.fields import FLAG, LIST, OBJECT, Member, clean, email, items, number, text, whole_number
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

BATCH = 10
EMBEDDED = 10
"""Addresses and attributes that a customer shows at most."""

_PLAIN: Mapping[str, Member] = {
    "email": email(needed=True),
    "first_name": text(100, needed=True),
    "last_name": text(100, needed=True),
    "company": text(255),
    "phone": text(50),
    "notes": text(65_535),
    "tax_exempt_category": text(255),
    "customer_group_id": number(),
    "accepts_product_review_abandoned_cart_emails": FLAG,
    "channel_ids": Member("list", null=True),
    "store_credit_amounts": LIST,
    "form_fields": LIST,
    "authentication": OBJECT,
}
_DRAFT = {
    **_PLAIN,
    "addresses": LIST,
    "attributes": LIST,
    "origin_channel_id": number(),
    "registration_ip_address": text(30),
}
FILTERS = Filters(
    numbers=("id", "customer_group_id"),
    texts=("company", "email", "name", "phone", "registration_ip_address"),
    likes=("name",),
    sorts=("date_created", "date_modified", "last_name"),
)
EMPTY: Row = {
    "company": "", "phone": "", "notes": "", "tax_exempt_category": "", "customer_group_id": 0,
    "accepts_product_review_abandoned_cart_emails": False, "origin_channel_id": 1, "channel_ids": None,
    "registration_ip_address": "", "store_credit_amounts": [{"amount": 0.0}], "form_fields": [],
}  # fmt: skip
INCLUDES = ("addresses", "storecredit", "attributes", "formfields", "shopper_profile_id", "segment_ids")


def answer(call: Call) -> Answer:
    match call.method, call.rest[1:]:
        case "GET", []:
            return _list(call)
        case "POST", []:
            return 200, {"data": _shown(call, create(call.store, call.json(), call.actor)), "meta": {}}
        case "PUT", []:
            return 200, {"data": _shown(call, update(call.store, call.json(), call.actor)), "meta": {}}
        case "DELETE", []:
            for one in call.numbers("id:in") or ():
                if one in call.store.customers:
                    delete(call.store, one, call.actor)
            return 204, None
        case method, ["addresses"]:
            return addresses.answer(call, method)
        case method, ["attributes"]:
            return attributes.definitions(call, method)
        case method, ["attribute-values"]:
            return attributes.values(call, method)
        case _, ["form-field-values"]:
            return _form_values(call)
        case "GET", ["settings", *_]:
            return 200, {"data": {"privacy_settings": {"ask_shopper_for_tracking_consent": False}}, "meta": {}}
        case method, [number_, "consent"]:
            return _consent(call, method, whole_number(number_, "customerId"))
    raise call.not_allowed()


# -- reading


def _list(call: Call) -> Answer:
    wanted = set(call.many("include") or ())
    if wanted - set(INCLUDES):
        raise invalid({"include": f"error.enum.{','.join(INCLUDES)}"})
    emails = call.many("email:in")
    if emails is not None and "id:in" not in call.params:
        # The index answers what a walk over everybody would answer slowly.
        held = [call.store.customers.holder("email", one) for one in emails]
        call.params = {**call.params, "id:in": ",".join(str(one) for one in held if one is not None)}
    ids = select(call, call.store.customers, FILTERS)
    return v3_cursor_page(call, ids, lambda part: [shown(call.store, one, wanted) for one in part])


def shown(store: Store, number_: int, wanted: set[str]) -> Row:
    """A customer as a reply shows it, with what ``include`` asked for."""
    row = store.customers.get(number_) or {}
    credit, forms = row.pop("store_credit_amounts", []), row.pop("form_fields", [])
    at, values = (
        store.addresses.of_group("customer_id", number_),
        store.attribute_values.of_group("customer_id", number_),
    )
    row |= {"address_count": len(at), "attribute_count": len(values)}
    if "addresses" in wanted:
        row["addresses"] = [store.addresses.get(one) for one in at[:EMBEDDED]]
    if "attributes" in wanted:
        row["attributes"] = [attributes.shown(store, one) for one in values[:EMBEDDED]]
    if "storecredit" in wanted:
        row["store_credit_amounts"] = credit
    if "formfields" in wanted:
        row["form_fields"] = [{**one, "customer_id": number_} for one in forms]
    if "shopper_profile_id" in wanted:
        row["shopper_profile_id"] = None
    if "segment_ids" in wanted:
        row["segment_ids"] = []
    return row


def _shown(call: Call, ids: Sequence[int]) -> list[Row]:
    wanted = set(call.many("include") or ())
    return [shown(call.store, one, wanted) for one in ids]


# -- writing


def create(store: Store, body: Any, actor: str, *, at: str = "") -> list[int]:
    """All or none. Raises ``ApiError``."""
    drafts = [clean(one, _DRAFT, str(place)) for place, one in enumerate(items(body, BATCH))]
    _check(store, [(None, one) for one in drafts])
    for place, draft in enumerate(drafts):
        addresses.check_drafts(draft.get("addresses", ()), f"{place}.addresses")
        attributes.check_drafts(store, draft.get("attributes", ()), f"{place}.attributes")
    return [_make(store, draft, actor, at) for draft in drafts]


def _make(store: Store, draft: Row, actor: str, at: str) -> int:
    number_, now = store.customers.new_id(), at or store.now()
    theirs, values = draft.pop("addresses", []), draft.pop("attributes", [])
    forced = bool(draft.pop("authentication", {}).get("force_password_reset", False))
    row = {"id": number_, **EMPTY, **draft, "authentication": {"force_password_reset": forced}}
    store.customers.put({**row, "date_created": now, "date_modified": now})
    told: Row = {**draft, "attributes": {}}
    for one in theirs:
        addresses.add(store, number_, one)
    for one in values:
        attributes.put_value(store, number_, one["attribute_id"], one["attribute_value"], now)
        told["attributes"][str(one["attribute_id"])] = one["attribute_value"]
    store.note("create", "customers", row, told, actor)
    store.tell("store/customer/created", {"type": "customer", "id": number_})
    for address in store.addresses.of_group("customer_id", number_):
        data = {"type": "customer", "id": address, "address": {"customer_id": number_}}
        store.tell("store/customer/address/created", data)
    return number_


def update(store: Store, body: Any, actor: str) -> list[int]:
    """All or none; addresses and attributes are passed over. Raises ``ApiError``."""
    wanted: list[tuple[int | None, Row]] = []
    for place, one in enumerate(items(body, BATCH)):
        changes = clean(one, {"id": number(needed=True), **{k: _optional(m) for k, m in _PLAIN.items()}}, str(place))
        number_ = changes.pop("id")
        if number_ not in store.customers:
            raise invalid({f"{place}.id": f"Customer with id {number_} does not exist."})
        wanted.append((number_, changes))
    _check(store, wanted)
    return [change(store, number_, changes, actor) for number_, changes in wanted if number_ is not None]


def change(store: Store, number_: int, changes: Mapping[str, Any], actor: str) -> int:
    """Change members that were checked; news only where something differs."""
    row = store.customers.get(number_) or {}
    new = {key: value for key, value in changes.items() if key != "authentication" and row.get(key) != value}
    if new:
        store.customers.put({**row, **new, "date_modified": store.now()})
        store.note("update", "customers", row, new, actor)
        store.tell("store/customer/updated", {"type": "customer", "id": number_})
    return number_


def delete(store: Store, number_: int, actor: str) -> None:
    row = store.customers.get(number_) or {}
    for one in store.addresses.of_group("customer_id", number_):
        store.addresses.drop(one)
    for one in store.attribute_values.of_group("customer_id", number_):
        store.attribute_values.drop(one)
    store.customers.drop(number_)
    store.note("delete", "customers", row, {}, actor)
    store.tell("store/customer/deleted", {"type": "customer", "id": number_})


def _optional(member: Member) -> Member:
    """In a change a needed member may be missing, but still not be empty."""
    return Member("email" if member.kind == "email" else member.kind, member.most, False, member.one_of, member.null)


def _check(store: Store, wanted: Sequence[tuple[int | None, Mapping[str, Any]]]) -> None:
    """What no single member tells: e-mail addresses, empty names, groups. Raises ``ApiError`` 422."""
    errors: dict[str, str] = {}
    met: dict[str, int] = {}
    for place, (number_, draft) in enumerate(wanted):
        for name in ("email", "first_name", "last_name"):
            if draft.get(name) == "":
                errors[f"{place}.{name}"] = f"{name} may not be empty"
        address = str(draft.get("email", "")).casefold()
        if address:
            holder = store.customers.holder("email", address)
            if (holder is not None and holder != number_) or address in met:
                errors[".customer_create" if number_ is None else ".customer_update"] = (
                    f"email {draft['email']} already in use"
                )
            met[address] = place
        group = draft.get("customer_group_id")
        if group and group not in store.groups:
            errors[f"{place}.customer_group_id"] = f"Customer group {group} does not exist"
    if errors:
        raise invalid(errors)


# -- the rest


def _form_values(call: Call) -> Answer:
    if call.method != "GET":
        raise call.not_allowed()
    wanted = call.numbers("customer_id")
    numbers = wanted if wanted is not None else call.store.customers.ids()
    rows = []
    for one in numbers:
        customer = call.store.customers.get(one) or {}
        rows += [{**field, "customer_id": one} for field in customer.get("form_fields", [])]
    return 200, {"data": rows, "meta": {"pagination": {"total": len(rows), "count": len(rows)}}}


def _consent(call: Call, method: str, number_: int) -> Answer:
    if number_ not in call.store.customers:
        raise invalid({"customerId": f"Customer with id {number_} does not exist."})
    if method == "PUT":
        body = clean(call.json(), {"allow": LIST, "deny": LIST})
        consent = {"allow": body.get("allow", []), "deny": body.get("deny", [])}
        call.store.consents[number_] = consent
        call.store.note("update", "customer_consents", {"id": number_}, consent, call.actor)
    elif method != "GET":
        raise call.not_allowed()
    held = call.store.consents.get(number_, {"allow": [], "deny": []})
    return 200, {**held, "updated_at": call.store.now()}
