# SPDX-License-Identifier: Apache-2.0
"""Operators' pages in a browser: without violations of accessibility, wide and narrow, light and dark, by keyboard."""

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from meshkit.quantity import MICROS
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from tests.support.browser import axe, keep_screenshot, open_visit
from tests.support.portal import PortalMesh

WIDE: ViewportSize = {"width": 1280, "height": 900}
NARROW: ViewportSize = {"width": 360, "height": 900}
IN_LIGHT_TOO = ("customer-summary", "customer-holds", "act-incomplete", "deliveries")
TABS = ("", "contracts", "grants", "holds", "entries", "top-ups", "invoices", "caps", "alerts", "audit")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def addresses(portal_mesh: PortalMesh) -> dict[str, str]:
    """The address of every page, with something to see on each, by a name for its picture."""
    acme = portal_mesh.acme
    customer = acme.contract.customer_id
    await acme.buy()
    held = await acme.authorize(2)
    await acme.debit(30)
    await acme.warn_at(500)
    pool = {"customer": customer, "credit_type_id": acme.offer.ai_credits}
    cap = {"group_key": "user_id", "group_value": "user_1234", "limit_micros": 900 * MICROS}
    await acme.stubs.ledger_admin.SetSpendCap(admin.SetSpendCapRequest(request_id="cap", **pool, **cap))
    invoices = await acme.stubs.contract.ListInvoices(contract.ListInvoicesRequest(customer=customer))
    of = f"/operator/customers/{customer}"
    entry = f"customer={customer}&credit_type={acme.offer.ai_credits}&sequence=1"
    adjust = f"/operator/do/adjust?customer={customer}&credit_type={acme.offer.ai_credits}"
    return {
        "customers": "/operator?search=acm",
        **{f"customer-{tab or 'summary'}": f"{of}/{tab}".rstrip("/") for tab in TABS},
        "contract": f"{of}/contracts/{acme.contract.contract_id}",
        "invoice": f"{of}/invoices/{invoices.invoices[0].invoice_id}",
        "explain-hold": f"/operator/explain?customer={customer}&hold={held.hold_id}",
        "explain-entry": f"/operator/explain?{entry}",
        "deliveries": "/operator/deliveries",
        "dead-letters": "/operator/dead-letters",
        "audit": "/operator/audit",
        "mesh": "/operator/mesh",
        "act": adjust,
        "act-incomplete": f"{adjust}&checked=yes",
        "confirm": f"{adjust}&amount=-5&reason=counted+twice&checked=yes",
    }


# 22 pages with two pictures each: half a minute on an idle machine, minutes beside others.
@pytest.mark.timeout(400)
async def test_every_page_is_accessible_and_fits_wide_and_narrow(
    browser: Browser, portal_mesh: PortalMesh, addresses: dict[str, str]
) -> None:
    found = {}
    async with open_visit(browser, viewport=WIDE) as visit:
        page = await visit.open_page()
        await page.goto(portal_mesh.link("operator"))
        for name, path in addresses.items():
            await page.set_viewport_size(WIDE)
            await page.emulate_media(color_scheme="light")
            await page.goto(portal_mesh.url + path)
            await keep_screenshot(page, f"operator-{name}-wide")
            problems = [f"wide: {await beyond(page)} px beyond"] if await beyond(page) > 0 else []
            # Colours are those of few classes, which these pages have together.
            problems += await axe(page) if name in IN_LIGHT_TOO else []
            await page.set_viewport_size(NARROW)
            await page.emulate_media(color_scheme="dark")
            await keep_screenshot(page, f"operator-{name}-narrow")
            problems += [f"narrow: {await beyond(page)} px beyond"] if await beyond(page) > 0 else []
            problems += await axe(page)
            if problems:
                found[name] = problems
        faults = [one for one in visit.faults if "400" not in one]

    assert found == {}
    assert faults == []
    assert len(addresses) == 22


async def beyond(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    pixels: int = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    return pixels


async def test_credits_are_granted_with_the_keyboard_alone(
    browser_page: Page, portal_mesh: PortalMesh
) -> None:
    acme = portal_mesh.acme
    before = await acme.available()
    await browser_page.goto(portal_mesh.link("operator"))
    # The search has the focus.
    await browser_page.keyboard.type("acme")
    await browser_page.keyboard.press("Enter")
    for name in ("Acme Inc.", "Grant credits"):
        await browser_page.get_by_role("link", name=name).first.focus()
        await browser_page.keyboard.press("Enter")
    await browser_page.get_by_label("Credits").focus()
    await browser_page.keyboard.type("12.5")
    await browser_page.keyboard.press("Enter")
    await expect(browser_page.get_by_text("12.5 promotional credits")).to_be_visible()
    unchanged = await acme.available()

    await browser_page.get_by_role("button", name="Grant").focus()
    await browser_page.keyboard.press("Enter")

    await expect(browser_page.get_by_text("Done.")).to_be_visible()
    assert unchanged == before
    assert await acme.available() == before + 12_500_000


async def test_the_page_of_the_mesh_notices_by_itself_that_a_service_is_away(
    browser_page: Page, portal_mesh: PortalMesh
) -> None:
    await browser_page.goto(portal_mesh.link("operator"))
    await browser_page.goto(f"{portal_mesh.url}/operator/mesh")
    row = browser_page.get_by_role("row").filter(has_text="Alert")
    await expect(row).to_contain_text("serving")

    await portal_mesh.mesh.stop("alert")
    try:
        await expect(row).to_contain_text("It is down", timeout=15_000)
    finally:
        await portal_mesh.mesh.start("alert")

    await expect(row).to_contain_text("serving", timeout=15_000)
