# SPDX-License-Identifier: Apache-2.0
"""A whole mesh with the portal before it, in this process, and browsers without a screen that look at it."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx

from deploy.local.identity import TOKENS_VALID, LocalIdentity
from deploy.local.mesh import NO_MAILS, NO_PAYMENTS
from meshkit.clock import Clock, SystemClock
from purser_cli import tokens
from services.portal.app import open_portal
from services.portal.config import PortalSettings
from services.portal.live import LiveBalances
from tests.support.mesh import Acme, SwitchedMesh, acme_at, secured
from tests.support.postgres import Databases

POLL_SECONDS = 0.05
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


class Browser(httpx.AsyncClient):
    """Keeps cookies and follows redirects, as a browser without scripts does."""

    def __init__(self, url: str, **more: Any) -> None:
        super().__init__(base_url=url, follow_redirects=True, timeout=30, trust_env=False, **more)

    async def enter(self, link: str) -> httpx.Response:
        """Open a link with a token; returns the page that it leads to."""
        return await self.get(link)

    async def submit(self, path: str, fields: Mapping[str, Any], *, shown_at: str) -> httpx.Response:
        """Fill in and send the form for `path` on the page at `shown_at`, with its hidden fields."""
        shown = await self.get(shown_at)
        hidden = form_fields(shown.text, path)
        return await self.post(path, data={**hidden, **fields}, headers={"origin": self.origin})

    @property
    def origin(self) -> str:
        return str(self.base_url).rstrip("/")


def form_fields(html: str, path: str) -> dict[str, str]:
    """Return the hidden fields of the first form that is sent to `path`."""
    forms = re.findall(r"<form\b[^>]*>.*?</form>", html, re.DOTALL)
    for form in forms:
        if f'action="{path}"' in unescape(form):
            return {name: unescape(value) for name, value in HIDDEN.findall(form)}
    raise AssertionError(f"no form for {path} in {html}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalMesh:
    """A running mesh, its customer Acme, and the portal at `url`."""

    url: str
    acme: Acme
    mesh: SwitchedMesh
    identity: LocalIdentity
    live: LiveBalances

    def token(self, *roles: str, customer: str = "", valid: timedelta = TOKENS_VALID, **claims: str) -> str:
        """Return a token: of Acme's administrator unless roles are named."""
        return issue(
            self.identity,
            roles=roles or ("customer",),
            customer=customer if roles else customer or self.acme.contract.customer_id,
            valid=valid,
            **claims,
        )

    def link(self, *roles: str, **more: Any) -> str:
        """Return a link with a token."""
        return f"{self.url}/enter?token={self.token(*roles, **more)}"

    @asynccontextmanager
    async def browser(self, *roles: str, **more: Any) -> AsyncIterator[Browser]:
        """Yield a browser that is signed in: as Acme's administrator unless roles are named."""
        async with Browser(self.url) as browser:
            await browser.enter(self.link(*roles, **more))
            yield browser


def issue(
    identity: LocalIdentity,
    *,
    roles: tuple[str, ...],
    customer: str,
    valid: timedelta,
    audience: str = "purser",
    **claims: str,
) -> str:
    """Return a token with any claims."""
    return tokens.issue(
        identity.files.folder,
        subject="someone",
        roles=roles,
        now=identity.clock.now(),
        valid=valid,
        customer=customer,
        audience=audience,
        **claims,
    )


def portal_settings(mesh: SwitchedMesh, **more: Any) -> PortalSettings:
    """Return the settings of a portal before a mesh, on a free port."""
    assert mesh.access is not None
    identity = mesh.access.identity
    return PortalSettings(
        listen="127.0.0.1:0",
        ca_file=str(identity.files.authority),
        jwks=str(identity.files.folder / tokens.JWKS_FILE),
        **{f"{service}_address": address for service, address in mesh.addresses.items()},
        **more,
    )


@asynccontextmanager
async def open_portal_mesh(
    databases: Databases,
    folder: Path,
    *,
    wall: Clock | None = None,
    people: Sequence[str] = (),
    payments: Mapping[str, str] = NO_PAYMENTS,
    mails: Mapping[str, str] = NO_MAILS,
    **settings: Any,
) -> AsyncIterator[PortalMesh]:
    """Yield a mesh with Acme and a portal whose balances are read 20 times a second.

    wall: by which sessions end. people: who has Acme's seats; none: they are without names. payments: Contract's
    settings of its payment provider. mails: Alert's settings of its mail server.
    """
    access = secured(folder)
    async with SwitchedMesh(databases, access=access, payments=payments, mails=mails) as mesh:
        await mesh.start()
        live = LiveBalances(poll_seconds=POLL_SECONDS)
        portal = open_portal(portal_settings(mesh, **settings), wall=wall or SystemClock(), live=live)
        async with acme_at(mesh.addresses, access.identity, people=people) as acme, portal as front:
            yield PortalMesh(
                url=f"http://127.0.0.1:{front.port}",
                acme=acme,
                mesh=mesh,
                identity=access.identity,
                live=live,
            )
