"""What a simulated vendor is given, what it must answer, and the door at which disturbances happen.

A vendor subclasses :class:`Vendor`, writes :meth:`Vendor.handle` and the refusals in its own words, notes each
applied effect with :meth:`Vendor.applied`, and is otherwise ordinary code: faults stay outside of it.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from syncd.runtime.clock import Clock
from syncd.sandbox.faults import VendorFaults
from syncd.sandbox.http import MAX_BODY_BYTES, Reply, Request
from syncd.sandbox.ledger import Ledger
from syncd.sandbox.world.bases import PeopleBase
from syncd.sandbox.world.world import World

HUMAN = "human"
"""Actor of what simulated people do in the vendor's own screens."""


@dataclass(frozen=True, slots=True)
class Room:
    """The world of one simulated vendor."""

    clock: Clock
    dice: random.Random
    """For ids and the like; seeded per vendor."""
    faults: VendorFaults
    ledger: Ledger


class ActError(ValueError):
    """A simulated person asked for something impossible; answered 400 with the message."""


class Vendor(ABC):
    name: str = ""
    """The connection system's name: ``commercetools``, ``hubspot``. Names it in ledger, faults and admin paths."""
    max_body_bytes: ClassVar[int] = MAX_BODY_BYTES
    more_ports: ClassVar[tuple[str, ...]] = ()
    """Names of constructor options that choose further ports, for vendors with more doors than one; such a vendor also
    takes ``host``, where its own doors listen."""

    plans: ClassVar[tuple[str, ...]] = ()
    """Plans or editions an account can be on, by the vendor's own names in lower case."""

    words: ClassVar[Mapping[str, str]] = {}
    """Which of the common :data:`~syncd.sandbox.deeds.DEEDS` it knows, and its own ``op`` for each."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.inhabitants: PeopleBase[Any, Any] | None = None
        """The people of a world as this vendor knows them, once :meth:`populate` was called."""
        self.requests = 0
        """How many requests came in, disturbed ones included."""
        self.replies: dict[int, int] = {}
        """Replies by status; dropped ones under 0."""

    @classmethod
    def on_plan(cls, plan: str) -> dict[str, Any]:
        """Constructor options of an account on one of :attr:`plans`. Raises ``KeyError``."""
        raise KeyError(plan)

    # -- what a vendor writes

    @abstractmethod
    async def handle(self, request: Request) -> Reply:
        """Answer an undisturbed request."""

    @abstractmethod
    def overloaded(self, request: Request) -> Reply:
        """The reply to a request refused for load, in the vendor's words."""

    @abstractmethod
    def broken(self, request: Request) -> Reply:
        """A 5xx in the vendor's words."""

    @abstractmethod
    def unavailable(self, request: Request) -> Reply:
        """The 503 of an outage in the vendor's words."""

    @abstractmethod
    def expire_token(self, request: Request) -> None:
        """Let the access token of this request expire now, so that :meth:`handle` refuses it. Static ones stay."""

    @abstractmethod
    def objects(self) -> Mapping[str, Iterable[Mapping[str, Any]]]:
        """All objects held, by kind, as plain JSON values; archived ones marked the vendor's way."""

    def populate(self, world: World) -> None:
        """Let the people, companies and products of a world have been here always; before anything else happens. Fills
        :attr:`inhabitants`; neither the ledger nor webhooks tell of it."""
        raise NotImplementedError(f"{self.name} has no place for a world")

    def counts(self) -> dict[str, int]:
        """How many objects there are, by kind."""
        return {kind: sum(1 for _ in rows) for kind, rows in self.objects().items()}

    async def act(self, deed: Mapping[str, Any]) -> Any:
        """Something a simulated person does at the vendor: ``{"op": ..., ...}``; answers JSON. Raises ActError."""
        raise ActError(f"{self.name} knows no {deed.get('op')!r}")

    async def do(self, deed: Mapping[str, Any]) -> Any:
        """:meth:`act`, where ``op`` may also be a word that all vendors share. Raises ActError."""
        op = str(deed.get("op"))
        return await self.act({**deed, "op": self.words.get(op, op)})

    def endpoints(self) -> Mapping[str, str]:
        """Further doors by name, known once open, beside the one that ``url`` names."""
        return {}

    async def start(self) -> None:  # noqa: B027
        """Begin background work (webhook senders)."""

    async def stop(self) -> None:  # noqa: B027
        """End background work; also after a failed start."""

    # -- what the kit does

    def applied(
        self,
        effect: str,
        object: str,  # noqa: A002
        id: str,  # noqa: A002
        *,
        key: str = "",
        values: Mapping[str, Any] | None = None,
        actor: str = "",
        version: int = 0,
    ) -> None:
        """Note in the ledger that an effect is applied, at that moment and before any reply."""
        self.room.ledger.record(self.name, effect, object, id, key=key, values=values, actor=actor, version=version)

    async def serve(self, request: Request) -> Reply:
        """:meth:`handle` behind the disturbances. What listens on the vendor's port calls this."""
        self.requests += 1
        reply = await self._disturbed(request)
        status = 0 if reply.drop else reply.status
        self.replies[status] = self.replies.get(status, 0) + 1
        return reply

    async def _disturbed(self, request: Request) -> Reply:
        faults = self.room.faults
        fate = faults.next_request()
        if faults.outage:
            return self.unavailable(request) if faults.outage == "503" else Reply(drop=True)
        if fate.delay:
            await self.room.clock.sleep(fate.delay)
        match fate.kind:
            case "throttle":
                return self.overloaded(request)
            case "fail_before":
                return self.broken(request)
            case "html":
                page = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
                return Reply(502, page, content_type="text/html")
            case "expire_token":
                self.expire_token(request)
        reply = await self.handle(request)
        match fate.kind:
            case "fail_after":
                return self.broken(request)
            case "drop_after":
                return Reply(drop=True)
            case "truncate" if reply.body:
                return replace(reply, cut=True)
        return reply
