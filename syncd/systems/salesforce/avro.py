"""Payloads of change events: raw Avro, by the schema that each was written with."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson


class UnreadableEventError(ValueError):
    """The payload does not fit its schema, or the schema is none."""


@dataclass(frozen=True, slots=True)
class AvroSchema:
    id: str
    data: Mapping[str, Any] = field(repr=False)
    """As the vendor wrote it."""
    parsed: Any = field(repr=False)


def parse_schema(schema_id: str, text: str) -> AvroSchema:
    """Raises :class:`UnreadableEventError`."""
    from fastavro.schema import SchemaParseException
    from fastavro.schema import parse_schema as parse

    try:
        data = _plain(orjson.loads(text))
        if not isinstance(data, dict) or not isinstance(data.get("fields"), list):
            raise UnreadableEventError("the schema is no record")
        return AvroSchema(schema_id, data, parse(data))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, SchemaParseException) as error:
        raise UnreadableEventError(f"the schema cannot be read ({type(error).__name__})") from None


def decode(schema: AvroSchema, payload: bytes) -> Mapping[str, Any]:
    """Raises :class:`UnreadableEventError`; bytes that are left over mean that it was another schema."""
    from fastavro import schemaless_reader

    stream = io.BytesIO(payload)
    try:
        record = schemaless_reader(stream, schema.parsed, None)
    except Exception as error:  # noqa: BLE001 - the decoder raises whatever its primitives meet in foreign bytes
        raise UnreadableEventError(f"the payload cannot be read ({type(error).__name__})") from None
    if not isinstance(record, dict) or stream.read(1):
        raise UnreadableEventError("the payload does not fit its schema")
    return record


def _plain(schema: Any) -> Any:
    """Without logical types: times stay the numbers that the vendor sends, and are read by the org's field types."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key != "logicalType"}
    return [_plain(one) for one in schema] if isinstance(schema, list) else schema
