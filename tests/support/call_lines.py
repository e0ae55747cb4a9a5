# SPDX-License-Identifier: Apache-2.0
"""Tokens that are priced by their kind, and calls of acme with a line for each kind."""

from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.ledger import CREDIT, RunningLedger, a_rate

THOUSAND = 1_000 * 10**6
# Credits × 10^6 for a thousand tokens.
PRICES = {"input": CREDIT, "output": 4 * CREDIT, "cached": CREDIT // 4}


def tokens(kind: str, count: int, product_id: str = "prd_tokens") -> pb.UsageLine:
    """Return a line of tokens of one kind."""
    return pb.UsageLine(
        product_id=product_id,
        quantity_micros=count * 10**6,
        properties={"token_kind": kind},
    )


async def sell_tokens(
    ledger: RunningLedger, *, version: int = 2, group_keys: tuple[str, ...] = ("user_id",)
) -> None:
    """Sell prd_tokens by kind: a thousand input tokens cost 1 credit, output 4, cached 0.25; and prd_assistant."""
    await ledger.tell_product("prd_tokens", dimensions=("token_kind",), group_keys=group_keys)
    rates = [
        a_rate(
            "prd_tokens",
            rate_id=f"rat_{kind}",
            price_micros=price,
            per_micros=THOUSAND,
            dimension_values={"token_kind": kind},
        )
        for kind, price in PRICES.items()
    ]
    await ledger.tell_card(a_rate(), *rates, version=version)


async def authorize_lines(
    ledger: RunningLedger, *lines: pb.UsageLine, user: str | None = None, **more: object
) -> pb.AuthorizeResponse:
    """Authorize lines for acme; `more` overrides fields."""
    return await ledger.gate.Authorize(pb.AuthorizeRequest(**_asked(ledger, lines, user) | more))


async def debit_lines(
    ledger: RunningLedger, *lines: pb.UsageLine, user: str | None = None, **more: object
) -> pb.DebitResponse:
    """Debit lines of acme; `more` overrides fields."""
    return await ledger.gate.Debit(pb.DebitRequest(**_asked(ledger, lines, user) | more))


async def capture_lines(
    ledger: RunningLedger, hold_id: str, *lines: pb.UsageLine, **more: object
) -> pb.CaptureResponse:
    """Capture lines of a hold of acme; `more` overrides fields."""
    asked = {"request_id": ledger.request_id(), "customer": "acme", "hold_id": hold_id, "lines": lines}
    return await ledger.gate.Capture(pb.CaptureRequest(**asked | more))  # type: ignore[arg-type]


def _asked(ledger: RunningLedger, lines: tuple[pb.UsageLine, ...], user: str | None) -> dict[str, object]:
    return {
        "request_id": ledger.request_id(),
        "customer": "acme",
        "lines": lines,
        "group_values": {"user_id": user} if user else {},
    }


def figures(lines: object) -> list[tuple[str, int, int, int]]:
    """Return kind (or product), tokens, micro-credits and shortfall of each line of an answer."""
    return [
        (
            line.dimension_values.get("token_kind", line.product_id),
            line.quantity_micros // 10**6,
            line.credits_micros,
            line.shortfall_micros,
        )
        for line in lines  # type: ignore[attr-defined]
    ]
