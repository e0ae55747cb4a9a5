# SPDX-License-Identifier: Apache-2.0
"""Invoices through Stripe, at random: what Stripe has received is what invoices and account credits say, exactly.

Cards that are declined softly or for good, payers in the browser, vendors who record, credit, void and refund, days
that pass, webhooks (lost, repeated, late), questions that fail or whose answers are lost, runs that are killed after
Stripe has acted, and restarts of Contract are mixed for many customers at the same time. At the end Stripe's books
are the model.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import Random

from grpc.aio import AioRpcError
from starlette.requests import Request

from deploy.local.stripe import CARD, DECLINED_CARD, SECURE_CARD, Fault, StripeStandIn, running_stripe
from meshkit.clock import ManualClock
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from purser.type.v1.money_pb2 import Money
from tests.simulation.conftest import Plan
from tests.support.catalog import JUNE, Shop, running_catalog
from tests.support.collecting import AUTOMATICALLY, CENT, Collector
from tests.support.contract import Desk, assorted
from tests.support.ledger_peer import RecordingLedger, recording_ledger
from tests.support.postgres import Databases, PostgresServer, own_database
from tests.support.till import open_till, paid_contract

CUSTOMERS = 8
ROUNDS = 2
ACTIONS_PER_ROUND = 5
DAY = timedelta(days=1)
MINIMUM = 50  # cents
FAULTS = [Fault(500), Fault(429), Fault(500, is_done=True), Fault(503, is_done=True)]
CARDS = [(CARD, ""), (CARD, ""), (DECLINED_CARD, ""), (DECLINED_CARD, "stolen_card"), (SECURE_CARD, "")]
ACTIONS = [
    "sign",
    "save",
    "save",
    "browser",
    "browser",
    "secure",
    "pay",
    "pay",
    "record",
    "credit",
    "void",
    "refund",
    "refund",
    "dashboard",
    "dispute",
    "due",
    "due",
    "post",
    "fault",
    "later",
    "day",
]
OPEN, PAID, VOID = pb.INVOICE_STATUS_OPEN, pb.INVOICE_STATUS_PAID, pb.INVOICE_STATUS_VOID


class Payer:
    """One customer, what the vendor does with its invoices, and what it does itself."""

    def __init__(self, customer_id: str, dice: Random) -> None:
        self.customer_id = customer_id
        self.invoice_ids: list[str] = []
        self.done: Counter[str] = Counter()
        self.disputes: list[str] = []
        # Payments of which something went back without Contract; nothing else is taken from these.
        self._disturbed: set[str] = set()
        self._refunded: set[str] = set()
        self._dice = dice
        self._secret = ""

    async def act(self, collector: Collector) -> None:
        """Do something; it may fail, for instance because Stripe does."""
        action = self._dice.choice(ACTIONS) if self.invoice_ids else "sign"
        with suppress(AioRpcError):
            await self._act(collector, action)
            self.done[action] += 1

    async def _act(self, collector: Collector, action: str) -> None:
        till, dice = collector.till, self._dice
        contract = till.desk.contract
        invoice_id = dice.choice(self.invoice_ids) if self.invoice_ids else ""
        match action:
            case "sign":
                await self._sign(collector)
            case "save":
                number, decline_code = dice.choice(CARDS)
                await collector.save_card(self.customer_id, number, decline_code=decline_code)
            case "browser":
                self._secret = (await collector.payment(invoice_id)).client_secret or self._secret
                if self._secret:
                    await till.stripe.pay_in_browser(self._secret, await self._card(collector))
            case "secure":
                await self._authenticate(till.stripe)
            case "pay":
                request = collector.pay(invoice_id, await self._card(collector))
                for _ in range(dice.randint(1, 3)):  # repeated, as after a lost reply
                    await till.stub.PayInvoice(request)
            case "record":
                cents = dice.randint(1, 4_000)
                await contract.RecordInvoicePayment(
                    collector.record(invoice_id, cents, f"bank-{dice.random()}")
                )
            case "credit":
                await contract.CreateCreditNote(collector.credit(invoice_id, dice.randint(1, 2_000)))
            case "void":
                void = pb.VoidInvoiceRequest(
                    request_id=till.desk.request_id(), invoice_id=invoice_id, reason="a test"
                )
                await contract.VoidInvoice(void)
            case "refund":
                await self._refund(collector, invoice_id)
            case "dashboard" | "dispute":
                await self._take_back(collector, invoice_id, is_dispute=action == "dispute")
            case "due":
                await till.run_due()
            case "post" if till.stripe.held:
                await till.stripe.post(dice.choice(till.stripe.held))
            case "fault":
                till.stripe.faults.append(dice.choice(FAULTS))
            case "later":
                till.wall.advance(timedelta(minutes=dice.randint(1, 90)))
                await till.run_due()
            case "day":
                till.running.clock.advance(dice.randint(1, 48) * timedelta(hours=1))
                await till.run_due()

    async def _sign(self, collector: Collector) -> None:
        dice, now = self._dice, collector.till.running.clock.now()
        is_small = dice.random() < 0.4
        request = collector.contract_request(
            self.customer_id,
            seats=1 if is_small else 4,
            suspends=dice.random() < 0.5,
            method=AUTOMATICALLY if dice.random() < 0.9 else pb.COLLECTION_METHOD_SEND,
            start=now,
            end=now + (DAY if is_small else 20 * DAY),  # $0.33, or some $27
        )
        signed = await collector.till.desk.contract.CreateContract(request)
        self.invoice_ids += [one.invoice_id for one in signed.invoices]

    async def _refund(self, collector: Collector, invoice_id: str) -> None:
        details = await collector.details(invoice_id)
        payments = [one for one in details.payments if one.reference not in self._disturbed]
        if not payments:
            return
        payment = self._dice.choice(payments)
        if payment.reference.startswith("pi_"):
            self._refunded.add(payment.reference)
        part = Money(currency_code="USD", micros=self._dice.randint(1, 2_000) * CENT)
        request = pay.RefundInvoicePaymentRequest(
            request_id=collector.till.desk.request_id(),
            invoice_id=invoice_id,
            invoice_payment_id=payment.invoice_payment_id,
            amount=part if self._dice.random() < 0.7 else None,
            with_credit_note=self._dice.random() < 0.5,
            reason="a test",
        )
        for _ in range(self._dice.randint(1, 2)):
            await collector.till.stub.RefundInvoicePayment(request)

    async def _take_back(self, collector: Collector, invoice_id: str, *, is_dispute: bool) -> None:
        """Let some of a payment go back without Contract."""
        stripe = collector.till.stripe
        for payment in (await collector.details(invoice_id)).payments:
            reference = payment.reference
            if reference in self._disturbed | self._refunded or not reference.startswith("pi_"):
                continue
            self._disturbed.add(reference)
            cents = self._dice.randint(1, payment.amount.micros // CENT)
            if is_dispute:
                self.disputes.append(stripe.dispute(await stripe.payment(reference), cents))
            else:
                await stripe.refund_at_dashboard(reference, cents)
            return

    async def _card(self, collector: Collector) -> str:
        number, decline_code = self._dice.choice(CARDS)
        return await collector.till.stripe.card(number, decline_code=decline_code)

    async def _authenticate(self, stripe: StripeStandIn) -> None:
        payment_id = self._secret.partition("_secret_")[0]
        if payment_id and (await stripe.payment(payment_id))["status"] == "requires_action":
            await stripe.authenticate(self._secret, succeeds=self._dice.random() < 0.7)


async def _killed(collector: Collector) -> None:
    """Run what is due, and end that when Stripe has acted upon the next call, before it replies."""
    acted, gone = asyncio.Event(), asyncio.Event()

    async def hang_up(call: Request) -> None:
        if call.method == "POST" and not acted.is_set():
            acted.set()
            while (await call.receive())["type"] != "http.disconnect":
                pass
            gone.set()

    stripe = collector.till.stripe
    stripe.before_reply = hang_up
    running = asyncio.ensure_future(collector.till.run_due())
    reaching = asyncio.ensure_future(acted.wait())
    await asyncio.wait((running, reaching), return_when=asyncio.FIRST_COMPLETED)
    reaching.cancel()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    stripe.before_reply = None


@asynccontextmanager
async def _world(
    databases: Databases,
    stripe: StripeStandIn,
    ledger: RecordingLedger,
    clocks: tuple[ManualClock, ManualClock],
    *,
    name: str,
) -> AsyncIterator[Collector]:
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
        desk = Desk(running.stub, sells, name=name)
        async with open_till(desk, running, wall=wall, stripe=stripe, ledger=ledger) as till:
            yield Collector(till=till)


async def test_what_stripe_has_received_is_what_the_invoices_say(
    postgres_server: PostgresServer, plan: Plan
) -> None:
    for run in range(plan.times):
        async with own_database(postgres_server) as databases:
            await _play(databases, Random(plan.seed + run))


async def _play(databases: Databases, dice: Random) -> None:
    clocks = ManualClock(JUNE), ManualClock(datetime.now(UTC))
    payers: list[Payer] = []
    async with recording_ledger() as ledger, running_stripe() as stripe:
        stripe.holds_webhooks = True
        for turn in range(ROUNDS):
            async with _world(databases, stripe, ledger, clocks, name=f"desk-{turn}") as collector:
                if turn == 0:
                    for number in range(CUSTOMERS):
                        customer = await collector.customer(f"Customer {number}")
                        payers.append(Payer(customer.customer_id, Random(dice.random())))
                for _ in range(ACTIONS_PER_ROUND):
                    await asyncio.gather(*(payer.act(collector) for payer in payers))
                    await _killed(collector)
        async with _world(databases, stripe, ledger, clocks, name="desk-last") as collector:
            await _settle(collector, payers, dice)
            await _check(collector, payers)


async def _settle(collector: Collector, payers: list[Payer], dice: Random) -> None:
    """Let nothing fail any more, deliver what is left in any order, and let everybody save a card that is accepted."""
    till = collector.till
    till.stripe.faults.clear()
    for payer in payers:
        for dispute_id in payer.disputes:
            if dice.random() < 0.7:
                till.stripe.close_dispute(dispute_id, dice.choice(["won", "lost"]))
    dice.shuffle(till.stripe.held)
    for event in till.stripe.held:
        assert await till.stripe.post(event) == 204
    for _ in range(3):
        till.wall.advance(timedelta(hours=1))
        await till.run_due()
    for payer in payers:
        await collector.save_card(payer.customer_id)
    for _ in range(4):
        till.wall.advance(timedelta(hours=1))
        till.running.clock.advance(30 * DAY)
        await till.run_due()


async def _check(collector: Collector, payers: list[Payer]) -> None:
    stripe = collector.till.stripe
    payments = await stripe.payments()
    at_stripe = Counter({one["id"]: one["amount_received"] for one in payments})
    of_payment = {one["metadata"]["payment_id"]: one["id"] for one in payments}
    for refund in await stripe.refunds():
        at_stripe[refund["payment_intent"]] -= refund["amount"]
    for dispute in stripe.disputes():
        if dispute["status"] != "won":
            at_stripe[dispute["payment_intent"]] -= dispute["amount"]
    here: Counter[str] = Counter()
    for payer in payers:
        await _check_invoices(collector, payer, here)
        asked = pb.ListAccountCreditsRequest(customer=payer.customer_id, page_size=500)
        for entry in (await collector.till.desk.contract.ListAccountCredits(asked)).entries:
            if entry.cause == pb.ACCOUNT_CREDIT_CAUSE_OVERPAID:
                here[of_payment[entry.document_id]] += entry.amount.micros // CENT
    assert +at_stripe == +here
    assert -at_stripe == -here == Counter()
    # Otherwise the dice have tried only one thing.
    assert sum(here.values()) > 0


async def _check_invoices(collector: Collector, payer: Payer, here: Counter[str]) -> None:
    due: defaultdict[str, int] = defaultdict(int)
    for invoice_id in payer.invoice_ids:
        details = await collector.details(invoice_id)
        invoice = details.invoice
        back: Counter[str] = Counter()
        for refund in details.refunds:
            assert refund.status == pb.INVOICE_REFUND_STATUS_RETURNED
            back[refund.invoice_payment_id] += refund.amount.micros // CENT
        for payment in details.payments:
            cents = payment.amount.micros // CENT - back[payment.invoice_payment_id]
            assert cents >= 0
            if payment.reference.startswith("pi_"):
                here[payment.reference.partition("/")[0]] += cents
        paid = sum(one.amount.micros for one in details.payments) // CENT - sum(back.values())
        assert invoice.amount_paid.micros // CENT == paid, invoice
        if invoice.status != VOID:
            settled = invoice.amount_paid.micros + invoice.amount_credited.micros
            assert settled + invoice.amount_due.micros == invoice.total.micros
            assert (invoice.status == PAID) == (invoice.amount_due.micros == 0)
        if invoice.amount_due.micros and not details.refunds:
            due[invoice.contract_id] += invoice.amount_due.micros // CENT
    await _check_unpaid(collector, payer, due)


async def _check_unpaid(collector: Collector, payer: Payer, due: dict[str, int]) -> None:
    """With a card that is accepted, nothing stays unpaid but what is sent, and what is too little."""
    collected = 0
    for contract_id, cents in due.items():
        asked = pb.GetContractRequest(contract_id=contract_id)
        contract = (await collector.till.desk.contract.GetContract(asked)).contract
        if contract.invoice_collection.method == AUTOMATICALLY:
            collected += cents
    assert collected < MINIMUM, payer.customer_id
    assert await collector.suspensions(payer.customer_id) == []
