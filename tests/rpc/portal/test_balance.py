# SPDX-License-Identifier: Apache-2.0
"""The balance on a page: what is left, from where, and how it falls while an AI feature spends."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.mesh import until
from tests.support.portal import Browser, PortalMesh

pytestmark = pytest.mark.asyncio(loop_scope="module")


def available(html: str) -> str:
    found = re.search(r'data-figure="available">([^<]*)<', html)
    assert found is not None, html
    return found[1]


@asynccontextmanager
async def events(browser: Browser) -> AsyncIterator[AsyncIterator[str]]:
    """Yield the texts of the events of the balance."""
    async with browser.stream("GET", "/balance/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")

        async def read() -> AsyncIterator[str]:
            data: list[str] = []
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    data.append(line.removeprefix("data: "))
                elif not line and data:
                    yield "\n".join(data)
                    data = []

        yield read()


async def test_included_and_purchased_credits_are_shown_apart(portal: PortalMesh, browser: Browser) -> None:
    await portal.acme.buy()

    shown = (await browser.get("/")).text

    assert available(shown) == "1,400"
    assert re.search(r"<h3>Included <span class=\"sum\">400 of 400</span></h3>", shown)
    assert re.search(r"<h3>Purchased <span class=\"sum\">1,000 of 1,000</span></h3>", shown)
    assert "1 Jul 2025" in shown


async def test_the_balance_moves_while_an_ai_feature_spends(portal: PortalMesh, browser: Browser) -> None:
    before = await portal.acme.available()

    async with events(browser) as told:
        first = await anext(told)
        await portal.acme.debit(24)
        second = await anext(told)

    assert int(available(first).replace(",", "")) * 1_000_000 == before
    assert int(available(second).replace(",", "")) * 1_000_000 == before - 24_000_000


async def test_who_connects_again_gets_the_present_balance(portal: PortalMesh, browser: Browser) -> None:
    async with events(browser) as first:
        await anext(first)
        async with events(browser) as second:
            assert (
                int(available(await anext(second)).replace(",", "")) * 1_000_000
                == await portal.acme.available()
            )


async def test_a_ledger_that_is_away_leaves_the_last_figures_and_says_so(
    portal: PortalMesh, browser: Browser
) -> None:
    async with events(browser) as told:
        before = available(await anext(told))
        await portal.mesh.stop("ledger")
        try:
            old = await anext(told)
        finally:
            await portal.mesh.start("ledger")
        new = await anext(told)

    assert (available(old), available(new)) == (before, before)
    assert "These are the last known figures." in old
    assert "These are the last known figures." not in new


async def test_one_question_serves_all_viewers_and_ends_with_the_last_one(portal: PortalMesh) -> None:
    async with portal.browser() as one, portal.browser() as other:
        async with events(one) as first, events(other) as second:
            await anext(first)
            await anext(second)
            assert portal.live.watched == 1

    async def watched() -> int:
        await asyncio.sleep(0)
        return portal.live.watched

    assert await until(watched, lambda count: count == 0) == 0


async def test_what_was_used_is_drawn_by_hour_and_by_day(portal: PortalMesh, browser: Browser) -> None:
    await portal.acme.debit(12)

    async def chart(span: str) -> str:
        return (await browser.get(f"/balance/chart?span={span}")).text

    day = await chart("day")
    month = await chart("month")

    assert day.count("<tr data-seconds=") == 24
    assert month.count("<tr data-seconds=") == 30
    assert max(float(value) for value in re.findall(r'data-value="([^"]*)"', day)) >= 12
