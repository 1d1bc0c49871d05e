"""A world at all four vendors, asked through their APIs: as if its records had always been there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from syncd.runtime.clock import ManualClock
from syncd.sandbox.bigcommerce import inhabitants
from syncd.sandbox.command import KNOWN_VENDORS, simulator
from syncd.sandbox.lazy import Segment
from syncd.sandbox.salesforce.soql_run import compile_query
from syncd.sandbox.server import Sandbox
from syncd.sandbox.world.roster import Fate
from syncd.sandbox.world.world import World

PEOPLE = 230
"""Two whole hundreds and a part of one."""


class Town:
    def __init__(self) -> None:
        self.box = Sandbox(seed=7, clock=ManualClock())
        self.vendors: dict[str, Any] = {name: self.box.add(simulator(name)) for name in KNOWN_VENDORS}
        self.world: World = self.box.populate(PEOPLE)
        self.http = httpx.AsyncClient(trust_env=False)

    def ids(self, system: str) -> list[str]:
        """Of the live people a system knows, ascending."""
        base = self.vendors[system].inhabitants
        return [str(base.id_at(rank)) for rank in range(base.size) if base.roster.fate(rank) is not Fate.DELETED]

    def email(self, system: str, place: int) -> str:
        base = self.vendors[system].inhabitants
        rank = base.rank_of(self.ids(system)[place]) if system != "bigcommerce" else int(self.ids(system)[place]) - 1
        return str(base.seen(rank).email)

    async def call(self, method: str, url: str, status: int = 200, **more: Any) -> Any:
        reply = await self.http.request(method, url, **more)
        assert reply.status_code == status, reply.text
        return reply.json() if reply.content else None

    def effects(self) -> list[tuple[str, str, str]]:
        return [(one.effect, one.object, one.id) for one in self.box.ledger.after(0)]


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    town = Town()
    async with town.box, town.http:
        yield town


async def test_the_admin_door_tells_who_is_who(town: Town) -> None:
    number = next(one for one in range(PEOPLE) if all(town.world.truth(one).values()))
    told = await town.call("GET", f"{town.box.admin_url}/_sandbox/person", params={"number": number})
    assert told["person"]["email"] == town.world.person(number).email
    for system, ids in told["records"].items():
        params = {"vendor": system, "id": ids[0]}
        again = await town.call("GET", f"{town.box.admin_url}/_sandbox/person", params=params)
        assert again["person"]["number"] == number
    await town.call("GET", f"{town.box.admin_url}/_sandbox/person", 404, params={"number": PEOPLE})
    assert town.effects() == []


async def test_commercetools_lists_finds_changes_and_deletes_customers_that_were_always_there(town: Town) -> None:
    base, ids = town.box.url("commercetools"), town.ids("commercetools")
    auth = {"auth": ("shop-frontend", "shop-secret"), "data": {"grant_type": "client_credentials"}}
    token = (await town.call("POST", f"{base}/oauth/token", **auth))["access_token"]
    town.http.headers["authorization"] = f"Bearer {token}"
    customers = f"{base}/demo-shop/customers"

    async def listed(**params: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await town.call("GET", customers, params=params))["results"]
        return rows

    first = await listed(limit=100, sort="id asc")
    rest = await listed(limit=500, sort="id asc", where=f'id > "{first[-1]["id"]}"')
    assert [row["id"] for row in first + rest] == ids
    stamps = [(row["lastModifiedAt"], row["id"]) for row in await listed(limit=500, sort="lastModifiedAt asc")]
    assert stamps == sorted(stamps)
    assert len(stamps) == len(ids)
    late = await listed(limit=500, where=f'lastModifiedAt >= "{stamps[-20][0]}"')
    assert {row["id"] for row in late} >= {id_ for _, id_ in stamps[-20:]}
    (found,) = await listed(where=f'email = "{town.email("commercetools", 5)}"')
    assert found["id"] == ids[5]
    assert len(await listed(where=f'customerGroup(id = "{_group(first)}")', limit=500)) > 0

    body = {"version": found["version"], "actions": [{"action": "changeEmail", "email": "new@example.com"}]}
    changed = await town.call("POST", f"{customers}/{ids[5]}", json=body)
    assert (changed["id"], changed["createdAt"]) == (ids[5], found["createdAt"])
    assert await listed(where=f'email = "{found["email"]}"') == []
    assert [row["id"] for row in await listed(limit=500, sort="id asc")] == ids
    assert (await listed(limit=1, sort="lastModifiedAt desc"))[0]["id"] == ids[5]
    draft = {"email": first[0]["email"].upper(), "authenticationMode": "ExternalAuth"}
    taken = await town.call("POST", customers, 400, json=draft)
    assert taken["errors"][0]["code"] == "DuplicateField"
    await town.call("DELETE", f"{customers}/{ids[5]}", params={"version": changed["version"]})
    await town.call("DELETE", f"{customers}/{ids[6]}", params={"version": first[6]["version"]})
    await town.call("GET", f"{customers}/{ids[6]}", 404)
    page = await town.call("GET", customers, params={"limit": 500, "sort": "id desc"})
    assert [row["id"] for row in page["results"]] == [*ids[:5], *ids[7:]][::-1]
    assert page["total"] == len(ids) - 2
    assert town.effects() == [("update", "customers", ids[5]), ("delete", "customers", ids[5]),
                              ("delete", "customers", ids[6])]  # fmt: skip


async def test_commercetools_has_business_units_with_associates_and_orders_of_the_customers(town: Town) -> None:
    base = town.box.url("commercetools")
    auth = {"auth": ("shop-frontend", "shop-secret"), "data": {"grant_type": "client_credentials"}}
    token = (await town.call("POST", f"{base}/oauth/token", **auth))["access_token"]
    town.http.headers["authorization"] = f"Bearer {token}"
    base += "/demo-shop"
    units = (await town.call("GET", f"{base}/business-units", params={"limit": 500}))["results"]
    assert len(units) == len(town.world.firms("commercetools"))
    division = next(one for one in units if one["unitType"] == "Division")
    top = await town.call("GET", f"{base}/business-units/key={division['parentUnit']['key']}")
    within = {"where": f'parentUnit(key = "{top["key"]}")'}
    assert division["id"] in {
        one["id"] for one in (await town.call("GET", f"{base}/business-units", params=within))["results"]
    }
    buyer = next(one for one in units if one["associates"])["associates"][0]["customer"]["id"]
    assert buyer in town.ids("commercetools")
    change = {"version": division["version"], "actions": [{"action": "changeName", "name": "Renamed"}]}
    assert (await town.call("POST", f"{base}/business-units/{division['id']}", json=change))["name"] == "Renamed"
    await town.call("DELETE", f"{base}/business-units/{top['id']}", 400, params={"version": top["version"]})

    orders = (await town.call("GET", f"{base}/orders", params={"limit": 500, "sort": "id asc"}))["results"]
    assert {one["customerId"] for one in orders} == set(town.ids("commercetools")[::3])
    one = orders[4]
    assert one["totalPrice"]["centAmount"] == one["lineItems"][0]["totalPrice"]["centAmount"] > 0
    assert await town.call("GET", f"{base}/orders/order-number={one['orderNumber']}") == one
    of_customer = {"where": f'customerId = "{one["customerId"]}"'}
    assert (await town.call("GET", f"{base}/orders", params=of_customer))["results"] == [one]
    state = {"version": one["version"], "actions": [{"action": "changeShipmentState", "shipmentState": "Shipped"}]}
    assert (await town.call("POST", f"{base}/orders/{one['id']}", json=state))["shipmentState"] == "Shipped"
    assert [effect[:2] for effect in town.effects()] == [("update", "business-units"), ("update", "orders")]


def _group(rows: list[dict[str, Any]]) -> str:
    return str(next(row["customerGroup"]["id"] for row in rows if "customerGroup" in row))


async def test_bigcommerce_pages_filters_changes_and_deletes_customers_that_were_always_there(town: Town) -> None:
    base, ids = f"{town.box.url('bigcommerce')}/stores/abc123/v3", [int(id_) for id_ in town.ids("bigcommerce")]
    town.http.headers.update({"x-auth-token": "shop-token", "x-store-hash": "abc123", "accept": "application/json"})

    async def listed(**params: Any) -> dict[str, Any]:
        named = {name.replace("__", ":"): value for name, value in params.items()}
        page: dict[str, Any] = await town.call("GET", f"{base}/customers", params=named)
        return page

    page = await listed(limit=100, include="addresses")
    assert (page["meta"]["pagination"]["total"], page["data"][0]["address_count"]) == (len(ids), 1)
    after = page["meta"]["cursor_pagination"]["end_cursor"]
    rest = await listed(limit=250, after=after)
    assert [row["id"] for row in page["data"] + rest["data"]] == ids
    stamps = sorted(row["date_modified"] for row in page["data"] + rest["data"])
    late = await listed(date_modified__min=stamps[-10], limit=250)
    assert sorted(row["date_modified"] for row in late["data"]) == [one for one in stamps if one >= stamps[-10]]
    (found,) = (await listed(email__in=town.email("bigcommerce", 3).upper()))["data"]
    assert found["id"] == ids[3]

    await town.call("PUT", f"{base}/customers", json=[{"id": ids[3], "email": "new@example.com"}])
    assert [row["id"] for row in (await listed(email__in="new@example.com"))["data"]] == [ids[3]]
    assert (await listed(email__in=found["email"]))["data"] == []
    body = [{"email": page["data"][0]["email"], "first_name": "A", "last_name": "B"}]
    await town.call("POST", f"{base}/customers", 422, json=body)
    await town.call("DELETE", f"{base}/customers", 204, params={"id:in": f"{ids[3]},{ids[4]}"})
    assert [row["id"] for row in (await listed(limit=250))["data"]] == [*ids[:3], *ids[5:]]
    assert town.effects() == [("update", "customers", str(ids[3])), ("delete", "customers", str(ids[3])),
                              ("delete", "customers", str(ids[4]))]  # fmt: skip

    orders = f"{town.box.url('bigcommerce')}/stores/abc123/v2/orders"
    bought = await town.call("GET", orders, params={"min_id": 11, "limit": 250})
    assert [row["id"] for row in bought] == list(range(11, -(-len(ids) // 3) + 1))
    assert bought[0]["total_inc_tax"] == (await town.call("GET", f"{orders}/11/products"))[0]["total_inc_tax"]
    same = await town.call("GET", orders, params={"customer_id": bought[0]["customer_id"]})
    assert same == bought[:1]
    changed = await town.call("PUT", f"{orders}/11", json={"status_id": 5})
    assert (changed["id"], changed["status_id"]) == (11, 5)

    companies = await town.call("GET", f"{town.box.url('bigcommerce')}/api/v3/io/companies", params={"limit": 100})
    assert companies["meta"]["pagination"]["totalCount"] == len(town.world.firms("bigcommerce"))
    one = companies["data"][0]
    users = await town.call(
        "GET", f"{town.box.url('bigcommerce')}/api/v3/io/users", params={"companyId": one["companyId"]}
    )
    assert [row["companyId"] for row in users["data"]] == [one["companyId"]]


@pytest.mark.parametrize(
    ("path", "params", "kind", "looks"),
    [
        ("/api/v3/io/companies", {"minModified": "0", "limit": "3"}, inhabitants.Companies, 9),
        ("/api/v3/io/users", {"limit": "3"}, inhabitants.Users, 6),
        ("/api/v3/io/users", {"companyId": "5"}, inhabitants.Users, 3),
        ("/api/v3/io/companies/1/hierarchy", {}, inhabitants.Companies, 30),
        ("/stores/abc123/v2/orders", {"sort": "date_modified:desc", "limit": "3"}, inhabitants.Orders, 6),
        ("/stores/abc123/v2/orders", {"min_date_modified": "2020-01-01", "min_id": "4", "max_id": "9", "limit": "3"},
         inhabitants.Orders, 6),
        ("/stores/abc123/v3/customers", {"sort": "date_modified:desc", "limit": "3"}, inhabitants.Customers, 6),
    ],
)  # fmt: skip
async def test_the_store_looks_at_no_more_rows_than_it_shows(
    town: Town, monkeypatch: pytest.MonkeyPatch, path: str, params: dict[str, str], kind: type[Any], looks: int
) -> None:
    made: list[int] = []
    make = kind.make
    monkeypatch.setattr(kind, "make", lambda base, rank: made.append(rank) or make(base, rank))
    town.http.headers.update({"x-auth-token": "syncd-token", "x-store-hash": "abc123", "accept": "application/json"})
    told = await town.call("GET", f"{town.box.url('bigcommerce')}{path}", params=params)
    rows = told if isinstance(told, list) else told["data"]
    assert rows
    assert len(made) <= looks
    name = {"/api/v3/io/companies": "updatedAt", "/stores/abc123/v3/customers": "date_modified"}.get(path, "id")
    stamps = [row[name] for row in rows] if name != "id" else []
    assert stamps == sorted(stamps, reverse=True)


@pytest.mark.parametrize("field", ["LastModifiedDate", "CreatedDate", "SystemModstamp"])
@pytest.mark.parametrize("literal", ["2025-12-01T00:00:00Z", "LAST_N_DAYS:20"])
async def test_a_query_by_a_moment_looks_at_rows_changed_since_and_finds_what_a_walk_of_all_finds(
    town: Town, monkeypatch: pytest.MonkeyPatch, field: str, literal: str
) -> None:
    await town.box.clock.advance((1_765_500_000_000 - town.box.clock.now_ms()) / 1000)
    org, base = town.vendors["salesforce"].org, town.vendors["salesforce"].inhabitants
    least = compile_query(org, f"SELECT Id FROM Contact WHERE {field} >= {literal}")
    everything = compile_query(org, f"SELECT Id, {field} FROM Contact").rows()
    looked: list[int] = []
    row = Segment.row
    monkeypatch.setattr(Segment, "row", lambda segment, rank: (looked.append(rank), row(segment, rank))[1])
    found = {one.id for one in least.rows()}
    assert found == {one.id for one in everything if least.matching([one])}
    assert bool(found) is (field != "CreatedDate")  # all were made before 2025
    assert len(looked) < base.size / 2


async def test_hubspot_pages_searches_merges_and_forgets_contacts_that_were_always_there(town: Town) -> None:
    base, ids = f"{town.box.url('hubspot')}/crm/v3/objects", town.ids("hubspot")
    vendor = town.vendors["hubspot"]
    town.http.headers["authorization"] = f"Bearer {vendor.token}"
    contacts = f"{base}/contacts"

    async def listed(**params: Any) -> list[dict[str, Any]]:
        rows, after = [], {}
        while True:
            page = await town.call("GET", contacts, params={"limit": 100, **params, **after})
            rows += page["results"]
            if "paging" not in page:
                return rows
            after = {"after": page["paging"]["next"]["after"]}

    rows = await listed(associations="companies", properties="associatedcompanyid,email")
    assert [row["id"] for row in rows] == ids
    assert len(await listed(archived="true")) == vendor.inhabitants.size - len(ids) > 0
    employed = next(row for row in rows if "associations" in row)
    company = employed["associations"]["companies"]["results"][0]["id"]
    assert employed["properties"]["associatedcompanyid"] == company
    back = await town.call("GET", f"{base}/companies/{company}", params={"associations": "contacts"})
    assert employed["id"] in {one["id"] for one in back["associations"]["contacts"]["results"]}

    async def search(least: str) -> dict[str, Any]:
        filters = [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": least}]
        sorts = [{"propertyName": "lastmodifieddate", "direction": "DESCENDING"}]
        body = {"filterGroups": [{"filters": filters}], "sorts": sorts, "limit": 10}
        found: dict[str, Any] = await town.call("POST", f"{contacts}/search", json=body)
        return found

    stamps = sorted((row["properties"]["lastmodifieddate"] for row in rows), reverse=True)
    found = await search(stamps[30])
    assert [row["properties"]["lastmodifieddate"] for row in found["results"]] == stamps[:10]
    assert found["total"] == sum(one >= stamps[30] for one in stamps)

    email = rows[7]["properties"]["email"]
    named = await town.call("GET", f"{contacts}/{email}", params={"idProperty": "email"})
    assert named["id"] == ids[7]
    await town.call("PATCH", f"{contacts}/{ids[7]}", json={"properties": {"email": "new@example.com"}})
    await town.call("GET", f"{contacts}/{email}", 404, params={"idProperty": "email"})
    await town.call("POST", contacts, 409, json={"properties": {"email": rows[8]["properties"]["email"]}})
    await town.box.clock.advance(3)  # type: ignore[attr-defined]
    fresh = await search(stamps[0])
    assert (fresh["results"][0]["id"], fresh["total"]) == (ids[7], sum(one == stamps[0] for one in stamps) + 1)

    merged = await town.call("POST", f"{contacts}/merge", json={"primaryObjectId": ids[9], "objectIdToMerge": ids[10]})
    assert (await town.call("GET", f"{contacts}/{ids[10]}"))["id"] == merged["id"]
    await town.call("DELETE", f"{contacts}/{ids[11]}", 204)
    await town.call("POST", f"{contacts}/gdpr-delete", 204, json={"objectId": ids[12]})
    assert [row["id"] for row in await listed()] == [*ids[:9], *ids[13:], merged["id"]]
    people = vendor.inhabitants
    absorbed = next(rank for rank in range(people.size) if people.roster.fate(rank) is Fate.ABSORBED)
    lost = int(people.id_at(absorbed)) + 1
    assert (await town.call("GET", f"{contacts}/{lost}"))["id"] == people.id_at(absorbed)


async def test_salesforce_queries_changes_deletes_and_exports_contacts_that_were_always_there(town: Town) -> None:
    base, ids, vendor = town.box.url("salesforce"), town.ids("salesforce"), town.vendors["salesforce"]
    form = {"grant_type": "client_credentials", "client_id": vendor.app.client_id,
            "client_secret": vendor.app.client_secret}  # fmt: skip
    told = await town.call("POST", f"{base}/services/oauth2/token", data=form)
    town.http.headers["authorization"] = f"Bearer {told['access_token']}"
    data = f"{base}/services/data/v67.0"

    async def query(soql: str, resource: str = "query") -> dict[str, Any]:
        found: dict[str, Any] = await town.call("GET", f"{data}/{resource}", params={"q": soql})
        return found

    rows = (await query("SELECT Id, Email, SystemModstamp, Account.Name FROM Contact ORDER BY Id"))["records"]
    assert [row["Id"] for row in rows] == ids
    assert (await query("SELECT COUNT() FROM Contact"))["totalSize"] == len(ids)
    gone = vendor.inhabitants.size - len(ids)
    assert (await query("SELECT Id FROM Contact WHERE IsDeleted = true", "queryAll"))["totalSize"] == gone > 0
    order = sorted((row["SystemModstamp"], row["Id"]) for row in rows)
    pages: list[Any] = []
    where = ""
    while page := (await query(f"SELECT Id, SystemModstamp FROM Contact {where} ORDER BY SystemModstamp, Id LIMIT 70"))[
        "records"
    ]:
        pages += [(row["SystemModstamp"], row["Id"]) for row in page]
        at = pages[-1][0].replace("+0000", "Z")
        where = f"WHERE SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > '{pages[-1][1]}')"
    assert pages == order
    employed = next(row for row in rows if row["Account"])
    (account,) = (await query(f"SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Id IN (SELECT AccountId FROM "
                              f"Contact WHERE Id = '{employed['Id']}')"))["records"]  # fmt: skip
    assert employed["Id"] in {row["Id"] for row in account["Contacts"]["records"]}

    found = (await query(f"SELECT Id FROM Contact WHERE Email = '{rows[4]['Email'].upper()}'"))["records"]
    assert [row["Id"] for row in found] == [ids[4]]
    number = town.world.person(town.vendors["salesforce"].inhabitants.roster.at(0).member).customer_number
    keyed = await town.call("GET", f"{data}/sobjects/Contact/Customer_Number__c/{number}")
    assert keyed["Id"] == ids[0]
    await town.call("PATCH", f"{data}/sobjects/Contact/{ids[4]}", 204, json={"Email": "new@example.com"})
    assert (await query("SELECT Id FROM Contact WHERE Email = 'new@example.com'"))["records"][0]["Id"] == ids[4]
    late = await query("SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-01T00:00:00Z")
    assert [row["Id"] for row in late["records"]] == [ids[4]]
    await town.call("DELETE", f"{data}/sobjects/Contact/{ids[5]}", 204)
    assert (await query("SELECT COUNT() FROM Contact"))["totalSize"] == len(ids) - 1
    vendor.people.act({"op": "undelete", "object": "Contact", "id": ids[5]})

    body = {"operation": "query", "query": "SELECT Id, Email FROM Contact"}
    job = await town.call("POST", f"{data}/jobs/query", json=body)
    while (state := (await town.call("GET", f"{data}/jobs/query/{job['id']}"))["state"]) != "JobComplete":
        assert state in {"UploadComplete", "InProgress"}
    csv = (await town.http.get(f"{data}/jobs/query/{job['id']}/results")).text.splitlines()
    assert [line.split(",")[0].strip('"') for line in csv[1:]] == ids
    vendor.people.act({"op": "delete_field", "object": "Contact", "name": "Customer_Number__c"})
    await town.call("GET", f"{data}/sobjects/Contact/Customer_Number__c/{number}", 404)
    assert [(effect, id_) for effect, _, id_ in town.effects()] == [
        ("update", ids[4]), ("delete", ids[5]), ("undelete", ids[5]),
    ]  # fmt: skip
