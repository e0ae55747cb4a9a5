# SPDX-License-Identifier: Apache-2.0
"""The Ledger's store and the operations that fill it, without a server: acme's 4 seats and their credits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from meshkit.quantity import Credits, Ratio
from services.ledger.domain.copies import (
    ContractUpdate,
    CustomerUpdate,
    ProductUpdate,
    RateCardUpdate,
    SubscriptionSeats,
)
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.commands import IssueGrant
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    CustomerId,
    Grant,
    GrantKind,
    ProductId,
    ScheduleId,
)
from services.ledger.domain.credits.schedule import GrantFrequency, GrantTerms, PeriodProration, Schedule
from services.ledger.domain.gate.commands import Authorize, Capture, Debit, GateCommand
from services.ledger.domain.gate.decision import Authorized, Debited
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.rating.metric import Aggregation, Metric
from services.ledger.domain.rating.price import FlatPrice
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.usage.meter import MeteredPrice
from services.ledger.operations.copies import Copies
from services.ledger.operations.credits.grants import Grants
from services.ledger.operations.credits.reports import Reports
from services.ledger.operations.credits.settlement import Settlement
from services.ledger.operations.gate.batch import GateRpc
from services.ledger.operations.gate.gate import Gate, GateLane, gate_lane
from services.ledger.operations.usage.attachment import Attachment
from services.ledger.operations.usage.intake import Intake
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from tests.support.postgres import Databases

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)
ACME, GLOBEX = CustomerId("cus_acme"), CustomerId("cus_globex")
AI = CreditTypeId("crt_ai")
ASSISTANT = ProductId("prd_assistant")


class CountingRelay:
    """A relay that counts how often it is woken."""

    def __init__(self) -> None:
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The store and operations of one replica, with a clock that the test sets."""

    store: PostgresStore
    clock: ManualClock
    ids: Ids
    relay: CountingRelay
    copies: Copies
    grants: Grants
    reports: Reports
    settlement: Settlement
    gate: Gate
    lane: GateLane

    async def sign(self, customer_id: CustomerId = ACME, *, seats: int = 4) -> None:
        """Apply a product, its price, a customer, and its contract with 100 credits a month for each seat."""
        await self.copies.apply_product(A_PRODUCT)
        await self.copies.apply_rate_card(A_CARD)
        await self.copies.apply_customer(
            CustomerUpdate(customer_id=customer_id, version=1, aliases=(), is_suspended=False)
        )
        await self.copies.apply_contract(
            ContractUpdate(
                customer_id=customer_id,
                contract_id="con_1",
                version=1,
                rate_card_id="rcd_1",
                start_time=JUNE,
                end_time=None,
                subscriptions=(SubscriptionSeats("sub_1", seats),),
                schedules=(A_SCHEDULE,),
            )
        )

    async def read(
        self,
        customer_id: CustomerId = ACME,
        *,
        hold_id: HoldId | None = None,
        group_values: tuple[GroupValue, ...] = (),
        prices: tuple[MeteredPrice, ...] = (),
    ) -> Account:
        """Return an account as stored."""
        at = self.clock.now()
        reading = await self.store.run(
            lambda tx: tx.accounts.read(
                customer_id, AI, at=at, hold_id=hold_id, group_values=group_values, prices=prices
            )
        )
        return reading.account

    async def authorize(self, credits: int, *, user: str = "ann") -> Authorized:
        return await ask(
            self.gate,
            Authorize(
                request_id=(request_id := self.ids.new("req")),
                fingerprint=request_id.encode(),
                customer=ACME,
                product_id=ASSISTANT,
                amount=Credits.of(credits),
                group_values={"user_id": user, "team": "red"},
                hold_ttl=timedelta(minutes=5),
                allow_partial=False,
            ),
        )

    async def debit(self, credits: int, *, user: str = "ann", customer_id: CustomerId = ACME) -> Debited:
        return await ask(
            self.gate,
            Debit(
                request_id=(request_id := self.ids.new("req")),
                fingerprint=request_id.encode(),
                customer=customer_id,
                product_id=ASSISTANT,
                amount=Credits.of(credits),
                group_values={"user_id": user},
            ),
        )

    async def top_up(
        self,
        credits: int,
        *,
        credit_type_id: CreditTypeId = AI,
        effective_time: datetime | None = None,
        expire_time: datetime | None = None,
    ) -> Grant:
        return await self.grants.issue(
            IssueGrant(
                request_id=(request_id := self.ids.new("req")),
                fingerprint=request_id.encode(),
                customer=ACME,
                credit_type_id=credit_type_id,
                kind=GrantKind.TOP_UP,
                product_id=None,
                amount=Credits.of(credits),
                cost_basis_micros=0,
                priority=100,
                effective_time=effective_time,
                expire_time=expire_time,
                scope_product_ids=frozenset(),
                source_id=None,
            )
        )

    async def capture(self, hold_id: HoldId, credits: int) -> None:
        await ask(
            self.gate,
            Capture(
                request_id=(request_id := self.ids.new("req")),
                fingerprint=request_id.encode(),
                customer=ACME,
                hold_id=hold_id,
                actual=Credits.of(credits),
            ),
        )


async def ask(gate: Gate, command: GateCommand) -> Any:
    """Execute one command without gRPC."""
    return await gate.call(command, GateRpc(read=_as_it_is, write=_as_it_is))


def _as_it_is(value: Any) -> Any:
    return value


@asynccontextmanager
async def open_books(databases: Databases, *, clock: ManualClock | None = None) -> AsyncIterator[Books]:
    clock = clock or ManualClock(JUNE)
    wall = ManualClock(JUNE)
    ids = Ids(wall)
    relay = CountingRelay()
    pool = await open_pool(databases.url("ledger"), size=10)
    store = PostgresStore(pool, wall=wall, ids=ids)
    lane = gate_lane(store=store, clock=clock, ids=ids, relay=relay)
    lane.start()
    gate = Gate(lane, left_seconds=lambda: None)
    intake = Intake(lane, left_seconds=lambda: None)
    attachment = Attachment(store=store, intake=intake, clock=clock, wall=wall)
    settlement = Settlement(store=store, ids=ids, relay=relay)
    try:
        yield Books(
            store=store,
            clock=clock,
            ids=ids,
            relay=relay,
            copies=Copies(store=store, clock=clock, ids=ids, relay=relay, attachment=attachment),
            grants=Grants(store=store, clock=clock, ids=ids, relay=relay),
            reports=Reports(store=store, clock=clock, settlement=settlement),
            settlement=settlement,
            gate=gate,
            lane=lane,
        )
    finally:
        await lane.stop()
        pool.terminate()


A_PRODUCT = ProductUpdate(
    version=1,
    name="AI Assistant",
    billable_metric_id="met_1",
    product=UsageProduct(
        product_id=ASSISTANT,
        metric=Metric(
            event_type="ai_call",
            aggregation=Aggregation.COUNT,
            property=None,
            filters=(),
            group_keys=("user_id",),
        ),
    ),
)
A_CARD = RateCardUpdate(
    rate_card_id="rcd_1",
    version=1,
    rates=(
        Rate(
            rate_id="rat_1",
            product_id=ASSISTANT,
            credit_type_id=AI,
            price=FlatPrice(Ratio(12_000_000, 1_000_000)),
            effective_time=JUNE,
            end_time=None,
        ),
    ),
)
A_SCHEDULE = Schedule(
    schedule_id=ScheduleId("sch_1"),
    contract_id="con_1",
    subscription_id="sub_1",
    product_id=ProductId("prd_included"),
    credit_type_id=AI,
    frequency=GrantFrequency.MONTHLY,
    anchor=JUNE,
    start_time=JUNE,
    end_time=None,
    terms=GrantTerms(
        unit_amount=Credits.of(100),
        priority=1,
        prorates_increases=True,
        period_proration=PeriodProration.FIRST_AND_LAST,
        commit_duration=1,
        scope_product_ids=frozenset({ASSISTANT}),
    ),
)
