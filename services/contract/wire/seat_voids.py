# SPDX-License-Identifier: Apache-2.0
"""VoidSeatChange on the wire."""

from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.seats import VoidedSeatChange, VoidSeatChange
from services.contract.domain.ids import ContractId, SeatChangeId
from services.contract.domain.seats.voids import SeatVoid
from services.contract.wire.ends import MONEY_BACK
from services.contract.wire.plan_changes import credit_to_wire, status_to_wire
from services.contract.wire.subscriptions import subscription_to_wire
from services.contract.wire.values import default


def void_from_wire(request: pb.VoidSeatChangeRequest) -> VoidSeatChange:
    fields = Fields()
    command = VoidSeatChange(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("VoidSeatChange", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        seat_change_id=SeatChangeId(fields.text("seat_change_id", request.seat_change_id)),
        money_back=default(fields, "money_back", request.money_back, MONEY_BACK),
    )
    fields.check()
    return command


def void_to_wire(voided: VoidedSeatChange) -> pb.VoidSeatChangeResponse:
    return pb.VoidSeatChangeResponse(
        subscription=subscription_to_wire(voided.subscription),
        settlement=None if voided.settlement is None else _settlement_to_wire(voided.settlement),
    )


def _settlement_to_wire(void: SeatVoid) -> pb.SeatVoid:
    return pb.SeatVoid(
        seat_void_id=void.seat_void_id,
        seat_change_id=void.seat_change_id,
        void_time=timestamp(void.void_time),
        quantity=void.paid.seats,
        status=status_to_wire(void.status),
        credit=credit_to_wire(void.paid, void.unused),
        invoice_id=void.invoice_id or "",
        credit_note_ids=void.credit_note_ids,
        apply_time=optional_timestamp(void.apply_time),
    )
