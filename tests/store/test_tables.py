"""What the tables promise, on real SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.delivery import DeliveryState
from syncd.model.record import Link, Origin, Record
from syncd.store import books, changes, deliveries, letters, links, records, views
from syncd.store.database import migrate
from syncd.store.deliveries import Move, Want
from syncd.store.letters import DeadLetter


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys=ON")
    migrate(connection)
    yield connection
    connection.close()


def change(key: str, **more: Any) -> Change:
    given = {
        "connection": "shop", "object": "customers", "external_id": "1", "kind": ChangeKind.STATE,
        "channel": Channel.POLL, "dedupe_key": key, "received_at": 5, "payload": {"a": [1, None, "ü"]},
    }  # fmt: skip
    return Change(**{**given, **more})


def record(number: str = "customer-1", **fields: Any) -> Record:
    return Record(number, "customer", fields, {"email": Origin("shop", 1, 5)}, 1, 7)


def want(number: str = "customer-1", **more: Any) -> Want:
    given = {
        "record_id": number, "entity": "customer", "connection": "crm", "object": "contacts", "lane": Lane.LIVE,
        "since_at": 5, "change_id": 1, "correlation_id": "c", "version": 1,
    }  # fmt: skip
    return Want(**{**given, **more})


def test_a_change_is_staged_once_by_connection_and_key(tx: sqlite3.Connection) -> None:
    first = changes.stage(tx, [change("a"), change("a"), change("b"), change("a", connection="crm")])
    again = changes.stage(tx, [change("a"), change("c")])

    assert (first.staged, first.duplicates) == (3, 1)
    assert (again.staged, again.duplicates) == (1, 1)


def test_a_change_comes_back_as_it_was(tx: sqlite3.Connection) -> None:
    told = change("a", version="7", occurred_at=3, partial=True, lane=Lane.BULK, correlation_id="x")
    changes.stage(tx, [told])

    assert changes.to_fold(tx, 10, 10) == [told.with_id(1)]


def test_changes_are_folded_by_lane_then_arrival_and_hints_apart(tx: sqlite3.Connection) -> None:
    changes.stage(
        tx,
        [
            change("bulk", lane=Lane.BULK), change("live 1"), change("hint", kind=ChangeKind.HINT),
            change("operator", lane=Lane.OPERATOR), change("live 2"),
        ],
    )  # fmt: skip

    assert [one.dedupe_key for one in changes.to_fold(tx, 10, 10)] == ["operator", "live 1", "live 2", "bulk"]
    assert [one.dedupe_key for one in changes.to_read(tx, "shop", 10, 10)] == ["hint"]


def test_settled_changes_are_remembered_but_need_no_payload(tx: sqlite3.Connection) -> None:
    changes.stage(tx, [change("a"), change("b"), change("c")])
    changes.settle(tx, "folded", [1], 20)
    changes.settle(tx, "parked", [2], 20, "why")

    assert [one.id for one in changes.to_fold(tx, 30, 10)] == [3]
    assert changes.get(tx, 1).payload is None
    assert changes.get(tx, 2).payload == {"a": [1, None, "ü"]}
    assert changes.stage(tx, [change("a")]).duplicates == 1


def test_deferred_changes_wait_until_they_are_due(tx: sqlite3.Connection) -> None:
    changes.stage(tx, [change("a")])
    changes.defer(tx, [1], 100, "orphan", attempt=True)

    assert changes.to_fold(tx, 99, 10) == []
    assert changes.next_due(tx, 50) == 100
    assert [one.attempts for one in changes.to_fold(tx, 100, 10)] == [1]


def test_pruning_forgets_settled_changes_but_never_parked_or_staged_ones(tx: sqlite3.Connection) -> None:
    changes.stage(tx, [change(key) for key in "abcd"])
    changes.settle(tx, "folded", [1], 10)
    changes.settle(tx, "parked", [2], 10)
    changes.settle(tx, "dropped", [3], 90)

    assert changes.prune(tx, 50) == 1
    assert [changes.get(tx, number) is not None for number in (1, 2, 3, 4)] == [False, True, True, True]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE changes SET state = 'folded'",
        "UPDATE changes SET settled_at = 5",
        "UPDATE changes SET kind = 'nonsense'",
        "UPDATE deliveries SET state = 'sending'",
        "UPDATE deliveries SET state = 'done'",
        "UPDATE deliveries SET state = 'blocked'",
        "UPDATE deliveries SET parent_id = 'x'",
        "UPDATE deliveries SET due_at = 'soon'",
        "UPDATE dead_letters SET state = 'discarded'",
        "UPDATE dead_letters SET closed_at = 3",
        "DELETE FROM records",
    ],
)
def test_an_impossible_row_cannot_be_stored(tx: sqlite3.Connection, sql: str) -> None:
    changes.stage(tx, [change("a")])
    records.save(tx, [(record(), "")])
    deliveries.want(tx, [want()])
    letters.put(tx, [_letter()])

    with pytest.raises(sqlite3.IntegrityError):
        tx.execute(sql)


def _letter(**more: Any) -> DeadLetter:
    given = {
        "kind": "delivery", "subject": "1", "fingerprint": "f", "entity": "customer", "connection": "crm",
        "object": "contacts", "code": "C", "message": "m", "at": 5, "delivery_id": 1, "record_id": "customer-1",
    }  # fmt: skip
    return DeadLetter(**{**given, **more})


def test_records_and_links_come_back_as_they_were(tx: sqlite3.Connection) -> None:
    told = record(email="a@b.c", credit={"amount": "1.00", "currency": "EUR"}, empty=None)
    link = Link("customer-1", "crm", "contacts", "42", {"email": "a@b.c"}, {"x": 1}, "7", 9, {"i": "3"})
    records.save(tx, [(told, "Ada")])
    links.save(tx, [link])

    assert records.load(tx, ["customer-1", "none"]) == {"customer-1": told}
    assert links.of_objects(tx, "crm", "contacts", ["42", "43"]) == {"42": link}
    assert links.of_records(tx, ["customer-1"]) == {"customer-1": {("crm", "contacts"): link}}


def test_a_record_has_one_live_link_per_object(tx: sqlite3.Connection) -> None:
    records.save(tx, [(record(), "")])
    links.save(tx, [Link("customer-1", "crm", "contacts", "1", {})])

    with pytest.raises(sqlite3.IntegrityError):
        links.save(tx, [Link("customer-1", "crm", "contacts", "2", {})])
    links.save(tx, [Link("customer-1", "crm", "contacts", "1", {}, gone=True)])
    links.save(tx, [Link("customer-1", "crm", "contacts", "2", {})])
    assert links.of_records(tx, ["customer-1"])["customer-1"]["crm", "contacts"].external_id == "2"


def test_newer_state_coalesces_into_a_waiting_delivery(tx: sqlite3.Connection) -> None:
    records.save(tx, [(record(), "")])
    deliveries.want(tx, [want(lane=Lane.BULK, since_at=5)])
    deliveries.want(tx, [want(lane=Lane.LIVE, since_at=50, version=3)])
    (one,) = deliveries.due(tx, "crm", 10, 10)

    assert (one.lane, one.since_at, one.wanted_version) == (Lane.LIVE, 5, 3)


def test_a_delivery_that_is_on_its_way_stays_there_and_a_finished_one_wakes_up(tx: sqlite3.Connection) -> None:
    records.save(tx, [(record(), "")])
    deliveries.want(tx, [want()])
    deliveries.claim(tx, [1], 10)
    deliveries.want(tx, [want(version=2)])
    assert deliveries.get(tx, [1])[1].state is DeliveryState.SENDING

    deliveries.move(tx, [Move(1, DeliveryState.DONE, 20)])
    deliveries.want(tx, [want(version=3, since_at=30)])
    one = deliveries.get(tx, [1])[1]
    assert (one.state, one.since_at, one.attempts) == (DeliveryState.WAITING, 30, 0)


def test_a_batch_holds_one_object_only(tx: sqlite3.Connection) -> None:
    for number in range(4):
        records.save(tx, [(record(f"customer-{number}"), "")])
    deliveries.want(
        tx,
        [
            want("customer-0"), want("customer-1", object="deals"), want("customer-2"),
            want("customer-3", lane=Lane.OPERATOR, object="deals"),
        ],
    )  # fmt: skip

    assert {one.object for one in deliveries.due(tx, "crm", 10, 10)} == {"deals"}
    assert {one.object for one in deliveries.due(tx, "crm", 10, 10, paused=["deals"])} == {"contacts"}


def test_after_a_crash_what_was_being_sent_is_unknown(tx: sqlite3.Connection) -> None:
    records.save(tx, [(record(), "")])
    deliveries.want(tx, [want()])
    deliveries.claim(tx, [1], 10)

    assert deliveries.recover(tx) == 1
    assert [one.id for one in deliveries.due(tx, "crm", 10, 10, state="unknown")] == [1]


def test_dead_letters_are_open_once_per_subject_and_grouped_by_cause(tx: sqlite3.Connection) -> None:
    letters.put(
        tx, [_letter(), _letter(message="newer", at=9), _letter(subject="2"), _letter(subject="3", fingerprint="g")]
    )
    groups = views.failure_groups(tx, connection="", entity="", limit=10)

    assert [(row[0], row[7]) for row in groups] == [("f", 2), ("g", 1)]
    assert letters.resolve_deliveries(tx, [1], 20) == 1
    assert [one.subject for one in letters.select(tx, fingerprint="f")] == ["2"]


def test_the_queue_tells_depth_and_age_of_staged_changes_by_lane(tx: sqlite3.Connection) -> None:
    changes.stage(
        tx,
        [
            change("a", received_at=5), change("b", received_at=9), change("h", kind=ChangeKind.HINT, received_at=2),
            change("c", lane=Lane.BULK, received_at=1),
        ],
    )  # fmt: skip

    assert sorted(views.staged(tx)) == [(Lane.LIVE, 3, 2), (Lane.BULK, 1, 1)]


def test_a_search_finds_titles_and_ids_and_says_when_it_was_capped(tx: sqlite3.Connection) -> None:
    for number in range(20):
        records.save(tx, [(record(f"customer-{number}"), f"Ada 100%_{number}")])
    links.save(tx, [Link("customer-3", "crm", "contacts", "hs-77", {})])

    def find(query: str, cap: int = 100) -> Any:
        return views.search(tx, query=query, entity="", limit=50, after="", cap=cap)

    assert len(find("ada")[0]) == 20
    assert [row[0] for row in find("100%_7")[0]] == ["customer-7"]
    assert [row[0] for row in find("hs-77")[0]] == ["customer-3"]
    assert [row[0] for row in find("customer-9")[0]] == ["customer-9"]
    assert find("ada", cap=5)[2] is True


def test_pages_of_records_follow_one_another_without_gaps(tx: sqlite3.Connection) -> None:
    for number in range(7):
        records.save(tx, [(record(f"customer-{number}"), "x")])
    seen: list[str] = []
    after = ""
    while True:
        rows, _looked, _capped = views.search(tx, query="", entity="", limit=3, after=after, cap=10)
        if not rows:
            break
        seen += [row[0] for row in rows]
        after = views.page_key(rows[-1])

    assert sorted(seen) == [f"customer-{number}" for number in range(7)]
    assert len(seen) == 7


def test_cursors_add_up_what_they_saw(tx: sqlite3.Connection) -> None:
    books.save_cursor(tx, "shop", "carts", "poll", "a", 5, seen=3)
    books.save_cursor(tx, "shop", "carts", "poll", "b", 9, seen=4)

    assert books.cursor(tx, "shop", "carts", "poll") == books.Cursor("b", False, 7, 9)


def test_timers_fire_once_they_are_due(tx: sqlite3.Connection) -> None:
    books.set_timers(tx, "idle", {"a": 10, "b": 20})
    books.set_timers(tx, "idle", {"a": 15, "b": None})

    assert books.due_timers(tx, "idle", 14, 10) == []
    assert books.due_timers(tx, "idle", 15, 10) == [("a", 15)]
    assert books.next_timer(tx) == 15
