# SPDX-License-Identifier: Apache-2.0
"""Leases of acme: takes, settles and ends them; whole credits unless said otherwise."""

from collections.abc import Sequence

from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.ledger import CREDIT, RunningLedger


async def take(
    ledger: RunningLedger, credits: int, *, user: str | None = None, **more: object
) -> pb.LeaseResponse:
    """Lease credits for prd_assistant; `more` overrides fields."""
    asked: dict[str, object] = {
        "request_id": ledger.request_id(),
        "customer": "acme",
        "product_id": "prd_assistant",
        "credits_micros": credits * CREDIT,
        "group_values": {"user_id": user} if user else {},
    }
    return await ledger.gate.Lease(pb.LeaseRequest(**(asked | more)))  # type: ignore[arg-type]


def a_use(ledger: RunningLedger, credits: int, *, user: str | None = None, **more: object) -> pb.LeaseUse:
    """Return a use of whole credits; `more` overrides fields."""
    said: dict[str, object] = {
        "request_id": ledger.request_id(),
        "group_values": {"user_id": user} if user else {},
    }
    if "quantity_micros" not in more:
        said["credits_micros"] = credits * CREDIT
    return pb.LeaseUse(**(said | more))  # type: ignore[arg-type]


async def settle(
    ledger: RunningLedger,
    lease_id: str,
    *uses: pb.LeaseUse,
    renewal: pb.LeaseRenewal | None = None,
    **more: object,
) -> pb.SettleLeaseResponse:
    """Settle uses of a lease; `more` overrides fields."""
    asked: dict[str, object] = {
        "request_id": ledger.request_id(),
        "customer": "acme",
        "lease_id": lease_id,
        "uses": uses,
        "renewal": renewal,
    }
    return await ledger.gate.SettleLease(pb.SettleLeaseRequest(**(asked | more)))  # type: ignore[arg-type]


async def end(
    ledger: RunningLedger, lease_id: str, uses: Sequence[pb.LeaseUse] = (), **more: object
) -> pb.EndLeaseResponse:
    """End a lease with its last uses; `more` overrides fields."""
    asked: dict[str, object] = {
        "request_id": ledger.request_id(),
        "customer": "acme",
        "lease_id": lease_id,
        "uses": uses,
    }
    return await ledger.gate.EndLease(pb.EndLeaseRequest(**(asked | more)))  # type: ignore[arg-type]


def renewed(credits: int, **more: object) -> pb.LeaseRenewal:
    """Return a renewal to whole credits in all."""
    return pb.LeaseRenewal(credits_micros=credits * CREDIT, **more)  # type: ignore[arg-type]
