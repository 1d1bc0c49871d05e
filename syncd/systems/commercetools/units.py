"""The tree of business units: whether a unit is a Company or a Division follows from its parent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from syncd.model.lens import Raw
from syncd.systems.commercetools.lists import place_addresses
from syncd.systems.commercetools.values import Current, Unknown, is_whole, same
from syncd.systems.commercetools.ways import UpdateAction

_EXPLICIT: Final[Mapping[str, UpdateAction]] = {
    "associateMode": {
        "action": "changeAssociateMode",
        "associateMode": "Explicit",
        "makeInheritedAssociatesExplicit": True,
    },
    "storeMode": {"action": "setStoreMode", "storeMode": "Explicit"},
    "approvalRuleMode": {"action": "changeApprovalRuleMode", "approvalRuleMode": "Explicit"},
}
"""A company inherits nothing; what people it had from above it keeps as its own."""


@dataclass(frozen=True, slots=True)
class ParentUnit:
    """Moves a unit within the tree, also between being a Company and a Division."""

    draft: str | None = None

    def needs(self, path: str, current: Current) -> bool:
        del path
        return not is_whole(current)

    def differs(self, value: Raw, before: Raw | Unknown) -> bool:
        return isinstance(before, Unknown) or not same(before, value)

    def drafted(self, value: Raw) -> Raw:
        return value

    def actions(self, path: str, value: Raw, current: Current) -> list[UpdateAction]:
        del path
        unit = current or {}
        if value is None:
            # What is left out of an answer has the default of a division: it inherits.
            made = [dict(action) for mode, action in _EXPLICIT.items() if unit.get(mode) != "Explicit"]
            return [*made, {"action": "setUnitType", "unitType": "Company"}]
        if unit.get("unitType") == "Company":
            return [{"action": "setUnitType", "unitType": "Division", "parentUnit": value}]
        return [{"action": "changeParentUnit", "parentUnit": value}]


def unit_draft(made: dict[str, Any]) -> None:
    """A unit with a parent is a Division, one without is a Company."""
    made["unitType"] = "Division" if "parentUnit" in made else "Company"
    place_addresses(made)
