"""Which of the mapped fields can be asked for now. A field that an administrator took away, or hid from our user, must
not keep all others from being read: it is left out, and what was read says so, lest it be taken for emptied."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from syncd.model.change import Lane
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import VendorError
from syncd.systems.salesforce.describe import Describer, Schema
from syncd.systems.salesforce.soql import columns

log = structlog.get_logger(__name__)

AGAIN_SECONDS: Final = 600.0
"""So often a field that is lacking is asked for again."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Lack:
    names: frozenset[str]
    until: float


class Columns:
    def __init__(self, describer: Describer, world: World) -> None:
        self._describer = describer
        self._world = world
        self._lacks: dict[str, _Lack] = {}

    def of(self, mapping: ObjectMapping) -> tuple[str, ...]:
        """The mapped fields that there are, as far as is known."""
        lack = self._lacks.get(mapping.name)
        if lack is not None and self._world.clock.monotonic() < lack.until:
            return tuple(one for one in columns(mapping) if one not in lack.names)
        return columns(mapping)

    def partial(self, mapping: ObjectMapping, asked: tuple[str, ...]) -> bool:
        """Whether some of the mapped fields were not asked for."""
        return len(asked) < len(columns(mapping))

    async def asking(
        self, mapping: ObjectMapping, lane: Lane, ask: Callable[[tuple[str, ...]], Awaitable[T]]
    ) -> tuple[T, bool]:
        """What ``ask`` answers for the fields that there are, and whether some are lacking. Raises
        :class:`VendorError`."""
        wanted = self.of(mapping)
        try:
            return await ask(wanted), self.partial(mapping, wanted)
        except VendorError as error:
            if not error.failure.code.startswith("INVALID_FIELD"):
                raise
            fewer = await self._fewer(mapping, lane)
            if fewer == wanted:
                raise
        return await ask(fewer), self.partial(mapping, fewer)

    async def _fewer(self, mapping: ObjectMapping, lane: Lane) -> tuple[str, ...]:
        schema = await self._describer.schema(mapping.object, lane, fresh=True)
        lacking = frozenset(one for one in columns(mapping) if not _known(schema, one))
        if lacking:
            log.warning("salesforce.fields_lacking", mapping=mapping.name, fields=sorted(lacking))
        self._lacks[mapping.name] = _Lack(lacking, self._world.clock.monotonic() + AGAIN_SECONDS)
        return self.of(mapping)


def _known(schema: Schema, path: str) -> bool:
    parent, dot, _ = path.partition(".")
    return (schema.parent(parent) if dot else schema.field(path)) is not None
