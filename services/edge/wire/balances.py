# SPDX-License-Identifier: Apache-2.0
"""Balances: a grant is a commit if it was bought, and a credit otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Final, Literal

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from services.edge.wire.amounts import USD_ID, CreditTypes, amount_to_json, credit_type_id_to_json
from services.edge.wire.fields import (
    UPPER,
    Body,
    Instant,
    Number,
    TextList,
    Whole,
    limit_of,
    only,
    refused,
    time_to_json,
    without_absent,
)

NEVER: Final = "9999-12-31T00:00:00.000Z"
# What an entry is called after CREDIT_ or PREPAID_COMMIT_.
_ENTRY_TYPES: Final = {
    admin.ENTRY_KIND_GRANT: "SEGMENT_START",
    admin.ENTRY_KIND_SEAT_ADJUSTMENT: "SEAT_BASED_ADJUSTMENT",
    admin.ENTRY_KIND_CAPTURE: "AUTOMATED_INVOICE_DEDUCTION",
    admin.ENTRY_KIND_EXPIRY: "EXPIRATION",
    # What had expired and became usable again: an expiration taken back.
    admin.ENTRY_KIND_REINSTATEMENT: "EXPIRATION",
    admin.ENTRY_KIND_VOID: "CANCELED",
    admin.ENTRY_KIND_CORRECTION: "CREDITED",
}
# Entries that name an invoice in Metronome. Ours are written at each use, before there is one.
_OF_INVOICES: Final = ("AUTOMATED_INVOICE_DEDUCTION", "CANCELED", "CREDITED")


class ListBalances(Body):
    ignores: ClassVar[frozenset[str]] = frozenset({"include_archived"})

    customer_id: str
    id: str = ""
    limit: Annotated[Whole, limit_of(25)] = 25
    next_page: str = ""
    covering_date: Instant | None = None
    starting_at: Instant | None = None
    effective_before: Instant | None = None
    include_contract_balances: bool = False
    include_balance: bool = False
    include_ledgers: bool = False
    exclude_zero_balances: bool = False


class GetNetBalance(Body):
    customer_id: str
    credit_type_id: str = USD_ID
    invoice_inclusion_mode: Annotated[
        Literal["FINALIZED_AND_DRAFT", "FINALIZED"],
        UPPER,
        only("FINALIZED_AND_DRAFT", "usage is deducted when it happens, not when it is invoiced"),
    ] = "FINALIZED_AND_DRAFT"
    filters: Annotated[None, refused("list the balances and add up those that you mean")] = None


class ListSeatBalances(Body):
    customer_id: str
    contract_id: str
    subscription_ids: TextList = ()
    seat_ids: TextList = ()
    cursor: str = ""
    limit: Annotated[Whole, limit_of(100)] = 25
    include_credits_and_commits: bool = False
    include_ledgers: Annotated[None, refused("customerBalances/list shows the ledgers of grants")] = None
    covering_date: Annotated[None, refused("seats are shown as they are now")] = None
    starting_at: Annotated[None, refused("seats are shown as they are now")] = None
    effective_before: Annotated[None, refused("seats are shown as they are now")] = None
    skip_missing_seat_ids: bool = False


class AddManualEntry(Body):
    ignores: ClassVar[frozenset[str]] = frozenset({"segment_id", "contract_id"})

    customer_id: str
    id: str
    amount: Number
    reason: str
    uniqueness_key: str = ""
    timestamp: Annotated[None, refused("entries are written now")] = None
    per_group_amounts: Annotated[None, refused("credits are not divided by group")] = None


def id_of(grant: pb.Grant) -> str:
    """Return Metronome's id: a bought grant is known by its top-up from the order on."""
    return grant.source_id if grant.grant_kind == pb.GRANT_KIND_TOP_UP and grant.source_id else grant.grant_id


def remaining_micros(grant: pb.Grant) -> int:
    """Return what is neither spent, expired nor voided; open holds have not spent it yet."""
    return grant.granted_micros - grant.captured_micros - grant.expired_micros - grant.voided_micros


def is_listed(grant: pb.Grant, body: ListBalances) -> bool:
    """Whether a list of balances with these filters shows the grant."""
    start, end = grant.effective_time.ToNanoseconds(), _end_nanoseconds(grant)
    covers = body.covering_date is None or start <= _nanoseconds(body.covering_date) < end
    overlaps = (body.starting_at is None or end > _nanoseconds(body.starting_at)) and (
        body.effective_before is None or start < _nanoseconds(body.effective_before)
    )
    in_scope = body.include_contract_balances or grant.grant_kind == pb.GRANT_KIND_PROMOTIONAL
    return (
        covers
        and overlaps
        and in_scope
        and body.id in ("", id_of(grant))
        and not (body.exclude_zero_balances and remaining_micros(grant) == 0)
    )


def _nanoseconds(at: Instant) -> int:
    return int(at.timestamp()) * 10**9 + at.microsecond * 1_000


def _end_nanoseconds(grant: pb.Grant) -> int:
    return grant.expire_time.ToNanoseconds() if grant.HasField("expire_time") else 2**63


def grant_to_json(
    grant: pb.Grant,
    product_names: Mapping[str, str],
    credit_types: CreditTypes,
    *,
    entries: Sequence[admin.Entry] | None = None,
    with_balance: bool = False,
) -> dict[str, object]:
    """Return a commit or a credit. entries: its ledger, oldest first; None: not asked for."""
    is_commit = grant.grant_kind == pb.GRANT_KIND_TOP_UP
    return without_absent(
        {
            "id": id_of(grant),
            "type": "PREPAID" if is_commit else "CREDIT",
            "product": {
                "id": grant.product_id,
                "name": product_names.get(grant.product_id, pb.GrantKind.Name(grant.grant_kind)),
            },
            "created_at": time_to_json(grant.create_time),
            "priority": grant.priority,
            "rate_type": "LIST_RATE",
            "access_schedule": {
                "credit_type": credit_types.shown(grant.credit_type_id),
                "schedule_items": [
                    {
                        "id": grant.grant_id,
                        "amount": amount_to_json(grant.granted_micros, grant.credit_type_id),
                        "starting_at": time_to_json(grant.effective_time),
                        "ending_before": _end_to_json(grant),
                    }
                ],
            },
            "applicable_product_ids": list(grant.scope_product_ids) or None,
            "recurring_credit_id": grant.grant_schedule_id or None,
            "balance": amount_to_json(remaining_micros(grant), grant.credit_type_id)
            if with_balance
            else None,
            "ledger": None if entries is None else list(_ledger_to_json(entries, is_commit=is_commit)),
        }
    )


def _end_to_json(grant: pb.Grant) -> str:
    return time_to_json(grant.expire_time) if grant.HasField("expire_time") else NEVER


def _ledger_to_json(entries: Iterable[admin.Entry], *, is_commit: bool) -> Iterable[dict[str, object]]:
    prefix = "PREPAID_COMMIT_" if is_commit else "CREDIT_"
    for entry in entries:
        kind = _ENTRY_TYPES.get(entry.entry_kind)
        if kind is None or entry.amount_micros == 0:
            continue
        shown: dict[str, object] = {
            "type": prefix + kind,
            "amount": amount_to_json(entry.amount_micros, entry.credit_type_id),
            "segment_id": entry.grant_id,
            "timestamp": time_to_json(entry.effective_time),
        }
        if kind in _OF_INVOICES:
            shown |= without_absent({"invoice_id": "", "contract_id": entry.contract_id or None})
        yield shown


def net_balance_to_json(balance: pb.GetBalanceResponse, credit_type_id: str) -> dict[str, object]:
    remaining = sum(pool.remaining_micros for pool in balance.pools)
    return {
        "data": {
            "balance": amount_to_json(remaining, credit_type_id),
            "credit_type_id": credit_type_id_to_json(credit_type_id),
        }
    }


def seat_to_json(seat_id: str, held: Sequence[pb.SeatBalance], *, with_grants: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "seat_id": seat_id,
        "balances": [
            {
                "balance": amount_to_json(one.remaining_micros, one.credit_type_id),
                "starting_balance": amount_to_json(
                    sum(grant.granted_micros for grant in one.grants), one.credit_type_id
                ),
                "credit_type_id": credit_type_id_to_json(one.credit_type_id),
            }
            for one in held
        ],
    }
    if with_grants:
        shown["credits"] = [_seat_grant_to_json(grant) for one in held for grant in one.grants]
    return shown


def _seat_grant_to_json(grant: pb.Grant) -> dict[str, object]:
    return {
        "id": grant.grant_id,
        "balance": amount_to_json(remaining_micros(grant), grant.credit_type_id),
        "credit_type_id": credit_type_id_to_json(grant.credit_type_id),
        "start_date": time_to_json(grant.effective_time),
        "end_date": _end_to_json(grant),
    }
