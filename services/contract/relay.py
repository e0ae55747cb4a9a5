# SPDX-License-Identifier: Apache-2.0
"""Delivers the notices of the outbox, each by the call of its kind."""

from typing import Final, assert_never

from meshkit.outbox import Notice
from services.contract.domain.events import VendorEvent
from services.contract.domain.notices import (
    ContractChanged,
    CustomerChanged,
    PlanChanged,
    SeatsChanged,
    TopUpLevelChanged,
    TopUpPaid,
    TopUpRefunded,
    TopUpRefundReversed,
)
from services.contract.operations.billing.plan_credits import PlanCredits
from services.contract.operations.billing.refund_credits import RefundCredits
from services.contract.operations.billing.void_credits import VoidCredits
from services.contract.operations.debts import Debts
from services.contract.peers import AlertPeer, LedgerPeer
from services.contract.store.formats import NOTICES

# A later seat change must not count before an earlier one: seats could fall below zero, and credits be granted for
# seats that are gone. All other kinds carry a whole state with a version, or an id.
ORDERED: Final = frozenset({NOTICES.of(SeatsChanged).name})


class Deliveries:
    """Delivers one notice at a time, for meshkit's relay. Raises if the Ledger or Alert did not accept it."""

    def __init__(
        self,
        ledger: LedgerPeer,
        alert: AlertPeer,
        plan_credits: PlanCredits,
        void_credits: VoidCredits,
        refund_credits: RefundCredits,
        debts: Debts,
    ) -> None:
        self._ledger = ledger
        self._alert = alert
        self._plan_credits = plan_credits
        self._void_credits = void_credits
        self._refund_credits = refund_credits
        self._debts = debts

    async def deliver(self, notice: Notice) -> None:
        payload, request_id = NOTICES.decode(notice.kind, notice.payload), notice.notice_id
        match payload:
            case CustomerChanged():
                await self._ledger.apply_customer(payload, request_id=request_id)
            case ContractChanged():
                await self._ledger.apply_contract(payload, request_id=request_id)
            case SeatsChanged(is_void=True):
                answer = await self._ledger.void_seat_change(payload, request_id=request_id)
                if payload.seat_void_id is not None and answer is not None:
                    await self._void_credits.settle(payload.seat_void_id, answer)
            case SeatsChanged():
                await self._ledger.apply_seat_change(payload, request_id=request_id)
            case TopUpPaid():
                await self._ledger.issue_grant(payload, request_id=request_id)
                await self._debts.look_again(payload.customer_id)
            case TopUpLevelChanged():
                await self._ledger.set_top_up_level(payload, request_id=request_id)
            case TopUpRefunded():
                refunded = await self._ledger.refund_grant(payload, request_id=request_id)
                await self._refund_credits.settle(payload.refund_id, refunded)
            case TopUpRefundReversed():
                await self._ledger.reverse_refund(payload, request_id=request_id)
                await self._debts.look_again(payload.customer_id)
            case PlanChanged():
                applied = await self._ledger.apply_plan_change(payload, request_id=request_id)
                await self._plan_credits.settle(
                    payload.plan_change_id, applied.unused, apply_time=applied.apply_time
                )
            case VendorEvent():
                await self._alert.publish_event(payload, request_id=request_id)
            case _:
                assert_never(payload)
