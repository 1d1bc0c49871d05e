"""What may be seen in a log line: personal data becomes a keyed hash, secrets become stars, control characters are
escaped. Pure; any value goes in, plain JSON comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from unicodedata import category

from syncd.runtime.secret import MASK, Secret

_LONGEST_TEXT: Final = 2000
_DEEPEST: Final = 6
_MOST_ITEMS: Final = 50

_PERSONAL_KEYS: Final = frozenset({
    "email", "customeremail", "phone", "mobile", "mobilephone", "fax", "firstname", "lastname", "middlename",
    "fullname", "customername", "contactname", "address", "street", "streetname", "postalcode", "zip", "birthday",
    "dateofbirth", "company", "companyname", "salesnote",
})  # fmt: skip
_SECRET_KEY: Final = re.compile(
    r"(?:secret|token|password|passwd|passphrase|authorization|api_?key|signature|cookie|private_?key|credentials?)$",
    re.IGNORECASE,
)
_SECRETS: Final = (
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\bpat-[a-z0-9]{2,}-[\w-]{6,}", re.IGNORECASE), MASK),
    (re.compile(r"\bwhsec_[\w+/=-]+"), MASK),
    (re.compile(r"\bv1a?,[\w+/=]{20,}"), MASK),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), MASK),
    (
        re.compile(
            r"((?:client_secret|access_token|refresh_token|id_token|api_?key|hapikey|password|assertion|x-syncd-key)"
            r"[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;}]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+@"), rf"\1{MASK}@"),
)
_ADDRESS: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
_TELEPHONE: Final = re.compile(r"(?<![\w.])\+\d[\d ()/-]{6,18}\d(?!\w)")
_PLAIN: Final = re.compile(r"(?!.*(?:pat-|whsec_))[a-z0-9_.-]{1,80}")
"""Names, ids and codes, which most values are: none of the patterns above can match inside them."""
_ODD: Final = re.compile(r"[^\x20-\x7e\u00a0-\u024f]")


@lru_cache(maxsize=1024)
def _secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


@lru_cache(maxsize=1024)
def _personal(key: str) -> bool:
    return key.replace("_", "").replace("-", "").lower() in _PERSONAL_KEYS


class Redactor:
    """Hashes are keyed, so that they tell two people apart without telling who they are; the same key gives the same
    hash, so that one person's lines can be found across restarts."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:64]

    def pseudonym(self, value: object) -> str:
        text = str(value).strip().lower()
        return "~" + blake2b(text.encode("utf-8", "replace"), key=self._key, digest_size=4).hexdigest()

    def text(self, text: str) -> str:
        """A free text without secrets, addresses, telephone numbers and control characters."""
        if _PLAIN.fullmatch(text):
            return text
        if len(text) > 4 * _LONGEST_TEXT:
            text = text[: 4 * _LONGEST_TEXT]
        for pattern, mask in _SECRETS:
            text = pattern.sub(mask, text)
        text = _ADDRESS.sub(lambda found: self.pseudonym(found[0].replace("%40", "@")), text)
        text = _TELEPHONE.sub(lambda found: self.pseudonym(re.sub(r"[^+\d]", "", found[0])), text)
        text = escaped(text)
        return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"

    def value(self, key: str, value: object, depth: int = 0) -> Any:
        """The value that stands under a key, as it may be seen."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Secret) or (isinstance(value, str | bytes) and _secret(key)):
            return MASK
        if isinstance(value, Enum):
            value = value.value
        if _personal(key):
            return self._personal(value)
        if isinstance(value, str):
            return self.text(str(value))
        if isinstance(value, int):
            return value if -(2**63) <= value < 2**64 else str(value)
        if isinstance(value, float):
            return value
        return self._compound(key, value, depth)

    def _personal(self, value: object) -> Any:
        if isinstance(value, Mapping):
            return self.pseudonym(sorted((str(name), str(part)) for name, part in value.items()))
        if isinstance(value, list | tuple | set | frozenset):
            return [self.pseudonym(one) for one in list(value)[:_MOST_ITEMS]]
        return "" if value == "" else self.pseudonym(value)

    def _compound(self, key: str, value: object, depth: int) -> Any:
        if depth >= _DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            some = list(value.items())[:_MOST_ITEMS]
            return {escaped(str(name)): self.value(str(name), part, depth + 1) for name, part in some}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(key, one, depth + 1) for one in list(value)[:_MOST_ITEMS]]
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, BaseException):
            return type(value).__name__
        # Never str() of something unknown: it may show a whole payload.
        return f"<{type(value).__name__}>"


def escaped(text: str) -> str:
    """The text on one line, without code points that steer a terminal, reorder text or cannot be encoded."""
    return _ODD.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return char
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if short is not None:
        return short
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
