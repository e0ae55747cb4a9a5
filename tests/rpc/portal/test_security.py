# SPDX-License-Identifier: Apache-2.0
"""Headers of every answer, and requests that other sites cause."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from meshkit.clock import SystemClock
from services.portal import customer, operator, public
from services.portal.app import open_portal
from services.portal.security import csrf_token
from tests.support.portal import Browser, PortalMesh, portal_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ROUTES = [
    (route.path.replace("{", "").replace("}", ""), sorted(route.methods or ()))
    for route in (
        *public.ROUTES,
        *(route for module in (*customer.PAGES, *operator.PAGES) for route in module.ROUTES),
    )
]
POSTS = sorted({path for path, methods in ROUTES if "POST" in methods})
GETS = sorted({path for path, methods in ROUTES if "GET" in methods and "events" not in path})


def looking_at(portal: PortalMesh, path: str) -> AbstractAsyncContextManager[Browser]:
    """A browser of somebody whose page it is."""
    return portal.browser("operator") if path.startswith("/operator") else portal.browser()


@pytest.mark.parametrize("path", [*GETS, "/nowhere", "/static/portal.css", "/static/nothing.css"])
async def test_every_answer_has_the_headers(portal: PortalMesh, path: str) -> None:
    async with looking_at(portal, path) as browser:
        shown = await browser.get(path, follow_redirects=False)

    assert shown.headers["content-security-policy"] == POLICY
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["referrer-policy"] == "same-origin"
    assert shown.headers["x-frame-options"] == "DENY"
    is_file = path == "/static/portal.css"
    assert shown.headers["cache-control"] == ("public, max-age=604800" if is_file else "no-store")


@pytest.mark.parametrize("path", GETS)
async def test_no_page_has_inline_scripts_or_styles_or_foreign_addresses(
    portal: PortalMesh, path: str
) -> None:
    async with looking_at(portal, path) as browser:
        shown = (await browser.get(path)).text

    assert "<style" not in shown
    assert " style=" not in shown
    assert "javascript:" not in shown
    assert "<script>" not in shown
    assert "//" not in shown.replace("http://www.w3.org", "").replace(portal.url, "")


async def post(browser: Browser, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
    return await browser.post(path, data=fields, headers=headers, follow_redirects=False)


def of_session(browser: Browser) -> str:
    return csrf_token(browser.cookies["purser"])


GUARDED = [path for path in POSTS if path not in ("/enter", "/leave", "/preferences")]


@pytest.mark.parametrize("path", GUARDED)
async def test_a_form_without_the_field_of_this_session_is_refused(portal: PortalMesh, path: str) -> None:
    async with portal.browser(valid=timedelta(hours=1)) as other:
        foreign = csrf_token(other.cookies["purser"])
    async with looking_at(portal, path) as browser:
        for fields in ({}, {"csrf": ""}, {"csrf": "x" * 43}, {"csrf": foreign}, {"csrf": "ü"}):
            refused = await post(browser, path, fields, origin=portal.url)

            assert refused.status_code == 403, fields
            assert "This form is out of date" in refused.text


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_form_sent_from_another_site_is_refused(
    browser: Browser, path: str, headers: dict[str, str]
) -> None:
    fields = {"csrf": of_session(browser), "token": "x"}

    assert (await post(browser, path, fields, **headers)).status_code == 403


@pytest.mark.parametrize("path", GUARDED)
async def test_a_form_without_a_session_is_refused(portal: PortalMesh, path: str) -> None:
    async with Browser(portal.url) as stranger:
        refused = await post(stranger, path, {"csrf": "x"}, origin=portal.url)

    assert (refused.status_code, refused.headers["location"]) == (303, "/enter")


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    portal: PortalMesh, browser: Browser
) -> None:
    refused = await post(browser, "/preferences", {"language": "x" * 100_001}, origin=portal.url)
    unsized = await browser.post("/preferences", content=_parts(), headers={"origin": portal.url})

    assert [refused.status_code, unsized.status_code] == [413, 411]


async def _parts() -> AsyncIterator[bytes]:
    yield b"language=de"


async def test_an_embedded_portal_names_who_may_embed_it(portal: PortalMesh) -> None:
    settings = portal_settings(portal.mesh, frame_ancestors="https://app.vendor.example 'self'")
    async with open_portal(settings, wall=SystemClock()) as front:
        async with Browser(f"http://127.0.0.1:{front.port}") as browser:
            entered = await browser.get(f"/enter?token={portal.token()}", follow_redirects=False)

    policy = entered.headers["content-security-policy"]
    assert policy.endswith("frame-ancestors https://app.vendor.example 'self'")
    assert "x-frame-options" not in entered.headers
    cookie = entered.headers["set-cookie"]
    assert cookie.startswith("__Host-purser=")
    assert {"SameSite=None", "Secure", "Partitioned", "HttpOnly", "Path=/"} <= set(cookie.split("; "))


async def test_a_theme_is_shown_on_every_page(portal: PortalMesh, tmp_path: Path) -> None:
    theme = tmp_path / "theme.css"
    theme.write_text(":root { --purser-accent: #0a7d4f; }\n")
    settings = portal_settings(portal.mesh, theme_file=str(theme))
    async with open_portal(settings, wall=SystemClock()) as front:
        async with Browser(f"http://127.0.0.1:{front.port}") as browser:
            shown = await browser.get("/enter")
            css = await browser.get("/theme.css")

    assert '<link rel="stylesheet" href="/theme.css">' in shown.text
    assert (css.text, css.headers["content-type"]) == (theme.read_text(), "text/css; charset=utf-8")
