"""Mappings: one entity in one object of one connection, and the pure functions that read and write through them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from syncd.model.delivery import Action
from syncd.model.entity import Entity
from syncd.model.lens import Lens, LensError, Plain, Raw, Stringly
from syncd.model.value import Fields, InvalidValueError, Value, canonical

ASSOCIATIONS: Final = "associations."
"""How the paths begin that are read from a vendor's associations rather than from its fields."""


class Direction(StrEnum):
    BOTH = "both"
    READ = "read"
    """From the connection into the record only."""
    WRITE = "write"
    """From the record into the connection only."""


class ConvertWhen(StrEnum):
    """When a record that must be created becomes of an object that stands for the same person already (a lead)."""

    ORDERED = "ordered"
    """As soon as the person has an order; until then nothing is created beside the lead."""
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class FieldMapping:
    field: str
    paths: tuple[str, ...]
    """Where the lens reads and writes in the vendor's object; dots descend (``custom.fields.phone``)."""
    lens: Lens
    direction: Direction = Direction.BOTH
    references: str | None = None
    """For a reference: the object in the same connection whose external id the path holds."""


@dataclass(frozen=True, slots=True)
class RelationMapping:
    """A reference field that the vendor keeps as an association rather than as a property."""

    field: str
    object: str
    """The object in the same connection to associate with."""
    type_id: int
    """The vendor's association type, from this object to that one; 0 where associations have none."""
    path: str = ""
    """The reference field, for a vendor that keeps associations as fields; empty: the one that leads there."""
    category: str = ""
    """Whose type it is, where the vendor's users define some of their own; empty: the vendor's."""

    @property
    def read_path(self) -> str:
        """Where a snapshot holds the ids of what is associated so: ``associations.contacts.3``."""
        return f"{ASSOCIATIONS}{self.object}.{f'{self.category}:' if self.category else ''}{self.type_id}"


@dataclass(frozen=True, slots=True)
class ChildMapping:
    """An items field that the vendor keeps as objects of their own, associated with the parent."""

    field: str
    object: str
    fields: tuple[FieldMapping, ...]
    type_id: int
    """The vendor's association type, from the child to the parent; 0 where associations have none."""
    path: str = ""
    """The child's reference field to its parent, for a vendor that keeps associations as fields."""


@dataclass(frozen=True, slots=True)
class Capture:
    """How news is fetched from the object."""

    poll_seconds: float | None = None
    """Interval of the delta poll; ``None`` means no poll."""
    webhook: bool = False
    stream: bool = False
    """News comes over a stream that the vendor holds open, where it has one for the object."""
    hydrate: bool = True
    """Read everything once, before or beside the deltas."""
    overlap_seconds: float = 60.0
    """How far behind its own high-water mark each poll starts again: late-visible rows are met twice, never missed."""


@dataclass(frozen=True, slots=True)
class ObjectMapping:
    entity: str
    connection: str
    object: str
    fields: tuple[FieldMapping, ...]
    key_path: str = ""
    """The vendor's unique property that carries our record id (``syncd_external_id``, ``key``)."""
    constants: Mapping[str, Raw] = field(default_factory=dict)
    """Path to a raw value written with every create."""
    write: frozenset[Action] = frozenset()
    create_when: str = ""
    """Create only records in which this field has a value; empty means all."""
    convert: ConvertWhen = ConvertWhen.ORDERED
    relations: tuple[RelationMapping, ...] = ()
    children: tuple[ChildMapping, ...] = ()
    capture: Capture = Capture()
    # Worked out once: every change and every delivery asks.
    _readable: tuple[FieldMapping, ...] = field(init=False, repr=False, compare=False)
    _writable: tuple[FieldMapping, ...] = field(init=False, repr=False, compare=False)
    _written: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        writable = tuple(item for item in self.fields if item.direction is not Direction.READ)
        written = [item.field for item in writable]
        written += [item.field for item in self.relations]
        written += [item.field for item in self.children]
        object.__setattr__(self, "_readable", tuple(one for one in self.fields if one.direction is not Direction.WRITE))
        object.__setattr__(self, "_writable", writable)
        object.__setattr__(self, "_written", tuple(dict.fromkeys(written)))

    @property
    def name(self) -> str:
        return f"{self.connection}.{self.object}"

    def readable(self) -> tuple[FieldMapping, ...]:
        return self._readable

    def writable(self) -> tuple[FieldMapping, ...]:
        return self._writable

    @property
    def written(self) -> tuple[str, ...]:
        """The fields that syncd writes through the mapping: properties, relations and children."""
        return self._written

    def paths(self) -> tuple[str, ...]:
        """Every path a read must fetch, without repeats, in order."""
        found = dict.fromkeys(path for item in self.fields for path in item.paths)
        if self.key_path:
            found[self.key_path] = None
        return tuple(found)


class DecodeError(ValueError):
    """One or more fields could not be read or written. ``readable`` holds those that could."""

    def __init__(self, problems: Mapping[str, str], readable: Mapping[str, Value] | None = None) -> None:
        self.problems = problems
        self.readable: dict[str, Value] = dict(readable or {})
        super().__init__("; ".join(f"{name}: {why}" for name, why in problems.items()))


_MISSING = object()


def pluck(data: Mapping[str, Any], path: str) -> Any:
    """The raw value at a dotted path, or a private marker when it is not there."""
    if "." not in path:
        return data.get(path, _MISSING)
    here: Any = data
    for step in path.split("."):
        if not isinstance(here, dict | Mapping) or step not in here:
            return _MISSING
        here = here[step]
    return here


def decode(
    entity: Entity, mapping: ObjectMapping, data: Mapping[str, Any], *, partial: bool = False
) -> dict[str, Value]:
    """Canonical fields of a vendor's object.

    A path that is missing means null in a whole object and absent in a partial one.
    Raises :class:`DecodeError` naming every field that failed.
    """
    fields: dict[str, Value] = {}
    problems: dict[str, str] = {}
    for item in mapping.readable():
        raw = [pluck(data, path) for path in item.paths]
        if partial and raw[0] is _MISSING:
            continue
        kind = entity.fields[item.field].type
        try:
            value = item.lens.decode(*[None if one is _MISSING else one for one in raw])
            # These lenses answer in the canonical form of their type already.
            plain = isinstance(item.lens, Plain | Stringly) and item.lens.type is kind
            fields[item.field] = value if plain else canonical(kind, value)
        except (LensError, InvalidValueError) as error:
            problems[item.field] = str(error)
    if problems:
        raise DecodeError(problems, fields)
    return fields


def encode(mapping: ObjectMapping, fields: Fields, names: Iterable[str]) -> dict[str, Raw]:
    """Raw values by path for the named fields; null is ``None``. Raises :class:`DecodeError`."""
    wanted = frozenset(names)
    values: dict[str, Raw] = {}
    problems: dict[str, str] = {}
    for item in mapping.writable():
        if item.field not in wanted or item.field not in fields:
            continue
        try:
            values.update(zip(item.paths, item.lens.encode(fields[item.field]), strict=True))
        except LensError as error:
            problems[item.field] = str(error)
    if problems:
        raise DecodeError(problems)
    return values


def encode_item(child: ChildMapping, item: Fields) -> dict[str, Raw]:
    """Raw values by path of one child object."""
    values: dict[str, Raw] = {}
    for part in child.fields:
        if part.field in item:
            values.update(zip(part.paths, part.lens.encode(item[part.field]), strict=True))
    return values


def pluck_text(data: Mapping[str, Any], path: str) -> str:
    """The text at a dotted path; empty where there is none."""
    value = pluck(data, path)
    return value if isinstance(value, str) else ""
