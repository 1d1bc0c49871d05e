"""Whether a system can do what the mappings ask of it: said by `syncd check`, and when the daemon starts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncd.model.change import Channel
from syncd.model.delivery import Action
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import UNKNOWN, Abilities, Finding, Severity, System


def misfits(system: System, mappings: Sequence[ObjectMapping]) -> list[Finding]:
    """What the mappings of a connection ask that its system cannot do. Makes no call."""
    return [finding for one in mappings for finding in _misfits(one, system.abilities(one.object))]


def _misfits(mapping: ObjectMapping, able: Abilities) -> Iterator[Finding]:
    if able == UNKNOWN:
        yield Finding(
            Severity.ERROR, "object-unknown", mapping.name, f"{mapping.connection} knows no object {mapping.object}",
            "correct the name (capital letters count), or take the mapping out",
        )  # fmt: skip
        return
    refused = sorted(mapping.write - able.actions)
    if refused:
        yield Finding(
            Severity.ERROR, "cannot-write", mapping.name, f"cannot {' or '.join(refused)} {mapping.object} there",
            f"set write = {sorted(mapping.write & able.actions)} in the mapping".replace("'", '"'),
        )  # fmt: skip
    if Action.CREATE in mapping.write & able.actions and not able.keyed:
        yield Finding(
            Severity.WARNING, "not-keyed", mapping.name, "what is created there carries no id of ours: an answer that "
            "is lost may leave it twice", "take create out of write, or let people create it",
        )  # fmt: skip
    yield from _untold(mapping, able)


def _untold(mapping: ObjectMapping, able: Abilities) -> Iterator[Finding]:
    asked = {
        Channel.POLL: mapping.capture.poll_seconds is not None, Channel.WEBHOOK: mapping.capture.webhook,
        Channel.STREAM: mapping.capture.stream,
    }  # fmt: skip
    for channel in (one for one, wanted in asked.items() if wanted and one not in able.tells):
        others = ", ".join(sorted(one for one in able.tells if one in asked)) or "nothing"
        yield Finding(
            Severity.WARNING, "channel-missing", mapping.name, f"{mapping.object} has no {channel}; there is: {others}",
            f"capture.{channel} = false",
        )  # fmt: skip
