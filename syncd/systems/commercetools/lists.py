"""Lists of commercetools resources, and how single entries of them are written. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from syncd.model.lens import Raw
from syncd.systems.commercetools.values import (
    Current,
    Unknown,
    UnwritableError,
    at,
    held,
    identifier,
    is_whole,
    reference_id,
    reference_key,
    same,
)
from syncd.systems.commercetools.ways import Members, Named, UpdateAction


def _text(*path: str) -> Named:
    """The text at a path of an entry."""

    def name(entry: Any) -> str | None:
        found = at(entry, ".".join(path)) if isinstance(entry, Mapping) else None
        return found if isinstance(found, str) else None

    return name


def _own(entry: Any) -> str | None:
    return entry if isinstance(entry, str) else None


def _of(member: str) -> tuple[Named, Named]:
    """Names of an entry by the reference it holds: by id, or by key."""
    return lambda one: reference_id(one.get(member)), lambda one: reference_key(one.get(member))


# -- addresses ---------------------------------------------------------------------------------------------------


def addresses(whose: str) -> Members:
    """The addresses of a customer or a business unit. ``changeAddress`` replaces, so it is sent whole."""

    def which(entry: Mapping[str, Any]) -> dict[str, Any]:
        return {"addressId": entry["id"]} if "id" in entry else {"addressKey": entry.get("key")}

    def change(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[UpdateAction]:
        merged = {name: value for name, value in {**before, **after}.items() if value is not None and name != "id"}
        return [{"action": "changeAddress", **which(before), "address": merged}]

    def add(entry: Mapping[str, Any]) -> UpdateAction:
        if not entry.get("country"):
            raise UnwritableError("addresses", f"an address of a {whose} must have a country")
        kept = {name: value for name, value in entry.items() if value is not None and name != "id"}
        return {"action": "addAddress", "address": kept}

    def equal(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        return all(before.get(name) == value for name, value in after.items() if name != "id")

    return Members(
        by=(_text("id"), _text("key"), _text("externalId")),
        add=add,
        remove=lambda one: {"action": "removeAddress", **which(one)},
        change=change,
        equal=equal,
    )


def pointed_list(role: str) -> Members:
    """Which addresses are for shipping, or for billing: their ids."""
    return Members(
        by=(_own,),
        add=lambda one: {"action": f"add{role}AddressId", "addressId": one},
        remove=lambda one: {"action": f"remove{role}AddressId", "addressId": one},
    )


@dataclass(frozen=True, slots=True)
class PointedAddress:
    """A default address, by its id or by its key (of one that is added in the same request)."""

    action: str
    draft: str | None = None

    def needs(self, path: str, current: Current) -> bool:
        del path
        return not is_whole(current)

    def differs(self, value: Raw, before: Raw | Unknown) -> bool:
        return isinstance(before, Unknown) or before != value

    def drafted(self, value: Raw) -> Raw:
        return value

    def actions(self, path: str, value: Raw, current: Current) -> list[UpdateAction]:
        if value is None:
            return [{"action": self.action}]
        known = at(current or {}, "addresses") or ()
        meant = next((one for one in known if value in (one.get("id"), one.get("key"))), None)
        if meant is None:
            return [{"action": self.action, "addressKey": value}]
        return [] if meant["id"] == held(current, path) else [{"action": self.action, "addressId": meant["id"]}]


_PLACES: Final = (
    ("defaultShippingAddressId", "defaultShippingAddress"),
    ("defaultBillingAddressId", "defaultBillingAddress"),
    ("shippingAddressIds", "shippingAddresses"),
    ("billingAddressIds", "billingAddresses"),
)


def place_addresses(made: dict[str, Any]) -> None:
    """A draft points to its addresses by place, where the resource does by id. Raises :class:`UnwritableError`."""
    drafted = made.get("addresses") or []
    places = {one.get(name): place for place, one in enumerate(drafted) for name in ("id", "key") if one.get(name)}
    for member, drafted_as in _PLACES:
        wanted = made.pop(member, None)
        if wanted is None:
            continue
        try:
            found = [places[one] for one in wanted] if isinstance(wanted, list) else places[wanted]
        except (KeyError, TypeError):
            raise UnwritableError(member, "names none of the addresses") from None
        made[drafted_as] = found
    if drafted:
        made["addresses"] = [{name: value for name, value in one.items() if name != "id"} for one in drafted]


# -- references --------------------------------------------------------------------------------------------------

STORES: Final = Members(
    by=(reference_key, reference_id),
    add=lambda one: {"action": "addStore", "store": identifier(one)},
    remove=lambda one: {"action": "removeStore", "store": identifier(one)},
    whole=("setStores", "stores"),
)

ASSIGNMENTS: Final = Members(
    by=_of("customerGroup"),
    add=lambda one: {
        "action": "addCustomerGroupAssignment",
        "customerGroupAssignment": {"customerGroup": identifier(one["customerGroup"])},
    },
    remove=lambda one: {"action": "removeCustomerGroupAssignment", "customerGroup": identifier(one["customerGroup"])},
    whole=("setCustomerGroupAssignments", "customerGroupAssignments"),
    equal=lambda before, after: same(before["customerGroup"], after["customerGroup"]),
)


def _roles(associate: Mapping[str, Any]) -> set[tuple[str | None, str]]:
    listed = associate.get("associateRoleAssignments") or ()
    return {(reference_key(one.get("associateRole")), one.get("inheritance") or "Disabled") for one in listed}


ASSOCIATES: Final = Members(
    by=_of("customer"),
    add=lambda one: {"action": "addAssociate", "associate": one},
    change=lambda _before, after: [{"action": "changeAssociate", "associate": after}],
    remove=lambda one: {"action": "removeAssociate", "customer": identifier(one["customer"])},
    whole=("setAssociates", "associates"),
    equal=lambda before, after: _roles(before) == _roles(after),
)
"""People of a business unit, with their roles."""

PERMISSIONS: Final = Members(
    by=(_own,),
    add=lambda one: {"action": "addPermission", "permission": one},
    remove=lambda one: {"action": "removePermission", "permission": one},
    whole=("setPermissions", "permissions"),
)

SYNC_INFO: Final = Members(
    by=_of("channel"),
    add=lambda one: {"action": "updateSyncInfo", **one},
    change=lambda _before, after: [{"action": "updateSyncInfo", **after}],
    remove=None,
    equal=lambda before, after: before.get("externalId") == after.get("externalId"),
)
"""Where an order went: there is no action that takes one back."""


# -- prices ------------------------------------------------------------------------------------------------------


def _quantity(tier: Any) -> str | None:
    found = tier.get("minimumQuantity") if isinstance(tier, Mapping) else None
    return str(found) if isinstance(found, int) else None


TIERS: Final = Members(
    by=(_quantity,),
    add=lambda one: {"action": "addPriceTier", "tier": one},
    remove=lambda one: {"action": "removePriceTier", "minimumQuantity": one["minimumQuantity"]},
    whole=("setPriceTiers", "tiers"),
    equal=lambda before, after: same(before["value"], after["value"]),
)


def joined_validity(actions: list[UpdateAction]) -> list[UpdateAction]:
    """Both ends of a validity change at once: a range must never end before it begins, not even in between."""
    both = [one for one in actions if one["action"] in ("setValidFrom", "setValidUntil")]
    if len(both) < 2:
        return actions
    joined = {name: value for one in both for name, value in one.items()} | {"action": "setValidFromAndUntil"}
    return [joined if one is both[0] else one for one in actions if one is not both[1]]


_PRICE: Final = (
    "key", "value", "country", "customerGroup", "channel", "validFrom", "validUntil", "discounted", "tiers", "custom",
)  # fmt: skip
"""Members of an embedded price that its draft has too."""


def _scope(price: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes a price of a variant this one and no other. A price that is to go has only a currency as value."""
    value = price.get("value") or {}
    group, channel = price.get("customerGroup"), price.get("channel")
    return (
        value.get("currencyCode"),
        price.get("country"),
        reference_id(group) or reference_key(group),
        reference_id(channel) or reference_key(channel),
        price.get("validFrom"),
        price.get("validUntil"),
    )


@dataclass(frozen=True, slots=True)
class EmbeddedPrices:
    """Prices in the master variant, known by their scope (currency, country, group, channel, validity). Only scopes
    that the value names are touched; one without an amount is removed."""

    draft: str | None = "masterVariant.prices"

    def needs(self, path: str, current: Current) -> bool:
        del path
        return not is_whole(current)

    def differs(self, value: Raw, before: Raw | Unknown) -> bool:
        return isinstance(before, Unknown) or bool(self._changes(value, before))

    def drafted(self, value: Raw) -> Raw:
        return [one for one in value or () if _amount(one) is not None]

    def actions(self, path: str, value: Raw, current: Current) -> list[UpdateAction]:
        before = held(current, path)
        more = {"variantId": variant_of(current)["variantId"], "staged": False}
        made = self._changes(value, None if isinstance(before, Unknown) else before)
        return [one | (more if one["action"] == "addPrice" else {"staged": False}) for one in made]

    def _changes(self, value: Raw, before: Raw) -> list[UpdateAction]:
        known = {_scope(one): one for one in before or ()}
        made: list[UpdateAction] = []
        for one in value or ():
            old = known.get(_scope(one))
            if _amount(one) is None:
                made += [{"action": "removePrice", "priceId": old["id"]}] if old else []
            elif old is None:
                made.append({"action": "addPrice", "price": one})
            elif any(_price_differs(name, value, old.get(name)) for name, value in one.items()):
                kept = {name: identifier(old[name]) if _is_reference(old[name]) else old[name]
                        for name in _PRICE if name in old}  # fmt: skip
                made.append({"action": "changePrice", "priceId": old["id"], "price": {**kept, **one}})
        return made


def _price_differs(name: str, value: Any, before: Any) -> bool:
    if name == "tiers":
        return TIERS.differs(value, before)
    # References are part of the scope, by which the price was found.
    return not _is_reference(value) and not same(before, value)


def _amount(price: Mapping[str, Any]) -> Any:
    return (price.get("value") or {}).get("centAmount")


def _is_reference(value: Any) -> bool:
    return isinstance(value, Mapping) and "typeId" in value


# -- products ----------------------------------------------------------------------------------------------------


def variant_of(current: Current) -> Mapping[str, Any]:
    """Which variant is the master, and that the change is for the shop to see at once."""
    number = at(current or {}, "masterData.current.masterVariant.id")
    return {"variantId": number if isinstance(number, int) else 1, "staged": False}


class _Attributes(Members):
    """Attributes of the master variant: the variant must be named."""

    __slots__ = ()

    def actions(self, path: str, value: Raw, current: Current) -> list[UpdateAction]:
        return [one | dict(variant_of(current)) for one in super().actions(path, value, current)]


ATTRIBUTES: Final = _Attributes(
    by=(_text("name"),),
    add=lambda one: {"action": "setAttribute", "name": one["name"], "value": one.get("value")},
    change=lambda _before, after: [{"action": "setAttribute", "name": after["name"], "value": after.get("value")}],
    remove=lambda one: {"action": "setAttribute", "name": one["name"]},
    draft="masterVariant.attributes",
)

_Definition = Mapping[str, Any]


def _relabelled(action: str, name: str) -> Any:
    """Of a definition only the label may change; another type needs another definition."""

    def change(before: _Definition, after: _Definition) -> list[UpdateAction]:
        if not _same_type(before, after):
            raise UnwritableError(f"{name}s", f"{after.get('name')} exists with another type")
        return [{"action": action, name: after["name"], "label": after["label"]}]

    return change


def _same_type(before: _Definition, after: _Definition) -> bool:
    return bool(at(before, "type.name") == at(after, "type.name"))


def _same_definition(before: _Definition, after: _Definition) -> bool:
    return _same_type(before, after) and before.get("label") == after.get("label")


DEFINITIONS: Final = Members(
    by=(_text("name"),),
    add=lambda one: {"action": "addFieldDefinition", "fieldDefinition": one},
    change=_relabelled("changeLabel", "fieldName"),
    remove=lambda one: {"action": "removeFieldDefinition", "fieldName": one["name"]},
    equal=_same_definition,
)


ATTRIBUTE_DEFINITIONS: Final = Members(
    by=(_text("name"),),
    add=lambda one: {"action": "addAttributeDefinition", "attribute": one},
    change=_relabelled("changeLabel", "attributeName"),
    remove=lambda one: {"action": "removeAttributeDefinition", "name": one["name"]},
    equal=_same_definition,
)
