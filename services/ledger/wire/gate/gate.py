# SPDX-License-Identifier: Apache-2.0
"""Authorize, Capture, Release, ExtendHold and Debit on the wire."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.domain.gate.commands import (
    Authorize,
    AuthorizeLines,
    Capture,
    CaptureLines,
    Debit,
    DebitLines,
    ExtendHold,
    Release,
)
from services.ledger.domain.gate.decision import (
    Authorized,
    AuthorizeDenied,
    AuthorizedInShadow,
    AuthorizedLines,
    AuthorizedLinesInShadow,
    Captured,
    CapturedBefore,
    CapturedLines,
    DebitDenied,
    Debited,
    DebitedInShadow,
    DebitedLines,
    DebitedLinesInShadow,
    ExtendDenied,
    Extended,
    ExtendedInShadow,
    Released,
)
from services.ledger.domain.gate.hold import HOLD_TTL_DEFAULT, HOLD_TTL_MAX, HOLD_TTL_MIN, HoldId
from services.ledger.domain.gate.lease import is_lease
from services.ledger.wire.amounts import (
    amount_from_wire,
    decision_to_wire,
    group_values_from_wire,
    product_id_from_wire,
    properties_from_wire,
    reason_to_wire,
    total_to_wire,
)
from services.ledger.wire.gate.caps import cap_use_to_wire
from services.ledger.wire.gate.concurrency_caps import in_flight_use_to_wire
from services.ledger.wire.gate.lines import asked_lines_from_wire, lines_from_wire, results_to_wire
from services.ledger.wire.gate.shadow import shadow_denial_to_wire

_IN_SHADOW = (
    AuthorizedInShadow,
    AuthorizedLinesInShadow,
    ExtendedInShadow,
    DebitedInShadow,
    DebitedLinesInShadow,
)


def authorize_from_wire(request: pb.AuthorizeRequest) -> Authorize | AuthorizeLines:
    fields = Fields()
    if request.lines:
        return _authorize_lines_from_wire(fields, request)
    command = Authorize(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("Authorize", request),
        customer=fields.text("customer", request.customer),
        product_id=product_id_from_wire(fields, request.product_id),
        amount=amount_from_wire(
            fields, request.WhichOneof("amount"), request.quantity_micros, request.credits_micros
        ),
        group_values=group_values_from_wire(fields, request.group_values),
        properties=properties_from_wire(fields, request.properties),
        hold_ttl=_ttl_from_wire(fields, request.hold_ttl, request.HasField("hold_ttl")),
        allow_partial=request.allow_partial,
    )
    fields.check()
    return command


def _authorize_lines_from_wire(fields: Fields, request: pb.AuthorizeRequest) -> AuthorizeLines:
    if request.allow_partial:
        fields.add("allow_partial", "must be false in a call with lines: they are held all or not at all")
    command = AuthorizeLines(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("Authorize", request),
        customer=fields.text("customer", request.customer),
        lines=asked_lines_from_wire(fields, request),
        group_values=group_values_from_wire(fields, request.group_values),
        hold_ttl=_ttl_from_wire(fields, request.hold_ttl, request.HasField("hold_ttl")),
    )
    fields.check()
    return command


def authorize_to_wire(answer: Authorized) -> pb.AuthorizeResponse:
    return pb.AuthorizeResponse(
        decision=decision_to_wire(answer.reason),
        denial_reason=reason_to_wire(answer.reason),
        hold_id=answer.hold_id,
        held_micros=answer.held.micros,
        overage_held_micros=answer.overage.micros,
        held_quantity_micros=answer.held_quantity.micros,
        credit_type_id=answer.credit_type_id,
        available_micros=total_to_wire(answer.available),
        affordable_quantity_micros=answer.affordable_quantity.micros,
        affordable_credits_micros=total_to_wire(answer.affordable),
        expire_time=optional_timestamp(answer.expire_time),
        lines=results_to_wire(answer.lines) if isinstance(answer, AuthorizedLines) else None,
        reached_cap=_reached_cap(answer) if isinstance(answer, AuthorizeDenied) else None,
        reached_concurrency_cap=in_flight_use_to_wire(answer.full_cap)
        if isinstance(answer, AuthorizeDenied) and answer.full_cap is not None
        else None,
        shadow_denial=_shadow_denial(answer),
    )


def capture_from_wire(request: pb.CaptureRequest) -> Capture | CaptureLines:
    fields = Fields()
    if request.lines:
        return _capture_lines_from_wire(fields, request)
    which = request.WhichOneof("actual")
    actual = None
    if which is not None:
        actual = amount_from_wire(fields, which, request.quantity_micros, request.credits_micros, minimum=0)
    command = Capture(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("Capture", request),
        customer=fields.text("customer", request.customer),
        hold_id=_hold_id_from_wire(fields, request.hold_id),
        actual=actual,
    )
    fields.check()
    return command


def _capture_lines_from_wire(fields: Fields, request: pb.CaptureRequest) -> CaptureLines:
    which = request.WhichOneof("actual")
    if which is not None:
        fields.add(which, "must be empty in a call with lines; give quantity_micros in each line")
    command = CaptureLines(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("Capture", request),
        customer=fields.text("customer", request.customer),
        hold_id=_hold_id_from_wire(fields, request.hold_id),
        lines=lines_from_wire(fields, request.lines),
    )
    fields.check()
    return command


def capture_to_wire(answer: Captured) -> pb.CaptureResponse:
    return pb.CaptureResponse(
        captured_micros=answer.captured.micros,
        overage_micros=answer.overage.micros,
        released_micros=answer.released.micros,
        shortfall_micros=answer.shortfall.micros,
        is_late=answer.is_late,
        credit_type_id=answer.credit_type_id,
        available_micros=total_to_wire(answer.available),
        differs=isinstance(answer, CapturedBefore) and answer.differs,
        lines=results_to_wire(answer.lines) if isinstance(answer, (CapturedLines, CapturedBefore)) else None,
    )


def release_from_wire(request: pb.ReleaseRequest) -> Release:
    fields = Fields()
    command = Release(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("Release", request),
        customer=fields.text("customer", request.customer),
        hold_id=_hold_id_from_wire(fields, request.hold_id),
    )
    fields.check()
    return command


def release_to_wire(answer: Released) -> pb.ReleaseResponse:
    return pb.ReleaseResponse(
        released_micros=answer.released.micros,
        credit_type_id=answer.credit_type_id,
        available_micros=total_to_wire(answer.available),
    )


def extend_hold_from_wire(request: pb.ExtendHoldRequest) -> ExtendHold:
    fields = Fields()
    which = request.WhichOneof("additional")
    additional = None
    if which is not None:
        additional = amount_from_wire(fields, which, request.quantity_micros, request.credits_micros)
    has_ttl = request.HasField("hold_ttl")
    if additional is None and not has_ttl:
        fields.add("hold_ttl", "give hold_ttl, an amount to hold on top, or both")
    command = ExtendHold(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ExtendHold", request),
        customer=fields.text("customer", request.customer),
        hold_id=_hold_id_from_wire(fields, request.hold_id),
        additional=additional,
        hold_ttl=_ttl_from_wire(fields, request.hold_ttl, has_ttl) if has_ttl else None,
    )
    fields.check()
    return command


def extend_hold_to_wire(answer: Extended) -> pb.ExtendHoldResponse:
    return pb.ExtendHoldResponse(
        decision=decision_to_wire(answer.reason),
        denial_reason=reason_to_wire(answer.reason),
        held_micros=answer.held.micros,
        overage_held_micros=answer.overage.micros,
        credit_type_id=answer.credit_type_id,
        available_micros=total_to_wire(answer.available),
        affordable_credits_micros=total_to_wire(answer.affordable),
        expire_time=timestamp(answer.expire_time),
        reached_cap=_reached_cap(answer) if isinstance(answer, ExtendDenied) else None,
        shadow_denial=_shadow_denial(answer),
    )


def debit_from_wire(request: pb.DebitRequest) -> Debit | DebitLines:
    fields = Fields()
    if request.lines:
        return _debit_lines_from_wire(fields, request)
    command = Debit(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("Debit", request),
        customer=fields.text("customer", request.customer),
        product_id=product_id_from_wire(fields, request.product_id),
        amount=amount_from_wire(
            fields, request.WhichOneof("amount"), request.quantity_micros, request.credits_micros
        ),
        group_values=group_values_from_wire(fields, request.group_values),
        properties=properties_from_wire(fields, request.properties),
    )
    fields.check()
    return command


def _debit_lines_from_wire(fields: Fields, request: pb.DebitRequest) -> DebitLines:
    command = DebitLines(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("Debit", request),
        customer=fields.text("customer", request.customer),
        lines=asked_lines_from_wire(fields, request),
        group_values=group_values_from_wire(fields, request.group_values),
    )
    fields.check()
    return command


def debit_to_wire(answer: Debited) -> pb.DebitResponse:
    return pb.DebitResponse(
        decision=decision_to_wire(answer.reason),
        denial_reason=reason_to_wire(answer.reason),
        debited_micros=answer.debited.micros,
        overage_micros=answer.overage.micros,
        credit_type_id=answer.credit_type_id,
        available_micros=total_to_wire(answer.available),
        affordable_quantity_micros=answer.affordable_quantity.micros,
        affordable_credits_micros=total_to_wire(answer.affordable),
        lines=results_to_wire(answer.lines) if isinstance(answer, DebitedLines) else None,
        reached_cap=_reached_cap(answer) if isinstance(answer, DebitDenied) else None,
        shadow_denial=_shadow_denial(answer),
    )


def _reached_cap(answer: AuthorizeDenied | DebitDenied | ExtendDenied) -> pb.SpendCapUse | None:
    return None if answer.reached_cap is None else cap_use_to_wire(answer.reached_cap)


def _shadow_denial(answer: Authorized | Extended | Debited) -> pb.ShadowDenial | None:
    return shadow_denial_to_wire(answer.shadow_denial) if isinstance(answer, _IN_SHADOW) else None


def _hold_id_from_wire(fields: Fields, value: str) -> HoldId:
    if is_lease(value):
        fields.add("hold_id", "is a lease; use SettleLease or EndLease")
    return HoldId(fields.text("hold_id", value))


def _ttl_from_wire(fields: Fields, ttl: Duration, has: bool) -> timedelta:
    return fields.duration(
        "hold_ttl", ttl, has, default=HOLD_TTL_DEFAULT, minimum=HOLD_TTL_MIN, maximum=HOLD_TTL_MAX
    )
