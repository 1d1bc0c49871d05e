"""How entities and mappings are written in TOML: every key optional, since a user's file says only what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from syncd.config.models import DAY, HOUR
from syncd.config.rules import Between, Duration, OneOf, Words
from syncd.model.delivery import Action
from syncd.model.entity import ConflictPolicy, NullPolicy
from syncd.model.mapping import ConvertWhen, Direction
from syncd.model.value import FieldType

Type = Annotated[str, OneOf(tuple(one.value for one in FieldType))]


@dataclass(frozen=True, slots=True)
class FieldDocument:
    """``fields.<name> = "text"`` for short; ``false`` takes a standard field away."""

    type: Type = ""
    owner: Annotated[tuple[str, ...], Words()] = ()
    """``commerce``, ``crm`` or names of connections; empty lets every connection change it."""
    conflict: Annotated[str, OneOf(tuple(one.value for one in ConflictPolicy))] = ConflictPolicy.OWNER.value
    nulls: Annotated[str, OneOf(tuple(one.value for one in NullPolicy))] = NullPolicy.CLEAR.value
    personal: bool = False
    entity: str = ""
    """For references: the entity that is referred to."""


@dataclass(frozen=True, slots=True)
class EntityDocument:
    identity: tuple[str, ...] = ()
    title: tuple[str, ...] = ()
    fields: Mapping[str, FieldDocument] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldMappingDocument:
    """``fields.<name> = "path"`` for short; ``false`` takes a standard field away."""

    path: str = ""
    paths: tuple[str, ...] = ()
    lens: Any = None
    direction: Annotated[str, OneOf(tuple(one.value for one in Direction))] = ""
    references: str = ""
    """For a reference: the object of the same connection whose id the path holds."""


VENDORS_OWN: Final = "HUBSPOT_DEFINED"
"""Category of the association types that the vendor itself defines."""


@dataclass(frozen=True, slots=True)
class RelationDocument:
    object: str = ""
    type_id: Annotated[int, Between(1, 1_000_000_000)] = 0
    path: str = ""
    """The reference field, where the vendor keeps associations as fields."""
    category: Annotated[str, OneOf((VENDORS_OWN, "USER_DEFINED", "INTEGRATOR_DEFINED"))] = VENDORS_OWN
    """Whose type it is; ``USER_DEFINED`` is a label that the account made."""
    direction: Annotated[str, OneOf(tuple(one.value for one in Direction))] = "write"


@dataclass(frozen=True, slots=True)
class ChildDocument:
    object: str = ""
    type_id: Annotated[int, Between(1, 1_000_000_000)] = 0
    path: str = ""
    fields: Mapping[str, FieldMappingDocument] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CaptureDocument:
    webhook: bool = False
    stream: bool = False
    poll: Annotated[float | None, Duration(0.2, DAY, off=True)] = None
    """Interval; ``false`` for no poll."""
    hydrate: bool = True
    """Read every object once when the mapping is new."""
    overlap: Annotated[float, Duration(0, HOUR)] = 60.0
    """How far behind its own high-water mark each poll starts again."""


@dataclass(frozen=True, slots=True)
class MappingDocument:
    """A user's mapping of a connection and object that ship with syncd changes the standard one, key by key."""

    connection: str = ""
    object: str = ""
    entity: str = ""
    enabled: bool = True
    inherit: bool = True
    """``false``: start from nothing instead of from the standard mapping."""
    key_path: str = ""
    write: tuple[Annotated[str, OneOf((Action.CREATE.value, Action.UPDATE.value, Action.DELETE.value))], ...] = ()
    create_when: str = ""
    convert: Annotated[str, OneOf(tuple(one.value for one in ConvertWhen))] = ConvertWhen.ORDERED.value
    constants: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, FieldMappingDocument] = field(default_factory=dict)
    relations: Mapping[str, RelationDocument] = field(default_factory=dict)
    children: Mapping[str, ChildDocument] = field(default_factory=dict)
    capture: CaptureDocument = CaptureDocument()
