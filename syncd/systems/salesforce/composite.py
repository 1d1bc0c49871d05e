"""A new parent and its children in one call, the children by reference to an id that does not exist yet.

Five parents fit a call: a call takes 25 parts, of which five may be collections. Nothing is all-or-none: everything is
keyed, so a child that failed comes again by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import OutOfBudgetError, VendorError
from syncd.systems.mishaps import failure_of
from syncd.systems.salesforce.children import Child, lookup_of, settle_child
from syncd.systems.salesforce.collections import Done, sort_results
from syncd.systems.salesforce.describe import Describer, Schema
from syncd.systems.salesforce.draft import Draft
from syncd.systems.salesforce.errors import SPLITTABLE, failure_of_item, no_verdict
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.settings import COLLECTION, Settings
from syncd.systems.salesforce.soql import name
from syncd.systems.salesforce.values import body

PARTS: Final = 25
COLLECTIONS: Final = 5


@dataclass(slots=True)
class Family:
    draft: Draft
    groups: list[list[Child]] = field(default_factory=list)
    """Children of one object, at most a collection each."""


def fits(draft: Draft) -> bool:
    """Whether a new parent's children can all travel with it."""
    sizes = [-(-len(part.upsert) // COLLECTION) for part in draft.write.children if part.upsert]
    return 0 < sum(sizes) <= COLLECTIONS


def packed(families: Sequence[Family]) -> Iterator[list[Family]]:
    """Families in calls."""
    call: list[Family] = []
    for one in families:
        collections = sum(len(each.groups) for each in call) + len(one.groups)
        if call and (collections > COLLECTIONS or len(call) + collections + 1 > PARTS):
            yield call
            call = []
        call.append(one)
    if call:
        yield call


class Families:
    def __init__(self, settings: Settings, rest: Rest, describer: Describer) -> None:
        self._settings = settings
        self._rest = rest
        self._describer = describer

    async def write(self, mapping: ObjectMapping, schema: Schema, drafts: Sequence[Draft], lane: Lane) -> None:
        """New parents with children. Failures and ids end up on the drafts."""
        families = []
        for draft in drafts:
            try:
                families.append(await self._family(mapping, draft, lane))
            except (VendorError, OutOfBudgetError) as error:
                draft.fail(failure_of(error))
        waiting = list(packed(families))
        while waiting:
            call = waiting.pop(0)
            try:
                data = await self._rest.send("POST", "composite", self.request(mapping, schema, call), lane)
            except (VendorError, OutOfBudgetError) as error:
                failure = failure_of(error)
                if failure.status in SPLITTABLE and len(call) > 1:
                    waiting += [call[: len(call) // 2], call[len(call) // 2 :]]
                else:
                    for one in call:
                        one.draft.fail(failure)
                continue
            settle(call, data)

    async def _family(self, mapping: ObjectMapping, draft: Draft, lane: Lane) -> Family:
        family = Family(draft)
        for part in draft.write.children:
            schema = await self._describer.schema(part.object, lane)
            lookup = lookup_of(part, schema, mapping.object)
            children = [Child(draft, part, one, schema, lookup) for one in part.upsert]
            family.groups += [children[start : start + COLLECTION] for start in range(0, len(children), COLLECTION)]
        return family

    def request(self, mapping: ObjectMapping, schema: Schema, call: Sequence[Family]) -> dict[str, Any]:
        """The body of the call."""
        parts: list[dict[str, Any]] = []
        key_path = name(mapping.key_path)
        for number, family in enumerate(call):
            draft = family.draft
            place = f"sobjects/{name(schema.name)}/{key_path}/{quote(draft.write.key, safe='')}"
            parts.append(self._part(place, f"p{number}", body(draft.values, schema)))
            for group, children in enumerate(family.groups):
                records = [
                    {"attributes": {"type": one.schema.name}, **one.fields(mapping.key_path, f"@{{p{number}.id}}")}
                    for one in children
                ]
                place = f"composite/sobjects/{name(children[0].schema.name)}/{key_path}"
                parts.append(self._part(place, f"p{number}c{group}", {"allOrNone": False, "records": records}))
        return {"allOrNone": False, "collateSubrequests": False, "compositeRequest": parts}

    def _part(self, place: str, reference: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "method": "PATCH", "url": self._settings.data(place), "referenceId": reference, "body": dict(fields),
        }  # fmt: skip


def settle(call: Sequence[Family], data: Any) -> None:
    """What the reply says of each part, by its reference."""
    listed = data.get("compositeResponse") if isinstance(data, Mapping) else None
    parts = {
        str(one.get("referenceId")): one
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping)
    }
    for number, family in enumerate(call):
        parent = _parent(parts.get(f"p{number}"))
        if parent.failure is not None:
            family.draft.fail(parent.failure)
            continue
        family.draft.stand(parent.id)
        for group, children in enumerate(family.groups):
            for child, done in zip(children, _group(parts.get(f"p{number}c{group}"), len(children)), strict=True):
                settle_child(child, done)


def _parent(part: Mapping[str, Any] | None) -> Done:
    if part is None:
        return Done(failure=no_verdict())
    told, status = part.get("body"), part.get("httpStatusCode")
    if status in (200, 201) and isinstance(told, Mapping) and is_id(told.get("id")):
        return Done(long_id(told["id"]), created=told.get("created") is True)
    if status == 300:
        return Done(failure=Failure(Remedy.ASK, "external-id-not-unique", "several records carry this key", 300))
    if isinstance(status, int) and 200 <= status <= 299:
        return Done(failure=no_verdict("the reply calls it a success and names no record"))
    return Done(failure=failure_of_item({"errors": told}, creates=True))


def _group(part: Mapping[str, Any] | None, count: int) -> list[Done]:
    if part is None:
        return [Done(failure=no_verdict())] * count
    if part.get("httpStatusCode") == 200:
        return sort_results(part.get("body"), count, creates=True)
    return [Done(failure=failure_of_item({"errors": part.get("body")}, creates=True))] * count
