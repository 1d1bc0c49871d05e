"""Pipelines and their stages, for deals, tickets and orders."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.hubspot.errors import ApiError, missing_fields, not_found, validation
from syncd.sandbox.hubspot.kinds import DEALS, KINDS, ORDERS, TICKETS, Kind, unknown_type
from syncd.sandbox.hubspot.shapes import integer, mapping, mappings, optional, text
from syncd.sandbox.hubspot.values import InvalidError, as_text

ORDER_PIPELINE = "14a2e10e-5471-408a-906e-c51f3b04369e"
"""The pipeline and stage ids of orders are the same in every account."""

_DEAL_STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
_TICKET_STAGES = (
    ("1", "New", "OPEN"),
    ("2", "Waiting on contact", "OPEN"),
    ("3", "Waiting on us", "OPEN"),
    ("4", "Closed", "CLOSED"),
)
_ORDER_STAGES = (
    ("4b27b500-f031-4927-9811-68a0b525cbae", "Open"),
    ("937ea84d-0a4f-4dcf-9028-3f9c2aafbf03", "Processed"),
    ("aa99e8d0-c1d5-4071-b915-d240bbb1aed9", "Shipped"),
    ("3725360f-519b-4b18-a593-494d60a29c9f", "Delivered"),
    ("3c85a297-e9ce-400b-b42e-9f16853d69d6", "Cancelled"),
)
WRITE_PERMISSIONS = ("CRM_PERMISSIONS_ENFORCEMENT", "READ_ONLY", "INTERNAL_ONLY")
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(slots=True)
class Stage:
    id: str
    label: str
    display_order: int
    metadata: dict[str, str]
    created_at: str = _EPOCH
    updated_at: str = _EPOCH
    write_permissions: str = WRITE_PERMISSIONS[0]

    @property
    def closed(self) -> bool:
        return self.metadata.get("isClosed") == "true" or self.metadata.get("ticketState") == "CLOSED"

    @property
    def probability(self) -> float:
        return float(self.metadata.get("probability") or 0)

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": self.display_order,
            "metadata": dict(self.metadata),
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "archived": False,
            "writePermissions": self.write_permissions,
        }


@dataclass(slots=True)
class Pipeline:
    id: str
    label: str
    display_order: int
    created_at: str = _EPOCH
    updated_at: str = _EPOCH
    stages: dict[str, Stage] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": self.display_order,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "archived": False,
            "stages": [one.json() for one in sorted(self.stages.values(), key=lambda one: one.display_order)],
        }


def _metadata(kind: Kind, raw: Mapping[str, Any]) -> dict[str, str]:
    """Metadata as the vendor keeps it: text; deals need a probability, and it says whether they are closed."""
    try:
        out = {name: as_text(value) for name, value in raw.items() if value is not None}
    except InvalidError as error:
        raise validation(str(error)) from None
    if kind is DEALS:
        if "probability" not in out:
            raise validation("Deal stages must have a probability in their metadata")
        try:
            probability = float(out["probability"])
        except ValueError:
            raise validation(f"{out['probability']} is not a valid probability") from None
        if not 0 <= probability <= 1:
            raise validation("The probability of a deal stage must be between 0.0 and 1.0")
        out.setdefault("isClosed", "true" if probability in {0.0, 1.0} else "false")
    if kind is TICKETS:
        state = out.setdefault("ticketState", "OPEN")
        if state not in {"OPEN", "CLOSED"}:
            raise validation(f"{state} is not a valid ticketState")
        out["isClosed"] = "true" if state == "CLOSED" else "false"
    return out


class PipelineBook:
    """All pipelines of one account. Stage ids are unique within an object type."""

    def __init__(self, dice: random.Random, now_iso: Callable[[], str]) -> None:
        self._dice = dice
        self._now = now_iso
        self._books: dict[str, dict[str, Pipeline]] = {kind.name: {} for kind in KINDS if kind.pipeline}
        self._born(DEALS, "default", "Sales Pipeline", [(a, b, {"probability": c}) for a, b, c in _DEAL_STAGES])
        self._born(TICKETS, "0", "Support Pipeline", [(a, b, {"ticketState": c}) for a, b, c in _TICKET_STAGES])
        self._born(ORDERS, ORDER_PIPELINE, "Order Pipeline", [(a, b, {}) for a, b in _ORDER_STAGES])

    def _born(self, kind: Kind, id_: str, label: str, stages: list[tuple[str, str, dict[str, str]]]) -> None:
        pipeline = Pipeline(id_, label, 0)
        for order, (stage, name, metadata) in enumerate(stages):
            pipeline.stages[stage] = Stage(stage, name, order, _metadata(kind, metadata))
        self._books[kind.name][id_] = pipeline

    def all(self, kind: Kind) -> list[Pipeline]:
        return sorted(self._book(kind).values(), key=lambda one: (one.display_order, one.label))

    def _book(self, kind: Kind) -> dict[str, Pipeline]:
        if kind.name not in self._books:
            raise unknown_type(kind.name)
        return self._books[kind.name]

    def get(self, kind: Kind, id_: str) -> Pipeline:
        found = self._book(kind).get(id_)
        if found is None:
            raise not_found(f"No pipeline found with id: {id_}", context={"pipelineId": [id_]})
        return found

    def stage(self, kind: Kind, pipeline_id: str, stage_id: str) -> Stage:
        found = self.get(kind, pipeline_id).stages.get(stage_id)
        if found is None:
            raise not_found(f"No stage found with id: {stage_id}", context={"stageId": [stage_id]})
        return found

    def find(self, kind: Kind, pipeline_id: str) -> Pipeline | None:
        return self._book(kind).get(pipeline_id)

    def default(self, kind: Kind) -> Pipeline:
        return next(iter(self._book(kind).values()))

    # -- changing them

    def create(self, kind: Kind, body: Mapping[str, Any]) -> Pipeline:
        """Ids may be chosen (``pipelineId``, ``stageId``); otherwise the vendor makes them up."""
        _require(body, "displayOrder", "label", "stages")
        book = self._book(kind)
        id_ = optional(body, "pipelineId") or self._new_id()
        if id_ in book:
            raise ApiError(409, f"A pipeline with the id {id_} already exists.", "OBJECT_ALREADY_EXISTS")
        self._check_label(kind, text(body["label"], "label"), id_)
        pipeline = Pipeline(
            id_, text(body["label"], "label"), integer(body["displayOrder"], "displayOrder"), self._now(), self._now()
        )
        for one in mappings(body["stages"], "stages"):
            self._add_stage(kind, pipeline, one)
        book[id_] = pipeline
        return pipeline

    def _check_label(self, kind: Kind, label: str, own_id: str) -> None:
        if any(one.label == label and one.id != own_id for one in self._book(kind).values()):
            raise validation(f"A pipeline with the label '{label}' already exists.")

    def replace(self, kind: Kind, id_: str, body: Mapping[str, Any]) -> Pipeline:
        _require(body, "displayOrder", "label", "stages")
        old = self.get(kind, id_)
        fresh = Pipeline(
            id_,
            text(body["label"], "label"),
            integer(body["displayOrder"], "displayOrder"),
            old.created_at,
            self._now(),
        )
        self._check_label(kind, fresh.label, id_)
        del self._books[kind.name][id_]  # its own stage ids may be used again
        try:
            for one in mappings(body["stages"], "stages"):
                self._add_stage(kind, fresh, one)
        except BaseException:
            self._books[kind.name][id_] = old
            raise
        self._books[kind.name][id_] = fresh
        return fresh

    def patch(self, kind: Kind, id_: str, body: Mapping[str, Any]) -> Pipeline:
        pipeline = self.get(kind, id_)
        if "label" in body:
            self._check_label(kind, text(body["label"], "label"), id_)
            pipeline.label = text(body["label"], "label")
        if "displayOrder" in body:
            pipeline.display_order = integer(body["displayOrder"], "displayOrder")
        pipeline.updated_at = self._now()
        return pipeline

    def delete(self, kind: Kind, id_: str) -> None:
        if self.get(kind, id_) is self.default(kind):
            raise validation(f"The default pipeline {id_} can not be deleted")
        del self._books[kind.name][id_]

    def add_stage(self, kind: Kind, pipeline_id: str, body: Mapping[str, Any]) -> Stage:
        pipeline = self.get(kind, pipeline_id)
        pipeline.updated_at = self._now()
        return self._add_stage(kind, pipeline, body)

    def _add_stage(self, kind: Kind, pipeline: Pipeline, body: Mapping[str, Any]) -> Stage:
        _require(body, "displayOrder", "label", "metadata")
        id_ = optional(body, "stageId") or self._new_id()
        if id_ != id_.lower():
            raise validation(f"Property name must be lowercase, but given: hs_date_entered_{id_}")
        if id_ in pipeline.stages or any(id_ in one.stages for one in self._books[kind.name].values()):
            raise ApiError(409, f"A stage with the id {id_} already exists.", "OBJECT_ALREADY_EXISTS")
        label = text(body["label"], "label")
        if any(one.label == label for one in pipeline.stages.values()):
            raise validation(f"A stage with the label '{label}' already exists in pipeline {pipeline.id}.")
        stamp = self._now()
        stage = Stage(
            id_,
            label,
            integer(body["displayOrder"], "displayOrder"),
            _metadata(kind, mapping(body["metadata"], "metadata")),
            stamp,
            stamp,
        )
        pipeline.stages[id_] = stage
        return stage

    def change_stage(
        self, kind: Kind, pipeline_id: str, stage_id: str, body: Mapping[str, Any], *, whole: bool
    ) -> Stage:
        """PATCH, or PUT when ``whole``."""
        if whole:
            _require(body, "displayOrder", "label", "metadata")
        stage = self.stage(kind, pipeline_id, stage_id)
        if "metadata" in body:
            kept = {} if whole else {key: value for key, value in stage.metadata.items() if key != "isClosed"}
            stage.metadata = _metadata(kind, {**kept, **mapping(body["metadata"], "metadata")})
        if "label" in body:
            stage.label = text(body["label"], "label")
        if "displayOrder" in body:
            stage.display_order = integer(body["displayOrder"], "displayOrder")
        stage.updated_at = self._now()
        return stage

    def restrict_stage(self, kind: Kind, pipeline_id: str, stage_id: str, permissions: str) -> Stage:
        """What only an admin can do, in the screens. Raises ``ValueError`` for an unknown permission."""
        if permissions not in WRITE_PERMISSIONS:
            raise ValueError(f"{permissions!r} is not one of {', '.join(WRITE_PERMISSIONS)}")
        stage = self.stage(kind, pipeline_id, stage_id)
        stage.write_permissions = permissions
        return stage

    def delete_stage(self, kind: Kind, pipeline_id: str, stage_id: str) -> None:
        self.stage(kind, pipeline_id, stage_id)
        del self.get(kind, pipeline_id).stages[stage_id]

    def _new_id(self) -> str:
        return str(self._dice.randrange(10**8, 2 * 10**9))


def _require(body: Mapping[str, Any], *names: str) -> None:
    absent = [one for one in names if body.get(one) is None]
    if absent:
        raise missing_fields(*absent)
