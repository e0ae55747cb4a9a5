# SPDX-License-Identifier: Apache-2.0
"""One top-up through Stripe: every sequence of two things that may happen to it, with a fault at every place.

The model is one line per event; whatever fails in between, the order ends as if nothing had failed, or as if the event
that did not reach Stripe had not happened.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import product

import pytest
from grpc.aio import AioRpcError
from starlette.requests import Request

from deploy.local.stripe import CARD, DECLINED_CARD, SECURE_CARD, Fault, StripeStandIn, running_stripe
from meshkit.clock import ManualClock
from purser.contract.v1 import contract_pb2 as pb
from tests.simulation.conftest import Plan
from tests.support.catalog import Shop, running_catalog
from tests.support.contract import Desk, assorted
from tests.support.ledger_peer import recording_ledger
from tests.support.postgres import Databases
from tests.support.till import Till, open_till, paid_contract

PENDING, PAID = pb.TOP_UP_STATUS_PENDING_PAYMENT, pb.TOP_UP_STATUS_PAID
CANCELLED, EXPIRED = pb.TOP_UP_STATUS_CANCELLED, pb.TOP_UP_STATUS_EXPIRED
PRICE = 8_000  # cents
WINDOW = timedelta(minutes=10)
MANY = 10  # more than a question is repeated


class Event(Enum):
    """What may happen to an order; the last three are asked of Contract, the others happen at Stripe."""

    DECLINED_IN_BROWSER = "a card is declined in the browser"
    PAID_IN_BROWSER = "a card is accepted in the browser"
    SECURED_IN_BROWSER = "3-D Secure succeeds in the browser"
    ABANDONED_IN_BROWSER = "3-D Secure fails in the browser"
    TOLD = "all webhooks so far come, the last one first"
    CHARGED = "the card is charged off-session"
    CANCELLED = "the order is given up"
    EXPIRED = "its time is over"


class Crash(Enum):
    """UNREACHED: Stripe does not act. KILLED: Stripe acts, and whoever asked it is gone before the reply."""

    UNREACHED = "Stripe fails"
    KILLED = "Contract is killed after Stripe has acted"


ASKS_STRIPE = (Event.CHARGED, Event.CANCELLED, Event.EXPIRED)
ENDS = {
    Event.PAID_IN_BROWSER: PAID,
    Event.SECURED_IN_BROWSER: PAID,
    Event.CHARGED: PAID,
    Event.CANCELLED: CANCELLED,
    Event.EXPIRED: EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Row:
    """events: in order. crash_at: which of them fails; -1: the order itself; None: nothing does."""

    events: tuple[Event, ...]
    crash: Crash | None = None
    crash_at: int | None = None

    @property
    def expected(self) -> "pb.TopUpStatus.ValueType":
        """The first event that ends an order decides. What was not asked at once is done later, but for a charge."""
        later = None
        for number, event in enumerate(self.events):
            if event not in ENDS:
                continue
            if self.crash is Crash.UNREACHED and number == self.crash_at:
                later = later or (None if event is Event.CHARGED else ENDS[event])
                continue
            return later if later is not None and ENDS[event] is not PAID else ENDS[event]
        return later or PENDING


def rows() -> list[Row]:
    """Return every sequence of one and two events, without a fault and with each fault at each place."""
    sequences = [(one,) for one in Event] + list(product(Event, repeat=2))
    table = [Row(events) for events in sequences]
    for events in sequences:
        places = [-1] + [number for number, event in enumerate(events) if event in ASKS_STRIPE]
        table += [Row(events, crash, place) for place in places for crash in Crash]
    return table


@pytest.fixture
async def till(databases: Databases) -> AsyncIterator[Till]:
    wall = ManualClock(datetime.now(UTC))
    async with (
        recording_ledger() as ledger,
        running_stripe() as stripe,
        running_catalog(databases) as catalog,
        paid_contract(
            databases,
            stripe,
            catalog_address=catalog.address,
            ledger_address=ledger.address,
            wall=wall,
        ) as running,
    ):
        stripe.holds_webhooks = True
        desk = Desk(running.stub, await assorted(catalog.stub, Shop(catalog.stub)))
        async with open_till(desk, running, wall=wall, stripe=stripe, ledger=ledger) as opened:
            yield opened


async def test_whatever_happens_to_an_order_one_payment_is_one_grant(till: Till, plan: Plan) -> None:
    table = rows()
    contract_id = (await till.desk.sign(till.desk.seats(4))).contract.contract_id
    # All of them with `make simulate`; in the suite every seventh.
    for row in table if plan.times > 1 else table[::7]:
        till.stripe.held.clear()
        await _play(till, contract_id, row)
    of_orders = [one["metadata"]["top_up_id"] for one in await till.stripe.payments()]
    assert len(of_orders) == len(set(of_orders))


async def _play(till: Till, contract_id: str, row: Row) -> None:
    asked = pb.OrderTopUpRequest(
        request_id=till.desk.request_id(),
        contract_id=contract_id,
        top_up_pack_id=till.desk.sells.pack.top_up_pack_id,
        payment_gate=pb.PAYMENT_GATE_STRIPE,
    )
    asked.payment_window.FromTimedelta(WINDOW)
    await _with(
        row.crash if row.crash_at == -1 else None, till.stripe, lambda: till.desk.contract.OrderTopUp(asked)
    )
    top_up = (await till.desk.contract.OrderTopUp(asked)).top_up
    secret = (await till.payment(top_up)).client_secret
    for number, event in enumerate(row.events):
        await _happen(till, event, top_up, secret, row.crash if row.crash_at == number else None)

    await _tell(till)
    till.wall.advance(timedelta(hours=1))
    await till.run_due()

    now = await till.now(top_up)
    assert now.status == row.expected, row
    assert till.granted().count(top_up.top_up_id) == (now.status == PAID), row
    payment = await till.stripe.payment(secret.partition("_secret_")[0])
    assert payment["amount_received"] == (PRICE if now.status == PAID else 0), row
    if now.status == PENDING:
        await till.desk.contract.CancelTopUp(till.cancel(top_up))


async def _happen(till: Till, event: Event, top_up: pb.TopUp, secret: str, crash: Crash | None) -> None:
    """Let one event happen; what is not possible any more does not."""
    stripe = till.stripe
    match event:
        case Event.DECLINED_IN_BROWSER:
            await stripe.pay_in_browser(secret, await stripe.card(DECLINED_CARD))
        case Event.PAID_IN_BROWSER:
            await stripe.pay_in_browser(secret, await stripe.card(CARD))
        case Event.SECURED_IN_BROWSER | Event.ABANDONED_IN_BROWSER:
            answer = await stripe.pay_in_browser(secret, await stripe.card(SECURE_CARD))
            if answer.get("status") == "requires_action":
                await stripe.authenticate(secret, succeeds=event is Event.SECURED_IN_BROWSER)
        case Event.TOLD:
            await _tell(till)
        case Event.CHARGED:
            charge = till.charge(top_up, await stripe.card(CARD))
            await _with(crash, stripe, lambda: till.stub.PayTopUp(charge))
        case Event.CANCELLED:
            cancel = till.cancel(top_up)
            await _with(crash, stripe, lambda: till.desk.contract.CancelTopUp(cancel))
        case Event.EXPIRED:
            till.running.clock.advance(WINDOW)
            till.wall.advance(WINDOW)
            await _with(crash, stripe, till.run_due)


async def _tell(till: Till) -> None:
    for event in reversed(till.stripe.held):
        assert await till.stripe.post(event) == 204


async def _with(crash: Crash | None, stripe: StripeStandIn, ask: Callable[[], Awaitable[object]]) -> None:
    """Ask Contract for something, with a fault on the way; a refusal is an answer too."""
    acted, gone = asyncio.Event(), asyncio.Event()

    async def hang_up(call: Request) -> None:
        if call.method == "POST":
            acted.set()
            while (await call.receive())["type"] != "http.disconnect":
                pass
            gone.set()

    if crash is Crash.UNREACHED:
        stripe.faults = [Fault(500)] * MANY
    if crash is Crash.KILLED:
        stripe.before_reply = hang_up
    asking = asyncio.ensure_future(ask())
    reaching = asyncio.ensure_future(acted.wait())
    await asyncio.wait((asking, reaching), return_when=asyncio.FIRST_COMPLETED)
    if acted.is_set():
        asking.cancel()
        await gone.wait()
    reaching.cancel()
    with suppress(AioRpcError, asyncio.CancelledError):
        await asking
    stripe.before_reply = None
    stripe.faults.clear()
