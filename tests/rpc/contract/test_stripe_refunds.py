# SPDX-License-Identifier: Apache-2.0
"""Refunds of top-ups that were paid through Stripe: the money is returned once, whatever is lost."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from deploy.local.stripe import Fault, StripeStandIn, local_stripe, stripe_stand_in
from meshkit.clock import ManualClock
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2 import RefundGrantRequest, RefundGrantResponse
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import JUNE, RunningCatalog
from tests.support.contract import Desk, RunningContract, dollars
from tests.support.faults import fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert
from tests.support.till import Till, open_till, paid_contract

MINUTE = timedelta(minutes=1)
CREDIT = 1_000_000
DUE, RETURNED = pb.TOP_UP_REFUND_STATUS_DUE, pb.TOP_UP_REFUND_STATUS_RETURNED


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    with local_stripe() as address:
        yield address


@pytest.fixture
async def till(
    databases: Databases,
    running_catalog_service: RunningCatalog,
    desk: Desk,
    running: RunningContract,
    wall: ManualClock,
    stripe: StripeStandIn,
    ledger: RecordingLedger,
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
    """Paid: 1,000 credits for $80, of which none is spent."""
    ordered = await till.order()
    await till.save_card(ordered)
    paid = (await till.stub.PayTopUp(till.charge(ordered))).top_up
    assert paid.status == pb.TOP_UP_STATUS_PAID
    till.ledger.answers["RefundGrant"] = _unspent
    return paid


def _unspent(request: RefundGrantRequest) -> RefundGrantResponse:
    has_least = request.HasField("voided_at_least_micros")
    return RefundGrantResponse(
        granted_micros=1_000 * CREDIT,
        voided_micros=request.voided_at_least_micros if has_least else 1_000 * CREDIT,
        apply_time=timestamp(JUNE),
    )


def _request(till: Till, top_up: pb.TopUp, cents: int | None = None) -> pb.RefundTopUpRequest:
    amount = None if cents is None else Money(currency_code="USD", micros=cents * 10_000)
    return pb.RefundTopUpRequest(
        request_id=till.desk.request_id(), top_up_id=top_up.top_up_id, amount=amount, reason="by mistake"
    )


async def _refund(till: Till, top_up: pb.TopUp, cents: int | None = None) -> pb.TopUpRefund:
    return (await till.desk.contract.RefundTopUp(_request(till, top_up, cents))).refund


async def _shown(till: Till, top_up: pb.TopUp) -> list[pb.TopUpRefund]:
    request = pb.GetTopUpRequest(top_up_id=top_up.top_up_id)
    return list((await till.desk.contract.GetTopUp(request)).refunds)


async def _at_stripe(till: Till) -> list[int]:
    """Return the cents that Stripe has returned, in any order."""
    return sorted(one["amount"] for one in await till.stripe.refunds())


async def _refunded(till: Till, alert: RecordingAlert) -> list[tuple[str, int]]:
    """Return the status and the micros of every `top_up.refunded`."""
    await till.run_due()
    told = [json.loads(one.data_json) for one in alert.events if one.event_type == "top_up.refunded"]
    return [(one["status"], one["refund"]["amount"]["micros"]) for one in told]


async def test_each_refund_is_published_once_when_stripe_has_returned_it(
    till: Till, top_up: pb.TopUp, alert: RecordingAlert
) -> None:
    till.stripe.faults = [Fault(500), Fault(500)]
    assert (await _refund(till, top_up, 20_00)).status == DUE
    assert await _refunded(till, alert) == []

    till.wall.advance(MINUTE)
    assert await _refunded(till, alert) == [("PAID", 20_000_000)]
    await till.run_due()
    assert (await _refund(till, top_up)).status == RETURNED
    assert await _refunded(till, alert) == [("PAID", 20_000_000), ("PAID", 60_000_000)]


async def test_stripe_returns_each_part_at_once_and_the_rest(till: Till, top_up: pb.TopUp) -> None:
    before = len(await till.stripe.refunds())

    first = await _refund(till, top_up, 1_001)
    rest = await _refund(till, top_up)

    assert [(one.status, dollars(one.amount)) for one in (first, rest)] == [
        (RETURNED, "10.01"),
        (RETURNED, "69.99"),
    ]
    assert first.return_time == timestamp(JUNE)
    told = till.ledger.told_of(RefundGrantRequest)
    assert [one.voided_at_least_micros for one in told] == [125_125_000, 0]
    refunds = await till.stripe.refunds()
    assert len(refunds) - before == 2
    await till.run_due()
    assert await till.stripe.refunds() == refunds


# Asked for earlier refunds, then for this one.
@pytest.mark.parametrize(
    "faults",
    [[Fault(500)], [None, Fault(429)], [None, Fault(500, is_done=True)]],
    ids=["list", "create", "reply"],
)
async def test_stripe_is_asked_until_it_has_returned_the_money_once(
    till: Till, top_up: pb.TopUp, faults: list[Fault | None]
) -> None:
    before = await _at_stripe(till)
    till.stripe.faults = faults

    refund = await _refund(till, top_up, 500)
    assert refund.status == DUE
    # A day later, the key is forgotten; only the refund itself is known.
    till.stripe.forget_keys()
    await till.run_due()

    [shown] = await _shown(till, top_up)
    assert (shown.status, dollars(shown.amount)) == (RETURNED, "5.00")
    assert await _at_stripe(till) == sorted([*before, 500])


async def test_stripe_is_asked_again_after_a_minute_and_then_less_often(till: Till, top_up: pb.TopUp) -> None:
    till.stripe.faults = [Fault(500), Fault(500), Fault(500)]
    assert (await _refund(till, top_up)).status == DUE
    await till.run_due()
    await till.run_due()
    assert len(till.stripe.faults) == 1

    till.wall.advance(MINUTE)
    await till.run_due()
    assert not till.stripe.faults
    till.wall.advance(2 * MINUTE - timedelta(microseconds=1))
    await till.run_due()
    assert [one.status for one in await _shown(till, top_up)] == [DUE]
    till.wall.advance(timedelta(microseconds=1))
    await till.run_due()

    assert [one.status for one in await _shown(till, top_up)] == [RETURNED]


async def test_nobody_reports_what_stripe_returns(till: Till, top_up: pb.TopUp) -> None:
    till.stripe.faults = [Fault(500)]
    await _refund(till, top_up)
    request = pb.ResolveTopUpPaymentRequest(
        request_id=till.desk.request_id(),
        top_up_id=top_up.top_up_id,
        outcome=pb.PAYMENT_OUTCOME_REFUNDED,
    )

    with fault(StatusCode.FAILED_PRECONDITION, "PAID_THROUGH_PROVIDER"):
        await till.desk.contract.ResolveTopUpPayment(request)
    assert [one.status for one in await _shown(till, top_up)] == [DUE]
