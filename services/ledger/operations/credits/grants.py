# SPDX-License-Identifier: Apache-2.0
"""IssueGrant, IssueTopUpGrant, VoidGrant, AdjustBalance: credits that no schedule issues, or that are taken back.

None of them reads other grants of the pool, unless something is due in it, or credits are taken from any grant.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from meshkit.clock import Clock
from meshkit.errors import FieldViolation, InvalidFields
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.credits import issuing
from services.ledger.domain.credits.commands import (
    AdjustBalance,
    AdjustedBalance,
    IssueGrant,
    VoidedGrant,
    VoidGrant,
)
from services.ledger.domain.credits.debt import payments, recover
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantId,
    GrantKind,
    GrantVoid,
)
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction

# That of a grant whose issuer names none.
ADJUSTMENT_PRIORITY = 100
NO_GRANTS: frozenset[GrantId] = frozenset()

Response = TypeVar("Response")


class Grants:
    """Issues grants, once per request and once per source, and voids them."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay

    async def issue(self, command: IssueGrant) -> Grant:
        """Add a grant that an operator asks for.

        Raises CustomerNotFound, GrantAlreadyExists, InvalidFields, RequestIdReused, SourceIdReserved, SourceIdReused.
        """
        return await self._issue(command, is_top_up=False)

    async def issue_top_up(self, command: IssueGrant) -> Grant:
        """Add the grant of a paid top-up, whose id is its source.

        Raises CustomerNotFound, GrantAlreadyExists, InvalidFields, RequestIdReused, SourceIdReused.
        """
        return await self._issue(command, is_top_up=True)

    async def _issue(self, command: IssueGrant, *, is_top_up: bool) -> Grant:
        at = self._clock.now()
        grant_id = GrantId(self._ids.new("grt"))

        async def work(tx: Transaction) -> Grant:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, Grant)) is not None:
                return first
            if not is_top_up:
                issuing.refuse_top_up_source(command)
            grant = _grant_of(command, grant_id, at)
            if command.source_id is not None:
                earlier = await tx.accounts.granted_for(customer_id, command.source_id)
                if earlier is not None:
                    # Perhaps by the same request, in parallel: it may have committed since the lookup above.
                    if (first := await tx.responses.find(customer_id, command, Grant)) is not None:
                        return first
                    issuing.refuse_known_source(command, *earlier)
            if is_top_up and await tx.debts.open_of(customer_id):
                grant = await self._issue_and_pay(tx, customer_id, command, grant, at)
            else:
                opened = await self._open_or_make(tx, customer_id, command.credit_type_id, at)
                account = issuing.issue_grant(opened.now, grant, cause_id=command.request_id, at=opened.at)
                await opened.save(tx, account)
            await tx.responses.store(customer_id, command, grant, at=at)
            return grant

        return await self._in_turn(command.customer, work)

    async def void(self, command: VoidGrant) -> VoidedGrant:
        """Void the rest of a grant. Raises CustomerNotFound, GrantNotFound, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> VoidedGrant:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, VoidedGrant)) is not None:
                return first
            credit_type_id = await tx.accounts.credit_type_of_grant(customer_id, command.grant_id)
            opened = await open_account(
                tx,
                customer_id,
                credit_type_id,
                at=at,
                ids=self._ids,
                only_grants=frozenset({command.grant_id}),
            )
            void = GrantVoid(time=opened.at, reason=command.reason, actor=command.actor)
            account, voided = issuing.void_grant(
                opened.now, command.grant_id, void, cause_id=command.request_id, at=opened.at
            )
            await opened.save(tx, account)
            response = VoidedGrant(
                credit_type_id=credit_type_id, grant=account.grants[command.grant_id], voided=voided
            )
            await tx.responses.store(customer_id, command, response, at=at)
            return response

        return await self._in_turn(command.customer, work)

    async def adjust(self, command: AdjustBalance) -> AdjustedBalance:
        """Add credits to a pool as a grant, or take some away.

        Raises CustomerNotFound, AdjustmentTooLarge, InvalidFields, RequestIdReused.
        """
        at = self._clock.now()
        grant_id = GrantId(self._ids.new("grt"))

        async def work(tx: Transaction) -> AdjustedBalance:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.responses.find(customer_id, command, AdjustedBalance)) is not None:
                return first
            if command.amount > Credits(0):
                grant = _grant_of_adjustment(command, grant_id, at)
                opened = await self._open_or_make(tx, customer_id, command.credit_type_id, at)
                account = issuing.issue_grant(opened.now, grant, cause_id=command.request_id, at=opened.at)
            else:
                opened = await open_account(tx, customer_id, command.credit_type_id, at=at, ids=self._ids)
                account = issuing.take_away(
                    opened.now, -command.amount, cause_id=command.request_id, at=opened.at
                )
            await opened.save(tx, account)
            added = grant_id if command.amount > Credits(0) else None
            await tx.accounts.insert_adjustment(customer_id, command, added, at=at)
            response = AdjustedBalance(adjusted=command.amount, grant_id=added)
            await tx.responses.store(customer_id, command, response, at=at)
            return response

        return await self._in_turn(command.customer, work)

    async def _in_turn(self, customer: str, work: Callable[[Transaction], Awaitable[Response]]) -> Response:
        """Run work after the customer's earlier commands, and deliver what it says."""
        response = await self._store.run(work, turn_of=customer)
        self._relay.wake()
        return response

    async def _issue_and_pay(
        self, tx: Transaction, customer_id: CustomerId, command: IssueGrant, grant: Grant, at: datetime
    ) -> Grant:
        """Issue a bought grant, of which a part pays what the customer owes in any of its pools."""
        await tx.accounts.make(customer_id, command.credit_type_id)
        await tx.accounts.lock_all(customer_id)
        debts = await tx.debts.open_of(customer_id)
        owing: dict[CreditTypeId, set[GrantId]] = {command.credit_type_id: set()}
        for one in debts:
            owing.setdefault(one.credit_type_id, set()).add(one.grant.grant_id)
        opened = {
            pool: await self._open_or_make(tx, customer_id, pool, at, only_grants=frozenset(grants))
            for pool, grants in sorted(owing.items())
        }
        accounts = {pool: one.now for pool, one in opened.items()}
        # Settling the pools may have returned something.
        debts = [replace(one, grant=accounts[one.credit_type_id].grants[one.grant.grant_id]) for one in debts]
        pays = payments(debts, grant, command.currency_code)
        new = command.credit_type_id
        accounts[new] = issuing.issue_grant(
            accounts[new], grant, cause_id=command.request_id, at=opened[new].at, pays=pays
        )
        entries = []
        for payment in pays:
            pool = payment.debt.credit_type_id
            accounts[pool], entry = recover(accounts[pool], payment, grant.grant_id, at=opened[pool].at)
            entries.append(entry)
        for pool, account in accounts.items():
            await opened[pool].save(tx, account)
        await tx.debts.insert(customer_id, entries)
        return accounts[new].grants[grant.grant_id]

    async def _open_or_make(
        self,
        tx: Transaction,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        at: datetime,
        only_grants: frozenset[GrantId] = NO_GRANTS,
    ) -> OpenAccount:
        """Open an account with these grants only; create the pool if there is none."""
        opened = await open_account(
            tx, customer_id, credit_type_id, at=at, ids=self._ids, only_grants=only_grants
        )
        if opened.before.version:
            return opened
        await tx.accounts.make(customer_id, credit_type_id)
        return await open_account(
            tx, customer_id, credit_type_id, at=at, ids=self._ids, only_grants=only_grants
        )


def _grant_of_adjustment(command: AdjustBalance, grant_id: GrantId, at: datetime) -> Grant:
    if command.expire_time is not None and command.expire_time <= at:
        raise InvalidFields([FieldViolation("expire_time", "must be in the future")])
    return Grant(
        grant_id=grant_id,
        kind=GrantKind.PROMOTIONAL,
        product_id=None,
        priority=ADJUSTMENT_PRIORITY,
        effective_time=at,
        expire_time=command.expire_time,
        create_time=at,
        granted=command.amount,
    )


def _grant_of(command: IssueGrant, grant_id: GrantId, at: datetime) -> Grant:
    # The lifetime of a top-up that arrives late may be over: then it is granted, and has expired.
    effective_time = command.effective_time or at
    if command.expire_time is not None and command.expire_time <= effective_time:
        raise InvalidFields([FieldViolation("expire_time", "must be after effective_time (absent: now)")])
    return Grant(
        grant_id=grant_id,
        kind=command.kind,
        product_id=command.product_id,
        priority=command.priority,
        effective_time=effective_time,
        expire_time=command.expire_time,
        create_time=at,
        granted=command.amount,
        cost_basis_micros=command.cost_basis_micros,
        scope_product_ids=command.scope_product_ids,
        source_id=command.source_id,
    )
