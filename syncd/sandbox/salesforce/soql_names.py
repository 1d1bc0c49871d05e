"""What the names of a query mean in the org: fields, relationships, and values that fit them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from syncd.sandbox.salesforce.errors import SalesforceError
from syncd.sandbox.salesforce.fields import ID_TYPES, NUMBERS, TEXTS, Field, moment_ms, moment_text
from syncd.sandbox.salesforce.ids import normal
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.org import Org
from syncd.sandbox.salesforce.records import Getter, Row
from syncd.sandbox.salesforce.soql import Literal, Path, malformed, pointed
from syncd.sandbox.salesforce.soql_dates import Span, span


@dataclass(frozen=True, slots=True)
class Resolved:
    field: Field
    get: Getter
    parents: tuple[Field, ...] = ()
    """The lookups on the way."""
    names: tuple[str, ...] = ()
    """As the org spells them: ``("Account", "Name")``."""


class Scope:
    """One object, as the FROM of a query names it."""

    def __init__(self, org: Org, kind: ObjectType, text: str, alias: str = "") -> None:
        self.org = org
        self.kind = kind
        self.text = text
        self._own = {kind.name.lower(), alias.lower()} - {""}

    def resolve(self, path: Path) -> Resolved:
        """Raises INVALID_FIELD."""
        names = path.names
        if len(names) > 1 and names[0].lower() in self._own and names[0].lower() not in self.kind.relations:
            names = names[1:]
        kind, parents, spelled = self.kind, [], []
        for name in names[:-1]:
            link = kind.relations.get(name.lower())
            if link is None:
                raise SalesforceError(
                    "INVALID_FIELD",
                    pointed(self.text, path.at, f"Didn't understand relationship '{name}' in field path. If you are "
                            "attempting to use a custom relationship, be sure to append the '__r' after the custom "
                            "relationship name. Please reference your WSDL or the describe call for the appropriate "
                            "names."),
                )  # fmt: skip
            parents.append(link)
            spelled.append(link.relationship)
            kind = self.org.schema.kinds[link.reference_to[0]]
        one = kind.field(names[-1])
        if one is None:
            raise SalesforceError(
                "INVALID_FIELD",
                pointed(self.text, path.at, f"No such column '{names[-1]}' on entity '{kind.name}'. If you are "
                        "attempting to use a custom field, be sure to append the '__c' after the custom field name. "
                        "Please reference your WSDL or the describe call for the appropriate names."),
            )  # fmt: skip
        get = self.through(parents, self.org.getter(kind, one.name))
        return Resolved(one, get, tuple(parents), (*spelled, one.name))

    def through(self, parents: list[Field], last: Getter) -> Getter:
        """Read a field of an ancestor; ``None`` where a lookup is empty."""
        if not parents:
            return last
        org, links = self.org, [_link(one) for one in parents]

        def get(row: Row) -> Any:
            here = row
            for link in links:
                above = parent_row(org, link(here))
                if above is None:
                    return None
                here = above
            return last(here)

        return get


def _link(one: Field) -> Getter:
    slots = {"CreatedById": "created_by", "LastModifiedById": "modified_by"}
    if one.name in slots:
        return attrgetter(slots[one.name])
    name = one.name
    return lambda row: row.values.get(name)


def parent_row(org: Org, id_: str | None) -> Row | None:
    """The row a lookup shows, which may be a deleted one."""
    kind = org.schema.of_id(id_) if id_ else None
    return org.tables[kind.name].rows.get(id_ or "") if kind else None


def misfit(scope: Scope, one: Field, literal: Literal, *, quoted: bool) -> SalesforceError:
    tail = "should be enclosed in quotes" if quoted else "should not be enclosed in quotes"
    return SalesforceError(
        "INVALID_FIELD",
        pointed(scope.text, literal.at, f"value of filter criterion for field '{one.name}' must be of type "
                f"{one.type} and {tail}"),
    )  # fmt: skip


def operand(scope: Scope, one: Field, literal: Literal) -> Any:
    """A literal as a value of the field, ready to be compared; named days become spans. Raises INVALID_FIELD."""
    if literal.kind == "null":
        return None
    if one.type in TEXTS or one.type in ID_TYPES or one.type in {"time", "combobox"}:
        if literal.kind != "text":
            raise misfit(scope, one, literal, quoted=True)
        if one.type in ID_TYPES:
            return _id(literal.value)
        return one.key(literal.value) or None
    if literal.kind == "text":
        raise misfit(scope, one, literal, quoted=False)
    try:
        match one.type:
            case "boolean" if literal.kind == "boolean":
                return literal.value
            case kind if kind in NUMBERS and literal.kind == "number":
                return literal.value
            case "datetime" if literal.kind == "moment":
                return _moment(literal.value)
            case "date" if literal.kind == "day":
                return date.fromisoformat(literal.value).isoformat()
            case "date" | "datetime" if literal.kind == "named":
                return _span(scope, one, literal)
    except (ValueError, OverflowError):
        raise malformed(pointed(scope.text, literal.at, f"Invalid date: {literal.value}")) from None
    raise misfit(scope, one, literal, quoted=False)


def _id(value: str) -> str:
    found = normal(value)
    if not found:
        raise SalesforceError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}")
    return found


def _moment(value: str) -> str:
    """A literal may have milliseconds, which no held moment has."""
    ms = moment_ms(value)
    text = moment_text(ms)
    return text.replace(".000+", f".{ms % 1000:03d}+")


def _span(scope: Scope, one: Field, literal: Literal) -> tuple[str, str]:
    found: Span | None = span(literal.value, datetime.fromisoformat(scope.org.now()).date())
    if found is None:
        raise misfit(scope, one, literal, quoted=False)
    first, after = found
    if one.type == "date":
        return first.isoformat(), after.isoformat()
    return f"{first.isoformat()}T00:00:00.000+0000", f"{after.isoformat()}T00:00:00.000+0000"


def comparable(one: Field, get: Getter) -> Callable[[Row], Any]:
    """A field's value in the form in which it is compared: text without case."""
    if one.type in TEXTS and not one.case_sensitive:

        def lowered(row: Row) -> Any:
            value = get(row)
            return value.lower() if isinstance(value, str) else value

        return lowered
    return get
