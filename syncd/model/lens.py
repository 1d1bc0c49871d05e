"""Lenses: two-way field transforms between a vendor's raw values and canonical ones.

A lens reads one or more raw values and gives one canonical value, and back. Laws, tested by property:

* ``decode(*encode(v)) == v`` for every canonical ``v`` in the lens's domain;
* ``decode(*encode(decode(*raw))) == decode(*raw)`` for every raw it accepts.

``None`` is null on both sides. Raw values are what the vendor's JSON holds: HubSpot's are strings throughout,
commercetools' are objects. A lens raises :class:`LensError` for what it cannot read or write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

from syncd.model.value import (
    FieldType,
    InvalidValueError,
    Value,
    canonical,
    instant_from_ms,
    money,
    money_from_minor,
    money_to_minor,
)

Raw: TypeAlias = Any
"""A JSON value as the vendor writes it."""


class LensError(ValueError):
    """A raw value cannot be decoded, or a canonical one not encoded."""


class Lens(Protocol):
    @property
    def name(self) -> str: ...

    def decode(self, *raw: Raw) -> Value:
        """Raw values, one per path of the field mapping, to the canonical value."""
        ...

    def encode(self, value: Value) -> tuple[Raw, ...]:
        """The canonical value to raw values, one per path."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """The raw value in the canonical form of a type."""

    type: FieldType = FieldType.TEXT
    name: str = "plain"

    def decode(self, *raw: Raw) -> Value:
        try:
            return canonical(self.type, raw[0])
        except InvalidValueError as error:
            raise LensError(str(error)) from None

    def encode(self, value: Value) -> tuple[Raw, ...]:
        return (value,)


@dataclass(frozen=True, slots=True)
class Stringly:
    """A vendor that writes every value as a string (HubSpot): ``""`` is null, booleans are ``"true"``/``"false"``."""

    type: FieldType = FieldType.TEXT
    name: str = "string"

    def decode(self, *raw: Raw) -> Value:
        text = raw[0]
        if text is None or text == "":
            return None
        try:
            if self.type is FieldType.BOOLEAN:
                return {"true": True, "false": False}[str(text).lower()]
            if self.type is FieldType.INSTANT and re.fullmatch(r"-?[0-9]{1,18}", str(text)):
                return instant_from_ms(int(text))
            return canonical(self.type, text if isinstance(text, str) else str(text))
        except KeyError:
            raise LensError("boolean: expected true or false") from None
        except InvalidValueError as error:
            raise LensError(str(error)) from None

    def encode(self, value: Value) -> tuple[Raw, ...]:
        if value is None:
            return (None,)
        if isinstance(value, bool):
            return ("true" if value else "false",)
        return (str(value),)


@dataclass(frozen=True, slots=True)
class CentMoney:
    """commercetools money: ``{"currencyCode", "centAmount"}``, or in high precision ``"preciseAmount"`` with its own
    ``"fractionDigits"``. Cents have as many digits as the currency has, whatever stands beside them."""

    name: str = "cent_money"

    def decode(self, *raw: Raw) -> Value:
        source = raw[0]
        if source is None:
            return None
        try:
            precise = source.get("preciseAmount")
            if precise is not None:
                return money_from_minor(int(precise), source["currencyCode"], source["fractionDigits"])
            return money_from_minor(int(source["centAmount"]), source["currencyCode"])
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise LensError(f"money: {error}") from None

    def encode(self, value: Value) -> tuple[Raw, ...]:
        if value is None:
            return (None,)
        try:
            return ({"type": "centPrecision", "currencyCode": value["currency"], "centAmount": money_to_minor(value)},)
        except InvalidValueError as error:
            raise LensError(str(error)) from None


@dataclass(frozen=True, slots=True)
class MoneyPair:
    """Two paths: the amount as a string, and the currency code. Where the vendor leaves the currency out (an
    account with one currency), ``default_currency`` is meant."""

    default_currency: str = ""
    name: str = "money_pair"

    def decode(self, *raw: Raw) -> Value:
        amount, currency = raw[0], (raw[1] if len(raw) > 1 else None) or self.default_currency
        if amount is None or amount == "":
            return None
        if not currency:
            raise LensError("money: an amount without a currency")
        try:
            return money(amount if isinstance(amount, str) else str(amount), currency)
        except InvalidValueError as error:
            raise LensError(str(error)) from None

    def encode(self, value: Value) -> tuple[Raw, ...]:
        return (None, None) if value is None else (value["amount"], value["currency"])


@dataclass(frozen=True, slots=True)
class AmountIn:
    """One path that holds only the amount, in a currency that is fixed by configuration."""

    currency: str
    name: str = "amount_in"

    def decode(self, *raw: Raw) -> Value:
        return MoneyPair(self.currency).decode(raw[0])

    def encode(self, value: Value) -> tuple[Raw, ...]:
        if value is None:
            return (None,)
        if value["currency"] != self.currency:
            raise LensError(f"money: the target holds {self.currency} only, the value is in {value['currency']}")
        return (value["amount"],)


@dataclass(frozen=True, slots=True)
class Choice:
    """Canonical choices to the vendor's, one to one. What is not in the table passes unchanged, so that the vendor
    judges it in its own words instead of its being lost here."""

    table: Mapping[str, str]
    name: str = "choice"
    _back: Mapping[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        back = {vendor: ours for ours, vendor in self.table.items()}
        if len(back) != len(self.table):
            raise LensError("choice: two canonical choices share one vendor value")
        object.__setattr__(self, "_back", back)

    def decode(self, *raw: Raw) -> Value:
        return None if raw[0] in (None, "") else self._back.get(str(raw[0]), str(raw[0]))

    def encode(self, value: Value) -> tuple[Raw, ...]:
        return (None if value is None else self.table.get(value, value),)


@dataclass(frozen=True, slots=True)
class Prefixed:
    """Text that the vendor holds behind a fixed prefix, such as a deal's name."""

    prefix: str
    name: str = "prefixed"

    def decode(self, *raw: Raw) -> Value:
        if raw[0] in (None, ""):
            return None
        return str(raw[0]).removeprefix(self.prefix)

    def encode(self, value: Value) -> tuple[Raw, ...]:
        return (None if value is None else self.prefix + value,)


@dataclass(frozen=True, slots=True)
class ReferenceKey:
    """A commercetools reference by key: read from an expanded reference (``obj.key``) or a key reference,
    written as a resource identifier."""

    type_id: str
    name: str = "reference_key"

    def decode(self, *raw: Raw) -> Value:
        source = raw[0]
        if source is None:
            return None
        if not isinstance(source, Mapping):
            raise LensError("reference: expected an object")
        expanded = source.get("obj")
        key = source.get("key") or (expanded.get("key") if isinstance(expanded, Mapping) else None)
        if key is None:
            raise LensError(f"reference: the {self.type_id} has no key, or was not expanded")
        return str(key)

    def encode(self, value: Value) -> tuple[Raw, ...]:
        return (None if value is None else {"typeId": self.type_id, "key": value},)


@dataclass(frozen=True, slots=True)
class ReferenceId:
    """A reference by the vendor's id. It decodes to that id; the fold turns it into the id of our record."""

    type_id: str
    name: str = "reference_id"

    def decode(self, *raw: Raw) -> Value:
        source = raw[0]
        if source is None:
            return None
        if isinstance(source, Mapping):
            return str(source["id"]) if source.get("id") else None
        return str(source) or None

    def encode(self, value: Value) -> tuple[Raw, ...]:
        return (None if value is None else {"typeId": self.type_id, "id": value},)


@dataclass(frozen=True, slots=True)
class Associated:
    """The ids of associated objects, as a reference to one of them: of several the oldest, which has the lowest id."""

    name: str = "associated"

    def decode(self, *raw: Raw) -> Value:
        ids = raw[0] or []
        if not isinstance(ids, list | tuple) or not all(isinstance(one, str) for one in ids):
            raise LensError("association: expected a list of ids")
        return min(ids, key=lambda one: (len(one), one), default=None)

    def encode(self, value: Value) -> tuple[Raw, ...]:
        return ([] if value is None else [value],)


@dataclass(frozen=True, slots=True)
class FirstOf:
    """The first of several paths that has a value. Read only."""

    inner: Lens
    name: str = "first_of"

    def decode(self, *raw: Raw) -> Value:
        return next((self.inner.decode(one) for one in raw if one is not None), None)

    def encode(self, value: Value) -> tuple[Raw, ...]:
        del value
        raise LensError("a value read from several paths cannot be written to one")


@dataclass(frozen=True, slots=True)
class LineItems:
    """commercetools line items to canonical items: ``key, sku, name, quantity, price``. Read only."""

    READS: ClassVar[tuple[str, ...]] = ("id", "variant.sku", "name", "quantity", "price.value")
    """What it looks at of each line."""

    locales: tuple[str, ...] = ("en",)
    name: str = "line_items"

    def decode(self, *raw: Raw) -> Value:
        if raw[0] is None:
            return []
        try:
            return canonical(FieldType.ITEMS, [self._item(line) for line in raw[0]])
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise LensError(f"line items: {error!r}") from None

    def _item(self, line: Mapping[str, Any]) -> dict[str, Value]:
        names: Mapping[str, str] = line.get("name") or {}
        chosen = next((names[code] for code in self.locales if code in names), next(iter(names.values()), ""))
        return {
            "key": str(line["id"]),
            "sku": (line.get("variant") or {}).get("sku"),
            "name": chosen,
            "quantity": int(line["quantity"]),
            "price": CentMoney().decode(line["price"]["value"]),
        }

    def encode(self, value: Value) -> tuple[Raw, ...]:
        del value
        raise LensError("line items are read from the shop, never written to it")


@dataclass(frozen=True, slots=True)
class Rows:
    """A vendor's list as items (a role's permissions): texts by themselves, or rows of which one member is the key."""

    key: str = ""
    """The member of a row that is the item's key; empty: the list is of texts."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Further fields of an item, and the members of a row that hold them: texts and whole numbers."""
    name: str = "rows"

    def decode(self, *raw: Raw) -> Value:
        return _items("rows", raw[0], self._item)

    def _item(self, row: Any) -> dict[str, Value]:
        if not self.key:
            return {"key": row}
        held = {name: row[member] for name, member in self.members.items() if row.get(member) is not None}
        if not all(isinstance(one, str | int) for one in held.values()):
            raise TypeError("a member is neither text nor a whole number")
        return {"key": row[self.key], **held}

    def encode(self, value: Value) -> tuple[Raw, ...]:
        if value is None:
            return (None,)
        if not self.key:
            return ([item["key"] for item in value],)
        return ([
            {self.key: item["key"], **{member: item[name] for name, member in self.members.items() if name in item}}
            for item in value
        ],)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PriceTiers:
    """Prices that depend on the quantity, as items: the key and ``quantity`` are the least quantity, ``price`` is that
    of one piece. Rows have ``quantity_min``, ``price`` and ``currency``; what is written also says up to which
    quantity a row holds (``quantity_max``, 0: without end)."""

    name: str = "price_tiers"

    def decode(self, *raw: Raw) -> Value:
        return _items("price tiers", raw[0], self._item)

    def _item(self, row: Mapping[str, Any]) -> dict[str, Value]:
        quantity = int(row["quantity_min"])
        return {"key": str(quantity), "quantity": quantity, "price": money(row["price"], row["currency"])}

    def encode(self, value: Value) -> tuple[Raw, ...]:
        if value is None:
            return (None,)
        try:
            tiers = sorted(
                (int(item["quantity"]), item["price"]["amount"], item["price"]["currency"]) for item in value
            )
        except (KeyError, TypeError, ValueError):
            raise LensError("price tiers: every item needs a quantity and a price") from None
        ends = [*(quantity - 1 for quantity, _, _ in tiers[1:]), 0][: len(tiers)]
        return ([
            {"quantity_min": quantity, "quantity_max": end, "price": amount, "currency": currency}
            for (quantity, amount, currency), end in zip(tiers, ends, strict=True)
        ],)  # fmt: skip


def _items(what: str, raw: Raw, item: Callable[[Any], dict[str, Value]]) -> Value:
    if raw is None:
        return None
    if not isinstance(raw, list):
        raise LensError(f"{what}: expected a list, got {type(raw).__name__}")
    try:
        return canonical(FieldType.ITEMS, [item(row) for row in raw])
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise LensError(f"{what}: {error!r}") from None
