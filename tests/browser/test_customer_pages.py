# SPDX-License-Identifier: Apache-2.0
"""Every page in a customer's navigation is accessible and fits: wide and light, and on a phone in the dark.

axe sees neither pictures nor taste: look at tests/browser/results/customer-….png.
"""

import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize

from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_admin_pb2 as admin
from services.portal import customer
from tests.support.browser import axe, keep_screenshot, open_visit
from tests.support.portal import PortalMesh

LOOKS: dict[str, tuple[ViewportSize, str]] = {
    "wide": ({"width": 1280, "height": 800}, "light"),
    "phone": ({"width": 360, "height": 740}, "dark"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def paths(portal_mesh: PortalMesh) -> list[str]:
    """The paths of the pages, with something to see on each."""
    acme = portal_mesh.acme
    await acme.buy()
    await acme.debit(30)
    await acme.authorize(2)
    await acme.change_seats(1)
    await acme.warn_at(500)
    cap = {"group_key": "user_id", "group_value": "user_1234", "limit_micros": 900 * MICROS}
    pool = {"customer": "acme", "credit_type_id": acme.offer.ai_credits}
    await acme.stubs.ledger_admin.SetSpendCap(admin.SetSpendCapRequest(request_id="cap", **pool, **cap))
    return [*(module.ROUTES[0].path for module in customer.PAGES), "/preferences"]


async def test_every_page_is_accessible_and_fits(
    browser: Browser, portal_mesh: PortalMesh, paths: list[str]
) -> None:
    found = {}
    async with open_visit(browser) as visit:
        page = await visit.open_page()
        await page.goto(portal_mesh.link())
        for path in paths:
            for look in LOOKS:
                if problems := await _problems(page, portal_mesh.url + path, look):
                    found[f"{path} {look}"] = problems
        assert visit.faults == []

    assert found == {}
    assert len(paths) >= 10


async def _problems(page: Page, address: str, look: str) -> list[str]:
    viewport, scheme = LOOKS[look]
    await page.set_viewport_size(viewport)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    answer = await page.goto(address)
    assert answer is not None
    assert answer.ok, address
    # Closed parts are pages too.
    await page.evaluate("() => document.querySelectorAll('details').forEach(one => one.open = true)")
    await keep_screenshot(page, f"customer-{address.rpartition('/')[2] or 'balance'}-{look}")
    beyond = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    return [*await axe(page), *([f"{beyond} px beyond the window"] if beyond > 0 else [])]
