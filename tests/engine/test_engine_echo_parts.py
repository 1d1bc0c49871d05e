"""A value that a vendor keeps in two properties comes back in two webhooks, one for each."""

from __future__ import annotations

import pytest

from syncd.engine.flows import Flows
from syncd.engine.health import Health
from syncd.engine.reader import Reader
from syncd.engine.signals import Signals
from syncd.model.change import Change, ChangeKind, Channel
from syncd.model.delivery import Action
from syncd.model.entity import Entity, FieldDefinition
from syncd.model.lens import MoneyPair, Stringly
from syncd.model.mapping import FieldMapping, ObjectMapping
from syncd.model.record import Link
from syncd.model.value import FieldType
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.metrics import Metrics
from syncd.store.database import Database
from tests.engine.memory import MemorySystem

MAPPING = ObjectMapping(
    "customer",
    "crm",
    "contacts",
    (
        FieldMapping("limit", ("credit_limit", "credit_limit_currency"), MoneyPair()),
        FieldMapping("name", ("firstname",), Stringly()),
    ),
    write=frozenset({Action.UPDATE}),
)
CUSTOMER = Entity(
    "customer",
    {"limit": FieldDefinition("limit", FieldType.MONEY), "name": FieldDefinition("name", FieldType.TEXT)},
)
LINK = Link("customer-1", "crm", "contacts", "7", {"limit": {"amount": "500.00", "currency": "EUR"}, "name": "Ada"})


@pytest.fixture
def reader(tmp_path):
    clock = ManualClock()
    flows = Flows({"customer": CUSTOMER}, (MAPPING,), {"crm": MemorySystem("crm", clock)})
    signals = Signals(clock)
    return Reader(
        "crm", database=Database(tmp_path / "syncd.db"), flows=flows, signals=signals,
        health=Health(flows.systems, clock, signals), metrics=Metrics(clock), world=World(clock),
    )  # fmt: skip


def hint(told):
    return Change("crm", "contacts", "7", ChangeKind.HINT, Channel.WEBHOOK, "h", 1, payload={"told": told})


@pytest.mark.parametrize(
    ("told", "echo"),
    [
        ({"credit_limit": "500.00"}, True),
        ({"credit_limit": "500"}, True),
        ({"credit_limit_currency": "EUR"}, True),
        ({"credit_limit": "501.00"}, False),
        ({"credit_limit_currency": "USD"}, False),
        ({"credit_limit": ""}, False),
        ({"credit_limit": "500.00", "firstname": "Ada"}, True),
        ({"credit_limit": "500.00", "firstname": "Eve"}, False),
        ({"favourite_colour": "green"}, True),
        ({"credit_limit": "many"}, False),
    ],
)
def test_a_part_is_an_echo_when_it_completes_what_the_shadow_holds(reader, told, echo):
    assert reader._echo(MAPPING, hint(told), LINK, ordered=False) is echo


def test_a_part_of_a_value_that_was_never_seen_is_read(reader):
    bare = Link("customer-1", "crm", "contacts", "7", {"name": "Ada"})
    assert not reader._echo(MAPPING, hint({"credit_limit_currency": "EUR"}), bare, ordered=False)
