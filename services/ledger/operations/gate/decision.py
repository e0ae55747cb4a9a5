# SPDX-License-Identifier: Apache-2.0
"""The one decision about a request: customer → product → standing → ask → hold → account → rule of the gate.

It reads from a view: a replica's cache (batch.py) or what was read under locks (locked.py). Both get the same
decision from the same knowledge; they differ in what they know, and in what their caller does with a decision.
A new check of the gate belongs in this chain or in domain/gate/, once.
"""

from dataclasses import dataclass
from datetime import datetime

from meshkit.errors import MeshError
from meshkit.ids import Ids
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.commands import Authorize, Capture, Debit, ExtendHold, GateCommand, Release
from services.ledger.domain.gate.decision import Ask, Authorized, Debited, DenialReason, Extended
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.standing import ask_of, extension_of
from services.ledger.domain.responses import GateResponse, LaneResponse
from services.ledger.domain.usage.event import RecordEvent
from services.ledger.operations.gate.cache import CustomerState
from services.ledger.operations.gate.outcome import (
    Allowed,
    Denied,
    Fault,
    NotCached,
    Outcome,
    Unknown,
    View,
)
from services.ledger.operations.usage.decision import decide_event

Command = GateCommand | RecordEvent


def name_of(command: Command) -> tuple[str, str, str]:
    """Return what identifies a request or an event: its kind, its customer's name, and its idempotency key."""
    if isinstance(command, RecordEvent):
        return "event", command.customer, command.transaction_id
    return "request", command.customer, command.request_id


def hold_of(command: Command) -> HoldId | None:
    """Return the hold that a command is about; None for one without."""
    match command:
        case RecordEvent():
            return None if command.hold_id is None else HoldId(command.hold_id)
        case Authorize() | Debit():
            return None
        case _:
            return command.hold_id


@dataclass(slots=True)
class Target:
    """The pool that a request is about, and what Authorize and Debit ask of it."""

    customer: CustomerState
    key: PoolKey
    ask: Ask | None


def decide(view: View, command: Command, *, at: datetime, ids: Ids) -> Outcome:
    """Decide one request or event. Source: services/ledger/README.md, "Order of checks"."""
    if isinstance(command, RecordEvent):
        return decide_event(view, command, at=at)
    key: PoolKey | None = None
    try:
        target = target_of(view, command, at=at)
        if isinstance(target, Denied):
            return target
        key = target.key
        account = view.account(target.customer, key)
        ask: Ask | DenialReason | None = target.ask
        if isinstance(command, ExtendHold):
            ask = _extension(view, target.customer, account, command, at)
        if isinstance(ask, Ask):
            view.require_spends(account, ask)
            view.require_meter(account, ask.entitlement.price)
        elif isinstance(command, Capture):
            view.require_meter(account, account.holds[command.hold_id].price)
        after, response = _carry_out(account, command, ask, at=account.time_at(at), ids=ids)
    except NotCached as unknown:
        return Unknown(unknown.cause, key)
    except MeshError as error:
        return Fault(error, key)
    if denial_of(response) is None:
        return Allowed(response, ((key, account, after),))
    return Denied(response, key)


def target_of(view: View, command: GateCommand, *, at: datetime) -> Target | Denied:
    """Return the pool that a request is about, or the denial that needs none. Raises what the view raises."""
    customer = view.customer(command.customer)
    if not isinstance(command, (Authorize, Debit)):
        return Target(customer, view.pool_of(customer, command.hold_id), None)
    book = view.price_book(customer, command.product_id)
    ask = ask_of(customer.record, book, command.amount, command.group_values, command.properties, at=at)
    if isinstance(ask, DenialReason):
        return Denied(Authorized(reason=ask) if isinstance(command, Authorize) else Debited(reason=ask), None)
    return Target(customer, (customer.record.customer_id, ask.entitlement.credit_type_id), ask)


def denial_of(response: LaneResponse) -> DenialReason | None:
    """Return the reason of a denial; None for a response that has an effect."""
    return response.reason if isinstance(response, (Authorized, Extended, Debited)) else None


def _extension(
    view: View, customer: CustomerState, account: Account, command: ExtendHold, at: datetime
) -> Ask | DenialReason | None:
    """Return what an extension asks on top of its hold; None when it only lengthens the hold's life."""
    if command.additional is None:
        return None
    hold = account.holds[command.hold_id]
    book = view.price_book(customer, hold.product_id)
    return extension_of(
        customer.record, book, hold, command.additional, credit_type_id=account.credit_type_id, at=at
    )


def _carry_out(
    account: Account, command: GateCommand, ask: Ask | DenialReason | None, *, at: datetime, ids: Ids
) -> tuple[Account, GateResponse]:
    """Return the account after a command, and the response. Raises what the gate's rules raise."""
    match command:
        case Authorize():
            assert isinstance(ask, Ask)
            return gate.authorize(
                account,
                ask,
                hold_id=HoldId(ids.new("hld")),
                expire_time=at + command.hold_ttl,
                allows_part=command.allow_partial,
                at=at,
            )
        case Debit():
            assert isinstance(ask, Ask)
            return gate.debit(account, ask, cause_id=command.request_id, at=at)
        case Capture():
            hold = account.holds[command.hold_id]
            return gate.capture(account, hold, command.actual, cause_id=command.request_id, at=at)
        case Release():
            return gate.release(account, account.holds[command.hold_id], at=at)
        case ExtendHold():
            hold = account.holds[command.hold_id]
            if isinstance(ask, DenialReason):
                return account, gate.extension_denied(account, hold, ask, at=at)
            expire_time = None if command.hold_ttl is None else at + command.hold_ttl
            return gate.extend(account, hold, ask, expire_time=expire_time, at=at)
