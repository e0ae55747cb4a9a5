# SPDX-License-Identifier: Apache-2.0
"""Top-ups through Stripe, at random: grants equal the payments that were kept, exactly, whatever happens in between.

Payers, their cards, cancellations, expiries, refunds, also at Stripe's dashboard, disputes, webhooks (lost, repeated,
late), questions that fail or whose answers are lost, and restarts of Contract are mixed for many orders at the same
time. At the end Stripe's books are the model.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import Random

from grpc.aio import AioRpcError

from deploy.local.stripe import CARD, DECLINED_CARD, SECURE_CARD, Fault, StripeStandIn, running_stripe
from meshkit.clock import ManualClock
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2 import RefundGrantRequest, RefundGrantResponse, ReverseRefundRequest
from purser.type.v1.money_pb2 import Money
from tests.simulation.conftest import Plan
from tests.support.catalog import JUNE, Shop, running_catalog
from tests.support.contract import Desk, assorted
from tests.support.ledger_peer import RecordingLedger, recording_ledger
from tests.support.postgres import Databases, PostgresServer, own_database
from tests.support.till import Till, open_till, paid_contract

ORDERS = 12
ROUNDS = 3
ACTIONS_PER_ROUND = 3
PRICE = 8_000  # cents
CENT = 10_000
GRANTED = 1_000_000_000
FAULTS = [Fault(500), Fault(429), Fault(401), Fault(500, is_done=True), Fault(503, is_done=True)]
ACTIONS = [
    "browser",
    "browser",
    "secure",
    "charge",
    "charge",
    "cancel",
    "refund",
    "refund",
    "dispute",
    "close",
    "due",
    "post",
    "post",
    "fault",
    "later",
]
CLOSED = {"won": pb.TOP_UP_REFUND_STATUS_REVERSED, "lost": pb.TOP_UP_REFUND_STATUS_RETURNED}
ENDED = {pb.TOP_UP_STATUS_CANCELLED, pb.TOP_UP_STATUS_EXPIRED, pb.TOP_UP_STATUS_FAILED}


class Unspent:
    """Grants of 1,000 credits of which nothing is spent, as the Ledger answers for them."""

    def __init__(self) -> None:
        self._voided: defaultdict[str, int] = defaultdict(int)
        self._answers: dict[str, RefundGrantResponse] = {}

    def refund(self, request: RefundGrantRequest) -> RefundGrantResponse:
        if request.request_id not in self._answers:
            has_least = request.HasField("voided_at_least_micros")
            least = request.voided_at_least_micros if has_least else GRANTED
            self._voided[request.top_up_id] = max(self._voided[request.top_up_id], least)
            self._answers[request.request_id] = RefundGrantResponse(
                granted_micros=GRANTED,
                voided_micros=self._voided[request.top_up_id],
                apply_time=timestamp(JUNE),
            )
        return self._answers[request.request_id]


class Order:
    """One order and what its payer does next."""

    def __init__(self, top_up: pb.TopUp, dice: Random) -> None:
        self.top_up = top_up
        # Whose refunds are made at Stripe's dashboard: both at once could ask Stripe for more than there is.
        self.is_by_hand = dice.random() < 0.4
        self.disputes: dict[str, tuple[int, str]] = {}
        self._dice = dice
        self._secret = ""

    async def act(self, till: Till) -> None:
        """Do something; it may fail, for instance because Stripe does."""
        action = self._dice.choice(ACTIONS)
        with suppress(AioRpcError):
            match action:
                case "browser":
                    self._secret = (await till.payment(self.top_up)).client_secret or self._secret
                    if self._secret:
                        await till.stripe.pay_in_browser(self._secret, await self._card(till))
                case "secure":
                    await self._authenticate(till)
                case "charge":
                    charge = till.charge(self.top_up, await self._card(till))
                    for _ in range(self._dice.randint(1, 3)):  # repeated, as after a lost reply
                        await till.stub.PayTopUp(charge)
                case "cancel":
                    await till.desk.contract.CancelTopUp(till.cancel(self.top_up))
                case "refund" if self.is_by_hand:
                    await self._refund_by_hand(till)
                case "dispute":
                    await self._dispute(till)
                case "close" if self.disputes:
                    dispute_id = self._dice.choice(sorted(self.disputes))
                    cents, status = self.disputes[dispute_id]
                    if status not in CLOSED:
                        self.disputes[dispute_id] = cents, self._dice.choice(sorted(CLOSED))
                        till.stripe.close_dispute(dispute_id, self.disputes[dispute_id][1])
                case "refund":
                    amount = None
                    if self._dice.random() < 0.8:
                        amount = Money(currency_code="USD", micros=self._dice.randint(1, 4_000) * CENT)
                    refund = till.refund(self.top_up, amount)
                    for _ in range(self._dice.randint(1, 3)):
                        await till.desk.contract.RefundTopUp(refund)
                case "due":
                    await till.run_due()
                case "post" if till.stripe.held:
                    await till.stripe.post(self._dice.choice(till.stripe.held))
                case "fault":
                    till.stripe.faults.append(self._dice.choice(FAULTS))
                case "later":
                    till.wall.advance(timedelta(minutes=self._dice.randint(1, 90)))
                    await till.run_due()

    async def _refund_by_hand(self, till: Till) -> None:
        top_up = await till.now(self.top_up)
        if top_up.status == pb.TOP_UP_STATUS_PAID:
            made = [
                one["amount"]
                for one in await till.stripe.refunds()
                if one["payment_intent"] == top_up.payment_reference
            ]
            cents = self._dice.randint(1, 4_000)
            if sum(made) + cents <= PRICE:
                await till.stripe.refund_at_dashboard(top_up.payment_reference, cents)

    async def _dispute(self, till: Till) -> None:
        top_up = await till.now(self.top_up)
        if top_up.status == pb.TOP_UP_STATUS_PAID and len(self.disputes) < 2:
            cents = self._dice.randint(1, PRICE)
            payment = await till.stripe.payment(top_up.payment_reference)
            self.disputes[till.stripe.dispute(payment, cents)] = cents, "needs_response"

    async def _card(self, till: Till) -> str:
        return await till.stripe.card(self._dice.choice([CARD, DECLINED_CARD, SECURE_CARD]))

    async def _authenticate(self, till: Till) -> None:
        payment_id = self._secret.partition("_secret_")[0]
        if payment_id and (await till.stripe.payment(payment_id))["status"] == "requires_action":
            await till.stripe.authenticate(self._secret, succeeds=self._dice.random() < 0.7)


@asynccontextmanager
async def world(
    databases: Databases,
    stripe: StripeStandIn,
    ledger: RecordingLedger,
    clocks: tuple[ManualClock, ManualClock],
    *,
    desk: str,
) -> AsyncIterator[Till]:
    """Start Catalog and Contract on the databases as they are."""
    clock, wall = clocks
    async with (
        running_catalog(databases) as catalog,
        paid_contract(
            databases,
            stripe,
            catalog_address=catalog.address,
            ledger_address=ledger.address,
            wall=wall,
            clock=clock,
        ) as running,
    ):
        sells = await assorted(catalog.stub, Shop(catalog.stub))
        async with open_till(
            Desk(running.stub, sells, name=desk), running, wall=wall, stripe=stripe, ledger=ledger
        ) as till:
            yield till


async def test_grants_equal_the_payments_that_were_kept(postgres_server: PostgresServer, plan: Plan) -> None:
    seen: Counter[str] = Counter()
    for run in range(plan.times):
        async with own_database(postgres_server) as databases:
            seen += await _play(databases, Random(plan.seed + run))
    # Otherwise the dice have tried only one thing.
    assert 0 < seen["granted"] < seen["orders"]
    assert seen["refunds"]
    assert seen["disputes"]


async def _play(databases: Databases, dice: Random) -> Counter[str]:
    """Return how many orders, grants, refunds and disputes there were."""
    clocks = ManualClock(JUNE), ManualClock(datetime.now(UTC))
    orders: list[Order] = []
    async with recording_ledger() as ledger, running_stripe() as stripe:
        stripe.holds_webhooks = True
        ledger.answers["RefundGrant"] = Unspent().refund
        for turn in range(ROUNDS):
            async with world(databases, stripe, ledger, clocks, desk=f"desk-{turn}") as till:
                if turn == 0:
                    orders = [Order(await till.order(), Random(dice.random())) for _ in range(ORDERS)]
                for _ in range(ACTIONS_PER_ROUND):
                    await asyncio.gather(*(order.act(till) for order in orders))
        async with world(databases, stripe, ledger, clocks, desk=f"desk-{ROUNDS}") as till:
            await _settle(till, dice)
            return await _check(till, orders)


async def _settle(till: Till, dice: Random) -> None:
    """Let nothing fail any more, deliver what is left in any order, and let what is unpaid expire."""
    till.stripe.faults.clear()
    dice.shuffle(till.stripe.held)
    for event in till.stripe.held:
        assert await till.stripe.post(event) == 204
    till.running.clock.advance_to(JUNE + timedelta(hours=25))
    for _ in range(3):
        till.wall.advance(timedelta(hours=1))
        await till.run_due()


async def _check(till: Till, orders: list[Order]) -> Counter[str]:
    kept: Counter[str] = Counter()
    of_top_up: dict[str, str] = {}
    for payment in await till.stripe.payments():
        kept[payment["metadata"]["top_up_id"]] += payment["amount_received"]
        of_top_up[payment["id"]] = payment["metadata"]["top_up_id"]
    given_back: defaultdict[str, list[int]] = defaultdict(list)
    for refund in await till.stripe.refunds():
        given_back[of_top_up[refund["payment_intent"]]].append(refund["amount"])
    granted = Counter(till.granted())
    refunded = disputes = 0
    for order in orders:
        top_up = await till.now(order.top_up)
        is_paid = top_up.status == pb.TOP_UP_STATUS_PAID
        assert kept[top_up.top_up_id] == (PRICE if is_paid else 0), top_up
        assert granted[top_up.top_up_id] == is_paid, top_up
        assert is_paid or top_up.status in ENDED, top_up
        everything = (await till.refunds(top_up)) if is_paid else []
        disputes += _check_disputes(till, order, everything)
        refunds = [one for one in everything if one.cause != pb.TOP_UP_REFUND_CAUSE_CHARGEBACK]
        assert {one.status for one in refunds} <= {pb.TOP_UP_REFUND_STATUS_RETURNED}
        returned = [one.amount.micros // CENT for one in refunds if one.amount.micros]
        assert sorted(returned) == sorted(given_back[top_up.top_up_id]), top_up
        assert sum(returned) <= PRICE
        if any(not one.HasField("asked") for one in refunds) and not order.disputes:
            assert sum(returned) == PRICE
        refunded += len(returned)
    return Counter(orders=len(orders), granted=granted.total(), refunds=refunded, disputes=disputes)


def _check_disputes(till: Till, order: Order, refunds: list[pb.TopUpRefund]) -> int:
    """Assert that each dispute is one refund of its amount, as it ended; returns how many there are."""
    found = {one.provider_refund_id: one for one in refunds if one.provider_refund_id in order.disputes}
    assert len(found) == sum(one.cause == pb.TOP_UP_REFUND_CAUSE_CHARGEBACK for one in refunds)
    undone = {one.refund_id for one in till.ledger.told_of(ReverseRefundRequest)}
    asked = Counter(one.refund_id for one in till.ledger.told_of(RefundGrantRequest) if one.accept_debt)
    for dispute_id, (cents, status) in order.disputes.items():
        refund = found.get(dispute_id)
        if refund is None:
            assert status == "won", "only a dispute that was won before anybody saw it took nothing"
            continue
        assert refund.amount.micros == cents * CENT
        assert refund.status == CLOSED.get(status, pb.TOP_UP_REFUND_STATUS_DISPUTED)
        assert (refund.refund_id in undone) == (status == "won")
        assert asked[refund.refund_id]
    return len(found)
