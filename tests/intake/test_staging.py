from __future__ import annotations

import asyncio

import pytest

from syncd.intake.staging import GroupCommit, GroupLimits, StageResult, StorageUnavailableError
from syncd.model.change import Change, ChangeKind, Channel

from .conftest import MemoryStaging


def change(key: str) -> Change:
    return Change("shop", "customers", key, ChangeKind.HINT, Channel.EVENT, key, 0)


@pytest.fixture
async def staging():
    return MemoryStaging()


async def test_those_who_wait_together_share_one_commit(staging):
    commit = GroupCommit(staging)
    await commit.start()
    results = await asyncio.gather(*(commit.stage([change(f"k{n}")]) for n in range(50)))
    assert results == [StageResult(1, 0)] * 50
    assert staging.groups == [50]
    await commit.stop()


async def test_the_next_group_forms_while_the_previous_one_commits(staging):
    commit = GroupCommit(staging)
    await commit.start()
    staging.gate.clear()
    first = asyncio.create_task(commit.stage([change("a")]))
    await staging.entered.wait()
    others = [asyncio.create_task(commit.stage([change(key)])) for key in "bcd"]
    await asyncio.sleep(0)
    assert commit.waiting == 3
    staging.gate.set()
    await asyncio.gather(first, *others)
    assert staging.groups == [1, 3]
    await commit.stop()


async def test_each_is_told_its_own_duplicates(staging):
    commit = GroupCommit(staging)
    await commit.start()
    await commit.stage([change("a")])
    results = await asyncio.gather(
        commit.stage([change("a"), change("b")]), commit.stage([change("c")]), commit.stage([change("b")])
    )
    assert [(one.staged, one.duplicates) for one in results] == [(1, 1), (1, 0), (0, 1)]
    await commit.stop()


async def test_groups_are_bounded_by_count_and_by_bytes(staging):
    commit = GroupCommit(staging, limits=GroupLimits(group_changes=4, group_bytes=100))
    await commit.start()
    await asyncio.gather(*(commit.stage([change(f"k{n}")], 10) for n in range(10)))
    await asyncio.gather(*(commit.stage([change(f"w{n}")], 60) for n in range(3)))
    assert staging.groups == [4, 4, 2, 1, 1, 1]
    await commit.stop()


async def test_a_full_queue_refuses_at_once_but_takes_one_however_large(staging):
    commit = GroupCommit(staging, limits=GroupLimits(waiting_changes=2, waiting_bytes=100))
    await commit.start()
    staging.gate.clear()
    first = asyncio.create_task(commit.stage([change("a")]))
    await staging.entered.wait()
    large = asyncio.create_task(commit.stage([change("b")], 1000))
    await asyncio.sleep(0)
    with pytest.raises(StorageUnavailableError) as caught:
        await commit.stage([change("c")], 1)
    assert caught.value.reason == "queue-full"
    staging.gate.set()
    await asyncio.gather(first, large)
    await commit.stop()


async def test_a_storage_that_cannot_fails_all_and_then_goes_on(staging):
    commit = GroupCommit(staging)
    await commit.start()
    staging.broken = StorageUnavailableError("storage")
    failed = await asyncio.gather(*(commit.stage([change(key)]) for key in "ab"), return_exceptions=True)
    assert [type(one) for one in failed] == [StorageUnavailableError] * 2
    staging.broken = None
    assert await commit.stage([change("a")]) == StageResult(1, 0)
    await commit.stop()


async def test_one_that_cannot_be_stored_does_not_fail_its_neighbours(staging):
    commit = GroupCommit(staging)
    await commit.start()
    staging.poison = "b"
    results = await asyncio.gather(*(commit.stage([change(key)]) for key in "abc"), return_exceptions=True)
    assert results[0] == results[2] == StageResult(1, 0)
    assert isinstance(results[1], StorageUnavailableError)
    await commit.stop()


async def test_consumers_hear_of_what_is_new_after_the_commit(staging):
    heard = []
    commit = GroupCommit(staging, announce=lambda result: heard.append((result.staged, len(staging.kept))))
    await commit.start()
    await commit.stage([change("a")])
    await commit.stage([change("a")])
    assert heard == [(1, 1)]
    await commit.stop()


async def test_stopping_finishes_what_waits_and_takes_no_more(staging):
    commit = GroupCommit(staging)
    await commit.start()
    staging.gate.clear()
    waiting = [asyncio.create_task(commit.stage([change(key)])) for key in "ab"]
    await staging.entered.wait()
    stopping = asyncio.create_task(commit.stop())
    await asyncio.sleep(0)
    with pytest.raises(StorageUnavailableError):
        await commit.stage([change("c")])
    staging.gate.set()
    await stopping
    assert [one.staged for one in await asyncio.gather(*waiting)] == [1, 1]


async def test_a_commit_that_outlasts_the_deadline_leaves_nobody_waiting(staging):
    commit = GroupCommit(staging)
    await commit.start()
    staging.gate.clear()
    first = asyncio.create_task(commit.stage([change("a")]))
    await staging.entered.wait()
    second = asyncio.create_task(commit.stage([change("b")]))
    await asyncio.sleep(0)
    await commit.stop(0.01)
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [str(one) for one in outcomes] == ["stopped", "stopped"]


async def test_a_cancelled_caller_does_not_take_its_changes_back(staging):
    commit = GroupCommit(staging)
    await commit.start()
    staging.gate.clear()
    task = asyncio.create_task(commit.stage([change("a")]))
    await staging.entered.wait()
    task.cancel()
    staging.gate.set()
    assert await commit.stage([change("a")]) == StageResult(0, 1, frozenset({0}))
    await commit.stop()
