"""The query predicate language: text to tree.

``field op value``, ``field(nested)``, ``and``, ``or``, ``not(...)``, ``in``, ``contains``, ``is [not] defined|empty``,
``within circle(...)``, values as strings in double quotes, numbers, ``true|false`` and ``:variables``; field names with
odd characters stand in backticks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from syncd.sandbox.commercetools.errors import invalid_input

Literal: TypeAlias = "str | int | float | bool | Text"


@dataclass(frozen=True, slots=True)
class Text:
    """A variable's value: it takes the type of what it is compared with."""

    text: str


@dataclass(frozen=True, slots=True)
class Compare:
    field: str
    op: str
    """``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``"""
    value: Literal


@dataclass(frozen=True, slots=True)
class Among:
    field: str
    values: tuple[Literal, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Contains:
    field: str
    values: tuple[Literal, ...]
    every: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """``is defined`` and ``is empty``, or their contraries."""

    field: str
    what: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Circle:
    field: str
    longitude: float
    latitude: float
    metres: float


@dataclass(frozen=True, slots=True)
class Nested:
    field: str
    inner: Node


@dataclass(frozen=True, slots=True)
class Both:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    inner: Node


Node: TypeAlias = "Compare | Among | Contains | Presence | Circle | Nested | Both | Either | Not"

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<quoted>`[^`]+`)
    | (?P<variable>:[A-Za-z_][A-Za-z0-9_-]*)
    | (?P<word>[A-Za-z_][A-Za-z0-9_-]*)
    | (?P<op><=|>=|<>|!=|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
_OPERATORS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})
_DEPTH = 60


def parse_predicate(text: str, variables: Mapping[str, Sequence[str]]) -> Node:
    """Raises ``ApiError`` 400 InvalidInput that says where the text stops making sense."""
    return _Parser(text, variables).whole()


class _Parser:
    def __init__(self, text: str, variables: Mapping[str, Sequence[str]]) -> None:
        self._text = text
        self._variables = variables
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        place, end = 0, len(text.rstrip())
        while place < end:
            match = _TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                raise self._error(f"unexpected '{text[place : place + 10].strip()}'")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()

    def _error(self, detail: str) -> Exception:
        return invalid_input(f"Malformed parameter: where: Syntax error while parsing 'where': {detail}.")

    def whole(self) -> Node:
        node = self._either(0)
        if self._at != len(self._tokens):
            raise self._error(f"unexpected '{self._tokens[self._at][1]}', expected end of input")
        return node

    # -- tokens

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        if token[0] == "end":
            raise self._error("unexpected end of input")
        self._at += 1
        return token

    def _accept(self, *words: str) -> bool:
        """Take these words if they come next, all of them."""
        ahead = self._tokens[self._at : self._at + len(words)]
        if len(ahead) == len(words) and all(
            kind in {"word", "op"} and text.lower() == word for (kind, text), word in zip(ahead, words, strict=True)
        ):
            self._at += len(words)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self._error(f"unexpected '{self._peek()[1]}', expected '{word}'")

    # -- rules

    def _either(self, depth: int) -> Node:
        if depth > _DEPTH:
            raise self._error("nested too deeply")
        parts = [self._both(depth)]
        while self._accept("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self, depth: int) -> Node:
        parts = [self._single(depth)]
        while self._accept("and"):
            parts.append(self._single(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _single(self, depth: int) -> Node:
        if self._accept("not", "("):
            inner = self._either(depth + 1)
            self._expect(")")
            return Not(inner)
        if self._accept("("):
            inner = self._either(depth + 1)
            self._expect(")")
            return inner
        kind, text = self._next()
        if kind == "quoted":
            text = text[1:-1]
        elif kind != "word":
            raise self._error(f"unexpected '{text}', expected a field name")
        if self._accept("("):
            inner = self._either(depth + 1)
            self._expect(")")
            return Nested(text, inner)
        return self._condition(text)

    def _condition(self, field: str) -> Node:
        kind, text = self._peek()
        if kind == "op" and text in _OPERATORS:
            self._at += 1
            return Compare(field, "!=" if text == "<>" else text, self._value())
        if self._accept("in"):
            return Among(field, self._values())
        if self._accept("not", "in"):
            return Among(field, self._values(), negated=True)
        if self._accept("contains", "all"):
            return Contains(field, self._values(), every=True)
        if self._accept("contains", "any"):
            return Contains(field, self._values(), every=False)
        if self._accept("is"):
            negated = self._accept("not")
            for what in ("defined", "empty"):
                if self._accept(what):
                    return Presence(field, what, negated)
        if self._accept("within", "circle", "("):
            return self._circle(field)
        raise self._error(f"unexpected '{self._peek()[1]}' after field '{field}', expected an operator")

    def _circle(self, field: str) -> Node:
        numbers = []
        for end in (",", ",", ")"):
            value = self._value()
            if isinstance(value, Text):
                value = float(value.text)
            if isinstance(value, str):
                raise self._error("circle takes numbers")
            numbers.append(float(value))
            self._expect(end)
        return Circle(field, *numbers)

    def _value(self) -> Literal:
        values = self._value_list()
        if len(values) != 1:
            raise self._error("a variable with several values can stand behind 'in' and 'contains' only")
        return values[0]

    def _value_list(self) -> tuple[Literal, ...]:
        kind, text = self._next()
        if kind == "string":
            return (_ESCAPE.sub(r"\1", text[1:-1]),)
        if kind == "number":
            return (float(text) if {".", "e", "E"} & set(text) else int(text),)
        if kind == "variable":
            values = self._variables.get(text[1:])
            if not values:
                raise self._error(f"no value for the variable '{text}' (expected parameter 'var.{text[1:]}')")
            return tuple(Text(value) for value in values)
        if kind == "word" and text in {"true", "false"}:
            return (text == "true",)
        raise self._error(f"unexpected '{text}', expected a value")

    def _values(self) -> tuple[Literal, ...]:
        if self._peek()[0] == "variable":
            return self._value_list()
        self._expect("(")
        values = list(self._value_list())
        while self._accept(","):
            values.extend(self._value_list())
        self._expect(")")
        return tuple(values)
