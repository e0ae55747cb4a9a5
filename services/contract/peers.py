# SPDX-License-Identifier: Apache-2.0
"""The peers of Contract: the Catalog, read when something is written, and the Ledger, for notices and previews."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.currency import is_currency
from meshkit.errors import AlreadyExists, Invalid, NotFound, Unavailable
from meshkit.outbox import warn_if_ahead
from meshkit.period import Period
from meshkit.quantity import MICROS, Credits, Money, Quantity, Ratio
from meshkit.rpc.fields import optional_timestamp, timestamp
from meshkit.rpc.status import faults_of, from_rpc_error
from purser.catalog.v1 import catalog_pb2, catalog_pb2_grpc
from purser.ledger.v1 import ledger_pb2, ledger_peer_pb2, ledger_peer_pb2_grpc
from services.contract.domain.billing.price import SeatRate
from services.contract.domain.billing.tiers import SeatPrice, SeatTier, TieredSeatRate, TierPricing
from services.contract.domain.commands import PlanAnswer, PlanPreview, ScheduleCredits
from services.contract.domain.contract import BillingFrequency, Contract
from services.contract.domain.errors import (
    CreditTypeNotFound,
    PeerUnavailable,
    ProductNotFound,
    RateCardNotFound,
    TopUpPackNotFound,
)
from services.contract.domain.ids import (
    CreditTypeId,
    CustomerId,
    ProductId,
    RateCardId,
    SubscriptionId,
    TopUpPackId,
)
from services.contract.domain.invoice import Share
from services.contract.domain.notices import (
    ContractChanged,
    CustomerChanged,
    OverageAllowed,
    PlanChanged,
    SeatsAtStart,
    SeatsChanged,
    TopUpPaid,
)
from services.contract.domain.offer import NO_MONEY, CatalogQuery, Offer, OfferedProduct, ProductType
from services.contract.domain.overage import CardMoney
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
from services.contract.domain.top_up import TopUpTerms
from services.contract.domain.usage.progress import Positions, UsageAnswer, UsageProgress
from services.contract.domain.usage.report import (
    CreditSource,
    Payer,
    UsageDetail,
    UsageLine,
    UsagePayment,
    UsageReport,
)

T = TypeVar("T")

CALLS_AT_ONCE_MAX = 16
PAGE_SIZE = 500
PAGES_MAX = 1_000

_PRODUCT_TYPES: Final = {
    catalog_pb2.PRODUCT_TYPE_SUBSCRIPTION: ProductType.SUBSCRIPTION,
    catalog_pb2.PRODUCT_TYPE_USAGE: ProductType.USAGE,
    catalog_pb2.PRODUCT_TYPE_FIXED: ProductType.FIXED,
}
_BILLING_FREQUENCIES: Final = {
    catalog_pb2.BILLING_FREQUENCY_WEEKLY: BillingFrequency.WEEKLY,
    catalog_pb2.BILLING_FREQUENCY_MONTHLY: BillingFrequency.MONTHLY,
    catalog_pb2.BILLING_FREQUENCY_QUARTERLY: BillingFrequency.QUARTERLY,
    catalog_pb2.BILLING_FREQUENCY_ANNUAL: BillingFrequency.ANNUAL,
}
_TIER_PRICINGS: Final[Mapping[int, TierPricing]] = {
    catalog_pb2.RATE_TYPE_GRADUATED: TierPricing.GRADUATED,
    catalog_pb2.RATE_TYPE_VOLUME: TierPricing.VOLUME,
}
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
_CREDIT_SOURCES: Final = {
    ledger_pb2.GRANT_KIND_INCLUDED: CreditSource.INCLUDED,
    ledger_pb2.GRANT_KIND_TOP_UP: CreditSource.TOP_UP,
    ledger_pb2.GRANT_KIND_PROMOTIONAL: CreditSource.PROMOTIONAL,
    ledger_pb2.GRANT_KIND_ROLLOVER: CreditSource.ROLLOVER,
}
_USAGE_DETAILS: Final[Mapping[int, UsageDetail]] = {
    ledger_peer_pb2.USAGE_DETAIL_GROUP_AND_GRANT: UsageDetail.GROUP_AND_GRANT,
    ledger_peer_pb2.USAGE_DETAIL_PRODUCT_AND_GRANT: UsageDetail.PRODUCT_AND_GRANT,
    ledger_peer_pb2.USAGE_DETAIL_PRODUCT_AND_KIND: UsageDetail.PRODUCT_AND_KIND,
}
_INCLUDED_CREDITS: Final = {
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


class CatalogPeer:
    """Reads the Catalog. Raises PeerUnavailable if it is down."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = catalog_pb2_grpc.CatalogServiceStub(channel)

    async def offer(self, query: CatalogQuery) -> Offer:
        """Read everything in the query, several calls at a time.

        Raises RateCardNotFound, ProductNotFound, CreditTypeNotFound.
        """
        money = NO_MONEY
        if query.rate_card_id is not None:
            money = await self.card_money(query.rate_card_id)
        product_ids = sorted(query.product_ids)
        products = await _some_at_once([self._product(one) for one in product_ids])
        await self._check_credit_types(query.credit_type_ids)
        rates: dict[tuple[ProductId, BillingFrequency], tuple[SeatPrice, ...]] = {}
        if query.rate_card_id is not None:
            priced = sorted(query.priced)
            found = await _some_at_once([self.rates(query.rate_card_id, one) for one in priced])
            for product_id, by_frequency in zip(priced, found, strict=True):
                rates |= {(product_id, frequency): its for frequency, its in by_frequency.items()}
        return Offer(products={one.product_id: one for one in products}, rates=rates, money=money)

    async def rates(
        self, rate_card_id: RateCardId, product_id: ProductId
    ) -> Mapping[BillingFrequency, tuple[SeatPrice, ...]]:
        """Read all past, present and future prices of a seat that apply; none if the Catalog does not know the card."""
        found: defaultdict[BillingFrequency, list[SeatPrice]] = defaultdict(list)
        page_token = ""
        for _ in range(PAGES_MAX):
            request = catalog_pb2.ListRatesRequest(
                rate_card_id=rate_card_id, product_id=product_id, page_size=PAGE_SIZE, page_token=page_token
            )
            try:
                async with _calling("catalog"):
                    page = await self._stub.ListRates(request)
            except (NotFound, Invalid):
                return {}
            for rate in filter(_applies, page.rates):
                frequency = _BILLING_FREQUENCIES.get(rate.billing_frequency)
                if frequency is not None and is_currency(rate.credit_type_id):
                    found[frequency].append(_rate_from_wire(rate))
            page_token = page.next_page_token
            if not page_token:
                break
        return {frequency: tuple(rates) for frequency, rates in found.items()}

    async def pack_terms(self, top_up_pack_id: TopUpPackId) -> TopUpTerms:
        """Read the credits and the price of a pack. Raises TopUpPackNotFound."""
        try:
            async with _calling("catalog"):
                answer = await self._stub.GetTopUpPack(
                    catalog_pb2.GetTopUpPackRequest(top_up_pack_id=top_up_pack_id)
                )
        except (NotFound, Invalid):
            raise TopUpPackNotFound(top_up_pack_id=top_up_pack_id) from None
        return _terms_from_wire(answer.top_up_pack)

    async def card_money(self, rate_card_id: RateCardId) -> CardMoney:
        """Read the currency of a card and what credits are worth in it. Raises RateCardNotFound."""
        try:
            async with _calling("catalog"):
                answer = await self._stub.GetRateCard(
                    catalog_pb2.GetRateCardRequest(rate_card_id=rate_card_id)
                )
        except (NotFound, Invalid):
            raise RateCardNotFound(rate_card_id=rate_card_id) from None
        card = answer.rate_card
        return CardMoney(
            currency_code=card.fiat_credit_type_id,
            per_credit_micros={
                CreditTypeId(card.fiat_credit_type_id): MICROS,
                **{CreditTypeId(one.credit_type_id): one.fiat_per_credit_micros for one in card.conversions},
            },
        )

    async def _product(self, product_id: ProductId) -> OfferedProduct:
        try:
            async with _calling("catalog"):
                answer = await self._stub.GetProduct(catalog_pb2.GetProductRequest(product_id=product_id))
        except (NotFound, Invalid):
            raise ProductNotFound(product_id=product_id) from None
        return OfferedProduct(
            product_id=product_id,
            name=answer.product.name,
            product_type=_PRODUCT_TYPES[answer.product.product_type],
        )

    async def _check_credit_types(self, credit_type_ids: Collection[CreditTypeId]) -> None:
        """Raises CreditTypeNotFound."""
        missing = set(credit_type_ids)
        page_token = ""
        for _ in range(PAGES_MAX):
            if not missing:
                return
            request = catalog_pb2.ListCreditTypesRequest(page_size=PAGE_SIZE, page_token=page_token)
            async with _calling("catalog"):
                page = await self._stub.ListCreditTypes(request)
            missing -= {CreditTypeId(one.credit_type_id) for one in page.credit_types}
            page_token = page.next_page_token
            if not page_token:
                break
        if missing:
            raise CreditTypeNotFound(credit_type_id=min(missing))


class LedgerPeer:
    """Delivers notices to the Ledger; repeating one changes nothing. Raises grpc.aio.AioRpcError if a call fails."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ledger_peer_pb2_grpc.LedgerPeerServiceStub(channel)

    async def apply_customer(self, changed: CustomerChanged, *, request_id: str) -> None:
        async with _calling("ledger"):
            answer = await self._stub.ApplyCustomer(
                ledger_peer_pb2.ApplyCustomerRequest(
                    request_id=request_id,
                    customer_id=changed.customer_id,
                    version=changed.version,
                    aliases=changed.aliases,
                    is_suspended=changed.is_suspended,
                )
            )
        sent, known = changed.version, answer.version
        warn_if_ahead("ledger", "CUSTOMER", changed.customer_id, sent=sent, known=known)

    async def apply_contract(self, changed: ContractChanged, *, request_id: str) -> None:
        request = _contract_to_wire(changed)
        request.request_id = request_id
        async with _calling("ledger"):
            answer = await self._stub.ApplyContract(request)
        sent, known = changed.version, answer.version
        warn_if_ahead("ledger", "CONTRACT", changed.contract_id, sent=sent, known=known)

    async def apply_seat_change(self, changed: SeatsChanged, *, request_id: str) -> None:
        async with _calling("ledger"):
            await self._stub.ApplySeatChange(
                ledger_peer_pb2.ApplySeatChangeRequest(
                    request_id=request_id,
                    customer_id=changed.customer_id,
                    subscription_id=changed.subscription_id,
                    seat_change_id=changed.seat_change_id,
                    sequence=changed.sequence,
                    effective_time=timestamp(changed.effective_time),
                    quantity_delta=changed.quantity_delta if changed.new_quantity is None else 0,
                    new_quantity=changed.new_quantity,
                    accept_time=optional_timestamp(changed.accept_time),
                    assign_seat_ids=changed.names.assign,
                    unassign_seat_ids=changed.names.unassign,
                    transfers=[
                        ledger_peer_pb2.SeatTransfer(from_seat_id=one.from_seat_id, to_seat_id=one.to_seat_id)
                        for one in changed.names.transfers
                    ],
                )
            )

    async def void_seat_change(self, changed: SeatsChanged, *, request_id: str) -> None:
        async with _calling("ledger"):
            await self._stub.VoidSeatChange(
                ledger_peer_pb2.VoidSeatChangeRequest(
                    request_id=request_id,
                    customer_id=changed.customer_id,
                    subscription_id=changed.subscription_id,
                    seat_change_id=changed.seat_change_id,
                )
            )

    async def apply_plan_change(self, changed: PlanChanged, *, request_id: str) -> PlanAnswer:
        """Tell a change of plan; returns what was unused. A repeated request gets the first answer."""
        request = ledger_peer_pb2.ApplyPlanChangeRequest(
            request_id=request_id,
            customer_id=changed.customer_id,
            ended=_contract_to_wire(changed.ended),
            begun=_begun_to_wire(changed),
            included_credits=_INCLUDED_CREDITS[changed.included_credits],
            paid_periods=[_paid_to_wire(one) for one in changed.paid],
        )
        async with _calling("ledger"):
            answer = await self._stub.ApplyPlanChange(request)
        return PlanAnswer(unused=_unused_from_wire(answer.unused), apply_time=_instant(answer.apply_time))

    async def preview_plan_change(self, changed: PlanChanged) -> PlanPreview:
        """Return what a change of plan would do now. Raises PeerUnavailable."""
        begun = changed.begun
        assert begun is not None
        request = ledger_peer_pb2.PreviewPlanChangeRequest(
            customer_id=changed.customer_id,
            ended=_contract_to_wire(changed.ended),
            begun=_begun_to_wire(changed),
            included_credits=_INCLUDED_CREDITS[changed.included_credits],
            paid_periods=[_paid_to_wire(one) for one in changed.paid],
        )
        try:
            async with _calling("ledger"):
                answer = await self._stub.PreviewPlanChange(request)
        except NotFound:
            raise PeerUnavailable(peer="ledger", details="it has not received this customer yet") from None
        granted = {one.grant_schedule_id: Credits(one.amount_micros) for one in answer.begun}
        return PlanPreview(
            unused=_unused_from_wire(answer.unused),
            granted=tuple(
                granted.get(one.grant_schedule_id, Credits.zero()) for one in begun.grant_schedules
            ),
        )

    async def issue_grant(self, paid: TopUpPaid, *, request_id: str) -> None:
        request = ledger_peer_pb2.IssueTopUpGrantRequest(
            request_id=request_id,
            customer_id=paid.customer_id,
            top_up_id=paid.top_up_id,
            credit_type_id=paid.credit_type_id,
            product_id=paid.product_id,
            amount_micros=paid.amount.micros,
            cost_basis_micros=paid.cost_basis.micros,
            priority=paid.priority,
            effective_time=timestamp(paid.effective_time),
            expire_time=optional_timestamp(paid.expire_time),
        )
        try:
            with faults_of("ledger"):
                await self._stub.IssueTopUpGrant(request)
        except AlreadyExists as fault:
            # Delivered so long ago that the response is no longer stored. The grant exists.
            if fault.reason != "GRANT_ALREADY_EXISTS":
                raise

    async def preview_seat_change(
        self,
        *,
        customer_id: CustomerId,
        subscription_id: SubscriptionId,
        effective_time: datetime,
        quantity_delta: int,
        new_quantity: int | None,
    ) -> Collection[ScheduleCredits]:
        """Return the credits that a seat change would add. Raises PeerUnavailable."""
        request = ledger_peer_pb2.PreviewSeatChangeRequest(
            customer_id=customer_id,
            subscription_id=subscription_id,
            effective_time=timestamp(effective_time),
            quantity_delta=quantity_delta if new_quantity is None else 0,
            new_quantity=new_quantity,
        )
        try:
            async with _calling("ledger"):
                answer = await self._stub.PreviewSeatChange(request)
        except NotFound:
            raise PeerUnavailable(peer="ledger", details="it has not received these seats yet") from None
        return [
            ScheduleCredits(
                grant_schedule_id=one.grant_schedule_id,
                credit_type_id=one.credit_type_id,
                amount=Credits(one.amount_micros),
            )
            for one in answer.credits
        ]

    async def contract_usage(
        self,
        contract: Contract,
        progress: UsageProgress,
        *,
        group_key: str,
        rows_max: int,
        positions_only: bool = False,
    ) -> UsageAnswer | None:
        """Return what a contract has used since the last answer, dated before the end of the open usage period.

        None: the Ledger has not received the customer's contract yet. positions_only: only where that usage begins.
        Raises PeerUnavailable.
        """
        request = ledger_peer_pb2.GetContractUsageRequest(
            customer_id=contract.customer_id,
            contract_id=contract.contract_id,
            covered=_positions_to_wire(progress.closed),
            covered_time=timestamp(progress.closed_time),
            period_time=timestamp(progress.closed_time),
            after=_positions_to_wire(progress.read),
            group_key=group_key,
            rows_max=rows_max,
            positions_only=positions_only,
        )
        try:
            async with _calling("ledger"):
                answer = await self._stub.GetContractUsage(request)
        except NotFound:
            return None
        if not answer.HasField("end_time"):
            return None
        return UsageAnswer(
            period=Period(_instant(answer.start_time), _instant(answer.end_time)),
            positions={CreditTypeId(one.credit_type_id): one.sequence for one in answer.positions},
            report=_report_from_wire(answer),
            has_more=answer.has_more,
        )


@asynccontextmanager
async def _calling(peer: str) -> AsyncIterator[None]:
    """Raise the fault of a failed call as a MeshError: PeerUnavailable if the peer is down."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        fault = from_rpc_error(error, peer=peer)
        if isinstance(fault, Unavailable):
            raise PeerUnavailable(peer=peer, details=error.details() or error.code().name) from error
        raise fault from error


async def _some_at_once(calls: Collection[Awaitable[T]]) -> list[T]:
    """Await all calls, CALLS_AT_ONCE_MAX at a time, and return the results in order. A fault cancels the rest."""
    places = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    async def in_turn(call: Awaitable[T]) -> T:
        async with places:
            return await call

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(call)) for call in calls]
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from None
    return [task.result() for task in tasks]


def _applies(rate: catalog_pb2.Rate) -> bool:
    """Return whether a rate prices its span: it was neither withdrawn nor corrected by a later rate."""
    return not (rate.HasField("withdraw_time") or rate.corrected_by_rate_id)


def _rate_from_wire(rate: catalog_pb2.Rate) -> SeatPrice:
    effective_time = _instant(rate.effective_time)
    end_time = _instant(rate.end_time) if rate.HasField("end_time") else None
    pricing = _TIER_PRICINGS.get(rate.rate_type)
    if pricing is None:
        return SeatRate(
            rate_id=rate.rate_id,
            currency_code=rate.credit_type_id,
            price=Ratio(rate.price_micros, rate.per_micros),
            effective_time=effective_time,
            end_time=end_time,
        )
    return TieredSeatRate(
        rate_id=rate.rate_id,
        currency_code=rate.credit_type_id,
        pricing=pricing,
        tiers=tuple(
            SeatTier(
                up_to=tier.up_to_micros // MICROS if tier.HasField("up_to_micros") else None,
                price=Ratio(tier.price_micros, tier.per_micros),
            )
            for tier in rate.tiers
        ),
        effective_time=effective_time,
        end_time=end_time,
    )


def _terms_from_wire(pack: catalog_pb2.TopUpPack) -> TopUpTerms:
    lifetime = pack.lifetime
    return TopUpTerms(
        product_id=ProductId(pack.product_id),
        credit_type_id=CreditTypeId(pack.credit_type_id),
        amount=Credits(pack.amount_micros),
        price=Money(pack.price.currency_code, pack.price.micros),
        priority=pack.priority,
        lifetime=timedelta(seconds=lifetime.seconds, microseconds=lifetime.nanos // 1_000)
        if pack.HasField("lifetime")
        else None,
    )


def _contract_to_wire(changed: ContractChanged) -> ledger_peer_pb2.ApplyContractRequest:
    """Return a contract for the Ledger, without a request_id."""
    return ledger_peer_pb2.ApplyContractRequest(
        customer_id=changed.customer_id,
        contract_id=changed.contract_id,
        version=changed.version,
        rate_card_id=changed.rate_card_id,
        start_time=timestamp(changed.start_time),
        end_time=optional_timestamp(changed.end_time),
        subscriptions=[_seats_to_wire(one) for one in changed.subscriptions],
        grant_schedules=[_schedule_to_wire(one) for one in changed.grant_schedules],
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


def _begun_to_wire(changed: PlanChanged) -> ledger_peer_pb2.ApplyContractRequest | None:
    """Return the contract that begins, with the ids that have its seats."""
    if changed.begun is None:
        return None
    begun = _contract_to_wire(changed.begun)
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


def _paid_to_wire(paid: PaidSeats) -> ledger_peer_pb2.PaidPeriod:
    return ledger_peer_pb2.PaidPeriod(
        subscription_id=paid.subscription_id,
        start_time=timestamp(paid.span.start),
        end_time=timestamp(paid.span.end),
        seats=paid.seats,
    )


def _unused_from_wire(unused: Collection[ledger_peer_pb2.UnusedShare]) -> tuple[UnusedShare, ...]:
    return tuple(
        UnusedShare(
            subscription_id=SubscriptionId(one.subscription_id), share=Share(one.numerator, one.denominator)
        )
        for one in unused
    )


def _positions_to_wire(positions: Positions) -> list[ledger_peer_pb2.PoolPosition]:
    return [
        ledger_peer_pb2.PoolPosition(credit_type_id=credit_type_id, sequence=sequence)
        for credit_type_id, sequence in positions.items()
    ]


def _report_from_wire(answer: ledger_peer_pb2.GetContractUsageResponse) -> UsageReport:
    detail = _USAGE_DETAILS.get(answer.detail, UsageDetail.GROUP_AND_GRANT)
    return UsageReport(detail=detail).plus(
        UsageReport(detail=detail, lines=tuple(map(_usage_line_from_wire, answer.rows)))
    )


def _usage_line_from_wire(row: ledger_peer_pb2.ContractUsageRow) -> UsageLine:
    paid_by: tuple[UsagePayment, ...] = ()
    if row.HasField("payer"):
        paid_by = (UsagePayment(payer=_payer_from_wire(row.payer), credits=Credits(row.credits_micros)),)
    return UsageLine(
        credit_type_id=CreditTypeId(row.credit_type_id),
        product_id=ProductId(row.product_id),
        product_name=row.product_name,
        group_value=row.group_value,
        quantity=Quantity(row.quantity_micros),
        paid_by=paid_by,
        overage=Credits(row.overage_micros),
        uncovered=Credits(row.shortfall_micros),
    )


def _payer_from_wire(payer: ledger_peer_pb2.UsagePayer) -> Payer:
    return Payer(
        source=_CREDIT_SOURCES[payer.grant_kind],
        product_id=payer.product_id,
        source_id=payer.source_id,
        effective_time=_instant(payer.effective_time) if payer.HasField("effective_time") else None,
    )


def _schedule_to_wire(schedule: GrantSchedule) -> ledger_peer_pb2.ScheduleTerms:
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


def _instant(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)
