"""``composite/sobjects``: up to 200 records in one call, each with a verdict of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from syncd.sandbox.salesforce.api_rows import key_field, listed, mapping
from syncd.sandbox.salesforce.call import Answer, Call, result
from syncd.sandbox.salesforce.errors import SalesforceError, no_column, not_there
from syncd.sandbox.salesforce.fields import Field
from syncd.sandbox.salesforce.ids import normal
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.soql_run import attributes
from syncd.sandbox.salesforce.unit import Unit

MAX_RECORDS = 200
MAX_READ = 2000
MAX_CHUNKS = 10

Step = Callable[[Unit], dict[str, Any]]


def answer(call: Call) -> Answer:
    """``call.path`` begins with ``composite``, ``sobjects``."""
    match call.path[2:]:
        case ():
            call.only("POST", "PATCH", "DELETE")
            return {"POST": _create, "PATCH": _update, "DELETE": _delete}[call.method](call)
        case (name,):
            call.only("GET", "POST")
            return _read(call, call.org.schema.need(name))
        case (name, key):
            call.only("PATCH")
            kind = call.org.schema.need(name)
            return _upsert(call, kind, key_field(kind, key))
    raise not_there()


# -- all of one kind


def _all_or_none(call: Call, body: Mapping[str, Any] | None = None) -> bool:
    if body is None:
        return call.param("allOrNone").lower() == "true"
    return bool(body.get("allOrNone", False))


def _records(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    records = body.get("records")
    if not isinstance(records, list) or not records:
        raise SalesforceError("INVALID_INPUT", "The records field is required and must hold at least one record")
    if len(records) > MAX_RECORDS:
        raise _too_many(MAX_RECORDS)
    return [mapping(one, "a record") for one in records]


def _too_many(most: int) -> SalesforceError:
    return SalesforceError(
        "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {most} records in this request"
    )


def kind_of(call: Call, record: Mapping[str, Any]) -> ObjectType:
    """By ``attributes.type``."""
    given = record.get("attributes")
    name = given.get("type") if isinstance(given, dict) else None
    if not isinstance(name, str):
        raise SalesforceError("INVALID_INPUT", "Include an attributes object with a type in every record")
    kind = call.org.schema.find(name)
    if kind is None:
        raise SalesforceError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return kind


def _kinds(call: Call, records: Sequence[Mapping[str, Any]]) -> list[ObjectType]:
    kinds = [kind_of(call, record) for record in records]
    chunks = 1 + sum(1 for one, other in pairwise(kinds) if one is not other)
    if chunks > MAX_CHUNKS:
        raise SalesforceError("LIMIT_EXCEEDED", f"Cannot have more than {MAX_CHUNKS} chunks in a single operation.")
    return kinds


def run(call: Call, steps: Sequence[Step], *, all_or_none: bool) -> Answer:
    """Every step on its own, or all in one; the reply is 200 either way."""
    verdicts: list[dict[str, Any]] = []
    failed = False
    with call.unit() as unit:
        whole = unit.mark()
        for step in steps:
            mark = unit.mark()
            try:
                verdicts.append(step(unit))
            except SalesforceError as error:
                unit.rollback(mark)
                failed = True
                verdicts.append({"success": False, "errors": [error.element()]})
        if failed and all_or_none:
            unit.rollback(whole)
            verdicts = [one if not one["success"] else _rolled_back() for one in verdicts]
    return Answer(200, verdicts)


def _rolled_back() -> dict[str, Any]:
    message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
    error = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": message, "fields": []}
    return {"success": False, "errors": [error]}


def _create(call: Call) -> Answer:
    body = call.body()
    records = _records(body)
    kinds = _kinds(call, records)

    def step(kind: ObjectType, record: Mapping[str, Any]) -> Step:
        return lambda unit: result(unit.insert(kind, _plain(record)).id)

    steps = [step(kind, record) for kind, record in zip(kinds, records, strict=True)]
    return run(call, steps, all_or_none=_all_or_none(call, body))


def _plain(record: Mapping[str, Any], *without: str) -> dict[str, Any]:
    left = {"attributes", *without}
    return {name: value for name, value in record.items() if name.lower() not in left}


def _update(call: Call) -> Answer:
    body = call.body()
    records = _records(body)
    kinds = _kinds(call, records)
    ids = [normal(record.get("id") or record.get("Id")) for record in records]
    twice = {id_ for id_, count in Counter(ids).items() if count > 1}

    def step(kind: ObjectType, id_: str, record: Mapping[str, Any]) -> Step:
        def write(unit: Unit) -> dict[str, Any]:
            if not id_:
                given = record.get("id") or record.get("Id")
                code = "MALFORMED_ID" if given else "MISSING_ARGUMENT"
                raise SalesforceError(code, f"Id not specified or malformed in an update call: {given}", ["Id"])
            if id_ in twice:
                raise SalesforceError("DUPLICATE_VALUE", f"Duplicate id in list: {id_}", ["Id"])
            unit.update(kind, id_, _plain(record, "id"))
            return result(id_)

        return write

    steps = [step(kind, id_, record) for kind, id_, record in zip(kinds, ids, records, strict=True)]
    return run(call, steps, all_or_none=_all_or_none(call, body))


def _delete(call: Call) -> Answer:
    ids = [one for one in call.param("ids").split(",") if one]
    if not ids:
        raise SalesforceError("INVALID_INPUT", "The ids parameter is required")
    if len(ids) > MAX_RECORDS:
        raise _too_many(MAX_RECORDS)

    def step(given: str) -> Step:
        def write(unit: Unit) -> dict[str, Any]:
            id_ = normal(given)
            kind = call.org.schema.of_id(id_)
            if not id_ or kind is None:
                raise SalesforceError("MALFORMED_ID", f"bad id {given}")
            unit.delete(kind, id_)
            return result(id_)

        return write

    return run(call, [step(id_) for id_ in ids], all_or_none=_all_or_none(call))


# -- upsert


def upsert_step(kind: ObjectType, key: Field, record: Mapping[str, Any], twice: frozenset[Any]) -> Step:
    """One record by external id. ``twice``: values that this request names more than once."""

    def write(unit: Unit) -> dict[str, Any]:
        name = next((one for one in record if one.lower() == key.name.lower()), "")
        given = record.get(name)
        if key.name == "Id":
            return _by_id(unit, kind, record, given)
        value = None if given is None else key.read(given)
        if value is None:
            raise SalesforceError("MISSING_ARGUMENT", f"{key.name} not specified", [key.name])
        if key.key(value) in twice:
            raise SalesforceError("DUPLICATE_VALUE", f"Duplicate external id specified: {given}", [key.name])
        holders = unit.org.table(kind).holders(key, value)
        if len(holders) > 1:
            listed = ", ".join(holders)
            raise SalesforceError(
                "DUPLICATE_EXTERNAL_ID",
                f"{key.label}: more than one record found for external id field: [{listed}]",
                [key.name],
            )
        if holders:
            unit.update(
                kind, holders[0], {one: value for one, value in record.items() if one not in {name, "attributes"}}
            )
            return result(holders[0], created=False)
        return result(unit.insert(kind, {one: value for one, value in record.items() if one != "attributes"}).id,
                      created=True)  # fmt: skip

    return write


def _by_id(unit: Unit, kind: ObjectType, record: Mapping[str, Any], given: Any) -> dict[str, Any]:
    values = _plain(record, "id")
    if given is None:
        return result(unit.insert(kind, values).id, created=True)
    id_ = normal(given)
    if not id_:
        raise SalesforceError("MALFORMED_ID", f"{kind.label} ID: id value of incorrect type: {given}", ["Id"])
    unit.update(kind, id_, values)
    return result(id_, created=False)


def repeated(key: Field, records: Sequence[Mapping[str, Any]]) -> frozenset[Any]:
    """External ids that several records of one request have."""
    counts: Counter[Any] = Counter()
    for record in records:
        value = record.get(key.name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            counts[key.key(value)] += 1
    return frozenset(value for value, count in counts.items() if count > 1)


def _upsert(call: Call, kind: ObjectType, key: Field) -> Answer:
    body = call.body()
    records = _records(body)
    for record, of in zip(records, _kinds(call, records), strict=True):
        if of is not kind:
            raise SalesforceError(
                "INVALID_INPUT", f"every record must be of type {kind.name}, not {record['attributes']}"
            )
    twice = repeated(key, records) if key.name != "Id" else frozenset()
    steps = [upsert_step(kind, key, record, twice) for record in records]
    return run(call, steps, all_or_none=_all_or_none(call, body))


# -- reading


def _read(call: Call, kind: ObjectType) -> Answer:
    if call.method == "GET":
        ids, names = call.param("ids").split(","), call.param("fields").split(",")
    else:
        body = call.body()
        ids, names = (list(map(str, listed(body.get(part, []), part))) for part in ("ids", "fields"))
    if len(ids) > MAX_READ:
        raise _too_many(MAX_READ)
    getters = []
    for name in names:
        one = kind.field(name.strip())
        if one is None:
            raise no_column(name, kind.name)
        getters.append((one.name, call.org.getter(kind, one.name)))
    out: list[Any] = []
    for given in ids:
        row = call.org.table(kind).get(normal(given))
        if row is None or row.deleted:
            out.append(None)
        else:
            out.append({"attributes": attributes(kind, row.id, call.base), **{name: get(row) for name, get in getters}})
    return Answer(200, out)
