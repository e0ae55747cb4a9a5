# SPDX-License-Identifier: Apache-2.0
"""A year of a customer with real services, on one clock, equals an independent model to the micro and the cent."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshkit.clock import ManualClock
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2
from tests.simulation.contract_year import CREDIT, Customer, Plan
from tests.support.catalog import Shop, a_rate, running_catalog
from tests.support.contract import ContractStub, Desk, assorted, running_contract
from tests.support.invoices import read
from tests.support.ledger import a_rate as a_usage_rate
from tests.support.ledger import running_ledger
from tests.support.postgres import Databases

# Months from the 31st, with a February of 29 days.
START = datetime(2028, 1, 31, tzinfo=UTC)
LONG_AGO = datetime(2028, 1, 1, tzinfo=UTC)
PRICE_CHANGES = (datetime(2028, 4, 10, tzinfo=UTC), datetime(2028, 9, 3, 12, tzinfo=UTC))
PRICES = (10 * CREDIT, 11_490_000, 12 * CREDIT)
PLAN_CHANGE, END = datetime(2028, 7, 17, 9, 30, tzinfo=UTC), datetime(2029, 1, 31, tzinfo=UTC)
STATEMENT, DRAFT = pb.INVOICE_STATUS_STATEMENT, pb.INVOICE_STATUS_DRAFT
BEYOND = 0.15  # how often usage goes beyond the credits
SEAT_CHANGES, TOP_UPS, PURCHASES = 12, 4, 60
PACK_CREDITS, PACK_PRICE, PACK_LIFETIME = 1_000, 80 * CREDIT, timedelta(days=365)


def timeline(chance: random.Random) -> list[tuple[datetime, str]]:
    """Return the year's events at random instants; the change of plan is where it is."""
    kinds = ["seats"] * SEAT_CHANGES + ["top_up"] * TOP_UPS + ["spend"] * PURCHASES
    length = (END - START) // timedelta(seconds=1)
    events = [(START + timedelta(seconds=chance.randrange(1, length)), kind) for kind in kinds]
    return sorted([*events, (PLAN_CHANGE, "plan")])


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_invoice_and_balance_of_a_year_equals_the_model_s(
    databases: Databases, seed: int
) -> None:
    chance, clock = random.Random(seed), ManualClock(START)
    async with (
        running_catalog(databases) as catalog,
        running_ledger(databases, clock=clock) as ledger,
        running_contract(
            databases, catalog_address=catalog.address, ledger_address=ledger.address, clock=clock
        ) as contract,
    ):
        shop = Shop(catalog.stub)
        sells = await assorted(catalog.stub, shop)
        small, large = await shop.seats(), await shop.seats()
        await _price(shop, sells.rate_card, small, PRICES)
        await _price(shop, sells.rate_card, large, tuple(2 * price for price in PRICES))
        await ledger.tell_product("prd_assistant")
        card_id = sells.rate_card.rate_card_id
        await ledger.tell_card(
            a_usage_rate(credit_type_id=sells.credits.credit_type_id, start=LONG_AGO),
            rate_card_id=card_id,
            version=100,
        )
        desk = Desk(contract.stub, sells)
        await desk.customer("Acme", "acme")
        signed = await desk.sign(
            desk.seats(4, product_id=small.product_id, frequency=pb.BILLING_FREQUENCY_MONTHLY),
            customer="acme",
            schedules=(desk.schedule(),),
            start=START,
        )
        contract_id = signed.contract.contract_id
        limit = pb.OverageLimit(credit_type_id=sells.credits.credit_type_id)
        policy = pb.OveragePolicy(mode=pb.OVERAGE_MODE_OVERAGE, limits=[limit])
        await contract.stub.SetOveragePolicy(
            pb.SetOveragePolicyRequest(
                request_id=desk.request_id(), contract_id=contract_id, overage_policy=policy
            )
        )
        model = Customer()
        starts = (LONG_AGO, *PRICE_CHANGES)
        model.begin(Plan(START, 4, dict(zip(starts, PRICES, strict=True)), credits=100))
        model.advance(START)

        async def balance() -> int:
            asked = ledger_pb2.GetBalanceRequest(customer="acme")
            return sum(pool.available_micros for pool in (await ledger.gate.GetBalance(asked)).pools)

        for number, (at, kind) in enumerate(timeline(chance)):
            clock.advance_to(at)
            await contract.app.run_due(at)
            model.advance(at)
            if kind == "seats":
                delta = chance.choice([-1, 1, 1, 2])
                await contract.stub.ChangeSeats(
                    pb.ChangeSeatsRequest(
                        request_id=desk.request_id(), contract_id=contract_id, quantity_delta=delta
                    )
                )
                model.change_seats(delta, at)
            elif kind == "top_up":
                await contract.stub.OrderTopUp(
                    pb.OrderTopUpRequest(
                        request_id=desk.request_id(),
                        contract_id=contract_id,
                        top_up_pack_id=sells.pack.top_up_pack_id,
                        payment_gate=pb.PAYMENT_GATE_NONE,
                    )
                )
                model.top_up(PACK_CREDITS, PACK_PRICE, PACK_LIFETIME, at)
            elif kind == "plan":
                seats = model.plans[-1].seats
                # What is due would be reduced instead (tests/integration/test_plan_money_back.py).
                for one in await desk.invoices(signed):
                    if one.amount_due.micros:
                        await desk.pay(one)
                changed = await contract.stub.ChangePlan(
                    pb.ChangePlanRequest(
                        request_id=desk.request_id(),
                        contract_id=contract_id,
                        rate_card_id=card_id,
                        subscriptions=[
                            desk.seats(
                                seats,
                                product_id=large.product_id,
                                frequency=pb.BILLING_FREQUENCY_MONTHLY,
                            )
                        ],
                        grant_schedules=[desk.schedule(unit_amount_micros=200 * CREDIT)],
                        overage_policy=policy,
                    )
                )
                contract_id = changed.contract.contract_id
                doubled = {since: 2 * price for since, price in zip(starts, PRICES, strict=True)}
                model.change_plan(Plan(at, seats, doubled, credits=200), at)
            else:
                left = model.available(at)
                micros = chance.randint(1, max(1, left // 4))
                if chance.random() < BEYOND:
                    micros += left
                user = chance.choice(["ada", "bob"])
                spent = await ledger.gate.Debit(
                    ledger_pb2.DebitRequest(
                        request_id=f"debit-{number}",
                        customer="acme",
                        product_id="prd_assistant",
                        credits_micros=micros,
                        group_values={"user_id": user},
                    )
                )
                assert spent.decision == ledger_pb2.DECISION_ALLOWED
                model.spend(micros, at, user)
            assert await balance() == model.available(at), (at, kind)
        clock.advance_to(END - timedelta(microseconds=1))
        await contract.app.run_due(END - timedelta(microseconds=1))
        model.advance(END - timedelta(microseconds=1))

        everything = await desk.invoices(signed)
        invoices = [one for one in everything if one.number]
        model.close_usage(END)
        assert sorted(map(_as_modelled, invoices)) == sorted(model.invoices)
        assert await balance() == model.available(END - timedelta(microseconds=1))
        shown = [found for one in everything if (found := await _usage_of(contract.stub, one)).usage]
        modelled = [(service, usage) for (service, _), usage in sorted(model.usage().items())]
        assert [(one.service, one.usage) for one in shown] == modelled
        # The last month is not over, and some months cost nothing.
        assert {one.status for one in shown[:-1]} > {STATEMENT}
        assert DRAFT not in {one.status for one in shown[:-1]}
        assert shown[-1].status == DRAFT
        assert sorted(one.number for one in invoices) == [f"{n:06d}" for n in range(1, len(invoices) + 1)]


def _as_modelled(invoice: pb.Invoice) -> tuple[datetime, list[int]]:
    at = invoice.issue_time.ToDatetime(tzinfo=UTC)
    return at, [line.total.micros for line in invoice.lines]


@dataclass(frozen=True)
class Shown:
    """An invoice's status, its service date, and its credits by user and source."""

    status: pb.InvoiceStatus
    service: datetime
    usage: dict[tuple[str, str], int]


async def _usage_of(contract: ContractStub, invoice: pb.Invoice) -> Shown:
    found = await read(contract, invoice)
    usage: dict[tuple[str, str], int] = {}
    for line in found.usage.lines:
        for one in line.paid_by:
            source = pb.CreditSource.Name(one.credit_source).removeprefix("CREDIT_SOURCE_")
            key = line.group_value, source
            usage[key] = usage.get(key, 0) + one.credits_micros
        if line.overage_micros:
            key = line.group_value, "OVERAGE"
            usage[key] = usage.get(key, 0) + line.overage_micros
    service = found.invoice.issue_time.ToDatetime(tzinfo=UTC)
    return Shown(found.invoice.status, service, usage)


async def _price(
    shop: Shop, card: catalog_pb2.RateCard, product: catalog_pb2.Product, prices: tuple[int, ...]
) -> None:
    monthly: Any = catalog_pb2.BILLING_FREQUENCY_MONTHLY
    starts = (LONG_AGO, *PRICE_CHANGES)
    ends = (*PRICE_CHANGES, None)
    await shop.add(
        card,
        *(
            a_rate(product, price_micros=price, start=start, end=end, frequency=monthly)
            for price, start, end in zip(prices, starts, ends, strict=True)
        ),
    )
