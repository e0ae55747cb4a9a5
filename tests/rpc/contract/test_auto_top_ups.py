# SPDX-License-Identifier: Apache-2.0
"""AutoTopUpService and ReportTopUpLevel: what a low pool makes of an order, and what stops it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from deploy.local.stripe import (
    CARD,
    DECLINED_CARD,
    SECURE_CARD,
    Fault,
    StripeStandIn,
    local_stripe,
    stripe_stand_in,
)
from meshkit.clock import ManualClock
from purser.contract.v1 import auto_top_ups_pb2 as auto
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import contract_peer_pb2 as peer
from purser.ledger.v1.ledger_peer_pb2 import (
    GetOwedRequest,
    GetOwedResponse,
    IssueTopUpGrantRequest,
    SetTopUpLevelRequest,
)
from purser.type.v1.money_pb2 import Money
from services.contract.domain.errors.catalog import PeerUnavailable
from tests.support.auto_top_ups import CREDIT, Pump, a_pump
from tests.support.catalog import JUNE, RunningCatalog
from tests.support.contract import Desk, RunningContract
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert
from tests.support.till import Till, open_till, paid_contract

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
LEASE = timedelta(minutes=2)
IDLE, ASKED = auto.AUTO_TOP_UP_STATUS_IDLE, auto.AUTO_TOP_UP_STATUS_ASKED
ORDERED, BLOCKED = auto.AUTO_TOP_UP_STATUS_ORDERED, auto.AUTO_TOP_UP_STATUS_BLOCKED
DISABLED = auto.AUTO_TOP_UP_STATUS_DISABLED
FAILED = auto.AUTO_TOP_UP_STOP_REASON_PAYMENT_FAILED


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    with local_stripe() as address:
        yield address


@pytest.fixture
async def stripe(localstripe: str) -> AsyncIterator[StripeStandIn]:
    async with stripe_stand_in(localstripe) as stand_in:
        stand_in.holds_webhooks = True
        yield stand_in


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
async def alert() -> AsyncIterator[RecordingAlert]:
    async with RecordingAlert() as listening:
        yield listening


@pytest.fixture
async def running(
    databases: Databases,
    running_catalog_service: RunningCatalog,
    ledger: RecordingLedger,
    alert: RecordingAlert,
    stripe: StripeStandIn,
    wall: ManualClock,
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
async def till(
    desk: Desk, running: RunningContract, wall: ManualClock, stripe: StripeStandIn, ledger: RecordingLedger
) -> AsyncIterator[Till]:
    async with open_till(desk, running, wall=wall, stripe=stripe, ledger=ledger) as opened:
        yield opened


@dataclass(kw_only=True)
class CardPump(Pump):
    """An automatic top-up that is paid with a card."""

    till: Till

    async def save_card(self, number: str = CARD) -> None:
        await self.till.save_card(pb.TopUp(customer_id=self.contract.customer_id), number)


@pytest.fixture
async def pump(
    till: Till, desk: Desk, running: RunningContract, ledger: RecordingLedger, alert: RecordingAlert
) -> AsyncIterator[CardPump]:
    async with a_pump(desk, running, ledger, alert) as made:
        yield CardPump(till=till, **vars(made))


async def test_a_low_pool_is_recharged_by_one_order_that_is_paid_at_once(pump: CardPump) -> None:
    await pump.save_card()
    made = await pump.set()
    assert (made.status, made.payment_gate) == (IDLE, pb.PAYMENT_GATE_STRIPE)
    assert (pump.level().version, pump.level().is_active, pump.level().threshold_micros) == (
        1,
        True,
        500 * CREDIT,
    )

    after = await pump.low(480)

    [order] = await pump.orders()
    assert (order.status, order.terms.amount_micros) == (pb.TOP_UP_STATUS_PAID, 3_000 * CREDIT)
    assert order.terms.price.micros == 240 * CREDIT
    [payment] = await pump.till.stripe.payments()
    assert payment["amount_received"] == 24_000
    assert pump.granted() == [order.top_up_id]
    assert (after.status, after.top_up_id, after.failures) == (IDLE, "", 0)
    assert pump.level().version == 2
    told = [type(one) for one in pump.ledger.told]
    assert told.index(IssueTopUpGrantRequest) < len(told) - 1 - told[::-1].index(SetTopUpLevelRequest)
    got = await pump.got()
    assert (got.spent.micros, got.orders_today) == (240 * CREDIT, 1)
    assert pump.events() == ["ordered"]


async def test_a_pool_that_is_not_low_orders_nothing(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set()

    await pump.report(501, in_alarm=False)
    await pump.run_due()

    assert await pump.orders() == []
    assert (await pump.now()).status == IDLE


async def test_a_report_is_answered_before_anything_is_bought_and_its_repetition_changes_nothing(
    pump: CardPump,
) -> None:
    await pump.save_card()
    await pump.set()
    await pump.report(480)
    assert ((await pump.now()).status, await pump.orders()) == (ASKED, [])
    await pump.run_due()

    pump.sequence -= 1
    await pump.report(480, version=1)
    await pump.run_due()

    assert len(await pump.orders()) == 1
    assert (await pump.now()).status == IDLE


async def test_reports_at_once_and_replicas_at_once_make_one_order(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set()

    await asyncio.gather(*(pump.report(480 - number) for number in range(8)))
    await asyncio.gather(*(pump.run_due() for _ in range(4)))

    assert len(await pump.orders()) == 1
    assert len(await pump.till.stripe.payments()) == 1


async def test_a_report_of_nobody_s_automatic_top_up_is_ignored(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set()
    pump.auto_top_up_id, known = "atu_unknown", pump.auto_top_up_id

    await pump.report(480)
    await pump.run_due()

    pump.auto_top_up_id = known
    assert await pump.orders() == []


async def test_a_declined_card_ends_its_order_and_the_second_one_disables(pump: CardPump) -> None:
    await pump.save_card(DECLINED_CARD)
    await pump.set()

    first = await pump.low()
    [declined] = await pump.orders()
    assert declined.status == pb.TOP_UP_STATUS_CANCELLED
    assert declined.last_payment_error.code == "card_declined"
    assert (first.status, first.stop_reason, first.failures) == (BLOCKED, FAILED, 1)
    assert first.until_time.ToDatetime(UTC) == JUNE + HOUR

    await pump.running.advance_to(JUNE + HOUR - TICK)
    assert (await pump.now()).status == BLOCKED
    await pump.running.advance_to(JUNE + HOUR)
    assert ((await pump.now()).status, pump.level().version) == (IDLE, 2)
    second = await pump.low()

    assert (second.status, second.stop_reason, second.failures) == (DISABLED, FAILED, 2)
    assert not second.HasField("until_time")
    assert (pump.level().is_active, pump.level().version) == (False, 3)
    assert pump.granted() == []
    assert [one["status"] for one in await pump.till.stripe.payments()] == ["canceled", "canceled"]
    assert pump.events() == ["ordered", "stopped", "ordered", "stopped"]
    assert [one["status"] for one in pump.stops()] == ["BLOCKED", "DISABLED"]


async def test_a_payment_between_two_declined_ones_starts_the_count_again(pump: CardPump) -> None:
    await pump.save_card(DECLINED_CARD)
    await pump.set(monthly_limit=Money(currency_code="USD", micros=1_000 * CREDIT))
    await pump.low()
    await pump.running.advance_to(JUNE + HOUR)
    await pump.save_card()
    paid = await pump.low()
    await pump.save_card(DECLINED_CARD)

    again = await pump.low()

    assert (paid.status, paid.failures) == (IDLE, 0)
    assert (again.status, again.failures) == (BLOCKED, 1)


async def test_setting_it_again_enables_it_at_once(pump: CardPump) -> None:
    await pump.save_card(DECLINED_CARD)
    await pump.set()
    await pump.low()
    await pump.running.advance_to(JUNE + HOUR)
    await pump.low()
    await pump.save_card()

    again = await pump.set()
    after = await pump.low()

    assert (again.status, again.failures) == (IDLE, 0)
    assert after.status == IDLE
    assert len(pump.granted()) == 1


async def test_3d_secure_blocks_until_the_payer_has_confirmed(pump: CardPump) -> None:
    await pump.save_card(SECURE_CARD)
    await pump.set()

    waits = await pump.low()
    [order] = await pump.orders()
    assert (waits.status, waits.top_up_id) == (ORDERED, order.top_up_id)
    assert waits.stop_reason == auto.AUTO_TOP_UP_STOP_REASON_ACTION_REQUIRED
    assert waits.until_time.ToDatetime(UTC) == JUNE + HOUR
    await pump.report(900, in_alarm=False)
    await pump.low(100)
    assert len(await pump.orders()) == 1

    asked = await pump.till.payment(order)
    await pump.till.stripe.authenticate(asked.client_secret, succeeds=True)
    await pump.till.payment(order)

    after = await pump.now()
    assert (after.status, after.failures, after.stop_reason) == (IDLE, 0, 0)
    assert pump.granted() == [order.top_up_id]
    assert [one["stop_reason"] for one in pump.stops()] == ["ACTION_REQUIRED"]


async def test_3d_secure_that_nobody_confirms_ends_after_an_hour_and_counts_as_a_failure(
    pump: CardPump,
) -> None:
    await pump.save_card(SECURE_CARD)
    await pump.set()
    await pump.low()

    await pump.running.advance_to(JUNE + HOUR - TICK)
    before = await pump.now()
    await pump.running.advance_to(JUNE + HOUR)

    [order] = await pump.orders()
    after = await pump.now()
    assert before.status == ORDERED
    assert order.status == pb.TOP_UP_STATUS_EXPIRED
    assert (after.status, after.stop_reason, after.failures) == (BLOCKED, FAILED, 1)


async def test_a_charge_whose_reply_is_lost_is_repeated_and_charges_once(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set()
    # Created, asked, confirmed without a reply.
    pump.till.stripe.faults = [None, None, Fault(500, is_done=True)]

    waits = await pump.low()
    assert waits.status == ORDERED
    pump.till.wall.advance(LEASE)
    await pump.run_due()

    [order] = await pump.orders()
    assert order.status == pb.TOP_UP_STATUS_PAID
    [payment] = await pump.till.stripe.payments()
    assert payment["amount_received"] == 24_000
    assert pump.granted() == [order.top_up_id]
    assert (await pump.now()).status == IDLE


@pytest.mark.parametrize("status_code", [429, 500])
async def test_an_order_is_charged_once_stripe_is_back(pump: CardPump, status_code: int) -> None:
    await pump.save_card()
    await pump.set()
    pump.till.stripe.faults = [Fault(status_code)] * 2

    waits = await pump.low()
    pump.till.wall.advance(LEASE)
    await pump.run_due()

    assert waits.status == ORDERED
    assert len(await pump.orders()) == 1
    assert len(await pump.till.stripe.payments()) == 1
    assert len(pump.granted()) == 1


async def test_a_declined_order_is_cancelled_also_if_stripe_is_away_in_between(pump: CardPump) -> None:
    await pump.save_card(DECLINED_CARD)
    await pump.set()
    # Created, asked, confirmed: declined; then it cannot be cancelled.
    pump.till.stripe.faults = [None, None, None, Fault(500)]

    waits = await pump.low()
    pump.till.wall.advance(LEASE)
    await pump.run_due()

    assert waits.status == ORDERED
    assert (await pump.now()).status == BLOCKED
    assert [one.status for one in await pump.orders()] == [pb.TOP_UP_STATUS_CANCELLED]


async def test_an_order_whose_replica_was_killed_before_it_charged_is_charged_by_another(
    pump: CardPump, databases: Databases, running_catalog_service: RunningCatalog
) -> None:
    await pump.save_card()
    await pump.set()
    pump.till.stripe.faults = [Fault(500)]
    await pump.low()
    assert (await pump.now()).status == ORDERED

    pump.till.wall.advance(LEASE)
    async with paid_contract(
        databases,
        pump.till.stripe,
        catalog_address=running_catalog_service.address,
        ledger_address=pump.ledger.address,
        wall=pump.till.wall,
        clock=pump.running.clock,
    ) as other:
        await other.app.run_due(other.clock.now())
        await pump.ledger.until_told(IssueTopUpGrantRequest)

    assert len(pump.granted()) == 1
    assert (await pump.now()).status == IDLE


async def test_without_the_catalog_the_order_waits(
    pump: CardPump, databases: Databases, running_catalog_service: RunningCatalog
) -> None:
    await pump.save_card()
    await pump.set()
    await pump.report(480)
    async with paid_contract(
        databases,
        pump.till.stripe,
        catalog_address="127.0.0.1:1",
        ledger_address=pump.ledger.address,
        wall=pump.till.wall,
        clock=pump.running.clock,
    ) as lonely:
        await lonely.app.run_due(lonely.clock.now())
    assert ((await pump.now()).status, await pump.orders()) == (ASKED, [])

    pump.till.wall.advance(LEASE)
    await pump.run_due()

    assert len(pump.granted()) == 1


async def test_one_order_also_pays_what_the_customer_owes(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set()
    pump.ledger.answers["GetOwed"] = lambda _: GetOwedResponse(owed_money_micros=48 * CREDIT)

    await pump.low(480)

    [order] = await pump.orders()
    assert order.terms.amount_micros == 4_000 * CREDIT
    [asked] = pump.ledger.told_of(GetOwedRequest)
    assert asked == GetOwedRequest(customer_id=pump.contract.customer_id, currency_code="USD")


async def test_without_an_answer_of_the_ledger_nothing_is_ordered(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set()
    pump.ledger.fault = PeerUnavailable(peer="ledger", details="away")
    await pump.report(480, version=1)
    await pump.run_due()
    assert ((await pump.now()).status, await pump.orders()) == (ASKED, [])

    pump.ledger.fault = None
    pump.till.wall.advance(LEASE)
    await pump.run_due()

    assert len(pump.granted()) == 1


async def test_an_order_buys_what_the_month_allows_and_the_next_month_goes_on(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set(monthly_limit=Money(currency_code="USD", micros=320 * CREDIT))

    await pump.low(480)
    await pump.low(500)
    stopped = await pump.low(500)

    assert [one.terms.price.micros // CREDIT for one in await pump.orders()] == [240, 80]
    assert (stopped.status, stopped.stop_reason) == (BLOCKED, auto.AUTO_TOP_UP_STOP_REASON_MONTHLY_LIMIT)
    july = datetime(2025, 7, 1, tzinfo=UTC)
    assert stopped.until_time.ToDatetime(UTC) == july
    assert (await pump.got()).spent.micros == 320 * CREDIT
    await pump.running.advance_to(july - TICK)
    assert (await pump.now()).status == BLOCKED
    await pump.running.advance_to(july)
    await pump.low(500)
    assert len(await pump.orders()) == 3
    assert (await pump.got()).spent.micros == 240 * CREDIT
    assert [one["stop_reason"] for one in pump.stops()] == ["MONTHLY_LIMIT"]


async def test_a_cent_below_the_price_of_a_pack_buys_none(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set(
        recharge_to_micros=1_000 * CREDIT, monthly_limit=Money(currency_code="USD", micros=159_990_000)
    )
    await pump.low()

    stopped = await pump.low()

    assert len(await pump.orders()) == 1
    assert stopped.stop_reason == auto.AUTO_TOP_UP_STOP_REASON_MONTHLY_LIMIT


async def test_five_orders_are_made_a_day_and_the_sixth_on_the_next(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set(
        recharge_to_micros=1_000 * CREDIT, monthly_limit=Money(currency_code="USD", micros=10_000 * CREDIT)
    )

    states = [(await pump.low()).status for _ in range(6)]

    assert states == [IDLE] * 5 + [BLOCKED]
    assert (await pump.now()).stop_reason == auto.AUTO_TOP_UP_STOP_REASON_DAILY_LIMIT
    assert (await pump.got()).orders_today == 5
    await pump.running.advance_to(JUNE + timedelta(days=1))
    assert (await pump.low()).status == IDLE
    assert len(await pump.orders()) == 6
    assert (await pump.got()).orders_today == 1


async def test_a_suspended_customer_buys_nothing_until_it_is_resumed(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set()
    desk, customer = pump.desk, pump.contract.customer_id
    await desk.contract.SuspendCustomer(
        pb.SuspendCustomerRequest(request_id=desk.request_id(), customer=customer)
    )

    stopped = await pump.low()
    await pump.running.advance_to(JUNE + timedelta(days=40))
    still = await pump.now()
    await desk.contract.ResumeCustomer(
        pb.ResumeCustomerRequest(request_id=desk.request_id(), customer=customer)
    )
    await pump.run_due()
    resumed = await pump.now()
    await pump.low()

    assert (stopped.status, stopped.stop_reason) == (
        BLOCKED,
        auto.AUTO_TOP_UP_STOP_REASON_CUSTOMER_SUSPENDED,
    )
    assert (still.status, resumed.status) == (BLOCKED, IDLE)
    assert len(await pump.orders()) == 1


async def test_nothing_is_bought_after_the_contract_s_end(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set()
    end = pb.EndContractRequest(request_id=pump.desk.request_id(), contract_id=pump.contract.contract_id)
    await pump.desk.contract.EndContract(end)

    stopped = await pump.low()

    assert (stopped.status, stopped.stop_reason) == (DISABLED, auto.AUTO_TOP_UP_STOP_REASON_CONTRACT_ENDED)
    assert not pump.level().is_active
    assert await pump.orders() == []
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await pump.set()


async def test_after_a_change_of_plan_packs_are_bought_on_the_new_contract(pump: CardPump) -> None:
    await pump.save_card()
    await pump.set()
    desk = pump.desk
    change = pb.ChangePlanRequest(
        request_id=desk.request_id(),
        contract_id=pump.contract.contract_id,
        rate_card_id=pump.contract.rate_card_id,
        subscriptions=[desk.seats(2)],
    )
    changed = (await desk.contract.ChangePlan(change)).plan_change

    after = await pump.low()

    asked = pb.ListTopUpsRequest(contract_id=changed.begun_contract_id)
    [order] = (await desk.contract.ListTopUps(asked)).top_ups
    assert order.status == pb.TOP_UP_STATUS_PAID
    assert (after.status, after.contract_id) == (IDLE, changed.begun_contract_id)


async def test_disabling_ends_the_level_and_lets_an_order_be_paid(pump: CardPump) -> None:
    await pump.save_card(SECURE_CARD)
    await pump.set()
    await pump.low()
    request = auto.DisableAutoTopUpRequest(
        request_id=pump.desk.request_id(), auto_top_up_id=pump.auto_top_up_id
    )

    off = (await pump.stub.DisableAutoTopUp(request)).auto_top_up
    assert (off.status, off.stop_reason) == (DISABLED, auto.AUTO_TOP_UP_STOP_REASON_BY_REQUEST)
    assert off.top_up_id
    assert not pump.level().is_active
    [order] = await pump.orders()
    asked = await pump.till.payment(order)
    await pump.till.stripe.authenticate(asked.client_secret, succeeds=True)
    await pump.till.payment(order)

    assert pump.granted() == [order.top_up_id]
    after = await pump.now()
    assert (after.status, after.top_up_id) == (DISABLED, "")
    assert (await pump.stub.DisableAutoTopUp(request)).auto_top_up == off
    assert [one["stop_reason"] for one in pump.stops()] == ["ACTION_REQUIRED"]


async def test_there_is_one_for_each_credit_type_and_setting_it_again_replaces_its_terms(
    pump: CardPump,
) -> None:
    await pump.save_card()
    first = await pump.set()

    again = await pump.set(threshold_micros=700 * CREDIT)

    assert (again.auto_top_up_id, again.threshold_micros) == (first.auto_top_up_id, 700 * CREDIT)
    assert (pump.level().version, pump.level().threshold_micros) == (2, 700 * CREDIT)
    listed = await pump.stub.ListAutoTopUps(auto.ListAutoTopUpsRequest(customer=pump.contract.customer_id))
    assert list(listed.auto_top_ups) == [again]


async def test_a_repeated_request_gets_the_stored_response(pump: CardPump) -> None:
    await pump.save_card()
    request = pump.request()

    first = await pump.stub.SetAutoTopUp(request)
    assert await pump.stub.SetAutoTopUp(request) == first
    request.threshold_micros += 1
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await pump.stub.SetAutoTopUp(request)

    assert len(pump.ledger.told_of(SetTopUpLevelRequest)) == 1


async def test_what_cannot_buy_a_pack_is_refused(pump: CardPump) -> None:
    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_METHOD_MISSING"):
        await pump.set()
    await pump.save_card()
    with bad_fields("monthly_limit.micros"):
        await pump.set(monthly_limit=Money(currency_code="USD", micros=79_990_000))
    with fault(StatusCode.FAILED_PRECONDITION, "CURRENCY_DIFFERS"):
        await pump.set(monthly_limit=Money(currency_code="EUR", micros=500 * CREDIT))
    with bad_fields("recharge_to_micros"):
        await pump.set(recharge_to_micros=500 * CREDIT)
    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND"):
        await pump.set(contract_id="con_unknown")
    with fault(StatusCode.NOT_FOUND, "TOP_UP_PACK_NOT_FOUND"):
        await pump.set(top_up_pack_id="pck_unknown")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await pump.stub.ListAutoTopUps(auto.ListAutoTopUpsRequest(customer="nobody"))
    unknown = "atu_unknown"
    with fault(StatusCode.NOT_FOUND, "AUTO_TOP_UP_NOT_FOUND"):
        await pump.stub.GetAutoTopUp(auto.GetAutoTopUpRequest(auto_top_up_id=unknown))
    with fault(StatusCode.NOT_FOUND, "AUTO_TOP_UP_NOT_FOUND"):
        await pump.stub.DisableAutoTopUp(
            auto.DisableAutoTopUpRequest(request_id="off", auto_top_up_id=unknown)
        )


async def test_all_bad_fields_are_named_at_once(pump: CardPump) -> None:
    with bad_fields(
        "request_id",
        "contract_id",
        "top_up_pack_id",
        "threshold_micros",
        "recharge_to_micros",
        "monthly_limit",
    ):
        await pump.stub.SetAutoTopUp(auto.SetAutoTopUpRequest(threshold_micros=-1))
    with bad_fields("request_id", "auto_top_up_id"):
        await pump.stub.DisableAutoTopUp(auto.DisableAutoTopUpRequest())
    with bad_fields("auto_top_up_id"):
        await pump.stub.GetAutoTopUp(auto.GetAutoTopUpRequest())
    with bad_fields("customer"):
        await pump.stub.ListAutoTopUps(auto.ListAutoTopUpsRequest())
    with bad_fields(
        "request_id",
        "auto_top_up_id",
        "customer_id",
        "credit_type_id",
        "version",
        "remaining_micros",
        "sequence",
        "observe_time",
    ):
        await pump.peer.ReportTopUpLevel(peer.ReportTopUpLevelRequest(remaining_micros=-1))
