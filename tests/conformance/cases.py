"""The cases: what a system says it can do with an object, done.

Each case is a coroutine of a bench and a shape (and of a channel, where it is about news); ``applies`` tells from the
abilities and the subject alone whether it is run, so that the table can be written without running anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.model.merge import merge
from syncd.systems.contract import Abilities, MergingSystem, Snapshot, VendorError, Write
from tests.conformance.bench import Bench
from tests.conformance.subject import Shape, Subject, deletion, restoration, words

Applies = Callable[[Abilities, Subject, type[Bench]], bool]
MISHAPS = ("drop_after", "fail_after", "truncate")
GOING_ON = (Remedy.LOOK, Remedy.RETRY, Remedy.WAIT, Remedy.REREAD, Remedy.LINK)
"""What the engine carries through without a human."""


@dataclass(frozen=True)
class Case:
    name: str
    """The table's column."""
    run: Callable[[Bench, Shape], Awaitable[None]]
    applies: Applies

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


@dataclass(frozen=True)
class News:
    """A case about one kind of news; run once per channel that can tell it."""

    name: str
    kind: ChangeKind
    run: Callable[[Bench, Shape, Channel], Awaitable[None]]
    applies: Applies

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def _can(*actions: Action) -> Applies:
    return lambda abilities, _subject, _bench: set(actions) <= abilities.actions


def _creates_and(check: Applies) -> Applies:
    return lambda abilities, subject, bench: Action.CREATE in abilities.actions and check(abilities, subject, bench)


def _changes_and(check: Applies) -> Applies:
    return lambda abilities, subject, bench: (
        Action.UPDATE in abilities.actions and bool(subject.change) and check(abilities, subject, bench)
    )


def _always(_abilities: Abilities, _subject: Subject, _bench: type[Bench]) -> bool:
    return True


# --- what the cases share ---------------------------------------------------------------------------------------------


async def made(bench: Bench, shape: Shape) -> tuple[int, dict, Snapshot, dict]:
    """One of the kind, by our own write where the system can: its number, fields, what the vendor holds, its links."""
    number, links = bench.number(), await bench.links(shape)
    fields = bench.fields(shape, number, links)
    if Action.CREATE in bench.system.abilities(shape.name).actions:
        external_id = (await bench.write_one(shape, shape.create(number, fields, links))).external_id
    else:
        external_id = await bench.make(shape, fields, links)
    held = await bench.read(shape, external_id)
    assert held is not None, f"{shape.name} {external_id} was made, and cannot be read"
    return number, fields, held, links


def holds(shape: Shape, held: Snapshot, fields: dict, links: dict) -> None:
    """What was written stands there, as far as the mapping reads it."""
    told = shape.shadow(held, links)
    written = {name for name in shape.mapping.written if name in fields} & told.keys()
    assert {name: told[name] for name in written} == {name: fields[name] for name in written}


async def after(bench: Bench, shape: Shape, write: Write) -> str:
    """Carry a write through as the engine does after a mishap: looked up where its fate is unknown, and sent again."""
    for _ in range(8):
        verdict = (await bench.write(shape, [write]))[write.key]
        bench.disturb("none")
        if verdict.outcome is Outcome.APPLIED:
            return str(verdict.external_id)
        assert verdict.failure is not None
        assert verdict.failure.remedy in GOING_ON, words(verdict)
        await bench.settle()
        if verdict.failure.existing_id:
            return str(verdict.failure.existing_id)
        if write.action is Action.CREATE and verdict.failure.remedy is Remedy.LOOK:
            found = await bench.during(bench.system.find(shape.mapping, [write.key], Lane.LIVE))
            if write.key in found:
                return str(found[write.key].external_id)
        elif verdict.failure.remedy is Remedy.REREAD:
            held = await bench.read(shape, write.external_id)
            assert held is not None
            return held.external_id
    raise AssertionError(f"never applied: {words(verdict)}")


# --- writing ----------------------------------------------------------------------------------------------------------


async def create(bench: Bench, shape: Shape) -> None:
    number, fields, held, links = await made(bench, shape)
    holds(shape, held, fields, links)
    if bench.system.abilities(shape.name).keyed:
        await bench.settle()
        found = await bench.during(bench.system.find(shape.mapping, [shape.key(number), "nobody"], Lane.LIVE))
        assert {key: one.external_id for key, one in found.items()} == {shape.key(number): held.external_id}


async def everything(bench: Bench, shape: Shape) -> list[str]:
    """The ids of all there are."""
    seen: list[str] = []
    cursor, more = None, True
    while more:
        page = await bench.during(bench.system.scan(shape.mapping, cursor, Lane.BULK))
        seen += [one.external_id for one in page.snapshots]
        cursor, more = page.cursor, page.more
    return seen


async def scan(bench: Bench, shape: Shape) -> None:
    _number, _fields, held, _links = await made(bench, shape)
    seen, cursor, more = [], None, True
    while more:
        page = await bench.during(bench.system.scan(shape.mapping, cursor, Lane.BULK))
        assert not page.more or page.cursor != cursor or not page.snapshots, "a scan with more to come goes on"
        seen += page.snapshots
        cursor, more = page.cursor, page.more
    ids = [one.external_id for one in seen]
    assert ids.count(held.external_id) == 1
    assert len(ids) == len(set(ids)), "a scan tells everything once"
    told = next(one for one in seen if one.external_id == held.external_id)
    assert shape.decode(told.data) == shape.decode(held.data), "a scan tells what a read tells"


async def update(bench: Bench, shape: Shape) -> None:
    number, _fields, held, links = await made(bench, shape)
    verdict = await bench.write_one(shape, shape.update(number, shape.subject.change, held, links))
    assert verdict.external_id in ("", held.external_id)
    now = await bench.read(shape, held.external_id)
    assert now is not None
    holds(shape, now, dict(shape.subject.change), links)
    untouched = {k: v for k, v in shape.shadow(held, links).items() if k not in shape.subject.change}
    told = shape.shadow(now, links)
    volatile = {one.field for one in shape.mapping.fields if one.direction == "read"}
    assert {k: told.get(k) for k in untouched if k not in volatile} == {
        k: v for k, v in untouched.items() if k not in volatile
    }, "an update leaves alone what it does not name"


async def clear(bench: Bench, shape: Shape) -> None:
    number, fields, held, links = await made(bench, shape)
    name = shape.subject.clear
    assert fields[name] is not None
    await bench.write_one(shape, shape.update(number, {name: None}, held, links))
    now = await bench.read(shape, held.external_id)
    assert now is not None
    assert shape.shadow(now, links)[name] is None


async def twice(bench: Bench, shape: Shape) -> None:
    number, fields, held, links = await made(bench, shape)
    again = await bench.write_one(shape, shape.create(number, fields, links))
    assert again.external_id == held.external_id
    assert bench.living(shape, shape.key(number)) == 1


async def bad(bench: Bench, shape: Shape) -> None:
    writes = []
    for _ in range(3):
        number, links = bench.number(), await bench.links(shape)
        writes.append(shape.create(number, bench.fields(shape, number, links), links))
    refused = writes[1]
    writes[1] = Write(
        refused.key, refused.action, {**refused.values, **shape.subject.bad}, relations=refused.relations,
        children=refused.children,
    )  # fmt: skip
    verdicts = await bench.write(shape, writes)
    assert [verdicts[one.key].outcome for one in (writes[0], writes[2])] == [Outcome.APPLIED] * 2
    failed = verdicts[refused.key]
    assert failed.outcome is Outcome.FAILED
    assert failed.failure is not None
    assert failed.failure.remedy is Remedy.ASK, words(failed)
    assert failed.failure.message
    assert bench.living(shape, refused.key) == 0


async def delete(bench: Bench, shape: Shape) -> None:
    number, _fields, held, links = await made(bench, shape)
    await bench.write_one(shape, deletion(shape, number, held.external_id, held.version))
    await bench.settle()
    assert await bench.read(shape, held.external_id) is None
    again = (await bench.write(shape, [deletion(shape, number, held.external_id)]))[shape.key(number)]
    gone = again.failure is not None and again.failure.remedy is Remedy.GONE
    assert again.outcome is Outcome.APPLIED or gone, words(again)
    if Action.UPDATE in bench.system.abilities(shape.name).actions and shape.subject.change:
        write = shape.update(number, shape.subject.change, held, links)
        verdict = (await bench.write(shape, [write]))[write.key]
        assert verdict.failure is not None
        assert verdict.failure.remedy is Remedy.GONE, words(verdict)


async def restore(bench: Bench, shape: Shape) -> None:
    number, _fields, held, _links = await made(bench, shape)
    await bench.write_one(shape, deletion(shape, number, held.external_id, held.version))
    await bench.write_one(shape, restoration(shape, number, held.external_id))
    back = await bench.read(shape, held.external_id)
    assert back is not None
    assert shape.decode(back.data).keys() == shape.decode(held.data).keys()


async def bulk(bench: Bench, shape: Shape) -> None:
    writes, expected = [], {}
    for _ in range(5):
        number, links = bench.number(), await bench.links(shape)
        fields = bench.fields(shape, number, links)
        writes.append(shape.create(number, fields, links))
        expected[shape.key(number)] = (fields, links)
    verdicts = await bench.write(shape, writes, Lane.BULK)
    for key, verdict in verdicts.items():
        assert verdict.outcome is Outcome.APPLIED, words(verdict)
        held = await bench.read(shape, verdict.external_id)
        assert held is not None
        holds(shape, held, *expected[key])
        assert bench.living(shape, key) == 1


async def combine(bench: Bench, shape: Shape) -> None:
    _one, _fields, survivor, _links = await made(bench, shape)
    _two, _fields, loser, _links = await made(bench, shape)
    assert isinstance(bench.system, MergingSystem)
    (verdict,) = await bench.during(
        bench.system.merge(shape.mapping, survivor.external_id, [loser.external_id], Lane.OPERATOR)
    )
    assert verdict.outcome is Outcome.APPLIED, words(verdict)
    stands = verdict.external_id or survivor.external_id
    await bench.settle()
    assert (await bench.read(shape, stands)) is not None
    told = await bench.read(shape, loser.external_id)
    assert told is None or stands in {told.external_id, told.merged_into}


# --- troubles ---------------------------------------------------------------------------------------------------------


async def conflict(bench: Bench, shape: Shape) -> None:
    number, _fields, held, links = await made(bench, shape)
    await bench.edit(shape, held.external_id, shape.subject.change)
    between = await bench.read(shape, held.external_id)
    assert between is not None
    name = next(iter(shape.subject.change))
    stale = shape.update(number, {name: shape.subject.sample(bench.number())[name]}, held, links)
    if not stale.values:
        stale = shape.update(number, {name: None}, held, links)
    verdict = (await bench.write(shape, [stale]))[stale.key]
    assert verdict.failure is not None, words(verdict)
    assert verdict.failure.remedy is Remedy.REREAD, words(verdict)
    now = await bench.read(shape, held.external_id)
    assert now is not None
    assert shape.decode(now.data) == shape.decode(between.data), "a stale write changes nothing"


async def expired(bench: Bench, shape: Shape) -> None:
    _number, _fields, held, _links = await made(bench, shape)
    bench.expire_token()
    assert await bench.read(shape, held.external_id) is not None
    if Action.CREATE in bench.system.abilities(shape.name).actions:
        bench.expire_token()
        await made(bench, shape)


async def throttled(bench: Bench, shape: Shape) -> None:
    number, fields, held, links = await made(bench, shape)
    passing = (Remedy.WAIT, Remedy.RETRY)
    links = await bench.links(shape)
    bench.disturb("throttle=1")
    try:
        with pytest.raises(VendorError) as refused:
            await bench.read(shape, held.external_id)
        assert refused.value.failure.remedy in passing, refused.value.failure
        if Action.CREATE not in bench.system.abilities(shape.name).actions:
            return
        number = bench.number()
        fields = bench.fields(shape, number, links)
        write = shape.create(number, fields, links)
        verdict = (await bench.write(shape, [write]))[write.key]
        assert verdict.failure is not None
        assert verdict.failure.remedy in passing, words(verdict)
    finally:
        bench.disturb("none")
        await bench.settle()
    assert bench.living(shape, write.key) == 0
    await bench.write_one(shape, write)


async def mishaps(bench: Bench, shape: Shape) -> None:
    """Applied, and then the answer was lost: in the end there is one, holding what was sent."""
    abilities = bench.system.abilities(shape.name)
    for mishap in MISHAPS:
        number, links = bench.number(), await bench.links(shape)
        fields = bench.fields(shape, number, links)
        write = shape.create(number, fields, links)
        before = () if abilities.keyed else await everything(bench, shape)
        try:
            bench.disturb(f"{mishap}=1")
            external_id = await after(bench, shape, write)
        finally:
            bench.disturb("none")
        await bench.settle()
        if abilities.keyed:
            assert bench.living(shape, write.key) == 1, f"after {mishap}"
            # Whatever of the first try is lacking (associations, children) is there once it was written again.
            external_id = (await bench.write_one(shape, write)).external_id or external_id
        else:
            now_there = await everything(bench, shape)
            assert len(set(now_there) - set(before)) == 1, f"after {mishap}: doubled"
        held = await bench.read(shape, external_id)
        assert held is not None
        holds(shape, held, fields, links)
        if Action.UPDATE in abilities.actions and shape.subject.change:
            try:
                bench.disturb(f"{mishap}=1")
                await after(bench, shape, shape.update(number, shape.subject.change, held, links))
            finally:
                bench.disturb("none")
            now = await bench.read(shape, external_id)
            assert now is not None
            holds(shape, now, dict(shape.subject.change), links)


async def schema(bench: Bench, shape: Shape) -> None:
    """A mapped field is taken away at the vendor: only what sets it fails, and says which."""
    number, fields, held, links = await made(bench, shape)
    path = await bench.drop_field(shape)
    try:
        assert await bench.read(shape, held.external_id) is not None, "the rest is still read"
        name = next(one.field for one in shape.mapping.fields if path in one.paths)
        if Action.CREATE in bench.system.abilities(shape.name).actions:
            writes = []
            for sets in (True, False):
                number = bench.number()
                fields = bench.fields(shape, number, links)
                writes.append(shape.create(number, {k: v for k, v in fields.items() if sets or k != name}, links))
            verdicts = await bench.write(shape, writes)
            assert verdicts[writes[1].key].outcome is Outcome.APPLIED, words(verdicts[writes[1].key])
            failed = verdicts[writes[0].key]
            assert failed.failure is not None
            assert failed.failure.remedy is Remedy.ASK, words(failed)
            told = f"{failed.failure.fields} {failed.failure.message}"
            assert path.rpartition(".")[2] in told, told
    finally:
        await bench.regain_field(shape, path)


# --- news -------------------------------------------------------------------------------------------------------------


async def heard(bench: Bench, shape: Shape, channel: Channel, deed: Callable[[], Awaitable[None]], fits: Callable[[Change], Awaitable[bool]]) -> list[Change]:  # fmt: skip
    """Listen, let it happen, and wait until a change fits; all that was told."""
    ear = await bench.ear(shape, channel)
    told: list[Change] = []
    try:
        await deed()
        for _ in range(400):
            fresh = await bench.during(ear.news())
            told += fresh
            for one in fresh:
                if await fits(one):
                    return told
            await bench.settle()
        raise AssertionError(f"{channel.value} never told; it told {[(one.kind, one.external_id) for one in told]}")
    finally:
        await ear.close()


async def holding(bench: Bench, shape: Shape, change: Change, external_id: str, fields: dict, links: dict) -> bool:
    """The change tells these values, or hints at an object that holds them."""
    if change.external_id != external_id or change.kind not in (ChangeKind.STATE, ChangeKind.HINT):
        return False
    if change.kind is ChangeKind.HINT:
        held = await bench.read(shape, external_id)
        told = shape.shadow(held, links) if held else {}
    else:
        told = shape.decode(change.payload, partial=change.partial)
    readable = {one.field for one in shape.mapping.readable() if not one.references}
    wanted = {name: value for name, value in fields.items() if name in readable}
    return all(told.get(name) == value for name, value in wanted.items())


async def told_new(bench: Bench, shape: Shape, channel: Channel) -> None:
    links = await bench.links(shape)
    fields = bench.fields(shape, bench.number(), links)
    new = ""

    async def deed() -> None:
        nonlocal new
        new = await bench.make(shape, fields, links)

    await heard(bench, shape, channel, deed, lambda one: holding(bench, shape, one, new, {}, links))


async def told_changed(bench: Bench, shape: Shape, channel: Channel) -> None:
    _number, _fields, held, links = await made(bench, shape)
    await bench.settle()
    await heard(
        bench, shape, channel, lambda: bench.edit(shape, held.external_id, shape.subject.change),
        lambda one: holding(bench, shape, one, held.external_id, dict(shape.subject.change), links),
    )  # fmt: skip


async def told_deleted(bench: Bench, shape: Shape, channel: Channel) -> None:
    _number, _fields, held, _links = await made(bench, shape)
    await bench.settle()

    async def fits(one: Change) -> bool:
        if one.external_id != held.external_id:
            return False
        return one.kind is ChangeKind.DELETED or (
            one.kind is ChangeKind.HINT and await bench.read(shape, one.external_id) is None
        )

    await heard(bench, shape, channel, lambda: bench.remove(shape, held.external_id), fits)


async def told_restored(bench: Bench, shape: Shape, channel: Channel) -> None:
    _number, _fields, held, links = await made(bench, shape)
    await bench.remove(shape, held.external_id)
    await bench.settle()
    await heard(
        bench, shape, channel, lambda: bench.restore(shape, held.external_id),
        lambda one: holding(bench, shape, one, held.external_id, {}, links),
    )  # fmt: skip


async def told_merged(bench: Bench, shape: Shape, channel: Channel) -> None:
    _one, _fields, survivor, _links = await made(bench, shape)
    _two, _fields, loser, _links = await made(bench, shape)
    await bench.settle()
    stands = ""

    async def deed() -> None:
        nonlocal stands
        stands = await bench.merge(shape, survivor.external_id, loser.external_id)

    async def fits(one: Change) -> bool:
        if one.kind is not ChangeKind.MERGED:
            return False
        return str(one.payload["into"]) == stands and loser.external_id in map(str, one.payload["from"])

    await heard(bench, shape, channel, deed, fits)


async def told_erased(bench: Bench, shape: Shape, channel: Channel) -> None:
    _number, _fields, held, _links = await made(bench, shape)
    await bench.settle()

    async def fits(one: Change) -> bool:
        return one.kind is ChangeKind.ERASED and one.external_id == held.external_id

    await heard(bench, shape, channel, lambda: bench.erase(shape, held.external_id), fits)


async def own_writes(bench: Bench, shape: Shape, channel: Channel) -> None:
    """News of our own write, folded as the engine folds it, decides nothing: it costs no write."""
    number, fields, before, links = await made(bench, shape)
    await bench.settle()
    ear = await bench.ear(shape, channel)
    try:
        await bench.write_one(shape, shape.update(number, shape.subject.change, before, links))
        held = await bench.read(shape, before.external_id)
        assert held is not None
        # What we hold now: the record as it was written, and the shadow of what the vendor stored of it.
        mine = {**fields, **shape.shadow(before, links), **shape.subject.change}
        shadow = {**shape.shadow(held, links)}
        for _ in range(5):
            for one in await bench.during(ear.news()):
                if one.external_id != held.external_id:
                    continue
                assert one.kind in (ChangeKind.STATE, ChangeKind.HINT), one
                if one.kind is ChangeKind.HINT:
                    again = await bench.read(shape, one.external_id)
                    assert again is not None
                    theirs = shape.shadow(again, links)
                else:
                    told = Snapshot(one.object, one.external_id, one.payload, one.version, one.occurred_at)
                    theirs = shape.shadow(told, links) if not one.partial else shape.decode(one.payload, partial=True)
                references = {item.field for item in shape.mapping.fields if item.references}
                theirs = {name: value for name, value in theirs.items() if not (one.partial and name in references)}
                merged = merge(shape.entity, shape.mapping.connection, base=shadow, mine=mine, theirs=theirs)
                assert not merged.changed, merged.decisions
            await bench.settle()
    finally:
        await ear.close()


CASES: tuple[Case, ...] = (
    Case("create", create, _can(Action.CREATE)),
    Case("hydrate", scan, lambda abilities, _subject, _bench: abilities.scans),
    Case("update", update, _changes_and(_always)),
    Case("clear", clear, _changes_and(lambda _abilities, subject, _bench: bool(subject.clear))),
    Case("upsert twice", twice, _creates_and(lambda abilities, _subject, _bench: abilities.keyed)),
    Case("one bad in a batch", bad, _creates_and(lambda _abilities, subject, _bench: bool(subject.bad))),
    Case("delete", delete, _can(Action.CREATE, Action.DELETE)),
    Case("restore", restore, _can(Action.CREATE, Action.DELETE, Action.RESTORE)),
    Case("bulk job", bulk, _creates_and(lambda abilities, _subject, _bench: abilities.bulk)),
    Case("merge", combine, _creates_and(lambda abilities, _subject, _bench: abilities.merges)),
    Case("stale version", conflict, _changes_and(lambda abilities, _subject, _bench: abilities.versioned)),
    Case("token lapses", expired, lambda _abilities, _subject, bench: bench.tokens_expire),
    Case("429", throttled, _always),
    Case("lost answer", mishaps, _creates_and(lambda abilities, _subject, _bench: abilities.keyed or abilities.scans)),
    Case("field taken away", schema, _creates_and(lambda _abilities, subject, _bench: subject.drops)),
)

NEWS: tuple[News, ...] = (
    News("new", ChangeKind.STATE, told_new, lambda _abilities, subject, _bench: not subject.unmade),
    News("changed", ChangeKind.STATE, told_changed, lambda _abilities, subject, _bench: bool(subject.change)),
    News("deleted", ChangeKind.DELETED, told_deleted, _always),
    News("restored", ChangeKind.STATE, told_restored, lambda _abilities, subject, _bench: subject.restores),
    News("merged", ChangeKind.MERGED, told_merged, _always),
    News("erased", ChangeKind.ERASED, told_erased, _always),
    News("own write", ChangeKind.STATE, own_writes, _changes_and(_always)),
)
