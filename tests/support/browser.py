# SPDX-License-Identifier: Apache-2.0
"""A browser for tests: pages that report every fault of theirs, an accessibility check, screenshots and traces."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    WebError,
    async_playwright,
)

from deploy.local.database import SOURCE_ROOT

RESULTS = SOURCE_ROOT / "tests" / "browser" / "results"
FIND = SOURCE_ROOT / "deploy" / "local" / "find-browser.sh"
WIDE, PHONE = 1280, 360
HEIGHT = 800
LOCAL = ("127.0.0.1", "localhost")
# A refused request is a result that tests assert by itself; Chromium reports it on the console too.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of [45]\d\d")


class NoBrowser(Exception):
    """No browser runs here; the text says in one line how to get one."""


def find_browser() -> str:
    """Return the program that `make browser` finds. Raises NoBrowser."""
    found = subprocess.run(["sh", FIND, sys.executable], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise NoBrowser(found.stderr.strip())
    return found.stdout.strip()


@asynccontextmanager
async def open_browser(program: str) -> AsyncIterator[Browser]:
    """Run the browser until the block ends."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visit:
    """One person's browser, with its own cookies. faults: what went wrong on any of its pages, in order.

    A fault is a script error, an error on the console (also one of the content security policy) or a request to
    another machine.
    """

    context: BrowserContext
    faults: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note faults from now on."""
        self.context.on("weberror", self._note_error)
        self.context.on("console", self._note_message)
        self.context.on("request", self._note_request)

    async def open_page(self) -> Page:
        return await self.context.new_page()

    def _note_error(self, error: WebError) -> None:
        self.faults.append(f"script error: {error.error}")

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not REFUSED.match(message.text):
            self.faults.append(f"console: {message.text}")

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https") and address.hostname not in LOCAL:
            self.faults.append(f"request to {request.url}")


@asynccontextmanager
async def open_visit(browser: Browser, **options: Any) -> AsyncIterator[Visit]:
    """Yield a fresh visit. options: of Playwright's new_context, such as `color_scheme="dark"`."""
    settings: dict[str, Any] = {
        "viewport": {"width": WIDE, "height": HEIGHT},
        "locale": "en-GB",
        "timezone_id": "UTC",
        "accept_downloads": True,
    }
    context = await browser.new_context(**{**settings, **options})
    visit = Visit(context)
    visit.watch()
    try:
        yield visit
    finally:
        await context.close()


async def axe(page: Page) -> list[str]:
    """Return the violations that axe finds on the page as it is now, in one line each; none if it is accessible."""
    results: Mapping[str, Any] = (await Axe().run(page)).response
    return [
        f"{violation['id']} ({violation['impact']}): {', '.join(str(node['target'][0]) for node in violation['nodes'])}"
        for violation in results["violations"]
    ]


async def keep_screenshot(page: Page, name: str) -> Path:
    """Write the whole page to tests/browser/results/<name>.png and return its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.png"
    await page.screenshot(path=path, full_page=True, animations="disabled")
    return path


async def keep_artefacts(visit: Visit, name: str) -> list[Path]:
    """Write a screenshot of each open page, and the trace since `trace`; returns their paths."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = [
        await keep_screenshot(page, f"failed-{name}-{number}")
        for number, page in enumerate(visit.context.pages)
        if not page.is_closed()
    ]
    trace = RESULTS / f"failed-{name}.zip"
    await visit.context.tracing.stop(path=trace)
    return [*kept, trace]


async def trace(visit: Visit) -> None:
    """Record what happens from now on; `keep_artefacts` writes it."""
    await visit.context.tracing.start(screenshots=True, snapshots=True)
