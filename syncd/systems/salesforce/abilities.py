"""What can be done with each kind of object, as the vendor documents it. Pure tables.

Which objects an org has, and which of them it selected for change events, the org alone knows (`syncd check` asks it);
here stands what can be true of an object at all. Source: the object reference, calls supported by each object; the list
of objects with change events, which is read the cautious way: what is not known to have them is polled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from syncd.model.change import ChangeKind, Channel
from syncd.model.delivery import Action
from syncd.systems.contract import UNKNOWN, Abilities

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NO_RECORDS: Final = re.compile(r"(?i).*(?:__e|__x|__mdt|__chn|ChangeEvent|__Share|__History|__Feed)")
"""Events, external objects, metadata and the org's own books of records: nothing to keep in step."""

WRITES: Final = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
TOLD: Final = frozenset({ChangeKind.STATE, ChangeKind.DELETED})
TOLD_WHOLE: Final = TOLD | {ChangeKind.MERGED}

PLAIN: Final = Abilities(scans=True, actions=WRITES, keyed=True, tells={Channel.POLL: TOLD}, bulk=True)
"""Any standard object: read, written, deleted; told of by polls and the feed of deletions."""
FULL: Final = replace(
    PLAIN, actions=WRITES | {Action.RESTORE}, tells={Channel.POLL: TOLD, Channel.STREAM: TOLD}
)  # fmt: skip
"""With a recycle bin, and with change events."""
MERGED: Final = replace(FULL, merges=True, tells={Channel.POLL: TOLD_WHOLE, Channel.STREAM: TOLD_WHOLE})
_STATES: Final = frozenset({ChangeKind.STATE})

BY_OBJECT: Final[Mapping[str, Abilities]] = {
    "account": MERGED,
    "contact": replace(MERGED, converts=frozenset({"Lead"})),
    "lead": MERGED,
    "case": MERGED,
    "opportunity": FULL,
    "order": FULL,
    "product2": FULL,
    "campaign": FULL,
    # The list of objects with events does not name the ones that follow, or the org decides; they are polled.
    "pricebook2": replace(PLAIN, actions=WRITES | {Action.RESTORE}),
    "opportunitylineitem": PLAIN,
    "campaignmember": PLAIN,
    # A row that is deleted is gone for good.
    "orderitem": replace(FULL, actions=WRITES),
    "pricebookentry": replace(FULL, actions=WRITES),
    # Deactivated, never deleted.
    "user": replace(FULL, actions=frozenset({Action.CREATE, Action.UPDATE}),
                    tells={Channel.POLL: _STATES, Channel.STREAM: _STATES}),
    # Neither custom fields (so no key of ours), nor a feed of deletions, nor events.
    "permissionset": replace(PLAIN, keyed=False, tells={Channel.POLL: _STATES}, bulk=False),
    "permissionsetassignment": replace(PLAIN, actions=frozenset({Action.CREATE, Action.DELETE}), keyed=False,
                                       tells={Channel.POLL: _STATES}, bulk=False),
}  # fmt: skip

NATURAL_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "permissionset": ("Name",),
    "permissionsetassignment": ("AssigneeId", "PermissionSetId"),
    "pricebookentry": ("Pricebook2Id", "Product2Id", "CurrencyIsoCode"),
    "campaignmember": ("CampaignId", "ContactId", "LeadId"),
}
"""Fields by which the vendor itself keeps records from being there twice: its refusal does not name the one that is.
The first two objects cannot carry our key, so these fields are all that tells them apart."""


def abilities_of(object_: str) -> Abilities:
    if not _NAME.fullmatch(object_) or _NO_RECORDS.fullmatch(object_):
        return UNKNOWN
    if object_.lower().endswith("__c"):
        return FULL
    return BY_OBJECT.get(object_.lower(), PLAIN)
