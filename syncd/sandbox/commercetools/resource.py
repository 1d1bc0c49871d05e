"""What all resources have in common: drafts, update actions with a version, deletion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.custom import set_custom_field, set_custom_type
from syncd.sandbox.commercetools.errors import concurrent_modification, invalid_input, invalid_json
from syncd.sandbox.commercetools.project import Actor, Project
from syncd.sandbox.commercetools.shapes import Shape, check, shape

MAX_ACTIONS = 500

Build: TypeAlias = Callable[[Project, dict[str, Any]], Row]
Change: TypeAlias = Callable[[Project, Row, dict[str, Any]], None]
"""Changes the row in place; what it raises leaves the stored one as it was."""


@dataclass(frozen=True, slots=True)
class Action:
    shape: Shape
    change: Change


@dataclass(slots=True)
class Resource:
    path: str
    type_id: str
    scopes: str
    """``customers``: reading needs ``view_customers``, writing ``manage_customers``."""
    draft: Shape
    build: Build
    custom_type: str = ""
    """Resource type id under which types are made for it."""
    actions: dict[str, Action] = field(default_factory=dict)
    admit: Callable[[Project, Row, list[str]], None] = lambda _project, _row, _names: None
    """Refuses updates as a whole (frozen carts)."""
    finish: Callable[[Project, Row], None] = lambda _project, _row: None
    """Derives what follows from the changed fields (totals)."""
    may_delete: Callable[[Project, Row], None] = lambda _project, _row: None
    settled: Callable[[Project, Row | None, Row | None], None] = lambda _project, _before, _after: None
    """Keeps side indexes after an effect."""

    def action(self, name: str, wanted: str = "", **others: Shape) -> Callable[[Change], Change]:
        """Declare an update action: its name and the shape of its members."""

        def declare(change: Change) -> Change:
            self.actions[name] = Action(shape(f"action:text {wanted}", **others), change)
            return change

        return declare

    def setter(self, name: str, member: str, kind: str = "text", stored: str = "") -> None:
        """Declare ``set...``: an absent value clears."""
        target = stored or member

        def change(project: Project, row: Row, args: dict[str, Any]) -> None:
            if member in args:
                row[target] = project.reference(args[member]) if kind.startswith("ri=") else args[member]
            else:
                row.pop(target, None)

        self.actions[name] = Action(shape(f"action:text {member}?:{kind}"), change)

    def customizable(self) -> None:
        """Declare ``setCustomType`` and ``setCustomField``."""

        @self.action("setCustomType", "type?:ri=type fields?:object")
        def _type(project: Project, row: Row, args: dict[str, Any]) -> None:
            set_custom_type(project, self.custom_type, row, args)

        @self.action("setCustomField", "name:text value?:any")
        def _field(project: Project, row: Row, args: dict[str, Any]) -> None:
            set_custom_field(project, row, args)


def create(project: Project, resource: Resource, draft: Any, actor: Actor, at_ms: int | None = None) -> Row:
    """Raises ``ApiError``."""
    body = resource.build(project, check(draft, resource.draft))
    resource.finish(project, body)
    row = project.create(resource.path, body, actor, at_ms=at_ms)
    resource.settled(project, None, row)
    return row


_UPDATE = shape("version:int actions:any*")


def update(project: Project, resource: Resource, row: Row, body: Any, actor: Actor) -> Row:
    """All actions or none. Raises ``ApiError``."""
    request = check(body, _UPDATE)
    actions = request["actions"]
    if len(actions) > MAX_ACTIONS:
        raise invalid_input(f"An update request takes at most {MAX_ACTIONS} actions, got {len(actions)}.")
    planned = [_read_action(resource, action) for action in actions]
    row = project.overtake(resource.path, row)
    check_version(row, request["version"])
    resource.admit(project, row, [str(action["action"]) for action in actions])
    after: Row = orjson.loads(orjson.dumps(row))
    steps = 0
    for change, args in planned:
        before_step = orjson.dumps(after)
        change(project, after, args)
        steps += orjson.dumps(after) != before_step
    if steps == 0:
        return row
    resource.finish(project, after)
    project.replace(resource.path, row, after, actor, steps)
    resource.settled(project, row, after)
    return after


def _read_action(resource: Resource, action: Any) -> tuple[Change, dict[str, Any]]:
    name = action.get("action") if isinstance(action, dict) else None
    if not isinstance(name, str):
        raise invalid_json("actions -> action: Missing required value")
    declared = resource.actions.get(name)
    if declared is None:
        raise invalid_json(f"actions -> action: Invalid type value '{name}' for an update action of {resource.path}.")
    return declared.change, check(action, declared.shape, f"actions -> {name}")


def check_version(row: Mapping[str, Any], version: int) -> None:
    """Raises ``ApiError`` 409."""
    if row["version"] != version:
        raise concurrent_modification(row["id"], version, row["version"])


def delete(project: Project, resource: Resource, row: Row, version: str, actor: Actor) -> Row:
    """Raises ``ApiError``."""
    if not version.isdecimal():
        raise invalid_input("Malformed parameter: version: A number is required.")
    row = project.overtake(resource.path, row)
    check_version(row, int(version))
    resource.may_delete(project, row)
    project.delete(resource.path, row, actor)
    resource.settled(project, row, None)
    return row
