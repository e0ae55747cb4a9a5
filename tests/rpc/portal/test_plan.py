# SPDX-License-Identifier: Apache-2.0
"""The plan on a page: what there is, what is offered, what a change costs, and the change."""

import re
from html import unescape
from typing import Any

import pytest
from httpx import Response

from meshkit.quantity import MICROS
from purser.catalog.v1 import catalog_pb2 as catalog
from purser.contract.v1 import contract_pb2 as contract
from tests.support.portal import Browser, PortalMesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANNUAL = contract.BILLING_FREQUENCY_ANNUAL


async def offered(portal: PortalMesh, name: str, **more: Any) -> contract.PlanOffer:
    """Offer a plan at $150 a year and seat, with 200 credits a month."""
    stubs, offer = portal.acme.stubs, portal.acme.offer
    product = await stubs.catalog.CreateProduct(
        catalog.CreateProductRequest(
            request_id=portal.acme.request_id(),
            name="Business Plan",
            product_type=catalog.PRODUCT_TYPE_SUBSCRIPTION,
        )
    )
    product_id = product.product.product_id
    rate = catalog.RateTerms(
        product_id=product_id,
        credit_type_id="USD",
        price_micros=150 * MICROS,
        billing_frequency=catalog.BILLING_FREQUENCY_ANNUAL,
    )
    rate.effective_time.FromJsonString("2025-01-01T00:00:00Z")
    card_id = portal.acme.contract.rate_card_id
    await stubs.catalog.AddRates(
        catalog.AddRatesRequest(request_id=portal.acme.request_id(), rate_card_id=card_id, rates=[rate])
    )
    terms: dict[str, Any] = {
        "request_id": portal.acme.request_id(),
        "name": name,
        "description": "For <b>larger</b> teams",
        "rate_card_id": card_id,
        "subscriptions": [
            contract.SubscriptionTerms(
                product_id=product_id,
                billing_frequency=ANNUAL,
                proration=contract.SeatProration(is_prorated=True),
            )
        ],
        "grant_schedules": [
            contract.GrantScheduleTerms(
                product_id=offer.included,
                credit_type_id=offer.ai_credits,
                unit_amount_micros=200 * MICROS,
                subscription_index=0,
                frequency=contract.GRANT_FREQUENCY_MONTHLY,
                prorates_increases=True,
            )
        ],
    }
    request = contract.CreatePlanOfferRequest(**(terms | more))
    return (await stubs.contract.CreatePlanOffer(request)).plan_offer


async def preview(browser: Browser, contract_id: str, offer: contract.PlanOffer, seats: object) -> Response:
    query = {"contract_id": contract_id, "plan_offer_id": offer.plan_offer_id, "quantity": str(seats)}
    return await browser.get("/plan/preview", params=query)


def figure(html: str, name: str) -> str:
    found = re.search(rf'data-figure="{name}">([^<]*)<', html)
    assert found is not None, html
    return unescape(found[1])


async def sign_other(portal: PortalMesh, alias: str) -> contract.Contract:
    """Sign the same contract for another customer."""
    stubs, acme = portal.acme.stubs, portal.acme.contract
    customer = await stubs.contract.CreateCustomer(
        contract.CreateCustomerRequest(request_id=portal.acme.request_id(), name=alias, aliases=[alias])
    )
    seats = acme.subscriptions[0]
    signed = await stubs.contract.CreateContract(
        contract.CreateContractRequest(
            request_id=portal.acme.request_id(),
            customer=customer.customer.customer_id,
            name="Starter",
            rate_card_id=acme.rate_card_id,
            start_time=acme.start_time,
            subscriptions=[
                contract.SubscriptionTerms(
                    product_id=seats.product_id,
                    billing_frequency=ANNUAL,
                    initial_quantity=4,
                    proration=contract.SeatProration(is_prorated=True),
                )
            ],
        )
    )
    return signed.contract


async def test_a_customer_previews_and_changes_the_plan(portal: PortalMesh) -> None:
    signed = await sign_other(portal, "changer")
    offer = await offered(portal, "Business", customers=["changer"])
    async with portal.browser("customer", customer=signed.customer_id) as browser:
        shown = (await browser.get("/plan")).text
        assert "Starter" in shown
        assert "$100.00 per seat, yearly" in unescape(shown)
        assert "$150.00 per seat, yearly" in unescape(shown)
        assert "For &lt;b&gt;larger&lt;/b&gt; teams" in shown
        assert "200 AI credits for each seat, monthly" in unescape(shown)

        previewed = (await preview(browser, signed.contract_id, offer, 6)).text
        # 6 × $150; the old invoice, which is unpaid, is reduced by $400.
        assert figure(previewed, "total") == "$900.00"
        assert "$400.00 come off your unpaid invoices." in unescape(previewed)
        assert figure(previewed, "granted") == "1,200"

        address = (
            f"/plan/preview?contract_id={signed.contract_id}&plan_offer_id={offer.plan_offer_id}&quantity=6"
        )
        done = await browser.submit("/plan", {}, shown_at=address)

    assert done.status_code == 200
    assert "The plan was changed." in done.text
    listed = await portal.acme.stubs.contract.ListContracts(
        contract.ListContractsRequest(customer=signed.customer_id)
    )
    old, new = listed.contracts
    assert old.end_time == new.start_time
    assert (new.name, new.subscriptions[0].quantity) == ("Business", 6)
    # The page shows the new plan only, and that it is the present one.
    assert "Starter" not in done.text
    assert f"/invoices/{await first_invoice(portal, new)}" in done.text


async def first_invoice(portal: PortalMesh, signed: contract.Contract) -> str:
    listed = await portal.acme.stubs.contract.ListInvoices(
        contract.ListInvoicesRequest(customer=signed.customer_id, contract_id=signed.contract_id)
    )
    return listed.invoices[0].invoice_id


async def test_a_form_that_is_sent_twice_changes_the_plan_once(portal: PortalMesh) -> None:
    signed = await sign_other(portal, "twice")
    offer = await offered(portal, "Business", customers=["twice"])
    async with portal.browser("customer", customer=signed.customer_id) as browser:
        shown = await preview(browser, signed.contract_id, offer, 4)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown.text))
        first = await browser.post("/plan", data=hidden, headers={"origin": browser.origin})
        second = await browser.post("/plan", data=hidden, headers={"origin": browser.origin})

    assert first.status_code == second.status_code == 200
    assert first.url == second.url
    listed = await portal.acme.stubs.contract.ListContracts(
        contract.ListContractsRequest(customer=signed.customer_id)
    )
    assert len(listed.contracts) == 2


async def test_what_cannot_be_changed_says_why(portal: PortalMesh) -> None:
    signed = await sign_other(portal, "stuck")
    seats = contract.SubscriptionTerms(
        product_id=portal.acme.contract.subscriptions[0].product_id,
        billing_frequency=ANNUAL,
        proration=contract.SeatProration(is_prorated=True),
    )
    same = await offered(
        portal, "Starter again", subscriptions=[seats], grant_schedules=[], customers=["stuck"]
    )
    foreign = await offered(portal, "For Acme only", customers=["acme"])
    async with portal.browser("customer", customer=signed.customer_id) as browser:
        shown = (await browser.get("/plan")).text
        assert "This is your present plan." in shown
        assert "For Acme only" not in shown
        refused = await preview(browser, signed.contract_id, same, 4)
        assert (refused.status_code, "This is your present plan." in refused.text) == (409, True)
        assert (await preview(browser, signed.contract_id, foreign, 4)).status_code == 404
        assert (await preview(browser, portal.acme.contract.contract_id, same, 4)).status_code == 404
        for wrong in ("five", "-1", "1.5", "99999999", "²"):
            refused = await preview(browser, signed.contract_id, same, wrong)
            assert (refused.status_code, "as a whole number, such as 5" in refused.text) == (400, True), wrong
        assert (await preview(browser, signed.contract_id, same, 1_000_001)).status_code == 400


async def test_a_contract_with_a_term_is_the_vendors_to_change(portal: PortalMesh) -> None:
    signed = await sign_other(portal, "bound")
    request = contract.CreateContractRequest(
        request_id=portal.acme.request_id(),
        customer="bound",
        name="Twelve months",
        rate_card_id=signed.rate_card_id,
        start_time=signed.start_time,
        term=contract.ContractTerm(months=12, renews=True),
    )
    await portal.acme.stubs.contract.CreateContract(request)
    async with portal.browser("customer", customer=signed.customer_id, locale="de") as browser:
        shown = (await browser.get("/plan")).text

    assert "Twelve months" in shown
    assert "Ihr Vertrag hat eine feste Laufzeit." in shown


async def test_a_customer_without_a_contract_is_told_so(portal: PortalMesh) -> None:
    made = await portal.acme.stubs.contract.CreateCustomer(
        contract.CreateCustomerRequest(request_id=portal.acme.request_id(), name="New")
    )
    async with portal.browser("customer", customer=made.customer.customer_id) as browser:
        assert "There is no contract at present." in (await browser.get("/plan")).text
