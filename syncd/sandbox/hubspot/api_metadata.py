"""Properties, property groups, pipelines and owners."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.sandbox.hubspot.call import Answer, Call, envelope, not_there
from syncd.sandbox.hubspot.errors import ApiError, validation
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.people import Owner
from syncd.sandbox.hubspot.shapes import required

# -- properties


def properties(call: Call) -> Answer:
    if not call.route.rest:
        raise not_there()
    name, *rest = call.route.rest
    kind = call.account.kinds.of(name)
    reads = call.method == "GET" or rest[:2] == ["batch", "read"]
    call.may(kind.schema_read_scopes() if reads else kind.schema_write_scopes())
    if rest[:1] == ["groups"]:
        return _groups(call, kind, rest[1:])
    if rest[:1] == ["batch"]:
        return _property_batch(call, kind, rest[1:])
    book = call.account.properties
    match call.method, rest:
        case "GET", []:
            listed = book.archived_of(kind) if call.flag("archived") else book.of(kind)
            return 200, {"results": [one.json() for one in listed.values()]}
        case "POST", []:
            return 201, book.create(kind, call.body()).json()
        case "GET", [one]:
            return 200, book.get(kind, one, archived=call.flag("archived")).json()
        case "PATCH", [one]:
            return 200, book.update(kind, one, call.body()).json()
        case "DELETE", [one]:
            book.archive(kind, one)
            return 204, None
    raise call.unsupported()


def _property_batch(call: Call, kind: Kind, rest: Sequence[str]) -> Answer:
    book, body = call.account.properties, call.body()
    inputs = call.inputs(body)
    results, errors = [], []
    match call.method, list(rest):
        case "POST", ["read"]:
            for one in inputs:
                (name,) = required(one, "name")
                try:
                    results.append(book.get(kind, name, archived=bool(body.get("archived"))).json())
                except ApiError as error:
                    errors.append(error.standard({"name": [name]}))
            return (207 if errors else 200), envelope(call.account, results, errors)
        case "POST", ["create"]:
            for one in inputs:
                try:
                    results.append(book.create(kind, one).json())
                except ApiError as error:
                    errors.append(error.standard({"name": [str(one.get("name", ""))]}))
            return (207 if errors else 201), envelope(call.account, results, errors)
        case "POST", ["archive"]:
            for one in inputs:
                book.archive(kind, required(one, "name")[0])
            return 204, None
    raise call.unsupported()


def _groups(call: Call, kind: Kind, rest: Sequence[str]) -> Answer:
    book = call.account.properties
    match call.method, list(rest):
        case "GET", []:
            return 200, {"results": book.groups(kind)}
        case "POST", []:
            return 201, book.create_group(kind, call.body())
        case "GET", [name]:
            return 200, book.group(kind, name)
        case "PATCH", [name]:
            return 200, book.update_group(kind, name, call.body())
        case "DELETE", [name]:
            book.delete_group(kind, name)
            return 204, None
    raise call.unsupported()


# -- pipelines


def pipelines(call: Call) -> Answer:
    if not call.route.rest:
        raise not_there()
    name, *rest = call.route.rest
    kind = call.account.kinds.of(name)
    call.may(kind.schema_read_scopes() if call.method == "GET" else (*kind.schema_write_scopes(), *kind.write_scopes()))
    book = call.account.pipelines
    match call.method, rest:
        case _, [pipeline, "stages", *stage]:
            return _stages(call, kind, pipeline, stage)
        case "GET", []:
            return 200, {"results": [one.json() for one in book.all(kind)]}
        case "POST", []:
            return 201, book.create(kind, call.body()).json()
        case "GET", [pipeline]:
            return 200, book.get(kind, pipeline).json()
        case "PUT", [pipeline]:
            return 200, book.replace(kind, pipeline, call.body()).json()
        case "PATCH", [pipeline]:
            return 200, book.patch(kind, pipeline, call.body()).json()
        case "DELETE", [pipeline]:
            book.get(kind, pipeline)
            _check_unused(call, kind, kind.pipeline, pipeline)
            book.delete(kind, pipeline)
            return 204, None
    raise call.unsupported()


def _check_unused(call: Call, kind: Kind, name: str, value: str) -> None:
    """With ``validateReferencesBeforeDelete``: 400 while records stand in it."""
    if not (call.flag("validateReferencesBeforeDelete") or call.flag("validateDealStageUsagesBeforeDelete")):
        return
    users = [one.id for one in call.account.records.all(kind) if one.values.get(name) == value and not one.archived_ms]
    if users:
        raise validation(f"{value} is used by {len(users)} {kind.name}", context={"ids": users[:10]})


def _stages(call: Call, kind: Kind, pipeline: str, rest: Sequence[str]) -> Answer:
    book = call.account.pipelines
    match call.method, list(rest):
        case "GET", []:
            return 200, {"results": book.get(kind, pipeline).json()["stages"]}
        case "POST", []:
            return 201, book.add_stage(kind, pipeline, call.body()).json()
        case "GET", [stage]:
            return 200, book.stage(kind, pipeline, stage).json()
        case ("PATCH" | "PUT") as method, [stage]:
            return 200, book.change_stage(kind, pipeline, stage, call.body(), whole=method == "PUT").json()
        case "DELETE", [stage]:
            book.stage(kind, pipeline, stage)
            _check_unused(call, kind, kind.stage, stage)
            book.delete_stage(kind, pipeline, stage)
            return 204, None
    raise call.unsupported()


# -- owners


def owners(call: Call, people: Sequence[Owner]) -> Answer:
    call.may(("crm.objects.owners.read",))
    match call.method, call.route.rest:
        case "GET", []:
            email = call.request.param("email").strip().lower()
            shown = [one.json() for one in people if not email or one.email == email]
            return 200, {"results": shown if not call.flag("archived") else []}
        case "GET", [id_]:
            by_user = call.request.param("idProperty") == "userId"
            for one in people:
                if id_ == (str(one.user_id) if by_user else one.id):
                    return 200, one.json()
            raise ApiError(404, f"No owner found with id {id_}", "OBJECT_NOT_FOUND")
    raise call.unsupported()
