"""The catalogue, as far as prices need it (V3): products in batches of ten, and their variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from syncd.sandbox.bigcommerce import metafields
from syncd.sandbox.bigcommerce.call import Answer, Call, Filters, select, v3_page
from syncd.sandbox.bigcommerce.errors import conflict, invalid, not_found
from syncd.sandbox.bigcommerce.fields import AMOUNT, FLAG, LIST, Member, clean, items, number, text, whole_number
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

BATCH = 10
_AMOUNTS = ("price", "cost_price", "retail_price", "sale_price", "map_price", "weight")
_PLAIN: Mapping[str, Member] = {
    "name": text(250), "type": text(one_of=("physical", "digital")), "sku": text(255), "description": text(),
    "is_visible": FLAG, "is_featured": FLAG, "availability": text(one_of=("available", "disabled", "preorder")),
    "categories": LIST, "brand_id": number(), "inventory_level": number(), **dict.fromkeys(_AMOUNTS, AMOUNT),
}  # fmt: skip
_NEEDED = ("name", "type", "weight", "price")
_DRAFT = {name: replace(member, needed=name in _NEEDED) for name, member in _PLAIN.items()}
_EMPTY: Row = {
    "type": "physical", "sku": "", "description": "", "is_visible": True, "is_featured": False,
    "availability": "available", "categories": [], "brand_id": 0, "inventory_level": 0, **dict.fromkeys(_AMOUNTS, 0.0),
}  # fmt: skip
FILTERS = Filters(
    numbers=("id",), texts=("sku",), sorts=("id", "name", "sku", "price", "date_modified"),
)  # fmt: skip


def answer(call: Call) -> Answer:
    store = call.store
    match call.method, call.rest[1:]:
        case method, ["products", *rest] if metafields.is_asked(call.rest):
            del method, rest
            return metafields.answer(call)
        case method, ["products"]:
            return _products(call, method)
        case method, ["products", raw]:
            return _one(call, method, _need(store, raw))
        case "GET", ["products", raw, "variants"]:
            product = _need(store, raw)["id"]
            return _variants(call, lambda row: row["product_id"] == product)
        case "GET", ["variants"]:
            return _variants(call, _asked(call))
    raise call.not_allowed()


def _need(store: Store, raw: str) -> Row:
    row = store.products.get(whole_number(raw, "product_id"))
    if row is None:
        raise not_found()
    return row


def _products(call: Call, method: str) -> Answer:
    store = call.store
    match method:
        case "GET":
            return _list(call)
        case "POST":
            return 200, {"data": create(store, call.json(), call.actor), "meta": {}}
        case "PUT":
            wanted = []
            for place, one in enumerate(items(call.json(), BATCH)):
                change_ = clean(one, {"id": number(needed=True), **_PLAIN}, str(place))
                if change_["id"] not in store.products:
                    raise invalid({f"{place}.id": "The product does not exist"})
                _free(store, change_, change_["id"])
                wanted.append(change_)
            rows = [change(store, one.pop("id"), one, call.actor) for one in wanted]
            return 200, {"data": rows, "meta": {}}
        case "DELETE":
            if not call.params:
                raise invalid({"filter": "error.path.missing"})
            for one in call.numbers("id:in") or ():
                if one in store.products:
                    delete(store, one, call.actor)
            return 204, None
    raise call.not_allowed()


def _list(call: Call) -> Answer:
    table = call.store.products
    least, most = call.number("id:min", 0), call.params.get("id:max", "")
    exact = {name: call.params[name] for name in ("id", "sku", "name") if name in call.params}

    def fits(row: Row) -> bool:
        if row["id"] < least or (most.isdigit() and row["id"] > int(most)):
            return False
        return all(str(row[name]) == value for name, value in exact.items())

    ids = select(_by_name(call), table, FILTERS, fits)
    return v3_page(call, ids, lambda part: [_shown(call, table.get(one) or {}) for one in part])


def _by_name(call: Call) -> Call:
    """Here the order has a parameter of its own."""
    wanted, way = call.params.get("sort", ""), call.params.get("direction", "asc")
    return replace(call, params={**call.params, **({"sort": f"{wanted}:{way}"} if wanted else {})})


def _shown(call: Call, row: Row) -> Row:
    fields = call.many("include_fields")
    return row if fields is None else {name: value for name, value in row.items() if name in {"id", *fields}}


def create(store: Store, body: Any, actor: str) -> Row:
    """One product with one variant, of the same SKU. Raises ``ApiError``."""
    draft = clean(body, _DRAFT)
    _free(store, draft, 0)
    now, number_ = store.now(), store.products.new_id()
    return _keep(store, {"id": number_, **_EMPTY, **draft, "date_created": now}, actor, "create")


def _keep(store: Store, row: Row, actor: str, effect: str) -> Row:
    for name in _AMOUNTS:
        row[name] = float(row[name] or 0)
    row |= {"calculated_price": row["sale_price"] or row["price"], "date_modified": store.now()}
    row.setdefault("base_variant_id", max((variant for _, variant in store.variants.values()), default=0) + 1)
    for sku in [sku for sku, (product, _) in store.variants.items() if product == row["id"]]:
        del store.variants[sku]
    if row["sku"]:
        store.variants[row["sku"]] = (row["id"], row["base_variant_id"])
    store.products.put(row)
    store.note(effect, "products", row, row, actor)
    store.tell(f"store/product/{effect}d", {"type": "product", "id": row["id"]})
    return row


def change(store: Store, number_: int, changes: Mapping[str, Any], actor: str) -> Row:
    row = store.products.get(number_) or {}
    if all(row.get(name) == value for name, value in changes.items()):
        return row
    return _keep(store, {**row, **changes}, actor, "update")


def delete(store: Store, number_: int, actor: str) -> None:
    row = store.products.get(number_) or {}
    for sku in [sku for sku, (product, _) in store.variants.items() if product == number_]:
        del store.variants[sku]
    store.products.drop(number_)
    store.note("delete", "products", row, {}, actor)
    store.tell("store/product/deleted", {"type": "product", "id": number_})


def put(store: Store, sku: str, product: int, variant: int, name: str = "", price: float = 0.0) -> None:
    """A product of a history."""
    store.variants[sku] = (product, variant)
    if product not in store.products:
        now = store.now()
        store.products.put({
            "id": product, **_EMPTY, "name": name or sku, "sku": sku, "price": price, "calculated_price": price,
            "base_variant_id": variant, "date_created": now, "date_modified": now,
        })  # fmt: skip


def _free(store: Store, draft: Mapping[str, Any], number_: int) -> None:
    """Names and SKUs are unique."""
    for name in ("name", "sku"):
        value = draft.get(name)
        holder = store.products.holder(name, value) if value else None
        if holder is not None and holder != number_:
            raise conflict(f"The product {name} is a duplicate", {name: "must be unique"})


def _one(call: Call, method: str, row: Row) -> Answer:
    if method == "PUT":
        changes = clean(call.json(), _PLAIN)
        _free(call.store, changes, row["id"])
        row = change(call.store, row["id"], changes, call.actor)
    elif method == "DELETE":
        delete(call.store, row["id"], call.actor)
        return 204, None
    elif method != "GET":
        raise call.not_allowed()
    return 200, {"data": _shown(call, row), "meta": {}}


# -- variants


def _asked(call: Call) -> Callable[[Row], bool]:
    numbers, products = call.numbers("id"), call.numbers("product_id:in")
    sku = call.params.get("sku")
    return lambda row: (
        (numbers is None or row["id"] in numbers)
        and (products is None or row["product_id"] in products)
        and (sku is None or row["sku"] == sku)
    )


def _variants(call: Call, fits: Callable[[Row], bool]) -> Answer:
    rows = [_variant(call.store, sku, *place) for sku, place in call.store.variants.items()]
    found: Sequence[Row] = sorted((row for row in rows if fits(row)), key=lambda row: int(row["id"]))
    return v3_page(call, found, lambda part: [_shown(call, row) for row in part])


def _variant(store: Store, sku: str, product: int, variant: int) -> Row:
    row = store.products.get(product) or {}
    return {
        "id": variant, "product_id": product, "sku": sku, "sku_id": None, "price": row.get("price"),
        "calculated_price": row.get("calculated_price", 0.0), "option_values": [], "purchasing_disabled": False,
    }  # fmt: skip
