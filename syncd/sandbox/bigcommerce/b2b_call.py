"""What all of B2B Edition has in common: its envelope, paging by offset, extra fields as pairs of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from syncd.sandbox.bigcommerce.call import Answer, Call
from syncd.sandbox.bigcommerce.errors import ApiError, too_many_items
from syncd.sandbox.bigcommerce.fields import Spec, clean
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row, Table

BULK = 10
DEFAULT_LIMIT, MAX_LIMIT = 10, 250


def told(data: Any, code: int = 200, **meta: Any) -> Answer:
    return code, {"code": code, "data": data, "meta": {"message": "SUCCESS", **meta}}


def refused(errors: Mapping[str, str]) -> ApiError:
    return ApiError(422, "Validation failed", errors)


def page(call: Call, ids: Sequence[int], render: Callable[[int], Row]) -> Answer:
    offset, limit = call.number("offset", 0), call.number("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= MAX_LIMIT:
        raise refused({"limit": f"must be between 1 and {MAX_LIMIT}"})
    rows = [render(one) for one in ids[offset : offset + limit]]
    return told(rows, pagination={"totalCount": len(ids), "offset": offset, "limit": limit})


_LOOKED_UP = frozenset({"maxModified", "minCreated", "maxCreated"})
"""Times that no index answers."""


def newest_first(call: Call, table: Table, names: Mapping[str, str]) -> list[int]:
    """Ids in the order asked for (``sortBy``, ``orderBy``), by default the last updated first, within the time
    filters (unix seconds)."""
    if names.get(call.params.get("sortBy", ""), "updatedAt") == "updatedAt" and not call.params.keys() & _LOOKED_UP:
        ids = table.by_stamp(f"{call.number('minModified', 0):010}")
        return ids if call.params.get("orderBy", "DESC").upper() == "ASC" else ids[::-1]
    rows = [row for row in table.rows() if _in_time(call, row)]
    name = names.get(call.params.get("sortBy", ""), "updatedAt")
    rows.sort(key=lambda row: (row[name], row["id"]), reverse=call.params.get("orderBy", "DESC").upper() != "ASC")
    return [row["id"] for row in rows]


def _in_time(call: Call, row: Mapping[str, Any]) -> bool:
    for name, member in (("Modified", "updatedAt"), ("Created", "createdAt")):
        least, most = call.amount(f"min{name}"), call.amount(f"max{name}")
        if (least is not None and int(row[member]) < least) or (most is not None and int(row[member]) > most):
            return False
    return True


def need(table: Table, raw: str, what: str) -> Row:
    """Raises ``ApiError`` 404."""
    row = table.get(int(raw)) if raw.isdigit() else None
    if row is None:
        told = f"{what} not found"
        raise ApiError(404, told, more={"errMsg": told} if what in {"User", "Address"} else {})
    return row


def checked(body: Any, spec: Spec, *, partial: bool = False) -> Row:
    """Raises ``ApiError`` 422 in B2B's words."""
    try:
        return clean(body, spec, partial=partial)
    except ApiError as error:
        raise refused({name: f"{name}: {text}" for name, text in error.errors.items()}) from None


def bulk(body: Any) -> list[Any]:
    if not isinstance(body, list) or not body:
        raise refused({"body": "an array is expected"})
    if len(body) > BULK:
        raise too_many_items(BULK)
    return body


def extra_fields(store: Store, kind: str, sent: Any, held: Sequence[Row] = (), *, new: bool = False) -> list[Row]:
    """The values after a write: those sent, over those held. Raises ``ApiError`` 422."""
    definitions = {one["fieldName"]: one for one in store.extra_fields.get(kind, ())}
    values = {one["fieldName"]: one["fieldValue"] for one in held}
    for one in sent or ():
        name = one.get("fieldName") if isinstance(one, Mapping) else None
        if not isinstance(name, str) or name not in definitions:
            raise refused({"extraFields": f"extra field {name} does not exist"})
        values[name] = str(one.get("fieldValue", ""))
        if definitions[name]["fieldType"] == 3 and values[name] not in definitions[name]["listOfValue"]:
            raise refused({"extraFields": f"{values[name]} is not one of the values of {name}"})
    missing = [name for name, one in definitions.items() if one["isRequired"] and not values.get(name)]
    if new and missing:
        raise refused({"extraFields": f"extra field {missing[0]} is required"})
    return [{"fieldName": name, "fieldValue": value} for name, value in values.items()]


def define_extra_field(store: Store, kind: str, name: str, **more: Any) -> Row:
    """An admin makes one in the control panel."""
    rows = store.extra_fields.setdefault(kind, [])
    row: Row = {
        "id": len(rows) + 1, "uuid": store.uuid(), "fieldName": name, "fieldType": 0, "isRequired": False,
        "isUnique": False, "visibleToEnduser": True, "configType": 2, "defaultValue": "", "maximumLength": 255,
        "numberOfRows": 1, "maximumValue": None, "listOfValue": [], **more,
    }  # fmt: skip
    rows.append(row)
    return row


def definitions(call: Call, kind: str) -> Answer:
    if call.method != "GET":
        raise call.not_allowed()
    rows = call.store.extra_fields.get(kind, [])
    return told(rows, pagination={"totalCount": len(rows), "offset": 0, "limit": max(DEFAULT_LIMIT, len(rows))})


def linked_customer(store: Store, email: str, first: str, last: str, actor: str) -> int:
    """The store's customer with this e-mail address, made where there is none."""
    holder = store.customers.holder("email", email)
    if holder is not None:
        return holder
    from syncd.sandbox.bigcommerce import customers

    return customers.create(store, [{"email": email, "first_name": first, "last_name": last}], actor)[0]
