"""A served intake over a staging place that a test can hold, break and look into."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import orjson
import pytest

from syncd.intake.app import Intake
from syncd.intake.events import event_key
from syncd.intake.limits import Limits
from syncd.intake.reply import Reply
from syncd.intake.server import IntakeServer
from syncd.intake.signature import sign
from syncd.intake.sources import EventSource, SourceKeys
from syncd.intake.staging import GroupCommit, StageResult, StorageUnavailableError
from syncd.model.change import Change, ChangeKind, Channel
from syncd.runtime.clock import ManualClock, World
from syncd.systems.contract import CannotJudgeError, RefusedError, WebhookRequest

KEY = bytes(range(32))
OLD_KEY = bytes(range(1, 33))
TOKEN = "a-token-of-the-shop-0001"


class MemoryStaging:
    """Keeps changes in memory as the store does on disk."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Change] = {}
        self.groups: list[int] = []
        self.broken: Exception | None = None
        self.poison = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    async def stage(self, changes: Sequence[Change]) -> StageResult:
        self.entered.set()
        await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        if self.poison and any(change.dedupe_key == self.poison for change in changes):
            raise ValueError("a value that cannot be stored")
        self.groups.append(len(changes))
        repeated = set()
        for position, change in enumerate(changes):
            key = (change.connection, change.dedupe_key)
            if key in self.kept:
                repeated.add(position)
            self.kept.setdefault(key, change)
        return StageResult(len(changes) - len(repeated), len(repeated), frozenset(repeated))


def translate(connection, event, received_at, correlation_id):
    """Knows customers, breaks on one type, ignores the rest."""
    if event["type"] == "shop.broken":
        raise KeyError("somebody@example.com")
    if not event["type"].startswith("shop.customer"):
        return ()
    return (
        Change(
            connection=connection,
            object="customers",
            external_id=event.get("subject", ""),
            kind=ChangeKind.HINT,
            channel=Channel.EVENT,
            dedupe_key=event_key(event),
            received_at=received_at,
            payload=event.get("data"),
            correlation_id=correlation_id,
        ),
    )


class Hook:
    """A vendor's webhooks: the body says what happens."""

    def accept(self, request: WebhookRequest) -> Sequence[Change]:
        if request.body == b"refuse":
            raise RefusedError(401, "signature", "no signature matches")
        if request.body == b"stale":
            raise RefusedError(401, "timestamp", "too old")
        if request.body == b"blind":
            raise CannotJudgeError("no secret")
        if request.body == b"crash":
            raise RuntimeError("ada@example.com")
        return [
            Change("crm", "contacts", str(one), ChangeKind.HINT, Channel.WEBHOOK, f"hook {one}", request.received_at)
            for one in orjson.loads(request.body)
        ]


def keys() -> SourceKeys:
    return replace(SourceKeys.of(tokens=[TOKEN]), secrets=(KEY, OLD_KEY))


def shop(**changes) -> EventSource:
    return replace(EventSource("shop", "shop", translate, keys), **changes)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return orjson.loads(self.body)

    @property
    def check(self) -> str:
        return self.json["check"]


@dataclass
class House:
    """An intake with everything around it."""

    staging: MemoryStaging
    clock: ManualClock
    commit: GroupCommit
    intake: Intake
    server: IntakeServer | None = None
    answers: list[Reply] = field(default_factory=list)

    @property
    def port(self) -> int:
        assert self.server is not None
        return self.server.port

    async def ask(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Without a socket: straight into the intake."""
        future = asyncio.get_running_loop().create_future()
        self.intake.handle(method, target, headers, body, future.set_result)
        reply = await future
        return parse(reply.head + b"\r\n" + reply.body)

    async def post(self, body: bytes, path: str = "/v1/events/shop", **headers: str) -> Answer:
        return await self.ask("POST", path, {name.replace("_", "-"): text for name, text in headers.items()}, body)

    async def signed(self, event, *, path: str = "/v1/events/shop", key: bytes = KEY, shift: int = 0, **more) -> Answer:
        """A structured event with a signature made now (or ``shift`` seconds away)."""
        body = event if isinstance(event, bytes) else orjson.dumps(event)
        stamp = self.clock.now_ms() // 1000 + shift
        headers = {
            "content_type": "application/cloudevents+json",
            "webhook_id": "msg_1",
            "webhook_timestamp": str(stamp),
            "webhook_signature": sign("msg_1", stamp, body, key),
            **more,
        }
        return await self.post(body, path, **headers)


def parse(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split(" ")[1]), headers, body)


def event(number: int = 1, **attributes):
    return {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "/acme/customers",
        "type": "shop.customer.changed",
        "subject": f"c{number}",
        "data": {"id": f"c{number}"},
        **attributes,
    }


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
async def house(limits: Limits) -> AsyncIterator[House]:
    staging, clock = MemoryStaging(), ManualClock()
    commit = GroupCommit(staging)
    intake = Intake(
        commit=commit,
        world=World(clock=clock, dice=random.Random(1)),
        sources=[shop()],
        webhooks={"crm": Hook()},
        limits=limits,
    )
    await commit.start()
    yield House(staging, clock, commit, intake)
    staging.gate.set()
    await commit.stop(1)


@pytest.fixture
async def served(house: House) -> AsyncIterator[House]:
    house.server = IntakeServer(house.intake, World(clock=house.clock), port=0)
    await house.server.start()
    yield house
    await house.server.stop(0.2)


@pytest.fixture
def full() -> StorageUnavailableError:
    return StorageUnavailableError("storage")
