"""One vendor under the suite: its simulator, our system, and what people do in the vendor's own screens."""

from __future__ import annotations

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from syncd.config.models import Configuration
from syncd.model.change import Channel, Lane
from syncd.model.delivery import Outcome
from syncd.model.record import Link
from syncd.model.value import Fields
from syncd.runtime.clock import ManualClock
from syncd.sandbox.server import Sandbox
from syncd.systems.contract import Call, Snapshot, System, Write
from tests.conformance.ears import Ear, PollEar, StreamEar
from tests.conformance.subject import Shape, Subject, shapes, words


class FreePayer:
    """Pays for everything."""

    @asynccontextmanager
    async def pay(self, call: Call, lane: Lane) -> AsyncIterator[None]:
        del call, lane
        yield

    def observe(self, call: Call, status: int, headers: Mapping[str, str], seconds: float) -> None: ...


class Bench(ABC):
    """Opened once per test module: cases use things of their own, and put back what they disturb."""

    title: ClassVar[str]
    """Heading of its table."""
    configuration: ClassVar[Configuration]
    """Every standard mapping of the system turned on."""
    subjects: ClassVar[tuple[Subject, ...]]
    tokens_expire: ClassVar[bool] = True
    """The credential turns into tokens that lapse."""
    sandbox: Sandbox
    clock: ManualClock
    system: System

    def __init__(self) -> None:
        self.shapes = shapes(self.configuration, self.subjects)
        self._numbers = itertools.count(1)
        self._parents: dict[str, Link] = {}

    # --- what a vendor's bench says -----------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def blank(cls) -> System:
        """The system as configured, never opened: for what it says of its abilities."""

    @abstractmethod
    async def open(self) -> None:
        """Simulator and system up, the account provisioned for every mapping. Sets the three attributes above."""

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def make(self, shape: Shape, fields: Fields, links: Mapping[str, Link]) -> str:
        """Somebody makes one in the vendor's own screens. ``links`` by record id, for references. The vendor's id."""

    @abstractmethod
    async def edit(self, shape: Shape, external_id: str, fields: Fields) -> None:
        """Somebody changes one in the vendor's own screens."""

    @abstractmethod
    async def remove(self, shape: Shape, external_id: str) -> None:
        """Somebody deletes one in the vendor's own screens."""

    async def restore(self, shape: Shape, external_id: str) -> None:
        """Somebody brings one back."""
        raise NotImplementedError

    async def merge(self, shape: Shape, survivor: str, absorbed: str) -> str:
        """Somebody merges two; the id that stands afterwards."""
        raise NotImplementedError

    async def erase(self, shape: Shape, external_id: str) -> None:
        """Somebody deletes one for privacy."""
        raise NotImplementedError

    async def drop_field(self, shape: Shape) -> str:
        """An administrator takes a mapped field away that no sample can do without; its path in the mapping."""
        raise NotImplementedError

    async def regain_field(self, shape: Shape, path: str) -> None:
        """And brings it back."""
        raise NotImplementedError

    def expire_token(self) -> None:
        """The token that the system holds lapses now."""
        raise NotImplementedError

    @abstractmethod
    def living(self, shape: Shape, key: str) -> int:
        """How many objects there are at the vendor, looked at from within, that carry our key and are not deleted."""

    async def ear(self, shape: Shape, channel: Channel) -> Ear:
        """Begin to listen to a channel. Polls and streams are known to the suite; others are the vendor's bench's."""
        if channel is Channel.POLL:
            return await PollEar(self.system, shape.mapping).open()
        if channel is Channel.STREAM:
            return await StreamEar(self.system, shape.mapping, self.settle).open()
        raise NotImplementedError(channel)

    async def settle(self) -> None:
        """Let some of the vendor's own time pass: indexes, webhooks, background jobs."""
        await self.clock.advance(1.0)

    # --- what the cases use -------------------------------------------------------------------------------------

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator[Self]:
        bench = cls()
        await bench.open()
        try:
            yield bench
        finally:
            await bench.close()

    def number(self) -> int:
        return next(self._numbers)

    async def links(self, shape: Shape) -> dict[str, Link]:
        """Of the parents that one of these needs, by record id; made when first needed."""
        found: dict[str, Link] = {}
        for object_ in shape.subject.parents.values():
            link = await self._parent(object_, fresh=shape.subject.own_parents)
            found[link.record_id] = link
        return found

    async def _parent(self, object_: str, *, fresh: bool) -> Link:
        if fresh or object_ not in self._parents:
            shape, number = self.shapes[object_], self.number()
            links = await self.links(shape)
            fields = self.fields(shape, number, links)
            if shape.subject.unmade:
                verdict = await self.write_one(shape, shape.create(number, fields, links))
                external_id = verdict.external_id
            else:
                external_id = await self.make(shape, fields, links)
            self._parents[object_] = Link(shape.key(number), shape.mapping.connection, object_, external_id, {})
        return self._parents[object_]

    def fields(self, shape: Shape, number: int, links: Mapping[str, Link]) -> dict[str, Any]:
        """A sample with its references."""
        by_object = {link.object: link.record_id for link in links.values()}
        references = {name: by_object[object_] for name, object_ in shape.subject.parents.items()}
        return {**shape.subject.sample(number), **references}

    async def write(self, shape: Shape, writes: Sequence[Write], lane: Lane = Lane.LIVE) -> dict[str, Any]:
        """Verdicts by key; time passes meanwhile."""
        verdicts = await self.during(self.system.write(shape.mapping, writes, lane))
        assert sorted(one.key for one in verdicts) == sorted(one.key for one in writes), "one verdict per write"
        return {one.key: one for one in verdicts}

    async def write_one(self, shape: Shape, write: Write, lane: Lane = Lane.LIVE) -> Any:
        verdict = (await self.write(shape, [write], lane))[write.key]
        assert verdict.outcome is Outcome.APPLIED, words(verdict)
        return verdict

    async def read(self, shape: Shape, external_id: str) -> Snapshot | None:
        result = await self.during(self.system.read(shape.mapping, [external_id], Lane.LIVE))
        assert (external_id in result.found) != (external_id in result.missing)
        found: Snapshot | None = result.found.get(external_id)
        return found

    async def during(self, coming: Any) -> Any:
        """Await, and let the simulated clock run until it is done: systems and vendors sleep on it."""
        return await during(self.clock, coming)

    def disturb(self, faults: str) -> None:
        """``none`` for peace."""
        self.sandbox.set_faults(faults)


async def during(clock: ManualClock, coming: Any) -> Any:
    task = asyncio.ensure_future(coming)
    while not task.done():
        await asyncio.wait({task}, timeout=0.01)
        if not task.done():
            await clock.advance(0.25)
    return task.result()
