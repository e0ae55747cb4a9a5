# SPDX-License-Identifier: Apache-2.0
"""Receives Stripe's webhooks over HTTP. https://docs.stripe.com/webhooks

A webhook is only a hint: its signature is checked, the payment it names is looked up, and Stripe is asked what became
of it. So it does not matter whether webhooks are late, repeated, out of order or lost.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

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
_INTENTS: Final = ("payment_intent", "setup_intent")

STRIPE_WEBHOOKS = Counter(
    "contract_stripe_webhooks", "Webhooks of Stripe, by what became of them.", ["result"]
)

# Types of events about refunds and disputes.
MONEY_BACK: Final = ("charge.refund", "charge.dispute.", "refund.")

Hint: TypeAlias = Callable[[str], Awaitable[bool]]

log = structlog.get_logger(__name__)


class WebhookListener:
    """Serves POST /webhooks/stripe.

    secrets: of the endpoint at Stripe; several while one replaces another. hints: each remembers that something has
    changed at Stripe, and returns whether it knows the id. money_back: the same, of a payment of which something went
    back.
    """

    def __init__(
        self, *, listen: str, secrets: Sequence[str], hints: Sequence[Hint], money_back: Sequence[Hint]
    ) -> None:
        self._secrets = tuple(secrets)
        self._hints = tuple(hints)
        self._money_back = tuple(money_back)
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
        subject_id, is_money_back = _subject_of(body)
        if subject_id is None:
            # Signed by Stripe, but about something else: repeating it would not help.
            return _accepted("ignored")
        try:
            is_known = any([await hint(subject_id) for hint in self._told(is_money_back)])
        except (
            Exception
        ) as error:  # the database is away; Stripe repeats the webhook, and the poller does not need it
            log.warning("webhook_not_stored", error=type(error).__name__)
            return _refused("not_stored", 503)
        return _accepted("known" if is_known else "unknown")

    def _told(self, is_money_back: bool) -> Sequence[Hint]:
        return (*self._hints, *self._money_back) if is_money_back else self._hints

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


def _subject_of(body: bytes) -> tuple[str | None, bool]:
    """Return the id of the PaymentIntent or SetupIntent that an event is about, and whether money of it went back.

    None if it is about neither.
    """
    try:
        event: Any = json.loads(body)
        subject = event["data"]["object"]
        subject_id = subject["id"] if subject["object"] in _INTENTS else subject.get("payment_intent")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, False
    event_type = event.get("type")
    is_money_back = isinstance(event_type, str) and event_type.startswith(MONEY_BACK)
    return (subject_id if isinstance(subject_id, str) and subject_id else None), is_money_back


def _accepted(result: str) -> Response:
    STRIPE_WEBHOOKS.labels(result).inc()
    return Response(status_code=204)


def _refused(result: str, status_code: int) -> Response:
    STRIPE_WEBHOOKS.labels(result).inc()
    log.warning("stripe_webhook_refused", result=result)
    return PlainTextResponse(f"refused: {result}\n", status_code=status_code)
