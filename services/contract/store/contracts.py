# SPDX-License-Identifier: Apache-2.0
"""Statements about contracts with their subscriptions and grant schedules."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller, only_visible
from meshkit.page import Page
from meshkit.quantity import Credits
from services.contract.domain.billing.price import Rounding
from services.contract.domain.collection import AfterLastRetry, CollectionMethod, InvoiceCollection
from services.contract.domain.contract import (
    BillingFrequency,
    CollectionSchedule,
    Contract,
    MoneyBack,
    SeatInvoicing,
    SeatProration,
    Subscription,
)
from services.contract.domain.errors.contracts import ContractNotFound
from services.contract.domain.ids import (
    ContractId,
    CreditTypeId,
    CustomerId,
    GrantScheduleId,
    ProductId,
    RateCardId,
    SeatId,
    SubscriptionId,
)
from services.contract.domain.schedules import (
    Allocation,
    GrantFrequency,
    GrantSchedule,
    GrantTerms,
    PeriodProration,
)
from services.contract.domain.seats.naming import NamedSeats, SharedPool, SharedPoolAccess
from services.contract.domain.term import Term
from services.contract.store.formats import EDITION, OVERAGE_LIMIT, ROLLOVER, decode_price, encode_price
from services.contract.store.paging import one_page
from services.contract.tables import contracts, grant_schedules, subscriptions

_SELECT: Final[Select[Any]] = select(
    contracts.c.contract_id,
    contracts.c.customer_id,
    contracts.c.version,
    contracts.c.name,
    contracts.c.rate_card_id,
    contracts.c.start_time,
    contracts.c.end_time,
    contracts.c.next_due_time,
    contracts.c.create_time,
    contracts.c.accept_time,
    contracts.c.term_months,
    contracts.c.term_renews,
    contracts.c.term_notice_days,
    contracts.c.overage,
    contracts.c.end_money_back,
    contracts.c.settles_end,
    contracts.c.collection_method,
    contracts.c.retry_days,
    contracts.c.after_last_retry,
    contracts.c.suspend_in_debt,
)
_SELECT_SUBSCRIPTIONS: Final[Select[Any]] = select(
    subscriptions.c.contract_id,
    subscriptions.c.subscription_id,
    subscriptions.c.product_id,
    subscriptions.c.product_name,
    subscriptions.c.billing_frequency,
    subscriptions.c.is_prorated,
    subscriptions.c.invoicing,
    subscriptions.c.rounding,
    subscriptions.c.initial_quantity,
    subscriptions.c.rates,
    subscriptions.c.periods_billed,
    subscriptions.c.billed_from,
    subscriptions.c.changes,
    subscriptions.c.collection_schedule,
    subscriptions.c.interval_count,
    subscriptions.c.anchor_time,
    subscriptions.c.seat_group_key,
    subscriptions.c.shared_pool_access,
    subscriptions.c.shared_pool_seat_ids,
).order_by(subscriptions.c.contract_id, subscriptions.c.position)
_SELECT_SCHEDULES: Final[Select[Any]] = select(
    grant_schedules.c.contract_id,
    grant_schedules.c.grant_schedule_id,
    grant_schedules.c.product_id,
    grant_schedules.c.credit_type_id,
    grant_schedules.c.unit_amount_micros,
    grant_schedules.c.subscription_id,
    grant_schedules.c.frequency,
    grant_schedules.c.interval_count,
    grant_schedules.c.anchor_time,
    grant_schedules.c.end_time,
    grant_schedules.c.priority,
    grant_schedules.c.prorates_increases,
    grant_schedules.c.period_proration,
    grant_schedules.c.commit_duration,
    grant_schedules.c.scope_product_ids,
    grant_schedules.c.rollover,
    grant_schedules.c.editions,
    grant_schedules.c.allocation,
).order_by(grant_schedules.c.contract_id, grant_schedules.c.position)


class StoredContracts:
    """Contracts are never deleted. Lock a contract before you change it, its seats or its billing."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, contract: Contract) -> None:
        await self._connection.execute(insert(contracts).values(_contract_to_row(contract)))
        if contract.subscriptions:
            await self._connection.execute(
                insert(subscriptions),
                [
                    {"contract_id": contract.contract_id, "position": position} | _subscription_to_row(one)
                    for position, one in enumerate(contract.subscriptions)
                ],
            )
        if contract.grant_schedules:
            await self._connection.execute(
                insert(grant_schedules),
                [
                    {"contract_id": contract.contract_id, "position": position} | _schedule_to_row(one)
                    for position, one in enumerate(contract.grant_schedules)
                ],
            )

    async def customer_of(self, contract_id: ContractId) -> CustomerId:
        """Return the customer of a contract, which never changes. Raises ContractNotFound."""
        found = select(contracts.c.customer_id).where(contracts.c.contract_id == contract_id)
        customer_id = (await self._connection.execute(found)).scalar_one_or_none()
        if customer_id is None or not current_caller().may_see(customer_id):
            raise ContractNotFound(contract_id=contract_id)
        return CustomerId(customer_id)

    async def find(self, contract_id: ContractId) -> Contract:
        """Return a contract as last committed. Raises ContractNotFound."""
        rows = await self._connection.execute(_SELECT.where(contracts.c.contract_id == contract_id))
        if (row := rows.first()) is None or not current_caller().may_see(row.customer_id):
            raise ContractNotFound(contract_id=contract_id)
        return (await self._whole([row]))[0]

    async def lock(self, contract_id: ContractId) -> Contract:
        """Return a contract locked until the commit. Raises ContractNotFound."""
        locked = _SELECT.where(contracts.c.contract_id == contract_id).with_for_update(key_share=True)
        row = (await self._connection.execute(locked)).first()
        if row is None or not current_caller().may_see(row.customer_id):
            raise ContractNotFound(contract_id=contract_id)
        return (await self._whole([row]))[0]

    async def listed(self, customer_id: CustomerId | None, page: Page) -> list[Contract]:
        """Return a page in order of creation, of one customer or of all, and one row more if there is one."""
        of = only_visible(_SELECT, contracts.c.customer_id)
        if customer_id is not None:
            of = of.where(contracts.c.customer_id == customer_id)
        return await self._whole(
            (await self._connection.execute(one_page(of, contracts.c.contract_id, page))).all()
        )

    async def first_not_over(self, customer_id: CustomerId, *, at: datetime) -> ContractId | None:
        """Return the oldest contract of a customer that is in force at `at`, or begins later."""
        lasting = or_(contracts.c.end_time.is_(None), contracts.c.end_time > at)
        found = (
            select(contracts.c.contract_id)
            .where(contracts.c.customer_id == customer_id, lasting)
            .order_by(contracts.c.contract_id)
            .limit(1)
        )
        contract_id = (await self._connection.execute(found)).scalar_one_or_none()
        return None if contract_id is None else ContractId(contract_id)

    async def renew_all(self, customer_id: CustomerId) -> list[Contract]:
        """Raise the version of every contract of a locked customer; returns them in order of creation."""
        of_customer = contracts.c.customer_id == customer_id
        await self._connection.execute(
            update(contracts).where(of_customer).values(version=contracts.c.version + 1)
        )
        rows = await self._connection.execute(_SELECT.where(of_customer).order_by(contracts.c.contract_id))
        return await self._whole(rows.all())

    async def save_terms(self, contract: Contract) -> None:
        """Save the end, the version, the due time and the overage of a locked contract."""
        await self._connection.execute(
            update(contracts)
            .where(contracts.c.contract_id == contract.contract_id)
            .values(
                version=contract.version,
                end_time=contract.end_time,
                next_due_time=contract.next_due_time,
                accept_time=contract.accept_time,
                # An end may close the usage period earlier; without one, LEAST is what it was.
                usage_due_time=func.least(contracts.c.usage_due_time, contract.end_time),
                overage=[OVERAGE_LIMIT.encode(one) for one in contract.overage],
                **_end_to_row(contract),
            )
        )

    async def save_end_settled(self, contract_id: ContractId) -> None:
        """Save that the money of a locked contract's end, which has passed, is being settled."""
        await self._connection.execute(
            update(contracts).where(contracts.c.contract_id == contract_id).values(settles_end=False)
        )

    async def save_collection(self, contract: Contract) -> None:
        """Save how the invoices of a locked contract are collected."""
        await self._connection.execute(
            update(contracts)
            .where(contracts.c.contract_id == contract.contract_id)
            .values(_collection_to_row(contract.collection))
        )

    async def save_due(self, contract_id: ContractId, next_due_time: datetime | None) -> None:
        """Save the next due time of a locked contract."""
        await self._connection.execute(
            update(contracts)
            .where(contracts.c.contract_id == contract_id)
            .values(next_due_time=next_due_time)
        )

    async def save_subscription(self, subscription: Subscription) -> None:
        """Save the prices, the billed periods and the number of changes of a locked contract's subscription."""
        row = _subscription_to_row(subscription)
        changing = ("rates", "periods_billed", "billed_from", "changes")
        await self._connection.execute(
            update(subscriptions)
            .where(subscriptions.c.subscription_id == subscription.subscription_id)
            .values({column: row[column] for column in changing})
        )

    async def save_naming(self, subscription: Subscription) -> None:
        """Save how the seats of a locked contract's subscription are named."""
        await self._connection.execute(
            update(subscriptions)
            .where(subscriptions.c.subscription_id == subscription.subscription_id)
            .values(_naming_to_row(subscription.named))
        )

    async def save_schedule(self, schedule: GrantSchedule) -> None:
        """Save the end and the editions of a grant schedule of a locked contract."""
        row = _schedule_to_row(schedule)
        await self._connection.execute(
            update(grant_schedules)
            .where(grant_schedules.c.grant_schedule_id == schedule.grant_schedule_id)
            .values({column: row[column] for column in ("end_time", "editions")})
        )

    async def due(
        self, *, at: datetime, after: tuple[datetime, ContractId] | None, rows_max: int
    ) -> list[tuple[datetime, ContractId]]:
        """Return the due times and ids of contracts due up to `at`, in due order, after `after`."""
        key = tuple_(contracts.c.next_due_time, contracts.c.contract_id)
        statement = select(contracts.c.next_due_time, contracts.c.contract_id).where(
            contracts.c.next_due_time <= at
        )
        if after is not None:
            statement = statement.where(key > after)
        ordered = statement.order_by(contracts.c.next_due_time, contracts.c.contract_id).limit(rows_max)
        rows = await self._connection.execute(ordered)
        return [(row.next_due_time, ContractId(row.contract_id)) for row in rows]

    async def _whole(self, rows: Sequence[Row[Any]]) -> list[Contract]:
        contract_ids = [row.contract_id for row in rows]
        seats = await self._subscriptions_of(contract_ids)
        schedules = await self._schedules_of(contract_ids)
        return [
            _contract_from_row(row, tuple(seats[row.contract_id]), tuple(schedules[row.contract_id]))
            for row in rows
        ]

    async def _subscriptions_of(self, contract_ids: Collection[str]) -> dict[str, list[Subscription]]:
        found: defaultdict[str, list[Subscription]] = defaultdict(list)
        of = _SELECT_SUBSCRIPTIONS.where(subscriptions.c.contract_id.in_(contract_ids))
        for row in await self._connection.execute(of):
            found[row.contract_id].append(_subscription_from_row(row))
        return found

    async def _schedules_of(self, contract_ids: Collection[str]) -> dict[str, list[GrantSchedule]]:
        found: defaultdict[str, list[GrantSchedule]] = defaultdict(list)
        of = _SELECT_SCHEDULES.where(grant_schedules.c.contract_id.in_(contract_ids))
        for row in await self._connection.execute(of):
            found[row.contract_id].append(_schedule_from_row(row))
        return found


def _contract_to_row(contract: Contract) -> dict[str, Any]:
    return {
        "contract_id": contract.contract_id,
        "customer_id": contract.customer_id,
        "version": contract.version,
        "name": contract.name,
        "rate_card_id": contract.rate_card_id,
        "start_time": contract.start_time,
        "end_time": contract.end_time,
        "next_due_time": contract.next_due_time,
        "create_time": contract.create_time,
        "accept_time": contract.accept_time,
        "term_months": None if contract.term is None else contract.term.months,
        "term_renews": None if contract.term is None else contract.term.renews,
        "term_notice_days": None if contract.term is None else contract.term.notice_days,
        "overage": [OVERAGE_LIMIT.encode(one) for one in contract.overage],
        **_end_to_row(contract),
        **_collection_to_row(contract.collection),
    }


def _collection_to_row(collection: InvoiceCollection) -> dict[str, Any]:
    return {
        "collection_method": collection.method.value,
        "retry_days": list(collection.retry_days),
        "after_last_retry": collection.after_last_retry.value,
        "suspend_in_debt": collection.suspend_in_debt,
    }


def _end_to_row(contract: Contract) -> dict[str, Any]:
    money_back = contract.end_money_back
    return {
        "end_money_back": None if money_back is None else money_back.value,
        "settles_end": contract.settles_end,
    }


def _contract_from_row(
    row: Row[Any], seats: tuple[Subscription, ...], schedules: tuple[GrantSchedule, ...]
) -> Contract:
    return Contract(
        contract_id=ContractId(row.contract_id),
        customer_id=CustomerId(row.customer_id),
        version=row.version,
        name=row.name,
        rate_card_id=RateCardId(row.rate_card_id),
        start_time=row.start_time,
        end_time=row.end_time,
        subscriptions=seats,
        grant_schedules=schedules,
        create_time=row.create_time,
        next_due_time=row.next_due_time,
        accept_time=row.accept_time,
        term=None
        if row.term_months is None
        else Term(months=row.term_months, renews=row.term_renews, notice_days=row.term_notice_days),
        overage=tuple(map(OVERAGE_LIMIT.decode, row.overage)),
        end_money_back=None if row.end_money_back is None else MoneyBack(row.end_money_back),
        settles_end=row.settles_end,
        collection=InvoiceCollection(
            method=CollectionMethod(row.collection_method),
            retry_days=tuple(row.retry_days),
            after_last_retry=AfterLastRetry(row.after_last_retry),
            suspend_in_debt=row.suspend_in_debt,
        ),
    )


def _subscription_to_row(subscription: Subscription) -> dict[str, Any]:
    return {
        "subscription_id": subscription.subscription_id,
        "product_id": subscription.product_id,
        "product_name": subscription.product_name,
        "billing_frequency": subscription.billing_frequency.value,
        "is_prorated": subscription.proration.is_prorated,
        "invoicing": subscription.proration.invoicing.value,
        "rounding": subscription.proration.rounding.value,
        "initial_quantity": subscription.initial_quantity,
        "rates": [encode_price(rate) for rate in subscription.rates],
        "periods_billed": subscription.periods_billed,
        "billed_from": subscription.billed_from,
        "changes": subscription.changes,
        "collection_schedule": subscription.collection_schedule.value,
        "interval_count": subscription.interval_count,
        "anchor_time": subscription.anchor_time,
        **_naming_to_row(subscription.named),
    }


def _subscription_from_row(row: Row[Any]) -> Subscription:
    return Subscription(
        subscription_id=SubscriptionId(row.subscription_id),
        product_id=ProductId(row.product_id),
        product_name=row.product_name,
        billing_frequency=BillingFrequency(row.billing_frequency),
        proration=SeatProration(
            is_prorated=row.is_prorated,
            invoicing=SeatInvoicing(row.invoicing),
            rounding=Rounding(row.rounding),
        ),
        initial_quantity=row.initial_quantity,
        rates=tuple(decode_price(rate) for rate in row.rates),
        periods_billed=row.periods_billed,
        billed_from=row.billed_from,
        changes=row.changes,
        collection_schedule=CollectionSchedule(row.collection_schedule),
        interval_count=row.interval_count,
        anchor_time=row.anchor_time,
        named=None
        if row.seat_group_key is None
        else NamedSeats(
            seat_group_key=row.seat_group_key,
            shared_pool=SharedPool(
                access=SharedPoolAccess(row.shared_pool_access),
                seat_ids=tuple(SeatId(one) for one in row.shared_pool_seat_ids),
            ),
        ),
    )


def _naming_to_row(named: NamedSeats | None) -> dict[str, Any]:
    shared_pool = SharedPool() if named is None else named.shared_pool
    return {
        "seat_group_key": None if named is None else named.seat_group_key,
        "shared_pool_access": shared_pool.access.value,
        "shared_pool_seat_ids": list(shared_pool.seat_ids),
    }


def _schedule_to_row(schedule: GrantSchedule) -> dict[str, Any]:
    terms = schedule.terms
    return {
        "grant_schedule_id": schedule.grant_schedule_id,
        "product_id": schedule.product_id,
        "credit_type_id": schedule.credit_type_id,
        "unit_amount_micros": terms.unit_amount.micros,
        "subscription_id": schedule.subscription_id,
        "frequency": schedule.frequency.value,
        "interval_count": schedule.interval_count,
        "anchor_time": schedule.anchor_time,
        "end_time": schedule.end_time,
        "priority": terms.priority,
        "prorates_increases": terms.prorates_increases,
        "period_proration": terms.period_proration.value,
        "commit_duration": terms.commit_duration,
        "scope_product_ids": list(terms.scope_product_ids),
        "rollover": None if terms.rollover is None else ROLLOVER.encode(terms.rollover),
        "editions": [EDITION.encode(one) for one in schedule.editions],
        "allocation": schedule.allocation.value,
    }


def _schedule_from_row(row: Row[Any]) -> GrantSchedule:
    return GrantSchedule(
        grant_schedule_id=GrantScheduleId(row.grant_schedule_id),
        product_id=ProductId(row.product_id),
        credit_type_id=CreditTypeId(row.credit_type_id),
        subscription_id=None if row.subscription_id is None else SubscriptionId(row.subscription_id),
        frequency=GrantFrequency(row.frequency),
        interval_count=row.interval_count,
        anchor_time=row.anchor_time,
        end_time=row.end_time,
        terms=GrantTerms(
            unit_amount=Credits(row.unit_amount_micros),
            priority=row.priority,
            prorates_increases=row.prorates_increases,
            period_proration=PeriodProration(row.period_proration),
            commit_duration=row.commit_duration,
            scope_product_ids=tuple(ProductId(one) for one in row.scope_product_ids),
            rollover=None if row.rollover is None else ROLLOVER.decode(row.rollover),
        ),
        editions=tuple(EDITION.decode(one) for one in row.editions),
        allocation=Allocation(row.allocation),
    )
