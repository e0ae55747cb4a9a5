# SPDX-License-Identifier: Apache-2.0
"""What a payer's browser sees of the stand-in for Stripe: Stripe.js, and the bank's page for 3-D Secure.

Stripe.js is that of localstripe. It has fields for a card in the page itself, where Stripe has them in a frame.
"""

from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import urlencode

import httpx
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

Json: TypeAlias = Any
PUBLISHABLE_KEY: Final = "pk_test_purser"
JS_PATH: Final = "/js.stripe.com/v3/"
BANK_PATH: Final = "/3ds/{payment_id}"
_BANK: Final = """<!doctype html><html lang="en"><title>Your bank</title><h1>3-D Secure</h1>
<form method="post"><button name="outcome" value="succeeded">Complete authentication</button>
<button name="outcome" value="failed">Fail authentication</button></form></html>"""


class StripeServer(Protocol):
    """The stand-in behind these pages."""

    behind: httpx.AsyncClient

    def return_url(self, payment_id: str) -> str: ...

    async def payment(self, payment_id: str) -> Json: ...

    async def authenticate(self, client_secret: str, *, succeeds: bool) -> Json: ...

    async def act(self, method: str, path: str, query: str, body: Json) -> tuple[int, Json]: ...


async def answer_browser(server: StripeServer, request: Request, body: Json) -> Response:
    """Answer Stripe.js, which calls with the publishable key from a page of another origin."""
    if body.get("key") != PUBLISHABLE_KEY:
        answer: tuple[int, Json] = (401, {"error": {"message": "this is not the publishable key"}})
    else:
        answer = await server.act(request.method, request.url.path, request.url.query, body)
    allowed = {"Access-Control-Allow-Origin": request.headers["origin"]}
    return JSONResponse(answer[1], status_code=answer[0], headers=allowed)


def pages(server: StripeServer) -> list[Route]:
    """Return the routes of Stripe.js and of the bank."""

    async def script(_: Request) -> Response:
        told = await server.behind.get(JS_PATH)
        return Response(told.content, media_type="text/javascript")

    async def bank(request: Request) -> Response:
        payment_id = request.path_params["payment_id"]
        if request.method == "GET":
            return HTMLResponse(_BANK)
        payment = await server.payment(payment_id)
        outcome = (await request.body()).decode().partition("outcome=")[2]
        back = server.return_url(payment_id)
        await server.authenticate(payment["client_secret"], succeeds=outcome == "succeeded")
        said = {
            "payment_intent": payment_id,
            "payment_intent_client_secret": payment["client_secret"],
            "redirect_status": outcome,
        }
        return RedirectResponse(f"{back}{'&' if '?' in back else '?'}{urlencode(said)}", status_code=303)

    async def icon(_: Request) -> Response:
        return Response(status_code=204)

    return [
        Route(JS_PATH, script),
        Route(BANK_PATH, bank, methods=["GET", "POST"]),
        Route("/favicon.ico", icon),  # browsers ask for it
    ]
