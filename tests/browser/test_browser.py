# SPDX-License-Identifier: Apache-2.0
"""The browser tests would notice what they look for: each fault that a page may have, and its neighbour without."""

import pytest
from playwright.async_api import Browser, Page

from tests.support.browser import Visit, axe, keep_screenshot, open_visit

GOOD = '<!doctype html><html lang="en"><title>Acme</title><main><h1>Acme</h1><label>Seats <input></label></main></html>'


async def test_axe_finds_what_a_page_lacks_and_nothing_on_one_that_lacks_nothing(browser_page: Page) -> None:
    await browser_page.set_content(GOOD)
    assert await axe(browser_page) == []

    await browser_page.set_content(GOOD.replace("<label>Seats <input></label>", "Seats <input>"))
    assert await axe(browser_page) == ["label (critical): input"]


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("0", []),
        ("console.warn('late')", []),
        ("console.error('late')", ["console: late"]),
        ("setTimeout(() => { throw new Error('late') })", ["script error: late"]),
        ("fetch('http://elsewhere.example/').catch(() => 0)", ["request to http://elsewhere.example/"]),
    ],
)
async def test_a_fault_of_a_page_is_noticed(browser: Browser, script: str, fault: list[str]) -> None:
    async with open_visit(browser) as visit:
        page = await visit.open_page()
        await page.set_content(GOOD)

        await page.evaluate(f"() => {{ {script} }}")
        async with page.expect_console_message(lambda message: message.text == "the end"):
            await page.evaluate("() => setTimeout(() => console.error('the end'))")

        assert [one for one in visit.faults if "net::" not in one] == [*fault, "console: the end"]


@pytest.mark.parametrize("visit", [{"color_scheme": "dark"}, {"color_scheme": "light"}], indirect=True)
async def test_a_visit_has_the_options_of_its_test(visit: Visit, request: pytest.FixtureRequest) -> None:
    page = await visit.open_page()

    is_dark = await page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")

    assert is_dark is (request.node.callspec.params["visit"]["color_scheme"] == "dark")


async def test_a_screenshot_shows_the_whole_page(browser_page: Page) -> None:
    await browser_page.set_content(f"{GOOD}<div style='height: 3000px'></div>")

    path = await keep_screenshot(browser_page, "test-screenshot")

    try:
        picture = path.read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert int.from_bytes(picture[20:24], "big") > 3000
    finally:
        path.unlink()
