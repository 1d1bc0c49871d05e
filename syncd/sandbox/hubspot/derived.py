"""Values the vendor works out itself from others. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from syncd.sandbox.hubspot import values as forms
from syncd.sandbox.hubspot.kinds import COMPANIES, CONTACTS, DEALS, LINE_ITEMS, ORDERS, Kind
from syncd.sandbox.hubspot.pipelines import Stage

_LINE_ITEM_INPUTS = frozenset({"price", "quantity", "discount", "hs_discount_percentage"})


def derived(
    kind: Kind, held: Mapping[str, str], changed: Collection[str], stage: Stage | None, now_ms: int
) -> dict[str, str]:
    """Calculated values after a write; ``held`` includes it. ``stage`` is the one the record stands in."""
    if kind is CONTACTS:
        return _contact(held, changed)
    if kind is LINE_ITEMS and not _LINE_ITEM_INPUTS.isdisjoint(changed):
        return _line_item(held)
    if kind is DEALS:
        return _deal(held, changed, stage, now_ms)
    if kind is COMPANIES and "phone" in changed:
        return {"hs_searchable_calculated_phone_number": forms.phone_digits(held.get("phone", ""))[1]}
    if kind is ORDERS and "hs_total_price" in changed:
        return {"hs_homecurrency_amount": held.get("hs_total_price", "")}
    return {}


def _contact(held: Mapping[str, str], changed: Collection[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    if "phone" in changed:
        international, searchable = forms.phone_digits(held.get("phone", ""))
        out["hs_calculated_phone_number"] = international
        out["hs_searchable_calculated_phone_number"] = searchable
    if "email" in changed:
        out["hs_email_domain"] = held.get("email", "").rpartition("@")[2]
    if "email" in changed or "firstname" in changed or "lastname" in changed:
        name = f"{held.get('firstname', '')} {held.get('lastname', '')}".strip()
        out["hs_full_name_or_email"] = name or held.get("email", "")
    return out


def _line_item(held: Mapping[str, str]) -> dict[str, str]:
    if not held.get("price"):
        return {"amount": "", "hs_pre_discount_amount": "", "hs_total_discount": ""}
    before = Decimal(held["price"]) * Decimal(held.get("quantity") or "1")
    off = Decimal(held.get("discount") or "0") * Decimal(held.get("quantity") or "1")
    off += before * Decimal(held.get("hs_discount_percentage") or "0") / 100
    return {
        "amount": _plain(before - off),
        "hs_pre_discount_amount": _plain(before),
        "hs_total_discount": _plain(off),
    }


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _deal(held: Mapping[str, str], changed: Collection[str], stage: Stage | None, now_ms: int) -> dict[str, str]:
    out: dict[str, str] = {}
    if "amount" in changed:
        out["amount_in_home_currency"] = held.get("amount", "")
    if "dealstage" in changed and stage is not None:
        won, lost = stage.closed and stage.probability == 1, stage.closed and stage.probability == 0
        out["hs_deal_stage_probability"] = f"{stage.probability:g}"
        out["hs_is_closed"] = "true" if stage.closed else "false"
        out["hs_is_closed_won"] = "true" if won else "false"
        out["hs_is_closed_lost"] = "true" if lost else "false"
        if stage.closed and "closedate" not in changed:
            out["closedate"] = forms.iso(now_ms)
    return out
