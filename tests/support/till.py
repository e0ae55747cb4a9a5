# SPDX-License-Identifier: Apache-2.0
"""A real Contract that takes payments through a stand-in for Stripe, and how to pay there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from deploy.local.ports import HOST, free_port
from deploy.local.stripe import CARD, StripeStandIn
from meshkit.clock import ManualClock
from meshkit.rpc.client import open_channel
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from purser.contract.v1.payments_pb2_grpc import PaymentServiceStub
from purser.ledger.v1.ledger_peer_pb2 import IssueTopUpGrantRequest
from purser.type.v1.money_pb2 import Money
from tests.support.contract import NOBODY, Desk, RunningContract, running_contract
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases

if TYPE_CHECKING:
    # The stub of an aio channel has a separate type, which exists only in the .pyi.
    from purser.contract.v1.payments_pb2_grpc import PaymentServiceAsyncStub

PaymentStub: TypeAlias = "PaymentServiceAsyncStub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Till:
    """A Contract that takes payments through a stand-in for Stripe, whose webhooks are held back until posted."""

    desk: Desk
    running: RunningContract
    wall: ManualClock
    stripe: StripeStandIn
    stub: PaymentStub
    ledger: RecordingLedger

    async def order(self, **more: object) -> pb.TopUp:
        signed = await self.desk.sign(self.desk.seats(4))
        request = pb.OrderTopUpRequest(
            request_id=self.desk.request_id(),
            contract_id=signed.contract.contract_id,
            top_up_pack_id=self.desk.sells.pack.top_up_pack_id,
            payment_gate=pb.PAYMENT_GATE_STRIPE,
            **more,  # type: ignore[arg-type]
        )
        return (await self.desk.contract.OrderTopUp(request)).top_up

    async def now(self, top_up: pb.TopUp) -> pb.TopUp:
        return (await self.desk.contract.GetTopUp(pb.GetTopUpRequest(top_up_id=top_up.top_up_id))).top_up

    async def payment(self, top_up: pb.TopUp) -> pay.GetTopUpPaymentResponse:
        asked = pay.GetTopUpPaymentRequest(top_up_id=top_up.top_up_id)
        return await self.stub.GetTopUpPayment(asked)

    async def save_card(self, top_up: pb.TopUp, number: str = CARD) -> pay.PaymentMethod:
        request = pay.SetPaymentMethodRequest(
            request_id=self.desk.request_id(),
            customer=top_up.customer_id,
            provider_customer_id=await self.stripe.customer(),
            payment_method_id=await self.stripe.card(number),
        )
        return (await self.stub.SetPaymentMethod(request)).payment_method

    def charge(self, top_up: pb.TopUp, payment_method_id: str = "") -> pay.PayTopUpRequest:
        return pay.PayTopUpRequest(
            request_id=self.desk.request_id(),
            top_up_id=top_up.top_up_id,
            payment_method_id=payment_method_id,
        )

    def cancel(self, top_up: pb.TopUp) -> pb.CancelTopUpRequest:
        return pb.CancelTopUpRequest(request_id=self.desk.request_id(), top_up_id=top_up.top_up_id)

    def refund(self, top_up: pb.TopUp, amount: Money | None = None) -> pb.RefundTopUpRequest:
        return pb.RefundTopUpRequest(
            request_id=self.desk.request_id(),
            top_up_id=top_up.top_up_id,
            amount=amount,
            reason="bought by mistake",
        )

    async def refunds(self, top_up: pb.TopUp) -> list[pb.TopUpRefund]:
        asked = pb.GetTopUpRequest(top_up_id=top_up.top_up_id)
        return list((await self.desk.contract.GetTopUp(asked)).refunds)

    async def run_due(self) -> None:
        await self.running.app.run_due(self.running.clock.now())

    def granted(self) -> list[str]:
        return [one.top_up_id for one in self.ledger.told_of(IssueTopUpGrantRequest)]


@asynccontextmanager
async def paid_contract(
    databases: Databases,
    stripe: StripeStandIn,
    *,
    catalog_address: str,
    ledger_address: str,
    alert_address: str = NOBODY,
    wall: ManualClock,
    clock: ManualClock | None = None,
    more_secrets: str = "",
) -> AsyncIterator[RunningContract]:
    """Serve a Contract that takes payments through the stand-in. more_secrets: of webhooks, beside the stand-in's."""
    settings = stripe.settings(f"{HOST}:{free_port()}")
    settings["STRIPE_WEBHOOK_SECRETS"] += more_secrets
    async with running_contract(
        databases,
        catalog_address=catalog_address,
        ledger_address=ledger_address,
        alert_address=alert_address,
        wall=wall,
        clock=clock,
        **{name.lower(): value for name, value in settings.items()},
    ) as service:
        yield service


@asynccontextmanager
async def open_till(
    desk: Desk, running: RunningContract, *, wall: ManualClock, stripe: StripeStandIn, ledger: RecordingLedger
) -> AsyncIterator[Till]:
    """Open a channel to a Contract that takes payments."""
    async with open_channel(running.address) as channel:
        yield Till(
            desk=desk,
            running=running,
            wall=wall,
            stripe=stripe,
            stub=PaymentServiceStub(channel),
            ledger=ledger,
        )
