# SPDX-License-Identifier: Apache-2.0
"""Links to a customer's own pages: a token of the role `customer` that the portal exchanges for a cookie."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from access import TokenExpired, TokenInvalid, TokenVerifier
from meshkit.clock import Clock
from purser_cli import tokens
from services.edge.config import EdgeSettings
from services.edge.faults import Refused


class Links:
    """Makes links for operators. verifier None: everyone is an operator, as in an insecure mesh."""

    def __init__(self, settings: EdgeSettings, verifier: TokenVerifier | None, wall: Clock) -> None:
        self._settings = settings
        self._verifier = verifier
        self._wall = wall

    async def to_pages_of(self, customer_id: str, *, authorization: str) -> str:
        """Return a link to the pages of a customer that the caller may see.

        Only operators get one, because whoever has it may act for the customer. Raises Refused.
        """
        settings = self._settings
        if not settings.portal_url or not settings.link_key_folder:
            raise Refused(501, "links need PURSER_EDGE_PORTAL_URL and PURSER_EDGE_LINK_KEY_FOLDER")
        await self._require_operator(authorization)
        token = tokens.issue(
            Path(settings.link_key_folder),
            subject=f"link:{customer_id}",
            roles=("customer",),
            now=self._wall.now(),
            valid=timedelta(seconds=settings.link_seconds),
            customer=customer_id,
            issuer=settings.token_issuer,
            audience=settings.token_audience,
        )
        return f"{settings.portal_url.rstrip('/')}/enter?{urlencode({'token': token})}"

    async def _require_operator(self, authorization: str) -> None:
        if self._verifier is None:
            return
        try:
            caller = await self._verifier.verify(authorization.removeprefix("Bearer ").strip())
        except (TokenInvalid, TokenExpired) as error:
            raise Refused(401, error.message) from error
        if "operator" not in caller.roles:
            raise Refused(403, "only the role operator may make links to a customer's pages")
