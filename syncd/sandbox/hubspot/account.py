"""One account: its books, and every change to its records. No HTTP here.

A write has two steps: :meth:`Account.plan` checks an input and changes nothing; :meth:`Account.apply` changes,
notes the effect in the ledger and tells the webhooks. So a batch can be refused as a whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.runtime.clock import Clock
from syncd.sandbox.hubspot import values as forms
from syncd.sandbox.hubspot.associations import HUBSPOT_DEFINED, Edge, Graph, LinkType
from syncd.sandbox.hubspot.catalog import LIFECYCLE
from syncd.sandbox.hubspot.derived import derived
from syncd.sandbox.hubspot.errors import (
    Complaint,
    contact_exists,
    invalid_values,
    missing_fields,
    not_found,
    unique_conflict,
    unset,
    validation,
)
from syncd.sandbox.hubspot.events import Event
from syncd.sandbox.hubspot.kinds import COMPANIES, CONTACTS, Kind, Kinds
from syncd.sandbox.hubspot.pipelines import PipelineBook, Stage
from syncd.sandbox.hubspot.properties import Definition, PropertyBook, refused
from syncd.sandbox.hubspot.records import Record, Records, Source
from syncd.sandbox.hubspot.search import SearchIndex
from syncd.sandbox.hubspot.shapes import integer, mappings, required
from syncd.sandbox.hubspot.values import InvalidError

Note = Callable[..., None]
"""``Vendor.applied``."""

_MIRRORED: Mapping[str, tuple[str, Edge]] = {
    "contacts": ("associatedcompanyid", (HUBSPOT_DEFINED, 1)),
    "companies": ("hs_parent_company_id", (HUBSPOT_DEFINED, 14)),
}
"""Properties that hold the id of an associated company."""

_STAGE_RANK = {name: rank for rank, name in enumerate(LIFECYCLE)}


@dataclass(frozen=True, slots=True)
class Profile:
    """What does not change about an account."""

    portal_id: int = 48_123_456
    time_zone: str = "UTC"
    currency: str = "EUR"
    currencies: tuple[str, ...] = ("USD", "GBP")
    key_property: str = "syncd_external_id"
    """The caller's unique property, for the ledger's ``key``."""
    edition: str = "enterprise"
    """``professional`` has neither custom object types nor, unless it is of the content kind, GraphQL."""
    merge_makes_new: bool = True
    """A merge makes a record with a new id; otherwise the primary one survives."""


@dataclass(slots=True)
class Link:
    """An association to be made with a new record."""

    type: LinkType
    target: Kind
    target_id: str


@dataclass(slots=True)
class Plan:
    """One checked write."""

    kind: Kind
    record: Record | None
    id: str
    changes: dict[str, str]
    links: Sequence[Link] = ()


@dataclass(slots=True)
class Claims:
    """Unique values that inputs of the same batch are about to take: (property, value) to the input's id."""

    taken: dict[tuple[str, str], str] = field(default_factory=dict)


class Account:
    def __init__(self, profile: Profile, clock: Clock, dice: random.Random, note: Note, search: SearchIndex) -> None:
        self.profile = profile
        self.clock = clock
        self.dice = dice
        self.kinds = Kinds(profile.portal_id)
        self.records = Records(dice)
        self.properties = PropertyBook(profile.portal_id, self.now_iso)
        self.pipelines = PipelineBook(dice, self.now_iso)
        self.graph = Graph(self.kinds)
        self.search = search
        self.emit: Callable[[Event], None] = lambda _: None
        self.heard: Callable[[], bool] = lambda: False
        """Whether anybody listens to :attr:`emit`; spares making the events of writes."""
        self._note = note

    def now_iso(self) -> str:
        return forms.iso(self.clock.now_ms())

    # -- finding

    def find(self, kind: Kind, id_: str, id_property: str = "", *, archived: bool = False) -> Record | None:
        """By record id, or by the value of a unique property."""
        if not id_property or id_property == "hs_object_id":
            return self.records.get(kind, id_, archived=archived)
        definition = self.key_property(kind, id_property)
        value = id_.strip().lower() if definition.name == "email" and kind is CONTACTS else id_
        holder = self.records.holder(kind, id_property, value)
        return self.records.get(kind, holder, archived=archived) if holder else None

    def key_property(self, kind: Kind, name: str) -> Definition:
        """A property that may serve as ``idProperty``. Raises :class:`ApiError`."""
        definition = self.properties.of(kind).get(name)
        if definition is None:
            raise validation(f"idProperty {name} does not exist", context={"propertyName": [name]})
        if not definition.unique:
            raise validation(f"idProperty {name} is not a unique property", context={"propertyName": [name]})
        return definition

    def need(self, kind: Kind, id_: str, id_property: str = "") -> Record:
        record = self.find(kind, id_, id_property)
        if record is None:
            raise not_found()
        return record

    def values_of(self, type_id: str, id_: str) -> Mapping[str, str]:
        """What a living record holds now; nothing for one that is not there."""
        kind = next((one for one in self.kinds if one.type_id == type_id), None)
        record = self.records.get(kind, id_) if kind else None
        return record.values if record else {}

    # -- planning

    def plan_create(
        self,
        kind: Kind,
        raw: Mapping[str, Any],
        source: Source,
        claims: Claims,
        *,
        links: Sequence[Mapping[str, Any]] = (),
        rules: bool = False,
    ) -> Plan:
        id_ = self.records.new_id()
        changes = self._checked(kind, None, raw, source, rules=rules)
        absent = [name for name in kind.required if not changes.get(name)]
        if absent:
            raise unset(kind.legacy, absent)
        if kind is CONTACTS and changes.get("email") in self.records.blocked_emails:
            raise validation("Email address is on the privacy block list", sub_category="GDPR_BLACKLISTED_EMAIL")
        self._check_unique(kind, id_, changes, claims)
        return Plan(kind, None, id_, changes, [self._link(kind, id_, one) for one in links])

    def plan_update(
        self, record: Record, raw: Mapping[str, Any], source: Source, claims: Claims, *, rules: bool = False
    ) -> Plan:
        changes = self._checked(record.kind, record, raw, source, rules=rules)
        held = record.values
        changes = {name: value for name, value in changes.items() if held.get(name, "") != value}
        self._check_unique(record.kind, record.id, changes, claims)
        return Plan(record.kind, record, record.id, changes)

    def _checked(
        self, kind: Kind, record: Record | None, raw: Mapping[str, Any], source: Source, *, rules: bool
    ) -> dict[str, str]:
        held: Mapping[str, str] = record.values if record else {}
        definitions = self.properties.of(kind)
        changes: dict[str, str] = {}
        complaints: list[Complaint] = []
        for name, value in raw.items():
            if value is None:
                continue  # the vendor does not promise that null clears; callers must send ""
            definition = definitions.get(name)
            if definition is None:
                complaints.append(Complaint(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
            elif definition.read_only:
                message = f'"{name}" is a read only property; its value cannot be set.'
                complaints.append(Complaint(name, "READ_ONLY_VALUE", message))
            else:
                try:
                    stored = definition.normalise(value, held.get(name, ""))
                except InvalidError as error:
                    complaints.append(refused(name, error))
                    continue
                problem = definition.rule.complaint(stored) if rules and definition.rule and stored else ""
                if problem:
                    complaints.append(Complaint(name, "VALIDATION_RULE_FAILED", f"{name}: {problem}"))
                changes[name] = stored
        if kind.pipeline:
            complaints.extend(self._check_stage(kind, record, changes, source))
        if complaints:
            raise invalid_values(complaints, self.profile.portal_id)
        self._keep_lifecycle(kind, held, changes)
        return changes

    def _check_stage(
        self, kind: Kind, record: Record | None, changes: dict[str, str], source: Source
    ) -> list[Complaint]:
        held: Mapping[str, str] = record.values if record else {}
        if record is None:
            changes.setdefault(kind.pipeline, self.pipelines.default(kind).id)
        if kind.pipeline not in changes and kind.stage not in changes:
            return []
        wanted = changes.get(kind.pipeline) or held.get(kind.pipeline, "")
        pipeline = self.pipelines.find(kind, wanted)
        if pipeline is None:
            names = [one.id for one in self.pipelines.all(kind)]
            return [refused(kind.pipeline, forms.refused_option(wanted, names))]
        name = changes.get(kind.stage) or held.get(kind.stage, "")
        if not name:
            return []
        stage = pipeline.stages.get(name)
        if stage is None:
            return [refused(kind.stage, forms.refused_option(name, list(pipeline.stages)))]
        if source.app and held.get(kind.stage) != name and stage.write_permissions != "CRM_PERMISSIONS_ENFORCEMENT":
            message = f"{name} is a read only stage; records can not be moved into it."
            return [Complaint(kind.stage, "READ_ONLY_VALUE", message)]
        return []

    @staticmethod
    def _keep_lifecycle(kind: Kind, held: Mapping[str, str], changes: dict[str, str]) -> None:
        """Only forward: a step back is ignored without a word, unless the property was cleared before."""
        wanted, now = changes.get("lifecyclestage"), held.get("lifecyclestage")
        if wanted and now and kind.name in {"contacts", "companies"}:
            ranks = (_STAGE_RANK.get(wanted), _STAGE_RANK.get(now))
            if ranks[0] is not None and ranks[1] is not None and ranks[0] < ranks[1]:
                del changes["lifecyclestage"]

    def _check_unique(self, kind: Kind, id_: str, changes: Mapping[str, str], claims: Claims) -> None:
        definitions = self.properties.of(kind)
        mine = [(name, value) for name, value in changes.items() if value and definitions[name].unique]
        for name, value in mine:
            holder = self.records.holder(kind, name, value) or claims.taken.get((name, value))
            if holder and holder != id_:
                if kind is CONTACTS and name == "email":
                    raise contact_exists(holder)
                raise unique_conflict(self.profile.portal_id, kind.legacy, name, value, id_, holder)
        for pair in mine:
            claims.taken[pair] = id_

    def _link(self, kind: Kind, id_: str, raw: Mapping[str, Any]) -> Link:
        if raw.get("to") is None:
            raise missing_fields("to")
        (target_id,) = required(raw["to"], "id")
        for one in mappings(raw.get("types"), "types"):
            category, type_id = required(one, "associationCategory", "associationTypeId")
            target, type_ = self._link_type(kind, category, integer(type_id, "associationTypeId"))
            if self.records.get(target, target_id) is None:
                raise validation(
                    f"No {target.legacy} with ID {target_id} exists",
                    sub_category="crm.associations.INVALID_OBJECT_IDS",
                    context={"objectId": [target_id]},
                )
            self.graph.check_parent(kind, id_, target, target_id)
            return Link(type_, target, target_id)
        raise validation("An association must have at least one type")

    def _link_type(self, kind: Kind, category: str, type_id: int) -> tuple[Kind, LinkType]:
        for target in self.kinds:
            one = self.graph.types(kind, target).get((category, type_id))
            if one is not None:
                return target, one
        raise validation(f"association type id {type_id} doesn't exist for {kind.singular}")

    # -- applying

    def apply(self, plan: Plan, source: Source) -> Record:
        now = self.clock.now_ms()
        record, changes = plan.record, plan.changes
        fresh = record is None
        if record is None:
            record = self._born(plan, now, source)
        elif not changes:
            return record
        held = {**record.values, **changes}
        stage = self._stage_of(plan.kind, held)
        worked_out = derived(plan.kind, held, changes, stage, now)
        held.update(worked_out)
        held[plan.kind.modified] = forms.iso(now)
        definitions = self.properties.of(plan.kind)
        for name, value in changes.items():
            if definitions[name].unique:
                self.records.claim(record, name, value, record.values.get(name, ""))
            record.note(name, value, now, source)
        if "" in held.values():
            held = {name: value for name, value in held.items() if value != ""}
        record.values = held
        record.updated_ms = now
        self.search.touch(record)
        self.noted(record, "create" if fresh else "update", changes, source)
        if plan.kind is CONTACTS and "associatedcompanyid" in changes:
            self._employ(record, changes["associatedcompanyid"], source)
        for link in plan.links:
            self.associate(plan.kind, record.id, link.target, link.target_id, link.type, source)
        self._emit_write(record, changes, source, now, fresh=fresh)
        return record

    def _born(self, plan: Plan, now: int, source: Source) -> Record:
        stamp = forms.iso(now)
        system = {
            "hs_object_id": plan.id,
            plan.kind.created: stamp,
            plan.kind.modified: stamp,
            "hs_object_source": source.type,
            "hs_object_source_id": source.id,
        }
        record = Record(plan.kind, plan.id, now, now, system)
        self.records.add(record)
        self.records.claim(record, "hs_object_id", plan.id, "")
        return record

    def _stage_of(self, kind: Kind, held: Mapping[str, str]) -> Stage | None:
        if not kind.pipeline:
            return None
        pipeline = self.pipelines.find(kind, held.get(kind.pipeline, ""))
        return pipeline.stages.get(held.get(kind.stage, "")) if pipeline else None

    def told(self, effect: str, what: str, id_: str, values: Mapping[str, Any], source: Source) -> None:
        """Note a change of the account's settings."""
        self._note(effect, what, id_, values=values, actor=source.actor)

    def noted(self, record: Record, effect: str, values: Mapping[str, Any], source: Source) -> None:
        key = record.values.get(self.profile.key_property, "")
        self._note(effect, record.kind.name, record.id, key=key, values=values, actor=source.actor)

    def _emit_write(self, record: Record, changes: Mapping[str, str], source: Source, now: int, *, fresh: bool) -> None:
        if not self.heard():
            return
        if fresh:
            self.emit(Event(record.kind, "creation", record.id, now, source, flag="CREATED"))
        for name, value in changes.items():
            self.emit(Event(record.kind, "propertyChange", record.id, now, source, name=name, value=value))

    def archive(self, record: Record, source: Source) -> None:
        """Into the recycle bin: gone from reads, its unique values are free again."""
        now = self.clock.now_ms()
        record.archived_ms = record.updated_ms = now
        self.records.release(record, self.properties.uniques(record.kind))
        self.search.touch(record)
        self.noted(record, "archive", {}, source)
        self.emit(Event(record.kind, "deletion", record.id, now, source, flag="DELETED"))

    def restore(self, record: Record, source: Source) -> None:
        """Only people can, in the screens. Raises :class:`ApiError` when a unique value is taken by now."""
        definitions = self.properties.of(record.kind)
        held = {name: value for name, value in record.values.items() if name in definitions}
        self._check_unique(record.kind, record.id, held, Claims())
        record.archived_ms = 0
        record.updated_ms = self.clock.now_ms()
        for name in self.properties.uniques(record.kind):
            self.records.claim(record, name, held.get(name, ""), "")
        self.search.touch(record)
        self.noted(record, "restore", {}, source)
        self.emit(Event(record.kind, "restore", record.id, record.updated_ms, source, flag="RESTORED"))

    def purge(self, record: Record, source: Source) -> None:
        """Privacy deletion: the record and its history are gone, its e-mail is blocked."""
        now = self.clock.now_ms()
        if record.kind is CONTACTS and record.values.get("email"):
            self.records.blocked_emails.add(record.values["email"])
        self.records.release(record, self.properties.uniques(record.kind))
        self.graph.remove(record.kind, record.id)
        self.records.drop(record)
        self.search.forget(record)
        self.noted(record, "delete", {}, source)
        for what in ("privacyDeletion", "deletion") if record.kind is CONTACTS else ("deletion",):
            self.emit(Event(record.kind, what, record.id, now, source, flag="DELETED"))

    # -- associations

    def associate(
        self, source: Kind, source_id: str, target: Kind, target_id: str, type_: LinkType, who: Source
    ) -> None:
        """Both records must exist and the type must fit. An edge that is already there has no effect."""
        self.graph.check_parent(source, source_id, target, target_id)
        for one in self.graph.link(source, source_id, target, target_id, type_):
            self._tell_link("associate", source, source_id, target, target_id, one, who)
        self._mirror(source, source_id, who)
        self._mirror(target, target_id, who)

    def dissociate(
        self,
        source: Kind,
        source_id: str,
        target: Kind,
        target_id: str,
        who: Source,
        only: Sequence[LinkType] | None = None,
    ) -> None:
        known = self.graph.types(source, target)
        for edge in sorted(self.graph.unlink(source, source_id, target, target_id, only)):
            if edge in known:
                self._tell_link("dissociate", source, source_id, target, target_id, known[edge], who)
        self._mirror(source, source_id, who)
        self._mirror(target, target_id, who)

    def _employ(self, contact: Record, company_id: str, who: Source) -> None:
        """Writing the property makes the company the primary one; an id that no company has changes nothing."""
        primary = self.graph.type(CONTACTS, COMPANIES, HUBSPOT_DEFINED, 1)
        if self.records.get(COMPANIES, company_id) is not None:
            self.associate(CONTACTS, contact.id, COMPANIES, company_id, primary, who)
        for other in [] if company_id else list(self.graph.of(contact.id, COMPANIES)):
            self.dissociate(CONTACTS, contact.id, COMPANIES, other, who, [primary])
        self._mirror(CONTACTS, contact.id, who)

    def _mirror(self, kind: Kind, id_: str, who: Source) -> None:
        """A property that repeats an association follows it, and with it the time of the last change."""
        name, edge = _MIRRORED.get(kind.name, ("", ("", 0)))
        record = self.records.get(kind, id_) if name else None
        if record is None:
            return
        held = next((other for other, edges in self.graph.of(id_, COMPANIES).items() if edge in edges), "")
        if record.values.get(name, "") == held:
            return
        now = self.clock.now_ms()
        rest = {one: value for one, value in record.values.items() if one != name}
        record.values = {**rest, **({name: held} if held else {}), kind.modified: forms.iso(now)}
        record.updated_ms = now
        record.note(name, held, now, who)
        self.search.touch(record)
        self.emit(Event(kind, "propertyChange", id_, now, who, name=name, value=held))

    def _tell_link(
        self, effect: str, source: Kind, source_id: str, target: Kind, target_id: str, one: LinkType, who: Source
    ) -> None:
        record = self.records.get(source, source_id)
        key = record.values.get(self.profile.key_property, "") if record else ""
        values = {"object": target.name, "id": target_id, "category": one.category, "type_id": one.type_id}
        self._note(effect, source.name, source_id, key=key, values=values, actor=who.actor)
        now = self.clock.now_ms()
        there, back = (source, source_id, target, target_id), (target, target_id, source, source_id)
        for kind, here, other_kind, other in (there, back):
            more = {
                "associationType": f"{kind.legacy}_TO_{other_kind.legacy}",
                "fromObjectId": int(here),
                "toObjectId": int(other),
                "associationRemoved": effect == "dissociate",
                "isPrimaryAssociation": one.primary,
            }
            self.emit(Event(kind, "associationChange", here, now, who, extra=more))
