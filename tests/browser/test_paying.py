# SPDX-License-Identifier: Apache-2.0
"""A person buys credits in a browser: enters a card in Stripe's fields, confirms at the bank, and gets the receipt."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from deploy.local.stripe import SECURE_CARD
from tests.support.browser import Visit, axe, keep_screenshot
from tests.support.buyer import Buyer, Counter, open_counter
from tests.support.postgres import PostgresServer, own_database

WAIT_MS = timedelta(seconds=20) / timedelta(milliseconds=1)  # what one step may take on a busy machine
PHONE_IN_THE_DARK = {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def counter(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Counter]:
    async with own_database(postgres_server) as databases:
        async with open_counter(databases, tmp_path_factory.mktemp("access")) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def buyer(counter: Counter) -> AsyncIterator[Buyer]:
    async with counter.buyer() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def page(visit: Visit, buyer: Buyer) -> Page:
    """A page of the buyer, signed in by a link."""
    opened = await visit.open_page()
    opened.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    await opened.goto(buyer.counter.portal.link("customer", customer=buyer.customer_id))
    return opened


async def enter_card(page: Page, number: str) -> None:
    """Type a card into the fields of the stand-in for Stripe.js."""
    card = {"number": number, "exp_month": "12", "exp_year": "35", "cvc": "123", "postal_code": "10115"}
    for field, value in card.items():
        await page.locator(f"#card-fields input[placeholder={field}]").fill(value)
    await page.get_by_role("button", name="Save the card").click()


async def test_a_person_buys_credits_and_confirms_at_the_bank(page: Page, buyer: Buyer) -> None:
    await page.get_by_role("link", name="Top-ups").click()
    assert await axe(page) == []
    await keep_screenshot(page, "top-ups")
    await page.get_by_role("button", name="Buy").first.click()
    await page.get_by_role("link", name="Save a card").click()
    await page.get_by_role("button", name="Save a card").click()

    await enter_card(page, SECURE_CARD)
    await page.get_by_role("button", name="Complete authentication").click()
    await expect(page.get_by_role("status")).to_contain_text("Saved: visa ···· 3155")
    await page.get_by_role("link", name="Go on").click()
    await page.get_by_role("button", name="Pay $80.00 with visa ···· 3155").click()
    assert await axe(page) == []
    await keep_screenshot(page, "top-up-confirm")
    await page.get_by_role("link", name="Confirm at the bank").click()
    await page.get_by_role("button", name="Complete authentication").click()

    await expect(page.get_by_role("status")).to_contain_text("Paid. The credits can be used.")
    assert await buyer.remaining() == 1_400
    await page.get_by_role("link", name=re.compile(r"Invoice \d+")).click()
    await expect(page.locator("[data-due]")).to_have_text("$0.00")
    assert await axe(page) == []
    await keep_screenshot(page, "invoice")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download as PDF").click()
    assert (await downloading.value).suggested_filename.endswith(".pdf")


async def test_a_person_whom_the_bank_refuses_reads_what_to_do(page: Page, buyer: Buyer) -> None:
    await page.goto(f"{buyer.counter.portal.url}/card")
    await page.get_by_role("button", name="Save a card").click()
    await enter_card(page, SECURE_CARD)
    await page.get_by_role("button", name="Fail authentication").click()

    await expect(page.get_by_role("alert")).to_contain_text("authentication failed")
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("The card was not saved.")
    await expect(page.get_by_role("link", name="Try again")).to_be_visible()


@pytest.mark.parametrize("visit", [PHONE_IN_THE_DARK], indirect=True)
async def test_the_pages_of_money_fit_a_phone_in_the_dark(page: Page, buyer: Buyer) -> None:
    [invoice] = buyer.signed.invoices
    paths = {
        "top-ups": "/top-ups",
        "auto-top-up": "/auto-top-up",
        "card": "/card",
        "invoices": "/invoices",
        "invoice": f"/invoices/{invoice.invoice_id}",
        "invoice-payment": f"/invoices/{invoice.invoice_id}/payment",
    }

    for name, path in paths.items():
        await page.goto(buyer.counter.portal.url + path)
        assert await axe(page) == [], name
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        await keep_screenshot(page, f"phone-{name}")
