"""Objects: single records, lists, search, merge, privacy deletion."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.hubspot import api_associations, api_batches
from syncd.sandbox.hubspot import search as searching
from syncd.sandbox.hubspot.account import Claims
from syncd.sandbox.hubspot.call import Answer, Call, View, not_there
from syncd.sandbox.hubspot.errors import missing_fields, not_found, validation
from syncd.sandbox.hubspot.kinds import CONTACTS, Kind
from syncd.sandbox.hubspot.merging import merge
from syncd.sandbox.hubspot.records import Record
from syncd.sandbox.hubspot.shapes import mapping, mappings, optional, required, texts

MAX_PAGE = 100
MAX_PAGE_WITH_HISTORY = 50


def answer(call: Call) -> Answer:
    match call.method, call.route.rest:
        case _, [_, _, "associations", *_]:
            return api_associations.of_object(call)
        case _, _ if call.route.version == "v4":
            raise not_there()  # v4 has the associations of objects only
        case "GET", [name]:
            return _page(call, _readable(call, name))
        case "POST", [name]:
            return _create(call, _writable(call, name))
        case "POST", [name, "search"]:
            return _search(call, _readable(call, name))
        case "POST", [name, "merge"]:
            return _merge(call, _writable(call, name))
        case "POST", [name, "gdpr-delete"]:
            return _purge(call, _writable(call, name))
        case "POST", [name, "batch", what]:
            return api_batches.answer(call, name, what)
        case "GET", [name, id_]:
            return _read(call, _readable(call, name), id_)
        case "PATCH", [name, id_]:
            return _update(call, _writable(call, name), id_)
        case "DELETE", [name, id_]:
            return _archive(call, _writable(call, name), id_)
    raise call.unsupported()


def _readable(call: Call, name: str) -> Kind:
    kind = call.account.kinds.of(name)
    call.may(kind.read_scopes())
    return kind


def _writable(call: Call, name: str) -> Kind:
    kind = call.account.kinds.of(name)
    call.may(kind.write_scopes())
    return kind


def _page(call: Call, kind: Kind) -> Answer:
    history = call.names("propertiesWithHistory")
    limit = call.number("limit", 10, MAX_PAGE_WITH_HISTORY if history else MAX_PAGE)
    after = call.request.param("after") or "0"
    if not after.isdecimal():
        raise validation(f"after {after} is not valid", context={"after": [after]})
    records, more = call.account.records.page(kind, int(after), limit, archived=call.flag("archived"))
    view = View(call, kind, call.names("properties"), history)
    targets = [call.account.kinds.of(name) for name in call.names("associations")]
    out: dict[str, Any] = {"results": [_with_links(call, view.show(one), one, targets) for one in records]}
    if more:
        out["paging"] = call.next_page(records[-1].id)
    return 200, out


def _with_links(call: Call, shown: dict[str, Any], record: Record, targets: list[Kind]) -> dict[str, Any]:
    graph, links = call.account.graph, {}
    for target in targets:
        types = graph.types(record.kind, target)
        rows = [
            {"id": other, "type": types[edge].name or types[edge].label}
            for other, edges in graph.of(record.id, target).items()
            for edge in sorted(edges)
            if edge in types
        ]
        if rows:
            links[target.association_key or target.name] = {"results": rows}
    if links:
        shown["associations"] = links
    return shown


def _read(call: Call, kind: Kind, id_: str) -> Answer:
    record = call.account.find(kind, id_, call.request.param("idProperty"), archived=call.flag("archived"))
    if record is None:
        raise not_found()
    view = View(call, kind, call.names("properties"), call.names("propertiesWithHistory"))
    targets = [call.account.kinds.of(name) for name in call.names("associations")]
    return 200, _with_links(call, view.show(record), record, targets)


def _properties(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("properties") is None:
        raise missing_fields("properties")
    return mapping(body["properties"], "properties")


def _create(call: Call, kind: Kind) -> Answer:
    body = call.body()
    plan = call.account.plan_create(
        kind,
        _properties(body),
        call.source,
        Claims(),
        links=mappings(body.get("associations"), "associations"),
        rules=call.rules,
    )
    return 201, View(call, kind).show_all(call.account.apply(plan, call.source))


def _update(call: Call, kind: Kind, id_: str) -> Answer:
    record = call.account.need(kind, id_, call.request.param("idProperty"))
    properties = _properties(call.body())
    if not properties:
        raise validation("No properties found to update, please provide at least one.")
    plan = call.account.plan_update(record, properties, call.source, Claims(), rules=call.rules)
    return 200, View(call, kind).show_all(call.account.apply(plan, call.source))


def _archive(call: Call, kind: Kind, id_: str) -> Answer:
    record = call.account.records.get(kind, id_)
    if record is not None:
        call.account.archive(record, call.source)
    elif not call.account.records.known(kind, id_):
        raise not_found()
    return 204, None


def _merge(call: Call, kind: Kind) -> Answer:
    primary, other = required(call.body(), "primaryObjectId", "objectIdToMerge")
    return 200, View(call, kind).show_all(merge(call.account, kind, primary, other, call.source))


def _purge(call: Call, kind: Kind) -> Answer:
    if kind is not CONTACTS and not call.rules:
        raise not_there()  # generic since 2026-09
    body = call.body()
    (id_,) = required(body, "objectId")
    record = call.account.find(kind, id_, optional(body, "idProperty"))
    if record is None and kind is CONTACTS and body.get("idProperty") == "email":
        call.account.records.blocked_emails.add(id_.strip().lower())
    elif record is None:
        raise not_found()
    else:
        call.account.purge(record, call.source)
    return 204, None


def _search(call: Call, kind: Kind) -> Answer:
    account, body = call.account, call.body()
    definitions = account.properties.of(kind)

    def near(id_: str, name: str) -> set[str]:
        return set(account.graph.of(id_, account.kinds.of(name)))

    def alive(record: Record) -> bool:
        return account.records.get(kind, record.id) is record

    query = searching.parse(kind, body, definitions, near)
    found = searching.run(query, account.search.entries(kind, query.since_ms, alive), definitions)
    view = View(call, kind, texts(body.get("properties"), "properties"))
    rows = [view.show(entry.record, entry.values) for entry in found.page]
    out: dict[str, Any] = {"total": found.total, "results": rows}
    if found.next_after:
        out["paging"] = {"next": {"after": found.next_after}}
    return 200, out
