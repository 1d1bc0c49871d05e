"""What flows where: entities, mappings and systems, looked up the ways the engine needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.model.backoff import STANDARD, RetryPolicy
from syncd.model.delivery import Action
from syncd.model.entity import Entity
from syncd.model.mapping import FieldMapping, ObjectMapping
from syncd.model.value import FieldType
from syncd.systems.contract import System


@dataclass(frozen=True, slots=True)
class Flows:
    """The configured world of one daemon; does not change while it runs."""

    entities: Mapping[str, Entity]
    mappings: Sequence[ObjectMapping]
    systems: Mapping[str, System]
    """By connection."""
    cart_idle_ms: int = 30 * 60 * 1000
    retry: RetryPolicy = STANDARD
    _by_object: dict[tuple[str, str], ObjectMapping] = field(init=False, default_factory=dict, repr=False)
    _by_entity: dict[str, tuple[ObjectMapping, ...]] = field(init=False, default_factory=dict, repr=False)

    _indexed: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name, entity in self.entities.items():
            references = [one.name for one in entity.fields.values() if one.type is FieldType.REFERENCE]
            self._indexed[name] = tuple(dict.fromkeys([*entity.identity, *references]))
        for one in self.mappings:
            self._by_object[one.connection, one.object] = one
            self._by_entity[one.entity] = (*self._by_entity.get(one.entity, ()), one)

    def mapping(self, connection: str, object_: str) -> ObjectMapping | None:
        return self._by_object.get((connection, object_))

    def of_entity(self, entity: str) -> tuple[ObjectMapping, ...]:
        return self._by_entity.get(entity, ())

    def of_connection(self, connection: str) -> Iterable[ObjectMapping]:
        return (one for one in self.mappings if one.connection == connection)

    def creates(self, connection: str, object_: str) -> bool:
        """Whether syncd would make the object by itself, so that waiting for it makes sense."""
        one = self.mapping(connection, object_)
        return one is not None and Action.CREATE in one.write

    def converts(self, connection: str, object_: str) -> tuple[ObjectMapping, ...]:
        """Mappings whose objects are made of objects of this kind."""
        system = self.systems.get(connection)
        return tuple(
            one
            for one in self.of_connection(connection)
            if system is not None and object_ in system.abilities(one.object).converts
        )

    def indexed(self, entity: str) -> tuple[str, ...]:
        """Fields by whose values records are found: those that identify, and those that refer to another record."""
        return self._indexed[entity]

    def title(self, entity: str, fields: Mapping[str, object]) -> str:
        """What a human calls the record."""
        names = self.entities[entity].title
        return " ".join(str(fields[name]) for name in names if fields.get(name) not in (None, ""))

    def ordered_versions(self, connection: str) -> bool:
        system = self.systems.get(connection)
        return system is not None and system.capabilities.ordered_versions


def reference_fields(mapping: ObjectMapping) -> tuple[FieldMapping, ...]:
    return tuple(item for item in mapping.fields if item.references)
