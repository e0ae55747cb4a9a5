# SPDX-License-Identifier: Apache-2.0
"""Decides calls in process, from leases. What no lease serves is left to the Ledger.

This is the path that takes microseconds: no task, no message, and few objects for a call.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from meshkit.ids import Ids
from meshkit.quantity import INT64_MAX, MICROS, Credits, Quantity
from purser_client.amounts import Amount, CreditsLike, QuantityLike, amount_of, group_values_of
from purser_client.answers import DebitResult
from purser_client.blocks import HoldBlock
from purser_client.file_spool import FileSpool
from purser_client.leases.block import LeasedBlock
from purser_client.leases.book import LeaseBook
from purser_client.leases.keeper import LeaseKeeper
from purser_client.leases.lease import cost_of
from purser_client.leases.policy import LeasePolicy
from purser_client.leases.spending import Spender
from purser_client.leases.unreported import Unreported
from purser_client.ledger_client import LedgerClient
from purser_client.lines import Line
from purser_client.reporting import Reporter
from purser_client.spool import Spool
from purser_client.wire import UsageRequest


class LeaseDesk:
    """Serves calls from the leases of a gate, and tells the keeper about those that it cannot serve.

    Any thread may call `block` and `debit`; the others run in the gate's loop. ttl_max: a hold that shall live longer
    is the Ledger's.
    """

    def __init__(self, book: LeaseBook, keeper: LeaseKeeper, spender: Spender, *, ttl_max: timedelta) -> None:
        self._book = book
        self._keeper = keeper
        self._spender = spender
        self._ttl_max = ttl_max

    def block(
        self,
        single: Callable[[], HoldBlock],
        *,
        customer: str,
        product: str | None = None,
        quantity: QuantityLike | None = None,
        credits: CreditsLike | None = None,
        lines: Sequence[Line] | None = None,
        user_id: str | None = None,
        group_values: Mapping[str, str] | None = None,
        ttl: timedelta | None = None,
        allow_partial: bool = False,
        deadline: timedelta | None = None,
    ) -> LeasedBlock | None:
        """Return a block that a lease is likely to serve. None: the Ledger must decide, by the block of `single`.

        Raises TypeError, ValueError for an amount or group values, as arguments.py does.
        """
        if product is None or lines is not None or allow_partial or (ttl is not None and ttl > self._ttl_max):
            return None
        who = _who(user_id, group_values)
        lease = self._book.find(customer, product, who)
        if lease is None:
            return None
        return LeasedBlock(self._spender, lease, _amount(quantity, credits), who, single)

    def debit(
        self,
        *,
        customer: str,
        product: str | None = None,
        quantity: QuantityLike | None = None,
        credits: CreditsLike | None = None,
        lines: Sequence[Line] | None = None,
        user_id: str | None = None,
        group_values: Mapping[str, str] | None = None,
    ) -> DebitResult | None:
        """Spend from a lease. None: the Ledger must decide. Raises as block."""
        if product is None or lines is not None:
            return None
        who = _who(user_id, group_values)
        lease = self._book.find(customer, product, who)
        if lease is None:
            return None
        amount = _amount(quantity, credits)
        cost = cost_of(lease, amount)
        use = self._spender.spend(lease, cost, amount, who)
        if use is None:
            return None
        return DebitResult(
            request_id=use.request_id,
            debited=Credits(cost),
            available=Credits(lease.terms.available_micros),
            credit_type_id=lease.credit_type_id,
            is_leased=True,
        )

    def note(self, usage: UsageRequest, spent: Credits, available: Credits) -> None:
        """Note a call that the Ledger allowed: where such calls are frequent, a lease is taken."""
        if usage.amount is None:
            return
        slot = self._book.note(
            usage.customer,
            usage.product_id,
            usage.group_values,
            micros=spent.micros,
            available_micros=available.micros,
        )
        if slot is not None:
            self._keeper.consider(slot)

    async def give_back(self, customer: str) -> bool:
        """Return what leases of this gate reserve for nobody, because the Ledger has denied a call of the customer."""
        return await self._keeper.give_back(customer)

    async def report(self) -> None:
        """Report all uses now."""
        await self._keeper.report()

    async def close(self) -> None:
        """Report everything, and end all leases."""
        await self._keeper.close()


def open_desk(
    client: LedgerClient,
    *,
    policy: LeasePolicy,
    ids: Ids,
    deadline: timedelta,
    reporter: Reporter | None,
    spool: Spool | None,
    fails_open: bool,
) -> LeaseDesk:
    """Return the leases of a gate that opens in the running loop. They learn from calls whom to lease for."""
    book = LeaseBook()
    journal = spool.use_journal() if isinstance(spool, FileSpool) else None
    unreported = Unreported(ids=ids, reporter=reporter, journal=journal)
    keeper = LeaseKeeper(book, client, policy=policy, ids=ids, deadline=deadline, unreported=unreported)
    spender = Spender(book, keeper, unreported, fails_open=fails_open)
    return LeaseDesk(book, keeper, spender, ttl_max=policy.ttl)


def _who(user_id: str | None, group_values: Mapping[str, str] | None) -> dict[str, str]:
    if group_values is None:
        return {} if user_id is None else {"user_id": user_id}
    return group_values_of(user_id, group_values)


def _amount(quantity: QuantityLike | None, credits: CreditsLike | None) -> Amount:
    if type(quantity) is int and credits is None and 0 < quantity <= INT64_MAX // MICROS:
        return Quantity(quantity * MICROS)  # what amount_of returns, in a tenth of the time
    return amount_of(quantity, credits)
