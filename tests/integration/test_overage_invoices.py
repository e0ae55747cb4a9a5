# SPDX-License-Identifier: Apache-2.0
"""Overage with a real Catalog, Contract and Ledger: from the policy and Authorize to the line on the invoice."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from meshkit.clock import ManualClock
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2, usage_pb2
from purser.type.v1 import money_pb2
from tests.support.catalog import JUNE, Shop, running_catalog
from tests.support.contract import MONTHLY, Desk, RunningContract, assorted, day, dollars, running_contract
from tests.support.invoices import shown_usage, usage_invoices
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger import a_rate as a_usage_rate
from tests.support.postgres import Databases
from tests.support.reported import an_event, record

CREDIT = 1_000_000
DAY = timedelta(days=1)
JULY, AUGUST = day(7, 1), day(8, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsCo:
    """Acme has 100 credits a month; a unit of the assistant costs one, and one of overage $1.00. All on one clock."""

    desk: Desk
    contract: RunningContract
    ledger: RunningLedger
    signed: pb.CreateContractResponse

    def policy(self, **limit: object) -> pb.OveragePolicy:
        limit.setdefault("credit_type_id", self.desk.sells.credits.credit_type_id)
        one = pb.OverageLimit(**limit)  # type: ignore[arg-type]
        return pb.OveragePolicy(mode=pb.OVERAGE_MODE_OVERAGE, limits=[one])

    async def agree(self, policy: pb.OveragePolicy) -> None:
        contract_id = self.signed.contract.contract_id
        await self.desk.contract.SetOveragePolicy(
            pb.SetOveragePolicyRequest(
                request_id=self.desk.request_id(), contract_id=contract_id, overage_policy=policy
            )
        )

    async def billed(self) -> list[list[tuple[str, str]]]:
        """Return amount and description of the overage lines of each invoice with usage."""
        found = await usage_invoices(self.desk, self.signed)
        return [
            [
                (dollars(line.total), line.description)
                for line in one.invoice.lines
                if line.kind == pb.INVOICE_LINE_KIND_OVERAGE
            ]
            for one in found
        ]


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
        sells = await assorted(catalog.stub, Shop(catalog.stub))
        desk = Desk(contract.stub, sells)
        await desk.customer("Acme", "acme")
        signed = await desk.sign(
            desk.seats(1, frequency=MONTHLY), customer="acme", schedules=(desk.schedule(),)
        )
        await ledger.tell_product("prd_assistant", name="AI assistant")
        await ledger.tell_card(
            a_usage_rate(credit_type_id=sells.credits.credit_type_id, price_micros=CREDIT),
            rate_card_id=sells.rate_card.rate_card_id,
            version=100,
        )
        yield SeatsCo(desk=desk, contract=contract, ledger=ledger, signed=signed)


async def test_the_golden_overage_from_authorize_to_the_invoice(seatsco: SeatsCo) -> None:
    assert (await seatsco.ledger.authorize(101)).decision == ledger_pb2.DECISION_DENIED
    await seatsco.agree(seatsco.policy(cap_micros=50 * CREDIT))

    held = await seatsco.ledger.authorize(120, user="ada")
    denied = await seatsco.ledger.authorize(40)
    await seatsco.ledger.capture(held.hold_id)

    assert (held.decision, held.overage_held_micros) == (ledger_pb2.DECISION_ALLOWED, 20 * CREDIT)
    assert (denied.decision, denied.affordable_credits_micros) == (ledger_pb2.DECISION_DENIED, 30 * CREDIT)
    await seatsco.contract.advance_to(JULY + DAY)
    (june,) = await usage_invoices(seatsco.desk, seatsco.signed)
    assert june.invoice.status == pb.INVOICE_STATUS_OPEN
    assert dollars(june.invoice.total) == "20.00"
    assert shown_usage(june.usage) == [("ada", "INCLUDED", 100), ("ada", "OVERAGE", 20)]
    assert await seatsco.billed() == [[("20.00", "AI assistant: overage")]]
    await seatsco.ledger.assert_adds_up()


async def test_a_cap_in_money_bounds_the_invoice(seatsco: SeatsCo) -> None:
    await seatsco.agree(seatsco.policy(fiat_cap=money_pb2.Money(currency_code="USD", micros=12_340_000)))

    too_much = await seatsco.ledger.debit(0, credits_micros=112_340_001)
    just = await seatsco.ledger.debit(0, credits_micros=112_340_000)
    await record(seatsco.ledger, an_event("t-1", units="1000"))  # it has happened, but nobody pays for it

    assert too_much.decision == ledger_pb2.DECISION_DENIED
    assert just.overage_micros == 12_340_000
    await seatsco.contract.advance_to(JULY + DAY)
    assert await seatsco.billed() == [[("12.34", "AI assistant: overage")]]


async def test_overage_that_is_taken_back_is_a_negative_line_of_the_next_invoice(seatsco: SeatsCo) -> None:
    await seatsco.agree(seatsco.policy())
    await record(seatsco.ledger, an_event("t-1", units="110"), an_event("t-2", units="30"))
    await seatsco.contract.advance_to(JULY + DAY)
    await seatsco.ledger.usage.VoidUsage(
        usage_pb2.VoidUsageRequest(
            request_id="void", customer="acme", transaction_id="t-2", reason="twice", actor="ops"
        )
    )
    await seatsco.ledger.debit(135)
    await seatsco.contract.advance_to(AUGUST + DAY)

    june, july = await seatsco.billed()

    assert june == [("40.00", "AI assistant: overage")]
    assert july == [("5.00", "AI assistant: overage")]  # 35 of July less 30 of June


async def test_what_an_amendment_costs_more_is_billed(seatsco: SeatsCo) -> None:
    await seatsco.agree(seatsco.policy())
    await record(seatsco.ledger, an_event("t-1", units="90"))
    await seatsco.ledger.usage.AmendUsage(
        usage_pb2.AmendUsageRequest(
            request_id="amend",
            customer="acme",
            transaction_id="t-1",
            properties={"units": "117", "user_id": "ann"},
            reason="wrong",
            actor="ops",
        )
    )
    await seatsco.contract.advance_to(JULY + DAY)

    assert await seatsco.billed() == [[("17.00", "AI assistant: overage")]]


async def test_after_a_change_of_plan_each_contract_bills_its_own_overage(seatsco: SeatsCo) -> None:
    await seatsco.agree(seatsco.policy(cap_micros=50 * CREDIT))
    assert (await seatsco.ledger.debit(150)).overage_micros == 50 * CREDIT
    await seatsco.contract.advance_to(day(6, 16))
    desk = seatsco.desk
    changed = await desk.contract.ChangePlan(
        pb.ChangePlanRequest(
            request_id=desk.request_id(),
            contract_id=seatsco.signed.contract.contract_id,
            rate_card_id=desk.sells.rate_card.rate_card_id,
            subscriptions=[desk.seats(2, frequency=MONTHLY)],
            grant_schedules=[desk.schedule()],
            overage_policy=seatsco.policy(cap_micros=7 * CREDIT),
        )
    )

    spent = await seatsco.ledger.debit(207)
    denied = await seatsco.ledger.debit(1)

    assert changed.contract.overage_policy.limits[0].cap_micros == 7 * CREDIT
    assert spent.overage_micros == 7 * CREDIT
    assert denied.decision == ledger_pb2.DECISION_DENIED
    await seatsco.contract.advance_to(JULY + DAY)
    assert sorted(await seatsco.billed()) == [
        [("50.00", "AI assistant: overage")],
        [("7.00", "AI assistant: overage")],
    ]
    await seatsco.ledger.assert_adds_up()
