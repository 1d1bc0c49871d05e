"""What is seen through a store: ``/in-store/key={key}/...``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.errors import not_found
from syncd.sandbox.commercetools.project import Project

MEMBERS: Final[Mapping[str, str]] = {
    "customers": "stores",
    "business-units": "stores",
    "carts": "store",
    "orders": "store",
    "quotes": "store",
    "quote-requests": "store",
    "staged-quotes": "store",
}
"""Resources that belong to stores, and the member that says to which."""


def store_of(project: Project, segment: str) -> str:
    """The key in a path's ``key=...``. Raises ``ApiError`` 404."""
    name, _, key = segment.partition("=")
    if name != "key" or project.collections["stores"].holder("key", key) is None:
        raise not_found(f"The Resource with key '{key}' was not found.")
    return key


def within(path: str, store: str) -> tuple[tuple[str, str], ...]:
    """Query parameters that leave only what belongs to the store. Raises ``ApiError`` 404."""
    if path not in MEMBERS:
        raise not_found(f"{path} are not available in a store.")
    return (("where", f"{MEMBERS[path]}(key = :inStore)"), ("var.inStore", store))


def belongs(path: str, row: Row, store: str) -> bool:
    held = row.get(MEMBERS.get(path, ""), ())
    return any(one["key"] == store for one in (held if isinstance(held, list) else [held] if held else ()))


def placed(path: str, draft: Mapping[str, Any], store: str) -> dict[str, Any]:
    """A draft that is posted in a store: what it makes belongs to that store."""
    reference = {"typeId": "store", "key": store}
    if path in {"customers", "business-units"}:
        return {"stores": [reference], **draft}
    return {**draft, "store": reference} if path == "carts" else dict(draft)
