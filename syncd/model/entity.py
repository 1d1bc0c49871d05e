"""Entities: the canonical kinds of thing, declared as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from syncd.model.value import FieldType


class ConflictPolicy(StrEnum):
    """What happens when both sides changed a field since they last agreed."""

    OWNER = "owner"
    """The owning connection wins; without an owner, the newest."""
    NEWEST = "newest"
    ASK = "ask"
    """Keep what we hold, park the other value, let an operator decide."""


class NullPolicy(StrEnum):
    """What an empty value from a connection means."""

    CLEAR = "clear"
    IGNORE = "ignore"
    """Never overwrite a value with emptiness."""


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    name: str
    type: FieldType
    owners: frozenset[str] = frozenset()
    """Names of the connections that may change the field; empty means every connection may."""
    conflict: ConflictPolicy = ConflictPolicy.OWNER
    nulls: NullPolicy = NullPolicy.CLEAR
    personal: bool = False
    """Personal data: redacted in logs, masked for read-only operators."""
    entity: str | None = None
    """For references: the entity that is referred to."""


@dataclass(frozen=True, slots=True)
class Entity:
    name: str
    fields: Mapping[str, FieldDefinition]
    identity: tuple[str, ...] = ()
    """Fields that identify the thing across systems, strongest first."""
    title: tuple[str, ...] = field(default=())
    """Fields whose values name the record to a human."""
