"""What no single value can tell: whether mappings agree with each other, with entities and with their systems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.config.lines import Key
from syncd.config.models import ConnectionSettings, HubspotSettings
from syncd.config.problems import meant
from syncd.config.source import Source
from syncd.model.delivery import Action
from syncd.model.entity import Entity
from syncd.model.mapping import ASSOCIATIONS, Direction, FieldMapping, ObjectMapping

WEBHOOKS: Final[Mapping[str, bool]] = {
    "commercetools": False,
    "hubspot": True,
    "salesforce": False,
    "bigcommerce": True,
}
"""Whether a system pushes changes over HTTP."""

UNIQUE: Final[Mapping[str, frozenset[str]]] = {
    "bigcommerce": frozenset({"customer_groups", "price_lists", "price_records", "price_list_assignments", "roles"}),
    "salesforce": frozenset({"PermissionSet", "PermissionSetAssignment"}),
}
"""Objects with no room for our id whose creates cannot double: by name or place there is one of each."""


def streams(connection: ConnectionSettings) -> bool:
    """Whether a connection has streams of changes to read."""
    return connection.system == "salesforce" or (isinstance(connection, HubspotSettings) and connection.journal)


Entry = tuple[ObjectMapping, Key, Mapping[str, Any]]


def check_mappings(
    source: Source,
    placed: Sequence[Entry],
    entities: Mapping[str, Entity],
    connections: Mapping[str, ConnectionSettings],
) -> None:
    """Note what is wrong between mappings."""
    mapped = {(one.connection, one.object): one for one, _, _ in placed}
    for mapping, key, _ in placed:
        entity = entities[mapping.entity]
        _check_links(source, mapping, key, entity, mapped)
        unique = UNIQUE.get(connections[mapping.connection].system, frozenset())
        _check_writing(source, mapping, key, entity, keyed=mapping.object not in unique)
        if mapping.capture.webhook and not WEBHOOKS.get(connections[mapping.connection].system, True):
            source.add(
                (*key, "capture", "webhook"),
                f"{connections[mapping.connection].system} sends no webhooks; use capture.poll and shop events",
            )
        if mapping.capture.stream and not streams(connections[mapping.connection]):
            source.add(
                (*key, "capture", "stream"),
                f"{connections[mapping.connection].system} has no stream of changes{_instead(mapping, connections)}",
            )


def _instead(mapping: ObjectMapping, connections: Mapping[str, ConnectionSettings]) -> str:
    if isinstance(connections[mapping.connection], HubspotSettings):
        return f"; set journal = true on connections.{mapping.connection}"
    return "; use capture.poll or webhooks"


def _check_links(
    source: Source, mapping: ObjectMapping, key: Key, entity: Entity, mapped: Mapping[tuple[str, str], ObjectMapping]
) -> None:
    """Relations and references lead to objects that are mapped, and to the right entity."""
    links = [(one.field, one.object, (*key, "relations", one.field, "object")) for one in mapping.relations]
    related = {one.read_path for one in mapping.relations}
    links += [
        (one.field, one.references, (*key, *_place(one)))
        for one in mapping.fields
        if one.references and one.paths[0] not in related
    ]
    for name, thing, place in links:
        other = mapped.get((mapping.connection, thing))
        wanted = entity.fields[name].entity
        if other is None:
            known = [object_ for connection, object_ in mapped if connection == mapping.connection]
            source.add(
                place,
                f"{mapping.connection}.{thing[:60]} is not mapped{meant(thing, known)}; map it, or take the field "
                f"{name} out of {mapping.name} with {place[-3]}.{name} = false",
                thing,
            )
        elif wanted and other.entity != wanted:
            source.add(place, f"{other.name} holds {other.entity}, but the field refers to {wanted}", thing)


def _place(field: FieldMapping) -> tuple[str, str, str]:
    """Where the file says what a reference refers to."""
    if field.paths[0].startswith(ASSOCIATIONS):
        return "relations", field.field, "object"
    return "fields", field.field, "references"


def _check_writing(source: Source, mapping: ObjectMapping, key: Key, entity: Entity, *, keyed: bool) -> None:
    if not mapping.fields and not mapping.children:
        source.lacks(key, "maps no fields")
    if keyed and Action.CREATE in mapping.write and not mapping.key_path:
        source.add(
            key, "creates need key_path: the vendor's unique property for our id, so that a retry cannot duplicate"
        )
    if mapping.create_when and mapping.create_when not in entity.fields:
        source.add(
            (*key, "create_when"),
            f"{entity.name} has no such field{meant(mapping.create_when, entity.fields)}",
            mapping.create_when,
        )
    writes = Counter(
        path for one in mapping.fields if one.direction is not Direction.READ for path in one.paths if mapping.write
    )
    for path, count in writes.items():
        if count > 1:
            source.add((*key, "fields"), f"{count} fields write to the path {path[:60]}", path)
        if path in mapping.constants:
            source.add((*key, "constants", path), "a field writes to the same path")
        if path == mapping.key_path:
            source.add((*key, "key_path"), "a field writes to the same path", path)
