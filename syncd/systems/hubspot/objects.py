"""HubSpot's objects by name: what webhooks call them, where their pipelines stand, which stamp tells a change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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

POLLED: Final = frozenset(TYPE_IDS.values())

PIPELINE_PROPERTIES: Final = {
    "deals": ("pipeline", "dealstage"),
    "tickets": ("hs_pipeline", "hs_pipeline_stage"),
    "orders": ("hs_pipeline", "hs_pipeline_stage"),
}
"""Properties that hold the ids of the pipeline and of the stage in it."""


def modified_property(object_: str) -> str:
    """The property that moves with every change of an object."""
    return "lastmodifieddate" if object_ == "contacts" else "hs_lastmodifieddate"


def listed(data: Any, name: str = "results") -> list[Mapping[str, Any]]:
    """The objects of a list in a reply; none where there is no such list."""
    found = data.get(name) if isinstance(data, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
