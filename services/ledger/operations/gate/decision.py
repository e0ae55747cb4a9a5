# SPDX-License-Identifier: Apache-2.0
"""The one decision about a request: customer → product → standing → ask → hold → account → rule of the gate.

It reads from a view: a replica's cache (batch.py) or what was read under locks (locked.py). Both get the same
decision from the same knowledge; they differ in what they know, and in what their caller does with a decision.
A new check of the gate belongs in this chain or in domain/gate/, once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from meshkit.errors import MeshError
from meshkit.ids import Ids
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.gate import call_lines, capturing, gate, lines
from services.ledger.domain.gate.commands import (
    Authorize,
    AuthorizeLines,
    Capture,
    CaptureLines,
    Debit,
    DebitLines,
    ExtendHold,
    GateCommand,
    Release,
)
from services.ledger.domain.gate.decision import Amount, Ask, Authorized, Debited, DenialReason, Extended
from services.ledger.domain.gate.hold import Hold, HoldId, require_addable, require_unresolved
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
        case Authorize() | Debit() | AuthorizeLines() | DebitLines():
            return None
        case _:
            return command.hold_id


def products_of(command: Command) -> tuple[ProductId, ...]:
    """Return the products that a command names."""
    match command:
        case Authorize() | Debit():
            return (command.product_id,)
        case AuthorizeLines() | CaptureLines() | DebitLines():
            return tuple(dict.fromkeys(line.product_id for line in command.lines))
        case _:
            return ()


@dataclass(slots=True)
class Target:
    """The pool that a request is about, and what Authorize and Debit ask of it, line by line."""

    customer: CustomerState
    key: PoolKey
    asks: tuple[Ask, ...]


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
        for ask in target.asks:
            view.require_spends(account, ask)
            view.require_overage(account, ask.counted_group_values, at)
            view.require_meter(account, ask.entitlement.price)
        if isinstance(command, (Capture, CaptureLines, ExtendHold)):
            view.require_overage(account, account.holds[command.hold_id].counted_group_values, at)
        if account.concurrency_caps and isinstance(command, (Authorize, AuthorizeLines)):
            view.require_in_flight(account)
        if account.seat_rules:
            hold_id = hold_of(command)
            group_values = (
                target.asks[0].group_values if hold_id is None else account.holds[hold_id].group_values
            )
            view.require_seats(account, group_values)
        if isinstance(command, (Capture, CaptureLines)):
            for part in account.holds[command.hold_id].parts:
                view.require_meter(account, part.price)
        after, response = _carry_out(view, target, account, command, at=at, ids=ids)
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
    asks: tuple[Ask, ...] | DenialReason
    if isinstance(command, (Authorize, Debit)):
        book = view.price_book(customer, command.product_id)
        ask = ask_of(customer.record, book, command.amount, command.group_values, command.properties, at=at)
        asks = ask if isinstance(ask, DenialReason) else (ask,)
    elif isinstance(command, (AuthorizeLines, DebitLines)):
        books = [view.price_book(customer, line.product_id) for line in command.lines]
        asks = call_lines.asks_of(customer.record, books, command.lines, command.group_values, at=at)
    else:
        return Target(customer, view.pool_of(customer, command.hold_id), ())
    if isinstance(asks, DenialReason):
        is_hold = isinstance(command, (Authorize, AuthorizeLines))
        return Denied(Authorized(reason=asks) if is_hold else Debited(reason=asks), None)
    return Target(customer, (customer.record.customer_id, asks[0].entitlement.credit_type_id), asks)


def denial_of(response: LaneResponse) -> DenialReason | None:
    """Return the reason of a denial; None for a response that has an effect."""
    return response.reason if isinstance(response, (Authorized, Extended, Debited)) else None


def used_of(
    view: View, customer: CustomerState, hold: Hold, command: Capture | CaptureLines
) -> Sequence[Amount]:
    """Return what a capture says of each line of its hold. Raises LineNotHeld, HoldHasLines, InvalidFields."""
    if isinstance(command, Capture):
        return capturing.used_of(hold, command.actual)
    products = {
        product_id: view.price_book(customer, product_id).product for product_id in products_of(command)
    }
    return call_lines.used_of(hold, command.lines, products)


def _extension(
    view: View, customer: CustomerState, account: Account, command: ExtendHold, at: datetime
) -> Ask | DenialReason | None:
    """Return what an extension asks on top of its hold; None when it only lengthens the hold's life."""
    if command.additional is None:
        return None
    hold = account.holds[command.hold_id]
    require_addable(hold)
    book = view.price_book(customer, hold.product_id)
    ask = extension_of(
        customer.record, book, hold, command.additional, credit_type_id=account.credit_type_id, at=at
    )
    if isinstance(ask, Ask):
        view.require_spends(account, ask)
        view.require_meter(account, ask.entitlement.price)
    return ask


def _carry_out(
    view: View, target: Target, account: Account, command: GateCommand, *, at: datetime, ids: Ids
) -> tuple[Account, GateResponse]:
    """Return the account after a command, and the response. Raises what the gate's rules raise."""
    now = account.time_at(at)
    match command:
        case Authorize():
            (ask,) = target.asks
            return gate.authorize(
                account,
                ask,
                hold_id=HoldId(ids.new("hld")),
                expire_time=now + command.hold_ttl,
                allows_part=command.allow_partial,
                at=now,
            )
        case AuthorizeLines():
            hold_id = HoldId(ids.new("hld"))
            return lines.authorize(
                account, target.asks, hold_id=hold_id, expire_time=now + command.hold_ttl, at=now
            )
        case Debit():
            (ask,) = target.asks
            return gate.debit(account, ask, cause_id=command.request_id, at=now)
        case DebitLines():
            return lines.debit(account, target.asks, cause_id=command.request_id, at=now)
        case Capture():
            hold = account.holds[command.hold_id]
            return capturing.capture(account, hold, command.actual, cause_id=command.request_id, at=now)
        case CaptureLines():
            hold = account.holds[command.hold_id]
            require_unresolved(hold)
            used = used_of(view, target.customer, hold, command)
            return capturing.capture_lines(account, hold, used, cause_id=command.request_id, at=now)
        case Release():
            return gate.release(account, account.holds[command.hold_id], at=now)
        case ExtendHold():
            hold = account.holds[command.hold_id]
            more = _extension(view, target.customer, account, command, at)
            if isinstance(more, DenialReason):
                return account, gate.extension_denied(account, hold, more, at=now)
            expire_time = None if command.hold_ttl is None else now + command.hold_ttl
            return gate.extend(account, hold, more, expire_time=expire_time, at=now)
