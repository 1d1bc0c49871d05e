"""From a write's paths to what the vendor's endpoints take. Pure.

A customer's own members, its attributes and its form fields go to different endpoints or in different shapes. Null
clears: a text becomes empty, an attribute's value is removed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.model.lens import Raw
from syncd.systems.bigcommerce.directory import Attribute

TEXTS: Final = frozenset({"email", "first_name", "last_name", "company", "phone", "notes", "tax_exempt_category"})
FLAGS: Final = frozenset({"accepts_product_review_abandoned_cart_emails"})
GROUP: Final = "customer_group"
CREDIT: Final = "store_credit"
ADDRESS: Final = frozenset({
    "first_name", "last_name", "company", "address1", "address2", "city", "state_or_province", "postal_code",
    "country_code", "phone", "address_type",
})  # fmt: skip
"""What may be written of a customer's address."""


class UnwritableError(ValueError):
    """A path that cannot be written, or a value that cannot stand there."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        super().__init__(f"{path}: {why}")


@dataclass(slots=True)
class CustomerForm:
    row: dict[str, Any] = field(default_factory=dict)
    """Members of the customer itself."""
    values: dict[int, str | None] = field(default_factory=dict)
    """Attribute values by attribute id; ``None`` removes."""
    address: dict[str, Any] = field(default_factory=dict)
    """Members of the first address."""
    metafields: dict[str, Raw] = field(default_factory=dict)
    """By path."""


def customer_form(
    values: Mapping[str, Raw],
    attributes: Mapping[str, Attribute],
    groups: Mapping[str, int],
    forms: Mapping[str, Any] | None = None,
) -> CustomerForm:
    """``attributes`` and ``groups`` are by name; ``forms`` are the form fields held now.

    Raises :class:`UnwritableError`.
    """
    form = CustomerForm()
    changed = dict(forms or {})
    for path, value in values.items():
        first, _, name = path.partition(".")
        if first == "attributes" and name:
            if name not in attributes:
                raise UnwritableError(
                    path, "the store has no such customer attribute; syncd provision --apply makes it"
                )
            form.values[attributes[name].id] = None if value in (None, "") else str(value)
        elif first == "form_fields" and name:
            changed[name] = "" if value is None else value
            form.row["form_fields"] = [{"name": one, "value": held} for one, held in changed.items()]
        elif first == "address" and name in ADDRESS:
            form.address[name] = "" if value is None else str(value)
        elif first == "metafields" and name:
            form.metafields[path] = value
        else:
            form.row |= _member(path, value, groups)
    return form


def _member(path: str, value: Raw, groups: Mapping[str, int]) -> dict[str, Any]:
    if path in TEXTS:
        return {path: "" if value is None else str(value)}
    if path in FLAGS:
        return {path: truth(value)}
    if path == GROUP:
        return {"customer_group_id": _group(path, value, groups)}
    if path == "customer_group_id":
        return {path: whole(path, value)}
    if path == CREDIT:
        return {"store_credit_amounts": [{"amount": number(path, value) or 0.0}]}
    raise UnwritableError(path, "is not written by syncd")


def writes(path: str) -> bool:
    """Whether such a path of a customer can be written."""
    first, _, name = path.partition(".")
    if name:
        return first in ("attributes", "form_fields", "metafields") or (first == "address" and name in ADDRESS)
    return path in TEXTS | FLAGS | {GROUP, CREDIT, "customer_group_id"}


def number(path: str, value: Any) -> float | None:
    """An amount as the vendor's JSON has it. Raises :class:`UnwritableError`."""
    try:
        found = None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        raise UnwritableError(path, "is not an amount") from None
    if found is not None and not math.isfinite(found):  # JSON would make nothing of it, and so clear the price
        raise UnwritableError(path, "is not an amount")
    return found


def whole(path: str, value: Any) -> int:
    """A number of the vendor's, 0 for none. Raises :class:`UnwritableError`."""
    try:
        return int(value or 0)
    except (TypeError, ValueError, OverflowError):
        raise UnwritableError(path, "is not a whole number") from None


def truth(value: Any) -> bool:
    return value is True or value == "true"


def _group(path: str, value: Raw, groups: Mapping[str, int]) -> int:
    if value in (None, ""):
        return 0
    if value not in groups:
        raise UnwritableError(path, f"the store has no customer group named {value!r}")
    return groups[value]


# -- B2B Edition


@dataclass(slots=True)
class B2bForm:
    row: dict[str, Any] = field(default_factory=dict)
    credit: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)
    status: str | None = None
    parent: int | None = None
    """The company above; 0 for none, ``None`` to leave it."""


_NUMBERS: Final = frozenset({"companyId", "role", "companyRoleId", "catalogId", "customerGroupId"})
_READ_ONLY: Final = frozenset({
    "id", "bcGroupId", "bcGroupName", "createdAt", "updatedAt", "customerId", "parentCompany", "companyRoleName",
    "companyStatus", "addressId",
})  # fmt: skip
_B2B_FLAGS: Final = frozenset(
    {"isBilling", "isShipping", "isDefaultBilling", "isDefaultShipping", "acceptCreationEmail"}
)


def b2b_form(values: Mapping[str, Raw], groups: Mapping[str, int], statuses: Mapping[str, str]) -> B2bForm:
    """``statuses`` are names by the vendor's number. Raises :class:`UnwritableError`."""
    form = B2bForm()
    for path, value in values.items():
        first, _, name = path.partition(".")
        told = value.get("id") if isinstance(value, Mapping) else value
        if first == "extra_fields" and name:
            extras = form.row.setdefault("extraFields", [])
            extras.append({"fieldName": name, "fieldValue": "" if value is None else str(value)})
        elif first == "credit" and name:
            form.credit[name] = _credit(path, name, value)
        elif first == "payment_terms" and name in ("isEnabled", "paymentTerms"):
            form.terms[name] = truth(value) if name == "isEnabled" else whole(path, value)
        elif path == GROUP:
            form.row["customerGroupId"] = _group(path, value, groups)
        elif path == "parent":
            form.parent = whole(path, told)
        elif path == "status":
            form.status = next((number for number, word in statuses.items() if word == value), None)
            if form.status is None:
                raise UnwritableError(path, f"{value!r} is no status of a company")
        elif path in _READ_ONLY or name:
            raise UnwritableError(path, "is not written by syncd")
        elif path in _NUMBERS:
            form.row[path] = None if told in (None, "") else whole(path, told)
        elif path in _B2B_FLAGS:
            form.row[path] = truth(value)
        else:
            form.row[path] = "" if value is None else value
    return form


def _credit(path: str, name: str, value: Raw) -> Any:
    if name == "availableCredit":
        return number(path, value) or 0.0
    if name == "creditCurrency":
        return str(value or "")
    return truth(value)
