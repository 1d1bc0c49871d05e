"""The life of a cart as sales sees it. Pure.

A cart has no ``stage`` until it has lain idle. Then it is ``abandoned``, ``ordered`` once the shop made an order of
it, ``emptied`` when nothing is left in it. Touching an abandoned cart leaves it abandoned (its deal is kept up to
date); one that is filled again after it was emptied is abandoned again only when it lies idle again.
"""

from __future__ import annotations

from typing import Final

from syncd.model.value import Fields, instant_to_ms

ABANDONED: Final = "abandoned"
ORDERED: Final = "ordered"
EMPTIED: Final = "emptied"


def stage_after(before: str | None, fields: Fields) -> str | None:
    """The stage once the shop's view in ``fields`` was folded into a cart that had the stage ``before``.

    ``fields["state"]`` is the shop's own word: ``Active``, ``Ordered``, ``Merged``, or another, which is passed on
    in lower case so that the CRM judges it and an operator sees what it was asked to take.
    """
    if before is None:
        return None
    state = str(fields.get("state") or "Active")
    if state == "Ordered":
        return ORDERED
    if state == "Merged":
        return EMPTIED
    if state != "Active":
        return state.lower()
    if not fields.get("items"):
        return EMPTIED
    return EMPTIED if before == EMPTIED else ABANDONED


def abandoned_at(fields: Fields, idle_ms: int) -> int | None:
    """When the cart will count as abandoned; ``None`` for one that will not (ordered, empty, nobody's, or
    abandoned already)."""
    if fields.get("state") != "Active" or fields.get("stage") not in (None, EMPTIED):
        return None
    touched = fields.get("touched_at")
    if touched is None or not fields.get("items") or not fields.get("email"):
        return None
    return instant_to_ms(touched) + idle_ms
