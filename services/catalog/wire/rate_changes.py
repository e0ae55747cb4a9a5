# SPDX-License-Identifier: Apache-2.0
"""WithdrawRate, EndRate and CorrectRate on the wire."""

from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.catalog.v1 import catalog_pb2 as pb
from services.catalog.domain.commands import CorrectRate, EndRate, WithdrawRate
from services.catalog.domain.rate import RateId
from services.catalog.domain.rate_card import RateChanged
from services.catalog.wire.prices import pricing_from_wire
from services.catalog.wire.rate_cards import rate_card_to_wire
from services.catalog.wire.rate_warnings import warnings_to_wire
from services.catalog.wire.rates import rate_to_wire


def withdraw_from_wire(request: pb.WithdrawRateRequest) -> WithdrawRate:
    fields = Fields()
    command = WithdrawRate(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("WithdrawRate", request),
        rate_id=RateId(fields.text("rate_id", request.rate_id)),
    )
    fields.check()
    return command


def withdraw_to_wire(changed: RateChanged) -> pb.WithdrawRateResponse:
    return pb.WithdrawRateResponse(
        rate=rate_to_wire(changed.rate),
        rate_card=rate_card_to_wire(changed.rate_card),
        warnings=warnings_to_wire(changed.warnings),
    )


def end_from_wire(request: pb.EndRateRequest) -> EndRate:
    fields = Fields()
    command = EndRate(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("EndRate", request),
        rate_id=RateId(fields.text("rate_id", request.rate_id)),
        end_time=fields.optional_time("end_time", request.end_time, request.HasField("end_time")),
    )
    fields.check()
    return command


def end_to_wire(changed: RateChanged) -> pb.EndRateResponse:
    return pb.EndRateResponse(
        rate=rate_to_wire(changed.rate),
        rate_card=rate_card_to_wire(changed.rate_card),
        warnings=warnings_to_wire(changed.warnings),
    )


def correct_from_wire(request: pb.CorrectRateRequest) -> CorrectRate:
    fields = Fields()
    command = CorrectRate(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CorrectRate", request),
        rate_id=RateId(fields.text("rate_id", request.rate_id)),
        pricing=pricing_from_wire(fields, "", request),
    )
    fields.check()
    return command


def correct_to_wire(changed: RateChanged) -> pb.CorrectRateResponse:
    return pb.CorrectRateResponse(
        rate=rate_to_wire(changed.rate),
        rate_card=rate_card_to_wire(changed.rate_card),
        warnings=warnings_to_wire(changed.warnings),
    )
