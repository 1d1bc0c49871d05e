"""Product types and products: variants with SKUs, attributes and embedded prices; staged and current data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.errors import ApiError, duplicate_field, invalid_operation
from syncd.sandbox.commercetools.prices import PRICE, overlap, price_of, scope_of
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape

_ATTRIBUTE = shape("name:text value:any")
_VARIANT = shape(
    "sku?:text key?:key prices?:<price>* attributes?:<attribute>* images?:any*", price=PRICE, attribute=_ATTRIBUTE
)


def _build(project: Project, draft: dict[str, Any]) -> Row:
    own = [
        _variant(project, number, variant)
        for number, variant in enumerate([draft.get("masterVariant", {}), *draft.get("variants", ())], start=1)
    ]
    data: Row = {"name": draft["name"], "slug": draft["slug"], "categories": [], "categoryOrderHints": {}}
    data |= {name: draft[name] for name in ("description", "metaTitle", "metaDescription") if name in draft}
    data |= {"masterVariant": own[0], "variants": own[1:], "searchKeywords": {}, "attributes": []}
    published = draft.get("publish", False)
    row: Row = {"key": draft["key"]} if "key" in draft else {}
    row["productType"] = project.reference(draft["productType"])
    row["masterData"] = {"current": data, "staged": data, "published": published, "hasStagedChanges": False}
    row["priceMode"] = draft.get("priceMode", "Embedded")
    _check(project, row)
    return row


def _variant(project: Project, number: int, draft: Row) -> Row:
    prices = [_price(project, price) for price in draft.get("prices", ())]
    return {"id": number, "images": [], "attributes": [], "assets": [], **draft, "prices": prices}


def _price(project: Project, draft: Row) -> Row:
    return {"id": project.new_id(), **price_of(project, draft, "product-price")}


def _check(project: Project, row: Row) -> None:
    """SKUs and slugs are the product's own, prices do not get into each other's way, attributes are known."""
    for data in (row["masterData"]["current"], row["masterData"]["staged"]):
        own = [data["masterVariant"], *data["variants"]]
        skus = [variant["sku"] for variant in own if "sku" in variant]
        for place, sku in enumerate(skus):
            holder = project.skus.get(sku)
            if sku in skus[:place] or (holder is not None and holder[0] != row.get("id")):
                raise duplicate_field("sku", sku)
        for locale, slug in data["slug"].items():
            if project.slugs.get((locale, slug), row.get("id")) != row.get("id"):
                raise duplicate_field(f"slug.{locale}", slug)
        for variant in own:
            _check_prices(variant["prices"])
            _check_attributes(project, row, variant["attributes"])


def _check_prices(prices: list[Row]) -> None:
    for place, price in enumerate(prices):
        for other in prices[:place]:
            if "key" in price and price["key"] == other.get("key"):
                raise ApiError(400, "DuplicatePriceKey", "Duplicate price key.", conflictingPrice=other)
            if scope_of(price) != scope_of(other):
                continue
            exact = all(price.get(name) == other.get(name) for name in ("validFrom", "validUntil"))
            if exact:
                text = "Duplicate price scope. The combination of currency, country, customerGroup and channel must be "
                raise ApiError(400, "DuplicatePriceScope", f"{text}unique for each price.", conflictingPrice=other)
            if overlap(price, other):
                text = "Two prices of the same scope have overlapping validity periods."
                raise ApiError(400, "OverlappingPriceValidity", text, conflictingPrice=other)


def _check_attributes(project: Project, row: Row, attributes: list[Row]) -> None:
    if not attributes:
        return
    known = {one["name"] for one in project.find(row["productType"])["attributes"]}
    for one in attributes:
        if one["name"] not in known:
            text = f"The attribute '{one['name']}' is not defined in the product type."
            raise ApiError(400, "AttributeNameDoesNotExist", text, invalidAttributeName=one["name"])


def variants(product: Row) -> Iterator[Row]:
    data = product["masterData"]["current"]
    yield data["masterVariant"]
    yield from data["variants"]


def _settled(project: Project, before: Row | None, after: Row | None) -> None:
    for variant in variants(before) if before else ():
        project.skus.pop(variant.get("sku", ""), None)
    for slug in _slugs(before):
        project.slugs.pop(slug, None)
    if after is None:
        return
    for variant in variants(after):
        if "sku" in variant:
            project.skus[variant["sku"]] = (after["id"], variant["id"])
    for slug in _slugs(after):
        project.slugs[slug] = after["id"]


def _slugs(product: Row | None) -> list[tuple[str, str]]:
    return list(product["masterData"]["current"]["slug"].items()) if product else []


def _may_delete(_project: Project, row: Row) -> None:
    if row["masterData"]["published"]:
        raise invalid_operation("A published product can not be deleted; unpublish it first.")


def _finish(project: Project, row: Row) -> None:
    _check(project, row)
    row["masterData"]["hasStagedChanges"] = row["masterData"]["staged"] != row["masterData"]["current"]


PRODUCTS = Resource(
    path="products",
    type_id="product",
    scopes="products",
    draft=shape(
        "productType:ri=product-type name:localized slug:localized key?:key publish?:bool priceMode?:text "
        "description?:localized metaTitle?:localized metaDescription?:localized "
        "masterVariant?:<variant> variants?:<variant>*",
        variant=_VARIANT,
    ),
    build=_build,
    settled=_settled,
    may_delete=_may_delete,
    finish=_finish,
)
PRODUCTS.setter("setKey", "key", "key")


@PRODUCTS.action("setPriceMode", "priceMode?:text")
def _price_mode(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["priceMode"] = args.get("priceMode", "Embedded")


@PRODUCTS.action("publish", "scope?:text")
def _publish(_project: Project, row: Row, _args: dict[str, Any]) -> None:
    row["masterData"] |= {"published": True, "current": row["masterData"]["staged"]}


@PRODUCTS.action("unpublish")
def _unpublish(_project: Project, row: Row, _args: dict[str, Any]) -> None:
    row["masterData"]["published"] = False


@PRODUCTS.action("revertStagedChanges")
def _revert(_project: Project, row: Row, _args: dict[str, Any]) -> None:
    row["masterData"]["staged"] = row["masterData"]["current"]


def _staged(row: Row, args: Row) -> list[Row]:
    """The data that an action changes: what is staged, and, unless it says so, also what the shop shows."""
    names = ("staged",) if args.get("staged", True) else ("staged", "current")
    return [row["masterData"][name] for name in names]


def _data_action(name: str, member: str, kind: str, *, clears: bool = False) -> None:
    @PRODUCTS.action(name, f"{member}{'?' if clears else ''}:{kind} staged?:bool")
    def _set(_project: Project, row: Row, args: dict[str, Any]) -> None:
        for data in _staged(row, args):
            data.pop(member, None)
            if member in args:
                data[member] = args[member]


_data_action("changeName", "name", "localized")
_data_action("changeSlug", "slug", "localized")
_data_action("setDescription", "description", "localized", clears=True)
_data_action("setMetaTitle", "metaTitle", "localized", clears=True)


def _which(data: Row, args: Row) -> Row:
    """The variant that ``variantId`` or ``sku`` means. Raises ``ApiError``."""
    if ("variantId" in args) == ("sku" in args):
        raise invalid_operation("Exactly one of 'variantId' and 'sku' is required.")
    for variant in (data["masterVariant"], *data["variants"]):
        if variant["id"] == args.get("variantId") or ("sku" in args and variant.get("sku") == args["sku"]):
            found: Row = variant
            return found
    raise invalid_operation(f"The product has no variant {args.get('variantId', args.get('sku'))}.")


def _variant_member(name: str, member: str) -> None:
    @PRODUCTS.action(name, f"variantId:int {member}?:text staged?:bool")
    def _set(_project: Project, row: Row, args: dict[str, Any]) -> None:
        for data in _staged(row, args):
            variant = _which(data, {"variantId": args["variantId"]})
            variant.pop(member, None)
            if member in args:
                variant[member] = args[member]


_variant_member("setSku", "sku")
_variant_member("setProductVariantKey", "key")


@PRODUCTS.action("setAttribute", "variantId?:int sku?:text name:text value?:any staged?:bool")
def _set_attribute(_project: Project, row: Row, args: dict[str, Any]) -> None:
    for data in _staged(row, args):
        variant = _which(data, args)
        kept = [one for one in variant["attributes"] if one["name"] != args["name"]]
        variant["attributes"] = kept + [
            {"name": args["name"], "value": value} for value in [args.get("value")] if value is not None
        ]


@PRODUCTS.action("addVariant", "sku?:text key?:key prices?:<price>* attributes?:<attribute>* images?:any* staged?:bool",
                 price=PRICE, attribute=_ATTRIBUTE)  # fmt: skip
def _add_variant(project: Project, row: Row, args: dict[str, Any]) -> None:
    own = [data["masterVariant"]["id"] for data in _staged(row, args)]
    own += [variant["id"] for data in _staged(row, args) for variant in data["variants"]]
    draft = {name: value for name, value in args.items() if name not in {"action", "staged"}}
    made = _variant(project, max(own) + 1, draft)
    for data in _staged(row, args):
        data["variants"].append(made)


@PRODUCTS.action("removeVariant", "id?:int sku?:text staged?:bool")
def _remove_variant(_project: Project, row: Row, args: dict[str, Any]) -> None:
    for data in _staged(row, args):
        which = {"variantId": args["id"]} if "id" in args else {"sku": args.get("sku")}
        gone = _which(data, which)
        if gone is data["masterVariant"]:
            raise invalid_operation("The master variant can not be removed.")
        data["variants"].remove(gone)


# -- embedded prices


def _with_price(data: Row, id_: str) -> tuple[Row, Row]:
    """The variant and its price. Raises ``ApiError``."""
    for variant in (data["masterVariant"], *data["variants"]):
        for price in variant["prices"]:
            if price["id"] == id_:
                return variant, price
    raise invalid_operation(f"The product has no price '{id_}'.")


@PRODUCTS.action("addPrice", "variantId?:int sku?:text price:<price> staged?:bool", price=PRICE)
def _add_price(project: Project, row: Row, args: dict[str, Any]) -> None:
    made = _price(project, args["price"])
    for data in _staged(row, args):
        _which(data, args)["prices"].append(made)


@PRODUCTS.action("changePrice", "priceId:text price:<price> staged?:bool", price=PRICE)
def _change_price(project: Project, row: Row, args: dict[str, Any]) -> None:
    made = price_of(project, args["price"], "product-price")
    for data in _staged(row, args):
        variant, price = _with_price(data, args["priceId"])
        variant["prices"][variant["prices"].index(price)] = {"id": args["priceId"], **made}


@PRODUCTS.action("removePrice", "priceId:text staged?:bool")
def _remove_price(_project: Project, row: Row, args: dict[str, Any]) -> None:
    for data in _staged(row, args):
        variant, price = _with_price(data, args["priceId"])
        variant["prices"].remove(price)


@PRODUCTS.action("setPrices", "variantId?:int sku?:text prices:<price>* staged?:bool", price=PRICE)
def _set_prices(project: Project, row: Row, args: dict[str, Any]) -> None:
    made = [_price(project, one) for one in args["prices"]]
    for data in _staged(row, args):
        _which(data, args)["prices"] = made


# -- what carts ask


def find_variant(project: Project, args: Row) -> tuple[Row, Row]:
    """Product and variant of a line item draft (``sku``, or ``productId`` with ``variantId``). Raises ``ApiError``."""
    if "sku" in args:
        product_id, variant_id = project.skus.get(args["sku"], ("", 0))
        what = f"SKU '{args['sku']}'"
    else:
        product_id, variant_id = args.get("productId", ""), args.get("variantId", 1)
        what = f"ID '{product_id}'"
    product = project.collections["products"].get(product_id)
    if product is None or not product["masterData"]["published"]:
        raise invalid_operation(f"A published product with {what} was not found.")
    for variant in variants(product):
        if variant["id"] == variant_id:
            return product, variant
    raise invalid_operation(f"The product '{product_id}' has no variant {variant_id}.")


def select_price(product: Row, variant: Row, cart: Row) -> Row:
    """The embedded price that fits the cart best: group before country before any. Raises MatchingPriceNotFound."""
    currency, country, group = cart["totalPrice"]["currencyCode"], cart.get("country"), cart.get("customerGroup")
    now = cart.get("lastModifiedAt", "")
    fitting = [
        price
        for price in variant["prices"]
        if price["value"]["currencyCode"] == currency
        and "channel" not in price
        and (not now or price.get("validFrom", "") <= now < price.get("validUntil", "\uffff"))
        and price.get("country", country) == country
        and price.get("customerGroup", group) == group
    ]
    if not fitting:
        text = f"The variant '{variant['id']}' of product '{product['id']}' does not contain a price for currency"
        raise ApiError(
            400,
            "MatchingPriceNotFound",
            f"{text} '{currency}'.",
            productId=product["id"],
            variantId=variant["id"],
            currency=currency,
            country=country,
            customerGroup=group,
        )
    return max(fitting, key=lambda price: ("customerGroup" in price, "country" in price))
