# SPDX-License-Identifier: Apache-2.0
"""Spends leases: what blocks and debits do with them, written to the journal, with a report when one is due."""

from datetime import timedelta

from grpc import StatusCode

from meshkit.quantity import Credits, Quantity
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.amounts import Amount
from purser_client.answers import Denial
from purser_client.faults import GateUnreachable, LedgerFault, gate_closed_fault
from purser_client.leases.book import LeaseBook
from purser_client.leases.keeper import LeaseKeeper
from purser_client.leases.lease import Lease, Use
from purser_client.leases.unreported import Unreported
from purser_client.wire import denial_reason_from_wire


class Spender:
    """Spends leases of one gate. Any thread may call it; only `extend` needs the gate's loop.

    fails_open: a block may go on although the Ledger does not answer its extension.
    """

    __slots__ = ("_book", "_fails_open", "_keeper", "_unreported")

    def __init__(
        self, book: LeaseBook, keeper: LeaseKeeper, unreported: Unreported, *, fails_open: bool
    ) -> None:
        self._book = book
        self._keeper = keeper
        self._unreported = unreported
        self._fails_open = fails_open

    def reserve(self, lease: Lease, cost: int) -> bool:
        is_reserved = lease.reserve(cost, self._book.now())
        if lease.is_due():
            self._keeper.wake(lease)
        return is_reserved

    def release(self, lease: Lease, reserved: int) -> None:
        lease.release(reserved)

    def use(self, lease: Lease, reserved: int, cost: int, amount: Amount, who: dict[str, str]) -> Use:
        """End a block. Raises LedgerFault (GATE_CLOSED) if nobody would report its use any more."""
        if self._keeper.is_closed:
            raise gate_closed_fault()
        use = lease.use(reserved, cost, amount, who, self._book.now())
        self._after(lease, use)
        return use

    def spend(self, lease: Lease, cost: int, amount: Amount, who: dict[str, str]) -> Use | None:
        """Use at once; None: the lease cannot."""
        use = lease.spend(cost, amount, who, self._book.now())
        if use is not None:
            self._after(lease, use)
        elif lease.is_due():
            self._keeper.wake(lease)
        return use

    async def extend(self, lease: Lease, cost: int, deadline: timedelta) -> Denial | int:
        """Reserve more for an open block: from the lease, or else from the Ledger. Returns how much was reserved.

        That is `cost`, or 0 if the Ledger does not answer and the gate fails open: what is used is recorded in full,
        whether or not this part was reserved. Raises GateUnreachable unless the gate fails open, LedgerFault.
        """
        while not lease.hold_more(cost, self._book.now()):  # another call may take what a renewal has added
            try:
                answer = await self._keeper.add(lease, cost, deadline)
            except GateUnreachable:
                if self._fails_open:
                    return 0
                raise
            if answer is None:
                raise LedgerFault(
                    StatusCode.FAILED_PRECONDITION,
                    f"the lease {lease.lease_id} that this call was served from has ended",
                    reason="HOLD_EXPIRED",
                )
            if answer.decision == pb.DECISION_DENIED:
                return cost if lease.hold_more(cost, self._book.now()) else _denial(answer)
        return cost

    def _after(self, lease: Lease, use: Use) -> None:
        self._unreported.write(lease, use)
        if lease.is_due():
            self._keeper.wake(lease)


def _denial(answer: pb.SettleLeaseResponse) -> Denial:
    return Denial(
        reason=denial_reason_from_wire(answer.denial_reason),
        available=Credits(answer.available_micros),
        affordable=Quantity.zero(),
        affordable_credits=Credits(answer.available_micros),
        credit_type_id=answer.credit_type_id,
    )
