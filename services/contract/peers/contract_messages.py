# SPDX-License-Identifier: Apache-2.0
"""Contracts and changes of plan as the Ledger reads them."""

from collections.abc import Collection
from typing import Final

from meshkit.rpc.fields import optional_timestamp, timestamp
from purser.ledger.v1 import ledger_peer_pb2
from services.contract.domain.free_credits import FreeSchedule
from services.contract.domain.ids import SubscriptionId
from services.contract.domain.invoice import Share
from services.contract.domain.notices import ContractChanged, OverageAllowed, PlanChanged, SeatsAtStart
from services.contract.domain.plan_change import IncludedCredits, PaidSeats, UnusedShare
from services.contract.domain.schedules import (
    Allocation,
    GrantFrequency,
    GrantSchedule,
    PeriodProration,
    Rollover,
    ScheduleEdition,
)
from services.contract.domain.seats.naming import SharedPoolAccess

_GRANT_FREQUENCIES: Final = {
    GrantFrequency.DAILY: ledger_peer_pb2.GRANT_FREQUENCY_DAILY,
    GrantFrequency.WEEKLY: ledger_peer_pb2.GRANT_FREQUENCY_WEEKLY,
    GrantFrequency.MONTHLY: ledger_peer_pb2.GRANT_FREQUENCY_MONTHLY,
    GrantFrequency.QUARTERLY: ledger_peer_pb2.GRANT_FREQUENCY_QUARTERLY,
    GrantFrequency.ANNUAL: ledger_peer_pb2.GRANT_FREQUENCY_ANNUAL,
}
_PERIOD_PRORATIONS: Final = {
    PeriodProration.FIRST_AND_LAST: ledger_peer_pb2.PERIOD_PRORATION_FIRST_AND_LAST,
    PeriodProration.FIRST: ledger_peer_pb2.PERIOD_PRORATION_FIRST,
    PeriodProration.LAST: ledger_peer_pb2.PERIOD_PRORATION_LAST,
    PeriodProration.NONE: ledger_peer_pb2.PERIOD_PRORATION_NONE,
}
INCLUDED_CREDITS: Final = {
    IncludedCredits.KEEP: ledger_peer_pb2.INCLUDED_CREDITS_KEEP,
    IncludedCredits.VOID: ledger_peer_pb2.INCLUDED_CREDITS_VOID,
    IncludedCredits.ROLL: ledger_peer_pb2.INCLUDED_CREDITS_ROLL,
}
# POOLED is left out, as it was before there were others: a notice that is repeated must have the same body.
_ALLOCATIONS: Final = {
    Allocation.POOLED: ledger_peer_pb2.ALLOCATION_UNSPECIFIED,
    Allocation.INDIVIDUAL: ledger_peer_pb2.ALLOCATION_INDIVIDUAL,
}
_SHARED_POOL_ACCESSES: Final = {
    SharedPoolAccess.NOBODY: ledger_peer_pb2.SHARED_POOL_ACCESS_NOBODY,
    SharedPoolAccess.EVERYONE: ledger_peer_pb2.SHARED_POOL_ACCESS_EVERYONE,
    SharedPoolAccess.LISTED: ledger_peer_pb2.SHARED_POOL_ACCESS_LISTED,
}


def contract_to_wire(changed: ContractChanged) -> ledger_peer_pb2.ApplyContractRequest:
    """Return a contract for the Ledger, without a request_id."""
    free = {one.grant_schedule_id: one for one in changed.free}
    return ledger_peer_pb2.ApplyContractRequest(
        customer_id=changed.customer_id,
        contract_id=changed.contract_id,
        version=changed.version,
        rate_card_id=changed.rate_card_id,
        start_time=timestamp(changed.start_time),
        end_time=optional_timestamp(changed.end_time),
        subscriptions=[_seats_to_wire(one) for one in changed.subscriptions],
        grant_schedules=[
            _schedule_to_wire(one, free.get(one.grant_schedule_id)) for one in changed.grant_schedules
        ],
        accept_time=optional_timestamp(changed.accept_time),
        overage=_overage_to_wire(changed.overage),
    )


def _overage_to_wire(overage: Collection[OverageAllowed]) -> ledger_peer_pb2.OveragePolicy | None:
    if not overage:
        return None
    return ledger_peer_pb2.OveragePolicy(
        limits=[
            ledger_peer_pb2.OverageLimit(
                credit_type_id=one.credit_type_id, cap_micros=None if one.cap is None else one.cap.micros
            )
            for one in overage
        ]
    )


def begun_to_wire(changed: PlanChanged) -> ledger_peer_pb2.ApplyContractRequest | None:
    """Return the contract that begins, with the ids that have its seats."""
    if changed.begun is None:
        return None
    begun = contract_to_wire(changed.begun)
    first = {one.subscription_id: one.seat_ids for one in changed.first_seats}
    for one in begun.subscriptions:
        one.seat_ids.extend(first.get(SubscriptionId(one.subscription_id), ()))
    return begun


def _seats_to_wire(seats: SeatsAtStart) -> ledger_peer_pb2.SubscriptionSeats:
    told = ledger_peer_pb2.SubscriptionSeats(
        subscription_id=seats.subscription_id, initial_quantity=seats.initial_quantity
    )
    if seats.named is not None:
        told.seat_group_key = seats.named.seat_group_key
        told.shared_pool_access = _SHARED_POOL_ACCESSES[seats.named.shared_pool.access]
        told.shared_pool_seat_ids.extend(seats.named.shared_pool.seat_ids)
    return told


def paid_to_wire(paid: PaidSeats) -> ledger_peer_pb2.PaidPeriod:
    return ledger_peer_pb2.PaidPeriod(
        subscription_id=paid.subscription_id,
        start_time=timestamp(paid.span.start),
        end_time=timestamp(paid.span.end),
        seats=paid.seats,
    )


def unused_from_wire(unused: Collection[ledger_peer_pb2.UnusedShare]) -> tuple[UnusedShare, ...]:
    return tuple(
        UnusedShare(
            subscription_id=SubscriptionId(one.subscription_id), share=Share(one.numerator, one.denominator)
        )
        for one in unused
    )


def _schedule_to_wire(schedule: GrantSchedule, free: FreeSchedule | None) -> ledger_peer_pb2.ScheduleTerms:
    terms = schedule.terms
    return ledger_peer_pb2.ScheduleTerms(
        grant_schedule_id=schedule.grant_schedule_id,
        product_id=schedule.product_id,
        credit_type_id=schedule.credit_type_id,
        unit_amount_micros=terms.unit_amount.micros,
        subscription_id=schedule.subscription_id or "",
        frequency=_GRANT_FREQUENCIES[schedule.frequency],
        anchor_time=timestamp(schedule.anchor_time),
        priority=terms.priority,
        prorates_increases=terms.prorates_increases,
        period_proration=_PERIOD_PRORATIONS[terms.period_proration],
        commit_duration=terms.commit_duration,
        scope_product_ids=terms.scope_product_ids,
        interval_count=schedule.interval_count,
        end_time=optional_timestamp(schedule.end_time),
        rollover=_rollover_to_wire(terms.rollover),
        editions=[_edition_to_wire(one) for one in schedule.editions],
        allocation=_ALLOCATIONS[schedule.allocation],
        is_free=free is not None,
        charge_time=None if free is None else optional_timestamp(free.charge_time),
    )


def _edition_to_wire(edition: ScheduleEdition) -> ledger_peer_pb2.ScheduleEdition:
    terms = edition.terms
    return ledger_peer_pb2.ScheduleEdition(
        effective_time=timestamp(edition.effective_time),
        unit_amount_micros=terms.unit_amount.micros,
        priority=terms.priority,
        prorates_increases=terms.prorates_increases,
        period_proration=_PERIOD_PRORATIONS[terms.period_proration],
        commit_duration=terms.commit_duration,
        scope_product_ids=terms.scope_product_ids,
        rollover=_rollover_to_wire(terms.rollover),
    )


def _rollover_to_wire(rollover: Rollover | None) -> ledger_peer_pb2.RolloverTerms | None:
    if rollover is None:
        return None
    return ledger_peer_pb2.RolloverTerms(
        fraction_millionths=rollover.fraction_millionths,
        cap_micros=rollover.cap.micros if rollover.cap else 0,
        duration=rollover.duration,
    )
