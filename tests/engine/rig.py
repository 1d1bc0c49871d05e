"""A shop, a CRM and the engine between them, on a clock that stands still until told."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from syncd.engine import jobs, replay
from syncd.engine.capture import change_of
from syncd.engine.courier import Courier
from syncd.engine.flows import Flows
from syncd.engine.folder import Folder
from syncd.engine.health import Health
from syncd.engine.idle import IdleWatch
from syncd.engine.jobs import DurableJobBook
from syncd.engine.reader import Reader
from syncd.engine.replay import Chosen
from syncd.engine.signals import Signals
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.delivery import Action
from syncd.model.entity import ConflictPolicy, Entity, FieldDefinition, NullPolicy
from syncd.model.lens import Choice, LineItems, Plain, Prefixed, ReferenceId
from syncd.model.mapping import Capture, ChildMapping, Direction, FieldMapping, ObjectMapping, RelationMapping
from syncd.model.value import FieldType
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.metrics import Metrics
from syncd.store import changes, deliveries, letters, links, records, views
from syncd.store.database import Database
from tests.engine.memory import MemorySystem

SHOP, CRM = frozenset({"shop"}), frozenset({"crm"})


def entity(name: str, *fields: FieldDefinition, identity: tuple[str, ...] = (), title: tuple[str, ...] = ()) -> Entity:
    return Entity(name, {one.name: one for one in fields}, identity, title)


def entities() -> dict[str, Entity]:
    text = FieldType.TEXT
    customer = entity(
        "customer",
        FieldDefinition("email", FieldType.EMAIL, SHOP, personal=True),
        FieldDefinition("first_name", text, personal=True),
        FieldDefinition("phone", text, nulls=NullPolicy.IGNORE, personal=True),
        FieldDefinition("nickname", text, conflict=ConflictPolicy.ASK, personal=True),
        FieldDefinition("credit_limit", FieldType.MONEY, CRM),
        identity=("email",),
        title=("email",),
    )
    cart = entity(
        "cart",
        FieldDefinition("state", FieldType.CHOICE, SHOP),
        FieldDefinition("stage", FieldType.CHOICE, frozenset({"syncd"})),
        FieldDefinition("email", FieldType.EMAIL, SHOP),
        FieldDefinition("customer", FieldType.REFERENCE, SHOP, entity="customer"),
        FieldDefinition("items", FieldType.ITEMS, SHOP),
        FieldDefinition("touched_at", FieldType.INSTANT, SHOP),
        FieldDefinition("note", text, CRM),
        title=("email",),
    )
    return {"customer": customer, "cart": cart}


def plain_field(field: str, path: str = "", kind: FieldType = FieldType.TEXT, **more: Any) -> FieldMapping:
    return FieldMapping(field, (path or field,), Plain(kind), **more)


UPDATE, BOTH = frozenset({Action.UPDATE}), frozenset({Action.CREATE, Action.UPDATE})


def mappings() -> tuple[ObjectMapping, ...]:
    email, money, items = FieldType.EMAIL, FieldType.MONEY, FieldType.ITEMS
    names = ("first_name", "phone", "nickname")
    customers = ObjectMapping(
        "customer",
        "shop",
        "customers",
        (plain_field("email", kind=email), *map(plain_field, names), plain_field("credit_limit", kind=money)),
        key_path="key",
        write=UPDATE,
    )
    contacts = ObjectMapping(
        "customer",
        "crm",
        "contacts",
        (plain_field("email", kind=email), *map(plain_field, names), plain_field("credit_limit", kind=money)),
        key_path="syncd_id",
        write=BOTH,
    )
    carts = ObjectMapping(
        "cart",
        "shop",
        "carts",
        (
            plain_field("state", kind=FieldType.CHOICE),
            plain_field("email", kind=email),
            FieldMapping("customer", ("customerId",), ReferenceId("customer"), references="customers"),
            FieldMapping("items", ("lineItems",), LineItems()),
            plain_field("touched_at", "touched", FieldType.INSTANT),
        ),
    )
    stages = Choice({"abandoned": "abandoned_checkout", "ordered": "won", "emptied": "lost"})
    deals = ObjectMapping(
        "cart",
        "crm",
        "deals",
        (
            FieldMapping("email", ("dealname",), Prefixed("Abandoned Cart: ")),
            FieldMapping("stage", ("dealstage",), stages),
            plain_field("note", "description", direction=Direction.READ),
        ),
        key_path="syncd_id",
        constants={"pipeline": "ecommerce_pipeline"},
        write=BOTH,
        create_when="stage",
        relations=(RelationMapping("customer", "contacts", 3),),
        children=(
            ChildMapping(
                "items", "line_items", (plain_field("name"), plain_field("quantity", kind=FieldType.INTEGER)), 20
            ),
        ),
        capture=Capture(webhook=True),
    )
    del items
    return customers, contacts, carts, deals


@dataclass
class Rig:
    clock: ManualClock
    world: World
    database: Database
    shop: MemorySystem
    crm: MemorySystem
    flows: Flows
    signals: Signals
    health: Health
    folder: Folder
    idle: IdleWatch
    readers: list[Reader]
    couriers: list[Courier]
    _serial: int = field(default=0)

    @classmethod
    async def make(
        cls,
        folder: Path,
        *,
        before: Rig | None = None,
        kinds: Mapping[str, Entity] | None = None,
        mapped: Sequence[ObjectMapping] = (),
        **options: Any,
    ) -> Rig:
        """``kinds`` and ``mapped`` stand beside the usual entities and mappings, or instead of one of the name."""
        clock = before.clock if before else ManualClock()
        world = World(clock, random.Random(7))
        database = Database(folder / "state" / "syncd.db")
        await database.open()
        shop = before.shop if before else MemorySystem("shop", clock)
        crm = before.crm if before else MemorySystem("crm", clock, ordered_versions=False)
        for system in (shop, crm):
            system.book = DurableJobBook(system.connection, database, world)
        left = await database.write(partial(jobs.left, connections=["shop", "crm"]))
        await database.write(deliveries.recover)
        usual = {one.name: one for one in mappings()} | {one.name: one for one in mapped}
        known = entities() | dict(kinds or {})
        flows = Flows(known, tuple(usual.values()), {"shop": shop, "crm": crm}, cart_idle_ms=1000, **options)
        signals = Signals(clock)
        health = Health(flows.systems, clock, signals)
        parts = {
            "database": database,
            "flows": flows,
            "signals": signals,
            "health": health,
            "metrics": Metrics(clock),
            "world": world,
        }
        return cls(
            clock,
            world,
            database,
            shop,
            crm,
            flows,
            signals,
            health,
            Folder(**parts),
            IdleWatch(database=database, flows=flows, signals=signals, health=health, world=world),
            [Reader(name, **parts) for name in flows.systems],
            [Courier(name, 1, left=[one for one in left if one.connection == name], **parts) for name in flows.systems],
        )

    async def restart(self, folder: Path, **options: Any) -> Rig:
        """The daemon ended, however it did; the platforms live on."""
        await self.database.close()
        return await Rig.make(folder, before=self, **options)

    async def close(self) -> None:
        await self.database.close()

    async def settle(self, *, seconds: float = 0.0, rounds: int = 60) -> None:
        """Let everything happen that can happen now, then let time pass in small steps and go on."""
        end = self.clock.now_ms() + seconds * 1000
        for _ in range(rounds):
            busy = True
            while busy:
                busy = bool(await self.idle.step())
                for part in (*self.readers, self.folder, *self.couriers):
                    if part is self.folder or self.health.open(part._connection):
                        busy = await part.step() or busy
            if self.clock.now_ms() >= end:
                return
            await self.clock.advance(min(0.5, (end - self.clock.now_ms()) / 1000))
        raise AssertionError("never came to rest")

    async def stage(self, *staged: Change) -> changes.StageResult:
        return await self.database.write(partial(changes.stage, changes=staged))

    async def tell(self, system: MemorySystem, object_: str, id_: str, **data: Any) -> None:
        """A human edits in the platform, and the platform's news of it is staged."""
        thing = system.put(object_, id_, **data)
        mapping = self.flows.mapping(system.connection, object_)
        assert mapping is not None
        change = change_of(mapping, system._snapshot(object_, thing), Channel.POLL, Lane.LIVE, self.clock.now_ms())
        self._serial += 1
        await self.stage(change)

    async def hint(
        self, system: MemorySystem, object_: str, id_: str, *, payload: Any = None, kind: ChangeKind = ChangeKind.HINT
    ) -> None:
        self._serial += 1
        await self.stage(
            Change(
                system.connection,
                object_,
                id_,
                kind,
                Channel.WEBHOOK,
                f"hint:{self._serial}",
                self.clock.now_ms(),
                payload=payload,
            )
        )

    async def record(self, system: MemorySystem, object_: str, id_: str) -> Any:
        def read(tx: Any) -> Any:
            link = links.of_objects(tx, system.connection, object_, [id_]).get(id_)
            return records.load(tx, [link.record_id])[link.record_id] if link else None

        return await self.database.read(read)

    async def letters(self) -> list[letters.DeadLetter]:
        return await self.database.read(letters.select)

    async def open_deliveries(self) -> list[Any]:
        return await self.database.read(views.open_deliveries)

    async def replay(self, **options: Any) -> Any:
        edits = options.pop("edits", {})
        command = options.pop("command_id", f"c{self.clock.now_ms()}-{random.random()}")
        return await self.database.write(
            partial(
                replay.replay,
                flows=self.flows,
                chosen=Chosen(**options),
                command_id=command,
                who="ann",
                why="test",
                edits=edits,
                now=self.clock.now_ms(),
            )
        )
