# SPDX-License-Identifier: Apache-2.0
"""Grant schedules on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.currency import is_currency
from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.contracts import (
    EditGrantSchedule,
    EndGrantSchedule,
    GrantScheduleTerms,
    ScheduleChanged,
)
from services.contract.domain.ids import ContractId, CreditTypeId, GrantScheduleId, ProductId
from services.contract.domain.schedules import (
    INCLUDED_PRIORITY_DEFAULT,
    PERIODS_MAX,
    PRIORITY_MAX,
    SCOPE_PRODUCTS_MAX,
    UNIT_AMOUNT_MAX,
    Allocation,
    GrantAlignment,
    GrantFrequency,
    GrantSchedule,
    PeriodProration,
    Rollover,
    ScheduleEdition,
    TermsEdit,
)
from services.contract.wire.values import by_number, default, optional_time

_FREQUENCIES: Final = {
    GrantFrequency.DAILY: pb.GRANT_FREQUENCY_DAILY,
    GrantFrequency.WEEKLY: pb.GRANT_FREQUENCY_WEEKLY,
    GrantFrequency.MONTHLY: pb.GRANT_FREQUENCY_MONTHLY,
    GrantFrequency.QUARTERLY: pb.GRANT_FREQUENCY_QUARTERLY,
    GrantFrequency.ANNUAL: pb.GRANT_FREQUENCY_ANNUAL,
}
_ALIGNMENTS: Final = {
    GrantAlignment.OWN_ANCHOR: pb.GRANT_ALIGNMENT_OWN_ANCHOR,
    GrantAlignment.BILLING_PERIODS: pb.GRANT_ALIGNMENT_BILLING_PERIODS,
}
_PRORATIONS: Final = {
    PeriodProration.FIRST_AND_LAST: pb.PERIOD_PRORATION_FIRST_AND_LAST,
    PeriodProration.FIRST: pb.PERIOD_PRORATION_FIRST,
    PeriodProration.LAST: pb.PERIOD_PRORATION_LAST,
    PeriodProration.NONE: pb.PERIOD_PRORATION_NONE,
}
_ALLOCATIONS: Final = {
    Allocation.POOLED: pb.ALLOCATION_POOLED,
    Allocation.INDIVIDUAL: pb.ALLOCATION_INDIVIDUAL,
}


def schedule_from_wire(fields: Fields, path: str, terms: pb.GrantScheduleTerms) -> GrantScheduleTerms:
    every = fields.count(f"{path}.interval_count", terms.interval_count or 1, minimum=1, maximum=PERIODS_MAX)
    alignment = default(fields, f"{path}.alignment", terms.alignment, by_number(_ALIGNMENTS))
    if alignment is GrantAlignment.BILLING_PERIODS and terms.HasField("anchor_time"):
        fields.add(f"{path}.anchor_time", "must be left out with BILLING_PERIODS")
    return GrantScheduleTerms(
        product_id=ProductId(fields.text(f"{path}.product_id", terms.product_id)),
        credit_type_id=custom_credit_type(fields, f"{path}.credit_type_id", terms.credit_type_id),
        subscription_index=terms.subscription_index if terms.HasField("subscription_index") else None,
        frequency=fields.choice(f"{path}.frequency", terms.frequency, by_number(_FREQUENCIES)),
        interval_count=every,
        alignment=alignment,
        allocation=default(fields, f"{path}.allocation", terms.allocation, by_number(_ALLOCATIONS)),
        anchor_time=optional_time(
            fields, f"{path}.anchor_time", terms.anchor_time, terms.HasField("anchor_time")
        ),
        unit_amount=_unit_amount(fields, f"{path}.unit_amount_micros", terms.unit_amount_micros),
        priority=_priority(fields, f"{path}.priority", terms.priority or INCLUDED_PRIORITY_DEFAULT),
        prorates_increases=terms.prorates_increases,
        period_proration=default(
            fields, f"{path}.period_proration", terms.period_proration, by_number(_PRORATIONS)
        ),
        commit_duration=_periods(fields, f"{path}.commit_duration", terms.commit_duration or 1, every),
        scope_product_ids=_scope(fields, f"{path}.scope_product_ids", terms.scope_product_ids),
        rollover=_rollover(fields, f"{path}.rollover", terms.rollover, every)
        if terms.HasField("rollover")
        else None,
    )


def schedule_terms_to_wire(terms: GrantScheduleTerms) -> pb.GrantScheduleTerms:
    return pb.GrantScheduleTerms(
        product_id=terms.product_id,
        credit_type_id=terms.credit_type_id,
        unit_amount_micros=terms.unit_amount.micros,
        subscription_index=terms.subscription_index,
        frequency=_FREQUENCIES[terms.frequency],
        anchor_time=optional_timestamp(terms.anchor_time),
        allocation=_ALLOCATIONS[terms.allocation],
        priority=terms.priority,
        prorates_increases=terms.prorates_increases,
        period_proration=_PRORATIONS[terms.period_proration],
        commit_duration=terms.commit_duration,
        scope_product_ids=terms.scope_product_ids,
        interval_count=terms.interval_count,
        alignment=_ALIGNMENTS[terms.alignment],
        rollover=_rollover_to_wire(terms.rollover),
    )


def edit_from_wire(request: pb.EditGrantScheduleRequest) -> EditGrantSchedule:
    fields = Fields()
    one = 1  # How many periods are too many depends on the schedule's interval_count, which the operation checks.
    edit = TermsEdit(
        unit_amount=_unit_amount(fields, "unit_amount_micros", request.unit_amount_micros)
        if request.HasField("unit_amount_micros")
        else None,
        priority=_priority(fields, "priority", request.priority) if request.HasField("priority") else None,
        prorates_increases=request.prorates_increases if request.HasField("prorates_increases") else None,
        period_proration=fields.choice("period_proration", request.period_proration, by_number(_PRORATIONS))
        if request.period_proration
        else None,
        commit_duration=_periods(fields, "commit_duration", request.commit_duration, one)
        if request.HasField("commit_duration")
        else None,
        scope_product_ids=_scope(fields, "scope.product_ids", request.scope.product_ids)
        if request.HasField("scope")
        else None,
        rollover=_rollover(fields, "rollover", request.rollover, one)
        if request.HasField("rollover")
        else None,
        removes_rollover=request.removes_rollover,
    )
    if request.removes_rollover and request.HasField("rollover"):
        fields.add("removes_rollover", "must be false if rollover is set")
    command = EditGrantSchedule(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("EditGrantSchedule", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        grant_schedule_id=GrantScheduleId(fields.text("grant_schedule_id", request.grant_schedule_id)),
        effective_time=optional_time(
            fields, "effective_time", request.effective_time, request.HasField("effective_time")
        ),
        edit=edit,
    )
    if edit.is_empty:
        fields.add("unit_amount_micros", "must be set, or another one of the terms")
    fields.check()
    return command


def edit_to_wire(changed: ScheduleChanged) -> pb.EditGrantScheduleResponse:
    return pb.EditGrantScheduleResponse(grant_schedule=schedule_to_wire(changed.grant_schedule))


def end_from_wire(request: pb.EndGrantScheduleRequest) -> EndGrantSchedule:
    fields = Fields()
    command = EndGrantSchedule(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("EndGrantSchedule", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        grant_schedule_id=GrantScheduleId(fields.text("grant_schedule_id", request.grant_schedule_id)),
        end_time=optional_time(fields, "end_time", request.end_time, request.HasField("end_time")),
        removes_end=request.removes_end,
    )
    if request.removes_end and request.HasField("end_time"):
        fields.add("removes_end", "must be false if end_time is set")
    fields.check()
    return command


def end_to_wire(changed: ScheduleChanged) -> pb.EndGrantScheduleResponse:
    return pb.EndGrantScheduleResponse(grant_schedule=schedule_to_wire(changed.grant_schedule))


def schedule_to_wire(schedule: GrantSchedule) -> pb.GrantSchedule:
    terms = schedule.terms
    return pb.GrantSchedule(
        grant_schedule_id=schedule.grant_schedule_id,
        product_id=schedule.product_id,
        credit_type_id=schedule.credit_type_id,
        unit_amount_micros=terms.unit_amount.micros,
        subscription_id=schedule.subscription_id or "",
        frequency=_FREQUENCIES[schedule.frequency],
        anchor_time=timestamp(schedule.anchor_time),
        allocation=_ALLOCATIONS[schedule.allocation],
        priority=terms.priority,
        prorates_increases=terms.prorates_increases,
        period_proration=_PRORATIONS[terms.period_proration],
        commit_duration=terms.commit_duration,
        scope_product_ids=terms.scope_product_ids,
        interval_count=schedule.interval_count,
        end_time=optional_timestamp(schedule.end_time),
        rollover=_rollover_to_wire(terms.rollover),
        editions=[_edition_to_wire(one) for one in schedule.editions],
    )


def _edition_to_wire(edition: ScheduleEdition) -> pb.GrantScheduleEdition:
    terms = edition.terms
    return pb.GrantScheduleEdition(
        effective_time=timestamp(edition.effective_time),
        unit_amount_micros=terms.unit_amount.micros,
        priority=terms.priority,
        prorates_increases=terms.prorates_increases,
        period_proration=_PRORATIONS[terms.period_proration],
        commit_duration=terms.commit_duration,
        scope_product_ids=terms.scope_product_ids,
        rollover=_rollover_to_wire(terms.rollover),
    )


def _rollover_to_wire(rollover: Rollover | None) -> pb.Rollover | None:
    if rollover is None:
        return None
    return pb.Rollover(
        fraction_millionths=rollover.fraction_millionths,
        cap_micros=rollover.cap.micros if rollover.cap else 0,
        duration=rollover.duration,
    )


def _rollover(fields: Fields, path: str, rollover: pb.Rollover, every: int) -> Rollover:
    cap = fields.micros(f"{path}.cap_micros", rollover.cap_micros)
    return Rollover(
        fraction_millionths=fields.count(
            f"{path}.fraction_millionths", rollover.fraction_millionths, minimum=1, maximum=1_000_000
        ),
        cap=Credits(cap) if cap else None,
        duration=_periods(fields, f"{path}.duration", rollover.duration or 1, every),
    )


def _unit_amount(fields: Fields, field: str, micros: int) -> Credits:
    return Credits(fields.micros(field, micros, minimum=1, maximum=UNIT_AMOUNT_MAX.micros))


def _priority(fields: Fields, field: str, priority: int) -> int:
    return fields.count(field, priority, minimum=1, maximum=PRIORITY_MAX)


def _periods(fields: Fields, field: str, periods: int, every: int) -> int:
    return fields.count(field, periods, minimum=1, maximum=max(1, PERIODS_MAX // max(1, every)))


def custom_credit_type(fields: Fields, field: str, credit_type_id: str) -> CreditTypeId:
    """Return a custom credit type: any but a currency."""
    if is_currency(credit_type_id):
        fields.add(field, f"must be a custom credit type: {credit_type_id} is money, not credits")
    return CreditTypeId(fields.text(field, credit_type_id))


def _scope(fields: Fields, field: str, product_ids: Sequence[str]) -> tuple[ProductId, ...]:
    if len(product_ids) > SCOPE_PRODUCTS_MAX:
        fields.add(field, f"must have at most {SCOPE_PRODUCTS_MAX} elements")
        return ()
    for position, product_id in enumerate(product_ids):
        fields.text(f"{field}[{position}]", product_id)
        if product_id in product_ids[:position]:
            fields.add(f"{field}[{position}]", "is a duplicate")
    return tuple(ProductId(one) for one in product_ids)
