# SPDX-License-Identifier: Apache-2.0
"""A link opens the pages of its customer and nothing else; the browser keeps nothing that a page could leak."""

from collections.abc import Callable
from datetime import timedelta

from playwright.async_api import Page, Route, expect

from tests.support.browser import axe
from tests.support.portal import PortalMesh

Link = Callable[..., str]


async def test_a_link_leads_to_the_balance_and_leaves_no_token_in_the_address(
    browser_page: Page, link: Link
) -> None:
    await browser_page.goto(link())

    await expect(browser_page.get_by_text("400").first).to_be_visible()
    assert "token" not in browser_page.url
    assert await browser_page.evaluate("() => document.cookie.includes('purser=')") is False
    assert await axe(browser_page) == []


async def test_the_balance_falls_while_an_ai_feature_spends(
    browser_page: Page, link: Link, portal_mesh: PortalMesh
) -> None:
    await browser_page.goto(link())
    available = await portal_mesh.acme.available() // 1_000_000
    await expect(browser_page.get_by_text(str(available)).first).to_be_visible()

    await portal_mesh.acme.debit(37)

    await expect(browser_page.get_by_text(str(available - 37)).first).to_be_visible()


async def test_the_balance_falls_also_if_the_script_of_its_events_arrives_last(
    browser_page: Page, link: Link, portal_mesh: PortalMesh
) -> None:
    async def after_htmx(route: Route) -> None:
        await browser_page.wait_for_function("() => window.htmx")
        await browser_page.evaluate("() => new Promise((done) => setTimeout(done))")
        await route.continue_()

    await browser_page.route("**/htmx-sse-*", after_htmx)
    await browser_page.goto(link())
    available = await portal_mesh.acme.available() // 1_000_000
    await expect(browser_page.get_by_text(str(available)).first).to_be_visible()

    await portal_mesh.acme.debit(11)

    await expect(browser_page.get_by_text(str(available - 11)).first).to_be_visible()


async def test_links_that_are_not_valid_are_refused(browser_page: Page, link: Link) -> None:
    good = link()
    head, _, signature = good.rpartition(".")
    refused = {
        "expired": link(valid=timedelta(seconds=-60)),
        "tampered": f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "of nobody": link("gate"),
        "for another service": link(audience="elsewhere"),
    }

    for what, address in refused.items():
        await browser_page.goto(address)
        await expect(browser_page.get_by_role("alert"), what).to_be_visible()
        answer = await browser_page.goto(f"{good.partition('/enter')[0]}/")
        assert answer is not None
        assert "/enter" in answer.url, what
