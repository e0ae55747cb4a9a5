# SPDX-License-Identifier: Apache-2.0
"""One signed request, and a short result. Bodies and secrets are never logged."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, Protocol

import httpx

from services.alert.domain.delivery import POST_SECONDS_MAX, Answer, Attempt
from services.alert.domain.endpoint import Header, Secret
from services.alert.domain.errors import WebhookTargetRefused
from services.alert.webhooks.bounded import HEAD_BYTES_MAX, BoundedTransport, HeadTooLong
from services.alert.webhooks.metronome import metronome_headers
from services.alert.webhooks.signature import signed_headers
from services.alert.webhooks.targets import CheckedTargets
from services.alert.webhooks.transport import PinnedTransport

CONNECT_SECONDS_MAX = 3.0
_HEADERS: Final = {"content-type": "application/json", "user-agent": "Purser-Webhooks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """The content of one attempt. body: None: the payload of the event. is_metronome: signed by Metronome's scheme.

    secrets: at least one, newest first; at: wall time.
    """

    attempt: Attempt
    url: str
    body: str | None = None
    is_metronome: bool = False
    headers: Sequence[Header] = ()
    secrets: Sequence[Secret]
    at: datetime


class Poster(Protocol):
    """Posts webhooks."""

    async def post(self, posting: Posting) -> Answer:
        """Post once. Returns every outcome, also a failure; raises nothing."""
        ...


class HttpPoster:
    """Posts over HTTP: no redirects, no proxies, no cookies, one connection per attempt, 10 s in total."""

    def __init__(
        self,
        targets: CheckedTargets,
        *,
        connections_max: int,
        tls: ssl.SSLContext | None,
        post_seconds_max: float = POST_SECONDS_MAX,
    ) -> None:
        """tls: None: trust the certificates of certifi."""
        self._seconds_max = post_seconds_max
        inner = BoundedTransport(connections_max=connections_max, tls=tls)
        self._client = httpx.AsyncClient(
            transport=PinnedTransport(targets, inner),
            timeout=httpx.Timeout(post_seconds_max, connect=CONNECT_SECONDS_MAX),
            follow_redirects=False,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers=_HEADERS,
        )

    async def post(self, posting: Posting) -> Answer:
        attempt = posting.attempt
        body = attempt.payload if posting.body is None else posting.body
        request = self._client.build_request(
            "POST",
            posting.url,
            headers={
                **{one.name: one.value for one in posting.headers},
                **_signature(posting, body),
            },
            content=body.encode(),
        )
        try:
            # httpx limits each read and write only; a receiver that sends one byte at a time would never exceed that.
            async with asyncio.timeout(self._seconds_max):
                response = await self._client.send(request, stream=True)  # the body is never read
                await response.aclose()
        except WebhookTargetRefused as refusal:
            return Answer(error=f"refused: {refusal.message}")
        except (TimeoutError, httpx.TimeoutException):
            return Answer(error=f"no answer within {self._seconds_max:g} s")
        except HeadTooLong:
            return Answer(error=f"no answer within {HEAD_BYTES_MAX} bytes")
        except httpx.ConnectError as error:
            # The text of a failed connection may name the address, and that of a certificate what it was issued for.
            refused = " (the certificate was refused)" if "certificate" in str(error).lower() else ""
            return Answer(error=f"no connection{refused}")
        except httpx.HTTPError as error:
            return Answer(error=f"no answer: {type(error).__name__}")  # its text may quote the response
        return Answer(status_code=response.status_code)

    async def close(self) -> None:
        await self._client.aclose()


def _signature(posting: Posting, body: str) -> dict[str, str]:
    if posting.is_metronome:
        return metronome_headers(body, posting.secrets, at=posting.at)
    return signed_headers(posting.attempt.delivery_id, body, posting.secrets, at=posting.at)
