"""Deliver: claim what is due, compute the diff now, write, record every verdict.

Two units of work around one call of the system: :func:`claim` before it, :func:`settle` after it. Between them the
rows stand as ``sending``, so that a crash in the middle is known for what it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from syncd.engine import convert
from syncd.engine.flows import Flows
from syncd.engine.plan import Blocked, InStep, Plan, Send, Unfit, plan
from syncd.engine.verdict import REREAD_DELAY_MS, Next, after_failure, after_outage, unreachable
from syncd.engine.workset import forgotten
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.delivery import Action, Delivery, DeliveryState, Outcome
from syncd.model.diff import compare
from syncd.model.failure import Failure, Remedy, fingerprint
from syncd.model.mapping import DecodeError, ObjectMapping, decode
from syncd.model.record import Link, Record
from syncd.model.value import Value
from syncd.store import books, changes, deliveries, flights, jobs, letters, links, records
from syncd.store.database import Tx
from syncd.store.deliveries import Attempt, Move, Want
from syncd.store.erasure import REASON
from syncd.store.letters import DeadLetter
from syncd.systems.contract import Conversion, Snapshot, Verdict

SEEN: Final = "looked up: it is there"
AGAIN_MS: Final = 200


@dataclass(frozen=True, slots=True)
class Batch:
    """Claimed deliveries of one object, ready to send."""

    mapping: ObjectMapping
    lane: Lane
    sends: Sequence[Send]
    settled: int = 0
    """Deliveries that ended in the claim: in step, blocked, or unfit."""
    unchanged: int = 0
    died: int = 0
    blind: frozenset[str] = frozenset()
    """Records of which nobody knows what became of their children."""


@dataclass(slots=True)
class Settled:
    """What a settlement did; for wake-ups, metrics and the tail."""

    delivered: list[Delivery] = field(default_factory=list)
    again: int = 0
    died: list[tuple[Delivery, Failure]] = field(default_factory=list)
    retried: list[tuple[Delivery, Failure]] = field(default_factory=list)
    released: int = 0
    hinted: bool = False
    stop: Failure | None = None
    outage: Failure | None = None
    """The connection was not reached at all."""


def claim(tx: Tx, flows: Flows, connection: str, now: int, limit: int, paused: Sequence[str]) -> Batch | None:
    """Take what is due, plan it, and mark as ``sending`` what must be written. ``None`` when nothing is due."""
    rows = deliveries.due(tx, connection, now, limit, paused=paused)
    if not rows:
        return None
    mapping = flows.mapping(connection, rows[0].object)
    if mapping is None:
        hold(tx, rows, now)
        return Batch(_nowhere(rows[0]), rows[0].lane, (), settled=len(rows))
    unread = _unread(tx, rows)
    deliveries.move(
        tx, [Move(one.id, DeliveryState.WAITING, now, due_at=now + AGAIN_MS, reason=SEEN) for one in unread]
    )
    plans = _plans(tx, flows, mapping, [one for one in rows if one not in unread])
    sends = [one for one in plans if isinstance(one, Send)]
    deliveries.claim(tx, [one.delivery.id for one in sends], now)
    flights.depart(tx, [(one.delivery.id, (one.record.id, connection, mapping.object), _flight(one)) for one in sends])
    unfit = [one for one in plans if isinstance(one, Unfit)]
    _end_in_claim(tx, plans, unfit, now)
    unchanged = sum(isinstance(one, InStep) for one in plans)
    books.count(tx, {"unchanged": unchanged})
    lane = min((one.delivery.lane for one in sends), default=Lane.BULK)
    return Batch(mapping, lane, sends, len(rows) - len(sends), unchanged, len(unfit))


def _unread(tx: Tx, rows: Sequence[Delivery]) -> list[Delivery]:
    """Deliveries that were looked up and found, and of which what was found is not folded yet: the same would be sent
    twice."""
    looked = [one for one in rows if one.reason == SEEN]
    if not looked:
        return []
    place = (looked[0].connection, looked[0].object)
    held = links.of_records(tx, [one.record_id for one in looked])
    ids = {one.record_id: link.external_id for one in looked if (link := held.get(one.record_id, {}).get(place))}
    told = {one.external_id for one in changes.told_of(tx, *place, sorted(ids.values()))}
    return [one for one in looked if ids.get(one.record_id) in told]


def _flight(send: Send) -> dict[str, Value]:
    return {name: send.record.fields[name] for name in send.diff.names}


def hold(tx: Tx, rows: Sequence[Delivery], now: int) -> None:
    """Nothing says how to write these any more."""
    reason = "its mapping was removed from the configuration"
    deliveries.move(tx, [Move(one.id, DeliveryState.HELD, now, reason=reason) for one in rows])


def _nowhere(row: Delivery) -> ObjectMapping:
    return ObjectMapping(row.entity, row.connection, row.object, ())


def _plans(tx: Tx, flows: Flows, mapping: ObjectMapping, rows: Sequence[Delivery]) -> list[Plan]:
    loaded = records.load(tx, [one.record_id for one in rows], origins=False)
    wanted = {one.record_id for one in rows}
    references = [one.field for one in mapping.relations] + [one.field for one in mapping.fields if one.references]
    for record in loaded.values():
        wanted.update(str(record.fields[name]) for name in references if record.fields.get(name))
    linked = links.of_records(tx, sorted(wanted))

    def link_of(record_id: str, object_: str) -> Link | None:
        if record_id not in linked:
            linked.update(links.of_records(tx, [record_id]))
        return linked.get(record_id, {}).get((mapping.connection, object_))

    def comes(record_id: str, object_: str) -> bool:
        theirs = flows.mapping(mapping.connection, object_)
        if theirs is None or Action.CREATE not in theirs.write:
            return False
        if not theirs.create_when:
            return True
        if record_id not in parents:
            parents.update(records.load(tx, [record_id], origins=False))
        # One of whom nothing is known yet may come still; a guest of whom the vendor would want more will not.
        fields = parents[record_id].fields if record_id in parents else {}
        return not fields or fields.get(theirs.create_when) is not None

    parents: dict[str, Record] = {}
    fresh = [record for number, record in loaded.items() if link_of(number, mapping.object) is None]
    made_of = convert.leads(tx, flows, mapping, fresh)
    return [
        plan(
            mapping,
            one,
            loaded[one.record_id],
            link_of(one.record_id, mapping.object),
            link_of,
            comes,
            made_of.get(one.record_id),
        )
        if not forgotten(linked.get(one.record_id, {}).values())
        else InStep(one)
        for one in rows
    ]


def _end_in_claim(tx: Tx, plans: Sequence[Plan], unfit: Sequence[Unfit], now: int) -> None:
    moves: list[Move] = []
    in_step: list[int] = []
    for one in plans:
        match one:
            case InStep(delivery):
                moves.append(Move(delivery.id, DeliveryState.DONE, now, reason="in step"))
                in_step.append(delivery.id)
            case Blocked(delivery, parent, why):
                reason = why or f"waits for {parent}"
                moves.append(Move(delivery.id, DeliveryState.BLOCKED, now, parent_id=parent, reason=reason))
            case Unfit(delivery, problems):
                reason = "; ".join(f"{name}: {why}" for name, why in problems.items())
                moves.append(Move(delivery.id, DeliveryState.DEAD, now, attempt=True, reason=reason))
    deliveries.move(tx, moves)
    flights.arrived(tx, in_step)
    letters.resolve_deliveries(tx, in_step, now)
    letters.put(
        tx,
        [
            _letter(one.delivery, Failure(Remedy.ASK, "encode", "; ".join(one.problems.values()),
                                          fields=tuple(one.problems)), now)
            for one in unfit
        ],
    )  # fmt: skip


def settle(
    tx: Tx, flows: Flows, batch: Batch, verdicts: Sequence[Verdict], now: int, started: int, chance: float
) -> Settled:
    """Record every verdict: links and shadows, states, attempts, dead letters, parents released."""
    return _Settlement(tx, flows, batch.mapping, now, chance).run(batch, verdicts, now - started)


class _Settlement:
    def __init__(self, tx: Tx, flows: Flows, mapping: ObjectMapping, now: int, chance: float) -> None:
        self._tx = tx
        self._flows = flows
        self._mapping = mapping
        self._now = now
        self._chance = chance
        self._links: dict[str, Link] = {}
        """Links to save, by the vendor's id."""
        self._wants: list[Want] = []
        self._arrived: list[int] = []
        self._moves: list[Move] = []
        self._letters: list[DeadLetter] = []
        self._attempts: list[Attempt] = []
        self._hints: list[Change] = []
        self._parents: list[str] = []
        self._converted: list[tuple[Send, Conversion]] = []
        self._result = Settled()

    def run(self, batch: Batch, verdicts: Sequence[Verdict], duration_ms: int) -> Settled:
        told = {one.key: one for one in verdicts}
        self._result.outage = unreachable([one.failure for one in verdicts])
        ids = [one.record.id for one in batch.sends]
        # A fold may have run while the call was on its way.
        current = records.load(self._tx, ids, origins=False)
        linked = links.of_records(self._tx, ids)
        place = (self._mapping.connection, self._mapping.object)
        owners = links.of_objects(
            self._tx,
            *place,
            [one.external_id or (one.failure.existing_id or "" if one.failure else "") for one in verdicts],
        )
        for send in batch.sends:
            verdict = told.get(send.record.id) or _no_verdict(send)
            link = linked.get(send.record.id, {}).get(place)
            link = self._links.get(link.external_id, link) if link else None
            if link is not None and send.record.id in batch.blind:
                names = [child.field for child in self._mapping.children]
                link = replace(link, shadow=without_children(self._mapping, link.shadow, names))
            self._one(send, verdict, current[send.record.id], link, owners)
            if link is None or not link.erased:
                self._attempt(send, verdict, duration_ms)
        self._save()
        return self._result

    def _one(self, send: Send, verdict: Verdict, record: Record, link: Link | None, owners: Mapping[str, Link]) -> None:
        whole = verdict.outcome is not Outcome.FAILED
        if whole or verdict.main_applied:
            owner = self._links.get(verdict.external_id) or owners.get(verdict.external_id)
            if owner is not None and owner.record_id != record.id and not owner.gone:
                self._absorbed(send, verdict, link, owner)
                return
            if link is not None and link.erased:
                # The person was erased while the call was on its way.
                self._moves.append(Move(send.delivery.id, DeliveryState.DONE, self._now, reason=REASON))
                self._arrived.append(send.delivery.id)
                return
            if link is not None and not link.gone and verdict.external_id not in ("", link.external_id):
                # Merged away: the vendor wrote to the survivor.
                self._keep(replace(link, gone=True))
            link = self._link_after(send, verdict, link, whole=whole)
            self._keep(link)
            if not (send.link and send.link.external_id == link.external_id):
                self._parents.append(record.id)
            if send.write.converts is not None:
                self._converted.append((send, send.write.converts))
        if whole:
            self._arrived.append(send.delivery.id)
            self._applied(send.delivery, record, link)
        else:
            failure = verdict.failure or Failure(Remedy.LOOK, "no-verdict", "the vendor said nothing of this input")
            self._failed(send, failure, link, owners)

    def _absorbed(self, send: Send, verdict: Verdict, link: Link | None, owner: Link) -> None:
        """The vendor merged our object into that of another record, and our write went there: ours is gone, and
        theirs is put right."""
        if link is not None:
            self._keep(replace(link, gone=True))
        written = self._link_after(send, verdict, None, whole=False).shadow
        self._keep(replace(owner, shadow={**owner.shadow, **written}))
        one = send.delivery
        self._wants.append(
            Want(
                owner.record_id, one.entity, one.connection, one.object, one.lane, self._now, one.change_id,
                one.correlation_id, one.wanted_version,
            )
        )  # fmt: skip
        reason = f"merged into {owner.external_id}, which is {owner.record_id}"
        self._moves.append(Move(one.id, DeliveryState.DONE, self._now, reason=reason))
        self._result.again += 1

    def _keep(self, link: Link) -> None:
        self._links[link.external_id] = link

    def _applied(self, delivery: Delivery, record: Record, link: Link | None) -> None:
        if compare(self._mapping, record, link):
            # The record moved on while the call was on its way.
            self._moves.append(Move(delivery.id, DeliveryState.WAITING, self._now, due_at=self._now))
            self._result.again += 1
            return
        self._moves.append(Move(delivery.id, DeliveryState.DONE, self._now))
        self._result.delivered.append(delivery)

    def _failed(self, send: Send, failure: Failure, link: Link | None, owners: Mapping[str, Link]) -> None:
        delivery = send.delivery
        if self._result.outage is not None:
            step = after_outage(failure, self._now)
        else:
            step = after_failure(delivery, failure, self._now, self._chance, self._flows.retry)
        if step.link:
            owner = owners.get(step.link)
            stands = link is not None and not link.gone and link.external_id != step.link
            if stands or (owner is not None and owner.record_id != delivery.record_id and not owner.gone):
                whose = f"belongs to {owner.record_id} already" if owner else "holds the same values"
                text = f"{self._mapping.name} {step.link} {whose}: {failure.message}"
                failure = replace(failure, remedy=Remedy.ASK, code="identity-taken", message=text)
                step = Next(DeliveryState.DEAD, attempt=True, letter=True, link=step.link)
            else:
                self._keep(_bare_link(delivery, step.link))
                self._parents.append(delivery.record_id)
        if step.gone and link is not None:
            self._keep(replace(link, gone=True))
        elif step.gone and send.write.converts is not None:
            # The lead went meanwhile: it is told, and the record is made without it.
            self._hints += convert.converted(self._flows, delivery, send.write.converts, "", self._now)
            step = Next(DeliveryState.WAITING, self._now + REREAD_DELAY_MS, attempt=True)
        if step.reread:
            self._hint(delivery, step.link or (link.external_id if link else ""))
        reason = f"{failure.code}: {failure.message}"[:500]
        self._moves.append(Move(delivery.id, step.state, self._now, step.due_at, step.attempt, reason=reason))
        if step.stop:
            self._result.stop = failure
        if step.letter:
            rival = owners.get(step.link) if failure.code == "identity-taken" else None
            self._letters.append(_letter(delivery, failure, self._now, rival))
            self._result.died.append((delivery, failure))
        elif step.state is not DeliveryState.DONE:
            self._result.retried.append((delivery, failure))

    def _link_after(self, send: Send, verdict: Verdict, link: Link | None, *, whole: bool) -> Link:
        """The shadow after a write: what we sent, corrected by what the vendor says it stored."""
        fields = send.record.fields
        plain = {item.field for item in self._mapping.writable()}
        written = {name: fields[name] for name in send.diff.names if whole or name in plain}
        stored = self._stored(verdict.snapshot)
        base = link or Link(send.record.id, self._mapping.connection, self._mapping.object, verdict.external_id, {})
        sent = {name: value for name, value in base.sent.items() if name not in written}
        sent |= {name: value for name, value in written.items() if name in stored and stored[name] != value}
        children = {**base.children, **verdict.children}
        shadow = {**base.shadow, **written, **{k: v for k, v in stored.items() if k in written}}
        if not whole:
            shadow = without_children(self._mapping, shadow, send.diff.names)
        if whole:
            removed = {key for part in send.write.children for key in part.remove}
            children = {key: value for key, value in children.items() if key not in removed}
        return replace(
            base, external_id=verdict.external_id or base.external_id, sent=sent, shadow=shadow, children=children,
            version=verdict.snapshot.version if verdict.snapshot else base.version,
            modified_at=max(base.modified_at, verdict.snapshot.modified_at if verdict.snapshot else 0), gone=False,
        )  # fmt: skip

    def _stored(self, snapshot: Snapshot | None) -> dict[str, Value]:
        if snapshot is None:
            return {}
        entity = self._flows.entities[self._mapping.entity]
        references = {item.field for item in self._mapping.fields if item.references}
        try:
            told = decode(entity, self._mapping, snapshot.data, partial=True)
        except DecodeError as error:
            # What our lens cannot read back stays in the shadow as we sent it.
            told = error.readable
        return {name: value for name, value in told.items() if name not in references}

    def _hint(self, delivery: Delivery, external_id: str) -> None:
        self._hints.append(
            Change(
                connection=delivery.connection, object=delivery.object, external_id=external_id,
                kind=ChangeKind.HINT, channel=Channel.POLL, lane=delivery.lane, received_at=self._now,
                dedupe_key=f"reread:{delivery.id}:{delivery.attempts}:{self._now}",
                correlation_id=delivery.correlation_id,
            )
        )  # fmt: skip

    def _attempt(self, send: Send, verdict: Verdict, duration_ms: int) -> None:
        failure, delivery = verdict.failure, send.delivery
        self._attempts.append(
            Attempt(
                delivery.id, delivery.record_id, delivery.connection, delivery.object, self._now, duration_ms,
                send.diff.action, verdict.outcome, send.diff.names, _sent(send),
                code=failure.code if failure else "", message=failure.message if failure else "",
                status=failure.status if failure else 0, reply=failure.reply if failure else "",
                correlation_id=delivery.correlation_id,
            )
        )  # fmt: skip

    def _save(self) -> None:
        tx, result = self._tx, self._result
        # Links that went leave before those that came: a record has one live link per object.
        links.save(tx, sorted(self._links.values(), key=lambda one: not one.gone))
        deliveries.move(tx, self._moves)
        deliveries.want(tx, self._wants)
        flights.arrived(tx, self._arrived)
        deliveries.add_attempts(tx, self._attempts)
        letters.put(tx, self._letters)
        letters.resolve_deliveries(tx, [one.id for one in result.delivered], self._now)
        if self._parents:
            result.released = deliveries.release(tx, self._parents, self._mapping.connection)
        self._conversions()
        if self._hints:
            changes.stage(tx, self._hints)
            result.hinted = True
        jobs.forget(tx)
        books.count(tx, Counter(delivered=len(result.delivered), retries=len(result.retried), died=len(result.died)))

    def _conversions(self) -> None:
        for send, lead in self._converted:
            held = links.of_objects(self._tx, self._mapping.connection, lead.object, [lead.external_id])
            number = held[lead.external_id].record_id if lead.external_id in held else ""
            self._hints += convert.converted(self._flows, send.delivery, lead, number, self._now)


def settle_look(
    tx: Tx, mapping: ObjectMapping, rows: Sequence[Delivery], found: Mapping[str, Snapshot], now: int
) -> int:
    """Unknown deliveries were looked up: link what exists, and let all of them be compared and sent again."""
    linked = links.of_records(tx, [one.record_id for one in rows])
    hints: list[Change] = []
    parents: list[str] = []
    for one in rows:
        snapshot = found.get(one.record_id)
        place = (mapping.connection, mapping.object)
        if snapshot is None:
            continue
        link = linked.get(one.record_id, {}).get(place)
        parents.append(one.record_id)
        if link is None:
            links.save(tx, [_bare_link(one, snapshot.external_id)])
        elif mapping.children:
            # What the lost write did to the children, no reading of the object tells.
            names = [child.field for child in mapping.children]
            links.save(tx, [replace(link, shadow=without_children(mapping, link.shadow, names))])
        # Folding what stands there makes the shadow true before anything is written again: it overtakes whatever is
        # staged, else a backlog would let the delivery go first, and the same write would be sent twice.
        hints.append(
            Change(
                connection=mapping.connection, object=mapping.object, external_id=snapshot.external_id,
                kind=ChangeKind.STATE, channel=Channel.POLL, dedupe_key=f"look:{one.id}:{one.attempts}:{now}",
                received_at=now, occurred_at=snapshot.modified_at, version=snapshot.version,
                payload=dict(snapshot.data), partial=snapshot.partial, lane=Lane.OPERATOR,
                correlation_id=one.correlation_id,
            )
        )  # fmt: skip
    changes.stage(tx, hints)
    deliveries.release(tx, parents, mapping.connection)
    seen = {one.record_id for one in rows if one.record_id in found}
    flights.arrived(tx, [one.id for one in rows if one.record_id not in seen])
    deliveries.move(
        tx,
        [
            Move(one.id, DeliveryState.WAITING, now, due_at=now + (500 if one.record_id in seen else 0),
                 reason=SEEN if one.record_id in seen else "looked up: it is not there")
            for one in rows
        ],
    )  # fmt: skip
    return len(seen)


def without_children(mapping: ObjectMapping, shadow: Mapping[str, Value], names: Collection[str]) -> dict[str, Value]:
    """The shadow after a write whose children may or may not have arrived: they are not known."""
    lost = {child.field for child in mapping.children} & set(names)
    return {name: value for name, value in shadow.items() if name not in lost}


def _bare_link(delivery: Delivery, external_id: str) -> Link:
    """The record is that object; what stands there is not known yet, so the merge begins without a base."""
    return Link(delivery.record_id, delivery.connection, delivery.object, external_id, {})


def _no_verdict(send: Send) -> Verdict:
    failure = Failure(Remedy.LOOK, "no-verdict", "the system said nothing of this write")
    return Verdict(send.record.id, Outcome.FAILED, failure=failure)


def _sent(send: Send) -> dict[str, object]:
    sent: dict[str, object] = dict(send.write.values)
    if send.write.relations:
        sent["associations"] = [f"{one.object} {one.external_id}" for one in send.write.relations]
    for part in send.write.children:
        sent[part.object] = {one.key: dict(one.values) for one in part.upsert} | dict.fromkeys(part.remove)
    return sent


def _letter(delivery: Delivery, failure: Failure, now: int, rival: Link | None = None) -> DeadLetter:
    rivals = {"records": [rival.record_id, delivery.record_id]} if rival else {}
    return DeadLetter(
        kind="delivery", subject=str(delivery.id), entity=delivery.entity, connection=delivery.connection,
        object=delivery.object, fingerprint=fingerprint(delivery.connection, delivery.object, failure),
        code=failure.code, message=failure.message, at=now, change_id=delivery.change_id, delivery_id=delivery.id,
        record_id=delivery.record_id, fields=failure.fields, attempts=delivery.attempts + 1,
        detail={"status": failure.status, "reply": failure.reply} | rivals, correlation_id=delivery.correlation_id,
    )  # fmt: skip
