"""One object of one system with sample values, and writes formed of them the way the engine forms its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.config.models import Configuration
from syncd.engine.plan import Send, plan
from syncd.model.change import Lane
from syncd.model.delivery import Action, Delivery, DeliveryState
from syncd.model.entity import Entity
from syncd.model.mapping import ObjectMapping, decode, encode
from syncd.model.record import Link, Record
from syncd.model.value import Fields
from syncd.systems.contract import Snapshot, Verdict, Write

Sample = Callable[[int], Fields]
"""Canonical fields of the n-th thing, in the form the vendor keeps them, without references to other records."""


@dataclass(frozen=True)
class Subject:
    object: str
    sample: Sample
    change: Fields = field(default_factory=dict)
    """Canonical values that differ from every sample's; empty where nothing can be changed."""
    clear: str = ""
    """A field of the samples that can be emptied."""
    bad: Mapping[str, Any] = field(default_factory=dict)
    """Raw values by path that the vendor refuses, laid over a good write."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """Reference field to the object (a subject of the same bench) it refers to; one is made and shared."""
    own_parents: bool = False
    """Every one of these needs a parent of its own."""
    drops: bool = False
    """An administrator of the vendor can take one of its mapped fields away (:meth:`Bench.drop_field`)."""
    restores: bool = False
    """People can bring back one that was deleted."""
    unmade: str = ""
    """Why people cannot make one in the vendor's own screens; then the system makes it."""


@dataclass(frozen=True)
class Shape:
    """A subject with its mapping and entity."""

    subject: Subject
    mapping: ObjectMapping
    entity: Entity

    @property
    def name(self) -> str:
        return self.subject.object

    def key(self, number: int) -> str:
        return f"{self.entity.name}-{number:020x}"

    def decode(self, data: Mapping[str, Any], *, partial: bool = False) -> dict[str, Any]:
        return decode(self.entity, self.mapping, data, partial=partial)

    def create(self, number: int, fields: Fields, links: Mapping[str, Link]) -> Write:
        return self._write(Record(self.key(number), self.entity.name, dict(fields), {}, 1, 0), None, links)

    def raw(self, fields: Fields) -> dict[str, Any]:
        """Raw values by path, as the mapping writes them."""
        return encode(self.mapping, fields, fields)

    def update(self, number: int, fields: Fields, held: Snapshot, links: Mapping[str, Link]) -> Write:
        """What brings the vendor from what it holds to ``fields``."""
        before = self.shadow(held, links)
        mine = {**before, **fields}
        return self._write(
            Record(self.key(number), self.entity.name, mine, {}, 2, 0), self.link(number, held, links), links
        )

    def link(
        self, number: int, held: Snapshot, links: Mapping[str, Link], children: Mapping[str, str] | None = None
    ) -> Link:
        return Link(
            self.key(number), self.mapping.connection, self.mapping.object, held.external_id, self.shadow(held, links),
            {}, held.version, held.modified_at, dict(children or {}),
        )  # fmt: skip

    def shadow(self, held: Snapshot, links: Mapping[str, Link]) -> dict[str, Any]:
        """What the vendor holds, references as ids of our records."""
        told = self.decode(held.data)
        by_id = {link.external_id: link.record_id for link in links.values()}
        references = {item.field for item in self.mapping.fields if item.references}
        return {name: by_id.get(str(value), value) if name in references else value for name, value in told.items()}

    def _write(self, record: Record, link: Link | None, links: Mapping[str, Link]) -> Write:
        delivery = Delivery(
            1, record.id, self.entity.name, self.mapping.connection, self.mapping.object, DeliveryState.SENDING,
            Lane.LIVE, 0, 0, 0, 0, "", record.version,
        )  # fmt: skip
        planned = plan(
            self.mapping, delivery, record, link, lambda number, _object: links.get(number), lambda _id, _object: True
        )
        assert isinstance(planned, Send), f"{self.name}: {planned}"
        return planned.write


def shapes(configuration: Configuration, subjects: Sequence[Subject]) -> dict[str, Shape]:
    """By object. A mapping that no subject speaks of is a hole in the suite."""
    mappings = {one.object: one for one in configuration.mappings}
    assert set(mappings) == {one.object for one in subjects}, sorted(set(mappings) ^ {one.object for one in subjects})
    return {
        one.object: Shape(one, mappings[one.object], configuration.entities[mappings[one.object].entity])
        for one in subjects
    }


def deletion(shape: Shape, number: int, external_id: str, version: str = "") -> Write:
    return Write(shape.key(number), Action.DELETE, {}, external_id=external_id, version=version)


def restoration(shape: Shape, number: int, external_id: str) -> Write:
    return Write(shape.key(number), Action.RESTORE, {}, external_id=external_id)


def words(verdict: Verdict) -> str:
    return f"{verdict.outcome} {verdict.failure}"
