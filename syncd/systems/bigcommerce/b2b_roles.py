"""Roles of a company's users, with their permissions. Predefined ones cannot be changed, nor those in use deleted.

Roles have neither moments nor anything unique: their list is walked whole, and a new one is looked for by its name
first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.client import Client, each
from syncd.systems.bigcommerce.endpoint import Endpoint, Listed, Values
from syncd.systems.bigcommerce.errors import Doing, from_unusable
from syncd.systems.bigcommerce.form import UnwritableError
from syncd.systems.contract import Snapshot, VendorError

PATH: Final = "companies/roles"
_LIMIT: Final = 250
_PREDEFINED: Final = 1


class Roles(Endpoint):
    def __init__(self, client: Client) -> None:
        self._client = client

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        """Lists do not show permissions: each role is read."""
        del since
        offset = int(after or 0)
        rows, total = await self._rows([("offset", str(offset)), ("limit", str(_LIMIT))], lane)
        found = await self.read(mapping, [str(one["id"]) for one in rows], lane)
        return Listed(found, str(offset + len(rows)) if rows and offset + len(rows) < total else "", total)

    async def _rows(self, params: Sequence[tuple[str, str]], lane: Lane) -> tuple[list[Mapping[str, Any]], int]:
        data, meta = await self._client.b2b("GET", PATH, lane, Doing.READ, params)
        rows = data if isinstance(data, list) else [data] if isinstance(data, Mapping) and data.get("id") else []
        total = (meta.get("pagination") or {}).get("totalCount")
        return rows, total if isinstance(total, int) else len(rows)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        del mapping
        wanted = [one for one in dict.fromkeys(ids) if one.isdigit()]
        rows = await each(wanted, lambda one: self._one(one, lane), self.at_once)
        return [objects.role(one) for one in rows if one is not None]

    async def _one(self, number: str, lane: Lane) -> Mapping[str, Any] | None:
        try:
            data, _ = await self._client.b2b("GET", f"{PATH}/{number}", lane, Doing.READ_ONE)
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                return None
            raise
        return data if isinstance(data, Mapping) else None

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        if await self.holder(mapping, values, lane) is not None:
            raise VendorError(Failure(Remedy.LINK, "already-there", "there is a role of this name"))
        form = _role(values)
        data, _ = await self._client.b2b(
            "POST", PATH, lane, Doing.CREATE, body={"permissions": [], **form}
        )  # fmt: skip
        if not isinstance(data, Mapping) or not data.get("id"):
            raise VendorError(from_unusable(200, "the answer names no role", Doing.CREATE))
        return str(data["id"])

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        """The vendor wants name and permissions whole."""
        del mapping
        if held.data.get("roleType") == _PREDEFINED:
            raise VendorError(Failure(Remedy.ASK, "predefined", "a predefined role cannot be changed"))
        whole = {"name": held.data.get("name"), "permissions": held.data.get("permissions")}
        form = {**_role(whole), **_role(values)}
        await self._client.b2b("PUT", f"{PATH}/{held.external_id}", lane, Doing.CHANGE, body=form)

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        del mapping
        await self._client.b2b("DELETE", f"{PATH}/{external_id}", lane, Doing.CHANGE)

    async def holder(self, mapping: ObjectMapping, values: Values, lane: Lane) -> Snapshot | None:
        name = str(values.get("name", ""))
        rows, _ = await self._rows([("q", name), ("limit", str(_LIMIT))], lane)
        same = [str(one["id"]) for one in rows if one.get("name") == name]
        found = await self.read(mapping, same[:1], lane)
        return found[0] if found else None


def _role(values: Values) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for path, value in values.items():
        if path == "name":
            form[path] = "" if value is None else str(value)
        elif path == "permissions":
            form[path] = [{"code": one.get("code"), "permissionLevel": one.get("permissionLevel") or 1}
                          for one in value or ()]  # fmt: skip
        else:
            raise UnwritableError(path, "is not written by syncd")
    return form
