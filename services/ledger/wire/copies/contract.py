# SPDX-License-Identifier: Apache-2.0
"""Updates from Contract: customers, contracts, seat changes; and its preview of a seat change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

from meshkit.quantity import INT64_MAX, Credits
from meshkit.rpc.fields import Fields
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.copies import (
    ContractUpdate,
    CustomerUpdate,
    SeatChangeUpdate,
    SubscriptionSeats,
)
from services.ledger.domain.credits.grant import CreditTypeId, ProductId, ScheduleId
from services.ledger.domain.credits.proration import SeatChange
from services.ledger.domain.credits.schedule import (
    UNIT_AMOUNT_MAX,
    Edition,
    GrantFrequency,
    GrantTerms,
    PeriodProration,
    Rollover,
    Schedule,
    ScheduleCredits,
)
from services.ledger.wire.amounts import time_in_periods
from services.ledger.wire.copies.seats import (
    SEATS_MAX,
    allocation_from_wire,
    moves_from_wire,
    subscription_from_wire,
)
from services.ledger.wire.copies.values import customer_id_from_wire, version_from_wire
from services.ledger.wire.credits.grants import PRIORITY_MAX, scope_from_wire

# A grant lives at most so many intervals of its schedule's frequency: with ANNUAL, 120 years.
PERIODS_MAX = 120
EDITIONS_MAX = 100

_FREQUENCIES: Final[Mapping[int, GrantFrequency]] = {
    pb.GRANT_FREQUENCY_DAILY: GrantFrequency.DAILY,
    pb.GRANT_FREQUENCY_WEEKLY: GrantFrequency.WEEKLY,
    pb.GRANT_FREQUENCY_MONTHLY: GrantFrequency.MONTHLY,
    pb.GRANT_FREQUENCY_QUARTERLY: GrantFrequency.QUARTERLY,
    pb.GRANT_FREQUENCY_ANNUAL: GrantFrequency.ANNUAL,
}
_PRORATIONS: Final[Mapping[int, PeriodProration]] = {
    pb.PERIOD_PRORATION_FIRST_AND_LAST: PeriodProration.FIRST_AND_LAST,
    pb.PERIOD_PRORATION_FIRST: PeriodProration.FIRST,
    pb.PERIOD_PRORATION_LAST: PeriodProration.LAST,
    pb.PERIOD_PRORATION_NONE: PeriodProration.NONE,
}


def customer_from_wire(request: pb.ApplyCustomerRequest) -> CustomerUpdate:
    fields = Fields()
    fields.request_id(request.request_id)
    update = CustomerUpdate(
        customer_id=customer_id_from_wire(fields, request.customer_id),
        version=version_from_wire(fields, request.version),
        aliases=tuple(
            dict.fromkeys(fields.text(f"aliases[{n}]", alias) for n, alias in enumerate(request.aliases))
        ),
        is_suspended=request.is_suspended,
    )
    fields.check()
    return update


def contract_from_wire(request: pb.ApplyContractRequest) -> ContractUpdate:
    fields = Fields()
    fields.request_id(request.request_id)
    start_time = time_in_periods(
        fields, "start_time", fields.time("start_time", request.start_time, request.HasField("start_time"))
    )
    end_time = fields.optional_time("end_time", request.end_time, request.HasField("end_time"))
    if end_time is not None and end_time < start_time:
        fields.add("end_time", "must not be before start_time")
    contract_id = fields.text("contract_id", request.contract_id)
    subscriptions = tuple(
        subscription_from_wire(fields, f"subscriptions[{n}]", one)
        for n, one in enumerate(request.subscriptions)
    )
    update = ContractUpdate(
        customer_id=customer_id_from_wire(fields, request.customer_id),
        contract_id=contract_id,
        version=version_from_wire(fields, request.version),
        rate_card_id=fields.text("rate_card_id", request.rate_card_id),
        start_time=start_time,
        end_time=end_time,
        accept_time=fields.optional_time("accept_time", request.accept_time, request.HasField("accept_time")),
        subscriptions=subscriptions,
        schedules=tuple(
            _schedule_from_wire(
                fields, f"grant_schedules[{n}]", one, contract_id, start_time, end_time, subscriptions
            )
            for n, one in enumerate(request.grant_schedules)
        ),
        overage_caps=_overage_caps_from_wire(fields, request.overage),
    )
    fields.check()
    return update


def _overage_caps_from_wire(fields: Fields, policy: pb.OveragePolicy) -> dict[CreditTypeId, Credits | None]:
    caps: dict[CreditTypeId, Credits | None] = {}
    for n, one in enumerate(policy.limits):
        path = f"overage.limits[{n}]"
        credit_type_id = CreditTypeId(fields.text(f"{path}.credit_type_id", one.credit_type_id))
        if credit_type_id in caps:
            fields.add(f"{path}.credit_type_id", "must be different in each limit")
        cap = Credits(fields.micros(f"{path}.cap_micros", one.cap_micros))
        caps[credit_type_id] = cap if one.HasField("cap_micros") else None
    return caps


def _schedule_from_wire(
    fields: Fields,
    path: str,
    terms: pb.ScheduleTerms,
    contract_id: str,
    start_time: datetime,
    end_time: datetime | None,
    subscriptions: Sequence[SubscriptionSeats],
) -> Schedule:
    if terms.subscription_id and terms.subscription_id not in {one.subscription_id for one in subscriptions}:
        fields.add(f"{path}.subscription_id", "must be one of this contract's subscriptions")
    interval_count = fields.count(
        f"{path}.interval_count", terms.interval_count or 1, minimum=1, maximum=PERIODS_MAX
    )
    schedule_end = fields.optional_time(f"{path}.end_time", terms.end_time, terms.HasField("end_time"))
    editions = tuple(
        Edition(
            fields.time(
                f"{path}.editions[{n}].effective_time", one.effective_time, one.HasField("effective_time")
            ),
            _terms_from_wire(fields, f"{path}.editions[{n}]", one, interval_count),
        )
        for n, one in enumerate(terms.editions)
    )
    if len(editions) > EDITIONS_MAX:
        fields.add(f"{path}.editions", f"must have at most {EDITIONS_MAX} elements")
    return Schedule(
        schedule_id=ScheduleId(fields.text(f"{path}.grant_schedule_id", terms.grant_schedule_id)),
        contract_id=contract_id,
        subscription_id=terms.subscription_id or None,
        product_id=ProductId(fields.text(f"{path}.product_id", terms.product_id)),
        credit_type_id=CreditTypeId(fields.text(f"{path}.credit_type_id", terms.credit_type_id)),
        frequency=fields.choice(f"{path}.frequency", terms.frequency, _FREQUENCIES),
        interval_count=interval_count,
        anchor=fields.time(f"{path}.anchor_time", terms.anchor_time, terms.HasField("anchor_time")),
        start_time=start_time,
        end_time=schedule_end,
        terms=_terms_from_wire(fields, path, terms, interval_count),
        editions=tuple(sorted(editions, key=attrgetter("effective_time"))),
        allocation=allocation_from_wire(fields, path, terms, subscriptions),
        is_free=terms.is_free,
        charge_time=fields.optional_time(
            f"{path}.charge_time", terms.charge_time, terms.HasField("charge_time")
        ),
    )


def _terms_from_wire(
    fields: Fields, path: str, terms: pb.ScheduleTerms | pb.ScheduleEdition, interval_count: int
) -> GrantTerms:
    unit_amount = fields.micros(
        f"{path}.unit_amount_micros", terms.unit_amount_micros, minimum=1, maximum=UNIT_AMOUNT_MAX.micros
    )
    return GrantTerms(
        unit_amount=Credits(unit_amount),
        priority=fields.count(f"{path}.priority", terms.priority, minimum=1, maximum=PRIORITY_MAX),
        prorates_increases=terms.prorates_increases,
        period_proration=fields.choice(f"{path}.period_proration", terms.period_proration, _PRORATIONS),
        commit_duration=fields.count(
            f"{path}.commit_duration",
            terms.commit_duration,
            minimum=1,
            maximum=PERIODS_MAX // max(1, interval_count),
        ),
        scope_product_ids=scope_from_wire(fields, f"{path}.scope_product_ids", list(terms.scope_product_ids)),
        rollover=_rollover_from_wire(fields, f"{path}.rollover", terms.rollover, interval_count)
        if terms.HasField("rollover")
        else None,
    )


def _rollover_from_wire(
    fields: Fields, path: str, rollover: pb.RolloverTerms, interval_count: int
) -> Rollover:
    cap = fields.micros(f"{path}.cap_micros", rollover.cap_micros)
    return Rollover(
        fraction_millionths=fields.count(
            f"{path}.fraction_millionths", rollover.fraction_millionths, minimum=1, maximum=1_000_000
        ),
        cap=Credits(cap) if cap else None,
        duration=fields.count(
            f"{path}.duration", rollover.duration, minimum=1, maximum=PERIODS_MAX // max(1, interval_count)
        ),
    )


def seat_change_from_wire(request: pb.ApplySeatChangeRequest) -> SeatChangeUpdate:
    fields = Fields()
    fields.request_id(request.request_id)
    moves = moves_from_wire(fields, request)
    update = SeatChangeUpdate(
        customer_id=customer_id_from_wire(fields, request.customer_id),
        subscription_id=fields.text("subscription_id", request.subscription_id),
        change=SeatChange(
            effective_time=fields.time(
                "effective_time", request.effective_time, request.HasField("effective_time")
            ),
            sequence=fields.count("sequence", request.sequence, minimum=1, maximum=INT64_MAX),
            seat_change_id=fields.text("seat_change_id", request.seat_change_id),
            quantity_delta=_delta(fields, request, may_be_zero=bool(moves)),
            new_quantity=_new_quantity(fields, request),
            accept_time=fields.optional_time(
                "accept_time", request.accept_time, request.HasField("accept_time")
            ),
        ),
        moves=moves,
    )
    fields.check()
    return update


def seat_change_to_wire(added: Sequence[ScheduleCredits]) -> pb.ApplySeatChangeResponse:
    return pb.ApplySeatChangeResponse(credits=[credits_to_wire(one) for one in added])


def preview_from_wire(request: pb.PreviewSeatChangeRequest) -> SeatChangeUpdate:
    fields = Fields()
    update = SeatChangeUpdate(
        customer_id=customer_id_from_wire(fields, request.customer_id),
        subscription_id=fields.text("subscription_id", request.subscription_id),
        change=SeatChange(
            effective_time=time_in_periods(
                fields,
                "effective_time",
                fields.time("effective_time", request.effective_time, request.HasField("effective_time")),
            ),
            # Behind every change received so far.
            sequence=INT64_MAX,
            seat_change_id="",
            quantity_delta=_delta(fields, request),
            new_quantity=_new_quantity(fields, request),
        ),
    )
    fields.check()
    return update


def preview_to_wire(credits: Sequence[ScheduleCredits]) -> pb.PreviewSeatChangeResponse:
    return pb.PreviewSeatChangeResponse(credits=[credits_to_wire(one) for one in credits])


def credits_to_wire(one: ScheduleCredits) -> pb.ScheduleCredits:
    return pb.ScheduleCredits(
        grant_schedule_id=one.schedule_id, credit_type_id=one.credit_type_id, amount_micros=one.amount.micros
    )


def _delta(
    fields: Fields,
    request: pb.ApplySeatChangeRequest | pb.PreviewSeatChangeRequest,
    *,
    may_be_zero: bool = False,
) -> int:
    is_set = request.quantity_delta != 0
    if is_set and request.HasField("new_quantity"):
        fields.add("quantity_delta", "must be 0 if new_quantity is set")
    elif not is_set and not may_be_zero and not request.HasField("new_quantity"):
        fields.add("quantity_delta", "must not be 0 unless new_quantity is set")
    return fields.count("quantity_delta", request.quantity_delta, minimum=-SEATS_MAX, maximum=SEATS_MAX)


def _new_quantity(
    fields: Fields, request: pb.ApplySeatChangeRequest | pb.PreviewSeatChangeRequest
) -> int | None:
    if not request.HasField("new_quantity"):
        return None
    return fields.count("new_quantity", request.new_quantity, minimum=0, maximum=SEATS_MAX)
