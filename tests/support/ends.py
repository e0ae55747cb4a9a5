# SPDX-License-Identifier: Apache-2.0
"""Acme, which signs and ends contracts, with a real Catalog, Contract and Ledger on one clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from meshkit.clock import ManualClock
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_pb2
from tests.support.catalog import JUNE, Shop, running_catalog
from tests.support.contract import MONTHLY, Desk, RunningContract, assorted, dollars, running_contract
from tests.support.failing_front import FailingFront, failing_peer_front
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger import a_rate as a_usage_rate
from tests.support.postgres import Databases

CREDIT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsCo:
    """Acme without a contract. Contracts are 4 seats at $10 a month with 100 credits each. All on one clock.

    front: what Contract tells the Ledger passes it.
    """

    desk: Desk
    contract: RunningContract
    ledger: RunningLedger
    front: FailingFront
    clock: ManualClock
    numbers: list[int] = field(default_factory=list)

    async def sign(self, *, has_credits: bool = True, **seats: Any) -> pb.CreateContractResponse:
        terms = {"frequency": MONTHLY, **seats}
        return await self.desk.sign(
            self.desk.seats(4, **terms),
            customer="acme",
            schedules=(self.desk.schedule(),) if has_credits else (),
        )

    def eight_seats(self, signed: pb.CreateContractResponse) -> dict[str, Any]:
        """The terms of a change of plan: 8 seats instead of 4, for $80.00."""
        return {
            "contract_id": signed.contract.contract_id,
            "rate_card_id": self.desk.sells.rate_card.rate_card_id,
            "subscriptions": [self.desk.seats(8, frequency=MONTHLY)],
            "grant_schedules": [self.desk.schedule()],
        }

    async def change_plan(self, signed: pb.CreateContractResponse) -> pb.ChangePlanResponse:
        request = pb.ChangePlanRequest(request_id=self.desk.request_id(), **self.eight_seats(signed))
        return await self.desk.contract.ChangePlan(request)

    async def end(self, signed: pb.CreateContractResponse, **more: Any) -> pb.EndContractResponse:
        request = {"request_id": self.desk.request_id(), "contract_id": signed.contract.contract_id, **more}
        return await self.desk.contract.EndContract(pb.EndContractRequest(**request))

    async def spend(self, credits: int) -> None:
        self.numbers.append(credits)
        answer = await self.ledger.gate.Debit(
            ledger_pb2.DebitRequest(
                request_id=f"debit-{len(self.numbers)}",
                customer="acme",
                credits_micros=credits * CREDIT,
                product_id="prd_assistant",
            )
        )
        assert answer.decision == ledger_pb2.DECISION_ALLOWED

    async def balance(self) -> int:
        return await self.balance_micros() // CREDIT

    async def balance_micros(self) -> int:
        request = ledger_pb2.GetBalanceRequest(customer="acme")
        pools = (await self.ledger.gate.GetBalance(request)).pools
        return sum(pool.available_micros for pool in pools)

    async def notes(self, invoice: pb.Invoice) -> list[pb.CreditNote]:
        request = pb.GetInvoiceRequest(invoice_id=invoice.invoice_id)
        return list((await self.desk.contract.GetInvoice(request)).credit_notes)

    async def invoice(self, invoice_id: str) -> pb.Invoice:
        return (await self.desk.contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=invoice_id))).invoice

    async def account_credit(self) -> list[str]:
        request = pb.ListAccountCreditsRequest(customer="acme")
        return [dollars(one) for one in (await self.desk.contract.ListAccountCredits(request)).balances]

    async def go(self, at: datetime) -> None:
        """Let the time pass, and do what is due then."""
        self.clock.advance_to(at)
        await self.contract.app.run_due(at)

    async def settlements(self, signed: pb.CreateContractResponse) -> list[pb.PlanChange]:
        request = pb.ListPlanChangesRequest(contract_id=signed.contract.contract_id)
        return list((await self.desk.contract.ListPlanChanges(request)).plan_changes)


@asynccontextmanager
async def acme(databases: Databases) -> AsyncIterator[SeatsCo]:
    clock = ManualClock(JUNE)
    async with (
        running_catalog(databases) as catalog,
        running_ledger(databases, clock=clock) as ledger,
        failing_peer_front(ledger.peer) as front,
        running_contract(
            databases, catalog_address=catalog.address, ledger_address=front.address, clock=clock
        ) as contract,
    ):
        sells = await assorted(catalog.stub, Shop(catalog.stub))
        desk = Desk(contract.stub, sells)
        await desk.customer("Acme", "acme")
        await ledger.tell_product("prd_assistant")
        await ledger.tell_card(
            a_usage_rate(credit_type_id=sells.credits.credit_type_id),
            rate_card_id=sells.rate_card.rate_card_id,
            version=100,
        )
        yield SeatsCo(desk=desk, contract=contract, ledger=ledger, front=front, clock=clock)
