# SPDX-License-Identifier: Apache-2.0
"""The portal within a page of the vendor, on another site: its cookies and forms work there, and nowhere else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from deploy.local.ports import free_port
from meshkit.clock import SystemClock
from meshkit.http_server import HttpServer
from services.portal.app import open_portal
from tests.support.browser import Visit
from tests.support.portal import PortalMesh, portal_settings


@asynccontextmanager
async def vendors_page(embedded: str) -> AsyncIterator[int]:
    """Serve a page with a frame, on every host name of this machine; yields its port."""

    async def show(request: Request) -> HTMLResponse:
        return HTMLResponse(
            f'<title>Vendor</title><iframe width="900" height="700" src="{embedded}"></iframe>'
        )

    server = HttpServer("the vendor's page", Starlette(routes=[Route("/", show)]), "127.0.0.1:0")
    await server.start()
    try:
        yield server.port
    finally:
        await server.stop()


async def test_the_vendors_page_embeds_the_portal_and_another_page_cannot(
    portal_mesh: PortalMesh, visit: Visit, tmp_path: Path
) -> None:
    page = await visit.open_page()
    theme = tmp_path / "theme.css"
    theme.write_text(":root { --purser-accent: rgb(10, 125, 79); }")
    portal_port = free_port()
    embedded = f"http://127.0.0.1:{portal_port}/enter?token={portal_mesh.token()}"
    async with vendors_page(embedded) as port:
        # For a browser, "localhost" and "127.0.0.1" are two sites.
        settings = portal_settings(
            portal_mesh.mesh, frame_ancestors=f"http://localhost:{port}", theme_file=str(theme)
        ).model_copy(update={"listen": f"127.0.0.1:{portal_port}"})
        async with open_portal(settings, wall=SystemClock()):
            await page.goto(f"http://localhost:{port}/")
            frame = page.frame_locator("iframe")
            await frame.get_by_role("link", name="Caps").click()
            await expect(frame.locator("[aria-current=page]")).to_have_css("color", "rgb(10, 125, 79)")
            await frame.get_by_role("radio", name="Everyone together").check()
            await frame.get_by_label("Limit", exact=True).fill("250")
            await frame.get_by_role("button", name="Set the cap").click()
            await expect(frame.get_by_role("status")).to_have_text("The cap is set.")

            async with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
                await page.goto(f"http://127.0.0.1:{port}/")
            await expect(frame.locator("main")).to_have_count(0)
    assert ["frame-ancestors" in fault for fault in visit.faults] == [True]
    visit.faults.clear()
