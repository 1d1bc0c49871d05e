"""From a write's paths to what the vendor's endpoints take. Pure.

A customer's own members, its attributes and its form fields go to different endpoints or in different shapes. Null
clears: a text becomes empty, an attribute's value is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.model.lens import Raw
from syncd.systems.bigcommerce.directory import Attribute

TEXTS: Final = frozenset({"email", "first_name", "last_name", "company", "phone", "notes", "tax_exempt_category"})
FLAGS: Final = frozenset({"accepts_product_review_abandoned_cart_emails"})
GROUP: Final = "customer_group"


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
        elif path in TEXTS:
            form.row[path] = "" if value is None else str(value)
        elif path in FLAGS:
            form.row[path] = value is True or value == "true"
        elif path == GROUP:
            form.row["customer_group_id"] = _group(path, value, groups)
        elif path == "customer_group_id":
            form.row[path] = int(value or 0)
        else:
            raise UnwritableError(path, "is not written by syncd")
    return form


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
    status: str | None = None


_NUMBERS: Final = frozenset({"companyId", "role", "companyRoleId", "catalogId", "customerGroupId", "parentCompanyId"})
_READ_ONLY: Final = frozenset(
    {"id", "bcGroupId", "bcGroupName", "createdAt", "updatedAt", "customerId", "parentCompany"}
)


def b2b_form(values: Mapping[str, Raw], groups: Mapping[str, int], statuses: Mapping[str, str]) -> B2bForm:
    """``statuses`` are names by the vendor's number. Raises :class:`UnwritableError`."""
    form = B2bForm()
    for path, value in values.items():
        first, _, name = path.partition(".")
        if first == "extra_fields" and name:
            extras = form.row.setdefault("extraFields", [])
            extras.append({"fieldName": name, "fieldValue": "" if value is None else str(value)})
        elif first == "credit" and name:
            form.credit[name] = _credit(path, name, value)
        elif path == GROUP:
            form.row["customerGroupId"] = _group(path, value, groups)
        elif path == "status":
            form.status = next((number for number, told in statuses.items() if told == value), None)
            if form.status is None:
                raise UnwritableError(path, f"{value!r} is no status of a company")
        elif path in _READ_ONLY or name:
            raise UnwritableError(path, "is not written by syncd")
        elif path in _NUMBERS:
            form.row[path] = None if value in (None, "") else int(value)
        else:
            form.row[path] = "" if value is None else value
    return form


def _credit(path: str, name: str, value: Raw) -> Any:
    if name == "availableCredit":
        try:
            return float(value or 0)
        except (TypeError, ValueError):
            raise UnwritableError(path, "is not an amount") from None
    if name == "creditCurrency":
        return str(value or "")
    return value is True or value == "true"
