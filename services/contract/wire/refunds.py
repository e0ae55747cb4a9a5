# SPDX-License-Identifier: Apache-2.0
"""Refunds of top-ups on the wire."""

from collections.abc import Mapping, Sequence
from typing import Final

from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.top_ups import RefundTopUp, ReportTopUpChargeback
from services.contract.domain.ids import TopUpId
from services.contract.domain.refunds import (
    DisputeOutcome,
    GrantCredits,
    RefundCause,
    RefundStatus,
    TopUpRefund,
)
from services.contract.domain.top_up import TopUp
from services.contract.wire.top_ups import top_up_to_wire
from services.contract.wire.values import money, money_to_wire

_STATUSES: Final = {
    RefundStatus.PENDING: pb.TOP_UP_REFUND_STATUS_PENDING,
    RefundStatus.REFUSED: pb.TOP_UP_REFUND_STATUS_REFUSED,
    RefundStatus.DUE: pb.TOP_UP_REFUND_STATUS_DUE,
    RefundStatus.RETURNED: pb.TOP_UP_REFUND_STATUS_RETURNED,
    RefundStatus.DISPUTED: pb.TOP_UP_REFUND_STATUS_DISPUTED,
    RefundStatus.REVERSED: pb.TOP_UP_REFUND_STATUS_REVERSED,
}
_CAUSES: Final = {
    RefundCause.REQUEST: pb.TOP_UP_REFUND_CAUSE_REQUEST,
    RefundCause.PROVIDER: pb.TOP_UP_REFUND_CAUSE_PROVIDER,
    RefundCause.CHARGEBACK: pb.TOP_UP_REFUND_CAUSE_CHARGEBACK,
}
_OUTCOMES: Final[Mapping[int, DisputeOutcome]] = {
    pb.DISPUTE_OUTCOME_OPENED: DisputeOutcome.OPENED,
    pb.DISPUTE_OUTCOME_WON: DisputeOutcome.WON,
    pb.DISPUTE_OUTCOME_LOST: DisputeOutcome.LOST,
}


def refund_from_wire(request: pb.RefundTopUpRequest) -> RefundTopUp:
    fields = Fields()
    has_amount = request.HasField("amount")
    command = RefundTopUp(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RefundTopUp", request),
        top_up_id=TopUpId(fields.text("top_up_id", request.top_up_id)),
        amount=money(fields, "amount", request.amount, True, minimum=1) if has_amount else None,
        reason=fields.text("reason", request.reason),
        accept_debt=request.accept_debt,
    )
    fields.check()
    return command


def chargeback_from_wire(request: pb.ReportTopUpChargebackRequest) -> ReportTopUpChargeback:
    fields = Fields()
    outcome = fields.choice("dispute_outcome", request.dispute_outcome, _OUTCOMES)
    is_opened = request.dispute_outcome == pb.DISPUTE_OUTCOME_OPENED
    has_amount = request.HasField("amount")
    if has_amount and not is_opened:
        fields.add("amount", "is for OPENED only")
    command = ReportTopUpChargeback(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ReportTopUpChargeback", request),
        top_up_id=TopUpId(fields.text("top_up_id", request.top_up_id)),
        chargeback_id=fields.text("chargeback_id", request.chargeback_id),
        amount=money(fields, "amount", request.amount, has_amount, minimum=1) if is_opened else None,
        outcome=outcome,
    )
    fields.check()
    return command


def chargeback_to_wire(refund: TopUpRefund) -> pb.ReportTopUpChargebackResponse:
    return pb.ReportTopUpChargebackResponse(refund=_refund_to_wire(refund))


def refund_to_wire(refund: TopUpRefund) -> pb.RefundTopUpResponse:
    return pb.RefundTopUpResponse(refund=_refund_to_wire(refund))


def get_to_wire(top_up: TopUp, refunds: Sequence[TopUpRefund]) -> pb.GetTopUpResponse:
    return pb.GetTopUpResponse(
        top_up=top_up_to_wire(top_up), refunds=[_refund_to_wire(one) for one in refunds]
    )


def _refund_to_wire(refund: TopUpRefund) -> pb.TopUpRefund:
    return pb.TopUpRefund(
        refund_id=refund.refund_id,
        top_up_id=refund.top_up_id,
        asked=None if refund.asked is None else money_to_wire(refund.asked),
        reason=refund.reason,
        status=_STATUSES[refund.status],
        amount=money_to_wire(refund.amount),
        credits=None if refund.credits is None else _credits_to_wire(refund.credits),
        refundable=None if refund.refundable is None else money_to_wire(refund.refundable),
        credit_note_id=refund.credit_note_id,
        create_time=timestamp(refund.create_time),
        apply_time=optional_timestamp(refund.apply_time),
        return_time=optional_timestamp(refund.return_time),
        accept_debt=refund.accept_debt,
        cause=_CAUSES[refund.cause],
        provider_refund_id=refund.provider_refund_id,
        owed_micros=refund.owed.micros,
    )


def _credits_to_wire(credits: GrantCredits) -> pb.RefundedCredits:
    return pb.RefundedCredits(
        granted_micros=credits.granted.micros,
        spent_micros=credits.spent.micros,
        held_micros=credits.held.micros,
        expired_micros=credits.expired.micros,
        voided_micros=credits.voided.micros,
    )
