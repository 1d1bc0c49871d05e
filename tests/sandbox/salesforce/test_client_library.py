"""The real client library of the Python world works against the simulated org, over https with the private authority."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.sandbox.salesforce.conftest import KEY, House


async def run(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


@pytest.fixture
def library() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import simple_salesforce

        return simple_salesforce


@pytest.fixture
def client(house: House, library: Any) -> Any:
    ends = house.vendor.endpoints()
    session = requests.Session()
    session.trust_env = False
    session.verify = ends["ca"]
    with session:
        yield library.Salesforce(
            session_id=house.token["access_token"], instance_url=ends["https"], version="67.0", session=session
        )


async def test_rows_queries_and_errors(client: Any, library: Any) -> None:
    def story() -> None:
        made = client.Account.create({"Name": "Acme", KEY: "a 1/2"})
        assert made["success"] is True
        key = library.format.format_external_id(KEY, "a 1/2")
        assert client.Account.upsert(key, {"Name": "Acme 2"}) == 200
        assert client.Account.upsert(f"{KEY}/b", {"Name": "B"}) == 201
        assert client.Account.update(made["id"], {"Site": "x"}) == 204
        assert client.Account.get(made["id"])["Site"] == "x"
        assert client.Account.describe()["keyPrefix"] == "001"
        assert client.describe()["maxBatchSize"] == 200
        found = client.query(library.format.format_soql("SELECT Id FROM Account WHERE Name = {}", "Acme 2"))
        assert found["totalSize"] == 1
        end = datetime.fromtimestamp(1_793_606_400, UTC) + timedelta(hours=1)
        assert client.Account.updated(end - timedelta(hours=2), end)["ids"]
        assert client.Account.delete(made["id"]) == 204
        assert client.limits()["DailyApiRequests"]["Max"] == 100_000
        assert client.api_usage["api-usage"].total == 100_000
        with pytest.raises(library.exceptions.SalesforceResourceNotFound):
            client.Account.get(made["id"])
        with pytest.raises(library.exceptions.SalesforceMalformedRequest) as caught:
            client.Contact.create({})
        assert caught.value.content[0]["errorCode"] == "REQUIRED_FIELD_MISSING"
        body = {"records": [{"attributes": {"type": "Account"}, "Name": "C", KEY: "c"}]}
        assert client.restful(f"composite/sobjects/Account/{KEY}", method="PATCH", json=body)[0]["created"] is True

    await run(story)


async def test_pages(house: House, client: Any) -> None:
    await house.act(op="seed", object="Contact", rows=[{"LastName": f"L{n}"} for n in range(4100)])
    found = await run(lambda: client.query_all("SELECT Id FROM Contact"))
    assert len({one["Id"] for one in found["records"]}) == 4100


async def test_bulk_two(house: House, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simple_salesforce.bulk2._Bulk2Client.DEFAULT_WAIT_TIMEOUT_SECONDS", 30)
    monkeypatch.setattr("simple_salesforce.bulk2.sleep", lambda _: None)

    def story() -> None:
        records = [{"LastName": f"L{n}", KEY: f"k{n}"} for n in range(30)]
        done = client.bulk2.Contact.upsert(records=records, external_id_field=KEY, wait=0)
        assert [(one["numberRecordsProcessed"], one["numberRecordsFailed"]) for one in done] == [(30, 0)]
        assert client.bulk2.Contact.get_successful_records(done[0]["job_id"]).count("\n") == 31
        client.bulk2.Contact.get_unprocessed_records(done[0]["job_id"])
        pages = list(client.bulk2.Contact.query("SELECT Id, LastName FROM Contact", max_records=12, wait=0))
        assert [page.count("\n") for page in pages] == [13, 13, 7]
        files = client.bulk2.Contact.download("SELECT Id FROM Contact", str(tmp_path), max_records=50, wait=0)
        assert sum(one["number_of_records"] for one in files) == 30

    await run(story)


class Detour(HTTPAdapter):
    """Sends every vendor host to the loopback."""

    def __init__(self, base: str) -> None:
        self._base = urlsplit(base)
        super().__init__()

    def send(self, request: Any, **more: Any) -> Any:
        was = urlsplit(request.url)
        request.url = urlunsplit(was._replace(scheme=self._base.scheme, netloc=self._base.netloc))
        return super().send(request, **more)


async def test_its_own_sign_in_through_a_rewriting_adapter(house: House, library: Any) -> None:
    def story() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", Detour(house.box.url("salesforce")))
            app = house.vendor.app
            client = library.Salesforce(
                consumer_key=app.client_id, consumer_secret=app.client_secret, domain="syncd-sandbox.my",
                version="67.0", session=session,
            )  # fmt: skip
            assert client.query("SELECT Id FROM User")["totalSize"] == 3
            house.vendor.sessions.expire_all()
            assert client.query("SELECT Id FROM User")["totalSize"] == 3
            with pytest.raises(library.SalesforceAuthenticationFailed):
                library.Salesforce(username="a@b.c", password="x", security_token="y", version="64.0", session=session)

    await run(story)
