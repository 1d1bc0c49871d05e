"""What the Import API is given: whether it is worth it, and resources in its form. Pure.

An import is a full upsert by key: what it leaves out is cleared, and no version protects what others changed. So only
new and whole records are imported, never updates. It knows references by key alone, and the type of every custom field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from syncd.model.mapping import ObjectMapping
from syncd.systems.commercetools.fields import custom_fields
from syncd.systems.commercetools.values import UnwritableError

REQUEST: Final = 20
"""Resources in one request; the vendor's limit."""
KEYS: Final = 100
"""Keys in one query."""
OPERATIONS: Final = 500
"""Operations on one page."""
LOOKS: Final = 10
"""Looks at a container until it is through, reckoned high."""

_PEOPLE: Final = (
    "key customerNumber email stores firstName lastName middleName title salutation externalId dateOfBirth companyName "
    "vatId isEmailVerified customerGroup addresses defaultBillingAddress billingAddresses defaultShippingAddress "
    "shippingAddresses locale custom authenticationMode"
)
_UNIT: Final = (
    "unitType key name status contactEmail associates addresses shippingAddresses defaultShippingAddress "
    "billingAddresses defaultBillingAddress stores custom storeMode parentUnit associateMode approvalRuleMode"
)
_PRICE: Final = "key sku value country customerGroup channel validFrom validUntil tiers custom active"


@dataclass(frozen=True, slots=True)
class Kind:
    type: str
    """``type`` of the request."""
    members: frozenset[str]
    """What a resource may have."""


KINDS: Final[Mapping[str, Kind]] = {
    "customers": Kind("customer", frozenset(_PEOPLE.split())),
    "business-units": Kind("business-unit", frozenset(_UNIT.split())),
    "standalone-prices": Kind("standalone-price", frozenset(_PRICE.split())),
}
"""Importable objects. Groups, custom objects, carts, quotes and associate roles are not."""


@dataclass(frozen=True, slots=True)
class Choice:
    imports: bool
    reason: str


def choose(creates: int) -> Choice:
    """Whether so many new records are imported rather than created one by one: where it takes at most half as many
    calls, since the answers come later.

    >>> choose(20).imports, choose(1000).imports
    (False, True)
    """
    single = creates
    imported = 2 + LOOKS + ceil(creates / REQUEST) + 2 * ceil(creates / KEYS) + ceil(creates / OPERATIONS)
    said = f"{creates} new: about {imported} calls by import, {single} one by one"
    return Choice(2 * imported <= single, said)


def imported(draft: Mapping[str, Any], mapping: ObjectMapping, kind: Kind) -> dict[str, Any]:
    """The draft of a create as an import has it. Raises :class:`UnwritableError` for what only a create can say."""
    unknown = next((name for name in draft if name not in kind.members), None)
    if unknown is not None:
        raise UnwritableError(unknown, "an import cannot say it")
    if not isinstance(draft.get("key"), str):
        raise UnwritableError("key", "an import needs a key")
    made = {name: value for name, value in draft.items() if name != "custom"}
    _must_be_by_key(made, "")
    for address in made.get("addresses") or ():
        if "key" not in address or "id" in address:
            raise UnwritableError("addresses", "an import needs a key for each address")
    if "custom" in draft:
        made["custom"] = _custom(draft["custom"], mapping)
    return made


def _custom(custom: Mapping[str, Any], mapping: ObjectMapping) -> dict[str, Any]:
    _must_be_by_key(custom["type"], "custom.type")
    types = {one.name: str(one.type["name"]) for one in custom_fields(mapping)}
    fields: dict[str, Any] = {}
    for name, value in custom.get("fields", {}).items():
        if name not in types:
            raise UnwritableError(f"custom.fields.{name}", "its type is not known")
        _must_be_by_key(value, f"custom.fields.{name}")
        fields[name] = {"type": types[name], "value": value}
    return {"type": custom["type"], "fields": fields}


def _must_be_by_key(value: Any, path: str) -> None:
    if isinstance(value, list):
        for one in value:
            _must_be_by_key(one, path)
    elif isinstance(value, Mapping):
        if "typeId" in value and ("id" in value or "key" not in value):
            raise UnwritableError(path, "an import refers by key alone")
        for name, one in value.items():
            _must_be_by_key(one, f"{path}.{name}".lstrip("."))
