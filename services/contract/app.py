# SPDX-License-Identifier: Apache-2.0
"""Contract put together from its parts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

from access import open_access
from audit import AuditTrail
from dead_letters import dead_letter_service
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.periodic import PeriodicTask
from meshkit.rpc.server import RpcService
from meshkit.service import MEASURE_SECONDS, App, DueWork, ServiceBuilder, service_builder
from purser.contract.v1.auto_top_ups_pb2_grpc import add_AutoTopUpServiceServicer_to_server
from purser.contract.v1.contract_pb2_grpc import add_ContractServiceServicer_to_server
from purser.contract.v1.contract_peer_pb2_grpc import add_ContractPeerServiceServicer_to_server
from purser.contract.v1.payments_pb2_grpc import add_PaymentServiceServicer_to_server
from purser.contract.v1.self_service_pb2_grpc import add_SelfServiceServicer_to_server
from sandbox import SandboxClock
from services.contract import meters, tables
from services.contract.config import ContractSettings
from services.contract.documents import InvoiceDocuments
from services.contract.domain.usage.progress import UsageRhythm
from services.contract.operations import Operations
from services.contract.operations.auto_top_ups import AutoTopUps
from services.contract.operations.billing.due_run import Billing
from services.contract.operations.billing.plan_credits import PlanCredits
from services.contract.operations.billing.refund_credits import RefundCredits
from services.contract.operations.billing.usage import UsageInvoices
from services.contract.operations.billing.void_credits import VoidCredits
from services.contract.operations.collections import Collections
from services.contract.operations.contracts import Contracts
from services.contract.operations.credit_notes import CreditNotes
from services.contract.operations.customers import Customers
from services.contract.operations.debts import Debts
from services.contract.operations.ends import Ends
from services.contract.operations.invoice_money_back import InvoiceMoneyBack
from services.contract.operations.invoice_payments import InvoicePayments
from services.contract.operations.invoice_refunds import InvoiceRefunds
from services.contract.operations.invoices import Invoices
from services.contract.operations.money_back import MoneyBackChecks
from services.contract.operations.named_seats import NamedSeats
from services.contract.operations.overage import OveragePolicies
from services.contract.operations.parties import Parties
from services.contract.operations.payment_setups import PaymentSetups
from services.contract.operations.payments import Payments
from services.contract.operations.plan_changes import PlanChanges
from services.contract.operations.plan_offers import PlanOffers
from services.contract.operations.refunds import Refunds
from services.contract.operations.repricing import Repricing
from services.contract.operations.schedules import Schedules
from services.contract.operations.seat_voids import SeatVoids
from services.contract.operations.seats import Seats
from services.contract.operations.top_ups import TopUps
from services.contract.payments import StripeProvider, WebhookListener
from services.contract.peers import AlertPeer, CatalogPeer, LedgerPeer
from services.contract.relay import ORDERED, Deliveries
from services.contract.server import (
    AUTO_TOP_UP_SERVICE_NAME,
    PAYMENT_SERVICE_NAME,
    PEER_SERVICE_NAME,
    SELF_SERVICE_NAME,
    SERVICE_NAME,
    AutoTopUpServicer,
    ContractPeerServicer,
    ContractServicer,
    PaymentServicer,
    SelfServiceServicer,
)
from services.contract.store import PostgresStore
from services.contract.sweeper import FORGET_SECONDS, forget_old
from status import status_service

DUE_WAIT_SECONDS_MAX = 30.0  # between due runs that fail one after another


@asynccontextmanager
async def open_service(
    settings: ContractSettings, *, clock: Clock, wall: Clock, ids: Ids
) -> AsyncIterator[App]:
    """Serve until the block ends.

    clock: business time, in sandbox mode a ManualClock; wall: operational time. Raises PortTaken.
    """
    async with service_builder(
        "contract",
        settings,
        access=open_access,
        clock=clock,
        wall=wall,
        outbox=tables.outbox,
        dead_letters=tables.dead_letters,
        audit=AuditTrail(tables.audit_events, wall=wall, ids=ids),
        sandbox=SandboxClock(tables.sandbox_clock),
    ) as service:
        store = PostgresStore(service.engine, wall=wall, ids=ids)
        catalog = CatalogPeer(service.channel("catalog"))
        ledger = LedgerPeer(service.channel("ledger"))
        plan_credits = PlanCredits(store=store, clock=clock, ids=ids)
        void_credits = VoidCredits(store=store, clock=clock, ids=ids)
        refund_credits = RefundCredits(store=store, clock=clock, wall=wall, ids=ids)
        alert = AlertPeer(service.channel("alert"))
        debts = Debts(store=store, ledger=ledger, wall=wall)
        deliveries = Deliveries(ledger, alert, plan_credits, void_credits, refund_credits, debts)
        relay = await service.start_relay(deliveries.deliver, ordered=ORDERED)
        billing = Billing(store=store, catalog=catalog, ids=ids)
        usage = UsageInvoices(
            store=store,
            catalog=catalog,
            ledger=ledger,
            clock=clock,
            ids=ids,
            rhythm=UsageRhythm(
                grace=timedelta(seconds=settings.usage_grace_seconds),
                interval=timedelta(seconds=settings.usage_interval_seconds),
            ),
            group_key=settings.usage_group_key,
        )
        invoices = Invoices(store=store, documents=InvoiceDocuments(), usage=usage, clock=clock, ids=ids)
        provider = _payment_provider(settings, service)
        payments = Payments(store=store, provider=provider, relay=relay, clock=clock, wall=wall, ids=ids)
        invoice_payments = InvoicePayments(
            store=store, provider=provider, relay=relay, clock=clock, wall=wall, ids=ids
        )
        invoice_refunds = InvoiceRefunds(
            store=store, provider=provider, relay=relay, clock=clock, wall=wall, ids=ids
        )
        invoice_money_back = InvoiceMoneyBack(
            store=store, provider=provider, relay=relay, clock=clock, wall=wall, ids=ids
        )
        payment_setups = PaymentSetups(
            store=store,
            provider=provider,
            publishable_key=settings.stripe_publishable_key,
            relay=relay,
            clock=clock,
            wall=wall,
            ids=ids,
        )
        money_back = MoneyBackChecks(
            store=store, provider=provider, relay=relay, clock=clock, wall=wall, ids=ids
        )
        refunds = Refunds(store=store, provider=provider, relay=relay, clock=clock, wall=wall, ids=ids)
        top_ups = TopUps(store=store, catalog=catalog, payments=payments, relay=relay, clock=clock, ids=ids)

        auto_top_ups = AutoTopUps(
            store=store,
            ledger=ledger,
            top_ups=top_ups,
            payments=payments,
            relay=relay,
            clock=clock,
            wall=wall,
            ids=ids,
        )

        # May run late: an invoice is dated when it was due, not when it is made.
        due_work: dict[str, DueWork] = {
            "due": billing.run_due,
            "usage": usage.run_due,
            "top_ups": top_ups.run_due,
            "payments": payments.run_due,
            "invoice_payments": invoice_payments.run_due,
            "payment_setups": lambda at: payment_setups.run_due(),
            "invoice_refunds": lambda at: invoice_refunds.run_due(),
            "refunds": lambda at: refunds.run_due(),
            "debts": lambda at: debts.run_due(),
            "invoice_money_back": lambda at: invoice_money_back.run_due(),
            "money_back": lambda at: money_back.run_due(),
            "auto_top_ups": auto_top_ups.run_due,
        }

        async def run_due(at: datetime) -> None:
            for work in due_work.values():
                await work(at)

        def at_present(work: DueWork) -> Callable[[], Awaitable[object]]:
            return lambda: work(clock.now())

        service.start_periodic(
            *(
                PeriodicTask(
                    name,
                    at_present(work),
                    settings.due_interval_seconds,
                    wait_seconds_max=DUE_WAIT_SECONDS_MAX,
                )
                for name, work in due_work.items()
            ),
            # A replica of the previous version may still issue invoices without numbers.
            PeriodicTask("number", invoices.number_earlier, settings.due_interval_seconds),
            PeriodicTask("forget", lambda: forget_old(store, wall), FORGET_SECONDS),
            PeriodicTask("measure_payments", lambda: meters.measure(store, wall), MEASURE_SECONDS),
        )
        takes_payments = provider is not None
        contracts = Contracts(
            store=store,
            catalog=catalog,
            relay=relay,
            billing=billing,
            takes_payments=takes_payments,
            clock=clock,
            ids=ids,
        )
        plan_changes = PlanChanges(
            store=store,
            catalog=catalog,
            ledger=ledger,
            relay=relay,
            billing=billing,
            contracts=contracts,
            clock=clock,
            ids=ids,
        )
        operations = Operations(
            customers=Customers(store=store, relay=relay, clock=clock, ids=ids),
            contracts=contracts,
            ends=Ends(store=store, relay=relay, billing=billing, clock=clock, ids=ids),
            plan_changes=plan_changes,
            plan_offers=PlanOffers(
                store=store,
                catalog=catalog,
                contracts=contracts,
                plan_changes=plan_changes,
                clock=clock,
                ids=ids,
            ),
            schedules=Schedules(store=store, catalog=catalog, relay=relay, clock=clock),
            overage=OveragePolicies(store=store, catalog=catalog, relay=relay, clock=clock),
            seats=Seats(
                store=store,
                catalog=catalog,
                ledger=ledger,
                relay=relay,
                billing=billing,
                clock=clock,
                ids=ids,
            ),
            seat_voids=SeatVoids(store=store, relay=relay, billing=billing, clock=clock, ids=ids),
            named_seats=NamedSeats(store=store, relay=relay, clock=clock, ids=ids),
            top_ups=top_ups,
            payments=payments,
            payment_setups=payment_setups,
            invoice_payments=invoice_payments,
            invoice_refunds=invoice_refunds,
            collections=Collections(store=store, takes_payments=takes_payments, clock=clock),
            refunds=refunds,
            auto_top_ups=auto_top_ups,
            invoices=invoices,
            repricing=Repricing(store=store, catalog=catalog, clock=clock, ids=ids),
            credit_notes=CreditNotes(store=store, clock=clock, ids=ids),
            parties=Parties(store=store),
        )
        if settings.payment_webhook_listen:
            webhooks = WebhookListener(
                listen=settings.payment_webhook_listen,
                secrets=[
                    one.strip() for one in settings.stripe_webhook_secrets.get_secret_value().split(",")
                ],
                hints=[payments.hint, invoice_payments.hint, payment_setups.hint],
                money_back=[money_back.hint, invoice_money_back.hint],
            )
            await webhooks.start()
            service.stack.push_async_callback(webhooks.stop)
        yield await service.serve(
            RpcService(
                SERVICE_NAME, partial(add_ContractServiceServicer_to_server, ContractServicer(operations))
            ),
            RpcService(
                PAYMENT_SERVICE_NAME,
                partial(add_PaymentServiceServicer_to_server, PaymentServicer(operations)),
            ),
            RpcService(
                AUTO_TOP_UP_SERVICE_NAME,
                partial(add_AutoTopUpServiceServicer_to_server, AutoTopUpServicer(operations)),
            ),
            RpcService(
                PEER_SERVICE_NAME,
                partial(add_ContractPeerServiceServicer_to_server, ContractPeerServicer(operations)),
            ),
            RpcService(
                SELF_SERVICE_NAME, partial(add_SelfServiceServicer_to_server, SelfServiceServicer(operations))
            ),
            dead_letter_service(relay),
            status_service(relay, start_time=wall.now()),
            relay=relay,
            run_due=run_due,
        )


def _payment_provider(settings: ContractSettings, service: ServiceBuilder) -> StripeProvider | None:
    """Return Stripe, or None if no key is set."""
    api_key = settings.stripe_api_key.get_secret_value()
    if not api_key:
        return None
    provider = StripeProvider(api_key=api_key, api_base=settings.stripe_api_base)
    service.stack.push_async_callback(provider.close)
    return provider
