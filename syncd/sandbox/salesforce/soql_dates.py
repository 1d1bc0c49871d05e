"""Date literals that are named: TODAY, LAST_N_DAYS:7, THIS_MONTH and the like, as spans of days in UTC."""

from __future__ import annotations

from datetime import date, timedelta

Span = tuple[date, date]
"""The first day, and the first day after."""


def _month(day: date, shift: int) -> date:
    place = day.year * 12 + day.month - 1 + shift
    return date(place // 12, place % 12 + 1, 1)


def _week(day: date, shift: int) -> date:
    """Weeks begin on Sunday, as in an org with an American locale."""
    return day - timedelta(days=(day.weekday() + 1) % 7) + timedelta(weeks=shift)


def _quarter(day: date, shift: int) -> date:
    return _month(date(day.year, (day.month - 1) // 3 * 3 + 1, 1), 3 * shift)


def _year(day: date, shift: int) -> date:
    return date(day.year + shift, 1, 1)


def _day(day: date, shift: int) -> date:
    return day + timedelta(days=shift)


_UNITS = {"DAY": _day, "WEEK": _week, "MONTH": _month, "QUARTER": _quarter, "YEAR": _year}


def span(name: str, today: date) -> Span | None:
    """``None`` for a name that is none."""
    word, _, text = name.partition(":")
    match word:
        case "TODAY" | "YESTERDAY" | "TOMORROW":
            first = today + timedelta(days={"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1}[word])
            return first, first + timedelta(days=1)
        case "LAST_90_DAYS":
            return today - timedelta(days=90), today + timedelta(days=1)
        case "NEXT_90_DAYS":
            return today + timedelta(days=1), today + timedelta(days=91)
    parts = word.split("_")
    if len(parts) == 2 and parts[0] in {"THIS", "LAST", "NEXT"} and parts[1] in _UNITS:
        start, shift = _UNITS[parts[1]], {"THIS": 0, "LAST": -1, "NEXT": 1}[parts[0]]
        return start(today, shift), start(today, shift + 1)
    if len(parts) == 3 and parts[1] == "N" and parts[2].removesuffix("S") in _UNITS and text.isdigit():
        start, count = _UNITS[parts[2].removesuffix("S")], int(text)
        if parts[0] == "LAST":
            # of days the present one belongs to it, of longer units it does not
            return start(today, -count), today + timedelta(days=1) if parts[2] == "DAYS" else start(today, 0)
        if parts[0] == "NEXT":
            return start(today, 1), start(today, count + 1)
    return None
