"""Rules for single values, worn as annotations by the models.

They speak pydantic's protocol without importing it, so that the models stay light; pydantic is loaded only while a
file is being validated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SPAN: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d|w)")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def duration_seconds(text: str) -> float:
    """Seconds in a span such as ``30m``, ``1h30m`` or ``250ms``. Raises :class:`ValueError`.

    >>> duration_seconds("1h30m")
    5400.0
    """
    compact = text.replace(" ", "").lower()
    spans = _SPAN.findall(compact)
    if not spans or "".join(number + unit for number, unit in spans) != compact:
        raise ValueError('expected a span of time with its unit, such as "15s", "30m", "1h30m" or "7d"')
    return sum(float(number) * _UNITS[unit] for number, unit in spans)


def duration_text(seconds: float) -> str:
    """The shortest way to write a span: the inverse of :func:`duration_seconds`."""
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count = seconds / _UNITS[unit]
        if count >= 1 and abs(count - round(count)) < 1e-6:
            return f"{round(count)}{unit}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


class _Rule:
    """Base of the annotations: checks the raw value whole, instead of pydantic's own check."""

    def check(self, value: Any) -> Any:
        """The clean value. Raises :class:`ValueError` with what was expected."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        del source, handler
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self.check)


@dataclass(frozen=True)
class Duration(_Rule):
    """A span of time, kept in seconds; with ``off``, ``false`` means none."""

    least: float = 0.0
    most: float = 10 * 365 * 86_400.0
    off: bool = False

    def check(self, value: Any) -> float | None:
        if self.off and value is False:
            return None
        if not isinstance(value, str):
            hint = ", or false" if self.off else ""
            raise ValueError(f'expected a span of time with its unit in quotes, such as "15s" or "30m"{hint}')  # noqa: TRY004
        seconds = duration_seconds(value)
        if not self.least <= seconds <= self.most:
            raise ValueError(f"must lie between {duration_text(self.least)} and {duration_text(self.most)}")
        return seconds


@dataclass(frozen=True)
class Between(_Rule):
    """A number within bounds, both included. A string of digits is taken for one, since ``${VAR}`` gives strings."""

    least: float
    most: float
    whole: bool = True

    def check(self, value: Any) -> float | int:
        kind = "a whole number" if self.whole else "a number"
        rule = f"must be {kind} between {self.least:g} and {self.most:g}"
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(rule)  # noqa: TRY004 - pydantic collects ValueError
        try:
            number = int(value) if self.whole and not isinstance(value, float) else float(value)
        except ValueError:
            raise ValueError(rule) from None
        if not self.least <= number <= self.most or (self.whole and number != int(number)):
            raise ValueError(rule)
        return int(number) if self.whole else float(number)


@dataclass(frozen=True)
class OneOf(_Rule):
    """One of a few words."""

    words: tuple[str, ...]

    def check(self, value: Any) -> str:
        if isinstance(value, str) and value in self.words:
            return value
        raise ValueError(f"must be one of: {', '.join(self.words)}")


@dataclass(frozen=True)
class Name(_Rule):
    """A name that may also stand in file names, metrics and URLs."""

    def check(self, value: Any) -> str:
        if isinstance(value, str) and NAME.fullmatch(value):
            return value
        raise ValueError("must be a name: a lower-case letter, then letters, digits, - or _ (63 at most)")


@dataclass(frozen=True)
class Currency(_Rule):
    """A currency code, or empty."""

    def check(self, value: Any) -> str:
        if isinstance(value, str) and (not value or (len(value) == 3 and value.isascii() and value.isupper())):
            return value
        raise ValueError("must be a three-letter currency code such as EUR")


@dataclass(frozen=True)
class ApiVersion(_Rule):
    """A version such as ``67.0``, as text: a number would lose its digit after the point."""

    def check(self, value: Any) -> str:
        if isinstance(value, str) and re.fullmatch(r"(?:4[1-9]|[5-9][0-9]|1[0-9]{2})\.0", value):
            return value
        raise ValueError('must be a version in quotes, such as "67.0" (41.0 or newer)')


@dataclass(frozen=True)
class Url(_Rule):
    """An absolute URL. Plain http is for loopback only; credentials in it are refused."""

    empty: bool = True

    def check(self, value: Any) -> str:
        if value == "" and self.empty:
            return ""
        if not isinstance(value, str):
            raise ValueError("must be a URL, such as https://example.com")  # noqa: TRY004
        parts = urlsplit(value)
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not carry a user or a password; use `syncd credentials set`")
        if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", value):
            raise ValueError("must be a URL, such as https://example.com")
        parts.port  # noqa: B018 - raises ValueError for a port out of range
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("must use https; plain http is for this machine only (127.0.0.1, localhost)")
        if parts.query or parts.fragment:
            raise ValueError("must not carry a query or a fragment")
        return value.rstrip("/")


@dataclass(frozen=True)
class Words(_Rule):
    """A list of words, where one word may stand without its list, and ``switch`` lets ``true``/``false`` pass."""

    switch: bool = False

    def check(self, value: Any) -> bool | tuple[str, ...]:
        if self.switch and isinstance(value, bool):
            return value
        if isinstance(value, str) and value:
            return (value,)
        if isinstance(value, list | tuple) and all(isinstance(one, str) and one for one in value):
            return tuple(value)
        raise ValueError("must be a list of names" + (", true or false" if self.switch else ""))
