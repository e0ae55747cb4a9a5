# SPDX-License-Identifier: Apache-2.0
"""Changes of plan, from Contract."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from meshkit.period import Period
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.copies import ContractUpdate
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.plan_change import (
    EndedSchedule,
    IncludedCredits,
    PaidPeriod,
    PlanChange,
    PlanChanged,
    UnusedShare,
)
from services.ledger.wire.amounts import time_in_periods
from services.ledger.wire.copies.contract import contract_from_wire, credits_to_wire
from services.ledger.wire.copies.seats import SEATS_MAX
from services.ledger.wire.copies.values import customer_id_from_wire

PREVIEW_ID: Final = "preview"
# The longest billing period, ten years, and a little.
PAID_PERIOD_MAX: Final = timedelta(days=3_660)

_INCLUDED: Final[Mapping[int, IncludedCredits]] = {
    pb.INCLUDED_CREDITS_KEEP: IncludedCredits.KEEP,
    pb.INCLUDED_CREDITS_VOID: IncludedCredits.VOID,
    pb.INCLUDED_CREDITS_ROLL: IncludedCredits.ROLL,
}


def plan_change_from_wire(request: pb.ApplyPlanChangeRequest) -> PlanChange:
    fields = Fields()
    request_id = fields.request_id(request.request_id)
    return _change_from_wire(fields, request, request_id, fingerprint=fingerprint("ApplyPlanChange", request))


def preview_from_wire(request: pb.PreviewPlanChangeRequest) -> PlanChange:
    return _change_from_wire(Fields(), request, PREVIEW_ID, fingerprint=b"")


def plan_change_to_wire(changed: PlanChanged) -> pb.ApplyPlanChangeResponse:
    return pb.ApplyPlanChangeResponse(
        ended=[_ended_to_wire(one) for one in changed.ended],
        unused=[unused_to_wire(one) for one in changed.unused],
        begun=[credits_to_wire(one) for one in changed.begun],
        apply_time=timestamp(changed.apply_time),
    )


def preview_to_wire(changed: PlanChanged) -> pb.PreviewPlanChangeResponse:
    return pb.PreviewPlanChangeResponse(
        ended=[_ended_to_wire(one) for one in changed.ended],
        unused=[unused_to_wire(one) for one in changed.unused],
        begun=[credits_to_wire(one) for one in changed.begun],
    )


def _change_from_wire(
    fields: Fields,
    request: pb.ApplyPlanChangeRequest | pb.PreviewPlanChangeRequest,
    request_id: str,
    *,
    fingerprint: bytes,
) -> PlanChange:
    customer_id = customer_id_from_wire(fields, request.customer_id)
    for name, contract in (("ended", request.ended), ("begun", request.begun)):
        if contract.customer_id not in ("", request.customer_id):
            fields.add(f"{name}.customer_id", "must be that of the request, or left out")
    if not request.ended.HasField("end_time"):
        fields.add("ended.end_time", "is required: the contract ends")
    elif request.HasField("begun") and request.ended.end_time != request.begun.start_time:
        fields.add("begun.start_time", "must be the end of the contract that ends")
    included = fields.choice("included_credits", request.included_credits, _INCLUDED)
    paid = tuple(
        one
        for number, period in enumerate(request.paid_periods)
        if (one := paid_from_wire(fields, f"paid_periods[{number}]", period)) is not None
    )
    fields.check()
    return PlanChange(
        request_id=request_id,
        fingerprint=fingerprint,
        customer_id=customer_id,
        ended=_contract_from_wire(request_id, customer_id, request.ended),
        begun=_contract_from_wire(request_id, customer_id, request.begun)
        if request.HasField("begun")
        else None,
        included=included,
        paid=paid,
    )


def _contract_from_wire(
    request_id: str, customer_id: CustomerId, contract: pb.ApplyContractRequest
) -> ContractUpdate:
    whole = pb.ApplyContractRequest(request_id=request_id, customer_id=customer_id)
    whole.MergeFrom(contract)
    return contract_from_wire(whole)


def paid_from_wire(fields: Fields, path: str, paid: pb.PaidPeriod) -> PaidPeriod | None:
    subscription_id = fields.text(f"{path}.subscription_id", paid.subscription_id)
    start = fields.time(f"{path}.start_time", paid.start_time, paid.HasField("start_time"))
    end = time_in_periods(
        fields,
        f"{path}.end_time",
        fields.time(f"{path}.end_time", paid.end_time, paid.HasField("end_time")),
    )
    seats = fields.count(f"{path}.seats", paid.seats, minimum=0, maximum=SEATS_MAX)
    if end <= start:
        fields.add(f"{path}.end_time", "must be after start_time")
        return None
    if end - start > PAID_PERIOD_MAX:
        fields.add(f"{path}.end_time", f"must be at most {PAID_PERIOD_MAX.days} days after start_time")
    return PaidPeriod(subscription_id, Period(start, end), seats)


def _ended_to_wire(one: EndedSchedule) -> pb.EndedSchedule:
    return pb.EndedSchedule(
        grant_schedule_id=one.schedule_id,
        subscription_id=one.subscription_id or "",
        credit_type_id=one.credit_type_id,
        granted_micros=one.granted.micros,
        voided_micros=one.voided.micros,
        rolled_micros=one.rolled.micros,
        to_come_micros=one.to_come.micros,
    )


def unused_to_wire(one: UnusedShare) -> pb.UnusedShare:
    return pb.UnusedShare(
        subscription_id=one.subscription_id, numerator=one.numerator, denominator=one.denominator
    )
