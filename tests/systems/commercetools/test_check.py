"""The doctor and the provisioner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import httpx

from syncd.model.lens import Plain
from syncd.model.mapping import FieldMapping
from syncd.model.value import FieldType
from syncd.systems.commercetools.check import path_findings, scope_findings
from syncd.systems.commercetools.fields import custom_fields
from syncd.systems.contract import Finding, Severity

from .support import CARTS, CUSTOMERS, TOKEN, ScriptedVendor, body, error, page, system_on, world

NOW = formatdate(world().clock.now_ms() / 1000, usegmt=True)
FIELDS = [
    {"name": "phone", "type": {"name": "String"}},
    {"name": "creditLimit", "type": {"name": "Money"}},
]
TYPE = {"id": "t-1", "version": 2, "key": "syncd-customer", "resourceTypeIds": ["customer"], "fieldDefinitions": FIELDS}
GROUPS = [{"id": "g", "name": "Gold", "key": "gold"}]


def project(
    types: list[dict[str, Any]] | None = None,
    groups: list[dict[str, Any]] | None = None,
    date: str = NOW,
    write: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(201, json={"id": "t-9"}),
) -> ScriptedVendor:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return write(request)
        rows = {"types": [TYPE] if types is None else types, "customer-groups": GROUPS if groups is None else groups}
        reply = page(*rows.get(request.url.path.rpartition("/")[2], []))
        reply.headers["date"] = date
        return reply

    return ScriptedVendor(handler)


async def check(vendor: ScriptedVendor) -> list[Finding]:
    system = system_on(vendor)
    await system.open()
    found = await system.check([CUSTOMERS, CARTS])
    await system.close()
    return list(found)


async def provision(vendor: ScriptedVendor, *, apply: bool) -> list[Finding]:
    system = system_on(vendor)
    await system.open()
    found = await system.provision([CUSTOMERS, CARTS], apply=apply)
    await system.close()
    return list(found)


def codes(findings: list[Finding], severity: Severity) -> list[str]:
    return [one.code for one in findings if one.severity is severity]


async def test_a_healthy_project_has_only_good_findings() -> None:
    found = await check(project())
    assert {one.severity for one in found} == {Severity.OK}
    assert codes(found, Severity.OK) == [
        "credential", "scopes", "reachable", "reachable", "clock-skew", "deletions", "types", "groups",
    ]  # fmt: skip


async def test_refused_credentials_are_the_only_finding() -> None:
    vendor = project()
    vendor.token_reply = lambda _: error(401, "invalid_client")
    (found,) = await check(vendor)
    assert (found.severity, found.code) == (Severity.ERROR, "credential-refused")
    vendor.token_reply = lambda _: httpx.Response(502, text="<html>")
    (found,) = await check(vendor)
    assert (found.severity, found.code) == (Severity.ERROR, "unreachable")


async def test_an_outage_is_told_per_object() -> None:
    found = await check(ScriptedVendor(lambda _: error(503, "OverCapacity")))
    assert codes(found, Severity.ERROR) == ["unreachable", "unreachable"]


async def test_a_clock_that_is_off_is_a_warning() -> None:
    found = await check(project(date="Mon, 02 Nov 2026 09:00:00 GMT"))
    assert codes(found, Severity.WARNING) == ["clock-skew"]
    assert "3600 s behind" in next(one.message for one in found if one.code == "clock-skew")


def test_scopes_of_the_token_are_held_against_what_is_mapped() -> None:
    def missing(*granted: str) -> list[str]:
        found = scope_findings("shop", "acme", frozenset(granted), [CUSTOMERS, CARTS])
        return [one.message.rpartition(" ")[2] for one in found if one.code == "scope-missing"]

    every = ["manage_customers:acme", "view_orders:acme", "view_customer_groups:acme", "view_types:acme"]
    assert missing(*every) == []
    assert missing("manage_project:acme") == []
    assert missing(*every[1:]) == ["manage_customers"]
    assert missing("view_customers:acme", *every[1:]) == ["manage_customers"]
    assert missing("manage_customers:acme:berlin", *every[1:]) == ["manage_customers"]
    assert missing(every[0]) == ["view_customer_groups", "view_types", "view_orders"]
    (other,) = scope_findings("shop", "acme", frozenset({"manage_project:other"}), [CUSTOMERS])
    assert other.code == "project-mismatch"
    (unknown,) = scope_findings("shop", "acme", frozenset(), [CUSTOMERS])
    assert unknown.severity is Severity.WARNING


def test_objects_and_paths_that_cannot_be_served_are_named() -> None:
    odd = replace(CUSTOMERS, fields=(FieldMapping("x", ("wishes",), Plain()),))
    found = path_findings([odd, replace(CARTS, write=CUSTOMERS.write), replace(CARTS, object="wishlists")])
    assert [one.code for one in found] == [
        "path-not-writable", "not-writable", "path-not-writable", "path-not-writable", "path-not-writable",
        "object-unknown",
    ]  # fmt: skip
    assert path_findings([CUSTOMERS, CARTS]) == []


async def test_missing_types_fields_and_group_keys_are_warned_of() -> None:
    found = await check(project(types=[], groups=[{"id": "g", "name": "Gold"}]))
    assert codes(found, Severity.WARNING) == ["type-missing", "group-without-key"]
    found = await check(project(types=[{**TYPE, "fieldDefinitions": FIELDS[:1]}], groups=[]))
    assert codes(found, Severity.WARNING) == ["field-missing", "group-missing"]


async def test_a_field_of_another_type_is_an_error() -> None:
    odd = [{"name": "phone", "type": {"name": "Number"}}, FIELDS[1]]
    found = await check(project(types=[{**TYPE, "fieldDefinitions": odd}]))
    assert codes(found, Severity.ERROR) == ["field-type-differs"]


async def test_provision_shows_first_and_makes_the_type_when_told() -> None:
    vendor = project(types=[])
    assert codes(await provision(vendor, apply=False), Severity.WARNING) == ["type-missing"]
    assert all(one.method == "GET" for one in vendor.requests)
    (made,) = await provision(vendor, apply=True)
    assert made.applied
    sent = body(vendor.requests[-1])
    assert (sent["key"], sent["resourceTypeIds"]) == ("syncd-customer", ["customer"])
    assert [(one["name"], one["type"], one["required"]) for one in sent["fieldDefinitions"]] == [
        ("phone", {"name": "String"}, False),
        ("creditLimit", {"name": "Money"}, False),
    ]


async def test_provision_adds_fields_to_every_type_that_customers_have() -> None:
    other = {"id": "t-2", "version": 7, "key": "loyalty", "resourceTypeIds": ["customer"], "fieldDefinitions": []}
    order = {"id": "t-3", "version": 1, "key": "gift", "resourceTypeIds": ["order"], "fieldDefinitions": []}
    vendor = project(types=[TYPE, other, order, {"id": "t-4", "resourceTypeIds": None}])
    (added,) = await provision(vendor, apply=True)
    assert (added.applied, added.subject) == (True, "shop.types.loyalty")
    sent = body(vendor.requests[-1])
    assert sent["version"] == 7
    assert [one["fieldDefinition"]["name"] for one in sent["actions"]] == ["phone", "creditLimit"]


async def test_what_the_vendor_refuses_to_provision_is_told_in_its_words() -> None:
    vendor = project(types=[], write=lambda _: error(403, "insufficient_scope", "needs manage_types"))
    (found,) = await provision(vendor, apply=True)
    assert (found.severity, found.applied) == (Severity.ERROR, False)
    assert "manage_types" in found.message
    denied = ScriptedVendor(lambda _: error(403, "insufficient_scope"))
    (found,) = await provision(denied, apply=False)
    assert found.code == "types-unreadable"


def test_custom_fields_have_the_type_that_their_lens_reads() -> None:
    fields = tuple(FieldMapping(kind, (f"custom.fields.{kind}",), Plain(kind)) for kind in FieldType)
    found = {one.name: one.type["name"] for one in custom_fields(replace(CUSTOMERS, fields=fields))}
    assert found["integer"] == "Number"
    assert found["instant"] == "DateTime"
    assert found["text"] == found["decimal"] == found["choice"] == "String"
    assert TOKEN["scope"] == "manage_project:acme"
