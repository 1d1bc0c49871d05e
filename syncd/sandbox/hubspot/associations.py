"""Associations between records: the types there are, and the graph. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from syncd.sandbox.hubspot.errors import ApiError, validation
from syncd.sandbox.hubspot.kinds import (
    COMPANIES,
    CONTACTS,
    DEALS,
    LINE_ITEMS,
    ORDERS,
    QUOTES,
    TICKETS,
    Kind,
    Kinds,
)

HUBSPOT_DEFINED = "HUBSPOT_DEFINED"
USER_DEFINED = "USER_DEFINED"
CATEGORIES = (HUBSPOT_DEFINED, USER_DEFINED, "INTEGRATOR_DEFINED", "WORK")
_FIRST_OWN_TYPE = 1
Edge = tuple[str, int]
"""Category and type id."""
Edges = dict[str, dict[str, set[Edge]]]
"""Of one record: type id of the other kind -> the other's id -> types."""


@dataclass(frozen=True, slots=True)
class LinkType:
    category: str
    type_id: int
    source: str
    """Type ids of the objects, ``0-1``."""
    target: str
    inverse: int
    label: str | None = None
    primary: bool = False
    single: bool = False
    """A source has one of these at most: the new one takes the place of the old one."""
    name: str = ""
    """As in ``associations`` of an object: ``contact_to_company``."""

    @property
    def edge(self) -> Edge:
        return (self.category, self.type_id)


def _pairs() -> Iterator[LinkType]:
    # from, to, plain there, plain back, primary there, primary back
    table: tuple[tuple[Kind, Kind, int, int, int, int], ...] = (
        (CONTACTS, COMPANIES, 279, 280, 1, 2),
        (DEALS, CONTACTS, 3, 4, 0, 0),
        (DEALS, COMPANIES, 341, 342, 5, 6),
        (DEALS, LINE_ITEMS, 19, 20, 0, 0),
        (CONTACTS, TICKETS, 15, 16, 0, 0),
        (COMPANIES, TICKETS, 340, 339, 25, 26),
        (DEALS, TICKETS, 27, 28, 0, 0),
        (COMPANIES, COMPANIES, 450, 450, 0, 0),
        (CONTACTS, CONTACTS, 449, 449, 0, 0),
        (DEALS, DEALS, 451, 451, 0, 0),
        (TICKETS, TICKETS, 452, 452, 0, 0),
        (ORDERS, CONTACTS, 507, 508, 0, 0),
        (ORDERS, COMPANIES, 509, 510, 0, 0),
        (ORDERS, DEALS, 511, 512, 0, 0),
        (ORDERS, LINE_ITEMS, 513, 514, 0, 0),
        (ORDERS, TICKETS, 525, 526, 0, 0),
        (QUOTES, LINE_ITEMS, 67, 68, 0, 0),
        (QUOTES, DEALS, 64, 63, 0, 0),
        (QUOTES, CONTACTS, 69, 70, 0, 0),
        (QUOTES, COMPANIES, 71, 72, 0, 0),
    )
    for one, two, there, back, first, first_back in table:
        for source, target, plain, plain_back, primary, primary_back in (
            (one, two, there, back, first, first_back),
            (two, one, back, there, first_back, first),
        ):
            name = f"{source.singular}_to_{target.singular}"
            if primary:
                yield LinkType(HUBSPOT_DEFINED, plain, source.type_id, target.type_id, plain_back,
                               name=f"{name}_unlabeled")  # fmt: skip
                yield LinkType(HUBSPOT_DEFINED, primary, source.type_id, target.type_id, primary_back, "Primary",
                               primary=True, single=target is COMPANIES, name=name)  # fmt: skip
            else:
                yield LinkType(HUBSPOT_DEFINED, plain, source.type_id, target.type_id, plain_back, name=name)
    company = COMPANIES.type_id
    yield LinkType(HUBSPOT_DEFINED, 13, company, company, 14, "Child Company", name="parent_to_child_company")
    yield LinkType(HUBSPOT_DEFINED, 14, company, company, 13, "Parent Company", single=True,
                   name="child_to_parent_company")  # fmt: skip


PARENTS = (DEALS, ORDERS, QUOTES)
"""A line item belongs to one of these at most."""


class Graph:
    """Edges in both directions, each with the types it carries."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._types: dict[tuple[str, str], dict[Edge, LinkType]] = {}
        self._edges: dict[str, Edges] = {}
        """From id -> type id of the other kind -> to id -> types."""
        self.always: Callable[[str], Edges] = lambda _: {}
        """The edges of records that were always there, until one of them is touched."""
        self._own_types = _FIRST_OWN_TYPE
        for one in _pairs():
            self._add(one)

    def _add(self, one: LinkType) -> None:
        self._types.setdefault((one.source, one.target), {})[one.edge] = one

    # -- types

    def types(self, source: Kind, target: Kind) -> Mapping[Edge, LinkType]:
        return self._types.get((source.type_id, target.type_id), {})

    def type(self, source: Kind, target: Kind, category: str, type_id: int) -> LinkType:
        found = self.types(source, target).get((category, type_id))
        if found is None:
            raise validation(
                f"association type id {type_id} doesn't exist between {source.singular} and {target.singular}",
                sub_category="crm.associations.INVALID_ASSOCIATION_TYPE",
            )
        return found

    def default(self, source: Kind, target: Kind) -> LinkType:
        plain = next((one for one in self.types(source, target).values() if one.label is None), None)
        if plain is None:
            raise validation(f"No default association type exists between {source.singular} and {target.singular}")
        return plain

    def create_label(self, source: Kind, target: Kind, label: str, inverse_label: str | None) -> list[LinkType]:
        """A pair of user-defined types."""
        there, back = self._own_types, self._own_types + 1
        self._own_types += 2
        made = LinkType(USER_DEFINED, there, source.type_id, target.type_id, back, label)
        reverse = LinkType(USER_DEFINED, back, target.type_id, source.type_id, there, inverse_label or label)
        self._add(made)
        self._add(reverse)
        return [made, reverse]

    def connect(self, source: Kind, target: Kind, name: str) -> LinkType:
        """The plain pair of types between two kinds of which one is the account's own."""
        there, back = self._own_types, self._own_types + 1
        self._own_types += 2
        made = LinkType(USER_DEFINED, there, source.type_id, target.type_id, back, name=name)
        self._add(made)
        self._add(LinkType(USER_DEFINED, back, target.type_id, source.type_id, there, name=name))
        return made

    def connected(self, kind: Kind) -> list[LinkType]:
        """Every type from a kind."""
        return [one for (source, _), types in self._types.items() if source == kind.type_id for one in types.values()]

    def part(self, source: str, target: str, edge: Edge) -> None:
        """Forget a pair of types, by the type ids of their kinds."""
        one = self._types[source, target].pop(edge)
        self._types[target, source].pop((one.category, one.inverse), None)

    def disconnect(self, kind: Kind) -> None:
        """Forget the types of a kind that is no more."""
        self._types = {pair: types for pair, types in self._types.items() if kind.type_id not in pair}

    def rename_label(self, source: Kind, target: Kind, type_id: int, label: str) -> None:
        one = self.type(source, target, USER_DEFINED, type_id)
        self._types[one.source, one.target][one.edge] = replace(one, label=label)

    def delete_label(self, source: Kind, target: Kind, type_id: int) -> None:
        one = self.type(source, target, USER_DEFINED, type_id)
        del self._types[one.source, one.target][one.edge]
        self._types[one.target, one.source].pop((USER_DEFINED, one.inverse), None)

    # -- edges

    def of(self, id_: str, target: Kind) -> Mapping[str, set[Edge]]:
        return self._from(id_).get(target.type_id, {})

    def _from(self, id_: str) -> Edges:
        held = self._edges.get(id_)
        return self.always(id_) if held is None else held

    def _own(self, id_: str) -> Edges:
        """A record's edges, to be changed."""
        held = self._edges.get(id_)
        if held is None:
            held = self._edges[id_] = self.always(id_)
        return held

    def neighbours(self, id_: str) -> Iterator[tuple[Kind, str, set[Edge]]]:
        for type_id, others in self._from(id_).items():
            for other, edges in others.items():
                yield self._kinds.by_type_id(type_id), other, edges

    def check_parent(self, source: Kind, source_id: str, target: Kind, target_id: str) -> None:
        """A line item belongs to one parent. Raises :class:`ApiError`."""
        for item_kind, item, parent_kind, parent in (
            (source, source_id, target, target_id),
            (target, target_id, source, source_id),
        ):
            if item_kind is LINE_ITEMS and parent_kind in PARENTS:
                held = [other for kind in PARENTS for other in self.of(item, kind)]
                if held and held != [parent]:
                    raise ApiError(
                        400,
                        f"Line item {item} is already associated with {held[0]}; a line item belongs to one parent",
                        "VALIDATION_ERROR",
                        context={"id": [item]},
                    )

    def link(self, source: Kind, source_id: str, target: Kind, target_id: str, one: LinkType) -> list[LinkType]:
        """Add an edge. Returns the types that are new: a labelled one brings the plain one along."""
        wanted = [one]
        if one.label is not None:
            wanted.insert(0, self.default(source, target))
        self._give_up(source_id, target, one, keep=target_id)
        inverse = self.types(target, source).get((one.category, one.inverse))
        if inverse is not None:
            self._give_up(target_id, source, inverse, keep=source_id)
        here = self._slot(source_id, target.type_id, target_id)
        there = self._slot(target_id, source.type_id, source_id)
        fresh = [each for each in wanted if each.edge not in here]
        for each in fresh:
            here.add(each.edge)
            there.add((each.category, each.inverse))
        return fresh

    def _give_up(self, id_: str, target: Kind, one: LinkType, keep: str) -> None:
        if not one.single:
            return
        for other, edges in self._own(id_).get(target.type_id, {}).items():
            if other != keep and one.edge in edges:
                edges.discard(one.edge)
                self._slot(other, one.source, id_).discard((one.category, one.inverse))

    def _slot(self, id_: str, type_id: str, other: str) -> set[Edge]:
        return self._own(id_).setdefault(type_id, {}).setdefault(other, set())

    def unlink(
        self, source: Kind, source_id: str, target: Kind, target_id: str, only: Iterable[LinkType] | None = None
    ) -> set[Edge]:
        """Remove all types between two records, or only some. Returns what was there and is gone."""
        here, there = self._own(source_id), self._own(target_id)
        held = here.get(target.type_id, {}).get(target_id, set())
        gone = set(held) if only is None else {one.edge for one in only} & held
        back = there.get(source.type_id, {}).get(source_id, set())
        known = self.types(source, target)
        for edge in gone:
            held.discard(edge)
            back.discard((edge[0], known[edge].inverse) if edge in known else edge)
        if not held:
            here.get(target.type_id, {}).pop(target_id, None)
            there.get(source.type_id, {}).pop(source_id, None)
        return gone

    def remove(self, kind: Kind, id_: str) -> None:
        """Forget a record's edges."""
        for other_kind, other, _ in list(self.neighbours(id_)):
            self.unlink(kind, id_, other_kind, other)
        self._edges[id_] = {}

    def describe(self, source: Kind, target: Kind, edges: Iterable[Edge]) -> list[dict[str, Any]]:
        known = self.types(source, target)
        return [
            {"category": category, "typeId": type_id, "label": known[category, type_id].label}
            for category, type_id in sorted(edges)
            if (category, type_id) in known
        ]
