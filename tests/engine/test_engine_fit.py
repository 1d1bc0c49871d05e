"""A mapping that asks what its system cannot do is told in words, before anything is lost by it."""

from __future__ import annotations

from dataclasses import replace

from syncd.engine.fit import misfits
from syncd.model.change import ChangeKind, Channel
from syncd.model.delivery import Action
from syncd.model.mapping import Capture
from syncd.runtime.clock import ManualClock
from syncd.systems.contract import UNKNOWN, Abilities
from tests.engine.memory import MemorySystem
from tests.engine.rig import mappings

CONTACTS = next(one for one in mappings() if one.name == "crm.contacts")


class Limited(MemorySystem):
    able: Abilities = UNKNOWN

    def abilities(self, object_: str) -> Abilities:
        return self.able


def told(able: Abilities, **changes: object) -> list[tuple[str, str]]:
    system = Limited("crm", ManualClock())
    system.able = able
    found = misfits(system, [replace(CONTACTS, **changes)])  # type: ignore[arg-type]
    assert all(one.subject == "crm.contacts" and one.remedy for one in found)
    return [(one.code, one.message) for one in found]


def test_what_fits_is_not_spoken_of() -> None:
    assert misfits(MemorySystem("crm", ManualClock()), [CONTACTS]) == []


def test_an_object_that_the_system_does_not_know_is_named() -> None:
    assert told(UNKNOWN) == [("object-unknown", "crm knows no object contacts")]


def test_writes_that_the_object_does_not_take_are_named() -> None:
    able = Abilities(scans=True, actions=frozenset({Action.CREATE}), keyed=True)
    wanted = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
    assert told(able, write=wanted) == [("cannot-write", "cannot delete or update contacts there")]


def test_creates_without_a_key_are_a_warning() -> None:
    able = Abilities(scans=True, actions=CONTACTS.write)
    assert [code for code, _ in told(able)] == ["not-keyed"]


def test_a_channel_that_the_object_does_not_have_is_named_with_those_it_has() -> None:
    able = Abilities(actions=CONTACTS.write, keyed=True, tells={Channel.POLL: frozenset({ChangeKind.STATE})})
    assert told(able, capture=Capture(poll_seconds=60.0, stream=True)) == [
        ("channel-missing", "contacts has no stream; there is: poll")
    ]
