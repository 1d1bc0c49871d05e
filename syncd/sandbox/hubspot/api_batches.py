"""Batch calls on objects: at most 100 inputs, all or nothing unless every input carries a trace id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.hubspot.account import Claims, Plan
from syncd.sandbox.hubspot.call import Answer, Call, View, envelope
from syncd.sandbox.hubspot.errors import ApiError, duplicate_ids, missing_fields, not_found, validation
from syncd.sandbox.hubspot.kinds import CONTACTS, Kind
from syncd.sandbox.hubspot.shapes import mapping, mappings, optional, required, texts


def answer(call: Call, name: str, what: str) -> Answer:
    kind = call.account.kinds.of(name)
    if what == "read":
        call.may(kind.read_scopes())
        return _read(call, kind)
    writer = {"create": _create, "update": _update, "upsert": _upsert, "archive": _archive}.get(what)
    if writer is None:
        raise call.unsupported()
    call.may(kind.write_scopes())
    return writer(call, kind)


@dataclass(slots=True)
class _Batch:
    """Inputs of one call, sorted into plans and errors."""

    call: Call
    kind: Kind
    inputs: Sequence[Mapping[str, Any]]
    traced: bool
    """Every input names a trace id of its own, so that errors of single inputs fail only these."""
    claims: Claims = field(default_factory=Claims)
    planned: list[tuple[Mapping[str, Any], Plan]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def plan(self, make: Callable[[Mapping[str, Any]], Plan], *, missing_is_partial: bool) -> None:
        """Plan every input. Raises the first error that fails the whole call."""
        for one in self.inputs:
            try:
                self.planned.append((one, make(one)))
            except ApiError as error:
                if not self.traced and not (missing_is_partial and error.status == 404):
                    raise
                trace = optional(one, "objectWriteTraceId")
                self.errors.append(error.standard({"objectWriteTraceId": [trace]} if trace else None))

    def apply(self, success: int, *, tell_new: bool = False) -> Answer:
        account = self.call.account
        results = []
        views: dict[tuple[str, ...], View] = {}
        for one, plan in self.planned:
            record = account.apply(plan, self.call.source)
            names = tuple(one["properties"])
            view = views.get(names) or views.setdefault(names, View(self.call, self.kind, names))
            shown = view.show(record)
            if tell_new:
                shown["new"] = plan.record is None
            if one.get("objectWriteTraceId"):
                shown["objectWriteTraceId"] = str(one["objectWriteTraceId"])
            results.append(shown)
        account.dice.shuffle(results)
        return (207 if self.errors else success), envelope(account, results, self.errors)


def _batch(call: Call, kind: Kind) -> _Batch:
    inputs = call.inputs(call.body())
    for one in inputs:
        if one.get("properties") is None:
            raise missing_fields("properties")
        mapping(one["properties"], "properties")
    traces = [trace for trace in (optional(one, "objectWriteTraceId") for one in inputs) if trace]
    return _Batch(call, kind, inputs, traced=len(set(traces)) == len(inputs))


def _create(call: Call, kind: Kind) -> Answer:
    batch = _batch(call, kind)
    batch.plan(
        lambda one: call.account.plan_create(
            kind,
            one["properties"],
            call.source,
            batch.claims,
            links=mappings(one.get("associations"), "associations"),
            rules=call.rules,
        ),
        missing_is_partial=False,
    )
    return batch.apply(201)


def _id_property(inputs: Sequence[Mapping[str, Any]]) -> str:
    names = {optional(one, "idProperty") for one in inputs}
    if len(names) > 1:
        raise validation("All inputs of a batch must have the same idProperty", context={"idProperty": sorted(names)})
    return names.pop() if names else ""


def _ids(kind: Kind, inputs: Sequence[Mapping[str, Any]], id_property: str) -> list[str]:
    """The inputs' ids, which must differ; e-mails differ only by more than case."""
    fold = kind is CONTACTS and id_property == "email"
    ids: list[str] = []
    for one in inputs:
        (id_,) = required(one, "id")
        ids.append(id_.strip().lower() if fold else id_)
    if len(set(ids)) != len(ids):
        raise duplicate_ids(sorted({one for one in ids if ids.count(one) > 1}))
    return ids


def _update(call: Call, kind: Kind) -> Answer:
    batch = _batch(call, kind)
    name = _id_property(batch.inputs)
    _ids(kind, batch.inputs, name)

    def plan(one: Mapping[str, Any]) -> Plan:
        record = call.account.find(kind, str(one["id"]), name)
        if record is None:
            raise _absent(kind, [str(one["id"])])
        return call.account.plan_update(record, one["properties"], call.source, batch.claims, rules=call.rules)

    batch.plan(plan, missing_is_partial=True)
    return batch.apply(200)


def _upsert(call: Call, kind: Kind) -> Answer:
    account, batch = call.account, _batch(call, kind)
    name = _id_property(batch.inputs)
    _ids(kind, batch.inputs, name)
    if name:
        account.key_property(kind, name)

    def plan(one: Mapping[str, Any]) -> Plan:
        record = account.find(kind, str(one["id"]), name)
        if record is not None:
            return account.plan_update(record, one["properties"], call.source, batch.claims, rules=call.rules)
        if not name or name == "hs_object_id":
            raise _absent(kind, [str(one["id"])])
        values = {name: str(one["id"]), **one["properties"]}
        return account.plan_create(kind, values, call.source, batch.claims, rules=call.rules)

    batch.plan(plan, missing_is_partial=True)
    return batch.apply(200, tell_new=True)


def _absent(kind: Kind, ids: Sequence[str]) -> ApiError:
    return not_found(
        f"Could not get some {kind.legacy} objects, they may be deleted or not exist. Check that ids are valid.",
        context={"ids": list(ids)},
    )


def _read(call: Call, kind: Kind) -> Answer:
    account, body = call.account, call.body()
    name = optional(body, "idProperty")
    ids = dict.fromkeys(_read_ids(call, body))
    history = texts(body.get("propertiesWithHistory"), "propertiesWithHistory")
    view = View(call, kind, texts(body.get("properties"), "properties"), history)
    archived = call.flag("archived")
    found = {id_: account.find(kind, id_, name, archived=archived) for id_ in ids}
    results = [view.show(record) for record in found.values() if record is not None]
    missing = [id_ for id_, record in found.items() if record is None]
    account.dice.shuffle(results)
    if missing:
        return 207, envelope(account, results, [_absent(kind, missing).standard()])
    return 200, envelope(account, results)


def _read_ids(call: Call, body: Mapping[str, Any]) -> list[str]:
    return [required(one, "id")[0] for one in call.inputs(body)]


def _archive(call: Call, kind: Kind) -> Answer:
    for id_ in _read_ids(call, call.body()):
        record = call.account.records.get(kind, id_)
        if record is not None:
            call.account.archive(record, call.source)
    return 204, None
