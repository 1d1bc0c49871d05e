"""Pipelines and stages by name: the border where configured names and the account's ids meet.

The vendor takes a ``pipelineId`` and ``stageId`` at creation, but an account may have refused them, may have made the
pipeline by hand in its settings pages (ids are numbers then), or may already use a stage id elsewhere. So mappings name
a pipeline and its stages as they like: by id, by label (``Abandoned checkout``) or by the label written small with
underscores (``abandoned_checkout``). On the way out names become ids, on the way in ids become the mapping's names
again. What is not known passes unchanged, so that the vendor judges it in its own words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import VendorError
from syncd.systems.hubspot.objects import PIPELINE_PROPERTIES, listed
from syncd.systems.hubspot.sdk import PIPELINES, Sdk

RECHECK_SECONDS: Final = 300.0
"""How long a table in which a name was not found is kept before the account is asked again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The pipeline and stage names that a mapping speaks of."""

    pipeline_path: str
    stage_path: str
    pipelines: tuple[str, ...]
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aliases:
    """Per path, the mapping's name to the account's id; only where the two differ."""

    out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Names for which the account has nothing."""

    def to_wire(self, path: str, value: Any) -> Any:
        return self.out.get(path, {}).get(value, value) if isinstance(value, str) else value

    def from_wire(self, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        """Properties with ``""`` as ``None`` and ids as names."""
        read = properties
        if "" in properties.values():
            read = {path: (None if value == "" else value) for path, value in properties.items()}
        renamed = {
            path: next((name for name, known in table.items() if known == read[path]), read[path])
            for path, table in self.out.items()
            if read.get(path) is not None
        }
        return {**read, **renamed} if renamed else read


PLAIN: Final = Aliases()


def wanted(mapping: ObjectMapping) -> Wanted | None:
    """Names in the constants and in the choice tables of the mapping; ``None`` for objects it has no pipeline in."""
    paths = PIPELINE_PROPERTIES.get(mapping.object)
    if paths is None or not set(paths) & {*mapping.constants, *mapping.paths()}:
        return None
    names: dict[str, dict[str, None]] = {path: {} for path in paths}
    for path in paths:
        if isinstance(mapping.constants.get(path), str):
            names[path][mapping.constants[path]] = None
    for item in mapping.fields:
        table = getattr(item.lens, "table", None)
        if item.paths[0] in names and isinstance(table, Mapping):
            names[item.paths[0]].update(dict.fromkeys(str(value) for value in table.values()))
    return Wanted(paths[0], paths[1], tuple(names[paths[0]]), tuple(names[paths[1]]))


def slug(label: str) -> str:
    """``Abandoned checkout`` as ``abandoned_checkout``."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def named(things: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """The pipeline or stage that a name means: the id speaks before the label, the label before its slug."""
    alive = [one for one in things if not one.get("archived")]
    readings: tuple[Callable[[Mapping[str, Any]], str], ...] = (
        lambda one: str(one.get("id")),
        lambda one: str(one.get("label")),
        lambda one: slug(str(one.get("label"))),
    )
    return next((one for reading in readings for one in alive if reading(one) == name), None)


def resolve(want: Wanted, pipelines: Sequence[Mapping[str, Any]]) -> Aliases:
    """Names to ids. Stages are looked for in the named pipelines, or in all of them where none is named."""
    missing: list[str] = []
    chosen: list[Mapping[str, Any]] = []
    out: dict[str, dict[str, str]] = {want.pipeline_path: {}, want.stage_path: {}}

    def settle(path: str, name: str, found: Mapping[str, Any] | None) -> None:
        if found is None:
            missing.append(name)
        elif str(found["id"]) != name:
            out[path][name] = str(found["id"])

    for name in want.pipelines:
        found = named(pipelines, name)
        settle(want.pipeline_path, name, found)
        if found is not None:
            chosen.append(found)
    stages = [
        stage for one in (chosen if want.pipelines else pipelines) for stage in listed(one, "stages") if "id" in stage
    ]
    for name in want.stages:
        settle(want.stage_path, name, named(stages, name))
    return Aliases({path: table for path, table in out.items() if table}, tuple(missing))


class Pipelines:
    """The tables of a connection, asked for once per object and mapping."""

    def __init__(self, sdk: Sdk, world: World) -> None:
        self._sdk = sdk
        self._world = world
        self._kept: dict[Wanted, tuple[float, Aliases]] = {}

    def forget(self) -> None:
        """The account's pipelines may have changed."""
        self._kept.clear()

    async def fetch(self, object_: str, lane: Lane) -> list[Mapping[str, Any]]:
        """The account's pipelines of an object, stages included. Raises :class:`VendorError`."""
        data = await self._sdk.call(PIPELINES, object_, lane=lane)
        return [one for one in listed(data) if "id" in one]

    async def aliases(self, mapping: ObjectMapping, lane: Lane) -> Aliases:
        """Raises :class:`VendorError` when the account cannot be asked now."""
        want = wanted(mapping)
        if want is None or not (want.pipelines or want.stages):
            return PLAIN
        kept = self._kept.get(want)
        now = self._world.clock.monotonic()
        if kept is not None and (not kept[1].missing or now - kept[0] < RECHECK_SECONDS):
            return kept[1]
        try:
            found = resolve(want, await self.fetch(mapping.object, lane))
        except VendorError as error:
            if error.failure.remedy is not Remedy.STOP or error.failure.status != 403:
                raise
            found = Aliases(missing=want.pipelines + want.stages)  # Not ours to see: the names must be the ids.
        self._kept[want] = (now, found)
        return found
