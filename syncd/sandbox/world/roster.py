"""Which members of the world a system knows, and how often: arithmetic in both directions.

Of each hundred members in a row the same shares are known, unknown, doubled, merged and deleted; which ones differs
from hundred to hundred. So the place of a record tells the member, and the member the places of its records.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from syncd.sandbox.world.dice import mix

BLOCK = 100


class Fate(Enum):
    LIVE = "live"
    DELETED = "deleted"
    """In the recycle bin, where the system has one; else there is no such record."""
    ABSORBED = "absorbed"
    """Live, and it has absorbed a duplicate whose id still leads to it."""


@dataclass(frozen=True, slots=True)
class Known:
    """One record of a system: of whom, and what became of it."""

    member: int
    copy: int
    """0, or 1 for the duplicate of somebody who is there already."""
    fate: Fate


@dataclass(frozen=True, slots=True)
class Shares:
    """Of each hundred members: those from ``first`` to before ``end`` are known; some of them specially."""

    first: int
    end: int
    doubled: tuple[int, ...] = ()
    deleted: tuple[int, ...] = ()
    merged: tuple[int, ...] = ()
    """Beside the record there is a deleted duplicate that was merged into it."""
    absorbed: tuple[int, ...] = ()


class Roster:
    def __init__(self, shares: Shares, size: int, seed: int) -> None:
        """``size``: how many members the world has."""
        self._size, self._seed = size, seed
        self._slots = list(_slots(shares))
        self._places: dict[int, tuple[int, ...]] = {}
        for place, (slot, _, _) in enumerate(self._slots):
            self._places[slot] = (*self._places.get(slot, ()), place)
        self._full = size // BLOCK
        self._tail = [place for place in range(len(self._slots)) if self._member(self._full, place) < size]
        self._length = self._full * len(self._slots) + len(self._tail)

    def __len__(self) -> int:
        """How many records there are, deleted ones too."""
        return self._length

    def _turn(self, block: int) -> int:
        return mix(self._seed, block, 2) % BLOCK

    def _member(self, block: int, place: int) -> int:
        return block * BLOCK + (self._slots[place][0] + self._turn(block)) % BLOCK

    def at(self, rank: int) -> Known:
        """Who stands at a place, 0 to below the length."""
        block, place = divmod(rank, len(self._slots))
        if block == self._full:
            place = self._tail[place]
        _, copy, fate = self._slots[place]
        return Known(self._member(block, place), copy, fate)

    def fate(self, rank: int) -> Fate:
        block, place = divmod(rank, len(self._slots))
        return self._slots[self._tail[place] if block == self._full else place][2]

    def ranks(self, member: int) -> tuple[int, ...]:
        """The places of a member's records, the first one first; empty where it is not known."""
        if not 0 <= member < self._size:
            return ()
        block, offset = divmod(member, BLOCK)
        places = self._places.get((offset - self._turn(block)) % BLOCK, ())
        if block == self._full:
            return tuple(block * len(self._slots) + self._tail.index(place) for place in places)
        return tuple(block * len(self._slots) + place for place in places)

    def live(self) -> int:
        """How many records are not deleted."""
        gone = [place for place, (_, _, fate) in enumerate(self._slots) if fate is Fate.DELETED]
        return self._length - self._full * len(gone) - sum(place in gone for place in self._tail)


def _slots(shares: Shares) -> Iterable[tuple[int, int, Fate]]:
    """Slot, copy and fate of each record of a hundred members, in the order of the records."""
    for slot in range(shares.first, shares.end):
        fate = Fate.DELETED if slot in shares.deleted else Fate.ABSORBED if slot in shares.absorbed else Fate.LIVE
        yield slot, 0, fate
    for slot in shares.doubled:
        yield slot, 1, Fate.LIVE
    for slot in shares.merged:
        yield slot, 1, Fate.DELETED
