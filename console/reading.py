"""The verbs that look: each asks the daemon and says what it answered."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

from console.client import Client
from console.envelope import Answer, as_text, table
from console.sanitise import clean
from console.times import age, at_moment, duration, plural, rate, short_count
from console.values import as_json, gap_words, shown
from syncd.control import messages as m


async def status(client: Client) -> Answer:
    now = await client.status()
    depth, oldest = sum(x.depth for x in now.queue), max((x.oldest_age_seconds for x in now.queue), default=0.0)
    lines = [
        f"syncd {now.version} {now.state}, up {age((now.at - now.started_at) / 1000)}",
        f"waiting     {depth:,}, oldest {age(oldest)}",
        f"latency     {_percentiles(now.delivery_latency)}",
        f"intake      {_percentiles(now.intake_latency)}",
        f"throughput  {rate(now.throughput_per_second)}/s",
        f"failures    {now.counters.dead_letters_open:,} open",
        *(f"connection  {x.name} {x.state}{f': {x.reason}' if x.reason else ''}" for x in now.connections),
        *(f"gap         {x.mapping}: {gap_words(x)}" for x in now.gaps),
        *(f"note        {note}" for note in now.notes),
    ]
    return Answer(f"{now.state}, {depth:,} waiting, {now.counters.dead_letters_open:,} failures open", now, lines)


def _percentiles(measured: m.Percentiles) -> str:
    return f"p50 {duration(measured.p50)}, p95 {duration(measured.p95)}, p99 {duration(measured.p99)}"


async def queue(client: Client, *, connection: str, state: str, lane: str, limit: int) -> Answer:
    page = await client.queue(connection=connection, state=state, lane=lane, limit=limit)
    rows = [
        (x.connection, x.object, x.lane, x.state, x.attempts, age(x.age_seconds), x.record_id, x.title or x.reason)
        for x in page.items
    ]
    head = ("TARGET", "OBJECT", "LANE", "STATE", "TRIES", "AGE", "RECORD", "TITLE")
    return Answer(
        f"{len(page.items):,} of {plural(page.total, 'delivery', 'deliveries')}", page, table(head, rows, right=(4, 5))
    )


async def failures(client: Client, *, connection: str, entity: str) -> Answer:
    found = await client.failures(connection=connection, entity=entity)
    rows = [
        (
            x.count,
            x.fingerprint,
            f"{x.connection}.{x.object}",
            x.code,
            age((found.at - x.first_at) / 1000),
            age((found.at - x.last_at) / 1000),
            x.message,
        )
        for x in found.groups
    ]
    head = ("N", "FINGERPRINT", "WHERE", "CAUSE", "FIRST", "LAST", "THE VENDOR SAYS")
    summary = f"{plural(found.open_total, 'failure')} open in {plural(len(found.groups), 'cause')}"
    return Answer(summary, found, table(head, rows, right=(0, 4, 5)) if rows else ())


async def failure(client: Client, fingerprint: str, *, limit: int) -> Answer:
    page = await client.dead_letters(fingerprint, limit=limit)
    rows = [(x.id, x.record_id, x.title, x.attempts, at_moment(x.at), f"{x.code}: {x.message}") for x in page.items]
    head = ("ID", "RECORD", "TITLE", "TRIES", "AT", "CAUSE")
    return Answer(f"{len(page.items):,} of {plural(page.total, 'dead letter')}", page, table(head, rows, right=(0, 3)))


async def records(client: Client, query: str, *, entity: str, limit: int) -> Answer:
    page = await client.records(query, entity=entity, limit=limit)
    rows = [
        (x.id, x.entity, x.state.replace("_", " "), x.version, at_moment(x.updated_at), x.title) for x in page.items
    ]
    head = ("ID", "ENTITY", "STATE", "V", "UPDATED", "TITLE")
    capped = f" (only the first {page.searched:,} were searched)" if page.capped else ""
    return Answer(f"{len(page.items):,} of {plural(page.total, 'record')}{capped}", page, table(head, rows, right=(3,)))


async def record(client: Client, record_id: str, *, differences_only: bool) -> Answer:
    """Golden record beside what each connection holds; with ``differences_only`` the fields that are not in step."""
    found = await client.record(record_id)
    places = [f"{x.connection}.{x.object}" for x in found.held]
    fields = [x for x in found.fields if not differences_only or _differs(x)]
    rows = [
        (
            x.field,
            shown(x.value, x.type, known=x.known),
            *(_held(x, place) for place in places),
            f"{x.origin_connection} {x.origin_rule}".strip(),
        )
        for x in fields
    ]
    lines = [
        f"{found.title}  {found.id}  v{found.version}",
        *(
            f"{x.connection}.{x.object} {x.external_id or 'not linked'}: {'gone' if x.gone else x.delivery_state}"
            f"{f' ({x.delivery_reason})' if x.delivery_reason else ''}"
            for x in found.held
        ),
        *table(("FIELD", "GOLDEN", *(place.upper() for place in places), "FROM"), rows),
    ]
    out = sum(_differs(x) for x in found.fields)
    result: Any = {"id": found.id, "fields": fields} if differences_only else found
    return Answer(f"{plural(out, 'field')} not in step" if out else "every field is in step", result, lines)


def _differs(line: m.FieldLine) -> bool:
    return any(x.known and not x.in_step for x in line.held.values())


def _held(line: m.FieldLine, place: str) -> str:
    held = line.held.get(place)
    if held is None or not held.known:
        return "-"
    return f"{'=' if held.in_step else '≠'} {shown(held.value, line.type)}"


async def history(client: Client, record_id: str, *, limit: int) -> Answer:
    past = await client.history(record_id, limit=limit)
    rows = [
        (
            f"v{x.version}",
            at_moment(x.at),
            x.who or x.connection or x.channel,
            d.field,
            shown(d.before, known=d.before_known),
            shown(d.after),
            d.rule,
            x.why,
        )
        for x in past.lines
        for d in x.decisions
    ]
    head = ("V", "AT", "FROM", "FIELD", "BEFORE", "AFTER", "BECAUSE", "WHY")
    return Answer(plural(len(past.lines), "version"), past, table(head, rows) if rows else ())


async def attempts(client: Client, record_id: str, *, limit: int) -> Answer:
    tried = await client.attempts(record_id, limit=limit)
    rows = [
        (
            at_moment(x.at),
            f"{x.connection}.{x.object}",
            x.action,
            x.outcome,
            duration(x.duration_seconds),
            x.status or "",
            x.code,
            ", ".join(x.fields),
            x.message,
        )
        for x in tried.lines
    ]
    head = ("AT", "WHERE", "ACTION", "OUTCOME", "TOOK", "STATUS", "CODE", "FIELDS", "MESSAGE")
    return Answer(plural(len(tried.lines), "attempt"), tried, table(head, rows, right=(4, 5)) if rows else ())


async def budgets(client: Client) -> Answer:
    found = await client.budgets()
    rows = [
        (
            x.connection,
            x.window,
            f"{short_count(x.used)}/{short_count(x.limit)}",
            short_count(x.own),
            age(x.resets_in_seconds),
            age(x.exhausted_in_seconds) if x.exhausted_in_seconds is not None else "lasts",
            ", ".join(f"{lane} {share:.0%}" for lane, share in x.reserves.items()),
        )
        for x in found.windows
    ]
    head = ("CONNECTION", "WINDOW", "USED", "OWN", "RESETS IN", "RUNS OUT IN", "RESERVED")
    short = sum(x.exhausted_in_seconds is not None for x in found.windows)
    summary = f"{plural(short, 'window')} will run out before the reset" if short else "every window lasts"
    return Answer(summary, found, table(head, rows, right=(2, 3, 4, 5)) if rows else ())


async def runs(client: Client) -> Answer:
    found = await client.runs()
    rows = [
        (
            x.mapping,
            x.kind,
            x.state,
            age(x.every_seconds) if x.every_seconds else "-",
            at_moment(x.last_started_at),
            x.seen,
            x.staged,
            gap_words(x.gap) if x.gap else x.error,
        )
        for x in found.runs
    ]
    head = ("MAPPING", "KIND", "STATE", "EVERY", "LAST STARTED", "SEEN", "STAGED", "ERROR")
    failed = sum(x.state == "failed" for x in found.runs)
    return Answer(
        f"{plural(len(found.runs), 'run')}, {failed} failed", found, table(head, rows, right=(3, 5, 6)) if rows else ()
    )


async def tail(lines: AsyncIterator[m.TailLine], *, in_json: bool) -> None:
    """Print events as they come, flushed line by line; with ``in_json`` one envelope a line."""
    async for one in lines:
        if in_json:
            text = as_text("tail", Answer(one.event, one))
        else:
            about = " ".join(x for x in (one.connection, one.entity, one.record_id, one.correlation_id) if x)
            detail = " ".join(f"{key}={as_json(value)}" for key, value in one.detail.items())
            text = clean(f"{at_moment(one.at)} {one.level:5} {one.event} {about} {detail}".rstrip())
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
