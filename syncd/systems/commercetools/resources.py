"""The resources of commercetools that mappings may name, and how their JSON becomes snapshots. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from syncd.model.failure import Failure, Remedy
from syncd.model.lens import FirstOf, Lens, ReferenceKey
from syncd.model.mapping import ObjectMapping
from syncd.model.value import InvalidValueError, instant_to_ms
from syncd.systems.contract import Snapshot, VendorError


@dataclass(frozen=True, slots=True)
class Resource:
    object: str
    """The endpoint, and the object's name in mappings."""
    type_id: str
    """``typeId`` in references, messages and notifications."""
    scopes: str
    """What stands behind ``view_`` and ``manage_`` in the scopes that open it."""
    custom_resource: str
    """The ``resourceTypeIds`` entry of custom types for it; carts use the order's."""
    envelope: str = ""
    """The member that wraps the resource in the answer to a create."""
    keyed: bool = True
    """It has a ``key`` of its own, unique in the project."""
    writable: bool = False


RESOURCES: Final[Mapping[str, Resource]] = {
    one.object: one
    for one in (
        Resource("customers", "customer", "customers", "customer", envelope="customer", writable=True),
        Resource("carts", "cart", "orders", "order"),
        Resource("orders", "order", "orders", "order", keyed=False),
        Resource("customer-groups", "customer-group", "customer_groups", "customer-group"),
    )
}

BY_TYPE_ID: Final[Mapping[str, Resource]] = {one.type_id: one for one in RESOURCES.values()}

_KEY_REFERENCES: Final = frozenset({"store", "business-unit", "associate-role"})
"""Types that the vendor refers to by key even in its answers: nothing to expand."""


def resource_of(mapping: ObjectMapping) -> Resource:
    """Raises :class:`VendorError` (ASK) for an object the connector does not know."""
    found = RESOURCES.get(mapping.object)
    if found is None:
        known = ", ".join(RESOURCES)
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
    identity, version, modified = data.get("id"), data.get("version"), data.get("lastModifiedAt")
    if not isinstance(identity, str) or not identity:
        raise bad_response(f"a {resource.type_id} has no id")
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
