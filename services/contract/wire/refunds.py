# SPDX-License-Identifier: Apache-2.0
"""Refunds of top-ups on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands import RefundTopUp
from services.contract.domain.ids import TopUpId
from services.contract.domain.refunds import GrantCredits, RefundStatus, TopUpRefund
from services.contract.domain.top_up import TopUp
from services.contract.wire.top_ups import top_up_to_wire
from services.contract.wire.values import money, money_to_wire

_STATUSES: Final = {
    RefundStatus.PENDING: pb.TOP_UP_REFUND_STATUS_PENDING,
    RefundStatus.REFUSED: pb.TOP_UP_REFUND_STATUS_REFUSED,
    RefundStatus.DUE: pb.TOP_UP_REFUND_STATUS_DUE,
    RefundStatus.RETURNED: pb.TOP_UP_REFUND_STATUS_RETURNED,
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
    )
    fields.check()
    return command


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
    )


def _credits_to_wire(credits: GrantCredits) -> pb.RefundedCredits:
    return pb.RefundedCredits(
        granted_micros=credits.granted.micros,
        spent_micros=credits.spent.micros,
        held_micros=credits.held.micros,
        expired_micros=credits.expired.micros,
        voided_micros=credits.voided.micros,
    )
