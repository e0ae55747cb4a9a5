# SPDX-License-Identifier: Apache-2.0
"""Changes of plan with a real Catalog, Contract and Ledger: the credits move, and what was not used is paid back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.clock import ManualClock
from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2
from tests.support.catalog import JUNE, Shop, a_rate, running_catalog
from tests.support.contract import NEXT_DATE, Desk, RunningContract, assorted, day, dollars, running_contract
from tests.support.faults import bad_fields, fault
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger import a_rate as a_usage_rate
from tests.support.postgres import Databases

CREDIT = 1_000_000
MONTHLY, ANNUAL = pb.BILLING_FREQUENCY_MONTHLY, pb.BILLING_FREQUENCY_ANNUAL
CHANGE = day(6, 16)
CREDITED = pb.INVOICE_LINE_KIND_ACCOUNT_CREDIT
HALF_A_CENT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsCo:
    """Acme's plan A: 4 seats at $10 a month, 100 credits each. Plan B: $20 and 200 credits. All on one clock."""

    desk: Desk
    contract: RunningContract
    ledger: RunningLedger
    clock: ManualClock
    plan_b: str
    signed: pb.CreateContractResponse
    numbers: list[int] = field(default_factory=list)

    def plan(self, **more: Any) -> dict[str, Any]:
        """Return the terms of plan B; `more` overrides fields."""
        return {
            "contract_id": self.signed.contract.contract_id,
            "rate_card_id": self.desk.sells.rate_card.rate_card_id,
            "subscriptions": [self.desk.seats(4, product_id=self.plan_b, frequency=MONTHLY)],
            "grant_schedules": [self.desk.schedule(unit_amount_micros=200 * CREDIT)],
            **more,
        }

    async def change(self, *, request_id: str = "", **more: Any) -> pb.ChangePlanResponse:
        await self.pay_all(**more)
        request = pb.ChangePlanRequest(request_id=request_id or self.desk.request_id(), **self.plan(**more))
        return await self.desk.contract.ChangePlan(request)

    async def preview(self, **more: Any) -> pb.PreviewPlanChangeResponse:
        await self.pay_all(**more)
        return await self.desk.contract.PreviewPlanChange(pb.PreviewPlanChangeRequest(**self.plan(**more)))

    async def pay_all(self, *, contract_id: str = "", **_: Any) -> None:
        """Pay what is due of a contract: otherwise what comes back would reduce it (test_plan_money_back.py)."""
        request = pb.ListInvoicesRequest(
            customer="acme", contract_id=contract_id or self.signed.contract.contract_id
        )
        for invoice in (await self.desk.contract.ListInvoices(request)).invoices:
            if invoice.amount_due.micros:
                await self.desk.pay(invoice, invoice.amount_due.micros // 10_000)

    async def spend(self, credits: int) -> None:
        self.numbers.append(credits)
        answer = await self.ledger.gate.Debit(
            ledger_pb2.DebitRequest(
                request_id=f"debit-{len(self.numbers)}",
                customer="acme",
                credits_micros=credits * CREDIT,
                product_id="prd_assistant",
            )
        )
        assert answer.decision == ledger_pb2.DECISION_ALLOWED

    async def balance(self) -> int:
        request = ledger_pb2.GetBalanceRequest(customer="acme")
        pools = (await self.ledger.gate.GetBalance(request)).pools
        return sum(pool.available_micros for pool in pools) // CREDIT


@pytest.fixture
async def seatsco(databases: Databases) -> AsyncIterator[SeatsCo]:
    clock = ManualClock(JUNE)
    async with (
        running_catalog(databases) as catalog,
        running_ledger(databases, clock=clock) as ledger,
        running_contract(
            databases, catalog_address=catalog.address, ledger_address=ledger.address, clock=clock
        ) as contract,
    ):
        shop = Shop(catalog.stub)
        sells = await assorted(catalog.stub, shop)
        plan_b = await shop.seats()
        monthly = catalog_pb2.BILLING_FREQUENCY_MONTHLY
        await shop.add(sells.rate_card, a_rate(plan_b, price_micros=20 * CREDIT, frequency=monthly))
        desk = Desk(contract.stub, sells)
        await desk.customer("Acme", "acme")
        signed = await desk.sign(
            desk.seats(4, frequency=MONTHLY), customer="acme", schedules=(desk.schedule(),)
        )
        await ledger.tell_product("prd_assistant")
        await ledger.tell_card(
            a_usage_rate(credit_type_id=sells.credits.credit_type_id),
            rate_card_id=sells.rate_card.rate_card_id,
            version=100,
        )
        yield SeatsCo(
            desk=desk,
            contract=contract,
            ledger=ledger,
            clock=clock,
            plan_b=plan_b.product_id,
            signed=signed,
        )


def _lines(lines: Any) -> list[tuple[str, str]]:
    return [
        (pb.InvoiceLineKind.Name(one.kind).removeprefix("INVOICE_LINE_KIND_"), dollars(one.total))
        for one in lines
    ]


async def test_unused_time_and_credits_come_back_on_the_first_invoice_of_the_new_plan(
    seatsco: SeatsCo,
) -> None:
    seatsco.clock.advance_to(CHANGE)

    changed = await seatsco.change()

    assert changed.plan_change.status == pb.PLAN_CHANGE_STATUS_APPLIED
    assert changed.plan_change.change_time == changed.plan_change.apply_time == timestamp(CHANGE)
    assert _lines(changed.invoice.lines) == [("SUBSCRIPTION", "80.00"), ("PLAN_CREDIT", "-20.00")]
    assert (dollars(changed.invoice.total), changed.invoice.status) == ("60.00", pb.INVOICE_STATUS_OPEN)
    assert changed.invoice.number
    (credit,) = changed.plan_change.credits
    assert (dollars(credit.charged), credit.time_left, credit.credits_unused) == (
        "40.00",
        pb.Fraction(numerator=1, denominator=2),
        pb.Fraction(numerator=1, denominator=1),
    )
    assert await seatsco.balance() == 800
    ended = (
        await seatsco.desk.contract.GetContract(
            pb.GetContractRequest(contract_id=seatsco.signed.contract.contract_id)
        )
    ).contract
    assert ended.end_time == changed.contract.start_time == timestamp(CHANGE)


async def test_with_all_credits_spent_no_money_comes_back(seatsco: SeatsCo) -> None:
    await seatsco.spend(400)
    seatsco.clock.advance_to(CHANGE)

    changed = await seatsco.change()

    assert _lines(changed.invoice.lines) == [("SUBSCRIPTION", "80.00")]
    assert await seatsco.balance() == 800


async def test_the_lesser_of_time_left_and_credits_unused_counts(seatsco: SeatsCo) -> None:
    await seatsco.spend(300)
    seatsco.clock.advance_to(CHANGE)

    changed = await seatsco.change()

    assert _lines(changed.invoice.lines)[1] == ("PLAN_CREDIT", "-10.00")  # 1/4 of $40, not 1/2


async def test_a_preview_says_what_the_change_then_does(seatsco: SeatsCo) -> None:
    await seatsco.spend(300)
    seatsco.clock.advance_to(CHANGE)

    preview = await seatsco.preview()
    assert await seatsco.balance() == 100
    changed = await seatsco.change()

    assert _lines(preview.lines) == _lines(changed.invoice.lines)
    assert preview.total == changed.invoice.total
    assert list(preview.credits) == list(changed.plan_change.credits)
    assert list(preview.granted_micros) == [800 * CREDIT]


@pytest.mark.parametrize(
    ("included", "balance"),
    [(pb.INCLUDED_CREDITS_KEEP, 1_200), (pb.INCLUDED_CREDITS_ROLL, 1_200), (pb.INCLUDED_CREDITS_VOID, 800)],
)
async def test_credits_that_are_kept_or_rolled_are_not_paid_back(
    seatsco: SeatsCo, included: "pb.IncludedCredits", balance: int
) -> None:
    seatsco.clock.advance_to(CHANGE)

    changed = await seatsco.change(included_credits=included)

    expected = [("SUBSCRIPTION", "80.00")]
    if included == pb.INCLUDED_CREDITS_VOID:
        expected.append(("PLAN_CREDIT", "-20.00"))
    assert _lines(changed.invoice.lines) == expected
    assert await seatsco.balance() == balance
    seatsco.clock.advance_to(day(7, 1))
    assert await seatsco.balance() == 800


async def test_nothing_comes_back_if_the_vendor_says_so(seatsco: SeatsCo) -> None:
    seatsco.clock.advance_to(CHANGE)

    changed = await seatsco.change(money_back=pb.MONEY_BACK_NONE)

    assert _lines(changed.invoice.lines) == [("SUBSCRIPTION", "80.00")]
    assert await seatsco.balance() == 800


async def test_going_back_and_forth_gives_nobody_more_than_was_paid_for(seatsco: SeatsCo) -> None:
    """As tried: spending at once and changing again and again."""
    seatsco.clock.advance_to(CHANGE)
    await seatsco.spend(400)
    paid = 40
    changed = await seatsco.change()
    for minute in range(1, 4):
        paid += changed.invoice.total.micros // CREDIT
        await seatsco.spend(await seatsco.balance())
        seatsco.clock.advance_to(CHANGE.replace(minute=minute))
        to_a = minute % 2 == 1
        plan: dict[str, Any] = {"contract_id": changed.contract.contract_id}
        if to_a:
            plan["subscriptions"] = [seatsco.desk.seats(4, frequency=MONTHLY)]
            plan["grant_schedules"] = [seatsco.desk.schedule()]
        changed = await seatsco.change(**plan)
    paid += changed.invoice.total.micros // CREDIT

    granted = sum(seatsco.numbers) + await seatsco.balance()

    assert granted == 10 * paid == 2_800


async def test_a_repeated_request_changes_the_plan_once(seatsco: SeatsCo) -> None:
    seatsco.clock.advance_to(CHANGE)

    first = await seatsco.change(request_id="once")
    second = await seatsco.change(request_id="once")

    assert first == second
    assert await seatsco.balance() == 800
    listed = await seatsco.desk.contract.ListPlanChanges(
        pb.ListPlanChangesRequest(contract_id=first.contract.contract_id)
    )
    assert list(listed.plan_changes) == [first.plan_change]
    found = await seatsco.desk.contract.GetPlanChange(
        pb.GetPlanChangeRequest(plan_change_id=first.plan_change.plan_change_id)
    )
    assert found.plan_change == first.plan_change
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="once"):
        await seatsco.change(request_id="once", name="other")


async def test_a_plan_is_not_changed_to_itself_but_to_one_seat_more(seatsco: SeatsCo) -> None:
    seatsco.clock.advance_to(CHANGE)
    same: dict[str, Any] = {
        "subscriptions": [seatsco.desk.seats(4, frequency=MONTHLY)],
        "grant_schedules": [seatsco.desk.schedule()],
    }

    with fault(StatusCode.FAILED_PRECONDITION, "PLAN_UNCHANGED"):
        await seatsco.change(**same)
    with fault(StatusCode.FAILED_PRECONDITION, "PLAN_UNCHANGED"):
        await seatsco.preview(**same)
    more = await seatsco.change(**{**same, "subscriptions": [seatsco.desk.seats(5, frequency=MONTHLY)]})

    assert _lines(more.invoice.lines) == [("SUBSCRIPTION", "50.00"), ("PLAN_CREDIT", "-20.00")]


async def test_a_new_plan_ends_later_than_it_begins(seatsco: SeatsCo) -> None:
    seatsco.clock.advance_to(CHANGE)

    for end_time in (CHANGE - timedelta(days=365), CHANGE):
        ended = {"end_time": timestamp(end_time)}
        with fault(StatusCode.FAILED_PRECONDITION, "END_BEFORE_NOW", now_time=CHANGE.isoformat()):
            await seatsco.change(**ended)
        with fault(StatusCode.FAILED_PRECONDITION, "END_BEFORE_NOW", now_time=CHANGE.isoformat()):
            await seatsco.preview(**ended)
    changed = await seatsco.change(end_time=timestamp(CHANGE + timedelta(microseconds=1)))

    assert changed.contract.end_time == timestamp(CHANGE + timedelta(microseconds=1))


async def test_plans_that_can_be_exploited_must_be_accepted(seatsco: SeatsCo) -> None:
    seatsco.clock.advance_to(CHANGE)
    exploitable = [
        [seatsco.desk.schedule(period_proration=pb.PERIOD_PRORATION_NONE)],
        [seatsco.desk.schedule(prorates_increases=False)],
        [seatsco.desk.schedule(frequency=pb.GRANT_FREQUENCY_ANNUAL)],
    ]

    for schedules in exploitable:
        with fault(StatusCode.FAILED_PRECONDITION, "PLAN_NOT_PRORATED"):
            await seatsco.change(grant_schedules=schedules)
    changed = await seatsco.change(grant_schedules=exploitable[0], accept_unprorated=True)

    assert changed.plan_change.status == pb.PLAN_CHANGE_STATUS_APPLIED


async def test_what_is_wrong_with_a_change_is_said_and_nothing_changes(seatsco: SeatsCo) -> None:
    seatsco.clock.advance_to(CHANGE)
    await seatsco.pay_all()
    before = await seatsco.desk.invoices(seatsco.signed)

    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND", contract_id="con_x"):
        await seatsco.change(contract_id="con_x")
    with fault(StatusCode.NOT_FOUND, "RATE_CARD_NOT_FOUND"):
        await seatsco.change(rate_card_id="rcd_x")
    with bad_fields("contract_id", "rate_card_id", "grant_schedules[0].subscription_index", "money_back"):
        await seatsco.change(contract_id="", rate_card_id="", subscriptions=[], money_back=9)
    with fault(StatusCode.NOT_FOUND, "PLAN_CHANGE_NOT_FOUND"):
        await seatsco.desk.contract.GetPlanChange(pb.GetPlanChangeRequest(plan_change_id="pch_x"))
    assert await seatsco.balance() == 400
    assert await seatsco.desk.invoices(seatsco.signed) == before

    await seatsco.desk.contract.EndContract(
        pb.EndContractRequest(request_id="end", contract_id=seatsco.signed.contract.contract_id)
    )
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await seatsco.change()


async def test_a_year_that_was_paid_comes_back_by_what_is_left_of_it(seatsco: SeatsCo) -> None:
    year = await seatsco.desk.sign(
        seatsco.desk.seats(4, frequency=ANNUAL), customer="acme", schedules=(seatsco.desk.schedule(),)
    )
    seatsco.clock.advance_to(day(7, 16))

    changed = await seatsco.change(contract_id=year.contract.contract_id)

    # 320 of 365 days are left; of 800 + 4,000 credits, June's 400 expired, so 4,400/4,800 = 11/12 are unused.
    (credit,) = changed.plan_change.credits
    assert (credit.time_left, credit.credits_unused) == (
        pb.Fraction(numerator=64, denominator=73),
        pb.Fraction(numerator=11, denominator=12),
    )
    assert _lines(changed.invoice.lines) == [
        ("SUBSCRIPTION", "80.00"),
        ("PLAN_CREDIT", "-350.68"),  # $400 × 64/73 = $350.6849…
        ("ACCOUNT_CREDIT", "270.68"),
    ]
    assert (dollars(changed.invoice.total), changed.invoice.status) == ("0.00", pb.INVOICE_STATUS_PAID)


async def test_without_a_first_invoice_what_comes_back_is_account_credit(seatsco: SeatsCo) -> None:
    seatsco.clock.advance_to(CHANGE)

    changed = await seatsco.change(subscriptions=[seatsco.desk.seats(0, frequency=MONTHLY)])

    assert _lines(changed.invoice.lines) == [("PLAN_CREDIT", "-20.00"), ("ACCOUNT_CREDIT", "20.00")]
    assert dollars(changed.invoice.total) == "0.00"
    assert await seatsco.balance() == 0


@pytest.mark.parametrize(("regenerate", "account_credit"), [(False, ["20.00"]), (True, [])])
async def test_what_came_back_is_not_lost_with_a_void_invoice(
    seatsco: SeatsCo, regenerate: bool, account_credit: list[str]
) -> None:
    seatsco.clock.advance_to(CHANGE)
    # Seats that bring credits are not waived.
    changed = await (seatsco.change() if regenerate else seatsco.change(grant_schedules=[]))

    void = await seatsco.desk.contract.VoidInvoice(
        pb.VoidInvoiceRequest(
            request_id="void",
            invoice_id=changed.invoice.invoice_id,
            reason="a wrong address",
            regenerate=regenerate,
        )
    )

    credits = await seatsco.desk.contract.ListAccountCredits(pb.ListAccountCreditsRequest(customer="acme"))
    assert [dollars(one) for one in credits.balances] == account_credit
    again = [("SUBSCRIPTION", "80.00"), ("PLAN_CREDIT", "-20.00")] if regenerate else []
    assert _lines(void.regenerated.lines) == again


@pytest.mark.parametrize(("spent", "back"), [(0, ["-40.00"]), (100, ["-30.00"]), (400, [])])
async def test_at_the_instant_of_a_renewal_that_was_billed_what_was_spent_of_it_counts(
    seatsco: SeatsCo, spent: int, back: list[str]
) -> None:
    seatsco.clock.advance_to(day(7, 1))
    await seatsco.contract.app.run_due(day(7, 1))
    if spent:
        await seatsco.spend(spent)

    changed = await seatsco.change()

    assert [total for kind, total in _lines(changed.invoice.lines) if kind == "PLAN_CREDIT"] == back
    assert await seatsco.balance() == 800


async def _sign_again(seatsco: SeatsCo, **terms: Any) -> str:
    """End Acme's contract at its start, and sign another one for plan A."""
    await seatsco.desk.contract.EndContract(
        pb.EndContractRequest(request_id="away", contract_id=seatsco.signed.contract.contract_id)
    )
    signed = await seatsco.desk.sign(
        seatsco.desk.seats(4, frequency=MONTHLY, **terms),
        customer="acme",
        schedules=(seatsco.desk.schedule(),),
        start=seatsco.clock.now(),
    )
    return signed.contract.contract_id


@pytest.mark.parametrize(
    ("spent", "time_passed", "used_beyond"),
    [(400, "20.00", ["20.00"]), (300, "20.00", ["10.00"]), (200, "20.00", [])],
)
async def test_seats_in_arrears_pay_for_their_time_or_their_credits_whichever_is_more(
    seatsco: SeatsCo, spent: int, time_passed: str, used_beyond: list[str]
) -> None:
    """As tried: in arrears, spending at once and changing the plan was free."""
    arrears = {"collection_schedule": pb.COLLECTION_SCHEDULE_ARREARS, "invoicing": NEXT_DATE}
    contract_id = await _sign_again(seatsco, **arrears)
    await seatsco.spend(spent)
    seatsco.clock.advance_to(CHANGE)

    preview = await seatsco.preview(contract_id=contract_id)
    changed = await seatsco.change(contract_id=contract_id)

    assert _lines(preview.lines) == _lines(changed.invoice.lines)
    assert _lines(changed.invoice.lines) == [
        ("SUBSCRIPTION", "80.00"),
        *(("PLAN_CHARGE", amount) for amount in used_beyond),
    ]
    old = await seatsco.desk.contract.ListInvoices(
        pb.ListInvoicesRequest(customer="acme", contract_id=contract_id)
    )
    assert [dollars(one.total) for one in old.invoices] == [time_passed]


async def test_an_increase_that_was_not_billed_yet_pays_for_the_credits_that_were_used(
    seatsco: SeatsCo,
) -> None:
    contract_id = await _sign_again(seatsco, invoicing=NEXT_DATE)
    await seatsco.desk.contract.ChangeSeats(
        pb.ChangeSeatsRequest(request_id="more", contract_id=contract_id, quantity_delta=4)
    )
    await seatsco.spend(await seatsco.balance())
    seatsco.clock.advance_to(CHANGE)

    changed = await seatsco.change(contract_id=contract_id)

    # 4 × $10 were paid; 4 more cost $20.00 by time, which the old contract charges, and as much by use.
    assert _lines(changed.invoice.lines) == [("SUBSCRIPTION", "80.00"), ("PLAN_CHARGE", "20.00")]
