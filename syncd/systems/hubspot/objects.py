"""HubSpot's objects by name: what webhooks call them, where their pipelines stand, which stamp tells a change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from syncd.model.mapping import ASSOCIATIONS, ObjectMapping

TYPE_IDS: Final = {
    "0-1": "contacts",
    "0-2": "companies",
    "0-3": "deals",
    "0-5": "tickets",
    "0-7": "products",
    "0-8": "line_items",
    "0-14": "quotes",
    "0-123": "orders",
}
"""Object type id to the plural name that mappings use. Custom objects go by their id (``2-…``)."""

SINGULAR: Final = {
    "contact": "contacts",
    "company": "companies",
    "deal": "deals",
    "ticket": "tickets",
    "product": "products",
    "line_item": "line_items",
}
"""First half of a webhook's subscription type to the object's name."""

STANDARD: Final = frozenset(TYPE_IDS.values())
READ_ONLY: Final = frozenset({"quotes"})
"""A quote that was sent out is locked, and none can be taken back: syncd reads them only."""
_MERGING: Final = frozenset({"contacts", "companies", "deals", "tickets"})
_OWN: Final = re.compile(r"2-\d+|p\d*_[a-z0-9_]+")
"""Object types that an account defines itself: by type id, or by full name."""

PIPELINE_PROPERTIES: Final = {
    "deals": ("pipeline", "dealstage"),
    "tickets": ("hs_pipeline", "hs_pipeline_stage"),
    "orders": ("hs_pipeline", "hs_pipeline_stage"),
}
"""Properties that hold the ids of the pipeline and of the stage in it."""


def known(object_: str) -> bool:
    """The vendor has such objects, or an account may have defined them."""
    return object_ in STANDARD or _OWN.fullmatch(object_) is not None


def told_by_id(object_: str) -> bool:
    """Webhooks and the journal name object types by id: of one that is mapped by its full name they tell nothing."""
    return object_ in STANDARD or object_.startswith("2-")


def mergeable(object_: str) -> bool:
    return object_ in _MERGING or _OWN.fullmatch(object_) is not None


def modified_property(object_: str) -> str:
    """The property that moves with every change of an object."""
    return "lastmodifieddate" if object_ == "contacts" else "hs_lastmodifieddate"


def properties_of(mapping: ObjectMapping) -> list[str]:
    """The properties a read of the mapping must fetch; what comes from associations is fetched apart."""
    return [path for path in mapping.paths() if not path.startswith(ASSOCIATIONS)]


def of_account(told: Mapping[str, Any], portal: int) -> bool:
    """Whether it speaks of this account, or does not say."""
    return told.get("portalId") in (None, portal, str(portal))


def value_of(told: Mapping[str, Any], name: str) -> str:
    """A property's value in an object of a reply; empty where there is none."""
    properties = told.get("properties")
    value = properties.get(name) if isinstance(properties, Mapping) else None
    return "" if value is None else str(value)


def next_of(data: Any) -> str:
    """Where the next page begins; empty on the last one."""
    for name in ("paging", "next", "after"):
        data = data.get(name) if isinstance(data, Mapping) else None
    return str(data) if data else ""


def listed(data: Any, name: str = "results") -> list[Mapping[str, Any]]:
    """The objects of a list in a reply; none where there is no such list."""
    found = data.get(name) if isinstance(data, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
