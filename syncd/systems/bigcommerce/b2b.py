"""Companies and users of B2B Edition: captured, read and written one by one, since its quota is small and its bulk
endpoints do not tell what became of each input.

Lists show the last updated first. A walk through such a list from its head meets some rows twice when others are
updated meanwhile, and misses none; when there are fewer than before, it begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping, pluck
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.capture import ROWS, Cursor, decode
from syncd.systems.bigcommerce.client import Client, each
from syncd.systems.bigcommerce.compare import changed_since, rest_of
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.errors import Doing, from_unusable
from syncd.systems.bigcommerce.form import GROUP, B2bForm, UnwritableError, b2b_form
from syncd.systems.bigcommerce.objects import COMPANY_STATUSES, Row, members, unix_ms
from syncd.systems.contract import Page, ReadResult, Snapshot, VendorError, Verdict, Write

LIMIT: Final = 250
AT_ONCE: Final = 3
REMEMBERED: Final = 10_000
"""Creates whose e-mail addresses are kept, to find them should their answers be lost."""
_EMAIL: Final = {"companies": "adminEmail", "users": "email"}
"""Where a create names the user that must be new: a user's e-mail address is unique."""


class B2b:
    def __init__(self, client: Client, directory: Directory) -> None:
        self._client = client
        self._directory = directory
        self._tried: dict[str, str] = {}

    # -- capture

    async def poll(self, mapping: ObjectMapping, text: str | None, lane: Lane) -> Page:
        if text is None:
            rows, _ = await self._page(mapping, [("limit", "1")], lane)
            newest = max((unix_ms(one.get("updatedAt")) for one in rows), default=0)
            return Page((), Cursor(newest).encode(), more=True)
        cursor = decode(text)
        if not cursor.phase:
            cursor = replace(cursor, phase=ROWS, begun=self._client.now_ms(), top=cursor.at)
        since = max(0, cursor.at - int(mapping.capture.overlap_seconds * 1000)) // 1000
        return await self._walk(mapping, cursor, [("minModified", str(since))], lane, last=True)

    async def scan(self, mapping: ObjectMapping, text: str | None, lane: Lane) -> Page:
        """Everything, and then once more what was updated meanwhile."""
        cursor = decode(text) if text else Cursor(0)
        if not cursor.phase:
            cursor = replace(cursor, phase=ROWS, begun=self._client.now_ms())
        again = cursor.at > 0
        since = [("minModified", str(cursor.at // 1000))] if again else []
        return await self._walk(mapping, cursor, since, lane, last=again)

    async def _walk(
        self, mapping: ObjectMapping, cursor: Cursor, params: list[tuple[str, str]], lane: Lane, *, last: bool
    ) -> Page:
        offset = int(cursor.after or 0)
        asked = [*params, ("offset", str(offset)), ("limit", str(LIMIT))]
        rows, total = await self._page(mapping, asked, lane)
        if total < cursor.total:
            return Page((), replace(cursor, after="", total=-1).encode(), more=True)
        found = await self._snapshots(mapping, rows, lane)
        top = max([cursor.top, *(one.modified_at for one in found)])
        if rows and offset + len(rows) < total:
            following = replace(cursor, after=str(offset + len(rows)), top=top, total=total)
            return Page(found, following.encode(), more=True)
        now = self._client.now_ms()
        span = now - cursor.begun if now >= cursor.begun else top
        if not last:
            return Page(found, Cursor(max(1, top - span)).encode(), more=bool(found))
        return Page(found, Cursor(max(cursor.at, top - span)).encode(), more=False)

    async def _page(
        self, mapping: ObjectMapping, params: Sequence[tuple[str, str]], lane: Lane
    ) -> tuple[list[Row], int]:
        """Rows and how many there are in all."""
        asked = [*params, ("isIncludeExtraFields", "1")]
        data, meta = await self._client.b2b("GET", mapping.object, lane, Doing.READ, asked)
        if not isinstance(data, list):
            raise VendorError(from_unusable(200, "the answer holds no list", Doing.READ))
        total = (meta.get("pagination") or {}).get("totalCount")
        return data, int(total) if isinstance(total, int) else len(data)

    async def _snapshots(self, mapping: ObjectMapping, rows: Sequence[Row], lane: Lane) -> list[Snapshot]:
        if mapping.object == "users":
            return [objects.user(one) for one in rows]
        groups: Mapping[int, str] = {}
        if GROUP in members(mapping):
            groups = await self._directory.groups(lane, ids=[int(one.get("bcGroupId") or 0) for one in rows])
        credits_ = await each(rows, lambda one: self._credit(mapping, one, lane), AT_ONCE)
        return [objects.company(one, groups, credit) for one, credit in zip(rows, credits_, strict=True)]

    async def _credit(self, mapping: ObjectMapping, row: Row, lane: Lane) -> Row | None:
        """Only a call of its own tells; a store without the feature has none."""
        if "credit" not in members(mapping):
            return None
        path = f"companies/{row['companyId']}/credit"
        try:
            data, _ = await self._client.b2b("GET", path, lane, Doing.READ_ONE)
        except VendorError as error:
            if error.failure.status in (400, 404):
                return None
            raise
        return data if isinstance(data, Mapping) else None

    # -- reading

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        wanted = list(dict.fromkeys(ids))
        rows = await each(wanted, lambda one: self._one(mapping, one, lane), AT_ONCE)
        found = await self._snapshots(mapping, [one for one in rows if one is not None], lane)
        held = {one.external_id: one for one in found}
        return ReadResult(held, frozenset(wanted) - held.keys())

    async def _one(self, mapping: ObjectMapping, number: str, lane: Lane) -> Row | None:
        if not number.isdigit():
            return None
        try:
            data, _ = await self._client.b2b("GET", f"{mapping.object}/{number}", lane, Doing.READ_ONE)
        except VendorError as error:
            if error.failure.remedy is Remedy.GONE:
                return None
            raise
        return data if isinstance(data, Mapping) else None

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        """By our record id, as far as this process tried to make them; see :meth:`Reader.find`."""
        found: dict[str, Snapshot] = {}
        for key in keys:
            held = await self._holder(mapping, self._tried.get(key, ""), lane)
            if held is not None and mapping.key_path and pluck(held.data, mapping.key_path) == key:
                found[key] = held
        return found

    async def _holder(self, mapping: ObjectMapping, email: str, lane: Lane) -> Snapshot | None:
        """Who has this e-mail address: the user, or the user's company."""
        if not email:
            return None
        data, _ = await self._client.b2b("GET", "users", lane, Doing.READ, [("email", email)])
        rows = [one for one in data or [] if str(one.get("email", "")).casefold() == email.casefold()]
        if not rows:
            return None
        number = str(rows[0]["id"] if mapping.object == "users" else rows[0]["companyId"])
        return (await self.read(mapping, [number], lane)).found.get(number)

    # -- writing

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
        return await each(writes, lambda one: self._verdict(mapping, one, lane), AT_ONCE)

    async def _verdict(self, mapping: ObjectMapping, one: Write, lane: Lane) -> Verdict:
        try:
            _may(one)
            if one.action is Action.CREATE:
                return await self._create(mapping, one, lane)
            if one.action is Action.DELETE:
                return await self._delete(mapping, one, lane)
            return await self._update(mapping, one, lane)
        except VendorError as error:
            return Verdict(one.key, Outcome.FAILED, one.external_id, failure=error.failure)
        except UnwritableError as error:
            failure = Failure(Remedy.ASK, "value-unwritable", str(error), fields=(error.path,))
            return Verdict(one.key, Outcome.FAILED, one.external_id, failure=failure)

    async def _form(self, values: Mapping[str, Any], lane: Lane) -> B2bForm:
        wanted = [str(values[GROUP])] if values.get(GROUP) else []
        groups = await self._directory.groups(lane, names=wanted) if wanted else {}
        return b2b_form(values, {name: number for number, name in groups.items()}, COMPANY_STATUSES)

    async def _create(self, mapping: ObjectMapping, one: Write, lane: Lane) -> Verdict:
        values = {path: value for path, value in {**mapping.constants, **one.values}.items() if value is not None}
        if mapping.key_path:
            values[mapping.key_path] = one.key
        form = await self._form(values, lane)
        email = str(form.row.get(_EMAIL[mapping.object], ""))
        self._tried[one.key] = email
        while len(self._tried) > REMEMBERED:
            del self._tried[next(iter(self._tried))]
        # A company takes its external id only once it is there.
        late = {"uuid": form.row.pop("uuid")} if mapping.object == "companies" and "uuid" in form.row else {}
        try:
            data, _ = await self._client.b2b("POST", mapping.object, lane, Doing.CREATE, body=form.row)
        except VendorError as error:
            if error.failure.remedy in (Remedy.ASK, Remedy.LINK):
                return await self._taken(mapping, one, email, error.failure, lane)
            raise
        number = data.get("companyId", data.get("userId")) if isinstance(data, Mapping) else None
        if number is None:
            raise VendorError(from_unusable(200, "the answer names no id", Doing.CREATE))
        made = replace(one, external_id=str(number))
        await self._apply(mapping, made, _late_form(form, late), lane)
        return await self._applied(mapping, made, lane)

    async def _taken(self, mapping: ObjectMapping, one: Write, email: str, failure: Failure, lane: Lane) -> Verdict:
        held = await self._holder(mapping, email, lane)
        if held is None:
            return Verdict(one.key, Outcome.FAILED, failure=replace(failure, remedy=Remedy.ASK))
        link = replace(failure, remedy=Remedy.LINK, code="already-there", existing_id=held.external_id)
        return Verdict(one.key, Outcome.FAILED, snapshot=held, failure=link)

    async def _update(self, mapping: ObjectMapping, one: Write, lane: Lane) -> Verdict:
        held = (await self.read(mapping, [one.external_id], lane)).found.get(one.external_id)
        if held is None:
            raise VendorError(Failure(Remedy.GONE, "not-found", "it is not there any more", status=404))
        left = rest_of(mapping, one, held)
        if left.foreign:
            raise VendorError(changed_since(left.foreign))
        if not left.values:
            return Verdict(one.key, Outcome.APPLIED, one.external_id, held)
        await self._apply(mapping, one, await self._form(left.values, lane), lane)
        return await self._applied(mapping, one, lane)

    async def _apply(self, mapping: ObjectMapping, one: Write, form: B2bForm, lane: Lane) -> None:
        path = f"{mapping.object}/{one.external_id}"
        if form.row:
            await self._client.b2b("PUT", path, lane, Doing.CHANGE, body=form.row)
        if form.credit:
            await self._client.b2b("PUT", f"{path}/credit", lane, Doing.CHANGE, body=form.credit)
        if form.status is not None:
            body = {"companyStatus": int(form.status)}
            await self._client.b2b("PUT", f"{path}/status", lane, Doing.CHANGE, body=body)

    async def _applied(self, mapping: ObjectMapping, one: Write, lane: Lane) -> Verdict:
        try:
            told = (await self.read(mapping, [one.external_id], lane)).found.get(one.external_id)
        except VendorError:
            told = None  # the write stands, whatever becomes of this read
        return Verdict(one.key, Outcome.APPLIED, one.external_id, told)

    async def _delete(self, mapping: ObjectMapping, one: Write, lane: Lane) -> Verdict:
        try:
            await self._client.b2b("DELETE", f"{mapping.object}/{one.external_id}", lane, Doing.CHANGE)
        except VendorError as error:
            if error.failure.remedy is not Remedy.GONE:
                raise
        return Verdict(one.key, Outcome.APPLIED, one.external_id)


def _may(one: Write) -> None:
    """Raises :class:`UnwritableError` for what no request could do."""
    if one.relations or one.children:
        raise UnwritableError("relations", "B2B Edition has no associations to write")
    if one.action is not Action.CREATE and not one.external_id.isdigit():
        raise UnwritableError("id", "an update or delete needs the vendor's id")


def _late_form(form: B2bForm, row: dict[str, Any]) -> B2bForm:
    """What is left to do after a create: other endpoints, and what the create does not take."""
    return B2bForm(row, form.credit, form.status)
