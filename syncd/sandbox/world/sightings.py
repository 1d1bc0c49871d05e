"""What a system holds of a person or company: the truth, with the usual disagreements."""

from __future__ import annotations

from dataclasses import dataclass, replace

from syncd.sandbox.world.dice import mix
from syncd.sandbox.world.roster import Fate, Known
from syncd.sandbox.world.world import Address, Company, Person, World

PER_MILLE = {
    "email_case": 120,
    "second_email": 40,
    "nickname": 50,
    "plain_spelling": 300,
    "phone_form": 300,
    "no_phone": 150,
    "no_company": 120,
    "stale_address": 80,
    "swapped_address": 10,
}
"""How often, of a thousand records: the address in other case; the person's second address in place of the first (the
CRMs only; always so with a duplicate); what friends say for the first name; marks of letters left out; the telephone
number in a national or ornamented form; no telephone number; no company although there is one; an address that is no
longer true; town and postal code each in the other's place."""
_CRMS = frozenset({"hubspot", "salesforce"})
_SALT = {"commercetools": 21, "bigcommerce": 22, "hubspot": 23, "salesforce": 24}
_PLACES = {name: place for place, name in enumerate(PER_MILLE)}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A person as one system has it."""

    person: Person
    fate: Fate
    copy: int
    first: str
    last: str
    email: str
    phone: str
    """Empty where the system has none."""
    company: int | None
    address: Address


def sighting(world: World, system: str, known: Known) -> Sighting:
    person = world.person(known.member)
    salt = _SALT[system] + 100 * known.copy
    low, high = mix(world.seed, known.member, salt), mix(world.seed, known.member, salt + 50)

    def happens(name: str) -> bool:
        place = _PLACES[name]
        bits = low >> 12 * place if place < 5 else high >> 12 * (place - 5)
        return (bits & 0xFFF) % 1000 < PER_MILLE[name]

    first, last, email, phone = person.first, person.last, person.email, person.phone
    if happens("plain_spelling"):
        first, last = person.plain_first, person.plain_last
    if happens("nickname"):
        first = person.friends_say
    if known.copy or (
        system in _CRMS and happens("second_email") and len(world.roster(system).ranks(person.number)) < 2
    ):
        email = person.second_email
    if happens("email_case"):
        email = email.title()
    if happens("phone_form"):
        phone = _ornamented(phone, high >> 48)
    return Sighting(
        person, known.fate, known.copy, first, last, email, "" if happens("no_phone") else phone,
        None if happens("no_company") else person.company,
        _elsewhere(person.address, stale=happens("stale_address"), swapped=happens("swapped_address")),
    )  # fmt: skip


def _ornamented(phone: str, dice: int) -> str:
    """``+493020000017`` as people write it."""
    land = 2 if phone.startswith("+1") else 3
    rest = phone[land:]
    match dice % 3:
        case 0:
            return f"{phone[:land]} ({rest[:2]}) {rest[2:6]}-{rest[6:]}"
        case 1:
            return f"00{phone[1:land]} {rest[:2]} {rest[2:]}"
    return f"{phone[:land]} {rest[:3]} {rest[3:6]} {rest[6:]}"


def _elsewhere(address: Address, *, stale: bool, swapped: bool) -> Address:
    if stale:
        address = replace(address, street=f"Formerly {address.street}", postal_code=address.postal_code[::-1])
    if swapped:
        address = replace(address, town=address.postal_code, postal_code=address.town)
    return address


def company_name(company: Company, copy: int) -> str:
    """A duplicate is spelled otherwise."""
    return company.name.upper() if copy else company.name
