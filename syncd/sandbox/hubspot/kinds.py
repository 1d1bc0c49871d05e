"""The object types of the account: names a path may use, what is returned by default, scopes."""

from __future__ import annotations

from dataclasses import dataclass

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

    def read_scopes(self) -> tuple[str, ...]:
        return self._scopes("read")

    def write_scopes(self) -> tuple[str, ...]:
        return self._scopes("write")

    def schema_read_scopes(self) -> tuple[str, ...]:
        return (f"crm.schemas.{self.name}.read", *self._scopes("read"))

    def schema_write_scopes(self) -> tuple[str, ...]:
        return (f"crm.schemas.{self.name}.write", *((self.extra_scope,) if self.extra_scope else ()))

    def _scopes(self, verb: str) -> tuple[str, ...]:
        own = f"crm.objects.{self.name}.{verb}"
        return (own, self.extra_scope) if self.extra_scope else (own,)

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
)  # fmt: skip
PRODUCTS = Kind(
    "0-7",
    "products",
    "product",
    "PRODUCT",
    ("createdate", "description", "hs_lastmodifieddate", "hs_object_id", "name", "price"),
    extra_scope="e-commerce",
)
LINE_ITEMS = Kind(
    "0-8",
    "line_items",
    "line_item",
    "LINE_ITEM",
    ("createdate", "hs_lastmodifieddate", "hs_object_id"),
    association_key="line items",
    extra_scope="e-commerce",
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
)

KINDS = (CONTACTS, COMPANIES, DEALS, TICKETS, PRODUCTS, LINE_ITEMS, ORDERS)
BY_TYPE_ID = {kind.type_id: kind for kind in KINDS}
_NAMES = {name: kind for kind in KINDS for name in (kind.type_id, kind.name, kind.singular, kind.legacy)}


def kind_of(name: str) -> Kind:
    """Plural, singular, type id. Raises :class:`ApiError`."""
    kind = _NAMES.get(name) or _NAMES.get(name.lower())
    if kind is None:
        raise unknown_type(name)
    return kind


def unknown_type(name: str) -> ApiError:
    return validation(f"Unable to infer object type from: {name}")
