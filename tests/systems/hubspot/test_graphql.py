"""GraphQL is a shorter way to what REST tells: the same result, in one request, or it is left alone."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from syncd.config import loads
from syncd.model.change import Lane
from syncd.model.lens import Stringly
from syncd.model.mapping import FieldMapping, RelationMapping, decode
from syncd.model.value import FieldType
from syncd.runtime.clock import ManualClock
from syncd.sandbox.hubspot.account import Profile
from syncd.sandbox.hubspot.tokens import ALL_SCOPES
from syncd.systems.hubspot.graphql import MOST, PATH, answer, name_of, suffixes, text

from .kit import CONTACTS
from .kit import text as field
from .test_against_sandbox import opened
from .test_relations import reading

WORKS = RelationMapping("employer", "companies", 1)
KNOWS = RelationMapping("knows", "companies", 279)
MAPPING = reading(CONTACTS, WORKS)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12)
PEOPLE = st.fixed_dictionaries({
    "firstname": TEXTS, "lastname": TEXTS, "phone": st.sampled_from(["", "+49 228 1", "0228/1"]),
    "credit_limit": st.sampled_from(["", "0", "1", "42.00", "0.10", "12345678.99", "-3.5"]),
    "credit_limit_currency": st.just("EUR"), "price_tier": st.sampled_from(["", "gold"]),
})  # fmt: skip


def entity():
    """The standard customer."""
    read = loads('[connections.crm]\nsystem = "hubspot"', environ={})
    return read.entities["customer"]


ENTITY = entity()


def told(result, mapping=MAPPING):
    return {
        asked: (shot.external_id, decode(ENTITY, mapping, shot.data), shot.modified_at, shot.deleted)
        for asked, shot in result.found.items()
    }


def calls(books, since):
    return len(books.paid) - since


async def test_records_of_every_sort_are_told_alike_and_in_one_request():
    async with opened(ManualClock()) as account:
        plain = await account.ready()
        short = await account.connect(graphql=True)
        firms = [account.person("create", "companies", values={"name": f"Engines {n}"}) for n in range(3)]
        dice = random.Random(5)
        await short.read(MAPPING, [account.person("create", "contacts", values={})], Lane.LIVE)  # labels are learned

        @hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(PEOPLE, min_size=1, max_size=3))
        def make(people):
            for values in people:
                id_ = account.person("create", "contacts", values=values)
                made.append(id_)
                for firm in dice.sample(firms, dice.randrange(3)):
                    type_id = dice.choice((1, 279))
                    account.person("associate", "contacts", id=id_, to_object="companies", to=firm, type_id=type_id)

        made: list[str] = []
        make()
        survivor = account.person("merge", "contacts", id=made[0], other=made[1])
        account.person("archive", "contacts", id=made[2])
        assert survivor not in made
        for start in range(0, len(made), MOST):
            ids = made[start : start + MOST]
            by_rest = await plain.read(MAPPING, ids, Lane.LIVE)
            before = len(account.books.paid)
            by_graph = await short.read(MAPPING, ids, Lane.LIVE)
            assert told(by_graph) == told(by_rest)
            assert by_graph.missing == by_rest.missing
            if start:
                assert calls(account.books, before) == 1


@pytest.mark.parametrize(
    "options",
    [{"profile": Profile(edition="professional")}, {"scopes": ALL_SCOPES - {"collector.graphql_query.execute"}}],
)
async def test_an_account_without_it_is_asked_once_and_read_by_rest(options):
    async with opened(ManualClock(), **options) as account:
        hubspot = await account.connect(graphql=True)
        id_ = account.person("create", "contacts", values={"firstname": "Ada"})
        for _ in range(3):
            assert set((await hubspot.read(reading(CONTACTS, WORKS), [id_], Lane.LIVE)).found) == {id_}
        asked = [one for one in account.vendor.replies.items() if one[0] == 403]
        assert asked == [(403, 1)]


async def test_what_does_not_fit_the_schema_or_is_too_much_is_left_to_rest():
    async with opened(ManualClock()) as account:
        await account.ready()
        hubspot = await account.connect(graphql=True)
        id_ = account.person("create", "contacts", values={"firstname": "Ada"})
        for firm in range(12):
            made = account.person("create", "companies", values={"name": str(firm)})
            account.person("associate", "contacts", id=id_, to_object="companies", to=made)
        crowd = await hubspot.read(reading(CONTACTS, KNOWS), [id_], Lane.LIVE)
        assert len(crowd.found[id_].data["associations"]["companies"]["279"]) == 12
        unknown = replace(MAPPING, connection="strange", fields=(*MAPPING.fields, field("x", "no_such_property")))
        dated = replace(MAPPING, object="contacts", connection="other", fields=(
            *MAPPING.fields, FieldMapping("born", ("date_of_birth",), Stringly(FieldType.DATE))))  # fmt: skip
        for mapping in (unknown, unknown, dated):
            assert set((await hubspot.read(mapping, [id_], Lane.LIVE)).found) == {id_}
        account.box.set_faults("html=1")
        with pytest.raises(Exception, match="502"):
            await hubspot.read(MAPPING, [id_], Lane.LIVE)
        account.box.set_faults("none")
        before = len(account.books.paid)
        assert set((await hubspot.read(MAPPING, [id_], Lane.LIVE)).found) == {id_}
        assert calls(account.books, before) == 1


def test_names_of_the_schema():
    labels = [
        {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"},
        {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None},
        {"category": "USER_DEFINED", "typeId": 7, "label": "Pays the Bill"},
        {"typeId": "8"},
    ]
    assert suffixes("contacts", "companies", labels) == {
        ("HUBSPOT_DEFINED", 1): "primary", ("HUBSPOT_DEFINED", 279): "contact_to_company_unlabeled",
        ("USER_DEFINED", 7): "pays_the_bill",
    }  # fmt: skip
    assert suffixes("p77_machine", "contacts", [{"typeId": 3, "label": None}]) == {
        ("HUBSPOT_DEFINED", 3): "machine_to_contact"
    }
    assert [name_of(one) for one in ("line_items", "orders", "p77_machine", "p_machine", "2-77")] == [
        "line_item", "order", "p_machine", "p_machine", "",
    ]  # fmt: skip


@hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda one: st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(["data", "CRM", "r0", "associations", "n0", "items", "total"]), one)))  # fmt: skip
def test_no_reply_breaks_the_reading(reply):
    found, _ = answer(reply if isinstance(reply, dict) else {}, [], ["1"])
    assert found == {}


def test_values_are_given_the_form_of_rest():
    values = [None, "a", True, 3, 42.5, 100.0, 1e22, 0.00000001, {"value": "gold", "label": "Gold"}, ["a", "b"]]
    assert [text(one) for one in values] == [
        None, "a", "true", "3", "42.5", "100", "10000000000000000000000", "0.00000001", "gold", "a;b",
    ]  # fmt: skip
    assert PATH.startswith("/")
