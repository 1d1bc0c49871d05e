"""What happens in the demonstration, drawn from a seed before anything runs. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SKUS: Final = tuple(f"MUG-{number:02d}" for number in range(1, 21))
PRICES: Final = tuple(450 + 125 * number for number in range(len(SKUS)))
"""Cents, by position in :data:`SKUS`."""

_FIRST: Final = (
    "Ada", "Björn", "Chidi", "Dana", "Edith", "Farah", "Grace", "Hedy", "Ines", "Jun", "Kofi", "Lea", "Mira", "Noor",
    "Olga", "Pál", "Quinn", "Rosa", "Søren", "Tove", "Ursula", "Vera", "Wen", "Ximena", "Yara", "Zoë",
)  # fmt: skip
_LAST: Final = (
    "Adler", "Brandt", "Costa", "Dahl", "Ekström", "Fischer", "García", "Hopper", "Ivanova", "Jansen", "Kovács",
    "Lovelace", "Moreau", "Nakamura", "Okafor", "Petrov", "Quist", "Ritchie", "Silva", "Tanaka", "Urban", "Vogel",
)  # fmt: skip
_FIRMS: Final = ("", "", "Nordlicht GmbH", "Acme & Sons", "Kaffeehaus am Markt", "Blue Harbour Ltd", "Ateliers Réunis")


class Fate(StrEnum):
    """What becomes of a shopper's cart."""

    ORDERED = "ordered"
    """Ordered in time: never a deal."""
    ABANDONED = "abandoned"
    TOUCHED = "touched"
    """Abandoned, later changed, abandoned still."""
    RECOVERED = "recovered"
    """Abandoned, later ordered."""
    EMPTIED = "emptied"
    """Abandoned, later emptied."""


_FATES: Final = (Fate.ORDERED, Fate.ORDERED, Fate.ABANDONED, Fate.ABANDONED, Fate.TOUCHED, Fate.RECOVERED, Fate.EMPTIED)


class Plant(StrEnum):
    """A failure planted for the operator."""

    INVALID_EMAIL = "invalid_email"
    """The CRM refuses the address."""
    MISSING_PROPERTY = "missing_property"
    """The CRM lacks the property of a mapped field."""
    FORBIDDEN_STAGE = "forbidden_stage"
    """The shop freezes an abandoned cart, and the CRM has no such stage."""


@dataclass(frozen=True, slots=True)
class Shopper:
    """One person and one cart."""

    number: int
    at: float
    """Seconds after the start."""
    email: str
    first_name: str
    last_name: str
    company: str
    guest: bool
    fate: Fate
    lines: tuple[tuple[str, int], ...]
    """SKU and quantity, in the order they are put into the cart."""
    more: tuple[str, int]
    """Added when the cart is touched again."""
    renames: bool
    """Changes the company's name later on."""
    posts: bool
    """The shop posts events of this cart; of the others only the poll tells."""
    sale: bool
    """A sales person takes care of the contact."""
    plant: Plant | None = None


def shoppers(seed: int, seconds: float, rate: float, *, planted: bool = True) -> Iterator[Shopper]:
    """The shoppers of a run: ``rate`` a second, over ``seconds``; ``planted``: some of them with failures."""
    dice = random.Random(f"shoppers:{seed}")
    count = max(len(Plant) * 2, int(seconds * rate))
    plants = _plants(dice, count) if planted else {}
    for number in range(count):
        yield _shopper(dice, number, seconds * number / count, plants.get(number))


def _plants(dice: random.Random, count: int) -> dict[int, Plant]:
    """Early in the run, so that there is time to mend them: two of each."""
    early = dice.sample(range(max(len(Plant) * 2, count // 3)), len(Plant) * 2)
    return dict(zip(early, [*Plant, *Plant], strict=True))


def _shopper(dice: random.Random, number: int, at: float, plant: Plant | None) -> Shopper:
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    plain = f"{first}.{last}".lower().encode("ascii", "ignore").decode()
    email = f"{plain}.{number}@example.com"
    picks = dice.sample(range(len(SKUS)), dice.randint(2, 4))
    lines = tuple((SKUS[place], dice.randint(1, 5)) for place in picks[:-1])
    fate, guest = dice.choice(_FATES), dice.random() < 0.2
    if plant is Plant.FORBIDDEN_STAGE:
        fate = Fate.ABANDONED
    if plant is Plant.INVALID_EMAIL:
        email = f"{plain}.{number}@example..com"
    return Shopper(
        number, at, email, first, last, dice.choice(_FIRMS), guest and plant is None, fate, lines,
        (SKUS[picks[-1]], dice.randint(1, 3)), dice.random() < 0.25, dice.random() < 0.7,
        dice.random() < 0.35 and plant is None, plant,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timing:
    """The pace of a run, in seconds."""

    idle: float = 3.0
    """A cart untouched for this long is abandoned."""
    browse: float = 0.4
    """Between two touches of a shopper who is there."""
    return_after: float = 9.0
    """When somebody comes back to an abandoned cart: far enough from ``idle`` to leave no doubt."""
