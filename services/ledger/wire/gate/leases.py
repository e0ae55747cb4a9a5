# SPDX-License-Identifier: Apache-2.0
"""Lease, SettleLease and EndLease on the wire."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration

from meshkit.errors import InvalidFields, MeshError
from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields, optional_timestamp, span, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.domain.gate.decision import CREDITS_MAX
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.lease import (
    TTL_DEFAULT,
    TTL_MAX,
    TTL_MIN,
    USES_MAX,
    EndLease,
    Leased,
    LeaseDenied,
    LeaseEnded,
    LeasePrice,
    LeaseSettled,
    LeaseTerms,
    LeaseUse,
    Renewal,
    SettleLease,
    TakeLease,
    UseResult,
)
from services.ledger.wire.amounts import (
    amount_from_wire,
    decision_to_wire,
    group_values_from_wire,
    product_id_from_wire,
    properties_from_wire,
    reason_to_wire,
    total_to_wire,
)
from services.ledger.wire.gate.batches import ToStatus
from services.ledger.wire.gate.caps import cap_use_to_wire


def lease_from_wire(request: pb.LeaseRequest) -> TakeLease:
    fields = Fields()
    command = TakeLease(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("Lease", request),
        customer=fields.text("customer", request.customer),
        product_id=product_id_from_wire(fields, request.product_id),
        credits=Credits(
            fields.micros("credits_micros", request.credits_micros, minimum=1, maximum=CREDITS_MAX.micros)
        ),
        group_values=group_values_from_wire(fields, request.group_values),
        ttl=_ttl_from_wire(fields, "ttl", request.ttl, request.HasField("ttl")),
    )
    fields.check()
    return command


def lease_to_wire(leased: Leased, terms: LeaseTerms, at: datetime) -> pb.LeaseResponse:
    """at: the time of the answer."""
    reached = leased.reached_cap if isinstance(leased, LeaseDenied) else None
    return pb.LeaseResponse(
        decision=decision_to_wire(leased.reason),
        denial_reason=reason_to_wire(leased.reason),
        lease_id=leased.lease_id,
        leased_micros=leased.leased.micros,
        expire_time=optional_timestamp(leased.expire_time),
        ttl=None if leased.expire_time is None else _left(leased.expire_time, at),
        credit_type_id=leased.credit_type_id,
        available_micros=total_to_wire(leased.available),
        prices=_prices_to_wire(terms.prices),
        capped_keys=terms.capped_keys,
        reached_cap=None if reached is None else cap_use_to_wire(reached),
    )


def settle_from_wire(request: pb.SettleLeaseRequest) -> SettleLease:
    fields = Fields()
    command = SettleLease(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SettleLease", request),
        customer=fields.text("customer", request.customer),
        lease_id=HoldId(fields.text("lease_id", request.lease_id)),
        uses=_uses_from_wire(fields, request.uses),
        renewal=_renewal_from_wire(fields, request.renewal) if request.HasField("renewal") else None,
    )
    fields.check()
    return command


def settle_to_wire(
    results: Iterable[UseResult],
    settled: LeaseSettled,
    terms: LeaseTerms,
    at: datetime,
    to_status: ToStatus,
) -> pb.SettleLeaseResponse:
    """at: the time of the answer."""
    decision = pb.DECISION_UNSPECIFIED
    if settled.is_renewed or settled.reason is not None:
        decision = decision_to_wire(settled.reason)
    return pb.SettleLeaseResponse(
        results=_results_to_wire(results, to_status),
        decision=decision,
        denial_reason=reason_to_wire(settled.reason),
        leased_micros=settled.leased.micros,
        expire_time=timestamp(settled.expire_time),
        ttl=_left(settled.expire_time, at),
        credit_type_id=settled.credit_type_id,
        available_micros=total_to_wire(settled.available),
        prices=_prices_to_wire(terms.prices),
        capped_keys=terms.capped_keys,
    )


def end_from_wire(request: pb.EndLeaseRequest) -> EndLease:
    fields = Fields()
    command = EndLease(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("EndLease", request),
        customer=fields.text("customer", request.customer),
        lease_id=HoldId(fields.text("lease_id", request.lease_id)),
        uses=_uses_from_wire(fields, request.uses),
    )
    fields.check()
    return command


def end_to_wire(results: Iterable[UseResult], ended: LeaseEnded, to_status: ToStatus) -> pb.EndLeaseResponse:
    return pb.EndLeaseResponse(
        results=_results_to_wire(results, to_status),
        released_micros=ended.released.micros,
        credit_type_id=ended.credit_type_id,
        available_micros=total_to_wire(ended.available),
    )


def _uses_from_wire(fields: Fields, uses: Sequence[pb.LeaseUse]) -> tuple[LeaseUse | InvalidFields, ...]:
    """Return each use, or its error in its place: a malformed one keeps no other from being recorded."""
    if len(uses) > USES_MAX:
        fields.add("uses", f"must be at most {USES_MAX}, are {len(uses)}; settle the others in another call")
    return tuple(map(_use_from_wire, uses[:USES_MAX]))


def _use_from_wire(use: pb.LeaseUse) -> LeaseUse | InvalidFields:
    fields = Fields()
    read = LeaseUse(
        request_id=fields.request_id(use.request_id),
        # Without the lease or the rpc: a use is the same one whichever call reports it.
        fingerprint=fingerprint("LeaseUse", use),
        amount=amount_from_wire(fields, use.WhichOneof("amount"), use.quantity_micros, use.credits_micros),
        group_values=group_values_from_wire(fields, use.group_values),
        properties=properties_from_wire(fields, use.properties),
        used_time=fields.optional_time("use_time", use.use_time, use.HasField("use_time")),
    )
    try:
        fields.check()
    except InvalidFields as malformed:
        return malformed
    return read


def _renewal_from_wire(fields: Fields, renewal: pb.LeaseRenewal) -> Renewal:
    return Renewal(
        credits=Credits(
            fields.micros("renewal.credits_micros", renewal.credits_micros, maximum=CREDITS_MAX.micros)
        ),
        ttl=_ttl_from_wire(fields, "renewal.ttl", renewal.ttl, renewal.HasField("ttl")),
    )


def _ttl_from_wire(fields: Fields, name: str, ttl: Duration, has: bool) -> timedelta:
    return fields.duration(name, ttl, has, default=TTL_DEFAULT, minimum=TTL_MIN, maximum=TTL_MAX)


def _left(expire_time: datetime, at: datetime) -> Duration:
    return span(max(timedelta(0), expire_time - at))


def _prices_to_wire(prices: Iterable[LeasePrice]) -> list[pb.LeasePrice]:
    return [
        pb.LeasePrice(
            properties=one.properties,
            price_micros=0 if one.price is None else one.price.numerator_micros,
            per_micros=0 if one.price is None else one.price.denominator_micros,
        )
        for one in prices
    ]


def _results_to_wire(results: Iterable[UseResult], to_status: ToStatus) -> list[pb.LeaseUseResult]:
    return [
        pb.LeaseUseResult(error=to_status(result))
        if isinstance(result, MeshError)
        else pb.LeaseUseResult(
            captured_micros=result.captured.micros,
            overage_micros=result.overage.micros,
            shortfall_micros=result.shortfall.micros,
            is_late=result.is_late,
        )
        for result in results
    ]
