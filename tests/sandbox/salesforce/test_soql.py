"""SOQL: what it selects, how it pages, what it refuses."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.sandbox.salesforce.errors import SalesforceError as Refused
from syncd.sandbox.salesforce.soql import parse
from tests.sandbox.salesforce.conftest import KEY, House


@pytest.fixture
async def people(house: House) -> House:
    acme = await house.create("Account", Name="Acme", **{KEY: "a-1"})
    rows = [
        {"LastName": "Doe", "FirstName": "Ann", "Email": "ann@example.com", "Credit_Limit__c": 10, "AccountId": acme},
        {"LastName": "Roe", "FirstName": "Bob", "Email": "bob@example.com", "Credit_Limit__c": 20.5, "DoNotCall": True},
        {"LastName": "O'Hara", "Birthdate": "1990-02-01", "LeadSource": "Web"},
    ]
    for row in rows:
        await house.clock.advance(60)
        await house.create("Contact", **row)
    return house


async def names(house: House, where: str) -> list[str]:
    return [row["LastName"] for row in await house.query(f"SELECT LastName FROM Contact {where}")]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("WHERE LastName = 'doe'", ["Doe"]),
        ("WHERE LastName != 'Doe' ORDER BY LastName", ["O'Hara", "Roe"]),
        ("WHERE Email = null", ["O'Hara"]),
        ("WHERE Email != NULL AND (Credit_Limit__c > 10 OR FirstName = 'x')", ["Roe"]),
        ("WHERE NOT (LastName IN ('Doe', 'Roe'))", ["O'Hara"]),
        ("WHERE LastName NOT IN ('Doe')  ORDER BY LastName DESC", ["Roe", "O'Hara"]),
        ("WHERE LastName LIKE '_o%'", ["Doe", "Roe"]),
        (r"WHERE LastName = 'O\'Hara'", ["O'Hara"]),
        ("WHERE DoNotCall = true", ["Roe"]),
        ("WHERE Account.Name = 'acme'", ["Doe"]),
        ("WHERE Account.Syncd_Id__c = 'a-1'", ["Doe"]),
        ("WHERE Account.Syncd_Id__c = 'A-1'", []),
        ("WHERE AccountId IN (SELECT Id FROM Account WHERE Name LIKE 'Ac%')", ["Doe"]),
        ("WHERE Birthdate = 1990-02-01", ["O'Hara"]),
        ("WHERE CreatedDate = TODAY AND CreatedDate = LAST_N_DAYS:1 ORDER BY LastName", ["Doe", "O'Hara", "Roe"]),
        ("WHERE CreatedDate < YESTERDAY", []),
        ("WHERE SystemModstamp > 2026-11-02T08:02:00Z ORDER BY SystemModstamp, Id", ["O'Hara"]),
        ("WHERE SystemModstamp >= 2026-11-02T09:02:00+01:00 ORDER BY SystemModstamp DESC", ["O'Hara", "Roe"]),
        ("ORDER BY Credit_Limit__c DESC NULLS LAST", ["Roe", "Doe", "O'Hara"]),
        ("ORDER BY Credit_Limit__c", ["O'Hara", "Doe", "Roe"]),
        ("ORDER BY LastName LIMIT 1 OFFSET 1", ["O'Hara"]),
    ],
)
async def test_conditions_and_orders(people: House, where: str, found: list[str]) -> None:
    assert await names(people, where) == found


async def test_parents_children_and_compounds_nest(people: House) -> None:
    (row,) = await people.query(
        "SELECT Id, Name, Account.Name, Account.Owner.Username FROM Contact WHERE Email = 'ann@example.com'"
    )
    assert row["Name"] == "Ann Doe"
    assert row["Account"]["Name"] == "Acme"
    assert row["Account"]["attributes"]["type"] == "Account"
    assert row["Account"]["Owner"]["Username"] == "integration@sandbox.example"
    (row,) = await people.query("SELECT Name, (SELECT LastName FROM Contacts), (SELECT Id FROM Orders) FROM Account")
    assert [one["LastName"] for one in row["Contacts"]["records"]] == ["Doe"]
    assert (row["Contacts"]["totalSize"], row["Contacts"]["done"], row["Orders"]) == (1, True, None)
    (row,) = await people.query("SELECT FIELDS(ALL) FROM Contact WHERE LastName = 'Roe' LIMIT 1")
    assert row["Account"] is None if "Account" in row else row["AccountId"] is None


async def test_counts_and_aggregates(people: House) -> None:
    reply = (await people.call("GET", "/query", params={"q": "SELECT COUNT() FROM Contact"})).json()
    assert reply == {"totalSize": 3, "done": True, "records": []}
    (row,) = await people.query("SELECT COUNT(Id), SUM(Credit_Limit__c) total FROM Contact")
    assert row == {"attributes": {"type": "AggregateResult"}, "expr0": 3, "total": 30.5}
    grouped = await people.query("SELECT DoNotCall, COUNT(Id) n FROM Contact GROUP BY DoNotCall HAVING COUNT(Id) > 1")
    assert [(row["DoNotCall"], row["n"]) for row in grouped] == [(False, 2)]


async def test_pages_are_cursors_that_die(house: House) -> None:
    await house.act(op="seed", object="Contact", rows=[{"LastName": f"L{n:04d}"} for n in range(450)])
    headers = {"sforce-query-options": "batchSize=200"}
    soql = "SELECT LastName FROM Contact ORDER BY LastName"
    page = (await house.call("GET", "/query", params={"q": soql}, headers=headers)).json()
    first = page["nextRecordsUrl"]
    assert (page["totalSize"], page["done"], len(page["records"]), first[-4:]) == (450, False, 200, "-200")
    seen = [row["LastName"] for row in page["records"]]
    while not page["done"]:
        page = (await house.call("GET", page["nextRecordsUrl"], headers=headers)).json()
        seen += [row["LastName"] for row in page["records"]]
    assert seen == [f"L{n:04d}" for n in range(450)]
    assert "nextRecordsUrl" not in page
    await house.clock.advance(2 * 24 * 3600 + 1)
    await house.sign_in()
    assert await house.refused("GET", first) == (400, "INVALID_QUERY_LOCATOR")
    assert await house.refused("GET", "/query/01gnonsense-2000") == (400, "INVALID_QUERY_LOCATOR")


async def test_the_oldest_cursor_makes_room(house: House) -> None:
    await house.act(op="seed", object="Contact", rows=[{"LastName": "L"} for n in range(201)])
    headers = {"sforce-query-options": "batchSize=200"}
    soql = {"q": "SELECT Id FROM Contact"}
    urls = [
        (await house.call("GET", "/query", params=soql, headers=headers)).json()["nextRecordsUrl"] for _ in range(11)
    ]
    assert await house.refused("GET", urls[0]) == (400, "INVALID_QUERY_LOCATOR")
    assert (await house.call("GET", urls[1])).status_code == 200


async def test_query_all_shows_the_deleted(people: House) -> None:
    (row,) = await people.query("SELECT Id FROM Contact WHERE LastName = 'Doe'")
    await people.call("DELETE", f"/sobjects/Contact/{row['Id']}")
    assert await names(people, "WHERE LastName = 'Doe'") == []
    (gone,) = await people.query("SELECT Id, IsDeleted FROM Contact WHERE IsDeleted = true", "queryAll")
    assert (gone["Id"], gone["IsDeleted"]) == (row["Id"], True)
    found = await people.query(f"SELECT Id FROM Contact WHERE Id = '{row['Id'][:15]}'", "queryAll")
    assert len(found) == 1


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FORM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Id = 'x' AND Id = 'y' OR Id = 'z'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact LIMIT x", "MALFORMED_QUERY"),
        ("SELECT Shoe FROM Contact", "INVALID_FIELD"),
        ("SELECT Shop.Name FROM Contact", "INVALID_FIELD"),
        ("SELECT Id, Id FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Shoe", "INVALID_TYPE"),
        ("SELECT Id, (SELECT Id FROM Shoes) FROM Account", "INVALID_TYPE"),
        ("SELECT Id FROM Contact WHERE LastName = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Credit_Limit__c = '5'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT LastName, COUNT(Id) FROM Contact", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
async def test_what_a_query_is_refused_for(house: House, soql: str, code: str) -> None:
    assert await house.refused("GET", "/query", params={"q": soql}) == (400, code)


@given(st.text(alphabet="SELECT FROM WHERE()=',.<>!abc012:-_\\%", max_size=60))
def test_any_text_parses_or_is_refused_in_the_vendors_words(text: str) -> None:
    with suppress(Refused):
        parse(text)


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        ("WHERE CreatedDate > 2026-99-99T00:00:00Z", "MALFORMED_QUERY"),
        ("WHERE CreatedDate = LAST_N_DAYS:99999999999", "MALFORMED_QUERY"),
        (f"WHERE {'(' * 2000}Id != NULL{')' * 2000}", "QUERY_TOO_COMPLICATED"),
    ],
)
async def test_what_no_calendar_and_no_patience_has_is_refused(house: House, tail: str, code: str) -> None:
    assert await house.refused("GET", "/query", params={"q": f"SELECT Id FROM Contact {tail}"}) == (400, code)


async def test_a_limit_beyond_all_numbers_is_none(house: House) -> None:
    assert isinstance(await house.query(f"SELECT Id FROM Contact LIMIT {10**20}"), list)
