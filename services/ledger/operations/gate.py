# SPDX-License-Identifier: Apache-2.0
"""Authorize, Capture, Release, ExtendHold, Debit: load, decide (domain/gate), save."""

from datetime import datetime
from typing import TypeVar

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.ledger.domain import gate
from services.ledger.domain.account import Account
from services.ledger.domain.commands import Authorize, Capture, Debit, ExtendHold, Release
from services.ledger.domain.gate import Ask, Authorized, Captured, Debited, DenialReason, Extended, Released
from services.ledger.domain.grant import CustomerId
from services.ledger.domain.hold import Hold, HoldId, HoldState
from services.ledger.domain.standing import ask_of
from services.ledger.operations.ports import Bell, Command, Store, Transaction
from services.ledger.operations.settling import Opened, open_account

T = TypeVar("T")


class Gate:
    """Decides before every AI call whether the credits are there. Asks no other service."""

    def __init__(self, *, store: Store, clock: Clock, ids: Ids, bell: Bell) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._bell = bell

    async def authorize(self, command: Authorize) -> Authorized:
        """Hold credits, or deny. Raises CustomerNotFound, ProductNotFound, RequestIdReused."""
        at = self._clock.now()
        hold_id = HoldId(self._ids.new("hld"))

        async def work(tx: Transaction) -> Authorized:
            standing = await tx.standings.of(command.customer, command.product_id, at=at)
            customer_id = standing.customer_id
            if (first := await tx.answers.replay(customer_id, command, Authorized)) is not None:
                return first
            ask = ask_of(standing, command.amount, command.group_values)
            if isinstance(ask, DenialReason):
                return Authorized(reason=ask)
            opened = await self._open_for(tx, customer_id, ask, at)
            after, answer = gate.authorize(
                opened.now,
                ask,
                hold_id=hold_id,
                expire_time=at + command.hold_ttl,
                allows_part=command.allow_partial,
                at=at,
            )
            if answer.reason is not None:
                return await _twins_answer(tx, customer_id, command, Authorized) or answer
            await opened.save(tx, after)
            await tx.answers.remember(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work)

    async def debit(self, command: Debit) -> Debited:
        """Spend credits at once, or deny. Raises CustomerNotFound, ProductNotFound, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> tuple[Account | None, Debited]:
            standing = await tx.standings.of(command.customer, command.product_id, at=at)
            customer_id = standing.customer_id
            if (first := await tx.answers.replay(customer_id, command, Debited)) is not None:
                return None, first
            ask = ask_of(standing, command.amount, command.group_values)
            if isinstance(ask, DenialReason):
                return None, Debited(reason=ask)
            opened = await self._open_for(tx, customer_id, ask, at)
            after, answer = gate.debit(opened.now, ask, cause_id=command.request_id, at=at)
            if answer.reason is not None:
                return None, await _twins_answer(tx, customer_id, command, Debited) or answer
            await opened.save(tx, after)
            await tx.answers.remember(customer_id, command, answer, at=at)
            return after, answer

        after, answer = await self._store.run(work)
        self._ring(after)
        return answer

    async def capture(self, command: Capture) -> Captured:
        """Turn a hold into spend. Raises CustomerNotFound, HoldNotFound, HoldAlreadyResolved, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> tuple[Account | None, Captured]:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.answers.replay(customer_id, command, Captured)) is not None:
                return None, first
            opened, hold = await self._open_hold(tx, customer_id, command.hold_id, at)
            if hold.state is not HoldState.HELD and (
                first := await _twins_answer(tx, customer_id, command, Captured)
            ):
                return None, first
            after, answer = gate.capture(opened.now, hold, command.actual, cause_id=command.request_id, at=at)
            await opened.save(tx, after)
            await tx.answers.remember(customer_id, command, answer, at=at)
            return after, answer

        after, answer = await self._store.run(work)
        self._ring(after)
        return answer

    async def release(self, command: Release) -> Released:
        """Give a hold back. Raises CustomerNotFound, HoldNotFound, HoldAlreadyResolved, RequestIdReused."""
        at = self._clock.now()

        async def work(tx: Transaction) -> Released:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.answers.replay(customer_id, command, Released)) is not None:
                return first
            opened, hold = await self._open_hold(tx, customer_id, command.hold_id, at)
            if hold.state is not HoldState.HELD and (
                first := await _twins_answer(tx, customer_id, command, Released)
            ):
                return first
            after, answer = gate.release(opened.now, hold, at=at)
            await opened.save(tx, after)
            await tx.answers.remember(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work)

    async def extend_hold(self, command: ExtendHold) -> Extended:
        """Lengthen or raise a hold, or deny. Raises as release does, and HoldExpired, ProductNotFound."""
        at = self._clock.now()
        expire_time = None if command.hold_ttl is None else at + command.hold_ttl

        async def work(tx: Transaction) -> Extended:
            customer_id = await tx.standings.customer_id(command.customer)
            if (first := await tx.answers.replay(customer_id, command, Extended)) is not None:
                return first
            opened, hold = await self._open_hold(tx, customer_id, command.hold_id, at)
            ask = None
            if command.additional is not None:
                standing = await tx.standings.of(customer_id, hold.product_id, at=at)
                told = ask_of(standing, command.additional, hold.group_values)
                if isinstance(told, DenialReason):
                    return gate.extension_denied(opened.now, hold, told, at=at)
                ask = gate.at_price_of(told, hold)
            after, answer = gate.extend(opened.now, hold, ask, expire_time=expire_time, at=at)
            if answer.reason is not None:
                return await _twins_answer(tx, customer_id, command, Extended) or answer
            await opened.save(tx, after)
            await tx.answers.remember(customer_id, command, answer, at=at)
            return answer

        return await self._store.run(work)

    async def _open_for(self, tx: Transaction, customer_id: CustomerId, ask: Ask, at: datetime) -> Opened:
        return await open_account(
            tx,
            customer_id,
            ask.entitlement.credit_type_id,
            at=at,
            ids=self._ids,
            group_values=ask.counted_group_values.items(),
        )

    async def _open_hold(
        self, tx: Transaction, customer_id: CustomerId, hold_id: HoldId, at: datetime
    ) -> tuple[Opened, Hold]:
        credit_type_id = await tx.accounts.credit_type_of_hold(customer_id, hold_id)
        opened = await open_account(tx, customer_id, credit_type_id, at=at, ids=self._ids, hold_id=hold_id)
        return opened, opened.now.holds[hold_id]

    def _ring(self, after: Account | None) -> None:
        if after is not None and after.crossings:
            self._bell.wake()


async def _twins_answer(
    tx: Transaction, customer_id: CustomerId, command: Command, answer_type: type[T]
) -> T | None:
    """Look for a first answer again, under the pool's lock, before anything is refused.

    A twin of this request may have been ahead in the queue for the lock: then what stands in the way is its work.
    """
    return await tx.answers.replay(customer_id, command, answer_type)
