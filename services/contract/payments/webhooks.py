# SPDX-License-Identifier: Apache-2.0
"""Receives Stripe's webhooks over HTTP. https://docs.stripe.com/webhooks

A webhook is only a hint: its signature is checked, the payment it names is looked up, and Stripe is asked what became
of it. So it does not matter whether webhooks are late, repeated, out of order or lost.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import stripe
import structlog
from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from meshkit.http_server import HttpServer

PATH: Final = "/webhooks/stripe"
TOLERANCE_SECONDS = 300
BODY_BYTES_MAX = 1_000_000

STRIPE_WEBHOOKS = Counter(
    "contract_stripe_webhooks", "Webhooks of Stripe, by what became of them.", ["result"]
)

log = structlog.get_logger(__name__)


class WebhookListener:
    """Serves POST /webhooks/stripe.

    secrets: of the endpoint at Stripe; several while one replaces another. hint: remembers that a payment has changed,
    and returns whether it is known.
    """

    def __init__(
        self, *, listen: str, secrets: Sequence[str], hint: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._secrets = tuple(secrets)
        self._hint = hint
        app = Starlette(routes=[Route(PATH, self._receive, methods=["POST"])])
        self._server = HttpServer("Stripe's webhooks", app, listen)

    async def start(self) -> None:
        """Start to accept webhooks. Raises PortTaken."""
        await self._server.start()

    async def stop(self) -> None:
        """Accept no more webhooks, and finish the ones being received."""
        await self._server.stop()

    async def _receive(self, request: Request) -> Response:
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _refused("too_large", 413)
        if not self._is_signed(body, request.headers.get("stripe-signature")):
            return _refused("not_signed", 400)
        payment_id = _payment_of(body)
        if payment_id is None:
            # Signed by Stripe, but about something else: repeating it would not help.
            return _accepted("ignored")
        try:
            is_known = await self._hint(payment_id)
        except (
            Exception
        ) as error:  # the database is away; Stripe repeats the webhook, and the poller does not need it
            log.warning("webhook_not_stored", error=type(error).__name__)
            return _refused("not_stored", 503)
        return _accepted("known" if is_known else "unknown")

    def _is_signed(self, body: bytes, header: str | None) -> bool:
        for secret in self._secrets:
            try:
                stripe.WebhookSignature.verify_header(body, header, secret, TOLERANCE_SECONDS)
            except (stripe.SignatureVerificationError, UnicodeDecodeError):
                continue
            return True
        return False


async def _body(request: Request) -> bytes | None:
    """Return the body; None if it is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return body


def _payment_of(body: bytes) -> str | None:
    """Return the id of the PaymentIntent that an event is about; None if it is about none."""
    try:
        event: Any = json.loads(body)
        subject = event["data"]["object"]
        payment_id = subject["id"] if subject["object"] == "payment_intent" else subject.get("payment_intent")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return payment_id if isinstance(payment_id, str) and payment_id else None


def _accepted(result: str) -> Response:
    STRIPE_WEBHOOKS.labels(result).inc()
    return Response(status_code=204)


def _refused(result: str, status_code: int) -> Response:
    STRIPE_WEBHOOKS.labels(result).inc()
    log.warning("stripe_webhook_refused", result=result)
    return PlainTextResponse(f"refused: {result}\n", status_code=status_code)
