"""What a request's body may hold: kinds, lengths and needs of members. Members that are not declared are ignored, as
the vendor does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.sandbox.bigcommerce.errors import invalid, malformed, too_many_items

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class Member:
    kind: str
    most: int = 0
    """Longest text; 0 for no limit."""
    needed: bool = False
    """Must be there, and not be empty, when a thing is made."""
    one_of: tuple[Any, ...] = ()
    null: bool = False


Spec = Mapping[str, Member]


def text(most: int = 0, *, needed: bool = False, one_of: tuple[Any, ...] = ()) -> Member:
    return Member("text", most, needed, one_of)


def email(*, needed: bool = False) -> Member:
    return Member("email", 250, needed)


def number(*, needed: bool = False, one_of: tuple[Any, ...] = ()) -> Member:
    return Member("int", 0, needed, one_of)


AMOUNT = Member("amount")
OPTIONAL_AMOUNT = Member("amount", null=True)
FLAG = Member("bool")
LIST = Member("list")
OBJECT = Member("object")
ANY = Member("any", null=True)


def clean(body: Any, spec: Spec, where: str = "", *, partial: bool = False, path: str = ".") -> dict[str, Any]:
    """The declared members. Raises ``ApiError`` 422 naming every fault by ``<where><path><member>``."""
    if not isinstance(body, Mapping):
        raise invalid({where or "body": "error.expected.jsobject"})
    errors: dict[str, str] = {}
    found: dict[str, Any] = {}
    for name, member in spec.items():
        key = f"{where}{path}{name}" if where else name
        if name not in body:
            if member.needed and not partial:
                errors[key] = "error.path.missing"
            continue
        value = body[name]
        fault = _fault(value, member)
        if fault:
            errors[key] = fault
        else:
            found[name] = value
    if errors:
        raise invalid(errors)
    return found


def _fault(value: Any, member: Member) -> str:
    if value is None:
        return "" if member.null and not member.needed else "error.null"
    if not _KINDS[member.kind](value):
        return f"error.expected.{member.kind}"
    if member.needed and value == "":
        return "error.empty"
    if member.most and isinstance(value, str) and len(value) > member.most:
        return f"error.maxLength.{member.most}"
    if member.one_of and value not in member.one_of:
        return f"error.enum.{','.join(map(str, member.one_of))}"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_amount(value: Any) -> bool:
    """Numbers, and numbers in quotes, which both generations take."""
    return _is_number(value) or (isinstance(value, str) and bool(re.fullmatch(r"-?\d+(\.\d+)?", value)))


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "email": lambda value: isinstance(value, str) and (value == "" or bool(_EMAIL.fullmatch(value))),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "amount": _is_amount,
    "bool": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
    "any": lambda _: True,
}


def items(body: Any, most: int) -> list[Any]:
    """The array of a batch. Raises ``ApiError`` 413 beyond ``most``, 422 for none or no array."""
    if not isinstance(body, list):
        raise invalid({"body": "error.expected.jsarray"})
    if not body:
        raise invalid({"body": "error.minItems.1"})
    if len(body) > most:
        raise too_many_items(most)
    return body


def whole_number(value: str, name: str) -> int:
    """A number in a path or query. Raises ``ApiError`` 400."""
    if not re.fullmatch(r"-?\d{1,18}", value):
        raise malformed(f"{name} must be a number")
    return int(value)
