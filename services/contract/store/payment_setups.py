# SPDX-License-Identifier: Apache-2.0
"""Statements about setups of payment methods. Whoever changes one has locked it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from access import only_visible
from services.contract.domain.errors.payments import PaymentSetupNotFound
from services.contract.domain.ids import CustomerId
from services.contract.domain.payment_setups import ENDED, PaymentSetup, PaymentSetupId, SetupState
from services.contract.tables import payment_methods, payment_setups

_ENDED: Final = tuple(one.value for one in ENDED)


class StoredPaymentSetups:
    """due: when the provider is asked next, in wall time; None: not before a webhook comes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, setup: PaymentSetup, *, due: datetime) -> None:
        await self._connection.execute(
            insert(payment_setups).values(
                payment_setup_id=setup.payment_setup_id,
                customer_id=setup.customer_id,
                create_time=setup.create_time,
                due_time=due,
                **_changing(setup),
            )
        )

    async def save(self, setup: PaymentSetup, *, due: datetime | None) -> None:
        await self._connection.execute(
            update(payment_setups)
            .where(payment_setups.c.payment_setup_id == setup.payment_setup_id)
            .values(due_time=due, **_changing(setup))
        )

    async def find(self, payment_setup_id: PaymentSetupId) -> PaymentSetup:
        """Raises PaymentSetupNotFound."""
        wanted = select(payment_setups).where(payment_setups.c.payment_setup_id == payment_setup_id)
        row = (await self._connection.execute(only_visible(wanted, payment_setups.c.customer_id))).first()
        if row is None:
            raise PaymentSetupNotFound(payment_setup_id=payment_setup_id)
        return _from_row(row)

    async def lock(self, payment_setup_id: PaymentSetupId) -> PaymentSetup:
        wanted = select(payment_setups).where(payment_setups.c.payment_setup_id == payment_setup_id)
        return _from_row((await self._connection.execute(wanted.with_for_update())).one())

    async def provider_customer_of(self, customer_id: CustomerId) -> str:
        """Return the customer at the provider, as the saved method or the latest setup knows it; or an empty text."""
        saved = select(payment_methods.c.provider_customer_id).where(
            payment_methods.c.customer_id == customer_id
        )
        begun = (
            select(payment_setups.c.provider_customer_id)
            .where(payment_setups.c.customer_id == customer_id, payment_setups.c.provider_customer_id != "")
            .order_by(payment_setups.c.payment_setup_id.desc())
            .limit(1)
        )
        for wanted in (saved, begun):
            known = (await self._connection.execute(wanted)).scalar_one_or_none()
            if known is not None:
                return str(known)
        return ""

    async def hint(self, provider_setup_id: str, *, at: datetime) -> bool:
        """Make a setup due, unless it has ended; False if there is none of this id."""
        known = (
            await self._connection.execute(
                select(payment_setups.c.payment_setup_id).where(
                    payment_setups.c.provider_setup_id == provider_setup_id
                )
            )
        ).first()
        if known is None:
            return False
        await self._connection.execute(
            update(payment_setups)
            .where(
                payment_setups.c.payment_setup_id == known.payment_setup_id,
                payment_setups.c.state.not_in(_ENDED),
            )
            .values(checks=0, due_time=at)
        )
        return True

    async def lease_due(self, *, at: datetime, until: datetime, rows_max: int) -> Sequence[PaymentSetup]:
        """Return setups that are due, the longest waiting first; no other replica takes them before `until`."""
        due = (
            select(payment_setups.c.payment_setup_id)
            .where(payment_setups.c.due_time <= at)
            .order_by(payment_setups.c.due_time)
            .limit(rows_max)
            .with_for_update(skip_locked=True)
        )
        leased = (
            update(payment_setups)
            .where(payment_setups.c.payment_setup_id.in_(due.scalar_subquery()))
            .values(due_time=until, checks=payment_setups.c.checks + 1)
            .returning(*payment_setups.c)
        )
        return [_from_row(row) for row in await self._connection.execute(leased)]


def _changing(setup: PaymentSetup) -> dict[str, object]:
    return {
        "provider_customer_id": setup.provider_customer_id,
        "provider_setup_id": setup.provider_setup_id,
        "state": setup.state.value,
        "checks": setup.checks,
    }


def _from_row(row: Row[Any]) -> PaymentSetup:
    return PaymentSetup(
        payment_setup_id=PaymentSetupId(row.payment_setup_id),
        customer_id=CustomerId(row.customer_id),
        provider_customer_id=row.provider_customer_id,
        provider_setup_id=row.provider_setup_id,
        state=SetupState(row.state),
        checks=row.checks,
        create_time=row.create_time,
    )
