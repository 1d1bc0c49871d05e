"""``sobjects/...``: describe, single records, external ids, the feeds of deleted and updated records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from syncd.sandbox.salesforce.call import Answer, Call, result
from syncd.sandbox.salesforce.errors import SalesforceError, deleted, no_column, not_there
from syncd.sandbox.salesforce.fields import Field, moment_ms, moment_text
from syncd.sandbox.salesforce.ids import normal
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.records import Row
from syncd.sandbox.salesforce.schema import describe, etag, summary
from syncd.sandbox.salesforce.soql_run import attributes

_MINUTE_MS = 60_000
_LONGEST_FEED_MS = 30 * 24 * 3600 * 1000
_BIN_MS = 15 * 24 * 3600 * 1000


def answer(call: Call) -> Answer:
    """``call.path`` begins with ``sobjects``."""
    match call.path[1:]:
        case ():
            call.only("GET", "HEAD")
            return _global(call)
        case (name,):
            return _kind(call, call.org.schema.need(name))
        case (name, "describe"):
            call.only("GET", "HEAD")
            return _describe(call, call.org.schema.need(name))
        case (name, "deleted" | "updated" as feed):
            call.only("GET", "HEAD")
            return _feed(call, call.org.schema.need(name), feed)
        case (name, id_):
            return _row(call, call.org.schema.need(name), id_)
        case (name, key, value):
            return _by_key(call, call.org.schema.need(name), key, value)
    raise not_there()


# -- describe


def _not_modified(call: Call, changed_ms: int, tag: str) -> Answer | None:
    since = call.headers.get("if-modified-since", "")
    headers = {"Last-Modified": format_datetime(datetime.fromtimestamp(changed_ms // 1000, UTC), usegmt=True),
               "ETag": tag}  # fmt: skip
    if call.headers.get("if-none-match", "") == tag or (since and _date_ms(since) >= changed_ms // 1000 * 1000):
        return Answer(304, headers=headers)
    return None


def _date_ms(text: str) -> int:
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except ValueError:
        raise SalesforceError("INVALID_HEADER", f"{text} is not a date", status=400) from None


def _global(call: Call) -> Answer:
    schema = call.org.schema
    kept = _not_modified(call, schema.changed_ms, f'"{schema.changed_ms:x}"')
    if kept is not None:
        return kept
    listed = [summary(kind, call.base) for kind in schema.kinds.values()]
    headers = {"Last-Modified": _http_date(schema.changed_ms), "ETag": f'"{schema.changed_ms:x}"'}
    return Answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed}, headers)


def _http_date(ms: int) -> str:
    return format_datetime(datetime.fromtimestamp(ms // 1000, UTC), usegmt=True)


def _describe(call: Call, kind: ObjectType) -> Answer:
    kept = _not_modified(call, kind.changed_ms, etag(kind))
    if kept is not None:
        return kept
    headers = {"Last-Modified": _http_date(kind.changed_ms), "ETag": etag(kind)}
    return Answer(200, describe(call.org.schema, kind, call.base), headers)


def _kind(call: Call, kind: ObjectType) -> Answer:
    call.only("GET", "HEAD", "POST")
    if call.method == "POST":
        with call.unit() as unit:
            row = unit.insert(kind, call.body())
        return Answer(201, result(row.id), {"Location": f"{call.base}/sobjects/{kind.name}/{row.id}"})
    rows = sorted(call.org.table(kind).all(), key=lambda row: row.modified, reverse=True)[:5]
    recent = [_shown(call, kind, row, ["Id", *filter(None, [kind.name_field])]) for row in rows]
    return Answer(200, {"objectDescribe": summary(kind, call.base), "recentItems": recent})


# -- one record


def find(call: Call, kind: ObjectType, id_: str) -> Row:
    """For reading. Raises NOT_FOUND and ENTITY_IS_DELETED."""
    wanted = normal(id_)
    row = call.org.table(kind).get(wanted) if wanted else None
    if row is None:
        if not wanted:
            raise SalesforceError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {id_}")
        raise not_there()
    if row.deleted:
        raise deleted()
    return row


def _writable_id(kind: ObjectType, id_: str) -> str:
    wanted = normal(id_)
    if not wanted or (kind.prefix and not wanted.startswith(kind.prefix)):
        raise SalesforceError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {id_}")
    return wanted


def _row(call: Call, kind: ObjectType, id_: str) -> Answer:
    if kind.prefix and call.method == "POST" and id_ == "Id":
        return _create_by_id(call, kind)
    call.only("GET", "HEAD", "PATCH", "DELETE")
    match call.method:
        case "PATCH":
            _unmodified_since(call, kind, _writable_id(kind, id_))
            with call.unit() as unit:
                unit.update(kind, _writable_id(kind, id_), call.body())
            return Answer(204)
        case "DELETE":
            with call.unit() as unit:
                unit.delete(kind, _writable_id(kind, id_))
            return Answer(204)
    return _read(call, kind, find(call, kind, id_))


def _unmodified_since(call: Call, kind: ObjectType, id_: str) -> None:
    limit, row = call.headers.get("if-unmodified-since", ""), call.org.table(kind).get(id_)
    if limit and row is not None and moment_ms(row.modified) > _date_ms(limit):
        raise SalesforceError("PRECONDITION_FAILED", "The record was modified since the given time")


def _create_by_id(call: Call, kind: ObjectType) -> Answer:
    """``POST sobjects/Account/Id``: an upsert by Id that can only create."""
    with call.unit() as unit:
        row = unit.insert(kind, call.body())
    return Answer(201, result(row.id, created=True), {"Location": f"{call.base}/sobjects/{kind.name}/{row.id}"})


def _read(call: Call, kind: ObjectType, row: Row) -> Answer:
    since = call.headers.get("if-modified-since", "")
    if since and moment_ms(row.modified) <= _date_ms(since):
        return Answer(304)
    limit = call.headers.get("if-unmodified-since", "")
    if limit and moment_ms(row.modified) > _date_ms(limit):
        raise SalesforceError("PRECONDITION_FAILED", "The record was modified since the given time")
    names = _names(call, kind, call.param("fields").split(",")) if call.param("fields") else list(kind.fields)
    headers = {"Last-Modified": _http_date(moment_ms(row.modified))}
    if kind.name == "Account":
        headers["ETag"] = f'"{row.id}-{moment_ms(row.stamp):x}"'
    return Answer(200, _shown(call, kind, row, names), headers)


def _names(call: Call, kind: ObjectType, wanted: Iterable[str]) -> list[str]:  # noqa: ARG001
    out = []
    for name in filter(None, (one.strip() for one in wanted)):
        one = kind.field(name)
        if one is None:
            raise no_column(name, kind.name)
        out.append(one.name)
    return list(dict.fromkeys(["Id", *out])) if "Id" not in out else list(dict.fromkeys(out))


def _shown(call: Call, kind: ObjectType, row: Row, names: Iterable[str]) -> dict[str, Any]:
    org = call.org
    values = {name: org.getter(kind, name)(row) for name in names}
    return {"attributes": attributes(kind, row.id, call.base), **values}


# -- by external id


def key_field(kind: ObjectType, name: str) -> Field:
    """Raises 404 for a field that cannot identify records."""
    one = kind.field(name)
    if one is None or not one.id_lookup:
        raise SalesforceError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}")
    return one


def _by_key(call: Call, kind: ObjectType, key: str, value: str) -> Answer:
    one = kind.field(key)
    if one is None or not one.id_lookup:
        return _related(call, kind, key, value)
    if one.name == "Id":
        return _row(call, kind, value)
    call.only("GET", "HEAD", "PATCH", "DELETE")
    holders = call.org.table(kind).holders(one, one.read(value))
    if len(holders) > 1:
        return Answer(300, [f"{call.base}/sobjects/{kind.name}/{id_}" for id_ in holders])
    match call.method:
        case "PATCH":
            return _upsert(call, kind, one, value, holders[0] if holders else "")
        case "DELETE":
            with call.unit() as unit:
                unit.delete(kind, _held(holders))
            return Answer(204)
    return _read(call, kind, find(call, kind, _held(holders)))


def _held(holders: tuple[str, ...]) -> str:
    if not holders:
        raise not_there()
    return holders[0]


def _upsert(call: Call, kind: ObjectType, key: Field, value: str, holder: str) -> Answer:
    body = call.body()
    if any(name.lower() == key.name.lower() for name in body):
        raise SalesforceError("INVALID_FIELD", f"The {key.name} field should not be specified in the sobject data.")
    if not holder and call.param("updateOnly").lower() == "true":
        raise not_there()
    modern = float(call.version) >= 46
    with call.unit() as unit:
        if holder:
            unit.update(kind, holder, body)
            return Answer(200, result(holder, created=False)) if modern else Answer(204)
        row = unit.insert(kind, {**body, key.name: value})
    return Answer(201, result(row.id, created=True), {"Location": f"{call.base}/sobjects/{kind.name}/{row.id}"})


def _related(call: Call, kind: ObjectType, id_: str, relationship: str) -> Answer:
    """``sobjects/Contact/<id>/Account`` and ``sobjects/Account/<id>/Contacts``."""
    if not normal(id_):
        raise SalesforceError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {id_}")
    call.only("GET", "HEAD")
    row, org = find(call, kind, id_), call.org
    link = kind.relations.get(relationship.lower())
    if link is not None:
        parent = org.row(org.getter(kind, link.name)(row))
        if parent is None:
            raise not_there()
        target = org.schema.of_id(parent.id)
        assert target is not None
        return _read(call, target, parent)
    pair = org.schema.child(kind, relationship)
    if pair is None:
        raise not_there()
    other, one = pair
    records = [_shown(call, other, child, list(other.fields)) for child in org.children(other.name, one.name, row.id)]
    return Answer(200, {"totalSize": len(records), "done": True, "records": records})


# -- feeds


def _feed(call: Call, kind: ObjectType, feed: str) -> Answer:
    start, end = _window(call)
    org, table = call.org, call.org.table(kind)
    if feed == "updated":
        first, last = moment_text(start), moment_text(end)
        ids = [row.id for row in table.since(first) if row.stamp < last and not row.deleted]
        return Answer(200, {"ids": ids, "latestDateCovered": last})
    found = [(ms, id_) for ms, id_ in table.gone if start <= ms < end and _still_gone(table.get(id_))]
    now = org.clock.now_ms()
    return Answer(
        200,
        {
            "deletedRecords": [{"id": id_, "deletedDate": moment_text(ms)} for ms, id_ in found],
            "earliestDateAvailable": moment_text(now - _BIN_MS),
            "latestDateCovered": moment_text(min(end, now)),
        },
    )


def _still_gone(row: Row | None) -> bool:
    return row is None or row.deleted


def _window(call: Call) -> tuple[int, int]:
    """Whole minutes: the seconds of both ends are dropped, as the vendor does."""
    try:
        start, end = (moment_ms(call.params[name]) // _MINUTE_MS * _MINUTE_MS for name in ("start", "end"))
    except KeyError as error:
        raise SalesforceError("MISSING_ARGUMENT", f"missing parameter {error}") from None
    except ValueError:
        raise SalesforceError("INVALID_ARGUMENT", "start and end are ISO 8601 dates with times") from None
    now = call.org.clock.now_ms()
    if start >= end:
        raise SalesforceError("INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate")
    if start < now - _LONGEST_FEED_MS:
        raise SalesforceError("INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
    return start, end


def mapping(value: object, what: str) -> Mapping[str, Any]:
    """A part of a body that must be an object."""
    if not isinstance(value, dict):
        raise SalesforceError("JSON_PARSER_ERROR", f"{what} must be a JSON object")
    return value


def listed(value: object, what: str) -> list[Any]:
    """A part of a body that must be a list."""
    if not isinstance(value, list):
        raise SalesforceError("JSON_PARSER_ERROR", f"{what} must be a JSON array")
    return value
