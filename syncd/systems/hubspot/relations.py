"""Associations that a mapping reads, put beside an object's properties: one call per kind of neighbour for up to a
thousand objects."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from syncd.model.change import Lane
from syncd.model.mapping import ASSOCIATIONS, ObjectMapping
from syncd.systems.contract import Snapshot
from syncd.systems.hubspot.associations import VENDORS_OWN, Label, tied
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.settings import Paths

Neighbours = Mapping[str, Mapping[str, frozenset[Label]]]
"""By object id, the ids of its neighbours and how they are associated."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One association that a mapping reads."""

    object: str
    key: str
    """The last step of the path: ``3``, ``USER_DEFINED:28``."""
    label: Label


def relations_of(mapping: ObjectMapping) -> list[Relation]:
    """The associations a mapping reads: paths such as ``associations.contacts.3``. Others there are none."""
    found = []
    for path in mapping.paths():
        if path.startswith(ASSOCIATIONS):
            object_, _, key = path.removeprefix(ASSOCIATIONS).partition(".")
            category, _, type_id = key.rpartition(":")
            if type_id.isdecimal():
                found.append(Relation(object_, key, (category or VENDORS_OWN, int(type_id))))
    return found


def laid(shot: Snapshot, relations: list[Relation], held: Mapping[str, Neighbours]) -> Snapshot:
    """The snapshot with the ids of its neighbours, in order. Pure."""
    found: dict[str, dict[str, list[str]]] = {}
    for one in relations:
        near = held[one.object].get(shot.external_id, {})
        ids = sorted((id_ for id_, labels in near.items() if one.label in labels), key=lambda id_: (len(id_), id_))
        found.setdefault(one.object, {})[one.key] = ids
    data: dict[str, Any] = {**shot.data, ASSOCIATIONS.removesuffix("."): found}
    return replace(shot, data=data)


class Relations:
    def __init__(self, client: Client, paths: Paths) -> None:
        self._client = client
        self._paths = paths

    async def filled(self, mapping: ObjectMapping, shots: Mapping[str, Snapshot], lane: Lane) -> dict[str, Snapshot]:
        """The same snapshots with what the mapping reads from associations. Raises as calls do."""
        relations = relations_of(mapping)
        if not relations or not shots:
            return dict(shots)
        ids = list(dict.fromkeys(shot.external_id for shot in shots.values()))
        objects = list(dict.fromkeys(one.object for one in relations))
        told = await asyncio.gather(
            *(tied(self._client, self._paths, mapping.object, one, ids, lane) for one in objects)
        )
        held = dict(zip(objects, told, strict=True))
        return {asked: laid(shot, relations, held) for asked, shot in shots.items()}
