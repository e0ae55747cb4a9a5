# SPDX-License-Identifier: Apache-2.0
"""SetBillingDetails, SetSellerDetails, GetSellerDetails; parties and taxes on invoices."""

import pytest
from grpc import StatusCode

from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from tests.support.catalog import CatalogStub
from tests.support.contract import MONTHLY, ContractStub, Desk, RunningContract, dollars
from tests.support.faults import bad_fields, fault
from tests.support.invoices import billing, external_top_up, finalize, read, usd, vat, void

SEATSCO = pb.Party(name="SeatsCo Inc.", address_lines=["1 Main St", "Springfield"], tax_ids=["EIN 12"])


async def set_seller(desk: Desk, seller: pb.Party) -> None:
    await desk.contract.SetSellerDetails(
        pb.SetSellerDetailsRequest(request_id=desk.request_id(), seller=seller)
    )


async def test_an_invoice_keeps_the_details_with_which_it_was_issued(desk: Desk) -> None:
    customer = (await desk.customer("Acme", "acme")).customer_id
    before = (await desk.sign(desk.seats(1), customer=customer)).invoices[0]
    request = billing(desk, "acme")
    await set_seller(desk, SEATSCO)
    await desk.contract.SetBillingDetails(request)

    after = (await desk.sign(desk.seats(1), customer=customer)).invoices[0]
    await set_seller(desk, pb.Party(name="Later Inc."))
    later = billing(desk, customer)
    later.billing_details.party.name = "Later GmbH"
    await desk.contract.SetBillingDetails(later)

    shown = await read(desk.contract, before)
    assert (shown.HasField("seller"), shown.buyer) == (False, pb.Party(name="Acme"))
    shown = await read(desk.contract, after)
    assert (shown.seller, shown.buyer) == (SEATSCO, request.billing_details.party)


async def test_details_are_read_as_they_were_set(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    unset = await desk.contract.GetCustomer(pb.GetCustomerRequest(customer=customer))
    nobody = await desk.contract.GetSellerDetails(pb.GetSellerDetailsRequest())
    request = billing(desk, customer, taxes=[vat(20)], time_zone="Europe/Vienna", language="de-AT")

    first = await desk.contract.SetBillingDetails(request)
    await set_seller(desk, SEATSCO)

    assert not unset.HasField("billing_details")
    assert not nobody.HasField("seller")
    assert await desk.contract.SetBillingDetails(request) == first
    read_back = await desk.contract.GetCustomer(pb.GetCustomerRequest(customer=customer))
    assert read_back.billing_details == first.billing_details == request.billing_details
    assert (await desk.contract.GetSellerDetails(pb.GetSellerDetailsRequest())).seller == SEATSCO
    plain = (await desk.contract.SetBillingDetails(billing(desk, customer))).billing_details
    assert (plain.time_zone, plain.language, list(plain.taxes)) == ("UTC", "en", [])


async def test_a_draft_names_no_parties_and_a_regenerated_invoice_the_new_ones(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    [wrong] = (await desk.sign(desk.seats(1), customer=customer)).invoices
    draft = (await desk.contract.VoidInvoice(void(desk, wrong, regenerate=True))).regenerated
    assert not (await read(desk.contract, draft)).HasField("buyer")
    request = billing(desk, customer)
    await desk.contract.SetBillingDetails(request)

    await desk.contract.FinalizeInvoice(finalize(desk, draft))

    assert (await read(desk.contract, draft)).buyer == request.billing_details.party
    assert (await read(desk.contract, wrong)).buyer == pb.Party(name="Acme")


async def test_taxes_are_charged_by_rate_on_all_other_lines(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.SetBillingDetails(
        billing(desk, customer, taxes=[vat(20), pb.TaxTerms(name="City tax", rate_micros=8_875)])
    )

    [invoice] = (await desk.sign(desk.seats(4), customer=customer)).invoices

    _, tax, city = invoice.lines
    assert (tax.kind, tax.description, tax.quantity) == (pb.INVOICE_LINE_KIND_TAX, "VAT 20 %", 1)
    assert (dollars(tax.unit_price), tax.fraction) == ("400.00", pb.Fraction(numerator=1, denominator=5))
    assert (tax.exact_micros, dollars(tax.total)) == (80_000_000, "80.00")
    assert (city.description, dollars(city.total)) == ("City tax 0.8875 %", "3.55")
    assert (dollars(invoice.total), dollars(invoice.amount_due)) == ("483.55", "483.55")


async def test_tax_is_rounded_over_the_whole_contract_not_line_by_line(
    desk: Desk, running: RunningContract
) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.SetBillingDetails(
        billing(desk, customer, taxes=[pb.TaxTerms(name="VAT", rate_micros=45_000)])
    )
    signed = await desk.sign(desk.seats(1, frequency=MONTHLY), customer=customer)
    terms = pb.TopUpTerms(
        product_id=desk.sells.included.product_id,
        credit_type_id=desk.sells.credits.credit_type_id,
        amount_micros=1_000_000,
        price=usd(10),
    )

    taxes = []
    for _ in range(4):
        request = external_top_up(desk, signed)
        request.payment_gate = pb.PAYMENT_GATE_NONE
        request.terms.CopyFrom(terms)
        taxes.append((await desk.contract.OrderTopUp(request)).invoice.lines[-1])

    # 4.5 % of $10.00 are $0.45; of each 10 cents 0.45 cents, so that every second or third one is charged.
    assert {tax.exact_micros for tax in taxes} == {4_500}
    assert [dollars(tax.total) for tax in taxes] == ["0.00", "0.01", "0.00", "0.01"]
    assert [tax.carried_micros for tax in taxes] == [0, 4_500, -1_000, 3_500]
    # A void invoice does not count: its tax is charged again.
    [first] = signed.invoices
    again = (await desk.contract.VoidInvoice(void(desk, first, regenerate=True))).regenerated
    issued = (await desk.contract.FinalizeInvoice(finalize(desk, again))).invoice
    assert dollars(issued.lines[-1].total) == dollars(first.lines[-1].total) == "0.45"


async def test_the_draft_of_a_top_up_names_the_tax_that_is_paid(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.SetBillingDetails(billing(desk, customer, taxes=[vat(20)]))
    signed = await desk.sign(desk.seats(1), customer=customer)

    ordered = await desk.contract.OrderTopUp(external_top_up(desk, signed))
    await desk.contract.SetBillingDetails(billing(desk, customer, taxes=[vat(50)]))
    resolved = await desk.contract.ResolveTopUpPayment(
        pb.ResolveTopUpPaymentRequest(
            request_id=desk.request_id(),
            top_up_id=ordered.top_up.top_up_id,
            outcome=pb.PAYMENT_OUTCOME_PAID,
        )
    )

    assert (ordered.invoice.status, dollars(ordered.invoice.total)) == (pb.INVOICE_STATUS_DRAFT, "96.00")
    assert list(resolved.invoice.lines) == list(ordered.invoice.lines)
    assert dollars(resolved.invoice.amount_paid) == "96.00"
    assert (await read(desk.contract, resolved.invoice)).buyer.name == "Acme GmbH"


async def test_taxes_named_for_one_invoice_replace_the_customer_s(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.SetBillingDetails(billing(desk, customer, taxes=[vat(20)]))
    [wrong] = (await desk.sign(desk.seats(1), customer=customer)).invoices
    draft = (await desk.contract.VoidInvoice(void(desk, wrong, regenerate=True))).regenerated
    request = finalize(desk, draft)

    request.taxes.add(name="Sales tax", amount=usd(7_01))
    request.taxes[0].amount.currency_code = "EUR"
    with fault(StatusCode.FAILED_PRECONDITION, "CURRENCY_DIFFERS"):
        await desk.contract.FinalizeInvoice(request)
    request.taxes[0].amount.CopyFrom(usd(7_01))
    request.taxes.append(pb.TaxTerms(name="Reverse charge", rate_micros=0))
    invoice = (await desk.contract.FinalizeInvoice(request)).invoice

    assert [(line.description, dollars(line.total)) for line in invoice.lines[1:]] == [
        ("Sales tax", "7.01"),
        ("Reverse charge 0 %", "0.00"),
    ]
    assert dollars(invoice.total) == "107.01"


async def test_an_invoice_of_nothing_gets_neither_tax_nor_number(desk: Desk, catalog: CatalogStub) -> None:
    customer = (await desk.customer()).customer_id
    await desk.contract.SetBillingDetails(billing(desk, customer, taxes=[vat(20)]))
    signed = await desk.sign(desk.seats(1), customer=customer)
    free = await catalog.CreateTopUpPack(
        catalog_pb2.CreateTopUpPackRequest(
            request_id="free",
            name="Welcome",
            product_id=desk.sells.included.product_id,
            credit_type_id=desk.sells.credits.credit_type_id,
            amount_micros=1_000_000,
            price=usd(0),
        )
    )
    request = external_top_up(desk, signed)
    request.top_up_pack_id = free.top_up_pack.top_up_pack_id
    request.payment_gate = pb.PAYMENT_GATE_NONE

    draft = (await desk.contract.OrderTopUp(request)).invoice

    assert (draft.status, draft.number) == (pb.INVOICE_STATUS_DRAFT, "")
    assert [dollars(line.total) for line in draft.lines] == ["0.00"]
    with fault(StatusCode.FAILED_PRECONDITION, "INVOICE_ZERO", invoice_id=draft.invoice_id):
        await desk.contract.FinalizeInvoice(finalize(desk, draft))
    assert (await desk.add_seats(signed, 1)).invoice.number == "000002"


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"language": "German"}, "language"),
        ({"taxes": [pb.TaxTerms(name="VAT", rate_micros=1_000_001)]}, "taxes[0].rate_micros"),
        ({"taxes": [pb.TaxTerms(name="VAT", rate_micros=-1)]}, "taxes[0].rate_micros"),
        ({"taxes": [pb.TaxTerms(name="VAT")]}, "taxes[0].charge"),
        ({"taxes": [pb.TaxTerms(name="VAT", amount=usd(1))]}, "taxes[0].amount"),
        ({"taxes": [vat(20), vat(20)]}, "taxes[1]"),
        ({"taxes": [vat(n) for n in range(6)]}, "taxes"),
    ],
)
async def test_details_that_cannot_be_right_are_refused(
    desk: Desk, details: dict[str, object], field: str
) -> None:
    customer = (await desk.customer()).customer_id
    with bad_fields(f"billing_details.{field}"):
        await desk.contract.SetBillingDetails(billing(desk, customer, **details))
    await desk.contract.SetBillingDetails(billing(desk, customer, taxes=[vat(0), vat(100)]))


async def test_all_bad_fields_are_named_at_once(contract: ContractStub) -> None:
    with bad_fields("request_id", "customer", "billing_details.party.name"):
        await contract.SetBillingDetails(pb.SetBillingDetailsRequest())
    with bad_fields("request_id", "seller.name", "seller.address_lines[0]", "seller.tax_ids"):
        seller = pb.Party(address_lines=[" "], tax_ids=["1"] * 6)
        await contract.SetSellerDetails(pb.SetSellerDetailsRequest(seller=seller))
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        request = pb.SetBillingDetailsRequest(request_id="r", customer="nobody")
        request.billing_details.party.name = "Nobody"
        await contract.SetBillingDetails(request)
