# SPDX-License-Identifier: Apache-2.0
"""Usage on invoices with a real Catalog, Contract and Ledger: what was used, and which grants paid for it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from meshkit.clock import ManualClock
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2, usage_pb2
from tests.support.catalog import JUNE, Shop, running_catalog
from tests.support.contract import MONTHLY, Desk, RunningContract, assorted, day, running_contract
from tests.support.invoices import shown_usage, usage_invoices
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger import a_rate as a_usage_rate
from tests.support.postgres import Databases
from tests.support.reported import an_event, record

CREDIT = 1_000_000
DAY = timedelta(days=1)
JULY = day(7, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsCo:
    """Acme's 4 seats bring 400 credits a month; a unit of the assistant costs one credit. All on one clock."""

    desk: Desk
    contract: RunningContract
    ledger: RunningLedger
    signed: pb.CreateContractResponse

    async def spend(self, credits: int, user: str) -> None:
        answer = await self.ledger.debit(credits, user=user)
        assert answer.decision == ledger_pb2.DECISION_ALLOWED

    async def top_up(self) -> pb.TopUp:
        order = pb.OrderTopUpRequest(
            request_id=self.desk.request_id(),
            contract_id=self.signed.contract.contract_id,
            top_up_pack_id=self.desk.sells.pack.top_up_pack_id,
            payment_gate=pb.PAYMENT_GATE_NONE,
        )
        return (await self.desk.contract.OrderTopUp(order)).top_up


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
            desk.seats(4, frequency=MONTHLY), customer="acme", schedules=(desk.schedule(),)
        )
        await ledger.tell_product("prd_assistant", name="AI assistant")
        await ledger.tell_card(
            a_usage_rate(credit_type_id=sells.credits.credit_type_id, price_micros=CREDIT),
            rate_card_id=sells.rate_card.rate_card_id,
            version=100,
        )
        yield SeatsCo(desk=desk, contract=contract, ledger=ledger, signed=signed)


async def test_a_statement_shows_who_used_what_and_which_grants_paid(seatsco: SeatsCo) -> None:
    top_up = await seatsco.top_up()
    await seatsco.contract.advance_to(day(6, 10))
    await seatsco.spend(300, "ada")
    await seatsco.spend(120, "bob")
    await seatsco.contract.advance_to(day(6, 11))

    (draft,) = await usage_invoices(seatsco.desk, seatsco.signed)
    assert draft.invoice.status == pb.INVOICE_STATUS_DRAFT
    assert shown_usage(draft.usage) == [
        ("ada", "INCLUDED", 300),
        ("bob", "INCLUDED", 100),
        ("bob", "TOP_UP", 20),
    ]
    bob = draft.usage.lines[1]
    assert (bob.product_name, bob.credits_micros) == ("AI assistant", 120 * CREDIT)
    assert [one.source_id for one in bob.paid_by] == ["", top_up.top_up_id]

    await seatsco.spend(5, "ada")
    await seatsco.contract.advance_to(JULY + DAY)

    (closed,) = await usage_invoices(seatsco.desk, seatsco.signed)
    assert closed.invoice.status == pb.INVOICE_STATUS_STATEMENT
    assert shown_usage(closed.usage)[:2] == [("ada", "INCLUDED", 300), ("ada", "TOP_UP", 5)]


async def test_what_is_late_or_taken_back_is_on_the_next_one(seatsco: SeatsCo) -> None:
    await seatsco.contract.advance_to(day(6, 30))
    await record(seatsco.ledger, an_event("t-1", at=day(6, 29), units="40", user="ada"))
    await seatsco.contract.advance_to(JULY + DAY)
    await record(seatsco.ledger, an_event("t-2", at=day(6, 29), units="7", user="bob"))
    await seatsco.ledger.usage.VoidUsage(
        usage_pb2.VoidUsageRequest(
            request_id="void", customer="acme", transaction_id="t-1", reason="twice", actor="ops"
        )
    )
    await seatsco.spend(11, "ada")
    await seatsco.contract.advance_to(day(8, 1) + DAY)

    june, july = await usage_invoices(seatsco.desk, seatsco.signed)

    assert shown_usage(june.usage) == [("ada", "INCLUDED", 40)]
    # June's credits got 40 back, and July's paid 11; bob's 7 came from June's.
    assert shown_usage(july.usage) == [
        ("ada", "INCLUDED", -40),
        ("ada", "INCLUDED", 11),
        ("bob", "INCLUDED", 7),
    ]
