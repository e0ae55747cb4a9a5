# SPDX-License-Identifier: Apache-2.0
"""An afternoon of Acme's administrator: a seat more, a cap, credits, a balance that falls, and an invoice on paper.

Each step starts from the navigation, as a person does. The pictures are kept in tests/browser/results/story-….png.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from deploy.local.ports import HOST, free_port
from deploy.local.stripe import CARD, running_stripe
from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.browser.conftest import PEOPLE
from tests.support.browser import axe, keep_screenshot
from tests.support.portal import PortalMesh, open_portal_mesh
from tests.support.postgres import PostgresServer, own_database

STEP_MS = 20_000  # on a machine that does other work too
CREDITS_PER_UNIT = 12  # of AI Assistant


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PortalMesh]:
    """Acme's mesh with the portal, where cards are taken by the stand-in for Stripe."""
    async with own_database(postgres_server) as databases, running_stripe() as stripe:
        opened = open_portal_mesh(
            databases,
            tmp_path_factory.mktemp("identities"),
            people=PEOPLE,
            payments=stripe.settings(f"{HOST}:{free_port()}"),
            stripe_js=stripe.js_address,
        )
        async with opened as shop:
            yield shop


async def _ask(shop: PortalMesh, person: str, units: int) -> str:
    """Spend as an AI feature for a person; returns ALLOWED, or why not."""
    acme = shop.acme
    answer = await acme.stubs.gate.Debit(
        ledger.DebitRequest(
            request_id=acme.request_id(),
            customer="acme",
            product_id=acme.offer.usage["AI Assistant"],
            quantity_micros=units * MICROS,
            group_values={"user_id": person},
        )
    )
    if answer.decision == ledger.DECISION_ALLOWED:
        return "ALLOWED"
    return ledger.DenialReason.Name(answer.denial_reason).removeprefix("DENIAL_REASON_")


async def _open(page: Page, name: str) -> None:
    """Follow the navigation, and check that the page is accessible to everybody."""
    await page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert await axe(page) == [], name


async def test_an_administrator_spends_an_afternoon_on_the_pages(
    browser_page: Page, shop: PortalMesh, tmp_path: Path
) -> None:
    page = browser_page
    page.set_default_timeout(STEP_MS)
    expect.set_options(timeout=STEP_MS)
    await page.goto(shop.link())
    await expect(page.locator("#balance")).to_contain_text("400")

    await _adds_a_seat(page, shop)
    await _caps_a_person(page, shop)
    await _buys_credits(page)
    await _watches_the_balance_fall(page, shop)
    await _prints_the_invoice(page, tmp_path)
    await shop.acme.assert_adds_up()


async def _adds_a_seat(page: Page, shop: PortalMesh) -> None:
    assert await _ask(shop, "eve", 1) == "ALLOWED"  # pooled credits are for everybody at Acme
    await _open(page, "Seats")
    await page.locator("summary").filter(has_text="Add or remove seats").click()
    await page.get_by_label("Who gets the new seats").fill("eve")
    await page.get_by_role("button", name="Show price and credits").click()
    preview = page.locator("#preview, [aria-live=polite]").filter(has_text="To pay now").first
    await expect(preview).to_contain_text("$100.00")
    await expect(preview).to_contain_text("+ 100")
    await keep_screenshot(page, "story-1-preview-of-a-seat")
    before = await shop.acme.available()

    await page.get_by_role("button", name="Confirm").click()

    await expect(page.get_by_role("status")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="eve").first).to_be_visible()
    await keep_screenshot(page, "story-2-five-seats")
    assert await shop.acme.available() == before + 100 * MICROS


async def _caps_a_person(page: Page, shop: PortalMesh) -> None:
    await _open(page, "Caps")
    await page.get_by_label("Person", exact=True).fill("bob")
    await page.get_by_label("Limit", exact=True).fill("110")
    await page.get_by_role("button", name="Set the cap").click()
    await expect(page.get_by_role("row").filter(has_text="bob").first).to_be_visible()

    assert await _ask(shop, "bob", 9) == "ALLOWED"
    assert await _ask(shop, "bob", 1) == "SPEND_CAP_REACHED"
    assert await _ask(shop, "ann", 1) == "ALLOWED"

    await page.reload()
    await expect(page.get_by_role("row").filter(has_text="bob").first).to_contain_text("108")
    await keep_screenshot(page, "story-3-caps")


async def _buys_credits(page: Page) -> None:
    await _open(page, "Top-ups")
    await page.get_by_role("button", name=re.compile("Buy")).first.click()
    await page.get_by_role("link", name="Save a card").click()
    await page.get_by_role("button", name="Save a card").click()
    card = {"number": CARD, "exp_month": "12", "exp_year": "35", "cvc": "123", "postal_code": "10115"}
    for field, value in card.items():
        await page.locator(f"#card-fields input[placeholder={field}]").fill(value)
    await page.get_by_role("button", name="Save the card").click()
    await page.get_by_role("link", name="Go on").click()
    await page.get_by_role("button", name=re.compile(r"Pay \$80.00 with")).click()
    await expect(page.get_by_role("status")).to_contain_text("Paid. The credits can be used.")
    await keep_screenshot(page, "story-4-receipt")


async def _watches_the_balance_fall(page: Page, shop: PortalMesh) -> None:
    await _open(page, "Balance")
    first = page.locator("#balance .figure.first")
    left = await shop.acme.available()
    await expect(first).to_contain_text(_shown(left))

    for units in (2, 1):
        assert await _ask(shop, "ann", units) == "ALLOWED"
        left -= CREDITS_PER_UNIT * units * MICROS
        # The page stays open: the figure moves by itself.
        await expect(first).to_contain_text(_shown(left))
    await keep_screenshot(page, "story-5-balance")


async def _prints_the_invoice(page: Page, folder: Path) -> None:
    await _open(page, "Invoices")
    await page.get_by_role("link", name=re.compile(r"\d{6}")).first.click()
    await expect(page.locator("[data-due]")).to_have_text("$0.00")
    assert await axe(page) == []
    await keep_screenshot(page, "story-6-invoice")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download as PDF").click()
    await (await downloading.value).save_as(folder / "invoice.pdf")
    assert (folder / "invoice.pdf").read_bytes().startswith(b"%PDF-")


def _shown(micros: int) -> str:
    """Return an amount as the page writes it in English."""
    assert micros % MICROS == 0
    return f"{micros // MICROS:,}"
