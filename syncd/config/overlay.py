"""Standard entities and mappings with a user's changes laid over them. Plain dictionaries in, plain ones out.

Tables are merged key by key, everything else is replaced; ``false`` takes a field, relation or child away.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

Table = dict[str, Any]
NAMED: Final = ("fields", "relations", "children")
"""Keys whose tables may be taken away with ``false``."""


@functools.cache
def _standard(name: str) -> Mapping[str, Any]:
    text = resources.files("syncd.config").joinpath("standard", f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def standard_entities() -> Mapping[str, Any]:
    """Entity name to its document."""
    entities: Mapping[str, Any] = _standard("entities")["entities"]
    return entities


def standard_mappings(system: str) -> Mapping[str, Any]:
    """Object to its mapping document, for one system."""
    return {one["object"]: one for one in _standard(system)["mappings"]}


def overlay(below: Any, above: Any) -> Any:
    """``above`` laid over ``below``; neither is changed.

    >>> overlay({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}, "b": 4})
    {'a': {'x': 1, 'y': 3}, 'b': 4}
    """
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    merged: Table = dict(below)
    for key, value in above.items():
        merged[key] = overlay(below[key], value) if key in below else value
    return merged


def overlay_entity(below: Mapping[str, Any], above: Mapping[str, Any]) -> Table:
    """An entity with a user's changes. Field shorthands are spelled out, fields set to ``false`` are gone."""
    merged = overlay(_spelled(below, _field_spelled), _spelled(above, _field_spelled))
    return _without_removed(merged, below, above)


def _without_removed(merged: Table, below: Mapping[str, Any], above: Mapping[str, Any]) -> Table:
    fields = merged.get("fields")
    if not isinstance(fields, dict):
        return merged
    removed = {name for name, value in fields.items() if value is False}
    merged["fields"] = {name: value for name, value in fields.items() if name not in removed}
    for key in ("identity", "title"):
        if key in below and key not in above:
            merged[key] = [name for name in below[key] if name not in removed]
    return merged


def overlay_mapping(below: Mapping[str, Any], above: Mapping[str, Any]) -> Table:
    """A mapping with a user's changes."""
    merged = {**_spelled(below, _path_spelled)}
    for key, value in _spelled(above, _path_spelled).items():
        if key == "fields" and isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _overlay_paths(merged[key], value)
        elif key == "children" and isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = {**merged[key], **{name: _child(merged[key].get(name), one) for name, one in value.items()}}
        else:
            merged[key] = overlay(merged.get(key), value)
    for key in NAMED:
        if isinstance(merged.get(key), dict):
            merged[key] = {name: value for name, value in merged[key].items() if value is not False}
    return merged


def _child(below: Any, above: Any) -> Any:
    return overlay_mapping(below, above) if isinstance(below, dict) and isinstance(above, dict) else above


def _overlay_paths(below: Mapping[str, Any], above: Mapping[str, Any]) -> Table:
    merged = dict(below)
    for name, value in above.items():
        before = below.get(name)
        merged[name] = _overlay_path(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _overlay_path(below: Mapping[str, Any], above: Mapping[str, Any]) -> Table:
    """One field's mapping. A new path replaces the old ones, and a lens of another name does not inherit arguments."""
    kept = dict(below)
    if "path" in above or "paths" in above:
        kept.pop("path", None)
        kept.pop("paths", None)
    if _lens_name(above.get("lens")) not in {None, _lens_name(below.get("lens"))}:
        kept.pop("lens", None)
    if isinstance(kept.get("lens"), str) and isinstance(above.get("lens"), dict):
        kept["lens"] = {"name": kept["lens"]}
    return overlay(kept, above)  # type: ignore[no-any-return]


def _lens_name(lens: Any) -> str | None:
    name = lens.get("name") if isinstance(lens, dict) else lens
    return name if isinstance(name, str) else None


def _spelled(document: Mapping[str, Any], spell: Any) -> Table:
    spelled = dict(document)
    if isinstance(spelled.get("fields"), dict):
        spelled["fields"] = {name: spell(value) for name, value in spelled["fields"].items()}
    if isinstance(spelled.get("children"), dict):
        spelled["children"] = {
            name: _spelled(value, spell) if isinstance(value, dict) else value
            for name, value in spelled["children"].items()
        }
    return spelled


def _field_spelled(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def _path_spelled(value: Any) -> Any:
    if isinstance(value, str):
        return {"path": value}
    return {"paths": value} if isinstance(value, list) else value
