# SPDX-License-Identifier: Apache-2.0
"""The SeatsCo story: a summer of seats and pooled AI credits, played through the public API of a running mesh.

It has ten steps. Every figure is what the services answered, compared with what the rules promise.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rich.console import Console

from deploy.local.figures import Figures, decimal, dollars
from deploy.local.identity import LocalIdentity
from deploy.local.night import Night
from deploy.local.seatsco import (
    ASSISTANT,
    PREVIEW,
    SUMMARY,
    Offer,
    Stubs,
    define_products,
    open_stubs,
    set_prices,
    sign_acme,
)
from deploy.local.statement import Statement
from deploy.local.stripe import CARD, DECLINED_CARD, StripeStandIn
from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.quantity import MICROS
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as alert
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.contract.v1 import contract_pb2 as contract
from purser.contract.v1 import payments_pb2 as payments
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.sandbox.v1 import clock_pb2 as sandbox

PAID_SECONDS_MAX = 20.0
POLL_SECONDS = 0.05
BIG_SPENDER, COLLEAGUE = "user_1234", "user_5678"


async def play(
    addresses: Mapping[str, str],
    identity: LocalIdentity | None = None,
    *,
    stripe: StripeStandIn,
    console: Console,
) -> bool:
    """Play all steps. Returns whether every figure was as promised.

    addresses: of the four services of a mesh in sandbox mode, its clock at 1 June 2025. identity None: insecure.
    stripe: what that mesh takes payments through.
    """
    receiver, figures = WebhookReceiver(), Figures(console)
    await receiver.start()
    try:
        async with open_stubs(addresses, identity) as stubs:
            await Story(stubs, receiver, figures, stripe).play()
            return figures.print_outcome()
    finally:
        await receiver.stop()


class Story:
    """Plays the steps, and compares what the services answer with what the rules promise."""

    def __init__(
        self, stubs: Stubs, receiver: WebhookReceiver, figures: Figures, stripe: StripeStandIn
    ) -> None:
        self._stubs = stubs
        self._receiver = receiver
        self._figures = figures
        self._stripe = stripe
        self._calls = 0

    async def play(self) -> None:
        offer = await self._step_1_products()
        offer = await self._step_2_prices(offer)
        signed = await self._step_3_contract(offer)
        await self._step_4_seats(signed.contract)
        await self._step_5_cut_off(offer, signed.contract)
        await self._step_6_top_up(offer, signed.contract)
        await self._step_7_balance()
        await self._step_8_cap(offer, signed.contract)
        await self._step_9_new_month(offer, signed.contract)
        await self._step_10_reported_usage(offer)
        await self._step_11_statement()

    async def _step_1_products(self) -> Offer:
        self._figures.chapter(1, "SeatsCo defines what it sells", "Catalog")
        offer = await define_products(self._stubs)
        products = await self._stubs.catalog.ListProducts(catalog.ListProductsRequest())
        table = self._figures.table("product", "type", "measured by")
        for product in products.products:
            kind = catalog.ProductType.Name(product.product_type).removeprefix("PRODUCT_TYPE_")
            measured = await self._measured_by(product)
            table.add_row("  " + product.name, kind, measured)
        self._figures.show(table)
        return offer

    async def _measured_by(self, product: catalog.Product) -> str:
        if not product.billable_metric_id:
            return ""
        found = await self._stubs.catalog.GetBillableMetric(
            catalog.GetBillableMetricRequest(billable_metric_id=product.billable_metric_id)
        )
        metric = found.billable_metric
        return f"SUM({metric.aggregated_property}) by {', '.join(metric.group_keys)}"

    async def _step_2_prices(self, offer: Offer) -> Offer:
        self._figures.chapter(2, "…and for how much", "Catalog → Ledger")
        offer = await set_prices(self._stubs, offer)
        rates = await self._stubs.catalog.ListRates(catalog.ListRatesRequest(rate_card_id=offer.rate_card))
        names = {offer.team_plan: "Team Plan"} | {key: name for name, key in offer.usage.items()}
        table = self._figures.table("product", "price", "per")
        for rate in rates.rates:
            seat = catalog.BillingFrequency.Name(rate.billing_frequency).removeprefix("BILLING_FREQUENCY_")
            is_seat = rate.credit_type_id == "USD"
            table.add_row(
                "  " + names[rate.product_id],
                f"${dollars(rate.price_micros)}" if is_seat else f"{decimal(rate.price_micros)} credits",
                f"seat, {seat}" if is_seat else _unit_of(rate),
            )
        self._figures.show(table)
        return offer

    async def _step_3_contract(self, offer: Offer) -> contract.CreateContractResponse:
        self._figures.chapter(3, "Acme signs four seats for a year, from 1 June 2025", "Contract → Ledger")
        signed = await sign_acme(self._stubs, offer)
        self._print_invoices(signed.invoices)
        self._figures.figure("first invoice, USD", dollars(signed.invoices[0].total.micros), "400.00")
        status = contract.InvoiceStatus.Name(signed.invoices[0].status)
        self._figures.figure("its status", status, "INVOICE_STATUS_OPEN")
        self._figures.figure("June's pool, credits", decimal((await self._pool()).available_micros), "400")
        return signed

    async def _step_4_seats(self, signed: contract.Contract) -> None:
        self._figures.chapter(4, "A fifth seat on 3 July, gone again on 10 July", "Contract → Ledger")
        await self._advance(2025, 7, 3)
        preview = await self._stubs.contract.PreviewSeatChange(
            contract.PreviewSeatChangeRequest(contract_id=signed.contract_id, quantity_delta=1)
        )
        self._figures.figure("preview: money, USD", dollars(preview.total.micros), "91.23")
        self._figures.figure("preview: credits", decimal(preview.credits[0].amount_micros), "93.548387")
        added = await self._change_seats(signed, 1)
        self._print_invoices([added.invoice])
        line = added.invoice.lines[0]
        self._figures.figure("proration line, USD", dollars(line.total.micros), "91.23")
        share = f"{line.fraction.numerator}/{line.fraction.denominator}"
        self._figures.figure("share of the year left", share, "333/365")
        self._figures.figure("exact, before rounding", decimal(line.exact_micros), "91.232876")
        self._figures.figure(
            "July pool, credits", decimal((await self._pool()).available_micros), "493.548387"
        )
        await self._advance(2025, 7, 10)
        removed = await self._change_seats(signed, -1)
        self._figures.figure(
            "invoice for the seat removed", "one" if removed.HasField("invoice") else "none", "none"
        )
        self._figures.figure(
            "July pool after it", decimal((await self._pool()).available_micros), "493.548387"
        )

    async def _step_5_cut_off(self, offer: Offer, signed: contract.Contract) -> None:
        self._figures.chapter(
            5, "Credits run low: warned twice, then cut off", "AI features → Ledger → Alert → webhook"
        )
        endpoint = await self._stubs.alert.CreateWebhookEndpoint(
            alert.CreateWebhookEndpointRequest(request_id="story-endpoint", url=self._receiver.url)
        )
        self._receiver.secret = endpoint.secret
        for credits in (10, 0):
            await self._stubs.alert.CreateAlert(
                alert.CreateAlertRequest(
                    request_id=f"story-low-{credits}",
                    name=f"{credits} credits or fewer are left",
                    alert_type=alert.ALERT_TYPE_LOW_BALANCE,
                    customer_id=signed.customer_id,
                    credit_type_id=offer.ai_credits,
                    threshold_micros=credits * MICROS,
                )
            )
        await self._use(offer, ASSISTANT, 40, BIG_SPENDER)
        await self._use(offer, PREVIEW, 1, BIG_SPENDER)
        await self._expect_webhook("webhook at 10 or fewer", "alert.in_alarm", "8.548387")
        denied = await self._authorize(offer, SUMMARY, 2, BIG_SPENDER)
        self._figures.figure("two summaries (14 credits)", _decision(denied), "DENIED INSUFFICIENT_CREDITS")
        self._figures.figure(
            "affordable, units of summary", decimal(denied.affordable_quantity_micros), "1.221198"
        )
        await self._debit_credits(offer, denied.available_micros, BIG_SPENDER)
        await self._expect_webhook("webhook at 0", "alert.in_alarm", "0")
        denied = await self._authorize(offer, ASSISTANT, 1, COLLEAGUE)
        self._figures.figure("the next AI call, anybody's", _decision(denied), "DENIED INSUFFICIENT_CREDITS")
        self._figures.figure("affordable, credits", decimal(denied.affordable_credits_micros), "0")

    async def _step_6_top_up(self, offer: Offer, signed: contract.Contract) -> None:
        self._figures.chapter(
            6, "Acme buys 1,000 credits for $80; they are granted once paid", "Contract → Stripe, Ledger"
        )
        ordered = await self._stubs.contract.OrderTopUp(
            contract.OrderTopUpRequest(
                request_id="story-top-up",
                contract_id=signed.contract_id,
                top_up_pack_id=offer.pack,
                payment_gate=contract.PAYMENT_GATE_STRIPE,
            )
        )
        top_up_id = ordered.top_up.top_up_id
        await self._stubs.payments.SetPaymentMethod(
            payments.SetPaymentMethodRequest(
                request_id="story-card",
                customer="acme",
                provider_customer_id=await self._stripe.customer(),
                payment_method_id=await self._stripe.card(DECLINED_CARD),
            )
        )
        declined = await self._stubs.payments.PayTopUp(
            payments.PayTopUpRequest(request_id="story-declined", top_up_id=top_up_id)
        )
        self._figures.figure("Acme's saved card", declined.top_up.last_payment_error.code, "card_declined")
        unpaid = await self._authorize(offer, ASSISTANT, 1, COLLEAGUE)
        self._figures.figure("ordered, not paid: the gate", _decision(unpaid), "DENIED INSUFFICIENT_CREDITS")
        self._figures.figure("credits while unpaid", decimal((await self._pool()).available_micros), "0")
        asked = payments.GetTopUpPaymentRequest(top_up_id=top_up_id)
        open_payment = await self._stubs.payments.GetTopUpPayment(asked)
        await self._stripe.pay_in_browser(open_payment.client_secret, await self._stripe.card(CARD))
        paid = await self._until_paid(top_up_id)
        self._figures.figure(
            "another card, in the browser", contract.TopUpStatus.Name(paid.status), "TOP_UP_STATUS_PAID"
        )
        listed = await self._stubs.contract.ListInvoices(
            contract.ListInvoicesRequest(customer="acme", page_size=500)
        )
        self._print_invoices([one for one in listed.invoices if one.invoice_id == paid.invoice_id])
        allowed = await self._authorize(offer, ASSISTANT, 1, COLLEAGUE)
        self._figures.figure("paid: the gate", _decision(allowed), "ALLOWED")
        self._figures.figure("held for it, credits", decimal(allowed.held_micros), "12")
        await self._stubs.gate.Release(
            ledger.ReleaseRequest(request_id="story-release", customer="acme", hold_id=allowed.hold_id)
        )
        for _ in range(2):
            await self._expect_webhook("webhook: low balance is over", "alert.resolved", "1,000")

    async def _until_paid(self, top_up_id: str) -> contract.TopUp:
        """Return the top-up once Stripe's webhook has led to credits, or as it is after some seconds."""
        give_up = time.monotonic() + PAID_SECONDS_MAX
        while True:
            pool = await self._pool()
            if pool.available_micros or time.monotonic() > give_up:
                break
            await asyncio.sleep(POLL_SECONDS)
        found = await self._stubs.contract.GetTopUp(contract.GetTopUpRequest(top_up_id=top_up_id))
        return found.top_up

    async def _step_7_balance(self) -> None:
        self._figures.chapter(7, "Acme's balance: included and top-up credits", "Ledger")
        included, top_up = await self._balances()
        self._figures.figure("included, July", included, "0")
        self._figures.figure("top-up", top_up, "1,000")

    async def _step_8_cap(self, offer: Offer, signed: contract.Contract) -> None:
        self._figures.chapter(
            8, f"{BIG_SPENDER} may spend 1,000 credits a month, and no more", "Ledger → Alert"
        )
        await self._stubs.ledger_admin.SetSpendCap(
            admin.SetSpendCapRequest(
                request_id="story-cap",
                customer="acme",
                credit_type_id=offer.ai_credits,
                group_key="user_id",
                group_value=BIG_SPENDER,
                limit_micros=1_000 * MICROS,
                window=admin.CAP_WINDOW_BILLING_PERIOD,
            )
        )
        await self._stubs.alert.CreateAlert(
            alert.CreateAlertRequest(
                request_id="story-spend",
                name=f"{BIG_SPENDER} has spent 1,000 credits",
                alert_type=alert.ALERT_TYPE_SPEND,
                customer_id=signed.customer_id,
                credit_type_id=offer.ai_credits,
                threshold_micros=1_000 * MICROS,
                group_key="user_id",
                group_value=BIG_SPENDER,
            )
        )
        over = await self._authorize(offer, ASSISTANT, 50, BIG_SPENDER)
        self._figures.figure("600 credits more", _decision(over), "DENIED SPEND_CAP_REACHED")
        self._figures.figure(
            "affordable under the cap", decimal(over.affordable_credits_micros), "506.451613"
        )
        await self._debit_credits(offer, over.affordable_credits_micros, BIG_SPENDER)
        await self._expect_webhook("webhook: the spend alert", "alert.in_alarm", "1,000")
        at_cap = await self._authorize(offer, PREVIEW, 1, BIG_SPENDER)
        self._figures.figure(f"{BIG_SPENDER}'s next call", _decision(at_cap), "DENIED SPEND_CAP_REACHED")
        other = await self._use(offer, ASSISTANT, 1, COLLEAGUE)
        self._figures.figure(f"{COLLEAGUE}'s call", _decision(other), "ALLOWED")

    async def _step_9_new_month(self, offer: Offer, signed: contract.Contract) -> None:
        self._figures.chapter(9, "Two seats for a week, then the month turns", "the clock → Contract, Ledger")
        await self._advance(2025, 7, 20)
        added = await self._change_seats(signed, 2)
        self._print_invoices([added.invoice])
        self._figures.figure(
            "seats charged: above July's peak of five", str(added.invoice.lines[0].quantity), "1"
        )
        included, top_up = await self._balances()
        self._figures.figure("included, for that seat", included, "38.709677")
        await self._advance(2025, 7, 27)
        await self._change_seats(signed, -2)
        await self._advance(2025, 8, 1)
        included, top_up = await self._balances()
        self._figures.figure("August's included credits", included, "400")
        self._figures.figure("top-up, untouched by the month", top_up, "481.548387")
        self._figures.figure("July's unused credits, expired", await self._expired_in_july(), "38.709677")
        first_in_august = await self._use(offer, PREVIEW, 1, BIG_SPENDER)
        self._figures.figure(f"{BIG_SPENDER}'s cap starts again", _decision(first_in_august), "ALLOWED")
        await self._expect_webhook("webhook: the spend alert is over", "alert.resolved", "0")

    async def _step_10_reported_usage(self, offer: Offer) -> None:
        self._figures.chapter(10, "A nightly batch job reports its usage in the morning", "Ledger")
        await self._advance(2025, 8, 4)
        night = Night(self._stubs, offer, self._figures)
        await night.report()
        included, _ = await self._balances()
        self._figures.figure("August's included credits left", included, "144.5")
        await night.void()
        included, _ = await self._balances()
        self._figures.figure("included credits, after the void", included, "264.5")
        await night.look_up()
        await night.verify()

    async def _step_11_statement(self) -> None:
        self._figures.chapter(11, "July's usage, as Acme's statement shows it", "Contract, Ledger")
        await Statement(self._stubs, self._figures).show()

    def _print_invoices(self, invoices: Iterable[contract.Invoice]) -> None:
        table = self._figures.table("invoice", "dated", "line", "USD")
        for invoice in invoices:
            for line in invoice.lines:
                dated = invoice.finalize_time.ToDatetime().date().isoformat()
                table.add_row("  " + invoice.number, dated, line.description, dollars(line.total.micros))
        self._figures.show(table)

    async def _advance(self, year: int, month: int, day: int) -> None:
        at = datetime(year, month, day, tzinfo=UTC)
        await self._stubs.clock.AdvanceTime(sandbox.AdvanceTimeRequest(new_time=timestamp(at)), timeout=60)
        self._figures.line(f"[dim]— the clock advances to {at:%d %B %Y, %H:%M} UTC —[/]")

    async def _change_seats(self, signed: contract.Contract, delta: int) -> contract.ChangeSeatsResponse:
        return await self._stubs.contract.ChangeSeats(
            contract.ChangeSeatsRequest(
                request_id=self._request_id(), contract_id=signed.contract_id, quantity_delta=delta
            )
        )

    async def _authorize(self, offer: Offer, product: str, units: int, user: str) -> ledger.AuthorizeResponse:
        return await self._stubs.gate.Authorize(
            ledger.AuthorizeRequest(
                request_id=self._request_id(),
                customer="acme",
                product_id=offer.usage[product],
                quantity_micros=units * MICROS,
                group_values={"user_id": user},
            )
        )

    async def _use(self, offer: Offer, product: str, units: int, user: str) -> ledger.AuthorizeResponse:
        """One AI call: authorize before it, capture after it."""
        authorized = await self._authorize(offer, product, units, user)
        if authorized.decision == ledger.DECISION_ALLOWED:
            captured = await self._stubs.gate.Capture(
                ledger.CaptureRequest(
                    request_id=self._request_id(),
                    customer="acme",
                    hold_id=authorized.hold_id,
                    quantity_micros=units * MICROS,
                )
            )
            self._figures.line(
                f"{user}: {units} × {product} = {decimal(captured.captured_micros)} credits,"
                f" {decimal(captured.available_micros)} available"
            )
        return authorized

    async def _debit_credits(self, offer: Offer, micros: int, user: str) -> None:
        spent = await self._stubs.gate.Debit(
            ledger.DebitRequest(
                request_id=self._request_id(),
                customer="acme",
                product_id=offer.usage[ASSISTANT],
                credits_micros=micros,
                group_values={"user_id": user},
            )
        )
        self._figures.line(
            f"{user}: {decimal(spent.debited_micros)} credits at once,"
            f" {decimal(spent.available_micros)} available"
        )

    async def _pool(self) -> ledger.PoolBalance:
        balance = await self._stubs.gate.GetBalance(ledger.GetBalanceRequest(customer="acme"))
        return balance.pools[0]

    async def _balances(self) -> tuple[str, str]:
        """Print the pool's grants. Returns the available included credits and the available top-up credits."""
        pool = await self._pool()
        table = self._figures.table("grant", "granted", "spent", "available", "expires")
        for grant in pool.grants:
            kind = ledger.GrantKind.Name(grant.grant_kind).removeprefix("GRANT_KIND_")
            amounts = (grant.granted_micros, grant.captured_micros, grant.available_micros)
            end = (
                grant.expire_time.ToDatetime().date().isoformat()
                if grant.HasField("expire_time")
                else "never"
            )
            table.add_row("  " + kind, *map(decimal, amounts), end)
        self._figures.show(table)
        included, top_up = (
            sum(grant.available_micros for grant in pool.grants if grant.grant_kind == kind)
            for kind in (ledger.GRANT_KIND_INCLUDED, ledger.GRANT_KIND_TOP_UP)
        )
        return decimal(included), decimal(top_up)

    async def _expired_in_july(self) -> str:
        listed = await self._stubs.ledger_admin.ListGrants(admin.ListGrantsRequest(customer="acme"))
        july = datetime(2025, 7, 1)  # noqa: DTZ001 - ToDatetime() is naive UTC
        return decimal(sum(g.expired_micros for g in listed.grants if g.effective_time.ToDatetime() == july))

    async def _expect_webhook(self, label: str, event_type: str, value: str) -> None:
        received = await self._receiver.next_event()
        signature = "signature verified" if received.verified else "SIGNATURE WRONG"
        got = f"{received.event_type}, value {decimal(int(received.data['value_micros']))}, {signature}"
        self._figures.figure(label, got, f"{event_type}, value {value}, signature verified")

    def _request_id(self) -> str:
        self._calls += 1
        return f"story-{self._calls}"


def _unit_of(rate: catalog.Rate) -> str:
    values = rate.dimension_values
    return f"1,000 tokens {values['token_kind']}, {values['model']}" if values else "unit"


def _decision(answer: ledger.AuthorizeResponse) -> str:
    if answer.decision == ledger.DECISION_ALLOWED:
        return "ALLOWED"
    return f"DENIED {ledger.DenialReason.Name(answer.denial_reason).removeprefix('DENIAL_REASON_')}"
