"""What a call changed of the account's settings (properties, pipelines, object types, labels), for the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.sandbox.hubspot.call import Answer, Call

_AREAS = frozenset({"properties", "pipelines", "schemas"})
_EFFECTS = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}


def note(call: Call, answer: Answer) -> None:
    """Note what a call that succeeded has changed; other calls than those for settings have no effect here."""
    rest, area = call.route.rest, call.route.area
    if call.method not in _EFFECTS or not (area in _AREAS or (area == "associations" and rest[2:3] == ("labels",))):
        return
    for effect, what, name, values in _changes(call, answer):
        call.account.told(effect, what, f"{rest[0]}/{name}" if rest else name, values, call.source)


def _changes(call: Call, answer: Answer) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    rest, shown = call.route.rest, answer[1] if isinstance(answer[1], dict) else {}
    effect = _EFFECTS[call.method]
    match call.route.area, rest[1:]:
        case "properties", ("batch", ("create" | "archive") as what):
            named = shown["results"] if what == "create" else call.body()["inputs"]
            yield from ((what, "properties", str(one["name"]), one) for one in named)
        case "properties", ("groups", *name):
            yield effect, "property_groups", name[0] if name else str(shown["name"]), _sent(call)
        case "properties", name if name[:1] != ("batch",):
            done = "archive" if effect == "delete" else effect
            yield done, "properties", name[0] if name else str(shown["name"]), _sent(call)
        case "pipelines", (pipeline, "stages", *stage):
            yield effect, "pipeline_stages", f"{pipeline}/{stage[0] if stage else shown['id']}", _sent(call)
        case "pipelines", name:
            yield effect, "pipelines", name[0] if name else str(shown["id"]), _sent(call)
        case "schemas", _:
            yield effect, "schemas", str(shown.get("name", "")), _sent(call)
        case "associations", (_, _, *type_id):
            sent = _sent(call)
            made = [str(one["typeId"]) for one in shown.get("results", ())] or type_id
            yield effect, "association_labels", "/".join((rest[1], *(made or [str(sent["associationTypeId"])]))), sent


def _sent(call: Call) -> Mapping[str, Any]:
    return call.body() if call.request.body else {}
