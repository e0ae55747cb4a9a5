# SPDX-License-Identifier: Apache-2.0
"""Whatever a customer does, it never has more credits per dollar than the most generous of its plans gives.

Free plans add what the most generous one of each usage period gives, once. Hypothesis chooses plans, instants, seats,
ends set ahead, spending, what becomes of credits and money, what is paid, and how notices to the Ledger fail.
Source: services/contract/README.md, "Change of plan" and "Free credits".
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc.aio
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from meshkit.period import period_at, period_index
from meshkit.rpc.status import from_rpc_error
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2
from tests.simulation.conftest import Plan
from tests.support.catalog import JUNE, Shop, a_rate, running_catalog
from tests.support.contract import NEXT_DATE, Desk, RunningContract, assorted, running_contract
from tests.support.failing_front import Away, FailingFront, failing_peer_front, unheard
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger import a_rate as a_usage_rate
from tests.support.postgres import PostgresServer, own_database

CREDIT = 1_000_000
MONTHLY, ANNUAL = pb.BILLING_FREQUENCY_MONTHLY, pb.BILLING_FREQUENCY_ANNUAL
ARREARS = pb.COLLECTION_SCHEDULE_ARREARS
CREDITED = pb.INVOICE_LINE_KIND_ACCOUNT_CREDIT
HALF_A_CENT = 5_000  # by which a line may have been rounded down
EXAMPLES = 8
NEVER = -1


@dataclass(frozen=True, slots=True)
class Offered:
    """A plan: what a seat costs in dollars per period, and how many credits it brings each month."""

    dollars: int
    credits: int
    terms: dict[str, Any] = field(default_factory=dict)

    @property
    def is_free(self) -> bool:
        return not self.dollars

    @property
    def credits_per_dollar(self) -> float:
        """Of a free plan 0: what it gives counts apart."""
        if self.is_free:
            return 0
        periods = 12 if self.terms.get("frequency") == ANNUAL else 1
        return self.credits * periods / self.dollars


PLANS = {
    "small": Offered(10, 100),
    "large": Offered(20, 200),
    "dear": Offered(30, 240),
    "later": Offered(10, 100, {"invoicing": NEXT_DATE}),
    "arrears": Offered(10, 100, {"invoicing": NEXT_DATE, "collection_schedule": ARREARS}),
    "annual": Offered(100, 100, {"frequency": ANNUAL}),
    "free": Offered(0, 50),
    "free large": Offered(0, 80),
    "free year": Offered(0, 60, {"frequency": ANNUAL}),
}


@dataclass(frozen=True, slots=True)
class Step:
    """hours: to wait first. spent: the quarters of all credits to spend. seats: to add; 0: change the plan, or end the
    contract and sign another one (signs_again).

    voids: instead, void the latest change of seats that is not void; if there is none, as without it.
    ends_in: hours until the end that is set instead; NEVER: it is removed; 0: it stays. pays: all that is due.
    ledger: what happens to notices from here on: "hears" them, is "away", or hears the next one but its reply is lost.
    """

    hours: int
    spent: int
    seats: int
    plan: str
    of_plan: int
    included: "pb.IncludedCredits"
    money_back: "pb.MoneyBack"
    ends_in: int
    pays: bool
    ledger: str
    signs_again: bool = False
    voids: bool = False


FREE_PLANS = [name for name, one in PLANS.items() if one.is_free]


def _steps(plans: Sequence[str]) -> st.SearchStrategy[Step]:
    return st.builds(
        Step,
        hours=st.sampled_from([0, 0, 1, 40, 200, 500, 744]),
        spent=st.sampled_from([4, 4, 1, 0]),
        seats=st.sampled_from([0, 0, 0, 1, 3]),
        plan=st.sampled_from(plans),
        of_plan=st.integers(1, 6),
        included=st.sampled_from(
            [pb.INCLUDED_CREDITS_VOID, pb.INCLUDED_CREDITS_KEEP, pb.INCLUDED_CREDITS_ROLL]
        ),
        money_back=st.sampled_from([pb.MONEY_BACK_CREDIT_UNUSED, pb.MONEY_BACK_NONE]),
        ends_in=st.sampled_from([0, 0, 0, 1, 30, 300, 900, NEVER]),
        pays=st.booleans(),
        ledger=st.sampled_from(["hears", "hears", "away", "reply lost"]),
        signs_again=st.sampled_from([False, False, True]),
        voids=st.sampled_from([False, False, True]),
    )


@dataclass(slots=True, kw_only=True)
class SeatsCo:
    """The running services, on one clock. products: by plan."""

    desk: Desk
    contract: RunningContract
    ledger: RunningLedger
    front: FailingFront
    clock: ManualClock
    products: dict[str, str]

    def terms(self, plan: str, seats: int) -> dict[str, Any]:
        offered = PLANS[plan]
        more = {"frequency": MONTHLY, **offered.terms}
        return {
            "subscriptions": [self.desk.seats(seats, product_id=self.products[plan], **more)],
            "grant_schedules": [self.desk.schedule(unit_amount_micros=offered.credits * CREDIT)],
        }


@asynccontextmanager
async def _open(server: PostgresServer) -> AsyncIterator[SeatsCo]:
    clock = ManualClock(JUNE)
    async with (
        own_database(server) as databases,
        running_catalog(databases) as catalog,
        running_ledger(databases, clock=clock) as ledger,
        failing_peer_front(ledger.peer) as front,
        running_contract(
            databases, catalog_address=catalog.address, ledger_address=front.address, clock=clock
        ) as contract,
    ):
        shop = Shop(catalog.stub)
        sells = await assorted(catalog.stub, shop)
        products = {}
        for name, plan in PLANS.items():
            is_annual = plan.terms.get("frequency") == ANNUAL
            frequency = (
                catalog_pb2.BILLING_FREQUENCY_ANNUAL if is_annual else catalog_pb2.BILLING_FREQUENCY_MONTHLY
            )
            seats = await shop.seats()
            products[name] = seats.product_id
            price = a_rate(seats, price_micros=plan.dollars * CREDIT, frequency=frequency)
            await shop.add(sells.rate_card, price)
        await ledger.tell_product("prd_assistant")
        usage = a_usage_rate(credit_type_id=sells.credits.credit_type_id)
        await ledger.tell_card(usage, rate_card_id=sells.rate_card.rate_card_id, version=100)
        yield SeatsCo(
            desk=Desk(contract.stub, sells),
            contract=contract,
            ledger=ledger,
            front=front,
            clock=clock,
            products=products,
        )


@dataclass(slots=True)
class Life:
    """What one customer does. starts: of contracts that the Ledger may believe to be in force, with all their seats.

    plan, seats: in force. free: the most free credits that one contract gives, by usage period. added: the seat changes
    of the contract that are not void, in their order, each with its seats. plans: all that it has had.
    """

    seatsco: SeatsCo
    contract: pb.Contract
    plan: str
    seats: int
    anchor: datetime
    plans: set[str]
    starts: list[datetime] = field(default_factory=list)
    added: list[tuple[str, int]] = field(default_factory=list)
    spent_micros: int = 0
    free: dict[int, int] = field(default_factory=dict)

    def count_free(self, since: datetime) -> None:
        """Count what the plan gives in the usage periods from one to the present one, if it is free."""
        offered = PLANS[self.plan]
        first, last = (period_index(self.anchor, 1, at) for at in (since, self.seatsco.clock.now()))
        for index in range(first, last + 1):
            credits = self.seats * offered.credits if offered.is_free else 0
            self.free[index] = max(credits, self.free.get(index, 0))

    async def do(self, step: Step) -> None:
        clock = self.seatsco.clock
        before = clock.now()
        later = clock.now() + timedelta(hours=step.hours)
        if any(period_at(start, 1, clock.now()).end <= later for start in self.starts):
            # What an old plan grants for a new period, because the Ledger is away, can be spent for nothing.
            self._let_the_ledger("hears")
            await self.seatsco.contract.app.run_due(clock.now())
        clock.advance_to(later)
        self.count_free(before)
        self._let_the_ledger(step.ledger)
        await self.seatsco.contract.app.run_due(clock.now())
        await self._spend(await self.available() * step.spent // 4)
        if self.is_over():
            await self._sign(step)
        elif step.ends_in:
            await self._set_end(step)
        elif step.voids and self.added:
            await self._void(*self.added.pop(), step.money_back)
        elif step.seats:
            changed = await self.seatsco.desk.contract.ChangeSeats(
                pb.ChangeSeatsRequest(
                    request_id=self.seatsco.desk.request_id(),
                    contract_id=self.contract.contract_id,
                    quantity_delta=step.seats,
                )
            )
            self.seats += step.seats
            self.added.append((changed.seat_change.seat_change_id, step.seats))
        elif step.signs_again:
            await self._end_contract()
            await self._sign(step)
        else:
            await self._change_plan(
                **self.seatsco.terms(step.plan, step.of_plan),
                included_credits=step.included,
                money_back=step.money_back,
            )
            self._has(step)
        self.count_free(clock.now())
        if step.pays:
            await self._pay()

    def is_over(self) -> bool:
        end = self.contract.end_time.ToDatetime(tzinfo=UTC)
        return self.contract.HasField("end_time") and end <= self.seatsco.clock.now()

    def _has(self, step: Step) -> None:
        self.plan, self.seats = step.plan, step.of_plan
        self.plans.add(step.plan)

    async def _sign(self, step: Step) -> None:
        terms = self.seatsco.terms(step.plan, step.of_plan)
        signed = await self.seatsco.desk.sign(
            *terms["subscriptions"],
            customer=self.contract.customer_id,
            schedules=tuple(terms["grant_schedules"]),
            start=self.seatsco.clock.now(),
        )
        self.contract, self.added = signed.contract, []
        self._has(step)

    async def _set_end(self, step: Step) -> None:
        request = pb.EndContractRequest(
            request_id=self.seatsco.desk.request_id(), contract_id=self.contract.contract_id
        )
        if step.ends_in == NEVER:
            request.end_option = pb.END_OPTION_NEVER
        else:
            request.end_time.FromDatetime(self.seatsco.clock.now() + timedelta(hours=step.ends_in))
            request.money_back = step.money_back
        self.contract = (await self.seatsco.desk.contract.EndContract(request)).contract
        if self.seatsco.front.is_away:
            self.starts.append(self.contract.start_time.ToDatetime(tzinfo=UTC))

    async def _pay(self) -> None:
        request = pb.ListInvoicesRequest(customer=self.contract.customer_id, page_size=500)
        for invoice in (await self.seatsco.desk.contract.ListInvoices(request)).invoices:
            if invoice.amount_due.micros:
                await self.seatsco.desk.pay(invoice, invoice.amount_due.micros // 10_000)

    async def _end_contract(self) -> None:
        if self.seatsco.front.is_away:
            self.starts.append(self.contract.start_time.ToDatetime(tzinfo=UTC))
        request = pb.EndContractRequest(
            request_id=self.seatsco.desk.request_id(), contract_id=self.contract.contract_id
        )
        await self.seatsco.desk.contract.EndContract(request)

    def _let_the_ledger(self, what: str) -> None:
        front = self.seatsco.front
        front.is_away = what == "away"
        if not front.is_away:
            self.starts = []
        if what == "reply lost":
            for rpc in ("ApplyPlanChange", "ApplySeatChange", "VoidSeatChange"):
                front.mishaps.pop(rpc, None)
                front.will(rpc, unheard(Away("the reply is lost")))

    async def _void(self, seat_change_id: str, seats: int, money_back: "pb.MoneyBack") -> None:
        request = pb.VoidSeatChangeRequest(
            request_id=self.seatsco.desk.request_id(),
            contract_id=self.contract.contract_id,
            seat_change_id=seat_change_id,
            money_back=money_back,
        )
        try:
            await self.seatsco.desk.contract.VoidSeatChange(request)
        except grpc.aio.AioRpcError as error:
            if from_rpc_error(error).reason != "SEAT_CHANGE_PERIOD_OVER":
                raise
        else:
            self.seats -= seats
            if self.seatsco.front.is_away:
                self.starts.append(self.contract.start_time.ToDatetime(tzinfo=UTC))

    async def available(self) -> int:
        request = ledger_pb2.GetBalanceRequest(customer=self.contract.customer_id)
        pools = (await self.seatsco.ledger.gate.GetBalance(request)).pools
        return sum(pool.available_micros for pool in pools)

    async def _spend(self, micros: int) -> None:
        if micros == 0:
            return
        request = ledger_pb2.DebitRequest(
            request_id=self.seatsco.desk.request_id(),
            customer=self.contract.customer_id,
            credits_micros=micros,
            product_id="prd_assistant",
        )
        answer = await self.seatsco.ledger.gate.Debit(request)
        if answer.decision == ledger_pb2.DECISION_ALLOWED:
            self.spent_micros += micros

    async def _change_plan(self, **more: Any) -> None:
        request = pb.ChangePlanRequest(
            request_id=self.seatsco.desk.request_id(),
            contract_id=self.contract.contract_id,
            rate_card_id=self.seatsco.desk.sells.rate_card.rate_card_id,
            **more,
        )
        try:
            changed = (await self.seatsco.desk.contract.ChangePlan(request)).contract
        except grpc.aio.AioRpcError as error:
            # The plan that was drawn is the one in force: nothing changes.
            if from_rpc_error(error).reason != "PLAN_UNCHANGED":
                raise
        else:
            if self.seatsco.front.is_away:
                self.starts.append(self.contract.start_time.ToDatetime(tzinfo=UTC))
            self.contract, self.added = changed, []

    async def end(self) -> None:
        """Let the Ledger hear everything, and end the last contract with everything that it owes."""
        self.seatsco.front.is_away = False
        self.seatsco.front.mishaps.clear()
        await self.seatsco.contract.app.run_due(self.seatsco.clock.now())
        if self.is_over():
            return
        await self._change_plan(**self.seatsco.terms("small", 0))
        await self._end_contract()
        await self.seatsco.contract.app.run_due(self.seatsco.clock.now())


async def _check(seatsco: SeatsCo, first: str, steps: list[Step]) -> None:
    seatsco.front.is_away = False  # an example that failed may have left it so
    seatsco.front.mishaps.clear()
    customer = (await seatsco.desk.customer("Acme")).customer_id
    signed = await seatsco.desk.sign(
        *seatsco.terms(first, 4)["subscriptions"],
        customer=customer,
        schedules=tuple(seatsco.terms(first, 4)["grant_schedules"]),
        start=seatsco.clock.now(),
    )
    life = Life(seatsco, signed.contract, plan=first, seats=4, anchor=seatsco.clock.now(), plans={first})
    life.count_free(life.anchor)
    for step in steps:
        await life.do(step)
    await life.end()

    best = max(PLANS[plan].credits_per_dollar for plan in life.plans)
    invoices = await seatsco.desk.invoices(signed)
    lines = [line for invoice in invoices for line in invoice.lines if line.kind != CREDITED]
    noted = [one for invoice in invoices for one in await _credit_notes(seatsco, invoice)]
    paid = sum(line.total.micros for line in lines) - sum(one.amount.micros for one in noted)
    had = life.spent_micros + await life.available()
    free = sum(life.free.values()) * CREDIT
    bought = best * (paid + (len(lines) + len(noted)) * HALF_A_CENT)
    assert had <= bought + free, f"{had / CREDIT} credits for ${paid / CREDIT} and {free / CREDIT} free"
    assert not [one for one in invoices if one.total.micros < 0]
    assert {one.status for one in await _plan_changes(seatsco, life)} <= {pb.PLAN_CHANGE_STATUS_APPLIED}


async def _credit_notes(seatsco: SeatsCo, invoice: pb.Invoice) -> list[pb.CreditNote]:
    request = pb.GetInvoiceRequest(invoice_id=invoice.invoice_id)
    return list((await seatsco.desk.contract.GetInvoice(request)).credit_notes)


async def _plan_changes(seatsco: SeatsCo, life: Life) -> list[pb.PlanChange]:
    request = pb.ListPlanChangesRequest(contract_id=life.contract.contract_id)
    return list((await seatsco.desk.contract.ListPlanChanges(request)).plan_changes)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def seatsco(runner: asyncio.Runner, postgres_server: PostgresServer) -> Iterator[SeatsCo]:
    opened = _open(postgres_server)
    yield runner.run(opened.__aenter__())
    runner.run(opened.__aexit__(None, None, None))


@pytest.mark.timeout(1_800)  # with `make simulate`
@pytest.mark.parametrize(("plans", "examples"), [(list(PLANS), EXAMPLES), (FREE_PLANS, EXAMPLES // 2)])
def test_nobody_gets_more_credits_than_the_best_of_its_plans_gives_for_the_money(
    runner: asyncio.Runner, seatsco: SeatsCo, plan: Plan, plans: list[str], examples: int
) -> None:
    @seed(plan.seed)
    @settings(
        max_examples=examples * plan.times,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(first=st.sampled_from(plans), steps=st.lists(_steps(plans), min_size=4, max_size=12))
    def check(first: str, steps: list[Step]) -> None:
        runner.run(_check(seatsco, first, steps))

    check()
