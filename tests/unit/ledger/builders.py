# SPDX-License-Identifier: Apache-2.0
"""Domain objects of the Ledger, with a default for whatever a test does not care about. Amounts are whole credits."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings

from meshkit.errors import InvalidFields
from meshkit.quantity import Credits, Quantity, Ratio
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantId,
    GrantKind,
    ProductId,
    ScheduleId,
)
from services.ledger.domain.credits.proration import SeatChange, Seats
from services.ledger.domain.credits.schedule import (
    Edition,
    GrantFrequency,
    GrantTerms,
    PeriodProration,
    Rollover,
    Schedule,
)
from services.ledger.domain.crossings.watch import PERCENT, Watch, WatchKind
from services.ledger.domain.gate.decision import Amount, Ask, Entitlement
from services.ledger.domain.gate.spend_cap import (
    CapOwner,
    GroupValue,
    Spend,
    SpendCap,
    own_subjects,
    stepped_windows_of,
)
from services.ledger.domain.gate.standing import PriceBook, PricedContract, price_book
from services.ledger.domain.gate.windows import ZONE_DEFAULT, CapWindow
from services.ledger.domain.rating.dimensions import Dimension
from services.ledger.domain.rating.metric import Aggregation, Metric
from services.ledger.domain.rating.price import Conversion, FlatPrice, Price, Pricing
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate, price_list
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey

# The same examples in every run: a red test is red for everybody.
PROPERTY = settings(deadline=None, derandomize=True, max_examples=60)

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)
AUGUST = datetime(2025, 8, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)

ACME = CustomerId("cus_acme")
AI = CreditTypeId("crt_ai")
ASSISTANT = ProductId("prd_assistant")
IMAGES = ProductId("prd_images")
SEARCH = ProductId("prd_search")
PRICE = Ratio(12_000_000, 1_000_000)  # 12 credits a unit


def when(text: str) -> datetime:
    """Return an instant of 2025, UTC: when("07-03"), when("06-15 12:04:59.999999")."""
    return datetime.fromisoformat(f"2025-{text}").replace(tzinfo=UTC)


def a_grant(
    credits: int | str = 100,
    *,
    grant_id: str = "grt_1",
    kind: GrantKind = GrantKind.TOP_UP,
    priority: int = 1,
    start: datetime = JUNE,
    end: datetime | None = None,
    create_time: datetime = JUNE,
    paid: int = 0,
    only_for: Iterable[ProductId] = (),
    captured: int | str = 0,
    held: int | str = 0,
    expired: int | str = 0,
    schedule_id: str | None = None,
) -> Grant:
    return Grant(
        grant_id=GrantId(grant_id),
        kind=kind,
        product_id=None,
        priority=priority,
        effective_time=start,
        expire_time=end,
        create_time=create_time,
        granted=Credits.of(credits),
        captured=Credits.of(captured),
        held=Credits.of(held),
        expired=Credits.of(expired),
        cost_basis_micros=paid,
        scope_product_ids=frozenset(only_for),
        schedule_id=None if schedule_id is None else ScheduleId(schedule_id),
    )


def an_account(
    *grants: Grant,
    caps: tuple[SpendCap, ...] = (),
    spends: Mapping[GroupValue, Spend] | None = None,
    watches: tuple[Watch, ...] = (),
    settled_time: datetime | None = None,
) -> Account:
    return Account(
        customer_id=ACME,
        credit_type_id=AI,
        grants={grant.grant_id: grant for grant in grants},
        caps=caps,
        windows=stepped_windows_of(caps, ZONE_DEFAULT),
        own_subjects=own_subjects(caps),
        spends=spends or {},
        watches=watches,
        settled_time=settled_time,
    )


def a_price(
    price: Ratio | Price = PRICE, *, product_id: ProductId = ASSISTANT, period_start: datetime = JUNE
) -> MeteredPrice:
    """Return a price; a ratio is a flat one. Equal prices have one meter."""
    rate_id = f"rat_{product_id}_{price}"
    return MeteredPrice(
        meter_key=MeterKey(rate_id, period_start),
        product_id=product_id,
        rate_id=rate_id,
        pricing=Pricing(FlatPrice(price) if isinstance(price, Ratio) else price, None),
    )


def an_entitlement(
    *, price: Ratio | Price = PRICE, anchor: datetime = JUNE, product_id: ProductId = ASSISTANT
) -> Entitlement:
    return Entitlement(
        contract_id="con_1",
        anchor=anchor,
        credit_type_id=AI,
        price=a_price(price, product_id=product_id),
    )


def an_ask(
    amount: int | Amount,
    *,
    user: str | None = None,
    product_id: ProductId = ASSISTANT,
    price: Ratio | Price = PRICE,
    anchor: datetime = JUNE,
    more: Mapping[str, str] | None = None,
) -> Ask:
    """Ask for whole credits, or for an Amount. user: who spends; more: other properties that are counted."""
    group_values = ({} if user is None else {"user_id": user}) | dict(more or {})
    return Ask(
        product_id=product_id,
        entitlement=an_entitlement(price=price, anchor=anchor, product_id=product_id),
        amount=Credits.of(amount) if isinstance(amount, int) else amount,
        group_values=group_values,
        counted_group_values=group_values,
    )


def units(whole: int | str) -> Quantity:
    return Quantity.of(whole)


def a_product(
    product_id: ProductId = ASSISTANT,
    *,
    group_keys: Iterable[str] = ("user_id",),
    dimensions: Iterable[str] = (),
    aggregation: Aggregation = Aggregation.SUM,
    conversion: Conversion | None = None,
    event_type: str = "ai_call",
) -> UsageProduct:
    """Return a product that aggregates the property units; a dimension is named as its property."""
    return UsageProduct(
        product_id=product_id,
        metric=Metric(
            event_type=event_type,
            aggregation=aggregation,
            property=None if aggregation is Aggregation.COUNT else "units",
            filters=(),
            group_keys=tuple(group_keys),
        ),
        conversion=conversion,
        dimensions=tuple(Dimension(key=key, property=key, bands=()) for key in dimensions),
    )


def a_rate(
    price: Ratio | Price = PRICE,
    *,
    rate_id: str = "rat_1",
    product_id: ProductId = ASSISTANT,
    start: datetime = JUNE,
    end: datetime | None = None,
    credit_type_id: CreditTypeId = AI,
    **dimension_values: str,
) -> Rate:
    """Return a rate for these dimension values; a ratio is a flat price."""
    return Rate(
        rate_id=rate_id,
        product_id=product_id,
        credit_type_id=credit_type_id,
        price=FlatPrice(price) if isinstance(price, Ratio) else price,
        effective_time=start,
        end_time=end,
        dimension_values=dimension_values,
    )


def a_contract(
    *rates: Rate,
    contract_id: str = "con_1",
    start: datetime = JUNE,
    end: datetime | None = None,
    dimensions: Iterable[str] = (),
) -> PricedContract:
    """Return a contract from June on whose card has these rates of a product (none: 12 credits a unit)."""
    return PricedContract(
        contract_id=contract_id,
        start_time=start,
        end_time=end,
        prices=price_list(rates or [a_rate()], tuple(dimensions)),
    )


def a_book(
    product_id: ProductId = ASSISTANT,
    *contracts: PricedContract,
    product: UsageProduct | None = None,
    anchor: datetime = JUNE,
) -> PriceBook:
    """Return what a product costs: 12 credits a unit from June on, unless contracts say otherwise."""
    priced = contracts or [a_contract(a_rate(product_id=product_id))]
    return price_book(product or a_product(product_id), anchor, priced)


def a_cap(
    limit: int,
    *,
    user: str = "",
    key: str = "user_id",
    window: CapWindow = CapWindow.BILLING_PERIOD,
    hours: int = 0,
    owner: CapOwner = CapOwner.VENDOR,
    spend_cap_id: str = "cap_1",
) -> SpendCap:
    """Return a cap on one user, or on every user who has none; with the key "", on a subject of the Ledger's own."""
    return SpendCap(
        spend_cap_id=spend_cap_id,
        credit_type_id=AI,
        group_key=key,
        group_value=user,
        limit=Credits.of(limit),
        window=window,
        hours=hours,
        owner=owner,
        create_time=JUNE,
    )


def a_balance_watch(
    threshold: int,
    *,
    rearm: int | None = None,
    alert_id: str = "alr_low",
    version: int = 1,
    everybody: bool = False,
) -> Watch:
    return Watch(
        alert_id=alert_id,
        version=version,
        kind=WatchKind.LOW_BALANCE,
        customer_id=None if everybody else ACME,
        credit_type_id=AI,
        threshold=Credits.of(threshold),
        rearm=Credits.of(threshold if rearm is None else rearm),
        group_key="",
        group_value="",
    )


def a_percentage_watch(
    percent: int,
    *,
    rearm: int | None = None,
    alert_id: str = "alr_percent",
    version: int = 1,
    everybody: bool = False,
) -> Watch:
    level = Credits(percent * PERCENT)
    return replace(
        a_balance_watch(0, alert_id=alert_id, version=version, everybody=everybody),
        kind=WatchKind.LOW_PERCENTAGE,
        threshold=level,
        rearm=level if rearm is None else Credits(rearm * PERCENT),
    )


def an_uncovered_watch(
    kind: WatchKind,
    threshold: int = 0,
    *,
    rearm: int | None = None,
    everybody: bool = False,
    version: int = 1,
) -> Watch:
    """Return a watch on the shortfall or the overage of the usage period; threshold 0: on any."""
    level = Credits.of(threshold) if threshold else Credits(1)
    return replace(
        a_balance_watch(0, alert_id=f"alr_{kind.value.lower()}", everybody=everybody, version=version),
        kind=kind,
        threshold=level,
        rearm=level if rearm is None else Credits.of(rearm),
    )


def an_expiry_watch(
    threshold: int,
    days: int,
    *,
    rearm: int | None = None,
    alert_id: str = "alr_expiring",
    everybody: bool = False,
    version: int = 1,
) -> Watch:
    return replace(
        a_balance_watch(threshold, rearm=rearm, alert_id=alert_id, everybody=everybody, version=version),
        kind=WatchKind.GRANT_EXPIRING,
        within=timedelta(days=days),
    )


def a_spend_watch(
    threshold: int,
    *,
    user: str = "",
    rearm: int | None = None,
    alert_id: str = "alr_spend",
    version: int = 1,
    everybody: bool = False,
) -> Watch:
    """Return a watch on what one user spends, or on each user by himself."""
    return Watch(
        alert_id=alert_id,
        version=version,
        kind=WatchKind.SPEND,
        customer_id=None if everybody else ACME,
        credit_type_id=AI,
        threshold=Credits.of(threshold),
        rearm=Credits.of(threshold if rearm is None else rearm),
        group_key="user_id",
        group_value=user,
    )


def some_seats(initial: int, *changes: tuple[datetime, int]) -> Seats:
    """Return seats over time; changes, differences all, are received in the order given."""
    seats = Seats(initial, ())
    for sequence, (effective_time, delta) in enumerate(changes, start=1):
        seats = seats.with_change(a_seat_change(delta, effective_time, sequence=sequence))
    return seats


def a_seat_change(delta: int, effective_time: datetime, *, sequence: int = 1) -> SeatChange:
    return SeatChange(effective_time, sequence, f"chg_{sequence}", delta)


def a_count(quantity: int, effective_time: datetime, *, sequence: int = 1) -> SeatChange:
    return SeatChange(effective_time, sequence, f"chg_{sequence}", new_quantity=quantity)


def a_schedule(
    unit_amount: int | Credits = 100,
    *,
    schedule_id: str = "sch_1",
    contract_id: str = "con_1",
    per_seat: bool = True,
    frequency: GrantFrequency = GrantFrequency.MONTHLY,
    every: int = 1,
    anchor: datetime = JUNE,
    start: datetime | None = None,
    end: datetime | None = None,
    priority: int = 1,
    prorates_increases: bool = True,
    period_proration: PeriodProration = PeriodProration.FIRST_AND_LAST,
    commit_duration: int = 1,
    only_for: Iterable[ProductId] = (),
    rollover: Rollover | None = None,
    editions: Iterable[Edition] = (),
    is_free: bool = False,
    charge_time: datetime | None = None,
) -> Schedule:
    """Return a schedule of whole credits a seat and month; it starts at its anchor unless told otherwise."""
    return Schedule(
        schedule_id=ScheduleId(schedule_id),
        contract_id=contract_id,
        subscription_id="sub_1" if per_seat else None,
        product_id=ProductId("prd_included"),
        credit_type_id=AI,
        frequency=frequency,
        interval_count=every,
        anchor=anchor,
        start_time=start or anchor,
        end_time=end,
        terms=GrantTerms(
            unit_amount=Credits.of(unit_amount) if isinstance(unit_amount, int) else unit_amount,
            priority=priority,
            prorates_increases=prorates_increases,
            period_proration=period_proration,
            commit_duration=commit_duration,
            scope_product_ids=frozenset(only_for),
            rollover=rollover,
        ),
        editions=tuple(editions),
        is_free=is_free,
        charge_time=charge_time,
    )


def fields_refused(from_wire: Callable[[Any], object], request: object) -> set[str]:
    """Return the names of all fields that a request is refused for."""
    with pytest.raises(InvalidFields) as refused:
        from_wire(request)
    return {violation.field for violation in refused.value.violations}
