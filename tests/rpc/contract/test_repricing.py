# SPDX-License-Identifier: Apache-2.0
"""RepriceSeats: seats that were billed at a price which is corrected afterwards."""

import pytest
from grpc import StatusCode

from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from tests.support.catalog import CatalogStub
from tests.support.contract import MONTHLY, Desk, RunningContract, away, day, dollars, running_contract
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases

MONTHLY_RATE = catalog_pb2.BILLING_FREQUENCY_MONTHLY


async def _correct(desk: Desk, catalog: CatalogStub, dollars_a_seat: int) -> None:
    """Correct the monthly price of $10 a seat."""
    listed = await catalog.ListRates(
        catalog_pb2.ListRatesRequest(rate_card_id=desk.sells.rate_card.rate_card_id)
    )
    first = next(
        rate for rate in listed.rates if rate.billing_frequency == MONTHLY_RATE and not rate.corrects_rate_id
    )
    await catalog.CorrectRate(
        catalog_pb2.CorrectRateRequest(
            request_id=desk.request_id(), rate_id=first.rate_id, price_micros=dollars_a_seat * 1_000_000
        )
    )


async def _reprice(desk: Desk, signed: pb.CreateContractResponse, request_id: str = "") -> pb.Invoice:
    request = pb.RepriceSeatsRequest(
        request_id=request_id or desk.request_id(), contract_id=signed.contract.contract_id
    )
    return (await desk.contract.RepriceSeats(request)).invoice


def _lines(invoice: pb.Invoice) -> list[tuple[str, str]]:
    return [
        (pb.InvoiceLineKind.Name(line.kind).removeprefix("INVOICE_LINE_KIND_"), dollars(line.total))
        for line in invoice.lines
    ]


async def test_what_was_charged_too_much_becomes_account_credit(
    desk: Desk, running: RunningContract, catalog: CatalogStub
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await running.advance_to(day(7, 1))
    await _correct(desk, catalog, 9)

    repriced = await _reprice(desk, signed)
    await running.advance_to(day(8, 1))

    assert _lines(repriced) == [
        ("PRICE_CORRECTION", "-4.00"),  # June's 4 seats
        ("PRICE_CORRECTION", "-4.00"),  # July's
        ("ACCOUNT_CREDIT", "8.00"),
    ]
    line = repriced.lines[0]
    assert line.description.endswith("corrected price, 9 USD a seat instead of 10 USD")
    assert (line.quantity, dollars(line.unit_price), line.exact_micros) == (-1, "4.00", -4_000_000)
    assert (dollars(repriced.total), repriced.status) == ("0.00", pb.INVOICE_STATUS_PAID)
    august = max(await desk.invoices(signed), key=lambda one: one.number)
    assert _lines(august) == [("SUBSCRIPTION", "36.00"), ("ACCOUNT_CREDIT", "-8.00")]


async def test_what_was_charged_too_little_is_invoiced_and_later_increases_cost_the_corrected_price(
    desk: Desk, running: RunningContract, catalog: CatalogStub
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    running.clock.advance_to(day(6, 16))
    await desk.add_seats(signed, 1)
    await _correct(desk, catalog, 11)

    repriced = await _reprice(desk, signed)
    more = await desk.add_seats(signed, 1)

    # 4 seats, and one for half of June: $45.00 at $10, $49.50 at $11.
    assert _lines(repriced) == [("PRICE_CORRECTION", "4.50")]
    assert (dollars(repriced.total), repriced.status) == ("4.50", pb.INVOICE_STATUS_OPEN)
    assert [dollars(line.unit_price) for line in more.invoice.lines] == ["11.00"]
    assert dollars(more.invoice.total) == "5.50"


async def test_prices_that_were_not_corrected_change_nothing(desk: Desk, catalog: CatalogStub) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))

    assert not (await _reprice(desk, signed)).invoice_id
    await _correct(desk, catalog, 10)
    assert not (await _reprice(desk, signed)).invoice_id
    assert len(await desk.invoices(signed)) == 1


async def test_a_difference_is_invoiced_once(desk: Desk, catalog: CatalogStub) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await _correct(desk, catalog, 11)

    first = await _reprice(desk, signed, "once")

    assert await _reprice(desk, signed, "once") == first
    assert not (await _reprice(desk, signed, "again")).invoice_id
    await _correct(desk, catalog, 12)
    assert _lines(await _reprice(desk, signed)) == [("PRICE_CORRECTION", "4.00")]


async def test_charges_that_were_waived_are_not_corrected(desk: Desk, catalog: CatalogStub) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    await desk.contract.VoidInvoice(
        pb.VoidInvoiceRequest(request_id="void", invoice_id=signed.invoices[0].invoice_id, reason="a present")
    )
    await _correct(desk, catalog, 9)

    assert not (await _reprice(desk, signed)).invoice_id


async def test_only_seats_whose_rate_was_corrected_are_repriced(
    desk: Desk, catalog: CatalogStub, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), desk.seats(1))
    await _correct(desk, catalog, 9)

    assert _lines(await _reprice(desk, signed))[0] == ("PRICE_CORRECTION", "-4.00")
    assert len([one for one in await desk.invoices(signed) if one.lines[0].kind == 12]) == 1


@pytest.mark.parametrize(
    ("money_back", "lines"),
    [(pb.MONEY_BACK_CREDIT_UNUSED, []), (pb.MONEY_BACK_NONE, [("PRICE_CORRECTION", "-4.00")])],
)
async def test_a_period_of_which_a_change_of_plan_has_paid_money_back_stays(
    desk: Desk,
    running: RunningContract,
    catalog: CatalogStub,
    money_back: "pb.MoneyBack",
    lines: list[tuple[str, str]],
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    running.clock.advance_to(day(6, 16))
    await desk.contract.ChangePlan(
        pb.ChangePlanRequest(
            request_id=desk.request_id(),
            contract_id=signed.contract.contract_id,
            rate_card_id=desk.sells.rate_card.rate_card_id,
            subscriptions=[desk.seats(2, frequency=MONTHLY)],
            money_back=money_back,
        )
    )
    await _correct(desk, catalog, 8)

    repriced = await _reprice(desk, signed)

    # June was charged in full: 4 × $10, which are 4 × $8 now.
    assert _lines(repriced)[:1] == [(kind, "-8.00") for kind, _ in lines]


@pytest.mark.parametrize(
    ("money_back", "lines"),
    [
        (pb.MONEY_BACK_CREDIT_UNUSED, []),
        (pb.MONEY_BACK_NONE, [("PRICE_CORRECTION", "-8.00"), ("ACCOUNT_CREDIT", "8.00")]),
    ],
)
async def test_a_period_of_which_an_end_has_paid_money_back_stays(
    desk: Desk,
    running: RunningContract,
    catalog: CatalogStub,
    money_back: "pb.MoneyBack",
    lines: list[tuple[str, str]],
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))
    running.clock.advance_to(day(6, 16))
    await desk.contract.EndContract(
        pb.EndContractRequest(
            request_id="end", contract_id=signed.contract.contract_id, money_back=money_back
        )
    )
    await _correct(desk, catalog, 8)

    assert _lines(await _reprice(desk, signed)) == lines


async def test_what_is_wrong_is_said(
    databases: Databases, desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY))

    with bad_fields("contract_id", "request_id"):
        await desk.contract.RepriceSeats(pb.RepriceSeatsRequest())
    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND", contract_id="con_x"):
        await desk.contract.RepriceSeats(pb.RepriceSeatsRequest(request_id="x", contract_id="con_x"))
    async with running_contract(databases, ledger_address=ledger.address) as without_catalog:
        with away("catalog"):
            await without_catalog.stub.RepriceSeats(
                pb.RepriceSeatsRequest(request_id="y", contract_id=signed.contract.contract_id)
            )
