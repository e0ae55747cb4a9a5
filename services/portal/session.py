# SPDX-License-Identifier: Apache-2.0
"""Who looks: the bearer token of the viewer, kept in an HttpOnly cookie that ends with it.

The portal verifies the token to know what to show. What the viewer may do is decided by the services.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from access import TokenExpired, TokenInvalid, TokenVerifier, VerifiedToken
from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.portal.i18n import N_
from services.portal.mesh import Channels, Mesh

# Browsers refuse cookies above 4,096 bytes, name and attributes included.
TOKEN_CHARACTERS_MAX: Final = 3_800
OPERATOR_ROLES: Final = frozenset(("operator", "viewer"))


class NotSignedIn(Exception):
    """Nobody is signed in. problem: what a person can do about it, a key of PROBLEMS."""

    def __init__(self, problem: str = "") -> None:
        super().__init__(problem)
        self.problem = problem


# Why a token is not accepted, by the word that the sign-in page has in its address.
PROBLEMS: Final = {
    "expired": N_("This link has expired. Ask for a new one."),
    "invalid": N_("This link is not valid. Open it exactly as you received it, or ask for a new one."),
    "role": N_("This link is not for these pages. Ask for one for a customer or an operator."),
    "unavailable": N_("Links cannot be checked at the moment. Try again in a minute."),
    "long": N_("This token is too long for a browser. Ask for one with fewer claims."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A verified token. customer_id: "cus_…"; empty for operators. language, zone: what the token prefers, or empty."""

    token: str
    subject: str
    roles: frozenset[str]
    customer_id: str
    expire_time: datetime
    language: str
    zone: str
    mesh: Mesh

    @property
    def is_customer(self) -> bool:
        return bool(self.customer_id)

    @property
    def is_operator(self) -> bool:
        return not self.customer_id and not OPERATOR_ROLES.isdisjoint(self.roles)


class Sessions:
    """Turns cookies into viewers. is_secure: cookies are sent over https only, and to embedded pages as well."""

    def __init__(self, tokens: TokenVerifier, channels: Channels, *, wall: Clock, is_secure: bool) -> None:
        self._tokens = tokens
        self._channels = channels
        self._wall = wall
        self._is_secure = is_secure
        self.cookie = "__Host-purser" if is_secure else "purser"

    async def viewer(self, connection: HTTPConnection) -> Viewer:
        """Return the viewer of a request. Raises NotSignedIn."""
        token = connection.cookies.get(self.cookie, "")
        if not token:
            raise NotSignedIn
        return await self.examine(token)

    async def examine(self, token: str) -> Viewer:
        """Return the viewer whose token it is. Raises NotSignedIn."""
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise NotSignedIn("long")
        try:
            verified = await self._tokens.examine(token)
        except TokenExpired:
            raise NotSignedIn("expired") from None
        except TokenInvalid:
            raise NotSignedIn("invalid") from None
        except MeshError:
            raise NotSignedIn("unavailable") from None
        # The services accept a token some seconds longer, because clocks differ; a session ends on time.
        if self._wall.now() >= verified.expire_time:
            raise NotSignedIn("expired")
        viewer = self._viewer_of(token, verified)
        if not viewer.is_customer and not viewer.is_operator:
            raise NotSignedIn("role")
        return viewer

    def seconds_left(self, viewer: Viewer) -> float:
        """Return how long the viewer stays signed in."""
        return (viewer.expire_time - self._wall.now()).total_seconds()

    def sign_in(self, viewer: Viewer, response: Response) -> None:
        """Set the cookie, which ends with the token."""
        self._set(response, viewer.token, max_age=max(1, int(self.seconds_left(viewer))))

    def sign_out(self, response: Response) -> None:
        """Remove the cookie."""
        self._set(response, "", max_age=0)

    def _set(self, response: Response, value: str, *, max_age: int) -> None:
        set_cookie(
            response, self.cookie, value, max_age=max_age, is_secure=self._is_secure, is_for_scripts=False
        )

    def _viewer_of(self, token: str, verified: VerifiedToken) -> Viewer:
        caller, claims = verified.caller, verified.claims
        customer_id = ""
        if "customer" in caller.roles and caller.customer_ids is not None:
            (customer_id,) = caller.customer_ids
        return Viewer(
            token=token,
            subject=caller.subject,
            roles=caller.roles,
            customer_id=customer_id,
            expire_time=verified.expire_time,
            language=_text(claims.get("locale")),
            zone=_text(claims.get("zone")),
            mesh=Mesh(self._channels, token),
        )


def cookie_attributes(*, is_secure: bool) -> str:
    """Return the attributes that all cookies have. Browsers drop those of embedded pages without the last one."""
    return "; Path=/; SameSite=None; Secure; Partitioned" if is_secure else "; Path=/; SameSite=Lax"


def set_cookie(
    response: Response, name: str, value: str, *, max_age: int, is_secure: bool, is_for_scripts: bool
) -> None:
    """Set a cookie of all our pages. value: of characters that cookies may have. max_age: seconds; 0 removes it."""
    attributes = cookie_attributes(is_secure=is_secure) + ("" if is_for_scripts else "; HttpOnly")
    response.headers.append("set-cookie", f"{name}={value}; Max-Age={max_age}{attributes}")


def viewer_of(connection: HTTPConnection) -> Viewer:
    """Return the viewer of a page's request, which the guard of all pages (guard.py) has verified."""
    viewer: Viewer = connection.state.viewer
    return viewer


def _text(claim: object) -> str:
    return claim if isinstance(claim, str) else ""
