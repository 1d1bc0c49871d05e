"""The merger: carries out merges that operators approved, one after the other, and goes on with them after a crash.

Before each call both objects are read: what has been merged already, by us before a crash or by anybody, is not merged
again.
"""

from __future__ import annotations

from functools import partial

from syncd.engine import merging
from syncd.engine.flows import Flows
from syncd.engine.health import Health
from syncd.engine.merging import Joint
from syncd.engine.replay import ReplayError
from syncd.engine.signals import Signals
from syncd.engine.worker import Worker
from syncd.model.change import Lane
from syncd.model.delivery import Outcome
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.store import merges
from syncd.store.database import Database
from syncd.store.merges import Merging
from syncd.systems.contract import MergingSystem, OutOfBudgetError, VendorError

IDLE_SECONDS = 30.0
AGAIN_SECONDS = 1.0
TRIES = 20
"""Of one merge, until an operator must look."""


class Merger(Worker):
    name = "merger"

    def __init__(self, *, database: Database, flows: Flows, signals: Signals, health: Health, world: World) -> None:
        super().__init__(database)
        self._flows = flows
        self._signals = signals
        self._health = health
        self._world = world
        self._tries: dict[str, int] = {}

    async def turn(self) -> None:
        done = await self.step()
        if done is None:
            await self.listen(self._signals.merges, IDLE_SECONDS)
        elif not done:
            await self.pause(AGAIN_SECONDS)

    async def step(self) -> bool | None:
        """Carry out the oldest merge that is open; whether it came to an end. ``None`` when there is none."""
        order = await self._database.read(merges.first_open)
        if order is None:
            return None
        try:
            wanted = await self._database.read(
                partial(merging.union, flows=self._flows, survivor=order.survivor, absorbed=order.absorbed)
            )
            for joint in wanted.joints:
                await self._join(order, joint)
            now = self._world.clock.now_ms()
            if not await self._database.write(partial(merging.finish, flows=self._flows, merging=order, now=now)):
                return await self._again(order, "a call about one of the two is on its way")
        except ReplayError as error:
            return await self._fail(order, str(error))
        except (VendorError, OutOfBudgetError) as error:
            return await self._troubled(order, error)
        self._tries.pop(order.command_id, None)
        self._signals.tell("merge.done", who=order.who, record_id=order.survivor, absorbed=order.absorbed)
        self._signals.ring_staged()
        for connection in self._flows.systems:
            self._signals.due(connection).ring()
        return True

    async def _join(self, order: Merging, joint: Joint) -> None:
        """Merge two objects at their vendor, unless they are one already. Raises :class:`VendorError`."""
        mapping = joint.mapping
        system = self._flows.systems[mapping.connection]
        if not isinstance(system, MergingSystem):
            raise ReplayError(f"{mapping.name} declares merges that its system does not have")
        if not self._health.open(mapping.connection):
            raise VendorError(Failure(Remedy.WAIT, "connection-closed", f"{mapping.connection} is down or paused"))
        read = await system.read(mapping, [joint.survivor, joint.absorbed], Lane.OPERATOR)
        stays, goes = read.found.get(joint.survivor), read.found.get(joint.absorbed)
        if stays is None:
            raise ReplayError(f"{mapping.name} {joint.survivor} is gone; merge the other way round")
        stands = stays.external_id
        if goes is not None and goes.external_id != stands:
            (verdict,) = await system.merge(mapping, joint.survivor, [joint.absorbed], Lane.OPERATOR)
            if verdict.outcome is Outcome.FAILED:
                raise VendorError(verdict.failure or Failure(Remedy.LOOK, "no-verdict", "the vendor said nothing"))
            stands = verdict.external_id or stands
        await self.insist(
            partial(
                merging.joined, merging=order, joint=joint, stands=stands, now=self._world.clock.now_ms()
            )
        )  # fmt: skip

    async def _troubled(self, order: Merging, error: VendorError | OutOfBudgetError) -> bool:
        if isinstance(error, OutOfBudgetError):
            await self.pause(error.retry_after_seconds)
            return False
        failure = error.failure
        if failure.remedy in (Remedy.ASK, Remedy.STOP):
            return await self._fail(order, f"{failure.code}: {failure.message}")
        if failure.remedy is Remedy.WAIT:
            await self.pause(failure.retry_after_seconds or AGAIN_SECONDS)
            return False
        return await self._again(order, f"{failure.code}: {failure.message}")

    async def _again(self, order: Merging, reason: str) -> bool:
        """Once more, so often; what may have been applied is looked at first."""
        tries = self._tries[order.command_id] = self._tries.get(order.command_id, 0) + 1
        return tries >= TRIES and await self._fail(order, reason)

    async def _fail(self, order: Merging, reason: str) -> bool:
        now = self._world.clock.now_ms()
        await self._database.write(
            partial(merges.end, command_id=order.command_id, state="failed", reason=reason[:500], now=now)
        )
        self._signals.tell("merge.failed", level="warning", who=order.who, record_id=order.survivor)
        return True
