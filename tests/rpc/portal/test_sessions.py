# SPDX-License-Identifier: Apache-2.0
"""Who gets in: a link with a valid token of the right role, until it expires, and nobody else."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from meshkit.clock import ManualClock, SystemClock
from services.portal.app import open_portal
from tests.support.portal import Browser, PortalMesh, issue, portal_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = timedelta(hours=1)


@pytest_asyncio.fixture(loop_scope="module")
async def stranger(portal: PortalMesh) -> AsyncIterator[Browser]:
    """A browser without a session."""
    async with Browser(portal.url) as browser:
        yield browser


async def test_a_link_signs_in_and_leaves_no_token_in_the_address(
    portal: PortalMesh, stranger: Browser
) -> None:
    token = portal.token()

    entered = await stranger.enter(f"/enter?token={token}")

    assert (entered.status_code, entered.url.path, entered.url.query) == (200, "/", b"")
    assert token not in entered.text
    assert all(
        token not in value for shown in entered.history for value in (shown.text, shown.headers["location"])
    )
    [cookie] = [value for shown in entered.history for value in shown.headers.get_list("set-cookie")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


async def test_no_session_leads_to_the_form(stranger: Browser) -> None:
    shown = await stranger.get("/")

    assert (shown.url.path, shown.status_code) == ("/enter", 200)
    assert 'name="token"' in shown.text


async def test_a_pasted_token_or_link_signs_in(portal: PortalMesh, stranger: Browser) -> None:
    for pasted in (portal.token(), f"  {portal.link()}\n"):
        entered = await stranger.submit("/enter", {"token": pasted}, shown_at="/enter")

        assert (entered.status_code, entered.url.path) == (200, "/")
        stranger.cookies.clear()


async def test_signing_out_forgets_the_session(portal: PortalMesh, browser: Browser) -> None:
    left = await browser.post("/leave", headers={"origin": portal.url})

    assert left.url.path == "/enter"
    assert (await browser.get("/")).url.path == "/enter"


def tampered(token: str) -> str:
    """The token with another customer, under the old signature."""
    header, _, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False}) | {"customer": "cus_other"}
    body = jwt.encode(claims, "x" * 32, algorithm="HS256").split(".")[1]
    return f"{header}.{body}.{signature}"


def signed_by_a_stranger(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    return jwt.encode(
        claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": kid}
    )


def unsigned(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(
        claims, None, algorithm="none", headers={"kid": jwt.get_unverified_header(token)["kid"]}
    )


@pytest.mark.parametrize(
    "how", [tampered, signed_by_a_stranger, unsigned, lambda token: token[:-8], lambda _: ""]
)
async def test_a_tampered_token_is_refused(portal: PortalMesh, stranger: Browser, how: object) -> None:
    assert callable(how)

    entered = await stranger.enter(f"/enter?token={how(portal.token())}")

    assert (entered.status_code, entered.url.path) == (401, "/enter")
    assert "This link is not valid" in entered.text
    assert not stranger.cookies


async def test_an_expired_token_is_refused_and_says_so(portal: PortalMesh, stranger: Browser) -> None:
    entered = await stranger.enter(portal.link(valid=timedelta(seconds=-1)))

    assert entered.status_code == 401
    assert "This link has expired. Ask for a new one." in entered.text


async def test_a_token_for_another_audience_is_refused(portal: PortalMesh, stranger: Browser) -> None:
    customer = portal.acme.contract.customer_id
    token = issue(portal.identity, roles=("customer",), customer=customer, valid=HOUR, audience="elsewhere")

    assert (await stranger.enter(f"/enter?token={token}")).status_code == 401


async def test_a_token_of_another_role_is_refused(portal: PortalMesh, stranger: Browser) -> None:
    entered = await stranger.enter(portal.link("gate"))

    assert entered.status_code == 401
    assert "This link is not for these pages" in entered.text


async def test_a_token_too_long_for_a_cookie_is_refused(portal: PortalMesh, stranger: Browser) -> None:
    entered = await stranger.enter(f"/enter?token={portal.token(locale='x' * 4000)}")

    assert "too long for a browser" in entered.text


async def test_a_customer_and_an_operator_see_their_own_pages_only(
    portal: PortalMesh, browser: Browser
) -> None:
    assert (await browser.get("/")).status_code == 200
    assert (await browser.get("/operator")).status_code in (403, 404)
    async with portal.browser("viewer") as vendor:
        assert (await vendor.get("/")).url.path == "/operator"
        assert (await vendor.get("/balance/chart")).status_code == 403


async def test_a_page_that_is_unknown_keeps_the_navigation(browser: Browser) -> None:
    unknown = await browser.get("/nowhere")
    preferences = await browser.get("/preferences")

    assert (unknown.status_code, preferences.status_code) == (404, 200)
    for shown in (unknown, preferences):
        assert '<a href="/caps">' in shown.text
        assert "aria-current" not in shown.text


async def test_an_unknown_customer_sees_nothing(portal: PortalMesh, stranger: Browser) -> None:
    entered = await stranger.enter(portal.link(customer="cus_unknown"))

    assert entered.status_code == 404
    assert "Acme" not in entered.text


async def test_a_session_ends_when_its_token_does(portal: PortalMesh) -> None:
    """Also the stream of the balance."""
    wall = ManualClock(SystemClock().now())
    token = portal.token(valid=HOUR)
    settings = portal_settings(portal.mesh)
    async with (
        open_portal(settings, wall=wall) as front,
        Browser(f"http://127.0.0.1:{front.port}") as browser,
    ):
        entered = await browser.enter(f"/enter?token={token}")
        [cookie] = [value for shown in entered.history for value in shown.headers.get_list("set-cookie")]
        assert "Max-Age=3599" in cookie or "Max-Age=3600" in cookie

        async with browser.stream("GET", "/balance/events") as stream:
            lines = stream.aiter_lines()
            while not (await anext(lines)).startswith("data: "):
                pass
            expire_time = datetime.fromtimestamp(
                jwt.decode(token, options={"verify_signature": False})["exp"], tz=wall.now().tzinfo
            )
            wall.advance_to(expire_time)
            await portal.acme.debit(1)
            rest = [line async for line in lines]
        assert rest[0].startswith("event: session-ended") or "event: session-ended" in rest

        browser.cookies.set("purser", token)
        assert (await browser.get("/")).url.query == b"problem=expired"


@pytest.mark.parametrize(
    ("claims", "headers", "language"),
    [
        ({}, {}, "en"),
        ({}, {"accept-language": "de-AT,en;q=0.5"}, "de"),
        ({}, {"accept-language": "fr, en;q=0.1"}, "en"),
        ({"locale": "de"}, {"accept-language": "en"}, "de"),
        ({"locale": "xx"}, {}, "en"),
    ],
)
async def test_the_language_is_that_of_the_token_or_of_the_browser(
    portal: PortalMesh, claims: dict[str, str], headers: dict[str, str], language: str
) -> None:
    async with portal.browser(**claims) as browser:
        shown = await browser.get("/", headers=headers)

    assert f'<html lang="{language}"' in shown.text
    assert ("Guthaben" in shown.text) is (language == "de")


async def test_a_choice_on_the_page_weighs_more_than_the_token(portal: PortalMesh) -> None:
    async with portal.browser(locale="de", zone="Europe/Berlin") as browser:
        assert 'data-zone="Europe/Berlin"' in (await browser.get("/")).text

        await browser.submit(
            "/preferences", {"language": "en", "zone": "Asia/Kolkata"}, shown_at="/preferences"
        )
        chosen = (await browser.get("/")).text
        await browser.submit("/preferences", {"language": "xx", "zone": "Nowhere/x"}, shown_at="/preferences")
        removed = (await browser.get("/")).text

    assert '<html lang="en" data-zone="Asia/Kolkata"' in chosen
    assert '<html lang="de" data-zone="Europe/Berlin"' in removed


async def test_an_unknown_zone_of_a_browser_is_utc(portal: PortalMesh) -> None:
    async with portal.browser() as browser:
        browser.cookies.set("purser_browser_zone", "../../etc/passwd")
        assert 'data-zone="UTC"' in (await browser.get("/")).text
        browser.cookies.delete("purser_browser_zone")
        browser.cookies.set("purser_browser_zone", "Europe/Paris")
        assert 'data-zone="Europe/Paris"' in (await browser.get("/")).text
