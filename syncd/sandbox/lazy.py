"""Rows that were always there and are made only when somebody looks: what lets half a million fit in.

A vendor writes a :class:`Base` for a kind: its rows by place, with ids and unique values that lead back to the place. A
:class:`Segment` of it stands in the vendor's table beneath the rows that the table holds itself, and answers for those
that nobody has touched. A row that is changed moves into the table for good and keeps its id (:meth:`Segment.change`);
one that is deleted is hidden (:meth:`Segment.drop`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload
from weakref import WeakValueDictionary

from syncd.sandbox.world.dice import Shuffle

Id = TypeVar("Id", bound=str | int)
Made = TypeVar("Made")

BORN_MS, BORN_UNTIL_MS = 1_640_995_200_000, 1_735_689_600_000
"""Rows of a base were made in 2022 to 2024, in the order of their ids,"""
CHANGED_MS, CHANGED_UNTIL_MS = BORN_UNTIL_MS, 1_767_225_600_000
"""and last changed in 2025, in quite another order, several at the same moment."""
TIES = 3

_UNTOUCHED, _CHANGED, _GONE = 0, 1, 2


class Base(ABC, Generic[Id, Made]):
    """Rows of one kind, by rank: 0 to below :attr:`size`, in the order of their ids. Never changes."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self._order = Shuffle(size, seed)
        self._clusters = range(-(-size // TIES))

    @abstractmethod
    def id_at(self, rank: int) -> Id:
        """Ascending with the rank."""

    @abstractmethod
    def rank_of(self, id: Id) -> int | None:  # noqa: A002
        """The rank of an id, ``None`` for any that :meth:`id_at` does not give."""

    @abstractmethod
    def make(self, rank: int) -> Made:
        """The row, as the vendor's table would hold it."""

    @abstractmethod
    def find(self, path: str, value: Any) -> Iterable[int]:
        """Ascending ranks of the rows that have a value at an indexed path."""

    # -- time

    def born_ms(self, rank: int) -> int:
        return BORN_MS + rank * (BORN_UNTIL_MS - BORN_MS) // self.size

    def changed_ms(self, rank: int) -> int:
        return self._moment(self._order.place_of(rank) // TIES)

    def _moment(self, group: int) -> int:
        return CHANGED_MS + group * (CHANGED_UNTIL_MS - CHANGED_MS) // len(self._clusters)

    def by_time(self, from_ms: int | None = None, *, backwards: bool = False) -> Iterator[tuple[int, int]]:
        """(last change in ms, rank) from a moment on, itself included; of the same moment in the order of ids."""
        groups = self._clusters
        if from_ms is not None and backwards:
            groups = groups[: bisect_right(groups, from_ms, key=self._moment)]
        elif from_ms is not None:
            groups = groups[bisect_left(groups, from_ms, key=self._moment) :]
        for group in reversed(groups) if backwards else groups:
            places = range(group * TIES, min(group * TIES + TIES, self.size))
            moment = self._moment(group)
            for rank in sorted(map(self._order.at, places), reverse=backwards):
                yield moment, rank


class Ids(Sequence[Id], Generic[Id]):
    """Ids in ascending order: those of a base that are not gone, then others. As they were when it was made."""

    def __init__(self, base: Base[Id, Any], gone: Sequence[int], more: Sequence[Id]) -> None:
        self._base = base
        self._gone = list(gone)
        self._kept = base.size - len(self._gone)
        self._steps = [rank - place for place, rank in enumerate(self._gone)]
        self._more = more

    def __len__(self) -> int:
        return self._kept + len(self._more)

    @overload
    def __getitem__(self, place: int) -> Id: ...
    @overload
    def __getitem__(self, place: slice) -> list[Id]: ...
    def __getitem__(self, place: int | slice) -> Id | list[Id]:
        if isinstance(place, slice):
            return [self._at(one) for one in range(*place.indices(len(self)))]
        return self._at(range(len(self))[place])

    def _at(self, place: int) -> Id:
        if place >= self._kept:
            return self._more[place - self._kept]
        # The rank is as far beyond the place as ranks before it are gone.
        return self._base.id_at(place + bisect_right(self._steps, place))

    def __iter__(self) -> Iterator[Id]:
        gone = set(self._gone)
        yield from (self._base.id_at(rank) for rank in range(self._base.size) if rank not in gone)
        yield from self._more


class Segment(Generic[Id, Made]):
    """What is left untouched of a base."""

    def __init__(self, base: Base[Id, Made], *, same: bool = False) -> None:
        """``same``: whoever asks for a row while somebody holds it gets that very object (rows that are objects)."""
        self.base = base
        self.gone: list[int] = []
        """Ranks, ascending."""
        self._state = bytearray(base.size)
        self._held: WeakValueDictionary[int, Any] | None = WeakValueDictionary() if same else None

    def __len__(self) -> int:
        """How many are not gone: untouched ones and those the table holds by now."""
        return self.base.size - len(self.gone)

    def rank(self, id: Id) -> int | None:  # noqa: A002
        """The rank of an untouched row."""
        rank = self.base.rank_of(id)
        return rank if rank is not None and self._state[rank] == _UNTOUCHED else None

    def owns(self, id: Id) -> bool:  # noqa: A002
        """Whether it is one of the base's that is not gone, untouched or not."""
        rank = self.base.rank_of(id)
        return rank is not None and self._state[rank] != _GONE

    def get(self, id: Id) -> Made | None:  # noqa: A002
        """An untouched row."""
        rank = self.rank(id)
        return None if rank is None else self.row(rank)

    def row(self, rank: int) -> Made:
        if self._held is None:
            return self.base.make(rank)
        held = self._held.get(rank)
        if held is None:
            held = self._held[rank] = self.base.make(rank)
        made: Made = held
        return made

    def change(self, id: Id) -> bool:  # noqa: A002
        """From now on the table holds the row. Whether it was untouched."""
        return self._leave(id, _CHANGED)

    def drop(self, id: Id) -> None:  # noqa: A002
        """Hide a row for good, also one that the table held."""
        if self.owns(id):
            self._leave(id, _GONE)

    def _leave(self, id: Id, state: int) -> bool:  # noqa: A002
        rank = self.base.rank_of(id)
        if rank is None or self._state[rank] >= state:
            return False
        self._state[rank] = state
        if state == _GONE:
            insort(self.gone, rank)
        return True

    # -- walking

    def ids(self, more: Sequence[Id] = ()) -> Ids[Id]:
        """Those that are not gone, then others that are greater."""
        return Ids(self.base, self.gone, more)

    def ranks(self) -> Iterator[tuple[int, bool]]:
        """Ascending ranks that are not gone, and whether they are untouched."""
        return ((rank, state == _UNTOUCHED) for rank, state in enumerate(self._state) if state != _GONE)

    def by_time(self, from_ms: int | None = None, *, backwards: bool = False) -> Iterator[tuple[int, int]]:
        state = self._state
        walk = self.base.by_time(from_ms, backwards=backwards)
        return ((moment, rank) for moment, rank in walk if state[rank] == _UNTOUCHED)

    def find(self, path: str, value: Any) -> Iterator[Id]:
        """Ids of the untouched rows that have a value."""
        state = self._state
        return (self.base.id_at(rank) for rank in self.base.find(path, value) if state[rank] == _UNTOUCHED)
