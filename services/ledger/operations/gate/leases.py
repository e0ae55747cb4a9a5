# SPDX-License-Identifier: Apache-2.0
"""Lease, SettleLease, EndLease: outside the gate's lane, because one of them stands for hundreds of its requests."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CustomerId, ProductId
from services.ledger.domain.credits.unit_of_work import Change, NewResponse
from services.ledger.domain.errors import LeaseNotFound, ProductNotFound, ProductNotLeasable
from services.ledger.domain.gate import leasing
from services.ledger.domain.gate.decision import Ask, DenialReason
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.lease import (
    LEASE_PREFIX,
    EndLease,
    Leased,
    LeaseEnded,
    LeaseSettled,
    LeaseTerms,
    SettleLease,
    TakeLease,
    UseResult,
    is_lease,
)
from services.ledger.domain.gate.lease_terms import entitlement_of, require_leasable, terms_of
from services.ledger.domain.gate.standing import CatalogCopies, CustomerRecord, PriceBook
from services.ledger.domain.responses import Response
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.operations.gate.lease_uses import UsedLease, new_response, record_uses
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction

C = TypeVar("C", TakeLease, SettleLease, EndLease)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LeaseAnswer:
    """What TakeLease answers. at: the time of the answer, from which the client counts."""

    leased: Leased
    terms: LeaseTerms
    at: datetime


@dataclass(frozen=True, slots=True)
class SettleAnswer:
    """What SettleLease answers. results: in the order of the uses."""

    results: tuple[UseResult, ...]
    settled: LeaseSettled
    terms: LeaseTerms
    at: datetime


@dataclass(frozen=True, slots=True)
class EndAnswer:
    """What EndLease answers. results: in the order of the uses."""

    results: tuple[UseResult, ...]
    ended: LeaseEnded


class Leases:
    """Takes, settles and ends leases. All methods also raise CustomerNotFound, ProductNotFound, RequestIdReused."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay
        self._copies = CatalogCopies()

    async def take(self, command: TakeLease) -> LeaseAnswer:
        """Reserve credits for many calls, or deny. Raises ProductNotLeasable."""
        return await self._run(command, self._take)

    async def settle(self, command: SettleLease) -> SettleAnswer:
        """Record uses, whatever has become of the lease, and renew it. Raises LeaseNotFound."""
        return await self._run(command, self._settle)

    async def end(self, command: EndLease) -> EndAnswer:
        """Record uses, whatever has become of the lease, and return what is left. Raises LeaseNotFound."""
        return await self._run(command, self._end)

    async def _run(self, command: C, work: Callable[[Transaction, C, datetime], Awaitable[T]]) -> T:
        at = self._clock.now()
        answer = await self._store.run(lambda tx: work(tx, command, at), turn_of=command.customer)
        self._relay.wake()
        return answer

    async def _take(self, tx: Transaction, command: TakeLease, at: datetime) -> LeaseAnswer:
        customer = await tx.standings.customer(command.customer)
        book = await self._book(tx, customer.customer_id, command.product_id)
        first = await tx.responses.find(customer.customer_id, command, Leased)
        if first is None and customer.is_suspended:
            return _denied(DenialReason.CUSTOMER_SUSPENDED, at)
        try:
            entitlement = entitlement_of(book, at)
        except ProductNotLeasable:
            if first is None:
                raise
            entitlement = None  # the lease goes on; only its prices are not stated any more
        if entitlement is None:
            return LeaseAnswer(first, LeaseTerms(), at) if first else _denied(DenialReason.NOT_ENTITLED, at)
        counted = book.product.counted(command.group_values)
        ask = Ask(
            product_id=command.product_id,
            entitlement=entitlement,
            amount=command.credits,
            group_values=command.group_values,
            counted_group_values=counted,
        )
        opened = await open_account(
            tx,
            customer.customer_id,
            entitlement.credit_type_id,
            at=at,
            ids=self._ids,
            group_values=counted.items(),
            prices=[entitlement.price],
        )
        terms = terms_of(opened.now, book, at)
        # A twin may have held the lock before us; what it did then stands in the way of this request.
        first = first or await tx.responses.find(customer.customer_id, command, Leased)
        if first is not None:
            return LeaseAnswer(first, terms, at)
        account, leased = leasing.take(
            opened.now,
            ask,
            lease_id=HoldId(self._ids.new(LEASE_PREFIX)),
            spend_until=opened.at + command.ttl,
            at=opened.at,
        )
        if leased.reason is None:
            await _save(tx, opened, account, [_response(opened, command, leased)])
        return LeaseAnswer(leased, terms, at)

    async def _settle(self, tx: Transaction, command: SettleLease, at: datetime) -> SettleAnswer:
        customer = await tx.standings.customer(command.customer)
        first = await tx.responses.find(customer.customer_id, command, LeaseSettled)
        used = await self._uses(tx, customer, command, at)
        account, lease, now = used.account, used.lease, used.opened.at
        settled = first
        if settled is None:
            if command.renewal is None:
                settled = leasing.settled(account, lease, at=now)
            else:
                ask = _renewal_ask(used, now)
                account, settled = leasing.renew(account, lease, ask, command.renewal, at=now)
            used.responses.append(_response(used.opened, command, settled))
        await _save(tx, used.opened, account, used.responses)
        terms = terms_of(account, used.book, at) if settled.leased else LeaseTerms()
        return SettleAnswer(used.results, settled, terms, at)

    async def _end(self, tx: Transaction, command: EndLease, at: datetime) -> EndAnswer:
        customer = await tx.standings.customer(command.customer)
        ended = await tx.responses.find(customer.customer_id, command, LeaseEnded)
        used = await self._uses(tx, customer, command, at)
        account = used.account
        if ended is None:
            account, ended = leasing.end(account, used.lease, at=used.opened.at)
            used.responses.append(_response(used.opened, command, ended))
        await _save(tx, used.opened, account, used.responses)
        return EndAnswer(used.results, ended)

    async def _uses(
        self, tx: Transaction, customer: CustomerRecord, command: SettleLease | EndLease, at: datetime
    ) -> UsedLease:
        places = await tx.accounts.places_of_holds([(customer.customer_id, command.lease_id)])
        place = places.get((customer.customer_id, command.lease_id))
        if place is None or not is_lease(command.lease_id):
            raise LeaseNotFound(lease_id=command.lease_id)
        book = await self._book(tx, customer.customer_id, place.product_ids[0])
        return await record_uses(
            tx, customer, book, command, credit_type_id=place.credit_type_id, at=at, ids=self._ids
        )

    async def _book(self, tx: Transaction, customer_id: CustomerId, product_id: ProductId) -> PriceBook:
        pair = (customer_id, product_id)
        books, self._copies = await tx.standings.price_books({pair}, self._copies)
        if pair not in books:
            raise ProductNotFound(product_id=product_id)
        return books[pair]


def _denied(reason: DenialReason, at: datetime) -> LeaseAnswer:
    return LeaseAnswer(Leased(reason=reason), LeaseTerms(), at)


def _renewal_ask(used: UsedLease, at: datetime) -> Ask | DenialReason:
    """Return what a renewal asks for, or why it is denied: a lease that could not be taken now is not renewed."""
    lease, book = used.lease, used.book
    if used.customer.is_suspended:
        return DenialReason.CUSTOMER_SUSPENDED
    try:
        entitlement = entitlement_of(book, at)
        if entitlement is None or entitlement.credit_type_id != used.account.credit_type_id:
            return DenialReason.NOT_ENTITLED
        ask = Ask(
            product_id=lease.product_id,
            entitlement=entitlement,
            amount=Credits(0),
            group_values=lease.group_values,
            counted_group_values=lease.counted_group_values,
        )
        require_leasable(used.account, ask, at)
    except ProductNotLeasable:
        return DenialReason.NOT_ENTITLED
    return ask


def _response(
    used: OpenAccount, command: TakeLease | SettleLease | EndLease, response: Response
) -> NewResponse:
    return new_response(used, command.request_id, command.fingerprint, response)


async def _save(
    tx: Transaction, opened: OpenAccount, account: Account, responses: Sequence[NewResponse]
) -> None:
    change = Change(opened.before, account, tuple(opened.schedules.values()))
    await tx.accounts.save_many([change], responses)
