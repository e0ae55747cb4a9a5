# SPDX-License-Identifier: Apache-2.0
"""A real Contract on a free port with a real Catalog that sells SeatsCo's plan, and a Ledger that records its calls."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from grpc import StatusCode
from grpc.aio import AioRpcError

from deploy.local.ports import free_port
from meshkit.clock import Clock, ManualClock, SystemClock
from meshkit.ids import Ids
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import optional_timestamp, timestamp
from meshkit.rpc.status import DETAILS_KEY
from meshkit.service import App
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1.contract_pb2_grpc import ContractServiceStub
from purser.type.v1 import money_pb2
from services.contract.app import open_service
from services.contract.config import ContractSettings
from tests.support.catalog import JUNE, CatalogStub, Shop, a_rate
from tests.support.postgres import Databases

if TYPE_CHECKING:
    # The stub of an aio channel has a separate type, which exists only in the .pyi.
    from purser.contract.v1.contract_pb2_grpc import ContractServiceAsyncStub

ContractStub: TypeAlias = "ContractServiceAsyncStub"

NOBODY = "127.0.0.1:1"  # nothing listens there: an unavailable peer
LONG_SECONDS = 3_600.0  # no sweep during a test: tests start due work explicitly

IMMEDIATELY = pb.SEAT_INVOICING_BILL_IMMEDIATELY
NEXT_DATE = pb.SEAT_INVOICING_BILL_ON_NEXT_COLLECTION_DATE
ANNUAL = pb.BILLING_FREQUENCY_ANNUAL
MONTHLY = pb.BILLING_FREQUENCY_MONTHLY


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningContract:
    """The service, how to call it, and its business clock."""

    app: App
    address: str
    stub: ContractStub
    clock: ManualClock

    async def advance_to(self, at: datetime) -> None:
        """Advance business time, and run the work that is due by then."""
        self.clock.advance_to(at)
        await self.app.run_due(at)


@asynccontextmanager
async def running_contract(
    databases: Databases,
    *,
    catalog_address: str = NOBODY,
    ledger_address: str = NOBODY,
    alert_address: str = NOBODY,
    sandbox: bool = False,
    due_interval_seconds: float = LONG_SECONDS,
    clock: ManualClock | None = None,
    wall: Clock | None = None,
    **more: Any,
) -> AsyncIterator[RunningContract]:
    """Serve Contract. more: other settings."""
    clock, wall = clock or ManualClock(JUNE), wall or SystemClock()
    settings = ContractSettings(
        insecure=True,
        database_url=databases.url("contract"),
        listen=f"127.0.0.1:{free_port()}",
        catalog_address=catalog_address,
        ledger_address=ledger_address,
        alert_address=alert_address,
        sandbox=sandbox,
        due_interval_seconds=due_interval_seconds,
        **more,
    )
    async with (
        open_service(settings, clock=clock, wall=wall, ids=Ids(wall)) as app,
        open_channel(f"127.0.0.1:{app.port}") as channel,
    ):
        yield RunningContract(
            app=app, address=f"127.0.0.1:{app.port}", stub=ContractServiceStub(channel), clock=clock
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assortment:
    """SeatsCo's products: Team Plan at $100 a year and $10 a month per seat, and credits."""

    rate_card: catalog_pb2.RateCard
    team_plan: catalog_pb2.Product
    included: catalog_pb2.Product
    assistant: catalog_pb2.Product
    credits: catalog_pb2.CreditType
    pack: catalog_pb2.TopUpPack


async def assorted(catalog: CatalogStub, shop: Shop) -> Assortment:
    credit_type = await shop.credit_type("AI credits")
    team_plan, included, assistant = await shop.seats(), await shop.product(), await shop.usage()
    card = await shop.card([credit_type])
    await shop.add(
        card,
        a_rate(team_plan, price_micros=100_000_000, frequency=catalog_pb2.BILLING_FREQUENCY_ANNUAL),
        a_rate(team_plan, price_micros=10_000_000, frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY),
    )
    pack = catalog_pb2.CreateTopUpPackRequest(
        request_id="pack",
        name="1,000 credits",
        product_id=included.product_id,
        credit_type_id=credit_type.credit_type_id,
        amount_micros=1_000_000_000,
        price=money_pb2.Money(currency_code="USD", micros=80_000_000),
    )
    pack.lifetime.FromSeconds(365 * 86_400)
    return Assortment(
        rate_card=card,
        team_plan=team_plan,
        included=included,
        assistant=assistant,
        credits=credit_type,
        pack=(await catalog.CreateTopUpPack(pack)).top_up_pack,
    )


class Desk:
    """Creates customers and contracts by rpcs; each call has a new request_id. Irrelevant fields have defaults.

    name: where two use one database, so that their request_ids differ.
    """

    def __init__(self, contract: ContractStub, assortment: Assortment, *, name: str = "desk") -> None:
        self.contract = contract
        self.sells = assortment
        self._name = name
        self._numbers = itertools.count(1)

    def request_id(self) -> str:
        return f"{self._name}-{next(self._numbers)}"

    async def customer(self, name: str = "Acme", *aliases: str) -> pb.Customer:
        request = pb.CreateCustomerRequest(request_id=self.request_id(), name=name, aliases=aliases)
        return (await self.contract.CreateCustomer(request)).customer

    def seats(self, quantity: int = 4, **terms: Any) -> pb.SubscriptionTerms:
        """Return the terms of Team Plan seats: annual, prorated, billed immediately."""
        proration = pb.SeatProration(
            is_prorated=terms.pop("is_prorated", True),
            invoicing=terms.pop("invoicing", IMMEDIATELY),
            rounding=terms.pop("rounding", pb.ROUNDING_HALF_UP),
        )
        return pb.SubscriptionTerms(
            product_id=terms.pop("product_id", self.sells.team_plan.product_id),
            billing_frequency=terms.pop("frequency", ANNUAL),
            initial_quantity=quantity,
            proration=proration,
            **terms,
        )

    def schedule(self, **terms: Any) -> pb.GrantScheduleTerms:
        """Return a schedule of 100 credits per seat per month that expire at the end of the month."""
        return pb.GrantScheduleTerms(
            **{
                "product_id": self.sells.included.product_id,
                "credit_type_id": self.sells.credits.credit_type_id,
                "unit_amount_micros": 100_000_000,
                "subscription_index": 0,
                "frequency": pb.GRANT_FREQUENCY_MONTHLY,
                "prorates_increases": True,
                **terms,
            }
        )

    def contract_request(
        self,
        customer: str,
        *seats: pb.SubscriptionTerms,
        schedules: tuple[pb.GrantScheduleTerms, ...] = (),
        start: datetime = JUNE,
        end: datetime | None = None,
    ) -> pb.CreateContractRequest:
        return pb.CreateContractRequest(
            request_id=self.request_id(),
            customer=customer,
            rate_card_id=self.sells.rate_card.rate_card_id,
            start_time=timestamp(start),
            end_time=optional_timestamp(end),
            subscriptions=seats,
            grant_schedules=schedules,
        )

    async def sign(
        self, *seats: pb.SubscriptionTerms, customer: str = "", **more: Any
    ) -> pb.CreateContractResponse:
        """Create a contract for seats, with a new customer if none is given."""
        who = customer or (await self.customer()).customer_id
        return await self.contract.CreateContract(self.contract_request(who, *seats, **more))

    def change_request(
        self, signed: pb.CreateContractResponse, delta: int, at: datetime | None = None, index: int = 0
    ) -> pb.ChangeSeatsRequest:
        return pb.ChangeSeatsRequest(
            request_id=self.request_id(),
            contract_id=signed.contract.contract_id,
            subscription_id=signed.contract.subscriptions[index].subscription_id,
            quantity_delta=delta,
            effective_time=optional_timestamp(at),
        )

    async def add_seats(
        self, signed: pb.CreateContractResponse, delta: int, at: datetime | None = None, index: int = 0
    ) -> pb.ChangeSeatsResponse:
        return await self.contract.ChangeSeats(self.change_request(signed, delta, at, index))

    async def pay(self, invoice: pb.Invoice, cents: int | None = None) -> None:
        """Record that an invoice was paid; cents None: in whole."""
        micros = invoice.total.micros if cents is None else cents * 10_000
        await self.contract.RecordInvoicePayment(
            pb.RecordInvoicePaymentRequest(
                request_id=self.request_id(),
                invoice_id=invoice.invoice_id,
                amount=money_pb2.Money(currency_code=invoice.total.currency_code, micros=micros),
                reference=self.request_id(),
            )
        )

    async def invoices(self, signed: pb.CreateContractResponse) -> list[pb.Invoice]:
        request = pb.ListInvoicesRequest(customer=signed.contract.customer_id, page_size=500)
        return list((await self.contract.ListInvoices(request)).invoices)


def day(month: int, number: int, year: int = 2025) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


def dollars(money: money_pb2.Money) -> str:
    assert money.currency_code == "USD"
    assert money.micros % 10_000 == 0
    sign, cents = "-" if money.micros < 0 else "", abs(money.micros) // 10_000
    return f"{sign}{cents // 100}.{cents % 100:02d}"


def away(peer: str) -> AbstractContextManager[None]:
    """Expect PEER_UNAVAILABLE that names this peer."""
    return unavailable("PEER_UNAVAILABLE", peer=peer)


@contextmanager
def unavailable(reason: str, **metadata: str) -> Iterator[None]:
    """Expect UNAVAILABLE with this reason and at least this metadata."""
    with pytest.raises(AioRpcError) as raised:
        yield
    assert raised.value.code() is StatusCode.UNAVAILABLE, raised.value.details()
    told = dict(raised.value.trailing_metadata() or ())[DETAILS_KEY]
    assert isinstance(told, bytes)
    info = ErrorInfo()
    assert status_pb2.Status.FromString(told).details[0].Unpack(info)
    assert (info.reason, info.domain) == (reason, "contract.purser")
    assert metadata.items() <= dict(info.metadata).items()


async def tiered_seats(
    desk: Desk, shop: Shop, quantity: int, rate_type: catalog_pb2.RateType
) -> pb.SubscriptionTerms:
    """Monthly seats of a plan at $10 up to 10 seats, and $8 above."""
    plan = await shop.seats()
    rate = a_rate(plan, price_micros=0, frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY)
    rate.rate_type = rate_type
    rate.tiers.add(up_to_micros=10_000_000, price_micros=10_000_000)
    rate.tiers.add(price_micros=8_000_000)
    await shop.add(desk.sells.rate_card, rate)
    return desk.seats(quantity, product_id=plan.product_id, frequency=MONTHLY)
