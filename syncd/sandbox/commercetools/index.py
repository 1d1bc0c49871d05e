"""A sorted set that stays quick with hundreds of thousands of members."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

_K = TypeVar("_K", str, tuple[str, str])
_BLOCK = 1000


class SortedKeys(Generic[_K]):
    """Blocks of sorted lists: adding and removing move at most one block, walking starts anywhere."""

    def __init__(self) -> None:
        self._blocks: list[list[_K]] = []
        self._firsts: list[_K] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, key: _K) -> None:
        self._length += 1
        if not self._blocks:
            self._blocks, self._firsts = [[key]], [key]
            return
        place = self._block_of(key)
        block = self._blocks[place]
        insort(block, key)
        self._firsts[place] = block[0]
        if len(block) > 2 * _BLOCK:
            # A split in the middle would leave half-empty blocks behind when keys only ever grow at the end.
            cut = _BLOCK * 2 if place == len(self._blocks) - 1 and block[-1] == key else _BLOCK
            self._blocks[place : place + 1] = [block[:cut], block[cut:]]
            self._firsts[place : place + 1] = [block[0], block[cut]]

    def remove(self, key: _K) -> None:
        """Raises KeyError when it is not a member."""
        place = self._block_of(key) if self._blocks else 0
        block = self._blocks[place] if self._blocks else []
        at = bisect_left(block, key)
        if at == len(block) or block[at] != key:
            raise KeyError(key)
        del block[at]
        self._length -= 1
        if block:
            self._firsts[place] = block[0]
        else:
            del self._blocks[place]
            del self._firsts[place]

    def walk(self, start: _K | None = None, *, backwards: bool = False) -> Iterator[_K]:
        """Members from ``start`` on, included: upwards the first not below it, downwards the first not above it."""
        if not self._blocks:
            return
        if backwards:
            yield from self._walk_down(start)
            return
        place = 0 if start is None else self._block_of(start)
        at = 0 if start is None else bisect_left(self._blocks[place], start)
        for block in self._blocks[place:]:
            yield from block[at:]
            at = 0

    def _walk_down(self, start: _K | None) -> Iterator[_K]:
        place = len(self._blocks) - 1 if start is None else self._block_of(start)
        for number in range(place, -1, -1):
            for key in reversed(self._blocks[number]):
                if start is None or key <= start:
                    yield key

    def _block_of(self, key: _K) -> int:
        at = bisect_left(self._firsts, key)
        if at < len(self._firsts) and self._firsts[at] == key:
            return at
        return max(at - 1, 0)
