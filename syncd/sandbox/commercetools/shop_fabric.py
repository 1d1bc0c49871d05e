"""Stores, channels and states: what other resources refer to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import custom_of
from syncd.sandbox.commercetools.errors import ApiError, invalid_field, reference_exists
from syncd.sandbox.commercetools.project import PATHS, Project
from syncd.sandbox.commercetools.resource import Resource
from syncd.sandbox.commercetools.shapes import shape

CHANNEL_ROLES = ["ProductDistribution", "InventorySupply", "OrderExport", "OrderImport", "Primary"]
_STATE_TYPES = [
    "OrderState", "LineItemState", "ProductState", "ReviewState", "PaymentState", "QuoteRequestState",
    "StagedQuoteState", "QuoteState", "RecurringOrderState",
]  # fmt: skip


def _kept(draft: dict[str, Any], *names: str) -> Row:
    return {name: draft[name] for name in names if name in draft}


def _unused(*by: tuple[str, Callable[[Row, Row], bool]]) -> Callable[[Project, Row], None]:
    """Refuses to delete while a row of these resources refers to it (a walk: deletes of such things are rare)."""

    def check(project: Project, row: Row) -> None:
        for type_id, uses in by:
            rows = project.collections[PATHS[type_id]]
            if any(uses(other, row) for other in map(rows.get, list(rows.ids())) if other is not None):
                raise reference_exists(row_type(row), type_id)

    def row_type(row: Row) -> str:
        return "channel" if "roles" in row and "languages" not in row else "store"

    return check


# -- stores


def _store(project: Project, draft: dict[str, Any]) -> Row:
    row = _kept(draft, "key", "name") | {
        "languages": draft.get("languages", []),
        "countries": draft.get("countries", []),
    }
    for name in ("distributionChannels", "supplyChannels"):
        row[name] = [project.reference(one) for one in draft.get(name, ())]
    if "custom" in draft:
        row["custom"] = custom_of(project, "store", draft["custom"])
    return row | {"productSelections": []}


def _in_store(other: Row, store: Row) -> bool:
    held = [*other.get("stores", ()), *filter(None, [other.get("store")])]
    return any(one["key"] == store["key"] for one in held)


STORES = Resource(
    path="stores",
    type_id="store",
    scopes="stores",
    draft=shape(
        "key:key name?:localized languages?:text* countries?:any* distributionChannels?:ri=channel* "
        "supplyChannels?:ri=channel* custom?:custom"
    ),
    build=_store,
    custom_type="store",
    may_delete=_unused(("customer", _in_store), ("business-unit", _in_store), ("cart", _in_store)),
)
STORES.customizable()
STORES.setter("setName", "name", "localized")


@STORES.action("setLanguages", "languages?:text*")
def _set_languages(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["languages"] = args.get("languages", [])


def store_reference(project: Project, identifier: Row) -> Row:
    """The key reference that stands for a store. Raises ``ApiError``."""
    return {"typeId": "store", "key": project.find(identifier)["key"]}


# -- channels


def _channel(project: Project, draft: dict[str, Any]) -> Row:
    roles = draft.get("roles", ["InventorySupply"])
    for role in roles:
        if role not in CHANNEL_ROLES:
            raise invalid_field("roles", role, list(CHANNEL_ROLES))
    row = _kept(draft, "key", "name", "description", "address") | {"roles": roles}
    if "custom" in draft:
        row["custom"] = custom_of(project, "channel", draft["custom"])
    return row


def _of_channel(other: Row, channel: Row) -> bool:
    return bool((other.get("channel") or {}).get("id") == channel["id"])


CHANNELS = Resource(
    path="channels",
    type_id="channel",
    scopes="products",
    draft=shape("key:key roles?:text* name?:localized description?:localized address?:address custom?:custom"),
    build=_channel,
    custom_type="channel",
    may_delete=_unused(("standalone-price", _of_channel)),
)
CHANNELS.customizable()


@CHANNELS.action("changeKey", "key:key")
def _channel_key(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["key"] = args["key"]


@CHANNELS.action("changeName", "name:localized")
def _channel_name(_project: Project, row: Row, args: dict[str, Any]) -> None:
    row["name"] = args["name"]


# -- states


def _state(project: Project, draft: dict[str, Any]) -> Row:
    if draft["type"] not in _STATE_TYPES:
        raise invalid_field("type", draft["type"], list(_STATE_TYPES))
    row = _kept(draft, "key", "type", "name", "description")
    row |= {"initial": draft.get("initial", True), "builtIn": False, "roles": draft.get("roles", [])}
    if "transitions" in draft:
        row["transitions"] = [project.reference(one) for one in draft["transitions"]]
    return row


STATES = Resource(
    path="states",
    type_id="state",
    scopes="states",
    draft=shape(
        "key:key type:text name?:localized description?:localized initial?:bool roles?:text* transitions?:ri=state*"
    ),
    build=_state,
)
STATES.setter("setName", "name", "localized")


def declare_transitions(resource: Resource, kind: str) -> None:
    """``transitionState``: along the transitions of the state that is left, unless forced."""

    @resource.action("transitionState", "state:ri=state force?:bool")
    def _transition(project: Project, row: Row, args: dict[str, Any]) -> None:
        wanted = project.find(args["state"])
        if wanted["type"] != kind:
            raise _invalid_transition(f"The state '{wanted['key']}' is not of type {kind}.")
        if "state" in row and not args.get("force"):
            allowed = project.find(row["state"]).get("transitions")
            if allowed is not None and not any(one["id"] == wanted["id"] for one in allowed):
                raise _invalid_transition(f"There is no transition to the state '{wanted['key']}'.")
        row["state"] = {"typeId": "state", "id": wanted["id"]}


def _invalid_transition(message: str) -> ApiError:
    return ApiError(400, "InvalidOperation", message)
