# SPDX-License-Identifier: Apache-2.0
"""RefundGrant, ReverseRefund, ListDebts: credits of top-ups whose money goes back, and what is owed of them."""

from collections.abc import Sequence
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from meshkit.quantity import Credits
from services.ledger.domain.credits.debt import Debt, DebtEntry, owed_money, reverse
from services.ledger.domain.credits.grant import CustomerId, Grant, GrantId
from services.ledger.domain.credits.refund import (
    GrantRefunded,
    RefundGrant,
    RefundReversed,
    ReverseRefund,
    refund_grant,
)
from services.ledger.domain.errors import RefundIdReused, RefundUnknown, TopUpNotGranted
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction


class Refunds:
    """Decides under the pool's lock how much of a grant is unspent. Source: services/ledger/README.md, "Refunds"."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay

    async def refund(self, command: RefundGrant) -> GrantRefunded:
        """Void credits of a top-up's grant; returns where they are. A repeated request gets the stored response.

        Raises CustomerNotFound, RequestIdReused, TopUpNotGranted, RefundIdReused.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> GrantRefunded:
            customer_id = await tx.standings.customer_id(command.customer_id)
            if (first := await tx.responses.find(customer_id, command, GrantRefunded)) is not None:
                return first
            grant, opened = await self._open(tx, customer_id, command.top_up_id, at)
            history = await tx.debts.history(customer_id, grant.grant_id)
            account, entry, refunded = refund_grant(
                opened.now, grant.grant_id, command, history, at=opened.at
            )
            if entry is not None:
                await _require_unused(tx, customer_id, command.refund_id)
            await opened.save(tx, account)
            if entry is not None:
                await tx.debts.insert(customer_id, [entry])
            await tx.responses.store(customer_id, command, refunded, at=at)
            return refunded

        refunded = await self._store.run(work, turn_of=command.customer_id)
        self._relay.wake()
        return refunded

    async def reverse(self, command: ReverseRefund) -> RefundReversed:
        """Undo a refund that accepted a debt, once, because its money is back.

        Raises CustomerNotFound, RequestIdReused, TopUpNotGranted, RefundUnknown.
        """
        at = self._clock.now()
        new_grant_id = GrantId(self._ids.new("grt"))

        async def work(tx: Transaction) -> RefundReversed:
            customer_id = await tx.standings.customer_id(command.customer_id)
            if (first := await tx.responses.find(customer_id, command, RefundReversed)) is not None:
                return first
            grant, opened = await self._open(tx, customer_id, command.top_up_id, at)
            history = await tx.debts.history(customer_id, grant.grant_id)
            entry = history.reversal(command.refund_id)
            if entry is None:
                refund = history.refund(command.refund_id)
                if refund is None:
                    raise RefundUnknown(refund_id=command.refund_id)
                account, entry = reverse(
                    opened.now,
                    grant.grant_id,
                    refund,
                    history,
                    new_grant_id=new_grant_id,
                    cause_id=command.request_id,
                    at=opened.at,
                )
                await opened.save(tx, account)
                await tx.debts.insert(customer_id, [entry])
            response = _reversed(entry)
            await tx.responses.store(customer_id, command, response, at=at)
            return response

        response = await self._store.run(work, turn_of=command.customer_id)
        self._relay.wake()
        return response

    async def debts(
        self, customer: str, page: Page
    ) -> tuple[Sequence[Debt], Sequence[tuple[str, DebtEntry]]]:
        """Return what is owed, and a page of entries with one row more if there is one. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> tuple[Sequence[Debt], Sequence[tuple[str, DebtEntry]]]:
            customer_id = await tx.standings.customer_id(customer)
            return await tx.debts.open_of(customer_id), await tx.debts.listed(customer_id, page)

        return await self._store.read(work)

    async def owed(self, customer_id: CustomerId, currency_code: str) -> int:
        """Return what a customer owes in a currency, in money × 10^6, rounded up. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> int:
            known = await tx.standings.customer_id(customer_id)
            return owed_money(await tx.debts.open_of(known), currency_code)

        return await self._store.read(work)

    async def _open(
        self, tx: Transaction, customer_id: CustomerId, top_up_id: str, at: datetime
    ) -> tuple[Grant, OpenAccount]:
        """Open the account of a top-up's grant with only this grant. Raises TopUpNotGranted."""
        found = await tx.accounts.granted_for(customer_id, top_up_id)
        if found is None:
            raise TopUpNotGranted(top_up_id=top_up_id)
        grant, credit_type_id = found
        opened = await open_account(
            tx, customer_id, credit_type_id, at=at, ids=self._ids, only_grants=frozenset({grant.grant_id})
        )
        return grant, opened


async def _require_unused(tx: Transaction, customer_id: CustomerId, refund_id: str) -> None:
    """Raise RefundIdReused if a refund of another grant has this id."""
    grant_id = await tx.debts.refunded_grant(customer_id, refund_id)
    if grant_id is not None:
        raise RefundIdReused(refund_id=refund_id, grant_id=grant_id)


def _reversed(entry: DebtEntry) -> RefundReversed:
    is_granted = entry.other_grant_id is not None
    return RefundReversed(
        cancelled=-entry.to_void,
        grant_id=entry.other_grant_id,
        granted=entry.given_back - entry.taken if is_granted else Credits(0),
        apply_time=entry.create_time,
    )
