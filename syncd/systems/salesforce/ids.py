"""Record ids: 15 characters that differ in case, or 18 that do not need to. Compared and kept as 18. Pure."""

from __future__ import annotations

import re
from typing import Final

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def is_id(text: object) -> bool:
    return isinstance(text, str) and _SHAPE.fullmatch(text) is not None


def long_id(text: str) -> str:
    """The id with its checksum; anything that is no id comes back as it is.

    >>> long_id("001D000000IqhSL")
    '001D000000IqhSLIAZ'
    """
    if not is_id(text):
        return text
    stem = text[:15]
    tail = "".join(
        _ALPHABET[sum(1 << place for place, sign in enumerate(stem[start : start + 5]) if "A" <= sign <= "Z")]
        for start in (0, 5, 10)
    )
    return stem + tail
