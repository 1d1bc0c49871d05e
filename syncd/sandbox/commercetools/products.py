"""Product types and products, as far as carts need them: variants with SKUs and embedded prices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.errors import ApiError, duplicate_field, invalid_operation
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape

_PRICE = shape("value:money country?:country customerGroup?:ri=customer-group key?:key")
_VARIANT = shape("sku?:text key?:key prices?:<price>* attributes?:any* images?:any*", price=_PRICE)


def _build_type(_project: Project, draft: dict[str, Any]) -> Row:
    return {"attributes": [], **draft}


PRODUCT_TYPES = Resource(
    path="product-types",
    type_id="product-type",
    scopes="products",
    draft=shape("name:text description:text key?:key attributes?:any*"),
    build=_build_type,
)


def _build(project: Project, draft: dict[str, Any]) -> Row:
    own = [
        _variant(project, number, variant)
        for number, variant in enumerate([draft.get("masterVariant", {}), *draft.get("variants", ())], start=1)
    ]
    data: Row = {"name": draft["name"], "slug": draft["slug"], "categories": [], "categoryOrderHints": {}}
    data |= {"masterVariant": own[0], "variants": own[1:], "searchKeywords": {}, "attributes": []}
    skus = [variant["sku"] for variant in own if "sku" in variant]
    if len(set(skus)) < len(skus):
        raise duplicate_field("sku", skus[0])
    published = draft.get("publish", False)
    row: Row = {"key": draft["key"]} if "key" in draft else {}
    row["productType"] = project.reference(draft["productType"])
    row["masterData"] = {"current": data, "staged": data, "published": published, "hasStagedChanges": False}
    row["priceMode"] = draft.get("priceMode", "Embedded")
    return row


def _variant(project: Project, number: int, draft: Row) -> Row:
    sku = draft.get("sku")
    if sku is not None and sku in project.skus:
        raise duplicate_field("sku", sku)
    prices = [{"id": project.new_id(), **price} for price in draft.get("prices", ())]
    for price in prices:
        if "customerGroup" in price:
            price["customerGroup"] = project.reference(price["customerGroup"])
    return {"id": number, "images": [], "attributes": [], "assets": [], **draft, "prices": prices}


def variants(product: Row) -> Iterator[Row]:
    data = product["masterData"]["current"]
    yield data["masterVariant"]
    yield from data["variants"]


def _settled(project: Project, before: Row | None, after: Row | None) -> None:
    for variant in variants(before) if before else ():
        project.skus.pop(variant.get("sku", ""), None)
    for variant in variants(after) if after else ():
        if "sku" in variant and after:
            project.skus[variant["sku"]] = (after["id"], variant["id"])


def _may_delete(_project: Project, row: Row) -> None:
    if row["masterData"]["published"]:
        raise invalid_operation("A published product can not be deleted; unpublish it first.")


PRODUCTS = Resource(
    path="products",
    type_id="product",
    scopes="products",
    draft=shape(
        "productType:ri=product-type name:localized slug:localized key?:key publish?:bool priceMode?:text "
        "masterVariant?:<variant> variants?:<variant>*",
        variant=_VARIANT,
    ),
    build=_build,
    settled=_settled,
    may_delete=_may_delete,
)
PRODUCTS.setter("setKey", "key", "key")


@PRODUCTS.action("publish", "scope?:text")
def _publish(_project: Project, row: Row, _args: dict[str, Any]) -> None:
    row["masterData"]["published"] = True


@PRODUCTS.action("unpublish")
def _unpublish(_project: Project, row: Row, _args: dict[str, Any]) -> None:
    row["masterData"]["published"] = False


@PRODUCTS.action("changePrice", "priceId:text price:<price> staged?:bool", price=_PRICE)
def _change_price(project: Project, row: Row, args: dict[str, Any]) -> None:
    for name in ("staged",) if args.get("staged", True) else ("staged", "current"):
        data = row["masterData"][name]
        prices = [price for one in (data["masterVariant"], *data["variants"]) for price in one["prices"]]
        price = next((one for one in prices if one["id"] == args["priceId"]), None)
        if price is None:
            raise invalid_operation(f"The product has no price '{args['priceId']}'.")
        price.clear()
        price.update({"id": args["priceId"], **args["price"]})
        if "customerGroup" in price:
            price["customerGroup"] = project.reference(price["customerGroup"])
    row["masterData"]["hasStagedChanges"] = row["masterData"]["staged"] != row["masterData"]["current"]


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
    fitting = [
        price
        for price in variant["prices"]
        if price["value"]["currencyCode"] == currency
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
