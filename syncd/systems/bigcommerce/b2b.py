"""Companies of B2B Edition, their users and addresses: written one by one, since its quota is small and its bulk
endpoints do not tell what became of each input.

Lists show the last updated first. A walk through such a list from its head meets some rows twice when others are
updated meanwhile, and misses none; when there are fewer than before, it begins anew.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.mapping import ObjectMapping, pluck
from syncd.systems.bigcommerce import objects
from syncd.systems.bigcommerce.capture import ROWS, Cursor, begin, decode, ended
from syncd.systems.bigcommerce.client import Client, each
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.endpoint import Endpoint, Listed, Values
from syncd.systems.bigcommerce.errors import Doing, from_unusable
from syncd.systems.bigcommerce.form import GROUP, B2bForm, b2b_form
from syncd.systems.bigcommerce.objects import COMPANY_STATUSES, Row, members, unix_ms
from syncd.systems.contract import Page, Snapshot, VendorError

LIMIT: Final = 250
AT_ONCE: Final = 3
_REMEMBERED: Final = 10_000
"""Creates whose e-mail addresses are kept, to find them should their answers be lost."""


class B2bShelf(Endpoint):
    """What the three kinds have in common. Rows have ``updatedAt`` and extra fields, and places of their own."""

    at_once = AT_ONCE
    path: str
    """The endpoint."""

    def __init__(self, client: Client, directory: Directory) -> None:
        self._client = client
        self._directory = directory

    # -- listing

    async def page(self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane) -> Listed:
        offset = int(after or 0)
        params = [] if since is None else [("minModified", str(since // 1000))]
        rows, total = await self.rows([*params, ("offset", str(offset)), ("limit", str(LIMIT))], lane)
        found = await self.snapshots(mapping, rows, lane)
        following = str(offset + len(rows)) if rows and offset + len(rows) < total else ""
        return Listed(found, following, total, max((one.modified_at for one in found), default=0))

    async def rows(self, params: Sequence[tuple[str, str]], lane: Lane) -> tuple[list[Row], int]:
        """Rows and how many there are in all."""
        asked = [*params, ("isIncludeExtraFields", "1")]
        data, meta = await self._client.b2b("GET", self.path, lane, Doing.READ, asked)
        if not isinstance(data, list) or not all(isinstance(one, Mapping) for one in data):
            raise VendorError(from_unusable(200, "the answer holds no list", Doing.READ))
        total = (meta.get("pagination") or {}).get("totalCount")
        return data, int(total) if isinstance(total, int) else len(data)

    @abstractmethod
    async def snapshots(self, mapping: ObjectMapping, rows: Sequence[Row], lane: Lane) -> list[Snapshot]: ...

    # -- reading

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> list[Snapshot]:
        wanted = [one for one in dict.fromkeys(ids) if one.isdigit()]
        rows = await each(wanted, lambda one: self.one(f"{self.path}/{one}", lane), AT_ONCE)
        return await self.snapshots(mapping, [one for one in rows if one is not None], lane)

    async def one(self, path: str, lane: Lane, absent: tuple[int, ...] = (404,)) -> Row | None:
        """One resource; ``None`` where the vendor answers with one of the ``absent`` statuses."""
        try:
            data, _ = await self._client.b2b("GET", path, lane, Doing.READ_ONE)
        except VendorError as error:
            if error.failure.status in absent:
                return None
            raise
        return data if isinstance(data, Mapping) else None

    async def by_extra_field(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        """Of which an extra field holds one of our ids, asked for exactly."""
        name = mapping.key_path.partition(".")[2]
        found: dict[str, Snapshot] = {}
        for key in keys:
            asked = [("extraFields", f"{name}:{key}"), ("extraFieldFilterType", "exact-match"), ("limit", "10")]
            rows, _ = await self.rows(asked, lane)
            told = await self.snapshots(mapping, rows, lane)
            same = [one for one in told if pluck(one.data, mapping.key_path) == key]
            if same:
                found[key] = same[0]
        return found

    # -- writing

    async def form(self, values: Values, lane: Lane) -> B2bForm:
        wanted = [str(values[GROUP])] if values.get(GROUP) else []
        groups = await self._directory.groups(lane, names=wanted) if wanted else {}
        return b2b_form(values, {name: number for number, name in groups.items()}, COMPANY_STATUSES)

    async def send(self, method: str, path: str, lane: Lane, body: Any, doing: Doing = Doing.CHANGE) -> Any:
        return (await self._client.b2b(method, path, lane, doing, body=body))[0]

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        del mapping
        form = await self.form(values, lane)
        await self.send("PUT", f"{self.path}/{held.external_id}", lane, with_extras(form.row, held))

    async def delete(self, mapping: ObjectMapping, external_id: str, lane: Lane) -> None:
        del mapping
        await self._client.b2b("DELETE", f"{self.path}/{external_id}", lane, Doing.CHANGE)

    async def made(self, body: Any, lane: Lane, *names: str) -> str:
        """Make one; the id under one of these names."""
        data = await self.send("POST", self.path, lane, body, Doing.WITHIN)
        number = next((data[name] for name in names if data.get(name)), None) if isinstance(data, Mapping) else None
        if number is None:
            raise VendorError(from_unusable(200, "the answer names no id", Doing.CREATE))
        return str(number)


class Users(B2bShelf):
    """Their e-mail addresses are unique."""

    path = "users"

    def __init__(self, client: Client, directory: Directory) -> None:
        super().__init__(client, directory)
        self._tried: dict[str, str] = {}

    async def snapshots(self, mapping: ObjectMapping, rows: Sequence[Row], lane: Lane) -> list[Snapshot]:
        del mapping, lane
        return [objects.user(one) for one in rows]

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        form = await self.form(values, lane)
        if mapping.key_path:
            remember(self._tried, str(values[mapping.key_path]), str(form.row.get("email", "")))
        # The schema wants the channels of a new user, the guide does not.
        form.row.setdefault("channelIds", [await self._directory.default_channel(lane)])
        return await self.made(form.row, lane, "userId", "id")

    async def holder(self, mapping: ObjectMapping, values: Values, lane: Lane) -> Snapshot | None:
        row = await self.by_email(str(values.get("email", "")), lane)
        found = await self.read(mapping, [str(row["id"])], lane) if row else []
        return found[0] if found else None

    async def by_email(self, email: str, lane: Lane) -> Row | None:
        if not email:
            return None
        rows, _ = await self.rows([("email", email)], lane)
        return next((one for one in rows if str(one.get("email", "")).casefold() == email.casefold()), None)

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        """Creates of this process, by the e-mail address they carried; others are not found, and need not be: sent
        again, they are refused for their address, and answered then."""
        found: dict[str, Snapshot] = {}
        for key in keys:
            row = await self.by_email(self._tried.get(key, ""), lane)
            for held in await self.read(mapping, [str(row["id"])], lane) if row else ():
                if pluck(held.data, mapping.key_path) == key:
                    found[key] = held
        return found


class Companies(B2bShelf):
    """With credit, terms and parent, which have endpoints of their own. A company is made with its administrator, whose
    e-mail address must be new to B2B Edition."""

    path = "companies"
    once = frozenset({
        "adminFirstName", "adminLastName", "adminEmail", "adminPhoneNumber", "country", "state", "city", "zipCode",
        "addressLine1", "addressLine2", "acceptCreationEmail", "originChannelId", "channelIds",
    })  # fmt: skip

    def __init__(self, client: Client, directory: Directory, users: Users) -> None:
        super().__init__(client, directory)
        self._users = users
        self._tried: dict[str, str] = {}

    async def snapshots(self, mapping: ObjectMapping, rows: Sequence[Row], lane: Lane) -> list[Snapshot]:
        groups: Mapping[int, str] = {}
        if GROUP in members(mapping):
            groups = await self._directory.groups(lane, ids=[int(one.get("bcGroupId") or 0) for one in rows])

        async def whole(row: Row) -> Snapshot:
            """A store without the feature answers 400."""
            told = [
                await self.one(f"companies/{row['companyId']}/{part}", lane, (400, 404))
                if member in members(mapping) else None
                for member, part in (("credit", "credit"), ("payment_terms", "payment-terms"))
            ]  # fmt: skip
            return objects.company(row, groups, *told)

        return await each(rows, whole, AT_ONCE)

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        form = await self.form(values, lane)
        if mapping.key_path:
            remember(self._tried, str(values[mapping.key_path]), str(form.row.get("adminEmail", "")))
        # A company takes its external id only once it is there.
        late = {"uuid": form.row.pop("uuid")} if "uuid" in form.row else {}
        number = await self.made(form.row, lane, "companyId")
        await self._apply(number, B2bForm(late, form.credit, form.terms, form.status, form.parent), None, lane)
        return number

    async def update(self, mapping: ObjectMapping, values: Values, held: Snapshot, lane: Lane) -> None:
        del mapping
        await self._apply(held.external_id, await self.form(values, lane), held, lane)

    async def _apply(self, number: str, form: B2bForm, held: Snapshot | None, lane: Lane) -> None:
        path = f"companies/{number}"
        if form.row:
            await self.send("PUT", path, lane, with_extras(form.row, held))
        if form.credit:
            await self.send("PUT", f"{path}/credit", lane, form.credit)
        if form.terms:
            await self.send("PUT", f"{path}/payment-terms", lane, form.terms)
        if form.status is not None:
            await self.send("PUT", f"{path}/status", lane, {"companyStatus": int(form.status)})
        if form.parent:
            await self.send("POST", f"{path}/parent", lane, {"parentCompanyId": form.parent})
        elif form.parent == 0 and held is not None and (above := held.data.get("parent")):
            await self._client.b2b("DELETE", f"companies/{above}/subsidiaries/{number}", lane, Doing.CHANGE)

    async def holder(self, mapping: ObjectMapping, values: Values, lane: Lane) -> Snapshot | None:
        row = await self._users.by_email(str(values.get("adminEmail", "")), lane)
        found = await self.read(mapping, [str(row["companyId"])], lane) if row else []
        return found[0] if found else None

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        """By the extra field that holds our id; where another member holds it, creates of this process by the address
        of their administrator."""
        if mapping.key_path.startswith("extra_fields."):
            return await self.by_extra_field(mapping, keys, lane)
        found: dict[str, Snapshot] = {}
        for key in keys:
            held = await self.holder(mapping, {"adminEmail": self._tried.get(key, "")}, lane)
            if held is not None and pluck(held.data, mapping.key_path) == key:
                found[key] = held
        return found


class CompanyAddresses(B2bShelf):
    """``externalId`` has room for our record id, and can be asked for."""

    path = "addresses"

    async def snapshots(self, mapping: ObjectMapping, rows: Sequence[Row], lane: Lane) -> list[Snapshot]:
        del mapping, lane
        return [objects.company_address(one) for one in rows]

    async def create(self, mapping: ObjectMapping, values: Values, lane: Lane) -> str:
        """Nothing is unique here: it is looked for first."""
        key = str(values.get(mapping.key_path) or "") if mapping.key_path else ""
        there = (await self.find(mapping, [key], lane)).get(key) if key else None
        if there is not None:
            return there.external_id
        return await self.made((await self.form(values, lane)).row, lane, "addressId")

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        if mapping.key_path != "externalId":
            return {}
        rows, _ = await self.rows([*(("externalId[]", key) for key in keys), ("limit", str(LIMIT))], lane)
        told = await self.snapshots(mapping, rows, lane)
        return {str(one.data["externalId"]): one for one in told if one.data.get("externalId") in keys}


def with_extras(row: Row, held: Snapshot | None) -> Row:
    """With every extra field that has a value: the vendor wants the required ones in each change."""
    changes = {one["fieldName"]: one["fieldValue"] for one in row.get("extraFields") or ()}
    kept = {name: value for name, value in (held.data["extra_fields"] if held else {}).items() if value}
    extras = [{"fieldName": name, "fieldValue": value} for name, value in {**kept, **changes}.items()]
    return {**row, "extraFields": extras} if extras else row


def remember(tried: dict[str, str], key: str, email: str) -> None:
    tried[key] = email
    while len(tried) > _REMEMBERED:
        del tried[next(iter(tried))]


# -- capture

_AGAIN: Final = "again"
"""The phase of a scan that walks what was updated meanwhile."""
_RECENT_MS: Final = 60_000
_MOST_SEEN: Final = 1000


class B2bCapture:
    """Polls and scans of lists that show the last updated first."""

    def __init__(self, client: Client, shelves: Mapping[str, B2bShelf]) -> None:
        self._client = client
        self._shelves = shelves

    async def poll(self, mapping: ObjectMapping, text: str | None, lane: Lane) -> Page:
        if text is None:
            rows, _ = await self._shelves[mapping.object].rows([("limit", "1")], lane)
            newest = max((unix_ms(one.get("updatedAt")) for one in rows), default=0)
            return Page((), Cursor(newest).encode(), more=True)
        cursor = decode(text)
        if not cursor.phase:
            cursor = begin(cursor, self._client)
        since = max(0, cursor.at - int(mapping.capture.overlap_seconds * 1000))
        listed = await self._shelves[mapping.object].page(mapping, cursor.after, since, lane)
        if listed.total < cursor.total:
            return Page((), replace(cursor, after="", total=-1).encode(), more=True)
        reached = replace(cursor, after=listed.after, top=max(cursor.top, listed.top), total=listed.total)
        following = reached if listed.after else ended(reached, self._client)
        return Page(listed.snapshots, following.encode(), more=bool(listed.after))

    async def scan(self, mapping: ObjectMapping, text: str | None, lane: Lane) -> Page:
        """Everything; and then what was updated meanwhile, which may have moved to the head of the list unseen."""
        cursor = decode(text) if text else Cursor(0, ROWS)
        again = cursor.phase == _AGAIN
        since = cursor.clock - _RECENT_MS if again else None
        listed = await self._shelves[mapping.object].page(mapping, cursor.after, since, lane)
        if not cursor.clock:
            cursor = replace(cursor, clock=self._client.vendor_ms or self._client.now_ms())
        if listed.total < cursor.total:
            return Page((), replace(cursor, after="", total=-1).encode(), more=True)
        seen = cursor.seen.split()
        fresh = [one for one in listed.snapshots if _mark(one) not in seen]
        seen += [_mark(one) for one in fresh if one.modified_at >= cursor.clock - _RECENT_MS]
        following = replace(
            cursor, after=listed.after, total=listed.total if listed.after else -1, seen=" ".join(seen[-_MOST_SEEN:])
        )
        if not listed.after and not again:
            following = replace(following, phase=_AGAIN)
        over = again and not listed.after
        return Page(fresh, Cursor(0).encode() if over else following.encode(), more=not over)


def _mark(one: Snapshot) -> str:
    """Which object, and in which state."""
    return f"{one.external_id}:{one.version.rpartition(':')[2][:8]}"
