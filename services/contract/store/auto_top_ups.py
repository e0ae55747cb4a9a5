# SPDX-License-Identifier: Apache-2.0
"""Statements about automatic top-ups and their orders. Whoever changes one has locked its customer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller
from meshkit.clock import Clock
from meshkit.quantity import Credits, Money
from services.contract.domain.auto_top_up import (
    AutoTopUp,
    AutoTopUpStatus,
    AutoTopUpTerms,
    Ordered,
    StopReason,
    day_start,
    month_start,
)
from services.contract.domain.errors.top_ups import AutoTopUpNotFound
from services.contract.domain.ids import (
    AutoTopUpId,
    ContractId,
    CreditTypeId,
    CustomerId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.top_up import PaymentGate, TopUp, TopUpStatus
from services.contract.tables import auto_top_up_orders, auto_top_ups, customers, top_ups

_COLUMNS: Final = tuple(column for column in auto_top_ups.c if column.name != "due_time")
# What counts for the monthly limit: what was paid, or may be.
_SPENT: Final = (TopUpStatus.PENDING_PAYMENT.value, TopUpStatus.PAID.value)


class StoredAutoTopUps:
    """wall: when steps are due; business time may stand still."""

    def __init__(self, connection: AsyncConnection, *, wall: Clock) -> None:
        self._connection = connection
        self._wall = wall

    async def insert(self, auto: AutoTopUp) -> None:
        await self._connection.execute(
            insert(auto_top_ups).values(
                auto_top_up_id=auto.auto_top_up_id,
                customer_id=auto.customer_id,
                credit_type_id=auto.credit_type_id,
                create_time=auto.create_time,
                **self._changing(auto),
            )
        )

    async def save(self, auto: AutoTopUp) -> None:
        """Store what may change; a step that is left to do is due at once."""
        await self._connection.execute(
            update(auto_top_ups)
            .where(auto_top_ups.c.auto_top_up_id == auto.auto_top_up_id)
            .values(**self._changing(auto))
        )

    async def find(self, auto_top_up_id: AutoTopUpId) -> AutoTopUp:
        """Raises AutoTopUpNotFound."""
        found = await self._first(auto_top_ups.c.auto_top_up_id == auto_top_up_id)
        if found is None or not current_caller().may_see(found.customer_id):
            raise AutoTopUpNotFound(auto_top_up_id=auto_top_up_id)
        return found

    async def of_pool(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> AutoTopUp | None:
        return await self._first(
            and_(auto_top_ups.c.customer_id == customer_id, auto_top_ups.c.credit_type_id == credit_type_id)
        )

    async def of_order(self, top_up_id: TopUpId) -> AutoTopUp | None:
        """Return the automatic top-up that waits for the payment of an order; None if none does."""
        return await self._first(auto_top_ups.c.top_up_id == top_up_id)

    async def of_customer(self, customer_id: CustomerId) -> Sequence[AutoTopUp]:
        """Return all of a customer, at most one for each credit type, in order of creation."""
        wanted = (
            select(*_COLUMNS)
            .where(auto_top_ups.c.customer_id == customer_id)
            .order_by(auto_top_ups.c.auto_top_up_id)
        )
        return [_from_row(row) for row in await self._connection.execute(wanted)]

    async def add_order(self, auto: AutoTopUp, top_up: TopUp) -> None:
        await self._connection.execute(
            insert(auto_top_up_orders).values(
                top_up_id=top_up.top_up_id,
                auto_top_up_id=auto.auto_top_up_id,
                create_time=top_up.create_time,
            )
        )

    async def ordered(self, auto: AutoTopUp, *, at: datetime) -> Ordered:
        """Return what was ordered in the month, and on the day, of an instant."""
        currency = auto.terms.monthly_limit.currency_code
        is_of_day = auto_top_up_orders.c.create_time >= day_start(at)
        is_spent = and_(top_ups.c.status.in_(_SPENT), top_ups.c.price_currency_code == currency)
        wanted = (
            select(
                func.coalesce(func.sum(top_ups.c.price_micros).filter(is_spent), 0).label("spent"),
                func.count().filter(is_of_day).label("orders"),
            )
            .join(top_ups, top_ups.c.top_up_id == auto_top_up_orders.c.top_up_id)
            .where(
                auto_top_up_orders.c.auto_top_up_id == auto.auto_top_up_id,
                auto_top_up_orders.c.create_time >= month_start(at),
            )
        )
        row = (await self._connection.execute(wanted)).one()
        return Ordered(spent=Money(currency, int(row.spent)), orders=row.orders)

    async def lease_due(self, *, at: datetime, until: datetime, rows_max: int) -> Sequence[AutoTopUp]:
        """Return those whose step is due, the longest waiting first; no other replica takes them before `until`."""
        due = (
            select(auto_top_ups.c.auto_top_up_id)
            .where(auto_top_ups.c.due_time <= at)
            .order_by(auto_top_ups.c.due_time)
            .limit(rows_max)
            .with_for_update(skip_locked=True)
        )
        leased = (
            update(auto_top_ups)
            .where(auto_top_ups.c.auto_top_up_id.in_(due.scalar_subquery()))
            .values(due_time=until)
            .returning(*_COLUMNS)
        )
        return [_from_row(row) for row in await self._connection.execute(leased)]

    async def unblockable(self, *, at: datetime, rows_max: int) -> Sequence[AutoTopUp]:
        """Return blocked ones whose reason has passed at an instant."""
        is_blocked = auto_top_ups.c.status == AutoTopUpStatus.BLOCKED.value
        is_resumed = and_(auto_top_ups.c.until_time.is_(None), customers.c.suspensions == [])
        wanted = (
            select(*_COLUMNS)
            .join(customers, customers.c.customer_id == auto_top_ups.c.customer_id)
            .where(is_blocked, or_(auto_top_ups.c.until_time <= at, is_resumed))
            .order_by(auto_top_ups.c.auto_top_up_id)
            .limit(rows_max)
        )
        return [_from_row(row) for row in await self._connection.execute(wanted)]

    async def _first(self, condition: Any) -> AutoTopUp | None:
        row = (await self._connection.execute(select(*_COLUMNS).where(condition))).first()
        return None if row is None else _from_row(row)

    def _changing(self, auto: AutoTopUp) -> dict[str, object]:
        return {"due_time": self._wall.now() if auto.has_step else None, **_to_row(auto)}


def _to_row(auto: AutoTopUp) -> dict[str, object]:
    terms = auto.terms
    return {
        "contract_id": terms.contract_id,
        "top_up_pack_id": terms.top_up_pack_id,
        "threshold_micros": terms.threshold.micros,
        "recharge_to_micros": terms.recharge_to.micros,
        "limit_currency_code": terms.monthly_limit.currency_code,
        "limit_micros": terms.monthly_limit.micros,
        "payment_gate": terms.payment_gate.value,
        "version": auto.version,
        "sequence": auto.sequence,
        "status": auto.status.value,
        "remaining_micros": None if auto.remaining is None else auto.remaining.micros,
        "top_up_id": auto.top_up_id,
        "is_charged": auto.is_charged,
        "stop_reason": None if auto.stop is None else auto.stop.value,
        "until_time": auto.until,
        "failures": auto.failures,
        "update_time": auto.update_time,
    }


def _from_row(row: Row[Any]) -> AutoTopUp:
    return AutoTopUp(
        auto_top_up_id=AutoTopUpId(row.auto_top_up_id),
        customer_id=CustomerId(row.customer_id),
        credit_type_id=CreditTypeId(row.credit_type_id),
        terms=AutoTopUpTerms(
            contract_id=ContractId(row.contract_id),
            top_up_pack_id=TopUpPackId(row.top_up_pack_id),
            threshold=Credits(row.threshold_micros),
            recharge_to=Credits(row.recharge_to_micros),
            monthly_limit=Money(row.limit_currency_code, row.limit_micros),
            payment_gate=PaymentGate(row.payment_gate),
        ),
        version=row.version,
        sequence=row.sequence,
        status=AutoTopUpStatus(row.status),
        remaining=None if row.remaining_micros is None else Credits(row.remaining_micros),
        top_up_id=None if row.top_up_id is None else TopUpId(row.top_up_id),
        is_charged=row.is_charged,
        stop=None if row.stop_reason is None else StopReason(row.stop_reason),
        until=row.until_time,
        failures=row.failures,
        create_time=row.create_time,
        update_time=row.update_time,
    )
