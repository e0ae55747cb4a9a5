# SPDX-License-Identifier: Apache-2.0
"""Statements about billed periods, and the billing state of subscriptions."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Row, Select, and_, case, func, insert, null, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.period import Period
from meshkit.quantity import Ratio
from services.contract.domain.billing.coverage import Charge, paid_span
from services.contract.domain.billing.price import SeatRate
from services.contract.domain.billing.state import BilledPeriod, BillingState, unbilled_period, with_voids
from services.contract.domain.billing.tiers import SeatPrice, TieredSeatRate
from services.contract.domain.contract import Contract, Subscription, find_subscription
from services.contract.domain.ids import InvoiceId, SubscriptionId
from services.contract.domain.invoice import InvoiceLineKind
from services.contract.domain.plan_change import PaidSeats, PromisedSeats
from services.contract.domain.seats.timeline import SeatChange, Timeline
from services.contract.domain.seats.voids import pending_charges, voided_charges
from services.contract.store.formats import decode_price, encode_price
from services.contract.store.seat_voids import StoredSeatVoids, VoidsByPeriod
from services.contract.store.seats import CHANGE_COLUMNS, COUNTS, change_from_row
from services.contract.tables import (
    billed_periods,
    corrected_prices,
    invoice_lines,
    invoices,
    promised_seats,
    seat_changes,
    subscriptions,
)

_PERIOD: Final[tuple[ColumnElement[Any], ...]] = (
    billed_periods.c.subscription_id,
    billed_periods.c.period_start,
    billed_periods.c.period_end,
    billed_periods.c.rate_id,
    billed_periods.c.currency_code,
    billed_periods.c.price_micros,
    billed_periods.c.per_micros,
    billed_periods.c.rate_effective_time,
    billed_periods.c.rate_end_time,
    billed_periods.c.tiered_rate,
    select(corrected_prices.c.rate)
    .where(
        corrected_prices.c.subscription_id == billed_periods.c.subscription_id,
        corrected_prices.c.period_start == billed_periods.c.period_start,
    )
    .order_by(corrected_prices.c.position.desc())
    .limit(1)
    .scalar_subquery()
    .label("corrected_rate"),
)
_CHARGE: Final[tuple[Column[Any], ...]] = (
    invoice_lines.c.kind,
    invoice_lines.c.quantity,
    invoice_lines.c.share_numerator,
    invoice_lines.c.share_denominator,
    invoice_lines.c.span_end,
    invoice_lines.c.total_micros,
)
_IS_BEFORE_BILLED = and_(
    subscriptions.c.billed_from.is_not(None), seat_changes.c.effective_time < subscriptions.c.billed_from
)


class StoredBilling:
    """Billed periods and corrections of their prices are only added, under the lock of their contract."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._voids = StoredSeatVoids(connection)

    async def insert_period(self, subscription_id: SubscriptionId, billed: BilledPeriod) -> None:
        """Record a period as charged. Its unique key makes that happen once."""
        rate = billed.rate
        is_tiered = isinstance(rate, TieredSeatRate)
        # Of tiers, the first one's price: the columns are older than tiers.
        price = rate.tiers[0].price if isinstance(rate, TieredSeatRate) else rate.price
        await self._connection.execute(
            insert(billed_periods).values(
                subscription_id=subscription_id,
                period_start=billed.period.start,
                period_end=billed.period.end,
                rate_id=rate.rate_id,
                currency_code=rate.currency_code,
                price_micros=price.numerator_micros,
                per_micros=price.denominator_micros,
                rate_effective_time=rate.effective_time,
                rate_end_time=rate.end_time,
                tiered_rate=encode_price(rate) if is_tiered else null(),
            )
        )

    async def correct_price(
        self, subscription_id: SubscriptionId, billed: BilledPeriod, *, at: datetime
    ) -> None:
        """Store the corrected price of a billed period; the one at which it was billed stays."""
        position = (
            select(func.coalesce(func.max(corrected_prices.c.position), 0) + 1)
            .where(
                corrected_prices.c.subscription_id == subscription_id,
                corrected_prices.c.period_start == billed.period.start,
            )
            .scalar_subquery()
        )
        await self._connection.execute(
            insert(corrected_prices).values(
                subscription_id=subscription_id,
                period_start=billed.period.start,
                position=position,
                rate=encode_price(billed.rate),
                create_time=at,
            )
        )

    async def insert_promised(self, promised: Collection[PromisedSeats], *, at: datetime) -> None:
        """Store seats that an end set `at` leaves unbilled although they have credits already."""
        if promised:
            rows = [
                {
                    "subscription_id": one.subscription_id,
                    "period_start": one.period_start,
                    "create_time": at,
                    "seats": one.charge.seats,
                    "span_start": one.charge.span.start,
                    "span_end": one.charge.span.end,
                }
                for one in promised
            ]
            await self._connection.execute(insert(promised_seats), rows)

    async def promised(self, contract: Contract) -> list[PromisedSeats]:
        """Return what ends that were set before have left unbilled of the seats of a contract, in order."""
        ids = [one.subscription_id for one in contract.subscriptions]
        of = (
            select(promised_seats)
            .where(promised_seats.c.subscription_id.in_(ids))
            .order_by(promised_seats.c.subscription_id, promised_seats.c.create_time)
        )
        return [
            PromisedSeats(
                subscription_id=SubscriptionId(row.subscription_id),
                period_start=row.period_start,
                charge=Charge(seats=row.seats, span=Period(row.span_start, row.span_end)),
            )
            for row in await self._connection.execute(of)
        ]

    async def periods(self, subscription_id: SubscriptionId) -> list[BilledPeriod]:
        """Return all billed periods of a subscription, in order, without what void invoices charged for them."""
        periods = (
            select(*_PERIOD)
            .where(billed_periods.c.subscription_id == subscription_id)
            .order_by(billed_periods.c.period_start)
        )
        charges = (
            select(invoice_lines.c.billing_period_start, *_CHARGE)
            .join(invoices, invoices.c.invoice_id == invoice_lines.c.invoice_id)
            .where(invoice_lines.c.subscription_id == subscription_id, invoices.c.status != "VOID")
            .order_by(invoice_lines.c.invoice_line_id)
        )
        lines: defaultdict[datetime, list[Row[Any]]] = defaultdict(list)
        for row in await self._connection.execute(charges):
            lines[row.billing_period_start].append(row)
        voids = await self._voids.of_subscriptions([subscription_id])
        rows = await self._connection.execute(periods)
        return [_billed_from_row(row, lines[row.period_start], voids) for row in rows]

    async def state_in(
        self, contract: Contract, subscription_id: SubscriptionId, period: Period
    ) -> BillingState | None:
        """Return the billing state of a subscription in an earlier billed period; None: it was not billed."""
        billed = next((one for one in await self.periods(subscription_id) if one.period == period), None)
        if billed is None:
            return None
        changes = (
            select(*CHANGE_COLUMNS)
            .where(seat_changes.c.subscription_id == subscription_id, COUNTS)
            .order_by(seat_changes.c.effective_time, seat_changes.c.sequence)
        )
        rows = await self._connection.execute(changes)
        subscription = find_subscription(contract, subscription_id)
        timeline = Timeline(
            opening_quantity=subscription.initial_quantity,
            changes=tuple(change_from_row(row) for row in rows),
        )
        return BillingState(contract=contract, subscription=subscription, timeline=timeline, billed=billed)

    async def states(self, contracts: Sequence[Contract]) -> list[list[BillingState]]:
        """Return the billing states of each contract, in the order of its subscriptions."""
        ids = [one.subscription_id for contract in contracts for one in contract.subscriptions]
        opening = await self._seats_before_billed(ids)
        changes = await self._changes_since_billed(ids)
        voids = await self._voids.of_subscriptions(ids)
        billed = await self._last_billed(ids, voids)

        def state(contract: Contract, subscription: Subscription) -> BillingState:
            one = subscription.subscription_id
            quantity, assigned = opening.get(one, (subscription.initial_quantity, 0))
            unbilled = unbilled_period(contract, subscription)
            ahead = () if unbilled is None else voids.get((one, unbilled.start), ())
            last = billed.get(one)
            return BillingState(
                contract=contract,
                subscription=subscription,
                timeline=Timeline(
                    opening_quantity=quantity, changes=tuple(changes[one]), opening_assigned=assigned
                ),
                billed=last,
                ahead=voided_charges(ahead),
                pending=None if last is None else pending_charges(voids.get((one, last.period.start), ())),
            )

        return [[state(contract, one) for one in contract.subscriptions] for contract in contracts]

    async def charging_invoices(self, paid: Collection[PaidSeats]) -> list[tuple[InvoiceId, InvoiceId]]:
        """Return the invoices that charge these billing periods, latest first, each with its origin.

        Its origin is the invoice whose lines name the subscriptions: itself, or the void one that it came from.
        """
        periods = [(one.subscription_id, one.period.start) for one in paid]
        named = tuple_(invoice_lines.c.subscription_id, invoice_lines.c.billing_period_start).in_(periods)
        first = (
            select(invoice_lines.c.invoice_id, invoice_lines.c.invoice_id.label("origin"))
            .distinct()
            .where(named)
            .cte("charging", recursive=True)
        )
        regenerated = select(invoices.c.invoice_id, first.c.origin).join(
            first, invoices.c.regenerated_from == first.c.invoice_id
        )
        charging = first.union_all(regenerated)
        rows = await self._connection.execute(select(charging).order_by(charging.c.invoice_id.desc()))
        return [(InvoiceId(row.invoice_id), InvoiceId(row.origin)) for row in rows]

    async def _seats_before_billed(self, ids: Collection[SubscriptionId]) -> dict[str, tuple[int, int]]:
        """Return the seats after the changes before `billed_from`, and how many of them are assigned.

        The seats are the last count, and what was added since.
        """
        before = (
            select(
                seat_changes.c.subscription_id,
                seat_changes.c.effective_time,
                seat_changes.c.sequence,
                seat_changes.c.quantity_delta,
                seat_changes.c.new_quantity,
                seat_changes.c.assigned_delta,
                subscriptions.c.initial_quantity,
            )
            .join(subscriptions, subscriptions.c.subscription_id == seat_changes.c.subscription_id)
            .where(seat_changes.c.subscription_id.in_(ids), _IS_BEFORE_BILLED, COUNTS)
            .cte("before")
        )
        counts = (
            select(
                before.c.subscription_id, before.c.effective_time, before.c.sequence, before.c.new_quantity
            )
            .ext(distinct_on(before.c.subscription_id))
            .where(before.c.new_quantity.is_not(None))
            .order_by(before.c.subscription_id, before.c.effective_time.desc(), before.c.sequence.desc())
            .subquery()
        )
        is_since = tuple_(before.c.effective_time, before.c.sequence) > tuple_(
            counts.c.effective_time, counts.c.sequence
        )
        added = func.sum(case((or_(counts.c.sequence.is_(None), is_since), before.c.quantity_delta), else_=0))
        opening = (
            select(
                before.c.subscription_id,
                (func.coalesce(counts.c.new_quantity, before.c.initial_quantity) + added).label("seats"),
                func.sum(before.c.assigned_delta).label("assigned"),
            )
            .outerjoin(counts, counts.c.subscription_id == before.c.subscription_id)
            .group_by(before.c.subscription_id, before.c.initial_quantity, counts.c.new_quantity)
        )
        rows = await self._connection.execute(opening)
        return {row.subscription_id: (int(row.seats), int(row.assigned)) for row in rows}

    async def _changes_since_billed(self, ids: Collection[SubscriptionId]) -> dict[str, list[SeatChange]]:
        since = (
            select(*CHANGE_COLUMNS)
            .join(subscriptions, subscriptions.c.subscription_id == seat_changes.c.subscription_id)
            .where(
                seat_changes.c.subscription_id.in_(ids),
                COUNTS,
                or_(
                    subscriptions.c.billed_from.is_(None),
                    seat_changes.c.effective_time >= subscriptions.c.billed_from,
                ),
            )
            .order_by(seat_changes.c.subscription_id, seat_changes.c.effective_time, seat_changes.c.sequence)
        )
        found: defaultdict[str, list[SeatChange]] = defaultdict(list)
        for row in await self._connection.execute(since):
            found[row.subscription_id].append(change_from_row(row))
        return found

    async def _last_billed(
        self, ids: Collection[SubscriptionId], voids: VoidsByPeriod
    ) -> dict[str, BilledPeriod]:
        last = and_(
            billed_periods.c.subscription_id == subscriptions.c.subscription_id,
            billed_periods.c.period_start == subscriptions.c.billed_from,
        )
        periods = select(*_PERIOD).join(subscriptions, last).where(subscriptions.c.subscription_id.in_(ids))
        charges: Select[Any] = (
            select(
                invoice_lines.c.subscription_id,
                *_CHARGE,
            )
            .join(
                subscriptions,
                and_(
                    invoice_lines.c.subscription_id == subscriptions.c.subscription_id,
                    invoice_lines.c.billing_period_start == subscriptions.c.billed_from,
                ),
            )
            .where(subscriptions.c.subscription_id.in_(ids))
            .order_by(invoice_lines.c.invoice_line_id)
        )
        lines: defaultdict[str, list[Row[Any]]] = defaultdict(list)
        for row in await self._connection.execute(charges):
            lines[row.subscription_id].append(row)
        rows = await self._connection.execute(periods)
        return {row.subscription_id: _billed_from_row(row, lines[row.subscription_id], voids) for row in rows}


def _billed_from_row(row: Row[Any], lines: Sequence[Row[Any]], voids: VoidsByPeriod) -> BilledPeriod:
    period = Period(row.period_start, row.period_end)
    of_period = voided_charges(voids.get((row.subscription_id, row.period_start), ()))
    billed = BilledPeriod(
        period=period,
        rate=_rate_from_row(row),
        charges=tuple(
            _charge_from_row(line, period)
            for line in lines
            if line.kind != InvoiceLineKind.PRICE_CORRECTION.value
        ),
        charged_micros=sum(line.total_micros for line in lines),
    )
    return with_voids(billed, of_period)


def _rate_from_row(row: Row[Any]) -> SeatPrice:
    if (stored := row.corrected_rate or row.tiered_rate) is not None:
        return decode_price(stored)
    return SeatRate(
        rate_id=row.rate_id,
        currency_code=row.currency_code,
        price=Ratio(row.price_micros, row.per_micros),
        effective_time=row.rate_effective_time,
        end_time=row.rate_end_time,
    )


def _charge_from_row(line: Row[Any], period: Period) -> Charge:
    # By the share that was charged: an earlier version stored a shorter span for seats that are not prorated.
    share = Fraction(line.share_numerator, line.share_denominator)
    return Charge(seats=line.quantity, span=paid_span(period, share, line.span_end))
