"""Prices: drafts of embedded ones, standalone prices, tiers, and the scope that makes each of them unique."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of
from syncd.sandbox.commercetools.errors import ApiError, invalid_field, invalid_input, invalid_operation
from syncd.sandbox.commercetools.project import Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape

TIER = shape("minimumQuantity:int value:amount")
PRICE = shape(
    "value:amount key?:key country?:country customerGroup?:ri=customer-group channel?:ri=channel validFrom?:time "
    "validUntil?:time tiers?:<tier>* custom?:custom discounted?:object",
    tier=TIER,
)
_SCOPE = ("country", "customerGroup", "channel")


def scope_of(price: Row) -> tuple[Any, ...]:
    """Currency, country, group and channel: within them validities must not overlap."""
    group, channel = (price.get(name, {}).get("id") for name in ("customerGroup", "channel"))
    return price["value"]["currencyCode"], price.get("country"), group, channel


def overlap(left: Row, right: Row) -> bool:
    """Two validities that share a moment. One without any bound does not conflict with one for a time."""
    if _unbound(left) != _unbound(right):
        return False
    starts_in_time = left.get("validFrom", "") < right.get("validUntil", "\uffff")
    return bool(starts_in_time and right.get("validFrom", "") < left.get("validUntil", "\uffff"))


def _unbound(price: Row) -> bool:
    return "validFrom" not in price and "validUntil" not in price


def price_of(project: Project, draft: Row, custom_type: str) -> Row:
    """The members of a price of its draft. Raises ``ApiError``."""
    row = {name: value for name, value in draft.items() if name not in {"custom", "tiers"}}
    for name in ("customerGroup", "channel"):
        if name in row:
            row[name] = project.reference(row[name])
    check_validity(row)
    if draft.get("tiers"):
        row["tiers"] = tiers_of(row, draft["tiers"])
    if "custom" in draft:
        row["custom"] = custom_of(project, custom_type, draft["custom"])
    return row


def check_validity(row: Row) -> None:
    if row.get("validFrom", "") >= row.get("validUntil", "\uffff"):
        raise invalid_input("'validFrom' must be before 'validUntil'.")


def tiers_of(row: Row, tiers: list[Row]) -> list[Row]:
    """Raises ``ApiError`` InvalidField."""
    seen: set[int] = set()
    for tier in tiers:
        if tier["minimumQuantity"] < 2 or tier["minimumQuantity"] in seen:
            raise invalid_field("minimumQuantity", tier["minimumQuantity"])
        if tier["value"]["currencyCode"] != row["value"]["currencyCode"]:
            raise invalid_field("tiers", tier["value"]["currencyCode"])
        seen.add(tier["minimumQuantity"])
    return sorted(tiers, key=lambda tier: int(tier["minimumQuantity"]))


# -- standalone prices


def _build(project: Project, draft: dict[str, Any]) -> Row:
    row = price_of(project, draft, "standalone-price") | {"active": draft.get("active", True)}
    _check_scope(project, row)
    return row


def _check_scope(project: Project, row: Row) -> None:
    prices = project.collections["standalone-prices"]
    for id_ in prices.holders("sku", [row["sku"]]) or ():
        other = prices.get(id_)
        if other is None or other["id"] == row.get("id") or scope_of(other) != scope_of(row):
            continue
        exact = all(other.get(name) == row.get(name) for name in ("validFrom", "validUntil"))
        if exact or overlap(other, row):
            raise _conflict(row, other, exact=exact)


def _conflict(row: Row, other: Row, *, exact: bool) -> ApiError:
    code = "DuplicateStandalonePriceScope" if exact else "OverlappingStandalonePriceValidity"
    message = (
        f"Duplicate standalone price scope for SKU: {row['sku']}. The combination of SKU, currency, country, "
        "customerGroup, channel, validFrom and validUntil must be unique for each standalone price."
        if exact
        else f"Standalone price for SKU: {row['sku']} has an overlapping validity period within the same scope."
    )
    held = {name: other.get(name) for name in (*_SCOPE, "validFrom", "validUntil")}
    reference = {"typeId": "standalone-price", "id": other["id"]}
    currency = other["value"]["currencyCode"]
    return ApiError(
        400, code, message, conflictingStandalonePrice=reference, sku=other["sku"], currency=currency, **held
    )


def _finish(_project: Project, row: Row) -> None:
    check_validity(row)
    if not row.get("tiers"):
        row.pop("tiers", None)


PRICES = Resource(
    path="standalone-prices",
    type_id="standalone-price",
    scopes="standalone_prices",
    draft=shape(
        "sku:text value:amount key?:key country?:country customerGroup?:ri=customer-group channel?:ri=channel "
        "validFrom?:time validUntil?:time tiers?:<tier>* custom?:custom discounted?:object active?:bool staged?:object",
        tier=TIER,
    ),
    build=_build,
    custom_type="standalone-price",
    finish=_finish,
)
PRICES.customizable()
PRICES.setter("setKey", "key", "key")
PRICES.setter("setDiscountedPrice", "discounted", "object")


def _set_validity(project: Project, row: Row, args: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        row.pop(name, None)
        if name in args:
            row[name] = args[name]
    check_validity(row)
    _check_scope(project, row)


@PRICES.action("setValidFrom", "validFrom?:time")
def _from(project: Project, row: Row, args: dict[str, Any]) -> None:
    _set_validity(project, row, args, ("validFrom",))


@PRICES.action("setValidUntil", "validUntil?:time")
def _until(project: Project, row: Row, args: dict[str, Any]) -> None:
    _set_validity(project, row, args, ("validUntil",))


@PRICES.action("setValidFromAndUntil", "validFrom?:time validUntil?:time")
def _both(project: Project, row: Row, args: dict[str, Any]) -> None:
    _set_validity(project, row, args, ("validFrom", "validUntil"))


@PRICES.action("changeValue", "value:amount staged?:bool")
def _value(_project: Project, row: Row, args: dict[str, Any]) -> None:
    if args["value"]["currencyCode"] != row["value"]["currencyCode"]:
        raise invalid_field("value", args["value"]["currencyCode"], [row["value"]["currencyCode"]])
    if args.get("staged"):
        row["staged"] = {"value": args["value"]}
        return
    row["value"] = args["value"]
    row.pop("staged", None)


@PRICES.action("applyStagedChanges")
def _apply(_project: Project, row: Row, _args: dict[str, Any]) -> None:
    if "staged" not in row:
        raise invalid_operation("The price has no staged changes.")
    row.update(row.pop("staged"))


@PRICES.action("removeStagedChanges")
def _unstage(_project: Project, row: Row, _args: dict[str, Any]) -> None:
    row.pop("staged", None)


@PRICES.action("changeActive", "active:bool")
def _active(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["active"] = args["active"]


@PRICES.action("setPriceTiers", "tiers:<tier>*", tier=TIER)
def _set_tiers(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["tiers"] = tiers_of(row, args["tiers"])


@PRICES.action("addPriceTier", "tier:<tier>", tier=TIER)
def _add_tier(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["tiers"] = tiers_of(row, [*row.get("tiers", []), args["tier"]])


@PRICES.action("removePriceTier", "minimumQuantity:int")
def _remove_tier(_project: Project, row: Row, args: dict[str, Any]) -> None:
    left = [one for one in row.get("tiers", []) if one["minimumQuantity"] != args["minimumQuantity"]]
    if len(left) == len(row.get("tiers", [])):
        raise invalid_field("minimumQuantity", args["minimumQuantity"])
    row["tiers"] = left
