"""Associations in version 4 and the dated versions: single, in batches, and their labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncd.sandbox.hubspot.account import Account
from syncd.sandbox.hubspot.associations import CATEGORIES, USER_DEFINED, LinkType
from syncd.sandbox.hubspot.call import Answer, Call, envelope, not_there
from syncd.sandbox.hubspot.errors import ApiError, missing_fields, validation
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.records import Record
from syncd.sandbox.hubspot.shapes import integer, mappings, optional, required

MAX_WRITES = 2000
MAX_READS = 1000
_PAGE = 500


def of_object(call: Call) -> Answer:
    """Below ``/objects/{type}/{id}/associations``."""
    match call.method, call.route.rest:
        case "GET", [name, id_, _, to]:
            return _list(call, call.account.kinds.of(name), id_, call.account.kinds.of(to))
        case "PUT", [name, id_, _, "default", to, to_id]:
            return _put_default(call, call.account.kinds.of(name), id_, call.account.kinds.of(to), to_id)
        case "PUT", [name, id_, _, to, to_id]:
            return _put(call, call.account.kinds.of(name), id_, call.account.kinds.of(to), to_id)
        case "DELETE", [name, id_, _, to, to_id]:
            return _delete(call, call.account.kinds.of(name), id_, call.account.kinds.of(to), to_id)
    raise call.unsupported()


def answer(call: Call) -> Answer:
    """Below ``/associations``."""
    match call.method, call.route.rest:
        case "POST", [source, target, "batch", *what]:
            return _batch(call, call.account.kinds.of(source), call.account.kinds.of(target), "/".join(what))
        case _, [source, target, "labels", *rest]:
            return _labels(call, call.account.kinds.of(source), call.account.kinds.of(target), rest)
    raise call.unsupported()


def _may_write(call: Call, source: Kind, target: Kind) -> None:
    call.may(source.write_scopes())
    call.may(target.write_scopes())


def _number(call: Call, id_: str) -> str | int:
    """Object ids are numbers in version 4 and texts in the dated ones."""
    return id_ if call.dated else int(id_)


# -- one pair


def must_exist(account: Account, kind: Kind, id_: str) -> Record:
    """A record an association speaks of. Raises :class:`ApiError`."""
    record = account.records.get(kind, id_)
    if record is None:
        raise ApiError(
            404,
            f"{kind.singular} with ID {id_} does not exist",
            "OBJECT_NOT_FOUND",
            sub_category="crm.associations.INVALID_OBJECT_IDS",
            context={"id": [id_]},
        )
    return record


def _list(call: Call, source: Kind, id_: str, target: Kind) -> Answer:
    call.may(source.read_scopes())
    if call.account.records.get(source, id_) is None:
        must_exist(call.account, source, id_)
    limit = call.number("limit", _PAGE, _PAGE)
    rows, after = _rows(call, source, id_, target, call.request.param("after"), limit)
    out: dict[str, Any] = {"results": rows}
    if after:
        out["paging"] = call.next_page(after)
    return 200, out


def _rows(call: Call, source: Kind, id_: str, target: Kind, after: str, limit: int) -> tuple[list[dict[str, Any]], str]:
    graph = call.account.graph
    ids = sorted(int(one) for one in graph.of(id_, target))
    if after:
        ids = [one for one in ids if one > integer(after, "after")]
    page = [str(one) for one in ids[:limit]]
    rows = [
        {
            "toObjectId": _number(call, one),
            "associationTypes": graph.describe(source, target, graph.of(id_, target)[one]),
        }
        for one in page
    ]
    return rows, page[-1] if len(ids) > limit else ""


def _types(call: Call, source: Kind, target: Kind, raw: Any) -> list[LinkType]:
    listed = mappings(raw, "types")
    if not listed:
        raise validation("At least one association type is required")
    found = []
    for one in listed:
        category, type_id = required(one, "associationCategory", "associationTypeId")
        if category not in CATEGORIES:
            raise validation(f"{category} is not a valid associationCategory")
        found.append(call.account.graph.type(source, target, category, integer(type_id, "associationTypeId")))
    return found


def _pair(call: Call, source: Kind, id_: str, target: Kind, to_id: str, types: Iterable[LinkType]) -> dict[str, Any]:
    """Associate and describe what was done. Raises :class:`ApiError` and changes nothing."""
    account = call.account
    here, there = must_exist(account, source, id_), must_exist(account, target, to_id)
    wanted = list(types)
    for one in wanted:
        account.associate(source, here.id, target, there.id, one, call.source)
    return {
        "fromObjectTypeId": source.type_id,
        "fromObjectId": _number(call, here.id),
        "toObjectTypeId": target.type_id,
        "toObjectId": _number(call, there.id),
        "labels": [one.label for one in wanted if one.label],
    }


def _put(call: Call, source: Kind, id_: str, target: Kind, to_id: str) -> Answer:
    _may_write(call, source, target)
    return 201, _pair(call, source, id_, target, to_id, _types(call, source, target, call.json()))


def _put_default(call: Call, source: Kind, id_: str, target: Kind, to_id: str) -> Answer:
    _may_write(call, source, target)
    return 200, envelope(call.account, _default(call, source, id_, target, to_id))


def _default(call: Call, source: Kind, id_: str, target: Kind, to_id: str) -> list[dict[str, Any]]:
    one = call.account.graph.default(source, target)
    _pair(call, source, id_, target, to_id, [one])
    return [
        {
            "from": {"id": first},
            "to": {"id": second},
            "associationSpec": {"associationCategory": one.category, "associationTypeId": type_id},
        }
        for first, second, type_id in ((id_, to_id, one.type_id), (to_id, id_, one.inverse))
    ]


def _delete(call: Call, source: Kind, id_: str, target: Kind, to_id: str) -> Answer:
    _may_write(call, source, target)
    call.account.dissociate(source, id_, target, to_id, call.source)
    return 204, None


# -- batches


def _batch(call: Call, source: Kind, target: Kind, what: str) -> Answer:
    if what == "read":
        call.may(source.read_scopes())
        return _batch_read(call, source, target)
    writer = {
        "create": _batch_create,
        "associate/default": _batch_default,
        "archive": _batch_archive,
        "labels/archive": _batch_archive_labels,
    }.get(what)
    if writer is None:
        raise not_there()
    _may_write(call, source, target)
    return writer(call, source, target)


def _id(one: Mapping[str, Any], name: str) -> str:
    if one.get(name) is None:
        raise missing_fields(name)
    return required(one[name], "id")[0]


def _failed(error: ApiError, id_: str, to_id: str) -> dict[str, Any]:
    return error.standard({"fromObjectId": [id_], "toObjectId": [to_id]})


def _batch_create(call: Call, source: Kind, target: Kind) -> Answer:
    results, errors = [], []
    wanted = [
        (_id(one, "from"), _id(one, "to"), _types(call, source, target, one.get("types")))
        for one in call.inputs(call.body(), MAX_WRITES)
    ]
    for id_, to_id, types in wanted:
        try:
            results.append(_pair(call, source, id_, target, to_id, types))
        except ApiError as error:
            errors.append(_failed(error, id_, to_id))
    success = 200 if call.route.version == "2026-09" else 201
    return (207 if errors else success), envelope(call.account, results, errors)


def _batch_default(call: Call, source: Kind, target: Kind) -> Answer:
    results: list[dict[str, Any]] = []
    errors = []
    for one in call.inputs(call.body(), MAX_WRITES):
        id_, to_id = _id(one, "from"), _id(one, "to")
        try:
            results.extend(_default(call, source, id_, target, to_id))
        except ApiError as error:
            errors.append(_failed(error, id_, to_id))
    return (207 if errors else 200), envelope(call.account, results, errors)


def _batch_read(call: Call, source: Kind, target: Kind) -> Answer:
    results, errors = [], []
    for one in call.inputs(call.body(), MAX_READS):
        (id_,) = required(one, "id")
        rows, after = _rows(call, source, id_, target, optional(one, "after"), _PAGE)
        if not rows:
            errors.append(_nothing(source, id_, target))
            continue
        result: dict[str, Any] = {"from": {"id": id_}, "to": rows}
        if after:
            result["paging"] = {"next": {"after": after}}
        results.append(result)
    call.account.dice.shuffle(results)
    return (207 if errors else 200), envelope(call.account, results, errors)


def _nothing(source: Kind, id_: str, target: Kind) -> dict[str, Any]:
    return ApiError(
        404,
        f"No {target.singular} is associated with {source.singular} {id_}.",
        "OBJECT_NOT_FOUND",
        sub_category="crm.associations.NO_ASSOCIATIONS_FOUND",
        context={"fromObjectId": [id_], "fromObjectType": [source.singular], "toObjectType": [target.singular]},
    ).standard()


def _emptied(call: Call) -> Answer:
    return (200, envelope(call.account, [])) if call.dated else (204, None)


def _batch_archive(call: Call, source: Kind, target: Kind) -> Answer:
    for one in call.inputs(call.body(), MAX_WRITES):
        if one.get("to") is None:
            raise missing_fields("to")
        id_, targets = _id(one, "from"), mappings(one["to"], "to")
        for other in targets:
            (to_id,) = required(other, "id")
            call.account.dissociate(source, id_, target, to_id, call.source)
    return _emptied(call)


def _batch_archive_labels(call: Call, source: Kind, target: Kind) -> Answer:
    for one in call.inputs(call.body(), MAX_WRITES):
        types = _types(call, source, target, one.get("types"))
        call.account.dissociate(source, _id(one, "from"), target, _id(one, "to"), call.source, types)
    return _emptied(call)


# -- labels


def _labels(call: Call, source: Kind, target: Kind, rest: Sequence[str]) -> Answer:
    graph = call.account.graph
    if call.method == "GET" and not rest:
        call.may(source.read_scopes())
        return 200, {"results": [_label(one) for one in graph.types(source, target).values()]}
    _may_write(call, source, target)
    match call.method, list(rest):
        case "POST", []:
            body = call.body()
            label, _ = required(body, "label", "name")
            inverse = optional(body, "inverseLabel") or None
            return 200, {"results": [_label(one) for one in graph.create_label(source, target, label, inverse)]}
        case "PUT", []:
            body = call.body()
            type_id, label = required(body, "associationTypeId", "label")
            graph.rename_label(source, target, integer(type_id, "associationTypeId"), label)
            return 204, None
        case "DELETE", [type_id] if type_id.isdecimal():
            graph.type(source, target, USER_DEFINED, int(type_id))
            graph.delete_label(source, target, int(type_id))
            return 204, None
    raise call.unsupported()


def _label(one: LinkType) -> dict[str, Any]:
    return {"category": one.category, "typeId": one.type_id, "label": one.label}
