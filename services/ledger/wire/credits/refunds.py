# SPDX-License-Identifier: Apache-2.0
"""Refunds of top-ups, from Contract."""

from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.credits.refund import GrantRefunded, RefundGrant
from services.ledger.domain.gate.decision import CREDITS_MAX
from services.ledger.wire.copies.values import customer_id_from_wire


def refund_from_wire(request: pb.RefundGrantRequest) -> RefundGrant:
    fields = Fields()
    has_least = request.HasField("voided_at_least_micros")
    least = request.voided_at_least_micros
    maximum = CREDITS_MAX.micros
    command = RefundGrant(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RefundGrant", request),
        customer_id=customer_id_from_wire(fields, request.customer_id),
        top_up_id=fields.text("top_up_id", request.top_up_id),
        voided_at_least=Credits(fields.micros("voided_at_least_micros", least, maximum=maximum))
        if has_least
        else None,
    )
    fields.check()
    return command


def refund_to_wire(refunded: GrantRefunded) -> pb.RefundGrantResponse:
    return pb.RefundGrantResponse(
        granted_micros=refunded.granted.micros,
        spent_micros=refunded.spent.micros,
        held_micros=refunded.held.micros,
        expired_micros=refunded.expired.micros,
        voided_micros=refunded.voided.micros,
        is_refused=refunded.is_refused,
        apply_time=timestamp(refunded.apply_time),
    )
