"""The messages of the vendor's Pub/Sub API (package ``eventbus.v1``), as far as a subscriber needs them.

Declared here field by field rather than generated, so that they fit any version of the protobuf runtime; in a pool of
their own, so that they cannot clash with another declaration in the same process.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

PACKAGE: Final = "eventbus.v1"
SERVICE: Final = f"/{PACKAGE}.PubSub/"
LATEST, EARLIEST, CUSTOM = 0, 1, 2
"""ReplayPreset."""

_STRING, _BYTES, _BOOL, _INT32, _MESSAGE, _ENUM = 9, 12, 8, 5, 11, 14
_ONE, _MANY = 1, 3

# Message: (number, name, type, label, type name)
MESSAGES: Final[dict[str, tuple[tuple[int, str, int, int, str], ...]]] = {
    "TopicInfo": (
        (1, "topic_name", _STRING, _ONE, ""),
        (2, "tenant_guid", _STRING, _ONE, ""),
        (3, "can_publish", _BOOL, _ONE, ""),
        (4, "can_subscribe", _BOOL, _ONE, ""),
        (5, "schema_id", _STRING, _ONE, ""),
        (6, "rpc_id", _STRING, _ONE, ""),
    ),
    "TopicRequest": ((1, "topic_name", _STRING, _ONE, ""),),
    "EventHeader": ((1, "key", _STRING, _ONE, ""), (2, "value", _BYTES, _ONE, "")),
    "ProducerEvent": (
        (1, "id", _STRING, _ONE, ""),
        (2, "schema_id", _STRING, _ONE, ""),
        (3, "payload", _BYTES, _ONE, ""),
        (4, "headers", _MESSAGE, _MANY, "EventHeader"),
    ),
    "ConsumerEvent": ((1, "event", _MESSAGE, _ONE, "ProducerEvent"), (2, "replay_id", _BYTES, _ONE, "")),
    "FetchRequest": (
        (1, "topic_name", _STRING, _ONE, ""),
        (2, "replay_preset", _ENUM, _ONE, "ReplayPreset"),
        (3, "replay_id", _BYTES, _ONE, ""),
        (4, "num_requested", _INT32, _ONE, ""),
        (5, "auth_refresh", _STRING, _ONE, ""),
    ),
    "FetchResponse": (
        (1, "events", _MESSAGE, _MANY, "ConsumerEvent"),
        (2, "latest_replay_id", _BYTES, _ONE, ""),
        (3, "rpc_id", _STRING, _ONE, ""),
        (4, "pending_num_requested", _INT32, _ONE, ""),
    ),
    "SchemaRequest": ((1, "schema_id", _STRING, _ONE, ""),),
    "SchemaInfo": (
        (1, "schema_json", _STRING, _ONE, ""),
        (2, "schema_id", _STRING, _ONE, ""),
        (3, "rpc_id", _STRING, _ONE, ""),
    ),
}


@cache
def messages() -> dict[str, Any]:
    """Message classes by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="syncd_pubsub.proto", package=PACKAGE, syntax="proto3")
    enum = file.enum_type.add(name="ReplayPreset")
    for number, name in enumerate(("LATEST", "EARLIEST", "CUSTOM")):
        enum.value.add(name=name, number=number)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind, label, of in fields:
            extra = {"type_name": f".{PACKAGE}.{of}"} if of else {}
            message.field.add(name=field, number=number, type=kind, label=label, **extra)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}
