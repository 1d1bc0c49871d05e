"""The object types of an account, the vendor's and its own: names in paths, what is returned by default, scopes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from syncd.sandbox.hubspot.errors import ApiError, validation


@dataclass(frozen=True, slots=True)
class Kind:
    type_id: str
    name: str
    """Plural, as in paths and in the ledger: ``contacts``."""
    singular: str
    legacy: str
    """As in messages: ``CONTACT``."""
    defaults: tuple[str, ...]
    """Returned when a caller names no properties."""
    association_key: str = ""
    """In ``associations`` of an object; ``line items`` has a blank."""
    created: str = "createdate"
    modified: str = "hs_lastmodifieddate"
    pipeline: str = ""
    """Property that holds the pipeline's id, for types that have pipelines."""
    stage: str = ""
    extra_scope: str = ""
    """A second scope that grants the same."""
    scope: str = ""
    """The name in scopes, where it is not the plural one."""
    merges: bool = True
    """Two records can be merged."""
    labels: tuple[str, str] = ("", "")
    """Singular and plural as people read them, of an object type of the account's own."""
    required: tuple[str, ...] = ()
    """Properties without which nothing is created."""

    def read_scopes(self) -> tuple[str, ...]:
        return self._scopes("read")

    def write_scopes(self) -> tuple[str, ...]:
        return self._scopes("write")

    def schema_read_scopes(self) -> tuple[str, ...]:
        return (f"crm.schemas.{self.scope or self.name}.read", *self._scopes("read"))

    def schema_write_scopes(self) -> tuple[str, ...]:
        return (f"crm.schemas.{self.scope or self.name}.write", *((self.extra_scope,) if self.extra_scope else ()))

    def _scopes(self, verb: str) -> tuple[str, ...]:
        own = f"crm.objects.{self.scope or self.name}.{verb}"
        return (own, self.extra_scope) if self.extra_scope else (own,)

    @property
    def own(self) -> bool:
        """Made by the account."""
        return self.type_id.startswith("2-")

    @property
    def always(self) -> tuple[str, str, str]:
        """Returned whatever a caller names."""
        return (self.created, self.modified, "hs_object_id")


CONTACTS = Kind(
    "0-1",
    "contacts",
    "contact",
    "CONTACT",
    ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    modified="lastmodifieddate",
)
COMPANIES = Kind(
    "0-2",
    "companies",
    "company",
    "COMPANY",
    ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
)
DEALS = Kind(
    "0-3",
    "deals",
    "deal",
    "DEAL",
    (
        "amount", "closedate", "createdate", "dealname", "dealstage", "hs_lastmodifieddate", "hs_object_id", "pipeline",
    ),
    pipeline="pipeline",
    stage="dealstage",
)  # fmt: skip
TICKETS = Kind(
    "0-5",
    "tickets",
    "ticket",
    "TICKET",
    (
        "content", "createdate", "hs_lastmodifieddate", "hs_object_id", "hs_pipeline", "hs_pipeline_stage",
        "hs_ticket_category", "hs_ticket_priority", "subject",
    ),
    pipeline="hs_pipeline",
    stage="hs_pipeline_stage",
    extra_scope="tickets",
    required=("hs_pipeline_stage",),
)  # fmt: skip
PRODUCTS = Kind(
    "0-7",
    "products",
    "product",
    "PRODUCT",
    ("createdate", "description", "hs_lastmodifieddate", "hs_object_id", "name", "price"),
    extra_scope="e-commerce",
    merges=False,
)
LINE_ITEMS = Kind(
    "0-8",
    "line_items",
    "line_item",
    "LINE_ITEM",
    ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    association_key="line items",
    extra_scope="e-commerce",
    merges=False,
)
QUOTES = Kind(
    "0-14",
    "quotes",
    "quote",
    "QUOTE",
    ("hs_createdate", "hs_expiration_date", "hs_lastmodifieddate", "hs_object_id", "hs_title"),
    created="hs_createdate",
    merges=False,
)
ORDERS = Kind(
    "0-123",
    "orders",
    "order",
    "ORDER",
    ("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
    created="hs_createdate",
    pipeline="hs_pipeline",
    stage="hs_pipeline_stage",
    merges=False,
)

KINDS = (CONTACTS, COMPANIES, DEALS, TICKETS, PRODUCTS, LINE_ITEMS, QUOTES, ORDERS)
"""What the vendor itself defines."""

_OWN_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,249}")
_FIRST_OWN = 45_000_000
MAX_OWN = 10
"""Object types an account may define."""


class Kinds:
    """All object types of one account."""

    def __init__(self, portal_id: int) -> None:
        self._portal = portal_id
        self._all: dict[str, Kind] = {}
        self._names: dict[str, Kind] = {}
        self._last = _FIRST_OWN
        for kind in KINDS:
            self._add(kind, kind.type_id, kind.name, kind.singular, kind.legacy)

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._all.values())

    def _add(self, kind: Kind, *names: str) -> None:
        self._all[kind.type_id] = kind
        self._names.update(dict.fromkeys(names, kind))

    def of(self, name: str) -> Kind:
        """By plural, singular, type id, or the full name of an own type. Raises :class:`ApiError`."""
        kind = self._names.get(name) or self._names.get(name.lower())
        if kind is None:
            raise unknown_type(name)
        return kind

    def by_type_id(self, type_id: str) -> Kind:
        return self._all[type_id]

    def own(self) -> list[Kind]:
        return [kind for kind in self if kind.own]

    def define(self, name: str, singular: str, plural: str, required: tuple[str, ...], shown: str) -> Kind:
        """A new object type of the account's own. Raises :class:`ApiError`."""
        full = f"p{self._portal}_{name}".lower()
        if not _OWN_NAME.fullmatch(name):
            raise validation(f"Object type name {name} is invalid: letters, numbers and underscores only")
        if full in self._names:
            raise validation(f"An object type with the name {name} already exists", context={"name": [name]})
        if len(self.own()) >= MAX_OWN:
            raise validation(f"Portal {self._portal} has reached its limit of {MAX_OWN} custom object types")
        self._last += 1
        kind = Kind(
            f"2-{self._last}",
            full,
            name,
            full,
            tuple(sorted({"hs_createdate", "hs_lastmodifieddate", "hs_object_id", *([shown] if shown else [])})),
            created="hs_createdate",
            scope="custom",
            labels=(singular, plural),
            required=required,
        )
        self._add(kind, kind.type_id, full, f"p_{name.lower()}")
        return kind

    def change(self, kind: Kind, required: tuple[str, ...], labels: tuple[str, str]) -> Kind:
        changed = replace(kind, required=required, labels=labels)
        self._all[kind.type_id] = changed
        self._names.update((name, changed) for name, one in self._names.items() if one is kind)
        return changed

    def forget(self, kind: Kind) -> None:
        del self._all[kind.type_id]
        self._names = {name: one for name, one in self._names.items() if one is not kind}


def unknown_type(name: str) -> ApiError:
    return validation(f"Unable to infer object type from: {name}")
