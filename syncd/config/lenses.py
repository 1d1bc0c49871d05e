"""Lenses by name, as configuration files write them, and the one that suits a system and a type by itself.

A lens is written as its name, ``lens = "money_pair"``, or as a table with its arguments,
``lens = { name = "choice", table = { gold = "tier_1" } }``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from syncd.config.problems import meant
from syncd.model.lens import (
    AmountIn,
    Associated,
    CentMoney,
    Choice,
    FirstOf,
    Lens,
    LensError,
    LineItems,
    MoneyPair,
    Plain,
    Prefixed,
    PriceTiers,
    ReferenceId,
    ReferenceKey,
    Rows,
    Stringly,
)
from syncd.model.shop_lenses import ListPrice, Localized, QuantityPrices
from syncd.model.value import FieldType

ITEM_FIELDS: Final[Mapping[str, FieldType]] = {
    "key": FieldType.TEXT,
    "sku": FieldType.TEXT,
    "name": FieldType.TEXT,
    "quantity": FieldType.INTEGER,
    "price": FieldType.MONEY,
}
"""What the items of an items field hold."""


class LensProblem(ValueError):  # noqa: N818 - becomes one line of a ConfigurationError
    """A lens is written wrongly. ``key`` is the argument, empty for the lens as a whole."""

    def __init__(self, rule: str, key: str = "") -> None:
        self.rule = rule
        self.key = key
        super().__init__(rule)


@dataclass(frozen=True, slots=True)
class Chosen:
    lens: Lens
    paths: int | None
    """How many paths it needs; ``None`` for one or more."""
    read_only: bool = False


Arguments = Mapping[str, Any]


def _text(arguments: Arguments, key: str, default: str | None = None) -> str:
    value = arguments.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise LensProblem("must be a string", key) if key in arguments else LensProblem(f"needs {key} = ...")
    return value


def _currency(arguments: Arguments, key: str, default: str | None = None) -> str:
    code = _text(arguments, key, default)
    if code and not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise LensProblem("must be a three-letter currency code such as EUR", key)
    return code


def _choice(arguments: Arguments) -> Lens:
    table = arguments.get("table")
    if not isinstance(table, Mapping) or not table:
        raise LensProblem("needs table = { ours = theirs, ... }", "table" if "table" in arguments else "")
    if not all(isinstance(ours, str) and isinstance(theirs, str) and theirs for ours, theirs in table.items()):
        raise LensProblem("must map our choices to the vendor's, both strings", "table")
    try:
        return Choice(dict(table))
    except LensError:
        raise LensProblem("two of our choices share one of the vendor's; the way back would be lost", "table") from None


def _rows(arguments: Arguments) -> Lens:
    members = {name: _text(arguments, name) for name in arguments.keys() - {"key"}}
    if members and not arguments.get("key"):
        raise LensProblem("needs key = ..., the member of a row that names it")
    return Rows(_text(arguments, "key", ""), members)


def _locales(arguments: Arguments) -> tuple[str, ...]:
    locales = arguments.get("locales", ["en"])
    if not isinstance(locales, list | tuple) or not locales or not all(isinstance(one, str) for one in locales):
        raise LensProblem('must be a list of locales such as ["en", "de"]', "locales")
    return tuple(locales)


@dataclass(frozen=True, slots=True)
class _Kind:
    make: Callable[[Arguments, FieldType], Lens]
    types: frozenset[FieldType] | None = None
    """Types it can serve; ``None`` for any scalar."""
    arguments: frozenset[str] = frozenset()
    paths: int | None = 1
    read_only: bool = False


_MONEY = frozenset({FieldType.MONEY})
_WORDS = frozenset({FieldType.TEXT, FieldType.CHOICE, FieldType.EMAIL, FieldType.PHONE})
_ITEMS = frozenset({FieldType.ITEMS})
_LINKS = frozenset({FieldType.REFERENCE, FieldType.CHOICE, FieldType.TEXT})

_KINDS: Final[Mapping[str, _Kind]] = {
    "plain": _Kind(lambda _, kind: Plain(kind)),
    "string": _Kind(lambda _, kind: Stringly(kind)),
    "cent_money": _Kind(lambda _a, _k: CentMoney(), _MONEY),
    "money_pair": _Kind(
        lambda a, _: MoneyPair(_currency(a, "default_currency", "")), _MONEY, frozenset({"default_currency"}), paths=2
    ),
    "amount_in": _Kind(lambda a, _: AmountIn(_currency(a, "currency")), _MONEY, frozenset({"currency"})),
    "choice": _Kind(lambda a, _: _choice(a), _WORDS, frozenset({"table"})),
    "prefixed": _Kind(lambda a, _: Prefixed(_text(a, "prefix")), _WORDS, frozenset({"prefix"})),
    "reference_key": _Kind(lambda a, _: ReferenceKey(_text(a, "type_id")), _LINKS, frozenset({"type_id"})),
    "reference_id": _Kind(lambda a, _: ReferenceId(_text(a, "type_id")), _LINKS, frozenset({"type_id"})),
    "associated": _Kind(lambda _a, _k: Associated(), frozenset({FieldType.REFERENCE}), read_only=True),
    "items": _Kind(lambda _, kind: Plain(kind), _ITEMS, read_only=True),
    "line_items": _Kind(lambda a, _: LineItems(_locales(a)), _ITEMS, frozenset({"locales"}), read_only=True),
    "rows": _Kind(lambda a, _: _rows(a), _ITEMS, frozenset({"key", *ITEM_FIELDS.keys()})),
    "price_tiers": _Kind(lambda _a, _k: PriceTiers(), _ITEMS),
    "quantity_prices": _Kind(lambda _a, _k: QuantityPrices(), _ITEMS),
    "list_price": _Kind(lambda a, _: ListPrice(_currency(a, "currency", "")), _MONEY, frozenset({"currency"})),
    "localized": _Kind(lambda a, _: Localized(_locales(a)), frozenset({FieldType.TEXT}), frozenset({"locales"})),
}
NAMES: Final = frozenset({*_KINDS, "first_of", "money"})


def default_name(system: str, kind: FieldType) -> str:
    """The lens a field gets when its mapping names none. Raises :class:`LensProblem` where none fits."""
    if system == "hubspot":
        if kind is FieldType.ITEMS:
            raise LensProblem("HubSpot keeps items as objects of their own; map them under `children`")
        return "money_pair" if kind is FieldType.MONEY else "string"
    if system == "salesforce":
        if kind is FieldType.ITEMS:
            raise LensProblem("Salesforce keeps items as objects of their own; map them under `children`")
        return "amount_in" if kind is FieldType.MONEY else "plain"
    if system == "bigcommerce":
        return {FieldType.MONEY: "money_pair", FieldType.ITEMS: "items"}.get(kind, "string")
    return {FieldType.MONEY: "cent_money", FieldType.ITEMS: "line_items"}.get(kind, "plain")


def build_lens(written: Any, system: str, kind: FieldType, currency: str = "") -> Chosen:
    """The lens that ``written`` (a name, a table, or ``None`` for the default) stands for. ``currency`` is what the
    account means by an amount without one.

    Raises :class:`LensProblem`.
    """
    name, arguments = _taken_apart(written, system, kind)
    if name == "money":
        name = default_name(system, FieldType.MONEY)
    if name == "first_of":
        unknown = arguments.keys() - {"inner"}
        if unknown:
            raise LensProblem(f"is not an argument of the lens first_of{meant(min(unknown), ['inner'])}", min(unknown))
        inner = build_lens(arguments.get("inner"), system, kind)
        if inner.paths != 1:
            raise LensProblem("must be a lens of one path", "inner")
        return Chosen(FirstOf(inner.lens), None, read_only=True)
    found = _KINDS.get(name)
    if found is None:
        raise LensProblem(f"there is no lens of that name{meant(name, NAMES)}")
    if unknown := arguments.keys() - found.arguments:
        first = min(unknown)
        raise LensProblem(f"is not an argument of the lens {name}{meant(first, found.arguments)}", first)
    if (found.types is None and kind is FieldType.ITEMS) or (found.types is not None and kind not in found.types):
        raise LensProblem(f"the lens {name} cannot hold a field of type {kind.value}")
    if name == "money_pair" and currency:
        arguments = {"default_currency": currency, **arguments}
    if name == "amount_in" and currency:
        arguments = {"currency": currency, **arguments}
    return Chosen(found.make(arguments, kind), found.paths, found.read_only)


def _taken_apart(written: Any, system: str, kind: FieldType) -> tuple[str, dict[str, Any]]:
    if written is None:
        return default_name(system, kind), {}
    if isinstance(written, str):
        return written, {}
    if not isinstance(written, Mapping) or not isinstance(written.get("name"), str):
        raise LensProblem('must be a name, or a table with a name: { name = "choice", table = { ... } }')
    return written["name"], {key: value for key, value in written.items() if key != "name"}
