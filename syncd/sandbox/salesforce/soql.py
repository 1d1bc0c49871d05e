"""SOQL as text: words, tree and grammar. What the names mean is :mod:`~syncd.sandbox.salesforce.soql_names`' matter."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.sandbox.salesforce.errors import SalesforceError

MAX_LENGTH: Final = 100_000
MOST: Final = 2**31 - 1
"""The largest LIMIT and OFFSET there is."""
DEEPEST: Final = 100
"""Parentheses and negations within one another."""
AGGREGATES: Final = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"})
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<text>'(?:[^'\\]|\\.)*')
  | (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
  | (?P<day>\d{4}-\d\d-\d\d)
  | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*(?::\d+)?)
  | (?P<sign><=|>=|!=|<>|[=<>(),:])
    """,
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_STOPS = frozenset(
    {"FROM", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "ALL", "AND", "OR", "USING", "ASC",
     "DESC", "NULLS"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    kind: str
    """``text``, ``number``, ``moment``, ``day``, ``boolean``, ``null`` or ``named`` (TODAY, LAST_N_DAYS:3)."""
    value: Any
    at: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    names: tuple[str, ...]
    at: int = 0

    @property
    def text(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Call:
    """``COUNT(Id) total``, ``FIELDS(ALL)``."""

    name: str
    path: Path | None
    alias: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Compare:
    left: Path | Call
    operator: str
    """``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``LIKE``, ``IN``, ``NOT IN``, ``INCLUDES``, ``EXCLUDES``."""
    right: Any
    """A literal, a tuple of literals, or a :class:`Query`."""


@dataclass(frozen=True, slots=True)
class Both:
    operator: str
    """``AND`` or ``OR``."""
    terms: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Not:
    term: Any


@dataclass(frozen=True, slots=True)
class Order:
    by: Path | Call
    descending: bool
    nulls_last: bool


@dataclass(slots=True)
class Query:
    fields: list[Any] = field(default_factory=list)
    """Of :class:`Path`, :class:`Call` and :class:`Query` (a sub-select)."""
    entity: str = ""
    entity_at: int = 0
    alias: str = ""
    where: Any = None
    group: list[Path] = field(default_factory=list)
    having: Any = None
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0
    all_rows: bool = False
    text: str = ""

    @property
    def counts(self) -> bool:
        """``SELECT COUNT() FROM ...``: an answer without records."""
        one = self.fields[0] if len(self.fields) == 1 else None
        return isinstance(one, Call) and one.name == "COUNT" and one.path is None

    @property
    def aggregates(self) -> bool:
        grouped = any(isinstance(one, Call) and one.name in AGGREGATES for one in self.fields)
        return bool(self.group) or (grouped and not self.counts)


def malformed(message: str) -> SalesforceError:
    return SalesforceError("MALFORMED_QUERY", message)


def pointed(text: str, at: int, message: str) -> str:
    """The vendor's way of showing where something is wrong."""
    start = max(0, at - 30)
    shown = text[start : at + 30].replace("\n", " ")
    return f"\n{shown}\n{' ' * (at - start)}^\nERROR at Row:1:Column:{at + 1}\n{message}"


def parse(text: str) -> Query:
    """Raises :class:`SalesforceError` MALFORMED_QUERY."""
    if len(text) > MAX_LENGTH:
        raise malformed("SOQL statements cannot be longer than 100000 characters.")
    parser = _Parser(text)
    query = parser.query()
    parser.end()
    return query


def _tokens(text: str) -> list[Token]:
    out, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise malformed(pointed(text, at, f"unexpected token: '{text[at]}'"))
        if found.lastgroup != "space":
            out.append(Token(str(found.lastgroup), found[0], at))
        at = found.end()
    return [*out, Token("end", "<EOF>", len(text))]


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._all = _tokens(text)
        self._place = 0
        self._depth = 0

    # -- words

    def _peek(self) -> Token:
        return self._all[self._place]

    def _next(self) -> Token:
        token = self._all[self._place]
        if token.kind != "end":
            self._place += 1
        return token

    def _wrong(self, token: Token) -> SalesforceError:
        return malformed(pointed(self._text, token.at, f"unexpected token: '{token.text}'"))

    def _is(self, *words: str) -> bool:
        token = self._peek()
        return token.kind in {"word", "sign"} and token.text.upper() in words

    def _take(self, *words: str) -> bool:
        if self._is(*words):
            self._place += 1
            return True
        return False

    def _need(self, word: str) -> Token:
        token = self._next()
        if token.text.upper() != word:
            raise self._wrong(token)
        return token

    def _name(self) -> Token:
        token = self._next()
        if token.kind != "word":
            raise self._wrong(token)
        return token

    def _path(self) -> Path:
        token = self._name()
        return Path(tuple(token.text.split(".")), token.at)

    def end(self) -> None:
        token = self._peek()
        if token.kind != "end":
            raise self._wrong(token)

    # -- the statement

    def query(self) -> Query:
        self._need("SELECT")
        query = Query(text=self._text)
        query.fields.append(self._selected())
        while self._take(","):
            query.fields.append(self._selected())
        self._need("FROM")
        token = self._name()
        query.entity, query.entity_at = token.text, token.at
        if self._peek().kind == "word" and self._peek().text.upper() not in _STOPS:
            query.alias = self._name().text
        if self._take("USING"):
            self._need("SCOPE")
            self._name()
        if self._take("WHERE"):
            query.where = self._or()
        self._tail(query)
        return query

    def _tail(self, query: Query) -> None:
        if self._take("GROUP"):
            self._need("BY")
            query.group.append(self._path())
            while self._take(","):
                query.group.append(self._path())
            if self._take("HAVING"):
                query.having = self._or()
        if self._take("ORDER"):
            self._need("BY")
            query.order.append(self._ordered())
            while self._take(","):
                query.order.append(self._ordered())
        if self._take("LIMIT"):
            query.limit = self._whole()
        if self._take("OFFSET"):
            query.offset = self._whole()
        if self._take("FOR"):
            self._name()
        if self._take("ALL"):
            self._need("ROWS")
            query.all_rows = True

    def _whole(self) -> int:
        token = self._next()
        if token.kind != "number" or not token.text.isdigit():
            raise self._wrong(token)
        return min(int(token.text), MOST)

    def _selected(self) -> Path | Call | Query:
        if self._take("("):
            inner = self.query()
            self._need(")")
            return inner
        return self._operand(alias=True)

    def _operand(self, *, alias: bool = False) -> Path | Call:
        path = self._path()
        if not self._is("("):
            return path
        self._need("(")
        name = path.text.upper()
        if name not in AGGREGATES | {"FIELDS"}:
            raise malformed(pointed(self._text, path.at, f"unexpected token: '{path.text}'"))
        inner = None if self._is(")") else self._path()
        self._need(")")
        label = ""
        if alias and self._peek().kind == "word" and self._peek().text.upper() not in _STOPS:
            label = self._name().text
        return Call(name, inner, label, path.at)

    def _ordered(self) -> Order:
        by = self._operand()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        nulls_last = descending
        if self._take("NULLS"):
            nulls_last = self._take("LAST")
            if not nulls_last:
                self._need("FIRST")
        return Order(by, descending, nulls_last)

    # -- conditions

    def _or(self) -> Any:
        first = self._factor()
        for word in ("AND", "OR"):
            if self._is(word):
                terms = [first]
                while self._take(word):
                    terms.append(self._factor())
                if self._is("AND", "OR"):
                    raise self._wrong(self._peek())  # the two are not mixed without parentheses
                return Both(word, tuple(terms))
        return first

    def _factor(self) -> Any:
        if not self._is("NOT", "("):
            return self._comparison()
        self._depth += 1
        if self._depth > DEEPEST:
            raise SalesforceError("QUERY_TOO_COMPLICATED", "The query is nested too deeply")
        if self._take("NOT"):
            inner: Any = Not(self._factor())
        else:
            self._need("(")
            inner = self._or()
            self._need(")")
        self._depth -= 1
        return inner

    def _comparison(self) -> Compare:
        left = self._operand()
        token = self._next()
        word = token.text.upper()
        if word in {"=", "!=", "<>", "<", "<=", ">", ">="} and token.kind == "sign":
            return Compare(left, "!=" if word == "<>" else word, self._literal())
        if word == "LIKE":
            return Compare(left, word, self._literal())
        if word == "NOT":
            self._need("IN")
            return Compare(left, "NOT IN", self._list())
        if word in {"IN", "INCLUDES", "EXCLUDES"}:
            return Compare(left, word, self._list())
        raise self._wrong(token)

    def _list(self) -> Any:
        self._need("(")
        if self._is("SELECT"):
            inner = self.query()
            self._need(")")
            return inner
        out = [self._literal()]
        while self._take(","):
            out.append(self._literal())
        self._need(")")
        return tuple(out)

    def _literal(self) -> Literal:
        token = self._next()
        match token.kind:
            case "text":
                return Literal("text", _unquoted(token.text), token.at)
            case "number":
                return Literal("number", float(token.text), token.at)
            case "moment" | "day":
                return Literal(token.kind, token.text, token.at)
            case "word" if token.text.lower() in {"true", "false"}:
                return Literal("boolean", token.text.lower() == "true", token.at)
            case "word" if token.text.lower() == "null":
                return Literal("null", None, token.at)
            case "word" if token.text.upper() == token.text or ":" in token.text:
                return Literal("named", token.text.upper(), token.at)
        raise self._wrong(token)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1] if found[1] not in "%_" else "\\" + found[1]),
                  text[1:-1], flags=re.DOTALL)  # fmt: skip
