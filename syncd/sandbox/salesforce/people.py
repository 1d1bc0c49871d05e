"""People who work in the org's own screens, and the switches of the simulator; all through ``act``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from syncd.sandbox.salesforce import seeding
from syncd.sandbox.salesforce.conversions import Conversion, convert, merge
from syncd.sandbox.salesforce.errors import SalesforceError
from syncd.sandbox.salesforce.ids import normal
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.org import ADMIN, INTEGRATION, SELLER, Caller, DuplicateRule, ValidationRule
from syncd.sandbox.salesforce.records import Row, whole
from syncd.sandbox.salesforce.sessions import App
from syncd.sandbox.salesforce.soql_run import compile_query
from syncd.sandbox.salesforce.unit import Unit
from syncd.sandbox.vendor import HUMAN, ActError

if TYPE_CHECKING:
    from syncd.sandbox.salesforce.simulator import SalesforceSandbox

Deed = Mapping[str, Any]


class People:
    """Refusals are :class:`ActError` with the org's own words."""

    def __init__(self, vendor: SalesforceSandbox) -> None:
        self._vendor = vendor
        self._deeds: dict[str, Callable[[Deed], Any]] = {
            "create": lambda deed: self.create(str(deed["object"]), deed["values"], _user(deed)).id,
            "edit": lambda deed: self.edit(str(deed["object"]), str(deed["id"]), deed["values"], _user(deed)).id,
            "delete": lambda deed: self.delete(str(deed["object"]), str(deed["id"]), _user(deed)).id,
            "undelete": lambda deed: self.undelete(str(deed["object"]), str(deed["id"]), _user(deed)).id,
            "purge": lambda deed: self._do(deed, lambda unit, kind: unit.purge(kind, normal(deed["id"])).id),
            "merge": lambda deed: self.merge(str(deed["object"]), str(deed["id"]), deed["others"], _user(deed)).id,
            "convert": lambda deed: self.convert(Conversion(**deed["conversion"]), _user(deed)),
            "seed": lambda deed: seeding.seed(vendor.org, str(deed["object"]), deed["rows"]),
            "get": self._get,
            "query": self._query,
            **self._administration(),
            **self._switches(),
        }

    def _administration(self) -> dict[str, Callable[[Deed], Any]]:
        org = self._vendor.org
        return {
            "create_object": lambda deed: org.create_object(str(deed["name"]), deed).prefix,
            "create_field": lambda deed: org.put_field(self._kind(deed), deed["field"]),
            "retype_field": self._retype,
            "delete_field": lambda deed: org.drop_field(self._kind(deed), str(deed["name"])),
            "undelete_field": lambda deed: org.undrop_field(self._kind(deed), str(deed["name"])),
            "set_choices": lambda deed: org.schema.set_choices(
                self._kind(deed), str(deed["name"]), deed["values"], bool(deed.get("restricted", False)),
                org.clock.now_ms(),
            ),
            "validation_rule": lambda deed: org.rules.validation.append(ValidationRule(**_rest(deed))),
            "duplicate_rule": lambda deed: org.rules.duplicates.append(DuplicateRule(**_rest(deed))),
            "clear_rules": lambda _: org.rules.clear(),
            "hide_field": lambda deed: org.rules.hidden.add((str(deed["object"]), str(deed["name"]))),
            "show_field": lambda deed: org.rules.hidden.discard((str(deed["object"]), str(deed["name"]))),
            "app": self._app,
            "password": lambda deed: self._vendor.sessions.passwords.__setitem__(
                str(deed["username"]), str(deed["password"])
            ),
            "legacy_login": lambda deed: setattr(self._vendor.sessions, "legacy", bool(deed["on"])),
            "select_entities": lambda deed: self._vendor.select(deed["entities"]),
            "channel": lambda deed: self._vendor.stream.channels.__setitem__(
                f"{deed['name']}__chn", tuple(deed["entities"])
            ),
        }  # fmt: skip

    def _switches(self) -> dict[str, Callable[[Deed], Any]]:
        vendor = self._vendor
        stream = vendor.stream
        return {
            "limits": lambda deed: _set(vendor.limits.settings, deed["settings"]),
            "bulk": lambda deed: _set(vendor.jobs.settings, deed["settings"]),
            "stream": lambda deed: _set(stream.settings, deed["settings"]),
            "use_calls": lambda deed: vendor.limits.calls.add(int(deed["count"])),
            "hold": lambda deed: vendor.org.rules.held.__setitem__(normal(deed["id"]), int(deed.get("times", 1))),
            "fail_next_job": lambda deed: vendor.fail_next_job(int(deed.get("after_rows", 0))),
            "close_cursors": lambda _: vendor.cursors.clear(),
            "gap": self._gap,
            "expire_replay": lambda _: stream.forget(),
            "reset_stream": lambda _: stream.reset(),
            "cut_streams": lambda deed: self._cut(str(deed.get("code", "service.unavailable"))),
            "expire_tokens": lambda _: vendor.sessions.expire_all(),
            "endpoints": lambda _: dict(vendor.endpoints()),
        }

    @property
    def deeds(self) -> tuple[str, ...]:
        return tuple(self._deeds)

    def act(self, deed: Deed) -> Any:
        """``{"op": ..., "object": "Contact", ...}``. Raises :class:`ActError`, ``KeyError``, ``ValueError``."""
        try:
            return self._deeds[str(deed["op"])](deed)
        except SalesforceError as error:
            raise ActError(f"{error.code}: {error.message}") from None

    # -- people

    def human(self, username: str = SELLER) -> Caller:
        user = self._vendor.org.user(username)
        if user is None:
            raise ActError(f"no user {username}")
        return Caller(user.id, HUMAN, allow_save=True)

    def _kind(self, deed: Deed) -> ObjectType:
        return self._named(str(deed["object"]))

    def _named(self, name: str) -> ObjectType:
        kind = self._vendor.org.schema.find(name)
        if kind is None:
            raise ActError(f"no object {name}")
        return kind

    def _do(self, deed: Deed, work: Callable[[Unit, ObjectType], Any]) -> Any:
        return self._as(_user(deed), lambda unit: work(unit, self._kind(deed)))

    def _as(self, username: str, work: Callable[[Unit], Any]) -> Any:
        unit = Unit(self._vendor.org, self.human(username))
        try:
            result = work(unit)
        except SalesforceError:
            unit.rollback()
            raise
        unit.commit()
        return result

    def create(self, name: str, values: Mapping[str, Any], username: str = SELLER) -> Row:
        row: Row = self._as(username, lambda unit: unit.insert(self._named(name), values))
        return row

    def edit(self, name: str, id_: str, values: Mapping[str, Any], username: str = SELLER) -> Row:
        row: Row = self._as(username, lambda unit: unit.update(self._named(name), normal(id_), values))
        return row

    def delete(self, name: str, id_: str, username: str = SELLER) -> Row:
        row: Row = self._as(username, lambda unit: unit.delete(self._named(name), normal(id_)))
        return row

    def undelete(self, name: str, id_: str, username: str = SELLER) -> Row:
        row: Row = self._as(username, lambda unit: unit.undelete(self._named(name), normal(id_)))
        return row

    def merge(self, name: str, master: str, others: Sequence[str], username: str = SELLER) -> Row:
        row: Row = self._as(username, lambda unit: merge(unit, self._named(name), master, others, {}))
        return row

    def convert(self, wish: Conversion, username: str = SELLER) -> dict[str, str]:
        made: dict[str, str] = self._as(username, lambda unit: convert(unit, wish))
        return made

    def _get(self, deed: Deed) -> Any:
        kind = self._kind(deed)
        row = self._vendor.org.table(kind).get(normal(deed["id"]))
        return None if row is None else whole(self._vendor.org, kind, row)

    def _query(self, deed: Deed) -> Any:
        plan = compile_query(self._vendor.org, str(deed["soql"]), everything=bool(deed.get("all", False)))
        if plan.query.aggregates:
            return plan.aggregated()
        if plan.query.counts:
            return plan.count()
        return [plan.record(row, "/services/data/v67.0") for row in plan.walk()]

    # -- administrators

    def _retype(self, deed: Deed) -> None:
        """Of a captured object the event bus tells it by a gap for all of its records."""
        kind = self._kind(deed)
        self._vendor.org.put_field(kind, deed["field"])
        self._vendor.stream.announce(self.human(ADMIN), kind, "GAP_UPDATE", [f"{kind.prefix}*"])

    def _app(self, deed: Deed) -> None:
        """Register an app, or change one: the fields of :class:`App`."""
        given = {name: value for name, value in deed.items() if name != "op"}
        if "approved" in given:
            given["approved"] = set(given["approved"])
        apps, id_ = self._vendor.sessions.apps, str(given["client_id"])
        held = apps.get(id_)
        apps[id_] = replace(held, **given) if held else App(**{"client_secret": "", **given})

    def _gap(self, deed: Deed) -> None:
        """``{"object", "type": "GAP_UPDATE", "ids": [...]}`` now, or ``{"next": 3}``: events to come."""
        if "next" in deed:
            self._vendor.stream.settings.gaps = int(deed["next"])
            return
        caller = self.human(str(deed.get("user", INTEGRATION)))
        self._vendor.stream.announce(caller, self._kind(deed), str(deed["type"]), list(deed["ids"]))

    def _cut(self, code: str) -> None:
        for listener in self._vendor.stream.held.values():
            listener.cut = code
            listener.wake()


def _user(deed: Deed) -> str:
    return str(deed.get("user", SELLER))


def _rest(deed: Deed) -> dict[str, Any]:
    """``object`` is spelled ``kind`` inside."""
    return {("kind" if name == "object" else name): value for name, value in deed.items() if name != "op"}


def _set(settings: Any, changes: Mapping[str, Any]) -> None:
    known = {one.name for one in fields(settings)}
    for name, value in changes.items():
        if name not in known:
            raise ActError(f"no setting {name}; there are {', '.join(sorted(known))}")
        setattr(settings, name, value)
