"""Mappings from their documents, the standard ones bound to the connections of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.config.checks import check_mappings
from syncd.config.documents import (
    VENDORS_OWN,
    ChildDocument,
    FieldMappingDocument,
    MappingDocument,
    RelationDocument,
)
from syncd.config.lenses import ITEM_FIELDS, Chosen, LensProblem, build_lens
from syncd.config.lines import Key
from syncd.config.models import BigcommerceSettings, ConnectionSettings, HubspotSettings
from syncd.config.overlay import overlay_mapping, standard_mappings
from syncd.config.problems import meant
from syncd.config.sections import read_section
from syncd.config.source import Source
from syncd.model.delivery import Action
from syncd.model.entity import Entity
from syncd.model.lens import Associated
from syncd.model.mapping import (
    Capture,
    ChildMapping,
    ConvertWhen,
    Direction,
    FieldMapping,
    ObjectMapping,
    RelationMapping,
)
from syncd.model.value import FieldType


@dataclass(frozen=True, slots=True)
class Placed:
    """A mapping and where the file speaks of it."""

    mapping: ObjectMapping
    key: Key
    written: Mapping[str, Any]
    """The user's own table; empty for a standard mapping left as it is."""


def read_mappings(
    source: Source,
    connections: Mapping[str, ConnectionSettings],
    known_names: Mapping[str, Any],
    entities: Mapping[str, Entity],
) -> tuple[ObjectMapping, ...]:
    """Every mapping of the enabled connections. Problems are noted in the source."""
    users = _users(source, known_names)
    placed: list[Placed] = []
    for connection in connections.values():
        standard = _standard_for(source, connection)
        mine = {thing: entry for (name, thing), entry in users.items() if name == connection.name}
        for thing in (*standard, *(one for one in mine if one not in standard)):
            key, above = mine.get(thing, (("mappings", f"{connection.name}.{thing}"), {}))
            below = standard.get(thing, {}) if above.get("inherit", True) is not False else {}
            document = {**overlay_mapping(below, above), "connection": connection.name, "object": thing}
            if document.get("enabled") is False:
                continue
            read = read_section(source, MappingDocument, document, key)
            entity = _entity(source, read, key, entities)
            if entity is not None:
                builder = _Builder(source, connection, entity, key, above, inherited=bool(below))
                placed.append(Placed(builder.build(read), key, above))
    check_mappings(source, [(one.mapping, one.key, one.written) for one in placed], entities, connections)
    return tuple(one.mapping for one in placed)


def _users(source: Source, known: Mapping[str, Any]) -> dict[tuple[str, str], tuple[Key, dict[str, Any]]]:
    """The file's mappings by connection and object."""
    written = source.document.get("mappings", [])
    if not isinstance(written, list):
        source.add(("mappings",), "must be an array of tables, [[mappings]]")
        return {}
    found: dict[tuple[str, str], tuple[Key, dict[str, Any]]] = {}
    for place, table in enumerate(written):
        key: Key = ("mappings", place)
        if not isinstance(table, dict):
            source.add(key, "must be a table")
            continue
        connection, thing = table.get("connection"), table.get("object")
        if not isinstance(connection, str) or not isinstance(thing, str) or not thing:
            source.add(key, 'needs connection = "..." and object = "..."')
        elif connection not in known:
            source.add((*key, "connection"), f"there is no such connection{meant(connection, known)}")
        elif (connection, thing) in found:
            first = found[connection, thing][0]
            source.add(key, f"a second mapping of {connection}.{thing[:60]}; mappings[{first[1]}] is the first")
        else:
            found[connection, thing] = (key, table)
    return found


def _standard_for(source: Source, connection: ConnectionSettings) -> dict[str, Any]:
    every = standard_mappings(connection.system)
    if isinstance(connection.standard, bool):
        return dict(every) if connection.standard else {}
    for name in connection.standard:
        if name not in every:
            source.add(
                ("connections", connection.name, "standard"),
                f"no standard mapping of {connection.system} is of that object{meant(name, every)}",
                name,
            )
    return {name: one for name, one in every.items() if name in connection.standard}


def _entity(source: Source, read: MappingDocument, key: Key, entities: Mapping[str, Entity]) -> Entity | None:
    if not read.entity:
        source.lacks(key, f"needs an entity; known: {', '.join(sorted(entities))}")
        return None
    if read.entity not in entities:
        written = source.document.get("entities")
        if not (isinstance(written, dict) and read.entity in written):  # a faulty entity is reported by itself
            source.add((*key, "entity"), f"there is no such entity{meant(read.entity, entities)}", read.entity)
        return None
    return entities[read.entity]


class _Builder:
    def __init__(
        self,
        source: Source,
        connection: ConnectionSettings,
        entity: Entity,
        key: Key,
        written: Mapping[str, Any],
        *,
        inherited: bool,
    ) -> None:
        self.source = source
        self.connection = connection
        self.entity = entity
        self.key = key
        self.written = written
        self.inherited = inherited
        self.reachable = True
        if isinstance(connection, HubspotSettings | BigcommerceSettings):
            self.reachable = bool(connection.webhook_url)

    def build(self, document: MappingDocument) -> ObjectMapping:
        types = {name: one.type for name, one in self.entity.fields.items()}
        related = tuple(self.relations(document))
        return ObjectMapping(
            entity=self.entity.name,
            connection=self.connection.name,
            object=document.object,
            fields=(
                *self.fields(document.fields, types, (*self.key, "fields"), self._own("fields")),
                *_read(related),
            ),
            key_path=document.key_path,
            constants=self.constants(document.constants),
            write=frozenset(Action(one) for one in document.write),
            create_when=document.create_when,
            convert=ConvertWhen(document.convert),
            relations=tuple(one for one, direction in related if direction is not Direction.READ),
            children=tuple(self.children(document)),
            capture=Capture(
                poll_seconds=document.capture.poll,
                webhook=self.webhook(document),
                stream=self.stream(document),
                hydrate=document.capture.hydrate,
                overlap_seconds=document.capture.overlap,
            ),
        )

    def stream(self, document: MappingDocument) -> bool:
        """A standard mapping that would have webhooks reads the journal, where the connection has one."""
        journal = isinstance(self.connection, HubspotSettings) and self.connection.journal
        return document.capture.stream or (journal and document.capture.webhook)

    def webhook(self, document: MappingDocument) -> bool:
        """Whether webhooks are awaited. Standard mappings await them only where the vendor can reach us."""
        if not document.capture.webhook or self.reachable:
            return document.capture.webhook
        if "webhook" in self._own("capture"):
            self.source.add(
                (*self.key, "capture", "webhook"),
                f"needs an address that the vendor can reach: intake.public_url, or "
                f"connections.{self.connection.name}.webhook_url",
            )
        return False

    def _own(self, part: str) -> Mapping[str, Any]:
        written = self.written.get(part)
        return written if isinstance(written, dict) else {}

    def _skipped(self, name: str, own: Mapping[str, Any]) -> bool:
        """A standard mapping follows when the user takes a field away from the entity."""
        return self.inherited and name not in own and name not in self.entity.fields

    def fields(
        self,
        documents: Mapping[str, FieldMappingDocument],
        types: Mapping[str, FieldType],
        key: Key,
        own: Mapping[str, Any],
        *,
        items: bool = False,
    ) -> Iterator[FieldMapping]:
        for name, document in documents.items():
            if not items and self._skipped(name, own):
                continue
            if name not in types:
                where = "items have" if items else f"{self.entity.name} has"
                self.source.add((*key, name), f"{where} no such field{meant(name, types)}")
                continue
            found = self.field(name, document, types[name], (*key, name))
            if found is not None:
                yield found

    def field(self, name: str, document: FieldMappingDocument, kind: FieldType, key: Key) -> FieldMapping | None:
        paths = (document.path,) if document.path else document.paths
        if not paths or not all(paths) or (document.path and document.paths):
            self.source.lacks(key, 'needs a path, or paths = ["...", "..."], not both')
            return None
        try:
            chosen = build_lens(document.lens, self.connection.system, kind, self.connection.currency)
        except LensProblem as error:
            place = (*key, "lens", error.key) if error.key else (*key, "lens") if document.lens is not None else key
            self.source.add(place, error.rule)
            return None
        direction = self.direction(document, chosen, key)
        if document.lens in (None, "money") and kind is FieldType.MONEY and chosen.paths == 2 and len(paths) == 1:
            paths = (paths[0], f"{paths[0]}_currency")
        if chosen.paths is not None and len(paths) != chosen.paths:
            count = f"{chosen.paths} paths" if chosen.paths > 1 else "one path"
            self.source.add(key, f"the lens {chosen.lens.name} needs {count}, not {len(paths)}")
            return None
        if direction is None:
            return None
        return FieldMapping(name, paths, chosen.lens, direction, document.references or None)

    def direction(self, document: FieldMappingDocument, chosen: Chosen, key: Key) -> Direction | None:
        if not chosen.read_only:
            return Direction(document.direction or "both")
        if document.direction in {"both", "write"}:
            self.source.add((*key, "direction"), f"the lens {chosen.lens.name} can only read")
            return None
        return Direction.READ

    def constants(self, constants: Mapping[str, Any]) -> dict[str, Any]:
        for path, value in constants.items():
            if not _is_plain(value):
                self.source.add(
                    (*self.key, "constants", path),
                    "must be a string, a whole number, true or false, or lists and tables of these",
                )
        return dict(constants)

    def relations(self, document: MappingDocument) -> Iterator[tuple[RelationMapping, Direction]]:
        for name, one in document.relations.items():
            key = (*self.key, "relations", name)
            if self._skipped(name, self._own("relations")):
                continue
            if name not in self.entity.fields:
                self.source.add(key, f"{self.entity.name} has no such field{meant(name, self.entity.fields)}")
            elif self.entity.fields[name].type is not FieldType.REFERENCE:
                self.source.add(key, "a relation needs a field of type reference")
            elif not one.object or not (one.type_id or one.path):
                self.source.lacks(key, 'needs object = "..." and type_id = ... (or path = "...", the reference field)')
            else:
                yield self.relation(name, one, key)

    def relation(self, name: str, one: RelationDocument, key: Key) -> tuple[RelationMapping, Direction]:
        direction = Direction(one.direction)
        if direction is not Direction.WRITE and not one.type_id:
            self.source.add(
                (*key, "direction"), f"only an association with a type_id is read; map {one.path} under fields instead"
            )
            direction = Direction.WRITE
        category = "" if one.category == VENDORS_OWN else one.category
        return RelationMapping(name, one.object, one.type_id, one.path, category), direction

    def children(self, document: MappingDocument) -> Iterator[ChildMapping]:
        for name, one in document.children.items():
            key = (*self.key, "children", name)
            own = self._own("children")
            if self._skipped(name, own):
                continue
            if name not in self.entity.fields:
                self.source.add(key, f"{self.entity.name} has no such field{meant(name, self.entity.fields)}")
            elif self.entity.fields[name].type is not FieldType.ITEMS:
                self.source.add(key, "children need a field of type items")
            elif not one.object or not (one.type_id or one.path) or not one.fields:
                self.source.lacks(key, 'needs object = "...", type_id = ... (or path = "...") and fields')
            else:
                yield self.child(name, one, key, own.get(name))

    def child(self, name: str, document: ChildDocument, key: Key, own: Any) -> ChildMapping:
        written = own.get("fields", {}) if isinstance(own, dict) else {}
        fields = self.fields(document.fields, ITEM_FIELDS, (*key, "fields"), written, items=True)
        return ChildMapping(name, document.object, tuple(fields), document.type_id, document.path)


def _read(related: Iterable[tuple[RelationMapping, Direction]]) -> Iterator[FieldMapping]:
    """Relations that are read, as fields."""
    for one, direction in related:
        if direction is not Direction.WRITE:
            yield FieldMapping(one.field, (one.read_path,), Associated(), Direction.READ, one.object)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(one) for one in value.values())
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return isinstance(value, str | int)
