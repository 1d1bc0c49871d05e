"""Bulk jobs across a crash: asked about, not begun anew, and nothing of them looked up one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.engine.capture import change_of
from syncd.model.change import Channel, Lane
from syncd.model.delivery import Outcome
from syncd.model.failure import Failure, Remedy
from syncd.store import jobs
from syncd.systems.contract import VendorError, Verdict
from tests.engine.memory import CrashError
from tests.engine.rig import Rig

COUNT = 7


async def hydrated(rig: Rig) -> None:
    """Customers of the shop, staged as a first fill."""
    mapping = rig.flows.mapping("shop", "customers")
    assert mapping is not None
    rig.crm.bulk_batch = 100
    found = [
        rig.shop._snapshot("customers", rig.shop.put("customers", f"c{n}", email=f"c{n}@example.com", first_name="A"))
        for n in range(COUNT)
    ]
    now = rig.clock.now_ms()
    await rig.stage(*(change_of(mapping, one, Channel.HYDRATION, Lane.BULK, now) for one in found))


async def crashed(folder: Path, moment: str) -> Rig:
    """A hydration whose job the process did not outlive."""
    rig = await Rig.make(folder)
    await hydrated(rig)
    rig.crm.crash = moment
    with pytest.raises(CrashError):
        await rig.settle()
    return rig


async def left(rig: Rig) -> list[Any]:
    return await rig.database.read(jobs.noted)


@pytest.mark.parametrize("moment", ["begun", "uploaded", "ended"])
async def test_a_crash_at_any_moment_of_a_job_doubles_nothing_and_uploads_nothing_again(
    tmp_path: Path, moment: str
) -> None:
    rig = await crashed(tmp_path, moment)
    assert [len(one.keys) for one in await left(rig)] == [COUNT]
    rig = await rig.restart(tmp_path)
    await rig.settle(seconds=5)

    assert sorted(one["email"] for one in rig.crm.all("contacts").values()) == [
        f"c{n}@example.com" for n in range(COUNT)
    ]
    assert len(rig.crm.creates) == COUNT
    assert len(rig.crm.uploads) == 1
    assert rig.crm.calls.count("resume") == 1
    assert "find" not in rig.crm.calls
    assert await left(rig) == []
    assert await rig.open_deliveries() == []
    # The shadows are true: what changes next is all that is written.
    await rig.tell(rig.shop, "customers", "c3", first_name="Ada")
    written: list[Any] = []
    rig.crm.refuse = lambda _object, write: written.append(dict(write.values))
    await rig.settle(seconds=1)
    assert written == [{"first_name": "Ada"}]
    await rig.close()


async def test_what_changed_while_a_job_was_unheard_of_is_written_after_it(tmp_path: Path) -> None:
    rig = await crashed(tmp_path, "uploaded")
    rig = await rig.restart(tmp_path)
    await rig.tell(rig.shop, "customers", "c1", first_name="Newer")
    rig.crm.down = Failure(Remedy.RETRY, "503", "unwell", 503)
    courier = rig.couriers[1]
    courier.stopping.set()
    assert not await courier.step()
    rig.crm.down = None
    await rig.clock.advance(10)
    await rig.settle(seconds=3)

    names = {one["email"]: one["first_name"] for one in rig.crm.all("contacts").values()}
    assert names == {f"c{n}@example.com": "Newer" if n == 1 else "A" for n in range(COUNT)}
    assert len(rig.crm.creates) == COUNT
    await rig.close()


async def test_only_what_has_no_verdict_is_looked_up(tmp_path: Path) -> None:
    rig = await crashed(tmp_path, "uploaded")
    (name, verdicts), *_ = rig.crm.jobs.items()
    assert verdicts is not None
    refused = Verdict(verdicts[0].key, Outcome.FAILED, failure=Failure(Remedy.ASK, "INVALID", "no", single=True))
    rig.crm.jobs[name] = (refused, *verdicts[2:])
    rig = await rig.restart(tmp_path)
    looked: list[Any] = []
    real = rig.crm.find

    async def find(mapping: Any, keys: Any, lane: Any) -> Any:
        looked.extend(keys)
        return await real(mapping, keys, lane)

    rig.crm.find = find  # type: ignore[method-assign]
    await rig.settle(seconds=6)

    assert looked == [verdicts[1].key]
    assert [one.record_id for one in await rig.letters()] == [verdicts[0].key]
    assert await left(rig) == []
    await rig.close()


async def test_a_job_that_nobody_knows_any_more_is_looked_up_row_by_row(tmp_path: Path) -> None:
    rig = await crashed(tmp_path, "uploaded")
    rig = await rig.restart(tmp_path)

    async def unknown(*_args: Any) -> Any:
        raise VendorError(Failure(Remedy.GONE, "404", "no such job", 404))

    rig.crm.resume = unknown  # type: ignore[method-assign]
    await rig.settle(seconds=6)

    assert len(rig.crm.creates) == len(rig.crm.all("contacts")) == COUNT
    assert "find" in rig.crm.calls
    assert await left(rig) == []
    assert await rig.open_deliveries() == []
    await rig.close()
