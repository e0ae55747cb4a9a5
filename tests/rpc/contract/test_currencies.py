# SPDX-License-Identifier: Apache-2.0
"""Contracts, invoices and account credit in currencies without cents, and with three decimals."""

from collections.abc import Sequence

import pytest
from grpc import StatusCode

from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.type.v1 import money_pb2
from tests.support.catalog import Shop, a_rate
from tests.support.contract import MONTHLY, Desk, RunningContract, day
from tests.support.faults import bad_fields, fault
from tests.support.invoices import billing, credit, external_top_up, payment

FAILED = StatusCode.FAILED_PRECONDITION
YEN = 1_000_000
FILS = 1_000


async def signed_in(
    desk: Desk,
    shop: Shop,
    currency: str,
    price_micros: int,
    customer: str = "",
    converting: Sequence[catalog_pb2.CreditType] = (),
) -> pb.CreateContractResponse:
    """Sign two monthly seats on a card in a currency. converting: credit types of which a credit is worth 1 of it."""
    card = await shop.card(converting, currency=currency)
    await shop.add(
        card,
        a_rate(
            desk.sells.team_plan,
            price_micros=price_micros,
            credit_type_id=currency,
            frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY,
        ),
    )
    who = customer or (await desk.customer()).customer_id
    request = desk.contract_request(who, desk.seats(2, frequency=MONTHLY))
    request.rate_card_id = card.rate_card_id
    return await desk.contract.CreateContract(request)


def money(currency: str, micros: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code=currency, micros=micros)


@pytest.mark.parametrize(
    ("currency", "price_micros", "seats", "added"),
    [
        # A third of a month is left: of 1,000 yen 333, of a dinar 333 fils, of a euro 33 cents.
        ("JPY", 1_000 * YEN, 2_000 * YEN, 333 * YEN),
        ("BHD", 1_000 * FILS, 2_000 * FILS, 333 * FILS),
        ("EUR", 1_000_000, 2_000_000, 330_000),
        ("CLF", 30_000_000, 60_000_000, 10_000_000),
    ],
)
async def test_amounts_are_rounded_to_the_minor_unit_of_the_card_s_currency(
    desk: Desk,
    shop: Shop,
    running: RunningContract,
    currency: str,
    price_micros: int,
    seats: int,
    added: int,
) -> None:
    signed = await signed_in(desk, shop, currency, price_micros)
    running.clock.advance_to(day(6, 21))

    increase = (await desk.add_seats(signed, 1)).invoice

    [first] = signed.invoices
    assert (first.total, first.amount_due) == (money(currency, seats), money(currency, seats))
    assert increase.total == money(currency, added)
    assert increase.lines[0].unit_price == money(currency, price_micros)
    assert signed.contract.subscriptions[0].unit_price == money(currency, price_micros)


async def test_a_preview_without_charges_is_in_the_contract_s_currency(desk: Desk, shop: Shop) -> None:
    signed = await signed_in(desk, shop, "JPY", 1_000 * YEN)
    request = pb.PreviewSeatChangeRequest(contract_id=signed.contract.contract_id, quantity_delta=-1)

    assert (await desk.contract.PreviewSeatChange(request)).total == money("JPY", 0)


async def test_tax_payments_and_credit_are_in_whole_yen(desk: Desk, shop: Shop) -> None:
    customer = (await desk.customer()).customer_id
    tax = pb.TaxTerms(name="Consumption tax", rate_micros=100_000)
    await desk.contract.SetBillingDetails(billing(desk, customer, taxes=[tax]))
    [invoice] = (await signed_in(desk, shop, "JPY", 1_002_500_000, customer)).invoices

    # 2,005 yen and 200.5 of tax, of which a half goes up.
    assert [line.total.micros // YEN for line in invoice.lines] == [2_005, 201]
    request = payment(desk, invoice, 0)
    request.amount.CopyFrom(money("JPY", YEN // 2))
    with bad_fields("amount"):
        await desk.contract.RecordInvoicePayment(request)
    request.amount.CopyFrom(money("USD", 2_206 * YEN))
    with fault(FAILED, "CURRENCY_DIFFERS", currency_code="USD"):
        await desk.contract.RecordInvoicePayment(request)
    request.amount.CopyFrom(money("JPY", 2_206 * YEN))
    assert (await desk.contract.RecordInvoicePayment(request)).invoice.status == pb.INVOICE_STATUS_PAID
    note = credit(desk, invoice, 0)
    note.amount.CopyFrom(money("JPY", 1_000 * YEN))
    await desk.contract.CreateCreditNote(note)

    # Account credit in yen pays no invoice in dollars, but one in yen.
    [dollars] = (await desk.sign(desk.seats(1), customer=customer)).invoices
    assert [line.kind for line in dollars.lines] == [
        pb.INVOICE_LINE_KIND_SUBSCRIPTION,
        pb.INVOICE_LINE_KIND_TAX,
    ]
    [yen] = (await signed_in(desk, shop, "JPY", 1_000 * YEN, customer)).invoices
    assert yen.lines[-1].total == money("JPY", -1_000 * YEN)


async def test_a_top_up_is_paid_in_the_currency_of_the_contract(desk: Desk, shop: Shop) -> None:
    signed = await signed_in(desk, shop, "JPY", 1_000 * YEN)

    with fault(FAILED, "CURRENCY_DIFFERS", currency_code="USD"):
        await desk.contract.OrderTopUp(external_top_up(desk, signed))
    request = external_top_up(desk, signed)
    request.terms.CopyFrom(
        pb.TopUpTerms(
            product_id=desk.sells.included.product_id,
            credit_type_id=desk.sells.credits.credit_type_id,
            amount_micros=1_000_000,
            price=money("JPY", YEN // 2 - 1),
        )
    )
    with bad_fields("terms.price"):
        await desk.contract.OrderTopUp(request)
    request.terms.price.micros = YEN // 2
    assert (await desk.contract.OrderTopUp(request)).invoice.total == money("JPY", YEN)
