"""Imports over HTTP: started by a form with a file in it, looked at, cancelled, and their errors in pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, Final

import orjson

from syncd.sandbox.hubspot.call import Answer, Call
from syncd.sandbox.hubspot.errors import ApiError, missing_fields, not_found, validation
from syncd.sandbox.hubspot.imports import MAX_BYTES, MAX_ROWS, Column, Import, Imports
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.records import Source
from syncd.sandbox.hubspot.shapes import mapping, mappings, required

SCOPE: Final = "crm.import"
OPERATIONS: Final = frozenset({"CREATE", "UPDATE", "UPSERT"})
_COLUMN_TYPES: Final = frozenset({"STANDARD", "HUBSPOT_OBJECT_ID", "HUBSPOT_ALTERNATE_ID"})


def answer(call: Call, imports: Imports) -> Answer:
    call.may([SCOPE])
    match call.method, call.route.rest:
        case "POST", []:
            return 200, _start(call, imports).json()
        case "GET", []:
            return 200, _listed(call, [one.json() for one in reversed(imports.all.values())], 10)
        case "GET", [id_]:
            return 200, _found(imports, id_).json()
        case "POST", [id_, "cancel"]:
            return 200, _cancelled(call, imports, id_)
        case "GET", [id_, "errors"]:
            return 200, _errors(call, _found(imports, id_))
    raise call.unsupported()


def _found(imports: Imports, id_: str) -> Import:
    if id_ not in imports.all:
        raise not_found(f"No import with id {id_}")
    return imports.all[id_]


def _listed(call: Call, rows: Sequence[Mapping[str, Any]], default: int) -> dict[str, Any]:
    limit, after = call.number("limit", default, 100), call.request.param("after")
    start = int(after) if after.isdecimal() else 0
    out: dict[str, Any] = {"results": rows[start : start + limit]}
    if start + limit < len(rows):
        out["paging"] = call.next_page(str(start + limit))
    return out


def _cancelled(call: Call, imports: Imports, id_: str) -> dict[str, Any]:
    if not imports.cancel(_found(imports, id_)):
        raise validation(f"The import {id_} has ended and cannot be canceled")
    now = call.account.now_iso()
    return {"status": "COMPLETE", "startedAt": now, "completedAt": now}


def _errors(call: Call, one: Import) -> dict[str, Any]:
    hidden = set()
    if not call.flag("includeErrorMessage"):
        hidden.add("errorMessage")
    rows = []
    for error in one.errors:
        shown = {name: value for name, value in error.items() if name not in hidden}
        if not call.flag("includeRowData"):
            shown["sourceData"] = {**error["sourceData"], "rowData": []}
        rows.append(shown)
    return _listed(call, rows, 100)


# -- starting


def _start(call: Call, imports: Imports) -> Import:
    parts = _parts(call)
    if "importRequest" not in parts:
        raise missing_fields("importRequest")
    try:
        request = mapping(orjson.loads(parts["importRequest"][1]), "importRequest")
    except orjson.JSONDecodeError:
        raise validation("Invalid importRequest: not JSON") from None
    required(request, "name")
    pages = mappings(request.get("files"), "files")
    if len(pages) != 1 or "files" not in parts:
        raise validation("exactly one file is needed by each entry of files")
    name, content = parts["files"]
    if pages[0].get("fileName") != name:
        raise validation(f"no file with the name {pages[0].get('fileName')} was sent")
    if pages[0].get("fileFormat", "CSV") != "CSV":
        raise validation("INVALID_FILE_TYPE: only CSV is simulated")
    page = mapping(pages[0].get("fileImportPage"), "fileImportPage")
    kind, columns = _columns(call, mappings(page.get("columnMappings"), "columnMappings"))
    call.may(kind.write_scopes())
    if len(content) > MAX_BYTES or content.count(b"\n") > MAX_ROWS + 1:
        raise ApiError(413, f"Files may have {MAX_ROWS} rows and {MAX_BYTES} bytes at most")
    operation = str(mapping(request.get("importOperations") or {}, "importOperations").get(kind.type_id, "UPSERT"))
    if operation not in OPERATIONS:
        raise validation(f"importOperations {operation} is not known")
    source = Source("IMPORT", call.source.id, call.source.actor)
    return imports.add(
        request, kind, operation, columns, content.decode("utf-8", "replace"), source,
        header=page.get("hasHeader") is True,
    )  # fmt: skip


def _parts(call: Call) -> dict[str, tuple[str, bytes]]:
    """Name of each part of the form to its file name and content."""
    kind = call.request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data") or "boundary=" not in kind:
        raise ApiError(415, f"Unsupported media type: {kind or 'none'}")
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + call.request.body)
    parts: dict[str, tuple[str, bytes]] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            parts[name] = str(part.get_filename() or ""), content
    return parts


def _columns(call: Call, told: Sequence[Mapping[str, Any]]) -> tuple[Kind, list[Column]]:
    if not told:
        raise missing_fields("columnMappings")
    kinds, columns = set(), []
    for one in told:
        type_id, name = required(one, "columnObjectTypeId", "columnName")
        kind = call.account.kinds.of(type_id)
        kinds.add(kind.type_id)
        type_ = str(one.get("columnType") or "STANDARD")
        if type_ not in _COLUMN_TYPES:
            raise validation(f"columnType {type_} is not simulated")
        property_ = str(one.get("propertyName") or "")
        if type_ == "HUBSPOT_OBJECT_ID":
            property_ = property_ or "hs_object_id"
        elif property_ not in call.account.properties.of(kind):
            raise validation(
                f"PROPERTY_DEFINITION_NOT_FOUND: {kind.singular} has no property {property_}",
                context={"propertyName": [property_]},
            )
        if type_ == "HUBSPOT_ALTERNATE_ID":
            call.account.key_property(kind, property_)
        columns.append(Column(name, property_, type_))
    if len(kinds) != 1:
        raise validation("files that hold more than one object type are not simulated")
    return call.account.kinds.of(kinds.pop()), columns
