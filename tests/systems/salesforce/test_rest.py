"""The library in worker threads: what it is given, and what is made of what comes back. Its traps: test_traps.py."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import requests

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.runtime.clock import ManualClock
from syncd.runtime.secret import Secret
from syncd.systems.contract import Call, VendorError
from syncd.systems.salesforce.auth import Token
from syncd.systems.salesforce.session import PLACEHOLDER, Session

from .kit import NOW, Answer, Books, Vendor, connected, page, refusal, settings


async def test_a_conditional_header_survives_a_refresh(org: Vendor) -> None:
    clock = ManualClock(NOW)
    async with connected(org, clock=clock) as crm:
        describer = crm._reader._describer
        first = await describer.schema("Contact", Lane.LIVE)
        assert await describer.schema("Contact", Lane.LIVE) is first
        await clock.advance(3601)
        org.expire()
        assert await describer.schema("Contact", Lane.LIVE) is first
        assert await describer.schema("Contact", Lane.LIVE, fresh=True) is not first
    stamp = "Sun, 01 Nov 2026 00:00:00 GMT"
    assert [one.headers.get("if-modified-since") for one in org.calls()] == [None, stamp, stamp, None]


async def test_the_library_never_holds_the_token(org: Vendor) -> None:
    held: list[str] = []
    org.on("GET", "limits/", lambda asked: Answer(200, {"a": 1}))

    def run(sf: Any) -> Any:
        held.extend((sf.session_id, str(sf.headers), sf.Contact.session_id))
        return sf.limits()

    async with connected(org) as crm:
        await crm._rest.call(run, Lane.LIVE)
        assert "00D!token" not in repr(vars(crm._rest))
    assert held[0] == PLACEHOLDER
    assert "00D!" not in "".join(held)


def test_every_call_has_a_time_out_also_those_the_library_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts 11.3: create, update, upsert and delete take none."""
    met: list[dict[str, Any]] = []

    def request(self: Any, method: str, url: str, *args: Any, **more: Any) -> requests.Response:
        met.append(more)
        response = requests.Response()
        response.status_code, response._content = 204, b""
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    from simple_salesforce.api import Salesforce

    sf = Salesforce(session_id="x", instance_url="https://a.my.salesforce.com", session=Session(settings()))
    for call in (
        lambda: sf.Contact.update("003", {}), lambda: sf.Contact.upsert("K/1", {}), lambda: sf.Contact.delete("003"),
        lambda: sf.restful("x", method="DELETE"),
    ):  # fmt: skip
        call()
    assert [one["timeout"] for one in met] == [(2.0, 5.0)] * 4
    assert not any(one["allow_redirects"] for one in met)


async def test_a_redirect_is_not_followed_with_the_token(org: Vendor) -> None:
    org.on("GET", "limits", lambda asked: Answer(302, None, {"location": "http://127.0.0.1:1/elsewhere"}))
    async with connected(org) as crm:
        with pytest.raises(VendorError) as caught:
            await crm._rest.get("limits", Lane.LIVE)
    assert caught.value.failure.status == 302
    assert len(org.calls()) == 1


async def test_an_address_outside_the_instance_is_refused_before_anything_is_sent(org: Vendor) -> None:
    async with connected(org) as crm:
        with pytest.raises(VendorError) as caught:
            await crm._rest.call(lambda sf: sf.session.get("https://evil.example.com/x"), Lane.LIVE)
        assert caught.value.failure.remedy is Remedy.STOP
        with pytest.raises(VendorError):
            await crm._rest.query_more("https://evil.example.com/services/data/v67.0/query/01g", Lane.LIVE)
    assert not org.calls()


def test_the_session_refuses_another_host_than_the_tokens() -> None:
    session = Session(settings("https://acme.my.salesforce.com"))
    session.adapter.token = Token(Secret("t"), "https://acme.my.salesforce.com")
    for url in (
        "https://evil.com/x",
        "https://acme.my.salesforce.com.evil.com/",
        "https://acme.my.salesforce.com:8443/",
    ):
        with pytest.raises(requests.exceptions.InvalidURL):
            session.get(url)


def test_netrc_and_the_environments_certificates_have_no_say() -> None:
    session = Session(settings())
    assert session.trust_env is False
    assert session.proxies == {}
    assert Session(settings(ca_file="/etc/own.pem")).verify == "/etc/own.pem"


async def test_cookies_of_the_org_are_left_behind(org: Vendor) -> None:
    org.on("GET", "limits", lambda asked: Answer(200, {"a": 1}, {"set-cookie": "BrowserId=x; path=/"}))
    async with connected(org, threads=1) as crm:
        for _ in range(2):
            await crm._rest.get("limits", Lane.LIVE)
    assert "cookie" not in org.calls()[1].headers


async def test_a_cut_connection_leaves_a_write_in_doubt_and_a_read_to_be_tried_again(org: Vendor) -> None:
    org.on("GET", "x", lambda asked: Answer(0))
    org.on("POST", "x", lambda asked: Answer(0))
    async with connected(org) as crm:
        for method, remedy in (("GET", Remedy.RETRY), ("POST", Remedy.LOOK)):
            writes = method == "POST"
            with pytest.raises(VendorError) as caught:
                await crm._rest.call(lambda sf, m=method: sf.restful("x", method=m), Lane.LIVE, writes=writes)
            assert caught.value.failure.remedy is remedy
            assert caught.value.failure.code == "no-reply"


async def test_an_org_that_is_not_there_was_sent_nothing() -> None:
    async with connected(Vendor(url="http://127.0.0.1:1")) as crm:
        with pytest.raises(VendorError) as caught:
            await crm._rest.get("limits", Lane.LIVE)
    assert caught.value.failure.code == "unreachable"


async def test_a_success_that_cannot_be_read_is_in_doubt(org: Vendor) -> None:
    org.on("PATCH", "x", lambda asked: Answer(200, b'[{"id":"003'))
    async with connected(org) as crm:
        with pytest.raises(VendorError) as caught:
            await crm._rest.send("PATCH", "x", {}, Lane.LIVE)
    assert caught.value.failure.remedy is Remedy.LOOK
    assert caught.value.failure.code == "unreadable-reply"


async def test_every_call_is_paid_for_and_observed_as_the_budget_understands_it(org: Vendor) -> None:
    books = Books()
    answers = iter([
        Answer(200, {"a": 1}, {"Sforce-Limit-Info": "api-usage=18/5000"}),
        refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        refusal(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
    ])  # fmt: skip
    org.on("GET", "limits", lambda asked: next(answers))
    async with connected(org, books) as crm:
        await crm._rest.get("limits", Lane.BULK)
        waits = []
        for _ in range(2):
            with pytest.raises(VendorError) as caught:
                await crm._rest.get("limits", Lane.BULK)
            waits.append((caught.value.failure.remedy, caught.value.failure.retry_after_seconds))
    assert books.paid == [(Call("auth"), Lane.BULK), *[(Call("api"), Lane.BULK)] * 3]
    told = [
        (status, headers.get("x-syncd-window"), headers.get("sforce-limit-info")) for _, status, headers in books.seen
    ]
    assert told[1:] == [(200, None, "api-usage=18/5000"), (429, "daily", None), (429, "concurrent", None)]
    assert waits == [(Remedy.WAIT, 900.0), (Remedy.WAIT, 5.0)]


def test_nothing_heavy_is_loaded_before_the_first_call() -> None:
    code = (
        "import sys; from syncd.systems.salesforce.system import Salesforce; "
        "print([m for m in ('simple_salesforce', 'requests', 'grpc', 'fastavro', 'google.protobuf', 'zeep') "
        "if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


async def test_closing_may_come_twice_and_opening_calls_nobody(org: Vendor) -> None:
    async with connected(org) as crm:
        assert org.asked == []
        await crm.close()
        await crm.close()


async def test_the_clock_of_the_org_is_noted(org: Vendor) -> None:
    org.date = "Mon, 02 Nov 2026 08:01:00 GMT"
    org.on("GET", "limits", lambda asked: Answer(200, {"a": 1}))
    async with connected(org) as crm:
        await crm._rest.get("limits", Lane.LIVE)
        assert crm._checker._vitals.skew_seconds == -60.0
        assert crm._checker._vitals.vendor_ms(NOW) == NOW + 60_000


async def test_a_query_is_asked_page_by_page(org: Vendor) -> None:
    org.on("GET", "query/", lambda asked: page([{"Id": "a"}], "/services/data/v67.0/query/01g-2000"))
    org.on("GET", "query/01g-2000", lambda asked: page([{"Id": "b"}]))
    async with connected(org) as crm:
        assert [one["Id"] for one in await crm._rest.query_all("SELECT Id FROM X", Lane.LIVE)] == ["a", "b"]
