# SPDX-License-Identifier: Apache-2.0
"""Leases on the wire: requests from values, and what the Ledger said of a lease."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.leases.lease import MICROSECOND, LeaseTerms, Use
from purser_client.wire import duration, time_from_wire


def lease_to_wire(
    *,
    request_id: str,
    customer: str,
    product: str,
    group_values: Mapping[str, str],
    credits_micros: int,
    ttl: timedelta,
) -> pb.LeaseRequest:
    return pb.LeaseRequest(
        request_id=request_id,
        customer=customer,
        product_id=product,
        credits_micros=credits_micros,
        group_values=group_values,
        ttl=duration(ttl),
    )


def settle_to_wire(
    *,
    request_id: str,
    customer: str,
    lease_id: str,
    uses: Sequence[Use],
    renewal_micros: int | None = None,
    ttl: timedelta | None = None,
) -> pb.SettleLeaseRequest:
    """renewal_micros: what shall be reserved afterwards; None: the lease is not renewed."""
    return pb.SettleLeaseRequest(
        request_id=request_id,
        customer=customer,
        lease_id=lease_id,
        uses=_uses_to_wire(uses),
        renewal=None
        if renewal_micros is None
        else pb.LeaseRenewal(credits_micros=renewal_micros, ttl=duration(ttl)),
    )


def end_to_wire(*, request_id: str, customer: str, lease_id: str, uses: Sequence[Use]) -> pb.EndLeaseRequest:
    return pb.EndLeaseRequest(
        request_id=request_id, customer=customer, lease_id=lease_id, uses=_uses_to_wire(uses)
    )


def terms_from_wire(response: pb.LeaseResponse | pb.SettleLeaseResponse, sent: float) -> LeaseTerms:
    """sent: when the request was sent, on the clock of `ends`: so the lease ends here before it ends at the Ledger."""
    # A call of the gate has no properties, so the first price that asks for none is the one that decides.
    price = next((one for one in response.prices if not one.properties), pb.LeasePrice())
    return LeaseTerms(
        leased_micros=response.leased_micros,
        ends=sent + response.ttl.seconds + response.ttl.nanos / 1e9,
        expire_time=time_from_wire(response.expire_time),
        price_micros=price.price_micros,
        per_micros=price.per_micros,
        available_micros=response.available_micros,
    )


def _uses_to_wire(uses: Iterable[Use]) -> list[pb.LeaseUse]:
    return [_use_to_wire(use) for use in uses]


def _use_to_wire(use: Use) -> pb.LeaseUse:
    seconds, micros = divmod(use.time_micros, MICROSECOND)
    at = Timestamp(seconds=seconds, nanos=micros * 1_000)
    if use.quantity_micros:
        return pb.LeaseUse(
            request_id=use.request_id,
            quantity_micros=use.quantity_micros,
            group_values=use.group_values,
            use_time=at,
        )
    return pb.LeaseUse(
        request_id=use.request_id,
        credits_micros=use.credits_micros,
        group_values=use.group_values,
        use_time=at,
    )
