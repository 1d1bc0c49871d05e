"""What machines look at: health that tells the truth, and figures that parse."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace

import httpx
from prometheus_client.parser import text_string_to_metric_families

from syncd.control.socket import OpsServer
from syncd.engine.capture import SILENT_CHANGES, SILENT_SECONDS
from syncd.intake.ops import ops_app
from syncd.model.mapping import Capture
from syncd.store import books, gaps
from tests.control.office import Office
from tests.engine.test_engine import customer


async def figures(office: Office) -> dict[str, dict[tuple[str, ...], float]]:
    """Metric name to values by their labels' values, in the order of the labels' names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families((await office.exposition.text()).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels[name] for name in sorted(sample.labels))] = (
                sample.value
            )
    return found


async def test_the_metrics_parse_and_tell_what_the_status_tells(office: Office) -> None:
    await office.everyday()
    office.board.turn("running")
    told = await figures(office)

    assert told["syncd_build_info"]
    assert told["syncd_dead_letters"] == {("INVALID_EMAIL", "crm"): 2, ("decode", "shop"): 1}
    assert ("live", "contacts", "dead", "crm") not in told.get("syncd_queue_depth", {})
    assert told["syncd_connection_up"] == {("shop",): 1, ("crm",): 1}
    assert told["syncd_api_quota_remaining"] == {("crm", "ten_seconds"): 178}
    assert told["syncd_deliveries_total"][("contacts", "delivered", "crm")] == 2
    assert told["syncd_wal_bytes"][()] > 0


async def test_a_gap_is_told_until_it_is_mended(office: Office) -> None:
    now = office.rig.clock.now_ms()
    await office.rig.database.write(lambda tx: gaps.state(tx, "crm", "contacts", 0, now, "position-lost", now - 5000))
    (told,) = (await office.status()).gaps
    assert (told.mapping, told.reason, told.until_at) == ("crm.contacts", "position-lost", now)
    assert (await figures(office))["syncd_gap_seconds"] == {("crm.contacts",): 5}
    await office.rig.database.write(lambda tx: gaps.mended(tx, "crm", "contacts"))
    assert (await office.status()).gaps == []
    assert "syncd_gap_seconds" not in await figures(office)


async def test_a_webhook_that_fell_silent_is_noticed_by_what_polls_find(office: Office) -> None:
    rig, captor = office.rig, office.captor
    contacts = rig.flows.mapping("crm", "contacts")
    assert contacts is not None
    heard = replace(contacts, capture=Capture(poll_seconds=60.0, webhook=True))
    await rig.hint(rig.crm, "contacts", "x0")
    for number in range(SILENT_CHANGES):
        await rig.tell(rig.crm, "contacts", f"x{number}", email=f"x{number}@example.com")
    await rig.clock.advance(SILENT_SECONDS - 1)
    await captor._listen(heard)
    assert captor.silent == {}
    await rig.clock.advance(1)
    await captor._listen(heard)
    assert "crm.contacts: polls find changes that no webhook or stream tells" in (await office.status()).notes
    await rig.hint(rig.crm, "contacts", "x1")
    await captor._listen(heard)
    assert captor.silent == {}
    assert [one.event for one in rig.signals.recent(2)] == ["capture.silent", "capture.heard"]


async def test_every_cause_is_counted_however_many_there_are(office: Office) -> None:
    """The status shows the five largest groups only."""
    rows = [("delivery", str(n), f"f{n}", "open", n, n, "", "customer", "crm", "contacts", f"CODE_{n}", "", "[]", "{}", 1, 1, "")
            for n in range(12)]  # fmt: skip
    sql = (
        "INSERT INTO dead_letters (kind, subject, fingerprint, state, change_id, delivery_id, record_id, entity, "
        "connection, object, code, message, fields, detail, attempts, at, correlation_id) VALUES ("
        + ",".join("?" * 17)
        + ")"
    )
    await office.rig.database.write(lambda tx: tx.executemany(sql, rows))

    assert len((await figures(office))["syncd_dead_letters"]) == 12


async def test_what_is_gone_leaves_the_metrics(office: Office) -> None:
    (letter,) = await office.refuse_addresses("a")
    assert (await figures(office))["syncd_dead_letters"]
    await office.rig.replay(ids=(letter,), edits={"email": "a@example.com"})
    await office.rig.settle()
    office.board.turn("running")
    told = await figures(office)

    assert "syncd_dead_letters" not in told


async def test_ready_means_that_the_state_file_takes_writes(office: Office) -> None:
    server = OpsServer(
        ops_app(office.exposition.alive, office.exposition.ready, office.exposition.text), host="127.0.0.1", port=0
    )
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        well = await client.get("/readyz")
        assert (well.status_code, well.json()["checks"], well.json()["state"]) == (200, {"store": "ok"}, "running")
        assert set(well.json()["connections"]) == {"shop", "crm"}

        with sqlite3.connect(office.rig.database.path, isolation_level=None) as other:
            writer = office.rig.database._writer
            assert writer is not None
            await writer.execute("PRAGMA busy_timeout=20")
            other.execute("BEGIN IMMEDIATE")
            locked = await client.get("/readyz")
            assert locked.status_code == 503
            assert "locked" in locked.json()["checks"]["store"]
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/metrics")).status_code == 200
            other.execute("ROLLBACK")
        other.close()
        assert (await client.get("/readyz")).status_code == 200

        office.board.turn("draining")
        assert (await client.get("/readyz")).status_code == 503
    await server.stop(1)


async def test_a_full_disk_is_not_ready(office: Office, monkeypatch) -> None:
    writer = office.rig.database._writer
    assert writer is not None
    # Room is taken until nothing fits; then one small value does not fit either, nor does an empty page stand by.
    await office.rig.database.write(lambda tx: tx.execute("CREATE TABLE filler (text TEXT)"))
    pages = await office.rig.database.read(lambda tx: tx.execute("PRAGMA page_count").fetchone()[0])
    await writer.execute(f"PRAGMA max_page_count={pages}")
    monkeypatch.setattr(books, "set_meta", lambda tx, _values: tx.execute("INSERT INTO filler VALUES (zeroblob(9000))"))
    well, told = await office.exposition.ready()

    assert not well
    assert "SQLITE_FULL" in str(told)
    assert (await office.exposition.alive())[0]


async def test_the_status_stays_cheap_with_two_hundred_thousand_deliveries(office: Office) -> None:
    def fill(tx: sqlite3.Connection) -> None:
        tx.execute("PRAGMA defer_foreign_keys=ON")
        tx.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
            "INSERT INTO records (id, entity, fields, origins, version, title, created_at, updated_at) "
            "SELECT 'r' || i, 'customer', '{}', '{}', 1, 'title', 0, 0 FROM n"
        )
        tx.execute(
            "INSERT INTO deliveries (record_id, entity, connection, object, state, lane, due_at, since_at, change_id, "
            "correlation_id, wanted_version) SELECT id, 'customer', 'crm', 'contacts', 'waiting', 1, 0, 0, 1, '', 1 "
            "FROM records"
        )

    await office.rig.database.write(fill)
    began = time.perf_counter()
    status = await office.status()
    once = time.perf_counter() - began
    assert sum(one.depth for one in status.queue) == 200_000
    assert once < 1.0

    looks = 0
    real = office.board._look

    async def counted():
        nonlocal looks
        looks += 1
        await office.rig.clock.advance(0.2)
        return await real()

    office.board._look = counted
    office.board.turn("running")
    for _ in range(100):
        await office.board.status()
        await office.rig.clock.advance(0.05)
    # Each look took 0.2 s of the five seconds that passed: at most one part in ten of the time is spent on looking.
    assert looks <= 4


async def test_samples_of_the_plots_are_kept_where_nobody_looks(office: Office) -> None:
    from syncd.engine.housekeeping import Housekeeping, Retention

    await office.refuse_addresses("a", "b")
    await customer(office.rig, "c")
    keeping = Housekeeping(
        database=office.rig.database, world=office.rig.world, retention=Retention(), gauges=office.board.gauges
    )
    await keeping.step()
    status = await office.status()
    plots = {one.name: one.values[-1] for one in status.series}

    assert (plots["failures"], plots["queue_depth"]) == (2, 1)
    assert set(plots) == {"throughput", "queue_depth", "latency_p95", "failures", "intake"}
