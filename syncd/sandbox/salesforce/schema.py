"""The org's kinds of objects, standard and custom, and what it says about them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from syncd.sandbox.salesforce import catalog_commerce, catalog_sales, catalog_setup
from syncd.sandbox.salesforce.errors import SalesforceError
from syncd.sandbox.salesforce.fields import NUMBERS, Field, reader
from syncd.sandbox.salesforce.ids import base62
from syncd.sandbox.salesforce.objects import ObjectType, choice, define

WITH_CURRENCY = frozenset(
    {
        "Account", "Contact", "Lead", "Opportunity", "OpportunityLineItem", "Product2", "PricebookEntry", "Order",
        "OrderItem", "Campaign", "Case",
    }
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}__c")
_NUMERIC_DEFAULTS = {"currency": (18, 2), "double": (18, 2), "percent": (5, 2), "int": (8, 0)}
_SPELLED = {
    "text": "string", "number": "double", "checkbox": "boolean", "longtextarea": "textarea", "lookup": "reference",
    "masterdetail": "reference", "multiselectpicklist": "multipicklist", "datetime": "datetime",
}  # fmt: skip
"""Words of the setup screens and their API types."""


def standard() -> list[ObjectType]:
    return [
        *catalog_sales.accounts(),
        *catalog_sales.opportunities(),
        *catalog_sales.campaigns(),
        *catalog_sales.cases(),
        *catalog_commerce.products(),
        *catalog_commerce.opportunity_lines(),
        *catalog_commerce.orders(),
        *catalog_setup.users(),
        *catalog_setup.organization(),
    ]


class Schema:
    def __init__(self, currencies: tuple[str, ...], now_ms: int) -> None:
        self.kinds: dict[str, ObjectType] = {kind.name: kind for kind in standard()}
        self._lower = {name.lower(): name for name in self.kinds}
        self._prefixes = {kind.prefix: kind for kind in self.kinds.values() if kind.prefix}
        self._customs = 0
        if len(currencies) > 1:
            for name in WITH_CURRENCY:
                listed = "|".join(currencies)
                one = choice("CurrencyIsoCode", listed, restricted=True, default=currencies[0])
                self.kinds[name].fields["CurrencyIsoCode"] = one
                self.kinds[name].index()
        for kind in self.kinds.values():
            kind.changed_ms = now_ms
        self.changed_ms = now_ms

    # -- finding

    def find(self, name: str) -> ObjectType | None:
        return self.kinds.get(name) or self.kinds.get(self._lower.get(name.lower(), ""))

    def need(self, name: str) -> ObjectType:
        """As a part of a path. Raises 404."""
        kind = self.find(name)
        if kind is None:
            raise SalesforceError("NOT_FOUND", "The requested resource does not exist")
        return kind

    def of_id(self, id_: str) -> ObjectType | None:
        return self._prefixes.get(id_[:3])

    def children(self, kind: ObjectType) -> Iterable[tuple[ObjectType, Field]]:
        """Reference fields that point to this kind, where they live."""
        for other in self.kinds.values():
            for one in other.fields.values():
                if kind.name in one.reference_to and not one.calculated:
                    yield other, one

    def child(self, kind: ObjectType, relationship: str) -> tuple[ObjectType, Field] | None:
        wanted = relationship.lower()
        return next((pair for pair in self.children(kind) if pair[1].child_relationship.lower() == wanted), None)

    # -- changing (an administrator's work)

    def _touched(self, kind: ObjectType, now_ms: int) -> None:
        kind.index()
        kind.changed_ms = self.changed_ms = max(now_ms, self.changed_ms + 1000)

    def create_object(self, name: str, body: Mapping[str, Any], now_ms: int) -> ObjectType:
        if not _NAME.fullmatch(name) or self.find(name):
            raise ValueError(f"{name} is no free name for a custom object; it must end in __c")
        label = str(body.get("label") or name.removesuffix("__c").replace("_", " "))
        pattern = str(body.get("autoNumber", ""))
        own = Field("Name", "string", label=f"{label} Name", length=80, auto_number=pattern, id_lookup=True)
        if not pattern:
            own.default = "@id"
        prefix = "a" + base62(self._customs, 2)
        self._customs += 1
        kind = define(name, prefix, [own], label=label, plural=str(body.get("plural", "")))
        self.kinds[name] = kind
        self._lower[name.lower()] = name
        self._prefixes[prefix] = kind
        for one in body.get("fields", ()):
            self.put_field(kind, one, now_ms)
        self._touched(kind, now_ms)
        return kind

    def put_field(self, kind: ObjectType, body: Mapping[str, Any], now_ms: int) -> Field:
        """Create a custom field, or give one of that name another definition. Raises ``ValueError``, ``KeyError``."""
        one = custom_field(body)
        kind.fields[one.name] = one
        self._touched(kind, now_ms)
        return one

    def drop_field(self, kind: ObjectType, name: str, now_ms: int) -> None:
        if not kind.fields[name].custom:
            raise ValueError(f"{name} is a standard field")
        del kind.fields[name]
        self._touched(kind, now_ms)

    def restore_field(self, kind: ObjectType, one: Field, now_ms: int) -> None:
        kind.fields[one.name] = one
        self._touched(kind, now_ms)

    def set_choices(self, kind: ObjectType, name: str, choices: Iterable[str], restricted: bool, now_ms: int) -> None:
        one = kind.fields[name]
        one.choices, one.restricted = tuple(choices), restricted
        one.read = reader(one)
        self._touched(kind, now_ms)


def custom_field(body: Mapping[str, Any]) -> Field:
    """From describe's words: name, type, label, length, precision, scale, unique, externalId, caseSensitive, required,
    values, restricted, defaultValue, referenceTo, relationshipName, onDelete, autoNumber, copyOf (a formula)."""
    name, type_ = str(body["name"]), _SPELLED.get(str(body["type"]).lower(), str(body["type"]).lower())
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name} is no name of a custom field; it must end in __c")
    precision, scale = _NUMERIC_DEFAULTS.get(type_, (0, 0))
    referred = body.get("referenceTo", ())
    stem = name.removesuffix("__c")
    one = Field(
        name,
        type_,
        label=str(body.get("label", "")),
        length=int(body.get("length", 0))
        or {"textarea": 255, "reference": 18, "email": 80, "phone": 40}.get(type_, 255),
        precision=int(body.get("precision", precision)),
        scale=int(body.get("scale", scale)),
        required=bool(body.get("required", False)),
        unique=bool(body.get("unique", False)),
        external_id=bool(body.get("externalId", False)),
        id_lookup=bool(body.get("externalId", False)),
        case_sensitive=bool(body.get("caseSensitive", False)),
        choices=tuple(body.get("values", ())),
        restricted=bool(body.get("restricted", False)),
        default=body.get("defaultValue", False if type_ == "boolean" else None),
        reference_to=(str(referred),) if isinstance(referred, str) else tuple(referred),
        relationship=f"{stem}__r" if type_ == "reference" else "",
        child_relationship=f"{body['relationshipName']}__r" if body.get("relationshipName") else "",
        on_delete=str(body.get("onDelete", "clear")),
        auto_number=str(body.get("autoNumber", "")),
        calculated="copyOf" in body,
    )
    if "copyOf" in body:
        source = str(body["copyOf"])
        one.compute = lambda _, row: row.values.get(source)
        one.in_events = False
    return one


def etag(kind: ObjectType) -> str:
    return '"' + hashlib.sha256(f"{kind.name}:{kind.changed_ms}".encode()).hexdigest()[:16] + '"'


# -- what it says


def summary(kind: ObjectType, base: str) -> dict[str, Any]:
    """One object of the global describe. ``base``: ``/services/data/v67.0``."""
    root = f"{base}/sobjects/{kind.name}"
    return {
        "activateable": False,
        "createable": kind.createable,
        "custom": kind.custom,
        "customSetting": False,
        "deletable": kind.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "keyPrefix": kind.prefix or None,
        "label": kind.label,
        "labelPlural": kind.plural,
        "layoutable": True,
        "mergeable": kind.mergeable,
        "mruEnabled": True,
        "name": kind.name,
        "queryable": True,
        "replicateable": not kind.setup or kind.name == "User",
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": kind.undeletable,
        "updateable": kind.updateable,
        "urls": {"sobject": root, "describe": f"{root}/describe", "rowTemplate": f"{root}/{{ID}}"},
    }


def describe(schema: Schema, kind: ObjectType, base: str) -> dict[str, Any]:
    children = [
        {
            "cascadeDelete": one.on_delete == "cascade",
            "childSObject": other.name,
            "deprecatedAndHidden": False,
            "field": one.name,
            "relationshipName": one.child_relationship or None,
            "restrictedDelete": one.on_delete == "restrict",
        }
        for other, one in schema.children(kind)
    ]
    master = {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "master": True,
        "name": "Master",
        "recordTypeId": "012000000000000AAA",
    }
    return {
        **summary(kind, base),
        "childRelationships": children,
        "fields": [_field(one, kind) for one in kind.fields.values()],
        "recordTypeInfos": [master],
        "supportedScopes": [],
    }


def _field(one: Field, kind: ObjectType) -> dict[str, Any]:
    return {
        "aggregatable": one.type not in {"address", "location", "textarea", "boolean"},
        "autoNumber": bool(one.auto_number),
        "byteLength": one.length * 3,
        "calculated": one.calculated,
        "caseSensitive": one.case_sensitive,
        "compoundFieldName": one.compound or None,
        "createable": one.createable and kind.createable,
        "custom": one.custom,
        "defaultValue": None if isinstance(one.default, str) and one.default.startswith("@") else one.default,
        "defaultedOnCreate": one.default is not None or one.name in {"Id", "CreatedDate", "SystemModstamp"},
        "deprecatedAndHidden": False,
        "digits": one.precision if one.type == "int" else 0,
        "externalId": one.external_id,
        "filterable": one.filterable,
        "groupable": one.type in {"string", "picklist", "boolean", "date", "int", "reference", "id", "email", "phone"},
        "htmlFormatted": False,
        "idLookup": one.id_lookup,
        "inlineHelpText": None,
        "label": one.label,
        "length": one.length,
        "name": one.name,
        "nameField": one.name == kind.name_field,
        "namePointing": len(one.reference_to) > 1,
        "nillable": not one.required and one.type != "boolean" and not one.auto_number and one.name != "Id",
        "permissionable": one.createable,
        "picklistValues": [
            {"active": True, "defaultValue": value == one.default, "label": value, "validFor": None, "value": value}
            for value in one.choices
        ],
        "precision": one.precision if one.type in NUMBERS else 0,
        "referenceTo": list(one.reference_to),
        "relationshipName": one.relationship or None,
        "restrictedPicklist": one.restricted,
        "scale": one.scale,
        "soapType": _SOAP_TYPES.get(one.type, "xsd:string"),
        "sortable": one.filterable,
        "type": one.type,
        "unique": one.unique,
        "updateable": one.updateable and kind.updateable,
        "writeRequiresMasterRead": False,
    }


_SOAP_TYPES = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double",
    "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime",
    "time": "xsd:time", "address": "urn:address",
}  # fmt: skip
