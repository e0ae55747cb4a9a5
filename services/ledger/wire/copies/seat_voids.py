# SPDX-License-Identifier: Apache-2.0
"""Void seat changes, from Contract."""

from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.credits.seat_void import SeatChangeVoid, SeatChangeVoided
from services.ledger.wire.copies.plan_changes import paid_from_wire, unused_to_wire
from services.ledger.wire.copies.values import customer_id_from_wire


def void_from_wire(request: pb.VoidSeatChangeRequest) -> SeatChangeVoid:
    fields = Fields()
    has_paid = request.HasField("paid_period")
    void = SeatChangeVoid(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("VoidSeatChange", request),
        customer_id=customer_id_from_wire(fields, request.customer_id),
        subscription_id=fields.text("subscription_id", request.subscription_id),
        seat_change_id=fields.text("seat_change_id", request.seat_change_id),
        paid=paid_from_wire(fields, "paid_period", request.paid_period) if has_paid else None,
    )
    if has_paid and request.paid_period.subscription_id != request.subscription_id:
        fields.add("paid_period.subscription_id", "must be that of the change")
    fields.check()
    return void


def void_to_wire(voided: SeatChangeVoided | None) -> pb.VoidSeatChangeResponse:
    if voided is None:
        return pb.VoidSeatChangeResponse()
    return pb.VoidSeatChangeResponse(
        voided=[
            pb.VoidedCredits(
                grant_schedule_id=one.schedule_id,
                credit_type_id=one.credit_type_id,
                granted_micros=one.granted.micros,
                voided_micros=one.voided.micros,
                to_come_micros=one.to_come.micros,
            )
            for one in voided.voided
        ],
        unused=None if voided.unused is None else unused_to_wire(voided.unused),
        kept=[
            pb.KeptTime(start_time=timestamp(one.start), end_time=timestamp(one.end)) for one in voided.kept
        ],
        apply_time=timestamp(voided.apply_time),
    )
