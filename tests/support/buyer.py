# SPDX-License-Identifier: Apache-2.0
"""An administrator who buys and pays at the portal of a vendor who takes cards."""

import itertools
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx

from deploy.local.ports import HOST, free_port
from deploy.local.seatsco import sign_acme
from deploy.local.stripe import CARD, StripeStandIn, running_stripe
from meshkit.quantity import MICROS
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1.ledger_pb2 import DebitRequest, GetBalanceRequest
from tests.support.portal import Browser, PortalMesh, open_portal_mesh
from tests.support.postgres import Databases

BANK = re.compile(r'href="([^"]*/3ds/[^"]*)"')
SECRET = re.compile(r'data-client-secret="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A portal whose vendor takes cards through a stand-in for Stripe."""

    portal: PortalMesh
    stripe: StripeStandIn
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @asynccontextmanager
    async def buyer(self, name: str = "Buyer") -> AsyncIterator["Buyer"]:
        """Yield the administrator of a new customer, who has four annual seats."""
        acme = self.portal.acme
        signed = await sign_acme(acme.stubs, acme.offer, name=name, alias=f"buyer-{next(self.numbers)}")
        customer_id = signed.contract.customer_id
        async with self.portal.browser("customer", customer=customer_id) as browser:
            yield Buyer(counter=self, browser=browser, customer_id=customer_id, signed=signed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Reads pages and fills in forms. page: paths such as "/top-ups/top_…"."""

    counter: Counter
    browser: Browser
    customer_id: str
    signed: contract.CreateContractResponse

    async def get(self, path: str) -> str:
        """Return a page that is there, as text."""
        answer = await self.browser.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def send(
        self, path: str, fields: Mapping[str, Any] | None = None, *, shown_at: str
    ) -> httpx.Response:
        """Send the form for `path` on a page."""
        return await self.browser.submit(path, fields or {}, shown_at=shown_at)

    async def order(self) -> str:
        """Order the pack; returns the path of the order."""
        ordered = await self.send("/top-ups", shown_at="/top-ups")
        assert ordered.status_code == 200, ordered.text
        return ordered.url.path

    async def pay(self, path: str, *, shown_at: str = "") -> str:
        """Pay with the saved card; returns the page that says what came of it."""
        paid = await self.send(f"{path}/pay", shown_at=shown_at or path)
        assert paid.status_code == 200, paid.text
        return paid.text

    async def save_card(self, number: str = CARD, *, decline_code: str = "") -> None:
        """Save a card through the pages; Stripe.js is played by the stand-in."""
        begun = await self.send("/card", shown_at="/card")
        found = SECRET.search(begun.text)
        assert found is not None, begun.text
        stripe = self.counter.stripe
        card = await stripe.card(number, decline_code=decline_code)
        secret = unescape(found[1])
        await stripe.save_in_browser(secret, card)
        if (await stripe.setup(secret))["status"] == "requires_action":
            await stripe.save_in_browser(secret, "")
        assert "Saved: " in await self.get(str(begun.url.path))

    async def confirm(self, page: str, outcome: str) -> httpx.Response:
        """Follow the link to the bank on a page, and answer there; returns the page that the bank sends back to."""
        found = BANK.search(page)
        assert found is not None, page
        url = unescape(found[1])
        assert "3-D Secure" in (await self.browser.get(url)).text
        return await self.browser.post(url, data={"outcome": outcome})

    async def remaining(self) -> int:
        """Return the whole credits that are left."""
        asked = GetBalanceRequest(customer=self.customer_id)
        pools = (await self.counter.portal.acme.stubs.gate.GetBalance(asked)).pools
        return sum(one.remaining_micros for one in pools) // MICROS

    async def spend(self, credits: int) -> None:
        """Use credits, as an AI feature does."""
        acme = self.counter.portal.acme
        await acme.stubs.gate.Debit(
            DebitRequest(
                request_id=acme.request_id(),
                customer=self.customer_id,
                product_id=next(iter(acme.offer.usage.values())),
                credits_micros=credits * MICROS,
                group_values={"user_id": "ann"},
            )
        )


@asynccontextmanager
async def open_counter(databases: Databases, folder: Path) -> AsyncIterator[Counter]:
    """Yield a mesh whose vendor takes cards, with its portal."""
    async with running_stripe() as stripe:
        payments = stripe.settings(f"{HOST}:{free_port()}")
        opened = open_portal_mesh(databases, folder, payments=payments, stripe_js=stripe.js_address)
        async with opened as portal:
            yield Counter(portal=portal, stripe=stripe)
