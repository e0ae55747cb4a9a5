# SPDX-License-Identifier: Apache-2.0
"""Money that went back without us: asks the provider about payments whose refunds or disputes have changed.

Source: services/contract/README.md, "Money that goes back without us".
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from meshkit.errors import error_text
from services.contract.domain.ids import RefundId
from services.contract.domain.money_back import (
    FIRST_LOOK_BACK,
    LOOK_INTERVAL,
    LOOK_OVERLAP,
    MoneyBack,
    MoneyBackCheck,
    check_after,
    unknown,
)
from services.contract.domain.refunds import RefundStatus, money_gone
from services.contract.domain.top_up import TopUpStatus
from services.contract.operations.asking import ask_about_due
from services.contract.operations.billing.refund_credits import begin, close_dispute
from services.contract.operations.through_provider import ThroughProvider
from services.contract.store import Transaction

LEASE = timedelta(minutes=2)  # longer than any question to the provider
LOOK_LEASE = timedelta(minutes=30)

log = structlog.get_logger(__name__)


class MoneyBackChecks(ThroughProvider):
    """Turns refunds and disputes that we have not asked for into refunds. wall: when the provider is asked."""

    async def hint(self, provider_payment_id: str) -> bool:
        """Remember that something went back of a payment, which is asked about soon; False if it is unknown here."""
        async with self._store.transaction() as tx:
            return await tx.money_back.hint(provider_payment_id, at=self._wall.now())

    async def run_due(self) -> None:
        """Look through what went back lately if that is due, then ask about every payment that is."""
        if self._known_provider is None:
            return
        await self._look()
        await ask_about_due(self._lease_due, self._try_to_check)

    async def _look(self) -> None:
        """Hint at every payment of which something went back since the last look: its webhook may be lost."""
        now = self._wall.now()
        async with self._store.transaction() as tx:
            is_due, last = await tx.money_back.lease_look(at=now, until=now + LOOK_LEASE)
        if not is_due:
            return
        since = now - FIRST_LOOK_BACK if last is None else last - LOOK_OVERLAP
        try:
            async for provider_payment_id, back in self._provider.went_back_since(since):
                async with self._store.transaction() as tx:
                    known = (back.provider_refund_id, back.key)
                    await tx.money_back.hint(provider_payment_id, unless_known=back, at=now)
                    await tx.invoice_charges.hint_money_back(provider_payment_id, unless_known=known, at=now)
        except Exception as error:  # it is due again after its lease, or the interval
            log.warning("money_back_not_looked_through", error=error_text(error))
            async with self._store.transaction() as tx:
                await tx.money_back.looked(since=last or now - FIRST_LOOK_BACK, again=now + LOOK_INTERVAL)
            return
        async with self._store.transaction() as tx:
            await tx.money_back.looked(since=now, again=now + LOOK_INTERVAL)

    async def _lease_due(self, rows_max: int) -> Sequence[MoneyBackCheck]:
        now = self._wall.now()
        async with self._store.transaction() as tx:
            return await tx.money_back.lease_due(at=now, until=now + LEASE, rows_max=rows_max)

    async def _try_to_check(self, check: MoneyBackCheck) -> None:
        try:
            await self._check(check)
        except Exception as error:  # the others must not wait for it; it is due again after its lease
            log.warning("money_back_waits", top_up_id=check.top_up_id, error=error_text(error))

    async def _check(self, check: MoneyBackCheck) -> None:
        said = await self._provider.went_back(check.provider_payment_id)
        # One is recorded at a time, and the next one when the Ledger has answered.
        for _ in range(len(said) + 1):
            async with self._store.transaction() as tx:
                await tx.customers.lock_id(check.customer_id)
                has_begun = await self._follow(tx, check, said)
            await self._relay.deliver_now(check.customer_id)
            if not has_begun:
                break
        async with self._store.transaction() as tx:
            statuses = {one.status for one in await tx.refunds.of_top_up(check.top_up_id)}
            wait = check_after(statuses)
            await tx.money_back.done(check, again=None if wait is None else self._wall.now() + wait)

    async def _follow(self, tx: Transaction, check: MoneyBackCheck, said: Sequence[MoneyBack]) -> bool:
        """Record what became of disputes, and the first thing that is not known. Returns whether there was one."""
        at = self._clock.now()
        refunds = await tx.refunds.of_top_up(check.top_up_id)
        if any(one.status is RefundStatus.PENDING for one in refunds):
            return False
        outcomes = {one.provider_refund_id: one.dispute for one in said if one.dispute is not None}
        for one in refunds:
            outcome = outcomes.get(one.provider_refund_id)
            if one.status is RefundStatus.DISPUTED and outcome is not None:
                closed = await close_dispute(tx, one, outcome, at=at, ids=self._ids)
                if closed is not one:
                    await tx.due_records.returned(closed)
        top_up = await tx.top_ups.find(check.top_up_id)
        payment = await tx.payments.of_top_up(check.top_up_id)
        assert payment is not None
        if top_up.status is not TopUpStatus.PAID:
            return False
        for back in unknown(said, refunds, payment):
            if back.amount.currency_code != payment.amount.currency_code:
                log.error(
                    "money_back_in_other_currency",
                    top_up_id=top_up.top_up_id,
                    currency_code=back.amount.currency_code,
                )
                continue
            refund = money_gone(
                RefundId(self._ids.new("rfd")),
                top_up,
                back.amount,
                back.cause,
                back.provider_refund_id,
                at=at,
            )
            invoice = await tx.invoices.find(top_up.invoice_id)
            await begin(tx, refund, top_up, invoice, refunds)
            await tx.due_records.returned(refund)
            return True
        return False
