"""Provisioning and checking: what is missing is named, made on request, and found again by id or by label."""

import pytest

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.lens import Choice, Stringly
from syncd.model.mapping import FieldMapping, ObjectMapping
from syncd.model.value import FieldType
from syncd.runtime.clock import ManualClock, World
from syncd.systems.contract import Severity, Write
from syncd.systems.hubspot.pipelines import Aliases, Wanted, named, resolve, slug, wanted
from syncd.systems.hubspot.provision import needs_of
from syncd.systems.hubspot.system import HubSpot

from .kit import CONTACTS, DEALS, KEY, Books, Vendor, envelope, obj, reply, served, settings, text

NATIVE = {
    "contacts": ["email", "firstname", "lastname", "phone", "company"],
    "deals": ["dealname", "amount", "deal_currency_code", "dealstage", "pipeline", "description"],
    "line_items": ["name", "quantity", "hs_sku", "price", "hs_line_item_currency_code"],
}


class Portal:
    """An account's schema. ``own_ids`` makes it refuse ids that were chosen for it."""

    def __init__(self, own_ids=False):
        self.properties = {name: {one: {"name": one} for one in names} for name, names in NATIVE.items()}
        self.groups = {name: set() for name in NATIVE}
        self.pipelines = [{"id": "default", "label": "Sales Pipeline", "stages": [
            {"id": "appointmentscheduled", "label": "Appointment Scheduled"}]}]  # fmt: skip
        self.own_ids = own_ids
        self.scopes = True
        self.written = []
        self.calls = 0
        self.number = 4711

    def answer(self, asked):
        self.calls += 1
        parts = asked.path.strip("/").split("/")
        if parts[0] == "account-info":
            return reply(
                200, {"portalId": 77, "accountType": "STANDARD", "timeZone": "Europe/Berlin", "companyCurrency": "EUR"}
            )
        if parts[0] == "oauth":
            return reply(404, {"category": "OBJECT_NOT_FOUND", "message": "no private app has this token"})
        if parts[-1] == "labels":
            return reply(200, {"results": [{"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}]})
        if parts[1] == "objects" or parts[2] == "objects":
            return self.objects(asked, parts)
        if not self.scopes and asked.path.endswith("/deals"):
            context = {"requiredGranularScopes": ["crm.schemas.deals.read"]}
            return reply(
                403, {"category": "MISSING_SCOPES", "message": "no", "errors": [{"message": "x", "context": context}]}
            )
        object_ = parts[3]
        if parts[1] == "pipelines":
            return self.pipeline(asked, parts)
        if parts[-1] == "groups":
            if asked.method == "POST":
                self.groups[object_].add(asked.body["name"])
                return reply(201, asked.body)
            return reply(200, {"results": [{"name": one} for one in self.groups[object_]]})
        if asked.method == "POST":
            assert asked.body["groupName"] in self.groups[object_]
            self.properties[object_][asked.body["name"]] = asked.body
            return reply(201, asked.body)
        return reply(200, {"results": list(self.properties[object_].values())})

    def objects(self, asked, parts):
        if asked.method == "POST":
            self.written += asked.body["inputs"]
            return reply(200, envelope([obj("1", one["properties"], objectWriteTraceId=one.get("objectWriteTraceId"))
                                        for one in asked.body["inputs"]]))  # fmt: skip
        return reply(200, {"results": []})

    def pipeline(self, asked, parts):
        if asked.method == "GET":
            return reply(200, {"results": self.pipelines})
        if self.own_ids and ("pipelineId" in asked.body or "stageId" in asked.body):
            return reply(400, {"category": "VALIDATION_ERROR", "message": "ids are ours to choose"})
        if len(parts) > 4:
            stages = next(one for one in self.pipelines if one["id"] == parts[4])["stages"]
            stages.append(self.made(asked.body, "stageId"))
            return reply(201, stages[-1])
        stages = [self.made(one, "stageId") for one in asked.body["stages"]]
        self.pipelines.append(self.made(asked.body, "pipelineId") | {"stages": stages})
        return reply(201, self.pipelines[-1])

    def made(self, body, name):
        self.number += 1
        return {"id": body.get(name) or str(self.number), "label": body["label"], "metadata": body.get("metadata")}


async def connected(portal, work, date="Mon, 02 Nov 2026 08:00:00 GMT", **more):
    vendor = Vendor(portal.answer, date=date)
    with served(vendor) as url:
        hubspot = HubSpot(settings(base_url=url, **more), Books(), World(ManualClock()))
        await hubspot.open()
        try:
            return await work(hubspot)
        finally:
            await hubspot.close()


MAPPINGS = [CONTACTS, DEALS]


async def test_a_dry_run_names_what_is_missing_and_makes_nothing():
    portal = Portal()
    findings = await connected(portal, lambda hubspot: hubspot.provision(MAPPINGS, apply=False))
    told = {one.subject for one in findings}
    assert {"crm.contacts.syncd_external_id", "crm.deals.syncd_external_id", "crm.line_items.syncd_external_id",
            "crm.contacts.credit_limit", "crm.deals.ecommerce_pipeline"} <= told  # fmt: skip
    assert {one.severity for one in findings} == {Severity.WARNING}
    assert not any(one.applied for one in findings)
    assert KEY not in portal.properties["contacts"]


@pytest.mark.parametrize("own_ids", [False, True])
async def test_applying_makes_it_once_and_the_check_is_content(own_ids):
    portal = Portal(own_ids)
    findings = await connected(portal, lambda hubspot: hubspot.provision(MAPPINGS, apply=True))
    assert all(one.applied and one.severity is Severity.OK for one in findings)
    for object_ in ("contacts", "deals", "line_items"):
        assert portal.properties[object_][KEY]["hasUniqueValue"] is True
    made = portal.properties["contacts"]
    assert (made["credit_limit"]["type"], made["credit_limit_currency"]["type"]) == ("number", "string")
    pipeline = portal.pipelines[1]
    assert [one["label"] for one in pipeline["stages"]] == ["Abandoned checkout", "Won", "Lost"]
    assert [one["metadata"] for one in pipeline["stages"]][1:] == [
        {"probability": "1.0", "isClosed": "true"}, {"probability": "0.0", "isClosed": "true"},
    ]  # fmt: skip
    if not own_ids:
        assert [pipeline["id"], *(one["id"] for one in pipeline["stages"])] == [
            "ecommerce_pipeline",
            "abandoned_checkout",
            "won",
            "lost",
        ]
    assert not await connected(portal, lambda hubspot: hubspot.provision(MAPPINGS, apply=True))
    checked = await connected(portal, lambda hubspot: hubspot.check([DEALS]))
    assert {one.severity for one in checked} == {Severity.OK}


async def test_names_become_ids_on_the_way_out_and_names_again_on_the_way_in():
    portal = Portal(own_ids=True)
    await connected(portal, lambda hubspot: hubspot.provision(MAPPINGS, apply=True))
    pipeline = portal.pipelines[1]
    values = {"pipeline": "ecommerce_pipeline", "dealstage": "won", "dealname": "Abandoned Cart: a@b.c"}
    write = Write("cart-1", Action.CREATE, values)
    verdicts = await connected(portal, lambda hubspot: hubspot.write(DEALS, [write], Lane.LIVE))
    sent = portal.written[0]["properties"]
    assert (sent["pipeline"], sent["dealstage"]) == (pipeline["id"], pipeline["stages"][1]["id"])
    assert verdicts[0].snapshot.data["dealstage"] == "won"
    assert verdicts[0].snapshot.data["pipeline"] == "ecommerce_pipeline"


async def test_the_pipelines_are_asked_for_once():
    portal = Portal()
    await connected(portal, lambda hubspot: hubspot.provision(MAPPINGS, apply=True))
    before = portal.calls

    async def work(hubspot):
        for n in range(5):
            await hubspot.write(DEALS, [Write(f"cart-{n}", Action.CREATE, {"dealname": "x"})], Lane.LIVE)

    await connected(portal, work)
    assert portal.calls - before == 6


async def test_a_stage_that_is_missing_in_a_pipeline_that_is_there_is_added():
    portal = Portal()
    portal.pipelines.append({"id": "99", "label": "Ecommerce Pipeline", "stages": [{"id": "1", "label": "WON"}]})
    findings = await connected(portal, lambda hubspot: hubspot.provision([DEALS], apply=True))
    assert {one.code for one in findings if "99" in one.subject} == {"stage-created"}
    assert [one["label"] for one in portal.pipelines[1]["stages"]] == ["WON", "Abandoned checkout", "Lost"]


async def test_a_key_property_without_unique_values_cannot_be_mended():
    portal = Portal()
    portal.properties["contacts"][KEY] = {"name": KEY, "hasUniqueValue": False}
    findings = await connected(portal, lambda hubspot: hubspot.provision([CONTACTS], apply=True))
    assert [one.code for one in findings if one.severity is Severity.ERROR] == ["unique-impossible"]
    checked = await connected(portal, lambda hubspot: hubspot.check([CONTACTS]), webhook_secrets=())
    assert "property-not-unique" in {one.code for one in checked}


async def test_the_check_names_missing_and_read_only_properties_and_missing_stages():
    portal = Portal()
    portal.properties["contacts"]["phone"]["modificationMetadata"] = {"readOnlyValue": True}
    portal.properties["contacts"]["company"]["calculated"] = True
    codes = {(one.code, one.subject) for one in await connected(portal, lambda hubspot: hubspot.check(MAPPINGS))}
    assert {
        ("account", "crm.account"), ("property-missing", "crm.contacts.syncd_external_id"),
        ("property-read-only", "crm.contacts.phone"), ("property-read-only", "crm.contacts.company"),
        ("pipeline-missing", "crm.deals.ecommerce_pipeline"), ("stage-missing", "crm.deals.won"),
        ("webhook-secret-missing", "crm.webhooks"), ("public-url-missing", "crm.webhooks"),
    } <= codes  # fmt: skip


async def test_scopes_that_are_missing_are_named():
    portal = Portal()
    portal.scopes = False
    findings = await connected(portal, lambda hubspot: hubspot.check([DEALS]))
    [finding] = [one for one in findings if one.code == "scope-missing" and one.subject == "crm.deals"]
    assert "crm.schemas.deals.read" in finding.message


async def test_a_credential_of_another_account_is_found_out():
    findings = await connected(Portal(), lambda hubspot: hubspot.check([]), portal_id=1)
    assert "wrong-account" in {one.code for one in findings}


async def test_nothing_there_is_one_finding_and_no_exception():
    hubspot = HubSpot(settings(base_url="http://127.0.0.1:1"), Books(), World(ManualClock()))
    await hubspot.open()
    assert [one.code for one in await hubspot.check(MAPPINGS)] == ["unreachable"]
    assert {one.code for one in await hubspot.provision(MAPPINGS, apply=True)} == {"unreachable"}
    await hubspot.close()


async def test_a_spent_budget_ends_check_and_provision_with_a_warning():
    for work in (lambda hubspot: hubspot.check(MAPPINGS), lambda hubspot: hubspot.provision(MAPPINGS, apply=True)):
        hubspot = HubSpot(settings(base_url="http://127.0.0.1:1"), Books(left=0), World(ManualClock()))
        assert [one.code for one in await work(hubspot)] == ["budget-spent"]
        await hubspot.close()


@pytest.mark.parametrize(
    ("time", "code", "severity"),
    [
        ("08:00:05", "clock", Severity.OK),
        ("08:01:00", "clock-skew", Severity.WARNING),
        ("07:50:00", "clock-skew", Severity.ERROR),
    ],
)
async def test_a_clock_that_is_off_is_found_by_the_date_header(time, code, severity):
    date = f"Mon, 02 Nov 2026 {time} GMT"
    findings = await connected(Portal(), lambda hubspot: hubspot.check([]), date)
    assert (code, severity) in {(one.code, one.severity) for one in findings}


def test_types_follow_the_lens():
    mapping = ObjectMapping(
        "x", "crm", "contacts",
        (
            text("a", "a", FieldType.INTEGER), text("b", "b", FieldType.BOOLEAN), text("c", "c", FieldType.DATE),
            text("d", "d", FieldType.INSTANT), text("e", "e"),
            FieldMapping("f", ("f",), Choice({"gold": "GOLD", "silver": "SILVER"})),
            FieldMapping("g", ("g",), Stringly(FieldType.PHONE)),
        ),
        write=frozenset({Action.UPDATE}),
    )  # fmt: skip
    needs = {one.name: one for one in needs_of(mapping)["contacts"]}
    assert {name: (one.type, one.field_type) for name, one in needs.items()} == {
        "a": ("number", "number"), "b": ("bool", "booleancheckbox"), "c": ("date", "date"), "d": ("datetime", "date"),
        "e": ("string", "text"), "f": ("enumeration", "select"), "g": ("string", "phonenumber"),
    }  # fmt: skip
    assert needs["f"].options == (("GOLD", "Gold"), ("SILVER", "Silver"))
    assert [one["value"] for one in needs["b"].body()["options"]] == ["true", "false"]


def test_what_a_mapping_speaks_of():
    assert wanted(CONTACTS) is None
    assert wanted(DEALS) == Wanted(
        "pipeline", "dealstage", ("ecommerce_pipeline",), ("abandoned_checkout", "won", "lost")
    )


def test_ids_speak_before_labels_and_labels_before_slugs():
    things = [{"id": "9", "label": "Won"}, {"id": "won", "label": "x"}, {"id": "a", "label": "b", "archived": True}]
    assert named(things, "won")["id"] == "won"
    assert named(things, "Won")["id"] == "9"
    assert named(things[:1], "won")["id"] == "9"
    assert named(things, "a") is None
    assert slug("Abandoned checkout") == "abandoned_checkout"


def test_what_is_not_known_passes_unchanged_both_ways():
    want = Wanted("pipeline", "dealstage", ("shop",), ("won", "lost"))
    aliases = resolve(want, [{"id": "5", "label": "Shop", "stages": [{"id": "51", "label": "Won"}]}])
    assert aliases == Aliases({"pipeline": {"shop": "5"}, "dealstage": {"won": "51"}}, ("lost",))
    assert aliases.to_wire("dealstage", "frozen") == "frozen"
    assert aliases.to_wire("dealstage", None) is None
    assert aliases.from_wire({"dealstage": "51", "pipeline": "6", "amount": ""}) == {
        "dealstage": "won",
        "pipeline": "6",
        "amount": None,
    }
