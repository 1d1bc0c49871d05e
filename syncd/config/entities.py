"""Entities from their documents: sides become connections, and names are checked against each other."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from syncd.config.documents import EntityDocument, FieldDocument
from syncd.config.models import ConnectionSettings
from syncd.config.overlay import overlay_entity, standard_entities
from syncd.config.problems import meant
from syncd.config.sections import read_section
from syncd.config.source import Source
from syncd.model.entity import ConflictPolicy, Entity, FieldDefinition, NullPolicy
from syncd.model.value import FieldType

SIDES: Final = ("commerce", "crm")
_FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


def read_entities(
    source: Source, connections: Mapping[str, ConnectionSettings], known_names: Collection[str]
) -> dict[str, Entity]:
    """Every standard entity and every one of the file. Problems are noted in the source.

    ``known_names`` are the connections that the file names, also those that are switched off or faulty.
    """
    written = source.document.get("entities", {})
    if not isinstance(written, dict):
        source.add(("entities",), "must be a table")
        written = {}
    standard = standard_entities()
    entities: dict[str, Entity] = {}
    for name in (*standard, *(one for one in written if one not in standard)):
        above = written.get(name, {})
        if not _FIELD_NAME.fullmatch(name):
            source.add(("entities", name), "must be a name: a lower-case letter, then letters, digits or _")
        elif not isinstance(above, dict):
            source.add(("entities", name), "must be a table")
        else:
            document = overlay_entity(standard.get(name, {}), above)
            read = read_section(source, EntityDocument, document, ("entities", name))
            if read is not None:
                entities[name] = _Builder(source, name, connections, known_names).build(read)
    _check_references(source, entities)
    return entities


class _Builder:
    def __init__(
        self, source: Source, entity: str, connections: Mapping[str, ConnectionSettings], known: Collection[str]
    ) -> None:
        self.source = source
        self.entity = entity
        self.connections = connections
        self.known = known

    def build(self, document: EntityDocument) -> Entity:
        fields = {name: self.field(name, one) for name, one in document.fields.items()}
        for key, names in (("identity", document.identity), ("title", document.title)):
            for name in names:
                if name not in fields:
                    self.source.add(
                        ("entities", self.entity, key),
                        f"{self.entity} has no field {name[:60]}{meant(name, fields)}",
                        None if _is_standard(self.source, self.entity, key) else name,
                    )
        if not fields:
            self.source.lacks(("entities", self.entity), "needs at least one field: fields.<name> = <type>")
        return Entity(self.entity, fields, document.identity, document.title)

    def field(self, name: str, document: FieldDocument) -> FieldDefinition:
        key = ("entities", self.entity, "fields", name)
        if not _FIELD_NAME.fullmatch(name):
            self.source.add(key, "must be a name: a lower-case letter, then letters, digits or _")
        if not document.type:
            self.source.lacks(key, f"needs a type; types: {', '.join(one.value for one in FieldType)}")
        kind = FieldType(document.type or self.shipped_type(name))
        if document.entity and kind is not FieldType.REFERENCE:
            self.source.add((*key, "entity"), "is for fields of type reference only")
        if kind is FieldType.REFERENCE and not document.entity:
            self.source.lacks(key, 'needs the entity it refers to: entity = "..."')
        return FieldDefinition(
            name=name,
            type=kind,
            owners=self.owners(document.owner, (*key, "owner")),
            conflict=ConflictPolicy(document.conflict),
            nulls=NullPolicy(document.nulls),
            personal=document.personal,
            entity=document.entity or None,
        )

    def shipped_type(self, name: str) -> str:
        """What to go on with when the file's own type was refused."""
        shipped = standard_entities().get(self.entity, {}).get("fields", {}).get(name, "text")
        return str(shipped["type"] if isinstance(shipped, dict) else shipped)

    def owners(self, words: tuple[str, ...], key: tuple[str, ...]) -> frozenset[str]:
        found: set[str] = set()
        for word in words:
            if word in SIDES:
                members = {name for name, one in self.connections.items() if one.side == word}
                # A side without a connection still owns: what is not there must not leave the field to everybody.
                found |= members or {f"@{word}"}
            elif word in self.known:
                found.add(word)
            else:
                self.source.add(key, f"names no connection and no side{meant(word, [*SIDES, *self.known])}")
        return frozenset(found)


def _is_standard(source: Source, entity: str, key: str) -> bool:
    return not source.origin(("entities", entity, key))


def _check_references(source: Source, entities: Mapping[str, Entity]) -> None:
    for entity in entities.values():
        for one in entity.fields.values():
            if one.entity and one.entity not in entities:
                key: tuple[Any, ...] = ("entities", entity.name, "fields", one.name, "entity")
                source.add(key, f"there is no such entity{meant(one.entity, entities)}")
