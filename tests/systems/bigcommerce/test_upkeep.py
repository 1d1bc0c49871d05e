"""What is looked after: webhooks, attributes, and what the doctor tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from syncd.model.change import ChangeKind, Channel, Lane
from syncd.model.delivery import Action
from syncd.runtime.secret import Secret
from syncd.sandbox.bigcommerce import LimitSettings
from syncd.systems.bigcommerce.settings import Settings, SettingsError
from syncd.systems.contract import UNKNOWN, Finding, Severity, System, WebhookSource

from .support import CARTS, COMPANIES, CUSTOMERS, HOOK, ORDERS, Shop, polled, update

ALL = [CUSTOMERS, CARTS, ORDERS, COMPANIES]


def codes(findings: Sequence[Finding], severity: Severity | None = None) -> set[str]:
    return {one.code for one in findings if severity in (None, one.severity)}


def hooks(shop: Shop) -> dict[str, dict[str, object]]:
    return {row["scope"]: row for row in shop.account.store.hooks.rows()}


async def test_the_system_is_what_the_engine_asks_for(shop: Shop) -> None:
    system = await shop.connect()
    as_system: System = system
    assert isinstance(system, WebhookSource)
    for object_ in ("customers", "carts", "orders", "companies", "users"):
        assert ChangeKind.DELETED in as_system.abilities(object_).tells[Channel.WEBHOOK]
        assert as_system.abilities(object_).polled()
    assert as_system.abilities("nothing-of-theirs") == UNKNOWN
    deaf = await shop.connect(webhook_url="")
    assert set(deaf.abilities("customers").tells) == {Channel.POLL}
    await system.close()
    await system.close()


async def test_provision_says_what_is_missing_makes_it_and_then_finds_nothing(shop: Shop) -> None:
    system = await shop.connect()
    found = await system.provision(ALL, apply=False)
    assert codes(found) == {"attribute-missing", "webhook-missing"}
    assert not hooks(shop)
    done = await system.provision(ALL, apply=True)
    assert all(one.applied and one.severity is Severity.OK for one in done)
    assert set(hooks(shop)) == {"store/customer/*", "store/cart/*", "store/order/*", "store/company/*"}
    assert all(row["destination"] == HOOK for row in hooks(shop).values())
    assert await system.provision(ALL, apply=True) == []


async def test_polls_make_our_webhooks_wake_them_mend_their_secret_and_remove_doubles(shop: Shop) -> None:
    system = await shop.connect()
    _, cursor = await polled(system, CUSTOMERS, None)
    (hook,) = hooks(shop).values()
    assert (hook["is_active"], hook["headers"]) == (True, {"X-Syncd-Key": "s3cret"})
    store = shop.account.store
    store.hooks.put({**hook, "is_active": False})
    store.hooks.put({**hook, "id": store.hooks.new_id()})
    await polled(system, CUSTOMERS, cursor)
    assert len(store.hooks) == 2  # not yet time
    await shop.clock.advance(601)
    await polled(system, CUSTOMERS, cursor)
    assert [row["is_active"] for row in store.hooks.rows()] == [True]
    rotated = await shop.connect(webhook_secrets=(Secret("newer"), Secret("s3cret")))
    await polled(rotated, CUSTOMERS, cursor)
    assert hooks(shop)["store/customer/*"]["headers"] == {"X-Syncd-Key": "newer"}


async def test_webhooks_of_others_and_orphans_of_another_client_are_left_alone(shop: Shop) -> None:
    system = await shop.connect()
    await polled(system, CUSTOMERS, None)
    await shop.act(op="reissue", account="syncd", client_id="another")
    await shop.clock.advance(601)
    await polled(system, CUSTOMERS, None)
    assert sorted(row["client_id"] for row in shop.account.store.hooks.rows()) == ["another", "syncd-client"]


async def test_a_vendor_that_will_not_talk_of_webhooks_does_not_stop_the_poll(shop: Shop) -> None:
    await shop.customer()
    system = await shop.connect(webhook_url="https://sync.example.com:8443/x")
    found, _ = await polled(system, CUSTOMERS, None)
    assert len(found) >= 1
    assert not hooks(shop)


async def test_the_doctor_finds_a_healthy_store_healthy(shop: Shop) -> None:
    system = await shop.prepared()
    await system.provision(ALL, apply=True)
    found = await system.check(ALL)
    assert codes(found, Severity.ERROR) == set()
    assert codes(found) == {"reachable", "clock", "readable", "groups"}


async def test_the_doctor_names_scopes_the_dead_token_another_store_and_what_is_missing(shop: Shop) -> None:
    system = await shop.connect()
    await shop.act(op="narrow", account="syncd", scopes=["store_v2_customers", "store_v2_information"])
    found = await system.check(ALL)
    assert {one.subject for one in found if one.code == "scope-missing"} == {
        "shop.carts",
        "shop.orders",
        "shop.companies",
        "shop.extra_fields",
    }
    assert {"attribute-missing", "webhook-missing", "groups-missing"} <= codes(found)
    await shop.act(op="revoke", account="syncd")
    assert codes(await system.check(ALL), Severity.ERROR) == {"credential-refused"}
    deaf = await shop.connect(webhook_secrets=())
    await shop.act(op="restore", account="syncd")
    assert "webhook-secret-missing" in codes(await deaf.check(ALL), Severity.ERROR)
    lost = await shop.connect(store_hash="other")
    assert "not-found" in codes(await lost.check(ALL), Severity.ERROR)


async def test_an_attribute_of_another_type_is_told_and_a_full_store_refused(shop: Shop) -> None:
    await shop.act(op="seed", attributes=[{"name": "credit_limit", "type": "number"}])
    system = await shop.connect()
    assert "attribute-type-differs" in codes(await system.provision([CUSTOMERS], apply=False))
    await shop.act(op="seed", attributes=[{"name": f"n{n}", "type": "string"} for n in range(48)])
    assert "attributes-full" in codes(await system.provision([CUSTOMERS], apply=True), Severity.ERROR)


async def test_what_can_never_be_written_is_told_before_it_is_tried(shop: Shop) -> None:
    system = await shop.prepared()
    wrong = [replace(ORDERS, write=frozenset({Action.CREATE})), replace(CUSTOMERS, object="fruit")]
    assert {"not-writable", "unknown-object"} <= codes(await system.check(wrong), Severity.ERROR)


async def test_calls_are_paid_by_the_window_they_fall_into(shop: Shop) -> None:
    system = await shop.prepared()
    number = await shop.customer()
    held = (await system.read(CUSTOMERS, [str(number)], Lane.LIVE)).found[str(number)]
    shop.payer.paid.clear()
    await system.write(CUSTOMERS, [update(held, {"phone": "+1", "credit_limit": None})], Lane.LIVE)
    await polled(system, COMPANIES, None)
    assert [one.kind for one in shop.payer.paid].count("customer_write") == 1
    assert {one.kind for one in shop.payer.paid} == {"api", "customer_write", "b2b"}
    shop.account.limits.settings = LimitSettings()
    await system.read(CUSTOMERS, ["1"], Lane.LIVE)
    assert shop.payer.seen[-1][2]["x-rate-limit-requests-quota"] == "150"


@pytest.mark.parametrize(
    "changes",
    [
        {"api_url": "http://api.example.com"}, {"b2b_url": "ftp://x"}, {"store_hash": ""}, {"store_hash": "a/b"},
        {"page_limit": 251}, {"concurrency": 0},
    ],
)  # fmt: skip
def test_settings_that_can_never_work_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        Settings(**{"connection": "shop", "store_hash": "abc", "access_token": Secret("t"), **changes})  # type: ignore[arg-type]


def test_secrets_do_not_show() -> None:
    given = Settings(
        "shop", "abc", Secret("hush-token"), client_secret=Secret("hush"), webhook_secrets=(Secret("hush"),)
    )
    assert "hush" not in repr(given)


async def test_extra_fields_and_metafields_that_cannot_be_are_named(shop: Shop) -> None:
    system = await shop.prepared()
    await shop.act(op="extra_field", kind="companies", name="erp_number", values={"isRequired": True})
    field = COMPANIES.fields[0]
    wished = replace(COMPANIES, fields=(field, replace(field, field="tier", paths=("extra_fields.rating",))))
    deep = replace(CUSTOMERS, fields=(replace(field, field="first_name", paths=("metafields.crm",)),))
    none = replace(COMPANIES, fields=(replace(field, paths=("metafields.crm.note",)),))
    found = await system.check([wished, deep])
    told = {one.code: one.subject for one in found if one.code.startswith("extra-field")}
    assert told == {
        "extra-field-missing": "shop.companies.extra_fields.rating",
        "extra-field-needed": "shop.companies.extra_fields.erp_number",
    }
    assert "not-readable" in codes(found, Severity.ERROR)
    assert "not-readable" in codes(await system.check([none]), Severity.ERROR)
