"""Which credential can do what: said by the check in words, with what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.mapping import Capture
from syncd.runtime.clock import ManualClock
from syncd.runtime.secret import Secret
from syncd.sandbox.hubspot.api_webhooks import DEVELOPER_KEY
from syncd.sandbox.hubspot.simulator import APP, OAUTH_APP
from syncd.sandbox.hubspot.tokens import ALL_SCOPES
from syncd.systems.contract import Finding, Severity, VendorError
from syncd.systems.hubspot.hooks import Hook, compare, wanted_of
from syncd.systems.hubspot.journal_pages import SCOPES
from syncd.systems.hubspot.rights import needs_of
from syncd.systems.hubspot.settings import AppGrant, OAuthGrant

from .kit import CONTACTS, DEALS
from .test_against_sandbox import Account, opened

MAPPINGS = [CONTACTS, DEALS]
URL = "https://h.example/v1/webhooks/crm"


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with opened(ManualClock()) as one:
        yield one


async def checked(account: Account, mappings=MAPPINGS, **more) -> dict[str, list[Finding]]:
    hubspot = await account.connect(**more)
    found: dict[str, list[Finding]] = {}
    for one in await hubspot.check(mappings):
        found.setdefault(one.code, []).append(one)
    return found


def grant(account: Account, **more) -> dict[str, object]:
    told = {"client_id": OAUTH_APP.client_id, "client_secret": Secret(OAUTH_APP.client_secret),
            "refresh_token": Secret(account.vendor.refresh_token)} | more  # fmt: skip
    return {"access_token": None, "oauth": OAuthGrant(**told)}


async def test_a_private_apps_token_says_its_scopes_and_what_lacks_is_named_with_a_remedy(account):
    found = await checked(account)
    assert "private app" in found["credential"][0].message
    assert "scope-missing" not in found
    lacking = {"crm.objects.contacts.write", "crm.import"}
    account.vendor.tokens.add_static("pat-eu1-poor", APP, ALL_SCOPES - lacking)
    found = await checked(account, access_token=Secret("pat-eu1-poor"))
    told = {one.subject: one for one in found["scope-missing"]}
    assert told["crm.contacts"].severity is Severity.ERROR
    assert "crm.objects.contacts.write, which writing contacts needs" in told["crm.contacts"].message
    assert "grant it" in told["crm.contacts"].remedy
    assert (told["crm.imports"].severity, "batches" in told["crm.imports"].message) == (Severity.WARNING, True)


async def test_a_service_key_does_not_say_and_that_is_said(account):
    account.vendor.tokens.add_static("pat-eu1-key", APP, ALL_SCOPES, tells=False)
    found = await checked(account, access_token=Secret("pat-eu1-key"))
    assert "service key or project app" in found["credential"][0].message
    assert found["scopes-unknown"][0].severity is Severity.OK
    assert "service key cannot receive webhooks" in found["webhook-secret-missing"][0].remedy


async def test_an_oauth_app_says_its_scopes_and_its_grant_may_be_gone(account):
    found = await checked(account, **grant(account))
    assert f"OAuth app {OAUTH_APP.id}" in found["credential"][0].message
    assert "scope-missing" not in found
    for change, code in (
        ({"refresh_token": Secret("none")}, "BAD_REFRESH_TOKEN"),
        ({"client_secret": Secret("none")}, "BAD_CLIENT_SECRET"),
        ({"client_id": "none"}, "BAD_CLIENT_ID"),
    ):
        found = await checked(account, **grant(account, **change))
        [told] = [one for ones in found.values() for one in ones]
        assert (told.severity, code in told.message) == (Severity.ERROR, True)
        hubspot = await account.connect(**grant(account, **change))
        with pytest.raises(VendorError) as error:
            await hubspot.read(CONTACTS, ["1"], Lane.LIVE)
        assert error.value.failure.remedy is Remedy.STOP


async def test_the_journal_is_checked_provisioned_and_rid_of_what_is_left_over(account):
    mappings = [replace(one, capture=Capture(stream=True)) for one in MAPPINGS]
    app = AppGrant(OAUTH_APP.client_id, Secret(OAUTH_APP.client_secret), SCOPES)
    hubspot = await account.ready(journal=app)
    found = [one for one in await hubspot.check(mappings) if one.code.startswith("journal")]
    assert {one.code for one in found} == {"journal-subscription-missing"}
    made = [one for one in await hubspot.provision(mappings, apply=True) if one.code.startswith("journal")]
    assert all(one.applied for one in made)
    assert not await hubspot.provision(mappings, apply=True)
    assert [one.message for one in await hubspot.check(mappings) if one.code == "journal"] == ["4 subscriptions stand"]
    [fewer] = (await hubspot.provision(mappings[1:], apply=False),)
    assert {one.code for one in fewer} == {"journal-subscription-left"}
    await hubspot.provision(mappings[1:], apply=True)
    assert {one.type_id for one in account.vendor.journal.subscriptions.values()} == {"0-3"}
    bad = await account.connect(journal=replace(app, client_secret=Secret("none")))
    [told] = [one for one in await bad.check(mappings) if one.code.startswith("journal")]
    assert (told.code, told.severity, "service key" in told.remedy) == ("journal-refused", Severity.ERROR, True)


async def test_webhook_subscriptions_are_looked_at_where_they_can_be_and_named_where_not(account):
    hooked = {"webhook_secrets": (Secret("x"),), "public_url": URL}
    mapping = replace(CONTACTS, fields=CONTACTS.fields[:1])
    unseen = (await checked(account, [mapping], **hooked))["webhooks-unseen"][0]
    assert unseen.severity is Severity.OK
    assert "contact.privacyDeletion" in unseen.message
    assert "contact.propertyChange (email)" in unseen.message
    visible = {"app_id": APP.id, "developer_key": Secret(DEVELOPER_KEY)} | hooked
    subscriptions = ["contact.creation", "contact.deletion", "contact.merge", "object.restore@0-1",
                     "contact.privacyDeletion", "contact.propertyChange:email"]  # fmt: skip
    account.vendor.set_webhooks({"target_url": URL, "subscriptions": subscriptions})
    found = await checked(account, [mapping], **visible)
    assert [one.code for ones in found.values() for one in ones if one.code.startswith("webhook")] == ["webhooks"]
    await account.vendor.act({"op": "disable_webhook", "type": "contact.merge"})
    account.vendor.set_webhooks({"target_url": "https://elsewhere.example/", "parallel": 20})
    found = await checked(account, [mapping], **visible)
    assert "contact.merge" in found["webhook-disabled"][0].message
    assert "elsewhere" in found["webhook-target-wrong"][0].message
    assert (
        "developer_key"
        in (await checked(account, [mapping], **{**visible, "developer_key": Secret("no")}))["webhooks-unseen"][
            0
        ].remedy
    )


# -- pure


def test_what_the_mappings_ask_of_a_credential():
    needs = {one.any_of: one for one in needs_of(MAPPINGS, graphql=True)}
    assert ("crm.objects.line_items.write", "e-commerce") in needs
    assert needs["collector.graphql_query.execute",].optional
    assert ("crm.objects.custom.read",) in {one.any_of for one in needs_of([replace(CONTACTS, object="2-77")])}
    reading = [replace(CONTACTS, write=frozenset())]
    assert [one.any_of for one in needs_of(reading)] == [("crm.objects.contacts.read",)]


def test_custom_objects_are_asked_for_by_type_id():
    hooks = wanted_of(replace(CONTACTS, object="2-77"))
    assert Hook("2-77", "creation") in hooks
    assert Hook("2-77", "creation").text() == "object.creation of 2-77"
    assert not any(one.what == "privacyDeletion" for one in hooks)
    told = [{"eventType": f"object.{one.what}", "objectTypeId": "2-77", "propertyName": one.name or None, "active": True}
            for one in hooks]  # fmt: skip
    assert [one.code for one in compare(hooks, told, URL, URL + "/", "crm")] == ["webhooks"]
