"""Prepared messages: a small, plausible world for the console to show. Every instant hangs on one fixed moment."""

from __future__ import annotations

import math
from typing import Any

from syncd.control import messages as m

AT = 1_767_271_380_000
"""2026-01-01 12:43:00 UTC."""

BAD_MAIL = "a81f0c94d2e7"
NO_PROPERTY = "5c3e9b02aa41"
FORBIDDEN = "e07d6611b3f8"

_NAMES = [
    ("Ada", "Lovelace"), ("Grace", "Hopper"), ("Alan", "Turing"), ("Edsger", "Dijkstra"), ("Barbara", "Liskov"),
    ("Tony", "Hoare"), ("Radia", "Perlman"), ("Ken", "Thompson"), ("Frances", "Allen"), ("Niklaus", "Wirth"),
    ("Katherine", "Johnson"), ("Dennis", "Ritchie"), ("Margaret", "Hamilton"), ("John", "Backus"), ("Adele", "Goldberg"),
]  # fmt: skip


def _wave(size: int, low: float, high: float, phase: float) -> list[float | None]:
    """A believable history, the same every time."""
    span = high - low
    return [
        round(low + span * (0.5 + 0.32 * math.sin(i / 7 + phase) + 0.18 * math.sin(i / 2.3 + phase * 3)), 4)
        for i in range(size)
    ]


def record_id(number: int, entity: str = "customer") -> str:
    return f"{entity}-{number:020x}"


def person(number: int) -> tuple[str, str, str]:
    first, last = _NAMES[number % len(_NAMES)]
    suffix = "" if number < len(_NAMES) else str(number)
    return first, last, f"{first}.{last}{suffix}@example.org".lower()


def groups() -> list[m.FailureGroup]:
    return [
        m.FailureGroup(
            fingerprint=BAD_MAIL, kind="delivery", connection="crm", object="contacts", entity="customer",
            code="INVALID_EMAIL", message="Property values were not valid: Email address ada.lovelace@@example is invalid",
            count=8, first_at=AT - 5_400_000, last_at=AT - 42_000, trend=[0, 0, 1, 0, 0, 0, 1, 0, 1, 2, 1, 2],
        ),
        m.FailureGroup(
            fingerprint=NO_PROPERTY, kind="delivery", connection="crm", object="contacts", entity="customer",
            code="PROPERTY_DOESNT_EXIST", message='Property "price_tier" does not exist',
            count=3, first_at=AT - 9_000_000, last_at=AT - 3_600_000, trend=[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
        m.FailureGroup(
            fingerprint=FORBIDDEN, kind="delivery", connection="crm", object="deals", entity="cart",
            code="INVALID_OPTION", message="abandoned_basket was not one of the allowed options for dealstage",
            count=1, first_at=AT - 720_000, last_at=AT - 720_000, trend=[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0],
        ),
    ]  # fmt: skip


def windows() -> list[m.WindowLine]:
    return [
        m.WindowLine(connection="crm", window="10 s", limit=190, used=131, own=124, resets_in_seconds=6.2,
                     reserves={"live": 0.3, "operator": 0.05}),
        m.WindowLine(connection="crm", window="24 h", limit=250_000, used=181_204, own=96_400, resets_in_seconds=34_020.0,
                     exhausted_in_seconds=21_600.0, reserves={"live": 0.3, "operator": 0.05}),
        m.WindowLine(connection="crm", window="search 1 s", limit=5, used=1, own=1, resets_in_seconds=0.6),
        m.WindowLine(connection="shop", window="at once", limit=20, used=4, own=4, resets_in_seconds=0.0),
    ]  # fmt: skip


def status(*, tick: int = 0, failures: list[m.FailureGroup] | None = None, instance: str = "one") -> m.Status:
    """A snapshot; ``tick`` moves the numbers a little, one second each."""
    listed = groups() if failures is None else failures
    queue = [
        m.QueueLine(target="crm", object="contacts", lane="live", state="waiting", depth=1_104 + 7 * tick, oldest_age_seconds=204.0 + tick),
        m.QueueLine(target="crm", object="deals", lane="live", state="waiting", depth=86, oldest_age_seconds=41.0),
        m.QueueLine(target="crm", object="contacts", lane="bulk", state="waiting", depth=12_400, oldest_age_seconds=1_930.0),
        m.QueueLine(target="crm", object="contacts", lane="live", state="unknown", depth=2, oldest_age_seconds=11.0),
        m.QueueLine(target="shop", object="customers", lane="live", state="waiting", depth=14, oldest_age_seconds=3.0),
        m.QueueLine(target="fold", object="customer", lane="live", state="waiting", depth=31, oldest_age_seconds=0.4),
    ]  # fmt: skip
    return m.Status(
        at=AT + 1000 * tick, version="0.1.0", instance=instance, started_at=AT - 7_320_000, state="running",
        counters=m.Counters(
            acknowledged=120_440 + 9 * tick, staged=119_804 + 9 * tick, duplicates=636, folded=119_770 + 9 * tick, echoes=31_012,
            delivered=88_310 + 42 * tick, unchanged=1_207, retries=412, replays=19, dead_letters_open=sum(one.count for one in listed),
        ),
        intake_latency=m.Percentiles(p50=0.0011, p95=0.0034, p99=0.0082, count=2_710),
        delivery_latency=m.Percentiles(p50=0.412, p95=1.84, p99=3.21, count=12_600),
        throughput_per_second=42.1 + tick,
        queue=queue,
        connections=[
            m.ConnectionLine(name="crm", system="hubspot", state="degraded", reason="3 of 260 calls answered 502 in the last minute",
                             since_at=AT - 95_000, last_success_at=AT - 400, calls_last_minute=260, errors_last_minute=3),
            m.ConnectionLine(name="shop", system="commercetools", state="up", since_at=AT - 7_320_000,
                             last_success_at=AT - 1_200, calls_last_minute=74),
        ],
        windows=windows(),
        series=[
            m.Series(name="throughput", step_seconds=5.0, values=_wave(120, 12, 58, 0.4)),
            m.Series(name="queue_depth", step_seconds=5.0, values=_wave(120, 400, 13_800, 1.9)),
            m.Series(name="latency_p95", step_seconds=5.0, values=[*_wave(70, 0.4, 2.2, 3.0), *[None] * 6, *_wave(44, 0.4, 2.6, 5.0)]),
            m.Series(name="failures", step_seconds=5.0, values=[1.0 if i % 17 == 3 or i % 29 == 7 else 0.0 for i in range(120)]),
            m.Series(name="intake", step_seconds=5.0, values=_wave(120, 3, 22, 2.2)),
        ],
        failures=listed,
        hydrations=[m.HydrationLine(mapping="crm.contacts", state="reading", seen=41_200, total=96_000, started_at=AT - 840_000)],
    )  # fmt: skip


def letter(number: int, fingerprint: str = BAD_MAIL, state: str = "open") -> m.DeadLetter:
    group = next(one for one in groups() if one.fingerprint == fingerprint)
    mail = person(number)[2]
    title = mail if group.entity == "customer" else f"Abandoned Cart: {mail}"
    return m.DeadLetter(
        id=number, kind="delivery", fingerprint=fingerprint, state=state, at=AT - 42_000 * (number % 50 + 1),  # type: ignore[arg-type]
        record_id=record_id(number, group.entity), title=title, entity=group.entity, connection=group.connection,
        object=group.object, code=group.code, message=group.message, attempts=1 + number % 3,
    )  # fmt: skip


def letter_detail(number: int, fingerprint: str = BAD_MAIL) -> m.DeadLetterDetail:
    first, last, mail = person(number)
    broken = mail.replace("@example.org", "@@example")
    return m.DeadLetterDetail(
        letter=letter(number, fingerprint),
        diff=[
            m.FieldDiff(field="email", type="email", before=mail, after=broken, personal=True, at_fault=True),
            m.FieldDiff(field="first_name", before=first, after=first, personal=True),
            m.FieldDiff(field="last_name", before=last, after=f"{last}-Byron", personal=True),
            m.FieldDiff(field="credit_limit", type="money", before_known=False, after={"amount": "1500.00", "currency": "EUR"}),
            m.FieldDiff(field="company", before="Analytical Engines", after=None),
            m.FieldDiff(field="customer_number", before="C-1001", after="C-1001", editable=False),
        ],
        sent={"email": broken, "lastname": f"{last}-Byron", "credit_limit": "1500.00", "credit_limit_currency": "EUR", "company": ""},
        reply='{"status":"error","message":"Property values were not valid","errors":[{"code":"INVALID_EMAIL",'
        '"context":{"propertyName":["email"]}}],"category":"VALIDATION_ERROR"}',
        correlation_id="01JGJ4B1K8",
        advice="Correct the e-mail address and replay; the shop will get the corrected one too.",
    )  # fmt: skip


def record_line(number: int) -> m.RecordLine:
    first, last, mail = person(number)
    states: list[Any] = ["in_step", "in_step", "in_step", "waiting", "in_step", "failed", "in_step", "in_step", "held"]
    if number % 5 == 4:
        return m.RecordLine(
            id=record_id(number, "cart"), entity="cart", title=f"Cart of {mail}", version=3, updated_at=AT - 61_000 * number,
            connections=["shop", "crm"], state=states[number % len(states)],
        )  # fmt: skip
    return m.RecordLine(
        id=record_id(number), entity="customer", title=f"{first} {last} <{mail}>", version=1 + number % 9,
        updated_at=AT - 37_000 * number, connections=["shop", "crm"], state=states[number % len(states)],
    )  # fmt: skip


def record_detail(number: int) -> m.RecordDetail:
    first, last, mail = person(number)

    def field(
        name: str, value: Any, crm: Any, shop: Any, origin: str = "shop", rule: str = "taken", **more: Any
    ) -> m.FieldLine:
        held = {
            key: m.HeldValue(known=theirs is not ..., value=None if theirs is ... else theirs, in_step=theirs == value)
            for key, theirs in (("crm.contacts", crm), ("shop.customers", shop))
        }
        kind = more.pop("type", "text")
        return m.FieldLine(field=name, type=kind, known=True, value=value, held=held, origin_connection=origin,
                           origin_at=AT - 3_720_000, origin_change=4_711, origin_rule=rule, **more)  # fmt: skip

    limit = {"amount": "1500.00", "currency": "EUR"}
    return m.RecordDetail(
        id=record_id(number), entity="customer", title=f"{first} {last} <{mail}>", version=7, created_at=AT - 86_400_000 * 3,
        updated_at=AT - 37_000,
        fields=[
            field("email", mail, mail, mail, type="email", owners=["shop"], personal=True),
            field("first_name", first, first, first, personal=True),
            field("last_name", f"{last}-Byron", last, f"{last}-Byron", rule="newest_wins", personal=True),
            field("phone", "+442079460000", ..., "+442079460000", type="phone", personal=True),
            field("company", "Analytical Engines", "Analytical Engines", None, "crm", "newest_wins"),
            field("customer_number", "C-1001", "C-1001", "C-1001", owners=["shop"]),
            field("credit_limit", limit, limit, limit, "crm", "owner_wins", type="money", owners=["crm"]),
            field("price_tier", "gold", "gold", "silver", "crm", "owner_wins", type="choice", owners=["crm"]),
        ],
        held=[
            m.Held(connection="crm", system="hubspot", object="contacts", external_id="90117", version="", modified_at=AT - 61_000,
                   gone=False, delivery_state="waiting", delivery_reason="retry after 502", due_at=AT + 9_000),
            m.Held(connection="shop", system="commercetools", object="customers", external_id="6f0c1e0a-77d1-4c43-9f1e-6b0f4a1f2c55",
                   version="12", modified_at=AT - 37_000, gone=False, delivery_state="done"),
        ],
        open_dead_letters=[number] if number % 9 == 5 else [],
    )  # fmt: skip


def history(identifier: str) -> m.History:
    decision = m.HistoryDecision
    return m.History(
        record_id=identifier,
        lines=[
            m.HistoryLine(version=7, at=AT - 37_000, connection="shop", channel="event", change_id=4_711, correlation_id="01JGJ4B1K8",
                          decisions=[decision(field="last_name", rule="newest_wins", before="Lovelace", after="Lovelace-Byron", theirs="Lovelace-Byron"),
                                     decision(field="price_tier", rule="not_owner", before="gold", after="gold", theirs="silver")]),
            m.HistoryLine(version=6, at=AT - 3_720_000, connection="crm", channel="webhook", change_id=4_502, correlation_id="01JGJ3ZK2A",
                          decisions=[decision(field="credit_limit", rule="owner_wins", before={"amount": "900.00", "currency": "EUR"},
                                              after={"amount": "1500.00", "currency": "EUR"}, theirs={"amount": "1500.00", "currency": "EUR"})]),
            m.HistoryLine(version=5, at=AT - 7_200_000, connection="", channel="operator", change_id=0, correlation_id="01JGJ3A0QP", who="jo",
                          why="customer rang about the invoice",
                          decisions=[decision(field="company", rule="edited", before=None, after="Analytical Engines", theirs="Analytical Engines")]),
            m.HistoryLine(version=1, at=AT - 86_400_000 * 3, connection="shop", channel="poll", change_id=12, correlation_id="01JGA00001",
                          decisions=[decision(field="email", rule="taken", before_known=False, after="ada.lovelace@example.org", theirs="ada.lovelace@example.org")]),
        ],
    )  # fmt: skip


def attempts(identifier: str) -> m.Attempts:
    return m.Attempts(
        record_id=identifier,
        lines=[
            m.AttemptLine(id=88, at=AT - 30_000, connection="crm", object="contacts", action="update", outcome="failed", duration_seconds=1.31,
                          fields=["last_name"], code="bad-gateway", message="502 from the vendor; tried again", status=502,
                          correlation_id="01JGJ4B1K8", sent={"lastname": "Lovelace-Byron"}),
            m.AttemptLine(id=71, at=AT - 3_715_000, connection="shop", object="customers", action="update", outcome="applied",
                          duration_seconds=0.184, fields=["credit_limit"], status=200, correlation_id="01JGJ3ZK2A",
                          sent={"custom.fields.creditLimit": {"centAmount": 150_000, "currencyCode": "EUR"}}),
            m.AttemptLine(id=65, at=AT - 7_198_000, connection="crm", object="contacts", action="update", outcome="unchanged",
                          duration_seconds=0.0, fields=[], correlation_id="01JGJ3A0QP"),
        ],
    )  # fmt: skip


def runs() -> m.Runs:
    return m.Runs(
        at=AT,
        runs=[
            m.RunLine(mapping="shop.customers", kind="poll", every_seconds=30.0, state="idle", last_started_at=AT - 12_000,
                      last_ended_at=AT - 11_200, next_at=AT + 18_000, seen=14, staged=2, cursor_age_seconds=11.0),
            m.RunLine(mapping="shop.carts", kind="poll", every_seconds=10.0, state="running", last_started_at=AT - 800, seen=3, staged=3),
            m.RunLine(mapping="crm.contacts", kind="hydrate", every_seconds=None, state="failed", last_started_at=AT - 90_000,
                      last_ended_at=AT - 60_000, error="403: the token lacks crm.objects.contacts.read"),
        ],
    )  # fmt: skip


def events() -> list[m.TailLine]:
    """Oldest first."""
    kinds: list[tuple[str, str, str, dict[str, Any]]] = [
        ("change.staged", "info", "shop", {"channel": "event"}),
        ("change.folded", "info", "shop", {"changed": ["last_name"], "rule": "newest_wins"}),
        ("delivery.done", "info", "crm", {"action": "update", "fields": ["lastname"], "seconds": 0.41}),
        ("delivery.retry", "warning", "crm", {"code": "bad-gateway", "in_seconds": 4}),
        ("delivery.dead", "error", "crm", {"code": "INVALID_EMAIL"}),
    ]
    return [
        m.TailLine(at=samples_at, event=event, level=level, connection=connection, entity="customer",
                   record_id=record_id(number), correlation_id="01JGJ4B1K8", detail=detail)
        for number in range(24)
        for samples_at, (event, level, connection, detail) in [(AT - 700 * (24 - number), kinds[(number * 7) % 5])]
    ]  # fmt: skip
