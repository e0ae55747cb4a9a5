# SPDX-License-Identifier: Apache-2.0
"""Signing in by a link with a token, or by pasting the token; signing out."""

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.portal.rendering import gettext_of, page, portal_of
from services.portal.security import form_of
from services.portal.session import PROBLEMS, NotSignedIn


async def enter(request: Request) -> Response:
    """Take the token of a link, or show the form. The token never stays in the browser's address."""
    token = request.query_params.get("token")
    if token is not None:
        return await _sign_in(request, token)
    problem = PROBLEMS.get(request.query_params.get("problem", ""))
    return page(
        request,
        "public/enter.html",
        status=401 if problem else 200,
        problem=gettext_of(request)(problem) if problem else "",
    )


async def paste(request: Request) -> Response:
    """Take the token that was pasted into the form, or the whole link."""
    pasted = str((await form_of(request)).get("token") or "").strip()
    in_link = parse_qs(urlsplit(pasted).query).get("token") if "://" in pasted[:10] else None
    return await _sign_in(request, in_link[0] if in_link else pasted)


async def leave(request: Request) -> Response:
    """Sign out."""
    response = RedirectResponse("/enter", status_code=303)
    portal_of(request).sessions.sign_out(response)
    return response


async def _sign_in(request: Request, token: str) -> Response:
    sessions = portal_of(request).sessions
    try:
        viewer = await sessions.examine(token)
    except NotSignedIn as refused:
        return RedirectResponse(f"/enter?problem={refused.problem}", status_code=303)
    response = RedirectResponse("/" if viewer.is_customer else "/operator", status_code=303)
    sessions.sign_in(viewer, response)
    return response


ROUTES: Sequence[Route] = (
    Route("/enter", enter),
    Route("/enter", paste, methods=["POST"]),
    Route("/leave", leave, methods=["POST"]),
)
