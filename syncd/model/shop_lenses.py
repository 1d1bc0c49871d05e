"""Lenses for values that shops keep as small trees: texts by locale, prices by quantity, the list price among prices.

They obey the laws of :mod:`syncd.model.lens`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from syncd.model.lens import CentMoney, LensError, Raw
from syncd.model.value import FieldType, InvalidValueError, Value, canonical

_CENTS: Final = CentMoney()


@dataclass(frozen=True, slots=True)
class Localized:
    """A text in several languages (``{"en": ..., "de": ...}``): read in the first of ``locales`` that there is, else in
    any; written in the first of them. What the connector does with the others is its own affair."""

    locales: tuple[str, ...] = ("en",)
    name: str = "localized"

    def decode(self, *raw: Raw) -> Value:
        texts = raw[0]
        if texts is None:
            return None
        if not isinstance(texts, Mapping):
            raise LensError(f"localized: expected texts by locale, got {type(texts).__name__}")
        chosen = next((texts[one] for one in self.locales if one in texts), next(iter(texts.values()), None))
        try:
            return canonical(FieldType.TEXT, chosen)
        except InvalidValueError as error:
            raise LensError(f"localized: {error}") from None

    def encode(self, value: Value) -> tuple[Raw, ...]:
        return (None if value is None else {self.locales[0]: value},)


@dataclass(frozen=True, slots=True)
class QuantityPrices:
    """commercetools price tiers (``minimumQuantity``, ``value``) as items: the key and ``quantity`` are the least
    quantity, ``price`` is that of one piece."""

    name: str = "quantity_prices"

    def decode(self, *raw: Raw) -> Value:
        if raw[0] is None:
            return None
        if not isinstance(raw[0], list):
            raise LensError(f"quantity prices: expected a list, got {type(raw[0]).__name__}")
        try:
            return canonical(FieldType.ITEMS, [self._item(tier) for tier in raw[0]])
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise LensError(f"quantity prices: {error!r}") from None

    def _item(self, tier: Mapping[str, Any]) -> dict[str, Value]:
        quantity = int(tier["minimumQuantity"])
        return {"key": str(quantity), "quantity": quantity, "price": _price(tier["value"])}

    def encode(self, value: Value) -> tuple[Raw, ...]:
        if value is None:
            return (None,)
        try:
            return ([{"minimumQuantity": int(one["quantity"]), "value": _raw(one["price"])} for one in value],)
        except (KeyError, TypeError, ValueError):
            raise LensError("quantity prices: every item needs a quantity and a price") from None


@dataclass(frozen=True, slots=True)
class ListPrice:
    """Of the prices in a commercetools variant the one for everybody: for no country, group, channel or time. With
    ``currency`` the one in it, otherwise the first; emptying it needs the currency. Other prices stay."""

    currency: str = ""
    name: str = "list_price"

    def decode(self, *raw: Raw) -> Value:
        if raw[0] is None:
            return None
        if not isinstance(raw[0], list):
            raise LensError(f"list price: expected a list, got {type(raw[0]).__name__}")
        try:
            return next((_price(one["value"]) for one in raw[0] if self._is_meant(one)), None)
        except (KeyError, TypeError, AttributeError) as error:
            raise LensError(f"list price: {error!r}") from None

    def _is_meant(self, price: Mapping[str, Any]) -> bool:
        if any(price.get(name) is not None for name in _NARROWER) or "centAmount" not in price["value"]:
            return False
        return self.currency in ("", price["value"].get("currencyCode"))

    def encode(self, value: Value) -> tuple[Raw, ...]:
        if value is not None:
            return ([{"value": _raw(value)}],)
        if not self.currency:
            raise LensError("list price: which one is to be emptied is not known without a currency")
        return ([{"value": {"currencyCode": self.currency}}],)


_NARROWER: Final = ("country", "customerGroup", "channel", "validFrom", "validUntil")


def _price(raw: Raw) -> Value:
    if raw is None:
        raise KeyError("value")
    return _CENTS.decode(raw)


def _raw(price: Value) -> Raw:
    if price is None:
        raise KeyError("price")
    return _CENTS.encode(price)[0]
