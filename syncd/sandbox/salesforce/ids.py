"""Record ids: 15 characters that tell case apart, or 18 with a checksum that survives losing case."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_KNOWN = frozenset(_ALPHABET)
_WEIGHTS = {sign: sign.isupper() for sign in _ALPHABET}


def checksum(id15: str) -> str:
    """The three characters behind a 15-character id: per group of five, which letters are upper case."""
    out = []
    for start in (0, 5, 10):
        bits = 0
        for place in range(5):
            if _WEIGHTS[id15[start + place]]:
                bits |= 1 << place
        out.append(_CHECKS[bits])
    return "".join(out)


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

    def new(self, prefix: str) -> str:
        number = self._next.get(prefix, 1)
        self._next[prefix] = number + 1
        short = prefix + self._pod + base62(number, 9)
        return short + checksum(short)
