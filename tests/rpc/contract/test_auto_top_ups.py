# SPDX-License-Identifier: Apache-2.0
"""AutoTopUpService and ReportTopUpLevel: what a low pool makes of an order, and what stops it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.stripe import (
    CARD,
    StripeStandIn,
    local_stripe,
    stripe_stand_in,
)
from meshkit.clock import ManualClock
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import auto_top_ups_pb2 as auto
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import contract_peer_pb2 as peer
from purser.contract.v1.auto_top_ups_pb2_grpc import AutoTopUpServiceStub
from purser.contract.v1.contract_peer_pb2_grpc import ContractPeerServiceStub
from purser.ledger.v1.ledger_peer_pb2 import IssueTopUpGrantRequest, SetTopUpLevelRequest
from purser.type.v1.money_pb2 import Money
from tests.support.catalog import RunningCatalog
from tests.support.contract import Desk, RunningContract
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert
from tests.support.till import Till, open_till, paid_contract

CREDIT = 1_000_000
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


@dataclass
class Pump:
    """An automatic top-up of a signed customer: threshold 500, recharge to 3,000; packs of 1,000 for $80."""

    till: Till
    alert: RecordingAlert
    stub: AutoTopUpServiceStub
    peer: ContractPeerServiceStub
    contract: pb.Contract
    auto_top_up_id: str = ""
    sequence: int = 0

    async def save_card(self, number: str = CARD) -> None:
        await self.till.save_card(pb.TopUp(customer_id=self.contract.customer_id), number)

    def request(self, **more: object) -> auto.SetAutoTopUpRequest:
        asked: dict[str, object] = {
            "request_id": self.till.desk.request_id(),
            "contract_id": self.contract.contract_id,
            "top_up_pack_id": self.till.desk.sells.pack.top_up_pack_id,
            "threshold_micros": 500 * CREDIT,
            "recharge_to_micros": 3_000 * CREDIT,
            "monthly_limit": Money(currency_code="USD", micros=500 * CREDIT),
        }
        return auto.SetAutoTopUpRequest(**(asked | more))  # type: ignore[arg-type]

    async def set(self, **more: object) -> auto.AutoTopUp:
        made = (await self.stub.SetAutoTopUp(self.request(**more))).auto_top_up
        self.auto_top_up_id = made.auto_top_up_id
        return made

    def level(self) -> SetTopUpLevelRequest:
        """The latest level that the Ledger has received."""
        return self.till.ledger.told_of(SetTopUpLevelRequest)[-1]

    async def report(self, remaining: int, *, in_alarm: bool = True, version: int | None = None) -> None:
        self.sequence += 1
        await self.peer.ReportTopUpLevel(
            peer.ReportTopUpLevelRequest(
                request_id=f"ntc_{self.sequence}",
                auto_top_up_id=self.auto_top_up_id,
                customer_id=self.contract.customer_id,
                credit_type_id=self.till.desk.sells.credits.credit_type_id,
                version=self.level().version if version is None else version,
                in_alarm=in_alarm,
                remaining_micros=remaining * CREDIT,
                sequence=self.sequence,
                observe_time=timestamp(self.till.running.clock.now()),
            )
        )

    async def low(self, remaining: int = 480) -> auto.AutoTopUp:
        """Report that the pool is low, and let Contract do what it wants to do now."""
        await self.report(remaining)
        await self.till.run_due()
        return await self.now()

    async def now(self) -> auto.AutoTopUp:
        return (await self.got()).auto_top_up

    async def got(self) -> auto.GetAutoTopUpResponse:
        return await self.stub.GetAutoTopUp(auto.GetAutoTopUpRequest(auto_top_up_id=self.auto_top_up_id))

    async def orders(self) -> list[pb.TopUp]:
        asked = pb.ListTopUpsRequest(contract_id=self.contract.contract_id)
        return list((await self.till.desk.contract.ListTopUps(asked)).top_ups)

    def events(self) -> list[str]:
        return [one.event_type for one in self.alert.events if one.event_type.startswith("auto_top_up.")]


@pytest.fixture
async def pump(till: Till, alert: RecordingAlert) -> AsyncIterator[Pump]:
    signed = await till.desk.sign(till.desk.seats(4))
    async with open_channel(till.running.address) as channel:
        yield Pump(
            till=till,
            alert=alert,
            stub=AutoTopUpServiceStub(channel),
            peer=ContractPeerServiceStub(channel),
            contract=signed.contract,
        )


async def test_a_low_pool_is_recharged_by_one_order_that_is_paid_at_once(pump: Pump) -> None:
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
    assert pump.till.granted() == [order.top_up_id]
    assert (after.status, after.top_up_id, after.failures) == (IDLE, "", 0)
    assert pump.level().version == 2
    told = [type(one) for one in pump.till.ledger.told]
    assert told.index(IssueTopUpGrantRequest) < len(told) - 1 - told[::-1].index(SetTopUpLevelRequest)
    got = await pump.got()
    assert (got.spent.micros, got.orders_today) == (240 * CREDIT, 1)
    assert pump.events() == ["auto_top_up.ordered"]
