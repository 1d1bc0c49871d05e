"""By which channels the changes of an object come to be known, and which kinds of change each can tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd.model.change import ChangeKind, Channel
from syncd.systems.hubspot.objects import mergeable, told_by_id
from syncd.systems.hubspot.settings import Settings

ALWAYS: Final = frozenset({ChangeKind.STATE, ChangeKind.DELETED})
ERASABLE: Final = frozenset({"contacts"})
"""Objects of which the vendor tells a privacy deletion; of others it is a deletion like any."""


def tells(settings: Settings, object_: str) -> Mapping[Channel, frozenset[ChangeKind]]:
    """Search and lists never show what was archived or merged away: only webhooks and the journal tell."""
    told = ALWAYS
    if object_ in ERASABLE:
        told |= {ChangeKind.ERASED}
    if mergeable(object_):
        told |= {ChangeKind.MERGED}
    channels = {Channel.POLL: frozenset({ChangeKind.STATE})}
    if settings.webhook_secrets and settings.public_url and told_by_id(object_):
        channels[Channel.WEBHOOK] = told
    if settings.journal is not None and told_by_id(object_):
        channels[Channel.STREAM] = told
    return channels
