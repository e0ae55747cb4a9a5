# SPDX-License-Identifier: Apache-2.0
"""The pages about the plan and about alerts, as people see them: wide and narrow, light and dark, by keyboard."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from meshkit.quantity import MICROS
from purser.contract.v1 import contract_pb2 as contract
from tests.support.browser import axe, keep_screenshot
from tests.support.mail_receiver import MailReceiver, running_mail_receiver
from tests.support.portal import PortalMesh, open_portal_mesh
from tests.support.postgres import PostgresServer, own_database

PHONE = {"width": 390, "height": 844}


@dataclass(frozen=True, slots=True)
class Mailing:
    """A portal before a mesh whose Alert has a mail server."""

    portal: PortalMesh
    mails: MailReceiver


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mailing(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mailing]:
    async with running_mail_receiver() as mails, own_database(postgres_server) as databases:
        settings = {name.upper(): str(value) for name, value in mails.settings.items()}
        folder = tmp_path_factory.mktemp("identities")
        async with open_portal_mesh(databases, folder, mails=settings) as portal:
            yield Mailing(portal, mails)


async def look_at(page: Page, name: str) -> None:
    """Check a page for barriers, wide and light, narrow and dark, and keep a picture of both."""
    assert await axe(page) == []
    await keep_screenshot(page, name)
    wide = page.viewport_size
    assert wide is not None
    await page.set_viewport_size(PHONE)
    await page.emulate_media(color_scheme="dark")
    assert await axe(page) == []
    scrolls = await page.evaluate("() => document.documentElement.scrollWidth > window.innerWidth")
    assert scrolls is False, "the page is wider than a phone"
    await keep_screenshot(page, f"{name}-phone")
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(wide)


async def offer_more(portal: PortalMesh) -> None:
    """Offer Acme its own plan, and one with twice the credits."""
    acme = portal.acme
    seats = contract.SubscriptionTerms(
        product_id=acme.offer.team_plan,
        billing_frequency=contract.BILLING_FREQUENCY_ANNUAL,
        proration=contract.SeatProration(is_prorated=True),
    )
    for name, credits in (("Team", 100), ("Team Plus", 200)):
        schedule = contract.GrantScheduleTerms(
            product_id=acme.offer.included,
            credit_type_id=acme.offer.ai_credits,
            unit_amount_micros=credits * MICROS,
            subscription_index=0,
            frequency=contract.GRANT_FREQUENCY_MONTHLY,
            prorates_increases=True,
        )
        request = contract.CreatePlanOfferRequest(
            request_id=acme.request_id(),
            name=name,
            description=f"{credits} AI credits a month for everybody",
            rate_card_id=acme.contract.rate_card_id,
            subscriptions=[seats],
            grant_schedules=[schedule],
            accept_unprorated=True,
        )
        await acme.stubs.contract.CreatePlanOffer(request)


async def test_the_plan_is_changed_after_a_preview(browser_page: Page, mailing: Mailing) -> None:
    page = browser_page
    await offer_more(mailing.portal)
    await page.goto(mailing.portal.link())
    await page.get_by_role("link", name="Plan", exact=True).click()
    await expect(page.get_by_role("heading", name="Plans you can change to")).to_be_visible()
    await look_at(page, "plan")

    plus = page.get_by_role("article", name="Team Plus")
    await plus.get_by_label("Seats of").fill("5")
    await plus.get_by_role("button", name="Show the price").press("Enter")
    await expect(page.get_by_role("heading", name="Change to Team Plus")).to_be_visible()
    await expect(page.locator("[data-figure=granted]")).to_have_text("1,000")
    await look_at(page, "plan-preview")
    await page.get_by_role("button", name="Change the plan now").click()

    await expect(page.get_by_role("status")).to_contain_text("The plan was changed.")
    await expect(page.get_by_role("heading", name="Team Plus").first).to_be_visible()


async def test_an_alert_is_mailed_to_an_address_that_was_confirmed(
    browser_page: Page, mailing: Mailing
) -> None:
    page = browser_page
    await page.goto(mailing.portal.link())
    await page.get_by_role("link", name="Alerts", exact=True).click()
    await page.get_by_label("E-mail address").fill("ann@acme.example")
    await page.get_by_role("button", name="Add the address").click()
    await expect(page.get_by_role("status")).to_contain_text("A code was mailed")
    code = re.search("[0-9]{8}", str((await mailing.mails.next_mail()).message["Subject"]))
    assert code is not None
    await look_at(page, "alerts-code")
    await page.get_by_label("Code from the mail").fill(code[0])
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_text("Confirmed", exact=True)).to_be_visible()

    await page.get_by_label("Credits left, or less").fill("100,000")
    await page.get_by_role("button", name="Set the alert").first.click()

    await expect(page.get_by_role("status")).to_contain_text("The alert is set.")
    assert (await mailing.mails.next_mail()).message["Subject"] == "In alarm: Credits run low"
    await page.reload()
    await expect(page.get_by_text("Alarm", exact=True)).to_be_visible()
    await look_at(page, "alerts")
