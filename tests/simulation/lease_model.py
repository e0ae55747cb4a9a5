# SPDX-License-Identifier: Apache-2.0
"""What the Ledger must answer about leases: a lease is a hold of the model, from which uses take what they cost.

Prices and capped keys are not modelled: they are taken from the Ledger's answer.
"""

from datetime import timedelta
from types import SimpleNamespace as Thing
from typing import Any

from google.protobuf.duration_pb2 import Duration

from meshkit.rpc.fields import span, timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from tests.simulation.model import Pool, spend, total

GRACE = timedelta(seconds=10)
TTL_DEFAULT = timedelta(seconds=30)

Settling = pb.SettleLeaseRequest | pb.EndLeaseRequest


def lease(pool: Pool, credit_type: str, request: pb.LeaseRequest, told: Any) -> pb.LeaseResponse:
    """Take a lease. Raises LookupError."""
    product, user = request.product_id, request.group_values.get("user_id", "")
    if reason := pool.bar(product):
        return pb.LeaseResponse(**_decision(reason))
    if "*" in pool.most or (user and {"", user} & pool.most.keys()):
        raise LookupError("PRODUCT_NOT_LEASABLE")
    leased = min(request.credits_micros, pool.payable(product, user))
    if leased:
        hold = Thing(product=product, user=user, meter=pool.meter(product), is_open=True, units=0, lines=[])
        hold.end = pool.now + _ttl(request) + GRACE
        hold.amount, hold.draws = leased, pool.draw(product, leased)
        hold.overage, hold.results = leased - total(hold.draws), dict[str, Any]()
        pool.holds[told.lease_id] = hold
    reason = "" if leased else pool.refusal(product, user, request.credits_micros)
    answer = pb.LeaseResponse(**_decision(reason), credit_type_id=credit_type)
    answer.available_micros = pool.room(product, user)[0]
    if leased:
        answer.lease_id, answer.leased_micros = told.lease_id, leased
        answer.expire_time.CopyFrom(timestamp(pool.holds[told.lease_id].end - GRACE))
    elif reason == "SPEND_CAP_REACHED":
        answer.reached_cap.CopyFrom(told.reached_cap)
    return answer


def settle(pool: Pool, credit_type: str, request: Settling) -> Any:
    """Record the uses of a lease, and renew or end it."""
    hold = pool.holds[request.lease_id]
    results = [_use(pool, hold, use) for use in request.uses]
    is_open = hold in pool.alive()
    answer: Any
    if isinstance(request, pb.EndLeaseRequest):
        answer = pb.EndLeaseResponse(results=results, released_micros=pool.reserved(hold) if is_open else 0)
        hold.is_open = hold.is_open and not is_open
    else:
        answer = pb.SettleLeaseResponse(results=results)
        if is_open and request.HasField("renewal"):
            reason = _renew(pool, hold, request.renewal)
            answer.MergeFrom(pb.SettleLeaseResponse(**_decision(reason)))
        answer.leased_micros = pool.reserved(hold) if is_open else 0
        answer.expire_time.CopyFrom(timestamp(hold.end - GRACE))
    answer.credit_type_id, answer.available_micros = credit_type, pool.room(hold.product, "")[0]
    return answer


def as_of(pool: Pool, answer: Any, told: Any) -> Any:
    """Return an answer as it is given now, also a repeated one: with what is left of the life, and the terms told."""
    now = type(answer)()
    now.CopyFrom(answer)
    if not isinstance(answer, pb.EndLeaseResponse) and isinstance(told, type(answer)):
        now.prices.extend(told.prices)
        now.capped_keys.extend(told.capped_keys)
        if answer.HasField("expire_time"):
            left = answer.expire_time.ToDatetime(tzinfo=pool.now.tzinfo) - pool.now
            now.ttl.CopyFrom(span(max(timedelta(0), left)))
    return now


def _use(pool: Pool, hold: Thing, use: pb.LeaseUse) -> pb.LeaseUseResult:
    if use.request_id in hold.results:
        return hold.results[use.request_id]
    in_units = use.WhichOneof("amount") == "quantity_micros"
    amount, user = getattr(use, use.WhichOneof("amount")), use.group_values.get("user_id", "")
    is_priced = hold.product in pool.prices and pool.start <= pool.now < pool.end
    meter = pool.meter(hold.product) if is_priced else hold.meter
    used, is_late = pool.charge(meter, amount, in_units), hold not in pool.alive()
    pool.meters[meter] = pool.meters.get(meter, 0) + (amount if in_units else 0)
    excess, reserved = used, 0
    if not is_late:
        excess = spend(hold.draws, used)
        hold.draws = _less(hold.draws, used - excess)
        reserved = min(excess, hold.overage)
        hold.overage -= reserved
    short = spend(pool.draw(hold.product, excess), excess)
    billed = pool.bill(short, reserved)
    hold.overage += reserved - min(reserved, billed)
    pool.spends, pool.shortfall = [*pool.spends, (pool.now, user, used)], pool.shortfall + short
    hold.results[use.request_id] = pb.LeaseUseResult(
        captured_micros=used - short + billed,
        overage_micros=billed,
        shortfall_micros=short - billed,
        is_late=is_late,
    )
    return hold.results[use.request_id]


def _renew(pool: Pool, hold: Thing, renewal: pb.LeaseRenewal) -> str:
    if reason := pool.bar(hold.product):
        return reason
    if "*" in pool.most or (hold.user and {"", hold.user} & pool.most.keys()):
        return "NOT_ENTITLED"
    wanted = renewal.credits_micros - pool.reserved(hold)
    if wanted > 0:
        added = min(wanted, pool.payable(hold.product, hold.user))
        if not added:
            return pool.refusal(hold.product, hold.user, wanted)
        more = pool.draw(hold.product, added)
        hold.draws, hold.overage = hold.draws + more, hold.overage + added - total(more)
    hold.end = max(hold.end, pool.now + _ttl(renewal) + GRACE)
    return ""


def _less(draws: list[Any], taken: int) -> list[Any]:
    left = []
    for grant, amount in draws:
        left.append((grant, amount - min(amount, taken)))
        taken -= min(amount, taken)
    return left


def _ttl(of: Any) -> timedelta:
    ttl: Duration = of.ttl
    return ttl.ToTimedelta() if of.HasField("ttl") else TTL_DEFAULT


def _decision(reason: str) -> dict[str, Any]:
    return {
        "decision": pb.DECISION_DENIED if reason else pb.DECISION_ALLOWED,
        "denial_reason": pb.DenialReason.Value(f"DENIAL_REASON_{reason or 'UNSPECIFIED'}"),
    }
