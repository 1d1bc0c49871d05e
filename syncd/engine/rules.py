"""What follows from a merge without anybody having said it: a cart's stage, and whose a guest's cart is."""

from __future__ import annotations

from typing import Final

from syncd.engine.workset import Workset, evolve
from syncd.model import cart
from syncd.model.change import Change
from syncd.model.merge import Decision, Rule
from syncd.model.record import Origin, Record, record_id
from syncd.model.value import ABSENT, Value, instant_to_ms

INTERNAL: Final = "syncd"
"""The origin of fields that syncd derives."""


def derived(
    work: Workset, change: Change, entity: str, former: Record | None, fields: dict[str, Value]
) -> list[Decision]:
    """Complete freshly merged fields in place; what was derived, as decisions."""
    decisions = []
    definition = work.flows.entities[entity]
    if {"email", "customer"} <= definition.fields.keys():
        decisions += _belongs(work, change, fields)
    if entity == "cart":
        decisions += _stage(former, fields, work.flows.cart_idle_ms)
    return decisions


def _belongs(work: Workset, change: Change, fields: dict[str, Value]) -> list[Decision]:
    """A cart or order without an e-mail has its customer's; a guest's, known by e-mail only, gets a customer."""
    if fields.get("customer") and not fields.get("email"):
        work.load_records((fields["customer"],))
        owner = work.records.get(fields["customer"])
        if owner is not None and owner.fields.get("email"):
            return [_set(fields, "email", owner.fields["email"])]
    if fields.get("email") and not fields.get("customer") and "customer" in work.flows.entities:
        return [_set(fields, "customer", _guest(work, change, fields["email"]))]
    return []


def _guest(work: Workset, change: Change, email: str) -> str:
    known = work.identified("customer", "email", email)
    if known:
        return min(known)
    origin = Origin(change.connection, change.id, change.occurred_at or change.received_at)
    number = record_id("customer", change.connection, "guest", email)
    work.load_records((number,))
    former = work.records.get(number)
    if former is not None:
        # It had this address before and was given another since.
        return number
    guest = Record(number, "customer", {"email": email}, {"email": origin}, 1, work.now)
    work.put_record(guest, None)
    work.decided(change, guest, [Decision("email", Rule.TAKEN, email, ABSENT, ABSENT, email)])
    work.touch(number, change)
    return number


def _stage(former: Record | None, fields: dict[str, Value], idle_ms: int) -> list[Decision]:
    before = stage = fields.get("stage")
    if former is not None and fields.get("touched_at"):
        due = cart.abandoned_at(former.fields, idle_ms)
        if due is not None and due <= instant_to_ms(fields["touched_at"]):
            # It lay idle long enough before it was touched, though nobody was there to see it.
            stage = cart.ABANDONED
    after = cart.stage_after(stage, fields)
    return [] if after == before else [_set(fields, "stage", after)]


def _set(fields: dict[str, Value], name: str, value: Value) -> Decision:
    before = fields.get(name, ABSENT)
    fields[name] = value
    return Decision(name, Rule.TAKEN, value, ABSENT, before, value)


def follow(work: Workset, change: Change, customer: Record, former: Record | None) -> None:
    """What took its address from a customer takes the new one when that changes."""
    if customer.entity != "customer" or former is None:
        return
    before, after = former.fields.get("email"), customer.fields.get("email")
    if before == after or not after:
        return
    for name, entity in work.flows.entities.items():
        if not {"email", "customer"} <= entity.fields.keys():
            continue
        owned = sorted(work.identified(name, "customer", customer.id))
        work.load_records(owned)
        for number in owned:
            record = work.records[number]
            origin = record.origins.get("email")
            if origin is None or origin.connection != INTERNAL or record.fields.get("email") != before:
                continue
            fields = {**record.fields}
            decision = _set(fields, "email", after)
            renamed = evolve(record, fields, {"email": Origin(INTERNAL, change.id, work.now)}, work.now)
            work.put_record(renamed, record)
            work.decided(change, renamed, [decision])
            work.touch(number, change)


def counts_steps(entity: str) -> bool:
    """Whether each state of a thing matters and not only the newest: a cart that was touched again and again never
    lay idle."""
    return entity == "cart"


def set_timer(work: Workset, record: Record) -> None:
    """Wake up when the cart will have lain idle long enough."""
    if record.entity == "cart":
        work.timers[record.id] = cart.abandoned_at(record.fields, work.flows.cart_idle_ms)


def abandon(work: Workset, change: Change) -> bool:
    """Time passed over a cart: abandoned if it still lies idle. Whether it did."""
    number = change.external_id
    work.load_records((number,))
    record = work.records.get(number)
    if record is None:
        return False
    due = cart.abandoned_at(record.fields, work.flows.cart_idle_ms)
    if due is None or due > work.now:
        work.timers[number] = due
        return False
    decision = _set({**record.fields}, "stage", cart.ABANDONED)
    origin = Origin(INTERNAL, change.id, due)
    after = evolve(record, {**record.fields, "stage": cart.ABANDONED}, {"stage": origin}, work.now)
    work.put_record(after, record)
    work.decided(change, after, [decision])
    work.timers[number] = None
    work.touch(number, change)
    return True
