"""The verbs that change something. A filter is counted first, and asked about unless ``--yes`` was given."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from console.client import Client, new_command_id
from console.envelope import Answer, UsageProblemError
from console.sanitise import clean
from console.times import plural
from console.values import ValueProblemError, parsed, shown
from syncd.control import messages as m
from syncd.control.merge_messages import MergeRequest, MergeResult

MERGE_LOOKS = 60
"""How often it is asked, every half second, whether a merge has ended."""


def operator(environment: Mapping[str, str] = os.environ) -> str:
    """Who acts, for the audit: the person behind sudo, or the login name."""
    return environment.get("SUDO_USER") or getpass.getuser()


def selection(ids: Sequence[int], *, fingerprint: str, connection: str, entity: str, everything: bool) -> m.Selection:
    """Exactly one of the two forms: ids, or a filter."""
    filtered = bool(fingerprint or connection or entity or everything)
    if bool(ids) == filtered:
        raise UsageProblemError(
            "name dead letters by id, or say --fingerprint, --connection, --entity or --all; not both"
        )
    return m.Selection(ids=list(ids), fingerprint=fingerprint, connection=connection, entity=entity, all=everything)


def ask(question: str) -> bool:
    """Ask on the terminal; without one the answer is a usage problem, never a silent yes."""
    if not sys.stdin.isatty():
        raise UsageProblemError(f"{question}: say --yes to go on without being asked")
    sys.stderr.write(f"{clean(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _agreed(count: str, *, yes: bool, asked: Callable[[str], bool]) -> bool:
    """The count is said in any case; with ``yes`` nobody is asked."""
    if yes:
        sys.stderr.write(f"{clean(count)}\n")
    return yes or asked(count)


async def replay(
    client: Client,
    which: m.Selection,
    *,
    edits: Sequence[str],
    why: str,
    preview: bool,
    yes: bool,
    asked: Callable[[str], bool] = ask,
) -> Answer:
    if edits and len(which.ids) != 1:
        raise UsageProblemError("--set edits one dead letter: name exactly one id")
    detail = await client.dead_letter(which.ids[0]) if len(which.ids) == 1 else None
    values = _edits(edits, detail) if detail else {}

    def request(*, only_preview: bool) -> m.ReplayRequest:
        return m.ReplayRequest(
            command_id=new_command_id(), selection=which, who=operator(), why=why, edits=values, preview=only_preview
        )

    if preview or not which.ids:
        seen = await client.replay(request(only_preview=True))
        would = seen.matched - len(seen.refused)
        if preview:
            diff = _diff(detail, values) if detail else []
            summary = f"{plural(would, 'dead letter')} would be replayed"
            return Answer(summary, seen, [*diff, *seen.refused, summary])
        if not would:
            return Answer("no open dead letter matches", seen)
        if not _agreed(f"{plural(would, 'dead letter')} will be replayed", yes=yes, asked=asked):
            return Answer("nothing was replayed", seen, ok=False)
    done = await client.replay(request(only_preview=False))
    summary = f"{done.replayed:,} of {plural(done.matched, 'dead letter')} replayed"
    return Answer(summary, done, done.refused, ok=done.replayed == done.matched and done.matched > 0)


async def discard(
    client: Client, which: m.Selection, *, why: str, yes: bool, asked: Callable[[str], bool] = ask
) -> Answer:
    if not why.strip():
        raise UsageProblemError("--why is required: it is kept in the audit")
    if not which.ids:
        # A preview of a replay matches what a discard would.
        peek = m.ReplayRequest(command_id=new_command_id(), selection=which, who=operator(), preview=True)
        seen = await client.replay(peek)
        if not seen.matched:
            return Answer("no open dead letter matches", m.DiscardResult(matched=0, discarded=0))
        if not _agreed(f"{plural(seen.matched, 'dead letter')} will be discarded", yes=yes, asked=asked):
            return Answer("nothing was discarded", m.DiscardResult(matched=seen.matched, discarded=0), ok=False)
    done = await client.discard(
        m.DiscardRequest(command_id=new_command_id(), selection=which, who=operator(), why=why.strip())
    )
    summary = f"{done.discarded:,} of {plural(done.matched, 'dead letter')} discarded"
    return Answer(summary, done, ok=done.discarded == done.matched and done.matched > 0)


async def merge(
    client: Client, survivor: str, absorbed: str, *, why: str, preview: bool, yes: bool,
    asked: Callable[[str], bool] = ask, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Answer:  # fmt: skip
    """Show what would be merged where, ask, order it, and wait for its end."""
    command_id = new_command_id()

    def request(*, only_preview: bool) -> MergeRequest:
        return MergeRequest(
            command_id=command_id, survivor=survivor, absorbed=absorbed, who=operator(), why=why, preview=only_preview
        )

    seen = await client.merge(request(only_preview=True))
    lines = merge_lines(seen)
    if seen.refused:
        return Answer(f"{absorbed} cannot be merged into {survivor}", seen, lines, ok=False)
    if preview:
        return Answer(f"{absorbed} would be merged into {survivor}", seen, lines)
    sys.stderr.write("".join(f"{clean(one)}\n" for one in lines))
    if not yes and not asked(f"{absorbed} will be merged into {survivor}; that cannot be undone"):
        return Answer("nothing was merged", seen, ok=False)
    done = await client.merge(request(only_preview=False))
    for _ in range(MERGE_LOOKS):
        if done.state != "open":
            break
        await sleep(0.5)
        # The same command again: it says how far it is.
        done = await client.merge(request(only_preview=False))
    told = {
        "done": f"{absorbed} is merged into {survivor}", "failed": f"not merged: {done.reason}",
        "open": "ordered; a vendor must merge first, and syncd goes on by itself",
    }  # fmt: skip
    return Answer(told[done.state], done, ok=done.state != "failed")


def merge_lines(seen: MergeResult) -> list[str]:
    """What a merge would do, a line each."""
    lines = [*seen.refused]
    for place in seen.places:
        if place.action == "merges":
            lines.append(f"{place.place}: {place.absorbed_id} is merged into {place.survivor_id} there, for good")
        else:
            lines.append(f"{place.place}: {place.absorbed_id} becomes the survivor's")
    for one in seen.fields:
        mine, theirs = (shown(value, one.type, known=value is not None) for value in (one.survivor, one.absorbed))
        lines.append(f"{one.field}: {mine} | {theirs} -> {shown(one.result, one.type)}")
    return lines


async def run_now(client: Client, mapping: str, *, kind: str) -> Answer:
    # The kinds of a run are checked by the command line already.
    done = await client.run_now(
        m.RunNowRequest(mapping=mapping, kind="hydrate" if kind == "hydrate" else "poll", who=operator())
    )
    return Answer(
        f"{mapping} started" if done.started else f"{mapping} was not started: {done.reason}", done, ok=done.started
    )


async def set_flow(client: Client, target: str, *, paused: bool, why: str) -> Answer:
    done = await client.set_flow(
        m.FlowRequest(command_id=new_command_id(), target=target, paused=paused, who=operator(), why=why)
    )
    state = "paused" if done.paused else "flowing"
    return Answer(f"{done.target} {'is' if done.changed else 'was already'} {state}", done)


def _edits(pairs: Sequence[str], detail: m.DeadLetterDetail) -> dict[str, Any]:
    """``field=value`` pairs as canonical values, by the types of the fields. Nothing after ``=`` clears the field."""
    fields = {one.field: one for one in detail.diff}
    values: dict[str, Any] = {}
    for pair in pairs:
        name, found, text = pair.partition("=")
        if not found or not name:
            raise UsageProblemError(f"--set {pair}: expected field=value")
        field = fields.get(name)
        if field is None or not field.editable:
            known = ", ".join(sorted(one.field for one in detail.diff if one.editable)) or "none"
            raise UsageProblemError(f"--set {name}: not a field that can be edited here; these can: {known}")
        try:
            values[name] = parsed(text, field.type)
        except ValueProblemError as error:
            raise UsageProblemError(f"--set {name}: {error}") from None
    return values


def _diff(detail: m.DeadLetterDetail, values: Mapping[str, Any]) -> list[str]:
    lines = []
    for one in detail.diff:
        after = values.get(one.field, one.after)
        if one.before_known and one.before == after:
            continue
        before = shown(one.before, one.type, known=one.before_known)
        edited = " (edited)" if one.field in values else ""
        lines.append(f"{one.field}: {before} -> {shown(after, one.type)}{edited}")
    return lines
