# SPDX-License-Identifier: Apache-2.0
"""`make picture`: draws the customer's page of `make up`, on a running mesh, for README.md."""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, expect

from deploy.local.database import SOURCE_ROOT
from deploy.local.fault import Fault
from deploy.local.identity import LocalIdentity
from deploy.local.ports import HOST
from deploy.local.seed import links, seed
from meshkit.clock import SystemClock
from services.portal.app import open_portal
from tests.support.browser import NoBrowser, find_browser, open_browser, open_visit
from tests.support.mesh import SwitchedMesh, secured
from tests.support.portal import portal_settings
from tests.support.postgres import PostgresServer, open_server, own_database

PICTURE = SOURCE_ROOT / "tests" / "browser" / "balance.png"
WIDTH, HEIGHT = 1120, 900
BYTES_MAX = 200_000


async def _draw(page: Page, link: str) -> None:
    await page.goto(link)
    await page.get_by_role("link", name="30 days").click()
    await expect(page.locator("canvas")).to_be_visible()
    await page.screenshot(path=PICTURE, animations="disabled")


async def _seeded_link(mesh: SwitchedMesh, identity: LocalIdentity, port: int) -> str:
    _, link, *_ = links(f"{HOST}:{port}", identity, await seed(mesh.addresses, identity))
    return link.strip()


async def _main(program: str, folder: Path, server: PostgresServer) -> None:
    access = secured(folder)
    async with own_database(server) as databases, SwitchedMesh(databases, access=access) as mesh:
        await mesh.start()
        async with (
            open_portal(portal_settings(mesh), wall=SystemClock()) as front,
            open_browser(program) as browser,
            open_visit(browser, viewport={"width": WIDTH, "height": HEIGHT}) as visit,
        ):
            await _draw(await visit.open_page(), await _seeded_link(mesh, access.identity, front.port))
            assert visit.faults == []
    size = PICTURE.stat().st_size
    if size > BYTES_MAX:
        raise Fault(f"{PICTURE} has {size:,} bytes, and more than {BYTES_MAX:,} are too many for a README")


if __name__ == "__main__":
    try:
        program = find_browser()
        with tempfile.TemporaryDirectory() as folder, open_server() as server:
            asyncio.run(_main(program, Path(folder), server))
    except (NoBrowser, Fault) as fault:
        sys.exit(str(fault))
