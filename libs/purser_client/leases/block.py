# SPDX-License-Identifier: Apache-2.0
"""A block that a lease serves: entered and left without a call. If the lease cannot serve it, the Ledger decides."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from meshkit.quantity import Credits, Quantity
from purser_client.amounts import Amount
from purser_client.answers import CaptureResult, Denial, LedgerHold
from purser_client.blocks import HoldBlock
from purser_client.faults import Denied, PurserError
from purser_client.hold import Hold
from purser_client.leases.lease import Lease, cost_of
from purser_client.leases.spending import Spender
from purser_client.spool import log

NOTHING: Final = Credits(0)


class LeasedBlock:
    """One authorized block. It is also what its hold asks of the lease.

    single: makes the block that asks the Ledger, for when the lease cannot serve this one after all.
    """

    __slots__ = (
        "_amount",
        "_asked",
        "_cost",
        "_hold",
        "_is_entered",
        "_is_mixed",
        "_lease",
        "_reserved",
        "_single",
        "_spender",
        "_who",
    )

    def __init__(
        self,
        spender: Spender,
        lease: Lease,
        amount: Amount,
        who: dict[str, str],
        single: Callable[[], HoldBlock],
    ) -> None:
        self._spender = spender
        self._lease = lease
        self._amount = amount
        self._who = who
        self._single: Callable[[], HoldBlock] | HoldBlock = single
        self._asked = 0  # what all that was asked for costs; a gate that fails open may have reserved less
        self._reserved = 0
        self._cost: int | None = None  # of what was used
        self._hold: Hold | None = None
        self._is_entered = False
        self._is_mixed = False  # it was extended in the other measure: credits alone count all of it

    def enter_now(self) -> Hold | None:
        """Return the hold, if the lease serves it."""
        if self._is_entered:
            raise RuntimeError("this block was entered before; call authorize(…) for each AI call")
        self._is_entered = True
        cost = cost_of(self._lease, self._amount)
        if not self._spender.reserve(self._lease, cost):
            return None
        self._asked = self._reserved = cost
        hold = self._hold = Hold(
            customer=self._lease.customer, requested=self._amount, ledger_hold=None, leased=self
        )
        return hold

    async def enter(self) -> Hold | Denial:
        """Return the hold, or the Ledger's denial; `enter_now` may have found that the lease cannot serve."""
        hold = None if self._is_entered and self._hold is None else self.enter_now()
        return hold or await self._single_block().enter()

    async def enter_or_raise(self) -> Hold:
        """Return the hold. Raises Denied."""
        answer = await self.enter()
        if isinstance(answer, Denial):
            raise Denied(answer)
        return answer

    def leave_now(self, error: BaseException | None) -> bool:
        """End the block, if the lease serves it. Raises LedgerFault (GATE_CLOSED)."""
        hold = self._hold
        if hold is None:
            return False
        hold.end()
        actual = hold.actual
        amount = None
        if actual is not None:
            amount = self._whole() if actual.amount is None else actual.amount
        if amount is None or not amount.micros:
            self._cost = None if amount is None else 0
            self._spender.release(self._lease, self._reserved)
            return True
        cost = cost_of(self._lease, amount)
        try:
            self._spender.use(self._lease, self._reserved, cost, amount, self._who)
        except PurserError as failure:
            if error is None:
                raise
            note = f"and what was used could not be captured: {failure}"
            error.add_note(note)
            log.error("lease %s of %s: %s", self._lease.lease_id, hold.customer, note)
            return True
        self._cost = cost
        hold.is_recorded = True
        return True

    async def leave(self, error: BaseException | None) -> None:
        if not self.leave_now(error):
            await self._single_block().leave(error)

    def ledger_hold(self) -> LedgerHold:
        lease, requested = self._lease, self._amount
        return LedgerHold(
            hold_id=lease.lease_id,
            credits=Credits(self._reserved),
            quantity=requested if isinstance(requested, Quantity) else Quantity(0),
            credit_type_id=lease.credit_type_id,
            available=Credits(lease.terms.available_micros),
            expire_time=lease.terms.expire_time,
        )

    def capture_result(self) -> CaptureResult | None:
        if self._cost is None:
            return None
        return CaptureResult(
            captured=Credits(self._cost),
            released=Credits(max(0, self._reserved - self._cost)),
            shortfall=NOTHING,
            is_late=False,
            credit_type_id=self._lease.credit_type_id,
            available=Credits(self._lease.terms.available_micros),
        )

    async def extend(self, additional: Amount | None, deadline: timedelta) -> Denial | None:
        """Reserve more. A longer life needs nothing: the lease is renewed as long as the block is open."""
        if additional is None:
            return None
        cost = cost_of(self._lease, additional)
        answer = await self._spender.extend(self._lease, cost, deadline)
        if isinstance(answer, Denial):
            return answer
        self._asked += cost
        self._reserved += answer
        if type(additional) is type(self._amount):
            self._amount = self._amount + additional  # type: ignore[operator]
        else:
            self._is_mixed = True
        return None

    def _whole(self) -> Amount:
        """Return what a capture without an amount captures: everything that was asked for."""
        return Credits(self._asked) if self._is_mixed else self._amount

    def _single_block(self) -> HoldBlock:
        if not isinstance(self._single, HoldBlock):
            self._single = self._single()
        return self._single
