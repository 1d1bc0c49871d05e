"""GraphQL for simulated vendors: documents parsed, validated and executed by graphql-core against a schema.

graphql-core is loaded when the first query comes. What a vendor adds is its schema, how fields find their values, and
its own words for refusals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

MOST_KEPT = 200
"""Documents kept parsed."""

Resolve = Callable[..., Any]
"""``(source, info, **arguments)``: the value of a field. Raises :class:`FieldError` for a refusal of that field."""


class FieldError(Exception):
    """One field cannot be answered: it is null, and the error stands beside the data."""

    def __init__(self, code: str, message: str, **extra: Any) -> None:
        self.extensions = {"code": code, **extra}
        super().__init__(message)


class DocumentError(ValueError):
    """The query is no GraphQL, or does not fit the schema. The message says where."""


@dataclass(frozen=True, slots=True)
class Answer:
    data: Any
    errors: list[dict[str, Any]]
    """As the specification has them, with the extensions of a :class:`FieldError`."""


@lru_cache(maxsize=8)
def _built(sdl: str) -> Any:
    """Building takes long, and simulated accounts are alike."""
    from graphql import build_schema

    return build_schema(sdl)


class GraphQL:
    """One schema and its resolver."""

    def __init__(self, sdl: Callable[[], str], resolve: Resolve, type_of: Callable[[Any], str]) -> None:
        self._sdl = sdl
        self._resolve = resolve
        self._type_of = type_of
        self._documents: dict[str, Any] = {}

    @cached_property
    def schema(self) -> Any:
        return _built(self._sdl())

    def parse(self, text: str) -> Any:
        """The validated document. Raises :class:`DocumentError`."""
        known = self._documents.get(text)
        if known is not None:
            return known
        from graphql import GraphQLSyntaxError, parse, validate

        try:
            document = parse(text, max_tokens=20_000)
        except GraphQLSyntaxError as error:
            raise DocumentError(f"Syntax error while parsing GraphQL query. {error.message}") from None
        except RecursionError:
            raise DocumentError("The query nests too deeply.") from None
        problems = validate(self.schema, document)
        if problems:
            told = " ".join(str(one.message) for one in problems[:5])
            raise DocumentError(f"Query does not pass validation. Violations: {told}")
        if len(self._documents) >= MOST_KEPT:
            self._documents.clear()
        self._documents[text] = document
        return document

    def weight(self, document: Any, variables: Mapping[str, Any], list_size: int, sized: str = "limit") -> int:
        """How heavy a document is before it is run: every object that may be answered counts one, a list counts
        ``list_size`` of them, or as many as its argument ``sized`` says."""
        return _Weigher(self.schema, document, variables, list_size, sized).total()

    def execute(self, document: Any, variables: Mapping[str, Any], operation: str | None, context: Any) -> Answer:
        from graphql import execute_sync

        result = execute_sync(
            self.schema,
            document,
            context_value=context,
            variable_values=dict(variables),
            operation_name=operation,
            field_resolver=self._resolve,
            type_resolver=lambda value, _info, _type: self._type_of(value),
        )
        return Answer(result.data, [dict(error.formatted) for error in result.errors or ()])


class _Weigher:
    def __init__(self, schema: Any, document: Any, variables: Mapping[str, Any], list_size: int, sized: str) -> None:
        self._schema = schema
        self._document = document
        self._variables = variables
        self._list_size = list_size
        self._sized = sized
        self._fragments = {one.name.value: one for one in document.definitions if one.kind == "fragment_definition"}
        self._weighed: dict[tuple[str, int], int] = {}
        """Fragments by name and list size: one that is spread twice within one that is spread twice is weighed once."""

    def total(self) -> int:
        return sum(
            self._of(one.selection_set, self._schema.query_type, self._list_size)
            for one in self._document.definitions
            if one.kind == "operation_definition"
        )

    def _of(self, selection: Any, parent: Any, size: int) -> int:
        weight = 0
        for one in selection.selections:
            if one.kind == "fragment_spread":
                weight += self._spread(one.name.value, size)
            elif one.kind == "inline_fragment":
                named = self._schema.type_map[one.type_condition.name.value] if one.type_condition else parent
                weight += self._of(one.selection_set, named, size)
            elif one.selection_set is not None:
                weight += self._field(one, parent, size)
        return weight

    def _spread(self, name: str, size: int) -> int:
        if (name, size) not in self._weighed:
            fragment = self._fragments[name]
            kind = self._schema.type_map[fragment.type_condition.name.value]
            self._weighed[name, size] = self._of(fragment.selection_set, kind, size)
        return self._weighed[name, size]

    def _field(self, one: Any, parent: Any, size: int) -> int:
        from graphql import get_named_type, get_nullable_type, is_list_type

        field = getattr(parent, "fields", {}).get(one.name.value)
        if field is None:
            return 0  # introspection
        many, said = is_list_type(get_nullable_type(field.type)), self._argument(one)
        # What is said of the size is meant for the list inside of this field; lists inside of lists are not spoken of.
        inner = self._of(one.selection_set, get_named_type(field.type), said or (self._list_size if many else size))
        return (1 + inner) * (size if many else 1)

    def _argument(self, one: Any) -> int:
        for argument in one.arguments:
            if argument.name.value == self._sized:
                value = argument.value
                said = self._variables.get(value.name.value) if value.kind == "variable" else _literal(value)
                # Anything else is refused when the document is run.
                return said if isinstance(said, int) and said > 0 else 0
        return 0


def _literal(value: Any) -> int | None:
    return int(value.value) if value.kind == "int_value" else None
