"""Associations that a mapping reads, merges, and long walks through search: against the simulated account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.model.lens import Associated, Choice
from syncd.model.mapping import Direction, FieldMapping, ObjectMapping, RelationMapping
from syncd.runtime.clock import ManualClock
from syncd.sandbox.hubspot import search as searching
from syncd.sandbox.hubspot.account import Profile
from syncd.systems.contract import RelationWrite, Severity, VendorError, Write
from syncd.systems.hubspot import capture

from .kit import CONTACTS, DEALS, KEY, text
from .test_against_sandbox import applied, contact, opened

WRITES = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
COMPANIES = ObjectMapping("company", "crm", "companies", (text("name", "name"),), key_path=KEY, write=WRITES)


def reading(mapping: ObjectMapping, *relations: RelationMapping) -> ObjectMapping:
    """The mapping, with relations that are written and read."""
    fields = [FieldMapping(f"{one.field}", (one.read_path,), Associated(), Direction.READ, one.object) for one in relations]  # fmt: skip
    return replace(mapping, fields=(*mapping.fields, *fields), relations=relations)


def held(shot, relation: RelationMapping):
    return shot.data["associations"][relation.object][relation.read_path.rpartition(".")[2]]


def company(number: int, **more) -> Write:
    return Write(f"company-{number:020x}", Action.CREATE, {"name": f"Engines {number}"}, **more)


@pytest.mark.parametrize("version", ["v3", "2026-03"])
async def test_a_sales_persons_change_of_a_company_reaches_every_way_of_reading(version):
    async with opened(ManualClock()) as account:
        hubspot = await account.ready(api_version=version)
        await hubspot.provision([COMPANIES], apply=True)
        firms = [
            one.external_id for one in (await applied(hubspot, COMPANIES, [company(n) for n in range(3)])).values()
        ]
        label = account.person("create_label", "contacts", to_object="companies", label="Pays the bill")
        works = RelationMapping("employer", "companies", 1)
        pays = RelationMapping("payer", "companies", label, category="USER_DEFINED")
        mapping = reading(CONTACTS, works, pays)
        write = contact(1, relations=(RelationWrite("companies", firms[0], 1),
                                      RelationWrite("companies", firms[1], label, category="USER_DEFINED")))  # fmt: skip
        people = await applied(hubspot, mapping, [write, contact(2)])
        [ada, other] = [people[f"customer-{n:020x}"].external_id for n in (1, 2)]
        await account.clock.advance(600)
        start = await hubspot.poll(mapping, None, Lane.SCHEDULED)
        await account.clock.advance(600)

        account.person("associate", "contacts", id=ada, to_object="companies", to=firms[2], type_id=1)

        expected = {ada: ([firms[2]], [firms[1]]), other: ([], [])}
        page = await hubspot.poll(mapping, start.cursor, Lane.SCHEDULED)
        polled = {shot.external_id: shot for shot in page.snapshots}
        assert (held(polled[ada], works), held(polled[ada], pays)) == expected[ada]
        read = (await hubspot.read(mapping, [ada, other], Lane.LIVE)).found
        found = await hubspot.find(mapping, list(people), Lane.LIVE)
        scanned = (await hubspot.scan(mapping, None, Lane.BULK)).snapshots
        for shots in (read.values(), found.values(), scanned):
            assert {shot.external_id: (held(shot, works), held(shot, pays)) for shot in shots} == expected

        gone = Write(people[f"customer-{1:020x}"].key, Action.UPDATE, {}, external_id=ada, relations=(
            RelationWrite("companies", firms[1], label, remove=True, category="USER_DEFINED"),))  # fmt: skip
        await applied(hubspot, mapping, [gone])
        after = (await hubspot.read(mapping, [ada], Lane.LIVE)).found[ada]
        assert (held(after, works), held(after, pays)) == ([firms[2]], [])


async def test_a_company_has_one_parent_and_the_new_one_takes_the_place_of_the_old():
    parent = RelationMapping("parent", "companies", 14)
    mapping = reading(COMPANIES, parent)
    async with opened(ManualClock()) as account:
        hubspot = await account.ready()
        await hubspot.provision([mapping], apply=True)
        [one, two, child] = (await applied(hubspot, mapping, [company(n) for n in range(3)])).values()
        for firm in (one, two):
            write = Write(child.key, Action.UPDATE, {}, external_id=child.external_id,
                          relations=(RelationWrite("companies", firm.external_id, 14),))  # fmt: skip
            await applied(hubspot, mapping, [write])
            shot = (await hubspot.read(mapping, [child.external_id], Lane.LIVE)).found[child.external_id]
            assert held(shot, parent) == [firm.external_id]
        account.box.set_faults("fail_before=1")
        with pytest.raises(VendorError) as refused:
            await hubspot.read(mapping, [child.external_id], Lane.LIVE)
        assert refused.value.failure.remedy is Remedy.RETRY


@pytest.mark.parametrize("makes_new", [True, False])
@pytest.mark.parametrize("mishap", ["none", "drop_after=1", "fail_after=1", "truncate=1"])
async def test_a_merge_is_known_by_where_the_old_ids_lead_however_its_answer_was_lost(makes_new, mishap):
    async with opened(ManualClock(), profile=Profile(merge_makes_new=makes_new)) as account:
        hubspot = await account.ready()
        ids = [one.external_id for one in (await applied(hubspot, CONTACTS, [contact(n) for n in range(4)])).values()]
        account.box.set_faults(mishap)
        first = await hubspot.merge(CONTACTS, ids[0], [ids[1]], Lane.OPERATOR)
        account.box.set_faults("none")
        verdicts = await hubspot.merge(CONTACTS, ids[0], [ids[1], ids[2]], Lane.OPERATOR)
        assert {one.outcome for one in verdicts} == {Outcome.APPLIED}, [one.failure for one in verdicts]
        if mishap == "none":
            assert first[0].outcome is Outcome.APPLIED
        stands = verdicts[-1].external_id
        assert (stands == ids[0]) is not makes_new
        found = (await hubspot.read(CONTACTS, ids[:3], Lane.LIVE)).found
        assert {one.external_id for one in found.values()} == {stands}
        assert len(account.rows("contacts")) == 2
        merges = [one for one in account.box.ledger.after(0) if one.effect == "merge"]
        assert len(merges) == 2
        [never] = await hubspot.merge(CONTACTS, stands, ["999999999999"], Lane.OPERATOR)
        assert never.failure.remedy is Remedy.GONE
        [absorbed, spared] = await hubspot.write(
            CONTACTS,
            [Write("a", Action.DELETE, {}, external_id=ids[1]), Write("b", Action.DELETE, {}, external_id=ids[3])],
            Lane.LIVE,
        )
        assert absorbed.failure.remedy is Remedy.GONE
        assert spared.outcome is Outcome.APPLIED
        assert {one["id"] for one in account.rows("contacts")} == {stands}, "the survivor is not deleted for another"


async def test_a_walk_through_one_timestamp_goes_past_the_caps_of_search_for_any_object(monkeypatch):
    monkeypatch.setattr(capture, "SEARCH_PAGE", 7)
    monkeypatch.setattr(searching, "MAX_RESULTS", 21)
    async with opened(ManualClock()) as account:
        type_id = account.vendor.people.act({"op": "define", "definition": {
            "name": "machine", "labels": {}, "requiredProperties": [],
            "properties": [{"name": "name", "label": "Name", "type": "string", "fieldType": "text"}],
        }})  # fmt: skip
        hubspot = await account.connect()
        for object_ in (type_id, "orders"):
            field = text("name", "name" if object_ == type_id else "hs_order_name")
            mapping = ObjectMapping("x", "crm", object_, (field,), key_path=KEY, write=WRITES)
            await hubspot.provision([mapping], apply=True)
            start = await hubspot.poll(mapping, None, Lane.SCHEDULED)
            writes = [Write(f"x-{n:020x}", Action.CREATE, {field.paths[0]: str(n)}) for n in range(60)]
            made = await applied(hubspot, mapping, writes)
            seen, cursor = [], start.cursor
            for _ in range(40):
                page = await hubspot.poll(mapping, cursor, Lane.SCHEDULED)
                seen += [shot.external_id for shot in page.snapshots]
                cursor = page.cursor
                await account.clock.advance(0.3)
                if not page.more:
                    break
            assert set(seen) == {one.external_id for one in made.values()}
            assert not page.more


async def test_a_property_that_was_taken_away_is_absent_and_an_empty_one_is_not():
    async with opened(ManualClock()) as account:
        hubspot = await account.ready()
        [made] = (await applied(hubspot, CONTACTS, [contact(1)])).values()
        whole = (await hubspot.read(CONTACTS, [made.external_id], Lane.LIVE)).found[made.external_id]
        assert (whole.partial, whole.data["price_tier"]) == (False, None)
        await account.clock.advance(1)
        start = await hubspot.poll(CONTACTS, None, Lane.SCHEDULED)
        account.person("archive_property", "contacts", name="price_tier")
        read = (await hubspot.read(CONTACTS, [made.external_id], Lane.LIVE)).found.values()
        scanned = (await hubspot.scan(CONTACTS, None, Lane.BULK)).snapshots
        polled = (await hubspot.poll(CONTACTS, start.cursor, Lane.SCHEDULED)).snapshots
        for shot in (*read, *scanned, *polled):
            assert (shot.partial, "price_tier" in shot.data) == (True, False)
        assert len(polled) == 1


@pytest.mark.parametrize(
    ("faults", "remedy", "seconds"),
    [("locked=1", Remedy.WAIT, 2.0), ("migrating=1", Remedy.WAIT, 5.0), ("fail_after=1", Remedy.RETRY, None)],
)
async def test_a_deletion_that_is_put_off_or_whose_answer_is_lost_is_done_in_the_end(faults, remedy, seconds):
    async with opened(ManualClock()) as account:
        hubspot = await account.ready()
        [made] = (await applied(hubspot, CONTACTS, [contact(1)])).values()
        deletion = Write(made.key, Action.DELETE, {}, external_id=made.external_id)
        account.box.set_faults(faults)
        [verdict] = await hubspot.write(CONTACTS, [deletion], Lane.LIVE)
        assert (verdict.failure.remedy, verdict.failure.retry_after_seconds) == (remedy, seconds)
        account.box.set_faults("none")
        await applied(hubspot, CONTACTS, [deletion])
        await applied(hubspot, CONTACTS, [deletion])
        assert account.rows("contacts") == []


async def test_rules_of_an_administrator_bind_writes_from_the_newest_version_on():
    async with opened(ManualClock()) as account:
        await account.ready()
        account.person("set_rule", "contacts", name="firstname", rule={"max_length": 2})
        for number, (version, bound) in enumerate((("v3", False), ("2026-03", False), ("2026-09", True))):
            hubspot = await account.connect(api_version=version)
            [verdict] = await hubspot.write(CONTACTS, [contact(number)], Lane.LIVE)
            assert (verdict.outcome is Outcome.FAILED) is bound, version
        assert (verdict.failure.remedy, verdict.failure.fields) == (Remedy.ASK, ("firstname",))


async def test_every_object_gets_its_key_and_its_pipeline_on_request():
    stages = Choice({"new": "unseen", "done": "resolved"})
    async with opened(ManualClock()) as account:
        own = account.vendor.people.act({"op": "define", "definition": {
            "name": "machine", "labels": {}, "requiredProperties": [], "properties": []}})  # fmt: skip
        mappings = [
            ObjectMapping("x", "crm", object_, (FieldMapping("status", ("hs_pipeline_stage",), stages),), key_path=KEY,
                          write=WRITES, constants={"hs_pipeline": "syncd_pipeline"})
            for object_ in ("tickets", "orders")
        ]  # fmt: skip
        mappings += [
            ObjectMapping("x", "crm", object_, (text("serial", "serial_number"),), key_path=KEY, write=WRITES)
            for object_ in ("companies", "products", own)
        ]
        hubspot = await account.connect()
        dry = await hubspot.provision(mappings, apply=False)
        made = await hubspot.provision(mappings, apply=True)
        assert {one.subject for one in dry} == {one.subject for one in made}
        assert all(one.applied for one in made)
        assert await hubspot.provision(mappings, apply=True) == []
        assert {one.severity for one in await hubspot.check(mappings)} <= {Severity.OK, Severity.WARNING}
        book = account.vendor.account.pipelines
        kinds = account.vendor.account.kinds
        states = [one.metadata for one in book.get(kinds.of("tickets"), "syncd_pipeline").stages.values()]
        assert [one["ticketState"] for one in states] == ["OPEN", "CLOSED"]
        [verdict] = await hubspot.write(mappings[0], [Write("x-1", Action.CREATE, {
            "hs_pipeline": "syncd_pipeline", "hs_pipeline_stage": "resolved"})], Lane.LIVE)  # fmt: skip
        assert verdict.outcome is Outcome.APPLIED


@pytest.mark.parametrize("edition", ["enterprise", "professional"])
async def test_the_check_names_association_types_that_are_not_there_and_says_whether_graphql_serves(edition):
    pays = RelationMapping("payer", "companies", 77, category="USER_DEFINED")
    mapping = reading(CONTACTS, RelationMapping("employer", "companies", 1), pays)
    async with opened(ManualClock(), profile=Profile(edition=edition)) as account:
        await account.ready()
        hubspot = await account.connect(graphql=True)
        findings = {one.code: one for one in await hubspot.check([mapping, DEALS])}
        told = findings["association-missing"]
        assert (told.severity, told.subject) == (Severity.ERROR, "crm.contacts.payer")
        assert "1 Primary (HUBSPOT_DEFINED)" in told.remedy
        assert ("graphql" in findings, "graphql-unavailable" in findings) == (
            edition == "enterprise", edition != "enterprise",
        )  # fmt: skip
