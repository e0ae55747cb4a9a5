# SPDX-License-Identifier: Apache-2.0
"""ReleaseHold on the wire."""

from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import ledger_admin_pb2 as pb
from services.ledger.domain.gate.commands import ReleaseHold
from services.ledger.domain.gate.decision import Released
from services.ledger.domain.gate.hold import HoldId
from services.ledger.wire.amounts import total_to_wire


def release_from_wire(request: pb.ReleaseHoldRequest) -> ReleaseHold:
    fields = Fields()
    command = ReleaseHold(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ReleaseHold", request),
        customer=fields.text("customer", request.customer),
        hold_id=HoldId(fields.text("hold_id", request.hold_id)),
        reason=fields.text("reason", request.reason),
        actor=fields.text("actor", request.actor),
    )
    fields.check()
    return command


def release_to_wire(answer: Released) -> pb.ReleaseHoldResponse:
    return pb.ReleaseHoldResponse(
        released_micros=answer.released.micros,
        credit_type_id=answer.credit_type_id,
        available_micros=total_to_wire(answer.available),
    )
