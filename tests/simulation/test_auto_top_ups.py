# SPDX-License-Identifier: Apache-2.0
"""Automatic top-ups through Stripe, at random: one order at a time, limits hold, and grants equal the payments kept.

Debits, reports that are late and repeated, cards that are declined or want the payer, webhooks (lost, repeated, late),
questions that fail or whose answers are lost, the clock, and restarts of Contract are mixed for several customers. At
the end Stripe's books are the model of the money, and no low pool is forgotten.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random

from grpc.aio import AioRpcError

from deploy.local.stripe import CARD, DECLINED_CARD, SECURE_CARD, StripeStandIn, running_stripe
from meshkit.clock import ManualClock
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import auto_top_ups_pb2 as auto
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import contract_peer_pb2 as peer
from purser.contract.v1.auto_top_ups_pb2_grpc import AutoTopUpServiceStub
from purser.contract.v1.contract_peer_pb2_grpc import ContractPeerServiceStub
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from purser.type.v1.money_pb2 import Money
from tests.simulation.conftest import Plan
from tests.simulation.test_payments import FAULTS, world
from tests.support.catalog import JUNE
from tests.support.ledger_peer import RecordingLedger, recording_ledger
from tests.support.postgres import Databases, PostgresServer, own_database
from tests.support.till import Till

CUSTOMERS = 6
ROUNDS = 2
ACTIONS_PER_ROUND = 8
CREDIT = 1_000_000
THRESHOLD, RECHARGE_TO = 500 * CREDIT, 2_000 * CREDIT
LIMIT = 800  # dollars a month
PRICE = 80
ACTIONS = [
    *["debit"] * 6,
    *["report"] * 6,
    *["due"] * 6,
    *["post", "fault", "confirm"] * 3,
    *["later", "hour"] * 2,
    "card",
    "set",
    "day",
]
ORDERED, DISABLED = auto.AUTO_TOP_UP_STATUS_ORDERED, auto.AUTO_TOP_UP_STATUS_DISABLED


class Pool:
    """A pool of the Ledger with its level: what debits and grants make of it, and the reports that wait."""

    def __init__(self) -> None:
        self.remaining = 1_000 * CREDIT
        self.reports: list[peer.ReportTopUpLevelRequest] = []
        self.level: ledger_pb.SetTopUpLevelRequest | None = None
        self._observed = (0, False)
        self._granted: set[str] = set()
        self._sequence = 0

    def set_level(self, request: ledger_pb.SetTopUpLevelRequest) -> ledger_pb.SetTopUpLevelResponse:
        if self.level is None or request.version > self.level.version:
            self.level = request
            self._observe()
        return ledger_pb.SetTopUpLevelResponse(version=self.level.version)

    def grant(self, request: ledger_pb.IssueTopUpGrantRequest) -> ledger_pb.IssueTopUpGrantResponse:
        if request.top_up_id not in self._granted:
            self._granted.add(request.top_up_id)
            self.remaining += request.amount_micros
            self._observe()
        return ledger_pb.IssueTopUpGrantResponse()

    def debit(self, micros: int) -> None:
        self.remaining = max(0, self.remaining - micros)
        self._observe()

    def _observe(self) -> None:
        level = self.level
        if level is None or not level.is_active:
            return
        seen = (level.version, self.remaining <= level.threshold_micros)
        if seen != self._observed:
            self._observed = seen
            self._sequence += 1
            self.reports.append(
                peer.ReportTopUpLevelRequest(
                    request_id=f"ntc_{self._sequence}",
                    auto_top_up_id=level.auto_top_up_id,
                    customer_id=level.customer_id,
                    credit_type_id=level.credit_type_id,
                    version=level.version,
                    in_alarm=seen[1],
                    remaining_micros=self.remaining,
                    sequence=self._sequence,
                    observe_time=timestamp(JUNE),
                )
            )


class Buyer:
    """A customer with an automatic top-up, and what happens to it next."""

    def __init__(self, contract: pb.Contract, pool: Pool, dice: Random) -> None:
        self.contract = contract
        self.pool = pool
        self.auto_top_up_id = ""
        self._dice = dice

    async def set(self, till: Till) -> None:
        request = auto.SetAutoTopUpRequest(
            request_id=till.desk.request_id(),
            contract_id=self.contract.contract_id,
            top_up_pack_id=till.desk.sells.pack.top_up_pack_id,
            threshold_micros=THRESHOLD,
            recharge_to_micros=RECHARGE_TO,
            monthly_limit=Money(currency_code="USD", micros=LIMIT * CREDIT),
        )
        async with open_channel(till.running.address) as channel:
            made = (await AutoTopUpServiceStub(channel).SetAutoTopUp(request)).auto_top_up
        self.auto_top_up_id = made.auto_top_up_id

    async def save_card(self, till: Till, number: str) -> None:
        await till.save_card(pb.TopUp(customer_id=self.contract.customer_id), number)

    async def act(self, till: Till) -> None:
        """Do something; it may fail, for instance because Stripe does."""
        with suppress(AioRpcError):
            match self._dice.choice(ACTIONS):
                case "debit":
                    self.pool.debit(self._dice.randint(1, 900) * CREDIT)
                case "report" if self.pool.reports:
                    position = self._dice.randrange(len(self.pool.reports))
                    is_repeated = self._dice.random() < 0.3
                    report = self.pool.reports[position] if is_repeated else self.pool.reports.pop(position)
                    await _report(till, report)
                case "due":
                    await till.run_due()
                case "post" if till.stripe.held:
                    await till.stripe.post(self._dice.choice(till.stripe.held))
                case "fault":
                    till.stripe.faults.append(self._dice.choice(FAULTS))
                case "confirm":
                    await self._confirm(till)
                case "card":
                    await self.save_card(till, self._dice.choice([CARD, CARD, DECLINED_CARD, SECURE_CARD]))
                case "later":
                    till.wall.advance(timedelta(minutes=self._dice.randint(1, 90)))
                    await till.run_due()
                case "hour":
                    await till.running.advance_to(till.running.clock.now() + timedelta(hours=1))
                case "day":
                    await till.running.advance_to(till.running.clock.now() + timedelta(days=1))
                case "set":
                    await self.set(till)
        assert sum(one.status == pb.TOP_UP_STATUS_PENDING_PAYMENT for one in await self.orders(till)) <= 1

    async def _confirm(self, till: Till) -> None:
        """The payer does what the bank wants, if it does."""
        for order in await self.orders(till):
            if order.status == pb.TOP_UP_STATUS_PENDING_PAYMENT:
                secret = (await till.payment(order)).client_secret
                payment_id = secret.partition("_secret_")[0]
                if payment_id and (await till.stripe.payment(payment_id))["status"] == "requires_action":
                    await till.stripe.authenticate(secret, succeeds=self._dice.random() < 0.7)

    async def now(self, till: Till) -> auto.GetAutoTopUpResponse:
        request = auto.GetAutoTopUpRequest(auto_top_up_id=self.auto_top_up_id)
        async with open_channel(till.running.address) as channel:
            return await AutoTopUpServiceStub(channel).GetAutoTopUp(request)

    async def orders(self, till: Till) -> list[pb.TopUp]:
        asked = pb.ListTopUpsRequest(contract_id=self.contract.contract_id, page_size=500)
        return list((await till.desk.contract.ListTopUps(asked)).top_ups)


async def _report(till: Till, report: peer.ReportTopUpLevelRequest) -> None:
    async with open_channel(till.running.address) as channel:
        await ContractPeerServiceStub(channel).ReportTopUpLevel(report)


def _played_by(ledger: RecordingLedger) -> dict[str, Pool]:
    """Let pools answer for the Ledger; returns them by customer, as they are made."""
    pools: dict[str, Pool] = {}
    ledger.answers["SetTopUpLevel"] = lambda request: pools[request.customer_id].set_level(request)
    ledger.answers["IssueTopUpGrant"] = lambda request: pools[request.customer_id].grant(request)
    return pools


async def test_one_order_at_a_time_is_paid_and_granted_and_no_low_pool_is_forgotten(
    postgres_server: PostgresServer, plan: Plan
) -> None:
    for run in range(plan.times):
        async with own_database(postgres_server) as databases:
            await _play(databases, Random(plan.seed + run))


async def _play(databases: Databases, dice: Random) -> None:
    clocks = ManualClock(JUNE), ManualClock(datetime.now(UTC))
    buyers: list[Buyer] = []
    async with recording_ledger() as ledger, running_stripe() as stripe:
        stripe.holds_webhooks = True
        pools = _played_by(ledger)
        for turn in range(ROUNDS):
            async with world(databases, stripe, ledger, clocks, desk=f"desk-{turn}") as till:
                if turn == 0:
                    buyers = [await _sign(till, pools, Random(dice.random())) for _ in range(CUSTOMERS)]
                for _ in range(ACTIONS_PER_ROUND):
                    await asyncio.gather(*(buyer.act(till) for buyer in buyers))
        async with world(databases, stripe, ledger, clocks, desk=f"desk-{ROUNDS}") as till:
            await _settle(till, buyers, dice)
            await _check(till, stripe, buyers)


async def _sign(till: Till, pools: dict[str, Pool], dice: Random) -> Buyer:
    contract = (await till.desk.sign(till.desk.seats(1))).contract
    pools[contract.customer_id] = Pool()
    buyer = Buyer(contract, pools[contract.customer_id], dice)
    await buyer.save_card(till, CARD)
    await buyer.set(till)
    return buyer


async def _settle(till: Till, buyers: list[Buyer], dice: Random) -> None:
    """Let nothing fail any more, and deliver what is left, until nothing is left to do."""
    till.stripe.faults.clear()
    dice.shuffle(till.stripe.held)
    for event in till.stripe.held:
        assert await till.stripe.post(event) == 204
    for buyer in buyers:
        await buyer.save_card(till, CARD)
    for _ in range(12):
        # Orders that wait for their payer expire by the hour; the poller asks again by the wall clock.
        till.wall.advance(timedelta(hours=1))
        await till.running.advance_to(till.running.clock.now() + timedelta(hours=1))
        for buyer in buyers:
            for report in buyer.pool.reports:
                await _report(till, report)
            buyer.pool.reports.clear()
        await till.run_due()


async def _check(till: Till, stripe: StripeStandIn, buyers: list[Buyer]) -> None:
    kept: Counter[str] = Counter()
    for payment in await stripe.payments():
        kept[payment["metadata"]["top_up_id"]] += payment["amount_received"]
    granted = Counter(till.granted())
    statuses: Counter[int] = Counter()
    for buyer in buyers:
        orders = await buyer.orders(till)
        for order in orders:
            is_paid = order.status == pb.TOP_UP_STATUS_PAID
            assert order.status != pb.TOP_UP_STATUS_PENDING_PAYMENT, order
            assert kept[order.top_up_id] == (order.terms.price.micros // 10_000 if is_paid else 0), order
            assert granted[order.top_up_id] == is_paid, order
            statuses[order.status] += 1
        now = await buyer.now(till)
        spent = sum(one.terms.price.micros for one in orders if one.status == pb.TOP_UP_STATUS_PAID)
        assert spent <= LIMIT * CREDIT  # all is in June
        assert now.spent.micros == spent
        if now.auto_top_up.status == auto.AUTO_TOP_UP_STATUS_IDLE:
            assert buyer.pool.remaining > THRESHOLD
        else:
            assert now.auto_top_up.stop_reason, now
    # Otherwise the dice have tried only one thing.
    assert statuses[pb.TOP_UP_STATUS_PAID]
    assert len(statuses) > 1
