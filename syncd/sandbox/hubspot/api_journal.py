"""The Webhooks Journal over HTTP: subscriptions, filters, entries by offset, snapshots, and the files behind URLs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from syncd.sandbox.http import Reply, Request
from syncd.sandbox.hubspot.call import Answer, Call, envelope, not_there
from syncd.sandbox.hubspot.errors import ApiError, missing_fields, not_found, validation
from syncd.sandbox.hubspot.journal import FILES, TYPE_OF, Entry, Journal, JournalSubscription
from syncd.sandbox.hubspot.journal_filters import checked
from syncd.sandbox.hubspot.shapes import integer, mapping, mappings, required, text, texts
from syncd.sandbox.hubspot.values import iso

READ: Final = "developer.webhooks_journal.read"
SUBSCRIPTIONS: Final = "developer.webhooks_journal.subscriptions"
SNAPSHOTS: Final = "developer.webhooks_journal.snapshots"
SCOPES: Final = frozenset({
    READ, f"{SUBSCRIPTIONS}.read", f"{SUBSCRIPTIONS}.write", f"{SNAPSHOTS}.read", f"{SNAPSHOTS}.write",
})  # fmt: skip
"""Of an app's own tokens; a token of an account never has them."""

MOST: Final = 100
"""Entries of a batch; the vendor names no number."""

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "OBJECT": ("actions", "objectIds", "objectTypeId", "portalId", "properties"),
    "ASSOCIATION": ("actions", "associatedObjectTypeIds", "objectIds", "objectTypeId", "portalId"),
    "GDPR_PRIVACY_DELETION": ("actions", "objectTypeId", "portalId"),
}


def answer(call: Call, journal: Journal) -> Answer:
    match call.route.area:
        case "journal":
            return _journal(call, journal)
        case "journal-subscriptions":
            return _subscriptions(call, journal)
        case "journal-snapshots":
            return _snapshots(call, journal)
    raise not_there()


def file(request: Request, journal: Journal) -> Reply:
    """As the storage behind the URLs answers: it knows nothing of the API's tokens, and minds seeing one."""
    if request.headers.get("authorization"):
        return _refused(400, "InvalidArgument", "Only one auth mechanism allowed")
    offset = request.path.removeprefix(FILES).removesuffix(".json")
    ends = request.param("Expires", "0")
    entry = journal.file(offset, ends if ends.isdecimal() else "0", request.param("Signature"))
    if entry is None:
        return _refused(403, "AccessDenied", "Request has expired")
    return Reply(200, orjson.dumps(entry.json()), content_type="application/json")


def _refused(status: int, code: str, message: str) -> Reply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Reply(status, body.encode(), content_type="application/xml")


def _journal(call: Call, journal: Journal) -> Answer:
    if call.route.rest[:1] == ("status",):
        return _status(call, journal)
    call.may([READ])
    _portal(call, journal)
    match call.method, call.route.rest:
        case "GET", ["earliest"]:
            return _one(call, journal, journal.earliest())
        case "GET", ["latest"]:
            return _one(call, journal, journal.latest())
        case "GET", ["offset", offset, "next"]:
            return _one(call, journal, journal.after(offset))
        case "GET", ["batch", ("earliest" | "latest") as end, count]:
            return _many(call, journal, getattr(journal, end)(_count(count)))
        case "GET", ["batch", offset, "next", count]:
            return _many(call, journal, journal.after(offset, _count(count)))
        case "POST", ["batch", "read"]:
            return _read(call, journal)
    raise call.unsupported()


def _portal(call: Call, journal: Journal) -> None:
    portal = call.request.param("installPortalId")
    if portal and portal != str(journal.portal_id):
        raise ApiError(403, f"The app is not installed in portal {portal}", "MISSING_SCOPES")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST:
        raise validation(f"count must be between 1 and {MOST}: {text}")
    return int(text)


def _host(call: Call) -> str:
    return call.request.headers.get("host", "")


def _one(call: Call, journal: Journal, entries: Sequence[Entry]) -> Answer:
    return (200, journal.address(entries[0], _host(call))) if entries else (204, None)


def _many(call: Call, journal: Journal, entries: Sequence[Entry]) -> Answer:
    return 200, envelope(call.account, [journal.address(one, _host(call)) for one in entries])


def _read(call: Call, journal: Journal) -> Answer:
    inputs = call.body().get("inputs")
    if not isinstance(inputs, list):
        raise missing_fields("inputs")
    found, errors = [], []
    for offset in inputs:
        try:
            found.append(journal.address(journal.entry(str(offset)), _host(call)))
        except ApiError as error:
            errors.append(error.standard({"ids": [str(offset)]}))
    return (207 if errors else 200), envelope(call.account, found, errors)


# -- subscriptions


def _subscriptions(call: Call, journal: Journal) -> Answer:
    call.may([f"{SUBSCRIPTIONS}.{'read' if call.method == 'GET' else 'write'}"])
    match call.method, call.route.rest:
        case "GET", []:
            return 200, {"results": [_shown(one, journal) for one in journal.subscriptions.values()]}
        case "POST", []:
            return 200, _shown(_upsert(call.body(), journal), journal)
        case method, ["filters", *rest]:
            return _filters(call, journal, method, rest)
        case "DELETE", ["portals", portal]:
            gone = [one.id for one in journal.subscriptions.values() if str(one.portal_id) == portal]
            for id_ in gone:
                _remove(journal, id_)
            return 204, None
        case "GET", [id_]:
            return 200, _shown(_found(journal, id_), journal)
        case "DELETE", [id_]:
            _remove(journal, _found(journal, id_).id)
            return 204, None
    raise call.unsupported()


def _found(journal: Journal, id_: str) -> JournalSubscription:
    one = journal.subscriptions.get(int(id_)) if id_.isdecimal() else None
    if one is None:
        raise not_found(f"No subscription {id_}")
    return one


def _remove(journal: Journal, id_: int) -> None:
    del journal.subscriptions[id_]
    for filter_ in [number for number, one in journal.filters.items() if one[0] == id_]:
        del journal.filters[filter_]


def _present(body: Mapping[str, Any], *names: str) -> None:
    absent = [name for name in names if body.get(name) is None]
    if absent:
        raise missing_fields(*absent)


def _installed(portal: Any, journal: Journal) -> None:
    if integer(portal, "portalId") != journal.portal_id:
        raise ApiError(403, f"The app is not installed in portal {portal}", "MISSING_SCOPES")


def _upsert(body: Mapping[str, Any], journal: Journal) -> JournalSubscription:
    """One per portal, type and object type: asked for again, it is changed."""
    (type_,) = required(body, "subscriptionType")
    if type_ not in _NEEDED:
        raise validation(f"subscriptionType {type_} is not supported here")
    _present(body, *_NEEDED[type_])
    _installed(body["portalId"], journal)
    type_id, actions = text(body["objectTypeId"], "objectTypeId"), texts(body["actions"], "actions")
    wrong = [one for one in actions if TYPE_OF.get(one) != type_]
    if wrong or not actions:
        raise validation(f"actions not valid for {type_}: {', '.join(wrong) or 'none given'}")
    now = journal.clock.now_ms()
    mine = (journal.portal_id, type_, type_id)
    held = [one for one in journal.subscriptions.values() if (one.portal_id, one.type, one.type_id) == mine]
    known = held[0] if held else None
    fresh = JournalSubscription(
        known.id if known else journal.new_number(), type_, type_id, journal.portal_id, tuple(actions),
        tuple(texts(body.get("properties"), "properties")),
        tuple(integer(one, "objectIds") for one in body.get("objectIds") or ()),
        tuple(texts(body.get("associatedObjectTypeIds"), "associatedObjectTypeIds")),
        known.created_ms if known else now, now,
    )  # fmt: skip
    journal.subscriptions[fresh.id] = fresh
    return fresh


def _shown(one: JournalSubscription, journal: Journal) -> dict[str, Any]:
    return {
        "id": one.id, "appId": journal.app_id, "subscriptionType": one.type, "objectTypeId": one.type_id,
        "portalId": one.portal_id, "actions": list(one.actions), "properties": list(one.properties),
        "objectIds": list(one.object_ids), "associatedObjectTypeIds": list(one.associated), "listIds": [],
        "actionOverrides": {}, "createdAt": iso(one.created_ms), "updatedAt": iso(one.updated_ms),
    }  # fmt: skip


def _filters(call: Call, journal: Journal, method: str, rest: Sequence[str]) -> Answer:
    match method, list(rest):
        case "POST", []:
            body = call.body()
            _present(body, "filter", "subscriptionId")
            owner = _found(journal, text(body["subscriptionId"], "subscriptionId"))
            conditions = checked(mappings(mapping(body["filter"], "filter").get("conditions"), "conditions"))
            number = journal.new_number()
            journal.filters[number] = owner.id, journal.clock.now_ms(), conditions
            return 200, {"filterId": number}
        case "GET", ["subscription", id_]:
            owner = _found(journal, id_)
            return 200, [_filter(journal, one) for one, held in journal.filters.items() if held[0] == owner.id]
        case (("GET" | "DELETE"), [id_]):
            number = int(id_) if id_.isdecimal() else -1
            if number not in journal.filters:
                raise not_found(f"No filter {id_}")
            if method == "GET":
                return 200, _filter(journal, number)
            del journal.filters[number]
            return 204, None
    raise call.unsupported()


def _filter(journal: Journal, number: int) -> dict[str, Any]:
    _, made, conditions = journal.filters[number]
    return {"id": number, "createdAt": made, "filter": {"conditions": conditions}}


# -- snapshots


def _snapshots(call: Call, journal: Journal) -> Answer:
    call.may([f"{SNAPSHOTS}.write"])
    if (call.method, call.route.rest) != ("POST", ("crm",)):
        raise call.unsupported()
    body = call.body()
    _present(body, "snapshotRequests")
    responses = []
    for one in mappings(body["snapshotRequests"], "snapshotRequests"):
        _present(one, "portalId", "objectId", "objectTypeId", "properties")
        _installed(one["portalId"], journal)
        id_, type_id = integer(one["objectId"], "objectId"), text(one["objectTypeId"], "objectTypeId")
        task = journal.snapshot(type_id, id_, texts(one["properties"], "properties"))
        told = {"portalId": journal.portal_id, "objectId": id_, "objectTypeId": type_id}
        responses.append({**told, "snapshotStatusId": task.id})
    return 200, {"snapshotResponses": responses}


def _status(call: Call, journal: Journal) -> Answer:
    call.may([f"{SNAPSHOTS}.read"])
    journal.latest()  # publishes what is due
    task = journal.tasks.get(call.route.rest[-1])
    if task is None or call.method != "GET" or len(call.route.rest) != 2:
        raise not_found("No snapshot with this status id")
    out: dict[str, Any] = {"id": task.id, "initiatedAt": task.at_ms, "status": "IN_PROGRESS"}
    if task.failed:
        return 200, out | {"status": "FAILED", "errorCode": task.failed, "completedAt": task.done_ms}
    return 200, out | ({"status": "SUCCESS", "completedAt": task.done_ms} if task.done_ms else {})
