# SPDX-License-Identifier: Apache-2.0
"""Headers of every response, and protection against requests that other sites cause (CSRF)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.datastructures import FormData, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.portal.config import PortalSettings

SAFE_METHODS: Final = frozenset(("GET", "HEAD"))
CSRF_FIELD: Final = "csrf"
FIELDS_MAX: Final = 200
FORM_BYTES_MAX: Final = 100_000
STATIC_SECONDS_MAX: Final = 7 * 24 * 3600


class Forbidden(Exception):
    """The request did not come from a page of ours, or the page is of another session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Where a page may load scripts and frames from, and whom its scripts may call, apart from the portal itself."""

    script: str
    frame: str
    connect: str


NOBODY: Final = Origins(script="", frame="", connect="")
STRIPE: Final = "https://js.stripe.com"
# https://docs.stripe.com/security/guide#content-security-policy
_OF_STRIPE: Final = Origins(
    script=f"{STRIPE} https://*.js.stripe.com",
    frame=f"{STRIPE} https://*.js.stripe.com https://hooks.stripe.com",
    connect="https://api.stripe.com",
)


def stripe_origins(stripe_js: str) -> Origins:
    """Return what Stripe.js needs. stripe_js: where it is loaded from; a stand-in has everything at one origin."""
    parts = urlsplit(stripe_js)
    origin = f"{parts.scheme}://{parts.netloc}"
    return _OF_STRIPE if origin == STRIPE else Origins(script=origin, frame=origin, connect=origin)


def allow_stripe(request: Request) -> None:
    """Let the page that answers this request load Stripe.js."""
    request.state.loads_stripe = True


def content_security_policy(frame_ancestors: str, more: Origins = NOBODY) -> str:
    """Return the policy of a page: everything from here or from `more`, nothing inline, and only these ancestors."""
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' {more.script}",
        "style-src": "'self'",
        "connect-src": f"'self' {more.connect}",
        "img-src": "'self'",
        "frame-src": more.frame,
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": frame_ancestors or "'none'",
    }
    return "; ".join(f"{name} {sources.strip()}" for name, sources in policy.items() if sources)


class SecurityHeaders:
    """Adds the headers to every response of an application, static files and errors included."""

    def __init__(self, app: ASGIApp, settings: PortalSettings) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": content_security_policy(settings.frame_ancestors),
            "x-content-type-options": "nosniff",
            # Not "no-referrer": with that, browsers send `Origin: null` with our own forms.
            "referrer-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
        }
        self._stripe_policy = content_security_policy(
            settings.frame_ancestors, stripe_origins(settings.stripe_js)
        )
        if not settings.frame_ancestors:
            self._headers["x-frame-options"] = "DENY"
        if settings.url.startswith("https://"):
            self._headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_static = scope["path"].startswith("/static/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if scope.get("state", {}).get("loads_stripe", False):
                    headers["content-security-policy"] = self._stripe_policy
                # A static address contains the hash of its file.
                is_kept = is_static and message["status"] == 200
                headers["cache-control"] = f"public, max-age={STATIC_SECONDS_MAX}" if is_kept else "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)


def csrf_token(session: str) -> str:
    """Return what proves that a form was shown to this session: only whoever knows its token can compute it."""
    digest = hmac.digest(session.encode(), b"purser portal form", hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def csrf_input(session: str) -> Markup:
    """Return the hidden field that every form has."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, csrf_token(session))


async def form_of(request: Request) -> FormData:
    """Return the fields of a form. That it is a form of this session has been checked before (guard.py)."""
    return await request.form(max_files=0, max_fields=FIELDS_MAX)


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """Return a field of a form without the space around it; empty if it is not there."""
    return str(fields.get(name) or "").strip()


def check_size(request: Request) -> None:
    """Raise HTTPException if the body is larger than any form of ours, or does not say how large it is."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > FORM_BYTES_MAX:
        raise HTTPException(413 if length else 411, "The form is too large, or does not say its size.")


def check_origin(request: Request, url: str) -> None:
    """Raise Forbidden if another site caused the request. url: of the portal; empty: as the browser names it."""
    own = url or f"{request.url.scheme}://{request.headers.get('host', '')}"
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if (origin is not None and origin != own) or site not in ("same-origin", "none"):
        raise Forbidden


async def check_form(request: Request, session: str) -> None:
    """Raise Forbidden unless the request has the field of a form that was shown to this session."""
    sent = (await form_of(request)).get(CSRF_FIELD)
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), csrf_token(session).encode()):
        raise Forbidden
