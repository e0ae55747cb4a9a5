# SPDX-License-Identifier: Apache-2.0
"""Money that goes back without us: disputes, and refunds made at Stripe. Each counts once, whatever is lost."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from deploy.local.stripe import Fault, StripeStandIn, local_stripe, stripe_stand_in
from meshkit.clock import ManualClock
from meshkit.errors import Unavailable
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2 import (
    GetOwedResponse,
    RefundGrantRequest,
    RefundGrantResponse,
    ReverseRefundRequest,
)
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import JUNE, RunningCatalog
from tests.support.contract import Desk, RunningContract, dollars
from tests.support.faults import fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert
from tests.support.till import Till, open_till, paid_contract

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LOOK = timedelta(minutes=5)
CREDIT = 1_000_000
DUE, RETURNED = pb.TOP_UP_REFUND_STATUS_DUE, pb.TOP_UP_REFUND_STATUS_RETURNED
DISPUTED, REVERSED = pb.TOP_UP_REFUND_STATUS_DISPUTED, pb.TOP_UP_REFUND_STATUS_REVERSED
PENDING = pb.TOP_UP_REFUND_STATUS_PENDING
PROVIDER, CHARGEBACK = pb.TOP_UP_REFUND_CAUSE_PROVIDER, pb.TOP_UP_REFUND_CAUSE_CHARGEBACK


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    with local_stripe() as address:
        yield address


@pytest.fixture
async def till(
    desk: Desk, running: RunningContract, wall: ManualClock, stripe: StripeStandIn, ledger: RecordingLedger
) -> AsyncIterator[Till]:
    async with open_till(desk, running, wall=wall, stripe=stripe, ledger=ledger) as opened:
        yield opened


@pytest.fixture
async def stripe(localstripe: str) -> AsyncIterator[StripeStandIn]:
    async with stripe_stand_in(localstripe) as stand_in:
        stand_in.holds_webhooks = True
        yield stand_in


@pytest.fixture
async def alert() -> AsyncIterator[RecordingAlert]:
    async with RecordingAlert() as recording:
        yield recording


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
async def running(
    databases: Databases,
    running_catalog_service: RunningCatalog,
    ledger: RecordingLedger,
    stripe: StripeStandIn,
    wall: ManualClock,
    alert: RecordingAlert,
) -> AsyncIterator[RunningContract]:
    async with paid_contract(
        databases,
        stripe,
        catalog_address=running_catalog_service.address,
        ledger_address=ledger.address,
        alert_address=alert.address,
        wall=wall,
    ) as service:
        yield service


@pytest.fixture
async def top_up(till: Till) -> pb.TopUp:
    """Paid: 1,000 credits for $80, of which 600 are spent. Nothing is to be looked through for a while."""
    ordered = await till.order()
    await till.save_card(ordered)
    paid = (await till.stub.PayTopUp(till.charge(ordered))).top_up
    assert paid.status == pb.TOP_UP_STATUS_PAID
    till.ledger.answers["RefundGrant"] = _mostly_spent
    await till.run_due()
    till.stripe.held.clear()
    return paid


def _mostly_spent(request: RefundGrantRequest) -> RefundGrantResponse:
    assert request.accept_debt
    voided = min(request.voided_at_least_micros, 400 * CREDIT)
    return RefundGrantResponse(
        granted_micros=1_000 * CREDIT,
        spent_micros=600 * CREDIT,
        voided_micros=voided,
        owed_micros=request.voided_at_least_micros - voided,
        apply_time=timestamp(JUNE),
    )


async def _dispute(till: Till, top_up: pb.TopUp, cents: int | None = None) -> str:
    return till.stripe.dispute(await till.stripe.payment(top_up.payment_reference), cents)


async def _told(till: Till) -> None:
    """Deliver the webhooks that were held back, and run what is due then."""
    while till.stripe.held:
        assert await till.stripe.post(till.stripe.held.pop(0)) == 204
    await till.run_due()


async def _shown(till: Till, top_up: pb.TopUp) -> list[tuple[int, int, str]]:
    """Return the cause, the status and the dollars of each refund."""
    return [(one.cause, one.status, dollars(one.amount)) for one in await till.refunds(top_up)]


async def _notes(till: Till, top_up: pb.TopUp) -> list[str]:
    request = pb.GetInvoiceRequest(invoice_id=top_up.invoice_id)
    return [dollars(one.amount) for one in (await till.desk.contract.GetInvoice(request)).credit_notes]


def _asked(till: Till) -> list[tuple[int, bool]]:
    """Return how many credits the Ledger shall void in all by each refund, and whether debt is accepted."""
    told = till.ledger.told_of(RefundGrantRequest)
    return [(one.voided_at_least_micros // CREDIT, one.accept_debt) for one in told]


def _events(alert: RecordingAlert) -> list[tuple[str, str, int]]:
    """Return the type, the refund's status and its dollars of each event about a refund."""
    told = [(one.event_type, json.loads(one.data_json).get("refund")) for one in alert.events]
    return [(kind, one["status"], one["amount"]["micros"] // CREDIT) for kind, one in told if one]


async def test_golden_a_dispute_voids_and_leaves_a_debt_and_lost_it_is_credited(
    till: Till, top_up: pb.TopUp, alert: RecordingAlert
) -> None:
    dispute_id = await _dispute(till, top_up)
    await _told(till)

    [refund] = await till.refunds(top_up)
    assert (refund.cause, refund.status, dollars(refund.amount)) == (CHARGEBACK, DISPUTED, "80.00")
    assert (refund.provider_refund_id, refund.owed_micros) == (dispute_id, 600 * CREDIT)
    assert _asked(till) == [(1_000, True)]
    [asked] = till.ledger.told_of(RefundGrantRequest)
    assert (asked.refund_id, asked.currency_code) == (refund.refund_id, "USD")
    assert await _notes(till, top_up) == []

    till.stripe.close_dispute(dispute_id, "lost")
    await _told(till)

    assert await _shown(till, top_up) == [(CHARGEBACK, RETURNED, "80.00")]
    assert await _notes(till, top_up) == ["80.00"]
    assert not till.ledger.told_of(ReverseRefundRequest)
    assert _events(alert) == [
        ("top_up.disputed", "DISPUTED", 80),
        ("top_up.dispute_closed", "RETURNED", 80),
    ]


async def test_a_dispute_that_is_won_is_undone_and_the_top_up_can_be_refunded_again(
    till: Till, top_up: pb.TopUp, alert: RecordingAlert
) -> None:
    dispute_id = await _dispute(till, top_up)
    await _told(till)
    with fault(StatusCode.FAILED_PRECONDITION, "REFUND_EXCEEDS_PAID"):
        await till.desk.contract.RefundTopUp(till.refund(top_up, _usd(1)))

    till.stripe.close_dispute(dispute_id, "won")
    await _told(till)
    await _told(till)

    assert await _shown(till, top_up) == [(CHARGEBACK, REVERSED, "80.00")]
    [undone] = till.ledger.told_of(ReverseRefundRequest)
    [refund] = await till.refunds(top_up)
    assert (undone.top_up_id, undone.refund_id) == (top_up.top_up_id, refund.refund_id)
    assert await _notes(till, top_up) == []
    assert [one[:2] for one in _events(alert)] == [
        ("top_up.disputed", "DISPUTED"),
        ("top_up.dispute_closed", "REVERSED"),
    ]
    again = till.refund(top_up)
    again.accept_debt = True
    assert dollars((await till.desk.contract.RefundTopUp(again)).refund.amount) == "80.00"
    assert _asked(till)[-1] == (1_000, True)


async def test_a_refund_at_the_dashboard_is_returned_already_and_ours_counts_once(
    till: Till, top_up: pb.TopUp, alert: RecordingAlert
) -> None:
    ours = till.refund(top_up, _usd(10_00))
    ours.accept_debt = True
    assert (await till.desk.contract.RefundTopUp(ours)).refund.status == RETURNED
    await till.stripe.refund_at_dashboard(top_up.payment_reference, 30_00)
    await _told(till)
    at_stripe = len(await till.stripe.refunds())

    await till.stripe.refund_at_dashboard(top_up.payment_reference, 40_00)
    await _told(till)
    till.wall.advance(LOOK)
    await till.run_due()

    assert [(status, amount) for _, status, amount in await _shown(till, top_up)] == [
        (RETURNED, "10.00"),
        (RETURNED, "30.00"),
        (RETURNED, "40.00"),
    ]
    assert _asked(till) == [(125, True), (500, True), (1_000, True)]
    assert await _notes(till, top_up) == ["10.00", "30.00", "40.00"]
    assert len(await till.stripe.refunds()) == at_stripe + 1
    assert [kind for kind, _, _ in _events(alert)] == ["top_up.refunded"] * 3


async def test_what_no_webhook_told_is_found_by_looking(till: Till, top_up: pb.TopUp) -> None:
    dispute_id = await _dispute(till, top_up, 20_00)
    till.stripe.held.clear()
    till.wall.advance(LOOK - timedelta(microseconds=1))
    await till.run_due()
    assert await _shown(till, top_up) == []

    till.wall.advance(timedelta(microseconds=1))
    await till.run_due()
    assert await _shown(till, top_up) == [(CHARGEBACK, DISPUTED, "20.00")]

    # An open dispute is asked about every hour.
    till.stripe.close_dispute(dispute_id, "lost")
    till.stripe.held.clear()
    till.wall.advance(HOUR - timedelta(microseconds=1))
    await till.run_due()
    assert await _shown(till, top_up) == [(CHARGEBACK, DISPUTED, "20.00")]
    till.wall.advance(timedelta(microseconds=1))
    await till.run_due()
    assert await _shown(till, top_up) == [(CHARGEBACK, RETURNED, "20.00")]


async def test_several_at_once_are_recorded_one_after_the_other(till: Till, top_up: pb.TopUp) -> None:
    await till.stripe.refund_at_dashboard(top_up.payment_reference, 8_00)
    await _dispute(till, top_up, 16_00)
    await _dispute(till, top_up, 64_00)

    await _told(till)

    assert sorted(await _shown(till, top_up)) == [
        (PROVIDER, RETURNED, "8.00"),
        (CHARGEBACK, DISPUTED, "16.00"),
        (CHARGEBACK, DISPUTED, "64.00"),
    ]
    # More has gone than was paid: $88.00 of $80.00.
    assert _asked(till)[-1] == (1_100, True)


async def test_what_took_no_money_is_ignored(till: Till, top_up: pb.TopUp) -> None:
    payment = await till.stripe.payment(top_up.payment_reference)
    till.stripe.dispute(payment, status="warning_needs_response")
    won = till.stripe.dispute(payment)
    till.stripe.close_dispute(won, "won")
    foreign = {"id": "pi_of_another_shop", "amount": 500, "currency": "usd"}
    till.stripe.dispute(foreign)

    await _told(till)
    till.wall.advance(LOOK)
    await till.run_due()

    assert await _shown(till, top_up) == []
    assert not till.ledger.told_of(RefundGrantRequest)


@pytest.mark.parametrize("faults", [[Fault(500)], [None, Fault(429)]], ids=["refunds", "disputes"])
async def test_if_stripe_does_not_answer_it_is_asked_again(
    till: Till, top_up: pb.TopUp, faults: list[Fault | None]
) -> None:
    await _dispute(till, top_up)
    till.stripe.faults = faults
    await _told(till)
    assert await _shown(till, top_up) == []

    till.wall.advance(2 * MINUTE)
    await till.run_due()

    assert await _shown(till, top_up) == [(CHARGEBACK, DISPUTED, "80.00")]


async def test_if_the_ledger_is_away_the_money_waits_for_its_answer(till: Till, top_up: pb.TopUp) -> None:
    dispute_id = await _dispute(till, top_up, 20_00)
    till.ledger.fault = Unavailable("down")
    await _told(till)
    assert [status for _, status, _ in await _shown(till, top_up)] == [PENDING]
    # Nothing is decided of a dispute that the Ledger does not know.
    till.stripe.close_dispute(dispute_id, "won")
    await _told(till)
    assert [status for _, status, _ in await _shown(till, top_up)] == [PENDING]

    till.ledger.fault = None
    till.wall.advance(2 * MINUTE)
    await till.run_due()
    till.wall.advance(2 * MINUTE)
    await till.run_due()
    till.wall.advance(HOUR)
    await till.run_due()

    assert await _shown(till, top_up) == [(CHARGEBACK, REVERSED, "20.00")]
    assert len(till.ledger.told_of(ReverseRefundRequest)) == 1


async def test_webhooks_that_are_repeated_and_reordered_change_nothing(till: Till, top_up: pb.TopUp) -> None:
    dispute_id = await _dispute(till, top_up)
    till.stripe.close_dispute(dispute_id, "lost")
    opened, closed = till.stripe.held
    till.stripe.held.clear()

    for event in (closed, opened, opened, closed):
        await till.stripe.post(event)
        await till.run_due()

    assert await _shown(till, top_up) == [(CHARGEBACK, RETURNED, "80.00")]
    assert _asked(till) == [(1_000, True)]
    assert await _notes(till, top_up) == ["80.00"]


async def test_a_refund_with_debt_is_all_that_is_left_of_the_invoice(till: Till, top_up: pb.TopUp) -> None:
    request = till.refund(top_up)
    request.accept_debt = True

    refund = (await till.desk.contract.RefundTopUp(request)).refund

    assert (refund.status, dollars(refund.amount), refund.accept_debt) == (RETURNED, "80.00", True)
    assert refund.owed_micros == 600 * CREDIT
    again = till.refund(top_up)
    again.accept_debt = True
    with fault(StatusCode.FAILED_PRECONDITION, "REFUND_EXCEEDS_PAID"):
        await till.desk.contract.RefundTopUp(again)


async def test_a_debt_that_corrected_usage_has_paid_ends_the_suspension_within_a_minute(
    till: Till, top_up: pb.TopUp
) -> None:
    await till.desk.contract.SetInvoiceCollection(
        pb.SetInvoiceCollectionRequest(
            request_id=till.desk.request_id(),
            contract_id=top_up.contract_id,
            invoice_collection=pb.InvoiceCollection(suspend_in_debt=True),
        )
    )
    owed = [48 * CREDIT]
    till.ledger.answers["GetOwed"] = lambda _: GetOwedResponse(owed_money_micros=owed[0])
    await _dispute(till, top_up)
    await _told(till)
    till.wall.advance(MINUTE)
    await till.run_due()
    assert await _is_suspended(till, top_up)

    owed[0] = 0
    await till.run_due()
    assert await _is_suspended(till, top_up)
    till.wall.advance(MINUTE)
    till.ledger.fault = Unavailable("down")
    await till.run_due()
    assert await _is_suspended(till, top_up)
    till.ledger.fault = None
    till.wall.advance(MINUTE)
    await till.run_due()

    assert not await _is_suspended(till, top_up)


async def _is_suspended(till: Till, top_up: pb.TopUp) -> bool:
    asked = pb.GetCustomerRequest(customer=top_up.customer_id)
    return bool((await till.desk.contract.GetCustomer(asked)).customer.suspensions)


async def test_stripe_says_what_becomes_of_its_disputes(till: Till, top_up: pb.TopUp) -> None:
    request = pb.ReportTopUpChargebackRequest(
        request_id=till.desk.request_id(),
        top_up_id=top_up.top_up_id,
        chargeback_id="case-1",
        dispute_outcome=pb.DISPUTE_OUTCOME_OPENED,
        amount=_usd(1),
    )
    with fault(StatusCode.FAILED_PRECONDITION, "PAID_THROUGH_PROVIDER"):
        await till.desk.contract.ReportTopUpChargeback(request)


def _usd(cents: int) -> Money:
    return Money(currency_code="USD", micros=cents * 10_000)
