"""Ages, durations, instants and counts as people read them. Pure."""

from __future__ import annotations

from datetime import datetime


def age(seconds: float) -> str:
    """A span with at most two units: ``8s``, ``3m 20s``, ``4h 5m``, ``12d``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, second = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {second}s" if second and minutes < 10 else f"{minutes}m"
    hours, minute = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h {minute}m" if minute and hours < 10 else f"{hours}h"
    return f"{hours // 24}d"


def duration(seconds: float | None) -> str:
    """A measured time with the digits that matter: ``0.4 ms``, ``38 ms``, ``1.24 s``, ``3m 20s``."""
    if seconds is None:
        return "—"
    if seconds < 0.001:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 60 else age(seconds)


def rate(per_second: float) -> str:
    return f"{per_second:,.1f}" if per_second < 100 else f"{per_second:,.0f}"


def count(number: int) -> str:
    """A count in full, with thousands separated."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """A count in four or five characters: ``950``, ``12.4k``, ``250k``, ``1.2M``."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.1f}{unit}".replace(".0", "") if scaled < 100 else f"{scaled:.0f}{unit}"
    return str(number)


def at_time(milliseconds: int) -> str:
    """The time of day in the operator's own zone, with the date where it is not the plain time that matters."""
    return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%H:%M:%S}" if milliseconds else "never"


def at_moment(milliseconds: int) -> str:
    """Date and time in the operator's own zone."""
    return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%Y-%m-%d %H:%M:%S}" if milliseconds else "never"


def plural(number: int, one: str, many: str = "") -> str:
    """``1 dead letter``, ``2 dead letters``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
