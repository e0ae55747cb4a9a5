# SPDX-License-Identifier: Apache-2.0
"""Changes of plan on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.plan_changes import ChangedPlan, ChangePlan, PlanTerms, PreviewedPlan
from services.contract.domain.ids import ContractId, PlanChangeId, RateCardId
from services.contract.domain.invoice import Share
from services.contract.domain.plan_change import (
    IncludedCredits,
    PaidSeats,
    PlanChange,
    PlanChangeStatus,
)
from services.contract.wire.contracts import contract_to_wire, schedules_from_wire, subscriptions_from_wire
from services.contract.wire.invoices import invoice_to_wire, line_to_wire
from services.contract.wire.overage import policy_from_wire
from services.contract.wire.values import (
    MONEY_BACK,
    by_number,
    default,
    money_to_wire,
    optional_time,
    period_to_wire,
)

INCLUDED: Final = {
    IncludedCredits.VOID: pb.INCLUDED_CREDITS_VOID,
    IncludedCredits.KEEP: pb.INCLUDED_CREDITS_KEEP,
    IncludedCredits.ROLL: pb.INCLUDED_CREDITS_ROLL,
}
_STATUSES: Final = {
    PlanChangeStatus.PENDING: pb.PLAN_CHANGE_STATUS_PENDING,
    PlanChangeStatus.APPLIED: pb.PLAN_CHANGE_STATUS_APPLIED,
}


def change_from_wire(request: pb.ChangePlanRequest) -> ChangePlan:
    fields = Fields()
    command = ChangePlan(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ChangePlan", request),
        plan=_terms_from_wire(fields, request, name=fields.text("name", request.name, required=False)),
    )
    fields.check()
    return command


def preview_from_wire(request: pb.PreviewPlanChangeRequest) -> PlanTerms:
    fields = Fields()
    terms = _terms_from_wire(fields, request, name="")
    fields.check()
    return terms


def get_from_wire(request: pb.GetPlanChangeRequest) -> PlanChangeId:
    fields = Fields()
    plan_change_id = PlanChangeId(fields.text("plan_change_id", request.plan_change_id))
    fields.check()
    return plan_change_id


def list_from_wire(request: pb.ListPlanChangesRequest) -> tuple[ContractId, Page]:
    fields = Fields()
    contract_id = ContractId(fields.text("contract_id", request.contract_id))
    page = page_from_wire(fields, request, _list_of(request))
    fields.check()
    return contract_id, page


def change_to_wire(changed: ChangedPlan) -> pb.ChangePlanResponse:
    return pb.ChangePlanResponse(
        plan_change=plan_change_to_wire(changed.change),
        contract=contract_to_wire(changed.contract),
        invoice=None if changed.invoice is None else invoice_to_wire(changed.invoice),
    )


def preview_to_wire(previewed: PreviewedPlan) -> pb.PreviewPlanChangeResponse:
    return pb.PreviewPlanChangeResponse(
        lines=[line_to_wire(one) for one in previewed.lines],
        total=money_to_wire(previewed.total),
        credits=_credits_to_wire(previewed.change),
        granted_micros=[one.micros for one in previewed.granted],
        off_due=money_to_wire(previewed.off_due),
    )


def get_to_wire(change: PlanChange) -> pb.GetPlanChangeResponse:
    return pb.GetPlanChangeResponse(plan_change=plan_change_to_wire(change))


def list_to_wire(
    rows: Sequence[PlanChange], page: Page, request: pb.ListPlanChangesRequest
) -> pb.ListPlanChangesResponse:
    shown, token = page_to_wire(
        rows, page, _list_of(request), lambda row: (row.plan_change_id,), plan_change_to_wire
    )
    return pb.ListPlanChangesResponse(plan_changes=shown, next_page_token=token)


def plan_change_to_wire(change: PlanChange) -> pb.PlanChange:
    return pb.PlanChange(
        plan_change_id=change.plan_change_id,
        customer_id=change.customer_id,
        ended_contract_id=change.ended_contract_id,
        begun_contract_id=change.begun_contract_id or "",
        change_time=timestamp(change.change_time),
        included_credits=INCLUDED[change.included_credits],
        money_back=MONEY_BACK[change.money_back],
        status=_STATUSES[change.status],
        invoice_id=change.invoice_id or "",
        credits=_credits_to_wire(change),
        apply_time=optional_timestamp(change.apply_time),
        credit_note_ids=change.credit_note_ids,
    )


def _terms_from_wire(
    fields: Fields, request: pb.ChangePlanRequest | pb.PreviewPlanChangeRequest, *, name: str
) -> PlanTerms:
    return PlanTerms(
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        name=name,
        rate_card_id=RateCardId(fields.text("rate_card_id", request.rate_card_id)),
        end_time=optional_time(fields, "end_time", request.end_time, request.HasField("end_time")),
        subscriptions=subscriptions_from_wire(fields, request.subscriptions),
        grant_schedules=schedules_from_wire(fields, request.grant_schedules, request.subscriptions),
        included_credits=default(fields, "included_credits", request.included_credits, by_number(INCLUDED)),
        money_back=default(fields, "money_back", request.money_back, by_number(MONEY_BACK)),
        accept_unprorated=request.accept_unprorated,
        overage=policy_from_wire(fields, request.overage_policy),
    )


def status_to_wire(status: PlanChangeStatus) -> pb.PlanChangeStatus:
    return _STATUSES[status]


def _credits_to_wire(change: PlanChange) -> list[pb.PlanCredit]:
    unused = {one.subscription_id: one.share for one in change.unused}
    return [credit_to_wire(paid, unused.get(paid.subscription_id)) for paid in change.paid]


def credit_to_wire(paid: PaidSeats, unused: Share | None) -> pb.PlanCredit:
    return pb.PlanCredit(
        subscription_id=paid.subscription_id,
        period=period_to_wire(paid.span),
        charged=money_to_wire(paid.charged),
        time_left=_fraction_to_wire(paid.left),
        credits_unused=None if unused is None else _fraction_to_wire(unused),
    )


def _fraction_to_wire(share: Share) -> pb.Fraction:
    return pb.Fraction(numerator=share.numerator, denominator=share.denominator)


def _list_of(request: pb.ListPlanChangesRequest) -> dict[str, str]:
    return {"list": "plan_changes", "contract_id": request.contract_id}
