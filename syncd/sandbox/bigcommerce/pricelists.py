"""Price lists, their records and assignments (V3): 1000 per upsert, 100 per create, batches tell in arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from syncd.sandbox.bigcommerce.call import Answer, Call, Filters, instant, select, v3_cursor_page, v3_page
from syncd.sandbox.bigcommerce.errors import ApiError, conflict, invalid, not_found
from syncd.sandbox.bigcommerce.fields import FLAG, LIST, OPTIONAL_AMOUNT, clean, items, number, text, whole_number
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

UPSERT, CREATE, MANY, ASSIGN = 1000, 100, 100, 25
_LIST = {"name": text(255, needed=True), "active": FLAG}
_PRICES = ("price", "sale_price", "retail_price", "map_price")
_RECORD = {
    "variant_id": number(), "sku": text(255), "currency": text(3, needed=True), "bulk_pricing_tiers": LIST,
    **dict.fromkeys(_PRICES, OPTIONAL_AMOUNT),
}  # fmt: skip
_LISTS = Filters(numbers=("id",), texts=("name",), likes=("name",), sorts=("id", "name"))
Key = tuple[int, str]


def answer(call: Call) -> Answer:
    match call.method, call.rest[1:]:
        case method, []:
            return _lists(call, method)
        case method, ["assignments"]:
            return _assignments(call, method)
        case ("PUT" | "POST") as method, ["records"]:
            return _across(call, method)
        case method, [raw]:
            return _one(call, method, need(call.store, raw))
        case "PUT", [raw, "assignments"]:
            return _assign_one(call, need(call.store, raw))
        case method, [raw, "records", *rest]:
            return _records(call, method, need(call.store, raw)["id"], rest)
    raise call.not_allowed()


def need(store: Store, raw: str) -> Row:
    """Raises ``ApiError`` 404."""
    row = store.pricelists.get(whole_number(raw, "price_list_id"))
    if row is None:
        raise not_found()
    return row


def create(store: Store, body: Any, actor: str) -> Row:
    draft = {"active": True, **clean(body, _LIST)}
    _free(store, draft["name"], 0)
    now = store.now()
    row = {"id": store.pricelists.new_id(), **draft, "date_created": now, "date_modified": now}
    store.pricelists.put(row)
    store.price_records[row["id"]] = {}
    store.note("create", "pricelists", row, draft, actor)
    store.tell("store/priceList/created", {"price_list_id": row["id"]})
    return row


def _free(store: Store, name: str, number_: int) -> None:
    holder = store.pricelists.holder("name", name)
    if holder is not None and holder != number_:
        raise conflict("A price list with this name exists already", {"name": "must be unique"})


def _lists(call: Call, method: str) -> Answer:
    store = call.store
    if method == "GET":
        ids = select(call, store.pricelists, _LISTS)
        return v3_page(call, ids, lambda part: [store.pricelists.get(one) or {} for one in part])
    if method == "POST":
        return 200, {"data": create(store, call.json(), call.actor), "meta": {}}
    if method == "DELETE":
        gone = [one for one in call.numbers("id:in") or () if one in store.pricelists]
        for one in gone:
            _drop(store, one, call.actor)
        store.tell("store/priceLists/deleted", {"price_list_ids": gone})
        return 204, None
    raise call.not_allowed()


def _one(call: Call, method: str, row: Row) -> Answer:
    store = call.store
    if method == "PUT":
        change = clean(call.json(), _LIST, partial=True)
        if "name" in change:
            _free(store, change["name"], row["id"])
        flips = change.get("active", row["active"]) != row["active"]
        row = {**row, **change, "date_modified": store.now()}
        store.pricelists.put(row)
        store.note("update", "pricelists", row, change, call.actor)
        store.tell("store/priceList/updated", {"price_list_id": row["id"]})
        if flips:
            what = "activated" if row["active"] else "deactivated"
            store.tell(f"store/priceList/{what}", {"price_list_id": row["id"]})
    elif method == "DELETE":
        _drop(store, row["id"], call.actor)
        store.tell("store/priceList/deleted", {"price_list_id": row["id"]})
        return 204, None
    elif method != "GET":
        raise call.not_allowed()
    return 200, {"data": row, "meta": {}}


def _drop(store: Store, number_: int, actor: str) -> None:
    row = store.pricelists.get(number_) or {}
    store.pricelists.drop(number_)
    store.price_records.pop(number_, None)
    for one in store.assignments.of_group("price_list_id", number_):
        store.assignments.drop(one)
    store.note("delete", "pricelists", row, {}, actor)


# -- records


def _records(call: Call, method: str, list_id: int, rest: Sequence[str]) -> Answer:
    match method, rest:
        case "GET", []:
            return _listed(call, list_id, None)
        case "GET", [variant]:
            return _listed(call, list_id, whole_number(variant, "variant_id"))
        case "PUT", []:
            _store(call, [(list_id, one) for one in items(call.json(), UPSERT)])
            return 200, {"data": {}, "meta": {}}
        case "POST", []:
            rows = _store(call, [(list_id, one) for one in items(call.json(), CREATE)], fresh=True)
            return 200, {"data": rows, "meta": {}}
        case "DELETE", []:
            return _remove(call, list_id)
        case _, [variant, currency]:
            return _single(call, method, list_id, (whole_number(variant, "variant_id"), currency))
    raise call.not_allowed()


def _across(call: Call, method: str) -> Answer:
    """Records of several lists in one call."""
    wanted = []
    for place, one in enumerate(items(call.json(), MANY)):
        list_id = one.get("price_list_id") if isinstance(one, Mapping) else None
        if not isinstance(list_id, int) or list_id not in call.store.pricelists:
            raise invalid({f"{place}.price_list_id": "The price list does not exist"})
        wanted.append((list_id, one))
    rows = _store(call, wanted, fresh=method == "POST")
    return 200, {"data": rows if method == "POST" else {}, "meta": {}}


def _store(call: Call, wanted: Sequence[tuple[int, Any]], *, fresh: bool = False) -> list[Row]:
    """Store what is good; 422 with what is bad. A create is refused as a whole where one exists."""
    good: list[tuple[int, Row]] = []
    errors: list[Row] = []
    for list_id, body in wanted:
        try:
            one = _checked(call.store, body)
            if fresh and _key(one) in call.store.price_records[list_id]:
                raise invalid({"variant_id": "A record for this variant and currency exists already"})
            good.append((list_id, one))
        except ApiError as error:
            errors.append({"data": _named(list_id, body), "field_errors": error.errors})
    if errors and (fresh or call.store.settings.strict_prices):
        raise _refused(errors)
    stored = [put_record(call.store, list_id, one, call.actor) for list_id, one in good]
    for what in ("created", "updated"):
        told = [_event(row) for row, new in stored if new == (what == "created")]
        if told:
            call.store.tell(f"store/priceList/records/{what}", told)  # type: ignore[arg-type]  # an array, as it is
    if errors:
        raise _refused(errors)
    return [row for row, _ in stored]


def _named(list_id: int, body: Any) -> Row:
    """What a refusal says of a record."""
    held = body if isinstance(body, Mapping) else {}
    told = {name: held[name] for name in ("variant_id", "sku", "currency") if name in held}
    return {"price_list_id": list_id, **told}


def _refused(errors: Sequence[Row]) -> ApiError:
    return ApiError(422, "Price records could not be stored", more={"batch_errors": list(errors)})


def _checked(store: Store, body: Any) -> Row:
    one = clean(body, _RECORD)
    if "variant_id" not in one:
        found = store.variants.get(one.get("sku", ""))
        if found is None:
            raise invalid({"sku": "No variant has this SKU"})
        one["variant_id"] = found[1]
    elif not store.sku_of(one["variant_id"]):
        raise invalid({"variant_id": "The variant does not exist"})
    for name in _PRICES:
        if one.get(name) is not None and float(one[name]) < 0:
            raise invalid({name: "error.min.0"})
    for tier in one.get("bulk_pricing_tiers", ()):
        if not isinstance(tier, Mapping) or tier.get("type") not in ("fixed", "price", "percent"):
            raise invalid({"bulk_pricing_tiers": "error.enum.fixed,price,percent"})
        if not isinstance(tier.get("quantity_min"), int) or tier.get("amount") is None:
            raise invalid({"bulk_pricing_tiers": "error.path.missing"})
    one["currency"] = one["currency"].upper()
    if not re.fullmatch(r"[A-Z]{3}", one["currency"]):
        raise invalid({"currency": "error.invalid.currency"})
    return one


def put_record(store: Store, list_id: int, one: Mapping[str, Any], actor: str) -> tuple[Row, bool]:
    """The stored record, and whether it is a new one."""
    records, now = store.price_records[list_id], store.now()
    old = records.get(_key(one))
    sku = store.sku_of(one["variant_id"])
    product = store.variants.get(sku, (0, 0))[0]
    row: Row = {
        **dict.fromkeys(_PRICES), "bulk_pricing_tiers": [], **(old or {"date_created": now}), **one,
        "price_list_id": list_id, "sku": sku or one.get("sku", ""), "product_id": product, "date_modified": now,
    }  # fmt: skip
    for name in _PRICES:
        row[name] = None if row[name] is None else float(row[name])
    row["calculated_price"] = row["sale_price"] or row["price"]
    records[_key(one)] = row
    effect = "create" if old is None else "update"
    store.note(effect, "price_records", {"id": f"{list_id}/{one['variant_id']}/{one['currency']}"}, dict(one), actor)
    return row, old is None


def _key(row: Mapping[str, Any]) -> Key:
    return int(row["variant_id"]), str(row["currency"])


def _event(row: Row) -> Row:
    return {name: row[name] for name in ("price_list_id", "variant_id", "currency")}


def _listed(call: Call, list_id: int, variant: int | None) -> Answer:
    records = call.store.price_records[list_id]
    keys = [key for key in sorted(records) if variant is None or key[0] == variant]
    keys = [key for key in keys if _matches(call, records[key])]
    shown = set(call.many("include") or ())

    def render(part: Sequence[Key]) -> list[Row]:
        hidden = {"bulk_pricing_tiers", "sku"} - shown
        return [{name: value for name, value in records[key].items() if name not in hidden} for key in part]

    # Cursors are numbers here.
    by_number = {key[0] * 26**3 + _currency_number(key[1]): key for key in keys}
    return v3_cursor_page(call, sorted(by_number), lambda part: render([by_number[one] for one in part]))


def _currency_number(code: str) -> int:
    return sum((ord(letter) - 65) * 26**place for place, letter in enumerate(reversed(code)))


def _matches(call: Call, row: Row) -> bool:
    for name in ("variant_id", "product_id"):
        wanted = call.numbers(f"{name}:in")
        if wanted is not None and row[name] not in wanted:
            return False
    for name in ("sku", "currency"):
        texts = call.many(f"{name}:in") or call.many(name)
        if texts and row[name] not in texts:
            return False
    for name in (*_PRICES, "calculated_price"):
        least, most = call.amount(f"{name}:min"), call.amount(f"{name}:max")
        held = row[name]
        if held is None and (least is not None or most is not None):
            return False
        if (least is not None and held < least) or (most is not None and held > most):
            return False
    for name in ("date_created", "date_modified"):
        first, last = call.params.get(f"{name}:min"), call.params.get(f"{name}:max")
        if (first and row[name] < instant(first, name)) or (last and row[name] > instant(last, name)):
            return False
    return True


def _single(call: Call, method: str, list_id: int, key: Key) -> Answer:
    store = call.store
    records = store.price_records[list_id]
    if method == "PUT":
        body = call.json()
        if not isinstance(body, Mapping):
            raise invalid({"body": "error.expected.jsobject"})
        one = _checked(store, {**body, "variant_id": key[0], "currency": key[1]})
        row, new = put_record(store, list_id, one, call.actor)
        store.tell(f"store/priceList/record/{'created' if new else 'updated'}", _event(row))
        return 200, {"data": row, "meta": {}}
    if key not in records:
        raise not_found()
    if method == "DELETE":
        store.tell("store/priceList/record/deleted", _event(records.pop(key)))
        store.note("delete", "price_records", {"id": f"{list_id}/{key[0]}/{key[1]}"}, {}, call.actor)
        return 204, None
    if method != "GET":
        raise call.not_allowed()
    return 200, {"data": records[key], "meta": {}}


def _remove(call: Call, list_id: int) -> Answer:
    records = call.store.price_records[list_id]
    if not any(name in call.params for name in ("variant_id:in", "sku:in", "currency", "currency:in")):
        raise invalid({"variant_id:in": "error.path.missing"})
    gone = [records.pop(key) for key in list(records) if _matches(call, records[key])]
    for one in gone:
        id_ = f"{list_id}/{one['variant_id']}/{one['currency']}"
        call.store.note("delete", "price_records", {"id": id_}, {}, call.actor)
    if gone:
        call.store.tell("store/priceList/records/deleted", [_event(one) for one in gone])  # type: ignore[arg-type]
    return 204, None


# -- assignments


_ASSIGNMENT = {"price_list_id": number(needed=True), "customer_group_id": number(), "channel_id": number()}
_FILTERS = Filters(numbers=("id", "price_list_id", "customer_group_id", "channel_id"), dates=())


def _assignments(call: Call, method: str) -> Answer:
    store = call.store
    if method == "GET":
        narrow = {name: call.number(name, 0) for name in _ASSIGNMENT if name in call.params}
        ids = select(call, store.assignments, _FILTERS, lambda row: all(row[k] == v for k, v in narrow.items()))
        return v3_page(call, ids, lambda part: [store.assignments.get(one) or {} for one in part])
    if method == "POST":
        drafts = [clean(one, _ASSIGNMENT, str(place)) for place, one in enumerate(items(call.json(), ASSIGN))]
        for place, one in enumerate(drafts):
            _may_assign(store, one, str(place))
            if any(_same(row, one) for row in store.assignments.rows()):
                raise invalid({f"{place}": "The assignment exists already"})
        for one in drafts:
            assign(store, one, call.actor)
        return 200, {"data": {}, "meta": {}}
    if method == "DELETE":
        narrow = {name: call.number(name, 0) for name in ("id", *_ASSIGNMENT) if name in call.params}
        if not narrow and "channel_id:in" not in call.params:
            raise invalid({"filter": "error.path.missing"})
        ids = select(call, store.assignments, _FILTERS, lambda row: all(row[k] == v for k, v in narrow.items()))
        for held in list(ids):
            row = store.assignments.get(held) or {}
            store.assignments.drop(held)
            store.note("delete", "pricelist_assignments", row, {}, call.actor)
            store.tell("store/priceList/assignment/deleted", {k: v for k, v in row.items() if k != "id"})
        return 204, None
    raise call.not_allowed()


def _assign_one(call: Call, row: Row) -> Answer:
    spec = {**_ASSIGNMENT, "customer_group_id": number(needed=True), "channel_id": number(needed=True)}
    body = call.json()
    draft = clean({**body, "price_list_id": row["id"]} if isinstance(body, Mapping) else body, spec)
    group, channel = draft["customer_group_id"], draft["channel_id"]
    if (group and group not in call.store.groups) or (channel and channel not in call.store.channels):
        raise not_found()
    return 200, {"data": assign(call.store, draft, call.actor), "meta": {}}


def _may_assign(store: Store, one: Mapping[str, Any], where: str) -> None:
    if one["price_list_id"] not in store.pricelists:
        raise invalid({f"{where}.price_list_id": "The price list does not exist"})
    if one.get("customer_group_id") and one["customer_group_id"] not in store.groups:
        raise invalid({f"{where}.customer_group_id": "The customer group does not exist"})


def _same(row: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    return all(row.get(name, 0) == one.get(name, default) for name, default in
               (("customer_group_id", 0), ("channel_id", 1)))  # fmt: skip


def assign(store: Store, one: Mapping[str, Any], actor: str) -> Row:
    """A group in a channel has one price list: a new assignment takes the place of the old one."""
    for old in list(store.assignments.rows()):
        if _same(old, one):
            store.assignments.drop(old["id"])
    row = {"id": store.assignments.new_id(), "customer_group_id": 0, "channel_id": 1, **one}
    store.assignments.put(row)
    store.note("create", "pricelist_assignments", row, dict(one), actor)
    store.tell("store/priceList/assignment/updated", {k: v for k, v in row.items() if k != "id"})
    return row
