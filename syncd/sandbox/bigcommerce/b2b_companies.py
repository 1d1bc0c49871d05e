"""Companies of B2B Edition: hierarchy, credit, terms, payments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.sandbox.bigcommerce import b2b_users, customers, groups
from syncd.sandbox.bigcommerce.b2b_call import (
    bulk,
    checked,
    definitions,
    extra_fields,
    linked_customer,
    need,
    newest_first,
    page,
    refused,
    told,
)
from syncd.sandbox.bigcommerce.call import Answer, Call
from syncd.sandbox.bigcommerce.errors import V3, ApiError
from syncd.sandbox.bigcommerce.fields import AMOUNT, ANY, FLAG, LIST, email, number, text
from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row

LAYERS, FAMILY = 5, 500
_DRAFT = {
    "companyName": text(200, needed=True), "companyPhone": text(50, needed=True), "companyEmail": email(needed=True),
    "country": text(100, needed=True), "adminFirstName": text(100, needed=True),
    "adminLastName": text(100, needed=True),
    "adminEmail": email(needed=True), "adminPhoneNumber": text(50), "addressLine1": text(255),
    "addressLine2": text(255),
    "city": text(100), "state": text(100), "zipCode": text(30), "customerGroupId": number(), "catalogId": number(),
    "channelIds": LIST, "originChannelId": number(), "acceptCreationEmail": FLAG, "extraFields": LIST,
}  # fmt: skip
_CHANGE = {
    "companyName": text(200), "companyPhone": text(50), "companyEmail": email(), "customerGroupId": number(),
    "catalogId": number(), "priceListAssign": LIST, "uuid": text(36), "extraFields": LIST,
}  # fmt: skip
_CREDIT = {"creditEnabled": FLAG, "creditCurrency": text(3), "availableCredit": AMOUNT, "limitPurchases": FLAG,
           "creditHold": FLAG}  # fmt: skip
_TERMS = (0, 5, 15, 30, 45, 60)
_SORTS = {"companyName": "companyName", "updatedAt": "updatedAt"}
_NARROWS = frozenset({"companyStatus", "bcGroupId", "q", "customerId", "extraFields"})
"""Filters that need a look at each row."""


def answer(call: Call) -> Answer:
    store = call.store
    match call.method, call.rest[1:]:
        case "GET", []:
            return page(call, _selected(call), lambda one: shown(call, one))
        case "POST", []:
            return told(create(store, call.json(), call.actor))
        case _, ["extra-fields"]:
            return definitions(call, "companies")
        case method, ["bulk"]:
            return _bulk(call, method)
        case method, [raw]:
            return _one(call, method, need(store.companies, raw, "Company"))
        case method, [raw, part, *rest]:
            return _part(call, method, need(store.companies, raw, "Company"), part, rest)
    raise call.not_allowed()


def _selected(call: Call) -> list[int]:
    ids, params = newest_first(call, call.store.companies, _SORTS), call.params
    words = params.get("q", "").casefold()
    pair = params.get("extraFields", "")
    exact = params.get("extraFieldFilterType") == "exact-match"

    def fits(row: Row) -> bool:
        if "companyStatus" in params and row["companyStatus"] != params["companyStatus"]:
            return False
        if "bcGroupId" in params and str(row["bcGroupId"]) != params["bcGroupId"]:
            return False
        if words and words not in f"{row['companyName']} {row['companyEmail']} {row['companyPhone']}".casefold():
            return False
        if "customerId" in params and not _has_customer(call.store, row, params["customerId"]):
            return False
        return not pair or _has_extra(row, pair, exact=exact)

    if not params.keys() & _NARROWS:
        return ids
    return [one for one in ids if fits(call.store.companies.get(one) or {})]


def _has_customer(store: Store, row: Row, customer: str) -> bool:
    users = (store.users.get(one) or {} for one in store.users.of_group("companyId", row["id"]))
    return any(str(one["customerId"]) == customer for one in users)


def _has_extra(row: Row, pair: str, *, exact: bool) -> bool:
    name, _, value = pair.partition(":")
    held = {one["fieldName"]: one["fieldValue"] for one in row["extraFields"]}.get(name, "")
    return held == value if exact else value.casefold() in held.casefold()


def shown(call: Call, number_: int) -> Row:
    """``companyId`` is the id; the group is read under a name of its own."""
    row = call.store.companies.get(number_) or {}
    group = call.store.groups.get(row["bcGroupId"]) or {}
    parent = call.store.companies.get(row.pop("parent") or 0)
    hidden = {"credit", "terms", "payments", "id"}
    out = {name: value for name, value in row.items() if name not in hidden}
    out |= {"companyId": number_, "bcGroupName": group.get("name", ""), "catalogId": str(row["catalogId"] or "")}
    out |= {name: str(row[name]) for name in ("createdAt", "updatedAt")}
    if len(call.rest) > 1:  # one by itself has its group as text
        out["bcGroupId"] = str(row["bcGroupId"])
    out["parentCompany"] = {"id": parent["id"], "name": parent["companyName"]} if parent else {}
    if call.params.get("isIncludeExtraFields", "0") != "1" and len(call.rest) == 1:
        out.pop("extraFields")
    return out


def create(store: Store, body: Any, actor: str, *, silent: bool = False) -> Row:
    """Raises ``ApiError``."""
    draft = checked(body, _DRAFT)
    _check_group(store, draft)
    if store.users.holder("email", draft["adminEmail"]) is not None:
        raise refused({"adminEmail": "this email belongs to a company user already"})
    extras = extra_fields(store, "companies", draft.get("extraFields"), new=True)
    group = draft.get("customerGroupId") or _own_group(store, draft["companyName"], actor)
    now = store.unix()
    row: Row = {
        "id": store.companies.new_id(), "companyName": draft["companyName"], "companyEmail": draft["companyEmail"],
        "companyPhone": draft["companyPhone"], "companyStatus": "1", "bcGroupId": group,
        "catalogId": draft.get("catalogId"), "priceListAssign": [], "uuid": "", "extraFields": extras, "parent": 0,
        "createdAt": now, "updatedAt": now, "credit": {}, "terms": {"isEnabled": False, "paymentTerms": 0},
        "payments": [],
    }  # fmt: skip
    store.companies.put(row)
    customer = linked_customer(store, draft["adminEmail"], draft["adminFirstName"], draft["adminLastName"], actor)
    customers.change(store, customer, {"customer_group_id": group}, actor)
    admin = {"firstName": draft["adminFirstName"], "lastName": draft["adminLastName"], "email": draft["adminEmail"]}
    b2b_users.add(store, {**admin, "phoneNumber": draft.get("adminPhoneNumber", ""), "companyId": row["id"], "role": 0},
                  customer, actor, silent=silent)  # fmt: skip
    told_ = {name: draft[name] for name in ("companyName", "companyEmail", "companyPhone")}
    store.note("create", "companies", row, told_, actor)
    if not silent:
        store.tell("store/company/created", {"company_id": row["id"]})
    return {"companyId": row["id"], "customerId": customer, "customerGroupId": group}


def _check_group(store: Store, draft: Mapping[str, Any]) -> None:
    group = draft.get("customerGroupId")
    if group and group not in store.groups:
        raise refused({"customerGroupId": "the customer group does not exist"})
    independent = store.settings.independent_companies
    if group and not independent and any(row["bcGroupId"] == group for row in store.companies.rows()):
        raise refused({"customerGroupId": "the customer group belongs to another company"})
    if independent and (draft.get("catalogId") or draft.get("priceListAssign")):
        raise refused({"catalogId": "the price list of a company comes from its customer group"})


def _own_group(store: Store, name: str, actor: str) -> int:
    if store.settings.independent_companies:
        return 0
    taken = store.groups.holder("name", name) is not None
    return groups.create(store, {"name": f"{name} ({len(store.groups) + 1})" if taken else name}, actor)


def _bulk(call: Call, method: str) -> Answer:
    """No webhook tells of companies that are made in bulk."""
    store = call.store
    done, errors = [], []
    for one in bulk(call.json()):
        try:
            if method == "POST":
                done.append(create(store, one, call.actor, silent=True))
            elif method == "PUT":
                row = need(store.companies, _number_of(one), "Company")
                done.append(change(store, row, checked(one, _CHANGE, partial=True), call.actor))
            else:
                raise call.not_allowed()
        except ApiError as error:
            if error.status == 405:
                raise
            errors.append({"id": _number_of(one), "_detail": error.errors or error.title})
    if errors:
        raise ApiError(422, "Some of the companies could not be stored", more={"errors": errors})
    return told(done)


def _number_of(body: Any) -> str:
    return str(body.get("companyId", "")) if isinstance(body, Mapping) else ""


def _one(call: Call, method: str, row: Row) -> Answer:
    match method:
        case "GET":
            return told(shown(call, row["id"]))
        case "PUT":
            return told(change(call.store, row, checked(call.json(), _CHANGE, partial=True), call.actor))
        case "DELETE":
            delete(call.store, row, call.actor)
            return told({})
    raise call.not_allowed()


def change(store: Store, row: Row, changes: Mapping[str, Any], actor: str) -> Row:
    """Raises ``ApiError``."""
    _check_group(store, changes)
    new = dict(changes)
    if "extraFields" in new:
        new["extraFields"] = extra_fields(store, "companies", new["extraFields"], row["extraFields"])
    if "customerGroupId" in new:
        new["bcGroupId"] = new.pop("customerGroupId")
    _store(store, row, new, actor)
    return {"companyId": row["id"]}


def _store(store: Store, row: Row, new: Mapping[str, Any], actor: str) -> None:
    differs = {name: value for name, value in new.items() if row.get(name) != value}
    if differs:
        store.companies.put({**row, **differs, "updatedAt": store.unix()})
        store.note("update", "companies", row, differs, actor)
        store.tell("store/company/updated", {"company_id": row["id"]})


def delete(store: Store, row: Row, actor: str) -> None:
    """Its users go, their customers stay; with dependent companies the customer group goes too."""
    for one in store.users.of_group("companyId", row["id"]):
        store.users.drop(one)
    for below in store.companies.of_group("parent", row["id"]):
        store.companies.put({**(store.companies.get(below) or {}), "parent": 0})
    if not store.settings.independent_companies and row["bcGroupId"] in store.groups:
        groups.delete(store, row["bcGroupId"], actor)
    store.companies.drop(row["id"])
    store.note("delete", "companies", row, {}, actor)
    store.tell("store/company/deleted", {"company_id": row["id"]})


def _part(call: Call, method: str, row: Row, part: str, rest: list[str]) -> Answer:
    match method, part:
        case "PUT", "status":
            status = str(checked(call.json(), {"companyStatus": ANY}).get("companyStatus", ""))
            if status not in {"0", "1", "2", "3"}:
                raise refused({"companyStatus": "must be 0, 1, 2 or 3"})
            _store(call.store, row, {"companyStatus": status}, call.actor)
            call.store.tell("store/company/statusUpdated", {"company_id": row["id"]})
            return told({})
        case _, "credit":
            return _credit(call, method, row)
        case _, "payment-terms":
            return _terms(call, method, row)
        case _, "payments":
            return _payments(call, method, row)
        case "GET", ("attachments" | "catalogs"):
            return told([], pagination={"totalCount": 0, "offset": 0, "limit": 10})
        case _, ("subsidiaries" | "parent" | "hierarchy"):
            return _family(call, method, row, part, rest)
    raise call.not_allowed()


def _credit(call: Call, method: str, row: Row) -> Answer:
    """No webhook tells of it, and ``updatedAt`` stays."""
    store = call.store
    if not store.settings.b2b_credit:
        raise ApiError(400, "The credit feature is not enabled for this store")
    empty: Row = {"creditEnabled": False, "creditCurrency": store.settings.currency, "availableCredit": 0,
                  "limitPurchases": False, "creditHold": False}  # fmt: skip
    credit = {**empty, **row["credit"]}
    if method == "PUT":
        change_ = checked(call.json(), _CREDIT, partial=True)
        if "availableCredit" in change_:
            change_["availableCredit"] = float(change_["availableCredit"])
        credit |= change_
        row["credit"] = credit
        store.companies.put(row)
        store.note("update", "companies", row, {"credit": change_}, call.actor)
    elif method != "GET":
        raise call.not_allowed()
    return told(credit)


def _terms(call: Call, method: str, row: Row) -> Answer:
    if method == "PUT":
        change_ = checked(call.json(), {"isEnabled": FLAG, "paymentTerms": number(one_of=_TERMS)}, partial=True)
        row["terms"] = {**row["terms"], **change_}
        call.store.companies.put(row)
        call.store.note("update", "companies", row, {"terms": change_}, call.actor)
    elif method != "GET":
        raise call.not_allowed()
    return told(row["terms"])


def _payments(call: Call, method: str, row: Row) -> Answer:
    if method == "PUT":
        row["payments"] = checked(call.json(), {"payments": LIST}).get("payments", row["payments"])
        call.store.companies.put(row)
        call.store.note("update", "companies", row, {"payments": row["payments"]}, call.actor)
    elif method != "GET":
        raise call.not_allowed()
    return told(row["payments"])


# -- hierarchy


def _family(call: Call, method: str, row: Row, part: str, rest: list[str]) -> Answer:
    store = call.store
    if not store.settings.independent_companies:
        raise ApiError(400, "Account hierarchy is not available for this store")
    match method, part, rest:
        case "GET", "subsidiaries", []:
            return page(call, store.companies.of_group("parent", row["id"]), lambda one: _branch(store, one))
        case "DELETE", "subsidiaries", [child]:
            other = need(store.companies, child, "Company")
            if other["parent"] != row["id"]:
                raise misplaced("the company is not a subsidiary of this one")
            _store(store, other, {"parent": 0}, call.actor)
            return 204, None
        case "POST", "parent", []:
            parent = checked(call.json(), {"parentCompanyId": number(needed=True)})["parentCompanyId"]
            _store(store, row, {"parent": _may_adopt(store, row, parent)}, call.actor)
            return 201, {"meta": {"message": "SUCCESS"}}
        case "GET", "hierarchy", []:
            top = _ancestors(store, row["id"])[-1]
            return told([_branch(store, one) for one in _descendants(store, top)])
    raise call.not_allowed()


def misplaced(why: str) -> ApiError:
    """The hierarchy refuses in the shape of the store's own API."""
    return ApiError(400, why, {"index": why}, shape=V3)


def _branch(store: Store, number_: int) -> Row:
    row = store.companies.get(number_) or {}
    return {"companyId": number_, "companyName": row["companyName"], "companyStatus": int(row["companyStatus"]),
            "parentCompanyId": row["parent"] or None}  # fmt: skip


def _ancestors(store: Store, number_: int) -> list[int]:
    """The company itself, its parent, and so on."""
    found = [number_]
    while (parent := (store.companies.get(found[-1]) or {}).get("parent")) and parent not in found:
        found.append(parent)
    return found


def _descendants(store: Store, number_: int) -> list[int]:
    found = [number_]
    for one in found:
        found += [below for below in store.companies.of_group("parent", one) if below not in found]
    return found


def _may_adopt(store: Store, row: Row, parent: int) -> int:
    if parent not in store.companies:
        raise misplaced("the company does not exist")
    below = _descendants(store, row["id"])
    if parent in below:
        raise misplaced("a company cannot stand below itself")
    depth = max(len(_ancestors(store, one)) - len(_ancestors(store, row["id"])) + 1 for one in below)
    if len(_ancestors(store, parent)) + depth > LAYERS:
        raise misplaced(f"a hierarchy has at most {LAYERS} layers")
    if len(_descendants(store, _ancestors(store, parent)[-1])) + len(below) > FAMILY:
        raise misplaced(f"a hierarchy has at most {FAMILY} companies")
    return parent
