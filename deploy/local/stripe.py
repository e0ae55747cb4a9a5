# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Stripe: localstripe in a separate process, behind a proxy that adds what it lacks.

The proxy honours Idempotency-Key, confirms with a payment method, also after a decline, refuses refunds of more than
was paid, says how much was received, has disputes, sends signed webhooks, and fails on demand. What a payer's browser
sees of it is in stripe_browser.py. Nothing here leaves this machine.
"""

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import httpx
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.ports import HOST, free_port
from deploy.local.stripe_browser import JS_PATH, PUBLISHABLE_KEY, answer_browser, pages
from meshkit.http_server import HttpServer

Json: TypeAlias = Any
API_KEY: Final = "sk_test_purser"
CARD: Final = "4242424242424242"
DECLINED_CARD: Final = "4000000000000341"  # it can be saved, and is declined when it is charged
SECURE_CARD: Final = "4000002500003155"  # asks for 3-D Secure
AMOUNT_MIN: Final = 50  # US cents
WEBHOOK_SECRET: Final = "whsec_of_the_stand_in"
START_SECONDS_MAX = 20.0
POST_SECONDS_MAX = 20.0  # an answer may be late on a busy machine
IDLE_SECONDS = 3_600  # a fault that a test has not asked for would be one more
_AUTHORIZATION: Final = {"Authorization": f"Bearer {API_KEY}"}
_EVENTS: Final = {
    "succeeded": "payment_intent.succeeded",
    "requires_payment_method": "payment_intent.payment_failed",
    "requires_action": "payment_intent.requires_action",
    "canceled": "payment_intent.canceled",
}
_SETUP_EVENTS: Final = {
    "succeeded": "setup_intent.succeeded",
    "requires_action": "setup_intent.requires_action",
    "canceled": "setup_intent.canceled",
}
_CONFIRMABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one call. status_code: the answer instead of Stripe's. is_done: whether Stripe acts anyway."""

    status_code: int
    is_done: bool = False


@dataclass(slots=True, kw_only=True)
class StripeStandIn:
    """A running stand-in. faults: of the next calls, in order; None: no fault. webhook_url: where events are posted.

    held: events that were not posted, because `holds_webhooks` was set; `post` posts one, as often as you like.
    calls: every call so far, such as "GET /v1/refunds". before_reply: awaited with a call after it was carried out.
    """

    address: str
    behind: httpx.AsyncClient
    webhook_url: str = ""
    holds_webhooks: bool = False
    faults: list[Fault | None] = field(default_factory=list)
    held: list[Json] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    before_reply: Callable[[Request], Awaitable[None]] | None = None
    _disputes: list[Json] = field(default_factory=list)
    _answers: dict[str, tuple[int, Json]] = field(default_factory=dict)
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _decline_codes: dict[str, str] = field(default_factory=dict)
    _accepted: dict[str, str] = field(default_factory=dict)
    _return_urls: dict[str, str] = field(default_factory=dict)
    _posts: set["asyncio.Task[None]"] = field(default_factory=set)

    def settings(self, listen: str) -> dict[str, str]:
        """Return Contract's settings, without their prefix. listen: where Contract receives webhooks, from now on."""
        self.webhook_url = f"http://{listen}/webhooks/stripe"
        return {
            "STRIPE_API_KEY": API_KEY,
            "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "STRIPE_API_BASE": self.address,
            "STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "PAYMENT_WEBHOOK_LISTEN": listen,
        }

    async def customer(self) -> str:
        """Create a customer at Stripe; returns its id."""
        return str((await self._ask("POST", "/v1/customers", {"email": "ap@acme.example"}))[1]["id"])

    async def card(self, number: str = CARD, *, decline_code: str = "") -> str:
        """Create a payment method, as Stripe.js does in a browser; returns its id.

        decline_code: why the bank declines a DECLINED_CARD, such as "lost_card"; empty: it does not say.
        """
        card = {"number": number, "exp_month": "12", "exp_year": "2035", "cvc": "123"}
        made = (await self._ask("POST", "/v1/payment_methods", {"type": "card", "card": card}))[1]
        if decline_code:
            self._decline_codes[made["id"]] = decline_code
        return str(made["id"])

    async def accept(self, payment_method_id: str) -> None:
        """From now on a payment method that was declined is accepted, as after money has come in."""
        self._accepted[payment_method_id] = await self.card()

    async def pay_in_browser(self, client_secret: str, payment_method_id: str) -> Json:
        """Confirm a payment as Stripe.js does, with the client_secret. Returns Stripe's answer."""
        payment_id = client_secret.partition("_secret_")[0]
        return (await self._confirm(payment_id, payment_method_id))[1]

    async def save_in_browser(self, client_secret: str, payment_method_id: str) -> Json:
        """Confirm a setup as Stripe.js does, with the client_secret; behind 3-D Secure without a payment method.

        Returns Stripe's answer.
        """
        setup_id = client_secret.partition("_secret_")[0]
        body = {"client_secret": client_secret}
        if payment_method_id:
            body["payment_method"] = payment_method_id
        answer = (await self._ask("POST", f"/v1/setup_intents/{setup_id}/confirm", body))[1]
        self._announce(answer)
        return answer

    @property
    def js_address(self) -> str:
        """Where a page loads the stand-in for Stripe.js from."""
        return self.address + JS_PATH

    def return_url(self, payment_id: str) -> str:
        """Return where the payer comes back to after 3-D Secure; empty if the payment named no such address."""
        return self._return_urls.get(payment_id, "")

    async def authenticate(self, client_secret: str, *, succeeds: bool) -> Json:
        """Finish 3-D Secure as the payer."""
        payment_id = client_secret.partition("_secret_")[0]
        body = {"client_secret": client_secret, "success": succeeds}
        answer = (await self._ask("POST", f"/v1/payment_intents/{payment_id}/_authenticate", body))[1]
        self._announce(answer)
        return answer

    async def payment(self, payment_id: str) -> Json:
        return (await self._ask("GET", f"/v1/payment_intents/{payment_id}"))[1]

    async def payments(self) -> list[Json]:
        return await self._all("/v1/payment_intents")

    async def setups(self) -> list[Json]:
        return await self._all("/v1/setup_intents")

    async def setup(self, client_secret: str) -> Json:
        return (await self._ask("GET", f"/v1/setup_intents/{client_secret.partition('_secret_')[0]}"))[1]

    async def refunds(self) -> list[Json]:
        return await self._all("/v1/refunds")

    async def refund_at_dashboard(self, payment_id: str, amount: int | None = None) -> str:
        """Return some minor units of a payment, or all, as the vendor may without Contract; returns the refund's id."""
        body = {"payment_intent": payment_id} | ({} if amount is None else {"amount": amount})
        status_code, refund = await self._ask("POST", "/v1/refunds", body)
        assert status_code < 400, refund
        self._announce_as("charge.refunded", {"object": "charge", "payment_intent": payment_id})
        return str(refund["id"])

    def dispute(self, payment: Json, amount: int | None = None, status: str = "needs_response") -> str:
        """Let the payer's bank take some minor units of a payment, or all; returns the dispute's id."""
        dispute = {
            "id": f"du_{uuid.uuid4().hex}",
            "object": "dispute",
            "amount": payment["amount"] if amount is None else amount,
            "currency": payment["currency"],
            "payment_intent": payment["id"],
            "status": status,
            "created": int(time.time()),
        }
        self._disputes.append(dispute)
        self._announce_as("charge.dispute.created", dispute)
        return str(dispute["id"])

    def disputes(self) -> list[Json]:
        return list(self._disputes)

    def close_dispute(self, dispute_id: str, status: str) -> None:
        """Let a dispute be "won" or "lost"."""
        dispute = next(one for one in self._disputes if one["id"] == dispute_id)
        dispute["status"] = status
        self._announce_as("charge.dispute.closed", dispute)

    def forget_keys(self) -> None:
        """Forget all idempotency keys, as Stripe does after a day."""
        self._answers.clear()

    async def post(self, event: Json, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> int:
        """Post an event to the webhook, signed at an instant (Unix seconds; None: now). Returns the status code."""
        body = json.dumps(event)
        signed = stripe.WebhookSignature.generate_signature_header(body, secret, at or int(time.time()))
        async with httpx.AsyncClient(trust_env=False, timeout=POST_SECONDS_MAX) as http:
            answer = await http.post(self.webhook_url, content=body, headers={"Stripe-Signature": signed})
        return answer.status_code

    async def settle(self) -> None:
        """Return when every event has been posted."""
        while self._posts:
            await asyncio.wait(self._posts)

    async def serve(self, request: Request) -> Response:
        """Answer a call of Stripe's API."""
        path, key = request.url.path, request.headers.get("idempotency-key", "")
        call = f"{request.method} {path}"
        self.calls.append(call)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not fault.is_done:
            return _failed(fault)
        text = (await request.body()).decode()
        if request.headers.get("origin"):
            return await answer_browser(self, request, json.loads(text))
        body = dict(parse_qsl(text))
        async with self._turns[key] if key else asyncio.Lock():
            if key not in self._answers:
                answer = await self.act(request.method, path, request.url.query, body)
                # Like Stripe, which does not keep what its own failure was.
                if key and answer[0] < 500:
                    self._answers[key] = answer
            else:
                answer = self._answers[key]
        if self.before_reply is not None:
            await self.before_reply(request)
        return _failed(fault) if fault is not None else JSONResponse(answer[1], status_code=answer[0])

    async def act(self, method: str, path: str, query: str, body: Json) -> tuple[int, Json]:
        """Carry out a call; returns status code and answer."""
        parts = path.strip("/").split("/")
        match method, parts:
            case "POST", ["v1", "payment_intents", payment_id, "confirm"]:
                return await self._confirm(payment_id, body["payment_method"], body.get("return_url", ""))
            case "POST", ["v1", "refunds"]:
                payment = await self.payment(body["payment_intent"])
                known = await self._ask("GET", f"/v1/refunds?payment_intent={body['payment_intent']}")
                left = payment["amount"] - sum(one["amount"] for one in known[1].get("data", []))
                if not left:
                    return _error(400, "charge_already_refunded")
                if int(body.get("amount", payment["amount"])) > left:
                    return _error(400, "amount_too_large")
                body = _with_metadata(body)
            case "GET", ["v1", ("refunds" | "disputes") as kind]:
                found = self._disputes if kind == "disputes" else await self._all("/v1/refunds")
                return 200, _listed(found, dict(parse_qsl(query)), path)
            case "POST", ["v1", ("payment_intents" | "setup_intents" | "customers") as noun]:
                if noun == "payment_intents" and int(body["amount"]) < AMOUNT_MIN:
                    return _error(400, "amount_too_small")
                body = _with_metadata(body)
        status_code, answer = await self._ask(method, path + (f"?{query}" if query else ""), body)
        if status_code >= 400:
            return _error(status_code, "resource_missing" if status_code == 404 else "bad_request")
        if parts[-1] in ("cancel", "confirm", "_authenticate"):
            self._announce(answer)
        return status_code, answer

    async def _confirm(
        self, payment_id: str, payment_method_id: str, return_url: str = ""
    ) -> tuple[int, Json]:
        payment_method_id = self._accepted.get(payment_method_id, payment_method_id)
        payment = await self.payment(payment_id)
        if payment["status"] not in _CONFIRMABLE:
            return _error(400, "payment_intent_unexpected_state")
        if (await self._ask("GET", f"/v1/payment_methods/{payment_method_id}"))[0] >= 400:
            return _error(400, "resource_missing")
        self._return_urls[payment_id] = return_url
        again = {"payment_method": payment_method_id, "latest_charge": None, "next_action": None}
        await self._ask("POST", f"/v1/payment_intents/{payment_id}", again)
        _, answer = await self._ask("POST", f"/v1/payment_intents/{payment_id}/confirm")
        self._announce(answer)
        if answer["status"] == "requires_payment_method":
            error = {"type": "card_error", "payment_intent": answer, **answer["last_payment_error"]}
            return 402, {"error": error}
        return 200, answer

    async def _ask(self, method: str, path: str, body: Json = None) -> tuple[int, Json]:
        answered = await self.behind.request(method, path, json=body, headers=_AUTHORIZATION)
        answer = answered.json()
        for one in (answer, *answer.get("data", ())):
            if isinstance(one, dict) and one.get("object") == "payment_intent":
                one["amount_received"] = one["amount"] if one["status"] == "succeeded" else 0
                if one["status"] == "requires_action" and self.return_url(one["id"]):
                    url = {"url": f"{self.address}/3ds/{one['id']}", "return_url": self.return_url(one["id"])}
                    one["next_action"] = {"type": "redirect_to_url", "redirect_to_url": url}
                decline_code = self._decline_codes.get(one.get("payment_method") or "")
                if decline_code and one.get("last_payment_error"):
                    one["last_payment_error"]["decline_code"] = decline_code
        return answered.status_code, answer

    async def _all(self, path: str) -> list[Json]:
        found: list[Json] = []
        while True:
            after = f"&starting_after={found[-1]['id']}" if found else ""
            page = (await self._ask("GET", f"{path}?limit=100{after}"))[1]
            found += page["data"]
            if not page["has_more"]:
                return found

    def _announce(self, payment: Json) -> None:
        events = _SETUP_EVENTS if payment.get("object") == "setup_intent" else _EVENTS
        if payment.get("status") in events:
            self._announce_as(events[payment["status"]], payment)

    def _announce_as(self, event_type: str, subject: Json) -> None:
        if not self.webhook_url:
            return
        event = {
            "id": f"evt_{uuid.uuid4().hex}",
            "object": "event",
            "type": event_type,
            "data": {"object": dict(subject)},
        }
        if self.holds_webhooks:
            self.held.append(event)
            return
        post = asyncio.create_task(self._post(event))
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)

    async def _post(self, event: Json) -> None:
        try:
            await self.post(event)
        except httpx.HTTPError:  # Contract is away; it finds out by itself
            self.held.append(event)


@contextmanager
def local_stripe() -> Iterator[str]:
    """Run localstripe in a process until the block ends; gives its address, where it answers soon."""
    port = free_port()
    command = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def stripe_stand_in(behind_address: str) -> AsyncIterator[StripeStandIn]:
    """Run a stand-in in front of a localstripe, which is emptied, until the block ends.

    Raises TimeoutError if localstripe does not answer.
    """
    port = free_port()
    async with httpx.AsyncClient(
        base_url=behind_address, trust_env=False, timeout=START_SECONDS_MAX
    ) as behind:
        await _until_empty(behind)
        running = StripeStandIn(address=f"http://127.0.0.1:{port}", behind=behind)
        api = Route("/{path:path}", running.serve, methods=["GET", "POST", "DELETE"])
        app = Starlette(routes=[*pages(running), api])
        address = f"{HOST}:{port}"
        server = HttpServer("the stand-in for Stripe", app, address, idle_seconds=IDLE_SECONDS)
        await server.start()
        try:
            yield running
        finally:
            await server.stop()
        await running.settle()


@asynccontextmanager
async def running_stripe() -> AsyncIterator[StripeStandIn]:
    """Run localstripe and a stand-in in front of it until the block ends."""
    with local_stripe() as behind_address:
        async with stripe_stand_in(behind_address) as running:
            yield running


async def _until_empty(behind: httpx.AsyncClient) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            try:
                await behind.delete("/_config/data")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


def _listed(found: list[Json], query: dict[str, str], path: str) -> Json:
    """Return a page of a list, newest first, of one payment or since an instant."""
    shown = [
        one
        for one in sorted(found, key=lambda one: (one["created"], one["id"]), reverse=True)
        if query.get("payment_intent") in (None, one["payment_intent"])
        and one["created"] >= int(query.get("created[gte]", 0))
    ]
    after, limit = query.get("starting_after"), int(query.get("limit", 10))
    begin = 0 if after is None else [one["id"] for one in shown].index(after) + 1
    page = shown[begin : begin + limit]
    return {"object": "list", "url": path, "data": page, "has_more": len(shown) > begin + limit}


def _with_metadata(body: Json) -> Json:
    """Return a form with its metadata as one value."""
    metadata = {name[9:-1]: value for name, value in body.items() if name.startswith("metadata[")}
    return {name: value for name, value in body.items() if not name.startswith("metadata[")} | {
        "metadata": metadata
    }


def _error(status_code: int, code: str) -> tuple[int, Json]:
    return status_code, {"error": {"type": "invalid_request_error", "code": code, "message": code}}


def _failed(fault: Fault) -> Response:
    kind = "rate_limit_error" if fault.status_code == 429 else "api_error"
    return JSONResponse({"error": {"type": kind, "message": "on demand"}}, status_code=fault.status_code)
