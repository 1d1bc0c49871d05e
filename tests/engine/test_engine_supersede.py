"""Of an object that is told many times while others wait, only the newest state is folded and written."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.engine import folder
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.store import changes
from tests.engine.rig import Rig


def told(version: int, id_: str = "c1", at: int = 0, **more: Any) -> Change:
    data = {"email": f"{id_}@example.com", "first_name": f"name {version}"}
    kind = {"kind": ChangeKind.STATE, "payload": data} | more
    return Change(
        "shop", "customers", id_, channel=Channel.EVENT, dedupe_key=f"{id_}:{version}", received_at=at,
        occurred_at=at or version, version=str(version), **kind,
    )  # fmt: skip


@pytest.fixture
async def rig(tmp_path):
    made = await Rig.make(tmp_path)
    yield made
    await made.close()


async def stage(rig: Rig, *many: Change) -> None:
    await rig.database.write(lambda tx: changes.stage(tx, many))


async def rows(rig: Rig, sql: str) -> list[tuple[Any, ...]]:
    return await rig.database.read(lambda tx: tx.execute(sql).fetchall())


async def test_only_the_newest_state_is_folded_in_whatever_order_they_came(rig):
    await stage(rig, told(2), told(5), told(3))
    await rig.settle()
    assert [one["first_name"] for one in rig.crm.all("contacts").values()] == ["name 5"]
    assert await rows(rig, "SELECT version FROM records") == [(1,)]
    found = await rows(rig, "SELECT version, state, reason FROM changes ORDER BY id")
    assert found == [
        ("2", "dropped", "a newer version came too"),
        ("5", "folded", ""),
        ("3", "dropped", "a newer version came too"),
    ]


async def test_what_lies_behind_a_backlog_counts_too(rig):
    rig.folder._size = 1
    await stage(rig, told(1), told(1, "c2"), told(2), told(3))
    await rig.folder.step()
    assert await rows(rig, "SELECT external_id FROM changes WHERE state = 'staged'") == [("c2",)]
    assert await rows(rig, "SELECT fields ->> 'first_name' FROM records") == [("name 3",)]


async def test_the_latency_clock_starts_with_the_oldest_and_the_most_urgent_lane_counts(rig):
    await stage(rig, told(1, at=1000, lane=Lane.OPERATOR), told(2, at=9000, lane=Lane.BULK))
    await rig.folder.step()
    assert await rows(rig, "SELECT since_at, lane FROM deliveries WHERE connection = 'crm'") == [(1000, 0)]


@pytest.mark.parametrize("between", [{"partial": True}, {"kind": ChangeKind.DELETED, "payload": None}])
async def test_what_is_not_a_whole_state_keeps_its_place(rig, between):
    await stage(rig, told(1), told(2, **between), told(3))
    await rig.folder.step()
    assert await rows(rig, "SELECT count(*) FROM changes WHERE reason <> ''") == [(0,)]


async def test_every_step_of_a_cart_counts(rig):
    cart = {"state": "Active", "email": "a@example.com", "lineItems": [], "touched": "2026-11-02T08:00:00Z"}
    steps = [
        Change("shop", "carts", "k", ChangeKind.STATE, Channel.EVENT, f"k:{n}", n, n, str(n), {**cart, "n": n})
        for n in (1, 2, 3)
    ]
    await stage(rig, *steps)
    await rig.folder.step()
    assert await rows(rig, "SELECT count(*) FROM changes WHERE reason <> ''") == [(0,)]


async def test_a_poison_that_stands_for_others_is_parked_alone(rig, monkeypatch):
    real = folder.fold

    def fold(tx: Any, flows: Any, batch: Any, now: int, **more: Any) -> Any:
        if more.get("supersede") or any(one.version == "3" for one in batch):
            raise TypeError
        return real(tx, flows, batch, now, **more)

    monkeypatch.setattr(folder, "fold", fold)
    await stage(rig, told(1), told(2), told(3), told(1, "c2"))
    await rig.settle()
    assert await rows(rig, "SELECT version FROM changes WHERE state = 'parked'") == [("3",)]
    assert sorted(one["first_name"] for one in rig.crm.all("contacts").values()) == ["name 1", "name 2"]
