"""Change events as Avro: schemas made from the org's own definitions, bitmaps, payloads."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro
import orjson

from syncd.sandbox.salesforce.fields import NUMBERS, Field, moment_ms
from syncd.sandbox.salesforce.objects import ObjectType

NAMESPACE = "com.sforce.eventbus"
_TYPES = {"boolean": "boolean", "int": "int", "double": "double", "currency": "double", "percent": "double",
          "date": "long", "datetime": "long"}  # fmt: skip
_DOCS = {"id": "EntityId", "reference": "EntityId", "datetime": "DateTime", "date": "DateOnly", "string": "Text",
         "textarea": "Text", "picklist": "DynamicEnum", "currency": "CurrencyNumber", "phone": "Text",
         "boolean": "CheckBox", "email": "Text", "url": "Text", "int": "Number", "double": "Number",
         "percent": "PercentNumber", "multipicklist": "MultiEnum", "time": "TimeOnly"}  # fmt: skip
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country", "StateCode", "CountryCode", "Latitude", "Longitude",
            "Xyz", "GeocodeAccuracy")  # fmt: skip
_NAME = ("Salutation", "FirstName", "LastName", "MiddleName", "InformalName", "Suffix")
_CHANGE_TYPES = ("CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE",
                 "GAP_OVERFLOW", "SNAPSHOT")  # fmt: skip


@dataclass(frozen=True, slots=True)
class EventSchema:
    """One version of the schema of one kind's change events."""

    id: str
    text: str
    parsed: Any
    places: Mapping[str, tuple[int, int]]
    """Field names to (top-level position, nested position or -1)."""
    nested: Mapping[str, tuple[str, str]]
    """Parts of compound fields to (compound field, name in it)."""
    types: Mapping[str, str]


def _header() -> dict[str, Any]:
    strings = {"type": "array", "items": "string"}
    kinds: list[tuple[str, Any]] = [
        ("entityName", "string"),
        ("recordIds", strings),
        ("changeType", {"type": "enum", "name": "ChangeType", "symbols": list(_CHANGE_TYPES)}),
        ("changeOrigin", "string"),
        ("transactionKey", "string"),
        ("sequenceNumber", "int"),
        ("commitTimestamp", "long"),
        ("commitNumber", "long"),
        ("commitUser", "string"),
        ("nulledFields", strings),
        ("diffFields", strings),
        ("changedFields", strings),
    ]
    fields = [{"name": name, "type": kind} for name, kind in kinds]
    return {"name": "ChangeEventHeader", "type": {"type": "record", "name": "ChangeEventHeader", "fields": fields}}


def _compound(record: str, names: Iterable[str]) -> dict[str, Any]:
    types = {"Latitude": "double", "Longitude": "double"}
    fields: list[dict[str, Any]] = [
        {"name": name, "type": ["null", types.get(name, "string")], "doc": f"Data:Text:00N{name}", "default": None}
        for name in names
    ]
    return {"type": "record", "name": record, "namespace": NAMESPACE, "fields": fields}


def event_schema(kind: ObjectType) -> EventSchema:
    fields: list[dict[str, Any]] = [_header()]
    places: dict[str, tuple[int, int]] = {}
    nested: dict[str, tuple[str, str]] = {}
    seen: set[str] = set()

    def once(record: str, names: tuple[str, ...]) -> Any:
        if record in seen:
            return record
        seen.add(record)
        return _compound(record, names)

    def add(one: Field, union: list[Any], names: tuple[str, ...] = (), prefix: str = "") -> None:
        place = len(fields)
        places[one.name] = (place, -1)
        doc = f"Data:{_DOCS.get(one.type, 'Text')}"
        if one.type in {"datetime", "date"}:
            doc = f"{one.name}:{_DOCS[one.type]}"
        fields.append({"name": one.name, "type": union, "doc": doc, "default": None})
        for inner, name in enumerate(names):
            if prefix + name in kind.fields:
                places[prefix + name] = (place, inner)
                nested[prefix + name] = (one.name, name)

    for one in kind.fields.values():
        persons = one.name == "Name" and any(other.compound == "Name" for other in kind.fields.values())
        if one.type == "address":
            add(one, ["null", once("Address", _ADDRESS)], _ADDRESS, one.name.removesuffix("Address"))
        elif persons:
            add(one, ["null", once("Switchable_PersonName", _NAME)], _NAME)
        elif one.name == "Name" and kind.name == "Account":
            add(one, ["null", "string", once("Switchable_PersonName", _NAME)])
        elif one.in_events and not one.compound and one.name != "Id":
            add(one, ["null", _TYPES.get(one.type, "string")])
    body = {"type": "record", "name": event_name(kind.name), "namespace": NAMESPACE, "fields": fields}
    mark = hashlib.sha256(orjson.dumps(body)).hexdigest()
    body["uuid"] = mark[:32]
    text = orjson.dumps(body).decode()
    schema_id = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:22]
    types = {one.name: one.type for one in kind.fields.values()}
    return EventSchema(schema_id, text, fastavro.parse_schema(orjson.loads(text)), places, nested, types)


def event_name(entity: str) -> str:
    """``AccountChangeEvent``, ``My_Obj__ChangeEvent``."""
    return f"{entity.removesuffix('__c')}__ChangeEvent" if entity.endswith("__c") else f"{entity}ChangeEvent"


def bitmap(schema: EventSchema, names: Iterable[str]) -> list[str]:
    """Names as the header lists them: ``["0x650004E0", "4-0x10"]``; hex is padded to whole bytes."""
    top, inner = 0, dict[int, int]()
    for name in names:
        found = schema.places.get(name)
        if found is None:
            continue
        place, below = found
        if below < 0:
            top |= 1 << place
        else:
            inner[place] = inner.get(place, 0) | 1 << below
    out = [_hex(top)] if top else []
    return [*out, *(f"{place}-{_hex(bits)}" for place, bits in sorted(inner.items()))]


def _hex(bits: int) -> str:
    text = f"{bits:X}"
    return "0x" + text.zfill(len(text) + len(text) % 2)


def _value(type_: str, value: Any) -> Any:
    if value is None:
        return None
    if type_ == "datetime":
        return moment_ms(value)
    if type_ == "date":
        return moment_ms(f"{value}T00:00:00Z")
    return float(value) if type_ in NUMBERS and type_ != "int" else value


def payload(schema: EventSchema, header: Mapping[str, Any], values: Mapping[str, Any]) -> bytes:
    record: dict[str, Any] = {"ChangeEventHeader": header}
    for name, value in values.items():
        inside = schema.nested.get(name)
        if inside is not None:
            if value is not None:
                record.setdefault(inside[0], {})[inside[1]] = value
        elif name in schema.places:
            record[name] = _value(schema.types[name], value)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema.parsed, record)
    return out.getvalue()
