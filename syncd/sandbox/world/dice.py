"""Numbers that look thrown and are not: the same for the same seed, number and question, in any order."""

from __future__ import annotations

import math

_MASK = (1 << 64) - 1


def mix(seed: int, number: int, question: int) -> int:
    """64 bits that seem unrelated to those of any other seed, number or question."""
    x = (number * 0x9E3779B97F4A7C15 + question * 0xD1B54A32D192ED03 + seed * 0x8CB92BA72F3D8DD7) & _MASK
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & _MASK
    return x ^ x >> 31


class Shuffle:
    """A fixed reordering of 0 .. size - 1 that can be asked both ways without having been written down."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self._factor = max(1, int(size * 0.6180339887))
        while math.gcd(self._factor, size) != 1:
            self._factor += 1
        self._shift = mix(seed, size, 1) % size if size else 0
        self._back = pow(self._factor, -1, size) if size > 1 else 0

    def at(self, place: int) -> int:
        return (place * self._factor + self._shift) % self.size

    def place_of(self, value: int) -> int:
        return (value - self._shift) * self._back % self.size
