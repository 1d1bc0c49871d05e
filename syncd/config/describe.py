"""The effective configuration, key by key, with the origin of every value."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from syncd.config.lines import Key, dotted
from syncd.config.load import SECTIONS, Loaded
from syncd.config.overlay import standard_entities, standard_mappings
from syncd.config.rules import duration_text
from syncd.config.sections import keys_of
from syncd.config.source import Source
from syncd.model.entity import Entity, FieldDefinition
from syncd.model.mapping import ChildMapping, FieldMapping, ObjectMapping, RelationMapping

DEFAULT: Final = "default"
STANDARD: Final = "standard"


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    key: str
    value: str
    """As TOML would have it."""
    origin: str
    """``default``, ``standard``, ``<file>:<line>``, ``environment variable X`` or ``flag --x``."""


def describe_effective(loaded: Loaded) -> list[Line]:
    """Every value that counts, in the order of the reference."""
    configuration, source = loaded.configuration, loaded.source
    resolved = {"state": {"dir": str(configuration.state_dir), "database": str(configuration.database)},
                "control": {"socket": str(configuration.socket)}}  # fmt: skip
    lines: list[Line] = []
    for name, section in SECTIONS.items():
        values = resolved.get(name) or _values(getattr(configuration, name))
        lines += _section(source, section, values, (name,))
    for name, connection in configuration.connections.items():
        lines += _section(source, type(connection), _values(connection), ("connections", name))
    for entity in configuration.entities.values():
        lines += _entity(source, entity)
    for mapping in configuration.mappings:
        system = configuration.connections[mapping.connection].system
        lines += _mapping(source, mapping, shipped=mapping.object in standard_mappings(system))
    return lines


def _values(section: Any) -> dict[str, Any]:
    return {one.name: getattr(section, one.name) for one in dataclasses.fields(section)}


def _section(source: Source, section: type, values: Mapping[str, Any], key: Key) -> Iterator[Line]:
    for name, info in keys_of(section).items():
        value = values[name]
        place = (*key, name)
        if dataclasses.is_dataclass(value):
            yield from _section(source, type(value), _values(value), place)
        elif isinstance(value, Mapping) and any(dataclasses.is_dataclass(one) for one in value.values()):
            for inner, one in value.items():
                yield from _section(source, type(one), _values(one), (*place, inner))
        else:
            yield Line(dotted(place), _text(value, span=info.span), source.origin(place) or DEFAULT)


def _entity(source: Source, entity: Entity) -> Iterator[Line]:
    key: Key = ("entities", entity.name)
    shipped = standard_entities().get(entity.name, {})

    def origin(place: Key, *, standard: bool) -> str:
        return source.origin(place) or (STANDARD if standard else DEFAULT)

    for name in ("identity", "title"):
        yield Line(dotted((*key, name)), _text(getattr(entity, name)), origin((*key, name), standard=name in shipped))
    for name, field in entity.fields.items():
        place = (*key, "fields", name)
        yield Line(dotted(place), _definition(field), origin(place, standard=name in shipped.get("fields", {})))


def _definition(field: FieldDefinition) -> str:
    parts: dict[str, Any] = {"type": field.type.value}
    if field.owners:
        parts["owner"] = sorted(field.owners)
    parts |= {"conflict": field.conflict.value, "nulls": field.nulls.value, "personal": field.personal}
    if field.entity:
        parts["entity"] = field.entity
    return _table(parts)


def _mapping(source: Source, mapping: ObjectMapping, *, shipped: bool) -> Iterator[Line]:
    title = f"mappings[{mapping.name}]"
    base = _place(source, mapping)

    def line(key: Key, value: str) -> Line:
        origin = source.origin((*base, *key)) if base else ""
        return Line(f"{title}.{dotted(key)}", value, origin or (STANDARD if shipped else DEFAULT))

    yield line(("entity",), _text(mapping.entity))
    yield line(("key_path",), _text(mapping.key_path))
    yield line(("write",), _text(sorted(one.value for one in mapping.write)))
    yield line(("create_when",), _text(mapping.create_when))
    yield line(("convert",), _text(mapping.convert.value))
    yield line(("constants",), _table(dict(mapping.constants)))
    capture = mapping.capture
    yield line(("capture", "webhook"), _text(capture.webhook))
    yield line(("capture", "poll"), _text(capture.poll_seconds or False, span=bool(capture.poll_seconds)))
    yield line(("capture", "overlap"), _text(capture.overlap_seconds, span=True))
    yield line(("capture", "hydrate"), _text(capture.hydrate))
    written = {one.read_path for one in mapping.relations}
    read = {one.paths[0] for one in mapping.fields}
    for field in mapping.fields:
        if field.paths[0] not in written:
            yield line(("fields", field.field), _field(field))
    for relation in mapping.relations:
        yield line(("relations", relation.field), _relation(relation, both=relation.read_path in read))
    for child in mapping.children:
        yield line(("children", child.field), _child(child))


def _place(source: Source, mapping: ObjectMapping) -> Key:
    written = source.document.get("mappings", [])
    for index, one in enumerate(written):
        if one.get("connection") == mapping.connection and one.get("object") == mapping.object:
            return ("mappings", index)
    return ()


def _field(field: FieldMapping) -> str:
    parts: dict[str, Any] = {"path": field.paths[0]} if len(field.paths) == 1 else {"paths": list(field.paths)}
    parts |= {"lens": _lens(field.lens), "direction": field.direction.value}
    if field.references:
        parts["references"] = field.references
    return _table(parts)


def _relation(relation: RelationMapping, *, both: bool) -> str:
    parts: dict[str, Any] = {"object": relation.object}
    parts |= {
        name: value
        for name in ("type_id", "path", "category")
        if (value := getattr(relation, name)) or name == "type_id"
    }
    return _table(parts | ({"direction": "both"} if both else {}))


def _lens(lens: Any) -> Any:
    arguments = {
        one.name: getattr(lens, one.name)
        for one in dataclasses.fields(lens)
        if one.init and one.name not in {"name", "type"} and getattr(lens, one.name)
    }
    if "inner" in arguments:
        arguments["inner"] = _lens(arguments["inner"])
    return {"name": lens.name, **arguments} if arguments else lens.name


def _child(child: ChildMapping) -> str:
    fields = {one.field: list(one.paths) if len(one.paths) > 1 else one.paths[0] for one in child.fields}
    return _table({"object": child.object, "type_id": child.type_id, "fields": fields})


def _table(value: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{_key(key)} = {_text(one)}" for key, one in value.items()) + " }" if value else "{}"


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _text(value: Any, *, span: bool = False) -> str:
    if span and isinstance(value, int | float) and not isinstance(value, bool):
        return f'"{duration_text(value)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return _table(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    return str(value) if isinstance(value, int | float) else json.dumps(str(value), ensure_ascii=True)
