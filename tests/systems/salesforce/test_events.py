"""From a change event to changes: nothing that is empty is taken for null unless the event says so."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.change import Change, ChangeKind
from syncd.model.lens import MoneyPair
from syncd.model.mapping import FieldMapping
from syncd.systems.salesforce.avro import UnreadableEventError, decode, parse_schema
from syncd.systems.salesforce.bitmap import BadBitmapError, named_fields
from syncd.systems.salesforce.describe import read_schema
from syncd.systems.salesforce.events import Event, changes_of, reread_of

from .kit import CONTACT, CONTACTS, KEY, NOW, PEOPLE, field_of, plain, record_id

SCHEMA = read_schema(CONTACT)
MARKER = "syncd-crm"


def nullable(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None, "doc": "Data:Text:00N"}


HEADER = {"name": "ChangeEventHeader", "type": {"type": "record", "name": "ChangeEventHeader", "fields": [
    {"name": "entityName", "type": "string"},
    {"name": "recordIds", "type": {"type": "array", "items": "string"}},
    {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": [
        "CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE",
        "GAP_OVERFLOW", "SNAPSHOT"]}},
    {"name": "changeOrigin", "type": "string"}, {"name": "transactionKey", "type": "string"},
    {"name": "sequenceNumber", "type": "int"}, {"name": "commitTimestamp", "type": "long"},
    {"name": "commitNumber", "type": "long"}, {"name": "commitUser", "type": "string"},
    {"name": "nulledFields", "type": {"type": "array", "items": "string"}},
    {"name": "diffFields", "type": {"type": "array", "items": "string"}},
    {"name": "changedFields", "type": {"type": "array", "items": "string"}},
]}}  # fmt: skip
PERSON = {"type": "record", "name": "PersonName", "fields": [nullable("Salutation", "string"), nullable("FirstName", "string"), nullable("LastName", "string")]}  # fmt: skip
ADDRESS = {"type": "record", "name": "Address", "fields": [nullable("Street", "string"), nullable("City", "string")]}
AVRO = {"type": "record", "name": "ContactChangeEvent", "namespace": "com.sforce.eventbus", "uuid": "x", "fields": [
    HEADER, nullable("Name", PERSON), nullable("Email", "string"), nullable("Phone", "string"),
    nullable("MailingAddress", ADDRESS), nullable("Birthdate", "long"), nullable("Score__c", "double"),
    nullable("AccountId", "string"), nullable(KEY, "string"), nullable("Bio__c", "string"),
    {"name": "LastModifiedDate", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
]}  # fmt: skip
NAMES = [one["name"] for one in AVRO["fields"]]


def bits(*names: str) -> list[str]:
    top, parts = 0, {}
    for one in names:
        compound, dot, part = one.partition(".")
        place = NAMES.index(compound)
        top |= 1 << place
        if dot:
            fields = AVRO["fields"][place]["type"][1]["fields"]
            parts[place] = parts.get(place, 0) | 1 << [each["name"] for each in fields].index(part)
    return [f"0x{top:04X}", *(f"{place}-0x{value:02X}" for place, value in parts.items())]


def event(kind: str = "UPDATE", *, ids: tuple[str, ...] = (record_id(1),), changed: tuple[str, ...] = (), nulled: tuple[str, ...] = (),
          diff: tuple[str, ...] = (), origin: str = "", **values: Any) -> Event:  # fmt: skip
    """Through the wire and back."""
    header = {
        "entityName": "Contact", "recordIds": list(ids), "changeType": kind, "changeOrigin": origin,
        "transactionKey": "t-1", "sequenceNumber": 1, "commitTimestamp": NOW, "commitNumber": 1, "commitUser": "005",
        "nulledFields": bits(*nulled) if nulled else [], "diffFields": bits(*diff) if diff else [],
        "changedFields": bits(*changed) if changed else [],
    }  # fmt: skip
    schema = parse_schema("s1", json.dumps(AVRO))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(AVRO), {"ChangeEventHeader": header, **values})
    return Event("e1", decode(schema, out.getvalue()), schema.data)


def one(given_: Event, mapping: Any = PEOPLE) -> Change:
    (change,) = changes_of(given_, mapping, SCHEMA, MARKER, NOW)
    return change


def test_the_vendors_own_example_of_a_bitmap() -> None:
    schema = {"fields": [{"name": f"f{n}", "type": "string"} for n in range(30)]}
    schema["fields"][4] = {"name": "f4", "type": ["null", {"type": "record", "name": "a", "fields": [{"name": f"g{n}", "type": "string"} for n in range(8)]}]}  # fmt: skip
    schema["fields"][7] = {"name": "f7", "type": {"type": "record", "name": "b", "fields": [{"name": f"h{n}", "type": "string"} for n in range(8)]}}  # fmt: skip
    items = ["0x650004E0", "4-0x10", "7-0x06"]
    with pytest.raises(BadBitmapError):
        named_fields(schema, items)  # Bit 30 of thirty fields.
    schema["fields"] += [{"name": "f30", "type": "string"}]
    wanted = ("f5", "f6", "f7", "f10", "f24", "f26", "f29", "f30", "f4.g4", "f7.h1", "f7.h2")
    assert named_fields(schema, items) == wanted
    assert set(named_fields(schema, reversed(items))) == set(wanted)
    assert items == ["0x650004E0", "4-0x10", "7-0x06"]
    assert named_fields(schema, []) == ()


@pytest.mark.parametrize("item", ["650004E0", "0xZZ", "99-0x1", "-0x1", "1-0xFF", "", "x"])
def test_what_is_no_bitmap_is_said_to_be_none(item: str) -> None:
    with pytest.raises(BadBitmapError):
        named_fields(AVRO, [item])


@given(st.sets(st.integers(0, len(NAMES) - 1)))
def test_every_set_of_fields_has_its_bitmap(places: set[int]) -> None:
    text = f"0x{sum(1 << place for place in places):x}"
    assert {NAMES.index(name) for name in named_fields(AVRO, [text])} == places


def test_an_update_tells_what_it_names_and_nothing_else() -> None:
    change = one(event(changed=("Email", "LastModifiedDate"), Email="new@x.de", LastModifiedDate=NOW))
    assert (change.kind, change.partial) == (ChangeKind.STATE, True)
    assert change.payload == {"Id": record_id(1), "Email": "new@x.de"}
    assert (change.occurred_at, change.correlation_id) == (NOW, "t-1")


def test_an_empty_field_is_null_only_where_the_event_says_so() -> None:
    assert one(event(changed=("Email",), nulled=("Email",))).payload == {"Id": record_id(1), "Email": None}
    assert one(event(nulled=("Email",), changed=("Phone",), Phone="1")).payload == {"Id": record_id(1), "Email": None}


def test_what_is_not_mapped_is_no_news() -> None:
    assert changes_of(event(changed=("Phone", "LastModifiedDate"), Phone="1"), PEOPLE, SCHEMA, MARKER, NOW) == []


def test_parts_of_a_name_are_fields_of_their_own() -> None:
    change = one(
        event(changed=("Name.FirstName",), Name={"FirstName": "Augusta", "LastName": None, "Salutation": None})
    )
    assert change.payload == {"Id": record_id(1), "FirstName": "Augusta"}
    city = replace(PEOPLE, fields=(*PEOPLE.fields, plain("x", "MailingCity")))
    told = one(event(changed=("MailingAddress.City",), MailingAddress={"City": "Bonn", "Street": None}), city)
    assert told.payload == {"Id": record_id(1), "MailingCity": "Bonn"}


def test_a_compound_named_without_its_parts_is_read() -> None:
    assert (
        one(event(changed=("Name",), Name={"FirstName": "A", "LastName": None, "Salutation": None})).kind
        is ChangeKind.HINT
    )


def test_times_and_numbers_are_told_as_the_rest_of_the_api_does() -> None:
    mapping = replace(
        PEOPLE, fields=(*PEOPLE.fields, plain("a", "Birthdate"), plain("b", "Score__c"), plain("c", "LastModifiedDate"))
    )
    told = event(
        changed=("Birthdate", "Score__c", "LastModifiedDate"), Birthdate=NOW, Score__c=2.5, LastModifiedDate=NOW
    )
    assert one(told, mapping).payload == {
        "Id": record_id(1), "Birthdate": "2026-11-02", "Score__c": "2.5", "LastModifiedDate": "2026-11-02T08:00:00.000Z",
    }  # fmt: skip


def test_a_creation_is_whole_and_carries_our_key() -> None:
    change = one(
        event(
            "CREATE",
            Email="a@b.c",
            Name={"FirstName": None, "LastName": "B", "Salutation": None},
            **{KEY: "customer-1"},
        )
    )
    assert (change.kind, change.partial) == (ChangeKind.STATE, False)
    assert change.payload == {
        "Id": record_id(1), "Email": "a@b.c", "FirstName": None, "LastName": "B", KEY: "customer-1",
    }  # fmt: skip


def test_what_events_do_not_carry_is_read() -> None:
    assert one(event("CREATE", Email="a@b.c"), CONTACTS).kind is ChangeKind.HINT, "a parent's name is mapped"
    formula = replace(PEOPLE, fields=(*PEOPLE.fields, plain("x", "Formula__c")))
    assert one(event(changed=("Email",), Email="a@b.c"), formula).kind is ChangeKind.HINT
    parent = replace(PEOPLE, fields=(*PEOPLE.fields, plain("x", "Account.Name")))
    assert one(event(changed=("AccountId",), AccountId="001"), parent).kind is ChangeKind.HINT
    assert one(event(changed=("Email",), Email="a@b.c"), parent).kind is ChangeKind.STATE


def test_a_text_that_came_as_a_difference_is_read() -> None:
    bio = replace(PEOPLE, fields=(*PEOPLE.fields, plain("x", "Bio__c")))
    assert one(event(changed=("Bio__c",), diff=("Bio__c",), Bio__c="--- diff"), bio).kind is ChangeKind.HINT
    assert one(event(changed=("Bio__c", "Email"), diff=("Bio__c",), Email="a@b.c")).kind is ChangeKind.STATE


def test_half_of_a_value_is_read() -> None:
    pair = replace(PEOPLE, fields=(*PEOPLE.fields, FieldMapping("x", ("Score__c", "Phone"), MoneyPair())))
    assert one(event(changed=("Score__c",), Score__c=2.0), pair).kind is ChangeKind.HINT
    assert one(event(changed=("Score__c", "Phone"), Score__c=2.0, Phone="EUR"), pair).kind is ChangeKind.STATE


def test_an_update_that_names_nothing_or_cannot_be_read_is_read() -> None:
    assert one(event()).kind is ChangeKind.HINT
    broken = event(changed=("Email",), Email="x")
    broken.payload["ChangeEventHeader"]["changedFields"] = ["0xFFFFFF"]
    assert one(broken).kind is ChangeKind.HINT


def test_our_own_write_is_a_hint_with_what_it_tells() -> None:
    told = event(changed=("Email",), Email="a@b.c", origin="com/salesforce/api/rest/67.0;client=syncd-crm")
    change = one(told)
    assert (change.kind, change.payload) == (ChangeKind.HINT, {"told": {"Email": "a@b.c"}, "client": MARKER})
    stranger = event(changed=("Email",), Email="a@b.c", origin="com/salesforce/api/rest/67.0;client=syncd-crm2")
    assert one(stranger).kind is ChangeKind.STATE


@pytest.mark.parametrize(("kind", "wanted"), [
    ("DELETE", ChangeKind.DELETED), ("GAP_DELETE", ChangeKind.DELETED), ("GAP_CREATE", ChangeKind.HINT),
    ("GAP_UPDATE", ChangeKind.HINT), ("GAP_UNDELETE", ChangeKind.HINT), ("SNAPSHOT", ChangeKind.HINT),
])  # fmt: skip
def test_gaps_are_read_and_deletions_deleted(kind: str, wanted: ChangeKind) -> None:
    change = one(event(kind))
    assert (change.kind, change.payload) == (wanted, None)


def test_one_event_of_several_records_is_a_change_of_each() -> None:
    told = event(changed=("Email",), Email="x@y.z", ids=(record_id(1), record_id(2)[:15], record_id(1)))
    changes = changes_of(told, PEOPLE, SCHEMA, MARKER, NOW)
    assert [each.external_id for each in changes] == [record_id(1), record_id(2)]
    assert len({each.dedupe_key for each in changes}) == 2


def test_events_that_do_not_say_what_changed_ask_for_a_span_or_for_everything() -> None:
    overflow = reread_of(event("GAP_OVERFLOW", ids=()), 60_000)
    assert overflow is not None
    assert (overflow.from_at, overflow.reason) == (NOW - 60_000, "overflow")
    wildcard = reread_of(event("GAP_UPDATE", ids=("003*",)), 60_000)
    assert wildcard is not None
    assert (wildcard.from_at, wildcard.reason) == (0, "all-records")
    nobody = reread_of(event("UPDATE", ids=()), 60_000)
    assert nobody is not None
    assert (nobody.from_at, nobody.reason) == (NOW - 60_000, "event-unreadable")
    assert reread_of(event(changed=("Email",)), 60_000) is None


def test_a_payload_of_another_schema_is_not_read_as_this_one() -> None:
    schema = parse_schema("s1", json.dumps(AVRO))
    for payload in (b"", b"\x00", b"\xff" * 20, b"\x02a" * 50):
        with pytest.raises(UnreadableEventError):
            decode(schema, payload)
    for text in ("", "{}", "[]", '"string"', '{"type":"record","name":"x","fields":[{"name":"a","type":"nope"}]}'):
        with pytest.raises(UnreadableEventError):
            parse_schema("s", text)


def test_a_field_of_a_location_and_of_a_custom_address_are_found() -> None:
    wide = {
        **CONTACT,
        "fields": [*CONTACT["fields"], field_of("Geo__Latitude__s", "double", compoundFieldName="Geo__c")],
    }
    from syncd.systems.salesforce.events import flat_name

    assert flat_name("Geo__c", "Latitude", read_schema(wide)) == "Geo__Latitude__s"
    assert flat_name("MailingAddress", "City", SCHEMA) == "MailingCity"
    assert flat_name("Name", "LastName", SCHEMA) == "LastName"
