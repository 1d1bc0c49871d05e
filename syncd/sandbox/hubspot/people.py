"""People who work in the account's own screens: owners, sales persons' edits, an admin's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.sandbox.hubspot.account import Account, Claims
from syncd.sandbox.hubspot.api_schemas import define
from syncd.sandbox.hubspot.errors import ApiError
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.merging import merge
from syncd.sandbox.hubspot.properties import Rule
from syncd.sandbox.hubspot.records import Record, Source
from syncd.sandbox.vendor import HUMAN, ActError


@dataclass(frozen=True, slots=True)
class Owner:
    id: str
    user_id: int
    email: str
    first_name: str
    last_name: str

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "email": self.email,
            "type": "PERSON",
            "firstName": self.first_name,
            "lastName": self.last_name,
            "userId": self.user_id,
            "userIdIncludingInactive": self.user_id,
            "createdAt": "2024-01-02T08:00:00.000Z",
            "updatedAt": "2024-01-02T08:00:00.000Z",
            "archived": False,
            "teams": [],
        }


OWNERS = (
    Owner("77410001", 52_530_071, "mara.lindt@sandbox.example", "Mara", "Lindt"),
    Owner("77410002", 52_530_072, "jonas.okafor@sandbox.example", "Jonas", "Okafor"),
)


def human(user_id: int = OWNERS[0].user_id) -> Source:
    return Source("CRM_UI", f"userId:{user_id}", HUMAN)


class People:
    """What people do. Refusals are :class:`ActError` with the account's own words."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._deeds: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "create": lambda deed: self.create(self._kind(deed), _values(deed), human(_user(deed))).id,
            "edit": lambda deed: self.edit(self._kind(deed), _id(deed), _values(deed), human(_user(deed))).id,
            "archive": lambda deed: self.archive(self._kind(deed), _id(deed), human(_user(deed))),
            "restore": lambda deed: self.restore(self._kind(deed), _id(deed), human(_user(deed))),
            "merge": lambda deed: self.merge(self._kind(deed), _id(deed), str(deed["other"]), human(_user(deed))).id,
            "gdpr_delete": lambda deed: self.purge(self._kind(deed), _id(deed), human(_user(deed))),
            "associate": self._associate,
            "dissociate": self._dissociate,
            "create_label": self._label,
            "define": lambda deed: define(self._account, deed["definition"]).type_id,
            "create_property": lambda deed: self.create_property(self._kind(deed), deed["definition"]),
            "archive_property": lambda deed: self.archive_property(self._kind(deed), str(deed["name"])),
            "retype_property": self._retype_property,
            "restore_property": lambda deed: self.restore_property(self._kind(deed), str(deed["name"])),
            "set_rule": self._set_rule,
            "create_pipeline": lambda deed: self._account.pipelines.create(self._kind(deed), deed["definition"]).json(),
            "restrict_stage": self._restrict_stage,
        }

    def _kind(self, deed: Mapping[str, Any]) -> Kind:
        return self._account.kinds.of(str(deed["object"]))

    @property
    def deeds(self) -> tuple[str, ...]:
        return tuple(self._deeds)

    def act(self, deed: Mapping[str, Any]) -> Any:
        """``{"op": ..., "object": "contacts", ...}``. Raises :class:`ActError`, ``KeyError``, ``ValueError``."""
        try:
            return self._deeds[str(deed["op"])](deed)
        except ApiError as error:
            raise ActError(error.message) from None

    # -- sales people

    def create(self, kind: Kind, values: Mapping[str, Any], who: Source | None = None) -> Record:
        who = who or human()
        return self._account.apply(self._account.plan_create(kind, values, who, Claims(), rules=True), who)

    def edit(self, kind: Kind, id_: str, values: Mapping[str, Any], who: Source | None = None) -> Record:
        who = who or human()
        record = self._account.need(kind, id_)
        return self._account.apply(self._account.plan_update(record, values, who, Claims(), rules=True), who)

    def archive(self, kind: Kind, id_: str, who: Source | None = None) -> None:
        self._account.archive(self._account.need(kind, id_), who or human())

    def restore(self, kind: Kind, id_: str, who: Source | None = None) -> None:
        record = self._account.records.get(kind, id_, archived=True)
        if record is None:
            raise ActError(f"no archived {kind.singular} {id_}")
        self._account.restore(record, who or human())

    def merge(self, kind: Kind, primary: str, other: str, who: Source | None = None) -> Record:
        return merge(self._account, kind, primary, other, who or human())

    def purge(self, kind: Kind, id_: str, who: Source | None = None) -> None:
        self._account.purge(self._account.need(kind, id_), who or human())

    def _associate(self, deed: Mapping[str, Any]) -> None:
        source, target = self._kind(deed), self._account.kinds.of(str(deed["to_object"]))
        here, there = self._account.need(source, _id(deed)), self._account.need(target, str(deed["to"]))
        graph = self._account.graph
        one = graph.type(source, target, *_edge(deed)) if "type_id" in deed else graph.default(source, target)
        self._account.associate(source, here.id, target, there.id, one, human(_user(deed)))

    def _dissociate(self, deed: Mapping[str, Any]) -> None:
        source, target = self._kind(deed), self._account.kinds.of(str(deed["to_object"]))
        only = [self._account.graph.type(source, target, *_edge(deed))] if "type_id" in deed else None
        self._account.dissociate(source, _id(deed), target, str(deed["to"]), human(_user(deed)), only)

    def _label(self, deed: Mapping[str, Any]) -> int:
        """A label of the account's own between two object types; its type id."""
        target = self._account.kinds.of(str(deed["to_object"]))
        return self._account.graph.create_label(self._kind(deed), target, str(deed["label"]), None)[0].type_id

    # -- the admin

    def create_property(self, kind: Kind, definition: Mapping[str, Any]) -> dict[str, Any]:
        return self._account.properties.create(kind, definition).json()

    def archive_property(self, kind: Kind, name: str) -> None:
        self._account.properties.archive(kind, name)

    def restore_property(self, kind: Kind, name: str) -> None:
        self._account.properties.restore(kind, name)
        if self._account.properties.get(kind, name).unique:
            self._account.records.reindex(kind, name)

    def _retype_property(self, deed: Mapping[str, Any]) -> dict[str, Any]:
        return self._account.properties.retype(self._kind(deed), str(deed["name"]), deed["definition"]).json()

    def _set_rule(self, deed: Mapping[str, Any]) -> None:
        rule = Rule(**deed["rule"]) if deed.get("rule") else None
        self._account.properties.set_rule(self._kind(deed), str(deed["name"]), rule)

    def _restrict_stage(self, deed: Mapping[str, Any]) -> dict[str, Any]:
        permissions = str(deed.get("permissions", "READ_ONLY"))
        stage = self._account.pipelines.restrict_stage(
            self._kind(deed), str(deed["pipeline"]), str(deed["stage"]), permissions
        )
        return stage.json()


def _edge(deed: Mapping[str, Any]) -> tuple[str, int]:
    """Category and type id."""
    return str(deed.get("category", "HUBSPOT_DEFINED")), int(deed["type_id"])


def _id(deed: Mapping[str, Any]) -> str:
    return str(deed["id"])


def _user(deed: Mapping[str, Any]) -> int:
    return int(deed.get("user", OWNERS[0].user_id))


def _values(deed: Mapping[str, Any]) -> Mapping[str, Any]:
    values = deed["values"]
    if not isinstance(values, dict):
        raise ActError("values must be an object of property names and values")
    return values
