"""When a lead buys: a customer that must be created where a lead of the same identity stands becomes of that lead.

Whether objects of a kind can become others is the system's to say (:attr:`Abilities.converts`); when they shall, the
mapping's (:class:`~syncd.model.mapping.ConvertWhen`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncd.engine.flows import Flows
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.delivery import Delivery
from syncd.model.mapping import ConvertWhen, ObjectMapping
from syncd.model.record import Record
from syncd.model.value import FieldType
from syncd.store import links, records
from syncd.store.database import Tx
from syncd.systems.contract import Conversion

ORDER: Final = "order"
"""The entity whose records say that somebody bought."""
BUYER: Final = "customer"
"""Its field that says who."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What a record would be made of."""

    conversion: Conversion
    record_id: str
    due: bool
    """It is converted now; otherwise the creation waits."""


def leads(tx: Tx, flows: Flows, mapping: ObjectMapping, wanted: Sequence[Record]) -> dict[str, Lead]:
    """By record id, for records that are about to be created in the mapping's object."""
    if mapping.convert is ConvertWhen.NEVER or not wanted:
        return {}
    found: dict[str, Lead] = {}
    for object_ in sorted(flows.systems[mapping.connection].abilities(mapping.object).converts):
        source = flows.mapping(mapping.connection, object_)
        if source is not None:
            found = _standing(tx, flows, source, [one for one in wanted if one.id not in found]) | found
    if mapping.convert is ConvertWhen.ALWAYS or not found:
        return found
    buyers = records.identify(tx, ORDER, BUYER, list(found))
    return {number: Lead(one.conversion, one.record_id, number in buyers) for number, one in found.items()}


def _standing(tx: Tx, flows: Flows, source: ObjectMapping, wanted: Sequence[Record]) -> dict[str, Lead]:
    """Live objects of the source whose records share an identity value with the wanted ones."""
    found: dict[str, Lead] = {}
    for name in flows.entities[source.entity].identity:
        values = {str(one.fields[name]): one.id for one in wanted if one.fields.get(name) not in (None, "")}
        owners = {
            number: values[value]
            for value, numbers in records.identify(tx, source.entity, name, list(values)).items()
            for number in sorted(numbers)
        }
        for number, held in links.of_records(tx, list(owners)).items():
            link = held.get((source.connection, source.object))
            if link is not None and not link.gone:
                lead = Lead(Conversion(source.object, link.external_id), number, due=True)
                found.setdefault(owners[number], lead)
    return found


def converted(flows: Flows, delivery: Delivery, lead: Conversion, record_id: str, now: int) -> Iterable[Change]:
    """What follows from a conversion: the lead is gone, and its record says what became of it."""
    yield Change(
        connection=delivery.connection, object=lead.object, external_id=lead.external_id, kind=ChangeKind.DELETED,
        channel=Channel.POLL, dedupe_key=f"converted:{lead.object}:{lead.external_id}:{delivery.id}", received_at=now,
        lane=Lane(delivery.lane), correlation_id=delivery.correlation_id,
    )  # fmt: skip
    source = flows.mapping(delivery.connection, lead.object)
    entity = flows.entities[source.entity] if source else None
    refers = [
        one.name
        for one in (entity.fields.values() if entity else ())
        if one.type is FieldType.REFERENCE and one.entity == delivery.entity
    ]
    if refers and record_id:
        fields: Mapping[str, str] = {refers[0]: delivery.record_id}
        yield Change(
            connection="operator", object=lead.object, external_id=record_id, kind=ChangeKind.EDIT,
            channel=Channel.OPERATOR, dedupe_key=f"converted:{record_id}:{delivery.id}", received_at=now,
            occurred_at=now, lane=Lane(delivery.lane), correlation_id=delivery.correlation_id,
            payload={"record_id": record_id, "fields": fields, "who": "syncd", "why": "the lead was converted"},
        )  # fmt: skip
