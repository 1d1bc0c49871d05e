"""The messages of a merge that an operator approves; see :mod:`syncd.control.messages`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class MergeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Make two records one. Sent again with the same ``command_id`` it says how far that is."""

    command_id: str
    survivor: str
    """The id of the record that stays."""
    absorbed: str
    """The id of the record that goes into it; or an object that no record has, as ``connection.object:id``."""
    who: str
    why: str = ""
    preview: bool = False
    """Only say what would be merged where."""


class MergedField(msgspec.Struct, frozen=True, kw_only=True):
    """A field in which the two differ."""

    field: str
    survivor: Any = None
    absorbed: Any = None
    result: Any = None
    type: str = "text"
    personal: bool = False


class MergedPlace(msgspec.Struct, frozen=True, kw_only=True):
    place: str
    """``connection.object``."""
    action: Literal["moves", "merges"]
    """The absorbed one's object becomes the survivor's, or the vendor merges two objects; that cannot be undone."""
    survivor_id: str = ""
    absorbed_id: str = ""


class MergeResult(msgspec.Struct, frozen=True, kw_only=True):
    state: Literal["preview", "open", "done", "failed"]
    reason: str = ""
    fields: list[MergedField] = []
    places: list[MergedPlace] = []
    refused: list[str] = []
    """Why it cannot be done, one line per connection; empty when it can."""
