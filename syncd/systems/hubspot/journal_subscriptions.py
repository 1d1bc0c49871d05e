"""What the Webhooks Journal must be asked to tell for the mappings: compared with what it is asked already, made where
it is missing, removed where it is left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.mapping import ASSOCIATIONS, ObjectMapping
from syncd.systems.hubspot.channels import ERASABLE
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.objects import TYPE_IDS, listed, modified_property, of_account
from syncd.systems.hubspot.settings import Paths

ACTIONS: Final = ("CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE")
LINK_ACTIONS: Final = ("ASSOCIATION_ADDED", "ASSOCIATION_REMOVED")
OURS: Final = frozenset({"OBJECT", "ASSOCIATION", "GDPR_PRIVACY_DELETION"})
"""Types of subscription that syncd makes, and so may remove."""

_TYPE_OF: Final = {name: type_id for type_id, name in TYPE_IDS.items()}


@dataclass(frozen=True, slots=True)
class Asked:
    """A subscription, wanted or standing."""

    type: str
    type_id: str
    actions: frozenset[str]
    properties: frozenset[str] = frozenset()
    associated: frozenset[str] = frozenset()
    id: int = 0

    @property
    def place(self) -> tuple[str, str]:
        return self.type, self.type_id

    def body(self, portal: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "subscriptionType": self.type, "objectTypeId": self.type_id, "portalId": portal,
            "actions": sorted(self.actions),
        }  # fmt: skip
        if self.type in {"OBJECT", "ASSOCIATION"}:
            body["objectIds"] = []
        if self.type == "OBJECT":
            body["properties"] = sorted(self.properties)
        if self.type == "ASSOCIATION":
            body["associatedObjectTypeIds"] = sorted(self.associated)
        return body

    def serves(self, wanted: Asked) -> bool:
        """Whether it tells all that is wanted. More than that does no harm."""
        unlimited = not self.properties
        return (
            self.place == wanted.place
            and wanted.actions <= self.actions
            and (unlimited or wanted.properties <= self.properties)
            and (not self.associated or wanted.associated <= self.associated)
        )


def type_id_of(object_: str) -> str:
    return _TYPE_OF.get(object_, object_)


def wanted_of(mapping: ObjectMapping) -> list[Asked]:
    """The vendor's own stamp of the last change is no property that can be asked for."""
    type_id = type_id_of(mapping.object)
    stamps = {modified_property(mapping.object), "lastmodifieddate", "hs_lastmodifieddate", "hs_object_id"}
    told = (path for item in mapping.readable() for path in item.paths)
    names = frozenset(path for path in told if not path.startswith(ASSOCIATIONS)) - stamps
    asked = [Asked("OBJECT", type_id, frozenset(ACTIONS), names)]
    if mapping.relations:
        others = frozenset(type_id_of(one.object) for one in mapping.relations)
        asked.append(Asked("ASSOCIATION", type_id, frozenset(LINK_ACTIONS), associated=others))
    if mapping.object in ERASABLE:
        asked.append(Asked("GDPR_PRIVACY_DELETION", type_id, frozenset({"GDPR_DELETE"})))
    return asked


def standing_of(told: Mapping[str, Any], portal: int) -> Asked | None:
    """A subscription as the vendor shows it; ``None`` for one of another account, or of a type that is not ours."""
    type_, id_ = str(told.get("subscriptionType")), told.get("id")
    if not of_account(told, portal) or type_ not in OURS or not isinstance(id_, int | str):
        return None
    if told.get("deletedAt") or not str(id_).isdecimal() or told.get("objectIds"):
        return None  # Gone, or about single objects: not one that serves us.
    return Asked(
        type_, str(told.get("objectTypeId") or ""), _texts(told.get("actions")), _texts(told.get("properties")),
        _texts(told.get("associatedObjectTypeIds")), int(id_),
    )  # fmt: skip


def lacking(wanted: Sequence[Asked], standing: Sequence[Asked]) -> list[Asked]:
    return [one for one in wanted if not any(held.serves(one) for held in standing)]


def left_over(wanted: Sequence[Asked], standing: Sequence[Asked]) -> list[Asked]:
    """What no mapping needs, and what another one does already."""
    over: list[Asked] = []
    kept: set[tuple[str, str]] = set()
    for one in sorted(standing, key=lambda held: -held.id):
        if one.place not in kept and any(one.serves(need) for need in wanted):
            kept.add(one.place)
        else:
            over.append(one)
    return over


class Subscriptions:
    """Raises :class:`~syncd.systems.contract.VendorError`."""

    def __init__(self, client: Client, paths: Paths) -> None:
        self._client = client
        self._paths = paths

    async def standing(self, portal: int, lane: Lane) -> list[Asked]:
        reply = await self._client.get(self._paths.journal_subscriptions(), {}, lane)
        return [one for told in listed(reply.data) if (one := standing_of(told, portal)) is not None]

    async def ensure(self, mapping: ObjectMapping, portal: int, lane: Lane) -> bool:
        """See that all is asked for that the mapping needs. Whether its object was not asked for at all before."""
        wanted, standing = wanted_of(mapping), await self.standing(portal, lane)
        for one in lacking(wanted, standing):
            before = [held for held in standing if held.place == one.place]
            await self.make(one, portal, lane, before)
        return not any(held.place == wanted[0].place for held in standing)

    async def make(self, asked: Asked, portal: int, lane: Lane, before: Sequence[Asked]) -> None:
        """The new one stands before the ones it replaces go. Asked for again, the vendor may change the old one."""
        reply = await self._client.post(self._paths.journal_subscriptions(), asked.body(portal), lane)
        made = str(reply.data.get("id")) if isinstance(reply.data, Mapping) else ""
        for held in before:
            if str(held.id) != made:
                await self.remove(held, lane)

    async def remove(self, asked: Asked, lane: Lane) -> None:
        await self._client.delete(self._paths.journal_subscriptions(str(asked.id)), lane)


def _texts(told: Any) -> frozenset[str]:
    return frozenset(map(str, told)) if isinstance(told, list) else frozenset()
