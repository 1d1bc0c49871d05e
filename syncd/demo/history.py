"""A true purchase history: hydrates the shop, and its last ten trading days are traded again at speed.

The file has one line an invoice: number, day, customer number, total in pounds sterling. Names and addresses are
invented from the customer number; there are none in the file.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from syncd.demo.door import SandboxAdmin
from syncd.demo.shop import Outbox, ShopApi
from syncd.demo.stage import StageError

TRADED_DAYS: Final = 10
SEED_BLOCK: Final = 2000
_COLUMNS: Final = {"invoice", "date", "customer", "total_gbp"}


@dataclass(frozen=True, slots=True)
class Invoice:
    number: str
    day: str
    customer: str
    pence: int


def read_orders(path: Path) -> list[Invoice]:
    """The file's invoices, in its order. Raises :class:`StageError` naming line and column."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            invoices = _invoices(path, csv.DictReader(file))
    except UnicodeDecodeError:
        raise StageError(f"{path}: is not UTF-8 text") from None
    if not invoices:
        raise StageError(f"{path}: holds no invoices")
    return invoices


def _invoices(path: Path, rows: csv.DictReader[str]) -> list[Invoice]:
    missing = _COLUMNS - set(rows.fieldnames or ())
    if missing:
        raise StageError(f"{path}: the columns {', '.join(sorted(missing))} are missing")
    invoices = []
    for row in rows:
        if any(row[name] is None for name in _COLUMNS):
            raise StageError(f"{path}, line {rows.line_num}: has too few columns")
        try:
            pence = int(Decimal(row["total_gbp"]) * 100)
        except (ArithmeticError, ValueError):
            raise StageError(f"{path}, line {rows.line_num}: total_gbp is not a number") from None
        invoices.append(Invoice(row["invoice"], row["date"], row["customer"], pence))
    return invoices


def _email(customer: str) -> str:
    return f"customer.{customer}@example.com"


def _key(customer: str) -> str:
    return f"retail-{customer}"


def _draft(customer: str) -> dict[str, Any]:
    return {
        "key": _key(customer), "email": _email(customer), "customerNumber": f"R-{customer}", "firstName": "Customer",
        "lastName": customer, "authenticationMode": "ExternalAuth",
    }  # fmt: skip


def _order(invoice: Invoice, customer_id: str | None) -> dict[str, Any]:
    money = {"currencyCode": "GBP", "centAmount": invoice.pence}
    draft: dict[str, Any] = {
        "orderNumber": invoice.number, "customerEmail": _email(invoice.customer), "totalPrice": money,
        "completedAt": f"{invoice.day}T12:00:00.000Z", "orderState": "Complete",
        "customLineItems": [
            {"name": {"en": f"Invoice {invoice.number}"}, "slug": "invoice", "quantity": 1, "money": money}
        ],
    }  # fmt: skip
    return draft if customer_id is None else {**draft, "customerId": customer_id}


@dataclass
class History:
    """The invoices before the last ten trading days are the past; the others are traded again."""

    past: Sequence[Invoice]
    present: Sequence[Invoice]
    _ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, invoices: Sequence[Invoice]) -> History:
        days = sorted({one.day for one in invoices})
        first = days[-TRADED_DAYS] if len(days) > TRADED_DAYS else days[0]
        return cls([one for one in invoices if one.day < first], [one for one in invoices if one.day >= first])

    @property
    def summary(self) -> str:
        return (
            f"{len(self.past)} past orders of {len({one.customer for one in self.past})} customers; "
            f"{len(self.present)} orders of the last {TRADED_DAYS} trading days will be traded"
        )

    async def seed(self, admin: SandboxAdmin) -> None:
        """Put the past into the shop, in blocks."""
        customers = list(dict.fromkeys(one.customer for one in self.past))
        for block in _blocks(customers):
            answer = await admin.act("commercetools", op="seed", customers=[_draft(one) for one in block])
            self._ids |= dict(zip(block, answer["customers"], strict=True))
        for block in _blocks(self.past):
            drafts = [_order(one, self._ids[one.customer]) for one in block]
            await admin.act("commercetools", op="seed", orders=drafts)

    async def replay(self, api: ShopApi, outbox: Outbox, seconds: float) -> None:
        """Trade the present, evenly over the time, in the order of the file."""
        pause = seconds / max(1, len(self.present))
        slots = asyncio.Semaphore(16)
        async with asyncio.TaskGroup() as group:
            for invoice in self.present:
                await slots.acquire()
                group.create_task(self._sell(api, outbox, invoice, slots))
                await asyncio.sleep(pause)

    async def _sell(self, api: ShopApi, outbox: Outbox, invoice: Invoice, slots: asyncio.Semaphore) -> None:
        try:
            customer = await api.create(
                "/customers", f"/customers/key={_key(invoice.customer)}", _draft(invoice.customer)
            )
            address = f"/orders/order-number={invoice.number}"
            order = await api.create("/orders/import", address, _order(invoice, customer["id"]))
            outbox.post("shop.order.placed", order["id"], order)
        finally:
            slots.release()

    def traded(self, things: Iterable[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
        """Those customers or orders that the last ten days are about."""
        if kind == "customers":
            emails = {_email(one.customer) for one in self.present}
            return [one for one in things if one["email"] in emails]
        numbers = {one.number for one in self.present}
        return [one for one in things if one.get("orderNumber") in numbers]


def _blocks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[start : start + SEED_BLOCK] for start in range(0, len(items), SEED_BLOCK))
