"""The resources of commercetools that mappings may name, and how their JSON becomes snapshots. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from syncd.model.delivery import Action
from syncd.model.failure import Failure, Remedy
from syncd.model.lens import FirstOf, Lens, ReferenceKey
from syncd.model.mapping import ObjectMapping
from syncd.model.value import InvalidValueError, instant_to_ms
from syncd.systems.contract import Snapshot, VendorError

CUSTOM_OBJECTS: Final = "custom-objects"
_CONTAINER: Final = re.compile(r"[-_~.a-zA-Z0-9]{1,256}")

ALL: Final = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
EXISTING: Final = frozenset({Action.UPDATE, Action.DELETE})
"""Of what only the shop makes."""


@dataclass(frozen=True, slots=True)
class Resource:
    object: str
    """The endpoint, and the object's name in mappings. Custom objects: ``custom-objects/<container>``."""
    type_id: str
    """``typeId`` in references, messages and notifications."""
    scopes: str
    """What stands behind ``view_`` and ``manage_`` in the scopes that open it."""
    custom_resource: str = ""
    """The ``resourceTypeIds`` entry of custom types for it; carts use the order's. Empty: it has no custom fields."""
    envelope: str = ""
    """The member that wraps the resource in the answer to a create."""
    keyed: bool = True
    """It has a ``key`` of its own, unique in the project (of custom objects: in the container)."""
    identity: str = "id"
    """The member that is the vendor's id in links. ``key`` where the key is required and immutable, and where
    other resources refer to it by key alone, so that nobody could tell the id."""
    actions: frozenset[Action] = ALL
    personal: bool = False
    """People may ask for it to be erased, and notifications of its end then say so."""

    @property
    def writable(self) -> bool:
        return bool(self.actions)

    @property
    def contained(self) -> bool:
        """A custom object: addressed by container and key, written by upsert."""
        return self.type_id == "key-value-document"

    @property
    def create_path(self) -> str:
        return CUSTOM_OBJECTS if self.contained else self.object

    def by_id(self, identity: str) -> str:
        """The address of one resource, by what links know it by."""
        return self.by_key(identity) if self.identity == "key" else f"{self.object}/{quote(identity, safe='')}"

    def by_key(self, key: str) -> str:
        return f"{self.object}/{'' if self.contained else 'key='}{quote(key, safe='')}"


RESOURCES: Final[Mapping[str, Resource]] = {
    one.object: one
    for one in (
        Resource("customers", "customer", "customers", "customer", envelope="customer", personal=True),
        Resource("customer-groups", "customer-group", "customer_groups", "customer-group"),
        Resource("business-units", "business-unit", "business_units", "business-unit", identity="key", personal=True),
        Resource("associate-roles", "associate-role", "associate_roles", "associate-role", identity="key"),
        Resource("carts", "cart", "orders", "order", actions=EXISTING, personal=True),
        Resource("orders", "order", "orders", "order", keyed=False, actions=EXISTING, personal=True),
        Resource("quote-requests", "quote-request", "quote_requests", "quote", actions=EXISTING, personal=True),
        Resource("staged-quotes", "staged-quote", "staged_quotes", "quote", actions=EXISTING, personal=True),
        Resource("quotes", "quote", "quotes", "quote", actions=EXISTING, personal=True),
        Resource("products", "product", "products"),
        Resource("product-types", "product-type", "products"),
        Resource("standalone-prices", "standalone-price", "standalone_prices", "standalone-price"),
        Resource("types", "type", "types"),
    )
}

BY_TYPE_ID: Final[Mapping[str, Resource]] = {one.type_id: one for one in RESOURCES.values()}


def resource_named(object_: str) -> Resource | None:
    """The resource of an object's name in mappings; ``None`` for one the connector does not know."""
    found = RESOURCES.get(object_)
    kind, _, container = object_.partition("/")
    if found is None and kind == CUSTOM_OBJECTS and _CONTAINER.fullmatch(container):
        return Resource(object_, "key-value-document", "key_value_documents", identity="key", personal=True)
    return found


_KEY_REFERENCES: Final = frozenset({"store", "business-unit", "associate-role"})
"""Types that the vendor refers to by key even in its answers: nothing to expand."""


def resource_of(mapping: ObjectMapping) -> Resource:
    """Raises :class:`VendorError` (ASK) for an object the connector does not know."""
    found = resource_named(mapping.object)
    if found is None:
        known = ", ".join((*RESOURCES, f"{CUSTOM_OBJECTS}/<container>"))
        raise VendorError(Failure(Remedy.ASK, "object-unknown", f"no object {mapping.object!r}; known are {known}"))
    return found


def expansions(mapping: ObjectMapping) -> tuple[str, ...]:
    """Reference paths that must be expanded for the mapping's lenses to read a key."""
    found = dict.fromkeys(
        path for item in mapping.fields if _reads_key(item.lens) for path in item.paths if path.split(".")[-1] != "key"
    )
    return tuple(found)


def _reads_key(lens: Lens) -> bool:
    inner = lens.inner if isinstance(lens, FirstOf) else lens
    return isinstance(inner, ReferenceKey) and inner.type_id not in _KEY_REFERENCES


def snapshot(resource: Resource, data: Any) -> Snapshot:
    """A snapshot of the resource's JSON. Raises :class:`VendorError` (``bad-response``) where it is not one."""
    if not isinstance(data, Mapping):
        raise bad_response(f"a {resource.type_id} is not an object")
    identity, version, modified = data.get(resource.identity), data.get("version"), data.get("lastModifiedAt")
    if not isinstance(identity, str) or not identity or not isinstance(data.get("id"), str):
        raise bad_response(f"a {resource.type_id} has no {resource.identity}")
    if isinstance(version, bool) or not isinstance(version, int):
        raise bad_response(f"a {resource.type_id} has no version")
    if not isinstance(modified, str):
        raise bad_response(f"a {resource.type_id} has no lastModifiedAt")
    try:
        modified_at = instant_to_ms(modified)
    except InvalidValueError:
        raise bad_response(f"a {resource.type_id} has a lastModifiedAt that is no instant") from None
    # The masked password hash is no business of a golden record, nor of the state file.
    kept = {name: value for name, value in data.items() if name != "password"}
    return Snapshot(resource.object, identity, kept, str(version), modified_at)


def bad_response(why: str, *, status: int = 200) -> VendorError:
    """The vendor's answer was understood by HTTP, but is not what its API promises."""
    return VendorError(Failure(Remedy.RETRY, "bad-response", why, status=status))
