"""``POST /{project}/graphql``: the same rows, predicates, limits and scopes as the HTTP API, in the fields asked for.

What no source tells is chosen: how heavy a query may be (:data:`Settings.graphql_weight`), and that a document that
does not fit the schema is answered 400 ``InvalidInput``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from syncd.sandbox.commercetools.auth import Grant, require
from syncd.sandbox.commercetools.collection import Row
from syncd.sandbox.commercetools.errors import ApiError, invalid_input, invalid_json
from syncd.sandbox.commercetools.fields import FIELDS
from syncd.sandbox.commercetools.graphql_types import LISTS, SINGLES, sdl
from syncd.sandbox.commercetools.project import PATHS, Project
from syncd.sandbox.commercetools.query import read_query, run_query
from syncd.sandbox.graphql import DocumentError, FieldError, GraphQL
from syncd.sandbox.http import Reply, reply_json

LIST_SIZE: Final = 10
"""Members that a list without a limit is taken to have, when a query is weighed."""
_SCOPES: Final = {path: scope for _, path, scope in LISTS.values()}
_COUNTED: Final = {
    "customers": ("customers", 10_000_000),
    "customerGroups": ("customer-groups", 10_000),
    "carts": ("carts", 10_000_000),
    "customObjects": ("custom-objects", 20_000_000),
}


@dataclass(frozen=True, slots=True)
class _Context:
    grant: Grant
    rows: dict[tuple[str, str], Row | None]
    """What references of this request led to."""


class GraphQLDoor:
    """The endpoint of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._graphql = GraphQL(lambda: sdl(project.collections), self._resolve, _money_type)

    def answer(self, body: Mapping[str, Any], grant: Grant) -> Reply:
        """Raises ``ApiError``."""
        text, variables, operation = body.get("query"), body.get("variables") or {}, body.get("operationName")
        if not isinstance(text, str) or not isinstance(variables, dict):
            raise invalid_json("query: Missing required value")
        if operation is not None and not isinstance(operation, str):
            raise invalid_json("operationName: Expected a text.")
        try:
            document = self._graphql.parse(text)
        except DocumentError as error:
            raise invalid_input(f"Malformed parameter: query: {error}") from None
        weight, most = self._graphql.weight(document, variables, LIST_SIZE), self._project.settings.graphql_weight
        if weight > most:
            raise ApiError(
                400,
                "QueryComplexityLimitExceeded",
                f"The query of complexity {weight} exceeds the limit of {most}.",
            )
        answer = self._graphql.execute(document, variables, operation, _Context(grant, {}))
        reply: dict[str, Any] = {"data": answer.data}
        if answer.errors:
            reply["errors"] = answer.errors
        return reply_json(reply)

    # -- values of fields

    def _resolve(self, source: Any, info: Any, **args: Any) -> Any:
        name, parent = info.field_name, info.parent_type.name
        if parent == "Query":
            return self._root(name, args, info.context)
        found = _SPECIAL.get((parent, name))
        if found is not None:
            return found(source, args)
        if name.endswith("AllLocales"):
            return _locales(source.get(name.removesuffix("AllLocales")))
        if name.endswith("Ref") and name not in source:
            return source.get(name.removesuffix("Ref"))
        value = source.get("stores") if name == "storesRef" else source.get(name)
        if isinstance(value, dict) and "typeId" in value and "Ref" not in str(info.return_type):
            return self._target(value, info.context)
        if "acceptLanguage" in info.parent_type.fields[name].args:
            return _in_locale(value, args)
        return value

    def _root(self, name: str, args: Mapping[str, Any], context: _Context) -> Any:
        if name == "limits":
            return {
                one: {"total": {"limit": most, "current": len(self._project.collections[path])}}
                for one, (path, most) in _COUNTED.items()
            }
        if name in SINGLES:
            return self._single(name, args, context)
        _, path, scope = LISTS[name]
        self._may(scope, context)
        params = [(one, str(args[one])) for one in ("where", "limit", "offset") if args.get(one) is not None]
        params += [("sort", one) for one in args.get("sort") or ()]
        if path == "custom-objects":
            params += [("where", "container = :container"), ("var.container", args["container"])]
        try:
            query = read_query(params, FIELDS[path])
        except ApiError as error:
            raise FieldError(error.code, error.message, **error.extra) from None
        rows = self._project.collections[path]
        page: Row = orjson.loads(run_query(rows, query, self._project.indexed(path), _unexpanded))
        return {**page, "exists": page["count"] > 0}

    def _single(self, name: str, args: Mapping[str, Any], context: _Context) -> Row | None:
        _, path, scope = LISTS[SINGLES[name]]
        self._may(scope, context)
        rows = self._project.collections[path]
        if args.get("id") is not None:
            return rows.get(args["id"])
        for one in ("key", "orderNumber"):
            if args.get(one) is not None:
                id_ = rows.holder(one, args[one])
                return rows.get(id_) if id_ is not None else None
        raise FieldError("InvalidInput", f"{name}: one of id and key is needed")

    def _target(self, reference: Mapping[str, Any], context: _Context) -> Row | None:
        """The row behind a reference or key reference."""
        path = PATHS.get(reference["typeId"], "")
        collection = self._project.collections.get(path)
        if collection is None:
            return None
        self._may(_SCOPES[path], context)
        at = (path, str(reference.get("id") or f"key={reference.get('key')}"))
        if at not in context.rows:
            id_ = reference.get("id") or collection.holder("key", str(reference.get("key")))
            context.rows[at] = collection.get(id_) if id_ is not None else None
        return context.rows[at]

    def _may(self, scope: str, context: _Context) -> None:
        try:
            require(context.grant, self._project.settings.key, [f"view_{scope}"])
        except ApiError as error:
            raise FieldError(error.code, error.message) from None


def _unexpanded(row: Row, _paths: Sequence[str]) -> Row:
    return row


def _money_type(value: Any) -> str:
    return "HighPrecisionMoney" if value.get("type") == "highPrecision" else "Money"


def _locales(value: Any) -> list[dict[str, str]] | None:
    return [{"locale": locale, "value": text} for locale, text in value.items()] if isinstance(value, dict) else None


def _in_locale(value: Any, args: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    wanted = [args["locale"]] if args.get("locale") else list(args.get("acceptLanguage") or ())
    return next((value[one] for one in wanted if one in value), None)


def _among(fields: Mapping[str, Any], args: Mapping[str, Any]) -> list[dict[str, Any]]:
    included, excluded = args.get("includeNames"), args.get("excludeNames") or ()
    return [
        {"name": name, "value": value}
        for name, value in fields.items()
        if (included is None or name in included) and name not in excluded
    ]


def _attributes(source: Row, args: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _among({one["name"]: one["value"] for one in source.get("attributes", ())}, args)


def _variants(source: Row, _args: Mapping[str, Any]) -> list[Row]:
    return [source["masterVariant"], *source.get("variants", ())]


def _skus(source: Row, args: Mapping[str, Any]) -> list[str]:
    return [one["sku"] for one in _variants(source, args) if "sku" in one]


def _by_ids(many: str, one: str) -> Callable[[Row, Mapping[str, Any]], Any]:
    """Addresses that the resource names by id."""

    def find(source: Row, _args: Mapping[str, Any]) -> Any:
        held = {address["id"]: address for address in source.get("addresses", ())}
        if one:
            return held.get(source.get(one, ""))
        return [held[id_] for id_ in source.get(many, ()) if id_ in held]

    return find


def _lines(source: Row, args: Mapping[str, Any]) -> list[Row]:
    return [one for one in source.get("lineItems", ()) if args.get("id") in {None, one["id"]}]


_SPECIAL: Final[dict[tuple[str, str], Callable[[Row, Mapping[str, Any]], Any]]] = {
    ("CustomFieldsType", "customFieldsRaw"): lambda source, args: _among(source.get("fields", {}), args),
    ("ProductVariant", "attributesRaw"): _attributes,
    ("ProductVariant", "prices"): lambda source, _args: source.get("prices"),
    ("ProductData", "allVariants"): _variants,
    ("ProductData", "skus"): _skus,
    ("ProductData", "categoriesRef"): lambda source, _args: source.get("categories", []),
    ("Product", "skus"): lambda source, args: _skus(source["masterData"]["current"], args),
}
for _kind in ("Customer", "BusinessUnit"):
    for _role in ("Shipping", "Billing"):
        _SPECIAL[_kind, f"default{_role}Address"] = _by_ids("", f"default{_role}AddressId")
        _SPECIAL[_kind, f"{_role.lower()}Addresses"] = _by_ids(f"{_role.lower()}AddressIds", "")
for _kind in ("Cart", "Order", "Quote", "QuoteRequest"):
    _SPECIAL[_kind, "lineItems"] = _lines
    _SPECIAL[_kind, "customLineItems"] = lambda source, _args: source.get("customLineItems", [])
