# SPDX-License-Identifier: Apache-2.0
"""The Ledger: notices, previews, and what was used."""

from collections.abc import Collection
from datetime import datetime

import grpc.aio

from meshkit.errors import AlreadyExists, NotFound
from meshkit.outbox import warn_if_ahead
from meshkit.period import Period
from meshkit.quantity import Credits, Money
from meshkit.rpc.fields import optional_timestamp, timestamp
from meshkit.rpc.status import faults_of
from purser.ledger.v1 import ledger_peer_pb2, ledger_peer_pb2_grpc
from services.contract.domain.commands.plan_changes import PlanAnswer, PlanPreview
from services.contract.domain.commands.seats import ScheduleCredits
from services.contract.domain.contract import Contract
from services.contract.domain.errors.catalog import PeerUnavailable
from services.contract.domain.ids import CreditTypeId, CustomerId, SubscriptionId
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
from services.contract.domain.refunds import GrantCredits, RefundAnswer
from services.contract.domain.seats.voids import VoidAnswer
from services.contract.domain.usage.progress import UsageAnswer, UsageProgress
from services.contract.peers.calls import calling, instant
from services.contract.peers.contract_messages import (
    INCLUDED_CREDITS,
    begun_to_wire,
    contract_to_wire,
    paid_to_wire,
    unused_from_wire,
)
from services.contract.peers.usage_messages import positions_to_wire, report_from_wire


class LedgerPeer:
    """Delivers notices to the Ledger; repeating one changes nothing. Raises grpc.aio.AioRpcError if a call fails."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ledger_peer_pb2_grpc.LedgerPeerServiceStub(channel)

    async def apply_customer(self, changed: CustomerChanged, *, request_id: str) -> None:
        async with calling("ledger"):
            answer = await self._stub.ApplyCustomer(
                ledger_peer_pb2.ApplyCustomerRequest(
                    request_id=request_id,
                    customer_id=changed.customer_id,
                    version=changed.version,
                    aliases=changed.aliases,
                    is_suspended=changed.is_suspended,
                )
            )
        sent, known = changed.version, answer.version
        warn_if_ahead("ledger", "CUSTOMER", changed.customer_id, sent=sent, known=known)

    async def apply_contract(self, changed: ContractChanged, *, request_id: str) -> None:
        request = contract_to_wire(changed)
        request.request_id = request_id
        async with calling("ledger"):
            answer = await self._stub.ApplyContract(request)
        sent, known = changed.version, answer.version
        warn_if_ahead("ledger", "CONTRACT", changed.contract_id, sent=sent, known=known)

    async def apply_seat_change(self, changed: SeatsChanged, *, request_id: str) -> None:
        async with calling("ledger"):
            await self._stub.ApplySeatChange(
                ledger_peer_pb2.ApplySeatChangeRequest(
                    request_id=request_id,
                    customer_id=changed.customer_id,
                    subscription_id=changed.subscription_id,
                    seat_change_id=changed.seat_change_id,
                    sequence=changed.sequence,
                    effective_time=timestamp(changed.effective_time),
                    quantity_delta=changed.quantity_delta if changed.new_quantity is None else 0,
                    new_quantity=changed.new_quantity,
                    accept_time=optional_timestamp(changed.accept_time),
                    assign_seat_ids=changed.names.assign,
                    unassign_seat_ids=changed.names.unassign,
                    transfers=[
                        ledger_peer_pb2.SeatTransfer(from_seat_id=one.from_seat_id, to_seat_id=one.to_seat_id)
                        for one in changed.names.transfers
                    ],
                )
            )

    async def void_seat_change(self, changed: SeatsChanged, *, request_id: str) -> VoidAnswer | None:
        """Tell a void; returns what was unused, None of a change that was to come. A repeated request gets the answer.

        Raises PeerUnavailable if the Ledger is of a version that does not answer it.
        """
        paid = changed.paid
        async with calling("ledger"):
            answer = await self._stub.VoidSeatChange(
                ledger_peer_pb2.VoidSeatChangeRequest(
                    request_id=request_id,
                    customer_id=changed.customer_id,
                    subscription_id=changed.subscription_id,
                    seat_change_id=changed.seat_change_id,
                    paid_period=None if paid is None else paid_to_wire(paid),
                )
            )
        if paid is None:
            return None
        if not answer.HasField("apply_time"):
            raise PeerUnavailable(peer="ledger", details="it does not answer voids of changes in effect yet")
        unused = unused_from_wire([answer.unused]) if answer.HasField("unused") else ()
        return VoidAnswer(
            unused=unused[0].share if unused else None,
            kept=tuple(Period(instant(one.start_time), instant(one.end_time)) for one in answer.kept),
            apply_time=instant(answer.apply_time),
        )

    async def apply_plan_change(self, changed: PlanChanged, *, request_id: str) -> PlanAnswer:
        """Tell a change of plan; returns what was unused. A repeated request gets the first answer."""
        request = ledger_peer_pb2.ApplyPlanChangeRequest(
            request_id=request_id,
            customer_id=changed.customer_id,
            ended=contract_to_wire(changed.ended),
            begun=begun_to_wire(changed),
            included_credits=INCLUDED_CREDITS[changed.included_credits],
            paid_periods=[paid_to_wire(one) for one in changed.paid],
        )
        async with calling("ledger"):
            answer = await self._stub.ApplyPlanChange(request)
        return PlanAnswer(unused=unused_from_wire(answer.unused), apply_time=instant(answer.apply_time))

    async def preview_plan_change(self, changed: PlanChanged) -> PlanPreview:
        """Return what a change of plan would do now. Raises PeerUnavailable."""
        begun = changed.begun
        assert begun is not None
        request = ledger_peer_pb2.PreviewPlanChangeRequest(
            customer_id=changed.customer_id,
            ended=contract_to_wire(changed.ended),
            begun=begun_to_wire(changed),
            included_credits=INCLUDED_CREDITS[changed.included_credits],
            paid_periods=[paid_to_wire(one) for one in changed.paid],
        )
        try:
            async with calling("ledger"):
                answer = await self._stub.PreviewPlanChange(request)
        except NotFound:
            raise PeerUnavailable(peer="ledger", details="it has not received this customer yet") from None
        granted = {one.grant_schedule_id: Credits(one.amount_micros) for one in answer.begun}
        return PlanPreview(
            unused=unused_from_wire(answer.unused),
            granted=tuple(
                granted.get(one.grant_schedule_id, Credits.zero()) for one in begun.grant_schedules
            ),
        )

    async def issue_grant(self, paid: TopUpPaid, *, request_id: str) -> None:
        request = ledger_peer_pb2.IssueTopUpGrantRequest(
            request_id=request_id,
            customer_id=paid.customer_id,
            top_up_id=paid.top_up_id,
            credit_type_id=paid.credit_type_id,
            product_id=paid.product_id,
            amount_micros=paid.amount.micros,
            cost_basis_micros=paid.cost_basis.micros,
            currency_code=paid.cost_basis.currency_code if paid.pays_debts else "",
            priority=paid.priority,
            effective_time=timestamp(paid.effective_time),
            expire_time=optional_timestamp(paid.expire_time),
        )
        try:
            with faults_of("ledger"):
                await self._stub.IssueTopUpGrant(request)
        except AlreadyExists as fault:
            # Delivered so long ago that the response is no longer stored. The grant exists.
            if fault.reason != "GRANT_ALREADY_EXISTS":
                raise

    async def set_top_up_level(self, changed: TopUpLevelChanged, *, request_id: str) -> None:
        async with calling("ledger"):
            answer = await self._stub.SetTopUpLevel(
                ledger_peer_pb2.SetTopUpLevelRequest(
                    request_id=request_id,
                    auto_top_up_id=changed.auto_top_up_id,
                    version=changed.version,
                    is_active=changed.is_active,
                    customer_id=changed.customer_id,
                    credit_type_id=changed.credit_type_id,
                    threshold_micros=changed.threshold.micros,
                )
            )
        sent, known = changed.version, answer.version
        warn_if_ahead("ledger", "WATCH", changed.auto_top_up_id, sent=sent, known=known)

    async def reverse_refund(self, back: TopUpRefundReversed, *, request_id: str) -> None:
        """Say that the money of a refund is back: the Ledger cancels what is owed, and gives back what it took."""
        async with calling("ledger"):
            await self._stub.ReverseRefund(
                ledger_peer_pb2.ReverseRefundRequest(
                    request_id=request_id,
                    customer_id=back.customer_id,
                    top_up_id=back.top_up_id,
                    refund_id=back.refund_id,
                )
            )

    async def refund_grant(self, refunded: TopUpRefunded, *, request_id: str) -> RefundAnswer:
        """Take back credits of a top-up; returns where its credits are. A repeated request gets the first answer."""
        least = refunded.voided_at_least
        async with calling("ledger"):
            answer = await self._stub.RefundGrant(
                ledger_peer_pb2.RefundGrantRequest(
                    request_id=request_id,
                    customer_id=refunded.customer_id,
                    top_up_id=refunded.top_up_id,
                    voided_at_least_micros=None if least is None else least.micros,
                    accept_debt=refunded.accept_debt,
                    refund_id=refunded.refund_id if refunded.accept_debt else "",
                    currency_code=refunded.currency_code if refunded.accept_debt else "",
                )
            )
        return RefundAnswer(
            credits=GrantCredits(
                granted=Credits(answer.granted_micros),
                spent=Credits(answer.spent_micros),
                held=Credits(answer.held_micros),
                expired=Credits(answer.expired_micros),
                voided=Credits(answer.voided_micros),
            ),
            is_refused=answer.is_refused,
            owed=Credits(answer.owed_micros),
            apply_time=instant(answer.apply_time),
        )

    async def owed(self, customer_id: CustomerId, currency_code: str) -> Money:
        """Return what a customer owes for credits whose money went back. Raises PeerUnavailable."""
        request = ledger_peer_pb2.GetOwedRequest(customer_id=customer_id, currency_code=currency_code)
        try:
            async with calling("ledger"):
                answer = await self._stub.GetOwed(request)
        except NotFound:
            raise PeerUnavailable(peer="ledger", details="it has not received this customer yet") from None
        return Money(currency_code, answer.owed_money_micros)

    async def preview_seat_change(
        self,
        *,
        customer_id: CustomerId,
        subscription_id: SubscriptionId,
        effective_time: datetime,
        quantity_delta: int,
        new_quantity: int | None,
    ) -> Collection[ScheduleCredits]:
        """Return the credits that a seat change would add. Raises PeerUnavailable."""
        request = ledger_peer_pb2.PreviewSeatChangeRequest(
            customer_id=customer_id,
            subscription_id=subscription_id,
            effective_time=timestamp(effective_time),
            quantity_delta=quantity_delta if new_quantity is None else 0,
            new_quantity=new_quantity,
        )
        try:
            async with calling("ledger"):
                answer = await self._stub.PreviewSeatChange(request)
        except NotFound:
            raise PeerUnavailable(peer="ledger", details="it has not received these seats yet") from None
        return [
            ScheduleCredits(
                grant_schedule_id=one.grant_schedule_id,
                credit_type_id=one.credit_type_id,
                amount=Credits(one.amount_micros),
            )
            for one in answer.credits
        ]

    async def contract_usage(
        self,
        contract: Contract,
        progress: UsageProgress,
        *,
        group_key: str,
        rows_max: int,
        positions_only: bool = False,
    ) -> UsageAnswer | None:
        """Return what a contract has used since the last answer, dated before the end of the open usage period.

        None: the Ledger has not received the customer's contract yet. positions_only: only where that usage begins.
        Raises PeerUnavailable.
        """
        request = ledger_peer_pb2.GetContractUsageRequest(
            customer_id=contract.customer_id,
            contract_id=contract.contract_id,
            covered=positions_to_wire(progress.closed),
            covered_time=timestamp(progress.closed_time),
            period_time=timestamp(progress.closed_time),
            after=positions_to_wire(progress.read),
            group_key=group_key,
            rows_max=rows_max,
            positions_only=positions_only,
        )
        try:
            async with calling("ledger"):
                answer = await self._stub.GetContractUsage(request)
        except NotFound:
            return None
        if not answer.HasField("end_time"):
            return None
        return UsageAnswer(
            period=Period(instant(answer.start_time), instant(answer.end_time)),
            positions={CreditTypeId(one.credit_type_id): one.sequence for one in answer.positions},
            report=report_from_wire(answer),
            has_more=answer.has_more,
        )
