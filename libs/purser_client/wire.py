# SPDX-License-Identifier: Apache-2.0
"""Converts values to requests and responses to values. The Ledger, not this module, validates requests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.quantity import Credits, Quantity
from purser.ledger.v1 import ledger_pb2 as pb
from purser_client.amounts import Amount
from purser_client.answers import (
    Balance,
    CaptureResult,
    DebitResult,
    Denial,
    DenialReason,
    FullCap,
    GrantBalance,
    LedgerHold,
    LineResult,
    PoolBalance,
    ReachedCap,
    ShadowDenial,
)
from purser_client.lines import Line

# A request that bills usage. It is recorded and reported later when the Ledger is unreachable.
BillingRequest: TypeAlias = pb.DebitRequest | pb.CaptureRequest | pb.SettleLeaseRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRequest:
    """What an AI call is about to use: an amount of a product or several lines, of which customer, on whose behalf.

    amount None: there are lines, and product_id is empty.
    """

    customer: str
    product_id: str = ""
    amount: Amount | None = None
    group_values: Mapping[str, str]
    lines: tuple[Line, ...] = ()


def authorize_to_wire(
    usage: UsageRequest, *, request_id: str, ttl: timedelta | None, allow_partial: bool
) -> pb.AuthorizeRequest:
    request = pb.AuthorizeRequest(
        request_id=request_id,
        customer=usage.customer,
        product_id=usage.product_id,
        group_values=usage.group_values,
        hold_ttl=duration(ttl),
        allow_partial=allow_partial,
        lines=_lines_to_wire(usage.lines),
    )
    _set_amount(request, usage.amount)
    return request


def debit_to_wire(usage: UsageRequest, *, request_id: str) -> pb.DebitRequest:
    request = pb.DebitRequest(
        request_id=request_id,
        customer=usage.customer,
        product_id=usage.product_id,
        group_values=usage.group_values,
        lines=_lines_to_wire(usage.lines),
    )
    _set_amount(request, usage.amount)
    return request


def capture_to_wire(
    *, request_id: str, customer: str, hold_id: str, actual: Amount | None, lines: Sequence[Line] = ()
) -> pb.CaptureRequest:
    request = pb.CaptureRequest(
        request_id=request_id, customer=customer, hold_id=hold_id, lines=_lines_to_wire(lines)
    )
    _set_amount(request, actual)
    return request


def release_to_wire(*, request_id: str, customer: str, hold_id: str) -> pb.ReleaseRequest:
    return pb.ReleaseRequest(request_id=request_id, customer=customer, hold_id=hold_id)


def extend_to_wire(
    *, request_id: str, customer: str, hold_id: str, additional: Amount | None, ttl: timedelta | None
) -> pb.ExtendHoldRequest:
    request = pb.ExtendHoldRequest(
        request_id=request_id, customer=customer, hold_id=hold_id, hold_ttl=duration(ttl)
    )
    _set_amount(request, additional)
    return request


def amount_from_wire(request: BillingRequest) -> Amount | None:
    """Return the amount of a debit or a capture; None: its lines or all that is held, or these are uses of a lease."""
    if isinstance(request, pb.SettleLeaseRequest):
        return None
    if request.HasField("quantity_micros"):
        return Quantity(request.quantity_micros)
    return Credits(request.credits_micros) if request.HasField("credits_micros") else None


def lines_from_wire(request: BillingRequest) -> tuple[Line, ...]:
    """Return the lines of a debit or a capture, if it has any."""
    if isinstance(request, pb.SettleLeaseRequest):
        return ()
    return tuple(
        Line(one.product_id, Quantity(one.quantity_micros), dict(one.properties)) for one in request.lines
    )


def ledger_hold_from_wire(response: pb.AuthorizeResponse) -> LedgerHold:
    return LedgerHold(
        hold_id=response.hold_id,
        credits=Credits(response.held_micros),
        quantity=Quantity(response.held_quantity_micros),
        credit_type_id=response.credit_type_id,
        available=Credits(response.available_micros),
        expire_time=time_from_wire(response.expire_time),
        lines=_results_from_wire(response.lines),
        shadow_denial=_shadow_denial_from_wire(response),
    )


def extended_hold(hold: LedgerHold, response: pb.ExtendHoldResponse, additional: Amount | None) -> LedgerHold:
    """Return the hold after an extension that the Ledger allowed."""
    more = additional if isinstance(additional, Quantity) else Quantity.zero()
    return replace(
        hold,
        credits=Credits(response.held_micros),
        quantity=hold.quantity + more,
        available=Credits(response.available_micros),
        expire_time=time_from_wire(response.expire_time),
        shadow_denial=_shadow_denial_from_wire(response),
    )


def denial_from_wire(response: pb.AuthorizeResponse | pb.DebitResponse) -> Denial:
    return Denial(
        reason=denial_reason_from_wire(response.denial_reason),
        available=Credits(response.available_micros),
        affordable=Quantity(response.affordable_quantity_micros),
        affordable_credits=Credits(response.affordable_credits_micros),
        credit_type_id=response.credit_type_id,
        reached_cap=_reached_cap_from_wire(response),
        full_cap=_full_cap_from_wire(response) if isinstance(response, pb.AuthorizeResponse) else None,
    )


def extension_denial_from_wire(response: pb.ExtendHoldResponse) -> Denial:
    return Denial(
        reason=denial_reason_from_wire(response.denial_reason),
        available=Credits(response.available_micros),
        affordable=Quantity.zero(),
        affordable_credits=Credits(response.affordable_credits_micros),
        credit_type_id=response.credit_type_id,
        reached_cap=_reached_cap_from_wire(response),
    )


def _reached_cap_from_wire(
    response: pb.AuthorizeResponse | pb.DebitResponse | pb.ExtendHoldResponse,
) -> ReachedCap | None:
    if not response.HasField("reached_cap"):
        return None
    cap = response.reached_cap
    return ReachedCap(
        spend_cap_id=cap.spend_cap_id,
        group_key=cap.group_key,
        group_value=cap.group_value,
        limit=Credits(cap.limit_micros),
        used=Credits(cap.used_micros),
        reset_time=time_from_wire(cap.window_end_time),
        product=cap.product_id,
        cap_group_id=cap.cap_group_id,
        owner=pb.CapOwner.Name(cap.owner).removeprefix("CAP_OWNER_") if cap.owner else "VENDOR",
    )


def _shadow_denial_from_wire(
    response: pb.AuthorizeResponse | pb.DebitResponse | pb.ExtendHoldResponse,
) -> ShadowDenial | None:
    if not response.HasField("shadow_denial"):
        return None
    denial = response.shadow_denial
    return ShadowDenial(
        reason=denial_reason_from_wire(denial.denial_reason),
        spend_cap_id=denial.spend_cap_id,
        concurrency_cap_id=denial.concurrency_cap_id,
        missing=Credits(denial.missing_micros),
    )


def _full_cap_from_wire(response: pb.AuthorizeResponse) -> FullCap | None:
    if not response.HasField("reached_concurrency_cap"):
        return None
    cap = response.reached_concurrency_cap
    return FullCap(
        concurrency_cap_id=cap.concurrency_cap_id,
        group_key=cap.group_key,
        group_value=cap.group_value,
        product=cap.product_id,
        holds_max=cap.holds_max,
        open_holds=cap.open_holds,
        free_time=time_from_wire(cap.free_time) if cap.HasField("free_time") else None,
    )


def denial_reason_from_wire(reason: pb.DenialReason) -> DenialReason:
    """Return the reason; UNKNOWN for one that is newer than this client."""
    if reason not in pb.DenialReason.values():
        return DenialReason.UNKNOWN
    name = pb.DenialReason.Name(reason).removeprefix("DENIAL_REASON_")
    return DenialReason.__members__.get(name, DenialReason.UNKNOWN)


def capture_result_from_wire(response: pb.CaptureResponse) -> CaptureResult:
    return CaptureResult(
        captured=Credits(response.captured_micros),
        released=Credits(response.released_micros),
        shortfall=Credits(response.shortfall_micros),
        is_late=response.is_late,
        credit_type_id=response.credit_type_id,
        available=Credits(response.available_micros),
        lines=_results_from_wire(response.lines),
    )


def debit_result_from_wire(request: pb.DebitRequest, response: pb.DebitResponse) -> DebitResult:
    return DebitResult(
        request_id=request.request_id,
        debited=Credits(response.debited_micros),
        available=Credits(response.available_micros),
        credit_type_id=response.credit_type_id,
        lines=_results_from_wire(response.lines),
        shadow_denial=_shadow_denial_from_wire(response),
    )


def failed_open_debit_result(request: pb.DebitRequest) -> DebitResult:
    """Return the result of a debit that was recorded instead of carried out: its amounts are not known yet."""
    return DebitResult(
        request_id=request.request_id, debited=None, available=None, credit_type_id="", is_failed_open=True
    )


def balance_from_wire(response: pb.GetBalanceResponse) -> Balance:
    return Balance(
        pools=tuple(_pool_from_wire(pool) for pool in response.pools),
        as_of_time=time_from_wire(response.as_of_time),
    )


def time_from_wire(at: Timestamp) -> datetime:
    return at.ToDatetime(tzinfo=UTC)


def _pool_from_wire(pool: pb.PoolBalance) -> PoolBalance:
    return PoolBalance(
        credit_type_id=pool.credit_type_id,
        available=Credits(pool.available_micros),
        held=Credits(pool.held_micros),
        shortfall=Credits(pool.shortfall_micros),
        grants=tuple(_grant_from_wire(grant) for grant in pool.grants),
        next_expire_time=time_from_wire(pool.next_expire_time) if pool.HasField("next_expire_time") else None,
        next_expiring=Credits(pool.next_expiring_micros),
    )


def _grant_from_wire(grant: pb.Grant) -> GrantBalance:
    return GrantBalance(
        grant_id=grant.grant_id,
        kind=pb.GrantKind.Name(grant.grant_kind).removeprefix("GRANT_KIND_")
        if grant.grant_kind in pb.GrantKind.values()
        else "UNKNOWN",
        product_id=grant.product_id,
        priority=grant.priority,
        granted=Credits(grant.granted_micros),
        captured=Credits(grant.captured_micros),
        held=Credits(grant.held_micros),
        available=Credits(grant.available_micros),
        effective_time=time_from_wire(grant.effective_time),
        expire_time=time_from_wire(grant.expire_time) if grant.HasField("expire_time") else None,
    )


def _lines_to_wire(lines: Iterable[Line]) -> list[pb.UsageLine]:
    return [
        pb.UsageLine(product_id=one.product, quantity_micros=one.quantity.micros, properties=one.properties)
        for one in lines
    ]


def _results_from_wire(lines: Iterable[pb.LineResult]) -> tuple[LineResult, ...]:
    return tuple(
        LineResult(
            product=one.product_id,
            dimension_values=dict(one.dimension_values),
            quantity=Quantity(one.quantity_micros),
            credits=Credits(one.credits_micros),
            shortfall=Credits(one.shortfall_micros),
        )
        for one in lines
    )


def _set_amount(
    request: pb.AuthorizeRequest | pb.DebitRequest | pb.CaptureRequest | pb.ExtendHoldRequest,
    amount: Amount | None,
) -> None:
    match amount:
        case None:
            pass
        case Quantity():
            request.quantity_micros = amount.micros
        case Credits():
            request.credits_micros = amount.micros


def duration(span: timedelta | None) -> Duration | None:
    if span is None:
        return None
    on_wire = Duration()
    on_wire.FromTimedelta(span)
    return on_wire
