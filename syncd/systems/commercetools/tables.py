"""Which path of which resource goes which way to update actions, and where it stands in drafts. Pure.

The order of a table is the order in which actions are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.systems.commercetools.lists import (
    ASSIGNMENTS,
    ASSOCIATES,
    ATTRIBUTE_DEFINITIONS,
    ATTRIBUTES,
    DEFINITIONS,
    PERMISSIONS,
    STORES,
    SYNC_INFO,
    TIERS,
    EmbeddedPrices,
    PointedAddress,
    addresses,
    joined_validity,
    place_addresses,
    pointed_list,
    variant_of,
)
from syncd.systems.commercetools.units import ParentUnit, unit_draft
from syncd.systems.commercetools.ways import Fixed, Single, Toggle, UpdateAction, Way


def _as_it_is(made: dict[str, Any]) -> None:
    del made


def _one_by_one(actions: list[UpdateAction]) -> list[UpdateAction]:
    return actions


@dataclass(frozen=True, slots=True)
class Table:
    ways: Mapping[str, Way] = field(default_factory=dict)
    complete: Callable[[dict[str, Any]], None] = _as_it_is
    """Puts into a draft what its other members imply."""
    join: Callable[[list[UpdateAction]], list[UpdateAction]] = _one_by_one
    """Actions that must go together."""


def _sets(*names: str) -> dict[str, Way]:
    """Members with a ``set<Member>`` action of their own name."""
    return {name: Single(f"set{name[0].upper()}{name[1:]}", name) for name in names}


def _changes(*names: str) -> dict[str, Way]:
    """Required members with a ``change<Member>`` action of their own name."""
    return {name: Single(f"change{name[0].upper()}{name[1:]}", name, clears=False) for name in names}


def _addresses(whose: str) -> dict[str, Way]:
    """Addresses, and the members that point to them."""
    return {
        "addresses": addresses(whose),
        "defaultShippingAddressId": PointedAddress("setDefaultShippingAddress"),
        "defaultBillingAddressId": PointedAddress("setDefaultBillingAddress"),
        "shippingAddressIds": pointed_list("Shipping"),
        "billingAddressIds": pointed_list("Billing"),
    }


def _customer_draft(made: dict[str, Any]) -> None:
    # A synced contact signs in elsewhere, and has no password here.
    made.setdefault("authenticationMode", "ExternalAuth")
    place_addresses(made)


def _product_draft(made: dict[str, Any]) -> None:
    """A product must have a slug, unique in the project: its key, where none is mapped."""
    if "slug" not in made and "key" in made:
        locales = made.get("name") if isinstance(made.get("name"), dict) else None
        made["slug"] = dict.fromkeys(locales or ("en",), made["key"])


_NEW_PRICE: Final = "says which price it is and is immutable; create another price, and delete this one"

_CUSTOMERS: Final = Table(
    {
        **_sets(
            "firstName", "lastName", "middleName", "title", "salutation", "dateOfBirth", "companyName", "vatId",
            "locale", "externalId", "key", "customerGroup",
        ),
        "customerNumber": Single("setCustomerNumber", "customerNumber", once=True),
        "email": Single("changeEmail", "email", clears=False),
        "authenticationMode": Single("setAuthenticationMode", "authMode", clears=False),
        "isEmailVerified": Fixed("is changed by the customer's own confirmation only"),
        "customerGroupAssignments": ASSIGNMENTS,
        "stores": STORES,
        **_addresses("customer"),
    },
    complete=_customer_draft,
)  # fmt: skip

_GROUPS: Final = Table({"name": Single("changeName", "name", draft="groupName", clears=False), **_sets("key")})


def _kept(_current: Any) -> Mapping[str, Any]:
    """Whom a unit knew through its parent it goes on knowing."""
    return {"makeInheritedAssociatesExplicit": True}


_UNITS: Final = Table(
    {
        "key": Fixed("the key of a business unit is immutable"),
        "unitType": Fixed("follows from parentUnit: a unit with a parent is a Division, one without is a Company"),
        "parentUnit": ParentUnit(),
        **_changes("name", "status", "approvalRuleMode"),
        **_sets("contactEmail"),
        "storeMode": Single("setStoreMode", "storeMode", clears=False),
        "stores": STORES,
        "associateMode": Single("changeAssociateMode", "associateMode", clears=False, more=_kept),
        "associates": ASSOCIATES,
        "customerGroupAssignments": ASSIGNMENTS,
        **_addresses("business unit"),
    },
    complete=unit_draft,
)  # fmt: skip

_ROLES: Final = Table(
    {
        "key": Fixed("the key of an associate role is immutable"),
        **_sets("name"),
        **_changes("buyerAssignable"),
        "permissions": PERMISSIONS,
    }
)

_SALE: Final[Mapping[str, Way]] = {
    "customerEmail": Single("setCustomerEmail", "email"),
    "shippingAddress": Single("setShippingAddress", "address"),
    "billingAddress": Single("setBillingAddress", "address"),
    **_sets("customerId", "locale", "purchaseOrderNumber"),
}

_CARTS: Final = Table(
    {
        **_SALE,
        **_sets("key", "country", "customerGroup", "deleteDaysAfterLastModification"),
        "businessUnit": Single("setBusinessUnit", "businessUnit", clears=False),
    }
)

_ORDERS: Final = Table(
    {
        **_SALE,
        "orderNumber": Single("setOrderNumber", "orderNumber", once=True),
        **_changes("orderState", "paymentState", "shipmentState"),
        "state": Single("transitionState", "state", clears=False),
        **_sets("store", "businessUnit"),
        "syncInfo": SYNC_INFO,
    }
)


def _negotiated(member: str, **more: Way) -> Table:
    """What quotes and what leads to them have in common."""
    return Table({**_changes(member), "state": Single("transitionState", "state", clears=False), **more})


_PRICES: Final = Table(
    {
        **{name: Fixed(_NEW_PRICE) for name in ("sku", "country", "customerGroup", "channel")},
        "value": Single("changeValue", "value", clears=False),
        "tiers": TIERS,
        **_sets("key", "validFrom", "validUntil"),
        "discounted": Single("setDiscountedPrice", "discounted"),
        "active": Single("changeActive", "active", clears=False),
    },
    join=joined_validity,
)

_DATA: Final = "masterData.current."
_VARIANT: Final = f"{_DATA}masterVariant."


def _now(_current: Any) -> Mapping[str, Any]:
    return {"staged": False}


_PRODUCTS: Final = Table(
    {
        "productType": Fixed("the type of a product is immutable"),
        **_sets("key", "taxCategory", "priceMode"),
        f"{_DATA}name": Single("changeName", "name", draft="name", clears=False, localized=True, more=_now),
        f"{_DATA}slug": Single("changeSlug", "slug", draft="slug", clears=False, localized=True, more=_now),
        f"{_DATA}description": Single("setDescription", "description", draft="description", localized=True, more=_now),
        f"{_VARIANT}sku": Single("setSku", "sku", draft="masterVariant.sku", more=variant_of, looks=True),
        f"{_VARIANT}key": Single("setProductVariantKey", "key", draft="masterVariant.key", more=variant_of, looks=True),
        f"{_VARIANT}attributes": ATTRIBUTES,
        f"{_VARIANT}prices": EmbeddedPrices(),
        "masterData.published": Toggle({"action": "publish"}, {"action": "unpublish"}, draft="publish"),
    },
    complete=_product_draft,
)

_PRODUCT_TYPES: Final = Table({**_changes("name", "description"), **_sets("key"), "attributes": ATTRIBUTE_DEFINITIONS})

_TYPES: Final = Table(
    {
        "key": Single("changeKey", "key", clears=False),
        "name": Single("changeName", "name", clears=False, localized=True),
        "description": Single("setDescription", "description", localized=True),
        "resourceTypeIds": Fixed("what a type is for is immutable"),
        "fieldDefinitions": DEFINITIONS,
    }
)

TABLES: Final[Mapping[str, Table]] = {
    "customers": _CUSTOMERS,
    "customer-groups": _GROUPS,
    "business-units": _UNITS,
    "associate-roles": _ROLES,
    "carts": _CARTS,
    "orders": _ORDERS,
    "quote-requests": _negotiated("quoteRequestState"),
    "staged-quotes": _negotiated(
        "stagedQuoteState",
        sellerComment=Single("setSellerComment", "sellerComment"),
        validTo=Single("setValidTo", "validTo"),
    ),
    "quotes": _negotiated("quoteState"),
    "standalone-prices": _PRICES,
    "products": _PRODUCTS,
    "product-types": _PRODUCT_TYPES,
    "types": _TYPES,
}
