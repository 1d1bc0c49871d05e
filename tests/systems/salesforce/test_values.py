"""Ids, literals, values and rows as the org writes them."""

from __future__ import annotations

import csv
import io
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.systems.contract import VendorError
from syncd.systems.salesforce.csvs import Row, read_rows, sheets
from syncd.systems.salesforce.describe import read_schema
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.soql import among, columns, literal, name, portions
from syncd.systems.salesforce.values import body, cell, from_json, from_row, milliseconds, snapshot

from .kit import CONTACT, CONTACTS, KEY, NOW, OPPORTUNITY

SCHEMA = read_schema(CONTACT)
DEAL = read_schema(OPPORTUNITY)


def test_an_id_is_compared_by_its_eighteen_characters() -> None:
    assert long_id("001D000000IqhSL") == "001D000000IqhSLIAZ"
    assert long_id("001D000000IqhSLIAZ") == "001D000000IqhSLIAZ"
    assert long_id("not an id") == "not an id"
    assert not is_id("001*")


@given(st.text())
def test_a_literal_holds_its_text_whole(text: str) -> None:
    quoted = literal(text)
    assert quoted[0] == quoted[-1] == "'"
    assert "'" not in quoted[1:-1].replace("\\\\", "").replace("\\'", "")
    assert not set(quoted) & set("\n\r\t\b\f")


@pytest.mark.parametrize("text", ["", "A B", "A;DROP", "A'", "1A", "A..B", "A--", "Ä"])
def test_a_name_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(VendorError):
        name(text)


def test_exactly_the_mapped_fields_are_asked_for() -> None:
    assert columns(CONTACTS) == (
        "Id", "SystemModstamp", "Email", "FirstName", "LastName", "Phone", "Account.Name", "Customer_Number__c",
        "Credit_Limit__c", "Price_Tier__c", KEY,
    )  # fmt: skip


def test_values_travel_in_the_form_of_their_type() -> None:
    made = body({
        "Credit_Limit__c": "12345678901234567.89", "Score__c": "7", "Birthdate": "1990-12-01T00:00:00.000Z",
        "DoNotCall": "true", "Phone": None, "Email": "a@b.c", "Nobody_Knows__c": "1.50", "Price_Tier__c": ["a", "b"],
    }, SCHEMA)  # fmt: skip
    assert orjson.dumps(made) == (
        b'{"Credit_Limit__c":12345678901234567.89,"Score__c":7,"Birthdate":"1990-12-01","DoNotCall":true,"Phone":null,'
        b'"Email":"a@b.c","Nobody_Knows__c":"1.50","Price_Tier__c":"a;b"}'
    )


def test_a_number_that_is_none_is_left_for_the_vendor_to_judge() -> None:
    assert body({"Amount": "lots"}, DEAL) == {"Amount": "lots"}


def test_a_parent_is_named_by_its_key_and_taken_away_by_its_reference() -> None:
    assert body({"Account.Ext__c": "A-1"}, SCHEMA) == {"Account": {"Ext__c": "A-1"}}
    assert body({"Account.Ext__c": None}, SCHEMA) == {"AccountId": None}


def test_cells_clear_by_a_word_and_are_left_by_emptiness() -> None:
    assert [cell(one, None) for one in (None, "", True, False, "x", ["a", "b"], 3)] == [
        "#N/A", "#N/A", "true", "false", "x", "a;b", "3",
    ]  # fmt: skip
    assert cell("2026-01-02T03:04:05.000Z", SCHEMA.field("Birthdate")) == "2026-01-02"


def test_times_of_the_org_are_read() -> None:
    assert milliseconds("2026-11-02T08:00:00.000+0000") == NOW
    assert milliseconds("2026-11-02T08:00:00.000Z") == NOW
    assert [milliseconds(one) for one in (None, "", "never", 3)] == [0, 0, 0, 0]


def test_records_lose_their_annotations_and_rows_find_their_shape() -> None:
    told = {"attributes": {"type": "Contact"}, "Id": "x", "Account": {"attributes": {}, "Name": "Acme"}}
    assert from_json(told) == {"Id": "x", "Account": {"Name": "Acme"}}
    row = {"Id": "x", "Account.Name": "Acme", "Phone": "", "DoNotCall": "false"}
    assert from_row(row, {"DoNotCall"}) == {"Id": "x", "Account": {"Name": "Acme"}, "Phone": None, "DoNotCall": False}


def test_two_changes_within_a_second_are_two_versions() -> None:
    told = {"Id": "003000000000001", "SystemModstamp": "2026-11-02T08:00:00.000+0000", "Phone": "1"}
    first, second = snapshot("Contact", told), snapshot("Contact", {**told, "Phone": "2"})
    assert first.modified_at == second.modified_at == NOW
    assert first.version != second.version
    assert first.version == snapshot("Contact", dict(reversed(told.items()))).version


def test_rows_of_one_parent_stand_together_and_columns_in_one_order() -> None:
    rows = [
        Row(f"k{n}", {"AccountId": f"00{n % 2}", "Phone": "1", **({"Email": None} if n == 3 else {})}) for n in range(5)
    ]
    (sheet,) = sheets(SCHEMA, KEY, rows)
    text = b"".join(sheet.pieces()).decode()
    assert text == (f"{KEY},AccountId,Email,Phone\nk0,000,,1\nk2,000,,1\nk4,000,,1\nk1,001,,1\nk3,001,#N/A,1\n")
    assert b"".join(sheet.pieces()).decode() == text
    assert sheet.size == len(text)


def test_rows_are_cut_into_jobs_by_size() -> None:
    rows = [Row(f"k{n:03}", {"Phone": "x" * 50}) for n in range(100)]
    parts = list(sheets(SCHEMA, KEY, rows, largest=1000))
    assert sum(len(part.rows) for part in parts) == 100
    assert all(part.size <= 1000 for part in parts)


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))),
        min_size=1,
        max_size=5,
    )
)
def test_what_goes_out_as_csv_comes_back(pairs: list[tuple[str, str]]) -> None:
    rows = [
        Row(f"{n}{mark}".replace("\0", ""), {"Bio__c": text.replace("\0", "")}) for n, (mark, text) in enumerate(pairs)
    ]
    (sheet,) = sheets(SCHEMA, KEY, rows)
    told = read_rows(b"".join(sheet.pieces()))
    assert {one[KEY]: one["Bio__c"] for one in told} == {row.mark: row.values["Bio__c"] or "#N/A" for row in rows}


def test_quoted_line_breaks_are_part_of_a_cell_and_a_cut_is_noticed() -> None:
    assert read_rows(b'\xef\xbb\xbfa,b\r\n"x\ny",2\r\n') == [{"a": "x\ny", "b": "2"}]
    for broken in (b"a,b\n1\n", b'a,b\n"1', b"a,b\n1,2,3\n", b"a\n\xff\n"):
        with pytest.raises(ValueError):
            read_rows(broken)


def test_the_writer_of_the_standard_library_agrees() -> None:
    (sheet,) = sheets(SCHEMA, KEY, [Row('a"b', {"Bio__c": 'x,"y"\nz'})])
    text = b"".join(sheet.pieces()).decode()
    assert next(iter(csv.DictReader(io.StringIO(text, newline="")))) == {KEY: 'a"b', "Bio__c": 'x,"y"\nz'}


def test_a_question_with_its_values_fits_an_address_whatever_they_look_like() -> None:
    for values in ([f"{n:032x}" for n in range(700)], ["Größe 38/40 'blau'" * 10] * 40, ["x"] * 900):
        parts = list(portions(values, 300))
        assert [one for part in parts for one in part] == values
        assert all(len(part) <= 300 for part in parts)
        assert all(len(quote(among("ProductCode", part))) < 10_000 for part in parts)
