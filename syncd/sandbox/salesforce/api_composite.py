"""``composite``, ``composite/batch``, ``composite/graph`` and ``composite/tree``: many requests in one call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from syncd.sandbox.salesforce import api_collections
from syncd.sandbox.salesforce.api_rows import listed, mapping
from syncd.sandbox.salesforce.call import Answer, Call
from syncd.sandbox.salesforce.errors import SalesforceError, not_there
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.unit import Unit

MAX_SUBREQUESTS = 25
MAX_QUERIES = 5
MAX_GRAPHS, MAX_NODES = 75, 500
MAX_TREE, MAX_TREE_TYPES, MAX_TREE_DEPTH = 200, 5, 5
_REFERENCE = re.compile(r"@\{([A-Za-z][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_]+|\[\d+\])+)\}")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")

Dispatch = Callable[[Call], Answer]


def answer(call: Call, dispatch: Dispatch) -> Answer:
    """``call.path`` begins with ``composite``; ``dispatch`` answers a subrequest."""
    match call.path[1:]:
        case ():
            call.only("POST")
            return _composite(call, dispatch)
        case ("batch",):
            call.only("POST")
            return _batch(call, dispatch)
        case ("graph",):
            call.only("POST")
            return _graphs(call, dispatch)
        case ("tree", name):
            call.only("POST")
            return _tree(call, call.org.schema.need(name))
        case ("sobjects", *_):
            return api_collections.answer(call)
    raise not_there()


def undone(dispatch: Dispatch, call: Call) -> Answer:
    """An answer for every call: refusals become one."""
    try:
        return dispatch(call)
    except SalesforceError as error:
        return Answer(error.status, error.body())


# -- composite


class _Run:
    """The subrequests of one composite or graph, in order."""

    def __init__(self, call: Call, dispatch: Dispatch, *, all_or_none: bool) -> None:
        self._call = call
        self._dispatch = dispatch
        self.unit = Unit(call.org, call.caller) if all_or_none else None
        self._known: dict[str, Answer] = {}
        self.failed = False

    def answers(self, subrequests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        out: list[tuple[str, Answer]] = []
        for one in subrequests:
            reference = str(one.get("referenceId", ""))
            reply = _halted() if self.failed and self.unit is not None else self._one(one)
            self._known[reference] = reply
            self.failed = self.failed or reply.failed
            out.append((reference, reply))
        if self.unit is not None:
            if self.failed:
                self.unit.rollback()
                out = [(reference, reply if reply.failed else _halted()) for reference, reply in out]
            else:
                self.unit.commit()
        return [
            {"body": reply.body, "httpHeaders": reply.headers, "httpStatusCode": reply.status, "referenceId": reference}
            for reference, reply in out
        ]

    def _one(self, one: Mapping[str, Any]) -> Answer:
        try:
            headers = dict(mapping(one.get("httpHeaders") or {}, "httpHeaders"))
            url = self._filled(str(one["url"]))
            body = self._filled(one.get("body"))
            sub = self._call.sub(str(one["method"]), url, body, headers, self.unit)
        except SalesforceError as error:
            return Answer(error.status, error.body())
        return undone(self._dispatch, sub)

    def _filled(self, value: Any) -> Any:
        """With the references to earlier answers filled in."""
        if isinstance(value, str):
            alone = _REFERENCE.fullmatch(value)
            if alone:
                return self._look_up(alone)
            return _REFERENCE.sub(lambda found: str(self._look_up(found)), value)
        if isinstance(value, dict):
            return {name: self._filled(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        return value

    def _look_up(self, found: re.Match[str]) -> Any:
        reply = self._known.get(found[1])
        here: Any = reply.body if reply is not None and not reply.failed else None
        for step in _STEP.finditer(found[2]):
            here = _inside(here, step)
        if here is None:
            path = found[0][2:-1]
            raise SalesforceError(
                "PROCESSING_HALTED", f"Invalid reference specified. No value for {path} found in {found[1]}"
            )
        return here


def _inside(here: Any, step: re.Match[str]) -> Any:
    if step[2] is not None:
        return here[int(step[2])] if isinstance(here, list) and int(step[2]) < len(here) else None
    if not isinstance(here, dict):
        return None
    return next((value for name, value in here.items() if name.lower() == step[1].lower()), None)


def _halted() -> Answer:
    message = "The transaction was rolled back since another operation in the same transaction failed."
    return Answer(400, [{"errorCode": "PROCESSING_HALTED", "message": message}])


def _subrequests(body: Mapping[str, Any], most: int) -> list[Mapping[str, Any]]:
    listed = body.get("compositeRequest")
    if not isinstance(listed, list) or not listed:
        raise SalesforceError("INVALID_INPUT", "compositeRequest must hold at least one subrequest")
    if len(listed) > most:
        raise SalesforceError("LIMIT_EXCEEDED", f"The number of subrequests exceeds the limit of {most}")
    subrequests = [mapping(one, "a subrequest") for one in listed]
    seen: set[str] = set()
    for one in subrequests:
        reference = one.get("referenceId")
        if not isinstance(reference, str) or not reference or reference in seen:
            raise SalesforceError("INVALID_INPUT", f"referenceId must be given and unique: {reference}")
        if not {"method", "url"} <= set(one):
            raise SalesforceError("INVALID_INPUT", "every subrequest has a method and a url")
        seen.add(reference)
    return subrequests


def _composite(call: Call, dispatch: Dispatch) -> Answer:
    body = call.body()
    subrequests = _subrequests(body, MAX_SUBREQUESTS)
    heavy = sum(1 for one in subrequests if "/composite/" in str(one["url"]) or "/query" in str(one["url"]))
    if heavy > MAX_QUERIES:
        raise SalesforceError("LIMIT_EXCEEDED", f"at most {MAX_QUERIES} subrequests may be queries or collections")
    run = _Run(call, dispatch, all_or_none=bool(body.get("allOrNone", False)))
    return Answer(200, {"compositeResponse": run.answers(subrequests)})


def _graphs(call: Call, dispatch: Dispatch) -> Answer:
    graphs = call.body().get("graphs")
    if not isinstance(graphs, list) or not graphs or len(graphs) > MAX_GRAPHS:
        raise SalesforceError("LIMIT_EXCEEDED", f"1 to {MAX_GRAPHS} graphs are allowed")
    out = []
    for graph in graphs:
        subrequests = _subrequests(mapping(graph, "a graph"), MAX_NODES)
        run = _Run(call, dispatch, all_or_none=True)
        replies = run.answers(subrequests)
        out.append(
            {
                "graphId": graph.get("graphId"),
                "graphResponse": {"compositeResponse": replies},
                "isSuccessful": not run.failed,
            }
        )
    return Answer(200, {"graphs": out})


# -- batch


def _batch(call: Call, dispatch: Dispatch) -> Answer:
    body = call.body()
    listed = body.get("batchRequests")
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_SUBREQUESTS:
        raise SalesforceError("LIMIT_EXCEEDED", f"1 to {MAX_SUBREQUESTS} batch requests are allowed")
    results: list[dict[str, Any]] = []
    failed = False
    for given in listed:
        one = mapping(given, "a batch request")
        if failed and body.get("haltOnError"):
            message = "Batch processing halted per request"
            results.append(
                {"statusCode": 412, "result": [{"errorCode": "BATCH_PROCESSING_HALTED", "message": message}]}
            )
            continue
        try:
            sub = call.sub(str(one.get("method", "GET")), str(one.get("url", "")), one.get("richInput"), {}, None)
            reply = undone(dispatch, sub)
        except SalesforceError as error:
            reply = Answer(error.status, error.body())
        failed = failed or reply.failed
        results.append({"statusCode": reply.status, "result": reply.body})
    return Answer(200, {"hasErrors": failed, "results": results})


# -- tree


def _tree(call: Call, kind: ObjectType) -> Answer:
    records = call.body().get("records")
    if not isinstance(records, list) or not records:
        raise SalesforceError("INVALID_INPUT", "records must hold at least one record")
    nodes: list[tuple[ObjectType, Mapping[str, Any], int, str]] = []
    for record in records:
        _plant(call, kind, mapping(record, "a record"), nodes, -1, "", 1)
    if len(nodes) > MAX_TREE or len({node[0].name for node in nodes}) > MAX_TREE_TYPES:
        raise SalesforceError("LIMIT_EXCEEDED", f"at most {MAX_TREE} records of {MAX_TREE_TYPES} types are allowed")
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    ids: list[str] = []
    with call.unit() as unit:
        start = unit.mark()
        for of, record, parent, link in nodes:
            reference = str(mapping(record.get("attributes") or {}, "attributes").get("referenceId", ""))
            values = {name: value for name, value in record.items() if not _has_records(value)}
            try:
                row = unit.insert(of, {**values, **({link: ids[parent]} if link else {})})
            except SalesforceError as error:
                errors.append({"referenceId": reference, "errors": [error.element()]})
                break
            ids.append(row.id)
            results.append({"referenceId": reference, "id": row.id})
        if errors:
            unit.rollback(start)
    if errors:
        return Answer(400, {"hasErrors": True, "results": errors})
    return Answer(201, {"hasErrors": False, "results": results})


def _has_records(value: Any) -> bool:
    return isinstance(value, dict) and "records" in value


def _plant(
    call: Call,
    kind: ObjectType,
    record: Mapping[str, Any],
    nodes: list[tuple[ObjectType, Mapping[str, Any], int, str]],
    parent: int,
    link: str,
    depth: int,
) -> None:
    """Parents before children."""
    if depth > MAX_TREE_DEPTH:
        raise SalesforceError("LIMIT_EXCEEDED", f"a tree is at most {MAX_TREE_DEPTH} levels deep")
    place = len(nodes)
    nodes.append((kind, record, parent, link))
    for name, value in record.items():
        if _has_records(value):
            found = call.org.schema.child(kind, name)
            if found is None:
                raise SalesforceError("INVALID_FIELD", f"No such relation '{name}' on {kind.name}")
            for child in listed(value["records"], "records"):
                _plant(call, found[0], mapping(child, "a record"), nodes, place, found[1].name, depth + 1)
