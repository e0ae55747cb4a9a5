# SPDX-License-Identifier: Apache-2.0
"""Free plans with a real Catalog, Contract and Ledger: their credits come once per customer and usage period."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from meshkit.clock import ManualClock
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_admin_pb2, ledger_pb2
from tests.support.catalog import JUNE, Shop, a_rate, running_catalog
from tests.support.contract import Desk, RunningContract, assorted, day, running_contract
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger import a_rate as a_usage_rate
from tests.support.postgres import Databases

CREDIT = 1_000_000
MONTHLY = pb.BILLING_FREQUENCY_MONTHLY
CHANGE = day(6, 16)
VOID, ROLL = pb.INCLUDED_CREDITS_VOID, pb.INCLUDED_CREDITS_ROLL


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsCo:
    """It sells seats that cost nothing: `free` ones, and `trial` ones, which cost $10 a month from September on."""

    desk: Desk
    shop: Shop
    contract: RunningContract
    ledger: RunningLedger
    clock: ManualClock
    free: catalog_pb2.Product
    trial: catalog_pb2.Product

    async def sign(self, credits: int, product: str = "", **more: Any) -> pb.CreateContractResponse:
        """Sign for one seat with credits a month, from now on."""
        return await self.desk.sign(
            *self.terms(credits, product)["subscriptions"],
            customer="acme",
            schedules=tuple(self.terms(credits, product, **more)["grant_schedules"]),
            start=self.clock.now(),
        )

    def terms(self, credits: int, product: str = "", **more: Any) -> dict[str, Any]:
        return {
            "subscriptions": [
                self.desk.seats(1, product_id=product or self.free.product_id, frequency=MONTHLY)
            ],
            "grant_schedules": [self.desk.schedule(unit_amount_micros=credits * CREDIT, **more)],
        }

    async def end(self, signed: pb.CreateContractResponse) -> None:
        request = pb.EndContractRequest(
            request_id=self.desk.request_id(), contract_id=signed.contract.contract_id
        )
        await self.desk.contract.EndContract(request)

    async def change(self, signed: pb.CreateContractResponse, credits: int, **more: Any) -> pb.Contract:
        request = pb.ChangePlanRequest(
            request_id=self.desk.request_id(),
            contract_id=signed.contract.contract_id,
            rate_card_id=self.desk.sells.rate_card.rate_card_id,
            **self.terms(credits),
            **more,
        )
        return (await self.desk.contract.ChangePlan(request)).contract

    async def spend(self, credits: int) -> None:
        answer = await self.ledger.gate.Debit(
            ledger_pb2.DebitRequest(
                request_id=self.desk.request_id(),
                customer="acme",
                credits_micros=credits * CREDIT,
                product_id="prd_assistant",
            )
        )
        assert answer.decision == ledger_pb2.DECISION_ALLOWED

    async def balance(self) -> int:
        request = ledger_pb2.GetBalanceRequest(customer="acme")
        pools = (await self.ledger.gate.GetBalance(request)).pools
        return sum(pool.available_micros for pool in pools) // CREDIT

    async def advance_to(self, at: datetime) -> None:
        self.clock.advance_to(at)
        await self.contract.app.run_due(at)

    async def assert_adds_up(self) -> None:
        found = await self.ledger.admin.VerifyLedger(ledger_admin_pb2.VerifyLedgerRequest())
        assert found.is_consistent, found.discrepancies


@pytest.fixture
async def seatsco(databases: Databases) -> AsyncIterator[SeatsCo]:
    clock = ManualClock(JUNE)
    async with (
        running_catalog(databases) as catalog,
        running_ledger(databases, clock=clock) as ledger,
        running_contract(
            databases, catalog_address=catalog.address, ledger_address=ledger.address, clock=clock
        ) as contract,
    ):
        shop = Shop(catalog.stub)
        sells = await assorted(catalog.stub, shop)
        monthly = catalog_pb2.BILLING_FREQUENCY_MONTHLY
        free, trial = await shop.seats(), await shop.seats()
        await shop.add(
            sells.rate_card,
            a_rate(free, price_micros=0, frequency=monthly),
            a_rate(trial, price_micros=0, frequency=monthly, end=day(9, 1)),
            a_rate(trial, price_micros=10 * CREDIT, frequency=monthly, start=day(9, 1)),
        )
        desk = Desk(contract.stub, sells)
        await desk.customer("Acme", "acme")
        await ledger.tell_product("prd_assistant")
        await ledger.tell_card(
            a_usage_rate(credit_type_id=sells.credits.credit_type_id),
            rate_card_id=sells.rate_card.rate_card_id,
            version=100,
        )
        yield SeatsCo(
            desk=desk, shop=shop, contract=contract, ledger=ledger, clock=clock, free=free, trial=trial
        )


@pytest.mark.parametrize(("credits", "there"), [(100, 0), (250, 150)])
async def test_a_free_contract_that_is_signed_again_brings_only_what_it_has_more(
    seatsco: SeatsCo, credits: int, there: int
) -> None:
    signed = await seatsco.sign(100)
    await seatsco.spend(100)
    await seatsco.advance_to(CHANGE)
    await seatsco.end(signed)

    await seatsco.sign(credits)

    assert await seatsco.balance() == there
    await seatsco.advance_to(day(7, 16))
    assert await seatsco.balance() == credits
    await seatsco.assert_adds_up()


async def test_a_contract_with_seats_that_cost_something_brings_its_credits_each_time(
    seatsco: SeatsCo,
) -> None:
    team = seatsco.desk.sells.team_plan.product_id
    await seatsco.sign(100)
    await seatsco.advance_to(CHANGE)

    await seatsco.sign(100, team)
    await seatsco.sign(100, team)

    assert await seatsco.balance() == 300


async def test_two_free_contracts_at_once_bring_what_the_larger_one_does(seatsco: SeatsCo) -> None:
    await seatsco.sign(100)
    await seatsco.sign(150)

    assert await seatsco.balance() == 150
    await seatsco.advance_to(day(7, 1))
    assert await seatsco.balance() == 150


@pytest.mark.parametrize(("included", "there"), [(ROLL, 180), (VOID, 150)])
async def test_a_change_of_free_plans_brings_what_the_new_one_has_more(
    seatsco: SeatsCo, included: "pb.IncludedCredits", there: int
) -> None:
    signed = await seatsco.sign(100)
    await seatsco.spend(70)
    await seatsco.advance_to(CHANGE)

    await seatsco.change(signed, 250, included_credits=included)

    assert await seatsco.balance() == there
    await seatsco.assert_adds_up()


async def test_credits_that_are_linked_to_no_seats_are_free_whatever_the_seats_cost(seatsco: SeatsCo) -> None:
    team = seatsco.desk.sells.team_plan.product_id
    await seatsco.sign(100, team, subscription_index=None)

    await seatsco.sign(130, team, subscription_index=None)

    assert await seatsco.balance() == 130


async def test_a_trial_is_free_until_its_seats_are_charged(seatsco: SeatsCo) -> None:
    """The Ledger knows when that will be before it is billed."""
    await seatsco.sign(100)
    await seatsco.sign(100, seatsco.trial.product_id)
    assert await seatsco.balance() == 100

    await seatsco.advance_to(day(8, 31))
    assert await seatsco.balance() == 100
    seatsco.clock.advance_to(day(9, 1))

    assert await seatsco.balance() == 200
    await seatsco.assert_adds_up()


async def test_free_seats_that_get_a_price_later_are_granted_in_full_from_the_next_period(
    seatsco: SeatsCo,
) -> None:
    await seatsco.sign(100)
    await seatsco.sign(100)
    await seatsco.advance_to(CHANGE)
    monthly = catalog_pb2.BILLING_FREQUENCY_MONTHLY
    priced = a_rate(
        seatsco.free,
        price_micros=CREDIT,
        frequency=monthly,
        start=CHANGE + timedelta(days=1),
        end_previous=True,
    )
    await seatsco.shop.add(seatsco.desk.sells.rate_card, priced)

    await seatsco.advance_to(day(7, 1) - timedelta(microseconds=1))
    assert await seatsco.balance() == 100
    await seatsco.advance_to(day(7, 1))  # bills July at $1, and tells the Ledger
    assert await seatsco.balance() == 200
    await seatsco.advance_to(day(8, 1))

    assert await seatsco.balance() == 200
    await seatsco.assert_adds_up()
