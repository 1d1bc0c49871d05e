"""Object types of the account's own: defined, shown, changed and deleted. An Enterprise feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.sandbox.hubspot.account import Account
from syncd.sandbox.hubspot.associations import USER_DEFINED
from syncd.sandbox.hubspot.call import Answer, Call
from syncd.sandbox.hubspot.catalog import group_of
from syncd.sandbox.hubspot.errors import ApiError, missing_fields, not_found, validation
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.shapes import mapping, mappings, optional, required, texts

READ = ("crm.schemas.custom.read", "crm.schemas.custom.write")
WRITE = ("crm.schemas.custom.write",)


def schemas(call: Call) -> Answer:
    match call.method, call.route.rest:
        case "GET", []:
            call.may(READ)
            shown = [] if call.flag("archived") else call.account.kinds.own()
            return 200, {"results": [_schema(call, kind) for kind in shown]}
        case "POST", []:
            _may_define(call)
            return 201, _schema(call, define(call.account, call.body()))
        case "GET", [name]:
            kind = call.account.kinds.of(name)
            call.may((*kind.schema_read_scopes(), *(READ if kind.own else ())))
            return 200, _schema(call, kind)
        case "POST", ["batch", "read"]:
            call.may(READ)
            kinds = [_own(call, one) for one in texts(call.body().get("inputs"), "inputs")]
            return 200, {"results": [_schema(call, kind) for kind in kinds]}
        case "PATCH", [name]:
            _may_define(call)
            return 200, _schema(call, _change(call, _own(call, name), call.body()))
        case "DELETE", [name, "associations", number]:
            _may_define(call)
            return _part(call, _own(call, name), number)
        case "DELETE", [name]:
            _may_define(call)
            return _delete(call, _own(call, name))
        case "POST", [name, "associations"]:
            _may_define(call)
            return 201, _connect(call, call.account.kinds.of(name), call.body())
    raise call.unsupported()


def _may_define(call: Call) -> None:
    call.may(WRITE)
    if call.account.profile.edition != "enterprise":
        raise ApiError(403, "This account does not have access to custom objects", "INVALID_PERMISSIONS")


def _own(call: Call, name: str) -> Kind:
    kind = call.account.kinds.of(name)
    if not kind.own:
        raise validation(f"Object type {kind.name} is defined by HubSpot")
    return kind


def define(account: Account, body: Mapping[str, Any]) -> Kind:
    """A new object type, its properties and associations. Raises :class:`ApiError`, and then leaves nothing behind."""
    (name,) = required(body, "name")
    labels = mapping(body.get("labels") or {}, "labels")
    absent = [one for one in ("labels", "properties", "requiredProperties") if body.get(one) is None]
    if absent:
        raise missing_fields(*absent)
    properties = mappings(body["properties"], "properties")
    wanted = tuple(texts(body["requiredProperties"], "requiredProperties"))
    shown = optional(body, "primaryDisplayProperty")
    known = {required(one, "name")[0] for one in properties}
    strange = sorted({*wanted, *([shown] if shown else [])} - known)
    if strange:
        raise validation(f"Properties {strange} are not defined by the schema", context={"properties": strange})
    targets = [account.kinds.of(one) for one in texts(body.get("associatedObjects"), "associatedObjects")]
    kind = account.kinds.define(
        name, optional(labels, "singular") or name, optional(labels, "plural") or name, wanted, shown
    )
    account.properties.open(kind)
    group = group_of(kind.name)[0]
    try:
        for one in properties:
            account.properties.create(kind, {"groupName": group, **one})
    except ApiError:
        account.properties.close(kind)
        account.kinds.forget(kind)
        raise
    for target in targets:
        account.graph.connect(kind, target, f"{kind.singular}_to_{target.singular}")
    return kind


def _change(call: Call, kind: Kind, body: Mapping[str, Any]) -> Kind:
    account = call.account
    wanted = kind.required
    if body.get("requiredProperties") is not None:
        wanted = tuple(texts(body["requiredProperties"], "requiredProperties"))
        for name in wanted:
            account.properties.get(kind, name)
    labels = mapping(body.get("labels") or {}, "labels")
    singular, plural = (optional(labels, one) or kind.labels[place] for place, one in enumerate(("singular", "plural")))
    return account.kinds.change(kind, wanted, (singular, plural))


def _part(call: Call, kind: Kind, number: str) -> Answer:
    for one in call.account.graph.connected(kind):
        if str(one.type_id) == number and one.category == USER_DEFINED:
            call.account.graph.part(one.source, one.target, one.edge)
            return 204, None
    raise not_found(f"Object type {kind.name} has no association {number}")


def _delete(call: Call, kind: Kind) -> Answer:
    account = call.account
    if any(not one.archived_ms for one in account.records.all(kind)):
        raise validation(f"Object type {kind.name} still has records and can not be deleted")
    account.graph.disconnect(kind)
    account.properties.close(kind)
    account.kinds.forget(kind)
    return 204, None


def _connect(call: Call, kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
    source, target = (call.account.kinds.of(one) for one in required(body, "fromObjectTypeId", "toObjectTypeId"))
    if kind not in (source, target) or not (source.own or target.own):
        raise not_found(f"Object type {kind.name} has no part in this association")
    name = optional(body, "name") or f"{source.singular}_to_{target.singular}"
    one = call.account.graph.connect(source, target, name)
    return {
        "id": str(one.type_id),
        "name": name,
        "fromObjectTypeId": source.type_id,
        "toObjectTypeId": target.type_id,
    }


def _schema(call: Call, kind: Kind) -> dict[str, Any]:
    singular, plural = kind.labels if kind.own else (_label(kind.singular), _label(kind.name))
    shown = next((one for one in kind.defaults if not one.startswith("hs_")), kind.defaults[0])
    out = {
        "id": kind.type_id.removeprefix("2-") if kind.own else kind.type_id,
        "objectTypeId": kind.type_id,
        "name": kind.singular if kind.own else kind.legacy,
        "fullyQualifiedName": kind.name if kind.own else kind.legacy,
        "labels": {"singular": singular, "plural": plural},
        "primaryDisplayProperty": shown,
        "requiredProperties": list(kind.required),
        "searchableProperties": [],
        "secondaryDisplayProperties": [],
        "allowsSensitiveProperties": False,
        "archived": False,
        "properties": [one.json() for one in call.account.properties.of(kind).values()],
        "associations": _associations(call, kind),
    }
    if kind.own:
        out["portalId"] = call.account.profile.portal_id
    return out


def _associations(call: Call, kind: Kind) -> Sequence[dict[str, Any]]:
    return [
        {
            "id": str(one.type_id),
            "name": one.name or one.label,
            "fromObjectTypeId": one.source,
            "toObjectTypeId": one.target,
        }
        for one in call.account.graph.connected(kind)
    ]


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()
