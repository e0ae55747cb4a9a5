# SPDX-License-Identifier: Apache-2.0
"""A browser per worker, and a visit with its own cookies per test; all tests here share one event loop."""

import re
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.support.browser import (
    NoBrowser,
    Visit,
    find_browser,
    keep_artefacts,
    open_browser,
    open_visit,
    trace,
)
from tests.support.portal import PortalMesh, open_portal_mesh
from tests.support.postgres import PostgresServer, own_database

PEOPLE = ("ann", "bob", "cleo", "dan")
FOLDER = Path(__file__).parent
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if FOLDER in item.path.parents]
    for item in ours:
        # A browser belongs to the loop in which it was started, so its tests run in that one.
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    try:
        if ours:
            find_browser()
    except NoBrowser as missing:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=str(missing)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser that `make browser` found. Without one all tests of this folder are skipped."""
    async with open_browser(find_browser()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    """A person with a browser. Script errors, console errors and requests to other machines fail the test.

    Options of Playwright's new_context: `@pytest.mark.parametrize("visit", [{"color_scheme": "dark"}], indirect=True)`.
    If the test fails, screenshots and a trace are kept in tests/browser/results.
    """
    async with open_visit(browser, **getattr(request, "param", {})) as one:
        await trace(one)
        yield one
        if request.node.stash.get(FAILED, True) or one.faults:
            name = re.sub(r"\W+", "-", request.node.name).strip("-")
            kept = await keep_artefacts(one, name)
            request.node.add_report_section("teardown", "kept", "\n".join(map(str, kept)))
        assert one.faults == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def portal_mesh(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PortalMesh]:
    """A mesh in this process with the portal, for a module. The four seats of Acme belong to PEOPLE."""
    async with own_database(postgres_server) as databases:
        folder = tmp_path_factory.mktemp("identities")
        async with open_portal_mesh(databases, folder, people=PEOPLE) as opened:
            yield opened


@pytest.fixture
def link(portal_mesh: PortalMesh) -> Callable[..., str]:
    """Makes a link to the portal with a token: `link()` of Acme's administrator, `link("operator")` of an operator."""
    return portal_mesh.link


@pytest_asyncio.fixture(loop_scope="session")
async def browser_page(visit: Visit) -> Page:
    """A page of `visit`."""
    return await visit.open_page()
