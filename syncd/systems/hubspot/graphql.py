"""Reading a few objects and what they are associated with in one request, where the account has GraphQL.

It is a shorter way to what REST tells, never another answer: what cannot be asked for so, is not found, is more than
was asked for, or is refused, is left to REST. Whether the account has it is found out by the first request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.lens import Lens, Plain, Stringly
from syncd.model.mapping import ObjectMapping
from syncd.model.value import FieldType
from syncd.systems.contract import VendorError
from syncd.systems.hubspot.associations import Label, label_of
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.objects import SINGULAR, listed, modified_property, properties_of
from syncd.systems.hubspot.pipelines import slug
from syncd.systems.hubspot.relations import Neighbours, Relation, relations_of
from syncd.systems.hubspot.settings import Paths

PATH: Final = "/collector/graphql"
MOST: Final = 10
"""Objects per request; more of them are fewer calls by REST."""
NEAR: Final = 10
"""Neighbours asked for per object and association; an object with more is read by REST."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_OWN: Final = re.compile(r"p\d*_([a-z0-9_]+)")
_SINGLE: Final = {plural: singular for singular, plural in SINGULAR.items()} | {"orders": "order", "quotes": "quote"}

Read = tuple[dict[str, Any], dict[str, Neighbours]]
"""Objects as REST tells them, and by kind of neighbour what each is associated with."""


class GraphQL:
    def __init__(self, client: Client, paths: Paths) -> None:
        self._client = client
        self._paths = paths
        self._words: dict[tuple[str, str], dict[Label, str]] = {}
        self._refused: set[str] = set()
        """Mappings that the account's schema does not fit."""
        self.available = True
        """Until the account says otherwise."""

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> Read:
        """What of the objects could be read so; by id. Raises :class:`VendorError` for what asks to wait."""
        relations = relations_of(mapping)
        if not self.available or not relations or len(ids) > MOST or mapping.name in self._refused:
            return {}, {}
        try:
            fields = await self._fields(mapping, relations, lane)
            if fields is None:
                self._refused.add(mapping.name)
                return {}, {}
            reply = await self._client.post(PATH, question(mapping, fields, ids), lane)
        except VendorError as error:
            self._learn(error)
            return {}, {}
        told = reply.data if isinstance(reply.data, Mapping) else {}
        if told.get("errors"):
            self._refused.add(mapping.name)  # It does not fit the schema, is too complex, or a scope is missing.
            return {}, {}
        return answer(told, relations, ids)

    async def serves(self, lane: Lane) -> bool:
        """Whether the account answers at all. Raises :class:`VendorError` for what asks to wait."""
        try:
            reply = await self._client.post(PATH, {"query": "{ CRM { __typename } }"}, lane)
        except VendorError as error:
            self._learn(error)
            return False
        return isinstance(reply.data, Mapping) and not reply.data.get("errors")

    def _learn(self, error: VendorError) -> None:
        """A refusal that will not change is remembered; what passes is left to REST this once."""
        if error.failure.remedy in {Remedy.WAIT, Remedy.REFRESH}:
            raise error
        if error.failure.status in {400, 403, 404, 405}:
            self.available = False

    async def _fields(self, mapping: ObjectMapping, relations: Sequence[Relation], lane: Lane) -> list[str] | None:
        """The association fields in the order of the relations; ``None`` where the mapping cannot be asked for so."""
        names = [name_of(mapping.object), *(name_of(one.object) for one in relations)]
        if not all(names) or not all(_NAME.fullmatch(one) for one in properties_of(mapping)):
            return None
        if any(_is_date(item.lens) for item in mapping.fields):
            return None  # No source tells in which form a date is answered.
        fields = []
        for one in relations:
            suffix = (await self._suffixes(mapping.object, one.object, lane)).get(one.label)
            if suffix is None:
                return None
            fields.append(f"{name_of(one.object)}_collection__{suffix}")
        return fields

    async def _suffixes(self, from_: str, to: str, lane: Lane) -> Mapping[Label, str]:
        """How the associations between two kinds are called in the schema."""
        known = self._words.get((from_, to))
        if known is None:
            reply = await self._client.get(self._paths.associations(from_, to, "labels"), {}, lane)
            known = self._words[from_, to] = suffixes(from_, to, listed(reply.data))
        return known


def suffixes(from_: str, to: str, labels: Sequence[Mapping[str, Any]]) -> dict[Label, str]:
    """``primary``, a label's words with underscores between, or ``contact_to_company`` for the plain association, which
    is ``…_unlabeled`` beside a primary one. Pure."""
    primary = any(one.get("label") == "Primary" for one in labels)
    plain = f"{_bare(from_)}_to_{_bare(to)}{'_unlabeled' if primary else ''}"
    found: dict[Label, str] = {}
    for one in labels:
        label = label_of(one)
        if label is not None:
            found[label] = slug(str(one["label"])) if one.get("label") else plain
    return found


def name_of(object_: str) -> str:
    """``contact``; ``p_machine`` of an own type by its full name. Empty where the schema's name is not known."""
    own = _OWN.fullmatch(object_)
    return f"p_{own.group(1)}" if own else _SINGLE.get(object_, "")


def _bare(object_: str) -> str:
    return name_of(object_).removeprefix("p_")


def _is_date(lens: Lens) -> bool:
    return isinstance(lens, Plain | Stringly) and lens.type is FieldType.DATE


def question(mapping: ObjectMapping, fields: Sequence[str], ids: Sequence[str]) -> dict[str, Any]:
    """The request: every object under an alias, its ids as variables. Pure."""
    properties = dict.fromkeys((*properties_of(mapping), modified_property(mapping.object), "hs_object_id"))
    near = " ".join(
        f"n{place}: {field}(limit: {NEAR}) {{ total items {{ hs_object_id }} }}" for place, field in enumerate(fields)
    )
    inside = f"{' '.join(properties)} associations {{ {near} }}"
    parts = [
        f'r{place}: {name_of(mapping.object)}(uniqueIdentifier: "hs_object_id", uniqueIdentifierValue: $i{place}) '
        f"{{ {inside} }}"
        for place in range(len(ids))
    ]
    variables = {f"i{place}": one for place, one in enumerate(ids)}
    head = ", ".join(f"${name}: String!" for name in variables)
    query = f"query objects({head}) {{ CRM {{ {' '.join(parts)} }} }}"
    return {"operationName": "objects", "query": query, "variables": variables}


def answer(told: Mapping[str, Any], relations: Sequence[Relation], ids: Sequence[str]) -> Read:
    """Objects as REST tells them. One that is not there, that answers under another id, or that has more neighbours
    than were asked for is left out. Pure."""
    data = told.get("data")
    rows = data.get("CRM") if isinstance(data, Mapping) else None
    found: dict[str, Any] = {}
    near: dict[str, dict[str, dict[str, frozenset[Label]]]] = {one.object: {} for one in relations}
    for place, id_ in enumerate(ids):
        row = rows.get(f"r{place}") if isinstance(rows, Mapping) else None
        if not isinstance(row, Mapping) or text(row.get("hs_object_id")) != id_:
            continue
        lists = _neighbours(row, len(relations))
        if lists is None:
            continue
        found[id_] = {"id": id_, "properties": {name: text(value) for name, value in row.items() if name in _flat(row)}}
        for one, ids_ in zip(relations, lists, strict=True):
            held = near[one.object].setdefault(id_, {})
            for other in ids_:
                held[other] = held.get(other, frozenset()) | {one.label}
    return found, dict(near)


def _flat(row: Mapping[str, Any]) -> set[str]:
    return {name for name in row if name != "associations"}


def _neighbours(row: Mapping[str, Any], count: int) -> list[list[str]] | None:
    """Ids by relation; ``None`` where they are not all there."""
    held = row.get("associations")
    lists = []
    for place in range(count):
        one = held.get(f"n{place}") if isinstance(held, Mapping) else None
        items = one.get("items") if isinstance(one, Mapping) else None
        if not isinstance(one, Mapping) or not isinstance(items, list) or one.get("total") != len(items):
            return None
        lists.append([str(text(item.get("hs_object_id"))) for item in items if isinstance(item, Mapping)])
    return lists


def text(value: Any) -> str | None:
    """A value in the form REST gives it: numbers and truth as text; of an option with a label, its value; lists with
    semicolons between."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        plain = format(Decimal(repr(value)), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    if isinstance(value, Mapping):
        return text(value.get("value"))
    if isinstance(value, list):
        return ";".join(one for each in value if (one := text(each)) is not None)
    return str(value)
