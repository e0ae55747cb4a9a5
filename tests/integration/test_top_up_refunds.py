# SPDX-License-Identifier: Apache-2.0
"""Refunds of top-ups with a real Catalog, Contract and Ledger: 1,000 credits for $80, and money for unspent ones."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import JUNE
from tests.support.contract import dollars
from tests.support.ends import CREDIT, SeatsCo, acme
from tests.support.failing_front import Away, refused, unheard
from tests.support.faults import fault
from tests.support.postgres import Databases

NONE, EXTERNAL = pb.PAYMENT_GATE_NONE, pb.PAYMENT_GATE_EXTERNAL
PENDING, REFUSED = pb.TOP_UP_REFUND_STATUS_PENDING, pb.TOP_UP_REFUND_STATUS_REFUSED
OPENED, WON, LOST = pb.DISPUTE_OUTCOME_OPENED, pb.DISPUTE_OUTCOME_WON, pb.DISPUTE_OUTCOME_LOST
DISPUTED, REVERSED = pb.TOP_UP_REFUND_STATUS_DISPUTED, pb.TOP_UP_REFUND_STATUS_REVERSED
DUE, RETURNED = pb.TOP_UP_REFUND_STATUS_DUE, pb.TOP_UP_REFUND_STATUS_RETURNED


def usd(cents: int) -> Money:
    return Money(currency_code="USD", micros=cents * 10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """Acme with a paid top-up of 1,000 credits, and no others."""

    seatsco: SeatsCo
    top_up: pb.TopUp

    @property
    def contract(self) -> Any:
        return self.seatsco.desk.contract

    def request(self, cents: int | None = None) -> pb.RefundTopUpRequest:
        return pb.RefundTopUpRequest(
            request_id=self.seatsco.desk.request_id(),
            top_up_id=self.top_up.top_up_id,
            amount=None if cents is None else usd(cents),
            reason="bought by mistake",
        )

    async def refund(self, cents: int | None = None) -> pb.TopUpRefund:
        return (await self.contract.RefundTopUp(self.request(cents))).refund

    async def refunds(self) -> list[pb.TopUpRefund]:
        request = pb.GetTopUpRequest(top_up_id=self.top_up.top_up_id)
        return list((await self.contract.GetTopUp(request)).refunds)

    async def notes(self) -> list[str]:
        invoice = await self.seatsco.invoice(self.top_up.invoice_id)
        return [dollars(one.amount) for one in await self.seatsco.notes(invoice)]

    async def report(self, outcome: "pb.PaymentOutcome") -> pb.TopUp:
        request = pb.ResolveTopUpPaymentRequest(
            request_id=self.seatsco.desk.request_id(), top_up_id=self.top_up.top_up_id, outcome=outcome
        )
        return (await self.contract.ResolveTopUpPayment(request)).top_up

    async def chargeback(
        self, outcome: "pb.DisputeOutcome", cents: int | None = None, *, of: str = "case-1"
    ) -> pb.TopUpRefund:
        request = pb.ReportTopUpChargebackRequest(
            request_id=self.seatsco.desk.request_id(),
            top_up_id=self.top_up.top_up_id,
            chargeback_id=of,
            dispute_outcome=outcome,
            amount=None if cents is None else usd(cents),
        )
        return (await self.contract.ReportTopUpChargeback(request)).refund

    async def hold(self, credits: int) -> str:
        answer = await self.seatsco.ledger.gate.Authorize(
            ledger_pb2.AuthorizeRequest(
                request_id=self.seatsco.desk.request_id(),
                customer="acme",
                credits_micros=credits * CREDIT,
                product_id="prd_assistant",
            )
        )
        assert answer.decision == ledger_pb2.DECISION_ALLOWED
        return answer.hold_id

    async def release(self, hold_id: str) -> None:
        await self.seatsco.ledger.gate.Release(
            ledger_pb2.ReleaseRequest(
                request_id=self.seatsco.desk.request_id(), customer="acme", hold_id=hold_id
            )
        )

    async def capture(self, hold_id: str, credits: int) -> None:
        await self.seatsco.ledger.gate.Capture(
            ledger_pb2.CaptureRequest(
                request_id=self.seatsco.desk.request_id(),
                customer="acme",
                hold_id=hold_id,
                credits_micros=credits * CREDIT,
            )
        )


async def buy(seatsco: SeatsCo, gate: "pb.PaymentGate") -> Bought:
    signed = await seatsco.sign(has_credits=False)
    ordered = await seatsco.desk.contract.OrderTopUp(
        pb.OrderTopUpRequest(
            request_id=seatsco.desk.request_id(),
            contract_id=signed.contract.contract_id,
            top_up_pack_id=seatsco.desk.sells.pack.top_up_pack_id,
            payment_gate=gate,
        )
    )
    return Bought(seatsco=seatsco, top_up=ordered.top_up)


async def buy_more(bought: Bought) -> Bought:
    """Buy the same pack again, under the same contract, and pay it."""
    ordered = await bought.contract.OrderTopUp(
        pb.OrderTopUpRequest(
            request_id=bought.seatsco.desk.request_id(),
            contract_id=bought.top_up.contract_id,
            top_up_pack_id=bought.seatsco.desk.sells.pack.top_up_pack_id,
            payment_gate=EXTERNAL,
        )
    )
    more = Bought(seatsco=bought.seatsco, top_up=ordered.top_up)
    await more.report(pb.PAYMENT_OUTCOME_PAID)
    return more


@pytest.fixture
async def seatsco(databases: Databases) -> AsyncIterator[SeatsCo]:
    async with acme(databases) as made:
        yield made


@pytest.fixture
async def bought(seatsco: SeatsCo) -> Bought:
    made = await buy(seatsco, EXTERNAL)
    await made.report(pb.PAYMENT_OUTCOME_PAID)
    assert await seatsco.balance() == 1_000
    return made


async def test_the_unspent_credits_come_back_as_money_and_the_held_ones_when_they_are_released(
    bought: Bought,
) -> None:
    await bought.seatsco.spend(250)
    hold_id = await bought.hold(50)

    first = await bought.refund()

    assert (first.status, dollars(first.amount)) == (DUE, "56.00")
    assert first.credits == pb.RefundedCredits(
        granted_micros=1_000 * CREDIT,
        spent_micros=250 * CREDIT,
        held_micros=50 * CREDIT,
        voided_micros=700 * CREDIT,
    )
    assert (first.create_time, first.apply_time) == (timestamp(JUNE), timestamp(JUNE))
    assert (await bought.notes(), await bought.seatsco.account_credit()) == (["56.00"], ["0.00"])
    assert await bought.seatsco.balance() == 0

    await bought.release(hold_id)
    assert await bought.seatsco.balance() == 0
    second = await bought.refund()

    assert (second.status, dollars(second.amount)) == (DUE, "4.00")
    assert second.credits.voided_micros == 750 * CREDIT
    assert await bought.notes() == ["56.00", "4.00"]
    assert dollars((await bought.refund()).amount) == "0.00"
    assert await bought.notes() == ["56.00", "4.00"]
    await bought.seatsco.ledger.assert_adds_up()


async def test_a_held_credit_that_is_captured_after_the_refund_is_spent(bought: Bought) -> None:
    hold_id = await bought.hold(50)
    assert dollars((await bought.refund()).amount) == "76.00"

    await bought.capture(hold_id, 30)

    assert dollars((await bought.refund()).amount) == "1.60"
    assert (await bought.refunds())[-1].credits.spent_micros == 30 * CREDIT
    await bought.seatsco.ledger.assert_adds_up()


async def test_a_part_takes_its_credits_only_and_the_rest_can_be_spent(bought: Bought) -> None:
    hold_id = await bought.hold(50)

    part = await bought.refund(1_001)

    # $10.01 is 125.125 credits.
    assert (part.status, dollars(part.amount), part.credits.voided_micros) == (DUE, "10.01", 125_125_000)
    assert await bought.seatsco.balance_micros() == 824_875_000
    await bought.release(hold_id)
    assert await bought.seatsco.balance_micros() == 874_875_000
    await bought.seatsco.spend(874)
    assert dollars((await bought.refund()).amount) == "0.07"
    await bought.seatsco.ledger.assert_adds_up()


async def test_more_than_the_unspent_credits_cost_is_refused_and_nothing_happens(bought: Bought) -> None:
    await bought.seatsco.spend(250)
    await bought.hold(50)
    request = bought.request(5_601)

    for _ in range(2):
        with fault(
            StatusCode.FAILED_PRECONDITION,
            "REFUND_EXCEEDS_UNSPENT",
            refundable_micros="56000000",
            unspent_micros="700000000",
            held_micros="50000000",
        ):
            await bought.contract.RefundTopUp(request)

    [shown] = await bought.refunds()
    assert (shown.status, dollars(shown.amount), dollars(shown.refundable)) == (REFUSED, "0.00", "56.00")
    assert (await bought.notes(), await bought.seatsco.balance()) == ([], 700)
    assert (await bought.refund(5_600)).status == DUE
    assert await bought.seatsco.balance() == 0


async def test_all_parts_together_are_what_was_paid_and_no_more(bought: Bought) -> None:
    for cents in (1, 3_333, 4_666):
        assert (await bought.refund(cents)).status == DUE
    assert await bought.seatsco.balance() == 0

    with fault(StatusCode.FAILED_PRECONDITION, "REFUND_EXCEEDS_PAID", left_micros="0"):
        await bought.refund(1)
    assert sum(one.amount.micros for one in await bought.refunds()) == 80_000_000


async def test_a_credit_note_that_was_given_before_is_not_given_again(bought: Bought) -> None:
    note = pb.CreateCreditNoteRequest(
        request_id=bought.seatsco.desk.request_id(),
        invoice_id=bought.top_up.invoice_id,
        amount=usd(5_000),
        reason="goodwill",
    )
    await bought.contract.CreateCreditNote(note)

    assert dollars((await bought.refund()).amount) == "30.00"
    assert await bought.seatsco.account_credit() == ["50.00"]


async def test_other_grants_are_not_touched(bought: Bought) -> None:
    other = await buy(bought.seatsco, NONE)
    await bought.seatsco.spend(1_100)

    assert dollars((await bought.refund()).amount) == "0.00"

    assert await bought.seatsco.balance() == 900
    assert dollars((await other.refund()).amount) == "72.00"


async def test_a_lost_answer_is_heard_again_and_refunds_once(bought: Bought) -> None:
    await bought.seatsco.spend(250)
    bought.seatsco.front.will("RefundGrant", unheard(Away("the reply is lost")))
    request = bought.request()

    lost = (await bought.contract.RefundTopUp(request)).refund
    assert (lost.status, dollars(lost.amount), await bought.notes()) == (PENDING, "0.00", [])
    assert await bought.refunds() == [lost]
    with fault(StatusCode.FAILED_PRECONDITION, "REFUND_PENDING"):
        await bought.refund()
    # Spent meanwhile: nothing, the credits are void already.
    assert await bought.seatsco.balance() == 0
    heard = (await bought.contract.RefundTopUp(request)).refund

    assert (heard.status, dollars(heard.amount), await bought.notes()) == (DUE, "60.00", ["60.00"])
    asked = bought.seatsco.front.asked_of("RefundGrant")
    assert (len(asked), len({one.request_id for one in asked})) == (2, 1)
    await bought.seatsco.ledger.peer.RefundGrant(asked[0])
    assert (await bought.contract.RefundTopUp(request)).refund == heard
    assert await bought.notes() == ["60.00"]
    await bought.seatsco.ledger.assert_adds_up()


async def test_what_is_spent_before_the_ledger_hears_of_it_is_not_refunded(bought: Bought) -> None:
    bought.seatsco.front.will("RefundGrant", refused(Away("the Ledger is away")))
    request = bought.request()
    assert (await bought.contract.RefundTopUp(request)).refund.status == PENDING
    await bought.seatsco.spend(400)

    assert dollars((await bought.contract.RefundTopUp(request)).refund.amount) == "48.00"


async def test_the_vendor_reports_that_the_money_was_returned(bought: Bought) -> None:
    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_ALREADY_RESOLVED"):
        await bought.report(pb.PAYMENT_OUTCOME_REFUNDED)
    await bought.refund(1_000)
    await bought.refund(2_000)

    top_up = await bought.report(pb.PAYMENT_OUTCOME_REFUNDED)

    assert top_up.status == pb.TOP_UP_STATUS_PAID
    assert [one.status for one in await bought.refunds()] == [RETURNED, RETURNED]
    assert (await bought.refunds())[0].return_time == timestamp(JUNE)
    assert await bought.report(pb.PAYMENT_OUTCOME_REFUNDED) == top_up


async def test_without_a_gate_the_money_reduces_what_is_due_and_the_rest_is_account_credit(
    seatsco: SeatsCo,
) -> None:
    bought = await buy(seatsco, NONE)
    await bought.contract.RecordInvoicePayment(
        pb.RecordInvoicePaymentRequest(
            request_id=seatsco.desk.request_id(),
            invoice_id=bought.top_up.invoice_id,
            amount=usd(7_000),
            reference="transfer",
            payment_time=timestamp(JUNE),
        )
    )

    refund = await bought.refund(2_500)

    assert (refund.status, dollars(refund.amount)) == (RETURNED, "25.00")
    invoice = await seatsco.invoice(bought.top_up.invoice_id)
    assert (invoice.status, await seatsco.account_credit()) == (pb.INVOICE_STATUS_PAID, ["15.00"])


async def test_only_a_paid_top_up_can_be_refunded(seatsco: SeatsCo) -> None:
    bought = await buy(seatsco, EXTERNAL)

    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_NOT_PAID"):
        await bought.refund()


async def test_golden_what_was_charged_back_is_owed_and_the_next_pack_pays_it(bought: Bought) -> None:
    await bought.seatsco.spend(600)

    opened = await bought.chargeback(OPENED, 80_00)
    assert (opened.status, dollars(opened.amount)) == (DISPUTED, "80.00")
    assert opened.owed_micros == 600 * CREDIT
    assert await bought.seatsco.balance() == 0
    again = await buy_more(bought)
    # The pack is for $80.00, too: 600 of its 1,000 credits pay.
    assert await bought.seatsco.balance() == 400

    assert (await bought.chargeback(LOST)).status == RETURNED

    assert (await bought.notes(), await bought.seatsco.account_credit()) == (["80.00"], ["0.00"])
    # What paid the debt is no unspent credit of the second pack.
    assert dollars((await again.refund()).amount) == "32.00"
    assert await bought.seatsco.balance() == 0


async def test_a_dispute_that_is_won_gives_back_what_was_voided_and_taken(bought: Bought) -> None:
    await bought.seatsco.spend(600)
    await bought.chargeback(OPENED, 80_00)
    await buy_more(bought)

    assert (await bought.chargeback(WON)).status == REVERSED
    assert (await bought.chargeback(WON)).status == REVERSED

    assert await bought.seatsco.balance() == 400 + 1_000
    assert await bought.notes() == []
    with fault(StatusCode.FAILED_PRECONDITION, "DISPUTE_CLOSED"):
        await bought.chargeback(LOST)


async def test_a_part_that_is_charged_back_takes_the_unspent_credits_first(bought: Bought) -> None:
    await bought.seatsco.spend(600)

    first = await bought.chargeback(OPENED, 32_00)
    second = await bought.chargeback(OPENED, 8, of="case-2")

    assert (first.owed_micros, second.owed_micros) == (0, CREDIT)
    assert await bought.seatsco.balance() == 0


async def test_an_answer_about_a_chargeback_that_is_lost_changes_nothing_twice(bought: Bought) -> None:
    await bought.seatsco.spend(600)
    bought.seatsco.front.will("RefundGrant", unheard(Away("the reply is lost")))

    assert (await bought.chargeback(OPENED, 80_00)).status == PENDING
    assert (await bought.chargeback(OPENED, 80_00)).status == DISPUTED

    assert [one.status for one in await bought.refunds()] == [DISPUTED]
    await buy_more(bought)
    assert await bought.seatsco.balance() == 400


async def test_an_unknown_chargeback_is_named(bought: Bought) -> None:
    with fault(StatusCode.NOT_FOUND, "CHARGEBACK_NOT_FOUND"):
        await bought.chargeback(WON)
    with fault(StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS"):
        await bought.chargeback(OPENED)
    with fault(StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS"):
        await bought.chargeback(LOST, 1)
    assert await bought.refunds() == []


async def agree(bought: Bought, *, suspends: bool) -> None:
    await bought.contract.SetInvoiceCollection(
        pb.SetInvoiceCollectionRequest(
            request_id=bought.seatsco.desk.request_id(),
            contract_id=bought.top_up.contract_id,
            invoice_collection=pb.InvoiceCollection(suspend_in_debt=suspends),
        )
    )


async def reasons(bought: Bought) -> list[int]:
    answer = await bought.contract.GetCustomer(pb.GetCustomerRequest(customer="acme"))
    return [one.reason for one in answer.customer.suspensions]


@pytest.mark.parametrize("suspends", [True, False])
async def test_a_debt_suspends_if_the_contract_says_so_until_a_pack_has_paid_all_of_it(
    bought: Bought, suspends: bool
) -> None:
    await agree(bought, suspends=suspends)
    await bought.seatsco.spend(600)
    await bought.chargeback(OPENED, 32_00)
    assert await reasons(bought) == []  # nothing is owed yet

    await bought.chargeback(OPENED, 48_00, of="case-2")

    assert await reasons(bought) == ([pb.SUSPENSION_REASON_IN_DEBT] if suspends else [])
    await buy_more(bought)
    assert await reasons(bought) == []
    await bought.seatsco.spend(400)


async def test_a_dispute_that_is_won_lifts_the_suspension_of_its_debt_and_no_other(bought: Bought) -> None:
    await agree(bought, suspends=True)
    await bought.seatsco.spend(600)
    await bought.chargeback(OPENED, 80_00)
    await bought.contract.SuspendCustomer(
        pb.SuspendCustomerRequest(request_id=bought.seatsco.desk.request_id(), customer="acme")
    )

    await bought.chargeback(WON)

    assert await reasons(bought) == [pb.SUSPENSION_REASON_OPERATOR]
