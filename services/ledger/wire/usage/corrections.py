# SPDX-License-Identifier: Apache-2.0
"""Corrections of usage on the wire."""

from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import usage_pb2 as pb
from services.ledger.domain.usage.commands import (
    AmendUsage,
    CorrectedUsage,
    UsageName,
    UsageSource,
    VoidUsage,
)
from services.ledger.wire.usage.events import TRANSACTION_ID_MAX, line_to_wire, properties_from_wire


def void_from_wire(request: pb.VoidUsageRequest) -> VoidUsage:
    fields = Fields()
    command = VoidUsage(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("VoidUsage", request),
        customer=fields.text("customer", request.customer),
        usage=_name_from_wire(fields, request),
        reason=fields.text("reason", request.reason),
        actor=fields.text("actor", request.actor),
    )
    fields.check()
    return command


def amend_from_wire(request: pb.AmendUsageRequest) -> AmendUsage:
    fields = Fields()
    command = AmendUsage(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("AmendUsage", request),
        customer=fields.text("customer", request.customer),
        usage=UsageName(
            UsageSource.EVENT,
            fields.text("transaction_id", request.transaction_id, max_length=TRANSACTION_ID_MAX),
        ),
        timestamp=fields.optional_time("timestamp", request.timestamp, request.HasField("timestamp")),
        properties=properties_from_wire(fields, request.properties),
        reason=fields.text("reason", request.reason),
        actor=fields.text("actor", request.actor),
    )
    fields.check()
    return command


def amend_to_wire(corrected: CorrectedUsage) -> pb.AmendUsageResponse:
    return pb.AmendUsageResponse(lines=[line_to_wire(line, pb.CorrectedLine) for line in corrected.lines])


def void_to_wire(corrected: CorrectedUsage) -> pb.VoidUsageResponse:
    return pb.VoidUsageResponse(lines=[line_to_wire(line, pb.CorrectedLine) for line in corrected.lines])


def _name_from_wire(fields: Fields, request: pb.VoidUsageRequest) -> UsageName:
    if request.WhichOneof("usage") == "hold_id":
        return UsageName(UsageSource.HOLD, fields.text("hold_id", request.hold_id))
    name = fields.text("transaction_id", request.transaction_id, max_length=TRANSACTION_ID_MAX)
    return UsageName(UsageSource.EVENT, name)
