# SPDX-License-Identifier: Apache-2.0
"""Statements about payments of invoices through the provider.

Whoever changes one has locked its customer, or its invoices, before it.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.quantity import Money
from services.contract.domain.ids import CustomerId, InvoiceId
from services.contract.domain.invoice_charges import NOT_CHARGING, ChargePart, InvoiceCharge
from services.contract.domain.payments import FINAL, PaymentId, PaymentState
from services.contract.tables import invoice_charge_parts, invoice_charges, invoice_refunds

AT_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIVE: Final = tuple(
    one.value for one in PaymentState if one not in FINAL and one is not PaymentState.REFUND_DUE
)


class StoredInvoiceCharges:
    """due: when the provider is asked next, in wall time; None: never again. Parts never change."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, charge: InvoiceCharge, *, due: datetime) -> None:
        await self._connection.execute(
            insert(invoice_charges).values(
                payment_id=charge.payment_id,
                customer_id=charge.customer_id,
                currency_code=charge.amount.currency_code,
                create_time=charge.create_time,
                due_time=due,
                money_back_hints=0,
                **_changing(charge),
            )
        )
        await self._connection.execute(
            insert(invoice_charge_parts),
            [
                {
                    "payment_id": charge.payment_id,
                    "position": position,
                    "invoice_id": one.invoice_id,
                    "amount_micros": one.amount.micros,
                }
                for position, one in enumerate(charge.parts)
            ],
        )

    async def save(self, charge: InvoiceCharge, *, due: datetime | None) -> None:
        """Store what may change in a payment that this transaction has locked."""
        await self._connection.execute(
            update(invoice_charges)
            .where(invoice_charges.c.payment_id == charge.payment_id)
            .values(due_time=due, **_changing(charge))
        )

    async def find(self, payment_id: PaymentId) -> InvoiceCharge:
        wanted = select(invoice_charges).where(invoice_charges.c.payment_id == payment_id)
        return (await self._whole([(await self._connection.execute(wanted)).one()]))[0]

    async def lock(self, payment_id: PaymentId) -> InvoiceCharge:
        wanted = select(invoice_charges).where(invoice_charges.c.payment_id == payment_id)
        row = (await self._connection.execute(wanted.with_for_update())).one()
        return (await self._whole([row]))[0]

    async def live_of(self, invoice_id: InvoiceId) -> InvoiceCharge | None:
        """Return the payment that can pay an invoice now; None if there is none."""
        wanted = (
            select(invoice_charges)
            .join(invoice_charge_parts, invoice_charge_parts.c.payment_id == invoice_charges.c.payment_id)
            .where(invoice_charge_parts.c.invoice_id == invoice_id, invoice_charges.c.state.in_(_LIVE))
            .order_by(invoice_charges.c.payment_id)
            .limit(1)
        )
        row = (await self._connection.execute(wanted)).first()
        return None if row is None else (await self._whole([row]))[0]

    async def latest_of(self, invoice_id: InvoiceId) -> InvoiceCharge | None:
        """Return the newest payment of an invoice, whatever became of it; None if there was none."""
        wanted = (
            select(invoice_charges)
            .join(invoice_charge_parts, invoice_charge_parts.c.payment_id == invoice_charges.c.payment_id)
            .where(invoice_charge_parts.c.invoice_id == invoice_id)
            .order_by(invoice_charges.c.payment_id.desc())
            .limit(1)
        )
        row = (await self._connection.execute(wanted)).first()
        return None if row is None else (await self._whole([row]))[0]

    async def of_provider_payment(self, provider_payment_id: str) -> InvoiceCharge | None:
        """Return the payment that the provider knows by this id; None if it pays no invoice."""
        wanted = select(invoice_charges).where(invoice_charges.c.provider_payment_id == provider_payment_id)
        row = (await self._connection.execute(wanted)).first()
        return None if row is None else (await self._whole([row]))[0]

    async def want_no_more(self, invoice_id: InvoiceId) -> None:
        """Have the provider cancel the payment of a locked invoice, unless the money is being taken."""
        await self._connection.execute(
            update(invoice_charges)
            .where(
                invoice_charges.c.payment_id.in_(
                    select(invoice_charge_parts.c.payment_id).where(
                        invoice_charge_parts.c.invoice_id == invoice_id
                    )
                ),
                invoice_charges.c.state.in_(_LIVE),
                invoice_charges.c.state != PaymentState.PROCESSING.value,
                invoice_charges.c.charging == NOT_CHARGING,
            )
            .values(is_unwanted=True, checks=0, due_time=AT_ONCE)
        )

    async def hint(self, provider_payment_id: str, *, at: datetime) -> bool:
        """Make a payment due, unless nothing can become of it any more; False if there is none of this id."""
        of_id = invoice_charges.c.provider_payment_id == provider_payment_id
        hinted = (
            update(invoice_charges)
            .where(of_id, invoice_charges.c.due_time.is_not(None))
            .values(
                hints=invoice_charges.c.hints + 1,
                checks=0,
                due_time=func.least(at, invoice_charges.c.due_time),
            )
        )
        if (await self._connection.execute(hinted)).rowcount:
            return True
        known = select(invoice_charges.c.payment_id).where(of_id)
        return (await self._connection.execute(known)).first() is not None

    async def lease_due(self, *, at: datetime, until: datetime, rows_max: int) -> Sequence[InvoiceCharge]:
        """Return payments that are due, the longest waiting first; no other replica takes them before `until`."""
        due = (
            select(invoice_charges.c.payment_id)
            .where(invoice_charges.c.due_time <= at)
            .order_by(invoice_charges.c.due_time)
            .limit(rows_max)
            .with_for_update(skip_locked=True)
        )
        leased = (
            update(invoice_charges)
            .where(invoice_charges.c.payment_id.in_(due.scalar_subquery()))
            .values(due_time=until, checks=invoice_charges.c.checks + 1)
            .returning(*invoice_charges.c)
        )
        return await self._whole((await self._connection.execute(leased)).all())

    async def hint_money_back(
        self, provider_payment_id: str, *, at: datetime, unless_known: tuple[str, str] | None = None
    ) -> bool:
        """Have the provider asked what went back of a payment that was received; False if there is none of this id.

        unless_known: the provider's id of what went back, and our key of it; only if no refund accounts for it.
        """
        of_id = [
            invoice_charges.c.provider_payment_id == provider_payment_id,
            invoice_charges.c.state == PaymentState.SUCCEEDED.value,
        ]
        if unless_known is not None:
            provider_refund_id, key = unless_known
            known = exists().where(
                or_(
                    invoice_refunds.c.refund_id == key,
                    invoice_refunds.c.provider_refund_id == provider_refund_id,
                ),
                invoice_refunds.c.customer_id == invoice_charges.c.customer_id,
            )
            of_id.append(~known)
        hinted = (
            update(invoice_charges)
            .where(*of_id)
            .values(money_back_hints=invoice_charges.c.money_back_hints + 1, money_back_due=at)
        )
        return bool((await self._connection.execute(hinted)).rowcount)

    async def lease_money_back(
        self, *, at: datetime, until: datetime, rows_max: int
    ) -> Sequence[tuple[InvoiceCharge, int]]:
        """Return payments of which something may have gone back, and how often that was hinted at; until `until`
        no other replica takes them.
        """
        due = (
            select(invoice_charges.c.payment_id)
            .where(invoice_charges.c.money_back_due <= at)
            .order_by(invoice_charges.c.money_back_due)
            .limit(rows_max)
            .with_for_update(skip_locked=True)
        )
        leased = (
            update(invoice_charges)
            .where(invoice_charges.c.payment_id.in_(due.scalar_subquery()))
            .values(money_back_due=until)
            .returning(*invoice_charges.c)
        )
        rows = (await self._connection.execute(leased)).all()
        hints = [int(row.money_back_hints) for row in rows]
        return list(zip(await self._whole(rows), hints, strict=True))

    async def money_back_done(self, payment_id: PaymentId, *, hints: int, again: datetime | None) -> None:
        """End the question, or ask it again then. What was hinted at meanwhile stays due."""
        await self._connection.execute(
            update(invoice_charges)
            .where(invoice_charges.c.payment_id == payment_id, invoice_charges.c.money_back_hints == hints)
            .values(money_back_due=again)
        )

    async def _whole(self, rows: Sequence[Row[Any]]) -> list[InvoiceCharge]:
        parts: defaultdict[str, list[ChargePart]] = defaultdict(list)
        currencies = {row.payment_id: row.currency_code for row in rows}
        wanted = (
            select(invoice_charge_parts)
            .where(invoice_charge_parts.c.payment_id.in_(currencies))
            .order_by(invoice_charge_parts.c.payment_id, invoice_charge_parts.c.position)
        )
        for one in await self._connection.execute(wanted):
            amount = Money(currencies[one.payment_id], one.amount_micros)
            parts[one.payment_id].append(ChargePart(invoice_id=InvoiceId(one.invoice_id), amount=amount))
        return [_from_row(row, tuple(parts[row.payment_id])) for row in rows]


def _changing(charge: InvoiceCharge) -> dict[str, object]:
    return {
        "state": charge.state.value,
        "provider_payment_id": charge.provider_payment_id,
        "is_unwanted": charge.is_unwanted,
        "charging": charge.charging,
        "attempt_key": charge.attempt_key,
        "return_url": charge.return_url,
        "attempts": charge.attempts,
        "checks": charge.checks,
        "hints": charge.hints,
    }


def _from_row(row: Row[Any], parts: tuple[ChargePart, ...]) -> InvoiceCharge:
    return InvoiceCharge(
        payment_id=PaymentId(row.payment_id),
        customer_id=CustomerId(row.customer_id),
        parts=parts,
        state=PaymentState(row.state),
        provider_payment_id=row.provider_payment_id,
        is_unwanted=row.is_unwanted,
        charging=row.charging,
        attempt_key=row.attempt_key,
        return_url=row.return_url,
        attempts=row.attempts,
        checks=row.checks,
        hints=row.hints,
        create_time=row.create_time,
    )
