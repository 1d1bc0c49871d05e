"""Limits, faults, outages, the admin's view, and the doors."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from syncd.runtime.clock import ManualClock
from syncd.sandbox.command import SandboxOptions, assemble
from syncd.sandbox.salesforce import SalesforceSandbox
from syncd.sandbox.salesforce.org import Profile
from syncd.sandbox.server import Sandbox
from syncd.sandbox.vendor import ActError
from tests.sandbox.salesforce.conftest import KEY, House


async def test_every_reply_says_what_is_left_of_a_window_that_rolls(house: House) -> None:
    await house.act(op="limits", settings={"daily_calls": 2, "app_calls": 250})
    reply = await house.call("GET", "/limits")
    assert reply.headers["sforce-limit-info"] == "api-usage=1/2; per-app-api-usage=1/250(appName=syncd)"
    await house.call("GET", "/nowhere")
    reply = await house.call("GET", "/limits")
    assert (reply.status_code, reply.json()[0]["message"]) == (403, "TotalRequests Limit exceeded.")
    assert reply.headers["sforce-limit-info"].startswith("api-usage=2/2")
    await house.clock.advance(24 * 3600 + 60)
    await house.sign_in()
    assert (await house.call("GET", "/limits")).status_code == 200


async def test_too_many_long_calls_refuse_new_ones_for_a_while(house: House) -> None:
    await house.act(op="limits", settings={"long_calls": 1})
    house.box.set_faults("latency=30")
    slow = asyncio.create_task(house.call("GET", "/limits"))
    for _ in range(1000):
        await asyncio.sleep(0.002 if not house.clock._sleepers else 0)
    house.box.set_faults("none")
    await house.clock.advance(20)
    reply = await house.call("GET", "/limits")
    assert (reply.status_code, "ConcurrentPerOrgLongTxn" in reply.text) == (403, True)
    await house.clock.advance(300)
    assert (await slow).status_code in {200, 403}
    assert (await house.call("GET", "/limits")).status_code == 200


@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [
        ("throttle=1", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("fail_before=1", 500, "UNKNOWN_EXCEPTION"),
        ("expire_token=1", 401, "INVALID_SESSION_ID"),
        ("lock_row=1", 400, "UNABLE_TO_LOCK_ROW"),
    ],
)
async def test_disturbances_in_the_vendors_words(house: House, faults: str, status: int, code: str) -> None:
    house.box.set_faults(faults)
    assert await house.refused("POST", "/sobjects/Account", json={"Name": "A"}) == (status, code)
    house.box.set_faults("none")
    assert house.effects() == []


async def test_a_write_may_be_applied_although_it_was_answered_500(house: House) -> None:
    house.box.set_faults("fail_after=1")
    path = f"/sobjects/Account/{KEY}/a"
    assert (await house.call("PATCH", path, json={"Name": "A"})).status_code == 500
    house.box.set_faults("none")
    assert (await house.call("PATCH", path, json={"Name": "A"})).json()["created"] is False
    assert house.effects("create") == [("create", "Account", "a")]


async def test_outages_are_json_xml_or_silence(house: House) -> None:
    house.box.set_outage("salesforce", on=True, mode="503")
    assert await house.refused("GET", "/limits") == (503, "SERVER_UNAVAILABLE")
    assert "faultcode" in (await house.http.post("/services/Soap/u/64.0")).text
    house.box.set_outage("salesforce", on=True)
    with pytest.raises(httpx.TransportError):
        await house.call("GET", "/limits")


async def test_jobs_fail_by_chance_when_asked_to(house: House) -> None:
    house.box.set_faults("job_fail=1")
    job = await house.ingest("LastName\n" + "Doe\n" * 1000)
    assert job["state"] == "Failed"


async def test_locks_held_by_others_pass(house: House) -> None:
    id_ = await house.create("Account", Name="A")
    await house.act(op="hold", id=id_, times=1)
    reply = await house.call("PATCH", f"/sobjects/Account/{id_}", json={"Site": "x"})
    assert reply.json() == [{"message": f"unable to obtain exclusive access to this record or 1 records: {id_}",
                             "errorCode": "UNABLE_TO_LOCK_ROW", "fields": []}]  # fmt: skip
    assert (await house.call("PATCH", f"/sobjects/Account/{id_}", json={"Site": "x"})).status_code == 204


async def test_the_admin_sees_everything(house: House) -> None:
    id_ = await house.act(op="create", object="Contact", values={"LastName": "Doe", KEY: "k"})
    (row,) = (await house.admin.get("/_sandbox/salesforce/dump", params={"object": "Contact"})).json()["Contact"]
    assert (row["Id"], row["LastName"], row["IsDeleted"]) == (id_, "Doe", False)
    state = (await house.admin.get("/_sandbox/state")).json()["vendors"]["salesforce"]
    assert (state["objects"]["Contact"], state["objects"]["User"]) == (1, 3)
    (effect,) = (await house.admin.get("/_sandbox/ledger")).json()["effects"]
    assert (effect["actor"], effect["key"], effect["values"]["LastName"]) == ("human", "k", "Doe")
    assert (await house.act(op="get", object="Contact", id=id_))["LastName"] == "Doe"
    bad = await house.admin.post("/_sandbox/salesforce/act", json={"op": "dance"})
    assert (bad.status_code, "there are create" in bad.text) == (400, True)
    bad = await house.admin.post("/_sandbox/salesforce/act", json={"op": "limits", "settings": {"moons": 1}})
    assert (bad.status_code, "no setting moons" in bad.text) == (400, True)


async def test_only_five_objects_are_captured_without_an_add_on(house: House) -> None:
    with pytest.raises(ActError, match="at most 5"):
        house.vendor.select(["Account", "Contact", "Lead", "Opportunity", "Order", "Case"])
    with pytest.raises(ActError, match="cannot be selected"):
        house.vendor.select(["PermissionSet"])


async def test_an_org_of_another_edition_with_several_currencies() -> None:
    box = Sandbox(clock=ManualClock())
    profile = Profile(edition="Developer", currencies=("EUR", "USD"))
    vendor = box.add(SalesforceSandbox, profile=profile, provisioned=False, captured=("Account",))
    assert (vendor.limits.settings.daily_calls, vendor.limits.settings.long_calls) == (15_000, 5)
    row = vendor.people.create("Account", {"Name": "A"})
    assert row.values["CurrencyIsoCode"] == "EUR"
    assert KEY not in vendor.org.schema.kinds["Account"].fields
    async with box:
        assert set(vendor.endpoints()) == {"https", "pubsub", "pubsub_tls", "ca"}
    assert vendor.endpoints() == {}


def test_the_command_starts_it_when_asked_and_gives_its_doors_ports_in_order() -> None:
    assert "salesforce" in SandboxOptions().vendors
    box = assemble(SandboxOptions(port=20_000, vendors=("salesforce",)))
    vendor: Any = box.vendors["salesforce"]
    assert (box.url("salesforce"), vendor._ports) == ("http://127.0.0.1:20001", (20_002, 20_003, 20_004))


async def test_the_same_seed_makes_the_same_org() -> None:
    async def story() -> list[Any]:
        box = Sandbox(seed=3, clock=ManualClock())
        vendor = box.add(SalesforceSandbox)
        vendor.people.create("Contact", {"LastName": "Doe"})
        return [vendor.stream._events[0].id, vendor.org.id, [row.id for row in box.ledger.after(0)]]

    assert await story() == await story()
