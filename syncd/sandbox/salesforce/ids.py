"""Record ids: 15 characters that tell case apart, or 18 with a checksum that survives losing case."""

from __future__ import annotations

from functools import lru_cache

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_KNOWN = frozenset(_ALPHABET)
_WEIGHTS = {sign: sign.isupper() for sign in _ALPHABET}


def checksum(id15: str) -> str:
    """The three characters behind a 15-character id: per group of five, which letters are upper case."""
    return _check(id15[:5]) + _check(id15[5:10]) + _check(id15[10:])


@lru_cache(1024)
def _check(group: str) -> str:
    return _CHECKS[sum(1 << place for place, sign in enumerate(group) if _WEIGHTS[sign])]


def normal(text: object) -> str:
    """The 18-character form of an id in either form, or an empty string when it is none.

    Of the long form the case of letters is taken from the checksum, as the vendor does.
    """
    if not isinstance(text, str) or not set(text) <= _KNOWN:
        return ""
    if len(text) == 15:
        return text + checksum(text)
    return _restored(text) if len(text) == 18 else ""


def _restored(id18: str) -> str:
    body, checks = id18[:15], id18[15:].upper()
    signs = []
    for place, sign in enumerate(body):
        if checks[place // 5] not in _CHECKS:
            return ""
        upper = _CHECKS.index(checks[place // 5]) >> place % 5 & 1
        if upper and not sign.isalpha():
            return ""
        signs.append(sign.upper() if upper else sign.lower())
    return "".join(signs) + checks


_PAIRS = [one + two for one in _ALPHABET for two in _ALPHABET]


@lru_cache(1024)
def _upper(number: int) -> str:
    return base62(number, 7)


def base62(number: int, width: int) -> str:
    signs = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        signs.append(_ALPHABET[rest])
    return "".join(reversed(signs))


class IdMaker:
    """Ids of one org, ascending per prefix."""

    def __init__(self, pod: str = "Sb0") -> None:
        self._pod = pod
        self._next: dict[str, int] = {}

    def reserve(self, prefix: str, count: int) -> int:
        """Keep that many numbers free for rows that were always there; the first of them."""
        first = self._next.get(prefix, 1)
        self._next[prefix] = first + count
        return first

    def at(self, prefix: str, number: int) -> str:
        upper, lower = divmod(number, len(_PAIRS))
        short = prefix + self._pod + _upper(upper) + _PAIRS[lower]
        return short + checksum(short)

    def number_of(self, prefix: str, id_: str) -> int:
        """The number of an 18-character id of this org; -1 for any other."""
        head = prefix + self._pod
        if len(id_) != 18 or not id_.startswith(head):
            return -1
        number = 0
        for sign in id_[len(head) : 15]:
            number = number * 62 + _ALPHABET.find(sign)
        return number if number >= 0 and self.at(prefix, number) == id_ else -1

    def new(self, prefix: str) -> str:
        number = self._next.get(prefix, 1)
        self._next[prefix] = number + 1
        return self.at(prefix, number)
