# SPDX-License-Identifier: Apache-2.0
"""Records what a lease was used for, each use once, whichever call reports it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from access import current_caller
from meshkit.errors import InvalidFields, MeshError, RequestIdReused
from meshkit.ids import Ids
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId
from services.ledger.domain.credits.unit_of_work import NewResponse, StoredResponse
from services.ledger.domain.errors import property_problem
from services.ledger.domain.gate import leasing
from services.ledger.domain.gate.decision import Ask, Captured, Entitlement
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.lease import USE_AGE_MAX, EndLease, LeaseUse, SettleLease, UseResult
from services.ledger.domain.gate.lease_terms import own_entitlement
from services.ledger.domain.gate.standing import CustomerRecord, PriceBook
from services.ledger.domain.rating.properties import PropertyProblem
from services.ledger.domain.responses import Response
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.store import Transaction


@dataclass(slots=True, kw_only=True)
class UsedLease:
    """A lease under the lock of its pool. account, lease: after the uses.

    results: of the uses, in their order. responses: of those that are recorded now, to be stored.
    """

    customer: CustomerRecord
    book: PriceBook
    opened: OpenAccount
    account: Account
    lease: Hold
    results: tuple[UseResult, ...] = ()
    responses: list[NewResponse] = field(default_factory=list)


async def record_uses(
    tx: Transaction,
    customer: CustomerRecord,
    book: PriceBook,
    command: SettleLease | EndLease,
    *,
    credit_type_id: CreditTypeId,
    at: datetime,
    ids: Ids,
) -> UsedLease:
    """Lock the pool of a lease and record its uses in their order; the caller saves the account.

    A use that cannot be recorded has its error as the result, and keeps no other from being recorded.
    """
    uses = [use for use in command.uses if isinstance(use, LeaseUse)]
    prices = [_priced(book, use, at) for use in command.uses]
    opened = await open_account(
        tx,
        customer.customer_id,
        credit_type_id,
        at=at,
        ids=ids,
        group_values={pair for use in uses for pair in book.product.counted(use.group_values).items()},
        hold_id=command.lease_id,
        prices=[one.price for one in prices if isinstance(one, Entitlement)],
        seats={pair for use in uses for pair in use.group_values.items()},
    )
    lease = opened.now.holds[command.lease_id]
    used = UsedLease(customer=customer, book=book, opened=opened, account=opened.now, lease=lease)
    names = {(customer.customer_id, use.request_id) for use in uses}
    stored = {name[1]: one for name, one in (await tx.responses.find_many(names)).items()} if names else {}
    used.results = tuple(
        _result(used, use, priced, stored) for use, priced in zip(command.uses, prices, strict=True)
    )
    if used.lease is not lease:
        used.account = used.account.with_changes(holds=[used.lease])
    return used


def new_response(opened: OpenAccount, request_id: str, fingerprint: bytes, response: Response) -> NewResponse:
    """Return a response to be stored with what it has changed in the account."""
    key = (opened.now.customer_id, opened.now.credit_type_id)
    return NewResponse(key, request_id, fingerprint, response, opened.at, current_caller().subject)


def _priced(book: PriceBook, use: LeaseUse | InvalidFields, at: datetime) -> Entitlement | MeshError | None:
    """Return what priced a use when it happened; None if nothing did."""
    if isinstance(use, InvalidFields):
        return use
    used_time = at if use.used_time is None else min(at, max(use.used_time, at - USE_AGE_MAX))
    try:
        return book.entitlement_at(used_time, use.properties)
    except PropertyProblem as problem:
        return property_problem(problem)
    except MeshError as error:
        return error


def _result(
    used: UsedLease,
    use: LeaseUse | InvalidFields,
    priced: Entitlement | MeshError | None,
    stored: dict[str, StoredResponse],
) -> UseResult:
    if isinstance(use, InvalidFields):
        return use
    earlier = stored.get(use.request_id) or _named(used.responses, use.request_id)
    if earlier is not None:
        if earlier.fingerprint != use.fingerprint:
            return RequestIdReused(request_id=use.request_id)
        response = earlier.decode(Captured) if isinstance(earlier, StoredResponse) else earlier.response
        assert isinstance(response, Captured)
        return response
    if isinstance(priced, MeshError):
        return priced
    if priced is None or priced.credit_type_id != used.account.credit_type_id:
        # The usage has happened: what the lease was taken for pays for it.
        priced = own_entitlement(used.lease, used.account.credit_type_id)
    ask = Ask(
        product_id=used.lease.product_id,
        entitlement=priced,
        amount=use.amount,
        group_values=use.group_values,
        counted_group_values=used.book.product.counted(use.group_values),
    )
    try:
        used.account, used.lease, captured = leasing.record_use(
            used.account, used.lease, ask, cause_id=use.request_id, at=used.opened.at
        )
    except MeshError as error:
        return error
    used.responses.append(new_response(used.opened, use.request_id, use.fingerprint, captured))
    return captured


def _named(responses: Sequence[NewResponse], request_id: str) -> NewResponse | None:
    return next((one for one in responses if one.request_id == request_id), None)
