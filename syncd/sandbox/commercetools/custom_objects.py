"""Custom objects: JSON under container and key, written by upsert."""

from __future__ import annotations

import re
from typing import Any

from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.errors import invalid_field, invalid_input, invalid_json
from syncd.sandbox.commercetools.project import Actor, Project
from syncd.sandbox.commercetools.resource import check_version
from syncd.sandbox.commercetools.shapes import check, shape

_NAME = re.compile(r"[-_~.a-zA-Z0-9]{1,256}")
_DRAFT = shape("container:text key:text value:any version?:int")
PATH = "custom-objects"
_DEEPEST = 100
"""Chosen: no source tells how deep a value may nest."""


def find(project: Project, container: str, key: str) -> Row | None:
    id_ = project.documents.get((container, key))
    return project.collections[PATH].get(id_) if id_ is not None else None


def upsert(project: Project, body: Any, actor: Actor) -> tuple[Row, bool]:
    """The object and whether it is new. Raises ``ApiError``."""
    if not isinstance(body, dict) or "value" not in body:
        raise invalid_json("value: Missing required value")
    draft = check({**body, "value": _without_nulls(body["value"])}, _DRAFT)
    for name in ("container", "key"):
        if not _NAME.fullmatch(draft[name]):
            raise invalid_field(name, draft[name])
    old = find(project, draft["container"], draft["key"])
    if old is None:
        if draft.get("version", 0) != 0:
            raise invalid_input("The version of a new custom object must be 0 or left out.")
        fresh = {name: draft.get(name) for name in ("container", "key", "value")}
        made = project.create(PATH, fresh, actor)
        project.documents[made["container"], made["key"]] = made["id"]
        return made, True
    if "version" in draft:
        check_version(old, draft["version"])
    return project.replace(PATH, old, {**old, "value": draft.get("value")}, actor), False


def delete(project: Project, row: Row, version: str, actor: Actor) -> Row:
    """Raises ``ApiError``."""
    if version and not version.isdecimal():
        raise invalid_input("Malformed parameter: version: A number is required.")
    if version:
        check_version(row, int(version))
    project.delete(PATH, row, actor)
    del project.documents[row["container"], row["key"]]
    return row


def _without_nulls(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise invalid_json("value: nested too deeply.")
    if isinstance(value, dict):
        return {name: _without_nulls(one, depth + 1) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one, depth + 1) for one in value]
    return value
