"""Golden records and their links to what each connection holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from syncd.model.value import Fields


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the present value of a field came from."""

    connection: str
    change_id: int
    at: int
    """When the connection says that the change happened; milliseconds since the epoch, UTC."""
    rule: str = "taken"
    """The merge rule that let the value in; one of :class:`syncd.model.merge.Rule`."""


@dataclass(frozen=True, slots=True)
class Record:
    """The golden record: one per real-world thing."""

    id: str
    entity: str
    fields: Fields
    origins: Mapping[str, Origin]
    version: int
    """Rises by one with each fold that changed a field; starts at 1."""
    updated_at: int


@dataclass(frozen=True, slots=True)
class Link:
    """A record's place in one connection, with the shadow of what stands there.

    Primary key: ``(connection, object, external_id)``; at most one live link per record, connection and object.
    """

    record_id: str
    connection: str
    object: str
    external_id: str
    shadow: Fields
    """Canonical values that the vendor held when we last looked; only mapped fields."""
    sent: Fields = field(default_factory=dict)
    """Fields the vendor stored differently from what we sent (rounding, trimming): what we had sent.
    They count as in step, else we would write them for ever."""
    version: str = ""
    """The vendor's version or etag, for conditional writes; empty where the vendor has none."""
    modified_at: int = 0
    """The vendor's time of last modification; milliseconds."""
    children: Mapping[str, str] = field(default_factory=dict)
    """Item key to the vendor's id of the child object that mirrors it."""
    gone: bool = False
    """The vendor deleted it. Nothing is written to it any more."""
    erased: bool = False
    """It was deleted for privacy: nothing brings it back. Only what is gone is erased."""


def record_id(entity: str, connection: str, object_: str, external_id: str) -> str:
    """The id of a record first seen in the given place.

    Deterministic, so that a state file lost and hydrated anew finds the keys it wrote into the vendors.
    """
    text = f"{entity}\x1f{connection}\x1f{object_}\x1f{external_id}"
    return f"{entity}-{blake2b(text.encode(), digest_size=10).hexdigest()}"
