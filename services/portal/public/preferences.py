# SPDX-License-Identifier: Apache-2.0
"""The language and the time zone of a browser: chosen on a page, kept in cookies."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.portal.i18n import LANGUAGE_COOKIE, LANGUAGES, ZONE_COOKIE, zones
from services.portal.rendering import page, portal_of
from services.portal.security import form_of
from services.portal.session import NotSignedIn, set_cookie

KEPT_SECONDS: Final = 365 * 24 * 3600


async def show(request: Request) -> Response:
    """Show what is chosen."""
    with suppress(NotSignedIn):
        request.state.viewer = await portal_of(request).sessions.viewer(request)
    named = sorted(zone for zone in zones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
    return page(
        request,
        "public/preferences.html",
        zones=["UTC", *named],
        chosen_zone=request.cookies.get(ZONE_COOKIE, "").replace("%2F", "/"),
        is_saved="saved" in request.query_params,
    )


async def choose(request: Request) -> Response:
    """Keep the choice. Unknown languages and zones, and the empty one, remove it."""
    fields = await form_of(request)
    language, zone = str(fields.get("language") or ""), str(fields.get("zone") or "")
    response = RedirectResponse("/preferences?saved", status_code=303)
    _keep(request, response, LANGUAGE_COOKIE, language if language in LANGUAGES else "")
    _keep(request, response, ZONE_COOKIE, zone if zone in zones() else "")
    return response


def _keep(request: Request, response: Response, name: str, value: str) -> None:
    is_secure = portal_of(request).settings.is_secure
    max_age = KEPT_SECONDS if value else 0
    set_cookie(response, name, value, max_age=max_age, is_secure=is_secure, is_for_scripts=False)


ROUTES: Sequence[Route] = (
    Route("/preferences", show),
    Route("/preferences", choose, methods=["POST"]),
)
