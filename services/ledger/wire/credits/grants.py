# SPDX-License-Identifier: Apache-2.0
"""Grants and balances on the wire."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from meshkit.quantity import INT64_MAX, Credits
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer
from services.ledger.domain.credits.balance import Balances, PoolBalance, SeatBalance
from services.ledger.domain.credits.commands import (
    AdjustBalance,
    AdjustedBalance,
    IssueGrant,
    VoidedGrant,
    VoidGrant,
)
from services.ledger.domain.credits.grant import CreditTypeId, Grant, GrantId, GrantKind, ProductId
from services.ledger.domain.gate.decision import CREDITS_MAX
from services.ledger.wire.amounts import optional_credit_type_from_wire, total_to_wire

PRIORITY_DEFAULT = 100
PRIORITY_MAX = 1_000
SCOPE_PRODUCTS_MAX = 50

_ISSUABLE: Final[Mapping[int, GrantKind]] = {
    pb.GRANT_KIND_TOP_UP: GrantKind.TOP_UP,
    pb.GRANT_KIND_PROMOTIONAL: GrantKind.PROMOTIONAL,
}


def issue_from_wire(request: admin.IssueGrantRequest) -> IssueGrant:
    fields = Fields()
    amount = fields.micros("amount_micros", request.amount_micros, minimum=1, maximum=CREDITS_MAX.micros)
    command = IssueGrant(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("IssueGrant", request),
        customer=fields.text("customer", request.customer),
        credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
        kind=fields.choice("grant_kind", request.grant_kind, _ISSUABLE),
        product_id=ProductId(fields.text("product_id", request.product_id)) if request.product_id else None,
        amount=Credits(amount),
        cost_basis_micros=fields.micros("cost_basis_micros", request.cost_basis_micros),
        priority=priority_from_wire(fields, request.priority),
        effective_time=fields.optional_time(
            "effective_time", request.effective_time, request.HasField("effective_time")
        ),
        expire_time=fields.optional_time("expire_time", request.expire_time, request.HasField("expire_time")),
        scope_product_ids=scope_from_wire(fields, "scope_product_ids", list(request.scope_product_ids)),
        source_id=fields.text("source_id", request.source_id) if request.source_id else None,
    )
    fields.check()
    return command


def top_up_from_wire(request: peer.IssueTopUpGrantRequest) -> IssueGrant:
    fields = Fields()
    amount = fields.micros("amount_micros", request.amount_micros, minimum=1, maximum=CREDITS_MAX.micros)
    command = IssueGrant(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("IssueTopUpGrant", request),
        customer=fields.text("customer_id", request.customer_id),
        credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
        kind=GrantKind.TOP_UP,
        product_id=ProductId(fields.text("product_id", request.product_id)) if request.product_id else None,
        amount=Credits(amount),
        cost_basis_micros=fields.micros("cost_basis_micros", request.cost_basis_micros),
        priority=priority_from_wire(fields, request.priority),
        effective_time=fields.time(
            "effective_time", request.effective_time, request.HasField("effective_time")
        ),
        expire_time=fields.optional_time("expire_time", request.expire_time, request.HasField("expire_time")),
        scope_product_ids=scope_from_wire(fields, "scope_product_ids", list(request.scope_product_ids)),
        source_id=fields.text("top_up_id", request.top_up_id),
        currency_code=fields.text("currency_code", request.currency_code, required=False),
    )
    fields.check()
    return command


def void_from_wire(request: admin.VoidGrantRequest) -> VoidGrant:
    fields = Fields()
    command = VoidGrant(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("VoidGrant", request),
        customer=fields.text("customer", request.customer),
        grant_id=GrantId(fields.text("grant_id", request.grant_id)),
        reason=fields.text("reason", request.reason),
        actor=fields.text("actor", request.actor),
    )
    fields.check()
    return command


def adjust_from_wire(request: admin.AdjustBalanceRequest) -> AdjustBalance:
    fields = Fields()
    most = CREDITS_MAX.micros
    amount = fields.micros("amount_micros", request.amount_micros, minimum=-most, maximum=most)
    if not request.amount_micros:
        fields.add("amount_micros", "must not be 0")
    command = AdjustBalance(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("AdjustBalance", request),
        customer=fields.text("customer", request.customer),
        credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
        amount=Credits(amount),
        expire_time=fields.optional_time("expire_time", request.expire_time, request.HasField("expire_time")),
        reason=fields.text("reason", request.reason),
        actor=fields.text("actor", request.actor),
    )
    if command.amount < Credits(0) and command.expire_time is not None:
        fields.add("expire_time", "is for added credits only")
    fields.check()
    return command


def adjust_to_wire(adjusted: AdjustedBalance) -> admin.AdjustBalanceResponse:
    return admin.AdjustBalanceResponse(adjusted_micros=adjusted.adjusted.micros, grant_id=adjusted.grant_id)


def priority_from_wire(fields: Fields, value: int) -> int:
    return fields.count("priority", value, minimum=0, maximum=PRIORITY_MAX) or PRIORITY_DEFAULT


def scope_from_wire(fields: Fields, field: str, product_ids: list[str]) -> frozenset[ProductId]:
    if len(product_ids) > SCOPE_PRODUCTS_MAX:
        fields.add(field, f"must have at most {SCOPE_PRODUCTS_MAX} products, has {len(product_ids)}")
    return frozenset(ProductId(fields.text(f"{field}[{n}]", one)) for n, one in enumerate(product_ids))


def issue_to_wire(grant: Grant, credit_type_id: CreditTypeId) -> admin.IssueGrantResponse:
    return admin.IssueGrantResponse(grant=grant_to_wire(grant, credit_type_id, at=grant.create_time))


def top_up_to_wire(grant: Grant, credit_type_id: CreditTypeId) -> peer.IssueTopUpGrantResponse:
    return peer.IssueTopUpGrantResponse(grant=grant_to_wire(grant, credit_type_id, at=grant.create_time))


def void_to_wire(voided: VoidedGrant) -> admin.VoidGrantResponse:
    assert voided.grant.void is not None
    grant = listed_grant_to_wire(voided.grant, voided.credit_type_id, at=voided.grant.void.time)
    return admin.VoidGrantResponse(grant=grant, voided_micros=voided.voided.micros)


def grant_to_wire(grant: Grant, credit_type_id: CreditTypeId, *, at: datetime) -> pb.Grant:
    return pb.Grant(
        grant_id=grant.grant_id,
        grant_kind=f"GRANT_KIND_{grant.kind.name}",
        credit_type_id=credit_type_id,
        product_id=grant.product_id,
        granted_micros=grant.granted.micros,
        captured_micros=grant.captured.micros,
        held_micros=grant.held.micros,
        expired_micros=grant.expired.micros,
        voided_micros=grant.voided.micros,
        available_micros=grant.rest.micros if grant.is_active(at) else 0,
        priority=grant.priority,
        effective_time=timestamp(grant.effective_time),
        expire_time=optional_timestamp(grant.expire_time),
        cost_basis_micros=grant.cost_basis_micros,
        scope_product_ids=sorted(grant.scope_product_ids),
        grant_schedule_id=None if grant.schedule_id is None else grant.schedule_id.partition("#")[0],
        source_id=grant.source_id,
        create_time=timestamp(grant.create_time),
        void_time=optional_timestamp(None if grant.void is None else grant.void.time),
        rolled_over_micros=grant.rolled_over.micros,
        rolled_from_grant_id=grant.rolled_from,
        slot_id=grant.slot_id,
    )


def listed_grant_to_wire(grant: Grant, credit_type_id: CreditTypeId, *, at: datetime) -> pb.Grant:
    """Return the grant as operators see it: with why and by whom it was voided, which customers are not shown."""
    listed = grant_to_wire(grant, credit_type_id, at=at)
    if grant.void is not None:
        listed.void_reason = grant.void.reason
        listed.void_actor = grant.void.actor
    return listed


def balance_from_wire(request: pb.GetBalanceRequest) -> tuple[str, CreditTypeId | None, str | None]:
    """Return the customer, the credit type and the seat id that are asked for."""
    fields = Fields()
    customer = fields.text("customer", request.customer)
    credit_type_id = optional_credit_type_from_wire(fields, request.credit_type_id)
    seat_id = fields.text("seat_id", request.seat_id, required=False) or None
    fields.check()
    return customer, credit_type_id, seat_id


def balance_to_wire(balances: Balances, seats: Sequence[SeatBalance] = ()) -> pb.GetBalanceResponse:
    return pb.GetBalanceResponse(
        pools=[_pool_to_wire(pool, balances.at) for pool in balances.pools],
        as_of_time=timestamp(balances.at),
        seats=[seat_balance_to_wire(one, at=balances.at) for one in seats],
    )


def seat_balance_to_wire(balance: SeatBalance, *, at: datetime) -> pb.SeatBalance:
    seat = balance.seat
    return pb.SeatBalance(
        subscription_id=seat.subscription_id,
        seat_id=seat.seat_id,
        slot_id=seat.slot_id,
        credit_type_id=seat.credit_type_id,
        available_micros=total_to_wire(balance.available),
        held_micros=total_to_wire(balance.held),
        remaining_micros=total_to_wire(balance.available + balance.held),
        draws_shared_pool=seat.draws_shared_pool,
        grants=[grant_to_wire(grant, seat.credit_type_id, at=at) for grant in balance.grants],
    )


def _pool_to_wire(pool: PoolBalance, at: datetime) -> pb.PoolBalance:
    return pb.PoolBalance(
        credit_type_id=pool.credit_type_id,
        available_micros=total_to_wire(pool.available),
        held_micros=total_to_wire(pool.held),
        remaining_micros=total_to_wire(pool.remaining),
        shortfall_micros=pool.shortfall.micros,
        grants=[grant_to_wire(grant, pool.credit_type_id, at=at) for grant in pool.grants],
        next_expire_time=optional_timestamp(pool.next_expire_time),
        next_expiring_micros=total_to_wire(pool.next_expiring),
        overage=[
            pb.OverageBalance(
                contract_id=one.contract_id,
                captured_micros=one.captured.micros,
                held_micros=one.held.micros,
                cap_micros=None if one.cap is None else one.cap.micros,
                start_time=timestamp(one.period.start),
                end_time=timestamp(one.period.end),
            )
            for one in pool.overage
        ],
        owed_micros=total_to_wire(pool.owed),
        owed_money_micros=min(pool.owed_money_micros, INT64_MAX),
    )
